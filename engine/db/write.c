/* SPDX-License-Identifier: Apache-2.0
 *
 * Commit: the batch is encoded, takes its number and its place in the log under
 * LK_WRITE, is synced without it, and then waits for its decision holding the slot of
 * each tree it touches.  Applying and publishing happen under LK_WRITE again, so that a
 * memtable never freezes in the middle of a commit. */
#include "db/write.h"

#include "base/interrupt.h"
#include "db/aside.h"
#include "db/encode.h"
#include "db/flush.h"
#include "db/land.h"
#include "db/marked.h"
#include "db/payload.h"
#include "db/pressure.h"
#include "db/separate.h"
#include "os/failpoint.h"

/* Is the slot of every tree free that the batch writes, or rests on? */
static SDB_INLINE bool slots_free(const seerdb_batch *b) REQUIRES(LK_WRITE)
{
    for (size_t i = 0; i < b->nslots; i++)
        if (b->slots[i].tree->undecided != NULL)
            return false;
    return b->gate == NULL || !b->gate->waits(b->gate->ctx);
}

static void set_slots(const seerdb_batch *b, seerdb_batch *holder) REQUIRES(LK_WRITE)
{
    for (size_t i = 0; i < b->nslots; i++)
        b->slots[i].tree->undecided = holder;
    if (holder == NULL)
        sdb_cond_broadcast(&b->db->slot_free);
}

/* Everything that the commit will need to apply itself without failing. */
static int reserve_memory(const seerdb_batch *b, seerdb_err *err) REQUIRES(LK_WRITE)
{
    int rc = 0;
    for (size_t i = 0; i < b->nslots && rc == 0; i++) {
        seerdb_tree *t = b->slots[i].tree;
        rc = sdb_memtable_reserve(t->active, (size_t)b->nrecords,
                                  sdb_batch_applied_max(b), err);
        if (rc == 0 && b->nvlogs > 0 && sdb_tree_separates(t))
            rc = sdb_separate_keep(t, sdb_buf_slice(&b->payload), t->active, err);
    }
    return rc;
}

/* Fill in the number and each part's predecessor. */
static int stamp(seerdb_batch *b, seerdb_err *err) REQUIRES(LK_WRITE)
{
    seerdb *db = b->db;
    sdb_payload_set_number(&b->payload, db->next_number);
    b->must_sync = false;
    for (size_t i = 0; i < b->nslots; i++) {
        seerdb_tree *t = b->slots[i].tree;
        sdb_lock_db(&db->lock);
        bool dropped = t->dropped, settled = t->settled;
        sdb_unlock_db(&db->lock);
        if (t->marked && !settled)
            return sdb_fail(err, SEERDB_MISUSE,
                            "%s: nobody has shown the marker of the table %s yet",
                            db->dir, (const char *)t->desc.name.data);
        if (t->marked != b->slots[0].tree->marked)
            return sdb_fail(err, SEERDB_MISUSE,
                            "%s: the batch writes marked trees and others", db->dir);
        b->must_sync = b->must_sync || (t->marked && sdb_marked_in_doubt(t));
        if (dropped)
            return sdb_fail(err, SEERDB_MISUSE,
                            "%s: the batch writes the dropped tree %s", db->dir,
                            (const char *)t->desc.name.data);
        sdb_payload_set_prev(
            &b->payload, b->slots[i].prev,
            t->marked ? t->head
                      : atomic_load_explicit(&t->last_commit, memory_order_relaxed));
    }
    return 0;
}

/* For want of space or memory the log may be as it was, and the next commit may fit.
 * Not if it found out in the middle of a write or a sync. */
static bool is_passing(seerdb *db, int rc) REQUIRES(LK_WRITE)
{
    return (rc == SEERDB_NOMEM || rc == SEERDB_FULL || rc == SEERDB_TOOBIG) &&
           !sdb_wal_has_failed(db->wal);
}

