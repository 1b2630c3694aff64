/* SPDX-License-Identifier: Apache-2.0
 *
 * What seerdb.h promises about trees, views and iterators; of batches: batch_test.c. */
#include "os/pages.h"
#include "testing.h"

static void what_was_written_is_read_and_survives_reopening(void **state)
{
    struct bed b;
    (void)state;
    bed_new(&b);
    seerdb_uuid id = seerdb_id(b.db);
    seerdb_tree *t = create_tree(b.db, 1);
    expect(t, "");
    write_words(t, "a=1 b=2 c=3");
    write_words(t, "b=20 -c d=4");
    for (int i = 0; i < 3; i++) {
        expect(t, "a=1 b=20 d=4");
        expect_key(t, "a", "1");
        expect_key(t, "c", NULL);
        expect_key(t, "", NULL);
        seerdb_tree_close(t);
        bed_close(&b);
        bed_open_ok(&b);
        assert_memory_equal(seerdb_id(b.db).bytes, id.bytes, 16);
        t = open_tree(b.db, 1);
    }
    seerdb_tree_close(t);
    bed_fini(&b);
}

static void a_tree_keeps_its_description(void **state)
{
    struct bed b;
    seerdb_err err = {0};
    seerdb_tree *t;
    (void)state;
    bed_new(&b);
    seerdb_tree_options o = {.id = uuid_of(9),
                             .owner = uuid_of(8),
                             .name = "customers",
                             .key_format = 3,
                             .value_format = 4,
                             .compression = 5,
                             .filter_bits = 7,
                             .index = SEERDB_INDEX_BINARY,
                             .app = {"a\0b", 3}};
    test_ok(seerdb_tree_create(b.db, &o, &t, &err), &err);
    for (int i = 0; i < 2; i++) {
        seerdb_tree_options got = seerdb_tree_describe(t);
        assert_memory_equal(got.id.bytes, o.id.bytes, 16);
        assert_memory_equal(seerdb_tree_id(t).bytes, o.id.bytes, 16);
        assert_memory_equal(got.owner.bytes, o.owner.bytes, 16);
        assert_string_equal(got.name, "customers");
        assert_int_equal(got.key_format, 3);
        assert_int_equal(got.value_format, 4);
        assert_int_equal(got.compression, 5);
        assert_int_equal(got.filter_bits, 7);
        assert_int_equal(got.index, SEERDB_INDEX_BINARY);
        test_slice_equal(got.app, o.app);
        assert_ptr_equal(seerdb_tree_store(t), b.db);
        seerdb_tree_close(t);
        bed_close(&b);
        bed_open_ok(&b);
        t = open_tree(b.db, 9);
    }
    seerdb_tree_close(t);
    bed_fini(&b);
}

static void trees_of_one_store_are_apart(void **state)
{
    struct bed b;
    (void)state;
    bed_new(&b);
    seerdb_tree *t1 = create_tree(b.db, 5), *t2 = create_tree(b.db, 2);
    write_words(t1, "k=one");
    write_words(t2, "k=two");
    expect(t1, "k=one");
    expect(t2, "k=two");
    seerdb_tree_close(t1);
    seerdb_tree_close(t2);
    bed_fini(&b);
}

struct listed {
    size_t n, stop_after;
    seerdb_tree_info info[8];
};

static bool note_tree(void *ctx, const seerdb_tree_info *info)
{
    struct listed *l = ctx;
    assert_true(l->n < 8);
    l->info[l->n++] = *info;
    return l->n != l->stop_after;
}

