/* SPDX-License-Identifier: Apache-2.0 */
#include "table/table_reader.h"

#include "os/thread.h"
#include "table/testing.h"

/* Keys are kept here until the test ends. */
static void *kept[20000];
static size_t nkept;

static seerdb_slice keep(const void *p, size_t n)
{
    void *copy = malloc(n + 1);
    assert_non_null(copy);
    assert_true(nkept < sizeof kept / sizeof *kept);
    if (n > 0)
        memcpy(copy, p, n);
    kept[nkept++] = copy;
    return (seerdb_slice){copy, n};
}

static void forget_kept(void)
{
    while (nkept > 0)
        free(kept[--nkept]);
}

/* prefix and i in decimal, of so many digits. */
static seerdb_slice keyf(const char *prefix, int digits, unsigned i)
{
    char text[64];
    int n = snprintf(text, sizeof text, "%s%0*u", prefix, digits, i);
    return keep(text, (size_t)n);
}

static void put(struct list *l, seerdb_slice key, uint64_t number)
{
    static const char text[] = "a value that compresses well, well, well, well, well";
    if (number % 7 == 3)
        list_add(l, key, number, SDB_KIND_TOMBSTONE, (seerdb_slice){NULL, 0});
    else
        list_add(l, key, number, SDB_KIND_VALUE,
                 (seerdb_slice){text, number % sizeof text});
}

/* ---- shapes of keys ------------------------------------------------------- */

static void rising_integers(struct list *l)
{
    for (unsigned i = 0; i < 3000; i++) {
        uint8_t key[9] = {0x80};
        sdb_store_be64(key + 1, (uint64_t)i * i * 12345);
        put(l, keep(key, sizeof key), 1000 + i);
    }
}

static void long_shared_prefixes(struct list *l)
{
    char key[310];
    memset(key, 'p', sizeof key);
    for (unsigned i = 0; i < 1500; i++) {
        snprintf(key + 300, 10, "%06u", i * 3);
        put(l, keep(key, 306), i + 1);
    }
}

static void ties_in_the_window(struct list *l)
{
    put(l, keep("", 0), 1);
    for (unsigned i = 0; i < 1500; i++)
        put(l, keyf(i % 3 == 0 ? "aaaaaaaa" : "bbbbbbbb", 5, i), i + 1);
    put(l, keep("\xff\xff\xff\xff\xff\xff\xff\xff", 8), 2);
    put(l, keep("\xff\xff\xff\xff\xff\xff\xff\xff\xff", 9), 2);
}

static void a_few_ties_among_many(struct list *l)
{
    for (unsigned i = 0; i < 4000; i++)
        put(l, keyf("", 8, i * 7), i + 1);
    for (unsigned i = 0; i < 22; i++)
        put(l, keyf("00014000-", 3, i), 5);
}

static void one_byte_repeated(struct list *l)
{
    static uint8_t run[700];
    for (unsigned n = 0; n < sizeof run; n++)
        put(l, (seerdb_slice){run, n}, n + 1);
}

static void sizes_at_the_edges(struct list *l)
{
    static const size_t sizes[] = {0, 1, 7, 8, 9, 255, 256, 65536};
    static uint8_t byte[3][SEERDB_KEY_MAX];
    for (unsigned b = 0; b < 3; b++) {
        memset(byte[b], (int)(b * 127 + (b == 2)), sizeof byte[b]);
        for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++)
            for (unsigned v = 0; v < 3; v++)
                put(l, (seerdb_slice){byte[b], sizes[i]}, 10 * v + i);
    }
}

static void many_versions_of_some(struct list *l)
{
    struct sdb_rand r = {3};
    for (unsigned i = 0; i < 120; i++) {
        seerdb_slice key = keyf("key", 4, i * 5);
        for (unsigned v = 0; v < 1 + (i % 4) * 20; v++)
            put(l, key, 1 + sdb_rand_below(&r, 400));
    }
}

