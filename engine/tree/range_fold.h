/* SPDX-License-Identifier: Apache-2.0
 *
 * range_fold -- what survives of range tombstones when tables are written anew.
 *
 * The counterpart of fold, for readers at the present and in the history: of the ranges
 * below `history_from` only the greatest number over each key matters, and at the
 * bottom none; those from there on all stay.  What the ranges below delete is deleted
 * for everybody.  Life: init, fini.  Pure; no I/O. */
#ifndef SDB_TREE_RANGE_FOLD_H
#define SDB_TREE_RANGE_FOLD_H

#include "table/ranges.h"
#include "table/table_writer.h"

struct sdb_range_fold {
    /* Counted; flat: a record with a smaller number than that of the fragment over its
     * key may go.  NULL: none may. */
    struct sdb_ranges *erased;
    struct sdb_ranges *staying; /* counted: to be written; NULL: none */
    uint64_t floor; /* a reader at a number below it may miss a range that went */
};

/* history_from as in fold; 0: no history is kept.  The sources are those of everything
 * that is written anew; their ceilings say what does not count.  Bottom: nothing older
 * lies below. */
int sdb_range_fold_init(struct sdb_range_fold *f,
                        const struct sdb_ranges_source *sources, size_t n,
                        uint64_t history_from, bool bottom, seerdb_err *err)
    SDB_MUST_CHECK;
void sdb_range_fold_fini(struct sdb_range_fold *f);

/* Keys from one to another; NULL: without bound on that side. */
struct sdb_range_span {
    const seerdb_slice *from, *to;
};

/* Does a range that stays reach into the span? */
bool sdb_range_fold_any(const struct sdb_range_fold *f,
                        const struct sdb_range_span *span);
/* Write what of the ranges that stay lies in the span. */
void sdb_range_fold_put(const struct sdb_range_fold *f,
                        const struct sdb_range_span *span, struct sdb_table_writer *w);

#endif
