/* SPDX-License-Identifier: Apache-2.0
 *
 * merge_rig -- for the tests of merges: operators for which order and number of the
 * operands matter, and a map that has no operators to compare a tree with. */
#ifndef SDB_DB_MERGE_RIG_H
#define SDB_DB_MERGE_RIG_H

#include "base/rand.h"
#include "test.h"

#include <stdbool.h>
#include <stdlib.h>

/* ---- operators ------------------------------------------------------------------ */

/* Appends, as the engine's own does; the operand "/" deletes what was there before, and
 * "!" makes the operator fail as long as `fails` is set.  `longest` bounds what partial
 * puts together. */
struct appender {
    size_t longest;
    _Atomic bool fails;
    _Atomic uint64_t fulls, partials, released, operands;
};

static inline bool is(seerdb_slice s, char c)
{
    return s.size == 1 && *(const char *)s.data == c;
}

static inline int appender_full(void *ctx, seerdb_slice key, const seerdb_slice *base,
                                const seerdb_slice *operands, size_t n,
                                seerdb_merge_out *out, seerdb_err *err)
{
    struct appender *a = ctx;
    size_t from = 0;
    (void)key;
    a->fulls++;
    a->operands += n;
    for (size_t i = 0; i < n; i++) {
        from = is(operands[i], '/') ? i + 1 : from;
        if (is(operands[i], '!') && a->fails) {
            *err = (seerdb_err){SEERDB_MISUSE, "it does not want to"};
            return SEERDB_MISUSE;
        }
    }
    if (base != NULL && from == 0)
        seerdb_merge_emit(out, base->data, base->size);
    for (size_t i = from; i < n; i++)
        seerdb_merge_emit(out, operands[i].data, operands[i].size);
    return from == n ? SEERDB_NOTFOUND : 0;
}

static inline int appender_partial(void *ctx, seerdb_slice key,
                                   const seerdb_slice *operands, size_t n,
                                   seerdb_merge_out *out, seerdb_err *err)
{
    struct appender *a = ctx;
    size_t size = 0;
    (void)key;
    (void)err;
    a->partials++;
    for (size_t i = 0; i < n; i++) {
        size += operands[i].size;
        if (is(operands[i], '/') || is(operands[i], '!'))
            return SEERDB_NOTFOUND;
    }
    for (size_t i = 0; i < n && size <= a->longest; i++)
        seerdb_merge_emit(out, operands[i].data, operands[i].size);
    return size <= a->longest ? 0 : SEERDB_NOTFOUND;
}

static inline void appender_release(void *ctx)
{
    ((struct appender *)ctx)->released++;
}

enum flavour { FAST, SLOW, LISTS, FLAVOURS };

static inline seerdb_merge_operator operator_of(struct appender *a,
                                                enum flavour flavour)
{
    a->longest = flavour == LISTS ? 20 : SIZE_MAX;
    return (seerdb_merge_operator){
        .name = "appends",
        .ctx = a,
        .full = appender_full,
        .partial = flavour == SLOW ? NULL : appender_partial,
        .fast = flavour != SLOW,
        .release = appender_release,
    };
}

/* ---- the map ----------------------------------------------------------------------
 */

#define KEYS  6u
#define VALUE 1500u

/* What the tree should hold; len -1: no such key. */
struct map {
    struct {
        int len;
        char bytes[VALUE];
    } keys[KEYS];
};

/* Where random writes come from and go to. */
struct model {
    struct sdb_rand rand;
    unsigned operands; /* each is another word */
    seerdb_tree *t;
};

static inline unsigned pick(struct model *w, unsigned n)
{
    return (unsigned)(sdb_rand_below(&w->rand, n));
}

static inline seerdb_slice key_of(unsigned k)
{
    static const char keys[] = "abcdefgh";
    return (seerdb_slice){keys + k, 1};
}

static inline seerdb_slice value_of(const struct map *m, unsigned k)
{
    return (seerdb_slice){m->keys[k].bytes, (size_t)m->keys[k].len};
}

static inline void append_to(struct map *m, unsigned k, const char *word)
{
    size_t n = strlen(word), len = m->keys[k].len < 0 ? 0 : (size_t)m->keys[k].len;
    assert_true(len + n <= VALUE);
    memcpy(m->keys[k].bytes + len, word, n);
    m->keys[k].len = (int)(len + n);
}

