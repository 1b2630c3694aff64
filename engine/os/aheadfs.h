/* SPDX-License-Identifier: Apache-2.0
 *
 * aheadfs -- a layer over another one that reads files in large pieces.
 *
 * For one thread that walks files from end to end, one after the other, as a compaction
 * walks the tables of a run: its files share one buffer.  Reads that do not go on where
 * the last one ended pass through.  Read only; whatever is read counts, in the inner
 * layer, for one purpose.
 *
 * Life: new over an inner layer (borrowed), open files, close them, free. */
#ifndef SDB_OS_AHEADFS_H
#define SDB_OS_AHEADFS_H

#include "os/file.h"

/* NULL: no memory.  `room` is the size of the buffer, made with the first read that
 * needs it. */
struct sdb_fs *sdb_aheadfs_new(struct sdb_fs *inner, enum sdb_purpose why, size_t room);
/* Requires: its files are closed.  Accepts NULL. */
void sdb_aheadfs_free(struct sdb_fs *fs);

#endif
