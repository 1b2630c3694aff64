/* SPDX-License-Identifier: Apache-2.0
 *
 * Iterators copy the slots and the right sibling of one leaf under one version.  The
 * copy holds every key from the leaf's low to the sibling's low as of that moment, so
 * an iterator goes on at the sibling, or at the predecessor of the leaf's low, however
 * often the leaf has split since; what came later it need not see.
 *
 * Entries lie in the order in which they came, so that each is a miss of the
 * processor's cache or two: those of the next leaf are fetched while this one is shown,
 * and those of the leaf that a walk begins in, all at once. */
#include "tree/memtable.h"

#include "base/mem.h"
#include "tree/node.h"

#define AHEAD 8u /* slots that walking backward prefetches */

struct memtable_iter {
    struct sdb_iter base;   /* first */
    struct sdb_memtable *m; /* counted */
    uint64_t ceiling, raise;
    const struct sdb_hidden *hidden; /* borrowed; may be NULL */
    const struct sdb_entry *at;      /* the version shown */

    /* A leaf as it was at one moment. */
    uint32_t n, pos;
    const struct sdb_entry *low;
    const struct sdb_node *right;
    uint32_t nright; /* its slots when looked at; for prefetching alone */
    const struct sdb_entry *slots[SDB_NODE_SLOTS];
};

static struct memtable_iter *iter_of(struct sdb_iter *it)
{
    return (struct memtable_iter *)it;
}

/* Copy nd's slots; false when it changed meanwhile. */
static bool copy_leaf(struct memtable_iter *it, const struct sdb_node *nd,
                      uint32_t version, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        it->slots[i] = sdb_node_slot(nd, i);
    it->n = n;
    it->low = nd->low;
    it->right = sdb_node_next(nd);
    return sdb_node_unchanged(nd, version);
}

/* Prefetch the right sibling, whose entries show() prefetches one by one. */
static void look_right(struct memtable_iter *it)
{
    it->nright = 0;
    if (it->right == NULL)
        return;
    const uint8_t *slots =
        (const uint8_t *)it->right + offsetof(struct sdb_node, slots);
    for (size_t i = 0; i < 4; i++)
        __builtin_prefetch(slots + i * SDB_CACHE_LINE);
    it->nright = sdb_node_n(it->right);
}

/* Forget the leaf; the root to find another from, NULL: there is none. */
static const struct sdb_root *begin_load(struct memtable_iter *it)
{
    it->n = 0;
    it->low = NULL;
    it->right = NULL;
    return sdb_memtable_root(it->m);
}

/* Load the leaf of the key; pos becomes the first slot with a key >= it, maybe n. */
static struct sdb_place load_leaf_of(struct memtable_iter *it, seerdb_slice key,
                                     enum sdb_aim aim)
{
    struct sdb_place at = {0, false};
    uint32_t spins = 0;
    const struct sdb_root *root = begin_load(it);
    if (root == NULL)
        return at;
    uint64_t code = sdb_code(&root->coder, key);
    const struct sdb_node *leaf = sdb_root_find_leaf(root, key, code, aim, &spins);
    for (;;) {
        uint32_t version = sdb_node_begin_read(leaf, &spins), n = sdb_node_n(leaf);
        at = sdb_node_search(leaf, n, key, code);
        if (!copy_leaf(it, leaf, version, n))
            continue;
        if (at.pos < n || !sdb_node_lies_right(it->right, key, aim))
            break;
        leaf = it->right;
    }
    look_right(it);
    return at;
}

/* Load the first leaf, or the last. */
static void load_end_leaf(struct memtable_iter *it, bool last)
{
    uint32_t spins = 0;
    const struct sdb_root *root = begin_load(it);
    if (root == NULL)
        return;
    const struct sdb_node *nd = atomic_load_explicit(&root->top, memory_order_acquire);
    for (;;) {
        uint32_t version = sdb_node_begin_read(nd, &spins), n = sdb_node_n(nd);
        const struct sdb_node *right = sdb_node_next(nd);
        if (last && right != NULL) {
            nd = right;
        } else if (nd->level > 0) {
            const struct sdb_node *child = sdb_node_slot(nd, last ? n - 1 : 0);
            if (sdb_node_unchanged(nd, version))
                nd = child;
        } else if (copy_leaf(it, nd, version, n)) {
            break;
        }
    }
    look_right(it);
}

static void load_leaf(struct memtable_iter *it, const struct sdb_node *nd)
{
    uint32_t spins = 0, version;
    do
        version = sdb_node_begin_read(nd, &spins);
    while (!copy_leaf(it, nd, version, sdb_node_n(nd)));
    look_right(it);
}

static void show(struct memtable_iter *it, const struct sdb_entry *e)
{
    it->at = e;
    it->base.at.key = sdb_entry_key(e);
    it->base.at.number = e->number + it->raise;
    it->base.at.kind = (enum sdb_kind)e->kind;
    it->base.at.value = sdb_entry_value(e);
}

/* Stand on the first slot from pos on that shows something. */
static int settle_forward(struct memtable_iter *it, seerdb_err *err)
{
    for (int rc;;) {
        for (; it->pos < it->n; it->pos++) {
            if (it->pos < it->nright)
                sdb_entry_prefetch(atomic_load_explicit(&it->right->slots[it->pos],
                                                        memory_order_relaxed));
            const struct sdb_entry *e =
                sdb_memtable_visible(it->slots[it->pos], it->ceiling, it->hidden);
            if (e != NULL) {
                show(it, e);
                return 0;
            }
            if ((rc = sdb_iter_pass(&it->base, err)) != 0)
                return rc;
        }
        if (it->right == NULL)
            return SEERDB_NOTFOUND;
        load_leaf(it, it->right);
        it->pos = 0;
    }
}

