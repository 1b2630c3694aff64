/* SPDX-License-Identifier: Apache-2.0
 *
 * Filters: what reads hide and jobs drop. */
#include "filter_rig.h"
#include "marked_rig.h"

/* The tree shows these words forwards and backwards, and each key by itself. */
static void expect_rows(seerdb_tree *t, seerdb_batch *b, const char *words)
{
    static const char *const keys[] = {"a", "b", "c", "d", "e", "f"};
    char got[1000], want[16];
    seerdb_err err = {0};
    seerdb_iter *it = NULL;
    seerdb_view *v = new_view(t);
    expect_state(v, b, SEERDB_BATCH_ALL, words);
    test_ok(seerdb_iter_open(v, b, SEERDB_BATCH_ALL, &it, &err), &err);
    dump_iter(it, false, got, sizeof got);
    assert_int_equal(strlen(got), strlen(words));
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        seerdb_value found = {0};
        snprintf(want, sizeof want, "%s=", keys[i]);
        const char *at = strstr(words, want);
        int rc = seerdb_get(v, b, SEERDB_BATCH_ALL, test_slice(keys[i]), &found, &err);
        assert_int_equal(rc, at != NULL ? 0 : SEERDB_NOTFOUND);
        if (at != NULL) {
            assert_memory_equal(found.bytes.data, at + 2, found.bytes.size);
            test_slice_equal(found.key, test_slice(keys[i]));
            seerdb_pin_unref(found.pin);
        }
        rc = seerdb_iter_seek(it, test_slice(keys[i]), &err);
        if (at != NULL) {
            assert_int_equal(rc, 0);
            test_slice_equal(seerdb_iter_key(it), test_slice(keys[i]));
        }
    }
    seerdb_iter_close(it);
    seerdb_view_close(v);
}

static void a_removed_row_is_invisible_to_every_read_at_once(void **state)
{
    (void)state;
    struct bed b;
    struct world w;
    seerdb_tree *t = begin(&b, &w, 10);
    write_words(t, "a=e20 b=x c=e30 d=c20 e=e20 f=y");
    for (int where = 0; where < 3; where++) {
        if (where > 0)
            flush(b.db);
        if (where > 1)
            compact(b.db);
        expect_rows(t, NULL, "a=e20 b=x c=e30 d=c20 e=e20 f=y");
    }
    w.now_us = 20 * SECOND;
    for (int where = 0; where < 3; where++) {
        if (where > 0)
            flush(b.db);
        if (where > 1)
            compact(b.db);
        expect_rows(t, NULL, "b=x c=e30 d=C f=y");
    }
    w.now_us = 40 * SECOND;
    expect_rows(t, NULL, "b=x d=C f=y");
    write_words(t, "b=x");
    flush(b.db);
    compact(b.db);
    expect_rows(t, NULL, "b=x d=C f=y");
    assert_int_equal(stat_of(b.db, t, "table_records"), 3);
    assert_int_equal(stat_of(b.db, t, "filter_removed"), 3);
    end(&b, t);
}

static void a_view_keeps_the_time_at_which_it_was_opened(void **state)
{
    (void)state;
    struct bed b;
    struct world w;
    seerdb_tree *t = begin(&b, &w, 10);
    write_words(t, "a=e20 b=x");
    seerdb_view *v = new_view(t);
    w.now_us = 30 * SECOND;
    expect_rows(t, NULL, "b=x");
    expect_state(v, NULL, 0, "a=e20 b=x");
    flush(b.db);
    compact(b.db);
    expect_state(v, NULL, 0, "a=e20 b=x");
    seerdb_view_tick(v);
    expect_state(v, NULL, 0, "b=x");
    seerdb_view_close(v);
    end(&b, t);
}

static void own_writes_are_filtered_too_and_an_expired_key_can_be_written(void **state)
{
    (void)state;
    struct bed b;
    struct world w;
    seerdb_err err = {0};
    seerdb_tree *t = begin(&b, &w, 10);
    write_words(t, "a=x b=e5 c=x");
    seerdb_batch *batch = new_batch(b.db);
    add(batch, t, "a=e5 b=e20 d=e10");
    expect_rows(t, batch, "b=e20 c=x");
    test_ok(seerdb_batch_spill(batch, &err), &err);
    expect_rows(t, batch, "b=e20 c=x");
    test_ok(seerdb_write(batch, SEERDB_SYNC_OFF, &err), &err);
    expect_rows(t, NULL, "b=e20 c=x");
    seerdb_batch_free(batch);
    end(&b, t);
}

