/* SPDX-License-Identifier: Apache-2.0
 *
 * seerdb_batch_delete_range: what it deletes and what it leaves, in a batch and in a
 * tree, wherever the writes before it and after it lie. */
#include "db/batch.h"
#include "os/clock.h"
#include "os/thread.h"
#include "testing.h"

/* ---- single facts --------------------------------------------------------------- */

static void expect_both_ways(seerdb_tree *t, seerdb_batch *b, const char *words)
{
    static const char *const keys[] = {"", "a", "b", "c", "d", "e", "f", "g", "z"};
    char got[1000], back[1000], want[64];
    seerdb_err err = {0};
    seerdb_iter *it = NULL;
    seerdb_view *v = new_view(t);
    test_ok(seerdb_iter_open(v, b, SEERDB_BATCH_ALL, &it, &err), &err);
    dump_iter(it, true, got, sizeof got);
    assert_string_equal(got, words);
    dump_iter(it, false, back, sizeof back);
    assert_int_equal(strlen(back), strlen(words));
    seerdb_iter_close(it);
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        seerdb_value found = {0};
        int rc = seerdb_get(v, b, SEERDB_BATCH_ALL, test_slice(keys[i]), &found, &err);
        int n = snprintf(want, sizeof want, "%s=", keys[i]);
        const char *at = words;
        while (at != NULL && strncmp(at, want, (size_t)n) != 0)
            at = strchr(at, ' ') != NULL ? strchr(at, ' ') + 1 : NULL;
        if (rc != (at != NULL ? 0 : SEERDB_NOTFOUND))
            fail_msg("%s in %s: %d", keys[i], words, rc);
        if (rc == 0)
            seerdb_pin_unref(found.pin);
    }
    seerdb_view_close(v);
}

