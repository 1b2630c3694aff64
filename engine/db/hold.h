/* SPDX-License-Identifier: Apache-2.0
 *
 * hold -- a store's directory held against other processes.
 *
 * One process holds it exclusively to write, or several share it to read: nobody
 * changes files that somebody else reads.  Held from the open until the descriptor is
 * closed (db->lock_file).  FORMAT.md, "Files of a store". */
#ifndef SDB_DB_HOLD_H
#define SDB_DB_HOLD_H

#include "db/state.h"

/* For writing: makes LOCK where it is missing.  BUSY, saying by whom it is held. */
int sdb_hold_alone(seerdb *db, seerdb_err *err) EXCLUDES(LK_DB) SDB_MUST_CHECK;

/* For reading: changes nothing.  Holds nothing where that is impossible, on a medium
 * that takes no writes.  BUSY, saying by whom it is held. */
int sdb_hold_shared(seerdb *db, seerdb_err *err) EXCLUDES(LK_DB) SDB_MUST_CHECK;

/* From reading to writing.  With a failure it is held for reading again, or db->lost is
 * set: another process has come in between and may have changed what was read. */
int sdb_hold_change(seerdb *db, seerdb_err *err) REQUIRES(LK_WRITE) EXCLUDES(LK_DB)
    SDB_MUST_CHECK;

#endif
