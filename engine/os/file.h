/* SPDX-License-Identifier: Apache-2.0
 *
 * file -- files behind a table of functions.
 *
 * A file layer (struct sdb_fs) is one of: the local disk (one for the process), a
 * file system in memory (one per private store or test), or a fault-injecting
 * layer.  Everything above uses the sdb_fs_* and sdb_file_* functions below, which
 * count every byte by purpose and describe every failure with the path and the
 * system's words: ENOSPC and EDQUOT are FULL, EACCES, EPERM and EROFS READONLY,
 * ENOENT CANTOPEN (from open, mkdir and list), ENOMEM NOMEM, the rest IOERR.
 *
 * Any thread; two threads may read one file at once, one writes.  No function may
 * be called under LK_DB. */
#ifndef SDB_OS_FILE_H
#define SDB_OS_FILE_H

#include "base/buf.h"
#include "base/histogram.h"
#include "os/sync.h"

/* Why bytes move: write amplification is counted here and nowhere else. */
enum sdb_purpose {
    SDB_FOR_LOG,
    SDB_FOR_MANIFEST,
    SDB_FOR_FLUSH,
    SDB_FOR_COMPACTION,
    SDB_FOR_VLOG,
    SDB_FOR_READ, /* tables, on behalf of queries */
    SDB_FOR_VERIFY,
    SDB_FOR_OTHER,
    SDB_NPURPOSES
};

enum sdb_open_mode {
    SDB_READ,      /* existing, read only */
    SDB_READWRITE, /* existing */
    SDB_CREATE     /* new, must not exist; read and write */
};

enum sdb_lock_mode {
    SDB_LOCK_SHARED, /* with others who hold it so */
    SDB_LOCK_EXCLUSIVE
};

struct sdb_fs_counters {
    _Atomic uint64_t read[SDB_NPURPOSES];    /* bytes; relaxed */
    _Atomic uint64_t written[SDB_NPURPOSES]; /* bytes */
    _Atomic uint64_t syncs[SDB_NPURPOSES];   /* calls that reached the system */
};

struct sdb_fs {
    const struct sdb_fs_ops *ops;
    struct sdb_fs_counters counters;
    struct sdb_fs *under; /* borrowed: what is counted here counts there too; NULL: here
                             only */
    struct sdb_histogram *log_syncs; /* borrowed: how long each took, in nanoseconds;
                                        NULL: nobody asks */
};

struct sdb_file {
    const struct sdb_file_ops *ops;
    struct sdb_fs *fs;        /* borrowed */
    char *path;               /* owned; for messages */
    enum sdb_purpose purpose; /* what unmarked reads and writes count as */
};

/* What a layer implements.  Errors are errno values, 0 is done. */
struct sdb_fs_ops {
    int (*open)(struct sdb_fs *fs, const char *path, enum sdb_open_mode mode,
                struct sdb_file **out); /* *out: path and fs filled by the caller */
    int (*remove)(struct sdb_fs *fs, const char *path);
    int (*rename)(struct sdb_fs *fs, const char *from, const char *to);
    int (*mkdir)(struct sdb_fs *fs, const char *path);
    int (*rmdir)(struct sdb_fs *fs, const char *path);
    int (*sync_dir)(struct sdb_fs *fs, const char *path);
    /* Calls each with every name in the directory but "." and "..". */
    int (*list)(struct sdb_fs *fs, const char *path,
                void (*each)(void *ctx, const char *name), void *ctx);
    /* 0 and what it is, or ENOENT. */
    int (*stat)(struct sdb_fs *fs, const char *path, bool *is_dir, uint64_t *size);
    /* Does the medium that holds `path` take no writes?  NULL: it always does. */
    bool (*is_read_only)(struct sdb_fs *fs, const char *path);
};