/* In what order the versions come to tables, and how far down they are. */
static void older_versions_never_come_back(void **state)
{
    (void)state;
    for (int shape = 0; shape < 4; shape++) {
        struct bed b;
        struct world w;
        seerdb_tree *t = begin(&b, &w, 10);
        write_words(t, "a=old b=x");
        if (shape & 1)
            flush(b.db);
        if (shape & 2)
            compact(b.db);
        write_words(t, "a=e20");
        w.now_us = 30 * SECOND;
        flush(b.db); /* above the old version: a tombstone */
        expect_rows(t, NULL, "b=x");
        w.now_us = 10 * SECOND; /* a step back */
        expect_rows(t, NULL, "b=x");
        t = reopened(&b, t, &w); /* and nobody who remembers */
        expect_rows(t, NULL, "b=x");
        compact(b.db);
        expect_rows(t, NULL, "b=x");
        assert_int_equal(stat_of(b.db, t, "table_records"), 1);
        end(&b, t);
    }
}

static void time_never_steps_back_while_the_store_is_open(void **state)
{
    (void)state;
    struct bed b;
    struct world w;
    seerdb_tree *t = begin(&b, &w, 10);
    write_words(t, "a=e20 b=x");
    w.now_us = 30 * SECOND;
    expect_rows(t, NULL, "b=x");
    w.now_us = 5 * SECOND;
    expect_rows(t, NULL, "b=x");
    t = reopened(&b, t, &w); /* nothing was dropped: it is there for the new time */
    expect_rows(t, NULL, "a=e20 b=x");
    end(&b, t);
}

static void a_failing_filter_loses_nothing_and_the_read_reports(void **state)
{
    (void)state;
    struct bed b;
    struct world w;
    seerdb_err err = {0};
    seerdb_value v = {0};
    seerdb_iter *it = NULL;
    seerdb_tree *t = begin(&b, &w, 10);
    write_words(t, "a=x b=!20 c=y");
    w.now_us = 30 * SECOND;
    flush(b.db);
    compact(b.db);
    assert_true(stat_of(b.db, t, "filter_failures") >= 1);
    seerdb_view *view = new_view(t);
    assert_int_equal(seerdb_get(view, NULL, 0, test_slice("b"), &v, &err),
                     SEERDB_MISUSE);
    assert_string_equal(err.msg, "cannot tell about b");
    assert_null(v.pin);
    test_ok(seerdb_iter_open(view, NULL, 0, &it, &err), &err);
    test_ok(seerdb_iter_first(it, &err), &err);
    assert_int_equal(seerdb_iter_next(it, &err), SEERDB_MISUSE);
    test_ok(seerdb_iter_seek(it, test_slice("c"), &err), &err);
    seerdb_iter_close(it);
    seerdb_view_close(view);
    w.now_us = 10 * SECOND;
    t = reopened(&b, t, &w);
    expect_rows(t, NULL, "a=x b=!20 c=y");
    end(&b, t);
}

static void jobs_leave_rows_alone_without_a_filter_they_may_ask(void **state)
{
    (void)state;
    struct bed b;
    struct world w;
    seerdb_err err = {0};
    seerdb_tree *t = begin(&b, &w, 10);
    write_words(t, "a=e20 b=x");
    w.now_us = 30 * SECOND;
    seerdb_tree_close(t);
    bed_close(&b);
    bed_open_ok(&b);
    t = open_tree(b.db, 1);
    flush(b.db);
    compact(b.db);
    expect_rows(t, NULL, "a=e20 b=x");
    seerdb_filter f = filter_of(&w);
    f.foreground = true;
    test_ok(seerdb_tree_filter_with(t, &f, &err), &err);
    expect_rows(t, NULL, "b=x");
    int asked = w.asked;
    write_words(t, "c=e20");
    flush(b.db);
    compact(b.db);
    assert_int_equal(w.asked, asked);
    assert_int_equal(stat_of(b.db, t, "table_records"), 3);
    end(&b, t);
}

static void the_first_filter_given_stays_and_every_one_is_released(void **state)
{
    (void)state;
    struct bed b;
    struct world w, other = {.now_us = 0};
    seerdb_tree *t = begin(&b, &w, 10);
    use_filter(t, &other);
    assert_int_equal(other.released, 1);
    write_words(t, "a=e5 b=x");
    expect_rows(t, NULL, "b=x");
    assert_int_equal(other.asked, 0);
    assert_int_equal(w.released, 0);
    end(&b, t);
    assert_int_equal(w.released, 1);
}