/* Stand on the last slot below `end` that shows something. */
static int settle_backward(struct memtable_iter *it, uint32_t end, seerdb_err *err)
{
    for (int rc;;) {
        while (end > 0) {
            it->pos = --end;
            if (end >= AHEAD)
                sdb_entry_prefetch(it->slots[end - AHEAD]);
            const struct sdb_entry *e =
                sdb_memtable_visible(it->slots[end], it->ceiling, it->hidden);
            if (e != NULL) {
                show(it, e);
                return 0;
            }
            if ((rc = sdb_iter_pass(&it->base, err)) != 0)
                return rc;
        }
        if (it->low == NULL)
            return SEERDB_NOTFOUND;
        end = load_leaf_of(it, sdb_entry_key(it->low), SDB_AIM_BELOW).pos;
        for (uint32_t i = 1; i <= AHEAD && i <= end; i++)
            sdb_entry_prefetch(it->slots[end - i]);
    }
}

/* A walk begins in the middle of a leaf: fetch at once what it will come to there. */
static void prefetch_right(const struct memtable_iter *it)
{
    for (uint32_t i = it->pos; i < it->n; i++)
        sdb_entry_prefetch(it->slots[i]);
}

static void prefetch_left(const struct memtable_iter *it, uint32_t end)
{
    for (uint32_t i = 1; i <= AHEAD && i <= end; i++)
        sdb_entry_prefetch(it->slots[end - i]);
}

static int iter_first(struct sdb_iter *base, seerdb_err *err)
{
    struct memtable_iter *it = iter_of(base);
    load_end_leaf(it, false);
    it->pos = 0;
    prefetch_right(it);
    return settle_forward(it, err);
}

static int iter_last(struct sdb_iter *base, seerdb_err *err)
{
    struct memtable_iter *it = iter_of(base);
    load_end_leaf(it, true);
    return settle_backward(it, it->n, err);
}

static int iter_seek(struct sdb_iter *base, seerdb_slice key, seerdb_err *err)
{
    struct memtable_iter *it = iter_of(base);
    it->pos = load_leaf_of(it, key, SDB_AIM_AT).pos;
    prefetch_right(it);
    return settle_forward(it, err);
}

static int iter_seek_for_prev(struct sdb_iter *base, seerdb_slice key, seerdb_err *err)
{
    struct memtable_iter *it = iter_of(base);
    struct sdb_place at = load_leaf_of(it, key, SDB_AIM_AT);
    prefetch_left(it, at.pos + (at.equal ? 1 : 0));
    return settle_backward(it, at.pos + (at.equal ? 1 : 0), err);
}

static int iter_next(struct sdb_iter *base, seerdb_err *err)
{
    struct memtable_iter *it = iter_of(base);
    it->pos++;
    return settle_forward(it, err);
}

static int iter_prev(struct sdb_iter *base, seerdb_err *err)
{
    struct memtable_iter *it = iter_of(base);
    return settle_backward(it, it->pos, err);
}

static int iter_older(struct sdb_iter *base, seerdb_err *err)
{
    (void)err;
    struct memtable_iter *it = iter_of(base);
    const struct sdb_entry *e =
        sdb_memtable_next_version(it->at, base->chains, it->ceiling, it->hidden);
    if (e == NULL)
        return SEERDB_NOTFOUND;
    show(it, e);
    return 0;
}

static void iter_rest(struct sdb_iter *base)
{
    sdb_memtable_unref(iter_of(base)->m);
    iter_of(base)->m = NULL;
}

static void iter_close(struct sdb_iter *base)
{
    iter_rest(base);
    sdb_mem_free(base);
}

static const struct sdb_iter_ops iter_ops = {
    .first = iter_first,
    .last = iter_last,
    .seek = iter_seek,
    .seek_for_prev = iter_seek_for_prev,
    .next = iter_next,
    .prev = iter_prev,
    .older = iter_older,
    .close = iter_close,
    .rest = iter_rest,
};

int sdb_memtable_iter(struct sdb_memtable *m, uint64_t ceiling,
                      const struct sdb_hidden *hidden, uint64_t raise,
                      struct sdb_iter **out, seerdb_err *err)
{
    struct memtable_iter *it = sdb_mem_zalloc(sizeof *it);
    if (it == NULL)
        return sdb_fail_nomem(err, sizeof *it);
    it->base.ops = &iter_ops;
    sdb_memtable_iter_aim(&it->base, m, ceiling, hidden, raise);
    *out = &it->base;
    return 0;
}

void sdb_memtable_iter_aim(struct sdb_iter *base, struct sdb_memtable *m,
                           uint64_t ceiling, const struct sdb_hidden *hidden,
                           uint64_t raise)
{
    struct memtable_iter *it = iter_of(base);
    it->base.pin = seerdb_pin_ref(sdb_memtable_pin(m));
    it->m = m;
    it->ceiling = ceiling;
    it->hidden = hidden;
    it->raise = raise;
}

bool sdb_memtable_bounds(struct sdb_memtable *m, seerdb_slice *smallest,
                         seerdb_slice *largest)
{
    struct memtable_iter it = {.m = m, .ceiling = UINT64_MAX};
    if (iter_first(&it.base, NULL) != 0)
        return false;
    *smallest = it.base.at.key;
    if (iter_last(&it.base, NULL) != 0)
        return false;
    *largest = it.base.at.key;
    return true;
}
