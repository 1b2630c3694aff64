/* SPDX-License-Identifier: Apache-2.0
 *
 * fold -- what survives of one key's history.
 *
 * One function for reads, flush and compaction: versions of a key go in newest first;
 * those come out that a reader at one of the snapshots, or at the present, needs.  Of
 * the versions between two neighbouring snapshots only the newest matters.  At the
 * bottom (nothing older lies below) a tombstone goes unless it hides an older version
 * that stays; of tombstones in a row, the oldest hides it.  A read is a fold with one
 * snapshot, its own number, at the bottom.  With a sieve, what that removes of the
 * newest versions counts as a tombstone.  Merge records become values where what they
 * build upon is at hand, and fewer where it is not.  Pure; no I/O of its own.
 * SDB_KIND_RANGE is refused as CORRUPT; SDB_KIND_SEGMENTS is a value whose bytes nobody
 * looks at here but through `resolve`. */
#ifndef SDB_TREE_FOLD_H
#define SDB_TREE_FOLD_H

#include "table/iter.h"
#include "table/ranges.h"
#include "tree/mergeop.h"
#include "tree/sieve.h"

struct sdb_fold {
    const uint64_t *snapshots; /* borrowed; rising */
    size_t nsnapshots;
    bool present; /* keep what a reader at the present needs; false for reads at one
                     snapshot */
    bool bottom;
    uint64_t history_from; /* versions with this number or a greater one all stay, and
                              the newest below it; 0: no history is kept */
    /* Range tombstones between the snapshots, and between the last of them and the
     * history (range_fold.h): who does not see a version because of them does not need
     * it.  Borrowed; rising; NULL: there are none. */
    const struct sdb_range_stripe *stripes;
    size_t nstripes;
    bool note_floor;  /* keep `floor` */
    uint64_t held_by; /* out, during emit: the oldest snapshot that needs the version,
                         or what a tombstone at the bottom hides, if the present does
                         not need it; 0: it does, or only the history does */
    uint64_t floor;   /* out: a reader at a number below it may miss a version that was
                         dropped; it is the number of a version that followed one */
    /* Reads the whole value of a record with segments, *out's pin being the caller's;
     * for the sieve and for merges.  NULL: such rows pass it, and merges wait. */
    int (*resolve)(void *ctx, const struct sdb_record *r, seerdb_value *out,
                   seerdb_err *err);
    void *resolve_ctx;
    struct sdb_sieve *sieve;            /* borrowed; NULL: rows have no filter */
    uint64_t now_us;                    /* the time it is asked for */
    struct seerdb_filter_out changed;   /* owned: scratch */
    const seerdb_merge_operator *merge; /* borrowed; NULL: merge records stay */
    /* Borrowed: the range tombstones that stay (range_fold.h), which may lie between a
     * merge record and what is older.  NULL: none do. */
    const struct sdb_ranges *ranges;
    bool left; /* out, for emit and after it: the key's versions all stay, for want of
                  an operator that knows better; the next fold will find them so, too */
    struct sdb_merging merging;                      /* owned */
    struct sdb_buf versions, bytes, chains, results; /* owned: scratch */
};

/* Fold the versions of the key `it` stands on (walking it with older()) and call
 * `emit` for each that stays, newest first.  emit returns 0 or a failure, which ends
 * the fold.  Afterwards `it` stands on the oldest version looked at. */
int sdb_fold_key(struct sdb_fold *f, struct sdb_iter *it,
                 int (*emit)(void *ctx, const struct sdb_record *r), void *ctx,
                 seerdb_err *err) SDB_MUST_CHECK;
void sdb_fold_fini(struct sdb_fold *f);

/* Is a record of this kind one that a reader may answer from alone?  0 value found,
 * SEERDB_NOTFOUND deleted, CORRUPT a kind that this engine cannot read, or a merge
 * record, which takes more (db/merged.h).  The read side of the fold, for lookups that
 * met the newest visible version. */
int sdb_fold_visible(enum sdb_kind kind, seerdb_err *err) SDB_MUST_CHECK;

#endif
