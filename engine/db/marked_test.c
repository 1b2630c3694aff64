/* SPDX-License-Identifier: Apache-2.0 */
#include "marked_rig.h"

#include "base/rand.h"
#include "os/clock.h"
#include "os/faultfs.h"
#include "os/thread.h"

#include <errno.h>

static void commits_count_as_far_as_the_marker_says(void **state)
{
    (void)state;
    struct owner *o = owner_new(0);
    uint64_t numbers[4];
    for (int i = 1; i <= 3; i++) {
        put(o, "k", i == 1 ? "one" : i == 2 ? "two" : "three");
        numbers[i] = o->marker;
    }
    reopen(o);
    expect_at(o, 0, "k", NULL);
    expect_at(o, numbers[1], "k", "one");
    expect_at(o, numbers[3], "k", "three");
    expect_at(o, numbers[2], "k", "two");
    o->marker = numbers[2]; /* the owner lost its last commit */
    put(o, "other", "x");
    expect_at(o, o->marker, "k", "two");
    expect_at(o, numbers[2], "other", NULL);
    reopen(o);
    expect_at(o, o->marker, "k", "two");
    expect_at(o, o->marker, "other", "x");
    owner_free(o);
}

static void a_rolled_back_commit_is_never_seen(void **state)
{
    (void)state;
    struct owner *o = owner_new(0);
    put(o, "k", "one");
    put_and_roll_back(o, "k", "never");
    expect_at(o, o->marker, "k", "one");
    reopen(o);
    expect_at(o, o->marker, "k", "one");
    put_and_roll_back(o, "k", "never");
    put(o, "j", "two");
    expect_at(o, o->marker, "k", "one");
    expect_at(o, o->marker, "j", "two");
    owner_free(o);
}

/* The owner reported a failure, but after the crash its commit is there. */
static void a_rolled_back_commit_that_the_owner_kept_is_kept(void **state)
{
    (void)state;
    struct owner *o = owner_new(0);
    put(o, "k", "one");
    uint64_t kept = put_and_roll_back(o, "k", "two");
    expect_at(o, kept, "k", "two"); /* even while the store stays open */
    expect_at(o, o->marker, "k", "one");
    reopen(o);
    expect_at(o, kept, "k", "two");
    o->marker = kept;
    put(o, "j", "three");
    expect_at(o, o->marker, "k", "two");
    owner_free(o);
}

static void a_store_that_lost_its_tail_goes_on_from_there(void **state)
{
    (void)state;
    seerdb_err err = {0};
    struct owner *o = owner_new(0);
    seerdb_marker_found found;
    put(o, "k", "one");
    reopen(o);
    o->marker += 5; /* commits that only the owner remembers */
    expect_at(o, o->marker, "k", "one");
    test_ok(seerdb_batch_expect(o->batch, o->tree, o->marker, 0, &found, &err), &err);
    assert_int_equal(found.state, SEERDB_MARKER_BEHIND);
    assert_int_equal(found.held, o->marker - 5);
    assert_int_equal(o->decisions, 0);
    expect_at(o, o->marker, "k", "one");
    test_ok(seerdb_batch_expect(o->batch, o->tree, o->marker, 0, &found, &err), &err);
    assert_int_equal(found.state, SEERDB_MARKER_CURRENT);
    assert_int_equal(o->decisions, 1);
    reopen(o);
    test_ok(seerdb_batch_expect(o->batch, o->tree, o->marker, 0, &found, &err), &err);
    assert_int_equal(found.state, SEERDB_MARKER_CURRENT);
    put(o, "k", "two");
    reopen(o);
    expect_at(o, o->marker, "k", "two");
    test_ok(seerdb_batch_expect(o->batch, o->tree, o->marker, 0, &found, &err), &err);
    assert_int_equal(found.state, SEERDB_MARKER_CURRENT);
    owner_free(o);
}

/* That the marker stands is a verdict: it is noted durably only once the owner has made
 * the state that it was read from durable.  A writer does not wait for that. */
