/* SPDX-License-Identifier: Apache-2.0 */
#define _DEFAULT_SOURCE
#include "update.h"

#include "test_sql.h"

/* Statements that must do and say the same on a seerdb table and on an ordinary one. */
static void both(sqlite3 *native, sqlite3 *ours, const char *sql,
                 const char *seerdb_sql)
{
    char want[8192];
    strcpy(want, test_sql(native, sql));
    const char *got = test_sql(ours, seerdb_sql != NULL ? seerdb_sql : sql);
    if (strcmp(got, want) != 0)
        fail_msg("%s: \"%s\", an ordinary table says \"%s\"", sql, got, want);
}

static void same(const char *columns, const char *without,
                 const char *const *statements)
{
    char sql[512], seerdb_sql[512];
    sqlite3 *native = test_open(NULL), *ours = test_open(NULL);
    bool strict = strstr(without, "STRICT") != NULL;
    snprintf(sql, sizeof(sql), "CREATE TABLE t(%s) %s", columns, without);
    snprintf(seerdb_sql, sizeof(seerdb_sql),
             "CREATE VIRTUAL TABLE t USING seerdb(%s%s)", columns,
             strict ? ", strict = 1" : "");
    both(native, ours, sql, seerdb_sql);
    for (int i = 0; statements[i] != NULL; i++) {
        both(native, ours, statements[i], NULL);
        both(native, ours, "SELECT * FROM t", NULL);
        both(native, ours, "SELECT total_changes()",
             "SELECT total_changes() - 1"); /* the shadow row */
    }
    test_close(native);
    test_close(ours);
}

static void an_integer_primary_key_behaves_as_in_sqlite(void **state)
{
    static const char *const statements[] = {
        "INSERT INTO t VALUES(5, 'five', 1); SELECT last_insert_rowid()",
        "INSERT INTO t VALUES('6', 'six', '1')",
        "INSERT INTO t VALUES(7.0, 'seven', 2.0)",
        "INSERT INTO t VALUES('x', 'no', 1)",
        "INSERT INTO t VALUES('x', 'no', NULL)",
        "INSERT INTO t VALUES(7.5, 'no', 1)",
        "INSERT INTO t VALUES(x'35', 'no', 1)",
        "INSERT INTO t VALUES(NULL, 'eight', 1); SELECT last_insert_rowid()",
        "INSERT INTO t(v, n) VALUES('nine', 1); SELECT last_insert_rowid()",
        "INSERT INTO t(rowid, v, n) VALUES(20, 'twenty', 1)",
        "INSERT INTO t VALUES(5, 'again', 1)",
        "INSERT OR REPLACE INTO t VALUES(5, 'again', 1)",
        "INSERT OR IGNORE INTO t VALUES(5, 'once more', 1)",
        "INSERT INTO t VALUES(30, 'null', NULL)",
        "UPDATE t SET k = 50 WHERE k = 5",
        "UPDATE t SET rowid = 51 WHERE k = 50",
        "UPDATE t SET k = 6 WHERE k = 51",
        "UPDATE OR REPLACE t SET k = 6 WHERE k = 51",
        "UPDATE OR IGNORE t SET k = 7 WHERE k = 6",
        "UPDATE t SET k = NULL WHERE k = 6",
        "UPDATE t SET k = 'y' WHERE k = 6",
        "UPDATE t SET k = '60' WHERE k = 6",
        "UPDATE t SET n = NULL WHERE k = 7",
        "UPDATE t SET v = 'changed', n = n + 1 WHERE k > 8",
        "UPDATE t SET k = k + 1 WHERE k < 9",
        "UPDATE t SET k = k + 1",
        "UPDATE t SET k = -k",
        "INSERT INTO t(v, n) VALUES('max', 1); SELECT last_insert_rowid()",
        "DELETE FROM t WHERE k = 1",
        "INSERT INTO t VALUES(-9223372036854775808, 'least', 1)",
        "DELETE FROM t WHERE k < -8",
        "DELETE FROM t",
        "INSERT INTO t(v, n) VALUES('first', 1)",
        NULL};
    (void)state;
    same("k INTEGER PRIMARY KEY, v TEXT, n INT NOT NULL", "", statements);
}

