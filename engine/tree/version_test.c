/* SPDX-License-Identifier: Apache-2.0 */
#include "tree/version.h"

#include "base/mem.h"
#include "os/thread.h"
#include "test.h"

#include <stdlib.h>

/* Counts the members that died and frees them. */
struct graveyard {
    _Atomic uint64_t dead; /* relaxed */
    uint64_t last_file;
};

static void bury(void *ctx, struct sdb_member *member)
{
    struct graveyard *g = ctx;
    atomic_fetch_add_explicit(&g->dead, 1, memory_order_relaxed);
    g->last_file = member->desc.file;
    sdb_member_free(member);
}

static uint64_t dead_in(struct graveyard *g)
{
    return atomic_load_explicit(&g->dead, memory_order_relaxed);
}

struct place {
    uint64_t file, run;
    uint32_t level;
    const char *smallest, *largest;
    uint64_t max_number, commit;
};
struct ranged {
    struct place place;
    uint64_t ranges;
    bool open_end;
};

static int new_ranged(const struct ranged *r, struct graveyard *g,
                      struct sdb_member **out, seerdb_err *err)
{
    const struct place *p = &r->place;
    struct sdb_table_desc desc = {.file = p->file,
                                  .run = p->run,
                                  .level = p->level,
                                  .max_number = p->max_number,
                                  .commit = p->commit,
                                  .ranges = r->ranges,
                                  .open_end = r->open_end,
                                  .size = 100 * p->file,
                                  .records = 10 * p->file,
                                  .tombstones = p->file};
    sdb_buf_append(&desc.smallest, p->smallest, strlen(p->smallest));
    sdb_buf_append(&desc.largest, p->largest, strlen(p->largest));
    int rc = sdb_buf_check(&desc.smallest, err);
    if (rc == 0)
        rc = sdb_buf_check(&desc.largest, err);
    if (rc == 0)
        rc = sdb_member_new(&desc, NULL, g == NULL ? NULL : bury, g, out, err);
    sdb_table_desc_fini(&desc); /* the member has a copy */
    return rc;
}

static int new_member(const struct place *p, struct graveyard *g,
                      struct sdb_member **out, seerdb_err *err)
{
    return new_ranged(&(struct ranged){.place = *p}, g, out, err);
}

/* A run of its own at level 0. */
static int new_run(uint64_t file, struct graveyard *g, struct sdb_member **out,
                   seerdb_err *err)
{
    return new_member(&(struct place){file, file, 0, "a", "zz", 0, 0}, g, out, err);
}

static int add(const struct sdb_version *base, struct sdb_member *const *members,
               size_t n, struct sdb_version **out, seerdb_err *err)
{
    return sdb_version_new(
        base, &(struct sdb_version_change){.added = members, .nadded = n}, out, err);
}

static int take(const struct sdb_version *base, struct sdb_member *const *members,
                size_t n, struct sdb_version **out, seerdb_err *err)
{
    return sdb_version_new(
        base, &(struct sdb_version_change){.removed = members, .nremoved = n}, out,
        err);
}

static void a_table_dies_with_its_last_version(void **state)
{
    (void)state;
    struct graveyard g = {0};
    seerdb_err err = {0};
    struct sdb_member *one = NULL, *two = NULL;
    struct sdb_version *first = NULL, *second = NULL, *third = NULL;
    test_ok(new_run(1, &g, &one, &err), &err);
    test_ok(new_run(2, &g, &two, &err), &err);
    test_ok(add(NULL, &one, 1, &first, &err), &err);
    test_ok(add(first, &two, 1, &second, &err), &err);
    test_ok(take(second, &one, 1, &third, &err), &err);
    sdb_member_unref(one);
    sdb_member_unref(two);
    assert_ptr_equal(second->members[0], two); /* newest first */
    assert_ptr_equal(second->members[1], one);
    assert_int_equal(third->nmembers, 1);
    assert_ptr_equal(third->members[0], two);
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
    sdb_member_unref(NULL);
    sdb_member_free(NULL);
}

