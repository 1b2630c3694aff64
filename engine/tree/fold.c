/* SPDX-License-Identifier: Apache-2.0
 *
 * The readers are the snapshots and, with `present`, one above every number.  Walking
 * from the newest version down, a version stays if there is a reader at or above it and
 * below the version before it: it is what those readers see.  The walk ends with the
 * last reader served, so a read does not visit the versions below its own.
 *
 * At the bottom a tombstone that stays says what the absence of every version says too,
 * unless an older version stays.  So it is held back until one does.  Of several
 * tombstones in a row only the oldest is worth keeping: whoever sees a newer one finds
 * that one without it.  Nor does a reader at any other number miss a tombstone that was
 * held back for nothing, so that dropping it does not raise the floor.
 *
 * The sieve works on what comes out: the newest version of the key comes first, as
 * readers at the present see it.  If a snapshot sees it too it stays, for it may have
 * been taken when the row was there.  Otherwise all who see this version are readers
 * whose time is not before ours, be it in the history: a tombstone in its place tells
 * them nothing else.  Readers at smaller numbers find what the fold has left for them
 * behind it; at the bottom, the tombstone is held back until that is known. */
#include "tree/fold.h"

static int check_kind(enum sdb_kind kind, seerdb_err *err)
{
    if (kind == SDB_KIND_VALUE || kind == SDB_KIND_TOMBSTONE ||
        kind == SDB_KIND_SEGMENTS)
        return 0;
    return sdb_fail(err, SEERDB_CORRUPT,
                    "a record of kind %d, expected a value (%d) or a tombstone (%d)",
                    (int)kind, SDB_KIND_VALUE, SDB_KIND_TOMBSTONE);
}

int sdb_fold_visible(enum sdb_kind kind, seerdb_err *err)
{
    int rc = check_kind(kind, err);
    return rc == 0 && kind == SDB_KIND_TOMBSTONE ? SEERDB_NOTFOUND : rc;
}

/* A version that a newer one follows is dropped: readers between the two miss it. */
static void raise_floor(struct sdb_fold *f, uint64_t newer)
{
    if (f->note_floor && newer > f->floor)
        f->floor = newer;
}

/* The walk over one key's versions. */
struct walk {
    size_t unserved;   /* snapshots that have not met their version yet */
    bool newest_stays; /* a reader above all snapshots has not */
    bool at_present;   /* and it is the one at the present */
    bool held;         /* a tombstone is held back */
    struct sdb_record tombstone;
};

/* Does this version stay?  *newer is the number of the one before it (0: none), or that
 * of a range which deletes it for the reader above all snapshots, if that is smaller.
 */
static bool stays(struct sdb_fold *f, struct walk *w, const struct sdb_record *r,
                  uint64_t *newer)
{
    bool stays = w->newest_stays, present = stays && w->at_present;
    uint64_t held_by = 0;
    if (f->nstripes > 0) {
        uint64_t deleted =
            sdb_range_stripes_cover(f->stripes, f->nstripes, r->key, UINT64_MAX);
        if (deleted > r->number) {
            stays = present = false;
            *newer = *newer == 0 || deleted < *newer ? deleted : *newer;
        }
    }
    for (; w->unserved > 0 && f->snapshots[w->unserved - 1] >= r->number;
         w->unserved--) {
        uint64_t s = f->snapshots[w->unserved - 1];
        if (f->nstripes > 0 &&
            sdb_range_stripes_cover(f->stripes, f->nstripes, r->key, s) > r->number)
            continue;
        held_by = s;
        stays = true;
    }
    w->newest_stays = w->at_present = false;
    if (f->history_from > 0 && r->number >= f->history_from)
        stays = w->newest_stays = true; /* and so does what a reader before it sees */
    f->held_by = present ? 0 : held_by;
    return stays;
}

static int emit_with_tombstone(struct walk *w, const struct sdb_record *r,
                               int (*emit)(void *ctx, const struct sdb_record *r),
                               void *ctx)
{
    int rc = 0;
    w->tombstone.key = r->key;
    if (w->held)
        rc = emit(ctx, &w->tombstone);
    w->held = false;
    return rc != 0 ? rc : emit(ctx, r);
}

