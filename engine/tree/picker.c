/* SPDX-License-Identifier: Apache-2.0
 *
 * The sizes of levels are counted from the bottom, whose size is that of the data: a
 * level above it exists only if its share, a `ratio`th of the level below, is more than
 * one batch of level 0.  So nearly all the data is at the bottom, whatever its size,
 * and a small tree has no levels between: level 0 goes into the bottom directly.  With
 * several runs per level the number of levels follows from the bottom's size, too;
 * each passes all its runs down at once when it has as many as it may.
 *
 * Level 0 is passed down whole, with what it overlaps there, unless that is much more
 * than level 0 itself: many small flushes would rewrite a large tree again and again.
 * Those are merged with each other first, runs of similar size together, so that a byte
 * is written once per doubling.
 *
 * Every pick makes the version better by the measure that asked for it -- fewer runs, a
 * smaller level, fewer tombstones -- and none makes another measure worse without
 * bringing data nearer to the bottom: picks come to an end. */
#include "tree/picker.h"

#include "base/mem.h"

#include <assert.h>

/* Merging level 0 with itself instead of passing it down must keep this many runs at
 * the most. */
#define L0_RUNS_MAX 8u
/* A table overlapping more than so many times its size in the level after next is not
 * moved there: it would be expensive to move on. */
#define OVERLAP_MAX 10u
/* Tables of which so many records in a hundred are tombstones are compacted for that
 * alone; of small ones it does not matter. */
#define DENSE_PERCENT 50u
#define DENSE_LEAST   128u
/* The same of tombstones and superseded records where nothing lies below: those are
 * there for readers that began before, and for some seconds only. */
#define STALE_PERCENT 20u
/* Tables of which enough has expired wait until all of it has, and they go unread, as
 * long as they are at most such a part of the tree together, and the time between is so
 * many times as long, at most, as until enough had. */
#define WAITING_PART 4u
#define WAITING_LONG 8u
/* Level 0 goes down for the sake of range tombstones alone, which every read has to
 * look at, while that rewrites at most so many tables. */
#define RANGES_WORTH 4u

/* Keys from lo to hi. */
struct span {
    seerdb_slice lo, hi;
    bool open; /* hi itself is not among them */
};

struct choice {
    const struct sdb_version *v;
    const struct sdb_policy *p;
    struct sdb_level levels[SDB_LEVELS];
    bool *taken;      /* owned; of v->nmembers: the inputs */
    size_t n;         /* so many */
    struct span span; /* in which the inputs lie, once there are any */
    uint32_t nruns0;  /* runs of level 0 */
    uint32_t first0;  /* the newest of them that may go down: all after it may too */
    bool waits;       /* for tables to expire whole */
};

static uint32_t level_of(const struct sdb_run *run)
{
    return run->level < SDB_BOTTOM ? run->level : SDB_BOTTOM;
}

static seerdb_slice smallest(const struct sdb_version *v, uint32_t i)
{
    return sdb_buf_slice(&v->members[i]->desc.smallest);
}

static struct span span_of(const struct sdb_version *v, uint32_t i)
{
    return (struct span){smallest(v, i), sdb_buf_slice(&v->members[i]->desc.largest),
                         v->members[i]->desc.open_end};
}

/* Does all of table i come after the span? */
static bool is_after(const struct sdb_version *v, uint32_t i, const struct span *s)
{
    int order = sdb_slice_cmp(smallest(v, i), s->hi);
    return order > 0 || (order == 0 && s->open);
}

/* ---- levels ----------------------------------------------------------------- */

/* How many runs the level may have. */
static uint32_t runs_allowed(const struct sdb_policy *p, uint32_t level)
{
    switch (p->kind) {
    case SEERDB_LAZY:
        return level < SDB_BOTTOM ? p->runs : 1;
    case SEERDB_TIERED:
        return p->runs;
    default:
        return 1;
    }
}

/* The level that level 0 is passed down to: by the bottom's size, but never below data
 * that lies higher. */
