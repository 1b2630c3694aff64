/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "log/frame.h"

#include "base/coding.h"
#include "base/hash.h"
#include "base/rand.h"
#include "os/memfs.h"

static const seerdb_uuid store = {{0, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88,
                                   0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff}};

/* FORMAT.md, "Frame": the examples. */
static const char header_example[] =
    "53 45 45 52 4c 4f 47 31 01 00 00 00 01 00 00 00\n"
    "00 11 22 33 44 55 66 77 88 99 aa bb cc dd ee ff\n"
    "0c 00 00 00 00 00 00 00 09 00 00 00 00 00 00 00\n"
    "70 00 00 00 00 00 00 00 c3 57 4f 00 59 12 07 ba\n";
static const char frame_example[] = "fa 85 ae 0d 9c d4 8f 70 01 00 00 00 02 01 c0 01\n"
                                    "00 40 1e 18 24 0a 06 00 40 00 00 00 0c 00 00 00\n"
                                    "92 2b 99 0f 51 91 ab 14 2a 00 00 00 00 00 00 00\n";

static struct sdb_frame example_frame(void)
{
    return (struct sdb_frame){.type = 2,
                              .outcome = SDB_OUTCOME_COMMITTED,
                              .skip = 448,
                              .timestamp_us = UINT64_C(1700000000000000),
                              .synced = UINT64_C(12) << 32 | 64,
                              .payload = {"\x2a", 1}};
}

static struct sdb_buf encode(uint64_t seed, uint64_t off, const struct sdb_frame *f)
{
    struct sdb_buf b = {0};
    sdb_frame_encode(&b, seed, off, f);
    assert_false(b.failed);
    return b;
}

static void check_same(const struct sdb_frame *a, const struct sdb_frame *b)
{
    assert_int_equal(a->type, b->type);
    assert_int_equal(a->outcome, b->outcome);
    assert_int_equal(a->skip, b->skip);
    assert_int_equal(a->timestamp_us, b->timestamp_us);
    assert_int_equal(a->synced, b->synced);
    test_slice_equal(a->payload, b->payload);
}

static void a_file_header_has_the_bytes_of_the_format(void **state)
{
    (void)state;
    struct sdb_buf b = {0};
    struct sdb_log_header h = {.kind = SDB_FILE_LOG,
                               .store = store,
                               .number = 12,
                               .previous = 9,
                               .previous_end = 112};
    sdb_log_header_encode(&b, &h);
    test_hex_equal(sdb_buf_slice(&b), header_example);
    sdb_buf_fini(&b);
}

static void a_frame_has_the_bytes_of_the_format(void **state)
{
    (void)state;
    struct sdb_frame f = example_frame();
    struct sdb_buf b = encode(sdb_frame_seed(&store, SDB_FILE_LOG, 12), 512, &f);
    test_hex_equal(sdb_buf_slice(&b), frame_example);
    sdb_buf_fini(&b);
}

static void a_frame_of_any_size_comes_back(void **state)
{
    (void)state;
    uint8_t payload[100];
    for (size_t i = 0; i < sizeof payload; i++)
        payload[i] = (uint8_t)(i * 7 + 1);
    for (size_t n = 0; n <= sizeof payload; n++) {
        struct sdb_frame f = example_frame(), got;
        uint64_t size;
        f.payload = (seerdb_slice){payload, n};
        struct sdb_buf b = encode(77, 800, &f);
        assert_int_equal(b.size, sdb_frame_size(n));
        assert_int_equal(b.size % SDB_FRAME_ALIGN, 0);
        sdb_buf_append(&b, "tail", 4);
        assert_int_equal(sdb_frame_decode(sdb_buf_slice(&b), 77, 800, &got, &size), 0);
        assert_int_equal(size, sdb_frame_size(n));
        check_same(&f, &got);
        /* Cut anywhere it is not there. */
        for (size_t cut = 0; cut < size; cut++) {
            seerdb_slice part = {b.data, cut};
            assert_int_equal(sdb_frame_decode(part, 77, 800, &got, &size),
                             SEERDB_NOTFOUND);
        }
        sdb_buf_fini(&b);
    }
}

