/* SPDX-License-Identifier: Apache-2.0
 *
 * kill -- processes that write seerdb tables die by SIGKILL; no acknowledged commit is
 * lost, and none is there by half.
 *
 *     cc -O2 -o kill kill.c -lsqlite3
 *     ./kill [ROUNDS [SEED [WAL|DELETE]]]     default 100 rounds, seed 1, both in turn
 *
 * The extension is $SEERDB, default ./seerdb.  Speaks TAP: one test, all rounds, on one
 * database.  A round: a child opens it and commits transactions n+1, n+2, ...; what
 * transaction i does follows from the seed and i alone.  After each COMMIT the child
 * writes i to a pipe.  The parent kills it after some milliseconds, often while it
 * still recovers from the last time, and a second child compares the tables with the
 * model. The parent itself never opens the database, so that nothing is inherited over
 * fork().
 *
 *     t(k TEXT PRIMARY KEY, seq, payload, sum)   rows come, change and go
 *     u(n INTEGER PRIMARY KEY)                   the latest KEEP transaction numbers
 *
 * Both tables are of one store: a commit holds for both. */
#define _XOPEN_SOURCE 700
#include "../engine/base/rand.h"

#include <errno.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { NKEYS = 400, KEEP = 100, MAX_PAYLOAD = 6000 };

struct test {
    uint64_t seed;
    const char *mode; /* journal mode of this round */
    const char *extension;
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
    exit(1);
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

/* ---- the database ---------------------------------------------------------- */

static void run(sqlite3 *db, const char *sql)
{
    char *message = NULL;
    if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK)
        fail(sql, message != NULL ? message : "failed");
}

