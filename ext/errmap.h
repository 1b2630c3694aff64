/* SPDX-License-Identifier: Apache-2.0
 *
 * errmap -- engine results and our own sentences on their way to SQLite. */
#ifndef SVT_ERRMAP_H
#define SVT_ERRMAP_H

#include "seerdb.h"
#include "sqlite.h"

/* The SQLite result that a result of the engine means.  NOTFOUND, which is not a
 * failure, has none: SQLITE_ERROR. */
int svt_errmap_code(int rc);

/* svt_errmap_code(rc); a failure's sentence, after "who: ", becomes vtab->zErrMsg. */
int svt_errmap(sqlite3_vtab *vtab, const char *who, int rc, const seerdb_err *err);

/* As svt_errmap, for a message the caller hands on (sqlite3_malloc'ed). */
int svt_errmap_message(char **message, const char *who, int rc, const seerdb_err *err);

/* Replace *message by a formatted one (SQLite's formats); returns code. */
int svt_fail(char **message, int code, const char *format, ...);

#endif
