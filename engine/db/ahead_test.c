/* SPDX-License-Identifier: Apache-2.0 */
#include "db/ahead.h"
#include "testing.h"

enum { ROWS = 600, VALUE = 1000, SEGMENT = 1000 };

struct scan {
    struct bed b;
    seerdb_tree *t;
};

static void value_of(unsigned row, uint8_t value[VALUE])
{
    for (size_t i = 0; i < VALUE; i++)
        value[i] = (uint8_t)(row * 31 + i);
}

/* Rows 0 to ROWS - 1, written in an order that is not that of their keys; some lie in
 * tables, some in the memtable. */
static void scan_init(struct scan *s)
{
    seerdb_err err = {0};
    bed_new(&s->b);
    test_ok(seerdb_tree_create(
                s->b.db,
                &(seerdb_tree_options){.id = uuid_of(1), .name = "t", .value_log = 100},
                &s->t, &err),
            &err);
    seerdb_batch *b = new_batch(s->b.db);
    for (unsigned i = 0; i < ROWS; i++) {
        uint8_t key[8], value[VALUE];
        unsigned row = i * 239 % ROWS; /* without a common divisor */
        sdb_store_be64(key, row);
        value_of(row, value);
        test_ok(seerdb_batch_put(b, s->t, (seerdb_slice){key, 8},
                                 (seerdb_slice){value, VALUE}, &err),
                &err);
        if (i % 100 == 99)
            test_ok(seerdb_write(b, SEERDB_SYNC_OFF, &err), &err);
        if (i == ROWS / 2)
            flush(s->b.db);
    }
    seerdb_batch_free(b);
    sdb_faultfs_set_far(s->b.fs, true);
}

static void scan_fini(struct scan *s)
{
    seerdb_tree_close(s->t);
    bed_fini(&s->b);
}

struct way {
    bool whole, backward;
    unsigned from, to; /* rows */
    unsigned every;    /* only every so many are read; 0: none */
};

static void expect_row(const seerdb_iter *it, const uint8_t *got)
{
    uint8_t want[VALUE];
    value_of((unsigned)sdb_load_be64(seerdb_iter_key(it).data), want);
    assert_memory_equal(got, want, VALUE);
}

/* Scan in that way, and check every value; how many were asked for ahead. */
static unsigned scan(struct scan *s, struct way w)
{
    seerdb_err err = {0};
    seerdb_iter *it = NULL;
    seerdb_view *v = new_view(s->t);
    uint64_t before = sdb_faultfs_ahead(s->b.fs);
    uint8_t from[8], to[8], got[VALUE];
    unsigned rows = 0;
    sdb_store_be64(from, w.from);
    sdb_store_be64(to, w.to);
    seerdb_view_set_lazy(v, !w.whole);
    test_ok(seerdb_iter_open(v, NULL, 0, &it, &err), &err);
    test_ok(seerdb_iter_bound(it, (seerdb_slice){from, 8}, (seerdb_slice){to, 8}, &err),
            &err);
    int rc = w.backward ? seerdb_iter_last(it, &err) : seerdb_iter_first(it, &err);
    while (rc == 0) {
        seerdb_value row;
        seerdb_segment segment;
        seerdb_iter_show(it, &row);
        if (w.whole) {
            assert_int_equal(row.bytes.size, VALUE);
            expect_row(it, row.bytes.data);
        } else if (w.every != 0 && rows % w.every == 0) {
            assert_true(seerdb_segments_next(&row.segments, &segment));
            test_ok(seerdb_iter_segment_read(it, &segment, got, &err), &err);
            expect_row(it, got);
        }
        rows++;
        rc = w.backward ? seerdb_iter_prev(it, &err) : seerdb_iter_next(it, &err);
    }
    assert_int_equal(rc, SEERDB_NOTFOUND);
    assert_int_equal(rows, w.to - w.from);
    seerdb_iter_close(it);
    seerdb_view_close(v);
    uint64_t asked = sdb_faultfs_ahead(s->b.fs) - before;
    assert_int_equal(asked % SEGMENT, 0);
    return (unsigned)(asked / SEGMENT);
}

