/* SPDX-License-Identifier: Apache-2.0 */
#include "os/memdata.h"

#include "test.h"

#include <errno.h>

static uint64_t held;
static struct sdb_memdata d;

static int setup(void **state)
{
    (void)state;
    held = 0;
    sdb_memdata_init(&d, true, &held);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    sdb_memdata_fini(&d);
    return held == 0 ? 0 : -1;
}

static void put(uint64_t off, const char *text)
{
    assert_int_equal(sdb_memdata_write(&d, off, text, strlen(text)), 0);
}

static void expect(uint64_t off, const char *text)
{
    char in[32];
    assert_int_equal(sdb_memdata_read(&d, off, in, strlen(text)), strlen(text));
    assert_memory_equal(in, text, strlen(text));
}

static void reads_end_where_the_file_does(void **state)
{
    char in[8];
    (void)state;
    assert_int_equal(sdb_memdata_read(&d, 0, in, 8), 0);
    put(65534, "abcd");
    assert_int_equal(d.size, 65538);
    assert_int_equal(sdb_memdata_read(&d, 65535, in, 8), 3);
    assert_memory_equal(in, "bcd", 3);
    assert_int_equal(sdb_memdata_read(&d, 65538, in, 8), 0);
    assert_int_equal(sdb_memdata_read(&d, UINT64_MAX, in, 8), 0);
}

static void only_what_was_written_takes_memory(void **state)
{
    (void)state;
    assert_int_equal(sdb_memdata_resize(&d, (uint64_t)1 << 40), 0);
    assert_int_equal(held, 0);
    put(1 << 20, "x");
    assert_int_equal(held, 65536);
    sdb_memdata_sync(&d);
    assert_int_equal(held, 65536);
    put(1 << 20, "y");
    assert_int_equal(held, 2 * 65536); /* with what was synced */
    sdb_memdata_sync(&d);
    assert_int_equal(held, 65536);
    assert_int_equal(sdb_memdata_resize(&d, ((uint64_t)1 << 40) + 1), EFBIG);
    assert_int_equal(sdb_memdata_write(&d, (uint64_t)1 << 40, "x", 1), EFBIG);
}

static void a_cut_puts_back_what_was_synced(void **state)
{
    (void)state;
    put(0, "one");
    put(200000, "far");
    sdb_memdata_sync(&d);
    put(0, "two");
    assert_int_equal(sdb_memdata_resize(&d, 100), 0);
    put(70000, "new");
    sdb_memdata_cut(&d, NULL);
    expect(0, "one");
    expect(200000, "far");
    assert_int_equal(d.size, 200003);
    char in[3];
    assert_int_equal(sdb_memdata_read(&d, 70000, in, 3), 3);
    assert_memory_equal(in, "\0\0\0", 3);
    put(0, "two");
    sdb_memdata_cut(&d, NULL); /* and again */
    expect(0, "one");
}

static void a_cut_of_an_unsynced_extension_needs_no_memory(void **state)
{
    (void)state;
    put(0, "text");
    sdb_memdata_sync(&d);
    assert_int_equal(sdb_memdata_resize(&d, 1 << 20), 0);
    sdb_mem_fail_after(0);
    sdb_memdata_cut(&d, NULL);
    sdb_mem_fail_after(-1);
    assert_int_equal(d.size, 4);
    expect(0, "text");
}

static void a_random_cut_brings_back_some_of_what_was_truncated(void **state)
{
    static char big[200000], in[200000];
    struct sdb_rand r = {1};
    unsigned back = 0, gone = 0;
    (void)state;
    memset(big, 'x', sizeof big);
    assert_int_equal(sdb_memdata_write(&d, 0, big, sizeof big), 0);
    sdb_memdata_sync(&d);
    assert_int_equal(sdb_memdata_resize(&d, 100), 0);
    assert_int_equal(sdb_memdata_resize(&d, sizeof big), 0);
    sdb_memdata_cut(&d, &r);
    assert_int_equal(sdb_memdata_read(&d, 0, in, sizeof in), sizeof in);
    assert_memory_equal(in, big, 100);
    for (size_t at = 512; at < sizeof in; at += 512) {
        back += in[at] == 'x' && in[at + 1] == 'x';
        gone += in[at] == 0 && in[at + 1] == 0;
    }
    assert_true(back > 50 && gone > 50 && back + gone < sizeof in / 512 - 50);
}

static void synced_bytes_survive_appends_to_their_sector(void **state)
{
    struct sdb_rand r = {2};
    unsigned garbled = 0;
    char in[12];
    (void)state;
    for (int round = 0; round < 40; round++) {
        assert_int_equal(sdb_memdata_resize(&d, 0), 0);
        put(0, "synced");
        sdb_memdata_sync(&d);
        put(6, "append");
        sdb_memdata_cut(&d, &r);
        expect(0, "synced");
        garbled += sdb_memdata_read(&d, 0, in, 12) == 12 && in[6] != 'a' && in[6] != 0;
    }
    assert_true(garbled > 0);
}

static void bytes_past_the_end_are_zero_after_any_cut(void **state)
{
    static uint8_t big[10000], in[200000];
    struct sdb_rand r = {5};
    (void)state;
    memset(big, 0xff, sizeof big);
    for (int round = 0; round < 60; round++) {
        uint64_t off = sdb_rand_below(&r, 150000);
        assert_int_equal(sdb_memdata_resize(&d, off), 0);
        sdb_memdata_sync(&d);
        if (round % 3 == 0)
            assert_int_equal(sdb_memdata_resize(&d, off / 2), 0);
        assert_int_equal(sdb_memdata_write(&d, off, big, sizeof big), 0);
        sdb_mem_fail_after(0); /* a cut needs no memory */
        sdb_memdata_cut(&d, &r);
        sdb_mem_fail_after(-1);
        uint64_t end = d.size;
        assert_in_range(end, off, off + sizeof big);
        assert_int_equal(sdb_memdata_resize(&d, sizeof in), 0);
        assert_int_equal(sdb_memdata_read(&d, 0, in, sizeof in), sizeof in);
        for (size_t i = (size_t)end; i < sizeof in; i++) {
            if (in[i] != 0)
                fail_msg("round %d: byte %zu is %02x, the end was %zu", round, i, in[i],
                         (size_t)end);
        }
    }
}

static void what_fails_for_memory_changes_nothing(void **state)
{
    static char big[140000];
    (void)state;
    put(60000, "kept");
    sdb_memdata_sync(&d);
    int rc = ENOMEM;
    for (int64_t n = 0; rc != 0; n++) {
        assert_in_range(n, 0, 10);
        sdb_mem_fail_after(n);
        rc = sdb_memdata_write(&d, 10, big, sizeof big);
        sdb_mem_fail_after(-1);
        assert_int_equal(d.size, rc == 0 ? 140010 : 60004);
        if (rc != 0)
            expect(60000, "kept");
    }
    sdb_memdata_sync(&d);
    sdb_mem_fail_after(0);
    rc = sdb_memdata_resize(&d, 100);
    sdb_mem_fail_after(-1);
    assert_int_equal(rc, ENOMEM);
    assert_int_equal(d.size, 140010);
}

#define EACH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        EACH(reads_end_where_the_file_does),
        EACH(only_what_was_written_takes_memory),
        EACH(a_cut_puts_back_what_was_synced),
        EACH(a_cut_of_an_unsynced_extension_needs_no_memory),
        EACH(a_random_cut_brings_back_some_of_what_was_truncated),
        EACH(synced_bytes_survive_appends_to_their_sector),
        EACH(bytes_past_the_end_are_zero_after_any_cut),
        EACH(what_fails_for_memory_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
