/* SPDX-License-Identifier: Apache-2.0
 *
 * pressure -- how commits wait for flushes and compactions.
 *
 * What lies behind slows commits down a little, in proportion to their size, from early
 * on; it stops them only at the end of memory, or where reads would suffer. Nobody
 * waits for what can't come: background work that fails, is paused, or waits itself for
 * a decision. */
#ifndef SDB_DB_PRESSURE_H
#define SDB_DB_PRESSURE_H

#include "db/batch.h"

/* Called for an encoded batch before it takes its place in the log.  A flush that fails
 * for want of space is its failure: nobody hangs on a full disk.  INTERRUPTED. */
int sdb_pressure_wait(const seerdb_batch *b, seerdb_err *err) EXCLUDES(LK_WRITE, LK_DB)
    SDB_MUST_CHECK;

/* What commits to the tree have to expect. */
enum seerdb_writes sdb_pressure_of(const seerdb_tree *t);

#endif
