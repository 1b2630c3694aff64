/* SPDX-License-Identifier: Apache-2.0
 *
 * history_ops -- for history_model_test: what each operation of a program does, on the
 * store and on the model, and a case from its beginning to its end. */
#ifndef SDB_DB_HISTORY_OPS_H
#define SDB_DB_HISTORY_OPS_H

#include "db/history_run.h"

/* ---- what a reader chooses ---------------------------------------------------------
 */

/* A view with a count, what of the batch goes with it, and what that shows. */
static inline seerdb_view *choose(struct run *r, const struct op *op, unsigned *tree,
                                  seerdb_batch **b, uint64_t *mark,
                                  struct content *want)
{
    struct run_view *h = &r->views[dice(r, VIEWS)];
    uint32_t commit = r->h.commits;
    size_t pending = 0;
    *tree = op->tree % r->s->trees;
    *b = NULL;
    *mark = 0;
    uint64_t tick = tick_now(r);
    bool held = h->view != NULL && dice(r, 2) == 0;
    if (held) {
        *tree = h->tree;
        commit = h->commit;
        tick = h->tick;
    }
    if (dice(r, 3) > 0) {
        *b = r->batch;
        *mark = SEERDB_BATCH_ALL;
        pending = HISTORY_ALL;
        if (r->nmarks > 0 && dice(r, 2) == 0) {
            size_t i = (size_t)dice(r, r->nmarks);
            *mark = r->marks[i].mark;
            pending = r->marks[i].pending;
        }
    }
    *want = history_read(&r->h, *tree, commit, pending, tick);
    return held ? seerdb_view_ref(h->view) : view_now(r, *tree);
}

static inline void do_read(struct run *r, const struct op *op)
{
    unsigned tree;
    seerdb_batch *b;
    uint64_t mark;
    struct content want;
    seerdb_view *v = choose(r, op, &tree, &b, &mark, &want);
    check_state(r, v, b, mark, tree, &want);
    seerdb_view_close(v);
}

static inline void close_iter(struct run_iter *h)
{
    seerdb_iter_close(h->it);
    h->it = NULL;
}

static inline void do_iterate(struct run *r, const struct op *op)
{
    struct run_iter *h = &r->iters[op->key % ITERS];
    if (h->it == NULL) {
        seerdb_batch *b;
        uint64_t mark;
        seerdb_view *v = choose(r, op, &h->tree, &b, &mark, &h->want);
        must(r, seerdb_iter_open(v, b, mark, &h->it, &r->err));
        seerdb_view_close(v);
        h->over_batch = b != NULL;
        bound_iter(r, h);
    } else if (dice(r, 4) == 0) {
        bound_iter(r, h);
    }
    for (uint64_t n = 1 + dice(r, 8); n > 0; n--)
        move_iter(r, h);
    if (dice(r, 3) == 0)
        close_iter(h);
}

/* May a view at this older commit be refused?  Not if nothing can have been folded that
 * is as young, and who asks by number gets what a snapshot has. */
static inline bool may_be_gone(struct run *r, const struct run_view *h, bool by_marker)
{
    if (r->markers[h->commit][h->tree] == r->marker[h->tree] ||
        (r->s->marked && !r->folded))
        return false;
    for (size_t i = 0; i < SNAPSHOTS && !by_marker; i++)
        if (r->snapshots[i].used && r->snapshots[i].tree == h->tree &&
            r->markers[r->snapshots[i].commit][h->tree] ==
                r->markers[h->commit][h->tree])
            return r->s->marked && !r->shown[h->tree];
    return !r->s->marked || r->s->history_ms > 0 || r->s->memtable_kb < 64 ||
           r->p->n > 100 || r->reopened;
}

