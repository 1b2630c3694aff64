/* SPDX-License-Identifier: Apache-2.0
 *
 * table_index -- what stays in memory of an open table: where its blocks are, which of
 * them may hold a key, its properties.
 *
 * Index, properties and footer are one piece of memory as they are in the file, and
 * are searched in place.  Life: load, fini.  Immutable between but for the counts:
 * any thread. FORMAT.md, "Index block", "Filter block", "Model block", "Properties
 * block", "Range block", "Footer". */
#ifndef SDB_TABLE_TABLE_INDEX_H
#define SDB_TABLE_TABLE_INDEX_H

#include "os/file.h"
#include "table/filter.h"
#include "table/learned.h"
#include "table/ranges.h"
#include "table/table_format.h"

#include <stdatomic.h>

struct sdb_table_properties {
    uint64_t records, tombstones, blocks, key_bytes, value_bytes, min_number,
        max_number;
    uint64_t ranges;
    bool open_end; /* largest is the end of a range, and no key of the table */
    enum sdb_scheme scheme;
    seerdb_slice smallest, largest; /* borrowed */
    seerdb_slice vlogs; /* borrowed: references to the value log, as written */
};

/* What searches came upon: of one table, or of one reader.  Relaxed and without
 * read-modify-write, which would cost more than what it counts: threads that meet may
 * lose one. */
struct sdb_table_counts {
    _Atomic uint64_t corrected;       /* predictions that the fences had to correct */
    _Atomic uint64_t filter_passed;   /* keys the filter let pass */
    _Atomic uint64_t filter_negative; /* keys the filter ruled out */
    _Atomic uint64_t filter_false;    /* keys it let pass that are not there */
    _Atomic uint64_t runs_negative;   /* keys the model's runs ruled out */
    _Atomic uint64_t model_checked;   /* predictions compared with the truth */
    _Atomic uint64_t model_off;       /* blocks between the two, added up */
    _Atomic bool deep;                /* of a reader: compare them in this lookup */
};

static inline void sdb_table_count(_Atomic uint64_t *counter)
{
    uint64_t n = atomic_load_explicit(counter, memory_order_relaxed);
    atomic_store_explicit(counter, n + 1, memory_order_relaxed);
}

struct sdb_table_index {
    const char *path; /* borrowed from the file */
    seerdb_uuid id;
    uint64_t seed, size; /* of checksums; of the file */
    uint64_t meta_off;   /* of meta in the file: the index block */
    size_t meta_size;
    uint8_t *meta; /* owned: the parts, to the footer */
    struct {
        size_t off, size; /* in meta; size 0: absent */
    } parts[SDB_PARTS];
    struct sdb_coder coder;
    uint32_t n;                              /* data blocks */
    const uint8_t *fences, *offsets, *sizes; /* borrow from meta */
    seerdb_slice *separators;                /* owned, of n; NULL under S0 */
    struct sdb_search16 search;              /* over the fences */
    struct sdb_filter filter;                /* n 0: none */
    struct sdb_learned learned;              /* nsegments 0, nruns 0: none */
    struct sdb_table_properties props;
    struct sdb_ranges *ranges;                   /* counted; NULL: none */
    _Alignas(64) struct sdb_table_counts counts; /* apart from what is only read */
};

/* Read everything but the data blocks.  x is overwritten; fini is due whatever the
 * result.  CORRUPT unless the file is a table with this id and size. */
int sdb_table_index_load(struct sdb_table_index *x, struct sdb_file *f,
                         const seerdb_uuid *id, uint64_t file_size,
                         enum sdb_purpose why, seerdb_err *err) SDB_MUST_CHECK;
void sdb_table_index_fini(struct sdb_table_index *x); /* accepts all zeros */

/* Bytes held on the heap. */
size_t sdb_table_index_memory(const struct sdb_table_index *x);

/* The blocks that the index cannot place against key: [*lo, *hi), mostly none.  The
 * records of block *lo - 1 may be on both sides of key; the first keys of all blocks
 * from *hi on are greater.  `code` is the key's. */
void sdb_table_index_search(struct sdb_table_index *x, uint64_t code, seerdb_slice key,
                            uint32_t *lo, uint32_t *hi);

/* How many blocks the model's prediction for the code is from the one that has it;
 * false: there is no model to ask.  For measurements: it searches without the model,
 * too. */
bool sdb_table_index_error(const struct sdb_table_index *x, uint64_t code,
                           uint64_t *blocks);

/* Check a stored block of `size` bytes, header included, that was read from `off`. */
int sdb_table_index_stored(const struct sdb_table_index *x, uint64_t off,
                           const uint8_t *p, uint32_t size, enum sdb_block_type type,
                           struct sdb_stored *out, seerdb_err *err) SDB_MUST_CHECK;

/* Of block i: offset in the file, stored size with its header, code of its first key.
 */
static inline uint64_t sdb_table_index_off(const struct sdb_table_index *x, uint32_t i)
{
    return sdb_load_u32(x->offsets + 4 * (size_t)i) * (uint64_t)SDB_TABLE_ALIGN;
}

static inline uint32_t sdb_table_index_size(const struct sdb_table_index *x, uint32_t i)
{
    return sdb_load_u32(x->sizes + 4 * (size_t)i);
}

static inline uint64_t sdb_table_index_fence(const struct sdb_table_index *x,
                                             uint32_t i)
{
    return sdb_load_u64(x->fences + 8 * (size_t)i);
}

#endif
