/* SPDX-License-Identifier: Apache-2.0
 *
 * test_sql.h -- unit tests that speak SQL: a scratch directory, connections with the
 * module in them, and results as text.
 *
 * A result is its rows, columns separated by '|', rows by ' ', NULL as "NULL", text as
 * it is; a failure is "error <extended code>: <message>". */
#ifndef SVT_TEST_SQL_H
#define SVT_TEST_SQL_H

#ifndef _DEFAULT_SOURCE
#error "define _DEFAULT_SOURCE first: mkdtemp"
#endif

#include "test.h"

#include "module.h"

#include <stdlib.h>
#include <unistd.h>

static char test_dir[64];

static inline int test_dir_make(void **state)
{
    (void)state;
    strcpy(test_dir, "/tmp/seerdb-test-XXXXXX");
    return mkdtemp(test_dir) != NULL ? 0 : -1;
}

static inline int test_dir_remove(void **state)
{
    char command[192];
    (void)state;
    snprintf(command, sizeof(command), "chmod -R u+w %s; rm -r %s", test_dir, test_dir);
    return system(command) == 0 ? 0 : -1;
}

/* name NULL: in memory. */
static inline sqlite3 *test_open(const char *name)
{
    char path[192], *message = NULL;
    sqlite3 *db = NULL;
    snprintf(path, sizeof(path), "%s/%s", test_dir, name != NULL ? name : "");
    assert_int_equal(sqlite3_open(name != NULL ? path : ":memory:", &db), SQLITE_OK);
    assert_int_equal(sqlite3_seerdb_init(db, &message, NULL), SQLITE_OK);
    sqlite3_extended_result_codes(db, 1);
    return db;
}

static inline void test_close(sqlite3 *db)
{
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

struct test_text {
    char text[8192];
    size_t n;
};

static inline void test_text_add(struct test_text *t, const char *s)
{
    size_t n = strlen(s);
    if (n >= sizeof(t->text) - t->n)
        n = sizeof(t->text) - t->n - 1;
    memcpy(t->text + t->n, s, n);
    t->n += n;
    t->text[t->n] = 0;
}

/* Append the rows that stmt still has. */
static inline int test_rows(sqlite3_stmt *stmt, struct test_text *out)
{
    int rc;
    while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        if (out->n > 0)
            test_text_add(out, " ");
        for (int i = 0; i < sqlite3_column_count(stmt); i++) {
            const unsigned char *s = sqlite3_column_text(stmt, i);
            test_text_add(out, i > 0 ? "|" : "");
            test_text_add(out, s != NULL ? (const char *)s : "NULL");
        }
    }
    return rc;
}

/* Run one or more statements; static text. */
static inline const char *test_sql(sqlite3 *db, const char *sql)
{
    static struct test_text out;
    char message[1024];
    int rc = SQLITE_OK;
    out.n = 0;
    out.text[0] = 0;
    while (rc == SQLITE_OK && *sql != 0) {
        sqlite3_stmt *stmt = NULL;
        rc = sqlite3_prepare_v2(db, sql, -1, &stmt, &sql);
        if (rc == SQLITE_OK && stmt != NULL &&
            (rc = test_rows(stmt, &out)) == SQLITE_DONE)
            rc = SQLITE_OK;
        if (rc != SQLITE_OK) {
            snprintf(message, sizeof(message), "%serror %d: %s", out.n > 0 ? " " : "",
                     sqlite3_extended_errcode(db), sqlite3_errmsg(db));
            test_text_add(&out, message);
        }
        sqlite3_finalize(stmt);
    }
    return out.text;
}

#define test_expect(db, sql, want) assert_string_equal(test_sql(db, sql), want)

/* The result contains a part: for messages with paths and process ids. */
static inline void test_expect_part(sqlite3 *db, const char *sql, const char *part)
{
    const char *got = test_sql(db, sql);
    if (strstr(got, part) == NULL)
        fail_msg("%s: \"%s\" is not in \"%s\"", sql, part, got);
}

/* A number of seerdb_stats. */
static inline double test_stat(sqlite3 *db, const char *table, const char *name)
{
    char sql[160];
    snprintf(sql, sizeof(sql), "SELECT value FROM seerdb_stats('%s') WHERE name = '%s'",
             table, name);
    return atof(test_sql(db, sql));
}

#endif
