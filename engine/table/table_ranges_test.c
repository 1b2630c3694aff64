/* SPDX-License-Identifier: Apache-2.0
 *
 * Tables that hold range tombstones: writer, reader and audit together. */
#include "table/table_format.h"
#include "table/testing.h"

#define MOST 60

static struct sdb_range range(const char *start, const char *end, uint64_t number)
{
    return (struct sdb_range){test_slice(start), test_slice(end), number};
}

/* Write a table of records and ranges, of which some come before the records and some
 * after. */
static int write_made(const struct list *l, const struct sdb_range *ranges, size_t n,
                      size_t block_size, struct made *m, seerdb_err *err)
{
    struct sdb_table_writer *w = NULL;
    struct sdb_file *f = NULL;
    struct sdb_table_writer_options o = {
        .block_size = block_size, .filter_bits = 10, .id = {{1, 2, 3}}};
    if (m->fs == NULL)
        m->fs = sdb_memfs_new(false);
    assert_non_null(m->fs);
    int rc = sdb_fs_open(m->fs, MADE_PATH, SDB_CREATE, SDB_FOR_FLUSH, &f, err);
    if (rc != 0 || (rc = sdb_table_writer_new(f, &o, &w, err)) != 0)
        goto out;
    for (size_t i = 0; i < n / 2; i++)
        sdb_table_writer_range(w, &ranges[i]);
    for (unsigned i = 0; i < l->n; i++)
        sdb_table_writer_add(w, &l->r[i]);
    for (size_t i = n / 2; i < n; i++)
        sdb_table_writer_range(w, &ranges[i]);
    if ((rc = sdb_table_writer_finish(w, &m->sum, err)) == 0) {
        m->id = m->sum.id;
        m->size = m->sum.file_size;
    }
out:
    m->sum.smallest = m->sum.largest = (seerdb_slice){NULL, 0};
    sdb_table_writer_free(w);
    sdb_file_close(f);
    return rc;
}

static struct made make(const struct list *l, const struct sdb_range *ranges, size_t n)
{
    struct made m = {0};
    seerdb_err err = {0};
    test_ok(write_made(l, ranges, n, 200, &m, &err), &err);
    return m;
}

static int verify_made(const struct made *m, seerdb_err *err)
{
    struct sdb_table *t = NULL;
    int rc = open_made(m, &t, err);
    if (rc == 0)
        rc = sdb_table_verify(t, err);
    sdb_table_unref(t);
    return rc;
}

static void the_ranges_of_the_format_document_are_written(void **state)
{
    const struct sdb_range ranges[] = {range("kb", "kd", 9), range("k", "kb", 4)};
    struct list l = {0};
    (void)state;
    list_add(&l, test_slice("ka"), 7, SDB_KIND_VALUE, test_slice("one"));
    struct made m = make(&l, ranges, 2);
    uint8_t *bytes = made_bytes(&m);
    const uint8_t *foot = bytes + m.size - SDB_TABLE_FOOTER;
    uint64_t at = sdb_load_u64(foot);
    for (unsigned i = 0; i < SDB_PART_RANGES; i++)
        at += sdb_table_align(sdb_load_u32(foot + SDB_FOOTER_LENGTHS + 4 * i));
    uint32_t size = sdb_load_u32(foot + SDB_FOOTER_RANGES);
    assert_int_equal(at + sdb_table_align(size), m.size - SDB_TABLE_FOOTER);
    assert_int_equal(bytes[at + 17], SDB_BLOCK_RANGES);
    /* FORMAT.md, "Range block" */
    test_hex_equal((seerdb_slice){bytes + at + 32, size - 32},
                   "02 04 01 6b 02 6b 62 09 02 6b 62 02 6b 64");
    free(bytes);
    sdb_memfs_free(m.fs);
    list_fini(&l);
}

static const char *const points[] = {"",   "a", "aa", "ab", "b",    "ba",
                                     "bb", "c", "cc", "d",  "\xff", "\xff\xff"};
#define NPOINTS (sizeof points / sizeof points[0])

