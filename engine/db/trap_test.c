/* SPDX-License-Identifier: Apache-2.0
 *
 * Mistakes that other engines made, each a test.  The numbers are those of the list in
 * the design; the ones that concern features this engine has not are missing. */
#include "testing.h"

#include "base/hash.h"

#include <errno.h>

/* Commits once, from inside the flush, when its table is about to be synced. */
struct intruder {
    seerdb_tree *tree;
    bool done;
};

static void commit_during_flush(void *ctx, enum sdb_fault_op op, const char *path)
{
    struct intruder *x = ctx;
    if (op != SDB_FAULT_SYNC || strstr(path, ".tbl") == NULL || x->done)
        return;
    x->done = true;
    write_words(x->tree, "late=1 a=2");
}

static void
trap_1_log_is_not_truncated_while_newer_acknowledged_writes_live_in_it(void **state)
{
    struct bed b;
    (void)state;
    seerdb_tree *t = bed_new_tree(&b);
    write_words(t, "a=1 b=1");
    struct intruder x = {.tree = t};
    sdb_faultfs_observe(b.fs, commit_during_flush, &x);
    flush(b.db);
    sdb_faultfs_observe(b.fs, NULL, NULL);
    assert_true(x.done);
    expect(t, "a=2 b=1 late=1");
    bed_reopen(&b, bed_lose_power, &t);
    expect(t, "a=2 b=1 late=1");
    bed_end(&b, t);
}

static void
trap_2_a_prepared_commit_does_not_enter_a_memtable_already_flushed(void **state)
{
    struct bed b;
    seerdb_err err = {0};
    uint64_t number;
    (void)state;
    seerdb_tree *t = bed_new_tree(&b);
    write_words(t, "a=1");
    seerdb_batch *batch = new_batch(b.db);
    add(batch, t, "b=2");
    test_ok(seerdb_prepare(batch, SEERDB_SYNC_FULL, &number, &err), &err);
    flush(b.db); /* collects the memtable the commit was prepared on */
    seerdb_commit(batch);
    seerdb_batch_free(batch);
    expect(t, "a=1 b=2");
    flush(b.db);
    bed_reopen(&b, bed_lose_power, &t);
    expect(t, "a=1 b=2");
    bed_end(&b, t);
}

static void trap_2_an_undecided_commit_keeps_its_place_in_the_log(void **state)
{
    struct bed b;
    seerdb_err err = {0};
    uint64_t number;
    (void)state;
    seerdb_tree *t = bed_new_tree(&b), *other = create_tree(b.db, 2);
    seerdb_batch *batch = new_batch(b.db);
    add(batch, t, "a=1");
    test_ok(seerdb_prepare(batch, SEERDB_SYNC_FULL, &number, &err), &err);
    for (int i = 0; i < 10; i++) /* on to other files, and flushes that release them */
        test_ok(try_fill(other, "x", 10000, &err), &err);
    flush(b.db);
    seerdb_commit(batch);
    seerdb_batch_free(batch);
    seerdb_tree_close(other);
    bed_reopen(&b, bed_lose_power, &t);
    expect(t, "a=1");
    bed_end(&b, t);
}

static void replaying_skips_what_tables_hold(void **state)
{
    struct bed b;
    seerdb_err err = {0};
    (void)state;
    seerdb_tree *t = bed_new_tree(&b), *other = create_tree(b.db, 2);
    write_words(other, "pins=1");
    write_words(t, "a=1 -b");
    test_ok(seerdb_flush(b.db, t, &err), &err);
    write_words(t, "c=3");
    seerdb_tree_close(other);
    bed_reopen(&b, bed_close, &t);
    assert_true(stat_of(b.db, t, "memtable_records") == 1);
    expect(t, "a=1 c=3");
    bed_end(&b, t);
}

