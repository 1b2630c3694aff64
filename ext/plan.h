/* SPDX-License-Identifier: Apache-2.0
 *
 * plan -- xBestIndex: which constraints become a range of keys.  Pure: tested without a
 * database.
 *
 * A plan is: equalities on a prefix of the key parts, then at most one lower and one
 * upper bound on the next part, a direction, and per constraint whether SQLite must
 * check it again.  It travels to xFilter in idxNum and idxStr:
 *
 *   idxNum   number of equalities | flags (SVT_PLAN_...)
 *   idxStr   readable, for EXPLAIN QUERY PLAN: "k=? AND b>=? AND b<? ORDER BY k DESC"
 *
 * and argv holds the equalities' values (NULL for IS NULL), then the lower bound's,
 * then the upper's.
 *
 * What the cursor owes: all rows that satisfy the constraints it was given, each once,
 * in the order of keys (or the reverse).  The values arrive raw.  For a part of
 * INTEGER, REAL or NUMERIC affinity and for rowids it applies NUMERIC affinity and is
 * exact.  For TEXT and BLOB affinity it is exact where the literal bit is set, and on
 * the first part where PLAIN is; otherwise SQLite checks again, and more rows may be
 * given:
 *
 *   TEXT part, text or blob   the value as it is; but a bound given by a text may be
 *                             compared with texts that look like numbers as numbers
 *   TEXT part, number         the text SQLite prints for it, and any text that is that
 *                             number ('5', '05', '5.0')
 *   BLOB part, number         the number, and any text that is that number
 *   BLOB part, text or blob   the value as it is; bounds as for TEXT
 *   NULL                      nothing is equal to it, above or below
 *
 * A plan without equalities and bounds walks all keys.  It may have one argv
 * nevertheless: what SQLite will compare a column with, for a cursor that knows its
 * rows by heart (memo.h).  Others ignore it.
 *
 * The keys that an equality gives beyond its value may come whatever their later parts
 * are: nothing after an equality that is not exact is left unchecked. */
#ifndef SVT_PLAN_H
#define SVT_PLAN_H

#include "args.h"

#define SVT_PLAN_NEQ          0x007f /* mask: number of equalities */
#define SVT_PLAN_BLOBS        0x0080 /* see below */
#define SVT_PLAN_LOWER        0x0100 /* there is a lower bound ... */
#define SVT_PLAN_LOWER_STRICT 0x0200
#define SVT_PLAN_UPPER        0x0400
#define SVT_PLAN_UPPER_STRICT 0x0800
#define SVT_PLAN_REVERSE      0x1000 /* walk backwards */
#define SVT_PLAN_UNIQUE       0x2000 /* SQLite takes one row at most: see below */
#define SVT_PLAN_HIDDEN_KEY   0x4000 /* one equality: the _key of a composite table */
#define SVT_PLAN_IN           0x8000 /* see below */
/* BLOBS: the bounds may be those of LIKE or GLOB, which also see blobs: beside the
 * range give all rows whose bounded part is a blob.
 *
 * IN: the argv of the last equality is a list (sqlite3_vtab_in_first, _in_next).  Each
 * of its values is treated like an equality's; rows come once, in the order of keys.
 *
 * UNIQUE: one row at most is equal to the values, whatever they are; but in a plan that
 * was made for begins_anew only if the values become one key.
 *
 * The literal bit: the part has TEXT or BLOB affinity and the value is a literal, to be
 * compared as it is.  Bit i for the i-th argv. */
#define SVT_PLAN_LITERAL_SHIFT 16
#define SVT_PLAN_LITERAL_MAX   13 /* argvs that have a bit */
/* The last argv, which is none of those told of above, says as of when to read. */
#define SVT_PLAN_AS_OF 0x20000000
/* The values for the first part are compared as they are, because that is plain
 * (plain.h): the cursor makes sure. */
#define SVT_PLAN_PLAIN 0x40000000

/* It walks all keys. */
static inline bool svt_plan_is_scan(int idx_num)
{
    return (idx_num & (SVT_PLAN_NEQ | SVT_PLAN_LOWER | SVT_PLAN_UPPER)) == 0;
}

#define SVT_PLAN_COLUMN_MAX 0x1fff

/* Of such a plan: the column that its argv is compared with; -1: it has none.  The
 * number lies where other plans have their literal bits. */
static inline int svt_plan_compared_column(int idx_num)
{
    return ((idx_num >> SVT_PLAN_LITERAL_SHIFT) & SVT_PLAN_COLUMN_MAX) - 1;
}

struct svt_plan_constraint {
    int column; /* -1: rowid; ncolumns: the hidden _key */
    int op;     /* SQLITE_INDEX_CONSTRAINT_... */
    bool usable;
    bool collation_matches; /* sqlite3_vtab_collation equals the key column's */
    bool collation_builtin; /* it is one of SQLite's own three */
    bool in;                /* an EQ that stands for IN: sqlite3_vtab_in(info, i, -1) */
    bool literal;           /* sqlite3_vtab_rhs_value knows the value ... */
    int literal_type;       /* ... and its type */
    bool beyond_ascii;      /* a text of UTF-16 with other characters than ASCII's */
    bool like_made;         /* one of two bounds that LIKE ... ESCAPE may have made */
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
    /* The cursor understands SVT_PLAN_IN.  Otherwise IN on parts of TEXT and BLOB
     * affinity is left to SQLite. */
    bool in_at_once;
    /* sqlite3_compileoption_used("LIKE_DOESNT_MATCH_BLOBS"). */
    bool like_skips_blobs;
    /* The statement is an UPDATE of the table, and whoever runs it begins it anew,
     * without this, when a value turns out to be equal to several keys. */
    bool begins_anew;
    bool plain; /* the first key part is (plain.h) */
    int as_of;  /* one more than the number of the constraint that says as of when to
                   read; 0: none does */
    /* The order is of a GROUP BY: rows of a group must stand together, the groups in
     * any order. */
    bool grouped;
};

struct svt_plan {
    int idx_num;
    char *idx_str; /* owned, sqlite3_malloc'ed; the caller may take it, leaving NULL */
    int *argv_index;   /* owned; per constraint: 0 unused, else 1.. */
    bool *omit;        /* owned; per constraint */
    int in_constraint; /* the one to call sqlite3_vtab_in(info, it, 1) for; -1: none */
    bool order_consumed;
    bool unique; /* SQLITE_INDEX_SCAN_UNIQUE */
    double cost;
    int64_t rows;
};

/* The values of all argvs are known and select about `rows` rows, from `seeks` ranges:
 * correct the estimate.  Nothing changes for a plan that gives one row at most, or of a
 * table that is so small that it may soon look otherwise. */
void svt_plan_refine(struct svt_plan *p, const struct svt_plan_request *request,
                     uint64_t rows, int seeks);

/* SQLITE_OK or SQLITE_NOMEM. */
int svt_plan_choose(const struct svt_plan_request *request, struct svt_plan *out);
void svt_plan_fini(struct svt_plan *p);

#endif
