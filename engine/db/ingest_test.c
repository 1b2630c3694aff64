/* SPDX-License-Identifier: Apache-2.0 */
#include "db/testing.h"

/* Write "a=1 b=2" to a file. */
static int try_file(struct bed *b, const char *path, const char *words,
                    const seerdb_sst_options *o, seerdb_err *err)
{
    seerdb_sst_writer *w = NULL;
    seerdb_sst_options options = *o;
    options.fs = b->fs;
    int rc = seerdb_sst_writer_open(path, &options, &w, err);
    while (rc == 0 && *words != 0) {
        size_t n = strcspn(words, " ");
        const char *eq = memchr(words, '=', n);
        rc = seerdb_sst_writer_add(w, (seerdb_slice){words, (size_t)(eq - words)},
                                   (seerdb_slice){eq + 1, (size_t)(words + n - eq - 1)},
                                   err);
        words += n + (words[n] == ' ');
    }
    if (rc == 0)
        rc = seerdb_sst_writer_finish(w, err);
    seerdb_sst_writer_free(w);
    return rc;
}

static void make_file(struct bed *b, const char *path, const char *words)
{
    seerdb_err err = {0};
    test_ok(try_file(b, path, words, &(seerdb_sst_options){0}, &err), &err);
}

/* Rows from `from` on, `n` of them, as many bytes each. */
static void make_large(struct bed *b, const char *path, unsigned from, unsigned n)
{
    seerdb_err err = {0};
    seerdb_sst_writer *w = NULL;
    char value[100], key[16];
    memset(value, 'v', sizeof value);
    test_ok(
        seerdb_sst_writer_open(path,
                               &(seerdb_sst_options){.fs = b->fs,
                                                     .filter_bits = 10,
                                                     .lower = test_slice("key000000"),
                                                     .upper = test_slice("key999999")},
                               &w, &err),
        &err);
    for (unsigned i = from; i < from + n; i++) {
        snprintf(key, sizeof key, "key%06u", i);
        test_ok(seerdb_sst_writer_add(w, test_slice(key),
                                      (seerdb_slice){value, sizeof value}, &err),
                &err);
    }
    assert_true(seerdb_sst_writer_size(w) > 0);
    test_ok(seerdb_sst_writer_finish(w, &err), &err);
    seerdb_sst_writer_free(w);
}

static int ingest(seerdb_tree *t, const char *a, const char *b, seerdb_err *err)
{
    const char *paths[] = {a, b};
    return seerdb_ingest(t, paths, b != NULL ? 2 : 1, SEERDB_SYNC_FULL, err);
}

static void rows_of_files_are_newer_than_what_is_there(void **state)
{
    (void)state;
    for (int flushed = 0; flushed < 2; flushed++) {
        struct bed bed;
        seerdb_err err = {0};
        bed_new(&bed);
        seerdb_tree *t = create_tree(bed.db, 1);
        write_words(t, "a=old c=old x=old");
        write_words(t, "~d:f");
        if (flushed)
            flush(bed.db);
        make_file(&bed, "f1", "a=1 b=2");
        make_file(&bed, "f2", "c=3 d=4 e=5");
        seerdb_view *before = new_view(t);
        test_ok(ingest(t, "f2", "f1", &err), &err);
        expect(t, "a=1 b=2 c=3 d=4 e=5 x=old");
        expect_state(before, NULL, 0, "a=old c=old x=old");
        seerdb_view_close(before);
        write_words(t, "b=newer -c");
        expect(t, "a=1 b=newer d=4 e=5 x=old");
        flush(bed.db);
        expect(t, "a=1 b=newer d=4 e=5 x=old");
        test_ok(seerdb_compact(bed.db, NULL, &err), &err);
        verify(bed.db);
        expect(t, "a=1 b=newer d=4 e=5 x=old");
        seerdb_tree_close(t);
        bed_close(&bed);
        bed_open_ok(&bed);
        t = open_tree(bed.db, 1);
        expect(t, "a=1 b=newer d=4 e=5 x=old");
        seerdb_tree_close(t);
        bed_fini(&bed);
    }
}