/* Take a number, a place in the log and the slots. */
static int log_commit(seerdb_batch *b, uint64_t *end, seerdb_err *err)
    REQUIRES(LK_WRITE)
{
    seerdb *db = b->db;
    seerdb_err why = {0};
    int rc;
    if ((rc = sdb_check_writable(db, err)) != 0 || (rc = sdb_reserve(db, err)) != 0 ||
        (rc = stamp(b, err)) != 0)
        return rc;
    if ((rc = sdb_land_prepare(b, db->next_number, err)) != 0 ||
        (rc = reserve_memory(b, err)) != 0) {
        sdb_land_undo(b);
        return rc;
    }
    if ((rc = SDB_FAIL_AT(prepare, &why)) == 0)
        rc = sdb_wal_append(db->wal, SDB_WAL_PREPARE, SDB_OUTCOME_NONE,
                            sdb_buf_slice(&b->payload), &b->position, end, &why);
    if (rc != 0) {
        sdb_land_undo(b);
        if (!is_passing(db, rc))
            (void)sdb_break(db, &why);
        return sdb_fail_as(err, &why);
    }
    sdb_history_note(db);
    b->number = db->next_number++;
    set_slots(b, b);
    return 0;
}

/* Wait until the slots are free. */
static int wait_for_slots(const seerdb_batch *b, seerdb_err *err) REQUIRES(LK_WRITE)
{
    seerdb *db = b->db;
    int rc = 0;
    while (rc == 0 && !slots_free(b)) {
        (void)sdb_cond_wait_ms(&db->slot_free, &db->write_lock, SDB_INTERRUPT_WAIT_MS);
        sdb_unlock_write(&db->write_lock);
        rc = sdb_interrupted(err);
        sdb_lock_write(&db->write_lock);
    }
    return rc;
}

static int prepare_batch(seerdb_batch *b, enum seerdb_sync sync, bool wait,
                         seerdb_err *err)
{
    seerdb *db = b->db;
    seerdb_err why = {0};
    uint64_t end = 0;
    int rc;
    if ((rc = sdb_check_process(db, err)) != 0)
        return rc;
    if (b->phase != SDB_BATCH_OPEN)
        return sdb_fail(err, SEERDB_MISUSE, "the batch is prepared already");
    if ((rc = sdb_check_writable(db, err)) != 0 ||
        (rc = sdb_batch_check(b, err)) != 0 || (rc = sdb_batch_encode(b, err)) != 0)
        return rc;
    b->number = 0;
    if (b->nslots == 0) {
        b->phase = SDB_BATCH_PREPARED;
        return 0;
    }
    if ((rc = sdb_land_list(b, err)) != 0 || (rc = sdb_pressure_wait(b, err)) != 0 ||
        (b->gate != NULL && (rc = b->gate->look(b->gate->ctx, err)) != 0))
        return rc;
    sdb_lock_write(&db->write_lock);
    if (wait)
        rc = wait_for_slots(b, err);
    if (rc == 0 && !slots_free(b))
        rc = sdb_fail(err, SEERDB_BUSY,
                      "%s: another commit to the same table is undecided", db->dir);
    else if (rc == 0 && b->gate != NULL)
        rc = b->gate->pass(b->gate->ctx, err);
    if (rc == 0)
        rc = log_commit(b, &end, err);
    sdb_unlock_write(&db->write_lock);
    if (rc != 0)
        return rc;
    SDB_PASS(prepared);
    b->asks_sync = sync != SEERDB_SYNC_OFF || b->must_sync;
    if ((sync == SEERDB_SYNC_FULL || b->must_sync) &&
        (rc = sdb_wal_sync(db->wal, end, &why)) != 0) {
        /* Whether the record survives a crash is unknown; nothing may follow it. */
        (void)sdb_break(db, &why);
        sdb_lock_write(&db->write_lock);
        sdb_note_unsettled(db, b->number, false);
        sdb_land_undo(b);
        set_slots(b, NULL);
        sdb_unlock_write(&db->write_lock);
        return sdb_fail_as(err, &why);
    }
    SDB_PASS(prepare_synced);
    if (sync == SEERDB_SYNC_NORMAL)
        sdb_job_want_sync(db);
    b->phase = SDB_BATCH_PREPARED;
    return 0;
}

/* Nothing asks from the log record on. */
static int prepare(seerdb_batch *b, enum seerdb_sync sync, bool wait, seerdb_err *err)
{
    const seerdb_interrupt *before = seerdb_interrupt_by(b->interrupt);
    bool timed = ++b->commits % SDB_COMMIT_EVERY == 0;
    uint64_t began = timed ? sdb_clock_mono_ns() : 0;
    int rc = prepare_batch(b, sync, wait, err);
    seerdb_interrupt_by(before);
    b->commit_ns = timed && rc == 0 ? sdb_clock_mono_ns() - began : 0;
    return rc;
}

