/* SPDX-License-Identifier: Apache-2.0 */
#include "os/sync.h"

#include "os/clock.h"
#include "os/thread.h"
#include "test.h"

struct shared {
    struct sdb_mutex m;
    struct sdb_cond c;
    int turn GUARDED_BY(LK_DB);
    uint64_t sum GUARDED_BY(LK_DB);
    bool held_elsewhere GUARDED_BY(LK_DB);
};

static void init(struct shared *s)
{
    *s = (struct shared){.turn = 0};
    sdb_mutex_init(&s->m);
    sdb_cond_init(&s->c);
}

static void fini(struct shared *s)
{
    sdb_cond_fini(&s->c);
    sdb_mutex_fini(&s->m);
}

static void *add(void *arg)
{
    struct shared *s = arg;
    for (int i = 0; i < 20000; i++) {
        sdb_lock_db(&s->m);
        s->sum++;
        sdb_unlock_db(&s->m);
    }
    return NULL;
}

static void one_thread_at_a_time(void **state)
{
    struct shared s;
    struct sdb_thread t[3] = {{.started = false}};
    seerdb_err err = {0};
    (void)state;
    init(&s);
    for (int i = 0; i < 3; i++)
        test_ok(sdb_thread_start(&t[i], "add", add, &s, &err), &err);
    for (int i = 0; i < 3; i++)
        sdb_thread_join(&t[i]);
    sdb_lock_db(&s.m);
    assert_int_equal(s.sum, 60000);
    sdb_unlock_db(&s.m);
    fini(&s);
}

/* The other thread waits for this one to end, holding the mutex. */
static void *look(void *arg) NO_TSA
{
    struct shared *s = arg;
    s->held_elsewhere = sdb_mutex_held(&s->m);
    return NULL;
}

static void a_mutex_knows_its_holder(void **state) NO_TSA
{
    struct shared s;
    struct sdb_thread t = {.started = false};
    seerdb_err err = {0};
    (void)state;
    init(&s);
    assert_false(sdb_mutex_held(&s.m));
    sdb_lock_db(&s.m);
    assert_true(sdb_mutex_held(&s.m));
    sdb_assert_db(&s.m);
    s.held_elsewhere = true;
    test_ok(sdb_thread_start(&t, "look", look, &s, &err), &err);
    sdb_thread_join(&t);
    assert_false(s.held_elsewhere);
    sdb_unlock_db(&s.m);
    assert_false(sdb_mutex_held(&s.m));
    fini(&s);
}

static void *answer(void *arg)
{
    struct shared *s = arg;
    for (int i = 1; i < 200; i += 2) {
        sdb_lock_db(&s->m);
        while (s->turn != i)
            sdb_cond_wait(&s->c, &s->m);
        s->turn++;
        sdb_cond_signal(&s->c);
        sdb_unlock_db(&s->m);
    }
    return NULL;
}

static void threads_wake_each_other(void **state)
{
    struct shared s;
    struct sdb_thread t = {.started = false};
    seerdb_err err = {0};
    (void)state;
    init(&s);
    test_ok(sdb_thread_start(&t, "answer", answer, &s, &err), &err);
    sdb_lock_db(&s.m);
    for (int i = 0; i < 200; i += 2) {
        while (s.turn != i)
            sdb_cond_wait(&s.c, &s.m);
        assert_true(sdb_mutex_held(&s.m));
        s.turn++;
        sdb_cond_broadcast(&s.c);
    }
    sdb_unlock_db(&s.m);
    sdb_thread_join(&t);
    fini(&s);
}

static void a_wait_ends_when_its_time_is_over(void **state)
{
    static const uint64_t waits_ms[] = {0, 1, 30};
    struct shared s;
    (void)state;
    init(&s);
    sdb_lock_db(&s.m);
    for (size_t i = 0; i < 3; i++) {
        uint64_t start = sdb_clock_mono_us();
        while (sdb_cond_wait_ms(&s.c, &s.m, waits_ms[i]))
            ; /* woken for no reason */
        assert_true(sdb_clock_mono_us() - start + 1 >= waits_ms[i] * 1000);
        assert_true(sdb_mutex_held(&s.m));
    }
    sdb_unlock_db(&s.m);
    fini(&s);
}

static void *wake(void *arg)
{
    struct shared *s = arg;
    sdb_lock_db(&s->m);
    s->turn = 1;
    sdb_cond_signal(&s->c);
    sdb_unlock_db(&s->m);
    return NULL;
}

static void a_signal_ends_a_timed_wait_early(void **state)
{
    struct shared s;
    struct sdb_thread t = {.started = false};
    seerdb_err err = {0};
    bool in_time = true;
    (void)state;
    init(&s);
    sdb_lock_db(&s.m);
    test_ok(sdb_thread_start(&t, "wake", wake, &s, &err), &err);
    while (s.turn == 0 && in_time)
        in_time = sdb_cond_wait_ms(&s.c, &s.m, 20000);
    assert_true(in_time);
    sdb_unlock_db(&s.m);
    sdb_thread_join(&t);
    fini(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_thread_at_a_time),
        cmocka_unit_test(a_mutex_knows_its_holder),
        cmocka_unit_test(threads_wake_each_other),
        cmocka_unit_test(a_wait_ends_when_its_time_is_over),
        cmocka_unit_test(a_signal_ends_a_timed_wait_early),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