static void trap_3_two_crashes_in_a_row_lose_nothing(void **state)
{
    struct bed b;
    seerdb_err err = {0};
    (void)state;
    seerdb_tree *t = bed_new_tree(&b);
    write_words(t, "a=1");
    flush(b.db);
    write_words(t, "b=2");
    for (int i = 0; i < 4; i++) {
        bed_reopen(&b, i % 2 == 0 ? bed_lose_power : bed_crash, &t);
        expect(t, "a=1 b=2");
    }
    /* And in the middle of recovery, at each of its writes. */
    seerdb_tree_close(t);
    bed_lose_power(&b);
    int rc = -1;
    for (uint64_t n = 0; rc != 0; n++) {
        assert_true(n < 1000);
        fault(&b, (struct sdb_fault){.ops = SDB_FAULT_ALL & ~(unsigned)SDB_FAULT_READ,
                                     .after = n,
                                     .times = UINT64_MAX,
                                     .error = EIO});
        rc = bed_open(&b, &err);
        if (rc == 0)
            (void)seerdb_close(b.db, NULL);
        err = (seerdb_err){0};
        fault(&b, (struct sdb_fault){0});
        sdb_memfs_cut(b.mem, SDB_CUT_RANDOM, n);
    }
    bed_open_ok(&b);
    t = open_tree(b.db, 1);
    expect(t, "a=1 b=2");
    bed_end(&b, t);
}

static void trap_4_numbers_do_not_restart_after_reopen(void **state)
{
    static void (*const ends[])(struct bed *) = {bed_close, bed_crash, bed_lose_power};
    struct bed b;
    seerdb_err err = {0};
    uint64_t last = 0;
    (void)state;
    seerdb_tree *t = bed_new_tree(&b);
    for (int i = 0; i < 9; i++) {
        char words[32];
        uint64_t number = 0;
        seerdb_batch *batch = new_batch(b.db);
        snprintf(words, sizeof words, "a=%d", i);
        add(batch, t, words);
        /* Not synced: the power cut may take the log's tail, its number stays used. */
        test_ok(seerdb_prepare(batch, i % 3 == 2 ? SEERDB_SYNC_OFF : SEERDB_SYNC_FULL,
                               &number, &err),
                &err);
        seerdb_commit(batch);
        seerdb_batch_free(batch);
        assert_true(number > last);
        last = number;
        expect(t, words);
        if (i % 2 == 0)
            flush(b.db);
        bed_reopen(&b, ends[i % 3], &t);
    }
    bed_end(&b, t);
}

static void trap_6_flush_keeps_what_an_open_view_needs(void **state)
{
    struct bed b;
    (void)state;
    seerdb_tree *t = bed_new_tree(&b);
    write_words(t, "a=1 b=1");
    seerdb_view *v1 = new_view(t);
    write_words(t, "a=2 -b");
    seerdb_view *v2 = new_view(t);
    write_words(t, "a=3 b=3");
    flush(b.db);
    write_words(t, "-a");
    flush(b.db);
    expect_state(v1, NULL, 0, "a=1 b=1");
    expect_state(v2, NULL, 0, "a=2");
    expect(t, "b=3");
    seerdb_view_close(v1);
    seerdb_view_close(v2);
    bed_end(&b, t);
}

static void trap_7_deleted_keys_do_not_come_back(void **state)
{
    struct bed b;
    (void)state;
    seerdb_tree *t = bed_new_tree(&b);
    write_words(t, "a=1 b=1 c=1");
    flush(b.db);
    write_words(t, "-a");
    flush(b.db);
    write_words(t, "-b");
    expect(t, "c=1");
    expect_key(t, "a", NULL);
    bed_reopen(&b, bed_close, &t);
    expect(t, "c=1");
    flush(b.db);
    expect(t, "c=1");
    bed_reopen(&b, bed_lose_power, &t);
    expect(t, "c=1");
    expect_key(t, "b", NULL);
    bed_end(&b, t);
}