static void a_thousand_versions_of_one(struct list *l)
{
    put(l, keep("a", 1), 500);
    for (unsigned v = 1; v <= 1000; v++)
        put(l, keep("middle", 6), 3 * v);
    put(l, keep("middle\0", 7), 600);
    put(l, keep("z", 1), 700);
}

static void only_versions_of_one(struct list *l)
{
    for (unsigned v = 1; v <= 1000; v++)
        put(l, keep("k", 1), 2 * v);
}

static void random_bytes(struct list *l)
{
    struct sdb_rand r = {4};
    for (unsigned i = 0; i < 2000; i++) {
        uint8_t key[12];
        size_t n = sdb_rand_below(&r, sizeof key + 1);
        for (size_t j = 0; j < n; j++)
            key[j] = (uint8_t)sdb_rand_below(&r, i % 2 == 0 ? 256 : 2);
        put(l, keep(key, n), 1 + sdb_rand_below(&r, 100));
    }
}

static void a_single_record(struct list *l)
{
    put(l, keep("only", 4), 9);
}

static const struct {
    const char *name;
    void (*fill)(struct list *l);
    enum sdb_scheme scheme;
} shapes[] = {
    {"rising integers", rising_integers, SDB_SCHEME_S0},
    {"long shared prefixes", long_shared_prefixes, SDB_SCHEME_S2},
    {"ties in the window", ties_in_the_window, SDB_SCHEME_S2},
    {"a few ties among many", a_few_ties_among_many, SDB_SCHEME_S0},
    {"one byte repeated", one_byte_repeated, SDB_SCHEME_S2},
    {"sizes at the edges", sizes_at_the_edges, SDB_SCHEME_S2},
    {"many versions of some", many_versions_of_some, SDB_SCHEME_S2},
    {"a thousand versions of one", a_thousand_versions_of_one, SDB_SCHEME_S2},
    {"only versions of one", only_versions_of_one, SDB_SCHEME_S2},
    {"random bytes", random_bytes, SDB_SCHEME_S2},
    {"a single record", a_single_record, SDB_SCHEME_S0},
};

/* ---- searching and walking ------------------------------------------------ */

static void expect_get(struct sdb_table *t, const struct list *l, seerdb_slice key,
                       uint64_t ceiling)
{
    struct sdb_iter *model = list_iter(l, ceiling, NULL);
    struct sdb_found found = {0};
    seerdb_err err = {0};
    bool there =
        model->ops->seek(model, key, &err) == 0 && sdb_slice_equal(model->at.key, key);
    int rc = table_get(t, key, ceiling, &found, &err);
    if (rc != (there ? 0 : SEERDB_NOTFOUND))
        fail_msg("get of a key of %zu bytes at %" PRIu64 ": %d: %s", key.size, ceiling,
                 rc, err.msg);
    if (there) {
        assert_int_equal(found.number, model->at.number);
        assert_int_equal(found.kind, model->at.kind);
        test_slice_equal(found.value, model->at.value);
        seerdb_pin_unref(found.pin);
    }
    sdb_iter_close(model);
}

static void expect_all_gets(struct sdb_table *t, const struct list *l)
{
    unsigned stride = 1 + l->n / 120;
    for (unsigned i = 0; i < l->n; i += stride) {
        seerdb_slice key = l->r[i].key, shorter = key;
        expect_get(t, l, key, l->r[i].number);
        expect_get(t, l, key, l->r[i].number - 1);
        expect_get(t, l, key, UINT64_MAX);
        if (i % 3 == 0 && key.size > 0) {
            shorter.size--;
            expect_get(t, l, shorter, UINT64_MAX);
        }
        if (i % 5 == 0 && key.size < 100) {
            uint8_t longer[101] = {0};
            if (key.size > 0)
                memcpy(longer, key.data, key.size);
            expect_get(t, l, (seerdb_slice){longer, key.size + 1}, UINT64_MAX);
            longer[key.size] = 0xff;
            expect_get(t, l, (seerdb_slice){longer, key.size + 1}, UINT64_MAX);
        }
    }
}

