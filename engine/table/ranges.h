/* SPDX-License-Identifier: Apache-2.0
 *
 * ranges -- sets of range tombstones, and which of them a key meets.
 *
 * A range tombstone [start, end)@n deletes every version of every key in it whose
 * number is smaller than n.  It says nothing about records of its own number: within
 * one commit a put that comes after a range stays.  Ends are byte strings like keys, at
 * most SEERDB_KEY_MAX long: whoever wants to delete to the end names an end above all
 * of his keys.
 *
 * A set is immutable, counted and has its own copy of the bytes; it may be empty, and
 * NULL stands for an empty one everywhere.  Any thread.  FORMAT.md, "Records". */
#ifndef SDB_TABLE_RANGES_H
#define SDB_TABLE_RANGES_H

#include "table/hidden.h"
#include "table/key.h"

struct sdb_range {
    seerdb_slice start, end; /* end is the first key that is not in it */
    uint64_t number;
};

static inline bool sdb_range_is_empty(const struct sdb_range *r)
{
    return sdb_slice_cmp(r->start, r->end) >= 0;
}

static inline bool sdb_range_has(const struct sdb_range *r, seerdb_slice key)
{
    return sdb_slice_cmp(r->start, key) <= 0 && sdb_slice_cmp(key, r->end) < 0;
}

struct sdb_ranges;

/* A set of these, in any order; they may overlap.  Copies.  Empty ranges and doubles
 * are left out.  One count. */
int sdb_ranges_new(const struct sdb_range *all, size_t n, struct sdb_ranges **out,
                   seerdb_err *err) SDB_MUST_CHECK;
struct sdb_ranges *sdb_ranges_ref(struct sdb_ranges *r); /* accepts NULL */
void sdb_ranges_unref(struct sdb_ranges *r);             /* accepts NULL */

size_t sdb_ranges_count(const struct sdb_ranges *r);
/* In order of start, then number falling, then end falling.  Borrowed from the set. */
const struct sdb_range *sdb_ranges_at(const struct sdb_ranges *r, size_t i);
uint64_t sdb_ranges_max_number(const struct sdb_ranges *r); /* 0: it is empty */
size_t sdb_ranges_memory(const struct sdb_ranges *r);

/* The same set as fragments: disjoint, rising, each with the greatest number of the
 * ranges that cover it; neighbours that touch have different numbers. */
size_t sdb_ranges_fragments(const struct sdb_ranges *r);
const struct sdb_range *sdb_ranges_fragment(const struct sdb_ranges *r, size_t i);
/* The first fragment that ends above key; their count if there is none. */
size_t sdb_ranges_find(const struct sdb_ranges *r, seerdb_slice key);

/* Does any of the ranges cover key?  Spilled ones have no numbers. */
bool sdb_ranges_has(const struct sdb_ranges *r, seerdb_slice key);

/* The greatest number <= ceiling, and not hidden (NULL: none is), of the ranges that
 * cover key; 0: none does. */
uint64_t sdb_ranges_cover(const struct sdb_ranges *r, seerdb_slice key,
                          uint64_t ceiling, const struct sdb_hidden *hidden);

/* Of the ranges between two readers the greatest number over each key.  Who reads below
 * `above`, or at it, does not see them. */
struct sdb_range_stripe {
    uint64_t above, upto;    /* above < number <= upto */
    struct sdb_ranges *flat; /* counted; not empty */
};

/* The greatest number <= ceiling in the stripes, which rise, that covers key; 0: none
 * does.  Requires: the ceiling does not cut a stripe in two. */
uint64_t sdb_range_stripes_cover(const struct sdb_range_stripe *stripes, size_t n,
                                 seerdb_slice key, uint64_t ceiling);

/* What one reader sees of a set. */
struct sdb_ranges_source {
    const struct sdb_ranges *ranges; /* borrowed */
    uint64_t as;      /* the number of all of them; 0: they have their own */
    uint64_t ceiling; /* about that number */
    const struct sdb_hidden *hidden; /* the same; NULL: none */
    uint64_t raise; /* added to it in the result: 0, or SDB_NUMBER_BATCH */
};

/* What the reader sees of several sets together, flattened: the ranges of the result
 * are its fragments.  NULL: nothing.  One count. */
int sdb_ranges_flatten(const struct sdb_ranges_source *sources, size_t n,
                       struct sdb_ranges **out, seerdb_err *err) SDB_MUST_CHECK;

#endif
