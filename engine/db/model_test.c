/* SPDX-License-Identifier: Apache-2.0
 *
 * Random operations on a few trees against a sorted array of keys.  Memory and log
 * files are tiny, so that memtables freeze, log files rotate and are recycled, and
 * tables are written all the time.
 *
 *     model_test [seed]      SEERDB_SEED, SEERDB_MODEL_SECONDS (1) do the same
 *
 * The operations depend on the seed only; when the background thread works does not. */
#include "db/batch.h"
#include "testing.h"

#include "base/coding.h"
#include "os/clock.h"
#include "table/key.h"

enum { NTREES = 3, NKEYS = 400, NMARKS = 6, NVIEWS = 5, NITERS = 4, VALUE_MOST = 3000 };

/* A value is known by its number; 0: no such key. */
struct content {
    uint32_t value[NTREES][NKEYS];
};

struct key {
    char bytes[40];
    size_t size;
};

struct held_view {
    seerdb_view *view; /* NULL: none */
    unsigned tree;
    struct content as_of;
};

struct held_iter {
    seerdb_iter *it; /* NULL: none */
    unsigned tree;
    size_t lower, upper; /* keys in [lower, upper) */
    bool over_batch;
    size_t at; /* NKEYS: unpositioned */
    struct content as_of;
};

struct model {
    struct bed bed;
    struct sdb_rand r;
    uint64_t compactions; /* of stores closed */
    uint64_t seed, ops;
    struct key keys[NKEYS]; /* rising */
    unsigned tree_ids[NTREES], next_tree_id;
    seerdb_tree *trees[NTREES];
    struct content committed, pending; /* pending: with the batch's writes */
    seerdb_batch *batch;
    struct content marked[NMARKS];
    uint64_t marks[NMARKS];
    size_t nmarks;
    uint32_t next_value;
    struct held_view views[NVIEWS];
    struct held_iter iters[NITERS];
    seerdb_err err;
};

static uint64_t below(struct model *m, uint64_t n)
{
    return sdb_rand_below(&m->r, n);
}

#define fail_op(m, ...)                                                                \
    do {                                                                               \
        print_error("seed %" PRIu64 ", operation %" PRIu64 ": ", (m)->seed, (m)->ops); \
        fail_msg(__VA_ARGS__);                                                         \
    } while (0)

