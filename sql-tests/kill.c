/* SPDX-License-Identifier: Apache-2.0
 *
 * kill -- processes that write seerdb tables and ordinary ones die by SIGKILL; no
 * acknowledged commit is lost, and none is there by half or on one side only.
 *
 *     cc -O2 -I../engine -o kill kill.c kill_model.c kill_work.c \
 *       -lsqlite3 -pthread
 *     ./kill [ROUNDS [SEED [WAL|DELETE]]]     default 100 rounds, seed 1, both in turn
 *
 * The extension is $SEERDB, default ./seerdb.  $SEERDB_POINTS, if given, is the same
 * with failpoints (engine/os/failpoint.h): every second writer has that one, and most
 * of these kill themselves at one of the points.  Speaks TAP: one test, all rounds, on
 * LIVES databases one after the other, whose tables have other features each (struct
 * features), synchronous FULL and NORMAL in turn.  A round: a child opens it and
 * commits transactions n+1, n+2, ... from NWRITERS connections in as many threads; what
 * transaction i does follows from the seed and i alone.  After each COMMIT the child
 * writes i to a pipe.  One more connection reads, in transactions, and demands that
 * what it sees agrees.  The parent kills the child after some milliseconds, often while
 * it still recovers from the last time, and a second child compares the tables with the
 * model. The parent itself never opens the database, so that nothing is inherited over
 * fork().
 *
 *     t(k TEXT PRIMARY KEY, seq, payload, sum, total)  rows come, change and go; total
 *                                                may be a MERGE column
 *     u(n INTEGER PRIMARY KEY)                   the latest KEEP transaction numbers
 *     ot, ou                                     the same, as SQLite's own tables
 *     d(n INTEGER PRIMARY KEY, v), at times e    made, renamed and dropped: see phases
 *
 * All of them are as after one and the same transaction, which is the last acknowledged
 * one or, for each writer at most one more, a later one.  Named snapshots of t are
 * taken and dropped in between: s<n>_<id> shows t as after transaction n.  What of that
 * was acknowledged holds; a snapshot that was being taken or dropped is whole or away.
 */
#define _XOPEN_SOURCE 700
#include "kill.h"

#include "os/failpoint.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

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
    if ((uint64_t)sqlite3_column_int64(stmt, 4) != m->total[key])
        fail((const char *)sqlite3_column_text(stmt, 0), "another total");
}

static void check_rows(const struct test *t, const struct model *m, sqlite3 *db,
                       const char *table)
{
    char sql[160];
    snprintf(sql, sizeof sql, "SELECT k, seq, payload, sum, total FROM %s ORDER BY k",
             table);
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

/* Each snapshot shows t as after its transaction, and those that must be there are.
 * Says through the pipe which are. */
static void check_snapshots(const struct test *t, const struct snapshots *s,
                            sqlite3 *db, uint64_t last, int pipe)
{
    static unsigned char found[MAX_IDS];
    static struct model m;
    sqlite3_stmt *stmt = prepare(
        db, "SELECT name, CAST(substr(name, 2) AS INTEGER) FROM seerdb_snapshots('t') "
            "ORDER BY 2");
    int rc;
    while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        char table[80];
        const char *name = (const char *)sqlite3_column_text(stmt, 0);
        uint64_t n = (uint64_t)sqlite3_column_int64(stmt, 1), id = id_in(name);
        if (n > last || s->known[id] == DROPPED)
            fail(name, "the snapshot should not be there");
        while (m.last < n)
            model_apply(t, &m, m.last + 1);
        snprintf(table, sizeof table, "t WHERE _snapshot = '%s'", name);
        check_rows(t, &m, db, table);
        found[id] = 1;
    }
    if (rc != SQLITE_DONE)
        fail("seerdb_snapshots", sqlite3_errmsg(db));
    sqlite3_finalize(stmt);
    for (uint64_t id = 0; id < MAX_IDS; id++) {
        uint64_t message = TOLD(DROPPED, id);
        if (found[id] == 0 && s->known[id] == TAKEN)
            fail("t", "a snapshot is missing");
        /* What is not there now does not come back. */
        if (found[id] == 0 && s->known[id] == LEAVING &&
            write(pipe, &message, sizeof message) != sizeof message)
            fail("pipe", strerror(errno));
    }
}

/* Answers through the pipe with the last transaction that is there. */
static void look(const struct test *t, const struct model *before,
                 const struct snapshots *snapshots, uint64_t acknowledged, int pipe)
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
    check_snapshots(t, snapshots, db, last, pipe);
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

static void create_tables(const struct test *t)
{
    sqlite3 *db = open_first(t);
    const struct features *f = &t->features;
    char *sql = sqlite3_mprintf(
        "CREATE VIRTUAL TABLE t USING seerdb(k TEXT PRIMARY KEY, seq INTEGER, payload "
        "BLOB, sum INTEGER, total INTEGER%s%s" SMALL "; "
        "CREATE VIRTUAL TABLE u USING seerdb(n INTEGER PRIMARY KEY%s" SMALL "; "
        "CREATE TABLE ot(k TEXT PRIMARY KEY, seq INTEGER, payload BLOB, sum INTEGER, "
        "total INTEGER); CREATE TABLE ou(n INTEGER PRIMARY KEY)",
        f->merge, f->options, f->compaction);
    run(db, sql);
    if (f->filter)
        run(db, "CREATE TRIGGER made AFTER INSERT ON ot WHEN new.seq % 5 = 2 BEGIN "
                "DELETE FROM ot WHERE k = new.k; END; "
                "CREATE TRIGGER changed AFTER UPDATE ON ot WHEN new.seq % 5 = 2 BEGIN "
                "DELETE FROM ot WHERE k = new.k; END");
    sqlite3_free(sql);
    sqlite3_close(db);
}

