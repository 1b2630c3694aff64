/* SPDX-License-Identifier: Apache-2.0 */
#define _DEFAULT_SOURCE
#include "txn.h"

#include "test_sql.h"

static sqlite3 *open_with_table(const char *name)
{
    sqlite3 *db = test_open(name);
    test_expect(db,
                "CREATE VIRTUAL TABLE t USING seerdb(k INTEGER PRIMARY KEY, v);"
                "INSERT INTO t VALUES(1, 'one'), (2, 'two')",
                "");
    return db;
}

static void a_transaction_reads_its_own_writes(void **state)
{
    (void)state;
    sqlite3 *db = open_with_table(NULL);
    test_expect(db,
                "BEGIN; INSERT INTO t VALUES(3, 'three'); DELETE FROM t WHERE k = 1;"
                "UPDATE t SET v = 'zwei' WHERE k = 2; SELECT * FROM t",
                "2|zwei 3|three");
    test_expect(db, "SELECT v FROM t WHERE k = 1", "");
    test_expect(db, "SELECT v FROM t WHERE k = 3", "three");
    test_expect(db, "SELECT k FROM t WHERE k > 1 ORDER BY k DESC", "3 2");
    test_expect(db, "ROLLBACK; SELECT * FROM t", "1|one 2|two");
    test_close(db);
}

static void others_see_a_transaction_after_its_commit(void **state)
{
    (void)state;
    sqlite3 *a = open_with_table("others.db");
    sqlite3 *b = test_open("others.db");
    test_expect(a, "BEGIN; INSERT INTO t VALUES(3, 'three')", "");
    test_expect(b, "SELECT count(*) FROM t", "2");
    test_expect(b, "INSERT INTO t VALUES(4, 'four')", "error 5: database is locked");
    test_expect(a, "COMMIT", "");
    test_expect(b, "SELECT count(*) FROM t", "3");
    test_expect(b, "INSERT INTO t VALUES(4, 'four'); SELECT k FROM t", "1 2 3 4");
    test_expect(a, "SELECT k FROM t", "1 2 3 4");
    test_close(b);
    test_close(a);
}

static void an_empty_transaction_leaves_the_log_alone(void **state)
{
    (void)state;
    sqlite3 *db = open_with_table("empty.db");
    test_expect(db,
                "DELETE FROM t WHERE k = 77; BEGIN; UPDATE t SET v = 1 WHERE k = 77;"
                "COMMIT; SELECT count(*) FROM t",
                "2");
    test_close(db);
}

static void savepoints_nest(void **state)
{
    (void)state;
    sqlite3 *db = open_with_table(NULL);
    test_expect(
        db,
        "BEGIN; INSERT INTO t VALUES(3, 'a'); SAVEPOINT x; INSERT INTO t VALUES(4, "
        "'b'); SAVEPOINT y; INSERT INTO t VALUES(5, 'c'); UPDATE t SET v = 'A' "
        "WHERE k = 3; ROLLBACK TO y; SELECT * FROM t",
        "1|one 2|two 3|a 4|b");
    test_expect(db, "INSERT INTO t VALUES(6, 'd'); ROLLBACK TO y; SELECT k FROM t",
                "1 2 3 4");
    test_expect(db, "INSERT INTO t VALUES(6, 'd'); RELEASE y; SELECT k FROM t",
                "1 2 3 4 6");
    test_expect(db, "ROLLBACK TO x; SELECT k FROM t", "1 2 3");
    test_expect(db, "RELEASE x; COMMIT; SELECT k FROM t", "1 2 3");
    test_close(db);
}

static void a_savepoint_can_be_the_transaction(void **state)
{
    (void)state;
    sqlite3 *db = open_with_table(NULL);
    test_expect(
        db, "SAVEPOINT x; INSERT INTO t VALUES(3, 'a'); ROLLBACK TO x; SELECT k FROM t",
        "1 2");
    test_expect(db, "INSERT INTO t VALUES(4, 'b'); RELEASE x; SELECT k FROM t",
                "1 2 4");
    test_close(db);
}

