/* SPDX-License-Identifier: Apache-2.0 */
#include "os/pages.h"

#include "base/mem.h"
#include "base/rand.h"
#include "os/thread.h"
#include "test.h"

#include <stdlib.h>

#define PIECES 400

struct piece {
    uint8_t *p;
    size_t size;
    uint8_t fill;
};

/* Between 0 and a little over what regions serve; mostly the size of blocks. */
static size_t random_size(struct sdb_rand *r)
{
    uint64_t kind = sdb_rand_below(r, 20);
    if (kind == 0)
        return sdb_rand_below(r, 3u << 20);
    if (kind == 1)
        return sdb_rand_below(r, 100);
    return 6000 + sdb_rand_below(r, 14000);
}

static void check_piece(const struct piece *x)
{
    for (size_t i = 0; i < x->size; i += 97)
        if (x->p[i] != x->fill)
            abort(); /* also in threads, where cmocka cannot fail */
}

/* Take and give at random; every piece keeps what was written to it. */
static void churn(struct sdb_pages *pool, uint64_t seed, int rounds)
{
    struct sdb_rand r = {seed};
    struct piece pieces[PIECES] = {{0}};
    for (int i = 0; i < rounds; i++) {
        struct piece *x = &pieces[sdb_rand_below(&r, PIECES)];
        if (x->p != NULL) {
            check_piece(x);
            sdb_pages_give(pool, x->p, x->size);
            x->p = NULL;
            continue;
        }
        x->size = random_size(&r);
        x->fill = (uint8_t)i;
        x->p = sdb_pages_take(pool, x->size);
        if (x->p == NULL || (uintptr_t)x->p % 64 != 0)
            abort();
        memset(x->p, x->fill, x->size);
    }
    for (int i = 0; i < PIECES; i++)
        if (pieces[i].p != NULL) {
            check_piece(&pieces[i]);
            sdb_pages_give(pool, pieces[i].p, pieces[i].size);
        }
}

static void pieces_never_overlap(void **state)
{
    (void)state;
    struct sdb_pages *pool = sdb_pages_new(4 * SDB_PAGES_REGION);
    for (uint64_t seed = 1; seed <= 5; seed++) {
        churn(pool, seed, 4000);
        sdb_pages_check(pool);
    }
    sdb_pages_unref(pool);
}

static void empty_regions_go_back_but_for_the_spare_ones(void **state)
{
    (void)state;
    if (SDB_PAGES_PIECE_MAX == 0)
        return; /* all memory comes from the heap */
    struct sdb_pages *pool = sdb_pages_new(2 * SDB_PAGES_REGION);
    const size_t size = 9000, n = 2000;
    void **pieces = sdb_array_new(n, sizeof *pieces);
    for (size_t i = 0; i < n; i++)
        assert_non_null(pieces[i] = sdb_pages_take(pool, size));
    /* 9000 bytes are 9 granules: 227 pieces in a region of 2047 */
    assert_int_equal(sdb_pages_bytes(pool), (n + 226) / 227 * SDB_PAGES_REGION);
    for (size_t i = 0; i < n; i++)
        sdb_pages_give(pool, pieces[i], size);
    sdb_pages_check(pool);
    assert_int_equal(sdb_pages_bytes(pool), 2 * SDB_PAGES_REGION);
    sdb_pages_unref(pool);
    sdb_mem_free(pieces);
}

static void holes_are_filled_before_a_region_is_added(void **state)
{
    (void)state;
    if (SDB_PAGES_PIECE_MAX == 0)
        return; /* all memory comes from the heap */
    struct sdb_pages *pool = sdb_pages_new(0);
    void *pieces[4 * 227];
    const size_t n = sizeof pieces / sizeof pieces[0];
    for (size_t i = 0; i < n; i++)
        assert_non_null(pieces[i] = sdb_pages_take(pool, 9000));
    size_t full = sdb_pages_bytes(pool);
    for (size_t i = 0; i < n; i += 3) {
        sdb_pages_give(pool, pieces[i], 9000);
        pieces[i] = NULL;
    }
    for (size_t i = 0; i < n; i += 3)
        assert_non_null(pieces[i] = sdb_pages_take(pool, 8200));
    assert_int_equal(sdb_pages_bytes(pool), full);
    for (size_t i = 0; i < n; i++)
        sdb_pages_give(pool, pieces[i], i % 3 == 0 ? 8200 : 9000);
    assert_int_equal(sdb_pages_bytes(pool), 0);
    sdb_pages_unref(pool);
}