static void expect_walk(struct sdb_table *t, const struct list *l, uint64_t ceiling,
                        uint64_t seed)
{
    struct sdb_rand r = {seed};
    struct sdb_iter *model = list_iter(l, ceiling, NULL), *it = NULL;
    seerdb_err err = {0};
    bool positioned = false;
    test_ok(sdb_table_iter(t, ceiling, &it, &err), &err);
    for (unsigned i = 0; i < 300; i++)
        positioned = move_both(model, it, l, &r, positioned);
    sdb_iter_close(model);
    sdb_iter_close(it);
}

/* All visible records: newest first for each key. */
static void expect_scan(struct sdb_table *t, const struct list *l)
{
    struct sdb_iter *it = NULL;
    seerdb_err err = {0};
    unsigned i = 0;
    test_ok(sdb_table_iter(t, UINT64_MAX, &it, &err), &err);
    int rc = it->ops->first(it, &err);
    for (; rc == 0; rc = it->ops->next(it, &err)) {
        do {
            assert_true(i < l->n);
            test_slice_equal(it->at.key, l->r[i].key);
            test_slice_equal(it->at.value, l->r[i].value);
            assert_int_equal(it->at.number, l->r[i].number);
            assert_int_equal(it->at.kind, l->r[i].kind);
            i++;
        } while ((rc = it->ops->older(it, &err)) == 0);
        assert_int_equal(rc, SEERDB_NOTFOUND);
    }
    assert_int_equal(rc, SEERDB_NOTFOUND);
    assert_int_equal(i, l->n);
    sdb_iter_close(it);
}

static void check_shape(const struct list *l, struct sdb_table_writer_options o,
                        enum sdb_scheme scheme, bool scheme_is_sure)
{
    struct made m = make_table(&o, l);
    struct sdb_table *t = NULL;
    seerdb_err err = {0};
    test_ok(open_made(&m, &t, &err), &err);
    const struct sdb_table_properties *p = sdb_table_properties(t);
    if (scheme_is_sure)
        assert_int_equal(p->scheme, scheme);
    assert_int_equal(p->records, l->n);
    assert_int_equal(p->tombstones, m.sum.tombstones);
    assert_int_equal(p->blocks, m.sum.blocks);
    assert_int_equal(p->min_number, m.sum.min_number);
    assert_int_equal(p->max_number, m.sum.max_number);
    test_slice_equal(p->smallest, l->r[0].key);
    test_slice_equal(p->largest, l->r[l->n - 1].key);
    test_ok(sdb_table_verify(t, &err), &err);
    expect_scan(t, l);
    expect_all_gets(t, l);
    uint64_t span = p->max_number - p->min_number + 1;
    for (uint64_t seed = 1; seed <= 3; seed++)
        expect_walk(t, l, seed == 1 ? UINT64_MAX : p->min_number + span * seed / 4,
                    seed);
    sdb_table_unref(t);
    sdb_memfs_free(m.fs);
}

static void every_shape_of_keys_is_found_and_walked(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        struct list l = {0};
        shapes[i].fill(&l);
        list_sort(&l);
        struct sdb_table_writer_options o = options_for(&l);
        o.block_size = 600;
        check_shape(&l, o, shapes[i].scheme, true);
        o.index = SEERDB_INDEX_BINARY, o.filter_bits = 10;
        check_shape(&l, o, shapes[i].scheme, true);
        o.index = SEERDB_INDEX_LEARNED, o.block_size = 0;
        o.compression = 3;
        check_shape(&l, o, 0, false);
        o.smallest = o.largest = (seerdb_slice){"k", 1}; /* most keys have no code */
        o.block_size = 600;
        check_shape(&l, o, 0, false);
        list_fini(&l);
        forget_kept();
    }
}

