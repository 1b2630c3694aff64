/* SPDX-License-Identifier: Apache-2.0 */
#include "db/state.h"
#include "testing.h"

#define VALUE 4000u

enum { NKEYS = 200 };

/* What a key holds after its n-th write; the same every time. */
static void value_of(unsigned key, unsigned n, uint8_t *out)
{
    struct sdb_rand r = {key * 1000 + n + 1};
    for (size_t i = 0; i + 8 <= VALUE; i += 8)
        sdb_store_u64(out + i, sdb_rand_next(&r));
}

static seerdb_tree *make_tree_of(struct bed *b, size_t memtable)
{
    seerdb_err err = {0};
    seerdb_tree *t = NULL;
    b->o.sizes.value_file = 64 << 10;
    b->o.sizes.memtable = memtable;
    bed_open_ok(b);
    test_ok(seerdb_tree_create(b->db,
                               &(seerdb_tree_options){
                                   .id = uuid_of(1), .name = "t", .value_log = 1000},
                               &t, &err),
            &err);
    return t;
}

static seerdb_tree *make_tree(struct bed *b)
{
    return make_tree_of(b, 64 << 10);
}

static void put(seerdb_batch *b, seerdb_tree *t, unsigned key, unsigned n)
{
    uint8_t value[VALUE];
    char name[16];
    seerdb_err err = {0};
    snprintf(name, sizeof name, "k%04u", key);
    value_of(key, n, value);
    test_ok(
        seerdb_batch_put(b, t, test_slice(name), (seerdb_slice){value, VALUE}, &err),
        &err);
}

static void put_one(seerdb_tree *t, unsigned key, unsigned n)
{
    seerdb_err err = {0};
    seerdb_batch *b = new_batch(seerdb_tree_store(t));
    put(b, t, key, n);
    test_ok(seerdb_write(b, SEERDB_SYNC_OFF, &err), &err);
    seerdb_batch_free(b);
}

static void expect_in(seerdb_view *v, unsigned key, unsigned n)
{
    uint8_t value[VALUE];
    char name[16];
    seerdb_err err = {0};
    seerdb_value got;
    snprintf(name, sizeof name, "k%04u", key);
    value_of(key, n, value);
    int rc = seerdb_get(v, NULL, 0, test_slice(name), &got, &err);
    if (rc != 0)
        fail_msg("%s: %d: %s", name, rc, err.msg);
    assert_int_equal(got.bytes.size, VALUE);
    assert_memory_equal(got.bytes.data, value, VALUE);
    seerdb_pin_unref(got.pin);
}

static void expect_all(seerdb_tree *t, const unsigned *n)
{
    seerdb_view *v = new_view(t);
    for (unsigned i = 0; i < NKEYS; i++)
        expect_in(v, i, n[i]);
    seerdb_view_close(v);
}

static uint64_t bytes_of_values(struct bed *b)
{
    struct sdb_file *f = NULL;
    uint64_t sum = 0, size;
    for (unsigned i = 1; i < 3000; i++) {
        char path[64];
        snprintf(path, sizeof path, "store/%06u.vlg", i);
        if (sdb_fs_open(b->mem, path, SDB_READ, SDB_FOR_OTHER, &f, NULL) != 0)
            continue;
        assert_int_equal(sdb_file_size(f, &size, NULL), 0);
        sdb_file_close(f);
        sum += size;
    }
    return sum;
}

static void gc(seerdb *db)
{
    seerdb_err err = {0};
    test_ok(seerdb_gc(db, NULL, &err), &err);
}

