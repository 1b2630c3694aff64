/* SPDX-License-Identifier: Apache-2.0 */
#include "base/coding.h"

size_t sdb_store_long_varint(uint8_t *p, uint64_t v)
{
    size_t n = 0;
    while (v >= 0x80) {
        p[n++] = (uint8_t)(v | 0x80);
        v >>= 7;
    }
    p[n++] = (uint8_t)v;
    return n;
}

size_t sdb_varint_size(uint64_t v)
{
    size_t n = 1;
    for (; v >= 0x80; v >>= 7)
        n++;
    return n;
}

void sdb_put_u8(struct sdb_buf *b, uint8_t v)
{
    sdb_buf_append(b, &v, 1);
}

void sdb_put_u16(struct sdb_buf *b, uint16_t v)
{
    uint8_t p[2];
    sdb_store_u16(p, v);
    sdb_buf_append(b, p, sizeof p);
}

void sdb_put_u32(struct sdb_buf *b, uint32_t v)
{
    uint8_t p[4];
    sdb_store_u32(p, v);
    sdb_buf_append(b, p, sizeof p);
}

void sdb_put_u64(struct sdb_buf *b, uint64_t v)
{
    uint8_t p[8];
    sdb_store_u64(p, v);
    sdb_buf_append(b, p, sizeof p);
}

void sdb_put_varint(struct sdb_buf *b, uint64_t v)
{
    uint8_t p[SDB_VARINT_MAX];
    sdb_buf_append(b, p, sdb_store_varint(p, v));
}

void sdb_put_slice(struct sdb_buf *b, seerdb_slice s)
{
    sdb_put_varint(b, s.size);
    sdb_buf_append_slice(b, s);
}

/* The next n bytes, or NULL and failed. */
static const uint8_t *take(struct sdb_reader *r, size_t n)
{
    if (r->failed || sdb_reader_left(r) < n) {
        r->failed = true;
        return NULL;
    }
    const uint8_t *p = r->p;
    r->p += n;
    return p;
}

uint8_t sdb_get_u8(struct sdb_reader *r)
{
    const uint8_t *p = take(r, 1);
    return p != NULL ? *p : 0;
}

uint16_t sdb_get_u16(struct sdb_reader *r)
{
    const uint8_t *p = take(r, 2);
    return p != NULL ? sdb_load_u16(p) : 0;
}

uint32_t sdb_get_u32(struct sdb_reader *r)
{
    const uint8_t *p = take(r, 4);
    return p != NULL ? sdb_load_u32(p) : 0;
}

uint64_t sdb_get_u64(struct sdb_reader *r)
{
    const uint8_t *p = take(r, 8);
    return p != NULL ? sdb_load_u64(p) : 0;
}

uint64_t sdb_get_long_varint(struct sdb_reader *r)
{
    uint64_t v = 0;
    for (unsigned i = 0; i < SDB_VARINT_MAX; i++) {
        uint8_t byte = sdb_get_u8(r);
        if (r->failed)
            return 0;
        /* The tenth byte holds one bit; a last byte of zero is not the shortest form.
         */
        if ((i == SDB_VARINT_MAX - 1 && byte > 1) || (i > 0 && byte == 0))
            break;
        v |= (uint64_t)(byte & 0x7f) << (7 * i);
        if (byte < 0x80)
            return v;
    }
    r->failed = true;
    return 0;
}

bool sdb_reader_done(const struct sdb_reader *r)
{
    return !r->failed && r->p == r->end;
}
