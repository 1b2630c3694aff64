/* SPDX-License-Identifier: Apache-2.0
 *
 * merged -- reads of keys that have merge records. */
#ifndef SDB_DB_MERGED_H
#define SDB_DB_MERGED_H

#include "db/cover.h"
#include "db/row.h"

/* Show what was gathered in merging, merged with the record `base` (NULL: there is
 * none), as a row in memory of its own: out->pin is the caller's count.  NOTFOUND:
 * there is no such row.  scratch is the caller's, reused. */
int sdb_merged_row(const seerdb_view *view, struct sdb_merging *merging,
                   seerdb_slice key, const struct sdb_record *base,
                   struct seerdb_filter_out *scratch, seerdb_value *out,
                   seerdb_err *err) SDB_MUST_CHECK;

/* Look up a key whose newest version in sight is a merge record. */
int sdb_merged_get(const struct sdb_sight *sight, seerdb_view *view,
                   seerdb_batch *batch, seerdb_slice key, seerdb_value *out,
                   seerdb_err *err) SDB_MUST_CHECK;

#endif
