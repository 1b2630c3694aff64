/* SPDX-License-Identifier: Apache-2.0 */
#include "mergeop.h"

#include "args.h"
#include "test_mem.h"

static int parse(struct svt_schema *s, const char *a, const char *b, const char *c,
                 char **message)
{
    const char *argv[] = {"seerdb", "main", "t", a, b, c};
    *message = NULL;
    return svt_args_parse(c != NULL ? 6 : b != NULL ? 5 : 4, argv, s, message);
}

static void expect_refused(const char *want, const char *a, const char *b,
                           const char *c)
{
    struct svt_schema s;
    char *message;
    assert_int_equal(parse(&s, a, b, c, &message), SQLITE_ERROR);
    assert_string_equal(message, want);
    sqlite3_free(message);
    svt_schema_fini(&s);
}

static void merge_operators_are_parsed(void **state)
{
    static const struct {
        const char *column;
        enum svt_merge_kind kind;
        const char *text;
    } cases[] = {
        {"a MERGE add", SVT_MERGE_ADD, NULL},
        {"a INT NOT NULL DEFAULT 5 MERGE Min", SVT_MERGE_MIN, NULL},
        {"a MERGE max COLLATE NOCASE", SVT_MERGE_MAX, NULL},
        {"a INTEGER MERGE bit_or", SVT_MERGE_BIT_OR, NULL},
        {"a MERGE bit_and", SVT_MERGE_BIT_AND, NULL},
        {"a TEXT MERGE append", SVT_MERGE_APPEND, NULL},
        {"a TEXT MERGE append ( ', ' )", SVT_MERGE_APPEND, ", "},
        {"a TEXT MERGE append('it''s') NOT NULL", SVT_MERGE_APPEND, "it's"},
        {"a TEXT MERGE append('')", SVT_MERGE_APPEND, ""},
        {"a MERGE first", SVT_MERGE_FIRST, NULL},
        {"a MERGE last", SVT_MERGE_LAST, NULL},
        {"a JSON_TEXT MERGE json_patch", SVT_MERGE_JSON_PATCH,
         "json_patch(coalesce(old, '{}'), new)"},
        {"a MERGE (coalesce(old, 0) * 0.9 + new)", SVT_MERGE_EXPRESSION,
         "coalesce(old, 0) * 0.9 + new"},
        {"a MERGE (')' || \"old\" /* ) */) NOT NULL", SVT_MERGE_EXPRESSION,
         "')' || \"old\" /* ) */"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct svt_schema s;
        char *message;
        assert_int_equal(parse(&s, "k PRIMARY KEY", cases[i].column, NULL, &message),
                         SQLITE_OK);
        const struct svt_merge *m = &s.columns[1].merge;
        assert_int_equal(s.nmerge, 1);
        assert_int_equal(m->kind, cases[i].kind);
        if (cases[i].text == NULL) {
            assert_null(m->text);
        } else {
            assert_string_equal(m->text, cases[i].text);
            assert_int_equal(m->size, strlen(cases[i].text));
        }
        svt_schema_fini(&s);
    }
}

#define MERGE_GRAMMAR                                                                  \
    "MERGE takes add, min, max, bit_or, bit_and, append, append('separator'), first, " \
    "last, json_patch, or an SQL expression over old and new in parentheses"

static void merge_operators_that_cannot_be_are_refused(void **state)
{
    (void)state;
    expect_refused("t: column \"a\": near \"sum\": " MERGE_GRAMMAR, "k PRIMARY KEY",
                   "a MERGE sum", NULL);
    expect_refused("t: column \"a\": unexpected end: " MERGE_GRAMMAR, "k PRIMARY KEY",
                   "a MERGE", NULL);
    expect_refused("t: column \"a\": unexpected end: " MERGE_GRAMMAR, "k PRIMARY KEY",
                   "a MERGE (old + (new)", NULL);
    expect_refused("t: column \"a\": near \"5\": " MERGE_GRAMMAR, "k PRIMARY KEY",
                   "a MERGE append(5)", NULL);
    expect_refused("t: column \"a\": near \",\": " MERGE_GRAMMAR, "k PRIMARY KEY",
                   "a MERGE append('a', 'b')", NULL);
    expect_refused("t: column \"a\": a second MERGE", "k PRIMARY KEY",
                   "a MERGE add MERGE min", NULL);
    expect_refused("t: column \"k\": a column of the key cannot have MERGE",
                   "k PRIMARY KEY MERGE max", NULL, NULL);
    expect_refused("t: MERGE needs a PRIMARY KEY, which says what is merged",
                   "a MERGE add", NULL, NULL);
    expect_refused("t: column \"a\": MERGE add needs a column of a numeric type or of "
                   "none",
                   "k PRIMARY KEY", "a TEXT MERGE add", NULL);
    expect_refused(
        "t: column \"a\": MERGE bit_or and bit_and need a column of the type "
        "INTEGER or NUMERIC, or of none",
        "k PRIMARY KEY", "a REAL MERGE bit_or", NULL);
    expect_refused("t: column \"a\": MERGE append needs a column of the type TEXT or "
                   "BLOB, or of none",
                   "k PRIMARY KEY", "a INT MERGE append", NULL);
    expect_refused("t: column \"a\": MERGE json_patch needs a column of the type TEXT, "
                   "or of none",
                   "k PRIMARY KEY", "a INT MERGE json_patch", NULL);
    expect_refused("t: option insert = merge needs a column with MERGE",
                   "k PRIMARY KEY", "a", "insert = merge");
}

static void parsing_survives_failing_allocations(void **state)
{
    (void)state;
    for (int64_t n = 0;; n++) {
        struct svt_schema s;
        char *message = NULL;
        int64_t live = test_mem_live;
        test_mem_left = n;
        int rc = parse(&s, "k PRIMARY KEY", "a TEXT MERGE append('x')", "b MERGE (old)",
                       &message);
        test_mem_left = -1;
        svt_schema_fini(&s);
        sqlite3_free(message);
        assert_int_equal(test_mem_live, live);
        if (rc == SQLITE_OK)
            break;
        assert_int_equal(rc, SQLITE_NOMEM);
        assert_true(n < 100);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(merge_operators_are_parsed),
        cmocka_unit_test(merge_operators_that_cannot_be_are_refused),
        cmocka_unit_test(parsing_survives_failing_allocations),
    };
    return cmocka_run_group_tests(tests, test_mem_install, NULL);
}
