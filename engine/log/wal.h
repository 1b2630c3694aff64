/* SPDX-License-Identifier: Apache-2.0
 *
 * wal -- the commit log: a chain of preallocated, recycled files of frames.
 *
 * A *position* is file number << 32 | offset: positions rise in the order of writing.
 *
 * Life: sdb_wal_recover reads what is there; sdb_wal_open starts a new file behind it;
 * append, sync, release; close.  A record larger than a file gets a file of its own
 * size.  Appends are serialised by LK_WRITE; syncs may come from any thread and share:
 * whoever finds its position synced by another returns at once.  After a failed write
 * or sync the log refuses every later call with the same failure: a sync is never
 * retried as if it had not happened.  FORMAT.md, "Commit log". */
#ifndef SDB_LOG_WAL_H
#define SDB_LOG_WAL_H

#include "log/frame.h"
#include "os/sync.h"

struct sdb_wal;

enum sdb_wal_type {      /* frame types on disk */
    SDB_WAL_PREPARE = 1, /* a commit; stands unless an ABORT of its number follows */
    SDB_WAL_ABORT = 2,   /* varint: the commit number that was rolled back */
    SDB_WAL_CLOSE = 3    /* a clean close: everything before it is synced */
};

struct sdb_wal_options {
    struct sdb_fs *fs;       /* borrowed */
    const char *dir;         /* borrowed for the wal's life */
    seerdb_uuid store;
    uint64_t file_size;      /* bytes of an ordinary file */
    _Atomic uint64_t *next_file; /* the store's counter of file numbers */
    unsigned keep;           /* freed files kept for recycling */
};

/* What recovery saw. */
struct sdb_wal_recovery {
    uint64_t *files; /* owned array: numbers of the files with live content, rising */
    size_t nfiles;
    uint64_t last_position; /* end of the last valid frame; 0: none */
    uint64_t synced;        /* highest position known synced */
    uint64_t torn_bytes;    /* trimmed behind it */
};
void sdb_wal_recovery_fini(struct sdb_wal_recovery *r);

/* Read every log file of number >= floor in order and call `each` for each frame
 * (type, payload borrowed, position of its start).  A torn tail (damage beyond the
 * highest position known synced) ends the log silently; files after the torn one must
 * hold no valid frame that says otherwise.  Damage before that position, or a missing
 * file in the chain, is CORRUPT naming file and offset.  A failure of `each` is
 * passed up.  Reads only; changes nothing on disk. */
int sdb_wal_recover(const struct sdb_wal_options *o, uint64_t floor,
                    int (*each)(void *ctx, const struct sdb_frame *f, uint64_t position,
                                seerdb_err *err),
                    void *ctx, struct sdb_wal_recovery *out, seerdb_err *err) SDB_MUST_CHECK;

/* Start a log behind what recovery saw (all zeros: a new store).  The recovered files
 * stay live until released.  The first file is made at the first append. */
int sdb_wal_open(const struct sdb_wal_options *o, const struct sdb_wal_recovery *after,
                 struct sdb_wal **out, seerdb_err *err) SDB_MUST_CHECK;

/* Append one frame; *position is its start, *end where it ends (for sync).  On the
 * medium after sync only.  Requires: LK_WRITE held by the caller on the store's
 * mutex. */
int sdb_wal_append(struct sdb_wal *w, enum sdb_wal_type type, enum sdb_outcome outcome,
                   seerdb_slice payload, uint64_t *position, uint64_t *end,
                   seerdb_err *err) REQUIRES(LK_WRITE) SDB_MUST_CHECK;

/* Return when everything before `end` is on stable storage.  Shares with others. */
int sdb_wal_sync(struct sdb_wal *w, uint64_t end, seerdb_err *err) SDB_MUST_CHECK;

/* Files with a number below floor hold nothing that is needed: recycle or remove them.
 * Requires: the manifest no longer needs them, durably. */
int sdb_wal_release(struct sdb_wal *w, uint64_t floor, seerdb_err *err)
    REQUIRES(LK_WRITE) SDB_MUST_CHECK;

uint64_t sdb_wal_current_file(const struct sdb_wal *w) REQUIRES(LK_WRITE); /* 0: none yet */
uint64_t sdb_wal_live_bytes(struct sdb_wal *w); /* of files not released; any thread */
uint64_t sdb_wal_synced(struct sdb_wal *w);     /* position; any thread */
uint64_t sdb_wal_end(struct sdb_wal *w);        /* end of the last frame; any thread */

/* Append CLOSE, sync and close.  Frees w whatever the result. */
int sdb_wal_close(struct sdb_wal *w, seerdb_err *err);
/* Free w without touching the disk: after a fork, or when opening failed. */
void sdb_wal_abandon(struct sdb_wal *w);

static inline uint64_t sdb_wal_file_of(uint64_t position)
{
    return position >> 32;
}

/* "dir/000012.log"; the caller frees. NULL: no memory. */
char *sdb_wal_path(const char *dir, uint64_t number);

#endif
