/* SPDX-License-Identifier: Apache-2.0
 *
 * Tables whose rows have expired give their space back, without further writes. */
#include "filter_rig.h"

#include "db/state.h"
#include "tree/picker.h"

/* FEW tombstones may stay behind: it is not worth a compaction. */
enum { ROWS = 100, FLUSHES = 11, LIVE = 1500, FEW = 127 };

/* How a tree is compacted; adaptive with what it has chosen. */
struct way {
    const char *name;
    enum seerdb_compaction kind, now;
};
static const struct way ways[] = {{"leveled", SEERDB_LEVELED, SEERDB_LEVELED},
                                  {"lazy", SEERDB_LAZY, SEERDB_LAZY},
                                  {"tiered", SEERDB_TIERED, SEERDB_TIERED},
                                  {"adaptive", SEERDB_ADAPTIVE, SEERDB_LAZY}};

static seerdb_tree *begin_as(struct bed *b, struct world *w, const struct way *way)
{
    seerdb_tree *t = begin(b, w, 10);
    atomic_store(&t->tuned.compaction, (uint32_t)way->kind);
    atomic_store(&t->policy, (uint32_t)way->now);
    return t;
}

/* Has the compactor nothing to do now? */
static bool rests(seerdb_tree *t)
{
    sdb_lock_db(&t->db->lock);
    bool rests = t->db->compacting == NULL &&
                 (!t->debt.look || t->debt.look_at_us > sdb_clock_mono_us());
    sdb_unlock_db(&t->db->lock);
    return rests;
}

/* Rows of 200 bytes, every `step`th key from `first` on, to a table; second 0: they
 * stay. */
static void write_rows(seerdb_tree *t, char letter, int first, int step, int n,
                       int second)
{
    seerdb_err err = {0};
    seerdb_batch *b = new_batch(seerdb_tree_store(t));
    char key[16], value[200];
    memset(value, 'x', sizeof value);
    if (second > 0)
        value[snprintf(value, sizeof value, "e%d", second)] = ' ';
    for (int i = 0; i < n; i++) {
        snprintf(key, sizeof key, "%c%06d", letter, first + i * step);
        test_ok(seerdb_batch_put(b, t, test_slice(key),
                                 (seerdb_slice){value, sizeof value}, &err),
                &err);
    }
    test_ok(seerdb_write(b, SEERDB_SYNC_OFF, &err), &err);
    seerdb_batch_free(b);
    flush(seerdb_tree_store(t));
    assert_soon(rests(t));
}

/* Runs of the level below 0 that has most of them. */
static uint32_t most_runs(seerdb_tree *t)
{
    struct sdb_level levels[SDB_LEVELS];
    uint32_t most = 0;
    sdb_lock_db(&t->db->lock);
    struct sdb_version *v = sdb_version_ref(t->state->version);
    sdb_unlock_db(&t->db->lock);
    const struct sdb_policy p = {.trigger = 1, .runs = 1, .ratio = 8};
    sdb_picker_levels(v, &p, levels);
    for (int i = 1; i < (int)SDB_LEVELS; i++)
        most = levels[i].runs > most ? levels[i].runs : most;
    sdb_version_unref(v);
    return most;
}

static int count_rows(seerdb_tree *t)
{
    int n = 0;
    seerdb_err err = {0};
    seerdb_iter *it = NULL;
    seerdb_view *v = new_view(t);
    test_ok(seerdb_iter_open(v, NULL, 0, &it, &err), &err);
    for (int rc = seerdb_iter_first(it, &err); rc == 0; rc = seerdb_iter_next(it, &err))
        n++;
    seerdb_iter_close(it);
    seerdb_view_close(v);
    return n;
}

/* Let `second` come, with a compactor that expects it: it has asked for the time a
 * moment before.  Nothing is written then. */
static void pass(struct bed *b, struct world *w, seerdb_tree *t, int second)
{
    w->now_us = (uint64_t)second * SECOND - 20000;
    write_words(t, "zz=x");
    flush(b->db);
    assert_soon(rests(t));
    w->now_us = (uint64_t)second * SECOND;
}

static void it_goes_by_itself_whatever_the_policy(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        struct bed b;
        struct world w;
        seerdb_tree *t = begin_as(&b, &w, &ways[i]);
        write_rows(t, 'm', 0, 1, LIVE, 0);
        compact(b.db);
        for (int f = 0; f < FLUSHES; f++)
            write_rows(t, 'a', f, FLUSHES, ROWS, 100);
        if (ways[i].now != SEERDB_LEVELED)
            assert_true(most_runs(t) > 1);
        assert_true(stat_of(b.db, t, "table_records") == LIVE + FLUSHES * ROWS);
        pass(&b, &w, t, 100);
        assert_soon(stat_of(b.db, t, "table_records") <= LIVE + 1 + FEW);
        verify(b.db);
        end(&b, t);
    }
}

