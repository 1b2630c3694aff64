/* SPDX-License-Identifier: Apache-2.0 */
#include "table/keycode.h"

#include "base/rand.h"
#include "test.h"

static seerdb_slice s(const char *text)
{
    return test_slice(text);
}

static void a_code_is_the_eight_bytes_after_the_prefix(void **state)
{
    static const struct {
        const char *prefix, *key;
        size_t size;
        uint64_t code;
    } cases[] = {
        /* FORMAT.md, "Key codes" */
        {"user/", "user/0042", 9, UINT64_C(0x3030343200000000)},
        {"user/", "user/", 5, 0},
        {"user/", "user/12345678tail", 17, UINT64_C(0x3132333435363738)},
        {"user/", "user", 4, 0},
        {"user/", "usedom", 6, 0},
        {"user/", "uses", 4, UINT64_MAX},
        {"user/", "v", 1, UINT64_MAX},
        {"user/", "", 0, 0},
        {"", "", 0, 0},
        {"", "\xff\xff\xff\xff\xff\xff\xff\xff\xff", 9, UINT64_MAX},
        {"", "a\0b", 3, UINT64_C(0x6100620000000000)},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sdb_coder c;
        sdb_coder_set(&c, s(cases[i].prefix));
        uint64_t code = sdb_code(&c, (seerdb_slice){cases[i].key, cases[i].size});
        if (code != cases[i].code)
            fail_msg("case %zu: %016" PRIx64 ", expected %016" PRIx64, i, code,
                     cases[i].code);
    }
}

static void a_coder_drops_what_the_bounds_share(void **state)
{
    char a[400], b[400];
    struct sdb_coder c;
    (void)state;
    sdb_coder_init(&c, s("table/0001"), s("table/0999"));
    assert_int_equal(c.prefix_size, 7);
    assert_memory_equal(c.prefix, "table/0", 7);
    assert_true(sdb_coder_covers(&c, s("table/0")));
    assert_true(sdb_coder_covers(&c, s("table/0999x")));
    assert_false(sdb_coder_covers(&c, s("table/")));
    assert_false(sdb_coder_covers(&c, s("table/1")));
    sdb_coder_init(&c, s(""), s("zebra"));
    assert_int_equal(c.prefix_size, 0);
    assert_true(sdb_coder_covers(&c, (seerdb_slice){NULL, 0}));
    memset(a, 'x', sizeof a);
    memset(b, 'x', sizeof b);
    sdb_coder_init(&c, (seerdb_slice){a, sizeof a}, (seerdb_slice){b, sizeof b});
    assert_int_equal(c.prefix_size, SDB_PREFIX_MAX);
}

static void common_prefixes_are_measured(void **state)
{
    (void)state;
    assert_int_equal(sdb_common_prefix(s(""), s("a")), 0);
    assert_int_equal(sdb_common_prefix(s("abc"), s("abd")), 2);
    assert_int_equal(sdb_common_prefix(s("abc"), s("abc")), 3);
    assert_int_equal(sdb_common_prefix(s("abcd"), s("abc")), 3);
    assert_int_equal(sdb_common_prefix((seerdb_slice){NULL, 0}, s("abc")), 0);
}

/* Short strings over a small alphabet, so that prefixes and ties abound. */
static size_t random_key(struct sdb_rand *r, uint8_t *out)
{
    static const uint8_t letters[] = {0, 1, 'a', 'b', 0xfe, 0xff};
    size_t n = sdb_rand_below(r, 14);
    for (size_t i = 0; i < n; i++)
        out[i] = letters[sdb_rand_below(r, sizeof letters)];
    return n;
}

static void codes_order_as_the_keys_do(void **state)
{
    struct sdb_rand r = {42};
    (void)state;
    for (int round = 0; round < 200000; round++) {
        uint8_t a[16], b[16], p[16];
        seerdb_slice ka = {a, random_key(&r, a)}, kb = {b, random_key(&r, b)};
        struct sdb_coder c;
        sdb_coder_set(&c, (seerdb_slice){p, random_key(&r, p) % 4});
        int order = sdb_slice_cmp(ka, kb);
        uint64_t ca = sdb_code(&c, ka), cb = sdb_code(&c, kb);
        if ((order < 0 && ca > cb) || (order > 0 && ca < cb) ||
            (order == 0 && ca != cb))
            fail_msg("round %d: codes %016" PRIx64 " and %016" PRIx64
                     " for keys that compare %d",
                     round, ca, cb, order);
    }
}

static void records_sort_by_key_then_newest_first(void **state)
{
    /* FORMAT.md, "Records" */
    static const struct {
        seerdb_slice key;
        uint64_t number;
    } order[] = {{{"", 0}, 3},       {{"key1", 4}, 9},  {{"key1", 4}, 2},
                 {{"key1\0", 5}, 1}, {{"key10", 5}, 5}, {{"key2", 4}, 4},
                 {{"\xff", 1}, 1}};
    (void)state;
    for (size_t i = 0; i < sizeof order / sizeof *order; i++)
        for (size_t j = 0; j < sizeof order / sizeof *order; j++) {
            int c = sdb_slice_cmp(order[i].key, order[j].key);
            bool before = c < 0 || (c == 0 && order[i].number > order[j].number);
            assert_int_equal(before, i < j);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_sort_by_key_then_newest_first),
        cmocka_unit_test(a_code_is_the_eight_bytes_after_the_prefix),
        cmocka_unit_test(a_coder_drops_what_the_bounds_share),
        cmocka_unit_test(common_prefixes_are_measured),
        cmocka_unit_test(codes_order_as_the_keys_do),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
