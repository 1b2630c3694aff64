/* SPDX-License-Identifier: Apache-2.0
 *
 * Databases on a VFS of another name, which passes everything on to SQLite's own and
 * counts the syncs. */
#define _DEFAULT_SOURCE
#include "foreground.h"

#include "test_pair.h"

#include <dirent.h>

/* ---- a VFS that passes everything on ------------------------------------------ */

enum kind { DATABASE, JOURNAL, OTHER, KINDS };

static int syncs[KINDS];
static enum kind fail_syncs_of = KINDS; /* KINDS: none fail */

struct shim_file {
    sqlite3_file base;
    enum kind kind;
    sqlite3_file *inner; /* in the memory behind this struct */
};

static sqlite3_file *inner(sqlite3_file *f)
{
    return ((struct shim_file *)f)->inner;
}

static int shim_close(sqlite3_file *f)
{
    return inner(f)->pMethods->xClose(inner(f));
}

static int shim_read(sqlite3_file *f, void *p, int n, sqlite3_int64 at)
{
    return inner(f)->pMethods->xRead(inner(f), p, n, at);
}

static int shim_write(sqlite3_file *f, const void *p, int n, sqlite3_int64 at)
{
    return inner(f)->pMethods->xWrite(inner(f), p, n, at);
}

static int shim_truncate(sqlite3_file *f, sqlite3_int64 size)
{
    return inner(f)->pMethods->xTruncate(inner(f), size);
}

static int shim_sync(sqlite3_file *f, int flags)
{
    enum kind kind = ((struct shim_file *)f)->kind;
    syncs[kind]++;
    return kind == fail_syncs_of ? SQLITE_IOERR_FSYNC
                                 : inner(f)->pMethods->xSync(inner(f), flags);
}

static int shim_size(sqlite3_file *f, sqlite3_int64 *size)
{
    return inner(f)->pMethods->xFileSize(inner(f), size);
}

static int shim_lock(sqlite3_file *f, int level)
{
    return inner(f)->pMethods->xLock(inner(f), level);
}

static int shim_unlock(sqlite3_file *f, int level)
{
    return inner(f)->pMethods->xUnlock(inner(f), level);
}

static int shim_reserved(sqlite3_file *f, int *out)
{
    return inner(f)->pMethods->xCheckReservedLock(inner(f), out);
}

static int shim_control(sqlite3_file *f, int op, void *arg)
{
    return inner(f)->pMethods->xFileControl(inner(f), op, arg);
}

static int shim_sector(sqlite3_file *f)
{
    return inner(f)->pMethods->xSectorSize(inner(f));
}

static int shim_characteristics(sqlite3_file *f)
{
    return inner(f)->pMethods->xDeviceCharacteristics(inner(f));
}

static int shim_shm_map(sqlite3_file *f, int page, int size, int extend,
                        void volatile **out)
{
    return inner(f)->pMethods->xShmMap(inner(f), page, size, extend, out);
}

static int shim_shm_lock(sqlite3_file *f, int offset, int n, int flags)
{
    return inner(f)->pMethods->xShmLock(inner(f), offset, n, flags);
}

static void shim_shm_barrier(sqlite3_file *f)
{
    inner(f)->pMethods->xShmBarrier(inner(f));
}

static int shim_shm_unmap(sqlite3_file *f, int delete)
{
    return inner(f)->pMethods->xShmUnmap(inner(f), delete);
}

static int shim_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *base, int flags,
                     int *out)
{
    static const sqlite3_io_methods methods = {
        .iVersion = 2,
        .xClose = shim_close,
        .xRead = shim_read,
        .xWrite = shim_write,
        .xTruncate = shim_truncate,
        .xSync = shim_sync,
        .xFileSize = shim_size,
        .xLock = shim_lock,
        .xUnlock = shim_unlock,
        .xCheckReservedLock = shim_reserved,
        .xFileControl = shim_control,
        .xSectorSize = shim_sector,
        .xDeviceCharacteristics = shim_characteristics,
        .xShmMap = shim_shm_map,
        .xShmLock = shim_shm_lock,
        .xShmBarrier = shim_shm_barrier,
        .xShmUnmap = shim_shm_unmap,
    };
    struct shim_file *f = (struct shim_file *)base;
    sqlite3_vfs *below = vfs->pAppData;
    f->inner = (sqlite3_file *)(f + 1);
    f->kind = (flags & SQLITE_OPEN_MAIN_DB) != 0                            ? DATABASE
              : (flags & (SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_WAL)) != 0 ? JOURNAL
                                                                            : OTHER;
    f->inner->pMethods = NULL;
    int rc = below->xOpen(below, name, f->inner, flags, out);
    f->base.pMethods = f->inner->pMethods != NULL ? &methods : NULL;
    return rc;
}

