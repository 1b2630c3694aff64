/* SPDX-License-Identifier: Apache-2.0
 *
 * What file.h promises, over every layer there is; then what only the local disk has.
 */
#define _GNU_SOURCE
#include "os/file.h"

#include "os/faultfs.h"
#include "os/memfs.h"
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum layer { LOCAL, MEMORY, FAULTS };

struct place {
    enum layer layer;
    struct sdb_fs *fs, *inner;
    char dir[64];
    seerdb_err err;
};

static int setup(void **state, enum layer layer)
{
    struct place *p = calloc(1, sizeof *p);
    *state = p;
    if (p == NULL)
        return -1;
    p->layer = layer;
    strcpy(p->dir, layer == LOCAL ? "/tmp/seerdb-file-XXXXXX" : "dir");
    if (layer == LOCAL) {
        p->fs = sdb_fs_local();
        return mkdtemp(p->dir) != NULL ? 0 : -1;
    }
    p->inner = sdb_memfs_new(true);
    p->fs = layer == FAULTS ? sdb_faultfs_new(p->inner) : p->inner;
    return sdb_fs_mkdir(p->fs, p->dir, NULL);
}

static int setup_local(void **state)
{
    return setup(state, LOCAL);
}

static int setup_memory(void **state)
{
    return setup(state, MEMORY);
}

static int setup_faults(void **state)
{
    return setup(state, FAULTS);
}

struct names {
    size_t n;
    char name[8][32];
};

static void add_name(void *ctx, const char *name)
{
    struct names *all = ctx;
    assert_in_range(all->n, 0, 7);
    snprintf(all->name[all->n++], sizeof all->name[0], "%s", name);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(a, b);
}

static struct names list(struct place *p)
{
    struct names all = {0};
    test_ok(sdb_fs_list(p->fs, p->dir, add_name, &all, &p->err), &p->err);
    qsort(all.name, all.n, sizeof all.name[0], compare_names);
    return all;
}

static const char *at(const struct place *p, const char *name)
{
    static char paths[4][128];
    static unsigned next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", p->dir, name);
    return path;
}

static int teardown(void **state)
{
    struct place *p = *state;
    struct names all = list(p);
    for (size_t i = 0; i < all.n; i++) {
        if (sdb_fs_remove(p->fs, at(p, all.name[i]), NULL) != 0)
            sdb_fs_rmdir(p->fs, at(p, all.name[i]), NULL);
    }
    int rc = sdb_fs_rmdir(p->fs, p->dir, NULL);
    if (p->layer == FAULTS)
        sdb_faultfs_free(p->fs);
    sdb_memfs_free(p->inner);
    free(p);
    return rc;
}

static struct sdb_file *open_file(struct place *p, const char *name,
                                  enum sdb_open_mode mode)
{
    struct sdb_file *f = NULL;
    test_ok(sdb_fs_open(p->fs, at(p, name), mode, SDB_FOR_OTHER, &f, &p->err), &p->err);
    return f;
}

static void write_text(struct place *p, struct sdb_file *f, uint64_t off, const char *s)
{
    test_ok(sdb_file_write_at(f, off, test_slice(s), &p->err), &p->err);
}

static void make(struct place *p, const char *name, const char *text)
{
    struct sdb_file *f = open_file(p, name, SDB_CREATE);
    write_text(p, f, 0, text);
    sdb_file_close(f);
}

static void expect(struct place *p, const char *name, const char *text)
{
    struct sdb_buf b = {0};
    struct sdb_file *f = open_file(p, name, SDB_READ);
    test_ok(sdb_file_read_all(f, &b, &p->err), &p->err);
    test_slice_equal(sdb_buf_slice(&b), test_slice(text));
    sdb_buf_fini(&b);
    sdb_file_close(f);
}

static uint64_t size_of(struct place *p, struct sdb_file *f)
{
    uint64_t size = 0;
    test_ok(sdb_file_size(f, &size, &p->err), &p->err);
    return size;
}

/* ---- every layer ---------------------------------------------------------- */