int seerdb_prepare(seerdb_batch *batch, enum seerdb_sync sync, uint64_t *number,
                   seerdb_err *err)
{
    int rc = prepare(batch, sync, false, err);
    if (rc == 0 && number != NULL)
        *number = batch->number;
    return rc;
}

/* The records of a part are in the memtable: make the commit known as the mode says. */
static int apply_part(seerdb_tree *t, enum sdb_apply_mode mode, uint64_t number,
                      uint64_t prev, seerdb_err *err) REQUIRES(LK_WRITE)
{
    if (mode == SDB_APPLY_HIDE)
        return sdb_marked_hide(t, number, prev, err);
    if (mode == SDB_APPLY_LOGGED) {
        int rc = sdb_marked_logged(t, number, prev, err);
        if (rc != 0)
            return rc;
    }
    t->head = number;
    /* release: a reader that sees the number sees its records (views in read.c) */
    atomic_store_explicit(&t->last_commit, number, memory_order_release);
    return 0;
}

/* What a commit writes to a tree. */
struct written {
    uint64_t kinds[SDB_KIND_MAX + 1], bytes;
};

/* Returns what the record names in the value log, in bytes. */
static uint64_t note_write(struct written *n, const struct sdb_record *r)
{
    uint64_t stored = sdb_segments_stored(r);
    n->kinds[r->kind]++;
    n->bytes += r->key.size + r->value.size + stored;
    return stored;
}

static void count_writes(seerdb_tree *t, const struct written *n) REQUIRES(LK_WRITE)
{
    struct sdb_written *w = &t->written;
    sdb_count(&w->puts, n->kinds[SDB_KIND_VALUE] + n->kinds[SDB_KIND_SEGMENTS]);
    sdb_count(&w->merges, n->kinds[SDB_KIND_MERGE]);
    sdb_count(&w->deletes, n->kinds[SDB_KIND_TOMBSTONE]);
    sdb_count(&w->ranges, n->kinds[SDB_KIND_RANGE]);
    sdb_count(&w->bytes, n->bytes);
}

/* The same of what it had spilled to tables before. */
static void count_spilled(seerdb_tree *t, const struct sdb_version *runs)
    REQUIRES(LK_WRITE)
{
    struct written n = {0};
    for (size_t i = 0; i < runs->nmembers; i++) {
        const struct sdb_table_desc *d = &runs->members[i]->desc;
        n.kinds[SDB_KIND_VALUE] += d->records - d->tombstones;
        n.kinds[SDB_KIND_TOMBSTONE] += d->tombstones;
        n.kinds[SDB_KIND_RANGE] += d->ranges;
        n.bytes += d->key_bytes + d->value_bytes;
    }
    count_writes(t, &n);
}

static void count_replayed(seerdb *db, const struct written *n) REQUIRES(LK_WRITE)
{
    for (int kind = 0; kind <= SDB_KIND_MAX; kind++)
        sdb_count(&db->counters.replayed, n->kinds[kind]);
}

/* Recovery comes upon commits that do not count: tables of later ones have been
 * written, and then their values were removed. */
static int keep_values(seerdb_tree *t, uint64_t file, seerdb_err *err)
    REQUIRES(LK_WRITE)
{
    seerdb_err why = {0};
    int rc = sdb_values_keep(t->db->values, t->active, file, &why);
    return rc == 0 || rc == SEERDB_CORRUPT ? 0 : sdb_fail_as(err, &why);
}

/* A commit that counts takes in what the memtable says of the merged keys, when that is
 * known to count, too, and the operator is quick. */
struct cumulation {
    struct sdb_cumulate how;
    bool due;
    struct sdb_read_state *state; /* counted; NULL: not looked at */
};

/* While the memtable before is being flushed its values are at hand.  Range tombstones,
 * spilled commits and filters would have to be asked: then it is left alone. */