static void a_frame_is_valid_only_in_its_file_and_at_its_place(void **state)
{
    (void)state;
    struct sdb_frame f = example_frame(), got;
    uint64_t size, seed = sdb_frame_seed(&store, SDB_FILE_LOG, 12);
    seerdb_uuid other = store;
    other.bytes[15] ^= 1;
    struct sdb_buf b = encode(seed, 64, &f);
    seerdb_slice s = sdb_buf_slice(&b);
    assert_int_equal(sdb_frame_decode(s, seed, 64, &got, &size), 0);
    assert_int_equal(sdb_frame_decode(s, seed, 72, &got, &size), SEERDB_NOTFOUND);
    seed = sdb_frame_seed(&store, SDB_FILE_LOG, 13);
    assert_int_equal(sdb_frame_decode(s, seed, 64, &got, &size), SEERDB_NOTFOUND);
    seed = sdb_frame_seed(&store, SDB_FILE_MANIFEST, 12);
    assert_int_equal(sdb_frame_decode(s, seed, 64, &got, &size), SEERDB_NOTFOUND);
    seed = sdb_frame_seed(&other, SDB_FILE_LOG, 12);
    assert_int_equal(sdb_frame_decode(s, seed, 64, &got, &size), SEERDB_NOTFOUND);
    sdb_buf_fini(&b);
}

static void no_flipped_bit_of_a_frame_passes(void **state)
{
    (void)state;
    struct sdb_frame f = example_frame(), got;
    uint64_t size;
    struct sdb_buf b = encode(5, 64, &f);
    for (size_t i = 0; i < b.size * 8; i++) {
        b.data[i / 8] ^= (uint8_t)(1u << i % 8);
        assert_int_equal(sdb_frame_decode(sdb_buf_slice(&b), 5, 64, &got, &size),
                         SEERDB_NOTFOUND);
        b.data[i / 8] ^= (uint8_t)(1u << i % 8);
    }
    assert_int_equal(sdb_frame_decode(sdb_buf_slice(&b), 5, 64, &got, &size), 0);
    sdb_buf_fini(&b);
}

static void a_frame_with_fields_of_the_future_is_newer(void **state)
{
    (void)state;
    struct sdb_frame f = example_frame(), got;
    uint64_t size;
    struct sdb_buf b = encode(5, 64, &f);
    b.data[13] = 3;
    sdb_store_u64(b.data + 32, sdb_hash64(b.data + 8, 24, 5 + 64));
    sdb_store_u64(b.data, sdb_hash64(b.data + 8, 33, 5 + 64));
    assert_int_equal(sdb_frame_decode(sdb_buf_slice(&b), 5, 64, &got, &size),
                     SEERDB_NEWER);
    sdb_buf_fini(&b);
}

static void resync_finds_the_next_valid_frame_and_only_that(void **state)
{
    (void)state;
    struct sdb_buf b = {0};
    struct sdb_frame f = example_frame(), got;
    uint64_t at, size;
    sdb_buf_zeros(&b, 64);
    sdb_frame_encode(&b, 9, 64, &f);
    uint64_t second = b.size;
    sdb_frame_encode(&b, 9, second, &f);
    /* A frame inside a payload, with a seed of its own, is none. */
    struct sdb_buf inner = encode(8, second, &f);
    f.payload = sdb_buf_slice(&inner);
    uint64_t third = b.size;
    sdb_frame_encode(&b, 9, third, &f);
    sdb_buf_zeros(&b, 4096);
    seerdb_slice s = sdb_buf_slice(&b);
    assert_int_equal(sdb_frame_resync(s, 9, 0, &at, &got), 0);
    assert_int_equal(at, 64);
    assert_int_equal(sdb_frame_resync(s, 9, 65, &at, &got), 0);
    assert_int_equal(at, second);
    b.data[second + 41] ^= 1;
    assert_true(sdb_frame_begun((seerdb_slice){b.data + second, b.size - second}, 9,
                                second, &size));
    assert_int_equal(size, third - second);
    assert_int_equal(sdb_frame_resync(s, 9, 65, &at, &got), 0);
    assert_int_equal(at, third);
    test_slice_equal(got.payload, sdb_buf_slice(&inner));
    assert_int_equal(sdb_frame_resync(s, 9, third + 1, &at, &got), SEERDB_NOTFOUND);
    assert_int_equal(sdb_frame_resync(s, 9, s.size + 100, &at, &got), SEERDB_NOTFOUND);
    sdb_buf_fini(&inner);
    sdb_buf_fini(&b);
}

