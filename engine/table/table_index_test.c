/* SPDX-License-Identifier: Apache-2.0 */
#include "table/table_index.h"

#include "table/testing.h"

static const seerdb_uuid id = {{9, 8, 7}};

/* A table of three blocks, S2 if told: bounds that share nothing make all codes tie. */
static struct made make(enum sdb_scheme scheme)
{
    struct list l = {0};
    list_add(&l, test_slice("k12345678a"), 3, SDB_KIND_VALUE, test_slice("1"));
    list_add(&l, test_slice("k12345678cd"), 2, SDB_KIND_VALUE, test_slice("2"));
    list_add(&l, test_slice("k12345678x"), 1, SDB_KIND_VALUE, test_slice("3"));
    struct sdb_table_writer_options o = options_for(&l);
    o.block_size = 1;
    o.id = id;
    o.filter_bits = 10;
    if (scheme == SDB_SCHEME_S2)
        o.smallest = test_slice("");
    struct made m = make_table(&o, &l);
    list_fini(&l);
    return m;
}

static int load(const struct made *m, struct sdb_table_index *x, seerdb_err *err)
{
    struct sdb_file *f = NULL;
    test_ok(sdb_fs_open(m->fs, MADE_PATH, SDB_READ, SDB_FOR_READ, &f, err), err);
    int rc = sdb_table_index_load(x, f, &id, m->size, SDB_FOR_READ, err);
    sdb_file_close(f);
    x->path = MADE_PATH; /* the file's is gone */
    return rc;
}

enum part {
    INDEX = SDB_PART_INDEX,
    FILTER = SDB_PART_FILTER,
    MODEL = SDB_PART_MODEL,
    PROPERTIES = SDB_PART_PROPERTIES,
    HEADER,
    FOOTER
};

/* Change one byte of a part and make its checksum right again. */
static void alter(const struct made *m, enum part part, size_t at, int value)
{
    uint8_t *bytes = made_bytes(m), *foot = bytes + m->size - SDB_TABLE_FOOTER;
    uint64_t seed = sdb_hash64(id.bytes, sizeof id.bytes, 0);
    uint64_t off = part == FOOTER ? m->size - SDB_TABLE_FOOTER : 0;
    uint32_t size = 0;
    if (part <= PROPERTIES) { /* its parts lie one behind the other */
        off = sdb_load_u64(foot);
        for (unsigned i = 0; i < part; i++)
            off += sdb_table_align(sdb_load_u32(foot + 8 + 4 * i));
        size = sdb_load_u32(foot + 8 + 4 * part);
    }
    bytes[off + at] = (uint8_t)value;
    if (part == HEADER)
        sdb_store_u64(bytes + 56, sdb_hash64(bytes, 56, 0));
    else if (part == FOOTER)
        sdb_store_u64(foot + 48, sdb_hash64(foot, 48, 0));
    else
        sdb_store_u64(bytes + off, sdb_stored_check(bytes + off, size, seed, off));
    made_write(m, 0, bytes, (size_t)m->size);
    free(bytes);
}

