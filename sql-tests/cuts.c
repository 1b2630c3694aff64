/* SPDX-License-Identifier: Apache-2.0
 *
 * cuts -- power cuts and failing disks under transactions that write ordinary tables
 * and seerdb tables.
 *
 *     cc -std=c11 -O2 -pthread -DSQLITE_CORE -Iengine -Iext -o cuts cuts.c \
 *       cuts_check.c cuts_past.c cuts_rig.c cuts_model.c disk_vfs.c
 * build/ext-core/X.o... \ build/libseerdb.a -lsqlite3 -lzstd -lm
 *
 *     cuts [--mode M|all] [--cuts N] [--seed S] [--weak] [--trace [--trace]]
 *
 * SQLite's files and the stores lie on one simulated disk.  After a random number of
 * writes and syncs the power goes away for both: nothing reaches the disk any more,
 * everything is closed, what was not synced is lost or not, and what is found when all
 * is opened again is compared with what must be there (cuts_model.h):
 *
 *   - every acknowledged commit, as far as the mode promises that;
 *   - on both sides: all tables are as of one and the same transaction;
 *   - where a store may be behind, SQLite's log was told so, and nowhere else;
 *   - nothing by half, PRAGMA integrity_check and seerdb('s1', 'verify') pass;
 *   - and writing goes on;
 *   - who only reads saw the same before, and changed nothing in the stores;
 *   - named snapshots show the rows of their moment (cuts_past.h).
 *
 * Now and then just the process dies: then nothing that was acknowledged is missing.
 *
 * The mode `errors` lets one operation fail instead, once, and goes on: a COMMIT that
 * answered OK is there, one that failed has no effect (or, once its failure was told,
 * may have its whole effect).  With --weak (or --expect store-only) the two sides may
 * be as of different transactions, each being whole.
 *
 * Speaks TAP, a test for each mode.  A cut is named by its seed: seed S is generation
 * S % 8 of disk S / 8, and everything follows from it.  `--seed S --cuts 1` lives
 * through the generations before it and repeats the one that failed.  Half of the disks
 * are calm: every statement waits for the background work that it caused, so that a
 * seed nearly always repeats.  On the others the threads race, and it may take several
 * tries.
 *
 * Logs and memtables are small, so that logs rotate, memtables are flushed in the
 * background and side files are made under the cuts; a run of some length in which that
 * did not happen fails. */
#define _DEFAULT_SOURCE
#include "cuts_check.h"
#include "cuts_past.h"

#include "os/faultfs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MAX_TRANSACTIONS = 40, MAX_DEPTH = 4 };

/* So many cuts must have met the background work that they are about. */
enum { MEANINGFUL = 60 };

/* ---- what is found ----------------------------------------------------------- */

static void be_certain(struct rig *g, int k)
{
    for (int db = 0; db < DBS; db++)
        for (int part = 0; part < 2; part++)
            g->certain[db][part] = g->acked[db][part] = k;
}

/* After everything was opened again: what is there must be allowed to be there, and is
 * the beginning of a new history. */
static enum outcome check(struct rig *g)
{
    struct state seen;
    char *why = NULL;
    if (read_state(g, 0, &seen, &why) != SQLITE_OK) {
        (void)wrong(g, BROKEN, "%s", why != NULL ? why : "no memory");
        sqlite3_free(why);
        return WRONG;
    }
    enum outcome outcome = g->weak ? DONE : check_agreements(g, &seen);
    if (outcome == DONE)
        outcome = check_sides(g, &seen);
    if (outcome == DONE)
        outcome = check_damage(g);
    if (outcome == DONE && !g->weak)
        outcome = pasts_check(g);
    if (outcome == DONE && g->told > 0 && g->setup.sync != SYNC_NORMAL)
        outcome = wrong(g, BROKEN, "the log was told that a store is behind");
    /* Rollback journals may lose what was acknowledged last (acknowledge). */
    if (outcome == DONE && g->told_older > 0 && g->setup.sync != SYNC_NORMAL &&
        (g->setup.wal || g->setup.sync == SYNC_EXTRA))
        outcome = wrong(g, BROKEN, "the log was told that a database is older");
    /* Of a COMMIT that failed at its sync SQLite finds the frames again when only the
     * process ends, and lets them stand: they survive a power cut once they are synced.
     */
    for (int db = 0; g->mode == ERRORS && g->setup.wal && db < g->setup.ndbs; db++)
        (void)runf(g, 0, "PRAGMA %s.wal_checkpoint", schema_of(g, 0, db));
    g->history[0] = seen;
    g->last = g->current = 0;
    be_certain(g, 0);
    return outcome;
}

