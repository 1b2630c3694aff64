/* SPDX-License-Identifier: Apache-2.0 */
#include "db/testing.h"

#include "os/clock.h"
#include "os/thread.h"

#include <stdatomic.h>

static void compact(seerdb *db)
{
    seerdb_err err = {0};
    test_ok(seerdb_compact(db, NULL, &err), &err);
}

/* `n` keys k<from>.. with values that say the round, in commits of 50. */
static void fill(seerdb_tree *t, unsigned from, unsigned n, unsigned round)
{
    seerdb_err err = {0};
    char key[16], value[128];
    for (unsigned i = 0; i < n;) {
        seerdb_batch *b = new_batch(seerdb_tree_store(t));
        for (unsigned k = 0; k < 50 && i < n; k++, i++) {
            snprintf(key, sizeof key, "k%08u", from + i);
            snprintf(value, sizeof value, "%-100u", round);
            test_ok(seerdb_batch_put(b, t, test_slice(key), test_slice(value), &err),
                    &err);
        }
        test_ok(seerdb_write(b, SEERDB_SYNC_OFF, &err), &err);
        seerdb_batch_free(b);
    }
}

/* Every key from .. from + n has the value of the round, and no other is there. */
static void expect_filled(seerdb_tree *t, unsigned from, unsigned n, unsigned round)
{
    seerdb_err err = {0};
    char key[16];
    seerdb_view *v = new_view(t);
    seerdb_iter *it = NULL;
    test_ok(seerdb_iter_open(v, NULL, 0, &it, &err), &err);
    int rc = seerdb_iter_first(it, &err);
    for (unsigned i = 0; i < n; i++) {
        test_ok(rc, &err);
        snprintf(key, sizeof key, "k%08u", from + i);
        test_slice_equal(seerdb_iter_key(it), test_slice(key));
        assert_int_equal(atoi(seerdb_iter_value(it).data), round);
        rc = seerdb_iter_next(it, &err);
    }
    assert_int_equal(rc, SEERDB_NOTFOUND);
    seerdb_iter_close(it);
    seerdb_view_close(v);
}

static void compacting_leaves_one_run_and_every_key(void **state)
{
    (void)state;
    struct bed b;
    bed_new(&b);
    seerdb_tree *t = create_tree(b.db, 1);
    for (unsigned round = 0; round < 6; round++) {
        fill(t, 0, 3000, round);
        flush(b.db);
    }
    compact(b.db);
    assert_int_equal(stat_of(b.db, t, "table_records"), 3000);
    expect_filled(t, 0, 3000, 5);
    verify(b.db);
    assert_soon(files_of(&b, ".tbl").n == (size_t)stat_of(b.db, t, "tables"));
    seerdb_tree_close(t);
    bed_close(&b);
    bed_open_ok(&b);
    t = open_tree(b.db, 1);
    expect_filled(t, 0, 3000, 5);
    seerdb_tree_close(t);
    bed_fini(&b);
}

static void deleted_keys_leave_nothing_behind(void **state)
{
    (void)state;
    struct bed b;
    bed_new(&b);
    seerdb_tree *t = create_tree(b.db, 1);
    write_words(t, "a=1 b=2 c=3");
    flush(b.db);
    write_words(t, "-a -b -c");
    compact(b.db);
    assert_int_equal(stat_of(b.db, t, "tables"), 0);
    assert_soon(files_of(&b, ".tbl").n == 0);
    expect(t, "");
    seerdb_tree_close(t);
    bed_fini(&b);
}

/* Wait until no compaction is due or running. */
static void settle(seerdb *db)
{
    for (unsigned i = 0; i < 10000; i++) {
        if (stat_of(db, NULL, "background_busy") == 0 && i > 20)
            return;
        sdb_clock_sleep_us(1000);
    }
    fail_msg("compaction does not end");
}

static bool add_runs(void *ctx, const seerdb_level *level)
{
    *(uint32_t *)ctx += level->runs;
    return true;
}

static uint32_t runs_of(seerdb_tree *t)
{
    seerdb_err err = {0};
    uint32_t runs = 0;
    test_ok(seerdb_levels(t, add_runs, &runs, &err), &err);
    return runs;
}

