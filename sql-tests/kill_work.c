/* SPDX-License-Identifier: Apache-2.0 */
#define _XOPEN_SOURCE 700
#include "kill.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* ---- the database ---------------------------------------------------------- */

void run(sqlite3 *db, const char *sql)
{
    char *message = NULL;
    if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK)
        fail(sql, message != NULL ? message : "failed");
}

static int wait_a_little(void *ctx, int tries)
{
    struct timespec ts = {0, 300000};
    (void)ctx;
    nanosleep(&ts, NULL);
    return tries < 30000;
}

static sqlite3 *open_database(const struct test *t)
{
    sqlite3 *db = NULL;
    char *message = NULL, sql[80];
    if (sqlite3_open(t->path, &db) != SQLITE_OK)
        fail(t->path, sqlite3_errmsg(db));
    sqlite3_busy_handler(db, wait_a_little, NULL);
    sqlite3_enable_load_extension(db, 1);
    if (sqlite3_load_extension(db, t->extension, NULL, &message) != SQLITE_OK)
        fail(t->extension, message);
    snprintf(sql, sizeof sql,
             "PRAGMA synchronous = %s; PRAGMA wal_autocheckpoint = 100", t->sync);
    run(db, sql);
    return db;
}

sqlite3 *open_first(const struct test *t)
{
    char sql[64];
    sqlite3 *db = open_database(t);
    snprintf(sql, sizeof sql, "PRAGMA journal_mode = %s", t->mode);
    run(db, sql);
    return db;
}

sqlite3_stmt *prepare(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *stmt = NULL;
    if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) != SQLITE_OK)
        fail(sql, sqlite3_errmsg(db));
    return stmt;
}

static void finish(sqlite3 *db, sqlite3_stmt *stmt)
{
    if (sqlite3_step(stmt) != SQLITE_DONE)
        fail(sqlite3_sql(stmt), sqlite3_errmsg(db));
    sqlite3_reset(stmt);
}

uint64_t number_of(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *stmt = prepare(db, sql);
    if (sqlite3_step(stmt) != SQLITE_ROW)
        fail(sql, sqlite3_errmsg(db));
    uint64_t n = (uint64_t)sqlite3_column_int64(stmt, 0);
    sqlite3_finalize(stmt);
    return n;
}

uint64_t last_of(sqlite3 *db)
{
    uint64_t ordinary = number_of(db, "SELECT coalesce(max(n), 0) FROM ou");
    uint64_t ours = number_of(db, "SELECT coalesce(max(n), 0) FROM u");
    if (ordinary != ours) {
        fprintf(stderr, "kill: ou is at transaction %llu, u at %llu\n",
                (unsigned long long)ordinary, (unsigned long long)ours);
        _exit(1);
    }
    return ours;
}

static enum third third_of(sqlite3 *db)
{
    return (enum third)number_of(
        db, "SELECT coalesce(sum(CASE name WHEN 'd' THEN 1 ELSE 2 END), 0) "
            "FROM sqlite_schema WHERE name IN ('d', 'e')");
}

void check_third(sqlite3 *db, uint64_t last)
{
    char sql[200];
    enum third is = third_of(db);
    const struct phase *p = phase_of(last);
    uint64_t base = last - last % CYCLE;
    if (is_change(last + 1) && phase_of(last + 1)->where == BEFORE &&
        is == phase_of(last + 1)->name)
        p = phase_of(last + 1);
    if (is != p->name)
        fail("d", "it is there and should not be, or the other way round, or renamed");
    if (is == NO_THIRD)
        return;
    uint64_t since = base + (uint64_t)p->since;
    snprintf(sql, sizeof sql,
             "SELECT count(*) - 1000 * count(CASE WHEN n BETWEEN %llu AND %llu AND "
             "v = 7 * n THEN NULL ELSE 1 END) FROM %s",
             (unsigned long long)since, (unsigned long long)last,
             is == THIRD_D ? "d" : "e");
    if (number_of(db, sql) != last + 1 - since)
        fail(is == THIRD_D ? "d" : "e", "not the rows of the transactions up to now");
}

/* ---- the child that writes and reads ----------------------------------------- */

