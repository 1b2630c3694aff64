/* SPDX-License-Identifier: Apache-2.0
 *
 * keycodec -- SQL values <-> keys whose bytes sort as SQLite compares the values.
 *
 * For every pair of values and every built-in collation, memcmp of the encodings (a
 * proper prefix first) has the sign of SQLite's comparison: NULL < numbers < text <
 * blob; integers and reals on one exact number line; text by the collation.
 *
 * INTEGER PRIMARY KEY and hidden rowids: eight bytes, big endian, sign bit flipped, no
 * tag (svt_key_rowid).  Every other key is a sequence of parts:
 *
 *   NULL    05
 *   number  15, the largest double d <= x as eight big-endian bytes made sortable (all
 *           bits inverted if negative, else the sign bit), and where |d| >= 2^53 two
 * more bytes: x - d, big endian.  -0.0 is 0.0. text    25, then the collated bytes
 * (BINARY: as they are; NOCASE: see below; RTRIM: without trailing spaces) blob    35,
 * then the bytes
 *
 * NOCASE compares like SQLite's nocase: ASCII folded to lower case up to the first NUL;
 * a text with a NUL there goes on with 00 and its total length as eight bytes.
 *
 * In a UTF-16 database BINARY text is its UTF-16 bytes; NOCASE and RTRIM, which SQLite
 * defines on UTF-8, are made from that.
 *
 * Text and blob in the last part, ascending, run to the end of the key.  Elsewhere 00
 * becomes 00 FF and the part ends with 00 00.  A DESC part has all its bytes inverted.
 * (Tags leave room below and above each class for the ends of ranges.) */
#ifndef SVT_KEYCODEC_H
#define SVT_KEYCODEC_H

#include "bytes.h"
#include "value.h"

enum svt_collation { SVT_BINARY, SVT_NOCASE, SVT_RTRIM };

struct svt_key_part {
    enum svt_collation collation;
    bool desc;
    bool last;                  /* the last part of its key */
    enum svt_encoding encoding; /* of texts */
};

#define SVT_TAG_NULL   0x05
#define SVT_TAG_NUMBER 0x15
#define SVT_TAG_TEXT   0x25
#define SVT_TAG_BLOB   0x35

void svt_key_rowid(struct svt_bytes *out, int64_t rowid);
int64_t svt_key_read_rowid(seerdb_slice key); /* Requires: eight bytes */

/* Append the encoding of v, which already went through its column's affinity. */
void svt_key_put(struct svt_bytes *out, const struct svt_key_part *part,
                 const struct svt_value *v);

/* Append the boundary between the classes of a part: a byte that no value starts with,
 * just below all values with this tag or just above them in the order of values; the
 * bytes of a DESC part run the other way. */
void svt_key_put_tag(struct svt_bytes *out, const struct svt_key_part *part,
                     uint8_t tag, bool above);

/* Append the beginning that the texts have in common which begin with the ASCII
 * character c: all of those texts, and of UTF-16le others whose first byte is c, lie
 * between it and that of the next character (DESC: the one before). */
void svt_key_put_first(struct svt_bytes *out, const struct svt_key_part *part,
                       uint8_t c);

/* Decode the next part at *p.  A number comes back as an integer where its value is one
 * within int64, else as a real; NOCASE and RTRIM text comes back collated, in UTF-8.
 * The text and blob bytes may need unescaping: they then live in *scratch, appended;
 * decoding the later parts of the same key does not move them.  False, and *p as it
 * was: malformed, or scratch->failed. */
bool svt_key_get(const uint8_t **p, const uint8_t *end, const struct svt_key_part *part,
                 struct svt_value *out, struct svt_bytes *scratch);

/* Turn `key` into the smallest byte string greater than every string that starts with
 * it; false when there is none (all bytes FF): then there is no upper bound.  A text or
 * blob in the last part, ascending, is a prefix of longer ones: the next key after
 * exactly that one is the same with a byte 00 appended. */
bool svt_key_successor(struct svt_bytes *key);

#endif