static void runs_stay_few_by_themselves(void **state)
{
    static const enum seerdb_compaction kinds[] = {SEERDB_LEVELED, SEERDB_LAZY,
                                                   SEERDB_TIERED};
    (void)state;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        struct bed b;
        seerdb_err err = {0};
        seerdb_tree *t = NULL;
        bed_new(&b);
        test_ok(seerdb_tree_create(
                    b.db,
                    &(seerdb_tree_options){.id = uuid_of(1), .compaction = kinds[i]},
                    &t, &err),
                &err);
        assert_int_equal(seerdb_tree_describe(t).compaction, kinds[i]);
        for (unsigned round = 0; round < 60; round++) {
            fill(t, (round * 97) % 400, 200, round);
            flush(b.db);
        }
        settle(b.db);
        assert_true(runs_of(t) < (kinds[i] == SEERDB_LEVELED ? 12 : 24));
        assert_true(stat_of(b.db, NULL, "compactions") > 5);
        verify(b.db);
        assert_soon(files_of(&b, ".tbl").n == (size_t)stat_of(b.db, t, "tables"));
        seerdb_tree_close(t);
        bed_close(&b);
        bed_open_ok(&b);
        t = open_tree(b.db, 1);
        assert_int_equal(seerdb_tree_describe(t).compaction, kinds[i]);
        compact(b.db);
        assert_int_equal(runs_of(t), 1);
        seerdb_tree_close(t);
        bed_fini(&b);
    }
}

static void rising_keys_are_moved_and_not_written_again(void **state)
{
    (void)state;
    struct bed b;
    bed_new(&b);
    seerdb_tree *t = create_tree(b.db, 1);
    for (unsigned i = 0; i < 20; i++) {
        fill(t, i * 100, 100, 7);
        flush(b.db);
    }
    settle(b.db);
    assert_true(stat_of(b.db, NULL, "moves") >= 16);
    assert_int_equal(stat_of(b.db, NULL, "compactions"), 0);
    assert_int_equal(stat_of(b.db, NULL, "compaction_written"), 0);
    expect_filled(t, 0, 2000, 7);
    seerdb_tree_close(t);
    bed_close(&b);
    bed_open_ok(&b); /* the manifest says the same */
    t = open_tree(b.db, 1);
    assert_true(runs_of(t) <= 4);
    expect_filled(t, 0, 2000, 7);
    verify(b.db);
    seerdb_tree_close(t);
    bed_fini(&b);
}

static void readers_keep_what_they_opened(void **state)
{
    (void)state;
    struct bed b;
    seerdb_err err = {0};
    seerdb_iter *it = NULL;
    bed_new(&b);
    seerdb_tree *t = create_tree(b.db, 1);
    fill(t, 0, 500, 1);
    flush(b.db);
    seerdb_view *v = new_view(t);
    test_ok(seerdb_iter_open(v, NULL, 0, &it, &err), &err);
    int rc = seerdb_iter_first(it, &err);
    for (unsigned i = 0; i < 500; i++) {
        test_ok(rc, &err);
        if (i % 100 == 50) { /* under the iterator's feet */
            fill(t, 0, 600, 2 + i);
            compact(b.db);
        }
        assert_int_equal(atoi(seerdb_iter_value(it).data), 1);
        rc = seerdb_iter_next(it, &err);
    }
    assert_int_equal(rc, SEERDB_NOTFOUND);
    assert_true(files_of(&b, ".tbl").n > (size_t)stat_of(b.db, t, "tables"));
    seerdb_iter_close(it);
    seerdb_view_close(v);
    expect_filled(t, 0, 600, 452);
    compact(b.db); /* empties the graveyard */
    fill(t, 0, 1, 452);
    compact(b.db);
    assert_soon(files_of(&b, ".tbl").n == (size_t)stat_of(b.db, t, "tables"));
    seerdb_tree_close(t);
    bed_fini(&b);
}

/* The last reader writes nothing and waits for nobody. */
static void what_only_a_reader_held_goes_when_it_ends(void **state)
{
    (void)state;
    struct bed b;
    bed_new(&b);
    seerdb_tree *t = create_tree(b.db, 1);
    fill(t, 0, 500, 1);
    flush(b.db);
    seerdb_view *v = new_view(t);
    fill(t, 0, 500, 2);
    compact(b.db);
    size_t tables = (size_t)stat_of(b.db, t, "tables");
    assert_true(files_of(&b, ".tbl").n > tables);
    seerdb_view_close(v);
    assert_soon(files_of(&b, ".tbl").n == tables);
    expect_filled(t, 0, 500, 2);
    seerdb_tree_close(t);
    bed_fini(&b);
}

