/* SPDX-License-Identifier: Apache-2.0
 *
 * First fit over a bitmap of granules, one bitmap per region, at its start.  Blocks of
 * one tree differ little in size, so that what one leaves the next one fits; a region
 * that refused a size is not asked for it again until something in it is freed.  The
 * pool's table of regions holds what decides where to look, so that a search does not
 * touch the regions themselves.
 *
 * Granules are small so that blocks that were read one after the other lie one behind
 * the other: with gaps of a few hundred bytes a scan of blocks in memory takes half as
 * long again, because the processor's prefetching starts anew with each. */
#define _GNU_SOURCE
#include "os/pages.h"

#include "base/mem.h"

#include <assert.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>

#define GRANULE  ((size_t)128)
#define GRANULES ((uint32_t)(SDB_PAGES_REGION / GRANULE))
#define WORDS    (GRANULES / 64)
/* Granules of a piece that makes its region one of large pieces. */
#define LARGE ((uint32_t)(((size_t)256 << 10) / GRANULE))
/* Crowded is who has so many regions more than wanted; and then so many go, or more if
 * more are wanted: each time costs a look at every piece. */
#define SLACK 8u

/* At the start of its 2 MiB; the first granules are its own. */
struct region {
    struct sdb_pages *pool;
    uint32_t slot;          /* in pool->regions */
    _Atomic bool condemned; /* set under the lock; relaxed: who misses it now will not
                               the next time */
    uint64_t used[WORDS];   /* a bit per granule */
};
#define OWN   ((uint32_t)((sizeof(struct region) + GRANULE - 1) / GRANULE))
#define EMPTY (GRANULES - OWN) /* what is free of an empty region */
_Static_assert(SDB_PAGES_REGION >= 2 * SDB_PAGES_PIECE_MAX + OWN * GRANULE, "two fit");
_Static_assert(SDB_PAGES_REGION % (64 * GRANULE) == 0, "whole words");

struct slot {
    struct region *region; /* owned */
    uint32_t nfree;        /* granules */
    uint32_t refused;      /* no run of so many granules is free; 0: condemned */
    uint32_t nlarge;       /* pieces that nobody gives back before their time */
};

struct sdb_pages {
    _Atomic uint32_t count;                    /* relaxed up; acq_rel down */
    struct sdb_mutex lock;                     /* LK_PAGES */
    struct slot *regions GUARDED_BY(LK_PAGES); /* owned */
    uint32_t nregions GUARDED_BY(LK_PAGES), capacity GUARDED_BY(LK_PAGES);
    uint32_t nempty GUARDED_BY(LK_PAGES); /* of these */
    uint32_t last GUARDED_BY(LK_PAGES);   /* the slot that served last */
    uint32_t limit GUARDED_BY(LK_PAGES);  /* regions wanted at most */
    uint32_t ncondemned GUARDED_BY(LK_PAGES);
    uint32_t spare;       /* empty regions to keep; immutable */
    _Atomic bool crowded; /* relaxed: worth a look */
};

struct sdb_pages *sdb_pages_new(size_t spare) NO_TSA /* shared with nobody yet */
{
    struct sdb_pages *p = sdb_mem_zalloc(sizeof *p);
    if (p == NULL)
        return NULL;
    atomic_init(&p->count, 1);
    sdb_mutex_init(&p->lock);
    p->spare = (uint32_t)(spare / SDB_PAGES_REGION);
    p->limit = UINT32_MAX;
    return p;
}

/* The last count is gone: nobody else can hold the lock. */
static void pool_free(struct sdb_pages *p) NO_TSA
{
    for (uint32_t i = 0; i < p->nregions; i++)
        sdb_mem_unmap(p->regions[i].region, SDB_PAGES_REGION);
    sdb_mem_free(p->regions);
    sdb_mutex_fini(&p->lock);
    sdb_mem_free(p);
}

void sdb_pages_unref(struct sdb_pages *p)
{
    if (p != NULL && atomic_fetch_sub_explicit(&p->count, 1, memory_order_acq_rel) == 1)
        pool_free(p);
}

/* ---- bitmaps --------------------------------------------------------------- */

/* The first granule from `at` on whose bit is `bit`; GRANULES if there is none. */
static uint32_t find_bit(const uint64_t *used, uint32_t at, bool bit)
{
    while (at < GRANULES) {
        uint64_t word = (bit ? used[at / 64] : ~used[at / 64]) >> (at % 64);
        if (word != 0)
            return at + (uint32_t)__builtin_ctzll(word);
        at = (at / 64 + 1) * 64;
    }
    return GRANULES;
}

/* The first of n free granules in a row; GRANULES if there are none. */
static uint32_t find_run(const uint64_t *used, uint32_t n)
{
    for (uint32_t at = find_bit(used, OWN, false); at + n <= GRANULES;) {
        uint32_t end = find_bit(used, at, true);
        if (end - at >= n)
            return at;
        at = find_bit(used, end, false);
    }
    return GRANULES;
}

