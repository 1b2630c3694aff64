/* SPDX-License-Identifier: Apache-2.0 */
#include "table/vec.h"

#include "base/coding.h"
#include "base/rand.h"
#include "test.h"

enum { MOST = 80 };

static void all_variants_count_alike(void **state)
{
    uint8_t column[8 * MOST + 8];
    uint64_t values[MOST];
    struct sdb_rand r = {1};
    (void)state;
    for (unsigned round = 0; round < 3000; round++) {
        size_t n = sdb_rand_below(&r, MOST + 1), shift = sdb_rand_below(&r, 8);
        uint64_t mask = UINT64_MAX >> sdb_rand_below(&r, 64);
        uint64_t top = sdb_rand_below(&r, 2) << 63; /* signed compares would differ */
        for (size_t i = 0; i < n; i++) {
            values[i] = (sdb_rand_next(&r) & mask) ^ top;
            sdb_store_u64(column + shift + 8 * i, values[i]);
        }
        uint64_t value = n > 0 && round % 2 ? values[sdb_rand_below(&r, n)]
                                            : sdb_rand_next(&r) & mask;
        size_t want = 0;
        for (size_t i = 0; i < n; i++)
            want += values[i] < value;
        for (unsigned v = 0; sdb_vec_at(v) != NULL; v++)
            if (sdb_vec_at(v)->count_below(column + shift, n, value) != want)
                fail_msg("%s: n %zu, not %zu", sdb_vec_at(v)->name, n, want);
    }
}

static void all_variants_count_the_same_of_narrow_columns(void **state)
{
    static uint8_t column[4 * 130 + 8];
    struct sdb_rand r = {3};
    (void)state;
    for (unsigned round = 0; round < 3000; round++) {
        size_t n = sdb_rand_below(&r, 130), shift = sdb_rand_below(&r, 8), want = 0;
        uint32_t mask = round % 3 == 0 ? 7 : UINT32_MAX;
        uint32_t value = (uint32_t)sdb_rand_next(&r) & mask;
        for (size_t i = 0; i < n; i++) {
            uint32_t x = (uint32_t)sdb_rand_next(&r) & mask;
            sdb_store_u32(column + shift + 4 * i, x);
            want += x < value;
        }
        for (unsigned v = 0; sdb_vec_at(v) != NULL; v++)
            if (sdb_vec_at(v)->count_below32(column + shift, n, value) != want)
                fail_msg("%s: n %zu, not %zu", sdb_vec_at(v)->name, n, want);
    }
}

static void all_variants_make_and_read_the_same_lines(void **state)
{
    uint8_t lines[4][SDB_LINE_SIZE];
    struct sdb_rand r = {2};
    (void)state;
    for (unsigned round = 0; round < 500; round++) {
        memset(lines, 0, sizeof lines);
        for (unsigned n = 0; n < 30; n++) {
            uint32_t in = (uint32_t)sdb_rand_next(&r),
                     ask = (uint32_t)sdb_rand_next(&r);
            for (unsigned v = 0; sdb_vec_at(v) != NULL; v++) {
                sdb_vec_at(v)->line_add(lines[v], in);
                assert_true(sdb_vec_at(v)->line_has(lines[v], in));
                assert_memory_equal(lines[0], lines[v], SDB_LINE_SIZE);
                assert_int_equal(sdb_vec_at(v)->line_has(lines[v], ask),
                                 sdb_vec_at(0)->line_has(lines[0], ask));
            }
        }
    }
}

static void one_key_sets_one_bit_of_each_word(void **state)
{
    uint8_t line[SDB_LINE_SIZE];
    (void)state;
    for (uint32_t hash = 0; hash < 1000; hash++) {
        memset(line, 0, sizeof line);
        assert_false(sdb_vec->line_has(line, hash * 0x9e3779b1u));
        sdb_vec->line_add(line, hash * 0x9e3779b1u);
        for (size_t i = 0; i < 8; i++)
            assert_int_equal(__builtin_popcount(sdb_load_u32(line + 4 * i)), 1);
    }
}

static void the_best_is_one_of_them(void **state)
{
    bool found = false;
    (void)state;
    for (unsigned v = 0; sdb_vec_at(v) != NULL; v++)
        found |= sdb_vec_at(v) == sdb_vec;
    assert_true(found);
    assert_string_equal(sdb_vec_at(0)->name, "plain");
    assert_null(sdb_vec_at(3));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_variants_count_alike),
        cmocka_unit_test(all_variants_count_the_same_of_narrow_columns),
        cmocka_unit_test(all_variants_make_and_read_the_same_lines),
        cmocka_unit_test(one_key_sets_one_bit_of_each_word),
        cmocka_unit_test(the_best_is_one_of_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
