/* SPDX-License-Identifier: Apache-2.0
 *
 * What takes long asks, ends when it is told to, and leaves everything as it was.
 * Counted in questions, not in time. */
#include "db/testing.h"

#include "os/clock.h"

#include <stdatomic.h>

#define KEYS 30000u

/* Says yes from its `at`th question on. */
struct asker {
    unsigned long at, calls;
};

static bool yes(void *ctx)
{
    struct asker *a = ctx;
    return ++a->calls >= a->at;
}

static const unsigned long never = (unsigned long)-1;

/* ---- moves ------------------------------------------------------------------------
 */

static void put_all(seerdb_batch *b, seerdb_tree *t, bool put)
{
    seerdb_err err = {0};
    char key[16];
    for (unsigned i = 0; i < KEYS; i++) {
        snprintf(key, sizeof key, "k%08u", i);
        test_ok(put ? seerdb_batch_put(b, t, test_slice(key), test_slice("v"), &err)
                    : seerdb_batch_delete(b, t, test_slice(key), &err),
                &err);
    }
}

static void commit_all(seerdb_tree *t, bool put)
{
    seerdb_err err = {0};
    seerdb_batch *b = new_batch(seerdb_tree_store(t));
    put_all(b, t, put);
    test_ok(seerdb_write(b, SEERDB_SYNC_OFF, &err), &err);
    seerdb_batch_free(b);
}

/* A tree whose old states can be read out of tables. */
static int decide(void *ctx, uint64_t below, seerdb_err *err)
{
    (void)ctx, (void)below, (void)err;
    return 0;
}

static seerdb_tree *create_marked(seerdb *db)
{
    seerdb_err err = {0};
    seerdb_tree *t = NULL;
    seerdb_tree_options o = {
        .id = uuid_of(1), .owner = uuid_of(2), .name = "t", .marked = true};
    test_ok(seerdb_tree_create(db, &o, &t, &err), &err);
    test_ok(seerdb_set_decider(db, &o.owner, decide, NULL, &err), &err);
    return t;
}

static uint64_t commit_marked(seerdb_batch *b, seerdb_tree *t, uint64_t marker)
{
    seerdb_err err = {0};
    test_ok(seerdb_batch_expect(b, t, marker, 0, NULL, &err), &err);
    test_ok(seerdb_prepare(b, SEERDB_SYNC_OFF, &marker, &err), &err);
    seerdb_commit(b);
    return marker;
}

enum layout {
    IN_MEMORY,   /* tombstones in the memtable */
    IN_A_TABLE,  /* in a table of their own */
    IN_A_BATCH,  /* in a batch, over a table */
    NEWER,       /* all of the keys are newer than the view */
    NEWER_TABLE, /* ... and in a table, with what it sees */
    RANGES,      /* a range tombstone, under a newer record in the same memtable */
    LAYOUTS
};

/* Between a and z, which are there, lie KEYS keys that are not. */
static seerdb_view *lay_out(seerdb_tree *t, enum layout layout, seerdb_batch *batch)
{
    seerdb *db = seerdb_tree_store(t);
    seerdb_err err = {0};
    seerdb_view *v = NULL;
    if (layout == NEWER_TABLE) {
        add(batch, t, "a=1 z=2");
        uint64_t marker = commit_marked(batch, t, 0);
        put_all(batch, t, true);
        (void)commit_marked(batch, t, marker);
        flush(db);
        test_ok(seerdb_view_open_at(t, marker, 0, &v, &err), &err);
        return v;
    }
    write_words(t, "a=1 z=2");
    if (layout == NEWER)
        v = new_view(t);
    commit_all(t, true);
    if (layout == IN_A_TABLE || layout == IN_A_BATCH)
        flush(db);
    if (layout == IN_A_BATCH)
        put_all(batch, t, false);
    else if (layout == IN_MEMORY || layout == IN_A_TABLE)
        commit_all(t, false);
    if (layout == IN_A_TABLE)
        flush(db);
    if (layout == RANGES) {
        write_words(t, "~k:l");
        write_words(t, "zz=3 -zz");
    }
    return v != NULL ? v : new_view(t);
}

static int first(seerdb_iter *it, seerdb_err *err)
{
    int rc = seerdb_iter_first(it, err);
    return rc != 0 ? rc : seerdb_iter_next(it, err); /* from a over the keys to z */
}

static int last(seerdb_iter *it, seerdb_err *err)
{
    int rc = seerdb_iter_last(it, err);
    return rc != 0 ? rc : seerdb_iter_prev(it, err); /* to a */
}

static int seek(seerdb_iter *it, seerdb_err *err)
{
    return seerdb_iter_seek(it, test_slice("b"), err);
}

