/* SPDX-License-Identifier: Apache-2.0
 *
 * snapshot -- named snapshots of trees: taking, dropping and listing them (seerdb.h,
 * "snapshots").  Opening a view of one is db/view's. */
#ifndef SDB_DB_SNAPSHOT_H
#define SDB_DB_SNAPSHOT_H

#include "db/state.h"

/* The snapshot of this name that may be read: its place in the tree's list; MISUSE,
 * with a message that names some that there are. */
int sdb_snapshot_find(const seerdb_tree *t, seerdb_slice name, size_t *at,
                      seerdb_err *err) REQUIRES(LK_DB) SDB_MUST_CHECK;

#endif