#define must(m, call)                                                                  \
    do {                                                                               \
        int must_rc_ = (call);                                                         \
        if (must_rc_ != 0)                                                             \
            fail_op(m, "%s: %d: %s", #call, must_rc_, (m)->err.msg);                   \
    } while (0)

/* ---- keys and values ---------------------------------------------------------- */

static int compare_keys(const void *pa, const void *pb)
{
    const struct key *a = pa, *b = pb;
    return sdb_slice_cmp((seerdb_slice){a->bytes, a->size},
                         (seerdb_slice){b->bytes, b->size});
}

/* Short and long, with shared beginnings, zero bytes, prefixes of each other. */
static struct key make_key(struct model *m)
{
    struct key k = {.size = 0};
    switch (below(m, 5)) {
    case 0: /* dense integers */
        k.bytes[0] = 1;
        sdb_store_be64(k.bytes + 1, below(m, 200));
        k.size = 9;
        break;
    case 1: /* words, some a prefix of others */
        k.size =
            (size_t)snprintf(k.bytes, sizeof k.bytes, "key%u", (unsigned)below(m, 120));
        break;
    case 2: /* more than eight equal bytes in front */
        k.size = (size_t)snprintf(k.bytes, sizeof k.bytes, "the-same-beginning-%u",
                                  (unsigned)below(m, 120));
        break;
    case 3: /* only zeros and ones */
        k.size = (size_t)below(m, 12);
        for (size_t i = 0; i < k.size; i++)
            k.bytes[i] = (char)below(m, 2);
        break;
    default:
        k.size = 1 + (size_t)below(m, 20);
        for (size_t i = 0; i < k.size; i++)
            k.bytes[i] = (char)sdb_rand_next(&m->r);
        break;
    }
    return k;
}

static void make_keys(struct model *m)
{
    size_t n = 0;
    while (n < NKEYS) {
        while (n < NKEYS)
            m->keys[n++] = make_key(m);
        qsort(m->keys, n, sizeof m->keys[0], compare_keys);
        size_t unique = 1;
        for (size_t i = 1; i < n; i++)
            if (compare_keys(&m->keys[unique - 1], &m->keys[i]) != 0)
                m->keys[unique++] = m->keys[i];
        n = unique;
    }
}

static seerdb_slice key_of(const struct model *m, size_t i)
{
    return (seerdb_slice){m->keys[i].bytes, m->keys[i].size};
}

/* The bytes of value `n`; borrowed until the next call. */
static seerdb_slice value_of(uint32_t n)
{
    static char bytes[VALUE_MOST];
    struct sdb_rand r = {n};
    size_t size = (size_t)sdb_rand_below(&r, 60);
    if (n % 4 == 0)
        size = (size_t)sdb_rand_below(&r, VALUE_MOST);
    for (size_t i = 0; i < size; i += 8)
        sdb_store_u64(bytes + i, sdb_rand_next(&r)); /* VALUE_MOST is a multiple of 8 */
    return (seerdb_slice){bytes, size};
}

/* ---- checks --------------------------------------------------------------------- */

static void check_get(struct model *m, seerdb_view *v, unsigned tree, seerdb_batch *b,
                      uint64_t mark, const struct content *want)
{
    seerdb_value got = {0};
    size_t k = (size_t)below(m, NKEYS);
    int rc = seerdb_get(v, b, mark, key_of(m, k), &got, &m->err);
    uint32_t n = want->value[tree][k];
    if (rc != (n == 0 ? SEERDB_NOTFOUND : 0))
        fail_op(m, "get of key %zu of tree %u answers %d %s, it has value %u", k, tree,
                rc, m->err.msg, n);
    if (rc == 0 && !sdb_slice_equal(got.bytes, value_of(n)))
        fail_op(m, "get of key %zu of tree %u: not value %u", k, tree, n);
    if (rc == 0)
        seerdb_pin_unref(got.pin);
}

/* The first key with a value in [from, to), or NKEYS. */
static size_t next_key(const struct content *c, unsigned tree, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++)
        if (c->value[tree][i] != 0)
            return i;
    return NKEYS;
}

/* The last one. */
static size_t prev_key(const struct content *c, unsigned tree, size_t from, size_t to)
{
    for (size_t i = to; i > from; i--)
        if (c->value[tree][i - 1] != 0)
            return i - 1;
    return NKEYS;
}

/* The iterator answered rc and must stand on key `want` (NKEYS: on none). */
static void check_at(struct model *m, struct held_iter *h, int rc, size_t want,
                     const char *what)
{
    h->at = want;
    if (rc != (want == NKEYS ? SEERDB_NOTFOUND : 0))
        fail_op(m, "%s of tree %u answers %d %s, expected key %zu", what, h->tree, rc,
                m->err.msg, want);
    if (want == NKEYS)
        return;
    if (!sdb_slice_equal(seerdb_iter_key(h->it), key_of(m, want)))
        fail_op(m, "%s of tree %u: not on key %zu", what, h->tree, want);
    if (!sdb_slice_equal(seerdb_iter_value(h->it),
                         value_of(h->as_of.value[h->tree][want])))
        fail_op(m, "%s of tree %u: key %zu has not value %u", what, h->tree, want,
                h->as_of.value[h->tree][want]);
}

static void bound_iter(struct model *m, struct held_iter *h)
{
    seerdb_slice lower = {0}, upper = {0};
    h->lower = 0;
    h->upper = NKEYS;
    h->at = NKEYS;
    if (below(m, 2) == 0)
        lower = key_of(m, h->lower = (size_t)below(m, NKEYS));
    if (below(m, 2) == 0)
        upper = key_of(m, h->upper = (size_t)below(m, NKEYS));
    must(m, seerdb_iter_bound(h->it, lower, upper, &m->err));
}

