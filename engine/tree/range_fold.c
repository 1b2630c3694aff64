/* SPDX-License-Identifier: Apache-2.0
 *
 * A version v may go when a range with v < r < history_from covers it: every reader at
 * or above the history's first number sees the range, and whoever reads below it was
 * told that he may find things missing.  So one flat set with the greatest numbers
 * below the history says what goes, and is what of those ranges has to stay for what
 * lies further down.
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

/* What lies below the history, as one set. */
static int find_erased(struct sdb_range_fold *f,
                       const struct sdb_ranges_source *sources, size_t n,
                       uint64_t history_from, seerdb_err *err)
{
    struct sdb_ranges_source *older = sdb_array_new(n, sizeof *older);
    size_t count = 0;
    if (older == NULL)
        return sdb_fail_nomem(err, n * sizeof *older);
    for (size_t i = 0; i < n; i++) {
        older[i] = sources[i];
        if (history_from != 0 && older[i].ceiling >= history_from)
            older[i].ceiling = history_from - 1;
        count += sdb_ranges_count(older[i].ranges);
    }
    int rc = sdb_ranges_flatten(older, n, &f->erased, err);
    sdb_mem_free(older);
    if (rc == 0 && count > 1)
        f->floor = sdb_ranges_max_number(f->erased);
    return rc;
}

int sdb_range_fold_init(struct sdb_range_fold *f,
                        const struct sdb_ranges_source *sources, size_t n,
                        uint64_t history_from, bool bottom, seerdb_err *err)
{
    struct sdb_range *all = NULL;
    size_t most = 0, count = 0;
    *f = (struct sdb_range_fold){0};
    int rc = find_erased(f, sources, n, history_from, err);
    if (rc != 0)
        return rc;
    for (size_t i = 0; i < n; i++)
        most += sdb_ranges_count(sources[i].ranges);
    most += sdb_ranges_count(f->erased);
    if (most == 0)
        return 0;
    if ((all = sdb_array_new(most, sizeof *all)) == NULL) {
        rc = sdb_fail_nomem(err, most * sizeof *all);
        goto out;
    }
    for (size_t i = 0; i < sdb_ranges_count(f->erased) && !bottom; i++)
        all[count++] = *sdb_ranges_at(f->erased, i);
    for (size_t i = 0; i < n && history_from != 0; i++)
        count = take_young(&sources[i], history_from, all, count);
    if (count > 0)
        rc = sdb_ranges_new(all, count, &f->staying, err);
out:
    sdb_mem_free(all);
    if (rc != 0)
        sdb_range_fold_fini(f);
    return rc;
}

void sdb_range_fold_fini(struct sdb_range_fold *f)
{
    sdb_ranges_unref(f->erased);
    sdb_ranges_unref(f->staying);
    *f = (struct sdb_range_fold){0};
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

void sdb_range_fold_put(const struct sdb_range_fold *f,
                        const struct sdb_range_span *span, struct sdb_table_writer *w)
{
    for (size_t i = 0; i < sdb_ranges_count(f->staying); i++) {
        struct sdb_range c = clip(sdb_ranges_at(f->staying, i), span);
        if (span->to != NULL && sdb_slice_cmp(c.start, *span->to) >= 0)
            break;                     /* so do all that follow */
        sdb_table_writer_range(w, &c); /* leaves empty ones out */
    }
}
