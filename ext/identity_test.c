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

static void run_in_dir(const char *command)
{
    char text[500];
    snprintf(text, sizeof(text), "cd '%s' && %s", test_dir, command);
    assert_int_equal(system(text), 0);
}

/* Makes `name`, whose store lies apart, and closes it. */
static void make_apart(const char *name)
{
    char sql[300];
    sqlite3 *db = test_open(name);
    snprintf(sql, sizeof(sql),
             "CREATE VIRTUAL TABLE p USING seerdb(k, path='%s/%s-apart');"
             "CREATE VIRTUAL TABLE q USING seerdb(k, path='%s/%s-apart');"
             "INSERT INTO p VALUES(1); INSERT INTO q VALUES(10)",
             test_dir, name, test_dir, name);
    test_expect(db, sql, "");
    test_close(db);
}

static void rule_18_a_copy_is_refused_though_nobody_has_the_store_open(void **state)
{
    char path[200];
    (void)state;
    make_apart("o.db");
    copy("o.db", "c.db");
    sqlite3 *c = test_open("c.db");
    snprintf(path, sizeof(path), "%s/o.db, which is still there: %s/c.db", test_dir,
             test_dir);
    test_expect_part(c, "SELECT * FROM p", path);
    test_expect_part(c, "INSERT INTO p VALUES(2)", "seerdb('main.p', 'accept')");
    test_expect_part(c, "SELECT seerdb('p', 'flush')", "is a copy of it");
    test_close(c);
    sqlite3 *o = test_open("o.db");
    test_expect(o, "INSERT INTO p VALUES(2); SELECT * FROM p", "1 2");
    test_close(o);
    /* A hard link is the same file. */
    run_in_dir("ln o.db link.db");
    o = test_open("link.db");
    test_expect(o, "SELECT * FROM p", "1 2");
    test_close(o);
    run_in_dir("rm link.db");
    /* The copy may always drop its tables. */
    c = test_open("c.db");
    test_expect(c, "DROP TABLE p; DROP TABLE q", "");
    test_close(c);
    o = test_open("o.db");
    test_expect(o, "SELECT * FROM p; SELECT * FROM q", "1 2 10");
    test_close(o);
}

static void rule_18_a_database_may_move_and_be_put_back(void **state)
{
    (void)state;
    make_apart("m.db");
    run_in_dir("mv m.db moved.db");
    sqlite3 *db = test_open("moved.db");
    test_expect(db, "INSERT INTO p VALUES(2); SELECT * FROM p", "1 2");
    test_close(db);
    run_in_dir("cp moved.db m.db"); /* the first name is now that of a copy */
    db = test_open("m.db");
    test_expect_part(db, "SELECT * FROM p", "is a copy of it");
    test_close(db);
    /* As when it moves to another file system: another inode, the old one gone. */
    run_in_dir("mv moved.db away && rm m.db && cp away far.db && rm away");
    db = test_open("far.db");
    test_expect(db, "SELECT * FROM p", "1 2"); /* a reader decides nothing */
    test_close(db);
    db = test_open("far.db");
    test_expect(db, "INSERT INTO q VALUES(20); SELECT * FROM q", "10 20");
    test_close(db);
    run_in_dir("cp far.db copy.db");
    db = test_open("copy.db");
    test_expect_part(db, "SELECT * FROM p", "far.db, which is still there");
    test_close(db);
    /* Restored in place: the name is the same. */
    run_in_dir("rm far.db && mv copy.db far.db");
    db = test_open("far.db");
    test_expect(db, "INSERT INTO p VALUES(3); SELECT * FROM p", "1 2 3");
    test_close(db);
}

/* Database and store copied together are a pair of their own. */
static void rule_18_a_pair_may_be_copied(void **state)
{
    (void)state;
    test_close(pair_open("pair.db", "wal"));
    run_in_dir("mkdir second && cp -r pair.db pair.db-seerdb second/");
    for (int i = 0; i < 2; i++) {
        sqlite3 *a = pair_open("pair.db", "wal"),
                *b = pair_open("second/pair.db", "wal");
        test_expect(a, "UPDATE t SET v = v + 1; UPDATE o SET v = v + 1", "");
        test_expect(b, "UPDATE t SET v = v + 10; UPDATE o SET v = v + 10", "");
        test_expect(a, PAIR_SUMS, i == 0 ? "2|32.0 2|32.0" : "2|34.0 2|34.0");
        test_expect(b, PAIR_SUMS, i == 0 ? "2|50.0 2|50.0" : "2|70.0 2|70.0");
        test_close(a);
        test_close(b);
    }
}

static void rule_18_a_copy_takes_the_rows_over_by_accept(void **state)
{
    (void)state;
    make_apart("from.db");
    copy("from.db", "to.db");
    sqlite3 *from = test_open("from.db"), *to = test_open("to.db");
    test_expect(from, "SELECT * FROM p", "1");
    /* Not while the other one is in use. */
    test_expect_part(to, "SELECT seerdb('p', 'accept')", "which is in use");
    test_expect(from, "INSERT INTO p VALUES(2)", "");
    test_close(from);
    test_close(to); /* it held the store open, with what that knew */
    to = test_open("to.db");
    test_expect_part(to, "SELECT * FROM p", "is a copy of it");
    test_expect_part(to, "SELECT seerdb('p', 'accept')", "accepted main.p");
    test_expect(to, "SELECT * FROM p; INSERT INTO p VALUES(3); SELECT * FROM p",
                "1 2 1 2 3");
    test_expect(to, "SELECT * FROM q; INSERT INTO q VALUES(20)", "10");
    test_close(to);
    from = test_open("from.db");
    test_expect_part(from, "SELECT * FROM p", "to.db, which is still there");
    test_expect_part(from, "INSERT INTO q VALUES(5)", "to.db, which is still there");
    test_expect_part(from, "SELECT seerdb('p', 'accept')", "accepted main.p");
    test_expect(from, "SELECT * FROM p", "1 2 3");
    test_close(from);
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
        cmocka_unit_test(rule_18_a_copy_is_refused_though_nobody_has_the_store_open),
        cmocka_unit_test(rule_18_a_database_may_move_and_be_put_back),
        cmocka_unit_test(rule_18_a_pair_may_be_copied),
        cmocka_unit_test(rule_18_a_copy_takes_the_rows_over_by_accept),
        cmocka_unit_test(rule_18_database_and_directory_move_together),
    };
    return cmocka_run_group_tests(tests, test_dir_make, test_dir_remove);
}
