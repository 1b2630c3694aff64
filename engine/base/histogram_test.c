/* SPDX-License-Identifier: Apache-2.0 */
#include "base/histogram.h"

#include "base/mem.h"
#include "base/rand.h"
#include "os/thread.h"
#include "test.h"

#include <stdlib.h>

static struct sdb_histogram *fresh(void)
{
    struct sdb_histogram *h = sdb_mem_zalloc(sizeof *h);
    assert_non_null(h);
    return h;
}

static void buckets_are_in_order_and_without_gaps(void **state)
{
    (void)state;
    static const struct {
        uint64_t value;
        uint32_t bucket;
    } cases[] = {{0, 0},
                 {1, 1},
                 {15, 15},
                 {16, 16},
                 {31, 31},
                 {32, 32},
                 {33, 32},
                 {34, 33},
                 {63, 47},
                 {64, 48},
                 {(UINT64_C(1) << 44) - 1, SDB_HISTOGRAM_BUCKETS - 1},
                 {UINT64_C(1) << 44, SDB_HISTOGRAM_BUCKETS - 1},
                 {UINT64_MAX, SDB_HISTOGRAM_BUCKETS - 1}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(sdb_histogram_bucket(cases[i].value), cases[i].bucket);
    for (uint32_t i = 0; i < SDB_HISTOGRAM_BUCKETS; i++) {
        assert_int_equal(sdb_histogram_bucket(sdb_histogram_floor(i)), i);
        if (i > 0)
            assert_int_equal(sdb_histogram_bucket(sdb_histogram_floor(i) - 1), i - 1);
    }
}

static void nothing_has_no_percentiles(void **state)
{
    (void)state;
    struct sdb_histogram *h = fresh();
    assert_int_equal(sdb_histogram_at(h, 0), 0);
    assert_int_equal(sdb_histogram_at(h, 1000), 0);
    assert_int_equal(sdb_histogram_count(h), 0);
    assert_true(sdb_histogram_mean(h) == 0);
    sdb_mem_free(h);
}

static void small_values_are_exact(void **state)
{
    (void)state;
    struct sdb_histogram *h = fresh();
    for (uint64_t i = 1; i <= 10; i++)
        sdb_histogram_add(h, i);
    assert_int_equal(sdb_histogram_at(h, 0), 1);
    assert_int_equal(sdb_histogram_at(h, 100), 1);
    assert_int_equal(sdb_histogram_at(h, 101), 2);
    assert_int_equal(sdb_histogram_at(h, 500), 5);
    assert_int_equal(sdb_histogram_at(h, 999), 10);
    assert_int_equal(sdb_histogram_at(h, 1000), 10);
    assert_int_equal(sdb_histogram_greatest(h), 10);
    assert_int_equal(sdb_histogram_count(h), 10);
    assert_true(sdb_histogram_mean(h) == 5.5);
    sdb_mem_free(h);
}

static int by_size(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

/* Against the sorted values, over nine powers of ten. */
static void percentiles_are_within_the_promised_error(void **state)
{
    (void)state;
    enum { N = 20000 };
    static const unsigned permille[] = {1, 10, 500, 900, 990, 999, 1000};
    uint64_t *all = sdb_array_new(N, sizeof *all);
    struct sdb_histogram *h = fresh();
    struct sdb_rand r = {.state = 7};
    assert_non_null(all);
    for (size_t i = 0; i < N; i++) {
        all[i] = sdb_rand_next(&r) >> (20 + sdb_rand_below(&r, 40));
        sdb_histogram_add(h, all[i]);
    }
    qsort(all, N, sizeof *all, by_size);
    for (size_t i = 0; i < sizeof permille / sizeof permille[0]; i++) {
        uint64_t rank = ((uint64_t)N * permille[i] + 999) / 1000;
        double want = (double)all[rank - 1];
        double got = (double)sdb_histogram_at(h, permille[i]);
        double error = (got > want ? got - want : want - got) / (want > 0 ? want : 1);
        if (error > 1.0 / (2 * SDB_HISTOGRAM_STEPS))
            fail_msg("%u of 1000: %.0f, expected %.0f", permille[i], got, want);
    }
    assert_int_equal(sdb_histogram_at(h, 1000) <= all[N - 1], true);
    assert_int_equal(sdb_histogram_greatest(h), all[N - 1]);
    sdb_mem_free(all);
    sdb_mem_free(h);
}

static void a_merge_is_as_if_all_had_gone_to_one(void **state)
{
    (void)state;
    struct sdb_histogram *a = fresh(), *b = fresh(), *both = fresh();
    for (uint64_t i = 0; i < 3000; i++) {
        sdb_histogram_add(i % 3 == 0 ? a : b, i * i);
        sdb_histogram_add(both, i * i);
    }
    sdb_histogram_merge(a, b);
    assert_memory_equal(a, both, sizeof *a);
    sdb_mem_free(a);
    sdb_mem_free(b);
    sdb_mem_free(both);
}

/* The last bucket has no end: what lies in it is at most the greatest. */
static void what_is_too_large_counts_as_the_greatest(void **state)
{
    (void)state;
    struct sdb_histogram *h = fresh();
    sdb_histogram_add(h, UINT64_MAX / 4);
    assert_true(sdb_histogram_at(h, 500) <= UINT64_MAX / 4);
    assert_true(sdb_histogram_at(h, 500) >= UINT64_C(1) << 43);
    assert_int_equal(sdb_histogram_greatest(h), UINT64_MAX / 4);
    sdb_mem_free(h);
}

static void *add_many(void *arg)
{
    for (uint64_t i = 0; i < 20000; i++)
        sdb_histogram_add(arg, i);
    return NULL;
}

static void threads_lose_nothing(void **state)
{
    (void)state;
    struct sdb_histogram *h = fresh();
    struct sdb_thread t = {0};
    seerdb_err err = {0};
    test_ok(sdb_thread_start(&t, "adds", add_many, h, &err), &err);
    (void)add_many(h);
    sdb_thread_join(&t);
    assert_int_equal(sdb_histogram_count(h), 40000);
    assert_int_equal(sdb_histogram_greatest(h), 19999);
    assert_true(sdb_histogram_mean(h) == 9999.5);
    sdb_mem_free(h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buckets_are_in_order_and_without_gaps),
        cmocka_unit_test(nothing_has_no_percentiles),
        cmocka_unit_test(small_values_are_exact),
        cmocka_unit_test(percentiles_are_within_the_promised_error),
        cmocka_unit_test(a_merge_is_as_if_all_had_gone_to_one),
        cmocka_unit_test(what_is_too_large_counts_as_the_greatest),
        cmocka_unit_test(threads_lose_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
