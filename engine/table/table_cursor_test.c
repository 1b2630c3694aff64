/* SPDX-License-Identifier: Apache-2.0
 *
 * Keys made to break filter and model: under every kind of index, right answers, at no
 * higher cost than without. */
#include "table/table_cursor.h"

#include "table/testing.h"

static struct sdb_buf bytes; /* of the keys below */

static seerdb_slice keep(const void *p, size_t n)
{
    uint8_t *at = bytes.data + bytes.size;
    assert_true(bytes.size + n <= bytes.capacity);
    sdb_buf_append(&bytes, p, n);
    return (seerdb_slice){at, n};
}

static void add(struct list *l, const void *p, size_t n, uint64_t number)
{
    list_add(l, keep(p, n), number,
             number % 7 == 0 ? SDB_KIND_TOMBSTONE : SDB_KIND_VALUE,
             number % 7 == 0 ? (seerdb_slice){NULL, 0} : test_slice("some value"));
}

static void add_u64(struct list *l, uint64_t v, uint64_t number)
{
    uint8_t be[8];
    sdb_store_be64(be, v);
    add(l, be, 8, number);
}

static void equal_windows(struct list *l)
{
    char key[40];
    add(l, "A", 1, 1); /* so that nothing is stripped */
    for (int i = 0; i < 3000; i++)
        add(l, key, (size_t)snprintf(key, sizeof key, "samewindow%06d", 2 * i), 2);
}

static void long_shared_prefixes(struct list *l)
{
    char key[500];
    memset(key, 'p', sizeof key);
    for (int i = 0; i < 1000; i++)
        add(l, key, 400 + (size_t)snprintf(key + 400, 50, "%05d", 2 * i), 3);
}

static void exponential_gaps(struct list *l)
{
    for (unsigned i = 0; i < 64; i++)
        for (unsigned k = 0; k < 60; k++)
            add_u64(l, (UINT64_C(1) << i) + k * (UINT64_C(1) << i) / 64, 1 + i);
}

static void gaps_in_gaps(struct list *l) /* a Cantor set: no line fits at any scale */
{
    for (unsigned i = 0; i < 4096; i++) {
        uint64_t v = 0;
        for (unsigned b = 0; b < 12; b++)
            v = v * 40 + (i >> (11 - b) & 1) * 39;
        add_u64(l, v, 2);
    }
}

static void one_byte_repeated(struct list *l)
{
    static char key[1200];
    memset(key, 'x', sizeof key);
    for (unsigned n = 0; n < sizeof key; n += 2)
        add(l, key, n, 5);
}

static void one_record(struct list *l)
{
    add(l, "alone", 5, 6);
}

static void versions_of_one_key(struct list *l)
{
    for (uint64_t i = 1; i <= 4000; i++)
        add_u64(l, 1000, i);
}

static void versions_of_one_key_among_others(struct list *l)
{
    for (uint64_t i = 0; i < 3000; i++)
        add_u64(l, 2 * i, 1);
    for (uint64_t i = 2; i <= 3000; i++)
        add_u64(l, 2000, i);
}

static void dense_integers(struct list *l)
{
    for (uint64_t i = 0; i < 5000; i++)
        add_u64(l, (UINT64_C(1) << 63) + i, 1 + i % 20);
}

static void dense_integers_with_holes_and_versions(struct list *l)
{
    for (uint64_t i = 0; i < 5000; i++) {
        if (i / 900 % 2 == 1 && i % 900 < 40)
            continue;
        for (uint64_t v = 0; v <= i % 3; v++)
            add_u64(l, (UINT64_C(1) << 63) + i, 1 + v);
    }
}

static void integers_as_doubles(struct list *l) /* a tag and a sortable double */
{
    for (int i = 1; i < 5000; i++) {
        uint8_t key[9] = {0x15};
        double d = i;
        uint64_t u;
        memcpy(&u, &d, 8);
        sdb_store_be64(key + 1, u ^ UINT64_C(1) << 63);
        add(l, key, 9, 4);
    }
}

