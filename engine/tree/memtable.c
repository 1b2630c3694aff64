/* SPDX-License-Identifier: Apache-2.0
 *
 * Shape.  A B+-tree with nodes of 32 slots.  A leaf's slot is {code, newest entry}, an
 * inner node's {code, child}; the key behind a child is the child's `low`, which never
 * changes, and is looked at only when codes tie.  Keys are never removed, so nodes only
 * split: the left half stays in place and the right half becomes a new node, linked as
 * the right sibling before the parent learns of it.  A reader whose key lies past the
 * last slot compares it with the sibling's `low` and moves right (a B-link tree), so
 * that it never misses a key because of a split it did not see.  Splits at the ends of
 * the key space keep the full node whole: rising and falling inserts fill their leaves.
 *
 * Nodes are sequence-locked: tree/node.h.  Two changes need no odd version because one
 * release store makes them visible: a newer version of a key (the slot), and an append
 * (n, stored after its slot).
 *
 * Codes.  The coder begins with the whole first key as the prefix.  A key outside the
 * prefix gets code 0 or UINT64_MAX, which is in order and settled by comparing keys.
 * When such keys have come for a quarter of all keys the nodes are cloned with the
 * codes of the prefix that all keys share: at most five clones of a slot per key
 * inserted, and one odd key does not spoil the codes of the rest.  {coder, top} is
 * published as one object.  The old nodes stay as they were at that moment, complete
 * for whoever is still in them.  Without memory for the clone, the old codes remain:
 * slower, not wrong.
 *
 * Range tombstones are entries too, linked by `older` from the last one inserted, and
 * reached by no slot.  Readers build a set of them when the one that the reader before
 * built is out of date, under a lock of its own, which inserting does not take. */
#include "tree/memtable.h"

#include "base/arena.h"
#include "table/keycode.h"
#include "table/operands.h"
#include "tree/node.h"

#include <assert.h>

#define ENTRY_ALIGN 8u
#define KEEP_BYTES  ((size_t)256 << 10) /* of either arena, in an emptied one */

struct sdb_memtable {
    seerdb_pin pin; /* first: unref frees through it */
    _Atomic(struct sdb_root *)
        root; /* NULL: empty.  release: prepare_root(), rebuild() */
    _Atomic uint64_t records, tombstones; /* relaxed: statistics */
    _Atomic uint64_t newest; /* number.  relaxed: what makes the records known makes
                                this known */
    /* The range tombstone inserted last; NULL: none.  release: insert_range(); acquire:
     * readers */
    _Atomic(const struct sdb_entry *) range;
    _Atomic size_t nranges; /* relaxed: statistics */

    struct sdb_mutex lock;                        /* LK_RANGES */
    struct sdb_ranges *set GUARDED_BY(LK_RANGES); /* counted; those from set_from on */
    const struct sdb_entry *set_from GUARDED_BY(LK_RANGES); /* NULL: there is no set */

    /* The writer's own. */
    struct sdb_kept *kept; /* owned */
    size_t nkept, kept_capacity;
    struct sdb_root first_root;
    struct sdb_arena entries; /* apart, so that neither eats the reserve... */
    struct sdb_arena nodes;   /* ...of the other */
    struct sdb_node *spares;  /* linked by next */
    size_t nspares;
    struct sdb_node *tail;   /* the last leaf of the current root */
    struct sdb_node *finger; /* a leaf of it, where an insert was; NULL: none */
    size_t per_level[SDB_LEVELS_MAX]; /* nodes of the current root */
    uint64_t keys;
    uint64_t outside;   /* inserts since the last clone that the coder did not cover */
    size_t prefix_size; /* of coder.prefix, shared by all keys */
};

/* ---- readers -------------------------------------------------------------- */

