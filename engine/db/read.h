/* SPDX-License-Identifier: Apache-2.0
 *
 * read -- point lookups and iterators.
 *
 * An iterator is opened over a view (view.h), and a batch. */
#ifndef SDB_DB_READ_H
#define SDB_DB_READ_H

#include "db/view.h"

/* The number of the commit that the row of the key comes from.  NOTFOUND: there is
 * none.  No filter is asked. */
int sdb_read_number(seerdb_view *view, seerdb_slice key, uint64_t *number,
                    seerdb_err *err) SDB_MUST_CHECK;

#endif