static sqlite3_vfs shim;

static void shim_register(void)
{
    sqlite3_vfs *unix_vfs = sqlite3_vfs_find(NULL);
    shim = *unix_vfs; /* its other methods ask nothing of the struct */
    shim.zName = "shim";
    shim.pAppData = unix_vfs;
    shim.szOsFile = (int)sizeof(struct shim_file) + unix_vfs->szOsFile;
    shim.xOpen = shim_open;
    assert_int_equal(sqlite3_vfs_register(&shim, 0), SQLITE_OK);
}

/* ---- databases on it ----------------------------------------------------------- */

static const char *const modes[] = {"wal", "delete", "truncate", "persist"};
enum { NMODES = sizeof(modes) / sizeof(modes[0]) };

static sqlite3 *open_on(const char *vfs, const char *name, const char *mode)
{
    char path[192], sql[500], *message = NULL;
    sqlite3 *db = NULL;
    snprintf(path, sizeof(path), "%s/%s", test_dir, name);
    assert_int_equal(
        sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, vfs),
        SQLITE_OK);
    assert_int_equal(sqlite3_seerdb_init(db, &message, NULL), SQLITE_OK);
    sqlite3_extended_result_codes(db, 1);
    snprintf(sql, sizeof(sql), "PRAGMA journal_mode = %s", mode);
    test_expect(db, sql, mode);
    if (strcmp(test_sql(db, "SELECT count(*) FROM sqlite_schema WHERE name = 't'"),
               "0") != 0)
        return db;
    snprintf(sql, sizeof(sql),
             "CREATE TABLE o(k INTEGER PRIMARY KEY, v);"
             "CREATE VIRTUAL TABLE t USING seerdb(k INTEGER PRIMARY KEY, v, "
             "path='%s-store', memory_limit='1MB', history=0);"
             "BEGIN; INSERT INTO o VALUES(1, 10), (2, 20);"
             "INSERT INTO t VALUES(1, 10), (2, 20); COMMIT",
             path);
    test_expect(db, sql, "");
    return db;
}

static sqlite3 *open_db(const char *name, const char *mode)
{
    return open_on("shim", name, mode);
}

#define ADD_ROWS                                                                       \
    "BEGIN; WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < " \
    "200) INSERT INTO t(v) SELECT 1000 FROM c; INSERT INTO o(v) VALUES(200000); "      \
    "COMMIT"

static void rows_get_to_tables_and_memory_stays_bounded(void **state)
{
    (void)state;
    for (int i = 0; i < NMODES; i++) {
        char name[32], want[64];
        snprintf(name, sizeof(name), "bounded-%s.db", modes[i]);
        sqlite3 *db = open_db(name, modes[i]);
        double most = 0;
        for (int n = 0; n < 200; n++) {
            test_expect(db, ADD_ROWS, "");
            double memory = test_stat(db, "t", "memtable_memory");
            most = memory > most ? memory : most;
        }
        assert_true(test_stat(db, "t", "tables") >= 2);
        /* Two that wait, one that is written, and a transaction: four of 256 KB. */
        if (most > 1.2e6)
            fail_msg("%s: memtables took %.0f bytes", modes[i], most);
        snprintf(want, sizeof(want), "40000030.0 40000030.0");
        test_expect(db, "SELECT total(v) FROM o; SELECT total(v) FROM t", want);
        test_close(db);
        db = open_db(name, modes[i]);
        test_expect(db, "SELECT total(v) FROM o; SELECT total(v) FROM t", want);
        test_close(db);
    }
}

