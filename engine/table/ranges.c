/* SPDX-License-Identifier: Apache-2.0
 *
 * Most lookups ask with a ceiling above all numbers and nothing hidden: those are
 * answered by a binary search among the fragments, which are computed once.  Others,
 * snapshots and batches that rolled something back, look at every range that starts at
 * or before the key: sets are small, and those who read much flatten first.
 *
 * Fragments come from a sweep over all starts and ends with a heap of the ranges that
 * have begun, greatest number on top.  A range leaves the heap when it is on top and
 * has ended, so every range goes in and out once: O(n log n), and at most 2n - 1
 * fragments. */
#include "table/ranges.h"

#include "base/mem.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>

struct sdb_ranges {
    _Atomic uint32_t count;
    size_t n, nfragments, memory;
    uint64_t max_number;
    struct sdb_range *all;       /* owned; sorted */
    struct sdb_range *fragments; /* owned, unless it is `all`; the bytes are those */
    uint8_t *bytes;              /* owned: of all starts and ends */
};

static int compare(const void *a, const void *b)
{
    const struct sdb_range *x = a, *y = b;
    int order = sdb_slice_cmp(x->start, y->start);
    if (order == 0 && x->number != y->number)
        order = x->number > y->number ? -1 : 1;
    return order != 0 ? order : sdb_slice_cmp(y->end, x->end);
}

static int compare_points(const void *a, const void *b)
{
    return sdb_slice_cmp(*(const seerdb_slice *)a, *(const seerdb_slice *)b);
}

/* ---- the sweep ------------------------------------------------------------------ */

struct sweep {
    seerdb_slice *points;          /* owned; starts and ends, rising */
    const struct sdb_range **heap; /* owned; greatest number first */
    size_t nheap;
};

static void heap_push(struct sweep *s, const struct sdb_range *r)
{
    size_t i = s->nheap++;
    for (; i > 0 && s->heap[(i - 1) / 2]->number < r->number; i = (i - 1) / 2)
        s->heap[i] = s->heap[(i - 1) / 2];
    s->heap[i] = r;
}

static void heap_pop(struct sweep *s)
{
    const struct sdb_range *moved = s->heap[--s->nheap];
    size_t i = 0;
    for (size_t child = 1; child < s->nheap; child = 2 * i + 1) {
        if (child + 1 < s->nheap && s->heap[child + 1]->number > s->heap[child]->number)
            child++;
        if (s->heap[child]->number <= moved->number)
            break;
        s->heap[i] = s->heap[child];
        i = child;
    }
    s->heap[i] = moved;
}

/* Append [start, end), or make the fragment before longer.  Returns how many there are.
 */
static size_t put_fragment(struct sdb_range *out, size_t n,
                           const struct sdb_range *fragment)
{
    if (n > 0 && out[n - 1].number == fragment->number &&
        sdb_slice_equal(out[n - 1].end, fragment->start)) {
        out[n - 1].end = fragment->end;
        return n;
    }
    out[n] = *fragment;
    return n + 1;
}

/* Fill out, which has room for 2n, from n sorted ranges that are not empty. Returns how
 * many fragments there are. */
static size_t sweep_over(struct sweep *s, const struct sdb_range *all, size_t n,
                         struct sdb_range *out)
{
    size_t next = 0, nout = 0;
    for (size_t i = 0; i < n; i++) {
        s->points[2 * i] = all[i].start;
        s->points[2 * i + 1] = all[i].end;
    }
    qsort(s->points, 2 * n, sizeof s->points[0], compare_points);
    for (size_t i = 0; i + 1 < 2 * n; i++) {
        seerdb_slice from = s->points[i], to = s->points[i + 1];
        if (sdb_slice_equal(from, to))
            continue;
        while (next < n && sdb_slice_cmp(all[next].start, from) <= 0)
            heap_push(s, &all[next++]);
        while (s->nheap > 0 && sdb_slice_cmp(s->heap[0]->end, from) <= 0)
            heap_pop(s);
        if (s->nheap > 0)
            nout = put_fragment(out, nout,
                                &(struct sdb_range){from, to, s->heap[0]->number});
    }
    return nout;
}

