/* SPDX-License-Identifier: Apache-2.0
 *
 * What walks the nodes and need not be inline.  Inserts and lookups are memtable.c's.
 */
#include "tree/node.h"

double sdb_root_share_below(const struct sdb_root *root, seerdb_slice key)
{
    double share = 0, width = 1;
    uint64_t code = sdb_code(&root->coder, key);
    const struct sdb_node *nd = atomic_load_explicit(&root->top, memory_order_acquire);
    for (;;) {
        uint32_t n = sdb_node_n(nd);
        struct sdb_place at = sdb_node_search(nd, n, key, code);
        if (n == 0)
            return share;
        if (nd->level == 0)
            return share + width * at.pos / n;
        uint32_t child = at.equal || at.pos == 0 ? at.pos : at.pos - 1;
        share += width * child / n;
        width /= n;
        nd = sdb_node_slot(nd, child);
    }
}

struct check {
    const struct sdb_root *root;
    const struct sdb_node *last[SDB_LEVELS_MAX]; /* the node before, of each level */
    const struct sdb_entry *last_key;
    struct sdb_root_count *count;
};

static void check_chain(struct check *c, const struct sdb_entry *e)
{
    assert(c->last_key == NULL || sdb_entry_cmp(c->last_key, sdb_entry_key(e)) < 0);
    c->last_key = e;
    c->count->keys++;
    for (; e != NULL; e = e->older) {
        assert(e->older == NULL || e->older->number <= e->number);
        assert(sdb_entry_cmp(c->last_key, sdb_entry_key(e)) == 0);
        assert(e->kind != SDB_KIND_MERGE || sdb_entry_beyond(e) == NULL ||
               sdb_entry_beyond(e)->number <= e->number);
        c->count->records++;
        c->count->tombstones += e->kind == SDB_KIND_TOMBSTONE ? 1 : 0;
    }
}

static void check_node(struct check *c, const struct sdb_node *nd, uint32_t level,
                       const struct sdb_entry *low)
{
    uint32_t n = sdb_node_n(nd);
    (void)low; /* without assertions */
    assert(atomic_load_explicit(&nd->version, memory_order_acquire) % 2 == 0);
    assert(nd->level == level && n >= 1 && n <= SDB_NODE_SLOTS && nd->low == low);
    assert(c->last[level] == NULL || sdb_node_next(c->last[level]) == nd);
    assert(c->last[level] != NULL || nd->low == NULL);
    c->last[level] = nd;
    c->count->per_level[level]++;
    for (uint32_t i = 0; i < n; i++) {
        const struct sdb_entry *key = sdb_node_low(nd, i);
        assert(sdb_node_code(nd, i) == sdb_root_code_of_low(c->root, key));
        assert(i == 0 || sdb_node_code(nd, i - 1) <= sdb_node_code(nd, i));
        assert(i > 0 || low == NULL || sdb_entry_cmp(low, sdb_entry_key(key)) == 0);
        if (level == 0)
            check_chain(c, sdb_node_slot(nd, i));
        else
            check_node(c, sdb_node_slot(nd, i), level - 1, key);
    }
}

void sdb_root_check(const struct sdb_root *root, struct sdb_root_count *count)
{
    struct check c = {.root = root, .count = count};
    const struct sdb_node *top = atomic_load_explicit(&root->top, memory_order_acquire);
    *count = (struct sdb_root_count){.tail = NULL};
    assert(sdb_node_next(top) == NULL);
    check_node(&c, top, top->level, NULL);
    for (size_t i = 0; i < SDB_LEVELS_MAX; i++)
        assert(c.last[i] == NULL || sdb_node_next(c.last[i]) == NULL);
    count->tail = c.last[0];
}
