/* SPDX-License-Identifier: Apache-2.0
 *
 * kill -- processes that write seerdb tables and ordinary ones die by SIGKILL; no
 * acknowledged commit is lost, and none is there by half or on one side only.
 *
 *     cc -O2 -I../engine -o kill kill.c -lsqlite3 -pthread
 *     ./kill [ROUNDS [SEED [WAL|DELETE]]]     default 100 rounds, seed 1, both in turn
 *
 * The extension is $SEERDB, default ./seerdb.  $SEERDB_POINTS, if given, is the same
 * with failpoints (engine/os/failpoint.h): every second writer has that one, and most
 * of these kill themselves at one of the points.  Speaks TAP: one test, all rounds, on
 * one database, synchronous FULL and NORMAL in turn.  A round: a child opens it and
 * commits transactions n+1, n+2, ... from NWRITERS connections in as many threads; what
 * transaction i does follows from the seed and i alone.  After each COMMIT the child
 * writes i to a pipe.  One more connection reads, in transactions, and demands that
 * what it sees agrees.  The parent kills the child after some milliseconds, often while
 * it still recovers from the last time, and a second child compares the tables with the
 * model. The parent itself never opens the database, so that nothing is inherited over
 * fork().
 *
 *     t(k TEXT PRIMARY KEY, seq, payload, sum)   rows come, change and go
 *     u(n INTEGER PRIMARY KEY)                   the latest KEEP transaction numbers
 *     ot, ou                                     the same, as SQLite's own tables
 *     d(n INTEGER PRIMARY KEY, v), at times e    made, renamed and dropped: see phases
 *
 * All of them are as after one and the same transaction, which is the last acknowledged
 * one or, for each writer at most one more, a later one. */
#define _XOPEN_SOURCE 700
#include "base/rand.h"
#include "os/failpoint.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { NKEYS = 400, KEEP = 100, MAX_PAYLOAD = 6000, NWRITERS = 2 };

struct test {
    uint64_t seed;
    uint64_t round;
    const char *mode, *sync; /* PRAGMA journal_mode and synchronous of this round */
    const char *extension;
    const char *points; /* the extension with failpoints; NULL: none */
    char dir[512], path[600];
};

/* The transaction that last wrote each key; 0: there is no such row. */
struct model {
    uint64_t last; /* transactions applied */
    uint64_t seq[NKEYS];
};

enum op_kind { OP_PUT, OP_DELETE, OP_UPDATE_RANGE };

struct op {
    enum op_kind kind;
    int key, to; /* to: of a range, inclusive */
};

static void fail(const char *what, const char *why)
{
    fprintf(stderr, "kill: %s: %s\n", what, why);
    _exit(1); /* other threads may be at work */
}

static void sleep_us(uint64_t us)
{
    struct timespec ts = {(time_t)(us / 1000000), (long)(us % 1000000) * 1000};
    while (nanosleep(&ts, &ts) != 0 && errno == EINTR)
        ;
}

/* ---- what transaction n does ----------------------------------------------- */

static struct sdb_rand rand_of(const struct test *t, uint64_t n, uint64_t salt)
{
    struct sdb_rand r = {t->seed * 0x9e3779b97f4a7c15u + n * 1000003u + salt};
    sdb_rand_next(&r);
    return r;
}

static int op_count(const struct test *t, uint64_t n)
{
    struct sdb_rand r = rand_of(t, n, 1);
    if (sdb_rand_below(&r, 40) == 0)
        return 600;
    return sdb_rand_below(&r, 20) == 0 ? 150 : 1 + (int)sdb_rand_below(&r, 12);
}

static struct op op_of(const struct test *t, uint64_t n, int i)
{
    struct sdb_rand r = rand_of(t, n, 2 + (uint64_t)i);
    struct op op = {.key = (int)sdb_rand_below(&r, NKEYS)};
    uint64_t dice = sdb_rand_below(&r, 10);
    op.kind = dice < 6 ? OP_PUT : dice < 8 ? OP_DELETE : OP_UPDATE_RANGE;
    op.to = op.key + 5 < NKEYS ? op.key + 5 : NKEYS - 1;
    return op;
}

/* The payload of a key as transaction n leaves it.  Returns its size. */
static int payload_of(const struct test *t, uint64_t n, int key, unsigned char *out)
{
    struct sdb_rand r = rand_of(t, n, 100000 + (uint64_t)key);
    int size = (int)sdb_rand_below(&r, sdb_rand_below(&r, 10) == 0 ? MAX_PAYLOAD : 200);
    for (int i = 0; i < size; i++)
        out[i] = (unsigned char)(sdb_rand_next(&r) & (i < size / 2 ? 0x0f : 0xff));
    return size;
}

