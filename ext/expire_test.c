/* SPDX-License-Identifier: Apache-2.0
 *
 * ttl and filter: the forms that are worked out without SQLite answer as SQLite does,
 * and a store that several connections and threads use sees one truth. */
#define _DEFAULT_SOURCE
#include "expire.h"

#include "expr.h"
#include "rowcodec.h"
#include "test_mem.h"
#include "test_sql.h"

#include <pthread.h>

/* Values of every type, near the numbers that the expressions name. */
static const char *const values[] = {
    "NULL",
    "0",
    "-1",
    "1",
    "4",
    "5",
    "6",
    "-5",
    "5.0",
    "4.5",
    "5.5",
    "'5'",
    "'5.0'",
    "' 5'",
    "'5x'",
    "'x'",
    "''",
    "x'35'",
    "x''",
    "9e999",
    "-9e999",
    "1e300",
    "9223372036854775807",
    "-9223372036854775808",
    "9223372036854775806",
};
#define NVALUES (sizeof values / sizeof values[0])

static void forms_answer_as_sqlite_does(void **state)
{
    (void)state;
    static const char *const types[] = {"",     "INTEGER", "TEXT",
                                        "REAL", "NUMERIC", "BLOB"};
    static const char *const filters[] = {"n",      "n < 5",  "n <= 5",  "n > 5",
                                          "n >= 5", "n = 5",  "n == 5",  "n != 5",
                                          "n <> 5", "n < -5", "n = - 5", "N >= 0"};
    char sql[256], want[512];
    for (size_t t = 0; t < sizeof types / sizeof types[0]; t++) {
        sqlite3 *db = test_open(NULL);
        snprintf(sql, sizeof sql, "CREATE TABLE twin(k INTEGER PRIMARY KEY, n %s)",
                 types[t]);
        test_expect(db, sql, "");
        for (size_t v = 0; v < NVALUES; v++) {
            snprintf(sql, sizeof sql, "INSERT INTO twin(n) VALUES (%s)", values[v]);
            test_expect(db, sql, "");
        }
        for (size_t f = 0; f < sizeof filters / sizeof filters[0]; f++) {
            snprintf(
                sql, sizeof sql,
                "CREATE VIRTUAL TABLE t%zu USING seerdb(k INTEGER PRIMARY KEY, n %s, "
                "filter = '%s')",
                f, types[t], filters[f]);
            test_expect(db, sql, "");
            snprintf(sql, sizeof sql, "INSERT INTO t%zu SELECT * FROM twin", f);
            test_expect(db, sql, "");
            snprintf(sql, sizeof sql,
                     "SELECT group_concat(k) FROM twin WHERE (%s) IS NOT TRUE",
                     filters[f]);
            snprintf(want, sizeof want, "%s", test_sql(db, sql));
            snprintf(sql, sizeof sql, "SELECT group_concat(k) FROM t%zu", f);
            if (strcmp(test_sql(db, sql), want) != 0)
                fail_msg("%s of type '%s': %s, not %s", filters[f], types[t],
                         test_sql(db, sql), want);
        }
        test_close(db);
    }
}

/* Which of these are there now: what the number is, and what SQLite makes of the sum.
 */
static void times_are_what_sqlite_makes_of_them(void **state)
{
    (void)state;
    static const char *const ttls[] = {
        "n", "n + 100", "n - 100", "N+9223372036854775807", "n - 9223372036854775807"};
    char sql[300], want[512];
    for (size_t i = 0; i < sizeof ttls / sizeof ttls[0]; i++) {
        sqlite3 *db = test_open(NULL);
        snprintf(
            sql, sizeof sql,
            "CREATE TABLE twin(k INTEGER PRIMARY KEY, n INTEGER); "
            "CREATE VIRTUAL TABLE t USING seerdb(k INTEGER PRIMARY KEY, n INTEGER, "
            "ttl = '%s')",
            ttls[i]);
        test_expect(db, sql, "");
        for (size_t v = 0; v < NVALUES; v++) {
            snprintf(sql, sizeof sql,
                     "INSERT INTO twin(n) SELECT %s WHERE CAST(%s AS NUMERIC) IS %s",
                     values[v], values[v], values[v]);
            test_expect(db, sql, "");
        }
        test_expect(db, "INSERT INTO t SELECT * FROM twin", "");
        snprintf(sql, sizeof sql,
                 "SELECT group_concat(k) FROM twin WHERE (%s) IS NULL OR (%s) > "
                 "CAST(strftime('%%s', 'now') AS INTEGER)",
                 ttls[i], ttls[i]);
        snprintf(want, sizeof want, "%s", test_sql(db, sql));
        if (strcmp(test_sql(db, "SELECT group_concat(k) FROM t"), want) != 0)
            fail_msg("%s: %s, not %s", ttls[i],
                     test_sql(db, "SELECT group_concat(k) FROM t"), want);
        test_close(db);
    }
}