static uint32_t base_level(const struct sdb_policy *p, const struct sdb_level *levels)
{
    uint64_t bottom = levels[SDB_BOTTOM].bytes;
    uint32_t base = SDB_BOTTOM;
    if (p->kind == SEERDB_TIERED)
        return 1;
    unsigned ratio = p->kind == SEERDB_LAZY ? p->runs : p->ratio;
    for (uint64_t share = bottom / ratio; share > p->batch_size && base > 1;
         share /= ratio)
        base--;
    for (uint32_t i = 1; i < base; i++)
        if (levels[i].tables > 0)
            base = i;
    return base;
}

static void score_level(const struct sdb_policy *p, struct sdb_level *levels,
                        uint32_t i)
{
    struct sdb_level *l = &levels[i];
    uint32_t allowed = runs_allowed(p, i);
    if (i == 0) {
        l->score = (double)l->runs / p->trigger;
    } else if (allowed > 1) { /* it is passed down when it is full */
        l->score = (double)l->runs / allowed;
    } else if (l->runs > 1) {
        l->score = l->runs;
    } else if (i < SDB_BOTTOM) {
        l->target = levels[SDB_BOTTOM].bytes;
        for (uint32_t k = i; k < SDB_BOTTOM; k++)
            l->target /= p->ratio;
        if (l->target < p->batch_size)
            l->target = p->batch_size;
        l->score = (double)l->bytes / (double)l->target;
    }
}

void sdb_picker_levels(const struct sdb_version *v, const struct sdb_policy *p,
                       struct sdb_level *levels)
{
    memset(levels, 0, SDB_LEVELS * sizeof *levels);
    for (uint32_t i = 0; i < v->nruns; i++) {
        const struct sdb_run *run = &v->runs[i];
        struct sdb_level *l = &levels[level_of(run)];
        l->runs++;
        l->tables += run->n;
        l->bytes += run->bytes;
        l->records += run->records;
        l->tombstones += run->tombstones;
        l->ranges += run->ranges;
    }
    for (uint32_t i = 0; i < SDB_LEVELS; i++)
        score_level(p, levels, i);
}

/* ---- sets of inputs ------------------------------------------------------------ */

static void take_none(struct choice *c)
{
    memset(c->taken, 0, c->v->nmembers * sizeof c->taken[0]);
    c->n = 0;
}

static void take(struct choice *c, uint32_t place)
{
    struct span s = span_of(c->v, place);
    if (c->taken[place])
        return;
    int order = c->n == 0 ? 1 : sdb_slice_cmp(s.hi, c->span.hi);
    if (c->n == 0 || sdb_slice_cmp(s.lo, c->span.lo) < 0)
        c->span.lo = s.lo;
    if (order > 0)
        c->span.hi = s.hi;
    c->span.open = order > 0    ? s.open
                   : order == 0 ? c->span.open && s.open
                                : c->span.open;
    c->taken[place] = true;
    c->n++;
}

static void take_run(struct choice *c, uint32_t run)
{
    const struct sdb_run *r = &c->v->runs[run];
    for (uint32_t i = 0; i < r->n; i++)
        take(c, r->first + i);
}

static void take_level(struct choice *c, uint32_t level)
{
    for (uint32_t i = 0; i < c->v->nruns; i++)
        if (level_of(&c->v->runs[i]) == level)
            take_run(c, i);
}

/* Bytes of the run's tables in the span. */
static uint64_t overlap(const struct sdb_version *v, const struct sdb_run *run,
                        const struct span *s)
{
    uint64_t bytes = 0;
    uint32_t i = sdb_run_seek(v, run, s->lo);
    for (; i < run->first + run->n && !is_after(v, i, s); i++)
        bytes += v->members[i]->desc.size;
    return bytes;
}

static uint64_t level_overlap(const struct sdb_version *v, uint32_t level,
                              const struct span *s)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < v->nruns; i++)
        if (level_of(&v->runs[i]) == level)
            bytes += overlap(v, &v->runs[i], s);
    return bytes;
}