static int64_t sum_of(const unsigned char *p, int size)
{
    uint64_t sum = 14695981039346656037u;
    for (int i = 0; i < size; i++)
        sum = (sum ^ p[i]) * 1099511628211u;
    return (int64_t)(sum >> 1);
}

static void model_apply(const struct test *t, struct model *m, uint64_t n)
{
    for (int i = 0; i < op_count(t, n); i++) {
        struct op op = op_of(t, n, i);
        if (op.kind == OP_PUT)
            m->seq[op.key] = n;
        else if (op.kind == OP_DELETE)
            m->seq[op.key] = 0;
        else
            for (int key = op.key; key <= op.to; key++)
                if (m->seq[key] != 0)
                    m->seq[key] = n;
    }
    m->last = n;
}

/* ---- the table that comes and goes ------------------------------------------- */

enum third { NO_THIRD, THIRD_D, THIRD_E };
enum where { INSIDE, BEFORE };

/* The least: memtables are flushed, and the larger transactions spill. */
#define SMALL ", memory_limit = '1MB')"

#define CREATE_D "CREATE VIRTUAL TABLE d USING seerdb(n INTEGER PRIMARY KEY, v" SMALL

/* From transaction n with n % CYCLE == from on, it is called `name` and holds a row for
 * every transaction since n % CYCLE == since.  `sql` makes it so, within that
 * transaction or before it, alone. */
static const struct phase {
    int from;
    enum third name;
    int since;
    enum where where;
    const char *sql;
} phases[] = {
    {0, NO_THIRD, 0, INSIDE, ""},
    {1, THIRD_D, 1, INSIDE, CREATE_D},
    {6, THIRD_E, 1, INSIDE, "UPDATE d SET v = v + 0; ALTER TABLE d RENAME TO e"},
    {9, THIRD_D, 1, BEFORE, "ALTER TABLE e RENAME TO d"},
    {12, THIRD_D, 12, INSIDE, "DROP TABLE d; " CREATE_D},
    {15, NO_THIRD, 0, BEFORE, "DROP TABLE d"},
    {17, THIRD_D, 17, BEFORE, CREATE_D},
    {20, NO_THIRD, 0, INSIDE, "DROP TABLE d"},
};
enum { NPHASES = sizeof phases / sizeof phases[0], CYCLE = 24 };

static const struct phase *phase_of(uint64_t n)
{
    int i = NPHASES - 1;
    while (phases[i].from > (int)(n % CYCLE))
        i--;
    return &phases[i];
}

/* Transaction n changes the table as phase_of(n) says. */
static bool is_change(uint64_t n)
{
    return phase_of(n)->from == (int)(n % CYCLE);
}

/* ---- the database ---------------------------------------------------------- */

static void run(sqlite3 *db, const char *sql)
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

/* The journal mode is the file's: only the first connection can change it. */
static sqlite3 *open_first(const struct test *t)
{
    char sql[64];
    sqlite3 *db = open_database(t);
    snprintf(sql, sizeof sql, "PRAGMA journal_mode = %s", t->mode);
    run(db, sql);
    return db;
}

static sqlite3_stmt *prepare(sqlite3 *db, const char *sql)
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

static uint64_t number_of(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *stmt = prepare(db, sql);
    if (sqlite3_step(stmt) != SQLITE_ROW)
        fail(sql, sqlite3_errmsg(db));
    uint64_t n = (uint64_t)sqlite3_column_int64(stmt, 0);
    sqlite3_finalize(stmt);
    return n;
}

/* The last committed transaction.  Requires: a transaction, or nobody else writes. */
static uint64_t last_of(sqlite3 *db)
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

/* d or e is as transaction `last` left it, or already changed for the next one. */
static void check_third(sqlite3 *db, uint64_t last)
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
    struct {
        sqlite3_stmt *put, *delete, *update;
    } side[NSIDES];
};

static void bind_key(sqlite3_stmt *stmt, int i, int key)
{
    char text[16];
    snprintf(text, sizeof text, "key%d", key + 1000);
    sqlite3_bind_text(stmt, i, text, -1, SQLITE_TRANSIENT);
}

