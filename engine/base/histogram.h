/* SPDX-License-Identifier: Apache-2.0
 *
 * histogram -- how often values of which size occurred, in a few kilobytes.
 *
 * Log-linear: every power of two is cut into SDB_HISTOGRAM_STEPS buckets of equal
 * width, values below that count are kept as they are.  A percentile is the middle of a
 * bucket: off by at most one part in 2 * SDB_HISTOGRAM_STEPS of the true value,
 * whatever its size.  The greatest value, the sum and the count are exact.
 *
 * All zeros is empty.  Any threads may add and read at once; relaxed, so that a reader
 * may see a value counted and not yet summed. */
#ifndef SDB_BASE_HISTOGRAM_H
#define SDB_BASE_HISTOGRAM_H

#include <stdatomic.h>
#include <stdint.h>

#define SDB_HISTOGRAM_BITS  4u
#define SDB_HISTOGRAM_STEPS (1u << SDB_HISTOGRAM_BITS)
/* Greater values count as this one, but for the greatest. */
#define SDB_HISTOGRAM_MOST_BITS 44u
#define SDB_HISTOGRAM_BUCKETS                                                          \
    ((SDB_HISTOGRAM_MOST_BITS - SDB_HISTOGRAM_BITS + 1) * SDB_HISTOGRAM_STEPS)

struct sdb_histogram {
    _Atomic uint64_t n, sum, greatest;
    _Atomic uint64_t buckets[SDB_HISTOGRAM_BUCKETS];
};

/* The bucket of a value, and the least value of a bucket. */
uint32_t sdb_histogram_bucket(uint64_t value);
uint64_t sdb_histogram_floor(uint32_t bucket);

void sdb_histogram_add(struct sdb_histogram *h, uint64_t value);

/* Add what `from` has to `into`, which then is as if it had been given both's values.
 */
void sdb_histogram_merge(struct sdb_histogram *into, const struct sdb_histogram *from);

uint64_t sdb_histogram_count(const struct sdb_histogram *h);
uint64_t sdb_histogram_greatest(const struct sdb_histogram *h); /* 0: empty */
double sdb_histogram_mean(const struct sdb_histogram *h);       /* 0: empty */

/* The value that `permille` of a thousand values do not exceed: never more than the
 * greatest.  0: empty.  Requires: permille <= 1000. */
uint64_t sdb_histogram_at(const struct sdb_histogram *h, unsigned permille);

#endif
