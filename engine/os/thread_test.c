/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "os/thread.h"

#include "test.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

struct seen {
    int value;
    bool signals_blocked;
};

static void *look(void *arg)
{
    struct seen *seen = arg;
    sigset_t set;
    seen->value++;
    sigemptyset(&set);
    pthread_sigmask(SIG_SETMASK, NULL, &set);
    seen->signals_blocked = sigismember(&set, SIGINT) && sigismember(&set, SIGALRM) &&
                            sigismember(&set, SIGTERM) && sigismember(&set, SIGUSR1);
    return NULL;
}

static void a_thread_runs_until_joined_with_signals_blocked(void **state)
{
    struct seen seen = {.value = 41};
    struct sdb_thread t = {.started = false};
    seerdb_err err = {0};
    sigset_t before, after;
    (void)state;
    pthread_sigmask(SIG_SETMASK, NULL, &before);
    test_ok(sdb_thread_start(&t, "look", look, &seen, &err), &err);
    assert_true(t.started);
    sdb_thread_join(&t);
    assert_false(t.started);
    assert_int_equal(seen.value, 42);
    assert_true(seen.signals_blocked);
    pthread_sigmask(SIG_SETMASK, NULL, &after);
    assert_int_equal(sigismember(&after, SIGINT), sigismember(&before, SIGINT));
    assert_int_equal(sigismember(&after, SIGUSR1), sigismember(&before, SIGUSR1));
}

static void joining_what_never_started_does_nothing(void **state)
{
    struct sdb_thread t = {.started = false};
    (void)state;
    sdb_thread_join(&t);
    sdb_thread_join(&t);
}

/* Runs in a child: its exit code is the number of the check that failed. */
static int look_from_child(uint64_t generation, uint64_t parent)
{
    if (sdb_fork_generation() != generation + 1)
        return 1;
    if (sdb_process_id() == parent || sdb_process_id() != (uint64_t)getpid())
        return 2;
    pid_t grandchild = fork();
    if (grandchild == 0)
        _exit(sdb_fork_generation() == generation + 2 ? 0 : 1);
    int status = -1;
    if (grandchild < 0 || waitpid(grandchild, &status, 0) != grandchild || status != 0)
        return 3;
    return sdb_fork_generation() == generation + 1 ? 0 : 4;
}

static void each_fork_is_a_generation(void **state)
{
    uint64_t generation = sdb_fork_generation(), parent = sdb_process_id();
    int status = -1;
    (void)state;
    assert_int_equal(sdb_fork_generation(), generation);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(look_from_child(generation, parent));
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(sdb_fork_generation(), generation);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_thread_runs_until_joined_with_signals_blocked),
        cmocka_unit_test(joining_what_never_started_does_nothing),
        cmocka_unit_test(each_fork_is_a_generation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
