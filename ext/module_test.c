/* SPDX-License-Identifier: Apache-2.0 */
#define _DEFAULT_SOURCE
#include "module.h"

#include "test_mem.h"
#include "test_sql.h"

static int setup(void **state)
{
    return test_mem_install(state) != 0 ? -1 : test_dir_make(state);
}

static void a_second_load_changes_nothing(void **state)
{
    (void)state;
    sqlite3 *db = test_open(NULL);
    test_expect(
        db, "CREATE VIRTUAL TABLE t USING seerdb(k); BEGIN; INSERT INTO t VALUES(1)",
        "");
    assert_int_equal(sqlite3_seerdb_init(db, NULL, NULL), SQLITE_OK);
    test_expect(db, "INSERT INTO t VALUES(2); COMMIT; SELECT * FROM t", "1 2");
    test_close(db);
}

static void plans_are_readable(void **state)
{
    (void)state;
    sqlite3 *db = test_open(NULL);
    test_expect(
        db, "CREATE VIRTUAL TABLE t USING seerdb(a INT, b INT, c, PRIMARY KEY(a, b))",
        "");
    test_expect_part(
        db, "EXPLAIN QUERY PLAN SELECT * FROM t WHERE b > 5 AND a = 1 ORDER BY b DESC",
        ":a=? AND b>? ORDER BY b DESC");
    test_close(db);
}

static void shadow_tables_are_known_as_such(void **state)
{
    (void)state;
    sqlite3 *db = test_open(NULL);
    test_expect(db, "CREATE VIRTUAL TABLE t USING seerdb(k)", "");
    assert_int_equal(sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL),
                     SQLITE_OK);
    test_expect(db, "DELETE FROM t_seerdb",
                "error 1: table t_seerdb may not be modified");
    test_expect(db,
                "INSERT INTO t VALUES(1); ALTER TABLE t RENAME TO u; SELECT * FROM u;"
                "DROP TABLE u; SELECT name FROM sqlite_schema",
                "1");
    test_close(db);
}

static void sqlite_keeps_its_own_commands_working(void **state)
{
    (void)state;
    sqlite3 *db = test_open("tools.db");
    test_expect(
        db,
        "CREATE VIRTUAL TABLE t USING seerdb(k PRIMARY KEY, v); INSERT INTO t "
        "VALUES(1, "
        "2); PRAGMA integrity_check; PRAGMA quick_check; VACUUM; ANALYZE; REINDEX;"
        "PRAGMA optimize; SELECT * FROM t; PRAGMA table_info(t)",
        "ok ok 1|2 0|k||1|NULL|1 1|v||0|NULL|0");
    test_close(db);
}

static void triggers_and_views_reach_tables(void **state)
{
    (void)state;
    sqlite3 *db = test_open(NULL);
    test_expect(
        db,
        "CREATE TABLE o(x); CREATE VIRTUAL TABLE t USING seerdb(k INTEGER PRIMARY KEY, "
        "v); CREATE TRIGGER o1 AFTER INSERT ON o BEGIN INSERT OR REPLACE INTO t "
        "VALUES(new.x, 'o' || new.x); END; CREATE VIEW w AS SELECT v FROM t;"
        "INSERT INTO o VALUES(1), (2), (1); SELECT * FROM w",
        "o1 o2");
    test_expect(db, "INSERT INTO t VALUES(3, 'x') RETURNING k, v", "3|x");
    test_expect(db, "BEGIN; INSERT INTO o VALUES(9); ROLLBACK; SELECT count(*) FROM w",
                "3");
    test_close(db);
}

