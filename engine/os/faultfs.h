/* SPDX-License-Identifier: Apache-2.0
 *
 * faultfs -- a layer over another one that fails chosen operations.
 *
 * Life: new over an inner layer (borrowed), arm, use, free.  Counts operations by
 * kind; when an armed count runs out the operation fails with the armed errno, once
 * or from then on.  A failed write may first pass on half of its bytes.  Tests only
 * by purpose, any thread. */
#ifndef SDB_OS_FAULTFS_H
#define SDB_OS_FAULTFS_H

#include "os/file.h"

enum sdb_fault_op {
    SDB_FAULT_OPEN = 1, /* open and list */
    SDB_FAULT_READ = 2,
    SDB_FAULT_WRITE = 4,
    SDB_FAULT_SYNC = 8,  /* files and directories */
    SDB_FAULT_META = 16, /* remove, rename, mkdir, rmdir, allocate, truncate */
    SDB_FAULT_ALL = 31,
    SDB_FAULT_OPEN_WRITE = 32, /* those of OPEN that are not for reading only */
    SDB_FAULT_CHANGE =
        SDB_FAULT_WRITE | SDB_FAULT_SYNC | SDB_FAULT_META | SDB_FAULT_OPEN_WRITE
};

struct sdb_fault {
    unsigned ops;      /* enum sdb_fault_op bits it applies to */
    const char *match; /* only paths that contain this; NULL: all; borrowed */
    uint64_t after;    /* let that many matching operations pass first */
    uint64_t times;    /* then fail that many (UINT64_MAX: for ever) */
    int error;         /* errno to answer */
    bool torn;         /* a failing write first writes half of its bytes */
};

struct sdb_fs *sdb_faultfs_new(struct sdb_fs *inner); /* NULL: no memory */
void sdb_faultfs_free(struct sdb_fs *fs);

/* Replace the armed fault; all zeros disarms.  Restarts the counts. */
void sdb_faultfs_arm(struct sdb_fs *fs, const struct sdb_fault *fault);
uint64_t sdb_faultfs_seen(struct sdb_fs *fs);  /* matching operations since arming */
uint64_t sdb_faultfs_fired(struct sdb_fs *fs); /* failures injected since arming */

/* What it answers when asked whether its medium is read-only; false at first. */
void sdb_faultfs_set_read_only(struct sdb_fs *fs, bool read_only);

/* Is all of it far away (sdb_file_is_near)?  False at first. */
void sdb_faultfs_set_far(struct sdb_fs *fs, bool far);
uint64_t sdb_faultfs_ahead(struct sdb_fs *fs); /* bytes asked for ahead, ever */

/* Called before every sync and write that passes, NULL: none; to stop the world at
 * the Nth one. */
void sdb_faultfs_observe(struct sdb_fs *fs,
                         void (*hook)(void *ctx, enum sdb_fault_op op,
                                      const char *path),
                         void *ctx);

#endif