/* Index: stored header 32, header 8, fences 24, offsets 12, sizes 12, prefix. */
static const struct {
    enum sdb_scheme scheme;
    enum part part;
    size_t at;
    int value;
    int rc;
} field_cases[] = {
    {SDB_SCHEME_S0, HEADER, 0, 'S', 0},
    {SDB_SCHEME_S0, HEADER, 0, 's', SEERDB_CORRUPT},
    {SDB_SCHEME_S0, HEADER, 8, 2, SEERDB_NEWER},
    {SDB_SCHEME_S0, HEADER, 12, 1, SEERDB_CORRUPT},
    {SDB_SCHEME_S0, HEADER, 16, 1, SEERDB_CORRUPT},
    {SDB_SCHEME_S0, HEADER, 32, 1, SEERDB_CORRUPT},
    {SDB_SCHEME_S0, HEADER, 55, 1, SEERDB_CORRUPT},
    {SDB_SCHEME_S0, FOOTER, 63, '2', SEERDB_CORRUPT},
    {SDB_SCHEME_S0, FOOTER, 40, 2, SEERDB_NEWER},
    {SDB_SCHEME_S0, FOOTER, 44, 2, SEERDB_CORRUPT},
    {SDB_SCHEME_S0, FOOTER, 39, 2, SEERDB_CORRUPT},
    {SDB_SCHEME_S0, FOOTER, 0, 1, SEERDB_CORRUPT},
    {SDB_SCHEME_S0, FOOTER, 1, 0, SEERDB_CORRUPT},
    {SDB_SCHEME_S0, FOOTER, 7, 0x80, SEERDB_CORRUPT},
    {SDB_SCHEME_S0, FOOTER, 8, 0, SEERDB_CORRUPT},
    {SDB_SCHEME_S0, FOOTER, 11, 1, SEERDB_CORRUPT},
    {SDB_SCHEME_S0, FOOTER, 12, 40, SEERDB_CORRUPT}, /* of the filter */
    {SDB_SCHEME_S0, FOOTER, 12, 1, SEERDB_CORRUPT},
    {SDB_SCHEME_S0, FOOTER, 15, 1, SEERDB_CORRUPT},
    {SDB_SCHEME_S0, FOOTER, 16, 40, SEERDB_CORRUPT}, /* of the model */
    {SDB_SCHEME_S0, FOOTER, 16, 1, SEERDB_CORRUPT},
    {SDB_SCHEME_S0, FOOTER, 20, 0, SEERDB_CORRUPT}, /* of the properties */
    {SDB_SCHEME_S0, FOOTER, 23, 1, SEERDB_CORRUPT},
    {SDB_SCHEME_S0, INDEX, 8, 1, SEERDB_CORRUPT},
    {SDB_SCHEME_S0, INDEX, 12, 1, SEERDB_CORRUPT},
    {SDB_SCHEME_S0, INDEX, 16, 1, SEERDB_CORRUPT},
    {SDB_SCHEME_S0, INDEX, 17, 1, SEERDB_CORRUPT},
    {SDB_SCHEME_S0, INDEX, 31, 1, SEERDB_CORRUPT},
    {SDB_SCHEME_S0, INDEX, 32, 2, SEERDB_CORRUPT}, /* blocks */
    {SDB_SCHEME_S0, INDEX, 32, 0, SEERDB_CORRUPT},
    {SDB_SCHEME_S0, INDEX, 35, 0xff, SEERDB_CORRUPT},
    {SDB_SCHEME_S0, INDEX, 36, 1, SEERDB_CORRUPT}, /* scheme */
    {SDB_SCHEME_S0, INDEX, 36, 2, SEERDB_CORRUPT},
    {SDB_SCHEME_S0, INDEX, 37, 8, SEERDB_CORRUPT}, /* prefix length */
    {SDB_SCHEME_S0, INDEX, 37, 255, SEERDB_CORRUPT},
    {SDB_SCHEME_S0, INDEX, 38, 1, SEERDB_CORRUPT},
    {SDB_SCHEME_S0, INDEX, 40 + 7, 0xff, SEERDB_CORRUPT}, /* fences fall */
    {SDB_SCHEME_S0, INDEX, 64, 2, SEERDB_CORRUPT},        /* offsets */
    {SDB_SCHEME_S0, INDEX, 68, 1, SEERDB_CORRUPT},
    {SDB_SCHEME_S0, INDEX, 76, 32, SEERDB_CORRUPT}, /* sizes */
    {SDB_SCHEME_S0, INDEX, 76, 129, SEERDB_CORRUPT},
    {SDB_SCHEME_S0, INDEX, 79, 1, SEERDB_CORRUPT},
    {SDB_SCHEME_S0, INDEX, 84, 129, SEERDB_CORRUPT},
    {SDB_SCHEME_S2, INDEX, 36, 2, 0},
    {SDB_SCHEME_S2, INDEX, 88, 1, SEERDB_CORRUPT},   /* block 0 has none */
    {SDB_SCHEME_S2, INDEX, 89, 200, SEERDB_CORRUPT}, /* its length */
    {SDB_SCHEME_S2, INDEX, 90, 'l', SEERDB_CORRUPT}, /* separators fall */
    {SDB_SCHEME_S0, FILTER, 17, 2, SEERDB_CORRUPT},
    {SDB_SCHEME_S0, FILTER, 32, 2, SEERDB_CORRUPT}, /* lines */
    {SDB_SCHEME_S0, FILTER, 40, 4, SEERDB_CORRUPT}, /* more keys than records */
    {SDB_SCHEME_S0, FILTER, 40, 3, 0},
    {SDB_SCHEME_S0, FILTER, 48, 1, SEERDB_CORRUPT},
    {SDB_SCHEME_S0, PROPERTIES, 17, 2, SEERDB_CORRUPT},
    {SDB_SCHEME_S0, PROPERTIES, 32, 2, SEERDB_CORRUPT}, /* tag twice */
    {SDB_SCHEME_S0, PROPERTIES, 32, 0, SEERDB_CORRUPT},
    {SDB_SCHEME_S0, PROPERTIES, 33, 2, SEERDB_CORRUPT},   /* length */
    {SDB_SCHEME_S0, PROPERTIES, 34, 200, SEERDB_CORRUPT}, /* records: varint */
    {SDB_SCHEME_S0, PROPERTIES, 34, 2, SEERDB_CORRUPT},   /* fewer than blocks */
    {SDB_SCHEME_S0, PROPERTIES, 37, 4, SEERDB_CORRUPT},   /* tombstones */
    {SDB_SCHEME_S0, PROPERTIES, 40, 2, SEERDB_CORRUPT},   /* blocks */
    {SDB_SCHEME_S0, PROPERTIES, 49, 4, SEERDB_CORRUPT},   /* smallest number */
    {SDB_SCHEME_S0, PROPERTIES, 55, 'l', SEERDB_CORRUPT}, /* smallest key */
    {SDB_SCHEME_S0, PROPERTIES, 32 + 7 * 3 + 12 + 12 + 2, 1, SEERDB_NEWER},
};