static void the_ends_of_everything(struct list *l)
{
    uint8_t key[20];
    for (unsigned n = 0; n <= sizeof key; n++) {
        memset(key, 0, sizeof key);
        add(l, key, n, 3);
        memset(key, 0xff, sizeof key);
        if (n > 0)
            add(l, key, n, 3);
    }
    for (uint64_t i = 0; i < 3000; i++)
        add_u64(l, i < 1500 ? i : UINT64_MAX - (i - 1500), 3);
}

static void urls(struct list *l)
{
    char key[100];
    for (unsigned i = 0; i < 3000; i++)
        add(l, key,
            (size_t)snprintf(key, sizeof key, "https://%s.example.%s/%u/item?id=%u",
                             i % 3 == 0 ? "www" : "shop", i % 7 == 0 ? "com" : "org",
                             i * 7919 % 101, i),
            2);
}

static const struct {
    const char *name;
    void (*fill)(struct list *l);
    int runs; /* 1: known by runs, 0: not */
} shapes[] = {
    {"equal windows", equal_windows, 0},
    {"long shared prefixes", long_shared_prefixes, 0},
    {"exponential gaps", exponential_gaps, 0},
    {"gaps in gaps", gaps_in_gaps, 0},
    {"one byte repeated", one_byte_repeated, 0},
    {"one record", one_record, 1},
    {"versions of one key", versions_of_one_key, 1},
    {"versions of one key among others", versions_of_one_key_among_others, 1},
    {"dense integers", dense_integers, 1},
    {"dense integers with holes", dense_integers_with_holes_and_versions, 1},
    {"integers as doubles", integers_as_doubles, 1},
    {"the ends of everything", the_ends_of_everything, 0},
    {"urls", urls, 0},
};

static void expect_get(struct sdb_table *t, const struct list *l, seerdb_slice key,
                       uint64_t ceiling)
{
    struct sdb_found found = {0};
    seerdb_err err = {0};
    unsigned i = list_find(l, key);
    while (i < l->n && sdb_slice_equal(l->r[i].key, key) && l->r[i].number > ceiling)
        i++;
    bool there = i < l->n && sdb_slice_equal(l->r[i].key, key);
    int rc = table_get(t, key, ceiling, &found, &err);
    if (rc != (there ? 0 : SEERDB_NOTFOUND))
        fail_msg("a key of %zu bytes at %" PRIu64 ": %d, expected %s: %s", key.size,
                 ceiling, rc, there ? "a record" : "none", err.msg);
    if (there) {
        assert_int_equal(found.number, l->r[i].number);
        assert_int_equal(found.kind, l->r[i].kind);
        test_slice_equal(found.value, l->r[i].value);
        seerdb_pin_unref(found.pin);
    }
}

/* Ask for every n-th record and for keys beside it. */
static void ask(struct sdb_table *t, const struct list *l)
{
    uint8_t near[1300];
    for (unsigned i = 0; i < l->n; i += 1 + l->n / 700) {
        seerdb_slice key = l->r[i].key;
        expect_get(t, l, key, UINT64_MAX);
        expect_get(t, l, key, l->r[i].number);
        expect_get(t, l, key, l->r[i].number - 1);
        if (key.size > 0)
            memcpy(near, key.data, key.size);
        near[key.size] = 0;
        expect_get(t, l, (seerdb_slice){near, key.size + 1}, UINT64_MAX);
        if (key.size == 0)
            continue;
        expect_get(t, l, (seerdb_slice){near, key.size - 1}, UINT64_MAX);
        for (int d = -1; d <= 1; d += 2) {
            near[key.size - 1] = (uint8_t)(near[key.size - 1] + d);
            expect_get(t, l, (seerdb_slice){near, key.size}, UINT64_MAX);
            memcpy(near, key.data, key.size);
            near[key.size / 2] = (uint8_t)(near[key.size / 2] + d);
            expect_get(t, l, (seerdb_slice){near, key.size}, UINT64_MAX);
            memcpy(near, key.data, key.size);
        }
    }
    expect_get(t, l, (seerdb_slice){NULL, 0}, UINT64_MAX);
    memset(near, 0xff, sizeof near);
    for (size_t n = 1; n < 20; n++)
        expect_get(t, l, (seerdb_slice){near, n}, UINT64_MAX);
}