/* Readers within the history, who come back to an older commit. */
static void readers_in_the_history_see_what_was_there_before(void **state)
{
    (void)state;
    struct owner *o = owner_new(60000);
    static struct world w;
    seerdb_err err = {0};
    w = (struct world){.now_us = 0};
    use_filter(o->tree, &w);
    put(o, "a", "old");
    uint64_t first = o->marker;
    put(o, "a", "e1"); /* expired long ago, by the system's clock */
    uint64_t second = o->marker;
    put(o, "b", "x");
    for (int round = 0; round < 3; round++) {
        expect_at(o, first, "a", "old");
        expect_at(o, second, "a", NULL);
        expect_at(o, o->marker, "a", NULL);
        expect_at(o, o->marker, "b", "x");
        test_ok(round == 0 ? seerdb_flush(o->db, NULL, &err)
                           : seerdb_compact(o->db, NULL, &err),
                &err);
    }
    owner_free(o);
}

static void write_rows(seerdb_tree *t, char letter, int n, int second)
{
    seerdb_err err = {0};
    seerdb_batch *b = new_batch(seerdb_tree_store(t));
    char key[16], value[16];
    for (int i = 0; i < n; i++) {
        snprintf(key, sizeof key, "%c%04d", letter, i);
        snprintf(value, sizeof value, "e%d", second);
        test_ok(seerdb_batch_put(b, t, test_slice(key), test_slice(value), &err), &err);
    }
    test_ok(seerdb_write(b, SEERDB_SYNC_OFF, &err), &err);
    seerdb_batch_free(b);
}

static void expired_rows_go_by_themselves_when_they_are_enough(void **state)
{
    (void)state;
    struct bed b;
    struct world w;
    seerdb_tree *t = begin(&b, &w, 10);
    w.now_us = 100 * SECOND - 50000;
    write_rows(t, 'a', 300, 100);
    write_rows(t, 'b', 300, 5000);
    flush(b.db);
    compact(b.db);
    assert_int_equal(stat_of(b.db, t, "table_records"), 600);
    sdb_clock_sleep_us(100000); /* the clock does not move: nothing has expired */
    assert_int_equal(stat_of(b.db, t, "table_records"), 600);
    w.now_us = 100 * SECOND - 50000 + 20000;
    write_words(t, "c=x");
    flush(b.db); /* have the compactor ask what time it is: 30 ms to go */
    w.now_us = 100 * SECOND;
    assert_soon(stat_of(b.db, t, "table_records") <= 301);
    assert_int_equal(stat_of(b.db, t, "filter_removed"), 300);
    end(&b, t);
}

static void rows_that_expired_while_the_store_was_closed_go_too(void **state)
{
    (void)state;
    struct bed b;
    struct world w;
    seerdb_tree *t = begin(&b, &w, 10);
    write_rows(t, 'a', 300, 100);
    write_rows(t, 'b', 100, 5000);
    flush(b.db);
    compact(b.db);
    w.now_us = 200 * SECOND;
    t = reopened(&b, t, &w);
    assert_soon(stat_of(b.db, t, "table_records") == 100);
    end(&b, t);
}

static void a_compaction_asked_for_drops_all_that_has_expired(void **state)
{
    (void)state;
    struct bed b;
    struct world w;
    seerdb_tree *t = begin(&b, &w, 10);
    write_words(t, "a=e20 b=x c=x d=x e=x f=x");
    flush(b.db);
    compact(b.db);
    w.now_us = 30 * SECOND;
    compact(b.db);
    assert_int_equal(stat_of(b.db, t, "table_records"), 5);
    compact(b.db);
    end(&b, t);
}

