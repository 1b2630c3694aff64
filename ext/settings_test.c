/* SPDX-License-Identifier: Apache-2.0
 *
 * Changed options beside several connections, failing memory and locks; what they do is
 * in sql-tests/set.sql. */
#define _DEFAULT_SOURCE
#include "settings.h"

#include "test_mem.h"
#include "test_sql.h"

#define OPTION(name)                                                                   \
    "SELECT value, source FROM seerdb_options('t') WHERE option = '" name "'"

static int setup(void **state)
{
    return test_mem_install(state) != 0 ? -1 : test_dir_make(state);
}

static void other_connections_follow(void **state)
{
    static const char *const modes[] = {"wal", "delete"};
    (void)state;
    for (int i = 0; i < 2; i++) {
        char name[16], pragma[40];
        snprintf(name, sizeof name, "two%d.db", i);
        snprintf(pragma, sizeof pragma, "PRAGMA journal_mode = %s", modes[i]);
        sqlite3 *a = test_open(name), *b = test_open(name);
        test_expect(a, pragma, modes[i]);
        test_expect(a,
                    "CREATE VIRTUAL TABLE t USING seerdb(k PRIMARY KEY, v);"
                    "INSERT INTO t VALUES(1, 'one')",
                    "");
        test_expect(b, "INSERT INTO t VALUES(1, 'uno')",
                    "error 1555: UNIQUE constraint failed: t.k");
        test_expect_part(a, "SELECT seerdb('t', 'set', 'insert', 'replace')",
                         "set insert");
        test_expect(b, "INSERT INTO t VALUES(1, 'uno'); SELECT * FROM t", "1|uno");
        test_expect(b, OPTION("insert"), "replace|set");
        test_expect_part(b, "SELECT seerdb('t', 'set', 'insert', 'check')",
                         "set insert");
        test_expect(a, "INSERT INTO t VALUES(1, 'ein')",
                    "error 1555: UNIQUE constraint failed: t.k");
        test_expect_part(b, "SELECT seerdb('t', 'set', 'sync', 'off')", "set sync");
        test_expect(a, OPTION("sync"), "off|set");
        test_close(a);
        test_close(b);
    }
}

/* A reader on an older snapshot must not take what it sees for what is. */
static void an_old_snapshot_is_not_what_writers_go_by(void **state)
{
    (void)state;
    sqlite3 *a = test_open("old.db"), *b = test_open("old.db");
    test_expect(a, "PRAGMA journal_mode = wal", "wal");
    test_expect(a,
                "CREATE VIRTUAL TABLE t USING seerdb(k PRIMARY KEY, v);"
                "INSERT INTO t VALUES(1, 'one')",
                "");
    test_expect(b, "BEGIN; SELECT * FROM t", "1|one");
    test_expect_part(a, "SELECT seerdb('t', 'set', 'insert', 'replace')", "set insert");
    test_expect(b, OPTION("insert"), "check|default"); /* in its snapshot */
    test_expect(b, "COMMIT; INSERT INTO t VALUES(1, 'uno'); SELECT * FROM t", "1|uno");
    test_close(a);
    test_close(b);
}

static void a_lock_that_is_taken_is_told(void **state)
{
    (void)state;
    sqlite3 *a = test_open("lock.db"), *b = test_open("lock.db");
    test_expect(a, "CREATE VIRTUAL TABLE t USING seerdb(k PRIMARY KEY, v)", "");
    test_expect(b, "BEGIN IMMEDIATE", "");
    test_expect_part(a, "SELECT seerdb('t', 'set', 'insert', 'replace')", "locked");
    test_expect(a, OPTION("insert"), "check|default");
    test_expect(b, "COMMIT", "");
    test_expect_part(a, "SELECT seerdb('t', 'set', 'insert', 'replace')", "set insert");
    test_close(a);
    test_close(b);
}

/* Whenever memory fails, the option is as it was or as it was to be, here and later. */
static void without_memory_nothing_is_half_set(void **state)
{
    bool done = false;
    (void)state;
    for (int64_t n = 0; !done; n++) {
        char now[64], name[16];
        snprintf(name, sizeof name, "mem%d.db", (int)n);
        sqlite3 *db = test_open(name);
        test_expect(db, "CREATE VIRTUAL TABLE t USING seerdb(k PRIMARY KEY, v)", "");
        test_expect_part(db, "SELECT seerdb('t', 'set', 'sync', 'full')", "set sync");
        test_mem_left = n;
        done = strncmp(test_sql(db, "SELECT seerdb('t', 'set', 'sync', 'off')"), "set ",
                       4) == 0;
        test_mem_left = -1;
        if (!sqlite3_get_autocommit(db)) /* there was none for the ROLLBACK either */
            test_expect(db, "ROLLBACK", "");
        snprintf(now, sizeof now, "%s", test_sql(db, OPTION("sync")));
        if (strcmp(now, "full|set") != 0 && strcmp(now, "off|set") != 0 &&
            strcmp(now, "full|set to off: when the store is opened again") != 0)
            fail_msg("after %d allocations: %s", (int)n, now);
        test_close(db);
        db = test_open(name);
        const char *later = test_sql(db, OPTION("sync"));
        if (strcmp(later, done || strncmp(now, "full|set", 9) != 0 ? "off|set"
                                                                   : "full|set") != 0)
            fail_msg("after %d allocations: %s, then %s", (int)n, now, later);
        test_expect(db, "INSERT INTO t VALUES(1, 1); SELECT * FROM t", "1|1");
        test_close(db);
        assert_true(n < 2000);
    }
}

/* What finds the other tables must not hang on LIKE, which the user can change. */
static void an_option_of_the_store_is_set_once_however_like_compares(void **state)
{
    (void)state;
    sqlite3 *db = test_open("like.db");
    test_expect(db, "PRAGMA case_sensitive_like = 1", "");
    test_expect(db,
                "CREATE VIRTUAL TABLE t USING seerdb(k PRIMARY KEY);"
                "CREATE VIRTUAL TABLE u USING seerdb(k PRIMARY KEY)",
                "");
    test_expect_part(db, "SELECT seerdb('t', 'set', 'memory_limit', '64MB')", "set");
    test_expect_part(db, "SELECT seerdb('u', 'set', 'memory_limit', '128MB')", "set");
    test_expect(db, "SELECT count(*) FROM t_seerdb", "1");
    test_expect(db, "SELECT DISTINCT tbl FROM seerdb_options", "main.t main.u");
    test_close(db);
    db = test_open("like.db");
    test_expect(db, "PRAGMA case_sensitive_like = 1", "");
    test_expect(db, OPTION("memory_limit"), "128MB|main.u");
    test_close(db);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(other_connections_follow),
        cmocka_unit_test(an_old_snapshot_is_not_what_writers_go_by),
        cmocka_unit_test(a_lock_that_is_taken_is_told),
        cmocka_unit_test(without_memory_nothing_is_half_set),
        cmocka_unit_test(an_option_of_the_store_is_set_once_however_like_compares),
    };
    return cmocka_run_group_tests(tests, setup, test_dir_remove);
}
