/* SPDX-License-Identifier: Apache-2.0
 *
 * key -- records and their order.
 *
 * A record is a user key, the commit number that wrote it and a kind.  Records sort
 * by user key (bytes, unsigned, a prefix first), then by number, newest first.  Key
 * and number are compared apart, never as one string: "key1" must not meet the
 * trailer of "key10".  One (tree, key) has at most one record of a number.
 * FORMAT.md, "Records". */
#ifndef SDB_TABLE_KEY_H
#define SDB_TABLE_KEY_H

#include "base/pin.h"
#include "base/status.h"

#include <string.h>

#define SDB_NUMBER_MAX ((UINT64_C(1) << 56) - 1) /* of commits */
/* Added to the ordinals of an uncommitted batch: newer than every commit. */
#define SDB_NUMBER_BATCH (UINT64_C(1) << 56)

/* On disk; the last three are reserved. */
enum sdb_kind {
    SDB_KIND_VALUE = 1,     /* the value's bytes */
    SDB_KIND_TOMBSTONE = 2, /* no value */
    SDB_KIND_MERGE = 3,     /* a list of merge operands */
    SDB_KIND_RANGE = 4,     /* range tombstone: the value is the end key */
    SDB_KIND_SEGMENTS = 5,  /* inline bytes plus pointer segments */
    SDB_KIND_MAX = 5
};

struct sdb_record {
    seerdb_slice key;
    uint64_t number;
    enum sdb_kind kind;
    seerdb_slice value;
};

/* What a point lookup found: the newest visible record and a count on its memory. */
struct sdb_found {
    uint64_t number;
    enum sdb_kind kind;
    seerdb_slice value;
    seerdb_pin *pin;  /* owned by whoever asked */
    seerdb_slice key; /* the one asked for, in the same memory */
};

static inline int sdb_slice_cmp(seerdb_slice a, seerdb_slice b)
{
    size_t n = a.size < b.size ? a.size : b.size;
    int c = n == 0 ? 0 : memcmp(a.data, b.data, n);
    return c != 0 ? c : (a.size > b.size) - (a.size < b.size);
}

static inline bool sdb_slice_equal(seerdb_slice a, seerdb_slice b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

#endif
