/* SPDX-License-Identifier: Apache-2.0
 *
 * What a plain key part lets SQLite leave unchecked gives the rows that an ordinary
 * table gives, whatever it is compared with. */
#define _DEFAULT_SOURCE
#include "plan.h"

#include "test_sql.h"

#include <math.h>

/* Tables t (ours) and n (SQLite's) of the same columns and rows. */
struct kind {
    const char *name, *columns, *key, *blobs; /* blobs: the keys are some, not texts */
};

static const struct kind kinds[] = {
    {"TEXT", "k TEXT, v INTEGER", "k", ""},
    {"NOCASE", "k TEXT COLLATE NOCASE, v INTEGER", "k", ""},
    {"RTRIM", "k TEXT COLLATE RTRIM, v INTEGER", "k", ""},
    {"untyped", "k, v INTEGER", "k", ""},
    {"BLOB of blobs", "k BLOB, v INTEGER", "k", "CAST"},
    {"TEXT of blobs", "k TEXT, v INTEGER", "k", "CAST"},
    {"composite", "k TEXT, b INTEGER DEFAULT 7, v INTEGER", "k, b", ""},
    {"descending", "k TEXT, b INTEGER DEFAULT 7, v INTEGER", "k DESC, b", ""},
    {"untyped descending", "k, b INTEGER DEFAULT 7, v INTEGER", "k DESC, b", ""},
};

static void run(sqlite3 *db, const char *format, const struct kind *kind)
{
    char *sql = sqlite3_mprintf(format, kind->columns, kind->key);
    test_expect(db, sql, "");
    sqlite3_free(sql);
}

/* 400 rows, all of them plain; and what they are compared with. */
static sqlite3 *make(const struct kind *kind)
{
    sqlite3 *db = test_open(NULL);
    run(db, "CREATE VIRTUAL TABLE t USING seerdb(%s, PRIMARY KEY(%s))", kind);
    run(db, "CREATE TABLE n(%s, PRIMARY KEY(%s)) WITHOUT ROWID", kind);
    test_expect(
        db,
        "CREATE TEMP TABLE k(k); WITH RECURSIVE c(i) AS (VALUES(1) UNION ALL "
        "SELECT i + 1 FROM c WHERE i < 380) INSERT INTO k SELECT char(58 + i % 69) || "
        "(i * 7919 % 1009) FROM c;"
        "INSERT INTO k VALUES(':'), ('A'), ('Inf'), ('inf'), ('Infinity'), ('InF '), "
        "('-'||'x'), ('nan'), ('e5'), ('x5'), ('abc'), ('abc '), ('ABD'), ('z'), "
        "('\xc3\xa9'), ('k'), ('k5'), ('Im'), ('Ing'), ('I');"
        "DELETE FROM k WHERE k < ':'",
        "");
    test_expect(
        db,
        kind->blobs[0] != 0
            ? "INSERT OR IGNORE INTO n(k, v) SELECT CAST(k AS BLOB), rowid FROM k"
              " UNION ALL SELECT CAST(rowid AS BLOB), -rowid FROM k"
            : "INSERT OR IGNORE INTO n(k, v) SELECT k, rowid FROM k UNION ALL "
              "SELECT CAST(k || '5' AS BLOB), -rowid FROM k WHERE rowid % 5 = 0",
        "");
    test_expect(
        db,
        "INSERT INTO t(k, v) SELECT k, v FROM n;"
        "CREATE TABLE o(i INTEGER, r REAL, m NUMERIC, s TEXT, b BLOB, u);"
        "CREATE TABLE x(v); INSERT INTO x VALUES(5), (-5), (2.5), (0), ('5'), ('abc'), "
        "('ABC'), (''), ('5x'), ('12y'), (':'), ('A'), ('z'), ('Inf'), ('K5'), ('+'), "
        "(' '), ('-'), (x''), (x'35'), (x'6162'), (NULL), (-9e999), "
        "(9223372036854775807), ('\xc3\xa9'), ('abc ');"
        "INSERT INTO o SELECT v, v, v, v, v, v FROM x",
        "");
    return db;
}