static void a_snapshot_keeps_what_it_sees_until_it_is_dropped(void **state)
{
    (void)state;
    struct bed b;
    struct world w;
    seerdb_err err = {0};
    seerdb_view *v = NULL;
    seerdb_tree *t = begin(&b, &w, 10);
    write_rows(t, 'a', 300, 100);
    write_words(t, "z=x");
    test_ok(seerdb_snapshot_create(t, "s", 0, 0, NULL, &err), &err);
    write_words(t, "b=e20");
    w.now_us = 200 * SECOND;
    flush(b.db);
    compact(b.db);
    for (int round = 0; round < 2; round++) {
        expect(t, "z=x");
        test_ok(seerdb_view_open_snapshot(t, "s", &v, &err), &err);
        seerdb_view_tick(v); /* the snapshot's time is its own */
        char got[4096];
        seerdb_iter *it = NULL;
        test_ok(seerdb_iter_open(v, NULL, 0, &it, &err), &err);
        dump_iter(it, true, got, sizeof got);
        assert_int_equal(strlen(got), 300 * 11 + 3);
        seerdb_iter_close(it);
        seerdb_view_close(v);
        assert_int_equal(stat_of(b.db, t, "table_records"), 301);
        if (round == 0)
            t = reopened(&b, t, &w);
    }
    test_ok(seerdb_snapshot_drop(t, "s", &err), &err);
    compact(b.db);
    assert_soon(stat_of(b.db, t, "table_records") == 1);
    end(&b, t);
}

/* Rows of "eN" or "wN" and a large value behind it; of a w-row the filter wants all. */
static int sparse_verdict(void *ctx, const seerdb_row *row, uint64_t now_us,
                          seerdb_filter_out *out, seerdb_err *err)
{
    struct world *w = ctx;
    const char *value = row->value.data;
    seerdb_slice segments = row->segments;
    seerdb_segment s;
    (void)out;
    (void)err;
    assert_true(row->value.size == 2 + 5000);
    w->asked += segments.size > 0;
    w->whole += segments.size == 0;
    if (segments.size > 0) {
        assert_true(seerdb_segments_next(&segments, &s));
        assert_true(s.offset == 2 && s.size == 5000);
        assert_false(seerdb_segments_next(&segments, &s));
        if (value[0] == 'w')
            return SEERDB_WHOLE;
    } else {
        for (int i = 2; i < 5002; i++)
            assert_int_equal(value[i], 'x');
    }
    return due_us((seerdb_slice){value, 2}) > now_us ? SEERDB_KEEP : SEERDB_REMOVE;
}

static void write_large(seerdb_tree *t, const char *key, const char *head)
{
    static char large[5000];
    seerdb_err err = {0};
    seerdb_batch *b = new_batch(seerdb_tree_store(t));
    memset(large, 'x', sizeof large);
    const seerdb_part parts[] = {
        {.how = SEERDB_PART_INLINE, .bytes = test_slice(head)},
        {.how = SEERDB_PART_APART, .bytes = {large, sizeof large}}};
    test_ok(seerdb_batch_put_parts(b, t, test_slice(key), parts, 2, &err), &err);
    test_ok(seerdb_write(b, SEERDB_SYNC_OFF, &err), &err);
    seerdb_batch_free(b);
}

static int count_rows(seerdb_tree *t, bool lazy)
{
    int n = 0;
    seerdb_err err = {0};
    seerdb_iter *it = NULL;
    seerdb_view *v = new_view(t);
    seerdb_view_set_lazy(v, lazy);
    test_ok(seerdb_iter_open(v, NULL, 0, &it, &err), &err);
    int rc = seerdb_iter_first(it, &err);
    for (; rc == 0; rc = seerdb_iter_next(it, &err))
        n++;
    assert_int_equal(rc, SEERDB_NOTFOUND);
    seerdb_iter_close(it);
    seerdb_view_close(v);
    return n;
}

static void large_values_are_read_only_for_who_needs_them(void **state)
{
    (void)state;
    struct bed b;
    struct world w = {.now_us = 1 * SECOND};
    seerdb_err err = {0};
    seerdb_tree *t = NULL;
    seerdb_filter f = {
        .ctx = &w, .verdict = sparse_verdict, .sparse = true, .release = release};
    bed_init(&b);
    b.o.clock = tell_time;
    b.o.clock_ctx = &w;
    bed_open_ok(&b);
    test_ok(seerdb_tree_create(
                b.db, &(seerdb_tree_options){.id = uuid_of(1), .value_log = 1000}, &t,
                &err),
            &err);
    test_ok(seerdb_tree_filter_with(t, &f, &err), &err);
    write_large(t, "a", "e2");
    write_large(t, "b", "e9");
    write_large(t, "c", "e3");
    flush(b.db);
    for (int round = 0; round < 2; round++) {
        assert_int_equal(count_rows(t, true), 3 - 2 * round);
        w.now_us = 5 * SECOND;
    }
    write_large(t, "d", "e4");
    flush(b.db);
    compact(b.db);
    assert_int_equal(count_rows(t, true), 1);
    assert_int_equal(stat_of(b.db, t, "table_records"), 1);
    assert_true(w.asked > 0);
    assert_int_equal(w.whole, 0);
    write_large(t, "e", "w4");
    write_large(t, "f", "w9");
    flush(b.db);
    assert_int_equal(count_rows(t, true), 2);
    assert_true(w.whole > 0);
    assert_int_equal(count_rows(t, false), 2);
    verify(b.db);
    end(&b, t);
}

