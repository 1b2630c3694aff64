/* SPDX-License-Identifier: Apache-2.0
 *
 * table_reader -- open and search one immutable table.
 *
 * Opening reads the footer, properties, fences, filter and model, which stay in memory;
 * blocks are read, checked and decompressed when touched and the cache does not have
 * them. Counted: ref and unref; the file is closed with the last count.  Any thread.
 * FORMAT.md, "Table". */
#ifndef SDB_TABLE_TABLE_READER_H
#define SDB_TABLE_TABLE_READER_H

#include "os/pages.h"
#include "table/cache.h"
#include "table/key.h"
#include "table/table_index.h"

struct sdb_table;

/* Takes f over, also on failure.  CORRUPT unless the file is a table with this id and
 * size. */
int sdb_table_open(struct sdb_file *f, const seerdb_uuid *id, uint64_t file_size,
                   struct sdb_table **out, seerdb_err *err) SDB_MUST_CHECK;
/* The same table through another file layer: takes f over, as above, and a count on t,
 * whose index serves for both.  Without a cache. */
int sdb_table_reopen(struct sdb_table *t, struct sdb_file *f, struct sdb_table **out,
                     seerdb_err *err) SDB_MUST_CHECK;
/* Keep blocks in this cache, in memory of this pool (both borrowed and outlive the
 * table; pages may be NULL: the heap), their names in the cache new ones.  Requires: t
 * is not shared yet.  Without it every use of a block reads it. */
void sdb_table_use_cache(struct sdb_table *t, struct sdb_cache *cache,
                         struct sdb_pages *pages);
/* The same under a name that blocks were kept under already, while they were written.
 */
void sdb_table_use_cache_as(struct sdb_table *t, struct sdb_cache *cache,
                            struct sdb_pages *pages, uint64_t name);
/* Keep a copy of the i-th block of a table that is being written (table_writer.h,
 * `told`); without memory it is not kept. */
void sdb_table_keep_block(struct sdb_cache *cache, struct sdb_pages *pages,
                          uint64_t name, uint32_t i, seerdb_slice block,
                          enum sdb_cache_use use);
/* Whether the cache has the block that key is in, or would be.  Counts nothing. */
bool sdb_table_is_kept(struct sdb_table *t, seerdb_slice key, enum sdb_cache_use *use);
/* Nobody will read the table again: the cache gives up its blocks. */
void sdb_table_forget(struct sdb_table *t);
/* Read uncompressed blocks from now on where they are in a map of the file, each of
 * them checked when it is first touched.  False: there is no map (the file layer has
 * none, or no room for it); blocks are read as before.  Any thread. */
bool sdb_table_use_map(struct sdb_table *t) EXCLUDES(LK_DB);
/* If the pool of the cache's blocks is crowded, drop those that keep its emptiest
 * regions. */
void sdb_table_make_room(struct sdb_cache *cache, struct sdb_pages *pages)
    EXCLUDES(LK_CACHE, LK_PAGES);
struct sdb_table *sdb_table_ref(struct sdb_table *t);
void sdb_table_unref(struct sdb_table *t); /* accepts NULL */

/* A key that is looked for in one table after the other; begin with {.key = key}.  Its
 * hash is computed once, for the first table that has a filter. */
struct sdb_lookup {
    seerdb_slice key; /* borrowed */
    uint64_t hash;
    bool hashed;
    struct sdb_table_counts
        *counts; /* borrowed: the reader's; NULL: each table's own */
};

/* The newest version of the key with a number <= ceiling, whatever its kind. NOTFOUND.
 * The table's ranges are left to the caller. */
int sdb_table_get(struct sdb_table *t, struct sdb_lookup *key, uint64_t ceiling,
                  struct sdb_found *out, seerdb_err *err) SDB_MUST_CHECK;

/* Fetch what a get of this key will read first, for whoever asks several tables. */
void sdb_table_prefetch(const struct sdb_table *t, struct sdb_lookup *key);

/* Its range tombstones, NULL: none.  Borrowed from the table: ref it to keep it. */
struct sdb_ranges *sdb_table_ranges(const struct sdb_table *t);
const struct sdb_table_properties *sdb_table_properties(const struct sdb_table *t);

/* What is in memory of a table besides blocks, and what it was good for. */
struct sdb_table_stats {
    size_t memory; /* all of it */
    size_t filter_bytes, model_bytes;
    uint64_t mapped; /* bytes of the file, if it is */
    uint64_t filter_keys, segments, runs;
    /* Since the open; about right where threads met. */
    uint64_t corrected, filter_negative, filter_false, runs_negative;
    const struct sdb_table_counts *counts; /* the same, and more; borrowed */
};
void sdb_table_stats(const struct sdb_table *t, struct sdb_table_stats *out);
size_t sdb_table_memory(const struct sdb_table *t);
/* The most that its map may take from the heap; 0: it has none. */
size_t sdb_table_map_memory(const struct sdb_table *t);

/* About how many records come before key: as exact as a block.  No I/O. */
uint64_t sdb_table_rank(struct sdb_table *t, seerdb_slice key);

#endif
