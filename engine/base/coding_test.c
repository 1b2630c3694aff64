/* SPDX-License-Identifier: Apache-2.0 */
#include "base/coding.h"

#include "test.h"

static void integers_are_little_endian(void **state)
{
    struct sdb_buf b = {0};
    (void)state;
    sdb_put_u8(&b, 0x01);
    sdb_put_u16(&b, 0x0302);
    sdb_put_u32(&b, 0x07060504);
    sdb_put_u64(&b, 0x0f0e0d0c0b0a0908);
    test_hex_equal(sdb_buf_slice(&b), "01 0203 04050607 08090a0b0c0d0e0f");
    struct sdb_reader r = sdb_reader_init(sdb_buf_slice(&b));
    assert_int_equal(sdb_get_u8(&r), 0x01);
    assert_int_equal(sdb_get_u16(&r), 0x0302);
    assert_int_equal(sdb_get_u32(&r), 0x07060504);
    assert_false(sdb_reader_done(&r));
    assert_int_equal(sdb_get_u64(&r), 0x0f0e0d0c0b0a0908);
    assert_true(sdb_reader_done(&r));
    sdb_buf_fini(&b);
}

static void all_bits_of_integers_survive(void **state)
{
    uint8_t p[9];
    (void)state;
    sdb_store_u16(p + 1, UINT16_MAX);
    assert_int_equal(sdb_load_u16(p + 1), UINT16_MAX);
    sdb_store_u32(p + 1, 0x89abcdef);
    assert_int_equal(sdb_load_u32(p + 1), 0x89abcdef);
    sdb_store_u64(p + 1, 0x89abcdef01234567);
    assert_int_equal(sdb_load_u64(p + 1), 0x89abcdef01234567);
}

static void big_endian_integers_sort_as_bytes(void **state)
{
    static const uint64_t rising[] = {0, 1, 255, 256, 65536, 1u << 31, UINT64_MAX};
    uint8_t a[8], b[8];
    (void)state;
    sdb_store_be64(a, 0x0102030405060708);
    test_hex_equal((seerdb_slice){a, 8}, "0102030405060708");
    for (size_t i = 1; i < sizeof rising / sizeof rising[0]; i++) {
        sdb_store_be64(a, rising[i - 1]);
        sdb_store_be64(b, rising[i]);
        assert_true(memcmp(a, b, 8) < 0);
        assert_int_equal(sdb_load_be64(b), rising[i]);
    }
}

static void varints_have_the_promised_bytes(void **state)
{
    static const struct {
        uint64_t value;
        const char *bytes;
    } cases[] = {
        {0, "00"},
        {1, "01"},
        {127, "7f"},
        {128, "8001"},
        {300, "ac02"},
        {16383, "ff7f"},
        {16384, "808001"},
        {UINT32_MAX, "ffffffff0f"},
        {(uint64_t)1 << 56, "808080808080808001"},
        {INT64_MAX, "ffffffffffffffff7f"},
        {(uint64_t)1 << 63, "80808080808080808001"},
        {UINT64_MAX, "ffffffffffffffffff01"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct sdb_buf b = {0};
        sdb_put_varint(&b, cases[i].value);
        test_hex_equal(sdb_buf_slice(&b), cases[i].bytes);
        assert_int_equal(sdb_varint_size(cases[i].value), b.size);
        struct sdb_reader r = sdb_reader_init(sdb_buf_slice(&b));
        assert_int_equal(sdb_get_varint(&r), cases[i].value);
        assert_true(sdb_reader_done(&r));
        for (size_t n = 0; n < b.size; n++) { /* every proper prefix is refused */
            r = sdb_reader_init((seerdb_slice){b.data, n});
            assert_int_equal(sdb_get_varint(&r), 0);
            assert_true(r.failed);
        }
        sdb_buf_fini(&b);
    }
}

static void varints_of_other_forms_are_refused(void **state)
{
    static const struct {
        size_t size;
        uint8_t bytes[12];
    } cases[] = {
        {2, {0x80, 0x00}},       /* 0 in two bytes */
        {3, {0xff, 0x80, 0x00}}, /* 127 in three */
        {10,
         {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02}}, /* 65 bits */
        {10,
         {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x81}}, /* goes on */
        {11, {0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01}},
        {10, {0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00}},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct sdb_reader r =
            sdb_reader_init((seerdb_slice){cases[i].bytes, cases[i].size});
        assert_int_equal(sdb_get_varint(&r), 0);
        assert_true(r.failed);
        assert_false(sdb_reader_done(&r));
    }
}

static void slices_are_a_length_and_the_bytes(void **state)
{
    struct sdb_buf b = {0};
    (void)state;
    sdb_put_slice(&b, test_slice("abc"));
    sdb_put_slice(&b, (seerdb_slice){NULL, 0});
    test_hex_equal(sdb_buf_slice(&b), "03 616263 00");
    struct sdb_reader r = sdb_reader_init(sdb_buf_slice(&b));
    test_slice_equal(sdb_get_slice(&r), test_slice("abc"));
    assert_int_equal(sdb_get_slice(&r).size, 0);
    assert_true(sdb_reader_done(&r));
    r = sdb_reader_init((seerdb_slice){b.data, 3}); /* "abc" lacks its c */
    assert_int_equal(sdb_get_slice(&r).size, 0);
    assert_true(r.failed);
    sdb_buf_clear(&b);
    sdb_put_varint(&b, UINT64_MAX); /* a length that reaches around the address space */
    sdb_put_u64(&b, 0);
    r = sdb_reader_init(sdb_buf_slice(&b));
    assert_null(sdb_get_slice(&r).data);
    assert_true(r.failed);
    sdb_buf_fini(&b);
}

static void the_first_bad_read_sticks(void **state)
{
    static const uint8_t bytes[] = {1, 2, 3, 4};
    struct sdb_reader r = sdb_reader_init((seerdb_slice){bytes, sizeof bytes});
    (void)state;
    assert_int_equal(sdb_get_u8(&r), 1);
    assert_int_equal(sdb_get_u32(&r), 0); /* three are left */
    assert_int_equal(sdb_get_u8(&r), 0);
    assert_int_equal(sdb_get_u16(&r), 0);
    assert_int_equal(sdb_get_u64(&r), 0);
    assert_int_equal(sdb_get_varint(&r), 0);
    assert_null(sdb_get_bytes(&r, 1).data);
    assert_null(sdb_get_bytes(&r, 0).data);
    assert_false(sdb_reader_done(&r));
}

static void nothing_is_read_from_nothing(void **state)
{
    struct sdb_reader r = sdb_reader_init((seerdb_slice){NULL, 0});
    (void)state;
    assert_true(sdb_reader_done(&r));
    assert_int_equal(sdb_reader_left(&r), 0);
    assert_int_equal(sdb_get_bytes(&r, 0).size, 0);
    assert_int_equal(sdb_get_u8(&r), 0);
    assert_false(sdb_reader_done(&r));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers_are_little_endian),
        cmocka_unit_test(all_bits_of_integers_survive),
        cmocka_unit_test(big_endian_integers_sort_as_bytes),
        cmocka_unit_test(varints_have_the_promised_bytes),
        cmocka_unit_test(varints_of_other_forms_are_refused),
        cmocka_unit_test(slices_are_a_length_and_the_bytes),
        cmocka_unit_test(the_first_bad_read_sticks),
        cmocka_unit_test(nothing_is_read_from_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
