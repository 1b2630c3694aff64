/* SPDX-License-Identifier: Apache-2.0
 *
 * cache -- blocks of tables, checked and uncompressed, kept in memory within a bound.
 *
 * An entry is a counted block under (table, number of the block).  A hit gives one
 * count to the caller, who may keep it as long as it likes, evicted or not; what
 * readers hold beyond that is theirs to bound.
 *
 * Replacement after S3-FIFO without its ghost queue (Yang et al., SOSP 2023): new
 * blocks pass a short probation queue; those that were asked for again there go to the
 * main queue, where a second chance keeps what is used.  A scan's blocks are not
 * counted as asked for, so a scan of any length stays in the probation queue.
 *
 * Any thread.  Shards have a lock each (LK_CACHE). */
#ifndef SDB_TABLE_CACHE_H
#define SDB_TABLE_CACHE_H

#include "base/pin.h"
#include "os/sync.h"

#include <stdbool.h>

struct sdb_cache;

/* NULL: no memory.  Room for `capacity` bytes of blocks and their entries. */
struct sdb_cache *sdb_cache_new(size_t capacity);
void sdb_cache_free(struct sdb_cache *c); /* gives its counts back; accepts NULL */

/* Change the bound; evicts at once what is over. */
void sdb_cache_resize(struct sdb_cache *c, size_t capacity);

/* A name for a table's blocks, never used twice in a process. */
uint64_t sdb_cache_new_table(void);

enum sdb_cache_use {
    SDB_CACHE_POINT, /* worth remembering */
    SDB_CACHE_SCAN   /* passing by */
};

/* The block with one count for the caller, or NULL. */
seerdb_pin *sdb_cache_get(struct sdb_cache *c, uint64_t table, uint32_t block,
                          enum sdb_cache_use use) EXCLUDES(LK_CACHE);

/* Offer a block that takes `bytes`; the cache takes a count of its own if it keeps it.
 * Of two offers of one block the first stays. */
void sdb_cache_put(struct sdb_cache *c, uint64_t table, uint32_t block, seerdb_pin *pin,
                   size_t bytes) EXCLUDES(LK_CACHE);

/* For whoever rewrites tables: whether the block is there, and whether it was worth
 * remembering (POINT) or is passing by.  Changes nothing. */
bool sdb_cache_peek(struct sdb_cache *c, uint64_t table, uint32_t block,
                    enum sdb_cache_use *use) EXCLUDES(LK_CACHE);

/* A put of a block that follows others which were there: with POINT it need not prove
 * itself again. */
void sdb_cache_inherit(struct sdb_cache *c, uint64_t table, uint32_t block,
                       seerdb_pin *pin, size_t bytes, enum sdb_cache_use use)
    EXCLUDES(LK_CACHE);

/* Nobody will ask for the table's blocks, 0 to n - 1, again. */
void sdb_cache_forget(struct sdb_cache *c, uint64_t table, uint32_t n)
    EXCLUDES(LK_CACHE);

/* Drop the blocks for which `must` is true; it is called under locks and only looks. */
void sdb_cache_drop(struct sdb_cache *c, bool (*must)(const seerdb_pin *pin))
    EXCLUDES(LK_CACHE);

struct sdb_cache_counters {
    uint64_t hits, misses, evictions;
    size_t bytes, capacity;
};
void sdb_cache_count(struct sdb_cache *c, struct sdb_cache_counters *out)
    EXCLUDES(LK_CACHE);

#endif
