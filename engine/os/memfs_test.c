/* SPDX-License-Identifier: Apache-2.0 */
#include "os/memfs.h"

#include "os/thread.h"
#include "test.h"

#include <errno.h>

static seerdb_err err;

static int setup(void **state)
{
    *state = sdb_memfs_new(true);
    test_ok(sdb_fs_mkdir(*state, "d", &err), &err);
    test_ok(sdb_fs_sync_dir(*state, ".", &err), &err);
    return 0;
}

static int teardown(void **state)
{
    sdb_memfs_free(*state);
    return 0;
}

static struct sdb_file *open_file(struct sdb_fs *fs, const char *path,
                                  enum sdb_open_mode mode)
{
    struct sdb_file *f = NULL;
    test_ok(sdb_fs_open(fs, path, mode, SDB_FOR_OTHER, &f, &err), &err);
    return f;
}

static void put(struct sdb_file *f, uint64_t off, const char *text)
{
    test_ok(sdb_file_write_at(f, off, test_slice(text), &err), &err);
}

static void sync_file(struct sdb_file *f)
{
    test_ok(sdb_file_sync(f, &err), &err);
}

static void sync_dir(struct sdb_fs *fs)
{
    test_ok(sdb_fs_sync_dir(fs, "d", &err), &err);
}

/* A file whose name is synced, and whose content is when it says so. */
static void make(struct sdb_fs *fs, const char *path, const char *text, bool sync)
{
    struct sdb_file *f = open_file(fs, path, SDB_CREATE);
    put(f, 0, text);
    if (sync)
        sync_file(f);
    sdb_file_close(f);
}

static bool exists(struct sdb_fs *fs, const char *path)
{
    int rc = sdb_fs_stat(fs, path, NULL, NULL, &err);
    assert_in_range(rc, 0, 1);
    return rc == 0;
}

static void expect(struct sdb_fs *fs, const char *path, const char *text)
{
    struct sdb_buf b = {0};
    struct sdb_file *f = open_file(fs, path, SDB_READ);
    test_ok(sdb_file_read_all(f, &b, &err), &err);
    test_slice_equal(sdb_buf_slice(&b), test_slice(text));
    sdb_buf_fini(&b);
    sdb_file_close(f);
}

static bool holds(struct sdb_fs *fs, const char *path, const char *text)
{
    struct sdb_buf b = {0};
    struct sdb_file *f = open_file(fs, path, SDB_READ);
    test_ok(sdb_file_read_all(f, &b, &err), &err);
    bool same = b.size == strlen(text) && memcmp(b.data, text, b.size) == 0;
    sdb_buf_fini(&b);
    sdb_file_close(f);
    return same;
}

static void drop(struct sdb_fs *fs)
{
    sdb_memfs_cut(fs, SDB_CUT_DROP, 0);
}

static void a_cut_keeps_what_was_synced_and_drops_the_rest(void **state)
{
    struct sdb_fs *fs = *state;
    struct sdb_file *f = open_file(fs, "d/a", SDB_CREATE);
    put(f, 0, "synced");
    sync_file(f);
    sync_dir(fs);
    put(f, 0, "S");
    put(f, 6, " and more");
    put(f, 200000, "far");
    drop(fs);
    expect(fs, "d/a", "synced");
    sdb_file_close(f);
}

static void a_cut_brings_back_what_was_truncated(void **state)
{
    struct sdb_fs *fs = *state;
    static char big[200001], in[200000];
    memset(big, 'x', 200000);
    make(fs, "d/a", big, true);
    sync_dir(fs);
    struct sdb_file *f = open_file(fs, "d/a", SDB_READWRITE);
    test_ok(sdb_file_truncate(f, 70000, &err), &err);
    put(f, 70000, "y");
    test_ok(sdb_file_truncate(f, 10, &err), &err);
    test_ok(sdb_file_truncate(f, 100000, &err), &err);
    put(f, 90000, "y");
    sdb_file_close(f);
    drop(fs);
    f = open_file(fs, "d/a", SDB_READ);
    test_ok(sdb_file_read_at(f, 0, in, sizeof in, &err), &err);
    assert_memory_equal(in, big, sizeof in);
    sdb_file_close(f);
}