/* *out is an array of its own, of as many elements as there are fragments. */
static int find_fragments(const struct sdb_range *all, size_t n, struct sdb_range **out,
                          size_t *nout, seerdb_err *err)
{
    size_t twice;
    struct sweep s = {0};
    struct sdb_range *found = NULL;
    int rc = 0;
    if (__builtin_mul_overflow(n, 2, &twice))
        return sdb_fail_nomem(err, SIZE_MAX);
    s.points = sdb_array_new(twice, sizeof s.points[0]);
    s.heap = sdb_array_new(n, sizeof s.heap[0]);
    found = sdb_array_new(twice, sizeof found[0]);
    if (s.points == NULL || s.heap == NULL || found == NULL) {
        rc = sdb_fail_nomem(err, twice * sizeof found[0]);
        goto out;
    }
    *nout = sweep_over(&s, all, n, found);
    assert(*nout < twice || n == 0);
    struct sdb_range *fit = sdb_array_grow(found, *nout, sizeof found[0]);
    *out = fit != NULL ? fit : found;
    found = NULL;
out:
    sdb_mem_free(s.points);
    sdb_mem_free(s.heap);
    sdb_mem_free(found);
    return rc;
}

/* ---- making sets ------------------------------------------------------------------
 */

static seerdb_slice copy_slice(uint8_t **to, seerdb_slice s)
{
    uint8_t *p = *to;
    if (s.size > 0)
        memcpy(p, s.data, s.size);
    *to += s.size;
    return (seerdb_slice){p, s.size};
}

/* A set whose ranges are copies of these, as they are. */
static int copy_all(const struct sdb_range *all, size_t n, struct sdb_ranges **out,
                    seerdb_err *err)
{
    size_t bytes = 0;
    int rc = 0;
    struct sdb_ranges *r = sdb_mem_zalloc(sizeof *r);
    for (size_t i = 0; i < n; i++)
        bytes += all[i].start.size + all[i].end.size; /* all in memory: no overflow */
    if (r != NULL) {
        atomic_init(&r->count, 1);
        r->all = sdb_array_new(n, sizeof r->all[0]);
        r->bytes = sdb_mem_alloc(bytes);
    }
    if (r == NULL || r->all == NULL || r->bytes == NULL) {
        rc = sdb_fail_nomem(err, n * sizeof r->all[0] + bytes);
        sdb_ranges_unref(r);
        return rc;
    }
    uint8_t *to = r->bytes;
    for (size_t i = 0; i < n; i++) {
        r->all[i] = (struct sdb_range){copy_slice(&to, all[i].start),
                                       copy_slice(&to, all[i].end), all[i].number};
        if (all[i].number > r->max_number)
            r->max_number = all[i].number;
    }
    r->n = n;
    r->memory = sizeof *r + n * sizeof r->all[0] + bytes;
    *out = r;
    return 0;
}

/* Sort what is there, and leave out what says nothing.  Returns how many stay. */
static size_t tidy(struct sdb_range *all, size_t n)
{
    size_t kept = 0;
    if (n > 0)
        qsort(all, n, sizeof all[0], compare);
    for (size_t i = 0; i < n; i++)
        if (!sdb_range_is_empty(&all[i]) &&
            (kept == 0 || compare(&all[kept - 1], &all[i]) != 0))
            all[kept++] = all[i];
    return kept;
}

int sdb_ranges_new(const struct sdb_range *all, size_t n, struct sdb_ranges **out,
                   seerdb_err *err)
{
    struct sdb_ranges *r = NULL;
    struct sdb_range *sorted = sdb_array_new(n, sizeof sorted[0]);
    int rc = 0;
    if (sorted == NULL)
        return sdb_fail_nomem(err, n * sizeof sorted[0]);
    if (n > 0)
        memcpy(sorted, all, n * sizeof sorted[0]);
    rc = copy_all(sorted, tidy(sorted, n), &r, err);
    sdb_mem_free(sorted);
    if (rc == 0)
        rc = find_fragments(r->all, r->n, &r->fragments, &r->nfragments, err);
    if (rc != 0) {
        sdb_ranges_unref(r);
        return rc;
    }
    r->memory += r->nfragments * sizeof r->fragments[0];
    *out = r;
    return 0;
}

/* The ranges of the source that its reader sees go to the end of `all`, as he sees
 * them.
 */
static size_t gather(const struct sdb_ranges_source *s, struct sdb_range *all, size_t n)
{
    for (size_t i = 0; i < sdb_ranges_count(s->ranges); i++) {
        struct sdb_range r = *sdb_ranges_at(s->ranges, i);
        r.number = s->as != 0 ? s->as : r.number;
        if (r.number > s->ceiling || sdb_hidden_has(s->hidden, r.number))
            continue;
        r.number += s->raise;
        all[n++] = r;
    }
    return n;
}