static void a_table_that_joins_inside_savepoints_rolls_back_to_any_of_them(void **state)
{
    (void)state;
    sqlite3 *db = open_with_table(NULL);
    test_expect(db, "CREATE VIRTUAL TABLE u USING seerdb(k INTEGER PRIMARY KEY)", "");
    test_expect(
        db,
        "BEGIN; INSERT INTO t VALUES(3, 'a'); SAVEPOINT x; SAVEPOINT y; SAVEPOINT z;"
        "INSERT INTO u VALUES(1); INSERT INTO t VALUES(4, 'b'); ROLLBACK TO x;"
        "SELECT k FROM t; SELECT k FROM u",
        "1 2 3");
    test_expect(db, "INSERT INTO u VALUES(2); COMMIT; SELECT k FROM t; SELECT k FROM u",
                "1 2 3 2");
    test_close(db);
}

static void a_failed_statement_leaves_nothing(void **state)
{
    (void)state;
    sqlite3 *db = open_with_table(NULL);
    const char *unique = "error 1555: UNIQUE constraint failed: t.k";
    test_expect(db, "INSERT INTO t VALUES(5, 'x'), (6, 'y'), (1, 'z')", unique);
    test_expect(db, "SELECT k FROM t", "1 2");
    test_expect(db, "BEGIN; INSERT INTO t VALUES(3, 'a')", "");
    test_expect(db, "INSERT INTO t VALUES(5, 'x'), (6, 'y'), (1, 'z')", unique);
    test_expect(db, "SELECT k FROM t", "1 2 3");
    test_expect(db, "INSERT OR FAIL INTO t VALUES(5, 'x'), (1, 'y'), (6, 'z')", unique);
    test_expect(db, "SELECT k FROM t", "1 2 3 5");
    test_expect(db, "INSERT OR IGNORE INTO t VALUES(7, 'x'), (1, 'y'), (8, 'z')", "");
    test_expect(db, "COMMIT; SELECT k FROM t", "1 2 3 5 7 8");
    test_expect(db, "BEGIN; INSERT INTO t VALUES(9, 'x')", "");
    test_expect(db, "INSERT OR ROLLBACK INTO t VALUES(10, 'x'), (1, 'y')", unique);
    test_expect(db, "SELECT k FROM t", "1 2 3 5 7 8");
    test_expect(db, "COMMIT", "error 1: cannot commit - no transaction is active");
    test_close(db);
}

static void a_drop_that_rolls_back_leaves_the_rows(void **state)
{
    (void)state;
    sqlite3 *db = open_with_table("drop.db");
    test_expect(db, "BEGIN; DROP TABLE t; ROLLBACK; SELECT * FROM t", "1|one 2|two");
    test_expect(db, "SAVEPOINT x; DROP TABLE t; ROLLBACK TO x; SELECT * FROM t",
                "1|one 2|two");
    test_expect(db, "INSERT INTO t VALUES(3, 'three'); RELEASE x; SELECT k FROM t",
                "1 2 3");
    test_expect(db, "INSERT INTO t VALUES(4, 'four'); SELECT k FROM t", "1 2 3 4");
    test_expect(db, "DROP TABLE t; SELECT * FROM t", "error 1: no such table: t");
    test_expect(db, "SELECT name FROM sqlite_schema", "");
    test_close(db);
}

