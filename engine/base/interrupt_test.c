/* SPDX-License-Identifier: Apache-2.0 */
#include "base/interrupt.h"

#include "test.h"

#include <pthread.h>

static bool say(void *ctx)
{
    return *(bool *)ctx;
}

static void only_who_was_named_is_asked(void **state)
{
    (void)state;
    bool stop = false;
    const seerdb_interrupt by = {say, &stop};
    seerdb_err err = {0};
    assert_int_equal(sdb_interrupt_ask(NULL, &err), 0);
    assert_int_equal(sdb_interrupt_ask(&by, &err), 0);
    assert_int_equal(sdb_interrupted(&err), 0);
    stop = true;
    assert_int_equal(sdb_interrupted(&err), 0); /* not this thread's */
    test_fails(sdb_interrupt_ask(&by, &err), SEERDB_INTERRUPTED, &err);
}

static void *in_another_thread(void *arg)
{
    *(bool *)arg = sdb_interruptible() || sdb_interrupted(NULL) != 0;
    return NULL;
}

static void a_thread_has_its_own_until_it_names_another(void **state)
{
    (void)state;
    bool yes = true, no = false;
    const seerdb_interrupt outer = {say, &yes}, inner = {say, &no};
    seerdb_err err = {0};
    pthread_t thread;
    bool asked = true;
    assert_null(seerdb_interrupt_by(&outer));
    assert_true(sdb_interruptible());
    test_fails(sdb_interrupted(&err), SEERDB_INTERRUPTED, &err);
    assert_int_equal(pthread_create(&thread, NULL, in_another_thread, &asked), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_false(asked);
    assert_ptr_equal(seerdb_interrupt_by(&inner), &outer);
    assert_int_equal(sdb_interrupted(&err), 0);
    assert_ptr_equal(seerdb_interrupt_by(NULL), &inner);
    assert_false(sdb_interruptible());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_who_was_named_is_asked),
        cmocka_unit_test(a_thread_has_its_own_until_it_names_another),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
