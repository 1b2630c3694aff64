/* SPDX-License-Identifier: Apache-2.0
 *
 * bytes -- growable bytes from SQLite's allocator, sticky on failure; and varints.
 *
 * Life: zero-initialise, append (many), use data and size, fini.  The first failed
 * allocation sticks in `failed`; later appends do nothing. */
#ifndef SVT_BYTES_H
#define SVT_BYTES_H

#include "seerdb.h"

#include <string.h>

struct svt_bytes {
    uint8_t *data; /* owned */
    size_t size, capacity;
    bool failed;
};

void svt_bytes_fini(struct svt_bytes *b);
static inline void svt_bytes_clear(struct svt_bytes *b) /* keeps the memory */
{
    b->size = 0;
    b->failed = false;
}
bool svt_bytes_grow(struct svt_bytes *b, size_t extra); /* for svt_bytes_reserve */
static inline bool svt_bytes_reserve(struct svt_bytes *b, size_t extra)
{
    return (!b->failed && b->capacity - b->size >= extra) || svt_bytes_grow(b, extra);
}
static inline void svt_bytes_append(struct svt_bytes *b, const void *p, size_t n)
{
    if (n > 0 && svt_bytes_reserve(b, n)) {
        memcpy(b->data + b->size, p, n);
        b->size += n;
    }
}
static inline void svt_bytes_byte(struct svt_bytes *b, uint8_t v)
{
    if (svt_bytes_reserve(b, 1))
        b->data[b->size++] = v;
}
#define SVT_VARINT_MAX 10
void svt_bytes_varint(struct svt_bytes *b, uint64_t v); /* LEB128 */

/* Read a varint at *p before end: true and *p moved, or false: cut off, more than 64
 * bits, or not in its shortest form. */
bool svt_varint_read(const uint8_t **p, const uint8_t *end, uint64_t *v);

/* Big endian: integers whose bytes sort as they do. */
static inline void svt_store_be64(uint8_t *p, uint64_t v)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    v = __builtin_bswap64(v);
#endif
    memcpy(p, &v, sizeof v);
}

static inline uint64_t svt_load_be64(const uint8_t *p)
{
    return (uint64_t)p[0] << 56 | (uint64_t)p[1] << 48 | (uint64_t)p[2] << 40 |
           (uint64_t)p[3] << 32 | (uint64_t)p[4] << 24 | (uint64_t)p[5] << 16 |
           (uint64_t)p[6] << 8 | (uint64_t)p[7];
}

static inline seerdb_slice svt_bytes_slice(const struct svt_bytes *b)
{
    return (seerdb_slice){b->data, b->size};
}

#endif
