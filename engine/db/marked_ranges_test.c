/* SPDX-License-Identifier: Apache-2.0
 *
 * Range tombstones in marked trees, at random: whoever comes with an older marker sees
 * what it stood for, or is told that it is gone, whatever was spilled, taken back,
 * flushed, compacted, put aside and recovered meanwhile.
 *
 *     marked_ranges_test [seed]   SEERDB_SEED, SEERDB_MODEL_SECONDS (1) do the same */
#include "db/aside.h"
#include "db/batch.h"
#include "testing.h"

#include "os/clock.h"

enum { NKEYS = 48, NMARKS = 4, NVIEWS = 3, NPAST = 40, VALUE_MOST = 700 };

struct content {
    uint32_t value[NKEYS]; /* 0: no such key */
};

struct held_view {
    seerdb_view *view; /* NULL: none */
    struct content as_of;
};

struct world {
    struct bed bed;
    struct sdb_rand r;
    uint64_t seed, ops, gone, read;
    seerdb_uuid owner;
    seerdb_tree *tree;
    seerdb_batch *batch;
    seerdb_iter *it;   /* used again and again; NULL: not yet */
    _Atomic bool busy; /* the owner does not decide; workers ask, too */
    uint64_t marker;
    struct content committed, pending, marked[NMARKS];
    uint64_t marks[NMARKS];
    size_t nmarks;
    struct {
        uint64_t marker;
        struct content as_of;
    } past[NPAST]; /* the last commits that count */
    size_t npast;
    struct held_view views[NVIEWS];
    uint32_t next_value;
    seerdb_err err;
    char done[600]; /* the last operations, in words */
};

static uint64_t below(struct world *w, uint64_t n)
{
    return sdb_rand_below(&w->r, n);
}

