/* SPDX-License-Identifier: Apache-2.0 */
#define _DEFAULT_SOURCE
#include "direct.h"

#include "test_sql.h"

static void stub(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    (void)argc;
    (void)argv;
    sqlite3_result_int(ctx, 1);
}

/* What somebody who has a seerdb() of his own, deterministic, so that SQLite lets it
 * into every corner of a schema, can put into a database file. */
static const struct {
    const char *schema, *attack;
} hostile[] = {
    {"CREATE TABLE h(x CHECK (seerdb('t', x) IS NOT NULL))",
     "INSERT INTO h VALUES ('truncate')"},
    {"CREATE TABLE h(x CHECK (seerdb('t', x) IS NOT NULL))",
     "UPDATE h SET x = 'truncate'"},
    {"CREATE TABLE \"seerdb\"(x CHECK (seerdb('t', x) IS NOT NULL))",
     "REPLACE INTO \"seerdb\"(x) VALUES ('truncate')"},
    {"CREATE TABLE \"seerdb\"(x CHECK (seerdb('t', x) IS NOT NULL))",
     "INSERT INTO main . [seerdb] (x) VALUES ('truncate')"},
    {"CREATE TABLE h(x CHECK (seerdb('t', x) IS NOT NULL)); INSERT INTO h VALUES "
     "('truncate')",
     "PRAGMA integrity_check"},
    {"CREATE TABLE h(x CHECK (seerdb('t', x) IS NOT NULL)); INSERT INTO h VALUES "
     "('truncate')",
     "PRAGMA quick_check"},
    {"CREATE TABLE h(x, y AS (seerdb('t', 'truncate')) STORED)",
     "INSERT INTO h(x) VALUES (1)"},
    {"CREATE TABLE h(x, y AS (seerdb('t', 'truncate'))); INSERT INTO h(x) VALUES (1)",
     "SELECT * FROM h"},
    {"CREATE TABLE h(x, y AS (seerdb('t', 'truncate')) NOT NULL)",
     "INSERT INTO h(x) VALUES (1)"},
    {"CREATE TABLE h(x); CREATE INDEX i ON h(seerdb('t', x))",
     "INSERT INTO h VALUES ('truncate')"},
    {"CREATE TABLE h(x); INSERT INTO h VALUES ('truncate'); CREATE INDEX i ON "
     "h(seerdb('t', x))",
     "REINDEX"},
    {"CREATE TABLE h(x); CREATE INDEX i ON h(x) WHERE seerdb('t', x)",
     "INSERT INTO h VALUES ('truncate')"},
    {"CREATE TABLE h(x, y DEFAULT (seerdb('t', 'truncate')))",
     "INSERT INTO h(x) VALUES (1)"},
    {"CREATE TABLE h(x); CREATE TRIGGER tr AFTER INSERT ON h BEGIN SELECT seerdb('t', "
     "'truncate'); END",
     "INSERT INTO h VALUES (1)"},
    {"CREATE VIEW h AS SELECT seerdb('t', 'truncate')", "SELECT * FROM h"},
};

