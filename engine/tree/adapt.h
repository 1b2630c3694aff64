/* SPDX-License-Identifier: Apache-2.0
 *
 * adapt -- which compaction policy suits what is done with a tree.
 *
 * A pure function: told at each flush what was done since the one before, it weighs the
 * cost of writing against that of reading under each fixed policy, and says when
 * another one than now would be cheaper by enough and for long enough.  All zeros is a
 * tree of which nothing is known; it begins with SEERDB_LEVELED. */
#ifndef SDB_TREE_ADAPT_H
#define SDB_TREE_ADAPT_H

#include "seerdb.h"

#define SDB_POLICIES (SEERDB_TIERED + 1) /* the fixed ones */

/* What was done, in operations. */
struct sdb_load {
    double writes, gets, seeks, rows; /* rows: that scans came to */
};

struct sdb_adapt {
    enum seerdb_compaction now;
    struct sdb_load load;        /* of late: each flush counts half of the next */
    enum seerdb_compaction wish; /* that was cheaper last time */
    unsigned times;              /* in succession */
    double cost[SDB_POLICIES];   /* of the last look: nanoseconds per operation */
};

/* `since`: since the last call; `batches`: how many times what level 0 passes down at a
 * time the tree has in its tables.  True: a->now has changed. */
bool sdb_adapt(struct sdb_adapt *a, const struct sdb_load *since, double batches);

/* What an operation of the load costs under each policy: for tests, and to tell. */
void sdb_adapt_costs(const struct sdb_load *load, double batches,
                     double cost[SDB_POLICIES]);

#endif
