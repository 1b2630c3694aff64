/* SPDX-License-Identifier: Apache-2.0
 *
 * mergetree -- the operators of a table's MERGE columns, told to the engine. */
#ifndef SVT_MERGETREE_H
#define SVT_MERGETREE_H

#include "table.h"

/* seerdb_tree_create, with the operators of the table if it has MERGE columns.
 * SQLITE_OK or a failure with *message. */
int svt_mergetree_create(const struct svt_schema *schema, const char *who, seerdb *db,
                         seerdb_tree_options *options, seerdb_tree **out,
                         char **message);

/* Give a tree that was just opened the operators of the table; SQLITE_ERROR with
 * *message: the rows were written under other ones. */
int svt_mergetree_give(const struct svt_schema *schema, const char *who,
                       seerdb_tree *tree, char **message);

/* A row was not read: as svt_table_fail; of one that could not be put together the
 * sentence names the row, and what to do about it. */
int svt_mergetree_unread(struct svt_table *t, int rc, const seerdb_err *err);

#endif
