/* SPDX-License-Identifier: Apache-2.0
 *
 * Marked trees under several threads; made for the thread sanitizer.  Per tree one
 * writer, whose marker readers see before the commit is published, as they would see a
 * database's; they must see exactly the marker's state.  A third thread flushes and
 * takes the deciders away and back. */
#include "testing.h"

#include "os/clock.h"
#include "os/thread.h"

#include <stdatomic.h>

enum { NTREES = 2, NREADERS = 2, NKEYS = 40, MOST = 200000 };

struct shared {
    struct bed bed;
    struct one {
        struct shared *all;
        seerdb_tree *tree;
        seerdb_uuid owner;
        uint64_t *markers;    /* by txn; written before `txn` */
        _Atomic uint64_t txn; /* release: the writer's decision; acquire: readers */
        uint64_t seed;
    } one[NTREES];
    _Atomic bool stop;
    _Atomic uint64_t commits, reads, gone, flushes; /* relaxed: only counted */
    _Atomic(const char *) failure;                  /* the first thing wrong; static */
};

/* cmocka may fail a test in the main thread only. */
static void complain(struct shared *s, const char *what)
{
    const char *none = NULL;
    atomic_compare_exchange_strong(&s->failure, &none, what);
    atomic_store(&s->stop, true);
}

static bool go_on(struct shared *s)
{
    return !atomic_load_explicit(&s->stop, memory_order_relaxed);
}

static int decide(void *ctx, uint64_t below, seerdb_err *err)
{
    (void)below;
    (void)ctx;
    (void)err;
    return 0;
}

static bool put_number(seerdb_batch *b, seerdb_tree *t, const char *key, uint64_t n)
{
    char text[400];
    int size = snprintf(text, sizeof text, "%llu %0*d", (unsigned long long)n, 300, 0);
    return seerdb_batch_put(b, t, test_slice(key), (seerdb_slice){text, (size_t)size},
                            NULL) == 0;
}

static uint64_t number_in(seerdb_slice v)
{
    char text[32] = {0};
    memcpy(text, v.data, v.size < sizeof text - 1 ? v.size : sizeof text - 1);
    return strtoull(text, NULL, 10);
}

/* Each commit sets some keys to its txn, and the sum of all. */
static void *write_tree(void *arg)
{
    struct one *o = arg;
    struct shared *s = o->all;
    struct sdb_rand r = {o->seed};
    uint64_t values[NKEYS] = {0}, marker = 0, number;
    seerdb_batch *b = NULL;
    if (seerdb_batch_new(s->bed.db, &b, NULL) != 0)
        complain(s, "no batch");
    for (uint64_t txn = 1; go_on(s) && txn < MOST; txn++) {
        uint64_t next[NKEYS], sum = 0;
        char key[16];
        memcpy(next, values, sizeof next);
        if (seerdb_batch_expect(b, o->tree, marker, 0, NULL, NULL) != 0)
            complain(s, "the marker is refused");
        for (int i = 0; i < 3; i++) {
            unsigned k = (unsigned)sdb_rand_below(&r, NKEYS);
            snprintf(key, sizeof key, "k%02u", k);
            next[k] = txn;
            if (!put_number(b, o->tree, key, txn))
                complain(s, "a put fails");
        }
        for (unsigned k = 0; k < NKEYS; k++)
            sum += next[k];
        if (sdb_rand_below(&r, 24) == 0 && seerdb_batch_spill(b, NULL) != 0)
            complain(s, "a spill fails");
        if (!put_number(b, o->tree, "sum", sum) ||
            seerdb_prepare(b, (enum seerdb_sync)sdb_rand_below(&r, 3), &number, NULL))
            complain(s, "a prepare fails");
        if (sdb_rand_below(&r, 6) == 0) {
            if (seerdb_rollback(b, NULL) != 0)
                complain(s, "a rollback fails");
            txn--;
            continue;
        }
        o->markers[txn] = marker = number;
        atomic_store_explicit(&o->txn, txn, memory_order_release);
        seerdb_commit(b);
        memcpy(values, next, sizeof values);
        atomic_fetch_add_explicit(&s->commits, 1, memory_order_relaxed);
    }
    seerdb_batch_free(b);
    return NULL;
}

/* The values are none later than txn, and add up to the sum. */
static bool adds_up(seerdb_view *v, uint64_t txn, bool forward)
{
    uint64_t sum = 0, total = 0, newest = 0;
    seerdb_iter *it = NULL;
    if (seerdb_iter_open(v, NULL, 0, &it, NULL) != 0)
        return false;
    int rc = forward ? seerdb_iter_first(it, NULL) : seerdb_iter_last(it, NULL);
    while (rc == 0) {
        uint64_t n = number_in(seerdb_iter_value(it));
        if (((const char *)seerdb_iter_key(it).data)[0] == 's') {
            total = n;
        } else {
            sum += n;
            newest = n > newest ? n : newest;
        }
        rc = forward ? seerdb_iter_next(it, NULL) : seerdb_iter_prev(it, NULL);
    }
    seerdb_iter_close(it);
    return rc == SEERDB_NOTFOUND && sum == total && newest == txn;
}

