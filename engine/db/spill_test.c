/* SPDX-License-Identifier: Apache-2.0
 *
 * A batch that goes to disk is the batch it was: reads, marks, rollbacks, commits,
 * reopening. */
#include "db/batch.h"
#include "db/state.h"
#include "testing.h"

static void spill(seerdb_batch *b)
{
    seerdb_err err = {0};
    test_ok(seerdb_batch_spill(b, &err), &err);
}

static void expect_get(seerdb_view *v, seerdb_batch *b, uint64_t mark, const char *key,
                       const char *value)
{
    seerdb_err err = {0};
    seerdb_value got;
    int rc = seerdb_get(v, b, mark, test_slice(key), &got, &err);
    if (rc < 0)
        fail_msg("%s: %s", key, err.msg);
    if ((rc == 0) != (value != NULL))
        fail_msg("%s is %s", key, rc == 0 ? "there" : "missing");
    if (rc == 0) {
        test_slice_equal(got.bytes, test_slice(value));
        seerdb_pin_unref(got.pin);
    }
}

/* What the batch shows over the view, forward, backward and key by key. */
static void expect_batch(seerdb_view *v, seerdb_batch *b, uint64_t mark,
                         const char *words)
{
    char got[1000], key[64], value[64];
    seerdb_err err = {0};
    seerdb_iter *it = NULL;
    expect_state(v, b, mark, words);
    test_ok(seerdb_iter_open(v, b, mark, &it, &err), &err);
    dump_iter(it, false, got, sizeof got);
    assert_int_equal(strlen(got), strlen(words));
    seerdb_iter_close(it);
    for (const char *w = words; *w != '\0';) {
        int n = 0;
        assert_int_equal(sscanf(w, "%63[^=]=%63[^ ]%n", key, value, &n), 2);
        expect_get(v, b, mark, key, value);
        w += n;
        w += *w == ' ';
    }
}

static void a_spilled_batch_reads_as_before(void **state)
{
    struct bed b;
    (void)state;
    bed_new_paused(&b);
    seerdb_tree *t = create_tree(b.db, 1), *other = create_tree(b.db, 2);
    write_words(t, "a=0 b=0 z=0");
    seerdb_view *v = new_view(t), *w = new_view(other);
    seerdb_batch *batch = new_batch(b.db);
    add(batch, t, "a=1 b=1 c=1");
    add(batch, other, "x=1");
    spill(batch);
    assert_soon(files_of(&b, ".tbl").n == 2);
    expect_batch(v, batch, SEERDB_BATCH_ALL, "a=1 b=1 c=1 z=0");
    expect_batch(w, batch, SEERDB_BATCH_ALL, "x=1");
    expect_batch(v, NULL, 0, "a=0 b=0 z=0");
    add(batch, t, "-a b=2 d=2");
    expect_batch(v, batch, SEERDB_BATCH_ALL, "b=2 c=1 d=2 z=0");
    expect_get(v, batch, SEERDB_BATCH_ALL, "a", NULL);
    spill(batch);
    expect_batch(v, batch, SEERDB_BATCH_ALL, "b=2 c=1 d=2 z=0");
    expect_get(v, batch, SEERDB_BATCH_ALL, "a", NULL);
    add(batch, t, "a=3 -z");
    expect_batch(v, batch, SEERDB_BATCH_ALL, "a=3 b=2 c=1 d=2");
    spill(batch);
    expect_batch(v, batch, SEERDB_BATCH_ALL, "a=3 b=2 c=1 d=2");
    assert_false(seerdb_batch_is_empty(batch, t));
    seerdb_view_close(v);
    seerdb_view_close(w);
    seerdb_batch_free(batch);
    assert_soon(files_of(&b, ".tbl").n == 0); /* the space is given back at once */
    expect(t, "a=0 b=0 z=0");
    seerdb_tree_close(t);
    seerdb_tree_close(other);
    bed_fini(&b);
}

