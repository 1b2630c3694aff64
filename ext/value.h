/* SPDX-License-Identifier: Apache-2.0
 *
 * value -- an SQL value outside SQLite's hands, and the rules of column affinity. */
#ifndef SVT_VALUE_H
#define SVT_VALUE_H

#include "encoding.h"
#include "seerdb.h"
#include "sqlite.h"

struct svt_value {
    int type; /* SQLITE_NULL, _INTEGER, _FLOAT, _TEXT, _BLOB */
    int64_t i;
    double r;
    seerdb_slice bytes; /* text (in the database's encoding) or blob; borrowed */
};

enum svt_affinity {
    SVT_AFFINITY_BLOB, /* also: no type */
    SVT_AFFINITY_TEXT,
    SVT_AFFINITY_NUMERIC,
    SVT_AFFINITY_INTEGER,
    SVT_AFFINITY_REAL
};

/* The affinity of a declared type, by SQLite's rules (datatype3.html, 3.1): INT, then
 * CHAR/CLOB/TEXT, then BLOB or nothing, then REAL/FLOA/DOUB, else NUMERIC. */
enum svt_affinity svt_affinity_of(const char *type);

/* Read v as a column of this affinity would store it.  May convert v in place, as
 * sqlite3_value_text and sqlite3_value_numeric_type do; out borrows from v.  NaN does
 * not occur (SQLite makes it NULL).  SQLITE_OK or SQLITE_NOMEM. */
typedef int svt_value_reader(sqlite3_value *v, enum svt_affinity affinity,
                             struct svt_value *out);

/* That of a database in UTF-8, and of one in any encoding. */
int svt_value_read(sqlite3_value *v, enum svt_affinity affinity, struct svt_value *out);
svt_value_reader *svt_value_reader_of(enum svt_encoding encoding);

/* Whether a and b are the same value of the same type, bit for bit. */
bool svt_value_identical(const struct svt_value *a, const struct svt_value *b);

#endif
