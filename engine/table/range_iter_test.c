/* SPDX-License-Identifier: Apache-2.0 */
#include "table/range_iter.h"

#include "table/merge_iter.h"
#include "table/testing.h"

#define MOST 30

static struct sdb_range range(const char *start, const char *end, uint64_t number)
{
    return (struct sdb_range){test_slice(start), test_slice(end), number};
}

static const char *const words[] = {"",          "a",         "aa",         "aaaaaaaa",
                                    "aaaaaaaaa", "aaaaaaaab", "aaaaaaaabc", "b",
                                    "b~",        "bcdefghi1", "bcdefghi2",  "\xff",
                                    "\xff\xff",  "c",         "d",          "e"};
#define NWORDS (sizeof words / sizeof words[0])

/* A set of random ranges, as one that can see numbers up to the ceiling sees it, and
 * the ranges in `all`. */
static struct sdb_ranges *random_set(struct sdb_rand *r, uint64_t numbers,
                                     uint64_t ceiling, const char *(*word)(uint64_t),
                                     uint64_t nwords, struct sdb_range *all, size_t *n)
{
    struct sdb_ranges *whole = NULL, *flat = NULL;
    seerdb_err err = {0};
    *n = (size_t)sdb_rand_below(r, sdb_rand_below(r, 2) ? 4 : MOST);
    for (size_t i = 0; i < *n; i++)
        all[i] = range(word(sdb_rand_below(r, nwords)), word(sdb_rand_below(r, nwords)),
                       sdb_rand_below(r, numbers));
    test_ok(sdb_ranges_new(all, *n, &whole, &err), &err);
    struct sdb_ranges_source s = {.ranges = whole, .ceiling = ceiling};
    test_ok(sdb_ranges_flatten(&s, 1, &flat, &err), &err);
    sdb_ranges_unref(whole);
    if (flat == NULL)
        test_ok(sdb_ranges_new(NULL, 0, &flat, &err), &err);
    return flat;
}

/* What is left of the list for a reader at the ceiling. */
static void leave(const struct list *l, const struct sdb_range *all, size_t n,
                  uint64_t ceiling, struct list *left)
{
    left->n = 0;
    for (unsigned i = 0; i < l->n; i++) {
        const struct sdb_record *r = &l->r[i];
        bool deleted = false;
        for (size_t k = 0; k < n; k++)
            deleted =
                deleted || (all[k].number <= ceiling && all[k].number > r->number &&
                            sdb_range_has(&all[k], r->key));
        if (!deleted)
            list_add(left, r->key, r->number, r->kind, r->value);
    }
}

static uint64_t newest_of(const struct list *l)
{
    uint64_t newest = 0;
    for (unsigned i = 0; i < l->n; i++)
        newest = l->r[i].number > newest ? l->r[i].number : newest;
    return newest;
}

static const char *word(uint64_t i)
{
    return words[i];
}

/* The same walk over the iterator under test and over what must be left. */
static void walk_both(struct sdb_iter *model, struct sdb_iter *it,
                      const struct list *all, struct sdb_rand *r)
{
    seerdb_err err = {0};
    bool positioned = false;
    for (int i = 0; i < 300; i++)
        positioned = move_both(model, it, all, r, positioned);
    /* Straight through, so that plain records are handed on. */
    int rc = model->ops->last(model, &err);
    assert_int_equal(rc, it->ops->last(it, &err));
    while (rc == 0) {
        expect_same(model, it);
        take_both(model, it, SDB_STEP_BACKWARD, r);
        rc = model->ops->prev(model, &err);
        assert_int_equal(rc, it->ops->prev(it, &err));
    }
}

static void walk(uint64_t seed)
{
    struct sdb_rand r = {seed};
    struct list l = {0}, left = {0};
    struct sdb_range all[MOST];
    struct sdb_iter *it = NULL;
    seerdb_err err = {0};
    size_t n;
    uint64_t numbers = 3 + sdb_rand_below(&r, 30);
    uint64_t ceiling =
        sdb_rand_below(&r, 2) == 0 ? UINT64_MAX : sdb_rand_below(&r, numbers);
    for (uint64_t i = sdb_rand_below(&r, 60); i > 0; i--)
        list_add(&l, test_slice(words[sdb_rand_below(&r, NWORDS)]),
                 sdb_rand_below(&r, numbers), SDB_KIND_VALUE, test_slice("v"));
    list_sort(&l);
    struct sdb_ranges *set =
        random_set(&r, numbers + 5, ceiling, word, NWORDS, all, &n);
    leave(&l, all, n, ceiling, &left);
    uint64_t newest = sdb_rand_below(&r, 3) == 0 ? UINT64_MAX : newest_of(&l);
    struct sdb_iter *model = list_iter(&left, ceiling, NULL);
    test_ok(sdb_range_iter(list_iter(&l, ceiling, NULL), set, newest, &it, &err), &err);
    sdb_ranges_unref(set); /* the iterator has a count */
    walk_both(model, it, &l, &r);
    sdb_iter_close(model);
    sdb_iter_close(it);
    list_fini(&l);
    list_fini(&left);
}

