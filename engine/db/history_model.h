/* SPDX-License-Identifier: Apache-2.0
 *
 * history_model -- for history_model_test: a store as the list of all that was ever
 * written to it, in order.  A read at any number goes through all of it from the first
 * write on, key by key, as the contract in seerdb.h says and as no engine would. */
#ifndef SDB_DB_HISTORY_MODEL_H
#define SDB_DB_HISTORY_MODEL_H

#include "base/coding.h"
#include "base/hash.h"
#include "base/rand.h"
#include "seerdb.h"
#include "table/key.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEYS_MOST = 16, EVENTS_MOST = 2048, VALUE_MOST = 3000 };

enum event_kind { EV_PUT, EV_DELETE, EV_RANGE, EV_MERGE };

/* The operator of all trees of a case. */
enum merge_kind {
    MERGE_NONE,
    MERGE_ADD,
    MERGE_MAX,
    MERGE_APPEND,
    MERGE_CHAIN,
    MERGE_LIST
};

struct event {
    uint32_t commit; /* the model's own number of it: 1, 2, ... */
    enum event_kind kind;
    unsigned tree, lo, hi; /* keys in [lo, hi) */
    uint32_t value;
};

/* A value is known by its number.  Many expire at a time that follows from it, some
 * never; `ticks` are those of a clock that a case turns by hand. */
static inline uint64_t value_expiry(uint32_t value)
{
    return value % 16 == 1 || value % 5 == 0 ? UINT64_MAX : 1 + value * 7 % 60;
}

/* What a reader of one tree sees; 0: no such key. */
struct content {
    uint32_t value[KEYS_MOST];
};

/* What becomes of a value by an operand: numbers from MERGED on are places here. */
struct merged {
    uint32_t old, operand;
    bool there;
    char *bytes; /* owned */
    size_t size;
};
enum { MERGED = 1 << 24 };

struct history {
    enum merge_kind merge;
    unsigned large_one_in;
    struct merged *merged; /* owned */
    size_t nmerged;
    struct event events[EVENTS_MOST];
    size_t n;         /* of all; those of the batch that is open come last */
    size_t committed; /* of those that are committed */
    uint32_t commits;
};

#define HISTORY_ALL SIZE_MAX

/* The bytes of value n, in `room` of VALUE_MOST. */
static inline seerdb_slice value_of(const struct history *h, uint32_t n, char *room)
{
    struct sdb_rand r = {n};
    if (n >= MERGED)
        return (seerdb_slice){h->merged[n - MERGED].bytes, h->merged[n - MERGED].size};
    if (h->merge == MERGE_ADD) {
        sdb_store_u64(room, sdb_rand_next(&r));
        return (seerdb_slice){room, 8};
    }
    size_t size = (size_t)sdb_rand_below(&r, 40);
    if (n % h->large_one_in == 0)
        size = (size_t)sdb_rand_below(&r, VALUE_MOST);
    for (size_t i = 0; i < size; i += 8)
        sdb_store_u64(room + i, sdb_rand_next(&r)); /* VALUE_MOST is a multiple of 8 */
    if (n % 3 == 0) /* so that compression has something to do */
        memset(room, (int)(n & 0x7f), size);
    if (n % 16 == 1) /* nothing in it: it does not say when it expires */
        return (seerdb_slice){room, 0};
    sdb_store_u32(room, n);
    return (seerdb_slice){room, size < 4 ? 4 : size};
}

/* ---- merging --------------------------------------------------------------------- */

/* The bytes of an operand: a number for ADD, one for CHAIN and LIST, any for others. */
static inline seerdb_slice operand_of(const struct history *h, uint32_t n, char *room)
{
    struct sdb_rand r = {~(uint64_t)n};
    sdb_store_u64(room, sdb_rand_next(&r));
    sdb_store_u64(room + 8, sdb_rand_next(&r));
    if (h->merge == MERGE_ADD)
        return (seerdb_slice){room, 8};
    sdb_store_u32(room, n);
    return (seerdb_slice){room, h->merge >= MERGE_CHAIN ? 4 : n % 16};
}

/* What an operand of CHAIN makes of a value (NULL: none) depends on the order of all
 * that came before.  False: the key is gone. */
static inline bool chain_step(const seerdb_slice *old, uint32_t number, uint64_t *out)
{
    *out = sdb_hash64(old != NULL ? old->data : "", old != NULL ? old->size : 0,
                      number + (old != NULL));
    return *out % 5 != 0;
}