static void rolling_back_to_a_mark_drops_the_tables_behind_it(void **state)
{
    struct bed b;
    (void)state;
    bed_new_paused(&b);
    seerdb_tree *t = create_tree(b.db, 1);
    seerdb_view *v = new_view(t);
    seerdb_batch *batch = new_batch(b.db);
    add(batch, t, "a=1 b=1");
    uint64_t m1 = seerdb_batch_mark(batch);
    add(batch, t, "a=2 c=2");
    uint64_t m2 = seerdb_batch_mark(batch);
    add(batch, t, "-b d=3");
    spill(batch);
    assert_soon(files_of(&b, ".tbl").n == 3);
    assert_int_equal(sdb_batch_part(batch, t)->runs->records, 6);
    expect_batch(v, batch, SEERDB_BATCH_ALL, "a=2 c=2 d=3");
    expect_batch(v, batch, m2, "a=2 b=1 c=2");
    expect_batch(v, batch, m1, "a=1 b=1");
    expect_batch(v, batch, 0, "");
    seerdb_batch_rollback_to(batch, m2);
    assert_soon(files_of(&b, ".tbl").n == 2);
    expect_batch(v, batch, SEERDB_BATCH_ALL, "a=2 b=1 c=2");
    add(batch, t, "e=4");
    spill(batch);
    add(batch, t, "f=5");
    expect_batch(v, batch, SEERDB_BATCH_ALL, "a=2 b=1 c=2 e=4 f=5");
    seerdb_batch_rollback_to(batch, m1);
    assert_soon(files_of(&b, ".tbl").n == 1);
    expect_batch(v, batch, SEERDB_BATCH_ALL, "a=1 b=1");
    seerdb_batch_rollback_to(batch, 0);
    assert_soon(files_of(&b, ".tbl").n == 0);
    expect_batch(v, batch, SEERDB_BATCH_ALL, "");
    assert_true(seerdb_batch_is_empty(batch, NULL));
    seerdb_view_close(v);
    seerdb_batch_free(batch);
    seerdb_tree_close(t);
    bed_fini(&b);
}

/* The span of ordinals in a table may begin and end with what was rolled back before.
 */
static void what_was_rolled_back_before_takes_no_table_with_it(void **state)
{
    struct bed b;
    (void)state;
    bed_new_paused(&b);
    seerdb_tree *t = create_tree(b.db, 1);
    seerdb_view *v = new_view(t);
    seerdb_batch *batch = new_batch(b.db);
    for (int i = 0; i < 2; i++) {
        add(batch, t, i == 0 ? "a=1" : "c=2");
        uint64_t m = seerdb_batch_mark(batch);
        add(batch, t, "a=3 b=3");
        seerdb_batch_rollback_to(batch, m);
        seerdb_batch_release(batch, m);
        spill(batch);
        expect_batch(v, batch, SEERDB_BATCH_ALL, i == 0 ? "a=1" : "a=1 c=2");
        add(batch, t, "d=4");
        seerdb_batch_rollback_to(batch, seerdb_batch_writes(batch) - 1);
        expect_batch(v, batch, SEERDB_BATCH_ALL, i == 0 ? "a=1" : "a=1 c=2");
    }
    seerdb_err err = {0};
    test_ok(seerdb_write(batch, SEERDB_SYNC_OFF, &err), &err);
    expect(t, "a=1 c=2");
    seerdb_view_close(v);
    seerdb_batch_free(batch);
    seerdb_tree_close(t);
    bed_fini(&b);
}

static void a_released_mark_keeps_nothing_apart(void **state)
{
    struct bed b;
    seerdb_err err = {0};
    seerdb_iter *it = NULL;
    (void)state;
    bed_new_paused(&b);
    seerdb_tree *t = create_tree(b.db, 1);
    seerdb_view *v = new_view(t);
    seerdb_batch *batch = new_batch(b.db);
    add(batch, t, "a=1");
    uint64_t m = seerdb_batch_mark(batch);
    assert_int_equal(seerdb_batch_mark(batch), m);
    seerdb_batch_release(batch, m); /* made twice: it still lives */
    add(batch, t, "b=1");
    spill(batch);
    assert_soon(files_of(&b, ".tbl").n == 2);
    seerdb_batch_release(batch, m);
    add(batch, t, "c=1");
    uint64_t gone = seerdb_batch_mark(batch);
    seerdb_batch_release(batch, gone);
    seerdb_batch_release(batch, gone); /* too often does no harm */
    seerdb_batch_release(batch, 12345);
    add(batch, t, "d=1");
    spill(batch);
    assert_soon(files_of(&b, ".tbl").n == 3);
    /* Reads there are refused, and going back there loses the batch. */
    test_fails(seerdb_iter_open(v, batch, gone, &it, &err), SEERDB_MISUSE, &err);
    seerdb_batch_rollback_to(batch, gone);
    test_fails(batch_words(batch, t, "e=1", &err), SEERDB_MISUSE, &err);
    test_fails(seerdb_prepare(batch, SEERDB_SYNC_OFF, NULL, &err), SEERDB_MISUSE, &err);
    test_ok(seerdb_rollback(batch, &err), &err);
    add(batch, t, "e=1");
    test_ok(seerdb_write(batch, SEERDB_SYNC_OFF, &err), &err);
    expect(t, "e=1");
    seerdb_view_close(v);
    seerdb_batch_free(batch);
    seerdb_tree_close(t);
    bed_fini(&b);
}