/* ---- transactions ---------------------------------------------------------------- */

struct txn {
    struct sdb_rand r;
    uint32_t seq;
    int c; /* its connection */
    struct state work;
    struct state saved[MAX_DEPTH]; /* as of each open savepoint */
    int depth;
    bool by_savepoint; /* SAVEPOINT t ... RELEASE t instead of BEGIN ... COMMIT */
};

static void push(struct rig *g, const struct state *s)
{
    g->history[++g->last] = *s;
}

/* What this commit did not touch may still be as a failed one before it meant to leave
 * it.  Strictly, what SQLite may lose the store loses with it. */
static void acknowledge(struct rig *g, const struct state *s)
{
    const struct setup *u = &g->setup;
    int before = g->current;
    /* In rollback-journal mode, FULL leaves the last unlink unsynced. */
    int ordinary = u->wal || u->sync == SYNC_EXTRA ? g->last + 1 : before;
    bool store_full = u->sync != SYNC_NORMAL ||
                      (u->store_sync != NULL && strcmp(u->store_sync, "full") == 0);
    push(g, s);
    g->current = g->last;
    for (int db = 0; db < u->ndbs; db++) {
        bool part[PARTS];
        for (int i = 0; i < PARTS; i++)
            part[i] = !part_equal(s, &g->history[before], db, (enum part)i);
        bool o = part[PART_ORDINARY], e = part[PART_SEERDB] || part[PART_EXTRA];
        if (o || (e && !g->weak)) {
            g->acked[db][PART_ORDINARY] = g->last;
            if (u->sync != SYNC_NORMAL)
                g->certain[db][PART_ORDINARY] = ordinary;
        }
        if (e || (o && !g->weak)) {
            g->acked[db][PART_SEERDB] = g->last;
            if (g->weak ? store_full : u->sync != SYNC_NORMAL)
                g->certain[db][PART_SEERDB] = g->weak ? g->last : ordinary;
        }
    }
}

/* A commit failed: who looks sees either none of it or all. */
static enum outcome look_after_failure(struct rig *g, int c)
{
    struct state seen;
    char *why = NULL;
    if (read_state(g, c, &seen, &why) != SQLITE_OK) {
        (void)wrong(g, BROKEN, "after a failure: %s", why != NULL ? why : "no memory");
        sqlite3_free(why);
        return WRONG;
    }
    for (int k = g->last; k >= g->current; k--)
        if (matches(g, k, &seen, 0, g->setup.ndbs)) {
            g->current = k;
            return STOPPED;
        }
    enum outcome outcome = g->weak ? DONE : check_agreements(g, &seen);
    if (outcome == DONE)
        outcome = check_sides(g, &seen);
    push(g, &seen);
    g->current = g->last;
    return outcome == DONE ? STOPPED : outcome;
}

/* A statement failed.  It must have had a reason. */
static enum outcome failed(struct rig *g, int c, int rc, const char *sql)
{
    sqlite3 *db = g->conns[c];
    if (!is_faulty(g))
        return wrong(g, BROKEN, "error %d without a fault: %s: %.100s", rc,
                     sqlite3_errmsg(db), sql);
    if (atomic_load(&g->off))
        return STOPPED;
    if (!sqlite3_get_autocommit(db))
        (void)run(g, c, "ROLLBACK");
    if (!sqlite3_get_autocommit(db))
        return wrong(g, BROKEN, "ROLLBACK after a failure leaves the transaction open");
    return look_after_failure(g, c);
}

