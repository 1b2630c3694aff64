/* SPDX-License-Identifier: Apache-2.0
 *
 * Levels and tables of a tree, and how a store is doing, for whoever asks. */
#include "db/compact.h"
#include "db/job.h"
#include "db/pressure.h"

#include <stdio.h>

static struct sdb_version *version_of(seerdb_tree *tree)
{
    sdb_lock_db(&tree->db->lock);
    struct sdb_version *v = sdb_version_ref(tree->state->version);
    sdb_unlock_db(&tree->db->lock);
    return v;
}

int seerdb_levels(seerdb_tree *tree, bool (*each)(void *ctx, const seerdb_level *level),
                  void *ctx, seerdb_err *err)
{
    struct sdb_level levels[SDB_LEVELS];
    int rc = sdb_check_process(tree->db, err);
    if (rc != 0)
        return rc;
    struct sdb_policy p = sdb_compact_policy(tree, UINT64_MAX);
    struct sdb_version *v = version_of(tree);
    sdb_picker_levels(v, &p, levels);
    sdb_version_unref(v);
    for (uint32_t i = 0; i < SDB_LEVELS; i++) {
        const struct sdb_level *l = &levels[i];
        seerdb_level level = {.level = i,
                              .runs = l->runs,
                              .tables = l->tables,
                              .bytes = l->bytes,
                              .records = l->records,
                              .tombstones = l->tombstones,
                              .ranges = l->ranges,
                              .target = l->target,
                              .score = l->score};
        if (!each(ctx, &level))
            break;
    }
    return 0;
}

int seerdb_files(seerdb_tree *tree, bool (*each)(void *ctx, const seerdb_file *file),
                 void *ctx, seerdb_err *err)
{
    int rc = sdb_check_process(tree->db, err);
    if (rc != 0)
        return rc;
    struct sdb_version *v = version_of(tree);
    for (uint32_t i = 0; i < v->nmembers; i++) {
        const struct sdb_table_desc *d = &v->members[i]->desc;
        seerdb_file file = {.file = d->file,
                            .level = d->level,
                            .run = d->run,
                            .bytes = d->size,
                            .records = d->records,
                            .tombstones = d->tombstones,
                            .ranges = d->ranges,
                            .key_bytes = d->key_bytes,
                            .value_bytes = d->value_bytes,
                            .min_commit = d->min_number,
                            .max_commit = d->max_number};
        if (!each(ctx, &file))
            break;
    }
    sdb_version_unref(v);
    sdb_empty_graveyard(tree->db); /* it may have been the last to hold some */
    return 0;
}

/* The first failure that somebody should know: what stops writes, a job, a compaction.
 */
static void find_failure(const seerdb *db, seerdb_condition *out) REQUIRES(LK_DB)
{
    const seerdb_err *why = &db->bg_err;
    out->refuses = why->code != 0;
    out->resumable = !db->beyond_resume;
    for (const struct sdb_job *j = db->jobs; j != NULL && why->code == 0; j = j->next)
        if (j->why.code != SEERDB_BUSY)
            why = &j->why;
    for (const seerdb_tree *t = db->trees; t != NULL && why->code == 0; t = t->next)
        if (!t->dropped && t->debt.why.code != SEERDB_BUSY &&
            t->debt.why.code != SEERDB_INTERRUPTED)
            why = &t->debt.why;
    out->failure = why->code;
    snprintf(out->why, sizeof out->why, "%s", why->msg);
}

int seerdb_look(seerdb *db, const seerdb_tree *tree, seerdb_condition *out,
                seerdb_err *err)
{
    int rc = sdb_check_process(db, err);
    *out = (seerdb_condition){.failure = rc};
    if (rc != 0)
        return rc;
    sdb_lock_write(&db->write_lock);
    sdb_lock_db(&db->lock);
    find_failure(db, out);
    out->paused = db->compaction_paused;
    for (const seerdb_tree *t = db->trees; t != NULL; t = t->next) {
        out->table_memory += t->state->version->memory + t->map_memory;
        out->undecided += t->undecided != NULL;
    }
    out->log_bytes = db->wal != NULL ? sdb_wal_live_bytes(db->wal) : db->log_bytes;
    sdb_unlock_db(&db->lock);
    /* The owner may have committed, and not told yet, what is prepared here. */
    out->last_commit = atomic_load_explicit(&tree->last_commit, memory_order_relaxed);
    if (tree->undecided != NULL && tree->undecided->number > out->last_commit)
        out->last_commit = tree->undecided->number;
    sdb_unlock_write(&db->write_lock);
    out->log_cap = db->log_cap;
    out->memory_limit = db->memory_limit;
    out->writes = sdb_pressure_of(tree);
    out->level0_runs = atomic_load_explicit(&tree->runs0, memory_order_relaxed);
    return 0;
}
