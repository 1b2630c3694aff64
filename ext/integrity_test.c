/* SPDX-License-Identifier: Apache-2.0 */
#define _DEFAULT_SOURCE
#include "integrity.h"

#include "table.h"
#include "test_sql.h"

/* SQLite asks from 3.44 on; here a module of our own has the table connected, to ask it
 * whatever SQLite is there. */
static struct svt_conn *conn;
static struct svt_table *connected;

static int connect_table(sqlite3 *db, void *aux, int argc, const char *const *argv,
                         sqlite3_vtab **out, char **message)
{
    (void)db;
    (void)aux;
    int rc = svt_table_new(conn, argc, argv, &connected, message);
    if (rc == SQLITE_OK)
        *out = &connected->base;
    return rc;
}

static int disconnect_table(sqlite3_vtab *base)
{
    svt_table_free((struct svt_table *)base);
    return SQLITE_OK;
}

static int best_index(sqlite3_vtab *base, sqlite3_index_info *info)
{
    (void)base;
    (void)info;
    return SQLITE_OK;
}

static const sqlite3_module module = {.iVersion = 1,
                                      .xConnect = connect_table,
                                      .xBestIndex = best_index,
                                      .xDisconnect = disconnect_table,
                                      .xDestroy = disconnect_table};

/* What the check says: "ok", a problem, or "failed: " and the code. */
static const char *ask(const char *name, int flags)
{
    static char answer[1024];
    char path[192], *problem = NULL;
    sqlite3 *db = NULL;
    sqlite3_stmt *stmt = NULL;
    snprintf(path, sizeof path, "%s/%s", test_dir, name);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(svt_conn_new(db, &conn), SQLITE_OK);
    assert_int_equal(sqlite3_create_module(db, "seerdb", &module, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, "SELECT * FROM t", -1, &stmt, NULL),
                     SQLITE_OK);
    sqlite3_mutex_enter(sqlite3_db_mutex(db)); /* as SQLite calls it */
    int rc = svt_integrity(&connected->base, "main", "t", flags, &problem);
    sqlite3_mutex_leave(sqlite3_db_mutex(db));
    if (rc == SQLITE_OK)
        snprintf(answer, sizeof answer, "%s", problem != NULL ? problem : "ok");
    else
        snprintf(answer, sizeof answer, "failed: %d", rc);
    sqlite3_free(problem);
    sqlite3_finalize(stmt);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    svt_conn_free(conn);
    return answer;
}

static void run(const char *format)
{
    char command[1024];
    snprintf(command, sizeof command, "cd %s && %s", test_dir, format);
    assert_int_equal(system(command), 0);
}

static void make(const char *name)
{
    sqlite3 *db = test_open(name);
    test_expect(db,
                "CREATE VIRTUAL TABLE t USING seerdb(k INTEGER PRIMARY KEY, v, "
                "compression = none);"
                "WITH RECURSIVE n(x) AS (VALUES(1) UNION ALL SELECT x + 1 FROM n WHERE "
                "x < 1000) INSERT INTO t SELECT x, 'value ' || x FROM n;",
                "");
    test_expect(db, "SELECT seerdb('t', 'flush')",
                "flushed main.t: all its committed rows are in sorted tables");
    test_close(db);
}

static void a_table_without_damage_is_fine(void **state)
{
    (void)state;
    make("fine.db");
    assert_string_equal(ask("fine.db", 0), "ok");
    assert_string_equal(ask("fine.db", 1), "ok");
}

static void integrity_check_reads_every_byte(void **state)
{
    (void)state;
    make("hurt.db");
    run("f=$(ls hurt.db-seerdb/*.tbl) && printf X | dd of=$f bs=1 seek=5000 "
        "conv=notrunc "
        "2>/dev/null");
    const char *answer = ask("hurt.db", 0);
    if (strstr(answer, ".tbl") == NULL || strstr(answer, "main.t: ") != answer)
        fail_msg("%s", answer);
    assert_string_equal(ask("hurt.db", 1), "ok"); /* that would take as long */
}

static void quick_check_finds_a_store_that_is_missing_or_behind(void **state)
{
    (void)state;
    make("gone.db");
    run("cp -r gone.db-seerdb older");
    sqlite3 *db = test_open("gone.db");
    test_expect(db, "INSERT INTO t VALUES(5000, 'x')", "");
    test_close(db);
    run("mv gone.db-seerdb newer && mv older gone.db-seerdb");
    const char *answer = ask("gone.db", 1);
    if (strstr(answer, "main.t: the store has lost the commits behind") != answer)
        fail_msg("%s", answer);
    run("rm -r gone.db-seerdb");
    answer = ask("gone.db", 1);
    if (strstr(answer, "is missing") == NULL)
        fail_msg("%s", answer);
    run("mv newer gone.db-seerdb");
    assert_string_equal(ask("gone.db", 1), "ok");
    assert_string_equal(ask("gone.db", 0), "ok");
}

static void sqlite_asks_where_it_is_new_enough(void **state)
{
    (void)state;
    if (SVT_MODULE_VERSION < 4 || sqlite3_libversion_number() < 3044000) {
        print_message("# SQLite before 3.44 does not ask\n");
        return;
    }
    make("new.db");
    run("f=$(ls new.db-seerdb/*.tbl) && printf X | dd of=$f bs=1 seek=5000 "
        "conv=notrunc "
        "2>/dev/null");
    sqlite3 *db = test_open("new.db");
    test_expect(db, "PRAGMA quick_check", "ok");
    test_expect_part(db, "PRAGMA integrity_check", ".tbl");
    test_expect(db, "DROP TABLE t; PRAGMA integrity_check", "ok");
    test_close(db);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_table_without_damage_is_fine),
        cmocka_unit_test(integrity_check_reads_every_byte),
        cmocka_unit_test(quick_check_finds_a_store_that_is_missing_or_behind),
        cmocka_unit_test(sqlite_asks_where_it_is_new_enough),
    };
    return cmocka_run_group_tests(tests, test_dir_make, test_dir_remove);
}
