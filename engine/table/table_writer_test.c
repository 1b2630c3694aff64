/* SPDX-License-Identifier: Apache-2.0 */
#include "table/table_writer.h"

#include "table/testing.h"

static const seerdb_uuid example_id = {
    {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}};

static void the_table_of_the_format_document_is_written(void **state)
{
    struct list l = {0};
    (void)state;
    list_add(&l, test_slice("ka"), 7, SDB_KIND_VALUE, test_slice("one"));
    list_add(&l, test_slice("ka"), 5, SDB_KIND_TOMBSTONE, test_slice(""));
    list_add(&l, test_slice("kbc"), 6, SDB_KIND_VALUE, test_slice("two!"));
    struct sdb_table_writer_options o = options_for(&l);
    o.id = example_id;
    struct made m = make_table(&o, &l);
    uint8_t *bytes = made_bytes(&m);
    /* FORMAT.md, "Table" */
    test_hex_equal((seerdb_slice){bytes, (size_t)m.size},
                   "53 45 45 52 54 42 4c 31 01 00 00 00 00 00 00 00"
                   "00 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f"
                   "00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00"
                   "00 00 00 00 00 00 00 00 d3 9f 69 64 2b 4d 29 df"
                   "56 8f 5d 8f ed 83 87 99 4b 00 00 00 4b 00 00 00"
                   "00 01 00 00 00 00 00 00 00 00 00 00 00 00 00 00"
                   "03 19 04 01 02 01 01 00 02 00 00 00 0e 00 00 00"
                   "05 00 00 00 00 00 00 00 00 00 00 00 00 00 00 61"
                   "00 00 00 00 00 00 00 00 00 00 80 b1 02 00 01 00"
                   "00 05 00 07 00 0e 00 00 00 01 01 12 01 6b 61 6f"
                   "6e 65 6b 61 6b 62 63 74 77 6f 21 00 00 00 00 00"
                   "00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00"
                   "24 8f 4e 23 eb 7a 04 a6 19 00 00 00 19 00 00 00"
                   "00 02 00 00 00 00 00 00 00 00 00 00 00 00 00 00"
                   "01 00 00 00 00 01 00 00 00 00 00 00 00 00 00 61"
                   "01 00 00 00 6b 00 00 00 6b 00 00 00 00 00 00 00"
                   "f5 3c cf 55 e3 2d fe 8a 28 00 00 00 28 00 00 00"
                   "00 03 00 00 00 00 00 00 00 00 00 00 00 00 00 00"
                   "01 01 03 02 01 01 03 01 01 04 01 07 05 01 07 06"
                   "01 05 07 01 07 08 02 6b 61 09 03 6b 62 63 0b 08"
                   "00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00"
                   "00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00"
                   "00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00"
                   "00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00"
                   "c0 00 00 00 00 00 00 00 39 00 00 00 00 00 00 00"
                   "00 00 00 00 48 00 00 00 00 01 02 03 04 05 06 07"
                   "08 09 0a 0b 0c 0d 0e 0f 01 00 00 00 00 00 00 00"
                   "4d b6 d8 dc 54 32 85 78 53 45 45 52 54 42 4c 31");
    free(bytes);
    sdb_memfs_free(m.fs);
    list_fini(&l);
}

/* The stored blocks of an index of three blocks without usable fences. */
static void the_separators_of_the_format_document_are_written(void **state)
{
    struct list l = {0};
    (void)state;
    list_add(&l, test_slice("k12345678a"), 3, SDB_KIND_VALUE, test_slice(""));
    list_add(&l, test_slice("k12345678cd"), 2, SDB_KIND_VALUE, test_slice(""));
    list_add(&l, test_slice("k12345678cd"), 1, SDB_KIND_VALUE, test_slice(""));
    struct sdb_table_writer_options o = options_for(&l);
    o.smallest = test_slice("k");
    o.block_size = 1;
    o.id = example_id;
    struct made m = make_table(&o, &l);
    uint8_t *bytes = made_bytes(&m);
    uint64_t at = sdb_load_u64(bytes + m.size - 64);
    uint32_t size = sdb_load_u32(bytes + m.size - 64 + 8);
    /* FORMAT.md, "Index block" */
    test_hex_equal((seerdb_slice){bytes + at + 32, size - 32},
                   "03 00 00 00 02 01 00 00"
                   "38 37 36 35 34 33 32 31 38 37 36 35 34 33 32 31"
                   "38 37 36 35 34 33 32 31"
                   "01 00 00 00 03 00 00 00 05 00 00 00"
                   "4a 00 00 00 4b 00 00 00 4b 00 00 00"
                   "6b 00 0a 6b 31 32 33 34 35 36 37 38 63 0b 6b 31"
                   "32 33 34 35 36 37 38 63 64");
    free(bytes);
    sdb_memfs_free(m.fs);
    list_fini(&l);
}

