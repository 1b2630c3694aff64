/* SPDX-License-Identifier: Apache-2.0 */
#include "base/codec.h"

#include "base/rand.h"
#include "test.h"

enum { RAW = 8192 };

static seerdb_err err;
static uint8_t text[RAW], noise[RAW], out[RAW];

static int setup(void **state)
{
    struct sdb_rand r = {1};
    struct sdb_codec *c = NULL;
    for (size_t i = 0; i < RAW; i++) {
        text[i] = (uint8_t)("row value "[i % 10] + (i % 97 == 0));
        noise[i] = (uint8_t)sdb_rand_next(&r);
    }
    test_ok(sdb_codec_new(&c, &err), &err);
    *state = c;
    return 0;
}

static int teardown(void **state)
{
    sdb_codec_free(*state);
    sdb_codec_free(NULL);
    return 0;
}

static void what_is_compressed_comes_back(void **state)
{
    struct sdb_buf b = {0};
    static const int levels[] = {1, 3, 9, 19};
    for (size_t i = 0; i < 4; i++) {
        sdb_buf_clear(&b);
        sdb_buf_append(&b, "head", 4); /* the codec appends */
        test_ok(
            sdb_codec_compress(*state, levels[i], (seerdb_slice){text, RAW}, &b, &err),
            &err);
        assert_memory_equal(b.data, "head", 4);
        assert_in_range(b.size, 5, RAW / 2);
        seerdb_slice packed = {b.data + 4, b.size - 4};
        memset(out, 0, RAW);
        test_ok(sdb_codec_decompress(*state, packed, out, RAW, &err), &err);
        assert_memory_equal(out, text, RAW);
        memset(out, 0, RAW);
        test_ok(sdb_codec_decompress(NULL, packed, out, RAW, &err), &err);
        assert_memory_equal(out, text, RAW);
    }
    sdb_buf_fini(&b);
}

static void what_would_not_shrink_is_left_alone(void **state)
{
    struct sdb_buf b = {0};
    sdb_buf_append(&b, "head", 4);
    assert_int_equal(
        sdb_codec_compress(*state, 3, (seerdb_slice){noise, RAW}, &b, &err),
        SEERDB_NOTFOUND);
    assert_int_equal(sdb_codec_compress(*state, 3, (seerdb_slice){text, 4}, &b, &err),
                     SEERDB_NOTFOUND);
    assert_int_equal(sdb_codec_compress(*state, 3, (seerdb_slice){NULL, 0}, &b, &err),
                     SEERDB_NOTFOUND);
    memset(noise + RAW - 800, 0, 800); /* a tenth can be saved, an eighth is wanted */
    assert_int_equal(
        sdb_codec_compress(*state, 3, (seerdb_slice){noise, RAW}, &b, &err),
        SEERDB_NOTFOUND);
    test_slice_equal(sdb_buf_slice(&b), test_slice("head"));
    memset(noise + RAW - 1200, 0, 1200);
    test_ok(sdb_codec_compress(*state, 3, (seerdb_slice){noise, RAW}, &b, &err), &err);
    b.size = 4;
    test_slice_equal(sdb_buf_slice(&b), test_slice("head"));
    assert_int_equal(err.code, 0);
    sdb_buf_fini(&b);
}

static void another_size_is_corrupt(void **state)
{
    struct sdb_buf b = {0};
    uint8_t more[RAW + 1];
    test_ok(sdb_codec_compress(*state, 3, (seerdb_slice){text, RAW}, &b, &err), &err);
    test_fails(sdb_codec_decompress(*state, sdb_buf_slice(&b), out, RAW - 1, &err),
               SEERDB_CORRUPT, &err);
    test_fails(sdb_codec_decompress(*state, sdb_buf_slice(&b), more, RAW + 1, &err),
               SEERDB_CORRUPT, &err);
    test_fails(sdb_codec_decompress(*state, (seerdb_slice){NULL, 0}, out, RAW, &err),
               SEERDB_CORRUPT, &err);
    for (size_t n = 0; n < b.size; n++)
        test_fails(
            sdb_codec_decompress(*state, (seerdb_slice){b.data, n}, out, RAW, &err),
            SEERDB_CORRUPT, &err);
    sdb_buf_fini(&b);
}

/* A flipped bit may give other bytes (block checksums find that), never more than
 * fit or another answer than these two. */
static void damaged_bytes_never_overrun(void **state)
{
    struct sdb_buf b = {0};
    unsigned refused = 0;
    test_ok(sdb_codec_compress(*state, 3, (seerdb_slice){text, RAW}, &b, &err), &err);
    uint8_t *exact = sdb_mem_alloc(RAW); /* so that asan sees an overrun */
    assert_non_null(exact);
    for (size_t i = 0; i < b.size * 8; i++) {
        b.data[i / 8] ^= (uint8_t)(1 << i % 8);
        int rc = sdb_codec_decompress(*state, sdb_buf_slice(&b), exact, RAW, NULL);
        assert_true(rc == 0 || rc == SEERDB_CORRUPT);
        refused += rc != 0;
        b.data[i / 8] ^= (uint8_t)(1 << i % 8);
    }
    assert_true(refused > 0);
    test_ok(sdb_codec_decompress(*state, sdb_buf_slice(&b), exact, RAW, &err), &err);
    sdb_mem_free(exact);
    sdb_buf_fini(&b);
}

static void no_memory_is_an_answer(void **state)
{
    struct sdb_buf b = {0};
    struct sdb_codec *c = NULL;
    sdb_mem_fail_after(0);
    int made = sdb_codec_new(&c, NULL);
    int done = sdb_codec_compress(*state, 3, (seerdb_slice){text, RAW}, &b, NULL);
    sdb_mem_fail_after(-1);
    assert_int_equal(made, SEERDB_NOMEM);
    assert_null(c);
    assert_int_equal(done, SEERDB_NOMEM);
    sdb_buf_fini(&b);
}

#define EACH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        EACH(what_is_compressed_comes_back), EACH(what_would_not_shrink_is_left_alone),
        EACH(another_size_is_corrupt),       EACH(damaged_bytes_never_overrun),
        EACH(no_memory_is_an_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