#define JOINED "SELECT count(*), sum(v), sum(v * v) FROM o JOIN %s AS t ON %s"

/* The same question to both. */
static void agree(sqlite3 *db, const char *kind, const char *where)
{
    char ours[512], native[512], want[512];
    snprintf(ours, sizeof(ours), JOINED, "t", where);
    snprintf(native, sizeof(native), JOINED, "n", where);
    snprintf(want, sizeof(want), "%s", test_sql(db, native));
    const char *got = test_sql(db, ours);
    if (strcmp(got, want) != 0)
        fail_msg("%s, %s: \"%s\", an ordinary table says \"%s\"", kind, where, got,
                 want);
}

/* How often a statement fetches a column, and whether it compares anything. */
static int columns_of(sqlite3 *db, const char *sql)
{
    char explain[512];
    sqlite3_stmt *stmt = NULL;
    int n = 0;
    snprintf(explain, sizeof(explain), "EXPLAIN %s", sql);
    assert_int_equal(sqlite3_prepare_v2(db, explain, -1, &stmt, NULL), SQLITE_OK);
    while (sqlite3_step(stmt) == SQLITE_ROW)
        n += strcmp((const char *)sqlite3_column_text(stmt, 1), "VColumn") == 0;
    assert_int_equal(sqlite3_finalize(stmt), SQLITE_OK);
    return n;
}

static const char *const operators[] = {"=", "IS", "<", "<=", ">", ">="};
#define NOPERATORS (sizeof operators / sizeof operators[0])

static void plain_keys_are_not_checked_again(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        sqlite3 *db = make(&kinds[i]);
        for (size_t k = 0; k < NOPERATORS; k++) {
            char sql[80];
            snprintf(sql, sizeof(sql), "SELECT v FROM t WHERE k %s ?", operators[k]);
            if (columns_of(db, sql) != 1)
                fail_msg("%s: %s", kinds[i].name, sql);
        }
        assert_int_equal(columns_of(db, "SELECT v FROM t WHERE k BETWEEN ? AND ?"), 1);
        assert_int_equal(columns_of(db, "SELECT v FROM t WHERE k >= 5 AND k < ?"), 1);
        assert_int_equal(columns_of(db, "SELECT v FROM t WHERE k IN (?, ?)"), 2);
        test_expect(db, "INSERT INTO t(k, v) VALUES('5', 0)", "");
        assert_int_equal(columns_of(db, "SELECT v FROM t WHERE k >= ?"), 2);
        /* No longer for this connection, whose statements it may have been about. */
        test_expect(db, "DELETE FROM t WHERE k = '5'", "");
        assert_int_equal(columns_of(db, "SELECT v FROM t WHERE k = ?"), 2);
        test_close(db);
    }
}

static void keys_that_look_like_numbers_are_seen_when_they_come(void **state)
{
    static const struct {
        const char *column, *key;
        bool plain;
    } cases[] = {
        {"k TEXT", "'5'", false},     {"k TEXT", "''", false},
        {"k TEXT", "'9'", false},     {"k TEXT", "'9\xff'", false},
        {"k TEXT", "' x'", false},    {"k TEXT", "char(1)", false},
        {"k TEXT", "char(9)", false}, {"k TEXT", "'-'", false},
        {"k TEXT", "5", false},       {"k TEXT", "':'", true},
        {"k TEXT", "'A'", true},      {"k TEXT", "x'35'", true},
        {"k TEXT", "x''", true},      {"k", "5", false},
        {"k", "-9e999", false},       {"k", "9e999", false},
        {"k", "'5'", false},          {"k", "''", false},
        {"k", "':'", true},           {"k", "x'35'", true},
        {"k BLOB", "5.5", false},     {"k BLOB", "x'00'", true},
    };
    static const char *const orders[] = {"k", "k DESC, v"};
    (void)state;
    for (size_t i = 0; i < 2 * sizeof cases / sizeof cases[0]; i++) {
        sqlite3 *db = test_open(NULL);
        char sql[400];
        snprintf(
            sql, sizeof(sql),
            "CREATE VIRTUAL TABLE t USING seerdb(%s, v, PRIMARY KEY(%s));"
            "WITH RECURSIVE c(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM c WHERE "
            "i < 300) INSERT INTO t SELECT 'k' || i, i FROM c;"
            "BEGIN; INSERT INTO t VALUES(%s, 0)",
            cases[i / 2].column, orders[i % 2], cases[i / 2].key);
        test_expect(db, sql, "");
        for (int committed = 0; committed < 2; committed++) {
            int n = columns_of(db, "SELECT v FROM t WHERE k >= ?");
            if (n != (cases[i / 2].plain ? 1 : 2))
                fail_msg("%s with %s, %s: %d columns are fetched", cases[i / 2].column,
                         cases[i / 2].key, orders[i % 2], n);
            if (committed == 0)
                test_expect(db, "COMMIT", "");
        }
        test_close(db);
    }
}