struct caller {
    struct sdb_thread thread;
    seerdb *db;
    int rc;
    _Atomic bool done; /* release here, acquire in whoever polls */
};

static void *call_compact(void *arg)
{
    struct caller *c = arg;
    c->rc = seerdb_compact(c->db, NULL, NULL);
    atomic_store_explicit(&c->done, true, memory_order_release);
    return NULL;
}

/* Stops compactions at their first write until it is let go. */
struct gate {
    _Atomic bool closed, reached; /* release and acquire */
};

static void wait_at_gate(void *ctx, enum sdb_fault_op op, const char *path)
{
    struct gate *g = ctx;
    (void)op;
    if (strstr(path, ".tbl") == NULL)
        return;
    while (atomic_load_explicit(&g->closed, memory_order_acquire)) {
        atomic_store_explicit(&g->reached, true, memory_order_release);
        sdb_clock_sleep_us(200);
    }
}

/* A compaction of two runs of the tree is under way, and stands at the gate. */
static void begin_compaction(struct bed *b, seerdb_tree *t, struct gate *g,
                             struct caller *c)
{
    seerdb_err err = {0};
    fill(t, 0, 1000, 1);
    flush(b->db);
    fill(t, 0, 1000, 2);
    flush(b->db);
    *g = (struct gate){.closed = true};
    *c = (struct caller){.db = b->db};
    sdb_faultfs_observe(b->fs, wait_at_gate, g);
    test_ok(sdb_thread_start(&c->thread, "caller", call_compact, c, &err), &err);
    while (!atomic_load_explicit(&g->reached, memory_order_acquire))
        sdb_clock_sleep_us(200);
}

static void open_gate(struct bed *b, struct gate *g)
{
    atomic_store_explicit(&g->closed, false, memory_order_release);
    (void)b;
}

static void a_tree_can_be_dropped_while_it_is_compacted(void **state)
{
    (void)state;
    struct bed b;
    struct gate g;
    struct caller c;
    seerdb_err err = {0};
    bed_new(&b);
    seerdb_tree *t = create_tree(b.db, 1);
    begin_compaction(&b, t, &g, &c);
    test_ok(seerdb_tree_intend_drop(t, &err), &err);
    test_ok(seerdb_tree_drop(t, &err), &err);
    open_gate(&b, &g);
    sdb_thread_join(&c.thread);
    assert_int_equal(c.rc, 0); /* nothing is left to compact */
    sdb_faultfs_observe(b.fs, NULL, NULL);
    settle(b.db);
    assert_soon(files_of(&b, ".tbl").n == 0);
    bed_fini(&b);
}

static void commits_flushes_and_reads_go_on_beside_a_compaction(void **state)
{
    (void)state;
    struct bed b;
    struct gate g;
    struct caller c;
    bed_new(&b);
    seerdb_tree *t = create_tree(b.db, 1);
    begin_compaction(&b, t, &g, &c);
    write_words(t, "k00000003=3 new=4");
    expect_key(t, "k00000003", "3");
    expect_key(t, "new", "4");
    open_gate(&b, &g);
    flush(b.db);
    sdb_thread_join(&c.thread);
    assert_int_equal(c.rc, 0);
    sdb_faultfs_observe(b.fs, NULL, NULL);
    expect_key(t, "k00000003", "3");
    compact(b.db);
    expect_key(t, "k00000003", "3");
    expect_key(t, "new", "4");
    assert_int_equal(stat_of(b.db, t, "table_records"), 1001);
    verify(b.db);
    seerdb_tree_close(t);
    bed_fini(&b);
}

static void pausing_ends_a_compaction_and_keeps_its_inputs(void **state)
{
    (void)state;
    struct bed b;
    struct gate g;
    struct caller c;
    seerdb_err err = {0};
    bed_new(&b);
    seerdb_tree *t = create_tree(b.db, 1);
    begin_compaction(&b, t, &g, &c);
    test_ok(seerdb_pause(b.db, &err), &err);
    open_gate(&b, &g);
    sdb_thread_join(&c.thread);
    assert_int_equal(c.rc, SEERDB_INTERRUPTED);
    sdb_faultfs_observe(b.fs, NULL, NULL);
    test_fails(seerdb_compact(b.db, t, &err), SEERDB_BUSY, &err);
    settle(b.db);
    uint32_t runs = runs_of(t);
    assert_true(runs >= 2);
    assert_soon(files_of(&b, ".tbl").n == (size_t)stat_of(b.db, t, "tables"));
    for (unsigned i = 0; i < 8; i++) {
        fill(t, 0, 10, 3);
        flush(b.db);
    }
    assert_int_equal(runs_of(t), runs + 8); /* flushes go on, compaction does not */
    test_ok(seerdb_continue(b.db, &err), &err);
    compact(b.db);
    assert_int_equal(runs_of(t), 1);
    seerdb_tree_close(t);
    bed_fini(&b);
}

