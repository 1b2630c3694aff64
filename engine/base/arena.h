/* SPDX-License-Identifier: Apache-2.0
 *
 * arena -- memory handed out in small pieces and freed whole.
 *
 * One thread allocates; others may read what was handed out. */
#ifndef SDB_BASE_ARENA_H
#define SDB_BASE_ARENA_H

#include "base/mem.h"

/* Where whole chunks come from, and go back to. */
struct sdb_arena_source {
    void *(*take)(void *ctx, size_t size); /* aligned to 16; NULL: no memory */
    void (*give)(void *ctx, void *chunk, size_t size);
    void *ctx;    /* borrowed; lives as long as a chunk of it is held */
    size_t chunk; /* the size to take them in; 0: there is no source */
};

struct sdb_arena_chunk;
struct sdb_arena {
    /* All zeros: the heap has everything.  Otherwise set it before the first
     * allocation; the heap then has the small chunks at the beginning, and what is
     * larger than a chunk. */
    struct sdb_arena_source source;
    struct sdb_arena_chunk *chunks; /* owned; newest first */
    uint8_t *next, *end;            /* free bytes of the newest chunk */
    _Atomic size_t bytes;           /* of all chunks; relaxed: a statistic */
};

void sdb_arena_fini(struct sdb_arena *a); /* accepts all zeros */

/* Everything that was handed out is free again.  Keeps the newest chunk for what comes
 * if that is one of the heap's of at most `keep` bytes. */
void sdb_arena_clear(struct sdb_arena *a, size_t keep);

/* `size` bytes aligned to `align` (a power of two up to 64), or NULL. */
void *sdb_arena_more(struct sdb_arena *a, size_t size, size_t align) /* for alloc */
    SDB_MUST_CHECK;
static inline void *sdb_arena_alloc(struct sdb_arena *a, size_t size, size_t align)
{
    size_t skip = (size_t)(-(uintptr_t)a->next & (align - 1));
    size_t left = (size_t)(a->end - a->next);
    if (left < size + skip || a->next == NULL || size > left)
        return sdb_arena_more(a, size, align);
    void *p = a->next + skip;
    a->next += skip + size;
    return p;
}

/* Make sure that allocations of `size` bytes in all, alignment included, succeed
 * without another chunk. */
int sdb_arena_reserve(struct sdb_arena *a, size_t size, seerdb_err *err) SDB_MUST_CHECK;

/* Bytes held. Any thread. */
size_t sdb_arena_bytes(const struct sdb_arena *a);

#endif