static void a_drop_of_a_table_with_pending_writes_is_refused(void **state)
{
    (void)state;
    sqlite3 *db = open_with_table(NULL);
    test_expect(db, "BEGIN; INSERT INTO t VALUES(3, 'a'); SAVEPOINT x; DROP TABLE t",
                "error 6: database table is locked");
    test_expect(db, "ROLLBACK TO x; COMMIT; SELECT k FROM t", "1 2 3");
    test_expect(db, "BEGIN; INSERT INTO t VALUES(4, 'a'); DROP TABLE t",
                "error 6: database table is locked");
    test_expect(db, "COMMIT; SELECT k FROM t", "1 2 3 4");
    test_expect(
        db,
        "BEGIN; SAVEPOINT x; INSERT INTO t VALUES(5, 'a'); ROLLBACK TO x; DROP TABLE "
        "t; COMMIT; SELECT name FROM sqlite_schema",
        "");
    test_close(db);
}

static void a_transaction_that_ended_without_a_call_leaves_no_savepoints(void **state)
{
    (void)state;
    sqlite3 *db = open_with_table(NULL);
    test_expect(db, "CREATE VIRTUAL TABLE u USING seerdb(k INTEGER PRIMARY KEY)", "");
    test_expect(
        db,
        "BEGIN; SAVEPOINT a; SAVEPOINT b; INSERT INTO t VALUES(9, 'x'); ROLLBACK TO "
        "a; DROP TABLE t; COMMIT",
        "");
    test_expect(db,
                "BEGIN; INSERT INTO u VALUES(1); SAVEPOINT a; INSERT INTO u VALUES(2);"
                "ROLLBACK TO a; COMMIT; SELECT k FROM u",
                "1");
    test_close(db);
}

static void a_create_that_rolls_back_leaves_nothing(void **state)
{
    (void)state;
    sqlite3 *db = open_with_table("create.db");
    test_expect(
        db,
        "BEGIN; CREATE VIRTUAL TABLE u USING seerdb(); INSERT INTO u VALUES(1, 2);"
        "SELECT * FROM u; ROLLBACK; SELECT name FROM sqlite_schema",
        "1|2 t t_seerdb");
    test_expect(
        db,
        "BEGIN; SAVEPOINT x; CREATE VIRTUAL TABLE u USING seerdb(); INSERT INTO u "
        "VALUES(1, 2); ROLLBACK TO x; CREATE VIRTUAL TABLE u USING seerdb(a); INSERT "
        "INTO u VALUES(5); COMMIT; SELECT * FROM u; SELECT count(*) FROM t",
        "5 2");
    test_close(db);
    db = test_open("create.db");
    test_expect(db, "SELECT * FROM u; SELECT k FROM t", "5 1 2");
    test_close(db);
}

static bool count_tree(void *ctx, const seerdb_tree_info *info)
{
    (void)info;
    ++*(int *)ctx;
    return true;
}

static int trees_of(const char *name)
{
    char path[192];
    seerdb *db = NULL;
    seerdb_err err = {0};
    int n = 0;
    snprintf(path, sizeof(path), "%s/%s-seerdb", test_dir, name);
    test_ok(seerdb_open(path, &(seerdb_options){.create = false}, &db, &err), &err);
    test_ok(seerdb_trees(db, count_tree, &n, &err), &err);
    test_ok(seerdb_close(db, &err), &err);
    return n;
}

/* Open a database, and its store, and let the store's history (nothing) pass. */
static sqlite3 *open_and_wait(const char *name)
{
    sqlite3 *db = test_open(name);
    sqlite3_exec(db, "SELECT * FROM t LIMIT 1", NULL, NULL, NULL);
    sqlite3_sleep(5);
    return db;
}