/* Is table i, below level 0, deleted by ranges of one of the inputs there? */
static bool is_deleted(const struct choice *c, uint32_t i)
{
    const struct sdb_version *v = c->v;
    uint32_t end0 = c->nruns0 < v->nruns ? v->runs[c->nruns0].first : v->nmembers;
    uint64_t ceiling = c->p->droppable - 1;
    if (c->p->nsnapshots > 0 && c->p->snapshots[0] < ceiling)
        ceiling = c->p->snapshots[0];
    for (uint32_t k = 0; k < end0 && c->p->droppable > 0; k++) {
        struct sdb_ranges_source s = sdb_member_ranges(v->members[k], ceiling);
        if (c->taken[k] && s.ranges != NULL &&
            sdb_table_desc_deleted(&v->members[i]->desc, &s))
            return true;
    }
    return false;
}

/* Bytes of the level that a merge with the inputs, of level 0, has to read: tables that
 * their ranges delete go without that. */
static uint64_t level_cost(const struct choice *c, uint32_t level)
{
    const struct sdb_version *v = c->v;
    uint64_t bytes = 0;
    if (v->ranges == 0)
        return level_overlap(v, level, &c->span);
    for (uint32_t r = 0; r < v->nruns; r++) {
        const struct sdb_run *run = &v->runs[r];
        if (level_of(run) != level)
            continue;
        for (uint32_t i = sdb_run_seek(v, run, c->span.lo);
             i < run->first + run->n && !is_after(v, i, &c->span); i++)
            bytes += is_deleted(c, i) ? 0 : v->members[i]->desc.size;
    }
    return bytes;
}

/* The first run of the level, or nruns. */
static uint32_t run_of_level(const struct sdb_version *v, uint32_t level)
{
    uint32_t i = 0;
    while (i < v->nruns && level_of(&v->runs[i]) != level)
        i++;
    return i;
}

/* Take the tables of the run that overlap the inputs, and small neighbours, which would
 * stay small for ever where keys only rise. */
static void take_overlap(struct choice *c, uint32_t run)
{
    const struct sdb_version *v = c->v;
    const struct sdb_run *r = &v->runs[run];
    struct span s = c->span;
    uint32_t end = r->first + r->n, i = sdb_run_seek(v, r, s.lo);
    if (i > r->first && v->members[i - 1]->desc.size < c->p->table_size / 2)
        take(c, i - 1);
    for (; i < end && !is_after(v, i, &s); i++)
        take(c, i);
    if (i < end && v->members[i]->desc.size < c->p->table_size / 2)
        take(c, i);
}

/* ---- what a pick says ------------------------------------------------------------ */

/* Does a table that is no input, and older than one, overlap the inputs? */
static bool something_below(const struct choice *c)
{
    const struct sdb_version *v = c->v;
    uint32_t newest = 0;
    while (!c->taken[newest])
        newest++;
    for (uint32_t i = 0; i < v->nruns; i++) {
        const struct sdb_run *run = &v->runs[i];
        uint32_t at = sdb_run_seek(v, run, c->span.lo), end = run->first + run->n;
        if (run->first <= newest) /* what that one has in between is newer */
            continue;
        for (; at < end && !is_after(v, at, &c->span); at++)
            if (!c->taken[at])
                return true;
    }
    return false;
}

/* The inputs go to `level`; run 0: a new run there. */
static void decide(struct choice *c, enum sdb_pick_kind kind, uint32_t level,
                   uint64_t run, const char *reason, struct sdb_pick *out)
{
    const struct sdb_version *v = c->v;
    assert(c->n > 0);
    out->kind = kind;
    out->reason = reason;
    out->output_level = level;
    out->output_run = run != 0 ? run : sdb_version_next_run(v);
    out->last = !something_below(c);
    out->n = 0;
    for (uint32_t i = 0; i < v->nmembers; i++)
        if (c->taken[i]) {
            out->inputs[out->n++] = i;
            out->bytes += v->members[i]->desc.size;
        }
    assert(out->n == c->n);
    out->level = v->members[out->inputs[0]]->desc.level;
    out->cut_run = 0;
    while (out->cut_run < v->nruns && level_of(&v->runs[out->cut_run]) <= level)
        out->cut_run++;
}