static void versions_that_fill_many_blocks_are_found_at_every_ceiling(void **state)
{
    struct list l = {0};
    struct sdb_table *t = NULL;
    seerdb_err err = {0};
    (void)state;
    a_thousand_versions_of_one(&l);
    list_sort(&l);
    for (unsigned s = 0; s < 2; s++) {
        struct sdb_table_writer_options o = options_for(&l);
        o.block_size = s == 0 ? 64 << 10 : 300; /* 64 records each, or fewer */
        struct made m = make_table(&o, &l);
        assert_true(m.sum.blocks >= 1000 / 64);
        test_ok(open_made(&m, &t, &err), &err);
        for (uint64_t ceiling = 0; ceiling <= 3003; ceiling++) {
            struct sdb_found f = {0};
            int rc = table_get(t, test_slice("middle"), ceiling, &f, &err);
            assert_int_equal(rc, ceiling < 3 ? SEERDB_NOTFOUND : 0);
            if (rc == 0)
                assert_int_equal(f.number, ceiling > 3000 ? 3000 : ceiling / 3 * 3);
            seerdb_pin_unref(f.pin);
        }
        sdb_table_unref(t);
        sdb_memfs_free(m.fs);
    }
    list_fini(&l);
    forget_kept();
}

static uint64_t bytes_read(const struct made *m)
{
    return atomic_load(&m->fs->counters.read[SDB_FOR_READ]);
}

static void blocks_are_read_once_and_only_when_needed(void **state)
{
    struct list l = {0};
    struct sdb_table *t = NULL;
    struct sdb_iter *it = NULL;
    struct sdb_found f = {0};
    seerdb_err err = {0};
    (void)state;
    rising_integers(&l);
    list_sort(&l);
    struct sdb_table_writer_options o = options_for(&l);
    struct made m = make_table(&o, &l);
    test_ok(open_made(&m, &t, &err), &err);
    uint64_t before = bytes_read(&m);
    expect_scan(t, &l);
    uint64_t scan = bytes_read(&m) - before;
    assert_true(scan < m.size && scan > m.size / 2); /* all data blocks, once */
    uint64_t most = 0;
    for (unsigned i = 1; i < l.n; i += 5) {
        before = bytes_read(&m);
        test_ok(table_get(t, l.r[i].key, UINT64_MAX, &f, &err), &err);
        seerdb_pin_unref(f.pin);
        uint64_t got = bytes_read(&m) - before;
        most = got > most ? got : most;
    }
    assert_true(most <= 17 << 10);
    test_ok(sdb_table_iter(t, UINT64_MAX, &it, &err), &err);
    test_ok(it->ops->seek(it, l.r[70].key, &err), &err);
    before = bytes_read(&m);
    for (unsigned i = 71; i < 100; i++)
        test_ok(it->ops->seek(it, l.r[i].key, &err), &err);
    test_ok(it->ops->prev(it, &err), &err);
    test_ok(it->ops->next(it, &err), &err);
    assert_int_equal(it->ops->older(it, &err), SEERDB_NOTFOUND);
    assert_int_equal(bytes_read(&m), before);
    sdb_iter_close(it);
    sdb_table_unref(t);
    sdb_memfs_free(m.fs);
    list_fini(&l);
    forget_kept();
}

static void a_found_value_outlives_the_table(void **state)
{
    struct list l = {0};
    struct sdb_table *t = NULL;
    struct sdb_found f = {0};
    struct sdb_iter *it = NULL;
    seerdb_err err = {0};
    (void)state;
    rising_integers(&l);
    list_sort(&l);
    struct sdb_table_writer_options o = options_for(&l);
    struct made m = make_table(&o, &l);
    test_ok(open_made(&m, &t, &err), &err);
    test_ok(table_get(t, l.r[100].key, UINT64_MAX, &f, &err), &err);
    test_ok(sdb_table_iter(t, UINT64_MAX, &it, &err), &err);
    sdb_table_unref(t); /* the iterator has its own count */
    test_ok(it->ops->seek(it, l.r[200].key, &err), &err);
    seerdb_pin *pin = seerdb_pin_ref(it->pin);
    seerdb_slice value = it->at.value;
    test_ok(it->ops->last(it, &err), &err);
    sdb_iter_close(it);
    sdb_memfs_free(m.fs);
    test_slice_equal(f.value, l.r[100].value);
    test_slice_equal(value, l.r[200].value);
    seerdb_pin_unref(f.pin);
    seerdb_pin_unref(pin);
    list_fini(&l);
    forget_kept();
}