static void trees_are_listed_in_order_of_creation(void **state)
{
    struct bed b;
    seerdb_err err = {0};
    (void)state;
    bed_new(&b);
    struct listed none = {0}, all = {0}, one = {.stop_after = 1};
    test_ok(seerdb_trees(b.db, note_tree, &none, &err), &err);
    assert_int_equal(none.n, 0);
    seerdb_tree *t1 = create_tree(b.db, 5), *t2 = create_tree(b.db, 2);
    test_ok(seerdb_tree_intend_drop(t2, &err), &err);
    test_ok(seerdb_trees(b.db, note_tree, &all, &err), &err);
    test_ok(seerdb_trees(b.db, note_tree, &one, &err), &err);
    assert_int_equal(one.n, 1);
    assert_int_equal(all.n, 2);
    assert_int_equal(all.info[0].id.bytes[2], 5);
    assert_int_equal(all.info[1].id.bytes[2], 2);
    assert_false(all.info[0].drop_intended);
    assert_true(all.info[1].drop_intended);
    seerdb_tree_close(t1);
    seerdb_tree_close(t2);
    bed_fini(&b);
}

static void bad_tree_requests_are_refused(void **state)
{
    struct bed b;
    seerdb_err err = {0};
    seerdb_tree *t = create_tree((bed_new(&b), b.db), 1), *other = NULL;
    seerdb_uuid unknown = uuid_of(77);
    (void)state;
    char *app = calloc(1, 65537);
    test_fails(seerdb_tree_create(b.db, &(seerdb_tree_options){.id = uuid_of(1)},
                                  &other, &err),
               SEERDB_MISUSE, &err);
    test_fails(seerdb_tree_create(b.db, &(seerdb_tree_options){.compression = 20},
                                  &other, &err),
               SEERDB_MISUSE, &err);
    test_fails(seerdb_tree_create(b.db, &(seerdb_tree_options){.filter_bits = 21},
                                  &other, &err),
               SEERDB_MISUSE, &err);
    test_fails(seerdb_tree_create(b.db,
                                  &(seerdb_tree_options){.index = (enum seerdb_index)2},
                                  &other, &err),
               SEERDB_MISUSE, &err);
    test_fails(seerdb_tree_create(b.db, &(seerdb_tree_options){.app = {app, 65537}},
                                  &other, &err),
               SEERDB_MISUSE, &err);
    assert_int_equal(seerdb_tree_open(b.db, &unknown, &other, &err), SEERDB_NOTFOUND);
    assert_int_equal(err.msg[0], 0);
    write_words(t, "a=1"); /* the store goes on */
    test_ok(seerdb_tree_create(b.db, &(seerdb_tree_options){.app = {app, 65536}},
                               &other, &err),
            &err);
    assert_memory_not_equal(seerdb_tree_id(other).bytes, uuid_of(0).bytes, 16);
    free(app);
    seerdb_tree_close(other);
    seerdb_tree_close(t);
    bed_fini(&b);
}

static void compressed_trees_read_back(void **state)
{
    struct bed b;
    seerdb_err err = {0};
    seerdb_tree *t;
    (void)state;
    bed_new(&b);
    test_ok(
        seerdb_tree_create(b.db, &(seerdb_tree_options){.compression = 3}, &t, &err),
        &err);
    for (int i = 0; i < 100; i++) {
        char key[16];
        snprintf(key, sizeof key, "k%03d", i);
        test_ok(try_fill(t, key, 900, &err), &err);
    }
    test_ok(seerdb_compact(b.db, t, &err), &err); /* the bottom is packed */
    assert_true(stat_of(b.db, t, "table_bytes") < 30000);
    assert_true(stat_of(b.db, t, "table_raw_bytes") > 90000);
    char want[901];
    memset(want, 'x', 900);
    want[900] = '\0';
    expect_key(t, "k042", want);
    verify(b.db);
    seerdb_tree_close(t);
    bed_fini(&b);
}

/* ---- views and iterators --------------------------------------------------------- */

