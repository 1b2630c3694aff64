/* SPDX-License-Identifier: Apache-2.0
 *
 * expire -- the options ttl and filter of a table: which of its rows are not there.
 *
 * Life: check at CREATE; new once the table's tree is open, give it to the tree, test
 * what is written, unref.  Counted: the tree keeps it until the store is closed, longer
 * than the connection that gave it.  Any thread. */
#ifndef SVT_EXPIRE_H
#define SVT_EXPIRE_H

#include "args.h"

struct svt_expire;

/* Are ttl and filter, if the schema has them, expressions that can be evaluated?
 * SQLITE_OK, or a failure with *message; who: "main.t", for messages. */
int svt_expire_check(const struct svt_schema *schema, const char *who, char **message);

/* Nothing to do if *out is there already, or the schema has neither: it stays NULL
 * then. Borrows nothing of the schema. */
int svt_expire_new(const struct svt_schema *schema, const char *who,
                   struct svt_expire **out, char **message);
void svt_expire_unref(struct svt_expire *x); /* accepts NULL */

/* Have the tree hide and drop such rows; x may be NULL. */
int svt_expire_give(struct svt_expire *x, seerdb_tree *tree, seerdb_err *err);

/* Can it be told of this row when it expires, and whether?  SQLITE_OK, or the reason:
 * such a row must not be written, for nobody could read it. */
int svt_expire_test(struct svt_expire *x, seerdb_slice key, seerdb_slice value,
                    char **message);
/* The same of a row whose columns have these values, one for each of the table: only
 * those that it uses need have bytes. */
int svt_expire_test_values(struct svt_expire *x, const struct svt_value *values,
                           char **message);
/* The same where columns of which kept[i].size > 0 stay in the value log, and have no
 * bytes: the view, which they were found by, reads those that are used.  A failure of
 * the engine is in *err. */
int svt_expire_test_kept(struct svt_expire *x, const seerdb_view *view,
                         struct svt_value *values, const seerdb_segment *kept,
                         seerdb_err *err, char **message);

#endif
