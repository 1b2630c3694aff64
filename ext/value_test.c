/* SPDX-License-Identifier: Apache-2.0 */
#include "value.h"

#include "test_mem.h"

#include <float.h>
#include <math.h>

static sqlite3 *db;

static void run(const char *sql)
{
    char *message = NULL;
    if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK)
        fail_msg("%s: %s", sql, message);
}

static sqlite3_stmt *prepared(const char *sql)
{
    sqlite3_stmt *stmt = NULL;
    if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) != SQLITE_OK)
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    return stmt;
}

static void affinities_follow_the_declared_type(void **state)
{
    (void)state;
    static const struct {
        const char *type;
        enum svt_affinity affinity;
    } cases[] = {
        {"", SVT_AFFINITY_BLOB},
        {"INT", SVT_AFFINITY_INTEGER},
        {"unsigned big int", SVT_AFFINITY_INTEGER},
        {"FLOATING POINT", SVT_AFFINITY_INTEGER},
        {"CHARINT", SVT_AFFINITY_INTEGER},
        {"VARCHAR(10)", SVT_AFFINITY_TEXT},
        {"clob", SVT_AFFINITY_TEXT},
        {"TEXT BLOB", SVT_AFFINITY_TEXT},
        {"BLOB", SVT_AFFINITY_BLOB},
        {"REAL BLOB", SVT_AFFINITY_BLOB},
        {"DOUBLE PRECISION", SVT_AFFINITY_REAL},
        {"Float", SVT_AFFINITY_REAL},
        {"REAL", SVT_AFFINITY_REAL},
        {"DECIMAL(10,5)", SVT_AFFINITY_NUMERIC},
        {"ANY", SVT_AFFINITY_NUMERIC},
        {"DATE", SVT_AFFINITY_NUMERIC},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        if (svt_affinity_of(cases[i].type) != cases[i].affinity)
            fail_msg("%s: %d", cases[i].type, (int)svt_affinity_of(cases[i].type));
    }
}

/* Columns of each affinity, in the order of the enum. */
#define COLUMNS "c0 BLOB, c1 TEXT, c2 NUMERIC, c3 INTEGER, c4 REAL, c5 DOUBLE INT"
static const enum svt_affinity affinities[] = {
    SVT_AFFINITY_BLOB,    SVT_AFFINITY_TEXT, SVT_AFFINITY_NUMERIC,
    SVT_AFFINITY_INTEGER, SVT_AFFINITY_REAL, SVT_AFFINITY_INTEGER};
#define NCOLUMNS (sizeof affinities / sizeof affinities[0])

/* What an ordinary table stored, as a value of ours. */
static struct svt_value stored(sqlite3_stmt *stmt, int column)
{
    struct svt_value v = {.type = sqlite3_column_type(stmt, column)};
    if (v.type == SQLITE_INTEGER)
        v.i = sqlite3_column_int64(stmt, column);
    else if (v.type == SQLITE_FLOAT)
        v.r = sqlite3_column_double(stmt, column);
    else if (v.type == SQLITE_TEXT)
        v.bytes.data = sqlite3_column_text(stmt, column);
    else if (v.type == SQLITE_BLOB)
        v.bytes.data = sqlite3_column_blob(stmt, column);
    if (v.type == SQLITE_TEXT || v.type == SQLITE_BLOB)
        v.bytes.size = (size_t)sqlite3_column_bytes(stmt, column);
    return v;
}

static sqlite3_stmt *reference; /* the row that an ordinary table holds */
static unsigned checked;

/* check(value, column): svt_value_read must give what the ordinary table holds. */
static void check(sqlite3_context *context, int argc, sqlite3_value **argv)
{
    (void)argc;
    int column = sqlite3_value_int(argv[1]);
    struct svt_value got, want = stored(reference, column);
    assert_int_equal(svt_value_read(argv[0], affinities[column], &got), SQLITE_OK);
    if (!svt_value_identical(&got, &want)) {
        fail_msg("column %d: type %d %lld %.17g '%.*s', the table holds type %d %lld "
                 "%.17g '%.*s'",
                 column, got.type, (long long)got.i, got.r, (int)got.bytes.size,
                 (const char *)got.bytes.data, want.type, (long long)want.i, want.r,
                 (int)want.bytes.size, (const char *)want.bytes.data);
    }
    checked++;
    sqlite3_result_null(context);
}

