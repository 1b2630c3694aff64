/* SPDX-License-Identifier: Apache-2.0
 *
 * expiries -- when the records of a table expire, in 512 samples.
 *
 * All zeros is empty; holds no memory.  Times are in the unit of whoever adds them. */
#ifndef SDB_TABLE_EXPIRIES_H
#define SDB_TABLE_EXPIRIES_H

#include <stddef.h>
#include <stdint.h>

#define SDB_EXPIRIES_SAMPLES 512u
/* A table of which so many records in a hundred have expired is worth a compaction. */
#define SDB_EXPIRIES_PERCENT 25u

struct sdb_expiries {
    uint64_t first; /* the earliest time */
    uint64_t n;     /* records with a time */
    uint64_t every; /* so many of them for one sample; 0: none was added yet */
    size_t nsamples;
    uint64_t samples[SDB_EXPIRIES_SAMPLES];
};

void sdb_expiries_add(struct sdb_expiries *e, uint64_t time);

/* From when on about SDB_EXPIRIES_PERCENT of so many records have expired; UINT64_MAX:
 * never.  Sorts the samples: nothing is added afterwards. */
uint64_t sdb_expiries_due(struct sdb_expiries *e, uint64_t records);

#endif
