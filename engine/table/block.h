/* SPDX-License-Identifier: Apache-2.0
 *
 * block -- up to 64 records laid out as columns.
 *
 * The builder takes records in order and writes the block's bytes; the reader works
 * on those bytes in place.  A get looks at the code column, then at one record.
 * No restart chains: every slot is reached by arithmetic.  FORMAT.md, "Data block". */
#ifndef SDB_TABLE_BLOCK_H
#define SDB_TABLE_BLOCK_H

#include "base/buf.h"
#include "table/keycode.h"

#define SDB_BLOCK_SLOTS 64
#define SDB_META_KIND   0x0fu
#define SDB_META_OLDER  0x10u

/* Builder.  Life: zero-initialise, add (1 to 64), finish, and again; fini. */
struct sdb_block_builder {
    unsigned n;
    uint64_t codes[SDB_BLOCK_SLOTS];
    uint64_t numbers[SDB_BLOCK_SLOTS];
    uint32_t starts[SDB_BLOCK_SLOTS + 1];
    uint32_t key_sizes[SDB_BLOCK_SLOTS];
    uint8_t metas[SDB_BLOCK_SLOTS];
    /* Of the slots in use, so that the size is known at any time. */
    uint64_t min_number, max_number;
    uint32_t min_key_size, max_key_size;
    size_t record_size; /* of the first one, in the heap */
    bool metas_differ, sizes_differ;
    struct sdb_buf heap;
};

void sdb_block_builder_fini(struct sdb_block_builder *b);
/* Requires: b->n < SDB_BLOCK_SLOTS; records rise (key, number falling).  `older`: same
 * user key as the record before it in the table (maybe in the block before). */
void sdb_block_add(struct sdb_block_builder *b, const struct sdb_coder *coder,
                   const struct sdb_record *r, bool older);
/* Bytes that the block would take now, at most. */
size_t sdb_block_builder_size(const struct sdb_block_builder *b);
/* Append the block to out and start the next one. Requires: n > 0. */
int sdb_block_finish(struct sdb_block_builder *b, struct sdb_buf *out, seerdb_err *err)
    SDB_MUST_CHECK;

/* A parsed block: borrows the bytes. */
struct sdb_block {
    unsigned n;
    uint8_t code_width, start_width, key_width, number_width, meta_width;
    uint8_t meta_base;
    uint8_t code_shift; /* width 4: the column has (code - code_base) >> code_shift */
    uint64_t code_base;
    uint32_t key_base;
    uint32_t record_size; /* start width 0: of every record, in the heap */
    uint64_t number_base;
    const uint8_t *codes, *numbers, *starts, *key_sizes, *metas, *heap;
    uint32_t heap_size;
};

/* Check the bytes' structure completely (every offset, size, kind and number, and the
 * order of the codes), so that the accessors need no checks.  The order of the keys is
 * left to those who verify.  CORRUPT, with `where` naming the place. */
int sdb_block_parse(seerdb_slice bytes, const char *where, struct sdb_block *out,
                    seerdb_err *err) SDB_MUST_CHECK;

/* Packing leaves the codes out: the keys have them already, and no codec sees that.
 *
 * Append a finished block without its codes to `out` (sticky). */
void sdb_block_strip(seerdb_slice block, struct sdb_buf *out);
/* How many bytes of codes a stripped block lacks, at most SDB_BLOCK_CODES_MAX; false:
 * its header is malformed. */
#define SDB_BLOCK_CODES_MAX ((size_t)SDB_BLOCK_SLOTS * 8)
bool sdb_block_lacks(seerdb_slice stripped, size_t *codes);
/* Make room in front of a stripped block into the block it was, codes zeroed. Requires:
 * `codes` writable bytes lie before it.  Returns where the block begins now. */
uint8_t *sdb_block_widen(uint8_t *stripped, size_t codes);
/* Fill in the codes of a parsed block whose bytes are at `bytes`. False: they are not
 * codes that the block could have. */
bool sdb_block_restore(const struct sdb_block *b, uint8_t *bytes,
                       const struct sdb_coder *coder) SDB_MUST_CHECK;

/* Element i of a column; the loops below it are the hottest of the engine. */
static inline uint64_t sdb_block_column(const uint8_t *p, uint8_t width, unsigned i)
{
    switch (width) {
    case 1:
        return p[i];
    case 2:
        return sdb_load_u16(p + 2 * (size_t)i);
    case 4:
        return sdb_load_u32(p + 4 * (size_t)i);
    case 8:
        return sdb_load_u64(p + 8 * (size_t)i);
    default:
        return 0;
    }
}

/* A code as the column has it, for a code that is in the block. */
static inline uint64_t sdb_block_stored_code(const struct sdb_block *b, uint64_t code)
{
    return b->code_width == 0 ? 0 : (code - b->code_base) >> b->code_shift;
}

/* Of record i; Requires: i < n. */
static inline uint64_t sdb_block_number(const struct sdb_block *b, unsigned i)
{
    return b->number_base + sdb_block_column(b->numbers, b->number_width, i);
}

static inline uint8_t sdb_block_meta(const struct sdb_block *b, unsigned i)
{
    return b->meta_width == 0 ? b->meta_base : b->metas[i];
}

/* Same user key as the record before it in the table. */
static inline bool sdb_block_is_older(const struct sdb_block *b, unsigned i)
{
    return (sdb_block_meta(b, i) & SDB_META_OLDER) != 0;
}

static inline uint32_t sdb_block_start(const struct sdb_block *b, unsigned i)
{
    return b->start_width == 0
               ? i * b->record_size
               : (uint32_t)sdb_block_column(b->starts, b->start_width, i);
}

static inline seerdb_slice sdb_block_key(const struct sdb_block *b, unsigned i)
{
    size_t size = b->key_base + sdb_block_column(b->key_sizes, b->key_width, i);
    return (seerdb_slice){b->heap + sdb_block_start(b, i), size};
}

static inline void sdb_block_record(const struct sdb_block *b, unsigned i,
                                    struct sdb_record *out)
{
    seerdb_slice key = sdb_block_key(b, i);
    const uint8_t *value = (const uint8_t *)key.data + key.size;
    const uint8_t *end = b->heap + sdb_block_start(b, i + 1);
    *out = (struct sdb_record){
        .key = key,
        .number = sdb_block_number(b, i),
        .kind = (enum sdb_kind)(sdb_block_meta(b, i) & SDB_META_KIND),
        .value = {value, (size_t)(end - value)}};
}

/* The first slot whose key is >= key, n if none.  `code` is the key's under the
 * table's coder. */
unsigned sdb_block_lower_bound(const struct sdb_block *b, uint64_t code,
                               seerdb_slice key);

#endif
