/* SPDX-License-Identifier: Apache-2.0
 *
 * Chunks double from 4 KiB to 1 MiB, so that a batch of one row costs little and a
 * memtable of 64 MiB few calls.  What would be as large as a chunk of the source comes
 * from there. */
#include "base/arena.h"

#include <stdatomic.h>

#define CHUNK_MIN ((size_t)4096)
#define CHUNK_MAX ((size_t)1 << 20)
#define ALIGN_MAX ((size_t)64)

struct sdb_arena_chunk {
    struct sdb_arena_chunk *older;
    size_t sourced; /* its size, for the source; 0: it is the heap's */
};

static void free_chunks(struct sdb_arena *a, struct sdb_arena_chunk *c)
{
    while (c != NULL) {
        struct sdb_arena_chunk *older = c->older;
        if (c->sourced != 0)
            a->source.give(a->source.ctx, c, c->sourced);
        else
            sdb_mem_free(c);
        c = older;
    }
}

void sdb_arena_fini(struct sdb_arena *a)
{
    free_chunks(a, a->chunks);
    a->chunks = NULL;
    a->next = a->end = NULL;
    atomic_store_explicit(&a->bytes, 0, memory_order_relaxed);
}

void sdb_arena_clear(struct sdb_arena *a, size_t keep)
{
    struct sdb_arena_chunk *c = a->chunks;
    size_t size = c != NULL ? (size_t)(a->end - (uint8_t *)c) : 0;
    if (c == NULL || c->sourced != 0 || size > keep) {
        sdb_arena_fini(a);
        return;
    }
    free_chunks(a, c->older);
    c->older = NULL;
    a->next = (uint8_t *)(c + 1);
    atomic_store_explicit(&a->bytes, size, memory_order_relaxed);
}

/* Start a chunk with room for at least `size` bytes at any alignment. */
static bool grow(struct sdb_arena *a, size_t size)
{
    size_t held = sdb_arena_bytes(a), want = held < CHUNK_MIN ? CHUNK_MIN : held;
    size_t need;
    if (want > CHUNK_MAX)
        want = CHUNK_MAX;
    if (__builtin_add_overflow(size, sizeof *a->chunks + ALIGN_MAX, &need))
        return false;
    if (want < need)
        want = need;
    size_t sourced = a->source.chunk;
    if (want < sourced || need > sourced)
        sourced = 0;
    struct sdb_arena_chunk *c;
    if (sourced != 0) {
        want = sourced;
        c = a->source.take(a->source.ctx, want);
    } else {
        c = sdb_mem_alloc(want); /* alloc aligns */
    }
    if (c == NULL)
        return false;
    *c = (struct sdb_arena_chunk){a->chunks, sourced};
    a->chunks = c;
    a->next = (uint8_t *)(c + 1);
    a->end = (uint8_t *)c + want;
    atomic_store_explicit(&a->bytes, held + want, memory_order_relaxed);
    return true;
}

void *sdb_arena_more(struct sdb_arena *a, size_t size, size_t align)
{
    if (!grow(a, size))
        return NULL;
    uint8_t *p = a->next + (size_t)(-(uintptr_t)a->next & (align - 1));
    a->next = p + size;
    return p;
}

int sdb_arena_reserve(struct sdb_arena *a, size_t size, seerdb_err *err)
{
    if (a->next != NULL && (size_t)(a->end - a->next) >= size)
        return 0;
    return grow(a, size) ? 0 : sdb_fail_nomem(err, size);
}

size_t sdb_arena_bytes(const struct sdb_arena *a)
{
    return atomic_load_explicit(&a->bytes, memory_order_relaxed);
}
