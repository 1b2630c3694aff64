/* SPDX-License-Identifier: Apache-2.0
 *
 * view -- the state of one tree as of one commit, held for whoever reads it.
 *
 * Life: open, any number of refs and closes; rest and reopen spare the allocation
 * (seerdb.h).  One thread at a time, but for the counting. */
#ifndef SDB_DB_VIEW_H
#define SDB_DB_VIEW_H

#include "db/state.h"
#include "tree/mergeop.h"

/* The tree's read state and its last commit number, taken together. */
struct seerdb_view {
    _Atomic uint32_t count;
    seerdb_tree *tree;            /* a counted handle */
    struct sdb_read_state *state; /* counted */
    uint64_t number;
    uint64_t time_us; /* when the snapshot that it is of was taken; 0: of none */
    const struct sdb_hidden *hidden; /* what of the memtables does not count; NULL: all
                                        does.  Borrowed from state or from `own` */
    struct sdb_hidden own;           /* of a reader whose marker is its own matter */
    const seerdb_interrupt *interrupt; /* borrowed: for iterators; NULL: nobody */
    bool lazy;                         /* segments are left where they are */
    const struct sdb_sieve *sieve; /* borrowed from tree; NULL: rows have no filter */
    uint64_t now_us;               /* the time it is asked for */
    struct sdb_merging merging;    /* owned: scratch of sdb_merged_get */
    _Alignas(64) struct sdb_tally tally; /* apart from what others may write */
};

#endif
