/* SPDX-License-Identifier: Apache-2.0
 *
 * Side files on a disk that fails or whose power goes, and without memory. */
#include "aside_rig.h"

/* A disk that is full, or fails, for the side file only. */
static void a_side_file_that_cannot_be_written_harms_nobody(void **state)
{
    (void)state;
    static const struct {
        unsigned ops;
        int error;
    } cases[] = {{SDB_FAULT_WRITE, ENOSPC},
                 {SDB_FAULT_SYNC, EIO},
                 {SDB_FAULT_OPEN, EACCES},
                 {SDB_FAULT_WRITE, EIO}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        seerdb_err err = {0};
        struct owner o, other;
        uint64_t marker = 0;
        owner_init(&o, true);
        (void)live(&o, "c a=1;R");
        fault(&o.bed, (struct sdb_fault){.ops = cases[i].ops,
                                         .match = ".side",
                                         .times = UINT64_MAX,
                                         .error = cases[i].error});
        aside_now(&o);
        assert_int_equal(o.made, 0);
        assert_true(sdb_faultfs_fired(o.bed.fs) > 0);
        seerdb_tree *t = other_tree(&o, &other);
        put_large(t, &other, &marker, 1);
        test_ok(seerdb_flush(o.bed.db, t, &err), &err); /* not held back */
        expect_at(&o, o.marker, "a=1");
        fault(&o.bed, (struct sdb_fault){0});
        sdb_lock_db(&o.bed.db->lock);
        sdb_job_retry(o.bed.db);
        while (o.bed.db->jobs != NULL) /* it is tried again */
            sdb_cond_wait(&o.bed.db->progress, &o.bed.db->lock);
        sdb_unlock_db(&o.bed.db->lock);
        assert_int_equal(stat_of(o.bed.db, NULL, "asides"), 1);
        assert_int_equal(files_of(&o.bed, ".side").n, 1);
        seerdb_tree_close(t);
        leave(&o, true);
        enter(&o);
        expect_at(&o, o.marker, "a=1");
        owner_fini(&o);
    }
}

/* Of a commit to two trees one is aside, the other in the log, which was not synced. */
static void a_commit_aside_is_not_without_the_rest_of_it(void **state)
{
    (void)state;
    seerdb_err err = {0};
    struct owner o;
    seerdb_uuid id = uuid_of(3);
    seerdb_tree *second = NULL;
    seerdb_view *v = NULL;
    owner_init(&o, true);
    seerdb_tree_options options = {.id = id,
                                   .owner = o.id,
                                   .name = "second",
                                   .value_log = test_value_log(),
                                   .marked = true};
    test_ok(seerdb_tree_create(o.bed.db, &options, &second, &err), &err);
    o.mute = true;
    write_as(&o, "a=1", true);
    for (int i = 0; i < 3; i++)
        (void)flush_tree(&o);
    seerdb_batch *b = new_batch(o.bed.db);
    test_ok(seerdb_batch_expect(b, o.tree, o.marker, 0, NULL, &err), &err);
    test_ok(seerdb_batch_expect(b, second, 0, 0, NULL, &err), &err);
    add(b, o.tree, "b=2");
    add(b, second, "c=3");
    test_ok(seerdb_prepare(b, SEERDB_SYNC_OFF, &o.marker, &err), &err);
    seerdb_commit(b);
    seerdb_batch_free(b);
    aside_now(&o);
    assert_int_equal(o.made, 1);
    seerdb_tree_close(second);
    seerdb_tree_close(o.tree);
    fault(&o.bed, (struct sdb_fault){.ops = SDB_FAULT_WRITE | SDB_FAULT_SYNC,
                                     .times = UINT64_MAX,
                                     .error = EIO});
    (void)seerdb_close(o.bed.db, NULL);
    sdb_memfs_cut(o.bed.mem, SDB_CUT_DROP, 1);
    fault(&o.bed, (struct sdb_fault){0});
    enter(&o);
    expect_at(&o, o.marker, "a=1 b=2");
    test_ok(seerdb_tree_open(o.bed.db, &id, &second, &err), &err);
    test_ok(seerdb_view_open_at(second, o.marker, 0, &v, &err), &err);
    expect_state(v, NULL, 0, "c=3");
    seerdb_view_close(v);
    seerdb_tree_close(second);
    owner_fini(&o);
}

/* Two memtables are aside; one goes to a table, then the process dies. */
static void what_is_left_of_a_half_flushed_side_file_counts(void **state)
{
    (void)state;
    struct owner o;
    owner_init(&o, true);
    (void)live(&o, "X;c a=1;F;F;F;r b=9;c b=2;F;F;F;A");
    o.but = 1;
    (void)flush_tree(&o);
    assert_int_equal(stat_of(o.bed.db, o.tree, "tables"), 1);
    assert_int_equal(files_of(&o.bed, ".side").n, 1);
    for (int i = 0; i < 2; i++) {
        leave(&o, true);
        enter(&o);
        expect_at(&o, o.marker, "a=1 b=2");
        aside_now(&o);
    }
    o.mute = false;
    write_as(&o, "c=3", true);
    assert_int_equal(flush_tree(&o), 0);
    assert_int_equal(files_of(&o.bed, ".side").n, 0);
    expect_at(&o, o.marker, "a=1 b=2 c=3");
    owner_fini(&o);
}