static void check_bounds(const struct sdb_table_properties *p, const struct list *l,
                         const struct sdb_ranges *set)
{
    bool open_end = true;
    for (unsigned i = 0; i < l->n; i++) {
        assert_true(sdb_slice_cmp(p->smallest, l->r[i].key) <= 0);
        assert_true(sdb_slice_cmp(p->largest, l->r[i].key) >= 0);
        assert_in_range(l->r[i].number, p->min_number, p->max_number);
        open_end = open_end && !sdb_slice_equal(p->largest, l->r[i].key);
    }
    for (size_t i = 0; i < sdb_ranges_count(set); i++) {
        const struct sdb_range *r = sdb_ranges_at(set, i);
        assert_true(sdb_slice_cmp(p->smallest, r->start) <= 0);
        assert_true(sdb_slice_cmp(p->largest, r->end) >= 0);
        assert_in_range(r->number, p->min_number, p->max_number);
    }
    assert_int_equal(p->open_end, open_end);
}

static void ranges_come_back_as_they_were_written(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 300; seed++) {
        struct sdb_rand r = {seed};
        struct list l = {0};
        struct sdb_range all[MOST];
        struct sdb_ranges *want = NULL;
        struct sdb_table *t = NULL;
        seerdb_err err = {0};
        size_t n = 1 + (size_t)sdb_rand_below(&r, MOST);
        for (uint64_t i = sdb_rand_below(&r, 30); i > 0; i--)
            list_add(&l, test_slice(points[sdb_rand_below(&r, NPOINTS)]),
                     sdb_rand_below(&r, 50), SDB_KIND_VALUE, test_slice("v"));
        list_sort(&l);
        for (size_t i = 0; i < n; i++)
            all[i] = range(points[sdb_rand_below(&r, NPOINTS)],
                           points[sdb_rand_below(&r, NPOINTS)], sdb_rand_below(&r, 50));
        all[0] = range("a", "b", 5); /* one at least is not empty */
        test_ok(sdb_ranges_new(all, n, &want, &err), &err);
        struct made m = make(&l, all, n);
        test_ok(verify_made(&m, &err), &err);
        test_ok(open_made(&m, &t, &err), &err);
        const struct sdb_table_properties *p = sdb_table_properties(t);
        const struct sdb_ranges *got = sdb_table_ranges(t);
        if (l.n == 0)
            list_add(&l, sdb_ranges_at(want, 0)->start, sdb_ranges_at(want, 0)->number,
                     SDB_KIND_TOMBSTONE, test_slice(""));
        assert_int_equal(p->records, l.n);
        assert_int_equal(p->ranges, sdb_ranges_count(want));
        assert_int_equal(m.sum.ranges, p->ranges);
        assert_int_equal(m.sum.open_end, p->open_end);
        assert_int_equal(m.sum.min_number, p->min_number);
        assert_int_equal(m.sum.max_number, p->max_number);
        check_bounds(p, &l, got);
        assert_int_equal(sdb_ranges_count(got), sdb_ranges_count(want));
        for (size_t i = 0; i < sdb_ranges_count(want); i++) {
            test_slice_equal(sdb_ranges_at(got, i)->start,
                             sdb_ranges_at(want, i)->start);
            test_slice_equal(sdb_ranges_at(got, i)->end, sdb_ranges_at(want, i)->end);
            assert_int_equal(sdb_ranges_at(got, i)->number,
                             sdb_ranges_at(want, i)->number);
        }
        sdb_ranges_unref(want);
        sdb_table_unref(t);
        sdb_memfs_free(m.fs);
        list_fini(&l);
    }
}

static void ranges_alone_make_a_table_with_a_redundant_tombstone(void **state)
{
    const struct sdb_range ranges[] = {range("m", "p", 3), range("c", "d", 8),
                                       range("c", "x", 7)};
    struct list none = {0};
    struct sdb_table *t = NULL;
    struct sdb_found f = {0};
    seerdb_err err = {0};
    (void)state;
    struct made m = make(&none, ranges, 3);
    test_ok(verify_made(&m, &err), &err);
    test_ok(open_made(&m, &t, &err), &err);
    assert_int_equal(m.sum.records, 1);
    assert_int_equal(m.sum.tombstones, 1);
    assert_true(m.sum.open_end);
    test_ok(table_get(t, test_slice("c"), UINT64_MAX, &f, &err), &err);
    assert_int_equal(f.kind, SDB_KIND_TOMBSTONE);
    assert_int_equal(f.number, 8);
    seerdb_pin_unref(f.pin);
    assert_int_equal(table_get(t, test_slice("d"), UINT64_MAX, &f, &err),
                     SEERDB_NOTFOUND);
    sdb_table_unref(t);
    sdb_memfs_free(m.fs);
}