static void a_cut_undoes_an_unsynced_allocation(void **state)
{
    struct sdb_fs *fs = *state;
    uint64_t size = 1;
    make(fs, "d/a", "", true);
    sync_dir(fs);
    struct sdb_file *f = open_file(fs, "d/a", SDB_READWRITE);
    test_ok(sdb_file_allocate(f, 64 << 20, &err), &err);
    assert_int_equal(sdb_memfs_bytes(fs), 0);
    put(f, 1 << 20, "x");
    assert_in_range(sdb_memfs_bytes(fs), 1, 1 << 20);
    sdb_file_close(f);
    drop(fs);
    test_ok(sdb_fs_stat(fs, "d/a", NULL, &size, &err), &err);
    assert_int_equal(size, 0);
    assert_int_equal(sdb_memfs_bytes(fs), 0);
}

static void a_file_whose_directory_was_not_synced_is_lost(void **state)
{
    struct sdb_fs *fs = *state;
    make(fs, "d/a", "synced", true);
    drop(fs);
    assert_true(exists(fs, "d"));
    assert_false(exists(fs, "d/a"));
    assert_int_equal(sdb_memfs_bytes(fs), 0);
}

static void a_name_may_be_durable_before_its_content(void **state)
{
    struct sdb_fs *fs = *state;
    make(fs, "d/a", "not synced", false);
    sync_dir(fs);
    drop(fs);
    expect(fs, "d/a", "");
}

static void unsynced_renames_and_removals_are_undone(void **state)
{
    struct sdb_fs *fs = *state;
    make(fs, "d/a", "a", true);
    make(fs, "d/b", "b", true);
    make(fs, "d/c", "c", true);
    sync_dir(fs);
    test_ok(sdb_fs_rename(fs, "d/a", "d/b", &err), &err);
    test_ok(sdb_fs_remove(fs, "d/c", &err), &err);
    make(fs, "d/c", "another", true);
    drop(fs);
    expect(fs, "d/a", "a");
    expect(fs, "d/b", "b");
    expect(fs, "d/c", "c");
}

static void a_synced_directory_keeps_its_changes(void **state)
{
    struct sdb_fs *fs = *state;
    make(fs, "d/a", "a", true);
    make(fs, "d/b", "b", true);
    sync_dir(fs);
    test_ok(sdb_fs_rename(fs, "d/a", "d/b", &err), &err);
    make(fs, "d/c", "c", true);
    test_ok(sdb_fs_remove(fs, "d/c", &err), &err);
    make(fs, "d/e", "e", true);
    sync_dir(fs);
    drop(fs);
    assert_false(exists(fs, "d/a"));
    expect(fs, "d/b", "a");
    assert_false(exists(fs, "d/c"));
    expect(fs, "d/e", "e");
}

static void a_replaced_file_survives_a_cut(void **state)
{
    struct sdb_fs *fs = *state;
    static const char *const texts[] = {"one", "two"};
    for (int i = 0; i < 2; i++) {
        test_ok(
            sdb_fs_replace(fs, "d", "d/C", test_slice(texts[i]), SDB_FOR_OTHER, &err),
            &err);
        drop(fs);
        expect(fs, "d/C", texts[i]);
    }
}

static void a_lost_directory_takes_its_files_with_it(void **state)
{
    struct sdb_fs *fs = *state;
    test_ok(sdb_fs_mkdir(fs, "d/sub", &err), &err);
    make(fs, "d/sub/a", "a", true);
    test_ok(sdb_fs_sync_dir(fs, "d/sub", &err), &err);
    drop(fs);
    assert_false(exists(fs, "d/sub"));
    test_ok(sdb_fs_mkdir(fs, "d/sub", &err), &err);
    assert_false(exists(fs, "d/sub/a"));
}