/* The inputs, of one run, overlap nothing on their way down to level `least` at the
 * least: move them as far as they may go.  False if they may not. */
static bool move_down(struct choice *c, uint32_t least, const char *reason,
                      struct sdb_pick *out)
{
    const struct sdb_version *v = c->v;
    uint64_t bytes = 0;
    uint32_t to = 0;
    while (!c->taken[to])
        to++;
    to = v->members[to]->desc.level;
    for (uint32_t i = 0; i < v->nmembers; i++)
        bytes += c->taken[i] ? v->members[i]->desc.size : 0;
    while (to < SDB_BOTTOM && level_overlap(v, to + 1, &c->span) == 0)
        to++;
    if (to == SDB_BOTTOM && c->p->pack_bottom)
        return false;
    if (to < least || bytes < c->p->table_size / 4)
        return false;
    if (to < SDB_BOTTOM && level_overlap(v, to + 1, &c->span) >
                               OVERLAP_MAX * c->p->table_size + OVERLAP_MAX * bytes)
        return false;
    uint32_t run = run_of_level(v, to);
    decide(c, SDB_PICK_MOVE, to, run < v->nruns ? v->runs[run].id : 0, reason, out);
    return true;
}

/* Pass the inputs, which are of higher levels, to `level`. */
static void pass_down(struct choice *c, uint32_t level, const char *reason,
                      struct sdb_pick *out)
{
    uint32_t run = run_of_level(c->v, level);
    uint64_t id = 0;
    if (run < c->v->nruns && runs_allowed(c->p, level) == 1) {
        for (uint32_t i = run + 1; i < c->v->nruns; i++)
            if (level_of(&c->v->runs[i]) == level) { /* of two runs make one first */
                take_none(c);
                take_level(c, level);
                decide(c, SDB_PICK_MERGE, level, 0, "runs", out);
                return;
            }
        take_overlap(c, run);
        id = c->v->runs[run].id;
    }
    decide(c, SDB_PICK_MERGE, level, id, reason, out);
}

/* ---- level 0 --------------------------------------------------------------------- */

/* Has it range tombstones that all delete for good?  Below younger ones everything has
 * to stay, and it is not long until they are older. */
static bool has_ranges(const struct sdb_policy *p, const struct sdb_member *m)
{
    return m->desc.ranges > 0 && sdb_member_newest_range(m) < p->droppable;
}

static bool are_many(uint64_t tombstones, uint64_t records)
{
    return tombstones >= DENSE_LEAST && tombstones * 100 >= records * DENSE_PERCENT;
}

static bool is_dense(const struct sdb_policy *p, const struct sdb_member *m)
{
    return has_ranges(p, m) || are_many(m->desc.tombstones, m->desc.records);
}

/* What of a table was kept for snapshots. */
struct holding {
    uint64_t stale, ranges; /* for those that are still there */
    uint64_t free;          /* records for the others */
};

/* What is kept for snapshots that are still there, and the history, are all that a
 * compaction leaves where nothing lies below: without this it would be made again and
 * again. */
static struct holding count_held(const struct sdb_policy *p, const struct sdb_member *m)
{
    struct holding sum = {0};
    size_t s = 0;
    for (size_t i = 0; i < m->desc.nheld; i++) {
        const struct sdb_held *h = &m->desc.held[i];
        while (s < p->nsnapshots && p->snapshots[s] < h->number)
            s++;
        if (s < p->nsnapshots && p->snapshots[s] == h->number) {
            sum.stale += h->stale;
            sum.ranges += h->ranges;
        } else {
            sum.free += h->records;
        }
    }
    return sum;
}

