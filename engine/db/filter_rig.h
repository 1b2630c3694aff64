/* SPDX-License-Identifier: Apache-2.0
 *
 * filter_rig -- for the tests of filters: one that makes rows expire, by a clock that
 * the tests set.  A value "e100" is a row that expires at second 100, as is "e100 ...",
 * "c100" one that changes to "C" then, "!100" one about which the filter fails from
 * then on; others stay for ever. */
#ifndef SDB_DB_FILTER_RIG_H
#define SDB_DB_FILTER_RIG_H

#include "testing.h"

#define SECOND UINT64_C(1000000)

/* The filter, and the clock. */
struct world {
    _Atomic uint64_t now_us;
    _Atomic int asked, whole, released;
    bool lasting;
};

static inline uint64_t tell_time(void *ctx)
{
    struct world *w = ctx;
    return w->now_us;
}

static inline uint64_t due_us(seerdb_slice value)
{
    char digits[24] = "";
    if (value.size < 2)
        return UINT64_MAX;
    memcpy(digits, (const char *)value.data + 1,
           value.size < sizeof digits ? value.size - 1 : sizeof digits - 1);
    return strtoull(digits, NULL, 10) * SECOND;
}

static inline int verdict(void *ctx, const seerdb_row *row, uint64_t now_us,
                          seerdb_filter_out *out, seerdb_err *err)
{
    struct world *w = ctx;
    w->asked++;
    char kind = row->value.size > 0 ? *(const char *)row->value.data : ' ';
    if (strchr("ec!", kind) == NULL || due_us(row->value) > now_us)
        return SEERDB_KEEP;
    if (kind == '!') {
        snprintf(err->msg, sizeof err->msg, "cannot tell about %.*s",
                 (int)row->key.size, (const char *)row->key.data);
        return SEERDB_MISUSE;
    }
    if (kind == 'c')
        seerdb_filter_emit(out, "C", 1);
    return kind == 'c' ? SEERDB_CHANGE : SEERDB_REMOVE;
}

static inline int expiry(void *ctx, const seerdb_row *row, uint64_t *time_us)
{
    (void)ctx;
    if (row->value.size == 0 || *(const char *)row->value.data != 'e')
        return SEERDB_NOTFOUND;
    *time_us = due_us(row->value);
    return 0;
}

static inline void release(void *ctx)
{
    struct world *w = ctx;
    w->released++;
}

static inline seerdb_filter filter_of(struct world *w)
{
    return (seerdb_filter){.ctx = w,
                           .verdict = verdict,
                           .expiry = expiry,
                           .lasting = w->lasting,
                           .release = release};
}

static inline void use_filter(seerdb_tree *t, struct world *w)
{
    seerdb_err err = {0};
    seerdb_filter f = filter_of(w);
    test_ok(seerdb_tree_filter_with(t, &f, &err), &err);
}

/* A store whose clock stands at `second`, and a tree with the filter, whose answers
 * last. */
static inline seerdb_tree *begin_lasting(struct bed *b, struct world *w,
                                         uint64_t second, bool lasting)
{
    *w = (struct world){.now_us = second * SECOND, .lasting = lasting};
    bed_init(b);
    b->o.clock = tell_time;
    b->o.clock_ctx = w;
    bed_open_ok(b);
    seerdb_tree *t = create_tree(b->db, 1);
    use_filter(t, w);
    return t;
}

static inline seerdb_tree *begin(struct bed *b, struct world *w, uint64_t second)
{
    return begin_lasting(b, w, second, false);
}

static inline void end(struct bed *b, seerdb_tree *t)
{
    seerdb_tree_close(t);
    bed_fini(b);
}

static inline seerdb_tree *reopened(struct bed *b, seerdb_tree *t, struct world *w)
{
    seerdb_tree_close(t);
    bed_close(b);
    bed_open_ok(b);
    t = open_tree(b->db, 1);
    use_filter(t, w);
    return t;
}

static inline bool count_drop(void *ctx, const seerdb_event *e)
{
    unsigned *n = ctx;
    *n += strcmp(e->event, "drop") == 0;
    return true;
}

/* How often tables went unread, of late. */
static inline unsigned count_drops(seerdb_tree *t)
{
    unsigned n = 0;
    seerdb_err err = {0};
    test_ok(seerdb_events(seerdb_tree_store(t), t, count_drop, &n, &err), &err);
    return n;
}

static inline void compact(seerdb *db)
{
    seerdb_err err = {0};
    test_ok(seerdb_compact(db, NULL, &err), &err);
}

#endif
