/* SPDX-License-Identifier: Apache-2.0
 *
 * ns to build and to ask filters of several sizes, by every variant this machine runs,
 * and the rate of what passes. */
#include "table/filter.h"

#include "base/rand.h"
#include "os/clock.h"

#include <stdio.h>
#include <stdlib.h>

enum { ASKED = 1000000, ROUNDS = 5 };

static void bench(size_t keys, double bits)
{
    uint64_t *hashes = calloc(keys, sizeof *hashes), *asked = calloc(ASKED, 8);
    struct sdb_rand r = {1};
    if (hashes == NULL || asked == NULL)
        exit(1);
    for (size_t i = 0; i < keys; i++)
        hashes[i] = sdb_rand_next(&r);
    for (size_t i = 0; i < ASKED; i++)
        asked[i] = sdb_rand_next(&r);
    for (unsigned v = 0; sdb_vec_at(v) != NULL; v++) {
        double build = 0, ask = 0;
        size_t passed = 0;
        sdb_vec = sdb_vec_at(v);
        for (unsigned round = 0; round < ROUNDS; round++) {
            struct sdb_buf out = {0};
            struct sdb_filter f;
            uint64_t start = sdb_clock_mono_us();
            sdb_filter_build(&out, hashes, keys, bits);
            double ns = (double)(sdb_clock_mono_us() - start) * 1000 / (double)keys;
            build = round == 0 || ns < build ? ns : build;
            if (!sdb_filter_parse(&f, sdb_buf_slice(&out)))
                exit(1);
            passed = 0;
            start = sdb_clock_mono_us();
            for (size_t i = 0; i < ASKED; i++)
                passed += sdb_filter_has(&f, asked[i]);
            ns = (double)(sdb_clock_mono_us() - start) * 1000 / ASKED;
            ask = round == 0 || ns < ask ? ns : ask;
            sdb_buf_fini(&out);
        }
        printf(
            "%9zu keys, %2.0f bits, %-6s  build %5.1f ns/key  ask %5.1f ns  %.3f%%\n",
            keys, bits, sdb_vec->name, build, ask, 100.0 * (double)passed / ASKED);
    }
    free(hashes);
    free(asked);
}

int main(void)
{
    static const double bits[] = {10, 12, 14};
    for (size_t keys = 100000; keys <= 10000000; keys *= 10)
        for (size_t b = 0; b < sizeof bits / sizeof *bits; b++)
            bench(keys, bits[b]);
    return 0;
}
