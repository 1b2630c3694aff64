/* SPDX-License-Identifier: Apache-2.0 */
#include "tree/version.h"

#include "base/mem.h"
#include "os/thread.h"
#include "test.h"

#include <stdlib.h>

/* Counts the runs that died and frees them. */
struct graveyard {
    _Atomic uint64_t dead; /* relaxed */
    uint64_t last_file;
};

static void bury(void *ctx, struct sdb_run *run)
{
    struct graveyard *g = ctx;
    atomic_fetch_add_explicit(&g->dead, 1, memory_order_relaxed);
    g->last_file = run->desc.file;
    sdb_run_free(run);
}

static uint64_t dead_in(struct graveyard *g)
{
    return atomic_load_explicit(&g->dead, memory_order_relaxed);
}

static int new_run(uint64_t file, struct graveyard *g, struct sdb_run **out,
                   seerdb_err *err)
{
    struct sdb_table_desc desc = {
        .file = file, .size = 100 * file, .records = 10 * file, .tombstones = file};
    sdb_buf_append(&desc.smallest, "a", 1);
    sdb_buf_append(&desc.largest, "zz", 2);
    int rc = sdb_buf_check(&desc.smallest, err);
    if (rc == 0)
        rc = sdb_buf_check(&desc.largest, err);
    if (rc == 0)
        rc = sdb_run_new(&desc, NULL, g == NULL ? NULL : bury, g, out, err);
    sdb_table_desc_fini(&desc); /* the run has a copy */
    return rc;
}

static void a_run_dies_with_its_last_version(void **state)
{
    (void)state;
    struct graveyard g = {0};
    seerdb_err err = {0};
    struct sdb_run *one = NULL, *two = NULL;
    struct sdb_version *first = NULL, *second = NULL, *third = NULL;
    test_ok(new_run(1, &g, &one, &err), &err);
    test_ok(new_run(2, &g, &two, &err), &err);
    test_ok(sdb_version_add(NULL, one, &first, &err), &err);
    test_ok(sdb_version_add(first, two, &second, &err), &err);
    test_ok(sdb_version_new(&two, 1, &third, &err), &err);
    sdb_run_unref(one);
    sdb_run_unref(two);
    assert_ptr_equal(second->runs[0], two); /* newest first */
    assert_ptr_equal(second->runs[1], one);
    sdb_version_unref(first);
    assert_int_equal(dead_in(&g), 0);
    assert_ptr_equal(sdb_version_ref(second), second);
    sdb_version_unref(second);
    assert_int_equal(dead_in(&g), 0);
    sdb_version_unref(second);
    assert_int_equal(dead_in(&g), 1);
    assert_int_equal(g.last_file, 1);
    sdb_version_unref(third);
    assert_int_equal(dead_in(&g), 2);
    sdb_version_unref(NULL);
    sdb_run_unref(NULL);
    sdb_run_free(NULL);
}

static void a_run_owns_a_copy_of_its_description(void **state)
{
    (void)state;
    seerdb_err err = {0};
    struct sdb_run *run = NULL;
    test_ok(new_run(7, NULL, &run, &err), &err);
    assert_int_equal(run->desc.file, 7);
    test_slice_equal(sdb_buf_slice(&run->desc.smallest), test_slice("a"));
    test_slice_equal(sdb_buf_slice(&run->desc.largest), test_slice("zz"));
    sdb_run_ref(run);
    sdb_run_unref(run);
    sdb_run_unref(run); /* nobody collects it: it is freed */
}

