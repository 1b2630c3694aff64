/* SPDX-License-Identifier: Apache-2.0
 *
 * rowcodec -- row <-> value.
 *
 * The format of a row, version 1:
 *
 *   varint  schema version: 0 (a later ALTER writes others)
 *   varint  number of columns
 *   varint  per column its code:
 *             0 NULL   1..6 integer of 1, 2, 3, 4, 6, 8 bytes, big endian, two's
 *             complement   7 real, 8 bytes big endian IEEE   8 integer 0   9 integer 1
 *             10 in the key   11 in the key, as a real   12..15 reserved
 *             16 + 2n blob of n bytes   17 + 2n text of n bytes, in the database's
 *             encoding
 *   bytes   per column, in order
 *
 * A key column is stored as 10 or 11 where decoding the key gives back exactly the
 * value that was inserted, else whole (a NOCASE text that was not lower case, a real
 * -0.0). The row ('x', 'hi', -2) of a table (k TEXT PRIMARY KEY, a, b):
 *
 *   00 03 0a 15 01 68 69 fe
 *
 * A reader decodes only the columns it is asked for.  A row with fewer columns than the
 * table reads as NULL beyond them, and one with more has something there that only who
 * wrote it knows (mergerow.h). */
#ifndef SVT_ROWCODEC_H
#define SVT_ROWCODEC_H

#include "keycodec.h"

#define SVT_CODE_BYTE     1
#define SVT_CODE_KEY      10
#define SVT_CODE_KEY_REAL 11

/* Append the row to out. in_key[i]: 0 stored here, SVT_CODE_KEY or SVT_CODE_KEY_REAL;
 * NULL: all are stored here. */
void svt_row_put(struct svt_bytes *out, const struct svt_value *values,
                 const uint8_t *in_key, unsigned n);

/* For who takes rows apart without reading values: the length of the bytes behind a
 * code; SIZE_MAX: no code, or the first byte of a longer one. */
extern const uint8_t svt_row_short_lengths[128]; /* 0xff: no code */
static inline size_t svt_row_short_length(uint8_t code)
{
    uint8_t n = code < 0x80 ? svt_row_short_lengths[code] : 0xff;
    return n == 0xff ? SIZE_MAX : n;
}
/* Whether it is the code of an integer; then that. */
bool svt_row_short_integer(uint8_t code, const uint8_t *p, int64_t *out);
/* The code of an integer, and its bytes in p, which has room for 8. */
uint8_t svt_row_make_integer(int64_t v, uint8_t *p);
/* The same in two steps: what comes before the columns, then the bytes of each that is
 * stored here. */
void svt_row_put_codes(struct svt_bytes *out, const struct svt_value *values,
                       const uint8_t *in_key, unsigned n);
void svt_row_put_bytes(struct svt_bytes *out, const struct svt_value *value);

/* A row being read, and the place of one of its columns.  Borrows the row's bytes. */
struct svt_row {
    const uint8_t *codes, *body, *end; /* first code, first byte of a column, the end */
    uint64_t schema_version;
    unsigned ncolumns;    /* stored */
    unsigned column;      /* the column whose place is known: */
    const uint8_t *code;  /* its code, */
    const uint8_t *bytes; /* its bytes */
};

/* False: not a row. Cheap: reads the two counts and skips over the codes; what the
 * codes say is checked when a column is read. */
bool svt_row_open(struct svt_row *row, seerdb_slice bytes);

/* Column i of a row that is looked at once: the same as open and get where it answers
 * true; otherwise ask those. */
bool svt_row_pick(seerdb_slice bytes, unsigned i, struct svt_value *out,
                  uint8_t *in_key);

/* Column i. *in_key is 0, or the code that says to look in the key (*out is then
 * untouched).  Any order; rising order is cheapest. False: malformed. */
bool svt_row_get(struct svt_row *row, unsigned i, struct svt_value *out,
                 uint8_t *in_key);

/* Of a row that is not here whole: the code of column i, and where its bytes begin and
 * how many they are, as if it were.  Requires: i < row->ncolumns. */
bool svt_row_locate(const struct svt_row *row, unsigned i, uint64_t *code, uint64_t *at,
                    uint64_t *length);
/* A column of this code, whose bytes are these; *in_key as in svt_row_get. */
void svt_row_decode(uint64_t code, const uint8_t *bytes, size_t length,
                    struct svt_value *out, uint8_t *in_key);

#endif
