/* SPDX-License-Identifier: Apache-2.0
 *
 * The figures of seerdb_stats after work of which everything is known. */
#include "db/testing.h"

#include "db/batch.h"

static seerdb_slice key_of(uint64_t i, char *room)
{
    snprintf(room, 24, "key%08" PRIu64, i);
    return (seerdb_slice){room, 11};
}

enum { KEY = 11, VALUE = 50 };

/* Rows from `from` on, in one commit; every `step`th. */
static void put_rows(seerdb_tree *t, uint64_t from, uint64_t n, uint64_t step)
{
    char key[24], value[VALUE];
    seerdb_err err = {0};
    seerdb_batch *b = new_batch(seerdb_tree_store(t));
    memset(value, 'v', sizeof value);
    for (uint64_t i = 0; i < n; i++)
        test_ok(seerdb_batch_put(b, t, key_of(from + i * step, key),
                                 (seerdb_slice){value, sizeof value}, &err),
                &err);
    test_ok(seerdb_write(b, SEERDB_SYNC_FULL, &err), &err);
    seerdb_batch_free(b);
}

/* A store that flushes, spills and compacts when it is told to. */
static void roomy(struct bed *b)
{
    seerdb_err err = {0};
    bed_init(b);
    b->o = (seerdb_options){.create = true, .memory_limit = 64 << 20, .fs = b->fs};
    bed_open_ok(b);
    test_ok(seerdb_pause(b->db, &err), &err);
}

static void get_row(seerdb_view *v, uint64_t i, bool there)
{
    char key[24];
    seerdb_err err = {0};
    seerdb_value got;
    int rc = seerdb_get(v, NULL, 0, key_of(i, key), &got, &err);
    assert_int_equal(rc, there ? 0 : SEERDB_NOTFOUND);
    if (rc == 0)
        seerdb_pin_unref(got.pin);
}

static void compact(struct bed *b, seerdb_tree *t)
{
    seerdb_err err = {0};
    test_ok(seerdb_continue(b->db, &err), &err);
    test_ok(seerdb_compact(b->db, t, &err), &err);
}

#define expect_stat(db, t, name, want)                                                 \
    do {                                                                               \
        double is_ = stat_of(db, t, name), wanted_ = (double)(want);                   \
        if (is_ != wanted_)                                                            \
            fail_msg("line %d: %s is %f, expected %f", __LINE__, name, is_, wanted_);  \
    } while (0)

/* Open views, views at rest and views that are gone together, however short they live.
 */
static void every_lookup_is_counted_once_and_one_in_64_is_timed(void **state)
{
    (void)state;
    struct bed b;
    bed_new(&b);
    seerdb_tree *t = create_tree(b.db, 1), *other = create_tree(b.db, 2);
    seerdb_err err = {0};
    put_rows(t, 0, 10, 1);
    for (int i = 0; i < 100; i++) { /* none lives to see 64 */
        seerdb_view *v = new_view(t);
        for (uint64_t k = 0; k < 3; k++)
            get_row(v, k + 8, k < 2);
        seerdb_view_close(v);
    }
    expect_stat(b.db, t, "get_count", 300);
    seerdb_view *open = new_view(t), *rests = new_view(t);
    for (uint64_t k = 0; k < 40; k++) {
        get_row(open, k % 10, true);
        get_row(rests, 10 + k, false);
    }
    seerdb_view_rest(rests);
    expect_stat(b.db, t, "get_count", 380);
    expect_stat(b.db, t, "gets", 380);
    expect_stat(b.db, NULL, "get_count", 380);
    expect_stat(b.db, other, "get_count", 0);
    assert_true(stat_of(b.db, t, "get_max") > 0);
    assert_true(stat_of(b.db, other, "get_max") == 0);
    assert_int_equal(sdb_histogram_count(sdb_meter_of(&t->meter, SDB_OP_GET)),
                     380 / SDB_READ_EVERY);
    test_ok(seerdb_view_reopen(rests, &err), &err);
    get_row(rests, 0, true);
    seerdb_view_close(rests);
    seerdb_view_close(open);
    expect_stat(b.db, t, "get_count", 381);
    seerdb_tree_close(t);
    seerdb_tree_close(other);
    bed_fini(&b);
}

