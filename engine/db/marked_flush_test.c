/* SPDX-License-Identifier: Apache-2.0
 *
 * When commits of marked trees go to tables. */
#include "marked_rig.h"

#include "os/clock.h"
#include "os/thread.h"

#include <stdatomic.h>

static int always(void *ctx, uint64_t below, seerdb_err *err)
{
    (void)below;
    (void)ctx;
    (void)err;
    return 0;
}

struct stat_search {
    const char *name;
    double value;
};

static bool see_stat(void *ctx, const seerdb_stat *stat)
{
    struct stat_search *s = ctx;
    if (strcmp(stat->name, s->name) == 0)
        s->value = stat->value;
    return true;
}

static double test_stat(seerdb *db, seerdb_tree *tree, const char *name)
{
    seerdb_err err = {0};
    struct stat_search s = {.name = name, .value = -1};
    test_ok(seerdb_stats(db, tree, see_stat, &s, &err), &err);
    assert_true(s.value >= 0);
    return s.value;
}

/* COMMIT of both trees, which the owner keeps although it reports a rollback, as SQLite
 * does with the first of two database files when the second one fails. */
static uint64_t put_both_and_roll_back(struct owner *o, seerdb_tree *second)
{
    seerdb_err err = {0};
    uint64_t number;
    test_ok(seerdb_batch_expect(o->batch, o->tree, o->marker, 0, NULL, &err), &err);
    test_ok(seerdb_batch_expect(o->batch, second, 0, 0, NULL, &err), &err);
    test_ok(seerdb_batch_put(o->batch, o->tree, test_slice("a"), test_slice("1"), &err),
            &err);
    test_ok(seerdb_batch_put(o->batch, second, test_slice("c"), test_slice("3"), &err),
            &err);
    test_ok(seerdb_prepare(o->batch, SEERDB_SYNC_FULL, &number, &err), &err);
    test_ok(seerdb_rollback(o->batch, &err), &err);
    return number;
}

static void rule_1_what_one_tree_shows_decides_for_no_other(void **state)
{
    (void)state;
    seerdb_err err = {0};
    struct owner *o = owner_new(0);
    seerdb_tree *second = NULL, *first = o->tree;
    seerdb_tree_options options = {
        .id = {{3}}, .owner = o->id, .name = "second", .marked = true};
    test_ok(seerdb_tree_create(o->db, &options, &second, &err), &err);
    uint64_t kept = put_both_and_roll_back(o, second);
    o->marker = kept;
    put(o, "b", "2"); /* shows that the first tree's commit was kept */
    test_fails(seerdb_flush(o->db, second, &err), SEERDB_BUSY, &err);
    o->tree = second;
    expect_at(o, kept, "c", "3");
    /* Under its lock the owner shows that the second tree's was not: its next commit,
     * to whatever tree, makes that final. */
    test_ok(seerdb_batch_expect(o->batch, second, 0, 0, NULL, &err), &err);
    test_fails(seerdb_flush(o->db, second, &err), SEERDB_BUSY, &err);
    o->tree = first;
    put(o, "b", "4");
    test_ok(seerdb_flush(o->db, second, &err), &err);
    o->tree = second;
    expect_at(o, 0, "c", NULL);
    o->tree = first;
    seerdb_tree_close(second);
    owner_free(o);
}

static void rule_6_a_flush_follows_the_decision(void **state)
{
    (void)state;
    seerdb_err err = {0};
    struct owner *o = owner_new(0);
    put(o, "k", "one");
    o->decided = false;
    for (int i = 0; i < 3; i++) /* however often: the store goes on */
        test_fails(seerdb_flush(o->db, o->tree, &err), SEERDB_BUSY, &err);
    put(o, "l", "zero");
    o->decided = true;
    test_ok(seerdb_flush(o->db, o->tree, &err), &err);
    assert_true(o->decisions >= 2);
    put_and_roll_back(o, "k", "doubtful");
    put(o, "j", "two");
    uint64_t doubtful = put_and_roll_back(o, "k", "more doubtful");
    /* The last commit logged may yet count: nothing may go to tables past it. */
    test_fails(seerdb_flush(o->db, o->tree, &err), SEERDB_BUSY, &err);
    expect_at(o, doubtful, "k", "more doubtful");
    put(o, "l", "three");
    test_ok(seerdb_flush(o->db, o->tree, &err), &err);
    expect_at(o, o->marker, "k", "one");
    expect_at(o, o->marker, "j", "two");
    reopen(o);
    expect_at(o, o->marker, "k", "one");
    expect_at(o, o->marker, "l", "three");
    owner_free(o);
}