static SDB_INLINE const struct sdb_entry *find_newest(const struct sdb_root *root,
                                                      seerdb_slice key)
{
    uint32_t spins = 0;
    uint64_t code = sdb_code(&root->coder, key);
    const struct sdb_node *leaf =
        sdb_root_find_leaf(root, key, code, SDB_AIM_AT, &spins);
    for (;;) {
        uint32_t version = sdb_node_begin_read(leaf, &spins), n = sdb_node_n(leaf);
        struct sdb_place at = sdb_node_search(leaf, n, key, code);
        const struct sdb_node *right = sdb_node_next(leaf);
        const struct sdb_entry *e = at.equal ? sdb_node_slot(leaf, at.pos) : NULL;
        if (!sdb_node_unchanged(leaf, version))
            continue;
        if (at.equal)
            return e;
        if (at.pos < n || !sdb_node_lies_right(right, key, SDB_AIM_AT))
            return NULL;
        leaf = right;
    }
}

const struct sdb_entry *sdb_memtable_look_below(const struct sdb_entry *e,
                                                uint64_t ceiling,
                                                const struct sdb_hidden *hidden)
{
    while (e != NULL && (e->number > ceiling || sdb_hidden_has(hidden, e->number)))
        e = e->older;
    return e;
}

/* ---- writer --------------------------------------------------------------- */

/* Hold at least n spare nodes, so that as many take_spare() succeed. */
static int keep_spares(struct sdb_memtable *m, size_t n, seerdb_err *err)
{
    while (m->nspares < n) {
        struct sdb_node *nd = sdb_arena_alloc(&m->nodes, sizeof *nd, SDB_CACHE_LINE);
        if (nd == NULL)
            return sdb_fail_nomem(err, sizeof *nd);
        atomic_init(&nd->next, m->spares);
        m->spares = nd;
        m->nspares++;
    }
    return 0;
}

static struct sdb_node *take_spare(struct sdb_memtable *m, uint32_t level)
{
    struct sdb_node *nd = m->spares;
    assert(nd != NULL && level < SDB_LEVELS_MAX);
    m->spares = sdb_node_next(nd);
    m->nspares--;
    m->per_level[level]++;
    return sdb_node_init(nd, level, NULL);
}

static void set_beyond(struct sdb_entry *e, const struct sdb_entry *at)
{
    memcpy(e->bytes + e->key_size + e->value_size, &at, sizeof at);
}

/* With so many bytes behind the value. */
static SDB_INLINE struct sdb_entry *
make_entry(struct sdb_memtable *m, const struct sdb_record *r, size_t behind)
{
    size_t size =
        offsetof(struct sdb_entry, bytes) + r->key.size + r->value.size + behind;
    size_t whole = (size + ENTRY_ALIGN - 1) & ~(size_t)(ENTRY_ALIGN - 1);
    struct sdb_entry *e = sdb_arena_alloc(&m->entries, whole, ENTRY_ALIGN);
    if (e == NULL)
        return NULL;
    e->older = NULL;
    e->number = r->number;
    e->key_size = (uint32_t)r->key.size;
    e->value_size = (uint32_t)r->value.size;
    e->kind = (uint8_t)r->kind;
    if (r->key.size > 0)
        memcpy(e->bytes, r->key.data, r->key.size);
    if (r->value.size > 0)
        memcpy(e->bytes + r->key.size, r->value.data, r->value.size);
    return e;
}

/* From which number on a merge record includes older ones; 0: from its own. */
static uint64_t from_of(const struct sdb_entry *e)
{
    struct sdb_reader r = sdb_reader_init(sdb_entry_value(e));
    return sdb_get_varint(&r);
}

static SDB_NOINLINE struct sdb_entry *new_merge_entry(struct sdb_memtable *m,
                                                      const struct sdb_record *r)
{
    struct sdb_entry *e = make_entry(m, r, sizeof(struct sdb_entry *));
    if (e != NULL)
        set_beyond(e, NULL); /* as of a key without an older entry */
    return e;
}

static struct sdb_entry *new_entry(struct sdb_memtable *m, const struct sdb_record *r)
{
    return SDB_RARELY(r->kind == SDB_KIND_MERGE) ? new_merge_entry(m, r)
                                                 : make_entry(m, r, 0);
}

