/* SPDX-License-Identifier: Apache-2.0 */
#include "db/batch.h"

#include "db/payload.h"
#include "db/separate.h"
#include "db/spill.h"
#include "db/upon.h"

#include <assert.h>

#define WORTH_SHARING ((size_t)1 << 20)
/* A part with that many range tombstones in memory spills. */
#define RANGES_MOST 1000u
/* Of a merge record or a value that takes in what the batch said of the key before. */
#define CUMULATED_MAX ((size_t)512)
#define SPARE_OF      8 /* what is kept for the next transaction: of the share */

static void scratch_free(seerdb_pin *pin)
{
    struct sdb_scratch *s = (struct sdb_scratch *)pin;
    for (size_t i = 0; i < s->nparts; i++) {
        sdb_memtable_unref(s->parts[i].memtable);
        sdb_version_unref(s->parts[i].runs);
        sdb_tree_unref(s->parts[i].tree);
    }
    sdb_mem_free(s->parts);
    sdb_mem_free(s->ranges);
    sdb_mem_free(s);
}

int seerdb_batch_new(seerdb *db, seerdb_batch **out, seerdb_err *err)
{
    int rc = sdb_check_process(db, err);
    if (rc != 0)
        return rc;
    if (seerdb_is_read_only(db))
        return sdb_check_writable(db, err);
    seerdb_batch *b = sdb_mem_zalloc(sizeof *b);
    if (b == NULL)
        return sdb_fail_nomem(err, sizeof *b);
    b->db = db;
    b->writes = b->commits =
        atomic_fetch_add_explicit(&db->writer, 1, memory_order_relaxed);
    *out = b;
    return 0;
}

/* The batch's memtables have grown or gone to tables: tell the store's budget, which is
 * about megabytes. */
static void account(seerdb_batch *b, size_t bytes)
{
    seerdb *db = b->db;
    size_t before = b->held, held = bytes + sdb_mergeset_bytes(&b->merges);
    for (size_t i = 0; b->scratch != NULL && i < b->scratch->nparts; i++)
        if (b->scratch->parts[i].runs != NULL)
            held += b->scratch->parts[i].runs->memory;
    b->bytes = bytes;
    b->held = held;
    /* Differences wrap round; the sum does not. */
    atomic_fetch_add_explicit(&db->batch_bytes, held - before, memory_order_relaxed);
    if (held / WORTH_SHARING == before / WORTH_SHARING)
        return;
    sdb_lock_write(&db->write_lock);
    sdb_share_memory(db);
    sdb_unlock_write(&db->write_lock);
}

/* Forget the encoded commit.  Its landings are others' by now. */
void sdb_batch_drop_slots(seerdb_batch *b)
{
    for (size_t i = 0; i < b->nslots; i++)
        sdb_version_unref(b->slots[i].runs);
    b->nslots = 0;
}

/* Small transactions that follow one another need not make memtables anew: keep the
 * first part's, if it is in nobody else's hands and small beside what a batch may have.
 */
static void keep_spare(seerdb_batch *b)
{
    struct sdb_scratch *s = b->scratch;
    if (b->spare != NULL || s == NULL || s->nparts == 0 ||
        sdb_memtable_is_shared(s->parts[0].memtable))
        return;
    struct sdb_memtable *m = s->parts[0].memtable;
    sdb_memtable_clear(m);
    if (sdb_memtable_bytes(m) > b->db->batch_share / SPARE_OF)
        return;
    s->parts[0].memtable = NULL;
    b->spare = m;
}

void sdb_batch_reset(seerdb_batch *b)
{
    bool spilled = false;
    for (size_t i = 0; b->scratch != NULL && i < b->scratch->nparts; i++)
        spilled = spilled || b->scratch->parts[i].since > 0;
    sdb_batch_drop_slots(b);
    if (sdb_check_process(b->db, NULL) == 0)
        keep_spare(b);
    if (b->scratch != NULL)
        seerdb_pin_unref(&b->scratch->pin);
    b->scratch = NULL;
    if (sdb_mergeset_bytes(&b->merges) <= b->db->batch_share / SPARE_OF)
        sdb_mergeset_clear(&b->merges);
    else
        sdb_mergeset_fini(&b->merges);
    b->ordinal = 0;
    b->apart_bytes = 0;
    b->phase = SDB_BATCH_OPEN;
    b->number = 0;
    b->nmarks = 0;
    b->lost = false;
    if (sdb_check_process(b->db, NULL) == 0)
        account(b, b->spare != NULL ? sdb_memtable_bytes(b->spare) : 0);
    if (spilled)
        sdb_empty_graveyard(b->db);
}