static void an_iterator_outlives_spilling_rollback_and_commit(void **state)
{
    struct bed b;
    char got[200];
    seerdb_err err = {0};
    (void)state;
    for (int end = 0; end < 3; end++) {
        seerdb_iter *it[3] = {NULL};
        bed_new_paused(&b);
        seerdb_tree *t = create_tree(b.db, 1);
        seerdb_view *v = new_view(t);
        seerdb_batch *batch = new_batch(b.db);
        add(batch, t, "a=1 b=1");
        test_ok(seerdb_iter_open(v, batch, SEERDB_BATCH_ALL, &it[0], &err), &err);
        spill(batch);
        test_ok(seerdb_iter_open(v, batch, SEERDB_BATCH_ALL, &it[1], &err), &err);
        uint64_t mark = seerdb_batch_mark(batch);
        add(batch, t, "a=2 c=2");
        spill(batch);
        test_ok(seerdb_iter_open(v, batch, SEERDB_BATCH_ALL, &it[2], &err), &err);
        add(batch, t, "a=3");
        if (end == 0)
            test_ok(seerdb_write(batch, SEERDB_SYNC_FULL, &err), &err);
        else if (end == 1)
            test_ok(seerdb_rollback(batch, &err), &err);
        else
            seerdb_batch_rollback_to(batch, mark);
        for (int i = 0; i < 3; i++) {
            dump_iter(it[i], true, got, sizeof got);
            /* What a rollback to a mark undoes, iterators stop showing. */
            assert_string_equal(got, i < 2 || end == 2 ? "a=1 b=1" : "a=2 b=1 c=2");
        }
        for (int i = 0; i < 3; i++)
            seerdb_iter_close(it[i]);
        seerdb_view_close(v);
        seerdb_batch_free(batch);
        if (end == 0)
            flush(b.db);
        expect(t, end == 0 ? "a=3 b=1 c=2" : "");
        seerdb_tree_close(t);
        bed_close(&b);
        bed_open_ok(&b);
        assert_soon(files_of(&b, ".tbl").n == (end == 0 ? 3u : 0u));
        t = open_tree(b.db, 1);
        expect(t, end == 0 ? "a=3 b=1 c=2" : "");
        seerdb_tree_close(t);
        bed_fini(&b);
    }
}

/* Commits before, in the middle of and after a spilled one, and every moment at which
 * the tables' landing may have come. */
