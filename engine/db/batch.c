/* SPDX-License-Identifier: Apache-2.0 */
#include "db/batch.h"

#include "db/payload.h"

#include <assert.h>

static void scratch_free(seerdb_pin *pin)
{
    struct sdb_scratch *s = (struct sdb_scratch *)pin;
    for (size_t i = 0; i < s->nparts; i++) {
        sdb_memtable_unref(s->parts[i].memtable);
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
    seerdb_batch *b = sdb_mem_zalloc(sizeof *b);
    if (b == NULL)
        return sdb_fail_nomem(err, sizeof *b);
    b->db = db;
    *out = b;
    return 0;
}

void sdb_batch_reset(seerdb_batch *b)
{
    if (b->scratch != NULL)
        seerdb_pin_unref(&b->scratch->pin);
    b->scratch = NULL;
    b->ordinal = 0;
    b->phase = SDB_BATCH_OPEN;
    b->number = 0;
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

/* Find or make the tree's part, and keep room for one more hidden range, so that
 * rolling back needs no memory. */
static int ensure_part(seerdb_batch *b, seerdb_tree *t, struct sdb_batch_part **out,
                       seerdb_err *err)
{
    int rc = ensure_scratch(b, err);
    if (rc != 0)
        return rc;
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
    if ((*out = sdb_batch_part(b, t)) != NULL)
        return 0;
    struct sdb_batch_part *parts =
        sdb_array_grow(s->parts, s->nparts + 1, sizeof *parts);
    if (parts == NULL)
        return sdb_fail_nomem(err, sizeof *parts);
    s->parts = parts;
    struct sdb_memtable *m;
    if ((rc = sdb_memtable_new(&m, err)) != 0)
        return rc;
    sdb_lock_db(&b->db->lock);
    sdb_tree_ref(t);
    sdb_unlock_db(&b->db->lock);
    s->parts[s->nparts] = (struct sdb_batch_part){.tree = t, .memtable = m};
    *out = &s->parts[s->nparts++];
    return 0;
}

static int batch_write(seerdb_batch *b, seerdb_tree *t, struct sdb_record *r,
                       seerdb_err *err)
{
    struct sdb_batch_part *part;
    int rc = sdb_check_process(b->db, err);
    if (rc != 0)
        return rc;
    if (b->phase != SDB_BATCH_OPEN)
        return sdb_fail(err, SEERDB_MISUSE, "a prepared batch takes no writes");
    if (t->db != b->db)
        return sdb_fail(err, SEERDB_MISUSE, "the tree belongs to another store, %s",
                        t->db->dir);
    if (r->key.size > SEERDB_KEY_MAX)
        return sdb_fail(err, SEERDB_TOOBIG, "a key of %zu bytes is longer than %zu",
                        r->key.size, SEERDB_KEY_MAX);
    if (r->value.size > SEERDB_VALUE_MAX)
        return sdb_fail(err, SEERDB_TOOBIG, "a value of %zu bytes is longer than %zu",
                        r->value.size, SEERDB_VALUE_MAX);
    if ((rc = ensure_part(b, t, &part, err)) != 0)
        return rc;
    if (part->forgotten)
        return sdb_fail(err, SEERDB_MISUSE, "the creation of the tree %s was undone",
                        (const char *)t->desc.name.data);
    r->number = b->ordinal + 1;
    if ((rc = sdb_memtable_insert(part->memtable, r, err)) == 0)
        b->ordinal++;
    return rc;
}

int seerdb_batch_put(seerdb_batch *batch, seerdb_tree *tree, seerdb_slice key,
                     seerdb_slice value, seerdb_err *err)
{
    struct sdb_record r = {.key = key, .kind = SDB_KIND_VALUE, .value = value};
    return batch_write(batch, tree, &r, err);
}

int seerdb_batch_delete(seerdb_batch *batch, seerdb_tree *tree, seerdb_slice key,
                        seerdb_err *err)
{
    struct sdb_record r = {.key = key, .kind = SDB_KIND_TOMBSTONE};
    return batch_write(batch, tree, &r, err);
}

uint64_t seerdb_batch_mark(const seerdb_batch *batch)
{
    return batch->ordinal;
}

void seerdb_batch_rollback_to(seerdb_batch *batch, uint64_t mark)
{
    assert(batch->phase == SDB_BATCH_OPEN);
    struct sdb_scratch *s = batch->scratch;
    if (s == NULL || mark >= batch->ordinal)
        return;
    /* Ranges that begin behind the mark are swallowed; one that ends at the new one's
     * start grows.  Every put has left room for one more. */
    uint64_t from = mark + 1;
    while (s->hidden.n > 0 && s->ranges[s->hidden.n - 1].from >= from)
        s->hidden.n--;
    if (s->hidden.n > 0 && s->ranges[s->hidden.n - 1].to >= from) {
        s->ranges[s->hidden.n - 1].to = batch->ordinal + 1;
        return;
    }
    assert(s->hidden.n < s->ranges_capacity);
    s->ranges[s->hidden.n++] = (struct sdb_hidden_range){from, batch->ordinal + 1};
}

/* The hidden ranges swallow whole spans of ordinals: a part is empty when none of its
 * keys has a version left. */
static bool part_is_empty(const seerdb_batch *b, const struct sdb_batch_part *part)
{
    struct sdb_iter *it = NULL;
    if (part->forgotten)
        return true;
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
        if ((tree == NULL || part->tree == tree) && !part_is_empty(batch, part))
            return false;
    }
    return true;
}

/* Room for a slot per part. */
static int reserve_slots(seerdb_batch *b, seerdb_err *err)
{
    size_t n = b->scratch->nparts;
    if (n <= b->slots_capacity)
        return 0;
    struct sdb_batch_slot *slots = sdb_array_grow(b->slots, n, sizeof *slots);
    if (slots == NULL)
        return sdb_fail_nomem(err, n * sizeof *slots);
    b->slots = slots;
    b->slots_capacity = n;
    return 0;
}

static int encode_part(seerdb_batch *b, const struct sdb_batch_part *part,
                       seerdb_err *err)
{
    struct sdb_iter *it = NULL;
    int rc =
        sdb_memtable_iter(part->memtable, UINT64_MAX, &b->scratch->hidden, 0, &it, err);
    if (rc != 0)
        return rc;
    b->slots[b->nslots++] = (struct sdb_batch_slot){
        part->tree, sdb_payload_part(&b->payload, part->tree->desc.id)};
    for (rc = it->ops->first(it, err); rc == 0; rc = it->ops->next(it, err)) {
        sdb_payload_record(&b->payload, &it->at);
        b->nrecords++;
        if (b->payload.size > SEERDB_COMMIT_MAX) {
            rc = sdb_fail(err, SEERDB_TOOBIG,
                          "a transaction of more than %" PRIu64
                          " bytes does not fit in the "
                          "log; commit in smaller pieces",
                          SEERDB_COMMIT_MAX);
            break;
        }
    }
    sdb_iter_close(it);
    sdb_payload_end_part(&b->payload);
    return rc == SEERDB_NOTFOUND ? sdb_buf_check(&b->payload, err) : rc;
}

int sdb_batch_encode(seerdb_batch *b, seerdb_err *err)
{
    size_t live = 0;
    int rc;
    b->nslots = 0;
    b->nrecords = 0;
    if (b->scratch == NULL)
        return 0;
    /* A part whose writes were all rolled back is left out. */
    for (size_t i = 0; i < b->scratch->nparts; i++)
        live += part_is_empty(b, &b->scratch->parts[i]) ? 0 : 1;
    if (live == 0)
        return 0;
    if ((rc = reserve_slots(b, err)) != 0)
        return rc;
    sdb_buf_clear(&b->payload);
    sdb_payload_begin(&b->payload, live);
    for (size_t i = 0; i < b->scratch->nparts && rc == 0; i++)
        if (!part_is_empty(b, &b->scratch->parts[i]))
            rc = encode_part(b, &b->scratch->parts[i], err);
    if (rc == 0 && b->nslots != live) /* for want of memory part_is_empty guessed */
        rc = sdb_fail_nomem(err, 0);
    return rc;
}