/* A view at an older commit. */
static inline void hold_past(struct run *r, struct run_view *h, const struct op *op)
{
    h->commit = op->to % (r->h.commits + 1);
    uint64_t now = r->marker[h->tree], number = r->markers[h->commit][h->tree];
    bool by_marker = r->s->marked && dice(r, 2) == 0;
    int rc = by_marker
                 ? seerdb_view_open_at(r->trees[h->tree], number, 0, &h->view, &r->err)
                 : seerdb_view_open_number(r->trees[h->tree], number, now, &h->view,
                                           &r->err);
    bool gone = may_be_gone(r, h, by_marker);
    /* Before a writer has come, an older marker may be that of an older owner. */
    if (gone && (rc == SEERDB_GONE || (rc == SEERDB_MISMATCH && !r->shown[h->tree])))
        r->gone++;
    else if (rc != 0)
        differ(r, "a view of tree %u at commit %u of %u: %d %.400s", h->tree, h->commit,
               r->h.commits, rc, r->err.msg);
    if (rc != 0)
        h->view = NULL;
    r->err = (seerdb_err){0};
}

/* Hold a view of now, of a snapshot, or of an older commit. */
static inline void do_hold(struct run *r, const struct op *op)
{
    struct run_view *h = &r->views[op->key % VIEWS];
    size_t i = op->to % SNAPSHOTS;
    if (h->view != NULL)
        return;
    *h = (struct run_view){NULL, op->tree % r->s->trees, r->h.commits, tick_now(r)};
    uint64_t how = dice(r, 3);
    if (how == 0 && r->snapshots[i].used) {
        struct run_snapshot *n = &r->snapshots[i];
        *h = (struct run_view){view_at_snapshot(r, i), n->tree, n->commit, n->tick};
    } else if (how == 1) {
        hold_past(r, h, op);
    } else {
        h->view = view_now(r, h->tree);
    }
}

static inline void let_go_of(struct run_view *h)
{
    seerdb_view_close(h->view);
    h->view = NULL;
}

static inline void do_let_go(struct run *r, const struct op *op)
{
    let_go_of(&r->views[op->key % VIEWS]);
}

/* ---- writing --------------------------------------------------------------------- */

/* The batch is about to write the tree. */
static inline unsigned begin_write(struct run *r, const struct op *op)
{
    unsigned t = op->tree % r->s->trees;
    seerdb_marker_found found = {0};
    if (!r->s->marked || r->expected[t])
        return t;
    must(r,
         seerdb_batch_expect(r->batch, r->trees[t], r->marker[t], 0, &found, &r->err));
    if (found.state != SEERDB_MARKER_CURRENT)
        differ(r, "tree %u at marker %" PRIu64 " is behind", t, r->marker[t]);
    r->expected[t] = r->shown[t] = true;
    return t;
}

/* The batch was asked to write, and answers rc: note what it took.  It may have to go
 * to disk for want of room, and not be able to. */
static inline void note_write(struct run *r, int rc, struct event e, const char *what)
{
    if (rc == 0)
        history_add(&r->h, e);
    else if (!rule_is_failure(&r->rules, rc) || batch_logs(&r->h) == LOGS)
        differ(r, "%s: %d: %.500s", what, rc, r->err.msg);
    r->err = (seerdb_err){0};
}

static inline void do_put(struct run *r, const struct op *op)
{
    char room[VALUE_MOST + 8];
    unsigned t = begin_write(r, op), k = op->key % r->s->keys;
    uint32_t value = ++r->next_value;
    int rc = seerdb_batch_put(r->batch, r->trees[t], key_slice(&r->keys[k]),
                              value_of(&r->h, value, room), &r->err);
    note_write(r, rc, (struct event){0, EV_PUT, t, k, k + 1, value}, "put");
}

static inline void do_delete(struct run *r, const struct op *op)
{
    unsigned t = begin_write(r, op), k = op->key % r->s->keys;
    int rc =
        seerdb_batch_delete(r->batch, r->trees[t], key_slice(&r->keys[k]), &r->err);
    note_write(r, rc, (struct event){0, EV_DELETE, t, k, k + 1, 0}, "delete");
}

/* The operator's failure is told at once, or later, where the batch has put or deleted
 * the key itself. */
