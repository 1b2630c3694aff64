/* SPDX-License-Identifier: Apache-2.0 */
#define _DEFAULT_SOURCE
#include "sweep.h"

#include "base/rand.h"
#include "test_mem.h"
#include "test_sql.h"

#define ROWS 1500 /* several times what makes a range */

static const char *const shapes[] = {
    "k INTEGER PRIMARY KEY, v",
    "k TEXT PRIMARY KEY, v",
    "k TEXT COLLATE NOCASE, v, PRIMARY KEY(k DESC)",
    "k, v, PRIMARY KEY(v, k)",
    "k, v",
};
#define NSHAPES (sizeof shapes / sizeof shapes[0])

/* t, and an ordinary table o with the same rows. */
static sqlite3 *open_filled(size_t shape)
{
    char sql[512];
    sqlite3 *db = test_open(NULL);
    snprintf(sql, sizeof sql,
             "CREATE VIRTUAL TABLE t USING seerdb(%s); CREATE TABLE o(k, v);"
             "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n "
             "WHERE i < %d) INSERT INTO o SELECT %s, i %% 7 FROM n;"
             "INSERT INTO t(k, v) SELECT k, v FROM o",
             shapes[shape], ROWS, shape == 0 ? "i" : "printf('key%06d', i)");
    test_expect(db, sql, "");
    return db;
}

static void expect_same(sqlite3 *db)
{
    test_expect(db,
                "SELECT count(*) FROM (SELECT k, v FROM t EXCEPT SELECT k, v FROM o);"
                "SELECT count(*) FROM (SELECT k, v FROM o EXCEPT SELECT k, v FROM t);"
                "SELECT (SELECT count(*) FROM t) - (SELECT count(*) FROM o)",
                "0 0 0");
}

/* That a statement writes. */
static double tombstones_of(sqlite3 *db, const char *sql, const char *want)
{
    double before = test_stat(db, "t", "deletes");
    test_expect(db, sql, want);
    return test_stat(db, "t", "deletes") - before;
}

static void a_delete_of_all_rows_writes_one_range_whatever_the_key(void **state)
{
    (void)state;
    for (size_t i = 0; i < NSHAPES; i++) {
        sqlite3 *db = open_filled(i);
        test_expect(db, "SELECT count(*) > 0 FROM (SELECT seerdb('t', 'flush'))", "1");
        double n = tombstones_of(
            db, "DELETE FROM t; SELECT changes(); SELECT count(*) FROM t", "1500 0");
        assert_true(n > 0 && n < 80);
        test_expect(db, "DELETE FROM t; SELECT changes()", "0");
        test_close(db);
    }
}

static void rows_that_are_left_out_stay(void **state)
{
    (void)state;
    for (size_t i = 0; i < NSHAPES; i++) {
        sqlite3 *db = open_filled(i);
        test_expect(db,
                    "DELETE FROM t WHERE k NOT LIKE '%700' AND k NOT LIKE '%999';"
                    "SELECT changes();"
                    "DELETE FROM o WHERE k NOT LIKE '%700' AND k NOT LIKE '%999'",
                    "1498");
        expect_same(db);
        test_expect(db, "SELECT count(*) FROM t", "2");
        test_close(db);
    }
}

static void every_other_row_makes_no_range(void **state)
{
    (void)state;
    sqlite3 *db = open_filled(0);
    assert_true(tombstones_of(db, "DELETE FROM t WHERE k % 2", "") >= ROWS / 2);
    test_expect(db, "DELETE FROM o WHERE k % 2", "");
    expect_same(db);
    test_expect(db, "DELETE FROM t WHERE k % 200; DELETE FROM o WHERE k % 200", "");
    expect_same(db);
    test_close(db);
}

static void a_reader_sees_what_is_not_settled(void **state)
{
    (void)state;
    sqlite3 *db = open_filled(0);
    test_expect(db,
                "BEGIN; DELETE FROM t WHERE k <= 1000; SELECT count(*), min(k) FROM t;"
                "SELECT v FROM t WHERE k = 1000; SELECT v FROM t WHERE k = 1001;"
                "INSERT INTO t VALUES(500, 'back'); SELECT min(k) FROM t;"
                "DELETE FROM t; SELECT count(*) FROM t;"
                "INSERT INTO t(v) VALUES('first'); SELECT * FROM t; ROLLBACK;"
                "SELECT count(*) FROM t",
                "500|1001 0 500 0 1|first 1500");
    test_close(db);
}

static void savepoints_undo_a_run_or_keep_it(void **state)
{
    (void)state;
    sqlite3 *db = open_filled(0);
    test_expect(
        db,
        "BEGIN; DELETE FROM t WHERE k <= 500; SAVEPOINT a;"
        "DELETE FROM t WHERE k <= 1000; SAVEPOINT b; DELETE FROM t; ROLLBACK TO b;"
        "SELECT count(*) FROM t; RELEASE b; DELETE FROM t; ROLLBACK TO a;"
        "SELECT count(*), min(k) FROM t; DELETE FROM t WHERE k < 1500; RELEASE a;"
        "COMMIT; SELECT * FROM t",
        "500 1000|501 1500|2");
    test_close(db);
}

static void drop_table_knows_of_a_run(void **state)
{
    (void)state;
    sqlite3 *db = open_filled(0);
    test_expect_part(db, "BEGIN; DELETE FROM t; DROP TABLE t",
                     "database table is locked");
    test_expect(db, "COMMIT; SELECT count(*) FROM t; DROP TABLE t", "0");
    test_close(db);
}