static void files_opened_before_a_cut_fail(void **state)
{
    struct sdb_fs *fs = *state;
    char in[4];
    uint64_t size;
    make(fs, "d/a", "text", true);
    sync_dir(fs);
    struct sdb_file *old = open_file(fs, "d/a", SDB_READWRITE);
    test_ok(sdb_file_lock(old, SDB_LOCK_EXCLUSIVE, &err), &err);
    drop(fs);
    test_fails(sdb_file_read_at(old, 0, in, 4, &err), SEERDB_IOERR, &err);
    test_fails(sdb_file_write_at(old, 0, test_slice("x"), &err), SEERDB_IOERR, &err);
    test_fails(sdb_file_sync(old, &err), SEERDB_IOERR, &err);
    test_fails(sdb_file_truncate(old, 0, &err), SEERDB_IOERR, &err);
    test_fails(sdb_file_size(old, &size, &err), SEERDB_IOERR, &err);
    test_fails(sdb_file_lock(old, SDB_LOCK_EXCLUSIVE, &err), SEERDB_IOERR, &err);
    struct sdb_file *f = open_file(fs, "d/a", SDB_READWRITE);
    test_ok(sdb_file_lock(f, SDB_LOCK_EXCLUSIVE, &err), &err);
    sdb_file_close(old);
    struct sdb_file *g = open_file(fs, "d/a", SDB_READWRITE);
    assert_int_equal(sdb_file_lock(g, SDB_LOCK_EXCLUSIVE, &err), SEERDB_BUSY);
    sdb_file_close(f);
    sdb_file_close(g);
    expect(fs, "d/a", "text");
}

/* 300 sectors, of which the even ones are written again after the sync. */
static void a_random_cut_keeps_reverts_or_garbles_unsynced_sectors(void **state)
{
    struct sdb_fs *fs = *state;
    enum { SECTORS = 300, SIZE = SECTORS * 512 };
    static char text[SIZE + 1], in[SIZE];
    unsigned kept = 0, reverted = 0, garbled = 0;
    memset(text, 'o', SIZE);
    make(fs, "d/a", text, true);
    sync_dir(fs);
    struct sdb_file *f = open_file(fs, "d/a", SDB_READWRITE);
    memset(text, 'n', 512);
    for (uint64_t i = 0; i < SECTORS; i += 2)
        test_ok(sdb_file_write_at(f, i * 512, (seerdb_slice){text, 512}, &err), &err);
    sdb_memfs_cut(fs, SDB_CUT_RANDOM, 7);
    sdb_file_close(f);
    f = open_file(fs, "d/a", SDB_READ);
    test_ok(sdb_file_read_at(f, 0, in, SIZE, &err), &err);
    sdb_file_close(f);
    for (size_t i = 0; i < SECTORS; i++) {
        const char *sector = in + i * 512;
        bool old = memcmp(sector, text + 512, 512) == 0;
        if (i % 2 == 1) {
            assert_true(old);
            continue;
        }
        bool fresh = memcmp(sector, text, 512) == 0;
        kept += fresh;
        reverted += old;
        garbled += !old && !fresh;
    }
    assert_true(kept > 20 && reverted > 20 && garbled > 20);
}