static void set_bits(uint64_t *used, uint32_t at, uint32_t n, bool bit)
{
    for (uint32_t end = at + n; at < end;) {
        uint32_t in_word = 64 - at % 64, k = end - at < in_word ? end - at : in_word;
        uint64_t mask = (k == 64 ? UINT64_MAX : (UINT64_C(1) << k) - 1) << (at % 64);
        assert((used[at / 64] & mask) == (bit ? 0 : mask));
        used[at / 64] = bit ? used[at / 64] | mask : used[at / 64] & ~mask;
        at += k;
    }
}

/* ---- regions --------------------------------------------------------------- */

/* Regions that are empty, or will be, do not count. */
static void note_crowd(struct sdb_pages *p) REQUIRES(LK_PAGES)
{
    uint32_t stay = p->nregions - p->ncondemned;
    atomic_store_explicit(&p->crowded, stay >= SLACK && stay - SLACK > p->limit,
                          memory_order_relaxed);
}

/* Whole huge pages: twice as much, less what lies around. */
static struct region *map_region(void)
{
    size_t size = SDB_PAGES_REGION;
    uint8_t *p = sdb_mem_map(2 * size);
    if (p == NULL)
        return NULL;
    size_t before = (size_t)(-(uintptr_t)p & (size - 1));
    if (before > 0)
        sdb_mem_unmap(p, before);
    sdb_mem_unmap(p + before + size, size - before);
    /* A refusal only means small pages. */
    (void)madvise(p + before, size, MADV_HUGEPAGE);
    return (struct region *)(void *)(p + before);
}

static bool add_region(struct sdb_pages *p) REQUIRES(LK_PAGES)
{
    if (p->nregions == p->capacity) {
        uint32_t capacity = p->capacity * 2 + 8;
        struct slot *slots = sdb_array_grow(p->regions, capacity, sizeof *slots);
        if (slots == NULL)
            return false;
        p->regions = slots;
        p->capacity = capacity;
    }
    struct region *r = map_region();
    if (r == NULL)
        return false;
    *r = (struct region){.pool = p, .slot = p->nregions};
    set_bits(r->used, 0, OWN, true);
    p->last = p->nregions++;
    p->nempty++;
    p->regions[p->last] = (struct slot){r, EMPTY, GRANULES, 0};
    note_crowd(p);
    return true;
}

static void remove_region(struct sdb_pages *p, uint32_t slot) REQUIRES(LK_PAGES)
{
    p->ncondemned -= p->regions[slot].refused == 0;
    sdb_mem_unmap(p->regions[slot].region, SDB_PAGES_REGION);
    p->nempty--;
    p->nregions--;
    if (slot != p->nregions) {
        p->regions[slot] = p->regions[p->nregions];
        p->regions[slot].region->slot = slot;
    }
    p->last = 0;
}

/* A piece of n granules in the region, or NULL. */
static void *take_from(struct sdb_pages *p, uint32_t slot, uint32_t n)
    REQUIRES(LK_PAGES)
{
    struct slot *s = &p->regions[slot];
    if (s->nfree < n || s->refused <= n)
        return NULL;
    uint32_t at = find_run(s->region->used, n);
    if (at == GRANULES) {
        s->refused = n;
        return NULL;
    }
    p->nempty -= s->nfree == EMPTY;
    set_bits(s->region->used, at, n, true);
    s->nfree -= n;
    s->nlarge += n >= LARGE;
    p->last = slot;
    return (uint8_t *)s->region + at * GRANULE;
}

size_t sdb_pages_cost(const struct sdb_pages *p, size_t size)
{
    if (p == NULL || size > SDB_PAGES_PIECE_MAX)
        return size;
    return size == 0 ? GRANULE : (size + GRANULE - 1) / GRANULE * GRANULE;
}

void *sdb_pages_take(struct sdb_pages *p, size_t size)
{
    if (p == NULL || size > SDB_PAGES_PIECE_MAX)
        return sdb_mem_take(size);
    uint32_t n = size == 0 ? 1 : (uint32_t)((size + GRANULE - 1) / GRANULE);
    void *piece = NULL;
    sdb_lock_pages(&p->lock);
    if (p->nregions > 0)
        piece = take_from(p, p->last, n);
    for (uint32_t i = 0; i < p->nregions && piece == NULL; i++)
        piece = take_from(p, i, n);
    if (piece == NULL && add_region(p))
        piece = take_from(p, p->last, n);
    sdb_unlock_pages(&p->lock);
    if (piece != NULL)
        atomic_fetch_add_explicit(&p->count, 1, memory_order_relaxed);
    return piece;
}