static enum outcome end_reader(struct rig *g)
{
    struct state seen;
    char *why = NULL;
    if (!g->reading)
        return DONE;
    int rc = read_state(g, 1, &seen, &why);
    enum outcome outcome = DONE;
    if (rc == SQLITE_OK && !g->weak && memcmp(&seen, &g->snapshot, sizeof seen) != 0)
        outcome = wrong(g, MIXED_READ,
                        "a read transaction that saw number %u sees %u in o1, %u in s1",
                        number_in(&g->snapshot, 0, O1), number_in(&seen, 0, O1),
                        number_in(&seen, 0, S1));
    else if (rc != SQLITE_OK && (rc & 0xff) != SQLITE_BUSY && !is_faulty(g))
        outcome = wrong(g, BROKEN, "in a read transaction: %s", why);
    sqlite3_free(why);
    (void)run(g, 1, "COMMIT");
    if (!sqlite3_get_autocommit(g->conns[1]))
        (void)run(g, 1, "ROLLBACK");
    g->reading = false;
    return outcome;
}

static enum outcome begin_reader(struct rig *g)
{
    char *why = NULL;
    int rc = run(g, 1, "BEGIN");
    if (rc == SQLITE_OK)
        rc = read_state(g, 1, &g->snapshot, &why);
    g->reading = true;
    enum outcome outcome = DONE;
    if (rc == SQLITE_OK && !matches(g, g->current, &g->snapshot, 0, g->setup.ndbs))
        outcome = wrong(g, BROKEN, "a reader sees o1 at %u, s1 at %u; committed is %u",
                        number_in(&g->snapshot, 0, O1), number_in(&g->snapshot, 0, S1),
                        number_in(&g->history[g->current], 0, O1));
    else if (rc != SQLITE_OK && !is_faulty(g))
        outcome = wrong(g, BROKEN, "a reader: %s",
                        why != NULL ? why : sqlite3_errmsg(g->conns[1]));
    sqlite3_free(why);
    if (rc != SQLITE_OK && outcome == DONE) {
        g->reading = false;
        if (!sqlite3_get_autocommit(g->conns[1]))
            (void)run(g, 1, "ROLLBACK");
    }
    return outcome;
}

/* One statement; x->work follows it. */
static enum outcome step(struct rig *g, struct txn *x, const struct step *s)
{
    struct state after = x->work;
    bool applies = step_apply(s, &after);
    char *sql = step_sql(s, &x->work, schema_of(g, x->c, s->db), g->options);
    int rc = run(g, x->c, sql);
    enum outcome outcome = DONE;
    if (rc == SQLITE_OK && applies)
        x->work = after;
    else if (rc == SQLITE_OK)
        outcome = wrong(g, BROKEN, "a constraint was not kept: %.200s", sql);
    else if ((!applies && (rc & 0xff) == SQLITE_CONSTRAINT) ||
             (s->kind == STEP_DROP && (rc & 0xff) == SQLITE_LOCKED))
        outcome = DONE; /* a DROP of what this transaction wrote is refused */
    else if (sqlite3_get_autocommit(g->conns[x->c])) { /* its outcome is not known */
        push(g, &after);
        outcome = failed(g, x->c, rc, sql);
    } else
        outcome = failed(g, x->c, rc, sql);
    sqlite3_free(sql);
    return outcome;
}

static enum outcome put_number(struct rig *g, struct txn *x, unsigned dbs, int table)
{
    enum outcome outcome = DONE;
    for (int db = 0; outcome == DONE && db < g->setup.ndbs; db++) {
        struct step s = {.kind = STEP_PUT,
                         .db = db,
                         .table = table,
                         .seq = x->seq,
                         .features = &g->setup.features};
        if ((dbs >> db & 1u) != 0)
            outcome = step(g, x, &s);
    }
    return outcome;
}

