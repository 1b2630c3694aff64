/* SPDX-License-Identifier: Apache-2.0 */
#include "os/faultfs.h"

#include "os/memfs.h"
#include "test.h"

#include <errno.h>

struct layers {
    struct sdb_fs *mem, *fs;
    seerdb_err err;
};

static int setup(void **state)
{
    static struct layers l;
    l = (struct layers){.mem = sdb_memfs_new(true)};
    l.fs = sdb_faultfs_new(l.mem);
    *state = &l;
    return sdb_fs_mkdir(l.fs, "d", NULL);
}

static int teardown(void **state)
{
    struct layers *l = *state;
    sdb_faultfs_free(l->fs);
    sdb_memfs_free(l->mem);
    return 0;
}

static struct sdb_file *create(struct layers *l, const char *path)
{
    struct sdb_file *f = NULL;
    test_ok(sdb_fs_open(l->fs, path, SDB_CREATE, SDB_FOR_LOG, &f, &l->err), &l->err);
    return f;
}

static void an_armed_write_fails_after_the_count_and_passes_again(void **state)
{
    struct layers *l = *state;
    struct sdb_file *f = create(l, "d/a");
    sdb_faultfs_arm(
        l->fs, &(struct sdb_fault){
                   .ops = SDB_FAULT_WRITE, .after = 2, .times = 1, .error = ENOSPC});
    for (uint64_t i = 0; i < 5; i++) {
        int rc = sdb_file_write_at(f, i, test_slice("x"), &l->err);
        assert_int_equal(rc, i == 2 ? SEERDB_FULL : 0);
    }
    assert_non_null(strstr(l->err.msg, "cannot write 1 bytes at 2 of d/a: "));
    assert_int_equal(sdb_faultfs_seen(l->fs), 5);
    assert_int_equal(sdb_faultfs_fired(l->fs), 1);
    sdb_file_close(f);
}

static void a_fault_may_last_for_ever_until_disarmed(void **state)
{
    struct layers *l = *state;
    struct sdb_file *f = create(l, "d/a");
    sdb_faultfs_arm(l->fs, &(struct sdb_fault){.ops = SDB_FAULT_SYNC,
                                               .after = 1,
                                               .times = UINT64_MAX,
                                               .error = EIO});
    test_ok(sdb_file_sync(f, &l->err), &l->err);
    for (int i = 0; i < 3; i++) {
        test_fails(sdb_file_sync(f, &l->err), SEERDB_IOERR, &l->err);
        test_fails(sdb_fs_sync_dir(l->fs, "d", &l->err), SEERDB_IOERR, &l->err);
    }
    sdb_faultfs_arm(l->fs, &(struct sdb_fault){0});
    assert_int_equal(sdb_faultfs_seen(l->fs), 0);
    test_ok(sdb_file_sync(f, &l->err), &l->err);
    assert_int_equal(sdb_faultfs_seen(l->fs), 0);
    sdb_file_close(f);
}

static void a_torn_write_leaves_its_first_half(void **state)
{
    struct layers *l = *state;
    struct sdb_buf b = {0};
    struct sdb_file *f = create(l, "d/a");
    test_ok(sdb_file_write_at(f, 0, test_slice("........"), &l->err), &l->err);
    sdb_faultfs_arm(
        l->fs, &(struct sdb_fault){
                   .ops = SDB_FAULT_WRITE, .times = 1, .error = EIO, .torn = true});
    test_fails(sdb_file_write_at(f, 0, test_slice("abcdefgh"), &l->err), SEERDB_IOERR,
               &l->err);
    test_ok(sdb_file_read_all(f, &b, &l->err), &l->err);
    test_slice_equal(sdb_buf_slice(&b), test_slice("abcd...."));
    sdb_faultfs_arm(
        l->fs, &(struct sdb_fault){.ops = SDB_FAULT_WRITE, .times = 1, .error = EIO});
    test_fails(sdb_file_write_at(f, 4, test_slice("efgh"), &l->err), SEERDB_IOERR,
               &l->err);
    sdb_buf_clear(&b);
    test_ok(sdb_file_read_all(f, &b, &l->err), &l->err);
    test_slice_equal(sdb_buf_slice(&b), test_slice("abcd...."));
    sdb_buf_fini(&b);
    sdb_file_close(f);
}

