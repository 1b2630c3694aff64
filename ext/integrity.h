/* SPDX-License-Identifier: Apache-2.0
 *
 * integrity -- what PRAGMA integrity_check and quick_check find out about a table,
 * where SQLite asks (from 3.44 on). */
#ifndef SVT_INTEGRITY_H
#define SVT_INTEGRITY_H

#include "sqlite.h"

/* xIntegrity.  *problem: what is wrong, one line, sqlite3_malloc'ed; NULL: nothing.
 * integrity_check (flags 0) reads and checks every byte of the table's sorted tables;
 * quick_check (bit 0) that the store is there, holds the table and has its last commit.
 * A failure says that it could not be found out. */
int svt_integrity(sqlite3_vtab *base, const char *schema, const char *name, int flags,
                  char **problem);

#endif
