/* SPDX-License-Identifier: Apache-2.0
 *
 * The order of durability: outputs synced, directory synced, manifest record synced,
 * version published, inputs removed once nobody reads them.  A crash between any two
 * leaves the inputs or the outputs in the manifest; the others are removed by the next
 * open.  The log plays no part: inputs were durable.
 *
 * One thread, and one compaction at a time: the picker may count on its inputs staying
 * what they are.  Other threads only add runs to level 0, and drop trees. */
#include "db/compact.h"

#include "db/debt.h"
#include "db/events.h"
#include "db/flush.h"
#include "db/rewrite.h"
#include "db/sift.h"
#include "db/vlog_gc.h"
#include "os/clock.h"
#include "os/failpoint.h"

#include <stdio.h>

#define L0_TRIGGER 4u
/* Where tables name far more in the value log than they hold, merging them costs
 * little, and shows what is garbage. */
#define L0_TRIGGER_VALUES 2u
#define VALUES_MORE       8u
#define LEVEL_RATIO       8u
#define RUNS_PER_LEVEL    4u

#define BACKOFF_FIRST_US UINT64_C(100000)
#define BACKOFF_LAST_US  UINT64_C(60000000)
/* Before it is looked again at when rows expire: the clock may have been set. */
#define DUE_MOST_US UINT64_C(3600000000)
/* Between an open and the first compaction. */
#define BEGIN_AFTER_US UINT64_C(1000000)

struct sdb_policy sdb_compact_policy(const seerdb_tree *t, uint64_t droppable)
{
    const seerdb *db = t->db;
    const struct sdb_sieve *sieve = sdb_tree_job_sieve(t);
    uint32_t kind = atomic_load_explicit(&t->tuned.compaction, memory_order_relaxed);
    if (kind == SEERDB_ADAPTIVE)
        kind = atomic_load_explicit(&t->policy, memory_order_relaxed);
    return (struct sdb_policy){
        .kind = (enum seerdb_compaction)kind,
        .batch_size = db->batch_size,
        .table_size = db->table_size,
        .trigger = L0_TRIGGER,
        .ratio = LEVEL_RATIO,
        .runs = RUNS_PER_LEVEL,
        .pack_bottom =
            atomic_load_explicit(&t->tuned.compression, memory_order_relaxed) != 0,
        .droppable = droppable,
        .now_us = sdb_tree_job_time(t),
        .drops_expired = sieve != NULL && sieve->filter.lasting,
        .flushed = atomic_load_explicit(&t->flushed, memory_order_relaxed)};
}

/* ---- one compaction ----------------------------------------------------------------
 */

struct compaction {
    seerdb *db;
    seerdb_tree *tree;        /* a counted handle */
    struct sdb_version *from; /* counted */
    struct sdb_policy policy;
    struct sdb_pick pick;
    struct sdb_rewrite rewrite;
    uint64_t history_from;
    struct sdb_snapshots *snapshots; /* counted */
    uint64_t asked;                  /* of the tree when it began */
};

/* Has the compaction lost its purpose, or its right to go on? */
static bool must_end(const struct compaction *c) REQUIRES(LK_DB)
{
    return c->db->closing || c->db->compaction_paused || c->tree->dropped;
}

/* Called between keys: flushes go first. */
static int look_up(void *ctx, seerdb_err *err)
{
    struct compaction *c = ctx;
    seerdb *db = c->db;
    sdb_lock_db(&db->lock);
    while (db->job_running && !must_end(c))
        sdb_cond_wait(&db->progress, &db->lock);
    bool end = must_end(c);
    sdb_unlock_db(&db->lock);
    return end ? sdb_fail(err, SEERDB_INTERRUPTED, "%s: the compaction was cancelled",
                          db->dir)
               : 0;
}

/* A moved table: another description of the same file. */
static int move_tables(struct compaction *c, seerdb_err *err)
{
    struct sdb_rewrite *r = &c->rewrite;
    int rc = 0;
    r->outputs = sdb_array_new(c->pick.n, sizeof r->outputs[0]);
    if (r->outputs == NULL)
        return sdb_fail_nomem(err, c->pick.n * sizeof r->outputs[0]);
    for (size_t i = 0; i < c->pick.n && rc == 0; i++) {
        struct sdb_member *m = c->from->members[c->pick.inputs[i]];
        rc = sdb_member_move(m, c->pick.output_level, c->pick.output_run,
                             &r->outputs[r->n], err);
        if (rc == 0) {
            r->bytes += m->desc.size;
            r->n++;
        }
    }
    return rc;
}