void sdb_batch_drop_spare(seerdb_batch *b)
{
    if (b->spare == NULL)
        return;
    size_t bytes = sdb_memtable_bytes(b->spare);
    sdb_memtable_unref(b->spare);
    b->spare = NULL;
    if (sdb_check_process(b->db, NULL) == 0)
        account(b, b->bytes - bytes);
}

struct sdb_batch_part *sdb_batch_part(const seerdb_batch *b, const seerdb_tree *t)
{
    if (b->scratch != NULL)
        for (size_t i = 0; i < b->scratch->nparts; i++)
            if (b->scratch->parts[i].tree == t)
                return &b->scratch->parts[i];
    return NULL;
}

static int ensure_scratch(seerdb_batch *b, seerdb_err *err)
{
    if (b->scratch != NULL)
        return 0;
    struct sdb_scratch *s = sdb_mem_zalloc(sizeof *s);
    if (s == NULL)
        return sdb_fail_nomem(err, sizeof *s);
    sdb_pin_init(&s->pin, scratch_free);
    b->scratch = s;
    return 0;
}

/* Room for one more mark and one more hidden range, so that marking and rolling back
 * need no memory. */
static SDB_INLINE int ensure_room(seerdb_batch *b, seerdb_err *err)
{
    struct sdb_scratch *s = b->scratch;
    if (s->hidden.n + 1 > s->ranges_capacity) {
        size_t n = s->ranges_capacity * 2 + 4;
        struct sdb_hidden_range *ranges = sdb_array_grow(s->ranges, n, sizeof *ranges);
        if (ranges == NULL)
            return sdb_fail_nomem(err, n * sizeof *ranges);
        s->ranges = ranges;
        s->hidden.ranges = ranges;
        s->ranges_capacity = n;
    }
    if (b->nmarks + 1 > b->marks_capacity) {
        size_t n = b->marks_capacity * 2 + 4;
        struct sdb_batch_mark *marks = sdb_array_grow(b->marks, n, sizeof *marks);
        if (marks == NULL)
            return sdb_fail_nomem(err, n * sizeof *marks);
        b->marks = marks;
        b->marks_capacity = n;
    }
    return 0;
}

/* Find or make the tree's part. */
static SDB_INLINE int ensure_part(seerdb_batch *b, seerdb_tree *t,
                                  struct sdb_batch_part **out, seerdb_err *err)
{
    int rc = ensure_scratch(b, err);
    if (rc != 0 || (rc = ensure_room(b, err)) != 0)
        return rc;
    struct sdb_scratch *s = b->scratch;
    if ((*out = sdb_batch_part(b, t)) != NULL)
        return 0;
    struct sdb_batch_part *parts =
        sdb_array_grow(s->parts, s->nparts + 1, sizeof *parts);
    if (parts == NULL)
        return sdb_fail_nomem(err, sizeof *parts);
    s->parts = parts;
    struct sdb_memtable *m = b->spare;
    b->spare = NULL;
    size_t bytes = m != NULL ? sdb_memtable_bytes(m) : 0; /* accounted already */
    if (m == NULL && (rc = sdb_new_memtable(b->db, &m, err)) != 0)
        return rc;
    sdb_lock_db(&b->db->lock);
    sdb_tree_ref(t);
    sdb_unlock_db(&b->db->lock);
    s->parts[s->nparts] =
        (struct sdb_batch_part){.tree = t, .memtable = m, .bytes = bytes};
    *out = &s->parts[s->nparts++];
    return 0;
}

/* ---- spilling --------------------------------------------------------------- */

