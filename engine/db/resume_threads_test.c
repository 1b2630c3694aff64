/* SPDX-License-Identifier: Apache-2.0
 *
 * A store is resumed while others use it. */
#include "testing.h"

#include "db/state.h"
#include "os/thread.h"

struct asking {
    seerdb *db;
    _Atomic bool stop;
    _Atomic unsigned refused;
    _Atomic bool odd;
};

static void *ask_whether_it_may_be_written(void *arg)
{
    struct asking *a = arg;
    while (!atomic_load(&a->stop)) {
        seerdb_err err = {0};
        int rc = sdb_check_writable(a->db, &err);
        if (rc != 0 && rc != SEERDB_IOERR)
            atomic_store(&a->odd, true);
        atomic_fetch_add(&a->refused, rc != 0);
    }
    return NULL;
}

static void writers_meet_a_store_that_is_being_resumed(void **state)
{
    struct bed b;
    struct sdb_thread threads[2] = {{0}};
    const seerdb_err why = {SEERDB_IOERR, "a failure"};
    seerdb_err err = {0};
    (void)state;
    bed_new(&b);
    seerdb_tree_close(create_tree(b.db, 1));
    struct asking a = {.db = b.db};
    for (int i = 0; i < 2; i++)
        test_ok(sdb_thread_start(&threads[i], "writer", ask_whether_it_may_be_written,
                                 &a, &err),
                &err);
    for (int i = 0; i < 3000 || (atomic_load(&a.refused) < 100 && i < 300000); i++) {
        assert_int_equal(sdb_break(b.db, &why), SEERDB_IOERR);
        test_ok(seerdb_resume(b.db, &err), &err);
    }
    atomic_store(&a.stop, true);
    for (int i = 0; i < 2; i++)
        sdb_thread_join(&threads[i]);
    assert_false(atomic_load(&a.odd));
    assert_true(atomic_load(&a.refused) > 0);
    bed_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writers_meet_a_store_that_is_being_resumed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