static inline void do_merge(struct run *r, const struct op *op)
{
    char room[16];
    if (r->rules.merge == MERGE_NONE)
        return;
    unsigned t = begin_write(r, op), k = op->key % r->s->keys;
    uint32_t operand = ++r->next_value;
    int rc = seerdb_batch_merge(r->batch, r->trees[t], key_slice(&r->keys[k]),
                                operand_of(&r->h, operand, room), &r->err);
    struct event e = {0, EV_MERGE, t, k, k + 1, operand};
    if (rc != 0) {
        history_add(&r->h, e);
        bool may = key_logs(&r->h, t, k) != LOGS;
        history_undo(&r->h, history_pending(&r->h) - 1);
        if (may && rule_is_failure(&r->rules, rc)) {
            r->err = (seerdb_err){0};
            return;
        }
    }
    note_write(r, rc, e, "merge");
    /* Whoever has put the key is told at once. */
    if (rc == 0 && r->rules.merge >= MERGE_CHAIN && key_logs(&r->h, t, k) == LOGS_NOT)
        differ(r, "a merge into key %u that fails was taken in", k);
}

/* Bounds are keys, or lie right behind one, or at the ends of all. */
static inline void do_delete_range(struct run *r, const struct op *op)
{
    unsigned n = r->s->keys, t = begin_write(r, op), lo = op->key % n;
    unsigned hi = lo + 1 + op->to % (dice(r, 3) == 0 ? n : 3);
    struct key from = r->keys[lo], to = {.size = sizeof to.bytes};
    memset(to.bytes, 0xff, sizeof to.bytes);
    hi = hi < n ? hi : n;
    if (hi < n)
        to = r->keys[hi];
    bool from_start = dice(r, 6) == 0;
    if (from_start)
        lo = 0;
    else if (dice(r, 4) == 0 && r->s->key_style != 3) /* the next byte string */
        from.bytes[from.size++] = 0, lo++;
    if (from_start)
        from.size = 0;
    int rc = seerdb_batch_delete_range(
        r->batch, r->trees[t],
        (seerdb_slice){from_start ? NULL : from.bytes, from.size}, key_slice(&to),
        &r->err);
    /* A write of the tree even if none of our keys lies there. */
    note_write(r, rc, (struct event){0, EV_RANGE, t, lo, hi, 0}, "delete_range");
}

static inline void do_mark(struct run *r, const struct op *op)
{
    (void)op;
    if (r->nmarks == MARKS)
        return;
    r->marks[r->nmarks].pending = history_pending(&r->h);
    r->marks[r->nmarks++].mark = seerdb_batch_mark(r->batch);
}

static inline void do_release(struct run *r, const struct op *op)
{
    if (r->nmarks == 0)
        return;
    size_t i = op->key % r->nmarks;
    seerdb_batch_release(r->batch, r->marks[i].mark);
    r->nmarks--;
    memmove(&r->marks[i], &r->marks[i + 1], (r->nmarks - i) * sizeof r->marks[0]);
}

/* Iterators may or may not go on showing what is rolled back: let go of those. */
static inline void close_batch_iters(struct run *r)
{
    for (size_t i = 0; i < ITERS; i++)
        if (r->iters[i].over_batch)
            close_iter(&r->iters[i]);
}

static inline void do_rollback_to(struct run *r, const struct op *op)
{
    if (r->nmarks == 0)
        return;
    size_t i = op->key % r->nmarks;
    close_batch_iters(r);
    seerdb_batch_rollback_to(r->batch, r->marks[i].mark);
    history_undo(&r->h, r->marks[i].pending);
    r->nmarks = i + 1;
}

static inline void do_spill(struct run *r, const struct op *op)
{
    (void)op;
    int rc = seerdb_batch_spill(r->batch, &r->err);
    if (rc != 0 && (!rule_is_failure(&r->rules, rc) || batch_logs(&r->h) == LOGS))
        differ(r, "spill: %d: %.500s", rc, r->err.msg);
    r->err = (seerdb_err){0};
}

/* ---- committing ---------------------------------------------------------------------
 */

static inline void batch_is_empty(struct run *r)
{
    r->nmarks = 0;
    memset(r->expected, 0, sizeof r->expected);
}

