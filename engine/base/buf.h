/* SPDX-License-Identifier: Apache-2.0
 *
 * buf -- growable bytes, sticky on failure.
 *
 * Life: zero-initialise, append (many), read data and size, fini.  The first failed
 * allocation sticks: later appends do nothing, sdb_buf_failed says so.  One thread. */
#ifndef SDB_BASE_BUF_H
#define SDB_BASE_BUF_H

#include "base/mem.h"

struct sdb_buf {
    uint8_t *data; /* owned */
    size_t size, capacity;
    bool failed;
};

void sdb_buf_fini(struct sdb_buf *b);               /* all zeros afterwards */
static inline void sdb_buf_clear(struct sdb_buf *b) /* keeps the memory */
{
    b->size = 0;
    b->failed = false;
}

/* Make room for `extra` more bytes.  False, and failed, when there is no memory. */
bool sdb_buf_grow(struct sdb_buf *b, size_t extra); /* for sdb_buf_reserve */
static inline bool sdb_buf_reserve(struct sdb_buf *b, size_t extra)
{
    return (!b->failed && b->capacity - b->size >= extra) || sdb_buf_grow(b, extra);
}
void sdb_buf_append(struct sdb_buf *b, const void *data, size_t size);
void sdb_buf_append_slice(struct sdb_buf *b, seerdb_slice s);
void sdb_buf_zeros(struct sdb_buf *b, size_t n);

/* 0, or NOMEM in *err when an append failed. */
int sdb_buf_check(const struct sdb_buf *b, seerdb_err *err) SDB_MUST_CHECK;

static inline seerdb_slice sdb_buf_slice(const struct sdb_buf *b)
{
    return (seerdb_slice){b->data, b->size};
}

#endif