static void what_is_written_is_read_back(void **state)
{
    struct place *p = *state;
    static uint8_t out[200000], in[200000];
    struct sdb_file *f = open_file(p, "a", SDB_CREATE);
    for (size_t i = 0; i < sizeof out; i++)
        out[i] = (uint8_t)(i * 7 + i / 256);
    for (size_t at_byte = 0; at_byte < sizeof out; at_byte += 50000)
        test_ok(sdb_file_write_at(f, at_byte, (seerdb_slice){out + at_byte, 50000},
                                  &p->err),
                &p->err);
    assert_int_equal(size_of(p, f), sizeof out);
    test_ok(sdb_file_read_at(f, 0, in, sizeof in, &p->err), &p->err);
    assert_memory_equal(in, out, sizeof in);
    test_ok(sdb_file_read_at(f, 65530, in, 12, &p->err), &p->err);
    assert_memory_equal(in, out + 65530, 12);
    write_text(p, f, 65534, "over");
    test_ok(sdb_file_read_at(f, 65532, in, 8, &p->err), &p->err);
    assert_memory_equal(in + 2, "over", 4);
    assert_memory_equal(in, out + 65532, 2);
    assert_memory_equal(in + 6, out + 65538, 2);
    sdb_file_close(f);
}

static void a_gap_reads_as_zeros(void **state)
{
    struct place *p = *state;
    char in[5] = "xxxx";
    struct sdb_file *f = open_file(p, "a", SDB_CREATE);
    write_text(p, f, 300000, "end");
    assert_int_equal(size_of(p, f), 300003);
    test_ok(sdb_file_read_at(f, 100000, in, 4, &p->err), &p->err);
    assert_memory_equal(in, "\0\0\0\0", 4);
    test_ok(sdb_file_read_at(f, 299999, in, 4, &p->err), &p->err);
    assert_memory_equal(in, "\0end", 4);
    sdb_file_close(f);
}

static void a_read_past_the_end_is_corrupt(void **state)
{
    struct place *p = *state;
    char in[8];
    make(p, "a", "12345");
    struct sdb_file *f = open_file(p, "a", SDB_READ);
    test_ok(sdb_file_read_at(f, 1, in, 4, &p->err), &p->err);
    test_ok(sdb_file_read_at(f, 5, in, 0, &p->err), &p->err);
    assert_int_equal(sdb_file_read_at(f, 3, in, 4, &p->err), SEERDB_CORRUPT);
    assert_non_null(strstr(p->err.msg, "/a: 4 bytes expected at 3"));
    test_fails(sdb_file_read_at(f, 3, in, 4, &p->err), SEERDB_CORRUPT, &p->err);
    test_fails(sdb_file_read_at(f, 6, in, 1, &p->err), SEERDB_CORRUPT, &p->err);
    test_fails(sdb_file_read_at(f, UINT64_MAX - 1, in, 4, &p->err), SEERDB_CORRUPT,
               &p->err);
    test_fails(sdb_file_read_at(f, INT64_MAX, in, 4, &p->err), SEERDB_CORRUPT, &p->err);
    sdb_file_close(f);
}

static void absurd_sizes_are_refused(void **state)
{
    struct place *p = *state;
    make(p, "a", "12345");
    struct sdb_file *f = open_file(p, "a", SDB_READWRITE);
    test_fails(sdb_file_write_at(f, UINT64_MAX - 1, test_slice("abcd"), &p->err),
               SEERDB_IOERR, &p->err);
    test_fails(sdb_file_allocate(f, UINT64_MAX, &p->err), SEERDB_IOERR, &p->err);
    test_fails(sdb_file_truncate(f, UINT64_MAX, &p->err), SEERDB_IOERR, &p->err);
    sdb_file_close(f);
    expect(p, "a", "12345");
}