static void put(struct writer *w, sqlite3_stmt *stmt, int key, uint64_t n)
{
    unsigned char payload[MAX_PAYLOAD];
    int size = payload_of(w->test, n, key, payload);
    bind_key(stmt, 1, key);
    sqlite3_bind_int64(stmt, 2, (sqlite3_int64)n);
    sqlite3_bind_blob(stmt, 3, payload, size, SQLITE_TRANSIENT);
    sqlite3_bind_int64(stmt, 4, sum_of(payload, size));
    finish(w->db, stmt);
}

static void apply(struct writer *w, int side, struct op op, uint64_t n)
{
    if (op.kind == OP_PUT) {
        put(w, w->side[side].put, op.key, n);
    } else if (op.kind == OP_DELETE) {
        bind_key(w->side[side].delete, 1, op.key);
        finish(w->db, w->side[side].delete);
    } else {
        for (int key = op.key; key <= op.to; key++)
            put(w, w->side[side].update, key, n); /* no row, no change */
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
    char sql[160];
    snprintf(sql, sizeof sql,
             "INSERT OR REPLACE INTO %s(k, seq, payload, sum) VALUES (?1, ?2, ?3, ?4)",
             table);
    w->side[side].put = prepare(w->db, sql);
    snprintf(sql, sizeof sql, "DELETE FROM %s WHERE k = ?1", table);
    w->side[side].delete = prepare(w->db, sql);
    snprintf(sql, sizeof sql,
             "UPDATE %s SET seq = ?2, payload = ?3, sum = ?4 WHERE k = ?1", table);
    w->side[side].update = prepare(w->db, sql);
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
        if (write(w.pipe, &n, sizeof n) != sizeof n)
            fail("pipe", strerror(errno));
        struct sdb_rand r = rand_of(w.test, n, 3);
        if (sdb_rand_below(&r, 40) == 0)
            run(w.db, sdb_rand_below(&r, 2) == 0 ? "SELECT seerdb('t', 'flush')"
                                                 : "SELECT seerdb('u', 'compact')");
        if (n % 11 == 0)
            run(w.db, "BEGIN IMMEDIATE; DELETE FROM u; DELETE FROM ou; "
                      "CREATE VIRTUAL TABLE x USING seerdb(k" SMALL "; ROLLBACK");
    }
    return NULL;
}

#define SUMS(t)                                                                        \
    "(SELECT printf('%d %d %d', count(*), sum(seq), sum(sum % 10007)) FROM " t ")"

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
        if (number_of(db, "SELECT " SUMS("t") " IS NOT " SUMS("ot")) != 0)
            fail("t", "differs from ot in a read transaction");
        check_third(db, ordinary);
        run(db, "COMMIT");
        sleep_us(sdb_rand_below(&r, 3000));
    }
}

static void run_until_killed(const struct test *t, int pipe)
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

/* ---- the child that looks -------------------------------------------------- */

static void check_row(const struct test *t, const struct model *m, sqlite3_stmt *stmt,
                      int key)
{
    unsigned char want[MAX_PAYLOAD];
    int size = payload_of(t, m->seq[key], key, want);
    const void *got = sqlite3_column_blob(stmt, 2);
    if ((uint64_t)sqlite3_column_int64(stmt, 1) != m->seq[key])
        fail((const char *)sqlite3_column_text(stmt, 0),
             "written by another transaction");
    if (sqlite3_column_bytes(stmt, 2) != size ||
        (size > 0 && memcmp(got, want, (size_t)size) != 0) ||
        sqlite3_column_int64(stmt, 3) != sum_of(want, size))
        fail((const char *)sqlite3_column_text(stmt, 0), "another payload");
}

static void check_rows(const struct test *t, const struct model *m, sqlite3 *db,
                       const char *table)
{
    char sql[80];
    snprintf(sql, sizeof sql, "SELECT k, seq, payload, sum FROM %s ORDER BY k", table);
    sqlite3_stmt *stmt = prepare(db, sql);
    int next = 0, rc;
    for (; (rc = sqlite3_step(stmt)) == SQLITE_ROW; next++) {
        const char *k = (const char *)sqlite3_column_text(stmt, 0);
        while (next < NKEYS && m->seq[next] == 0)
            next++;
        if (next == NKEYS || atoi(k + 3) - 1000 != next)
            fail(k, "a row that should not be there, or the one before it is missing");
        check_row(t, m, stmt, next);
    }
    while (next < NKEYS && m->seq[next] == 0)
        next++;
    if (rc != SQLITE_DONE)
        fail(table, sqlite3_errmsg(db));
    if (next != NKEYS)
        fail(table, "rows are missing at the end");
    sqlite3_finalize(stmt);
}