static int write_one(const struct sdb_record *first, const struct sdb_record *second,
                     struct sdb_table_summary *sum, seerdb_err *err)
{
    struct sdb_fs *fs = sdb_memfs_new(false);
    struct sdb_file *f = NULL;
    struct sdb_table_writer *w = NULL;
    struct sdb_table_writer_options o = {0};
    assert_non_null(fs);
    test_ok(sdb_fs_open(fs, "t", SDB_CREATE, SDB_FOR_FLUSH, &f, err), err);
    test_ok(sdb_table_writer_new(f, &o, &w, err), err);
    if (first != NULL)
        sdb_table_writer_add(w, first);
    if (second != NULL)
        sdb_table_writer_add(w, second);
    sdb_table_writer_add(w,
                         &(struct sdb_record){{"zzz", 3}, 1, SDB_KIND_VALUE, {"v", 1}});
    if (first == NULL) { /* a new writer, so that it has no records */
        sdb_table_writer_free(w);
        test_ok(sdb_table_writer_new(f, &o, &w, err), err);
    }
    int rc = sdb_table_writer_finish(w, sum, err);
    sdb_table_writer_free(w);
    sdb_file_close(f);
    sdb_memfs_free(fs);
    return rc;
}

static void what_is_not_a_next_record_fails_the_table(void **state)
{
    static const struct sdb_record a7 = {{"a", 1}, 7, SDB_KIND_VALUE, {"v", 1}};
    static const struct {
        struct sdb_record r;
        int rc;
    } cases[] = {
        {{{"a", 1}, 6, SDB_KIND_VALUE, {"v", 1}}, 0},
        {{{"a\0", 2}, 9, SDB_KIND_TOMBSTONE, {NULL, 0}}, 0},
        {{{"a", 1}, 7, SDB_KIND_VALUE, {"v", 1}}, SEERDB_MISUSE},
        {{{"a", 1}, 8, SDB_KIND_VALUE, {"v", 1}}, SEERDB_MISUSE},
        {{{"", 0}, 1, SDB_KIND_VALUE, {"v", 1}}, SEERDB_MISUSE},
        {{{"b", 1}, SDB_NUMBER_MAX, SDB_KIND_VALUE, {"v", 1}}, 0},
        {{{"b", 1}, SDB_NUMBER_MAX + 1, SDB_KIND_VALUE, {"v", 1}}, SEERDB_MISUSE},
        {{{"b", 1}, 1, (enum sdb_kind)0, {"v", 1}}, SEERDB_MISUSE},
        {{{"b", 1}, 1, (enum sdb_kind)6, {"v", 1}}, SEERDB_MISUSE},
        {{{"b", 1}, 1, SDB_KIND_TOMBSTONE, {"v", 1}}, SEERDB_MISUSE},
        {{{"b", SEERDB_KEY_MAX + 1}, 1, SDB_KIND_VALUE, {"v", 1}}, SEERDB_TOOBIG},
        {{{"b", 1}, 1, SDB_KIND_VALUE, {"v", SEERDB_VALUE_MAX + 1}}, SEERDB_TOOBIG},
    };
    struct sdb_table_summary sum;
    seerdb_err err = {0};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int rc = write_one(&a7, &cases[i].r, &sum, &err);
        if (rc != cases[i].rc)
            fail_msg("case %zu: %d: %s", i, rc, err.msg);
        test_fails(rc, cases[i].rc, &err);
    }
}

static void a_table_needs_a_record(void **state)
{
    struct sdb_table_summary sum;
    seerdb_err err = {0};
    (void)state;
    test_fails(write_one(NULL, NULL, &sum, &err), SEERDB_MISUSE, &err);
}

static void the_summary_counts_what_was_added(void **state)
{
    struct sdb_record a = {{"a", 1}, 7, SDB_KIND_TOMBSTONE, {NULL, 0}};
    struct sdb_record b = {{"bb", 2}, 9, SDB_KIND_VALUE, {"12345", 5}};
    struct sdb_table_summary sum;
    seerdb_err err = {0};
    (void)state;
    test_ok(write_one(&a, &b, &sum, &err), &err);
    assert_int_equal(sum.records, 3);
    assert_int_equal(sum.tombstones, 1);
    assert_int_equal(sum.blocks, 1);
    assert_int_equal(sum.key_bytes, 6);
    assert_int_equal(sum.value_bytes, 6);
    assert_int_equal(sum.min_number, 1);
    assert_int_equal(sum.max_number, 9);
}

/* Values are the times, a digit; "x" has none. */
static uint64_t expiry_of(const void *ctx, const struct sdb_record *r)
{
    (void)ctx;
    char c = r->value.size > 0 ? *(const char *)r->value.data : 'x';
    return c == 'x' ? UINT64_MAX : (uint64_t)(c - '0');
}

