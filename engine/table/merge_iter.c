/* SPDX-License-Identifier: Apache-2.0
 *
 * A binary heap of all the sources, ended ones last.  Going forward every source stands
 * on its first key at or after the key shown, or has ended; going backward on its last
 * key at or before it.  A change of direction therefore takes each source one key
 * the other way, wherever older() has led within the key, and no key is copied.
 *
 * Sources on one key are a connected piece of the heap with its root.  Moving on
 * moves them all: from the leaves up, so that the places of the others stay true.
 *
 * Keys are compared by their code first.  The coder drops a prefix, any prefix: a key
 * outside of it has the lowest code or the highest, which is in order.  When codes tie
 * too often for keys that differ, the prefix becomes the one that the current keys
 * share.
 *
 * A source that has come first several times in a row is likely to go on: what it
 * offers as plain (iter.h) and lies before the next source's key is handed on whole. */
#include "table/merge_iter.h"

#include "base/mem.h"
#include "table/keycode.h"

#include <assert.h>

enum direction { FORWARD, BACKWARD };

#define TIES_MAX     16u /* then another prefix may tell the keys apart */
#define PATIENCE     3u /* wins in a row before a source's plain records are looked at */
#define PATIENCE_MAX 48u
#define RUN_WORTH_IT 8u

struct entry {
    uint64_t code; /* of the key, complemented when going backward; ended: all ones */
    struct sdb_iter *source;
    uint32_t rank; /* place among the sources */
    bool ended;    /* unpositioned */
    bool spent;    /* no version of its key is left */
};

struct merge {
    struct sdb_iter it;
    enum direction direction;
    bool owns; /* the sources */
    uint32_t n, capacity;
    uint32_t *group;    /* owned; n: scratch for the places of the sources on a key */
    struct entry *heap; /* owned; n, root first */
    uint32_t ties, ties_max; /* equal codes of different keys since the coder was set */
    uint32_t wins, patience; /* of the root in a row; how many it takes */
    struct sdb_coder coder;
};

static struct merge *self(struct sdb_iter *it)
{
    return (struct merge *)it; /* its first member */
}

/* Order of the keys in the direction of travel. */
static int compare_keys(struct merge *m, const struct entry *a, const struct entry *b)
{
    if (a->code != b->code)
        return a->code < b->code ? -1 : 1;
    if (a->ended || b->ended)
        return a->ended - b->ended;
    int order = sdb_slice_cmp(a->source->at.key, b->source->at.key);
    m->ties += order != 0;
    return m->direction == FORWARD ? order : -order;
}

static bool before(struct merge *m, const struct entry *a, const struct entry *b)
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

/* True when it stays where it is. */
static bool sift_down(struct merge *m, uint32_t at)
{
    uint32_t i = at;
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
    return i == at;
}

static void heapify(struct merge *m)
{
    m->wins = 0;
    for (uint32_t i = m->n / 2; i-- > 0;)
        (void)sift_down(m, i);
}

static uint64_t code_of(const struct merge *m, seerdb_slice key)
{
    uint64_t code = sdb_code(&m->coder, key);
    return m->direction == FORWARD ? code : ~code;
}

/* The prefix that all current keys share tells them apart.  The order of the heap stays
 * true: it is that of the keys. */
static void choose_prefix(struct merge *m)
{
    seerdb_slice first = {0}, prefix = {0};
    m->ties = 0;
    for (uint32_t i = 0; i < m->n; i++) {
        if (m->heap[i].ended)
            continue;
        seerdb_slice key = m->heap[i].source->at.key;
        if (first.data == NULL)
            prefix = first = key;
        prefix.size = sdb_common_prefix(prefix, key);
    }
    if (prefix.size > SDB_PREFIX_MAX)
        prefix.size = SDB_PREFIX_MAX;
    /* Keys that no prefix tells apart shall not make us try for ever. */
    m->ties_max = m->ties_max < UINT32_MAX / 2 ? m->ties_max * 2 : m->ties_max;
    if (prefix.size == m->coder.prefix_size &&
        (prefix.size == 0 || memcmp(prefix.data, m->coder.prefix, prefix.size) == 0))
        return;
    sdb_coder_set(&m->coder, prefix);
    for (uint32_t i = 0; i < m->n; i++)
        if (!m->heap[i].ended)
            m->heap[i].code = code_of(m, m->heap[i].source->at.key);
}