static void look_beneath(const seerdb_tree *t, struct cumulation *c) REQUIRES(LK_WRITE)
{
    const struct sdb_read_state *s = c->state;
    uint64_t from = 0;
    if (s->nmemtables < 2 || s->memtables[0] != t->active || s->ranges ||
        (s->pendings != NULL && s->pendings->n > 0) ||
        atomic_load_explicit(&t->sieve, memory_order_acquire) != NULL)
        return;
    for (uint32_t i = 0; i < s->version->nruns; i++)
        if (s->version->runs[i].newest > from)
            from = s->version->runs[i].newest;
    c->how.beneath = s->memtables[1];
    c->how.beneath_from = from;
}

static void begin_cumulation(seerdb_tree *t, enum sdb_apply_mode mode,
                             struct cumulation *c) REQUIRES(LK_WRITE) EXCLUDES(LK_DB)
{
    const seerdb_merge_operator *op = sdb_tree_merge(t);
    *c =
        (struct cumulation){.due = op != NULL && op->fast && mode == SDB_APPLY_PUBLISH};
    if (!c->due)
        return;
    c->how = (struct sdb_cumulate){.op = op,
                                   .merging = &t->db->merging,
                                   .most = SDB_CUMULATED_MAX,
                                   .hurried = true,
                                   .tolerant = true};
    sdb_lock_db(&t->db->lock);
    c->state = sdb_read_state_ref(t->state);
    sdb_unlock_db(&t->db->lock);
    c->how.hidden = &c->state->hidden;
    look_beneath(t, c);
}

/* A merged key that takes so many steps to read in the memtable has it flushed. */
#define CHAIN_MAX ((size_t)1000)
/* One in so many is looked at: a hot key is found before it has twice as many. */
#define LOOK_EVERY 64u

struct steps {
    uint64_t below;
    size_t n;
};

static int count_step(void *ctx, const struct sdb_record *r)
{
    struct steps *s = ctx;
    struct sdb_operands o;
    if (r->number >= s->below)
        return 0; /* included in a newer one */
    if (r->kind != SDB_KIND_MERGE || !sdb_operands_open(&o, r->value))
        return SEERDB_NOTFOUND;
    s->below = o.from != 0 ? o.from : r->number;
    return ++s->n == CHAIN_MAX ? 1 : 0;
}

/* Would who reads the key in this memtable have that many steps to take? */
static bool is_long(struct sdb_memtable *m, seerdb_slice key)
{
    struct steps s = {.below = UINT64_MAX};
    (void)!sdb_memtable_walk(m, key, UINT64_MAX, NULL, count_step, &s);
    return s.n == CHAIN_MAX;
}

static int insert_merge(seerdb_tree *t, const struct cumulation *c,
                        struct sdb_record *r, seerdb_err *err) REQUIRES(LK_WRITE)
{
    /* Should the operator fail, readers will see it do so. */
    int rc = c->due ? sdb_cumulate(&c->how, t->active, r, err)
                    : sdb_memtable_insert(t->active, r, err);
    if (rc == 0 && r->kind == SDB_KIND_MERGE && ++t->merges % LOOK_EVERY == 0 &&
        is_long(t->active, r->key))
        t->long_chain = true;
    return rc;
}

/* Insert the records of the part that p stands on. */
static int apply_records(seerdb_tree *t, struct sdb_payload_reader *p,
                         enum sdb_apply_mode mode, struct written *n, seerdb_err *err)
    REQUIRES(LK_WRITE) EXCLUDES(LK_DB)
{
    struct sdb_record r;
    struct cumulation c;
    uint32_t steps = 0;
    int rc;
    begin_cumulation(t, mode, &c);
    while ((rc = sdb_payload_next_record(p, &r, err)) == 0) {
        /* Only recovery comes here with LOGGED, and can stop in the middle. */
        if (mode == SDB_APPLY_LOGGED && ++steps % SDB_INTERRUPT_STEPS == 0 &&
            (rc = sdb_interrupted(err)) != 0)
            break;
        t->active_values += note_write(n, &r);
        rc = r.kind == SDB_KIND_MERGE ? insert_merge(t, &c, &r, err)
                                      : sdb_memtable_insert(t->active, &r, err);
        if (rc != 0)
            break;
    }
    sdb_read_state_unref(c.state);
    return rc == SEERDB_NOTFOUND ? 0 : rc;
}