/* The edit that exchanges inputs and outputs. */
static void build_edit(const struct compaction *c, struct sdb_edit *e)
    REQUIRES(LK_INSTALL)
{
    uint64_t id = c->tree->desc.id;
    const struct sdb_catalog *catalog = sdb_manifest_catalog(c->db->manifest);
    for (size_t i = 0; i < c->pick.n; i++)
        sdb_edit_table_remove(e, id, c->from->members[c->pick.inputs[i]]->desc.file);
    for (size_t i = 0; i < c->rewrite.n; i++)
        sdb_edit_table_add(e, id, &c->rewrite.outputs[i]->desc);
    for (size_t i = 0; i < catalog->ntrees; i++) {
        const struct sdb_tree_desc *t = &catalog->trees[i];
        if (t->id == id && t->fold_floor < c->rewrite.fold_floor)
            sdb_edit_tree_numbers(e, id, t->flushed, t->last_commit,
                                  c->rewrite.fold_floor);
    }
}

/* Make `version` what readers of the tree see. */
static int publish(struct compaction *c, struct sdb_version *version, seerdb_err *err)
    REQUIRES(LK_DB)
{
    seerdb_tree *t = c->tree;
    struct sdb_read_state *s = t->state, *fresh = NULL;
    int rc = sdb_read_state_new(s->memtables, s->nmemtables, version, &s->hidden,
                                &fresh, err);
    if (rc != 0)
        return rc;
    if (c->rewrite.fold_floor >
        atomic_load_explicit(&t->fold_floor, memory_order_relaxed))
        atomic_store_explicit(&t->fold_floor, c->rewrite.fold_floor,
                              memory_order_relaxed);
    for (size_t i = 0; i < c->pick.n && c->pick.kind != SDB_PICK_MOVE; i++) {
        struct sdb_member *m = sdb_member_origin(c->from->members[c->pick.inputs[i]]);
        m->ctx = c->db; /* the file goes with its last reader */
        m->dead = sdb_bury;
        struct sdb_table_stats stats;
        sdb_table_stats(m->table, &stats);
        sdb_tallies_retire(&t->tallies, stats.counts);
    }
    sdb_read_state_unref(sdb_tree_set_state(t, fresh));
    sdb_debt_note(t);
    sdb_cond_broadcast(&c->db->progress);
    return 0;
}

/* *listed: the manifest names the outputs, whatever the result. */
static int install(struct compaction *c, bool *listed, seerdb_err *err)
{
    seerdb *db = c->db;
    struct sdb_edit e = {0};
    struct sdb_version *version = NULL;
    struct sdb_member **removed = sdb_array_new(c->pick.n, sizeof removed[0]);
    if (removed == NULL)
        return sdb_fail_nomem(err, c->pick.n * sizeof removed[0]);
    for (size_t i = 0; i < c->pick.n; i++)
        removed[i] = c->from->members[c->pick.inputs[i]];
    sdb_lock_install(&db->install_lock);
    sdb_lock_db(&db->lock);
    bool dropped = c->tree->dropped;
    bool stale = sdb_snapshots_news_below(c->tree->snapshots, c->snapshots,
                                          c->rewrite.fold_floor);
    struct sdb_version *base = sdb_version_ref(c->tree->state->version);
    sdb_unlock_db(&db->lock);
    /* Versions change under LK_INSTALL only: it is still the one when it is published.
     */
    int rc =
        dropped ? sdb_fail(err, SEERDB_INTERRUPTED, "%s: the tree was dropped", db->dir)
        : stale
            ? sdb_fail(err, SEERDB_INTERRUPTED, /* db/snapshot.c */
                       "%s: a snapshot was taken that misses something", db->dir)
            : sdb_version_new(base,
                              &(struct sdb_version_change){.removed = removed,
                                                           .nremoved = c->pick.n,
                                                           .added = c->rewrite.outputs,
                                                           .nadded = c->rewrite.n},
                              &version, err);
    if (rc == 0) {
        build_edit(c, &e);
        if ((rc = SDB_FAIL_AT(compact_install, err)) == 0)
            rc = sdb_install(db, &e, err);
        *listed = rc == 0;
        SDB_PASS(compact_installed);
    }
    if (rc == 0) {
        sdb_lock_db(&db->lock);
        rc = publish(c, version, err);
        sdb_unlock_db(&db->lock);
        if (rc != 0) /* the manifest is ahead of us: only reopening is right */
            (void)sdb_break_for_good(db, err);
    }
    sdb_unlock_install(&db->install_lock);
    sdb_version_unref(version);
    sdb_version_unref(base);
    sdb_edit_fini(&e);
    sdb_mem_free(removed);
    return rc;
}

