/* SPDX-License-Identifier: Apache-2.0
 *
 * Levels and tables of a tree, for whoever asks. */
#include "db/compact.h"

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