/* A rollback hides all of a table's ordinals or none that it holds.  Its last ordinal
 * alone tells nothing: it may have been rolled back before the table was written. */
static bool is_rolled_back(const seerdb_batch *b, const struct sdb_member *m)
{
    return sdb_hidden_covers(&b->scratch->hidden, m->desc.min_number + 1,
                             m->desc.max_number);
}

/* Let go of the private tables that were rolled back. */
static int prune(const seerdb_batch *b, struct sdb_batch_part *part, seerdb_err *err)
{
    struct sdb_version *old = part->runs, *fresh = NULL;
    struct sdb_version_change change = {0};
    int rc = 0;
    for (size_t i = 0; old != NULL && i < old->nmembers; i++)
        change.nremoved += is_rolled_back(b, old->members[i]) ? 1 : 0;
    if (change.nremoved == 0)
        return 0;
    if (change.nremoved < old->nmembers) {
        struct sdb_member **removed = sdb_array_new(change.nremoved, sizeof *removed);
        size_t n = 0;
        if (removed == NULL)
            return sdb_fail_nomem(err, change.nremoved * sizeof *removed);
        for (size_t i = 0; i < old->nmembers; i++)
            if (is_rolled_back(b, old->members[i]))
                removed[n++] = old->members[i];
        change.removed = removed;
        rc = sdb_version_new(old, &change, &fresh, err);
        sdb_mem_free(removed);
    }
    if (rc != 0)
        return rc;
    part->runs = fresh;
    sdb_version_unref(old);
    return 0;
}

void seerdb_batch_interrupt(seerdb_batch *batch, const seerdb_interrupt *by)
{
    batch->interrupt = by;
}

/* Write the memtable to tables, one for each span between marks. */
int sdb_batch_spill_part(seerdb_batch *b, struct sdb_batch_part *part, seerdb_err *err)
{
    struct sdb_memtable *fresh = NULL;
    const seerdb_interrupt *before = seerdb_interrupt_by(b->interrupt);
    int rc = sdb_batch_settle(b, err);
    if (rc == 0)
        rc = prune(b, part, err);
    struct sdb_version *runs = part->runs != NULL ? sdb_version_ref(part->runs) : NULL;
    struct sdb_spill s = {.tree = part->tree,
                          .memtable = part->memtable,
                          .hidden = &b->scratch->hidden,
                          .merging = &b->merging,
                          .from = part->since};
    if (rc != 0 || (rc = sdb_new_memtable(b->db, &fresh, err)) != 0)
        goto out;
    for (size_t i = 0; rc == 0 && s.from < b->ordinal; i++) {
        struct sdb_version *more = NULL;
        s.to = i < b->nmarks ? b->marks[i].at : b->ordinal;
        if (s.to <= s.from)
            continue;
        s.runs = runs;
        rc = sdb_spill_write(&s, &more, err);
        if (rc == 0) {
            sdb_version_unref(runs);
            runs = more;
        }
        rc = rc == SEERDB_NOTFOUND ? 0 : rc;
        s.from = s.to;
    }
    if (rc != 0)
        goto out;
    struct sdb_memtable *old = part->memtable;
    struct sdb_version *former = part->runs;
    part->memtable = fresh;
    part->runs = runs;
    part->since = b->ordinal;
    fresh = old;
    runs = former;
    size_t bytes = sdb_memtable_bytes(part->memtable);
    account(b, b->bytes - part->bytes + bytes);
    part->bytes = bytes;
out:
    seerdb_interrupt_by(before);
    sdb_memtable_unref(fresh);
    sdb_version_unref(runs);
    sdb_empty_graveyard(b->db);
    return rc;
}

static int spill_largest(seerdb_batch *b, seerdb_err *err)
{
    struct sdb_scratch *s = b->scratch;
    struct sdb_batch_part *largest = &s->parts[0];
    for (size_t i = 1; i < s->nparts; i++)
        if (s->parts[i].bytes > largest->bytes)
            largest = &s->parts[i];
    return sdb_batch_spill_part(b, largest, err);
}