static void note(struct world *w, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void note(struct world *w, const char *format, ...)
{
    char word[40];
    va_list args;
    va_start(args, format);
    vsnprintf(word, sizeof word, format, args);
    va_end(args);
    size_t n = strlen(w->done), m = strlen(word) + 1;
    while (n + m >= sizeof w->done) {
        size_t first = strcspn(w->done, " ") + 1;
        memmove(w->done, w->done + first, n + 1 - first);
        n -= first;
    }
    snprintf(w->done + n, sizeof w->done - n, "%s ", word);
}

#define fail_op(w, ...)                                                                \
    do {                                                                               \
        print_error("seed %" PRIu64 ", operation %" PRIu64 ", after %s:\n", (w)->seed, \
                    (w)->ops, (w)->done);                                              \
        fail_msg(__VA_ARGS__);                                                         \
    } while (0)

#define must(w, call)                                                                  \
    do {                                                                               \
        int must_rc_ = (call);                                                         \
        if (must_rc_ != 0)                                                             \
            fail_op(w, "%s: %d: %s", #call, must_rc_, (w)->err.msg);                   \
    } while (0)

/* ---- keys, values, checks ----------------------------------------------------------
 */

static seerdb_slice key_of(size_t i, char room[16])
{
    return (seerdb_slice){room, (size_t)snprintf(room, 16, "k%04zu", i)};
}

/* Some are larger than a table is wanted to be. */
static seerdb_slice value_of(uint32_t n, char room[VALUE_MOST])
{
    size_t size = n % 5 == 0 ? 300 + n % 400 : 4 + n % 30;
    memset(room, (int)(n & 0x7f), size);
    memcpy(room, &n, 4);
    return (seerdb_slice){room, size};
}

static void check_key(struct world *w, int rc, const struct content *c, size_t i,
                      const char *what)
{
    char key[16], value[VALUE_MOST];
    if (i == NKEYS) {
        if (rc != SEERDB_NOTFOUND)
            fail_op(w, "%s: %d: %.*s, expected nothing more", what, rc,
                    rc == 0 ? (int)seerdb_iter_key(w->it).size : 0,
                    rc == 0 ? (const char *)seerdb_iter_key(w->it).data : "");
        return;
    }
    if (rc != 0 || !sdb_slice_equal(seerdb_iter_key(w->it), key_of(i, key)) ||
        !sdb_slice_equal(seerdb_iter_value(w->it), value_of(c->value[i], value)))
        fail_op(w, "%s: %d: not at key %zu = %u", what, rc, i, c->value[i]);
}

static size_t next_key(const struct content *c, size_t i)
{
    while (i < NKEYS && c->value[i] == 0)
        i++;
    return i;
}

static size_t prev_key(const struct content *c, size_t i)
{
    while (i > 0 && c->value[i - 1] == 0)
        i--;
    return i > 0 ? i - 1 : NKEYS;
}

/* Both ways, by key, and from a place in the middle there and back. */
static void check(struct world *w, seerdb_view *v, seerdb_batch *b, uint64_t mark,
                  const struct content *c, const char *what)
{
    char key[16], value[VALUE_MOST];
    if (w->it == NULL)
        must(w, seerdb_iter_open(v, b, mark, &w->it, &w->err));
    else
        must(w, seerdb_iter_reopen(w->it, v, b, mark, &w->err));
    seerdb_iter *it = w->it;
    int rc = seerdb_iter_first(it, &w->err);
    size_t i;
    for (i = next_key(c, 0); i < NKEYS; i = next_key(c, i + 1)) {
        check_key(w, rc, c, i, what);
        rc = seerdb_iter_next(it, &w->err);
    }
    check_key(w, rc, c, NKEYS, what);
    rc = seerdb_iter_last(it, &w->err);
    for (i = prev_key(c, NKEYS); i < NKEYS; i = prev_key(c, i)) {
        check_key(w, rc, c, i, what);
        rc = seerdb_iter_prev(it, &w->err);
    }
    check_key(w, rc, c, NKEYS, what);
    i = (size_t)below(w, NKEYS);
    rc = seerdb_iter_seek(it, key_of(i, key), &w->err);
    check_key(w, rc, c, i = next_key(c, i), what);
    for (int steps = 0; steps < 6 && i < NKEYS; steps++) {
        bool on = below(w, 2) == 0;
        rc = on ? seerdb_iter_next(it, &w->err) : seerdb_iter_prev(it, &w->err);
        check_key(w, rc, c, i = on ? next_key(c, i + 1) : prev_key(c, i), what);
    }
    seerdb_iter_rest(it);
    for (int n = 0; n < 10; n++) {
        seerdb_value got = {0};
        i = (size_t)below(w, NKEYS);
        rc = seerdb_get(v, b, mark, key_of(i, key), &got, &w->err);
        if (rc != (c->value[i] != 0 ? 0 : SEERDB_NOTFOUND) ||
            (rc == 0 && !sdb_slice_equal(got.bytes, value_of(c->value[i], value))))
            fail_op(w, "%s: get of key %zu answers %d %s, it has %u", what, i, rc,
                    w->err.msg, c->value[i]);
        if (rc == 0)
            seerdb_pin_unref(got.pin);
    }
}

static seerdb_view *view_at(struct world *w, uint64_t marker)
{
    seerdb_view *v = NULL;
    int rc = seerdb_view_open_at(w->tree, marker, 0, &v, &w->err);
    if (rc == SEERDB_GONE && marker != w->marker) {
        w->err = (seerdb_err){0};
        w->gone++;
        return NULL;
    }
    if (rc != 0)
        fail_op(w, "a view at marker %" PRIu64 ": %d: %s", marker, rc, w->err.msg);
    w->read++;
    return v;
}

/* What readers see, the owner's batch being in this state. */
static void check_some(struct world *w)
{
    seerdb_view *v = view_at(w, w->marker);
    check(w, v, NULL, 0, &w->committed, "the tree");
    check(w, v, w->batch, SEERDB_BATCH_ALL, &w->pending, "the batch");
    if (w->nmarks > 0) {
        size_t i = (size_t)below(w, w->nmarks);
        check(w, v, w->batch, w->marks[i], &w->marked[i], "a mark");
    }
    seerdb_view_close(v);
    for (int n = 0; n < 2 && w->npast > 0; n++) {
        size_t i = (size_t)below(w, w->npast);
        if ((v = view_at(w, w->past[i].marker)) != NULL)
            check(w, v, NULL, 0, &w->past[i].as_of, "an old marker");
        seerdb_view_close(v);
    }
    struct held_view *h = &w->views[below(w, NVIEWS)];
    if (h->view != NULL)
        check(w, h->view, NULL, 0, &h->as_of, "an old view");
}

/* ---- operations --------------------------------------------------------------------
 */

static void change(struct world *w)
{
    char key[16], end[16], value[VALUE_MOST];
    size_t k = (size_t)below(w, NKEYS), to = k + (size_t)below(w, 9);
    switch (below(w, 8)) {
    case 0:
    case 1:
        if (below(w, 12) == 0)
            to = NKEYS;
        if (below(w, 12) == 0)
            k = 0;
        to = to < NKEYS ? to : NKEYS;
        note(w, "~%zu:%zu", k, to);
        must(w, seerdb_batch_delete_range(w->batch, w->tree, key_of(k, key),
                                          key_of(to, end), &w->err));
        for (size_t i = k; i < to; i++)
            w->pending.value[i] = 0;
        break;
    case 2:
        note(w, "-%zu", k);
        must(w, seerdb_batch_delete(w->batch, w->tree, key_of(k, key), &w->err));
        w->pending.value[k] = 0;
        break;
    default:
        note(w, "%zu=%u", k, ++w->next_value);
        must(w, seerdb_batch_put(w->batch, w->tree, key_of(k, key),
                                 value_of(w->next_value, value), &w->err));
        w->pending.value[k] = w->next_value;
        break;
    }
}

static void mark(struct world *w)
{
    if (w->nmarks < NMARKS && below(w, 2) == 0) {
        note(w, "mark");
        w->marked[w->nmarks] = w->pending;
        w->marks[w->nmarks++] = seerdb_batch_mark(w->batch);
    } else if (w->nmarks > 0 && below(w, 3) == 0) {
        note(w, "release");
        seerdb_batch_release(w->batch, w->marks[--w->nmarks]);
    } else if (w->nmarks > 0) {
        size_t i = (size_t)below(w, w->nmarks);
        note(w, "back");
        seerdb_batch_rollback_to(w->batch, w->marks[i]);
        w->pending = w->marked[i];
        w->nmarks = i + 1;
    }
}

/* BUSY: what is not decided stays where it is. */
static void allow_busy(struct world *w, int rc, const char *what)
{
    if (rc != 0 && rc != SEERDB_BUSY)
        fail_op(w, "%s: %d: %s", what, rc, w->err.msg);
    w->err = (seerdb_err){0};
}

static void background(struct world *w)
{
    seerdb *db = w->bed.db;
    switch (below(w, 8)) {
    case 0:
        note(w, "compact");
        must(w, seerdb_continue(db, &w->err));
        allow_busy(w, seerdb_compact(db, NULL, &w->err), "compact");
        break;
    case 1:
        note(w, "pause");
        must(w, seerdb_pause(db, &w->err));
        break;
    case 2:
        note(w, "continue");
        must(w, seerdb_continue(db, &w->err));
        break;
    case 3:
        note(w, "aside");
        sdb_aside_all(db);
        break;
    default:
        note(w, "flush");
        allow_busy(w, seerdb_flush(db, NULL, &w->err), "flush");
        break;
    }
}

static void remember(struct world *w)
{
    if (w->npast == NPAST)
        memmove(w->past, w->past + 1, --w->npast * sizeof w->past[0]);
    w->past[w->npast].marker = w->marker;
    w->past[w->npast++].as_of = w->committed;
}

/* The batch becomes a commit, or goes, or goes on. */
static void decide(struct world *w)
{
    uint64_t number = 0;
    uint64_t dice = below(w, 10);
    must(w, seerdb_batch_expect(w->batch, w->tree, w->marker, 0, NULL, &w->err));
    must(w, seerdb_prepare(w->batch, SEERDB_SYNC_OFF, &number, &w->err));
    if (below(w, 4) == 0) {
        note(w, "prepared");
        background(w);
        seerdb_view *v = view_at(w, w->marker);
        check(w, v, NULL, 0, &w->committed, "while a commit is undecided");
        seerdb_view_close(v);
    }
    if (dice < 2) {
        note(w, "rollback");
        must(w, seerdb_rollback(w->batch, &w->err));
        w->pending = w->committed;
    } else if (dice < 4) {
        note(w, "unprepare");
        must(w, seerdb_unprepare(w->batch, &w->err));
        if (below(w, 2) == 0)
            background(w);
        return; /* and the batch goes on */
    } else {
        note(w, "commit#%" PRIu64, number);
        seerdb_commit(w->batch);
        w->committed = w->pending;
        if (number != 0) {
            w->marker = number;
            remember(w);
        }
    }
    w->nmarks = 0;
}

static int answer(void *ctx, uint64_t below_number, seerdb_err *err)
{
    const struct world *w = ctx;
    (void)below_number;
    if (!w->busy)
        return 0;
    err->code = SEERDB_BUSY;
    snprintf(err->msg, sizeof err->msg, "the owner is busy");
    return SEERDB_BUSY;
}

static void let_go(struct world *w)
{
    seerdb_iter_close(w->it);
    w->it = NULL;
    for (size_t i = 0; i < NVIEWS; i++) {
        seerdb_view_close(w->views[i].view);
        w->views[i].view = NULL;
    }
    seerdb_batch_free(w->batch);
    must(w, seerdb_set_decider(w->bed.db, &w->owner, NULL, NULL, &w->err));
    seerdb_tree_close(w->tree);
}

static void take_up(struct world *w)
{
    w->tree = open_tree(w->bed.db, 1);
    w->busy = false;
    if (below(w, 4) > 0)
        must(w, seerdb_set_decider(w->bed.db, &w->owner, answer, w, &w->err));
    w->batch = new_batch(w->bed.db);
    w->pending = w->committed;
    w->nmarks = 0;
    must(w, seerdb_batch_expect(w->batch, w->tree, w->marker, 0, NULL, &w->err));
}

static void set_sizes(struct world *w)
{
    static const unsigned history_ms[] = {1, 20, 60000};
    w->bed.o.sizes.table = (size_t)512 << below(w, 4);
    w->bed.o.sizes.batch = (size_t)1024 << below(w, 4);
    w->bed.o.history_ms = history_ms[below(w, 3)];
}

static void reopen_store(struct world *w)
{
    note(w, "reopen");
    let_go(w);
    if (below(w, 2) == 0)
        bed_close(&w->bed);
    else
        bed_crash(&w->bed);
    set_sizes(w);
    bed_open_ok(&w->bed);
    take_up(w);
    verify(w->bed.db);
}

static void operate(struct world *w)
{
    uint64_t dice = below(w, 200);
    struct held_view *h = &w->views[below(w, NVIEWS)];
    w->ops++;
    if (dice < 140) {
        change(w);
    } else if (dice < 156) {
        mark(w);
    } else if (dice < 163) {
        note(w, "spill");
        must(w, seerdb_batch_spill(w->batch, &w->err));
    } else if (dice < 182) {
        decide(w);
    } else if (dice < 192) {
        background(w);
    } else if (dice < 195) {
        w->busy = below(w, 3) == 0;
    } else if (dice < 199) {
        seerdb_view_close(h->view);
        h->view = view_at(w, w->marker);
        h->as_of = w->committed;
    } else {
        reopen_store(w);
    }
}

static uint64_t seed_wanted, milliseconds_wanted = 1000;

static void live(struct world *w, uint64_t seed)
{
    seerdb_tree *t = NULL;
    *w = (struct world){.seed = seed, .r = {seed}, .owner = {{9}}};
    bed_init(&w->bed);
    set_sizes(w);
    bed_open_ok(&w->bed);
    seerdb_tree_options o = {.id = uuid_of(1),
                             .owner = w->owner,
                             .name = "t",
                             .compaction = (enum seerdb_compaction)below(w, 3),
                             .compression = (int)below(w, 2),
                             .marked = true};
    must(w, seerdb_tree_create(w->bed.db, &o, &t, &w->err));
    seerdb_tree_close(t);
    take_up(w);
    for (int i = 0; i < 500; i++) {
        operate(w);
        if (below(w, 3) == 0)
            check_some(w);
    }
    let_go(w);
    bed_fini(&w->bed);
}

static void an_old_marker_shows_what_it_stood_for(void **state)
{
    uint64_t end = sdb_clock_mono_us() + milliseconds_wanted * 1000, n = 0;
    uint64_t gone = 0, read = 0;
    struct world *w = malloc(sizeof *w);
    (void)state;
    assert_non_null(w);
    do {
        live(w, seed_wanted + n++);
        gone += w->gone;
        read += w->read;
    } while (sdb_clock_mono_us() < end);
    print_message("%" PRIu64 " lives, %" PRIu64 " views, %" PRIu64 " gone\n", n, read,
                  gone);
    assert_true(read > gone);
    free(w);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_old_marker_shows_what_it_stood_for),
    };
    const char *seed = argc > 1 ? argv[1] : getenv("SEERDB_SEED");
    const char *seconds = getenv("SEERDB_MODEL_SECONDS");
    seed_wanted = seed != NULL ? strtoull(seed, NULL, 10) : sdb_clock_unix_us();
    if (seconds != NULL)
        milliseconds_wanted = strtoull(seconds, NULL, 10) * 1000;
    print_message("seed %" PRIu64 "\n", seed_wanted);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