static void rule_3_a_lost_tail_is_given_up_durably_only_after_the_decision(void **state)
{
    (void)state;
    seerdb_err err = {0};
    struct owner *o = owner_new(0);
    seerdb_marker_found found;
    put(o, "k", "one");
    uint64_t held = o->marker;
    o->marker += 5;
    for (int i = 0; i < 4; i++) { /* its disk fails; then it has no decider */
        reopen(o);
        o->decided = false;
        o->decisions = 0;
        if (i >= 2)
            test_ok(seerdb_set_decider(o->db, &o->id, NULL, NULL, &err), &err);
        test_ok(seerdb_batch_expect(o->batch, o->tree, o->marker, 0, &found, &err),
                &err);
        assert_int_equal(found.state, SEERDB_MARKER_BEHIND);
        assert_int_equal(found.held, held);
        expect_at(o, o->marker, "k", "one");
        /* Told once as long as the store is open. */
        for (int again = 0; again < 2; again++) {
            test_ok(seerdb_batch_expect(o->batch, o->tree, o->marker, 0, &found, &err),
                    &err);
            assert_int_equal(found.state, SEERDB_MARKER_CURRENT);
            assert_int_equal(o->decisions, i < 2);
        }
    }
    /* The next decision carries it: here, that of a flush. */
    test_ok(seerdb_set_decider(o->db, &o->id, decide, o, &err), &err);
    o->decided = true;
    test_ok(seerdb_flush(o->db, o->tree, &err), &err);
    reopen(o);
    test_ok(seerdb_batch_expect(o->batch, o->tree, o->marker, 0, &found, &err), &err);
    assert_int_equal(found.state, SEERDB_MARKER_CURRENT);
    put(o, "k", "two");
    reopen(o);
    expect_at(o, o->marker, "k", "two");
    owner_free(o);
}

/* The process dies before it can pass on what it was told, or the disk fails under it:
 * then the next one is told.  Whoever heard is not told again. */
static void rule_9_a_loss_is_told_until_somebody_has_heard(void **state)
{
    (void)state;
    seerdb_err err = {0};
    seerdb_marker_found found;
    uint64_t last = 0;
    for (uint64_t pass = 0; pass <= last; pass++) { /* operations before the failure */
        struct owner *o = owner_new(0);
        put(o, "k", "one");
        o->marker += 5;
        struct sdb_fs *mem = o->fs, *fault = sdb_faultfs_new(mem);
        close_store(o);
        o->fs = fault;
        open_store(o);
        test_ok(seerdb_batch_expect(o->batch, o->tree, o->marker, 0, &found, &err),
                &err);
        assert_int_equal(found.state, SEERDB_MARKER_BEHIND);
        if (pass % 2 == 1) /* the decision is not what is missing */
            test_ok(seerdb_flush(o->db, o->tree, &err), &err);
        reopen(o); /* it died */
        sdb_faultfs_arm(fault, &(struct sdb_fault){.ops = SDB_FAULT_ALL,
                                                   .after = pass,
                                                   .times = UINT64_MAX,
                                                   .error = EIO});
        int rc = seerdb_batch_expect(o->batch, o->tree, o->marker, 0, &found, &err);
        bool heard = rc == 0;
        assert_true(!heard || found.state == SEERDB_MARKER_BEHIND);
        rc = heard ? seerdb_batch_expect(o->batch, o->tree, o->marker, 0, &found, &err)
                   : rc;
        assert_true(rc != 0 || found.state == SEERDB_MARKER_CURRENT);
        last = sdb_faultfs_seen(fault); /* all of them passed: the last round */
        seerdb_batch_free(o->batch);
        test_ok(seerdb_set_decider(o->db, &o->id, NULL, NULL, &err), &err);
        seerdb_tree_close(o->tree);
        (void)seerdb_close(o->db, NULL);
        sdb_faultfs_arm(fault, &(struct sdb_fault){0});
        open_store(o);
        test_ok(seerdb_batch_expect(o->batch, o->tree, o->marker, 0, &found, &err),
                &err);
        assert_true(found.state == SEERDB_MARKER_BEHIND || heard);
        assert_true(found.state == SEERDB_MARKER_CURRENT || rc != 0);
        close_store(o);
        sdb_faultfs_free(fault);
        o->fs = mem;
        open_store(o);
        owner_free(o);
    }
    assert_true(last > 1);
}

