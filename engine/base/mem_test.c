/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"

#include "test.h"

static void no_bytes_are_still_a_pointer(void **state)
{
    void *p[] = {sdb_mem_alloc(0), sdb_mem_zalloc(0), sdb_array_new(0, 8),
                 sdb_array_grow(NULL, 0, 8), sdb_mem_aligned(64, 0)};
    (void)state;
    for (size_t i = 0; i < sizeof p / sizeof p[0]; i++) {
        assert_non_null(p[i]);
        sdb_mem_free(p[i]);
    }
    sdb_mem_free(NULL);
}

static void products_that_overflow_are_refused(void **state)
{
    uint64_t *a = sdb_array_new(2, sizeof *a);
    (void)state;
    assert_non_null(a);
    assert_int_equal(a[0] | a[1], 0);
    a[1] = 42;
    assert_null(sdb_array_new(SIZE_MAX / 2 + 1, 2));
    assert_null(sdb_array_grow(a, SIZE_MAX / 8 + 1, sizeof *a));
    assert_null(sdb_mem_aligned(64, SIZE_MAX - 3));
    assert_int_equal(a[1], 42);
    sdb_mem_free(a);
}

static void aligned_memory_is_aligned(void **state)
{
    (void)state;
    for (size_t align = sizeof(void *); align <= 4096; align *= 2) {
        uint8_t *p = sdb_mem_aligned(align, align + 1);
        assert_non_null(p);
        assert_int_equal((uintptr_t)p % align, 0);
        memset(p, 1, align + 1);
        sdb_mem_free(p);
    }
}

static void large_memory_is_taken_and_given_by_its_size(void **state)
{
    (void)state;
    for (size_t size = 0; size < (size_t)1 << 20; size = size * 3 + 1) {
        uint8_t *p = sdb_mem_take(size);
        assert_non_null(p);
        assert_int_equal((uintptr_t)p % 64, 0);
        memset(p, 1, size);
        sdb_mem_give(p, size);
        sdb_mem_give(NULL, size);
    }
    sdb_mem_fail_after(0);
    void *small = sdb_mem_take(1), *large = sdb_mem_take((size_t)1 << 20);
    sdb_mem_fail_after(-1);
    assert_null(small);
    assert_null(large);
}

static void allocations_fail_when_told_to_and_are_counted(void **state)
{
    (void)state;
    uint64_t before = sdb_mem_allocations();
    sdb_mem_fail_after(1);
    void *p = sdb_mem_alloc(1);
    void *q = sdb_mem_alloc(1), *r = sdb_mem_zalloc(1), *s = sdb_array_grow(NULL, 1, 1);
    void *t = sdb_mem_aligned(64, 1), *u = sdb_mem_strdup("x");
    sdb_mem_fail_after(-1);
    assert_non_null(p);
    assert_true(q == NULL && r == NULL && s == NULL && t == NULL && u == NULL);
    assert_int_equal(sdb_mem_allocations() - before, 6);
    sdb_mem_free(p);
}

static void a_string_is_copied(void **state)
{
    char text[] = "text";
    (void)state;
    char *copy = sdb_mem_strdup(text);
    text[0] = 'n';
    assert_string_equal(copy, "text");
    sdb_mem_free(copy);
}

static void a_refusal_says_how_much(void **state)
{
    seerdb_err err = {0};
    (void)state;
    assert_int_equal(sdb_fail_nomem(&err, 12345), SEERDB_NOMEM);
    assert_non_null(strstr(err.msg, "12345 bytes"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_bytes_are_still_a_pointer),
        cmocka_unit_test(products_that_overflow_are_refused),
        cmocka_unit_test(aligned_memory_is_aligned),
        cmocka_unit_test(large_memory_is_taken_and_given_by_its_size),
        cmocka_unit_test(allocations_fail_when_told_to_and_are_counted),
        cmocka_unit_test(a_string_is_copied),
        cmocka_unit_test(a_refusal_says_how_much),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
