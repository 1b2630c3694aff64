/* SPDX-License-Identifier: Apache-2.0
 *
 * mergeop -- what merge operators are asked, and the operators of the engine's own.
 *
 * A *merging* gathers the operands of one key: its merge records from the newest down,
 * each of which says (from) which older ones it includes already.  Life: zeros, then
 * per key begin, add, and full or list; fini.  One thread.  What the results point to
 * stays until the next call.  No locks, no I/O. */
#ifndef SDB_TREE_MERGEOP_H
#define SDB_TREE_MERGEOP_H

#include "table/key.h"
#include "table/operands.h"

/* A list of more operands, or bytes, is not made of shorter ones. */
#define SDB_MERGE_LIST_MAX  1000u
#define SDB_MERGE_BYTES_MAX ((size_t)1 << 20)

struct seerdb_merge_out {
    struct sdb_buf bytes;
    bool hurried, too_big;
};

struct sdb_merging {
    struct sdb_buf bytes;   /* values of merge records, as they were added */
    struct sdb_buf records; /* struct sdb_merging_record: their places, newest first */
    struct sdb_buf slices;  /* seerdb_slice: operands, oldest first */
    struct sdb_buf list;    /* a new record's value */
    seerdb_merge_out out;
    size_t n;       /* operands */
    uint64_t below; /* what comes next in the chain has a smaller number */
    bool hurried;   /* for the calls of operators from here on; begin leaves it alone */
};

void sdb_merging_begin(struct sdb_merging *m);
void sdb_merging_fini(struct sdb_merging *m);

/* Take in a merge record, which is older than all before.  Copies.  CORRUPT. */
int sdb_merging_add(struct sdb_merging *m, const struct sdb_record *r, seerdb_err *err)
    SDB_MUST_CHECK;

/* Does a version of that number say anything, or was it included in a newer one? */
static inline bool sdb_merging_wants(const struct sdb_merging *m, uint64_t number)
{
    return number < m->below;
}

/* The value, with this base (NULL: none).  NOTFOUND: the key has none.  Otherwise what
 * the operator answered, with its name and the key; TOOBIG; NOMEM. */
int sdb_merging_full(struct sdb_merging *m, const seerdb_merge_operator *op,
                     seerdb_slice key, const seerdb_slice *base, seerdb_slice *out,
                     seerdb_err *err) SDB_MUST_CHECK;

/* The same of r alone, a merge record, whatever was added. */
int sdb_merging_apply(struct sdb_merging *m, const seerdb_merge_operator *op,
                      const struct sdb_record *r, const seerdb_slice *base,
                      seerdb_slice *out, seerdb_err *err) SDB_MUST_CHECK;

/* Has the record one operand, as most have?  Then m wants what it does not include, and
 * has not taken it in. */
bool sdb_merging_single(struct sdb_merging *m, const struct sdb_record *r,
                        seerdb_slice *operand) SDB_MUST_CHECK;

/* The value of a merge record with that `from` which does what all of them do: as few
 * operands as op makes of them (NULL: as many as there are).  Failures of the operator
 * make it longer.  NOMEM. */
int sdb_merging_list(struct sdb_merging *m, const seerdb_merge_operator *op,
                     seerdb_slice key, uint64_t from, seerdb_slice *out,
                     seerdb_err *err) SDB_MUST_CHECK;

/* One operand for two, oldest first, that nobody has gathered.  False: it makes none of
 * them, for whatever reason. */
bool sdb_merging_pair(struct sdb_merging *m, const seerdb_merge_operator *op,
                      seerdb_slice key, const seerdb_slice operands[2],
                      seerdb_slice *out) SDB_MUST_CHECK;

/* The same, as the value of a merge record with that `from`. */
bool sdb_merging_two(struct sdb_merging *m, const seerdb_merge_operator *op,
                     seerdb_slice key, const seerdb_slice operands[2], uint64_t from,
                     seerdb_slice *out) SDB_MUST_CHECK;

#endif
