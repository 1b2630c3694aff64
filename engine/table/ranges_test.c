/* SPDX-License-Identifier: Apache-2.0 */
#include "table/ranges.h"

#include "base/mem.h"
#include "base/rand.h"
#include "test.h"

#include <stdlib.h>

#define MOST 40

/* Bounds and keys of the random tests: prefixes of each other, the empty key, high
 * bytes. */
static const char *const points[] = {"",   "a", "aa", "ab", "b",    "ba",
                                     "bb", "c", "cc", "d",  "\xff", "\xff\xff"};
#define NPOINTS (sizeof points / sizeof points[0])

static struct sdb_range range(const char *start, const char *end, uint64_t number)
{
    return (struct sdb_range){test_slice(start), test_slice(end), number};
}

static struct sdb_ranges *set_of(const struct sdb_range *all, size_t n)
{
    struct sdb_ranges *r = NULL;
    seerdb_err err = {0};
    test_ok(sdb_ranges_new(all, n, &r, &err), &err);
    return r;
}

static size_t random_ranges(struct sdb_rand *r, uint64_t numbers, struct sdb_range *out)
{
    size_t n = (size_t)sdb_rand_below(r, MOST + 1);
    for (size_t i = 0; i < n; i++)
        out[i] =
            range(points[sdb_rand_below(r, NPOINTS)],
                  points[sdb_rand_below(r, NPOINTS)], 1 + sdb_rand_below(r, numbers));
    return n;
}

/* The definition, as plain as it can be. */
static uint64_t naive_cover(const struct sdb_range *all, size_t n, seerdb_slice key,
                            uint64_t ceiling, const struct sdb_hidden *hidden)
{
    uint64_t best = 0;
    for (size_t i = 0; i < n; i++)
        if (sdb_slice_cmp(all[i].start, key) <= 0 &&
            sdb_slice_cmp(key, all[i].end) < 0 && all[i].number <= ceiling &&
            !sdb_hidden_has(hidden, all[i].number) && all[i].number > best)
            best = all[i].number;
    return best;
}

static void random_hidden(struct sdb_rand *r, uint64_t numbers, struct sdb_hidden *h,
                          struct sdb_hidden_range *ranges)
{
    uint64_t at = 0;
    h->ranges = ranges;
    h->n = 0;
    for (unsigned i = 0; i < 3 && sdb_rand_below(r, 3) > 0; i++) {
        ranges[i].from = at + 1 + sdb_rand_below(r, numbers / 2);
        at = ranges[i].to = ranges[i].from + 1 + sdb_rand_below(r, 3);
        h->n++;
    }
}

static void a_key_is_covered_as_the_list_of_ranges_says(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 400; seed++) {
        struct sdb_rand r = {seed};
        struct sdb_range all[MOST];
        struct sdb_hidden_range hidden_ranges[3];
        struct sdb_hidden hidden;
        uint64_t numbers = 2 + sdb_rand_below(&r, 20);
        size_t n = random_ranges(&r, numbers, all);
        struct sdb_ranges *set = set_of(all, n);
        random_hidden(&r, numbers, &hidden, hidden_ranges);
        for (size_t k = 0; k < NPOINTS; k++)
            for (uint64_t ceiling = 0; ceiling <= numbers + 1; ceiling++) {
                seerdb_slice key = test_slice(points[k]);
                assert_int_equal(sdb_ranges_cover(set, key, ceiling, NULL),
                                 naive_cover(all, n, key, ceiling, NULL));
                assert_int_equal(sdb_ranges_cover(set, key, ceiling, &hidden),
                                 naive_cover(all, n, key, ceiling, &hidden));
                assert_int_equal(sdb_ranges_has(set, key),
                                 naive_cover(all, n, key, UINT64_MAX, NULL) > 0);
            }
        sdb_ranges_unref(set);
    }
}

/* Disjoint, rising, joined where they can be; the ranges themselves in their order. */
static void check_form(const struct sdb_ranges *set)
{
    for (size_t i = 0; i < sdb_ranges_fragments(set); i++) {
        const struct sdb_range *f = sdb_ranges_fragment(set, i);
        assert_false(sdb_range_is_empty(f));
        if (i == 0)
            continue;
        const struct sdb_range *before = sdb_ranges_fragment(set, i - 1);
        int order = sdb_slice_cmp(before->end, f->start);
        assert_true(order < 0 || (order == 0 && before->number != f->number));
    }
    for (size_t i = 1; i < sdb_ranges_count(set); i++) {
        const struct sdb_range *a = sdb_ranges_at(set, i - 1),
                               *b = sdb_ranges_at(set, i);
        int order = sdb_slice_cmp(a->start, b->start);
        assert_true(order < 0 || (order == 0 && (a->number > b->number ||
                                                 (a->number == b->number &&
                                                  sdb_slice_cmp(a->end, b->end) > 0))));
    }
}