static void dropped_and_undone_tables_are_collected_by_a_later_write(void **state)
{
    (void)state;
    sqlite3 *db = test_open("collect.db");
    test_expect(
        db,
        "CREATE VIRTUAL TABLE t USING seerdb(k INTEGER PRIMARY KEY, v, history = 0);"
        "CREATE VIRTUAL TABLE u USING seerdb(); INSERT INTO u VALUES(1, 1);"
        "BEGIN; CREATE VIRTUAL TABLE w USING seerdb(); ROLLBACK;"
        "BEGIN; SAVEPOINT x; CREATE VIRTUAL TABLE w USING seerdb(); ROLLBACK TO x;"
        "INSERT INTO t VALUES(3, 'three'); COMMIT;"
        "BEGIN; DROP TABLE u; ROLLBACK",
        "");
    test_close(db);
    assert_int_equal(trees_of("collect.db"), 4);
    db = open_and_wait("collect.db");
    test_expect(db, "BEGIN; INSERT INTO t VALUES(4, 'four'); COMMIT", "");
    test_close(db);
    assert_int_equal(trees_of("collect.db"), 4); /* not inside a transaction */
    db = open_and_wait("collect.db");
    test_expect(db, "INSERT INTO t VALUES(5, 'five'); SELECT * FROM u", "1|1");
    test_close(db);
    assert_int_equal(trees_of("collect.db"), 2);
    db = open_and_wait("collect.db");
    test_expect(db, "DROP TABLE u; DROP TABLE t", "");
    test_close(db);
    assert_int_equal(trees_of("collect.db"), 2);
    db = open_and_wait("collect.db");
    test_expect(db, "CREATE VIRTUAL TABLE t USING seerdb(history = 0)", "");
    sqlite3_sleep(5);
    test_expect(db, "INSERT INTO t VALUES(1, 1)", "");
    test_close(db);
    assert_int_equal(trees_of("collect.db"), 1);
}

static void a_rename_is_part_of_the_transaction(void **state)
{
    (void)state;
    sqlite3 *db = open_with_table("rename.db");
    test_expect(
        db,
        "ALTER TABLE t RENAME TO \"a b'c\"; SELECT * FROM \"a b'c\"; SELECT name FROM "
        "sqlite_schema",
        "1|one 2|two a b'c a b'c_seerdb");
    test_expect(
        db,
        "BEGIN; INSERT INTO \"a b'c\" VALUES(3, 'three'); ALTER TABLE \"a b'c\" RENAME "
        "TO u; INSERT INTO u VALUES(4, 'four'); ROLLBACK; SELECT k FROM \"a b'c\"",
        "1 2");
    test_expect(
        db,
        "BEGIN; INSERT INTO \"a b'c\" VALUES(3, 'three'); ALTER TABLE \"a b'c\" RENAME "
        "TO u; INSERT INTO u VALUES(4, 'four'); COMMIT; SELECT k FROM u",
        "1 2 3 4");
    test_expect(
        db,
        "BEGIN; SAVEPOINT x; ALTER TABLE u RENAME TO w; INSERT INTO w VALUES(5, "
        "'five'); ROLLBACK TO x; INSERT INTO u VALUES(6, 'six'); COMMIT; SELECT k "
        "FROM u",
        "1 2 3 4 6");
    test_close(db);
    db = test_open("rename.db");
    test_expect(db, "SELECT k FROM u", "1 2 3 4 6");
    test_close(db);
}