static void a_version_sums_its_runs(void **state)
{
    (void)state;
    seerdb_err err = {0};
    struct sdb_run *runs[3] = {NULL};
    struct sdb_version *v = NULL, *empty = NULL;
    for (uint64_t i = 0; i < 3; i++)
        test_ok(new_run(i + 1, NULL, &runs[i], &err), &err);
    test_ok(sdb_version_new(runs, 3, &v, &err), &err);
    test_ok(sdb_version_new(NULL, 0, &empty, &err), &err);
    assert_int_equal(v->nruns, 3);
    assert_int_equal(v->records, 60);
    assert_int_equal(v->tombstones, 6);
    assert_int_equal(v->bytes, 600);
    assert_int_equal(empty->nruns + empty->records + empty->bytes, 0);
    for (int i = 0; i < 3; i++)
        sdb_run_unref(runs[i]);
    sdb_version_unref(v);
    sdb_version_unref(empty);
}

static int build_versions(struct graveyard *g, seerdb_err *err)
{
    struct sdb_run *one = NULL, *two = NULL;
    struct sdb_version *first = NULL, *second = NULL;
    int rc = new_run(1, g, &one, err);
    if (rc == 0)
        rc = new_run(2, g, &two, err);
    if (rc == 0)
        rc = sdb_version_add(NULL, one, &first, err);
    if (rc == 0)
        rc = sdb_version_add(first, two, &second, err);
    sdb_version_unref(second);
    sdb_version_unref(first);
    sdb_run_unref(two);
    sdb_run_unref(one);
    return rc;
}

static void failed_allocations_leave_the_counts_right(void **state)
{
    (void)state;
    int rc = SEERDB_NOMEM;
    for (int64_t n = 0; rc != 0; n++) {
        struct graveyard g = {0};
        seerdb_err err = {0};
        sdb_mem_fail_after(n);
        rc = build_versions(&g, &err);
        sdb_mem_fail_after(-1);
        assert_true(rc == 0 || rc == SEERDB_NOMEM);
        assert_true((rc != 0) == (err.msg[0] != '\0'));
        if (rc == 0)
            assert_int_equal(dead_in(&g), 2);
    }
    assert_int_equal(
        sdb_version_new(NULL, SIZE_MAX / 4, &(struct sdb_version *){NULL}, NULL),
        SEERDB_NOMEM);
}

/* ---- threads -------------------------------------------------------------- */

#define THREADS 3
#define ROUNDS  3000

struct sharing {
    struct graveyard grave;
    struct sdb_version *v; /* one count for each thread */
};

static void *share(void *arg)
{
    struct sharing *s = arg;
    for (int i = 0; i < ROUNDS; i++) {
        struct sdb_version *mine = sdb_version_ref(s->v), *next = NULL;
        if (sdb_version_new(mine->runs, mine->nruns, &next, NULL) != 0)
            abort();
        sdb_version_unref(mine);
        sdb_version_unref(next);
    }
    sdb_version_unref(s->v);
    return NULL;
}

static void counts_hold_across_threads(void **state)
{
    (void)state;
    struct sharing s = {.v = NULL};
    struct sdb_thread threads[THREADS] = {{.started = false}};
    struct sdb_run *runs[2] = {NULL};
    seerdb_err err = {0};
    test_ok(new_run(1, &s.grave, &runs[0], &err), &err);
    test_ok(new_run(2, &s.grave, &runs[1], &err), &err);
    test_ok(sdb_version_new(runs, 2, &s.v, &err), &err);
    sdb_run_unref(runs[0]);
    sdb_run_unref(runs[1]);
    for (int i = 1; i < THREADS; i++)
        sdb_version_ref(s.v);
    for (int i = 0; i < THREADS; i++)
        test_ok(sdb_thread_start(&threads[i], "sharer", share, &s, &err), &err);
    for (int i = 0; i < THREADS; i++)
        sdb_thread_join(&threads[i]);
    assert_int_equal(dead_in(&s.grave), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_run_dies_with_its_last_version),
        cmocka_unit_test(a_run_owns_a_copy_of_its_description),
        cmocka_unit_test(a_version_sums_its_runs),
        cmocka_unit_test(failed_allocations_leave_the_counts_right),
        cmocka_unit_test(counts_hold_across_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
