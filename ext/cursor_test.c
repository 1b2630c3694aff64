/* SPDX-License-Identifier: Apache-2.0 */
#define _DEFAULT_SOURCE
#include "cursor.h"

#include "base/mem.h"
#include "test_sql.h"

#include <malloc.h>

/* Every statement of a list gives the same on a seerdb table and on an ordinary one. */
static void same(sqlite3 *db, const char *where, const char *order)
{
    char sql[512], native[8192];
    static const char *const tables[] = {"n", "t"};
    for (int i = 0; i < 2; i++) {
        snprintf(sql, sizeof(sql),
                 "SELECT typeof(k), quote(k), quote(v) FROM %s %s%s ORDER BY %s",
                 tables[i], where[0] != 0 ? "WHERE " : "", where, order);
        const char *got = test_sql(db, sql);
        if (i == 0)
            strcpy(native, got);
        else if (strcmp(native, got) != 0)
            fail_msg("%s: \"%s\", an ordinary table says \"%s\"", sql, got, native);
    }
}

static const char *const operands[] = {
    "NULL",
    "0",
    "1",
    "-1",
    "2",
    "5",
    "10",
    "'5'",
    "5.0",
    "5.5",
    "-0.0",
    "'5.0'",
    "' 5'",
    "'abc'",
    "'ABC'",
    "'abd'",
    "''",
    "'-1'",
    "x''",
    "x'35'",
    "x'ff'",
    "1e300",
    "-1e300",
    "1e999",
    "-1e999",
    "'zzz'",
    "'1e999'",
    "'Inf'",
    "9223372036854775807",
    "-9223372036854775808",
    "9223372036854775808.0",
    "-9300000000000000000.0",
    "9007199254740993",
    "9007199254740992.0",
    "'abc  '",
};

#define NOPERANDS (sizeof(operands) / sizeof(operands[0]))

static void fill(sqlite3 *db, const char *type)
{
    char sql[512];
    snprintf(sql, sizeof(sql),
             "DROP TABLE IF EXISTS n; DROP TABLE IF EXISTS t;"
             "CREATE TABLE n(k %s PRIMARY KEY, v) %s;"
             "CREATE VIRTUAL TABLE t USING seerdb(k %s PRIMARY KEY, v)",
             type, strcmp(type, "INTEGER") == 0 ? "" : "WITHOUT ROWID", type);
    test_expect(db, sql, "");
    for (size_t i = 0; i < NOPERANDS; i++) {
        snprintf(sql, sizeof(sql), "INSERT OR IGNORE INTO n VALUES(%s, %d)",
                 operands[i], (int)i);
        if (strcmp(test_sql(db, sql), "") == 0) {
            snprintf(sql, sizeof(sql), "INSERT OR IGNORE INTO t VALUES(%s, %d)",
                     operands[i], (int)i);
            test_expect(db, sql, "");
        }
    }
}

/* `form` with the operand in the place of '@'. */
static void put_operand(char out[256], const char *form, const char *operand)
{
    const char *at = strchr(form, '@');
    snprintf(out, 256, "%.*s%s%s", (int)(at - form), form, operand, at + 1);
}

static void comparisons_of(sqlite3 *db)
{
    static const char *const forms[] = {
        "k = @",
        "k < @",
        "k <= @",
        "k > @",
        "k >= @",
        "@ < k",
        "k IS @",
        "k = +@",
        "k < +@",
        "k >= +@",
        "k BETWEEN @ AND 'b'",
        "k > -2 AND k <= @",
        "k IN (@, 1, 'abc')",
        "k = CAST(@ AS TEXT)",
        "k = CAST(@ AS INTEGER)",
        "k > CAST(@ AS REAL)",
        "k = (SELECT x FROM ints WHERE x IS @)",
        "k < (SELECT x FROM texts WHERE x IS @)",
        "k >= (SELECT x FROM ints WHERE x IS @)",
        "k = (SELECT x FROM nones WHERE x IS @)",
        "k IN (SELECT x FROM texts WHERE x IS @)",
        "k IN (SELECT x FROM nones WHERE x IS @)",
        "k IN (SELECT x FROM ints WHERE x IS @ OR x = 5)",
        "k IN (SELECT x FROM texts) AND k <> @",
        "k LIKE @",
        "k GLOB @",
        "k LIKE 'ab%' AND k > @",
        "k GLOB 'ab*' OR k = @",
    };
    char where[256];
    for (size_t f = 0; f < sizeof(forms) / sizeof(forms[0]); f++) {
        for (size_t i = 0; i < NOPERANDS; i++) {
            put_operand(where, forms[f], operands[i]);
            /* SQLite takes a key that equals something for constant and does not sort
             * by it, though '5' and '5.0' may both equal 5. */
            bool crossing =
                strstr(where, "CAST") != NULL || strstr(where, "SELECT") != NULL;
            same(db, where, crossing ? "+v" : i % 2 == 0 ? "k" : "k DESC");
        }
    }
}