static void comparisons_with_columns_agree(void **state)
{
    static const char *const sides[] = {"o.i",
                                        "o.r",
                                        "o.m",
                                        "o.s",
                                        "o.b",
                                        "o.u",
                                        "+o.i",
                                        "+o.s",
                                        "o.s || ''",
                                        "CAST(o.u AS TEXT)",
                                        "CAST(o.u AS INTEGER)",
                                        "CAST(o.u AS REAL)",
                                        "CAST(o.u AS BLOB)",
                                        "(SELECT o.i)",
                                        "(SELECT +o.m)",
                                        "o.i COLLATE BINARY"};
    (void)state;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        sqlite3 *db = make(&kinds[i]);
        for (size_t s = 0; s < sizeof sides / sizeof sides[0]; s++)
            for (size_t k = 0; k < NOPERATORS; k++) {
                char where[128];
                snprintf(where, sizeof(where), "t.k %s %s", operators[k], sides[s]);
                agree(db, kinds[i].name, where);
                snprintf(where, sizeof(where), "t.k %s %s AND t.k >= 'b' AND t.k < o.s",
                         operators[k], sides[s]);
                agree(db, kinds[i].name, where);
            }
        /* All of it was with plans that rest on it. */
        assert_int_equal(columns_of(db, "SELECT v FROM t WHERE k >= ?"), 1);
        test_close(db);
    }
}

static void comparisons_with_constants_agree(void **state)
{
    static const char *const sides[] = {"5",
                                        "-5",
                                        "2.5",
                                        "'5'",
                                        "'abc'",
                                        "''",
                                        "':'",
                                        "x'35'",
                                        "x''",
                                        "NULL",
                                        "1 + 4",
                                        "abs(-5)",
                                        "'5' || ''",
                                        "lower('ABC')",
                                        "CAST('5' AS INTEGER)",
                                        "CAST(5 AS TEXT)",
                                        "CAST(5 AS BLOB)",
                                        "CAST('abc' AS NUMERIC)",
                                        "(SELECT max(i) FROM o)",
                                        "(SELECT min(s) FROM o)",
                                        "date('2024-01-01')",
                                        "-9e999"};
    (void)state;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        sqlite3 *db = make(&kinds[i]);
        test_expect(db, "DELETE FROM o WHERE rowid > 1", "");
        for (size_t s = 0; s < sizeof sides / sizeof sides[0]; s++)
            for (size_t k = 0; k < NOPERATORS; k++) {
                char where[128];
                snprintf(where, sizeof(where), "t.k %s %s", operators[k], sides[s]);
                agree(db, kinds[i].name, where);
            }
        assert_int_equal(columns_of(db, "SELECT v FROM t WHERE k >= ?"), 1);
        test_close(db);
    }
}

/* ---- plans ------------------------------------------------------------------ */

enum { EQ = SQLITE_INDEX_CONSTRAINT_EQ, GE = SQLITE_INDEX_CONSTRAINT_GE };
enum { LT = SQLITE_INDEX_CONSTRAINT_LT, LIKE = SQLITE_INDEX_CONSTRAINT_LIKE };