static void the_end_is_open_unless_a_record_stands_on_it(void **state)
{
    static const struct {
        const char *last, *end;
        bool open;
    } cases[] = {
        {"c", "b", false}, {"c", "c", false}, {"c", "c0", true}, {"c", "d", true}};
    seerdb_err err = {0};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct sdb_range one = range("a", cases[i].end, 5);
        struct list l = {0};
        struct sdb_table *t = NULL;
        list_add(&l, test_slice(cases[i].last), 9, SDB_KIND_VALUE, test_slice("v"));
        struct made m = make(&l, &one, 1);
        test_ok(verify_made(&m, &err), &err);
        test_ok(open_made(&m, &t, &err), &err);
        assert_int_equal(m.sum.open_end, cases[i].open);
        assert_int_equal(sdb_table_properties(t)->open_end, cases[i].open);
        test_slice_equal(sdb_table_properties(t)->smallest, test_slice("a"));
        test_slice_equal(sdb_table_properties(t)->largest,
                         test_slice(cases[i].open ? cases[i].end : cases[i].last));
        sdb_table_unref(t);
        sdb_memfs_free(m.fs);
        list_fini(&l);
    }
}

static void what_is_not_a_range_fails_the_table(void **state)
{
    static char big[SEERDB_KEY_MAX + 1];
    const seerdb_slice most = {big, SEERDB_KEY_MAX}, more = {big, SEERDB_KEY_MAX + 1},
                       a = test_slice("a"), b = test_slice("b");
    const struct {
        struct sdb_range r;
        int rc;
    } cases[] = {
        {{a, b, SDB_NUMBER_MAX}, 0},
        {{a, b, 0}, 0},
        {{a, b, SDB_NUMBER_MAX + 1}, SEERDB_MISUSE},
        {{a, most, 1}, 0},
        {{a, more, 1}, SEERDB_TOOBIG},
        {{more, b, 1}, 0}, /* empty */
        {{b, a, SDB_NUMBER_MAX + 1}, 0},
    };
    struct list l = {0};
    seerdb_err err = {0};
    (void)state;
    memset(big, 'x', sizeof big);
    list_add(&l, a, 5, SDB_KIND_VALUE, b);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct made m = {0};
        int rc = write_made(&l, &cases[i].r, 1, 0, &m, &err);
        if (rc != cases[i].rc)
            fail_msg("case %zu: %d: %s", i, rc, err.msg);
        test_fails(rc, cases[i].rc, &err);
        sdb_memfs_free(m.fs);
    }
    struct list none = {0};
    struct made m = {0};
    const struct sdb_range empty = range("b", "b", 5);
    test_fails(write_made(&none, &empty, 1, 0, &m, &err), SEERDB_MISUSE, &err);
    sdb_memfs_free(m.fs);
    list_fini(&l);
}

/* A table of few bytes. */
static struct made small(struct list *l)
{
    const struct sdb_range ranges[] = {range("kb", "kd", 9), range("k", "kb", 4),
                                       range("k", "ka", 4), range("k", "z", 3)};
    list_add(l, test_slice("ka"), 7, SDB_KIND_VALUE, test_slice("one"));
    list_add(l, test_slice("kc"), 6, SDB_KIND_VALUE, test_slice("two"));
    return make(l, ranges, 4);
}

static int read_ranges(const struct made *m, uint64_t *hash, seerdb_err *err)
{
    struct sdb_table *t = NULL;
    int rc = open_made(m, &t, err);
    if (rc != 0)
        return rc;
    const struct sdb_ranges *set = sdb_table_ranges(t);
    *hash = sdb_ranges_count(set);
    for (size_t i = 0; i < sdb_ranges_count(set); i++) {
        const struct sdb_range *r = sdb_ranges_at(set, i);
        *hash = sdb_hash64_2(r->start.data, r->start.size, r->end.data, r->end.size,
                             *hash + r->number);
    }
    sdb_table_unref(t);
    return 0;
}