static void a_file_may_be_taken_over_again_and_by_other_trees(void **state)
{
    (void)state;
    struct bed bed;
    seerdb_err err = {0};
    bed_new(&bed);
    seerdb_tree *t = create_tree(bed.db, 1), *u = create_tree(bed.db, 2);
    make_file(&bed, "f", "a=1 b=2");
    test_ok(ingest(t, "f", NULL, &err), &err);
    write_words(t, "a=9");
    test_ok(ingest(t, "f", NULL, &err), &err);
    test_ok(ingest(u, "f", NULL, &err), &err);
    expect(t, "a=1 b=2");
    expect(u, "a=1 b=2");
    test_ok(seerdb_compact(bed.db, NULL, &err), &err);
    expect(t, "a=1 b=2");
    expect(u, "a=1 b=2");
    verify(bed.db);
    seerdb_tree_close(t);
    seerdb_tree_close(u);
    bed_fini(&bed);
}

static bool find_level(void *ctx, const seerdb_level *level)
{
    uint64_t *bytes = ctx;
    bytes[level->level > 0] += level->bytes;
    return true;
}

static void what_overlaps_nothing_is_not_written_again(void **state)
{
    (void)state;
    struct bed bed;
    seerdb_err err = {0};
    bed_new(&bed);
    seerdb_tree *t = create_tree(bed.db, 1);
    for (unsigned i = 0; i < 6; i++) {
        char path[8];
        snprintf(path, sizeof path, "f%u", i);
        make_large(&bed, path, i * 1000, 1000);
        test_ok(ingest(t, path, NULL, &err), &err);
    }
    test_ok(seerdb_flush(bed.db, NULL, &err), &err);
    for (int ms = 0; ms < 5000 && stat_of(bed.db, NULL, "background_busy") != 0; ms++)
        sdb_clock_sleep_us(1000);
    assert_int_equal((int)stat_of(bed.db, NULL, "compactions"), 0);
    uint64_t bytes[2] = {0, 0};
    test_ok(seerdb_levels(t, find_level, bytes, &err), &err);
    assert_true(bytes[1] > 0);
    verify(bed.db);
    seerdb_tree_close(t);
    bed_fini(&bed);
}

static void files_that_do_not_fit_are_refused_and_change_nothing(void **state)
{
    (void)state;
    struct bed bed;
    seerdb_err err = {0};
    bed_new(&bed);
    seerdb_tree *t = create_tree(bed.db, 1), *marked = NULL;
    write_words(t, "a=1");
    make_file(&bed, "f1", "a=2 m=2");
    make_file(&bed, "f2", "b=3 c=3");
    make_file(&bed, "f3", "m=3 n=3");
    size_t files = files_of(&bed, ".tbl").n;
    assert_int_equal(ingest(t, "f1", "f2", &err), SEERDB_MISUSE);
    assert_int_equal(ingest(t, "f1", "f3", &err), SEERDB_MISUSE);
    assert_int_equal(ingest(t, "f1", "f1", &err), SEERDB_MISUSE);
    assert_int_equal(ingest(t, "f1", "nothing", &err), SEERDB_CANTOPEN);
    assert_int_equal(ingest(t, "store/CURRENT-not", NULL, &err), SEERDB_CANTOPEN);
    test_ok(seerdb_tree_create(
                bed.db,
                &(seerdb_tree_options){.id = uuid_of(2), .name = "m", .marked = true},
                &marked, &err),
            &err);
    assert_int_equal(ingest(marked, "f1", NULL, &err), SEERDB_MISUSE);
    assert_int_equal(files_of(&bed, ".tbl").n, files);
    expect(t, "a=1");
    test_ok(seerdb_ingest(t, NULL, 0, SEERDB_SYNC_FULL, &err), &err);
    test_ok(ingest(t, "f2", "f3", &err), &err);
    expect(t, "a=1 b=3 c=3 m=3 n=3");
    seerdb_tree_close(t);
    seerdb_tree_close(marked);
    bed_fini(&bed);
}

struct found_file {
    char path[64];
};

static bool first_file(void *ctx, const seerdb_file *file)
{
    struct found_file *f = ctx;
    snprintf(f->path, sizeof f->path, "store/%06" PRIu64 ".tbl", file->file);
    return false;
}