/* What is known only now is older than what tables hold since: no number falls. */
static void rule_9_a_loss_is_heard_of_after_later_commits(void **state)
{
    (void)state;
    seerdb_err err = {0};
    seerdb_marker_found found;
    struct owner *o = owner_new(0);
    put(o, "k", "one");
    reopen(o);
    o->marker += 5;
    put(o, "j", "two");
    test_ok(seerdb_flush(o->db, o->tree, &err), &err);
    test_ok(seerdb_batch_expect(o->batch, o->tree, o->marker, 0, &found, &err), &err);
    assert_int_equal(found.state, SEERDB_MARKER_CURRENT);
    reopen(o);
    test_ok(seerdb_batch_expect(o->batch, o->tree, o->marker, 0, &found, &err), &err);
    assert_int_equal(found.state, SEERDB_MARKER_CURRENT);
    expect_at(o, o->marker, "k", "one");
    expect_at(o, o->marker, "j", "two");
    owner_free(o);
}

/* Nothing durable says that the tail was given up, and yet what is written next builds
 * upon what there is, through further cuts and flushes. */
static void rule_9_writing_goes_on_before_the_tail_is_given_up_durably(void **state)
{
    (void)state;
    seerdb_err err = {0};
    seerdb_marker_found found;
    struct owner *o = owner_new(0);
    put(o, "k", "one");
    for (int i = 0; i < 4; i++) {
        reopen(o);
        o->decided = false;
        o->marker += 5;
        put(o, "j", "x");
        uint64_t kept = put_and_roll_back(o, "l", i % 2 == 0 ? "never" : "kept");
        reopen(o);
        o->decided = false;
        if (i % 2 == 1)
            o->marker = kept;
        test_ok(seerdb_batch_expect(o->batch, o->tree, o->marker, 0, &found, &err),
                &err);
        assert_int_equal(found.state, SEERDB_MARKER_CURRENT);
        expect_at(o, o->marker, "k", "one");
        expect_at(o, o->marker, "j", "x");
        expect_at(o, o->marker, "l", i > 0 ? "kept" : NULL);
    }
    put(o, "m", "y");
    o->decided = true;
    test_ok(seerdb_flush(o->db, o->tree, &err), &err);
    reopen(o);
    expect_at(o, o->marker, "l", "kept");
    expect_at(o, o->marker, "m", "y");
    owner_free(o);
}

/* An older copy of the store has not reserved the numbers that its owner knows. */
static void a_number_that_the_owner_knows_is_not_given_out(void **state)
{
    (void)state;
    seerdb_err err = {0};
    seerdb_marker_found found;
    struct owner *o = owner_new(0);
    put(o, "k", "one");
    reopen(o);
    o->marker += UINT64_C(10000000);
    uint64_t lost = o->marker;
    assert_true(put_and_roll_back(o, "k", "never") > lost);
    reopen(o);
    expect_at(o, o->marker, "k", "one");
    put(o, "k", "two");
    assert_true(o->marker > lost);
    reopen(o);
    expect_at(o, o->marker, "k", "two");
    test_fails(seerdb_batch_expect(o->batch, o->tree, UINT64_MAX - 7, 0, &found, &err),
               SEERDB_MISMATCH, &err);
    put(o, "k", "three"); /* a damaged marker leaves no trace */
    assert_true(o->marker < lost + UINT64_C(10000000));
    owner_free(o);
}

/* Power cuts at NORMAL, again and again without a flush: each loses a tail. */
static void a_store_may_lose_its_tail_more_than_once(void **state)
{
    (void)state;
    seerdb_err err = {0};
    struct owner *o = owner_new(0);
    seerdb_marker_found found;
    put(o, "k", "one");
    for (int i = 0; i < 3; i++) {
        reopen(o);
        o->marker += 5;
        put(o, "j", "x");
        put_and_roll_back(o, "k", "never"); /* builds upon what there is, too */
        put(o, "l", "y");
    }
    reopen(o);
    expect_at(o, o->marker, "k", "one");
    expect_at(o, o->marker, "l", "y");
    o->marker += 5;
    uint64_t kept = put_and_roll_back(o, "k", "two");
    expect_at(o, kept, "k", "two");
    expect_at(o, o->marker, "k", "one");
    o->marker = kept;
    test_ok(seerdb_batch_expect(o->batch, o->tree, kept, 0, &found, &err), &err);
    assert_int_equal(found.state, SEERDB_MARKER_CURRENT);
    reopen(o);
    expect_at(o, o->marker, "k", "two");
    owner_free(o);
}

