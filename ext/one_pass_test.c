/* SPDX-License-Identifier: Apache-2.0
 *
 * An UPDATE that names the whole key takes one pass, although its value may be equal to
 * several keys; then it begins anew in two (plan.c). */
#define _DEFAULT_SOURCE
#include "plan.h"

#include "test_sql.h"

/* Does SQLite collect the rows before it writes them? */
static bool takes_two_passes(sqlite3 *db, const char *sql)
{
    char explain[512];
    sqlite3_stmt *stmt = NULL;
    bool found = false;
    snprintf(explain, sizeof(explain), "EXPLAIN %s", sql);
    assert_int_equal(sqlite3_prepare_v2(db, explain, -1, &stmt, NULL), SQLITE_OK);
    while (sqlite3_step(stmt) == SQLITE_ROW)
        found = found || strcmp((const char *)sqlite3_column_text(stmt, 1),
                                "OpenEphemeral") == 0;
    assert_int_equal(sqlite3_finalize(stmt), SQLITE_OK);
    return found;
}

static void an_update_that_names_the_whole_key_takes_one_pass(void **state)
{
    static const struct {
        const char *sql;
        bool two;
    } cases[] = {
        {"UPDATE t SET v = 1 WHERE k = ?", false},
        {"UPDATE t SET v = 1 WHERE k IS ?", false},
        {"UPDATE t SET k = ?1 WHERE k = ?2", false},
        {"UPDATE t SET v = 1 WHERE k = ? AND v = ?", false},
        {"UPDATE t SET v = 1 WHERE k = (SELECT i FROM o)", false},
        {"UPDATE t SET v = 1 WHERE k = 'x'", false},
        {"UPDATE t SET v = 1 WHERE k = 5", true}, /* is seen to be equal to '05' too */
        {"UPDATE t SET v = 1 WHERE k >= ?", true},
        {"UPDATE t SET v = 1 WHERE k IN (?, ?)", true},
        {"UPDATE t SET v = 1 WHERE k IN (SELECT i FROM o)", true},
        {"UPDATE t SET v = 1 WHERE v = ?", true},
        {"UPDATE t SET v = i FROM o WHERE k = i", true},
        {"UPDATE u SET v = 1 WHERE k = ?", false},
        {"UPDATE c SET v = 1 WHERE a = ? AND b = ?", false},
        {"UPDATE c SET v = 1 WHERE a = ?", true},
        {"UPDATE c SET v = 1 WHERE a = ? AND b > ?", true},
        {"UPDATE c SET v = 1 WHERE (a, b) = (?, ?)", false},
        {"UPDATE c SET v = 1 WHERE (a, b) IN (SELECT i, s FROM o)", true},
        {"UPDATE i SET v = 1 WHERE k = ?", false},
        /* DELETE looks like a SELECT: only where one row is certain. */
        {"DELETE FROM t WHERE k = ?", true},
        {"DELETE FROM t WHERE k = 'x'", false},
        {"DELETE FROM i WHERE k = ?", false},
        /* A trigger comes when something was done already. */
        {"INSERT INTO fires VALUES('x')", true},
        {"INSERT INTO fires_literal VALUES('x')", false},
    };
    (void)state;
    sqlite3 *db = test_open(NULL);
    test_expect(db,
                "CREATE VIRTUAL TABLE t USING seerdb(k TEXT PRIMARY KEY, v);"
                "CREATE VIRTUAL TABLE u USING seerdb(k PRIMARY KEY, v);"
                "CREATE VIRTUAL TABLE c USING seerdb(a TEXT, b, v, PRIMARY KEY(a, b));"
                "CREATE VIRTUAL TABLE i USING seerdb(k INTEGER PRIMARY KEY, v);"
                "CREATE TABLE o(i INTEGER, s TEXT);"
                "CREATE TABLE fires(k); CREATE TABLE fires_literal(k);"
                "CREATE TEMP TRIGGER r AFTER INSERT ON fires BEGIN "
                "UPDATE t SET v = 1 WHERE k = new.k; END;"
                "CREATE TEMP TRIGGER l AFTER INSERT ON fires_literal BEGIN "
                "UPDATE t SET v = 1 WHERE k = 'x'; END",
                "");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        if (takes_two_passes(db, cases[i].sql) != cases[i].two)
            fail_msg("%s: not in %s", cases[i].sql,
                     cases[i].two ? "two passes" : "one pass");
    test_close(db);
}

/* With the hidden ones.  Of so many columns a SELECT may use those that an UPDATE is
 * known by. */