static void a_flush_works_in_every_journal_mode(void **state)
{
    (void)state;
    for (int i = 0; i < NMODES; i++) {
        char name[32];
        snprintf(name, sizeof(name), "flush-%s.db", modes[i]);
        sqlite3 *db = open_db(name, modes[i]);
        test_expect_part(db, "SELECT seerdb('t', 'flush')", "flushed");
        assert_true(test_stat(db, "t", "tables") == 1);
        test_expect(db, "UPDATE t SET v = v + 1; UPDATE o SET v = v + 1", "");
        test_close(db);
        db = open_db(name, modes[i]); /* nobody has written yet */
        test_expect_part(db, "SELECT seerdb('t', 'flush')", "flushed");
        assert_true(test_stat(db, "t", "tables") == 2);
        /* A connection by paths: from here on either kind syncs for itself. */
        sqlite3 *other = open_on(NULL, name, modes[i]);
        test_expect(other, "UPDATE t SET v = v - 1; UPDATE o SET v = v - 1", "");
        test_expect_part(other, "SELECT seerdb('t', 'flush')", "flushed");
        test_expect_part(db, "SELECT seerdb('t', 'flush')", "flushed");
        test_expect(db, PAIR_SUMS, "2|30.0 2|30.0");
        test_close(other);
        test_close(db);
    }
}

/* What this transaction wrote is not decided, what was before it is. */
static void a_flush_inside_of_a_transaction(void **state)
{
    (void)state;
    sqlite3 *db = open_db("inside.db", "wal");
    test_expect(db, "BEGIN; UPDATE t SET v = v + 1; UPDATE o SET v = v + 1", "");
    test_expect_part(db, "SELECT seerdb('t', 'flush')", "flushed");
    assert_true(test_stat(db, "t", "tables") == 1);
    test_expect(db, "ROLLBACK; " PAIR_SUMS, "2|30.0 2|30.0");
    test_close(db);
    db = open_db("inside-delete.db", "delete");
    test_expect(db, "BEGIN; UPDATE t SET v = v + 1", "");
    test_expect_part(db, "SELECT seerdb('t', 'flush')", "error 5: ");
    test_expect_part(db, "SELECT seerdb('t', 'flush')",
                     "the next transaction that writes to the table");
    /* Once there is a journal to be synced, it works. */
    test_expect(db, "UPDATE o SET v = v + 1", "");
    test_expect_part(db, "SELECT seerdb('t', 'flush')", "flushed");
    test_expect(db, "COMMIT; " PAIR_SUMS, "2|32.0 2|32.0");
    test_close(db);
}

/* A flush that waits costs the next transaction one sync of each file, no other. */
static void only_a_transaction_that_a_flush_waits_for_syncs(void **state)
{
    (void)state;
    for (int i = 0; i < NMODES; i++) {
        char name[32];
        int plain[KINDS], helping[KINDS];
        snprintf(name, sizeof(name), "syncs-%s.db", modes[i]);
        sqlite3 *db = open_db(name, modes[i]);
        const char *update = "BEGIN; UPDATE t SET v = v + 1; UPDATE o SET v = v + 1; "
                             "COMMIT";
        test_expect(db, update, "");
        for (int round = 0; round < 3; round++) {
            memset(syncs, 0, sizeof(syncs));
            test_expect(db, update, "");
            memcpy(plain, syncs, sizeof(syncs));
            /* In a read transaction nothing can be settled: the flush goes on waiting.
             */
            sqlite3 *reader = open_db(name, modes[i]);
            test_expect(reader, "PRAGMA query_only = 1", "");
            test_expect_part(reader, "SELECT seerdb('t', 'flush')", "error 5: ");
            test_close(reader);
            double tables = test_stat(db, "t", "tables");
            memset(syncs, 0, sizeof(syncs));
            test_expect(db, update, "");
            memcpy(helping, syncs, sizeof(syncs));
            assert_int_equal(helping[DATABASE], plain[DATABASE] + 1);
            assert_int_equal(helping[JOURNAL], plain[JOURNAL] + 1);
            for (int n = 0; n < 2000 && test_stat(db, "t", "tables") == tables; n++)
                usleep(1000);
            assert_true(test_stat(db, "t", "tables") == tables + 1);
        }
        test_close(db);
    }
}

static void a_failed_sync_stops_flushes_but_no_transaction(void **state)
{
    (void)state;
    for (enum kind kind = DATABASE; kind <= JOURNAL; kind++) {
        char name[32];
        snprintf(name, sizeof(name), "fails-%d.db", (int)kind);
        /* At NORMAL a commit syncs nothing itself. */
        sqlite3 *db = open_db(name, "wal");
        test_expect(db, "PRAGMA synchronous = normal", "");
        fail_syncs_of = kind;
        test_expect_part(db, "SELECT seerdb('t', 'flush')", "a sync failed");
        fail_syncs_of = KINDS;
        test_expect_part(db, "SELECT seerdb('t', 'flush')", "a sync failed");
        test_expect(db, "BEGIN; UPDATE t SET v = v + 1; UPDATE o SET v = v + 1; COMMIT",
                    "");
        assert_true(test_stat(db, "t", "tables") == 0);
        test_close(db);
        db = open_db(name, "wal");
        test_expect_part(db, "SELECT seerdb('t', 'flush')", "flushed");
        test_expect(db, PAIR_SUMS, "2|32.0 2|32.0");
        test_close(db);
    }
}