void sdb_pages_give(struct sdb_pages *p, void *piece, size_t size)
{
    if (piece == NULL)
        return;
    if (p == NULL || size > SDB_PAGES_PIECE_MAX) {
        sdb_mem_give(piece, size);
        return;
    }
    uintptr_t offset = (uintptr_t)piece & (SDB_PAGES_REGION - 1);
    struct region *r = (struct region *)(void *)((uint8_t *)piece - offset);
    uint32_t n = size == 0 ? 1 : (uint32_t)((size + GRANULE - 1) / GRANULE);
    assert(r->pool == p);
    sdb_lock_pages(&p->lock);
    struct slot *s = &p->regions[r->slot];
    set_bits(r->used, (uint32_t)(offset / GRANULE), n, false);
    s->nfree += n;
    s->nlarge -= n >= LARGE;
    s->refused = s->refused == 0 ? 0 : GRANULES;
    if (s->nfree == EMPTY && (++p->nempty > p->spare || s->refused == 0))
        remove_region(p, r->slot);
    sdb_unlock_pages(&p->lock);
    sdb_pages_unref(p);
}

/* ---- crowds ---------------------------------------------------------------- */

void sdb_pages_set_limit(struct sdb_pages *p, size_t bytes)
{
    sdb_lock_pages(&p->lock);
    p->limit = (uint32_t)(bytes / SDB_PAGES_REGION);
    note_crowd(p);
    sdb_unlock_pages(&p->lock);
}

bool sdb_pages_crowded(const struct sdb_pages *p)
{
    return p != NULL && atomic_load_explicit(&p->crowded, memory_order_relaxed);
}

/* The region of small pieces that has the most room, or nregions. */
static uint32_t emptiest(const struct sdb_pages *p) REQUIRES(LK_PAGES)
{
    uint32_t best = p->nregions;
    for (uint32_t i = 0; i < p->nregions; i++) {
        const struct slot *s = &p->regions[i];
        if (s->nlarge == 0 && s->refused != 0 && s->nfree != EMPTY &&
            (best == p->nregions || s->nfree > p->regions[best].nfree))
            best = i;
    }
    return best;
}

size_t sdb_pages_condemn(struct sdb_pages *p)
{
    uint32_t n = 0;
    sdb_lock_pages(&p->lock);
    /* Empty ones first: that costs nobody anything. */
    for (uint32_t i = p->nregions; i-- > 0 && p->nregions - p->ncondemned > p->limit;)
        if (p->regions[i].nfree == EMPTY)
            remove_region(p, i);
    while (p->nregions - p->ncondemned > p->limit) {
        uint32_t i = emptiest(p);
        if (i == p->nregions)
            break;
        p->regions[i].refused = 0;
        p->ncondemned++;
        n++;
        atomic_store_explicit(&p->regions[i].region->condemned, true,
                              memory_order_relaxed);
    }
    /* If that was not enough there is nothing to be done about it now. */
    atomic_store_explicit(&p->crowded, false, memory_order_relaxed);
    sdb_unlock_pages(&p->lock);
    return n * SDB_PAGES_REGION;
}

bool sdb_pages_is_condemned(const struct sdb_pages *p, const void *piece, size_t size)
{
    if (p == NULL || size > SDB_PAGES_PIECE_MAX)
        return false;
    uintptr_t offset = (uintptr_t)piece & (SDB_PAGES_REGION - 1);
    const struct region *r = (const void *)((const uint8_t *)piece - offset);
    return atomic_load_explicit(&r->condemned, memory_order_relaxed);
}

static void *take_chunk(void *ctx, size_t size)
{
    return sdb_pages_take(ctx, size);
}

static void give_chunk(void *ctx, void *chunk, size_t size)
{
    sdb_pages_give(ctx, chunk, size);
}

struct sdb_arena_source sdb_pages_source(struct sdb_pages *p)
{
    if (p == NULL)
        return (struct sdb_arena_source){0};
    return (struct sdb_arena_source){take_chunk, give_chunk, p, SDB_PAGES_PIECE_MAX};
}

size_t sdb_pages_bytes(struct sdb_pages *p)
{
    sdb_lock_pages(&p->lock);
    size_t bytes = p->nregions * SDB_PAGES_REGION;
    sdb_unlock_pages(&p->lock);
    return bytes;
}

void sdb_pages_check(struct sdb_pages *p)
{
    uint32_t nempty = 0;
    sdb_lock_pages(&p->lock);
    for (uint32_t i = 0; i < p->nregions; i++) {
        uint32_t nused = 0;
        for (uint32_t w = 0; w < WORDS; w++)
            nused += (uint32_t)__builtin_popcountll(p->regions[i].region->used[w]);
        assert(nused + p->regions[i].nfree == GRANULES);
        assert(p->regions[i].region->slot == i && p->regions[i].region->pool == p);
        nempty += nused == OWN;
    }
    assert(nempty == p->nempty);
    (void)nempty;
    sdb_unlock_pages(&p->lock);
}
