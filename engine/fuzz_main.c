/* SPDX-License-Identifier: Apache-2.0
 *
 * fuzz_main -- runs a fuzz program without libFuzzer; speaks TAP.
 *
 *   x_fuzz                  mutations of its own seeds, the same on every run
 *   x_fuzz -n N             N of each
 *   x_fuzz -w DIR           write its seeds there, for libFuzzer to begin with
 *   x_fuzz FILE...          replay inputs that libFuzzer wrote */
#include "fuzz.h"

#include "base/rand.h"

#include <stdlib.h>
#include <string.h>

static size_t mutate(uint8_t *p, size_t size, struct sdb_rand *r)
{
    static const uint8_t odd[] = {0, 1, 2, 7, 8, 9, 31, 32, 63, 64, 65, 127, 128, 254, 255};
    unsigned changes = 1 + (unsigned)sdb_rand_below(r, 4);
    while (changes-- > 0 && size > 0) {
        /* Half of them near the end, where the small structures are. */
        size_t near = size < 2000 ? size : 2000;
        size_t at = sdb_rand_below(r, 2) == 0 ? size - 1 - sdb_rand_below(r, near)
                                              : sdb_rand_below(r, size);
        switch (sdb_rand_below(r, 6)) {
        case 0:
            p[at] ^= (uint8_t)(1u << sdb_rand_below(r, 8));
            break;
        case 1:
            p[at] = odd[sdb_rand_below(r, sizeof odd)];
            break;
        case 2:
            p[at] = (uint8_t)sdb_rand_next(r);
            break;
        case 3: { /* bytes from elsewhere */
            size_t from = sdb_rand_below(r, size), n = 1 + sdb_rand_below(r, 40);
            n = n > size - at ? size - at : n;
            memmove(p + at, p + from, n > size - from ? size - from : n);
            break;
        }
        case 4: /* a number of the largest or smallest kind */
            memset(p + at, sdb_rand_below(r, 2) == 0 ? 0xff : 0,
                   size - at < 4 ? size - at : 4);
            break;
        default:
            if (sdb_rand_below(r, 4) == 0)
                size = sdb_rand_below(r, 2) == 0 ? size / 64 * 64 - 64
                                                 : sdb_rand_below(r, size);
            break;
        }
    }
    return size;
}

/* The exit code. */
static int run_seed(unsigned i, unsigned long n)
{
    struct sdb_rand r = {i + 1};
    uint8_t *seed = NULL;
    size_t size = sdb_fuzz_seed(i, &seed);
    uint8_t *input = malloc(size + 1);
    unsigned long wrong = 0;
    if (input == NULL)
        return 1;
    for (unsigned long k = 0; k < n; k++) {
        memcpy(input + 1, seed, size);
        size_t now = k == 0 ? size : mutate(input + 1, size, &r);
        input[0] = 1;
        (void)LLVMFuzzerTestOneInput(input, now + 1);
        if (k % 4 == 0 && !sdb_fuzz_judge(seed, size, input + 1, now)) {
            printf("# seed %u, mutation %lu shows wrong rows\n", i, k);
            wrong++;
        }
    }
    printf("%sok %u - damaged copies of seed %u are refused or read without harm\n",
           wrong > 0 ? "not " : "", i + 1, i);
    fflush(stdout);
    free(input);
    free(seed);
    return wrong > 0;
}

static int replay(const char *path)
{
    FILE *f = fopen(path, "rb");
    static uint8_t bytes[1 << 20];
    if (f == NULL) {
        perror(path);
        return 1;
    }
    size_t n = fread(bytes, 1, sizeof bytes, f);
    fclose(f);
    (void)LLVMFuzzerTestOneInput(bytes, n);
    printf("ok - %s\n", path);
    return 0;
}

static int write_seed(const char *dir, unsigned i)
{
    char path[4096];
    uint8_t *seed = NULL;
    size_t size = sdb_fuzz_seed(i, &seed);
    snprintf(path, sizeof path, "%s/seed%u", dir, i);
    FILE *f = fopen(path, "wb");
    bool fine = f != NULL && fputc(1, f) == 1 && fwrite(seed, 1, size, f) == size;
    if (f != NULL && fclose(f) != 0)
        fine = false;
    if (!fine)
        perror(path);
    free(seed);
    return !fine;
}

int main(int argc, char **argv)
{
    unsigned long n = 400;
    int bad = 0;
    if (argc > 2 && strcmp(argv[1], "-n") == 0)
        n = strtoul(argv[2], NULL, 10);
    else if (argc > 2 && strcmp(argv[1], "-w") == 0) {
        for (unsigned i = 0; i < sdb_fuzz_seeds(); i++)
            bad |= write_seed(argv[2], i);
        return bad;
    } else if (argc > 1) {
        for (int i = 1; i < argc; i++)
            bad |= replay(argv[i]);
        return bad;
    }
    printf("1..%u\n", sdb_fuzz_seeds());
    for (unsigned i = 0; i < sdb_fuzz_seeds(); i++)
        bad |= run_seed(i, n);
    return bad;
}
