/* SPDX-License-Identifier: Apache-2.0 */
#include "db/values.h"
#include "testing.h"

#include "os/failpoint.h"

enum { VALUE = 3000 };

static seerdb_tree *make_tree(struct bed *b, unsigned n, size_t value_log)
{
    seerdb_err err = {0};
    seerdb_tree *t = NULL;
    test_ok(seerdb_tree_create(b->db,
                               &(seerdb_tree_options){.id = uuid_of(n),
                                                      .name = "t",
                                                      .value_log = value_log},
                               &t, &err),
            &err);
    return t;
}

static void expect_filled(seerdb_tree *t, const char *key)
{
    seerdb_err err = {0};
    seerdb_view *v = new_view(t);
    seerdb_value got;
    test_ok(seerdb_get(v, NULL, 0, test_slice(key), &got, &err), &err);
    assert_int_equal(got.bytes.size, VALUE);
    for (size_t i = 0; i < VALUE; i++)
        assert_int_equal(((const char *)got.bytes.data)[i], 'x');
    seerdb_pin_unref(got.pin);
    seerdb_view_close(v);
}

/* A commit that nobody synced, the process dies, another opens the store and syncs the
 * log; then the power goes away. */
static void dies_before_the_sync(uint64_t value_file, bool sealed)
{
    struct bed b;
    seerdb_err err = {0};
    bed_init(&b);
    b.o.sizes.value_file = value_file;
    bed_open_ok(&b);
    seerdb_tree *t = make_tree(&b, 1, 100), *other = make_tree(&b, 2, 0);
    seerdb_tree_close(other);
    sdb_faultfs_arm(b.fs, &(struct sdb_fault){.ops = SDB_FAULT_SYNC,
                                              .match = ".vlg",
                                              .times = UINT64_MAX,
                                              .error = 5});
    test_ok(try_fill(t, "a", VALUE, &err), &err);
    assert_int_equal(sdb_faultfs_seen(b.fs) > 0, sealed);
    seerdb_tree_close(t);
    bed_crash(&b);

    test_ok(bed_open(&b, &err), &err); /* and nobody reads the value */
    other = open_tree(b.db, 2);
    write_words(other, "k=v");
    seerdb_tree_close(other);
    bed_crash(&b);
    sdb_memfs_cut(b.mem, SDB_CUT_DROP, 1);

    bed_open_ok(&b);
    t = open_tree(b.db, 1);
    expect_filled(t, "a");
    seerdb_tree_close(t);
    bed_fini(&b);
}

static void what_recovery_found_unsynced_is_synced_before_the_log_is(void **state)
{
    (void)state;
    dies_before_the_sync(1 << 20, false);
}

static void a_sealed_file_whose_seal_was_never_synced_is_synced_too(void **state)
{
    (void)state;
    dies_before_the_sync(2000, true);
}

/* A commit is rolled back, and a failure to write ends the file that has its values. */
static void a_dead_file_takes_no_commit_with_it_that_comes_after(void **state)
{
    (void)state;
    struct bed b;
    seerdb_err err = {0};
    uint64_t number;
    char value[VALUE];
    memset(value, 'x', sizeof value);
    bed_new(&b);
    seerdb_tree *t = make_tree(&b, 1, 100), *other = make_tree(&b, 2, 0);
    seerdb_batch *batch = new_batch(b.db);
    test_ok(
        seerdb_batch_put(batch, t, test_slice("a"), (seerdb_slice){value, VALUE}, &err),
        &err);
    test_ok(seerdb_prepare(batch, SEERDB_SYNC_OFF, &number, &err), &err);
    test_ok(seerdb_rollback(batch, &err), &err);
    seerdb_batch_free(batch);
    sdb_faultfs_arm(b.fs, &(struct sdb_fault){.ops = SDB_FAULT_WRITE,
                                              .match = ".vlg",
                                              .times = UINT64_MAX,
                                              .error = 28});
    for (int i = 0; i < 2; i++) /* who comes next finds that it failed */
        assert_int_equal(try_fill(t, "b", VALUE, &err), SEERDB_FULL);
    sdb_faultfs_arm(b.fs, &(struct sdb_fault){0});
    test_ok(try_write(other, "j=u", SEERDB_SYNC_OFF, &err), &err);
    write_words(other, "k=v");
    seerdb_tree_close(t);
    seerdb_tree_close(other);
    bed_crash(&b);
    sdb_memfs_cut(b.mem, SDB_CUT_DROP, 1);

    bed_open_ok(&b);
    other = open_tree(b.db, 2);
    expect(other, "j=u k=v");
    seerdb_tree_close(other);
    bed_fini(&b);
}

