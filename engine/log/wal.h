/* SPDX-License-Identifier: Apache-2.0
 *
 * wal -- the commit log: a chain of preallocated, recycled files of frames.
 *
 * A *position* is file number << 32 | offset: positions rise in the order of writing.
 *
 * Life: sdb_wal_recover reads what is there; sdb_wal_open starts a new file behind it;
 * append, sync, release; close.  A record larger than a file gets a file of its own
 * size.  Appends are serialised by LK_WRITE; syncs may come from any thread and share:
 * whoever finds its position synced by another returns at once.  Whether anybody syncs
 * or not, a power cut leaves a prefix of what was appended.  After a failed write or
 * sync the log refuses every later call with the same failure until it is resumed: a
 * sync is never retried as if it had not happened.  FORMAT.md, "Commit log". */
#ifndef SDB_LOG_WAL_H
#define SDB_LOG_WAL_H

#include "log/wal_recover.h"

struct sdb_wal;

/* Start a log behind what recovery saw (all zeros: a new store).  The recovered files
 * stay live until released and are on stable storage when this returns; dead and free
 * ones are removed.  The first file is made at the first append.  Requires: the counter
 * *o->next_file is above every number in `after`. */
int sdb_wal_open(const struct sdb_wal_options *o, const struct sdb_wal_recovery *after,
                 struct sdb_wal **out, seerdb_err *err) EXCLUDES(LK_DB) SDB_MUST_CHECK;

/* Append one frame; *position is its start, *end where it ends (for sync).  On the
 * medium after sync only.  Requires: LK_WRITE held by the caller on the store's
 * mutex.  TOOBIG, NOMEM, and FULL when there is no room for a new file: nothing was
 * appended and the log goes on; after any other failure it refuses. */
int sdb_wal_append(struct sdb_wal *w, enum sdb_wal_type type, enum sdb_outcome outcome,
                   seerdb_slice payload, uint64_t *position, uint64_t *end,
                   seerdb_err *err) REQUIRES(LK_WRITE) EXCLUDES(LK_DB) SDB_MUST_CHECK;

/* Return when everything before `end` is on stable storage.  Shares with others. */
int sdb_wal_sync(struct sdb_wal *w, uint64_t end, seerdb_err *err) EXCLUDES(LK_DB)
    SDB_MUST_CHECK;

/* Files with a number below floor hold nothing that is needed: recycle or remove them.
 * The current file stays whatever the floor.  A failure leaves the log usable and the
 * rest of the files to the next call.  Requires: the manifest no longer needs them,
 * durably. */
int sdb_wal_release(struct sdb_wal *w, uint64_t floor, seerdb_err *err)
    REQUIRES(LK_WRITE) EXCLUDES(LK_DB) SDB_MUST_CHECK;

/* Does it refuse everything until it is resumed? */
bool sdb_wal_has_failed(struct sdb_wal *w) EXCLUDES(LK_LOG);

/* Which frames stay. */
struct sdb_wal_keeper {
    bool (*keep)(void *ctx, const struct sdb_frame *f);
    void *ctx;
};

/* After a failure: have the log take calls again.  What was appended since the last
 * sync that succeeded goes to a new file, as far as `keeper` wants it, and is on stable
 * storage when this returns 0; nothing is ever synced again in the old one, where the
 * system may have given up on it.  With a failure, which may pass, the log goes on
 * refusing.  Nothing to do for a log that has not failed.  Requires: the caller holds
 * back appends and syncs, and file numbers are reserved. */
int sdb_wal_resume(struct sdb_wal *w, const struct sdb_wal_keeper *keeper,
                   seerdb_err *err) REQUIRES(LK_WRITE) EXCLUDES(LK_DB) SDB_MUST_CHECK;

uint64_t sdb_wal_current_file(const struct sdb_wal *w)
    REQUIRES(LK_WRITE); /* 0: none yet */
uint64_t
sdb_wal_live_bytes(struct sdb_wal *w); /* content of files not released; any thread */
uint64_t sdb_wal_synced(struct sdb_wal *w); /* position; any thread */
uint64_t sdb_wal_end(struct sdb_wal *w);    /* end of the last frame; any thread */

/* Sync, append CLOSE (if anything was appended), sync and close.  Frees w whatever the
 * result.  Accepts NULL.  Requires: no other thread uses w. */
int sdb_wal_close(struct sdb_wal *w, seerdb_err *err) EXCLUDES(LK_DB);
/* Free w without touching the disk: after a fork, or when opening failed.  Accepts
 * NULL. */
void sdb_wal_abandon(struct sdb_wal *w);

/* "dir/000012.log"; the caller frees. NULL: no memory. */
char *sdb_wal_path(const char *dir, uint64_t number);

#endif