static void measure(const struct compaction *c, const struct sdb_event *e)
{
    seerdb_tree *t = c->tree;
    sdb_meter_add(&t->meter, SDB_OP_COMPACTION, e->duration_us * 1000);
    sdb_count(&t->written.compacted_from, e->bytes_in);
    sdb_count(&t->written.compacted, e->bytes_out);
}

static void tell_gc(seerdb *db, const struct sdb_gc *g, uint64_t began_us)
{
    struct sdb_event e = {.event = "gc",
                          .tree = g->tree->desc.id,
                          .duration_us = sdb_clock_mono_us() - began_us,
                          .bytes_in = g->bytes_before,
                          .bytes_out = g->bytes_after};
    snprintf(e.detail, sizeof e.detail, "%" PRIu64 " files of the value log", g->files);
    sdb_lock_db(&db->lock);
    sdb_events_add(db, &e);
    sdb_unlock_db(&db->lock);
}

/* Give back space of the value log; asked for, until nothing is worth it. */
static int collect(struct compaction *c, bool thorough, seerdb_err *err)
{
    int rc;
    struct sdb_gc g;
    do {
        uint64_t began_us = sdb_clock_mono_us();
        g = (struct sdb_gc){.tree = c->tree,
                            .mode = thorough ? SDB_GC_THOROUGH : SDB_GC_BOUND,
                            .look_up = look_up,
                            .ctx = c};
        rc = sdb_vlog_gc(&g, err);
        if (g.files > 0)
            tell_gc(c->db, &g, began_us);
        /* Of a small file the index may be more than a fifth: it never is worth it. */
    } while (rc == 0 && thorough && g.bytes_after < g.bytes_before);
    return rc;
}

/* Rows went with their tables, and none was looked at. */
static void count_dropped(const struct compaction *c)
{
    struct sdb_sieve *sieve = sdb_tree_job_sieve(c->tree);
    uint64_t rows = 0;
    for (size_t i = 0; i < c->pick.n; i++) {
        const struct sdb_table_desc *d = &c->from->members[c->pick.inputs[i]]->desc;
        uint64_t hidden = d->superseded + d->tombstones; /* some are both */
        rows += d->records > hidden ? d->records - hidden : 0;
    }
    atomic_fetch_add_explicit(&sieve->removed, rows, memory_order_relaxed);
}

static void tell(struct compaction *c, uint64_t began_us, int rc, const seerdb_err *why)
{
    seerdb *db = c->db;
    bool move = c->pick.kind == SDB_PICK_MOVE, drop = c->pick.kind == SDB_PICK_DROP;
    struct sdb_event e = {.event = move   ? "move"
                                   : drop ? "drop"
                                          : "compaction",
                          .tree = c->tree->desc.id,
                          .duration_us = sdb_clock_mono_us() - began_us,
                          .bytes_in = c->pick.bytes,
                          .bytes_out = c->rewrite.bytes};
    if (rc == 0 && drop) {
        snprintf(e.detail, sizeof e.detail, "%s: %zu tables, unread", c->pick.reason,
                 c->pick.n);
        count_dropped(c);
    } else if (rc == 0) {
        snprintf(e.detail, sizeof e.detail,
                 "%s: %zu tables of level %u into %zu of level %u", c->pick.reason,
                 c->pick.n, c->pick.level, c->rewrite.n, c->pick.output_level);
        atomic_fetch_add_explicit(move ? &db->counters.moves
                                       : &db->counters.compactions,
                                  1, memory_order_relaxed);
        if (!move && !drop)
            measure(c, &e);
    } else {
        e.event = rc == SEERDB_INTERRUPTED ? "cancelled" : "error";
        e.bytes_out = 0;
        snprintf(e.detail, sizeof e.detail, "%.*s", (int)sizeof e.detail - 1, why->msg);
        if (rc != SEERDB_INTERRUPTED)
            atomic_fetch_add_explicit(&db->counters.compaction_failures, 1,
                                      memory_order_relaxed);
    }
    sdb_lock_db(&db->lock);
    sdb_events_add(db, &e);
    sdb_unlock_db(&db->lock);
}

