/* SPDX-License-Identifier: Apache-2.0
 *
 * sift -- the filter of a tree in background work: seerdb.h, "filters"; tree/sieve.h.
 */
#ifndef SDB_DB_SIFT_H
#define SDB_DB_SIFT_H

#include "db/state.h"

/* The time for a job that is about to begin, before it looks what snapshots there are:
 * those that come later have a later one.  0: the tree has no filter that jobs may ask.
 */
uint64_t sdb_tree_job_time(const seerdb_tree *t);
/* Have a job's fold ask the tree's filter for that time, and the writer when rows
 * expire. */
void sdb_tree_sift(const seerdb_tree *t, uint64_t now_us, struct sdb_fold *f);

#endif
