/* SPDX-License-Identifier: Apache-2.0
 *
 * mergecol -- operands of one MERGE column, put together one after the other.
 *
 * Life: begin, perhaps load, add (many), then finish.  For mergerow alone. */
#ifndef SVT_MERGECOL_H
#define SVT_MERGECOL_H

#include "args.h"
#include "exactsum.h"
#include "expr.h"

#include <pthread.h>

/* A MERGE column as the tree's operator keeps it. */
struct svt_mergecol {
    int column;
    enum svt_merge_kind kind;
    enum svt_affinity affinity;
    enum svt_collation collation;
    enum svt_encoding encoding;
    bool not_null;
    int only; /* as in svt_column */
    struct svt_value
        fallback;           /* what a new row begins with where its operand is NULL */
    struct svt_bytes bytes; /* owned: fallback's */
    struct svt_bytes separator; /* owned */
    char *name;                 /* owned: for messages */
    char *what;                 /* owned: "MERGE add", for messages */
    struct svt_expr_pool *pool; /* owned; NULL: it is native */
    pthread_t home;             /* where SQLite may run if it is for one thread alone */
};

/* What a row or an operand has beside the column's value. */
struct svt_merge_beside {
    bool began_null;  /* the first of the operands was NULL */
    seerdb_slice sum; /* encoded; data NULL: the value is all of it */
};

struct svt_merge_acc {
    const struct svt_mergecol *col; /* borrowed */
    bool any, touched; /* there is a value; it is no longer the one that came first */
    bool operands;     /* these are operands only: what becomes of them is not known */
    struct svt_value v;
    struct svt_merge_beside first; /* beside the one that came first */
    /* add: v counts unless the sum is wide. */
    bool wide, real, plus_infinity, minus_infinity;
    struct svt_sum sum;
    /* append: */
    size_t total;
    size_t began_at; /* the caller's: which operand is the first piece */
    char number[48]; /* a number that was there, as text */
    /* expression: */
    struct svt_bytes bytes; /* owned: of v */
};

/* A value and what is beside it. */
struct svt_merge_value {
    struct svt_value v;
    struct svt_merge_beside beside;
};

/* The longest that an encoded sum is: flags, two varints, bytes. */
#define SVT_MERGE_SUM_MAX (5 + SVT_SUM_BYTES)

void svt_merge_begin(struct svt_merge_acc *a, const struct svt_mergecol *col,
                     bool operands);
void svt_merge_end(struct svt_merge_acc *a); /* frees */

/* What was there before the operands. */
void svt_merge_load(struct svt_merge_acc *a, const struct svt_merge_value *v);

/* The next operand, not NULL.  SEERDB_OK; SEERDB_NOTFOUND: operands that cannot be one;
 * a failure.  hurried: without SQL.  v's bytes must stay until the end. */
int svt_merge_add(struct svt_merge_acc *a, const struct svt_merge_value *v,
                  bool hurried, seerdb_err *err);

/* The value, and the exact sum beside it, if it needs one, in sum (room for
 * SVT_MERGE_SUM_MAX; *nsum 0: none).  Of append, while more than one piece was put
 * together, only type and size: who has the pieces writes them. */
void svt_merge_finish(struct svt_merge_acc *a, struct svt_value *out, uint8_t *sum,
                      size_t *nsum);

/* May the column hold it?  MISMATCH with *err if not. */
int svt_merge_check(const struct svt_mergecol *col, const struct svt_value *v,
                    seerdb_err *err);

#endif
