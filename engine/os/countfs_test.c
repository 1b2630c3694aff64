/* SPDX-License-Identifier: Apache-2.0 */
#include "os/countfs.h"

#include "os/aheadfs.h"
#include "os/faultfs.h"
#include "os/memfs.h"
#include "test.h"

/* Two users of one layer, which has faults in front of it. */
struct rig {
    struct sdb_fs *mem, *fault;
    struct sdb_countfs a, b;
};

static void begin(struct rig *r)
{
    *r = (struct rig){.mem = sdb_memfs_new(true)};
    assert_non_null(r->mem);
    r->fault = sdb_faultfs_new(r->mem);
    assert_non_null(r->fault);
    sdb_countfs_init(&r->a, r->fault);
    sdb_countfs_init(&r->b, r->fault);
}

static void end(struct rig *r)
{
    sdb_faultfs_free(r->fault);
    sdb_memfs_free(r->mem);
}

static void make(struct sdb_fs *fs, const char *path, enum sdb_purpose why, size_t n)
{
    uint8_t bytes[4096] = {1};
    seerdb_err err = {0};
    struct sdb_file *f = NULL;
    test_ok(sdb_fs_open(fs, path, SDB_CREATE, why, &f, &err), &err);
    test_ok(sdb_file_write_at(f, 0, (seerdb_slice){bytes, n}, &err), &err);
    test_ok(sdb_file_sync(f, &err), &err);
    sdb_file_close(f);
}

static uint64_t written(const struct sdb_fs *fs, enum sdb_purpose why)
{
    return atomic_load(&fs->counters.written[why]);
}

static void each_counts_its_own_and_the_layer_under_them_all(void **state)
{
    (void)state;
    struct rig r;
    uint8_t back[100];
    seerdb_err err = {0};
    struct sdb_file *f = NULL;
    begin(&r);
    make(&r.a.base, "a", SDB_FOR_LOG, 1000);
    make(&r.b.base, "b", SDB_FOR_LOG, 300);
    make(&r.b.base, "c", SDB_FOR_FLUSH, 50);
    assert_int_equal(written(&r.a.base, SDB_FOR_LOG), 1000);
    assert_int_equal(written(&r.b.base, SDB_FOR_LOG), 300);
    assert_int_equal(written(&r.b.base, SDB_FOR_FLUSH), 50);
    assert_int_equal(written(r.fault, SDB_FOR_LOG), 1300);
    assert_int_equal(written(r.fault, SDB_FOR_FLUSH), 50);
    /* The file of one is the other's to read. */
    test_ok(sdb_fs_open(&r.b.base, "a", SDB_READ, SDB_FOR_READ, &f, &err), &err);
    test_ok(sdb_file_read_at(f, 0, back, sizeof back, &err), &err);
    sdb_file_close(f);
    assert_int_equal(atomic_load(&r.a.base.counters.read[SDB_FOR_READ]), 0);
    assert_int_equal(atomic_load(&r.b.base.counters.read[SDB_FOR_READ]), 100);
    assert_int_equal(atomic_load(&r.fault->counters.read[SDB_FOR_READ]), 100);
    end(&r);
}

static void reading_ahead_counts_for_the_layer_and_those_under_it(void **state)
{
    (void)state;
    struct rig r;
    uint8_t back[100];
    seerdb_err err = {0};
    struct sdb_file *f = NULL;
    begin(&r);
    make(&r.a.base, "a", SDB_FOR_FLUSH, 4096);
    struct sdb_fs *ahead = sdb_aheadfs_new(&r.a.base, SDB_FOR_COMPACTION, 8192);
    assert_non_null(ahead);
    test_ok(sdb_fs_open(ahead, "a", SDB_READ, SDB_FOR_COMPACTION, &f, &err), &err);
    test_ok(sdb_file_read_at(f, 0, back, sizeof back, &err), &err);
    sdb_file_close(f);
    sdb_aheadfs_free(ahead);
    uint64_t read = atomic_load(&r.a.base.counters.read[SDB_FOR_COMPACTION]);
    assert_true(read >= sizeof back);
    assert_int_equal(atomic_load(&r.fault->counters.read[SDB_FOR_COMPACTION]), read);
    assert_int_equal(atomic_load(&r.b.base.counters.read[SDB_FOR_COMPACTION]), 0);
    end(&r);
}

static void only_syncs_of_the_log_are_timed(void **state)
{
    (void)state;
    struct rig r;
    begin(&r);
    make(&r.a.base, "a", SDB_FOR_LOG, 10);
    make(&r.a.base, "b", SDB_FOR_LOG, 10);
    make(&r.a.base, "c", SDB_FOR_FLUSH, 10);
    assert_int_equal(sdb_histogram_count(&r.a.log_syncs), 2);
    assert_int_equal(sdb_histogram_count(&r.b.log_syncs), 0);
    assert_int_equal(atomic_load(&r.a.base.counters.syncs[SDB_FOR_LOG]), 2);
    assert_int_equal(atomic_load(&r.a.base.counters.syncs[SDB_FOR_FLUSH]), 1);
    end(&r);
}

/* What is not to be counted goes through, failures too. */
static void names_and_failures_pass_through(void **state)
{
    (void)state;
    struct rig r;
    seerdb_err err = {0};
    bool is_dir = false;
    uint64_t size = 0;
    struct sdb_file *f = NULL;
    begin(&r);
    struct sdb_fs *fs = &r.a.base;
    test_ok(sdb_fs_mkdir(fs, "d", &err), &err);
    make(fs, "d/a", SDB_FOR_OTHER, 7);
    test_ok(sdb_fs_rename(fs, "d/a", "d/b", &err), &err);
    test_ok(sdb_fs_sync_dir(fs, "d", &err), &err);
    test_ok(sdb_fs_stat(r.mem, "d/b", &is_dir, &size, &err), &err);
    assert_true(!is_dir && size == 7);
    assert_false(sdb_fs_is_read_only(fs, "d"));
    sdb_faultfs_set_read_only(r.fault, true);
    assert_true(sdb_fs_is_read_only(fs, "d"));
    sdb_faultfs_set_read_only(r.fault, false);
    sdb_faultfs_arm(r.fault, &(struct sdb_fault){.ops = SDB_FAULT_OPEN,
                                                 .times = 1,
                                                 .error = 28}); /* ENOSPC */
    test_fails(sdb_fs_open(fs, "d/c", SDB_CREATE, SDB_FOR_LOG, &f, &err), SEERDB_FULL,
               &err);
    test_ok(sdb_fs_remove(fs, "d/b", NULL), &err);
    test_ok(sdb_fs_rmdir(fs, "d", NULL), &err);
    assert_int_equal(sdb_fs_stat(fs, "d", NULL, NULL, NULL), SEERDB_NOTFOUND);
    end(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_counts_its_own_and_the_layer_under_them_all),
        cmocka_unit_test(reading_ahead_counts_for_the_layer_and_those_under_it),
        cmocka_unit_test(only_syncs_of_the_log_are_timed),
        cmocka_unit_test(names_and_failures_pass_through),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
