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

/* Builder.  Life: zero-initialise, add (1 to 64), finish, and again; fini. */
struct sdb_block_builder {
    unsigned n;
    uint64_t codes[SDB_BLOCK_SLOTS];
    uint64_t numbers[SDB_BLOCK_SLOTS];
    uint32_t starts[SDB_BLOCK_SLOTS + 1];
    uint32_t key_sizes[SDB_BLOCK_SLOTS];
    uint8_t metas[SDB_BLOCK_SLOTS];
    struct sdb_buf heap;
};

void sdb_block_builder_fini(struct sdb_block_builder *b);
/* Requires: b->n < SDB_BLOCK_SLOTS; records rise (key, number falling).  `older`: same
 * user key as the record before it in the table (maybe in the block before). */
void sdb_block_add(struct sdb_block_builder *b, const struct sdb_coder *coder,
                   const struct sdb_record *r, bool older);
/* Bytes the block would take now. */
size_t sdb_block_builder_size(const struct sdb_block_builder *b);
/* Append the block to out and start the next one. Requires: n > 0. */
int sdb_block_finish(struct sdb_block_builder *b, struct sdb_buf *out,
                     seerdb_err *err) SDB_MUST_CHECK;

/* A parsed block: borrows the bytes. */
struct sdb_block {
    unsigned n;
    uint8_t code_width, start_width, key_width, number_width, meta_width;
    uint8_t meta_base;
    uint32_t key_base;
    uint64_t number_base;
    const uint8_t *codes, *numbers, *starts, *key_sizes, *metas, *heap;
    uint32_t heap_size;
};

/* Check the bytes' structure completely (every offset, size, kind and number), so
 * that the accessors need no checks.  CORRUPT, with `where` naming the place. */
int sdb_block_parse(seerdb_slice bytes, const char *where, struct sdb_block *out,
                    seerdb_err *err) SDB_MUST_CHECK;

/* Record i; Requires: i < n. `older`: same user key as the one before it. */
void sdb_block_record(const struct sdb_block *b, unsigned i, struct sdb_record *out,
                      bool *older);
seerdb_slice sdb_block_key(const struct sdb_block *b, unsigned i);
uint64_t sdb_block_number(const struct sdb_block *b, unsigned i);
bool sdb_block_is_older(const struct sdb_block *b, unsigned i);

/* The first slot whose key is >= key, n if none.  `code` is the key's under the
 * table's coder. */
unsigned sdb_block_lower_bound(const struct sdb_block *b, uint64_t code,
                               seerdb_slice key);

#endif