static uint64_t bytes_read(const struct made *m)
{
    return atomic_load(&m->fs->counters.read[SDB_FOR_READ]);
}

static void walk(struct sdb_table *t, const struct list *l)
{
    struct sdb_rand r = {9};
    struct sdb_iter *model = list_iter(l, UINT64_MAX, NULL), *it = NULL;
    seerdb_err err = {0};
    bool positioned = false;
    test_ok(sdb_table_iter(t, UINT64_MAX, &it, &err), &err);
    for (unsigned i = 0; i < 300; i++)
        positioned = move_both(model, it, l, &r, positioned);
    sdb_iter_close(model);
    sdb_iter_close(it);
}

/* Answers *cost: bytes read by the gets. */
static void check(const struct list *l, enum seerdb_index index, unsigned filter_bits,
                  struct sdb_table_stats *stats, uint64_t *cost)
{
    struct sdb_table_writer_options o = options_for(l);
    struct sdb_table *t = NULL;
    seerdb_err err = {0};
    o.index = index;
    o.filter_bits = filter_bits;
    o.block_size = 500;
    struct made m = make_table(&o, l);
    test_ok(open_made(&m, &t, &err), &err);
    test_ok(sdb_table_verify(t, &err), &err);
    *cost = bytes_read(&m);
    ask(t, l);
    *cost = bytes_read(&m) - *cost;
    sdb_table_stats(t, stats);
    walk(t, l);
    sdb_table_unref(t);
    sdb_memfs_free(m.fs);
}

static void keys_made_to_break_it_are_found_at_no_higher_cost(void **state)
{
    struct sdb_table_stats s;
    (void)state;
    assert_true(sdb_buf_reserve(&bytes, 4 << 20)); /* it never moves */
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        struct list l = {0};
        uint64_t plain, learned, filtered;
        shapes[i].fill(&l);
        list_sort(&l);
        check(&l, SEERDB_INDEX_BINARY, 0, &s, &plain);
        assert_int_equal(s.model_bytes, 0);
        assert_int_equal(s.filter_bytes, 0);
        check(&l, SEERDB_INDEX_LEARNED, 0, &s, &learned);
        if ((s.runs > 0) != (shapes[i].runs > 0))
            fail_msg("%s: %" PRIu64 " runs", shapes[i].name, s.runs);
        check(&l, SEERDB_INDEX_BINARY, 12, &s, &filtered);
        assert_true(s.filter_bytes > 0);
        if (learned > plain || filtered > plain)
            fail_msg("%s: %" PRIu64 " bytes read with a model, %" PRIu64
                     " with a filter, %" PRIu64 " without",
                     shapes[i].name, learned, filtered, plain);
        if (shapes[i].runs > 0 && l.n > 1 && learned == plain)
            fail_msg("%s: the runs saved nothing", shapes[i].name);
        check(&l, SEERDB_INDEX_LEARNED, 12, &s, &filtered);
        assert_int_equal(s.filter_bytes > 0, s.runs == 0);
        list_fini(&l);
        sdb_buf_clear(&bytes);
    }
    sdb_buf_fini(&bytes);
}

static void what_is_not_there_is_counted(void **state)
{
    struct list l = {0};
    struct sdb_table_stats s;
    uint64_t cost;
    (void)state;
    assert_true(sdb_buf_reserve(&bytes, 4 << 20));
    urls(&l);
    list_sort(&l);
    check(&l, SEERDB_INDEX_LEARNED, 4, &s, &cost);
    assert_int_equal(s.filter_keys, l.n);
    assert_true(s.filter_negative > 1000 && s.filter_false > 50);
    assert_true(s.memory >= s.filter_bytes + s.model_bytes);
    list_fini(&l);
    dense_integers(&l);
    list_sort(&l);
    check(&l, SEERDB_INDEX_LEARNED, 4, &s, &cost);
    assert_int_equal(s.segments, 1);
    assert_true(s.runs_negative > 100);
    assert_int_equal(s.filter_negative + s.filter_false + s.corrected, 0);
    list_fini(&l);
    sdb_buf_fini(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_made_to_break_it_are_found_at_no_higher_cost),
        cmocka_unit_test(what_is_not_there_is_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
