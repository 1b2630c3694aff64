/* SPDX-License-Identifier: Apache-2.0
 *
 * compare -- SQL values in SQLite's order.  Allocates nothing; any thread. */
#ifndef SVT_COMPARE_H
#define SVT_COMPARE_H

#include "keycodec.h"

/* Negative, 0, positive, as ORDER BY would put a and b: NULL, numbers (integers and
 * reals on one line), texts by the collation, blobs.  Texts are in this encoding. */
int svt_compare(const struct svt_value *a, const struct svt_value *b,
                enum svt_collation collation, enum svt_encoding encoding);

#endif