/* The owner's commit failed, but its bytes may be what a crash leaves behind, until the
 * next commit stands. */
static void rule_6_a_flush_does_not_pass_doubt_while_the_next_is_undecided(void **state)
{
    (void)state;
    seerdb_err err = {0};
    struct owner *o = owner_new(0);
    put(o, "k", "one");
    uint64_t doubtful = put_and_roll_back(o, "k", "doubtful");
    prepare(o, "k", "two");
    test_fails(seerdb_flush(o->db, o->tree, &err), SEERDB_BUSY, &err);
    test_ok(seerdb_rollback(o->batch, &err), &err);
    reopen(o);
    expect_at(o, doubtful, "k", "doubtful");
    expect_at(o, o->marker, "k", "one");
    owner_free(o);
}

/* An owner who decides in his own thread says up to where, and is asked no further. */
static void rule_6_a_flush_asks_for_the_commits_that_it_writes(void **state)
{
    (void)state;
    seerdb_err err = {0};
    struct owner *o = owner_new(0);
    o->decided = false;
    put(o, "k", "one");
    assert_true(o->marker < seerdb_commit_ceiling(o->db));
    test_fails(seerdb_flush(o->db, o->tree, &err), SEERDB_BUSY, &err);
    o->decided_below = o->marker; /* all but the last one */
    test_fails(seerdb_flush(o->db, o->tree, &err), SEERDB_BUSY, &err);
    o->decided_below = seerdb_commit_ceiling(o->db);
    put(o, "k", "two"); /* in another memtable by now */
    unsigned asked = o->decisions;
    seerdb_retry_flushes(o->db);
    while (test_stat(o->db, o->tree, "tables") < 1) /* without the pause of a failure */
        sdb_clock_sleep_us(1000);
    assert_int_equal(o->decisions, asked + 1);
    test_fails(seerdb_flush(o->db, o->tree, &err), SEERDB_BUSY, &err);
    o->decided_below = seerdb_commit_ceiling(o->db);
    test_ok(seerdb_flush(o->db, o->tree, &err), &err);
    reopen(o);
    expect_at(o, o->marker, "k", "two");
    owner_free(o);
}

/* A spilled commit parts the memtables of recovery: what lies before it goes to tables
 * no sooner than the rest. */
static void rule_6_a_flush_of_what_recovery_froze_asks_too(void **state)
{
    (void)state;
    seerdb_err err = {0};
    struct owner *o = owner_new(0);
    put(o, "k", "one");
    o->decided = false;
    test_ok(seerdb_batch_expect(o->batch, o->tree, o->marker, 0, NULL, &err), &err);
    test_ok(
        seerdb_batch_put(o->batch, o->tree, test_slice("l"), test_slice("two"), &err),
        &err);
    test_ok(seerdb_batch_spill(o->batch, &err), &err);
    test_ok(seerdb_prepare(o->batch, SEERDB_SYNC_FULL, &o->marker, &err), &err);
    seerdb_commit(o->batch);
    reopen(o);
    test_ok(seerdb_batch_expect(o->batch, o->tree, o->marker, 0, NULL, &err), &err);
    test_fails(seerdb_flush(o->db, o->tree, &err), SEERDB_BUSY, &err);
    assert_int_equal(test_stat(o->db, o->tree, "tables"), 0);
    o->decided_below = o->marker; /* what lies before the spilled one */
    test_fails(seerdb_flush(o->db, o->tree, &err), SEERDB_BUSY, &err);
    assert_int_equal(test_stat(o->db, o->tree, "tables"), 1);
    o->decided = true;
    test_ok(seerdb_flush(o->db, o->tree, &err), &err);
    expect_at(o, o->marker, "k", "one");
    expect_at(o, o->marker, "l", "two");
    owner_free(o);
}

/* Says no at first, and takes its time to say yes. */
static int decide_slowly(void *ctx, uint64_t below, seerdb_err *err)
{
    struct owner *o = ctx;
    (void)below;
    if (o->decisions++ % 2 == 0) {
        err->code = SEERDB_BUSY;
        return SEERDB_BUSY;
    }
    sdb_clock_sleep_us(20000);
    return 0;
}

