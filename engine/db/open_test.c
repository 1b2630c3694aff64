/* SPDX-License-Identifier: Apache-2.0
 *
 * Opening: what is refused and how, the lock, and what a child process may do. */
#define _GNU_SOURCE
#include "testing.h"

#include "base/coding.h"
#include "base/hash.h"
#include "log/manifest.h"
#include "os/clock.h"
#include "os/thread.h"

#include <errno.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- files, by hand ----------------------------------------------------------------
 */

static void write_file(struct sdb_fs *fs, const char *path, const void *data,
                       size_t size)
{
    seerdb_err err = {0};
    struct sdb_file *f = NULL;
    (void)sdb_fs_remove(fs, path, NULL);
    test_ok(sdb_fs_open(fs, path, SDB_CREATE, SDB_FOR_OTHER, &f, &err), &err);
    if (size > 0)
        test_ok(sdb_file_write_at(f, 0, (seerdb_slice){data, size}, &err), &err);
    sdb_file_close(f);
}

static struct sdb_buf read_file(struct sdb_fs *fs, const char *path)
{
    seerdb_err err = {0};
    struct sdb_file *f = NULL;
    struct sdb_buf bytes = {0};
    test_ok(sdb_fs_open(fs, path, SDB_READ, SDB_FOR_OTHER, &f, &err), &err);
    test_ok(sdb_file_read_all(f, &bytes, &err), &err);
    sdb_file_close(f);
    return bytes;
}

static void make_dir(struct sdb_fs *fs, const char *path)
{
    seerdb_err err = {0};
    test_ok(sdb_fs_mkdir(fs, path, &err), &err);
}

static bool is_there(struct sdb_fs *fs, const char *path)
{
    return sdb_fs_stat(fs, path, NULL, NULL, NULL) == 0;
}

static void open_fails(struct bed *b, int want, const char *words)
{
    seerdb_err err = {0};
    int rc = bed_open(b, &err);
    if (rc != want || strstr(err.msg, words) == NULL)
        fail_msg("opening answers %d: %s; wanted %d: %s", rc, err.msg, want, words);
    b->db = NULL;
}

/* A directory on the local disk, for one test. */
struct place {
    char root[64], dir[80];
};

static void place_init(struct place *p)
{
    snprintf(p->root, sizeof p->root, "/tmp/seerdb-test-XXXXXX");
    assert_non_null(mkdtemp(p->root));
    snprintf(p->dir, sizeof p->dir, "%s/store", p->root);
}

static void remove_name(void *ctx, const char *name)
{
    char path[400];
    snprintf(path, sizeof path, "%s/%s", (const char *)ctx, name);
    (void)remove(path);
}

static void place_fini(struct place *p)
{
    (void)!sdb_fs_list(sdb_fs_local(), p->dir, remove_name, p->dir, NULL);
    (void)remove(p->dir);
    assert_int_equal(remove(p->root), 0);
}

static void local_bed(struct bed *b, const char *dir)
{
    bed_init(b);
    b->o.fs = NULL;
    b->dir = dir;
}

/* ---- where there is no store
 * ---------------------------------------------------------- */

static void a_missing_store_is_made_only_when_asked(void **state)
{
    struct bed b;
    (void)state;
    bed_init(&b);
    b.o.create = false;
    open_fails(&b, SEERDB_CANTOPEN, "missing");
    assert_false(is_there(b.mem, "store"));
    make_dir(b.mem, "store");
    open_fails(&b, SEERDB_CANTOPEN, "not a store");
    b.o.create = true;
    bed_open_ok(&b);
    bed_close(&b);
    b.o.create = false;
    bed_open_ok(&b);
    bed_close(&b);
    b.o.create = true;
    b.dir = "no/such/parent";
    open_fails(&b, SEERDB_CANTOPEN, "no/such/parent");
    bed_fini(&b);
}

static void a_file_in_the_place_of_the_directory_is_refused(void **state)
{
    struct bed b;
    (void)state;
    bed_init(&b);
    write_file(b.mem, "store", "important", 9);
    open_fails(&b, SEERDB_CANTOPEN, "is a file");
    struct sdb_buf bytes = read_file(b.mem, "store");
    assert_int_equal(bytes.size, 9);
    sdb_buf_fini(&bytes);
    bed_fini(&b);
}

