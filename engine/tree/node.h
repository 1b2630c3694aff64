/* SPDX-License-Identifier: Apache-2.0
 *
 * node -- what a memtable is made of: versions of keys, and sequence-locked nodes.
 *
 * Sequence locks without fences.  The one writer makes `version` odd, changes n, next,
 * codes and slots with release stores, and makes it even with a release store.  A
 * reader loads an even version with acquire, the words with acquire, then the version
 * again.  Had a word come from a later change, its acquire load would have synchronised
 * with the release store that follows the odd version in the writer, so the second load
 * would see that odd version or a later one, and the reader tries again.  On x86 all of
 * these are plain moves; the thread sanitizer follows all of them.
 *
 * What a reader touches before it has checked the version is safe to touch: n never
 * exceeds 32, and a slot below an n that was ever current holds a pointer to a complete
 * entry or node, whose release store the acquire load of the slot pairs with. */
#ifndef SDB_TREE_NODE_H
#define SDB_TREE_NODE_H

#include "os/clock.h"
#include "table/hidden.h"
#include "table/keycode.h"

#include <assert.h>
#include <stdalign.h>
#include <stdatomic.h>

#define SDB_NODE_SLOTS 32u
#define SDB_CACHE_LINE 64u
#define SDB_LEVELS_MAX 16   /* inner nodes off the edges are half full: 2^60 keys */
#define SDB_SPINS_MAX  256u /* then the writer has lost its processor: sleep */

/* One version of a key.  Immutable once a slot points to it or to a newer one. */
struct sdb_entry {
    const struct sdb_entry *older; /* same key, number <= this one's; or NULL */
    uint64_t number;
    uint32_t key_size, value_size;
    uint8_t kind;
    uint8_t bytes[]; /* key, value; of a merge record: where its chain goes on */
};

struct sdb_node {
    alignas(SDB_CACHE_LINE) _Atomic uint32_t version; /* odd: being changed */
    _Atomic uint32_t n;
    uint32_t level;              /* immutable; 0: a leaf */
    const struct sdb_entry *low; /* immutable; no key here is below it; NULL: none is */
    _Atomic(struct sdb_node *) next; /* right sibling; links the spares, too */
    _Atomic uint64_t codes[SDB_NODE_SLOTS];
    _Atomic(void *) slots[SDB_NODE_SLOTS]; /* struct sdb_entry, newest version; or
                                              struct sdb_node */
};
_Static_assert(sizeof(struct sdb_node) == 576, "nine cache lines");

static inline struct sdb_node *sdb_node_init(struct sdb_node *nd, uint32_t level,
                                             const struct sdb_entry *low)
{
    atomic_init(&nd->version, 0);
    atomic_init(&nd->n, 0);
    atomic_init(&nd->next, NULL);
    nd->level = level;
    nd->low = low;
    return nd;
}

static inline uint32_t sdb_node_n(const struct sdb_node *nd)
{
    return atomic_load_explicit(&nd->n, memory_order_acquire);
}

static inline uint64_t sdb_node_code(const struct sdb_node *nd, uint32_t i)
{
    return atomic_load_explicit(&nd->codes[i], memory_order_acquire);
}

static inline void *sdb_node_slot(const struct sdb_node *nd, uint32_t i)
{
    return atomic_load_explicit(&nd->slots[i], memory_order_acquire);
}

static inline struct sdb_node *sdb_node_next(const struct sdb_node *nd)
{
    return atomic_load_explicit(&nd->next, memory_order_acquire);
}

static inline void sdb_node_set_slot(struct sdb_node *nd, uint32_t i, uint64_t code,
                                     void *slot)
{
    atomic_store_explicit(&nd->codes[i], code, memory_order_release);
    atomic_store_explicit(&nd->slots[i], slot, memory_order_release);
}

static inline void sdb_node_set_n(struct sdb_node *nd, uint32_t n)
{
    atomic_store_explicit(&nd->n, n, memory_order_release);
}

static inline void sdb_node_set_next(struct sdb_node *nd, struct sdb_node *next)
{
    atomic_store_explicit(&nd->next, next, memory_order_release);
}

/* Relaxed is enough for the odd version: every store between the two is a release. */
static inline void sdb_node_begin_change(struct sdb_node *nd)
{
    uint32_t v = atomic_load_explicit(&nd->version, memory_order_relaxed);
    atomic_store_explicit(&nd->version, v + 1, memory_order_relaxed);
}

static inline void sdb_node_commit_change(struct sdb_node *nd)
{
    uint32_t v = atomic_load_explicit(&nd->version, memory_order_relaxed);
    atomic_store_explicit(&nd->version, v + 1, memory_order_release);
}

/* An even version of nd; *spins counts the tries of one operation. */
static inline uint32_t sdb_node_begin_read(const struct sdb_node *nd, uint32_t *spins)
{
    for (;;) {
        uint32_t v = atomic_load_explicit(&nd->version, memory_order_acquire);
        if ((v & 1) == 0)
            return v;
        if (++*spins % SDB_SPINS_MAX == 0)
            sdb_clock_sleep_us(20);
    }
}