static int seek_back(seerdb_iter *it, seerdb_err *err)
{
    return seerdb_iter_seek_for_prev(it, test_slice("y"), err);
}

static void a_move_over_keys_that_are_not_there_can_be_interrupted(void **state)
{
    static const struct {
        int (*move)(seerdb_iter *it, seerdb_err *err);
        const char *lands;
    } moves[] = {{first, "z"}, {last, "a"}, {seek, "z"}, {seek_back, "a"}};
    (void)state;
    for (enum layout layout = IN_MEMORY; layout < LAYOUTS; layout++) {
        struct bed b;
        seerdb_err err = {0};
        bed_init(&b);
        b.o.memory_limit = (size_t)64 << 20;
        b.o.log_file_size = (size_t)4 << 20;
        b.o.sizes.batch = b.o.sizes.table = 0;
        bed_open_ok(&b);
        test_ok(seerdb_pause(b.db, &err), &err);
        seerdb_tree *t =
            layout == NEWER_TABLE ? create_marked(b.db) : create_tree(b.db, 1);
        seerdb_batch *batch = new_batch(b.db);
        seerdb_view *v = lay_out(t, layout, batch);
        for (size_t i = 0; i < sizeof moves / sizeof moves[0]; i++) {
            struct asker a = {.at = never};
            seerdb_iter *it = NULL;
            seerdb_view_interrupt(v, &(seerdb_interrupt){yes, &a});
            test_ok(seerdb_iter_open(v, batch, SEERDB_BATCH_ALL, &it, &err), &err);
            test_ok(moves[i].move(it, &err), &err);
            test_slice_equal(seerdb_iter_key(it), test_slice(moves[i].lands));
            if (a.calls == 0)
                fail_msg("move %zu of layout %d: nobody was asked", i, layout);
            unsigned long calls = a.calls;
            for (unsigned long at = 1; at <= calls; at += calls / 4 + 1) {
                a = (struct asker){.at = at};
                test_ok(seerdb_iter_reopen(it, v, batch, SEERDB_BATCH_ALL, &err), &err);
                test_fails(moves[i].move(it, &err), SEERDB_INTERRUPTED, &err);
                assert_int_equal(a.calls, at); /* at once */
            }
            seerdb_view_interrupt(v, NULL);
            test_ok(seerdb_iter_reopen(it, v, batch, SEERDB_BATCH_ALL, &err), &err);
            test_ok(moves[i].move(it, &err), &err);
            test_slice_equal(seerdb_iter_key(it), test_slice(moves[i].lands));
            seerdb_iter_close(it);
        }
        seerdb_batch_free(batch);
        seerdb_view_close(v);
        seerdb_tree_close(t);
        bed_fini(&b);
    }
}

/* ---- waits ------------------------------------------------------------------------
 */

/* Background threads stop at tables while it is closed. */
static atomic_bool gate_closed;

static void stop_at_gate(void *ctx, enum sdb_fault_op op, const char *path)
{
    (void)ctx, (void)op;
    while (strstr(path, ".tbl") != NULL && atomic_load(&gate_closed))
        sdb_clock_sleep_us(1000);
}

static seerdb_tree *open_gated(struct bed *b)
{
    bed_new(b);
    atomic_store(&gate_closed, false);
    sdb_faultfs_observe(b->fs, stop_at_gate, NULL);
    return create_tree(b->db, 1);
}

static void who_waits_for_a_flush_can_leave_and_the_flush_goes_on(void **state)
{
    (void)state;
    struct bed b;
    seerdb_err err = {0};
    seerdb_tree *t = open_gated(&b);
    struct asker a = {.at = 3};
    const seerdb_interrupt by = {yes, &a};
    write_words(t, "a=1 b=2");
    atomic_store(&gate_closed, true);
    assert_null(seerdb_interrupt_by(&by));
    test_fails(seerdb_flush(b.db, t, &err), SEERDB_INTERRUPTED, &err);
    assert_int_equal(a.calls, 3);
    assert_ptr_equal(seerdb_interrupt_by(NULL), &by);
    expect(t, "a=1 b=2");
    atomic_store(&gate_closed, false);
    flush(b.db); /* waits for that one */
    assert_int_equal(stat_of(b.db, t, "tables"), 1);
    expect(t, "a=1 b=2");
    seerdb_tree_close(t);
    bed_fini(&b);
}

static bool add_runs(void *ctx, const seerdb_level *level)
{
    *(uint32_t *)ctx += level->runs;
    return true;
}

static uint32_t count_runs(seerdb_tree *t)
{
    seerdb_err err = {0};
    uint32_t n = 0;
    test_ok(seerdb_levels(t, add_runs, &n, &err), &err);
    return n;
}

