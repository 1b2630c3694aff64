/* SPDX-License-Identifier: Apache-2.0
 *
 * Every conflict clause, in statements of one row and of many, alone, in a transaction
 * and in a savepoint: what an ordinary table does and says, its counters included. */
#define _DEFAULT_SOURCE
#include "update.h"

#include "test_sql.h"

struct shape {
    const char *columns, *without;
    const char *unlike; /* what OR REPLACE does in another order (README, "Where it
                           differs"): a part of the statement */
};

static const struct shape shapes[] = {
    {"k INTEGER PRIMARY KEY, v NOT NULL, w", "", "k + 1"},
    {"k INT PRIMARY KEY, v NOT NULL, w", "WITHOUT ROWID", "k + 1"},
    {"k TEXT PRIMARY KEY COLLATE NOCASE, v NOT NULL, w", "WITHOUT ROWID", "k + 1"},
    {"k INT, v NOT NULL, w, PRIMARY KEY(k DESC)", "WITHOUT ROWID", "k - 1"},
    {"k INT, v TEXT, w, PRIMARY KEY(k, v)", "WITHOUT ROWID", NULL},
    {"k INT, v NOT NULL, w", "", NULL},
};

static const char *const clauses[] = {"",          "OR ABORT",   "OR FAIL",
                                      "OR IGNORE", "OR REPLACE", "OR ROLLBACK"};

/* %s is the clause. */
static const char *const statements[] = {
    "INSERT %s INTO t VALUES (10, 'x', 'y')",
    "INSERT %s INTO t VALUES (10, 'x', 'y'), (2, 'b', 'dup'), (11, 'z', 'z')",
    "INSERT %s INTO t VALUES (10, 'x', 'y'), (10, 'x', 'dup'), (11, 'z', 'z')",
    "INSERT %s INTO t VALUES (10, 'x', 'y'), (11, NULL, 'n'), (12, 'z', 'z')",
    "INSERT %s INTO t VALUES (NULL, 'x', 'y'), (2, 'b', 'z')",
    "INSERT %s INTO t VALUES (10, 'x', 'y'), (NULL, NULL, 'z')",
    "INSERT %s INTO t(v, k) VALUES ('x', 1)",
    "INSERT %s INTO t DEFAULT VALUES",
    "INSERT %s INTO t SELECT * FROM t",
    "INSERT %s INTO t SELECT k + 1, v, w || '+' FROM t",
    "INSERT %s INTO t SELECT k + 100, v, w || '+' FROM t",
    "INSERT %s INTO t SELECT k - 1, v, w || '-' FROM t ORDER BY k DESC",
    "INSERT %s INTO t SELECT * FROM s",
    "INSERT %s INTO t SELECT a, b, c FROM s WHERE a NOT IN (SELECT k FROM t)",
    "UPDATE %s t SET k = 2 WHERE k = 1",
    "UPDATE %s t SET k = 2, v = 'b' WHERE k = 1",
    "UPDATE %s t SET k = 3, v = 'c' WHERE k < 3",
    "UPDATE %s t SET k = 50 WHERE k = 1",
    "UPDATE %s t SET k = NULL WHERE k = 2",
    "UPDATE %s t SET v = NULL WHERE k = 2",
    "UPDATE %s t SET v = CASE k WHEN 3 THEN NULL ELSE 'q' END",
    "UPDATE %s t SET k = k",
    "UPDATE %s t SET k = k - 1",
    "UPDATE %s t SET k = k + 1",
    "UPDATE %s t SET k = k + 10",
    "UPDATE %s t SET k = -k",
    "UPDATE %s t SET w = k || v",
    "UPDATE %s t SET k = 5",
    "UPDATE %s t SET k = 'abc' WHERE k = 2",
    "UPDATE %s t SET k = x'00' WHERE k = 2",
    "UPDATE %s t SET v = s.b FROM s WHERE s.a = k",
    "UPDATE %s t SET k = s.a + 20, v = s.b FROM s WHERE s.a = k",
    "DELETE FROM t WHERE k = 2 AND '%s' = ''",
    "DELETE FROM t WHERE k IN (1, 2, 77) OR v = '%s'",
    "DELETE FROM t WHERE k = 2 OR k BETWEEN 1 AND 3 OR k = 2 AND w = '2' OR v = '%s'",
    "UPDATE %s t SET w = 'x' WHERE k = 2 OR k BETWEEN 1 AND 3 OR k = 2 AND w = '2'",
};

static const char *const seeds[] = {
    "INSERT INTO t VALUES (1, 'a', '1'), (2, 'b', '2'), (3, 'c', '3'), (4, 'd', '4'), "
    "(7, 'e', '7')",
    "INSERT INTO t VALUES (2, 'b', '2'), (4, 'd', '4'), (6, 'f', '6')",
};

/* How the statement is met: before and after it. */
static const struct {
    const char *before, *after;
} settings[] = {
    {"SELECT 0", "SELECT 0"},
    {"BEGIN; INSERT INTO t VALUES (40, 'before', 'p')", "COMMIT"},
    {"BEGIN; INSERT INTO t VALUES (40, 'before', 'p'); SAVEPOINT sp; INSERT INTO t "
     "VALUES (41, 'inner', 'p')",
     "ROLLBACK TO sp; COMMIT"},
};

static sqlite3 *open_with(const struct shape *shape, bool ours)
{
    sqlite3 *db = test_open(NULL);
    char *sql =
        ours
            ? sqlite3_mprintf("CREATE VIRTUAL TABLE t USING seerdb(%s)", shape->columns)
            : sqlite3_mprintf("CREATE TABLE t(%s) %s", shape->columns, shape->without);
    test_expect(db, sql, "");
    test_expect(db,
                "CREATE TABLE s(a, b, c); INSERT INTO s VALUES (3, 'c', 's3'), (8, "
                "'h', 's8'), (9, 'i', 's9')",
                "");
    sqlite3_free(sql);
    return db;
}

