/* SPDX-License-Identifier: Apache-2.0 */
#include "table/block.h"

#include "base/rand.h"
#include "test.h"

#include <stdlib.h>

static seerdb_slice s(const char *text)
{
    return test_slice(text);
}

static struct sdb_coder coder_for(const char *prefix)
{
    struct sdb_coder c;
    sdb_coder_set(&c, s(prefix));
    return c;
}

static void add(struct sdb_block_builder *b, const struct sdb_coder *c, const char *key,
                uint64_t number, enum sdb_kind kind, const char *value, bool older)
{
    struct sdb_record r = {s(key), number, kind, s(value)};
    sdb_block_add(b, c, &r, older);
}

static void the_block_of_the_format_document_is_written(void **state)
{
    struct sdb_block_builder b = {0};
    struct sdb_coder c = coder_for("k");
    struct sdb_buf out = {0};
    seerdb_err err = {0};
    (void)state;
    add(&b, &c, "ka", 7, SDB_KIND_VALUE, "one", false);
    add(&b, &c, "ka", 5, SDB_KIND_TOMBSTONE, "", true);
    add(&b, &c, "kbc", 6, SDB_KIND_VALUE, "two!", false);
    size_t promised = sdb_block_builder_size(&b);
    test_ok(sdb_block_finish(&b, &out, &err), &err);
    assert_int_equal(promised, out.size + 3 * 4); /* if the codes were whole */
    /* FORMAT.md, "Data block" */
    test_hex_equal(sdb_buf_slice(&out),
                   "03 19 04 01 02 01 01 00 02 00 00 00 0e 00 00 00"
                   "05 00 00 00 00 00 00 00 00 00 00 00 00 00 00 61"
                   "00 00 00 00 00 00 00 00 00 00 80 b1 02 00 01 00"
                   "00 05 00 07 00 0e 00 00 00 01 01 12 01 6b 61 6f"
                   "6e 65 6b 61 6b 62 63 74 77 6f 21");
    sdb_buf_fini(&out);
    sdb_block_builder_fini(&b);
}

/* A block of n records: keys rise, some are versions of the one before. */
struct model {
    unsigned n;
    uint8_t keys[SDB_BLOCK_SLOTS][24];
    size_t sizes[SDB_BLOCK_SLOTS];
    struct sdb_record records[SDB_BLOCK_SLOTS];
    bool older[SDB_BLOCK_SLOTS];
    char value[70000];
};

static int compare_slices(const void *a, const void *b)
{
    return sdb_slice_cmp(*(const seerdb_slice *)a, *(const seerdb_slice *)b);
}

static void make_model(struct model *m, struct sdb_rand *r)
{
    seerdb_slice keys[SDB_BLOCK_SLOTS];
    uint64_t spread = UINT64_C(1) << sdb_rand_below(r, 56);
    size_t big = sdb_rand_below(r, 20) == 0 ? 3000 : 40;
    unsigned letters = 1 + (unsigned)sdb_rand_below(r, 3);
    m->n = 1 + (unsigned)sdb_rand_below(r, SDB_BLOCK_SLOTS);
    for (unsigned i = 0; i < m->n; i++) {
        m->sizes[i] = sdb_rand_below(r, sizeof m->keys[i]);
        for (size_t j = 0; j < m->sizes[i]; j++)
            m->keys[i][j] = (uint8_t)("\0x\xff"[sdb_rand_below(r, letters)]);
        keys[i] = (seerdb_slice){m->keys[i], m->sizes[i]};
    }
    qsort(keys, m->n, sizeof *keys, compare_slices);
    for (unsigned i = 0; i < m->n; i++) {
        struct sdb_record *rec = &m->records[i];
        m->older[i] = i > 0 && sdb_slice_equal(keys[i], keys[i - 1]);
        *rec = (struct sdb_record){.key = keys[i], .kind = SDB_KIND_VALUE};
        rec->number = sdb_rand_below(r, spread) + 64;
        if (m->older[i] && rec->number >= m->records[i - 1].number)
            rec->number = m->records[i - 1].number - 1;
        if (sdb_rand_below(r, 4) == 0)
            rec->kind = SDB_KIND_TOMBSTONE;
        else
            rec->value = (seerdb_slice){m->value, sdb_rand_below(r, big)};
    }
}

static void build(const struct model *m, const struct sdb_coder *c, struct sdb_buf *out)
{
    struct sdb_block_builder b = {0};
    seerdb_err err = {0};
    for (unsigned i = 0; i < m->n; i++)
        sdb_block_add(&b, c, &m->records[i], m->older[i]);
    size_t promised = sdb_block_builder_size(&b);
    test_ok(sdb_block_finish(&b, out, &err), &err);
    assert_in_range(promised, out->size, out->size + m->n * 4);
    sdb_block_builder_fini(&b);
}