static void scan(seerdb_view *v, uint64_t from, unsigned rows, bool forward)
{
    char key[24];
    seerdb_err err = {0};
    seerdb_iter *it = NULL;
    test_ok(seerdb_iter_open(v, NULL, 0, &it, &err), &err);
    int rc = forward ? seerdb_iter_seek(it, key_of(from, key), &err)
                     : seerdb_iter_seek_for_prev(it, key_of(from, key), &err);
    for (unsigned i = 1; i < rows && rc == 0; i++)
        rc = forward ? seerdb_iter_next(it, &err) : seerdb_iter_prev(it, &err);
    test_ok(rc, &err);
    seerdb_iter_close(it);
}

/* In a table rows are taken from a block, in a memtable one by one; a scan that ends in
 * the middle of a block, or turns round, counts what it has seen. */
static void every_row_of_a_scan_is_counted_once(void **state)
{
    (void)state;
    static const struct {
        uint64_t from;
        unsigned rows;
        bool forward;
    } cases[] = {{0, 1, true},   {0, 2, true},    {0, 1000, true},    {500, 10, true},
                 {999, 1, true}, {999, 1, false}, {999, 1000, false}, {70, 64, false}};
    struct bed b;
    bed_new(&b);
    seerdb_tree *t = create_tree(b.db, 1);
    put_rows(t, 0, 1000, 1);
    double rows = 0, seeks = 0;
    for (int where = 0; where < 2; where++) {
        seerdb_view *v = new_view(t);
        for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
            scan(v, cases[c].from, cases[c].rows, cases[c].forward);
            rows += cases[c].rows;
            expect_stat(b.db, t, "scan_rows", rows);
            expect_stat(b.db, t, "seek_count", ++seeks);
            expect_stat(b.db, t, "iterators", seeks);
        }
        seerdb_view_close(v);
        flush(b.db);
    }
    /* Turn round in a block: rows 0 1 2 3 2 1. */
    seerdb_err err = {0};
    seerdb_view *v = new_view(t);
    seerdb_iter *it = NULL;
    test_ok(seerdb_iter_open(v, NULL, 0, &it, &err), &err);
    test_ok(seerdb_iter_first(it, &err), &err);
    for (int i = 0; i < 3; i++)
        test_ok(seerdb_iter_next(it, &err), &err);
    for (int i = 0; i < 2; i++)
        test_ok(seerdb_iter_prev(it, &err), &err);
    seerdb_iter_close(it);
    seerdb_view_close(v);
    expect_stat(b.db, t, "scan_rows", rows + 6);
    assert_true(stat_of(b.db, t, "scan_count") > 64);
    assert_true(stat_of(b.db, t, "scan_p50") > 0);
    seerdb_tree_close(t);
    bed_fini(&b);
}

static void writes_are_counted_when_they_are_committed(void **state)
{
    (void)state;
    struct bed b;
    bed_new(&b);
    seerdb_tree *t = create_tree(b.db, 1);
    seerdb_err err = {0};
    seerdb_batch *batch = new_batch(b.db);
    add(batch, t, "a=1 b=22 -c ~d:fff");
    expect_stat(b.db, t, "put_count", 0);
    test_ok(seerdb_rollback(batch, &err), &err);
    add(batch, t, "a=1 b=22 -c ~d:fff a=333"); /* one record of a stands */
    test_ok(seerdb_write(batch, SEERDB_SYNC_OFF, &err), &err);
    expect_stat(b.db, t, "put_count", 2);
    expect_stat(b.db, t, "delete_count", 2);
    expect_stat(b.db, t, "written_bytes", 4 + 3 + 1 + 4);
    expect_stat(b.db, t, "commits", 1);
    seerdb_batch_free(batch);
    bed_close(&b); /* what is replayed was committed before */
    bed_open_ok(&b);
    seerdb_tree *again = open_tree(b.db, 1);
    expect_stat(b.db, again, "put_count", 0);
    expect_stat(b.db, again, "commits", 0);
    expect_stat(b.db, again, "replayed", 4);
    seerdb_tree_close(again);
    bed_fini(&b);
}

