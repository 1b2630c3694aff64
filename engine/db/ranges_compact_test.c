/* SPDX-License-Identifier: Apache-2.0
 *
 * What becomes of range tombstones by themselves: that they go down, delete at the cost
 * of what they delete in part, and are gone at last. */
#include "db/marked_rig.h"
#include "db/testing.h"

#include "os/clock.h"

#define KEYS 3000u

static seerdb_slice key_of(unsigned i, char room[16])
{
    snprintf(room, 16, "k%08u", i);
    return test_slice(room);
}

/* All keys in one run at the bottom. */
static void fill(seerdb_tree *t)
{
    seerdb *db = seerdb_tree_store(t);
    seerdb_err err = {0};
    char key[16], value[101];
    for (unsigned i = 0; i < KEYS;) {
        seerdb_batch *b = new_batch(db);
        for (unsigned k = 0; k < 50 && i < KEYS; k++, i++) {
            snprintf(value, sizeof value, "%-100u", i);
            test_ok(seerdb_batch_put(b, t, key_of(i, key), test_slice(value), &err),
                    &err);
        }
        test_ok(seerdb_write(b, SEERDB_SYNC_OFF, &err), &err);
        seerdb_batch_free(b);
    }
    flush(db);
    test_ok(seerdb_compact(db, NULL, &err), &err);
}

static void delete_between(seerdb_tree *t, unsigned from, unsigned to)
{
    char lower[16], upper[16];
    seerdb_err err = {0};
    seerdb_batch *b = new_batch(seerdb_tree_store(t));
    test_ok(
        seerdb_batch_delete_range(b, t, key_of(from, lower), key_of(to, upper), &err),
        &err);
    test_ok(seerdb_write(b, SEERDB_SYNC_OFF, &err), &err);
    seerdb_batch_free(b);
}

/* Everything but what was between the two is there, and nothing else. */
static void expect_rest(seerdb_tree *t, unsigned from, unsigned to)
{
    char key[16];
    seerdb_err err = {0};
    seerdb_iter *it = NULL;
    seerdb_view *v = new_view(t);
    test_ok(seerdb_iter_open(v, NULL, 0, &it, &err), &err);
    int rc = seerdb_iter_first(it, &err);
    for (unsigned i = 0; i < KEYS; i++) {
        if (i >= from && i < to)
            continue;
        test_ok(rc, &err);
        test_slice_equal(seerdb_iter_key(it), key_of(i, key));
        assert_int_equal(atoi(seerdb_iter_value(it).data), i);
        rc = seerdb_iter_next(it, &err);
    }
    assert_int_equal(rc, SEERDB_NOTFOUND);
    seerdb_iter_close(it);
    seerdb_view_close(v);
}

/* Wait until the statistic is 0. */
static void wait_for_none(seerdb *db, seerdb_tree *t, const char *name)
{
    for (unsigned i = 0; stat_of(db, t, name) > 0; i++) {
        if (i > 10000)
            fail_msg("%s stays %g", name, stat_of(db, t, name));
        sdb_clock_sleep_us(1000);
    }
}

static void a_small_range_goes_without_being_asked(void **state)
{
    struct bed b;
    (void)state;
    bed_new(&b);
    seerdb_tree *t = create_tree(b.db, 1);
    fill(t);
    double written = stat_of(b.db, NULL, "compaction_written"),
           size = stat_of(b.db, t, "table_bytes");
    delete_between(t, 1000, 1010);
    expect_rest(t, 1000, 1010);
    flush(b.db);
    wait_for_none(b.db, t, "table_ranges");
    expect_rest(t, 1000, 1010);
    assert_int_equal(stat_of(b.db, t, "table_records"), KEYS - 10);
    /* By writing what lies around it, not everything. */
    assert_true(stat_of(b.db, NULL, "compaction_written") - written < size / 3);
    verify(b.db);
    seerdb_tree_close(t);
    bed_fini(&b);
}

static void deleting_everything_reads_next_to_nothing(void **state)
{
    struct bed b;
    (void)state;
    bed_new(&b);
    seerdb_tree *t = create_tree(b.db, 1);
    fill(t);
    double read = stat_of(b.db, NULL, "compaction_read"),
           size = stat_of(b.db, t, "table_bytes");
    delete_between(t, 0, KEYS);
    expect_rest(t, 0, KEYS);
    flush(b.db);
    wait_for_none(b.db, t, "tables");
    expect_rest(t, 0, KEYS);
    assert_true(stat_of(b.db, NULL, "compaction_read") - read < size / 10);
    assert_soon(files_of(&b, ".tbl").n == 0);
    fill(t); /* and again */
    expect_rest(t, 0, 0);
    seerdb_tree_close(t);
    bed_fini(&b);
}