static void closing_ends_a_compaction_and_keeps_its_inputs(void **state)
{
    (void)state;
    struct bed b;
    bed_new(&b);
    seerdb_tree *t = create_tree(b.db, 1);
    for (unsigned i = 0; i < 6; i++) {
        fill(t, 0, 3000, i);
        flush(b.db);
    }
    seerdb_tree_close(t);
    bed_close(&b); /* wherever it was */
    bed_open_ok(&b);
    t = open_tree(b.db, 1);
    assert_soon(files_of(&b, ".tbl").n == (size_t)stat_of(b.db, t, "tables"));
    expect_filled(t, 0, 3000, 5);
    seerdb_tree_close(t);
    bed_fini(&b);
}

static bool last_error(void *ctx, const seerdb_event *event)
{
    if (strcmp(event->event, "error") == 0)
        snprintf(ctx, 200, "%s", event->detail);
    return true;
}

static void a_full_disk_fails_the_compaction_and_nothing_else(void **state)
{
    (void)state;
    struct bed b;
    seerdb_err err = {0};
    char told[200] = "";
    bed_new(&b);
    seerdb_tree *t = create_tree(b.db, 1);
    fill(t, 0, 1000, 1);
    flush(b.db);
    fill(t, 0, 1000, 2);
    flush(b.db);
    fault(&b, (struct sdb_fault){.ops = SDB_FAULT_WRITE,
                                 .match = ".tbl",
                                 .times = UINT64_MAX,
                                 .error = 28});
    test_fails(seerdb_compact(b.db, t, &err), SEERDB_FULL, &err);
    write_words(t, "more=1"); /* commits go on */
    expect_key(t, "k00000007",
               "2                                                   "
               "                                                ");
    test_ok(seerdb_events(b.db, t, last_error, told, &err), &err);
    assert_non_null(strstr(told, "No space left"));
    assert_true(runs_of(t) > 1);
    assert_soon(files_of(&b, ".tbl").n == (size_t)stat_of(b.db, t, "tables"));
    assert_true(stat_of(b.db, NULL, "compaction_failures") >= 1);
    fault(&b, (struct sdb_fault){0});
    compact(b.db);
    assert_int_equal(runs_of(t), 1);
    assert_soon(files_of(&b, ".tbl").n == (size_t)stat_of(b.db, t, "tables"));
    seerdb_tree_close(t);
    bed_fini(&b);
}

static void damage_fails_the_compaction_and_reads_of_the_rest_go_on(void **state)
{
    (void)state;
    struct bed b;
    seerdb_err err = {0};
    char path[80];
    bed_new(&b);
    seerdb_tree *t = create_tree(b.db, 1), *other = create_tree(b.db, 2);
    test_ok(seerdb_pause(b.db, &err), &err); /* nobody merges it before it is damaged */
    fill(t, 0, 1000, 1);
    flush(b.db);
    snprintf(path, sizeof path, "store/%s", files_of(&b, ".tbl").first);
    fill(t, 500, 3000, 2);
    flush(b.db);
    fill(other, 0, 100, 1);
    assert_int_equal(sdb_memfs_flip(b.mem, path, 40000, 1), 0);
    test_ok(seerdb_continue(b.db, &err), &err);
    test_fails(seerdb_compact(b.db, t, &err), SEERDB_CORRUPT, &err);
    test_ok(seerdb_compact(b.db, other, &err), &err);
    expect_key(t, "k00002500",
               "2                                                   "
               "                                                ");
    write_words(t, "more=1");
    expect_key(t, "more", "1");
    expect_filled(other, 0, 100, 1);
    assert_soon(files_of(&b, ".tbl").n ==
                (size_t)(stat_of(b.db, t, "tables") + stat_of(b.db, other, "tables")));
    seerdb_tree_close(t);
    seerdb_tree_close(other);
    bed_fini(&b);
}

