/* SPDX-License-Identifier: Apache-2.0
 *
 * marker -- a table's last commit as SQLite's transaction sees it, and the view of the
 * tree that belongs to it.
 *
 * The marker is a number in the shadow row.  A reader takes it from SQLite's own
 * snapshot and sees the tree as of exactly that commit, so that it sees its ordinary
 * tables and ours at one moment.  A writer holds SQLite's write lock: the marker that
 * it reads is the truth, and the store is told so before the first write.
 *
 * Tables of stores in memory have no marker: all of this passes them by. */
#ifndef SVT_MARKER_H
#define SVT_MARKER_H

#include "table.h"

/* The view of what the running statement sees, shared with the cursors beside it; the
 * caller is one of its users.  Only in xFilter: the statement holds SQLite's snapshot.
 * `held` is what the cursor got from here in an earlier xFilter of the same statement,
 * or NULL; when *out is another, leave `held`.  SQLITE_BUSY: a commit is still
 * undecided; SQLITE_BUSY_SNAPSHOT: the state is gone. */
int svt_marker_enter(struct svt_table *t, struct svt_view *held, struct svt_view **out);

/* Be no user of the view any more.  Requires: no iterator of the caller's is over it.
 */
void svt_marker_leave(struct svt_table *t, struct svt_view *view);

/* The first write of the transaction to t's tree is coming: agree with the store on the
 * marker that it builds upon.  Requires: SQLite's write lock, in xBegin or xUpdate. */
int svt_marker_expect(struct svt_table *t, seerdb_batch *batch);

/* Write the marker into the shadow row, in xSync.  SQLITE_NOTFOUND: the table is gone,
 * undone together with the DDL of this transaction that made it. */
int svt_marker_write(struct svt_table *t, uint64_t marker);

/* The transaction that wrote the marker was committed: the next statement need not read
 * it. Requires: nothing else changed it, and svt_marker_expect was called for t. */
void svt_marker_remember(struct svt_table *t, uint64_t marker);

/* Take SQLite's write lock for a moment and tell the store the marker, as a writer
 * would: after a crash it may not move commits to tables before.  Of a foreign database
 * (decider.h), make the decisions about commits with numbers smaller than `below`
 * durable, too. */
int svt_marker_settle(struct svt_table *t, uint64_t below);

/* Do something under SQLite's write lock, outside of the transactions that txn.c knows,
 * in a savepoint.  What fails is undone. */
int svt_marker_locked(struct svt_table *t, int (*act)(struct svt_table *t, void *ctx),
                      void *ctx);

/* The tree is the database's again, after the user's word.  Not within a transaction
 * that has written to the table. */
int svt_marker_accept(struct svt_table *t, uint64_t *number);

#endif