static void a_hidden_rowid_behaves_as_in_sqlite(void **state)
{
    static const char *const statements[] = {
        "INSERT INTO t VALUES(1, '2', 3), ('1', 2, 'x'), (NULL, NULL, NULL)",
        "SELECT rowid FROM t",
        "INSERT INTO t(rowid, a) VALUES(2, 9)",
        "INSERT INTO t(rowid, a) VALUES(10, 9)",
        "INSERT INTO t(a) VALUES(11); SELECT last_insert_rowid()",
        "UPDATE t SET rowid = 10 WHERE a = 1",
        "UPDATE t SET rowid = 100 WHERE a = 11; SELECT rowid FROM t",
        "UPDATE t SET a = a || 'x' WHERE rowid IN (1, 2)",
        "DELETE FROM t WHERE rowid = 100; INSERT INTO t(a) VALUES(5); SELECT rowid "
        "FROM t",
        NULL};
    (void)state;
    same("a, b TEXT, c REAL", "", statements);
}

static void a_single_key_behaves_as_in_sqlite(void **state)
{
    static const char *const statements[] = {
        "INSERT INTO t VALUES('Bob', '42', 'x')",
        "INSERT INTO t(name) VALUES('alice')",
        "INSERT INTO t VALUES('BOB', 1, 1)",
        "INSERT OR IGNORE INTO t VALUES('BOB', 1, 1), ('carol', 2, 2)",
        "INSERT OR REPLACE INTO t VALUES('BOB', 1, 1)",
        "REPLACE INTO t VALUES('dave', NULL, NULL)",
        "INSERT INTO t VALUES(NULL, 1, 1)",
        "INSERT INTO t VALUES(5, 1, 1)",
        "INSERT INTO t VALUES('5', 1, 1)",
        "UPDATE t SET name = 'eve' WHERE name = 'bob'",
        "UPDATE t SET name = 'ALICE' WHERE name = 'alice'",
        "UPDATE t SET name = 'alice' WHERE name = 'eve'",
        "UPDATE t SET age = NULL WHERE name = 'eve'",
        "UPDATE OR IGNORE t SET name = 'alice'",
        "UPDATE OR REPLACE t SET age = NULL WHERE name = 'eve'",
        "UPDATE t SET name = NULL WHERE name = 'eve'",
        "UPDATE t SET note = zeroblob(3), age = age + 0.5",
        "DELETE FROM t WHERE name = 'CAROL'",
        NULL};
    (void)state;
    same("name TEXT PRIMARY KEY COLLATE NOCASE, age INT NOT NULL DEFAULT 7, note",
         "WITHOUT ROWID", statements);
}

static void a_composite_key_behaves_as_in_sqlite(void **state)
{
    static const char *const statements[] = {
        "INSERT INTO t VALUES('v', 1, 'x', 2.5), ('w', 1, 'y', 2), ('x', 1.5, 'x', 1)",
        "INSERT INTO t VALUES('v', 1.0, 'X', 2.5)",
        "INSERT OR REPLACE INTO t VALUES('again', 1.0, 'X', 2.5)",
        "INSERT INTO t VALUES('v', NULL, 'X', 2.5)",
        "INSERT INTO t(a, b) VALUES(2, 'z')",
        "UPDATE t SET v = v || '!'",
        "UPDATE t SET b = 'y', c = 2 WHERE b = 'x'",
        "UPDATE t SET b = 'q' WHERE b = 'x' AND a > 1",
        "UPDATE t SET a = a * 2 WHERE a = 1",
        "UPDATE OR REPLACE t SET a = 3, b = 'same', c = 0",
        "DELETE FROM t WHERE a = 3 AND b = 'SAME'",
        "DELETE FROM t WHERE a = 3 AND b = 'same'",
        NULL};
    (void)state;
    same("v, a, b TEXT COLLATE NOCASE, c REAL NOT NULL DEFAULT 9, PRIMARY KEY(a, b "
         "DESC, c)",
         "WITHOUT ROWID", statements);
}

/* One of each type into each column, as a literal and as what a column of that
 * affinity makes of it. */
