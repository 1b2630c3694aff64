/* SPDX-License-Identifier: Apache-2.0 */
#include "db/state.h"

#include "base/interrupt.h"
#include "os/clock.h"
#include "os/failpoint.h"
#include "tree/picker.h"

#include <assert.h>
#include <stdio.h>

/* How many numbers one durable reservation covers: a reopen skips at most these. */
#define NUMBERS_RESERVED 65536u
#define FILES_RESERVED   256u
#define FILES_WANTED     16u
/* Of what may be tuned. */
#define COMPRESSION_MOST 19u
#define FILTER_BITS_MOST 20u

static bool has_ranges(const struct sdb_read_state *s)
{
    for (size_t i = 1; i < s->nmemtables; i++)
        if (sdb_memtable_has_ranges(s->memtables[i]))
            return true;
    for (size_t i = 0; s->pendings != NULL && i < s->pendings->n; i++)
        if (s->pendings->all[i]->runs != NULL && s->pendings->all[i]->runs->ranges > 0)
            return true;
    return s->version->ranges > 0;
}

int sdb_read_state_new(struct sdb_memtable *const *memtables, size_t n,
                       struct sdb_version *version, const struct sdb_hidden *hidden,
                       struct sdb_read_state **out, seerdb_err *err)
{
    size_t size = sizeof(struct sdb_read_state) + n * sizeof memtables[0];
    struct sdb_read_state *s = sdb_mem_zalloc(size);
    struct sdb_hidden_range *ranges = NULL;
    if (s == NULL)
        return sdb_fail_nomem(err, size);
    if (hidden != NULL && hidden->n > 0) {
        if ((ranges = sdb_array_new(hidden->n, sizeof *ranges)) == NULL) {
            sdb_mem_free(s);
            return sdb_fail_nomem(err, hidden->n * sizeof *ranges);
        }
        memcpy(ranges, hidden->ranges, hidden->n * sizeof *ranges);
        s->hidden = (struct sdb_hidden){ranges, hidden->n};
    }
    atomic_init(&s->count, 1);
    s->version = sdb_version_ref(version);
    s->nmemtables = n;
    for (size_t i = 0; i < n; i++) {
        seerdb_pin_ref(sdb_memtable_pin(memtables[i]));
        s->memtables[i] = memtables[i];
    }
    s->ranges = has_ranges(s);
    *out = s;
    return 0;
}

struct sdb_read_state *sdb_read_state_ref(struct sdb_read_state *s)
{
    atomic_fetch_add_explicit(&s->count, 1, memory_order_relaxed);
    return s;
}

