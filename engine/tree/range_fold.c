/* SPDX-License-Identifier: Apache-2.0
 *
 * A version v may go when a range with v < r < history_from covers it: every reader at
 * or above the history's first number sees the range, and whoever reads below it was
 * told that he may find things missing.  So one flat set with the greatest numbers
 * below the history says what goes, and is what of those ranges has to stay for what
 * lies further down.
 *
 * With snapshots that holds for the ranges below all of them.  A range above a snapshot
 * deletes for the readers from the next one on, and only what is newer than that
 * snapshot may go for its sake.  So those ranges are sorted into stripes, and the fold,
 * which knows who needs a version, asks them.  They stay, also at the bottom: older
 * versions may be there, for the snapshot, that they hide from the others.
 *
 * Which ranges a greater one hides is not looked at closely: as soon as there are two,
 * the floor rises to the greatest number below the history.  It stays below it. */
#include "tree/range_fold.h"

#include "base/mem.h"

/* Copies of the sources' ranges with numbers of the history and above go to `all`. */
static size_t take_young(const struct sdb_ranges_source *s, uint64_t history_from,
                         struct sdb_range *all, size_t n)
{
    for (size_t i = 0; i < sdb_ranges_count(s->ranges); i++) {
        struct sdb_range r = *sdb_ranges_at(s->ranges, i);
        r.number = s->as != 0 ? s->as : r.number;
        if (r.number >= history_from && r.number <= s->ceiling &&
            !sdb_hidden_has(s->hidden, r.number))
            all[n++] = r;
    }
    return n;
}

/* The sources as a reader at `ceiling` sees them; *any: one has a range between the
 * two. */
static void cap(const struct sdb_ranges_source *sources, size_t n, uint64_t above,
                uint64_t ceiling, struct sdb_ranges_source *capped, bool *any)
{
    *any = false;
    for (size_t i = 0; i < n; i++) {
        capped[i] = sources[i];
        if (capped[i].ceiling > ceiling)
            capped[i].ceiling = ceiling;
        for (size_t k = 0; k < sdb_ranges_count(sources[i].ranges) && !*any; k++) {
            const struct sdb_range *r = sdb_ranges_at(sources[i].ranges, k);
            uint64_t number = sources[i].as != 0 ? sources[i].as : r->number;
            *any = number > above && number <= capped[i].ceiling &&
                   !sdb_hidden_has(sources[i].hidden, number);
        }
    }
}

/* The stripe of readers who see the sources so capped, of which one has a range. */
static int add_stripe(struct sdb_range_fold *f, const struct sdb_ranges_source *capped,
                      size_t n, uint64_t above, uint64_t upto, seerdb_err *err)
{
    struct sdb_ranges *flat = NULL;
    size_t kept = 0;
    int rc = sdb_ranges_flatten(capped, n, &flat, err);
    if (rc != 0)
        return rc;
    struct sdb_range *some = sdb_array_new(sdb_ranges_count(flat), sizeof *some);
    if (some == NULL) {
        rc = sdb_fail_nomem(err, sdb_ranges_count(flat) * sizeof *some);
        goto out;
    }
    for (size_t i = 0; i < sdb_ranges_count(flat); i++)
        if (sdb_ranges_at(flat, i)->number > above)
            some[kept++] = *sdb_ranges_at(flat, i);
    struct sdb_range_stripe *s = &f->stripes[f->nstripes];
    *s = (struct sdb_range_stripe){.above = above, .upto = upto};
    if ((rc = sdb_ranges_new(some, kept, &s->flat, err)) == 0)
        f->nstripes++;
out:
    sdb_mem_free(some);
    sdb_ranges_unref(flat);
    return rc;
}

/* What lies below the history: below all snapshots, and stripe by stripe. */
static int find_erased(struct sdb_range_fold *f,
                       const struct sdb_ranges_source *sources, size_t n,
                       const struct sdb_fold *fold, seerdb_err *err)
{
    uint64_t below = fold->history_from != 0 ? fold->history_from - 1 : UINT64_MAX;
    uint64_t first = below;
    size_t count = 0;
    bool any;
    int rc = 0;
    if (fold->nsnapshots > 0 && fold->snapshots[0] < first)
        first = fold->snapshots[0];
    struct sdb_ranges_source *capped = sdb_array_new(n, sizeof *capped);
    f->stripes = sdb_array_new(fold->nsnapshots, sizeof *f->stripes);
    if (capped == NULL || f->stripes == NULL) {
        rc = sdb_fail_nomem(err, n * sizeof *capped);
        goto out;
    }
    cap(sources, n, 0, first, capped, &any);
    if ((rc = sdb_ranges_flatten(capped, n, &f->erased, err)) != 0)
        goto out;
    for (size_t i = 0; i < fold->nsnapshots && rc == 0; i++) {
        uint64_t above = fold->snapshots[i], upto = below;
        if (above >= below)
            break;
        if (i + 1 < fold->nsnapshots && fold->snapshots[i + 1] < upto)
            upto = fold->snapshots[i + 1];
        cap(sources, n, above, upto, capped, &any);
        if (any)
            rc = add_stripe(f, capped, n, above, upto, err);
    }
    for (size_t i = 0; i < n; i++)
        count += sdb_ranges_count(sources[i].ranges);
    if (rc == 0 && count > 1)
        f->floor = f->nstripes > 0
                       ? sdb_ranges_max_number(f->stripes[f->nstripes - 1].flat)
                       : sdb_ranges_max_number(f->erased);
out:
    sdb_mem_free(capped);
    return rc;
}

