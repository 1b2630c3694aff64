/* SPDX-License-Identifier: Apache-2.0
 *
 * What the C interface of SQLite does with our tables, and what an authorizer may
 * forbid. SQL scripts cannot reach it. */
#define _DEFAULT_SOURCE
#include "test_sql.h"

static sqlite3 *open_table(const char *name)
{
    sqlite3 *db = test_open(name);
    test_expect(db,
                "CREATE VIRTUAL TABLE t USING seerdb(k INTEGER PRIMARY KEY, v TEXT NOT "
                "NULL); INSERT INTO t VALUES (1, 'one'), (2, 'two')",
                "");
    return db;
}

static void a_blob_cannot_be_opened(void **state)
{
    (void)state;
    sqlite3 *db = open_table(NULL);
    sqlite3_blob *blob = NULL;
    assert_int_equal(sqlite3_blob_open(db, "main", "t", "v", 1, 0, &blob),
                     SQLITE_ERROR);
    assert_string_equal(sqlite3_errmsg(db), "cannot open virtual table: t");
    assert_null(blob);
    test_close(db);
}

static void count_call(void *count, int op, const char *schema, const char *table,
                       sqlite3_int64 rowid)
{
    (void)op;
    (void)schema;
    (void)table;
    (void)rowid;
    ++*(int *)count;
}

/* Neither for our rows, of which SQLite tells it nothing, nor for the shadow row. */
static void the_update_hook_hears_nothing(void **state)
{
    (void)state;
    sqlite3 *db = open_table("hook.db");
    int calls = 0;
    sqlite3_update_hook(db, count_call, &calls);
    test_expect(
        db,
        "INSERT INTO t VALUES (3, 'three'); UPDATE t SET v = 'x'; DELETE FROM t "
        "WHERE k = 3; SELECT changes(), total_changes() - changes() > 5",
        "1|1");
    assert_int_equal(calls, 0);
    test_expect(db, "CREATE TABLE o(k); INSERT INTO o VALUES (1)", "");
    assert_int_equal(calls, 1);
    test_close(db);
}

static void columns_describe_themselves(void **state)
{
    (void)state;
    sqlite3 *db = open_table(NULL);
    const char *type = NULL, *collation = NULL;
    int not_null = 0, key = 0, counts = 0;
    assert_int_equal(sqlite3_table_column_metadata(db, "main", "t", "v", &type,
                                                   &collation, &not_null, &key,
                                                   &counts),
                     SQLITE_OK);
    assert_string_equal(type, "TEXT");
    assert_string_equal(collation, "BINARY");
    assert_true(not_null && !key && !counts);
    sqlite3_stmt *stmt = NULL;
    assert_int_equal(
        sqlite3_prepare_v2(db, "SELECT k AS key, v FROM t", -1, &stmt, NULL),
        SQLITE_OK);
    assert_string_equal(sqlite3_column_name(stmt, 0), "key");
    assert_string_equal(sqlite3_column_decltype(stmt, 0), "INTEGER");
    assert_string_equal(sqlite3_column_decltype(stmt, 1), "TEXT");
    assert_true(sqlite3_stmt_readonly(stmt));
    sqlite3_finalize(stmt);
    test_close(db);
}

/* Where the directory belongs is known for SQLite's own files alone. */
static void another_vfs_needs_a_path(void **state)
{
    sqlite3_vfs other = *sqlite3_vfs_find(NULL);
    char file[192], sql[320], *message = NULL;
    sqlite3 *db = NULL;
    (void)state;
    other.zName = "other";
    other.pNext = NULL;
    assert_int_equal(sqlite3_vfs_register(&other, 0), SQLITE_OK);
    snprintf(file, sizeof file, "%s/vfs.db", test_dir);
    assert_int_equal(
        sqlite3_open_v2(file, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, "other"),
        SQLITE_OK);
    assert_int_equal(sqlite3_seerdb_init(db, &message, NULL), SQLITE_OK);
    test_expect(db, "CREATE VIRTUAL TABLE t USING seerdb(k)",
                "error 1: main.t: the database main is reached through the VFS other, "
                "so seerdb cannot tell where its own directory belongs: give "
                "path='...'");
    snprintf(sql, sizeof sql,
             "CREATE VIRTUAL TABLE t USING seerdb(k, path = '%s/vfs-store'); INSERT "
             "INTO t VALUES (1); SELECT k FROM t",
             test_dir);
    test_expect(db, sql, "1");
    test_close(db);
    assert_int_equal(sqlite3_vfs_unregister(&other), SQLITE_OK);
}

/* ---- authorizers ----------------------------------------------------------- */

struct rule {
    int action;
    const char *first; /* NULL: any */
    int answer;
};

static int obey(void *ctx, int action, const char *first, const char *second,
                const char *schema, const char *trigger)
{
    const struct rule *r = ctx;
    (void)second;
    (void)schema;
    (void)trigger;
    return action == r->action &&
                   (r->first == NULL || (first != NULL && strcmp(first, r->first) == 0))
               ? r->answer
               : SQLITE_OK;
}