static void only_matching_paths_fail(void **state)
{
    struct layers *l = *state;
    struct sdb_file *f = NULL;
    sdb_faultfs_arm(l->fs, &(struct sdb_fault){.ops = SDB_FAULT_OPEN | SDB_FAULT_META,
                                               .match = ".log",
                                               .times = UINT64_MAX,
                                               .error = EACCES});
    sdb_file_close(create(l, "d/a"));
    test_fails(sdb_fs_open(l->fs, "d/a.log", SDB_CREATE, SDB_FOR_LOG, &f, &l->err),
               SEERDB_READONLY, &l->err);
    test_fails(sdb_fs_rename(l->fs, "d/a", "d/a.log", &l->err), SEERDB_READONLY,
               &l->err);
    test_ok(sdb_fs_rename(l->fs, "d/a", "d/b", &l->err), &l->err);
    assert_int_equal(sdb_faultfs_seen(l->fs), 2);
    assert_int_equal(sdb_fs_stat(l->fs, "d/a.log", NULL, NULL, &l->err),
                     SEERDB_NOTFOUND);
}

static void no_names(void *ctx, const char *name)
{
    (void)ctx;
    (void)name;
    fail_msg("nothing should be listed");
}

static void each_kind_of_operation_can_fail(void **state)
{
    struct layers *l = *state;
    seerdb_err *err = &l->err;
    struct sdb_file *g = NULL, *f = create(l, "d/a");
    char in[1];
    test_ok(sdb_file_write_at(f, 0, test_slice("x"), err), err);
    sdb_faultfs_arm(
        l->fs,
        &(struct sdb_fault){.ops = SDB_FAULT_ALL, .times = UINT64_MAX, .error = EIO});
    test_fails(sdb_fs_open(l->fs, "d/a", SDB_READ, SDB_FOR_LOG, &g, err), SEERDB_IOERR,
               err);
    test_fails(sdb_file_read_at(f, 0, in, 1, err), SEERDB_IOERR, err);
    test_fails(sdb_file_write_at(f, 0, test_slice("y"), err), SEERDB_IOERR, err);
    test_fails(sdb_file_sync(f, err), SEERDB_IOERR, err);
    test_fails(sdb_file_allocate(f, 10, err), SEERDB_IOERR, err);
    test_fails(sdb_file_truncate(f, 0, err), SEERDB_IOERR, err);
    test_fails(sdb_fs_remove(l->fs, "d/a", err), SEERDB_IOERR, err);
    test_fails(sdb_fs_rename(l->fs, "d/a", "d/b", err), SEERDB_IOERR, err);
    test_fails(sdb_fs_mkdir(l->fs, "e", err), SEERDB_IOERR, err);
    test_fails(sdb_fs_rmdir(l->fs, "d", err), SEERDB_IOERR, err);
    test_fails(sdb_fs_sync_dir(l->fs, "d", err), SEERDB_IOERR, err);
    test_fails(sdb_fs_list(l->fs, "d", no_names, NULL, err), SEERDB_IOERR, err);
    assert_int_equal(sdb_faultfs_fired(l->fs), 12);
    sdb_faultfs_arm(l->fs, &(struct sdb_fault){0});
    test_ok(sdb_file_read_at(f, 0, in, 1, err), err);
    assert_int_equal(in[0], 'x');
    sdb_file_close(f);
}

/* Whatever fails during a replacement, the old content or the new is there. */
static void a_replace_that_fails_leaves_old_or_new_content(void **state)
{
    struct layers *l = *state;
    seerdb_err *err = &l->err;
    test_ok(sdb_fs_replace(l->fs, "d", "d/C", test_slice("old"), SDB_FOR_LOG, err),
            err);
    int rc = -1;
    for (uint64_t n = 0; rc != 0; n++) {
        struct sdb_buf b = {0};
        struct sdb_file *f = NULL;
        sdb_faultfs_arm(l->fs, &(struct sdb_fault){.ops = SDB_FAULT_ALL,
                                                   .after = n,
                                                   .times = UINT64_MAX,
                                                   .error = EIO,
                                                   .torn = true});
        rc = sdb_fs_replace(l->fs, "d", "d/C", test_slice("new!"), SDB_FOR_LOG, NULL);
        sdb_faultfs_arm(l->fs, &(struct sdb_fault){0});
        test_ok(sdb_fs_open(l->fs, "d/C", SDB_READ, SDB_FOR_LOG, &f, err), err);
        test_ok(sdb_file_read_all(f, &b, err), err);
        assert_true(memcmp(b.data, "new!", b.size) == 0 ||
                    (rc != 0 && memcmp(b.data, "old", b.size) == 0));
        assert_in_range(b.size, 3, 4);
        sdb_file_close(f);
        sdb_buf_fini(&b);
        assert_in_range(n, 0, 6);
    }
}