static void a_commit_that_answers_busy_can_be_retried_changed_or_undone(void **state)
{
    (void)state;
    sqlite3 *a = open_with_table("busy.db");
    sqlite3 *b = test_open("busy.db");
    sqlite3_stmt *reader = NULL;
    test_expect(a, "CREATE TABLE o(x); INSERT INTO o VALUES(0)", "");
    for (int round = 0; round < 3; round++) {
        assert_int_equal(sqlite3_prepare_v2(b, "SELECT x FROM o", -1, &reader, NULL),
                         0);
        assert_int_equal(sqlite3_step(reader), SQLITE_ROW);
        test_expect(
            a, "BEGIN; INSERT INTO o VALUES(1); INSERT INTO t VALUES(3, 'three')", "");
        test_expect(a, "COMMIT", "error 5: database is locked");
        test_expect(a, "SELECT k FROM t", "1 2 3");
        test_expect(b, "SELECT k FROM t", "1 2");
        if (round == 1)
            test_expect(a, "INSERT INTO t VALUES(4, 'four')", "");
        test_expect(a, "COMMIT", "error 5: database is locked");
        assert_int_equal(sqlite3_finalize(reader), SQLITE_OK);
        if (round == 0) {
            test_expect(a, "ROLLBACK; SELECT k FROM t; SELECT count(*) FROM o",
                        "1 2 1");
        } else if (round == 1) {
            test_expect(a, "COMMIT; SELECT k FROM t; SELECT count(*) FROM o",
                        "1 2 3 4 2");
            test_expect(b, "SELECT k FROM t", "1 2 3 4");
            test_expect(a, "DELETE FROM t WHERE k > 2", "");
        } else {
            test_expect(a,
                        "SAVEPOINT x; INSERT INTO t VALUES(5, 'five'); ROLLBACK TO x;"
                        "COMMIT; SELECT k FROM t",
                        "1 2 3");
        }
    }
    test_close(b);
    test_close(a);
}

static void a_select_goes_on_after_rollback_and_commit(void **state)
{
    (void)state;
    sqlite3 *db = open_with_table(NULL);
    sqlite3_stmt *reader = NULL;
    for (int commit = 0; commit < 2; commit++) {
        struct test_text rows = {.n = 0};
        test_expect(db, "BEGIN; INSERT INTO t VALUES(7, 'seven')", "");
        assert_int_equal(sqlite3_prepare_v2(db, "SELECT k FROM t", -1, &reader, NULL),
                         0);
        assert_int_equal(sqlite3_step(reader), SQLITE_ROW);
        test_expect(db, commit ? "COMMIT" : "ROLLBACK", "");
        test_expect(db, "SELECT k FROM t", commit ? "1 2 7" : "1 2");
        int rc = test_rows(reader, &rows);
        /* SQLite itself may end a reader at ROLLBACK; what it shows must be right. */
        if (rc == SQLITE_DONE)
            assert_string_equal(rows.text, "2 7");
        sqlite3_finalize(reader);
    }
    test_close(db);
}

static void statements_see_the_table_as_of_their_start(void **state)
{
    (void)state;
    sqlite3 *db = open_with_table(NULL);
    test_expect(db, "INSERT INTO t SELECT k + 10, v FROM t; SELECT k FROM t",
                "1 2 11 12");
    test_expect(db, "BEGIN; INSERT INTO t SELECT k + 100, v FROM t; SELECT k FROM t",
                "1 2 11 12 101 102 111 112");
    test_expect(db, "UPDATE t SET k = k + 1000; SELECT k FROM t",
                "1001 1002 1011 1012 1101 1102 1111 1112");
    test_expect(db, "UPDATE t SET k = k - 1; SELECT k FROM t; COMMIT",
                "1000 1001 1010 1011 1100 1101 1110 1111");
    test_expect(db, "DELETE FROM t WHERE k IN (SELECT k + 1 FROM t); SELECT k FROM t",
                "1000 1010 1100 1110");
    test_close(db);
}

static void last_insert_rowid_and_changes_count(void **state)
{
    (void)state;
    sqlite3 *db = open_with_table(NULL);
    test_expect(
        db, "INSERT INTO t(v) VALUES('three'); SELECT last_insert_rowid(), changes()",
        "3|1");
    test_expect(
        db,
        "BEGIN; INSERT INTO t(v) VALUES('four'), ('five'); DELETE FROM t WHERE k = 5;"
        "INSERT INTO t(v) VALUES('five'); SELECT last_insert_rowid(); COMMIT",
        "5");
    test_expect(db, "INSERT INTO t VALUES(9223372036854775807, 'last')", "");
    test_expect_part(db, "INSERT INTO t(v) VALUES('one more')", "error 13: ");
    test_close(db);
}

static int veto(void *refuse)
{
    return *(int *)refuse;
}