static void two_of_the_largest_pieces_share_a_region(void **state)
{
    (void)state;
    if (SDB_PAGES_PIECE_MAX == 0)
        return; /* all memory comes from the heap */
    struct sdb_pages *pool = sdb_pages_new(0);
    void *one = sdb_pages_take(pool, SDB_PAGES_PIECE_MAX);
    void *two = sdb_pages_take(pool, SDB_PAGES_PIECE_MAX);
    assert_non_null(one);
    assert_non_null(two);
    assert_int_equal(sdb_pages_bytes(pool), SDB_PAGES_REGION);
    sdb_pages_give(pool, one, SDB_PAGES_PIECE_MAX);
    sdb_pages_give(pool, two, SDB_PAGES_PIECE_MAX);
    sdb_pages_unref(pool);
}

static void a_crowded_pool_gives_its_emptiest_regions_back(void **state)
{
    (void)state;
    if (SDB_PAGES_PIECE_MAX == 0)
        return; /* all memory comes from the heap */
    struct sdb_pages *pool = sdb_pages_new(0);
    struct sdb_rand r = {3};
    void *pieces[40 * 227];
    const size_t n = sizeof pieces / sizeof pieces[0], limit = 20 * SDB_PAGES_REGION;
    void *large = sdb_pages_take(pool, SDB_PAGES_PIECE_MAX);
    assert_non_null(large);
    for (size_t i = 0; i < n; i++)
        assert_non_null(pieces[i] = sdb_pages_take(pool, 9000));
    assert_false(sdb_pages_crowded(pool)); /* nobody has said how many it may be */
    sdb_pages_set_limit(pool, limit);
    assert_true(sdb_pages_crowded(pool));
    for (size_t i = 0; i < n; i++) /* half of them, fewer and fewer of later regions */
        if (sdb_rand_below(&r, n) < i) {
            sdb_pages_give(pool, pieces[i], 9000);
            pieces[i] = NULL;
        }
    size_t before = sdb_pages_bytes(pool), given = 0, left = 0;
    assert_true(before > limit + 8 * SDB_PAGES_REGION);
    assert_int_equal(sdb_pages_condemn(pool), before - limit);
    assert_false(sdb_pages_crowded(pool));
    assert_int_equal(sdb_pages_condemn(pool), 0);
    assert_false(sdb_pages_is_condemned(pool, large, SDB_PAGES_PIECE_MAX));
    assert_int_equal(sdb_pages_bytes(pool), before);
    for (size_t i = 0; i < n; i++) {
        if (pieces[i] != NULL && sdb_pages_is_condemned(pool, pieces[i], 9000)) {
            sdb_pages_give(pool, pieces[i], 9000);
            pieces[i] = NULL;
            given++;
        }
        left += pieces[i] != NULL;
        sdb_pages_check(pool);
    }
    assert_int_equal(sdb_pages_bytes(pool), limit);
    assert_in_range(given, 1, left / 2); /* the emptiest: of half the regions */
    for (size_t i = 0; i < n; i++)
        sdb_pages_give(pool, pieces[i], 9000);
    sdb_pages_give(pool, large, SDB_PAGES_PIECE_MAX);
    assert_int_equal(sdb_pages_bytes(pool), 0);
    sdb_pages_unref(pool);
}