static void fields_out_of_their_range_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof field_cases / sizeof *field_cases; i++) {
        struct made m = make(field_cases[i].scheme);
        struct sdb_table_index x = {0};
        seerdb_err err = {0};
        alter(&m, field_cases[i].part, field_cases[i].at, field_cases[i].value);
        int rc = load(&m, &x, &err);
        if (rc != field_cases[i].rc)
            fail_msg("case %zu: part %d, byte %zu = %d: %d: %s", i,
                     (int)field_cases[i].part, field_cases[i].at, field_cases[i].value,
                     rc, err.msg);
        test_fails(rc, field_cases[i].rc, &err);
        sdb_table_index_fini(&x);
        sdb_memfs_free(m.fs);
    }
}

static void a_search_names_the_blocks_it_cannot_place(void **state)
{
    static const struct {
        enum sdb_scheme scheme;
        const char *key;
        uint32_t lo, hi;
    } cases[] = {
        {SDB_SCHEME_S0, "", 0, 0},
        {SDB_SCHEME_S0, "k12345678a", 0, 1},
        {SDB_SCHEME_S0, "k12345678aa", 1, 1},
        {SDB_SCHEME_S0, "k12345678cd", 1, 2},
        {SDB_SCHEME_S0, "k12345678x", 2, 3},
        {SDB_SCHEME_S0, "z", 3, 3},
        {SDB_SCHEME_S2, "", 1, 1},
        {SDB_SCHEME_S2, "k12345678a", 1, 1},
        {SDB_SCHEME_S2, "k12345678c", 1, 2},
        {SDB_SCHEME_S2, "k12345678cd", 2, 2},
        {SDB_SCHEME_S2, "k12345678x", 2, 3},
        {SDB_SCHEME_S2, "z", 3, 3},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct made m = make(cases[i].scheme);
        struct sdb_table_index x = {0};
        seerdb_err err = {0};
        uint32_t lo, hi;
        test_ok(load(&m, &x, &err), &err);
        assert_int_equal(x.props.scheme, cases[i].scheme);
        seerdb_slice key = test_slice(cases[i].key);
        sdb_table_index_search(&x, sdb_code(&x.coder, key), key, &lo, &hi);
        if (lo != cases[i].lo || hi != cases[i].hi)
            fail_msg("case %zu: [%" PRIu32 ", %" PRIu32 ")", i, lo, hi);
        assert_true(sdb_table_index_memory(&x) >= 3 * SDB_INDEX_PER_BLOCK);
        sdb_table_index_fini(&x);
        sdb_memfs_free(m.fs);
    }
}

