/* SPDX-License-Identifier: Apache-2.0
 *
 * countfs -- the files of one user of a file layer that others use too, counted apart.
 *
 * Everything goes to the layer under it, whose files it hands out; only the counters
 * are its own, and those of the layer under it go on.  Life: init, fini after the last
 * file is closed.  Any thread. */
#ifndef SDB_OS_COUNTFS_H
#define SDB_OS_COUNTFS_H

#include "os/file.h"

struct sdb_countfs {
    struct sdb_fs base; /* first member */
    struct sdb_histogram log_syncs;
};

/* Borrows `under`.  Requires: *c is all zeros. */
void sdb_countfs_init(struct sdb_countfs *c, struct sdb_fs *under);

#endif
