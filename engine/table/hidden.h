/* SPDX-License-Identifier: Apache-2.0
 *
 * hidden -- numbers that do not exist for a reader: the writes of a batch that a
 * rollback to a mark undid, the logged commits that do not count. */
#ifndef SDB_TABLE_HIDDEN_H
#define SDB_TABLE_HIDDEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Rising and disjoint; [from, to). */
struct sdb_hidden_range {
    uint64_t from, to;
};
struct sdb_hidden {
    const struct sdb_hidden_range *ranges;
    size_t n;
};

/* Are all numbers from first to last, both included, in one range?  h may be NULL. */
static inline bool sdb_hidden_covers(const struct sdb_hidden *h, uint64_t first,
                                     uint64_t last)
{
    size_t lo = 0, hi = h == NULL ? 0 : h->n;
    while (lo < hi) { /* the first range that ends above first */
        size_t mid = lo + (hi - lo) / 2;
        if (h->ranges[mid].to <= first)
            lo = mid + 1;
        else
            hi = mid;
    }
    return h != NULL && lo < h->n && h->ranges[lo].from <= first &&
           h->ranges[lo].to > last;
}

static inline bool sdb_hidden_has(const struct sdb_hidden *h, uint64_t number)
{
    return sdb_hidden_covers(h, number, number);
}

#endif
