/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"

#include "test.h"

static void appended_bytes_lie_side_by_side(void **state)
{
    struct sdb_buf b = {0};
    (void)state;
    sdb_buf_append(&b, "ab", 2);
    sdb_buf_append(&b, NULL, 0);
    sdb_buf_append_slice(&b, test_slice("cd"));
    sdb_buf_zeros(&b, 3);
    sdb_buf_append(&b, "e", 1);
    test_slice_equal(sdb_buf_slice(&b), ((seerdb_slice){"abcd\0\0\0e", 8}));
    assert_int_equal(sdb_buf_check(&b, NULL), 0);
    sdb_buf_fini(&b);
    assert_true(b.data == NULL && b.size == 0 && b.capacity == 0);
    sdb_buf_fini(&b);
}

static void it_grows_and_keeps_what_it_held(void **state)
{
    struct sdb_buf b = {0};
    uint64_t before = sdb_mem_allocations();
    (void)state;
    for (unsigned i = 0; i < 100000; i++)
        sdb_buf_append(&b, &(uint8_t){(uint8_t)(i % 251)}, 1);
    assert_int_equal(b.size, 100000);
    for (unsigned i = 0; i < 100000; i++)
        assert_int_equal(b.data[i], i % 251);
    assert_in_range(sdb_mem_allocations() - before, 1, 40);
    sdb_buf_fini(&b);
}

static void reserved_room_needs_no_memory_later(void **state)
{
    struct sdb_buf b = {0};
    (void)state;
    assert_true(sdb_buf_reserve(&b, 1000));
    sdb_mem_fail_after(0);
    sdb_buf_zeros(&b, 1000);
    sdb_mem_fail_after(-1);
    assert_int_equal(sdb_buf_check(&b, NULL), 0);
    assert_int_equal(b.size, 1000);
    sdb_buf_fini(&b);
}

static void a_failure_sticks_until_cleared(void **state)
{
    struct sdb_buf b = {0};
    seerdb_err err = {0};
    (void)state;
    sdb_buf_append(&b, "kept", 4);
    sdb_mem_fail_after(0);
    sdb_buf_zeros(&b, 1000);
    sdb_mem_fail_after(-1);
    assert_false(sdb_buf_reserve(&b, 1));
    sdb_buf_append(&b, "lost", 4);
    test_slice_equal(sdb_buf_slice(&b), test_slice("kept"));
    test_fails(sdb_buf_check(&b, &err), SEERDB_NOMEM, &err);
    sdb_buf_clear(&b);
    sdb_buf_append(&b, "new", 3);
    test_slice_equal(sdb_buf_slice(&b), test_slice("new"));
    test_ok(sdb_buf_check(&b, &err), &err);
    sdb_buf_fini(&b);
}

static void a_size_that_overflows_is_refused(void **state)
{
    struct sdb_buf b = {0};
    (void)state;
    sdb_buf_append(&b, "x", 1);
    assert_false(sdb_buf_reserve(&b, SIZE_MAX));
    assert_true(b.failed);
    sdb_buf_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(appended_bytes_lie_side_by_side),
        cmocka_unit_test(it_grows_and_keeps_what_it_held),
        cmocka_unit_test(reserved_room_needs_no_memory_later),
        cmocka_unit_test(a_failure_sticks_until_cleared),
        cmocka_unit_test(a_size_that_overflows_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