static int fold_versions(struct sdb_fold *f, struct sdb_iter *it,
                         int (*emit)(void *ctx, const struct sdb_record *r), void *ctx,
                         seerdb_err *err)
{
    uint64_t newer = 0; /* number of the version before */
    struct walk w = {.unserved = f->nsnapshots,
                     .newest_stays = f->present,
                     .at_present = f->present,
                     .tombstone = {.kind = SDB_KIND_TOMBSTONE}};
    for (;;) {
        int rc = check_kind(it->at.kind, err);
        if (rc != 0)
            return rc;
        bool stay = stays(f, &w, &it->at, &newer);
        if (!stay)
            raise_floor(f, newer);
        newer = it->at.number;
        if (stay && f->bottom && it->at.kind == SDB_KIND_TOMBSTONE) {
            w.tombstone.number = it->at.number;
            w.held = true;
        } else if (stay && (rc = emit_with_tombstone(&w, &it->at, emit, ctx)) != 0) {
            return rc;
        }
        bool done = w.unserved == 0 && !w.newest_stays;
        if (done && !f->note_floor)
            return 0;
        rc = it->ops->older(it, err);
        if (rc != 0)
            return rc == SEERDB_NOTFOUND ? 0 : rc;
        if (done) { /* whatever follows is dropped */
            raise_floor(f, newer);
            return 0;
        }
    }
}

/* What comes out of the fold of one key, on its way through the sieve. */
struct sifted {
    struct sdb_fold *f;
    int (*emit)(void *ctx, const struct sdb_record *r);
    void *ctx;
    bool begun; /* the newest version was seen */
    bool held;  /* the tombstone in its place, at the bottom */
    uint64_t number;
};

static int emit_tombstone(struct sifted *s, seerdb_slice key)
{
    struct sdb_record r = {.key = key, .number = s->number, .kind = SDB_KIND_TOMBSTONE};
    s->held = false;
    return s->emit(s->ctx, &r);
}

/* What the filter says of a record.  One whose value cannot be read stays: who reads it
 * is told. */
static int ask(struct sdb_fold *f, const struct sdb_record *r)
{
    seerdb_value whole = {.bytes = r->value};
    if (r->kind == SDB_KIND_SEGMENTS) {
        int rc = f->resolve(f->resolve_ctx, r, &whole, NULL);
        if (rc != 0)
            return rc;
    }
    int rc = sdb_sieve_ask(f->sieve, &(seerdb_row){r->key, whole.bytes}, f->now_us,
                           &f->changed, NULL);
    seerdb_pin_unref(whole.pin);
    return rc;
}

static int sift_newest(struct sifted *s, const struct sdb_record *r)
{
    struct sdb_fold *f = s->f;
    struct sdb_record changed = *r;
    bool has_value = r->kind == SDB_KIND_VALUE ||
                     (r->kind == SDB_KIND_SEGMENTS && f->resolve != NULL);
    if (!has_value ||
        (f->nsnapshots > 0 && f->snapshots[f->nsnapshots - 1] >= r->number))
        return s->emit(s->ctx, r);
    switch (ask(f, r)) {
    case SEERDB_KEEP:
        return s->emit(s->ctx, r);
    case SEERDB_REMOVE:
        atomic_fetch_add_explicit(&f->sieve->removed, 1, memory_order_relaxed);
        s->number = r->number;
        s->held = f->bottom;
        return s->held ? 0 : emit_tombstone(s, r->key);
    case SEERDB_CHANGE:
        atomic_fetch_add_explicit(&f->sieve->changed, 1, memory_order_relaxed);
        changed.kind = SDB_KIND_VALUE;
        changed.value = sdb_buf_slice(&f->changed.bytes);
        return s->emit(s->ctx, &changed);
    default: /* who reads the row is told */
        atomic_fetch_add_explicit(&f->sieve->failed, 1, memory_order_relaxed);
        return s->emit(s->ctx, r);
    }
}

static int sift(void *ctx, const struct sdb_record *r)
{
    struct sifted *s = ctx;
    int rc = 0;
    if (!s->begun) {
        s->begun = true;
        return sift_newest(s, r);
    }
    if (s->held)
        rc = emit_tombstone(s, r->key);
    return rc != 0 ? rc : s->emit(s->ctx, r);
}

int sdb_fold_key(struct sdb_fold *f, struct sdb_iter *it,
                 int (*emit)(void *ctx, const struct sdb_record *r), void *ctx,
                 seerdb_err *err)
{
    struct sifted s = {.f = f, .emit = emit, .ctx = ctx};
    return f->sieve == NULL ? fold_versions(f, it, emit, ctx, err)
                            : fold_versions(f, it, sift, &s, err);
}