static void who_reads_row_after_row_has_asked_for_each_once(void **state)
{
    static const struct way ways[] = {
        {.every = 1, .to = ROWS},
        {.every = 1, .to = ROWS, .backward = true},
        {.whole = true, .to = ROWS},
        {.whole = true, .to = ROWS, .backward = true},
        {.every = 1, .from = 100, .to = 140},
        {.every = 1, .from = 100, .to = 140, .backward = true},
    };
    struct scan s;
    (void)state;
    scan_init(&s);
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++)
        /* The first ones are read before anything is done; none is beyond the bound. */
        assert_int_equal(scan(&s, ways[i]), ways[i].to - ways[i].from - 3);
    scan_fini(&s);
}

static void what_is_not_read_or_near_is_not_asked_for(void **state)
{
    struct scan s;
    (void)state;
    scan_init(&s);
    assert_int_equal(scan(&s, (struct way){.to = ROWS}), 0);
    assert_int_equal(scan(&s, (struct way){.every = 1, .from = 100, .to = 102}), 0);
    assert_int_equal(scan(&s, (struct way){.whole = true, .from = 100, .to = 102}), 0);
    sdb_faultfs_set_far(s.b.fs, false);
    assert_int_equal(scan(&s, (struct way){.every = 1, .to = ROWS}), 0);
    assert_int_equal(scan(&s, (struct way){.whole = true, .to = ROWS}), 0);
    scan_fini(&s);
}

static void who_reads_few_of_the_rows_ceases_to_ask(void **state)
{
    struct scan s;
    (void)state;
    scan_init(&s);
    assert_in_range(scan(&s, (struct way){.every = 10, .to = ROWS}), 1, 40);
    assert_in_range(scan(&s, (struct way){.every = 3, .to = ROWS}), 1, 100);
    assert_in_range(scan(&s, (struct way){.every = 100, .to = ROWS}), 1, 20);
    scan_fini(&s);
}

static void what_comes_near_meanwhile_is_not_asked_for_any_more(void **state)
{
    struct scan s;
    seerdb_err err = {0};
    seerdb_iter *it = NULL;
    (void)state;
    scan_init(&s);
    seerdb_view *v = new_view(s.t);
    test_ok(seerdb_iter_open(v, NULL, 0, &it, &err), &err);
    int rc = seerdb_iter_first(it, &err);
    for (unsigned i = 0; i < 20; i++)
        test_ok(seerdb_iter_next(it, &err), &err);
    uint64_t then = sdb_faultfs_ahead(s.b.fs);
    assert_true(then > 0);
    sdb_faultfs_set_far(s.b.fs, false);
    while (rc == 0)
        rc = seerdb_iter_next(it, &err);
    assert_int_equal(rc, SEERDB_NOTFOUND);
    assert_in_range(sdb_faultfs_ahead(s.b.fs) - then, SEGMENT, 80 * SEGMENT);
    seerdb_iter_close(it);
    seerdb_view_close(v);
    scan_fini(&s);
}

/* Nothing that a scan shows rests on it. */
static void without_memory_for_the_scout_the_scan_goes_on(void **state)
{
    struct scan s;
    seerdb_err err = {0};
    (void)state;
    scan_init(&s);
    for (int64_t fail = 0; fail < 12; fail++) {
        seerdb_iter *it = NULL;
        seerdb_view *v = new_view(s.t);
        uint8_t got[VALUE];
        unsigned rows = 0;
        seerdb_view_set_lazy(v, true);
        test_ok(seerdb_iter_open(v, NULL, 0, &it, &err), &err);
        int rc = seerdb_iter_first(it, &err);
        for (; rc == 0; rc = seerdb_iter_next(it, &err)) {
            seerdb_value row;
            seerdb_segment segment;
            seerdb_iter_show(it, &row);
            assert_true(seerdb_segments_next(&row.segments, &segment));
            if (rows++ == 2)
                sdb_mem_fail_after(fail);
            rc = seerdb_iter_segment_read(it, &segment, got, &err);
            sdb_mem_fail_after(-1);
            test_ok(rc, &err);
            expect_row(it, got);
        }
        assert_int_equal(rc, SEERDB_NOTFOUND);
        assert_int_equal(rows, ROWS);
        seerdb_iter_close(it);
        seerdb_view_close(v);
    }
    scan_fini(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_reads_row_after_row_has_asked_for_each_once),
        cmocka_unit_test(what_is_not_read_or_near_is_not_asked_for),
        cmocka_unit_test(who_reads_few_of_the_rows_ceases_to_ask),
        cmocka_unit_test(what_comes_near_meanwhile_is_not_asked_for_any_more),
        cmocka_unit_test(without_memory_for_the_scout_the_scan_goes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