/* Held for writing by the thread that changes d between two transactions. */
static pthread_rwlock_t between = PTHREAD_RWLOCK_INITIALIZER;

enum { OURS, ORDINARY, NSIDES };

struct writer {
    const struct test *test;
    int pipe;
    sqlite3 *db;
    sqlite3_stmt *ops[NSIDES][OP_KINDS];
};

static void bind_key(sqlite3_stmt *stmt, int i, int key)
{
    char text[16];
    snprintf(text, sizeof text, "key%d", key + 1000);
    sqlite3_bind_text(stmt, i, text, -1, SQLITE_TRANSIENT);
}

static void put(struct writer *w, sqlite3_stmt *stmt, int key, uint64_t n,
                uint64_t total)
{
    unsigned char payload[MAX_PAYLOAD];
    int size = payload_of(w->test, n, key, payload);
    bind_key(stmt, 1, key);
    sqlite3_bind_int64(stmt, 2, (sqlite3_int64)n);
    sqlite3_bind_blob(stmt, 3, payload, size, SQLITE_TRANSIENT);
    sqlite3_bind_int64(stmt, 4, sum_of(payload, size));
    if (sqlite3_bind_parameter_count(stmt) == 5)
        sqlite3_bind_int64(stmt, 5, (sqlite3_int64)total);
    finish(w->db, stmt);
}

static void apply(struct writer *w, int side, struct op op, uint64_t n)
{
    sqlite3_stmt *stmt = w->ops[side][op.kind];
    if (op.kind == OP_PUT || op.kind == OP_ADD) {
        put(w, stmt, op.key, n, op.kind == OP_PUT ? n : amount_of(n));
    } else if (op.kind == OP_DELETE) {
        bind_key(stmt, 1, op.key);
        finish(w->db, stmt);
    } else if (op.kind == OP_COUNT_RANGE) {
        bind_key(stmt, 1, op.key);
        bind_key(stmt, 2, op.to);
        sqlite3_bind_int64(stmt, 3, (sqlite3_int64)amount_of(n));
        finish(w->db, stmt);
    } else {
        for (int key = op.key; key <= op.to; key++)
            put(w, stmt, key, n, 0); /* no row, no change */
    }
}

static void change_numbers(struct writer *w, uint64_t n)
{
    char sql[300];
    unsigned long long i = n;
    long long gone = (long long)n - KEEP;
    enum third third = phase_of(n)->name;
    snprintf(sql, sizeof sql,
             "INSERT INTO u VALUES (%llu); DELETE FROM u WHERE n <= %lld;"
             "INSERT INTO ou VALUES (%llu); DELETE FROM ou WHERE n <= %lld",
             i, gone, i, gone);
    run(w->db, sql);
    snprintf(sql, sizeof sql, "INSERT INTO %s VALUES (%llu, 7 * %llu)",
             third == THIRD_D ? "d" : "e", i, i);
    if (third != NO_THIRD)
        run(w->db, sql);
}

/* Commit the next transaction; returns its number.  0: d must be changed before. Some
 * transactions run under savepoints, one of them rolled back. */
static uint64_t commit_next(struct writer *w)
{
    run(w->db, "BEGIN IMMEDIATE");
    uint64_t n = last_of(w->db) + 1;
    bool nested = n % 7 == 0, change = is_change(n);
    const struct phase *p = phase_of(n);
    if (change && p->where == BEFORE && third_of(w->db) != p->name) {
        run(w->db, "ROLLBACK");
        return 0;
    }
    if (nested)
        run(w->db, "SAVEPOINT a; DELETE FROM t; DELETE FROM u; DELETE FROM ot; "
                   "DELETE FROM ou; CREATE VIRTUAL TABLE x USING seerdb(k" SMALL "; "
                   "INSERT INTO x VALUES (1); ROLLBACK TO a");
    if (is_clear(n))
        run(w->db, n % 2 == 0 ? "DELETE FROM t; DELETE FROM ot"
                              : "SELECT seerdb('t', 'truncate'); DELETE FROM ot");
    for (int i = 0; i < op_count(w->test, n); i++)
        for (int side = 0; side < NSIDES; side++)
            apply(w, side, op_of(w->test, n, i), n);
    if (change && p->where == INSIDE)
        run(w->db, p->sql);
    change_numbers(w, n);
    run(w->db, nested ? "RELEASE a; COMMIT" : "COMMIT");
    return n;
}