static void blocks_give_back_what_was_put_in(void **state)
{
    struct sdb_rand r = {7};
    struct sdb_buf out = {0};
    static struct model m;
    (void)state;
    memset(m.value, 'v', sizeof m.value);
    for (int round = 0; round < 3000; round++) {
        struct sdb_coder c = coder_for(round % 3 == 0 ? "x" : "");
        struct sdb_block b;
        seerdb_err err = {0};
        make_model(&m, &r);
        sdb_buf_clear(&out);
        build(&m, &c, &out);
        test_ok(sdb_block_parse(sdb_buf_slice(&out), "test", &b, &err), &err);
        assert_int_equal(b.n, m.n);
        for (unsigned i = 0; i < b.n; i++) {
            struct sdb_record got;
            sdb_block_record(&b, i, &got);
            test_slice_equal(got.key, m.records[i].key);
            test_slice_equal(got.value, m.records[i].value);
            assert_int_equal(got.number, m.records[i].number);
            assert_int_equal(got.kind, m.records[i].kind);
            assert_int_equal(sdb_block_is_older(&b, i), m.older[i]);
        }
    }
    sdb_buf_fini(&out);
}

static unsigned naive_lower_bound(const struct model *m, seerdb_slice key)
{
    unsigned i = 0;
    while (i < m->n && sdb_slice_cmp(m->records[i].key, key) < 0)
        i++;
    return i;
}

static void lower_bound_finds_the_first_key_not_smaller(void **state)
{
    struct sdb_rand r = {8};
    struct sdb_buf out = {0};
    static struct model m, others;
    (void)state;
    for (int round = 0; round < 2000; round++) {
        struct sdb_coder c = coder_for(round % 3 == 0 ? "x" : "");
        struct sdb_block b;
        seerdb_err err = {0};
        make_model(&m, &r);
        make_model(&others, &r);
        sdb_buf_clear(&out);
        build(&m, &c, &out);
        test_ok(sdb_block_parse(sdb_buf_slice(&out), "test", &b, &err), &err);
        for (unsigned i = 0; i < others.n; i++) {
            seerdb_slice key = others.records[i].key;
            assert_int_equal(sdb_block_lower_bound(&b, sdb_code(&c, key), key),
                             naive_lower_bound(&m, key));
        }
        for (unsigned i = 0; i < m.n; i++) {
            seerdb_slice key = m.records[i].key;
            assert_int_equal(sdb_block_lower_bound(&b, sdb_code(&c, key), key),
                             naive_lower_bound(&m, key));
        }
    }
    sdb_buf_fini(&out);
}

static void columns_are_as_narrow_as_their_values_allow(void **state)
{
    static const struct {
        uint64_t a, b;
        uint8_t width;
    } cases[] = {
        {9, 9, 0},
        {9, 264, 1},
        {9, 265, 2},
        {9, 65544, 2},
        {9, 65545, 4},
        {9, 9 + (uint64_t)UINT32_MAX, 4},
        {9, 10 + (uint64_t)UINT32_MAX, 8},
        {0, SDB_NUMBER_MAX, 8},
    };
    struct sdb_coder c = coder_for("");
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sdb_block_builder b = {0};
        struct sdb_buf out = {0};
        struct sdb_block parsed;
        seerdb_err err = {0};
        add(&b, &c, "a", cases[i].a, SDB_KIND_VALUE, "", false);
        add(&b, &c, "b", cases[i].b, SDB_KIND_VALUE, "", false);
        test_ok(sdb_block_finish(&b, &out, &err), &err);
        test_ok(sdb_block_parse(sdb_buf_slice(&out), "test", &parsed, &err), &err);
        assert_int_equal(parsed.number_width, cases[i].width);
        assert_int_equal(parsed.key_width, 0);
        assert_int_equal(parsed.meta_width, 0);
        assert_int_equal(sdb_block_number(&parsed, 0), cases[i].a);
        assert_int_equal(sdb_block_number(&parsed, 1), cases[i].b);
        sdb_buf_fini(&out);
        sdb_block_builder_fini(&b);
    }
}