/* ---- against a model ------------------------------------------------------------- */

#define KEYS 12

/* The newest version of each key as of some commit, and the times that matter to who
 * looks at it. */
struct model {
    char value[KEYS][24]; /* "": deleted, or never there */
    uint64_t now_us;      /* the least that the view may have */
    uint64_t latest_us;   /* that any job or read may have had, ever */
};

/* What is shown of a key is its newest version, or nothing.  It must be there as long
 * as nobody had a time at which it is not, and must not for whoever has such a time. */
static void check_key(const struct model *m, int key, const seerdb_value *got)
{
    const char *want = m->value[key];
    uint64_t due =
        want[0] == 'e' || want[0] == 'c' ? due_us(test_slice(want)) : UINT64_MAX;
    if (got == NULL) {
        if (want[0] != '\0' && (want[0] != 'e' || due > m->latest_us))
            fail_msg("key %d: %s is missing", key, want);
        return;
    }
    if (want[0] == '\0')
        fail_msg("key %d: %.*s came back", key, (int)got->bytes.size,
                 (const char *)got->bytes.data);
    if (want[0] == 'e' && due <= m->now_us)
        fail_msg("key %d: %s is shown at %llu", key, want,
                 (unsigned long long)m->now_us);
    bool changed = got->bytes.size == 1 && *(const char *)got->bytes.data == 'C';
    if (changed ? want[0] != 'c' || due > m->latest_us
                : want[0] == 'c' && due <= m->now_us)
        fail_msg("key %d: %s shown as %.*s", key, want, (int)got->bytes.size,
                 (const char *)got->bytes.data);
    if (!changed)
        test_slice_equal(got->bytes, test_slice(want));
}

static void check_view(seerdb_view *v, const struct model *m)
{
    seerdb_err err = {0};
    seerdb_iter *it = NULL;
    int forwards = 0, backwards = 0, found = 0;
    char name[16];
    for (int k = 0; k < KEYS; k++) {
        seerdb_value got;
        snprintf(name, sizeof name, "k%02d", k);
        int rc = seerdb_get(v, NULL, 0, test_slice(name), &got, &err);
        if (rc < 0)
            fail_msg("%s", err.msg);
        check_key(m, k, rc == 0 ? &got : NULL);
        found += rc == 0;
        if (rc == 0)
            seerdb_pin_unref(got.pin);
    }
    test_ok(seerdb_iter_open(v, NULL, 0, &it, &err), &err);
    int rc = seerdb_iter_first(it, &err);
    for (; rc == 0; rc = seerdb_iter_next(it, &err), forwards++) {
        seerdb_value row;
        seerdb_iter_show(it, &row);
        check_key(m, atoi((const char *)row.key.data + 1), &row);
    }
    assert_int_equal(rc, SEERDB_NOTFOUND);
    for (rc = seerdb_iter_last(it, &err); rc == 0; rc = seerdb_iter_prev(it, &err))
        backwards++;
    assert_int_equal(rc, SEERDB_NOTFOUND);
    assert_int_equal(forwards, found);
    assert_int_equal(backwards, found);
    seerdb_iter_close(it);
}

struct run {
    struct bed bed;
    struct world w;
    seerdb_tree *t;
    struct model model;
    struct sdb_rand rand;
    bool all_expire;  /* what is written */
    seerdb_view *old; /* held; NULL: none */
    struct model then;
};

static uint64_t below(struct run *r, uint64_t n)
{
    return sdb_rand_below(&r->rand, n);
}

