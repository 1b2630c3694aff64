/* SPDX-License-Identifier: Apache-2.0 */
#include "table/segments.h"

#include "base/rand.h"
#include "test.h"

static const struct sdb_segment example = {
    .offset = 3, .size = 16, .file = 21, .check = UINT64_C(0x0eb29fb4a9eb37db)};

/* FORMAT.md, "Records", kind 5. */
static void the_worked_example_is_what_is_written(void **state)
{
    (void)state;
    struct sdb_buf b = {0};
    sdb_segments_begin(&b, 1);
    sdb_segments_add(&b, &example);
    sdb_buf_append(&b, "abcd", 4);
    test_hex_equal(sdb_buf_slice(&b),
                   "01 03 10 15 00 00 db 37 eb a9 b4 9f b2 0e 61 62 63 64");
    sdb_buf_fini(&b);
}

static void what_was_written_is_read(void **state)
{
    (void)state;
    struct sdb_buf b = {0};
    struct sdb_segments all;
    struct sdb_segment s;
    seerdb_err err = {0};
    const struct sdb_segment second = {.offset = 19,
                                       .size = 70000,
                                       .file = UINT64_C(1) << 40,
                                       .slot = UINT32_MAX,
                                       .stored = 300,
                                       .check = 7};
    sdb_segments_begin(&b, 2);
    sdb_segments_add(&b, &example);
    sdb_segments_add(&b, &second);
    sdb_buf_append(&b, "abcd", 4);
    test_ok(sdb_segments_open(&all, sdb_buf_slice(&b), &err), &err);
    assert_int_equal(all.whole, 16 + 70000 + 4);
    test_slice_equal(all.inlined, test_slice("abcd"));
    assert_true(sdb_segments_next(&all, &s));
    assert_memory_equal(&s, &example, sizeof s);
    assert_true(sdb_segments_next(&all, &s));
    assert_memory_equal(&s, &second, sizeof s);
    assert_int_equal(sdb_segment_entry(&s), 32 + 304);
    assert_false(sdb_segments_next(&all, &s));
    sdb_buf_fini(&b);
}

static void what_breaks_a_rule_is_corrupt(void **state)
{
    static const struct {
        struct sdb_segment a, b;
        const char *inlined;
        int want;
    } cases[] = {
        {{.size = 4, .file = 1}, {.offset = 4, .size = 4, .file = 1}, "", 0},
        {{.size = 4, .file = 1}, {.offset = 6, .size = 4, .file = 1}, "ab", 0},
        /* they overlap; fall; are not filled between */
        {{.size = 4, .file = 1}, {.offset = 3, .size = 4, .file = 1}, "", -4},
        {{.offset = 8, .size = 4, .file = 1}, {.size = 4, .file = 1}, "abcdefgh", -4},
        {{.size = 4, .file = 1}, {.offset = 6, .size = 4, .file = 1}, "a", -4},
        /* no size; no file; more stored than there is; beyond the limits */
        {{.size = 0, .file = 1}, {.offset = 4, .size = 4, .file = 1}, "abcd", -4},
        {{.size = 4, .file = 0}, {.offset = 4, .size = 4, .file = 1}, "", -4},
        {{.size = 4, .file = 1, .stored = 5},
         {.offset = 4, .size = 4, .file = 1},
         "",
         -4},
        {{.size = 4, .file = 1},
         {.offset = 4, .size = SEERDB_VALUE_MAX, .file = 1},
         "",
         -4},
        {{.size = 4, .file = 1, .slot = UINT64_C(1) << 32},
         {.offset = 4, .size = 4, .file = 1},
         "",
         -4},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct sdb_buf b = {0};
        struct sdb_segments all;
        seerdb_err err = {0};
        sdb_segments_begin(&b, 2);
        sdb_segments_add(&b, &cases[i].a);
        sdb_segments_add(&b, &cases[i].b);
        sdb_buf_append_slice(&b, test_slice(cases[i].inlined));
        int rc = sdb_segments_open(&all, sdb_buf_slice(&b), &err);
        if (rc != cases[i].want)
            fail_msg("case %zu answers %d", i, rc);
        sdb_buf_fini(&b);
    }
}

/* Cut or changed at random: read within bounds, and within the limits if at all. */
static void damaged_bytes_are_read_within_bounds(void **state)
{
    struct sdb_rand r = {9};
    (void)state;
    for (int i = 0; i < 20000; i++) {
        struct sdb_buf b = {0};
        struct sdb_segments all;
        struct sdb_segment s;
        uint64_t sum = 0;
        sdb_segments_begin(&b, 2);
        sdb_segments_add(&b, &example);
        sdb_segments_add(&b, &(struct sdb_segment){.offset = 30, .size = 9, .file = 2});
        sdb_buf_append(&b, "0123456789abcdef", 16);
        for (uint64_t n = 1 + sdb_rand_below(&r, 3); n > 0; n--)
            b.data[sdb_rand_below(&r, b.size)] = (uint8_t)sdb_rand_next(&r);
        b.size = (size_t)sdb_rand_below(&r, b.size + 1);
        uint8_t *copy = sdb_mem_alloc(b.size);
        assert_non_null(copy);
        memcpy(copy, b.data, b.size);
        if (sdb_segments_open(&all, (seerdb_slice){copy, b.size}, NULL) == 0) {
            while (sdb_segments_next(&all, &s)) {
                assert_true(s.offset + s.size <= all.whole);
                sum += s.size;
            }
            assert_int_equal(sum + all.inlined.size, all.whole);
        }
        sdb_mem_free(copy);
        sdb_buf_fini(&b);
    }
}

static void references_are_counted_by_file(void **state)
{
    (void)state;
    struct sdb_vlog_refs refs = {0};
    seerdb_err err = {0};
    for (uint64_t file = 20; file > 0; file--) {
        struct sdb_buf b = {0};
        sdb_segments_begin(&b, 2);
        sdb_segments_add(&b, &(struct sdb_segment){.size = 100, .file = file});
        sdb_segments_add(&b, &(struct sdb_segment){
                                 .offset = 100, .size = 9, .file = 7, .stored = 3});
        test_ok(sdb_vlog_refs_count(&refs, sdb_buf_slice(&b), &err), &err);
        sdb_buf_fini(&b);
    }
    assert_int_equal(refs.n, 20);
    for (size_t i = 0; i < refs.n; i++) {
        assert_int_equal(refs.all[i].file, i + 1);
        assert_int_equal(refs.all[i].values, i + 1 == 7 ? 21 : 1);
        assert_int_equal(refs.all[i].bytes, 136 + (i + 1 == 7 ? 20 * 40 : 0));
    }
    sdb_vlog_refs_fini(&refs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_worked_example_is_what_is_written),
        cmocka_unit_test(what_was_written_is_read),
        cmocka_unit_test(what_breaks_a_rule_is_corrupt),
        cmocka_unit_test(damaged_bytes_are_read_within_bounds),
        cmocka_unit_test(references_are_counted_by_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