static int run(struct compaction *c, seerdb_err *err)
{
    bool listed = false;
    uint64_t began_us = sdb_clock_mono_us();
    seerdb_err why = {0};
    c->rewrite = (struct sdb_rewrite){.tree = c->tree,
                                      .from = c->from,
                                      .pick = &c->pick,
                                      .history_from = c->history_from,
                                      .now_us = c->policy.now_us,
                                      .snapshots = c->snapshots,
                                      .look_up = look_up,
                                      .ctx = c};
    bool merge = c->pick.kind == SDB_PICK_MERGE;
    int rc = SDB_FAIL_AT(compact_begin, &why);
    if (rc == 0 && c->pick.kind != SDB_PICK_DROP)
        rc = merge ? sdb_rewrite_run(&c->rewrite, &why) : move_tables(c, &why);
    if (rc == 0)
        rc = install(c, &listed, &why);
    /* Of a store that broke, the manifest may name the files: the next open knows. */
    if (merge && !listed && !atomic_load_explicit(&c->db->broken, memory_order_acquire))
        sdb_rewrite_abandon(&c->rewrite);
    tell(c, began_us, rc, &why);
    sdb_rewrite_fini(&c->rewrite);
    if (rc == 0) {
        SDB_PASS(compact_published);
        sdb_tree_map_tables(c->tree);
        sdb_lock_write(&c->db->write_lock);
        sdb_share_memory(c->db);
        sdb_unlock_write(&c->db->write_lock);
    }
    return rc == 0 ? 0 : sdb_fail_as(err, &why);
}

/* ---- the thread --------------------------------------------------------------------
 */

/* What was asked for of the tree before a visit is done, or failed; what was asked for
 * during it is not. */
static void answer(seerdb_tree *t, uint64_t asked) REQUIRES(LK_DB)
{
    t->debt.answered = asked;
    t->debt.full = asked != t->debt.asked;
    t->debt.gc = t->debt.gc && t->debt.full;
    t->debt.look = t->debt.look || t->debt.full;
    sdb_cond_broadcast(&t->db->progress);
}

/* Until there is something to do, as far as it is known now. */
static uint64_t time_to_wait(const struct compaction *c)
{
    const struct sdb_pick *pick = &c->pick;
    uint64_t history_us = c->db->history_us, wait_us = DUE_MOST_US;
    /* The history's beginning is known as exactly as its points are close. */
    if (pick->later)
        wait_us = history_us + 4 * (history_us / SDB_HISTORY_POINTS);
    if (pick->due_us != 0 && pick->due_us - c->policy.now_us < wait_us)
        wait_us = pick->due_us - c->policy.now_us;
    return wait_us;
}

static void settle(const struct compaction *c, int rc, const seerdb_err *why)
    REQUIRES(LK_DB)
{
    seerdb_tree *t = c->tree;
    const struct sdb_pick *pick = &c->pick;
    struct sdb_debt *d = &t->debt;
    uint64_t now = sdb_clock_mono_us(), pause = BACKOFF_FIRST_US;
    if (rc == 0) {
        d->failures = 0;
        d->why = (seerdb_err){0};
        if (pick->kind != SDB_PICK_NONE) {
            d->look = true; /* until nothing is left */
            return;
        }
        answer(t, c->asked);
        if (!d->look && (pick->later || pick->due_us != 0)) {
            d->look = true;
            d->look_at_us = now + time_to_wait(c);
        }
        return;
    }
    d->look = true;
    if (rc == SEERDB_INTERRUPTED)
        return;
    d->why = *why;
    for (unsigned i = 0; i < d->failures && pause < BACKOFF_LAST_US; i++)
        pause *= 2;
    if (rc == SEERDB_CORRUPT || rc == SEERDB_NEWER)
        pause = BACKOFF_LAST_US; /* it does not pass */
    d->failures++;
    d->look_at_us = now + pause;
    answer(t, c->asked);
}

/* The tree to look at now, with a count, or NULL and when to look again: the one with
 * most runs. */
