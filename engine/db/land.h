/* SPDX-License-Identifier: Apache-2.0
 *
 * land -- bring the spilled tables of a commit into the tree.
 *
 * Before the prepare is logged the manifest lists them as pending, durably.  With it
 * they are put into the tree's read state, under the commit's number, so that
 * committing is nothing but publishing the number.  A *landing* is the job that then
 * waits its turn behind the flushes of older memtables, makes the owner's decision
 * durable, and lists the tables as part of the tree; or drops them, if the commit
 * turned out not to count. Until then its prepare stays in the log.  FORMAT.md, "Commit
 * log", "Manifest". */
#ifndef SDB_DB_LAND_H
#define SDB_DB_LAND_H

#include "db/batch.h"
#include "db/job.h"

/* Make the tables of the encoded batch durable and list them as pending. */
int sdb_land_list(seerdb_batch *b, seerdb_err *err)
    EXCLUDES(LK_WRITE, LK_INSTALL, LK_DB) SDB_MUST_CHECK;

/* Put the tables of the batch into the read states of their trees, as commit `number`,
 * and freeze what commits before it wrote.  On failure sdb_land_undo is due. */
int sdb_land_prepare(seerdb_batch *b, uint64_t number, seerdb_err *err)
    REQUIRES(LK_WRITE) EXCLUDES(LK_DB) SDB_MUST_CHECK;

/* The commit does not exist: nobody will ever see it. */
void sdb_land_undo(seerdb_batch *b) REQUIRES(LK_WRITE) EXCLUDES(LK_DB);

/* Its outcome is decided, or left to the owner: queue the landings. */
void sdb_land_submit(seerdb_batch *b) REQUIRES(LK_WRITE) EXCLUDES(LK_DB);

/* Recovery found the commit in the log: do for its part what prepare and submit did.
 * `files` are those of the part, which stands in log file log_file. */
int sdb_land_recover(seerdb_tree *t, uint64_t number, const uint64_t *files, size_t n,
                     uint64_t log_file, seerdb_err *err) REQUIRES(LK_WRITE)
    EXCLUDES(LK_DB) SDB_MUST_CHECK;

/* The log was replayed: let go of pending tables that no commit in it names. */
int sdb_land_sweep(seerdb *db, seerdb_err *err) REQUIRES(LK_WRITE) EXCLUDES(LK_DB)
    SDB_MUST_CHECK;

#endif
