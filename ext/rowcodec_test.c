/* SPDX-License-Identifier: Apache-2.0 */
#include "rowcodec.h"

#include "base/rand.h"
#include "test_mem.h"

#include <stdlib.h>

#define INTEGER(v)                                                                     \
    {                                                                                  \
        .type = SQLITE_INTEGER, .i = (v)                                               \
    }
#define REAL(v)                                                                        \
    {                                                                                  \
        .type = SQLITE_FLOAT, .r = (v)                                                 \
    }
#define TEXT(s)                                                                        \
    {                                                                                  \
        .type = SQLITE_TEXT, .bytes = { s, sizeof s - 1 }                              \
    }
#define BLOB(s)                                                                        \
    {                                                                                  \
        .type = SQLITE_BLOB, .bytes = { s, sizeof s - 1 }                              \
    }

static const char long_text[70000] = "long";

static const struct svt_value awkward[] = {
    {.type = SQLITE_NULL},
    INTEGER(0),
    INTEGER(1),
    INTEGER(2),
    INTEGER(-1),
    INTEGER(127),
    INTEGER(128),
    INTEGER(-128),
    INTEGER(-129),
    INTEGER(32767),
    INTEGER(32768),
    INTEGER(-32768),
    INTEGER(-32769),
    INTEGER(8388607),
    INTEGER(8388608),
    INTEGER(-8388608),
    INTEGER(-8388609),
    INTEGER(INT32_MAX),
    INTEGER((int64_t)INT32_MAX + 1),
    INTEGER(INT32_MIN),
    INTEGER((int64_t)INT32_MIN - 1),
    INTEGER(140737488355327),
    INTEGER(140737488355328),
    INTEGER(-140737488355328),
    INTEGER(-140737488355329),
    INTEGER(INT64_MAX),
    INTEGER(INT64_MIN),
    REAL(0.0),
    REAL(-0.0),
    REAL(1.5),
    REAL(-1e300),
    TEXT(""),
    BLOB(""),
    TEXT("a"),
    BLOB("a\0b"),
    TEXT("0123456789012345678901234567890123456789012345678901234"),
    TEXT("01234567890123456789012345678901234567890123456789012345"),
    BLOB("0123456789012345678901234567890123456789012345678901234"),
    BLOB("01234567890123456789012345678901234567890123456789012345"),
    {.type = SQLITE_TEXT, .bytes = {long_text, sizeof long_text}},
};
#define NAWKWARD (sizeof awkward / sizeof awkward[0])

static void expect_column(struct svt_row *row, unsigned i, const struct svt_value *want)
{
    struct svt_value got = {0};
    uint8_t in_key = 99;
    assert_true(svt_row_get(row, i, &got, &in_key));
    assert_int_equal(in_key, 0);
    if (!svt_value_identical(&got, want))
        fail_msg("column %u: type %d %lld, wanted type %d %lld", i, got.type,
                 (long long)got.i, want->type, (long long)want->i);
}

static void the_documented_bytes_are_written_and_read(void **state)
{
    (void)state;
    static const struct svt_value values[] = {TEXT("x"), TEXT("hi"), INTEGER(-2)};
    static const uint8_t in_key[] = {SVT_CODE_KEY, 0, 0};
    struct svt_bytes b = {0};
    struct svt_row row;
    struct svt_value got = INTEGER(77);
    uint8_t where = 0;
    svt_row_put(&b, values, in_key, 3);
    test_hex_equal(svt_bytes_slice(&b), "00 03 0a 15 01 68 69 fe");
    assert_true(svt_row_open(&row, svt_bytes_slice(&b)));
    assert_int_equal(row.ncolumns, 3);
    assert_true(svt_row_get(&row, 0, &got, &where));
    assert_int_equal(where, SVT_CODE_KEY);
    assert_int_equal(got.i, 77); /* untouched */
    expect_column(&row, 1, &values[1]);
    expect_column(&row, 2, &values[2]);
    svt_bytes_fini(&b);
}