static void what_a_range_deletes_in_part_is_read_in_part(void **state)
{
    struct bed b;
    (void)state;
    bed_new(&b);
    seerdb_tree *t = create_tree(b.db, 1);
    fill(t);
    double read = stat_of(b.db, NULL, "compaction_read"),
           size = stat_of(b.db, t, "table_bytes");
    delete_between(t, 100, KEYS - 100);
    flush(b.db);
    wait_for_none(b.db, t, "table_ranges");
    expect_rest(t, 100, KEYS - 100);
    assert_int_equal(stat_of(b.db, t, "table_records"), 200);
    assert_true(stat_of(b.db, NULL, "compaction_read") - read < size / 2);
    seerdb_tree_close(t);
    bed_fini(&b);
}

static void nothing_is_written_where_a_range_deletes_nothing(void **state)
{
    struct bed b;
    (void)state;
    bed_new_paused(&b);
    seerdb_tree *t = create_tree(b.db, 1);
    delete_between(t, 0, 10);
    flush(b.db);
    assert_int_equal(stat_of(b.db, t, "tables"), 0);
    assert_soon(files_of(&b, ".tbl").n == 0);
    write_words(t, "k00000005=1");
    delete_between(t, 0, 10);
    write_words(t, "k00000006=2");
    flush(b.db); /* the range deletes, and has nothing more to do */
    assert_int_equal(stat_of(b.db, t, "table_records"), 1);
    assert_int_equal(stat_of(b.db, t, "table_ranges"), 0);
    delete_between(t, 0, 10);
    write_words(t, "k00000007=3");
    flush(b.db); /* now it has */
    assert_int_equal(stat_of(b.db, t, "table_records"), 2);
    assert_int_equal(stat_of(b.db, t, "table_ranges"), 1);
    expect(t, "k00000007=3");
    seerdb_tree_close(t);
    bed_close(&b);
    bed_open_ok(&b);
    t = open_tree(b.db, 1);
    expect(t, "k00000007=3");
    wait_for_none(b.db, t, "table_ranges"); /* the open sees that it is due */
    expect(t, "k00000007=3");
    assert_int_equal(stat_of(b.db, t, "table_records"), 1);
    seerdb_tree_close(t);
    bed_fini(&b);
}

static void delete_all(struct owner *o)
{
    seerdb_err err = {0};
    test_ok(seerdb_batch_expect(o->batch, o->tree, o->marker, 0, NULL, &err), &err);
    test_ok(seerdb_batch_delete_range(o->batch, o->tree, test_slice(""),
                                      test_slice("z"), &err),
            &err);
    test_ok(seerdb_prepare(o->batch, SEERDB_SYNC_FULL, &o->marker, &err), &err);
    seerdb_commit(o->batch);
}

static void readers_of_the_history_keep_what_a_range_deletes(void **state)
{
    struct owner *o = owner_new(60 * 1000);
    seerdb_err err = {0};
    (void)state;
    put(o, "a", "1");
    put(o, "b", "2");
    test_ok(seerdb_flush(o->db, NULL, &err), &err);
    uint64_t before = o->marker;
    delete_all(o);
    put(o, "b", "3");
    test_ok(seerdb_flush(o->db, NULL, &err), &err);
    test_ok(seerdb_compact(o->db, NULL, &err), &err);
    assert_int_equal(stat_of(o->db, o->tree, "table_ranges"), 1);
    expect_at(o, before, "a", "1");
    expect_at(o, before, "b", "2");
    expect_at(o, o->marker, "a", NULL);
    expect_at(o, o->marker, "b", "3");
    owner_free(o);
}

static void what_a_range_deletes_goes_with_its_history(void **state)
{
    struct owner *o = owner_new(100);
    seerdb_err err = {0};
    seerdb_view *v = NULL;
    (void)state;
    put(o, "a", "1");
    put(o, "b", "2");
    test_ok(seerdb_flush(o->db, NULL, &err), &err);
    uint64_t before = o->marker;
    delete_all(o);
    put(o, "b", "3");
    test_ok(seerdb_flush(o->db, NULL, &err), &err);
    wait_for_none(o->db, o->tree, "table_ranges"); /* without any further write */
    assert_int_equal(stat_of(o->db, o->tree, "table_records"), 1);
    expect_at(o, o->marker, "a", NULL);
    expect_at(o, o->marker, "b", "3");
    /* Whoever comes back with an old marker is told so. */
    int rc = seerdb_view_open_at(o->tree, before, 0, &v, &err);
    if (rc == 0)
        fail_msg("a view of what was deleted for good");
    err = (seerdb_err){0};
    reopen(o);
    expect_at(o, o->marker, "a", NULL);
    expect_at(o, o->marker, "b", "3");
    owner_free(o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_small_range_goes_without_being_asked),
        cmocka_unit_test(deleting_everything_reads_next_to_nothing),
        cmocka_unit_test(what_a_range_deletes_in_part_is_read_in_part),
        cmocka_unit_test(nothing_is_written_where_a_range_deletes_nothing),
        cmocka_unit_test(readers_of_the_history_keep_what_a_range_deletes),
        cmocka_unit_test(what_a_range_deletes_goes_with_its_history),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
