/* SPDX-License-Identifier: Apache-2.0 */
#include "os/aheadfs.h"

#include "base/mem.h"
#include "base/rand.h"
#include "os/faultfs.h"
#include "os/memfs.h"
#include "test.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

#define ROOM 1000u
#define SIZE 7777u

struct layers {
    struct sdb_fs *mem, *fault, *fs;
    uint8_t bytes[2][SIZE];
    seerdb_err err;
};

static int setup(void **state)
{
    static struct layers l;
    static const char *const paths[] = {"one", "two"};
    struct sdb_rand r = {5};
    l = (struct layers){.mem = sdb_memfs_new(false)};
    l.fault = sdb_faultfs_new(l.mem);
    l.fs = sdb_aheadfs_new(l.fault, SDB_FOR_COMPACTION, ROOM);
    *state = &l;
    for (int i = 0; i < 2; i++) {
        struct sdb_file *f = NULL;
        for (size_t k = 0; k < SIZE; k++)
            l.bytes[i][k] = (uint8_t)sdb_rand_next(&r);
        if (sdb_fs_open(l.mem, paths[i], SDB_CREATE, SDB_FOR_OTHER, &f, NULL) != 0 ||
            sdb_file_write_at(f, 0, (seerdb_slice){l.bytes[i], SIZE}, NULL) != 0)
            return -1;
        sdb_file_close(f);
    }
    return 0;
}

static int teardown(void **state)
{
    struct layers *l = *state;
    sdb_aheadfs_free(l->fs);
    sdb_faultfs_free(l->fault);
    sdb_memfs_free(l->mem);
    return 0;
}

static struct sdb_file *open_file(struct layers *l, const char *path)
{
    struct sdb_file *f = NULL;
    test_ok(sdb_fs_open(l->fs, path, SDB_READ, SDB_FOR_COMPACTION, &f, &l->err),
            &l->err);
    return f;
}

static void any_reads_give_the_bytes_of_the_file(void **state)
{
    struct layers *l = *state;
    struct sdb_rand r = {9};
    struct sdb_file *f[2] = {open_file(l, "one"), open_file(l, "two")};
    uint64_t at[2] = {0, 0};
    uint8_t got[3000];
    for (int n = 0; n < 20000; n++) {
        int i = (int)sdb_rand_below(&r, 2);
        size_t size = 1 + (size_t)sdb_rand_below(&r, n % 50 == 0 ? 3000 : 200);
        if (sdb_rand_below(&r, 20) == 0 || at[i] + size > SIZE)
            at[i] = sdb_rand_below(&r, SIZE);
        if (size > SIZE - at[i])
            size = (size_t)(SIZE - at[i]);
        if (size == 0)
            continue;
        test_ok(sdb_file_read_at(f[i], at[i], got, size, &l->err), &l->err);
        assert_memory_equal(got, l->bytes[i] + at[i], size);
        at[i] += size + (sdb_rand_below(&r, 4) == 0 ? 32 : 0);
    }
    test_fails(sdb_file_read_at(f[0], SIZE - 5, got, 6, &l->err), SEERDB_CORRUPT,
               &l->err);
    sdb_file_close(f[0]);
    sdb_file_close(f[1]);
}

static void a_walk_reads_every_byte_once_in_large_pieces(void **state)
{
    struct layers *l = *state;
    struct sdb_file *f = open_file(l, "one");
    uint8_t got[64];
    uint64_t before = atomic_load(&l->fault->counters.read[SDB_FOR_COMPACTION]);
    sdb_faultfs_arm(l->fault,
                    &(struct sdb_fault){.ops = SDB_FAULT_READ, .after = UINT64_MAX});
    for (uint64_t at = 0; at + 50 <= SIZE; at += 50)
        test_ok(sdb_file_read_at(f, at, got, 50, &l->err), &l->err);
    assert_true(sdb_faultfs_seen(l->fault) <= SIZE / ROOM + 2);
    assert_true(atomic_load(&l->fault->counters.read[SDB_FOR_COMPACTION]) - before <=
                SIZE);
    sdb_file_close(f);
}

static void a_failed_read_fails_and_leaves_nothing_stale(void **state)
{
    struct layers *l = *state;
    struct sdb_file *f = open_file(l, "one");
    uint8_t got[64];
    test_ok(sdb_file_read_at(f, 0, got, 50, &l->err), &l->err);
    sdb_faultfs_arm(
        l->fault, &(struct sdb_fault){.ops = SDB_FAULT_READ, .times = 1, .error = EIO});
    test_fails(sdb_file_read_at(f, 50, got, 50, &l->err), SEERDB_IOERR, &l->err);
    test_ok(sdb_file_read_at(f, 50, got, 50, &l->err), &l->err);
    assert_memory_equal(got, l->bytes[0] + 50, 50);
    sdb_file_close(f);
    f = open_file(l, "two"); /* perhaps at the same address */
    test_ok(sdb_file_read_at(f, 60, got, 50, &l->err), &l->err);
    assert_memory_equal(got, l->bytes[1] + 60, 50);
    sdb_file_close(f);
}

static void nothing_can_be_written(void **state)
{
    struct layers *l = *state;
    struct sdb_file *f = NULL;
    test_fails(sdb_fs_open(l->fs, "new", SDB_CREATE, SDB_FOR_OTHER, &f, &l->err),
               SEERDB_READONLY, &l->err);
    f = open_file(l, "one");
    test_fails(sdb_file_write_at(f, 0, test_slice("x"), &l->err), SEERDB_READONLY,
               &l->err);
    test_fails(sdb_file_truncate(f, 0, &l->err), SEERDB_READONLY, &l->err);
    sdb_file_close(f);
    test_fails(sdb_fs_remove(l->fs, "one", &l->err), SEERDB_READONLY, &l->err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_reads_give_the_bytes_of_the_file),
        cmocka_unit_test(a_walk_reads_every_byte_once_in_large_pieces),
        cmocka_unit_test(a_failed_read_fails_and_leaves_nothing_stale),
        cmocka_unit_test(nothing_can_be_written),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
