/* SPDX-License-Identifier: Apache-2.0
 *
 * wal_recover -- read the commit log, and tell a torn tail from damage.
 *
 * A *position* is file number << 32 | offset: positions rise in the order of writing.
 * One thread, before the log is opened for writing (log/wal.h).  FORMAT.md, "Commit
 * log". */
#ifndef SDB_LOG_WAL_RECOVER_H
#define SDB_LOG_WAL_RECOVER_H

#include "log/frame.h"
#include "os/sync.h"

static inline uint64_t sdb_wal_position(uint64_t file, uint64_t offset)
{
    return file << 32 | offset;
}

static inline uint64_t sdb_wal_file_of(uint64_t position)
{
    return position >> 32;
}

static inline uint64_t sdb_wal_offset_of(uint64_t position)
{
    return position & UINT32_MAX;
}

/* Frame types on disk. */
enum sdb_wal_type {
    SDB_WAL_PREPARE = 1, /* a commit; stands unless an ABORT of its number follows */
    SDB_WAL_ABORT = 2,   /* varint: the commit number that was rolled back */
    SDB_WAL_CLOSE = 3    /* a clean close: everything before it is synced */
};

struct sdb_wal_options {
    struct sdb_fs *fs; /* borrowed */
    const char *dir;   /* borrowed for the wal's life */
    seerdb_uuid store;
    uint64_t file_size;          /* bytes of an ordinary file */
    _Atomic uint64_t *next_file; /* the store's counter of file numbers */
    unsigned keep;               /* freed files kept for recycling while it is open */
    /* Before anything of the log is said to be on stable storage: make what its records
     * name so.  Its failure is the log's.  NULL: they name nothing. */
    int (*before_sync)(void *ctx, seerdb_err *err);
    void *ctx;
};

/* What recovery saw. */
struct sdb_wal_recovery {
    uint64_t *files; /* owned array: numbers of the files of the log, rising */
    uint64_t *ends;  /* owned array: the offset at which the content of each ends */
    size_t nfiles;
    uint64_t *dead; /* owned array: log files below the floor, and never begun ones */
    size_t ndead;
    uint64_t last_position; /* where the log ends; 0: there is none */
    uint64_t synced;        /* highest position known synced by then */
    uint64_t torn_bytes;    /* of frames begun behind the end, as far as recognisable */
};
void sdb_wal_recovery_fini(struct sdb_wal_recovery *r);

/* Read every log file of number >= floor in order and call `each` for each frame
 * (payload borrowed, position of its start).  A torn tail (damage beyond the highest
 * position known synced) ends the log silently.  Damage before that position, or a
 * missing file in the chain, is CORRUPT naming file and offset.  A failure of `each` is
 * passed up; by NOTFOUND it says that the frame is no better than a torn one.  On
 * failure *out is empty.  Reads only; changes nothing on disk. */
int sdb_wal_recover(const struct sdb_wal_options *o, uint64_t floor,
                    int (*each)(void *ctx, const struct sdb_frame *f, uint64_t position,
                                seerdb_err *err),
                    void *ctx, struct sdb_wal_recovery *out, seerdb_err *err)
    EXCLUDES(LK_DB) SDB_MUST_CHECK;

#endif