/* One random move. */
static void move_iter(struct model *m, struct held_iter *h)
{
    const struct content *c = &h->as_of;
    size_t k = (size_t)below(m, NKEYS), from;
    seerdb_iter *it = h->it;
    switch (below(m, h->at == NKEYS ? 5 : 20)) {
    case 0:
        bound_iter(m, h);
        break;
    case 1:
        check_at(m, h, seerdb_iter_first(it, &m->err),
                 next_key(c, h->tree, h->lower, h->upper), "first");
        break;
    case 2:
        check_at(m, h, seerdb_iter_last(it, &m->err),
                 prev_key(c, h->tree, h->lower, h->upper), "last");
        break;
    case 3:
        from = k > h->lower ? k : h->lower;
        check_at(m, h, seerdb_iter_seek(it, key_of(m, k), &m->err),
                 next_key(c, h->tree, from, h->upper), "seek");
        break;
    case 4:
        from = k + 1 < h->upper ? k + 1 : h->upper;
        check_at(m, h, seerdb_iter_seek_for_prev(it, key_of(m, k), &m->err),
                 prev_key(c, h->tree, h->lower, from), "seek_for_prev");
        break;
    default:
        if (below(m, 2) == 0)
            check_at(m, h, seerdb_iter_next(it, &m->err),
                     next_key(c, h->tree, h->at + 1, h->upper), "next");
        else
            check_at(m, h, seerdb_iter_prev(it, &m->err),
                     prev_key(c, h->tree, h->lower, h->at), "prev");
        break;
    }
}

/* Walk the whole of it. */
static void check_scan(struct model *m, struct held_iter *h, bool forward)
{
    bound_iter(m, h);
    int rc =
        forward ? seerdb_iter_first(h->it, &m->err) : seerdb_iter_last(h->it, &m->err);
    size_t k = forward ? next_key(&h->as_of, h->tree, h->lower, h->upper)
                       : prev_key(&h->as_of, h->tree, h->lower, h->upper);
    check_at(m, h, rc, k, "start of a scan");
    while (k != NKEYS) {
        rc = forward ? seerdb_iter_next(h->it, &m->err)
                     : seerdb_iter_prev(h->it, &m->err);
        k = forward ? next_key(&h->as_of, h->tree, k + 1, h->upper)
                    : prev_key(&h->as_of, h->tree, h->lower, k);
        check_at(m, h, rc, k, "scan");
    }
}

/* ---- operations -------------------------------------------------------------------
 */

static void close_iter(struct held_iter *h)
{
    seerdb_iter_close(h->it);
    h->it = NULL;
}

static void drop_held(struct model *m)
{
    for (size_t i = 0; i < NITERS; i++)
        close_iter(&m->iters[i]);
    for (size_t i = 0; i < NVIEWS; i++) {
        seerdb_view_close(m->views[i].view);
        m->views[i].view = NULL;
    }
}

/* Choose what a read sees: which tree, view, batch, mark, and what must be there. */
static seerdb_view *choose(struct model *m, unsigned *tree, seerdb_batch **b,
                           uint64_t *mark, const struct content **want)
{
    struct held_view *h = &m->views[below(m, NVIEWS)];
    *b = NULL;
    *mark = 0;
    if (h->view != NULL && below(m, 2) == 0) {
        *tree = h->tree;
        *want = &h->as_of;
        return seerdb_view_ref(h->view);
    }
    *tree = (unsigned)below(m, NTREES);
    *want = &m->committed;
    if (below(m, 3) > 0) {
        *b = m->batch;
        *mark = SEERDB_BATCH_ALL;
        *want = &m->pending;
        if (m->nmarks > 0 && below(m, 2) == 0) {
            size_t i = (size_t)below(m, m->nmarks);
            *mark = m->marks[i];
            *want = &m->marked[i];
        }
    }
    return new_view(m->trees[*tree]);
}