/* A constraint; of a value that is known, its type. */
#define C(column_, op_, type)                                                          \
    {                                                                                  \
        .column = (column_), .op = (op_), .usable = true, .collation_matches = true,   \
        .literal = (type) != 0, .literal_type = (type)                                 \
    }
#define OTHER(column_, op_)                                                            \
    {                                                                                  \
        .column = (column_), .op = (op_), .usable = true                               \
    }
#define IN(column_)                                                                    \
    {                                                                                  \
        .column = (column_), .op = EQ, .usable = true, .collation_matches = true,      \
        .in = true                                                                     \
    }

struct plan_case {
    struct svt_plan_constraint constraints[4];
    int n;
    const char *idx_str, *omit;
    bool plain, unique;
};

static const struct plan_case plan_cases[] = {
    {{C(0, EQ, 0), C(1, EQ, 0)}, 2, "a=? AND b=?", "10", true, false},
    {{C(0, EQ, 0), C(1, EQ, SQLITE_BLOB), C(2, GE, 0), C(2, LT, 0)},
     4,
     "a=? AND b=? AND n>=? AND n<?",
     "1111",
     true,
     false},
    {{C(2, EQ, 0), C(0, EQ, 0), C(1, EQ, SQLITE_TEXT)},
     3,
     "a=? AND b=? AND n=?",
     "111",
     true,
     false},
    {{C(2, EQ, 0), C(0, EQ, SQLITE_BLOB), C(1, EQ, SQLITE_TEXT)},
     3,
     "a=? AND b=? AND n=?",
     "111",
     false,
     true},
    {{C(0, GE, 0), C(0, LT, 0)}, 2, "a>=? AND a<?", "11", true, false},
    {{C(0, GE, SQLITE_INTEGER)}, 1, "a>=?", "1", true, false},
    {{C(0, GE, SQLITE_TEXT)}, 1, "a>=?", "1", false, false},
    {{C(0, GE, 0), C(0, LT, 0), C(0, LIKE, 0)}, 3, "a>=? AND a<?", "000", false, false},
    {{IN(0)}, 1, "a IN ?", "0", false, false},
    {{OTHER(0, EQ)}, 1, "", "0", false, false},
    {{C(1, GE, 0)}, 1, "", "0", false, false},
};

