/* SPDX-License-Identifier: Apache-2.0 */
#define _DEFAULT_SOURCE
#include "mergelist.h"

#include "test_sql.h"

static const char table[] =
    "CREATE VIRTUAL TABLE t USING seerdb(k INTEGER PRIMARY KEY, d TEXT MERGE "
    "json_patch, "
    "n INTEGER MERGE (coalesce(old, 0) + new), note, insert = merge)";

/* n merges, in one statement, of keys 0 to nkeys - 1 by turns. */
static void merge_many(sqlite3 *db, int n, int nkeys, const char *document)
{
    char sql[512];
    snprintf(sql, sizeof sql,
             "WITH RECURSIVE c(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM c WHERE i < "
             "%d) INSERT INTO t(k, d, n) SELECT i %% %d, %s, 1 FROM c",
             n - 1, nkeys, document);
    test_expect(db, sql, "");
}

static void a_key_that_is_merged_often_is_one_row_when_it_is_committed(void **state)
{
    static const int keys[] = {1, 3, 50};
    (void)state;
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        char want[64];
        sqlite3 *db = test_open(NULL);
        test_expect(db, table, "");
        test_expect(db, "INSERT INTO t VALUES (0, '{\"old\":1}', 1000, 'kept')", "");
        double before = test_stat(db, "t", "log_written");
        test_expect(db, "BEGIN", "");
        merge_many(db, 30000, keys[i], "'{\"a\":' || i || '}'");
        test_expect(db, "SAVEPOINT s", "");
        merge_many(db, 3000, keys[i], "'{\"b\":' || i || '}'");
        snprintf(want, sizeof want, "%d|kept", 1000 + 33000 / keys[i]);
        test_expect(db, "SELECT n, note FROM t WHERE k = 0", want);
        test_expect(db, "ROLLBACK TO s", "");
        snprintf(want, sizeof want, "%d|kept", 1000 + 30000 / keys[i]);
        test_expect(db, "SELECT n, note FROM t WHERE k = 0", want);
        test_expect(db, "COMMIT", "");
        test_expect(db, "SELECT n, note FROM t WHERE k = 0", want);
        snprintf(want, sizeof want, "{\"old\":1,\"a\":%d}", 30000 - keys[i]);
        test_expect(db, "SELECT d FROM t WHERE k = 0", want);
        /* 10 bytes an operand, and more, where they were all there. */
        assert_true(before > 0);
        assert_true(test_stat(db, "t", "log_written") - before <
                    (SVT_MERGELIST_MOST + 50) * 40.0 * keys[i]);
        test_close(db);
    }
}

static void operands_that_fail_are_kept_however_many_come(void **state)
{
    (void)state;
    sqlite3 *db = test_open(NULL);
    test_expect(db, table, "");
    test_expect(db, "INSERT INTO t VALUES (0, '{\"old\":1}', 1000, 'kept')", "");
    test_expect(db, "BEGIN", "");
    merge_many(db, 5000, 1, "CASE WHEN i = 100 THEN 'no json' ELSE '{\"a\":1}' END");
    test_expect_part(db, "SELECT n FROM t", "malformed JSON");
    test_expect(db, "COMMIT", "");
    test_expect_part(db, "SELECT n FROM t", "malformed JSON");
    test_expect(db, "INSERT INTO t(k, n, _op) VALUES (0, 5, 'put')", "");
    test_expect(db, "SELECT * FROM t", "0|NULL|5|NULL");
    test_close(db);
}

/* Keys that share a counter are no reason to write a row that was not read as a whole.
 */
static void large_values_of_other_rows_stay_where_they_are(void **state)
{
    char sql[256];
    (void)state;
    sqlite3 *db = test_open(NULL);
    test_expect(db,
                "CREATE VIRTUAL TABLE v USING seerdb(k INTEGER PRIMARY KEY, n MERGE "
                "(coalesce(old, 0) + new), big, value_log = 512, insert = merge)",
                "");
    test_expect(db, "BEGIN", "");
    test_expect(
        db,
        "WITH RECURSIVE c(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM c WHERE i < "
        "3000) INSERT INTO v(k, n, big, _op) SELECT i, 0, printf('%.*c', 600 + i % "
        "7, 'x'), 'put' FROM c",
        "");
    test_expect(db, "COMMIT; BEGIN", "");
    snprintf(sql, sizeof sql,
             "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < "
             "%d) INSERT INTO v(k, n) SELECT -1, 1 FROM c",
             SVT_MERGELIST_MOST);
    test_expect(db, sql, "");
    /* Some of these are the next of that counter. */
    test_expect(db, "INSERT INTO v(k, n) SELECT k, 1 FROM v WHERE k >= 0", "");
    test_expect(
        db,
        "SELECT count(*), sum(n), sum(length(big) = 600 + k % 7) FROM v; "
        "COMMIT; SELECT count(*), sum(n), sum(length(big) = 600 + k % 7) FROM v",
        "3002|3257|3001 3002|3257|3001");
    test_close(db);
}

static void counters_are_of_one_transaction(void **state)
{
    struct svt_keyspace ks = {.refs = 1};
    const seerdb_slice key = {"key", 3};
    bool grown;
    (void)state;
    for (int transaction = 0; transaction < 3; transaction++) {
        for (int i = 0; i < SVT_MERGELIST_MOST; i++) {
            assert_int_equal(svt_mergelist_count(&ks, key, &grown), SQLITE_OK);
            assert_false(grown);
        }
        if (transaction == 1) { /* and it begins anew, and anew */
            for (int i = 0; i < 3 * SVT_MERGELIST_MOST; i++) {
                assert_int_equal(svt_mergelist_count(&ks, key, &grown), SQLITE_OK);
                assert_int_equal(grown, i % SVT_MERGELIST_MOST == 0);
            }
        }
        svt_mergelist_end(&ks);
    }
    assert_null(ks.mergelist);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_that_is_merged_often_is_one_row_when_it_is_committed),
        cmocka_unit_test(operands_that_fail_are_kept_however_many_come),
        cmocka_unit_test(large_values_of_other_rows_stay_where_they_are),
        cmocka_unit_test(counters_are_of_one_transaction),
    };
    return cmocka_run_group_tests(tests, test_dir_make, test_dir_remove);
}