static void a_condemned_region_serves_no_more(void **state)
{
    (void)state;
    if (SDB_PAGES_PIECE_MAX == 0)
        return; /* all memory comes from the heap */
    struct sdb_pages *pool = sdb_pages_new(4 * SDB_PAGES_REGION);
    void *one = sdb_pages_take(pool, 9000);
    sdb_pages_set_limit(pool, 0);
    assert_int_equal(sdb_pages_condemn(pool), SDB_PAGES_REGION);
    void *two = sdb_pages_take(pool, 9000);
    assert_true(sdb_pages_is_condemned(pool, one, 9000));
    assert_false(sdb_pages_is_condemned(pool, two, 9000));
    assert_int_equal(sdb_pages_bytes(pool), 2 * SDB_PAGES_REGION);
    sdb_pages_give(pool, one, 9000); /* goes at once, spare ones or not */
    assert_int_equal(sdb_pages_bytes(pool), SDB_PAGES_REGION);
    sdb_pages_give(pool, two, 9000);
    assert_int_equal(sdb_pages_bytes(pool), SDB_PAGES_REGION);
    sdb_pages_unref(pool);
}

static void a_piece_may_outlive_the_owner_of_its_pool(void **state)
{
    (void)state;
    struct sdb_pages *pool = sdb_pages_new(SDB_PAGES_REGION);
    uint8_t *p = sdb_pages_take(pool, 5000), *none = sdb_pages_take(NULL, 5000);
    assert_non_null(p);
    assert_non_null(none);
    sdb_pages_unref(pool);
    memset(p, 7, 5000);
    memset(none, 7, 5000);
    sdb_pages_give(pool, p, 5000); /* the last count: the pool goes with it */
    sdb_pages_give(NULL, none, 5000);
    sdb_pages_give(NULL, NULL, 5000);
    sdb_pages_unref(NULL);
}

static void refused_memory_leaves_the_pool_as_it_was(void **state)
{
    (void)state;
    struct sdb_pages *pool = sdb_pages_new(0);
    for (int64_t n = 0; n < 2; n++) {
        sdb_mem_fail_after(n);
        void *p = sdb_pages_take(pool, 9000);
        sdb_mem_fail_after(-1);
        if (SDB_PAGES_PIECE_MAX != 0 || n == 0)
            assert_null(p);
        sdb_pages_give(pool, p, 9000);
        sdb_pages_check(pool);
    }
    void *p = sdb_pages_take(pool, 9000);
    assert_non_null(p);
    sdb_pages_give(pool, p, 9000);
    sdb_pages_unref(pool);
}

struct worker {
    struct sdb_pages *pool;
    uint64_t seed;
};

static void *work(void *arg)
{
    struct worker *w = arg;
    churn(w->pool, w->seed, 4000);
    return NULL;
}

static void threads_share_a_pool(void **state)
{
    (void)state;
    struct sdb_pages *pool = sdb_pages_new(SDB_PAGES_REGION);
    struct sdb_thread threads[3] = {{.started = false}};
    struct worker workers[3];
    seerdb_err err = {0};
    for (uint64_t i = 0; i < 3; i++) {
        workers[i] = (struct worker){pool, 100 + i};
        test_ok(sdb_thread_start(&threads[i], "pages", work, &workers[i], &err), &err);
    }
    for (int i = 0; i < 3; i++)
        sdb_thread_join(&threads[i]);
    sdb_pages_check(pool);
    sdb_pages_unref(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_never_overlap),
        cmocka_unit_test(empty_regions_go_back_but_for_the_spare_ones),
        cmocka_unit_test(holes_are_filled_before_a_region_is_added),
        cmocka_unit_test(two_of_the_largest_pieces_share_a_region),
        cmocka_unit_test(a_crowded_pool_gives_its_emptiest_regions_back),
        cmocka_unit_test(a_condemned_region_serves_no_more),
        cmocka_unit_test(a_piece_may_outlive_the_owner_of_its_pool),
        cmocka_unit_test(refused_memory_leaves_the_pool_as_it_was),
        cmocka_unit_test(threads_share_a_pool),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