enum { DENSE = 600, STEP = 3 };

/* Integers with a step, a block each: one segment, one run. */
static struct made make_dense(void)
{
    static uint8_t keys[DENSE][8];
    struct list l = {0};
    for (unsigned i = 0; i < DENSE; i++) {
        sdb_store_be64(keys[i], (UINT64_C(1) << 63) + (uint64_t)i * STEP);
        list_add(&l, (seerdb_slice){keys[i], 8}, 1, SDB_KIND_VALUE, test_slice("v"));
    }
    struct sdb_table_writer_options o = options_for(&l);
    o.block_size = 1;
    o.id = id;
    struct made m = make_table(&o, &l);
    list_fini(&l);
    return m;
}

/* Whatever the model says, searches answer what the fences do. */
static void a_model_that_is_wrong_costs_time_only(void **state)
{
    static const struct {
        size_t at; /* in the model: its first rank is at 40, its slope at 48 */
        int value;
        bool corrected;
    } cases[] = {
        {40, 0, false},                     /* as it was */
        {41, 8, true},                      /* everything 32 blocks later */
        {41, 0x40, true}, {55, 0x7f, true}, /* a slope that is huge */
        {55, 0, true},                      /* or nearly zero */
        {53, 1, true},
    };
    (void)state;
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        struct made m = make_dense();
        struct sdb_table_index x = {0};
        seerdb_err err = {0};
        uint8_t key[8];
        uint32_t lo, hi;
        alter(&m, MODEL, SDB_STORED_HEADER + cases[c].at, cases[c].value);
        test_ok(load(&m, &x, &err), &err);
        assert_int_equal(x.learned.nsegments, 1);
        assert_int_equal(x.n, DENSE);
        for (int64_t v = -5; v < DENSE * STEP + 5; v++) {
            sdb_store_be64(key, (UINT64_C(1) << 63) + (uint64_t)v);
            seerdb_slice k = {key, 8};
            uint64_t code = sdb_code(&x.coder, k);
            uint32_t below = 0, upto = 0;
            for (uint32_t i = 0; i < x.n; i++) {
                below += sdb_table_index_fence(&x, i) < code;
                upto += sdb_table_index_fence(&x, i) <= code;
            }
            sdb_table_index_search(&x, code, k, &lo, &hi);
            if (lo != below || hi != upto)
                fail_msg("case %zu: %d: [%" PRIu32 ", %" PRIu32 ")", c, (int)v, lo, hi);
        }
        if ((atomic_load(&x.counts.corrected) > 0) != cases[c].corrected)
            fail_msg("case %zu: %" PRIu64 " corrections", c,
                     atomic_load(&x.counts.corrected));
        sdb_table_index_fini(&x);
        sdb_memfs_free(m.fs);
    }
}

