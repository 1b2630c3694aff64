/* SPDX-License-Identifier: Apache-2.0
 *
 * A binary heap of all the sources, ended ones last.  Going forward every source stands
 * on its first key at or after the key shown, or has ended; going backward on its last
 * key at or before it.  A change of direction therefore takes each source one key
 * the other way, wherever older() has led within the key, and no key is copied.
 *
 * Sources on one key are a connected piece of the heap with its root.  Moving on
 * moves them all: from the leaves up, so that the places of the others stay true. */
#include "table/merge_iter.h"

#include "base/mem.h"
#include "table/keycode.h"

#include <assert.h>

enum direction { FORWARD, BACKWARD };

struct entry {
    uint64_t window; /* of the key, complemented when going backward; ended: all ones */
    struct sdb_iter *source; /* owned */
    uint32_t rank;           /* place among the sources */
    bool ended;              /* unpositioned */
    bool spent;              /* no version of its key is left */
};

struct merge {
    struct sdb_iter it;
    enum direction direction;
    uint32_t n;
    uint32_t *group;    /* owned; n: scratch for the places of the sources on a key */
    struct entry *heap; /* owned; n, root first */
};

static struct merge *self(struct sdb_iter *it)
{
    return (struct merge *)it; /* its first member */
}

/* Order of the keys in the direction of travel. */
static int compare_keys(const struct merge *m, const struct entry *a,
                        const struct entry *b)
{
    if (a->window != b->window)
        return a->window < b->window ? -1 : 1;
    if (a->ended || b->ended)
        return a->ended - b->ended;
    int order = sdb_slice_cmp(a->source->at.key, b->source->at.key);
    return m->direction == FORWARD ? order : -order;
}

static bool before(const struct merge *m, const struct entry *a, const struct entry *b)
{
    int order = compare_keys(m, a, b);
    if (order != 0)
        return order < 0;
    if (!a->ended && a->spent != b->spent)
        return b->spent;
    if (!a->ended && a->source->at.number != b->source->at.number)
        return a->source->at.number > b->source->at.number;
    return a->rank < b->rank;
}

static void sift_down(struct merge *m, uint32_t i)
{
    struct entry moved = m->heap[i];
    for (uint32_t child = 2 * i + 1; child < m->n; child = 2 * i + 1) {
        if (child + 1 < m->n && before(m, &m->heap[child + 1], &m->heap[child]))
            child++;
        if (!before(m, &m->heap[child], &moved))
            break;
        m->heap[i] = m->heap[child];
        i = child;
    }
    m->heap[i] = moved;
}

static void heapify(struct merge *m)
{
    for (uint32_t i = m->n / 2; i-- > 0;)
        sift_down(m, i);
}

/* Take in that e's source was told to move and answered rc; a failure goes on. */
static int moved(const struct merge *m, struct entry *e, int rc)
{
    if (rc < 0)
        return rc;
    e->ended = rc != 0;
    e->spent = false;
    e->window = UINT64_MAX;
    if (!e->ended) {
        e->window = sdb_window(e->source->at.key.data, e->source->at.key.size);
        if (m->direction == BACKWARD)
            e->window = ~e->window;
    }
    return 0;
}

static int show(struct merge *m)
{
    if (m->n == 0 || m->heap[0].ended)
        return SEERDB_NOTFOUND;
    m->it.at = m->heap[0].source->at;
    m->it.pin = m->heap[0].source->pin;
    return 0;
}

static int merge_first(struct sdb_iter *it, seerdb_err *err)
{
    struct merge *m = self(it);
    int rc;
    m->direction = FORWARD;
    for (uint32_t i = 0; i < m->n; i++) {
        struct sdb_iter *s = m->heap[i].source;
        if ((rc = moved(m, &m->heap[i], s->ops->first(s, err))) != 0)
            return rc;
    }
    heapify(m);
    return show(m);
}

static int merge_last(struct sdb_iter *it, seerdb_err *err)
{
    struct merge *m = self(it);
    int rc;
    m->direction = BACKWARD;
    for (uint32_t i = 0; i < m->n; i++) {
        struct sdb_iter *s = m->heap[i].source;
        if ((rc = moved(m, &m->heap[i], s->ops->last(s, err))) != 0)
            return rc;
    }
    heapify(m);
    return show(m);
}

static int merge_seek(struct sdb_iter *it, seerdb_slice key, seerdb_err *err)
{
    struct merge *m = self(it);
    int rc;
    m->direction = FORWARD;
    for (uint32_t i = 0; i < m->n; i++) {
        struct sdb_iter *s = m->heap[i].source;
        if ((rc = moved(m, &m->heap[i], s->ops->seek(s, key, err))) != 0)
            return rc;
    }
    heapify(m);
    return show(m);
}

