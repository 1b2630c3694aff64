/* SPDX-License-Identifier: Apache-2.0
 *
 * arena -- memory handed out in small pieces and freed whole.
 *
 * One thread allocates; others may read what was handed out. */
#ifndef SDB_BASE_ARENA_H
#define SDB_BASE_ARENA_H

#include "base/mem.h"

struct sdb_arena_chunk;
struct sdb_arena {
    struct sdb_arena_chunk *chunks; /* owned; newest first */
    uint8_t *next, *end;            /* free bytes of the newest chunk */
    _Atomic size_t bytes;           /* taken from the heap; relaxed: a statistic */
};

void sdb_arena_fini(struct sdb_arena *a); /* accepts all zeros */

/* `size` bytes aligned to `align` (a power of two up to 64), or NULL. */
void *sdb_arena_alloc(struct sdb_arena *a, size_t size, size_t align) SDB_MUST_CHECK;

/* Make sure that allocations of `size` bytes in all, alignment included, succeed
 * without going to the heap. */
int sdb_arena_reserve(struct sdb_arena *a, size_t size, seerdb_err *err) SDB_MUST_CHECK;

/* Bytes of the heap held. Any thread. */
size_t sdb_arena_bytes(const struct sdb_arena *a);

#endif
