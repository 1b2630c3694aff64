/* SPDX-License-Identifier: Apache-2.0
 *
 * filter -- a set of keys that may be wrong about a key that is not in it, never about
 * one that is.
 *
 * Split block Bloom filter: a key is one XXH3-64; its upper half picks a line of 256
 * bits, its lower half one bit in each of the line's eight words.  A question costs one
 * cache line.  Built from all hashes at once; read in place from the file's bytes.
 * Immutable then: any thread.  FORMAT.md, "Filter block". */
#ifndef SDB_TABLE_FILTER_H
#define SDB_TABLE_FILTER_H

#include "base/buf.h"
#include "base/hash.h"
#include "table/vec.h"

#define SDB_FILTER_HEADER   32u
#define SDB_FILTER_BITS_MAX 64u /* per key */

struct sdb_filter {
    const uint8_t *lines; /* borrowed; NULL: no filter, everything may be there */
    uint32_t n;
    uint64_t keys; /* in it */
};

/* The one hash of a user key. */
static inline uint64_t sdb_filter_hash(seerdb_slice key)
{
    return sdb_hash64(key.data, key.size, 0);
}

/* Append the filter block of these hashes with so many bits per key, whole or not.  A
 * failure is in out. Requires: n > 0, 0 < bits <= SDB_FILTER_BITS_MAX. */
void sdb_filter_build(struct sdb_buf *out, const uint64_t *hashes, size_t n,
                      double bits);

/* Borrows the bytes.  False: not a filter block. */
bool sdb_filter_parse(struct sdb_filter *f, seerdb_slice bytes);

static inline const uint8_t *sdb_filter_line(const struct sdb_filter *f, uint64_t hash)
{
    return f->lines + SDB_LINE_SIZE * (size_t)((hash >> 32) * f->n >> 32);
}

static inline bool sdb_filter_has(const struct sdb_filter *f, uint64_t hash)
{
    return sdb_vec->line_has(sdb_filter_line(f, hash), (uint32_t)hash);
}

static inline void sdb_filter_prefetch(const struct sdb_filter *f, uint64_t hash)
{
    __builtin_prefetch(sdb_filter_line(f, hash));
}

#endif