static void a_member_owns_a_copy_of_its_description(void **state)
{
    (void)state;
    seerdb_err err = {0};
    struct sdb_member *m = NULL;
    test_ok(new_run(7, NULL, &m, &err), &err);
    assert_int_equal(m->desc.file, 7);
    test_slice_equal(sdb_buf_slice(&m->desc.smallest), test_slice("a"));
    test_slice_equal(sdb_buf_slice(&m->desc.largest), test_slice("zz"));
    sdb_member_ref(m);
    sdb_member_unref(m);
    sdb_member_unref(m); /* nobody collects it: it is freed */
}

/* Two runs at level 0, two at level 1, one at level 3; in the order that they have. */
static const struct place places[] = {
    {9, 12, 0, "a", "z", 0, 0}, {8, 11, 0, "a", "z", 0, 0},  {3, 7, 1, "a", "c", 0, 0},
    {2, 7, 1, "e", "g", 0, 0},  {6, 5, 1, "b", "f", 0, 0},   {1, 20, 3, "a", "a", 0, 0},
    {4, 20, 3, "b", "d", 0, 0}, {5, 20, 3, "dd", "x", 0, 0},
};
#define NPLACES (sizeof places / sizeof places[0])

/* A version of `places`, added in another order. */
static void new_levels(struct sdb_version **out)
{
    seerdb_err err = {0};
    struct sdb_member *members[NPLACES] = {NULL};
    for (size_t i = 0; i < NPLACES; i++)
        test_ok(new_member(&places[(i * 5 + 3) % NPLACES], NULL, &members[i], &err),
                &err);
    test_ok(add(NULL, members, NPLACES, out, &err), &err);
    for (size_t i = 0; i < NPLACES; i++)
        sdb_member_unref(members[i]);
}

static void runs_are_ordered_by_level_then_newest_first(void **state)
{
    (void)state;
    static const struct {
        uint32_t level, first, n;
        uint64_t id, bytes;
    } runs[] = {
        {0, 0, 1, 12, 900}, {0, 1, 1, 11, 800},  {1, 2, 2, 7, 500},
        {1, 4, 1, 5, 600},  {3, 5, 3, 20, 1000},
    };
    struct sdb_version *v = NULL;
    new_levels(&v);
    assert_int_equal(v->nmembers, NPLACES);
    for (size_t i = 0; i < NPLACES; i++)
        assert_int_equal(v->members[i]->desc.file, places[i].file);
    assert_int_equal(v->nruns, sizeof runs / sizeof runs[0]);
    for (size_t i = 0; i < v->nruns; i++) {
        assert_int_equal(v->runs[i].level, runs[i].level);
        assert_int_equal(v->runs[i].id, runs[i].id);
        assert_int_equal(v->runs[i].first, runs[i].first);
        assert_int_equal(v->runs[i].n, runs[i].n);
        assert_int_equal(v->runs[i].bytes, runs[i].bytes);
        assert_int_equal(v->runs[i].records, runs[i].bytes / 10);
        assert_int_equal(v->runs[i].tombstones, runs[i].bytes / 100);
    }
    assert_int_equal(v->bytes, 3800);
    assert_int_equal(v->records, 380);
    assert_int_equal(v->tombstones, 38);
    assert_int_equal(sdb_version_next_run(v), 21);
    sdb_version_unref(v);
}

static void level_0_is_ordered_by_commits(void **state)
{
    (void)state;
    /* Two spilled runs of commit 50, one of two tables, between two flushes. */
    static const struct place runs[] = {
        {3, 1, 0, "a", "z", 60, 0}, {5, 9, 0, "a", "c", 7, 50},
        {6, 9, 0, "d", "e", 8, 50}, {4, 8, 0, "a", "z", 9, 50},
        {9, 9, 0, "a", "z", 49, 0},
    };
    seerdb_err err = {0};
    struct sdb_member *members[5] = {NULL};
    struct sdb_version *v = NULL;
    for (size_t i = 0; i < 5; i++)
        test_ok(new_member(&runs[(i * 2 + 1) % 5], NULL, &members[i], &err), &err);
    test_ok(add(NULL, members, 5, &v, &err), &err);
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(v->members[i]->desc.file, runs[i].file);
        sdb_member_unref(members[i]);
    }
    assert_int_equal(v->nruns, 4);
    assert_int_equal(v->runs[1].n, 2);
    sdb_version_unref(v);
}