static void plans_rest_on_the_first_part_alone(void **state)
{
    static const char *const tables[][7] = {
        {"seerdb", "main", "t", "a TEXT", "b BLOB", "n INT", "PRIMARY KEY (a, b, n)"},
        {"seerdb", "main", "t", "a", "b BLOB", "n INT", "PRIMARY KEY (a DESC, b, n)"},
        /* Numbers are exact anyway. */
        {"seerdb", "main", "t", "a INT", "b BLOB", "n INT", "PRIMARY KEY (a, b, n)"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof plan_cases / sizeof plan_cases[0]; i++)
        for (size_t k = 0; k < 3; k++) {
            const struct plan_case *c = &plan_cases[i];
            struct svt_schema s;
            struct svt_plan p;
            char *message = NULL;
            assert_int_equal(svt_args_parse(7, tables[k], &s, &message), SQLITE_OK);
            const struct svt_plan_request r = {.schema = &s,
                                               .constraints = c->constraints,
                                               .nconstraints = c->n,
                                               .rows = 1000000,
                                               .in_at_once = true,
                                               .plain = true};
            assert_int_equal(svt_plan_choose(&r, &p), SQLITE_OK);
            if (k == 2) {
                assert_int_equal(p.idx_num & SVT_PLAN_PLAIN, 0);
            } else {
                assert_string_equal(p.idx_str, c->idx_str);
                assert_int_equal((p.idx_num & SVT_PLAN_PLAIN) != 0, c->plain);
                assert_int_equal(p.unique, c->unique);
                for (int j = 0; j < c->n; j++)
                    if (p.omit[j] != (c->omit[j] == '1'))
                        fail_msg("%s: constraint %d: omit %d", c->idx_str, j,
                                 p.omit[j]);
            }
            svt_plan_fini(&p);
            svt_schema_fini(&s);
        }
}

/* ---- parameters ------------------------------------------------------------- */

enum {
    INTEGER_5,
    REAL_25,
    TEXT_ABC,
    TEXT_5,
    TEXT_EMPTY,
    TEXT_K5,
    BLOB_5,
    NOTHING,
    NVALUES
};

static void bind(sqlite3_stmt *stmt, int value)
{
    int rc = value == INTEGER_5    ? sqlite3_bind_int(stmt, 1, 5)
             : value == REAL_25    ? sqlite3_bind_double(stmt, 1, 2.5)
             : value == TEXT_ABC   ? sqlite3_bind_text(stmt, 1, "abc", 3, SQLITE_STATIC)
             : value == TEXT_5     ? sqlite3_bind_text(stmt, 1, "5", 1, SQLITE_STATIC)
             : value == TEXT_EMPTY ? sqlite3_bind_text(stmt, 1, "", 0, SQLITE_STATIC)
             : value == TEXT_K5    ? sqlite3_bind_text(stmt, 1, "K5", 2, SQLITE_STATIC)
             : value == BLOB_5     ? sqlite3_bind_blob(stmt, 1, "5", 1, SQLITE_STATIC)
                                   : sqlite3_bind_null(stmt, 1);
    assert_int_equal(rc, SQLITE_OK);
}

/* The answer, or the failure. */
static void answer(sqlite3_stmt *stmt, int value, struct test_text *out)
{
    out->n = 0;
    out->text[0] = 0;
    bind(stmt, value);
    if (test_rows(stmt, out) != SQLITE_DONE)
        test_text_add(out, sqlite3_errmsg(sqlite3_db_handle(stmt)));
    sqlite3_reset(stmt);
}

static const char *const wrapped[] = {"?1",
                                      "+?1",
                                      "(SELECT ?1)",
                                      "?1 || ''",
                                      "CAST(?1 AS TEXT)",
                                      "CAST(?1 AS INTEGER)",
                                      "CAST(?1 AS REAL)",
                                      "CAST(?1 AS NUMERIC)",
                                      "CAST(?1 AS BLOB)",
                                      "coalesce(?1, 'b')"};
#define NWRAPPED (sizeof wrapped / sizeof wrapped[0])

struct twin {
    sqlite3_stmt *ours, *native;
};

static sqlite3_stmt *prepare(sqlite3 *db, const char *table, const char *operator,
                             const char * side)
{
    sqlite3_stmt *stmt = NULL;
    char sql[160];
    snprintf(sql, sizeof(sql),
             "SELECT count(*), sum(v), sum(v * v) FROM %s WHERE k %s %s",
             table, operator, side);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
    return stmt;
}

static void prepare_all(sqlite3 *db, struct twin twins[NOPERATORS][NWRAPPED])
{
    for (size_t k = 0; k < NOPERATORS; k++)
        for (size_t w = 0; w < NWRAPPED; w++)
            twins[k][w] = (struct twin){prepare(db, "t", operators[k], wrapped[w]),
                                        prepare(db, "n", operators[k], wrapped[w])};
}

static void finalize_all(struct twin twins[NOPERATORS][NWRAPPED])
{
    for (size_t k = 0; k < NOPERATORS; k++)
        for (size_t w = 0; w < NWRAPPED; w++) {
            sqlite3_finalize(twins[k][w].ours);
            sqlite3_finalize(twins[k][w].native);
        }
}

/* Returns how many fail instead; those with values that are the same to all must not.
 */
static unsigned ask_all(struct twin twins[NOPERATORS][NWRAPPED], const char *kind)
{
    unsigned failed = 0;
    for (size_t k = 0; k < NOPERATORS; k++)
        for (size_t w = 0; w < NWRAPPED; w++)
            for (int v = 0; v < NVALUES; v++) {
                struct test_text got, want;
                answer(twins[k][w].native, v, &want);
                answer(twins[k][w].ours, v, &got);
                bool sure = v == BLOB_5 || v == NOTHING || v == TEXT_ABC ||
                            v == TEXT_K5 || v == TEXT_5 || v == TEXT_EMPTY;
                if (strstr(got.text, "run it again") != NULL && !(sure && w == 0))
                    failed++;
                else if (strcmp(got.text, want.text) != 0)
                    fail_msg("%s: k %s %s, value %d: \"%s\", an ordinary table says "
                             "\"%s\"",
                             kind, operators[k], wrapped[w], v, got.text, want.text);
            }
    return failed;
}

static void parameters_agree(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        sqlite3 *db = make(&kinds[i]);
        struct twin twins[NOPERATORS][NWRAPPED];
        prepare_all(db, twins);
        assert_int_equal(ask_all(twins, kinds[i].name), 0);
        finalize_all(twins);
        test_close(db);
    }
}

