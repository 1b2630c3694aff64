/* SPDX-License-Identifier: Apache-2.0
 *
 * past -- a table as of a snapshot, or of an older commit: what `_snapshot = ...` asks
 * for.
 *
 * A text is the name of a snapshot.  An integer is a commit number, not above the one
 * that the statement sees.  What this transaction has written is no part of it.  Life:
 * enter (many), leave, free; one of a cursor, at most. */
#ifndef SVT_PAST_H
#define SVT_PAST_H

#include "table.h"

struct svt_past {
    struct svt_view view;
    sqlite3_value *asked; /* owned: what the view is of; NULL: there is no view */
};

/* Open the view for `asked`, not NULL.  Requires: no iterator is over the view that
 * there may be.  A failure's sentence is in t->base.zErrMsg; there is no view then. */
int svt_past_enter(struct svt_past *past, struct svt_table *t, sqlite3_value *asked);

/* Does it have the view for this value? */
bool svt_past_is_of(const struct svt_past *past, sqlite3_value *asked);
void svt_past_leave(struct svt_past *past); /* accepts NULL, and one without a view */

/* Of `SELECT seerdb('t', 'snapshot', NAME)`: keep what this connection sees. */
int svt_past_keep(struct svt_table *t, const char *name, uint64_t *number);

/* Of a call of xUpdate: nothing but the present can be written. */
int svt_past_check(struct svt_table *t, int argc, sqlite3_value **argv);

#endif
