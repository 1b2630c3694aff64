/* SPDX-License-Identifier: Apache-2.0
 *
 * seerdb_sqlite.h -- seerdb compiled into a program, for SQL.  Link libseerdb_sqlite.a,
 * SQLite and zstd, and call once, before the first connection is opened,
 *
 *     sqlite3_auto_extension((void (*)(void))sqlite3_seerdb_init);
 *
 * or, for one connection, sqlite3_seerdb_init(db, NULL, NULL).  The library has the
 * functions of seerdb.h too.  Its global names begin with seerdb_, sdb_ and svt_. */
#ifndef SEERDB_SQLITE_H
#define SEERDB_SQLITE_H

#if defined(_WIN32)
#define SEERDB_ENTRY __declspec(dllexport)
#else
#define SEERDB_ENTRY __attribute__((visibility("default")))
#endif

#ifdef __cplusplus
extern "C" {
#endif

struct sqlite3;
struct sqlite3_api_routines;

SEERDB_ENTRY int sqlite3_seerdb_init(struct sqlite3 *db, char **message,
                                     const struct sqlite3_api_routines *api);

#ifdef __cplusplus
}
#endif

#endif