/* Open, release or roll back to a savepoint. */
static enum outcome savepoint(struct rig *g, struct txn *x)
{
    int rc = SQLITE_OK, to = x->depth > 0 ? below(&x->r, x->depth) : 0;
    int dice = below(&x->r, 10);
    if ((dice < 5 && x->depth < MAX_DEPTH) || x->depth == 0) {
        if ((rc = runf(g, x->c, "SAVEPOINT p%d", x->depth)) == SQLITE_OK)
            x->saved[x->depth++] = x->work;
    } else if (dice < 7) {
        if ((rc = runf(g, x->c, "RELEASE p%d", to)) == SQLITE_OK)
            x->depth = to;
    } else if ((rc = runf(g, x->c, "ROLLBACK TO p%d", to)) == SQLITE_OK) {
        x->work = x->saved[to];
        x->depth = to + 1;
    }
    return rc == SQLITE_OK ? DONE : failed(g, x->c, rc, "a savepoint");
}

/* Act as if the transaction had outgrown its memory. */
static enum outcome spill(struct rig *g, struct txn *x, int db)
{
    int rc = runf(g, x->c, "SELECT seerdb('%s.s1', 'spill')", schema_of(g, x->c, db));
    return rc == SQLITE_OK ? DONE : failed(g, x->c, rc, "a spill");
}

static enum outcome body(struct rig *g, struct txn *x, unsigned dbs)
{
    int first = below(&x->r, 4), count = below(&x->r, below(&x->r, 4) == 0 ? 20 : 6);
    bool large = below(&x->r, 5) == 0;
    enum outcome outcome = DONE;
    /* The numbers go in first or last; not into a savepoint that may be undone. */
    if ((first & 1) != 0)
        outcome = put_number(g, x, dbs, O1);
    if (outcome == DONE && (first & 2) != 0)
        outcome = put_number(g, x, dbs, S1);
    for (int i = 0; outcome == DONE && i < count; i++) {
        int db = below(&x->r, g->setup.ndbs);
        if (below(&x->r, 4) == 0) {
            outcome = savepoint(g, x);
        } else if (large && below(&x->r, 3) == 0) {
            outcome = spill(g, x, db);
        } else if ((dbs >> db & 1u) != 0) {
            struct step s =
                step_random(&x->r, &g->setup.features, &x->work, db, x->seq);
            outcome = step(g, x, &s);
        }
    }
    if (outcome == DONE && (first & 1) == 0)
        outcome = put_number(g, x, dbs, O1);
    if (outcome == DONE && (first & 2) == 0)
        outcome = put_number(g, x, dbs, S1);
    return outcome;
}

static enum outcome commit(struct rig *g, struct txn *x, unsigned dbs)
{
    const char *sql = x->by_savepoint ? "RELEASE t" : "COMMIT";
    enum outcome outcome = DONE;
    int rc = run(g, x->c, sql);
    if ((rc & 0xff) == SQLITE_BUSY && g->reading && !is_faulty(g)) {
        /* A reader is in the way, and the transaction is still there. */
        if ((outcome = end_reader(g)) == DONE && below(&x->r, 2) == 0)
            outcome = body(g, x, dbs);
        if (outcome != DONE)
            return outcome;
        rc = run(g, x->c, sql);
    }
    if (rc == SQLITE_OK) {
        acknowledge(g, &x->work);
        return DONE;
    }
    push(g, &x->work);
    return failed(g, x->c, rc, sql);
}

static enum outcome autocommit(struct rig *g, struct txn *x)
{
    int db = below(&x->r, g->setup.ndbs);
    struct step s = step_random(&x->r, &g->setup.features, &x->work, db, x->seq);
    if (below(&x->r, 3) == 0)
        s = (struct step){.kind = STEP_PUT,
                          .db = db,
                          .table = below(&x->r, 2) == 0 ? O1 : S1,
                          .seq = x->seq,
                          .features = &g->setup.features};
    enum outcome outcome = g->setup.wal ? DONE : end_reader(g);
    if (outcome == DONE)
        outcome = step(g, x, &s);
    if (outcome == DONE &&
        memcmp(&x->work, &g->history[g->current], sizeof x->work) != 0)
        acknowledge(g, &x->work);
    return outcome;
}