static void trap_8_keys_with_colliding_codes_are_found(void **state)
{
    struct bed b;
    seerdb_err err = {0};
    char key[64], value[32];
    (void)state;
    seerdb_tree *t = bed_new_tree(&b);
    seerdb_batch *batch = new_batch(b.db);
    for (int i = 0; i < 3000; i += 2) { /* three groups, each of one code */
        snprintf(key, sizeof key, "%c-eight-and-more-equal-bytes-%04d", 'a' + i % 3, i);
        snprintf(value, sizeof value, "v%d", i);
        test_ok(seerdb_batch_put(batch, t, test_slice(key), test_slice(value), &err),
                &err);
    }
    test_ok(seerdb_write(batch, SEERDB_SYNC_OFF, &err), &err);
    seerdb_batch_free(batch);
    flush(b.db);
    assert_true(stat_of(b.db, t, "table_blocks") > 20);
    for (int i = 0; i < 3000; i++) {
        snprintf(key, sizeof key, "%c-eight-and-more-equal-bytes-%04d", 'a' + i % 3, i);
        snprintf(value, sizeof value, "v%d", i);
        expect_key(t, key, i % 2 == 0 ? value : NULL);
    }
    verify(b.db);
    bed_end(&b, t);
}

static void trap_9_the_hash_function_is_fixed(void **state)
{
    (void)state;
    assert_true(sdb_hash64("", 0, 0) == UINT64_C(0x2d06800538d394c2)); /* XXH3's own */
    assert_true(sdb_hash64("seerdb", 6, 0) != sdb_hash64("seerdb", 6, 1));
    assert_true(sdb_hash64("seerdb", 6, 7) == sdb_hash64_2("see", 3, "rdb", 3, 7));
}

static void trap_14_key1_does_not_hide_key10(void **state)
{
    struct bed b;
    (void)state;
    seerdb_tree *t = bed_new_tree(&b);
    write_words(t, "key1=one key10=ten key100=hundred");
    for (int i = 0; i < 2; i++) { /* in memory and in tables */
        write_words(t, "key1=uno");
        write_words(t, "-key10");
        expect(t, "key1=uno key100=hundred");
        write_words(t, "key10=ten");
        expect_key(t, "key1", "uno");
        expect_key(t, "key10", "ten");
        expect_key(t, "key", NULL);
        expect_key(t, "key1000", NULL);
        flush(b.db);
        expect(t, "key1=uno key10=ten key100=hundred");
        expect_key(t, "key10", "ten");
    }
    bed_end(&b, t);
}

static void trap_15_crossed_and_strict_bounds_are_exact(void **state)
{
    struct bed b;
    seerdb_err err = {0};
    char got[64];
    (void)state;
    seerdb_tree *t = bed_new_tree(&b);
    write_words(t, "5=a 7=b 9=c");
    flush(b.db);
    seerdb_view *v = new_view(t);
    seerdb_iter *it = NULL;
    test_ok(seerdb_iter_open(v, NULL, 0, &it, &err), &err);
    test_ok(seerdb_iter_bound(it, test_slice("9"), test_slice("5"), &err), &err);
    dump_iter(it, true, got, sizeof got);
    assert_string_equal(got, "");
    dump_iter(it, false, got, sizeof got);
    assert_string_equal(got, "");
    assert_int_equal(seerdb_iter_seek(it, test_slice("7"), &err), SEERDB_NOTFOUND);
    assert_int_equal(seerdb_iter_seek_for_prev(it, test_slice("7"), &err),
                     SEERDB_NOTFOUND);
    test_ok(seerdb_iter_bound(it, test_slice("5"), test_slice("9"), &err), &err);
    dump_iter(it, true, got, sizeof got);
    assert_string_equal(got, "5=a 7=b");
    seerdb_iter_close(it);
    seerdb_view_close(v);
    bed_end(&b, t);
}

/* ---- flipped bytes
 * -------------------------------------------------------------------- */

/* The names in the store's directory, each to be damaged. */
struct names {
    size_t n;
    char at[16][64];
};

static void take_name(void *ctx, const char *name)
{
    struct names *all = ctx;
    assert_true(all->n < 16);
    snprintf(all->at[all->n++], sizeof all->at[0], "%s", name);
}