static void a_view_does_not_change_under_commits_flushes_and_drops(void **state)
{
    struct bed b;
    seerdb_err err = {0};
    seerdb_tree *t = create_tree((bed_new(&b), b.db), 1);
    (void)state;
    write_words(t, "a=1 b=1 c=1");
    seerdb_view *v1 = new_view(t);
    write_words(t, "a=2 -b d=2");
    flush(b.db);
    seerdb_view *v2 = new_view(t);
    write_words(t, "a=3 -c -d e=3");
    expect_state(v1, NULL, 0, "a=1 b=1 c=1");
    expect_state(v2, NULL, 0, "a=2 c=1 d=2");
    flush(b.db);
    seerdb_view *v3 = seerdb_view_ref(new_view(t));
    write_words(t, "-a -e");
    flush(b.db);
    expect(t, "");
    test_ok(seerdb_tree_intend_drop(t, &err), &err);
    test_ok(seerdb_tree_drop(t, &err), &err);
    for (int i = 0; i < 2; i++) {
        expect_state(v1, NULL, 0, "a=1 b=1 c=1");
        expect_state(v2, NULL, 0, "a=2 c=1 d=2");
        expect_state(v3, NULL, 0, "a=3 e=3");
        seerdb_view_close(v3); /* one of two counts */
        v3 = i == 0 ? v3 : NULL;
    }
    seerdb_view_close(v1);
    seerdb_view_close(v2);
    bed_fini(&b);
}

static void iterators_keep_to_their_bounds_in_both_directions(void **state)
{
    struct bed b;
    seerdb_err err = {0};
    char got[200];
    static const struct {
        const char *lower, *upper, *want, *back;
    } cases[] = {
        {NULL, NULL, "a=1 b=2 c=3 d=4 f=6", "f=6 d=4 c=3 b=2 a=1"},
        {"b", NULL, "b=2 c=3 d=4 f=6", "f=6 d=4 c=3 b=2"},
        {NULL, "d", "a=1 b=2 c=3", "c=3 b=2 a=1"},
        {"b", "d", "b=2 c=3", "c=3 b=2"},
        {"bb", "e", "c=3 d=4", "d=4 c=3"},
        {"e", "e", "", ""},
        {"d", "b", "", ""},
        {"", "b", "a=1", "a=1"},
        {NULL, "", "", ""},
        {"g", NULL, "", ""},
        {NULL, "a", "", ""},
    };
    seerdb_tree *t = create_tree((bed_new(&b), b.db), 1);
    (void)state;
    write_words(t, "a=0 b=2 x=1 e=5");
    flush(b.db);
    write_words(t, "a=1 d=4 -x -e");
    seerdb_batch *batch = new_batch(b.db);
    add(batch, t, "c=3 f=6");
    seerdb_view *v = new_view(t);
    seerdb_iter *it = NULL;
    test_ok(seerdb_iter_open(v, batch, SEERDB_BATCH_ALL, &it, &err), &err);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        seerdb_slice lo = {0}, hi = {0};
        if (cases[i].lower != NULL)
            lo = test_slice(cases[i].lower);
        if (cases[i].upper != NULL)
            hi = test_slice(cases[i].upper);
        test_ok(seerdb_iter_bound(it, lo, hi, &err), &err);
        dump_iter(it, true, got, sizeof got);
        assert_string_equal(got, cases[i].want);
        dump_iter(it, false, got, sizeof got);
        assert_string_equal(got, cases[i].back);
    }
    seerdb_iter_close(it);
    seerdb_view_close(v);
    seerdb_batch_free(batch);
    seerdb_tree_close(t);
    bed_fini(&b);
}

