/* SPDX-License-Identifier: Apache-2.0
 *
 * wish -- what the tables of a database want of the store that they share.
 *
 * memory_limit, history and sync belong to the store.  What one table says counts for
 * all; what was changed goes before what was declared, else who is heard first. */
#ifndef SVT_WISH_H
#define SVT_WISH_H

#include "settings.h"

struct svt_wish {
    struct svt_options
        options; /* of the table that opens the store, and what it heard */
    char *memory_limit_by, *history_by, *sync_by; /* owned; NULL: the table itself */
};

/* Take from the options of another table, `who`, what it has the say about. */
int svt_wish_hear(struct svt_wish *wish, const struct svt_options *o, const char *who);
void svt_wish_fini(struct svt_wish *wish);

#endif
