/* SPDX-License-Identifier: Apache-2.0
 *
 * keycode -- key -> 64-bit integer that orders as the keys do.
 *
 * Scheme S0: drop a prefix that the keys share, take the next eight bytes big
 * endian, zero-padded.  Monotone: a < b implies code(a) <= code(b); equal codes are
 * settled by the full keys.  A key outside the prefix maps to 0 or UINT64_MAX, which
 * keeps the order.  Scheme S2 has no codes.  FORMAT.md, "Key codes". */
#ifndef SDB_TABLE_KEYCODE_H
#define SDB_TABLE_KEYCODE_H

#include "base/coding.h"
#include "table/key.h"

#define SDB_PREFIX_MAX 255

enum sdb_scheme { SDB_SCHEME_S0 = 0, SDB_SCHEME_S2 = 2 }; /* on disk */

struct sdb_coder {
    uint8_t prefix_size;
    uint8_t prefix[SDB_PREFIX_MAX];
    uint64_t head; /* its first eight bytes, as a window */
};

/* A coder for keys between smallest and largest: their common prefix (cut at
 * SDB_PREFIX_MAX) is dropped. */
void sdb_coder_init(struct sdb_coder *c, seerdb_slice smallest, seerdb_slice largest);

/* A coder that drops exactly `prefix`. Requires: prefix.size <= SDB_PREFIX_MAX. */
void sdb_coder_set(struct sdb_coder *c, seerdb_slice prefix);

bool sdb_coder_covers(const struct sdb_coder *c, seerdb_slice key); /* has the prefix */

/* The first eight of n bytes big endian, padded with zeros: orders as the bytes do,
 * but for ties. */
static inline uint64_t sdb_window(const uint8_t *p, size_t n)
{
    uint64_t w = 0;
    if (n >= 8)
        return sdb_load_be64(p);
    for (size_t i = 0; i < n; i++)
        w |= (uint64_t)p[i] << (56 - 8 * i);
    return w;
}

/* The key's code.  Most keys have eight bytes or more, and share fewer. */
uint64_t sdb_code_slowly(const struct sdb_coder *c, seerdb_slice key);
static inline uint64_t sdb_code(const struct sdb_coder *c, seerdb_slice key)
{
    size_t p = c->prefix_size;
    if (key.size < 8 || p >= 8)
        return sdb_code_slowly(c, key);
    uint64_t head = sdb_load_be64(key.data);
    if (p == 0)
        return head;
    if ((head ^ c->head) >> (64 - 8 * p) != 0)
        return head < c->head ? 0 : UINT64_MAX;
    return key.size == 8 ? head << (8 * p)
                         : sdb_window((const uint8_t *)key.data + p, key.size - p);
}

/* Length of the common prefix of a and b. */
size_t sdb_common_prefix(seerdb_slice a, seerdb_slice b);

#endif
