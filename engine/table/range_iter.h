/* SPDX-License-Identifier: Apache-2.0
 *
 * range_iter -- what another iterator shows, less what range tombstones delete of it.
 *
 * Of a key that the set's fragments cover with number n, versions below n do not exist.
 *
 * Deleted keys are stepped over, and many of them, where nothing of the source is as
 * new as the fragment, are passed with one seek. */
#ifndef SDB_TABLE_RANGE_ITER_H
#define SDB_TABLE_RANGE_ITER_H

#include "table/iter.h"
#include "table/ranges.h"

/* Takes the source over, also on failure, and a count on the set, all of which is
 * visible (ranges.h, "flatten").  No number in the source is greater than `newest`;
 * UINT64_MAX: nobody knows. */
int sdb_range_iter(struct sdb_iter *source, struct sdb_ranges *set, uint64_t newest,
                   struct sdb_iter **out, seerdb_err *err) SDB_MUST_CHECK;

/* The same for those who need many, with a source that stays theirs: *it is NULL, or an
 * iterator that this made and that is at rest, whose memory is used again.  Fails only
 * where it was NULL. */
int sdb_range_iter_aim(struct sdb_iter **it, struct sdb_iter *source,
                       struct sdb_ranges *set, uint64_t newest, seerdb_err *err)
    SDB_MUST_CHECK;

/* The greatest number of a fragment for whose sake it passed something over; 0: none.
 * Requires: the iterator is of this module. */
uint64_t sdb_range_iter_deleted(const struct sdb_iter *it);

#endif
