/* SPDX-License-Identifier: Apache-2.0
 *
 * Several threads on one store; made for the thread sanitizer.  One writer keeps the
 * sum of two keys at zero and counts its commits; readers must never see anything else.
 */
#include "testing.h"

#include "os/clock.h"
#include "os/thread.h"
#include "table/key.h"

#include <stdatomic.h>

enum { NREADERS = 3, NPADS = 64 };

struct shared {
    struct bed bed;
    seerdb_tree *bank, *other;
    _Atomic bool stop;
    _Atomic uint64_t commits, reads, flushes; /* relaxed: only counted */
    _Atomic(const char *) failure;            /* the first thing wrong; static */
    uint64_t seed;
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

static int put_number(seerdb_batch *b, seerdb_tree *t, const char *key, int64_t n)
{
    char text[400];
    int size = snprintf(text, sizeof text, "%lld %0*d", (long long)n, 200, 0);
    return seerdb_batch_put(b, t, test_slice(key), (seerdb_slice){text, (size_t)size},
                            NULL);
}

static int64_t number_in(seerdb_slice v)
{
    char text[32] = {0};
    memcpy(text, v.data, v.size < sizeof text - 1 ? v.size : sizeof text - 1);
    return strtoll(text, NULL, 10);
}

static void *write_bank(void *arg)
{
    struct shared *s = arg;
    struct sdb_rand r = {s->seed};
    seerdb_batch *b = NULL;
    if (seerdb_batch_new(s->bed.db, &b, NULL) != 0)
        complain(s, "no batch");
    for (int64_t i = 1; go_on(s); i++) {
        char pad[16];
        int64_t n = (int64_t)sdb_rand_below(&r, 1000000);
        snprintf(pad, sizeof pad, "pad%02d", (int)sdb_rand_below(&r, NPADS));
        /* Now and then all that there was goes first, be it a part of this. */
        if ((i % 24 == 9 && (put_number(b, s->bank, "debit", 7) != 0 ||
                             seerdb_batch_spill(b, NULL) != 0)) ||
            ((i % 24 == 5 || i % 7 == 0 || i % 24 == 9) &&
             seerdb_batch_delete_range(b, s->bank, test_slice("c"), test_slice("q"),
                                       NULL) != 0) ||
            put_number(b, s->bank, "debit", -n) != 0 ||
            put_number(b, s->bank, pad, i) != 0 ||
            (i % 24 == 5 && seerdb_batch_spill(b, NULL) != 0) ||
            put_number(b, s->bank, "credit", n) != 0 ||
            put_number(b, s->bank, "count", i) != 0)
            complain(s, "a put fails");
        if (i % 16 == 0) { /* taken back, and done again */
            uint64_t number;
            int rc = seerdb_prepare(b, SEERDB_SYNC_NORMAL, &number, NULL);
            if ((rc != 0 && rc != SEERDB_BUSY) || seerdb_unprepare(b, NULL) != 0)
                complain(s, "taking back fails");
        }
        if (seerdb_write(b, (enum seerdb_sync)sdb_rand_below(&r, 3), NULL) != 0)
            complain(s, "a commit fails");
        atomic_fetch_add_explicit(&s->commits, 1, memory_order_relaxed);
    }
    seerdb_batch_free(b);
    return NULL;
}

/* Two trees in one commit: it waits for, and is waited for by, nobody for long. */
static void *write_other(void *arg)
{
    struct shared *s = arg;
    char key[16];
    for (int64_t i = 1; go_on(s); i++) {
        seerdb_batch *b = NULL;
        snprintf(key, sizeof key, "k%03d", (int)(i % 500));
        if (seerdb_batch_new(s->bed.db, &b, NULL) != 0 ||
            put_number(b, s->other, key, i) != 0 ||
            (i % 5 == 0 && put_number(b, s->bank, "visitor", i) != 0) ||
            seerdb_write(b, SEERDB_SYNC_OFF, NULL) != 0)
            complain(s, "the other writer fails");
        seerdb_batch_free(b);
    }
    return NULL;
}

static bool get_number(seerdb_view *v, const char *key, int64_t *n)
{
    seerdb_value got;
    if (seerdb_get(v, NULL, 0, test_slice(key), &got, NULL) != 0)
        return false;
    *n = number_in(got.bytes);
    seerdb_pin_unref(got.pin);
    return true;
}

/* The scan must agree with the lookups. */
static bool scan_agrees(seerdb_view *v, int64_t count, bool forward)
{
    int64_t sum = 0, most = 0, seen = 0;
    seerdb_iter *it = NULL;
    if (seerdb_iter_open(v, NULL, 0, &it, NULL) != 0)
        return false;
    int rc = forward ? seerdb_iter_first(it, NULL) : seerdb_iter_last(it, NULL);
    while (rc == 0) {
        seerdb_slice k = seerdb_iter_key(it);
        int64_t n = number_in(seerdb_iter_value(it));
        if (sdb_slice_equal(k, test_slice("count")))
            seen = n;
        else if (k.size == 5 && memcmp(k.data, "pad", 3) == 0)
            most = n > most ? n : most;
        else if (!sdb_slice_equal(k, test_slice("visitor")))
            sum += n;
        rc = forward ? seerdb_iter_next(it, NULL) : seerdb_iter_prev(it, NULL);
    }
    seerdb_iter_close(it);
    return rc == SEERDB_NOTFOUND && sum == 0 && seen == count && most == count;
}

static void *read_bank(void *arg)
{
    struct shared *s = arg;
    int64_t before = 0;
    for (uint64_t i = 0; go_on(s); i++) {
        int64_t debit = 0, credit = 0, count = 0;
        seerdb_view *v = NULL;
        if (seerdb_view_open(s->bank, &v, NULL) != 0) {
            complain(s, "no view");
            break;
        }
        if (get_number(v, "count", &count)) {
            if (!get_number(v, "debit", &debit) || !get_number(v, "credit", &credit))
                complain(s, "a key of a commit is missing");
            if (debit + credit != 0)
                complain(s, "half a commit is visible");
            if (i % 4 == 0 && !scan_agrees(v, count, i % 8 == 0))
                complain(s, "a scan disagrees with lookups in the same view");
        } else if (before > 0) {
            complain(s, "the counter is missing");
        }
        if (count < before)
            complain(s, "a later view is older");
        before = count;
        seerdb_view_close(v);
        atomic_fetch_add_explicit(&s->reads, 1, memory_order_relaxed);
    }
    return NULL;
}

static void *flush_all(void *arg)
{
    struct shared *s = arg;
    for (uint64_t i = 0; go_on(s); i++) {
        sdb_clock_sleep_us(2000);
        if (seerdb_flush(s->bed.db, i % 2 == 0 ? s->bank : NULL, NULL) != 0)
            complain(s, "a flush fails");
        if (i % 5 == 0 &&
            seerdb_compact(s->bed.db, i % 2 == 0 ? s->bank : NULL, NULL) != 0)
            complain(s, "a compaction fails");
        (void)stat_of(s->bed.db, s->bank, "tables");
        (void)seerdb_tree_count_estimate(s->bank);
        atomic_fetch_add_explicit(&s->flushes, 1, memory_order_relaxed);
    }
    return NULL;
}

/* Trees come and go beside all that. */
static void *make_and_drop(void *arg)
{
    struct shared *s = arg;
    while (go_on(s)) {
        seerdb_tree *t = NULL;
        seerdb_batch *b = NULL;
        if (seerdb_tree_create(s->bed.db, &(seerdb_tree_options){.name = "x"}, &t,
                               NULL) != 0 ||
            seerdb_batch_new(s->bed.db, &b, NULL) != 0 ||
            put_number(b, t, "k", 1) != 0 ||
            seerdb_write(b, SEERDB_SYNC_OFF, NULL) != 0 ||
            seerdb_tree_intend_drop(t, NULL) != 0)
            complain(s, "a short-lived tree fails");
        seerdb_batch_free(b);
        if (seerdb_tree_drop(t, NULL) != 0)
            complain(s, "a drop fails");
        sdb_clock_sleep_us(1000);
    }
    return NULL;
}

static void readers_see_whole_commits_whatever_happens_beside_them(void **state)
{
    static void *(*const mains[])(void *) = {write_bank, write_other, flush_all,
                                             make_and_drop};
    enum { NOTHERS = sizeof mains / sizeof mains[0] };
    struct sdb_thread threads[NREADERS + NOTHERS] = {0};
    struct shared s = {.seed = sdb_clock_unix_us()};
    seerdb_err err = {0};
    const char *ms = getenv("SEERDB_THREAD_MS");
    (void)state;
    bed_new(&s.bed);
    s.bank = create_tree(s.bed.db, 1);
    s.other = create_tree(s.bed.db, 2);
    for (size_t i = 0; i < NREADERS + NOTHERS; i++)
        test_ok(sdb_thread_start(&threads[i], "test",
                                 i < NREADERS ? read_bank : mains[i - NREADERS], &s,
                                 &err),
                &err);
    uint64_t end =
        sdb_clock_mono_us() + (ms != NULL ? strtoull(ms, NULL, 10) : 1500) * 1000;
    while (go_on(&s) && sdb_clock_mono_us() < end)
        sdb_clock_sleep_us(10000);
    atomic_store(&s.stop, true);
    for (size_t i = 0; i < NREADERS + NOTHERS; i++)
        sdb_thread_join(&threads[i]);
    if (atomic_load(&s.failure) != NULL)
        fail_msg("%s", atomic_load(&s.failure));
    print_message("%" PRIu64 " commits, %" PRIu64 " reads, %" PRIu64 " flushes\n",
                  atomic_load(&s.commits), atomic_load(&s.reads),
                  atomic_load(&s.flushes));
    verify(s.bed.db);
    seerdb_tree_close(s.bank);
    seerdb_tree_close(s.other);
    bed_fini(&s.bed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(readers_see_whole_commits_whatever_happens_beside_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