static void seeks_respect_bounds_and_directions_can_turn(void **state)
{
    struct bed b;
    seerdb_err err = {0};
    static const struct {
        const char *key, *at, *before; /* seek, seek_for_prev; NULL: not found */
    } cases[] = {
        {"", "b", NULL}, {"a", "b", NULL}, {"b", "b", "b"},  {"c", "d", "b"},
        {"d", "d", "d"}, {"e", NULL, "d"}, {"f", NULL, "d"}, {"z", NULL, "d"},
    };
    seerdb_tree *t = create_tree((bed_new(&b), b.db), 1);
    (void)state;
    write_words(t, "a=1 b=2 d=4 f=6");
    seerdb_view *v = new_view(t);
    seerdb_iter *it = NULL;
    test_ok(seerdb_iter_open(v, NULL, 0, &it, &err), &err);
    test_ok(seerdb_iter_bound(it, test_slice("b"), test_slice("f"), &err), &err);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int rc = seerdb_iter_seek(it, test_slice(cases[i].key), &err);
        assert_int_equal(rc, cases[i].at != NULL ? 0 : SEERDB_NOTFOUND);
        if (rc == 0)
            test_slice_equal(seerdb_iter_key(it), test_slice(cases[i].at));
        rc = seerdb_iter_seek_for_prev(it, test_slice(cases[i].key), &err);
        assert_int_equal(rc, cases[i].before != NULL ? 0 : SEERDB_NOTFOUND);
        if (rc == 0)
            test_slice_equal(seerdb_iter_key(it), test_slice(cases[i].before));
    }
    test_ok(seerdb_iter_seek(it, test_slice("c"), &err), &err);
    test_ok(seerdb_iter_prev(it, &err), &err);
    test_slice_equal(seerdb_iter_key(it), test_slice("b"));
    test_ok(seerdb_iter_next(it, &err), &err);
    test_slice_equal(seerdb_iter_key(it), test_slice("d"));
    assert_int_equal(seerdb_iter_next(it, &err), SEERDB_NOTFOUND);
    test_ok(seerdb_iter_last(it, &err), &err);
    test_slice_equal(seerdb_iter_value(it), test_slice("4"));
    seerdb_iter_close(it);
    seerdb_view_close(v);
    seerdb_tree_close(t);
    bed_fini(&b);
}

static void pins_outlive_iterators_views_and_the_tree(void **state)
{
    struct bed b;
    seerdb_err err = {0};
    seerdb_tree *t = create_tree((bed_new(&b), b.db), 1);
    seerdb_value mem, disk, pending;
    (void)state;
    write_words(t, "disk=D d2=E");
    flush(b.db);
    write_words(t, "mem=M");
    seerdb_batch *batch = new_batch(b.db);
    add(batch, t, "pending=P");
    seerdb_view *v = new_view(t);
    test_ok(seerdb_get(v, batch, SEERDB_BATCH_ALL, test_slice("mem"), &mem, &err),
            &err);
    test_ok(seerdb_get(v, batch, SEERDB_BATCH_ALL, test_slice("disk"), &disk, &err),
            &err);
    test_ok(
        seerdb_get(v, batch, SEERDB_BATCH_ALL, test_slice("pending"), &pending, &err),
        &err);
    seerdb_iter *it = NULL;
    test_ok(seerdb_iter_open(v, NULL, 0, &it, &err), &err);
    test_ok(seerdb_iter_first(it, &err), &err);
    seerdb_slice key = seerdb_iter_key(it), value = seerdb_iter_value(it);
    seerdb_pin *pin = seerdb_pin_ref(seerdb_iter_pin(it));
    test_ok(seerdb_iter_last(it, &err), &err);
    seerdb_iter_close(it);
    seerdb_view_close(v);
    seerdb_batch_free(batch);
    flush(b.db);
    test_ok(seerdb_tree_intend_drop(t, &err), &err);
    test_ok(seerdb_tree_drop(t, &err), &err);
    bed_fini(&b);
    test_slice_equal(mem.bytes, test_slice("M"));
    test_slice_equal(disk.bytes, test_slice("D"));
    test_slice_equal(pending.bytes, test_slice("P"));
    test_slice_equal(key, test_slice("d2"));
    test_slice_equal(value, test_slice("E"));
    seerdb_pin_unref(mem.pin);
    seerdb_pin_unref(disk.pin);
    seerdb_pin_unref(pending.pin);
    seerdb_pin_unref(pin);
}

/* ---- dropping ----------------------------------------------------------------------
 */