/* Has it ranges that all are old, where nothing lies below it, and not all of them for
 * the sake of snapshots, to hide what they see from the others? */
static bool has_useless_ranges(const struct sdb_policy *p, const struct sdb_member *m)
{
    return has_ranges(p, m) && count_held(p, m).ranges < m->desc.ranges;
}

static bool is_stale(const struct sdb_policy *p, const struct sdb_member *m)
{
    struct holding held = count_held(p, m);
    uint64_t stale = m->desc.tombstones + m->desc.superseded;
    stale = stale > held.stale ? stale - held.stale : 0;
    if (m->desc.ranges > 0 && m->desc.records == 1)
        stale = 0; /* a table has a record, if only a tombstone for the ranges' sake */
    stale = held.free > stale ? held.free : stale;
    return p->full
               ? stale > 0
               : stale >= DENSE_LEAST && stale * 100 >= m->desc.records * STALE_PERCENT;
}

/* May table i, of the run, wait until all of it has expired?  Then all that it hides
 * must have, too. */
static bool may_wait(const struct choice *c, uint32_t run, uint32_t i)
{
    const struct sdb_version *v = c->v;
    const struct sdb_table_desc *d = &v->members[i]->desc;
    struct span s = span_of(v, i);
    if (d->last_expiry <= c->p->now_us ||
        (d->last_expiry - d->first_expiry) / WAITING_LONG >
            d->expiry_due - d->first_expiry)
        return false;
    for (uint32_t r = run + 1; r < v->nruns; r++) {
        uint32_t end = v->runs[r].first + v->runs[r].n;
        for (uint32_t k = sdb_run_seek(v, &v->runs[r], s.lo);
             k < end && !is_after(v, k, &s); k++) {
            uint64_t last = v->members[k]->desc.last_expiry;
            if (last == 0 || last > d->last_expiry)
                return false;
        }
    }
    return true;
}

/* Have enough rows of table i, of the run, expired, so that it should not wait until
 * all have?  Asked for: any. */
static bool is_expired(const struct choice *c, uint32_t run, uint32_t i)
{
    const struct sdb_policy *p = c->p;
    const struct sdb_table_desc *d = &c->v->members[i]->desc;
    return d->first_expiry != 0 && p->now_us != 0 &&
           (p->full ? d->first_expiry : d->expiry_due) <= p->now_us &&
           !(c->waits && may_wait(c, run, i));
}

/* Are those that may wait few enough? */
static void look_at_waiting(struct choice *c)
{
    const struct sdb_version *v = c->v;
    uint64_t bytes = 0;
    if (!c->p->drops_expired || c->p->now_us == 0 || c->p->full)
        return;
    for (uint32_t r = 0; r < v->nruns; r++)
        for (uint32_t i = v->runs[r].first; i < v->runs[r].first + v->runs[r].n; i++)
            if (is_expired(c, r, i) && may_wait(c, r, i))
                bytes += v->members[i]->desc.size;
    c->waits = bytes <= v->bytes / WAITING_PART;
}

/* Is all that is in the table gone for whoever looks from now on?  What is older, and
 * still in memory, would come to light without it. */
static bool is_gone(const struct sdb_policy *p, const struct sdb_member *m)
{
    const struct sdb_table_desc *d = &m->desc;
    return d->last_expiry != 0 && d->last_expiry <= p->now_us && d->ranges == 0 &&
           d->max_number <= p->flushed && d->commit <= p->flushed &&
           (p->nsnapshots == 0 || p->snapshots[p->nsnapshots - 1] < d->min_number);
}

/* Does something older overlap table i, of the run, that is not among the inputs? */
static bool hides_something(const struct choice *c, uint32_t run, uint32_t i)
{
    const struct sdb_version *v = c->v;
    struct span s = span_of(v, i);
    for (uint32_t r = run + 1; r < v->nruns; r++) {
        uint32_t end = v->runs[r].first + v->runs[r].n;
        for (uint32_t k = sdb_run_seek(v, &v->runs[r], s.lo);
             k < end && !is_after(v, k, &s); k++)
            if (!c->taken[k])
                return true;
    }
    return false;
}

