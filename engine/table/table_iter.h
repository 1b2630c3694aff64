/* SPDX-License-Identifier: Apache-2.0
 *
 * table_iter -- walk one table in key order, in either direction: an sdb_iter.
 * One thread at a time; any number of iterators on a table. */
#ifndef SDB_TABLE_TABLE_ITER_H
#define SDB_TABLE_TABLE_ITER_H

#include "table/iter.h"
#include "table/table_reader.h"

/* The iterator holds a count on t. */
int sdb_table_iter(struct sdb_table *t, uint64_t ceiling, struct sdb_iter **out,
                   seerdb_err *err) SDB_MUST_CHECK;

/* Use one again. Requires: it was made by sdb_table_iter and is at rest. */
void sdb_table_iter_aim(struct sdb_iter *it, struct sdb_table *t, uint64_t ceiling);

#endif
