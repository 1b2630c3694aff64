/* SPDX-License-Identifier: Apache-2.0
 *
 * debt -- what trees owe to compaction, and the waking of its thread (compact.h). */
#ifndef SDB_DB_DEBT_H
#define SDB_DB_DEBT_H

#include "db/state.h"

/* The tree's version changed: note what it owes, and wake the thread. */
void sdb_debt_note(seerdb_tree *t) REQUIRES(LK_DB);

/* Tables came to level 0.  Of SEERDB_ADAPTIVE: see whether another policy is due. */
void sdb_debt_adapt(seerdb_tree *t) EXCLUDES(LK_DB);

/* Start the compaction thread if it is not there, and wake it. */
int sdb_debt_wake(seerdb *db, seerdb_err *err) REQUIRES(LK_DB);

#endif