/* Both threads may have seen that it is due: the second finds it done. */
static void change_between(sqlite3 *db)
{
    pthread_rwlock_wrlock(&between);
    uint64_t n = last_of(db) + 1;
    const struct phase *p = phase_of(n);
    if (is_change(n) && p->where == BEFORE && third_of(db) != p->name)
        run(db, p->sql);
    pthread_rwlock_unlock(&between);
}

static void prepare_side(struct writer *w, int side, const char *table)
{
    static const char *const statements[OP_KINDS] = {
        [OP_PUT] = "INSERT OR REPLACE INTO %s(k, seq, payload, sum, total) "
                   "VALUES (?1, ?2, ?3, ?4, ?5)",
        [OP_DELETE] = "DELETE FROM %s WHERE k = ?1",
        [OP_UPDATE_RANGE] =
            "UPDATE %s SET seq = ?2, payload = ?3, sum = ?4 WHERE k = ?1",
        [OP_COUNT_RANGE] = "UPDATE %s SET total = total + ?3 WHERE k BETWEEN ?1 AND ?2",
        [OP_ADD] = "INSERT INTO %s(k, seq, payload, sum, total, _op) "
                   "VALUES (?1, ?2, ?3, ?4, ?5, 'merge')",
    };
    static const char upsert[] =
        "INSERT INTO %s(k, seq, payload, sum, total) VALUES (?1, ?2, ?3, ?4, ?5) "
        "ON CONFLICT(k) DO UPDATE SET total = total + excluded.total";
    for (int i = 0; i < OP_KINDS; i++) {
        const char *sql = i == OP_ADD && side == ORDINARY ? upsert : statements[i];
        char *text = sqlite3_mprintf(sql, table);
        w->ops[side][i] = prepare(w->db, text);
        sqlite3_free(text);
    }
}

/* ---- snapshots --------------------------------------------------------------- */

/* One at a time takes and drops them, so that the parent hears of it in order. */
static pthread_mutex_t snapshots_mutex = PTHREAD_MUTEX_INITIALIZER;
static uint64_t snapshots_taken; /* by this process; guarded by it */

static void tell(const struct writer *w, uint64_t message)
{
    if (write(w->pipe, &message, sizeof message) != sizeof message)
        fail("pipe", strerror(errno));
}

uint64_t id_in(const char *name)
{
    const char *at = name != NULL ? strchr(name, '_') : NULL;
    uint64_t id = at != NULL ? strtoull(at + 1, NULL, 10) : MAX_IDS;
    if (id >= MAX_IDS)
        fail(name != NULL ? name : "seerdb_snapshots", "not one of our snapshots");
    return id;
}