static void a_spilled_commit_takes_its_place_among_others(void **state)
{
    struct bed b;
    seerdb_err err = {0};
    (void)state;
    for (int landing = 0; landing < 4; landing++) {
        bed_new_paused(&b);
        seerdb_tree *t = create_tree(b.db, 1), *other = create_tree(b.db, 2);
        write_words(t, "a=1 b=1 c=1 d=1");
        if (landing == 1)
            flush(b.db);
        seerdb_view *before = new_view(t);
        seerdb_batch *batch = new_batch(b.db);
        add(batch, t, "a=2 b=2");
        spill(batch);
        add(batch, t, "b=3 -d e=3");
        add(batch, other, "x=1");
        test_ok(seerdb_prepare(batch, SEERDB_SYNC_FULL, NULL, &err), &err);
        expect(t, "a=1 b=1 c=1 d=1");
        seerdb_commit(batch);
        expect(t, "a=2 b=3 c=1 e=3");
        expect(other, "x=1");
        expect_key(t, "a", "2");
        expect_key(t, "b", "3");
        expect_key(t, "d", NULL);
        if (landing == 2)
            flush(b.db);
        write_words(t, "b=4 f=4 -c");
        expect(t, "a=2 b=4 e=3 f=4");
        expect_key(t, "b", "4");
        expect_key(t, "a", "2");
        expect_key(t, "c", NULL);
        expect_state(before, NULL, 0, "a=1 b=1 c=1 d=1");
        if (landing == 3)
            flush(b.db);
        verify(b.db);
        for (int i = 0; i < 3; i++) { /* as it is, reopened, reopened and flushed */
            if (i == 1) {
                seerdb_view_close(before);
                before = NULL;
                seerdb_batch_free(batch);
                seerdb_tree_close(t);
                seerdb_tree_close(other);
                bed_close(&b);
                bed_open_ok(&b);
                t = open_tree(b.db, 1);
                other = open_tree(b.db, 2);
            }
            if (i == 2)
                flush(b.db);
            expect(t, "a=2 b=4 e=3 f=4");
            expect_key(t, "a", "2");
            expect_key(t, "b", "4");
            expect_key(t, "c", NULL);
            expect_key(t, "d", NULL);
            expect_key(t, "e", "3");
            expect(other, "x=1");
            verify(b.db);
        }
        seerdb_tree_close(t);
        seerdb_tree_close(other);
        bed_fini(&b);
    }
}

static void a_prepared_spilled_batch_can_be_taken_back(void **state)
{
    struct bed b;
    seerdb_err err = {0};
    (void)state;
    bed_new_paused(&b);
    seerdb_tree *t = create_tree(b.db, 1);
    write_words(t, "a=1");
    seerdb_batch *batch = new_batch(b.db);
    add(batch, t, "a=2 b=2");
    spill(batch);
    for (int i = 0; i < 3; i++) {
        test_ok(seerdb_prepare(batch, SEERDB_SYNC_FULL, NULL, &err), &err);
        test_ok(seerdb_unprepare(batch, &err), &err);
        write_words(t, i == 0 ? "c=1" : "c=2");
        expect(t, i == 0 ? "a=1 c=1" : "a=1 c=2");
        expect_key(t, "b", NULL);
        if (i == 1)
            add(batch, t, "d=2");
    }
    test_ok(seerdb_prepare(batch, SEERDB_SYNC_OFF, NULL, &err), &err);
    test_ok(seerdb_rollback(batch, &err), &err);
    flush(b.db); /* prepare has frozen what came before it */
    assert_soon(files_of(&b, ".tbl").n == stat_of(b.db, t, "tables"));
    expect(t, "a=1 c=2");
    add(batch, t, "a=3 b=3");
    spill(batch);
    test_ok(seerdb_write(batch, SEERDB_SYNC_FULL, &err), &err);
    expect(t, "a=3 b=3 c=2");
    seerdb_batch_free(batch);
    seerdb_tree_close(t);
    bed_close(&b);
    bed_open_ok(&b);
    t = open_tree(b.db, 1);
    expect(t, "a=3 b=3 c=2");
    seerdb_tree_close(t);
    bed_fini(&b);
}

/* By its own size, and in as many tables as sorted input needs, which are one run. */
static void a_large_batch_spills_by_itself(void **state)
{
    enum { N = 20000 };
    struct bed b;
    char key[32], value[101];
    seerdb_err err = {0};
    (void)state;
    bed_new_paused(&b);
    seerdb_tree *t = create_tree(b.db, 1);
    seerdb_batch *batch = new_batch(b.db);
    memset(value, 'v', sizeof value);
    for (int i = 0; i < N; i++) {
        snprintf(key, sizeof key, "key%06d", i);
        test_ok(seerdb_batch_put(batch, t, test_slice(key), (seerdb_slice){value, 100},
                                 &err),
                &err);
        assert_true(batch->bytes < 2 * SMALL_MEMORY / 8);
    }
    size_t files = files_of(&b, ".tbl").n;
    assert_true(files > 5);
    const struct sdb_batch_part *part = sdb_batch_part(batch, t);
    assert_int_equal(part->runs->nruns, 1);
    assert_int_equal(part->runs->nmembers, files);
    test_ok(seerdb_write(batch, SEERDB_SYNC_FULL, &err), &err);
    flush(b.db);
    assert_int_equal(stat_of(b.db, t, "tables"), files + 1);
    assert_int_equal(stat_of(b.db, t, "memtable_records"), 0);
    verify(b.db);
    seerdb_view *v = new_view(t);
    value[100] = '\0';
    expect_get(v, NULL, 0, "key000000", value);
    expect_get(v, NULL, 0, "key019999", value);
    expect_get(v, NULL, 0, "key020000", NULL);
    seerdb_view_close(v);
    seerdb_batch_free(batch);
    seerdb_tree_close(t);
    bed_fini(&b);
}