static void a_table_of_64_columns_takes_two_passes(void **state)
{
    (void)state;
    sqlite3 *db = test_open(NULL);
    for (int n = 61; n <= 63; n++) {
        char sql[1024], name[8];
        snprintf(name, sizeof(name), "t%d", n);
        int at =
            snprintf(sql, sizeof(sql),
                     "CREATE VIRTUAL TABLE %s USING seerdb(k TEXT PRIMARY KEY", name);
        for (int i = 1; i < n; i++)
            at += snprintf(sql + at, sizeof(sql) - (size_t)at, ", c%d", i);
        snprintf(sql + at, sizeof(sql) - (size_t)at, ")");
        test_expect(db, sql, "");
        snprintf(sql, sizeof(sql), "UPDATE %s SET c1 = 1 WHERE k = ?", name);
        assert_int_equal(takes_two_passes(db, sql), n > 61);
    }
    test_close(db);
}

/* ---- beginning anew -------------------------------------------------------- */

struct pair {
    sqlite3 *native, *ours;
};

static const char *const texts[] = {"t(k TEXT PRIMARY KEY, v)", "WITHOUT ROWID"};
static const char *const untyped[] = {"t(k PRIMARY KEY, v)", "WITHOUT ROWID"};
static const char *const nocase[] = {"t(k TEXT COLLATE NOCASE PRIMARY KEY, v)",
                                     "WITHOUT ROWID"};
static const char *const composite[] = {"t(k TEXT, b DEFAULT 0, v, PRIMARY KEY(k, b))",
                                        "WITHOUT ROWID"};

static void both(const struct pair *p, const char *sql)
{
    char want[8192];
    strcpy(want, test_sql(p->native, sql));
    const char *got = test_sql(p->ours, sql);
    if (strcmp(got, want) != 0)
        fail_msg("%s: \"%s\", an ordinary table says \"%s\"", sql, got, want);
}

static struct pair pair_open(const char *const *columns)
{
    struct pair p = {test_open(NULL), test_open(NULL)};
    char sql[256];
    snprintf(sql, sizeof(sql), "CREATE TABLE %s %s", columns[0], columns[1]);
    test_expect(p.native, sql, "");
    snprintf(sql, sizeof(sql), "CREATE VIRTUAL TABLE t USING seerdb%s", columns[0] + 1);
    test_expect(p.ours, sql, "");
    both(&p, "INSERT INTO t(k, v) VALUES('x', 'x'), ('5', 'five'), ('05', 'zero five'),"
             "('5.0', 'real'), ('y', 'y'), ('', 'empty'), (x'35', 'blob');"
             "CREATE TABLE o(i INTEGER, s TEXT, n);"
             "INSERT INTO o VALUES(5, '5', 5), ('x', 'x', 'x'), (7, '7', 7),"
             "(NULL, NULL, NULL)");
    return p;
}

static void pair_close(const struct pair *p)
{
    test_close(p->native);
    test_close(p->ours);
}

/* What was done before a statement began anew does not count: nothing was. */
static void same_total(const struct pair *p, const int *before)
{
    int native = sqlite3_total_changes(p->native) - before[0];
    int ours = sqlite3_total_changes(p->ours) - before[1];
    if (native != ours)
        fail_msg("%d changes in all, an ordinary table has %d", ours, native);
}

/* Each statement on fresh tables: the first one that begins anew is the last. */
static void all_agree(const char *const *columns, const char *const *statements)
{
    for (int i = 0; statements[i] != NULL; i++) {
        struct pair p = pair_open(columns);
        const int before[] = {sqlite3_total_changes(p.native),
                              sqlite3_total_changes(p.ours)};
        both(&p, statements[i]);
        both(&p, "SELECT changes()");
        same_total(&p, before);
        both(&p, "SELECT *, typeof(k) FROM t ORDER BY k, v");
        both(&p, "SELECT * FROM o");
        /* and once more, on the same tables, when it is known */
        both(&p, statements[i]);
        both(&p, "UPDATE t SET v = 'last' WHERE k = 'y'; SELECT changes()");
        both(&p, "SELECT *, typeof(k) FROM t ORDER BY k, v");
        pair_close(&p);
    }
}

