/* SPDX-License-Identifier: Apache-2.0
 *
 * table_verify -- audit every byte of one table file.  Any thread. */
#ifndef SDB_TABLE_TABLE_VERIFY_H
#define SDB_TABLE_TABLE_VERIFY_H

#include "table/table_reader.h"

/* Read every byte as SDB_FOR_VERIFY and check it: checksums, order within and across
 * blocks, fences, counts, bounds. */
int sdb_table_verify(struct sdb_table *t, seerdb_err *err) SDB_MUST_CHECK;

#endif