static void overwritten_values_give_their_space_back_and_the_others_stay(void **state)
{
    (void)state;
    struct bed b;
    unsigned n[NKEYS] = {0};
    struct sdb_rand r = {5};
    bed_init(&b);
    seerdb_tree *t = make_tree(&b);
    for (unsigned i = 0; i < NKEYS; i++)
        put_one(t, i, 0);
    for (unsigned i = 0; i < 20 * NKEYS; i++) {
        unsigned key = (unsigned)sdb_rand_below(&r, NKEYS);
        put_one(t, key, ++n[key]);
    }
    expect_all(t, n);
    gc(b.db);
    uint64_t live = NKEYS * (uint64_t)VALUE;
    assert_soon(bytes_of_values(&b) < live + live / 3 + (64 << 10));
    assert_true(stat_of(b.db, t, "value_live_bytes") >= (double)live);
    expect_all(t, n);
    verify(b.db);
    seerdb_tree_close(t);
    bed_close(&b);
    bed_open_ok(&b);
    t = open_tree(b.db, 1);
    expect_all(t, n);
    seerdb_tree_close(t);
    bed_fini(&b);
}

static void files_that_a_view_alone_has_held_go_with_it(void **state)
{
    (void)state;
    struct bed b;
    seerdb_err err = {0};
    bed_init(&b);
    seerdb_tree *t = make_tree_of(&b, 256 << 10); /* one is enough */
    test_ok(seerdb_pause(b.db, &err), &err); /* nobody else empties the graveyard */
    for (unsigned n = 0; n < 20; n++)
        put_one(t, 1, n);
    seerdb_view *v = new_view(t); /* of the memtable */
    put_one(t, 1, 20);
    flush(b.db);
    expect_in(v, 1, 19);
    assert_true(bytes_of_values(&b) > 20 * VALUE);
    seerdb_view_close(v);
    assert_soon(bytes_of_values(&b) < 10 * VALUE);
    seerdb_tree_close(t);
    bed_fini(&b);
}

/* A file is full after 16 of them, and then only who names it holds it: here, for want
 * of a table, the memtable that the commits went to. */
static void what_only_commits_in_memory_name_stays(void **state)
{
    (void)state;
    struct bed b;
    bed_init(&b);
    seerdb_tree *t = make_tree(&b);
    for (unsigned i = 0; i < NKEYS; i++) {
        put_one(t, i, 0);
        seerdb_view *v = new_view(t);
        for (unsigned k = i < 40 ? 0 : i - 40; k <= i; k++)
            expect_in(v, k, 0);
        seerdb_view_close(v);
    }
    seerdb_tree_close(t);
    bed_fini(&b);
}

static void what_a_view_sees_stays_until_it_is_closed(void **state)
{
    (void)state;
    struct bed b;
    unsigned n[NKEYS] = {0};
    bed_init(&b);
    seerdb_tree *t = make_tree(&b);
    for (unsigned i = 0; i < NKEYS; i++)
        put_one(t, i, 0);
    flush(b.db);
    seerdb_view *v = new_view(t);
    for (unsigned round = 1; round < 4; round++)
        for (unsigned i = 0; i < NKEYS; i += 2)
            put_one(t, i, n[i] = round);
    gc(b.db);
    expect_all(t, n);
    for (unsigned i = 0; i < NKEYS; i++)
        expect_in(v, i, 0);
    uint64_t before = bytes_of_values(&b);
    seerdb_view_close(v);
    gc(b.db);
    assert_soon(bytes_of_values(&b) < before);
    expect_all(t, n);
    seerdb_tree_close(t);
    bed_fini(&b);
}

