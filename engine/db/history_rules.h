/* SPDX-License-Identifier: Apache-2.0
 *
 * history_rules -- for history_model_test: what the merge operator and the filter of a
 * case do to values, for the engine, which calls them, and for the model, which goes
 * through all of history with them.
 *
 * Both may fail: for ever, for what they are asked about; or as long as the *phase*
 * lasts, which a case changes by hand. */
#ifndef SDB_DB_HISTORY_RULES_H
#define SDB_DB_HISTORY_RULES_H

#include "base/coding.h"
#include "base/hash.h"
#include "base/rand.h"
#include "seerdb.h"
#include "table/key.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* The operator of all trees of a case. */
enum merge_kind {
    MERGE_NONE,
    MERGE_ADD,
    MERGE_MAX,
    MERGE_APPEND,
    MERGE_CHAIN,
    MERGE_LIST
};

/* How CHAIN and LIST fail. */
enum {
    OPERATOR_FAILS = 1,           /* for some pairs of base and operand */
    OPERATOR_FAILS_AT_TIMES = 2,  /* in some phases, for some operands */
    OPERATOR_FAILS_IN_HASTE = 4,  /* while a commit is applied */
    OPERATOR_COMBINES_LITTLE = 8, /* partial refuses, or fails */
    OPERATOR_WAYS = 16
};

/* What the filter does beside removing rows. */
enum {
    FILTER_CHANGES = 1,
    FILTER_FAILS = 2,
    FILTER_FAILS_AT_TIMES = 4,
    FILTER_SPARSE = 8,      /* it is content with values in parts */
    FILTER_FOREGROUND = 16, /* it is asked by reads only */
    FILTER_LASTING = 32,    /* tables may go unread */
    FILTER_WAYS = 64
};

struct rules {
    enum merge_kind merge;
    unsigned operator_ways, filter_ways;
    bool fast, filter;
    _Atomic uint32_t phase; /* 0: nobody fails that does not always */
    _Atomic uint64_t clock; /* ticks of 1000 seconds; never steps back */
};

#define RULE_FAILURE SEERDB_CONFLICT /* that nobody else answers here */

static inline bool rule_is_failure(const struct rules *r, int rc)
{
    return rc == RULE_FAILURE || (rc == SEERDB_MISUSE && r->merge == MERGE_ADD);
}

static inline bool fails_at_times(const struct rules *r, uint32_t number)
{
    uint32_t phase = atomic_load(&r->phase);
    return phase != 0 && sdb_hash64(&number, sizeof number, phase) % 3 == 0;
}

static inline int rule_fails(seerdb_err *err)
{
    *err = (seerdb_err){RULE_FAILURE, "it does not want to"};
    return RULE_FAILURE;
}

/* ---- the operator ---------------------------------------------------------------- */

enum step { STEP_VALUE, STEP_GONE, STEP_FAILS };
enum { STEP_MOST = 8 + 704 };

/* What an operand of CHAIN makes of a value (NULL: none) depends on the order of all
 * that came before. */
static inline enum step chain_step(const struct rules *r, const seerdb_slice *old,
                                   uint32_t number, char *room, size_t *size)
{
    uint64_t h = sdb_hash64(old != NULL ? old->data : "", old != NULL ? old->size : 0,
                            number + (old != NULL));
    *size = h % 8 == 1 ? 8 + (size_t)(h >> 8) % 700 : 8;
    memset(room, (int)(h >> 20 & 0xff), *size);
    sdb_store_u64(room, h);
    if (h % 11 == 1 && (r->operator_ways & OPERATOR_FAILS) != 0)
        return STEP_FAILS;
    return h % 5 == 0 ? STEP_GONE : STEP_VALUE;
}

static inline bool operator_fails_at_times(const struct rules *r, uint32_t number)
{
    return (r->operator_ways & OPERATOR_FAILS_AT_TIMES) != 0 &&
           fails_at_times(r, number);
}

/* Operands are numbers in a row. */
static inline int chain_full(void *ctx, seerdb_slice key, const seerdb_slice *base,
                             const seerdb_slice *operands, size_t n,
                             seerdb_merge_out *out, seerdb_err *err)
{
    const struct rules *r = ctx;
    char room[STEP_MOST];
    seerdb_slice now = base != NULL ? *base : (seerdb_slice){NULL, 0};
    bool there = base != NULL;
    (void)key;
    for (size_t i = 0; i < n; i++)
        for (size_t at = 0; at + 4 <= operands[i].size; at += 4) {
            uint32_t number = sdb_load_u32((const char *)operands[i].data + at);
            size_t size;
            enum step step = chain_step(r, there ? &now : NULL, number, room, &size);
            bool in_haste = (r->operator_ways & OPERATOR_FAILS_IN_HASTE) != 0 &&
                            number % 2 == 0 && seerdb_merge_hurries(out);
            if (step == STEP_FAILS || in_haste || operator_fails_at_times(r, number))
                return rule_fails(err);
            there = step == STEP_VALUE;
            now = (seerdb_slice){room, size};
        }
    if (!there)
        return SEERDB_NOTFOUND;
    seerdb_merge_emit(out, now.data, now.size);
    return 0;
}

