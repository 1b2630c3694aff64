/* SPDX-License-Identifier: Apache-2.0
 *
 * get -- point lookups: batch, memtables, spilled commits, runs, from the newest to the
 * oldest. */
#ifndef SDB_DB_GET_H
#define SDB_DB_GET_H

#include "db/cover.h"
#include "db/view.h"

/* What one sees who reads the view, and the batch's part up to the mark (NULL: none).
 */
static inline struct sdb_sight sdb_sight_of(const seerdb_view *view,
                                            const seerdb_batch *batch,
                                            const struct sdb_batch_part *part,
                                            uint64_t mark)
{
    return (struct sdb_sight){view->state, view->number, view->hidden,
                              batch,       part,         mark};
}

/* The number of the commit that the row of the key comes from.  NOTFOUND: there is
 * none.  No filter is asked. */
int sdb_get_number(seerdb_view *view, seerdb_slice key, uint64_t *number,
                   seerdb_err *err) SDB_MUST_CHECK;

#endif