static void strict_types_are_those_of_strict_tables(void **state)
{
    static const char *const values[] = {"1",
                                         "1.0",
                                         "1.5",
                                         "'1'",
                                         "'1.0'",
                                         "'1.5'",
                                         "'1e3'",
                                         "' 7 '",
                                         "'7x'",
                                         "'text'",
                                         "''",
                                         "x'31'",
                                         "x''",
                                         "NULL",
                                         "-0.0",
                                         "9e999",
                                         "-9e999",
                                         "1e300",
                                         "zeroblob(2)",
                                         "TRUE",
                                         "9223372036854775807",
                                         "9223372036854775808",
                                         "'9223372036854775808'",
                                         "4503599627370497.5",
                                         "-9223372036854775808.0"};
    static const char *const columns[] = {"i", "n", "r", "x", "b", "a"};
    static const char *const declarations[][2] = {
        {"k INTEGER PRIMARY KEY, i INT, n INTEGER, r REAL, x TEXT, b BLOB, a ANY",
         "STRICT"},
        {"k INT PRIMARY KEY, i INT, n INTEGER, r REAL, x TEXT, b BLOB, a ANY",
         "STRICT, WITHOUT ROWID"},
        {"k INT, i INT, n INTEGER, r REAL, x TEXT, b BLOB, a ANY, PRIMARY KEY (k DESC, "
         "a)",
         "STRICT, WITHOUT ROWID"}};
    enum { NVALUES = sizeof values / sizeof values[0], NCOLUMNS = 6 };
    static char text[NVALUES * NCOLUMNS * 2][256];
    static const char *statements[NVALUES * NCOLUMNS * 2 + 1];
    int n = 0;
    (void)state;
    for (int v = 0; v < NVALUES; v++) {
        for (int c = 0; c < NCOLUMNS; c++, n += 2) {
            snprintf(text[n], sizeof text[n],
                     "INSERT INTO t(k, %s%s) VALUES (%d, %s%s); SELECT quote(i), "
                     "quote(n), quote(r), quote(x), quote(b), quote(a) FROM t",
                     columns[c], c == 5 ? "" : ", a", n, values[v],
                     c == 5 ? "" : ", 1");
            snprintf(text[n + 1], sizeof text[n + 1],
                     "UPDATE OR ABORT t SET %s = %s WHERE k = %d; DELETE FROM t WHERE "
                     "k < %d",
                     columns[(c + 1) % NCOLUMNS], values[v], n, n);
            statements[n] = text[n];
            statements[n + 1] = text[n + 1];
        }
    }
    for (size_t i = 0; i < sizeof declarations / sizeof declarations[0]; i++)
        same(declarations[i][0], declarations[i][1], statements);
}

static void strict_keys_and_defaults_are_those_of_strict_tables(void **state)
{
    static const char *const rowid[] = {"INSERT INTO t VALUES('x', 1, 1)",
                                        "INSERT INTO t VALUES('7', 1, 1)",
                                        "INSERT INTO t VALUES('8.0', 1, 1)",
                                        "INSERT INTO t VALUES(x'37', 1, 1)",
                                        "INSERT INTO t VALUES(7, x'00', 1)",
                                        "INSERT INTO t VALUES(9, x'00', 1)",

                                        "INSERT INTO t(k) VALUES(10)",
                                        "UPDATE t SET k = 'x'",
                                        "UPDATE t SET v = x'00'",
                                        "UPDATE t SET v = 'y', n = 'z'",
                                        "INSERT OR REPLACE INTO t VALUES(7, 2, 'z')",
                                        "INSERT OR REPLACE INTO t VALUES(7, 2, '3')",
                                        NULL};
    static const char *const key[] = {"INSERT INTO t VALUES(1, 1, x'00')",
                                      "INSERT INTO t VALUES('1', '1', x'00')",
                                      "INSERT INTO t VALUES(1, '1.0', x'00')",
                                      "INSERT INTO t VALUES(x'31', 1, x'00')",
                                      "INSERT INTO t VALUES('1', 'x', x'01')",
                                      "INSERT INTO t VALUES('1', 'x', 'y')",
                                      "INSERT INTO t VALUES(NULL, 'x', 'y')",
                                      "INSERT INTO t(a, i) VALUES ('new', 4)",
                                      "UPDATE t SET i = 1.5",
                                      "UPDATE t SET i = i + 1.0",
                                      "UPDATE t SET a = x'00' WHERE i > 2",
                                      "REPLACE INTO t VALUES('1', 2, 'y')",
                                      "SELECT count(*) FROM t WHERE a = 1",
                                      "SELECT count(*) FROM t WHERE i = '2'",
                                      NULL};
    (void)state;
    same("k INTEGER PRIMARY KEY, v TEXT, n INTEGER NOT NULL DEFAULT 'no number'",
         "STRICT", rowid);
    same("a TEXT, i INTEGER, b BLOB NOT NULL DEFAULT x'99', PRIMARY KEY (i, a)",
         "STRICT, WITHOUT ROWID", key);
}