/* ---- damage --------------------------------------------------------------- */

/* Nine blocks or so, versions across blocks among them. */
static void small_list(struct list *l)
{
    for (unsigned i = 0; i < 12; i++)
        put(l, keyf("key-", 2, i), 90 + i);
    for (unsigned i = 0; i < 6; i++)
        put(l, test_slice("key-05"), 10 + i);
    list_sort(l);
}

/* Open, scan and look everything up: an error, or all is right. */
static int read_all(const struct made *m, const struct list *l, seerdb_err *err)
{
    struct sdb_table *t = NULL;
    struct sdb_iter *it = NULL;
    unsigned i = 0;
    int rc = open_made(m, &t, err);
    if (rc != 0 || (rc = sdb_table_iter(t, UINT64_MAX, &it, err)) != 0)
        goto out;
    for (rc = it->ops->first(it, err); rc == 0; rc = it->ops->next(it, err)) {
        do {
            assert_true(i < l->n);
            test_slice_equal(it->at.key, l->r[i].key);
            test_slice_equal(it->at.value, l->r[i].value);
            assert_int_equal(it->at.number, l->r[i].number);
            i++;
        } while ((rc = it->ops->older(it, err)) == 0);
        if (rc < 0)
            goto out;
    }
    if (rc < 0)
        goto out;
    assert_int_equal(i, l->n);
    for (i = 0; i < l->n; i++) {
        struct sdb_found f = {0};
        if ((rc = table_get(t, l->r[i].key, l->r[i].number, &f, err)) < 0)
            goto out;
        assert_int_equal(rc, 0);
        assert_int_equal(f.number, l->r[i].number);
        test_slice_equal(f.value, l->r[i].value);
        seerdb_pin_unref(f.pin);
    }
out:
    if (it != NULL)
        sdb_iter_close(it);
    sdb_table_unref(t);
    return rc;
}