/* Let a merge record know what it does not include.  Entries of a hot key include all
 * before them: each asks the one before, and finds what that one has found. */
static SDB_NOINLINE void find_beyond(struct sdb_entry *e)
{
    const struct sdb_entry *at = e->older;
    uint64_t from = from_of(e);
    if (from == 0)
        from = e->number;
    while (at != NULL && at->number >= from) {
        const struct sdb_entry *next = at->older;
        if (at->kind == SDB_KIND_MERGE && from_of(at) >= from)
            next = sdb_entry_beyond(at);
        at = next;
    }
    set_beyond(e, at);
}

/* Inserts that follow one another are often near: those of a commit come in order.  Is
 * the key's place in the leaf where the last one was, and no other leaf touched by what
 * is to be done?  A code between those of its first and last key is of no other leaf.
 */
static bool find_near(const struct sdb_memtable *m, seerdb_slice key, uint64_t code,
                      struct sdb_path *path, struct sdb_place *at)
{
    struct sdb_node *leaf = m->finger;
    if (leaf == NULL)
        return false;
    uint32_t n = sdb_node_n(leaf);
    if (n == 0 || code <= sdb_node_code(leaf, 0) || code >= sdb_node_code(leaf, n - 1))
        return false;
    path->node[0] = leaf;
    *at = sdb_node_search(leaf, n, key, code);
    return at->equal || n < SDB_NODE_SLOTS;
}

/* Put a level above the top. */
static void grow(struct sdb_memtable *m, struct sdb_root *root, struct sdb_node *right)
{
    struct sdb_node *old = atomic_load_explicit(&root->top, memory_order_relaxed);
    struct sdb_node *top = take_spare(m, old->level + 1);
    sdb_node_set_slot(top, 0, 0, old);
    sdb_node_set_slot(top, 1, sdb_node_code(right, 0), right);
    sdb_node_set_n(top, 2);
    atomic_store_explicit(&root->top, top, memory_order_release);
}

/* Requires: sdb_path_nodes_needed() are spare. */
static void insert_slot(struct sdb_memtable *m, struct sdb_root *root,
                        const struct sdb_path *path, uint32_t pos, uint64_t code,
                        void *slot)
{
    uint32_t top = atomic_load_explicit(&root->top, memory_order_relaxed)->level;
    for (uint32_t level = 0;; level++) {
        struct sdb_node *nd = path->node[level];
        if (sdb_node_n(nd) < SDB_NODE_SLOTS) {
            sdb_node_put(nd, pos, code, slot);
            return;
        }
        struct sdb_node *right = take_spare(m, level);
        sdb_node_split(nd, right, pos, code, slot);
        if (m->tail == nd)
            m->tail = right;
        if (level == top) {
            grow(m, root, right);
            return;
        }
        pos = path->child[level + 1] + 1;
        code = sdb_node_code(right, 0);
        slot = right;
    }
}

/* Clone the nodes below `from` with root's codes.  last[level] is the clone made before
 * at that level.  Requires: the memory is reserved. */
static struct sdb_node *clone(struct sdb_memtable *m, const struct sdb_root *root,
                              const struct sdb_node *from, struct sdb_node **last)
{
    uint32_t n = sdb_node_n(from);
    struct sdb_node *nd = sdb_arena_alloc(&m->nodes, sizeof *nd, SDB_CACHE_LINE);
    assert(nd != NULL);
    sdb_node_init(nd, from->level, from->low);
    if (from->level == 0)
        for (uint32_t i = 0; i < n; i++)
            __builtin_prefetch(sdb_node_slot(from, i));
    for (uint32_t i = 0; i < n; i++) {
        const struct sdb_entry *low = sdb_node_low(from, i);
        void *slot = sdb_node_slot(from, i);
        if (from->level > 0)
            slot = clone(m, root, slot, last);
        sdb_node_set_slot(nd, i, sdb_root_code_of_low(root, low), slot);
    }
    sdb_node_set_n(nd, n);
    if (last[from->level] != NULL)
        sdb_node_set_next(last[from->level], nd);
    last[from->level] = nd;
    return nd;
}