static inline void do_undo(struct run *r, const struct op *op)
{
    (void)op;
    must(r, seerdb_rollback(r->batch, &r->err));
    history_undo(&r->h, 0);
    batch_is_empty(r);
}

/* The batch was committed with this number. */
static inline void note_commit(struct run *r, uint64_t number, bool safe)
{
    bool writes[TREES_MOST];
    for (unsigned t = 0; t < r->s->trees; t++)
        writes[t] = history_writes(&r->h, t);
    history_commit(&r->h);
    for (unsigned t = 0; t < r->s->trees; t++) {
        if (writes[t])
            r->marker[t] = number;
        r->markers[r->h.commits][t] = r->marker[t];
    }
    if (safe)
        r->certain = r->h.commits;
    batch_is_empty(r);
}

/* BUSY: a marked tree's commit that was taken back may yet count. */
static inline void must_or_busy(struct run *r, int rc, const char *what)
{
    r->folded = true;
    if (rc != 0 && (rc != SEERDB_BUSY || !r->s->marked))
        differ(r, "%s: %d: %.500s", what, rc, r->err.msg);
    r->err = (seerdb_err){0};
}

static inline enum seerdb_sync any_sync(struct run *r)
{
    return r->s->marked && r->s->cuts ? SEERDB_SYNC_FULL : (enum seerdb_sync)dice(r, 3);
}

/* Of what was not synced, a power cut may leave the commit without what takes it back.
 */
static inline enum seerdb_sync sync_to_undo(struct run *r)
{
    return r->s->cuts ? SEERDB_SYNC_FULL : any_sync(r);
}

/* Of all trees: the last commit has it. */
static inline uint64_t newest_number(struct run *r)
{
    uint64_t newest = 0;
    for (unsigned t = 0; t < r->s->trees; t++) {
        seerdb_view *v = view_now(r, t);
        newest = seerdb_view_number(v) > newest ? seerdb_view_number(v) : newest;
        seerdb_view_close(v);
    }
    return newest;
}

/* Was it logged?  If not, it must be that the operator failed. */
static inline bool was_logged(struct run *r, int rc, const char *what)
{
    enum logs logs = batch_logs(&r->h);
    if (rc == 0 ? logs == LOGS_NOT : logs == LOGS || !rule_is_failure(&r->rules, rc))
        differ(r, "%s: %d: %.500s, and the batch %s", what, rc, r->err.msg,
               logs == LOGS ? "should be logged" : "cannot be");
    r->err = (seerdb_err){0};
    return rc == 0;
}

static inline bool prepare(struct run *r, enum seerdb_sync sync, uint64_t *number)
{
    return was_logged(r, seerdb_prepare(r->batch, sync, number, &r->err), "prepare");
}

static inline void commit_batch(struct run *r, const struct op *op)
{
    uint64_t number = 0;
    enum seerdb_sync sync = any_sync(r);
    if (dice(r, 6) == 0) { /* prepared, taken back, and on with it */
        if (!prepare(r, sync_to_undo(r), &number))
            return;
        must(r, seerdb_unprepare(r->batch, &r->err));
        if (dice(r, 2) == 0)
            return;
    }
    if (!r->s->marked && dice(r, 2) == 0) {
        if (was_logged(r, seerdb_write(r->batch, sync, &r->err), "write"))
            note_commit(r, newest_number(r), sync == SEERDB_SYNC_FULL);
        return;
    }
    bool undone = dice(r, 8) == 0;
    if (undone)
        sync = sync_to_undo(r);
    if (!prepare(r, sync, &number))
        return;
    if (dice(r, 4) == 0) {
        seerdb_batch *b = r->batch;
        r->batch = NULL; /* the others do not see it yet */
        check_everything(r);
        if (dice(r, 2) == 0)
            must_or_busy(r, seerdb_flush(r->bed.db, NULL, &r->err), "flush");
        r->batch = b;
    }
    if (undone) {
        do_undo(r, op);
        return;
    }
    seerdb_commit(r->batch);
    note_commit(r, number, sync == SEERDB_SYNC_FULL);
}