static void expect_damage(int rc, seerdb_err *err)
{
    if (rc == SEERDB_NEWER || rc == SEERDB_NOMEM)
        test_fails(rc, rc, err);
    else
        test_fails(rc, SEERDB_CORRUPT, err);
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

static void flip_every_bit(int compression)
{
    struct list l = {0};
    struct sdb_table *open = NULL;
    seerdb_err err = {0};
    unsigned harmless = 0;
    small_list(&l);
    struct sdb_table_writer_options o = options_for(&l);
    o.block_size = compression != 0 ? 250 : 100;
    o.compression = compression;
    struct made m = make_table(&o, &l);
    test_ok(read_all(&m, &l, &err), &err);
    test_ok(verify_made(&m, &err), &err);
    test_ok(open_made(&m, &open, &err), &err);
    for (uint64_t i = 0; i < m.size * 8; i++) {
        assert_int_equal(sdb_memfs_flip(m.fs, MADE_PATH, i / 8, i % 8), 0);
        int rc = read_all(&m, &l, &err);
        if (rc < 0)
            expect_damage(rc, &err);
        else
            harmless++;
        if ((rc = verify_made(&m, &err)) == 0)
            fail_msg("verify does not see bit %" PRIu64 " of byte %" PRIu64, i % 8,
                     i / 8);
        expect_damage(rc, &err);
        /* A table that was opened before sees it too. */
        if (i % 8 == i / 8 % 8)
            expect_damage(sdb_table_verify(open, &err), &err);
        assert_int_equal(sdb_memfs_flip(m.fs, MADE_PATH, i / 8, i % 8), 0);
    }
    assert_true(harmless < m.size * 8 / 2); /* only padding may be */
    test_ok(sdb_table_verify(open, &err), &err);
    sdb_table_unref(open);
    sdb_memfs_free(m.fs);
    list_fini(&l);
    forget_kept();
}

static void no_flipped_bit_gives_wrong_data_and_verify_sees_each(void **state)
{
    (void)state;
    flip_every_bit(0);
}

static void no_flipped_bit_of_a_compressed_table_gives_wrong_data(void **state)
{
    (void)state;
    flip_every_bit(3);
}

static void truncated_files_are_corrupt(void **state)
{
    struct list l = {0};
    struct sdb_file *f = NULL;
    seerdb_err err = {0};
    (void)state;
    small_list(&l);
    struct sdb_table_writer_options o = options_for(&l);
    o.block_size = 100;
    struct made m = make_table(&o, &l);
    test_ok(sdb_fs_open(m.fs, MADE_PATH, SDB_READWRITE, SDB_FOR_OTHER, &f, &err), &err);
    for (uint64_t n = m.size; n-- > 0;) {
        struct sdb_table *t = NULL;
        struct made shorter = m;
        shorter.size = n;
        test_ok(sdb_file_truncate(f, n, &err), &err);
        test_fails(open_made(&m, &t, &err), SEERDB_CORRUPT, &err);
        test_fails(open_made(&shorter, &t, &err), SEERDB_CORRUPT, &err);
        assert_null(t);
    }
    sdb_file_close(f);
    sdb_memfs_free(m.fs);
    list_fini(&l);
    forget_kept();
}

static void another_table_is_not_taken_for_this_one(void **state)
{
    struct list l = {0};
    struct sdb_table *t = NULL;
    seerdb_err err = {0};
    (void)state;
    small_list(&l);
    struct sdb_table_writer_options o = options_for(&l);
    struct made m = make_table(&o, &l);
    m.id.bytes[3] ^= 1;
    test_fails(open_made(&m, &t, &err), SEERDB_CORRUPT, &err);
    m.id.bytes[3] ^= 1;
    m.size += 64;
    test_fails(open_made(&m, &t, &err), SEERDB_CORRUPT, &err);
    sdb_memfs_free(m.fs);
    list_fini(&l);
    forget_kept();
}

/* Offset of data block i, and of the index after the last. */
static uint64_t block_at(const uint8_t *bytes, unsigned i)
{
    uint64_t off = SDB_TABLE_HEADER;
    while (i-- > 0)
        off = sdb_table_align(off + SDB_STORED_HEADER + sdb_load_u32(bytes + off + 8));
    return off;
}

static void a_block_in_the_place_of_another_is_corrupt(void **state)
{
    struct list l = {0};
    seerdb_err err = {0};
    (void)state;
    small_list(&l);
    struct sdb_table_writer_options o = options_for(&l);
    o.block_size = 1; /* a record a block: sizes repeat */
    struct made m = make_table(&o, &l), other = make_table(&o, &l);
    uint8_t *mine = made_bytes(&m), *theirs = made_bytes(&other);
    unsigned swaps = 0;
    for (unsigned i = 0; i < l.n; i++) {
        uint64_t at = block_at(mine, i), size = block_at(mine, i + 1) - at;
        made_write(&m, at, theirs + at, (size_t)size);
        test_fails(read_all(&m, &l, &err), SEERDB_CORRUPT, &err);
        for (unsigned j = 0; j < l.n; j++) {
            uint64_t from = block_at(mine, j);
            if (j == i || block_at(mine, j + 1) - from != size)
                continue;
            made_write(&m, at, mine + from, (size_t)size);
            test_fails(read_all(&m, &l, &err), SEERDB_CORRUPT, &err);
            swaps++;
        }
        made_write(&m, at, mine + at, (size_t)size);
    }
    assert_true(swaps > 20);
    test_ok(read_all(&m, &l, &err), &err);
    free(mine);
    free(theirs);
    sdb_memfs_free(m.fs);
    sdb_memfs_free(other.fs);
    list_fini(&l);
    forget_kept();
}

/* Write data block i again with other content, checksum and all. */
static void reseal(const struct made *m, unsigned i, size_t at, uint8_t value)
{
    uint8_t *bytes = made_bytes(m);
    uint64_t off = block_at(bytes, i), seed = sdb_hash64(m->id.bytes, 16, 0);
    size_t size = SDB_STORED_HEADER + sdb_load_u32(bytes + off + 8);
    assert_true(at < size);
    bytes[off + at] = value;
    sdb_store_u64(bytes + off, sdb_stored_check(bytes + off, size, seed, off));
    made_write(m, off, bytes + off, size);
    free(bytes);
}

static void verify_finds_wrong_content_under_right_checksums(void **state)
{
    /* Two records a block; each block is a header of 32 bytes, 8 of codes, then. */
    static const struct {
        const char *what;
        unsigned block;
        size_t at; /* in the stored block */
        uint8_t value;
    } cases[] = {
        {"kind of stored block", 0, 17, 2},
        {"reserved byte", 1, 31, 1},
        {"codec", 1, 16, 1},
        {"raw length", 1, 12, 1},
        {"a code", 1, 32 + 32 + 1, 0x7f},
        {"number base", 0, 32 + 16, 1},
        {"first key", 1, 0, 'z'},
        {"last key", 1, 1, 'a'},
        {"older bit", 0, 32 + 7, 0x11},
        {"fence", 3, 32 + 8 + 7, '/'}, /* the index and the properties follow */
        {"record count", 4, 34, 5},
        {"tombstone count", 4, 37, 1},
        {"count of key bytes", 4, 43, 31},
        {"count of value bytes", 4, 46, 7},
        {"smallest number", 4, 49, 8},
        {"largest number", 4, 52, 10},
        {"smallest key", 4, 59, '/'},
        {"largest key", 4, 66, '6'},
    };
    struct list l = {0};
    seerdb_err err = {0};
    (void)state;
    for (unsigned i = 0; i < 6; i++)
        list_add(&l, keyf("key-", 1, i), 9, SDB_KIND_VALUE, test_slice("v"));
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        struct sdb_table_writer_options o = options_for(&l);
        o.block_size = 60;
        struct made m = make_table(&o, &l);
        assert_int_equal(m.sum.blocks, 3);
        size_t at = cases[c].at;
        if (at < 2) /* the last byte of key 0 or 1: the heap ends the block */
            at = 32 + 32 + 8 + 4 + at * 6;
        test_ok(verify_made(&m, &err), &err);
        reseal(&m, cases[c].block, at, cases[c].value);
        if (verify_made(&m, &err) == 0)
            fail_msg("verify does not see a wrong %s", cases[c].what);
        err = (seerdb_err){0};
        sdb_memfs_free(m.fs);
    }
    list_fini(&l);
    forget_kept();
}