static void a_key_is_in_at_most_one_table_of_a_run(void **state)
{
    (void)state;
    static const struct {
        const char *key;
        uint32_t place; /* of the first table that ends at or after it */
        uint64_t file;  /* that may hold it; 0: none */
    } cases[] = {
        {"", 5, 0},   {"a", 5, 1},  {"aa", 6, 0}, {"b", 6, 4}, {"d", 6, 4},
        {"da", 7, 0}, {"dd", 7, 5}, {"e", 7, 5},  {"x", 7, 5}, {"xx", 8, 0},
    };
    struct sdb_version *v = NULL;
    new_levels(&v);
    const struct sdb_run *run = &v->runs[4];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct sdb_member *m = sdb_run_find(v, run, test_slice(cases[i].key));
        assert_int_equal(sdb_run_seek(v, run, test_slice(cases[i].key)),
                         cases[i].place);
        assert_int_equal(m == NULL ? 0 : m->desc.file, cases[i].file);
    }
    sdb_version_unref(v);
}

static void tables_of_a_run_touch_only_where_an_end_is_open(void **state)
{
    (void)state;
    static const struct {
        struct ranged left, right;
        int rc;
    } cases[] = {
        {{{1, 1, 1, "a", "c", 0, 0}, 0, false},
         {{2, 1, 1, "c", "e", 0, 0}, 0, false},
         SEERDB_CORRUPT},
        {{{1, 1, 1, "a", "c", 0, 0}, 2, false},
         {{2, 1, 1, "c", "e", 0, 0}, 0, false},
         SEERDB_CORRUPT},
        {{{1, 1, 1, "a", "c", 0, 0}, 2, true},
         {{2, 1, 1, "c", "e", 0, 0}, 3, false},
         0},
        {{{1, 1, 1, "a", "ca", 0, 0}, 2, true},
         {{2, 1, 1, "c", "e", 0, 0}, 3, false},
         SEERDB_CORRUPT},
        {{{1, 1, 1, "a", "c", 0, 0}, 2, true}, {{2, 1, 1, "d", "e", 0, 0}, 3, true}, 0},
    };
    static const struct {
        const char *key;
        uint32_t place;
        uint64_t file;
    } keys[] = {{"", 0, 0},  {"a", 0, 1}, {"bz", 0, 1},
                {"c", 1, 2}, {"e", 1, 2}, {"f", 2, 0}};
    seerdb_err err = {0};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct sdb_member *m[2] = {NULL};
        struct sdb_version *v = NULL;
        test_ok(new_ranged(&cases[i].left, NULL, &m[0], &err), &err);
        test_ok(new_ranged(&cases[i].right, NULL, &m[1], &err), &err);
        test_fails(add(NULL, m, 2, &v, &err), cases[i].rc, &err);
        for (size_t k = 0; i == 2 && k < sizeof keys / sizeof keys[0]; k++) {
            seerdb_slice key = test_slice(keys[k].key);
            const struct sdb_member *hit = sdb_run_find(v, &v->runs[0], key);
            assert_int_equal(sdb_run_seek(v, &v->runs[0], key), keys[k].place);
            assert_int_equal(hit == NULL ? 0 : hit->desc.file, keys[k].file);
        }
        if (v != NULL) {
            assert_int_equal(v->ranges, cases[i].left.ranges + cases[i].right.ranges);
            assert_int_equal(v->runs[0].ranges, v->ranges);
        }
        sdb_version_unref(v);
        sdb_member_unref(m[0]);
        sdb_member_unref(m[1]);
    }
}