static void a_replace_that_fails_leaves_no_other_file(void **state)
{
    struct layers *l = *state;
    static const struct sdb_fault faults[] = {
        {.ops = SDB_FAULT_WRITE, .times = 1, .error = EIO},
        {.ops = SDB_FAULT_SYNC, .times = 1, .error = EIO},
        {.ops = SDB_FAULT_META, .after = 1, .times = 1, .error = EIO}, /* the rename */
    };
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        sdb_faultfs_arm(l->fs, &faults[i]);
        test_fails(
            sdb_fs_replace(l->fs, "d", "d/C", test_slice("x"), SDB_FOR_LOG, &l->err),
            SEERDB_IOERR, &l->err);
        test_ok(sdb_fs_list(l->fs, "d", no_names, NULL, &l->err), &l->err);
    }
}

struct seen {
    unsigned syncs, writes;
    char last[32];
};

static void observe(void *ctx, enum sdb_fault_op op, const char *path)
{
    struct seen *seen = ctx;
    seen->syncs += op == SDB_FAULT_SYNC;
    seen->writes += op == SDB_FAULT_WRITE;
    snprintf(seen->last, sizeof seen->last, "%s", path);
}

static void an_observer_sees_writes_and_syncs_that_pass(void **state)
{
    struct layers *l = *state;
    struct seen seen = {0};
    struct sdb_file *f = create(l, "d/a");
    sdb_faultfs_observe(l->fs, observe, &seen);
    test_ok(sdb_file_write_at(f, 0, test_slice("x"), &l->err), &l->err);
    assert_string_equal(seen.last, "d/a");
    test_ok(sdb_file_sync(f, &l->err), &l->err);
    test_ok(sdb_fs_sync_dir(l->fs, "d", &l->err), &l->err);
    assert_string_equal(seen.last, "d");
    sdb_faultfs_arm(
        l->fs, &(struct sdb_fault){.ops = SDB_FAULT_WRITE, .times = 1, .error = EIO});
    test_fails(sdb_file_write_at(f, 0, test_slice("x"), &l->err), SEERDB_IOERR,
               &l->err);
    assert_int_equal(seen.writes, 1);
    assert_int_equal(seen.syncs, 2);
    sdb_faultfs_observe(l->fs, NULL, NULL);
    test_ok(sdb_file_sync(f, &l->err), &l->err);
    assert_int_equal(seen.syncs, 2);
    sdb_file_close(f);
}

static void layers_of_faults_can_be_stacked(void **state)
{
    struct layers *l = *state;
    struct sdb_fs *top = sdb_faultfs_new(l->fs);
    struct sdb_file *f = NULL;
    test_ok(sdb_fs_open(top, "d/a", SDB_CREATE, SDB_FOR_LOG, &f, &l->err), &l->err);
    sdb_faultfs_arm(
        l->fs, &(struct sdb_fault){
                   .ops = SDB_FAULT_WRITE, .match = "d/a", .times = 1, .error = EIO});
    test_fails(sdb_file_write_at(f, 0, test_slice("x"), &l->err), SEERDB_IOERR,
               &l->err);
    test_ok(sdb_file_write_at(f, 0, test_slice("x"), &l->err), &l->err);
    sdb_file_close(f);
    sdb_faultfs_free(top);
}

#define EACH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        EACH(an_armed_write_fails_after_the_count_and_passes_again),
        EACH(a_fault_may_last_for_ever_until_disarmed),
        EACH(a_torn_write_leaves_its_first_half),
        EACH(only_matching_paths_fail),
        EACH(each_kind_of_operation_can_fail),
        EACH(a_replace_that_fails_leaves_old_or_new_content),
        EACH(a_replace_that_fails_leaves_no_other_file),
        EACH(an_observer_sees_writes_and_syncs_that_pass),
        EACH(layers_of_faults_can_be_stacked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
