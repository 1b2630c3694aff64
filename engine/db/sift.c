/* SPDX-License-Identifier: Apache-2.0 */
#include "db/sift.h"

#include "db/debt.h"

uint64_t sdb_tree_job_time(const seerdb_tree *t)
{
    return sdb_tree_job_sieve(t) != NULL ? sdb_now_us(t->db) : 0;
}

void sdb_tree_sift(const seerdb_tree *t, uint64_t now_us, struct sdb_fold *f)
{
    f->sieve = now_us > 0 ? sdb_tree_job_sieve(t) : NULL;
    f->now_us = now_us;
    f->resolve = sdb_values_resolve; /* merges need it too */
    f->resolve_ctx = t->db->values;
}

/* The tree has got its filter: rows of its tables may have expired, or will. */
static void expect_expiry(seerdb_tree *tree)
{
    bool any = false;
    sdb_lock_db(&tree->db->lock);
    const struct sdb_version *v = tree->state->version;
    for (size_t i = 0; i < v->nmembers && !any; i++)
        any = v->members[i]->desc.first_expiry != 0 &&
              v->members[i]->desc.expiry_due != UINT64_MAX;
    if (any && !seerdb_is_read_only(tree->db)) {
        tree->debt.look = true;
        tree->debt.look_at_us = 0;
        (void)!sdb_debt_wake(tree->db, NULL); /* else with the next flush */
    }
    sdb_unlock_db(&tree->db->lock);
}

int seerdb_tree_filter_with(seerdb_tree *tree, const seerdb_filter *filter,
                            seerdb_err *err)
{
    struct sdb_sieve *fresh = NULL, *none = NULL;
    int rc = sdb_check_process(tree->db, err);
    if (rc == 0)
        rc = sdb_sieve_new(filter, &fresh, err);
    if (rc == 0 && !atomic_compare_exchange_strong_explicit(&tree->sieve, &none, fresh,
                                                            memory_order_release,
                                                            memory_order_relaxed))
        sdb_sieve_free(fresh);
    else if (rc == 0)
        expect_expiry(tree);
    return rc;
}