static void an_older_owner_is_refused_until_it_is_accepted(void **state)
{
    (void)state;
    seerdb_err err = {0};
    seerdb_view *view;
    struct owner *o = owner_new(0);
    put(o, "k", "one");
    uint64_t old = o->marker;
    put(o, "k", "two");
    put(o, "k", "three");
    test_ok(seerdb_batch_expect(o->batch, o->tree, o->marker, 0, NULL, &err), &err);
    test_ok(seerdb_flush(o->db, o->tree, &err), &err);
    reopen(o);
    o->marker = old;
    test_fails(seerdb_batch_expect(o->batch, o->tree, old, 0, NULL, &err),
               SEERDB_MISMATCH, &err);
    test_fails(seerdb_view_open_at(o->tree, old, 0, &view, &err), SEERDB_MISMATCH,
               &err);
    test_ok(seerdb_tree_accept(o->tree, &o->marker, &err), &err);
    expect_at(o, o->marker, "k", "three");
    put(o, "k", "four");
    reopen(o);
    expect_at(o, o->marker, "k", "four");
    owner_free(o);
}

/* What happened to a tree before its owner comes with the marker after `first`. */
static const struct {
    const char *what; /* p: a commit, r: one that is rolled back, a: accept,
                         d: one whose owner dies before it decides */
    size_t first;     /* so many of these the owner knows */
    bool told;
} lives[] = {
    {"p", 1, false},     {"ppp", 3, false},  {"pr", 1, false},
    {"prr", 1, false},   {"pd", 1, false},   {"prd", 1, false},
    {"pprpr", 4, false}, {"pp", 1, false}, /* as if its owner had died before it decided
                                            */
    {"ppp", 1, true},    {"ppr", 1, true},   {"prpp", 1, true},
    {"pppd", 2, true},   {"pap", 1, true},   {"papp", 1, true},
    {"pa", 1, false},    {"papp", 4, false}, {"papp", 3, false},
    {"pappp", 3, true},  {"pad", 2, false},
};

/* An older copy of the owner, or another one that took the tree over and went away. */
static void what_an_older_owner_gives_up_is_told(void **state)
{
    (void)state;
    seerdb_err err = {0};
    seerdb_marker_found found;
    for (size_t i = 0; i < sizeof lives / sizeof lives[0]; i++) {
        struct owner *o = owner_new(0);
        uint64_t known = 0, newest = 0;
        for (size_t k = 0; lives[i].what[k] != '\0'; k++) {
            char c = lives[i].what[k];
            if (c == 'a')
                test_ok(seerdb_tree_accept(o->tree, &o->marker, &err), &err);
            else if (c == 'p')
                put(o, "k", k < lives[i].first ? "known" : "given up");
            else
                newest = c == 'r' ? put_and_roll_back(o, "k", "never")
                                  : prepare(o, "k", "never");
            newest = c == 'p' ? o->marker : newest;
            known = k < lives[i].first ? o->marker : known;
        }
        for (int again = 0; again < 3; again++) {
            reopen(o);
            o->marker = known;
            if (again < 2) /* until it writes, every open tells */
                test_ok(seerdb_batch_expect(o->batch, o->tree, known, 0, &found, &err),
                        &err);
            if (again < 2 && found.given_up != (lives[i].told ? newest : 0))
                fail_msg("%s, %zu known: %" PRIu64 " given up", lives[i].what,
                         lives[i].first, found.given_up);
            expect_at(o, known, "k", "known");
            test_ok(seerdb_batch_expect(o->batch, o->tree, known, 0, &found, &err),
                    &err);
            assert_true(again == 2 || found.given_up == 0);
        }
        put(o, "j", "next");
        reopen(o);
        test_ok(seerdb_batch_expect(o->batch, o->tree, o->marker, 0, &found, &err),
                &err);
        assert_int_equal(found.given_up, 0);
        expect_at(o, o->marker, "k", "known");
        owner_free(o);
    }
}

