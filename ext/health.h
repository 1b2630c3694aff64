/* SPDX-License-Identifier: Apache-2.0
 *
 * health -- what is wrong with a table, its store and its database, and what to do. */
#ifndef SVT_HEALTH_H
#define SVT_HEALTH_H

#include "table.h"

struct svt_finding {
    const char *check;  /* static: what was looked at */
    const char *state;  /* static: "ok", "note", "warning", "error" */
    const char *detail; /* what was found; "" if there is nothing to say */
    const char *remedy; /* what to do; "" if nothing */
};

/* Call `each` for every check of t, one after the other; texts are borrowed until it
 * returns, and it answers SQLITE_OK or what ends the walk.  A table that cannot be
 * opened has findings that say so; a failure is one of memory, or of SQLite itself with
 * its sentence in t->base.zErrMsg. */
int svt_health(struct svt_table *t,
               int (*each)(void *ctx, const struct svt_finding *finding), void *ctx);

#endif