/* Older versions lie below what expires, which has to go on hiding them. */
static void it_goes_from_above_what_stays(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        struct bed b;
        struct world w;
        seerdb_tree *t = begin_as(&b, &w, &ways[i]);
        write_rows(t, 'm', 0, 1, LIVE, 0);
        compact(b.db);
        double before = stat_of(b.db, t, "table_bytes");
        for (int f = 0; f < FLUSHES; f++)
            write_rows(t, 'm', f, LIVE / ROWS, ROWS, 100);
        if (ways[i].now != SEERDB_LEVELED)
            assert_true(most_runs(t) > 1);
        pass(&b, &w, t, 100);
        assert_soon(stat_of(b.db, t, "table_bytes") < before * 0.8);
        assert_int_equal(count_rows(t), LIVE - FLUSHES * ROWS + 1);
        end(&b, t);
    }
}

/* ---- unread ---------------------------------------------------------------------- */

/* Nobody can read a file but what is open already, and nobody needs to. */
static void read_faults(struct bed *b, bool on)
{
    fault(
        b,
        on ? (struct sdb_fault){.ops = SDB_FAULT_READ, .times = UINT64_MAX, .error = 5}
           : (struct sdb_fault){0});
}

static void what_has_expired_whole_goes_unread(void **state)
{
    (void)state;
    for (int again = 0; again < 2; again++) { /* after an open, too */
        struct bed b;
        struct world w;
        seerdb_tree *t = begin_lasting(&b, &w, 10, true);
        write_rows(t, 'm', 0, 1, LIVE, 0);
        write_rows(t, 'a', 0, 1, LIVE, 100);
        compact(b.db);
        double removed = 0, live = 2 * LIVE;
        if (again) {
            w.now_us = 50 * SECOND;
            t = reopened(&b, t, &w);
            assert_soon(rests(t));
        }
        pass(&b, &w, t, 100);
        read_faults(&b, true);
        /* A table that has rows of both is read. */
        assert_soon(stat_of(b.db, t, "table_records") < live - LIVE + 50);
        removed = stat_of(b.db, t, "filter_removed");
        assert_true(removed > LIVE - 50 && removed <= LIVE);
        assert_int_equal(count_drops(t), 1);
        read_faults(&b, false);
        verify(b.db);
        assert_int_equal(count_rows(t), LIVE + 1);
        end(&b, t);
    }
}

static void a_filter_whose_answers_do_not_last_is_asked(void **state)
{
    (void)state;
    struct bed b;
    struct world w;
    seerdb_tree *t = begin_lasting(&b, &w, 10, true);
    write_rows(t, 'a', 0, 1, LIVE, 100);
    write_rows(t, 'm', 0, 1, LIVE, 0);
    compact(b.db);
    w.lasting = false;
    t = reopened(&b, t, &w);
    w.now_us = 99 * SECOND;
    int asked = w.asked;
    pass(&b, &w, t, 100);
    assert_soon(stat_of(b.db, t, "table_records") == LIVE + 1);
    assert_true(w.asked - asked >= LIVE);
    assert_int_equal(count_drops(t), 0);
    end(&b, t);
}

/* A row is given a shorter life than it had: what it was before stays hidden, whatever
 * becomes of the table above it, and of the clock. */
static void a_row_that_was_to_live_longer_does_not_come_back(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        struct bed b;
        struct world w;
        seerdb_tree *t = begin_as(&b, &w, &ways[i]);
        end(&b, t);
        t = begin_lasting(&b, &w, 10, true);
        atomic_store(&t->tuned.compaction, (uint32_t)ways[i].kind);
        write_rows(t, 'a', 0, 1, LIVE, 500);
        compact(b.db);
        write_rows(t, 'a', 10, 1, 20, 100);
        pass(&b, &w, t, 100);
        sdb_clock_sleep_us(30000);
        assert_soon(rests(t));
        assert_int_equal(count_drops(t), 0);
        assert_int_equal(count_rows(t), LIVE - 20 + 1);
        compact(b.db);
        w.now_us = 50 * SECOND;
        t = reopened(&b, t, &w);
        assert_int_equal(count_rows(t), LIVE - 20 + 1);
        end(&b, t);
    }
}