static void who_waits_for_a_compaction_can_leave_and_it_goes_on(void **state)
{
    (void)state;
    struct bed b;
    seerdb_err err = {0};
    seerdb_tree *t = open_gated(&b);
    struct asker a = {.at = 3};
    write_words(t, "a=1 b=2");
    flush(b.db);
    write_words(t, "b=3 c=4");
    flush(b.db);
    assert_int_equal(count_runs(t), 2);
    atomic_store(&gate_closed, true);
    seerdb_interrupt_by(&(seerdb_interrupt){yes, &a});
    test_fails(seerdb_compact(b.db, t, &err), SEERDB_INTERRUPTED, &err);
    seerdb_interrupt_by(NULL);
    assert_int_equal(a.calls, 3);
    expect(t, "a=1 b=3 c=4");
    atomic_store(&gate_closed, false);
    for (int i = 0; i < 10000 && count_runs(t) > 1; i++)
        sdb_clock_sleep_us(1000);
    assert_int_equal(count_runs(t), 1); /* nobody asked again */
    expect(t, "a=1 b=3 c=4");
    seerdb_tree_close(t);
    bed_fini(&b);
}

static void a_commit_that_waits_for_memory_can_be_interrupted(void **state)
{
    (void)state;
    struct bed b;
    seerdb_err err = {0};
    seerdb_tree *t = open_gated(&b);
    struct asker a = {.at = 3};
    static char value[20000];
    char key[16] = "";
    int rc = 0;
    memset(value, 'v', sizeof value);
    atomic_store(&gate_closed, true);
    seerdb_batch *batch = new_batch(b.db);
    seerdb_batch_interrupt(batch, &(seerdb_interrupt){yes, &a});
    for (unsigned i = 0; i < 1000 && rc == 0; i++) {
        snprintf(key, sizeof key, "k%08u", i);
        test_ok(seerdb_batch_put(batch, t, test_slice(key),
                                 (seerdb_slice){value, sizeof value}, &err),
                &err);
        rc = seerdb_write(batch, SEERDB_SYNC_OFF, &err);
    }
    test_fails(rc, SEERDB_INTERRUPTED, &err);
    assert_int_equal(a.calls, 3);
    seerdb_view *v = new_view(t); /* not OK, so without effect */
    seerdb_value got;
    assert_int_equal(seerdb_get(v, NULL, 0, test_slice(key), &got, &err),
                     SEERDB_NOTFOUND);
    seerdb_view_close(v);
    atomic_store(&gate_closed, false);
    seerdb_batch_interrupt(batch, NULL);
    test_ok(seerdb_write(batch, SEERDB_SYNC_OFF, &err), &err); /* it kept its writes */
    v = new_view(t);
    test_ok(seerdb_get(v, NULL, 0, test_slice(key), &got, &err), &err);
    assert_int_equal(got.bytes.size, sizeof value);
    seerdb_pin_unref(got.pin);
    seerdb_view_close(v);
    seerdb_batch_free(batch);
    seerdb_tree_close(t);
    bed_fini(&b);
}

static void a_write_that_waits_for_another_can_be_interrupted(void **state)
{
    (void)state;
    struct bed b;
    seerdb_err err = {0};
    seerdb_tree *t = open_gated(&b);
    struct asker a = {.at = 2};
    seerdb_batch *holder = new_batch(b.db), *waiter = new_batch(b.db);
    add(holder, t, "a=1");
    add(waiter, t, "a=2");
    test_ok(seerdb_prepare(holder, SEERDB_SYNC_OFF, NULL, &err), &err);
    seerdb_batch_interrupt(waiter, &(seerdb_interrupt){yes, &a});
    test_fails(seerdb_write(waiter, SEERDB_SYNC_OFF, &err), SEERDB_INTERRUPTED, &err);
    assert_int_equal(a.calls, 2);
    seerdb_commit(holder);
    expect(t, "a=1");
    test_ok(seerdb_write(waiter, SEERDB_SYNC_OFF, &err), &err);
    expect(t, "a=2");
    assert_int_equal(a.calls, 2); /* nothing to wait for */
    seerdb_batch_free(holder);
    seerdb_batch_free(waiter);
    seerdb_tree_close(t);
    bed_fini(&b);
}

/* ---- work --------------------------------------------------------------------------
 */