static void a_commit_that_was_on_disk_already_counts_too(void **state)
{
    (void)state;
    enum { N = 300 };
    struct bed b;
    char key[24];
    bed_new(&b);
    seerdb_tree *t = create_tree(b.db, 1);
    seerdb_err err = {0};
    seerdb_batch *batch = new_batch(b.db);
    for (uint64_t i = 0; i < N; i++)
        test_ok(seerdb_batch_put(batch, t, key_of(i, key), test_slice("v"), &err),
                &err);
    test_ok(seerdb_batch_spill(batch, &err), &err);
    test_ok(seerdb_write(batch, SEERDB_SYNC_FULL, &err), &err);
    expect_stat(b.db, t, "put_count", N);
    expect_stat(b.db, t, "written_bytes", N * (KEY + 1));
    seerdb_batch_free(batch);
    seerdb_tree_close(t);
    bed_fini(&b);
}

static bool add_file_bytes(void *ctx, const seerdb_file *file)
{
    *(double *)ctx += (double)file->bytes;
    return true;
}

static double bytes_of_files(seerdb_tree *t)
{
    double sum = 0;
    seerdb_err err = {0};
    test_ok(seerdb_files(t, add_file_bytes, &sum, &err), &err);
    return sum;
}

static double written_by_hand(const struct bed *b)
{
    double sum = 0;
    for (int i = 0; i < SDB_NPURPOSES; i++)
        sum += (double)atomic_load(&b->fs->counters.written[i]);
    return sum;
}

/* All that reaches the disk, and nothing that does not. */
static void amplification_is_of_the_bytes_that_reach_files(void **state)
{
    (void)state;
    struct bed b;
    roomy(&b);
    seerdb_tree *t = create_tree(b.db, 1);
    put_rows(t, 0, 1000, 1);
    double user = 1000 * (KEY + VALUE);
    expect_stat(b.db, t, "written_bytes", user);
    expect_stat(b.db, t, "flush_written", 0);
    expect_stat(b.db, t, "write_amplification", written_by_hand(&b) / user);
    assert_true(stat_of(b.db, t, "log_written") >= user);
    expect_stat(b.db, t, "read_amplification", 1); /* a memtable */
    expect_stat(b.db, t, "space_amplification", 0);
    flush(b.db);
    double first = bytes_of_files(t);
    expect_stat(b.db, t, "flush_written", first);
    expect_stat(b.db, t, "tree_flush_written", first);
    expect_stat(b.db, t, "table_write_amplification", first / user);
    expect_stat(b.db, t, "space_amplification", 1);
    put_rows(t, 0, 500, 2); /* half of the rows again */
    user += 500 * (KEY + VALUE);
    flush(b.db);
    double second = bytes_of_files(t) - first;
    expect_stat(b.db, t, "flush_written", first + second);
    expect_stat(b.db, t, "space_amplification", (first + second) / first);
    expect_stat(b.db, t, "read_amplification", 3);
    expect_stat(b.db, t, "table_runs", 2);
    compact(&b, t);
    double merged = bytes_of_files(t);
    expect_stat(b.db, t, "compaction_written", merged);
    expect_stat(b.db, t, "tree_compaction_written", merged);
    expect_stat(b.db, t, "tree_compaction_read", first + second);
    assert_true(stat_of(b.db, t, "compaction_read") >= first / 2);
    expect_stat(b.db, t, "table_write_amplification", (first + second + merged) / user);
    expect_stat(b.db, t, "write_amplification", written_by_hand(&b) / user);
    expect_stat(b.db, t, "space_amplification", 1);
    expect_stat(b.db, t, "flush_count", 2);
    expect_stat(b.db, t, "compaction_count", 1);
    seerdb_tree_close(t);
    bed_fini(&b);
}