static enum outcome transaction(struct rig *g)
{
    struct txn *x = malloc(sizeof *x);
    if (x == NULL)
        return wrong(g, BROKEN, "no memory");
    *x = (struct txn){.seq = ++g->seq, .work = g->history[g->current]};
    x->r.state = (g->disk << 32) + x->seq;
    sdb_rand_next(&x->r);
    x->c = g->reading || g->setup.nconns == 1 ? 0 : below(&x->r, 2);
    enum outcome outcome;
    if (below(&x->r, 100) < 18) {
        outcome = autocommit(g, x);
        goto out;
    }
    unsigned dbs = g->setup.ndbs == 1 ? 1 : 1 + (unsigned)below(&x->r, 3);
    int dice = below(&x->r, 10), rc;
    x->by_savepoint = dice == 0;
    rc = run(g, x->c,
             dice == 0   ? "SAVEPOINT t"
             : dice == 1 ? "BEGIN IMMEDIATE"
                         : "BEGIN");
    outcome = rc == SQLITE_OK ? body(g, x, dbs) : failed(g, x->c, rc, "BEGIN");
    if (outcome != DONE)
        goto out;
    if (below(&x->r, 8) != 0) {
        outcome = commit(g, x, dbs);
        goto out;
    }
    rc = run(g, x->c, x->by_savepoint ? "ROLLBACK TO t; RELEASE t" : "ROLLBACK");
    if ((rc & 0xff) == SQLITE_BUSY && x->by_savepoint && g->reading && !is_faulty(g)) {
        if ((outcome = end_reader(g)) != DONE)
            goto out;
        rc = run(g, x->c, "RELEASE t");
    }
    if (rc != SQLITE_OK)
        outcome = failed(g, x->c, rc, "ROLLBACK");
out:
    free(x);
    return outcome;
}

/* ---- what happens between transactions ------------------------------------------- */

static enum outcome other_action(struct rig *g)
{
    static const char *const checkpoints[] = {"PASSIVE", "FULL", "RESTART", "TRUNCATE"};
    const char *schema = schema_of(g, 0, below(&g->r, g->setup.ndbs));
    static const char *const works[] = {"flush", "flush", "compact", "gc"};
    int dice = below(&g->r, 14), rc = SQLITE_OK;
    if (dice >= 10 && !g->weak) {
        enum outcome outcome = DONE;
        rc = pasts_change(g, &outcome);
        if (outcome != DONE)
            return outcome;
    } else if (dice < 4) {
        /* BUSY: the last commit logged was rolled back and may yet turn out to count.
         */
        uint64_t before = flushes_of(g);
        rc = runf(g, 0, "SELECT seerdb('%s.s%d', '%s')", schema, 1 + below(&g->r, 2),
                  works[below(&g->r, 4)]);
        g->asked += flushes_of(g) - before;
        rc = (rc & 0xff) == SQLITE_BUSY ? SQLITE_OK : rc;
    } else if (dice < 7 && g->setup.nconns > 1) {
        return g->reading ? end_reader(g) : begin_reader(g);
    } else if (dice < 9 && g->setup.wal) {
        rc = runf(g, 0, "PRAGMA %s.wal_checkpoint(%s)", schema,
                  checkpoints[below(&g->r, 4)]);
        rc =
            (rc & 0xff) == SQLITE_BUSY || (rc & 0xff) == SQLITE_LOCKED ? SQLITE_OK : rc;
    } else if (g->setup.nconns > 1) {
        enum outcome outcome = end_reader(g);
        if (outcome != DONE)
            return outcome;
        if (sqlite3_close(g->conns[1]) != SQLITE_OK)
            return wrong(g, BROKEN, "sqlite3_close: %s", sqlite3_errmsg(g->conns[1]));
        g->conns[1] = NULL;
        if ((rc = open_conn(g, 1)) != SQLITE_OK && is_faulty(g) &&
            !atomic_load(&g->off))
            rc = (sqlite3_close(g->conns[1]), open_conn(g, 1)); /* the fault is over */
        if (rc != SQLITE_OK)
            return is_faulty(g) ? STOPPED : wrong(g, BROKEN, "opening answers %d", rc);
    }
    return rc == SQLITE_OK ? DONE : failed(g, 0, rc, "flush or checkpoint");
}

/* The process dies between transactions, and another one goes on.  What was
 * acknowledged is there; that it was found proves nothing of the next power cut. */
