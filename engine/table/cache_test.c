/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/mem.h"
#include "base/rand.h"
#include "os/thread.h"
#include "table/cache.h"

#include <stdlib.h>

struct block {
    seerdb_pin pin;
    uint64_t table;
    uint32_t number;
};

static _Atomic int live;

static void free_block(seerdb_pin *pin)
{
    live--;
    free(pin);
}

/* Put a block of `bytes` into the cache, keeping no count. */
static void put(struct sdb_cache *c, uint64_t table, uint32_t number, size_t bytes)
{
    struct block *b = calloc(1, sizeof *b);
    sdb_pin_init(&b->pin, free_block);
    live++;
    b->table = table;
    b->number = number;
    sdb_cache_put(c, table, number, &b->pin, bytes);
    seerdb_pin_unref(&b->pin);
}

static bool has(struct sdb_cache *c, uint64_t table, uint32_t number,
                enum sdb_cache_use use)
{
    struct block *b = (struct block *)sdb_cache_get(c, table, number, use);
    if (b == NULL)
        return false;
    assert_int_equal(b->table, table);
    assert_int_equal(b->number, number);
    seerdb_pin_unref(&b->pin);
    return true;
}

static void what_is_put_is_got(void **state)
{
    (void)state;
    struct sdb_cache *c = sdb_cache_new(1 << 20);
    struct sdb_cache_counters n;
    assert_false(has(c, 1, 2, SDB_CACHE_POINT));
    put(c, 1, 2, 100);
    put(c, 2, 1, 100);
    put(c, 1, 2, 100); /* the first stays, the second is not leaked */
    assert_true(has(c, 1, 2, SDB_CACHE_POINT));
    assert_true(has(c, 2, 1, SDB_CACHE_SCAN));
    assert_false(has(c, 1, 1, SDB_CACHE_SCAN));
    sdb_cache_count(c, &n);
    assert_int_equal(n.hits, 2);
    assert_int_equal(n.misses, 2);
    assert_int_equal(live, 2);
    sdb_cache_free(c);
    assert_int_equal(live, 0);
}

static void the_bound_holds_and_shrinks(void **state)
{
    (void)state;
    struct sdb_cache *c = sdb_cache_new(1 << 20);
    struct sdb_cache_counters n;
    for (uint32_t i = 0; i < 5000; i++) {
        put(c, 7, i, 1000);
        if (i % 3 == 0)
            has(c, 7, i / 2, SDB_CACHE_POINT);
        sdb_cache_count(c, &n);
        assert_true(n.bytes <= 1 << 20);
    }
    assert_true(n.bytes > (1 << 20) * 3 / 4);
    assert_true(n.evictions > 3000);
    sdb_cache_resize(c, 1 << 16);
    sdb_cache_count(c, &n);
    assert_true(n.bytes <= 1 << 16);
    put(c, 8, 0, 1 << 17); /* larger than a shard: not kept, not leaked */
    assert_false(has(c, 8, 0, SDB_CACHE_POINT));
    sdb_cache_free(c);
    assert_int_equal(live, 0);
}

static void a_scan_does_not_flood_what_is_used(void **state)
{
    (void)state;
    struct sdb_cache *c = sdb_cache_new(1 << 20);
    for (uint32_t i = 0; i < 500; i++)
        put(c, 1, i, 1000);
    for (uint32_t i = 0; i < 500; i++)
        assert_true(has(c, 1, i, SDB_CACHE_POINT));
    for (uint32_t i = 0; i < 20000; i++)
        if (!has(c, 2, i, SDB_CACHE_SCAN))
            put(c, 2, i, 1000);
    unsigned kept = 0;
    for (uint32_t i = 0; i < 500; i++)
        kept += has(c, 1, i, SDB_CACHE_POINT);
    assert_int_equal(kept, 500);
    sdb_cache_free(c);
}

static void a_block_outlives_its_eviction(void **state)
{
    (void)state;
    struct sdb_cache *c = sdb_cache_new(1 << 20);
    put(c, 1, 1, 100);
    struct block *b = (struct block *)sdb_cache_get(c, 1, 1, SDB_CACHE_POINT);
    sdb_cache_free(c);
    assert_int_equal(live, 1);
    assert_int_equal(b->number, 1);
    seerdb_pin_unref(&b->pin);
    assert_int_equal(live, 0);
}

