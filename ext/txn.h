/* SPDX-License-Identifier: Apache-2.0
 *
 * txn -- one batch per connection and store: SQLite's transaction, as the store sees
 * it.
 *
 * SQLite calls every method once per table; the tables of a store share the
 * transaction, so the first xSync prepares, the first xCommit commits, and the others
 * find it done. Everything that can fail happens in xSync: the batches of all stores
 * are prepared, and each table's xSync writes the number of its store's commit into its
 * shadow row, within SQLite's transaction.  So SQLite's commit decides for both sides.
 * A prepared batch that something wants to change (COMMIT answered BUSY and the
 * transaction went on) is taken back first, and prepared again under another number.
 *
 * Savepoints: a level holds the batch's mark.  SQLite announces a level to tables that
 * are in the transaction, later ones hear of the innermost level only: it then stands
 * for all missing levels below it. */
#ifndef SVT_TXN_H
#define SVT_TXN_H

#include "table.h"

struct svt_txn; /* opaque: txn.c */

/* The methods of sqlite3_module. */
int svt_txn_begin(sqlite3_vtab *base);
int svt_txn_sync(sqlite3_vtab *base);
int svt_txn_commit(sqlite3_vtab *base);
int svt_txn_rollback(sqlite3_vtab *base);
int svt_txn_savepoint(sqlite3_vtab *base, int n);
int svt_txn_release(sqlite3_vtab *base, int n);
int svt_txn_rollback_to(sqlite3_vtab *base, int n);

/* Put t's tree into the connection's transaction and get its batch, ready for writes.
 * Requires: t is open. */
int svt_txn_write(struct svt_table *t, seerdb_batch **out);

/* For rows of t that are deleted (sweep.h).  *taken: that is noted, and comes to pass
 * before anybody looks; else delete it by svt_txn_write, and tell svt_txn_deleted.  If
 * that answers true call svt_txn_watch with a view for writes. */
int svt_txn_delete(struct svt_table *t, seerdb_slice key, bool *taken);
bool svt_txn_deleted(struct svt_table *t, seerdb_slice key);
int svt_txn_watch(struct svt_table *t, seerdb_view *view);

/* While SQLite's write lock is held: SQLite has decided about all commits to t's tree
 * with numbers smaller than this. */
uint64_t svt_txn_decided_below(struct svt_table *t);

/* Note that the write which is about to happen is the tree's first, if it is. */
void svt_txn_note_write(struct svt_table *t, seerdb_batch *batch);

/* Undo the writes after `mark`: half of a statement that failed. */
void svt_txn_undo(struct svt_table *t, uint64_t mark);

/* Move what the connection's transaction has written to t's store to disk.  0, or the
 * engine's failure. */
int svt_txn_spill(struct svt_table *t, seerdb_err *err);

/* What a reader of t must see beside the tree: the batch, or NULL when the transaction
 * has no write to it.  *epoch changes whenever a mark may come to mean other writes. */
int svt_txn_batch(struct svt_table *t, seerdb_batch **out, uint64_t *epoch);

/* The transaction has writes to t's tree. */
bool svt_txn_wrote(const struct svt_table *t);

/* t's object is going away; maybe its transaction ends without a call (sqlite-facts
 * 27). */
void svt_txn_leave(struct svt_table *t);

/* t was created in this transaction; join it, because SQLite does not call xBegin. */
int svt_txn_created(struct svt_table *t);

/* Free the idle transactions of stores that the connection no longer uses. */
void svt_txn_sweep(struct svt_conn *conn);

/* Free them all; the connection is closing. */
void svt_txn_free_all(struct svt_conn *conn);

#endif