/* The number that accept gives has no record: what is newest below it must not be a
 * commit that was rolled back. */
static void what_is_in_doubt_is_not_accepted(void **state)
{
    (void)state;
    seerdb_err err = {0};
    struct owner *o = owner_new(0);
    put(o, "k", "one");
    put_and_roll_back(o, "k", "doubtful");
    test_fails(seerdb_tree_accept(o->tree, &o->marker, &err), SEERDB_BUSY, &err);
    put(o, "j", "two");
    test_ok(seerdb_tree_accept(o->tree, &o->marker, &err), &err);
    reopen(o);
    expect_at(o, o->marker, "k", "one");
    expect_at(o, o->marker, "j", "two");
    put(o, "j", "three");
    reopen(o);
    expect_at(o, o->marker, "j", "three");
    owner_free(o);
}

static void old_markers_are_served_for_a_while(void **state)
{
    (void)state;
    seerdb_err err = {0};
    seerdb_view *view;
    struct owner *o = owner_new(0);
    put(o, "k", "one");
    uint64_t old = o->marker;
    put(o, "k", "two");
    test_ok(seerdb_flush(o->db, o->tree, &err), &err);
    expect_at(o, old, "k", "one");
    expect_at(o, o->marker, "k", "two");
    owner_free(o);

    o = owner_new(1);
    put(o, "k", "one");
    old = o->marker;
    put(o, "k", "two");
    uint64_t folded = o->marker;
    for (int i = 0; i < 3; i++) { /* a moment passes, other commits go by */
        sdb_clock_sleep_us(3000);
        put(o, i == 0 ? "a" : i == 1 ? "b" : "c", "x");
    }
    test_ok(seerdb_flush(o->db, o->tree, &err), &err);
    test_fails(seerdb_view_open_at(o->tree, old, 0, &view, &err), SEERDB_GONE, &err);
    expect_at(o, o->marker, "k", "two");
    reopen(o);
    test_ok(seerdb_batch_expect(o->batch, o->tree, o->marker, 0, NULL, &err), &err);
    test_fails(seerdb_view_open_at(o->tree, old, 0, &view, &err), SEERDB_GONE, &err);
    expect_at(o, folded, "k", "two");
    owner_free(o);
}

static void compaction_keeps_what_readers_of_the_last_seconds_see(void **state)
{
    (void)state;
    seerdb_err err = {0};
    seerdb_view *view;
    struct owner *o = owner_new(0);
    uint64_t markers[5];
    for (int i = 0; i < 5; i++) {
        char value[8];
        snprintf(value, sizeof value, "v%d", i);
        put(o, "k", value);
        markers[i] = o->marker;
        test_ok(seerdb_flush(o->db, o->tree, &err), &err);
    }
    test_ok(seerdb_compact(o->db, o->tree, &err), &err);
    for (int i = 0; i < 5; i++) {
        char value[8];
        snprintf(value, sizeof value, "v%d", i);
        expect_at(o, markers[i], "k", value);
    }
    owner_free(o);

    o = owner_new(1);
    put(o, "k", "one");
    uint64_t old = o->marker;
    test_ok(seerdb_flush(o->db, o->tree, &err), &err);
    put(o, "k", "two");
    test_ok(seerdb_view_open_at(o->tree, old, 0, &view, &err), &err);
    sdb_clock_sleep_us(3000);
    test_ok(seerdb_compact(o->db, o->tree, &err), &err);
    seerdb_value got; /* who is there stays */
    test_ok(seerdb_get(view, NULL, 0, test_slice("k"), &got, &err), &err);
    test_slice_equal(got.bytes, test_slice("one"));
    seerdb_pin_unref(got.pin);
    seerdb_view_close(view);
    test_fails(seerdb_view_open_at(o->tree, old, 0, &view, &err), SEERDB_GONE, &err);
    expect_at(o, o->marker, "k", "two");
    reopen(o); /* and the manifest knows */
    test_ok(seerdb_batch_expect(o->batch, o->tree, o->marker, 0, NULL, &err), &err);
    test_fails(seerdb_view_open_at(o->tree, old, 0, &view, &err), SEERDB_GONE, &err);
    owner_free(o);
}