/* The same with a spilled commit between them: of the three jobs some are done. */
static void what_is_left_of_one_with_a_spilled_commit_counts(void **state)
{
    (void)state;
    for (unsigned done = 0; done <= 3; done++) {
        struct owner o;
        owner_init(&o, true);
        (void)live(&o, "X;c a=1;r b=9;c !b=2;r !b=8;c c=3;F;F;F;A");
        assert_int_equal(o.made, 1);
        for (o.but = done; o.but > 0;)
            (void)flush_tree(&o);
        wait_for_jobs(o.bed.db);
        for (int i = 0; i < 2; i++) {
            leave(&o, true);
            enter(&o);
            expect_at(&o, o.marker, "a=1 b=2 c=3");
            aside_now(&o);
        }
        o.mute = false;
        write_as(&o, "d=4", true);
        assert_int_equal(flush_tree(&o), 0);
        assert_int_equal(files_of(&o.bed, ".side").n, 0);
        leave(&o, true);
        enter(&o);
        expect_at(&o, o.marker, "a=1 b=2 c=3 d=4");
        verify(o.bed.db);
        owner_fini(&o);
    }
}

/* It alone knows which tables belong to which commit: they must be there when it has
 * been put back from a backup. */
static void a_side_file_that_cannot_be_read_keeps_the_tables_that_it_names(void **state)
{
    (void)state;
    struct owner o;
    seerdb_err err = {0};
    seerdb_view *v = NULL;
    char path[80];
    owner_init(&o, true);
    (void)live(&o, "X;c a=1;c !b=2;c c=3;R;A");
    assert_int_equal(o.made, 1);
    size_t tables = files_of(&o.bed, ".tbl").n;
    assert_true(tables > 0);
    leave(&o, true);
    snprintf(path, sizeof path, "store/%s", files_of(&o.bed, ".side").first);
    assert_int_equal(sdb_memfs_flip(o.bed.mem, path, 80, 3), 0);
    for (int i = 0; i < 2; i++) {
        enter(&o);
        assert_int_equal(seerdb_view_open_at(o.tree, o.marker, 0, &v, &err),
                         SEERDB_CORRUPT);
        assert_int_equal(files_of(&o.bed, ".tbl").n, tables);
        leave(&o, false);
    }
    assert_int_equal(sdb_memfs_flip(o.bed.mem, path, 80, 3), 0);
    enter(&o);
    expect_at(&o, o.marker, "a=1 b=2 c=3");
    owner_fini(&o);
}

/* ---- cuts
 * ---------------------------------------------------------------------------- */

/* A step that may fail; what is acknowledged then shows `want`. */
static bool try_step(struct owner *o, char what, unsigned i, char *want, size_t room)
{
    seerdb_err err = {0};
    seerdb_batch *b = NULL;
    char words[32];
    uint64_t number;
    int rc = 0;
    if (what == 'A') {
        aside_now(o);
    } else if (what == 'F') {
        rc = seerdb_flush(o->bed.db, o->tree, &err);
    } else if (what == 'X' || what == 'Y') {
        o->mute = what == 'X';
    } else {
        snprintf(words, sizeof words, "a=%u k%u=x", i, i);
        if ((rc = seerdb_batch_new(o->bed.db, &b, &err)) == 0 &&
            (rc = seerdb_batch_expect(b, o->tree, o->marker, 0, NULL, &err)) == 0 &&
            (rc = batch_words(b, o->tree, words, &err)) == 0 &&
            (rc = what == 's' || what == 't' ? seerdb_batch_spill(b, &err) : 0) == 0 &&
            (rc = seerdb_prepare(b, SEERDB_SYNC_FULL, &number, &err)) == 0) {
            if (what == 'c' || what == 's') {
                seerdb_commit(b);
                o->marker = number;
                assert_int_equal(show_at(o, number, want, room), 0);
            } else {
                rc = seerdb_rollback(b, &err);
            }
        }
        seerdb_batch_free(b);
    }
    return rc == 0 || rc == SEERDB_BUSY;
}

static void cut_and_check(struct owner *o, uint64_t after, const char *want)
{
    seerdb_tree_close(o->tree);
    o->tree = NULL;
    (void)seerdb_close(o->bed.db, NULL);
    sdb_memfs_cut(o->bed.mem, after % 2 == 0 ? SDB_CUT_DROP : SDB_CUT_RANDOM, after);
    fault(&o->bed, (struct sdb_fault){0});
    o->mute = false;
    enter(o);
    expect_at(o, o->marker, want);
    assert_true(files_of(&o->bed, ".side").n <= 1);
    if (after % 3 == 0) {
        aside_now(o);
        leave(o, true);
        enter(o);
        expect_at(o, o->marker, want);
    }
    write_as(o, "zz=1", true);
    assert_int_equal(flush_tree(o), 0);
    assert_int_equal(files_of(&o->bed, ".side").n, 0);
    leave(o, true);
    enter(o);
    char got[4096], more[4200];
    assert_int_equal(show_at(o, o->marker, got, sizeof got), 0);
    snprintf(more, sizeof more, "%s%szz=1", want, want[0] != '\0' ? " " : "");
    assert_string_equal(got, more);
    verify(o->bed.db);
}