static void the_longest_key_and_wide_starts_fit(void **state)
{
    static char big[SEERDB_KEY_MAX];
    struct sdb_block_builder b = {0};
    struct sdb_coder c = coder_for("");
    struct sdb_record r = {{big, 0}, 1, SDB_KIND_VALUE, {"v", 1}}, got;
    struct sdb_buf out = {0};
    struct sdb_block parsed;
    seerdb_err err = {0};
    (void)state;
    sdb_block_add(&b, &c, &r, false);
    r.key.size = sizeof big;
    sdb_block_add(&b, &c, &r, false);
    test_ok(sdb_block_finish(&b, &out, &err), &err);
    test_ok(sdb_block_parse(sdb_buf_slice(&out), "test", &parsed, &err), &err);
    assert_int_equal(parsed.code_width, 0);
    assert_int_equal(parsed.start_width, 4);
    assert_int_equal(parsed.key_width, 4);
    sdb_block_record(&parsed, 1, &got);
    test_slice_equal(got.key, r.key);
    test_slice_equal(got.value, s("v"));
    sdb_buf_fini(&out);
    sdb_block_builder_fini(&b);
}

/* Read everything that the accessors reach: asan tells when that is too far. */
static uint64_t touch(const struct sdb_block *b)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < b->n; i++) {
        struct sdb_record r;
        sdb_block_record(b, i, &r);
        sum += r.number + sdb_block_is_older(b, i) +
               sdb_code(&(struct sdb_coder){0}, r.key);
        for (size_t j = 0; j < r.value.size; j++)
            sum += ((const uint8_t *)r.value.data)[j];
        sum += sdb_block_lower_bound(b, r.number, r.key);
    }
    return sum;
}

static volatile uint64_t touched; /* so that nothing is optimised away */

static void a_stripped_block_becomes_the_block_it_was(void **state)
{
    struct sdb_rand r = {11};
    size_t lacking = 0;
    (void)state;
    for (int round = 0; round < 300; round++) {
        static struct model m;
        static uint8_t bytes[1 << 20];
        struct sdb_coder c = coder_for(round % 3 == 0 ? "x" : "");
        struct sdb_buf whole = {0}, stripped = {0};
        struct sdb_block b;
        seerdb_err err = {0};
        size_t codes = 0;
        make_model(&m, &r);
        build(&m, &c, &whole);
        sdb_block_strip(sdb_buf_slice(&whole), &stripped);
        assert_true(sdb_block_lacks(sdb_buf_slice(&stripped), &codes));
        assert_int_equal(stripped.size + codes, whole.size);
        assert_in_range(whole.size, 1, sizeof bytes - SDB_BLOCK_CODES_MAX);
        memset(bytes, 0xee, sizeof bytes);
        memcpy(bytes + SDB_BLOCK_CODES_MAX, stripped.data, stripped.size);
        uint8_t *p = sdb_block_widen(bytes + SDB_BLOCK_CODES_MAX, codes);
        test_ok(sdb_block_parse((seerdb_slice){p, whole.size}, "here", &b, &err), &err);
        assert_true(sdb_block_restore(&b, p, &c));
        assert_memory_equal(p, whole.data, whole.size);
        lacking += codes;
        sdb_buf_fini(&whole);
        sdb_buf_fini(&stripped);
    }
    assert_true(lacking > 10000);
}

static void a_block_whose_keys_have_other_codes_is_not_restored(void **state)
{
    struct sdb_block_builder b = {0};
    struct sdb_coder c = coder_for("k"), other = coder_for("ka");
    struct sdb_buf out = {0};
    struct sdb_block parsed;
    seerdb_err err = {0};
    (void)state;
    add(&b, &c, "ka", 7, SDB_KIND_VALUE, "one", false);
    add(&b, &c, "kbc", 6, SDB_KIND_VALUE, "two!", false);
    test_ok(sdb_block_finish(&b, &out, &err), &err);
    test_ok(sdb_block_parse(sdb_buf_slice(&out), "here", &parsed, &err), &err);
    assert_true(sdb_block_restore(&parsed, out.data, &c));
    assert_false(sdb_block_restore(&parsed, out.data, &other)); /* below the base */
    size_t codes;
    assert_false(sdb_block_lacks((seerdb_slice){out.data, 31}, &codes));
    out.data[2] = 3;
    assert_false(sdb_block_lacks(sdb_buf_slice(&out), &codes));
    sdb_buf_fini(&out);
    sdb_block_builder_fini(&b);
}