static void verify_finds_separators_that_do_not_separate(void **state)
{
    static const struct {
        uint8_t last; /* byte of the separator "k12345678c" */
        bool sound;
    } cases[] = {{'c', true}, {'b', true}, {'a', false}, {'d', false}};
    struct list l = {0};
    seerdb_err err = {0};
    (void)state;
    list_add(&l, test_slice("k12345678a"), 3, SDB_KIND_VALUE, test_slice("1"));
    list_add(&l, test_slice("k12345678cd"), 2, SDB_KIND_VALUE, test_slice("2"));
    list_add(&l, test_slice("k12345678x"), 1, SDB_KIND_VALUE, test_slice("3"));
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        struct sdb_table_writer_options o = options_for(&l);
        o.smallest = test_slice("");
        o.block_size = 1;
        struct made m = make_table(&o, &l);
        reseal(&m, 3, 32 + 8 + 3 * 16 + 1 + 10, cases[c].last);
        int rc = verify_made(&m, &err);
        assert_int_equal(rc, cases[c].sound ? 0 : SEERDB_CORRUPT);
        err = (seerdb_err){0};
        sdb_memfs_free(m.fs);
    }
    list_fini(&l);
}

static void running_out_of_memory_is_survived(void **state)
{
    struct list l = {0};
    unsigned failures = 0;
    (void)state;
    small_list(&l);
    struct sdb_table_writer_options o = options_for(&l);
    o.block_size = 250;
    o.compression = 3;
    o.filter_bits = 10;
    struct made m = make_table(&o, &l);
    for (int64_t n = 0;; n++) {
        seerdb_err err = {0};
        sdb_mem_fail_after(n);
        int rc = read_all(&m, &l, &err);
        if (rc == 0)
            rc = verify_made(&m, &err);
        sdb_mem_fail_after(-1);
        if (rc == 0)
            break;
        test_fails(rc, SEERDB_NOMEM, &err);
        failures++;
    }
    assert_true(failures > 50);
    sdb_memfs_free(m.fs);
    list_fini(&l);
    forget_kept();
}

