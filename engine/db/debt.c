/* SPDX-License-Identifier: Apache-2.0 */
#include "db/debt.h"

#include "db/events.h"

#include <stdio.h>

int sdb_debt_wake(seerdb *db, seerdb_err *err)
{
    int rc = 0;
    if (!db->closing && !db->compactor.started) /* closing joins it, unlocked */
        rc = sdb_thread_start(&db->compactor, "seerdb-compact", db->compactor_main, db,
                              err);
    sdb_cond_signal(&db->debt);
    return rc;
}

void sdb_debt_note(seerdb_tree *t)
{
    const struct sdb_version *v = t->state->version;
    uint32_t runs0 = 0;
    while (runs0 < v->nruns && v->runs[runs0].level == 0)
        runs0++;
    atomic_store_explicit(&t->runs0, runs0, memory_order_relaxed);
    t->debt.look = true;
    if (t->debt.failures == 0)
        t->debt.look_at_us = 0;
    /* Without the thread trees grow more runs than they should, and are whole: the next
     * flush tries again. */
    if (runs0 > 0)
        (void)!sdb_debt_wake(t->db, NULL);
}

/* What was done with the tree since it was opened. */
static struct sdb_load load_of(const seerdb_tree *t) REQUIRES(LK_DB)
{
    const struct sdb_written *w = &t->written;
    struct sdb_tally sum = {0};
    size_t views = 0;
    sdb_tallies_sum(&t->tallies, &sum, &views);
    return (struct sdb_load){
        .writes = (double)(sdb_counted(&w->puts) + sdb_counted(&w->deletes) +
                           sdb_counted(&w->merges) + sdb_counted(&w->ranges)),
        .gets = (double)sdb_counted(&sum.n[SDB_TALLY_GETS]),
        .seeks = (double)sdb_counted(&sum.n[SDB_TALLY_SEEKS]),
        .rows = (double)sdb_counted(&sum.n[SDB_TALLY_ROWS])};
}

void sdb_debt_adapt(seerdb_tree *t)
{
    static const char *const names[] = {"leveled", "lazy", "tiered"};
    seerdb *db = t->db;
    if (atomic_load_explicit(&t->tuned.compaction, memory_order_relaxed) !=
        SEERDB_ADAPTIVE)
        return;
    sdb_lock_db(&db->lock);
    struct sdb_load now = load_of(t), *seen = &t->adapt.seen;
    const struct sdb_load since = {now.writes - seen->writes, now.gets - seen->gets,
                                   now.seeks - seen->seeks, now.rows - seen->rows};
    struct sdb_adapt *a = &t->adapt.state;
    enum seerdb_compaction before = a->now;
    *seen = now;
    if (sdb_adapt(a, &since,
                  (double)t->state->version->bytes / (double)db->batch_size)) {
        struct sdb_event e = {.event = "adapted", .tree = t->desc.id};
        snprintf(e.detail, sizeof e.detail,
                 "%s to %s: %.0f against %.0f ns an operation, by %.0f writes, %.0f "
                 "lookups, %.0f scans of %.0f rows",
                 names[before], names[a->now], a->cost[before], a->cost[a->now],
                 a->load.writes, a->load.gets, a->load.seeks, a->load.rows);
        sdb_events_add(db, &e);
        atomic_store_explicit(&t->policy, (uint32_t)a->now, memory_order_relaxed);
        sdb_debt_note(t);
    }
    sdb_unlock_db(&db->lock);
}