static void create_refuses_an_existing_file_and_open_a_missing_one(void **state)
{
    struct place *p = *state;
    struct sdb_file *f = NULL;
    make(p, "a", "text");
    test_fails(sdb_fs_open(p->fs, at(p, "a"), SDB_CREATE, SDB_FOR_OTHER, &f, &p->err),
               SEERDB_IOERR, &p->err);
    expect(p, "a", "text");
    test_fails(sdb_fs_open(p->fs, at(p, "b"), SDB_READ, SDB_FOR_OTHER, &f, &p->err),
               SEERDB_CANTOPEN, &p->err);
    test_fails(
        sdb_fs_open(p->fs, at(p, "b"), SDB_READWRITE, SDB_FOR_OTHER, &f, &p->err),
        SEERDB_CANTOPEN, &p->err);
    test_fails(
        sdb_fs_open(p->fs, at(p, "no/b"), SDB_CREATE, SDB_FOR_OTHER, &f, &p->err),
        SEERDB_CANTOPEN, &p->err);
    test_fails(sdb_fs_open(p->fs, at(p, "a/b"), SDB_CREATE, SDB_FOR_OTHER, &f, &p->err),
               SEERDB_IOERR, &p->err);
    assert_null(f);
}

static void a_file_opened_to_read_refuses_writes(void **state)
{
    struct place *p = *state;
    make(p, "a", "text");
    struct sdb_file *f = open_file(p, "a", SDB_READ);
    test_fails(sdb_file_write_at(f, 0, test_slice("x"), &p->err), SEERDB_IOERR,
               &p->err);
    sdb_file_close(f);
    f = open_file(p, "a", SDB_READWRITE);
    write_text(p, f, 1, "o");
    sdb_file_close(f);
    expect(p, "a", "toxt");
}

static void allocate_lengthens_with_zeros_and_never_shortens(void **state)
{
    struct place *p = *state;
    char in[3] = "xx";
    make(p, "a", "abc");
    struct sdb_file *f = open_file(p, "a", SDB_READWRITE);
    test_ok(sdb_file_allocate(f, 1 << 20, &p->err), &p->err);
    assert_int_equal(size_of(p, f), 1 << 20);
    test_ok(sdb_file_read_at(f, (1 << 20) - 2, in, 2, &p->err), &p->err);
    assert_memory_equal(in, "\0\0", 2);
    test_ok(sdb_file_allocate(f, 2, &p->err), &p->err);
    test_ok(sdb_file_allocate(f, 0, &p->err), &p->err);
    assert_int_equal(size_of(p, f), 1 << 20);
    test_ok(sdb_file_read_at(f, 0, in, 3, &p->err), &p->err);
    assert_memory_equal(in, "abc", 3);
    sdb_file_close(f);
}

static void what_truncate_cut_off_comes_back_as_zeros(void **state)
{
    struct place *p = *state;
    static char big[150000], in[150000];
    struct sdb_file *f = open_file(p, "a", SDB_CREATE);
    memset(big, 'x', sizeof big);
    test_ok(sdb_file_write_at(f, 0, (seerdb_slice){big, sizeof big}, &p->err), &p->err);
    test_ok(sdb_file_truncate(f, 70000, &p->err), &p->err);
    assert_int_equal(size_of(p, f), 70000);
    test_ok(sdb_file_truncate(f, sizeof big, &p->err), &p->err);
    memset(big + 70000, 0, sizeof big - 70000);
    test_ok(sdb_file_read_at(f, 0, in, sizeof in, &p->err), &p->err);
    assert_memory_equal(in, big, sizeof in);
    test_ok(sdb_file_truncate(f, 0, &p->err), &p->err);
    assert_int_equal(size_of(p, f), 0);
    sdb_file_close(f);
}

static void a_removed_file_stays_readable_until_closed(void **state)
{
    struct place *p = *state;
    char in[4];
    make(p, "a", "text");
    struct sdb_file *f = open_file(p, "a", SDB_READ);
    test_ok(sdb_fs_remove(p->fs, at(p, "a"), &p->err), &p->err);
    assert_int_equal(sdb_fs_stat(p->fs, at(p, "a"), NULL, NULL, &p->err),
                     SEERDB_NOTFOUND);
    make(p, "a", "another");
    test_ok(sdb_file_read_at(f, 0, in, 4, &p->err), &p->err);
    assert_memory_equal(in, "text", 4);
    sdb_file_close(f);
    test_ok(sdb_fs_remove(p->fs, at(p, "a"), &p->err), &p->err);
    test_fails(sdb_fs_remove(p->fs, at(p, "a"), &p->err), SEERDB_IOERR, &p->err);
}