static void a_frame_may_skip_to_the_next_sector_if_it_says_so(void **state)
{
    (void)state;
    static const struct {
        uint64_t end;  /* of the frame before */
        uint64_t at;   /* where the frame stands */
        uint16_t skip; /* what it says */
        bool found;
    } cases[] = {{64, 64, 0, true},     {64, 512, 448, true},    {512, 512, 0, true},
                 {504, 512, 8, true},   {512, 1024, 512, false}, {64, 512, 0, false},
                 {72, 512, 448, false}, {64, 64, 448, false},    {64, 72, 8, false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sdb_buf b = {0};
        uint64_t at, size;
        struct sdb_frame f = example_frame(), got;
        f.skip = cases[i].skip;
        sdb_buf_zeros(&b, (size_t)cases[i].at);
        sdb_frame_encode(&b, 4, cases[i].at, &f);
        int rc = sdb_frame_next(sdb_buf_slice(&b), 4, cases[i].end, &got, &at, &size);
        assert_int_equal(rc, cases[i].found ? 0 : SEERDB_NOTFOUND);
        if (cases[i].found)
            assert_int_equal(at, cases[i].at);
        sdb_buf_fini(&b);
    }
}

static void random_bytes_are_no_frame(void **state)
{
    (void)state;
    struct sdb_rand r = {1};
    struct sdb_buf b = {0};
    uint64_t at;
    struct sdb_frame got;
    for (size_t i = 0; i < 20000; i++)
        sdb_put_u64(&b, sdb_rand_next(&r));
    assert_int_equal(sdb_frame_resync(sdb_buf_slice(&b), 3, 0, &at, &got),
                     SEERDB_NOTFOUND);
    sdb_buf_fini(&b);
}

static void no_flipped_bit_of_a_file_header_passes(void **state)
{
    (void)state;
    seerdb_err err = {0};
    struct sdb_buf b = {0};
    struct sdb_log_header h = {.kind = SDB_FILE_MANIFEST,
                               .store = store,
                               .number = 7,
                               .previous = 3,
                               .previous_end = 4096},
                          got;
    sdb_log_header_encode(&b, &h);
    test_ok(sdb_log_header_decode(sdb_buf_slice(&b), "f", &got, &err), &err);
    assert_int_equal(got.kind, h.kind);
    assert_memory_equal(&got.store, &h.store, sizeof h.store);
    assert_int_equal(got.number, h.number);
    assert_int_equal(got.previous, h.previous);
    assert_int_equal(got.previous_end, h.previous_end);
    for (size_t i = 0; i < b.size * 8; i++) {
        b.data[i / 8] ^= (uint8_t)(1u << i % 8);
        test_fails(sdb_log_header_decode(sdb_buf_slice(&b), "f", &got, &err),
                   SEERDB_CORRUPT, &err);
        b.data[i / 8] ^= (uint8_t)(1u << i % 8);
    }
    for (size_t n = 0; n < b.size; n++)
        test_fails(sdb_log_header_decode((seerdb_slice){b.data, n}, "f", &got, &err),
                   SEERDB_CORRUPT, &err);
    sdb_buf_fini(&b);
}

static void a_file_header_of_another_version_is_newer(void **state)
{
    (void)state;
    seerdb_err err = {0};
    struct sdb_buf b = {0};
    struct sdb_log_header h = {.kind = SDB_FILE_LOG, .store = store, .number = 7}, got;
    sdb_log_header_encode(&b, &h);
    sdb_store_u32(b.data + 8, 2);
    sdb_store_u64(b.data + 56, sdb_hash64(b.data, 56, 0));
    test_fails(sdb_log_header_decode(sdb_buf_slice(&b), "f", &got, &err), SEERDB_NEWER,
               &err);
    sdb_store_u32(b.data + 8, 1);
    sdb_store_u32(b.data + 12, 4); /* an unknown kind */
    sdb_store_u64(b.data + 56, sdb_hash64(b.data, 56, 0));
    test_fails(sdb_log_header_decode(sdb_buf_slice(&b), "f", &got, &err),
               SEERDB_CORRUPT, &err);
    sdb_buf_fini(&b);
}

static void a_frame_without_memory_leaves_the_buffer_failed(void **state)
{
    (void)state;
    struct sdb_buf b = {0};
    struct sdb_frame f = example_frame();
    sdb_mem_fail_after(0);
    sdb_frame_encode(&b, 1, 64, &f);
    sdb_mem_fail_after(-1);
    assert_true(b.failed);
    assert_int_equal(b.size, 0);
    sdb_buf_fini(&b);
}

static void file_names_carry_numbers_in_one_way_only(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint64_t number; /* 0: not a name */
    } cases[] = {{"000012.log", 12},
                 {"999999.log", 999999},
                 {"1000000.log", 1000000},
                 {"18446744073709551615.log", UINT64_MAX},
                 {"18446744073709551616.log", 0},
                 {"0000012.log", 0},
                 {"12.log", 0},
                 {"000000.log", 0},
                 {"000012.logs", 0},
                 {"000012.lo", 0},
                 {"000012", 0},
                 {"00001x.log", 0},
                 {"-00012.log", 0},
                 {"", 0},
                 {".log", 0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint64_t number = 0;
        bool is = sdb_numbered_parse(cases[i].name, ".log", &number);
        assert_int_equal(is, cases[i].number != 0);
        assert_int_equal(number, cases[i].number);
        if (is) {
            char *path = sdb_numbered_path("d", number, ".log");
            assert_non_null(path);
            assert_string_equal(path + 2, cases[i].name);
            sdb_mem_free(path);
        }
    }
}

static void numbered_files_are_listed_in_rising_order(void **state)
{
    (void)state;
    static const char *const names[] = {"d/000009.log", "d/1000000.log", "d/000001.log",
                                        "d/000002.tbl", "d/CURRENT",     "d/12.log"};
    seerdb_err err = {0};
    uint64_t *got = NULL;
    size_t n;
    struct sdb_fs *fs = sdb_memfs_new(false);
    assert_non_null(fs);
    test_ok(sdb_fs_mkdir(fs, "d", &err), &err);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct sdb_file *f;
        test_ok(sdb_fs_open(fs, names[i], SDB_CREATE, SDB_FOR_OTHER, &f, &err), &err);
        sdb_file_close(f);
    }
    test_ok(sdb_numbered_list(fs, "d", ".log", &got, &n, &err), &err);
    assert_int_equal(n, 3);
    assert_int_equal(got[0], 1);
    assert_int_equal(got[1], 9);
    assert_int_equal(got[2], 1000000);
    sdb_mem_free(got);
    sdb_mem_fail_after(1);
    test_fails(sdb_numbered_list(fs, "d", ".log", &got, &n, &err), SEERDB_NOMEM, &err);
    sdb_mem_fail_after(-1);
    sdb_memfs_free(fs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_header_has_the_bytes_of_the_format),
        cmocka_unit_test(a_frame_has_the_bytes_of_the_format),
        cmocka_unit_test(a_frame_of_any_size_comes_back),
        cmocka_unit_test(a_frame_is_valid_only_in_its_file_and_at_its_place),
        cmocka_unit_test(no_flipped_bit_of_a_frame_passes),
        cmocka_unit_test(a_frame_with_fields_of_the_future_is_newer),
        cmocka_unit_test(resync_finds_the_next_valid_frame_and_only_that),
        cmocka_unit_test(a_frame_may_skip_to_the_next_sector_if_it_says_so),
        cmocka_unit_test(random_bytes_are_no_frame),
        cmocka_unit_test(no_flipped_bit_of_a_file_header_passes),
        cmocka_unit_test(a_file_header_of_another_version_is_newer),
        cmocka_unit_test(a_frame_without_memory_leaves_the_buffer_failed),
        cmocka_unit_test(file_names_carry_numbers_in_one_way_only),
        cmocka_unit_test(numbered_files_are_listed_in_rising_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
