/* SPDX-License-Identifier: Apache-2.0 */
#define _DEFAULT_SOURCE
#include "funcs.h"

#include "test_sql.h"

static void commands_say_what_was_done(void **state)
{
    (void)state;
    sqlite3 *db = test_open("commands.db");
    test_expect(db,
                "CREATE VIRTUAL TABLE t USING seerdb(k PRIMARY KEY); INSERT INTO t "
                "VALUES(1), (2)",
                "");
    test_expect(db, "SELECT seerdb('t', 'flush')",
                "flushed main.t: all its committed rows are in sorted tables");
    test_expect_part(db, "SELECT seerdb('MAIN.T', 'VERIFY')",
                     "verified main.t: 1 tables, 1 blocks, 2 records, ");
    test_close(db);
}

static void unknown_names_are_named(void **state)
{
    (void)state;
    sqlite3 *db = test_open(NULL);
    test_expect(db, "CREATE VIRTUAL TABLE t USING seerdb(k); CREATE TABLE o(x)", "");
    test_expect(db, "SELECT seerdb('t', 'fly')",
                "error 1: seerdb: unknown command 'fly': the commands are flush, "
                "compact, gc, pause, continue, verify, spill, delete_range, truncate, "
                "set, snapshot, drop_snapshot, resume, drop_tree, accept");
    test_expect(db, "SELECT seerdb('u', 'flush')", "error 1: no such table: u");
    test_expect(db, "SELECT seerdb('x.t', 'flush')", "error 1: no such table: x.t");
    test_expect(db, "SELECT seerdb('o', 'flush')", "error 1: o is not a seerdb table");
    test_expect_part(db, "SELECT seerdb('t')", "give a table and a command");
    test_expect_part(db, "SELECT seerdb(NULL, 'flush')", "give a table and a command");
    test_close(db);
}

static void a_name_means_the_table_that_sqlite_would_take(void **state)
{
    (void)state;
    sqlite3 *db = test_open(NULL);
    test_expect(
        db,
        "CREATE VIRTUAL TABLE t USING seerdb(k); CREATE VIRTUAL TABLE temp.t USING "
        "seerdb(k); CREATE VIRTUAL TABLE \"a.b\" USING seerdb(k); ATTACH ':memory:' AS "
        "m; CREATE VIRTUAL TABLE m.u USING seerdb(k)",
        "");
    test_expect_part(db, "SELECT seerdb('t', 'flush')", "temp.t");
    test_expect_part(db, "SELECT seerdb('main.t', 'flush')", "main.t");
    test_expect_part(db, "SELECT seerdb('a.b', 'flush')", "main.a.b");
    test_expect_part(db, "SELECT seerdb('u', 'flush')", "m.u");
    test_expect(db, "SELECT DISTINCT tbl FROM seerdb_stats",
                "temp.t main.t main.a.b m.u");
    test_expect(db, "SELECT DISTINCT tbl FROM seerdb_stats('main.t')", "main.t");
    test_expect(db, "SELECT * FROM seerdb_stats('nothing')",
                "error 1: no such table: nothing");
    test_expect(db, "SELECT value FROM seerdb_stats(NULL)", "");
    test_close(db);
}

static void a_view_cannot_run_commands(void **state)
{
    (void)state;
    sqlite3 *db = test_open(NULL);
    test_expect(db,
                "CREATE VIRTUAL TABLE t USING seerdb(k); CREATE VIEW v AS SELECT "
                "seerdb('t', 'flush')",
                "");
    test_expect_part(db, "SELECT * FROM v", "unsafe use of seerdb()");
    test_close(db);
}

static void versions_are_told(void **state)
{
    (void)state;
    sqlite3 *db = test_open(NULL);
    test_expect(db, "SELECT seerdb_version()", SEERDB_VERSION);
    char version[40];
    snprintf(version, sizeof(version), "SQLite %s", sqlite3_libversion());
    test_expect_part(db, "SELECT seerdb_debug()", version);
    test_close(db);
}

/* Another connection changes the schema when the command's own statement begins. */
static int change_schema(unsigned type, void *ctx, void *stmt, void *sql)
{
    sqlite3 **other = ctx;
    (void)type;
    (void)stmt;
    if (*other != NULL && strstr(sql, "INSERT INTO \"main\"") != NULL) {
        test_expect(*other, "CREATE TABLE o(x)", "");
        *other = NULL;
    }
    return 0;
}

/* The object of the table is another one afterwards: AddressSanitizer sees a use of the
 * first. */
static void a_command_outlives_a_change_of_the_schema(void **state)
{
    (void)state;
    sqlite3 *a = test_open("schema.db"), *b = test_open("schema.db");
    test_expect(a,
                "PRAGMA journal_mode = wal; CREATE VIRTUAL TABLE t USING seerdb(k "
                "PRIMARY KEY); INSERT INTO t VALUES(1), (2)",
                "wal");
    sqlite3 *other = a;
    assert_int_equal(sqlite3_trace_v2(b, SQLITE_TRACE_STMT, change_schema, &other),
                     SQLITE_OK);
    test_expect(b, "SELECT seerdb('t', 'delete_range', NULL, 2)",
                "deleted from main.t every row with k < 2");
    assert_null(other);
    other = a;
    test_expect(a, "DROP TABLE o", "");
    test_expect(b, "SELECT seerdb('t', 'truncate')",
                "truncated main.t: every row is deleted");
    assert_null(other);
    test_expect(b, "SELECT count(*) FROM t; SELECT count(*) FROM o", "0 0");
    test_close(b);
    test_close(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commands_say_what_was_done),
        cmocka_unit_test(unknown_names_are_named),
        cmocka_unit_test(a_name_means_the_table_that_sqlite_would_take),
        cmocka_unit_test(a_view_cannot_run_commands),
        cmocka_unit_test(versions_are_told),
        cmocka_unit_test(a_command_outlives_a_change_of_the_schema),
    };
    return cmocka_run_group_tests(tests, test_dir_make, test_dir_remove);
}