int seerdb_batch_spill(seerdb_batch *b, seerdb_err *err)
{
    int rc = sdb_check_process(b->db, err);
    if (rc == 0 && b->phase != SDB_BATCH_OPEN)
        rc = sdb_fail(err, SEERDB_MISUSE, "a prepared batch does not change");
    for (size_t i = 0; b->scratch != NULL && i < b->scratch->nparts && rc == 0; i++)
        rc = sdb_batch_spill_part(b, &b->scratch->parts[i], err);
    return rc;
}

int sdb_batch_take_runs(seerdb_batch *b, seerdb_tree *t, struct sdb_version *runs,
                        uint64_t to, seerdb_err *err)
{
    struct sdb_batch_part *part = NULL;
    assert(b->ordinal == 0);
    int rc = ensure_part(b, t, &part, err);
    if (rc != 0)
        return rc;
    part->runs = sdb_version_ref(runs);
    part->since = b->ordinal = to;
    return 0;
}

int sdb_batch_check_mark(const struct sdb_batch_part *part, uint64_t mark,
                         seerdb_err *err)
{
    const struct sdb_version *v = part->runs;
    for (size_t i = 0; mark < part->since && v != NULL && i < v->nmembers; i++)
        if (v->members[i]->desc.min_number < mark &&
            mark < v->members[i]->desc.max_number)
            return sdb_fail(err, SEERDB_MISUSE,
                            "the mark %" PRIu64 " of a batch was released", mark);
    return 0;
}

bool sdb_batch_sees(const seerdb_batch *b, const struct sdb_member *m, uint64_t mark)
{
    return m->desc.max_number <= mark && !is_rolled_back(b, m);
}

int sdb_batch_get(const seerdb_batch *b, const struct sdb_batch_part *part,
                  uint64_t mark, seerdb_slice key, struct sdb_found *out,
                  seerdb_err *err)
{
    const struct sdb_version *v = part->runs;
    struct sdb_lookup l = {.key = key};
    struct sdb_places places;
    int rc = sdb_memtable_get(part->memtable, key, mark, &b->scratch->hidden, out);
    if (rc != SEERDB_NOTFOUND || v == NULL ||
        (rc = sdb_batch_check_mark(part, mark, err)) != 0)
        return rc;
    sdb_version_find(v, &l, &places);
    for (uint32_t i = 0; i < v->nruns; i++) {
        const struct sdb_member *m = sdb_places_at(&places, v, i, key);
        if (m == NULL || !sdb_batch_sees(b, m, mark))
            continue;
        if ((rc = sdb_table_get(m->table, &l, SDB_NUMBER_MAX, out, err)) !=
            SEERDB_NOTFOUND)
            return rc;
    }
    return SEERDB_NOTFOUND;
}

/* ---- writing ---------------------------------------------------------------- */

/* May the batch take the write? */
static int check_write(const seerdb_batch *b, const seerdb_tree *t,
                       const struct sdb_record *r, seerdb_err *err)
{
    int rc = sdb_check_process(b->db, err);
    if (rc != 0)
        return rc;
    if (b->phase != SDB_BATCH_OPEN)
        return sdb_fail(err, SEERDB_MISUSE, "a prepared batch takes no writes");
    if ((rc = sdb_batch_check(b, err)) != 0)
        return rc;
    if (t->db != b->db)
        return sdb_fail(err, SEERDB_MISUSE, "the tree belongs to another store, %s",
                        t->db->dir);
    if (r->key.size > SEERDB_KEY_MAX)
        return sdb_fail(err, SEERDB_TOOBIG, "a key of %zu bytes is longer than %zu",
                        r->key.size, SEERDB_KEY_MAX);
    if (r->value.size > SEERDB_VALUE_MAX)
        return sdb_fail(err, SEERDB_TOOBIG, "a value of %zu bytes is longer than %zu",
                        r->value.size, SEERDB_VALUE_MAX);
    return 0;
}

/* Writes up to it are to stay as they are: a mark may be returned to. */
static inline uint64_t last_mark(const seerdb_batch *b)
{
    return b->nmarks > 0 ? b->marks[b->nmarks - 1].at : 0;
}