static void writers_wait_for_a_flush_that_is_under_way_at_last(void **state)
{
    (void)state;
    seerdb_err err = {0};
    static char value[16 << 10];
    double most = 0;
    struct owner *o = owner_new(0);
    test_ok(seerdb_set_decider(o->db, &o->id, decide_slowly, o, &err), &err);
    memset(value, 'v', sizeof value - 1);
    for (int i = 0; i < 300; i++) {
        char key[16];
        snprintf(key, sizeof key, "%d", i);
        put(o, key, value);
        seerdb_retry_flushes(o->db);
        double memory = test_stat(o->db, o->tree, "memtable_memory");
        most = memory > most ? memory : most;
    }
    /* Two wait, one is written to, and a commit. */
    assert_true(most < 4 * (256 << 10));
    owner_free(o);
}

/* An owner whose decisions take their time. */
struct gate {
    _Atomic bool asked, open, done;
    seerdb *db;
    seerdb_tree *tree;
    int rc;
};

static int decide_at_gate(void *ctx, uint64_t below, seerdb_err *err)
{
    struct gate *g = ctx;
    (void)below;
    (void)err;
    atomic_store(&g->asked, true);
    while (!atomic_load(&g->open))
        sdb_clock_sleep_us(1000);
    return 0;
}

static void *write_to_gate(void *ctx)
{
    struct gate *g = ctx;
    seerdb_err err = {0};
    seerdb_batch *b = NULL;
    static char value[16 << 10];
    uint64_t marker = 0;
    memset(value, 'v', sizeof value - 1);
    g->rc = seerdb_batch_new(g->db, &b, &err);
    for (int i = 0, more = 4; more > 0 && g->rc == 0; i++) {
        sdb_clock_sleep_us(2000);       /* so that one memtable waits, not two */
        more -= atomic_load(&g->asked); /* its flush stands at the gate */
        char key[16];
        snprintf(key, sizeof key, "%d", i);
        if ((g->rc = seerdb_batch_expect(b, g->tree, marker, 0, NULL, &err)) == 0 &&
            (g->rc = seerdb_batch_put(b, g->tree, test_slice(key), test_slice(value),
                                      &err)) == 0 &&
            (g->rc = seerdb_prepare(b, SEERDB_SYNC_OFF, &marker, &err)) == 0)
            seerdb_commit(b);
    }
    seerdb_batch_free(b);
    atomic_store(&g->done, true);
    return NULL;
}

/* What cannot be flushed, because its owner is not there to decide, takes its memory;
 * to wait for that would be to wait for ever.  A writer waits for what is his own. */
static void memory_of_absent_owners_is_not_waited_for(void **state)
{
    (void)state;
    seerdb_err err = {0};
    static char value[16 << 10];
    struct owner *o = owner_new(0);
    struct gate g = {.db = o->db};
    seerdb_tree_options options = {.owner = {{9}}, .name = "other", .marked = true};
    memset(value, 'v', sizeof value - 1);
    test_ok(seerdb_set_decider(o->db, &o->id, NULL, NULL, &err), &err);
    for (int i = 0; i < 80; i++) {
        char key[16];
        snprintf(key, sizeof key, "%d", i);
        put(o, key, value);
    }
    double absent = test_stat(o->db, o->tree, "memtable_memory");
    assert_true(absent > 4 * (256 << 10));
    test_ok(seerdb_tree_create(o->db, &options, &g.tree, &err), &err);
    test_ok(seerdb_set_decider(o->db, &options.owner, decide_at_gate, &g, &err), &err);
    struct sdb_thread thread = {0};
    test_ok(sdb_thread_start(&thread, "writer", write_to_gate, &g, &err), &err);
    for (int i = 0; i < 5000 && !atomic_load(&g.done); i++)
        sdb_clock_sleep_us(1000);
    bool waited = !atomic_load(&g.done);
    assert_true(atomic_load(&g.asked));
    atomic_store(&g.open, true);
    sdb_thread_join(&thread);
    assert_int_equal(g.rc, 0);
    assert_false(waited);
    test_ok(seerdb_set_decider(o->db, &options.owner, NULL, NULL, &err), &err);
    seerdb_tree_close(g.tree);
    owner_free(o);
}

/* The table may never be written again: the owner's other commits end the doubt. */
static void commit_to(struct owner *o, seerdb_tree *tree, uint64_t *marker)
{
    seerdb_err err = {0};
    test_ok(seerdb_batch_expect(o->batch, tree, *marker, 0, NULL, &err), &err);
    test_ok(seerdb_batch_put(o->batch, tree, test_slice("a"), test_slice("b"), &err),
            &err);
    test_ok(seerdb_prepare(o->batch, SEERDB_SYNC_FULL, marker, &err), &err);
    test_fails(seerdb_flush(o->db, o->tree, &err), SEERDB_BUSY, &err);
    seerdb_commit(o->batch);
}