/* The power goes at each operation in turn while side files come and go. */
static void a_cut_at_any_operation_loses_nothing(void **state)
{
    (void)state;
    static const struct {
        const char *before, *scene;
    } scenes[] = {
        {"c a=1 b=1;c b=2;r b=3;c c=3;R", "AcAF"}, /* made; settled, flushed: it goes */
        {"c a=1;c b=2;R;A;R", "cFcrAF"},           /* there from the start */
        {"c a=1;c b=2;R;A;c c=3;X;F;F;F;R", "AcXFFFcrAcFA"}, /* one after the other */
        {"c a=1;X;F;F;F", "cAcrcAYcFA"},
        /* Spilled: s stands, t is rolled back. */
        {"X;c a=1 b=1;c !b=2;c c=3;R", "AsAF"},
        {"X;c a=1;c !b=2;r !b=3;R;A;R", "cFtsAF"},
        {"X;c !a=1;F;F;F", "sAcrtsAYcFA"},
    };
    uint64_t cuts = 0;
    for (size_t s = 0; s < sizeof scenes / sizeof *scenes; s++) {
        bool fired = true;
        for (uint64_t after = 0; fired; after++) {
            struct owner o;
            char want[4096];
            owner_init(&o, true);
            (void)live(&o, scenes[s].before);
            assert_int_equal(show_at(&o, o.marker, want, sizeof want), 0);
            fault(&o.bed, (struct sdb_fault){.ops = SDB_FAULT_WRITE | SDB_FAULT_SYNC |
                                                    SDB_FAULT_META | SDB_FAULT_OPEN,
                                             .after = after,
                                             .times = UINT64_MAX,
                                             .error = EIO});
            const char *p = scenes[s].scene;
            for (unsigned i = 10; *p != '\0'; i++)
                if (!try_step(&o, *p++, i, want, sizeof want))
                    break;
            fired = sdb_faultfs_fired(o.bed.fs) > 0;
            cut_and_check(&o, after, want);
            owner_fini(&o);
            cuts++;
        }
    }
    print_message("%u cuts\n", (unsigned)cuts);
    assert_true(cuts > 100);
}

/* ---- memory
 * -------------------------------------------------------------------------- */

/* Every allocation fails in turn, and all after it. */
static void fail_allocations(const char *life)
{
    uint64_t all = 1;
    for (int64_t n = -1; n < (int64_t)all; n++) {
        struct owner o;
        char want[4096];
        seerdb_err err = {0};
        owner_init(&o, true);
        (void)live(&o, life);
        assert_int_equal(show_at(&o, o.marker, want, sizeof want), 0);
        uint64_t before = sdb_mem_allocations();
        sdb_mem_fail_after(n);
        sdb_aside_all(o.bed.db);
        wait_for_jobs(o.bed.db);
        seerdb_tree_close(o.tree);
        o.tree = NULL;
        (void)seerdb_close(o.bed.db, &err);
        int rc = bed_open(&o.bed, &err); /* and loads what it made, or had before */
        if (rc != 0 && rc != SEERDB_NOMEM) {
            sdb_mem_fail_after(-1);
            fail_msg("after %d allocations open answers %d: %s", (int)n, rc, err.msg);
        }
        sdb_mem_fail_after(-1);
        if (n < 0)
            all = sdb_mem_allocations() - before;
        if (rc == 0)
            bed_close(&o.bed);
        o.mute = false;
        enter(&o);
        expect_at(&o, o.marker, want);
        owner_fini(&o);
    }
    print_message("%u allocations\n", (unsigned)all);
    assert_true(all > 50);
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    fail_allocations("c a=1;c b=2;r b=3;c c=3;R;A;R;c d=4;X;F;F;F;c e=5;r f=6");
    fail_allocations("X;c a=1;c !b=2;r !b=3;c c=3;R;A;R;X;c !d=4;F;F;F;c e=5;r !f=6");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_side_file_that_cannot_be_written_harms_nobody),
        cmocka_unit_test(a_commit_aside_is_not_without_the_rest_of_it),
        cmocka_unit_test(what_is_left_of_a_half_flushed_side_file_counts),
        cmocka_unit_test(what_is_left_of_one_with_a_spilled_commit_counts),
        cmocka_unit_test(
            a_side_file_that_cannot_be_read_keeps_the_tables_that_it_names),
        cmocka_unit_test(a_cut_at_any_operation_loses_nothing),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests_name("aside_fault", tests, NULL, NULL);
}
