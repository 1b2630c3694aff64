/* SPDX-License-Identifier: Apache-2.0
 *
 * compact -- one thread per store that merges tables as the picker says.
 *
 * It starts with the first debt.  It looks at trees whose version changed, does one
 * pick at a time, and goes on until the picker has nothing more.  While a flush runs it
 * waits, and it holds no lock during I/O.  A compaction that fails leaves its inputs as
 * they are, and its tree is looked at again after a pause; nobody else is concerned,
 * unless the manifest itself failed. */
#ifndef SDB_DB_COMPACT_H
#define SDB_DB_COMPACT_H

#include "db/state.h"
#include "tree/picker.h"

/* The thread, started by sdb_debt_wake; arg is the store. */
void *sdb_compactor_main(void *arg);

/* After recovery: start the thread if any tree owes something, but give a program that
 * opens the store only to ask something the time to do so. */
int sdb_compact_begin(seerdb *db, seerdb_err *err) EXCLUDES(LK_WRITE, LK_DB)
    SDB_MUST_CHECK;

/* How the tree is compacted now; `droppable` as in the picker. */
struct sdb_policy sdb_compact_policy(const seerdb_tree *t, uint64_t droppable);

/* Everything of the tree (NULL: of every tree) that is in tables into one run, with
 * `gc` the garbage in the value log too, and wait. As seerdb_compact. */
int sdb_compact_all(seerdb *db, seerdb_tree *tree, bool gc, seerdb_err *err)
    EXCLUDES(LK_DB) SDB_MUST_CHECK;
void sdb_compact_pause(seerdb *db, bool paused) EXCLUDES(LK_DB);

/* End the thread in the middle of what it does.  The store is closing. */
void sdb_compact_stop(seerdb *db) EXCLUDES(LK_DB);

#endif
