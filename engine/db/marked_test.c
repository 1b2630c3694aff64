/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/rand.h"
#include "os/clock.h"
#include "os/memfs.h"
#include "os/thread.h"

#include <stdlib.h>

/* The owner of a marked tree, as a database would be: its marker is the truth. */
struct owner {
    struct sdb_fs *fs;
    seerdb *db;
    seerdb_tree *tree;
    seerdb_batch *batch;
    seerdb_uuid id, tree_id;
    uint64_t marker;
    unsigned history_ms;
    unsigned decisions; /* asked of it */
    bool decided;       /* what it answers */
};

static int decide(void *ctx, seerdb_err *err)
{
    struct owner *o = ctx;
    o->decisions++;
    if (o->decided)
        return 0;
    err->code = SEERDB_IOERR;
    snprintf(err->msg, sizeof err->msg, "the owner's disk fails");
    return SEERDB_IOERR;
}

static int always(void *ctx, seerdb_err *err)
{
    (void)ctx;
    (void)err;
    return 0;
}

static void open_store(struct owner *o)
{
    seerdb_err err = {0};
    seerdb_options options = {.create = true,
                              .fs = o->fs,
                              .memory_limit = 1 << 20,
                              .log_file_size = 64 << 10,
                              .history_ms = o->history_ms};
    test_ok(seerdb_open("store", &options, &o->db, &err), &err);
    if (seerdb_tree_open(o->db, &o->tree_id, &o->tree, &err) == SEERDB_NOTFOUND) {
        seerdb_tree_options t = {
            .id = o->tree_id, .owner = o->id, .name = "t", .marked = true};
        test_ok(seerdb_tree_create(o->db, &t, &o->tree, &err), &err);
    }
    test_ok(seerdb_set_decider(o->db, &o->id, decide, o, &err), &err);
    test_ok(seerdb_batch_new(o->db, &o->batch, &err), &err);
}

static void close_store(struct owner *o)
{
    seerdb_err err = {0};
    seerdb_batch_free(o->batch);
    test_ok(seerdb_set_decider(o->db, &o->id, NULL, NULL, &err), &err);
    seerdb_tree_close(o->tree);
    test_ok(seerdb_close(o->db, &err), &err);
}

static void reopen(struct owner *o)
{
    close_store(o);
    open_store(o);
}

static struct owner *owner_new(unsigned history_ms)
{
    struct owner *o = calloc(1, sizeof *o);
    o->fs = sdb_memfs_new(false);
    o->id.bytes[0] = 1;
    o->tree_id.bytes[0] = 2;
    o->history_ms = history_ms;
    o->decided = true;
    open_store(o);
    return o;
}

static void owner_free(struct owner *o)
{
    close_store(o);
    sdb_memfs_free(o->fs);
    free(o);
}

/* Prepare a commit that sets key to value; returns its number. */
static uint64_t prepare(struct owner *o, const char *key, const char *value)
{
    seerdb_err err = {0};
    uint64_t number;
    test_ok(seerdb_batch_expect(o->batch, o->tree, o->marker, 0, NULL, &err), &err);
    test_ok(
        seerdb_batch_put(o->batch, o->tree, test_slice(key), test_slice(value), &err),
        &err);
    test_ok(seerdb_prepare(o->batch, SEERDB_SYNC_FULL, &number, &err), &err);
    return number;
}

static void put(struct owner *o, const char *key, const char *value)
{
    o->marker = prepare(o, key, value);
    seerdb_commit(o->batch);
}

static uint64_t put_and_roll_back(struct owner *o, const char *key, const char *value)
{
    seerdb_err err = {0};
    uint64_t number = prepare(o, key, value);
    test_ok(seerdb_rollback(o->batch, &err), &err);
    return number;
}

/* What a reader with this marker sees of key: value, or NULL for nothing. */
static void expect_at(struct owner *o, uint64_t marker, const char *key,
                      const char *value)
{
    seerdb_err err = {0};
    seerdb_view *view;
    seerdb_value got;
    test_ok(seerdb_view_open_at(o->tree, marker, 0, &view, &err), &err);
    int rc = seerdb_get(view, NULL, 0, test_slice(key), &got, &err);
    if (value == NULL) {
        assert_int_equal(rc, SEERDB_NOTFOUND);
    } else {
        test_ok(rc, &err);
        test_slice_equal(got.bytes, test_slice(value));
        seerdb_pin_unref(got.pin);
    }
    seerdb_view_close(view);
}

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

