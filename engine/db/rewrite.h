/* SPDX-License-Identifier: Apache-2.0
 *
 * rewrite -- merge tables of one tree into new ones: the I/O of a compaction.
 *
 * Life: fill in, run, then either list `outputs` in the manifest and publish them, or
 * abandon; fini.  One thread; no locks held.  The new tables are on stable storage when
 * run returns 0. */
#ifndef SDB_DB_REWRITE_H
#define SDB_DB_REWRITE_H

#include "db/state.h"
#include "tree/picker.h"

struct sdb_rewrite {
    seerdb_tree *tree;           /* borrowed */
    struct sdb_version *from;    /* borrowed; what the pick was made of */
    const struct sdb_pick *pick; /* borrowed */
    uint64_t history_from;       /* superseded versions with a number from here on
                                    stay; 0: none do */
    uint64_t now_us;             /* for the tree's filter; 0: it is not asked */
    const struct sdb_snapshots *snapshots; /* borrowed: what they need stays, too */
    int (*look_up)(void *ctx, seerdb_err *err); /* called every now and then: may wait,
                                                   or fail to end it all */
    void *ctx;

    struct sdb_member **outputs; /* owned, counted, in order of their keys */
    size_t n, capacity;
    uint64_t fold_floor; /* reads below it may miss what was folded */
    uint64_t bytes;      /* of the outputs */
};

int sdb_rewrite_run(struct sdb_rewrite *r, seerdb_err *err)
    EXCLUDES(LK_WRITE, LK_INSTALL, LK_DB) SDB_MUST_CHECK;

/* Remove the outputs' files, as far as that works: orphans go at the next open. */
void sdb_rewrite_abandon(struct sdb_rewrite *r) EXCLUDES(LK_DB);
void sdb_rewrite_fini(struct sdb_rewrite *r);

#endif