static bool is_odd(const seerdb_pin *pin)
{
    return ((const struct block *)pin)->number % 2 == 1;
}

static void what_must_go_is_dropped_and_the_rest_stays(void **state)
{
    (void)state;
    struct sdb_cache *c = sdb_cache_new(1 << 20);
    struct sdb_cache_counters n;
    for (uint32_t i = 0; i < 1500; i++) { /* fills both queues */
        put(c, 1, i, 800);
        has(c, 1, i / 3, SDB_CACHE_POINT);
    }
    bool before[1500];
    for (uint32_t i = 0; i < 1500; i++)
        before[i] = has(c, 1, i, SDB_CACHE_SCAN);
    sdb_cache_drop(c, is_odd);
    for (uint32_t i = 0; i < 1500; i++)
        assert_int_equal(has(c, 1, i, SDB_CACHE_SCAN), before[i] && i % 2 == 0);
    for (uint32_t i = 0; i < 3000; i++)
        put(c, 2, i, 800);
    sdb_cache_count(c, &n);
    assert_true(n.bytes <= 1 << 20);
    sdb_cache_free(c);
    assert_int_equal(live, 0);
}

static void without_memory_it_only_forgets(void **state)
{
    (void)state;
    for (int64_t n = 0; n < 40; n++) {
        sdb_mem_fail_after(n);
        struct sdb_cache *c = sdb_cache_new(1 << 16);
        for (uint32_t i = 0; c != NULL && i < 200; i++) {
            put(c, 1, i, 100);
            has(c, 1, i, SDB_CACHE_POINT);
        }
        sdb_cache_free(c);
        sdb_mem_fail_after(-1);
        assert_int_equal(live, 0);
    }
}

/* A put of a block that follows others, keeping no count. */
static void inherit(struct sdb_cache *c, uint64_t table, uint32_t number, size_t bytes,
                    enum sdb_cache_use use)
{
    struct block *b = calloc(1, sizeof *b);
    sdb_pin_init(&b->pin, free_block);
    live++;
    b->table = table;
    b->number = number;
    sdb_cache_inherit(c, table, number, &b->pin, bytes, use);
    seerdb_pin_unref(&b->pin);
}

static void peeking_tells_what_a_block_was_good_for_and_changes_nothing(void **state)
{
    (void)state;
    struct sdb_cache *c = sdb_cache_new(1 << 20);
    struct sdb_cache_counters n;
    enum sdb_cache_use use = SDB_CACHE_POINT;
    assert_false(sdb_cache_peek(c, 1, 1, &use));
    put(c, 1, 1, 100);
    for (int i = 0; i < 2; i++) {
        assert_true(sdb_cache_peek(c, 1, 1, &use));
        assert_int_equal(use, SDB_CACHE_SCAN);
    }
    assert_true(has(c, 1, 1, SDB_CACHE_SCAN));
    assert_true(sdb_cache_peek(c, 1, 1, &use));
    assert_int_equal(use, SDB_CACHE_SCAN);
    assert_true(has(c, 1, 1, SDB_CACHE_POINT));
    assert_true(sdb_cache_peek(c, 1, 1, &use));
    assert_int_equal(use, SDB_CACHE_POINT);
    sdb_cache_count(c, &n);
    assert_int_equal(n.hits, 2);
    assert_int_equal(n.misses, 0);
    sdb_cache_free(c);
    assert_int_equal(live, 0);
}

static void heirs_of_what_was_used_outlive_a_scan_and_others_do_not(void **state)
{
    static const enum sdb_cache_use uses[] = {SDB_CACHE_POINT, SDB_CACHE_SCAN};
    (void)state;
    for (size_t k = 0; k < 2; k++) {
        struct sdb_cache *c = sdb_cache_new(1 << 20);
        enum sdb_cache_use use;
        for (uint32_t i = 0; i < 500; i++)
            inherit(c, 1, i, 1000, uses[k]);
        for (uint32_t i = 0; i < 20000; i++)
            put(c, 2, i, 1000);
        unsigned kept = 0;
        for (uint32_t i = 0; i < 500; i++)
            kept += sdb_cache_peek(c, 1, i, &use);
        assert_int_equal(kept, uses[k] == SDB_CACHE_POINT ? 500 : 0);
        sdb_cache_free(c);
        assert_int_equal(live, 0);
    }
}

