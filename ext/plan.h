/* SPDX-License-Identifier: Apache-2.0
 *
 * plan -- xBestIndex: which constraints become a range of keys.  Pure: tested without a
 * database.
 *
 * A plan is: equalities on a prefix of the key parts, then at most one lower and one upper
 * bound on the next part, a direction, and per constraint whether SQLite must check it
 * again.  It travels to xFilter in idxNum and idxStr:
 *
 *   idxNum   number of equalities | flags (SVT_PLAN_...)
 *   idxStr   readable, for EXPLAIN QUERY PLAN: "k=? AND b>=? AND b<? ORDER BY k DESC"
 *
 * and argv holds the equalities' values, then the lower bound's, then the upper's. */
#ifndef SVT_PLAN_H
#define SVT_PLAN_H

#include "args.h"

#define SVT_PLAN_NEQ 0x0ff      /* mask: number of equalities */
#define SVT_PLAN_LOWER 0x100    /* there is a lower bound ... */
#define SVT_PLAN_LOWER_STRICT 0x200
#define SVT_PLAN_UPPER 0x400
#define SVT_PLAN_UPPER_STRICT 0x800
#define SVT_PLAN_REVERSE 0x1000 /* walk backwards */
#define SVT_PLAN_UNIQUE 0x2000  /* at most one row: every key part has an equality */
#define SVT_PLAN_HIDDEN_KEY 0x4000 /* one equality, on the hidden _key of a composite table */
/* The value of a constraint is an SQL literal without affinity of its own: compare as it
 * is.  Bit i for the i-th argv. */
#define SVT_PLAN_LITERAL_SHIFT 16

struct svt_plan_constraint {
    int column; /* -1: rowid; ncolumns: the hidden _key */
    int op;     /* SQLITE_INDEX_CONSTRAINT_... */
    bool usable;
    bool collation_matches; /* sqlite3_vtab_collation equals the key column's */
    bool literal;           /* sqlite3_vtab_rhs_value knows the value ... */
    int literal_type;       /* ... and its type */
};

struct svt_plan_order {
    int column;
    bool desc;
};

struct svt_plan_request {
    const struct svt_schema *schema;
    const struct svt_plan_constraint *constraints;
    int nconstraints;
    const struct svt_plan_order *order;
    int norder;
    uint64_t rows; /* estimated rows of the table */
};

struct svt_plan {
    int idx_num;
    char *idx_str;     /* sqlite3_malloc'ed; the caller's */
    int *argv_index;   /* per constraint: 0 unused, else 1.. ; the caller's, sqlite3_free */
    bool *omit;        /* per constraint; the caller's */
    bool order_consumed;
    bool unique;
    double cost;
    int64_t rows;
};

/* SQLITE_OK or SQLITE_NOMEM. */
int svt_plan_choose(const struct svt_plan_request *request, struct svt_plan *out);
void svt_plan_fini(struct svt_plan *p);

#endif