static void *read_tree(void *arg)
{
    struct one *o = arg;
    struct shared *s = o->all;
    struct sdb_rand r = {o->seed + 100};
    while (go_on(s)) {
        seerdb_view *v = NULL;
        uint64_t txn = atomic_load_explicit(&o->txn, memory_order_acquire), back = 0;
        if (sdb_rand_below(&r, 3) == 0)
            back = sdb_rand_below(&r, txn < 30 ? txn + 1 : 30);
        txn -= back;
        int rc = seerdb_view_open_at(o->tree, txn > 0 ? o->markers[txn] : 0, 10000, &v,
                                     NULL);
        if (rc == SEERDB_GONE) {
            atomic_fetch_add_explicit(&s->gone, 1, memory_order_relaxed);
            continue;
        }
        if (rc != 0)
            complain(s, rc == SEERDB_BUSY ? "a view is busy" : "a view does not open");
        else if (!adds_up(v, txn, back % 2 == 0))
            complain(s, "a state that never was");
        seerdb_view_close(v);
        atomic_fetch_add_explicit(&s->reads, 1, memory_order_relaxed);
    }
    return NULL;
}

static void *flush_all(void *arg)
{
    struct shared *s = arg;
    for (unsigned i = 0; go_on(s); i++) {
        struct one *o = &s->one[i % NTREES];
        if (i % 5 == 0 &&
            seerdb_set_decider(s->bed.db, &o->owner, NULL, NULL, NULL) != 0)
            complain(s, "a decider is not unset");
        int rc = i % 7 == 0
                     ? seerdb_compact(s->bed.db, o->tree, NULL)
                     : seerdb_flush(s->bed.db, i % 3 == 0 ? NULL : o->tree, NULL);
        /* FULL: more memtables wait for a decision than a tree may have. */
        if (rc != 0 && rc != SEERDB_BUSY && rc != SEERDB_FULL)
            complain(s, "a flush fails");
        if (seerdb_set_decider(s->bed.db, &o->owner, decide, o, NULL) != 0)
            complain(s, "a decider is not set");
        atomic_fetch_add_explicit(&s->flushes, rc == 0 ? 1 : 0, memory_order_relaxed);
        sdb_clock_sleep_us(2000);
    }
    return NULL;
}

static void a_reader_sees_its_marker_whatever_the_others_do(void **state)
{
    struct shared *s = calloc(1, sizeof *s);
    struct sdb_thread threads[NTREES * (NREADERS + 1) + 1] = {0};
    size_t n = 0;
    seerdb_err err = {0};
    (void)state;
    bed_init(&s->bed);
    s->bed.o.history_ms = 30;
    bed_open_ok(&s->bed);
    for (unsigned i = 0; i < NTREES; i++) {
        struct one *o = &s->one[i];
        *o = (struct one){.all = s, .owner = uuid_of(50 + i), .seed = i + 1};
        o->markers = calloc(MOST, sizeof *o->markers);
        seerdb_tree_options t = {.id = uuid_of(i),
                                 .owner = o->owner,
                                 .name = "t",
                                 .value_log = test_value_log(),
                                 .marked = true};
        test_ok(seerdb_tree_create(s->bed.db, &t, &o->tree, &err), &err);
        test_ok(seerdb_set_decider(s->bed.db, &o->owner, decide, o, &err), &err);
        test_ok(sdb_thread_start(&threads[n++], "writer", write_tree, o, &err), &err);
        for (int k = 0; k < NREADERS; k++)
            test_ok(sdb_thread_start(&threads[n++], "reader", read_tree, o, &err),
                    &err);
    }
    test_ok(sdb_thread_start(&threads[n++], "flusher", flush_all, s, &err), &err);
    for (int i = 0; i < 150 && go_on(s); i++)
        sdb_clock_sleep_us(10000);
    atomic_store(&s->stop, true);
    while (n > 0)
        sdb_thread_join(&threads[--n]);
    if (s->failure != NULL)
        fail_msg("%s", s->failure);
    print_message("%d commits, %d reads, %d gone, %d flushes\n", (int)s->commits,
                  (int)s->reads, (int)s->gone, (int)s->flushes);
    assert_true(s->commits > 0 && s->reads > 0);
    for (unsigned i = 0; i < NTREES; i++) {
        seerdb_tree_close(s->one[i].tree);
        free(s->one[i].markers);
    }
    bed_fini(&s->bed);
    free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reader_sees_its_marker_whatever_the_others_do),
    };
    return cmocka_run_group_tests_name("marked_thread", tests, NULL, NULL);
}