/* Drop only the prefix that all keys share.  Optional: does nothing without memory. */
static void rebuild(struct sdb_memtable *m)
{
    struct sdb_root *old = atomic_load_explicit(&m->root, memory_order_relaxed);
    struct sdb_node *top = atomic_load_explicit(&old->top, memory_order_relaxed);
    struct sdb_node *last[SDB_LEVELS_MAX] = {NULL};
    size_t count = 1; /* the root is smaller than a node */
    for (size_t i = 0; i < SDB_LEVELS_MAX; i++)
        count += m->per_level[i];
    m->outside = 0;
    if (sdb_arena_reserve(&m->nodes, (count + 1) * sizeof(struct sdb_node), NULL) != 0)
        return;
    struct sdb_root *root =
        sdb_arena_alloc(&m->nodes, sizeof *root, alignof(struct sdb_root));
    assert(root != NULL);
    sdb_coder_set(&root->coder, (seerdb_slice){old->coder.prefix, m->prefix_size});
    atomic_init(&root->top, clone(m, root, top, last));
    m->tail = last[0];
    m->finger = NULL;
    atomic_store_explicit(&m->root, root, memory_order_release);
}

/* See to it that there is a root, and that its coder is worth its keep; the key's code.
 */
static int prepare_root(struct sdb_memtable *m, seerdb_slice key, uint64_t *code,
                        seerdb_err *err)
{
    struct sdb_root *root = atomic_load_explicit(&m->root, memory_order_relaxed);
    if (root != NULL) {
        *code = sdb_code(&root->coder, key);
        if (*code != 0 && *code != UINT64_MAX) /* it is covered */
            return 0;
    }
    if (root == NULL) {
        int rc = keep_spares(m, 1, err);
        if (rc != 0)
            return rc;
        root = &m->first_root;
        sdb_coder_init(&root->coder, key, key);
        m->prefix_size = root->coder.prefix_size;
        m->tail = take_spare(m, 0);
        m->finger = NULL;
        atomic_init(&root->top, m->tail);
        atomic_store_explicit(&m->root, root, memory_order_release);
    } else if (!sdb_coder_covers(&root->coder, key)) {
        seerdb_slice shared = {root->coder.prefix, m->prefix_size};
        m->prefix_size = sdb_common_prefix(shared, key);
        m->outside++;
        if (m->outside >= m->keys / 4)
            rebuild(m);
    }
    root = atomic_load_explicit(&m->root, memory_order_relaxed);
    *code = sdb_code(&root->coder, key);
    return 0;
}

/* Is the key above all others? */
static bool is_above_all(const struct sdb_memtable *m, seerdb_slice key, uint64_t code)
{
    uint32_t n = sdb_node_n(m->tail);
    if (n == 0)
        return false;
    uint64_t last = sdb_node_code(m->tail, n - 1);
    return last < code ||
           (last == code && sdb_entry_cmp(sdb_node_slot(m->tail, n - 1), key) < 0);
}

static void count_record(struct sdb_memtable *m, uint64_t number, enum sdb_kind kind)
{
    if (number > atomic_load_explicit(&m->newest, memory_order_relaxed))
        atomic_store_explicit(&m->newest, number, memory_order_relaxed);
    uint64_t records = atomic_load_explicit(&m->records, memory_order_relaxed);
    uint64_t tombstones = atomic_load_explicit(&m->tombstones, memory_order_relaxed);
    atomic_store_explicit(&m->records, records + 1, memory_order_relaxed);
    if (kind == SDB_KIND_TOMBSTONE)
        atomic_store_explicit(&m->tombstones, tombstones + 1, memory_order_relaxed);
}

