/* SPDX-License-Identifier: Apache-2.0
 *
 * row -- what a reader is shown of the newest visible version of a key.
 *
 * Mostly that is the record as it was written, and nobody comes here.  A value with
 * segments is put together or, for a lazy view, split; then the tree's filter is asked.
 * Any thread. */
#ifndef SDB_DB_ROW_H
#define SDB_DB_ROW_H

#include "db/view.h"

/* Does a record of this kind need what is below? */
static inline bool sdb_row_is_made(const seerdb_view *view, enum sdb_kind kind)
{
    return kind != SDB_KIND_VALUE || view->sieve != NULL;
}

/* The row of a record that is there (sdb_fold_visible).  0: *out shows it; its pin is
 * the caller's count on memory of its own, or NULL: it borrows the record's.  NOTFOUND:
 * the filter removes it.  scratch is the caller's, reused. */
int sdb_row_make(const seerdb_view *view, const struct sdb_record *r,
                 struct seerdb_filter_out *scratch, seerdb_value *out, seerdb_err *err)
    SDB_MUST_CHECK;

/* Copies of both, in memory of their own: out->pin is the caller's count. */
int sdb_row_copy(seerdb_slice key, seerdb_slice value, seerdb_value *out,
                 seerdb_err *err) SDB_MUST_CHECK;

#endif
