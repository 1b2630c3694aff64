/* SPDX-License-Identifier: Apache-2.0
 *
 * Checks of seerdb_health that need a failing disk, and going on after it. */
#define _DEFAULT_SOURCE
#include "health.h"

#include "os/faultfs.h"
#include "test_sql.h"

#include <errno.h>

#define FAILURES                                                                       \
    "SELECT state, detail, remedy FROM seerdb_health('t') WHERE \"check\" = "          \
    "'failures'"
#define RESUME "SELECT seerdb('t', 'resume')"

static struct sdb_fs *disk;

static int setup(void **state)
{
    disk = sdb_faultfs_new(sdb_fs_local());
    svt_handles_use_fs(disk);
    return test_dir_make(state);
}

static int teardown(void **state)
{
    svt_handles_use_fs(NULL);
    sdb_faultfs_free(disk);
    return test_dir_remove(state);
}

static void fault(unsigned ops, const char *match, uint64_t times, int error)
{
    if (times == 0)
        sdb_faultfs_arm(disk, &(struct sdb_fault){0});
    else
        sdb_faultfs_arm(
            disk, &(struct sdb_fault){
                      .ops = ops, .match = match, .times = times, .error = error});
}

static sqlite3 *start(const char *name, const char *synchronous)
{
    char sql[64];
    sqlite3 *db = test_open(name);
    snprintf(sql, sizeof sql, "PRAGMA synchronous = %s", synchronous);
    test_expect(db, "PRAGMA journal_mode = wal", "wal");
    test_expect(db, sql, "");
    test_expect(db,
                "CREATE TABLE o(k); CREATE VIRTUAL TABLE t USING seerdb(k INTEGER "
                "PRIMARY KEY, v); INSERT INTO t VALUES(1, 'one')",
                "");
    return db;
}

static void expect_error(sqlite3 *db, const char *sql, int code, const char *part)
{
    const char *answer = test_sql(db, sql);
    char prefix[32];
    snprintf(prefix, sizeof prefix, "error %d:", code);
    if (strncmp(answer, prefix, strlen(prefix)) != 0 || strstr(answer, part) == NULL)
        fail_msg("%s: %s", sql, answer);
}

static void a_failed_log_is_told_and_resumed(void **state)
{
    static const struct {
        unsigned ops;
        const char *synchronous;
    } cases[] = {{SDB_FAULT_SYNC, "full"},
                 {SDB_FAULT_WRITE, "full"},
                 {SDB_FAULT_WRITE, "normal"}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char name[16];
        snprintf(name, sizeof name, "log%zu.db", i);
        sqlite3 *db = start(name, cases[i].synchronous);
        fault(cases[i].ops, ".log", UINT64_MAX, EIO);
        expect_error(db,
                     "BEGIN; INSERT INTO o VALUES(2); INSERT INTO t VALUES(2, 'two'); "
                     "COMMIT",
                     SQLITE_IOERR, ".log");
        test_sql(db, "ROLLBACK");
        test_expect_part(db, FAILURES, "error|writes are refused: ");
        test_expect_part(db, FAILURES,
                         "cure the cause, then SELECT seerdb('main.t', "
                         "'resume')");
        expect_error(db, "INSERT INTO t VALUES(3, 'three')", SQLITE_IOERR,
                     "earlier failure");
        fault(cases[i].ops, ".free", UINT64_MAX, EIO); /* the new file's first name */
        expect_error(db, RESUME, SQLITE_IOERR, ".free");
        expect_error(db, "INSERT INTO t VALUES(3, 'three')", SQLITE_IOERR,
                     "earlier failure");
        fault(0, NULL, 0, 0);
        test_expect_part(db, RESUME, "resumed main.t: what had failed is done");
        test_expect(db, FAILURES, "ok||");
        test_expect_part(db, RESUME, "nothing to resume for main.t");
        test_expect(db,
                    "BEGIN; INSERT INTO o VALUES(4); INSERT INTO t VALUES(4, 'four');"
                    "COMMIT; SELECT k FROM t; SELECT k FROM o",
                    "1 4 4");
        test_close(db);
        db = test_open(name);
        test_expect(db, "SELECT k, v FROM t; SELECT k FROM o", "1|one 4|four 4");
        test_close(db);
    }
}

static void a_failed_manifest_needs_a_new_start(void **state)
{
    (void)state;
    sqlite3 *db = start("manifest.db", "full");
    fault(SDB_FAULT_SYNC, ".man", 1, EIO);
    expect_error(db, "SELECT seerdb('t', 'flush')", SQLITE_IOERR, ".man");
    fault(0, NULL, 0, 0);
    test_expect_part(db, FAILURES, "open it again");
    expect_error(db, RESUME, SQLITE_READONLY, "close the database everywhere");
    test_expect(db, "SELECT k FROM t", "1");
    test_close(db);
    db = test_open("manifest.db");
    test_expect(db, FAILURES, "ok||");
    test_expect(db, "INSERT INTO t VALUES(2, 'two'); SELECT k FROM t", "1 2");
    test_close(db);
}

static void a_full_disk_is_a_warning_while_writes_go_on(void **state)
{
    (void)state;
    sqlite3 *db = start("full.db", "full");
    fault(SDB_FAULT_WRITE, ".tbl", UINT64_MAX, ENOSPC);
    expect_error(db, "SELECT seerdb('t', 'flush')", SQLITE_FULL, ".tbl");
    test_expect_part(db, FAILURES, "warning|background work waits and tries again: ");
    test_expect(db, "INSERT INTO t VALUES(2, 'two')", "");
    fault(0, NULL, 0, 0);
    const char *answer = test_sql(db, RESUME);
    if (strncmp(answer, "resumed", 7) != 0 && strncmp(answer, "nothing", 7) != 0)
        fail_msg("%s", answer); /* it may have been tried meanwhile */
    test_expect(db, FAILURES, "ok||");
    test_expect(db, "SELECT k FROM t", "1 2");
    test_close(db);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_failed_log_is_told_and_resumed),
        cmocka_unit_test(a_failed_manifest_needs_a_new_start),
        cmocka_unit_test(a_full_disk_is_a_warning_while_writes_go_on),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