static void a_drop_frees_the_files_once_no_view_needs_them(void **state)
{
    struct bed b;
    seerdb_err err = {0};
    seerdb_tree *t = create_tree((bed_new(&b), b.db), 1), *keep = create_tree(b.db, 2);
    (void)state;
    test_ok(seerdb_pause(b.db, &err), &err); /* nobody else holds a version */
    write_words(keep, "k=1");
    write_words(t, "a=1");
    flush(b.db);
    write_words(t, "b=2");
    flush(b.db);
    write_words(t, "c=3");
    assert_soon(files_of(&b, ".tbl").n == 3);
    seerdb_view *v = new_view(t);
    test_ok(seerdb_tree_intend_drop(t, &err), &err);
    test_ok(seerdb_tree_drop(t, &err), &err);
    assert_soon(files_of(&b, ".tbl").n == 3);
    expect_state(v, NULL, 0, "a=1 b=2 c=3");
    seerdb_view_close(v);
    write_words(keep, "l=2");
    flush(b.db); /* the worker looks after the dead */
    assert_soon(files_of(&b, ".tbl").n == 2);
    seerdb_uuid id = uuid_of(1);
    assert_int_equal(seerdb_tree_open(b.db, &id, &t, &err), SEERDB_NOTFOUND);
    seerdb_tree_close(keep);
    bed_crash(&b);
    bed_open_ok(&b);
    assert_int_equal(seerdb_tree_open(b.db, &id, &t, &err), SEERDB_NOTFOUND);
    t = create_tree(b.db, 1); /* the same name, another tree */
    expect(t, "");
    seerdb_tree_close(t);
    keep = open_tree(b.db, 2);
    expect(keep, "k=1 l=2");
    seerdb_tree_close(keep);
    bed_fini(&b);
}

static void a_drop_without_views_frees_the_files_at_once(void **state)
{
    struct bed b;
    seerdb_err err = {0};
    seerdb_tree *t = create_tree((bed_new(&b), b.db), 1);
    (void)state;
    test_ok(seerdb_pause(b.db, &err), &err); /* nobody else holds a version */
    write_words(t, "a=1");
    flush(b.db);
    assert_soon(files_of(&b, ".tbl").n == 1);
    test_ok(seerdb_tree_intend_drop(t, &err), &err);
    test_ok(seerdb_tree_drop(t, &err), &err);
    assert_soon(files_of(&b, ".tbl").n == 0);
    bed_fini(&b);
}

static void a_drop_needs_an_intent_and_no_undecided_commit(void **state)
{
    struct bed b;
    seerdb_err err = {0};
    uint64_t number;
    seerdb_tree *t = create_tree((bed_new(&b), b.db), 1), *again;
    (void)state;
    write_words(t, "a=1");
    test_fails(seerdb_tree_drop(open_tree(b.db, 1), &err), SEERDB_MISUSE, &err);
    seerdb_batch *batch = new_batch(b.db);
    add(batch, t, "b=2");
    test_ok(seerdb_prepare(batch, SEERDB_SYNC_FULL, &number, &err), &err);
    test_ok(seerdb_tree_intend_drop(t, &err), &err);
    test_ok(seerdb_tree_intend_drop(t, &err), &err); /* said twice is fine */
    test_fails(seerdb_tree_drop(open_tree(b.db, 1), &err), SEERDB_BUSY, &err);
    seerdb_commit(batch);
    expect(t, "a=1 b=2");
    seerdb_tree_close(t);
    seerdb_batch_free(batch);
    bed_crash(&b);
    bed_open_ok(&b); /* the intent is kept */
    t = open_tree(b.db, 1);
    again = open_tree(b.db, 1);
    expect(t, "a=1 b=2");
    test_ok(seerdb_tree_drop(t, &err), &err);
    test_fails(seerdb_tree_drop(again, &err), SEERDB_MISUSE, &err); /* it is gone */
    bed_fini(&b);
}