/* All that is in the set goes to the end of `all`. */
static size_t take_all(const struct sdb_ranges *set, struct sdb_range *all, size_t n)
{
    for (size_t i = 0; i < sdb_ranges_count(set); i++)
        all[n++] = *sdb_ranges_at(set, i);
    return n;
}

static int find_staying(struct sdb_range_fold *f,
                        const struct sdb_ranges_source *sources, size_t n,
                        const struct sdb_fold *fold, seerdb_err *err)
{
    size_t most = sdb_ranges_count(f->erased), count = 0;
    int rc = 0;
    for (size_t i = 0; i < n; i++)
        most += sdb_ranges_count(sources[i].ranges);
    for (size_t i = 0; i < f->nstripes; i++)
        most += sdb_ranges_count(f->stripes[i].flat);
    if (most == 0)
        return 0;
    struct sdb_range *all = sdb_array_new(most, sizeof *all);
    if (all == NULL)
        return sdb_fail_nomem(err, most * sizeof *all);
    if (!fold->bottom)
        count = take_all(f->erased, all, count);
    for (size_t i = 0; i < f->nstripes; i++)
        count = take_all(f->stripes[i].flat, all, count);
    for (size_t i = 0; i < n && fold->history_from != 0; i++)
        count = take_young(&sources[i], fold->history_from, all, count);
    if (count > 0)
        rc = sdb_ranges_new(all, count, &f->staying, err);
    sdb_mem_free(all);
    return rc;
}

int sdb_range_fold_init(struct sdb_range_fold *f,
                        const struct sdb_ranges_source *sources, size_t n,
                        struct sdb_fold *fold, seerdb_err *err)
{
    *f = (struct sdb_range_fold){0};
    int rc = find_erased(f, sources, n, fold, err);
    if (rc == 0)
        rc = find_staying(f, sources, n, fold, err);
    if (rc != 0) {
        sdb_range_fold_fini(f);
        return rc;
    }
    fold->stripes = f->stripes;
    fold->nstripes = f->nstripes;
    return 0;
}

void sdb_range_fold_fini(struct sdb_range_fold *f)
{
    sdb_ranges_unref(f->erased);
    sdb_ranges_unref(f->staying);
    for (size_t i = 0; i < f->nstripes; i++)
        sdb_ranges_unref(f->stripes[i].flat);
    sdb_mem_free(f->stripes);
    *f = (struct sdb_range_fold){0};
}

uint64_t sdb_range_fold_deleted(const struct sdb_range_fold *f,
                                const struct sdb_table_desc *d)
{
    struct sdb_ranges_source s = {.ranges = f->erased, .ceiling = UINT64_MAX};
    if (f->erased != NULL && sdb_table_desc_deleted(d, &s))
        return sdb_ranges_max_number(f->erased);
    for (size_t i = 0; i < f->nstripes; i++) {
        s.ranges = f->stripes[i].flat;
        if (d->min_number > f->stripes[i].above && sdb_table_desc_deleted(d, &s))
            return sdb_ranges_max_number(f->stripes[i].flat);
    }
    return 0;
}

/* What of r lies in the span; it may be nothing. */
static struct sdb_range clip(const struct sdb_range *r,
                             const struct sdb_range_span *span)
{
    struct sdb_range c = *r;
    if (span->from != NULL && sdb_slice_cmp(c.start, *span->from) < 0)
        c.start = *span->from;
    if (span->to != NULL && sdb_slice_cmp(c.end, *span->to) > 0)
        c.end = *span->to;
    return c;
}

bool sdb_range_fold_any(const struct sdb_range_fold *f,
                        const struct sdb_range_span *span)
{
    for (size_t i = 0; i < sdb_ranges_count(f->staying); i++) {
        struct sdb_range c = clip(sdb_ranges_at(f->staying, i), span);
        if (!sdb_range_is_empty(&c))
            return true;
    }
    return false;
}

/* The range stays for the snapshot below its stripe, if it is of one. */
static void count_held(const struct sdb_range_fold *f, const struct sdb_range *r,
                       struct sdb_held_count *held)
{
    for (size_t i = 0; i < f->nstripes; i++)
        if (r->number > f->stripes[i].above && r->number <= f->stripes[i].upto)
            sdb_held_count_range(held, f->stripes[i].above);
}

void sdb_range_fold_put(const struct sdb_range_fold *f,
                        const struct sdb_range_span *span, struct sdb_table_writer *w,
                        struct sdb_held_count *held)
{
    for (size_t i = 0; i < sdb_ranges_count(f->staying); i++) {
        struct sdb_range c = clip(sdb_ranges_at(f->staying, i), span);
        if (span->to != NULL && sdb_slice_cmp(c.start, *span->to) >= 0)
            break;                     /* so do all that follow */
        sdb_table_writer_range(w, &c); /* leaves empty ones out */
        if (!sdb_range_is_empty(&c))
            count_held(f, &c, held);
    }
}
