/* SPDX-License-Identifier: Apache-2.0 */
#include "cuts_check.h"

#include <stdio.h>
#include <string.h>

int read_state(struct rig *g, int c, struct state *out, char **why)
{
    int rc = SQLITE_OK;
    memset(out, 0, sizeof *out);
    *why = NULL;
    for (int i = 0; rc == SQLITE_OK && i < g->setup.ndbs; i++)
        rc = model_read(g->conns[c], schema_of(g, c, i), out->t[i], why);
    return rc;
}

bool matches(const struct rig *g, int k, const struct state *seen, int from, int to)
{
    for (int db = from; db < to; db++)
        for (int part = 0; part < PARTS; part++)
            if (!part_equal(&g->history[k], seen, db, (enum part)part))
                return false;
    return true;
}

/* The newest state since `least` that has this part; -1: none. */
static int find_part(const struct rig *g, const struct state *seen, int db,
                     enum part part, int least)
{
    int k = g->last;
    while (k >= least && !part_equal(&g->history[k], seen, db, part))
        k--;
    return k >= least ? k : -1;
}

uint32_t number_in(const struct state *s, int db, int table)
{
    return s->t[db][table].seq[0];
}

enum outcome check_sides(struct rig *g, const struct state *seen)
{
    static const char *const sides[] = {"ordinary", "seerdb"};
    static const int numbers[] = {O1, S1};
    for (int db = 0; db < g->setup.ndbs; db++) {
        for (int part = PART_ORDINARY; part <= PART_SEERDB; part++)
            if (find_part(g, seen, db, (enum part)part, g->certain[db][part]) < 0)
                return wrong(
                    g, BROKEN,
                    "database %d: its %s tables are no state since transaction "
                    "%u; transaction %u wrote last",
                    db, sides[part],
                    number_in(&g->history[g->certain[db][part]], db, numbers[part]),
                    number_in(seen, db, numbers[part]));
        bool may_be_empty = g->setup.sync == SYNC_NORMAL; /* created, its rows lost */
        if (seen->t[db][EXTRA].name != ABSENT && !may_be_empty &&
            find_part(g, seen, db, PART_EXTRA, 0) < 0)
            return wrong(g, BROKEN, "database %d: the third seerdb table is no state",
                         db);
    }
    return DONE;
}

/* The store of one database may be behind by what the kernel had not written. */
static bool is_behind(struct rig *g, const struct state *seen, int db)
{
    int k = find_part(g, seen, db, PART_ORDINARY, 0);
    while (k >= 0 && !part_equal(&g->history[k], seen, db, PART_SEERDB))
        k--;
    return k >= 0;
}

/* Did the first writers of the tables hear what they had to?  There must be a state
 * that the ordinary tables are of, with which every table that nobody was warned of
 * agrees. A commit may change nothing and be lost: one may be warned of a table that
 * agrees. */
static bool explains(const struct rig *g, const struct state *seen, int db,
                     const uint64_t heard[TABLES])
{
    for (int k = g->last; k >= 0; k--) {
        const struct state *s = &g->history[k];
        bool agree = part_equal(s, seen, db, PART_ORDINARY);
        for (int t = S1; agree && t < TABLES; t++)
            agree = heard[t] == 1 ||
                    (heard[t] == 0 && same_rows(&seen->t[db][t], &s->t[db][t]));
        if (agree)
            return true;
    }
    return false;
}

/* The first writer of a table whose store is behind hears of it, the second does not.
 * Each table stands for itself: the commits that are lost may all be of one of them.
 */
static enum outcome check_told(struct rig *g, const struct state *seen, int db)
{
    static const char *const extra[] = {NULL, "s3", "s4"};
    const char *names[TABLES] = {
        [S1] = "s1", [S2] = "s2", [EXTRA] = extra[seen->t[db][EXTRA].name]};
    uint64_t heard[2][TABLES] = {{0}};
    for (int again = 0; again < 2; again++)
        for (int t = S1; t < TABLES; t++) {
            uint64_t before = g->told;
            if (names[t] != NULL && runf(g, 0, "DELETE FROM %s.%s WHERE 0",
                                         schema_of(g, 0, db), names[t]) != SQLITE_OK)
                return wrong(g, BROKEN, "writing to a store that is behind: %s",
                             sqlite3_errmsg(g->conns[0]));
            heard[again][t] = g->told - before;
        }
    if (!explains(g, seen, db, heard[0]))
        return wrong(g, BROKEN,
                     "the store of database %d is behind, and the log was told %llu "
                     "times of s1, %llu of s2, %llu of the third table",
                     db, (unsigned long long)heard[0][S1],
                     (unsigned long long)heard[0][S2],
                     (unsigned long long)heard[0][EXTRA]);
    for (int t = S1; t < TABLES; t++)
        if (heard[1][t] != 0)
            return wrong(g, BROKEN, "the log was told twice that a store is behind");
    return DONE;
}

