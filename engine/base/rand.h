/* SPDX-License-Identifier: Apache-2.0
 *
 * rand -- splitmix64: fast, seeded, repeatable.  Not for secrets; random names come
 * from os/clock. Source: Steele, Lea, Flood, OOPSLA 2014. */
#ifndef SDB_BASE_RAND_H
#define SDB_BASE_RAND_H

#include <stdint.h>

struct sdb_rand {
    uint64_t state;
};

static inline uint64_t sdb_rand_next(struct sdb_rand *r)
{
    uint64_t z = (r->state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* Uniform in [0, n); Requires: n > 0. */
static inline uint64_t sdb_rand_below(struct sdb_rand *r, uint64_t n)
{
    return sdb_rand_next(r) % n;
}

#endif