static void utf16_databases_filter_by_their_texts(void **state)
{
    (void)state;
    static const char *const encodings[] = {"UTF-8", "UTF-16le", "UTF-16be"};
    char sql[200];
    for (int i = 0; i < 3; i++) {
        sqlite3 *db = test_open(NULL);
        snprintf(sql, sizeof sql, "PRAGMA encoding = '%s'", encodings[i]);
        test_expect(db, sql, "");
        test_expect(
            db,
            "CREATE VIRTUAL TABLE t USING seerdb(k TEXT PRIMARY KEY, v TEXT, due "
            "TEXT, ttl = due, filter = 'v = ''\xc3\xa4'' OR k LIKE ''x%''')",
            "");
        test_expect(db,
                    "INSERT INTO t VALUES ('a', '\xc3\xa4', NULL), ('b', 'a', NULL), "
                    "('x1', 'a', NULL), ('c', 'a', '17'), ('d', 'a', '99999999999')",
                    "");
        test_expect(db, "SELECT k FROM t", "b d");
        test_close(db);
    }
}

static void the_filter_outlives_the_connection_that_gave_it(void **state)
{
    (void)state;
    sqlite3 *first = test_open("outlive.db"), *second = test_open("outlive.db");
    test_expect(first,
                "CREATE VIRTUAL TABLE t USING seerdb(k INTEGER PRIMARY KEY, v, ttl = "
                "'CASE v WHEN 1 THEN 1 END')",
                "");
    test_expect(first, "INSERT INTO t VALUES (1, 1), (2, 2)", "");
    test_expect(second, "SELECT k FROM t", "2");
    test_close(first);
    test_expect(second, "SELECT k FROM t", "2");
    test_expect(second, "INSERT INTO t VALUES (1, 1), (3, 3)", "");
    test_expect_part(second, "SELECT seerdb('t', 'flush')", "flushed");
    test_expect(second, "SELECT k FROM t", "2 3");
    if (svt_expr_threads())
        assert_true(test_stat(second, "t", "filter_removed") >= 1);
    test_close(second);
}

/* ---- by itself --------------------------------------------------------------------
 */

static int make(struct svt_expire **x, struct svt_schema *schema, char **message)
{
    static const char *const argv[] = {"seerdb",
                                       "main",
                                       "t",
                                       "a TEXT",
                                       "b",
                                       "due INTEGER",
                                       "PRIMARY KEY (a, b)",
                                       "ttl = 'due + length(a)'",
                                       "filter = 'b = 7'"};
    int rc = svt_args_parse(9, argv, schema, message);
    if (rc == SQLITE_OK)
        rc = svt_expire_check(schema, "main.t", message);
    if (rc == SQLITE_OK)
        rc = svt_expire_new(schema, "main.t", x, message);
    return rc;
}

static const struct svt_value columns[3] = {{.type = SQLITE_TEXT, .bytes = {"xyz", 3}},
                                            {.type = SQLITE_INTEGER, .i = 5},
                                            {.type = SQLITE_INTEGER, .i = 10}};