static int merge_seek_for_prev(struct sdb_iter *it, seerdb_slice key, seerdb_err *err)
{
    struct merge *m = self(it);
    int rc;
    m->direction = BACKWARD;
    for (uint32_t i = 0; i < m->n; i++) {
        struct sdb_iter *s = m->heap[i].source;
        if ((rc = moved(m, &m->heap[i], s->ops->seek_for_prev(s, key, err))) != 0)
            return rc;
    }
    heapify(m);
    return show(m);
}

/* Move e's source one key on in the direction of travel. */
static int step(const struct merge *m, struct entry *e, seerdb_err *err)
{
    struct sdb_iter *s = e->source;
    return moved(m, e,
                 m->direction == FORWARD ? s->ops->next(s, err) : s->ops->prev(s, err));
}

/* Leave the key at the root. */
static int leave_key(struct merge *m, seerdb_err *err)
{
    uint32_t n = 1;
    int rc;
    m->group[0] = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t child = 2 * m->group[i] + 1;
        for (uint32_t c = child; c < child + 2 && c < m->n; c++)
            if (compare_keys(m, &m->heap[0], &m->heap[c]) == 0)
                m->group[n++] = c;
    }
    while (n-- > 0) {
        if ((rc = step(m, &m->heap[m->group[n]], err)) != 0)
            return rc;
        sift_down(m, m->group[n]);
    }
    return show(m);
}

static int turn(struct merge *m, enum direction to, seerdb_err *err)
{
    int rc;
    m->direction = to;
    for (uint32_t i = 0; i < m->n; i++) {
        struct entry *e = &m->heap[i];
        struct sdb_iter *s = e->source;
        if (!e->ended)
            rc = step(m, e, err);
        else
            rc = moved(m, e,
                       to == FORWARD ? s->ops->first(s, err) : s->ops->last(s, err));
        if (rc != 0)
            return rc;
    }
    heapify(m);
    return show(m);
}

static int merge_next(struct sdb_iter *it, seerdb_err *err)
{
    struct merge *m = self(it);
    return m->direction == FORWARD ? leave_key(m, err) : turn(m, FORWARD, err);
}

static int merge_prev(struct sdb_iter *it, seerdb_err *err)
{
    struct merge *m = self(it);
    return m->direction == BACKWARD ? leave_key(m, err) : turn(m, BACKWARD, err);
}

static int merge_older(struct sdb_iter *it, seerdb_err *err)
{
    struct merge *m = self(it);
    struct entry *top = &m->heap[0];
    uint64_t shown = m->it.at.number;
    /* The same number in a later source is a double: it is passed over too. */
    while (!top->spent && top->source->at.number >= shown) {
        int rc = top->source->ops->older(top->source, err);
        if (rc < 0)
            return rc;
        top->spent = rc != 0;
        sift_down(m, 0);
    }
    return top->spent ? SEERDB_NOTFOUND : show(m);
}

static void merge_close(struct sdb_iter *it)
{
    struct merge *m = self(it);
    for (uint32_t i = 0; i < m->n; i++)
        sdb_iter_close(m->heap[i].source);
    sdb_mem_free(m->heap);
    sdb_mem_free(m->group);
    sdb_mem_free(m);
}

int sdb_merge_iter(struct sdb_iter *const *sources, size_t n, struct sdb_iter **out,
                   seerdb_err *err)
{
    static const struct sdb_iter_ops ops = {
        merge_first, merge_last, merge_seek,  merge_seek_for_prev,
        merge_next,  merge_prev, merge_older, merge_close,
    };
    struct merge *m = NULL;
    assert(n < UINT32_MAX / 4);
    if (n == 1) {
        *out = sources[0];
        return 0;
    }
    if ((m = sdb_mem_zalloc(sizeof *m)) == NULL)
        goto out;
    m->it.ops = &ops;
    m->heap = sdb_array_new(n, sizeof *m->heap);
    m->group = sdb_array_new(n, sizeof *m->group);
    if (m->heap == NULL || m->group == NULL)
        goto out;
    m->n = (uint32_t)n;
    for (uint32_t i = 0; i < n; i++)
        m->heap[i] = (struct entry){.source = sources[i], .rank = i, .ended = true};
    *out = &m->it;
    return 0;
out:
    if (m != NULL)
        merge_close(&m->it); /* n is 0: the sources are closed below */
    for (size_t i = 0; i < n; i++)
        sdb_iter_close(sources[i]);
    return sdb_fail_nomem(err, n * (sizeof(struct entry) + sizeof(uint32_t)));
}
