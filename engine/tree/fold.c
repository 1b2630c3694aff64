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
 * behind it; at the bottom, the tombstone is held back until that is known.
 *
 * Merge records.  From the first one on, the versions that matter are copied, because
 * what becomes of a version depends on older ones: its *chain*, the versions that it
 * builds upon, down to a value, a tombstone or the end.  A version whose chain goes on
 * with one that stays, stays as it is.  The newest, and one whose chain would lose a
 * part, becomes what its chain amounts to: a value if that ends with something known,
 * else a longer list that includes the rest of the chain.
 *
 * A record never includes operands from below a value, a tombstone or a range
 * tombstone. What it includes lies in the same table or memtable as it does, if it is
 * there at all: so a version that becomes a value here cannot be in the way of a newer
 * one elsewhere that includes its operands.  Where anything is in doubt -- the operator
 * fails, or was not given, a list would be too long -- all versions that count stay as
 * they are, which is right for every reader. */
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
    int (*emit)(void *ctx, const struct sdb_record *r);
    void *ctx;
    uint64_t newer;    /* number of the version before */
    size_t unserved;   /* snapshots that have not met their version yet */
    bool newest_stays; /* a reader above all snapshots has not */
    bool at_present;   /* and it is the one at the present */
    bool held;         /* a tombstone is held back */
    struct sdb_record tombstone;
};

/* stays() where there are snapshots or ranges.  w->newer is the number of the one
 * before it (0: none), or that of a range which deletes it for the reader above all
 * snapshots, if that is smaller. */