int sdb_apply(seerdb *db, seerdb_slice payload, enum sdb_apply_mode mode,
              const char *where, uint64_t file, seerdb_err *err)
{
    struct sdb_payload_reader p;
    uint64_t id, prev, vlog;
    /* What recovery replays was committed before. */
    bool counts = mode == SDB_APPLY_PUBLISH && !seerdb_is_read_only(db);
    int rc = sdb_payload_open(&p, payload, where, err);
    while (rc == 0 && (rc = sdb_payload_next_part(&p, &id, &prev, err)) == 0) {
        sdb_lock_db(&db->lock);
        seerdb_tree *t = sdb_tree_by_id(db, id);
        sdb_unlock_db(&db->lock);
        bool skip = t == NULL ||
                    p.number <= atomic_load_explicit(&t->flushed, memory_order_relaxed);
        skip = skip || (mode == SDB_APPLY_LOGGED && p.number <= t->aside_loaded);
        /* Even if we fail: nobody lets the file go.  Of spilled parts, which have no
         * records, the landing sees to that. */
        if (!skip && (t->active_file == 0 || t->active_file == SDB_LOG_FILE_ASIDE) &&
            p.files_left == 0)
            t->active_file = file;
        struct written n = {0};
        while (!skip && sdb_payload_next_vlog(&p, &vlog))
            if ((rc = keep_values(t, vlog, err)) != 0)
                return rc;
        rc =
            skip ? sdb_payload_skip_part(&p, err) : apply_records(t, &p, mode, &n, err);
        if (rc != 0)
            return rc;
        if (skip)
            continue;
        if ((rc = apply_part(t, mode, p.number, prev, err)) != 0)
            return rc;
        if (counts)
            count_writes(t, &n);
        else if (mode != SDB_APPLY_HIDE)
            count_replayed(db, &n);
    }
    if (counts)
        sdb_count(&db->counters.commits, 1); /* under LK_WRITE: nothing is lost */
    return rc == SEERDB_NOTFOUND ? 0 : rc;
}

/* The second half of a commit that is timed; 0: it is not. */
static uint64_t begin_commit(const seerdb_batch *b)
{
    return b->commit_ns != 0 ? sdb_clock_mono_ns() : 0;
}

static void end_commit(seerdb_batch *b, uint64_t began)
{
    if (began != 0)
        sdb_meter_add(&b->db->meter, SDB_OP_COMMIT,
                      b->commit_ns + sdb_clock_mono_ns() - began);
    b->commit_ns = 0;
}

void seerdb_commit(seerdb_batch *batch)
{
    seerdb *db = batch->db;
    seerdb_err why = {0};
    bool doubt = false;
    uint64_t began = begin_commit(batch);
    if (batch->phase != SDB_BATCH_PREPARED || sdb_check_process(db, NULL) != 0)
        return;
    if (batch->number != 0) {
        SDB_PASS(commit);
        sdb_lock_write(&db->write_lock);
        for (size_t i = 0; i < batch->nslots; i++)
            doubt = doubt || sdb_marked_in_doubt(batch->slots[i].tree);
        /* Memory was reserved: a failure is a bug, and the log still has the commit. */
        if (sdb_apply(db, sdb_buf_slice(&batch->payload), SDB_APPLY_PUBLISH, "a batch",
                      sdb_wal_file_of(batch->position), &why) != 0)
            (void)sdb_break_for_good(db, &why);
        sdb_land_submit(batch);
        set_slots(batch, NULL);
        for (size_t i = 0; i < batch->nslots; i++)
            if (batch->slots[i].runs != NULL)
                count_spilled(batch->slots[i].tree, batch->slots[i].runs);
        for (size_t i = 0; i < batch->nslots; i++)
            /* A failure to freeze is no failure to commit: the next one tries again. */
            (void)!sdb_freeze_where_due(batch->slots[i].tree, NULL);
        sdb_aside_where_due(db);
        sdb_unlock_write(&db->write_lock);
        SDB_PASS(committed);
        if (doubt) { /* flushes may have waited for the end of it */
            sdb_lock_db(&db->lock);
            sdb_job_retry(db);
            sdb_unlock_db(&db->lock);
        }
        end_commit(batch, began);
    }
    sdb_batch_reset(batch);
}

/* Of marked trees: the commit's records stay, hidden, until another follows, because it
 * may yet count. */