static bool is_there(struct bed *b, unsigned n, const char *suffix)
{
    char path[64];
    snprintf(path, sizeof path, "store/%06u%s", n, suffix);
    return sdb_fs_stat(b->mem, path, NULL, NULL, NULL) == 0;
}

/* Who opens it after a crash wants them: the log may name it in doubt. */
static void a_table_that_stays_listed_as_pending_keeps_its_values(void **state)
{
    (void)state;
    struct bed b;
    seerdb_err err = {0};
    uint64_t number;
    unsigned tables = 0, values = 0;
    char value[VALUE];
    memset(value, 'x', sizeof value);
    bed_init(&b);
    b.o.sizes.value_file = 2000; /* each value fills one */
    bed_open_ok(&b);
    seerdb_tree *t = make_tree(&b, 1, 100);
    seerdb_batch *batch = new_batch(b.db);
    test_ok(
        seerdb_batch_put(batch, t, test_slice("a"), (seerdb_slice){value, VALUE}, &err),
        &err);
    test_ok(seerdb_batch_spill(batch, &err), &err);
    test_ok(seerdb_prepare(batch, SEERDB_SYNC_FULL, &number, &err), &err);
    sdb_failpoint_arm(&(struct sdb_failpoint_plan){
        .at = SDB_FP_forget_pending, .actions = SDB_FP_ERROR, .code = SEERDB_IOERR});
    test_ok(seerdb_rollback(batch, &err), &err);
    seerdb_batch_free(batch);
    write_words(t, "k=v");
    flush(b.db);
    sdb_failpoint_arm(NULL);
    for (unsigned i = 1; i < 1000; i++) {
        tables += is_there(&b, i, ".tbl") ? 1 : 0;
        values += is_there(&b, i, ".vlg") ? 1 : 0;
    }
    assert_int_equal(tables, 2); /* one is the flush's */
    assert_int_equal(values, 1);
    seerdb_tree_close(t);
    bed_close(&b);
    bed_open_ok(&b); /* which takes it out of the list */
    for (unsigned i = 1; i < 1000; i++)
        assert_false(is_there(&b, i, ".vlg"));
    bed_fini(&b);
}

/* Key `n` of a session has a value of its own. */
static void session_value(unsigned session, unsigned n, uint8_t value[VALUE])
{
    struct sdb_rand r = {session * 100 + n + 1};
    for (size_t i = 0; i + 8 <= VALUE; i += 8)
        sdb_store_u64(value + i, sdb_rand_next(&r));
}

static void write_session(seerdb_tree *t, unsigned session, enum seerdb_sync sync)
{
    seerdb_err err = {0};
    seerdb_batch *b = new_batch(seerdb_tree_store(t));
    for (unsigned n = 0; n < 3; n++) {
        uint8_t value[VALUE], key[8];
        sdb_store_be64(key, session * 100 + n);
        session_value(session, n, value);
        test_ok(seerdb_batch_put(b, t, (seerdb_slice){key, 8},
                                 (seerdb_slice){value, VALUE}, &err),
                &err);
    }
    test_ok(seerdb_write(b, sync, &err), &err);
    seerdb_batch_free(b);
}

