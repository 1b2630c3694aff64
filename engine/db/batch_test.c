/* SPDX-License-Identifier: Apache-2.0
 *
 * What seerdb.h promises about batches, marks and commits in one and two phases. */
#include "testing.h"

/* ---- batches ------------------------------------------------------------------ */

static void a_batch_is_seen_by_its_readers_only(void **state)
{
    struct bed b;
    seerdb_err err = {0};
    seerdb_tree *t = create_tree((bed_new(&b), b.db), 1);
    seerdb_value got;
    (void)state;
    write_words(t, "a=1 b=2");
    seerdb_batch *batch = new_batch(b.db);
    seerdb_view *v = new_view(t);
    assert_true(seerdb_batch_is_empty(batch, NULL));
    add(batch, t, "b=20 c=30 -a");
    assert_false(seerdb_batch_is_empty(batch, t));
    expect_state(v, batch, SEERDB_BATCH_ALL, "b=20 c=30");
    expect_state(v, NULL, 0, "a=1 b=2");
    assert_int_equal(
        seerdb_get(v, batch, SEERDB_BATCH_ALL, test_slice("a"), &got, &err),
        SEERDB_NOTFOUND);
    assert_int_equal(seerdb_get(v, batch, 0, test_slice("a"), &got, &err), 0);
    seerdb_pin_unref(got.pin);
    expect(t, "a=1 b=2");
    test_ok(seerdb_write(batch, SEERDB_SYNC_OFF, &err), &err);
    expect(t, "b=20 c=30");
    expect_state(v, NULL, 0, "a=1 b=2");
    assert_true(seerdb_batch_is_empty(batch, NULL));
    add(batch, t, "z=26"); /* reusable */
    test_ok(seerdb_write(batch, SEERDB_SYNC_OFF, &err), &err);
    expect(t, "b=20 c=30 z=26");
    seerdb_view_close(v);
    seerdb_batch_free(batch);
    seerdb_tree_close(t);
    bed_fini(&b);
}

/* A batch uses its memory again, but not under a reader. */
static void what_was_found_in_a_batch_outlives_its_commit(void **state)
{
    struct bed b;
    seerdb_err err = {0};
    (void)state;
    bed_new(&b);
    seerdb_tree *t = create_tree(b.db, 1), *u = create_tree(b.db, 2);
    seerdb_batch *batch = new_batch(b.db);
    seerdb_view *v = new_view(t);
    seerdb_value got = {.pin = NULL};
    for (int round = 0; round < 6; round++) {
        /* The first memtable is the one that is used again. */
        if (round % 3 == 2)
            add(batch, u, "k=other");
        add(batch, t, round % 2 == 0 ? "a=even k=even" : "a=odd k=odd");
        if (round % 3 == 0) { /* held until the batch has been written again */
            seerdb_pin_unref(got.pin);
            test_ok(seerdb_get(v, batch, SEERDB_BATCH_ALL, test_slice("k"), &got, &err),
                    &err);
        }
        if (round == 4)
            test_ok(seerdb_rollback(batch, &err), &err);
        else
            test_ok(seerdb_write(batch, SEERDB_SYNC_OFF, &err), &err);
        assert_true(seerdb_batch_is_empty(batch, NULL));
        test_slice_equal(got.bytes, test_slice(round < 3 ? "even" : "odd"));
        expect(t, round % 2 == 0 && round != 4 ? "a=even k=even" : "a=odd k=odd");
    }
    seerdb_pin_unref(got.pin);
    expect(u, "k=other");
    seerdb_view_close(v);
    seerdb_batch_free(batch);
    seerdb_tree_close(t);
    seerdb_tree_close(u);
    bed_fini(&b);
}

static void one_commit_has_one_number_for_all_its_trees(void **state)
{
    struct bed b;
    seerdb_err err = {0};
    seerdb_tree *t1 = create_tree((bed_new(&b), b.db), 1), *t2 = create_tree(b.db, 2);
    (void)state;
    write_words(t1, "x=0");
    seerdb_batch *batch = new_batch(b.db);
    add(batch, t1, "a=1 b=2");
    add(batch, t2, "c=3");
    uint64_t number = 0;
    test_ok(seerdb_prepare(batch, SEERDB_SYNC_FULL, &number, &err), &err);
    assert_true(number > 0);
    seerdb_view *before = new_view(t1);
    assert_true(seerdb_view_number(before) < number);
    expect_state(before, NULL, 0, "x=0");
    seerdb_commit(batch);
    seerdb_view *v1 = new_view(t1), *v2 = new_view(t2);
    assert_int_equal(seerdb_view_number(v1), number);
    assert_int_equal(seerdb_view_number(v2), number);
    expect_state(v1, NULL, 0, "a=1 b=2 x=0");
    expect_state(v2, NULL, 0, "c=3");
    seerdb_view_close(before);
    seerdb_view_close(v1);
    seerdb_view_close(v2);
    seerdb_batch_free(batch);
    seerdb_tree_close(t1);
    seerdb_tree_close(t2);
    bed_fini(&b);
}

