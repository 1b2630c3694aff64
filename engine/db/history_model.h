/* SPDX-License-Identifier: Apache-2.0
 *
 * history_model -- for history_model_test: a store as the list of all that was ever
 * written to it, in order.  A read at any number goes through all of it from the first
 * write on, key by key, as the contract in seerdb.h says and as no engine would. */
#ifndef SDB_DB_HISTORY_MODEL_H
#define SDB_DB_HISTORY_MODEL_H

#include "db/history_rules.h"

#include <stdio.h>
#include <stdlib.h>

enum { KEYS_MOST = 16, EVENTS_MOST = 2048, VALUE_MOST = 3000 };

enum event_kind { EV_PUT, EV_DELETE, EV_RANGE, EV_MERGE };

struct event {
    uint32_t commit; /* the model's own number of it: 1, 2, ... */
    enum event_kind kind;
    unsigned tree, lo, hi; /* keys in [lo, hi) */
    uint32_t value;
};

/* A value is known by its number; 0: no such key.  From DERIVED on they are places of
 * what was made of a value by an operand or (CHANGED_BY) by the filter. */
enum { DERIVED = 1 << 24 };
#define CHANGED_BY UINT32_C(0)
#define FAILED     UINT32_MAX /* not a value: who reads the key gets a failure */

struct derived {
    uint32_t old, by, becomes; /* becomes: its own number, 0, FAILED */
    char *bytes;               /* owned */
    size_t size;
};

/* What a reader may find of a key: one of these.  n 0: nobody can say. */
enum { MAY_MOST = 24 };
struct may {
    uint32_t n, id[MAY_MOST];
};

/* What a reader of one tree sees. */
struct content {
    struct may keys[KEYS_MOST];
};