/* Tables that have expired whole, and have nothing below them that stays.  Of two that
 * overlap the older one has to go, too: there may be versions in it that were to expire
 * later than those above them. */
static bool pick_gone(struct choice *c, struct sdb_pick *out)
{
    const struct sdb_version *v = c->v;
    if (!c->p->drops_expired || c->p->now_us == 0)
        return false;
    take_none(c);
    for (uint32_t r = v->nruns; r > c->first0; r--) {
        const struct sdb_run *run = &v->runs[r - 1];
        for (uint32_t i = run->first; i < run->first + run->n; i++)
            if (is_gone(c->p, v->members[i]) && !hides_something(c, r - 1, i))
                take(c, i);
    }
    if (c->n > 0)
        decide(c, SDB_PICK_DROP, SDB_BOTTOM, 0, "expired rows", out);
    return c->n > 0;
}

static uint64_t earlier(uint64_t due, uint64_t time, uint64_t now)
{
    return time > now && time != UINT64_MAX && (due == 0 || time < due) ? time : due;
}

/* When that will be of the first table; 0: never. */
static uint64_t next_due(const struct sdb_version *v, const struct sdb_policy *p)
{
    uint64_t due = 0;
    for (uint32_t i = 0; i < v->nmembers && p->now_us != 0; i++) {
        const struct sdb_table_desc *d = &v->members[i]->desc;
        if (d->first_expiry != 0)
            due = earlier(due, d->expiry_due, p->now_us);
        if (p->drops_expired)
            due = earlier(due, d->last_expiry, p->now_us);
    }
    return due;
}

/* Merge runs of level 0 with each other: the newest ones, as long as the next is not
 * much larger than those before it together.  False if that is not worth it. */
static bool merge_level0(struct choice *c, struct sdb_pick *out)
{
    const struct sdb_version *v = c->v;
    uint64_t sum = v->runs[c->first0].bytes;
    uint32_t end = c->first0 + 1;
    bool too_many = c->nruns0 - c->first0 > L0_RUNS_MAX;
    while (end < c->nruns0 && (too_many || v->runs[end].bytes <= 2 * sum))
        sum += v->runs[end++].bytes;
    if (end - c->first0 < 2)
        return false;
    take_none(c);
    for (uint32_t i = c->first0; i < end; i++)
        take_run(c, i);
    decide(c, SDB_PICK_MERGE, 0, v->runs[c->first0].id, "small runs", out);
    return true;
}

static bool pick_level0(struct choice *c, struct sdb_pick *out)
{
    const struct sdb_version *v = c->v;
    uint32_t base = base_level(c->p, c->levels), n = c->nruns0 - c->first0;
    bool dense = false, ranges = false, expired = false;
    uint64_t bytes = 0;
    for (uint32_t i = c->first0; i < c->nruns0; i++)
        for (uint32_t k = v->runs[i].first; k < v->runs[i].first + v->runs[i].n; k++) {
            dense = dense || is_dense(c->p, v->members[k]);
            expired = expired || is_expired(c, i, k);
            ranges = ranges || has_ranges(c->p, v->members[k]);
            out->later = out->later || (v->members[k]->desc.ranges > 0 &&
                                        !has_ranges(c->p, v->members[k]));
        }
    if (n == 0 || (n < c->p->trigger && !c->p->full && !dense && !expired))
        return false;
    const char *reason = c->p->full           ? "asked for"
                         : n >= c->p->trigger ? "level 0"
                         : dense              ? "tombstones"
                                              : "expired rows";
    take_none(c);
    take_run(c, c->nruns0 - 1);
    if (move_down(c, base, reason, out))
        return true;
    take_none(c);
    for (uint32_t i = c->first0; i < c->nruns0; i++) {
        take_run(c, i);
        bytes += v->runs[i].bytes;
    }
    bool joins = runs_allowed(c->p, base) == 1;
    uint64_t cost = level_cost(c, base);
    if (joins && !c->p->full && bytes < c->p->batch_size / 2 &&
        cost / c->p->ratio > bytes &&
        (!ranges || cost > RANGES_WORTH * c->p->table_size))
        return n >= c->p->trigger && merge_level0(c, out);
    pass_down(c, base, reason, out);
    return true;
}