static void fragments_are_disjoint_and_as_few_as_can_be(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 400; seed++) {
        struct sdb_rand r = {seed};
        struct sdb_range all[MOST];
        size_t n = random_ranges(&r, 2 + sdb_rand_below(&r, 6), all);
        struct sdb_ranges *set = set_of(all, n);
        check_form(set);
        assert_true(n == 0 || sdb_ranges_fragments(set) < 2 * n);
        sdb_ranges_unref(set);
    }
}

static void several_sets_flatten_to_what_one_reader_sees(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 600; seed++) {
        struct sdb_rand r = {seed};
        struct sdb_range all[4][MOST];
        struct sdb_hidden_range hidden_ranges[4][3];
        struct sdb_hidden hidden[4];
        struct sdb_ranges_source sources[4] = {{0}};
        struct sdb_ranges *flat = NULL;
        size_t n = (size_t)sdb_rand_below(&r, 5), counts[4];
        seerdb_err err = {0};
        for (size_t i = 0; i < n; i++) {
            counts[i] = random_ranges(&r, 20, all[i]);
            random_hidden(&r, 20, &hidden[i], hidden_ranges[i]);
            sources[i] = (struct sdb_ranges_source){
                .ranges = sdb_rand_below(&r, 5) > 0 ? set_of(all[i], counts[i]) : NULL,
                .as = sdb_rand_below(&r, 3) == 0 ? 1 + sdb_rand_below(&r, 20) : 0,
                .ceiling =
                    sdb_rand_below(&r, 2) == 0 ? UINT64_MAX : sdb_rand_below(&r, 21),
                .hidden = sdb_rand_below(&r, 2) == 0 ? &hidden[i] : NULL,
                .raise = sdb_rand_below(&r, 4) == 0 ? SDB_NUMBER_BATCH : 0};
        }
        test_ok(sdb_ranges_flatten(sources, n, &flat, &err), &err);
        bool any = false;
        for (size_t k = 0; k < NPOINTS; k++) {
            seerdb_slice key = test_slice(points[k]);
            uint64_t want = 0;
            for (size_t i = 0; i < n; i++) {
                const struct sdb_ranges_source *s = &sources[i];
                bool seen = s->as <= s->ceiling && !sdb_hidden_has(s->hidden, s->as);
                uint64_t number =
                    s->as == 0 ? sdb_ranges_cover(s->ranges, key, s->ceiling, s->hidden)
                    : seen && sdb_ranges_has(s->ranges, key) ? s->as
                                                             : 0;
                if (number > 0 && number + s->raise > want)
                    want = number + s->raise;
            }
            assert_int_equal(sdb_ranges_cover(flat, key, UINT64_MAX, NULL), want);
            any = any || want > 0;
        }
        if (flat != NULL) {
            check_form(flat);
            assert_int_equal(sdb_ranges_count(flat), sdb_ranges_fragments(flat));
            assert_true(sdb_ranges_count(flat) > 0);
        }
        assert_true(!any || flat != NULL);
        sdb_ranges_unref(flat);
        for (size_t i = 0; i < n; i++) {
            struct sdb_ranges *set = NULL; /* the sources only borrow */
            memcpy(&set, &sources[i].ranges, sizeof set);
            sdb_ranges_unref(set);
        }
    }
}

