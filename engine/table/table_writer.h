/* SPDX-License-Identifier: Apache-2.0
 *
 * table_writer -- write one immutable table from records in rising order, and from
 * range tombstones in any order.
 *
 * The filter needs eight bytes of memory per key until the end.  It is left out where
 * the model has runs: those know every key.
 *
 * Life: new, add and range (many), finish, free; free without finish abandons the file,
 * which the caller then removes.  The first failure sticks: later calls do nothing,
 * finish returns it.  One thread at a time; no locks.  FORMAT.md, "Table". */
#ifndef SDB_TABLE_TABLE_WRITER_H
#define SDB_TABLE_TABLE_WRITER_H

#include "base/buf.h"
#include "base/codec.h"
#include "os/file.h"
#include "table/expiries.h"
#include "table/learned.h"
#include "table/ranges.h"
#include "table/segments.h"

struct sdb_table_writer;

struct sdb_table_writer_options {
    seerdb_slice smallest, largest; /* every key lies between: sets the coder */
    int compression;                /* 0: none; else the zstd level */
    size_t block_size;              /* target bytes of a block; 0: 16 KiB */
    unsigned filter_bits;           /* per key; 0: no filter */
    enum seerdb_index index;        /* whether a model may be written */
    seerdb_uuid id;                 /* of the table; all zeros: random */
    /* Told of every data block in order, the i-th: the block as readers see it
     * (block.h), borrowed; whether it is stored packed.  NULL: nobody is. */
    void (*told)(void *ctx, uint32_t i, seerdb_slice block, bool packed);
    void *ctx;
    /* When a row expires; UINT64_MAX: never.  Times up to expired_by do not count:
     * those rows stayed although they have expired.  NULL: it is not asked about. */
    uint64_t (*expiry)(const void *ctx, const struct sdb_record *r);
    const void *expiry_ctx;
    uint64_t expired_by;
    bool expiry_lasts; /* what it says is so for ever */
};

/* What a finished table is; slices and vlogs borrow from the writer until it is freed.
 */
struct sdb_table_summary {
    seerdb_uuid id; /* random; seeds the checksums */
    uint64_t file_size, records, tombstones, blocks;
    uint64_t key_bytes, value_bytes; /* before compression */
    uint64_t ranges;                 /* range tombstones */
    uint64_t min_number, max_number; /* of records and ranges */
    seerdb_slice smallest, largest;  /* all keys and ranges lie between */
    bool open_end;         /* largest is the end of a range, and no key of the table */
    uint64_t first_expiry; /* of its records; 0: none expires */
    uint64_t expiry_due;   /* when enough of them have expired; UINT64_MAX: never */
    uint64_t last_expiry;  /* when all have, for good; 0: never, or not known */
    const struct sdb_vlog_ref *vlogs; /* what its records name of the value log */
    size_t nvlogs;
};

/* Borrows f, empty and open for writing. */
int sdb_table_writer_new(struct sdb_file *f, const struct sdb_table_writer_options *o,
                         struct sdb_table_writer **out, seerdb_err *err) SDB_MUST_CHECK;

/* Requires: the record sorts after the one before (MISUSE, sticky, if it does not).
 * Copies.  TOOBIG, sticky, when the file or the index outgrows its format. */
void sdb_table_writer_add(struct sdb_table_writer *w, const struct sdb_record *r);
/* A range tombstone; any time before finish.  Copies.  An empty one, or a double, is
 * left out. */
void sdb_table_writer_range(struct sdb_table_writer *w, const struct sdb_range *r);
uint64_t sdb_table_writer_size(const struct sdb_table_writer *w); /* bytes so far */

/* Write what is left, the index and the footer, and sync the file (not its
 * directory).  MISUSE: nothing was added.  Of ranges alone it makes a table with one
 * record: a tombstone at the start of the first one, with its number.  It says nothing
 * that the range does not say, and spares every reader the table without records. */
int sdb_table_writer_finish(struct sdb_table_writer *w, struct sdb_table_summary *out,
                            seerdb_err *err) SDB_MUST_CHECK;
void sdb_table_writer_free(struct sdb_table_writer *w); /* accepts NULL */

#endif