static SDB_NOINLINE bool stays_for_readers(struct sdb_fold *f, struct walk *w,
                                           const struct sdb_record *r)
{
    bool stays = w->newest_stays, present = stays && w->at_present;
    uint64_t held_by = 0;
    if (f->nstripes > 0) {
        uint64_t deleted =
            sdb_range_stripes_cover(f->stripes, f->nstripes, r->key, UINT64_MAX);
        if (deleted > r->number) {
            stays = present = false;
            w->newer = w->newer == 0 || deleted < w->newer ? deleted : w->newer;
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

/* Does this version stay? */
static SDB_INLINE bool stays(struct sdb_fold *f, struct walk *w,
                             const struct sdb_record *r)
{
    if (SDB_RARELY(w->unserved > 0 || f->nstripes > 0))
        return stays_for_readers(f, w, r);
    bool stays = w->newest_stays;
    w->newest_stays = w->at_present = false;
    if (f->history_from > 0 && r->number >= f->history_from)
        stays = w->newest_stays = true;
    f->held_by = 0;
    return stays;
}

/* Write a version that stays, or hold it back. */
static SDB_INLINE int put(const struct sdb_fold *f, struct walk *w,
                          const struct sdb_record *r)
{
    int rc;
    if (f->bottom && r->kind == SDB_KIND_TOMBSTONE) {
        w->tombstone.number = r->number;
        w->held = true;
        return 0;
    }
    w->tombstone.key = r->key;
    if (w->held && (rc = w->emit(w->ctx, &w->tombstone)) != 0)
        return rc;
    w->held = false;
    return w->emit(w->ctx, r);
}

/* ---- merge records -------------------------------------------------------------- */

/* A version of the key at hand. */
struct version {
    uint64_t number, from; /* from: of a merge record, else 0 */
    uint64_t cover; /* the greatest range over the key that its readers see; 0: none */
    uint64_t newer, held_by; /* what the walk found out about it */
    enum sdb_kind kind;
    bool stays, needed;      /* needed: something that stays is made of it */
    size_t at, size;         /* of its value in f->bytes */
    enum sdb_kind becomes;   /* 0: it stays as it is */
    size_t new_at, new_size; /* of its new value in f->results */
};

/* Where the chain of a version goes on: with the first one below `below`, unless a
 * range deletes that. */
struct chain {
    uint64_t below, cover;
};

static struct version *versions(const struct sdb_fold *f)
{
    return (struct version *)(void *)f->versions.data;
}

static size_t count_versions(const struct sdb_fold *f)
{
    return f->versions.size / sizeof(struct version);
}

/* ---- copying a key's versions ---------------------------------------------------- */

/* The chains of all versions that stay stand in f->chains, by where they go on, rising.
 */
static void note_chain(struct sdb_fold *f, struct chain c)
{
    struct chain before;
    size_t at = f->chains.size;
    for (; at > 0; at -= sizeof before) {
        memcpy(&before, f->chains.data + at - sizeof before, sizeof before);
        if (before.below == c.below && before.cover == c.cover)
            return; /* two that have met */
        if (before.below < c.below)
            break;
    }
    sdb_buf_append(&f->chains, &c, sizeof c);
    if (f->chains.failed)
        return;
    memmove(f->chains.data + at + sizeof c, f->chains.data + at,
            f->chains.size - at - sizeof c);
    memcpy(f->chains.data + at, &c, sizeof c);
}

/* Is version v part of a chain?  Those that it is part of go on behind it. */
static bool take_chains(struct sdb_fold *f, const struct version *v)
{
    bool any = false;
    size_t first = f->chains.size, end = f->chains.size;
    struct chain c;
    for (; first > 0; first -= sizeof c) {
        memcpy(&c, f->chains.data + first - sizeof c, sizeof c);
        if (c.below <= v->number)
            break;
    }
    sdb_buf_clear(&f->results); /* scratch as yet */
    sdb_buf_append(&f->results, f->chains.data + first, end - first);
    f->chains.size = first;
    for (size_t at = 0; at < f->results.size; at += sizeof c) {
        memcpy(&c, f->results.data + at, sizeof c);
        if (c.cover > v->number)
            continue; /* a range deletes v, and all that is older */
        any = true;
        if (v->kind == SDB_KIND_MERGE)
            note_chain(f, (struct chain){v->from, c.cover});
    }
    return any;
}

/* The greatest range over the key that the readers of a version see.  They see no
 * greater one than it, or it would not be theirs; so the ranges that stay tell,
 * although those between two readers are flat. */
static uint64_t cover_of(const struct sdb_fold *f, const struct sdb_record *r)
{
    return f->ranges == NULL ? 0 : sdb_ranges_cover(f->ranges, r->key, r->number, NULL);
}

/* Append the version that the iterator stands on. */
static int copy_version(struct sdb_fold *f, struct walk *w, const struct sdb_iter *it,
                        seerdb_err *err)
{
    struct version v = {
        .number = it->at.number, .kind = it->at.kind, .at = f->bytes.size};
    struct sdb_operands o;
    int rc;
    if (v.kind != SDB_KIND_MERGE && (rc = check_kind(v.kind, err)) != 0)
        return rc;
    if (v.kind == SDB_KIND_MERGE) {
        if (!sdb_operands_are_valid(it->at.value, v.number))
            return sdb_fail(err, SEERDB_CORRUPT,
                            "the merge operands of commit %" PRIu64 " are malformed",
                            v.number);
        (void)sdb_operands_open(&o, it->at.value);
        v.from = o.from != 0 ? o.from : v.number;
    }
    v.stays = stays(f, w, &it->at);
    v.newer = w->newer;
    v.held_by = f->held_by;
    w->newer = v.number;
    v.needed = take_chains(f, &v) || v.stays;
    if (v.stays && v.kind == SDB_KIND_MERGE) {
        v.cover = cover_of(f, &it->at);
        note_chain(f, (struct chain){v.from, v.cover});
    }
    if (v.needed && (v.size = it->at.value.size) > 0)
        sdb_buf_append_slice(&f->bytes, it->at.value);
    sdb_buf_append(&f->versions, &v, sizeof v);
    if ((rc = sdb_buf_check(&f->bytes, err)) == 0 &&
        (rc = sdb_buf_check(&f->versions, err)) == 0 &&
        (rc = sdb_buf_check(&f->results, err)) == 0)
        rc = sdb_buf_check(&f->chains, err);
    return rc;
}

/* Copy the versions from the one that the iterator stands on down to the last that
 * anything that stays is made of. */
static int copy_versions(struct sdb_fold *f, struct walk *w, struct sdb_iter *it,
                         seerdb_err *err)
{
    int rc;
    sdb_buf_clear(&f->versions);
    sdb_buf_clear(&f->bytes);
    sdb_buf_clear(&f->chains);
    while ((rc = copy_version(f, w, it, err)) == 0) {
        bool done = w->unserved == 0 && !w->newest_stays && f->chains.size == 0;
        if (done && !f->note_floor)
            return 0;
        uint64_t number = it->at.number;
        if ((rc = it->ops->older(it, err)) != 0)
            break;
        if (done) { /* whatever follows is dropped */
            raise_floor(f, number);
            return 0;
        }
    }
    return rc == SEERDB_NOTFOUND ? 0 : rc;
}

/* ---- what becomes of them ---------------------------------------------------------
 */

static seerdb_slice value_of(const struct sdb_fold *f, const struct version *v)
{
    return (seerdb_slice){v->size > 0 ? f->bytes.data + v->at : NULL, v->size};
}

/* Where a chain goes on behind version i; the number of versions: nowhere. */
static size_t next_in_chain(const struct sdb_fold *f, size_t i)
{
    uint64_t from = versions(f)[i].from;
    size_t n = count_versions(f);
    do
        i++;
    while (i < n && versions(f)[i].number >= from);
    return i;
}

/* Note what becomes of v. */
static int take_result(struct sdb_fold *f, struct version *v, enum sdb_kind kind,
                       seerdb_slice result, seerdb_err *err)
{
    v->becomes = kind;
    v->new_at = f->results.size;
    v->new_size = result.size;
    if (result.size > 0)
        sdb_buf_append_slice(&f->results, result);
    return sdb_buf_check(&f->results, err);
}

/* Make a list of what was gathered for v.  NOTFOUND: it would be too long. */
static int make_list(struct sdb_fold *f, seerdb_slice key, struct version *v,
                     uint64_t from, seerdb_err *err)
{
    seerdb_slice list;
    struct sdb_operands o;
    int rc = sdb_merging_list(&f->merging, f->merge, key, from, &list, err);
    if (rc != 0)
        return rc;
    if (list.size > SDB_MERGE_BYTES_MAX || !sdb_operands_open(&o, list) ||
        o.count > SDB_MERGE_LIST_MAX)
        return SEERDB_NOTFOUND;
    return take_result(f, v, SDB_KIND_MERGE, list, err);
}

/* Make a value of what was gathered for v.  NOTFOUND: the operator fails. */
static int make_value(struct sdb_fold *f, seerdb_slice key, struct version *v,
                      const seerdb_slice *base, seerdb_err *err)
{
    seerdb_slice value = {0};
    seerdb_err why = {0};
    int rc = sdb_merging_full(&f->merging, f->merge, key, base, &value, &why);
    if (rc == SEERDB_NOTFOUND)
        return take_result(f, v, SDB_KIND_TOMBSTONE, (seerdb_slice){0}, err);
    if (rc == SEERDB_NOMEM)
        return sdb_fail_as(err, &why);
    return rc != 0 ? SEERDB_NOTFOUND : take_result(f, v, SDB_KIND_VALUE, value, err);
}

/* Gather the chain of version i.  *end is what it starts from; the number of versions:
 * nothing, or, *cut, nothing that a range has left. */
static int gather(struct sdb_fold *f, size_t i, size_t *end, uint64_t *from, bool *cut,
                  seerdb_err *err)
{
    const struct version *all = versions(f);
    size_t n = count_versions(f), at = i;
    int rc;
    sdb_merging_begin(&f->merging);
    *cut = false;
    do {
        struct sdb_record r = {.number = all[at].number,
                               .kind = SDB_KIND_MERGE,
                               .value = value_of(f, &all[at])};
        if ((rc = sdb_merging_add(&f->merging, &r, err)) != 0)
            return rc;
        *from = all[at].from;
        at = next_in_chain(f, at);
        *cut = at < n && all[at].number < all[i].cover;
        at = *cut ? n : at;
    } while (at < n && all[at].kind == SDB_KIND_MERGE);
    *end = at;
    return 0;
}

/* Find out what becomes of version i, a merge record that stays.  NOTFOUND: nobody
 * knows. */
static int resolve(struct sdb_fold *f, seerdb_slice key, size_t i, seerdb_err *err)
{
    struct version *all = versions(f);
    size_t n = count_versions(f), next = next_in_chain(f, i), end;
    bool whole = next == n || (all[next].stays && all[next].number >= all[i].cover);
    bool cut;
    uint64_t from;
    if (i > 0 && whole)
        return 0;
    int rc = gather(f, i, &end, &from, &cut, err);
    if (rc != 0)
        return rc;
    if (end == n && !cut && !f->bottom)
        return whole ? 0 : make_list(f, key, &all[i], from, err);
    if (end == n || all[end].kind == SDB_KIND_TOMBSTONE)
        return make_value(f, key, &all[i], NULL, err);
    struct sdb_record r = {key, all[end].number, all[end].kind, value_of(f, &all[end])};
    seerdb_value whole_value = {.bytes = r.value};
    seerdb_err why = {0};
    if (r.kind == SDB_KIND_SEGMENTS) {
        rc = f->resolve == NULL ? SEERDB_NOTFOUND
                                : f->resolve(f->resolve_ctx, &r, &whole_value, &why);
        if (rc != 0)
            return rc == SEERDB_NOMEM ? sdb_fail_as(err, &why) : SEERDB_NOTFOUND;
    }
    rc = make_value(f, key, &all[i], &whole_value.bytes, err);
    if (whole_value.pin != NULL)
        seerdb_pin_unref(whole_value.pin);
    return rc;
}

/* Find out what becomes of all of them.  NOTFOUND: leave them as they are. */
static int resolve_all(struct sdb_fold *f, seerdb_slice key, seerdb_err *err)
{
    int rc = f->merge == NULL ? SEERDB_NOTFOUND : 0;
    sdb_buf_clear(&f->results);
    for (size_t i = 0; i < count_versions(f) && rc == 0; i++)
        if (versions(f)[i].stays && versions(f)[i].kind == SDB_KIND_MERGE)
            rc = resolve(f, key, i, err);
    return rc;
}

/* The iterator stands on a merge record that stays. */
static int fold_merges(struct sdb_fold *f, struct walk *w, struct sdb_iter *it,
                       seerdb_err *err)
{
    int rc = copy_versions(f, w, it, err);
    if (rc != 0)
        return rc;
    seerdb_slice key = it->at.key;
    rc = resolve_all(f, key, err);
    if (rc < 0)
        return rc;
    bool leave_all = f->left = rc == SEERDB_NOTFOUND;
    for (size_t i = 0; i < count_versions(f); i++) {
        const struct version *v = &versions(f)[i];
        struct sdb_record r = {key, v->number, v->kind, value_of(f, v)};
        if (!v->stays && !(leave_all && v->needed)) {
            raise_floor(f, v->newer);
            continue;
        }
        f->held_by = v->held_by;
        if (!leave_all && v->becomes != 0) {
            r.kind = v->becomes;
            r.value = (seerdb_slice){f->results.data + v->new_at, v->new_size};
        }
        if ((rc = put(f, w, &r)) != 0)
            return rc;
    }
    return 0;
}

static SDB_NOINLINE bool would_stay(struct sdb_fold *f, const struct walk *w,
                                    const struct sdb_record *r)
{
    struct walk ahead = *w;
    return stays(f, &ahead, r);
}

static int fold_versions(struct sdb_fold *f, struct sdb_iter *it,
                         int (*emit)(void *ctx, const struct sdb_record *r), void *ctx,
                         seerdb_err *err)
{
    struct walk w = {.emit = emit,
                     .ctx = ctx,
                     .unserved = f->nsnapshots,
                     .newest_stays = f->present,
                     .at_present = f->present,
                     .tombstone = {.kind = SDB_KIND_TOMBSTONE}};
    f->left = false;
    for (;;) {
        bool merges = SDB_RARELY(it->at.kind == SDB_KIND_MERGE);
        int rc = merges ? 0 : check_kind(it->at.kind, err);
        if (rc != 0)
            return rc;
        if (merges && would_stay(f, &w, &it->at))
            return fold_merges(f, &w, it, err);
        bool stay = stays(f, &w, &it->at);
        if (!stay)
            raise_floor(f, w.newer);
        w.newer = it->at.number;
        if (stay && (rc = put(f, &w, &it->at)) != 0)
            return rc;
        bool done = w.unserved == 0 && !w.newest_stays;
        if (done && !f->note_floor)
            return 0;
        rc = it->ops->older(it, err);
        if (rc != 0)
            return rc == SEERDB_NOTFOUND ? 0 : rc;
        if (done) { /* whatever follows is dropped */
            raise_floor(f, w.newer);
            return 0;
        }
    }
}

/* ---- the filter ---------------------------------------------------------------------
 */

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

/* The oldest snapshot that may see the newest version, which has this number; 0: none.
 */
static uint64_t snapshot_of(const struct sdb_fold *f, uint64_t number)
{
    uint64_t oldest = 0;
    for (size_t i = f->nsnapshots; i > 0 && f->snapshots[i - 1] >= number; i--)
        oldest = f->snapshots[i - 1];
    return oldest;
}

/* What the filter says of a record.  One whose value cannot be read stays: who reads it
 * is told. */
static int ask(struct sdb_fold *f, const struct sdb_record *r)
{
    seerdb_value whole = {.bytes = r->value};
    int rc = sdb_sieve_ask_record(f->sieve, r, f->now_us, &f->changed, NULL);
    if (rc != SEERDB_WHOLE)
        return rc;
    if ((rc = f->resolve(f->resolve_ctx, r, &whole, NULL)) != 0)
        return rc < 0 ? rc : SEERDB_KEEP;
    rc = sdb_sieve_ask(f->sieve, &(seerdb_row){.key = r->key, .value = whole.bytes},
                       f->now_us, &f->changed, NULL);
    seerdb_pin_unref(whole.pin);
    return rc;
}

static int sift_newest(struct sifted *s, const struct sdb_record *r)
{
    struct sdb_fold *f = s->f;
    struct sdb_record changed = *r;
    bool has_value = r->kind == SDB_KIND_VALUE ||
                     (r->kind == SDB_KIND_SEGMENTS && f->resolve != NULL);
    if (!has_value)
        return s->emit(s->ctx, r);
    uint64_t snapshot = snapshot_of(f, r->number);
    if (snapshot != 0) {
        if (f->held_by == 0 && ask(f, r) == SEERDB_REMOVE)
            f->held_by = snapshot; /* the present sees it no more */
        return s->emit(s->ctx, r);
    }
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
    bool sifted = f->sieve != NULL;
    return fold_versions(f, it, sifted ? sift : emit, sifted ? &s : ctx, err);
}

void sdb_fold_fini(struct sdb_fold *f)
{
    sdb_filter_out_fini(&f->changed);
    sdb_merging_fini(&f->merging);
    sdb_buf_fini(&f->versions);
    sdb_buf_fini(&f->bytes);
    sdb_buf_fini(&f->chains);
    sdb_buf_fini(&f->results);
}