/* The table may never be written again: the owner's other commits end the doubt. */
static void rule_1_any_later_commit_of_the_owner_ends_the_doubt(void **state)
{
    (void)state;
    seerdb_err err = {0};
    seerdb_tree *sister;
    uint64_t number;
    struct owner *o = owner_new(0);
    seerdb_tree_options options = {.owner = o->id, .name = "sister", .marked = true};
    test_ok(seerdb_tree_create(o->db, &options, &sister, &err), &err);
    put(o, "k", "one");
    put_and_roll_back(o, "k", "doubtful");
    test_fails(seerdb_flush(o->db, o->tree, &err), SEERDB_BUSY, &err);
    test_ok(seerdb_batch_expect(o->batch, sister, 0, 0, NULL, &err), &err);
    test_ok(seerdb_batch_put(o->batch, sister, test_slice("a"), test_slice("b"), &err),
            &err);
    test_ok(seerdb_prepare(o->batch, SEERDB_SYNC_FULL, &number, &err), &err);
    test_fails(seerdb_flush(o->db, o->tree, &err), SEERDB_BUSY, &err);
    seerdb_commit(o->batch);
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

static void a_store_that_lost_its_tail_goes_on_from_there(void **state)
{
    (void)state;
    seerdb_err err = {0};
    struct owner *o = owner_new(0);
    enum seerdb_marker_state state_of;
    put(o, "k", "one");
    reopen(o);
    o->marker += 5; /* commits that only the owner remembers */
    expect_at(o, o->marker, "k", "one");
    test_ok(seerdb_batch_expect(o->batch, o->tree, o->marker, 0, &state_of, &err),
            &err);
    assert_int_equal(state_of, SEERDB_MARKER_BEHIND);
    expect_at(o, o->marker, "k", "one");
    reopen(o);
    test_ok(seerdb_batch_expect(o->batch, o->tree, o->marker, 0, &state_of, &err),
            &err);
    assert_int_equal(state_of, SEERDB_MARKER_CURRENT);
    put(o, "k", "two");
    reopen(o);
    expect_at(o, o->marker, "k", "two");
    test_ok(seerdb_batch_expect(o->batch, o->tree, o->marker, 0, &state_of, &err),
            &err);
    assert_int_equal(state_of, SEERDB_MARKER_CURRENT);
    owner_free(o);
}

/* Power cuts at NORMAL, again and again without a flush: each loses a tail. */
static void a_store_may_lose_its_tail_more_than_once(void **state)
{
    (void)state;
    seerdb_err err = {0};
    struct owner *o = owner_new(0);
    enum seerdb_marker_state state_of;
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
    test_ok(seerdb_batch_expect(o->batch, o->tree, kept, 0, &state_of, &err), &err);
    assert_int_equal(state_of, SEERDB_MARKER_CURRENT);
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
        put(o, "other", "x");
    }
    test_ok(seerdb_flush(o->db, o->tree, &err), &err);
    test_fails(seerdb_view_open_at(o->tree, old, 0, &view, &err), SEERDB_GONE, &err);
    expect_at(o, o->marker, "k", "two");
    reopen(o);
    test_ok(seerdb_batch_expect(o->batch, o->tree, o->marker, 0, NULL, &err), &err);
    test_fails(seerdb_view_open_at(o->tree, folded, 0, &view, &err), SEERDB_GONE, &err);
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
        int k = (int)sdb_rand_below(rand, NKEYS);
        char key[16], value[16];
        snprintf(key, sizeof key, "key%d", k);
        snprintf(value, sizeof value, "%d", n);
        next.values[k] = sdb_rand_below(rand, 4) == 0 ? 0 : n;
        if (next.values[k] == 0)
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
    for (uint64_t seed = 1; seed <= 40; seed++) {
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
        cmocka_unit_test(rule_6_a_flush_follows_the_decision),
        cmocka_unit_test(
            rule_6_a_flush_does_not_pass_doubt_while_the_next_is_undecided),
        cmocka_unit_test(rule_1_any_later_commit_of_the_owner_ends_the_doubt),
        cmocka_unit_test(a_flush_waits_for_nobody_elses_decision),
        cmocka_unit_test(nothing_is_flushed_before_a_marker_is_shown),
        cmocka_unit_test(a_store_that_lost_its_tail_goes_on_from_there),
        cmocka_unit_test(a_store_may_lose_its_tail_more_than_once),
        cmocka_unit_test(an_older_owner_is_refused_until_it_is_accepted),
        cmocka_unit_test(what_is_in_doubt_is_not_accepted),
        cmocka_unit_test(old_markers_are_served_for_a_while),
        cmocka_unit_test(rule_14_a_reader_waits_for_a_publication_but_not_for_ever),
        cmocka_unit_test(marked_and_unmarked_trees_do_not_mix),
        cmocka_unit_test(whatever_happens_a_marker_names_one_state),
    };
    return cmocka_run_group_tests_name("marked", tests, NULL, NULL);
}