static void a_directory_of_somebody_else_is_left_as_it_is(void **state)
{
    struct bed b;
    (void)state;
    bed_init(&b);
    make_dir(b.mem, "store");
    write_file(b.mem, "store/photo.jpg", "p", 1);
    write_file(b.mem, "store/LOCK", "another program's", 17);
    write_file(b.mem, "store/000007.man", "a page", 6);
    for (int i = 0; i < 2; i++) {
        b.o.create = i == 1;
        open_fails(&b, SEERDB_CANTOPEN, "not a store");
        struct sdb_buf lock = read_file(b.mem, "store/LOCK");
        test_slice_equal(sdb_buf_slice(&lock), test_slice("another program's"));
        sdb_buf_fini(&lock);
        assert_int_equal(files_of(&b, "").n, 3);
    }
    seerdb_err err = {0};
    (void)sdb_fs_remove(b.mem, "store/LOCK", &err);
    open_fails(&b, SEERDB_CANTOPEN, "photo.jpg");
    assert_int_equal(files_of(&b, "").n, 2); /* no lock was left there */
    bed_fini(&b);
}

static void data_without_a_manifest_is_damage_not_a_new_store(void **state)
{
    struct bed b;
    seerdb_err err = {0};
    (void)state;
    bed_new(&b);
    seerdb_tree *t = create_tree(b.db, 1);
    write_words(t, "a=1");
    seerdb_tree_close(t);
    bed_close(&b);
    test_ok(sdb_fs_remove(b.mem, "store/CURRENT", &err), &err);
    open_fails(&b, SEERDB_CORRUPT, "CURRENT");
    size_t files = files_of(&b, "").n;
    open_fails(&b, SEERDB_CORRUPT, "CURRENT");
    assert_int_equal(files_of(&b, "").n, files);
    bed_fini(&b);
}

static void garbage_in_current_is_damage(void **state)
{
    static const struct {
        const char *text;
        size_t size;
    } cases[] = {{"", 0},
                 {"\n", 1},
                 {"000001.man", 10},
                 {"000077.man\n", 11},
                 {"../../etc/x\n", 12},
                 {"000001.man\0\n", 12},
                 {"LOCK\n", 5},
                 {"\xff\xff\xff", 3}};
    struct bed b;
    (void)state;
    bed_new(&b);
    bed_close(&b);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        write_file(b.mem, "store/CURRENT", cases[i].text, cases[i].size);
        open_fails(&b, SEERDB_CORRUPT, "store/CURRENT");
    }
    bed_fini(&b);
}

static void unfinished_creations_are_finished(void **state)
{
    struct bed b;
    (void)state;
    bed_init(&b);
    make_dir(b.mem, "store");
    write_file(b.mem, "store/LOCK", "", 0);
    write_file(b.mem, "store/000001.man", "half", 4);
    write_file(b.mem, "store/CURRENT.tmp", "0000", 4);
    bed_open_ok(&b);
    seerdb_tree *t = create_tree(b.db, 1);
    write_words(t, "a=1");
    seerdb_tree_close(t);
    bed_close(&b);
    bed_open_ok(&b);
    assert_int_equal(files_of(&b, ".tmp").n, 0);
    bed_fini(&b);
}

static void orphans_are_removed_and_foreign_files_are_not(void **state)
{
    static const char *const foreign[] = {
        "store/notes.txt",
        "store/20240101123456.jpg",
        "store/99999999999999999999.tbl",
        "store/4294967295.tbl",
        "store/00012.tbl",
        "store/000001.tblx",
    };
    enum { NFOREIGN = sizeof foreign / sizeof foreign[0] };
    struct bed b;
    (void)state;
    bed_new(&b);
    seerdb_tree *t = create_tree(b.db, 1);
    write_words(t, "a=1");
    flush(b.db);
    seerdb_tree_close(t);
    bed_close(&b);
    for (size_t i = 0; i < NFOREIGN; i++)
        write_file(b.mem, foreign[i], "x", 1);
    write_file(b.mem, "store/000900.tbl", "x", 1);
    write_file(b.mem, "store/000901.man", "x", 1);
    write_file(b.mem, "store/000902.free", "x", 1);
    write_file(b.mem, "store/000903.log", "x", 1); /* never begun */
    write_file(b.mem, "store/CURRENT.tmp", "x", 1);
    bed_open_ok(&b);
    assert_false(is_there(b.mem, "store/000900.tbl"));
    assert_false(is_there(b.mem, "store/000901.man"));
    assert_false(is_there(b.mem, "store/000902.free"));
    assert_false(is_there(b.mem, "store/000903.log"));
    assert_false(is_there(b.mem, "store/CURRENT.tmp"));
    t = open_tree(b.db, 1);
    expect(t, "a=1");
    write_words(t, "b=2"); /* the numbers in strange names mean nothing */
    flush(b.db);
    expect(t, "a=1 b=2");
    for (size_t i = 0; i < NFOREIGN; i++)
        if (!is_there(b.mem, foreign[i]))
            fail_msg("%s was removed", foreign[i]);
    seerdb_tree_close(t);
    bed_fini(&b);
}

