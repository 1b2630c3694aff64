/* SPDX-License-Identifier: Apache-2.0
 *
 * data -- the keys and values of the benches: everything follows from a row's number,
 * so that each rival gets the same bytes and every answer can be checked without
 * keeping a copy.  Pure; any thread. */
#ifndef SDB_BENCH_DATA_H
#define SDB_BENCH_DATA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum bench_key_set {
    BENCH_KEYS_RANDOM,     /* 16 bytes, uniform */
    BENCH_KEYS_SEQUENTIAL, /* 16 bytes, rising with the row's number */
    BENCH_KEYS_DECIMAL,    /* "user000000123456": decimal text */
    BENCH_KEYS_TENANT,     /* a tenant's number, then a timestamp, as text */
    BENCH_KEYS_URL         /* URLs of different lengths with long common prefixes */
};

#define BENCH_KEY     16 /* bytes of the random and the sequential keys */
#define BENCH_KEY_MAX 80
#define BENCH_VALUE   100

/* Hits and misses lie between each other in the order of keys; they differ in the last
 * bit of the key. */
enum bench_presence { BENCH_HIT, BENCH_MISS };

struct bench_key {
    uint8_t bytes[BENCH_KEY_MAX];
    size_t size;
};

/* splitmix64's finaliser: a bijection of 64 bits. */
static inline uint64_t bench_mix(uint64_t z)
{
    z += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static inline void bench_put_be64(uint8_t *p, uint64_t v)
{
    for (int i = 0; i < 8; i++)
        p[i] = (uint8_t)(v >> (56 - 8 * i));
}

/* The key of row i. */
void bench_key_make(enum bench_key_set set, uint64_t i, enum bench_presence presence,
                    struct bench_key *out);

/* BENCH_VALUE bytes that belong to the key: half of them random, then repeated, so that
 * they compress to about a half.  Versions differ. */
void bench_value_make(const void *key, size_t key_size, uint32_t version,
                      uint8_t out[BENCH_VALUE]);

/* True iff value is what bench_value_make made for the key in some version. */
bool bench_value_belongs(const void *key, size_t key_size, const void *value,
                         size_t value_size);

/* Cheap sum over a row for scans: equal for equal rows. */
static inline uint64_t bench_row_sum(const void *key, const void *value)
{
    uint64_t k, v;
    memcpy(&k, key, 8);
    memcpy(&v, (const uint8_t *)value + 8, 8);
    return k ^ (v << 1 | v >> 63);
}

/* Numbers below n of which few are frequent: Zipf with theta 0.99, as in YCSB (Gray et
 * al., SIGMOD 1994). 0 is the most frequent. */
struct bench_zipf {
    uint64_t n;
    double zetan, alpha, eta;
};
void bench_zipf_init(struct bench_zipf *z, uint64_t n);
uint64_t bench_zipf_next(const struct bench_zipf *z, uint64_t random);

#endif
