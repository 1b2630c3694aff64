/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/data.h"
#include "test.h"

#include <stdlib.h>

enum { KEYS = 20000 };

static int by_bytes(const void *a, const void *b)
{
    const struct bench_key *x = a, *y = b;
    size_t n = x->size < y->size ? x->size : y->size;
    int c = memcmp(x->bytes, y->bytes, n);
    return c != 0 ? c : (x->size > y->size) - (x->size < y->size);
}

static void keys_of_hits_and_misses_are_all_different(void **state)
{
    struct bench_key *keys = calloc(2 * KEYS, sizeof *keys);
    (void)state;
    assert_non_null(keys);
    for (int set = BENCH_KEYS_RANDOM; set <= BENCH_KEYS_URL; set++) {
        for (uint64_t i = 0; i < KEYS; i++) {
            bench_key_make((enum bench_key_set)set, i, BENCH_HIT, &keys[2 * i]);
            bench_key_make((enum bench_key_set)set, i, BENCH_MISS, &keys[2 * i + 1]);
        }
        if (set == BENCH_KEYS_SEQUENTIAL)
            for (size_t i = 2; i < 2 * KEYS; i += 2)
                assert_true(by_bytes(&keys[i - 2], &keys[i]) < 0);
        qsort(keys, 2 * KEYS, sizeof *keys, by_bytes);
        for (size_t i = 0; i < 2 * KEYS; i++) {
            assert_in_range(keys[i].size, BENCH_KEY, BENCH_KEY_MAX - 1);
            if (i > 0 && by_bytes(&keys[i - 1], &keys[i]) == 0)
                fail_msg("set %d has a key twice", set);
        }
    }
    free(keys);
}

static void a_value_belongs_to_its_key_alone(void **state)
{
    struct bench_key a, b;
    uint8_t value[BENCH_VALUE], newer[BENCH_VALUE];
    (void)state;
    bench_key_make(BENCH_KEYS_URL, 1, BENCH_HIT, &a);
    bench_key_make(BENCH_KEYS_URL, 2, BENCH_HIT, &b);
    bench_value_make(a.bytes, a.size, 0, value);
    bench_value_make(a.bytes, a.size, 1, newer);
    assert_memory_not_equal(value, newer, BENCH_VALUE);
    assert_true(bench_value_belongs(a.bytes, a.size, value, BENCH_VALUE));
    assert_true(bench_value_belongs(a.bytes, a.size, newer, BENCH_VALUE));
    assert_false(bench_value_belongs(b.bytes, b.size, value, BENCH_VALUE));
    assert_false(bench_value_belongs(a.bytes, a.size, value, BENCH_VALUE - 1));
    for (int i = 0; i < 12; i++) { /* version and check word */
        value[i] ^= 1;
        assert_false(bench_value_belongs(a.bytes, a.size, value, BENCH_VALUE));
        value[i] ^= 1;
    }
}

static void zipf_prefers_small_numbers_and_stays_below_n(void **state)
{
    struct bench_zipf z;
    uint64_t first = 0, half = 0;
    (void)state;
    bench_zipf_init(&z, 1000);
    for (uint64_t i = 0; i < 100000; i++) {
        uint64_t k = bench_zipf_next(&z, bench_mix(i));
        assert_true(k < 1000);
        first += k == 0;
        half += k < 500;
    }
    /* 1/zeta(1000) = 0.128; the first half of the ranks has 0.91 of the weight. */
    assert_in_range(first, 12000, 13600);
    assert_in_range(half, 89500, 92500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_of_hits_and_misses_are_all_different),
        cmocka_unit_test(a_value_belongs_to_its_key_alone),
        cmocka_unit_test(zipf_prefers_small_numbers_and_stays_below_n),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
