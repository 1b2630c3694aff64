/* SPDX-License-Identifier: Apache-2.0
 *
 * A memtable whose memory comes from a pool. */
#include "tree/memtable.h"

#include "test.h"

#define RECORDS 20000u

static void insert_all(struct sdb_memtable *m, uint32_t n)
{
    char key[32], value[200];
    seerdb_err err = {0};
    memset(value, 'v', sizeof value);
    for (uint32_t i = 0; i < n; i++) {
        int size = snprintf(key, sizeof key, "key%08u", i * 7919u % n);
        struct sdb_record r = {.key = {key, (size_t)size},
                               .number = i + 1,
                               .kind = SDB_KIND_VALUE,
                               .value = {value, sizeof value}};
        test_ok(sdb_memtable_insert(m, &r, &err), &err);
    }
}

static void a_large_memtable_lives_in_the_pool_and_may_outlive_it(void **state)
{
    struct sdb_pages *pool = sdb_pages_new(0);
    struct sdb_memtable *m = NULL;
    struct sdb_found found;
    seerdb_err err = {0};
    (void)state;
    assert_non_null(pool);
    test_ok(sdb_memtable_new(&m, &err), &err);
    sdb_memtable_use_pages(m, pool);
    insert_all(m, RECORDS);
    sdb_memtable_check(m);
    if (SDB_PAGES_PIECE_MAX > 0) /* the small chunks before are the heap's */
        assert_in_range(sdb_pages_bytes(pool), sdb_memtable_bytes(m) / 2,
                        sdb_memtable_bytes(m) + 2 * SDB_PAGES_REGION);
    sdb_pages_check(pool);
    assert_int_equal(
        sdb_memtable_get(m, test_slice("key00000017"), UINT64_MAX, NULL, &found), 0);
    sdb_memtable_unref(m);
    sdb_pages_unref(pool);
    assert_int_equal(found.value.size, 200);
    assert_int_equal(((const char *)found.value.data)[199], 'v');
    seerdb_pin_unref(found.pin);
}

static void a_small_memtable_takes_nothing_from_the_pool(void **state)
{
    struct sdb_pages *pool = sdb_pages_new(0);
    struct sdb_memtable *m = NULL;
    seerdb_err err = {0};
    (void)state;
    assert_non_null(pool);
    test_ok(sdb_memtable_new(&m, &err), &err);
    sdb_memtable_use_pages(m, pool);
    insert_all(m, 1000);
    assert_int_equal(sdb_pages_bytes(pool), 0);
    sdb_memtable_unref(m);
    sdb_pages_unref(pool);
}

static void regions_serve_one_memtable_after_the_other(void **state)
{
    struct sdb_pages *pool = sdb_pages_new((size_t)64 << 20);
    size_t held = 0;
    seerdb_err err = {0};
    (void)state;
    assert_non_null(pool);
    for (int i = 0; i < 4; i++) {
        struct sdb_memtable *m = NULL;
        test_ok(sdb_memtable_new(&m, &err), &err);
        sdb_memtable_use_pages(m, pool);
        insert_all(m, RECORDS);
        sdb_memtable_unref(m);
        if (i > 0)
            assert_int_equal(sdb_pages_bytes(pool), held);
        held = sdb_pages_bytes(pool);
    }
    sdb_pages_unref(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_large_memtable_lives_in_the_pool_and_may_outlive_it),
        cmocka_unit_test(a_small_memtable_takes_nothing_from_the_pool),
        cmocka_unit_test(regions_serve_one_memtable_after_the_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
