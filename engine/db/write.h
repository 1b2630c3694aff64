/* SPDX-License-Identifier: Apache-2.0
 *
 * write -- prepare, commit, rollback. */
#ifndef SDB_DB_WRITE_H
#define SDB_DB_WRITE_H

#include "db/state.h"

/* Insert a commit's records into the active memtables of its trees and publish its
 * number.  `file` is the log file it stands in.  Parts that tables already hold, and
 * parts of dropped trees, are skipped.  For commit and recovery. */
enum sdb_apply_mode {
    SDB_APPLY_PUBLISH, /* it stands: readers see it */
    SDB_APPLY_HIDE,  /* of marked trees: rolled back, but the owner may have kept it */
    SDB_APPLY_LOGGED /* recovery of marked trees: a marker will tell */
};
int sdb_apply(seerdb *db, seerdb_slice payload, enum sdb_apply_mode mode,
              const char *where, uint64_t file, seerdb_err *err) REQUIRES(LK_WRITE)
    EXCLUDES(LK_DB) SDB_MUST_CHECK;

#endif