static inline void do_commit(struct run *r, const struct op *op)
{
    if (history_pending(&r->h) == 0 || r->h.commits + 2 >= COMMITS_MOST)
        return;
    commit_batch(r, op);
    /* One that will not do stays in the way of what follows, but for a few. */
    if (history_pending(&r->h) > 0 && batch_logs(&r->h) == LOGS_NOT && dice(r, 4) > 0)
        do_undo(r, op);
}

/* ---- the store ----------------------------------------------------------------------
 */

static inline seerdb_tree *any_tree(struct run *r, const struct op *op)
{
    return dice(r, 2) == 0 ? NULL : r->trees[op->tree % r->s->trees];
}

static inline void do_flush(struct run *r, const struct op *op)
{
    must_or_busy(r, seerdb_flush(r->bed.db, any_tree(r, op), &r->err), "flush");
}

static inline void do_compact(struct run *r, const struct op *op)
{
    must(r, seerdb_continue(r->bed.db, &r->err));
    must_or_busy(r, seerdb_compact(r->bed.db, any_tree(r, op), &r->err), "compact");
    if (r->s->calm)
        must(r, seerdb_pause(r->bed.db, &r->err));
}

static inline void do_gc(struct run *r, const struct op *op)
{
    must(r, seerdb_continue(r->bed.db, &r->err));
    must_or_busy(r, seerdb_gc(r->bed.db, any_tree(r, op), &r->err), "gc");
    if (r->s->calm)
        must(r, seerdb_pause(r->bed.db, &r->err));
}

/* Other tables from now on, and another compaction. */
static inline void do_tune(struct run *r, const struct op *op)
{
    const seerdb_tree_options o = {.compaction = (enum seerdb_compaction)dice(r, 4),
                                   .compression = (int)dice(r, 2),
                                   .filter_bits = dice(r, 2) == 0 ? 0 : 10,
                                   .index = (enum seerdb_index)dice(r, 2),
                                   .value_log = (size_t)16 << dice(r, 7)};
    seerdb_tree *t = r->trees[op->tree % r->s->trees];
    seerdb_tree_tune(t, &o);
    if (dice(r, 4) == 0)
        must(r, seerdb_tree_separate(t, o.value_log, &r->err));
}

/* Others fail from now on, or (0) nobody.  Iterators may have read ahead. */
static inline void set_phase(struct run *r, uint32_t phase)
{
    for (size_t i = 0; i < ITERS; i++)
        close_iter(&r->iters[i]);
    atomic_store(&r->rules.phase, phase);
}

static inline void do_phase(struct run *r, const struct op *op)
{
    if ((r->rules.operator_ways & OPERATOR_FAILS_AT_TIMES) != 0 ||
        (r->rules.filter_ways & FILTER_FAILS_AT_TIMES) != 0)
        set_phase(r, op->key % 3 == 0 ? 0 : op->key);
}

/* Let compactions go on by themselves for a while, and stop them wherever they are. */
static inline void do_settle(struct run *r, const struct op *op)
{
    (void)op;
    r->folded = true;
    must(r, seerdb_continue(r->bed.db, &r->err));
    sdb_clock_sleep_us(dice(r, 300));
    if (r->s->calm || dice(r, 4) == 0)
        must(r, seerdb_pause(r->bed.db, &r->err));
}

static inline int decide_yes(void *ctx, uint64_t below, seerdb_err *err)
{
    (void)ctx;
    (void)below;
    (void)err;
    return 0;
}

