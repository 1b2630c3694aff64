/* SPDX-License-Identifier: Apache-2.0 */
#include "log/vlog.h"

#include "base/rand.h"
#include "os/faultfs.h"
#include "os/memfs.h"
#include "test.h"

#include <stdlib.h>

static const seerdb_uuid store = {{0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88,
                                   0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff}};

struct bed {
    struct sdb_fs *mem, *fs; /* owned */
    struct sdb_vlog_options o;
};

static void count_slot(void *ctx, uint64_t slot, uint64_t bytes)
{
    (void)slot, (void)bytes;
    ++*(uint64_t *)ctx;
}

static uint64_t count_slots(struct sdb_vlog *v)
{
    uint64_t n = 0;
    sdb_vlog_each(v, count_slot, &n);
    return n;
}

static void bed_new(struct bed *b)
{
    seerdb_err err = {0};
    b->mem = sdb_memfs_new(true);
    b->fs = sdb_faultfs_new(b->mem);
    assert_non_null(b->fs);
    test_ok(sdb_fs_mkdir(b->mem, "d", &err), &err);
    test_ok(sdb_fs_sync_dir(b->mem, ".", &err), &err);
    b->o = (struct sdb_vlog_options){.fs = b->fs,
                                     .dir = "d",
                                     .suffix = ".vlg",
                                     .store = store,
                                     .number = 21,
                                     .tree = 3};
}

static void bed_fini(struct bed *b)
{
    sdb_faultfs_free(b->fs);
    sdb_memfs_free(b->mem);
}

static void fill(uint8_t *p, size_t n, uint64_t seed)
{
    struct sdb_rand r = {seed + 1};
    for (size_t i = 0; i < n; i++)
        p[i] = (uint8_t)sdb_rand_next(&r);
}

/* Sizes about which something changes. */
static const size_t sizes[] = {
    1, 7, 8, 9, 4096, 65535, 65536, 65537, 1 << 18, (1 << 18) + 3, 100, 3};
enum { NSIZES = sizeof sizes / sizeof sizes[0] };

static void append_all(struct sdb_vlog *v, struct sdb_segment *s)
{
    seerdb_err err = {0};
    uint8_t *p = malloc(1 << 19);
    assert_non_null(p);
    for (size_t i = 0; i < NSIZES; i++) {
        fill(p, sizes[i], i);
        test_ok(sdb_vlog_append(v, (seerdb_slice){p, sizes[i]}, 0, &s[i], &err), &err);
        assert_int_equal(s[i].slot, i);
        assert_int_equal(s[i].size, sizes[i]);
    }
    free(p);
}

static void expect(struct sdb_vlog *v, const struct sdb_segment *s, size_t i)
{
    seerdb_err err = {0};
    uint8_t *want = malloc(1 << 19), *got = malloc(1 << 19);
    assert_true(want != NULL && got != NULL);
    fill(want, sizes[i], i);
    test_ok(sdb_vlog_read(v, s, got, &err), &err);
    assert_memory_equal(got, want, sizes[i]);
    free(want);
    free(got);
}

static void what_was_appended_is_read_sealed_or_not(void **state)
{
    (void)state;
    for (int sealed = 0; sealed < 2; sealed++) {
        struct bed b;
        struct sdb_vlog *v = NULL;
        struct sdb_segment s[NSIZES] = {{0}};
        seerdb_err err = {0};
        bed_new(&b);
        test_ok(sdb_vlog_create(&b.o, &v, &err), &err);
        append_all(v, s);
        assert_true(sdb_vlog_is_held_back(v, NSIZES - 1));
        test_ok(sdb_vlog_write_out(v, &err), &err);
        assert_false(sdb_vlog_is_held_back(v, NSIZES - 1));
        if (sealed)
            test_ok(sdb_vlog_seal(v, &err), &err);
        else
            test_ok(sdb_vlog_sync(v, &err), &err);
        assert_false(sdb_vlog_is_dirty(v));
        for (size_t i = 0; i < NSIZES; i++)
            expect(v, &s[i], i);
        sdb_vlog_unref(v);
        sdb_memfs_cut(b.mem, SDB_CUT_DROP, 1);
        b.o.tree = sealed ? 0 : 3;
        test_ok(sdb_vlog_open(&b.o, &v, &err), &err);
        assert_int_equal(sdb_vlog_is_sealed(v), sealed);
        assert_int_equal(count_slots(v), NSIZES);
        assert_int_equal(sdb_vlog_tree(v), 3);
        for (size_t i = NSIZES; i-- > 0;)
            expect(v, &s[i], i);
        assert_int_equal(sdb_vlog_is_dirty(v), !sealed);
        test_ok(sdb_vlog_sync_again(v, &err), &err);
        assert_false(sdb_vlog_is_dirty(v));
        sdb_vlog_unref(v);
        bed_fini(&b);
    }
}