static void heirs_keep_within_the_bound(void **state)
{
    (void)state;
    struct sdb_cache *c = sdb_cache_new(1 << 20);
    struct sdb_cache_counters n;
    for (uint32_t i = 0; i < 5000; i++) {
        inherit(c, 7, i, 1000, SDB_CACHE_POINT);
        sdb_cache_count(c, &n);
        assert_true(n.bytes <= 1 << 20);
    }
    assert_true(n.bytes > (1 << 20) / 2);
    sdb_cache_free(c);
    assert_int_equal(live, 0);
}

static void what_is_forgotten_frees_its_memory_and_nothing_else(void **state)
{
    (void)state;
    struct sdb_cache *c = sdb_cache_new(1 << 20);
    struct sdb_cache_counters n;
    enum sdb_cache_use use;
    sdb_cache_forget(c, 1, 10); /* nothing is there yet */
    for (uint32_t i = 0; i < 100; i++) {
        inherit(c, 1, i, 1000, i % 2 == 0 ? SDB_CACHE_POINT : SDB_CACHE_SCAN);
        inherit(c, 2, i, 1000, i % 3 == 0 ? SDB_CACHE_POINT : SDB_CACHE_SCAN);
    }
    sdb_cache_count(c, &n);
    size_t bytes = n.bytes;
    sdb_cache_forget(c, 1, 100);
    sdb_cache_count(c, &n);
    assert_int_equal(live, 100);
    assert_int_equal(n.bytes, bytes / 2);
    for (uint32_t i = 0; i < 100; i++) {
        assert_false(sdb_cache_peek(c, 1, i, &use));
        assert_true(sdb_cache_peek(c, 2, i, &use));
    }
    for (uint32_t i = 0; i < 5000; i++) /* the queues hold together */
        put(c, 3, i, 1000);
    sdb_cache_forget(c, 2, 100);
    sdb_cache_forget(c, 3, 5000);
    sdb_cache_count(c, &n);
    assert_int_equal(n.bytes, 0);
    assert_int_equal(live, 0);
    sdb_cache_free(c);
}

static void *hammer(void *arg)
{
    struct sdb_cache *c = arg;
    struct sdb_rand rand = {(uint64_t)(uintptr_t)&rand};
    for (int i = 0; i < 20000; i++) {
        uint32_t number = (uint32_t)sdb_rand_below(&rand, 300);
        if (!has(c, 1, number,
                 sdb_rand_below(&rand, 2) ? SDB_CACHE_POINT : SDB_CACHE_SCAN))
            put(c, 1, number, 500);
        if (sdb_rand_below(&rand, 1000) == 0)
            sdb_cache_resize(c, 1 << (14 + sdb_rand_below(&rand, 4)));
    }
    return NULL;
}

static void threads_share_it(void **state)
{
    (void)state;
    seerdb_err err = {0};
    struct sdb_cache *c = sdb_cache_new(1 << 16);
    struct sdb_thread threads[4] = {0};
    for (int i = 0; i < 4; i++)
        test_ok(sdb_thread_start(&threads[i], "hammer", hammer, c, &err), &err);
    for (int i = 0; i < 4; i++)
        sdb_thread_join(&threads[i]);
    sdb_cache_free(c);
    assert_int_equal(live, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_put_is_got),
        cmocka_unit_test(the_bound_holds_and_shrinks),
        cmocka_unit_test(a_scan_does_not_flood_what_is_used),
        cmocka_unit_test(a_block_outlives_its_eviction),
        cmocka_unit_test(what_must_go_is_dropped_and_the_rest_stays),
        cmocka_unit_test(without_memory_it_only_forgets),
        cmocka_unit_test(peeking_tells_what_a_block_was_good_for_and_changes_nothing),
        cmocka_unit_test(heirs_of_what_was_used_outlive_a_scan_and_others_do_not),
        cmocka_unit_test(heirs_keep_within_the_bound),
        cmocka_unit_test(what_is_forgotten_frees_its_memory_and_nothing_else),
        cmocka_unit_test(threads_share_it),
    };
    return cmocka_run_group_tests_name("cache", tests, NULL, NULL);
}