static void random_walks_show_what_the_ranges_leave(void **state)
{
    const char *seed = getenv("SEED");
    (void)state;
    if (seed != NULL) {
        walk(strtoull(seed, NULL, 10));
        return;
    }
    for (uint64_t s = 1; s <= 3000; s++)
        walk(s);
}

#define NKEYS 1000
static char keys[NKEYS][8];

static const char *key(uint64_t i)
{
    return keys[i];
}

/* A table over many keys, so that blocks are plain. */
static void fill(struct list *l, struct sdb_rand *r, uint64_t numbers)
{
    for (unsigned i = 0; i < NKEYS; i++) {
        uint64_t versions = 1 + (sdb_rand_below(r, 30) == 0) * sdb_rand_below(r, 4);
        for (uint64_t v = 0; v < versions && sdb_rand_below(r, 10) > 0; v++)
            list_add(l, test_slice(keys[i]), sdb_rand_below(r, numbers), SDB_KIND_VALUE,
                     test_slice("v"));
    }
    list_sort(l);
}

/* Two tables, each less what the ranges delete, merged; the iterator is used again. */
static void walk_tables(uint64_t seed, struct sdb_iter **reused)
{
    struct sdb_rand r = {seed};
    struct list l[2] = {{0}}, left = {0}, both = {0};
    struct made made[2];
    struct sdb_iter *tables[2], *wrapped[2], *merged = NULL;
    struct sdb_range all[MOST];
    seerdb_err err = {0};
    size_t n;
    uint64_t ceiling = sdb_rand_below(&r, 2) == 0 ? UINT64_MAX : sdb_rand_below(&r, 50);
    struct sdb_ranges *set = random_set(&r, 55, ceiling, key, NKEYS, all, &n);
    for (unsigned i = 0; i < 2; i++) {
        struct sdb_table *t = NULL;
        fill(&l[i], &r, i == 0 ? 50 : 20);
        struct sdb_table_writer_options o = options_for(&l[i]);
        o.block_size = 200 + (uint32_t)sdb_rand_below(&r, 3000);
        made[i] = make_table(&o, &l[i]);
        test_ok(open_made(&made[i], &t, &err), &err);
        test_ok(sdb_table_iter(t, ceiling, &tables[i], &err), &err);
        sdb_table_unref(t);
        for (unsigned k = 0; k < l[i].n; k++) {
            const struct sdb_record *a = &l[i].r[k];
            list_add(&both, a->key, a->number, a->kind, a->value);
        }
    }
    list_sort(&both);
    leave(&both, all, n, ceiling, &left);
    test_ok(sdb_range_iter_aim(reused, tables[0], set, newest_of(&l[0]), &err), &err);
    test_ok(sdb_range_iter(tables[1], set, newest_of(&l[1]), &wrapped[1], &err), &err);
    wrapped[0] = *reused;
    test_ok(sdb_merge_iter_aim(&merged, wrapped, 2, &err), &err);
    struct sdb_iter *model = list_iter(&left, ceiling, NULL);
    walk_both(model, merged, &both, &r);
    sdb_iter_close(merged);
    sdb_iter_close(wrapped[1]);
    (*reused)->ops->rest(*reused);
    sdb_iter_close(tables[0]);
    sdb_iter_close(model);
    sdb_ranges_unref(set);
    for (unsigned i = 0; i < 2; i++) {
        sdb_memfs_free(made[i].fs);
        list_fini(&l[i]);
    }
    list_fini(&both);
    list_fini(&left);
}

static void merged_tables_with_ranges_match_the_sorted_rest(void **state)
{
    struct sdb_iter *reused = NULL;
    (void)state;
    for (unsigned i = 0; i < NKEYS; i++)
        snprintf(keys[i], sizeof keys[i], "k%05u", i);
    for (uint64_t s = 1; s <= 60; s++)
        walk_tables(s, &reused);
    sdb_iter_close(reused);
}