int sdb_ranges_flatten(const struct sdb_ranges_source *sources, size_t n,
                       struct sdb_ranges **out, seerdb_err *err)
{
    size_t most = 0, seen = 0, nfragments = 0;
    struct sdb_range *all = NULL, *fragments = NULL;
    int rc = 0;
    *out = NULL;
    for (size_t i = 0; i < n; i++)
        most += sdb_ranges_count(sources[i].ranges);
    if ((all = sdb_array_new(most, sizeof all[0])) == NULL)
        return sdb_fail_nomem(err, most * sizeof all[0]);
    for (size_t i = 0; i < n; i++)
        seen = gather(&sources[i], all, seen);
    seen = tidy(all, seen);
    if (seen == 0)
        goto out;
    if ((rc = find_fragments(all, seen, &fragments, &nfragments, err)) != 0 ||
        (rc = copy_all(fragments, nfragments, out, err)) != 0)
        goto out;
    (*out)->fragments = (*out)->all;
    (*out)->nfragments = (*out)->n;
out:
    sdb_mem_free(fragments);
    sdb_mem_free(all);
    return rc;
}

struct sdb_ranges *sdb_ranges_ref(struct sdb_ranges *r)
{
    if (r != NULL)
        atomic_fetch_add_explicit(&r->count, 1, memory_order_relaxed);
    return r;
}

void sdb_ranges_unref(struct sdb_ranges *r)
{
    if (r == NULL || atomic_fetch_sub_explicit(&r->count, 1, memory_order_acq_rel) != 1)
        return;
    if (r->fragments != r->all)
        sdb_mem_free(r->fragments);
    sdb_mem_free(r->all);
    sdb_mem_free(r->bytes);
    sdb_mem_free(r);
}

/* ---- asking -------------------------------------------------------------------------
 */

size_t sdb_ranges_count(const struct sdb_ranges *r)
{
    return r == NULL ? 0 : r->n;
}

const struct sdb_range *sdb_ranges_at(const struct sdb_ranges *r, size_t i)
{
    assert(i < r->n);
    return &r->all[i];
}

uint64_t sdb_ranges_max_number(const struct sdb_ranges *r)
{
    return r == NULL ? 0 : r->max_number;
}

size_t sdb_ranges_memory(const struct sdb_ranges *r)
{
    return r == NULL ? 0 : r->memory;
}

size_t sdb_ranges_fragments(const struct sdb_ranges *r)
{
    return r == NULL ? 0 : r->nfragments;
}

const struct sdb_range *sdb_ranges_fragment(const struct sdb_ranges *r, size_t i)
{
    assert(i < r->nfragments);
    return &r->fragments[i];
}

size_t sdb_ranges_find(const struct sdb_ranges *r, seerdb_slice key)
{
    size_t lo = 0, hi = sdb_ranges_fragments(r);
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (sdb_slice_cmp(r->fragments[mid].end, key) <= 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

bool sdb_ranges_has(const struct sdb_ranges *r, seerdb_slice key)
{
    size_t i = sdb_ranges_find(r, key);
    return i < sdb_ranges_fragments(r) && sdb_range_has(&r->fragments[i], key);
}

uint64_t sdb_ranges_cover(const struct sdb_ranges *r, seerdb_slice key,
                          uint64_t ceiling, const struct sdb_hidden *hidden)
{
    uint64_t best = 0;
    if (r == NULL)
        return 0;
    if (ceiling >= r->max_number && (hidden == NULL || hidden->n == 0)) {
        size_t i = sdb_ranges_find(r, key);
        bool covered = i < r->nfragments && sdb_range_has(&r->fragments[i], key);
        return covered ? r->fragments[i].number : 0;
    }
    for (size_t i = 0; i < r->n && sdb_slice_cmp(r->all[i].start, key) <= 0; i++) {
        const struct sdb_range *one = &r->all[i];
        if (one->number > best && one->number <= ceiling &&
            sdb_slice_cmp(key, one->end) < 0 && !sdb_hidden_has(hidden, one->number))
            best = one->number;
    }
    return best;
}

uint64_t sdb_range_stripes_cover(const struct sdb_range_stripe *stripes, size_t n,
                                 seerdb_slice key, uint64_t ceiling)
{
    uint64_t number = 0;
    while (n > 0 && number == 0)
        if (stripes[--n].upto <= ceiling)
            number = sdb_ranges_cover(stripes[n].flat, key, UINT64_MAX, NULL);
    return number;
}
