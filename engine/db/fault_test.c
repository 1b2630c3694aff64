/* SPDX-License-Identifier: Apache-2.0
 *
 * The disk fills up, or fails: nobody hangs, nothing acknowledged is lost, the failure
 * is told, and what can go on does. */
#include "testing.h"

#include "os/clock.h"

#include <errno.h>

static const struct sdb_fault nothing;

static struct sdb_fault always(unsigned ops, const char *match, int error)
{
    return (struct sdb_fault){
        .ops = ops, .match = match, .times = UINT64_MAX, .error = error};
}

/* Commit 20 kB under rising keys until that fails; returns how many stand. */
static unsigned fill_until_it_fails(seerdb_tree *t, int *rc, seerdb_err *err)
{
    char key[16];
    unsigned n = 0;
    for (*rc = 0; *rc == 0 && n < 1000; n += *rc == 0 ? 1 : 0) {
        snprintf(key, sizeof key, "n%04u", n);
        *rc = try_fill(t, key, 20000, err);
    }
    return n;
}

static void expect_filled(seerdb_tree *t, unsigned n)
{
    seerdb_err err = {0};
    char key[16];
    unsigned got = 0;
    seerdb_view *v = new_view(t);
    seerdb_iter *it = NULL;
    test_ok(seerdb_iter_open(v, NULL, 0, &it, &err), &err);
    int rc = seerdb_iter_seek(it, test_slice("n"), &err);
    for (; rc == 0; rc = seerdb_iter_next(it, &err)) {
        snprintf(key, sizeof key, "n%04u", got++);
        test_slice_equal(seerdb_iter_key(it), test_slice(key));
        assert_int_equal(seerdb_iter_value(it).size, 20000);
    }
    if (rc != SEERDB_NOTFOUND || got != n)
        fail_msg("%u of %u commits are there: %s", got, n, err.msg);
    seerdb_iter_close(it);
    seerdb_view_close(v);
}

static seerdb_tree *start(struct bed *b)
{
    bed_new(b);
    seerdb_tree *t = create_tree(b->db, 1);
    write_words(t, "a=1");
    return t;
}

static seerdb_tree *reopen(struct bed *b, seerdb_tree *t)
{
    seerdb_tree_close(t);
    (void)seerdb_close(b->db, NULL); /* its last sync may fail */
    b->db = NULL;
    fault(b, nothing);
    bed_open_ok(b);
    return open_tree(b->db, 1);
}

static void finish(struct bed *b, seerdb_tree *t)
{
    verify(b->db);
    seerdb_tree_close(t);
    bed_fini(b);
}

/* ---- no space
 * ------------------------------------------------------------------------ */

static void
trap_13_a_disk_without_room_for_tables_stops_writers_and_loses_nothing(void **state)
{
    struct bed b;
    seerdb_err err = {0};
    seerdb_tree *t = start(&b);
    int rc;
    (void)state;
    fault(&b, always(SDB_FAULT_WRITE | SDB_FAULT_META, ".tbl", ENOSPC));
    unsigned n = fill_until_it_fails(t, &rc, &err);
    if (rc != SEERDB_FULL || strstr(err.msg, "No space left") == NULL)
        fail_msg("after %u commits: %d: %s", n, rc, err.msg);
    if (n < 10 || n > 100)
        fail_msg("%u commits of 20 kB fit into 1 MiB", n);
    err = (seerdb_err){0};
    test_fails(seerdb_flush(b.db, NULL, &err), SEERDB_FULL, &err);
    test_fails(try_fill(t, "more", 20000, &err), SEERDB_FULL, &err);
    assert_true(stat_of(b.db, NULL, "background_failure") == SEERDB_FULL);
    expect_filled(t, n);
    fault(&b, nothing); /* room again */
    test_ok(seerdb_flush(b.db, NULL, &err), &err);
    test_ok(try_fill(t, "more", 20000, &err), &err);
    assert_true(stat_of(b.db, NULL, "background_failure") == 0);
    expect_filled(t, n);
    t = reopen(&b, t);
    expect_filled(t, n);
    finish(&b, t);
}