static void expect_session(seerdb_tree *t, unsigned session)
{
    seerdb_err err = {0};
    seerdb_view *v = new_view(t);
    for (unsigned n = 0; n < 3; n++) {
        uint8_t value[VALUE], key[8];
        seerdb_value got;
        sdb_store_be64(key, session * 100 + n);
        session_value(session, n, value);
        test_ok(seerdb_get(v, NULL, 0, (seerdb_slice){key, 8}, &got, &err), &err);
        assert_int_equal(got.bytes.size, VALUE);
        assert_memory_equal(got.bytes.data, value, VALUE);
        seerdb_pin_unref(got.pin);
    }
    seerdb_view_close(v);
}

static unsigned count_value_files(struct bed *b, unsigned below)
{
    unsigned n = 0;
    for (unsigned i = 1; i < below; i++)
        n += is_there(b, i, ".vlg") ? 1 : 0;
    return n;
}

/* A session of one of two trees, which ends in one of many ways. */
static void run_session(struct bed *b, unsigned i)
{
    seerdb_err err = {0};
    bed_open_ok(b);
    seerdb_tree *t = open_tree(b->db, 1 + i % 2);
    write_session(t, i, i % 5 == 1 ? SEERDB_SYNC_FULL : SEERDB_SYNC_OFF);
    if (i >= 2)
        expect_session(t, i - 2);
    if (i % 7 == 3)
        flush(b->db);
    if (i % 11 == 4)
        test_ok(seerdb_gc(b->db, t, &err), &err);
    seerdb_tree_close(t);
    if (i % 3 == 1)
        bed_crash(b);
    else
        bed_close(b);
    if (i % 5 == 1)
        sdb_memfs_cut(b->mem, i % 2 == 0 ? SDB_CUT_DROP : SDB_CUT_RANDOM, i);
}

static void many_short_sessions_share_a_file_and_lose_nothing(void **state)
{
    enum { SESSIONS = 120 };
    struct bed b;
    (void)state;
    bed_init(&b);
    b.o.sizes.value_file = 300000; /* half of it is about 16 sessions of 3 * 3032 */
    bed_open_ok(&b);
    seerdb_tree_close(make_tree(&b, 1, 100));
    seerdb_tree_close(make_tree(&b, 2, 100));
    bed_close(&b);
    for (unsigned i = 0; i < SESSIONS; i++)
        run_session(&b, i);
    bed_open_ok(&b);
    for (unsigned i = 0; i < SESSIONS; i++) {
        seerdb_tree *t = open_tree(b.db, 1 + i % 2);
        expect_session(t, i);
        seerdb_tree_close(t);
    }
    /* 120 sessions * 9096 bytes / 150000 bytes are 7 and a bit, for each tree one more
     */
    assert_in_range(count_value_files(&b, 10000), 2, 10);
    bed_fini(&b);
}

enum stumble { CANNOT_CUT, CANNOT_SYNC, NOTHING };

/* Whoever goes on with the file has no luck, and then the power goes away: nothing of
 * what was synced before is lost. */
static void go_on_and_fall(enum stumble how, bool sealed, unsigned seed)
{
    struct bed b;
    seerdb_err err = {0};
    seerdb_verify_report report;
    bed_new(&b);
    seerdb_tree *t = make_tree(&b, 1, 100);
    write_session(t, 1, SEERDB_SYNC_FULL);
    flush(b.db);
    write_session(t, 2, SEERDB_SYNC_FULL);
    seerdb_tree_close(t);
    if (sealed)
        bed_close(&b);
    else
        bed_crash(&b);
    bed_open_ok(&b);
    unsigned files = count_value_files(&b, 1000);
    t = open_tree(b.db, 1);
    if (how == CANNOT_CUT)
        sdb_failpoint_arm(&(struct sdb_failpoint_plan){
            .at = SDB_FP_vlog_resume, .actions = SDB_FP_ERROR, .times = 1});
    if (how == CANNOT_SYNC)
        sdb_faultfs_arm(
            b.fs, &(struct sdb_fault){
                      .ops = SDB_FAULT_SYNC, .match = ".vlg", .times = 1, .error = 5});
    write_session(t, 3, SEERDB_SYNC_OFF);
    assert_int_equal(sdb_faultfs_fired(b.fs), how == CANNOT_SYNC);
    sdb_failpoint_arm(NULL);
    sdb_faultfs_arm(b.fs, &(struct sdb_fault){0});
    assert_int_equal(count_value_files(&b, 1000), files + (how == NOTHING ? 0 : 1));
    for (unsigned i = 1; i <= 3; i++)
        expect_session(t, i);
    seerdb_tree_close(t);
    bed_crash(&b);
    sdb_memfs_cut(b.mem, seed % 2 == 0 ? SDB_CUT_DROP : SDB_CUT_RANDOM, seed);
    bed_open_ok(&b);
    t = open_tree(b.db, 1);
    for (unsigned i = 1; i <= 2; i++)
        expect_session(t, i);
    test_ok(seerdb_verify(b.db, NULL, &report, &err), &err);
    seerdb_tree_close(t);
    bed_fini(&b);
}