/* Merges of one span between marks are put together as they come. */
static int insert_merge(seerdb_batch *b, struct sdb_batch_part *part, seerdb_slice key,
                        seerdb_slice operand, uint64_t number, seerdb_err *err)
{
    const struct sdb_cumulate c = {.op = sdb_tree_merge(part->tree),
                                   .merging = &b->merging,
                                   .hidden = &b->scratch->hidden,
                                   .above = last_mark(b),
                                   .most = CUMULATED_MAX};
    struct sdb_record r = {.key = key, .number = number, .kind = SDB_KIND_MERGE};
    sdb_buf_clear(&b->operand);
    sdb_operands_put_only(&b->operand, 0, operand);
    r.value = sdb_buf_slice(&b->operand);
    part->merges = true;
    int rc = sdb_buf_check(&b->operand, err);
    if (rc != 0)
        return rc;
    if (part->bases) {
        const struct sdb_upon u = {.op = c.op,
                                   .merging = c.merging,
                                   .memtable = part->memtable,
                                   .runs = part->runs,
                                   .hidden = c.hidden,
                                   .values = b->db->values,
                                   .small = c.most};
        rc = sdb_upon(&u, &r, err);
        if (rc != 0 || r.kind != SDB_KIND_MERGE)
            return rc != 0 ? rc : sdb_memtable_insert(part->memtable, &r, err);
    }
    /* Nothing was written after the last mark: it would find nothing to take in. */
    return c.above + 1 == number ? sdb_memtable_insert(part->memtable, &r, err)
                                 : sdb_cumulate(&c, part->memtable, &r, err);
}

/* The part's memtable has changed. */
static inline void account_part(seerdb_batch *b, struct sdb_batch_part *part)
{
    size_t bytes = sdb_memtable_bytes(part->memtable);
    if (bytes != part->bytes) {
        account(b, b->bytes - part->bytes + bytes);
        part->bytes = bytes;
    }
}

static SDB_NOINLINE int settle(seerdb_batch *b, seerdb_err *err)
{
    struct sdb_batch_part *part = sdb_batch_part(b, b->merged);
    size_t i = 0;
    int rc = 0;
    sdb_mergeset_sort(&b->merges);
    for (; i < b->merges.n && rc == 0; i++) {
        const struct sdb_mergeset_entry *e = sdb_mergeset_at(&b->merges, i);
        rc = insert_merge(b, part, sdb_mergeset_key(e), sdb_mergeset_operand(e),
                          e->number, err);
    }
    /* The one that failed stays, with those behind it. */
    sdb_mergeset_drop(&b->merges, rc != 0 ? i - 1 : i, UINT64_MAX);
    account_part(b, part);
    return rc;
}

int sdb_batch_settle(seerdb_batch *b, seerdb_err *err)
{
    return b->merges.n == 0 ? 0 : settle(b, err);
}

/* May the batch have what the operand builds upon?  Then the operator is asked at once.
 */
static bool may_build(const seerdb_batch *b, const struct sdb_batch_part *part,
                      seerdb_slice key)
{
    struct sdb_found found;
    if (!part->bases)
        return false;
    if (part->runs != NULL)
        return true;
    int rc =
        sdb_memtable_get(part->memtable, key, UINT64_MAX, &b->scratch->hidden, &found);
    if (rc == 0)
        seerdb_pin_unref(found.pin);
    return rc == 0;
}

/* Let the merge wait with others, if it can. */
static SDB_INLINE bool let_wait(seerdb_batch *b, const struct sdb_batch_part *part,
                                const struct sdb_record *r)
{
    const seerdb_merge_operator *op = sdb_tree_merge(part->tree);
    if (!op->fast || op->partial == NULL || b->merges.size > b->db->batch_share / 4 ||
        (b->merges.n > 0 && b->merged != part->tree) || may_build(b, part, r->key))
        return false;
    b->merged = part->tree;
    b->merging.hurried = false;
    return sdb_mergeset_add(&b->merges, op, &b->merging, r->key, r->value, r->number,
                            last_mark(b));
}