static void a_stores_own_table_is_no_such_file(void **state)
{
    (void)state;
    struct bed bed;
    seerdb_err err = {0};
    struct found_file f = {""};
    bed_new(&bed);
    seerdb_tree *t = create_tree(bed.db, 1);
    write_words(t, "a=1 b=2");
    flush(bed.db);
    test_ok(seerdb_files(t, first_file, &f, &err), &err);
    assert_int_equal(ingest(t, f.path, NULL, &err), SEERDB_MISUSE);
    assert_non_null(strstr(err.msg, "commit numbers"));
    expect(t, "a=1 b=2");
    seerdb_tree_close(t);
    bed_fini(&bed);
}

static void every_flipped_bit_and_every_cut_is_found(void **state)
{
    (void)state;
    struct bed bed;
    seerdb_err err = {0};
    struct sdb_file *file = NULL;
    uint64_t size = 0;
    unsigned refused = 0;
    bed_new(&bed);
    seerdb_tree *t = create_tree(bed.db, 1);
    make_file(&bed, "f", "a=1 b=2 c=3");
    test_ok(sdb_fs_stat(bed.fs, "f", NULL, &size, &err), &err);
    for (uint64_t at = 0; at < size; at++) {
        if (sdb_memfs_flip(bed.mem, "f", at, at % 8) != 0)
            continue;
        int rc = ingest(t, "f", NULL, &err);
        /* Padding is no content, but the checks cover it. */
        if (rc != SEERDB_CORRUPT && rc != SEERDB_NEWER && rc != SEERDB_MISUSE)
            fail_msg("byte %d: %d", (int)at, rc);
        refused++;
        assert_int_equal(sdb_memfs_flip(bed.mem, "f", at, at % 8), 0);
    }
    assert_int_equal(refused, size);
    expect(t, "");
    for (uint64_t n = size; n-- > 0;) {
        test_ok(sdb_fs_open(bed.fs, "f", SDB_READWRITE, SDB_FOR_OTHER, &file, &err),
                &err);
        test_ok(sdb_file_truncate(file, n, &err), &err);
        sdb_file_close(file);
        assert_int_equal(ingest(t, "f", NULL, &err), SEERDB_CORRUPT);
    }
    expect(t, "");
    assert_int_equal(files_of(&bed, ".tbl").n, 0);
    seerdb_tree_close(t);
    bed_fini(&bed);
}

static void a_writer_takes_rising_keys_within_its_bounds(void **state)
{
    (void)state;
    static const struct {
        const char *words, *lower, *upper;
        int want;
    } cases[] = {{"a=1 b=2", NULL, NULL, 0},
                 {"b=1 a=2", NULL, NULL, SEERDB_MISUSE},
                 {"a=1 a=2", NULL, NULL, SEERDB_MISUSE},
                 {"", NULL, NULL, SEERDB_MISUSE},
                 {"a=1 c=2", "a", "c", 0},
                 {"a=1", "b", "c", SEERDB_MISUSE},
                 {"d=1", "b", "c", SEERDB_MISUSE},
                 {"d=1", NULL, "c", SEERDB_MISUSE},
                 {"d=1", "b", NULL, 0},
                 {"a=1", "c", "b", SEERDB_MISUSE}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct bed bed;
        seerdb_err err = {0};
        bed_new(&bed);
        seerdb_sst_options o = {.compression = 1};
        if (cases[i].lower != NULL)
            o.lower = test_slice(cases[i].lower);
        if (cases[i].upper != NULL)
            o.upper = test_slice(cases[i].upper);
        int rc = try_file(&bed, "f", cases[i].words, &o, &err);
        if (rc != cases[i].want)
            fail_msg("\"%s\": %d: %s", cases[i].words, rc, err.msg);
        /* What was not finished leaves nothing. */
        int there = sdb_fs_stat(bed.fs, "f", NULL, NULL, &err);
        assert_int_equal(there, rc == 0 ? 0 : SEERDB_NOTFOUND);
        if (rc == 0) { /* nor is anything written over */
            assert_int_not_equal(try_file(&bed, "f", "x=1", &o, &err), 0);
            assert_int_equal(sdb_fs_stat(bed.fs, "f", NULL, NULL, &err), 0);
        }
        bed_fini(&bed);
    }
}

/* Every operation fails in turn; then the power goes.  All of the rows are there, or
 * none, and all if that was answered. */
