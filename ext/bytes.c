/* SPDX-License-Identifier: Apache-2.0 */
#include "bytes.h"

#include "sqlite.h"

#include <string.h>

void svt_bytes_fini(struct svt_bytes *b)
{
    sqlite3_free(b->data);
    *b = (struct svt_bytes){0};
}

bool svt_bytes_grow(struct svt_bytes *b, size_t extra)
{
    size_t want;
    if (b->failed)
        return false;
    if (__builtin_add_overflow(b->size, extra, &want)) {
        b->failed = true;
        return false;
    }
    if (want < b->capacity + b->capacity / 2)
        want = b->capacity + b->capacity / 2;
    if (want < 64)
        want = 64;
    uint8_t *data = sqlite3_realloc64(b->data, want);
    if (data == NULL) {
        b->failed = true;
        return false;
    }
    b->data = data;
    b->capacity = want;
    return true;
}

void svt_bytes_varint(struct svt_bytes *b, uint64_t v)
{
    if (!svt_bytes_reserve(b, SVT_VARINT_MAX))
        return;
    while (v >= 0x80) {
        b->data[b->size++] = (uint8_t)(v | 0x80);
        v >>= 7;
    }
    b->data[b->size++] = (uint8_t)v;
}

bool svt_varint_read(const uint8_t **p, const uint8_t *end, uint64_t *v)
{
    const uint8_t *q = *p;
    uint64_t sum = 0;
    for (unsigned shift = 0; shift < 64 && q < end; shift += 7) {
        uint8_t byte = *q++;
        if (shift == 63 && byte > 1)
            return false; /* over 64 bits */
        sum |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            if (byte == 0 && shift > 0)
                return false; /* not the shortest form */
            *p = q;
            *v = sum;
            return true;
        }
    }
    return false;
}