/* BUSY: the commit that it would be of cannot be made durable just now. */
static void take_snapshot(struct writer *w)
{
    char sql[120];
    uint64_t id = w->test->round * 40 + snapshots_taken;
    if (snapshots_taken++ >= 40 || id >= MAX_IDS)
        return;
    run(w->db, "BEGIN");
    snprintf(sql, sizeof sql, "SELECT seerdb('t', 'snapshot', 's%llu_%llu')",
             (unsigned long long)last_of(w->db), (unsigned long long)id);
    int rc = sqlite3_exec(w->db, sql, NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        tell(w, TOLD(TAKEN, id));
    else if ((rc & 0xff) != SQLITE_BUSY)
        fail(sql, sqlite3_errmsg(w->db));
    run(w->db, "COMMIT");
}

static void drop_snapshot(struct writer *w)
{
    char sql[200];
    sqlite3_stmt *stmt = prepare(
        w->db, "SELECT name FROM seerdb_snapshots('t') ORDER BY random() LIMIT 1");
    if (sqlite3_step(stmt) != SQLITE_ROW)
        fail("seerdb_snapshots", sqlite3_errmsg(w->db));
    const char *name = (const char *)sqlite3_column_text(stmt, 0);
    uint64_t id = id_in(name);
    snprintf(sql, sizeof sql, "SELECT seerdb('t', 'drop_snapshot', '%s')", name);
    sqlite3_finalize(stmt);
    tell(w, TOLD(LEAVING, id));
    run(w->db, sql);
    tell(w, TOLD(DROPPED, id));
}

static void change_snapshots(struct writer *w)
{
    pthread_mutex_lock(&snapshots_mutex);
    if (number_of(w->db, "SELECT count(*) FROM seerdb_snapshots('t')") < SNAPSHOTS_KEPT)
        take_snapshot(w);
    else
        drop_snapshot(w);
    pthread_mutex_unlock(&snapshots_mutex);
}

static void *write_until_killed(void *arg)
{
    struct writer w = *(const struct writer *)arg;
    w.db = open_database(w.test);
    prepare_side(&w, OURS, "t");
    prepare_side(&w, ORDINARY, "ot");
    for (;;) {
        pthread_rwlock_rdlock(&between);
        uint64_t n = commit_next(&w);
        pthread_rwlock_unlock(&between);
        if (n == 0) {
            change_between(w.db);
            continue;
        }
        tell(&w, n);
        static const char *const works[] = {
            "SELECT seerdb('t', 'flush')", "SELECT seerdb('t', 'flush')",
            "SELECT seerdb('u', 'compact')", "SELECT seerdb('t', 'compact')",
            "SELECT seerdb('t', 'gc')"};
        struct sdb_rand r = rand_of(w.test, n, 3);
        if (sdb_rand_below(&r, 12) == 0)
            run(w.db, works[sdb_rand_below(&r, sizeof works / sizeof works[0])]);
        if (sdb_rand_below(&r, 3) == 0)
            change_snapshots(&w);
        if (n % 11 == 0)
            run(w.db, "BEGIN IMMEDIATE; DELETE FROM u; DELETE FROM ou; "
                      "CREATE VIRTUAL TABLE x USING seerdb(k" SMALL "; ROLLBACK");
    }
    return NULL;
}

#define SUMS(t)                                                                        \
    "(SELECT printf('%d %d %d %d', count(*), sum(seq), sum(sum % 10007), sum(total)) " \
    "FROM " t ")"

/* False: what the transaction sees is gone.  Of stores with as little memory as ours
 * have compactions keep little history, however young it is. */
static bool compare_sums(sqlite3 *db)
{
    static const char sql[] = "SELECT " SUMS("t") " IS NOT " SUMS("ot");
    sqlite3_stmt *stmt = prepare(db, sql);
    bool there = sqlite3_step(stmt) == SQLITE_ROW;
    if (!there && sqlite3_extended_errcode(db) != SQLITE_BUSY_SNAPSHOT)
        fail(sql, sqlite3_errmsg(db));
    if (there && sqlite3_column_int64(stmt, 0) != 0)
        fail("t", "differs from ot in a read transaction");
    sqlite3_finalize(stmt);
    return there;
}

/* Half of the time it is older than the last commits when it reads our tables. */
static void read_until_killed(const struct test *t)
{
    sqlite3 *db = open_database(t);
    struct sdb_rand r = rand_of(t, 0, 4);
    for (;;) {
        run(db, "BEGIN");
        uint64_t ordinary = number_of(db, "SELECT coalesce(max(n), 0) FROM ou");
        if (sdb_rand_below(&r, 2) == 0)
            sleep_us(sdb_rand_below(&r, 6000));
        if (last_of(db) != ordinary)
            fail("ou", "changed within a read transaction");
        if (compare_sums(db)) {
            check_third(db, ordinary);
            run(db, "COMMIT");
        } else {
            run(db, "ROLLBACK");
        }
        sleep_us(sdb_rand_below(&r, 3000));
    }
}

void run_until_killed(const struct test *t, int pipe)
{
    struct writer w = {.test = t, .pipe = pipe};
    pthread_t thread;
    sqlite3 *db = open_first(t);
    for (int i = 0; i < NWRITERS; i++)
        if (pthread_create(&thread, NULL, write_until_killed, &w) != 0)
            fail("pthread_create", "failed");
    read_until_killed(t);
    sqlite3_close(db);
}