static size_t pending_files(seerdb_batch *b)
{
    return b->nslots > 0 && b->slots[0].runs != NULL ? b->slots[0].runs->nmembers : 0;
}

/* A range over what was spilled before it: the commit's tables say the same with one
 * number for all of them. */
static void
ranges_over_older_runs_are_worked_in_when_the_batch_is_prepared(void **state)
{
    static const struct {
        const char *words[3]; /* with a spill after each */
        const char *left;     /* over "a=0 b=0 c=0 d=0" */
        size_t files;         /* of the commit */
    } cases[] = {
        /* Nothing to work in: the ranges lie below, or over nothing older. */
        {{"~a:c", "a=1 b=1", "c=1"}, "a=1 b=1 c=1 d=0", 3},
        {{"a=1", "~b:c", "d=1"}, "a=1 c=0 d=1", 3},
        {{"c=1", "~a:c", "a=2"}, "a=2 c=1 d=0", 3},
        {{"a=1 b=1", "~a:c", "c=1"}, "c=1 d=0", 1},
        {{"a=1 b=1", "~b:e b=2", "c=3"}, "a=1 b=2 c=3", 1},
        {{"a=1 ~c:e", "~b:d", "a=3 d=3"}, "a=3 d=3", 1},
        {{"b=1 c=1", "-c", "~a:d"}, "d=0", 1},
        {{"b=1", "~b:bb", "~a:e"}, "", 1},
        {{"~a:e", "~a:b", "~d:e"}, "", 1},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct bed b;
        seerdb_err err = {0};
        uint64_t marks[3] = {0};
        bed_new_paused(&b);
        seerdb_tree *t = create_tree(b.db, 1);
        write_words(t, "a=0 b=0 c=0 d=0");
        seerdb_view *v = new_view(t);
        seerdb_batch *batch = new_batch(b.db);
        for (int k = 0; k < 3; k++) {
            marks[k] = seerdb_batch_mark(batch);
            add(batch, t, cases[i].words[k]);
            spill(batch);
        }
        expect_batch(v, batch, SEERDB_BATCH_ALL, cases[i].left);
        test_ok(seerdb_prepare(batch, SEERDB_SYNC_FULL, NULL, &err), &err);
        if (pending_files(batch) != cases[i].files)
            fail_msg("case %zu: %zu files", i, pending_files(batch));
        test_ok(seerdb_unprepare(batch, &err), &err);
        /* The marks are still apart. */
        expect_batch(v, batch, SEERDB_BATCH_ALL, cases[i].left);
        expect_batch(v, batch, marks[0], "a=0 b=0 c=0 d=0");
        add(batch, t, "~a:e");
        expect_batch(v, batch, SEERDB_BATCH_ALL, "");
        seerdb_batch_rollback_to(batch, seerdb_batch_writes(batch) - 1);
        expect_batch(v, batch, SEERDB_BATCH_ALL, cases[i].left);
        test_ok(seerdb_write(batch, SEERDB_SYNC_FULL, &err), &err);
        expect(t, cases[i].left);
        seerdb_view_close(v);
        flush(b.db);
        expect(t, cases[i].left);
        verify(b.db);
        assert_soon(files_of(&b, ".tbl").n == cases[i].files + 1);
        test_ok(seerdb_continue(b.db, &err), &err);
        test_ok(seerdb_compact(b.db, t, &err), &err);
        expect(t, cases[i].left);
        seerdb_batch_free(batch);
        seerdb_tree_close(t);
        bed_close(&b);
        bed_open_ok(&b);
        t = open_tree(b.db, 1);
        expect(t, cases[i].left);
        seerdb_tree_close(t);
        bed_fini(&b);
    }
}