static sqlite3 *open_database(const struct test *t)
{
    sqlite3 *db = NULL;
    char *message = NULL;
    if (sqlite3_open(t->path, &db) != SQLITE_OK)
        fail(t->path, sqlite3_errmsg(db));
    sqlite3_busy_timeout(db, 10000);
    sqlite3_enable_load_extension(db, 1);
    if (sqlite3_load_extension(db, t->extension, NULL, &message) != SQLITE_OK)
        fail(t->extension, message);
    char sql[64];
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

/* The last committed transaction. */
static uint64_t last_of(sqlite3 *db)
{
    sqlite3_stmt *stmt = prepare(db, "SELECT coalesce(max(n), 0) FROM u");
    if (sqlite3_step(stmt) != SQLITE_ROW)
        fail("max(n)", sqlite3_errmsg(db));
    uint64_t n = (uint64_t)sqlite3_column_int64(stmt, 0);
    sqlite3_finalize(stmt);
    return n;
}

/* ---- the child that writes ------------------------------------------------- */

struct writer {
    const struct test *test;
    sqlite3 *db;
    sqlite3_stmt *put, *delete, *update;
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

static void apply(struct writer *w, struct op op, uint64_t n)
{
    if (op.kind == OP_PUT) {
        put(w, w->put, op.key, n);
    } else if (op.kind == OP_DELETE) {
        bind_key(w->delete, 1, op.key);
        finish(w->db, w->delete);
    } else {
        for (int key = op.key; key <= op.to; key++)
            put(w, w->update, key, n); /* no row, no change */
    }
}

/* Some transactions run under savepoints, one of them rolled back. */
static void commit_one(struct writer *w, uint64_t n)
{
    char sql[200];
    bool nested = n % 7 == 0;
    run(w->db, "BEGIN");
    if (nested)
        run(w->db, "SAVEPOINT a; DELETE FROM t; DELETE FROM u; ROLLBACK TO a");
    for (int i = 0; i < op_count(w->test, n); i++)
        apply(w, op_of(w->test, n, i), n);
    snprintf(sql, sizeof sql,
             "INSERT INTO u VALUES (%llu); DELETE FROM u WHERE n <= %lld",
             (unsigned long long)n, (long long)n - KEEP);
    run(w->db, sql);
    run(w->db, nested ? "RELEASE a; COMMIT" : "COMMIT");
}

static void write_until_killed(const struct test *t, int pipe)
{
    struct writer w = {.test = t, .db = open_database(t)};
    w.put = prepare(w.db, "INSERT OR REPLACE INTO t(k, seq, payload, sum) "
                          "VALUES (?1, ?2, ?3, ?4)");
    w.delete = prepare(w.db, "DELETE FROM t WHERE k = ?1");
    w.update =
        prepare(w.db, "UPDATE t SET seq = ?2, payload = ?3, sum = ?4 WHERE k = ?1");
    for (uint64_t n = last_of(w.db) + 1;; n++) {
        struct sdb_rand r = rand_of(t, n, 3);
        commit_one(&w, n);
        if (write(pipe, &n, sizeof n) != sizeof n)
            fail("pipe", strerror(errno));
        if (sdb_rand_below(&r, 40) == 0)
            run(w.db, sdb_rand_below(&r, 2) == 0 ? "SELECT seerdb('t', 'flush')"
                                                 : "SELECT seerdb('u', 'flush')");
    }
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

static void check_rows(const struct test *t, const struct model *m, sqlite3 *db)
{
    sqlite3_stmt *stmt = prepare(db, "SELECT k, seq, payload, sum FROM t ORDER BY k");
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
        fail("SELECT FROM t", sqlite3_errmsg(db));
    if (next != NKEYS)
        fail("t", "rows are missing at the end");
    sqlite3_finalize(stmt);
}

/* u holds exactly the latest KEEP numbers. */
static void check_numbers(sqlite3 *db, uint64_t last)
{
    sqlite3_stmt *stmt = prepare(db, "SELECT n FROM u ORDER BY n DESC");
    uint64_t want = last;
    int rc;
    for (; (rc = sqlite3_step(stmt)) == SQLITE_ROW; want--)
        if ((uint64_t)sqlite3_column_int64(stmt, 0) != want)
            fail("u", "not the latest transaction numbers");
    if (rc != SQLITE_DONE)
        fail("SELECT FROM u", sqlite3_errmsg(db));
    if (want != (last > KEEP ? last - KEEP : 0))
        fail("u", "too many or too few transaction numbers");
    sqlite3_finalize(stmt);
}

/* Answers through the pipe with the last transaction that is there. */
static void look(const struct test *t, const struct model *before,
                 uint64_t acknowledged, int pipe)
{
    struct model m = *before;
    sqlite3 *db = open_database(t);
    uint64_t last = last_of(db);
    if (last != acknowledged && last != acknowledged + 1) {
        fprintf(stderr, "kill: %llu was acknowledged last, %llu is there\n",
                (unsigned long long)acknowledged, (unsigned long long)last);
        exit(1);
    }
    while (m.last < last)
        model_apply(t, &m, m.last + 1);
    check_rows(t, &m, db);
    check_numbers(db, last);
    run(db, "SELECT seerdb('t', 'verify'); SELECT seerdb('u', 'verify'); "
            "PRAGMA integrity_check");
    if (sqlite3_close(db) != SQLITE_OK)
        fprintf(stderr, "kill: sqlite3_close: %s\n", sqlite3_errmsg(db));
    if (write(pipe, &last, sizeof last) != sizeof last)
        fail("pipe", strerror(errno));
}

/* ---- the parent ------------------------------------------------------------ */

enum role { ROLE_SETUP, ROLE_WRITE, ROLE_LOOK };

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
        sqlite3 *db = open_database(t);
        run(db, "CREATE VIRTUAL TABLE t USING seerdb(k TEXT PRIMARY KEY, seq INTEGER, "
                "payload BLOB, sum INTEGER);"
                "CREATE VIRTUAL TABLE u USING seerdb(n INTEGER PRIMARY KEY)");
        sqlite3_close(db);
    } else if (role == ROLE_WRITE) {
        write_until_killed(t, ends[1]);
    } else {
        look(t, m, acknowledged, ends[1]);
    }
    exit(0);
}

/* Read numbers until the child's end is closed; returns the last, or `last`. */
static uint64_t drain(int from_child, uint64_t last)
{
    uint64_t n;
    while (read(from_child, &n, sizeof n) == (ssize_t)sizeof n)
        last = n;
    close(from_child);
    return last;
}

static void sleep_us(uint64_t us)
{
    struct timespec ts = {(time_t)(us / 1000000), (long)(us % 1000000) * 1000};
    while (nanosleep(&ts, &ts) != 0 && errno == EINTR)
        ;
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
            "kill: the child ended with status %#x; seed %llu, %s, left in %s\n",
            (unsigned)status, (unsigned long long)t->seed, t->mode, t->dir);
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
    sleep_us(1000 + sdb_rand_below(r, 59000));
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
    snprintf(t.dir, sizeof t.dir, "%s/seerdb-kill.XXXXXX", tmp != NULL ? tmp : "/tmp");
    if (mkdtemp(t.dir) == NULL)
        fail(t.dir, strerror(errno));
    snprintf(t.path, sizeof t.path, "%s/kill.db", t.dir);

    struct sdb_rand r = {t.seed};
    struct model m = {0};
    uint64_t commits = 0, unacknowledged = 0;
    int from_child = -1;
    t.mode = mode != NULL ? mode : "WAL";
    pid_t pid = start(&t, ROLE_SETUP, NULL, 0, &from_child);
    drain(from_child, 0);
    wait_for(pid, false, &t);
    for (long round = 0; round < rounds; round++) {
        if (mode == NULL)
            t.mode = round % 2 == 0 ? "WAL" : "DELETE";
        commits += one_round(&t, &m, &r, &unacknowledged);
    }
    printf("ok 1 - %ld rounds: %llu acknowledged commits are all there, %llu more are "
           "whole\n1..1\n",
           rounds, (unsigned long long)commits, (unsigned long long)unacknowledged);
    char command[600];
    snprintf(command, sizeof command, "rm -rf '%s'", t.dir);
    return system(command) == 0 ? 0 : 1;
}