/* All that can be seen of the statement. */
static void observe(sqlite3 *db, int setting, const char *sql, char out[8192])
{
    struct test_text seen = {.n = 0};
    char mode[32];
    test_sql(db, settings[setting].before);
    int64_t before = sqlite3_total_changes(db);
    test_text_add(&seen, test_sql(db, sql));
    snprintf(mode, sizeof mode, " %s +%d; ",
             sqlite3_get_autocommit(db) ? "autocommit" : "open",
             (int)(sqlite3_total_changes(db) - before));
    test_text_add(&seen, mode);
    test_text_add(&seen, test_sql(db, "SELECT changes(), last_insert_rowid()"));
    test_text_add(&seen, "; ");
    test_text_add(&seen, test_sql(db, "SELECT * FROM t ORDER BY k, v, w"));
    test_text_add(&seen, "; ");
    test_text_add(&seen, test_sql(db, settings[setting].after));
    test_text_add(&seen, "; ");
    test_text_add(&seen, test_sql(db, "SELECT * FROM t ORDER BY k, v, w"));
    if (!sqlite3_get_autocommit(db))
        test_expect(db, "ROLLBACK", "");
    memcpy(out, seen.text, seen.n + 1);
}

static int compare(const struct shape *shape, const char *clause, int setting,
                   sqlite3 *native, sqlite3 *ours)
{
    static char want[8192], got[8192], sql[256];
    int cases = 0;
    for (size_t i = 0; i < sizeof statements / sizeof statements[0]; i++) {
        snprintf(sql, sizeof sql, "%.*s%s%s",
                 (int)(strstr(statements[i], "%s") - statements[i]), statements[i],
                 clause, strstr(statements[i], "%s") + 2);
        if (strcmp(clause, "OR REPLACE") == 0 && shape->unlike != NULL &&
            sql[0] == 'U' && strstr(sql, shape->unlike) != NULL)
            continue;
        for (size_t s = 0; s < sizeof seeds / sizeof seeds[0]; s++, cases++) {
            test_sql(native, "DELETE FROM t");
            test_sql(ours, "DELETE FROM t");
            test_expect(native, seeds[s], "");
            test_expect(ours, seeds[s], "");
            observe(native, setting, sql, want);
            observe(ours, setting, sql, got);
            if (strcmp(got, want) != 0)
                fail_msg("t(%s), setting %d: %s\n  here: %s\n  ordinary: %s",
                         shape->columns, setting, sql, got, want);
        }
    }
    return cases;
}

static void every_conflict_clause_does_what_it_does_to_an_ordinary_table(void **state)
{
    int cases = 0;
    (void)state;
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        sqlite3 *native = open_with(&shapes[i], false);
        sqlite3 *ours = open_with(&shapes[i], true);
        for (size_t c = 0; c < sizeof clauses / sizeof clauses[0]; c++) {
            for (int s = 0; s < (int)(sizeof settings / sizeof settings[0]); s++)
                cases += compare(&shapes[i], clauses[c], s, native, ours);
        }
        test_close(native);
        test_close(ours);
    }
    assert_true(cases > 7000);
}

/* SQLite's own tables depend on the order of the scan; here every row moves as of the
 * start of the statement. */
static void update_or_replace_moves_rows_as_of_the_start(void **state)
{
    (void)state;
    sqlite3 *db = open_with(&shapes[1], true);
    test_expect(db, "INSERT INTO t VALUES (1, 'a', 1), (2, 'b', 2), (3, 'c', 3)", "");
    test_expect(db, "UPDATE OR REPLACE t SET k = k + 1; SELECT * FROM t", "4|c|3");
    test_close(db);
}

/* The rowid that xUpdate leaves alone would become last_insert_rowid(). */
static void a_key_that_is_no_rowid_leaves_the_last_rowid_alone(void **state)
{
    (void)state;
    sqlite3 *db = open_with(&shapes[4], true);
    test_expect(db, "CREATE TABLE o(id INTEGER PRIMARY KEY); INSERT INTO o VALUES(77)",
                "");
    test_expect(db, "INSERT INTO t VALUES (1, 'a', 1); SELECT last_insert_rowid()",
                "77");
    test_expect(db, "REPLACE INTO t VALUES (1, 'a', 2); SELECT last_insert_rowid()",
                "77");
    test_close(db);
}

static void a_trigger_keeps_the_rowid_of_the_statement_that_fires_it(void **state)
{
    (void)state;
    sqlite3 *db = open_with(&shapes[0], true);
    test_expect(db,
                "CREATE TABLE o(id INTEGER PRIMARY KEY); CREATE TRIGGER tr AFTER "
                "INSERT ON o BEGIN INSERT INTO t VALUES (1000 + new.id, 'by', "
                "last_insert_rowid()); END",
                "");
    test_expect(db,
                "INSERT INTO o VALUES (5); SELECT last_insert_rowid(), changes();"
                "SELECT * FROM t",
                "5|1 1005|by|5");
    test_close(db);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_conflict_clause_does_what_it_does_to_an_ordinary_table),
        cmocka_unit_test(update_or_replace_moves_rows_as_of_the_start),
        cmocka_unit_test(a_key_that_is_no_rowid_leaves_the_last_rowid_alone),
        cmocka_unit_test(a_trigger_keeps_the_rowid_of_the_statement_that_fires_it),
    };
    return cmocka_run_group_tests(tests, test_dir_make, test_dir_remove);
}