static void every_value_comes_back_in_any_order(void **state)
{
    (void)state;
    struct svt_bytes b = {0};
    struct svt_row row;
    struct sdb_rand r = {1};
    svt_row_put(&b, awkward, NULL, NAWKWARD);
    assert_false(b.failed);
    assert_true(svt_row_open(&row, svt_bytes_slice(&b)));
    for (unsigned i = 0; i < NAWKWARD; i++)
        expect_column(&row, i, &awkward[i]);
    for (unsigned i = 0; i < 1000; i++) {
        unsigned column = (unsigned)sdb_rand_below(&r, NAWKWARD);
        expect_column(&row, column, &awkward[column]);
    }
    svt_bytes_fini(&b);
}

static void integers_take_the_fewest_bytes(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 0, 0, 1, 1, 1, 2, 1, 2, 2, 3, 2, 3, 3,
                                   4, 3, 4, 4, 6, 4, 6, 6, 8, 6, 8, 8, 8};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct svt_bytes b = {0};
        svt_row_put(&b, &awkward[i], NULL, 1);
        if (b.size != 3 + sizes[i])
            fail_msg("%lld takes %zu bytes", (long long)awkward[i].i, b.size - 3);
        svt_bytes_fini(&b);
    }
}

static void columns_beyond_the_stored_ones_are_null(void **state)
{
    (void)state;
    static const struct svt_value null = {.type = SQLITE_NULL};
    struct svt_bytes b = {0};
    struct svt_row row;
    svt_row_put(&b, NULL, NULL, 0);
    test_hex_equal(svt_bytes_slice(&b), "00 00");
    assert_true(svt_row_open(&row, svt_bytes_slice(&b)));
    expect_column(&row, 0, &null);
    svt_bytes_clear(&b);
    svt_row_put(&b, &awkward[1], NULL, 2);
    assert_true(svt_row_open(&row, svt_bytes_slice(&b)));
    expect_column(&row, 2, &null);
    expect_column(&row, 1, &awkward[2]);
    expect_column(&row, 1999, &null);
    svt_bytes_fini(&b);
}

static void wide_rows_and_key_columns_anywhere_work(void **state)
{
    (void)state;
    struct svt_value values[300];
    uint8_t in_key[300];
    struct svt_bytes b = {0};
    struct svt_row row;
    for (unsigned i = 0; i < 300; i++) {
        values[i] = awkward[i % (NAWKWARD - 1)];
        in_key[i] = i % 50 == 7 ? SVT_CODE_KEY_REAL : i % 50 == 9 ? SVT_CODE_KEY : 0;
    }
    svt_row_put(&b, values, in_key, 300);
    assert_true(svt_row_open(&row, svt_bytes_slice(&b)));
    for (unsigned i = 300; i-- > 0;) {
        struct svt_value got;
        uint8_t where;
        if (in_key[i] == 0) {
            expect_column(&row, i, &values[i]);
        } else {
            assert_true(svt_row_get(&row, i, &got, &where));
            assert_int_equal(where, in_key[i]);
        }
    }
    svt_bytes_fini(&b);
}

/* Read all columns of hostile bytes, copied so that the sanitizer sees their end.
 * Whether all were accepted. */
static bool read_hostile(const uint8_t *bytes, size_t n)
{
    uint8_t *copy = malloc(n > 0 ? n : 1);
    struct svt_row row;
    assert_non_null(copy);
    if (n > 0)
        memcpy(copy, bytes, n);
    bool ok = svt_row_open(&row, (seerdb_slice){copy, n});
    unsigned sum = 0;
    for (unsigned i = 0; ok && i < row.ncolumns; i++) {
        struct svt_value v = {0};
        uint8_t where = 0;
        ok = svt_row_get(&row, i, &v, &where);
        if (ok && where == 0 && (v.type == SQLITE_TEXT || v.type == SQLITE_BLOB)) {
            assert_true(v.bytes.size <= n);
            for (size_t j = 0; j < v.bytes.size; j++)
                sum += ((const uint8_t *)v.bytes.data)[j];
        }
    }
    free(copy);
    return ok && sum != 1u << 31;
}

