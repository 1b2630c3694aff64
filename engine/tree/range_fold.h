/* SPDX-License-Identifier: Apache-2.0
 *
 * range_fold -- what survives of range tombstones when tables are written anew.
 *
 * The counterpart of fold, for readers at the present, in the history and at snapshots:
 * of the ranges between two neighbouring readers, a *stripe*, only the greatest number
 * over each key matters, and at the bottom none of those below all readers; those of
 * the history all stay.  What the ranges below all readers delete is deleted for
 * everybody; what the others delete, the fold finds out.  Life: init, fini.  Pure; no
 * I/O. */
#ifndef SDB_TREE_RANGE_FOLD_H
#define SDB_TREE_RANGE_FOLD_H

#include "log/snapshots.h"
#include "table/ranges.h"
#include "table/table_writer.h"
#include "tree/fold.h"
#include "tree/version.h"

struct sdb_range_fold {
    /* Counted; flat: a record with a smaller number than that of the fragment over its
     * key may go.  NULL: none may. */
    struct sdb_ranges *erased;
    /* Those of snapshots (owned; rising): for struct sdb_fold. */
    struct sdb_range_stripe *stripes;
    size_t nstripes;
    struct sdb_ranges *staying; /* counted: to be written; NULL: none */
    uint64_t floor; /* a reader at a number below it may miss a range that went */
};

/* Snapshots, history_from and bottom are those of the fold, which is given the stripes.
 * The sources are those of everything that is written anew; their ceilings say what
 * does not count. */
int sdb_range_fold_init(struct sdb_range_fold *f,
                        const struct sdb_ranges_source *sources, size_t n,
                        struct sdb_fold *fold, seerdb_err *err) SDB_MUST_CHECK;
void sdb_range_fold_fini(struct sdb_range_fold *f);

/* Do the ranges that do not only stay delete all of the table?  The greatest number of
 * those; 0: they do not. */
uint64_t sdb_range_fold_deleted(const struct sdb_range_fold *f,
                                const struct sdb_table_desc *d);

/* Keys from one to another; NULL: without bound on that side. */
struct sdb_range_span {
    const seerdb_slice *from, *to;
};

/* Does a range that stays reach into the span? */
bool sdb_range_fold_any(const struct sdb_range_fold *f,
                        const struct sdb_range_span *span);
/* Write what of the ranges that stay lies in the span, and count what stays for the
 * sake of snapshots. */
void sdb_range_fold_put(const struct sdb_range_fold *f,
                        const struct sdb_range_span *span, struct sdb_table_writer *w,
                        struct sdb_held_count *held);

#endif