static void marks_nest_and_can_be_returned_to_again_and_again(void **state)
{
    struct bed b;
    seerdb_err err = {0};
    seerdb_tree *t = create_tree((bed_new(&b), b.db), 1), *u = create_tree(b.db, 2);
    (void)state;
    write_words(t, "a=0");
    seerdb_batch *batch = new_batch(b.db);
    seerdb_view *v = new_view(t);
    uint64_t m0 = seerdb_batch_mark(batch);
    add(batch, t, "a=1 b=1");
    uint64_t m1 = seerdb_batch_mark(batch);
    add(batch, t, "a=2 -b c=2");
    add(batch, u, "k=1");
    uint64_t m2 = seerdb_batch_mark(batch);
    add(batch, t, "a=3 b=3 d=3");
    expect_state(v, batch, SEERDB_BATCH_ALL, "a=3 b=3 c=2 d=3");
    expect_state(v, batch, m2, "a=2 c=2");
    expect_state(v, batch, m1, "a=1 b=1");
    expect_state(v, batch, m0, "a=0");
    for (int i = 0; i < 3; i++) {
        seerdb_batch_rollback_to(batch, m2);
        expect_state(v, batch, SEERDB_BATCH_ALL, "a=2 c=2");
        add(batch, t, "-a e=4");
        expect_state(v, batch, SEERDB_BATCH_ALL, "c=2 e=4");
    }
    assert_false(seerdb_batch_is_empty(batch, u));
    seerdb_batch_rollback_to(batch, m1);
    seerdb_batch_rollback_to(batch, m2); /* nothing left behind it */
    expect_state(v, batch, SEERDB_BATCH_ALL, "a=1 b=1");
    assert_true(seerdb_batch_is_empty(batch, u));
    assert_false(seerdb_batch_is_empty(batch, NULL));
    add(batch, t, "b=5");
    seerdb_batch_rollback_to(batch, m0);
    expect_state(v, batch, SEERDB_BATCH_ALL, "a=0");
    assert_true(seerdb_batch_is_empty(batch, NULL));
    add(batch, t, "f=6");
    test_ok(seerdb_write(batch, SEERDB_SYNC_FULL, &err), &err);
    expect(t, "a=0 f=6");
    expect(u, "");
    seerdb_view_close(v);
    seerdb_batch_free(batch);
    seerdb_tree_close(t);
    seerdb_tree_close(u);
    bed_fini(&b);
}

static void what_was_rolled_back_is_not_in_the_log(void **state)
{
    struct bed b;
    seerdb_err err = {0};
    uint64_t number = 99;
    seerdb_tree *t = create_tree((bed_new(&b), b.db), 1);
    (void)state;
    seerdb_batch *batch = new_batch(b.db);
    add(batch, t, "a=1");
    seerdb_batch_rollback_to(batch, 0);
    test_ok(seerdb_prepare(batch, SEERDB_SYNC_FULL, &number, &err), &err);
    assert_int_equal(number, 0); /* an empty batch logs nothing */
    seerdb_commit(batch);
    add(batch, t, "a=1");
    uint64_t m = seerdb_batch_mark(batch);
    add(batch, t, "a=2 b=2");
    seerdb_batch_rollback_to(batch, m);
    test_ok(seerdb_write(batch, SEERDB_SYNC_FULL, &err), &err);
    seerdb_batch_free(batch);
    seerdb_tree_close(t);
    bed_crash(&b);
    bed_open_ok(&b);
    t = open_tree(b.db, 1);
    expect(t, "a=1");
    seerdb_tree_close(t);
    bed_fini(&b);
}