/* An ordinary table compares an ANY column without affinity. */
static void strict_any_keeps_values_and_compares_them_as_they_are(void **state)
{
    static const char *const statements[] = {
        "INSERT INTO t VALUES('5', '5'), (5, 5), (5.5, '5.5'), (x'35', x'35')",
        "INSERT INTO t VALUES(5.0, 1)",
        "INSERT INTO t(k) VALUES('default')",
        "SELECT quote(k), quote(v) FROM t WHERE k = '5'",
        "SELECT quote(k), quote(v) FROM t WHERE k = 5",
        "SELECT quote(k), quote(v) FROM t WHERE v = '5'",
        "SELECT quote(k), quote(v) FROM t WHERE v >= 5",
        "SELECT quote(k), quote(v) FROM t WHERE k IN ('5', 5.5)",
        "SELECT quote(k), quote(v) FROM t WHERE k = 'default'",
        NULL};
    (void)state;
    same("k ANY PRIMARY KEY, v ANY NOT NULL DEFAULT '07'", "STRICT, WITHOUT ROWID",
         statements);
}

static void a_wrong_type_is_not_ignored(void **state)
{
    (void)state;
    sqlite3 *db = test_open(NULL);
    test_expect(
        db,
        "CREATE VIRTUAL TABLE t USING seerdb(k TEXT PRIMARY KEY, i INT, strict = 1)",
        "");
    test_expect(db, "INSERT INTO t VALUES ('a', 'x')",
                "error 3091: cannot store TEXT value in INT column t.i");
    test_expect(db, "INSERT OR IGNORE INTO t VALUES ('a', 1), ('b', 'x')",
                "error 20: cannot store TEXT value in INT column t.i");
    test_expect(db, "SELECT count(*) FROM t", "0");
    test_expect(db,
                "CREATE VIRTUAL TABLE u USING seerdb(strict = 1);"
                "INSERT INTO u VALUES (1, '2'), ('1', 2); SELECT typeof(key), "
                "typeof(value) FROM u",
                "integer|text text|integer");
    test_close(db);
}

static void a_hidden_key_cannot_be_given(void **state)
{
    (void)state;
    sqlite3 *db = test_open(NULL);
    test_expect(db,
                "CREATE VIRTUAL TABLE t USING seerdb(a, b, v, PRIMARY KEY(a, b));"
                "INSERT INTO t VALUES(1, 2, 3)",
                "");
    test_expect_part(db, "INSERT INTO t(a, b, _key) VALUES(1, 3, x'00')",
                     "_key cannot");
    test_expect_part(db, "UPDATE t SET _key = x'00'", "_key cannot");
    test_expect(db, "SELECT * FROM t", "1|2|3");
    test_close(db);
}

static void insert_replace_puts_blindly(void **state)
{
    (void)state;
    sqlite3 *db = test_open(NULL);
    test_expect(
        db,
        "CREATE VIRTUAL TABLE t USING seerdb(k PRIMARY KEY, v, insert='replace');"
        "INSERT INTO t VALUES(1, 'a'), (2, 'b'); INSERT INTO t VALUES(1, 'c');"
        "INSERT OR IGNORE INTO t VALUES(2, 'd'); SELECT * FROM t",
        "1|c 2|b");
    test_expect(db, "INSERT OR FAIL INTO t VALUES(2, 'd')",
                "error 1555: UNIQUE constraint failed: t.k");
    test_expect(db, "UPDATE t SET k = 2 WHERE k = 1",
                "error 1555: UNIQUE constraint failed: t.k");
    test_close(db);
}

