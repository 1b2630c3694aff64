/* SPDX-License-Identifier: Apache-2.0
 *
 * table_format -- sizes and fixed fields that the table's writer and reader share.
 * FORMAT.md, "Table". */
#ifndef SDB_TABLE_TABLE_FORMAT_H
#define SDB_TABLE_TABLE_FORMAT_H

#include "base/codec.h"
#include "base/coding.h"
#include "base/hash.h"
#include "table/keycode.h"

#define SDB_TABLE_MAGIC     "SEERTBL1"
#define SDB_TABLE_VERSION   1u
#define SDB_TABLE_ALIGN     64u
#define SDB_TABLE_HEADER    64u
#define SDB_TABLE_FOOTER    64u
#define SDB_FOOTER_LENGTHS  8u  /* of the parts, in the footer */
#define SDB_FOOTER_RANGES   44u /* of the last of them */
#define SDB_STORED_HEADER   32u /* in front of every block */
#define SDB_INDEX_HEADER    8u
#define SDB_INDEX_PER_BLOCK (8u + 4u + 4u)

/* Both are on disk. */
enum sdb_block_type {
    SDB_BLOCK_DATA = 1,
    SDB_BLOCK_INDEX = 2,
    SDB_BLOCK_PROPERTIES = 3,
    SDB_BLOCK_FILTER = 4,
    SDB_BLOCK_MODEL = 5,
    SDB_BLOCK_RANGES = 6
};

/* What follows the data blocks, in this order. */
enum sdb_table_part {
    SDB_PART_INDEX,
    SDB_PART_FILTER, /* may be absent */
    SDB_PART_MODEL,  /* may be absent */
    SDB_PART_PROPERTIES,
    SDB_PART_RANGES, /* may be absent */
    SDB_PARTS
};

enum sdb_table_property {
    SDB_PROP_RECORDS = 1,
    SDB_PROP_TOMBSTONES = 2,
    SDB_PROP_BLOCKS = 3,
    SDB_PROP_KEY_BYTES = 4,
    SDB_PROP_VALUE_BYTES = 5,
    SDB_PROP_MIN_NUMBER = 6,
    SDB_PROP_MAX_NUMBER = 7,
    SDB_PROP_SMALLEST = 8,
    SDB_PROP_LARGEST = 9,
    SDB_PROP_VLOG_REFS = 10, /* absent: there are none */
    SDB_PROP_FEATURES = 11,
    SDB_PROP_RANGES = 12,  /* absent, as the next: there are none */
    SDB_PROP_OPEN_END = 13 /* 1: the largest key is an end, and not in the table */
};

_Static_assert(SDB_TABLE_HEADER % SDB_TABLE_ALIGN == 0, "blocks start aligned");
_Static_assert((SDB_TABLE_ALIGN & (SDB_TABLE_ALIGN - 1)) == 0, "a power of two");
_Static_assert(SDB_FOOTER_LENGTHS + 4 * SDB_PART_RANGES == 24, "the UUID follows");
_Static_assert(SDB_CODEC_NONE == 0 && SDB_CODEC_ZSTD == 1, "on disk");
_Static_assert(SDB_SCHEME_S0 == 0 && SDB_SCHEME_S2 == 2, "on disk");

#define SDB_STORED_CODEC 16u /* where its codec stands */

/* Where in the footer the stored length of the part is. */
static inline size_t sdb_footer_length(enum sdb_table_part part)
{
    return part == SDB_PART_RANGES ? SDB_FOOTER_RANGES
                                   : SDB_FOOTER_LENGTHS + 4 * (size_t)part;
}

/* What a stored block's header says; the check is apart. */
struct sdb_stored {
    uint32_t stored_size, raw_size;
    uint8_t codec, type;
};

static inline uint64_t sdb_table_align(uint64_t off)
{
    return (off + SDB_TABLE_ALIGN - 1) & ~(uint64_t)(SDB_TABLE_ALIGN - 1);
}

/* Check of a whole stored block (header and bytes) that lies at `off`. */
static inline uint64_t sdb_stored_check(const uint8_t *block, size_t size,
                                        uint64_t seed, uint64_t off)
{
    return sdb_hash64(block + 8, size - 8, seed + off);
}

#endif
