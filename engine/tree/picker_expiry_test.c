/* SPDX-License-Identifier: Apache-2.0
 *
 * What the picker makes of tables whose rows expire. */
#include "picker_rig.h"

static void expired_rows_are_a_reason(void **state)
{
    (void)state;
    static const struct pick_case cases[] = {
        {"6:9 a-m 100 e60; 6:9 n-z 100", "merge 100 > 6:9 last"},
        {"6:9 a-m 100 e61; 6:9 n-z 100", "none"},
        {"6:9 a-m 100; 6:9 n-z 100 e5", "merge 99 > 6:9 last"},
        {"5:2 a-m 100 e60; 6:9 a-z 100", "merge 100 99 > 6:9 last"},
        {"0:1 a-m 100 e60; 6:9 a-z 100", "merge 100 99 > 6:9 last"},
        {"0:1 a-m 100 e61; 6:9 a-z 100", "none"},
    };
    static const struct pick_case unasked[] = {{"6:9 a-m 100 e60", "none"}};
    static const struct pick_case full[] = {
        {"6:9 a-m 100 e70", "merge 100 > 6:9 last"},
        {"6:9 a-m 100 e71", "none"},
    };
    struct sdb_policy p = policy(SEERDB_LEVELED);
    CHECK(unasked, &p);
    p.now_us = 60;
    CHECK(cases, &p);
    p.full = true;
    CHECK(full, &p);
}

static void in_levels_of_several_runs_the_oldest_expired_table_goes_first(void **state)
{
    (void)state;
    static const struct pick_case cases[] = {
        /* nothing below: dropped where it lies */
        {"6:9 a-m 100 e60; 6:8 a-z 100 e60", "merge 99 > 6:8 last"},
        {"6:9 a-m 100 e60; 6:8 n-z 100", "merge 100 > 6:9 last"},
        {"1:9 a-m 100 e60; 1:8 n-z 100 e90; 6:7 n-z 10", "merge 100 > 1:9 last"},
        /* something below: tombstones where it lies */
        {"6:9 a-m 100 e60; 6:8 a-z 100", "merge 100 > 6:9"},
        {"2:9 a-m 100 e60; 2:8 n-z 100; 6:1 a-z 100", "merge 100 > 2:9"},
        {"6:9 a-m 100 e61; 6:8 a-z 100", "none"},
        /* of nothing else, until it is most of what the level has */
        {"6:9 a-m 100 t50; 6:8 a-z 100 t10", "none"},
        {"6:9 a-m 100 t60; 6:8 a-z 100 t60", "merge 99 > 6:8 last"},
        {"6:9 a-m 100 t99; 6:8 a-m 100 t19; 6:8 n-z 100", "none"},
        {"6:9 a-m 100 t90; 6:8 a-z 100 t19", "merge 100 99 > 6:10 last"},
        {"2:9 a-m 100 t90; 2:8 a-z 100 t19; 6:7 a-z 10", "merge 100 99 > 3:10"},
    };
    struct sdb_policy p = policy(SEERDB_TIERED);
    p.now_us = 60;
    CHECK(cases, &p);
}

static void tables_that_have_expired_whole_go_unread(void **state)
{
    (void)state;
    static const struct pick_case cases[] = {
        {"6:9 a-m 100 e40 l60; 6:9 n-z 100", "drop 100 > 6:10 last"},
        {"6:9 a-m 100 e40 l61; 6:9 n-z 100", "merge 100 > 6:9 last"},
        {"6:9 a-m 100 e40; 6:9 n-z 100", "merge 100 > 6:9 last"},
        /* not from above what stays; of what goes with it */
        {"5:9 a-m 100 e40 l60; 6:8 a-m 100", "merge 100 99 > 6:8 last"},
        {"5:9 a-m 100 e40 l60; 6:8 a-m 100 e50 l70", "merge 99 > 6:8 last"},
        {"5:9 a-m 100 e40 l60; 6:8 a-m 100 e30 l50", "drop 100 99 > 6:10 last"},
        {"5:9 a-m 100 e40 l60; 6:8 n-z 100", "drop 100 > 6:10 last"},
        {"4:9 a-m 100 e40 l60; 5:8 n-z 100; 6:7 a-c 100", "merge 100 > 5:8"},
        {"4:9 a-c 100 e40 l60; 5:8 c-z 100 e40 l60; 6:7 z-z 100",
         "merge 99 98 > 6:7 last"},
        {"0:9 a-m 100 e40 l60; 5:8 a-c 100 e40 l60; 5:8 k-z 100 e40 l60; 6:7 m-m 1 e50",
         "drop 99 > 6:10 last"},
        /* level 0 too, and at once */
        {"0:9 a-m 100 e40 l60; 0:8 a-m 100 e40 l60; 0:7 a-z 100",
         "move 98 > 6:10 last"},
        {"0:9 a-m 100; 0:8 a-m 100 e40 l60; 0:7 a-z 100 e40 l50",
         "drop 99 98 > 6:10 last"},
        /* ranges delete more than what the table has */
        {"6:9 a-m 100 e40 l60 r87", "merge 100 > 6:9 last"},
    };
    static const struct pick_case unflushed[] = {
        {"0:9 a-m 100 e40 l60; 0:8 n-z 100 e40 l60; 0:7 a-z 100 e40 l50",
         "drop 99 98 > 6:10 last"},
        {"6:9 a-m 100 e40 l60; 6:9 n-z 100", "merge 100 > 6:9 last"},
    };
    static const struct pick_case seen[] = {
        {"6:9 a-m 100 e40 l60; 6:9 n-z 100", "merge 100 > 6:9 last"},
        {"6:10 a-m 100 e40 l60; 6:10 n-z 100", "drop 100 > 6:11 last"},
    };
    static const uint64_t snapshots[] = {2, 85};
    struct sdb_policy p = policy(SEERDB_LEVELED);
    p.now_us = 60;
    p.drops_expired = true;
    CHECK(cases, &p);
    p.flushed = 85;
    CHECK(unflushed, &p);
    p.flushed = UINT64_MAX;
    p.snapshots = snapshots;
    p.nsnapshots = 2;
    CHECK(seen, &p);
}

