/* SPDX-License-Identifier: Apache-2.0
 *
 * direct -- whether a function is called by the text of a running statement, or by what
 * the schema of a database contains. */
#ifndef SVT_DIRECT_H
#define SVT_DIRECT_H

#include "sqlite.h"

#include <stdbool.h>

/* Whether a statement that is running on the connection has a call of seerdb() in its
 * own text.  From within the function. */
bool svt_direct_call(sqlite3 *db);

#endif