static void a_failed_sync_of_an_output_loses_nothing(void **state)
{
    (void)state;
    struct bed b;
    seerdb_err err = {0};
    bed_new(&b);
    seerdb_tree *t = create_tree(b.db, 1);
    for (uint64_t after = 0; after < 6; after++) {
        fill(t, 0, 1000, 1);
        flush(b.db);
        fill(t, 0, 1000, 2 + (unsigned)after);
        flush(b.db);
        fault(&b, (struct sdb_fault){
                      .ops = SDB_FAULT_SYNC,
                      .match = ".tbl",
                      .after = after,
                      .times = 1000, /* who asks must fail, not only who came first */
                      .error = 5});
        test_fails(seerdb_compact(b.db, t, &err), SEERDB_IOERR, &err);
        fault(&b, (struct sdb_fault){0});
        compact(b.db);
        expect_filled(t, 0, 1000, 2 + (unsigned)after);
        verify(b.db);
        assert_soon(files_of(&b, ".tbl").n == (size_t)stat_of(b.db, t, "tables"));
    }
    seerdb_tree_close(t);
    bed_fini(&b);
}

static void a_packed_tree_is_packed_at_the_bottom(void **state)
{
    (void)state;
    struct bed b;
    seerdb_err err = {0};
    seerdb_tree *t = NULL;
    bed_new(&b);
    test_ok(
        seerdb_tree_create(
            b.db, &(seerdb_tree_options){.id = uuid_of(1), .compression = 3}, &t, &err),
        &err);
    test_ok(seerdb_pause(b.db, &err), &err);
    fill(t, 0, 2000, 1);
    flush(b.db);
    double plain = stat_of(b.db, t, "table_bytes");
    assert_true(plain > stat_of(b.db, t, "table_raw_bytes"));
    test_ok(seerdb_continue(b.db, &err), &err);
    compact(b.db);
    assert_true(stat_of(b.db, t, "table_bytes") < plain / 3);
    expect_filled(t, 0, 2000, 1);
    seerdb_tree_close(t);
    bed_fini(&b);
}

static void small_commits_wait_for_nobody_until_runs_are_many(void **state)
{
    (void)state;
    struct bed b;
    seerdb_err err = {0};
    bed_new(&b);
    seerdb_tree *t = create_tree(b.db, 1);
    test_ok(seerdb_pause(b.db, &err), &err);
    for (unsigned i = 0; i < 30; i++) { /* paused: nobody would come to help */
        fill(t, 0, 10, i);
        flush(b.db);
    }
    assert_int_equal(stat_of(b.db, NULL, "stall_time_level0"), 0);
    test_ok(seerdb_continue(b.db, &err), &err);
    fill(t, 0, 10, 30); /* may wait, and goes on */
    settle(b.db);
    assert_true(runs_of(t) < 8);
    seerdb_tree_close(t);
    bed_fini(&b);
}

/* Get the keys from .. from + n one by one; they have the value of the round. */
static void get_filled(seerdb_tree *t, unsigned from, unsigned n, unsigned round)
{
    seerdb_err err = {0};
    char key[16];
    seerdb_view *v = new_view(t);
    for (unsigned i = 0; i < n; i++) {
        seerdb_value value = {.pin = NULL};
        snprintf(key, sizeof key, "k%08u", from + i);
        test_ok(seerdb_get(v, NULL, 0, test_slice(key), &value, &err), &err);
        assert_int_equal(atoi(value.bytes.data), round);
        seerdb_pin_unref(value.pin);
    }
    seerdb_view_close(v);
}

/* Two runs, and what of them was read. */
static seerdb_tree *make_runs(struct bed *b, unsigned read)
{
    seerdb_err err = {0};
    bed_init(b);
    b->o.memory_limit = 8 * SMALL_MEMORY;
    bed_open_ok(b);
    seerdb_tree *t = create_tree(b->db, 1);
    test_ok(seerdb_pause(b->db, &err), &err);
    fill(t, 0, 3000, 1);
    flush(b->db);
    fill(t, 0, 3000, 2);
    flush(b->db);
    test_ok(seerdb_continue(b->db, &err), &err);
    get_filled(t, 0, read, 2);
    return t;
}