static void comparisons_answer_as_on_an_ordinary_table(void **state)
{
    static const char *const types[] = {"INTEGER",
                                        "INT",
                                        "TEXT",
                                        "",
                                        "BLOB",
                                        "REAL",
                                        "NUMERIC",
                                        "TEXT COLLATE NOCASE",
                                        "TEXT COLLATE RTRIM"};
    (void)state;
    sqlite3 *db = test_open(NULL);
    test_expect(
        db,
        "CREATE TABLE ints(x INTEGER); CREATE TABLE texts(x TEXT); CREATE TABLE "
        "nones(x)",
        "");
    for (size_t i = 0; i < NOPERANDS; i++) {
        char sql[512];
        snprintf(
            sql, sizeof(sql),
            "INSERT INTO ints VALUES(%s); INSERT INTO texts VALUES(%s); INSERT INTO "
            "nones VALUES(%s)",
            operands[i], operands[i], operands[i]);
        test_expect(db, sql, "");
    }
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        fill(db, types[i]);
        same(db, "", "k");
        same(db, "", "k DESC");
        comparisons_of(db);
    }
    test_close(db);
}

static void parameters_compare_like_literals_of_an_ordinary_table(void **state)
{
    (void)state;
    sqlite3 *db = test_open(NULL);
    fill(db, "");
    for (size_t i = 0; i < NOPERANDS; i++) {
        struct test_text out[2] = {{.n = 0}, {.n = 0}};
        for (int table = 0; table < 2; table++) {
            char sql[256];
            sqlite3_stmt *stmt = NULL, *value = NULL;
            snprintf(sql, sizeof(sql), "SELECT %s", operands[i]);
            assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &value, NULL), SQLITE_OK);
            assert_int_equal(sqlite3_step(value), SQLITE_ROW);
            snprintf(sql, sizeof(sql),
                     "SELECT v FROM %s WHERE k = ?1 UNION ALL SELECT -v FROM %s WHERE "
                     "k > ?1 "
                     "ORDER BY 1",
                     table ? "t" : "n", table ? "t" : "n");
            assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
            sqlite3_bind_value(stmt, 1, sqlite3_column_value(value, 0));
            assert_int_equal(test_rows(stmt, &out[table]), SQLITE_DONE);
            sqlite3_finalize(stmt);
            sqlite3_finalize(value);
        }
        assert_string_equal(out[0].text, out[1].text);
    }
    test_close(db);
}

static void same_rows(sqlite3 *db, const char *key, const char *where,
                      const char *order)
{
    char sql[1024], native[8192];
    snprintf(sql, sizeof(sql), "SELECT quote(a), b, c, v FROM n WHERE %s ORDER BY %s",
             where, order);
    strcpy(native, test_sql(db, sql));
    snprintf(sql, sizeof(sql), "SELECT quote(a), b, c, v FROM t WHERE %s ORDER BY %s",
             where, order);
    const char *got = test_sql(db, sql);
    if (strcmp(native, got) != 0)
        fail_msg("key (%s): %s: \"%s\", an ordinary table says \"%s\"", key, sql, got,
                 native);
}

