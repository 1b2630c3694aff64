/* SPDX-License-Identifier: Apache-2.0
 *
 * sqlite.h -- how every file of ext/ reaches SQLite: through the loader's table of
 * functions, or directly when compiled in with -DSQLITE_CORE. */
#ifndef SVT_SQLITE_H
#define SVT_SQLITE_H

#include <sqlite3ext.h>

#if !defined(SQLITE_CORE) && !defined(SVT_DEFINES_API)
extern const sqlite3_api_routines *sqlite3_api; /* defined in module.c */
#endif

#endif
