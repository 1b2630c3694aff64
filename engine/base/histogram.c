/* SPDX-License-Identifier: Apache-2.0 */
#include "base/histogram.h"

#include <assert.h>

_Static_assert(SDB_HISTOGRAM_BUCKETS == 656, "5 KiB: one per operation and tree");

static uint64_t get(const _Atomic uint64_t *n)
{
    return atomic_load_explicit(n, memory_order_relaxed);
}

static void add(_Atomic uint64_t *n, uint64_t more)
{
    atomic_fetch_add_explicit(n, more, memory_order_relaxed);
}

static void raise(_Atomic uint64_t *n, uint64_t to)
{
    uint64_t seen = get(n);
    while (seen < to && !atomic_compare_exchange_weak_explicit(
                            n, &seen, to, memory_order_relaxed, memory_order_relaxed))
        ;
}

uint32_t sdb_histogram_bucket(uint64_t value)
{
    if (value >> SDB_HISTOGRAM_MOST_BITS != 0)
        return SDB_HISTOGRAM_BUCKETS - 1;
    if (value < SDB_HISTOGRAM_STEPS)
        return (uint32_t)value;
    uint32_t octave = 63 - (uint32_t)__builtin_clzll(value) - SDB_HISTOGRAM_BITS;
    return (octave << SDB_HISTOGRAM_BITS) + (uint32_t)(value >> octave);
}

uint64_t sdb_histogram_floor(uint32_t bucket)
{
    if (bucket < 2 * SDB_HISTOGRAM_STEPS)
        return bucket;
    uint32_t octave = (bucket >> SDB_HISTOGRAM_BITS) - 1;
    return (uint64_t)(bucket - (octave << SDB_HISTOGRAM_BITS)) << octave;
}

void sdb_histogram_add(struct sdb_histogram *h, uint64_t value)
{
    add(&h->buckets[sdb_histogram_bucket(value)], 1);
    add(&h->sum, value);
    raise(&h->greatest, value);
    add(&h->n, 1);
}

void sdb_histogram_merge(struct sdb_histogram *into, const struct sdb_histogram *from)
{
    for (uint32_t i = 0; i < SDB_HISTOGRAM_BUCKETS; i++) {
        uint64_t n = get(&from->buckets[i]);
        if (n > 0)
            add(&into->buckets[i], n);
    }
    add(&into->sum, get(&from->sum));
    raise(&into->greatest, get(&from->greatest));
    add(&into->n, get(&from->n));
}

uint64_t sdb_histogram_count(const struct sdb_histogram *h)
{
    return get(&h->n);
}

uint64_t sdb_histogram_greatest(const struct sdb_histogram *h)
{
    return get(&h->greatest);
}

double sdb_histogram_mean(const struct sdb_histogram *h)
{
    uint64_t n = get(&h->n);
    return n > 0 ? (double)get(&h->sum) / (double)n : 0;
}

uint64_t sdb_histogram_at(const struct sdb_histogram *h, unsigned permille)
{
    uint64_t total = 0, before = 0, most = get(&h->greatest);
    uint32_t i = 0;
    assert(permille <= 1000);
    /* Not n: others add meanwhile. */
    for (uint32_t k = 0; k < SDB_HISTOGRAM_BUCKETS; k++)
        total += get(&h->buckets[k]);
    if (total == 0)
        return 0;
    /* The rank, counted from one, rounded up. */
    uint64_t whole = total / 1000 * permille, rest = total % 1000 * permille;
    uint64_t rank = whole + rest / 1000 + (rest % 1000 != 0);
    rank = rank > 0 ? rank : 1;
    while (i < SDB_HISTOGRAM_BUCKETS - 1 && before + get(&h->buckets[i]) < rank)
        before += get(&h->buckets[i++]);
    uint64_t low = sdb_histogram_floor(i);
    uint64_t width =
        i + 1 < SDB_HISTOGRAM_BUCKETS ? sdb_histogram_floor(i + 1) - low : most - low;
    uint64_t middle = low + width / 2;
    return middle < most ? middle : most;
}