static void
rule_1_any_commit_after_the_owner_showed_its_marker_ends_the_doubt(void **state)
{
    (void)state;
    seerdb_err err = {0};
    seerdb_tree *sister;
    uint64_t marker = 0;
    struct owner *o = owner_new(0);
    seerdb_tree_options options = {.owner = o->id, .name = "sister", .marked = true};
    test_ok(seerdb_tree_create(o->db, &options, &sister, &err), &err);
    put(o, "k", "one");
    put_and_roll_back(o, "k", "doubtful");
    test_fails(seerdb_flush(o->db, o->tree, &err), SEERDB_BUSY, &err);
    commit_to(o, sister, &marker);
    test_fails(seerdb_flush(o->db, o->tree, &err), SEERDB_BUSY, &err);
    test_ok(seerdb_batch_expect(o->batch, o->tree, o->marker, 0, NULL, &err), &err);
    commit_to(o, sister, &marker);
    test_ok(seerdb_flush(o->db, o->tree, &err), &err);
    expect_at(o, o->marker, "k", "one");
    put(o, "j", "two");
    seerdb_tree_close(sister);
    reopen(o);
    expect_at(o, o->marker, "k", "one");
    expect_at(o, o->marker, "j", "two");
    owner_free(o);
}

/* What one owner holds back is no matter of another's. */
static void a_flush_waits_for_nobody_elses_decision(void **state)
{
    (void)state;
    seerdb_err err = {0};
    seerdb_tree *other;
    seerdb_batch *b;
    uint64_t number;
    struct owner *o = owner_new(0);
    seerdb_tree_options options = {.owner = {{9}}, .name = "other", .marked = true};
    put(o, "k", "one");
    o->decided = false;
    test_fails(seerdb_flush(o->db, o->tree, &err), SEERDB_BUSY, &err);
    test_ok(seerdb_tree_create(o->db, &options, &other, &err), &err);
    test_ok(seerdb_set_decider(o->db, &options.owner, always, NULL, &err), &err);
    test_ok(seerdb_batch_new(o->db, &b, &err), &err);
    for (uint64_t marker = 0; marker < 40; marker = number) {
        test_ok(seerdb_batch_expect(b, other, marker, 0, NULL, &err), &err);
        test_ok(seerdb_batch_put(b, other, test_slice("a"), test_slice("b"), &err),
                &err);
        test_ok(seerdb_prepare(b, SEERDB_SYNC_OFF, &number, &err), &err);
        seerdb_commit(b);
        test_ok(seerdb_flush(o->db, other, &err), &err);
        test_fails(seerdb_flush(o->db, NULL, &err), SEERDB_BUSY, &err);
    }
    seerdb_batch_free(b);
    seerdb_tree_close(other);
    test_ok(seerdb_set_decider(o->db, &options.owner, NULL, NULL, &err), &err);
    owner_free(o);
}

static void nothing_is_flushed_before_a_marker_is_shown(void **state)
{
    (void)state;
    seerdb_err err = {0};
    struct owner *o = owner_new(0);
    put(o, "k", "one");
    uint64_t first = o->marker;
    put(o, "k", "two");
    reopen(o);
    test_fails(seerdb_flush(o->db, o->tree, &err), SEERDB_BUSY, &err);
    o->marker = first;
    put(o, "j", "x");
    test_ok(seerdb_flush(o->db, o->tree, &err), &err);
    reopen(o);
    expect_at(o, o->marker, "k", "one");
    owner_free(o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rule_1_what_one_tree_shows_decides_for_no_other),
        cmocka_unit_test(rule_6_a_flush_follows_the_decision),
        cmocka_unit_test(
            rule_6_a_flush_does_not_pass_doubt_while_the_next_is_undecided),
        cmocka_unit_test(rule_6_a_flush_asks_for_the_commits_that_it_writes),
        cmocka_unit_test(rule_6_a_flush_of_what_recovery_froze_asks_too),
        cmocka_unit_test(writers_wait_for_a_flush_that_is_under_way_at_last),
        cmocka_unit_test(memory_of_absent_owners_is_not_waited_for),
        cmocka_unit_test(
            rule_1_any_commit_after_the_owner_showed_its_marker_ends_the_doubt),
        cmocka_unit_test(a_flush_waits_for_nobody_elses_decision),
        cmocka_unit_test(nothing_is_flushed_before_a_marker_is_shown),
    };
    return cmocka_run_group_tests_name("marked trees, flushed", tests, NULL, NULL);
}