static void going_on_with_a_file_costs_none_of_its_values(void **state)
{
    (void)state;
    for (unsigned seed = 0; seed < 30; seed++) {
        go_on_and_fall(CANNOT_CUT, true, seed);
        go_on_and_fall(CANNOT_SYNC, seed % 4 < 2, seed);
        go_on_and_fall(NOTHING, seed % 4 < 2, seed);
    }
}

/* Slots that gc dropped are named by a commit that was taken back, and that the log
 * does not know synced.  Who goes on with the file must not make that commit look torn:
 * what follows it was acknowledged. */
static void going_on_with_a_file_ends_no_log(void **state)
{
    struct bed b;
    seerdb_err err = {0};
    uint64_t number;
    (void)state;
    bed_init(&b);
    b.o.sizes.value_file = 60000;
    bed_open_ok(&b);
    seerdb_tree *t = make_tree(&b, 1, 100), *other = make_tree(&b, 2, 0);
    for (unsigned i = 1; i <= 6; i++)
        write_session(t, i, SEERDB_SYNC_OFF);
    seerdb_batch *batch = new_batch(b.db);
    for (unsigned i = 1; i <= 5; i++)
        for (unsigned n = 0; n < 3; n++) {
            uint8_t key[8];
            sdb_store_be64(key, i * 100 + n);
            test_ok(seerdb_batch_delete(batch, t, (seerdb_slice){key, 8}, &err), &err);
        }
    test_ok(seerdb_write(batch, SEERDB_SYNC_OFF, &err), &err);
    static uint8_t large[10000];
    session_value(99, 0, large);
    test_ok(seerdb_batch_put(batch, t, test_slice("large"),
                             (seerdb_slice){large, sizeof large}, &err),
            &err);
    test_ok(seerdb_prepare(batch, SEERDB_SYNC_OFF, &number, &err), &err);
    test_ok(seerdb_rollback(batch, &err), &err);
    write_words(other, "k=v");
    test_ok(seerdb_flush(b.db, t, &err), &err); /* of what lies before that commit */
    test_ok(seerdb_gc(b.db, t, &err), &err);
    seerdb_batch_free(batch);
    seerdb_tree_close(t);
    seerdb_tree_close(other);
    bed_crash(&b);

    bed_open_ok(&b);
    t = open_tree(b.db, 1);
    batch = new_batch(b.db);
    test_ok(seerdb_batch_put(batch, t, test_slice("x"),
                             (seerdb_slice){large, sizeof large}, &err),
            &err);
    seerdb_batch_free(batch);
    seerdb_tree_close(t);
    bed_crash(&b);

    bed_open_ok(&b);
    other = open_tree(b.db, 2);
    expect_key(other, "k", "v");
    seerdb_tree_close(other);
    bed_fini(&b);
}

/* A value that stays in the writer's memory: the file has got shorter. */
static void put_meanwhile(void *ctx, enum sdb_failpoint at)
{
    static const uint8_t value[VALUE];
    seerdb_err err = {0};
    seerdb_batch *b = new_batch(seerdb_tree_store(ctx));
    (void)at;
    test_ok(
        seerdb_batch_put(b, ctx, test_slice("k"), (seerdb_slice){value, VALUE}, &err),
        &err);
    seerdb_batch_free(b);
}