static SDB_INLINE int write_merge(seerdb_batch *b, struct sdb_batch_part *part,
                                  const struct sdb_record *r, seerdb_err *err)
{
    if (let_wait(b, part, r))
        return 0;
    int rc = sdb_batch_settle(b, err);
    if (rc != 0 || let_wait(b, part, r))
        return rc;
    return insert_merge(b, part, r->key, r->value, r->number, err);
}

/* Requires: check_write said that it may. */
static SDB_INLINE int write_record(seerdb_batch *b, seerdb_tree *t,
                                   struct sdb_record *r, seerdb_err *err)
{
    struct sdb_batch_part *part;
    int rc = ensure_part(b, t, &part, err);
    if (rc != 0)
        return rc;
    if (part->forgotten)
        return sdb_fail(err, SEERDB_MISUSE, "the creation of the tree %s was undone",
                        (const char *)t->desc.name.data);
    if (b->bytes >= b->db->batch_share && (rc = spill_largest(b, err)) != 0)
        return rc;
    if (r->kind == SDB_KIND_RANGE &&
        sdb_memtable_nranges(part->memtable) >= RANGES_MOST &&
        (rc = sdb_batch_spill_part(b, part, err)) != 0)
        return rc;
    if (r->kind == SDB_KIND_SEGMENTS &&
        (rc = sdb_values_keep_all(b->db->values, part->memtable, r->value, err)) != 0)
        return rc;
    r->number = b->ordinal + 1;
    if (r->kind == SDB_KIND_MERGE)
        rc = write_merge(b, part, r, err);
    else if ((rc = sdb_batch_settle(b, err)) == 0)
        rc = sdb_memtable_insert(part->memtable, r, err);
    part->bases |= r->kind != SDB_KIND_MERGE && r->kind != SDB_KIND_RANGE;
    if (rc == 0)
        b->ordinal++;
    account_part(b, part);
    return rc;
}

/* As what a write is measured. */
static enum sdb_op op_of(enum sdb_kind kind)
{
    return kind == SDB_KIND_VALUE || kind == SDB_KIND_SEGMENTS ? SDB_OP_PUT
           : kind == SDB_KIND_MERGE                            ? SDB_OP_MERGE
                                                               : SDB_OP_DELETE;
}

SDB_COLD static int write_timed(seerdb_batch *b, seerdb_tree *t, struct sdb_record *r,
                                seerdb_err *err)
{
    uint64_t began = b->began != 0 ? b->began : sdb_clock_mono_ns();
    enum sdb_op op = op_of(r->kind); /* merging may make it another kind */
    int rc = write_record(b, t, r, err);
    if (rc == 0)
        sdb_meter_add(&t->meter, op, sdb_clock_mono_ns() - began);
    return rc;
}

static SDB_INLINE int write_checked(seerdb_batch *b, seerdb_tree *t,
                                    struct sdb_record *r, seerdb_err *err)
{
    return SDB_RARELY(++b->writes % SDB_WRITE_EVERY == 0) ? write_timed(b, t, r, err)
                                                          : write_record(b, t, r, err);
}

static int batch_write(seerdb_batch *b, seerdb_tree *t, struct sdb_record *r,
                       seerdb_err *err)
{
    int rc = check_write(b, t, r, err);
    return rc != 0 ? rc : write_checked(b, t, r, err);
}

int seerdb_batch_merge(seerdb_batch *batch, seerdb_tree *tree, seerdb_slice key,
                       seerdb_slice operand, seerdb_err *err)
{
    struct sdb_record r = {.key = key, .kind = SDB_KIND_MERGE, .value = operand};
    int rc = check_write(batch, tree, &r, err);
    if (rc == 0 && operand.size > SEERDB_VALUE_MAX - 2 * SDB_VARINT_MAX)
        rc = sdb_fail(err, SEERDB_TOOBIG, "an operand of %zu bytes is too long",
                      operand.size);
    if (rc == 0)
        rc = sdb_tree_check_merge(tree, err);
    return rc != 0 ? rc : write_checked(batch, tree, &r, err);
}

