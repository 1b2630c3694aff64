/* SPDX-License-Identifier: Apache-2.0
 *
 * inspect -- the table-valued functions that look into a table's storage:
 * seerdb_stats, seerdb_levels, seerdb_files and seerdb_events, with the name of a table
 * or without (all tables of the connection). */
#ifndef SVT_INSPECT_H
#define SVT_INSPECT_H

#include "table.h"

int svt_inspect_register(struct svt_conn *conn);
void svt_inspect_unregister(sqlite3 *db); /* all, if they are there */

#endif
