/* SPDX-License-Identifier: Apache-2.0
 *
 * history_run -- for history_model_test: a program carried out on a store in memory and
 * on the model, which must agree all the time.
 *
 * A difference jumps out of the case, and leaves behind what that had open: whoever
 * runs it is a process of its own. */
#ifndef SDB_DB_HISTORY_RUN_H
#define SDB_DB_HISTORY_RUN_H

#include "db/history_model.h"
#include "db/history_program.h"
#include "testing.h"

#include <errno.h>
#include <setjmp.h>
#include <stdatomic.h>

enum { VIEWS = 4, ITERS = 3, MARKS = 6, SNAPSHOTS = 6, COMMITS_MOST = OPS_MOST + 8 };

struct run_view {
    seerdb_view *view; /* NULL: none */
    unsigned tree;
    uint32_t commit;
    uint64_t tick; /* its time */
};

/* A named one: its name is its place. */
struct run_snapshot {
    bool used;
    unsigned tree;
    uint32_t commit;
    uint64_t tick;
};

struct run_iter {
    seerdb_iter *it;             /* NULL: none */
    unsigned tree, lower, upper; /* keys in [lower, upper) */
    unsigned at;                 /* KEYS_MOST: unpositioned */
    bool over_batch;
    struct content want;
};

struct run {
    struct bed bed;
    const struct program *p;
    const struct setup *s;
    struct sdb_rand r; /* of the operation at hand */
    size_t op;
    struct history h;
    struct key keys[KEYS_MOST];
    seerdb_tree *trees[TREES_MOST];
    seerdb_uuid owner;
    bool expected[TREES_MOST]; /* by the batch that is open */
    bool shown[TREES_MOST];    /* a writer's marker, since the store was opened */
    uint64_t marker[TREES_MOST], markers[COMMITS_MOST][TREES_MOST];
    seerdb_batch *batch;
    struct {
        uint64_t mark;
        size_t pending;
    } marks[MARKS];
    size_t nmarks;
    uint32_t next_value, certain; /* commits up to it survive a power cut */
    bool folded,
        reopened; /* versions may have been folded; the store was opened again */
    _Atomic uint64_t clock; /* ticks of 1000 seconds; never steps back */
    struct run_snapshot snapshots[SNAPSHOTS];
    struct run_view views[VIEWS];
    struct run_iter iters[ITERS];
    uint64_t reads, gone; /* counted */
    seerdb_err err;
    char why[700];
    jmp_buf out;
};

#define differ(r, ...)                                                                 \
    do {                                                                               \
        snprintf((r)->why, sizeof(r)->why, __VA_ARGS__);                               \
        longjmp((r)->out, 1);                                                          \
    } while (0)