static SDB_NOINLINE int put_apart(seerdb_batch *batch, seerdb_tree *tree,
                                  seerdb_slice key, seerdb_slice value, seerdb_err *err)
{
    const seerdb_part whole = {.bytes = value, .how = SEERDB_PART_APART};
    return seerdb_batch_put_parts(batch, tree, key, &whole, 1, err);
}

int seerdb_batch_put(seerdb_batch *batch, seerdb_tree *tree, seerdb_slice key,
                     seerdb_slice value, seerdb_err *err)
{
    struct sdb_record r = {.key = key, .kind = SDB_KIND_VALUE, .value = value};
    return SDB_RARELY(sdb_separate_due(tree, value.size))
               ? put_apart(batch, tree, key, value, err)
               : batch_write(batch, tree, &r, err);
}

int seerdb_batch_put_parts(seerdb_batch *batch, seerdb_tree *tree, seerdb_slice key,
                           const seerdb_part *parts, size_t n, seerdb_err *err)
{
    struct sdb_laid laid = {.bytes = &batch->apart};
    struct sdb_record r = {.key = key};
    int rc = check_write(batch, tree, &r, err);
    if (rc != 0)
        return rc;
    if (SDB_RARELY((batch->writes + 1) % SDB_WRITE_EVERY == 0))
        batch->began = sdb_clock_mono_ns();
    if ((rc = sdb_separate_parts(tree, parts, n, &laid, err)) == 0) {
        r.kind = laid.kind;
        batch->apart_bytes += laid.written;
        r.value = sdb_buf_slice(laid.bytes);
        rc = batch_write(batch, tree, &r, err);
    }
    batch->began = 0;
    sdb_laid_fini(&laid);
    return rc;
}

int seerdb_batch_delete(seerdb_batch *batch, seerdb_tree *tree, seerdb_slice key,
                        seerdb_err *err)
{
    struct sdb_record r = {.key = key, .kind = SDB_KIND_TOMBSTONE};
    return batch_write(batch, tree, &r, err);
}

int seerdb_batch_delete_range(seerdb_batch *batch, seerdb_tree *tree,
                              seerdb_slice lower, seerdb_slice upper, seerdb_err *err)
{
    struct sdb_record r = {.key = lower, .kind = SDB_KIND_RANGE, .value = upper};
    int rc = check_write(batch, tree, &r, err);
    if (rc != 0)
        return rc;
    if (upper.data == NULL)
        return sdb_fail(err, SEERDB_MISUSE, "a range to delete needs an end");
    if (upper.size > SEERDB_KEY_MAX)
        return sdb_fail(err, SEERDB_TOOBIG,
                        "the end of a range, of %zu bytes, is "
                        "longer than %zu",
                        upper.size, SEERDB_KEY_MAX);
    if (lower.data == NULL)
        r.key = (seerdb_slice){"", 0};
    return sdb_slice_cmp(r.key, upper) < 0 ? batch_write(batch, tree, &r, err) : 0;
}

uint64_t seerdb_batch_writes(const seerdb_batch *batch)
{
    return batch->ordinal;
}

uint64_t seerdb_batch_mark(seerdb_batch *batch)
{
    size_t n = batch->nmarks;
    if (batch->ordinal == 0) /* nothing lies before it that could be mixed with more */
        return 0;
    if (n > 0 && batch->marks[n - 1].at == batch->ordinal) {
        batch->marks[n - 1].count++;
    } else { /* every write has left room for one */
        assert(n < batch->marks_capacity);
        batch->marks[batch->nmarks++] = (struct sdb_batch_mark){batch->ordinal, 1};
    }
    return batch->ordinal;
}

void seerdb_batch_release(seerdb_batch *batch, uint64_t mark)
{
    size_t i = batch->nmarks;
    while (i > 0 && batch->marks[i - 1].at > mark)
        i--;
    if (i == 0 || batch->marks[i - 1].at != mark || --batch->marks[i - 1].count > 0)
        return;
    batch->nmarks--;
    memmove(batch->marks + i - 1, batch->marks + i,
            (batch->nmarks - (i - 1)) * sizeof *batch->marks);
}

