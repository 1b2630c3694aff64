/* SPDX-License-Identifier: Apache-2.0 */
#include "tree/adapt.h"

#include "test.h"

#define BATCHES 60

static enum seerdb_compaction cheapest(const struct sdb_load *load, double batches)
{
    double cost[SDB_POLICIES];
    sdb_adapt_costs(load, batches, cost);
    return cost[SEERDB_LAZY] < cost[SEERDB_LEVELED] ? SEERDB_LAZY : SEERDB_LEVELED;
}

static void each_kind_of_work_has_its_policy(void **state)
{
    (void)state;
    static const struct {
        struct sdb_load load;
        double batches;
        enum seerdb_compaction want;
    } cases[] = {
        {{.writes = 1000}, 60, SEERDB_LAZY},
        {{.writes = 1000}, 6000, SEERDB_LAZY},
        {{.writes = 1000}, 1, SEERDB_LEVELED}, /* there are no levels */
        {{.writes = 950, .gets = 50}, 60, SEERDB_LAZY},
        {{.writes = 100, .gets = 3000}, 60, SEERDB_LEVELED},
        {{.writes = 100, .gets = 5000}, 6000, SEERDB_LEVELED},
        {{.writes = 100, .seeks = 900, .rows = 90000}, 60, SEERDB_LEVELED},
        {{.writes = 100, .seeks = 100, .rows = 10000}, 60, SEERDB_LEVELED},
        {{.writes = 100, .seeks = 1, .rows = 100}, 60, SEERDB_LAZY},
        {{.gets = 1000}, 60, SEERDB_LEVELED},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        if (cheapest(&cases[i].load, cases[i].batches) != cases[i].want)
            fail_msg("case %zu: %d, expected %d", i,
                     (int)cheapest(&cases[i].load, cases[i].batches),
                     (int)cases[i].want);
}

/* The more is read for the same writes, the fewer runs, and never the other way. */
static void more_reads_never_ask_for_more_runs(void **state)
{
    (void)state;
    for (double batches = 8; batches < 1e5; batches *= 3) {
        enum seerdb_compaction last = SEERDB_LAZY;
        for (double gets = 0; gets < 1e6; gets = gets * 2 + 1) {
            struct sdb_load load = {.writes = 1000, .gets = gets};
            enum seerdb_compaction best = cheapest(&load, batches);
            assert_true(best <= last);
            last = best;
        }
        assert_int_equal(last, SEERDB_LEVELED);
    }
}

static void a_new_tree_is_leveled_and_nothing_done_changes_nothing(void **state)
{
    (void)state;
    struct sdb_adapt a = {.now = SEERDB_LEVELED};
    const struct sdb_load nothing = {0};
    for (int i = 0; i < 10; i++)
        assert_false(sdb_adapt(&a, &nothing, 0));
    assert_int_equal(a.now, SEERDB_LEVELED);
}

/* Phases as a program may have them, a call per flush: how many flushes it takes to
 * change, and that it then stays. */
static void phases_are_followed_within_three_flushes(void **state)
{
    (void)state;
    static const struct {
        struct sdb_load each;
        enum seerdb_compaction want;
    } phases[] = {
        {{.writes = 10000}, SEERDB_LAZY},
        {{.writes = 10000, .gets = 500000}, SEERDB_LEVELED},
        {{.writes = 10000, .gets = 500}, SEERDB_LAZY},
        {{.writes = 10000, .seeks = 10000, .rows = 1000000}, SEERDB_LEVELED},
        {{.writes = 10000}, SEERDB_LAZY},
    };
    struct sdb_adapt a = {.now = SEERDB_LEVELED};
    for (size_t p = 0; p < sizeof phases / sizeof phases[0]; p++) {
        int changed = 0, last = 0;
        for (int i = 1; i <= 40; i++)
            if (sdb_adapt(&a, &phases[p].each, BATCHES)) {
                changed++;
                last = i;
            }
        assert_int_equal(a.now, phases[p].want);
        assert_true(changed >= 1 && changed <= 2);
        /* What was read by scans takes its time to be forgotten. */
        assert_true(last <= (p == 4 ? 10 : p == 2 ? 8 : 3));
    }
}

/* Work that lies where two policies cost the same must not make it change to and fro,
 * nor work that changes from flush to flush. */
static void it_does_not_swing(void **state)
{
    (void)state;
    double even = 0;
    for (double gets = 1; gets < 1e6 && even == 0; gets *= 1.01) {
        struct sdb_load load = {.writes = 10000, .gets = gets};
        if (cheapest(&load, BATCHES) != SEERDB_LAZY)
            even = gets;
    }
    assert_true(even > 100);
    for (int kind = 0; kind < 2; kind++) {
        struct sdb_adapt a = {.now = SEERDB_LEVELED};
        int changes = 0;
        for (int i = 0; i < 200; i++) {
            double noise =
                kind == 0 ? (i % 2 == 0 ? 0.93 : 1.07) : (i % 4 < 2 ? 0.8 : 1.2);
            struct sdb_load load = {.writes = 10000, .gets = even * noise};
            changes += sdb_adapt(&a, &load, BATCHES);
        }
        assert_true(changes <= 1);
    }
}

/* One flush among others that looks different is not followed, two are. */
static void one_odd_flush_is_let_pass(void **state)
{
    (void)state;
    const struct sdb_load reads = {.writes = 10000, .gets = 600000};
    const struct sdb_load writes = {.writes = 50000};
    for (int odd = 1; odd <= 2; odd++) {
        struct sdb_adapt a = {.now = SEERDB_LEVELED};
        for (int i = 0; i < 10; i++)
            assert_false(sdb_adapt(&a, &reads, BATCHES));
        for (int i = 1; i <= odd; i++)
            assert_int_equal(sdb_adapt(&a, &writes, BATCHES), i == 2);
        assert_int_equal(a.now, odd == 2 ? SEERDB_LAZY : SEERDB_LEVELED);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_kind_of_work_has_its_policy),
        cmocka_unit_test(more_reads_never_ask_for_more_runs),
        cmocka_unit_test(a_new_tree_is_leveled_and_nothing_done_changes_nothing),
        cmocka_unit_test(phases_are_followed_within_three_flushes),
        cmocka_unit_test(it_does_not_swing),
        cmocka_unit_test(one_odd_flush_is_let_pass),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