static void room_is_noticed_without_being_told(void **state)
{
    struct bed b;
    seerdb_err err = {0};
    seerdb_tree *t = start(&b);
    (void)state;
    fault(&b,
          (struct sdb_fault){
              .ops = SDB_FAULT_WRITE, .match = ".tbl", .times = 1, .error = ENOSPC});
    (void)!seerdb_flush(b.db, NULL,
                        &err); /* may have seen the second attempt already */
    uint64_t end = sdb_clock_mono_us() + 3000000;
    while (stat_of(b.db, t, "tables") == 0 && sdb_clock_mono_us() < end)
        sdb_clock_sleep_us(5000);
    assert_true(stat_of(b.db, t, "tables") == 1);
    assert_soon(files_of(&b, ".tbl").n == 1);
    expect(t, "a=1");
    finish(&b, t);
}

static void a_full_disk_refuses_commits_until_there_is_room(void **state)
{
    struct bed b;
    seerdb_err err = {0};
    seerdb_tree *t = start(&b);
    int rc;
    (void)state;
    /* Log files are preallocated: a full disk shows when the next one is made. */
    fault(&b, always(SDB_FAULT_META | SDB_FAULT_OPEN, NULL, ENOSPC));
    unsigned n = fill_until_it_fails(t, &rc, &err);
    assert_int_equal(rc, SEERDB_FULL);
    err = (seerdb_err){0};
    for (int i = 0; i < 3; i++)
        test_fails(try_fill(t, "more", 20000, &err), SEERDB_FULL, &err);
    expect_filled(t, n);
    fault(&b, nothing);
    test_ok(try_fill(t, "more", 20000, &err), &err);
    write_words(t, "b=2");
    t = reopen(&b, t);
    expect_filled(t, n);
    expect_key(t, "b", "2");
    finish(&b, t);
}

static void closing_with_a_full_disk_keeps_everything_in_the_log(void **state)
{
    struct bed b;
    seerdb_err err = {0};
    seerdb_tree *t = start(&b);
    int rc;
    (void)state;
    fault(&b, always(SDB_FAULT_WRITE | SDB_FAULT_OPEN, ".tbl", ENOSPC));
    unsigned n = fill_until_it_fails(t, &rc, &err);
    for (int i = 0; i < 2; i++) {
        seerdb_tree_close(t);
        bed_close(&b);
        bed_open_ok(&b); /* still full */
        t = open_tree(b.db, 1);
        expect_filled(t, n);
    }
    fault(&b, nothing);
    flush(b.db);
    expect_filled(t, n);
    finish(&b, t);
}

/* ---- a failing disk, at a flush
 * -------------------------------------------------------- */

static void an_error_that_passes_is_tried_again(void **state)
{
    static const unsigned ops[] = {SDB_FAULT_WRITE, SDB_FAULT_SYNC, SDB_FAULT_OPEN,
                                   SDB_FAULT_READ};
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        struct bed b;
        seerdb_err err = {0};
        seerdb_tree *t = start(&b);
        fault(&b, (struct sdb_fault){.ops = ops[i],
                                     .match = ".tbl",
                                     .times = 1,
                                     .error = EIO,
                                     .torn = true});
        int rc = seerdb_flush(b.db, NULL, &err); /* 0: it saw the second attempt only */
        assert_true(rc == 0 || rc == SEERDB_IOERR);
        err = (seerdb_err){0};
        assert_int_equal(sdb_faultfs_fired(b.fs), 1);
        write_words(t, "b=2"); /* goes on */
        test_ok(seerdb_flush(b.db, NULL, &err), &err);
        expect(t, "a=1 b=2");
        assert_soon(files_of(&b, ".tbl").n == 2);
        t = reopen(&b, t);
        expect(t, "a=1 b=2");
        finish(&b, t);
    }
}

