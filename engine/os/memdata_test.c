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
        assert_int_equal(sdb_memdata_write(&d, off, big, sizeof big), 0);
        sdb_memdata_cut(&d, &r);
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
        EACH(bytes_past_the_end_are_zero_after_any_cut),
        EACH(what_fails_for_memory_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