static void cut_rows_are_refused(void **state)
{
    (void)state;
    struct svt_bytes b = {0};
    svt_row_put(&b, awkward, NULL, NAWKWARD - 1);
    for (size_t n = 0; n < b.size; n++)
        assert_false(read_hostile(b.data, n));
    assert_true(read_hostile(b.data, b.size));
    svt_bytes_byte(&b, 0);
    assert_false(read_hostile(b.data, b.size));
    svt_bytes_fini(&b);
}

static void flipped_and_random_bytes_stay_within_bounds(void **state)
{
    (void)state;
    struct svt_bytes b = {0};
    struct sdb_rand r = {5};
    svt_row_put(&b, awkward, NULL, NAWKWARD - 1);
    for (size_t i = 0; i < b.size; i++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            b.data[i] ^= (uint8_t)(1u << bit);
            read_hostile(b.data, b.size);
            b.data[i] ^= (uint8_t)(1u << bit);
        }
    }
    for (unsigned round = 0; round < 100000; round++) {
        uint8_t noise[24];
        size_t n = sdb_rand_below(&r, sizeof noise + 1);
        for (size_t i = 0; i < n; i++)
            noise[i] = (uint8_t)(sdb_rand_next(&r) >> sdb_rand_below(&r, 60));
        read_hostile(noise, n);
    }
    svt_bytes_fini(&b);
}

static void impossible_rows_are_refused(void **state)
{
    (void)state;
    static const struct {
        size_t n;
        uint8_t bytes[16];
    } cases[] = {
        {0, {0}},
        {1, {0}},
        {2, {0, 1}},     /* a column without a code */
        {3, {0, 1, 12}}, /* reserved */
        {3, {0, 1, 15}},
        {3, {0, 1, 1}},          /* an integer without its byte */
        {4, {0, 1, 0x80, 0x00}}, /* a code not in its shortest form */
        {4, {0, 1, 20, 0}},      /* blob of 2 */
        {5, {0, 1, 1, 7, 7}},    /* a byte too many */
        {3, {0x80, 0x00, 0}},
        {13, {0, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 0}},
        {6, {0, 0x80, 0x80, 0x80, 0x80, 0x10}}, /* 2^32 columns */
        {11, {0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        if (read_hostile(cases[i].bytes, cases[i].n))
            fail_msg("case %zu was accepted", i);
    }
}

static void running_out_of_memory_is_remembered(void **state)
{
    (void)state;
    for (int64_t left = 0;; left++) {
        struct svt_bytes b = {0};
        test_mem_left = left;
        svt_row_put(&b, awkward, NULL, NAWKWARD);
        test_mem_left = -1;
        bool failed = b.failed;
        svt_bytes_fini(&b);
        assert_int_equal(test_mem_live, 0);
        if (!failed) {
            assert_true(left > 1);
            break;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_documented_bytes_are_written_and_read),
        cmocka_unit_test(every_value_comes_back_in_any_order),
        cmocka_unit_test(integers_take_the_fewest_bytes),
        cmocka_unit_test(columns_beyond_the_stored_ones_are_null),
        cmocka_unit_test(wide_rows_and_key_columns_anywhere_work),
        cmocka_unit_test(cut_rows_are_refused),
        cmocka_unit_test(flipped_and_random_bytes_stay_within_bounds),
        cmocka_unit_test(impossible_rows_are_refused),
        cmocka_unit_test(running_out_of_memory_is_remembered),
    };
    return cmocka_run_group_tests(tests, test_mem_install, NULL);
}
