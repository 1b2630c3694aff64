/* SPDX-License-Identifier: Apache-2.0
 *
 * search16 -- search a sorted column of u64 sixteen ways at a time.
 *
 * The column stays where it is; above it lie levels that hold the last value of every
 * full group of sixteen of the level below: a fifteenth of the column's size in all.
 * A search reads one group, two cache lines, per level and has no branch that depends
 * on the data.  Life: init, fini; immutable between: any thread. */
#ifndef SDB_TABLE_SEARCH16_H
#define SDB_TABLE_SEARCH16_H

#include "base/status.h"
#include "table/vec.h"

struct sdb_search16 {
    unsigned nlevels;                     /* the column itself is the last one */
    const uint8_t *levels[SDB_STEPS_MAX]; /* borrowed: the column; else in `upper` */
    size_t sizes[SDB_STEPS_MAX];          /* values in each */
    uint8_t *upper;                       /* owned; NULL: the column is one group */
    size_t upper_size;
};

/* Borrows the column of n little-endian u64, which do not fall. */
int sdb_search16_init(struct sdb_search16 *s, const uint8_t *column, size_t n,
                      seerdb_err *err) SDB_MUST_CHECK;
void sdb_search16_fini(struct sdb_search16 *s); /* accepts all zeros */

/* The first value >= `value`: its place, n if there is none. */
static inline size_t sdb_search16_first(const struct sdb_search16 *s, uint64_t value)
{
    return sdb_vec->descend(s->levels, s->sizes, s->nlevels, value);
}

#endif