/* Who opens a file to read it has its size, and then somebody goes on with it. */
static void reading_while_a_file_is_gone_on_with_finds_the_values(void **state)
{
    struct bed b;
    seerdb_err err = {0};
    (void)state;
    bed_new(&b);
    seerdb_tree *t = make_tree(&b, 1, 100);
    write_session(t, 1, SEERDB_SYNC_FULL);
    seerdb_tree_close(t);
    bed_close(&b);
    test_ok(bed_open(&b, &err), &err); /* and nothing is read */
    t = open_tree(b.db, 1);
    sdb_failpoint_arm(&(struct sdb_failpoint_plan){.at = SDB_FP_vlog_open,
                                                   .actions = SDB_FP_CALL,
                                                   .times = 1,
                                                   .call = put_meanwhile,
                                                   .ctx = t});
    expect_session(t, 1);
    assert_int_equal(sdb_failpoint_acted(), 1);
    sdb_failpoint_arm(NULL);
    assert_int_equal(count_value_files(&b, 1000), 1);
    seerdb_tree_close(t);
    bed_fini(&b);
}

/* A table from before the value log existed, or without one. */
static void a_tree_without_a_value_log_gets_one_when_told(void **state)
{
    struct bed b;
    seerdb_err err = {0};
    (void)state;
    bed_init(&b);
    bed_open_ok(&b);
    seerdb_tree *t = make_tree(&b, 1, 0);
    write_session(t, 1, SEERDB_SYNC_FULL);
    seerdb_tree_tune(t, &(seerdb_tree_options){.value_log = 100}); /* has none to use */
    write_session(t, 2, SEERDB_SYNC_FULL);
    assert_int_equal(count_value_files(&b, 1000), 0);
    assert_false(seerdb_tree_separates(t));
    test_fails(seerdb_tree_separate(t, 0, &err), SEERDB_MISUSE, &err);
    sdb_failpoint_arm(&(struct sdb_failpoint_plan){
        .at = SDB_FP_tree_values, .actions = SDB_FP_ERROR, .code = SEERDB_IOERR});
    test_fails(seerdb_tree_separate(t, 100, &err), SEERDB_IOERR, &err);
    sdb_failpoint_arm(NULL);
    write_session(t, 3, SEERDB_SYNC_FULL);
    assert_false(seerdb_tree_separates(t));
    assert_int_equal(count_value_files(&b, 1000), 0);

    flush(b.db);
    test_ok(seerdb_tree_separate(t, 100, &err), &err);
    test_ok(seerdb_tree_separate(t, 200, &err), &err); /* has one: another size */
    assert_true(seerdb_tree_separates(t));
    write_session(t, 4, SEERDB_SYNC_FULL);
    assert_int_equal(count_value_files(&b, 1000), 1);
    seerdb_tree_close(t);
    bed_crash(&b);
    sdb_memfs_cut(b.mem, SDB_CUT_DROP, 1);
    for (int i = 0; i < 2; i++) { /* from the log, from tables */
        bed_open_ok(&b);
        t = open_tree(b.db, 1);
        assert_true(seerdb_tree_separates(t));
        for (unsigned k = 1; k <= 4; k++)
            expect_session(t, k);
        test_ok(seerdb_compact(b.db, t, &err), &err);
        seerdb_tree_close(t);
        bed_close(&b);
    }
    bed_open_ok(&b);
    t = open_tree(b.db, 1);
    write_session(t, 5, SEERDB_SYNC_FULL);
    assert_int_equal(count_value_files(&b, 1000), 1);
    expect_session(t, 5);
    seerdb_tree_close(t);
    bed_fini(&b);
}

/* As a power cut leaves a file of which the name was synced, and nothing else. */
static void wipe_header(struct bed *b)
{
    static const uint8_t zeros[SDB_VLOG_HEADER];
    seerdb_err err = {0};
    unsigned wiped = 0;
    for (unsigned i = 1; i < 1000; i++) {
        struct sdb_file *f = NULL;
        char path[64];
        if (!is_there(b, i, ".vlg"))
            continue;
        snprintf(path, sizeof path, "store/%06u.vlg", i);
        test_ok(sdb_fs_open(b->mem, path, SDB_READWRITE, SDB_FOR_OTHER, &f, &err),
                &err);
        test_ok(sdb_file_write_at(f, 0, (seerdb_slice){zeros, sizeof zeros}, &err),
                &err);
        sdb_file_close(f);
        wiped++;
    }
    assert_int_equal(wiped, 1);
}

