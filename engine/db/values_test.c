/* SPDX-License-Identifier: Apache-2.0 */
#include "db/values.h"
#include "testing.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_recovery_found_unsynced_is_synced_before_the_log_is),
        cmocka_unit_test(a_sealed_file_whose_seal_was_never_synced_is_synced_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
