/* SPDX-License-Identifier: Apache-2.0 */
#include "table/expiries.h"

#include "base/rand.h"
#include "test.h"

static void a_table_is_due_when_a_quarter_of_it_has_expired(void **state)
{
    (void)state;
    static const struct {
        uint64_t n, records, due; /* times 1 to n, of so many records */
    } cases[] = {
        {0, 10, UINT64_MAX},    {1, 1, 1},       {1, 4, 1},
        {1, 5, UINT64_MAX},     {2, 8, 2},       {4, 4, 1},
        {100, 100, 25},         {100, 200, 50},  {100, 400, 100},
        {100, 401, UINT64_MAX}, {512, 512, 128},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct sdb_expiries e = {0};
        for (uint64_t t = cases[i].n; t > 0; t--)
            sdb_expiries_add(&e, t);
        assert_int_equal(e.first, cases[i].n > 0);
        assert_int_equal(sdb_expiries_due(&e, cases[i].records), cases[i].due);
    }
}

static void samples_stand_for_many(void **state)
{
    (void)state;
    for (int order = 0; order < 3; order++) {
        struct sdb_expiries e = {0};
        struct sdb_rand r = {7};
        const uint64_t n = 100000;
        for (uint64_t i = 0; i < n; i++)
            sdb_expiries_add(&e, order == 0   ? 1000 + i
                                 : order == 1 ? 1000 + n - i
                                              : 1000 + sdb_rand_below(&r, n));
        assert_in_range(e.first, 1000, 1010);
        assert_true(e.nsamples > SDB_EXPIRIES_SAMPLES / 4);
        uint64_t due = sdb_expiries_due(&e, n);
        assert_in_range(due, 1000 + n / 5, 1000 + n * 3 / 10);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_table_is_due_when_a_quarter_of_it_has_expired),
        cmocka_unit_test(samples_stand_for_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