static void a_value_that_is_equal_to_several_keys_updates_them_all(void **state)
{
    static const char *const statements[] = {
        "UPDATE t SET v = 'new' WHERE k = (SELECT i FROM o WHERE n = 5)",
        "UPDATE t SET v = 'new' WHERE k = (SELECT i FROM o WHERE n = 'x')",
        "UPDATE t SET v = 'new' WHERE k = (SELECT i FROM o WHERE n = 7)",
        "UPDATE t SET v = 'new' WHERE k = (SELECT i FROM o WHERE n IS NULL)",
        "UPDATE t SET v = 'new' WHERE k = (SELECT s FROM o WHERE n = 5)",
        "UPDATE t SET v = 'new' WHERE k = (SELECT n FROM o WHERE n = 5)",
        "UPDATE t SET v = 'new' WHERE k = CAST(v AS INTEGER) OR k = abs(-5)",
        "UPDATE t SET v = 'new' WHERE k = abs(-5)",
        "UPDATE t SET v = 'new' WHERE k = +5",
        "UPDATE t SET v = 'new' WHERE k = CAST('5' AS REAL)",
        "UPDATE t SET v = 'new' WHERE k = CAST(abs(-5) AS INTEGER)",
        "UPDATE t SET v = 'new' WHERE k = CAST(abs(-5) AS BLOB)",
        "UPDATE t SET v = 'new' WHERE k = (SELECT i FROM o WHERE n = 5) AND v <> "
        "'real'",
        "UPDATE t SET v = 'new' WHERE k = (SELECT max(i) FROM o WHERE i < 6)",
        "UPDATE OR REPLACE t SET k = 'z' WHERE k = (SELECT i FROM o WHERE n = 'x')",
        "UPDATE t SET v = o.s FROM o WHERE k = o.i",
        "UPDATE t SET k = k || k WHERE k = (SELECT i FROM o WHERE n = 5)",
        "UPDATE t SET v = (SELECT count(*) FROM t) WHERE k = (SELECT i FROM o WHERE n "
        "= 5)",
        /* What is around it. */
        "BEGIN; INSERT INTO t(k, v) VALUES('q', 1);"
        "UPDATE t SET v = 'new' WHERE k = (SELECT i FROM o WHERE n = 5);"
        "SELECT changes(); UPDATE t SET v = 2 WHERE k = 'q'; COMMIT; DELETE FROM t "
        "WHERE k = 'q'",
        "BEGIN; UPDATE t SET v = 'first' WHERE k = 'x'; SAVEPOINT s;"
        "UPDATE t SET v = 'new' WHERE k = (SELECT i FROM o WHERE n = 5); ROLLBACK TO s;"
        "SELECT v FROM t ORDER BY v; RELEASE s; COMMIT",
        "SAVEPOINT s; UPDATE t SET v = 'new' WHERE k = (SELECT i FROM o WHERE n = 5);"
        "ROLLBACK TO s; UPDATE t SET v = 'newer' WHERE k = 'y'; RELEASE s",
        /* Rows are changed before a trigger meets the value. */
        "CREATE TEMP TRIGGER r AFTER INSERT ON o BEGIN "
        "UPDATE t SET v = v || '+' WHERE k = new.i; END;"
        "INSERT INTO o VALUES('x', 1, 1), ('y', 2, 2), (5, 3, 3), ('x', 4, 4), (5, 5, "
        "5); SELECT changes(); DROP TRIGGER r",
        "CREATE TEMP TRIGGER r AFTER INSERT ON o BEGIN "
        "UPDATE t SET v = v || '+' WHERE k = new.i; END;"
        "BEGIN; INSERT INTO o VALUES(9, 9, 9);"
        "INSERT INTO o VALUES('x', 1, 1), ('y', 2, 2), (5, 3, 3) RETURNING i, s;"
        "COMMIT; DROP TRIGGER r",
        "CREATE TEMP TRIGGER r AFTER UPDATE ON o BEGIN "
        "INSERT INTO t(k, v) VALUES(new.s || '!', 0);"
        "UPDATE t SET v = v || '+' WHERE k = new.i; END;"
        "UPDATE o SET n = n + 1; DROP TRIGGER r; DELETE FROM t WHERE v = 0",
        "CREATE TEMP TRIGGER r AFTER INSERT ON o BEGIN "
        "UPDATE OR FAIL t SET v = v || '+' WHERE k = new.i; END;"
        "INSERT OR FAIL INTO o VALUES('x', 1, 1), (5, 3, 3); DROP TRIGGER r",
        NULL};
    static const char *const of_two_parts[] = {
        "UPDATE t SET v = 'new' WHERE k = (SELECT i FROM o WHERE n = 5) AND b = 0",
        "UPDATE t SET v = 'new' WHERE k = 'x' AND b = (SELECT 0)",
        "UPDATE t SET v = 'new' WHERE k = (SELECT s FROM o WHERE n = 'x') AND b = "
        "(SELECT i - 5 FROM o WHERE n = 5)",
        "UPDATE t SET v = 'new' WHERE (k, b) = (SELECT i, i - 5 FROM o WHERE n = 5)",
        NULL};
    (void)state;
    all_agree(texts, statements);
    all_agree(untyped, statements);
    all_agree(nocase, statements);
    all_agree(composite, statements);
    all_agree(composite, of_two_parts);
}