static void rename_replaces(void **state)
{
    struct place *p = *state;
    make(p, "a", "old");
    make(p, "b", "new");
    test_ok(sdb_fs_rename(p->fs, at(p, "b"), at(p, "a"), &p->err), &p->err);
    expect(p, "a", "new");
    test_ok(sdb_fs_rename(p->fs, at(p, "a"), at(p, "a"), &p->err), &p->err);
    expect(p, "a", "new");
    test_ok(sdb_fs_rename(p->fs, at(p, "a"), at(p, "c"), &p->err), &p->err);
    expect(p, "c", "new");
    assert_int_equal(list(p).n, 1);
    test_fails(sdb_fs_rename(p->fs, at(p, "a"), at(p, "d"), &p->err), SEERDB_IOERR,
               &p->err);
    test_fails(sdb_fs_rename(p->fs, at(p, "c"), at(p, "no/c"), &p->err), SEERDB_IOERR,
               &p->err);
    expect(p, "c", "new");
}

static void directories_are_made_listed_and_removed(void **state)
{
    struct place *p = *state;
    bool is_dir = false;
    uint64_t size = 0;
    make(p, "b", "12345");
    make(p, "a", "");
    test_ok(sdb_fs_mkdir(p->fs, at(p, "sub"), &p->err), &p->err);
    test_fails(sdb_fs_mkdir(p->fs, at(p, "sub"), &p->err), SEERDB_IOERR, &p->err);
    test_fails(sdb_fs_mkdir(p->fs, at(p, "no/sub"), &p->err), SEERDB_CANTOPEN, &p->err);
    make(p, "sub/c", "x");
    struct names all = list(p);
    assert_int_equal(all.n, 3);
    assert_string_equal(all.name[0], "a");
    assert_string_equal(all.name[1], "b");
    assert_string_equal(all.name[2], "sub");
    test_ok(sdb_fs_stat(p->fs, at(p, "sub"), &is_dir, NULL, &p->err), &p->err);
    assert_true(is_dir);
    test_ok(sdb_fs_stat(p->fs, at(p, "b"), &is_dir, &size, &p->err), &p->err);
    assert_false(is_dir);
    assert_int_equal(size, 5);
    assert_int_equal(sdb_fs_stat(p->fs, at(p, "x"), &is_dir, &size, &p->err),
                     SEERDB_NOTFOUND);
    assert_int_equal(sdb_fs_stat(p->fs, at(p, "x/y"), &is_dir, &size, &p->err),
                     SEERDB_NOTFOUND);
    assert_int_equal(p->err.code, 0);
    test_fails(sdb_fs_rmdir(p->fs, at(p, "sub"), &p->err), SEERDB_IOERR, &p->err);
    test_fails(sdb_fs_rmdir(p->fs, at(p, "a"), &p->err), SEERDB_IOERR, &p->err);
    test_ok(sdb_fs_remove(p->fs, at(p, "sub/c"), &p->err), &p->err);
    test_ok(sdb_fs_rmdir(p->fs, at(p, "sub"), &p->err), &p->err);
    test_fails(sdb_fs_list(p->fs, at(p, "sub"), add_name, &all, &p->err),
               SEERDB_CANTOPEN, &p->err);
    test_ok(sdb_fs_sync_dir(p->fs, p->dir, &p->err), &p->err);
    test_fails(sdb_fs_sync_dir(p->fs, at(p, "sub"), &p->err), SEERDB_IOERR, &p->err);
}