static void stores_of_one_file_layer_are_counted_apart(void **state)
{
    (void)state;
    struct bed b;
    bed_new(&b);
    seerdb_err err = {0};
    seerdb *other = NULL;
    test_ok(seerdb_open("other", &b.o, &other, &err), &err);
    double before = stat_of(other, NULL, "log_written");
    seerdb_tree *t = create_tree(b.db, 1);
    put_rows(t, 0, 500, 1);
    expect_stat(other, NULL, "log_written", before);
    assert_true(stat_of(b.db, NULL, "log_written") >= 500 * (KEY + VALUE));
    expect_stat(b.db, NULL, "sync_count", stat_of(b.db, NULL, "log_syncs"));
    assert_true(stat_of(b.db, NULL, "sync_count") >= 1);
    assert_true((double)atomic_load(&b.fs->counters.written[SDB_FOR_LOG]) ==
                stat_of(b.db, NULL, "log_written") +
                    stat_of(other, NULL, "log_written"));
    seerdb_tree_close(t);
    test_ok(seerdb_close(other, &err), &err);
    bed_fini(&b);
}

/* Of rows that are not there, and of rows that are; and they stay when the table goes.
 */
static void account_for_lookups(bool beside_ranges)
{
    enum { ROWS = 2000, LOOKUPS = 3000 };
    struct bed b;
    roomy(&b);
    seerdb_err err = {0};
    seerdb_tree *t = NULL;
    test_ok(seerdb_tree_create(b.db,
                               &(seerdb_tree_options){.id = uuid_of(1),
                                                      .filter_bits = 4,
                                                      .index = SEERDB_INDEX_BINARY},
                               &t, &err),
            &err);
    put_rows(t, 0, ROWS, 2);
    flush(b.db);
    if (beside_ranges) /* then lookups go another way */
        write_words(t, "~y:z");
    seerdb_view *v = new_view(t);
    for (uint64_t i = 0; i < LOOKUPS; i++)
        get_row(v, i, i % 2 == 0);
    seerdb_view_close(v);
    for (int round = 0; round < 2; round++) {
        double negative = stat_of(b.db, t, "filter_negatives");
        double in_vain = stat_of(b.db, t, "filter_false_positives");
        expect_stat(b.db, t, "filter_checks", LOOKUPS);
        assert_true(negative + in_vain == LOOKUPS / 2);
        assert_true(in_vain > 0 && negative > LOOKUPS / 4);
        if (round == 0) {
            put_rows(t, 1, 1, 1);
            compact(&b, t);
        }
    }
    seerdb_tree_close(t);
    bed_fini(&b);
}

static void filters_account_for_every_lookup(void **state)
{
    (void)state;
    account_for_lookups(false);
    account_for_lookups(true);
}