/* The most nodes that `inserts` into a level of `nodes` nodes can add to it.  A node
 * may be full to begin with, and so may what a split at either end leaves whole; any
 * other needs 15 inserts to become full.  A level of no nodes begins with one of at
 * most two slots. */
static size_t splits_max(size_t inserts, size_t nodes)
{
    if (nodes == 0 && inserts < SDB_NODE_SLOTS - 2)
        return 0;
    size_t most = nodes + 4 + inserts / 7;
    return inserts < most ? inserts : most;
}

/* ---- public --------------------------------------------------------------- */

static void let_go(struct sdb_memtable *m)
{
    while (m->nkept > 0)
        seerdb_pin_unref(m->kept[--m->nkept].pin);
}

int sdb_memtable_keep(struct sdb_memtable *m, uint64_t name, seerdb_pin *pin,
                      seerdb_err *err)
{
    if (m->nkept == m->kept_capacity) {
        size_t n = m->kept_capacity * 2 + 4;
        struct sdb_kept *kept = sdb_array_grow(m->kept, n, sizeof *kept);
        if (kept == NULL)
            return sdb_fail_nomem(err, n * sizeof *kept);
        m->kept = kept;
        m->kept_capacity = n;
    }
    m->kept[m->nkept++] = (struct sdb_kept){name, pin};
    return 0;
}

bool sdb_memtable_keeps(const struct sdb_memtable *m, uint64_t name)
{
    for (size_t i = m->nkept; i > 0; i--) /* the last one is asked for most */
        if (m->kept[i - 1].name == name)
            return true;
    return false;
}

const struct sdb_kept *sdb_memtable_kept(const struct sdb_memtable *m, size_t *n)
{
    *n = m->nkept;
    return m->kept;
}

static void free_memtable(seerdb_pin *pin) NO_TSA
{
    struct sdb_memtable *m = (struct sdb_memtable *)pin;
    let_go(m);
    sdb_mem_free(m->kept);
    sdb_ranges_unref(m->set);
    sdb_mutex_fini(&m->lock);
    sdb_arena_fini(&m->nodes);
    sdb_arena_fini(&m->entries);
    sdb_mem_free(m);
}

int sdb_memtable_new(struct sdb_memtable **out, seerdb_err *err)
{
    struct sdb_memtable *m = sdb_mem_zalloc(sizeof *m);
    if (m == NULL)
        return sdb_fail_nomem(err, sizeof *m);
    sdb_pin_init(&m->pin, free_memtable);
    sdb_mutex_init(&m->lock);
    *out = m;
    return 0;
}

void sdb_memtable_use_pages(struct sdb_memtable *m, struct sdb_pages *pages)
{
    assert(sdb_arena_bytes(&m->entries) == 0 && sdb_arena_bytes(&m->nodes) == 0);
    m->entries.source = m->nodes.source = sdb_pages_source(pages);
}

bool sdb_memtable_is_shared(struct sdb_memtable *m)
{
    /* acquire: pairs with the release of whoever let go of the last other count */
    return atomic_load_explicit(&m->pin.count, memory_order_acquire) != 1;
}

void sdb_memtable_clear(struct sdb_memtable *m) NO_TSA /* shared with nobody */
{
    assert(!sdb_memtable_is_shared(m));
    let_go(m);
    sdb_ranges_unref(m->set);
    m->set = NULL;
    m->set_from = NULL;
    atomic_store_explicit(&m->range, NULL, memory_order_relaxed);
    atomic_store_explicit(&m->nranges, 0, memory_order_relaxed);
    atomic_store_explicit(&m->newest, 0, memory_order_relaxed);
    sdb_arena_clear(&m->entries, KEEP_BYTES);
    sdb_arena_clear(&m->nodes, KEEP_BYTES);
    atomic_store_explicit(&m->root, NULL, memory_order_relaxed);
    atomic_store_explicit(&m->records, 0, memory_order_relaxed);
    atomic_store_explicit(&m->tombstones, 0, memory_order_relaxed);
    memset(m->per_level, 0, sizeof m->per_level);
    m->spares = NULL;
    m->tail = NULL;
    m->finger = NULL;
    m->nspares = 0;
    m->prefix_size = 0;
    m->keys = m->outside = 0;
}