struct wanted {
    const char *name;
    double value;
};

static bool take_stat(void *ctx, const seerdb_stat *stat)
{
    struct wanted *w = ctx;
    if (strcmp(stat->name, w->name) != 0)
        return true;
    w->value = stat->value;
    return false;
}

static double stat_of(seerdb *db, seerdb_tree *t, const char *name)
{
    seerdb_err err = {0};
    struct wanted w = {name, -1};
    test_ok(seerdb_stats(db, t, take_stat, &w, &err), &err);
    assert_true(w.value >= 0);
    return w.value;
}

static void stale_records_go_by_themselves_when_history_has_passed(void **state)
{
    (void)state;
    seerdb_err err = {0};
    struct owner *o = owner_new(200);
    for (int round = 0; round < 2; round++) {
        test_ok(seerdb_batch_expect(o->batch, o->tree, o->marker, 0, NULL, &err), &err);
        for (int i = 0; i < 500; i++) {
            char key[16];
            snprintf(key, sizeof key, "key%d", i);
            test_ok(seerdb_batch_put(o->batch, o->tree, test_slice(key),
                                     test_slice("value"), &err),
                    &err);
        }
        test_ok(seerdb_prepare(o->batch, SEERDB_SYNC_OFF, &o->marker, &err), &err);
        seerdb_commit(o->batch);
    }
    test_ok(seerdb_compact(o->db, o->tree, &err), &err);
    assert_int_equal(stat_of(o->db, o->tree, "table_records"), 1000);
    for (int i = 0; i < 3000 && stat_of(o->db, o->tree, "table_records") > 500; i++)
        sdb_clock_sleep_us(1000);
    assert_int_equal(stat_of(o->db, o->tree, "table_records"), 500);
    double done = stat_of(o->db, NULL, "compactions");
    sdb_clock_sleep_us(600000);
    assert_int_equal(stat_of(o->db, NULL, "compactions"), done); /* once */
    owner_free(o);
}

struct waiter {
    struct owner *o;
    uint64_t marker;
    int rc;
};

static void *wait_for_marker(void *arg)
{
    struct waiter *w = arg;
    seerdb_view *view = NULL;
    w->rc = seerdb_view_open_at(w->o->tree, w->marker, 10000, &view, NULL);
    seerdb_view_close(view);
    return NULL;
}

static void rule_14_a_reader_waits_for_a_publication_but_not_for_ever(void **state)
{
    (void)state;
    seerdb_err err = {0};
    seerdb_view *view;
    struct owner *o = owner_new(0);
    uint64_t number = prepare(o, "k", "one");
    test_fails(seerdb_view_open_at(o->tree, number, 20, &view, &err), SEERDB_BUSY,
               &err);
    struct waiter w = {o, number, -1};
    struct sdb_thread thread = {0};
    test_ok(sdb_thread_start(&thread, "waiter", wait_for_marker, &w, &err), &err);
    seerdb_commit(o->batch);
    sdb_thread_join(&thread);
    assert_int_equal(w.rc, 0);
    o->marker = number;
    owner_free(o);
}

static void the_place_of_an_owner_is_kept(void **state)
{
    (void)state;
    seerdb_err err = {0};
    seerdb_owner_place place = {1, 2, 3, 4, "/d/a.db"}, got;
    struct owner *o = owner_new(0);
    assert_int_equal(seerdb_owner_get_place(o->db, &o->id, &got, &err),
                     SEERDB_NOTFOUND);
    test_ok(seerdb_owner_set_place(o->db, &o->id, &place, &err), &err);
    place.inode = 5;
    test_ok(seerdb_owner_set_place(o->db, &o->id, &place, &err), &err);
    reopen(o);
    test_ok(seerdb_owner_get_place(o->db, &o->id, &got, &err), &err);
    assert_int_equal(got.device, 1);
    assert_int_equal(got.inode, 5);
    assert_int_equal(got.store_device, 3);
    assert_int_equal(got.store_inode, 4);
    assert_string_equal(got.path, "/d/a.db");
    seerdb_uuid other = {{77}};
    assert_int_equal(seerdb_owner_get_place(o->db, &other, &got, &err),
                     SEERDB_NOTFOUND);
    place.path[0] = '\0';
    test_fails(seerdb_owner_set_place(o->db, &o->id, &place, &err), SEERDB_MISUSE,
               &err);
    owner_free(o);
}