static void a_segment_that_is_put_again_is_neither_read_nor_lost(void **state)
{
    (void)state;
    struct bed b;
    seerdb_err err = {0};
    unsigned n[NKEYS] = {0};
    bed_init(&b);
    seerdb_tree *t = make_tree(&b);
    for (unsigned i = 0; i < NKEYS; i++)
        put_one(t, i, 0);
    flush(b.db);
    seerdb_view *v = new_view(t);
    seerdb_view_set_lazy(v, true);
    for (unsigned i = 0; i < NKEYS; i++) {
        char name[16];
        seerdb_value got;
        seerdb_part part = {.how = SEERDB_PART_KEPT};
        snprintf(name, sizeof name, "k%04u", i);
        test_ok(seerdb_get(v, NULL, 0, test_slice(name), &got, &err), &err);
        assert_int_equal(got.bytes.size, 0);
        assert_true(seerdb_segments_next(&got.segments, &part.segment));
        assert_int_equal(part.segment.size, VALUE);
        assert_false(seerdb_segments_next(&got.segments, &part.segment));
        seerdb_batch *batch = new_batch(b.db);
        test_ok(seerdb_batch_put_parts(batch, t, test_slice(name), &part, 1, &err),
                &err);
        test_ok(seerdb_write(batch, SEERDB_SYNC_OFF, &err), &err);
        seerdb_batch_free(batch);
        seerdb_pin_unref(got.pin);
    }
    seerdb_view_close(v);
    expect_all(t, n);
    gc(b.db);
    expect_all(t, n);
    assert_true(bytes_of_values(&b) < NKEYS * (VALUE + 200) + (64 << 10));
    seerdb_tree_close(t);
    bed_fini(&b);
}

static void rolled_back_values_and_dropped_trees_leave_no_file(void **state)
{
    (void)state;
    struct bed b;
    seerdb_err err = {0};
    bed_init(&b);
    seerdb_tree *t = make_tree(&b);
    seerdb_batch *batch = new_batch(b.db);
    for (unsigned i = 0; i < NKEYS; i++)
        put(batch, t, i, 0);
    assert_true(files_of(&b, ".vlg").n > 5);
    test_ok(seerdb_rollback(batch, &err), &err);
    put_one(t, 0, 0);
    flush(b.db);
    assert_soon(files_of(&b, ".vlg").n <= 2);
    seerdb_batch_free(batch);
    for (unsigned i = 0; i < NKEYS; i++)
        put_one(t, i, 0);
    test_ok(seerdb_tree_intend_drop(t, &err), &err);
    test_ok(seerdb_tree_drop(t, &err), &err);
    flush(b.db);
    assert_soon(files_of(&b, ".vlg").n <= 1); /* the one that was being written */
    bed_close(&b);
    bed_open_ok(&b);
    assert_int_equal(files_of(&b, ".vlg").n, 0);
    bed_fini(&b);
}

static void a_failure_anywhere_in_gc_loses_nothing(void **state)
{
    (void)state;
    for (uint64_t pass = 0; pass < 400; pass += 7) {
        struct bed b;
        unsigned n[NKEYS] = {0};
        bed_init(&b);
        seerdb_tree *t = make_tree(&b);
        for (unsigned i = 0; i < NKEYS; i++)
            put_one(t, i, 0);
        for (unsigned i = 0; i < NKEYS; i++)
            if (i % 3 != 0)
                put_one(t, i, n[i] = 1);
        flush(b.db);
        fault(&b, (struct sdb_fault){.ops = SDB_FAULT_CHANGE | SDB_FAULT_SYNC,
                                     .after = pass,
                                     .times = UINT64_MAX,
                                     .error = 5});
        int rc = seerdb_gc(b.db, NULL, NULL);
        seerdb_tree_close(t);
        (void)seerdb_close(b.db, NULL);
        b.db = NULL;
        fault(&b, (struct sdb_fault){0});
        sdb_memfs_cut(b.mem, pass % 2 == 0 ? SDB_CUT_DROP : SDB_CUT_RANDOM, pass);
        bed_open_ok(&b);
        t = open_tree(b.db, 1);
        expect_all(t, n);
        verify(b.db);
        seerdb_tree_close(t);
        bed_fini(&b);
        if (rc == 0)
            return;
    }
    fail_msg("gc never came to its end");
}

