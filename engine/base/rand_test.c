/* SPDX-License-Identifier: Apache-2.0 */
#include "base/rand.h"

#include "test.h"

static void numbers_are_those_of_splitmix64(void **state)
{
    /* The first outputs for seed 1234567, as Rosetta Code gives them. */
    static const uint64_t want[] = {6457827717110365317u, 3203168211198807973u,
                                    9817491932198370423u, 4593380528125082431u,
                                    16408922859458223821u};
    struct sdb_rand r = {1234567};
    (void)state;
    for (size_t i = 0; i < sizeof want / sizeof want[0]; i++)
        assert_true(sdb_rand_next(&r) == want[i]);
}

static void numbers_below_a_bound_reach_all_of_them_evenly(void **state)
{
    struct sdb_rand r = {0};
    unsigned seen[10] = {0};
    (void)state;
    for (int i = 0; i < 10000; i++) {
        uint64_t v = sdb_rand_below(&r, 10);
        assert_in_range(v, 0, 9);
        seen[v]++;
    }
    for (int i = 0; i < 10; i++)
        assert_in_range(seen[i], 850, 1150);
    assert_int_equal(sdb_rand_below(&r, 1), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_those_of_splitmix64),
        cmocka_unit_test(numbers_below_a_bound_reach_all_of_them_evenly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
