/* SPDX-License-Identifier: Apache-2.0
 *
 * The place among the fragments goes along with the key: it is the first fragment that
 * ends above it, mostly the same as before or a neighbour.  Versions of a key come
 * newest first, so that the first one below the fragment's number ends the key.
 *
 * What a source offers as plain is handed on as far as the next fragment: in front of
 * it nothing is deleted. */
#include "table/range_iter.h"

#include "base/mem.h"

#include <assert.h>

/* Deleted keys of one fragment that are stepped over before a seek is worth it. */
#define STEPS_MAX 8u

struct range_iter {
    struct sdb_iter it;
    struct sdb_iter *source;
    bool owns;              /* the source */
    bool spent;             /* no version of the key is left */
    seerdb_pin *held;       /* counted: of the version shown, once it is spent */
    struct sdb_ranges *set; /* counted */
    size_t place;           /* the first fragment that ends above the key */
    uint64_t newest;        /* no number in the source is greater */
    uint64_t deleted;       /* the greatest number that passed something over */
};

static struct range_iter *self(struct sdb_iter *it)
{
    return (struct range_iter *)it; /* its first member */
}

static void let_go(struct range_iter *r)
{
    if (r->held != NULL)
        seerdb_pin_unref(r->held);
    r->held = NULL;
    r->spent = false;
}

static seerdb_slice end_of(const struct range_iter *r, size_t place)
{
    return sdb_ranges_fragment(r->set, place)->end;
}

/* Move the place to where key belongs. */
static void find_place(struct range_iter *r, seerdb_slice key)
{
    size_t n = sdb_ranges_fragments(r->set), i = r->place;
    if (i < n && sdb_slice_cmp(end_of(r, i), key) <= 0)
        i++;
    else if (i > 0 && sdb_slice_cmp(end_of(r, i - 1), key) > 0)
        i--;
    bool right = (i == n || sdb_slice_cmp(end_of(r, i), key) > 0) &&
                 (i == 0 || sdb_slice_cmp(end_of(r, i - 1), key) <= 0);
    r->place = right ? i : sdb_ranges_find(r->set, key);
}

/* The fragment that covers key, which belongs to the place; NULL: none. */
static const struct sdb_range *covering(const struct range_iter *r, seerdb_slice key)
{
    if (r->place == sdb_ranges_fragments(r->set))
        return NULL;
    const struct sdb_range *f = sdb_ranges_fragment(r->set, r->place);
    return sdb_slice_cmp(f->start, key) <= 0 ? f : NULL;
}

/* Is the record of the source, so many behind the one shown, in the same gap? */
static bool in_gap(const struct range_iter *r, uint32_t n, enum sdb_step step)
{
    const struct sdb_iter *s = r->source;
    seerdb_slice key = sdb_block_key(s->block, s->slot + (uint32_t)(step * (int32_t)n));
    if (step == SDB_STEP_FORWARD)
        return r->place == sdb_ranges_fragments(r->set) ||
               sdb_slice_cmp(key, sdb_ranges_fragment(r->set, r->place)->start) < 0;
    return r->place == 0 || sdb_slice_cmp(key, end_of(r, r->place - 1)) >= 0;
}

/* How many of the source's plain records lie before the next fragment. */
static uint32_t plain_run(const struct range_iter *r, enum sdb_step step)
{
    uint32_t lo = 0, hi = r->source->plain; /* so many do at least, at most */
    while (lo < hi) {
        /* The last one first: then it is all of them. */
        uint32_t mid = hi == r->source->plain ? hi : lo + (hi - lo + 1) / 2;
        if (in_gap(r, mid, step))
            lo = mid;
        else
            hi = mid - 1;
    }
    return lo;
}

/* The source moved and answered rc: go on to what is not deleted, and show it. */
static int settle(struct range_iter *r, int rc, enum sdb_step step, seerdb_err *err)
{
    struct sdb_iter *s = r->source;
    size_t stepped_in = SIZE_MAX;
    unsigned steps = 0;
    let_go(r);
    for (; rc == 0;) {
        find_place(r, s->at.key);
        const struct sdb_range *f = covering(r, s->at.key);
        if (f == NULL || s->at.number >= f->number) {
            sdb_iter_show(&r->it, s);
            r->it.plain = f == NULL && s->plain > 0 ? plain_run(r, step) : 0;
            return 0;
        }
        r->deleted = f->number > r->deleted ? f->number : r->deleted;
        steps = r->place == stepped_in ? steps + 1 : 0;
        stepped_in = r->place;
        if ((rc = sdb_iter_pass(&r->it, err)) != 0)
            break;
        if (steps < STEPS_MAX || f->number <= r->newest)
            rc = step == SDB_STEP_FORWARD ? s->ops->next(s, err) : s->ops->prev(s, err);
        else if (step == SDB_STEP_FORWARD)
            rc = s->ops->seek(s, f->end, err);
        else if ((rc = s->ops->seek_for_prev(s, f->start, err)) == 0 &&
                 sdb_slice_equal(s->at.key, f->start))
            rc = s->ops->prev(s, err);
    }
    return rc;
}

