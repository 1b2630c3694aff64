/* SPDX-License-Identifier: Apache-2.0
 *
 * run_iter -- walk a sorted run, table after table.
 *
 * Tables are opened as the walk comes to them; one is open at a time. */
#ifndef SDB_TREE_RUN_ITER_H
#define SDB_TREE_RUN_ITER_H

#include "table/table_iter.h"
#include "tree/version.h"

/* The iterator holds a count on v; `run` is one of its runs. */
int sdb_run_iter(struct sdb_version *v, const struct sdb_run *run, uint64_t ceiling,
                 struct sdb_iter **out, seerdb_err *err) SDB_MUST_CHECK;

#endif