static inline int chain_partial(void *ctx, seerdb_slice key,
                                const seerdb_slice *operands, size_t n,
                                seerdb_merge_out *out, seerdb_err *err)
{
    const struct rules *r = ctx;
    (void)key;
    if ((r->operator_ways & OPERATOR_COMBINES_LITTLE) != 0) {
        uint32_t first = sdb_load_u32(operands[0].data);
        if (first % 3 == 0 || n > 4)
            return SEERDB_NOTFOUND;
        if (first % 3 == 1) {
            seerdb_merge_emit(out, "half", 4);
            return rule_fails(err);
        }
    }
    for (size_t i = 0; i < n; i++)
        seerdb_merge_emit(out, operands[i].data, operands[i].size);
    return 0;
}

/* NULL: the trees take no merges. */
static inline const seerdb_merge_operator *operator_of(struct rules *r,
                                                       seerdb_merge_operator *room)
{
    static const char *const names[] = {NULL, "uint64 add", "max", "append"};
    if (r->merge < MERGE_CHAIN)
        return r->merge == MERGE_NONE ? NULL : seerdb_merge_named(names[r->merge]);
    *room = (seerdb_merge_operator){.name = "chain",
                                    .ctx = r,
                                    .full = chain_full,
                                    .partial =
                                        r->merge == MERGE_CHAIN ? chain_partial : NULL,
                                    .fast = r->fast};
    return room;
}

/* ---- the filter --------------------------------------------------------------------
 */

#define CHANGED UINT32_C(0x80000000) /* in the number that a value begins with */
#define TICK_US UINT64_C(1000000000)

/* What becomes of a value: ticks from which on it is another one, or none. */
struct fate {
    uint32_t number; /* what it begins with, without CHANGED */
    uint64_t changes, expires;
    bool fails; /* for ever */
};

static inline struct fate fate_of(const struct rules *r, seerdb_slice value)
{
    struct fate f = {0, UINT64_MAX, UINT64_MAX, false};
    if (!r->filter || value.size < 4)
        return f;
    uint32_t first = sdb_load_u32(value.data), n = first & ~CHANGED;
    f.number = n;
    if (n % 5 != 0 && n % 16 != 5)
        f.expires = 1 + (uint64_t)n * 7 % 24;
    if ((r->filter_ways & FILTER_CHANGES) != 0 && first == n && n % 4 == 1)
        f.changes = 1 + (uint64_t)n * 5 % 24;
    f.fails = (r->filter_ways & FILTER_FAILS) != 0 && n % 23 == 3;
    return f;
}

static inline bool filter_fails_at_times(const struct rules *r, const struct fate *f)
{
    return f->number != 0 && (r->filter_ways & FILTER_FAILS_AT_TIMES) != 0 &&
           fails_at_times(r, ~f->number);
}

/* The bytes of a changed value, in `room` of CHANGED_MOST: empty, or with a number that
 * says that it was changed. */
enum { CHANGED_MOST = 4 + 80 };
static inline size_t changed_value(const struct rules *r, const struct fate *f,
                                   char *room)
{
    if (f->number % 16 == 5)
        return 0;
    size_t size = r->merge == MERGE_ADD ? 8 : 4 + f->number % 80;
    memset(room, 'c', CHANGED_MOST);
    sdb_store_u32(room, f->number | CHANGED);
    return size;
}

static inline int filter_expiry(void *ctx, const seerdb_row *row, uint64_t *time_us)
{
    const struct rules *r = ctx;
    if (row->segments.size > 0)
        return SEERDB_NOTFOUND;
    const struct fate f = fate_of(r, row->value);
    *time_us = f.expires * TICK_US;
    return f.expires == UINT64_MAX || f.fails ? SEERDB_NOTFOUND : 0;
}

static inline int filter_verdict(void *ctx, const seerdb_row *row, uint64_t now_us,
                                 seerdb_filter_out *out, seerdb_err *err)
{
    const struct rules *r = ctx;
    char room[CHANGED_MOST];
    uint64_t tick = now_us / TICK_US;
    if (row->segments.size > 0)
        return SEERDB_WHOLE;
    const struct fate f = fate_of(r, row->value);
    if (f.fails || filter_fails_at_times(r, &f))
        return rule_fails(err);
    if (f.expires <= tick)
        return SEERDB_REMOVE;
    if (f.changes > tick)
        return SEERDB_KEEP;
    seerdb_filter_emit(out, room, changed_value(r, &f, room));
    return SEERDB_CHANGE;
}

static inline seerdb_filter filter_of(struct rules *r)
{
    return (seerdb_filter){.ctx = r,
                           .verdict = filter_verdict,
                           .expiry = filter_expiry,
                           .sparse = (r->filter_ways & FILTER_SPARSE) != 0,
                           .foreground = (r->filter_ways & FILTER_FOREGROUND) != 0,
                           .lasting = (r->filter_ways & FILTER_LASTING) != 0};
}

#endif
