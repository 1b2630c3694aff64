/* SPDX-License-Identifier: Apache-2.0 */
#include "table/merge_iter.h"

#include "table/testing.h"

#define MAX_RECORDS 60
#define MAX_SOURCES 7

/* Random records over a few keys; the value names the source. */
static void fill(struct list *l, struct sdb_rand *r, unsigned source, uint64_t numbers)
{
    static const char *const keys[] = {
        "",           "a", "aa", "aaaaaaaa",  "aaaaaaaaa", "aaaaaaaab",
        "aaaaaaaabc", "b", "b~", "bcdefghi1", "bcdefghi2", "\xff",
        "\xff\xff",   "c", "d",  "e"};
    static const char *const names[MAX_SOURCES] = {"0", "1", "2", "3", "4", "5", "6"};
    unsigned want = (unsigned)sdb_rand_below(r, MAX_RECORDS + 1);
    l->n = 0;
    for (unsigned i = 0; i < want; i++)
        list_add(l, test_slice(keys[sdb_rand_below(r, sizeof keys / sizeof *keys)]),
                 sdb_rand_below(r, numbers), SDB_KIND_VALUE, test_slice(names[source]));
    list_sort(l);
}

/* What the merge must look like: all records, of doubles the first source's. */
static void unite(struct list *all, const struct list *sources, unsigned n)
{
    all->n = 0;
    for (unsigned s = 0; s < n; s++)
        for (unsigned i = 0; i < sources[s].n; i++) {
            bool known = false;
            for (unsigned j = 0; j < all->n && !known; j++)
                known = compare_records(&all->r[j], &sources[s].r[i]) == 0;
            const struct sdb_record *r = &sources[s].r[i];
            if (!known)
                list_add(all, r->key, r->number, r->kind, r->value);
        }
    list_sort(all);
}

static void walk(uint64_t seed)
{
    struct sdb_rand r = {seed};
    struct list sources[MAX_SOURCES] = {{0}}, all = {0};
    struct sdb_iter *its[MAX_SOURCES], *merged = NULL;
    seerdb_err err = {0};
    unsigned n = (unsigned)sdb_rand_below(&r, MAX_SOURCES + 1);
    uint64_t numbers = 3 + sdb_rand_below(&r, 40);
    uint64_t ceiling =
        sdb_rand_below(&r, 2) == 0 ? UINT64_MAX : sdb_rand_below(&r, numbers);
    for (unsigned i = 0; i < n; i++) {
        fill(&sources[i], &r, i, numbers);
        its[i] = list_iter(&sources[i], ceiling, NULL);
    }
    unite(&all, sources, n);
    struct sdb_iter *model = list_iter(&all, ceiling, NULL);
    test_ok(sdb_merge_iter(its, n, &merged, &err), &err);
    bool positioned = false;
    for (int i = 0; i < 300; i++)
        positioned = move_both(model, merged, &all, &r, positioned);
    sdb_iter_close(model);
    sdb_iter_close(merged);
    list_fini(&all);
    for (unsigned i = 0; i < n; i++)
        list_fini(&sources[i]);
}

static uint64_t walking;

static void show_seed(void)
{
    if (walking != 0)
        fprintf(stderr, "seed of the last walk: %" PRIu64 "\n", walking);
}

static void random_walks_over_a_merge_match_the_sorted_whole(void **state)
{
    const char *seed = getenv("SEED");
    (void)state;
    if (seed != NULL) {
        walk(strtoull(seed, NULL, 10));
        return;
    }
    for (uint64_t s = 1; s <= 1500; s++) {
        walking = s;
        walk(s);
    }
    walking = 0;
}

/* Sources that are tables: keys of a source come in runs, values say whose they are,
 * and some keys are in several sources. */