/* Take in that e's source was told to move and answered rc; a failure goes on. */
static int moved(const struct merge *m, struct entry *e, int rc)
{
    if (rc < 0)
        return rc;
    e->ended = rc != 0;
    e->spent = false;
    e->code = e->ended ? UINT64_MAX : code_of(m, e->source->at.key);
    return 0;
}

/* How many of the root's plain records come before the key of any other source. */
static uint32_t plain_run(struct merge *m)
{
    const struct sdb_iter *s = m->heap[0].source;
    const struct entry *rival = &m->heap[1];
    int step = m->direction == FORWARD ? 1 : -1;
    if (m->n > 2 && before(m, &m->heap[2], rival))
        rival = &m->heap[2];
    if (rival->ended)
        return s->plain;
    seerdb_slice key = rival->source->at.key;
    uint32_t lo = 0, hi = s->plain; /* so many are before it at least, at most */
    while (lo < hi) {
        /* The last one first: then it is all of them. */
        uint32_t mid = hi == s->plain ? hi : lo + (hi - lo + 1) / 2;
        seerdb_slice k =
            sdb_block_key(s->block, s->slot + (uint32_t)(step * (int32_t)mid));
        int order = sdb_slice_cmp(k, key);
        if (m->direction == FORWARD ? order < 0 : order > 0)
            lo = mid;
        else
            hi = mid - 1;
    }
    return lo;
}

static int show(struct merge *m)
{
    if (m->n == 0 || m->heap[0].ended)
        return SEERDB_NOTFOUND;
    sdb_iter_show(&m->it, m->heap[0].source);
    if (m->it.plain == 0)
        return 0;
    m->it.plain = 0;
    if (m->wins >= m->patience) {
        m->it.plain = plain_run(m);
        if (m->it.plain >= RUN_WORTH_IT) {
            m->patience = PATIENCE;
        } else {
            m->patience = m->patience < PATIENCE_MAX ? m->patience * 2 : m->patience;
            m->wins = 0;
        }
    }
    return 0;
}

/* The caller may have taken plain records by itself: the root stands there then, still
 * before all others, with a code that is too low and does no harm. */
static void catch_up(struct merge *m)
{
    struct sdb_iter *s = m->heap[0].source;
    if (m->it.block == NULL || s->slot == m->it.slot)
        return;
    sdb_iter_follow(s, &m->it);
    sdb_block_record(s->block, s->slot, &s->at);
    if (s->as != 0)
        s->at.number = s->as;
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
    if (s->plain > 0) {
        sdb_iter_take(s,
                      m->direction == FORWARD ? SDB_STEP_FORWARD : SDB_STEP_BACKWARD);
        return moved(m, e, 0);
    }
    return moved(m, e,
                 m->direction == FORWARD ? s->ops->next(s, err) : s->ops->prev(s, err));
}

static int show_next(struct merge *m, bool won)
{
    m->wins = won ? m->wins + 1 : 0;
    if (m->ties > m->ties_max)
        choose_prefix(m);
    return show(m);
}

/* Leave the key at the root. */
static int leave_key(struct merge *m, seerdb_err *err)
{
    uint32_t n = 1;
    int rc;
    /* Mostly the root is alone on its key, and its code tells. */
    uint64_t next = m->n > 1 ? m->heap[1].code : 0;
    if (m->n > 2 && m->heap[2].code < next)
        next = m->heap[2].code;
    if (m->heap[0].code < next) {
        if ((rc = step(m, &m->heap[0], err)) != 0)
            return rc;
        return show_next(m, m->heap[0].code < next || sift_down(m, 0));
    }
    m->group[0] = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t child = 2 * m->group[i] + 1;
        for (uint32_t c = child; c < child + 2 && c < m->n; c++)
            if (compare_keys(m, &m->heap[0], &m->heap[c]) == 0)
                m->group[n++] = c;
    }
    bool alone = n == 1, stays = false;
    while (n-- > 0) {
        if ((rc = step(m, &m->heap[m->group[n]], err)) != 0)
            return rc;
        stays = sift_down(m, m->group[n]);
    }
    return show_next(m, alone && stays);
}