/* ---- other versions
 * -------------------------------------------------------------------- */

/* Set the version of a header of 64 bytes whose check is at 56, and make that right. */
static void set_version(struct sdb_fs *fs, const char *path, uint32_t version)
{
    struct sdb_buf bytes = read_file(fs, path);
    sdb_store_u32(bytes.data + 8, version);
    sdb_store_u64(bytes.data + 56, sdb_hash64(bytes.data, 56, 0));
    write_file(fs, path, bytes.data, bytes.size);
    sdb_buf_fini(&bytes);
}

static void files_of_a_newer_format_are_refused_as_newer(void **state)
{
    static const char *const suffixes[] = {".man", ".log", ".tbl"};
    struct bed b;
    (void)state;
    bed_new(&b);
    seerdb_tree *t = create_tree(b.db, 1);
    write_words(t, "a=1");
    flush(b.db);
    write_words(t, "b=1");
    seerdb_tree_close(t);
    bed_close(&b);
    for (size_t i = 0; i < 3; i++) {
        char path[80];
        snprintf(path, sizeof path, "store/%s", files_of(&b, suffixes[i]).first);
        set_version(b.mem, path, 2);
        if (i < 2) {
            open_fails(&b, SEERDB_NEWER, path);
        } else { /* whether opening or verifying finds it */
            seerdb_err err = {0};
            seerdb_verify_report report;
            int rc = bed_open(&b, &err);
            if (rc == 0) {
                rc = seerdb_verify(b.db, NULL, &report, &err);
                bed_close(&b);
            }
            assert_int_equal(rc, SEERDB_NEWER);
        }
        set_version(b.mem, path, 1);
    }
    bed_open_ok(&b);
    t = open_tree(b.db, 1);
    expect(t, "a=1 b=1");
    seerdb_tree_close(t);
    bed_fini(&b);
}

/* A manifest whose only frame is this edit. */
static void write_manifest(struct bed *b, const struct sdb_edit *e, uint8_t type)
{
    struct sdb_buf bytes = {0};
    struct sdb_log_header h = {
        .kind = SDB_FILE_MANIFEST, .store = uuid_of(7), .number = 1};
    struct sdb_frame f = {.type = type, .payload = sdb_buf_slice(&e->bytes)};
    sdb_log_header_encode(&bytes, &h);
    sdb_frame_encode(&bytes, sdb_frame_seed(&h.store, SDB_FILE_MANIFEST, 1), 64, &f);
    write_file(b->mem, "store/000001.man", bytes.data, bytes.size);
    write_file(b->mem, "store/CURRENT", "000001.man\n", 11);
    sdb_buf_fini(&bytes);
}

static void features_unknown_here_are_refused_as_newer(void **state)
{
    struct bed b;
    seerdb_uuid id = uuid_of(7);
    (void)state;
    bed_init(&b);
    make_dir(b.mem, "store");
    for (int i = 0; i < 5; i++) {
        struct sdb_edit e = {0};
        struct sdb_tree_desc t = {
            .id = 1, .uuid = uuid_of(1), .features = i == 1 ? 1u << 20 : 0};
        sdb_edit_store(&e, &id, i == 0 ? UINT64_C(1) << 63 : 0);
        sdb_edit_ceilings(&e, 1, 2);
        sdb_edit_tree(&e, &t);
        if (i == 2) { /* an unknown tag */
            sdb_put_varint(&e.bytes, 99);
            sdb_put_varint(&e.bytes, 0);
        }
        write_manifest(&b, &e, i == 3 ? 2 : 1); /* an unknown type of frame */
        if (i < 4)
            open_fails(&b, SEERDB_NEWER, "store/000001.man");
        else
            bed_open_ok(&b); /* so the rest of it was fine */
        sdb_edit_fini(&e);
    }
    bed_fini(&b);
}