static void fill_runs(struct list *l, struct sdb_rand *r, unsigned source,
                      char (*keys)[24], unsigned nkeys)
{
    static const char *const names[MAX_SOURCES] = {"0", "1", "2", "3", "4", "5", "6"};
    unsigned i = (unsigned)sdb_rand_below(r, 40);
    while (i < nkeys) {
        unsigned run = 1 + (unsigned)sdb_rand_below(r, sdb_rand_below(r, 2) ? 3 : 120);
        for (unsigned end = i + run; i < end && i < nkeys; i++) {
            enum sdb_kind kind =
                sdb_rand_below(r, 9) == 0 ? SDB_KIND_TOMBSTONE : SDB_KIND_VALUE;
            uint64_t versions = 1 + (sdb_rand_below(r, 30) == 0) * sdb_rand_below(r, 4);
            for (uint64_t v = 0; v < versions; v++)
                list_add(l, test_slice(keys[i]), 1 + sdb_rand_below(r, 50), kind,
                         test_slice(kind == SDB_KIND_VALUE ? names[source] : ""));
        }
        i += (unsigned)sdb_rand_below(r, sdb_rand_below(r, 2) ? 3 : 200);
    }
    if (l->n == 0)
        list_add(l, test_slice(keys[0]), 1, SDB_KIND_VALUE, test_slice(names[source]));
    list_sort(l);
}

static void walk_tables(uint64_t seed)
{
    static char keys[1000][24];
    struct sdb_rand r = {seed};
    struct list sources[4] = {{0}}, all = {0};
    struct made made[4];
    struct sdb_table *tables[4];
    struct sdb_iter *its[4], *merged = NULL;
    seerdb_err err = {0};
    unsigned n = 2 + (unsigned)sdb_rand_below(&r, 3);
    /* Most prefixes are longer than a code, so that codes tie without their help. */
    const char *prefix = sdb_rand_below(&r, 3) == 0 ? "" : "a common prefix/";
    uint64_t ceiling = sdb_rand_below(&r, 2) == 0 ? UINT64_MAX : sdb_rand_below(&r, 50);
    for (unsigned i = 0; i < 1000; i++)
        snprintf(keys[i], sizeof keys[i], "%s%03u%s", prefix, i,
                 i % 7 == 0 ? "xxx" : "");
    for (unsigned i = 0; i < n; i++) {
        fill_runs(&sources[i], &r, i, keys, 1000);
        struct sdb_table_writer_options o = options_for(&sources[i]);
        o.block_size = 200 + (uint32_t)sdb_rand_below(&r, 3000);
        made[i] = make_table(&o, &sources[i]);
        test_ok(open_made(&made[i], &tables[i], &err), &err);
        test_ok(sdb_table_iter(tables[i], ceiling, &its[i], &err), &err);
        sdb_table_unref(tables[i]);
    }
    unite(&all, sources, n);
    struct sdb_iter *model = list_iter(&all, ceiling, NULL);
    test_ok(sdb_merge_iter(its, n, &merged, &err), &err);
    bool positioned = false;
    for (int i = 0; i < 400; i++)
        positioned = move_both(model, merged, &all, &r, positioned);
    /* Straight through, so that runs are handed on. */
    int rc = model->ops->first(model, &err);
    assert_int_equal(rc, merged->ops->first(merged, &err));
    while (rc == 0) {
        expect_same(model, merged);
        take_both(model, merged, SDB_STEP_FORWARD, &r);
        rc = model->ops->next(model, &err);
        assert_int_equal(rc, merged->ops->next(merged, &err));
    }
    sdb_iter_close(model);
    sdb_iter_close(merged);
    list_fini(&all);
    for (unsigned i = 0; i < n; i++) {
        list_fini(&sources[i]);
        sdb_memfs_free(made[i].fs);
    }
}

static void random_walks_over_merged_tables_match_the_sorted_whole(void **state)
{
    const char *seed = getenv("SEED");
    (void)state;
    if (seed != NULL) {
        walk_tables(strtoull(seed, NULL, 10));
        return;
    }
    for (uint64_t s = 1; s <= 150; s++) {
        walking = s;
        walk_tables(s);
    }
    walking = 0;
}