struct history {
    const struct rules *rules; /* borrowed */
    unsigned large_one_in;
    struct derived *derived; /* owned */
    size_t nderived;
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
    if (n >= DERIVED)
        return (seerdb_slice){h->derived[n - DERIVED].bytes,
                              h->derived[n - DERIVED].size};
    if (h->rules->merge == MERGE_ADD) {
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

/* ---- merging, and the filter ------------------------------------------------------
 */

/* The bytes of an operand: a number for ADD, but for some that it refuses; one for
 * CHAIN and LIST; any for others. */
static inline seerdb_slice operand_of(const struct history *h, uint32_t n, char *room)
{
    struct sdb_rand r = {~(uint64_t)n};
    enum merge_kind merge = h->rules->merge;
    sdb_store_u64(room, sdb_rand_next(&r));
    sdb_store_u64(room + 8, sdb_rand_next(&r));
    if (merge == MERGE_ADD)
        return (seerdb_slice){room, n % 32 == 7 ? 3 : 8};
    sdb_store_u32(room, n);
    return (seerdb_slice){room, merge >= MERGE_CHAIN ? 4 : n % 16};
}

/* One operand after the other, as nobody would who has many. */
static inline enum step merge_one(const struct history *h, const seerdb_slice *base,
                                  uint32_t operand, char *to, size_t *size)
{
    char room[16];
    seerdb_slice o = operand_of(h, operand, room);
    switch (h->rules->merge) {
    case MERGE_ADD:
        if (o.size != 8 || (base != NULL && base->size != 8))
            return STEP_FAILS;
        sdb_store_u64(to, (base != NULL ? sdb_load_u64(base->data) : 0) +
                              sdb_load_u64(o.data));
        *size = 8;
        break;
    case MERGE_MAX:
        o = base != NULL && sdb_slice_cmp(*base, o) > 0 ? *base : o;
        if (o.size > 0)
            memcpy(to, o.data, o.size);
        *size = o.size;
        break;
    case MERGE_APPEND:
        *size = base != NULL ? base->size : 0;
        if (*size > 0)
            memcpy(to, base->data, *size);
        memcpy(to + *size, o.data, o.size);
        *size += o.size;
        break;
    default:
        return chain_step(h->rules, base, operand, to, size);
    }
    return STEP_VALUE;
}

/* What a value becomes by an operand, or by CHANGED_BY. */
static inline uint32_t derive(struct history *h, uint32_t old, uint32_t by)
{
    char base_room[VALUE_MOST + 8];
    seerdb_slice base = {NULL, 0};
    size_t i = 0;
    if (old == FAILED)
        return FAILED;
    while (i < h->nderived && (h->derived[i].old != old || h->derived[i].by != by))
        i++;
    if (i < h->nderived)
        return h->derived[i].becomes;
    if (old != 0)
        base = value_of(h, old, base_room);
    struct derived d = {.old = old, .by = by, .becomes = DERIVED + (uint32_t)i};
    d.bytes = malloc(base.size + STEP_MOST + CHANGED_MOST);
    if (by == CHANGED_BY) {
        const struct fate f = fate_of(h->rules, base);
        d.size = changed_value(h->rules, &f, d.bytes);
    } else {
        enum step s = merge_one(h, old != 0 ? &base : NULL, by, d.bytes, &d.size);
        d.becomes = s == STEP_FAILS ? FAILED : s == STEP_GONE ? 0 : d.becomes;
    }
    h->derived = realloc(h->derived, (i + 1) * sizeof *h->derived);
    h->derived[h->nderived++] = d;
    return d.becomes;
}

static inline void history_free(struct history *h)
{
    for (size_t i = 0; i < h->nderived; i++)
        free(h->derived[i].bytes);
    free(h->derived);
    h->derived = NULL;
    h->nderived = 0;
}

/* ---- reading ----------------------------------------------------------------------
 */

static inline bool may_be(const struct may *m, uint32_t id)
{
    for (uint32_t i = 0; i < m->n; i++)
        if (m->id[i] == id)
            return true;
    return m->n == 0;
}

static inline void may_only(struct may *m, uint32_t id)
{
    m->n = 1;
    m->id[0] = id;
}

static inline void may_too(struct may *m, uint32_t id)
{
    if (may_be(m, id))
        return;
    if (m->n == MAY_MOST)
        m->n = 0;
    else
        m->id[m->n++] = id;
}

static inline bool is_value_id(uint32_t id)
{
    return id != 0 && id != FAILED;
}

/* Until a time a flush or a compaction may have asked the filter about what lies there,
 * or not. */
static inline void jobs_may_sift(struct history *h, struct may *m, uint64_t tick)
{
    char room[VALUE_MOST + 8];
    if (!h->rules->filter || (h->rules->filter_ways & FILTER_FOREGROUND) != 0)
        return;
    for (uint32_t i = 0, n = m->n; i < n && m->n != 0; i++) {
        if (!is_value_id(m->id[i]))
            continue;
        const struct fate f = fate_of(h->rules, value_of(h, m->id[i], room));
        if (f.fails)
            continue;
        uint32_t changed = f.changes <= tick ? derive(h, m->id[i], CHANGED_BY) : 0;
        if (f.changes <= tick)
            may_too(m, changed);
        if (f.expires <= tick && m->n != 0)
            may_too(m, 0);
    }
}

/* The filter fails at present; before, it may have had its way with a value. */
static inline void sift_early(struct history *h, struct may *m, uint32_t id,
                              const struct fate *f, uint64_t tick)
{
    char room[VALUE_MOST + 8];
    if (m->n != 0 && f->expires <= tick)
        may_too(m, 0);
    if (m->n == 0 || f->changes > tick)
        return;
    uint32_t changed = derive(h, id, CHANGED_BY);
    struct fate now = fate_of(h->rules, value_of(h, changed, room));
    if (!filter_fails_at_times(h->rules, &now))
        may_too(m, changed);
}

/* What a reader gets of it who asks the filter at that time. */
static inline struct may sifted(struct history *h, const struct may *m, uint64_t tick)
{
    char room[VALUE_MOST + 8];
    struct may out;
    if (!h->rules->filter || m->n == 0)
        return *m;
    out.n = 0;
    for (uint32_t i = 0; i < m->n; i++) {
        uint32_t id = m->id[i];
        struct fate f = {0, UINT64_MAX, UINT64_MAX, false};
        if (is_value_id(id))
            f = fate_of(h->rules, value_of(h, id, room));
        bool fails_now = !f.fails && filter_fails_at_times(h->rules, &f);
        if (f.fails || fails_now)
            id = FAILED;
        else if (f.expires <= tick)
            id = 0;
        else if (f.changes <= tick)
            id = derive(h, id, CHANGED_BY);
        if (i == 0)
            may_only(&out, id);
        else
            may_too(&out, id);
        if (fails_now) /* a job may have come before the phase */
            sift_early(h, &out, m->id[i], &f, tick);
        if (out.n == 0)
            break;
    }
    return out;
}

/* A key on its way through history. */
struct passing {
    struct may may;
    uint32_t commit; /* of the last write */
    bool shaky;      /* an operand may fail at present */
};

static inline void pass_event(struct history *h, struct passing *p,
                              const struct event *e, uint64_t tick)
{
    if (e->kind != EV_MERGE) {
        may_only(&p->may, e->kind == EV_PUT ? e->value : 0);
        p->shaky = false;
    } else if (p->may.n != 0) {
        struct may old;
        if (e->commit != p->commit)
            jobs_may_sift(h, &p->may, tick);
        old = p->may;
        for (uint32_t i = 0; i < old.n; i++) {
            uint32_t id = derive(h, old.id[i], e->value);
            if (i == 0)
                may_only(&p->may, id);
            else
                may_too(&p->may, id);
            if (p->may.n == 0)
                break;
        }
        p->shaky = p->shaky || operator_fails_at_times(h->rules, e->value);
    }
    p->commit = e->commit;
}

/* The tree as of a commit, and then the first `pending` of the batch's writes, at
 * `tick`. */
static inline struct content history_read(struct history *h, unsigned tree,
                                          uint32_t commit, size_t pending,
                                          uint64_t tick)
{
    struct content c;
    struct passing all[KEYS_MOST];
    for (unsigned k = 0; k < KEYS_MOST; k++) {
        may_only(&all[k].may, 0);
        all[k].commit = UINT32_MAX;
        all[k].shaky = false;
    }
    for (size_t i = 0; i < h->n; i++) {
        const struct event *e = &h->events[i];
        bool seen = i < h->committed ? e->commit <= commit : i - h->committed < pending;
        if (!seen || e->tree != tree)
            continue;
        for (unsigned k = e->lo; k < e->hi; k++)
            pass_event(h, &all[k], e, tick);
    }
    for (unsigned k = 0; k < KEYS_MOST; k++) {
        c.keys[k] = sifted(h, &all[k].may, tick);
        if (all[k].shaky && c.keys[k].n != 0)
            may_too(&c.keys[k], FAILED);
    }
    return c;
}

/* Can it be logged what the batch says of the key?  Not if the operator fails with what
 * the batch itself has put there, or deleted: nothing else could be said.  Where a
 * range has deleted it that depends on what went to disk. */
enum logs { LOGS, LOGS_MAYBE, LOGS_NOT };
static inline enum logs key_logs(struct history *h, unsigned tree, unsigned key)
{
    bool known = false, ranged = false, shaky = false;
    uint32_t id = 0;
    for (size_t i = h->committed; i < h->n; i++) {
        const struct event *e = &h->events[i];
        if (e->tree != tree || key < e->lo || key >= e->hi)
            continue;
        if (e->kind != EV_MERGE) {
            known = true;
            ranged = e->kind == EV_RANGE;
            shaky = false;
            id = e->kind == EV_PUT ? e->value : 0;
        } else if (known) {
            id = derive(h, id, e->value);
            shaky = shaky || operator_fails_at_times(h->rules, e->value);
        }
    }
    if (id == FAILED && !ranged)
        return LOGS_NOT;
    return id == FAILED || shaky ? LOGS_MAYBE : LOGS;
}

static inline enum logs batch_logs(struct history *h)
{
    enum logs logs = LOGS;
    for (size_t i = h->committed; i < h->n && logs != LOGS_NOT; i++) {
        const struct event *e = &h->events[i];
        enum logs of_key = e->kind == EV_MERGE ? key_logs(h, e->tree, e->lo) : LOGS;
        logs = of_key > logs ? of_key : logs;
    }
    return logs;
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