seerdb_pin *sdb_memtable_pin(struct sdb_memtable *m)
{
    return &m->pin;
}

int sdb_memtable_reserve(struct sdb_memtable *m, size_t n, size_t bytes,
                         seerdb_err *err)
{
    size_t total, nodes = 0, inserts = n;
    if (n == 0)
        return 0;
    if (__builtin_mul_overflow(n, sizeof(struct sdb_entry), &total) ||
        __builtin_add_overflow(total, bytes, &total))
        return sdb_fail_nomem(err, SIZE_MAX);
    for (size_t level = 0; level < SDB_LEVELS_MAX && inserts > 0; level++) {
        if (m->per_level[level] == 0)
            nodes++; /* the new top, or the first leaf */
        inserts = splits_max(inserts, m->per_level[level]);
        nodes += inserts;
    }
    int rc = keep_spares(m, nodes, err);
    return rc != 0 ? rc : sdb_arena_reserve(&m->entries, total, err);
}

static int insert_range(struct sdb_memtable *m, const struct sdb_record *r,
                        seerdb_err *err)
{
    assert(sdb_slice_cmp(r->key, r->value) < 0);
    struct sdb_entry *e = new_entry(m, r);
    if (e == NULL)
        return sdb_fail_nomem(err, r->key.size + r->value.size);
    e->older = atomic_load_explicit(&m->range, memory_order_relaxed);
    size_t n = atomic_load_explicit(&m->nranges, memory_order_relaxed);
    atomic_store_explicit(&m->nranges, n + 1, memory_order_relaxed);
    atomic_store_explicit(&m->range, e, memory_order_release);
    return 0;
}

/* Have the record made that is to follow `newest`. */
static int make_record(const struct sdb_maker *maker, const struct sdb_entry *newest,
                       struct sdb_record *r, seerdb_err *err)
{
    const struct sdb_entry *e = sdb_memtable_visible(newest, UINT64_MAX, maker->hidden);
    if (e == NULL)
        return 0;
    struct sdb_found found = {.number = e->number,
                              .kind = (enum sdb_kind)e->kind,
                              .value = sdb_entry_value(e),
                              .key = sdb_entry_key(e)};
    return maker->make(maker->ctx, &found, r, err);
}

/* Make an entry for the record, which may be another one then, in front of `older`. */
static int begin_entry(struct sdb_memtable *m, struct sdb_record *r,
                       const struct sdb_entry *older, const struct sdb_maker *maker,
                       struct sdb_entry **out, seerdb_err *err)
{
    int rc = 0;
    if (older != NULL && maker != NULL && (rc = make_record(maker, older, r, err)) != 0)
        return rc;
    struct sdb_entry *e = new_entry(m, r);
    if (e == NULL)
        return sdb_fail_nomem(err, r->key.size + r->value.size);
    assert(older == NULL || older->number <= e->number);
    e->older = older;
    if (older != NULL && SDB_RARELY(e->kind == SDB_KIND_MERGE))
        find_beyond(e);
    *out = e;
    return 0;
}