static void a_lock_is_exclusive_until_its_file_is_closed(void **state)
{
    struct place *p = *state;
    make(p, "LOCK", "");
    struct sdb_file *one = open_file(p, "LOCK", SDB_READWRITE);
    struct sdb_file *two = open_file(p, "LOCK", SDB_READWRITE);
    test_ok(sdb_file_lock(one, SDB_LOCK_EXCLUSIVE, &p->err), &p->err);
    test_ok(sdb_file_lock(one, SDB_LOCK_EXCLUSIVE, &p->err), &p->err);
    assert_int_equal(sdb_file_lock(two, SDB_LOCK_EXCLUSIVE, &p->err), SEERDB_BUSY);
    assert_int_equal(p->err.code, 0);
    sdb_file_close(open_file(p, "LOCK", SDB_READWRITE)); /* does not drop it */
    assert_int_equal(sdb_file_lock(two, SDB_LOCK_EXCLUSIVE, &p->err), SEERDB_BUSY);
    sdb_file_close(one);
    test_ok(sdb_file_lock(two, SDB_LOCK_EXCLUSIVE, &p->err), &p->err);
    sdb_file_close(two);
}

static void a_shared_lock_is_shared_and_keeps_a_writer_out(void **state)
{
    struct place *p = *state;
    make(p, "LOCK", "");
    struct sdb_file *one = open_file(p, "LOCK", SDB_READ);
    struct sdb_file *two = open_file(p, "LOCK", SDB_READ);
    struct sdb_file *writer = open_file(p, "LOCK", SDB_READWRITE);
    test_ok(sdb_file_lock(one, SDB_LOCK_SHARED, &p->err), &p->err);
    test_ok(sdb_file_lock(two, SDB_LOCK_SHARED, &p->err), &p->err);
    assert_int_equal(sdb_file_lock(writer, SDB_LOCK_EXCLUSIVE, &p->err), SEERDB_BUSY);
    assert_int_equal(sdb_file_lock(two, SDB_LOCK_EXCLUSIVE, &p->err), SEERDB_BUSY);
    sdb_file_close(one); /* the other one holds nothing any more */
    test_ok(sdb_file_lock(writer, SDB_LOCK_EXCLUSIVE, &p->err), &p->err);
    assert_int_equal(sdb_file_lock(two, SDB_LOCK_SHARED, &p->err), SEERDB_BUSY);
    test_ok(sdb_file_lock(writer, SDB_LOCK_SHARED, &p->err), &p->err);
    test_ok(sdb_file_lock(two, SDB_LOCK_SHARED, &p->err), &p->err);
    sdb_file_close(writer);
    test_ok(sdb_file_lock(two, SDB_LOCK_EXCLUSIVE, &p->err), &p->err);
    sdb_file_close(two);
    assert_int_equal(p->err.code, 0);
}

static void the_holders_of_a_lock_are_known(void **state)
{
    struct place *p = *state;
    uint64_t pids[4] = {0};
    make(p, "LOCK", "");
    struct sdb_file *f = open_file(p, "LOCK", SDB_READ);
    assert_int_equal(sdb_file_holders(f, pids, 4), 0);
    test_ok(sdb_file_lock(f, SDB_LOCK_SHARED, &p->err), &p->err);
    struct sdb_file *g = open_file(p, "LOCK", SDB_READ);
    test_ok(sdb_file_lock(g, SDB_LOCK_SHARED, &p->err), &p->err);
    if (sdb_file_holders(f, pids, 4) == 0)
        skip(); /* a system that does not tell */
    assert_int_equal(sdb_file_holders(f, pids, 4), 2);
    assert_int_equal(pids[0], getpid());
    assert_int_equal(pids[1], getpid());
    assert_int_equal(sdb_file_holders(f, pids, 1), 1);
    sdb_file_close(f);
    sdb_file_close(g);
}