/* Keys that are not plain come after the statements were prepared. */
static void a_plan_that_is_out_of_date_fails_rather_than_guess(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        sqlite3 *db = make(&kinds[i]);
        struct twin twins[NOPERATORS][NWRAPPED];
        prepare_all(db, twins);
        test_expect(db,
                    "BEGIN; INSERT INTO n(k, v) VALUES('5', 1000), ('05', 1001), "
                    "('12x', 1002), ('', 1003), ('-', 1004), ('10', 1005), ('6', 1006);"
                    "INSERT INTO t(k, v) SELECT k, v FROM n WHERE v >= 1000",
                    "");
        /* One fails; that one and all others are prepared anew by themselves. */
        assert_int_equal(ask_all(twins, kinds[i].name), 1);
        assert_int_equal(ask_all(twins, kinds[i].name), 0);
        test_expect(db, "COMMIT", "");
        assert_int_equal(ask_all(twins, kinds[i].name), 0);
        finalize_all(twins);
        prepare_all(db, twins);
        assert_int_equal(ask_all(twins, kinds[i].name), 0);
        finalize_all(twins);
        test_close(db);
    }
}

/* Texts that are no parameters: a column of numeric affinity may have some. */
static void an_outdated_join_fails_rather_than_guess(void **state)
{
    static const char *const sides[] = {"o.m", "o.s", "o.u"};
    (void)state;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        sqlite3 *db = make(&kinds[i]);
        sqlite3_stmt *stmts[3][NOPERATORS];
        char sql[200];
        unsigned failed = 0;
        test_expect(db, "DELETE FROM o WHERE u IS NOT '12y'", "");
        for (size_t s = 0; s < 3; s++)
            for (size_t k = 0; k < NOPERATORS; k++) {
                snprintf(sql, sizeof(sql), JOINED, "t", "t.k");
                sqlite3_str *join = sqlite3_str_new(db);
                sqlite3_str_appendf(join, "%s %s %s", sql, operators[k], sides[s]);
                char *text = sqlite3_str_finish(join);
                assert_int_equal(sqlite3_prepare_v2(db, text, -1, &stmts[s][k], NULL),
                                 SQLITE_OK);
                sqlite3_free(text);
            }
        test_expect(db,
                    "INSERT INTO n(k, v) VALUES('5', 1000), ('05', 1001), ('12x', "
                    "1002), ('-1', 1003), ('10', 1004), ('6', 1005), ('12y', 1006);"
                    "INSERT INTO t(k, v) SELECT k, v FROM n WHERE v >= 1000",
                    "");
        for (size_t s = 0; s < 3; s++)
            for (size_t k = 0; k < NOPERATORS; k++) {
                struct test_text got = {.n = 0};
                bool wrong = test_rows(stmts[s][k], &got) != SQLITE_DONE;
                failed += wrong;
                if (wrong)
                    assert_non_null(strstr(sqlite3_errmsg(db), "run it again"));
                sqlite3_finalize(stmts[s][k]);
                /* Like one that is prepared now: the join's own weakness with numeric
                 * columns (README) is not this test's matter. */
                snprintf(
                    sql, sizeof(sql),
                    "SELECT count(*), sum(v), sum(v * v) FROM o JOIN t ON t.k %s %s",
                    operators[k], sides[s]);
                if (!wrong)
                    assert_string_equal(got.text, test_sql(db, sql));
            }
        assert_int_equal(failed, 1); /* the others are prepared anew by themselves */
        test_close(db);
    }
}