static enum outcome die(struct rig *g)
{
    struct state seen;
    char *why = NULL;
    int64_t countdown = atomic_load(&g->countdown);
    power_off(g);
    if (close_conns(g) == WRONG)
        return WRONG;
    power_on(g);
    atomic_store(&g->countdown, countdown);
    if (g->trace)
        fprintf(stderr, "-- the process dies\n");
    int rc = open_conns(g);
    if (rc == SQLITE_OK)
        rc = read_state(g, 0, &seen, &why);
    enum outcome outcome = DONE;
    if (rc != SQLITE_OK && atomic_load(&g->off))
        outcome = STOPPED;
    else if (rc != SQLITE_OK)
        outcome = wrong(g, BROKEN, "after the process died: %d %s", rc,
                        why != NULL ? why : "");
    else if (memcmp(&seen, &g->history[g->current], sizeof seen) != 0)
        outcome = wrong(g, BROKEN,
                        "the process died after transaction %u and left o1 at number "
                        "%u, s1 at %u",
                        number_in(&g->history[g->current], 0, O1),
                        number_in(&seen, 0, O1), number_in(&seen, 0, S1));
    sqlite3_free(why);
    return outcome == DONE ? pasts_check(g) : outcome;
}

/* Live until the power goes, or with failures, for a while. */
static enum outcome live(struct rig *g)
{
    int left = MAX_TRANSACTIONS, after_fault = 1 + below(&g->r, 4);
    while (left-- > 0 && g->last < HISTORY - 4) {
        bool dies = g->mode != ERRORS && !g->weak && below(&g->r, 30) == 0;
        enum outcome outcome = dies                   ? die(g)
                               : below(&g->r, 5) == 0 ? other_action(g)
                                                      : transaction(g);
        if (outcome == WRONG || atomic_load(&g->off))
            return outcome == WRONG ? WRONG : STOPPED;
        if (has_failed_once(g) && after_fault-- == 0)
            return STOPPED;
    }
    return STOPPED;
}

/* Whoever may only read sees it as it is, and changes nothing in the stores.  False:
 * SQLite itself lets nobody read before a journal is rolled back, or its log recovered.
 */
static bool look(struct rig *g, struct state *seen)
{
    char *why = NULL;
    sdb_faultfs_arm(g->fault, &(struct sdb_fault){
                                  .ops = SDB_FAULT_CHANGE,
                                  .match = g->setup.shared_store ? "/d/s/" : "-seerdb/",
                                  .times = UINT64_MAX,
                                  .error = EROFS});
    sdb_faultfs_set_read_only(g->fault, true); /* a cut may take a LOCK away */
    g->read_only = true;
    int rc = open_conn(g, 0);
    if (rc == SQLITE_OK)
        rc = read_state(g, 0, seen, &why);
    int kind = rc & 0xff;
    if (rc != SQLITE_OK && kind != SQLITE_READONLY && kind != SQLITE_CANTOPEN)
        (void)wrong(g, BROKEN, "reading only: %d %s", rc, why != NULL ? why : "");
    if (close_conns(g) == DONE && sdb_faultfs_seen(g->fault) > 0)
        (void)wrong(g, BROKEN, "reading only, %d changes to a store",
                    (int)sdb_faultfs_seen(g->fault));
    g->read_only = false;
    sdb_faultfs_set_read_only(g->fault, false);
    sdb_faultfs_arm(g->fault, &(struct sdb_fault){0});
    sqlite3_free(why);
    return rc == SQLITE_OK && g->verdict == FINE;
}

static enum outcome compare(struct rig *g, const struct state *before)
{
    struct state now;
    char *why = NULL;
    int rc = read_state(g, 0, &now, &why);
    g->seen.looks++;
    for (int db = 0; rc == SQLITE_OK && db < g->setup.ndbs; db++)
        for (int part = 0; part < PARTS; part++)
            if (!part_equal(before, &now, db, (enum part)part))
                (void)wrong(g, BROKEN,
                            "database %d, part %d: who only read saw other rows", db,
                            part);
    if (rc != SQLITE_OK)
        (void)wrong(g, BROKEN, "reading: %d %s", rc, why != NULL ? why : "");
    sqlite3_free(why);
    return g->verdict == FINE ? DONE : WRONG;
}

