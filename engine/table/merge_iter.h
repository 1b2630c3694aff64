/* SPDX-License-Identifier: Apache-2.0
 *
 * merge_iter -- several sorted sources as one, forward and backward.
 *
 * Versions of one user key that several sources hold come out as one key, newest
 * number first; older() crosses from source to source.  Of two versions with one
 * number, which only uncommitted runs have, the earlier source's wins and the other
 * is not shown. */
#ifndef SDB_TABLE_MERGE_ITER_H
#define SDB_TABLE_MERGE_ITER_H

#include "table/iter.h"

/* Takes the n sources over (not the array), also on failure. n may be 0 or 1. */
int sdb_merge_iter(struct sdb_iter *const *sources, size_t n, struct sdb_iter **out,
                   seerdb_err *err) SDB_MUST_CHECK;

/* The same for those who merge often, with sources that stay theirs: *it is NULL, or a
 * merge that this made and that is at rest, whose memory is used again.  Close *it
 * whatever the result. */
int sdb_merge_iter_aim(struct sdb_iter **it, struct sdb_iter *const *sources, size_t n,
                       seerdb_err *err) SDB_MUST_CHECK;

#endif
