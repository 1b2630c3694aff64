/* SPDX-License-Identifier: Apache-2.0 */
#define _DEFAULT_SOURCE
#include "decider.h"

#include "test_pair.h"

#include <fcntl.h>
#include <sys/stat.h>

struct files {
    char path[128], wal[136], journal[140];
    struct svt_database names;
};

static void put(const char *path)
{
    int fd = open(path, O_CREAT | O_RDWR, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "x", 1), 1);
    close(fd);
}

static void files_make(struct files *f, const char *name)
{
    snprintf(f->path, sizeof(f->path), "%s/%s", test_dir, name);
    snprintf(f->wal, sizeof(f->wal), "%s-wal", f->path);
    snprintf(f->journal, sizeof(f->journal), "%s-journal", f->path);
    f->names = (struct svt_database){f->path, f->wal, f->journal, NULL};
    put(f->path);
}

static const seerdb_uuid owner = {{1, 2, 3}};

static void rule_6_a_missing_file_counts_only_beside_its_database(void **state)
{
    struct files f;
    struct svt_decider *d = NULL;
    seerdb_err err = {0};
    char away[160];
    (void)state;
    files_make(&f, "missing");
    snprintf(away, sizeof(away), "%s.away", f.path);
    assert_int_equal(svt_decider_new(&owner, &f.names, &d), SQLITE_OK);
    seerdb_uuid id = svt_decider_owner(d);
    assert_memory_equal(&id, &owner, sizeof(id));
    test_ok(svt_decider_sync(d, 1, &err), &err);
    put(f.wal);
    put(f.journal);
    test_ok(svt_decider_sync(d, 1, &err), &err);
    assert_int_equal(rename(f.path, away), 0);
    test_ok(svt_decider_sync(d, 1, &err), &err); /* both are there */
    assert_int_equal(unlink(f.wal), 0);
    test_fails(svt_decider_sync(d, 1, &err), SEERDB_CANTOPEN, &err);
    put(f.path); /* another file under the name */
    test_fails(svt_decider_sync(d, 1, &err), SEERDB_CANTOPEN, &err);
    assert_int_equal(rename(away, f.path), 0);
    test_ok(svt_decider_sync(d, 1, &err), &err);
    svt_decider_free(d);
    svt_decider_free(NULL);
}

static void rule_6_a_failed_sync_stops_flushes_for_good(void **state)
{
    struct files f;
    struct svt_decider *d = NULL;
    seerdb_err err = {0};
    (void)state;
    files_make(&f, "fails");
    assert_int_equal(symlink("/dev/null", f.wal), 0); /* cannot be synced: EINVAL */
    assert_int_equal(svt_decider_new(&owner, &f.names, &d), SQLITE_OK);
    test_fails(svt_decider_sync(d, 1, &err), SEERDB_IOERR, &err);
    assert_int_equal(unlink(f.wal), 0);
    put(f.wal);
    test_fails(svt_decider_sync(d, 1, &err), SEERDB_IOERR, &err);
    svt_decider_free(d);
}