static void an_iterator_over_a_batch_shows_the_state_it_was_opened_on(void **state)
{
    struct bed b;
    seerdb_err err = {0};
    char got[200];
    seerdb_tree *t = create_tree((bed_new(&b), b.db), 1);
    (void)state;
    write_words(t, "a=0 m=0");
    seerdb_batch *batch = new_batch(b.db);
    add(batch, t, "b=1 m=1");
    seerdb_view *v = new_view(t);
    seerdb_iter *it = NULL, *marked = NULL;
    uint64_t m = seerdb_batch_mark(batch);
    test_ok(seerdb_iter_open(v, batch, SEERDB_BATCH_ALL, &it, &err), &err);
    test_ok(seerdb_iter_open(v, batch, m, &marked, &err), &err);
    test_ok(seerdb_iter_first(it, &err), &err);
    add(batch, t, "-a b=2 c=2 m=2 z=2"); /* in front of it and behind it */
    dump_iter(it, true, got, sizeof got);
    assert_string_equal(got, "a=0 b=1 m=1");
    dump_iter(marked, false, got, sizeof got);
    assert_string_equal(got, "m=1 b=1 a=0");
    seerdb_view_close(v);
    test_ok(seerdb_write(batch, SEERDB_SYNC_OFF, &err), &err);
    dump_iter(it, false, got, sizeof got);
    assert_string_equal(got, "m=1 b=1 a=0");
    seerdb_batch_free(batch);
    dump_iter(it, true, got, sizeof got);
    assert_string_equal(got, "a=0 b=1 m=1");
    seerdb_iter_close(it);
    seerdb_iter_close(marked);
    expect(t, "b=2 c=2 m=2 z=2");
    seerdb_tree_close(t);
    bed_fini(&b);
}

static void an_iterator_stays_usable_when_its_batch_is_rolled_back(void **state)
{
    struct bed b;
    seerdb_err err = {0};
    char got[200];
    seerdb_tree *t = create_tree((bed_new(&b), b.db), 1);
    (void)state;
    write_words(t, "a=0 z=0");
    seerdb_batch *batch = new_batch(b.db);
    seerdb_view *v = new_view(t);
    add(batch, t, "b=1");
    uint64_t m = seerdb_batch_mark(batch);
    add(batch, t, "c=1 d=1 e=1");
    seerdb_iter *it = NULL;
    test_ok(seerdb_iter_open(v, batch, SEERDB_BATCH_ALL, &it, &err), &err);
    test_ok(seerdb_iter_seek(it, test_slice("d"), &err), &err);
    seerdb_batch_rollback_to(batch, m);
    for (int i = 0; i < 200; i++) { /* the ranges of rolled-back writes grow */
        add(batch, t, "y=1 x=1");
        seerdb_batch_rollback_to(batch, seerdb_batch_mark(batch) - 1);
    }
    test_slice_equal(seerdb_iter_key(it), test_slice("d"));
    int rc = seerdb_iter_next(it, &err);
    while (rc == 0)
        rc = seerdb_iter_next(it, &err);
    assert_int_equal(rc, SEERDB_NOTFOUND);
    dump_iter(it, true, got, sizeof got); /* writes taken back may be gone or not */
    assert_non_null(strstr(got, "a=0 b=1"));
    assert_non_null(strstr(got, "z=0"));
    assert_int_equal(seerdb_rollback(batch, &err), 0);
    dump_iter(it, false, got, sizeof got);
    seerdb_iter_close(it);
    seerdb_view_close(v);
    seerdb_batch_free(batch);
    expect(t, "a=0 z=0");
    seerdb_tree_close(t);
    bed_fini(&b);
}

static void keys_and_values_have_their_limits(void **state)
{
    struct bed b;
    seerdb_err err = {0};
    seerdb_tree *t = create_tree((bed_new(&b), b.db), 1);
    (void)state;
    size_t n = SEERDB_KEY_MAX;
    char *key = malloc(n + 1);
    memset(key, 'k', n + 1);
    seerdb_batch *batch = new_batch(b.db);
    test_fails(
        seerdb_batch_put(batch, t, (seerdb_slice){key, n + 1}, test_slice(""), &err),
        SEERDB_TOOBIG, &err);
    test_fails(seerdb_batch_delete(batch, t, (seerdb_slice){key, n + 1}, &err),
               SEERDB_TOOBIG, &err);
    test_fails(seerdb_batch_put(batch, t, test_slice("k"),
                                (seerdb_slice){key, SEERDB_VALUE_MAX + 1}, &err),
               SEERDB_TOOBIG, &err);
    assert_true(seerdb_batch_is_empty(batch, NULL));
    assert_int_equal(seerdb_batch_mark(batch), 0);
    test_ok(seerdb_batch_put(batch, t, (seerdb_slice){key, n}, test_slice("v"), &err),
            &err);
    test_ok(seerdb_batch_put(batch, t, (seerdb_slice){"", 0}, test_slice(""), &err),
            &err);
    test_ok(seerdb_batch_put(batch, t, (seerdb_slice){NULL, 0}, test_slice("e"), &err),
            &err);
    test_ok(seerdb_write(batch, SEERDB_SYNC_OFF, &err), &err);
    for (int i = 0; i < 2; i++) {
        seerdb_value got;
        seerdb_view *v = new_view(t);
        test_ok(seerdb_get(v, NULL, 0, (seerdb_slice){key, n}, &got, &err), &err);
        test_slice_equal(got.bytes, test_slice("v"));
        seerdb_pin_unref(got.pin);
        seerdb_view_close(v);
        expect_key(t, "", "e");
        flush(b.db);
    }
    verify(b.db);
    seerdb_batch_free(batch);
    free(key);
    seerdb_tree_close(t);
    bed_fini(&b);
}