/* Key a, put `times` times in one commit, `last` of them a large value. */
static void write_over(seerdb_tree *t, bool large_last, enum seerdb_sync sync)
{
    seerdb_err err = {0};
    uint8_t value[VALUE];
    session_value(1, 1, value);
    seerdb_batch *batch = new_batch(seerdb_tree_store(t));
    for (int i = 0; i < 2; i++)
        test_ok(seerdb_batch_put(batch, t, test_slice("a"),
                                 (i == 1) == large_last ? (seerdb_slice){value, VALUE}
                                                        : test_slice("small"),
                                 &err),
                &err);
    test_ok(seerdb_write(batch, sync, &err), &err);
    seerdb_batch_free(batch);
}

static void
a_file_whose_header_was_lost_is_missed_by_those_alone_who_need_it(void **state)
{
    static const struct {
        bool large_last;
        enum seerdb_sync sync;
        int want; /* of a read of the value; of the rest none is lost */
    } cases[] = {
        {false, SEERDB_SYNC_OFF, 0}, /* the commit names the file, and no record does */
        {false, SEERDB_SYNC_FULL, 0},
        {true, SEERDB_SYNC_OFF, SEERDB_NOTFOUND},
        {true, SEERDB_SYNC_FULL, SEERDB_CORRUPT},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct bed b;
        seerdb_err err = {0};
        seerdb_value got = {.pin = NULL};
        bed_new(&b);
        seerdb_tree *t = make_tree(&b, 1, 100);
        write_words(t, "k=v");
        write_over(t, cases[i].large_last, cases[i].sync);
        if (cases[i].want == SEERDB_CORRUPT)
            write_words(t, "j=u"); /* whose frame says what was synced before */
        seerdb_tree_close(t);
        bed_crash(&b);
        wipe_header(&b);
        for (int k = 0; k < 2; k++) {
            bool gone = cases[i].want == SEERDB_CORRUPT;
            /* The comparing open would read the value. */
            test_ok(gone ? bed_open(&b, &err) : bed_open_compared(&b, &err), &err);
            t = open_tree(b.db, 1);
            seerdb_view *v = new_view(t);
            test_ok(seerdb_get(v, NULL, 0, test_slice("k"), &got, &err), &err);
            seerdb_pin_unref(got.pin);
            int rc = seerdb_get(v, NULL, 0, test_slice("a"), &got, &err);
            assert_int_equal(rc, cases[i].want);
            if (rc == 0)
                seerdb_pin_unref(got.pin);
            seerdb_view_close(v);
            write_session(t, 2 + (unsigned)k, SEERDB_SYNC_FULL);
            expect_session(t, 2 + (unsigned)k);
            flush(b.db);
            expect_session(t, 2);
            seerdb_tree_close(t);
            bed_close(&b);
        }
        bed_fini(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_recovery_found_unsynced_is_synced_before_the_log_is),
        cmocka_unit_test(a_sealed_file_whose_seal_was_never_synced_is_synced_too),
        cmocka_unit_test(a_dead_file_takes_no_commit_with_it_that_comes_after),
        cmocka_unit_test(many_short_sessions_share_a_file_and_lose_nothing),
        cmocka_unit_test(going_on_with_a_file_costs_none_of_its_values),
        cmocka_unit_test(going_on_with_a_file_ends_no_log),
        cmocka_unit_test(reading_while_a_file_is_gone_on_with_finds_the_values),
        cmocka_unit_test(a_tree_without_a_value_log_gets_one_when_told),
        cmocka_unit_test(
            a_file_whose_header_was_lost_is_missed_by_those_alone_who_need_it),
        cmocka_unit_test(a_table_that_stays_listed_as_pending_keeps_its_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