/* One batch over "a=1 b=1 c=1 d=1 e=1", and what is there with it and after it. */
static void a_range_deletes_what_was_written_before_it(void **state)
{
    static const struct {
        const char *batch, *left;
    } cases[] = {
        {"~b:d", "a=1 d=1 e=1"},
        {"~:c", "c=1 d=1 e=1"},
        {"~c:z", "a=1 b=1"},
        {"~:z", ""},
        {"~bb:cc", "a=1 b=1 d=1 e=1"},
        {"~b:b", "a=1 b=1 c=1 d=1 e=1"},
        {"~d:b", "a=1 b=1 c=1 d=1 e=1"},
        {"~f:g", "a=1 b=1 c=1 d=1 e=1"},
        {"b=2 ~a:d", "d=1 e=1"},
        {"~a:d b=2", "b=2 d=1 e=1"},
        {"b=2 ~a:d b=3 -c f=3", "b=3 d=1 e=1 f=3"},
        {"-b ~b:c", "a=1 c=1 d=1 e=1"},
        {"~b:c -b", "a=1 c=1 d=1 e=1"},
        {"~a:c b=2 ~b:d", "d=1 e=1"},
        {"~b:d ~a:c c=2", "c=2 d=1 e=1"},
        {"~a:c ~c:e", "e=1"},
        {"~a:c c=2 ~d:e ~b:c a=3", "a=3 c=2 e=1"},
        {"f=2 ~f:g f=3 ~f:g", "a=1 b=1 c=1 d=1 e=1"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct bed b;
        seerdb_err err = {0};
        bed_new(&b);
        seerdb_tree *t = create_tree(b.db, 1);
        write_words(t, "a=1 b=1 c=1 d=1 e=1");
        if (i % 2 == 0)
            flush(b.db);
        seerdb_view *before = new_view(t);
        seerdb_batch *batch = new_batch(b.db);
        add(batch, t, cases[i].batch);
        expect_both_ways(t, batch, cases[i].left);
        expect_both_ways(t, NULL, "a=1 b=1 c=1 d=1 e=1");
        test_ok(seerdb_write(batch, SEERDB_SYNC_OFF, &err), &err);
        expect_both_ways(t, NULL, cases[i].left);
        expect_state(before, NULL, 0, "a=1 b=1 c=1 d=1 e=1");
        seerdb_view_close(before);
        seerdb_batch_free(batch);
        seerdb_tree_close(t);
        bed_crash(&b);
        bed_open_ok(&b);
        t = open_tree(b.db, 1);
        expect_both_ways(t, NULL, cases[i].left);
        seerdb_tree_close(t);
        bed_fini(&b);
    }
}

static void the_bounds_of_a_range_have_their_limits(void **state)
{
    struct bed b;
    seerdb_err err = {0};
    char *key = calloc(1, SEERDB_KEY_MAX + 1);
    (void)state;
    bed_new(&b);
    seerdb_tree *t = create_tree(b.db, 1);
    memset(key, 0xff, SEERDB_KEY_MAX + 1);
    seerdb_slice none = {NULL, 0}, longest = {key, SEERDB_KEY_MAX},
                 too_long = {key, SEERDB_KEY_MAX + 1};
    write_words(t, "a=1 b=1");
    seerdb_batch *batch = new_batch(b.db);
    test_fails(seerdb_batch_delete_range(batch, t, test_slice("a"), none, &err),
               SEERDB_MISUSE, &err);
    test_fails(seerdb_batch_delete_range(batch, t, none, too_long, &err), SEERDB_TOOBIG,
               &err);
    test_fails(seerdb_batch_delete_range(batch, t, too_long, longest, &err),
               SEERDB_TOOBIG, &err);
    assert_int_equal(seerdb_batch_writes(batch), 0);
    assert_true(seerdb_batch_is_empty(batch, NULL));
    /* Nothing to do, and nothing noted. */
    test_ok(seerdb_batch_delete_range(batch, t, none, (seerdb_slice){"", 0}, &err),
            &err);
    test_ok(seerdb_batch_delete_range(batch, t, longest, longest, &err), &err);
    assert_int_equal(seerdb_batch_writes(batch), 0);
    assert_true(seerdb_batch_is_empty(batch, NULL));
    uint64_t number = 1;
    test_ok(seerdb_prepare(batch, SEERDB_SYNC_OFF, &number, &err), &err);
    assert_int_equal(number, 0);
    test_fails(seerdb_batch_delete_range(batch, t, none, test_slice("z"), &err),
               SEERDB_MISUSE, &err);
    seerdb_commit(batch);
    /* The longest end is below no key but itself. */
    test_ok(seerdb_batch_put(batch, t, longest, test_slice("1"), &err), &err);
    test_ok(seerdb_batch_delete_range(batch, t, none, longest, &err), &err);
    assert_false(seerdb_batch_is_empty(batch, t));
    test_ok(seerdb_write(batch, SEERDB_SYNC_OFF, &err), &err);
    seerdb_view *v = new_view(t);
    seerdb_value got;
    assert_int_equal(seerdb_get(v, NULL, 0, test_slice("a"), &got, &err),
                     SEERDB_NOTFOUND);
    assert_int_equal(seerdb_get(v, NULL, 0, longest, &got, &err), 0);
    seerdb_pin_unref(got.pin);
    seerdb_view_close(v);
    seerdb_batch_free(batch);
    seerdb_tree_close(t);
    bed_fini(&b);
    free(key);
}

static void a_rollback_to_a_mark_brings_the_keys_back(void **state)
{
    (void)state;
    for (int spill = 0; spill < 2; spill++) {
        struct bed b;
        seerdb_err err = {0};
        seerdb_iter *it = NULL;
        char got[100];
        bed_new(&b);
        seerdb_tree *t = create_tree(b.db, 1);
        write_words(t, "a=1 b=1 c=1");
        seerdb_batch *batch = new_batch(b.db);
        add(batch, t, "b=2 d=2");
        uint64_t mark = seerdb_batch_mark(batch);
        add(batch, t, "~b:z");
        if (spill)
            test_ok(seerdb_batch_spill(batch, &err), &err);
        expect_both_ways(t, batch, "a=1");
        seerdb_view *v = new_view(t);
        expect_state(v, batch, mark, "a=1 b=2 c=1 d=2");
        test_ok(seerdb_iter_open(v, batch, SEERDB_BATCH_ALL, &it, &err), &err);
        seerdb_batch_rollback_to(batch, mark);
        expect_both_ways(t, batch, "a=1 b=2 c=1 d=2");
        dump_iter(it, true, got, sizeof got); /* usable, as seerdb.h says */
        assert_string_equal(got, "a=1");
        seerdb_iter_close(it);
        add(batch, t, "~a:b");
        expect_both_ways(t, batch, "b=2 c=1 d=2");
        test_ok(seerdb_write(batch, SEERDB_SYNC_OFF, &err), &err);
        expect_both_ways(t, NULL, "b=2 c=1 d=2");
        add(batch, t, "~a:z");
        seerdb_batch_rollback_to(batch, 0);
        assert_true(seerdb_batch_is_empty(batch, t));
        expect_both_ways(t, batch, "b=2 c=1 d=2");
        seerdb_view_close(v);
        seerdb_batch_free(batch);
        seerdb_tree_close(t);
        bed_fini(&b);
    }
}

static void many_ranges_freeze_a_memtable_and_spill_a_batch(void **state)
{
    enum { N = 2500 };
    struct bed b;
    seerdb_err err = {0};
    char from[16], to[16];
    (void)state;
    bed_new(&b);
    seerdb_tree *t = create_tree(b.db, 1);
    seerdb_batch *batch = new_batch(b.db);
    for (int i = 0; i <= N; i++) {
        snprintf(from, sizeof from, "%05d", i);
        test_ok(seerdb_batch_put(batch, t, test_slice(from), test_slice("1"), &err),
                &err);
    }
    test_ok(seerdb_write(batch, SEERDB_SYNC_OFF, &err), &err);
    for (int i = 0; i < N; i++) {
        snprintf(from, sizeof from, "%05d", i);
        snprintf(to, sizeof to, "%05d", i + 1);
        test_ok(
            seerdb_batch_delete_range(batch, t, test_slice(from), test_slice(to), &err),
            &err);
        test_ok(seerdb_write(batch, SEERDB_SYNC_OFF, &err), &err);
    }
    flush(b.db);
    assert_true(stat_of(b.db, NULL, "flushes") >= 3); /* 1000, 1000, and the rest */
    expect(t, "02500=1");
    for (int i = 0; i <= N; i++) {
        snprintf(from, sizeof from, "%05d", i);
        snprintf(to, sizeof to, "%05d", i + 1);
        test_ok(seerdb_batch_put(batch, t, test_slice(from), test_slice("2"), &err),
                &err);
        if (i < N)
            test_ok(seerdb_batch_delete_range(batch, t, test_slice(from),
                                              test_slice(to), &err),
                    &err);
    }
    assert_true(sdb_batch_part(batch, t)->runs->ranges >= 2);
    test_ok(seerdb_write(batch, SEERDB_SYNC_OFF, &err), &err);
    expect(t, "02500=2");
    for (int i = 0; i <= 1000; i++) { /* too few bytes for that */
        snprintf(from, sizeof from, "%05d", i);
        assert_true(i == 0 || sdb_batch_part(batch, t)->runs == NULL);
        test_ok(seerdb_batch_delete_range(batch, t, (seerdb_slice){from, 4},
                                          test_slice(from), &err),
                &err);
    }
    assert_int_equal(sdb_batch_part(batch, t)->runs->nmembers, 1);
    assert_int_equal(sdb_memtable_nranges(sdb_batch_part(batch, t)->memtable), 1);
    test_ok(seerdb_rollback(batch, &err), &err);
    flush(b.db);
    expect(t, "02500=2");
    seerdb_batch_free(batch);
    seerdb_tree_close(t);
    bed_fini(&b);
}

/* ---- threads ----------------------------------------------------------------------
 */

enum { CROWD = 40 };

struct crowd {
    seerdb_tree *tree;
    uint64_t until_us;
    _Atomic uint64_t scans;
    _Atomic bool failed;
};

/* Each commit deletes all keys and writes half of them anew, with its number. */
static void *replace_all(void *arg)
{
    struct crowd *c = arg;
    seerdb *db = seerdb_tree_store(c->tree);
    for (uint64_t n = 1; sdb_clock_mono_us() < c->until_us; n++) {
        seerdb_batch *b = NULL;
        char key[8];
        int rc = seerdb_batch_new(db, &b, NULL);
        if (rc == 0)
            rc = seerdb_batch_delete_range(b, c->tree, (seerdb_slice){"k", 1},
                                           (seerdb_slice){"l", 1}, NULL);
        for (unsigned i = 0; rc == 0 && i < CROWD; i++) {
            snprintf(key, sizeof key, "k%02u", i);
            if (i % 2 == n % 2)
                rc = seerdb_batch_put(b, c->tree, test_slice(key),
                                      (seerdb_slice){&n, sizeof n}, NULL);
        }
        if (rc == 0 && n % 7 == 0)
            rc = seerdb_batch_spill(b, NULL);
        if (rc == 0)
            rc = seerdb_write(b, SEERDB_SYNC_OFF, NULL);
        seerdb_batch_free(b);
        if (rc == 0 && n % 20 == 0)
            rc = n % 100 == 0 ? seerdb_compact(db, c->tree, NULL)
                              : seerdb_flush(db, c->tree, NULL);
        if (rc != 0)
            atomic_store_explicit(&c->failed, true, memory_order_relaxed);
    }
    return NULL;
}

/* What one view shows is of one commit, by scan and by lookup. */
static bool agrees(seerdb_view *v, seerdb_iter *it)
{
    uint64_t first = 0, n = 0, keys = 0;
    int rc = seerdb_iter_first(it, NULL);
    for (; rc == 0; rc = seerdb_iter_next(it, NULL), keys++) {
        memcpy(&n, seerdb_iter_value(it).data, sizeof n);
        if (keys > 0 && n != first)
            return false;
        first = n;
    }
    for (unsigned i = 0; i < CROWD && keys > 0; i++) {
        seerdb_value got = {0};
        char key[8];
        snprintf(key, sizeof key, "k%02u", i);
        rc = seerdb_get(v, NULL, 0, test_slice(key), &got, NULL);
        if (rc != (i % 2 == first % 2 ? 0 : SEERDB_NOTFOUND))
            return false;
        if (rc == 0)
            memcpy(&n, got.bytes.data, sizeof n);
        seerdb_pin_unref(got.pin);
        if (n != first)
            return false;
    }
    return keys == CROWD / 2 || keys == 0;
}

static void *look_around(void *arg)
{
    struct crowd *c = arg;
    seerdb_iter *it = NULL;
    while (sdb_clock_mono_us() < c->until_us) {
        seerdb_view *v = NULL;
        int rc = seerdb_view_open(c->tree, &v, NULL);
        if (rc == 0)
            rc = it == NULL ? seerdb_iter_open(v, NULL, 0, &it, NULL)
                            : seerdb_iter_reopen(it, v, NULL, 0, NULL);
        if (rc != 0 || !agrees(v, it))
            atomic_store_explicit(&c->failed, true, memory_order_relaxed);
        if (rc == 0)
            seerdb_iter_rest(it);
        seerdb_view_close(v);
        atomic_fetch_add_explicit(&c->scans, 1, memory_order_relaxed);
    }
    seerdb_iter_close(it);
    return NULL;
}

static void readers_see_a_range_and_what_follows_it_at_once(void **state)
{
    struct bed b;
    seerdb_err err = {0};
    struct sdb_thread threads[4] = {{.started = false}};
    (void)state;
    bed_new(&b);
    struct crowd c = {.tree = create_tree(b.db, 1),
                      .until_us = sdb_clock_mono_us() + 1000000};
    for (int i = 0; i < 4; i++)
        test_ok(sdb_thread_start(&threads[i], "test",
                                 i == 0 ? replace_all : look_around, &c, &err),
                &err);
    for (int i = 0; i < 4; i++)
        sdb_thread_join(&threads[i]);
    assert_false(atomic_load_explicit(&c.failed, memory_order_relaxed));
    assert_true(atomic_load_explicit(&c.scans, memory_order_relaxed) > 10);
    seerdb_tree_close(c.tree);
    bed_fini(&b);
}

/* ---- whatever happens ------------------------------------------------------------ */

enum { NKEYS = 9, NMARKS = 4, NVIEWS = 3 };

struct content {
    unsigned value[NKEYS]; /* 0: no such key */
};

struct world {
    struct bed bed;
    seerdb_tree *tree;
    seerdb_batch *batch;
    struct sdb_rand r;
    uint64_t seed;
    unsigned next_value, op;
    struct content committed, pending, marked[NMARKS];
    uint64_t marks[NMARKS];
    size_t nmarks;
    seerdb_view *views[NVIEWS];
    struct content as_of[NVIEWS];
    seerdb_iter *it; /* used again and again; NULL: not yet */
    char done[400];  /* the last operations, in words */
};

static uint64_t below(struct world *w, uint64_t n)
{
    return sdb_rand_below(&w->r, n);
}

static void note(struct world *w, const char *word)
{
    size_t n = strlen(w->done), m = strlen(word) + 1;
    while (n + m >= sizeof w->done) {
        size_t first = strcspn(w->done, " ") + 1;
        memmove(w->done, w->done + first, n + 1 - first);
        n -= first;
    }
    snprintf(w->done + n, sizeof w->done - n, "%s ", word);
}

static void say(const struct content *c, char *out, size_t room)
{
    size_t at = 0;
    out[0] = '\0';
    for (size_t i = 0; i < NKEYS; i++)
        if (c->value[i] != 0)
            at += (size_t)snprintf(out + at, room - at, "%s%c=%u", at > 0 ? " " : "",
                                   (char)('a' + i), c->value[i]);
}

/* A read of it all, key by key and both ways, must show this. */
static void check(struct world *w, seerdb_view *v, seerdb_batch *b, uint64_t mark,
                  const struct content *c, const char *what)
{
    char want[200], got[200], key[2] = {0}, value[16];
    seerdb_err err = {0};
    if (w->it == NULL)
        test_ok(seerdb_iter_open(v, b, mark, &w->it, &err), &err);
    else
        test_ok(seerdb_iter_reopen(w->it, v, b, mark, &err), &err);
    seerdb_iter *it = w->it;
    say(c, want, sizeof want);
    dump_iter(it, true, got, sizeof got);
    if (strcmp(got, want) != 0)
        fail_msg("seed %" PRIu64 ", operation %u, %s: %s, expected %s, after %s",
                 w->seed, w->op, what, got, want, w->done);
    dump_iter(it, false, got, sizeof got);
    if (strlen(got) != strlen(want))
        fail_msg("seed %" PRIu64 ", operation %u, %s backward: %s, expected %s, after "
                 "%s",
                 w->seed, w->op, what, got, want, w->done);
    for (size_t i = 0; i < NKEYS; i++) {
        seerdb_value found = {0};
        key[0] = (char)('a' + i);
        int rc = seerdb_get(v, b, mark, test_slice(key), &found, &err);
        snprintf(value, sizeof value, "%u", c->value[i]);
        if (rc != (c->value[i] != 0 ? 0 : SEERDB_NOTFOUND) ||
            (rc == 0 && !sdb_slice_equal(found.bytes, test_slice(value))))
            fail_msg("seed %" PRIu64 ", operation %u, %s: get %s: %d, expected %s, "
                     "after %s",
                     w->seed, w->op, what, key, rc, want, w->done);
        if (rc == 0)
            seerdb_pin_unref(found.pin);
        size_t next = i;
        while (next < NKEYS && c->value[next] == 0)
            next++;
        rc = seerdb_iter_seek(it, test_slice(key), &err);
        if (rc != (next < NKEYS ? 0 : SEERDB_NOTFOUND) ||
            (rc == 0 && *(const char *)seerdb_iter_key(it).data != (char)('a' + next)))
            fail_msg("seed %" PRIu64 ", operation %u, %s: seek %s in %s, after %s",
                     w->seed, w->op, what, key, want, w->done);
    }
    seerdb_iter_rest(it);
}

static void check_all(struct world *w)
{
    seerdb_view *v = new_view(w->tree);
    check(w, v, NULL, 0, &w->committed, "the tree");
    check(w, v, w->batch, SEERDB_BATCH_ALL, &w->pending, "the batch");
    for (size_t i = 0; i < w->nmarks; i++)
        check(w, v, w->batch, w->marks[i], &w->marked[i], "a mark");
    for (size_t i = 0; i < NVIEWS; i++)
        if (w->views[i] != NULL)
            check(w, w->views[i], NULL, 0, &w->as_of[i], "an old view");
    seerdb_view_close(v);
}

static void change(struct world *w)
{
    char word[16];
    seerdb_err err = {0};
    size_t k = (size_t)below(w, NKEYS), end = k + (size_t)below(w, NKEYS - k + 1);
    switch (below(w, 5)) {
    case 0:
    case 1:
        snprintf(word, sizeof word, "~%c:%c", (char)('a' + k), (char)('a' + end));
        for (size_t i = k; i < end; i++)
            w->pending.value[i] = 0;
        break;
    case 2:
        snprintf(word, sizeof word, "-%c", (char)('a' + k));
        w->pending.value[k] = 0;
        break;
    default:
        snprintf(word, sizeof word, "%c=%u", (char)('a' + k), ++w->next_value);
        w->pending.value[k] = w->next_value;
        break;
    }
    note(w, word);
    test_ok(batch_words(w->batch, w->tree, word, &err), &err);
}

static void mark(struct world *w)
{
    size_t i;
    if (w->nmarks < NMARKS && below(w, 2) == 0) {
        note(w, "mark");
        w->marked[w->nmarks] = w->pending;
        w->marks[w->nmarks++] = seerdb_batch_mark(w->batch);
    } else if (w->nmarks > 0 && below(w, 3) == 0) {
        note(w, "release");
        seerdb_batch_release(w->batch, w->marks[--w->nmarks]);
    } else if (w->nmarks > 0) {
        i = (size_t)below(w, w->nmarks);
        note(w, "back");
        seerdb_batch_rollback_to(w->batch, w->marks[i]);
        w->pending = w->marked[i];
        w->nmarks = i + 1;
    }
}

static void decide(struct world *w)
{
    seerdb_err err = {0};
    switch (below(w, 5)) {
    case 0:
        note(w, "rollback");
        test_ok(seerdb_rollback(w->batch, &err), &err);
        w->pending = w->committed;
        break;
    case 1: /* and the batch goes on */
        note(w, "unprepare");
        test_ok(seerdb_prepare(w->batch, SEERDB_SYNC_OFF, NULL, &err), &err);
        test_ok(seerdb_unprepare(w->batch, &err), &err);
        return;
    default:
        note(w, "commit");
        test_ok(seerdb_write(w->batch, SEERDB_SYNC_OFF, &err), &err);
        w->committed = w->pending;
        break;
    }
    w->nmarks = 0;
}

static void reopen(struct world *w)
{
    note(w, "reopen");
    seerdb_iter_close(w->it);
    w->it = NULL;
    for (size_t i = 0; i < NVIEWS; i++) {
        seerdb_view_close(w->views[i]);
        w->views[i] = NULL;
    }
    seerdb_batch_free(w->batch);
    seerdb_tree_close(w->tree);
    if (below(w, 2) == 0)
        bed_close(&w->bed);
    else
        bed_crash(&w->bed);
    bed_open_ok(&w->bed);
    w->tree = open_tree(w->bed.db, 1);
    w->batch = new_batch(w->bed.db);
    w->pending = w->committed;
    w->nmarks = 0;
    verify(w->bed.db);
}

static void operate(struct world *w)
{
    seerdb_err err = {0};
    uint64_t dice = below(w, 100);
    size_t i = (size_t)below(w, NVIEWS);
    w->op++;
    if (dice < 65) {
        change(w);
    } else if (dice < 77) {
        mark(w);
    } else if (dice < 84) {
        note(w, "spill");
        test_ok(seerdb_batch_spill(w->batch, &err), &err);
    } else if (dice < 91) {
        decide(w);
    } else if (dice < 94) {
        note(w, "flush");
        flush(w->bed.db);
    } else if (dice < 95) {
        note(w, "compact");
        test_ok(seerdb_compact(w->bed.db, NULL, &err), &err);
    } else if (dice < 99) {
        seerdb_view_close(w->views[i]);
        w->views[i] = below(w, 2) == 0 ? new_view(w->tree) : NULL;
        w->as_of[i] = w->committed;
    } else {
        reopen(w);
    }
}

static uint64_t seed_wanted, milliseconds_wanted = 1000;

static void live(uint64_t seed)
{
    struct world w = {.seed = seed, .r = {seed}};
    bed_new(&w.bed);
    w.tree = create_tree(w.bed.db, 1);
    w.batch = new_batch(w.bed.db);
    for (int i = 0; i < 300; i++) {
        operate(&w);
        check_all(&w);
    }
    seerdb_iter_close(w.it);
    for (size_t i = 0; i < NVIEWS; i++)
        seerdb_view_close(w.views[i]);
    seerdb_batch_free(w.batch);
    seerdb_tree_close(w.tree);
    bed_fini(&w.bed);
}

static void whatever_happens_a_range_deletes_what_was_there(void **state)
{
    uint64_t end = sdb_clock_mono_us() + milliseconds_wanted * 1000, n = 0;
    (void)state;
    do
        live(seed_wanted + n++);
    while (sdb_clock_mono_us() < end);
    print_message("%" PRIu64 " lives\n", n);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_range_deletes_what_was_written_before_it),
        cmocka_unit_test(the_bounds_of_a_range_have_their_limits),
        cmocka_unit_test(a_rollback_to_a_mark_brings_the_keys_back),
        cmocka_unit_test(many_ranges_freeze_a_memtable_and_spill_a_batch),
        cmocka_unit_test(readers_see_a_range_and_what_follows_it_at_once),
        cmocka_unit_test(whatever_happens_a_range_deletes_what_was_there),
    };
    const char *seed = argc > 1 ? argv[1] : getenv("SEERDB_SEED");
    const char *seconds = getenv("SEERDB_MODEL_SECONDS");
    seed_wanted = seed != NULL ? strtoull(seed, NULL, 10) : sdb_clock_unix_us();
    if (seconds != NULL)
        milliseconds_wanted = strtoull(seconds, NULL, 10) * 1000;
    print_message("seed %" PRIu64 "\n", seed_wanted);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