static seerdb_tree *next_tree(seerdb *db, uint64_t *wait_us) REQUIRES(LK_DB)
{
    seerdb_tree *best = NULL;
    uint64_t now = sdb_clock_mono_us();
    uint32_t most = 0;
    if (db->compaction_paused || db->bg_err.code != 0)
        return NULL;
    for (seerdb_tree *t = db->trees; t != NULL; t = t->next) {
        uint32_t runs = t->state->version->nruns;
        uint64_t from = t->debt.look_at_us;
        if (t->dropped || !t->debt.look)
            continue;
        if (from > now) {
            if (from - now < *wait_us)
                *wait_us = from - now;
        } else if (best == NULL || runs > most) {
            best = t;
            most = runs;
        }
    }
    if (best != NULL)
        sdb_tree_ref(best);
    return best;
}

/* Do what the tree needs most. */
static void visit(seerdb *db, seerdb_tree *t) EXCLUDES(LK_WRITE, LK_INSTALL, LK_DB)
{
    struct compaction c = {.db = db, .tree = t};
    seerdb_err why = {0};
    if (t->marked) {
        sdb_lock_write(&db->write_lock);
        c.history_from = sdb_history_from(db);
        sdb_unlock_write(&db->write_lock);
    }
    c.policy = sdb_compact_policy(t, t->marked ? c.history_from : UINT64_MAX);
    sdb_lock_db(&db->lock);
    c.from = sdb_version_ref(t->state->version);
    c.snapshots = sdb_snapshots_ref(t->snapshots);
    c.policy.snapshots = sdb_snapshots_numbers(c.snapshots);
    c.policy.nsnapshots = sdb_snapshots_nnumbers(c.snapshots);
    c.policy.full = t->debt.full;
    if (c.from->values > VALUES_MORE * c.from->bytes)
        c.policy.trigger = L0_TRIGGER_VALUES;
    bool thorough = t->debt.gc;
    c.asked = t->debt.asked;
    t->debt.look = false;
    db->compacting = t;
    t->debt.look_at_us = 0;
    sdb_unlock_db(&db->lock);
    int rc = sdb_pick(c.from, &c.policy, &c.pick, &why);
    if (rc == 0 && c.pick.kind != SDB_PICK_NONE)
        rc = run(&c, &why);
    if (rc == 0) { /* the version at hand is not the newest any more */
        sdb_version_unref(c.from);
        c.from = NULL;
        rc = collect(&c, thorough && c.pick.kind == SDB_PICK_NONE, &why);
    }
    sdb_lock_db(&db->lock);
    settle(&c, rc, &why);
    db->compacting = NULL;
    sdb_cond_broadcast(&db->progress);
    sdb_unlock_db(&db->lock);
    sdb_pick_fini(&c.pick);
    sdb_version_unref(c.from);
    sdb_snapshots_unref(c.snapshots);
    sdb_empty_graveyard(db);
}

void *sdb_compactor_main(void *arg) NO_TSA
{
    seerdb *db = arg;
    sdb_thread_step_back();
    sdb_lock_db(&db->lock);
    while (!db->closing) {
        uint64_t wait_us = UINT64_MAX;
        seerdb_tree *t = next_tree(db, &wait_us);
        bool dead =
            atomic_load_explicit(&db->graveyard, memory_order_relaxed) != NULL ||
            sdb_values_any_dead(db->values);
        if (t == NULL && dead) { /* what readers held until now */
            sdb_unlock_db(&db->lock);
            sdb_empty_graveyard(db);
            sdb_lock_db(&db->lock);
        } else if (t == NULL && wait_us == UINT64_MAX) {
            sdb_cond_wait(&db->debt, &db->lock);
        } else if (t == NULL) {
            (void)sdb_cond_wait_ms(&db->debt, &db->lock, wait_us / 1000 + 1);
        } else {
            sdb_unlock_db(&db->lock);
            visit(db, t);
            sdb_tree_unref(t);
            sdb_lock_db(&db->lock);
        }
    }
    sdb_unlock_db(&db->lock);
    return NULL;
}

/* Go on with the policy that the tree was left with, as its runs tell: another one
 * would rewrite it before anything is known of how it is used this time. */
static void adapt_to_runs(seerdb_tree *t) REQUIRES(LK_DB)
{
    const struct sdb_version *v = t->state->version;
    uint32_t upper = 0, bottom = 0;
    for (uint32_t i = 0; i < v->nruns; i++) {
        bool again = i > 0 && v->runs[i].level == v->runs[i - 1].level;
        upper += again && v->runs[i].level > 0 && v->runs[i].level < SDB_BOTTOM;
        bottom += again && v->runs[i].level >= SDB_BOTTOM;
    }
    uint32_t policy = bottom > 0  ? SEERDB_TIERED
                      : upper > 0 ? SEERDB_LAZY
                                  : SEERDB_LEVELED;
    t->adapt.state.now = (enum seerdb_compaction)policy;
    atomic_store_explicit(&t->policy, policy, memory_order_relaxed);
}