static int turn(struct merge *m, enum direction to, seerdb_err *err)
{
    int rc;
    m->direction = to;
    for (uint32_t i = 0; i < m->n; i++) {
        struct entry *e = &m->heap[i];
        struct sdb_iter *s = e->source;
        if (e->ended)
            rc = to == FORWARD ? s->ops->first(s, err) : s->ops->last(s, err);
        else
            rc = to == FORWARD ? s->ops->next(s, err) : s->ops->prev(s, err);
        if ((rc = moved(m, e, rc)) != 0)
            return rc;
    }
    heapify(m);
    return show(m);
}

static int merge_next(struct sdb_iter *it, seerdb_err *err)
{
    struct merge *m = self(it);
    catch_up(m);
    return m->direction == FORWARD ? leave_key(m, err) : turn(m, FORWARD, err);
}

static int merge_prev(struct sdb_iter *it, seerdb_err *err)
{
    struct merge *m = self(it);
    catch_up(m);
    return m->direction == BACKWARD ? leave_key(m, err) : turn(m, BACKWARD, err);
}

static int merge_older(struct sdb_iter *it, seerdb_err *err)
{
    struct merge *m = self(it);
    struct entry *top = &m->heap[0];
    catch_up(m);
    uint64_t shown = m->it.at.number;
    m->it.block = NULL; /* the root may become another source */
    m->it.plain = 0;
    /* The same number in a later source is a double: it is passed over too. */
    while (!top->spent && top->source->at.number >= shown) {
        int rc = top->source->ops->older(top->source, err);
        if (rc < 0)
            return rc;
        top->spent = rc != 0;
        (void)sift_down(m, 0);
    }
    m->wins = 0;
    return top->spent ? SEERDB_NOTFOUND : show(m);
}

static void merge_rest(struct sdb_iter *it)
{
    struct merge *m = self(it);
    for (uint32_t i = 0; i < m->n; i++)
        if (m->owns)
            sdb_iter_close(m->heap[i].source);
    m->n = 0;
}

static void merge_close(struct sdb_iter *it)
{
    struct merge *m = self(it);
    merge_rest(it);
    sdb_mem_free(m->heap);
    sdb_mem_free(m->group);
    sdb_mem_free(m);
}

static const struct sdb_iter_ops ops = {
    merge_first, merge_last,  merge_seek,  merge_seek_for_prev, merge_next,
    merge_prev,  merge_older, merge_close, merge_rest,
};

int sdb_merge_iter_aim(struct sdb_iter **it, struct sdb_iter *const *sources, size_t n,
                       seerdb_err *err)
{
    struct merge *m = *it != NULL ? self(*it) : sdb_mem_zalloc(sizeof *m);
    assert(n < UINT32_MAX / 4 && (m == NULL || m->n == 0));
    if (m == NULL)
        return sdb_fail_nomem(err, sizeof *m);
    m->it = (struct sdb_iter){.ops = &ops};
    *it = &m->it;
    if (n > m->capacity) {
        struct entry *heap = sdb_array_grow(m->heap, n, sizeof *heap);
        if (heap != NULL)
            m->heap = heap;
        uint32_t *group = sdb_array_grow(m->group, n, sizeof *group);
        if (group != NULL)
            m->group = group;
        if (heap == NULL || group == NULL)
            return sdb_fail_nomem(err, n * (sizeof *heap + sizeof *group));
        m->capacity = (uint32_t)n;
    }
    m->n = (uint32_t)n;
    for (uint32_t i = 0; i < n; i++)
        m->heap[i] = (struct entry){.source = sources[i], .rank = i, .ended = true};
    m->ties = m->wins = 0;
    m->ties_max = TIES_MAX;
    m->patience = PATIENCE;
    m->coder.prefix_size = 0;
    return 0;
}

int sdb_merge_iter(struct sdb_iter *const *sources, size_t n, struct sdb_iter **out,
                   seerdb_err *err)
{
    struct sdb_iter *it = NULL;
    if (n == 1) {
        *out = sources[0];
        return 0;
    }
    int rc = sdb_merge_iter_aim(&it, sources, n, err);
    if (rc == 0) {
        self(it)->owns = true;
        *out = it;
        return 0;
    }
    sdb_iter_close(it);
    for (size_t i = 0; i < n; i++)
        sdb_iter_close(sources[i]);
    return rc;
}