static void a_merge_hands_on_what_no_other_source_reaches_into(void **state)
{
    static char keys[400][24];
    struct list low = {0}, high = {0};
    struct made made[2];
    struct sdb_table *tables[2];
    struct sdb_iter *its[2], *it = NULL;
    seerdb_err err = {0};
    unsigned calls = 0, seen = 1;
    (void)state;
    for (unsigned i = 0; i < 400; i++) {
        snprintf(keys[i], sizeof keys[i], "the same prefix %03u", i);
        list_add(i < 200 ? &low : &high, test_slice(keys[i]), 1, SDB_KIND_VALUE,
                 test_slice("v"));
    }
    for (unsigned i = 0; i < 2; i++) {
        struct sdb_table_writer_options o = options_for(i == 0 ? &low : &high);
        made[i] = make_table(&o, i == 0 ? &low : &high);
        test_ok(open_made(&made[i], &tables[i], &err), &err);
        test_ok(sdb_table_iter(tables[i], 1, &its[i], &err), &err);
        sdb_table_unref(tables[i]);
    }
    test_ok(sdb_merge_iter(its, 2, &it, &err), &err);
    test_ok(it->ops->first(it, &err), &err);
    do {
        for (; it->plain > 0; seen++)
            sdb_iter_take(it, SDB_STEP_FORWARD);
        calls++;
    } while (it->ops->next(it, &err) == 0 && ++seen);
    assert_int_equal(seen, 400);
    assert_in_range(calls, 7, 20); /* about one a block */
    sdb_iter_close(it);
    for (unsigned i = 0; i < 2; i++)
        sdb_memfs_free(made[i].fs);
    list_fini(&low);
    list_fini(&high);
}

static void a_merge_at_rest_is_aimed_again(void **state)
{
    struct sdb_record r[] = {{{"k", 1}, 9, SDB_KIND_VALUE, {"9", 1}},
                             {{"l", 1}, 5, SDB_KIND_VALUE, {"5", 1}}};
    const struct list a = {1, 1, r}, b = {1, 1, r + 1};
    struct sdb_iter *it = NULL;
    seerdb_err err = {0};
    (void)state;
    for (size_t n = 0; n <= 2; n++) {
        struct sdb_iter *its[] = {list_iter(&a, 10, NULL), list_iter(&b, 10, NULL)};
        size_t seen = 0;
        test_ok(sdb_merge_iter_aim(&it, its, n, &err), &err);
        for (int rc = it->ops->first(it, &err); rc == 0; rc = it->ops->next(it, &err))
            seen++;
        assert_int_equal(seen, n);
        it->ops->rest(it);
        sdb_iter_close(its[0]); /* they stayed ours */
        sdb_iter_close(its[1]);
    }
    uint64_t before = sdb_mem_allocations();
    test_ok(sdb_merge_iter_aim(&it, NULL, 0, &err), &err);
    assert_int_equal(sdb_mem_allocations(), before);
    sdb_iter_close(it);
}

static void a_merge_of_nothing_is_empty(void **state)
{
    struct sdb_iter *it = NULL;
    seerdb_err err = {0};
    (void)state;
    test_ok(sdb_merge_iter(NULL, 0, &it, &err), &err);
    assert_int_equal(it->ops->first(it, &err), SEERDB_NOTFOUND);
    assert_int_equal(it->ops->last(it, &err), SEERDB_NOTFOUND);
    assert_int_equal(it->ops->seek(it, test_slice("a"), &err), SEERDB_NOTFOUND);
    assert_int_equal(it->ops->seek_for_prev(it, test_slice("a"), &err),
                     SEERDB_NOTFOUND);
    sdb_iter_close(it);
}

static void a_merge_of_one_is_that_one(void **state)
{
    static const struct list none;
    struct sdb_iter *one = list_iter(&none, 0, NULL), *it = NULL;
    seerdb_err err = {0};
    (void)state;
    test_ok(sdb_merge_iter(&one, 1, &it, &err), &err);
    assert_ptr_equal(it, one);
    sdb_iter_close(it);
}

