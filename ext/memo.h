/* SPDX-License-Identifier: Apache-2.0
 *
 * memo -- the rows of a small table, decoded, for a cursor that reads all of it again
 * and again: the inner side of a join on columns that are no key.
 *
 * Life: all zeros, begin, add (every row, in the order of the walk), finish, then find
 * and next for every walk; keep lets go of the store's memory; clear gives everything
 * back. */
#ifndef SVT_MEMO_H
#define SVT_MEMO_H

#include "table.h"

struct svt_memo_row {
    seerdb_slice key, value;
    seerdb_pin *pin; /* counted: what they live in; NULL: it is kept */
};

/* A walk over some of the rows, in their order: -1 is the end of a chain. */
struct svt_memo_walk {
    int at, chain, odd;
};

struct svt_memo {
    const struct svt_schema *schema; /* borrowed; NULL: it is empty */
    struct svt_memo_row *rows;       /* owned: n of them */
    struct svt_value *values; /* owned: per row the table's columns; type 0: it is in
                                 nobody's memory but the decoder's */
    size_t bytes;
    uint8_t *copy; /* owned: what the rows live in once it is kept; NULL: it is not */
    int n, row_capacity, value_capacity;
    int column; /* whose values find rows; -1: none */
    int *heads; /* owned: of the chains, nheads of them, a power of two */
    int *links; /* owned: per row the next one of its chain */
    unsigned nheads;
    int odd; /* head of the chain of rows that every value finds */
};

/* Forget all rows; column as in the struct. */
void svt_memo_begin(struct svt_memo *m, const struct svt_schema *schema, int column);

/* `reader` stands on the row.  SEERDB_OK; SQLITE_TOOBIG: this is no small table;
 * SQLITE_CORRUPT: a column is malformed; SQLITE_NOMEM.  After these only clear. */
int svt_memo_add(struct svt_memo *m, struct svt_reader *reader, seerdb_pin *pin);

int svt_memo_finish(struct svt_memo *m); /* SQLITE_OK or SQLITE_NOMEM */
void svt_memo_clear(struct svt_memo *m);

/* Requires: it is finished.  Copy its rows, and pin nothing from now on: where nobody
 * will tell when it is not needed any more.  SQLITE_NOMEM: it is as it was. */
int svt_memo_keep(struct svt_memo *m);

/* Start on the rows whose column may be equal to v, by whatever affinity and built-in
 * collation the two are compared; v NULL: on all rows.  False: none. */
bool svt_memo_find(const struct svt_memo *m, sqlite3_value *v,
                   struct svt_memo_walk *walk);
bool svt_memo_next(const struct svt_memo *m, struct svt_memo_walk *walk);

#endif