static void bytes_and_syncs_are_counted_by_purpose(void **state)
{
    struct place *p = *state;
    char in[4];
    struct sdb_fs_counters *c = &p->fs->counters;
    struct sdb_file *f = NULL;
    uint64_t written = c->written[SDB_FOR_LOG], read = c->read[SDB_FOR_LOG];
    uint64_t verify = c->read[SDB_FOR_VERIFY], syncs = c->syncs[SDB_FOR_LOG];
    test_ok(sdb_fs_open(p->fs, at(p, "a"), SDB_CREATE, SDB_FOR_LOG, &f, &p->err),
            &p->err);
    write_text(p, f, 0, "0123456789");
    test_ok(sdb_file_read_at(f, 2, in, 4, &p->err), &p->err);
    test_ok(sdb_file_read_for(f, SDB_FOR_VERIFY, 2, in, 3, &p->err), &p->err);
    test_ok(sdb_file_sync(f, &p->err), &p->err);
    sdb_file_close(f);
    assert_int_equal(c->written[SDB_FOR_LOG] - written, 10);
    assert_int_equal(c->read[SDB_FOR_LOG] - read, 4);
    assert_int_equal(c->read[SDB_FOR_VERIFY] - verify, 3);
    assert_int_equal(c->syncs[SDB_FOR_LOG] - syncs, 1);
    if (p->layer == FAULTS)
        assert_int_equal(p->inner->counters.written[SDB_FOR_LOG], 0);
}

static void replace_makes_or_changes_a_file_and_leaves_nothing_else(void **state)
{
    struct place *p = *state;
    make(p, "CURRENT.tmp", "left by a crash");
    test_ok(sdb_fs_replace(p->fs, p->dir, at(p, "CURRENT"), test_slice("one\n"),
                           SDB_FOR_MANIFEST, &p->err),
            &p->err);
    expect(p, "CURRENT", "one\n");
    test_ok(sdb_fs_replace(p->fs, p->dir, at(p, "CURRENT"), test_slice("2\n"),
                           SDB_FOR_MANIFEST, &p->err),
            &p->err);
    expect(p, "CURRENT", "2\n");
    assert_int_equal(list(p).n, 1);
}

static void read_all_appends(void **state)
{
    struct place *p = *state;
    struct sdb_buf b = {0};
    make(p, "a", "text");
    make(p, "empty", "");
    struct sdb_file *f = open_file(p, "a", SDB_READ);
    struct sdb_file *empty = open_file(p, "empty", SDB_READ);
    test_ok(sdb_file_read_all(empty, &b, &p->err), &p->err);
    test_ok(sdb_file_read_all(f, &b, &p->err), &p->err);
    test_ok(sdb_file_read_all(f, &b, &p->err), &p->err);
    test_slice_equal(sdb_buf_slice(&b), test_slice("texttext"));
    sdb_buf_fini(&b);
    sdb_file_close(f);
    sdb_file_close(empty);
}

/* Fails each allocation in turn; what answers 0 must have happened. */
static void running_out_of_memory_changes_nothing(void **state)
{
    struct place *p = *state;
    static char big[130000];
    int rc = -1;
    for (int64_t n = 0; rc != 0; n++) {
        struct sdb_file *f = NULL;
        seerdb_err err = {0};
        assert_in_range(n, 0, 50);
        sdb_mem_fail_after(n);
        rc = sdb_fs_open(p->fs, at(p, "a"), SDB_CREATE, SDB_FOR_OTHER, &f, &err);
        if (rc == 0)
            rc = sdb_file_write_at(f, 0, (seerdb_slice){big, sizeof big}, &err);
        if (rc == 0)
            rc = sdb_file_sync(f, &err);
        if (rc == 0)
            rc = sdb_file_truncate(f, 5000, &err);
        if (rc == 0)
            rc = sdb_fs_rename(p->fs, at(p, "a"), at(p, "b"), &err);
        if (rc == 0)
            rc = sdb_fs_replace(p->fs, p->dir, at(p, "c"), test_slice("x"),
                                SDB_FOR_OTHER, &err);
        sdb_mem_fail_after(-1);
        assert_true(rc == 0 || rc == SEERDB_NOMEM);
        assert_int_equal(rc, err.code);
        sdb_file_close(f);
        struct names all = list(p);
        assert_int_equal(sdb_fs_stat(p->fs, at(p, "c"), NULL, NULL, NULL),
                         rc == 0 ? 0 : SEERDB_NOTFOUND);
        for (size_t i = 0; i < all.n; i++)
            test_ok(sdb_fs_remove(p->fs, at(p, all.name[i]), &p->err), &p->err);
    }
}

/* ---- the local disk ------------------------------------------------------- */

