/* SPDX-License-Identifier: Apache-2.0
 *
 * increment -- the short way of a merge: one that gives a key and integers, as counters
 * are incremented, whose key and row are made straight from SQLite's values. */
#ifndef SVT_INCREMENT_H
#define SVT_INCREMENT_H

#include "args.h"

/* May rows of the table go this way?  That depends on its columns alone. */
bool svt_increment_possible(const struct svt_schema *s);

/* Append key and row of the merge that gives these columns; *rowid is set where the key
 * is one.  False: it takes the long way, which begins with both empty.  Requires:
 * possible. */
bool svt_increment_make(const struct svt_schema *s, sqlite3_value **columns,
                        struct svt_bytes *key, struct svt_bytes *row, int64_t *rowid);

#endif