static int hide(seerdb_batch *b, seerdb_err *err) REQUIRES(LK_WRITE)
{
    int rc = sdb_apply(b->db, sdb_buf_slice(&b->payload), SDB_APPLY_HIDE, "a batch",
                       sdb_wal_file_of(b->position), err);
    if (rc != 0) /* and nobody would know it */
        (void)sdb_break_for_good(b->db, err);
    return rc;
}

/* Note in the log that the commit was taken back.  Of marked trees that is a hint,
 * which a full disk may swallow. */
static int log_abort(seerdb_batch *b, uint64_t *end, seerdb_err *err) REQUIRES(LK_WRITE)
{
    seerdb *db = b->db;
    uint64_t position;
    uint8_t number[SDB_VARINT_MAX];
    int rc = SDB_FAIL_AT(unprepare, err);
    if (rc == 0)
        rc = sdb_wal_append(db->wal, SDB_WAL_ABORT, SDB_OUTCOME_ABORTED,
                            (seerdb_slice){number, sdb_store_varint(number, b->number)},
                            &position, end, err);
    return b->slots[0].tree->marked && is_passing(db, rc) ? 0 : rc;
}

static bool has_spilled(const seerdb_batch *b)
{
    for (size_t i = 0; i < b->nslots; i++)
        if (b->slots[i].runs != NULL)
            return true;
    return false;
}

int seerdb_unprepare(seerdb_batch *batch, seerdb_err *err)
{
    seerdb *db = batch->db;
    uint64_t end = 0;
    seerdb_err why = {0};
    int rc = sdb_check_process(db, err);
    if (rc != 0 || batch->phase != SDB_BATCH_PREPARED)
        return rc;
    if (batch->number != 0) {
        sdb_lock_write(&db->write_lock);
        bool marked = batch->slots[0].tree->marked;
        /* First: until the records are in a memtable only the slot keeps the log's
         * file.
         */
        bool stays = marked && (rc = hide(batch, &why)) == 0;
        if (rc == 0)
            rc = log_abort(batch, &end, &why);
        if (stays)
            sdb_land_submit(batch); /* it may yet count */
        else
            sdb_land_undo(batch);
        if (rc != 0) /* before the slots are free: nothing may follow it */
            (void)sdb_break(db, &why);
        if (rc != 0 && !marked)
            sdb_note_unsettled(db, batch->number, true);
        set_slots(batch, NULL);
        sdb_unlock_write(&db->write_lock);
        SDB_PASS(unprepared);
        /* A cut must not leave the log with the commit and without its abort, although
         * nobody has synced the commit: others' syncs may have, or the system.  Of what
         * has spilled the tables may go next, whatever was asked for. */
        if (rc == 0 && (batch->asks_sync || has_spilled(batch)) && !marked &&
            (rc = sdb_wal_sync(db->wal, end, &why)) != 0)
            (void)sdb_break(db, &why);
    }
    batch->phase = SDB_BATCH_OPEN;
    batch->number = 0;
    return rc != 0 ? sdb_fail_as(err, &why) : 0;
}

int seerdb_rollback(seerdb_batch *batch, seerdb_err *err)
{
    int rc = seerdb_unprepare(batch, err);
    sdb_batch_reset(batch);
    return rc;
}

void seerdb_batch_free(seerdb_batch *batch)
{
    if (batch == NULL)
        return;
    (void)seerdb_rollback(batch, NULL); /* a failure has broken the store already */
    sdb_batch_drop_spare(batch);
    sdb_buf_fini(&batch->apart);
    sdb_buf_fini(&batch->payload);
    sdb_buf_fini(&batch->operand);
    sdb_merging_fini(&batch->merging);
    sdb_mergeset_fini(&batch->merges);
    sdb_mem_free(batch->slots);
    sdb_mem_free(batch->marks);
    sdb_mem_free(batch);
}

int seerdb_write(seerdb_batch *batch, enum seerdb_sync sync, seerdb_err *err)
{
    int rc = prepare(batch, sync, true, err);
    if (rc == 0 && batch->nslots > 0 && batch->slots[0].tree->marked) {
        (void)seerdb_unprepare(batch, NULL);
        return sdb_fail(err, SEERDB_MISUSE,
                        "%s: marked trees are committed in two phases", batch->db->dir);
    }
    if (rc == 0)
        seerdb_commit(batch);
    return rc;
}