static void a_few_tables_wait_until_they_have_expired_whole(void **state)
{
    (void)state;
    static const struct pick_case cases[] = {
        {"6:9 a-c 100 e60 l70; 6:9 d-z 300", "none"},
        {"6:9 a-c 100 e60 l70; 6:9 d-z 299", "merge 100 > 6:9 last"},
        {"6:9 a-c 100 e60 l70; 6:9 d-m 100 e55 l70; 6:9 n-z 500",
         "merge 100 > 6:9 last"},
        {"6:9 a-c 100 e60 l70; 6:9 d-m 100 e61 l70; 6:9 n-z 500", "none"},
        /* not for ever: the others first had 10 to expire */
        {"6:9 a-c 100 e60 l137; 6:9 d-z 500", "none"},
        {"6:9 a-c 100 e60 l138; 6:9 d-z 500", "merge 100 > 6:9 last"},
        /* not if it could not go then */
        {"5:9 a-c 100 e60 l70; 6:8 a-c 100 e66 l70; 6:8 d-z 500", "none"},
        {"5:9 a-c 100 e60 l70; 6:8 a-c 100 e66 l71; 6:8 d-z 500",
         "merge 100 99 > 6:8 last"},
        {"5:9 a-c 100 e60 l70; 6:8 a-c 100; 6:8 d-z 500", "merge 100 99 > 6:8 last"},
        {"0:9 a-c 100 e60 l70; 6:8 d-z 500", "none"},
    };
    static const struct pick_case full[] = {
        {"6:9 a-c 100 e60 l70; 6:9 d-z 300", "merge 100 > 6:9 last"}};
    struct sdb_policy p = policy(SEERDB_LEVELED);
    p.now_us = 60;
    p.drops_expired = true;
    CHECK(cases, &p);
    p.full = true;
    CHECK(full, &p);
}

static void the_next_time_is_that_of_the_first_table_due(void **state)
{
    (void)state;
    struct sdb_policy p = policy(SEERDB_LEVELED);
    struct sdb_pick pick = {0};
    seerdb_err err = {0};
    struct sdb_version *v = parse("6:9 a-c 100 e90; 6:9 d-m 100 e80; 6:9 n-z 100");
    p.now_us = 60;
    test_ok(sdb_pick(v, &p, &pick, &err), &err);
    assert_int_equal(pick.kind, SDB_PICK_NONE);
    assert_int_equal(pick.due_us, 80);
    sdb_pick_fini(&pick);
    p.now_us = 0;
    test_ok(sdb_pick(v, &p, &pick, &err), &err);
    assert_int_equal(pick.due_us, 0);
    sdb_pick_fini(&pick);
    sdb_version_unref(v);
    v = parse("6:9 a-c 100 e59 l64; 6:9 d-m 100 e80; 6:9 n-z 1000");
    p.now_us = 60;
    p.drops_expired = true;
    test_ok(sdb_pick(v, &p, &pick, &err), &err);
    assert_int_equal(pick.kind, SDB_PICK_NONE);
    assert_int_equal(pick.due_us, 64);
    sdb_pick_fini(&pick);
    sdb_version_unref(v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(expired_rows_are_a_reason),
        cmocka_unit_test(in_levels_of_several_runs_the_oldest_expired_table_goes_first),
        cmocka_unit_test(tables_that_have_expired_whole_go_unread),
        cmocka_unit_test(a_few_tables_wait_until_they_have_expired_whole),
        cmocka_unit_test(the_next_time_is_that_of_the_first_table_due),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