static void composite_keys_answer_as_on_an_ordinary_table(void **state)
{
    static const char *const wheres[] = {
        "a = 1",
        "a = 1 AND b = 'x'",
        "a = 1 AND b > 'w'",
        "a > 1",
        "a >= 1 AND b = 'x'",
        "a = 1 AND b >= 'x' AND b < 'y'",
        "a IN (1, 2)",
        "a IN (2, 1) AND b = 'x'",
        "a = '1'",
        "a = 1 AND b = 5",
        "a < 2 AND a > -3",
        "a = 1 AND b IS NULL",
        "b = 'x'",
        "(a, b) > (1, 'x')",
        "a = 1 AND b BETWEEN 'a' AND 'z'",
        "a = 1 OR a = 2",
        "a = 1 OR b = 'y'",
        "a = 1 AND b = 'X'",
        "a = 1.0 AND c > 1",
        "a = 1 AND b = 'x' AND c = 2",
        "a = 1 AND b = 'x' AND c < 2.5",
        "a = CAST(1 AS INTEGER) AND b = 'x' AND c = 2",
        "a = CAST(1 AS INTEGER) AND b = 'x' AND c >= 2",
        "a = CAST('1' AS TEXT) AND b = 'x' AND c > 2",
        "a IN (SELECT 1 UNION SELECT 1.5) AND b IN ('X', 'w') AND c IN (1, 3)",
        "a IN (1, '1', 2, 1.0) AND b BETWEEN 'w' AND 'xw'",
        "a IN (1, 2) AND b IN ('x', 'y')",
        "b LIKE 'x%'",
        "a = 1 AND b LIKE 'x%'",
    };
    static const char *const orders[] = {"a, b, c", "a DESC, b DESC, c DESC",
                                         "a, b DESC, c", "a DESC, b, c DESC",
                                         "v, quote(a)"};
    static const char *const keys[] = {"a, b, c", "a DESC, b, c", "a, b DESC, c",
                                       "a DESC, b DESC, c DESC"};
    (void)state;
    sqlite3 *db = test_open(NULL);
    for (size_t k = 0; k < 4; k++) {
        char sql[1024];
        snprintf(
            sql, sizeof(sql),
            "DROP TABLE IF EXISTS n; DROP TABLE IF EXISTS t;"
            "CREATE TABLE n(a, b TEXT COLLATE NOCASE, c INT, v, PRIMARY KEY(%s)) "
            "WITHOUT "
            "ROWID; CREATE VIRTUAL TABLE t USING seerdb(a, b TEXT COLLATE NOCASE, c "
            "INT, "
            "v, PRIMARY KEY(%s));"
            "WITH a(x) AS (VALUES(1),(2),(-2),('1'),(x'01'),(1.5)), b(x) AS "
            "(VALUES('x'),('Y'),('w'),(''),('xx'),(5)), c(x) AS (VALUES(1),(2),(3)) "
            "INSERT INTO n SELECT a.x, b.x, c.x, a.x || b.x || c.x FROM a, b, c;"
            "INSERT INTO t SELECT * FROM n",
            keys[k], keys[k]);
        test_expect(db, sql, "");
        for (size_t w = 0; w < sizeof(wheres) / sizeof(wheres[0]); w++) {
            for (size_t o = 0; o < sizeof(orders) / sizeof(orders[0]); o++) {
                /* SQLite does not sort by what equals something. */
                if (strstr(wheres[w], "CAST") != NULL && o < 4)
                    continue;
                same_rows(db, keys[k], wheres[w], orders[o]);
            }
        }
    }
    test_close(db);
}

