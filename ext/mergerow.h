/* SPDX-License-Identifier: Apache-2.0
 *
 * mergerow -- the merge operator of a table's tree: rows that rows are merged into.
 *
 * An operand is a row as rowcodec.h has it: of MERGE columns the operands, NULL for
 * those to be left alone, of the others what they are if the merge makes the row.  A
 * last column more than the table has, a blob, says of some MERGE columns what their
 * values don't; base rows may have it, too.  For each of them, in rising order:
 *
 *   varint  column
 *   byte    1: the first of the operands was NULL: a row that is made here begins with
 *           the column's default     2: the exact sum follows     or both
 *   the exact sum: byte 1: reals are in it, 2: +infinity, 4: -infinity;
 *           varint first, varint n, n bytes: exactsum.h
 *
 * `add` is exact: what it gives is the sum of all integers and reals, rounded once, so
 * that it does not depend on how operands were grouped when they were added up.  Where
 * the value that the column shows is not all of the sum, the sum is kept beside it.
 *
 * No function here takes memory from SQLite or runs SQL, except for expressions, and
 * where a row has a text that `add`, bit_or or bit_and must make a number of, or
 * `append` a text of a real. */
#ifndef SVT_MERGEROW_H
#define SVT_MERGEROW_H

#include "args.h"

struct svt_merger;

/* For a table that has MERGE columns.  Keeps nothing of the schema.  SQLITE_OK or a
 * failure with *message. */
int svt_merger_new(const struct svt_schema *schema, struct svt_merger **out,
                   char **message);
void svt_merger_free(struct svt_merger *m); /* accepts NULL */

/* What the engine is told; its ctx is m, which release frees, its name m's. */
seerdb_merge_operator svt_merger_operator(struct svt_merger *m);

/* Read v as an operand of column c, which has MERGE.  As svt_value_reader. */
int svt_merge_read(const struct svt_schema *s, const struct svt_column *c,
                   sqlite3_value *v, struct svt_value *out);

#endif
