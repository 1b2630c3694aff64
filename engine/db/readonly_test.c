/* SPDX-License-Identifier: Apache-2.0
 *
 * Stores that are open for reading only.  Whatever is done to them, the file layer must
 * not see one operation that changes anything. */
#define _XOPEN_SOURCE 700 /* mkdtemp */
#include "db/state.h"
#include "testing.h"

#include "os/clock.h"
#include "os/thread.h"

#include <errno.h>
#include <stdatomic.h>

/* From here on every change is counted, and fails. */
static void forbid_changes(struct bed *b)
{
    fault(b, (struct sdb_fault){
                 .ops = SDB_FAULT_CHANGE, .times = UINT64_MAX, .error = EROFS});
}

static void expect_no_change(struct bed *b)
{
    if (sdb_faultfs_seen(b->fs) > 0)
        fail_msg("%d changes", (int)sdb_faultfs_seen(b->fs));
}

static int open_to_read(struct bed *b, seerdb **out, seerdb_err *err)
{
    seerdb_options o = b->o;
    o.create = false;
    o.read_only = true;
    return seerdb_open(b->dir, &o, out, err);
}

static void fails_saying(int rc, int code, const char *words, seerdb_err *err)
{
    if (strstr(err->msg, words) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", err->msg, words);
    test_fails(rc, code, err);
}

static seerdb *reader_of(struct bed *b)
{
    seerdb_err err = {0};
    seerdb *db = NULL;
    test_ok(open_to_read(b, &db, &err), &err);
    assert_true(seerdb_is_read_only(db));
    return db;
}

static void close_db(seerdb *db)
{
    seerdb_err err = {0};
    test_ok(seerdb_close(db, &err), &err);
}

/* Two trees, in tables and in the log. */
static void fill_store(struct bed *b)
{
    bed_new_paused(b);
    seerdb_tree *one = create_tree(b->db, 1), *two = create_tree(b->db, 2);
    write_words(one, "a=1 b=2 c=3");
    write_words(two, "x=1");
    flush(b->db);
    write_words(one, "b=4 -c d=5");
    write_words(two, "~a:z y=2");
    seerdb_tree_close(one);
    seerdb_tree_close(two);
}

static void expect_filled(seerdb *db)
{
    seerdb_tree *one = open_tree(db, 1), *two = open_tree(db, 2);
    expect(one, "a=1 b=4 d=5");
    expect(two, "y=2");
    expect_key(one, "c", NULL);
    expect_key(one, "b", "4");
    seerdb_tree_close(one);
    seerdb_tree_close(two);
}

static bool no_event(void *ctx, const seerdb_event *event)
{
    (void)ctx, (void)event;
    return true;
}

static bool count_tree(void *ctx, const seerdb_tree_info *info)
{
    (void)info;
    ++*(int *)ctx;
    return true;
}

static bool no_level(void *ctx, const seerdb_level *level)
{
    (void)ctx, (void)level;
    return true;
}

static void reading_changes_no_file(void **state)
{
    static const enum { CLOSED, CRASHED, TORN } left[] = {CLOSED, CRASHED, TORN};
    (void)state;
    for (size_t i = 0; i < sizeof left / sizeof *left; i++) {
        struct bed b;
        seerdb_err err = {0};
        int trees = 0;
        fill_store(&b);
        if (left[i] == CLOSED)
            bed_close(&b);
        else
            bed_crash(&b);
        if (left[i] == TORN)
            sdb_memfs_cut(b.mem, SDB_CUT_RANDOM, 7);
        forbid_changes(&b);
        seerdb *db = reader_of(&b);
        expect_filled(db);
        verify(db);
        seerdb_tree *t = open_tree(db, 1);
        seerdb_tree_use_maps(t);
        assert_true(seerdb_tree_count_estimate(t) >= 1);
        assert_true(seerdb_tree_count_between(t, test_slice("a"), test_slice("z")) > 0);
        assert_int_equal(stat_of(db, t, "read_only"), 1);
        assert_int_equal(stat_of(db, t, "background_busy"), 0);
        assert_true(stat_of(db, t, "log_bytes") > 64);
        test_ok(seerdb_levels(t, no_level, NULL, &err), &err);
        test_ok(seerdb_events(db, NULL, no_event, NULL, &err), &err);
        test_ok(seerdb_trees(db, count_tree, &trees, &err), &err);
        assert_int_equal(trees, 2);
        seerdb_tree_close(t);
        close_db(db);
        expect_no_change(&b);
        fault(&b, (struct sdb_fault){0});
        bed_open_ok(&b);
        expect_filled(b.db);
        bed_fini(&b);
    }
}

static int try_batch(seerdb *db, seerdb_tree *t, seerdb_err *err)
{
    seerdb_batch *batch = NULL;
    (void)t;
    return seerdb_batch_new(db, &batch, err);
}

static int try_create(seerdb *db, seerdb_tree *t, seerdb_err *err)
{
    seerdb_tree *other = NULL;
    (void)t;
    return seerdb_tree_create(db, &(seerdb_tree_options){.name = "n"}, &other, err);
}

static int try_intend(seerdb *db, seerdb_tree *t, seerdb_err *err)
{
    (void)db;
    return seerdb_tree_intend_drop(t, err);
}

static int try_flush(seerdb *db, seerdb_tree *t, seerdb_err *err)
{
    return seerdb_flush(db, t, err);
}

static int try_compact(seerdb *db, seerdb_tree *t, seerdb_err *err)
{
    return seerdb_compact(db, t, err);
}

static int try_accept(seerdb *db, seerdb_tree *t, seerdb_err *err)
{
    uint64_t number;
    (void)db;
    return seerdb_tree_accept(t, &number, err);
}

static int try_place(seerdb *db, seerdb_tree *t, seerdb_err *err)
{
    seerdb_uuid owner = uuid_of(9);
    (void)t;
    return seerdb_owner_set_place(db, &owner, &(seerdb_owner_place){.path = "p"}, err);
}

static void every_write_is_refused_with_a_sentence(void **state)
{
    static int (*const tries[])(seerdb *, seerdb_tree *, seerdb_err *) = {
        try_batch,   try_create, try_intend, try_flush,
        try_compact, try_accept, try_place};
    struct bed b;
    (void)state;
    fill_store(&b);
    bed_close(&b);
    forbid_changes(&b);
    seerdb *db = reader_of(&b);
    seerdb_tree *t = open_tree(db, 1);
    for (size_t i = 0; i < sizeof tries / sizeof *tries; i++) {
        seerdb_err err = {0};
        assert_int_equal(tries[i](db, t, &err), SEERDB_READONLY);
        assert_string_equal(err.msg, "store is open for reading only");
    }
    seerdb_tree_close(t);
    expect_filled(db);
    close_db(db);
    expect_no_change(&b);
    fault(&b, (struct sdb_fault){0});
    bed_fini(&b);
}

static void what_is_no_store_is_not_opened_and_not_made(void **state)
{
    struct bed b;
    seerdb *db = NULL;
    seerdb_err err = {0};
    (void)state;
    bed_init(&b);
    forbid_changes(&b);
    test_fails(open_to_read(&b, &db, &err), SEERDB_CANTOPEN, &err);
    expect_no_change(&b);
    fault(&b, (struct sdb_fault){0});
    test_ok(sdb_fs_mkdir(b.mem, "store", &err), &err);
    test_fails(open_to_read(&b, &db, &err), SEERDB_CANTOPEN, &err);
    b.o.read_only = true;
    test_fails(bed_open(&b, &err), SEERDB_MISUSE, &err); /* to make it and not to */
    assert_null(db);
    b.o.read_only = false;
    bed_fini(&b);
}

/* ---- who else may have it -------------------------------------------------------- */

static void readers_share_a_store_that_no_writer_has(void **state)
{
    struct bed b;
    seerdb *db = NULL;
    seerdb_err err = {0};
    (void)state;
    fill_store(&b);
    test_fails(open_to_read(&b, &db, &err), SEERDB_BUSY, &err);
    bed_close(&b);
    seerdb *one = reader_of(&b), *two = reader_of(&b);
    expect_filled(one);
    expect_filled(two);
    fails_saying(bed_open(&b, &err), SEERDB_BUSY,
                 "is open for reading in another process", &err);
    close_db(one);
    test_fails(bed_open(&b, &err), SEERDB_BUSY, &err);
    close_db(two);
    bed_open_ok(&b);
    expect_filled(b.db);
    bed_fini(&b);
}

static void remove_name(void *ctx, const char *name)
{
    char path[400];
    snprintf(path, sizeof path, "%s/%s", (const char *)ctx, name);
    (void)remove(path);
}

static void a_reader_of_the_same_process_is_named_so(void **state)
{
    char root[] = "/tmp/seerdb-test-XXXXXX", dir[64];
    struct bed b;
    seerdb_err err = {0};
    uint64_t pid;
    (void)state;
    assert_non_null(mkdtemp(root));
    snprintf(dir, sizeof dir, "%s/store", root);
    bed_init(&b);
    b.o.fs = NULL;
    b.dir = dir;
    bed_open_ok(&b);
    bed_close(&b);
    seerdb *one = reader_of(&b), *two = reader_of(&b);
    bool told = sdb_file_holders(one->lock_file, &pid, 1) > 0;
    const char *who = told ? "in this process already" : "in another process";
    fails_saying(bed_open(&b, &err), SEERDB_BUSY, who, &err);
    fails_saying(seerdb_make_writable(one, &err), SEERDB_BUSY, who, &err);
    close_db(two);
    test_ok(seerdb_make_writable(one, &err), &err);
    close_db(one);
    test_ok(sdb_fs_list(sdb_fs_local(), dir, remove_name, dir, &err), &err);
    assert_int_equal(remove(dir), 0);
    assert_int_equal(remove(root), 0);
    bed_fini(&b);
}

static void without_a_lock_only_a_read_only_medium_is_read(void **state)
{
    struct bed b;
    seerdb *db = NULL;
    seerdb_err err = {0};
    (void)state;
    fill_store(&b);
    bed_close(&b);
    test_ok(sdb_fs_remove(b.mem, "store/LOCK", &err), &err);
    forbid_changes(&b);
    fails_saying(open_to_read(&b, &db, &err), SEERDB_READONLY, "has no file LOCK",
                 &err);
    sdb_faultfs_set_read_only(b.fs, true);
    db = reader_of(&b);
    expect_filled(db);
    expect_no_change(&b);
    err = (seerdb_err){0};
    test_fails(seerdb_make_writable(db, &err), SEERDB_READONLY, &err);
    expect_filled(db);
    close_db(db);
    fault(&b, (struct sdb_fault){0});
    bed_fini(&b);
}

/* ---- from reading to writing --------------------------------------------------------
 */

static void a_reader_becomes_a_writer_and_its_views_stay(void **state)
{
    struct bed b;
    seerdb_err err = {0};
    (void)state;
    fill_store(&b);
    bed_crash(&b);
    seerdb *db = reader_of(&b);
    seerdb_tree *t = open_tree(db, 1);
    seerdb_view *before = new_view(t);
    test_ok(seerdb_make_writable(db, &err), &err);
    assert_false(seerdb_is_read_only(db));
    test_ok(seerdb_make_writable(db, &err), &err); /* it is one already */
    assert_int_equal(stat_of(db, t, "read_only"), 0);
    write_words(t, "e=6 -a");
    flush(db);
    expect_state(before, NULL, 0, "a=1 b=4 d=5");
    expect(t, "b=4 d=5 e=6");
    test_ok(seerdb_compact(db, NULL, &err), &err);
    expect_state(before, NULL, 0, "a=1 b=4 d=5");
    seerdb *other = NULL;
    test_fails(open_to_read(&b, &other, &err), SEERDB_BUSY, &err);
    seerdb_view_close(before);
    seerdb_tree_close(t);
    close_db(db);
    bed_open_ok(&b);
    t = open_tree(b.db, 1);
    expect(t, "b=4 d=5 e=6");
    bed_end(&b, t);
}

static void a_reader_beside_others_stays_one(void **state)
{
    struct bed b;
    seerdb_err err = {0};
    (void)state;
    fill_store(&b);
    bed_close(&b);
    seerdb *db = reader_of(&b), *other = reader_of(&b);
    fails_saying(seerdb_make_writable(db, &err), SEERDB_BUSY,
                 "is open for reading in another process", &err);
    assert_true(seerdb_is_read_only(db));
    expect_filled(db);
    test_fails(bed_open(&b, &err), SEERDB_BUSY, &err); /* it is held again */
    close_db(other);
    test_fails(bed_open(&b, &err), SEERDB_BUSY, &err);
    test_ok(seerdb_make_writable(db, &err), &err);
    expect_filled(db);
    close_db(db);
    bed_fini(&b);
}

static void a_reader_whose_store_was_written_meanwhile_is_of_no_use(void **state)
{
    struct bed b;
    seerdb_err err = {0};
    (void)state;
    fill_store(&b);
    bed_close(&b);
    seerdb *db = reader_of(&b);
    seerdb_tree *t = open_tree(db, 1);
    /* As if it had come in while the reader let go of its lock. */
    test_ok(sdb_fs_remove(b.mem, "store/LOCK", &err), &err);
    bed_open_ok(&b);
    seerdb_tree *w = open_tree(b.db, 1);
    write_words(w, "z=9");
    seerdb_tree_close(w);
    bed_close(&b);
    expect(t, "a=1 b=4 d=5");
    test_fails(seerdb_make_writable(db, &err), SEERDB_CANTOPEN, &err);
    seerdb_view *v = NULL;
    err = (seerdb_err){0};
    fails_saying(seerdb_view_open(t, &v, &err), SEERDB_CANTOPEN, "open it again", &err);
    test_fails(seerdb_make_writable(db, &err), SEERDB_CANTOPEN, &err);
    seerdb_tree_close(t);
    close_db(db);
    bed_open_ok(&b);
    t = open_tree(b.db, 1);
    expect(t, "a=1 b=4 d=5 z=9");
    bed_end(&b, t);
}

static void a_reader_whose_store_a_writer_has_taken_is_of_no_use(void **state)
{
    struct bed b;
    seerdb_err err = {0};
    (void)state;
    fill_store(&b);
    bed_close(&b);
    seerdb *db = reader_of(&b);
    test_ok(sdb_fs_remove(b.mem, "store/LOCK", &err), &err); /* as above */
    bed_open_ok(&b);
    test_fails(seerdb_make_writable(db, &err), SEERDB_CANTOPEN, &err);
    seerdb_tree *t = open_tree(db, 1);
    seerdb_view *v = NULL;
    test_fails(seerdb_view_open(t, &v, &err), SEERDB_CANTOPEN, &err);
    seerdb_tree_close(t);
    close_db(db);
    expect_filled(b.db);
    bed_fini(&b);
}

/* A log file that was made and never written. */
static void leave_a_log(struct bed *b)
{
    seerdb_err err = {0};
    struct sdb_file *f = NULL;
    test_ok(
        sdb_fs_open(b->mem, "store/000900.log", SDB_CREATE, SDB_FOR_OTHER, &f, &err),
        &err);
    test_ok(sdb_file_allocate(f, 4096, &err), &err);
    sdb_file_close(f);
}

/* Whatever fails on the way, reading goes on, and the next try succeeds, unless the
 * manifest failed half-way. */
static void a_change_that_fails_anywhere_leaves_a_reader(void **state)
{
    (void)state;
    for (int64_t n = 0, memory = 0; memory < 2; n++) {
        struct bed b;
        seerdb_err err = {0};
        fill_store(&b);
        bed_crash(&b);
        leave_a_log(&b);
        seerdb *db = reader_of(&b);
        if (memory == 0)
            fault(&b, (struct sdb_fault){.ops = SDB_FAULT_ALL,
                                         .after = (uint64_t)n,
                                         .times = 1,
                                         .error = EIO});
        else
            sdb_mem_fail_after(n);
        int rc = seerdb_make_writable(db, &err);
        bool failed = memory == 0 ? sdb_faultfs_fired(b.fs) > 0 : rc == SEERDB_NOMEM;
        sdb_mem_fail_after(-1);
        fault(&b, (struct sdb_fault){0});
        if (rc != 0 && rc != SEERDB_CANTOPEN) {
            expect_filled(db);
            err = (seerdb_err){0};
            rc = seerdb_make_writable(db, &err);
            test_ok(rc, &err);
        }
        if (rc == 0) {
            expect_filled(db);
            seerdb_tree *t = open_tree(db, 1);
            write_words(t, "e=6");
            seerdb_tree_close(t);
            assert_false(sdb_fs_stat(b.mem, "store/000900.log", NULL, NULL, &err) == 0);
        }
        close_db(db);
        bed_open_ok(&b);
        seerdb_tree *t = open_tree(b.db, 1);
        expect(t, rc == 0 ? "a=1 b=4 d=5 e=6" : "a=1 b=4 d=5");
        bed_end(&b, t);
        assert_true(n < 1000);
        if (!failed && n > 200) {
            memory++;
            n = -1;
        }
    }
}

struct reading {
    seerdb *db;
    _Atomic bool stop;
    _Atomic unsigned reads;
};

static void *read_on(void *arg)
{
    struct reading *r = arg;
    seerdb_tree *t = open_tree(r->db, 1);
    while (!atomic_load(&r->stop)) {
        expect_key(t, "b", "4");
        seerdb_view *v = new_view(t);
        seerdb_value got = {0};
        seerdb_err err = {0};
        assert_true(seerdb_get(v, NULL, 0, test_slice("e"), &got, &err) >= 0);
        seerdb_pin_unref(got.pin);
        seerdb_view_close(v);
        (void)stat_of(r->db, t, "log_bytes");
        (void)seerdb_is_read_only(r->db);
        atomic_fetch_add(&r->reads, 1);
    }
    seerdb_tree_close(t);
    return NULL;
}

static void *make_writable(void *arg)
{
    struct reading *r = arg;
    seerdb_err err = {0};
    test_ok(seerdb_make_writable(r->db, &err), &err);
    return NULL;
}

/* Several threads want to write at once, while others read. */
static void threads_read_on_while_it_changes(void **state)
{
    (void)state;
    for (int round = 0; round < 10; round++) {
        struct bed b;
        struct sdb_thread readers[2] = {{0}}, writers[2] = {{0}};
        seerdb_err err = {0};
        fill_store(&b);
        bed_crash(&b);
        struct reading r = {.db = reader_of(&b)};
        for (int i = 0; i < 2; i++)
            test_ok(sdb_thread_start(&readers[i], "reader", read_on, &r, &err), &err);
        while (atomic_load(&r.reads) < 10)
            sdb_clock_sleep_us(100);
        for (int i = 0; i < 2; i++)
            test_ok(sdb_thread_start(&writers[i], "writer", make_writable, &r, &err),
                    &err);
        for (int i = 0; i < 2; i++)
            sdb_thread_join(&writers[i]);
        seerdb_tree *t = open_tree(r.db, 1);
        write_words(t, "e=6");
        flush(r.db);
        unsigned reads = atomic_load(&r.reads);
        while (atomic_load(&r.reads) < reads + 10)
            sdb_clock_sleep_us(100);
        atomic_store(&r.stop, true);
        for (int i = 0; i < 2; i++)
            sdb_thread_join(&readers[i]);
        expect(t, "a=1 b=4 d=5 e=6");
        seerdb_tree_close(t);
        close_db(r.db);
        bed_fini(&b);
    }
}

/* ---- much to replay
 * ------------------------------------------------------------------
 */

static void
a_log_larger_than_the_memory_is_read_and_flushed_once_it_may_be(void **state)
{
    struct bed b;
    seerdb_err err = {0};
    char key[16];
    const int n = 300;
    (void)state;
    bed_init(&b);
    b.o.memory_limit = 16 * SMALL_MEMORY; /* of the writer */
    b.o.log_file_size = SMALL_MEMORY;
    bed_open_ok(&b);
    seerdb_tree *t = create_tree(b.db, 1);
    for (int i = 0; i < n; i++) {
        snprintf(key, sizeof key, "k%03d", i);
        test_ok(try_fill(t, key, 9000, &err), &err);
    }
    assert_int_equal(files_of(&b, ".tbl").n, 0);
    seerdb_tree_close(t);
    bed_crash(&b);
    b.o.memory_limit = SMALL_MEMORY;
    forbid_changes(&b);
    seerdb *db = reader_of(&b);
    t = open_tree(db, 1);
    assert_true(stat_of(db, t, "log_bytes") >= n * 9000.0);
    assert_int_equal(seerdb_tree_count_estimate(t), n);
    assert_true(stat_of(db, t, "active_memory") > (double)SMALL_MEMORY);
    assert_true(stat_of(db, t, "cache_capacity") <= SMALL_MEMORY / 16.0);
    expect_no_change(&b);
    fault(&b, (struct sdb_fault){0});
    test_ok(seerdb_make_writable(db, &err), &err);
    flush(db);
    assert_true(files_of(&b, ".tbl").n > 0);
    assert_int_equal(seerdb_tree_count_estimate(t), n);
    seerdb_tree_close(t);
    close_db(db);
    bed_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reading_changes_no_file),
        cmocka_unit_test(every_write_is_refused_with_a_sentence),
        cmocka_unit_test(what_is_no_store_is_not_opened_and_not_made),
        cmocka_unit_test(readers_share_a_store_that_no_writer_has),
        cmocka_unit_test(a_reader_of_the_same_process_is_named_so),
        cmocka_unit_test(without_a_lock_only_a_read_only_medium_is_read),
        cmocka_unit_test(a_reader_becomes_a_writer_and_its_views_stay),
        cmocka_unit_test(a_reader_beside_others_stays_one),
        cmocka_unit_test(a_reader_whose_store_was_written_meanwhile_is_of_no_use),
        cmocka_unit_test(a_reader_whose_store_a_writer_has_taken_is_of_no_use),
        cmocka_unit_test(a_change_that_fails_anywhere_leaves_a_reader),
        cmocka_unit_test(threads_read_on_while_it_changes),
        cmocka_unit_test(
            a_log_larger_than_the_memory_is_read_and_flushed_once_it_may_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