static void what_was_read_is_in_memory_after_a_compaction_too(void **state)
{
    (void)state;
    struct bed b;
    seerdb_tree *t = make_runs(&b, 3000);
    compact(b.db);
    double before = stat_of(b.db, NULL, "cache_misses");
    assert_true(before > 0);
    get_filled(t, 0, 3000, 2);
    assert_true(stat_of(b.db, NULL, "cache_misses") == before);
    expect_filled(t, 0, 3000, 2);
    verify(b.db);
    /* One copy of the rows, not the one of the old tables as well. */
    double raw = stat_of(b.db, t, "table_raw_bytes");
    assert_true(stat_of(b.db, NULL, "cache_memory") > raw);
    assert_true(stat_of(b.db, NULL, "cache_memory") < 2 * raw);
    seerdb_tree_close(t);
    bed_fini(&b);
}

static void what_nobody_read_takes_no_memory_after_a_compaction(void **state)
{
    (void)state;
    struct bed b;
    seerdb_tree *t = make_runs(&b, 0);
    compact(b.db);
    assert_true(stat_of(b.db, NULL, "cache_memory") == 0);
    seerdb_tree_close(t);
    bed_fini(&b);
    t = make_runs(&b, 600); /* a fifth */
    compact(b.db);
    double raw = stat_of(b.db, t, "table_raw_bytes");
    assert_true(stat_of(b.db, NULL, "cache_memory") > raw / 10);
    assert_true(stat_of(b.db, NULL, "cache_memory") < raw / 2);
    seerdb_tree_close(t);
    bed_fini(&b);
}

static void tables_that_are_gone_leave_no_blocks_behind(void **state)
{
    (void)state;
    struct bed b;
    seerdb_err err = {0};
    seerdb_tree *t = make_runs(&b, 3000);
    fault(&b, (struct sdb_fault){.ops = SDB_FAULT_SYNC,
                                 .match = ".tbl",
                                 .after = 3, /* outputs that are finished */
                                 .times = UINT64_MAX,
                                 .error = 5});
    double before = stat_of(b.db, NULL, "cache_memory");
    test_fails(seerdb_compact(b.db, t, &err), SEERDB_IOERR, &err);
    assert_true(stat_of(b.db, NULL, "cache_memory") == before);
    fault(&b, (struct sdb_fault){0});
    compact(b.db);
    seerdb_batch *deletes = new_batch(b.db);
    char key[16];
    for (unsigned i = 0; i < 3000; i++) {
        snprintf(key, sizeof key, "k%08u", i);
        test_ok(seerdb_batch_delete(deletes, t, test_slice(key), &err), &err);
    }
    test_ok(seerdb_write(deletes, SEERDB_SYNC_OFF, &err), &err);
    seerdb_batch_free(deletes);
    compact(b.db);
    assert_int_equal(stat_of(b.db, t, "tables"), 0);
    seerdb_tree_close(t);
    assert_true(stat_of(b.db, NULL, "cache_memory") == 0);
    bed_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(compacting_leaves_one_run_and_every_key),
        cmocka_unit_test(deleted_keys_leave_nothing_behind),
        cmocka_unit_test(runs_stay_few_by_themselves),
        cmocka_unit_test(rising_keys_are_moved_and_not_written_again),
        cmocka_unit_test(readers_keep_what_they_opened),
        cmocka_unit_test(what_only_a_reader_held_goes_when_it_ends),
        cmocka_unit_test(a_tree_can_be_dropped_while_it_is_compacted),
        cmocka_unit_test(commits_flushes_and_reads_go_on_beside_a_compaction),
        cmocka_unit_test(pausing_ends_a_compaction_and_keeps_its_inputs),
        cmocka_unit_test(closing_ends_a_compaction_and_keeps_its_inputs),
        cmocka_unit_test(a_full_disk_fails_the_compaction_and_nothing_else),
        cmocka_unit_test(damage_fails_the_compaction_and_reads_of_the_rest_go_on),
        cmocka_unit_test(a_failed_sync_of_an_output_loses_nothing),
        cmocka_unit_test(a_packed_tree_is_packed_at_the_bottom),
        cmocka_unit_test(small_commits_wait_for_nobody_until_runs_are_many),
        cmocka_unit_test(what_was_read_is_in_memory_after_a_compaction_too),
        cmocka_unit_test(what_nobody_read_takes_no_memory_after_a_compaction),
        cmocka_unit_test(tables_that_are_gone_leave_no_blocks_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
