/* SPDX-License-Identifier: Apache-2.0
 *
 * memfs -- a file system in memory that knows what a power cut would leave.
 *
 * Serves private stores (in-memory and temporary databases) and tests.  With
 * `track_sync` it keeps, beside each file's content, what had been synced, and
 * beside each directory which names had been, so that sdb_memfs_cut can take the
 * machine's power away: unsynced 512-byte sectors are each kept, lost or garbled at
 * random, unsynced names lost or kept.  Garbled are only the bytes written since the
 * sync: synced bytes in the same sector stay, as any log that is synced in the middle
 * of a sector has to assume.  Any thread.
 *
 * Paths are plain strings: "a/b" lies in "a", which must have been made, "a" in "." and
 * "/a" in "/", which are always there.  Only files can be renamed.  A file has at most
 * 2^40 bytes. */
#ifndef SDB_OS_MEMFS_H
#define SDB_OS_MEMFS_H

#include "os/file.h"

struct sdb_fs *sdb_memfs_new(bool track_sync); /* NULL: no memory */
void sdb_memfs_free(struct sdb_fs *fs);        /* Requires: its files are closed */

enum sdb_cut_mode {
    SDB_CUT_DROP,  /* everything unsynced is gone */
    SDB_CUT_RANDOM /* each unsynced sector and name is kept or lost, sectors garbled */
};

/* Requires: track_sync.  Open files stay open but fail with EIO from here on; the
 * fs itself shows what the disk would. */
void sdb_memfs_cut(struct sdb_fs *fs, enum sdb_cut_mode mode, uint64_t seed);

/* Bytes held by files. */
uint64_t sdb_memfs_bytes(struct sdb_fs *fs);

/* Tests: flip one bit of a stored byte, synced content included. ENOENT or EINVAL
 * when there is no such byte. */
int sdb_memfs_flip(struct sdb_fs *fs, const char *path, uint64_t off, unsigned bit);

#endif
