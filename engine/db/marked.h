/* SPDX-License-Identifier: Apache-2.0
 *
 * marked -- trees whose commits an outside marker decides (seerdb.h, "marked trees").
 *
 * Recovery replays every logged commit of a marked tree into its memtable, counting or
 * not, and notes the chain.  A marker then says which ones count; the others are hidden
 * from every reader and never reach a table.  A commit that is rolled back after its
 * prepare goes the same way: applied, and hidden.  So there is one mechanism, and a
 * rollback that the owner turns out to have kept needs nothing but another set of
 * hidden numbers. */
#ifndef SDB_DB_MARKED_H
#define SDB_DB_MARKED_H

#include "db/state.h"

/* Note a logged commit of the tree. */
int sdb_marked_logged(seerdb_tree *t, uint64_t number, uint64_t prev, seerdb_err *err)
    REQUIRES(LK_WRITE) SDB_MUST_CHECK;

/* Hide a commit that was applied but rolled back. */
int sdb_marked_hide(seerdb_tree *t, uint64_t number, uint64_t prev, seerdb_err *err)
    REQUIRES(LK_WRITE) EXCLUDES(LK_DB) SDB_MUST_CHECK;

/* Was a commit logged after the last one that counts?  The next one must be synced, so
 * that the log cannot lose it and keep this one. */
bool sdb_marked_in_doubt(const seerdb_tree *t) REQUIRES(LK_WRITE);

/* What a reader with this marker must not see: ranges is a new array, owned by the
 * caller (NULL: as the tree's state says). MISMATCH. */
int sdb_marked_hidden(seerdb_tree *t, uint64_t marker, struct sdb_hidden_range **ranges,
                      size_t *n, seerdb_err *err) REQUIRES(LK_WRITE) EXCLUDES(LK_DB)
    SDB_MUST_CHECK;

/* Wait until no undecided commit carries `marker`, at most wait_ms.  BUSY. */
int sdb_marked_wait(seerdb_tree *t, uint64_t marker, unsigned wait_ms, seerdb_err *err)
    REQUIRES(LK_WRITE) SDB_MUST_CHECK;

/* May commits of the tree with numbers smaller than `below` go to tables?  Asks the
 * owner's decider.  BUSY: not yet. */
int sdb_marked_decide(seerdb_tree *t, uint64_t below, seerdb_err *err)
    EXCLUDES(LK_WRITE, LK_INSTALL, LK_DB) SDB_MUST_CHECK;

/* Make sure that the commit `marker`, which the owner sees in a state of its own, is
 * not lost by the owner: waits until it is decided, at most wait_ms, and asks the
 * owner's decider to make it durable.  BUSY: neither. */
int sdb_marked_keep(seerdb_tree *t, uint64_t marker, unsigned wait_ms, seerdb_err *err)
    EXCLUDES(LK_WRITE, LK_INSTALL, LK_DB) SDB_MUST_CHECK;

void sdb_deciders_free(seerdb *db);

#endif