/* Of keys in a row a model knows the place; of random ones about. */
static void models_are_compared_with_the_truth(void **state)
{
    (void)state;
    enum { ROWS = 20000, LOOKUPS = 512 * 50 };
    struct bed b;
    uint8_t key[8];
    roomy(&b);
    seerdb_err err = {0};
    seerdb_tree *t = create_tree(b.db, 1);
    seerdb_batch *batch = new_batch(b.db);
    struct sdb_rand r = {.state = 1};
    for (uint64_t i = 0; i < ROWS; i++) {
        uint64_t k = sdb_rand_next(&r);
        memcpy(key, &k, sizeof key);
        test_ok(seerdb_batch_put(batch, t, (seerdb_slice){key, sizeof key},
                                 test_slice("v"), &err),
                &err);
    }
    test_ok(seerdb_write(batch, SEERDB_SYNC_OFF, &err), &err);
    seerdb_batch_free(batch);
    compact(&b, t);
    double tables = stat_of(b.db, t, "tables");
    seerdb_view *v = new_view(t);
    r.state = 1;
    for (uint64_t i = 0; i < LOOKUPS; i++) {
        seerdb_value got;
        if (i % ROWS == 0)
            r.state = 1;
        uint64_t k = sdb_rand_next(&r);
        memcpy(key, &k, sizeof key);
        test_ok(seerdb_get(v, NULL, 0, (seerdb_slice){key, sizeof key}, &got, &err),
                &err);
        seerdb_pin_unref(got.pin);
    }
    seerdb_view_close(v);
    assert_true(tables == 1 && stat_of(b.db, t, "model_segments") > 0);
    expect_stat(b.db, t, "model_predictions", LOOKUPS);
    assert_true(stat_of(b.db, t, "model_error") < 2);
    seerdb_tree_close(t);
    bed_fini(&b);
}

static void times_rise_from_percentile_to_percentile(void **state)
{
    (void)state;
    static const char *const ops[] = {"get",    "seek",  "scan",  "put",
                                      "delete", "merge", "flush", "compaction",
                                      "commit", "sync"};
    static const char *const at[] = {"_p50", "_p90", "_p99", "_p999", "_max"};
    struct bed b;
    bed_new(&b);
    seerdb_tree *t = create_tree(b.db, 1);
    for (uint64_t i = 0; i < 200; i++)
        put_rows(t, i * 10, 10, 1);
    seerdb_view *v = new_view(t);
    for (uint64_t i = 0; i < 1000; i++)
        get_row(v, i, true);
    for (uint64_t i = 0; i < 100; i++)
        scan(v, i, 100, true);
    seerdb_view_close(v);
    flush(b.db);
    put_rows(t, 0, 1000, 2);
    compact(&b, t);
    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++) {
        double last = 0;
        char name[32];
        for (size_t k = 0; k < sizeof at / sizeof at[0]; k++) {
            snprintf(name, sizeof name, "%s%s", ops[i], at[k]);
            double us = stat_of(b.db, t, name);
            assert_true(us >= last && us < 60e6);
            assert_true(us == stat_of(b.db, NULL, name)); /* its only tree */
            last = us;
        }
        bool none = strcmp(ops[i], "delete") == 0 || strcmp(ops[i], "merge") == 0;
        if ((last > 0) == none)
            fail_msg("%s: %f", name, last);
    }
    assert_int_equal(sdb_histogram_count(sdb_meter_of(&t->meter, SDB_OP_PUT)) > 20,
                     true);
    seerdb_tree_close(t);
    bed_fini(&b);
}

/* One batch after the other with one write each: the start of their counts moves on. */
static void short_transactions_are_timed_as_often_as_long_ones(void **state)
{
    (void)state;
    enum { N = 640 };
    struct bed b;
    bed_new(&b);
    seerdb_tree *t = create_tree(b.db, 1);
    for (int i = 0; i < N; i++)
        write_words(t, "a=1");
    assert_int_equal(sdb_histogram_count(sdb_meter_of(&t->meter, SDB_OP_PUT)),
                     N / SDB_WRITE_EVERY);
    assert_int_equal(sdb_histogram_count(sdb_meter_of(&b.db->meter, SDB_OP_COMMIT)),
                     N / SDB_COMMIT_EVERY);
    expect_stat(b.db, t, "commit_count", N);
    seerdb_tree_close(t);
    bed_fini(&b);
}

