/* SPDX-License-Identifier: Apache-2.0
 *
 * find -- tables of a connection by their names, and all of them. */
#ifndef SVT_FIND_H
#define SVT_FIND_H

#include "table.h"

/* The live table of that name, connecting to it if need be.  `name` is "t" or
 * "schema.t"; SQLITE_ERROR with *message if there is none. */
int svt_find_table(struct svt_conn *conn, const char *name, struct svt_table **out,
                   char **message);

/* Connect to every seerdb table of the connection and call `each` for it.  Stops at the
 * first result that is not SQLITE_OK, and returns it. */
int svt_each_table(struct svt_conn *conn, int (*each)(void *ctx, struct svt_table *t),
                   void *ctx);

#endif