/* The table holds exactly the latest KEEP numbers. */
static void check_numbers(sqlite3 *db, uint64_t last, const char *table)
{
    char sql[80];
    snprintf(sql, sizeof sql, "SELECT n FROM %s ORDER BY n DESC", table);
    sqlite3_stmt *stmt = prepare(db, sql);
    uint64_t want = last;
    int rc;
    for (; (rc = sqlite3_step(stmt)) == SQLITE_ROW; want--)
        if ((uint64_t)sqlite3_column_int64(stmt, 0) != want)
            fail(table, "not the latest transaction numbers");
    if (rc != SQLITE_DONE)
        fail(table, sqlite3_errmsg(db));
    if (want != (last > KEEP ? last - KEEP : 0))
        fail(table, "too many or too few transaction numbers");
    sqlite3_finalize(stmt);
}

/* Answers through the pipe with the last transaction that is there. */
static void look(const struct test *t, const struct model *before,
                 uint64_t acknowledged, int pipe)
{
    struct model m = *before;
    sqlite3 *db = open_first(t);
    uint64_t last = last_of(db);
    if (last < acknowledged || last > acknowledged + NWRITERS) {
        fprintf(stderr, "kill: %llu was acknowledged last, %llu is there\n",
                (unsigned long long)acknowledged, (unsigned long long)last);
        exit(1);
    }
    while (m.last < last)
        model_apply(t, &m, m.last + 1);
    check_rows(t, &m, db, "t");
    check_rows(t, &m, db, "ot");
    check_numbers(db, last, "u");
    check_numbers(db, last, "ou");
    check_third(db, last);
    run(db, "SELECT seerdb('t', 'verify'); SELECT seerdb('u', 'verify')");
    if (number_of(db, "SELECT integrity_check = 'ok' FROM pragma_integrity_check") != 1)
        fail(t->path, "PRAGMA integrity_check finds it damaged");
    if (sqlite3_close(db) != SQLITE_OK)
        fprintf(stderr, "kill: sqlite3_close: %s\n", sqlite3_errmsg(db));
    if (write(pipe, &last, sizeof last) != sizeof last)
        fail("pipe", strerror(errno));
}

/* ---- the parent ------------------------------------------------------------ */

enum role { ROLE_SETUP, ROLE_WRITE, ROLE_LOOK };

/* Kill this process at a point, or at any one of many; in one of four not at all. */
static void arm(struct sdb_rand *r)
{
    static const char *const names[] = {
#define NAME_OF(name) #name,
        SDB_FAILPOINTS_OF(NAME_OF)
#undef NAME_OF
    };
    char plan[160];
    unsigned long long seed = sdb_rand_next(r);
    const char *name = names[sdb_rand_below(r, sizeof names / sizeof names[0])];
    uint64_t dice = sdb_rand_below(r, 4);
    if (dice == 0)
        return;
    if (dice == 1)
        snprintf(plan, sizeof plan, "actions=kill,at=%s,after=%d", name,
                 (int)sdb_rand_below(r, 6));
    else
        snprintf(plan, sizeof plan, "actions=kill%s,one_in=%d,seed=%llu",
                 dice == 2 ? "+delay" : "", 1 + (int)sdb_rand_below(r, 3000), seed);
    if (setenv("SEERDB_FAILPOINTS", plan, 1) != 0)
        fail("setenv", strerror(errno));
}

static pid_t start(const struct test *t, enum role role, const struct model *m,
                   uint64_t acknowledged, int *from_child)
{
    int ends[2];
    if (pipe(ends) != 0)
        fail("pipe", strerror(errno));
    pid_t pid = fork();
    if (pid < 0)
        fail("fork", strerror(errno));
    if (pid > 0) {
        close(ends[1]);
        *from_child = ends[0];
        return pid;
    }
    close(ends[0]);
    if (role == ROLE_SETUP) {
        sqlite3 *db = open_first(t);
        run(db, "CREATE VIRTUAL TABLE t USING seerdb(k TEXT PRIMARY KEY, seq INTEGER, "
                "payload BLOB, sum INTEGER" SMALL ";"
                "CREATE VIRTUAL TABLE u USING seerdb(n INTEGER PRIMARY KEY" SMALL ";"
                "CREATE TABLE ot(k TEXT PRIMARY KEY, seq INTEGER, payload BLOB, "
                "sum INTEGER); CREATE TABLE ou(n INTEGER PRIMARY KEY)");
        sqlite3_close(db);
    } else if (role == ROLE_WRITE) {
        struct test armed = *t;
        struct sdb_rand r = rand_of(t, t->round, 5);
        if (t->points != NULL && sdb_rand_below(&r, 2) == 0) {
            armed.extension = t->points;
            arm(&r);
        }
        run_until_killed(&armed, ends[1]);
    } else {
        look(t, m, acknowledged, ends[1]);
    }
    exit(0);
}

