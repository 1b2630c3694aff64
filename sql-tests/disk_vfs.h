/* SPDX-License-Identifier: Apache-2.0
 *
 * disk_vfs -- a VFS that keeps SQLite's files on any file layer of the engine, so that
 * both can lie on one simulated disk.
 *
 *     cc -Iengine ... disk_vfs.c libseerdb.a -lsqlite3
 *
 * Life: new registers it under the name "disk", as the default VFS unless it is told
 * not to; free takes it away.
 * One at a time.  Locks and the shared memory of WAL are those of one process, among
 * all its connections; shared memory goes with the last connection of a database, so
 * that nothing of it is left after a power cut.  Any thread, as SQLite's own.
 *
 * It does what SQLite's VFS for Unix does and no more: the directory is synced with the
 * first sync of a journal or log that was created (that this fails is told, as it is
 * not for Unix), and after an unlink only if SQLite asks for it.  Failures are answered
 * as there: FULL when there is no space, CANTOPEN from opening, else the IOERR of the
 * operation.  Time, sleep and randomness follow from the seed.  Files without a name
 * are private and never fail. */
#ifndef DISK_VFS_H
#define DISK_VFS_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

struct sdb_fs;
struct disk_vfs; /* opaque */

struct disk_vfs_options {
    int characteristics; /* SQLITE_IOCAP_...; 0: SQLite may assume nothing.  The VFS for
                            Unix claims SQLITE_IOCAP_POWERSAFE_OVERWRITE */
    int sector_size;     /* 0: 512 */
    uint64_t seed;
    bool not_default;
};

/* NULL: no memory.  fs is borrowed. */
struct disk_vfs *disk_vfs_new(struct sdb_fs *fs,
                              const struct disk_vfs_options *options);
void disk_vfs_free(struct disk_vfs *disk); /* Requires: its files are closed */

#endif
