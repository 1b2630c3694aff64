/* SPDX-License-Identifier: Apache-2.0
 *
 * Processes that open a database, write a few large values and go. */
#define _DEFAULT_SOURCE
#include "module.h"

#include "test_sql.h"

#include <dirent.h>

enum { SESSIONS = 40 };

static int count_value_files(const char *name)
{
    char path[192];
    int n = 0;
    snprintf(path, sizeof(path), "%s/%s-seerdb", test_dir, name);
    DIR *dir = opendir(path);
    assert_non_null(dir);
    for (struct dirent *e; (e = readdir(dir)) != NULL;)
        n += strstr(e->d_name, ".vlg") != NULL;
    closedir(dir);
    return n;
}

/* Values are made from their keys, so that SQL can say whether they are right. */
static void run_session(int i)
{
    char sql[512];
    sqlite3 *db = test_open("many.db");
    test_expect(db, "PRAGMA synchronous = OFF", "");
    if (i == 0)
        test_expect(db,
                    "CREATE VIRTUAL TABLE a USING seerdb(k INTEGER PRIMARY KEY, v, n);"
                    "CREATE VIRTUAL TABLE b USING seerdb(k INTEGER PRIMARY KEY, v, n)",
                    "");
    snprintf(sql, sizeof(sql),
             "WITH s(value) AS (VALUES (%d), (%d), (%d)) INSERT INTO %s "
             "SELECT value, printf('%%.*c%%d', 5000 + value, 'x', value), 0 FROM s",
             3 * i, 3 * i + 1, 3 * i + 2, i % 2 == 0 ? "a" : "b");
    test_expect(db, sql, "");
    if (i % 10 == 7) /* keeps the values where they are */
        test_expect(db, "UPDATE a SET n = n + 1", "");
    if (i % 20 == 13)
        test_expect(db, "SELECT seerdb('a', 'flush') LIKE 'flushed%'", "1");
    if (i % 30 == 17)
        test_expect(
            db, "DELETE FROM b WHERE k % 6 = 4; SELECT seerdb('b', 'gc') IS NULL", "0");
    test_close(db);
}

static void many_short_sessions_leave_few_files_of_values(void **state)
{
    (void)state;
    for (int i = 0; i < SESSIONS; i++)
        run_session(i);
    sqlite3 *db = test_open("many.db");
    test_expect(db,
                "SELECT count(*), sum(n), sum(v = printf('%.*c%d', 5000 + k, 'x', k)) "
                "FROM a",
                "60|138|60");
    test_expect(db,
                "SELECT count(*), min(k % 6 <> 4), "
                "sum(v = printf('%.*c%d', 5000 + k, 'x', k)) FROM b WHERE k < 54",
                "18|1|18");
    test_expect(db,
                "SELECT seerdb('a', 'verify') LIKE '%no damage', "
                "seerdb('b', 'verify') LIKE '%no damage'",
                "1|1");
    /* One of each table; one more of each that gc wrote again, and that nobody goes on
     * with in that session. */
    assert_in_range(count_value_files("many.db"), 2, 4);
    test_close(db);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_short_sessions_leave_few_files_of_values),
    };
    return cmocka_run_group_tests(tests, test_dir_make, test_dir_remove);
}
