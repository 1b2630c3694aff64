/* SPDX-License-Identifier: Apache-2.0
 *
 * edit -- changes to a catalog, in the bytes that the manifest keeps.
 *
 * Life: zero-initialise, any of the functions (many), apply (log/catalog.h) or append
 * (log/manifest.h), fini.  No locks.  FORMAT.md, "Manifest". */
#ifndef SDB_LOG_EDIT_H
#define SDB_LOG_EDIT_H

#include "log/catalog.h"

/* An edit is the bytes it will have in the manifest; build it with these.  Sticky. */
struct sdb_edit {
    struct sdb_buf bytes;
};
void sdb_edit_store(struct sdb_edit *e, const seerdb_uuid *id, uint64_t features);
void sdb_edit_ceilings(struct sdb_edit *e, uint64_t number_ceiling,
                       uint64_t file_ceiling);
void sdb_edit_log_floor(struct sdb_edit *e, uint64_t file);
void sdb_edit_tree(struct sdb_edit *e,
                   const struct sdb_tree_desc *t); /* without tables */
void sdb_edit_tree_merge(struct sdb_edit *e, uint64_t tree, seerdb_slice name);
void sdb_edit_tree_values(struct sdb_edit *e, uint64_t tree, uint64_t size);
void sdb_edit_tree_intent(struct sdb_edit *e, uint64_t tree);
void sdb_edit_tree_drop(struct sdb_edit *e, uint64_t tree);
void sdb_edit_tree_numbers(struct sdb_edit *e, uint64_t tree, uint64_t flushed,
                           uint64_t last_commit, uint64_t fold_floor);
/* Pending or not, as t says, and what it holds for snapshots; a table that is pending
 * may be added for good later. */
void sdb_edit_table_add(struct sdb_edit *e, uint64_t tree,
                        const struct sdb_table_desc *t);
void sdb_edit_table_remove(struct sdb_edit *e, uint64_t tree, uint64_t file);
void sdb_edit_next_tree(struct sdb_edit *e, uint64_t id);
void sdb_edit_tree_aside(struct sdb_edit *e, uint64_t tree,
                         const struct sdb_aside_desc *aside);
void sdb_edit_owner(struct sdb_edit *e, const struct sdb_owner_desc *o);
void sdb_edit_snapshot_add(struct sdb_edit *e, uint64_t tree,
                           const struct sdb_snapshot *s);
void sdb_edit_snapshot_drop(struct sdb_edit *e, uint64_t tree, seerdb_slice name);
/* All that builds c from nothing. */
void sdb_edit_snapshot(struct sdb_edit *e, const struct sdb_catalog *c);
void sdb_edit_fini(struct sdb_edit *e);

#endif