/* What a session does; failing anywhere, it must fail cleanly. */
static void session(sqlite3 *db)
{
    test_sql(
        db,
        "CREATE VIRTUAL TABLE t USING seerdb(a TEXT, b, c INT NOT NULL DEFAULT 3, v, "
        "PRIMARY KEY(a, b), memory_limit='8MB')");
    test_sql(
        db,
        "BEGIN; INSERT INTO t VALUES('x', 1, 2, 3), ('y', 2, 3, printf('%0600d', 1));");
    test_sql(db, "SAVEPOINT s; UPDATE t SET c = 5; ROLLBACK TO s; COMMIT");
    test_sql(db, "ROLLBACK");
    test_sql(db, "SELECT * FROM t WHERE a IN ('x', 'y', 1) AND b > 0 ORDER BY a DESC");
    test_sql(db, "INSERT OR REPLACE INTO t VALUES('x', 1, NULL, 3)");
    test_sql(db, "CREATE VIRTUAL TABLE u USING seerdb; INSERT INTO u VALUES(1, 2)");
    test_sql(db, "SELECT * FROM u WHERE key >= 1 AND key < 'a'; UPDATE u SET key = 2");
    test_sql(db, "SELECT seerdb('t', 'flush'); SELECT count(*) FROM seerdb_stats");
    test_sql(db,
             "ALTER TABLE u RENAME TO w; DROP TABLE w; DELETE FROM t; DROP TABLE t");
}

static void running_out_of_memory_anywhere_fails_cleanly(void **state)
{
    (void)state;
    int64_t live = 0;
    for (int64_t n = 0, done = 0; !done; n += 1 + n / 64) {
        sqlite3 *db = NULL;
        test_mem_left = -1;
        if (n == 1)
            live = test_mem_live; /* what SQLite keeps for good is there by now */
        assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
        test_mem_left = n;
        if (sqlite3_seerdb_init(db, NULL, NULL) == SQLITE_OK)
            session(db);
        done = test_mem_left > 0;
        test_mem_left = -1;
        if (!sqlite3_get_autocommit(db))
            test_expect(db, "ROLLBACK", "");
        test_expect(db, "SELECT 1", "1");
        test_close(db);
        if (n > 1 && test_mem_live > live)
            fail_msg("after allocation %d failed %d are left", (int)n,
                     (int)(test_mem_live - live));
    }
}

/* The first table of the query plan is the outer loop. */
static void literals_that_select_few_rows_make_a_table_the_outer_loop(void **state)
{
    static const struct {
        const char *t, *u, *first;
    } cases[] = {{"t.k > 4990", "u.k > 5", "SCAN t "},
                 {"t.k > 5", "u.k > 4990", "SCAN u "},
                 {"t.k BETWEEN 2000 AND 2010", "u.k < 4000", "SCAN t "},
                 {"t.k < 4000", "u.k BETWEEN 2000 AND 2010", "SCAN u "}};
    (void)state;
    for (int flushed = 0; flushed < 2; flushed++) {
        sqlite3 *db = test_open(flushed ? "outer1.db" : "outer0.db");
        test_expect(db,
                    "CREATE VIRTUAL TABLE t USING seerdb(k INTEGER PRIMARY KEY, v);"
                    "CREATE VIRTUAL TABLE u USING seerdb(k INTEGER PRIMARY KEY, v);"
                    "WITH RECURSIVE i(x) AS (SELECT 0 UNION ALL SELECT x + 1 FROM i "
                    "LIMIT 5000) INSERT INTO t SELECT x, x FROM i; INSERT INTO u "
                    "SELECT * FROM t",
                    "");
        if (flushed)
            test_expect_part(db, "SELECT seerdb('t', 'flush') || seerdb('u', 'flush')",
                             "flushed");
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
            char sql[256];
            snprintf(sql, sizeof(sql),
                     "EXPLAIN QUERY PLAN SELECT * FROM t, u WHERE %s AND %s AND t.v = "
                     "u.v",
                     cases[i].t, cases[i].u);
            const char *plan = test_sql(db, sql);
            const char *scan = strstr(plan, "SCAN ");
            assert_non_null(scan);
            if (strncmp(scan, cases[i].first, strlen(cases[i].first)) != 0)
                fail_msg("%s: %s", sql, plan);
        }
        test_close(db);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(literals_that_select_few_rows_make_a_table_the_outer_loop),
        cmocka_unit_test(a_second_load_changes_nothing),
        cmocka_unit_test(plans_are_readable),
        cmocka_unit_test(shadow_tables_are_known_as_such),
        cmocka_unit_test(sqlite_keeps_its_own_commands_working),
        cmocka_unit_test(triggers_and_views_reach_tables),
        cmocka_unit_test(running_out_of_memory_anywhere_fails_cleanly),
    };
    return cmocka_run_group_tests(tests, setup, test_dir_remove);
}