int sdb_memtable_make(struct sdb_memtable *m, struct sdb_record *r,
                      const struct sdb_maker *maker, seerdb_err *err)
{
    struct sdb_path path;
    struct sdb_place at = {0, false};
    struct sdb_entry *e = NULL;
    uint64_t code;
    bool append = false;
    assert(r->key.size <= SEERDB_KEY_MAX && r->value.size <= SEERDB_VALUE_MAX);
    assert(r->kind != SDB_KIND_RANGE);
    int rc = prepare_root(m, r->key, &code, err);
    if (rc != 0)
        return rc;
    struct sdb_root *root = atomic_load_explicit(&m->root, memory_order_relaxed);
    if (!find_near(m, r->key, code, &path, &at)) {
        at = (struct sdb_place){0, false};
        append = is_above_all(m, r->key, code) && sdb_node_n(m->tail) < SDB_NODE_SLOTS;
        if (!append)
            at = sdb_root_find_path(root, r->key, code, &path);
        m->finger = append ? m->tail : path.node[0];
    }
    if (!append && !at.equal &&
        (rc = keep_spares(m, sdb_path_nodes_needed(root, &path), err)) != 0)
        return rc;
    const struct sdb_entry *older =
        at.equal ? sdb_node_slot(path.node[0], at.pos) : NULL;
    if ((rc = begin_entry(m, r, older, maker, &e, err)) != 0)
        return rc;
    if (append)
        sdb_node_put(m->tail, sdb_node_n(m->tail), code, e);
    else if (at.equal)
        atomic_store_explicit(&path.node[0]->slots[at.pos], e, memory_order_release);
    else
        insert_slot(m, root, &path, at.pos, code, e);
    m->keys += at.equal ? 0 : 1;
    count_record(m, r->number, r->kind);
    return 0;
}

int sdb_memtable_insert(struct sdb_memtable *m, const struct sdb_record *r,
                        seerdb_err *err)
{
    struct sdb_record as_it_is = *r;
    return r->kind == SDB_KIND_RANGE ? insert_range(m, r, err)
                                     : sdb_memtable_make(m, &as_it_is, NULL, err);
}

int sdb_memtable_get(struct sdb_memtable *m, seerdb_slice key, uint64_t ceiling,
                     const struct sdb_hidden *hidden, struct sdb_found *out)
{
    const struct sdb_root *root = atomic_load_explicit(&m->root, memory_order_acquire);
    if (root == NULL)
        return SEERDB_NOTFOUND;
    const struct sdb_entry *e =
        sdb_memtable_visible(find_newest(root, key), ceiling, hidden);
    if (e == NULL)
        return SEERDB_NOTFOUND;
    *out = (struct sdb_found){.number = e->number,
                              .kind = (enum sdb_kind)e->kind,
                              .value = sdb_entry_value(e),
                              .pin = seerdb_pin_ref(&m->pin),
                              .key = sdb_entry_key(e)};
    return 0;
}

const struct sdb_entry *sdb_memtable_next_version(const struct sdb_entry *e, bool chain,
                                                  uint64_t ceiling,
                                                  const struct sdb_hidden *hidden)
{
    uint64_t number = e->number;
    if (chain && e->kind == SDB_KIND_MERGE)
        return sdb_memtable_visible(sdb_entry_beyond(e), ceiling, hidden);
    do /* an entry of the same number was replaced by this one */
        e = sdb_memtable_visible(e->older, ceiling, hidden);
    while (e != NULL && e->number == number);
    return e;
}

int sdb_memtable_walk(struct sdb_memtable *m, seerdb_slice key, uint64_t ceiling,
                      const struct sdb_hidden *hidden,
                      int (*each)(void *ctx, const struct sdb_record *r), void *ctx)
{
    const struct sdb_root *root = atomic_load_explicit(&m->root, memory_order_acquire);
    const struct sdb_entry *e =
        root == NULL ? NULL
                     : sdb_memtable_visible(find_newest(root, key), ceiling, hidden);
    while (e != NULL) {
        struct sdb_record r = {sdb_entry_key(e), e->number, (enum sdb_kind)e->kind,
                               sdb_entry_value(e)};
        int rc = each(ctx, &r);
        if (rc != 0)
            return rc;
        e = sdb_memtable_next_version(e, true, ceiling, hidden);
    }
    return SEERDB_NOTFOUND;
}

/* ---- range tombstones ------------------------------------------------------- */

static const struct sdb_entry *last_range(const struct sdb_memtable *m)
{
    return atomic_load_explicit(&m->range, memory_order_acquire);
}

bool sdb_memtable_has_ranges(const struct sdb_memtable *m)
{
    return last_range(m) != NULL;
}

