/* SPDX-License-Identifier: Apache-2.0
 *
 * Merges in marked trees: commits that are rolled back, or turn out to have counted all
 * the same, readers of old markers, named snapshots, crashes. */
#include "marked_rig.h"

#include "merge_rig.h"

#define COMMITS   400u
#define SNAPSHOTS 3u

struct world {
    struct owner o;
    struct appender a;
    seerdb_merge_operator op;
    struct model m;
    struct map states[COMMITS]; /* what was committed, oldest first, */
    uint64_t numbers[COMMITS];  /* and the markers */
    unsigned n;
    struct {
        bool there;
        unsigned of; /* which state */
    } snapshots[SNAPSHOTS];
    size_t value_log;
    unsigned seen, gone; /* old states that could be read, or not */
};

static void open_world(struct world *w)
{
    seerdb_err err = {0};
    struct owner *o = &w->o;
    seerdb_options options = {.create = true,
                              .fs = o->fs,
                              .memory_limit = 1 << 20,
                              .log_file_size = 64 << 10,
                              .sizes = {.table = 4 << 10, .batch = 8 << 10},
                              .history_ms = o->history_ms};
    test_ok(seerdb_open("store", &options, &o->db, &err), &err);
    if (seerdb_tree_open(o->db, &o->tree_id, &o->tree, &err) == SEERDB_NOTFOUND) {
        seerdb_tree_options t = {.id = o->tree_id,
                                 .owner = o->id,
                                 .name = "t",
                                 .marked = true,
                                 .value_log = w->value_log,
                                 .merge = &w->op};
        test_ok(seerdb_tree_create(o->db, &t, &o->tree, &err), &err);
    }
    test_ok(seerdb_set_decider(o->db, &o->id, decide, o, &err), &err);
    if (pick(&w->m, 3) == 0) /* operands as they are */
        (void)seerdb_flush(o->db, o->tree, NULL);
    test_ok(seerdb_tree_merges_with(o->tree, &w->op, &err), &err);
    test_ok(seerdb_batch_new(o->db, &o->batch, &err), &err);
    w->m.t = o->tree;
}

static const struct map *now(const struct world *w)
{
    return &w->states[w->n - 1];
}

static void note_state(struct world *w, const struct map *m, uint64_t number)
{
    assert_true(w->n < COMMITS);
    w->states[w->n] = *m;
    w->numbers[w->n++] = number;
    w->o.marker = number;
}

/* The store is closed between prepare and the owner's decision, or after a rollback
 * that the owner's disk has swallowed. */
static void end_in_doubt(struct world *w, const struct map *m, uint64_t number,
                         bool rolled_back)
{
    seerdb_err err = {0};
    if (rolled_back)
        test_ok(seerdb_rollback(w->o.batch, &err), &err);
    close_store(&w->o);
    if (pick(&w->m, 2) == 0)
        note_state(w, m, number);
    open_world(w);
}

static void write_some(struct world *w)
{
    seerdb_err err = {0};
    seerdb_batch *b = w->o.batch;
    struct map m = *now(w);
    uint64_t number, mark = 0;
    struct map at_mark = m;
    test_ok(seerdb_batch_expect(b, w->o.tree, w->o.marker, 0, NULL, &err), &err);
    for (unsigned n = 1 + pick(&w->m, 8); n > 0; n--) {
        write_one(&w->m, b, &m);
        if (pick(&w->m, 10) == 0 && mark == 0) {
            mark = seerdb_batch_mark(b);
            at_mark = m;
        } else if (pick(&w->m, 10) == 0 && mark != 0) {
            seerdb_batch_rollback_to(b, mark);
            m = at_mark;
        } else if (pick(&w->m, 20) == 0) {
            test_ok(seerdb_batch_spill(b, &err), &err);
        }
    }
    test_ok(seerdb_prepare(b, SEERDB_SYNC_FULL, &number, &err), &err);
    unsigned what = pick(&w->m, 40);
    if (number == 0) { /* nothing stood */
        seerdb_commit(b);
    } else if (what < 30) {
        seerdb_commit(b);
        note_state(w, &m, number);
    } else if (what < 36) {
        test_ok(seerdb_rollback(b, &err), &err);
    } else {
        end_in_doubt(w, &m, number, what < 38);
    }
}

static void check_now(struct world *w)
{
    seerdb_err err = {0};
    seerdb_view *v = NULL;
    test_ok(seerdb_view_open_at(w->o.tree, w->o.marker, 0, &v, &err), &err);
    check(&w->m, v, NULL, 0, now(w));
    seerdb_view_close(v);
}