/* The whole store as words, or the first failure. */
static int read_store(struct bed *b, char *out, size_t room, seerdb_err *err)
{
    seerdb_tree *t = NULL;
    seerdb_view *v = NULL;
    seerdb_iter *it = NULL;
    seerdb_uuid id = uuid_of(1);
    size_t at = 0;
    int rc = seerdb_tree_open(b->db, &id, &t, err);
    out[0] = '\0';
    if (rc != 0 || (rc = seerdb_view_open(t, &v, err)) != 0 ||
        (rc = seerdb_iter_open(v, NULL, 0, &it, err)) != 0)
        goto out;
    for (rc = seerdb_iter_first(it, err); rc == 0; rc = seerdb_iter_next(it, err)) {
        seerdb_slice k = seerdb_iter_key(it), w = seerdb_iter_value(it);
        at += (size_t)snprintf(out + at, room - at, "%.*s=%.*s ", (int)k.size,
                               (const char *)k.data, (int)w.size, (const char *)w.data);
    }
    if (rc == SEERDB_NOTFOUND)
        rc = 0;
out:
    seerdb_iter_close(it);
    seerdb_view_close(v);
    seerdb_tree_close(t);
    return rc;
}

static bool is_named_failure(int rc)
{
    return rc == SEERDB_CORRUPT || rc == SEERDB_NEWER || rc == SEERDB_CANTOPEN;
}

/* A copy of the store, so that each flip starts from the same bytes. */
static void copy_store(struct sdb_fs *from, const struct names *names, struct bed *to)
{
    seerdb_err err = {0};
    bed_init(to);
    to->o.create = false;
    to->o.log_file_size = 4096;
    test_ok(sdb_fs_mkdir(to->mem, to->dir, &err), &err);
    for (size_t i = 0; i < names->n; i++) {
        char path[80];
        struct sdb_file *f = NULL, *g = NULL;
        struct sdb_buf bytes = {0};
        snprintf(path, sizeof path, "%s/%s", to->dir, names->at[i]);
        test_ok(sdb_fs_open(from, path, SDB_READ, SDB_FOR_OTHER, &f, &err), &err);
        test_ok(sdb_file_read_all(f, &bytes, &err), &err);
        test_ok(sdb_fs_open(to->mem, path, SDB_CREATE, SDB_FOR_OTHER, &g, &err), &err);
        test_ok(sdb_file_write_at(g, 0, sdb_buf_slice(&bytes), &err), &err);
        sdb_buf_fini(&bytes);
        sdb_file_close(f);
        sdb_file_close(g);
    }
}

/* Damage one byte: an error that names a file, or what was written. True: an error. */
static bool flip_and_read(struct bed *whole, const struct names *names,
                          const char *name, uint64_t off, const char *want)
{
    struct bed b;
    char path[80], got[256];
    seerdb_err err = {0};
    copy_store(whole->mem, names, &b);
    snprintf(path, sizeof path, "%s/%s", b.dir, name);
    assert_int_equal(sdb_memfs_flip(b.mem, path, off, (unsigned)off % 8), 0);
    int rc = bed_open(&b, &err);
    if (rc == 0) {
        seerdb_verify_report report;
        rc = read_store(&b, got, sizeof got, &err);
        if (rc == 0 && strcmp(got, want) != 0)
            fail_msg("a flip at %" PRIu64 " of %s: read \"%s\"", off, name, got);
        if (rc == SEERDB_NOTFOUND)
            fail_msg("a flip at %" PRIu64 " of %s: the tree is gone", off, name);
        if (rc == 0)
            rc = seerdb_verify(b.db, NULL, &report, &err);
        (void)seerdb_close(b.db, NULL);
        b.db = NULL;
    }
    if (rc != 0 && (!is_named_failure(rc) || strstr(err.msg, "store") == NULL))
        fail_msg("a flip at %" PRIu64 " of %s: %d: %s", off, name, rc, err.msg);
    bed_fini(&b);
    return rc != 0;
}