static void op_write(struct run *r)
{
    char words[400] = "";
    size_t n = 0;
    uint64_t second = r->w.now_us / SECOND;
    for (uint64_t i = 0, most = 1 + below(r, 4); i < most; i++) {
        int k = (int)below(r, KEYS), to = k + 1 + (int)below(r, 3);
        char *value = r->model.value[k];
        uint64_t what = below(r, 8);
        switch (what == 2 && r->all_expire ? 3 : what) {
        case 0:
            n += (size_t)snprintf(words + n, sizeof words - n, "-k%02d ", k);
            value[0] = '\0';
            break;
        case 1:
            n += (size_t)snprintf(words + n, sizeof words - n, "~k%02d:k%02d ", k, to);
            for (; k < to && k < KEYS; k++)
                r->model.value[k][0] = '\0';
            break;
        case 2:
            snprintf(value, sizeof r->model.value[k], "v%llu",
                     (unsigned long long)below(r, 1000));
            n += (size_t)snprintf(words + n, sizeof words - n, "k%02d=%s ", k, value);
            break;
        default:
            snprintf(value, sizeof r->model.value[k], "%c%llu",
                     below(r, 4) == 0 && !r->all_expire ? 'c' : 'e',
                     (unsigned long long)(second + below(r, 12)));
            n += (size_t)snprintf(words + n, sizeof words - n, "k%02d=%s ", k, value);
        }
    }
    write_words(r->t, words);
}

static void note_time(struct run *r)
{
    if (r->w.now_us > r->model.latest_us)
        r->model.latest_us = r->w.now_us;
}

static void drop_old(struct run *r)
{
    seerdb_view_close(r->old);
    r->old = NULL;
}

static void op_reopen(struct run *r)
{
    drop_old(r);
    seerdb_tree_close(r->t);
    if (below(r, 2) == 0)
        bed_crash(&r->bed);
    else
        bed_close(&r->bed);
    bed_open_ok(&r->bed);
    r->t = open_tree(r->bed.db, 1);
    use_filter(r->t, &r->w);
    r->model.now_us = 0; /* it may have stepped back */
}

static void op_look(struct run *r)
{
    seerdb_view *v = new_view(r->t);
    if (r->w.now_us > r->model.now_us)
        r->model.now_us = r->w.now_us;
    check_view(v, &r->model);
    if (r->old != NULL)
        check_view(r->old, &r->then);
    if (below(r, 3) == 0) {
        drop_old(r);
        r->old = v;
        r->then = r->model;
    } else {
        seerdb_view_close(v);
    }
}

static void step(struct run *r)
{
    switch (below(r, 12)) {
    case 0:
        r->w.now_us += below(r, 5) * SECOND;
        break;
    case 1:
        if (below(r, 3) == 0)
            r->w.now_us -= below(r, 4) * SECOND;
        break;
    case 2:
        flush(r->bed.db);
        break;
    case 3:
        if (below(r, 3) == 0)
            compact(r->bed.db);
        break;
    case 4:
        if (below(r, 6) == 0)
            op_reopen(r);
        break;
    case 5:
    case 6:
    case 7:
        op_look(r);
        break;
    default:
        op_write(r);
    }
    note_time(r);
}

static void random_histories_agree_with_a_model(void **state)
{
    (void)state;
    const char *given = getenv("SEERDB_FILTER_SEEDS");
    int seeds = given != NULL ? atoi(given) : 20;
    unsigned drops = 0;
    for (int seed = 1; seed <= seeds; seed++) {
        struct run r = {.all_expire = seed % 2 == 0};
        r.t = begin_lasting(&r.bed, &r.w, 100, seed % 4 != 1);
        r.rand = (struct sdb_rand){(uint64_t)seed};
        for (int i = 0; i < 300; i++)
            step(&r);
        drops += count_drops(r.t);
        drop_old(&r);
        end(&r.bed, r.t);
    }
    assert_true(drops > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_removed_row_is_invisible_to_every_read_at_once),
        cmocka_unit_test(a_view_keeps_the_time_at_which_it_was_opened),
        cmocka_unit_test(own_writes_are_filtered_too_and_an_expired_key_can_be_written),
        cmocka_unit_test(older_versions_never_come_back),
        cmocka_unit_test(time_never_steps_back_while_the_store_is_open),
        cmocka_unit_test(a_failing_filter_loses_nothing_and_the_read_reports),
        cmocka_unit_test(jobs_leave_rows_alone_without_a_filter_they_may_ask),
        cmocka_unit_test(the_first_filter_given_stays_and_every_one_is_released),
        cmocka_unit_test(readers_in_the_history_see_what_was_there_before),
        cmocka_unit_test(expired_rows_go_by_themselves_when_they_are_enough),
        cmocka_unit_test(rows_that_expired_while_the_store_was_closed_go_too),
        cmocka_unit_test(a_compaction_asked_for_drops_all_that_has_expired),
        cmocka_unit_test(a_snapshot_keeps_what_it_sees_until_it_is_dropped),
        cmocka_unit_test(large_values_are_read_only_for_who_needs_them),
        cmocka_unit_test(random_histories_agree_with_a_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
