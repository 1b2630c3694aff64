/* SPDX-License-Identifier: Apache-2.0 */
#include "table/filter.h"

#include "base/coding.h"
#include "base/rand.h"
#include "test.h"

#include <math.h>

static void parse(struct sdb_filter *f, const struct sdb_buf *b)
{
    seerdb_err err = {0};
    test_ok(sdb_buf_check(b, &err), &err);
    assert_true(sdb_filter_parse(f, sdb_buf_slice(b)));
}

static void the_filter_of_the_format_document_is_built(void **state)
{
    uint64_t hashes[] = {sdb_filter_hash(test_slice("ka")),
                         sdb_filter_hash(test_slice("kbc"))};
    struct sdb_buf out = {0};
    (void)state;
    assert_true(hashes[0] == UINT64_C(0xba0b13490bce2110));
    sdb_filter_build(&out, hashes, 2, 10);
    /* FORMAT.md, "Filter block" */
    test_hex_equal(sdb_buf_slice(&out),
                   "01 00 00 00 00 00 00 00 02 00 00 00 00 00 00 00"
                   "00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00"
                   "00 40 00 20 00 40 00 00 02 00 10 00 40 00 00 10"
                   "00 00 20 80 00 00 02 01 00 88 00 00 00 00 00 28");
    sdb_buf_fini(&out);
}

/* What Poisson(256 / bits) keys in a line let pass. */
static double expected_rate(double bits)
{
    double mean = 256 / bits, share = exp(-mean), rate = 0;
    for (int i = 0; i < 400; i++) {
        rate += share * pow(1 - pow(31.0 / 32, i), 8);
        share *= mean / (i + 1);
    }
    return rate;
}

enum { KEYS = 100000, QUESTIONS = 1000000 };

/* The i-th key of a kind; buf has room for 32 bytes. */
static seerdb_slice make_key(char *buf, int kind, uint64_t i)
{
    int n = 0;
    switch (kind) {
    case 0: /* counted, so neighbours differ in one digit */
        n = snprintf(buf, 32, "user%016" PRIu64, i);
        break;
    case 1: /* integers */
        sdb_store_be64(buf, i ^ UINT64_C(1) << 63);
        n = 8;
        break;
    case 2: /* one byte, repeated: only the length differs; then pairs of bits */
        memset(buf, 'a' + (int)(i % 23), 24);
        sdb_store_u64(buf + 24, i / 23 << 40);
        n = 32;
        break;
    default: /* all zeros but for one word, which steps by a power of two */
        memset(buf, 0, 24);
        sdb_store_u64(buf + 8, i << 43);
        n = 24;
        break;
    }
    return (seerdb_slice){buf, (size_t)n};
}

static void the_rate_is_what_theory_says_and_no_key_is_lost(void **state)
{
    static const double bits[] = {8, 10, 10.5, 12, 14};
    static uint64_t hashes[KEYS];
    char buf[40];
    (void)state;
    for (int kind = 0; kind < 4; kind++) {
        for (uint64_t i = 0; i < KEYS; i++)
            hashes[i] = sdb_filter_hash(make_key(buf, kind, i));
        for (size_t b = 0; b < sizeof bits / sizeof *bits; b++) {
            struct sdb_buf out = {0};
            struct sdb_filter f;
            double passed = 0, want = expected_rate(bits[b]);
            sdb_filter_build(&out, hashes, KEYS, bits[b]);
            parse(&f, &out);
            assert_int_equal(f.keys, KEYS);
            assert_true(fabs(256.0 * f.n / KEYS - bits[b]) < 0.01);
            for (uint64_t i = 0; i < KEYS; i++)
                assert_true(sdb_filter_has(&f, hashes[i]));
            for (uint64_t i = KEYS; i < KEYS + QUESTIONS; i++)
                passed += sdb_filter_has(&f, sdb_filter_hash(make_key(buf, kind, i)));
            if (fabs(passed / QUESTIONS / want - 1) > 0.2)
                fail_msg("kind %d, %.1f bits: %.4f%%, theory says %.4f%%", kind,
                         bits[b], 100 * passed / QUESTIONS, 100 * want);
            sdb_buf_fini(&out);
        }
    }
}

static void no_key_is_lost_at_any_size(void **state)
{
    struct sdb_rand r = {7};
    uint64_t hashes[300];
    (void)state;
    for (unsigned n = 1; n <= 300; n++) {
        struct sdb_buf out = {0};
        struct sdb_filter f;
        for (unsigned i = 0; i < n; i++) /* hashes at the ends of what a line may be */
            hashes[i] = i % 3 == 0   ? sdb_rand_next(&r)
                        : i % 3 == 1 ? UINT64_MAX << sdb_rand_below(&r, 64)
                                     : UINT64_MAX >> sdb_rand_below(&r, 64);
        sdb_filter_build(&out, hashes, n, n % 2 == 0 ? 0.01 : 20);
        parse(&f, &out);
        for (unsigned i = 0; i < n; i++)
            assert_true(sdb_filter_has(&f, hashes[i]));
        sdb_buf_fini(&out);
    }
}

static void what_is_no_filter_is_refused(void **state)
{
    static const struct {
        size_t at;
        uint8_t value;
        bool fine;
    } cases[] = {
        {63, 1, true}, {0, 0, false}, {0, 2, false},  {3, 0xff, false}, {4, 1, false},
        {7, 1, false}, {8, 0, false}, {16, 1, false}, {31, 1, false},
    };
    uint64_t hash = 5;
    struct sdb_filter f;
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sdb_buf out = {0};
        sdb_filter_build(&out, &hash, 1, 10);
        assert_int_equal(out.size, 64);
        out.data[cases[i].at] = cases[i].value;
        if (sdb_filter_parse(&f, sdb_buf_slice(&out)) != cases[i].fine)
            fail_msg("case %zu", i);
        for (size_t n = 0; n < out.size; n++)
            assert_false(sdb_filter_parse(&f, (seerdb_slice){out.data, n}));
        sdb_buf_fini(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_filter_of_the_format_document_is_built),
        cmocka_unit_test(the_rate_is_what_theory_says_and_no_key_is_lost),
        cmocka_unit_test(no_key_is_lost_at_any_size),
        cmocka_unit_test(what_is_no_filter_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