static void infinity_is_not_compared_as_it_is_with_texts(void **state)
{
    static const char *const sides[] = {"?", "CAST(? AS REAL)"};
    (void)state;
    for (int s = 0; s < 2; s++) {
        sqlite3 *db = make(&kinds[0]);
        struct test_text got = {.n = 0}, want = {.n = 0};
        for (int again = 0; again < 2; again++) {
            sqlite3_stmt *ours = prepare(db, "t", ">=", sides[s]),
                         *native = prepare(db, "n", ">=", sides[s]);
            sqlite3_bind_double(ours, 1, INFINITY);
            sqlite3_bind_double(native, 1, INFINITY);
            if (again == 0) {
                assert_int_equal(sqlite3_step(ours), SQLITE_ERROR);
                assert_non_null(strstr(sqlite3_errmsg(db), "run it again"));
            } else {
                assert_int_equal(test_rows(ours, &got), SQLITE_DONE);
                assert_int_equal(test_rows(native, &want), SQLITE_DONE);
                assert_string_equal(got.text, want.text);
            }
            sqlite3_finalize(ours);
            sqlite3_finalize(native);
        }
        test_close(db);
    }
}

/* A cursor that is not opened cannot fail. */
static void joins_that_need_no_column_are_not_promised_one_row(void **state)
{
    static const char
        *const ours = "SELECT o.i FROM o LEFT JOIN t ON t.k = o.i ORDER BY 1",
               *const native = "SELECT o.i FROM o LEFT JOIN n ON n.k = o.i ORDER BY 1";
    (void)state;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        sqlite3 *db = make(&kinds[i]);
        sqlite3_stmt *stmt = NULL;
        struct test_text got = {.n = 0};
        assert_int_equal(sqlite3_prepare_v2(db, ours, -1, &stmt, NULL), SQLITE_OK);
        test_expect(db,
                    "INSERT INTO n(k, v) VALUES('5', 1), ('05', 2), ('5.0', 3);"
                    "INSERT INTO t(k, v) VALUES('5', 1), ('05', 2), ('5.0', 3)",
                    "");
        if (test_rows(stmt, &got) != SQLITE_DONE)
            assert_non_null(strstr(sqlite3_errmsg(db), "run it again"));
        else
            assert_string_equal(got.text, test_sql(db, native));
        sqlite3_finalize(stmt);
        test_close(db);
    }
}

static void rows_are_changed_by_whole_keys(void **state)
{
    (void)state;
    sqlite3 *db = make(&kinds[0]);
    test_expect(db, "DELETE FROM t WHERE k = 5; SELECT changes()", "0");
    test_expect(db,
                "DELETE FROM t WHERE k = (SELECT i FROM o WHERE i = 5); "
                "SELECT changes()",
                "0");
    test_expect(db, "DELETE FROM t WHERE k = lower('ABC'); SELECT changes()", "1");
    test_expect(db,
                "UPDATE t SET v = 3 WHERE k = lower('Z'); SELECT changes();"
                "SELECT v FROM t WHERE k = 'z'",
                "1 3");
    test_close(db);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_keys_are_not_checked_again),
        cmocka_unit_test(keys_that_look_like_numbers_are_seen_when_they_come),
        cmocka_unit_test(comparisons_with_columns_agree),
        cmocka_unit_test(comparisons_with_constants_agree),
        cmocka_unit_test(plans_rest_on_the_first_part_alone),
        cmocka_unit_test(parameters_agree),
        cmocka_unit_test(a_plan_that_is_out_of_date_fails_rather_than_guess),
        cmocka_unit_test(an_outdated_join_fails_rather_than_guess),
        cmocka_unit_test(infinity_is_not_compared_as_it_is_with_texts),
        cmocka_unit_test(joins_that_need_no_column_are_not_promised_one_row),
        cmocka_unit_test(rows_are_changed_by_whole_keys),
    };
    return cmocka_run_group_tests(tests, test_dir_make, test_dir_remove);
}
