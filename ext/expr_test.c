/* SPDX-License-Identifier: Apache-2.0 */
#include "expr.h"

#include "test_mem.h"

#include <pthread.h>

static const struct svt_expr_input inputs[] = {
    {"a", SVT_AFFINITY_INTEGER, SVT_BINARY},
    {"r", SVT_AFFINITY_REAL, SVT_BINARY},
    {"t", SVT_AFFINITY_TEXT, SVT_NOCASE},
    {"b", SVT_AFFINITY_BLOB, SVT_BINARY},
    {"odd \"name", SVT_AFFINITY_NUMERIC, SVT_BINARY},
    {"select", SVT_AFFINITY_BLOB, SVT_BINARY}};
enum { NINPUTS = 6 };

static struct svt_expr_spec spec_of(const char *text)
{
    return (struct svt_expr_spec){.text = text, .inputs = inputs, .ninputs = NINPUTS};
}

static struct svt_value integer(int64_t i)
{
    return (struct svt_value){.type = SQLITE_INTEGER, .i = i};
}

static struct svt_value real(double r)
{
    return (struct svt_value){.type = SQLITE_FLOAT, .r = r};
}

static struct svt_value text(const char *s)
{
    return (struct svt_value){.type = SQLITE_TEXT, .bytes = {s, strlen(s)}};
}

static struct svt_value blob(const void *s, size_t n)
{
    return (struct svt_value){.type = SQLITE_BLOB, .bytes = {s, n}};
}

/* The inputs of most tests. */
static void fill(struct svt_value in[NINPUTS])
{
    in[0] = integer(42);
    in[1] = real(2.5);
    in[2] = text("Hello");
    in[3] = blob("\x01\x00\x02", 3);
    in[4] = integer(-7);
    in[5] = (struct svt_value){.type = SQLITE_NULL};
}

/* The value as "type:value"; a failure as "error N: message". */
static const char *shown(int rc, const struct svt_value *v, char *message)
{
    static char out[1024];
    switch (rc != SQLITE_OK ? 0 : v->type) {
    case 0:
        snprintf(out, sizeof out, "error %d: %s", rc, message);
        break;
    case SQLITE_INTEGER:
        snprintf(out, sizeof out, "i:%lld", (long long)v->i);
        break;
    case SQLITE_FLOAT:
        snprintf(out, sizeof out, "r:%g", v->r);
        break;
    case SQLITE_NULL:
        snprintf(out, sizeof out, "null");
        break;
    default:
        snprintf(out, sizeof out, "%c:%.*s", v->type == SQLITE_TEXT ? 't' : 'b',
                 (int)v->bytes.size, (const char *)v->bytes.data);
    }
    sqlite3_free(message);
    return out;
}

static const char *evaluated(const char *expression)
{
    struct svt_expr_spec spec = spec_of(expression);
    struct svt_value in[NINPUTS], out = {0};
    struct svt_expr *e = NULL;
    char *message = NULL;
    fill(in);
    int rc = svt_expr_new(&spec, &e, &message);
    if (rc == SQLITE_OK)
        rc = svt_expr_eval(e, in, &out, &message);
    const char *s = shown(rc, &out, message);
    svt_expr_free(e);
    return s;
}