static void messages_name_the_path_the_place_and_the_reason(void **state)
{
    struct place *p = *state;
    struct sdb_file *f = NULL;
    char want[200];
    snprintf(want, sizeof want, "cannot open %s: No such file or directory",
             at(p, "x"));
    assert_int_equal(
        sdb_fs_open(p->fs, at(p, "x"), SDB_READ, SDB_FOR_OTHER, &f, &p->err),
        SEERDB_CANTOPEN);
    assert_string_equal(p->err.msg, want);
    p->err = (seerdb_err){0};
    if (access("/dev/full", W_OK) != 0)
        return;
    test_ok(sdb_fs_open(p->fs, "/dev/full", SDB_READWRITE, SDB_FOR_OTHER, &f, &p->err),
            &p->err);
    assert_int_equal(sdb_file_write_at(f, 8192, test_slice("1234"), &p->err),
                     SEERDB_FULL);
    assert_string_equal(
        p->err.msg,
        "cannot write 4 bytes at 8192 of /dev/full: No space left on device");
    sdb_file_close(f);
}

static void a_limit_that_stops_a_write_half_way_is_reported(void **state)
{
    struct place *p = *state;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        /* The limit makes the system take a part of the write and then refuse. */
        static char big[100000];
        struct sdb_file *f = NULL;
        signal(SIGXFSZ, SIG_IGN);
        setrlimit(RLIMIT_FSIZE, &(struct rlimit){65536, 65536});
        int rc = sdb_fs_open(p->fs, at(p, "a"), SDB_CREATE, SDB_FOR_LOG, &f, NULL);
        if (rc == 0)
            rc = sdb_file_write_at(f, 0, (seerdb_slice){big, sizeof big}, NULL);
        _exit(rc == SEERDB_IOERR ? 0 : 1);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void files_obey_the_umask_and_close_on_exec(void **state)
{
    struct place *p = *state;
    struct stat st;
    mode_t before = umask(027);
    make(p, "a", "");
    umask(before);
    assert_int_equal(stat(at(p, "a"), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0640);
    int probe = open("/dev/null", O_RDONLY); /* the file gets the next descriptor */
    assert_true(probe > 2);
    close(probe);
    struct sdb_file *f = open_file(p, "a", SDB_READ);
    assert_int_equal(fcntl(probe, F_GETFD), FD_CLOEXEC);
    sdb_file_close(f);
    assert_int_equal(fcntl(probe, F_GETFD), -1);
}

static void a_file_never_takes_the_place_of_a_standard_stream(void **state)
{
    struct place *p = *state;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct sdb_file *f = NULL;
        close(1);
        close(2);
        int rc = sdb_fs_open(p->fs, at(p, "a"), SDB_CREATE, SDB_FOR_LOG, &f, NULL);
        bool free_still = fcntl(1, F_GETFD) < 0 && fcntl(2, F_GETFD) < 0;
        _exit(rc == 0 && free_still ? 0 : 1);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void a_forked_child_that_closes_does_not_unlock(void **state)
{
    struct place *p = *state;
    make(p, "LOCK", "");
    struct sdb_file *mine = open_file(p, "LOCK", SDB_READWRITE);
    struct sdb_file *other = open_file(p, "LOCK", SDB_READWRITE);
    test_ok(sdb_file_lock(mine, SDB_LOCK_EXCLUSIVE, &p->err), &p->err);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        sdb_file_close(mine);
        _exit(0);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(sdb_file_lock(other, SDB_LOCK_EXCLUSIVE, &p->err), SEERDB_BUSY);
    sdb_file_close(mine);
    test_ok(sdb_file_lock(other, SDB_LOCK_EXCLUSIVE, &p->err), &p->err);
    sdb_file_close(other);
}

static void a_map_shows_the_file_and_outlives_it(void **state)
{
    struct place *p = *state;
    struct sdb_map *m;
    make(p, "a", "shown");
    struct sdb_file *f = open_file(p, "a", SDB_READ);
    assert_null(sdb_file_map(f, 0));
    assert_null(sdb_file_map(f, 6)); /* the file is shorter */
    sdb_mem_fail_after(0);
    assert_null(sdb_file_map(f, 5));
    sdb_mem_fail_after(-1);
    assert_non_null(m = sdb_file_map(f, 5));
    assert_int_equal(m->size, 5);
    sdb_file_close(f);
    test_ok(sdb_fs_remove(p->fs, at(p, "a"), &p->err), &p->err);
    struct sdb_map *again = sdb_map_ref(m);
    sdb_map_unref(m);
    assert_memory_equal(again->data, "shown", 5);
    sdb_map_unref(again);
    sdb_map_unref(NULL);
}

static void layers_without_maps_say_so(void **state)
{
    struct place *p = *state;
    make(p, "a", "shown");
    struct sdb_file *f = open_file(p, "a", SDB_READ);
    assert_null(sdb_file_map(f, 5));
    sdb_file_close(f);
}

static void reading_ahead_changes_nothing_and_then_all_is_near(void **state)
{
    struct place *p = *state;
    seerdb_err err = {0};
    char got[5];
    make(p, "a", "shown");
    struct sdb_file *f = open_file(p, "a", SDB_READ);
    sdb_file_read_ahead(f, 0, 5);
    sdb_file_read_ahead(f, 3, 1000000);
    sdb_file_read_ahead(f, UINT64_MAX, 5);
    sdb_file_read_ahead(f, 5, UINT64_MAX);
    test_ok(sdb_file_read_at(f, 0, got, 5, &err), &err);
    assert_memory_equal(got, "shown", 5);
    assert_true(sdb_file_is_near(f, 0));
    sdb_file_close(f);
}

#define EACH_LAYER(test)                                                               \
    {#test " (local)", test, setup_local, teardown, NULL},                             \
        {#test " (memory)", test, setup_memory, teardown, NULL},                       \
    {                                                                                  \
#test " (faults)", test, setup_faults, teardown, NULL                          \
    }
#define LOCAL_ONLY(test)                                                               \
    {                                                                                  \
#test, test, setup_local, teardown, NULL                                       \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        EACH_LAYER(what_is_written_is_read_back),
        EACH_LAYER(a_gap_reads_as_zeros),
        EACH_LAYER(a_read_past_the_end_is_corrupt),
        EACH_LAYER(absurd_sizes_are_refused),
        EACH_LAYER(create_refuses_an_existing_file_and_open_a_missing_one),
        EACH_LAYER(a_file_opened_to_read_refuses_writes),
        EACH_LAYER(allocate_lengthens_with_zeros_and_never_shortens),
        EACH_LAYER(what_truncate_cut_off_comes_back_as_zeros),
        EACH_LAYER(a_removed_file_stays_readable_until_closed),
        EACH_LAYER(rename_replaces),
        EACH_LAYER(directories_are_made_listed_and_removed),
        EACH_LAYER(a_lock_is_exclusive_until_its_file_is_closed),
        EACH_LAYER(a_shared_lock_is_shared_and_keeps_a_writer_out),
        EACH_LAYER(bytes_and_syncs_are_counted_by_purpose),
        EACH_LAYER(replace_makes_or_changes_a_file_and_leaves_nothing_else),
        EACH_LAYER(read_all_appends),
        EACH_LAYER(running_out_of_memory_changes_nothing),
        EACH_LAYER(reading_ahead_changes_nothing_and_then_all_is_near),
        LOCAL_ONLY(messages_name_the_path_the_place_and_the_reason),
        LOCAL_ONLY(a_limit_that_stops_a_write_half_way_is_reported),
        LOCAL_ONLY(files_obey_the_umask_and_close_on_exec),
        LOCAL_ONLY(a_file_never_takes_the_place_of_a_standard_stream),
        LOCAL_ONLY(the_holders_of_a_lock_are_known),
        LOCAL_ONLY(a_forked_child_that_closes_does_not_unlock),
        LOCAL_ONLY(a_map_shows_the_file_and_outlives_it),
        {"layers_without_maps_say_so (memory)", layers_without_maps_say_so,
         setup_memory, teardown, NULL},
        {"layers_without_maps_say_so (faults)", layers_without_maps_say_so,
         setup_faults, teardown, NULL},
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
