/* SPDX-License-Identifier: Apache-2.0
 *
 * erase -- delete all rows of a range at the cost of one write.
 *
 * The commands delete_range and truncate have no row to give to SQLite, and still must
 * be part of its transaction: locks, savepoints, the marker.  So they run a statement
 * of their own, an INSERT, and when it calls xUpdate the table does what is noted in
 * its keyspace, instead of taking the row. */
#ifndef SVT_ERASE_H
#define SVT_ERASE_H

#include "txn.h"

/* Delete the rows whose first key column, or rowid, is at least `lo` and below `hi`, in
 * the order of the values whatever that of the keys.  They are read as the column would
 * store them; NULL, the pointer or the value: no bound.  A failure's sentence is in
 * t->base.zErrMsg.  Requires: t is open. */
int svt_erase_range(struct svt_table *t, sqlite3_value *lo, sqlite3_value *hi);

/* For xUpdate, where t->ks->erase is not NULL: do that. */
int svt_erase_write(struct svt_table *t);

#endif