static pid_t start(const struct test *t, enum role role, const struct model *m,
                   const struct snapshots *snapshots, uint64_t acknowledged,
                   int *from_child)
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
        create_tables(t);
    } else if (role == ROLE_WRITE) {
        struct test armed = *t;
        struct sdb_rand r = rand_of(t, t->round, 5);
        if (t->points != NULL && sdb_rand_below(&r, 2) == 0) {
            armed.extension = t->points;
            arm(&r);
        }
        run_until_killed(&armed, ends[1]);
    } else {
        look(t, m, snapshots, acknowledged, ends[1]);
    }
    exit(0);
}

/* Read what the child tells until its end is closed; returns the largest number of a
 * transaction, or `last`. */
static uint64_t drain(int from_child, struct snapshots *s, uint64_t last)
{
    uint64_t n;
    while (read(from_child, &n, sizeof n) == (ssize_t)sizeof n)
        if (n >> 60 != 0)
            s->known[n & 0xffffffff] = (unsigned char)(n >> 60);
        else
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
            "kill: the child ended with status %#x; seed %llu, round %llu, %s, %s%s%s, "
            "left in %s\n",
            (unsigned)status, (unsigned long long)t->seed, (unsigned long long)t->round,
            t->mode, t->sync, t->features.merge, t->features.options, t->dir);
    exit(1);
}

/* One round; m becomes what the database holds. Returns the number of acknowledged
 * commits. */
static uint64_t one_round(const struct test *t, struct model *m, struct snapshots *s,
                          struct sdb_rand *r, uint64_t *unacknowledged)
{
    int from_child = -1;
    uint64_t acknowledged = m->last, first = 0;
    pid_t pid = start(t, ROLE_WRITE, NULL, NULL, 0, &from_child);
    /* One in three dies while it opens, the others some time after the first commit. */
    if (sdb_rand_below(r, 3) != 0 &&
        read(from_child, &first, sizeof first) == (ssize_t)sizeof first)
        acknowledged = first;
    sleep_us(1000 + sdb_rand_below(r, 99000));
    kill(pid, SIGKILL);
    acknowledged = drain(from_child, s, acknowledged);
    wait_for(pid, true, t);
    uint64_t count = acknowledged - m->last;

    pid = start(t, ROLE_LOOK, m, s, acknowledged, &from_child);
    uint64_t last = drain(from_child, s, 0);
    wait_for(pid, false, t);
    *unacknowledged += last - acknowledged;
    while (m->last < last)
        model_apply(t, m, m->last + 1);
    return count;
}

struct tally {
    uint64_t commits, unacknowledged, snapshots;
};

/* One database: made, written and killed, and removed when all is well. */
static void one_life(struct test *t, const char *mode, long rounds, struct sdb_rand *r,
                     struct tally *tally)
{
    static struct snapshots snapshots;
    struct model m = {0};
    char command[600];
    const char *tmp = getenv("TMPDIR");
    int from_child = -1;
    memset(&snapshots, 0, sizeof snapshots);
    snprintf(t->dir, sizeof t->dir, "%s/seerdb-kill.XXXXXX",
             tmp != NULL ? tmp : "/tmp");
    if (mkdtemp(t->dir) == NULL)
        fail(t->dir, strerror(errno));
    snprintf(t->path, sizeof t->path, "%s/kill.db", t->dir);
    t->mode = mode != NULL ? mode : "WAL";
    t->sync = "FULL";
    pid_t pid = start(t, ROLE_SETUP, NULL, NULL, 0, &from_child);
    drain(from_child, &snapshots, 0);
    wait_for(pid, false, t);
    for (long round = 0; round < rounds; round++) {
        if (mode == NULL)
            t->mode = round % 2 == 0 ? "WAL" : "DELETE";
        t->round = (uint64_t)round;
        t->sync = round / 2 % 2 == 0 ? "FULL" : "NORMAL";
        tally->commits += one_round(t, &m, &snapshots, r, &tally->unacknowledged);
    }
    for (int id = 0; id < MAX_IDS; id++)
        tally->snapshots += snapshots.known[id] != UNKNOWN;
    snprintf(command, sizeof command, "rm -rf '%s'", t->dir);
    if (system(command) != 0)
        fail(t->dir, "cannot be removed");
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
    t.extension = getenv("SEERDB");
    if (t.extension == NULL)
        t.extension = "./seerdb";
    t.points = getenv("SEERDB_POINTS");

    struct sdb_rand r = {t.seed};
    struct tally tally = {0};
    long each =
        rounds / LIVES < LEAST_ROUNDS ? LEAST_ROUNDS : (rounds + LIVES - 1) / LIVES;
    for (long done = 0; done < rounds; done += each) {
        t.features = features_random(&r);
        one_life(&t, mode, rounds - done < each ? rounds - done : each, &r, &tally);
        t.seed += 1000003;
    }
    /* In so many rounds some were taken, or nothing is proven of them. */
    bool idle = rounds >= 20 && tally.snapshots == 0;
    printf("%s 1 - %ld rounds: %llu acknowledged commits are all there, on both sides, "
           "%llu more are whole; %llu snapshots\n1..1\n",
           idle ? "not ok" : "ok", rounds, (unsigned long long)tally.commits,
           (unsigned long long)tally.unacknowledged,
           (unsigned long long)tally.snapshots);
    return idle ? 1 : 0;
}