static void a_random_cut_of_an_appended_file_leaves_any_size_between(void **state)
{
    struct sdb_fs *fs = *state;
    static char big[3001];
    bool seen[3] = {false, false, false}; /* old, between, new */
    memset(big, 'x', 3000);
    make(fs, "d/a", "12345", true);
    sync_dir(fs);
    for (uint64_t seed = 0; seed < 40; seed++) {
        uint64_t size = 0;
        char in[5];
        struct sdb_file *f = open_file(fs, "d/a", SDB_READWRITE);
        test_ok(sdb_file_truncate(f, 5, &err), &err);
        sync_file(f);
        put(f, 5, big);
        sdb_memfs_cut(fs, SDB_CUT_RANDOM, seed);
        sdb_file_close(f);
        f = open_file(fs, "d/a", SDB_READWRITE);
        test_ok(sdb_file_size(f, &size, &err), &err);
        assert_in_range(size, 5, 3005);
        seen[size == 5 ? 0 : size < 3005 ? 1 : 2] = true;
        test_ok(sdb_file_truncate(f, 70000, &err), &err);
        test_ok(sdb_file_read_at(f, 69000, in, 5, &err), &err);
        assert_memory_equal(in, "\0\0\0\0\0", 5);
        put(f, 0, "12345");
        sync_file(f);
        sdb_file_close(f);
    }
    assert_true(seen[0] && seen[1] && seen[2]);
}

/* What sdb_fs_replace relies on. */
static void a_random_cut_leaves_the_old_or_the_new_file_after_a_rename(void **state)
{
    unsigned old = 0, fresh = 0;
    (void)state;
    for (uint64_t seed = 0; seed < 64; seed++) {
        struct sdb_fs *fs = sdb_memfs_new(true);
        test_ok(sdb_fs_mkdir(fs, "d", &err), &err);
        make(fs, "d/a", "old", true);
        sync_dir(fs);
        test_ok(sdb_fs_sync_dir(fs, ".", &err), &err);
        make(fs, "d/a.tmp", "new", true);
        test_ok(sdb_fs_rename(fs, "d/a.tmp", "d/a", &err), &err);
        sdb_memfs_cut(fs, SDB_CUT_RANDOM, seed);
        if (holds(fs, "d/a", "new"))
            fresh++;
        else if (holds(fs, "d/a", "old"))
            old++;
        sdb_memfs_free(fs);
    }
    assert_int_equal(old + fresh, 64);
    assert_true(old > 10 && fresh > 10);
}

static void a_random_cut_decides_about_each_name(void **state)
{
    unsigned outcome[4] = {0};
    (void)state;
    for (uint64_t seed = 0; seed < 100; seed++) {
        struct sdb_fs *fs = sdb_memfs_new(true);
        test_ok(sdb_fs_mkdir(fs, "d", &err), &err);
        test_ok(sdb_fs_sync_dir(fs, ".", &err), &err);
        make(fs, "d/gone", "x", true);
        sync_dir(fs);
        test_ok(sdb_fs_remove(fs, "d/gone", &err), &err);
        make(fs, "d/come", "y", true);
        sdb_memfs_cut(fs, SDB_CUT_RANDOM, seed);
        outcome[exists(fs, "d/gone") * 2 + exists(fs, "d/come")]++;
        if (exists(fs, "d/gone"))
            expect(fs, "d/gone", "x");
        if (exists(fs, "d/come"))
            expect(fs, "d/come", "y");
        sdb_memfs_free(fs);
    }
    for (int i = 0; i < 4; i++)
        assert_true(outcome[i] > 8);
}

static void the_same_seed_leaves_the_same_disk(void **state)
{
    struct sdb_buf disk[2] = {{0}};
    static char big[20001];
    (void)state;
    memset(big, 'x', 20000);
    for (int i = 0; i < 2; i++) {
        struct sdb_fs *fs = sdb_memfs_new(true);
        make(fs, "a", "", true);
        test_ok(sdb_fs_sync_dir(fs, ".", &err), &err);
        struct sdb_file *f = open_file(fs, "a", SDB_READWRITE);
        put(f, 0, big);
        sdb_memfs_cut(fs, SDB_CUT_RANDOM, 99);
        sdb_file_close(f);
        f = open_file(fs, "a", SDB_READ);
        test_ok(sdb_file_read_all(f, &disk[i], &err), &err);
        sdb_file_close(f);
        sdb_memfs_free(fs);
    }
    test_slice_equal(sdb_buf_slice(&disk[0]), sdb_buf_slice(&disk[1]));
    sdb_buf_fini(&disk[0]);
    sdb_buf_fini(&disk[1]);
}