static void a_dropped_tree_refuses_writes_and_the_store_goes_on(void **state)
{
    struct bed b;
    seerdb_err err = {0};
    seerdb_tree *t = create_tree((bed_new(&b), b.db), 1), *again = open_tree(b.db, 1),
                *other = create_tree(b.db, 2);
    (void)state;
    seerdb_batch *batch = new_batch(b.db);
    add(batch, t, "a=1");
    test_ok(seerdb_tree_intend_drop(t, &err), &err);
    test_ok(seerdb_tree_drop(t, &err), &err);
    test_fails(seerdb_write(batch, SEERDB_SYNC_OFF, &err), SEERDB_MISUSE, &err);
    test_fails(seerdb_tree_intend_drop(again, &err), SEERDB_MISUSE, &err);
    test_ok(seerdb_flush(b.db, again, &err), &err);
    seerdb_batch_free(batch);
    write_words(other, "b=2");
    expect(other, "b=2");
    test_fails(seerdb_tree_drop(again, &err), SEERDB_MISUSE, &err);
    seerdb_tree_close(other);
    bed_fini(&b);
}

/* ---- the rest ----------------------------------------------------------------------
 */

static void statistics_count_what_happened(void **state)
{
    struct bed b;
    seerdb_tree *t = create_tree((bed_new(&b), b.db), 1);
    (void)state;
    write_words(t, "a=1 b=2 -c");
    write_words(t, "a=2");
    assert_true(stat_of(b.db, t, "memtable_records") == 4);
    assert_true(stat_of(b.db, NULL, "commits") == 2);
    assert_true(stat_of(b.db, NULL, "puts") == 3);
    assert_true(stat_of(b.db, NULL, "deletes") == 1);
    assert_true(stat_of(b.db, NULL, "log_written") > 0);
    flush(b.db);
    assert_true(stat_of(b.db, t, "tables") == 1);
    assert_true(stat_of(b.db, t, "table_records") == 2); /* folded, nothing to hide */
    assert_true(stat_of(b.db, t, "memtable_records") == 0);
    assert_true(stat_of(b.db, NULL, "flushes") == 1);
    assert_true(stat_of(b.db, NULL, "frozen_memory") == 0);
    assert_int_equal(seerdb_tree_count_estimate(t), 2);
    assert_non_null(strstr(seerdb_build_info(), "seerdb " SEERDB_VERSION));
    seerdb_tree_close(t);
    bed_fini(&b);
}

static void a_flush_of_one_tree_leaves_the_others_in_memory(void **state)
{
    struct bed b;
    seerdb_err err = {0};
    seerdb_tree *t = create_tree((bed_new(&b), b.db), 1), *u = create_tree(b.db, 2);
    (void)state;
    write_words(t, "a=1");
    write_words(u, "b=1");
    test_ok(seerdb_flush(b.db, t, &err), &err);
    assert_true(stat_of(b.db, t, "tables") == 1);
    assert_true(stat_of(b.db, u, "tables") == 0);
    write_words(t, "-a");
    test_ok(seerdb_flush(b.db, t, &err), &err);
    expect(t, "");
    expect(u, "b=1");
    seerdb_tree_close(t);
    seerdb_tree_close(u);
    bed_crash(&b);
    bed_open_ok(&b);
    t = open_tree(b.db, 1);
    u = open_tree(b.db, 2);
    expect(t, "");
    expect(u, "b=1");
    seerdb_tree_close(t);
    seerdb_tree_close(u);
    bed_fini(&b);
}

static void a_flush_of_many_trees_keeps_file_numbers_below_their_ceiling(void **state)
{
    enum { NTREES = 400 };
    struct bed b;
    seerdb_tree *t[NTREES];
    (void)state;
    bed_new(&b);
    for (unsigned i = 0; i < NTREES; i++) {
        t[i] = create_tree(b.db, 1000 + i);
        write_words(t[i], "a=1");
    }
    flush(b.db);
    for (unsigned i = 0; i < NTREES; i++) {
        expect(t[i], "a=1");
        seerdb_tree_close(t[i]);
    }
    bed_crash(&b);
    bed_open_ok(&b);
    assert_soon(files_of(&b, ".tbl").n == NTREES);
    seerdb_tree *last = open_tree(b.db, 1000 + NTREES - 1);
    expect(last, "a=1");
    seerdb_tree_close(last);
    bed_fini(&b);
}