/* Whatever is forbidden: a statement works or fails with a sentence, and what it leaves
 * is all of its effect or nothing. */
static void what_an_authorizer_forbids_fails_with_a_sentence(void **state)
{
    static const struct rule rules[] = {
        {SQLITE_UPDATE, "t_seerdb", SQLITE_DENY},
        {SQLITE_INSERT, "t_seerdb", SQLITE_DENY},
        {SQLITE_READ, "t_seerdb", SQLITE_DENY},
        {SQLITE_READ, "t_seerdb", SQLITE_IGNORE},
        {SQLITE_READ, "sqlite_master", SQLITE_DENY},
        {SQLITE_READ, "sqlite_master", SQLITE_IGNORE},
        {SQLITE_SELECT, NULL, SQLITE_DENY},
        {SQLITE_PRAGMA, NULL, SQLITE_DENY},
        {SQLITE_FUNCTION, NULL, SQLITE_DENY},
        {SQLITE_CREATE_TABLE, NULL, SQLITE_DENY},
        {SQLITE_DROP_TABLE, NULL, SQLITE_DENY},
        {SQLITE_TRANSACTION, NULL, SQLITE_DENY},
        {SQLITE_SAVEPOINT, NULL, SQLITE_DENY},
    };
    static const char *const statements[] = {
        "INSERT INTO t VALUES (3, 'three')",
        "UPDATE t SET v = 'new' WHERE k = 1",
        "DELETE FROM t WHERE k = 3",
        "SELECT count(*) FROM t",
        "SELECT seerdb('t', 'flush')",
        "CREATE VIRTUAL TABLE u USING seerdb(k)",
        "DROP TABLE u",
    };
    (void)state;
    sqlite3_close(open_table("rules.db"));
    for (size_t r = 0; r < sizeof rules / sizeof rules[0]; r++) {
        for (size_t s = 0; s < 2 * sizeof statements / sizeof statements[0]; s++) {
            const char *sql = statements[s / 2];
            char before[256], after[256], got[1024];
            sqlite3 *db = test_open("rules.db");
            struct rule rule = rules[r];
            static const char *const look = "SELECT group_concat(k || v) FROM t";
            if (s % 2 == 0) /* else the first to use the table */
                test_sql(db, "UPDATE t SET v = v");
            sqlite3_set_authorizer(db, obey, &rule);
            snprintf(got, sizeof got, "%s", test_sql(db, sql));
            sqlite3_set_authorizer(db, NULL, NULL);
            snprintf(before, sizeof before, "%s", test_sql(db, look));
            if (strstr(got, "error") != NULL &&
                (strstr(got, "not an error") != NULL ||
                 strstr(got, "constructor failed") != NULL))
                fail_msg("rule %zu, %s: %s", r, sql, got);
            test_expect(db, "PRAGMA integrity_check", "ok");
            test_close(db);
            db = test_open("rules.db");
            snprintf(after, sizeof after, "%s", test_sql(db, look));
            assert_string_equal(after, before);
            assert_null(strstr(after, "error"));
            test_sql(db, "DELETE FROM t; INSERT INTO t VALUES (1, 'one'), (2, 'two'); "
                         "DROP TABLE IF EXISTS u");
            test_close(db);
        }
    }
}

/* As a sandbox does it: the safe level of synchronous, instead of no writes. */
static void without_pragmas_writes_go_on(void **state)
{
    struct rule rule = {SQLITE_PRAGMA, NULL, SQLITE_DENY};
    (void)state;
    sqlite3 *db = open_table("sandbox.db");
    test_expect(db, "PRAGMA journal_mode = wal; PRAGMA synchronous = normal", "wal");
    sqlite3_set_authorizer(db, obey, &rule);
    double syncs = 0;
    test_expect(db, "INSERT INTO t VALUES (3, 'three')", "");
    sqlite3_set_authorizer(db, NULL, NULL);
    syncs = test_stat(db, "t", "log_syncs");
    sqlite3_set_authorizer(db, obey, &rule);
    test_expect(db, "INSERT INTO t VALUES (4, 'four'); SELECT count(*) FROM t", "4");
    sqlite3_set_authorizer(db, NULL, NULL);
    assert_true(test_stat(db, "t", "log_syncs") > syncs);
    test_close(db);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_blob_cannot_be_opened),
        cmocka_unit_test(the_update_hook_hears_nothing),
        cmocka_unit_test(columns_describe_themselves),
        cmocka_unit_test(another_vfs_needs_a_path),
        cmocka_unit_test(what_an_authorizer_forbids_fails_with_a_sentence),
        cmocka_unit_test(without_pragmas_writes_go_on),
    };
    return cmocka_run_group_tests(tests, test_dir_make, test_dir_remove);
}