static void op_get(struct model *m)
{
    unsigned tree;
    seerdb_batch *b;
    uint64_t mark;
    const struct content *want;
    seerdb_view *v = choose(m, &tree, &b, &mark, &want);
    for (int i = 0; i < 8; i++)
        check_get(m, v, tree, b, mark, want);
    seerdb_view_close(v);
}

static void op_iter(struct model *m)
{
    struct held_iter *h = &m->iters[below(m, NITERS)];
    if (h->it == NULL) {
        seerdb_batch *b;
        uint64_t mark;
        const struct content *want;
        seerdb_view *v = choose(m, &h->tree, &b, &mark, &want);
        must(m, seerdb_iter_open(v, b, mark, &h->it, &m->err));
        seerdb_view_close(v);
        h->as_of = *want;
        h->over_batch = b != NULL;
        bound_iter(m, h);
    }
    if (below(m, 8) == 0)
        check_scan(m, h, below(m, 2) == 0);
    for (uint64_t n = below(m, 10); n > 0; n--)
        move_iter(m, h);
    if (below(m, 6) == 0)
        close_iter(h);
}

static void op_view(struct model *m)
{
    struct held_view *h = &m->views[below(m, NVIEWS)];
    if (h->view != NULL) {
        seerdb_view_close(h->view);
        h->view = NULL;
        return;
    }
    h->tree = (unsigned)below(m, NTREES);
    h->view = new_view(m->trees[h->tree]);
    h->as_of = m->committed;
}

static void op_change(struct model *m)
{
    unsigned tree = (unsigned)below(m, NTREES);
    size_t k = (size_t)below(m, NKEYS);
    if (below(m, 3) == 0) {
        must(m, seerdb_batch_delete(m->batch, m->trees[tree], key_of(m, k), &m->err));
        m->pending.value[tree][k] = 0;
    } else {
        uint32_t n = ++m->next_value;
        must(m, seerdb_batch_put(m->batch, m->trees[tree], key_of(m, k), value_of(n),
                                 &m->err));
        m->pending.value[tree][k] = n;
    }
}

/* Mostly of a few keys, so that something is left; bounds are keys, or lie between. */
static void op_delete_range(struct model *m)
{
    unsigned tree = (unsigned)below(m, NTREES);
    size_t lo = (size_t)below(m, NKEYS), n = (size_t)below(m, 20);
    if (below(m, 16) == 0)
        n = (size_t)below(m, NKEYS);
    size_t hi = lo + n < NKEYS ? lo + n : NKEYS;
    struct key lower = m->keys[lo], upper = {.size = 1, .bytes = {(char)0xff}};
    upper.size = sizeof upper.bytes; /* above all of them */
    memset(upper.bytes, 0xff, upper.size);
    if (hi < NKEYS)
        upper = m->keys[hi];
    if (below(m, 4) == 0 && lo + 1 < NKEYS && lower.size < sizeof lower.bytes) {
        lower.bytes[lower.size++] = 0; /* the next byte string: behind the key */
        if (compare_keys(&lower, &m->keys[++lo]) > 0)
            fail_op(m, "a key lies behind its neighbour");
    }
    bool from_the_start = below(m, 30) == 0;
    must(m,
         seerdb_batch_delete_range(m->batch, m->trees[tree],
                                   (seerdb_slice){from_the_start ? NULL : lower.bytes,
                                                  from_the_start ? 0 : lower.size},
                                   (seerdb_slice){upper.bytes, upper.size}, &m->err));
    for (size_t k = from_the_start ? 0 : lo; k < hi; k++)
        m->pending.value[tree][k] = 0;
}

static void op_mark(struct model *m)
{
    if (m->nmarks == NMARKS)
        return;
    m->marked[m->nmarks] = m->pending;
    m->marks[m->nmarks++] = seerdb_batch_mark(m->batch);
}

static void op_release(struct model *m)
{
    if (m->nmarks == 0)
        return;
    size_t i = (size_t)below(m, m->nmarks);
    seerdb_batch_release(m->batch, m->marks[i]);
    m->nmarks--;
    for (; i < m->nmarks; i++) {
        m->marks[i] = m->marks[i + 1];
        m->marked[i] = m->marked[i + 1];
    }
}