static void no_flipped_bit_loses_or_adds_a_range(void **state)
{
    struct list l = {0};
    struct made m = small(&l);
    uint64_t want = 0, refused = 0;
    seerdb_err err = {0};
    (void)state;
    test_ok(read_ranges(&m, &want, &err), &err);
    for (uint64_t i = 0; i < m.size * 8; i++) {
        uint64_t got = 0;
        assert_int_equal(sdb_memfs_flip(m.fs, MADE_PATH, i / 8, i % 8), 0);
        if (read_ranges(&m, &got, &err) == 0)
            assert_int_equal(got, want);
        else
            refused++;
        err = (seerdb_err){0};
        if (verify_made(&m, &err) == 0)
            fail_msg("verify does not see bit %" PRIu64 " of byte %" PRIu64, i % 8,
                     i / 8);
        err = (seerdb_err){0};
        assert_int_equal(sdb_memfs_flip(m.fs, MADE_PATH, i / 8, i % 8), 0);
    }
    assert_true(refused > 500);
    sdb_memfs_free(m.fs);
    list_fini(&l);
}

/* Replace the bytes of a part by others of the same length, checksum and all. */
static void reseal(const struct made *m, enum sdb_table_part part, size_t at,
                   const void *p, size_t n)
{
    uint8_t *bytes = made_bytes(m);
    const uint8_t *foot = bytes + m->size - SDB_TABLE_FOOTER;
    uint64_t off = sdb_load_u64(foot), seed = sdb_hash64(m->id.bytes, 16, 0);
    for (unsigned i = 0; i < (unsigned)part; i++)
        off += sdb_table_align(
            sdb_load_u32(foot + sdb_footer_length((enum sdb_table_part)i)));
    size_t size = sdb_load_u32(foot + sdb_footer_length(part));
    assert_true(SDB_STORED_HEADER + at + n <= size);
    memcpy(bytes + off + SDB_STORED_HEADER + at, p, n);
    sdb_store_u64(bytes + off, sdb_stored_check(bytes + off, size, seed, off));
    made_write(m, off, bytes + off, size);
    free(bytes);
}

static void wrong_ranges_under_right_checksums_are_corrupt(void **state)
{
    /* Content: the count 4, then each one's number, start, end: (4, k, kb) (4, k, ka)
     * (3, k, z) (9, kb, kd)
     */
    static const struct {
        const char *what;
        enum sdb_table_part part;
        size_t at;
        const char *bytes;
        size_t n;
        bool opens; /* only verifying sees it */
    } cases[] = {
        {"one range fewer", SDB_PART_RANGES, 0, "\x03", 1, false},
        {"one range more", SDB_PART_RANGES, 0, "\x05", 1, false},
        {"very many ranges", SDB_PART_RANGES, 0, "\x7f", 1, false},
        {"a number below the least", SDB_PART_RANGES, 13, "\x02", 1, false},
        {"a number above the greatest", SDB_PART_RANGES, 18, "\x0a", 1, false},
        {"numbers that rise", SDB_PART_RANGES, 1, "\x03", 1, false},
        {"a double", SDB_PART_RANGES, 6, "a", 1, false},
        {"ends that rise", SDB_PART_RANGES, 6, "0", 1, false},
        {"a start below the smallest", SDB_PART_RANGES, 3, "j", 1, false},
        {"an end above the largest", SDB_PART_RANGES, 17, "{", 1, false},
        {"no range up to the largest", SDB_PART_RANGES, 17, "y", 1, false},
        {"an empty range", SDB_PART_RANGES, 24, "b", 1, false},
        {"a long start", SDB_PART_RANGES, 19, "\x7f", 1, false},
        {"another number", SDB_PART_RANGES, 18, "\x08", 1, true},
        {"count of the properties", SDB_PART_PROPERTIES, 39, "\x05", 1, false},
        {"no open end", SDB_PART_PROPERTIES, 42, "\x00", 1, true},
        {"a flag of 2", SDB_PART_PROPERTIES, 42, "\x02", 1, false},
        {"greatest number", SDB_PART_PROPERTIES, 20, "\x0a", 1, true},
        {"smallest number", SDB_PART_PROPERTIES, 17, "\x02", 1, true},
        {"smallest key", SDB_PART_PROPERTIES, 23, "j", 1, true},
        {"largest key", SDB_PART_PROPERTIES, 26, "{", 1, false},
    };
    seerdb_err err = {0};
    (void)state;
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        struct list l = {0};
        struct made m = small(&l);
        uint64_t hash;
        test_ok(verify_made(&m, &err), &err);
        reseal(&m, cases[c].part, cases[c].at, cases[c].bytes, cases[c].n);
        int rc = read_ranges(&m, &hash, &err);
        if ((rc == 0) != cases[c].opens || (rc != 0 && rc != SEERDB_CORRUPT))
            fail_msg("%s: open answers %d: %s", cases[c].what, rc, err.msg);
        err = (seerdb_err){0};
        if (verify_made(&m, &err) != SEERDB_CORRUPT)
            fail_msg("verify does not see %s", cases[c].what);
        err = (seerdb_err){0};
        sdb_memfs_free(m.fs);
        list_fini(&l);
    }
}