static bool stop_at(uint64_t n, bool cut)
{
    struct bed bed;
    seerdb_err err = {0};
    bed_new(&bed);
    seerdb_tree *t = create_tree(bed.db, 1);
    write_words(t, "a=old x=old");
    make_file(&bed, "f1", "a=1 b=2");
    make_file(&bed, "f2", "c=3 d=4");
    fault(&bed, (struct sdb_fault){
                    .ops = SDB_FAULT_ALL, .after = n, .times = UINT64_MAX, .error = 5});
    int rc = ingest(t, "f1", "f2", &err);
    if (rc == 0)
        rc = seerdb_flush(bed.db, NULL, &err) == 0 ? 0 : 1;
    bool fired = sdb_faultfs_fired(bed.fs) > 0;
    seerdb_tree_close(t);
    (void)seerdb_close(bed.db, NULL);
    bed.db = NULL;
    if (cut)
        sdb_memfs_cut(bed.mem, n % 2 ? SDB_CUT_DROP : SDB_CUT_RANDOM, n);
    fault(&bed, (struct sdb_fault){0});
    bed_open_ok(&bed);
    t = open_tree(bed.db, 1);
    char got[64];
    seerdb_view *v = new_view(t);
    seerdb_iter *it = NULL;
    test_ok(seerdb_iter_open(v, NULL, 0, &it, &err), &err);
    dump_iter(it, true, got, sizeof got);
    seerdb_iter_close(it);
    seerdb_view_close(v);
    bool all = strcmp(got, "a=1 b=2 c=3 d=4 x=old") == 0;
    if (!all && (rc >= 0 || strcmp(got, "a=old x=old") != 0))
        fail_msg("stopped at %d, answered %d: %s", (int)n, rc, got);
    verify(bed.db);
    /* No copy is left behind. */
    flush(bed.db);
    test_ok(seerdb_compact(bed.db, NULL, &err), &err);
    expect(t, all ? "a=1 b=2 c=3 d=4 x=old" : "a=old x=old");
    seerdb_tree_close(t);
    bed_close(&bed);
    bed_open_ok(&bed);
    assert_int_equal(files_of(&bed, ".tbl").n, 1);
    bed_fini(&bed);
    return fired;
}

static void it_is_whole_or_not_there_wherever_it_stops(void **state)
{
    (void)state;
    for (int cut = 0; cut < 2; cut++) {
        uint64_t n = 0;
        while (stop_at(n, cut != 0))
            n++;
        assert_true(n > 20);
    }
}

static void without_memory_nothing_is_taken_over(void **state)
{
    (void)state;
    bool done = false;
    for (uint64_t n = 0; !done; n++) {
        struct bed bed;
        seerdb_err err = {0};
        bed_new(&bed);
        seerdb_tree *t = create_tree(bed.db, 1);
        write_words(t, "a=old");
        make_file(&bed, "f", "a=1 b=2");
        sdb_mem_fail_after((int64_t)n);
        int rc = ingest(t, "f", NULL, &err);
        sdb_mem_fail_after(-1);
        done = rc == 0;
        if (!done)
            assert_int_equal(rc, SEERDB_NOMEM);
        expect(t, done ? "a=1 b=2" : "a=old");
        seerdb_tree_close(t);
        (void)seerdb_close(bed.db, NULL); /* the log may have failed */
        bed_open_ok(&bed);
        t = open_tree(bed.db, 1);
        expect(t, done ? "a=1 b=2" : "a=old");
        seerdb_tree_close(t);
        bed_fini(&bed);
        assert_true(n < 2000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_of_files_are_newer_than_what_is_there),
        cmocka_unit_test(a_file_may_be_taken_over_again_and_by_other_trees),
        cmocka_unit_test(what_overlaps_nothing_is_not_written_again),
        cmocka_unit_test(files_that_do_not_fit_are_refused_and_change_nothing),
        cmocka_unit_test(a_stores_own_table_is_no_such_file),
        cmocka_unit_test(every_flipped_bit_and_every_cut_is_found),
        cmocka_unit_test(a_writer_takes_rising_keys_within_its_bounds),
        cmocka_unit_test(it_is_whole_or_not_there_wherever_it_stops),
        cmocka_unit_test(without_memory_nothing_is_taken_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