/* Read numbers until the child's end is closed; returns the largest, or `last`. */
static uint64_t drain(int from_child, uint64_t last)
{
    uint64_t n;
    while (read(from_child, &n, sizeof n) == (ssize_t)sizeof n)
        last = n > last ? n : last;
    close(from_child);
    return last;
}

static void wait_for(pid_t pid, bool killed, const struct test *t)
{
    int status = 0;
    if (waitpid(pid, &status, 0) != pid)
        fail("waitpid", strerror(errno));
    if (killed ? WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL
               : WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return;
    fprintf(stderr,
            "kill: the child ended with status %#x; seed %llu, %s, %s, left in %s\n",
            (unsigned)status, (unsigned long long)t->seed, t->mode, t->sync, t->dir);
    exit(1);
}

/* One round; m becomes what the database holds. Returns the number of acknowledged
 * commits. */
static uint64_t one_round(const struct test *t, struct model *m, struct sdb_rand *r,
                          uint64_t *unacknowledged)
{
    int from_child = -1;
    uint64_t acknowledged = m->last, first = 0;
    pid_t pid = start(t, ROLE_WRITE, NULL, 0, &from_child);
    /* One in three dies while it opens, the others some time after the first commit. */
    if (sdb_rand_below(r, 3) != 0 &&
        read(from_child, &first, sizeof first) == (ssize_t)sizeof first)
        acknowledged = first;
    sleep_us(1000 + sdb_rand_below(r, 99000));
    kill(pid, SIGKILL);
    acknowledged = drain(from_child, acknowledged);
    wait_for(pid, true, t);
    uint64_t count = acknowledged - m->last;

    pid = start(t, ROLE_LOOK, m, acknowledged, &from_child);
    uint64_t last = drain(from_child, 0);
    wait_for(pid, false, t);
    *unacknowledged += last - acknowledged;
    while (m->last < last)
        model_apply(t, m, m->last + 1);
    return count;
}

int main(int argc, char **argv)
{
    long rounds = argc > 1 ? atol(argv[1]) : 100;
    struct test t = {.seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 1};
    const char *mode = argc > 3 ? argv[3] : NULL;
    if (rounds <= 0 ||
        (mode != NULL && strcmp(mode, "WAL") != 0 && strcmp(mode, "DELETE") != 0)) {
        fprintf(stderr, "usage: kill [ROUNDS [SEED [WAL|DELETE]]]\n");
        return 2;
    }
    const char *tmp = getenv("TMPDIR");
    t.extension = getenv("SEERDB");
    if (t.extension == NULL)
        t.extension = "./seerdb";
    t.points = getenv("SEERDB_POINTS");
    snprintf(t.dir, sizeof t.dir, "%s/seerdb-kill.XXXXXX", tmp != NULL ? tmp : "/tmp");
    if (mkdtemp(t.dir) == NULL)
        fail(t.dir, strerror(errno));
    snprintf(t.path, sizeof t.path, "%s/kill.db", t.dir);

    struct sdb_rand r = {t.seed};
    struct model m = {0};
    uint64_t commits = 0, unacknowledged = 0;
    int from_child = -1;
    t.mode = mode != NULL ? mode : "WAL";
    t.sync = "FULL";
    pid_t pid = start(&t, ROLE_SETUP, NULL, 0, &from_child);
    drain(from_child, 0);
    wait_for(pid, false, &t);
    for (long round = 0; round < rounds; round++) {
        if (mode == NULL)
            t.mode = round % 2 == 0 ? "WAL" : "DELETE";
        t.round = (uint64_t)round;
        t.sync = round / 2 % 2 == 0 ? "FULL" : "NORMAL";
        commits += one_round(&t, &m, &r, &unacknowledged);
    }
    printf("ok 1 - %ld rounds: %llu acknowledged commits are all there, on both sides, "
           "%llu more are whole\n1..1\n",
           rounds, (unsigned long long)commits, (unsigned long long)unacknowledged);
    char command[600];
    snprintf(command, sizeof command, "rm -rf '%s'", t.dir);
    return system(command) == 0 ? 0 : 1;
}
