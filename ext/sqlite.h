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

/* The part of sqlite3_module that is younger than the oldest SQLite we run on. */
#if SQLITE_VERSION_NUMBER >= 3044000
#define SVT_MODULE_VERSION 4
#define SVT_XINTEGRITY(f)  .xIntegrity = f,
#else
#define SVT_MODULE_VERSION 3
#define SVT_XINTEGRITY(f)
#endif

#endif
