/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/data.h"

#include <math.h>
#include <stdio.h>

static void make_tenant(uint64_t i, unsigned odd, struct bench_key *out)
{
    unsigned tenant = (unsigned)(bench_mix(i) % 1000);
    unsigned long long at =
        1700000000000000u + i * 2000 + bench_mix(~i) % 900 * 2 + odd;
    out->size = (size_t)snprintf((char *)out->bytes, BENCH_KEY_MAX, "t%04u:%018llu",
                                 tenant, at);
}

static void make_url(uint64_t i, unsigned odd, struct bench_key *out)
{
    static const char *const sections[] = {"news",    "products/by-id", "users",
                                           "archive", "blog/posts",     "images/large"};
    uint64_t m = bench_mix(i);
    out->size = (size_t)snprintf(
        (char *)out->bytes, BENCH_KEY_MAX, "https://www.site%u.example/%s/%llu/%08x%u",
        (unsigned)(m % 300), sections[m / 300 % 6], (unsigned long long)i % 5000,
        (unsigned)(m >> 32), odd);
}

void bench_key_make(enum bench_key_set set, uint64_t i, enum bench_presence presence,
                    struct bench_key *out)
{
    unsigned odd = presence == BENCH_MISS ? 1 : 0;
    out->size = BENCH_KEY;
    switch (set) {
    case BENCH_KEYS_RANDOM:
        bench_put_be64(out->bytes, bench_mix(i));
        bench_put_be64(out->bytes + 8, (bench_mix(~i) & ~(uint64_t)1) | odd);
        return;
    case BENCH_KEYS_SEQUENTIAL:
        bench_put_be64(out->bytes, i);
        bench_put_be64(out->bytes + 8, (bench_mix(~i) & ~(uint64_t)1) | odd);
        return;
    case BENCH_KEYS_DECIMAL:
        /* A bijection modulo 2^40 scatters the order of arrival; gaps are left. */
        out->size = (size_t)snprintf(
            (char *)out->bytes, BENCH_KEY_MAX, "user%014llu",
            (unsigned long long)((i * 0x9e3779b97fu & 0xffffffffffu) * 2 + odd));
        return;
    case BENCH_KEYS_TENANT:
        make_tenant(i, odd, out);
        return;
    case BENCH_KEYS_URL:
        make_url(i, odd, out);
        return;
    }
}

static uint64_t seed_of(const void *key, size_t key_size)
{
    uint64_t head, tail;
    memcpy(&head, key, 8);
    memcpy(&tail, (const uint8_t *)key + key_size - 8, 8);
    return bench_mix(head) ^ tail ^ key_size;
}

enum { HALF = BENCH_VALUE / 2 };

void bench_value_make(const void *key, size_t key_size, uint32_t version,
                      uint8_t out[BENCH_VALUE])
{
    uint64_t seed = seed_of(key, key_size) + version, words[6];
    for (size_t w = 0; w < 6; w++)
        words[w] = bench_mix(seed + (w << 56));
    memcpy(out, &version, 4);
    memcpy(out + 4, words, HALF - 4);
    memcpy(out + HALF, out, HALF);
}

bool bench_value_belongs(const void *key, size_t key_size, const void *value,
                         size_t value_size)
{
    uint32_t version;
    uint64_t word;
    if (value_size != BENCH_VALUE)
        return false;
    memcpy(&version, value, 4);
    memcpy(&word, (const uint8_t *)value + 4, 8);
    return word == bench_mix(seed_of(key, key_size) + version);
}

#define THETA 0.99

void bench_zipf_init(struct bench_zipf *z, uint64_t n)
{
    double zeta = 0;
    for (uint64_t i = 1; i <= n; i++)
        zeta += 1 / pow((double)i, THETA);
    double zeta2 = 1 + 1 / pow(2, THETA);
    z->n = n;
    z->zetan = zeta;
    z->alpha = 1 / (1 - THETA);
    z->eta = (1 - pow(2.0 / (double)n, 1 - THETA)) / (1 - zeta2 / zeta);
}

uint64_t bench_zipf_next(const struct bench_zipf *z, uint64_t random)
{
    double u = (double)(random >> 11) / 9007199254740992.0, uz = u * z->zetan;
    if (uz < 1)
        return 0;
    if (uz < 1 + pow(0.5, THETA))
        return z->n > 1 ? 1 : 0;
    uint64_t k = (uint64_t)((double)z->n * pow(z->eta * u - z->eta + 1, z->alpha));
    return k < z->n ? k : z->n - 1;
}