static void marked_and_unmarked_trees_do_not_mix(void **state)
{
    (void)state;
    seerdb_err err = {0};
    seerdb_tree *plain;
    struct owner *o = owner_new(0);
    test_ok(
        seerdb_tree_create(o->db, &(seerdb_tree_options){.name = "p"}, &plain, &err),
        &err);
    test_ok(seerdb_batch_put(o->batch, o->tree, test_slice("k"), test_slice("v"), &err),
            &err);
    test_fails(seerdb_prepare(o->batch, SEERDB_SYNC_OFF, NULL, &err), SEERDB_MISUSE,
               &err);
    test_ok(seerdb_batch_expect(o->batch, o->tree, 0, 0, NULL, &err), &err);
    test_fails(seerdb_write(o->batch, SEERDB_SYNC_OFF, &err), SEERDB_MISUSE, &err);
    test_ok(seerdb_batch_put(o->batch, plain, test_slice("k"), test_slice("v"), &err),
            &err);
    test_fails(seerdb_prepare(o->batch, SEERDB_SYNC_OFF, NULL, &err), SEERDB_MISUSE,
               &err);
    seerdb_tree_close(plain);
    owner_free(o);
}

/* ---- a history by dice --------------------------------------------------------- */

#ifdef __SANITIZE_THREAD__ /* every reopening starts and ends two threads: slow there  \
                            */
enum { NSEEDS = 10 };
#else
enum { NSEEDS = 40 };
#endif
enum { NKEYS = 6, NSTATES = 400 };

struct past {
    uint64_t marker;
    int values[NKEYS]; /* 0: no such key */
};

static void check_state(struct owner *o, const struct past *p)
{
    for (int k = 0; k < NKEYS; k++) {
        char key[16], value[16];
        snprintf(key, sizeof key, "key%d", k);
        snprintf(value, sizeof value, "%d", p->values[k]);
        expect_at(o, p->marker, key, p->values[k] != 0 ? value : NULL);
    }
}

/* One transaction of a few random writes; true when the owner's marker moved. */
static void random_commit(struct owner *o, struct sdb_rand *rand, int n,
                          struct past *now)
{
    seerdb_err err = {0};
    struct past next = *now;
    uint64_t number;
    test_ok(seerdb_batch_expect(o->batch, o->tree, o->marker, 0, NULL, &err), &err);
    for (uint64_t i = 1 + sdb_rand_below(rand, 3); i > 0; i--) {
        int k = (int)sdb_rand_below(rand, NKEYS), end = k;
        char key[16], value[16], to[16];
        snprintf(key, sizeof key, "key%d", k);
        snprintf(value, sizeof value, "%d", n);
        if (sdb_rand_below(rand, 5) == 0)
            end = k + 1 + (int)sdb_rand_below(rand, (uint64_t)(NKEYS - k));
        snprintf(to, sizeof to, "key%d", end);
        next.values[k] = sdb_rand_below(rand, 4) == 0 ? 0 : n;
        for (int gone = k; gone < end; gone++)
            next.values[gone] = 0;
        if (end > k)
            test_ok(seerdb_batch_delete_range(o->batch, o->tree, test_slice(key),
                                              test_slice(to), &err),
                    &err);
        else if (next.values[k] == 0)
            test_ok(seerdb_batch_delete(o->batch, o->tree, test_slice(key), &err),
                    &err);
        else
            test_ok(seerdb_batch_put(o->batch, o->tree, test_slice(key),
                                     test_slice(value), &err),
                    &err);
    }
    test_ok(seerdb_prepare(o->batch, SEERDB_SYNC_OFF, &number, &err), &err);
    next.marker = number;
    switch (sdb_rand_below(rand, 6)) {
    case 0: /* rolled back */
        test_ok(seerdb_rollback(o->batch, &err), &err);
        return;
    case 1: /* rolled back, crash, and the owner has it all the same */
        test_ok(seerdb_rollback(o->batch, &err), &err);
        reopen(o);
        break;
    case 2: /* crash before the owner's commit */
        reopen(o);
        return;
    default:
        seerdb_commit(o->batch);
    }
    o->marker = number;
    *now = next;
}

