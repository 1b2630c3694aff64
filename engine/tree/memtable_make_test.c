/* SPDX-License-Identifier: Apache-2.0 */
#include "tree/memtable.h"

#include "test.h"

/* What a maker was shown, and what it does. */
struct made {
    uint64_t newest; /* number; 0: it was not asked */
    int rc;
};

static int make(void *ctx, const struct sdb_found *newest, struct sdb_record *r,
                seerdb_err *err)
{
    struct made *made = ctx;
    (void)err;
    assert_null(newest->pin);
    test_slice_equal(newest->key, r->key);
    made->newest = newest->number;
    r->value = newest->value;
    return made->rc;
}

static void a_record_is_made_of_the_newest_version_that_counts(void **state)
{
    const struct sdb_hidden_range range = {3, 5};
    const struct sdb_hidden hidden = {&range, 1};
    static const struct {
        const char *key;
        bool hide;
        int rc;
        uint64_t newest;
        const char *value;
    } cases[] = {
        {"new", true, 0, 0, "own"},        {"b", true, 0, 2, "two"},
        {"b", false, 0, 3, "three"},       {"c", true, 0, 0, "own"},
        {"b", true, SEERDB_MISUSE, 2, ""}, {"a", true, 0, 1, "one"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct sdb_memtable *m = NULL;
        struct made made = {.rc = cases[i].rc};
        struct sdb_found found = {0};
        seerdb_err err = {0};
        test_ok(sdb_memtable_new(&m, &err), &err);
        static const char *const before[][2] = {
            {"a", "one"}, {"b", "two"}, {"b", "three"}, {"c", "four"}};
        for (uint64_t k = 0; k < 4; k++) {
            const struct sdb_record r = {.key = test_slice(before[k][0]),
                                         .number = k + 1,
                                         .kind = SDB_KIND_VALUE,
                                         .value = test_slice(before[k][1])};
            test_ok(sdb_memtable_insert(m, &r, &err), &err);
        }
        struct sdb_record r = {.key = test_slice(cases[i].key),
                               .number = 9,
                               .kind = SDB_KIND_VALUE,
                               .value = test_slice("own")};
        const struct sdb_maker maker = {cases[i].hide ? &hidden : NULL, make, &made};
        assert_int_equal(sdb_memtable_make(m, &r, &maker, &err), cases[i].rc);
        assert_int_equal(made.newest, cases[i].newest);
        assert_int_equal(sdb_memtable_records(m), cases[i].rc == 0 ? 5 : 4);
        if (cases[i].rc == 0) {
            test_ok(sdb_memtable_get(m, r.key, UINT64_MAX, NULL, &found), &err);
            assert_int_equal(found.number, 9);
            test_slice_equal(found.value, test_slice(cases[i].value));
            seerdb_pin_unref(found.pin);
        }
        sdb_memtable_check(m);
        sdb_memtable_unref(m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record_is_made_of_the_newest_version_that_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