static inline void open_trees(struct run *r, bool create)
{
    seerdb *db = r->bed.db;
    seerdb_merge_operator room;
    const seerdb_merge_operator *op = operator_of(&r->rules, &room);
    for (unsigned t = 0; t < r->s->trees; t++) {
        seerdb_tree_options o = {.id = uuid_of(t),
                                 .owner = r->s->marked ? r->owner : (seerdb_uuid){{0}},
                                 .name = "t",
                                 .marked = r->s->marked,
                                 .compaction =
                                     (enum seerdb_compaction)r->s->compaction[t],
                                 .compression = (int)r->s->compression,
                                 .value_log = r->s->value_log,
                                 .merge = op};
        if (create)
            must(r, seerdb_tree_create(db, &o, &r->trees[t], &r->err));
        else
            must(r, seerdb_tree_open(db, &o.id, &r->trees[t], &r->err));
        if (!create && op != NULL)
            must(r, seerdb_tree_merges_with(r->trees[t], op, &r->err));
    }
    const seerdb_filter filter = filter_of(&r->rules);
    for (unsigned t = 0; t < r->s->trees && r->rules.filter; t++)
        must(r, seerdb_tree_filter_with(r->trees[t], &filter, &r->err));
    if (r->s->marked)
        must(r, seerdb_set_decider(db, &r->owner, decide_yes, r, &r->err));
    must(r, seerdb_batch_new(db, &r->batch, &r->err));
    if (r->s->calm)
        must(r, seerdb_pause(db, &r->err));
    /* Small memtables are flushed by themselves. */
    r->folded = !create || r->s->memtable_kb < 64 || r->p->n > 100;
    r->reopened = !create;
    memset(r->shown, 0, sizeof r->shown);
}

/* Everything that hangs on the store, which stays open. */
static inline void close_handles(struct run *r)
{
    for (size_t i = 0; i < ITERS; i++)
        close_iter(&r->iters[i]);
    for (size_t i = 0; i < VIEWS; i++)
        let_go_of(&r->views[i]);
    if (r->s->marked)
        must(r, seerdb_set_decider(r->bed.db, &r->owner, NULL, NULL, &r->err));
    seerdb_batch_free(r->batch);
    r->batch = NULL;
    history_undo(&r->h, 0);
    batch_is_empty(r);
    for (unsigned t = 0; t < TREES_MOST; t++) {
        seerdb_tree_close(r->trees[t]);
        r->trees[t] = NULL;
    }
}

static inline void open_again(struct run *r)
{
    int rc = dice(r, 4) == 0 ? bed_open_compared(&r->bed, &r->err)
                             : bed_open(&r->bed, &r->err);
    if (rc != 0)
        differ(r, "the store does not open: %d %.500s", rc, r->err.msg);
    open_trees(r, false);
}

static inline void do_reopen(struct run *r, const struct op *op)
{
    (void)op;
    close_handles(r);
    must(r, seerdb_close(r->bed.db, &r->err));
    open_again(r);
    check_everything(r);
}

/* The batch is prepared when the end comes.  Its owner's commit decides; that of no
 * owner stands, because nobody took it back. */
static inline void prepare_for_the_end(struct run *r)
{
    uint64_t number = 0;
    enum seerdb_sync sync = any_sync(r);
    if (history_pending(&r->h) == 0 || r->h.commits + 2 >= COMMITS_MOST)
        return;
    if (prepare(r, sync, &number) && (!r->s->marked || dice(r, 2) == 0))
        note_commit(r, number, sync == SEERDB_SYNC_FULL);
}

/* From here on nothing reaches the disk. */
static inline void stop_disk(struct run *r)
{
    fault(&r->bed, (struct sdb_fault){.ops = SDB_FAULT_ALL & ~SDB_FAULT_READ,
                                      .times = UINT64_MAX,
                                      .error = EIO});
}

static inline void die(struct run *r)
{
    if (dice(r, 2) == 0)
        prepare_for_the_end(r);
    stop_disk(r);
    close_handles(r);
    (void)seerdb_close(r->bed.db, NULL);
    r->bed.db = NULL;
}

/* The process dies; the machine does not. */
static inline void do_crash(struct run *r, const struct op *op)
{
    (void)op;
    die(r);
    fault(&r->bed, (struct sdb_fault){0});
    open_again(r);
    check_everything(r);
}

static inline bool is_as_of(struct run *r, uint32_t commit)
{
    bool same = true;
    for (unsigned t = 0; t < r->s->trees && same; t++) {
        struct content want = history_read(&r->h, t, commit, 0, tick_now(r));
        seerdb_view *v = view_now(r, t);
        same = state_agrees(r, v, NULL, 0, t, &want, true) &&
               (r->s->marked || seerdb_view_number(v) == r->markers[commit][t]);
        seerdb_view_close(v);
    }
    return same;
}