/* ---- options
 * ------------------------------------------------------------------------- */

static void options_out_of_range_are_refused(void **state)
{
    struct bed b;
    (void)state;
    bed_init(&b);
    b.o.memory_limit = SMALL_MEMORY - 1;
    open_fails(&b, SEERDB_MISUSE, "memory limit");
    assert_false(is_there(b.mem, "store"));
    b.o.memory_limit = SMALL_MEMORY;
    b.o.log_file_size = UINT64_C(1) << 33; /* positions have 32 bits for the offset */
    open_fails(&b, SEERDB_MISUSE, "log file");
    b.o.log_file_size = 1;
    bed_open_ok(&b);
    seerdb_tree *t = create_tree(b.db, 1);
    write_words(t, "a=1");
    write_words(t, "b=2");
    seerdb_tree_close(t);
    bed_crash(&b);
    b.o.log_file_size = 0;
    b.o.memory_limit = 0;
    bed_open_ok(&b);
    t = open_tree(b.db, 1);
    expect(t, "a=1 b=2");
    seerdb_tree_close(t);
    bed_fini(&b);
}

static void places_that_cannot_be_written_are_readonly(void **state)
{
    static const struct {
        unsigned ops;
        const char *match;
        int error, want;
    } cases[] = {
        {SDB_FAULT_META, "store", EACCES, SEERDB_READONLY},
        {SDB_FAULT_META, "store", EROFS, SEERDB_READONLY},
        {SDB_FAULT_OPEN, "LOCK", EACCES, SEERDB_READONLY},
        {SDB_FAULT_OPEN, "LOCK", EROFS, SEERDB_READONLY},
        {SDB_FAULT_META, "store", ENOSPC, SEERDB_FULL},
        {SDB_FAULT_WRITE, ".man", ENOSPC, SEERDB_FULL},
        {SDB_FAULT_OPEN, "CURRENT", ENOSPC, SEERDB_FULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct bed b;
        bed_init(&b);
        fault(&b, (struct sdb_fault){.ops = cases[i].ops,
                                     .match = cases[i].match,
                                     .times = UINT64_MAX,
                                     .error = cases[i].error});
        open_fails(&b, cases[i].want, "store");
        fault(&b, (struct sdb_fault){0});
        bed_open_ok(&b); /* nothing is left that is in the way */
        bed_fini(&b);
    }
}

static void a_store_on_a_full_disk_opens_for_reading(void **state)
{
    struct bed b;
    seerdb_err err = {0};
    (void)state;
    bed_new(&b);
    seerdb_tree *t = create_tree(b.db, 1);
    for (int i = 0; i < 5; i++)
        test_ok(try_fill(t, i % 2 == 0 ? "big" : "large", 60000, &err), &err);
    write_words(t, "a=1");
    seerdb_tree_close(t);
    bed_close(&b);
    fault(&b, (struct sdb_fault){
                  .ops = SDB_FAULT_WRITE, .times = UINT64_MAX, .error = ENOSPC});
    bed_open_ok(&b); /* with a full memtable that it would like to flush */
    t = open_tree(b.db, 1);
    expect_key(t, "a", "1");
    assert_true(try_write(t, "b=2", SEERDB_SYNC_FULL, &err) < 0);
    seerdb_tree_close(t);
    (void)seerdb_close(b.db, NULL);
    b.db = NULL;
    fault(&b, (struct sdb_fault){0});
    bed_open_ok(&b);
    t = open_tree(b.db, 1);
    expect_key(t, "a", "1");
    expect_key(t, "b", NULL);
    seerdb_tree_close(t);
    bed_fini(&b);
}

/* ---- the lock
 * --------------------------------------------------------------------------- */

static void a_second_open_in_this_process_is_busy(void **state)
{
    struct place p;
    (void)state;
    place_init(&p);
    for (int local = 0; local < 2; local++) {
        struct bed b;
        seerdb_err err = {0};
        seerdb *second = NULL;
        if (local)
            local_bed(&b, p.dir);
        else
            bed_init(&b);
        bed_open_ok(&b);
        for (int i = 0; i < 2; i++) { /* the first refusal takes nothing away */
            assert_int_equal(seerdb_open(b.dir, &b.o, &second, &err), SEERDB_BUSY);
            assert_non_null(strstr(err.msg, "this process"));
            assert_non_null(strstr(err.msg, b.dir));
            err = (seerdb_err){0};
        }
        bed_close(&b);
        test_ok(seerdb_open(b.dir, &b.o, &second, &err), &err);
        test_ok(seerdb_close(second, &err), &err);
        bed_fini(&b);
    }
    place_fini(&p);
}

/* Run `child` in a child process, which must answer 0 within ten seconds. */
static void in_a_child(int (*child)(void *ctx), void *ctx)
{
    int status = 0;
    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        alarm(10);
        _exit(child(ctx));
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        fail_msg("the child ended with %s %d", WIFEXITED(status) ? "line" : "signal",
                 WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
}

/* In a child: leave with the line number. */
#define child_must(condition)                                                          \
    do {                                                                               \
        if (!(condition))                                                              \
            return __LINE__ % 250 + 1;                                                 \
    } while (0)

static int open_the_parents_store(void *ctx)
{
    struct bed *b = ctx;
    seerdb_err err = {0};
    seerdb *db = NULL;
    char pid[32];
    snprintf(pid, sizeof pid, "process %d", (int)getppid());
    child_must(seerdb_open(b->dir, &b->o, &db, &err) == SEERDB_BUSY);
    child_must(strstr(err.msg, pid) != NULL);
    return 0;
}

static void another_process_is_told_who_holds_the_store(void **state)
{
    struct place p;
    struct bed b;
    (void)state;
    place_init(&p);
    local_bed(&b, p.dir);
    bed_open_ok(&b);
    seerdb_tree *t = create_tree(b.db, 1);
    write_words(t, "a=1");
    in_a_child(open_the_parents_store, &b);
    write_words(t, "b=2");
    seerdb_tree_close(t);
    bed_close(&b);
    bed_open_ok(&b);
    t = open_tree(b.db, 1);
    expect(t, "a=1 b=2");
    seerdb_tree_close(t);
    bed_fini(&b);
    place_fini(&p);
}

/* ---- after fork()
 * ------------------------------------------------------------------------ */

struct inherited {
    struct bed bed;
    seerdb_tree *tree;
    seerdb_batch *batch, *prepared;
    seerdb_view *view;
    seerdb_iter *it;
    _Atomic bool stop;
};

static bool no_stat(void *ctx, const seerdb_stat *stat)
{
    (void)ctx;
    return stat == NULL;
}

static bool no_tree(void *ctx, const seerdb_tree_info *info)
{
    (void)ctx;
    return info == NULL;
}

static int use_what_was_inherited(void *ctx)
{
    struct inherited *x = ctx;
    seerdb *db = x->bed.db;
    seerdb_err err = {0};
    seerdb_tree *t = NULL;
    seerdb_batch *b = NULL;
    seerdb_view *v = NULL;
    seerdb_iter *it = NULL;
    seerdb_value value;
    seerdb_uuid id = uuid_of(1);
    seerdb_verify_report report;
    uint64_t number;
    seerdb_slice k = test_slice("a");
    child_must(seerdb_flush(db, NULL, &err) == SEERDB_FORKED);
    child_must(strstr(err.msg, "fork") != NULL);
    child_must(seerdb_verify(db, NULL, &report, NULL) == SEERDB_FORKED);
    child_must(seerdb_stats(db, NULL, no_stat, NULL, NULL) == SEERDB_FORKED);
    child_must(seerdb_trees(db, no_tree, NULL, NULL) == SEERDB_FORKED);
    child_must(seerdb_tree_open(db, &id, &t, NULL) == SEERDB_FORKED);
    child_must(seerdb_tree_create(db, &(seerdb_tree_options){.name = "x"}, &t, NULL) ==
               SEERDB_FORKED);
    child_must(seerdb_tree_intend_drop(x->tree, NULL) == SEERDB_FORKED);
    child_must(seerdb_tree_drop(x->tree, NULL) == SEERDB_FORKED);
    child_must(seerdb_batch_new(db, &b, NULL) == SEERDB_FORKED);
    child_must(seerdb_batch_put(x->batch, x->tree, k, k, NULL) == SEERDB_FORKED);
    child_must(seerdb_batch_delete(x->batch, x->tree, k, NULL) == SEERDB_FORKED);
    child_must(seerdb_prepare(x->batch, SEERDB_SYNC_FULL, &number, NULL) ==
               SEERDB_FORKED);
    child_must(seerdb_write(x->batch, SEERDB_SYNC_FULL, NULL) == SEERDB_FORKED);
    child_must(seerdb_unprepare(x->prepared, NULL) == SEERDB_FORKED);
    seerdb_commit(x->prepared);
    child_must(seerdb_rollback(x->batch, NULL) == SEERDB_FORKED);
    child_must(seerdb_view_open(x->tree, &v, NULL) == SEERDB_FORKED);
    child_must(seerdb_get(x->view, NULL, 0, k, &value, NULL) == SEERDB_FORKED);
    child_must(seerdb_iter_open(x->view, NULL, 0, &it, NULL) == SEERDB_FORKED);
    child_must(seerdb_iter_first(x->it, NULL) == SEERDB_FORKED);
    child_must(seerdb_iter_last(x->it, NULL) == SEERDB_FORKED);
    child_must(seerdb_iter_seek(x->it, k, NULL) == SEERDB_FORKED);
    child_must(seerdb_iter_seek_for_prev(x->it, k, NULL) == SEERDB_FORKED);
    (void)seerdb_tree_count_estimate(x->tree);
    child_must(strcmp(seerdb_dir(db), x->bed.dir) == 0);
    seerdb_iter_close(x->it);
    seerdb_view_close(x->view);
    seerdb_batch_free(x->batch);
    seerdb_batch_free(x->prepared);
    seerdb_tree_close(x->tree);
    child_must(seerdb_close(db, NULL) == 0);
    return 0;
}

static void *keep_busy(void *arg)
{
    struct inherited *x = arg;
    seerdb_tree *t = open_tree(x->bed.db, 2);
    seerdb_err err = {0};
    for (int i = 0; !atomic_load(&x->stop); i++)
        (void)try_fill(t, i % 2 == 0 ? "x" : "y", 5000, &err);
    seerdb_tree_close(t);
    return NULL;
}

static void a_child_is_told_that_it_was_forked_and_harms_nobody(void **state)
{
    struct place p;
    struct inherited x = {.stop = false};
    struct sdb_thread thread = {0};
    seerdb_err err = {0};
    uint64_t number;
    (void)state;
    place_init(&p);
    local_bed(&x.bed, p.dir);
    bed_open_ok(&x.bed);
    x.tree = create_tree(x.bed.db, 1);
    seerdb_tree_close(create_tree(x.bed.db, 2));
    seerdb_tree *third = create_tree(x.bed.db, 3);
    write_words(x.tree, "a=1");
    x.view = new_view(x.tree);
    test_ok(seerdb_iter_open(x.view, NULL, 0, &x.it, &err), &err);
    x.batch = new_batch(x.bed.db);
    add(x.batch, x.tree, "b=2");
    x.prepared = new_batch(x.bed.db);
    add(x.prepared, third, "c=3");
    test_ok(seerdb_prepare(x.prepared, SEERDB_SYNC_FULL, &number, &err), &err);
    /* The locks are likely to be held by threads that the child does not have. */
    test_ok(sdb_thread_start(&thread, "busy", keep_busy, &x, &err), &err);
    for (int i = 0; i < 30; i++) {
        sdb_clock_sleep_us(1000);
        in_a_child(use_what_was_inherited, &x);
    }
    atomic_store(&x.stop, true);
    sdb_thread_join(&thread);
    seerdb_commit(x.prepared);
    test_ok(seerdb_write(x.batch, SEERDB_SYNC_FULL, &err), &err);
    expect(x.tree, "a=1 b=2");
    expect(third, "c=3");
    seerdb_iter_close(x.it);
    seerdb_view_close(x.view);
    seerdb_batch_free(x.batch);
    seerdb_batch_free(x.prepared);
    seerdb_tree_close(x.tree);
    seerdb_tree_close(third);
    bed_close(&x.bed);
    bed_open_ok(&x.bed);
    x.tree = open_tree(x.bed.db, 1);
    expect(x.tree, "a=1 b=2");
    seerdb_tree_close(x.tree);
    bed_fini(&x.bed);
    place_fini(&p);
}

static void a_child_that_closed_does_not_keep_the_store_locked(void **state)
{
    struct place p;
    struct bed b;
    int ready[2], leave[2], status;
    char byte = 0;
    (void)state;
    place_init(&p);
    local_bed(&b, p.dir);
    bed_open_ok(&b);
    assert_int_equal(pipe(ready), 0);
    assert_int_equal(pipe(leave), 0);
    pid_t pid = fork();
    if (pid == 0) {
        alarm(10);
        close(leave[1]);
        (void)seerdb_close(b.db, NULL);
        if (write(ready[1], "r", 1) == 1)
            (void)!read(leave[0], &byte, 1);
        _exit(0);
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    seerdb_err err = {0};
    seerdb *second = NULL;
    assert_int_equal(seerdb_open(b.dir, &b.o, &second, &err),
                     SEERDB_BUSY); /* ours still */
    bed_close(&b);
    bed_open_ok(&b);
    bed_fini(&b);
    close(leave[1]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    close(leave[0]);
    close(ready[0]);
    close(ready[1]);
    place_fini(&p);
}

/* ---- the local disk
 * ------------------------------------------------------------------- */

static void a_store_on_the_local_disk_is_what_it_is_in_memory(void **state)
{
    struct place p;
    struct bed b;
    seerdb_err err = {0};
    (void)state;
    place_init(&p);
    local_bed(&b, p.dir);
    bed_open_ok(&b);
    assert_string_equal(seerdb_dir(b.db), p.dir);
    seerdb_tree *t = create_tree(b.db, 1), *u = create_tree(b.db, 2);
    for (int i = 0; i < 40; i++) {
        write_words(t, i % 2 == 0 ? "a=1 b=1" : "a=2 -b c=2");
        test_ok(try_fill(u, "filler", 20000, &err), &err);
    }
    flush(b.db);
    write_words(t, "d=3");
    seerdb_tree_close(u);
    for (int i = 0; i < 3; i++) {
        expect(t, "a=2 c=2 d=3");
        verify(b.db);
        seerdb_tree_close(t);
        bed_close(&b);
        bed_open_ok(&b);
        t = open_tree(b.db, 1);
    }
    u = open_tree(b.db, 2);
    test_ok(seerdb_tree_intend_drop(u, &err), &err);
    test_ok(seerdb_tree_drop(u, &err), &err);
    expect(t, "a=2 c=2 d=3");
    seerdb_tree_close(t);
    bed_fini(&b);
    place_fini(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_missing_store_is_made_only_when_asked),
        cmocka_unit_test(a_file_in_the_place_of_the_directory_is_refused),
        cmocka_unit_test(a_directory_of_somebody_else_is_left_as_it_is),
        cmocka_unit_test(data_without_a_manifest_is_damage_not_a_new_store),
        cmocka_unit_test(garbage_in_current_is_damage),
        cmocka_unit_test(unfinished_creations_are_finished),
        cmocka_unit_test(orphans_are_removed_and_foreign_files_are_not),
        cmocka_unit_test(files_of_a_newer_format_are_refused_as_newer),
        cmocka_unit_test(features_unknown_here_are_refused_as_newer),
        cmocka_unit_test(options_out_of_range_are_refused),
        cmocka_unit_test(places_that_cannot_be_written_are_readonly),
        cmocka_unit_test(a_store_on_a_full_disk_opens_for_reading),
        cmocka_unit_test(a_second_open_in_this_process_is_busy),
        cmocka_unit_test(another_process_is_told_who_holds_the_store),
        cmocka_unit_test(a_child_is_told_that_it_was_forked_and_harms_nobody),
        cmocka_unit_test(a_child_that_closed_does_not_keep_the_store_locked),
        cmocka_unit_test(a_store_on_the_local_disk_is_what_it_is_in_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
