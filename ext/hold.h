/* SPDX-License-Identifier: Apache-2.0
 *
 * hold -- results that SQLite borrows from the store's memory instead of copying them.
 *
 * A result given to SQLite may outlive its row, the statement's next xFilter and xClose
 * (sqlite-facts 29).  A hold keeps the memory that results live in until SQLite has
 * dropped the last of them and the cursor has let go.
 *
 * A connection's holds are used by one thread at a time, as all that belongs to it. */
#ifndef SVT_HOLD_H
#define SVT_HOLD_H

#include "value.h"

struct svt_hold {
    struct svt_holds *owner; /* borrowed */
    struct svt_hold *next_all, *next_idle;
    seerdb_pin *pin;  /* counted; NULL: idle */
    unsigned results; /* that SQLite has */
    bool released;
};

/* What a connection has of them; starts as all zeros. */
struct svt_holds {
    struct svt_hold *all, *idle;
    int n;
};

/* Requires: SQLite has dropped all results, as it has when the connection closes. */
void svt_holds_fini(struct svt_holds *h);

/* A hold on the memory of pin, whose count it takes; NULL: there are none left, and the
 * count stays the caller's. */
struct svt_hold *svt_hold_take(struct svt_holds *h, seerdb_pin *pin);
void svt_hold_release(struct svt_hold *hold); /* no more results; accepts NULL */

/* Give v to SQLite; a text is in this encoding, the database's.  Its bytes, if it has
 * any, live in the hold's memory; NULL: they are copied. */
void svt_hold_result(struct svt_hold *hold, sqlite3_context *ctx,
                     const struct svt_value *v, enum svt_encoding encoding);

/* The same for a blob, or a text in UTF-8; bytes.data is not NULL. */
void svt_hold_bytes(struct svt_hold *hold, sqlite3_context *ctx, int type,
                    seerdb_slice bytes);

#endif