static void spilled_ranges_have_no_numbers_and_cover_all_the_same(void **state)
{
    const struct sdb_range all[] = {range("a", "c", 0), range("b", "d", 0)};
    struct sdb_ranges *set = set_of(all, 2), *flat = NULL;
    seerdb_err err = {0};
    (void)state;
    assert_int_equal(sdb_ranges_fragments(set), 1);
    assert_true(sdb_ranges_has(set, test_slice("a")));
    assert_true(sdb_ranges_has(set, test_slice("cz")));
    assert_false(sdb_ranges_has(set, test_slice("d")));
    struct sdb_ranges_source s = {.ranges = set, .as = 7, .ceiling = 7};
    test_ok(sdb_ranges_flatten(&s, 1, &flat, &err), &err);
    assert_int_equal(sdb_ranges_count(flat), 1);
    assert_int_equal(sdb_ranges_at(flat, 0)->number, 7);
    sdb_ranges_unref(flat);
    s.ceiling = 6;
    test_ok(sdb_ranges_flatten(&s, 1, &flat, &err), &err);
    assert_null(flat);
    sdb_ranges_unref(set);
}

static void empty_ranges_and_doubles_are_left_out(void **state)
{
    const struct sdb_range all[] = {range("b", "b", 5), range("c", "a", 9),
                                    range("a", "b", 3), range("", "", 4),
                                    range("a", "b", 3), range("a", "c", 3)};
    struct sdb_ranges *set = set_of(all, 6);
    (void)state;
    assert_int_equal(sdb_ranges_count(set), 2);
    test_slice_equal(sdb_ranges_at(set, 0)->end, test_slice("c"));
    test_slice_equal(sdb_ranges_at(set, 1)->end, test_slice("b"));
    assert_int_equal(sdb_ranges_max_number(set), 3);
    sdb_ranges_unref(set);
    set = set_of(all, 2);
    assert_int_equal(sdb_ranges_count(set), 0);
    assert_int_equal(sdb_ranges_fragments(set), 0);
    assert_false(sdb_ranges_has(set, test_slice("b")));
    sdb_ranges_unref(set);
    assert_int_equal(sdb_ranges_count(NULL), 0);
    assert_int_equal(sdb_ranges_cover(NULL, test_slice("a"), UINT64_MAX, NULL), 0);
    assert_false(sdb_ranges_has(NULL, test_slice("a")));
}

static void a_set_keeps_its_own_copy_and_lives_as_long_as_its_counts(void **state)
{
    char start[] = "aaa", end[] = "ccc";
    struct sdb_range one = {test_slice(start), test_slice(end), 5};
    struct sdb_ranges *set = set_of(&one, 1);
    (void)state;
    assert_ptr_equal(sdb_ranges_ref(set), set);
    sdb_ranges_unref(set);
    memset(start, 'x', 3);
    memset(end, 'x', 3);
    assert_int_equal(sdb_ranges_cover(set, test_slice("b"), UINT64_MAX, NULL), 5);
    assert_true(sdb_ranges_memory(set) >= 6 + 2 * sizeof(struct sdb_range));
    sdb_ranges_unref(set);
}

static void no_memory_is_reported_wherever_it_happens(void **state)
{
    const struct sdb_range all[] = {range("a", "c", 1), range("b", "d", 2)};
    struct sdb_ranges *set = NULL, *flat = NULL;
    seerdb_err err = {0};
    int64_t n = 0;
    (void)state;
    for (int rc = SEERDB_NOMEM; rc != 0; n++) {
        sdb_mem_fail_after(n);
        rc = sdb_ranges_new(all, 2, &set, &err);
        sdb_mem_fail_after(-1);
        if (rc != 0)
            test_fails(rc, SEERDB_NOMEM, &err);
    }
    assert_true(n > 5);
    struct sdb_ranges_source s = {.ranges = set, .ceiling = UINT64_MAX};
    n = 0;
    for (int rc = SEERDB_NOMEM; rc != 0; n++) {
        sdb_mem_fail_after(n);
        rc = sdb_ranges_flatten(&s, 1, &flat, &err);
        sdb_mem_fail_after(-1);
        if (rc != 0)
            test_fails(rc, SEERDB_NOMEM, &err);
    }
    assert_true(n > 5);
    sdb_ranges_unref(flat);
    sdb_ranges_unref(set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_is_covered_as_the_list_of_ranges_says),
        cmocka_unit_test(fragments_are_disjoint_and_as_few_as_can_be),
        cmocka_unit_test(several_sets_flatten_to_what_one_reader_sees),
        cmocka_unit_test(spilled_ranges_have_no_numbers_and_cover_all_the_same),
        cmocka_unit_test(empty_ranges_and_doubles_are_left_out),
        cmocka_unit_test(a_set_keeps_its_own_copy_and_lives_as_long_as_its_counts),
        cmocka_unit_test(no_memory_is_reported_wherever_it_happens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