struct sdb_file_ops {
    /* Short reads only at the end of the file. */
    int (*read_at)(struct sdb_file *f, uint64_t off, void *buf, size_t n, size_t *got);
    int (*write_at)(struct sdb_file *f, uint64_t off, const void *buf, size_t n);
    int (*sync)(struct sdb_file *f); /* data, and what is needed to read it back */
    /* Reserve space for `size` bytes and make the file at least that long. */
    int (*allocate)(struct sdb_file *f, uint64_t size);
    int (*truncate)(struct sdb_file *f, uint64_t size);
    int (*size)(struct sdb_file *f, uint64_t *size);
    /* Never waits, ends with close, takes the place of what f holds: 0, or EWOULDBLOCK
     * and f holds nothing.  Between the two others may get it. */
    int (*lock)(struct sdb_file *f, enum sdb_lock_mode mode);
    /* The processes that hold the file's lock, as far as the system tells; at most
     * `room`.  NULL: the layer knows none. */
    size_t (*holders)(struct sdb_file *f, uint64_t *pids, size_t room);
    int (*close)(struct sdb_file *f); /* frees f's own memory, not path */
    /* Begin to write these bytes to the disk; a hint.  NULL: the layer takes none. */
    void (*write_back)(struct sdb_file *f, uint64_t off, uint64_t n);
    /* Begin to read these bytes from the disk; a hint.  NULL: the layer takes none. */
    void (*read_ahead)(struct sdb_file *f, uint64_t off, uint64_t n);
    /* Is a read of the byte at off sure not to wait for a disk?  NULL: always. */
    bool (*is_near)(struct sdb_file *f, uint64_t off);
    /* The first `size` bytes of the file, none of which is beyond its end, in memory:
     * read only, shared.  They stay when the file is closed, until unmap.  NULL: the
     * layer has no maps. */
    int (*map)(struct sdb_file *f, uint64_t size, const uint8_t **out);
    void (*unmap)(const uint8_t *p, size_t size);
};

/* A file in memory; counted. */
struct sdb_map {
    _Atomic uint32_t count; /* relaxed up; acq_rel down */
    const uint8_t *data;
    size_t size;
    void (*unmap)(const uint8_t *p, size_t size);
};

/* The local disk; shared by the process, never freed. */
struct sdb_fs *sdb_fs_local(void);

int sdb_fs_open(struct sdb_fs *fs, const char *path, enum sdb_open_mode mode,
                enum sdb_purpose purpose, struct sdb_file **out, seerdb_err *err)
    EXCLUDES(LK_DB) SDB_MUST_CHECK;
int sdb_fs_remove(struct sdb_fs *fs, const char *path, seerdb_err *err) EXCLUDES(LK_DB);
int sdb_fs_rename(struct sdb_fs *fs, const char *from, const char *to, seerdb_err *err)
    EXCLUDES(LK_DB) SDB_MUST_CHECK;
int sdb_fs_mkdir(struct sdb_fs *fs, const char *path, seerdb_err *err) EXCLUDES(LK_DB)
    SDB_MUST_CHECK;
int sdb_fs_rmdir(struct sdb_fs *fs, const char *path, seerdb_err *err) EXCLUDES(LK_DB);
int sdb_fs_sync_dir(struct sdb_fs *fs, const char *path, seerdb_err *err)
    EXCLUDES(LK_DB) SDB_MUST_CHECK;
int sdb_fs_list(struct sdb_fs *fs, const char *path,
                void (*each)(void *ctx, const char *name), void *ctx, seerdb_err *err)
    EXCLUDES(LK_DB) SDB_MUST_CHECK;
/* 0, NOTFOUND (no message), or a failure. is_dir and size may be NULL. */
int sdb_fs_stat(struct sdb_fs *fs, const char *path, bool *is_dir, uint64_t *size,
                seerdb_err *err) EXCLUDES(LK_DB) SDB_MUST_CHECK;

/* Can nobody write there, by way of this path? */
bool sdb_fs_is_read_only(struct sdb_fs *fs, const char *path) EXCLUDES(LK_DB);

