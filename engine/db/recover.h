/* SPDX-License-Identifier: Apache-2.0
 *
 * recover -- from the files of a store to its state in memory.
 *
 * Reads the manifest and the log, opens the tables, replays what they do not hold.
 * Changes nothing on disk but to remove files that the manifest does not know. */
#ifndef SDB_DB_RECOVER_H
#define SDB_DB_RECOVER_H

#include "db/state.h"

/* Is there a store, or with `create` a place where one may be made?  Reads only: before
 * the lock is taken, so that nothing is left in the directory of somebody else. */
int sdb_recover_look(seerdb *db, bool create, seerdb_err *err) SDB_MUST_CHECK;

/* Load or create the manifest, build the trees, replay the log, open it for appending.
 * `create`: make the store where the directory holds none. */
int sdb_recover(seerdb *db, bool create, uint64_t log_file_size, seerdb_err *err)
    SDB_MUST_CHECK;

#endif