static void a_moved_table_dies_with_its_last_reader_wherever_that_is(void **state)
{
    (void)state;
    for (int reader_last = 0; reader_last < 2; reader_last++) {
        struct graveyard g = {0};
        seerdb_err err = {0};
        struct sdb_member *one = NULL, *moved = NULL, *again = NULL;
        test_ok(new_member(&(struct place){1, 1, 0, "a", "b", 9, 0}, NULL, &one, &err),
                &err);
        test_ok(sdb_member_move(one, 5, 7, &moved, &err), &err);
        test_ok(sdb_member_move(moved, 6, 8, &again, &err), &err);
        assert_int_equal(again->desc.level, 6);
        assert_int_equal(again->desc.run, 8);
        assert_int_equal(one->desc.level, 0);
        assert_ptr_equal(sdb_member_origin(again), one);
        sdb_member_unref(moved);
        sdb_member_origin(again)->dead = bury; /* it is removed */
        sdb_member_origin(again)->ctx = &g;
        sdb_member_unref(reader_last ? again : one);
        assert_int_equal(dead_in(&g), 0);
        sdb_member_unref(reader_last ? one : again);
        assert_int_equal(dead_in(&g), 1);
    }
}

static void tables_of_one_run_may_not_overlap(void **state)
{
    (void)state;
    static const struct place overlap[] = {{1, 4, 2, "a", "f", 0, 0},
                                           {2, 4, 2, "f", "g", 0, 0}};
    struct graveyard g = {0};
    seerdb_err err = {0};
    struct sdb_member *members[2] = {NULL};
    struct sdb_version *v = NULL;
    for (size_t i = 0; i < 2; i++)
        test_ok(new_member(&overlap[i], &g, &members[i], &err), &err);
    assert_int_equal(add(NULL, members, 2, &v, &err), SEERDB_CORRUPT);
    assert_non_null(strstr(err.msg, "tables 1 and 2 of run 4 at level 2 overlap"));
    assert_null(v);
    for (size_t i = 0; i < 2; i++)
        sdb_member_unref(members[i]);
    assert_int_equal(dead_in(&g), 2);
}

static void an_empty_version_has_nothing(void **state)
{
    (void)state;
    seerdb_err err = {0};
    struct sdb_version *v = NULL;
    test_ok(add(NULL, NULL, 0, &v, &err), &err);
    assert_int_equal(v->nruns + v->nmembers + v->records + v->bytes, 0);
    assert_int_equal(sdb_version_next_run(v), 1);
    sdb_version_unref(v);
}

static int build_versions(struct graveyard *g, seerdb_err *err)
{
    struct sdb_member *one = NULL, *two = NULL;
    struct sdb_version *first = NULL, *second = NULL;
    int rc = new_run(1, g, &one, err);
    if (rc == 0)
        rc = new_run(2, g, &two, err);
    if (rc == 0)
        rc = add(NULL, &one, 1, &first, err);
    if (rc == 0)
        rc = add(first, &two, 1, &second, err);
    sdb_version_unref(second);
    sdb_version_unref(first);
    sdb_member_unref(two);
    sdb_member_unref(one);
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
    assert_int_equal(add(NULL, NULL, SIZE_MAX / 4, &(struct sdb_version *){NULL}, NULL),
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
        if (add(mine, NULL, 0, &next, NULL) != 0)
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
    struct sdb_member *members[2] = {NULL};
    seerdb_err err = {0};
    test_ok(new_run(1, &s.grave, &members[0], &err), &err);
    test_ok(new_run(2, &s.grave, &members[1], &err), &err);
    test_ok(add(NULL, members, 2, &s.v, &err), &err);
    sdb_member_unref(members[0]);
    sdb_member_unref(members[1]);
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
        cmocka_unit_test(a_table_dies_with_its_last_version),
        cmocka_unit_test(a_member_owns_a_copy_of_its_description),
        cmocka_unit_test(runs_are_ordered_by_level_then_newest_first),
        cmocka_unit_test(level_0_is_ordered_by_commits),
        cmocka_unit_test(a_key_is_in_at_most_one_table_of_a_run),
        cmocka_unit_test(tables_of_a_run_touch_only_where_an_end_is_open),
        cmocka_unit_test(a_moved_table_dies_with_its_last_reader_wherever_that_is),
        cmocka_unit_test(tables_of_one_run_may_not_overlap),
        cmocka_unit_test(an_empty_version_has_nothing),
        cmocka_unit_test(failed_allocations_leave_the_counts_right),
        cmocka_unit_test(counts_hold_across_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
