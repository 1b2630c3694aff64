/* SPDX-License-Identifier: Apache-2.0 */
#include "base/hash.h"

#include "test.h"

enum { BYTES = 2367 };

/* The buffer and the answers of xxHash's own sanity check. */
static void fill(uint8_t *p)
{
    uint64_t x = 2654435761u;
    for (size_t i = 0; i < BYTES; i++) {
        p[i] = (uint8_t)(x >> 56);
        x *= 11400714785074694797u;
    }
}

static const struct {
    size_t size;
    uint64_t seed, hash;
} known[] = {
    {0, 0, 0x2d06800538d394c2},    {0, 11400714785074694797u, 0xa8a6b918b2f0364a},
    {1, 0, 0xc44bdff4074eecdb},    {1, 11400714785074694797u, 0x032be332dd766ef8},
    {6, 0, 0x27b56a84cd2d7325},    {6, 11400714785074694797u, 0x84589c116ab59ab9},
    {12, 0, 0xa713daf0dfbb77e7},   {12, 11400714785074694797u, 0xe7303e1b2336de0e},
    {24, 0, 0xa3fe70bf9d3510eb},   {24, 11400714785074694797u, 0x850e80fc35bdd690},
    {48, 0, 0x397da259ecba1f11},   {48, 11400714785074694797u, 0xadc2cbaa44acc616},
    {80, 0, 0xbcdefbbb2c47c90a},   {80, 11400714785074694797u, 0xc6dd0cb699532e73},
    {195, 0, 0xcd94217ee362ec3a},  {195, 11400714785074694797u, 0xba68003d370cb3d9},
    {403, 0, 0xcdeb804d65c6dea4},  {403, 11400714785074694797u, 0x6259f6ecfd6443fd},
    {512, 0, 0x617e49599013cb6b},  {512, 11400714785074694797u, 0x3ce457de14c27708},
    {2048, 0, 0xdd59e2c3a5f038e0}, {2048, 11400714785074694797u, 0x66f81670669ababc},
    {2240, 0, 0x6e73a90539cf2948}, {2240, 11400714785074694797u, 0x757ba8487d1b5247},
    {2367, 0, 0xcb37aeb9e5d361ed}, {2367, 11400714785074694797u, 0xd2db3415b942b42a},
};

static void hashes_are_what_xxhash_publishes(void **state)
{
    uint8_t p[BYTES + 1];
    (void)state;
    fill(p + 1); /* and do not depend on alignment */
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        uint64_t hash = sdb_hash64(p + 1, known[i].size, known[i].seed);
        if (hash != known[i].hash)
            fail_msg("%zu bytes, seed %" PRIx64 ": %" PRIx64, known[i].size,
                     known[i].seed, hash);
    }
    assert_true(sdb_hash_version() >= 800); /* XXH3 was not final before */
}

static void two_pieces_hash_as_one(void **state)
{
    uint8_t p[BYTES];
    (void)state;
    fill(p);
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        size_t n = known[i].size, step = n / 16 + 1;
        for (size_t cut = 0; cut <= n; cut += step) {
            uint64_t hash = sdb_hash64_2(p, cut, p + cut, n - cut, known[i].seed);
            if (hash != known[i].hash)
                fail_msg("%zu bytes cut at %zu: %" PRIx64, n, cut, hash);
        }
    }
    assert_int_equal(sdb_hash64_2(p, 0, NULL, 0, 0), known[0].hash);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hashes_are_what_xxhash_publishes),
        cmocka_unit_test(two_pieces_hash_as_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