static void print_row(const char *name, int db, int key, const struct table *is, int k,
                      const struct table *was)
{
    if (is->seq[key] != was->seq[key] || is->total[key] != was->total[key])
        fprintf(stderr,
                "-- database %d, %s, key %d: %u with %u, in state %d: %u with %u\n", db,
                name, key, is->seq[key], is->total[key], k, was->seq[key],
                was->total[key]);
}

/* For whoever looks into a failure. */
static void print_difference(const struct rig *g, int k, const struct state *seen,
                             int from, int to)
{
    static const char *const names[TABLES] = {"o1", "o2", "s1", "s2", "the third"};
    for (int db = from; db < to; db++)
        for (int t = 0; t < TABLES; t++)
            for (int key = 0; key < KEYS; key++)
                print_row(names[t], db, key, &seen->t[db][t], k,
                          &g->history[k].t[db][t]);
}

/* The sides of databases [from, to) are as of one transaction. */
static enum outcome check_agreement(struct rig *g, const struct state *seen, int from,
                                    int to)
{
    int least = g->last;
    for (int db = from; db < to; db++)
        for (int part = 0; part < 2; part++)
            least = g->certain[db][part] < least ? g->certain[db][part] : least;
    for (int k = g->last; k >= least; k--)
        if (matches(g, k, seen, from, to))
            return DONE;
    if (g->setup.sync == SYNC_NORMAL && to - from == 1 && is_behind(g, seen, from)) {
        g->behind++;
        return check_told(g, seen, from);
    }
    for (int k = g->last; g->trace && k >= least && k > g->last - 3; k--)
        print_difference(g, k, seen, from, to);
    char where[160] = "";
    for (int db = from; db < to; db++) {
        size_t n = strlen(where);
        snprintf(where + n, sizeof where - n,
                 "%sin database %d number %u is in o1, %u in s1", n > 0 ? ", " : "", db,
                 number_in(seen, db, O1), number_in(seen, db, S1));
    }
    return wrong(
        g, DISAGREE,
        "no transaction leaves all tables so: %s; acknowledged was %d of %d tried",
        where, g->current, g->last);
}

/* Only a rollback journal makes one commit of several files. */
enum outcome check_agreements(struct rig *g, const struct state *seen)
{
    enum outcome outcome = DONE;
    if (!g->setup.wal)
        return check_agreement(g, seen, 0, g->setup.ndbs);
    for (int db = 0; outcome == DONE && db < g->setup.ndbs; db++)
        outcome = check_agreement(g, seen, db, db + 1);
    return outcome;
}

enum outcome check_damage(struct rig *g)
{
    for (int db = 0; db < g->setup.ndbs; db++) {
        const char *schema = schema_of(g, 0, db);
        sqlite3_stmt *stmt = NULL;
        char *sql = sqlite3_mprintf("PRAGMA %s.integrity_check", schema);
        int rc = sqlite3_prepare_v2(g->conns[0], sql, -1, &stmt, NULL);
        if (rc == SQLITE_OK)
            rc = sqlite3_step(stmt);
        const char *text = rc == SQLITE_ROW ? (const char *)sqlite3_column_text(stmt, 0)
                                            : sqlite3_errmsg(g->conns[0]);
        if (rc != SQLITE_ROW || text == NULL || strcmp(text, "ok") != 0)
            (void)wrong(g, BROKEN, "integrity_check: %s",
                        text != NULL ? text : "nothing");
        sqlite3_finalize(stmt);
        sqlite3_free(sql);
        if (runf(g, 0, "SELECT seerdb('%s.s1', 'verify'), seerdb('%s.s2', 'verify')",
                 schema, schema) != SQLITE_OK)
            (void)wrong(g, BROKEN, "verify: %s", sqlite3_errmsg(g->conns[0]));
    }
    return g->verdict == FINE ? DONE : WRONG;
}