static void packing_is_for_what_it_saves_an_eighth_of(void **state)
{
    (void)state;
    struct bed b;
    struct sdb_vlog *v = NULL;
    struct sdb_segment s;
    seerdb_err err = {0};
    uint8_t text[10000], got[10000], noise[10000];
    memset(text, 'a', sizeof text);
    fill(noise, sizeof noise, 1);
    bed_new(&b);
    test_ok(sdb_vlog_create(&b.o, &v, &err), &err);
    test_ok(sdb_vlog_append(v, (seerdb_slice){text, sizeof text}, 1, &s, &err), &err);
    assert_in_range(s.stored, 1, 200);
    test_ok(sdb_vlog_write_out(v, &err), &err);
    test_ok(sdb_vlog_read(v, &s, got, &err), &err);
    assert_memory_equal(got, text, sizeof text);
    s.size--; /* it is not what was packed */
    test_fails(sdb_vlog_read(v, &s, got, &err), SEERDB_CORRUPT, &err);
    test_ok(sdb_vlog_append(v, (seerdb_slice){noise, sizeof noise}, 1, &s, &err), &err);
    assert_int_equal(s.stored, 0);
    sdb_vlog_unref(v);
    bed_fini(&b);
}

static void a_copy_has_the_same_addresses(void **state)
{
    (void)state;
    struct bed b;
    struct sdb_vlog *v = NULL, *copy = NULL;
    struct sdb_segment s[NSIZES] = {{0}};
    seerdb_err err = {0};
    uint8_t byte[8];
    bed_new(&b);
    test_ok(sdb_vlog_create(&b.o, &v, &err), &err);
    append_all(v, s);
    test_ok(sdb_vlog_seal(v, &err), &err);
    b.o.suffix = ".vlg.tmp";
    test_ok(sdb_vlog_create(&b.o, &copy, &err), &err);
    for (size_t i = 1; i < NSIZES; i += 3)
        test_ok(sdb_vlog_copy(copy, v, i, &err), &err);
    test_ok(sdb_vlog_seal(copy, &err), &err);
    sdb_vlog_unref(copy);
    test_ok(sdb_vlog_open(&b.o, &copy, &err), &err);
    for (size_t i = 0; i < NSIZES; i++) {
        assert_int_equal(sdb_vlog_has(copy, i), i % 3 == 1);
        if (i % 3 == 1)
            expect(copy, &s[i], i);
    }
    test_fails(sdb_vlog_read(copy, &s[0], byte, &err), SEERDB_CORRUPT, &err);
    sdb_vlog_unref(copy);
    sdb_vlog_unref(v);
    bed_fini(&b);
}

/* Whatever byte is flipped: a value is right or refused. */
static void a_flipped_bit_never_passes_for_a_value(void **state)
{
    (void)state;
    for (int sealed = 0; sealed < 2; sealed++)
        for (uint64_t at = 0; at < 500; at++) {
            struct bed b;
            struct sdb_vlog *v = NULL;
            struct sdb_segment s[3] = {{0}};
            seerdb_err err = {0};
            uint8_t p[40], got[40];
            bed_new(&b);
            test_ok(sdb_vlog_create(&b.o, &v, &err), &err);
            for (size_t i = 0; i < 3; i++) {
                fill(p, sizeof p, i);
                test_ok(sdb_vlog_append(v, (seerdb_slice){p, 20 + i}, 0, &s[i], &err),
                        &err);
            }
            test_ok(sealed ? sdb_vlog_seal(v, &err) : sdb_vlog_write_out(v, &err),
                    &err);
            sdb_vlog_unref(v);
            v = NULL;
            bool there = sdb_memfs_flip(b.mem, "d/000021.vlg", at, at % 8) == 0;
            int rc = sdb_vlog_open(&b.o, &v, &err);
            assert_true(rc == 0 || rc == SEERDB_CORRUPT || rc == SEERDB_NEWER);
            size_t right = 0;
            for (size_t i = 0; rc == 0 && i < 3; i++) {
                fill(p, sizeof p, i);
                seerdb_err why = {0};
                int read = sdb_vlog_read(v, &s[i], got, &why);
                assert_true(read == 0 || read == SEERDB_CORRUPT);
                if (read == 0)
                    assert_memory_equal(got, p, 20 + i);
                right += read == 0;
            }
            if (!there)
                assert_int_equal(right, 3);
            sdb_vlog_unref(v);
            bed_fini(&b);
            if (!there)
                break;
        }
}

static void values_end_where_the_first_entry_is_torn(void **state)
{
    (void)state;
    struct bed b;
    struct sdb_vlog *v = NULL;
    struct sdb_segment s[NSIZES] = {{0}};
    struct sdb_file *f = NULL;
    seerdb_err err = {0};
    bed_new(&b);
    test_ok(sdb_vlog_create(&b.o, &v, &err), &err);
    append_all(v, s);
    test_ok(sdb_vlog_write_out(v, &err), &err);
    uint64_t size = sdb_vlog_size(v);
    sdb_vlog_unref(v);
    test_ok(sdb_fs_open(b.mem, "d/000021.vlg", SDB_READWRITE, SDB_FOR_OTHER, &f, &err),
            &err);
    test_ok(sdb_file_truncate(f, size - 1, &err), &err);
    sdb_file_close(f);
    test_ok(sdb_vlog_open(&b.o, &v, &err), &err);
    assert_int_equal(count_slots(v), NSIZES - 1);
    expect(v, &s[NSIZES - 2], NSIZES - 2);
    assert_false(sdb_vlog_has(v, NSIZES - 1));
    sdb_vlog_unref(v);
    bed_fini(&b);
}