/* A SELECT never begins anew: it finds all rows in one go, and joins stay. */
static void a_select_is_promised_nothing(void **state)
{
    (void)state;
    struct pair p = pair_open(texts);
    both(&p, "SELECT o.n FROM o LEFT JOIN t ON t.k = o.i ORDER BY 1");
    both(&p, "SELECT o.n, t.k FROM o LEFT JOIN t ON t.k = o.i ORDER BY 1, 2");
    both(&p, "SELECT o.n FROM o LEFT JOIN t ON t.k = (SELECT 5 + 0 * count(*) FROM o)");
    both(&p, "SELECT o.n, (SELECT count(*) FROM t WHERE k = o.i) FROM o");
    both(&p, "UPDATE o SET n = (SELECT count(*) FROM o a LEFT JOIN t ON t.k = a.i)");
    both(&p, "SELECT * FROM o");
    both(&p, "DELETE FROM t WHERE k = (SELECT i FROM o WHERE s = '5')");
    both(&p, "SELECT changes(); SELECT * FROM t");
    pair_close(&p);
}

/* ---- parameters ------------------------------------------------------------ */

static int run(sqlite3_stmt *stmt, int type)
{
    if (type == SQLITE_INTEGER)
        sqlite3_bind_int(stmt, 1, 5);
    else
        sqlite3_bind_text(stmt, 1, "x", 1, SQLITE_STATIC);
    int rc = sqlite3_step(stmt);
    int again = sqlite3_reset(stmt);
    return rc == SQLITE_ERROR ? again : rc;
}

/* A statement is used again with values of all kinds. */
static void a_prepared_update_goes_on_with_other_values(void **state)
{
    (void)state;
    sqlite3_stmt *stmt = NULL;
    struct pair p = pair_open(texts);
    static const char *const sql = "UPDATE t SET v = v || '+' WHERE k = ?";
    assert_int_equal(sqlite3_prepare_v2(p.ours, sql, -1, &stmt, NULL), SQLITE_OK);
    assert_int_equal(run(stmt, SQLITE_TEXT), SQLITE_DONE);
    assert_int_equal(sqlite3_changes(p.ours), 1);
    assert_int_equal(run(stmt, SQLITE_INTEGER), SQLITE_DONE);
    assert_int_equal(sqlite3_changes(p.ours), 1); /* '5', not '05': no affinity */
    assert_int_equal(run(stmt, SQLITE_TEXT), SQLITE_DONE);
    assert_int_equal(sqlite3_stmt_status(stmt, SQLITE_STMTSTATUS_REPREPARE, 0), 1);
    sqlite3_finalize(stmt);
    test_expect(p.ours, "SELECT k, v FROM t WHERE v LIKE '%+' ORDER BY k",
                "5|five+ x|x++");
    pair_close(&p);
}

/* sqlite3_prepare leaves it to the program to prepare again. */
static void a_statement_of_the_old_kind_is_told_to_be_prepared_again(void **state)
{
    (void)state;
    struct pair p = pair_open(texts);
    static const char *const sql = "UPDATE t SET v = v || '+' WHERE k = ?";
    for (int i = 0; i < 2; i++) {
        sqlite3_stmt *stmt = NULL;
        assert_int_equal(sqlite3_prepare(p.ours, sql, -1, &stmt, NULL), SQLITE_OK);
        assert_int_equal(run(stmt, SQLITE_INTEGER),
                         i == 0 ? SQLITE_SCHEMA : SQLITE_DONE);
        sqlite3_finalize(stmt);
    }
    test_expect(p.ours, "SELECT k, v FROM t WHERE v LIKE '%+'", "5|five+");
    pair_close(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_update_that_names_the_whole_key_takes_one_pass),
        cmocka_unit_test(a_table_of_64_columns_takes_two_passes),
        cmocka_unit_test(a_value_that_is_equal_to_several_keys_updates_them_all),
        cmocka_unit_test(a_select_is_promised_nothing),
        cmocka_unit_test(a_prepared_update_goes_on_with_other_values),
        cmocka_unit_test(a_statement_of_the_old_kind_is_told_to_be_prepared_again),
    };
    return cmocka_run_group_tests(tests, test_dir_make, test_dir_remove);
}