/* Calls to the source that one move takes. */
static int calls(uint64_t newest, uint64_t number,
                 int (*move)(struct sdb_iter *it, seerdb_err *err))
{
    static struct list l; /* 10,002 keys, all but the first and last deleted */
    static char names[10002][8];
    struct sdb_ranges *set = NULL;
    struct sdb_iter *it = NULL;
    seerdb_err err = {0};
    int left = 1000000;
    for (unsigned i = 0; i < 10002; i++)
        snprintf(names[i], sizeof names[i], "%05u", i);
    for (unsigned i = 0; l.n < 10002; i++)
        list_add(&l, test_slice(names[i]), i == 0 || i == 10001 ? 7 : 5, SDB_KIND_VALUE,
                 test_slice("v"));
    struct sdb_range one = range("00001", "10001", number);
    test_ok(sdb_ranges_new(&one, 1, &set, &err), &err);
    test_ok(sdb_range_iter(list_iter(&l, UINT64_MAX, &left), set, newest, &it, &err),
            &err);
    sdb_ranges_unref(set);
    test_ok(move(it, &err), &err);
    sdb_iter_close(it);
    return 1000000 - left;
}

static int all_forward(struct sdb_iter *it, seerdb_err *err)
{
    int rc = it->ops->first(it, err);
    test_slice_equal(it->at.key, test_slice("00000"));
    if (rc == 0)
        rc = it->ops->next(it, err);
    test_slice_equal(it->at.key, test_slice("10001"));
    return rc;
}

static int all_backward(struct sdb_iter *it, seerdb_err *err)
{
    int rc = it->ops->last(it, err);
    if (rc == 0)
        rc = it->ops->prev(it, err);
    test_slice_equal(it->at.key, test_slice("00000"));
    return rc;
}

static int into_it(struct sdb_iter *it, seerdb_err *err)
{
    int rc = it->ops->seek(it, test_slice("05000"), err);
    test_slice_equal(it->at.key, test_slice("10001"));
    if (rc == 0)
        rc = it->ops->seek_for_prev(it, test_slice("05000"), err);
    test_slice_equal(it->at.key, test_slice("00000"));
    return rc;
}

static void many_deleted_keys_are_passed_with_one_seek(void **state)
{
    (void)state;
    assert_in_range(calls(7, 8, all_forward), 3, 15);
    assert_in_range(calls(7, 8, all_backward), 3, 15);
    assert_in_range(calls(7, 8, into_it), 2, 4);
    /* The source might have newer ones among them. */
    assert_true(calls(7, 7, all_forward) > 10000);
    assert_true(calls(UINT64_MAX, 8, all_backward) > 10000);
}

static void a_failing_source_ends_the_move(void **state)
{
    struct list l = {0};
    seerdb_err err = {0};
    (void)state;
    for (unsigned i = 0; i < NWORDS; i++)
        list_add(&l, test_slice(words[i]), 5, SDB_KIND_VALUE, test_slice("v"));
    list_sort(&l);
    for (int n = 0; n < 12; n++) {
        struct sdb_ranges *set = NULL;
        struct sdb_iter *it = NULL;
        struct sdb_range one = range("a", "d", 6);
        int left = n, rc = 0;
        test_ok(sdb_ranges_new(&one, 1, &set, &err), &err);
        test_ok(sdb_range_iter(list_iter(&l, UINT64_MAX, &left), set, 5, &it, &err),
                &err);
        for (rc = it->ops->first(it, &err); rc == 0 && n < 11;)
            rc = it->ops->next(it, &err);
        test_fails(rc, n < 11 ? SEERDB_IOERR : 0, &err);
        sdb_iter_close(it);
        sdb_ranges_unref(set);
    }
    list_fini(&l);
}

static void no_memory_closes_the_source(void **state)
{
    struct list l = {0};
    struct sdb_iter *it = NULL;
    struct sdb_ranges *set = NULL;
    seerdb_err err = {0};
    (void)state;
    test_ok(sdb_ranges_new(NULL, 0, &set, &err), &err);
    struct sdb_iter *source = list_iter(&l, UINT64_MAX, NULL);
    sdb_mem_fail_after(0);
    int rc = sdb_range_iter(source, set, 5, &it, &err);
    sdb_mem_fail_after(-1);
    test_fails(rc, SEERDB_NOMEM, &err);
    sdb_ranges_unref(set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_walks_show_what_the_ranges_leave),
        cmocka_unit_test(merged_tables_with_ranges_match_the_sorted_rest),
        cmocka_unit_test(many_deleted_keys_are_passed_with_one_seek),
        cmocka_unit_test(a_failing_source_ends_the_move),
        cmocka_unit_test(no_memory_closes_the_source),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