static inline bool sdb_node_unchanged(const struct sdb_node *nd, uint32_t version)
{
    return atomic_load_explicit(&nd->version, memory_order_relaxed) == version;
}

static inline seerdb_slice sdb_entry_key(const struct sdb_entry *e)
{
    return (seerdb_slice){e->bytes, e->key_size};
}

static inline seerdb_slice sdb_entry_value(const struct sdb_entry *e)
{
    return (seerdb_slice){e->bytes + e->key_size, e->value_size};
}

/* Where the chain of a merge record goes on: the newest entry that it does not include;
 * NULL: there is none.  It stands behind the value, wherever that ends. */
static inline const struct sdb_entry *sdb_entry_beyond(const struct sdb_entry *e)
{
    const struct sdb_entry *beyond;
    memcpy(&beyond, e->bytes + e->key_size + e->value_size, sizeof beyond);
    return beyond;
}

/* The newest version from e on with a number <= ceiling that is not hidden, or NULL;
 * nearly always it is e. */
const struct sdb_entry *sdb_memtable_look_below(const struct sdb_entry *e,
                                                uint64_t ceiling,
                                                const struct sdb_hidden *hidden);
static inline const struct sdb_entry *
sdb_memtable_visible(const struct sdb_entry *e, uint64_t ceiling,
                     const struct sdb_hidden *hidden)
{
    bool all = hidden == NULL || hidden->n == 0;
    return e == NULL || (e->number <= ceiling && all)
               ? e
               : sdb_memtable_look_below(e, ceiling, hidden);
}

static inline int sdb_entry_cmp(const struct sdb_entry *e, seerdb_slice key)
{
    return e == NULL ? -1 : sdb_slice_cmp(sdb_entry_key(e), key);
}

/* The key of slot i; NULL: below every key. */
static inline const struct sdb_entry *sdb_node_low(const struct sdb_node *nd,
                                                   uint32_t i)
{
    const void *slot = sdb_node_slot(nd, i);
    return nd->level == 0 ? slot : ((const struct sdb_node *)slot)->low;
}

/* The first of n slots with a code >= code.  Free of branches that depend on data. */
static inline uint32_t sdb_node_code_bound(const struct sdb_node *nd, uint32_t n,
                                           uint64_t code)
{
    uint32_t at = 0;
    while (n > 0) {
        uint32_t half = (n + 1) / 2;
        at += sdb_node_code(nd, at + half - 1) < code ? half : 0;
        n -= half;
    }
    return at;
}

struct sdb_place {
    uint32_t pos; /* the first slot with a key >= the one searched */
    bool equal;   /* and it is that key */
};

