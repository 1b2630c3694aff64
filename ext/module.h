/* SPDX-License-Identifier: Apache-2.0
 *
 * module -- the entry point, and what SQLite calls about whole tables: xCreate,
 * xConnect, xBestIndex, xDestroy, xRename.
 *
 * Loaded, the entry point answers SQLITE_OK_LOAD_PERMANENTLY: the engine's threads run
 * in this code, which must never be unmapped. */
#ifndef SVT_MODULE_H
#define SVT_MODULE_H

#include "sqlite.h"

#if defined(_WIN32)
#define SVT_EXPORT __declspec(dllexport)
#else
#define SVT_EXPORT __attribute__((visibility("default")))
#endif

SVT_EXPORT int sqlite3_seerdb_init(sqlite3 *db, char **message,
                                   const sqlite3_api_routines *api);
SVT_EXPORT int sqlite3_extension_init(sqlite3 *db, char **message,
                                      const sqlite3_api_routines *api);

#endif