/* One random write to the batch and the map. */
static inline void write_one(struct model *w, seerdb_batch *b, struct map *m)
{
    seerdb_err err = {0};
    char word[32];
    unsigned k = pick(w, KEYS), what = pick(w, 20);
    snprintf(word, sizeof word, "<%u>", ++w->operands);
    if (m->keys[k].len > (int)(VALUE - sizeof word))
        what = 0;
    if (what == 0) {
        m->keys[k].len = 0;
        for (unsigned n = pick(w, 2) == 0 ? 1 : 20; n > 0;
             n--) /* long ones lie apart */
            append_to(m, k, word);
        test_ok(seerdb_batch_put(b, w->t, key_of(k), value_of(m, k), &err), &err);
    } else if (what == 1) {
        m->keys[k].len = -1;
        test_ok(seerdb_batch_delete(b, w->t, key_of(k), &err), &err);
    } else if (what == 2) {
        m->keys[k].len = -1;
        test_ok(seerdb_batch_merge(b, w->t, key_of(k), test_slice("/"), &err), &err);
    } else if (what == 3) {
        unsigned to = k + 1 + pick(w, KEYS - k);
        for (unsigned i = k; i < to; i++)
            m->keys[i].len = -1;
        test_ok(seerdb_batch_delete_range(b, w->t, key_of(k), key_of(to), &err), &err);
    } else {
        append_to(m, k, word);
        test_ok(seerdb_batch_merge(b, w->t, key_of(k), test_slice(word), &err), &err);
    }
}

static inline void check_key(seerdb_view *v, seerdb_batch *b, uint64_t mark,
                             const struct map *m, unsigned k)
{
    seerdb_err err = {0};
    seerdb_value got;
    int rc = seerdb_get(v, b, mark, key_of(k), &got, &err);
    if (rc < 0)
        fail_msg("%s", err.msg);
    assert_int_equal(rc == 0, m->keys[k].len >= 0);
    if (rc != 0)
        return;
    test_slice_equal(got.key, key_of(k));
    test_slice_equal(got.bytes, value_of(m, k));
    seerdb_pin_unref(got.pin);
}

/* The view and the batch show what the map has: to lookups, and to scans there and
 * back, with turns. */
static inline void check(struct model *w, seerdb_view *v, seerdb_batch *b,
                         uint64_t mark, const struct map *m)
{
    seerdb_err err = {0};
    seerdb_iter *it = NULL;
    seerdb_pin *held = NULL;
    seerdb_value got, first = {0};
    for (unsigned k = 0; k < KEYS; k++)
        check_key(v, b, mark, m, k);
    test_ok(seerdb_iter_open(v, b, mark, &it, &err), &err);
    for (unsigned way = 0; way < 2; way++) {
        int rc = way == 0 ? seerdb_iter_first(it, &err) : seerdb_iter_last(it, &err);
        for (unsigned i = 0; i < KEYS; i++) {
            unsigned k = way == 0 ? i : KEYS - 1 - i;
            if (m->keys[k].len < 0)
                continue;
            assert_int_equal(rc, 0);
            seerdb_iter_show(it, &got);
            test_slice_equal(got.key, key_of(k));
            test_slice_equal(got.bytes, value_of(m, k));
            if (held == NULL) {
                first = got;
                held = seerdb_pin_ref(got.pin);
            }
            if (pick(w, 4) == 0) { /* there and back */
                rc = way == 0 ? seerdb_iter_prev(it, &err) : seerdb_iter_next(it, &err);
                if (rc != 0)
                    rc = way == 0 ? seerdb_iter_first(it, &err)
                                  : seerdb_iter_last(it, &err);
                else
                    rc = way == 0 ? seerdb_iter_next(it, &err)
                                  : seerdb_iter_prev(it, &err);
                assert_int_equal(rc, 0);
                test_slice_equal(seerdb_iter_key(it), key_of(k));
            }
            rc = way == 0 ? seerdb_iter_next(it, &err) : seerdb_iter_prev(it, &err);
        }
        assert_int_equal(rc, SEERDB_NOTFOUND);
    }
    seerdb_iter_close(it);
    for (unsigned k = 0; k < KEYS && held != NULL; k++)
        if (m->keys[k].len >= 0) { /* the first row is as it was */
            test_slice_equal(first.bytes, value_of(m, k));
            break;
        }
    if (held != NULL)
        seerdb_pin_unref(held);
}

#endif