/* Iterators may or may not go on showing what is rolled back: let go of those. */
static void op_rollback_to(struct model *m)
{
    if (m->nmarks == 0)
        return;
    size_t i = (size_t)below(m, m->nmarks);
    for (size_t j = 0; j < NITERS; j++)
        if (m->iters[j].over_batch)
            close_iter(&m->iters[j]);
    seerdb_batch_rollback_to(m->batch, m->marks[i]);
    m->pending = m->marked[i];
    m->nmarks = i + 1;
}

static enum seerdb_sync any_sync(struct model *m)
{
    return (enum seerdb_sync)below(m, 3);
}

static void op_commit(struct model *m)
{
    uint64_t number;
    switch (below(m, 8)) {
    case 0:
        must(m, seerdb_rollback(m->batch, &m->err));
        m->pending = m->committed;
        m->nmarks = 0;
        return;
    case 1: /* prepared, taken back, and on with it */
        must(m, seerdb_prepare(m->batch, any_sync(m), &number, &m->err));
        must(m, seerdb_unprepare(m->batch, &m->err));
        return;
    case 2:
        must(m, seerdb_prepare(m->batch, any_sync(m), &number, &m->err));
        must(m, seerdb_rollback(m->batch, &m->err));
        m->pending = m->committed;
        m->nmarks = 0;
        return;
    case 3:
        must(m, seerdb_prepare(m->batch, any_sync(m), &number, &m->err));
        op_get(m);
        if (below(m, 2) == 0)
            must(m, seerdb_flush(m->bed.db, NULL, &m->err));
        seerdb_commit(m->batch);
        break;
    default:
        must(m, seerdb_write(m->batch, any_sync(m), &m->err));
        break;
    }
    m->committed = m->pending;
    m->nmarks = 0;
}

static void open_trees(struct model *m)
{
    for (unsigned i = 0; i < NTREES; i++)
        m->trees[i] = open_tree(m->bed.db, m->tree_ids[i]);
    m->batch = new_batch(m->bed.db);
}

/* Everything must be there, to the last byte. */
static void check_all(struct model *m)
{
    for (unsigned t = 0; t < NTREES; t++) {
        struct held_iter h = {.tree = t, .as_of = m->committed, .upper = NKEYS};
        seerdb_view *v = new_view(m->trees[t]);
        must(m, seerdb_iter_open(v, NULL, 0, &h.it, &m->err));
        check_scan(m, &h, t % 2 == 0);
        for (int i = 0; i < 20; i++)
            check_get(m, v, t, NULL, 0, &m->committed);
        close_iter(&h);
        seerdb_view_close(v);
    }
    verify(m->bed.db);
}

/* Small tables and small levels: compactions of several levels, all the time. */
static void set_sizes(struct model *m)
{
    m->bed.o.sizes.table = (size_t)1024 << below(m, 6);
    m->bed.o.sizes.batch = (size_t)2048 << below(m, 6);
}

static seerdb_tree *new_tree(struct model *m, unsigned id)
{
    seerdb_tree *t = NULL;
    seerdb_tree_options o = {.id = uuid_of(id),
                             .name = "t",
                             .compaction = (enum seerdb_compaction)below(m, 3),
                             .compression = (int)below(m, 2)};
    must(m, seerdb_tree_create(m->bed.db, &o, &t, &m->err));
    return t;
}

static void op_compact(struct model *m)
{
    seerdb *db = m->bed.db;
    switch (below(m, 8)) {
    case 0:
        must(m, seerdb_pause(db, &m->err));
        break;
    case 1:
        must(m, seerdb_continue(db, &m->err));
        must(m, seerdb_compact(db, below(m, 2) == 0 ? NULL : m->trees[0], &m->err));
        break;
    default:
        must(m, seerdb_continue(db, &m->err));
        break;
    }
}