static void compare_with_a_table(void (*bind)(sqlite3_stmt *stmt, const void *ctx),
                                 const void *ctx)
{
    run("DELETE FROM ordinary");
    sqlite3_stmt *insert =
        prepared("INSERT INTO ordinary VALUES (?1, ?1, ?1, ?1, ?1, ?1)");
    bind(insert, ctx);
    assert_int_equal(sqlite3_step(insert), SQLITE_DONE);
    sqlite3_finalize(insert);
    reference = prepared("SELECT * FROM ordinary");
    assert_int_equal(sqlite3_step(reference), SQLITE_ROW);
    for (unsigned i = 0; i < NCOLUMNS; i++) {
        sqlite3_stmt *call = prepared("SELECT check_value(?1, ?2)");
        bind(call, ctx);
        sqlite3_bind_int(call, 2, (int)i);
        assert_int_equal(sqlite3_step(call), SQLITE_ROW);
        sqlite3_finalize(call);
    }
    sqlite3_finalize(reference);
}

static void bind_text(sqlite3_stmt *stmt, const void *ctx)
{
    sqlite3_bind_text(stmt, 1, ctx, -1, SQLITE_STATIC);
}

static void bind_blob(sqlite3_stmt *stmt, const void *ctx)
{
    sqlite3_bind_blob(stmt, 1, ctx, (int)strlen(ctx), SQLITE_STATIC);
}

static void bind_zeroblob(sqlite3_stmt *stmt, const void *ctx)
{
    sqlite3_bind_zeroblob(stmt, 1, *(const int *)ctx);
}

static void bind_real(sqlite3_stmt *stmt, const void *ctx)
{
    sqlite3_bind_double(stmt, 1, *(const double *)ctx);
}

static void bind_integer(sqlite3_stmt *stmt, const void *ctx)
{
    sqlite3_bind_int64(stmt, 1, *(const int64_t *)ctx);
}

static void bind_text16(sqlite3_stmt *stmt, const void *ctx)
{
    uint16_t wide[64];
    const char *p = ctx;
    int n = 0;
    for (; p[n] != '\0'; n++)
        wide[n] = (uint16_t)p[n];
    sqlite3_bind_text16(stmt, 1, wide, n * 2, SQLITE_TRANSIENT);
}

static const char *const texts[] = {
    "12",
    " 12 ",
    "1e3",
    "0x10",
    "12abc",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775808",
    "-9223372036854775809",
    "1e400",
    "-1e400",
    "",
    " ",
    "1.0",
    "-0.0",
    "0",
    "-0",
    "+5",
    "1e",
    "1.",
    ".5",
    ".",
    "-",
    "1e18",
    "1e19",
    "9007199254740993",
    "9007199254740993.0",
    "0.1",
    "1e-400",
    "abc",
    "9.2e18",
    "inf",
    "nan",
    "1_000",
    "\t7\n",
    "\v7",
    "7\xc2\xa0",
    "3.5",
    "12 3",
    "123456789012345678901234567890",
    "1e308",
    "4.9e-324",
    "true",
    "922337203685477580.7e1",
    "2e0",
    "1.5e1",
};

static const double reals[] = {3.0,
                               -3.0,
                               1e18,
                               9.2e18,
                               9.3e18,
                               0.0,
                               -0.0,
                               0.1,
                               1e300,
                               -1e300,
                               DBL_MAX,
                               DBL_MIN,
                               4.9e-324,
                               INFINITY,
                               -INFINITY,
                               NAN,
                               9223372036854775808.0,
                               -9223372036854775808.0,
                               9223372036854774784.0,
                               -9223372036854774784.0,
                               9007199254740992.0,
                               9007199254740994.0,
                               4611686018427387904.0,
                               1e15,
                               1e16,
                               123.5,
                               140737488355327.0,
                               140737488355328.0,
                               -140737488355329.0};

static const int64_t integers[] = {0,
                                   1,
                                   -1,
                                   5,
                                   INT64_MAX,
                                   INT64_MIN,
                                   INT64_MAX - 1,
                                   INT64_MIN + 1,
                                   9007199254740991,
                                   9007199254740992,
                                   9007199254740993,
                                   -9007199254740993,
                                   4611686018427387905,
                                   140737488355328,
                                   1000000000000000,
                                   123456789012345678};

static const int zeroblobs[] = {0, 1, 100};