void sdb_read_state_unref(struct sdb_read_state *s)
{
    /* acq_rel: whoever frees sees what every other holder did. */
    if (s == NULL || atomic_fetch_sub_explicit(&s->count, 1, memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; i < s->nmemtables; i++)
        sdb_memtable_unref(s->memtables[i]);
    sdb_version_unref(s->version);
    sdb_pendings_unref(s->pendings);
    sdb_mem_free((void *)(uintptr_t)s->hidden.ranges); /* const for everybody else */
    sdb_mem_free(s);
}

int sdb_fail_forked(const seerdb *db, seerdb_err *err)
{
    return sdb_fail(err, SEERDB_FORKED,
                    "%s: this process was forked after the store was opened; open the "
                    "database again in the child",
                    db->dir);
}

int sdb_check_lost(const seerdb *db, seerdb_err *err)
{
    if (!atomic_load_explicit(&db->lost, memory_order_relaxed))
        return 0;
    return sdb_fail(err, SEERDB_CANTOPEN,
                    "%s was open for reading when another process wrote to it: close "
                    "it and open it again",
                    db->dir);
}

int sdb_check_writable(seerdb *db, seerdb_err *err)
{
    if (atomic_load_explicit(&db->read_only, memory_order_acquire))
        return sdb_fail(err, SEERDB_READONLY, "%s is open for reading only", db->dir);
    if (!atomic_load_explicit(&db->broken, memory_order_acquire))
        return 0;
    sdb_lock_db(&db->lock);
    seerdb_err why = db->bg_err;
    sdb_unlock_db(&db->lock);
    if (why.code == 0) /* it was resumed in between */
        return 0;
    return sdb_fail(err, why.code,
                    "%s: writes are refused since an earlier failure: %s", db->dir,
                    why.msg);
}

int sdb_break(seerdb *db, const seerdb_err *why)
{
    sdb_lock_db(&db->lock);
    if (db->bg_err.code == 0)
        db->bg_err = *why;
    atomic_store_explicit(&db->broken, true, memory_order_release);
    sdb_cond_broadcast(&db->progress);
    sdb_unlock_db(&db->lock);
    return why->code;
}

int sdb_break_for_good(seerdb *db, const seerdb_err *why)
{
    sdb_lock_db(&db->lock);
    db->beyond_resume = true;
    sdb_unlock_db(&db->lock);
    return sdb_break(db, why);
}

void sdb_note_unsettled(seerdb *db, uint64_t number, bool abort)
{
    if (db->nunsettled == SDB_UNSETTLED) {
        sdb_lock_db(&db->lock);
        db->beyond_resume = true;
        sdb_unlock_db(&db->lock);
        return;
    }
    db->unsettled[db->nunsettled].number = number;
    db->unsettled[db->nunsettled++].abort = abort;
}

int sdb_wait_progress(seerdb *db, seerdb_err *err)
{
    if (!sdb_interruptible()) {
        sdb_cond_wait(&db->progress, &db->lock);
        return 0;
    }
    (void)sdb_cond_wait_ms(&db->progress, &db->lock, SDB_INTERRUPT_WAIT_MS);
    sdb_unlock_db(&db->lock); /* it may take its time to answer */
    int rc = sdb_interrupted(err);
    sdb_lock_db(&db->lock);
    return rc;
}

int sdb_install(seerdb *db, const struct sdb_edit *e, seerdb_err *err)
{
    seerdb_err why = {0};
    int rc = sdb_manifest_append(db->manifest, e, &db->next_file, &why);
    if (rc == 0)
        return 0;
    if (sdb_manifest_has_failed(db->manifest)) /* else nothing has changed */
        (void)sdb_break_for_good(db, &why);
    return sdb_fail_as(err, &why);
}

int sdb_reserve(seerdb *db, seerdb_err *err)
{
    uint64_t file = atomic_load_explicit(&db->next_file, memory_order_relaxed);
    if (db->next_number < db->number_limit && file + FILES_WANTED <= db->file_limit)
        return 0;
    if (db->next_number >= SDB_NUMBER_MAX - NUMBERS_RESERVED)
        return sdb_fail(err, SEERDB_READONLY, "%s: all commit numbers are used",
                        db->dir);
    uint64_t number_limit = db->next_number + NUMBERS_RESERVED;
    uint64_t file_limit = file + FILES_RESERVED;
    struct sdb_edit e = {0};
    sdb_edit_ceilings(&e, number_limit, file_limit);
    sdb_lock_install(&db->install_lock);
    int rc = SDB_FAIL_AT(reserve, err);
    if (rc == 0)
        rc = sdb_install(db, &e, err);
    sdb_unlock_install(&db->install_lock);
    sdb_edit_fini(&e);
    if (rc == 0) {
        db->number_limit = number_limit;
        db->file_limit = file_limit;
    }
    return rc;
}

/* The time between two points. */
static uint64_t point_every(const seerdb *db)
{
    return db->history_us / (SDB_HISTORY_POINTS / 2);
}

void sdb_history_note(seerdb *db)
{
    struct sdb_history *h = &db->history;
    uint64_t now = sdb_clock_mono_us(), every = point_every(db);
    if (h->n > 0 &&
        now - h->points[(h->first + h->n - 1) % SDB_HISTORY_POINTS].mono_us < every)
        return;
    if (h->n == SDB_HISTORY_POINTS) {
        h->first = (h->first + 1) % SDB_HISTORY_POINTS;
        h->n--;
    }
    h->points[(h->first + h->n++) % SDB_HISTORY_POINTS] =
        (struct sdb_history_point){now, db->next_number};
}

/* The points before the horizon say which numbers are old for sure.  What was given out
 * after the last point came soon after it, or there would be another. */
uint64_t sdb_history_from(seerdb *db)
{
    const struct sdb_history *h = &db->history;
    uint64_t now = sdb_clock_mono_us(), from = 1;
    for (unsigned i = 0; i < h->n; i++) {
        const struct sdb_history_point *p =
            &h->points[(h->first + i) % SDB_HISTORY_POINTS];
        if (now - p->mono_us >= db->history_us)
            from = p->number;
        if (i + 1 == h->n && now - p->mono_us >= db->history_us + point_every(db))
            from = db->next_number;
    }
    return from;
}

uint64_t sdb_tree_newest(const seerdb_tree *t)
{
    uint64_t newest = atomic_load_explicit(&t->last_commit, memory_order_relaxed);
    size_t n = t->chain.n;
    return n > 0 && t->chain.links[n - 1].number > newest ? t->chain.links[n - 1].number
                                                          : newest;
}

struct sdb_read_state *sdb_tree_set_state(seerdb_tree *t, struct sdb_read_state *s)
{
    struct sdb_read_state *old = t->state;
    sdb_pendings_unref(s->pendings);
    s->pendings = sdb_pendings_ref(t->pendings);
    s->ranges = has_ranges(s);
    t->state = s;
    return old;
}

int sdb_tree_change_pendings(seerdb_tree *t, const struct sdb_pending *gone,
                             struct sdb_pending *added, seerdb_err *err)
{
    struct sdb_pendings *list = NULL, *old = NULL;
    struct sdb_read_state *state = NULL;
    sdb_lock_db(&t->db->lock);
    const struct sdb_read_state *s = t->state;
    int rc = sdb_pendings_change(t->pendings, gone, added, &list, err);
    if (rc == 0)
        rc = sdb_read_state_new(s->memtables, s->nmemtables, s->version, &s->hidden,
                                &state, err);
    if (rc == 0) {
        old = t->pendings;
        t->pendings = list;
        list = NULL;
        state = sdb_tree_set_state(t, state);
    }
    sdb_unlock_db(&t->db->lock);
    sdb_read_state_unref(state);
    sdb_pendings_unref(old);
    sdb_pendings_unref(list);
    return rc;
}

void sdb_share_memory(seerdb *db)
{
    size_t share = db->memory_limit / 16, indexes = 0;
    size_t total = atomic_load_explicit(&db->batch_bytes, memory_order_relaxed);
    sdb_lock_db(&db->lock);
    total += db->frozen_bytes;
    for (seerdb_tree *t = db->trees; t != NULL; t = t->next) {
        indexes += t->state->version->memory + t->map_memory;
        for (size_t i = 0; t->pendings != NULL && i < t->pendings->n; i++)
            if (t->pendings->all[i]->runs != NULL)
                indexes += t->pendings->all[i]->runs->memory;
        total += t->dropped ? 0 : sdb_memtable_bytes(t->active);
    }
    sdb_unlock_db(&db->lock);
    if (db->pages != NULL) {
        sdb_pages_set_limit(db->pages, db->memory_limit > indexes + 2 * share
                                           ? db->memory_limit - indexes - share
                                           : share);
        sdb_table_make_room(db->cache, db->pages);
    }
    total += indexes;
    sdb_cache_resize(db->cache, db->memory_limit > total + 2 * share
                                    ? db->memory_limit - total - share
                                    : share);
}

int sdb_new_memtable(seerdb *db, struct sdb_memtable **out, seerdb_err *err)
{
    int rc = sdb_memtable_new(out, err);
    if (rc == 0)
        sdb_memtable_use_pages(*out, db->pages);
    return rc;
}

/* Not shared yet: nobody can hold a lock that matters. */
int sdb_tree_new(seerdb *db, const struct sdb_tree_desc *desc,
                 struct sdb_version *version, seerdb_tree **out, seerdb_err *err) NO_TSA
{
    int rc = 0;
    seerdb_tree *t = sdb_mem_zalloc(sizeof *t);
    if (t == NULL)
        return sdb_fail_nomem(err, sizeof *t);
    t->db = db;
    t->desc = *desc;
    t->desc.tables = NULL;
    t->desc.ntables = 0;
    t->desc.snapshots = NULL;
    t->snapshots = sdb_snapshots_ref(desc->snapshots);
    t->desc.name = t->desc.app = t->desc.merge = (struct sdb_buf){0};
    sdb_buf_append_slice(&t->desc.name, sdb_buf_slice(&desc->name));
    sdb_put_u8(&t->desc.name, 0); /* a C string for whoever asks */
    sdb_buf_append_slice(&t->desc.app, sdb_buf_slice(&desc->app));
    if (desc->merge.size > 0) {
        sdb_buf_append_slice(&t->desc.merge, sdb_buf_slice(&desc->merge));
        sdb_put_u8(&t->desc.merge, 0); /* a C string, too */
    }
    if ((rc = sdb_buf_check(&t->desc.name, err)) != 0 ||
        (rc = sdb_buf_check(&t->desc.app, err)) != 0 ||
        (rc = sdb_buf_check(&t->desc.merge, err)) != 0 ||
        (rc = sdb_new_memtable(db, &t->active, err)) != 0 ||
        (rc = sdb_read_state_new(&t->active, 1, version, NULL, &t->state, err)) != 0)
        goto out;
    t->drop_intended = desc->drop_intended;
    atomic_init(&t->tuned.compression, desc->compression);
    atomic_init(&t->tuned.filter_bits, desc->filter_bits);
    atomic_init(&t->tuned.index, desc->index);
    atomic_init(&t->tuned.compaction, desc->compaction);
    atomic_init(&t->tuned.value_log, desc->value_log);
    atomic_init(&t->separates, (desc->features & SDB_TREE_SEGMENTS) != 0);
    sdb_mutex_init(&t->values_lock);
    atomic_init(&t->last_commit, desc->flushed);
    atomic_init(&t->flushed, desc->flushed);
    atomic_init(&t->fold_floor, desc->fold_floor);
    t->marked = (desc->features & SDB_TREE_MARKED) != 0;
    t->adopted = desc->last_commit;
    *out = t;
    t = NULL;
out:
    sdb_tree_free(t);
    return rc;
}

int sdb_tree_check_merge(const seerdb_tree *t, seerdb_err *err)
{
    const char *table = (const char *)t->desc.name.data, *dir = t->db->dir;
    if (sdb_tree_merge(t) != NULL)
        return 0;
    if (t->desc.merge.size == 0)
        return sdb_fail(err, SEERDB_MISUSE, "%s: the table %s takes no merges", dir,
                        table);
    return sdb_fail(
        err, SEERDB_MISUSE,
        "%s: the table %s merges with %.200s, which was not given since the "
        "store was opened",
        dir, table, (const char *)t->desc.merge.data);
}

void sdb_tree_drop_merge(seerdb_tree *t)
{
    sdb_mem_free((void *)(uintptr_t)sdb_tree_merge(t)); /* const for everybody else */
    atomic_store_explicit(&t->merge, NULL, memory_order_relaxed);
}

int sdb_tree_set_merge(seerdb_tree *t, const seerdb_merge_operator *op, seerdb_err *err)
{
    const char *name = (const char *)t->desc.merge.data;
    if (op->full == NULL || op->name == NULL)
        return sdb_fail(err, SEERDB_MISUSE, "a merge operator without %s",
                        op->name == NULL ? "a name" : "a function");
    if (name == NULL || strcmp(name, op->name) != 0)
        return sdb_fail(err, SEERDB_MISMATCH,
                        "%s: the table %s merges with %.200s, not with %.200s",
                        t->db->dir, (const char *)t->desc.name.data,
                        name != NULL ? name : "nothing", op->name);
    seerdb_merge_operator *own = sdb_mem_alloc(sizeof *own);
    if (own == NULL)
        return sdb_fail_nomem(err, sizeof *own);
    *own = *op;
    own->name = name;
    sdb_lock_db(&t->db->lock);
    bool first = sdb_tree_merge(t) == NULL;
    if (first)
        atomic_store_explicit(&t->merge, own, memory_order_release);
    sdb_unlock_db(&t->db->lock);
    if (first)
        return 0;
    sdb_mem_free(own);
    if (op->release != NULL)
        op->release(op->ctx);
    return 0;
}

/* Dayan et al., Monkey (SIGMOD 2017): a bit is worth more where there are few keys. A
 * lookup asks every upper table, and together they hold a small part of the keys: four
 * more bits let a sixth as many pass, for a few hundredths of a byte per key. */
static unsigned filter_bits_at(unsigned bits, uint32_t level)
{
    return bits == 0 || level > 1 ? bits : bits + 4;
}

void seerdb_tree_tune(seerdb_tree *tree, const seerdb_tree_options *options)
{
    struct {
        _Atomic uint32_t *field;
        uint32_t value, most;
    } all[] = {
        {&tree->tuned.compression, (uint32_t)options->compression, COMPRESSION_MOST},
        {&tree->tuned.filter_bits, options->filter_bits, FILTER_BITS_MOST},
        {&tree->tuned.index, (uint32_t)options->index, SEERDB_INDEX_BINARY},
        {&tree->tuned.compaction, (uint32_t)options->compaction, SEERDB_ADAPTIVE}};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        if (all[i].value <= all[i].most)
            atomic_store_explicit(all[i].field, all[i].value, memory_order_relaxed);
    if (sdb_tree_separates(tree))
        atomic_store_explicit(&tree->tuned.value_log, options->value_log,
                              memory_order_release); /* as seerdb_tree_separate */
}

static uint64_t row_expiry(const void *ctx, const struct sdb_record *r)
{
    return sdb_sieve_expiry(ctx, r);
}

struct sdb_table_writer_options sdb_tree_table_options(const seerdb_tree *t,
                                                       uint32_t level)
{
    uint32_t bits = atomic_load_explicit(&t->tuned.filter_bits, memory_order_relaxed);
    uint32_t index = atomic_load_explicit(&t->tuned.index, memory_order_relaxed);
    int packed = (int)atomic_load_explicit(&t->tuned.compression, memory_order_relaxed);
    const struct sdb_sieve *sieve = sdb_tree_job_sieve(t);
    return (struct sdb_table_writer_options){
        /* packing costs more than the rest of a compaction: where it is done once */
        .compression = level >= SDB_BOTTOM ? packed : 0,
        .filter_bits = filter_bits_at(bits, level),
        .index = (enum seerdb_index)index,
        .expiry = sieve != NULL && sieve->filter.expiry != NULL ? row_expiry : NULL,
        .expiry_ctx = sieve,
        .expiry_lasts = sieve != NULL && sieve->filter.lasting,
    };
}

int sdb_table_desc_fill(struct sdb_table_desc *desc, const struct sdb_table_summary *s,
                        seerdb_err *err)
{
    desc->id = s->id;
    desc->size = s->file_size;
    desc->records = s->records;
    desc->tombstones = s->tombstones;
    desc->ranges = s->ranges;
    desc->open_end = s->open_end;
    desc->first_expiry = s->first_expiry;
    desc->expiry_due = s->expiry_due;
    desc->last_expiry = s->last_expiry;
    desc->key_bytes = s->key_bytes;
    desc->value_bytes = s->value_bytes;
    desc->min_number = s->min_number;
    desc->max_number = s->max_number;
    sdb_mem_free(desc->vlogs);
    desc->nvlogs = 0;
    desc->vlogs = s->nvlogs == 0 ? NULL : sdb_array_new(s->nvlogs, sizeof *desc->vlogs);
    if (desc->vlogs == NULL && s->nvlogs > 0)
        return sdb_fail_nomem(err, s->nvlogs * sizeof *desc->vlogs);
    for (; desc->nvlogs < s->nvlogs; desc->nvlogs++)
        desc->vlogs[desc->nvlogs] = s->vlogs[desc->nvlogs];
    sdb_buf_append_slice(&desc->smallest, s->smallest);
    sdb_buf_append_slice(&desc->largest, s->largest);
    int rc = sdb_buf_check(&desc->smallest, err);
    return rc != 0 ? rc : sdb_buf_check(&desc->largest, err);
}

void sdb_tree_free(seerdb_tree *t) NO_TSA
{
    if (t == NULL)
        return;
    /* Pending tables stay: the log tells the next open what becomes of them. */
    for (size_t i = 0; t->pendings != NULL && i < t->pendings->n; i++) {
        const struct sdb_version *runs = t->pendings->all[i]->runs;
        for (size_t k = 0; runs != NULL && k < runs->nmembers; k++)
            runs->members[k]->dead = NULL;
    }
    sdb_pendings_unref(t->pendings);
    sdb_snapshots_unref(t->snapshots);
    sdb_read_state_unref(t->state);
    sdb_memtable_unref(t->active);
    sdb_vlog_unref(t->writing);
    seerdb_pin_unref(t->writing_pin);
    sdb_mutex_fini(&t->values_lock);
    sdb_chain_fini(&t->chain);
    sdb_mem_free(t->damage);
    const seerdb_merge_operator *op = sdb_tree_merge(t);
    if (op != NULL && op->release != NULL)
        op->release(op->ctx);
    sdb_tree_drop_merge(t);
    sdb_sieve_free(atomic_load_explicit(&t->sieve, memory_order_relaxed));
    sdb_tree_desc_fini(&t->desc);
    sdb_meter_fini(&t->meter);
    sdb_mem_free(t);
}

uint64_t sdb_now_us(seerdb *db)
{
    uint64_t now = db->clock != NULL ? db->clock(db->clock_ctx) : sdb_clock_unix_us();
    uint64_t latest = atomic_load_explicit(&db->latest_us, memory_order_relaxed);
    while (latest < now)
        if (atomic_compare_exchange_weak_explicit(&db->latest_us, &latest, now,
                                                  memory_order_relaxed,
                                                  memory_order_relaxed))
            return now;
    return latest;
}

void sdb_tree_append(seerdb *db, seerdb_tree *t)
{
    seerdb_tree **last = &db->trees;
    while (*last != NULL)
        last = &(*last)->next;
    *last = t;
}

seerdb_tree *sdb_tree_by_id(seerdb *db, uint64_t id)
{
    for (seerdb_tree *t = db->trees; t != NULL; t = t->next)
        if (t->desc.id == id && !t->dropped)
            return t;
    return NULL;
}

void sdb_tree_ref(seerdb_tree *t)
{
    t->handles++;
}

void sdb_tree_unref(seerdb_tree *t)
{
    if (t == NULL || sdb_check_process(t->db, NULL) != 0)
        return;
    sdb_lock_db(&t->db->lock);
    assert(t->handles > 0);
    t->handles--;
    sdb_unlock_db(&t->db->lock);
}

void sdb_tree_unref_reader(seerdb_tree *t, struct sdb_tally *tally)
{
    if (sdb_check_process(t->db, NULL) != 0)
        return;
    sdb_lock_db(&t->db->lock);
    assert(t->handles > 0);
    t->handles--;
    sdb_tallies_leave(&t->tallies, tally);
    sdb_unlock_db(&t->db->lock);
}

static void push_dead(_Atomic(struct sdb_member *) *to, struct sdb_member *member)
{
    struct sdb_member *head = atomic_load_explicit(to, memory_order_relaxed);
    do {
        member->next_dead = head;
        /* release: pairs with the acquire of whoever empties the list */
    } while (!atomic_compare_exchange_weak_explicit(
        to, &head, member, memory_order_release, memory_order_relaxed));
}

void sdb_bury(void *ctx, struct sdb_member *member)
{
    seerdb *db = ctx;
    push_dead(&db->graveyard, member);
}

void sdb_free_undead(seerdb *db)
{
    struct sdb_member *m =
        atomic_exchange_explicit(&db->undead, NULL, memory_order_acquire);
    while (m != NULL) {
        struct sdb_member *next = m->next_dead;
        sdb_member_free(m);
        m = next;
    }
}

/* Take a pending table out of the manifest; its tree may have been dropped. */
static void forget(const struct sdb_catalog *c, uint64_t file, struct sdb_edit *e)
{
    for (size_t i = 0; i < c->ntrees; i++)
        for (size_t k = 0; k < c->trees[i].ntables; k++)
            if (c->trees[i].tables[k].file == file && c->trees[i].tables[k].pending)
                sdb_edit_table_remove(e, c->trees[i].id, file);
}

/* Make the manifest forget what of the dead is pending.  False: the files must stay. */
static bool forget_pending(seerdb *db, const struct sdb_member *dead)
    EXCLUDES(LK_INSTALL, LK_DB)
{
    struct sdb_edit e = {0};
    int rc = 0;
    if (atomic_load_explicit(&db->broken, memory_order_acquire))
        return false;
    sdb_lock_install(&db->install_lock);
    for (const struct sdb_member *m = dead; m != NULL; m = m->next_dead)
        if (m->pending)
            forget(sdb_manifest_catalog(db->manifest), m->desc.file, &e);
    if ((e.bytes.size > 0 || e.bytes.failed) &&
        (rc = SDB_FAIL_AT(forget_pending, NULL)) == 0)
        rc = sdb_install(db, &e, NULL);
    sdb_unlock_install(&db->install_lock);
    sdb_edit_fini(&e);
    return rc == 0;
}

/* Remove the files of the value log that nobody holds.  The log may still have a commit
 * that names one and was taken back: a power cut must not leave it without that. */
static void empty_values(seerdb *db, bool keep)
{
    if (db->values == NULL || !sdb_values_any_dead(db->values))
        return;
    /* Only those that are dead before the sync: of others the log may say less. */
    struct sdb_value_file *dead = sdb_values_dead(db->values);
    bool remove = !keep && db->wal != NULL &&
                  !atomic_load_explicit(&db->broken, memory_order_acquire) &&
                  sdb_wal_sync(db->wal, sdb_wal_end(db->wal), NULL) == 0;
    sdb_values_bury(db->values, dead, remove);
}

void sdb_empty_graveyard(seerdb *db)
{
    if (sdb_check_process(db, NULL) != 0)
        return; /* the files are the parent's */
    struct sdb_member *member =
        atomic_exchange_explicit(&db->graveyard, NULL, memory_order_acquire);
    /* Of a store that is not (yet) open for writing nothing is dead: an open that
     * failed has let go of it. */
    bool keep = atomic_load_explicit(&db->read_only, memory_order_acquire);
    bool forgotten = false;
    for (const struct sdb_member *m = keep ? NULL : member; m != NULL && !forgotten;
         m = m->next_dead)
        if (m->pending && !(forgotten = forget_pending(db, member)))
            break;
    while (member != NULL) {
        struct sdb_member *next = member->next_dead;
        uint64_t number = member->desc.file;
        bool gone = !keep && (!member->pending || forgotten);
        if (gone)
            sdb_table_forget(member->table);
        /* Whoever opens a table that is still listed wants its values, too. */
        if (!keep && !gone)
            push_dead(&db->undead, member);
        else
            sdb_member_free(member);
        char *path = gone ? sdb_table_path(db, number) : NULL;
        if (path != NULL && SDB_FAIL_AT(remove_table, NULL) == 0)
            (void)sdb_fs_remove(db->fs, path, NULL);
        sdb_mem_free(path);
        member = next;
    }
    empty_values(db, keep);
}

void sdb_wake_for_graveyard(seerdb *db)
{
    if (sdb_check_process(db, NULL) != 0)
        return;
    sdb_lock_db(&db->lock);
    sdb_cond_signal(&db->debt);
    sdb_unlock_db(&db->lock);
}

void sdb_tree_map_tables(seerdb_tree *t)
{
    size_t memory = 0;
    sdb_lock_db(&t->db->lock);
    struct sdb_read_state *s =
        t->mapped && !t->dropped ? sdb_read_state_ref(t->state) : NULL;
    sdb_unlock_db(&t->db->lock);
    if (s == NULL)
        return;
    for (size_t i = 0; i < s->version->nmembers; i++)
        if (sdb_table_use_map(s->version->members[i]->table))
            memory += sdb_table_map_memory(s->version->members[i]->table);
    sdb_lock_db(&t->db->lock);
    if (t->state->version == s->version) /* else whoever made the new one comes too */
        t->map_memory = memory;
    sdb_unlock_db(&t->db->lock);
    sdb_read_state_unref(s);
    sdb_empty_graveyard(t->db); /* it may have been the last to hold some */
}

int sdb_open_member(seerdb *db, const struct sdb_table_desc *desc,
                    void (*dead)(void *, struct sdb_member *), struct sdb_member **out,
                    seerdb_err *err)
{
    struct sdb_file *file = NULL;
    struct sdb_table *table = NULL;
    char *path = sdb_table_path(db, desc->file);
    if (path == NULL)
        return sdb_fail_nomem(err, 0);
    int rc = desc->backend == 0
                 ? sdb_fs_stat(db->fs, path, NULL, NULL, err)
                 : sdb_fail(err, SEERDB_NEWER, "%s lies on the unknown backend %u",
                            path, desc->backend);
    if (rc == SEERDB_NOTFOUND)
        rc = sdb_fail(err, SEERDB_CORRUPT, "the manifest lists %s, which is missing",
                      path);
    if (rc == 0)
        rc = sdb_fs_open(db->fs, path, SDB_READ, SDB_FOR_READ, &file, err);
    sdb_mem_free(path);
    if (rc != 0 || (rc = sdb_table_open(file, &desc->id, desc->size, &table, err)) != 0)
        return rc;
    const struct sdb_table_properties *props = sdb_table_properties(table);
    if (props->ranges != desc->ranges || props->open_end != desc->open_end) {
        rc = sdb_fail(err, SEERDB_CORRUPT,
                      "%s/%06" PRIu64 ".tbl: %" PRIu64 " range tombstones, %s end; the "
                      "manifest says %" PRIu64 ", %s end",
                      db->dir, desc->file, props->ranges,
                      props->open_end ? "open" : "closed", desc->ranges,
                      desc->open_end ? "open" : "closed");
        sdb_table_unref(table);
        return rc;
    }
    sdb_table_use_cache(table, db->cache, db->pages);
    struct sdb_member *m = NULL;
    if ((rc = sdb_member_new(desc, table, NULL, NULL, &m, err)) == 0 &&
        (rc = sdb_values_keep_for(db->values, m, err)) == 0) {
        m->dead = dead;
        m->ctx = dead != NULL ? db : NULL;
        *out = m;
        m = NULL;
    }
    sdb_member_unref(m);
    return rc;
}

char *sdb_table_path(const seerdb *db, uint64_t number)
{
    size_t size = strlen(db->dir) + 32;
    char *path = sdb_mem_alloc(size);
    if (path != NULL)
        snprintf(path, size, "%s/%06" PRIu64 ".tbl", db->dir, number);
    return path;
}