static void a_vetoed_commit_leaves_nothing(void **state)
{
    int refuse = 1;
    (void)state;
    sqlite3 *db = open_with_table("veto.db");
    sqlite3_commit_hook(db, veto, &refuse);
    test_expect(db, "INSERT INTO t VALUES(3, 'three')", "error 531: constraint failed");
    test_expect(db, "BEGIN; DELETE FROM t", "");
    test_expect(db, "COMMIT", "error 531: constraint failed");
    test_expect(db, "SELECT k FROM t", "1 2");
    refuse = 0;
    test_expect(db, "INSERT INTO t VALUES(4, 'four'); SELECT k FROM t", "1 2 4");
    test_close(db);
    db = test_open("veto.db");
    test_expect(db, "SELECT k FROM t", "1 2 4");
    test_close(db);
}

static void tables_of_several_stores_commit_and_roll_back_together(void **state)
{
    char sql[256];
    (void)state;
    sqlite3 *db = open_with_table("several.db");
    snprintf(sql, sizeof(sql), "ATTACH '%s/second.db' AS b", test_dir);
    test_expect(db, sql, "");
    test_expect(db,
                "CREATE VIRTUAL TABLE b.u USING seerdb(k INTEGER PRIMARY KEY); CREATE "
                "VIRTUAL TABLE w USING seerdb(k INTEGER PRIMARY KEY)",
                "");
    test_expect(
        db,
        "BEGIN; INSERT INTO t VALUES(3, 'x'); INSERT INTO u VALUES(3); SAVEPOINT s;"
        "INSERT INTO w VALUES(3); INSERT INTO u VALUES(4); ROLLBACK TO s; INSERT "
        "INTO u VALUES(5); COMMIT; SELECT k FROM t; SELECT 'u', k FROM u; SELECT "
        "'w', k FROM w",
        "1 2 3 u|3 u|5");
    test_expect(
        db,
        "BEGIN; DELETE FROM t; DELETE FROM u; INSERT INTO w VALUES(1); ROLLBACK;"
        "SELECT count(*) FROM t; SELECT count(*) FROM u; SELECT count(*) FROM w",
        "3 2 0");
    test_close(db);
    db = test_open("second.db");
    test_expect(db, "SELECT k FROM u", "3 5");
    test_close(db);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_transaction_reads_its_own_writes),
        cmocka_unit_test(others_see_a_transaction_after_its_commit),
        cmocka_unit_test(an_empty_transaction_leaves_the_log_alone),
        cmocka_unit_test(savepoints_nest),
        cmocka_unit_test(a_savepoint_can_be_the_transaction),
        cmocka_unit_test(
            a_table_that_joins_inside_savepoints_rolls_back_to_any_of_them),
        cmocka_unit_test(a_failed_statement_leaves_nothing),
        cmocka_unit_test(a_drop_that_rolls_back_leaves_the_rows),
        cmocka_unit_test(a_drop_of_a_table_with_pending_writes_is_refused),
        cmocka_unit_test(a_transaction_that_ended_without_a_call_leaves_no_savepoints),
        cmocka_unit_test(a_create_that_rolls_back_leaves_nothing),
        cmocka_unit_test(dropped_and_undone_tables_are_collected_by_a_later_write),
        cmocka_unit_test(a_rename_is_part_of_the_transaction),
        cmocka_unit_test(a_commit_that_answers_busy_can_be_retried_changed_or_undone),
        cmocka_unit_test(a_select_goes_on_after_rollback_and_commit),
        cmocka_unit_test(statements_see_the_table_as_of_their_start),
        cmocka_unit_test(last_insert_rowid_and_changes_count),
        cmocka_unit_test(a_vetoed_commit_leaves_nothing),
        cmocka_unit_test(tables_of_several_stores_commit_and_roll_back_together),
    };
    return cmocka_run_group_tests(tests, test_dir_make, test_dir_remove);
}