static void a_footer_without_the_ranges_is_corrupt(void **state)
{
    struct list l = {0};
    struct made m = small(&l);
    struct sdb_table *t = NULL;
    seerdb_err err = {0};
    (void)state;
    uint8_t *bytes = made_bytes(&m), *foot = bytes + m.size - SDB_TABLE_FOOTER;
    sdb_store_u32(foot + SDB_FOOTER_RANGES, 0);
    sdb_store_u64(foot + 48, sdb_hash64(foot, 48, 0));
    made_write(&m, m.size - SDB_TABLE_FOOTER, foot, SDB_TABLE_FOOTER);
    test_fails(open_made(&m, &t, &err), SEERDB_CORRUPT, &err);
    /* The file cut to what such a footer describes. */
    struct sdb_file *f = NULL;
    m.size -= 64;
    test_ok(sdb_fs_open(m.fs, MADE_PATH, SDB_READWRITE, SDB_FOR_OTHER, &f, &err), &err);
    test_ok(sdb_file_truncate(f, m.size, &err), &err);
    sdb_file_close(f);
    made_write(&m, m.size - SDB_TABLE_FOOTER, foot, SDB_TABLE_FOOTER);
    test_fails(open_made(&m, &t, &err), SEERDB_CORRUPT, &err);
    free(bytes);
    sdb_memfs_free(m.fs);
    list_fini(&l);
}

static void ranges_count_as_memory_of_the_table(void **state)
{
    struct list l = {0};
    struct sdb_range many[1000];
    static char keys[1001][8];
    struct sdb_table *with = NULL, *without = NULL;
    seerdb_err err = {0};
    (void)state;
    for (size_t i = 0; i < 1001; i++)
        snprintf(keys[i], sizeof keys[i], "%04zu", i);
    for (size_t i = 0; i < 1000; i++)
        many[i] = range(keys[i], keys[i + 1], i + 1);
    list_add(&l, test_slice("0005"), 7, SDB_KIND_VALUE, test_slice("one"));
    struct made a = make(&l, many, 1000), b = make(&l, NULL, 0);
    test_ok(open_made(&a, &with, &err), &err);
    test_ok(open_made(&b, &without, &err), &err);
    assert_null(sdb_table_ranges(without));
    assert_true(sdb_table_memory(with) >
                sdb_table_memory(without) + 1000 * sizeof many[0]);
    sdb_table_unref(with);
    sdb_table_unref(without);
    sdb_memfs_free(a.fs);
    sdb_memfs_free(b.fs);
    list_fini(&l);
}

static void running_out_of_memory_is_survived(void **state)
{
    const struct sdb_range ranges[] = {range("b", "d", 9), range("a", "b", 4)};
    struct list none = {0};
    unsigned failures = 0;
    (void)state;
    for (int64_t n = 0;; n++) {
        seerdb_err err = {0};
        struct made m = {0};
        m.fs = sdb_memfs_new(false);
        sdb_mem_fail_after(n);
        int rc = write_made(&none, ranges, 2, 0, &m, &err);
        if (rc == 0)
            rc = verify_made(&m, &err);
        sdb_mem_fail_after(-1);
        sdb_memfs_free(m.fs);
        if (rc == 0)
            break;
        test_fails(rc, SEERDB_NOMEM, &err);
        failures++;
    }
    assert_true(failures > 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_ranges_of_the_format_document_are_written),
        cmocka_unit_test(ranges_come_back_as_they_were_written),
        cmocka_unit_test(ranges_alone_make_a_table_with_a_redundant_tombstone),
        cmocka_unit_test(the_end_is_open_unless_a_record_stands_on_it),
        cmocka_unit_test(what_is_not_a_range_fails_the_table),
        cmocka_unit_test(no_flipped_bit_loses_or_adds_a_range),
        cmocka_unit_test(wrong_ranges_under_right_checksums_are_corrupt),
        cmocka_unit_test(a_footer_without_the_ranges_is_corrupt),
        cmocka_unit_test(ranges_count_as_memory_of_the_table),
        cmocka_unit_test(running_out_of_memory_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
