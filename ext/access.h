/* SPDX-License-Identifier: Apache-2.0
 *
 * access -- what a connection may do with a database that has seerdb tables. */
#ifndef SVT_ACCESS_H
#define SVT_ACCESS_H

#include "decider.h"

/* Can the connection not write to the database, ever? */
bool svt_access_is_read_only(sqlite3 *db, const char *schema);

/* Is what the connection reads of a marker the truth?  SQLITE_OK, or SQLITE_ERROR with
 * *message for `who`, a table. */
int svt_access_check(sqlite3 *db, const char *who, const struct svt_database *file,
                     char **message);

#endif
