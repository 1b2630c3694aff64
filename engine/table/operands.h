/* SPDX-License-Identifier: Apache-2.0
 *
 * operands -- the bytes of a merge record's value: how far back it reaches, and its
 * operands, oldest first.  FORMAT.md, "Records". */
#ifndef SDB_TABLE_OPERANDS_H
#define SDB_TABLE_OPERANDS_H

#include "base/coding.h"

/* Reading: open, then next until it answers false; whole tells whether all was well. */
struct sdb_operands {
    uint64_t from;  /* 0: the record's own number */
    uint64_t count; /* at least 1 */
    struct sdb_reader r;
};

/* False: the head is malformed. */
bool sdb_operands_open(struct sdb_operands *o, seerdb_slice value);
/* The next operand, borrowed from the value; false after the last, or where the value
 * is malformed. */
bool sdb_operands_next(struct sdb_operands *o, seerdb_slice *operand);
/* Requires: next has answered false.  Was it the end? */
bool sdb_operands_done(const struct sdb_operands *o);

/* The only operand of a merge record, borrowed from its value, and how far the record
 * reaches; false: it has several, or is malformed. */
bool sdb_operands_look(seerdb_slice value, uint64_t *from, seerdb_slice *operand);
static inline bool sdb_operands_only(seerdb_slice value, uint64_t *from,
                                     seerdb_slice *operand)
{
    const uint8_t *p = value.data;
    bool is_short = value.size >= 3 && p[0] < 0x80 && p[1] == 1 && p[2] < 0x80;
    if (!is_short) /* what look is for */
        return sdb_operands_look(value, from, operand);
    *from = p[0];
    *operand = (seerdb_slice){p + 3, value.size - 3};
    return p[2] == operand->size;
}

/* Is this the value of a merge record of that number? */
bool sdb_operands_are_valid(seerdb_slice value, uint64_t number);

/* Writing: the head, then as many operands (sdb_put_slice) as it says. */
void sdb_operands_put_head(struct sdb_buf *b, uint64_t from, uint64_t count);
/* All of a record with one operand. */
void sdb_operands_put_only(struct sdb_buf *b, uint64_t from, seerdb_slice operand);

#endif