/* One operand after the other, as nobody would who has many. */
static inline struct merged merge_one(const struct history *h, uint32_t old,
                                      uint32_t operand)
{
    char base_room[VALUE_MOST + 8], room[16];
    seerdb_slice b = {NULL, 0}, o = operand_of(h, operand, room);
    struct merged m = {.old = old, .operand = operand, .there = true};
    if (old != 0)
        b = value_of(h, old, base_room);
    uint64_t number = 0;
    m.bytes = malloc(b.size + o.size + 8);
    switch (h->merge) {
    case MERGE_ADD:
        number = (old != 0 ? sdb_load_u64(b.data) : 0) + sdb_load_u64(o.data);
        sdb_store_u64(m.bytes, number);
        m.size = 8;
        break;
    case MERGE_MAX:
        o = old != 0 && sdb_slice_cmp(b, o) > 0 ? b : o;
        memcpy(m.bytes, o.data, o.size);
        m.size = o.size;
        break;
    case MERGE_APPEND:
        if (b.size > 0)
            memcpy(m.bytes, b.data, b.size);
        memcpy(m.bytes + b.size, o.data, o.size);
        m.size = b.size + o.size;
        break;
    default:
        m.there = chain_step(old != 0 ? &b : NULL, operand, &number);
        sdb_store_u64(m.bytes, number);
        m.size = 8;
        break;
    }
    return m;
}

static inline uint32_t history_merge(struct history *h, uint32_t old, uint32_t operand)
{
    size_t i = 0;
    while (i < h->nmerged &&
           (h->merged[i].old != old || h->merged[i].operand != operand))
        i++;
    if (i == h->nmerged) {
        h->merged = realloc(h->merged, (i + 1) * sizeof *h->merged);
        h->merged[i] = merge_one(h, old, operand);
        h->nmerged++;
    }
    return h->merged[i].there ? MERGED + (uint32_t)i : 0;
}

static inline void history_free(struct history *h)
{
    for (size_t i = 0; i < h->nmerged; i++)
        free(h->merged[i].bytes);
    free(h->merged);
    h->merged = NULL;
    h->nmerged = 0;
}

/* ---- reading ----------------------------------------------------------------------
 */

/* The tree as of a commit, and then the first `pending` of the batch's writes, without
 * what has expired at `tick` (0: nothing has). */
static inline struct content history_read(struct history *h, unsigned tree,
                                          uint32_t commit, size_t pending,
                                          uint64_t tick)
{
    struct content c = {{0}};
    for (size_t i = 0; i < h->n; i++) {
        const struct event *e = &h->events[i];
        bool seen = i < h->committed ? e->commit <= commit : i - h->committed < pending;
        if (!seen || e->tree != tree)
            continue;
        for (unsigned k = e->lo; k < e->hi; k++)
            c.value[k] = e->kind == EV_MERGE ? history_merge(h, c.value[k], e->value)
                         : e->kind == EV_PUT ? e->value
                                             : 0;
    }
    for (unsigned k = 0; k < KEYS_MOST; k++)
        if (c.value[k] != 0 && value_expiry(c.value[k]) <= tick)
            c.value[k] = 0;
    return c;
}

static inline bool history_is_full(const struct history *h)
{
    return h->n == EVENTS_MOST;
}

static inline void history_add(struct history *h, struct event e)
{
    h->events[h->n++] = e;
}

static inline size_t history_pending(const struct history *h)
{
    return h->n - h->committed;
}

/* Forget the batch's writes after the first n. */
static inline void history_undo(struct history *h, size_t n)
{
    h->n = h->committed + n;
}

/* Does the batch write the tree? */
static inline bool history_writes(const struct history *h, unsigned tree)
{
    for (size_t i = h->committed; i < h->n; i++)
        if (h->events[i].tree == tree)
            return true;
    return false;
}

static inline void history_commit(struct history *h)
{
    h->commits++;
    for (; h->committed < h->n; h->committed++)
        h->events[h->committed].commit = h->commits;
}

/* Commits after this one never happened. */
static inline void history_cut(struct history *h, uint32_t commit)
{
    while (h->n > 0 && h->events[h->n - 1].commit > commit)
        h->n--;
    h->committed = h->n;
    h->commits = commit;
}

/* ---- bytes --------------------------------------------------------------------- */

struct key {
    char bytes[40];
    size_t size;
};

/* Key i of a style; they rise with i. */
static inline struct key key_of(unsigned style, unsigned i)
{
    struct key k = {.size = 0};
    switch (style) {
    case 0: /* dense integers */
        k.bytes[0] = 1;
        sdb_store_be64(k.bytes + 1, i);
        k.size = 9;
        break;
    case 1: /* each the beginning of the next; the first is empty */
        memset(k.bytes, 'a', i);
        k.size = i;
        break;
    case 2: /* more than eight equal bytes in front */
        k.size =
            (size_t)snprintf(k.bytes, sizeof k.bytes, "the-same-beginning-%02u", i);
        break;
    case 3: /* with zeros: each other one lies right behind its neighbour */
        k.size = (size_t)snprintf(k.bytes, sizeof k.bytes, "k%02u", i / 2);
        if (i % 2 == 1)
            k.bytes[k.size++] = 0;
        break;
    default:
        k.bytes[0] = (char)(i * 16);
        k.bytes[1] = (char)(i * 37);
        k.size = 1 + i % 2;
        break;
    }
    return k;
}

static inline seerdb_slice key_slice(const struct key *k)
{
    return (seerdb_slice){k->bytes, k->size};
}

#endif