/* How often the statement looks up a row. */
static int lookups(sqlite3 *db, const char *sql)
{
    double before = test_stat(db, "t", "gets") + test_stat(db, "t", "iterators");
    test_expect(db, sql, "");
    return (int)(test_stat(db, "t", "gets") + test_stat(db, "t", "iterators") - before);
}

static void writes_that_need_not_know_the_old_row_do_not_read_it(void **state)
{
    static const char *const declarations[] = {
        "k PRIMARY KEY, v", "k INTEGER PRIMARY KEY, v", "k INT, v, PRIMARY KEY(k, v)"};
    (void)state;
    for (size_t i = 0; i < sizeof declarations / sizeof declarations[0]; i++) {
        for (int blind = 0; blind < 2; blind++) {
            sqlite3 *db = test_open(NULL);
            char *sql =
                sqlite3_mprintf("CREATE VIRTUAL TABLE t USING seerdb(%s, insert = %s);"
                                "INSERT INTO t VALUES(1, 1), (2, 2), (3, 3)",
                                declarations[i], blind ? "replace" : "check");
            test_expect(db, sql, "");
            sqlite3_free(sql);
            int plain = lookups(db, "INSERT INTO t VALUES(11, 1), (12, 2), (13, 3)");
            assert_int_equal(plain, blind ? 0 : 3);
            assert_int_equal(lookups(db, "INSERT OR REPLACE INTO t VALUES(1, 1), (21, "
                                         "2), (3, 3); REPLACE INTO t VALUES(2, 2)"),
                             0);
            assert_int_equal(lookups(db, "INSERT OR IGNORE INTO t VALUES(1, 1), (31, "
                                         "1)"),
                             2);
            test_close(db);
        }
    }
}

static void large_columns_stay_where_an_update_does_not_touch_them(void **state)
{
    (void)state;
    sqlite3 *db = test_open(NULL);
    test_expect(
        db,
        "CREATE VIRTUAL TABLE t USING seerdb(a, b, big TEXT, small, PRIMARY KEY(a, b));"
        "INSERT INTO t VALUES(1, 1, printf('%05000d', 1), 's'), (1, 2, NULL, 't');"
        "UPDATE t SET small = small || 'x'; UPDATE t SET a = 2, small = small || 'y';"
        "SELECT a, b, length(big), substr(big, -1), small FROM t",
        "2|1|5000|1|sxy 2|2|NULL|NULL|txy");
    test_expect(
        db,
        "CREATE VIRTUAL TABLE u USING seerdb(k INTEGER PRIMARY KEY, big TEXT, c);"
        "INSERT INTO u VALUES(1, printf('%05000d', 1), 1); UPDATE u SET k = 3, c = 2;"
        "UPDATE u SET rowid = 4; SELECT k, length(big), c FROM u",
        "4|5000|2");
    test_expect(db,
                "CREATE VIRTUAL TABLE w USING seerdb(k TEXT PRIMARY KEY, c);"
                "INSERT INTO w VALUES(printf('%05000d', 1), 1); UPDATE w SET c = 2;"
                "SELECT length(k), c FROM w; UPDATE w SET k = 'short'; SELECT * FROM w",
                "5000|2 short|2");
    test_close(db);
}

static void what_is_too_big_is_refused_with_its_size(void **state)
{
    (void)state;
    sqlite3 *db = test_open(NULL);
    test_expect(db, "CREATE VIRTUAL TABLE t USING seerdb", "");
    test_expect(db, "INSERT INTO t VALUES(zeroblob(65537), 1)",
                "error 18: main.t: a key of 65538 bytes is longer than 65536");
    test_expect(db,
                "INSERT INTO t VALUES(zeroblob(65535), 1); SELECT length(key) FROM t",
                "65535");
    test_close(db);
}

