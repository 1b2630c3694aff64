/* SPDX-License-Identifier: Apache-2.0
 *
 * spill -- write part of a batch to a private table, which no version lists.
 *
 * The table holds what stands of the writes after one ordinal and up to another: one
 * record per key, and 0 for its number.  It is a member whose desc says, as long as it
 * is private: commit, SDB_NUMBER_BATCH + the last ordinal; min_number and max_number,
 * the two ordinals; level 1 and run, the sorted run of the batch it is part of.  The
 * file goes with the last count on the member. */
#ifndef SDB_DB_SPILL_H
#define SDB_DB_SPILL_H

#include "db/state.h"
#include "tree/gather.h"

struct sdb_spill {
    seerdb_tree *tree;
    struct sdb_memtable *memtable;   /* numbers are ordinals; holds none up to `from` */
    const struct sdb_hidden *hidden; /* ordinals rolled back */
    struct sdb_merging *merging;     /* borrowed: scratch */
    uint64_t from, to;               /* ordinals: after the one, up to the other */
    struct sdb_version *runs;        /* what was spilled before; NULL: nothing */
};

/* What a commit keeps of a segment: the newest version of each key, less those that a
 * later range tombstone of it covers, and where its range tombstones lie; all of it
 * gets one number, so that nothing in it deletes anything else in it.
 *
 * ranges: the standing range tombstones of the segment, by their ordinals; one count,
 * or NULL.  joined: from fragment i on, all that touch as one, without a number;
 * returns the next i. */
int sdb_spill_ranges(const struct sdb_spill *s, struct sdb_ranges **out,
                     seerdb_err *err) SDB_MUST_CHECK;
size_t sdb_spill_joined(const struct sdb_ranges *ranges, size_t i,
                        struct sdb_range *out);

/* Write the table and open it.  *out is a version with one count: s->runs (whose count
 * stays the caller's) and the table, in the newest run if it overlaps nothing there,
 * else in a new one.  NOTFOUND: nothing stands, s->runs says it all.  Nothing else is
 * done to it: the caller syncs the directory before anybody relies on the file. */
int sdb_spill_write(const struct sdb_spill *s, struct sdb_version **out,
                    seerdb_err *err) EXCLUDES(LK_WRITE, LK_INSTALL, LK_DB)
    SDB_MUST_CHECK;

/* A number for a file, durably reserved. */
int sdb_spill_number(seerdb *db, uint64_t *number, seerdb_err *err)
    EXCLUDES(LK_WRITE, LK_INSTALL, LK_DB) SDB_MUST_CHECK;

/* Would these runs say something else with one number for all?  A range deletes in runs
 * that are older than its own. */
bool sdb_spill_must_merge(const struct sdb_version *runs);

/* Write what they say together to new private tables: *out, one count, is one run.
 * Merge records of several runs have to be, too: with one number for all, nobody could
 * tell which of them are still to be counted. */
int sdb_spill_merge(seerdb_tree *tree, struct sdb_version *runs,
                    struct sdb_merging *merging, struct sdb_version **out,
                    seerdb_err *err) EXCLUDES(LK_WRITE, LK_INSTALL, LK_DB)
    SDB_MUST_CHECK;

#endif