static void damaged_blocks_are_refused_or_read_within_their_bytes(void **state)
{
    struct sdb_rand r = {9};
    struct sdb_buf out = {0};
    static struct model m;
    (void)state;
    for (int round = 0; round < 12; round++) {
        struct sdb_coder c = coder_for("");
        do {
            make_model(&m, &r);
            sdb_buf_clear(&out);
            build(&m, &c, &out);
        } while (out.size > 2000);
        for (size_t i = 0; i < out.size * 8; i++) {
            struct sdb_block b;
            uint8_t *copy = malloc(out.size); /* its own, so that asan sees the end */
            assert_non_null(copy);
            memcpy(copy, out.data, out.size);
            copy[i / 8] = (uint8_t)(copy[i / 8] ^ 1u << i % 8);
            seerdb_err err = {0};
            int rc = sdb_block_parse((seerdb_slice){copy, out.size}, "test", &b, &err);
            if (rc == 0)
                touched += touch(&b);
            else
                test_fails(rc, SEERDB_CORRUPT, &err);
            free(copy);
        }
        for (size_t n = 0; n < out.size; n++) {
            struct sdb_block b;
            seerdb_err err = {0};
            test_fails(sdb_block_parse((seerdb_slice){out.data, n}, "test", &b, &err),
                       SEERDB_CORRUPT, &err);
        }
    }
    sdb_buf_fini(&out);
}

static void fields_out_of_their_range_are_refused(void **state)
{
    static const struct {
        size_t off;
        uint8_t value;
    } cases[] = {
        {0, 0},     {0, 65},   {1, 33},      {2, 1},     {2, 2},       {3, 3},
        {4, 0},     {4, 1},    {4, 8},       {5, 3},     {5, 8},       {6, 2},
        {7, 1},     {9, 1},    {12, 0x0d},   {12, 0x0f}, {23, 1},      {2, 8},
        {2, 0},     {0x23, 1}, {0x27, 0xb2}, {0x2f, 1},  {0x31, 0},    {0x33, 6},
        {0x35, 15}, {0x37, 4}, {0x3a, 0x10}, {0x3a, 6},  {0x3a, 0x21}, {0x32, 8},
    };
    struct sdb_block_builder b = {0};
    struct sdb_coder c = coder_for("k");
    struct sdb_buf out = {0};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sdb_block parsed;
        seerdb_err err = {0};
        add(&b, &c, "ka", 7, SDB_KIND_VALUE, "one", false);
        add(&b, &c, "ka", 5, SDB_KIND_TOMBSTONE, "", true);
        add(&b, &c, "kbc", 6, SDB_KIND_VALUE, "two!", false);
        sdb_buf_clear(&out);
        test_ok(sdb_block_finish(&b, &out, &err), &err);
        out.data[cases[i].off] = cases[i].value;
        if (sdb_block_parse(sdb_buf_slice(&out), "here", &parsed, &err) == 0)
            fail_msg("byte %zu may be %u", cases[i].off, cases[i].value);
        assert_memory_equal(err.msg, "here: ", 6);
    }
    sdb_buf_fini(&out);
    sdb_block_builder_fini(&b);
}

static void running_out_of_memory_is_reported_and_forgotten(void **state)
{
    struct sdb_coder c = coder_for("");
    int failures = 0;
    (void)state;
    for (int64_t n = 0;; n++) {
        struct sdb_block_builder b = {0};
        struct sdb_buf out = {0};
        seerdb_err err = {0};
        sdb_mem_fail_after(n);
        for (int i = 0; i < SDB_BLOCK_SLOTS; i++)
            add(&b, &c, "key", (uint64_t)(100 - i), SDB_KIND_VALUE, "0123456789",
                i > 0);
        int rc = sdb_block_finish(&b, &out, &err);
        sdb_mem_fail_after(-1);
        if (rc != 0) {
            failures++;
            test_fails(rc, SEERDB_NOMEM, &err);
            sdb_buf_clear(&out);
            add(&b, &c, "key", 1, SDB_KIND_VALUE, "v", false);
            test_ok(sdb_block_finish(&b, &out, &err), &err);
        }
        sdb_buf_fini(&out);
        sdb_block_builder_fini(&b);
        if (rc == 0)
            break;
    }
    assert_true(failures >= 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_block_of_the_format_document_is_written),
        cmocka_unit_test(blocks_give_back_what_was_put_in),
        cmocka_unit_test(lower_bound_finds_the_first_key_not_smaller),
        cmocka_unit_test(columns_are_as_narrow_as_their_values_allow),
        cmocka_unit_test(the_longest_key_and_wide_starts_fit),
        cmocka_unit_test(a_stripped_block_becomes_the_block_it_was),
        cmocka_unit_test(a_block_whose_keys_have_other_codes_is_not_restored),
        cmocka_unit_test(damaged_blocks_are_refused_or_read_within_their_bytes),
        cmocka_unit_test(fields_out_of_their_range_are_refused),
        cmocka_unit_test(running_out_of_memory_is_reported_and_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