static void verifying_finds_a_damaged_value_and_reading_names_it(void **state)
{
    (void)state;
    for (int flushed = 0; flushed < 2; flushed++) {
        struct bed b;
        seerdb_err err = {0};
        seerdb_verify_report report;
        seerdb_value got;
        char path[80];
        bed_init(&b);
        seerdb_tree *t = make_tree(&b);
        for (unsigned i = 0; i < 10; i++)
            put_one(t, i, 0);
        if (flushed)
            flush(b.db);
        verify(b.db);
        snprintf(path, sizeof path, "store/%s", files_of(&b, ".vlg").first);
        assert_int_equal(sdb_memfs_flip(b.mem, path, 64 + 3 * (VALUE + 32) + 1000, 1),
                         0);
        int rc = seerdb_verify(b.db, NULL, &report, &err);
        assert_int_equal(rc, SEERDB_CORRUPT);
        assert_non_null(strstr(err.msg, path));
        err = (seerdb_err){0};
        seerdb_view *v = new_view(t);
        assert_int_equal(seerdb_get(v, NULL, 0, test_slice("k0003"), &got, &err),
                         SEERDB_CORRUPT);
        assert_non_null(strstr(err.msg, "slot 3"));
        expect_in(v, 2, 0);
        expect_in(v, 4, 0);
        seerdb_view_close(v);
        seerdb_tree_close(t);
        bed_fini(&b);
    }
}

/* The most files that gc wrote again after one look at the tables. */
static bool most_at_once(void *ctx, const seerdb_event *e)
{
    unsigned long n = strcmp(e->event, "gc") == 0 ? strtoul(e->detail, NULL, 10) : 0;
    unsigned long *most = ctx;
    *most = n > *most ? n : *most;
    return true;
}

/* Keys of that length, of which every other one is deleted. */
static unsigned long files_at_once(size_t key_size)
{
    enum { KEYS = 160 };
    struct bed b;
    seerdb_err err = {0};
    unsigned long most = 0;
    uint8_t *key = calloc(1, key_size), value[VALUE];
    assert_non_null(key);
    bed_init(&b);
    seerdb_tree *t = make_tree(&b);
    seerdb_batch *batch = new_batch(b.db);
    for (int deleting = 0; deleting < 2; deleting++)
        for (unsigned i = 0; i < KEYS; i++) {
            seerdb_slice k = {key, key_size};
            sdb_store_be64(key, i);
            value_of(i, 0, value);
            if (deleting && i % 2 == 0)
                test_ok(seerdb_batch_delete(batch, t, k, &err), &err);
            else if (!deleting)
                test_ok(
                    seerdb_batch_put(batch, t, k, (seerdb_slice){value, VALUE}, &err),
                    &err);
            test_ok(seerdb_write(batch, SEERDB_SYNC_OFF, &err), &err);
        }
    seerdb_batch_free(batch);
    uint64_t before = bytes_of_values(&b);
    test_ok(seerdb_compact(b.db, t, &err), &err);
    gc(b.db);
    assert_soon(bytes_of_values(&b) < before * 6 / 10);
    verify(b.db);
    test_ok(seerdb_events(b.db, t, most_at_once, &most, &err), &err);
    seerdb_tree_close(t);
    bed_fini(&b);
    free(key);
    return most;
}

static void more_files_are_written_again_at_once_where_tables_are_large(void **state)
{
    (void)state;
    assert_int_equal(files_at_once(8), 2);
    assert_in_range(files_at_once(3000), 4, 16);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(overwritten_values_give_their_space_back_and_the_others_stay),
        cmocka_unit_test(more_files_are_written_again_at_once_where_tables_are_large),
        cmocka_unit_test(files_that_a_view_alone_has_held_go_with_it),
        cmocka_unit_test(what_only_commits_in_memory_name_stays),
        cmocka_unit_test(what_a_view_sees_stays_until_it_is_closed),
        cmocka_unit_test(a_segment_that_is_put_again_is_neither_read_nor_lost),
        cmocka_unit_test(rolled_back_values_and_dropped_trees_leave_no_file),
        cmocka_unit_test(a_failure_anywhere_in_gc_loses_nothing),
        cmocka_unit_test(verifying_finds_a_damaged_value_and_reading_names_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