static void running_statements_share_one_state(void **state)
{
    (void)state;
    sqlite3 *a = test_open("share.db");
    sqlite3 *b = test_open("share.db");
    sqlite3_stmt *reader = NULL;
    struct test_text rows = {.n = 0};
    test_expect(a, "PRAGMA journal_mode = wal", "wal");
    test_expect(
        a,
        "CREATE VIRTUAL TABLE t USING seerdb(k INTEGER PRIMARY KEY); INSERT INTO t "
        "VALUES(1), (2)",
        "");
    assert_int_equal(sqlite3_prepare_v2(b,
                                        "SELECT x.k, (SELECT count(*) FROM t) FROM t x",
                                        -1, &reader, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_step(reader), SQLITE_ROW);
    test_expect(a, "INSERT INTO t VALUES(3)", "");
    test_expect(b, "SELECT count(*) FROM t", "2"); /* beside the open one: its state */
    assert_int_equal(test_rows(reader, &rows), SQLITE_DONE);
    assert_string_equal(rows.text, "2|2");
    sqlite3_finalize(reader);
    test_expect(b, "SELECT count(*) FROM t", "3");
    test_close(b);
    test_close(a);
}

static void a_scan_does_not_see_what_is_written_under_it(void **state)
{
    (void)state;
    sqlite3 *db = test_open(NULL);
    sqlite3_stmt *reader = NULL;
    struct test_text rows = {.n = 0};
    test_expect(
        db,
        "CREATE VIRTUAL TABLE t USING seerdb(k INTEGER PRIMARY KEY); INSERT INTO "
        "t VALUES(1), (2); BEGIN; INSERT INTO t VALUES(3)",
        "");
    assert_int_equal(
        sqlite3_prepare_v2(
            db,
            "SELECT x.k, (SELECT group_concat(k) FROM t y WHERE y.k > x.k) FROM t x",
            -1, &reader, NULL),
        SQLITE_OK);
    assert_int_equal(sqlite3_step(reader), SQLITE_ROW);
    assert_string_equal(sqlite3_column_text(reader, 1), "2,3");
    test_expect(db, "INSERT INTO t VALUES(4); DELETE FROM t WHERE k = 3", "");
    assert_int_equal(test_rows(reader, &rows), SQLITE_DONE);
    assert_string_equal(rows.text, "2|4 3|4"); /* the inner scans begin later */
    sqlite3_reset(reader);
    rows.n = 0;
    assert_int_equal(sqlite3_step(reader), SQLITE_ROW);
    test_expect(db,
                "SAVEPOINT s; INSERT INTO t VALUES(5); ROLLBACK TO s; INSERT INTO t "
                "VALUES(6)",
                "");
    assert_int_equal(test_rows(reader, &rows), SQLITE_DONE);
    assert_string_equal(rows.text, "2|4,6 4|6");
    sqlite3_finalize(reader);
    rows.n = 0;
    assert_int_equal(sqlite3_prepare_v2(
                         db, "SELECT x.k, y.k FROM t x CROSS JOIN t y ON y.k > x.k + 1",
                         -1, &reader, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_step(reader), SQLITE_ROW);
    test_expect(db, "INSERT INTO t VALUES(5)", "");
    assert_int_equal(test_rows(reader, &rows), SQLITE_DONE);
    assert_string_equal(rows.text, "1|6 2|4 2|5 2|6 4|6");
    sqlite3_finalize(reader);
    test_expect(db, "DELETE FROM t WHERE k = 5", "");
    test_expect(db, "COMMIT; SELECT k FROM t", "1 2 4 6");
    test_close(db);
}

static void results_outlive_their_row(void **state)
{
    (void)state;
    sqlite3 *db = test_open(NULL);
    test_expect(db,
                "CREATE VIRTUAL TABLE t USING seerdb(k TEXT PRIMARY KEY, v TEXT);"
                "INSERT INTO t VALUES('a', 'zz'), ('b', 'aa'), ('c', 'mm');"
                "SELECT max(v), min(v) FROM t; SELECT v, count(*) FROM t GROUP BY v;"
                "SELECT v FROM t UNION SELECT k FROM t ORDER BY 1",
                "zz|aa aa|1 mm|1 zz|1 a aa b c mm zz");
    test_expect(db, "UPDATE t SET k = k || v; SELECT * FROM t", "azz|zz baa|aa cmm|mm");
    /* A text that has to be decoded lives in the cursor alone. */
    test_expect(db,
                "CREATE VIRTUAL TABLE d USING seerdb(k TEXT, l, v, PRIMARY KEY(k DESC, "
                "l)); INSERT INTO d VALUES('abc', 1, 1), ('zzz', 2, 2), ('mmm', 3, 3);"
                "SELECT max(k), min(k) FROM d; SELECT k, count(*) FROM d GROUP BY k;"
                "UPDATE d SET k = v || k; SELECT k, l FROM d",
                "zzz|abc abc|1 mmm|1 zzz|1 3mmm|3 2zzz|2 1abc|1");
    test_close(db);
}

/* More rows than the cache holds, in tables and above them; freed memory is written
 * over.  What SQLite still holds of a block that left the cache must be what it was. */
static void results_outlive_the_blocks_that_they_came_from(void **state)
{
    static const char *const queries[] = {
        "SELECT max(v), min(v), max(k), min(k) FROM @",
        "SELECT k, max(v) FROM @ GROUP BY substr(k, 3)",
        "SELECT v FROM @ WHERE k < 'k0100' UNION SELECT k FROM @ ORDER BY 1 LIMIT 70",
        "SELECT k, (SELECT max(v) FROM @ y WHERE y.k > x.k AND y.k < x.k || 'z') FROM "
        "@ x WHERE k % 500 = 0",
        "SELECT x.k, y.v FROM @ x CROSS JOIN @ y ON y.k = 'k' || "
        "printf('%04d', 4999 - substr(x.k, 2)) WHERE x.k LIKE 'k%07'",
        "SELECT x.v, count(*) FROM @ x CROSS JOIN @ y ON y.k < x.k WHERE x.k IN "
        "('k0007', 'k4990', 'k2500') GROUP BY x.k",
        "SELECT group_concat(v) FROM (SELECT v FROM @ ORDER BY substr(v, 2) LIMIT 20)",
        "SELECT lag(v, 2) OVER (ORDER BY k), first_value(v) OVER (ORDER BY k ROWS 3 "
        "PRECEDING) FROM @ LIMIT 50 OFFSET 2000",
    };
    (void)state;
    mallopt(M_PERTURB, 0xdb); /* under a sanitizer it does nothing, and need not */
    sqlite3 *db = test_open("blocks.db");
    test_expect(db,
                "CREATE TABLE n(k TEXT PRIMARY KEY, v) WITHOUT ROWID;"
                "CREATE VIRTUAL TABLE t USING seerdb(k TEXT PRIMARY KEY, v, "
                "memory_limit='1MB');"
                "WITH RECURSIVE i(x) AS (SELECT 0 UNION ALL SELECT x + 1 FROM i LIMIT "
                "5000) INSERT INTO n SELECT printf('k%04d', x), hex(x * 7919) || "
                "printf('%.*c', 300, 'v') FROM i;"
                "INSERT INTO t SELECT * FROM n",
                "");
    test_expect_part(db, "SELECT seerdb('t', 'flush')", "flushed");
    test_expect(db,
                "UPDATE n SET v = v || 'u' WHERE k LIKE 'k%3'; UPDATE t SET v = v || "
                "'u' WHERE k LIKE 'k%3'",
                "");
    for (size_t i = 0; i < sizeof(queries) / sizeof(queries[0]); i++) {
        static char native[8192];
        char sql[512];
        for (int table = 0; table < 2; table++) {
            size_t n = 0;
            for (const char *p = queries[i]; *p != 0; p++)
                sql[n++] = *p == '@' ? (table ? 't' : 'n') : *p;
            sql[n] = 0;
            const char *got = test_sql(db, sql);
            if (table == 0)
                strcpy(native, got);
            else if (strcmp(native, got) != 0)
                fail_msg("%s: \"%.300s\", an ordinary table says \"%.300s\"", sql, got,
                         native);
        }
    }
    test_expect(
        db,
        "UPDATE n SET k = 'x' || k, v = k || v WHERE k LIKE 'k%1'; UPDATE t SET "
        "k = 'x' || k, v = k || v WHERE k LIKE 'k%1';"
        "SELECT count(*) FROM (SELECT * FROM t EXCEPT SELECT * FROM n);"
        "SELECT count(*) FROM (SELECT * FROM n EXCEPT SELECT * FROM t)",
        "0 0");
    test_close(db);
    mallopt(M_PERTURB, 0);
}

/* More cursors side by side than a connection has holds: the rest is copied. */
static void many_cursors_show_their_rows_side_by_side(void **state)
{
    enum { MANY = 40 };
    sqlite3_stmt *s[MANY];
    (void)state;
    sqlite3 *db = test_open("many.db");
    test_expect(db,
                "CREATE VIRTUAL TABLE t USING seerdb(k TEXT PRIMARY KEY, v);"
                "WITH RECURSIVE i(x) AS (SELECT 0 UNION ALL SELECT x + 1 FROM i LIMIT "
                "5000) INSERT INTO t SELECT printf('k%04d', x), printf('v%04d', x) "
                "FROM i",
                "");
    test_expect_part(db, "SELECT seerdb('t', 'flush')", "flushed");
    for (int i = 0; i < MANY; i++) {
        char key[16];
        snprintf(key, sizeof(key), "k%04d", i * 111);
        assert_int_equal(
            sqlite3_prepare_v2(db, "SELECT k, v FROM t WHERE k >= ?", -1, &s[i], NULL),
            SQLITE_OK);
        sqlite3_bind_text(s[i], 1, key, -1, SQLITE_TRANSIENT);
        assert_int_equal(sqlite3_step(s[i]), SQLITE_ROW);
    }
    test_expect(db, "SELECT count(*) FROM t", "5000");
    for (int step = 0; step < 3; step++) {
        for (int i = 0; i < MANY; i++) {
            char want[16];
            snprintf(want, sizeof(want), "v%04d", i * 111 + step * 64);
            assert_string_equal(sqlite3_column_text(s[i], 1), want);
            for (int n = 0; n < 64; n++)
                assert_int_equal(sqlite3_step(s[i]), SQLITE_ROW);
        }
    }
    for (int i = 0; i < MANY; i++)
        sqlite3_finalize(s[i]);
    test_close(db);
}

static void statements_after_the_first_allocate_nothing_in_the_store(void **state)
{
    static const char *const queries[] = {"SELECT v FROM t WHERE k = 'k0100'",
                                          "SELECT v FROM t WHERE k > 'k0050' LIMIT 9",
                                          "SELECT count(*), sum(length(v)) FROM t",
                                          "SELECT k FROM t ORDER BY k DESC LIMIT 3"};
    (void)state;
    sqlite3 *db = test_open("again.db");
    test_expect(db,
                "CREATE VIRTUAL TABLE t USING seerdb(k TEXT PRIMARY KEY, v);"
                "WITH RECURSIVE i(x) AS (SELECT 0 UNION ALL SELECT x + 1 FROM i LIMIT "
                "500) INSERT INTO t SELECT printf('k%04d', x), 'v' FROM i",
                "");
    test_expect_part(db, "SELECT seerdb('t', 'flush')", "flushed");
    /* What it allocates would be counted, too. */
    test_expect_part(db, "SELECT seerdb('t', 'pause')", "paused");
    test_expect(db, "INSERT OR REPLACE INTO t VALUES('k0060', 'w')", "");
    for (size_t i = 0; i < sizeof(queries) / sizeof(queries[0]); i++) {
        sqlite3_stmt *s = NULL;
        uint64_t before = 0;
        assert_int_equal(sqlite3_prepare_v2(db, queries[i], -1, &s, NULL), SQLITE_OK);
        for (int round = 0; round < 3; round++) {
            int rc;
            while ((rc = sqlite3_step(s)) == SQLITE_ROW)
                ;
            assert_int_equal(rc, SQLITE_DONE);
            sqlite3_reset(s);
            if (round == 0)
                before = sdb_mem_allocations();
        }
        assert_int_equal(sdb_mem_allocations(), before);
        sqlite3_finalize(s);
    }
    test_close(db);
}

static void a_reader_of_a_row_finds_columns_in_key_and_value(void **state)
{
    (void)state;
    sqlite3 *db = test_open(NULL);
    test_expect(
        db,
        "CREATE VIRTUAL TABLE t USING seerdb(a TEXT COLLATE NOCASE, b, c REAL, PRIMARY "
        "KEY(b, a, c)); INSERT INTO t VALUES('MiXed', -0.0, 3), ('low', 1, 1e300);"
        "SELECT c, a, b, typeof(b), typeof(c), hex(_key) <> '' FROM t",
        "3.0|MiXed|0.0|real|real|1 1.0e+300|low|1|integer|real|1");
    test_expect(db, "SELECT a FROM t WHERE _key = (SELECT _key FROM t WHERE b = 1)",
                "low");
    test_expect(db, "SELECT a FROM t WHERE _key = 'low'", "");
    test_close(db);
}

/* Rows that follow each other have the same size and other codes, or the other way. */
static void columns_are_found_in_rows_of_any_shape(void **state)
{
    static const char *const tables[] = {
        "(k INTEGER PRIMARY KEY, a, b, c)",
        "(k TEXT PRIMARY KEY, a, b, c)",
        "(k, a, b, c, PRIMARY KEY(k))",
        "(a, b, k TEXT, c, PRIMARY KEY(k, c))",
        "(a, b, c, d, e, f, g, h, i, k INTEGER PRIMARY KEY)",
    };
    /* By turns; the lengths of what is in quotes add up. */
    static const char *const rows[] = {
        "'12345678', '1234', '1'",
        "'1234', '12345678', '1'",
        "x'3132333435363738', '1234', '1'",
        "'1', '1234', '12345678'",
        "'12345678', '1234', x'31'",
        "'1234567', '12345', '1'",
        "1234567, '1', 'x'",
        "NULL, '1234', '12345678'",
        "1, 0, 'abcdefghijkl'",
        "'abcdefghijkl', 1, 0",
        "zeroblob(100), 1, 'x'",
        "1, zeroblob(100), 'x'",
        "'', '', ''",
        "x'', '', x'78'",
        "2.5, 'abc', 7",
        "printf('%0200d', 7), 'x', 'y'",
        "printf('%0199d', 7), 'xx', 'y'",
        "zeroblob(600), 'x', 'y'",
        "printf('%020000d', 7), 'x', 'y'",
    };
    enum { NROWS = sizeof rows / sizeof rows[0] };
    (void)state;
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++)
        for (int step = 1; step < 4; step++) {
            sqlite3 *db = test_open(NULL);
            char sql[512];
            snprintf(sql, sizeof(sql), "CREATE VIRTUAL TABLE t USING seerdb%s",
                     tables[i]);
            test_expect(db, sql, "");
            snprintf(sql, sizeof(sql), "CREATE TABLE n%s", tables[i]);
            test_expect(db, sql, "");
            for (int k = 0; k < 20 * NROWS; k++) {
                /* Runs of one shape, with others in between. */
                int shape = k % 5 == 4 ? k * step : k * step / 8;
                snprintf(sql, sizeof(sql), "INSERT INTO n(k, a, b, c) VALUES(%d, %s)",
                         k, rows[shape % NROWS]);
                test_expect(db, sql, "");
            }
            test_expect(db, "INSERT INTO t SELECT * FROM n", "");
            test_expect(db,
                        "SELECT count(*) FROM (SELECT * FROM n EXCEPT SELECT * FROM t);"
                        "SELECT count(*) FROM (SELECT * FROM t EXCEPT SELECT * FROM n);"
                        "SELECT count(*) FROM n JOIN t USING(k) WHERE n.a IS t.a AND "
                        "n.b IS t.b AND n.c IS t.c AND typeof(n.a) = typeof(t.a) AND "
                        "typeof(n.b) = typeof(t.b) AND typeof(n.c) = typeof(t.c)",
                        "0 0 380");
            test_expect(
                db,
                "SELECT (SELECT sum(length(b) * k) FROM n) = sum(length(b) * k),"
                "(SELECT max(c) FROM n) IS max(c), (SELECT min(a) FROM n) IS "
                "min(a) FROM t",
                "1|1|1");
            test_close(db);
        }
}

/* A row of `size` bytes is given to the reader in memory of that size; whether it finds
 * column 2 of it, and without decoding. */
static bool reads(struct svt_reader *r, const void *row, size_t size, bool *quick)
{
    struct svt_value v;
    seerdb_slice bytes;
    uint8_t *copy = malloc(size);
    assert_non_null(copy);
    memcpy(copy, row, size);
    svt_reader_set(r, test_slice("12345678"), (seerdb_slice){copy, size});
    int type = svt_reader_quick(r, 2, &bytes);
    bool found = svt_reader_column(r, 2, &v);
    *quick = type != 0;
    if (*quick) {
        assert_true(found);
        assert_int_equal(type, v.type);
        assert_ptr_equal(bytes.data, v.bytes.data);
        assert_int_equal(bytes.size, v.bytes.size);
    }
    free(copy);
    return found;
}

static void only_sound_rows_are_read_without_decoding(void **state)
{
    (void)state;
    struct svt_schema s;
    struct svt_reader r;
    char *message = NULL;
    bool quick;
    static const char *const argv[] = {"seerdb", "main", "t", "k INTEGER PRIMARY KEY",
                                       "a",      "b"};
    assert_int_equal(svt_args_parse(6, argv, &s, &message), SQLITE_OK);
    assert_int_equal(svt_reader_init(&r, &s), SQLITE_OK);
    /* k is in the key, a the integer 5, b the text 'hello' (17 + 2 * 5) */
    static const uint8_t row[] = {0, 3, 10, 1, 27, 5, 'h', 'e', 'l', 'l', 'o'};
    assert_true(reads(&r, row, sizeof row, &quick));
    assert_false(quick);
    assert_true(reads(&r, row, sizeof row, &quick));
    assert_true(quick);
    uint8_t bad[sizeof row + 1] = {0};
    memcpy(bad, row, sizeof row);
    assert_false(reads(&r, bad, sizeof row + 1, &quick)); /* a byte too many */
    assert_false(reads(&r, row, sizeof row - 1, &quick)); /* cut off */
    assert_true(reads(&r, row, sizeof row, &quick));
    assert_true(quick);
    for (size_t i = 1; i < 5; i++) { /* another code is not the same row */
        memcpy(bad, row, sizeof row);
        bad[i] = (uint8_t)(row[i] ^ 1);
        (void)reads(&r, bad, sizeof row, &quick);
        assert_false(quick);
        assert_true(reads(&r, row, sizeof row, &quick));
    }
    static const uint8_t small[] = {0, 3, 10, 0, 19, 'x'};
    for (int i = 0; i < 3; i++) {
        assert_true(reads(&r, small, sizeof small, &quick));
        assert_false(quick);
    }
    static const uint8_t long_codes[] = {0, 9, 10, 0,   25,  0,   0,  0,
                                         0, 0, 0,  'a', 'b', 'c', 'd'};
    for (int i = 0; i < 3; i++) {
        assert_true(reads(&r, long_codes, sizeof long_codes, &quick));
        assert_false(quick);
    }
    svt_reader_fini(&r);
    svt_schema_fini(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comparisons_answer_as_on_an_ordinary_table),
        cmocka_unit_test(parameters_compare_like_literals_of_an_ordinary_table),
        cmocka_unit_test(composite_keys_answer_as_on_an_ordinary_table),
        cmocka_unit_test(running_statements_share_one_state),
        cmocka_unit_test(a_scan_does_not_see_what_is_written_under_it),
        cmocka_unit_test(results_outlive_their_row),
        cmocka_unit_test(results_outlive_the_blocks_that_they_came_from),
        cmocka_unit_test(many_cursors_show_their_rows_side_by_side),
        cmocka_unit_test(statements_after_the_first_allocate_nothing_in_the_store),
        cmocka_unit_test(a_reader_of_a_row_finds_columns_in_key_and_value),
        cmocka_unit_test(columns_are_found_in_rows_of_any_shape),
        cmocka_unit_test(only_sound_rows_are_read_without_decoding),
    };
    return cmocka_run_group_tests(tests, test_dir_make, test_dir_remove);
}