/* Open everything again; sometimes the power goes in the middle of that. */
static enum outcome recover(struct rig *g, bool was_cut)
{
    struct state seen;
    while (below(&g->r, 4) == 0) {
        char *why = NULL;
        atomic_store(&g->countdown, 1 + below(&g->r, 25));
        int rc = open_conns(g);
        if (rc == SQLITE_OK)
            rc = read_state(g, 0, &seen, &why);
        if (rc != SQLITE_OK && !is_faulty(g))
            (void)wrong(g, BROKEN, "opening: %d %s", rc, why != NULL ? why : "");
        sqlite3_free(why);
        power_off(g);
        if (close_conns(g) == WRONG || g->verdict != FINE)
            return WRONG;
        cut(g);
        was_cut = true;
    }
    if (!was_cut)
        memcpy(g->certain, g->acked, sizeof g->certain);
    struct state before;
    bool looked = below(&g->r, 2) == 0 && look(g, &before);
    int rc = g->verdict == FINE ? open_conns(g) : SQLITE_OK;
    if (rc != SQLITE_OK || g->verdict != FINE)
        return wrong(g, BROKEN, "opening answers %d: %s", rc,
                     sqlite3_errmsg(g->conns[g->conns[1] != NULL]));
    if (looked && compare(g, &before) == WRONG)
        return WRONG;
    enum outcome outcome = check(g);
    if (!was_cut)
        settle(g); /* what was seen is where the next history begins */
    return outcome;
}

static enum outcome generation(struct rig *g)
{
    g->r.state = (g->disk * GENERATIONS + g->generation) * MODES + g->mode;
    if (g->trace)
        fprintf(stderr, "-- generation %d of disk %llu\n", (int)g->generation,
                (unsigned long long)g->disk);
    bool errors = g->mode == ERRORS;
    bool point = below(&g->r, 3) == 0;
    if (point)
        arm_point(g, errors);
    if (errors && !point)
        arm_one(g);
    else if (!errors)
        atomic_store(&g->countdown, 1 + below(&g->r, below(&g->r, 2) == 0 ? 400 : 60));
    if (live(g) == WRONG)
        return WRONG;
    int end = errors ? below(&g->r, 3) : 0; /* a cut, a crash, or an orderly end */
    if (end < 2)
        power_off(g);
    else
        power_on(g);
    if (close_conns(g) == WRONG)
        return WRONG;
    if (end == 0)
        cut(g);
    else
        power_on(g);
    if (recover(g, end == 0) == WRONG || transaction(g) == WRONG)
        return WRONG;
    return DONE;
}

/* ---- the program ----------------------------------------------------------------- */

struct order {
    uint64_t cuts, seed;
    bool weak;
    int trace;
};

