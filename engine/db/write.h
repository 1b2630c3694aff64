/* SPDX-License-Identifier: Apache-2.0
 *
 * write -- prepare, commit, rollback. */
#ifndef SDB_DB_WRITE_H
#define SDB_DB_WRITE_H

#include "db/state.h"

/* Insert a commit's records into the active memtables of its trees and publish its
 * number.  `file` is the log file it stands in.  Parts that tables already hold, and
 * parts of dropped trees, are skipped.  For commit and recovery. */
int sdb_apply(seerdb *db, seerdb_slice payload, const char *where, uint64_t file,
              seerdb_err *err) REQUIRES(LK_WRITE) EXCLUDES(LK_DB) SDB_MUST_CHECK;

#endif