/* The key and row of these. */
static void encode_row(const struct svt_schema *s, struct svt_bytes *key,
                       struct svt_bytes *row)
{
    const struct svt_value *v = columns;
    const uint8_t in_key[3] = {SVT_CODE_KEY, SVT_CODE_KEY, 0};
    svt_key_put(key, &s->parts[0], &v[0]);
    svt_key_put(key, &s->parts[1], &v[1]);
    svt_row_put(row, v, in_key, 3);
}

static void every_allocation_can_fail(void **state)
{
    (void)state;
    int64_t live = test_mem_live;
    int rc = SQLITE_NOMEM;
    for (int64_t n = 0; rc != SQLITE_OK; n++) {
        struct svt_schema schema = {.ncolumns = 0}, spare = {.ncolumns = 0};
        struct svt_expire *x = NULL;
        struct svt_bytes key = {0}, row = {0};
        char *message = NULL;
        assert_true(n < 10000);
        if (n == 0) { /* the rows, while there is memory */
            assert_int_equal(make(&x, &spare, &message), SQLITE_OK);
            svt_expire_unref(x);
            svt_schema_fini(&spare);
            x = NULL;
        }
        test_mem_left = n;
        rc = make(&x, &schema, &message);
        if (rc == SQLITE_OK) {
            encode_row(&schema, &key, &row);
            rc = key.failed || row.failed
                     ? SQLITE_NOMEM
                     : svt_expire_test(x, svt_bytes_slice(&key), svt_bytes_slice(&row),
                                       &message);
            if (rc == SQLITE_OK)
                rc = svt_expire_test_values(x, columns, &message);
        }
        test_mem_left = -1;
        if (rc != SQLITE_OK && rc != SQLITE_NOMEM)
            fail_msg("%d: %s", rc, message);
        sqlite3_free(message);
        svt_expire_unref(x);
        svt_schema_fini(&schema);
        svt_bytes_fini(&key);
        svt_bytes_fini(&row);
        if (test_mem_live != live)
            fail_msg("allocation %d: %d left", (int)n, (int)(test_mem_live - live));
    }
}

struct asker {
    pthread_t thread;
    struct svt_expire *x;
    seerdb_slice key, row;
    int failed;
};

static void *ask(void *arg)
{
    struct asker *a = arg;
    for (int i = 0; i < 500; i++) {
        char *message = NULL;
        a->failed += svt_expire_test(a->x, a->key, a->row, &message) != SQLITE_OK;
        sqlite3_free(message);
    }
    return NULL;
}

static void threads_evaluate_at_a_time(void **state)
{
    (void)state;
    struct svt_schema schema = {.ncolumns = 0};
    struct svt_expire *x = NULL;
    struct svt_bytes key = {0}, row = {0};
    struct asker askers[6];
    char *message = NULL;
    if (!svt_expr_threads())
        skip(); /* this SQLite has none */
    assert_int_equal(make(&x, &schema, &message), SQLITE_OK);
    encode_row(&schema, &key, &row);
    for (int i = 0; i < 6; i++) {
        askers[i] = (struct asker){
            .x = x, .key = svt_bytes_slice(&key), .row = svt_bytes_slice(&row)};
        assert_int_equal(pthread_create(&askers[i].thread, NULL, ask, &askers[i]), 0);
    }
    for (int i = 0; i < 6; i++) {
        assert_int_equal(pthread_join(askers[i].thread, NULL), 0);
        assert_int_equal(askers[i].failed, 0);
    }
    svt_expire_unref(x);
    svt_schema_fini(&schema);
    svt_bytes_fini(&key);
    svt_bytes_fini(&row);
}

static int setup(void **state)
{
    return test_mem_install(state) == 0 ? test_dir_make(state) : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forms_answer_as_sqlite_does),
        cmocka_unit_test(times_are_what_sqlite_makes_of_them),
        cmocka_unit_test(utf16_databases_filter_by_their_texts),
        cmocka_unit_test(the_filter_outlives_the_connection_that_gave_it),
        cmocka_unit_test(every_allocation_can_fail),
        cmocka_unit_test(threads_evaluate_at_a_time),
    };
    return cmocka_run_group_tests(tests, setup, test_dir_remove);
}