static void op_reopen(struct model *m)
{
    m->compactions += (uint64_t)(stat_of(m->bed.db, NULL, "compactions") +
                                 stat_of(m->bed.db, NULL, "moves"));
    drop_held(m);
    seerdb_batch_free(m->batch);
    m->pending = m->committed;
    m->nmarks = 0;
    for (unsigned i = 0; i < NTREES; i++)
        seerdb_tree_close(m->trees[i]);
    if (below(m, 2) == 0)
        bed_close(&m->bed);
    else
        bed_crash(&m->bed); /* of the process: what was written is there */
    m->bed.o.log_file_size = (uint64_t)16384 << below(m, 3);
    set_sizes(m);
    bed_open_ok(&m->bed);
    open_trees(m);
    check_all(m);
}

static void op_new_tree(struct model *m)
{
    unsigned i = (unsigned)below(m, NTREES);
    for (size_t j = 0; j < NITERS; j++) /* the model's copies are about another tree */
        close_iter(&m->iters[j]);
    must(m, seerdb_rollback(m->batch, &m->err));
    must(m, seerdb_tree_intend_drop(m->trees[i], &m->err));
    must(m, seerdb_tree_drop(m->trees[i], &m->err));
    m->trees[i] = new_tree(m, m->tree_ids[i] = m->next_tree_id++);
    memset(m->committed.value[i], 0, sizeof m->committed.value[i]);
    m->pending = m->committed;
    m->nmarks = 0;
}

static void operate(struct model *m)
{
    uint64_t dice = below(m, 4000);
    m->ops++;
    if (dice < 2)
        op_reopen(m);
    else if (dice < 4)
        op_new_tree(m);
    else if (dice < 8)
        op_compact(m);
    else if (dice < 60)
        must(m,
             seerdb_flush(m->bed.db, below(m, 2) == 0 ? NULL : m->trees[0], &m->err));
    else if (dice < 150)
        op_commit(m);
    else if (dice < 200)
        op_mark(m);
    else if (dice < 230)
        op_rollback_to(m);
    else if (dice < 240)
        op_release(m);
    else if (dice < 252)
        must(m, seerdb_batch_spill(m->batch, &m->err));
    else if (dice < 300)
        op_view(m);
    else if (dice < 700)
        op_iter(m);
    else if (dice < 1200)
        op_get(m);
    else if (dice < 1240)
        op_delete_range(m);
    else
        op_change(m);
}

static uint64_t seed_wanted, milliseconds_wanted = 1000;

static void a_store_agrees_with_a_sorted_array(void **state)
{
    struct model *m = calloc(1, sizeof *m);
    (void)state;
    assert_non_null(m);
    m->seed = seed_wanted;
    m->r.state = m->seed;
    make_keys(m);
    bed_init(&m->bed);
    set_sizes(m);
    bed_open_ok(&m->bed);
    for (unsigned i = 0; i < NTREES; i++)
        seerdb_tree_close(new_tree(m, m->tree_ids[i] = ++m->next_tree_id));
    m->next_tree_id++;
    open_trees(m);
    uint64_t end = sdb_clock_mono_us() + milliseconds_wanted * 1000;
    do {
        for (int i = 0; i < 500; i++)
            operate(m);
    } while (sdb_clock_mono_us() < end);
    op_reopen(m);
    print_message("%" PRIu64 " operations, %" PRIu64 " compactions\n", m->ops,
                  m->compactions);
    drop_held(m);
    seerdb_batch_free(m->batch);
    for (unsigned i = 0; i < NTREES; i++)
        seerdb_tree_close(m->trees[i]);
    bed_fini(&m->bed);
    free(m);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_store_agrees_with_a_sorted_array),
    };
    const char *seed = argc > 1 ? argv[1] : getenv("SEERDB_SEED");
    const char *seconds = getenv("SEERDB_MODEL_SECONDS");
    seed_wanted = seed != NULL ? strtoull(seed, NULL, 10) : sdb_clock_unix_us();
    if (seconds != NULL)
        milliseconds_wanted = strtoull(seconds, NULL, 10) * 1000;
    print_message("seed %" PRIu64 "\n", seed_wanted);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