static void an_error_that_stays_makes_the_store_readonly(void **state)
{
    static const struct {
        unsigned ops;
        const char *match;
    } cases[] = {{SDB_FAULT_WRITE, ".tbl"},
                 {SDB_FAULT_SYNC, ".tbl"},
                 {SDB_FAULT_SYNC, ".man"},
                 {SDB_FAULT_WRITE, ".man"}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct bed b;
        seerdb_err err = {0};
        seerdb_tree *t = start(&b), *other = NULL;
        flush(b.db);
        write_words(t, "b=2");
        fault(&b, always(cases[i].ops, cases[i].match, EIO));
        test_fails(seerdb_flush(b.db, NULL, &err), SEERDB_IOERR, &err);
        (void)seerdb_flush(b.db, NULL, NULL); /* the second attempt was the last */
        test_fails(try_write(t, "c=3", SEERDB_SYNC_OFF, &err), SEERDB_IOERR, &err);
        test_fails(seerdb_flush(b.db, NULL, &err), SEERDB_IOERR, &err);
        test_fails(
            seerdb_tree_create(b.db, &(seerdb_tree_options){.name = "x"}, &other, &err),
            SEERDB_IOERR, &err);
        test_fails(seerdb_tree_intend_drop(t, &err), SEERDB_IOERR, &err);
        fault(&b, nothing); /* too late: nobody knows what is on the disk */
        int rc = try_write(t, "c=3", SEERDB_SYNC_OFF, &err);
        if (rc != SEERDB_IOERR || strstr(err.msg, "earlier failure") == NULL ||
            strstr(err.msg, cases[i].match) == NULL)
            fail_msg("case %zu: %d: %s", i, rc, err.msg);
        expect(t, "a=1 b=2"); /* reads go on */
        expect_key(t, "a", "1");
        t = reopen(&b, t);
        expect(t, "a=1 b=2");
        write_words(t, "c=3");
        flush(b.db);
        expect(t, "a=1 b=2 c=3");
        finish(&b, t);
    }
}

/* ---- a failing disk, at the log
 * ----------------------------------------------------------- */

static void trap_16_a_commit_whose_log_write_failed_is_not_acknowledged(void **state)
{
    (void)state;
    for (int torn = 0; torn < 2; torn++) {
        struct bed b;
        seerdb_err err = {0};
        seerdb_tree *t = start(&b);
        fault(&b, (struct sdb_fault){.ops = SDB_FAULT_WRITE,
                                     .match = ".log",
                                     .times = 1,
                                     .error = EIO,
                                     .torn = torn == 1});
        test_fails(try_write(t, "b=2", SEERDB_SYNC_FULL, &err), SEERDB_IOERR, &err);
        test_fails(try_write(t, "c=3", SEERDB_SYNC_OFF, &err), SEERDB_IOERR, &err);
        expect(t, "a=1");
        assert_int_equal(seerdb_close(NULL, &err), 0);
        t = reopen(&b, t);
        expect(t, "a=1");
        write_words(t, "d=4");
        t = reopen(&b, t);
        expect(t, "a=1 d=4");
        finish(&b, t);
    }
}

static void a_failed_sync_refuses_the_commit_and_all_after_it(void **state)
{
    struct bed b;
    seerdb_err err = {0};
    seerdb_tree *t = start(&b);
    uint64_t number;
    (void)state;
    seerdb_batch *batch = new_batch(b.db);
    add(batch, t, "b=2");
    fault(&b, (struct sdb_fault){
                  .ops = SDB_FAULT_SYNC, .match = ".log", .times = 1, .error = EIO});
    test_fails(seerdb_prepare(batch, SEERDB_SYNC_FULL, &number, &err), SEERDB_IOERR,
               &err);
    test_fails(seerdb_prepare(batch, SEERDB_SYNC_FULL, &number, &err), SEERDB_IOERR,
               &err);
    assert_false(
        seerdb_batch_is_empty(batch, t)); /* the writes are still the caller's */
    test_fails(try_write(t, "c=3", SEERDB_SYNC_FULL, &err), SEERDB_IOERR, &err);
    seerdb_batch_free(batch);
    expect(t, "a=1");
    seerdb_tree_close(t);
    test_fails(seerdb_close(b.db, &err), SEERDB_IOERR, &err);
    b.db = NULL;
    sdb_memfs_cut(b.mem, SDB_CUT_DROP, 1);
    bed_open_ok(&b);
    t = open_tree(b.db, 1);
    expect(t, "a=1");
    finish(&b, t);
}

