/* SPDX-License-Identifier: Apache-2.0
 *
 * history_program -- for history_model_test: what one case does, as a list of
 * operations that follows from a seed.
 *
 * Any operation makes sense wherever it stands: one that finds nothing to work on does
 * nothing.  So a program from which operations are taken out is a program. */
#ifndef SDB_DB_HISTORY_PROGRAM_H
#define SDB_DB_HISTORY_PROGRAM_H

#include "db/history_rules.h"

#include <stddef.h>
#include <stdio.h>

enum { OPS_MOST = 400, TREES_MOST = 2 };

/* Name, how often in a thousand. */
#define OPS_OF(X)                                                                      \
    X(put, 280)                                                                        \
    X(delete, 70)                                                                      \
    X(merge, 150)                                                                      \
    X(delete_range, 70)                                                                \
    X(mark, 40)                                                                        \
    X(release, 15)                                                                     \
    X(rollback_to, 25)                                                                 \
    X(spill, 20)                                                                       \
    X(commit, 150)                                                                     \
    X(undo, 20)                                                                        \
    X(read, 90)                                                                        \
    X(iterate, 60)                                                                     \
    X(hold, 50)                                                                        \
    X(let_go, 20)                                                                      \
    X(snapshot, 20)                                                                    \
    X(forget, 8)                                                                       \
    X(tick, 35)                                                                        \
    X(flush, 50)                                                                       \
    X(compact, 12)                                                                     \
    X(gc, 12)                                                                          \
    X(settle, 18)                                                                      \
    X(tune, 8)                                                                         \
    X(phase, 12)                                                                       \
    X(reopen, 5)                                                                       \
    X(crash, 3)                                                                        \
    X(cut, 3)

enum op_kind {
#define OP_ENUM(name, weight) OP_##name,
    OPS_OF(OP_ENUM)
#undef OP_ENUM
        NOPS
};

struct op {
    enum op_kind kind;
    uint32_t tree, key, to, dice; /* random; what they mean is the operation's affair */
};

/* What the store of a case is like. */
struct setup {
    bool marked, calm;    /* calm: nothing is compacted but by an operation */
    bool cuts;            /* the power may go: what must stay is synced */
    bool filter;          /* rows expire, and ... */
    unsigned filter_ways; /* FILTER_... of history_rules.h */
    unsigned trees, keys, key_style, large_one_in;
    unsigned memtable_kb, table_kb, history_ms, log_kb;
    unsigned compaction[TREES_MOST], compression;
    unsigned value_log; /* bytes; 0: off */
    unsigned merge;     /* enum merge_kind of history_rules.h */
    unsigned operator_ways;
    bool merge_fast;
};

struct program {
    uint64_t seed;
    struct setup setup;
    struct op ops[OPS_MOST];
    size_t n;
};

static inline enum op_kind choose_op(struct sdb_rand *r, bool cuts)
{
    static const unsigned weights[] = {
#define OP_WEIGHT(name, weight) weight,
        OPS_OF(OP_WEIGHT)
#undef OP_WEIGHT
    };
    unsigned total = 0, i = 0;
    for (unsigned k = 0; k < NOPS; k++)
        total += weights[k];
    uint64_t dice = sdb_rand_below(r, total);
    while (dice >= weights[i])
        dice -= weights[i++];
    return i == OP_cut && !cuts ? OP_reopen : (enum op_kind)i;
}

static inline struct program program_of(uint64_t seed)
{
    struct program p = {.seed = seed};
    struct sdb_rand r = {seed};
    p.setup = (struct setup){.marked = sdb_rand_below(&r, 3) == 0,
                             .calm = sdb_rand_below(&r, 4) != 0,
                             .cuts = sdb_rand_below(&r, 3) == 0,
                             .trees = 1 + (unsigned)sdb_rand_below(&r, TREES_MOST),
                             .keys = 2 + (unsigned)sdb_rand_below(&r, 13),
                             .key_style = (unsigned)sdb_rand_below(&r, 5),
                             .large_one_in = 1 << (3 + sdb_rand_below(&r, 5)),
                             .memtable_kb = (unsigned)(1 << sdb_rand_below(&r, 9)),
                             .table_kb = (unsigned)(1 << sdb_rand_below(&r, 4)),
                             .history_ms = sdb_rand_below(&r, 3) == 0 ? 1 : 0,
                             .log_kb = (unsigned)(16 << sdb_rand_below(&r, 3)),
                             .compression = (unsigned)sdb_rand_below(&r, 2)};
    p.setup.filter = sdb_rand_below(&r, 3) == 0;
    if (p.setup.filter && sdb_rand_below(&r, 2) == 0)
        p.setup.filter_ways = (unsigned)sdb_rand_below(&r, FILTER_WAYS);
    /* Of both in one tree less is promised: then there are not many. */
    if (!p.setup.filter || sdb_rand_below(&r, 3) == 0)
        p.setup.merge = (unsigned)sdb_rand_below(&r, 9);
    if (sdb_rand_below(&r, 2) == 0)
        p.setup.operator_ways = (unsigned)sdb_rand_below(&r, OPERATOR_WAYS);
    p.setup.merge_fast = sdb_rand_below(&r, 2) == 0;
    if (sdb_rand_below(&r, 3) == 0)
        p.setup.value_log = 16u << sdb_rand_below(&r, 7);
    for (unsigned i = 0; i < TREES_MOST; i++)
        p.setup.compaction[i] = (unsigned)sdb_rand_below(&r, 4);
    p.n = 5 + sdb_rand_below(&r, 36);
    if (sdb_rand_below(&r, 64) == 0)
        p.n = 100 + sdb_rand_below(&r, OPS_MOST - 100);
    for (size_t i = 0; i < p.n; i++)
        p.ops[i] = (struct op){.kind = choose_op(&r, p.setup.cuts),
                               .tree = (uint32_t)sdb_rand_next(&r),
                               .key = (uint32_t)sdb_rand_next(&r),
                               .to = (uint32_t)sdb_rand_next(&r),
                               .dice = (uint32_t)sdb_rand_next(&r)};
    return p;
}

static inline const char *op_name(enum op_kind kind)
{
    static const char *const names[] = {
#define OP_NAME(name, weight) #name,
        OPS_OF(OP_NAME)
#undef OP_NAME
    };
    return names[kind];
}

/* As C, to be put into a test of its own. */
static inline void program_print(const struct program *p, FILE *f)
{
    const struct setup *s = &p->setup;
    fprintf(
        f,
        "# seed %llu: %s%s%s%s%u trees, %u keys of style %u, large 1 in %u, memtable "
        "%u KiB, table %u KiB, history %u ms, log %u KiB, compaction %u %u, "
        "compression %u, value log from %u, merges %u%s, ways %u %u\n",
        (unsigned long long)p->seed, s->marked ? "marked, " : "",
        s->calm ? "calm, " : "", s->cuts ? "cuts, " : "", s->filter ? "filter, " : "",
        s->trees, s->keys, s->key_style, s->large_one_in, s->memtable_kb, s->table_kb,
        s->history_ms, s->log_kb, s->compaction[0], s->compaction[1], s->compression,
        s->value_log, s->merge, s->merge_fast ? " fast" : "", s->operator_ways,
        s->filter_ways);
    for (size_t i = 0; i < p->n; i++)
        fprintf(f, "#   {OP_%s, %u, %u, %u, %u}, /* tree %u, key %u */\n",
                op_name(p->ops[i].kind), p->ops[i].tree, p->ops[i].key, p->ops[i].to,
                p->ops[i].dice, p->ops[i].tree % s->trees, p->ops[i].key % s->keys);
}

#endif
