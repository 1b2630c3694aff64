/* SPDX-License-Identifier: Apache-2.0
 *
 * gather -- merge records of one key from where they lie: for reads, for commits, and
 * for a memtable that takes another one in.  What is gathered is in the caller's
 * struct sdb_merging, which the results point into.  One thread; no locks. */
#ifndef SDB_TREE_GATHER_H
#define SDB_TREE_GATHER_H

#include "table/iter.h"
#include "table/ranges.h"
#include "tree/memtable.h"
#include "tree/mergeop.h"

/* Take in the merge record that the iterator stands on and those that it builds upon.
 * 0: it stands on what they start from, a value or a tombstone; NOTFOUND: on the last
 * version, and there is no such. */
int sdb_gather(struct sdb_merging *m, struct sdb_iter *it, seerdb_err *err)
    SDB_MUST_CHECK;

/* One record for what a commit, or a part of it, says about a key: of the versions with
 * a number above `above`, less those that one of the ranges deletes. */
struct sdb_gather_commit {
    const seerdb_merge_operator *op;
    struct sdb_merging *merging;
    uint64_t above;
    const struct sdb_ranges *ranges; /* NULL: none */
    /* Reads the whole value of a record with segments (tree/fold.h). */
    int (*resolve)(void *ctx, const struct sdb_record *r, seerdb_value *out,
                   seerdb_err *err);
    void *resolve_ctx;
    bool stays; /* what the iterator has shown stays while it goes on */
};
/* r is the merge record that the iterator stands on, and becomes that one: a value or a
 * tombstone, where the operands have something to start from, else a merge record which
 * includes what its own number says.  A failure of the operator is the result's: there
 * is no record that could say both. */
int sdb_gather_commit(const struct sdb_gather_commit *c, struct sdb_iter *it,
                      struct sdb_record *r, seerdb_err *err) SDB_MUST_CHECK;

/* A memtable takes a merge record in, after it is made into one that includes, or a
 * value that is, what the key's newest version says. */
struct sdb_cumulate {
    const seerdb_merge_operator *op;
    struct sdb_merging *merging;
    const struct sdb_hidden *hidden; /* versions that do not count; NULL: none */
    uint64_t above;                  /* versions up to it are to stay apart */
    size_t most;                     /* bytes of a value that is worth it */
    /* The memtable that was filled before this one, NULL: do not look.  Of a key that
     * this one has nothing of, its newest version is built upon if it is a value or a
     * tombstone with a number above beneath_from: so a counter that is hot stays a
     * value from one memtable to the next.  Requires: nothing that is newer than such a
     * version lies anywhere else. */
    struct sdb_memtable *beneath;
    uint64_t beneath_from;
    bool hurried;  /* locks are held */
    bool tolerant; /* of the operator: where it fails the record stays as it is */
};
/* r becomes what is inserted, or stays as it is where that is better.  Fails, as
 * sdb_memtable_insert does, and, if not tolerant, when the operator does with a value
 * or a tombstone to start from; then nothing is inserted.  Writer of m. */
int sdb_cumulate(const struct sdb_cumulate *c, struct sdb_memtable *m,
                 struct sdb_record *r, seerdb_err *err) EXCLUDES(LK_RANGES)
    SDB_MUST_CHECK;

#endif
