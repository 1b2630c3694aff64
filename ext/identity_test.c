/* SPDX-License-Identifier: Apache-2.0
 *
 * Rule 18 of the commit protocol: which database file a store's trees belong to. */
#define _DEFAULT_SOURCE
#include "table.h"

#include "test_pair.h"

static void copy(const char *from, const char *to)
{
    char command[300];
    snprintf(command, sizeof(command), "cp -r '%s/%s' '%s/%s'", test_dir, from,
             test_dir, to);
    assert_int_equal(system(command), 0);
}

static void rule_18_an_older_copy_of_the_database_is_recognised(void **state)
{
    (void)state;
    test_close(pair_open("old.db", "delete"));
    copy("old.db", "old.backup");
    sqlite3 *db = pair_open("old.db", "delete");
    test_expect(db, "UPDATE t SET v = v + 1", "");
    test_expect_part(db, "SELECT seerdb('t', 'flush')", "flushed");
    test_close(db);
    copy("old.backup", "old.db");
    db = pair_open("old.db", "delete");
    test_expect_part(db, "SELECT * FROM t", "seerdb('main.t', 'accept')");
    test_expect_part(db, "INSERT INTO t VALUES(3, 3)", "seerdb('main.t', 'accept')");
    test_expect(db, "SELECT count(*) FROM o", "2");
    test_expect_part(db, "BEGIN; SELECT seerdb('t', 'accept'); ROLLBACK", "accepted");
    test_expect_part(db, "SELECT seerdb('t', 'accept')", "accepted main.t");
    test_expect(db, "SELECT * FROM t", "1|11 2|21");
    test_expect(db, "INSERT INTO t VALUES(3, 3); SELECT k FROM t", "1 2 3");
    test_expect(db, "BEGIN; INSERT INTO t VALUES(4, 4)", "");
    test_expect_part(db, "SELECT seerdb('t', 'accept')", "end it first");
    test_expect(db, "COMMIT", "");
    test_close(db);
    db = pair_open("old.db", "delete");
    test_expect(db, "SELECT k FROM t", "1 2 3 4");
    test_close(db);
}

static void rule_18_a_copy_cannot_share_the_trees(void **state)
{
    char sql[256];
    (void)state;
    sqlite3 *a = test_open("original.db");
    snprintf(sql, sizeof(sql),
             "CREATE VIRTUAL TABLE p USING seerdb(k, path='%s/original-store')",
             test_dir);
    test_expect(a, sql, "");
    test_expect(a, "INSERT INTO p VALUES(1)", "");
    copy("original.db", "copy.db");
    sqlite3 *b = test_open("copy.db");
    test_expect_part(b, "SELECT * FROM p", "is a copy of it");
    test_expect_part(b, "INSERT INTO p VALUES(2)", "is a copy of it");
    test_expect(b, "DROP TABLE p", "");
    test_close(b);
    test_expect(a, "INSERT INTO p VALUES(2); SELECT * FROM p", "1 2");
    test_close(a);
}

static void rule_18_database_and_directory_move_together(void **state)
{
    char from[128], to[128];
    (void)state;
    test_close(pair_open("here.db", "wal"));
    snprintf(from, sizeof(from), "%s/here.db", test_dir);
    snprintf(to, sizeof(to), "%s/there.db", test_dir);
    assert_int_equal(rename(from, to), 0);
    snprintf(from, sizeof(from), "%s/here.db-seerdb", test_dir);
    snprintf(to, sizeof(to), "%s/there.db-seerdb", test_dir);
    assert_int_equal(rename(from, to), 0);
    sqlite3 *db = pair_open("there.db", "wal");
    test_expect(db, PAIR_SUMS, "2|30.0 2|30.0");
    test_expect(db, "UPDATE t SET v = v + 1", "");
    test_expect_part(db, "SELECT seerdb('t', 'flush')", "flushed");
    test_close(db);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rule_18_an_older_copy_of_the_database_is_recognised),
        cmocka_unit_test(rule_18_a_copy_cannot_share_the_trees),
        cmocka_unit_test(rule_18_database_and_directory_move_together),
    };
    return cmocka_run_group_tests(tests, test_dir_make, test_dir_remove);
}
