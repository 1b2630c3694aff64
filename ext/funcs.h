/* SPDX-License-Identifier: Apache-2.0
 *
 * funcs -- the SQL functions: seerdb('t', 'command'), seerdb_version(), seerdb_debug().
 * The table-valued ones are in inspect.
 *
 * seerdb() is DIRECTONLY: no trigger and no view of a hostile schema can run it. */
#ifndef SVT_FUNCS_H
#define SVT_FUNCS_H

#include "table.h"

/* The live table of that name, connecting to it if need be.  `name` is "t" or
 * "schema.t"; SQLITE_ERROR with *message if there is none. */
int svt_funcs_find_table(struct svt_conn *conn, const char *name,
                         struct svt_table **out, char **message);

/* Connect to every seerdb table of the connection and call `each` for it.  Stops at the
 * first result that is not SQLITE_OK, and returns it. */
int svt_funcs_each_table(struct svt_conn *conn,
                         int (*each)(void *ctx, struct svt_table *t), void *ctx);

int svt_funcs_register(struct svt_conn *conn);

#endif
