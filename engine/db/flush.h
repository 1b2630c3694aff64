/* SPDX-License-Identifier: Apache-2.0
 *
 * flush -- turn memtables into tables.
 *
 * Freezing closes a tree's active memtable at a commit boundary and queues a job that
 * writes it as a level-0 table.  A memtable and its log files go only after the table,
 * its directory and the manifest record that lists it are on stable storage. */
#ifndef SDB_DB_FLUSH_H
#define SDB_DB_FLUSH_H

#include "db/job.h"

/* Close the active memtable and queue its flush; nothing to do when it is empty.  FULL:
 * too many wait for theirs. */
int sdb_freeze(seerdb_tree *t, seerdb_err *err) REQUIRES(LK_WRITE) EXCLUDES(LK_DB)
    SDB_MUST_CHECK;

/* The same, however many wait: a spilled commit needs it. */
int sdb_freeze_anyway(seerdb_tree *t, seerdb_err *err) REQUIRES(LK_WRITE)
    EXCLUDES(LK_DB) SDB_MUST_CHECK;

/* Freeze what has grown over its share of memory or holds back too much log.  Called
 * after a commit to t. */
int sdb_freeze_where_due(seerdb_tree *t, seerdb_err *err) REQUIRES(LK_WRITE)
    EXCLUDES(LK_DB) SDB_MUST_CHECK;

/* A side file has the tree's commits up to `covered`; those above it that are applied
 * stand in log file `from` or behind it.  Let the log below go, as far as this tree is
 * concerned. */
void sdb_flush_unpin(seerdb_tree *t, uint64_t covered, uint64_t from) REQUIRES(LK_WRITE)
    EXCLUDES(LK_DB);

/* The oldest log file that memtables, queued flushes and undecided commits need. */
uint64_t sdb_log_floor(seerdb *db, const struct sdb_job *without) REQUIRES(LK_WRITE)
    EXCLUDES(LK_DB);

/* Let go of log files that nothing needs, without a flush. */
int sdb_log_trim(seerdb *db, seerdb_err *err) REQUIRES(LK_WRITE) EXCLUDES(LK_DB)
    SDB_MUST_CHECK;

#endif