/* ---- the other levels --------------------------------------------------------------
 */

/* Pass on the table of the level, which has one run, that costs least for its size. */
static void pick_table(struct choice *c, uint32_t level, const char *reason,
                       struct sdb_pick *out)
{
    const struct sdb_version *v = c->v;
    const struct sdb_run *run = &v->runs[run_of_level(v, level)];
    uint32_t best = run->first;
    double least = 0;
    for (uint32_t i = run->first; i < run->first + run->n; i++) {
        struct span s = span_of(v, i);
        uint64_t below = level_overlap(v, level + 1, &s);
        double cost = (double)below / (double)(v->members[i]->desc.size + 1);
        if (i == run->first || cost < least) {
            best = i;
            least = cost;
        }
    }
    take_none(c);
    take(c, best);
    if (!move_down(c, level + 1, reason, out))
        pass_down(c, level + 1, reason, out);
}

/* The level has more runs, or more bytes, than it may. */
static void pick_level(struct choice *c, uint32_t level, const char *reason,
                       struct sdb_pick *out)
{
    if (c->levels[level].runs == 1 && runs_allowed(c->p, level) == 1) {
        pick_table(c, level, reason, out);
        return;
    }
    take_none(c);
    take_level(c, level);
    if (level == SDB_BOTTOM || runs_allowed(c->p, level) == 1)
        decide(c, SDB_PICK_MERGE, level, 0, "runs", out);
    else
        pass_down(c, level + 1, reason, out);
}

/* Is there a reason to write table i again, or to pass it down, but for its size? Where
 * its level has several runs it is written again where it is, with tombstones for what
 * has expired: it goes down with the others of the level. */
static bool pick_for_content(struct choice *c, uint32_t run, uint32_t i,
                             struct sdb_pick *out)
{
    const struct sdb_run *r = &c->v->runs[run];
    const struct sdb_member *m = c->v->members[i];
    uint32_t level = level_of(r);
    bool dense = is_dense(c->p, m), stale = is_stale(c->p, m),
         expired = is_expired(c, run, i), several = c->levels[level].runs > 1;
    if (!dense && !stale && !expired && m->desc.ranges == 0)
        return false;
    take_none(c);
    take(c, i);
    bool below = something_below(c), young = m->desc.max_number >= c->p->droppable;
    if (below && several && !expired)
        return false;
    if (below && !several && (dense || expired))
        pass_down(c, level + 1, dense ? "tombstones" : "expired rows", out);
    else if (expired)
        decide(c, SDB_PICK_MERGE, level, r->id, "expired rows", out);
    else if (!below && ((stale && !young) || has_useless_ranges(c->p, m)))
        decide(c, SDB_PICK_MERGE, level, r->id, "stale records", out);
    /* Some of its ranges are young. */
    out->later = out->later || (m->desc.ranges > 0 && !has_ranges(c->p, m)) ||
                 (!below && stale && young);
    return out->kind != SDB_PICK_NONE;
}

/* A table full of tombstones, or of rows that have expired: pass it down.  Where
 * nothing lies below it: write it again without what nobody needs any more.  The oldest
 * first: when they are gone, nothing lies below the others.  Then levels of several
 * runs that are full of tombstones. */