static void trap_17_a_flipped_byte_is_never_returned_silently(void **state)
{
    static const char want[] = "a=2 c=3 d=4 ";
    struct bed b;
    seerdb_err err = {0};
    struct names names = {0};
    (void)state;
    bed_init(&b);
    b.o.log_file_size = 4096;
    bed_open_ok(&b);
    seerdb_tree *t = create_tree(b.db, 1);
    write_words(t, "a=1 b=1 c=3");
    flush(b.db);
    write_words(t, "a=2 -b");
    write_words(t, "d=4");
    seerdb_tree_close(t);
    bed_close(&b);
    test_ok(sdb_fs_list(b.mem, b.dir, take_name, &names, &err), &err);
    for (size_t i = 0; i < names.n; i++) {
        char path[80];
        uint64_t size = 0, caught = 0;
        snprintf(path, sizeof path, "%s/%s", b.dir, names.at[i]);
        test_ok(sdb_fs_stat(b.mem, path, NULL, &size, &err), &err);
        for (uint64_t off = 0; off < size; off++)
            caught += flip_and_read(&b, &names, names.at[i], off, want) ? 1 : 0;
        /* A table is covered to the last byte. */
        if (strstr(names.at[i], ".tbl") != NULL)
            assert_int_equal(caught, size);
        if (strcmp(names.at[i], "LOCK") != 0 && strstr(names.at[i], ".free") == NULL)
            assert_true(caught > 0);
    }
    bed_fini(&b);
}

static void trap_17_a_garbage_file_does_not_open_as_an_empty_table(void **state)
{
    struct bed b;
    seerdb_err err = {0};
    char path[80], garbage[300];
    struct sdb_file *f = NULL;
    uint64_t size = 0;
    (void)state;
    seerdb_tree *t = bed_new_tree(&b);
    write_words(t, "a=1");
    flush(b.db);
    seerdb_tree_close(t);
    bed_close(&b);
    snprintf(path, sizeof path, "%s/%s", b.dir, files_of(&b, ".tbl").first);
    test_ok(sdb_fs_stat(b.mem, path, NULL, &size, &err), &err);
    memset(garbage, 'g', sizeof garbage);
    for (int i = 0; i < 3; i++) { /* overwritten, cut short, missing */
        test_ok(sdb_fs_open(b.mem, path, SDB_READWRITE, SDB_FOR_OTHER, &f, &err), &err);
        test_ok(sdb_file_write_at(f, 0, (seerdb_slice){garbage, sizeof garbage}, &err),
                &err);
        if (i == 1)
            test_ok(sdb_file_truncate(f, 0, &err), &err);
        sdb_file_close(f);
        if (i == 2)
            test_ok(sdb_fs_remove(b.mem, path, &err), &err);
        int rc = bed_open(&b, &err);
        if (rc != SEERDB_CORRUPT || strstr(err.msg, ".tbl") == NULL)
            fail_msg("case %d: %d: %s", i, rc, err.msg);
        err = (seerdb_err){0};
    }
    bed_fini(&b);
}

/* ---- the log does not grow without bound
 * ------------------------------------------------- */

static void trap_18_an_idle_tree_does_not_pin_the_log(void **state)
{
    struct bed b;
    seerdb_err err = {0};
    seerdb_tree *idle[4];
    (void)state;
    bed_new(&b);
    for (unsigned i = 0; i < 4; i++) {
        idle[i] = create_tree(b.db, 10 + i);
        write_words(idle[i], "a=1");
    }
    seerdb_tree *busy = create_tree(b.db, 1);
    double most = 0;
    for (int i = 0; i < 600; i++) { /* 12 MB into memtables of 256 KiB */
        test_ok(try_fill(busy, i % 2 == 0 ? "x" : "y", 20000, &err), &err);
        double now = log_bytes_of(busy);
        most = now > most ? now : most;
    }
    flush(b.db);
    if (most > 3e6)
        fail_msg("the log grew to %.0f bytes", most);
    for (unsigned i = 0; i < 4; i++) {
        expect(idle[i], "a=1");
        seerdb_tree_close(idle[i]);
    }
    bed_end(&b, busy);
}