static void hide_after(const seerdb_batch *b, uint64_t mark)
{
    struct sdb_scratch *s = b->scratch;
    /* Ranges that begin behind the mark are swallowed; one that ends at the new one's
     * start grows.  Every put has left room for one more. */
    uint64_t from = mark + 1;
    while (s->hidden.n > 0 && s->ranges[s->hidden.n - 1].from >= from)
        s->hidden.n--;
    if (s->hidden.n > 0 && s->ranges[s->hidden.n - 1].to >= from) {
        s->ranges[s->hidden.n - 1].to = b->ordinal + 1;
        return;
    }
    assert(s->hidden.n < s->ranges_capacity);
    s->ranges[s->hidden.n++] = (struct sdb_hidden_range){from, b->ordinal + 1};
}

void seerdb_batch_rollback_to(seerdb_batch *batch, uint64_t mark)
{
    assert(batch->phase == SDB_BATCH_OPEN);
    struct sdb_scratch *s = batch->scratch;
    while (batch->nmarks > 0 && batch->marks[batch->nmarks - 1].at > mark)
        batch->nmarks--;
    if (s == NULL || mark >= batch->ordinal)
        return;
    /* Beyond a mark that lives nothing went into what is older. */
    if (last_mark(batch) != mark && mark < batch->merges.changed)
        batch->lost = true;
    sdb_mergeset_drop(&batch->merges, 0, mark);
    for (size_t i = 0; i < s->nparts; i++)
        if (sdb_batch_check_mark(&s->parts[i], mark, NULL) != 0)
            batch->lost = true;
    hide_after(batch, mark);
    bool spilled = false;
    for (size_t i = 0; i < s->nparts; i++) {
        spilled = spilled || s->parts[i].since > mark;
        (void)!prune(batch, &s->parts[i], NULL); /* the next spill tries again */
    }
    if (spilled) /* the space is given back at once */
        sdb_empty_graveyard(batch->db);
}

int sdb_batch_check(const seerdb_batch *b, seerdb_err *err)
{
    return b->lost ? sdb_fail(err, SEERDB_MISUSE,
                              "the batch was rolled back to a mark that had been "
                              "released; only all of it can be rolled back now")
                   : 0;
}

bool sdb_batch_has_tables(const seerdb_batch *b, const struct sdb_batch_part *part)
{
    for (size_t i = 0; part->runs != NULL && i < part->runs->nmembers; i++)
        if (!is_rolled_back(b, part->runs->members[i]))
            return true;
    return false;
}

/* The hidden ranges swallow whole spans of ordinals: a part is empty when none of its
 * keys has a version left. */
bool sdb_batch_part_is_empty(const seerdb_batch *b, const struct sdb_batch_part *part)
{
    struct sdb_iter *it = NULL;
    if (part->forgotten)
        return true;
    if (sdb_batch_has_tables(b, part) || (b->merges.n > 0 && b->merged == part->tree))
        return false;
    if (sdb_memtable_sees_range(part->memtable, UINT64_MAX, &b->scratch->hidden))
        return false;
    if (b->scratch->hidden.n == 0)
        return sdb_memtable_records(part->memtable) == 0;
    if (sdb_memtable_iter(part->memtable, UINT64_MAX, &b->scratch->hidden, 0, &it,
                          NULL) != 0)
        return false; /* no memory: say the safe thing */
    bool empty = it->ops->first(it, NULL) == SEERDB_NOTFOUND;
    sdb_iter_close(it);
    return empty;
}

void seerdb_batch_forget(seerdb_batch *batch, const seerdb_tree *tree)
{
    assert(batch->phase == SDB_BATCH_OPEN);
    struct sdb_batch_part *part = sdb_batch_part(batch, tree);
    if (part != NULL)
        part->forgotten = true;
}

bool seerdb_batch_is_empty(const seerdb_batch *batch, const seerdb_tree *tree)
{
    if (batch->scratch == NULL)
        return true;
    for (size_t i = 0; i < batch->scratch->nparts; i++) {
        const struct sdb_batch_part *part = &batch->scratch->parts[i];
        if ((tree == NULL || part->tree == tree) &&
            !sdb_batch_part_is_empty(batch, part))
            return false;
    }
    return true;
}