static bool pick_dense(struct choice *c, struct sdb_pick *out)
{
    const struct sdb_version *v = c->v;
    for (uint32_t r = v->nruns; r > c->nruns0; r--) {
        const struct sdb_run *run = &v->runs[r - 1];
        for (uint32_t i = run->first; i < run->first + run->n; i++)
            if (pick_for_content(c, r - 1, i, out))
                return true;
    }
    for (uint32_t i = 1; i < SDB_LEVELS; i++) {
        const struct sdb_level *l = &c->levels[i];
        if (l->runs > 1 && are_many(l->tombstones, l->records)) {
            pick_level(c, i, "tombstones", out);
            return true;
        }
    }
    return false;
}

/* Everything in one run at the bottom. */
static bool pick_full(struct choice *c, struct sdb_pick *out)
{
    const struct sdb_version *v = c->v;
    if (c->p->kind == SEERDB_LEVELED) {
        if (pick_level0(c, out))
            return true;
        for (uint32_t i = 1; i < SDB_BOTTOM; i++)
            if (c->levels[i].tables > 0) {
                pick_level(c, i, "asked for", out);
                return true;
            }
        return false;
    }
    if (c->first0 == v->nruns ||
        (c->first0 + 1 == v->nruns && level_of(&v->runs[c->first0]) == SDB_BOTTOM))
        return false;
    take_none(c);
    for (uint32_t i = c->first0; i < v->nruns; i++)
        take_run(c, i);
    decide(c, SDB_PICK_MERGE, SDB_BOTTOM, 0, "asked for", out);
    return true;
}

/* Which runs of level 0 may go down: from the oldest on, as long as nothing older than
 * them is still in memory. */
static void look_at_level0(struct choice *c)
{
    const struct sdb_version *v = c->v;
    while (c->nruns0 < v->nruns && v->runs[c->nruns0].level == 0)
        c->nruns0++;
    for (c->first0 = c->nruns0; c->first0 > 0; c->first0--) {
        const struct sdb_run *run = &v->runs[c->first0 - 1];
        for (uint32_t i = run->first; i < run->first + run->n; i++) {
            const struct sdb_table_desc *d = &v->members[i]->desc;
            if (d->max_number > c->p->flushed || d->commit > c->p->flushed)
                return;
        }
    }
}

static void choose(struct choice *c, struct sdb_pick *out)
{
    uint32_t best = 0;
    look_at_level0(c);
    look_at_waiting(c);
    if (pick_gone(c, out))
        return;
    if (c->p->full && pick_full(c, out))
        return;
    for (uint32_t i = 1; i < SDB_LEVELS; i++)
        if (c->levels[i].score >= 1 && c->levels[i].score > c->levels[best].score)
            best = i;
    if (best > 0) {
        pick_level(c, best, "size", out);
        return;
    }
    if (pick_level0(c, out))
        return;
    for (uint32_t i = 1; i < SDB_LEVELS; i++)
        if (c->levels[i].score >= 1 &&
            (best == 0 || c->levels[i].score > c->levels[best].score))
            best = i;
    if (best > 0)
        pick_level(c, best, "size", out);
    else
        (void)pick_dense(c, out);
}

int sdb_pick(const struct sdb_version *v, const struct sdb_policy *p,
             struct sdb_pick *out, seerdb_err *err)
{
    struct choice c = {.v = v, .p = p};
    *out = (struct sdb_pick){.kind = SDB_PICK_NONE};
    if (v->nmembers == 0)
        return 0;
    c.taken = sdb_array_new(v->nmembers, sizeof c.taken[0]);
    out->inputs = sdb_array_new(v->nmembers, sizeof out->inputs[0]);
    if (c.taken == NULL || out->inputs == NULL) {
        sdb_mem_free(c.taken);
        sdb_pick_fini(out);
        return sdb_fail_nomem(err, v->nmembers * sizeof out->inputs[0]);
    }
    sdb_picker_levels(v, p, c.levels);
    choose(&c, out);
    out->due_us = next_due(v, p);
    sdb_mem_free(c.taken);
    return 0;
}

void sdb_pick_fini(struct sdb_pick *pick)
{
    if (pick == NULL)
        return;
    sdb_mem_free(pick->inputs);
    *pick = (struct sdb_pick){0};
}