static void a_private_store_in_memory_needs_no_directory(void **state)
{
    seerdb_err err = {0};
    seerdb *db = NULL;
    (void)state;
    test_ok(
        seerdb_open("nowhere/at/all", &(seerdb_options){.in_memory = true}, &db, &err),
        &err);
    seerdb_tree *t = create_tree(db, 1);
    write_words(t, "a=1 b=2");
    flush(db);
    expect(t, "a=1 b=2");
    assert_string_equal(seerdb_dir(db), "nowhere/at/all");
    seerdb_tree_close(t);
    test_ok(seerdb_close(db, &err), &err);
}

static void memory_comes_from_a_pool_unless_the_store_is_small(void **state)
{
    seerdb_err err = {0};
    (void)state;
    for (int large = 0; large < 2; large++) {
        seerdb_options o = {.in_memory = true,
                            .memory_limit = (size_t)(large ? 64 : 16) << 20};
        seerdb *db = NULL;
        seerdb_value v = {0};
        test_ok(seerdb_open("small", &o, &db, &err), &err);
        seerdb_tree *t = create_tree(db, 1);
        assert_true(stat_of(db, NULL, "pool_memory") == 0);
        for (char key[] = "a"; key[0] <= 'l'; key[0]++)
            test_ok(try_fill(t, key, 200000, &err), &err);
        double held = stat_of(db, NULL, "pool_memory");
        if (large && SDB_PAGES_PIECE_MAX > 0)
            assert_true(held >= SDB_PAGES_REGION);
        else
            assert_true(held == 0);
        flush(db);
        seerdb_view *view = new_view(t);
        test_ok(seerdb_get(view, NULL, 0, test_slice("c"), &v, &err), &err);
        seerdb_view_close(view);
        seerdb_tree_close(t);
        test_ok(seerdb_close(db, &err), &err);
        assert_int_equal(v.bytes.size, 200000);
        assert_int_equal(((const char *)v.bytes.data)[199999], 'x');
        seerdb_pin_unref(v.pin);
    }
}

static void closing_and_freeing_nothing_is_fine(void **state)
{
    seerdb_err err = {0};
    (void)state;
    test_ok(seerdb_close(NULL, &err), &err);
    seerdb_tree_close(NULL);
    seerdb_batch_free(NULL);
    seerdb_view_close(NULL);
    seerdb_iter_close(NULL);
    assert_null(seerdb_pin_ref(NULL));
    seerdb_pin_unref(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_written_is_read_and_survives_reopening),
        cmocka_unit_test(a_tree_keeps_its_description),
        cmocka_unit_test(trees_of_one_store_are_apart),
        cmocka_unit_test(trees_are_listed_in_order_of_creation),
        cmocka_unit_test(bad_tree_requests_are_refused),
        cmocka_unit_test(compressed_trees_read_back),
        cmocka_unit_test(a_view_does_not_change_under_commits_flushes_and_drops),
        cmocka_unit_test(iterators_keep_to_their_bounds_in_both_directions),
        cmocka_unit_test(seeks_respect_bounds_and_directions_can_turn),
        cmocka_unit_test(pins_outlive_iterators_views_and_the_tree),
        cmocka_unit_test(a_drop_frees_the_files_once_no_view_needs_them),
        cmocka_unit_test(a_drop_without_views_frees_the_files_at_once),
        cmocka_unit_test(a_drop_needs_an_intent_and_no_undecided_commit),
        cmocka_unit_test(a_dropped_tree_refuses_writes_and_the_store_goes_on),
        cmocka_unit_test(statistics_count_what_happened),
        cmocka_unit_test(a_flush_of_one_tree_leaves_the_others_in_memory),
        cmocka_unit_test(a_flush_of_many_trees_keeps_file_numbers_below_their_ceiling),
        cmocka_unit_test(a_private_store_in_memory_needs_no_directory),
        cmocka_unit_test(memory_comes_from_a_pool_unless_the_store_is_small),
        cmocka_unit_test(closing_and_freeing_nothing_is_fine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
