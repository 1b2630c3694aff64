/* SPDX-License-Identifier: Apache-2.0
 *
 * ranges -- from a plan and the values of a statement to ranges of keys.
 *
 * Where SQLite may compare with an affinity that nobody tells us (sqlite-facts 8), the
 * ranges cover more than the rows asked for, and SQLite checks again.
 *
 * Life: {.schema = s}, make (many, each replaces the ranges before and uses their
 * memory again), fini. */
#ifndef SVT_RANGES_H
#define SVT_RANGES_H

#include "plain.h"
#include "plan.h"
#include "table.h"

/* Keys in [lo, hi). */
struct svt_range {
    struct svt_bytes lo, hi;
    bool bounded; /* hi is a bound; lo always is, maybe empty */
    bool point;   /* lo is the only key; if this is the only range it has no hi */
};

struct svt_ranges {
    const struct svt_schema *schema; /* borrowed */
    struct svt_range *list; /* owned: n of them in the order of the walk, disjoint */
    int n, capacity;
    bool reverse;            /* walk each backward */
    enum svt_doubt doubt;    /* what must be checked before the ranges are right */
    struct svt_bytes prefix; /* scratch */
    struct svt_interrupt *interrupt; /* borrowed; NULL: nobody */
};

/* SQLITE_OK, SQLITE_NOMEM or SQLITE_INTERRUPT. */
int svt_ranges_make(struct svt_ranges *rs, int idx_num, int argc, sqlite3_value **argv);
void svt_ranges_fini(struct svt_ranges *rs);

#endif
