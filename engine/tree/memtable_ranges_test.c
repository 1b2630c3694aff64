/* SPDX-License-Identifier: Apache-2.0 */
#include "tree/memtable.h"

#include "base/mem.h"
#include "os/thread.h"
#include "test.h"

#include <stdatomic.h>
#include <stdlib.h>

static struct sdb_memtable *new_memtable(void)
{
    struct sdb_memtable *m = NULL;
    seerdb_err err = {0};
    test_ok(sdb_memtable_new(&m, &err), &err);
    return m;
}

static int insert(struct sdb_memtable *m, const char *start, const char *end,
                  uint64_t number, seerdb_err *err)
{
    struct sdb_record r = {.key = test_slice(start),
                           .number = number,
                           .kind = SDB_KIND_RANGE,
                           .value = test_slice(end)};
    return sdb_memtable_insert(m, &r, err);
}

static int put(struct sdb_memtable *m, const char *key, uint64_t number,
               seerdb_err *err)
{
    struct sdb_record r = {.key = test_slice(key),
                           .number = number,
                           .kind = SDB_KIND_VALUE,
                           .value = test_slice("v")};
    return sdb_memtable_insert(m, &r, err);
}

static struct sdb_ranges *ranges_of(struct sdb_memtable *m)
{
    struct sdb_ranges *set = NULL;
    seerdb_err err = {0};
    test_ok(sdb_memtable_ranges(m, &set, &err), &err);
    return set;
}

static void ranges_stand_beside_the_records(void **state)
{
    struct sdb_memtable *m = new_memtable();
    struct sdb_found found = {0};
    seerdb_err err = {0};
    seerdb_slice a, b;
    (void)state;
    assert_false(sdb_memtable_has_ranges(m));
    assert_null(ranges_of(m));
    test_ok(put(m, "k", 1, &err), &err);
    test_ok(insert(m, "a", "m", 2, &err), &err);
    test_ok(insert(m, "b", "z", 7, &err), &err);
    test_ok(put(m, "l", 3, &err), &err);
    test_ok(insert(m, "b", "c", 5, &err), &err); /* numbers in any order */
    assert_true(sdb_memtable_has_ranges(m));
    assert_int_equal(sdb_memtable_nranges(m), 3);
    assert_int_equal(sdb_memtable_records(m), 2);
    assert_int_equal(sdb_memtable_tombstones(m), 0);
    assert_int_equal(sdb_memtable_newest(m), 3);
    assert_true(sdb_memtable_bounds(m, &a, &b));
    test_slice_equal(a, test_slice("k"));
    test_slice_equal(b, test_slice("l"));
    /* A lookup says what is there, deleted or not. */
    assert_int_equal(sdb_memtable_get(m, test_slice("k"), UINT64_MAX, NULL, &found), 0);
    assert_int_equal(found.number, 1);
    seerdb_pin_unref(found.pin);
    assert_int_equal(sdb_memtable_get(m, test_slice("b"), UINT64_MAX, NULL, &found),
                     SEERDB_NOTFOUND);
    struct sdb_ranges *set = ranges_of(m);
    assert_int_equal(sdb_ranges_count(set), 3);
    assert_int_equal(sdb_ranges_cover(set, test_slice("b"), UINT64_MAX, NULL), 7);
    assert_int_equal(sdb_ranges_cover(set, test_slice("b"), 6, NULL), 5);
    assert_int_equal(sdb_ranges_cover(set, test_slice("b"), 4, NULL), 2);
    assert_int_equal(sdb_ranges_cover(set, test_slice("z"), UINT64_MAX, NULL), 0);
    sdb_memtable_check(m);
    sdb_memtable_unref(m);
    assert_int_equal(sdb_ranges_count(set), 3); /* it has its own bytes */
    sdb_ranges_unref(set);
}

static void the_set_is_made_again_only_when_there_is_a_new_range(void **state)
{
    struct sdb_memtable *m = new_memtable();
    seerdb_err err = {0};
    (void)state;
    test_ok(insert(m, "a", "b", 1, &err), &err);
    struct sdb_ranges *one = ranges_of(m);
    test_ok(put(m, "k", 2, &err), &err);
    struct sdb_ranges *same = ranges_of(m);
    assert_ptr_equal(one, same);
    test_ok(insert(m, "c", "d", 3, &err), &err);
    struct sdb_ranges *two = ranges_of(m);
    assert_int_equal(sdb_ranges_count(one), 1);
    assert_int_equal(sdb_ranges_count(two), 2);
    sdb_ranges_unref(one);
    sdb_ranges_unref(same);
    sdb_ranges_unref(two);
    sdb_memtable_unref(m);
}

static void a_range_is_seen_up_to_the_ceiling_unless_it_is_hidden(void **state)
{
    static const struct sdb_hidden_range seven[] = {{7, 8}}, all[] = {{3, 8}};
    const struct sdb_hidden hides_7 = {seven, 1}, hides_all = {all, 1};
    struct sdb_memtable *m = new_memtable();
    seerdb_err err = {0};
    (void)state;
    assert_false(sdb_memtable_sees_range(m, UINT64_MAX, NULL));
    test_ok(insert(m, "a", "b", 7, &err), &err);
    assert_true(sdb_memtable_sees_range(m, 7, NULL));
    assert_false(sdb_memtable_sees_range(m, 6, NULL));
    assert_false(sdb_memtable_sees_range(m, 7, &hides_7));
    test_ok(insert(m, "a", "b", 3, &err), &err);
    assert_true(sdb_memtable_sees_range(m, 7, &hides_7));
    assert_true(sdb_memtable_sees_range(m, 3, NULL));
    assert_false(sdb_memtable_sees_range(m, 2, NULL));
    assert_false(sdb_memtable_sees_range(m, 7, &hides_all));
    sdb_memtable_unref(m);
}

