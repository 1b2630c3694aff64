/* SPDX-License-Identifier: Apache-2.0
 *
 * mergelist -- keeps lists of operands short within a transaction.
 *
 * What expressions and json_patch merge stays a list until somebody reads the row, and
 * every read of it by the transaction goes through all of it.  So the lists are counted
 * as they grow, and a long one is read once and put as the row that it makes.
 *
 * For update.c; one of a keyspace. */
#ifndef SVT_MERGELIST_H
#define SVT_MERGELIST_H

#include "table.h"

/* Operands of one key, more or less, that are left in a list. */
#define SVT_MERGELIST_MOST 256

/* The transaction is about to merge into the key by SQL.  *grown: what it has merged
 * already should be made shorter.  SQLITE_OK, SQLITE_NOMEM. */
int svt_mergelist_count(struct svt_keyspace *ks, seerdb_slice key, bool *grown);

/* Make it shorter.  Requires: a write view, and that the transaction writes to the
 * table.  Where an expression fails operands stay as they are: whoever reads the row is
 * told. */
int svt_mergelist_shorten(struct svt_table *t, seerdb_batch *batch, seerdb_slice key);

/* The transaction is over. */
void svt_mergelist_end(struct svt_keyspace *ks);

#endif
