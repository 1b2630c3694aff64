/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"

#include <string.h>

void sdb_buf_fini(struct sdb_buf *b)
{
    sdb_mem_free(b->data);
    *b = (struct sdb_buf){0};
}

bool sdb_buf_grow(struct sdb_buf *b, size_t extra)
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
    uint8_t *data = sdb_array_grow(b->data, want, 1);
    if (data == NULL) {
        b->failed = true;
        return false;
    }
    b->data = data;
    b->capacity = want;
    return true;
}

void sdb_buf_append(struct sdb_buf *b, const void *data, size_t size)
{
    if (size > 0 && sdb_buf_reserve(b, size)) {
        memcpy(b->data + b->size, data, size);
        b->size += size;
    }
}

void sdb_buf_append_slice(struct sdb_buf *b, seerdb_slice s)
{
    sdb_buf_append(b, s.data, s.size);
}

void sdb_buf_zeros(struct sdb_buf *b, size_t n)
{
    if (n > 0 && sdb_buf_reserve(b, n)) {
        memset(b->data + b->size, 0, n);
        b->size += n;
    }
}

int sdb_buf_check(const struct sdb_buf *b, seerdb_err *err)
{
    return b->failed ? sdb_fail_nomem(err, b->size) : 0;
}
