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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_recovery_found_unsynced_is_synced_before_the_log_is),
        cmocka_unit_test(a_sealed_file_whose_seal_was_never_synced_is_synced_too),
        cmocka_unit_test(a_dead_file_takes_no_commit_with_it_that_comes_after),
        cmocka_unit_test(a_table_that_stays_listed_as_pending_keeps_its_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
