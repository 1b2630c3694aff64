/* SPDX-License-Identifier: Apache-2.0
 *
 * coding -- little-endian integers, varints, and a sticky bounds-checked reader.
 *
 * Writers append to a struct sdb_buf.  A varint is LEB128: seven bits a byte, low
 * first, at most ten bytes, and only the shortest form is accepted.  A slice is a
 * varint length and the bytes.  FORMAT.md, "Conventions". */
#ifndef SDB_BASE_CODING_H
#define SDB_BASE_CODING_H

#include "base/buf.h"

#include <string.h>

static inline void sdb_store_u16(void *p, uint16_t v)
{
    uint8_t *b = p;
    b[0] = (uint8_t)v;
    b[1] = (uint8_t)(v >> 8);
}

static inline void sdb_store_u32(void *p, uint32_t v)
{
    sdb_store_u16(p, (uint16_t)v);
    sdb_store_u16((uint8_t *)p + 2, (uint16_t)(v >> 16));
}

static inline void sdb_store_u64(void *p, uint64_t v)
{
    sdb_store_u32(p, (uint32_t)v);
    sdb_store_u32((uint8_t *)p + 4, (uint32_t)(v >> 32));
}

static inline uint16_t sdb_load_u16(const void *p)
{
    const uint8_t *b = p;
    return (uint16_t)(b[0] | b[1] << 8);
}

static inline uint32_t sdb_load_u32(const void *p)
{
    const uint8_t *b = p;
    return (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 |
           (uint32_t)b[3] << 24;
}

static inline uint64_t sdb_load_u64(const void *p)
{
    return (uint64_t)sdb_load_u32(p) | (uint64_t)sdb_load_u32((const uint8_t *)p + 4)
                                           << 32;
}

/* Big endian: integers whose bytes sort as they do. */
static inline uint64_t sdb_load_be64(const void *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof v);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    v = __builtin_bswap64(v);
#endif
    return v;
}

static inline void sdb_store_be64(void *p, uint64_t v)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    v = __builtin_bswap64(v);
#endif
    memcpy(p, &v, sizeof v);
}

#define SDB_VARINT_MAX 10
/* Write v at p (SDB_VARINT_MAX bytes of room); returns the bytes used. */
size_t sdb_store_long_varint(uint8_t *p, uint64_t v); /* for sdb_store_varint */
static inline size_t sdb_store_varint(uint8_t *p, uint64_t v)
{
    if (v >= 0x80)
        return sdb_store_long_varint(p, v);
    *p = (uint8_t)v;
    return 1;
}
size_t sdb_varint_size(uint64_t v);

void sdb_put_u8(struct sdb_buf *b, uint8_t v);
void sdb_put_u16(struct sdb_buf *b, uint16_t v);
void sdb_put_u32(struct sdb_buf *b, uint32_t v);
void sdb_put_u64(struct sdb_buf *b, uint64_t v);
void sdb_put_varint(struct sdb_buf *b, uint64_t v);
void sdb_put_slice(struct sdb_buf *b, seerdb_slice s);

/* Reads from a slice; the first read past the end, over-long varint or bad length
 * sticks, and later reads answer zeros. */
struct sdb_reader {
    const uint8_t *p, *end; /* borrowed */
    bool failed;
};

static inline struct sdb_reader sdb_reader_init(seerdb_slice s)
{
    const uint8_t *p = s.data;
    return (struct sdb_reader){p, s.size > 0 ? p + s.size : p, false};
}
uint8_t sdb_get_u8(struct sdb_reader *r);
uint16_t sdb_get_u16(struct sdb_reader *r);
uint32_t sdb_get_u32(struct sdb_reader *r);
uint64_t sdb_get_u64(struct sdb_reader *r);
uint64_t sdb_get_long_varint(struct sdb_reader *r); /* for sdb_get_varint */
static inline uint64_t sdb_get_varint(struct sdb_reader *r)
{
    return !r->failed && r->p < r->end && *r->p < 0x80 ? *r->p++
                                                       : sdb_get_long_varint(r);
}
static inline size_t sdb_reader_left(const struct sdb_reader *r)
{
    return (size_t)(r->end - r->p);
}
/* n bytes, borrowed */
static inline seerdb_slice sdb_get_bytes(struct sdb_reader *r, uint64_t n)
{
    const uint8_t *p = r->p;
    if (r->failed || n > sdb_reader_left(r)) {
        r->failed = true;
        return (seerdb_slice){NULL, 0};
    }
    r->p += n;
    return (seerdb_slice){p, (size_t)n};
}
static inline seerdb_slice sdb_get_slice(struct sdb_reader *r) /* varint n + n bytes */
{
    return sdb_get_bytes(r, sdb_get_varint(r));
}
/* True iff nothing failed and every byte was read. */
bool sdb_reader_done(const struct sdb_reader *r);

#endif
