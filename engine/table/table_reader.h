/* SPDX-License-Identifier: Apache-2.0
 *
 * table_reader -- open and search one immutable table.
 *
 * Opening reads the footer, properties and fences, which stay in memory; blocks are
 * read, checked and decompressed when touched and the cache does not have them.
 * Counted: ref and unref; the file is closed with the last count.  Any thread.
 * FORMAT.md, "Table". */
#ifndef SDB_TABLE_TABLE_READER_H
#define SDB_TABLE_TABLE_READER_H

#include "table/cache.h"
#include "table/key.h"
#include "table/table_index.h"

struct sdb_table;

/* Takes f over, also on failure.  CORRUPT unless the file is a table with this id and
 * size. */
int sdb_table_open(struct sdb_file *f, const seerdb_uuid *id, uint64_t file_size,
                   struct sdb_table **out, seerdb_err *err) SDB_MUST_CHECK;
/* Keep blocks in this cache (borrowed; outlives the table), their names in it new ones.
 * Requires: t is not shared yet.  Without it every use of a block reads it. */
void sdb_table_use_cache(struct sdb_table *t, struct sdb_cache *cache);
struct sdb_table *sdb_table_ref(struct sdb_table *t);
void sdb_table_unref(struct sdb_table *t); /* accepts NULL */

/* The newest version of key with a number <= ceiling, whatever its kind.  NOTFOUND. */
int sdb_table_get(struct sdb_table *t, seerdb_slice key, uint64_t ceiling,
                  struct sdb_found *out, seerdb_err *err) SDB_MUST_CHECK;

const struct sdb_table_properties *sdb_table_properties(const struct sdb_table *t);
size_t sdb_table_memory(const struct sdb_table *t); /* bytes held by the index */

#endif