static int descriptors(void)
{
    int n = 0;
    for (int fd = 0; fd < 256; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

static void rule_6_one_descriptor_is_kept_and_follows_the_wal(void **state)
{
    struct files f;
    struct svt_decider *d = NULL;
    seerdb_err err = {0};
    (void)state;
    files_make(&f, "kept");
    int before = descriptors();
    assert_int_equal(svt_decider_new(&owner, &f.names, &d), SQLITE_OK);
    svt_decider_watch(d);
    assert_int_equal(descriptors(), before);
    put(f.wal);
    svt_decider_watch(d);
    assert_int_equal(descriptors(), before + 1);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(unlink(f.wal), 0);
        put(f.wal);
        test_ok(svt_decider_sync(d, 1, &err), &err);
        assert_int_equal(descriptors(), before + 1);
    }
    svt_decider_free(d);
    assert_int_equal(descriptors(), before);
}

static void rule_18_a_copy_is_told_from_a_move(void **state)
{
    struct files f, copy, moved;
    struct svt_decider *d = NULL;
    seerdb_err err = {0};
    char *message = NULL;
    (void)state;
    files_make(&f, "first");
    files_make(&copy, "copy");
    files_make(&moved, "moved");
    assert_int_equal(svt_decider_new(&owner, &f.names, &d), SQLITE_OK);
    assert_int_equal(svt_decider_meet(d, &f.names, "main.t", &message), SQLITE_OK);
    assert_int_equal(svt_decider_meet(d, &copy.names, "main.t", &message),
                     SQLITE_ERROR);
    assert_non_null(strstr(message, f.path));
    assert_non_null(strstr(message, copy.path));
    assert_int_equal(rename(f.path, moved.path), 0);
    assert_int_equal(svt_decider_meet(d, &moved.names, "main.t", &message), SQLITE_OK);
    test_ok(svt_decider_sync(d, 1, &err), &err);
    assert_int_equal(unlink(moved.path), 0); /* gone: the copy is all there is */
    assert_int_equal(svt_decider_meet(d, &copy.names, "main.t", &message), SQLITE_OK);
    test_ok(svt_decider_sync(d, 1, &err), &err);
    sqlite3_free(message);
    svt_decider_free(d);
}

/* ---- with a store ------------------------------------------------------------- */

static int asked;
static bool willing;
static char asked_path[160];

static int decide(const struct svt_database *file, seerdb_err *err)
{
    asked++;
    snprintf(asked_path, sizeof(asked_path), "%s", file->path);
    if (willing)
        return SEERDB_OK;
    err->code = SEERDB_IOERR;
    snprintf(err->msg, sizeof(err->msg), "not today");
    return SEERDB_IOERR;
}

static void rule_6_no_commit_goes_to_tables_before_its_decision(void **state)
{
    char path[160];
    (void)state;
    svt_decider_use(decide);
    sqlite3 *db = pair_open("decide.db", "wal");
    snprintf(path, sizeof(path), "%s/decide.db", test_dir);
    willing = false;
    asked = 0;
    test_expect_part(db, "SELECT seerdb('t', 'flush')", "not today");
    assert_true(asked > 0);
    assert_string_equal(asked_path, path);
    test_expect(db, "SELECT value FROM seerdb_stats('t') WHERE name = 'tables'", "0.0");
    test_expect(db, "UPDATE t SET v = v + 1; UPDATE o SET v = v + 1; " PAIR_SUMS,
                "2|32.0 2|32.0");
    willing = true;
    test_expect_part(db, "SELECT seerdb('t', 'flush')", "flushed");
    test_expect(db, "SELECT value > 0 FROM seerdb_stats('t') WHERE name = 'tables'",
                "1");
    test_expect(db, PAIR_SUMS, "2|32.0 2|32.0");
    test_close(db);
    svt_decider_use(NULL);
}

static void rule_6_a_flush_works_in_every_journal_mode(void **state)
{
    static const char *const modes[] = {"wal", "delete", "truncate", "persist"};
    (void)state;
    for (int i = 0; i < 4; i++) {
        char name[32];
        snprintf(name, sizeof(name), "flush-%s.db", modes[i]);
        sqlite3 *db = pair_open(name, modes[i]);
        test_expect_part(db, "SELECT seerdb('t', 'flush')", "flushed");
        test_expect(db, "UPDATE t SET v = v + 1", "");
        test_close(db);
        db = pair_open(name, modes[i]); /* nobody has written yet */
        test_expect_part(db, "SELECT seerdb('t', 'flush')", "flushed");
        test_expect(db, "SELECT total(v) FROM t", "32.0");
        test_close(db);
    }
}

static int try_to_write(const char *name)
{
    char path[160];
    sqlite3 *db = NULL;
    snprintf(path, sizeof(path), "%s/%s", test_dir, name);
    sqlite3_open(path, &db);
    int rc = sqlite3_exec(db, "UPDATE o SET v = 0", NULL, NULL, NULL);
    sqlite3_close(db);
    return rc;
}

/* A child, forked while nothing is open, writes when it is told. */
static void rule_6_the_flush_leaves_sqlites_locks_alone(void **state)
{
    static const char *const modes[] = {"wal", "delete"};
    (void)state;
    for (int i = 0; i < 2; i++) {
        char name[32], byte = 0;
        int go[2], status = 0;
        snprintf(name, sizeof(name), "locks-%s.db", modes[i]);
        test_close(pair_open(name, modes[i]));
        assert_int_equal(pipe(go), 0);
        pid_t pid = fork();
        if (pid == 0) {
            if (read(go[0], &byte, 1) != 1)
                _exit(99);
            _exit(try_to_write(name));
        }
        sqlite3 *a = pair_open(name, modes[i]), *b = pair_open(name, modes[i]);
        test_expect(
            a, "UPDATE t SET v = v + 1; BEGIN IMMEDIATE; UPDATE o SET v = v + 1", "");
        test_expect_part(b, "SELECT seerdb('t', 'flush')", "flushed");
        assert_int_equal(write(go[1], "x", 1), 1);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(WEXITSTATUS(status), SQLITE_BUSY);
        test_expect(a, "COMMIT; " PAIR_SUMS, "2|32.0 2|32.0");
        test_close(a);
        test_close(b);
        close(go[0]);
        close(go[1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rule_6_a_missing_file_counts_only_beside_its_database),
        cmocka_unit_test(rule_6_a_failed_sync_stops_flushes_for_good),
        cmocka_unit_test(rule_6_one_descriptor_is_kept_and_follows_the_wal),
        cmocka_unit_test(rule_18_a_copy_is_told_from_a_move),
        cmocka_unit_test(rule_6_no_commit_goes_to_tables_before_its_decision),
        cmocka_unit_test(rule_6_a_flush_works_in_every_journal_mode),
        cmocka_unit_test(rule_6_the_flush_leaves_sqlites_locks_alone),
    };
    return cmocka_run_group_tests(tests, test_dir_make, test_dir_remove);
}