static void a_table_has_expired_whole_if_that_is_known_of_every_record(void **state)
{
    (void)state;
    static const struct {
        const char *values; /* of keys in a row; "-": a tombstone, "+5": a merge */
        uint64_t expired_by, first, last;
        bool lasts;
    } cases[] = {
        {"5", 0, 5, 5, true},
        {"5397", 0, 3, 9, true},
        {"5397", 0, 3, 0, false},
        {"53x97", 0, 3, 0, true},
        {"x", 0, 0, 0, true},
        {"5-9-", 0, 5, 9, true},
        {"-", 0, 0, 0, true},
        {"53+97", 0, 3, 0, true},
        /* those that have expired and stayed are among them */
        {"5397", 6, 7, 9, true},
        {"5397", 9, 0, 9, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct list l = {0};
        char keys[] = "abcdefgh";
        for (size_t k = 0; cases[i].values[k] != 0; k++) {
            const char *v = cases[i].values + k;
            list_add(&l, (seerdb_slice){keys + k, 1}, k + 1,
                     *v == '-'   ? SDB_KIND_TOMBSTONE
                     : *v == '+' ? SDB_KIND_MERGE
                                 : SDB_KIND_VALUE,
                     *v == '-'   ? test_slice("")
                     : *v == '+' ? test_slice("x")
                                 : (seerdb_slice){v, 1});
        }
        struct sdb_table_writer_options o = options_for(&l);
        o.expiry = expiry_of;
        o.expired_by = cases[i].expired_by;
        o.expiry_lasts = cases[i].lasts;
        struct made m = make_table(&o, &l);
        assert_int_equal(m.sum.first_expiry, cases[i].first);
        assert_int_equal(m.sum.last_expiry, cases[i].last);
        sdb_memfs_free(m.fs);
        list_fini(&l);
    }
}

static void large_values_have_blocks_of_their_own(void **state)
{
    static char big[3 << 20];
    struct list l = {0};
    struct sdb_table *t = NULL;
    struct sdb_found f = {0};
    seerdb_err err = {0};
    (void)state;
    for (size_t i = 0; i < sizeof big; i++)
        big[i] = (char)(i * i >> 7);
    list_add(&l, test_slice("a"), 1, SDB_KIND_VALUE, test_slice("small"));
    list_add(&l, test_slice("b"), 2, SDB_KIND_VALUE, (seerdb_slice){big, sizeof big});
    list_add(&l, test_slice("c"), 3, SDB_KIND_VALUE, test_slice("small"));
    list_add(&l, test_slice("d"), 4, SDB_KIND_VALUE, (seerdb_slice){big, 20000});
    for (int level = 0; level < 2; level++) {
        struct sdb_table_writer_options o = options_for(&l);
        o.compression = level;
        struct made m = make_table(&o, &l);
        assert_int_equal(m.sum.blocks, 4);
        test_ok(open_made(&m, &t, &err), &err);
        test_ok(sdb_table_verify(t, &err), &err);
        for (unsigned i = 0; i < l.n; i++) {
            test_ok(table_get(t, l.r[i].key, 9, &f, &err), &err);
            test_slice_equal(f.value, l.r[i].value);
            seerdb_pin_unref(f.pin);
        }
        sdb_table_unref(t);
        sdb_memfs_free(m.fs);
    }
    list_fini(&l);
}

static void every_table_has_its_own_id(void **state)
{
    struct sdb_record a = {{"a", 1}, 7, SDB_KIND_TOMBSTONE, {NULL, 0}};
    struct sdb_table_summary x, y;
    seerdb_err err = {0};
    (void)state;
    test_ok(write_one(&a, NULL, &x, &err), &err);
    test_ok(write_one(&a, NULL, &y, &err), &err);
    assert_memory_not_equal(x.id.bytes, y.id.bytes, 16);
}

static void running_out_of_memory_fails_the_table(void **state)
{
    struct list l = {0};
    static char keys[300][8];
    unsigned failures = 0;
    (void)state;
    for (unsigned i = 0; i < 300; i++) {
        snprintf(keys[i], sizeof keys[i], "%06u", i);
        list_add(&l, test_slice(keys[i]), 1, SDB_KIND_VALUE, test_slice("0123456789"));
    }
    for (int64_t n = 0;; n++) {
        struct sdb_fs *fs = sdb_memfs_new(false);
        struct sdb_table_writer_options o = options_for(&l);
        struct sdb_table_summary sum;
        seerdb_err err = {0};
        o.compression = 1;
        o.block_size = 100;
        o.filter_bits = 10;
        sdb_mem_fail_after(n);
        int rc = write_table(fs, "t", &o, &l, &sum, &err);
        sdb_mem_fail_after(-1);
        sdb_memfs_free(fs);
        if (rc == 0)
            break;
        failures++;
        test_fails(rc, SEERDB_NOMEM, &err);
    }
    assert_true(failures > 10);
    list_fini(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_table_of_the_format_document_is_written),
        cmocka_unit_test(the_separators_of_the_format_document_are_written),
        cmocka_unit_test(what_is_not_a_next_record_fails_the_table),
        cmocka_unit_test(a_table_needs_a_record),
        cmocka_unit_test(the_summary_counts_what_was_added),
        cmocka_unit_test(a_table_has_expired_whole_if_that_is_known_of_every_record),
        cmocka_unit_test(large_values_have_blocks_of_their_own),
        cmocka_unit_test(every_table_has_its_own_id),
        cmocka_unit_test(running_out_of_memory_fails_the_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
