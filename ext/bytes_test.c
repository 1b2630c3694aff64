/* SPDX-License-Identifier: Apache-2.0 */
#include "bytes.h"

#include "test_mem.h"

static void appended_bytes_come_back_in_order(void **state)
{
    (void)state;
    struct svt_bytes b = {0};
    for (unsigned i = 0; i < 1000; i++) {
        svt_bytes_byte(&b, (uint8_t)i);
        svt_bytes_append(&b, "xy", 2);
        svt_bytes_append(&b, NULL, 0);
    }
    assert_false(b.failed);
    assert_int_equal(b.size, 3000);
    for (unsigned i = 0; i < 1000; i++) {
        assert_int_equal(b.data[3 * i], (uint8_t)i);
        assert_memory_equal(b.data + 3 * i + 1, "xy", 2);
    }
    size_t capacity = b.capacity;
    svt_bytes_clear(&b);
    assert_int_equal(svt_bytes_slice(&b).size, 0);
    assert_int_equal(b.capacity, capacity);
    svt_bytes_fini(&b);
    svt_bytes_fini(&b);
    assert_int_equal(test_mem_live, 0);
}

static void varints_are_leb128_and_come_back(void **state)
{
    (void)state;
    static const uint64_t values[] = {0,         1,          127,        128,
                                      16383,     16384,      UINT32_MAX, 1ull << 35,
                                      INT64_MAX, 1ull << 63, UINT64_MAX};
    struct svt_bytes b = {0};
    svt_bytes_varint(&b, 300);
    test_hex_equal(svt_bytes_slice(&b), "ac 02");
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        svt_bytes_clear(&b);
        svt_bytes_varint(&b, values[i]);
        const uint8_t *p = b.data;
        uint64_t v = 42;
        assert_true(svt_varint_read(&p, b.data + b.size, &v));
        assert_true(v == values[i]);
        assert_ptr_equal(p, b.data + b.size);
        for (size_t n = 0; n < b.size; n++) {
            p = b.data;
            assert_false(svt_varint_read(&p, b.data + n, &v));
            assert_ptr_equal(p, b.data);
        }
    }
    svt_bytes_fini(&b);
}

static void overlong_varints_are_refused(void **state)
{
    (void)state;
    static const uint8_t padded[] = {0x80, 0x00},
                         over[] = {0xff, 0xff, 0xff, 0xff, 0xff,
                                   0xff, 0xff, 0xff, 0xff, 0x02},
                         eleven[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                     0xff, 0xff, 0xff, 0x81, 0x01};
    uint64_t v;
    const uint8_t *p = padded;
    assert_false(svt_varint_read(&p, padded + sizeof padded, &v));
    p = over;
    assert_false(svt_varint_read(&p, over + sizeof over, &v));
    p = eleven;
    assert_false(svt_varint_read(&p, eleven + sizeof eleven, &v));
}

static void the_first_failed_allocation_sticks(void **state)
{
    (void)state;
    struct svt_bytes b = {0};
    svt_bytes_append(&b, "kept", 4);
    test_mem_left = 0;
    assert_false(svt_bytes_reserve(&b, 1000));
    test_mem_left = -1;
    svt_bytes_byte(&b, 'x');
    svt_bytes_varint(&b, 5);
    assert_true(b.failed);
    assert_int_equal(b.size, 4);
    assert_memory_equal(b.data, "kept", 4);
    assert_false(svt_bytes_reserve(&b, SIZE_MAX));
    svt_bytes_clear(&b);
    assert_false(svt_bytes_reserve(&b, SIZE_MAX));
    svt_bytes_fini(&b);
    assert_int_equal(test_mem_live, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(appended_bytes_come_back_in_order),
        cmocka_unit_test(varints_are_leb128_and_come_back),
        cmocka_unit_test(overlong_varints_are_refused),
        cmocka_unit_test(the_first_failed_allocation_sticks),
    };
    return cmocka_run_group_tests(tests, test_mem_install, NULL);
}
