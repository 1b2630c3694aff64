/* SPDX-License-Identifier: Apache-2.0
 *
 * learned -- a model of where in a table a key code lies, and, where the keys are
 * regular enough, of which keys there are.
 *
 * Two parts, each of which may be absent:
 *
 *   segments  straight lines from code to rank (block * 64 + slot).  The prediction for
 *             a code that was added is at most SDB_LEARNED_EPS off; a search corrects
 * it with the fences and never depends on it. runs      arithmetic progressions of
 * codes that stand for keys one to one.  They are all the keys of the table: what is in
 * no run is not in the table.
 *
 * Builder: zero-initialise, add (every record, in order), finish; fini.  Reader: parse
 * the file's bytes, which are searched in place; fini.  Immutable then: any thread.
 * FORMAT.md, "Model block". */
#ifndef SDB_TABLE_LEARNED_H
#define SDB_TABLE_LEARNED_H

#include "base/buf.h"
#include "table/keycode.h"
#include "table/search16.h"

#define SDB_LEARNED_EPS    128u /* two blocks */
#define SDB_LEARNED_HEADER 32u

struct sdb_learned_builder {
    struct sdb_buf codes, ranks, slopes; /* of closed segments, as stored */
    uint32_t nsegments;
    uint64_t code, rank;           /* the first point of the open segment */
    double least, most;            /* slopes that keep all its points within bounds */
    uint64_t last_code, last_rank; /* the last distinct code and its first record */
    uint64_t records;              /* added */

    struct sdb_buf firsts, steps, counts; /* of closed runs, as stored */
    uint32_t nruns;
    uint64_t first, step, count; /* the open run; count 0: none yet */
    size_t key_size;             /* of every key so far */
    bool irregular;              /* there are no runs */
};

void sdb_learned_builder_fini(struct sdb_learned_builder *b);

/* A record at this rank.  `older`: a version of the key before.  Requires: ranks rise,
 * codes do not fall; `code` is the key's under the table's coder c. */
void sdb_learned_add(struct sdb_learned_builder *b, const struct sdb_coder *c,
                     seerdb_slice key, uint64_t code, uint64_t rank, bool older);

/* What of the model is worth having: */
struct sdb_learned_worth {
    bool segments; /* few enough to beat the search of so many fences */
    bool runs;
};
/* Requires: something was added. */
struct sdb_learned_worth sdb_learned_finish(struct sdb_learned_builder *b,
                                            uint64_t nblocks);

/* Append the model block with these parts.  A failure, also of an add, is in out. */
void sdb_learned_encode(const struct sdb_learned_builder *b,
                        struct sdb_learned_worth parts, struct sdb_buf *out);

struct sdb_learned {
    uint32_t nsegments, nruns, eps;
    uint32_t key_size; /* of every key, where there are runs */
    const uint8_t *codes, *ranks, *slopes, *firsts, *steps, *counts; /* borrowed */
    struct sdb_search16 segments, runs; /* over codes and firsts */
};

/* Borrows the bytes; fini is due whatever the result.  1: not a model block of a table
 * of so many blocks and records.  NOMEM. */
int sdb_learned_parse(struct sdb_learned *l, seerdb_slice bytes, uint64_t nblocks,
                      uint64_t records, seerdb_err *err) SDB_MUST_CHECK;
void sdb_learned_fini(struct sdb_learned *l);           /* accepts all zeros */
uint64_t sdb_learned_keys(const struct sdb_learned *l); /* in all runs */
size_t sdb_learned_memory(const struct sdb_learned *l); /* beyond the bytes */

/* The rank to look at first for a code. Requires: nsegments > 0; every rank of the
 * table is <= last. */
uint64_t sdb_learned_rank(const struct sdb_learned *l, uint64_t code, uint64_t last);

/* Whether the table has a record of the key. Requires: nruns > 0; `code` is the key's
 * under the table's coder c. */
bool sdb_learned_has(const struct sdb_learned *l, const struct sdb_coder *c,
                     seerdb_slice key, uint64_t code);

#endif
