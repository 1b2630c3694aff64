/* SPDX-License-Identifier: Apache-2.0
 *
 * Entries of a shard hang in a hash table and in one of two queues.  Both are lists
 * through the entries, so nothing is allocated but the entry itself; the hash table
 * grows with the number of entries and is a power of two. */
#include "table/cache.h"

#include "base/mem.h"

#include <assert.h>

#define NSHARDS      16u
#define PROBATION_OF 10u /* the probation queue has a tenth of a shard */
#define USES_MAX     3u
#define BUCKETS_MIN  64u
#define HEAD_LINES   12u /* of 64 bytes */

struct entry {
    struct entry *next_hash;
    struct entry *newer, *older; /* in its queue */
    seerdb_pin *pin;             /* counted */
    uint64_t table;
    uint32_t block;
    uint8_t uses;
    bool main;
    size_t bytes;
};

struct queue {
    struct entry *newest, *oldest;
    size_t bytes;
};

struct shard {
    struct sdb_mutex lock;                       /* LK_CACHE */
    struct entry **buckets GUARDED_BY(LK_CACHE); /* owned */
    size_t nbuckets GUARDED_BY(LK_CACHE), nentries GUARDED_BY(LK_CACHE);
    struct queue probation GUARDED_BY(LK_CACHE), main GUARDED_BY(LK_CACHE);
    size_t capacity GUARDED_BY(LK_CACHE);
    uint64_t hits GUARDED_BY(LK_CACHE), misses GUARDED_BY(LK_CACHE),
        evictions GUARDED_BY(LK_CACHE);
};

struct sdb_cache {
    struct shard shards[NSHARDS];
};

static uint64_t mix(uint64_t table, uint32_t block)
{
    uint64_t z = table * UINT64_C(0x9e3779b97f4a7c15) + block;
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    return z ^ (z >> 29);
}

uint64_t sdb_cache_new_table(void)
{
    static _Atomic uint64_t last; /* a name, not a state: why this global may exist */
    return atomic_fetch_add_explicit(&last, 1, memory_order_relaxed) + 1;
}

struct sdb_cache *sdb_cache_new(size_t capacity)
{
    struct sdb_cache *c = sdb_mem_zalloc(sizeof *c);
    if (c == NULL)
        return NULL;
    for (unsigned i = 0; i < NSHARDS; i++)
        sdb_mutex_init(&c->shards[i].lock);
    sdb_cache_resize(c, capacity);
    return c;
}

static void push(struct queue *q, struct entry *e)
{
    e->newer = NULL;
    e->older = q->newest;
    if (q->newest != NULL)
        q->newest->newer = e;
    else
        q->oldest = e;
    q->newest = e;
    q->bytes += e->bytes;
}

static void take_out(struct queue *q, struct entry *e)
{
    *(e->newer != NULL ? &e->newer->older : &q->newest) = e->older;
    *(e->older != NULL ? &e->older->newer : &q->oldest) = e->newer;
    q->bytes -= e->bytes;
}

static void drop(struct shard *s, struct entry *e) REQUIRES(LK_CACHE)
{
    struct entry **at = &s->buckets[mix(e->table, e->block) & (s->nbuckets - 1)];
    while (*at != e)
        at = &(*at)->next_hash;
    *at = e->next_hash;
    s->nentries--;
    seerdb_pin_unref(e->pin);
    sdb_mem_free(e);
}

/* Make room until the shard holds at most its capacity less `extra`. */
static void evict(struct shard *s, size_t extra) REQUIRES(LK_CACHE)
{
    size_t room = s->capacity > extra ? s->capacity - extra : 0;
    while (s->probation.bytes + s->main.bytes > room) {
        bool from_probation =
            s->probation.oldest != NULL &&
            (s->main.oldest == NULL || s->probation.bytes > room / PROBATION_OF);
        struct queue *q = from_probation ? &s->probation : &s->main;
        struct entry *e = q->oldest;
        take_out(q, e);
        if (e->uses > 0) { /* asked for since it came, or since its last chance */
            e->uses = from_probation ? 0 : (uint8_t)(e->uses - 1);
            e->main = true;
            push(&s->main, e);
            continue;
        }
        drop(s, e);
        s->evictions++;
    }
}

void sdb_cache_resize(struct sdb_cache *c, size_t capacity)
{
    for (unsigned i = 0; i < NSHARDS; i++) {
        struct shard *s = &c->shards[i];
        sdb_lock_cache(&s->lock);
        s->capacity = capacity / NSHARDS;
        evict(s, 0);
        sdb_unlock_cache(&s->lock);
    }
}

void sdb_cache_free(struct sdb_cache *c) NO_TSA /* shared with nobody any more */
{
    if (c == NULL)
        return;
    sdb_cache_resize(c, 0);
    for (unsigned i = 0; i < NSHARDS; i++) {
        assert(c->shards[i].nentries == 0);
        sdb_mem_free(c->shards[i].buckets);
        sdb_mutex_fini(&c->shards[i].lock);
    }
    sdb_mem_free(c);
}

static struct entry *find(const struct shard *s, uint64_t hash, uint64_t table,
                          uint32_t block) REQUIRES(LK_CACHE)
{
    struct entry *e = s->nbuckets > 0 ? s->buckets[hash & (s->nbuckets - 1)] : NULL;
    while (e != NULL && (e->table != table || e->block != block))
        e = e->next_hash;
    return e;
}

static struct shard *shard_of(struct sdb_cache *c, uint64_t hash)
{
    return &c->shards[(hash >> 56) % NSHARDS];
}

/* Who gets a block looks at its count, its header and its codes, which are not in the
 * processor's cache as a rule: fetch them side by side instead of one by one. */
