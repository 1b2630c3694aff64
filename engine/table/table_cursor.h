/* SPDX-License-Identifier: Apache-2.0
 *
 * table_cursor -- what reads, walks and audits of one table share: the open table, its
 * data blocks in memory, a place among its records.
 *
 * Only table_reader, table_iter and table_verify include this.  A table is shared by
 * threads; a block in memory is immutable and counted by its pin; a cursor is one
 * thread's, starts as {.table = t} and owns the count on the block it holds. */
#ifndef SDB_TABLE_TABLE_CURSOR_H
#define SDB_TABLE_TABLE_CURSOR_H

#include "os/pages.h"
#include "table/block.h"
#include "table/cache.h"
#include "table/table_index.h"

#include <stdatomic.h>

/* A table's file in memory, and those of its blocks that were looked at there. */
struct sdb_table_map {
    struct sdb_map *map; /* one count */
    /* One count each; NULL: not looked at yet, or compressed, which the cache may have.
     * Release when a block was checked; acquire in sdb_table_load. */
    _Atomic(struct sdb_loaded *) blocks[];
};

struct sdb_table {
    /* Relaxed up; acq_rel down, so that the last one sees all. */
    _Atomic uint32_t count;
    struct sdb_file *file;        /* owned */
    struct sdb_table_index index; /* immutable after open */
    struct sdb_table *of;         /* counted: whose index it is; NULL: its own */
    struct sdb_cache *cache;      /* borrowed; NULL: none.  Immutable once shared */
    struct sdb_pages *pages; /* of its blocks; borrowed; NULL: the heap.  The same */
    uint64_t cache_name;
    /* Owned; NULL: blocks are read.  Release: sdb_table_use_map; acquire: readers. */
    _Atomic(struct sdb_table_map *) map;
    /* A codec that no thread is using, or NULL; acq_rel: whoever takes it owns it. */
    _Atomic(struct sdb_codec *) codec;
};

/* A data block in memory. */
struct sdb_loaded {
    seerdb_pin pin;
    struct sdb_pages *pages; /* where this memory is from; NULL: the heap */
    struct sdb_map *map;     /* counted: where its bytes are; NULL: behind this */
    size_t size;             /* of the bytes behind this */
    struct sdb_block block;
};
/* Bytes follow at this distance: a stored block then has its codes 64-aligned. */
#define SDB_LOADED_SIZE ((sizeof(struct sdb_loaded) + 63) & ~(size_t)63)

/* A place in the table: slot may be the block's n, the place after its last record. */
struct sdb_table_cursor {
    struct sdb_table *table; /* borrowed */
    struct sdb_loaded *held; /* one count; NULL: nowhere */
    uint32_t index;          /* of held */
    unsigned slot;
};

/* Room for a block of so many bytes from the pool (NULL: the heap), one count; NULL
 * with NOMEM in err. */
struct sdb_loaded *sdb_loaded_new(struct sdb_pages *pages, size_t bytes,
                                  seerdb_err *err);

/* If the pool is crowded, drop those of the cache's blocks that keep its emptiest
 * regions. */
void sdb_loaded_make_room(struct sdb_cache *cache, struct sdb_pages *pages);

static inline uint8_t *sdb_loaded_bytes(struct sdb_loaded *l)
{
    return (uint8_t *)l + SDB_LOADED_SIZE;
}

/* Replace *l, a stored block of `size` bytes as read from `off`, by the block it is.
 * On failure *l, the one or the other, is still the caller's. */
int sdb_table_open_stored(struct sdb_table *t, uint64_t off, struct sdb_loaded **l,
                          uint32_t size, seerdb_err *err) SDB_MUST_CHECK;

/* Let go of the map (NULL is fine) of a table with n blocks. */
void sdb_table_map_free(struct sdb_table_map *m, uint32_t n);

/* Data block i, from the map, the cache or the file: one count, the caller's. */
int sdb_table_load(struct sdb_table *t, uint32_t i, enum sdb_cache_use use,
                   struct sdb_loaded **out, seerdb_err *err) SDB_MUST_CHECK;

/* Stand on block i (slot is left as it was); nothing to do when it is held already. */
int sdb_table_cursor_load(struct sdb_table_cursor *c, uint32_t i, seerdb_err *err)
    SDB_MUST_CHECK;

/* Move to the first record at or after (key, ceiling).  *exact: it is of that key.
 * Otherwise the slot may be the block's n: the first record is then in the next
 * block, and not of that key.  `code` is the key's. */
int sdb_table_cursor_locate_code(struct sdb_table_cursor *c, seerdb_slice key,
                                 uint64_t code, uint64_t ceiling, bool *exact,
                                 seerdb_err *err) SDB_MUST_CHECK;

SDB_MUST_CHECK static inline int sdb_table_cursor_locate(struct sdb_table_cursor *c,
                                                         seerdb_slice key,
                                                         uint64_t ceiling, bool *exact,
                                                         seerdb_err *err)
{
    return sdb_table_cursor_locate_code(c, key, sdb_code(&c->table->index.coder, key),
                                        ceiling, exact, err);
}

static inline void sdb_table_cursor_fini(struct sdb_table_cursor *c)
{
    if (c->held != NULL)
        seerdb_pin_unref(&c->held->pin);
    c->held = NULL;
}

#endif
