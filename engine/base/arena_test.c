/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"

#include "base/rand.h"
#include "test.h"

static void pieces_are_aligned_and_do_not_overlap(void **state)
{
    enum { N = 3000 };
    static struct {
        uint8_t *p;
        size_t size;
    } piece[N];
    struct sdb_arena a = {0};
    struct sdb_rand r = {3};
    (void)state;
    for (size_t i = 0; i < N; i++) {
        size_t align = (size_t)1 << sdb_rand_below(&r, 7);
        piece[i].size = (size_t)sdb_rand_below(&r, i % 100 == 0 ? 20000 : 100);
        piece[i].p = sdb_arena_alloc(&a, piece[i].size, align);
        assert_non_null(piece[i].p);
        assert_int_equal((uintptr_t)piece[i].p & (align - 1), 0);
        memset(piece[i].p, (int)(i % 251), piece[i].size);
    }
    for (size_t i = 0; i < N; i++) {
        for (size_t k = 0; k < piece[i].size; k++)
            assert_int_equal(piece[i].p[k], i % 251);
    }
    sdb_arena_fini(&a);
    assert_int_equal(sdb_arena_bytes(&a), 0);
    sdb_arena_fini(&a);
}

static void a_small_arena_costs_little(void **state)
{
    struct sdb_arena a = {0};
    (void)state;
    assert_int_equal(sdb_arena_bytes(&a), 0);
    assert_non_null(sdb_arena_alloc(&a, 10, 8));
    assert_in_range(sdb_arena_bytes(&a), 4096, 8192);
    sdb_arena_fini(&a);
}

static void a_large_arena_makes_few_calls(void **state)
{
    struct sdb_arena a = {0};
    uint64_t before = sdb_mem_allocations();
    (void)state;
    for (int i = 0; i < 16384; i++)
        assert_non_null(sdb_arena_alloc(&a, 1024, 8));
    assert_in_range(sdb_mem_allocations() - before, 1, 40);
    assert_in_range(sdb_arena_bytes(&a), 16 << 20, 18 << 20);
    sdb_arena_fini(&a);
}

static void a_cleared_arena_keeps_little(void **state)
{
    struct sdb_arena a = {0};
    (void)state;
    sdb_arena_clear(&a, 100000);
    assert_int_equal(sdb_arena_bytes(&a), 0);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 100; i++) {
            uint8_t *p = sdb_arena_alloc(&a, 500, 8);
            assert_non_null(p);
            memset(p, i, 500);
        }
        size_t before = sdb_arena_bytes(&a);
        sdb_arena_clear(&a, 100000);
        assert_in_range(sdb_arena_bytes(&a), 4096, round == 0 ? before - 1 : before);
    }
    size_t kept = sdb_arena_bytes(&a);
    assert_non_null(sdb_arena_alloc(&a, kept - 256, 8)); /* all of it is free */
    assert_int_equal(sdb_arena_bytes(&a), kept);
    sdb_arena_clear(&a, kept - 1);
    assert_int_equal(sdb_arena_bytes(&a), 0);
    sdb_arena_fini(&a);
}

static void reserved_memory_is_there(void **state)
{
    seerdb_err err = {0};
    (void)state;
    for (size_t used = 0; used < 5000; used += 37) {
        for (size_t size = 64; size <= 3 << 20; size *= 3) {
            struct sdb_arena a = {0};
            assert_non_null(sdb_arena_alloc(&a, used, 1));
            test_ok(sdb_arena_reserve(&a, size, &err), &err);
            uint64_t before = sdb_mem_allocations();
            sdb_mem_fail_after(0);
            bool ok = true;
            for (size_t left = size; left >= 64; left -= 64)
                ok = ok && sdb_arena_alloc(&a, 57, 8) != NULL; /* 7 bytes of skew */
            ok = ok && sdb_arena_alloc(&a, size % 64, 1) != NULL;
            sdb_mem_fail_after(-1);
            assert_true(ok);
            assert_int_equal(sdb_mem_allocations(), before);
            sdb_arena_fini(&a);
        }
    }
}

static void without_memory_the_arena_stays_usable(void **state)
{
    struct sdb_arena a = {0};
    seerdb_err err = {0};
    (void)state;
    sdb_mem_fail_after(0);
    assert_null(sdb_arena_alloc(&a, 10, 8));
    int rc = sdb_arena_reserve(&a, 10, &err);
    sdb_mem_fail_after(-1);
    assert_int_equal(rc, SEERDB_NOMEM);
    err = (seerdb_err){0};
    uint8_t *p = sdb_arena_alloc(&a, 10, 8);
    assert_non_null(p);
    memset(p, 7, 10);
    test_fails(sdb_arena_reserve(&a, SIZE_MAX - 8, &err), SEERDB_NOMEM, &err);
    assert_null(sdb_arena_alloc(&a, SIZE_MAX - 8, 8));
    assert_int_equal(p[9], 7);
    sdb_arena_fini(&a);
}

struct store {
    unsigned taken, given;
    size_t size;
};

static void *store_take(void *ctx, size_t size)
{
    struct store *s = ctx;
    s->size = size;
    void *p = sdb_mem_alloc(size);
    s->taken += p != NULL ? 1 : 0;
    return p;
}

static void store_give(void *ctx, void *chunk, size_t size)
{
    struct store *s = ctx;
    assert_int_equal(size, s->size);
    s->given++;
    sdb_mem_free(chunk);
}

static void large_chunks_come_from_the_source_and_go_back(void **state)
{
    struct store s = {0};
    struct sdb_arena a = {.source = {store_take, store_give, &s, 100000}};
    (void)state;
    while (sdb_arena_bytes(&a) < 65536)
        memset(sdb_arena_alloc(&a, 1000, 8), 1, 1000);
    assert_int_equal(s.taken, 0); /* a batch of a few rows is the heap's */
    for (int i = 0; i < 1000; i++)
        memset(sdb_arena_alloc(&a, 1000, 8), 2, 1000);
    assert_in_range(s.taken, 10, 11);
    assert_int_equal(s.size, 100000);
    unsigned before = s.taken;
    memset(sdb_arena_alloc(&a, 100000, 8), 3, 100000); /* does not fit: the heap's */
    assert_int_equal(s.taken, before);
    assert_in_range(sdb_arena_bytes(&a), before * s.size + 165536,
                    before * s.size + 131072 + (2 << 20));
    sdb_mem_fail_after(0);
    while (sdb_arena_alloc(&a, 1000, 8) != NULL)
        continue;
    sdb_mem_fail_after(-1);
    memset(sdb_arena_alloc(&a, 99000, 8), 4, 99000);
    assert_int_equal(s.taken, before + 1);
    sdb_arena_fini(&a);
    assert_int_equal(s.given, s.taken);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_are_aligned_and_do_not_overlap),
        cmocka_unit_test(a_small_arena_costs_little),
        cmocka_unit_test(a_large_arena_makes_few_calls),
        cmocka_unit_test(a_cleared_arena_keeps_little),
        cmocka_unit_test(reserved_memory_is_there),
        cmocka_unit_test(without_memory_the_arena_stays_usable),
        cmocka_unit_test(large_chunks_come_from_the_source_and_go_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