static void make_file(const char *name, const char *schema)
{
    char path[192];
    sqlite3 *db = NULL;
    snprintf(path, sizeof path, "%s/%s", test_dir, name);
    unlink(path);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    sqlite3_create_function(db, "seerdb", -1, SQLITE_UTF8 | SQLITE_DETERMINISTIC, NULL,
                            stub, NULL, NULL);
    test_expect(db, schema, "");
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void make_table(sqlite3 *db)
{
    test_expect(db,
                "ATTACH ':memory:' AS m; CREATE VIRTUAL TABLE m.t USING seerdb(k "
                "PRIMARY KEY); INSERT INTO t VALUES (1), (2)",
                "");
}

/* What an attack answers is SQLite's affair (an error, mostly); what counts is that no
 * command runs. */
static void expect_nothing(sqlite3 *db, const char *sql)
{
    const char *got = test_sql(db, sql);
    if (strstr(got, "truncated") != NULL)
        fail_msg("%s: %s", sql, got);
    got = test_sql(db, "SELECT count(*) FROM t");
    if (strcmp(got, "2") != 0)
        fail_msg("after %s the table has %s rows", sql, got);
}

static void a_schema_read_before_the_module_came_runs_no_command(void **state)
{
    char path[192], *message = NULL;
    (void)state;
    snprintf(path, sizeof path, "%s/before.db", test_dir);
    for (size_t i = 0; i < sizeof hostile / sizeof hostile[0]; i++) {
        sqlite3 *db = NULL;
        make_file("before.db", hostile[i].schema);
        assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
        test_expect(db, "SELECT count(*) > 0 FROM sqlite_schema", "1");
        assert_int_equal(sqlite3_seerdb_init(db, &message, NULL), SQLITE_OK);
        sqlite3_extended_result_codes(db, 1);
        make_table(db);
        expect_nothing(db, hostile[i].attack);
        if (i == 0)
            test_expect_part(db, hostile[i].attack, "error 1: unsafe use of seerdb()");
        test_expect(db, "SELECT seerdb('t', 'truncate')",
                    "truncated m.t: every row is deleted");
        test_close(db);
    }
}

static void a_schema_read_after_the_module_came_runs_no_command(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof hostile / sizeof hostile[0]; i++) {
        make_file("after.db", hostile[i].schema);
        sqlite3 *db = test_open(NULL);
        make_table(db);
        char *sql = sqlite3_mprintf("ATTACH '%q/after.db' AS h", test_dir);
        test_sql(db, sql); /* some versions refuse some */
        sqlite3_free(sql);
        expect_nothing(db, hostile[i].attack);
        test_close(db);
    }
}

static void a_check_made_in_the_session_runs_no_command(void **state)
{
    (void)state;
    sqlite3 *db = test_open(NULL);
    make_table(db);
    /* Newer versions refuse the first already. */
    test_sql(db, "CREATE TABLE checked(x CHECK (seerdb('t', x) IS NOT NULL))");
    test_sql(db, "INSERT INTO checked VALUES ('truncate')");
    test_expect(db, "SELECT count(*) FROM t", "2");
    test_close(db);
}

static void a_statement_that_names_the_function_may_call_it(void **state)
{
    static const char *const statements[] = {
        "SELECT seerdb('t', 'flush')",
        "SELECT\n seerdb -- a comment\n ('t', 'flush')",
        "SELECT \"seerdb\"('t', 'flush')",
        "SELECT [Seerdb] ('t', 'flush')",
        "SELECT `SEERDB`/* */('t', 'flush')",
        "SELECT * FROM (SELECT seerdb('t', 'flush'))",
        "WITH c(x) AS (SELECT seerdb('t', 'flush')) SELECT x FROM c",
        "SELECT seerdb(n, 'flush') FROM (SELECT 't' AS n)",
        "CREATE TEMP TABLE r AS SELECT seerdb('t', 'flush') AS x; SELECT x FROM r",
        NULL};
    (void)state;
    sqlite3 *db = test_open(NULL);
    make_table(db);
    for (int i = 0; statements[i] != NULL; i++)
        test_expect(db, statements[i],
                    "flushed m.t: all its committed rows are in sorted tables");
    test_expect_part(db, "SELECT \"se\"\"db\"('t', 'flush')", "no such function");
    test_close(db);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_schema_read_before_the_module_came_runs_no_command),
        cmocka_unit_test(a_schema_read_after_the_module_came_runs_no_command),
        cmocka_unit_test(a_check_made_in_the_session_runs_no_command),
        cmocka_unit_test(a_statement_that_names_the_function_may_call_it),
    };
    return cmocka_run_group_tests(tests, test_dir_make, test_dir_remove);
}