/* Exactly n bytes; CORRUPT when the file ends first. */
int sdb_file_read_at(struct sdb_file *f, uint64_t off, void *buf, size_t n,
                     seerdb_err *err) EXCLUDES(LK_DB) SDB_MUST_CHECK;
/* The same, counted for another purpose than the file's. */
int sdb_file_read_for(struct sdb_file *f, enum sdb_purpose why, uint64_t off, void *buf,
                      size_t n, seerdb_err *err) EXCLUDES(LK_DB) SDB_MUST_CHECK;
/* Count bytes of the file that were read by other means. */
void sdb_file_count_read(struct sdb_file *f, enum sdb_purpose why, size_t n);
/* Append the whole file to out. */
int sdb_file_read_all(struct sdb_file *f, struct sdb_buf *out, seerdb_err *err)
    EXCLUDES(LK_DB) SDB_MUST_CHECK;
int sdb_file_write_at(struct sdb_file *f, uint64_t off, seerdb_slice bytes,
                      seerdb_err *err) EXCLUDES(LK_DB) SDB_MUST_CHECK;
/* Begin to write these bytes to the disk, so that a later sync of the file finds little
 * left, and syncs of others do not wait behind it.  Promises nothing. */
void sdb_file_write_back(struct sdb_file *f, uint64_t off, uint64_t n) EXCLUDES(LK_DB);
/* Begin to read these bytes, so that a read of them soon waits less.  Promises nothing.
 */
void sdb_file_read_ahead(struct sdb_file *f, uint64_t off, uint64_t n) EXCLUDES(LK_DB);
/* Would a read of the byte at off not wait for a disk?  As far as the system tells:
 * true where the layer has none, false in doubt. */
bool sdb_file_is_near(struct sdb_file *f, uint64_t off) EXCLUDES(LK_DB);
/* The first `size` bytes with one count, the caller's, who may close the file.  NULL:
 * they cannot be had so; read them.  A disk that fails, and a file that is cut short,
 * kill the process when such bytes are touched. */
struct sdb_map *sdb_file_map(struct sdb_file *f, uint64_t size) EXCLUDES(LK_DB)
    SDB_MUST_CHECK;
struct sdb_map *sdb_map_ref(struct sdb_map *m);
void sdb_map_unref(struct sdb_map *m); /* accepts NULL */
int sdb_file_sync(struct sdb_file *f, seerdb_err *err) EXCLUDES(LK_DB) SDB_MUST_CHECK;
int sdb_file_allocate(struct sdb_file *f, uint64_t size, seerdb_err *err)
    EXCLUDES(LK_DB) SDB_MUST_CHECK;
int sdb_file_truncate(struct sdb_file *f, uint64_t size, seerdb_err *err)
    EXCLUDES(LK_DB) SDB_MUST_CHECK;
int sdb_file_size(struct sdb_file *f, uint64_t *size, seerdb_err *err) EXCLUDES(LK_DB)
    SDB_MUST_CHECK;
/* BUSY, with no message, when somebody else holds it; f then holds nothing, even if it
 * did before.  Changing the mode is no single step: others may hold it in between. */
int sdb_file_lock(struct sdb_file *f, enum sdb_lock_mode mode, seerdb_err *err)
    EXCLUDES(LK_DB) SDB_MUST_CHECK;
/* How many process ids went to pids: of those who hold the lock, of which there may be
 * more, also unknown ones. */
size_t sdb_file_holders(struct sdb_file *f, uint64_t *pids, size_t room)
    EXCLUDES(LK_DB);
void sdb_file_close(struct sdb_file *f) EXCLUDES(LK_DB); /* accepts NULL */

/* Replace `path` (inside `dir`) by `bytes` so that a crash leaves the old or the new
 * content: write and sync `path`.tmp, rename, sync the directory. */
int sdb_fs_replace(struct sdb_fs *fs, const char *dir, const char *path,
                   seerdb_slice bytes, enum sdb_purpose purpose, seerdb_err *err)
    EXCLUDES(LK_DB) SDB_MUST_CHECK;

#endif