static void report(const struct rig *g, uint64_t nth)
{
    if (nth > 10)
        return;
    printf("# %s: seed %llu, transaction %u: %s\n#   again: --mode %s --seed %llu "
           "--cuts 1%s\n",
           mode_names[g->mode],
           (unsigned long long)(g->disk * GENERATIONS + g->generation), g->seq, g->why,
           mode_names[g->mode],
           (unsigned long long)(g->disk * GENERATIONS + g->generation),
           g->weak ? " --weak" : "");
    if (!g->setup.calm)
        printf("#   on this disk threads race: it may take several tries\n");
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static bool run_mode(enum mode mode, const struct order *o)
{
    uint64_t done = 0, bad = 0, verdicts[BROKEN + 1] = {0}, behind = 0,
             disk = o->seed / GENERATIONS;
    struct seen seen = {0};
    struct rig *g = malloc(sizeof *g);
    double start = now();
    while (g != NULL && done < o->cuts) {
        *g = (struct rig){.mode = mode, .weak = o->weak, .trace = o->trace};
        enum outcome outcome = disk_start(g, disk);
        for (; outcome == DONE && done < o->cuts && g->generation < GENERATIONS;
             g->generation += outcome == DONE) {
            outcome = generation(g);
            done += disk * GENERATIONS + g->generation >= o->seed;
        }
        verdicts[g->verdict]++;
        behind += g->behind;
        if (g->verdict != FINE)
            report(g, ++bad);
        disk_end(g);
        seen.rotations += g->seen.rotations;
        seen.flushes += g->seen.flushes - g->asked;
        seen.asides += g->seen.asides;
        seen.compactions += g->seen.compactions;
        seen.spills += g->seen.spills;
        seen.looks += g->seen.looks;
        seen.pasts += g->seen.pasts;
        seen.values += g->seen.values;
        disk++;
        if (outcome == WRONG && done == 0)
            break; /* it did not come to the seed that was asked for */
    }
    bool ok = g != NULL && bad == 0;
    bool idle = done >= MEANINGFUL &&
                (seen.rotations == 0 || seen.flushes == 0 || seen.spills == 0 ||
                 seen.looks == 0 || seen.values == 0 || (seen.pasts == 0 && !o->weak));
    free(g);
    printf("%s %d - %s: %llu %s", ok && !idle ? "ok" : "not ok", (int)mode + 1,
           mode_names[mode], (unsigned long long)done,
           mode == ERRORS ? "failures" : "power cuts");
    if (!ok)
        printf(": %llu left the two sides disagreeing, %llu reads saw two states, %llu "
               "went "
               "wrong otherwise",
               (unsigned long long)verdicts[DISAGREE],
               (unsigned long long)verdicts[MIXED_READ],
               (unsigned long long)verdicts[BROKEN]);
    if (behind > 0)
        printf(", %llu left the store behind", (unsigned long long)behind);
    if (idle)
        printf(": the logs never rotated, or nothing was flushed in the background or "
               "spilled, or no disk was read only, or no value kept apart, or no "
               "snapshot read");
    printf(
        "\n# %.0f/s; the logs rotated %llu times, %llu flushes in the background, %llu "
        "side files, %llu compactions, %llu spilled tables, %llu disks read only, "
        "%llu writes to value logs, %llu snapshots read\n",
        (double)done / (now() - start), (unsigned long long)seen.rotations,
        (unsigned long long)seen.flushes, (unsigned long long)seen.asides,
        (unsigned long long)seen.compactions, (unsigned long long)seen.spills,
        (unsigned long long)seen.looks, (unsigned long long)seen.values,
        (unsigned long long)seen.pasts);
    fflush(stdout);
    return ok && !idle;
}

static int usage(void)
{
    fprintf(stderr,
            "usage: cuts [--mode wal-full|wal-normal|delete-full|multi|errors|all] "
            "[--cuts N] [--seed S] [--weak | --expect store-only] [--trace]\n");
    return 2;
}

int main(int argc, char **argv)
{
    struct order o = {.cuts = 300};
    const char *mode = "all";
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        if (strcmp(argv[i], "--weak") == 0)
            o.weak = true;
        else if (strcmp(argv[i], "--trace") == 0)
            o.trace++;
        else if (strcmp(argv[i], "--expect") == 0 && strcmp(value, "store-only") == 0)
            o.weak = ++i > 0;
        else if (strcmp(argv[i], "--mode") == 0)
            mode = argv[++i] != NULL ? value : "";
        else if (strcmp(argv[i], "--cuts") == 0 && argv[++i] != NULL)
            o.cuts = strtoull(value, NULL, 10);
        else if (strcmp(argv[i], "--seed") == 0 && argv[++i] != NULL)
            o.seed = strtoull(value, NULL, 10);
        else
            return usage();
    }
    bool ok = listen_to_log() == SQLITE_OK, any = false;
    for (int m = 0; m < MODES; m++) {
        if (strcmp(mode, "all") != 0 && strcmp(mode, mode_names[m]) != 0)
            continue;
        any = true;
        ok = run_mode((enum mode)m, &o) && ok;
    }
    if (!any)
        return usage();
    printf("1..%d\n", strcmp(mode, "all") == 0 ? MODES : 1);
    return ok ? 0 : 1;
}