static void a_flipped_bit_stays_flipped_after_a_cut(void **state)
{
    struct sdb_fs *fs = *state;
    make(fs, "d/a", "abc", true);
    sync_dir(fs);
    struct sdb_file *f = open_file(fs, "d/a", SDB_READWRITE);
    put(f, 0, "A");
    assert_int_equal(sdb_memfs_flip(fs, "d/a", 1, 0), 0); /* b and c differ in it */
    assert_int_equal(sdb_memfs_flip(fs, "d/a", 3, 0), EINVAL);
    assert_int_equal(sdb_memfs_flip(fs, "d/a", 0, 8), EINVAL);
    assert_int_equal(sdb_memfs_flip(fs, "d/x", 0, 0), ENOENT);
    expect(fs, "d/a", "Acc");
    sdb_file_close(f);
    drop(fs);
    expect(fs, "d/a", "acc");
    assert_int_equal(sdb_memfs_flip(fs, "d/a", 2, 1), 0);
    drop(fs);
    expect(fs, "d/a", "aca");
}

static void memory_is_given_back(void **state)
{
    struct sdb_fs *fs = sdb_memfs_new(false);
    static char big[100001];
    (void)state;
    memset(big, 'x', 100000);
    make(fs, "a", big, true);
    assert_int_equal(sdb_memfs_bytes(fs), 2 * 65536);
    struct sdb_file *f = open_file(fs, "a", SDB_READWRITE);
    test_ok(sdb_file_truncate(f, 65536, &err), &err);
    assert_int_equal(sdb_memfs_bytes(fs), 65536);
    test_ok(sdb_fs_remove(fs, "a", &err), &err);
    assert_int_equal(sdb_memfs_bytes(fs), 65536);
    sdb_file_close(f);
    assert_int_equal(sdb_memfs_bytes(fs), 0);
    sdb_memfs_free(fs);
}

static void the_tops_are_there_from_the_start(void **state)
{
    struct sdb_fs *fs = *state;
    bool is_dir = false;
    test_ok(sdb_fs_stat(fs, "/", &is_dir, NULL, &err), &err);
    assert_true(is_dir);
    test_ok(sdb_fs_mkdir(fs, "/tmp", &err), &err);
    test_ok(sdb_fs_mkdir(fs, "/tmp/x", &err), &err);
    test_ok(sdb_fs_sync_dir(fs, "/", &err), &err);
    test_ok(sdb_fs_sync_dir(fs, "/tmp", &err), &err);
    test_fails(sdb_fs_mkdir(fs, ".", &err), SEERDB_IOERR, &err);
    drop(fs);
    assert_true(exists(fs, "/tmp/x"));
}

/* Thousands of operations against a model: two arrays of bytes. */
static void random_writes_and_cuts_agree_with_a_simple_model(void **state)
{
    struct sdb_fs *fs = *state;
    enum { SIZE = 150000 };
    static uint8_t now[SIZE], synced[SIZE], in[SIZE];
    uint64_t size = 0, synced_size = 0, x = 12345;
    make(fs, "d/a", "", true);
    sync_dir(fs);
    struct sdb_file *f = open_file(fs, "d/a", SDB_READWRITE);
    for (int step = 0; step < 3000; step++) {
        x = x * 6364136223846793005u + 1442695040888963407u;
        uint64_t r = x >> 33, off = (x >> 13) % SIZE, n = r % 3000;
        if (n > SIZE - off)
            n = SIZE - off;
        if (r % 16 < 10) {
            uint8_t bytes[3000];
            memset(bytes, (int)(r % 251), sizeof bytes);
            test_ok(sdb_file_write_at(f, off, (seerdb_slice){bytes, n}, &err), &err);
            memcpy(now + off, bytes, n);
            size = n > 0 && off + n > size ? off + n : size;
        } else if (r % 16 < 12) {
            test_ok(sdb_file_truncate(f, off, &err), &err);
            memset(now + off, 0, SIZE - off);
            size = off;
        } else if (r % 16 < 14) {
            sync_file(f);
            memcpy(synced, now, SIZE);
            synced_size = size;
        } else if (r % 64 == 14) {
            drop(fs);
            sdb_file_close(f);
            f = open_file(fs, "d/a", SDB_READWRITE);
            memcpy(now, synced, SIZE);
            size = synced_size;
        }
        uint64_t got = 0;
        test_ok(sdb_file_size(f, &got, &err), &err);
        assert_int_equal(got, size);
        if (step % 8 == 0) {
            test_ok(sdb_file_read_at(f, 0, in, (size_t)size, &err), &err);
            assert_memory_equal(in, now, (size_t)size);
        }
    }
    sdb_file_close(f);
}

