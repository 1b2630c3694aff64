/* SPDX-License-Identifier: Apache-2.0
 *
 * vlog_gc -- give back the space of values that nobody needs any more.
 *
 * A file of the value log of which too much is garbage is written again with the live
 * slots only, under the same addresses, and takes the old one's place: no key is looked
 * up or written, so that nobody races with it.  What is live, the tables say.  A file
 * that a memtable, a batch or an older version has a hold on stays as it is.
 *
 * On the compaction thread. */
#ifndef SDB_DB_VLOG_GC_H
#define SDB_DB_VLOG_GC_H

#include "db/state.h"

enum sdb_gc_mode {
    SDB_GC_BOUND,   /* as far as the space bound asks for */
    SDB_GC_THOROUGH /* whatever is worth it */
};

struct sdb_gc {
    seerdb_tree *tree; /* borrowed */
    enum sdb_gc_mode mode;
    int (*look_up)(void *ctx, seerdb_err *err); /* called every now and then: may wait,
                                                   or fail to end it all */
    void *ctx;
    /* Out. */
    uint64_t files, bytes_before, bytes_after;
};

/* Look once, and write again what is due.  INTERRUPTED and other failures leave every
 * file as it was, or done. */
int sdb_vlog_gc(struct sdb_gc *g, seerdb_err *err) EXCLUDES(LK_WRITE, LK_INSTALL, LK_DB)
    SDB_MUST_CHECK;

/* What a version has in the value log, of files that nobody else has a hold on and of
 * all: bytes, and live ones. */
struct sdb_gc_space {
    uint64_t files, bytes, live;
};
void sdb_vlog_space(seerdb_tree *t, struct sdb_gc_space *out) EXCLUDES(LK_DB);

#endif