static int count_tables(const char *name)
{
    char path[192];
    int n = 0;
    snprintf(path, sizeof(path), "%s/%s-store", test_dir, name);
    DIR *dir = opendir(path);
    assert_non_null(dir);
    for (struct dirent *e; (e = readdir(dir)) != NULL;)
        n += strstr(e->d_name, ".tbl") != NULL;
    closedir(dir);
    return n;
}

static void a_dropped_table_is_collected_in_every_journal_mode(void **state)
{
    (void)state;
    for (int i = 0; i < NMODES; i++) {
        char name[32], sql[300];
        snprintf(name, sizeof(name), "drop-%s.db", modes[i]);
        sqlite3 *db = open_db(name, modes[i]);
        snprintf(sql, sizeof(sql),
                 "CREATE VIRTUAL TABLE u USING seerdb(k, path='%s/%s-store');"
                 "INSERT INTO u VALUES(1)",
                 test_dir, name);
        test_expect(db, sql, "");
        test_expect_part(db, "SELECT seerdb('u', 'flush')", "flushed");
        assert_int_equal(count_tables(name), 1);
        test_expect(db, "DROP TABLE u", "");
        test_close(db);
        db = open_db(name, modes[i]);
        for (int n = 0; n < 100 && count_tables(name) > 0; n++) {
            test_expect(db, "INSERT INTO t(v) VALUES(0)", "");
            usleep(50000);
        }
        assert_int_equal(count_tables(name), 0);
        test_close(db);
    }
}

/* ---- dying ------------------------------------------------------------------------
 */

static const char *child_mode;
static int child_rounds;

static void die(void *ctx)
{
    int *left = ctx;
    if (--*left == 0)
        _exit(8);
}

/* Dies between SQLite's commit and ours, while flushes come and go. */
static void live_and_die(const char *name)
{
    int left = child_rounds;
    struct pair_bomb bomb = {.at_commit = die, .ctx = &left};
    sqlite3 *db = open_db(name, child_mode);
    pair_arm(db, &bomb);
    for (;;)
        test_sql(db, "BEGIN; INSERT INTO bomb VALUES(1); WITH RECURSIVE c(i) AS "
                     "(SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 500) INSERT "
                     "INTO t(v) SELECT 1000 FROM c; INSERT INTO o(v) VALUES(500000); "
                     "COMMIT");
}

static void a_crash_in_between_loses_nothing(void **state)
{
    (void)state;
    for (int i = 0; i < NMODES; i++) {
        char name[32], want[64];
        int total = 0;
        snprintf(name, sizeof(name), "dies-%s.db", modes[i]);
        child_mode = modes[i];
        test_close(open_db(name, child_mode));
        for (child_rounds = 2; child_rounds < 60; child_rounds += 9) {
            assert_int_equal(pair_child(live_and_die, name), 8);
            total += child_rounds;
            sqlite3 *db = open_db(name, child_mode);
            double sum = 500000.0 * total + 30;
            snprintf(want, sizeof(want), "%.1f %.1f", sum, sum);
            test_expect(db, "SELECT total(v) FROM o; SELECT total(v) FROM t", want);
            test_close(db);
        }
        sqlite3 *db = open_db(name, child_mode);
        assert_true(test_stat(db, "t", "tables") > 0);
        test_close(db);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_get_to_tables_and_memory_stays_bounded),
        cmocka_unit_test(a_flush_works_in_every_journal_mode),
        cmocka_unit_test(a_flush_inside_of_a_transaction),
        cmocka_unit_test(only_a_transaction_that_a_flush_waits_for_syncs),
        cmocka_unit_test(a_failed_sync_stops_flushes_but_no_transaction),
        cmocka_unit_test(a_dropped_table_is_collected_in_every_journal_mode),
        cmocka_unit_test(a_crash_in_between_loses_nothing),
    };
    shim_register();
    return cmocka_run_group_tests(tests, test_dir_make, test_dir_remove);
}