/* The power goes: a prefix of the commits is there, none that was synced is lost. */
static inline void do_cut(struct run *r, const struct op *op)
{
    (void)op;
    if (!r->s->cuts)
        return;
    die(r);
    sdb_memfs_cut(r->bed.mem, dice(r, 2) == 0 ? SDB_CUT_DROP : SDB_CUT_RANDOM,
                  sdb_rand_next(&r->r));
    fault(&r->bed, (struct sdb_fault){0});
    open_again(r);
    uint32_t commit = r->h.commits;
    while (!is_as_of(r, commit)) {
        if (commit == r->certain)
            longjmp(r->out, 1);
        commit--;
    }
    history_cut(&r->h, commit);
    memcpy(r->marker, r->markers[commit], sizeof r->marker);
    r->certain = commit; /* recovery has synced what it found */
    check_everything(r);
}

/* ---- a case -------------------------------------------------------------------------
 */

static inline void run_op(struct run *r, const struct op *op)
{
    static void (*const how[])(struct run *, const struct op *) = {
#define OP_FUNCTION(name, weight) do_##name,
        OPS_OF(OP_FUNCTION)
#undef OP_FUNCTION
    };
    r->r = (struct sdb_rand){op->dice};
    if (history_is_full(&r->h))
        return;
    how[op->kind](r, op);
}

static inline void begin_run(struct run *r)
{
    const struct setup *s = r->s;
    bed_init(&r->bed);
    r->rules.merge = s->merge <= MERGE_LIST ? (enum merge_kind)s->merge : MERGE_NONE;
    r->rules.fast = s->merge_fast;
    r->rules.operator_ways = s->operator_ways;
    r->rules.filter = s->filter;
    r->rules.filter_ways = s->filter_ways;
    r->h.rules = &r->rules;
    r->h.large_one_in = s->large_one_in;
    r->bed.o.sizes.memtable = (size_t)s->memtable_kb << 10;
    r->bed.o.sizes.table = (size_t)s->table_kb << 10;
    r->bed.o.sizes.batch = (size_t)s->table_kb << 11;
    r->bed.o.log_file_size = (size_t)s->log_kb << 10;
    r->bed.o.history_ms = s->history_ms;
    r->bed.o.clock = run_clock;
    r->bed.o.clock_ctx = r;
    atomic_store(&r->rules.clock, 1);
    r->owner.bytes[0] = 1;
    for (unsigned k = 0; k < s->keys; k++)
        r->keys[k] = key_of(s->key_style, k);
    must(r, bed_open(&r->bed, &r->err));
    open_trees(r, true);
}

static inline void end_run(struct run *r)
{
    r->r = (struct sdb_rand){r->p->seed + 1};
    if (atomic_load(&r->rules.phase) != 0) {
        check_everything(r);
        set_phase(r, 0); /* nothing was lost */
    }
    check_everything(r);
    if (dice(r, 2) == 0) {
        must_or_busy(r, seerdb_flush(r->bed.db, NULL, &r->err), "flush");
        must(r, seerdb_continue(r->bed.db, &r->err));
        must_or_busy(r, seerdb_compact(r->bed.db, NULL, &r->err), "compact");
        check_everything(r);
    }
    if (dice(r, 2) == 0)
        do_reopen(r, NULL);
    close_handles(r);
    must(r, seerdb_close(r->bed.db, &r->err));
    r->bed.db = NULL;
    bed_fini(&r->bed);
    history_free(&r->h);
}

/* False: r->why says what differs. */
static inline bool run_program(struct run *r, const struct program *p)
{
    memset(r, 0, sizeof *r);
    r->p = p;
    r->s = &p->setup;
    if (setjmp(r->out) != 0)
        return false;
    begin_run(r);
    for (r->op = 0; r->op < p->n; r->op++)
        run_op(r, &p->ops[r->op]);
    end_run(r);
    return true;
}

#endif