static void of_two_versions_with_one_number_the_earlier_source_wins(void **state)
{
    struct sdb_record ra[] = {{{"k", 1}, 9, SDB_KIND_VALUE, {"a9", 2}},
                              {{"k", 1}, 5, SDB_KIND_VALUE, {"a5", 2}}};
    struct sdb_record rb[] = {{{"k", 1}, 9, SDB_KIND_VALUE, {"b9", 2}},
                              {{"k", 1}, 7, SDB_KIND_VALUE, {"b7", 2}},
                              {{"k", 1}, 5, SDB_KIND_VALUE, {"b5", 2}}};
    const struct list a = {2, 2, ra}, b = {3, 3, rb};
    struct sdb_iter *its[] = {list_iter(&a, 10, NULL), list_iter(&b, 10, NULL)},
                    *it = NULL;
    seerdb_err err = {0};
    (void)state;
    test_ok(sdb_merge_iter(its, 2, &it, &err), &err);
    test_ok(it->ops->first(it, &err), &err);
    test_slice_equal(it->at.value, test_slice("a9"));
    test_ok(it->ops->older(it, &err), &err);
    test_slice_equal(it->at.value, test_slice("b7"));
    test_ok(it->ops->older(it, &err), &err);
    test_slice_equal(it->at.value, test_slice("a5"));
    for (int i = 0; i < 2; i++) {
        assert_int_equal(it->ops->older(it, &err), SEERDB_NOTFOUND);
        test_slice_equal(it->at.value, test_slice("a5"));
    }
    assert_int_equal(it->ops->next(it, &err), SEERDB_NOTFOUND);
    sdb_iter_close(it);
}

static void a_failing_source_fails_the_merge(void **state)
{
    struct list sources[3] = {{0}};
    struct sdb_rand r = {5};
    unsigned failures = 0;
    (void)state;
    for (unsigned i = 0; i < 3; i++)
        fill(&sources[i], &r, i, 10);
    for (int n = 0; n < 120; n++) {
        int left = n, rc;
        struct sdb_iter *its[3], *it = NULL;
        seerdb_err err = {0};
        for (unsigned i = 0; i < 3; i++)
            its[i] = list_iter(&sources[i], 10, &left);
        test_ok(sdb_merge_iter(its, 3, &it, &err), &err);
        rc = it->ops->first(it, &err);
        for (int i = 0; rc == 0 && i < 200; i++) {
            rc = i % 3 == 0   ? it->ops->older(it, &err)
                 : i % 3 == 1 ? 0
                              : it->ops->next(it, &err);
            if (rc == SEERDB_NOTFOUND && i % 3 == 0)
                rc = 0;
        }
        if (rc < 0) {
            failures++;
            test_fails(rc, SEERDB_IOERR, &err);
        }
        sdb_iter_close(it);
    }
    for (unsigned i = 0; i < 3; i++)
        list_fini(&sources[i]);
    assert_true(failures > 40);
}

static void sources_are_closed_when_there_is_no_memory(void **state)
{
    static const struct list none;
    (void)state;
    for (int64_t n = 0; n < 3; n++) {
        struct sdb_iter *its[] = {list_iter(&none, 0, NULL), list_iter(&none, 0, NULL)};
        struct sdb_iter *it = NULL;
        seerdb_err err = {0};
        sdb_mem_fail_after(n);
        int rc = sdb_merge_iter(its, 2, &it, &err);
        sdb_mem_fail_after(-1);
        test_fails(rc, SEERDB_NOMEM, &err);
        assert_null(it);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_walks_over_a_merge_match_the_sorted_whole),
        cmocka_unit_test(random_walks_over_merged_tables_match_the_sorted_whole),
        cmocka_unit_test(a_merge_hands_on_what_no_other_source_reaches_into),
        cmocka_unit_test(a_merge_at_rest_is_aimed_again),
        cmocka_unit_test(a_merge_of_nothing_is_empty),
        cmocka_unit_test(a_merge_of_one_is_that_one),
        cmocka_unit_test(of_two_versions_with_one_number_the_earlier_source_wins),
        cmocka_unit_test(a_failing_source_fails_the_merge),
        cmocka_unit_test(sources_are_closed_when_there_is_no_memory),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    show_seed();
    return failed;
}