static void clearing_takes_the_ranges_too(void **state)
{
    (void)state;
    struct sdb_memtable *m = new_memtable();
    seerdb_err err = {0};
    for (int round = 0; round < 3; round++) { /* entries come back at old addresses */
        char start[2] = {(char)('a' + round), 0};
        test_ok(insert(m, start, "z", 9, &err), &err);
        struct sdb_ranges *set = ranges_of(m);
        assert_int_equal(sdb_ranges_count(set), 1);
        test_slice_equal(sdb_ranges_at(set, 0)->start, test_slice(start));
        sdb_ranges_unref(set);
        assert_int_equal(sdb_memtable_newest(m), 0);
        sdb_memtable_clear(m);
        sdb_memtable_check(m);
        assert_false(sdb_memtable_has_ranges(m));
        assert_int_equal(sdb_memtable_nranges(m), 0);
        assert_null(ranges_of(m));
    }
    sdb_memtable_unref(m);
}

static void what_was_reserved_has_room_for_ranges(void **state)
{
    enum { N = 300 };
    char *end = malloc(2000);
    seerdb_err err = {0};
    (void)state;
    memset(end, 'z', 1999);
    end[1999] = '\0';
    for (int records = 0; records <= N; records += 100) {
        struct sdb_memtable *m = new_memtable();
        size_t bytes = (size_t)(N - records) * 2002 + (size_t)records * 5;
        test_ok(sdb_memtable_reserve(m, N, bytes, &err), &err);
        sdb_mem_fail_after(0);
        for (int i = 0; i < N; i++) {
            char key[16];
            snprintf(key, sizeof key, "%03d", i);
            int rc = i < records ? put(m, key, 5, &err) : insert(m, key, end, 5, &err);
            if (rc != 0) {
                sdb_mem_fail_after(-1);
                fail_msg("insert %d of %d records: %s", i, records, err.msg);
            }
        }
        /* A set needs memory that nobody has reserved. */
        struct sdb_ranges *set = NULL;
        int rc = sdb_memtable_ranges(m, &set, &err);
        sdb_mem_fail_after(-1);
        assert_int_equal(rc, records < N ? SEERDB_NOMEM : 0);
        err = (seerdb_err){0};
        set = ranges_of(m);
        assert_int_equal(sdb_ranges_count(set), N - records);
        sdb_ranges_unref(set);
        sdb_memtable_unref(m);
    }
    free(end);
}

/* ---- threads -------------------------------------------------------------- */

#define WRITES 600u

struct stress {
    struct sdb_memtable *m;
    _Atomic uint64_t published; /* release: the writer; acquire: the readers */
    _Atomic bool failed;
};

static void *write_stress(void *arg)
{
    struct stress *s = arg;
    for (unsigned i = 1; i <= WRITES; i++) {
        char start[8], end[8];
        snprintf(start, sizeof start, "%04u", i);
        snprintf(end, sizeof end, "%04u", i + 1);
        if (insert(s->m, start, end, i, NULL) != 0 || put(s->m, start, i, NULL) != 0)
            abort();
        atomic_store_explicit(&s->published, i, memory_order_release);
    }
    return NULL;
}

static void *read_stress(void *arg)
{
    struct stress *s = arg;
    for (uint64_t n = 0; n < WRITES;) {
        struct sdb_ranges *set = NULL;
        n = atomic_load_explicit(&s->published, memory_order_acquire);
        if (sdb_memtable_ranges(s->m, &set, NULL) != 0)
            abort();
        for (uint64_t i = 1; i <= n; i++) {
            char key[8];
            snprintf(key, sizeof key, "%04u", (unsigned)i);
            if (sdb_ranges_cover(set, test_slice(key), n, NULL) != i)
                atomic_store_explicit(&s->failed, true, memory_order_relaxed);
        }
        if (n > 0 &&
            (!sdb_memtable_sees_range(s->m, n, NULL) || sdb_memtable_newest(s->m) < n))
            atomic_store_explicit(&s->failed, true, memory_order_relaxed);
        sdb_ranges_unref(set);
    }
    return NULL;
}

static void readers_miss_no_range_that_was_inserted_before(void **state)
{
    (void)state;
    for (int round = 0; round < 5; round++) {
        struct sdb_thread readers[3] = {{.started = false}},
                          writer = {.started = false};
        struct stress s = {.m = new_memtable()};
        seerdb_err err = {0};
        for (int i = 0; i < 3; i++)
            test_ok(sdb_thread_start(&readers[i], "reader", read_stress, &s, &err),
                    &err);
        test_ok(sdb_thread_start(&writer, "writer", write_stress, &s, &err), &err);
        sdb_thread_join(&writer);
        for (int i = 0; i < 3; i++)
            sdb_thread_join(&readers[i]);
        assert_false(atomic_load_explicit(&s.failed, memory_order_relaxed));
        sdb_memtable_check(s.m);
        sdb_memtable_unref(s.m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranges_stand_beside_the_records),
        cmocka_unit_test(the_set_is_made_again_only_when_there_is_a_new_range),
        cmocka_unit_test(a_range_is_seen_up_to_the_ceiling_unless_it_is_hidden),
        cmocka_unit_test(clearing_takes_the_ranges_too),
        cmocka_unit_test(what_was_reserved_has_room_for_ranges),
        cmocka_unit_test(readers_miss_no_range_that_was_inserted_before),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
