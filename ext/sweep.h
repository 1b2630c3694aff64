/* SPDX-License-Identifier: Apache-2.0
 *
 * sweep -- rows that a transaction deletes one after the other, none left out, become
 * one range of keys.
 *
 * SQLite calls xUpdate for every row, so that DELETE without WHERE would write a
 * tombstone for each.  A transaction that has deleted some rows in the order of their
 * keys opens an iterator over what there still is; as long as the next row to be
 * deleted is the one that it stands on, nothing is written but the *run* of such rows
 * becomes longer.  Whoever else needs the batch settles the run first.
 *
 * Life: all zeros; note after every row that was written to the batch, arm when it says
 * so; then take for every row until it declines; settle, or drop, ends it.  fini. */
#ifndef SVT_SWEEP_H
#define SVT_SWEEP_H

#include "table.h"

struct svt_sweep {
    struct svt_keyspace *ks; /* borrowed: whose rows; NULL: nothing was noted */
    seerdb_iter *iter;       /* owned; NULL: not armed */
    bool there;              /* it stands on the row expected next: there is one */
    bool falling;            /* the rows come from the last to the first */
    uint64_t streak;         /* rows noted, in this order */
    uint64_t wait;           /* as many must be noted to be worth an iterator */
    uint64_t n;              /* rows of the run */
    struct svt_bytes last;   /* key of the last row noted or taken */
    struct svt_bytes first;  /* of the run's first row */
    struct svt_bytes few;    /* keys of the run with their lengths, while it is short */
};

/* A row was deleted by a write of its own.  True: arm it. */
bool svt_sweep_note(struct svt_sweep *s, struct svt_keyspace *ks, seerdb_slice key);

/* view and batch: the rows that there are.  A failure: it is not armed. */
int svt_sweep_arm(struct svt_sweep *s, seerdb_view *view, seerdb_batch *batch,
                  seerdb_err *err);

/* A row of ks is to be deleted.  *taken: it is part of the run from now on; else the
 * run must be settled, and the row be deleted by a write of its own. */
int svt_sweep_take(struct svt_sweep *s, const struct svt_keyspace *ks, seerdb_slice key,
                   bool *taken, seerdb_err *err);

/* Write what is pending to the batch.  With a failure nothing of it is written, and it
 * is still pending. */
int svt_sweep_settle(struct svt_sweep *s, seerdb_batch *batch, seerdb_err *err);

/* Forget what is pending: the transaction is undone, or over. */
void svt_sweep_drop(struct svt_sweep *s);
void svt_sweep_end(struct svt_sweep *s); /* of the transaction */
void svt_sweep_fini(struct svt_sweep *s);

#endif