/* Who reads an old marker sees that state, or is told that it is gone. */
static void check_old(struct world *w)
{
    seerdb_err err = {0};
    seerdb_view *v = NULL;
    unsigned i = pick(&w->m, w->n);
    int rc = seerdb_view_open_at(w->o.tree, w->numbers[i], 0, &v, &err);
    if (rc == SEERDB_GONE || rc == SEERDB_MISMATCH) { /* before what is flushed */
        w->gone++;
        return;
    }
    test_ok(rc, &err);
    check(&w->m, v, NULL, 0, &w->states[i]);
    seerdb_view_close(v);
    w->seen++;
}

static void change_snapshot(struct world *w)
{
    seerdb_err err = {0};
    unsigned i = pick(&w->m, SNAPSHOTS);
    char name[8];
    snprintf(name, sizeof name, "s%u", i);
    if (w->snapshots[i].there) {
        test_ok(seerdb_snapshot_drop(w->o.tree, name, &err), &err);
        w->snapshots[i].there = false;
        return;
    }
    test_ok(seerdb_batch_expect(w->o.batch, w->o.tree, w->o.marker, 0, NULL, &err),
            &err);
    test_ok(seerdb_snapshot_create(w->o.tree, name, w->o.marker, 0, NULL, &err), &err);
    w->snapshots[i].there = true;
    w->snapshots[i].of = w->n - 1;
}

static void check_snapshots(struct world *w)
{
    seerdb_err err = {0};
    for (unsigned i = 0; i < SNAPSHOTS; i++) {
        char name[8];
        seerdb_view *v = NULL;
        snprintf(name, sizeof name, "s%u", i);
        if (!w->snapshots[i].there)
            continue;
        test_ok(seerdb_view_open_snapshot(w->o.tree, name, &v, &err), &err);
        check(&w->m, v, NULL, 0, &w->states[w->snapshots[i].of]);
        seerdb_view_close(v);
    }
}

/* Until everything is decided the tree stays in the log. */
static void work(struct world *w, int (*job)(seerdb *, seerdb_tree *, seerdb_err *))
{
    seerdb_err err = {0};
    int rc = job(w->o.db, w->o.tree, &err);
    if (rc != 0 && rc != SEERDB_BUSY)
        fail_msg("%s", err.msg);
}

static void one_history(uint64_t seed, unsigned steps, unsigned *seen, unsigned *gone)
{
    struct world *w = calloc(1, sizeof *w);
    assert_non_null(w);
    w->m.rand = (struct sdb_rand){seed};
    w->op = operator_of(&w->a, seed % FLAVOURS);
    w->value_log = seed % 4 < 2 ? 0 : 50;
    w->o = (struct owner){.fs = sdb_memfs_new(false), .decided = true};
    w->o.history_ms = seed % 2 == 0 ? 1 : 60000;
    w->o.id.bytes[0] = 1;
    w->o.tree_id.bytes[0] = 2;
    for (unsigned k = 0; k < KEYS; k++)
        w->states[0].keys[k].len = -1;
    w->n = 1; /* marker 0: nothing */
    open_world(w);
    unsigned calm = 2 + pick(&w->m, 20);
    for (unsigned i = 0; i < steps; i++) {
        write_some(w);
        if (pick(&w->m, calm) == 0)
            work(w, seerdb_flush);
        if (pick(&w->m, 4 * calm) == 0)
            work(w, seerdb_compact);
        if (pick(&w->m, 20) == 0 && w->n > 1)
            change_snapshot(w);
        if (pick(&w->m, 4) == 0)
            check_now(w);
        if (pick(&w->m, 4) == 0)
            check_old(w);
        if (pick(&w->m, 10) == 0)
            check_snapshots(w);
        if (pick(&w->m, 80) == 0) {
            close_store(&w->o);
            open_world(w);
        }
    }
    check_now(w);
    work(w, seerdb_compact);
    check_now(w);
    check_snapshots(w);
    *seen += w->seen;
    *gone += w->gone;
    close_store(&w->o);
    sdb_memfs_free(w->o.fs);
    free(w);
}

static void every_marker_shows_its_state_or_none(void **state)
{
    const char *rounds = getenv("MERGE_ROUNDS"), *first = getenv("MERGE_SEED");
    uint64_t from = first != NULL ? strtoull(first, NULL, 10) : 1;
    uint64_t n = rounds != NULL ? strtoull(rounds, NULL, 10) : 30;
    unsigned seen = 0, gone = 0;
    (void)state;
    for (uint64_t seed = from; seed < from + n; seed++) {
        if (rounds != NULL)
            print_message("seed %" PRIu64 "\n", seed);
        one_history(seed, 100, &seen, &gone);
    }
    assert_true(n < 10 || (seen > 0 && gone > 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_marker_shows_its_state_or_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