static inline struct sdb_place sdb_node_search(const struct sdb_node *nd, uint32_t n,
                                               seerdb_slice key, uint64_t code)
{
    uint32_t lo = sdb_node_code_bound(nd, n, code), hi = lo;
    while (hi < n && sdb_node_code(nd, hi) == code)
        hi++;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        int c = sdb_entry_cmp(sdb_node_low(nd, mid), key);
        if (c == 0)
            return (struct sdb_place){mid, true};
        if (c < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return (struct sdb_place){lo, false};
}

static inline void sdb_node_prefetch(const struct sdb_node *nd)
{
    const uint8_t *p = (const uint8_t *)nd;
    for (size_t i = 0; i < sizeof *nd / SDB_CACHE_LINE; i++)
        __builtin_prefetch(p + i * SDB_CACHE_LINE);
}

/* Requires: nd is not full. */
static inline void sdb_node_put(struct sdb_node *nd, uint32_t pos, uint64_t code,
                                void *slot)
{
    uint32_t n = sdb_node_n(nd);
    assert(pos <= n && n < SDB_NODE_SLOTS);
    if (pos == n) {
        sdb_node_set_slot(nd, pos, code, slot);
        sdb_node_set_n(nd, n + 1); /* publishes the slot */
        return;
    }
    sdb_node_begin_change(nd);
    for (uint32_t i = n; i > pos; i--)
        sdb_node_set_slot(nd, i, sdb_node_code(nd, i - 1), sdb_node_slot(nd, i - 1));
    sdb_node_set_slot(nd, pos, code, slot);
    sdb_node_set_n(nd, n + 1); /* last: no n ever counts a slot that was not set */
    sdb_node_commit_change(nd);
}

/* Split the full node nd and put a slot at pos of what it was.  `right`, empty and not
 * yet published, becomes the right sibling; the parent is to learn of it.  A slot at
 * either end of the key space leaves the full node whole. */
static inline void sdb_node_split(struct sdb_node *nd, struct sdb_node *right,
                                  uint32_t pos, uint64_t code, void *slot)
{
    uint32_t cut = SDB_NODE_SLOTS / 2, first = nd->level > 0 ? 1 : 0, n = 0;
    if (pos == SDB_NODE_SLOTS && sdb_node_next(nd) == NULL)
        cut = SDB_NODE_SLOTS;
    else if (pos == first && nd->low == NULL)
        cut = first;
    bool to_right = pos > cut || cut == SDB_NODE_SLOTS;
    for (uint32_t i = cut; i <= SDB_NODE_SLOTS; i++) {
        if (to_right && i == pos)
            sdb_node_set_slot(right, n++, code, slot);
        if (i < SDB_NODE_SLOTS)
            sdb_node_set_slot(right, n++, sdb_node_code(nd, i), sdb_node_slot(nd, i));
    }
    sdb_node_set_n(right, n);
    right->low = sdb_node_low(right, 0);
    sdb_node_set_next(right, sdb_node_next(nd));
    sdb_node_begin_change(nd);
    sdb_node_set_next(nd, right);
    sdb_node_set_n(nd, cut);
    sdb_node_commit_change(nd);
    if (!to_right)
        sdb_node_put(nd, pos, code, slot);
}

/* A search for a key ends in the leaf that has or would have it; SDB_AIM_BELOW, in the
 * leaf of the greatest key below it. */
enum sdb_aim { SDB_AIM_AT, SDB_AIM_BELOW };

/* Does what is searched lie in `right`, the right sibling, or beyond? */
static inline bool sdb_node_lies_right(const struct sdb_node *right, seerdb_slice key,
                                       enum sdb_aim aim)
{
    int c = right == NULL ? 1 : sdb_entry_cmp(right->low, key);
    return c < 0 || (c == 0 && aim == SDB_AIM_AT);
}

static inline void sdb_entry_prefetch(const struct sdb_entry *e)
{
    const uint8_t *p = (const uint8_t *)e;
    __builtin_prefetch(p);
    __builtin_prefetch(p + SDB_CACHE_LINE);
}

struct sdb_root {
    struct sdb_coder coder;         /* immutable */
    _Atomic(struct sdb_node *) top; /* release: grow(); acquire: below */
};

/* A leaf where the search may start: it, or one to its right, is the one. */
static inline const struct sdb_node *sdb_root_find_leaf(const struct sdb_root *root,
                                                        seerdb_slice key, uint64_t code,
                                                        enum sdb_aim aim,
                                                        uint32_t *spins)
{
    const struct sdb_node *nd = atomic_load_explicit(&root->top, memory_order_acquire);
    while (nd->level > 0) {
        uint32_t version = sdb_node_begin_read(nd, spins), n = sdb_node_n(nd);
        struct sdb_place at = sdb_node_search(nd, n, key, code);
        uint32_t end = at.pos + (at.equal && aim == SDB_AIM_AT ? 1 : 0);
        const struct sdb_node *right = sdb_node_next(nd);
        const struct sdb_node *child = sdb_node_slot(nd, end > 0 ? end - 1 : 0);
        if (!sdb_node_unchanged(nd, version))
            continue;
        assert(end > 0); /* nd->low is below the key, or at it */
        nd = end == n && sdb_node_lies_right(right, key, aim) ? right : child;
        sdb_node_prefetch(nd);
    }
    return nd;
}

/* The way from the top to a leaf. */
struct sdb_path {
    struct sdb_node *node[SDB_LEVELS_MAX];
    uint32_t child[SDB_LEVELS_MAX]; /* which one was taken; of inner nodes */
};

/* The writer's. */
static inline struct sdb_place sdb_root_find_path(const struct sdb_root *root,
                                                  seerdb_slice key, uint64_t code,
                                                  struct sdb_path *path)
{
    struct sdb_node *nd = atomic_load_explicit(&root->top, memory_order_relaxed);
    for (;;) {
        struct sdb_place at = sdb_node_search(nd, sdb_node_n(nd), key, code);
        path->node[nd->level] = nd;
        if (nd->level == 0)
            return at;
        uint32_t child = at.pos - (at.equal ? 0 : 1);
        path->child[nd->level] = child;
        nd = sdb_node_slot(nd, child);
        sdb_node_prefetch(nd);
    }
}

/* Nodes that a new slot in the leaf of the path takes. */
static inline size_t sdb_path_nodes_needed(const struct sdb_root *root,
                                           const struct sdb_path *path)
{
    uint32_t top = atomic_load_explicit(&root->top, memory_order_relaxed)->level;
    for (uint32_t level = 0; level <= top; level++)
        if (sdb_node_n(path->node[level]) < SDB_NODE_SLOTS)
            return level;
    return top + 2; /* and a new top */
}

static inline uint64_t sdb_root_code_of_low(const struct sdb_root *root,
                                            const struct sdb_entry *low)
{
    return low == NULL ? 0 : sdb_code(&root->coder, sdb_entry_key(low));
}

/* About which part of the keys is below key, 0 to 1, as if all children of a node had
 * as many.  What is read may be in the middle of a change: it is an estimate. */
double sdb_root_share_below(const struct sdb_root *root, seerdb_slice key);

struct sdb_root_count {
    const struct sdb_node *tail; /* the last leaf */
    size_t per_level[SDB_LEVELS_MAX];
    uint64_t keys, records, tombstones;
};

/* Assert that order, links, codes and chains are as they must be, and count.  Requires:
 * there are keys; nobody writes. */
void sdb_root_check(const struct sdb_root *root, struct sdb_root_count *count);

#endif