/* ---- two-phase commit ----------------------------------------------------------- */

static void a_prepared_batch_takes_no_writes(void **state)
{
    struct bed b;
    seerdb_err err = {0};
    uint64_t number;
    seerdb_tree *t = create_tree((bed_new(&b), b.db), 1);
    (void)state;
    seerdb_batch *batch = new_batch(b.db);
    add(batch, t, "a=1");
    test_ok(seerdb_prepare(batch, SEERDB_SYNC_FULL, &number, &err), &err);
    test_fails(batch_words(batch, t, "b=1", &err), SEERDB_MISUSE, &err);
    test_fails(seerdb_prepare(batch, SEERDB_SYNC_FULL, &number, &err), SEERDB_MISUSE,
               &err);
    expect(t, "");
    test_ok(seerdb_unprepare(batch, &err), &err);
    add(batch, t, "b=1");
    uint64_t second;
    test_ok(seerdb_prepare(batch, SEERDB_SYNC_FULL, &second, &err), &err);
    assert_true(second > number);
    seerdb_commit(batch);
    expect(t, "a=1 b=1");
    seerdb_batch_free(batch);
    seerdb_tree_close(t);
    bed_fini(&b);
}

static void an_undecided_commit_holds_the_slot_of_its_trees(void **state)
{
    struct bed b;
    seerdb_err err = {0};
    seerdb_tree *t1 = create_tree((bed_new(&b), b.db), 1), *t2 = create_tree(b.db, 2),
                *t3 = create_tree(b.db, 3);
    uint64_t number;
    (void)state;
    seerdb_batch *holder = new_batch(b.db), *other = new_batch(b.db);
    add(holder, t1, "a=1");
    add(holder, t2, "a=1");
    test_ok(seerdb_prepare(holder, SEERDB_SYNC_OFF, &number, &err), &err);
    add(other, t2, "b=2");
    add(other, t3, "b=2");
    for (int i = 0; i < 2; i++) {
        test_fails(seerdb_prepare(other, SEERDB_SYNC_OFF, &number, &err), SEERDB_BUSY,
                   &err);
        expect(t2, "");
    }
    write_words(t3, "c=3"); /* not held */
    seerdb_commit(holder);
    test_ok(seerdb_prepare(other, SEERDB_SYNC_OFF, &number, &err), &err);
    seerdb_batch *third = new_batch(b.db);
    add(third, t3, "d=4");
    test_fails(seerdb_prepare(third, SEERDB_SYNC_OFF, &number, &err), SEERDB_BUSY,
               &err);
    test_ok(seerdb_rollback(other, &err), &err);
    test_ok(seerdb_prepare(third, SEERDB_SYNC_OFF, &number, &err), &err);
    seerdb_batch_free(third); /* undecided: rolled back */
    write_words(t3, "e=5");
    expect(t1, "a=1");
    expect(t2, "a=1");
    expect(t3, "c=3 e=5");
    seerdb_batch_free(holder);
    seerdb_batch_free(other);
    seerdb_tree_close(t1);
    seerdb_tree_close(t2);
    seerdb_tree_close(t3);
    bed_fini(&b);
}

static void what_was_taken_back_does_not_come_back(void **state)
{
    struct bed b;
    seerdb_err err = {0};
    uint64_t number;
    seerdb_tree *t = create_tree((bed_new(&b), b.db), 1), *u = create_tree(b.db, 2);
    (void)state;
    seerdb_batch *batch = new_batch(b.db);
    add(batch, t, "a=1");
    test_ok(seerdb_prepare(batch, SEERDB_SYNC_FULL, &number, &err), &err);
    write_words(u, "between=1"); /* of another tree, before the decision */
    test_ok(seerdb_unprepare(batch, &err), &err);
    test_ok(seerdb_unprepare(batch, &err), &err); /* nothing to do */
    add(batch, t, "a=2 b=2");
    test_ok(seerdb_prepare(batch, SEERDB_SYNC_FULL, &number, &err), &err);
    test_ok(seerdb_rollback(batch, &err), &err);
    assert_true(seerdb_batch_is_empty(batch, NULL));
    add(batch, t, "c=3");
    test_ok(seerdb_prepare(batch, SEERDB_SYNC_FULL, &number, &err), &err);
    seerdb_commit(batch);
    seerdb_batch_free(batch);
    seerdb_tree_close(t);
    seerdb_tree_close(u);
    for (int i = 0; i < 3; i++) {
        bed_crash(&b);
        bed_open_ok(&b);
        t = open_tree(b.db, 1);
        u = open_tree(b.db, 2);
        expect(t, "c=3");
        expect(u, "between=1");
        seerdb_tree_close(t);
        seerdb_tree_close(u);
    }
    bed_fini(&b);
}