static void a_failed_abort_is_told_and_stops_the_store(void **state)
{
    struct bed b;
    seerdb_err err = {0};
    uint64_t number;
    seerdb_tree *t = start(&b);
    (void)state;
    seerdb_batch *batch = new_batch(b.db);
    add(batch, t, "b=2");
    test_ok(seerdb_prepare(batch, SEERDB_SYNC_FULL, &number, &err), &err);
    fault(&b, always(SDB_FAULT_WRITE, ".log", EIO));
    test_fails(seerdb_rollback(batch, &err), SEERDB_IOERR, &err);
    assert_true(seerdb_batch_is_empty(batch, NULL));
    test_fails(try_write(t, "c=3", SEERDB_SYNC_OFF, &err), SEERDB_IOERR, &err);
    expect(t, "a=1");
    seerdb_batch_free(batch);
    t = reopen(&b, t);
    /* Its outcome could not be noted: a prepare without an abort stands. */
    expect(t, "a=1 b=2");
    finish(&b, t);
}

static void normal_commits_are_synced_within_a_second_and_failures_told(void **state)
{
    struct bed b;
    seerdb_err err = {0};
    seerdb_tree *t = start(&b);
    (void)state;
    double before = stat_of(b.db, NULL, "log_syncs");
    test_ok(try_write(t, "b=2", SEERDB_SYNC_NORMAL, &err), &err);
    uint64_t start_us = sdb_clock_mono_us(), end = start_us + 3000000;
    while (stat_of(b.db, NULL, "log_syncs") == before && sdb_clock_mono_us() < end)
        sdb_clock_sleep_us(5000);
    assert_true(sdb_clock_mono_us() - start_us < 1500000);
    sdb_memfs_cut(b.mem, SDB_CUT_DROP, 1); /* from here on the files fail */
    test_fails(try_write(t, "c=3", SEERDB_SYNC_NORMAL, &err), SEERDB_IOERR, &err);
    t = reopen(&b, t);
    expect(t, "a=1 b=2");
    finish(&b, t);
}

/* ---- a failing disk, at reads
 * -------------------------------------------------------------- */

static void a_read_error_is_told_and_passes(void **state)
{
    struct bed b;
    seerdb_err err = {0};
    seerdb_value value;
    seerdb_verify_report report;
    seerdb_tree *t = start(&b);
    (void)state;
    flush(b.db);
    seerdb_tree_close(t);
    bed_close(&b);
    test_ok(bed_open(&b, &err), &err); /* with an empty cache */
    t = open_tree(b.db, 1);
    seerdb_view *v = new_view(t);
    seerdb_iter *it = NULL;
    fault(&b, always(SDB_FAULT_READ, ".tbl", EIO));
    test_fails(seerdb_get(v, NULL, 0, test_slice("a"), &value, &err), SEERDB_IOERR,
               &err);
    int rc = seerdb_iter_open(v, NULL, 0, &it, &err);
    if (rc == 0)
        rc = seerdb_iter_first(it, &err);
    assert_int_equal(rc, SEERDB_IOERR);
    err = (seerdb_err){0};
    test_fails(seerdb_verify(b.db, NULL, &report, &err), SEERDB_IOERR, &err);
    seerdb_iter_close(it);
    fault(&b, nothing);
    expect_state(v, NULL, 0, "a=1");
    seerdb_view_close(v);
    write_words(t, "b=2");
    expect(t, "a=1 b=2");
    finish(&b, t);
}