/* ---- threads -------------------------------------------------------------- */

struct reading {
    struct sdb_table *t;
    const struct list *l;
    _Atomic unsigned wrong;
};

static void *read_in_thread(void *arg)
{
    struct reading *r = arg;
    for (unsigned i = 0; i < r->l->n; i += 3) {
        struct sdb_found f = {0};
        seerdb_err err = {0};
        struct sdb_table *t = sdb_table_ref(r->t);
        int rc = table_get(t, r->l->r[i].key, UINT64_MAX, &f, &err);
        if (rc != 0 || !sdb_slice_equal(f.value, r->l->r[i].value))
            atomic_fetch_add(&r->wrong, 1);
        sdb_table_unref(t);
        seerdb_pin_unref(f.pin);
    }
    return NULL;
}

static void threads_read_one_table_at_once(void **state)
{
    struct list l = {0};
    struct reading r = {.l = &l};
    struct sdb_thread threads[4] = {{0}};
    seerdb_err err = {0};
    (void)state;
    rising_integers(&l);
    list_sort(&l);
    struct sdb_table_writer_options o = options_for(&l);
    o.compression = 1;
    struct made m = make_table(&o, &l);
    test_ok(open_made(&m, &r.t, &err), &err);
    for (unsigned i = 0; i < 4; i++)
        test_ok(sdb_thread_start(&threads[i], "reader", read_in_thread, &r, &err),
                &err);
    for (unsigned i = 0; i < 4; i++)
        sdb_thread_join(&threads[i]);
    assert_int_equal(r.wrong, 0);
    sdb_table_unref(r.t);
    sdb_memfs_free(m.fs);
    list_fini(&l);
    forget_kept();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_shape_of_keys_is_found_and_walked),
        cmocka_unit_test(versions_that_fill_many_blocks_are_found_at_every_ceiling),
        cmocka_unit_test(blocks_are_read_once_and_only_when_needed),
        cmocka_unit_test(a_found_value_outlives_the_table),
        cmocka_unit_test(no_flipped_bit_gives_wrong_data_and_verify_sees_each),
        cmocka_unit_test(no_flipped_bit_of_a_compressed_table_gives_wrong_data),
        cmocka_unit_test(truncated_files_are_corrupt),
        cmocka_unit_test(another_table_is_not_taken_for_this_one),
        cmocka_unit_test(a_block_in_the_place_of_another_is_corrupt),
        cmocka_unit_test(verify_finds_wrong_content_under_right_checksums),
        cmocka_unit_test(verify_finds_separators_that_do_not_separate),
        cmocka_unit_test(running_out_of_memory_is_survived),
        cmocka_unit_test(threads_read_one_table_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
