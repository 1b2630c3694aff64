/* SPDX-License-Identifier: Apache-2.0
 *
 * plain -- bounds and equalities on a TEXT or BLOB key that SQLite need not check
 * again.
 *
 * Such a comparison depends on the affinity of its other side, which no virtual table
 * is told (sqlite-facts 8), but only where a key or the value may be taken for a number
 * or a number for a text.  The first key part is *plain* while none of its keys may:
 * while no text in it is empty or begins with a byte up to '9' (all numbers do) and, of
 * BLOB affinity, none is a number.  Then every way of comparing gives the same rows,
 * and the plan lets SQLite skip its check.
 *
 * Keys may come that are not plain after a statement was prepared.  Its cursor looks
 * for them if its values are in doubt, and fails rather than guess. */
#ifndef SVT_PLAIN_H
#define SVT_PLAIN_H

#include "table.h"

/* A plan may rest on t being plain: it was a moment ago, and is worth it.  Only a hint;
 * a store that is out of reach is not plain. */
bool svt_plain_hint(struct svt_table *t, uint64_t rows);

enum svt_doubt {
    SVT_SURE,     /* compares with all keys in one way only */
    SVT_DOUBT,    /* with all plain keys */
    SVT_UNDECIDED /* not even with those */
};

/* Of a value that a part of this affinity is compared with. */
enum svt_doubt svt_plain_doubt(sqlite3_value *v, enum svt_affinity affinity,
                               enum svt_encoding encoding, bool equality);

/* Bound the iterator to the first part's keys that are not plain and look: SQLITE_OK,
 * or a failure with the sentence in t->base.zErrMsg. */
int svt_plain_check(struct svt_table *t, seerdb_iter *it, enum svt_doubt doubt);

#endif
