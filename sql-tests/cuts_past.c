/* SPDX-License-Identifier: Apache-2.0 */
#include "cuts_past.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *table_name(int table)
{
    return table == S1 ? "s1" : "s2";
}

static struct past *find(struct rig *g, unsigned number)
{
    for (int i = 0; i < PASTS; i++)
        if (g->past[i].number == number)
            return &g->past[i];
    return NULL;
}

/* The database may go back to before a snapshot where SQLite loses what it
 * acknowledged. */
static bool may_go_back(const struct rig *g)
{
    return g->setup.sync == SYNC_NORMAL ||
           (!g->setup.wal && g->setup.sync != SYNC_EXTRA);
}

static enum outcome read_past(struct rig *g, struct past *p)
{
    struct table seen;
    char name[16], *why = NULL;
    enum outcome outcome = DONE;
    if (p->gone)
        return DONE;
    snprintf(name, sizeof name, "p%u", p->number);
    int rc = model_read_past(g->conns[0], schema_of(g, 0, p->db), p->table, name, &seen,
                             &why);
    g->seen.pasts++;
    if (rc != SQLITE_OK && is_faulty(g))
        outcome = STOPPED;
    else if (rc != SQLITE_OK && may_go_back(g) && strstr(why, "went back") != NULL)
        p->gone = true;
    else if (rc != SQLITE_OK)
        outcome = wrong(g, BROKEN, "snapshot %s: %d %s", name, rc, why);
    else if (!same_rows(&seen, &p->rows))
        outcome = wrong(g, BROKEN, "snapshot %s of database %d, %s, shows other rows",
                        name, p->db, table_name(p->table));
    for (int k = 0; outcome == WRONG && rc == SQLITE_OK && g->trace && k < KEYS; k++)
        if (seen.seq[k] != p->rows.seq[k] || seen.total[k] != p->rows.total[k])
            fprintf(stderr, "-- snapshot %s, key %d: %u with %u, was %u with %u\n",
                    name, k, seen.seq[k], seen.total[k], p->rows.seq[k],
                    p->rows.total[k]);
    sqlite3_free(why);
    return outcome;
}

static int take(struct rig *g, struct past *p)
{
    int db = below(&g->r, g->setup.ndbs), table = below(&g->r, 2) == 0 ? S1 : S2;
    *p = (struct past){.db = db,
                       .table = table,
                       .number = ++g->npast,
                       .rows = g->history[g->current].t[db][table]};
    int rc = runf(g, 0, "SELECT seerdb('%s.%s', 'snapshot', 'p%u')",
                  schema_of(g, 0, db), table_name(table), p->number);
    p->taken = rc == SQLITE_OK;
    return rc;
}

static int drop(struct rig *g, struct past *p)
{
    bool known = p->taken && !p->leaving && !p->gone;
    p->leaving = true;
    int rc = runf(g, 0, "SELECT seerdb('%s.%s', 'drop_snapshot', 'p%u')",
                  schema_of(g, 0, p->db), table_name(p->table), p->number);
    if (rc == SQLITE_OK)
        p->number = 0;
    return rc == SQLITE_ERROR && !known ? SQLITE_OK : rc; /* it need not be there */
}

int pasts_change(struct rig *g, enum outcome *outcome)
{
    struct past *p = &g->past[below(&g->r, PASTS)];
    int rc = SQLITE_OK, dice = below(&g->r, 3);
    *outcome = DONE;
    if (p->number == 0)
        rc = take(g, p);
    else if (dice == 0)
        rc = drop(g, p);
    else if (p->taken && !p->leaving)
        *outcome = read_past(g, p);
    return (rc & 0xff) == SQLITE_BUSY ? SQLITE_OK : rc;
}

/* Note in found[] what a table has. */
static enum outcome list(struct rig *g, int db, int table, bool found[PASTS])
{
    sqlite3_stmt *stmt = NULL;
    enum outcome outcome = DONE;
    char *sql = sqlite3_mprintf("SELECT name FROM seerdb_snapshots('%s.%s')",
                                schema_of(g, 0, db), table_name(table));
    int rc = sqlite3_prepare_v2(g->conns[0], sql, -1, &stmt, NULL);
    while (rc == SQLITE_OK && outcome == DONE &&
           (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        const char *name = (const char *)sqlite3_column_text(stmt, 0);
        unsigned number = name != NULL ? (unsigned)strtoul(name + 1, NULL, 10) : 0;
        struct past *p = number != 0 ? find(g, number) : NULL;
        if (p == NULL || p->db != db || p->table != table)
            outcome = wrong(g, BROKEN, "database %d, %s: a snapshot '%s' is there", db,
                            table_name(table), name != NULL ? name : "?");
        else
            found[p - g->past] = true;
        rc = SQLITE_OK;
    }
    if (outcome == DONE && rc != SQLITE_DONE)
        outcome = is_faulty(g) ? STOPPED
                               : wrong(g, BROKEN, "listing snapshots: %d %s", rc,
                                       sqlite3_errmsg(g->conns[0]));
    sqlite3_finalize(stmt);
    sqlite3_free(sql);
    return outcome;
}

enum outcome pasts_check(struct rig *g)
{
    bool found[PASTS] = {false};
    enum outcome outcome = DONE;
    for (int db = 0; outcome == DONE && db < g->setup.ndbs; db++)
        for (int table = S1; outcome == DONE && table <= S2; table++)
            outcome = list(g, db, table, found);
    for (int i = 0; outcome == DONE && i < PASTS; i++) {
        struct past *p = &g->past[i];
        if (found[i])
            outcome = read_past(g, p);
        else if (p->number != 0 && p->taken && !p->leaving && !p->gone)
            outcome = wrong(g, BROKEN, "snapshot p%u of database %d, %s, is not there",
                            p->number, p->db, table_name(p->table));
        else
            *p = (struct past){0};
    }
    return outcome;
}