static void values_keep_type_and_bits(void **state)
{
    (void)state;
    sqlite3 *db = test_open("values.db");
    static const char *const query =
        "SELECT quote(a), quote(b), typeof(a), typeof(b) FROM t ORDER BY rowid";
    test_expect(
        db,
        "CREATE VIRTUAL TABLE t USING seerdb(a, b); INSERT INTO t VALUES(1, 1.0), "
        "(-0.0, 9223372036854775807), (9e999, -9e999), ('a'' ''b', x''), (NULL, '')",
        "");
    char first[1024];
    strcpy(first, test_sql(db, query));
    test_expect(
        db,
        "CREATE TABLE n AS SELECT * FROM t; SELECT quote(a), quote(b), typeof(a), "
        "typeof(b) FROM n ORDER BY rowid",
        first);
    test_expect(db, "SELECT seerdb('t', 'flush') IS NOT NULL", "1");
    test_expect(db, query, first);
    test_close(db);
    db = test_open("values.db");
    test_expect(db, query, first);
    test_close(db);
}

/* SQLite calls xUpdate once for each row of the join. */
static void update_from_leaves_one_row_where_several_match(void **state)
{
    static const char *const declarations[] = {
        "k TEXT PRIMARY KEY, v",
        "k PRIMARY KEY, v",
        "k INTEGER PRIMARY KEY, v",
        "k INT, v, PRIMARY KEY(k, v)",
    };
    (void)state;
    for (size_t i = 0; i < sizeof declarations / sizeof declarations[0]; i++) {
        sqlite3 *db = test_open(NULL);
        char *sql =
            sqlite3_mprintf("CREATE VIRTUAL TABLE t USING seerdb(%s)", declarations[i]);
        test_expect(db, sql, "");
        sqlite3_free(sql);
        test_expect(db,
                    "INSERT INTO t VALUES(1, 'a'), (2, 'b'); CREATE TABLE x(n, m);"
                    "INSERT INTO x VALUES(11, 1), (12, 1), (13, 1)",
                    "");
        test_expect(db,
                    "UPDATE t SET k = n FROM x WHERE k = m;"
                    "SELECT count(*), sum(k > 10), sum(k = 2) FROM t",
                    "2|1|1");
        /* The first match takes the key away, the later ones leave it as it was. */
        test_expect(db,
                    "UPDATE t SET k = CASE n WHEN 11 THEN 21 ELSE k END FROM x "
                    "WHERE k = 2; SELECT count(*), sum(k = 21), sum(k = 2) FROM t",
                    "2|1|0");
        /* Nothing of it is remembered where it is undone. */
        test_expect(db,
                    "BEGIN; SAVEPOINT s; UPDATE t SET k = 31 WHERE k = 21; ROLLBACK TO "
                    "s; UPDATE t SET v = 'c' WHERE k = 21; COMMIT;"
                    "SELECT k, v FROM t WHERE k > 20",
                    "21|c");
        test_close(db);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_integer_primary_key_behaves_as_in_sqlite),
        cmocka_unit_test(a_hidden_rowid_behaves_as_in_sqlite),
        cmocka_unit_test(a_single_key_behaves_as_in_sqlite),
        cmocka_unit_test(a_composite_key_behaves_as_in_sqlite),
        cmocka_unit_test(strict_types_are_those_of_strict_tables),
        cmocka_unit_test(strict_keys_and_defaults_are_those_of_strict_tables),
        cmocka_unit_test(strict_any_keeps_values_and_compares_them_as_they_are),
        cmocka_unit_test(a_wrong_type_is_not_ignored),
        cmocka_unit_test(a_hidden_key_cannot_be_given),
        cmocka_unit_test(insert_replace_puts_blindly),
        cmocka_unit_test(writes_that_need_not_know_the_old_row_do_not_read_it),
        cmocka_unit_test(large_columns_stay_where_an_update_does_not_touch_them),
        cmocka_unit_test(what_is_too_big_is_refused_with_its_size),
        cmocka_unit_test(values_keep_type_and_bits),
        cmocka_unit_test(update_from_leaves_one_row_where_several_match),
    };
    return cmocka_run_group_tests(tests, test_dir_make, test_dir_remove);
}