/* Merges stay merges, though a transaction makes one of those to a key, or a value. */
static void merges_are_measured_as_merges(void **state)
{
    (void)state;
    enum { N = 640 };
    struct bed b;
    bed_new(&b);
    seerdb_err err = {0};
    seerdb_tree *t = NULL;
    test_ok(seerdb_tree_create(
                b.db,
                &(seerdb_tree_options){
                    .id = uuid_of(1), .name = "t", .merge = seerdb_merge_named("max")},
                &t, &err),
            &err);
    seerdb_batch *batch = new_batch(b.db);
    add(batch, t, "a=1");
    for (int i = 1; i < N; i++)
        test_ok(seerdb_batch_merge(batch, t, test_slice("a"), test_slice("2"), &err),
                &err);
    test_ok(seerdb_write(batch, SEERDB_SYNC_OFF, &err), &err);
    assert_int_equal(sdb_histogram_count(sdb_meter_of(&t->meter, SDB_OP_MERGE)),
                     N / SDB_WRITE_EVERY);
    expect_stat(b.db, t, "put_count", 1); /* one record stands, and is a value */
    expect_stat(b.db, t, "merge_count", 0);
    test_ok(seerdb_batch_merge(batch, t, test_slice("b"), test_slice("2"), &err), &err);
    test_ok(seerdb_write(batch, SEERDB_SYNC_OFF, &err), &err);
    expect_stat(b.db, t, "merge_count", 1);
    expect_stat(b.db, t, "merges", 1);
    expect_key(t, "a", "2");
    seerdb_batch_free(batch);
    seerdb_tree_close(t);
    bed_fini(&b);
}

/* A large value's time has what it takes to lay it down in a file of its own; its bytes
 * are its own, not those of what stands for it. */
static void values_in_the_value_log_count_in_full(void **state)
{
    (void)state;
    enum { N = 64, SIZE = 20000 };
    struct bed b;
    char key[24];
    static char value[SIZE];
    roomy(&b);
    seerdb_err err = {0};
    seerdb_tree *t = NULL;
    test_ok(seerdb_tree_create(b.db,
                               &(seerdb_tree_options){
                                   .id = uuid_of(1), .name = "t", .value_log = 4096},
                               &t, &err),
            &err);
    seerdb_batch *batch = new_batch(b.db);
    struct sdb_rand r = {.state = 1};
    for (size_t i = 0; i < SIZE; i++)
        value[i] = (char)sdb_rand_next(&r);
    for (uint64_t i = 0; i < N; i++)
        test_ok(seerdb_batch_put(batch, t, key_of(i, key), (seerdb_slice){value, SIZE},
                                 &err),
                &err);
    test_ok(seerdb_write(batch, SEERDB_SYNC_OFF, &err), &err);
    seerdb_batch_free(batch);
    expect_stat(b.db, t, "put_count", N);
    assert_int_equal(sdb_histogram_count(sdb_meter_of(&t->meter, SDB_OP_PUT)), 1);
    double user = stat_of(b.db, t, "written_bytes"), raw = N * (KEY + SIZE);
    assert_true(user >= raw && user < raw * 1.02);
    double values = stat_of(b.db, t, "value_log_written");
    assert_true(values >= N * SIZE && values < N * SIZE * 1.05);
    expect_stat(b.db, t, "write_amplification", written_by_hand(&b) / user);
    seerdb_tree_close(t);
    bed_fini(&b);
}

static void a_view_shows_its_age_while_it_is_open(void **state)
{
    (void)state;
    struct bed b;
    bed_new(&b);
    seerdb_tree *t = create_tree(b.db, 1), *other = create_tree(b.db, 2);
    seerdb_err err = {0};
    expect_stat(b.db, t, "views", 0);
    expect_stat(b.db, t, "oldest_view", 0);
    seerdb_view *old = new_view(t);
    sdb_clock_sleep_us(30000);
    seerdb_view *young = new_view(t);
    expect_stat(b.db, t, "views", 2);
    double age = stat_of(b.db, t, "oldest_view");
    assert_true(age > 0.015 && age < 60);
    assert_true(stat_of(b.db, NULL, "oldest_view") >= age);
    expect_stat(b.db, other, "views", 0);
    seerdb_view_rest(old);
    expect_stat(b.db, t, "views", 1);
    assert_true(stat_of(b.db, t, "oldest_view") < age + 60);
    test_ok(seerdb_view_reopen(old, &err), &err);
    expect_stat(b.db, t, "views", 2);
    seerdb_view_close(old);
    seerdb_view_close(young);
    expect_stat(b.db, t, "views", 0);
    expect_stat(b.db, t, "oldest_view", 0);
    seerdb_tree_close(t);
    seerdb_tree_close(other);
    bed_fini(&b);
}

