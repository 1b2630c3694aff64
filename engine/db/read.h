/* SPDX-License-Identifier: Apache-2.0
 *
 * read -- views, point lookups and iterators.
 *
 * A view is the tree's read state and its last commit number, taken together. */
#ifndef SDB_DB_READ_H
#define SDB_DB_READ_H

#include "db/state.h"

struct seerdb_view {
    _Atomic uint32_t count;
    seerdb_tree *tree;            /* a counted handle */
    struct sdb_read_state *state; /* counted */
    uint64_t number;
    const struct sdb_hidden *hidden; /* what of the memtables does not count; NULL: all
                                        does.  Borrowed from state or from `own` */
    struct sdb_hidden own;           /* of a reader whose marker is its own matter */
};

#endif
