/* SPDX-License-Identifier: Apache-2.0
 *
 * recover -- from the files of a store to its state in memory.
 *
 * First half: reads the manifest and the log, opens the tables, replays what they do
 * not hold; changes nothing on disk, unless it makes the store.  That is all that
 * reading needs.  Second half, for writing: puts what was read on stable storage,
 * removes files that the manifest does not know, opens the log. */
#ifndef SDB_DB_RECOVER_H
#define SDB_DB_RECOVER_H

#include "db/state.h"

/* Is there a store, or with `create` a place where one may be made?  Reads only: before
 * the lock is taken, so that nothing is left in the directory of somebody else. */
int sdb_recover_look(seerdb *db, bool create, seerdb_err *err) SDB_MUST_CHECK;

/* Load or create the manifest, build the trees, replay the log.  `create`: make the
 * store where the directory holds none. */
int sdb_recover(seerdb *db, bool create, uint64_t log_file_size, seerdb_err *err)
    SDB_MUST_CHECK;

/* Make the recovered store one that may be written: db->read_only ends.  *logs: how
 * many log files were replayed.  After a failure it is as it was, and this may be
 * repeated.  Requires: the directory is held for writing. */
int sdb_recover_begin(seerdb *db, size_t *logs, seerdb_err *err) REQUIRES(LK_WRITE)
    EXCLUDES(LK_DB) SDB_MUST_CHECK;

/* Afterwards: flush what replay has filled.  INTERRUPTED: not waited for. */
int sdb_recover_flush(seerdb *db, size_t logs, seerdb_err *err)
    EXCLUDES(LK_WRITE, LK_DB) SDB_MUST_CHECK;

void sdb_recovered_free(struct sdb_recovered *r); /* accepts NULL */

#endif