struct names {
    const char *all[400];
    size_t n;
    double used, parts;
};

static bool note_name(void *ctx, const seerdb_stat *stat)
{
    static const char *const units[] = {"bytes", "count",  "seconds",
                                        "us",    "blocks", ""};
    static const char *const parts[] = {"frozen_memory", "active_memory",
                                        "table_memory",  "batch_memory",
                                        "cache_memory",  "metrics_memory"};
    struct names *n = ctx;
    size_t unit = 0;
    for (size_t i = 0; i < n->n; i++)
        if (strcmp(n->all[i], stat->name) == 0)
            fail_msg("%s is there twice", stat->name);
    while (unit < sizeof units / sizeof units[0] &&
           strcmp(units[unit], stat->unit) != 0)
        unit++;
    if (unit == sizeof units / sizeof units[0] || strlen(stat->meaning) < 5)
        fail_msg("%s: unit '%s', meaning '%s'", stat->name, stat->unit, stat->meaning);
    if (stat->value < 0 && strcmp(stat->name, "background_failure") != 0)
        fail_msg("%s is %f", stat->name, stat->value);
    assert_true(n->n < sizeof n->all / sizeof n->all[0]);
    n->all[n->n++] = stat->name;
    if (strcmp(stat->name, "memory_used") == 0)
        n->used = stat->value;
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        n->parts += strcmp(stat->name, parts[i]) == 0 ? stat->value : 0;
    return true;
}

static void names_are_given_once_and_parts_add_up(void **state)
{
    (void)state;
    struct bed b;
    roomy(&b);
    seerdb_err err = {0};
    seerdb_tree *t = create_tree(b.db, 1);
    put_rows(t, 0, 1000, 1);
    expect_stat(b.db, t, "threads", 0);
    flush(b.db);
    expect_stat(b.db, t, "threads", 2); /* it woke the other */
    put_rows(t, 0, 100, 1);
    for (int which = 0; which < 2; which++) {
        struct names n = {.n = 0};
        test_ok(seerdb_stats(b.db, which == 0 ? t : NULL, note_name, &n, &err), &err);
        assert_true(n.n > 100);
        assert_true(n.used == n.parts && n.used > 1000);
    }
    seerdb_tree_close(t);
    bed_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_lookup_is_counted_once_and_one_in_64_is_timed),
        cmocka_unit_test(every_row_of_a_scan_is_counted_once),
        cmocka_unit_test(writes_are_counted_when_they_are_committed),
        cmocka_unit_test(a_commit_that_was_on_disk_already_counts_too),
        cmocka_unit_test(amplification_is_of_the_bytes_that_reach_files),
        cmocka_unit_test(stores_of_one_file_layer_are_counted_apart),
        cmocka_unit_test(filters_account_for_every_lookup),
        cmocka_unit_test(models_are_compared_with_the_truth),
        cmocka_unit_test(times_rise_from_percentile_to_percentile),
        cmocka_unit_test(short_transactions_are_timed_as_often_as_long_ones),
        cmocka_unit_test(merges_are_measured_as_merges),
        cmocka_unit_test(values_in_the_value_log_count_in_full),
        cmocka_unit_test(a_view_shows_its_age_while_it_is_open),
        cmocka_unit_test(names_are_given_once_and_parts_add_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