static void a_memtable_may_freeze_under_an_undecided_commit(void **state)
{
    struct bed b;
    seerdb_err err = {0};
    uint64_t number;
    seerdb_tree *t = create_tree((bed_new(&b), b.db), 1);
    (void)state;
    write_words(t, "a=1");
    seerdb_batch *batch = new_batch(b.db);
    add(batch, t, "a=2 b=2");
    test_ok(seerdb_prepare(batch, SEERDB_SYNC_FULL, &number, &err), &err);
    flush(b.db);
    flush(b.db); /* nothing left: the undecided commit is nobody's yet */
    expect(t, "a=1");
    assert_true(stat_of(b.db, t, "tables") == 1);
    seerdb_commit(batch);
    expect(t, "a=2 b=2");
    seerdb_batch_free(batch);
    seerdb_tree_close(t);
    bed_crash(&b);
    bed_open_ok(&b);
    t = open_tree(b.db, 1);
    expect(t, "a=2 b=2");
    seerdb_tree_close(t);
    bed_fini(&b);
}

static void what_is_forgotten_is_not_committed(void **state)
{
    struct bed b;
    seerdb_err err = {0};
    seerdb_tree *t = create_tree((bed_new(&b), b.db), 1), *u = create_tree(b.db, 2);
    (void)state;
    seerdb_batch *batch = new_batch(b.db);
    seerdb_batch_forget(batch, u); /* nothing to forget */
    add(batch, t, "a=1");
    add(batch, u, "b=2 c=3");
    uint64_t mark = seerdb_batch_mark(batch);
    seerdb_batch_forget(batch, u);
    assert_true(seerdb_batch_is_empty(batch, u));
    assert_false(seerdb_batch_is_empty(batch, NULL));
    test_fails(batch_words(batch, u, "d=4", &err), SEERDB_MISUSE, &err);
    assert_int_equal(seerdb_batch_mark(batch), mark);
    add(batch, t, "e=5");
    seerdb_batch_rollback_to(batch, mark);
    test_ok(seerdb_write(batch, SEERDB_SYNC_OFF, &err), &err);
    add(batch, u, "f=6");
    seerdb_batch_forget(batch, u);
    uint64_t number = 1;
    test_ok(seerdb_prepare(batch, SEERDB_SYNC_OFF, &number, &err), &err);
    assert_int_equal(number, 0); /* nothing is left */
    seerdb_commit(batch);
    expect(t, "a=1");
    expect(u, "");
    seerdb_batch_free(batch);
    seerdb_tree_close(t);
    seerdb_tree_close(u);
    bed_close(&b);
    bed_open_ok(&b);
    t = open_tree(b.db, 1);
    u = open_tree(b.db, 2);
    expect(t, "a=1");
    expect(u, "");
    seerdb_tree_close(t);
    seerdb_tree_close(u);
    bed_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_forgotten_is_not_committed),
        cmocka_unit_test(a_batch_is_seen_by_its_readers_only),
        cmocka_unit_test(what_was_found_in_a_batch_outlives_its_commit),
        cmocka_unit_test(one_commit_has_one_number_for_all_its_trees),
        cmocka_unit_test(marks_nest_and_can_be_returned_to_again_and_again),
        cmocka_unit_test(what_was_rolled_back_is_not_in_the_log),
        cmocka_unit_test(an_iterator_over_a_batch_shows_the_state_it_was_opened_on),
        cmocka_unit_test(an_iterator_stays_usable_when_its_batch_is_rolled_back),
        cmocka_unit_test(keys_and_values_have_their_limits),
        cmocka_unit_test(a_prepared_batch_takes_no_writes),
        cmocka_unit_test(an_undecided_commit_holds_the_slot_of_its_trees),
        cmocka_unit_test(what_was_taken_back_does_not_come_back),
        cmocka_unit_test(a_memtable_may_freeze_under_an_undecided_commit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
