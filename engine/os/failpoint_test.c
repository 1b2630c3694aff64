/* SPDX-License-Identifier: Apache-2.0 */
#define _POSIX_C_SOURCE 200809L /* unsetenv */
#include "os/failpoint.h"

#include "test.h"

#include <stdlib.h>
#include <unistd.h>

#include <signal.h>
#include <sys/wait.h>

static int reach(enum sdb_failpoint at, seerdb_err *err)
{
    return sdb_failpoint_reach(at, true, err);
}

static void an_unarmed_point_counts_and_does_nothing(void **state)
{
    seerdb_err err = {0};
    (void)state;
    sdb_failpoint_arm(NULL);
    uint64_t before = sdb_failpoint_hits(SDB_FP_log_sync);
    assert_int_equal(reach(SDB_FP_log_sync, &err), 0);
    assert_int_equal(sdb_failpoint_hits(SDB_FP_log_sync), before + 1);
    assert_int_equal(err.code, 0);
}

static void a_point_fails_after_so_many_and_so_often(void **state)
{
    seerdb_err err = {0};
    (void)state;
    sdb_failpoint_arm(&(struct sdb_failpoint_plan){.actions = SDB_FP_ERROR,
                                                   .at = SDB_FP_log_sync,
                                                   .after = 2,
                                                   .times = 1,
                                                   .code = SEERDB_FULL});
    const int want[] = {0, 0, SEERDB_FULL, 0, 0};
    for (size_t i = 0; i < sizeof want / sizeof want[0]; i++) {
        assert_int_equal(reach(SDB_FP_log_append, NULL), 0); /* another one */
        assert_int_equal(reach(SDB_FP_log_sync, &err), want[i]);
    }
    assert_string_equal(err.msg, "the failpoint log_sync fails");
    assert_int_equal(sdb_failpoint_acted(), 1);
    sdb_failpoint_arm(NULL);
}

static void where_nothing_can_fail_nothing_does(void **state)
{
    (void)state;
    sdb_failpoint_arm(
        &(struct sdb_failpoint_plan){.actions = SDB_FP_ERROR, .all = true});
    assert_int_equal(sdb_failpoint_reach(SDB_FP_committed, false, NULL), 0);
    assert_int_equal(sdb_failpoint_acted(), 0);
    assert_true(reach(SDB_FP_committed, NULL) < 0);
    sdb_failpoint_arm(NULL);
}

static uint64_t pattern(uint64_t seed)
{
    uint64_t bits = 0;
    sdb_failpoint_arm(
        &(struct sdb_failpoint_plan){.actions = SDB_FP_ERROR | SDB_FP_DELAY,
                                     .all = true,
                                     .one_in = 3,
                                     .delay_us = 1,
                                     .seed = seed});
    for (int i = 0; i < 64; i++)
        bits = bits << 1 | (reach(SDB_FP_freeze, NULL) != 0);
    sdb_failpoint_arm(NULL);
    return bits;
}

static void the_same_seed_fails_the_same_points(void **state)
{
    (void)state;
    assert_int_equal(pattern(7), pattern(7));
    assert_int_not_equal(pattern(7), pattern(8));
    assert_int_not_equal(pattern(7), 0);
}

static void note(void *ctx, enum sdb_failpoint at)
{
    *(enum sdb_failpoint *)ctx = at;
}

static void a_point_calls_back(void **state)
{
    enum sdb_failpoint at = SDB_NFAILPOINTS;
    (void)state;
    sdb_failpoint_arm(&(struct sdb_failpoint_plan){
        .actions = SDB_FP_CALL, .all = true, .call = note, .ctx = &at});
    assert_int_equal(reach(SDB_FP_prepare, NULL), 0);
    assert_int_equal(at, SDB_FP_prepare);
    sdb_failpoint_arm(NULL);
}

static void a_point_kills(void **state)
{
    int status;
    (void)state;
    pid_t child = fork();
    if (child == 0) {
        if (sdb_failpoint_arm_text("actions=kill,at=decide,after=1") &&
            reach(SDB_FP_decide, NULL) == 0)
            (void)reach(SDB_FP_decide, NULL);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void text_that_is_not_understood_arms_nothing(void **state)
{
    static const char *const bad[] = {
        "actions=explode", "at=nowhere",    "one_in=",     "one_in=3x", "one_in",
        "what=3",          "actions=kill+", "actions=kil", "=3"};
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (sdb_failpoint_arm_text(bad[i]) != (strcmp(bad[i], "actions=kill+") == 0))
            fail_msg("%s", bad[i]);
    sdb_failpoint_arm(NULL);
    assert_true(sdb_failpoint_arm_text("actions=delay+error,one_in=5,seed=9,times=2"));
    sdb_failpoint_arm(NULL);
}

static void every_point_has_a_name_of_its_own(void **state)
{
    (void)state;
    for (unsigned i = 0; i < SDB_NFAILPOINTS; i++)
        for (unsigned j = 0; j < i; j++)
            assert_string_not_equal(sdb_failpoint_name((enum sdb_failpoint)i),
                                    sdb_failpoint_name((enum sdb_failpoint)j));
}

int main(void)
{
    /* What these tests reach says nothing about the engine. */
    if (getenv("SEERDB_FAILPOINTS_SEEN") != NULL) {
        char *self[] = {(char[]){"failpoint_test"}, NULL};
        unsetenv("SEERDB_FAILPOINTS_SEEN");
        execv("/proc/self/exe", self);
        return 1;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_unarmed_point_counts_and_does_nothing),
        cmocka_unit_test(a_point_fails_after_so_many_and_so_often),
        cmocka_unit_test(where_nothing_can_fail_nothing_does),
        cmocka_unit_test(the_same_seed_fails_the_same_points),
        cmocka_unit_test(a_point_calls_back),
        cmocka_unit_test(a_point_kills),
        cmocka_unit_test(text_that_is_not_understood_arms_nothing),
        cmocka_unit_test(every_point_has_a_name_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
