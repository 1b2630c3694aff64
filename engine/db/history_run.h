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
    unsigned failed_at;          /* then the key that it failed at, or KEYS_MOST */
    bool over_batch;
    struct content want;
};

struct run {
    struct bed bed;
    const struct program *p;
    const struct setup *s;
    struct sdb_rand r; /* of the operation at hand */
    size_t op;
    struct rules rules;
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

/* The time that reads are given now; 0: nothing expires. */
static inline uint64_t tick_now(struct run *r)
{
    return r->rules.filter ? atomic_load(&r->rules.clock) : 0;
}

static inline uint64_t run_clock(void *ctx)
{
    struct run *r = ctx;
    return atomic_load(&r->rules.clock) * TICK_US;
}

/* ---- reading -------------------------------------------------------------------- */

/* Is what was read what there may be?  *id is it then. */
static inline bool is_among(struct run *r, const struct may *m, seerdb_slice got,
                            uint32_t *id)
{
    char room[VALUE_MOST + 8];
    for (uint32_t i = 0; i < m->n; i++)
        if (is_value_id(m->id[i]) &&
            sdb_slice_equal(got, value_of(&r->h, m->id[i], room))) {
            *id = m->id[i];
            return true;
        }
    *id = 0;
    return m->n == 0;
}

/* For messages; of several threads none writes them. */
static inline const char *may_text(const struct may *m)
{
    static char text[MAY_MOST * 11 + 8];
    size_t n = 0;
    text[0] = '\0';
    for (uint32_t i = 0; i < m->n; i++)
        n += (size_t)snprintf(text + n, sizeof text - n,
                              m->id[i] == FAILED ? "%sfailure" : "%s%u",
                              i > 0 ? " or " : "", m->id[i]);
    return text;
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

/* Look every key up.  Afterwards *want is what was found. */
static inline void check_gets(struct run *r, seerdb_view *v, seerdb_batch *b,
                              uint64_t mark, struct content *want)
{
    for (unsigned k = 0; k < r->s->keys; k++) {
        seerdb_value got = {0};
        struct may *m = &want->keys[k];
        uint32_t id = 0;
        int rc = seerdb_get(v, b, mark, key_slice(&r->keys[k]), &got, &r->err);
        bool right = rc == 0                          ? is_among(r, m, got.bytes, &id)
                     : rc == SEERDB_NOTFOUND          ? may_be(m, 0)
                     : rule_is_failure(&r->rules, rc) ? may_be(m, FAILED)
                                                      : false;
        r->reads++;
        if (!right)
            differ(r, "get of key %u answers %d %.300s, it has %s", k, rc, r->err.msg,
                   may_text(m));
        if (m->n != 0)
            may_only(m, rc == 0 ? id : rc == SEERDB_NOTFOUND ? 0 : FAILED);
        if (rc == 0)
            seerdb_pin_unref(got.pin);
        r->err = (seerdb_err){0};
    }
}

/* The iterator answered rc when it was sent to key `from`, or the first one behind it
 * in this direction: does it stand where it may? */
static inline bool stands(struct run *r, struct run_iter *h, int rc, unsigned from,
                          bool forward, const char *what)
{
    unsigned k = from;
    bool failed = rule_is_failure(&r->rules, rc);
    uint32_t id;
    h->at = h->failed_at = KEYS_MOST;
    r->reads++;
    for (; k >= h->lower && k < h->upper; k += forward ? 1 : -1u) {
        const struct may *m = &h->want.keys[k];
        if (failed && may_be(m, FAILED)) {
            h->failed_at = k;
            r->err = (seerdb_err){0};
            return true;
        }
        if (rc == 0 &&
            sdb_slice_equal(seerdb_iter_key(h->it), key_slice(&r->keys[k]))) {
            h->at = k;
            if (is_among(r, m, seerdb_iter_value(h->it), &id))
                return true;
            snprintf(r->why, sizeof r->why, "%s of tree %u: key %u has not %.300s",
                     what, h->tree, k, may_text(m));
            return false;
        }
        if (!may_be(m, 0))
            break;
    }
    if (rc == SEERDB_NOTFOUND && (k < h->lower || k >= h->upper))
        return true;
    snprintf(r->why, sizeof r->why,
             "%s of tree %u from key %u answers %d %.300s, and is not on key %u", what,
             h->tree, from, rc, r->err.msg, k);
    return false;
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

/* From end to end within the bounds; keys that cannot be read are passed over. */
static inline bool scan_agrees(struct run *r, struct run_iter *h, bool forward)
{
    const char *what = forward ? "a scan" : "a backward scan";
    unsigned from = forward ? h->lower : h->upper - 1;
    int rc =
        forward ? seerdb_iter_first(h->it, &r->err) : seerdb_iter_last(h->it, &r->err);
    while (stands(r, h, rc, from, forward, what)) {
        bool failed = h->failed_at != KEYS_MOST;
        if (h->at == KEYS_MOST && !failed)
            return true;
        from = (failed ? h->failed_at : h->at) + (forward ? 1 : -1u);
        if (failed && (from < h->lower || from >= h->upper))
            return true;
        seerdb_slice key = failed ? key_slice(&r->keys[from]) : (seerdb_slice){0};
        if (forward)
            rc = failed ? seerdb_iter_seek(h->it, key, &r->err)
                        : seerdb_iter_next(h->it, &r->err);
        else
            rc = failed ? seerdb_iter_seek_for_prev(h->it, key, &r->err)
                        : seerdb_iter_prev(h->it, &r->err);
    }
    return false;
}

static inline void move_iter(struct run *r, struct run_iter *h)
{
    unsigned k = (unsigned)dice(r, r->s->keys), from = k > h->lower ? k : h->lower;
    unsigned to = k + 1 < h->upper ? k : h->upper - 1;
    seerdb_slice key = key_slice(&r->keys[k]);
    seerdb_iter *it = h->it;
    bool right = true;
    switch (dice(r, h->at == KEYS_MOST ? 4 : 12)) {
    case 0:
        right = stands(r, h, seerdb_iter_first(it, &r->err), h->lower, true, "first");
        break;
    case 1:
        right =
            stands(r, h, seerdb_iter_last(it, &r->err), h->upper - 1, false, "last");
        break;
    case 2:
        right = stands(r, h, seerdb_iter_seek(it, key, &r->err), from, true, "seek");
        break;
    case 3:
        right = stands(r, h, seerdb_iter_seek_for_prev(it, key, &r->err), to, false,
                       "seek_for_prev");
        break;
    default:
        if (dice(r, 2) == 0)
            right =
                stands(r, h, seerdb_iter_next(it, &r->err), h->at + 1, true, "next");
        else
            right =
                stands(r, h, seerdb_iter_prev(it, &r->err), h->at - 1, false, "prev");
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

/* What it shows may not be known beforehand, but all ways to read it must agree. */
static inline void check_state(struct run *r, seerdb_view *v, seerdb_batch *b,
                               uint64_t mark, unsigned tree, struct content *want)
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
    atomic_fetch_add(&r->rules.clock, op->key % 6);
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