static void an_open_cursor_goes_on_over_rows_that_are_deleted(void **state)
{
    (void)state;
    sqlite3 *db = open_filled(0);
    sqlite3_stmt *stmt = NULL;
    int64_t sum = 0;
    assert_int_equal(sqlite3_exec(db, "BEGIN", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, "SELECT k FROM t", -1, &stmt, NULL),
                     SQLITE_OK);
    for (int i = 0; sqlite3_step(stmt) == SQLITE_ROW; i++) {
        sum += sqlite3_column_int64(stmt, 0);
        if (i == 700)
            test_expect(db, "DELETE FROM t; SELECT count(*) FROM t", "0");
    }
    sqlite3_finalize(stmt);
    assert_int_equal(sum, (int64_t)ROWS * (ROWS + 1) / 2);
    test_expect(db, "COMMIT; SELECT count(*) FROM t", "0");
    test_close(db);
}

/* The same statement on both tables; {t}: one of them. */
static void run_on_both(sqlite3 *db, const char *format, unsigned a, unsigned b)
{
    char sql[256];
    for (int i = 0; i < 2; i++) {
        sqlite3_snprintf((int)sizeof sql, sql, format, i == 0 ? "t" : "o", a, b);
        test_expect(db, sql, "");
    }
}

static void do_something(sqlite3 *db, struct sdb_rand *r)
{
    unsigned a = (unsigned)sdb_rand_below(r, ROWS);
    unsigned b = (unsigned)sdb_rand_below(r, ROWS);
    switch (sdb_rand_below(r, 11)) {
    case 0:
    case 1:
        run_on_both(db, "DELETE FROM %s WHERE substr(k, -4) + 0 BETWEEN %u AND %u", a,
                    a + b / 2);
        break;
    case 2:
        run_on_both(db, "DELETE FROM %s WHERE v <> %u %% 7 AND substr(k, -4) > %u", a,
                    b);
        break;
    case 3:
        run_on_both(db,
                    "DELETE FROM %s WHERE k IN (SELECT k FROM o WHERE v > %u %% 7 "
                    "LIMIT %u)",
                    a, b);
        break;
    case 4:
        run_on_both(db,
                    "UPDATE %s SET v = v + 1 WHERE substr(k, -4) + 0 BETWEEN %u "
                    "AND %u",
                    a, a + 9);
        break;
    case 5:
        test_expect(db,
                    "INSERT INTO o VALUES('new' || total_changes(), 1); INSERT INTO "
                    "t(k, v) SELECT k, v FROM o WHERE rowid = last_insert_rowid()",
                    "");
        break;
    case 6:
        expect_same(db);
        break;
    case 7:
        test_expect(db, "ROLLBACK; BEGIN", "");
        break;
    case 8:
        test_expect(db, "COMMIT; BEGIN", "");
        break;
    default: { /* inside a savepoint, that is kept or not */
        bool keep = sdb_rand_below(r, 2) == 0;
        test_expect(db, "SAVEPOINT s", "");
        run_on_both(db, "DELETE FROM %s WHERE substr(k, -4) + 0 > %u + 0 * %u", a, b);
        test_expect(db, keep ? "RELEASE s" : "ROLLBACK TO s", "");
    }
    }
}

static void random_deletes_leave_what_an_ordinary_table_has(void **state)
{
    (void)state;
    for (unsigned seed = 1; seed <= 40; seed++) {
        struct sdb_rand r = {.state = seed};
        sqlite3 *db = open_filled(1 + seed % (NSHAPES - 1));
        test_expect(db, "BEGIN", "");
        for (int i = 0; i < 12; i++)
            do_something(db, &r);
        expect_same(db);
        test_expect(db, "COMMIT", "");
        expect_same(db);
        test_close(db);
    }
}

static void without_memory_a_delete_fails_whole(void **state)
{
    (void)state;
    int failed = 0;
    sqlite3 *db = open_filled(1);
    for (int n = 0; n < 60; n++) {
        sqlite3_stmt *stmt = NULL;
        assert_int_equal(
            sqlite3_prepare_v2(db, "DELETE FROM t WHERE v >= 0", -1, &stmt, NULL),
            SQLITE_OK);
        test_expect(db, "BEGIN", "");
        test_mem_left = n;
        int rc = sqlite3_step(stmt);
        test_mem_left = -1;
        sqlite3_finalize(stmt);
        failed += rc != SQLITE_DONE;
        if (!sqlite3_get_autocommit(db)) {
            test_expect(db, "SELECT count(*) FROM t", rc == SQLITE_DONE ? "0" : "1500");
            test_expect(db, "ROLLBACK", "");
        }
        test_expect(db, "SELECT count(*) FROM t", "1500");
    }
    assert_true(failed > 0);
    test_close(db);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_delete_of_all_rows_writes_one_range_whatever_the_key),
        cmocka_unit_test(rows_that_are_left_out_stay),
        cmocka_unit_test(every_other_row_makes_no_range),
        cmocka_unit_test(a_reader_sees_what_is_not_settled),
        cmocka_unit_test(savepoints_undo_a_run_or_keep_it),
        cmocka_unit_test(drop_table_knows_of_a_run),
        cmocka_unit_test(an_open_cursor_goes_on_over_rows_that_are_deleted),
        cmocka_unit_test(random_deletes_leave_what_an_ordinary_table_has),
        cmocka_unit_test(without_memory_a_delete_fails_whole),
    };
    return cmocka_run_group_tests(tests, test_mem_install, NULL);
}