static void whatever_happens_a_marker_names_one_state(void **state)
{
    (void)state;
    seerdb_err err = {0};
    for (uint64_t seed = 1; seed <= NSEEDS; seed++) {
        struct owner *o = owner_new(0);
        struct sdb_rand rand = {seed};
        struct past *pasts = calloc(NSTATES + 1, sizeof *pasts);
        size_t n = 1, oldest = 0;
        for (int i = 1; i < NSTATES; i++) {
            struct past now = pasts[n - 1];
            random_commit(o, &rand, i, &now);
            if (now.marker != pasts[n - 1].marker)
                pasts[n++] = now;
            if (sdb_rand_below(&rand, 25) == 0) {
                test_ok(
                    seerdb_batch_expect(o->batch, o->tree, o->marker, 0, NULL, &err),
                    &err);
                int rc = seerdb_flush(o->db, o->tree, &err);
                assert_true(rc == 0 || rc == SEERDB_BUSY);
                err = (seerdb_err){0};
            }
            if (sdb_rand_below(&rand, 40) == 0) {
                int rc = seerdb_compact(o->db, o->tree, &err);
                assert_true(rc == 0 || rc == SEERDB_BUSY);
                err = (seerdb_err){0};
            }
            if (sdb_rand_below(&rand, 30) == 0) {
                reopen(o);
                oldest = n - 1; /* older markers may lie below the flushed ones */
            }
            if (sdb_rand_below(&rand, 10) == 0) {
                reopen(o); /* and a reader comes before any writer */
                oldest = n - 1;
                check_state(o, &pasts[n - 1]);
            }
            test_ok(seerdb_batch_expect(o->batch, o->tree, o->marker, 0, NULL, &err),
                    &err);
            check_state(o, &pasts[oldest + sdb_rand_below(&rand, n - oldest)]);
        }
        free(pasts);
        owner_free(o);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commits_count_as_far_as_the_marker_says),
        cmocka_unit_test(a_rolled_back_commit_is_never_seen),
        cmocka_unit_test(a_rolled_back_commit_that_the_owner_kept_is_kept),
        cmocka_unit_test(a_store_that_lost_its_tail_goes_on_from_there),
        cmocka_unit_test(
            rule_3_a_lost_tail_is_given_up_durably_only_after_the_decision),
        cmocka_unit_test(rule_9_a_loss_is_told_until_somebody_has_heard),
        cmocka_unit_test(rule_9_a_loss_is_heard_of_after_later_commits),
        cmocka_unit_test(rule_9_writing_goes_on_before_the_tail_is_given_up_durably),
        cmocka_unit_test(a_number_that_the_owner_knows_is_not_given_out),
        cmocka_unit_test(a_store_may_lose_its_tail_more_than_once),
        cmocka_unit_test(an_older_owner_is_refused_until_it_is_accepted),
        cmocka_unit_test(what_an_older_owner_gives_up_is_told),
        cmocka_unit_test(what_is_in_doubt_is_not_accepted),
        cmocka_unit_test(old_markers_are_served_for_a_while),
        cmocka_unit_test(compaction_keeps_what_readers_of_the_last_seconds_see),
        cmocka_unit_test(stale_records_go_by_themselves_when_history_has_passed),
        cmocka_unit_test(rule_14_a_reader_waits_for_a_publication_but_not_for_ever),
        cmocka_unit_test(the_place_of_an_owner_is_kept),
        cmocka_unit_test(marked_and_unmarked_trees_do_not_mix),
        cmocka_unit_test(whatever_happens_a_marker_names_one_state),
    };
    return cmocka_run_group_tests_name("marked", tests, NULL, NULL);
}