static void a_snapshot_keeps_a_table_that_it_sees(void **state)
{
    (void)state;
    struct bed b;
    struct world w;
    seerdb_err err = {0};
    seerdb_view *v = NULL;
    seerdb_tree *t = begin_lasting(&b, &w, 10, true);
    write_rows(t, 'a', 0, 1, ROWS, 100);
    test_ok(seerdb_snapshot_create(t, "s", 0, 0, NULL, &err), &err);
    write_rows(t, 'm', 0, 1, ROWS, 100);
    pass(&b, &w, t, 100);
    assert_soon(stat_of(b.db, t, "table_records") == ROWS + 1);
    compact(b.db);
    test_ok(seerdb_view_open_snapshot(t, "s", &v, &err), &err);
    seerdb_value got;
    test_ok(seerdb_get(v, NULL, 0, test_slice("a000099"), &got, &err), &err);
    seerdb_pin_unref(got.pin);
    seerdb_view_close(v);
    test_ok(seerdb_snapshot_drop(t, "s", &err), &err);
    compact(b.db);
    assert_soon(stat_of(b.db, t, "table_records") <= 1);
    end(&b, t);
}

static void views_keep_what_they_see_and_the_files_go_with_them(void **state)
{
    (void)state;
    struct bed b;
    struct world w;
    seerdb_err err = {0};
    seerdb_iter *it = NULL;
    int n = 0;
    seerdb_tree *t = begin_lasting(&b, &w, 10, true);
    write_rows(t, 'a', 0, 1, ROWS, 100);
    compact(b.db);
    seerdb_view *v = new_view(t);
    pass(&b, &w, t, 100);
    assert_soon(count_drops(t) == 1);
    test_ok(seerdb_iter_open(v, NULL, 0, &it, &err), &err);
    for (int rc = seerdb_iter_first(it, &err); rc == 0; rc = seerdb_iter_next(it, &err))
        n++;
    assert_int_equal(n, ROWS);
    seerdb_iter_close(it);
    seerdb_view_close(v);
    assert_soon((double)files_of(&b, ".tbl").n == stat_of(b.db, t, "tables"));
    end(&b, t);
}

/* 30 rows, the large part of which is in the value log. */
static void write_large(seerdb_tree *t, char letter, int second)
{
    static char large[3000];
    char key[16], head[32];
    seerdb_err err = {0};
    seerdb_batch *b = new_batch(seerdb_tree_store(t));
    struct sdb_rand r = {(uint64_t)letter};
    for (size_t i = 0; i < sizeof large; i++)
        large[i] = (char)sdb_rand_next(&r);
    snprintf(head, sizeof head, "e%-30d", second);
    for (int i = 0; i < 30; i++) {
        const seerdb_part parts[] = {
            {.how = SEERDB_PART_INLINE, .bytes = test_slice(head)},
            {.how = SEERDB_PART_APART, .bytes = {large, sizeof large}}};
        snprintf(key, sizeof key, "%c%03d", letter, i);
        test_ok(seerdb_batch_put_parts(b, t, test_slice(key), parts, 2, &err), &err);
    }
    test_ok(seerdb_write(b, SEERDB_SYNC_OFF, &err), &err);
    seerdb_batch_free(b);
    flush(seerdb_tree_store(t));
}

/* What tables name of the value log is garbage when they have gone. */
static void large_values_go_with_their_tables(void **state)
{
    (void)state;
    struct bed b;
    struct world w;
    seerdb_err err = {0};
    seerdb_tree *t = NULL;
    w = (struct world){.now_us = 10 * SECOND, .lasting = true};
    bed_init(&b);
    b.o.clock = tell_time;
    b.o.clock_ctx = &w;
    b.o.sizes.value_file = 64 << 10;
    bed_open_ok(&b);
    test_ok(seerdb_tree_create(
                b.db, &(seerdb_tree_options){.id = uuid_of(1), .value_log = 1000}, &t,
                &err),
            &err);
    seerdb_filter f = filter_of(&w);
    f.sparse = true;
    test_ok(seerdb_tree_filter_with(t, &f, &err), &err);
    for (int i = 0; i < 4; i++)
        write_large(t, (char)('a' + i), i < 3 ? 100 : 900);
    assert_soon(rests(t));
    double before = stat_of(b.db, t, "value_live_bytes");
    pass(&b, &w, t, 100);
    assert_soon(stat_of(b.db, t, "value_live_bytes") < before / 3);
    assert_true(count_drops(t) > 0);
    test_ok(seerdb_gc(b.db, t, &err), &err);
    assert_soon(stat_of(b.db, t, "value_bytes") < before / 3);
    assert_int_equal(count_rows(t), 31);
    verify(b.db);
    end(&b, t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_goes_by_itself_whatever_the_policy),
        cmocka_unit_test(it_goes_from_above_what_stays),
        cmocka_unit_test(what_has_expired_whole_goes_unread),
        cmocka_unit_test(a_filter_whose_answers_do_not_last_is_asked),
        cmocka_unit_test(a_row_that_was_to_live_longer_does_not_come_back),
        cmocka_unit_test(a_snapshot_keeps_a_table_that_it_sees),
        cmocka_unit_test(views_keep_what_they_see_and_the_files_go_with_them),
        cmocka_unit_test(large_values_go_with_their_tables),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
