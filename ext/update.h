/* SPDX-License-Identifier: Apache-2.0
 *
 * update -- xUpdate: INSERT, UPDATE, DELETE.
 *
 * SQLite enforces nothing for a virtual table: affinity, NOT NULL, the type of an
 * INTEGER PRIMARY KEY and the uniqueness of keys are this module's.  What OR IGNORE,
 * FAIL, ABORT and ROLLBACK do is SQLite's, when we answer with a constraint code. */
#ifndef SVT_UPDATE_H
#define SVT_UPDATE_H

#include "table.h"

/* The method of sqlite3_module. */
int svt_update(sqlite3_vtab *base, int argc, sqlite3_value **argv,
               sqlite3_int64 *rowid);

#endif