static void verify_can_be_interrupted(void **state)
{
    (void)state;
    struct bed b;
    seerdb_err err = {0};
    seerdb_tree *t = open_gated(&b);
    struct asker a = {.at = never};
    seerdb_verify_report r;
    commit_all(t, true);
    flush(b.db);
    seerdb_interrupt_by(&(seerdb_interrupt){yes, &a});
    test_ok(seerdb_verify(b.db, t, &r, &err), &err);
    assert_true(a.calls >= r.blocks);
    for (unsigned long at = 1, calls = a.calls; at <= calls; at += calls / 5 + 1) {
        a = (struct asker){.at = at};
        test_fails(seerdb_verify(b.db, t, &r, &err), SEERDB_INTERRUPTED, &err);
        assert_int_equal(a.calls, at);
    }
    seerdb_interrupt_by(NULL);
    verify(b.db);
    seerdb_tree_close(t);
    bed_fini(&b);
}

static void a_spill_that_is_interrupted_leaves_the_batch_as_it_was(void **state)
{
    (void)state;
    struct bed b;
    seerdb_err err = {0};
    bed_init(&b);
    b.o.memory_limit = (size_t)256 << 20; /* it does not spill by itself */
    b.o.sizes.batch = 0;
    bed_open_ok(&b);
    seerdb_tree *t = create_tree(b.db, 1);
    seerdb_batch *batch = new_batch(b.db);
    struct asker a = {.at = 0};
    char key[16];
    seerdb_batch_interrupt(batch, &(seerdb_interrupt){yes, &a});
    put_all(batch, t, true);
    unsigned long at = 1;
    for (int rc = SEERDB_INTERRUPTED; rc != 0; at += 40) {
        a = (struct asker){.at = at};
        rc = seerdb_batch_spill(batch, &err);
        if (rc != 0) {
            test_fails(rc, SEERDB_INTERRUPTED, &err);
            assert_int_equal(files_of(&b, ".tbl").n, 0);
        }
    }
    assert_true(at > 80); /* it was asked while it wrote */
    assert_true(files_of(&b, ".tbl").n > 0);
    test_ok(seerdb_write(batch, SEERDB_SYNC_OFF, &err), &err);
    seerdb_view *v = new_view(t);
    seerdb_iter *it = NULL;
    test_ok(seerdb_iter_open(v, NULL, 0, &it, &err), &err);
    test_ok(seerdb_iter_first(it, &err), &err);
    for (unsigned i = 0; i < KEYS; i++) {
        snprintf(key, sizeof key, "k%08u", i);
        test_slice_equal(seerdb_iter_key(it), test_slice(key));
        assert_int_equal(seerdb_iter_next(it, &err),
                         i + 1 < KEYS ? 0 : SEERDB_NOTFOUND);
    }
    seerdb_iter_close(it);
    seerdb_view_close(v);
    seerdb_batch_free(batch);
    seerdb_tree_close(t);
    bed_fini(&b);
}

static void an_opening_that_is_interrupted_can_be_repeated(void **state)
{
    (void)state;
    struct bed b;
    seerdb_err err = {0};
    struct asker a = {.at = 0};
    bed_new_paused(&b);
    seerdb_tree *t = create_tree(b.db, 1);
    write_words(t, "a=1");
    flush(b.db); /* a table */
    write_words(t, "b=2");
    write_words(t, "c=3 -a");
    write_words(t, "d=4");
    seerdb_tree_close(t);
    bed_close(&b);
    seerdb_interrupt_by(&(seerdb_interrupt){yes, &a});
    unsigned long at = 0;
    for (int rc = SEERDB_INTERRUPTED; rc != 0;) {
        a = (struct asker){.at = ++at};
        rc = bed_open(&b, &err);
        if (rc != 0)
            test_fails(rc, SEERDB_INTERRUPTED, &err);
    }
    seerdb_interrupt_by(NULL);
    assert_true(at > 4); /* the table, and commits of the log */
    t = open_tree(b.db, 1);
    expect(t, "b=2 c=3 d=4");
    write_words(t, "e=5");
    expect(t, "b=2 c=3 d=4 e=5");
    verify(b.db);
    seerdb_tree_close(t);
    bed_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_move_over_keys_that_are_not_there_can_be_interrupted),
        cmocka_unit_test(who_waits_for_a_flush_can_leave_and_the_flush_goes_on),
        cmocka_unit_test(who_waits_for_a_compaction_can_leave_and_it_goes_on),
        cmocka_unit_test(a_commit_that_waits_for_memory_can_be_interrupted),
        cmocka_unit_test(a_write_that_waits_for_another_can_be_interrupted),
        cmocka_unit_test(verify_can_be_interrupted),
        cmocka_unit_test(a_spill_that_is_interrupted_leaves_the_batch_as_it_was),
        cmocka_unit_test(an_opening_that_is_interrupted_can_be_repeated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