static void a_file_that_cannot_be_removed_is_removed_later(void **state)
{
    struct bed b;
    seerdb_err err = {0};
    seerdb_tree *t = start(&b), *doomed = create_tree(b.db, 2);
    (void)state;
    write_words(doomed, "x=1");
    flush(b.db);
    assert_soon(files_of(&b, ".tbl").n == 2);
    test_ok(seerdb_tree_intend_drop(doomed, &err), &err);
    fault(&b, always(SDB_FAULT_META, ".tbl", EIO));
    test_ok(seerdb_tree_drop(doomed, &err), &err);
    assert_soon(files_of(&b, ".tbl").n == 2);
    t = reopen(&b, t);
    assert_soon(files_of(&b, ".tbl").n == 1);
    expect(t, "a=1");
    finish(&b, t);
}

/* Every operation of a short session fails once, in turn, or from then on. */
static void any_single_failure_is_survived(void **state)
{
    static const int errors[] = {EIO, ENOSPC};
    (void)state;
    for (unsigned way = 0; way < 4; way++) {
        bool fired = true;
        for (uint64_t n = 0; fired; n++) {
            struct bed b;
            seerdb_err err = {0};
            seerdb_tree *t = NULL;
            bool has[4] = {false};
            static const char *const words[4] = {"a=1", "b=2", "c=3", "d=4"};
            static const char *const keys[4] = {"a", "b", "c", "d"};
            bed_new_paused(&b);
            seerdb_tree_close(create_tree(b.db, 1));
            bed_close(&b);
            fault(&b, (struct sdb_fault){.ops = SDB_FAULT_ALL,
                                         .after = n,
                                         .times = way / 2 == 0 ? 1 : UINT64_MAX,
                                         .error = errors[way % 2]});
            seerdb_uuid id = uuid_of(1);
            if (bed_open(&b, &err) == 0 && seerdb_tree_open(b.db, &id, &t, &err) == 0)
                for (int i = 0; i < 4; i++) {
                    has[i] = try_write(t, words[i], SEERDB_SYNC_FULL, NULL) == 0;
                    if (i % 2 == 1)
                        (void)!seerdb_flush(b.db, NULL, NULL);
                }
            fired = sdb_faultfs_fired(b.fs) > 0;
            if (b.db != NULL)
                t = reopen(&b, t);
            else
                t = (fault(&b, nothing), bed_open_ok(&b), open_tree(b.db, 1));
            for (int i = 0; i < 4; i++)
                if (has[i])
                    expect_key(t, keys[i], words[i] + 2);
            write_words(t, "z=26");
            flush(b.db);
            expect_key(t, "z", "26");
            finish(&b, t);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            trap_13_a_disk_without_room_for_tables_stops_writers_and_loses_nothing),
        cmocka_unit_test(room_is_noticed_without_being_told),
        cmocka_unit_test(a_full_disk_refuses_commits_until_there_is_room),
        cmocka_unit_test(closing_with_a_full_disk_keeps_everything_in_the_log),
        cmocka_unit_test(an_error_that_passes_is_tried_again),
        cmocka_unit_test(an_error_that_stays_makes_the_store_readonly),
        cmocka_unit_test(trap_16_a_commit_whose_log_write_failed_is_not_acknowledged),
        cmocka_unit_test(a_failed_sync_refuses_the_commit_and_all_after_it),
        cmocka_unit_test(a_failed_abort_is_told_and_stops_the_store),
        cmocka_unit_test(normal_commits_are_synced_within_a_second_and_failures_told),
        cmocka_unit_test(a_read_error_is_told_and_passes),
        cmocka_unit_test(a_file_that_cannot_be_removed_is_removed_later),
        cmocka_unit_test(any_single_failure_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
