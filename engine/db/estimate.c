/* SPDX-License-Identifier: Apache-2.0
 *
 * How many rows are where, without looking at them.  What range tombstones delete is
 * counted as long as it is there. */
#include "db/state.h"

/* Records before key; no bound: all. */
static double rank_in(const struct sdb_version *v, seerdb_slice key)
{
    double rank = 0;
    if (key.data == NULL)
        return (double)v->records;
    for (size_t i = 0; i < v->nruns; i++)
        rank += (double)sdb_run_rank(v, &v->runs[i], key);
    return rank;
}

/* Records before key; no bound: none of them, or all. */
static double rank_of(const struct sdb_read_state *s, seerdb_slice key, bool is_upper)
{
    double rank = 0;
    if (key.data == NULL && !is_upper)
        return 0;
    for (size_t i = 0; i < s->nmemtables; i++)
        rank += (double)sdb_memtable_records(s->memtables[i]) *
                (key.data == NULL ? 1 : sdb_memtable_share_below(s->memtables[i], key));
    for (size_t i = 0; s->pendings != NULL && i < s->pendings->n; i++)
        if (s->pendings->all[i]->runs != NULL)
            rank += rank_in(s->pendings->all[i]->runs, key);
    return rank + rank_in(s->version, key);
}

uint64_t seerdb_tree_count_between(seerdb_tree *tree, seerdb_slice lower,
                                   seerdb_slice upper)
{
    seerdb *db = tree->db;
    uint64_t live = seerdb_tree_count_estimate(tree);
    if (sdb_check_process(db, NULL) != 0)
        return 0;
    sdb_lock_db(&db->lock);
    struct sdb_read_state *s = sdb_read_state_ref(tree->state);
    sdb_unlock_db(&db->lock);
    double all = rank_of(s, (seerdb_slice){NULL, 0}, true);
    double between = rank_of(s, upper, true) - rank_of(s, lower, false);
    sdb_read_state_unref(s);
    /* Tombstones and what they delete are taken to lie evenly. */
    return between <= 0 || all <= 0 ? 0 : (uint64_t)((double)live * between / all);
}