static void delete_numbers(seerdb_batch *b, seerdb_tree *t, int from, int to)
{
    char lower[16], upper[16];
    seerdb_err err = {0};
    snprintf(lower, sizeof lower, "%06d", from);
    snprintf(upper, sizeof upper, "%06d", to);
    test_ok(seerdb_batch_delete_range(b, t, test_slice(lower), test_slice(upper), &err),
            &err);
}

static void put_numbers(seerdb_batch *b, seerdb_tree *t, int from, int to, int step,
                        char with)
{
    char key[16], value[100];
    seerdb_err err = {0};
    memset(value, with, sizeof value);
    for (int i = from; i < to; i += step) {
        snprintf(key, sizeof key, "%06d", i);
        test_ok(
            seerdb_batch_put(b, t, test_slice(key), (seerdb_slice){value, 100}, &err),
            &err);
    }
}

/* What is merged takes several tables, and a range goes on from one to the next. */
static void a_range_lies_over_several_tables_of_a_commit(void **state)
{
    enum { N = 12000, FROM = 3001, TO = 10001 };
    struct bed b;
    seerdb_err err = {0};
    seerdb_iter *it = NULL;
    (void)state;
    bed_new_paused(&b);
    seerdb_tree *t = create_tree(b.db, 1);
    seerdb_batch *batch = new_batch(b.db);
    put_numbers(batch, t, 0, N, 3, '0');
    test_ok(seerdb_write(batch, SEERDB_SYNC_OFF, &err), &err);
    put_numbers(batch, t, 0, N, 2, '1');
    delete_numbers(batch, t, FROM, TO);
    put_numbers(batch, t, FROM + 1, TO, 4, '2');
    delete_numbers(batch, t, 2 * N, 3 * N);
    test_ok(seerdb_prepare(batch, SEERDB_SYNC_OFF, NULL, &err), &err);
    assert_true(pending_files(batch) > 2);
    assert_true(batch->slots[0].runs->nruns == 1);
    assert_true(batch->slots[0].runs->ranges > 2);
    seerdb_commit(batch);
    for (int round = 0; round < 3; round++) { /* pending, landed, merged */
        seerdb_view *v = new_view(t);
        test_ok(seerdb_iter_open(v, NULL, 0, &it, &err), &err);
        int rc = seerdb_iter_first(it, &err);
        for (int i = 0; i < N; i++) {
            char key[16], with = '\0';
            if (i >= FROM && i < TO)
                with = (i - FROM - 1) % 4 == 0 ? '2' : '\0';
            else if (i % 2 == 0 || i % 3 == 0)
                with = i % 2 == 0 ? '1' : '0';
            if (with == '\0')
                continue;
            snprintf(key, sizeof key, "%06d", i);
            if (rc != 0 || !sdb_slice_equal(seerdb_iter_key(it), test_slice(key)) ||
                *(const char *)seerdb_iter_value(it).data != with)
                fail_msg("round %d: key %d is not %c: %d %.*s", round, i, with, rc,
                         rc == 0 ? 6 : 0, (const char *)seerdb_iter_key(it).data);
            rc = seerdb_iter_next(it, &err);
        }
        assert_int_equal(rc, SEERDB_NOTFOUND);
        seerdb_iter_close(it);
        seerdb_view_close(v);
        if (round == 0)
            flush(b.db);
        test_ok(seerdb_continue(b.db, &err), &err);
        if (round == 1)
            test_ok(seerdb_compact(b.db, t, &err), &err);
        verify(b.db);
    }
    seerdb_batch_free(batch);
    seerdb_tree_close(t);
    bed_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_spilled_batch_reads_as_before),
        cmocka_unit_test(rolling_back_to_a_mark_drops_the_tables_behind_it),
        cmocka_unit_test(what_was_rolled_back_before_takes_no_table_with_it),
        cmocka_unit_test(a_released_mark_keeps_nothing_apart),
        cmocka_unit_test(an_iterator_outlives_spilling_rollback_and_commit),
        cmocka_unit_test(a_spilled_commit_takes_its_place_among_others),
        cmocka_unit_test(a_prepared_spilled_batch_can_be_taken_back),
        cmocka_unit_test(a_large_batch_spills_by_itself),
        cmocka_unit_test(
            ranges_over_older_runs_are_worked_in_when_the_batch_is_prepared),
        cmocka_unit_test(a_range_lies_over_several_tables_of_a_commit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