static inline void fetch_head(const seerdb_pin *pin)
{
    const uint8_t *p = (const uint8_t *)pin;
    for (size_t i = 0; i < HEAD_LINES; i++)
        __builtin_prefetch(p + i * 64);
}

seerdb_pin *sdb_cache_get(struct sdb_cache *c, uint64_t table, uint32_t block,
                          enum sdb_cache_use use)
{
    uint64_t hash = mix(table, block);
    struct shard *s = shard_of(c, hash);
    seerdb_pin *pin = NULL;
    sdb_lock_cache(&s->lock);
    struct entry *e = find(s, hash, table, block);
    if (e != NULL) {
        fetch_head(e->pin);
        pin = seerdb_pin_ref(e->pin);
        if (use == SDB_CACHE_POINT && e->uses < USES_MAX)
            e->uses++;
        s->hits++;
    } else {
        s->misses++;
    }
    sdb_unlock_cache(&s->lock);
    return pin;
}

/* Keep buckets and entries about equal.  Without memory the chains are longer. */
static void grow(struct shard *s) REQUIRES(LK_CACHE)
{
    size_t n = s->nbuckets > 0 ? s->nbuckets * 2 : BUCKETS_MIN;
    if (s->nentries < s->nbuckets)
        return;
    struct entry **buckets = sdb_array_new(n, sizeof(struct entry *));
    if (buckets == NULL)
        return;
    for (size_t i = 0; i < s->nbuckets; i++) {
        struct entry *next;
        for (struct entry *e = s->buckets[i]; e != NULL; e = next) {
            struct entry **to = &buckets[mix(e->table, e->block) & (n - 1)];
            next = e->next_hash;
            e->next_hash = *to;
            *to = e;
        }
    }
    sdb_mem_free(s->buckets);
    s->buckets = buckets;
    s->nbuckets = n;
}

void sdb_cache_inherit(struct sdb_cache *c, uint64_t table, uint32_t block,
                       seerdb_pin *pin, size_t bytes, enum sdb_cache_use use)
{
    uint64_t hash = mix(table, block);
    struct shard *s = shard_of(c, hash);
    struct entry *e = sdb_mem_zalloc(sizeof *e);
    if (e == NULL)
        return; /* nothing but time is lost */
    *e = (struct entry){.table = table, .block = block, .bytes = bytes + sizeof *e};
    sdb_lock_cache(&s->lock);
    grow(s);
    if (s->nbuckets > 0 && e->bytes <= s->capacity &&
        find(s, hash, table, block) == NULL) {
        evict(s, e->bytes);
        e->pin = seerdb_pin_ref(pin);
        struct entry **at = &s->buckets[hash & (s->nbuckets - 1)];
        e->next_hash = *at;
        *at = e;
        s->nentries++;
        e->main = use == SDB_CACHE_POINT;
        push(e->main ? &s->main : &s->probation, e);
        e = NULL;
    }
    sdb_unlock_cache(&s->lock);
    sdb_mem_free(e);
}

void sdb_cache_put(struct sdb_cache *c, uint64_t table, uint32_t block, seerdb_pin *pin,
                   size_t bytes)
{
    sdb_cache_inherit(c, table, block, pin, bytes, SDB_CACHE_SCAN);
}

bool sdb_cache_peek(struct sdb_cache *c, uint64_t table, uint32_t block,
                    enum sdb_cache_use *use)
{
    uint64_t hash = mix(table, block);
    struct shard *s = shard_of(c, hash);
    sdb_lock_cache(&s->lock);
    const struct entry *e = find(s, hash, table, block);
    bool there = e != NULL;
    if (there)
        *use = e->main || e->uses > 0 ? SDB_CACHE_POINT : SDB_CACHE_SCAN;
    sdb_unlock_cache(&s->lock);
    return there;
}

void sdb_cache_forget(struct sdb_cache *c, uint64_t table, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        uint64_t hash = mix(table, i);
        struct shard *s = shard_of(c, hash);
        sdb_lock_cache(&s->lock);
        struct entry *e = find(s, hash, table, i);
        if (e != NULL) {
            take_out(e->main ? &s->main : &s->probation, e);
            drop(s, e);
        }
        sdb_unlock_cache(&s->lock);
    }
}

static void drop_from(struct shard *s, struct queue *q,
                      bool (*must)(const seerdb_pin *pin)) REQUIRES(LK_CACHE)
{
    struct entry *next;
    for (struct entry *e = q->oldest; e != NULL; e = next) {
        next = e->newer;
        if (!must(e->pin))
            continue;
        take_out(q, e);
        drop(s, e);
        s->evictions++;
    }
}

void sdb_cache_drop(struct sdb_cache *c, bool (*must)(const seerdb_pin *pin))
{
    for (unsigned i = 0; i < NSHARDS; i++) {
        struct shard *s = &c->shards[i];
        sdb_lock_cache(&s->lock);
        drop_from(s, &s->probation, must);
        drop_from(s, &s->main, must);
        sdb_unlock_cache(&s->lock);
    }
}

void sdb_cache_count(struct sdb_cache *c, struct sdb_cache_counters *out)
{
    *out = (struct sdb_cache_counters){0};
    for (unsigned i = 0; i < NSHARDS; i++) {
        struct shard *s = &c->shards[i];
        sdb_lock_cache(&s->lock);
        out->hits += s->hits;
        out->misses += s->misses;
        out->evictions += s->evictions;
        out->bytes += s->probation.bytes + s->main.bytes;
        out->capacity += s->capacity;
        sdb_unlock_cache(&s->lock);
    }
}