static void values_are_read_as_an_ordinary_table_stores_them(void **state)
{
    (void)state;
    checked = 0;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        compare_with_a_table(bind_text, texts[i]);
        compare_with_a_table(bind_text16, texts[i]);
        compare_with_a_table(bind_blob, texts[i]);
    }
    for (size_t i = 0; i < sizeof reals / sizeof reals[0]; i++)
        compare_with_a_table(bind_real, &reals[i]);
    for (size_t i = 0; i < sizeof integers / sizeof integers[0]; i++)
        compare_with_a_table(bind_integer, &integers[i]);
    for (size_t i = 0; i < sizeof zeroblobs / sizeof zeroblobs[0]; i++)
        compare_with_a_table(bind_zeroblob, &zeroblobs[i]);
    assert_int_equal(checked, NCOLUMNS * (3 * (sizeof texts / sizeof texts[0]) +
                                          sizeof reals / sizeof reals[0] +
                                          sizeof integers / sizeof integers[0] + 3));
}

static void reading_twice_or_under_another_affinity_first_gives_the_same(void **state)
{
    (void)state;
    sqlite3_stmt *stmt = prepared("SELECT '12'");
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    sqlite3_value *v = sqlite3_value_dup(sqlite3_column_value(stmt, 0));
    sqlite3_finalize(stmt);
    struct svt_value got;
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(svt_value_read(v, SVT_AFFINITY_INTEGER, &got), SQLITE_OK);
        assert_int_equal(got.type, SQLITE_INTEGER);
        assert_int_equal(got.i, 12);
    }
    sqlite3_value_free(v);
}

static int starved; /* what svt_value_read said */

/* Read the argument without memory, as text. */
static void starve(sqlite3_context *context, int argc, sqlite3_value **argv)
{
    (void)argc;
    struct svt_value got;
    test_mem_left = 0;
    starved = svt_value_read(argv[0], SVT_AFFINITY_TEXT, &got);
    test_mem_left = -1;
    sqlite3_result_null(context);
}

static void a_value_that_cannot_be_converted_for_lack_of_memory_says_so(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        sqlite3_stmt *stmt = prepared("SELECT starve(?1)");
        if (i == 0)
            sqlite3_bind_zeroblob(stmt, 1, 100000);
        else if (i == 1)
            sqlite3_bind_double(stmt, 1, 1.5);
        else
            sqlite3_bind_text(stmt, 1, "text", -1, SQLITE_STATIC);
        starved = -1;
        sqlite3_step(stmt); /* may fail too: SQLite noticed */
        assert_int_equal(starved, i < 2 ? SQLITE_NOMEM : SQLITE_OK);
        sqlite3_finalize(stmt);
    }
}

static void identical_means_type_and_bits(void **state)
{
    (void)state;
    const struct svt_value null = {.type = SQLITE_NULL},
                           one = {.type = SQLITE_INTEGER, .i = 1},
                           two = {.type = SQLITE_INTEGER, .i = 2},
                           real = {.type = SQLITE_FLOAT, .r = 1},
                           zero = {.type = SQLITE_FLOAT, .r = 0},
                           minus = {.type = SQLITE_FLOAT, .r = -0.0},
                           text = {.type = SQLITE_TEXT, .bytes = {"ab", 2}},
                           other = {.type = SQLITE_TEXT, .bytes = {"aB", 2}},
                           blob = {.type = SQLITE_BLOB, .bytes = {"ab", 2}},
                           empty = {.type = SQLITE_BLOB};
    const struct svt_value *const all[] = {&null,  &one,  &two,   &real, &zero,
                                           &minus, &text, &other, &blob, &empty};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        for (size_t j = 0; j < sizeof all / sizeof all[0]; j++)
            assert_int_equal(svt_value_identical(all[i], all[j]), i == j);
    }
}

static int open_db(void **state)
{
    if (test_mem_install(state) != 0 || sqlite3_open(":memory:", &db) != SQLITE_OK)
        return -1;
    run("CREATE TABLE ordinary(" COLUMNS ")");
    if (sqlite3_create_function(db, "starve", 1, SQLITE_UTF8, NULL, starve, NULL, NULL))
        return -1;
    return sqlite3_create_function(db, "check_value", 2, SQLITE_UTF8, NULL, check, NULL,
                                   NULL);
}

static int close_db(void **state)
{
    (void)state;
    return sqlite3_close(db);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(affinities_follow_the_declared_type),
        cmocka_unit_test(values_are_read_as_an_ordinary_table_stores_them),
        cmocka_unit_test(reading_twice_or_under_another_affinity_first_gives_the_same),
        cmocka_unit_test(a_value_that_cannot_be_converted_for_lack_of_memory_says_so),
        cmocka_unit_test(identical_means_type_and_bits),
    };
    return cmocka_run_group_tests(tests, open_db, close_db);
}
