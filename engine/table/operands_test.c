/* SPDX-License-Identifier: Apache-2.0 */
#include "table/operands.h"

#include "test.h"

/* FORMAT.md, "Records". */
static void the_example_in_the_format_is_what_is_written(void **state)
{
    struct sdb_buf b = {0};
    struct sdb_operands o;
    seerdb_slice operand;
    (void)state;
    sdb_operands_put_head(&b, 7, 2);
    sdb_put_slice(&b, test_slice("x"));
    sdb_put_slice(&b, test_slice("y"));
    test_hex_equal(sdb_buf_slice(&b), "07 02 01 78 01 79");
    assert_true(sdb_operands_are_valid(sdb_buf_slice(&b), 9));
    assert_true(sdb_operands_open(&o, sdb_buf_slice(&b)));
    assert_int_equal(o.from, 7);
    assert_true(sdb_operands_next(&o, &operand));
    test_slice_equal(operand, test_slice("x"));
    assert_true(sdb_operands_next(&o, &operand));
    test_slice_equal(operand, test_slice("y"));
    assert_false(sdb_operands_next(&o, &operand));
    assert_true(sdb_operands_done(&o));
    sdb_buf_fini(&b);
}

static void a_record_with_one_operand_is_read_and_written_at_once(void **state)
{
    static const struct {
        const char *name;
        size_t size;
        const char *bytes;
        bool only;
        uint64_t from;
        const char *operand;
    } cases[] = {
        {"one", 4, "\7\1\1x", true, 7, "x"},
        {"an empty one", 3, "\0\1\0", true, 0, ""},
        {"a long number", 5, "\200\1\1\1x", true, 128, "x"},
        {"two", 6, "\7\2\1x\1y", false, 0, NULL},
        {"none", 2, "\7\0", false, 0, NULL},
        {"bytes behind it", 5, "\7\1\1xy", false, 0, NULL},
        {"beyond the end", 4, "\7\1\2x", false, 0, NULL},
        {"no operand", 2, "\7\1", false, 0, NULL},
        {"nothing", 0, "", false, 0, NULL},
        {"a number that is not the shortest", 5, "\207\0\1\1x", false, 0, NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        seerdb_slice value = {cases[i].bytes, cases[i].size}, operand;
        struct sdb_buf b = {0};
        uint64_t from;
        if (sdb_operands_only(value, &from, &operand) != cases[i].only)
            fail_msg("%s", cases[i].name);
        if (!cases[i].only)
            continue;
        assert_int_equal(from, cases[i].from);
        test_slice_equal(operand, test_slice(cases[i].operand));
        sdb_operands_put_only(&b, from, operand);
        assert_int_equal(sdb_buf_check(&b, NULL), 0);
        test_slice_equal(sdb_buf_slice(&b), value);
        sdb_buf_fini(&b);
    }
}

static void what_breaks_a_rule_is_not_valid(void **state)
{
    static const struct {
        const char *name;
        size_t size;
        const char *bytes;
        uint64_t number;
        bool valid;
    } cases[] = {
        {"its own number", 3, "\0\1\0", 9, true},
        {"the same, spelt out", 3, "\11\1\0", 9, true},
        {"from above its number", 3, "\12\1\0", 9, false},
        {"no operands", 2, "\0\0", 9, false},
        {"nothing", 0, "", 9, false},
        {"no count", 1, "\0", 9, false},
        {"fewer than it says", 3, "\0\2\0", 9, false},
        {"more than it says", 4, "\0\1\0\0", 9, false},
        {"an operand beyond the end", 4, "\0\1\2x", 9, false},
        {"in a commit that has no number yet", 3, "\0\1\0", 0, true},
        {"which includes no others", 3, "\1\1\0", 0, false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        if (sdb_operands_are_valid((seerdb_slice){cases[i].bytes, cases[i].size},
                                   cases[i].number) != cases[i].valid)
            fail_msg("%s", cases[i].name);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_example_in_the_format_is_what_is_written),
        cmocka_unit_test(a_record_with_one_operand_is_read_and_written_at_once),
        cmocka_unit_test(what_breaks_a_rule_is_not_valid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
