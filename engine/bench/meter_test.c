/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "bench/meter.h"
#include "test.h"

#include <stdlib.h>
#include <unistd.h>

static void a_quantile_lies_within_a_64th_of_the_truth(void **state)
{
    struct bench_latency *l = calloc(1, sizeof *l);
    static const uint64_t scales[] = {1, 37, 1000, 1234567, 5000000000u};
    (void)state;
    assert_non_null(l);
    for (size_t s = 0; s < sizeof scales / sizeof scales[0]; s++) {
        memset(l, 0, sizeof *l);
        for (uint64_t i = 1; i <= 1000; i++)
            bench_latency_add(l, i * scales[s]);
        for (int p = 1; p <= 1000; p++) {
            double got = bench_latency_quantile(l, p / 1000.0);
            double want = (double)p * (double)scales[s];
            if (got < want * 63 / 64 - 1 || got > want * 65 / 64 + 1)
                fail_msg("scale %llu, quantile %d: %f, not %f",
                         (unsigned long long)scales[s], p, got, want);
        }
        assert_int_equal(l->max_ns, 1000 * scales[s]);
        assert_int_equal((int)bench_latency_over(l, 2000.0 * (double)scales[s]), 0);
        assert_in_range((int)bench_latency_over(l, 500.0 * (double)scales[s]), 490,
                        510);
    }
    free(l);
}

static void one_of_every_n_operations_is_timed(void **state)
{
    struct bench_latency *l = calloc(1, sizeof *l);
    (void)state;
    assert_non_null(l);
    l->every = 8;
    for (int i = 0; i < 80; i++) {
        bench_begin(l);
        bench_end(l);
    }
    assert_int_equal(l->samples, 10);
    free(l);
}

static void nothing_measured_is_zero(void **state)
{
    struct bench_latency *l = calloc(1, sizeof *l);
    (void)state;
    assert_non_null(l);
    assert_true(bench_latency_quantile(l, 0.5) <= 0);
    free(l);
}

static void written_and_allocated_bytes_are_seen(void **state)
{
    char dir[] = "/tmp/seerdb-meter-XXXXXX", path[64];
    static char bytes[300000];
    (void)state;
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/a/b", dir);
    bench_make_dir(path);
    snprintf(path, sizeof path, "%s/a/b/f", dir);
    uint64_t before = bench_written_bytes();
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, sizeof bytes, f), sizeof bytes);
    assert_int_equal(fflush(f), 0);
    assert_int_equal(fsync(fileno(f)), 0);
    fclose(f);
    if (before > 0 || bench_written_bytes() > 0) /* where /proc tells */
        assert_in_range(bench_written_bytes() - before, sizeof bytes, 400000);
    assert_in_range(bench_disk_bytes(dir), sizeof bytes, 400000);
    bench_remove_tree(dir);
    assert_int_not_equal(access(dir, F_OK), 0);
    bench_remove_tree(dir); /* a missing one is fine */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_quantile_lies_within_a_64th_of_the_truth),
        cmocka_unit_test(one_of_every_n_operations_is_timed),
        cmocka_unit_test(nothing_measured_is_zero),
        cmocka_unit_test(written_and_allocated_bytes_are_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
