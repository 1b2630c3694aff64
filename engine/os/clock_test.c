/* SPDX-License-Identifier: Apache-2.0 */
#include "os/clock.h"

#include "test.h"

#include <time.h>

static void the_wall_clock_is_in_microseconds(void **state)
{
    (void)state;
    uint64_t before = (uint64_t)time(NULL), us = sdb_clock_unix_us();
    assert_in_range(us / 1000000, before - 1, before + 10);
}

static void the_monotonic_clock_never_steps_back(void **state)
{
    uint64_t last = sdb_clock_mono_us();
    (void)state;
    for (int i = 0; i < 10000; i++) {
        uint64_t now = sdb_clock_mono_us();
        assert_true(now >= last);
        last = now;
    }
}

static void a_sleep_lasts_as_long_as_asked(void **state)
{
    uint64_t start = sdb_clock_mono_us();
    (void)state;
    sdb_clock_sleep_us(20000);
    assert_in_range(sdb_clock_mono_us() - start, 19999, 10000000);
}

static void random_bytes_fill_all_and_only_what_was_asked(void **state)
{
    uint8_t p[300], any[298] = {0};
    seerdb_err err = {0};
    (void)state;
    memset(p, 0, sizeof p);
    for (int round = 0; round < 12; round++) {
        test_ok(sdb_random_bytes(p + 1, 298, &err), &err);
        for (size_t i = 0; i < sizeof any; i++)
            any[i] |= p[i + 1];
    }
    assert_true(p[0] == 0 && p[299] == 0);
    for (size_t i = 0; i < sizeof any; i++)
        assert_int_not_equal(any[i], 0);
    test_ok(sdb_random_bytes(NULL, 0, &err), &err);
}

static void uuids_are_random_and_of_version_4(void **state)
{
    seerdb_uuid a, b, zero = {{0}};
    seerdb_err err = {0};
    (void)state;
    for (int i = 0; i < 100; i++) {
        test_ok(sdb_uuid_new(&a, &err), &err);
        test_ok(sdb_uuid_new(&b, &err), &err);
        assert_int_equal(a.bytes[6] >> 4, 4);
        assert_int_equal(a.bytes[8] >> 6, 2);
        assert_false(sdb_uuid_equal(&a, &b));
        assert_true(sdb_uuid_equal(&a, &a));
        assert_false(sdb_uuid_is_zero(&a));
    }
    assert_true(sdb_uuid_is_zero(&zero));
    zero.bytes[15] = 1;
    assert_false(sdb_uuid_is_zero(&zero));
}

static void uuids_are_written_as_everybody_does(void **state)
{
    seerdb_uuid u;
    char text[SDB_UUID_TEXT + 1];
    (void)state;
    for (size_t i = 0; i < 16; i++)
        u.bytes[i] = (uint8_t)(i * 0x11);
    memset(text, '#', sizeof text);
    sdb_uuid_format(&u, text);
    assert_int_equal(text[SDB_UUID_TEXT], '#');
    assert_string_equal(text, "00112233-4455-6677-8899-aabbccddeeff");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_wall_clock_is_in_microseconds),
        cmocka_unit_test(the_monotonic_clock_never_steps_back),
        cmocka_unit_test(a_sleep_lasts_as_long_as_asked),
        cmocka_unit_test(random_bytes_fill_all_and_only_what_was_asked),
        cmocka_unit_test(uuids_are_random_and_of_version_4),
        cmocka_unit_test(uuids_are_written_as_everybody_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