static void after_a_failed_write_nothing_more_is_appended(void **state)
{
    (void)state;
    struct bed b;
    struct sdb_vlog *v = NULL;
    struct sdb_segment s;
    seerdb_err err = {0};
    bed_new(&b);
    test_ok(sdb_vlog_create(&b.o, &v, &err), &err);
    test_ok(sdb_vlog_append(v, test_slice("lost"), 0, &s, &err), &err);
    sdb_faultfs_arm(
        b.fs, &(struct sdb_fault){.ops = SDB_FAULT_WRITE, .times = 1, .error = 28});
    test_fails(sdb_vlog_write_out(v, &err), SEERDB_FULL, &err);
    test_fails(sdb_vlog_append(v, test_slice("x"), 0, &s, &err), SEERDB_FULL, &err);
    test_fails(sdb_vlog_check_written(v, &err), SEERDB_FULL, &err);
    sdb_vlog_unref(v);
    bed_fini(&b);
}

static void a_failed_sync_is_not_tried_again(void **state)
{
    (void)state;
    struct bed b;
    struct sdb_vlog *v = NULL;
    struct sdb_segment s;
    seerdb_err err = {0};
    bed_new(&b);
    test_ok(sdb_vlog_create(&b.o, &v, &err), &err);
    test_ok(sdb_vlog_append(v, test_slice("value"), 0, &s, &err), &err);
    test_ok(sdb_vlog_write_out(v, &err), &err);
    sdb_faultfs_arm(b.fs,
                    &(struct sdb_fault){.ops = SDB_FAULT_SYNC, .times = 1, .error = 5});
    test_fails(sdb_vlog_sync(v, &err), SEERDB_IOERR, &err);
    test_fails(sdb_vlog_sync(v, &err), SEERDB_IOERR, &err);
    sdb_vlog_unref(v);
    bed_fini(&b);
}

/* FORMAT.md, "Value log": the worked example. */
static const char example[] = "53 45 45 52 56 4c 47 31 01 00 00 00 00 00 00 00 "
                              "00 11 22 33 44 55 66 77 88 99 aa bb cc dd ee ff "
                              "15 00 00 00 00 00 00 00 03 00 00 00 00 00 00 00 "
                              "00 00 00 00 00 00 00 00 ee fb 70 d5 13 22 51 c2 "
                              "db 37 eb a9 b4 9f b2 0e 10 00 00 00 10 00 00 00 "
                              "00 00 00 00 00 00 00 00 fa ce cb 66 56 53 24 a6 "
                              "68 65 6c 6c 6f 2c 20 76 61 6c 75 65 20 6c 6f 67 "
                              "dc 84 30 e1 57 3d 34 c1 01 00 00 00 01 00 00 00 "
                              "01 00 00 00 00 00 00 00 45 cc 02 17 9b 10 32 b4 "
                              "21 00 00 00 00 00 00 00 00 06 00 05 00 00 00 00 "
                              "98 00 00 00 00 00 00 00 04 00 00 00 00 00 00 00 "
                              "02 00 00 00 00 00 00 00 c6 d1 c5 77 ef 9f a4 af "
                              "00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 "
                              "9f 41 df 62 70 e0 32 f4 53 45 45 52 56 4c 47 31 ";

static void the_worked_example_is_what_is_written(void **state)
{
    (void)state;
    struct bed b;
    struct sdb_vlog *v = NULL;
    struct sdb_segment s;
    struct sdb_file *f = NULL;
    struct sdb_buf bytes = {0};
    seerdb_err err = {0};
    bed_new(&b);
    test_ok(sdb_vlog_create(&b.o, &v, &err), &err);
    test_ok(sdb_vlog_append(v, test_slice("hello, value log"), 0, &s, &err), &err);
    test_ok(sdb_vlog_append(v, test_slice("!"), 0, &s, &err), &err);
    test_ok(sdb_vlog_seal(v, &err), &err);
    sdb_vlog_unref(v);
    test_ok(sdb_fs_open(b.mem, "d/000021.vlg", SDB_READ, SDB_FOR_OTHER, &f, &err),
            &err);
    test_ok(sdb_file_read_all(f, &bytes, &err), &err);
    sdb_file_close(f);
    test_hex_equal(sdb_buf_slice(&bytes), example);
    sdb_buf_fini(&bytes);
    bed_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_appended_is_read_sealed_or_not),
        cmocka_unit_test(packing_is_for_what_it_saves_an_eighth_of),
        cmocka_unit_test(a_copy_has_the_same_addresses),
        cmocka_unit_test(a_flipped_bit_never_passes_for_a_value),
        cmocka_unit_test(values_end_where_the_first_entry_is_torn),
        cmocka_unit_test(after_a_failed_write_nothing_more_is_appended),
        cmocka_unit_test(a_failed_sync_is_not_tried_again),
        cmocka_unit_test(the_worked_example_is_what_is_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