static void runs_of_keys_that_cannot_be_are_refused(void **state)
{
    static const struct {
        int key_size, rc; /* six bytes are the prefix */
    } cases[] = {{8, 0}, {6, 0}, {14, 0}, {5, SEERDB_CORRUPT}, {15, SEERDB_CORRUPT}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct made m = make_dense();
        struct sdb_table_index x = {0};
        seerdb_err err = {0};
        alter(&m, MODEL, SDB_STORED_HEADER + 12, cases[i].key_size);
        test_fails(load(&m, &x, &err), cases[i].rc, &err);
        if (cases[i].rc == 0)
            assert_int_equal(x.coder.prefix_size, 6);
        sdb_table_index_fini(&x);
        sdb_memfs_free(m.fs);
    }
}

static int verify(const struct made *m, seerdb_err *err)
{
    struct sdb_table *t = NULL;
    int rc = open_made(m, &t, err);
    if (rc == 0)
        rc = sdb_table_verify(t, err);
    sdb_table_unref(t);
    return rc;
}

/* A checksum cannot tell what a writer got wrong. */
static void verifying_compares_filter_and_model_with_the_keys(void **state)
{
    static const struct {
        enum part part;
        size_t at;
        int value;
    } cases[] = {
        {FILTER, 40, 2}, /* fewer keys */
        {FILTER, 64, 0},     {FILTER, 65, 0},     {FILTER, 66, 0},
        {FILTER, 67, 0},     {MODEL, 32 + 41, 8}, /* rank */
        {MODEL, 32 + 12, 7},                      /* size of the keys */
        {MODEL, 32 + 72, 0},                      /* fewer codes in the run: 512 */
    };
    unsigned lost = 0;
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct made m = cases[i].part == FILTER ? make(SDB_SCHEME_S0) : make_dense();
        seerdb_err err = {0};
        test_ok(verify(&m, &err), &err);
        alter(&m, cases[i].part, cases[i].at, cases[i].value);
        int rc = verify(&m, &err);
        assert_true(rc == 0 || rc == SEERDB_CORRUPT);
        lost += cases[i].part == FILTER && cases[i].at >= 64 && rc != 0;
        if (rc == 0 && (cases[i].part == MODEL || cases[i].at < 64))
            fail_msg("case %zu passed", i);
        sdb_memfs_free(m.fs);
    }
    assert_true(lost >= 1); /* three keys set up to three of a word's 32 bits */
}

static void two_blocks_with_one_fence_are_both_looked_at(void **state)
{
    static const char *const keys[] = {"k0", "k12345678a", "k12345678b", "k2", "k3"};
    struct list l = {0};
    struct sdb_table_index x = {0};
    seerdb_err err = {0};
    uint32_t lo, hi;
    (void)state;
    for (size_t i = 0; i < 5; i++)
        list_add(&l, test_slice(keys[i]), 1, SDB_KIND_VALUE, test_slice(""));
    struct sdb_table_writer_options o = options_for(&l);
    o.block_size = 1;
    o.id = id;
    struct made m = make_table(&o, &l);
    test_ok(load(&m, &x, &err), &err);
    assert_int_equal(x.props.scheme, SDB_SCHEME_S0);
    seerdb_slice key = test_slice("k12345678z");
    sdb_table_index_search(&x, sdb_code(&x.coder, key), key, &lo, &hi);
    assert_int_equal(lo, 1);
    assert_int_equal(hi, 3);
    sdb_table_index_fini(&x);
    sdb_memfs_free(m.fs);
    list_fini(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_out_of_their_range_are_refused),
        cmocka_unit_test(a_search_names_the_blocks_it_cannot_place),
        cmocka_unit_test(two_blocks_with_one_fence_are_both_looked_at),
        cmocka_unit_test(a_model_that_is_wrong_costs_time_only),
        cmocka_unit_test(runs_of_keys_that_cannot_be_are_refused),
        cmocka_unit_test(verifying_compares_filter_and_model_with_the_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