static void trap_18_many_short_sessions_do_not_pile_up_log_files(void **state)
{
    struct bed b;
    size_t most = 0;
    char words[32];
    (void)state;
    seerdb_tree *t = bed_new_tree(&b);
    for (int i = 0; i < 100; i++) {
        snprintf(words, sizeof words, "a=%d", i);
        write_words(t, words);
        bed_reopen(&b, i % 2 == 0 ? bed_close : bed_crash, &t);
        size_t n = files_of(&b, ".log").n;
        most = n > most ? n : most;
    }
    expect(t, words);
    if (most > 20)
        fail_msg("%zu log files at a time", most);
    bed_end(&b, t);
}

static void trap_18_dropped_trees_leave_no_log_behind(void **state)
{
    struct bed b;
    seerdb_err err = {0};
    double most = 0;
    (void)state;
    bed_new(&b);
    for (unsigned i = 0; i < 300; i++) { /* 6 MB */
        seerdb_tree *t = create_tree(b.db, i);
        test_ok(try_fill(t, "x", 20000, &err), &err);
        test_ok(seerdb_tree_intend_drop(t, &err), &err);
        test_ok(seerdb_tree_drop(t, &err), &err);
        double now = stat_of(b.db, NULL, "log_bytes");
        most = now > most ? now : most;
    }
    if (most > 3e6)
        fail_msg("the log grew to %.0f bytes", most);
    bed_crash(&b);
    bed_open_ok(&b);
    bed_fini(&b);
}

/* ---- found here
 * ----------------------------------------------------------------------- */

/* A flush makes one tree's part of a commit durable; the rest was in an unsynced log.
 */
static void a_flush_does_not_outrun_the_log(void **state)
{
    struct bed b;
    seerdb_err err = {0};
    (void)state;
    seerdb_tree *t = bed_new_tree(&b), *u = create_tree(b.db, 2);
    test_ok(try_write(u, "before=1", SEERDB_SYNC_OFF, &err), &err);
    seerdb_batch *batch = new_batch(b.db);
    add(batch, t, "a=1");
    add(batch, u, "a=1");
    test_ok(seerdb_write(batch, SEERDB_SYNC_OFF, &err), &err);
    seerdb_batch_free(batch);
    test_ok(seerdb_flush(b.db, t, &err), &err);
    seerdb_tree_close(u);
    bed_reopen(&b, bed_lose_power, &t);
    expect(t, "a=1");
    u = open_tree(b.db, 2);
    expect(u, "a=1 before=1");
    seerdb_tree_close(t);
    bed_end(&b, u);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            trap_1_log_is_not_truncated_while_newer_acknowledged_writes_live_in_it),
        cmocka_unit_test(
            trap_2_a_prepared_commit_does_not_enter_a_memtable_already_flushed),
        cmocka_unit_test(trap_2_an_undecided_commit_keeps_its_place_in_the_log),
        cmocka_unit_test(replaying_skips_what_tables_hold),
        cmocka_unit_test(trap_3_two_crashes_in_a_row_lose_nothing),
        cmocka_unit_test(trap_4_numbers_do_not_restart_after_reopen),
        cmocka_unit_test(trap_6_flush_keeps_what_an_open_view_needs),
        cmocka_unit_test(trap_7_deleted_keys_do_not_come_back),
        cmocka_unit_test(trap_8_keys_with_colliding_codes_are_found),
        cmocka_unit_test(trap_9_the_hash_function_is_fixed),
        cmocka_unit_test(trap_14_key1_does_not_hide_key10),
        cmocka_unit_test(trap_15_crossed_and_strict_bounds_are_exact),
        cmocka_unit_test(trap_17_a_flipped_byte_is_never_returned_silently),
        cmocka_unit_test(trap_17_a_garbage_file_does_not_open_as_an_empty_table),
        cmocka_unit_test(trap_18_an_idle_tree_does_not_pin_the_log),
        cmocka_unit_test(trap_18_many_short_sessions_do_not_pile_up_log_files),
        cmocka_unit_test(trap_18_dropped_trees_leave_no_log_behind),
        cmocka_unit_test(a_flush_does_not_outrun_the_log),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