static int iter_first(struct sdb_iter *it, seerdb_err *err)
{
    struct range_iter *r = self(it);
    return settle(r, r->source->ops->first(r->source, err), SDB_STEP_FORWARD, err);
}

static int iter_last(struct sdb_iter *it, seerdb_err *err)
{
    struct range_iter *r = self(it);
    return settle(r, r->source->ops->last(r->source, err), SDB_STEP_BACKWARD, err);
}

/* A seek into a fragment that deletes everything goes to its end at once. */
static int iter_seek(struct sdb_iter *it, seerdb_slice key, seerdb_err *err)
{
    struct range_iter *r = self(it);
    find_place(r, key);
    const struct sdb_range *f = covering(r, key);
    if (f != NULL && f->number > r->newest)
        key = f->end;
    return settle(r, r->source->ops->seek(r->source, key, err), SDB_STEP_FORWARD, err);
}

static int iter_seek_for_prev(struct sdb_iter *it, seerdb_slice key, seerdb_err *err)
{
    struct range_iter *r = self(it);
    find_place(r, key);
    const struct sdb_range *f = covering(r, key);
    if (f != NULL && f->number > r->newest)
        key = f->start;
    return settle(r, r->source->ops->seek_for_prev(r->source, key, err),
                  SDB_STEP_BACKWARD, err);
}

static int iter_next(struct sdb_iter *it, seerdb_err *err)
{
    struct range_iter *r = self(it);
    sdb_iter_follow(r->source, it);
    return settle(r, r->source->ops->next(r->source, err), SDB_STEP_FORWARD, err);
}

static int iter_prev(struct sdb_iter *it, seerdb_err *err)
{
    struct range_iter *r = self(it);
    sdb_iter_follow(r->source, it);
    return settle(r, r->source->ops->prev(r->source, err), SDB_STEP_BACKWARD, err);
}

static int iter_older(struct sdb_iter *it, seerdb_err *err)
{
    struct range_iter *r = self(it);
    struct sdb_record shown = it->at;
    seerdb_pin *pin = it->pin;
    if (r->spent)
        return SEERDB_NOTFOUND;
    sdb_iter_follow(r->source, it);
    /* Records that the caller took by himself lie before the place's fragment, too. */
    const struct sdb_range *f = covering(r, shown.key);
    if (f != NULL && pin != NULL) /* should the source go on to what is deleted */
        r->held = seerdb_pin_ref(pin);
    int rc = r->source->ops->older(r->source, err);
    if (rc == 0)
        sdb_iter_show(it, r->source);
    if (rc != 0 || f == NULL || it->at.number >= f->number) {
        let_go(r);
        return rc;
    }
    shown.key = it->at.key; /* the same, and surely there */
    it->at = shown;
    it->pin = pin;
    it->block = NULL;
    it->plain = 0;
    r->spent = true;
    r->deleted = f->number > r->deleted ? f->number : r->deleted;
    return SEERDB_NOTFOUND;
}

uint64_t sdb_range_iter_deleted(const struct sdb_iter *it)
{
    return ((const struct range_iter *)it)->deleted;
}

static void iter_rest(struct sdb_iter *it)
{
    struct range_iter *r = self(it);
    let_go(r);
    if (r->owns)
        sdb_iter_close(r->source);
    sdb_ranges_unref(r->set);
    *r = (struct range_iter){.it.ops = it->ops};
}

static void iter_close(struct sdb_iter *it)
{
    iter_rest(it);
    sdb_mem_free(it);
}

int sdb_range_iter_aim(struct sdb_iter **it, struct sdb_iter *source,
                       struct sdb_ranges *set, uint64_t newest, seerdb_err *err)
{
    static const struct sdb_iter_ops ops = {
        iter_first, iter_last,  iter_seek,  iter_seek_for_prev, iter_next,
        iter_prev,  iter_older, iter_close, iter_rest,
    };
    struct range_iter *r = *it != NULL ? self(*it) : sdb_mem_zalloc(sizeof *r);
    if (r == NULL)
        return sdb_fail_nomem(err, sizeof *r);
    assert(r->set == NULL);
    *r = (struct range_iter){
        .it.ops = &ops, .source = source, .set = sdb_ranges_ref(set), .newest = newest};
    *it = &r->it;
    return 0;
}

int sdb_range_iter(struct sdb_iter *source, struct sdb_ranges *set, uint64_t newest,
                   struct sdb_iter **out, seerdb_err *err)
{
    struct sdb_iter *it = NULL;
    int rc = sdb_range_iter_aim(&it, source, set, newest, err);
    if (rc != 0) {
        sdb_iter_close(source);
        return rc;
    }
    self(it)->owns = true;
    *out = it;
    return 0;
}