static void expressions_have_the_values_that_sqlite_gives_them(void **state)
{
    (void)state;
    static const struct {
        const char *text, *want;
    } cases[] = {
        {"a", "i:42"},
        {"A + 86400", "i:86442"},
        {"a * r", "r:105"},
        {"t || '!'", "t:Hello!"},
        {"\"odd \"\"name\" - 1", "i:-8"},
        {"[select]", "null"},
        {"length(b)", "i:3"},
        {"b", "b:\x01"},
        {"coalesce(\"select\", a, 7)", "i:42"},
        {"CASE WHEN a > 40 THEN 'x' ELSE 'y' END", "t:x"},
        {"a IN (1, 2, 42)", "i:1"},
        {"a BETWEEN 1 AND 2 OR t LIKE 'hel%'", "i:1"},
        {"json_extract('{\"x\": 5}', '$.x')", "i:5"},
        {"'{\"x\": 5}' ->> 'x'", "i:5"},
        {"unixepoch('2024-01-02 03:04:05')", "i:1704164645"},
        {"date(0, 'unixepoch', '+1 day')", "t:1970-01-02"},
        {"CAST(r AS INTEGER)", "i:2"},
        {"max(a, 100)", "i:100"},
        {"1 -- and so on", "i:1"},
        {"a /* ) */", "i:42"},
        {"NULL", "null"},
        {"9223372036854775807 + 1", "r:9.22337e+18"},
        /* as columns compare: by affinity and collation */
        {"a = '42'", "i:1"},
        {"t = 'HELLO'", "i:1"},
        {"b = 'x'", "i:0"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *got = evaluated(cases[i].text);
        if (strcmp(got, cases[i].want) != 0)
            fail_msg("%s: %s, not %s", cases[i].text, got, cases[i].want);
    }
}

static void what_is_no_pure_expression_is_refused_with_its_text(void **state)
{
    (void)state;
    static const struct {
        const char *text, *want;
    } cases[] = {
        {"", "it is empty"},
        {"  -- nothing\n", "it is empty"},
        {"a +", "syntax error"},
        {"a) + (a", "parentheses do not match"},
        {"(a", "parentheses do not match"},
        {"a); DROP TABLE t; SELECT (1", "parentheses do not match"},
        {"a; a", "\";\" is not allowed"},
        {"a, r", "row value misused"},
        {"a) , z AS (1", "parentheses do not match"},
        {"'open", "a quote does not end"},
        {"a /* open", ""},
        {"?1", "\"?\" is not allowed"},
        {":name", "\":\" is not allowed"},
        {"@name", "\"@\" is not allowed"},
        {"$name", ""},
        {"nobody", "no such column: nobody"},
        {"\"nobody\"", "no such column"},
        {"_x", "names that begin with _"},
        {"_r", "names that begin with _"},
        {"[_r]", "names that begin with _"},
        {"rowid", "no such column: rowid"},
        {"_input(0)", "begin with _"},
        {"\"_input\"(3)", "begin with _"},
        {"_row.a", "begin with _"},
        {"main.a", "no such column"},
        {"(SELECT 1)", "subqueries prohibited"},
        {"EXISTS (SELECT * FROM sqlite_master)", "subqueries prohibited"},
        {"a IN (SELECT 1)", "subqueries prohibited"},
        {"a IN sqlite_master", ""},
        {"count(*)", "count() cannot be used: only functions that are built"},
        {"max(a)", "misuse of aggregate"},
        {"row_number() OVER ()", "() cannot be used: only functions"},
        {"random()", "() cannot be used: only functions"},
        {"randomblob(3)", "() cannot be used: only functions"},
        {"changes()", "() cannot be used: only functions"},
        {"last_insert_rowid()", "() cannot be used: only functions"},
        {"CURRENT_TIMESTAMP", "() cannot be used: only functions"},
        {"sqlite_version()", "() cannot be used: only functions"},
        {"load_extension('x')", ""},
        {"nofunction(a)", "no such function"},
        {"a MATCH 'x'", ""},
        {"a REGEXP 'x'", "no such function: REGEXP"},
        {"t COLLATE nobody = 'x'", "no such collation"},
        {"RAISE(ABORT, 'x')", "RAISE"},
        {"PRAGMA user_version", "syntax error"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct svt_expr_spec spec = spec_of(cases[i].text);
        char *message = NULL;
        int rc = svt_expr_check(&spec, NULL, &message);
        if (rc != SQLITE_ERROR || message == NULL)
            fail_msg("%s: %d", cases[i].text, rc);
        if (strstr(message, cases[i].want) == NULL ||
            strstr(message, cases[i].text) == NULL)
            fail_msg("%s: \"%s\", not \"%s\"", cases[i].text, message, cases[i].want);
        assert_null(strstr(message, "generated"));
        sqlite3_free(message);
    }
}

static void the_clock_is_refused_when_it_is_asked(void **state)
{
    (void)state;
    static const char *const cases[] = {"unixepoch('now')", "date()", "strftime('%s')",
                                        "julianday(lower('NOW'))",
                                        "datetime(a, 'unixepoch', 'localtime')"};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *got = evaluated(cases[i]);
        if (strstr(got, "non-deterministic use of") == NULL)
            fail_msg("%s: %s", cases[i], got);
        assert_null(strstr(got, "generated"));
    }
}

static void the_clock_is_refused_at_once_where_no_input_leads_to_it(void **state)
{
    (void)state;
    struct svt_expr_spec spec = spec_of("a < unixepoch('now')");
    char *message = NULL;
    assert_int_equal(svt_expr_check(&spec, NULL, &message), SQLITE_ERROR);
    assert_non_null(strstr(message, "non-deterministic use of unixepoch()"));
    sqlite3_free(message);
    message = NULL;
    spec.text = "json_extract('no json', '$') + a"; /* fails, but not for that */
    assert_int_equal(svt_expr_check(&spec, NULL, &message), SQLITE_OK);
    assert_null(message);
}

static void a_failed_evaluation_reports_and_the_next_one_works(void **state)
{
    (void)state;
    struct svt_expr_spec spec = spec_of("json_extract(t, '$.x') + abs(a)");
    struct svt_value in[NINPUTS], out;
    struct svt_expr *e = NULL;
    char *message = NULL;
    fill(in);
    assert_int_equal(svt_expr_new(&spec, &e, &message), SQLITE_OK);
    assert_true(svt_expr_uses(e, 0) && svt_expr_uses(e, 2));
    assert_false(svt_expr_uses(e, 1) || svt_expr_uses(e, 3) || svt_expr_uses(e, 4));
    for (int round = 0; round < 3; round++) {
        in[2] = text("no json");
        in[0] = integer(1);
        int rc = svt_expr_eval(e, in, &out, &message);
        assert_int_equal(rc, SQLITE_ERROR);
        assert_string_equal(message, "expression \"json_extract(t, '$.x') + abs(a)\": "
                                     "malformed JSON");
        sqlite3_free(message);
        message = NULL;
        in[2] = text("{\"x\": 5}");
        assert_int_equal(svt_expr_eval(e, in, &out, &message), SQLITE_OK);
        assert_string_equal(shown(SQLITE_OK, &out, NULL), "i:6");
        in[0] = integer(INT64_MIN);
        assert_int_equal(svt_expr_eval(e, in, &out, &message), SQLITE_ERROR);
        assert_non_null(strstr(message, "integer overflow"));
        sqlite3_free(message);
        message = NULL;
    }
    svt_expr_free(e);
}

static void results_can_be_truths_or_numbers(void **state)
{
    (void)state;
    static const struct {
        const char *text, *number, *truth;
    } cases[] = {
        {"a", "i:42", "i:1"},          {"a - 42", "i:0", "i:0"},
        {"NULL", "null", "i:0"},       {"'7'", "i:7", "i:1"},
        {"' 2.5 '", "r:2.5", "i:1"},   {"'x'", "t:x", "i:0"},
        {"t || 1", "t:Hello1", "i:0"}, {"r", "r:2.5", "i:1"},
        {"x'31'", "b:1", "i:1"},       {"a > 1 AND t IS NULL", "i:0", "i:0"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (int truth = 0; truth < 2; truth++) {
            struct svt_expr_spec spec = spec_of(cases[i].text);
            struct svt_value in[NINPUTS], out;
            struct svt_expr *e = NULL;
            char *message = NULL;
            fill(in);
            spec.affinity = SVT_AFFINITY_NUMERIC;
            spec.truth = truth;
            int rc = svt_expr_new(&spec, &e, &message);
            if (rc == SQLITE_OK)
                rc = svt_expr_eval(e, in, &out, &message);
            assert_string_equal(shown(rc, &out, message),
                                truth ? cases[i].truth : cases[i].number);
            svt_expr_free(e);
        }
    }
}

/* Each is refused or ends soon, within bounded memory. */
static void hostile_expressions_end_soon(void **state)
{
    (void)state;
    static char deep[8192], wide[70000];
    strcpy(deep, "a");
    for (int i = 0; i < 1000; i++)
        strcat(deep, "+(a");
    for (int i = 0; i < 1000; i++)
        strcat(deep, ")");
    strcpy(wide, "coalesce(a");
    for (int i = 0; i < 20000; i++)
        strcat(wide + 2 * (size_t)i, ",a");
    strcat(wide, ")");
    const struct {
        const char *text, *want;
    } cases[] = {
        {deep, ""},
        {wide, "too many arguments"},
        {"length(zeroblob(1000000000))", "too big"},
        {"length(replace(hex(zeroblob(8000)), '0', hex(zeroblob(8000))))", "too big"},
        {"hex(zeroblob(16000000))", "too big"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *got = evaluated(cases[i].text);
        if (strstr(got, "error") == NULL || strstr(got, cases[i].want) == NULL)
            fail_msg("%.60s: %s", cases[i].text, got);
    }
    static char million[1000001];
    memset(million, 'a', sizeof million - 1);
    struct svt_expr_spec spec = spec_of(million);
    char *message = NULL;
    assert_int_equal(svt_expr_check(&spec, NULL, &message), SQLITE_ERROR);
    assert_true(strlen(message) < 400);
    sqlite3_free(message);
}

static void texts_keep_the_encoding_of_the_database(void **state)
{
    (void)state;
    static const char le[] = "H\0\xe4\0", be[] = "\0H\0\xe4";
    const struct {
        enum svt_encoding encoding;
        seerdb_slice in, want;
    } cases[] = {{SVT_UTF8, {"H\xc3\xa4", 3}, {"H\xc3\xa4H\xc3\xa4", 6}},
                 {SVT_UTF16LE, {le, 4}, {"H\0\xe4\0H\0\xe4\0", 8}},
                 {SVT_UTF16BE, {be, 4}, {"\0H\0\xe4\0H\0\xe4", 8}}};
    for (size_t i = 0; i < 3; i++) {
        struct svt_expr_spec spec = spec_of("CASE WHEN length(t) = 2 THEN t || t END");
        struct svt_value in[NINPUTS], out;
        struct svt_expr *e = NULL;
        char *message = NULL;
        spec.encoding = cases[i].encoding;
        fill(in);
        in[2].bytes = cases[i].in;
        assert_int_equal(svt_expr_new(&spec, &e, &message), SQLITE_OK);
        assert_int_equal(svt_expr_eval(e, in, &out, &message), SQLITE_OK);
        assert_int_equal(out.type, SQLITE_TEXT);
        assert_int_equal(out.bytes.size, cases[i].want.size);
        assert_memory_equal(out.bytes.data, cases[i].want.data, out.bytes.size);
        in[2].bytes.size = 0;
        in[2].bytes.data = NULL;
        assert_int_equal(svt_expr_eval(e, in, &out, &message), SQLITE_OK);
        assert_int_equal(out.type, SQLITE_NULL);
        svt_expr_free(e);
    }
}

static void a_text_that_begins_like_a_byte_order_mark_keeps_it(void **state)
{
    (void)state;
    static const char *const texts[] = {"\xff\xfe\x41\x42", "\xfe\xff\x41\x42"};
    for (int i = 0; i < 4; i++) {
        struct svt_expr_spec spec = spec_of("t");
        struct svt_value in[NINPUTS], out;
        struct svt_expr *e = NULL;
        char *message = NULL;
        spec.encoding = i < 2 ? SVT_UTF16LE : SVT_UTF16BE;
        fill(in);
        in[2].bytes = (seerdb_slice){texts[i % 2], 4};
        assert_int_equal(svt_expr_new(&spec, &e, &message), SQLITE_OK);
        assert_int_equal(svt_expr_eval(e, in, &out, &message), SQLITE_OK);
        assert_int_equal(out.bytes.size, 4);
        assert_memory_equal(out.bytes.data, texts[i % 2], 4);
        svt_expr_free(e);
    }
}

static void two_thousand_columns_are_not_too_many(void **state)
{
    (void)state;
    static struct svt_expr_input many[2000];
    static char names[2000][16];
    static bool used[2000];
    for (int i = 0; i < 2000; i++) {
        snprintf(names[i], sizeof names[i], "c%d", i);
        many[i] = (struct svt_expr_input){names[i], SVT_AFFINITY_INTEGER, SVT_BINARY};
    }
    struct svt_expr_spec spec = {
        .text = "c1999 + \"c7\"", .inputs = many, .ninputs = 2000};
    char *message = NULL;
    assert_int_equal(svt_expr_check(&spec, used, &message), SQLITE_OK);
    for (int i = 0; i < 2000; i++)
        assert_int_equal(used[i], i == 7 || i == 1999);
}

static void every_allocation_can_fail(void **state)
{
    (void)state;
    struct svt_value in[NINPUTS], out;
    fill(in);
    int64_t live = test_mem_live;
    int rc = SQLITE_NOMEM;
    for (int64_t n = 0; rc != SQLITE_OK; n++) {
        struct svt_expr_spec spec = spec_of("t || '-' || a");
        struct svt_expr_pool *pool = NULL;
        struct svt_expr *e = NULL;
        char *message = NULL;
        assert_true(n < 5000);
        test_mem_left = n;
        rc = svt_expr_pool_new(&spec, &pool, &message);
        if (rc == SQLITE_OK)
            rc = svt_expr_pool_take(pool, &e, &message);
        if (rc == SQLITE_OK)
            rc = svt_expr_eval(e, in, &out, &message);
        test_mem_left = -1;
        if (rc == SQLITE_OK)
            assert_string_equal(shown(rc, &out, NULL), "t:Hello-42");
        else if (rc != SQLITE_NOMEM)
            fail_msg("%d: %s", rc, message);
        sqlite3_free(message);
        if (pool != NULL)
            svt_expr_pool_give(pool, e);
        svt_expr_pool_free(pool);
        if (test_mem_live != live)
            fail_msg("allocation %d: %d left", (int)n, (int)(test_mem_live - live));
    }
}

struct worker {
    pthread_t thread;
    struct svt_expr_pool *pool;
    int64_t from;
    int wrong;
};

static void *work(void *arg)
{
    struct worker *w = arg;
    struct svt_value in[NINPUTS], out;
    fill(in);
    for (int64_t i = w->from; i < w->from + 500; i++) {
        struct svt_expr *e = NULL;
        char *message = NULL;
        in[0] = integer(i);
        w->wrong += svt_expr_pool_take(w->pool, &e, &message) != SQLITE_OK ||
                    svt_expr_eval(e, in, &out, &message) != SQLITE_OK ||
                    out.type != SQLITE_INTEGER || out.i != i + 1;
        svt_expr_pool_give(w->pool, e);
    }
    return NULL;
}

static void threads_share_a_pool(void **state)
{
    (void)state;
    struct svt_expr_spec spec = spec_of("a + length(t) - 4");
    struct worker workers[6];
    char *message = NULL;
    struct svt_expr_pool *pool = NULL;
    if (!svt_expr_threads())
        skip(); /* this SQLite has none */
    assert_int_equal(svt_expr_pool_new(&spec, &pool, &message), SQLITE_OK);
    assert_true(svt_expr_pool_uses(pool, 0) && !svt_expr_pool_uses(pool, 1));
    for (int i = 0; i < 6; i++) {
        workers[i] = (struct worker){.pool = pool, .from = i * 1000};
        assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]),
                         0);
    }
    for (int i = 0; i < 6; i++) {
        assert_int_equal(pthread_join(workers[i].thread, NULL), 0);
        assert_int_equal(workers[i].wrong, 0);
    }
    svt_expr_pool_free(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(expressions_have_the_values_that_sqlite_gives_them),
        cmocka_unit_test(what_is_no_pure_expression_is_refused_with_its_text),
        cmocka_unit_test(the_clock_is_refused_when_it_is_asked),
        cmocka_unit_test(the_clock_is_refused_at_once_where_no_input_leads_to_it),
        cmocka_unit_test(a_failed_evaluation_reports_and_the_next_one_works),
        cmocka_unit_test(results_can_be_truths_or_numbers),
        cmocka_unit_test(hostile_expressions_end_soon),
        cmocka_unit_test(texts_keep_the_encoding_of_the_database),
        cmocka_unit_test(a_text_that_begins_like_a_byte_order_mark_keeps_it),
        cmocka_unit_test(two_thousand_columns_are_not_too_many),
        cmocka_unit_test(every_allocation_can_fail),
        cmocka_unit_test(threads_share_a_pool),
    };
    return cmocka_run_group_tests(tests, test_mem_install, NULL);
}
