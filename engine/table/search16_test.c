/* SPDX-License-Identifier: Apache-2.0 */
#include "table/search16.h"

#include "base/coding.h"
#include "base/rand.h"
#include "test.h"

#include <stdlib.h>

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static void expect(const struct sdb_search16 *s, const uint64_t *values, size_t n,
                   uint64_t value)
{
    size_t want = 0;
    while (want < n && values[want] < value)
        want++;
    for (unsigned v = 0; sdb_vec_at(v) != NULL; v++) {
        size_t got = sdb_vec_at(v)->descend(s->levels, s->sizes, s->nlevels, value);
        if (got != want)
            fail_msg("%s: %016" PRIx64 " of %zu at %zu, expected %zu",
                     sdb_vec_at(v)->name, value, n, got, want);
    }
    assert_int_equal(sdb_search16_first(s, value), want);
}

static void the_first_value_not_below_is_found(void **state)
{
    static const size_t sizes[] = {0,   1,   2,    15,   16,   17,   31,
                                   32,  33,  47,   255,  256,  257,  271,
                                   272, 273, 4095, 4096, 4097, 4112, 4353};
    static uint64_t values[5000];
    static uint8_t column[8 * 5000];
    struct sdb_rand r = {3};
    seerdb_err err = {0};
    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        for (unsigned bits = 2; bits <= 64; bits += 31) { /* many equal; few; none */
            size_t n = sizes[i];
            struct sdb_search16 s = {0};
            for (size_t k = 0; k < n; k++)
                values[k] = sdb_rand_next(&r) >> (64 - bits);
            if (n > 2)
                values[0] = UINT64_MAX;
            qsort(values, n, sizeof *values, compare);
            for (size_t k = 0; k < n; k++)
                sdb_store_u64(column + 8 * k, values[k]);
            test_ok(sdb_search16_init(&s, column, n, &err), &err);
            expect(&s, values, n, 0);
            expect(&s, values, n, UINT64_MAX);
            for (size_t k = 0; k < n; k += 1 + k / 40) {
                expect(&s, values, n, values[k]);
                expect(&s, values, n, values[k] + 1);
                expect(&s, values, n, values[k] - 1);
            }
            sdb_search16_fini(&s);
        }
    }
}

static void the_levels_above_take_a_fifteenth(void **state)
{
    static const uint8_t zeros[8 * 100000];
    struct sdb_search16 s = {0};
    seerdb_err err = {0};
    (void)state;
    test_ok(sdb_search16_init(&s, zeros, 100000, &err), &err);
    assert_in_range(s.upper_size, 8 * 100000 / 16, 8 * 100000 / 15);
    sdb_search16_fini(&s);
    sdb_mem_fail_after(0);
    test_fails(sdb_search16_init(&s, zeros, 100000, &err), SEERDB_NOMEM, &err);
    sdb_mem_fail_after(-1);
    sdb_search16_fini(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_value_not_below_is_found),
        cmocka_unit_test(the_levels_above_take_a_fifteenth),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
