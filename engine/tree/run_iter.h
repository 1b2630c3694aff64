/* SPDX-License-Identifier: Apache-2.0
 *
 * run_iter -- walk a sorted run, table after table.
 *
 * Tables are opened as the walk comes to them; one is open at a time. */
#ifndef SDB_TREE_RUN_ITER_H
#define SDB_TREE_RUN_ITER_H

#include "table/hidden.h"
#include "table/table_iter.h"
#include "tree/version.h"

/* The iterator holds a count on v; `run` is one of its runs.  Records of a spilled
 * table show its commit for their number. */
int sdb_run_iter(struct sdb_version *v, const struct sdb_run *run, uint64_t ceiling,
                 struct sdb_iter **out, seerdb_err *err) SDB_MUST_CHECK;

/* The same for spilled tables of which no version of the tree knows yet. */
struct sdb_run_shown {
    uint64_t as;      /* the number to show; 0: each table's commit */
    uint64_t ceiling; /* of the tables' commits */
    /* Of private tables of a batch, ordinals that were rolled back: a table that holds
     * no others, after its minimum number and up to its maximum, is passed over. NULL:
     * none; borrowed, and may change while the iterator is open. */
    const struct sdb_hidden *hidden;
};
int sdb_run_iter_spilled(struct sdb_version *v, const struct sdb_run *run,
                         const struct sdb_run_shown *shown, struct sdb_iter **out,
                         seerdb_err *err) SDB_MUST_CHECK;

/* Use one again, for a version of either kind. Requires: it was made by one of these
 * and is at rest. */
void sdb_run_iter_aim(struct sdb_iter *it, struct sdb_version *v,
                      const struct sdb_run *run, const struct sdb_run_shown *shown);

#endif
