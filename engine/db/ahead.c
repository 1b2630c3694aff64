/* SPDX-License-Identifier: Apache-2.0
 *
 * Asking costs a call to the system for each value, and the scout all that an iterator
 * costs.  So nobody asks before some values were read in turn, nor while those that are
 * looked at now and then are in memory; and whoever asks for what is not read then, as
 * the rows are chosen by something else, ceases for long.
 *
 * Measured on a disk that takes 90 us (vlog_bench, files out of memory, keys written at
 * random): of 2 GB in values of 8 KiB 1.3 times as fast, of 64 KiB 1.8 times; of 300
 * MB, which the system's own guesses bring into memory nearly whole, 1.0 to 1.3 times.
 * With the values in memory no difference is seen. */
#include "db/ahead.h"

#define BEGIN       3u  /* values read in turn, before anything is done */
#define LOOK        32u /* values from one look to the next, if near */
#define LOOK_FAR    8u  /* the same of those asked for */
#define NEAR_MOST   8u  /* such looks, until asking ends */
#define WINDOW      4u  /* at first */
#define BYTES_MOST  ((uint64_t)2 << 20)
#define WASTED_MOST 16u
#define PAUSE       512u /* values, after too many were wasted */
#define STEPS       32u  /* rows for each value that is read */

static void forget_first(struct sdb_ahead *a)
{
    a->bytes -= a->asked[a->first].size;
    a->first = (a->first + 1) % SDB_AHEAD_MOST;
    a->n--;
}

/* The value is read: it is not on its way any more, nor are those asked for before. */
static void take(struct sdb_ahead *a, const struct sdb_segment *s)
{
    unsigned i = 0;
    while (i < a->n) {
        const struct sdb_ahead_asked *e = &a->asked[(a->first + i) % SDB_AHEAD_MOST];
        if (e->file == s->file && e->slot == s->slot)
            break;
        i++;
    }
    if (i == a->n)
        return;
    a->wasted += i;
    a->wasted -= a->wasted > 0 ? 1 : 0;
    a->window += a->window < SDB_AHEAD_MOST ? 1 : 0;
    for (unsigned k = 0; k <= i; k++)
        forget_first(a);
}

static void cease(struct sdb_ahead *a, unsigned until)
{
    *a = (struct sdb_ahead){.streak = a->streak, .until = until};
}

bool sdb_ahead_due(struct sdb_ahead *a, struct sdb_values *vs,
                   const struct sdb_segment *s, unsigned ordinal)
{
    if (++a->streak < BEGIN)
        return false;
    if (!a->far && a->until > 0) {
        a->until--;
        return false;
    }
    if (!a->far) {
        a->until = LOOK;
        a->window = WINDOW;
        a->far = !sdb_values_is_near(vs, s);
    }
    take(a, s);
    a->ordinals |= ordinal < 64 ? UINT64_C(1) << ordinal : 0;
    if (a->wasted > WASTED_MOST)
        cease(a, PAUSE);
    return a->far && !a->ended;
}

static bool has_room(const struct sdb_ahead *a)
{
    return a->n == 0 || (a->n < a->window && a->bytes < BYTES_MOST);
}

static void ask(struct sdb_ahead *a, struct sdb_values *vs, const struct sdb_segment *s)
{
    if (a->n == SDB_AHEAD_MOST)
        return;
    a->asked[(a->first + a->n++) % SDB_AHEAD_MOST] =
        (struct sdb_ahead_asked){s->file, s->slot, sdb_segment_stored(s)};
    a->bytes += sdb_segment_stored(s);
    if (a->until-- == 0) {
        a->until = LOOK_FAR;
        a->near = sdb_values_is_near(vs, s) ? a->near + 1 : 0;
    }
    sdb_values_ahead(vs, s, &a->last);
}

/* Ask for what the record has of what the reader reads. */
static void ask_for(struct sdb_ahead *a, struct sdb_values *vs,
                    const struct sdb_record *r)
{
    struct sdb_segments all;
    struct sdb_segment s;
    if (r->kind != SDB_KIND_SEGMENTS || sdb_segments_open(&all, r->value, NULL) != 0)
        return;
    for (unsigned i = 0; i < 64 && sdb_segments_next(&all, &s); i++)
        if ((a->ordinals >> i & 1) != 0)
            ask(a, vs, &s);
}

/* Is the scout behind the reader, or nowhere? */
static bool is_lost(const struct sdb_ahead *a, const struct sdb_ahead_walk *w)
{
    return !a->placed || sdb_slice_cmp(w->scout->at.key, w->key) * (int)w->step < 0;
}

static int move(const struct sdb_ahead_walk *w)
{
    struct sdb_iter *s = w->scout;
    if (s->plain > 0) {
        sdb_iter_take(s, w->step);
        return 0;
    }
    return w->step == SDB_STEP_FORWARD ? s->ops->next(s, NULL) : s->ops->prev(s, NULL);
}

static bool is_beyond(const struct sdb_ahead_walk *w)
{
    int order = w->bound.data == NULL ? 0 : sdb_slice_cmp(w->scout->at.key, w->bound);
    if (w->bound.data == NULL)
        return false;
    return w->step == SDB_STEP_FORWARD ? order >= 0 : order < 0;
}

void sdb_ahead_walk(struct sdb_ahead *a, struct sdb_values *vs,
                    const struct sdb_ahead_walk *w)
{
    struct sdb_iter *s = w->scout;
    int rc = 0;
    if (is_lost(a, w)) {
        a->wasted += a->n;
        while (a->n > 0)
            forget_first(a);
        rc = w->step == SDB_STEP_FORWARD ? s->ops->seek(s, w->key, NULL)
                                         : s->ops->seek_for_prev(s, w->key, NULL);
        a->placed = true;
    }
    for (unsigned i = 0; rc == 0 && i < STEPS && has_room(a); i++)
        if ((rc = move(w)) == 0 && !is_beyond(w))
            ask_for(a, vs, &s->at);
        else
            a->ended = true;
    a->ended = a->ended || rc != 0;
    if (a->near >= NEAR_MOST)
        cease(a, LOOK);
}
