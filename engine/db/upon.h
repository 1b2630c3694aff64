/* SPDX-License-Identifier: Apache-2.0
 *
 * upon -- merges of a batch into what it has itself put or deleted.
 *
 * One thread; no locks. */
#ifndef SDB_DB_UPON_H
#define SDB_DB_UPON_H

#include "db/spill.h"

/* What a batch has written to a tree.  All of it is borrowed. */
struct sdb_upon {
    const seerdb_merge_operator *op;
    struct sdb_merging *merging;
    struct sdb_memtable *memtable;
    struct sdb_version *runs;        /* private tables, older than that; NULL: none */
    const struct sdb_hidden *hidden; /* what was rolled back, in both */
    struct sdb_values *values;
    size_t small; /* bytes of a value that is made whenever it can be */
};

/* Take r, a merge record that is about to be written, to the operator, if it builds
 * upon a value or a tombstone of the batch's own.  0: r stays, or has become a value or
 * a tombstone, borrowed from merging.  Else what the operator answered. */
int sdb_upon(const struct sdb_upon *u, struct sdb_record *r, seerdb_err *err)
    EXCLUDES(LK_RANGES) SDB_MUST_CHECK;

#endif