struct worker {
    struct sdb_fs *fs;
    struct sdb_thread thread;
    char path[16];
    bool ok;
};

static void *work(void *arg)
{
    struct worker *w = arg;
    struct sdb_file *shared = NULL, *f = NULL;
    char in[6];
    w->ok = sdb_fs_open(w->fs, "d/shared", SDB_READ, SDB_FOR_READ, &shared, NULL) == 0;
    for (int i = 0; w->ok && i < 300; i++) {
        w->ok = sdb_fs_open(w->fs, w->path, SDB_CREATE, SDB_FOR_LOG, &f, NULL) == 0 &&
                sdb_file_write_at(f, 60000, test_slice("123456"), NULL) == 0 &&
                sdb_file_sync(f, NULL) == 0 &&
                sdb_file_read_at(f, 60000, in, 6, NULL) == 0 &&
                memcmp(in, "123456", 6) == 0 &&
                sdb_file_read_at(shared, 0, in, 6, NULL) == 0 &&
                memcmp(in, "shared", 6) == 0 &&
                sdb_fs_sync_dir(w->fs, "d", NULL) == 0 &&
                sdb_fs_remove(w->fs, w->path, NULL) == 0;
        sdb_file_close(f);
        f = NULL;
    }
    sdb_file_close(shared);
    return NULL;
}

static void threads_do_not_disturb_each_other(void **state)
{
    static struct worker w[3];
    make(*state, "d/shared", "shared", true);
    for (int i = 0; i < 3; i++) {
        w[i].fs = *state;
        snprintf(w[i].path, sizeof w[i].path, "d/%d", i);
        test_ok(sdb_thread_start(&w[i].thread, "work", work, &w[i], &err), &err);
    }
    for (int i = 0; i < 3; i++) {
        sdb_thread_join(&w[i].thread);
        assert_true(w[i].ok);
    }
}

#define EACH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        EACH(a_cut_keeps_what_was_synced_and_drops_the_rest),
        EACH(a_cut_brings_back_what_was_truncated),
        EACH(a_cut_undoes_an_unsynced_allocation),
        EACH(a_file_whose_directory_was_not_synced_is_lost),
        EACH(a_name_may_be_durable_before_its_content),
        EACH(unsynced_renames_and_removals_are_undone),
        EACH(a_synced_directory_keeps_its_changes),
        EACH(a_replaced_file_survives_a_cut),
        EACH(a_lost_directory_takes_its_files_with_it),
        EACH(files_opened_before_a_cut_fail),
        EACH(a_random_cut_keeps_reverts_or_garbles_unsynced_sectors),
        EACH(a_random_cut_of_an_appended_file_leaves_any_size_between),
        EACH(a_random_cut_leaves_the_old_or_the_new_file_after_a_rename),
        EACH(a_random_cut_decides_about_each_name),
        EACH(the_same_seed_leaves_the_same_disk),
        EACH(a_flipped_bit_stays_flipped_after_a_cut),
        EACH(memory_is_given_back),
        EACH(the_tops_are_there_from_the_start),
        EACH(random_writes_and_cuts_agree_with_a_simple_model),
        EACH(threads_do_not_disturb_each_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
