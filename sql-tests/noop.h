/* SPDX-License-Identifier: Apache-2.0
 *
 * noop -- a virtual table that stores nothing: the ceiling for every module.  Declared
 * (k BLOB PRIMARY KEY, v BLOB) WITHOUT ROWID; it pretends to hold evenly spread keys of
 * 16 bytes with values of 100, answers lookups and ranges over them in either order,
 * and swallows what is written.  A lookup of a key whose last bit is set finds nothing.
 *
 *     CREATE VIRTUAL TABLE t USING noop(1000000);  -- so many rows */
#ifndef SQLTEST_NOOP_H
#define SQLTEST_NOOP_H

#include <sqlite3.h>

int noop_register(sqlite3 *db);

#endif