#define must(r, call)                                                                  \
    do {                                                                               \
        int must_rc_ = (call);                                                         \
        if (must_rc_ != 0)                                                             \
            differ(r, "%s: %d: %.500s", #call, must_rc_, (r)->err.msg);                \
    } while (0)

static inline uint64_t dice(struct run *r, uint64_t n)
{
    return sdb_rand_below(&r->r, n);
}

#define TICK_US UINT64_C(1000000000)

/* The time that reads are given now; 0: nothing expires. */
static inline uint64_t tick_now(struct run *r)
{
    return r->s->filter ? atomic_load(&r->clock) : 0;
}

static inline uint64_t run_clock(void *ctx)
{
    struct run *r = ctx;
    return atomic_load(&r->clock) * TICK_US;
}

static inline int run_expiry(void *ctx, const seerdb_row *row, uint64_t *time_us)
{
    (void)ctx;
    if (row->value.size < 4)
        return SEERDB_NOTFOUND;
    uint64_t tick = value_expiry(sdb_load_u32(row->value.data));
    *time_us = tick * TICK_US;
    return tick == UINT64_MAX ? SEERDB_NOTFOUND : 0;
}

static inline int run_verdict(void *ctx, const seerdb_row *row, uint64_t now_us,
                              seerdb_filter_out *out, seerdb_err *err)
{
    uint64_t time_us;
    (void)out;
    (void)err;
    return run_expiry(ctx, row, &time_us) == 0 && time_us <= now_us ? SEERDB_REMOVE
                                                                    : SEERDB_KEEP;
}

/* ---- reading -------------------------------------------------------------------- */

static inline bool is_value(struct run *r, seerdb_slice got, uint32_t value)
{
    char room[VALUE_MOST + 8];
    return sdb_slice_equal(got, value_of(&r->h, value, room));
}

/* The tree as its last commit left it. */
static inline seerdb_view *view_now(struct run *r, unsigned tree)
{
    seerdb_view *v = NULL;
    if (r->s->marked)
        must(r, seerdb_view_open_at(r->trees[tree], r->marker[tree], 0, &v, &r->err));
    else
        must(r, seerdb_view_open(r->trees[tree], &v, &r->err));
    return v;
}

static inline void check_gets(struct run *r, seerdb_view *v, seerdb_batch *b,
                              uint64_t mark, const struct content *want)
{
    for (unsigned k = 0; k < r->s->keys; k++) {
        seerdb_value got = {0};
        int rc = seerdb_get(v, b, mark, key_slice(&r->keys[k]), &got, &r->err);
        r->reads++;
        if (rc != (want->value[k] == 0 ? SEERDB_NOTFOUND : 0))
            differ(r, "get of key %u answers %d %.400s, it has value %u", k, rc,
                   r->err.msg, want->value[k]);
        if (rc == 0 && !is_value(r, got.bytes, want->value[k]))
            differ(r, "get of key %u: not value %u", k, want->value[k]);
        if (rc == 0)
            seerdb_pin_unref(got.pin);
    }
}

/* The first key with a value in [from, to), or KEYS_MOST; the last one. */
static inline unsigned next_key(const struct content *c, unsigned from, unsigned to)
{
    for (unsigned k = from; k < to; k++)
        if (c->value[k] != 0)
            return k;
    return KEYS_MOST;
}

static inline unsigned prev_key(const struct content *c, unsigned from, unsigned to)
{
    for (unsigned k = to; k > from; k--)
        if (c->value[k - 1] != 0)
            return k - 1;
    return KEYS_MOST;
}

/* The iterator answered rc: does it stand on key `want`? */
static inline bool stands_at(struct run *r, struct run_iter *h, int rc, unsigned want,
                             const char *what)
{
    h->at = want;
    r->reads++;
    if (rc != (want == KEYS_MOST ? SEERDB_NOTFOUND : 0)) {
        snprintf(r->why, sizeof r->why,
                 "%s of tree %u answers %d %.400s, wanted key %u", what, h->tree, rc,
                 r->err.msg, want);
        return false;
    }
    if (want == KEYS_MOST)
        return true;
    if (!sdb_slice_equal(seerdb_iter_key(h->it), key_slice(&r->keys[want]))) {
        snprintf(r->why, sizeof r->why, "%s of tree %u: not on key %u", what, h->tree,
                 want);
        return false;
    }
    if (!is_value(r, seerdb_iter_value(h->it), h->want.value[want])) {
        snprintf(r->why, sizeof r->why, "%s of tree %u: key %u has not value %u", what,
                 h->tree, want, h->want.value[want]);
        return false;
    }
    return true;
}

static inline void bound_iter(struct run *r, struct run_iter *h)
{
    seerdb_slice lower = {0}, upper = {0};
    h->lower = 0;
    h->upper = r->s->keys;
    h->at = KEYS_MOST;
    if (dice(r, 3) == 0)
        lower = key_slice(&r->keys[h->lower = (unsigned)dice(r, r->s->keys)]);
    if (dice(r, 3) == 0)
        upper = key_slice(&r->keys[h->upper = (unsigned)dice(r, r->s->keys)]);
    must(r, seerdb_iter_bound(h->it, lower, upper, &r->err));
}

/* From end to end within the bounds. */
static inline bool scan_agrees(struct run *r, struct run_iter *h, bool forward)
{
    const struct content *c = &h->want;
    unsigned k =
        forward ? next_key(c, h->lower, h->upper) : prev_key(c, h->lower, h->upper);
    int rc =
        forward ? seerdb_iter_first(h->it, &r->err) : seerdb_iter_last(h->it, &r->err);
    while (stands_at(r, h, rc, k, forward ? "a scan" : "a backward scan")) {
        if (k == KEYS_MOST)
            return true;
        rc = forward ? seerdb_iter_next(h->it, &r->err)
                     : seerdb_iter_prev(h->it, &r->err);
        k = forward ? next_key(c, k + 1, h->upper) : prev_key(c, h->lower, k);
    }
    return false;
}

static inline void move_iter(struct run *r, struct run_iter *h)
{
    const struct content *c = &h->want;
    unsigned k = (unsigned)dice(r, r->s->keys), from = k > h->lower ? k : h->lower;
    unsigned to = k + 1 < h->upper ? k + 1 : h->upper;
    seerdb_slice key = key_slice(&r->keys[k]);
    seerdb_iter *it = h->it;
    bool right = true;
    switch (dice(r, h->at == KEYS_MOST ? 4 : 12)) {
    case 0:
        right = stands_at(r, h, seerdb_iter_first(it, &r->err),
                          next_key(c, h->lower, h->upper), "first");
        break;
    case 1:
        right = stands_at(r, h, seerdb_iter_last(it, &r->err),
                          prev_key(c, h->lower, h->upper), "last");
        break;
    case 2:
        right = stands_at(r, h, seerdb_iter_seek(it, key, &r->err),
                          next_key(c, from, h->upper), "seek");
        break;
    case 3:
        right = stands_at(r, h, seerdb_iter_seek_for_prev(it, key, &r->err),
                          prev_key(c, h->lower, to), "seek_for_prev");
        break;
    default:
        if (dice(r, 2) == 0)
            right = stands_at(r, h, seerdb_iter_next(it, &r->err),
                              next_key(c, h->at + 1, h->upper), "next");
        else
            right = stands_at(r, h, seerdb_iter_prev(it, &r->err),
                              prev_key(c, h->lower, h->at), "prev");
        break;
    }
    if (!right)
        longjmp(r->out, 1);
}

/* Scan what the view, and the batch up to the mark over it, show. */
static inline bool state_agrees(struct run *r, seerdb_view *v, seerdb_batch *b,
                                uint64_t mark, unsigned tree,
                                const struct content *want, bool forward)
{
    struct run_iter h = {.tree = tree, .upper = r->s->keys, .want = *want};
    must(r, seerdb_iter_open(v, b, mark, &h.it, &r->err));
    bool right = scan_agrees(r, &h, forward);
    seerdb_iter_close(h.it);
    return right;
}

static inline void check_state(struct run *r, seerdb_view *v, seerdb_batch *b,
                               uint64_t mark, unsigned tree, const struct content *want)
{
    check_gets(r, v, b, mark, want);
    if (!state_agrees(r, v, b, mark, tree, want, true) ||
        !state_agrees(r, v, b, mark, tree, want, false))
        longjmp(r->out, 1);
}

/* ---- snapshots ----------------------------------------------------------------------
 */

static inline const char *snapshot_name(size_t i)
{
    static const char *const names[SNAPSHOTS] = {"monday", "m",    "M",
                                                 "tue",    "we d", "x'"};
    return names[i];
}

static inline seerdb_view *view_at_snapshot(struct run *r, size_t i)
{
    seerdb_view *v = NULL;
    must(r, seerdb_view_open_snapshot(r->trees[r->snapshots[i].tree], snapshot_name(i),
                                      &v, &r->err));
    return v;
}

struct names_seen {
    struct run *r;
    unsigned tree, n;
    bool wrong;
};

static inline bool see_name(void *ctx, const seerdb_snapshot *snapshot)
{
    struct names_seen *s = ctx;
    size_t i = 0;
    while (i < SNAPSHOTS && strcmp(snapshot_name(i), snapshot->name) != 0)
        i++;
    s->n++;
    s->wrong = s->wrong || i == SNAPSHOTS || !s->r->snapshots[i].used ||
               s->r->snapshots[i].tree != s->tree;
    return true;
}

/* The trees have these snapshots and no others. */
static inline void check_names(struct run *r)
{
    for (unsigned t = 0; t < r->s->trees; t++) {
        struct names_seen s = {.r = r, .tree = t};
        unsigned want = 0;
        for (size_t i = 0; i < SNAPSHOTS; i++)
            want += r->snapshots[i].used && r->snapshots[i].tree == t;
        must(r, seerdb_snapshots(r->trees[t], see_name, &s, &r->err));
        if (s.wrong || s.n != want)
            differ(r, "tree %u has %u snapshots, wanted %u, or others", t, s.n, want);
    }
}

static inline void do_snapshot(struct run *r, const struct op *op)
{
    size_t i = op->key % SNAPSHOTS;
    struct run_snapshot *n = &r->snapshots[i];
    unsigned t = op->tree % r->s->trees;
    if (n->used)
        return;
    int rc = seerdb_snapshot_create(r->trees[t], snapshot_name(i), r->marker[t], 0,
                                    NULL, &r->err);
    bool unknown = r->s->marked && !r->shown[t]; /* that the marker is the truth */
    if (rc != 0 && (rc != SEERDB_BUSY || !unknown))
        differ(r, "a snapshot: %d: %.500s", rc, r->err.msg);
    r->err = (seerdb_err){0};
    if (rc != 0)
        return;
    *n = (struct run_snapshot){true, t, r->h.commits, tick_now(r)};
    if (r->certain < r->h.commits) /* durable, and so must be what it shows */
        r->certain = r->h.commits;
}

static inline void do_forget(struct run *r, const struct op *op)
{
    size_t i = op->key % SNAPSHOTS;
    if (!r->snapshots[i].used)
        return;
    must(r, seerdb_snapshot_drop(r->trees[r->snapshots[i].tree], snapshot_name(i),
                                 &r->err));
    r->snapshots[i].used = false;
}

static inline void do_tick(struct run *r, const struct op *op)
{
    atomic_fetch_add(&r->clock, op->key % 6);
}

/* All that can be seen, in all ways. */
static inline void check_everything(struct run *r)
{
    for (unsigned t = 0; t < r->s->trees; t++) {
        uint64_t tick = tick_now(r);
        struct content want = history_read(&r->h, t, r->h.commits, 0, tick);
        seerdb_view *v = view_now(r, t);
        check_state(r, v, NULL, 0, t, &want);
        if (r->batch != NULL) {
            want = history_read(&r->h, t, r->h.commits, HISTORY_ALL, tick);
            check_state(r, v, r->batch, SEERDB_BATCH_ALL, t, &want);
        }
        seerdb_view_close(v);
    }
    for (size_t i = 0; i < VIEWS; i++) {
        struct run_view *h = &r->views[i];
        if (h->view == NULL)
            continue;
        struct content want = history_read(&r->h, h->tree, h->commit, 0, h->tick);
        check_state(r, h->view, NULL, 0, h->tree, &want);
    }
    for (size_t i = 0; i < SNAPSHOTS; i++) {
        struct run_snapshot *n = &r->snapshots[i];
        if (!n->used)
            continue;
        struct content want = history_read(&r->h, n->tree, n->commit, 0, n->tick);
        seerdb_view *v = view_at_snapshot(r, i);
        check_state(r, v, NULL, 0, n->tree, &want);
        seerdb_view_close(v);
    }
    check_names(r);
}

#endif