int sdb_compact_begin(seerdb *db, seerdb_err *err)
{
    int rc = 0;
    sdb_lock_write(&db->write_lock);
    uint64_t history_from = sdb_history_from(db);
    sdb_unlock_write(&db->write_lock);
    sdb_lock_db(&db->lock);
    bool any = false;
    for (seerdb_tree *t = db->trees; t != NULL && rc == 0; t = t->next) {
        adapt_to_runs(t);
        struct sdb_policy p =
            sdb_compact_policy(t, t->marked ? history_from : UINT64_MAX);
        p.snapshots = sdb_snapshots_numbers(t->snapshots);
        p.nsnapshots = sdb_snapshots_nnumbers(t->snapshots);
        struct sdb_pick pick = {0};
        rc = sdb_pick(t->state->version, &p, &pick, err);
        t->debt.look =
            rc == 0 && (pick.kind != SDB_PICK_NONE || pick.later || pick.due_us != 0);
        t->debt.look_at_us = sdb_clock_mono_us() + BEGIN_AFTER_US;
        any = any || t->debt.look;
        sdb_pick_fini(&pick);
    }
    if (rc == 0 && any)
        (void)!sdb_debt_wake(db, NULL);
    sdb_unlock_db(&db->lock);
    return rc;
}

void sdb_compact_stop(seerdb *db) NO_TSA
{
    sdb_lock_db(&db->lock);
    db->closing = true;
    sdb_cond_signal(&db->debt);
    sdb_cond_broadcast(&db->progress);
    sdb_cond_broadcast(&db->slow);
    while (db->waiting > 0)
        sdb_cond_wait(&db->progress, &db->lock);
    sdb_unlock_db(&db->lock);
    sdb_thread_join(&db->compactor);
}

/* ---- what is asked for
 * ----------------------------------------------------------------- */

/* Ask for everything in one run, of one tree or of all. */
static void ask(seerdb *db, seerdb_tree *tree, bool gc) REQUIRES(LK_DB)
{
    for (seerdb_tree *t = db->trees; t != NULL; t = t->next)
        if (!t->dropped && (tree == NULL || t == tree)) {
            t->debt.asked++;
            t->debt.full = t->debt.look = true;
            t->debt.gc = t->debt.gc || gc;
            t->debt.look_at_us = 0;
        }
}

/* Wait for the answers.  The first failure counts. */
static int wait_for_answers(seerdb *db, seerdb_tree *tree, seerdb_err *err)
    REQUIRES(LK_DB)
{
    for (seerdb_tree *t = db->trees; t != NULL; t = t->next) {
        uint64_t asked = t->debt.asked;
        if (tree != NULL && t != tree)
            continue;
        while (!t->dropped && t->debt.answered < asked) {
            if (db->bg_err.code != 0)
                return sdb_fail_as(err, &db->bg_err);
            if (db->closing || db->compaction_paused)
                return sdb_fail(err, SEERDB_INTERRUPTED,
                                "%s: the compaction was cancelled", db->dir);
            int rc = sdb_wait_progress(db, err);
            if (rc != 0)
                return rc;
        }
        if (t->debt.why.code != 0)
            return sdb_fail_as(err, &t->debt.why);
    }
    return 0;
}

int sdb_compact_all(seerdb *db, seerdb_tree *tree, bool gc, seerdb_err *err)
{
    int rc;
    sdb_lock_db(&db->lock);
    if (db->compaction_paused)
        rc = sdb_fail(err, SEERDB_BUSY, "%s: compaction is paused", db->dir);
    else {
        db->waiting++;
        ask(db, tree, gc);
        if ((rc = sdb_debt_wake(db, err)) == 0)
            rc = wait_for_answers(db, tree, err);
        db->waiting--;
        sdb_cond_broadcast(&db->progress);
    }
    sdb_unlock_db(&db->lock);
    return rc;
}

void sdb_compact_pause(seerdb *db, bool paused)
{
    sdb_lock_db(&db->lock);
    db->compaction_paused = paused;
    sdb_cond_signal(&db->debt);
    sdb_cond_broadcast(&db->progress);
    sdb_unlock_db(&db->lock);
}
