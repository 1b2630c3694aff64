/* SPDX-License-Identifier: Apache-2.0
 *
 * funcs -- the SQL functions: seerdb() of commands.h, seerdb_version(), seerdb_debug().
 * The table-valued ones are in inspect. */
#ifndef SVT_FUNCS_H
#define SVT_FUNCS_H

#include "table.h"

int svt_funcs_register(struct svt_conn *conn);
void svt_funcs_unregister(sqlite3 *db); /* all, if they are there */

#endif