bool sdb_memtable_sees_range(const struct sdb_memtable *m, uint64_t ceiling,
                             const struct sdb_hidden *hidden)
{
    return sdb_memtable_visible(last_range(m), ceiling, hidden) != NULL;
}

static int make_set(const struct sdb_entry *from, struct sdb_ranges **out,
                    seerdb_err *err)
{
    size_t n = 0;
    for (const struct sdb_entry *e = from; e != NULL; e = e->older)
        n++;
    struct sdb_range *all = sdb_array_new(n, sizeof *all);
    if (all == NULL)
        return sdb_fail_nomem(err, n * sizeof *all);
    n = 0;
    for (const struct sdb_entry *e = from; e != NULL; e = e->older)
        all[n++] = (struct sdb_range){sdb_entry_key(e), sdb_entry_value(e), e->number};
    int rc = sdb_ranges_new(all, n, out, err);
    sdb_mem_free(all);
    return rc;
}

int sdb_memtable_ranges(struct sdb_memtable *m, struct sdb_ranges **out,
                        seerdb_err *err)
{
    int rc = 0;
    *out = NULL;
    if (last_range(m) == NULL)
        return 0;
    sdb_lock_ranges(&m->lock);
    const struct sdb_entry *from = last_range(m);
    if (m->set_from != from) {
        struct sdb_ranges *set = NULL;
        if ((rc = make_set(from, &set, err)) == 0) {
            sdb_ranges_unref(m->set);
            m->set = set;
            m->set_from = from;
        }
    }
    if (rc == 0)
        *out = sdb_ranges_ref(m->set);
    sdb_unlock_ranges(&m->lock);
    return rc;
}

size_t sdb_memtable_nranges(const struct sdb_memtable *m)
{
    return atomic_load_explicit(&m->nranges, memory_order_relaxed);
}

/* ---- statistics --------------------------------------------------------------- */

size_t sdb_memtable_bytes(const struct sdb_memtable *m)
{
    return sizeof *m + sdb_arena_bytes(&m->entries) + sdb_arena_bytes(&m->nodes);
}

uint64_t sdb_memtable_records(const struct sdb_memtable *m)
{
    return atomic_load_explicit(&m->records, memory_order_relaxed);
}

uint64_t sdb_memtable_tombstones(const struct sdb_memtable *m)
{
    return atomic_load_explicit(&m->tombstones, memory_order_relaxed);
}

uint64_t sdb_memtable_newest(const struct sdb_memtable *m)
{
    return atomic_load_explicit(&m->newest, memory_order_relaxed);
}

const struct sdb_root *sdb_memtable_root(const struct sdb_memtable *m)
{
    return atomic_load_explicit(&m->root, memory_order_acquire);
}

double sdb_memtable_share_below(const struct sdb_memtable *m, seerdb_slice key)
{
    const struct sdb_root *root = sdb_memtable_root(m);
    return root == NULL ? 0 : sdb_root_share_below(root, key);
}

/* ---- check ---------------------------------------------------------------- */

void sdb_memtable_check(struct sdb_memtable *m)
{
    struct sdb_root_count c = {.tail = NULL};
    const struct sdb_root *root = sdb_memtable_root(m);
    if (root != NULL && m->keys > 0) {
        sdb_root_check(root, &c);
        assert(c.tail == m->tail);
        for (size_t i = 0; i < SDB_LEVELS_MAX; i++)
            assert(c.per_level[i] == m->per_level[i]);
    }
    size_t ranges = 0;
    for (const struct sdb_entry *e = last_range(m); e != NULL; e = e->older, ranges++)
        assert(e->kind == SDB_KIND_RANGE && sdb_entry_cmp(e, sdb_entry_value(e)) < 0);
    assert(ranges == sdb_memtable_nranges(m));
    assert(c.keys == m->keys);
    assert(c.records == sdb_memtable_records(m));
    assert(c.tombstones == sdb_memtable_tombstones(m));
}
