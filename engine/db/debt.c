/* SPDX-License-Identifier: Apache-2.0 */
#include "db/debt.h"

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
