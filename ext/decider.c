/* SPDX-License-Identifier: Apache-2.0
 *
 * One descriptor on -wal is kept for as long as it is the same file: the kernel tells a
 * failed write-back once to each open descriptor, and one opened afterwards would hear
 * that all is well.  Such a failure stops this owner's flushes until the store is
 * opened again: which writes were lost is unknown.
 *
 * In the rollback-journal modes the decision is the end of the journal: removed (the
 * directory is synced), truncated or zeroed (the journal is).  SQLite itself syncs the
 * database file before. */
#define _XOPEN_SOURCE 700 /* fdatasync */
#include "decider.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct svt_decider {
    seerdb_uuid owner; /* immutable */
    pthread_mutex_t mutex;
    /* The mutex guards the rest. */
    char *path, *wal, *journal, *dir; /* owned */
    dev_t device;
    ino_t inode; /* of the database file, 0: it could not be asked */
    int wal_fd;  /* -1: none */
    dev_t wal_device;
    ino_t wal_inode;
    int wal_failure;       /* the first errno of a sync of -wal */
    _Atomic bool watching; /* wal_fd is open; a hint, read without the mutex */
    char *vfs;             /* owned; of a connection that made it foreign; NULL: none */
    bool stopped;          /* foreign: a sync failed */
    _Atomic bool foreign, waiting; /* hints without the mutex */
    uint64_t decided, wanted;      /* foreign: below this; flushes wait for this */
};

static _Atomic(svt_decider_sync_fn *) replacement;

void svt_decider_use(svt_decider_sync_fn *sync)
{
    atomic_store(&replacement, sync);
}

bool svt_decider_is_replaced(void)
{
    return atomic_load(&replacement) != NULL;
}

static int fail(seerdb_err *err, int code, const char *path, const char *what)
{
    if (err != NULL) {
        err->code = code;
        snprintf(err->msg, sizeof(err->msg), "%s: %s", path, what);
    }
    return code;
}

/* ---- descriptors ----------------------------------------------------------- */

static void drop_wal(struct svt_decider *d)
{
    if (d->wal_fd >= 0)
        close(d->wal_fd);
    d->wal_fd = -1;
    atomic_store_explicit(&d->watching, false, memory_order_relaxed);
}

/* Have a descriptor on the present -wal.  0, or an errno. */
static int take_wal(struct svt_decider *d)
{
    struct stat st;
    if (d->wal_fd >= 0 && stat(d->wal, &st) == 0 && st.st_dev == d->wal_device &&
        st.st_ino == d->wal_inode)
        return 0;
    drop_wal(d);
    int fd = open(d->wal, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno;
    if (fstat(fd, &st) != 0) {
        int e = errno;
        close(fd);
        return e;
    }
    d->wal_fd = fd;
    d->wal_device = st.st_dev;
    d->wal_inode = st.st_ino;
    atomic_store_explicit(&d->watching, true, memory_order_relaxed);
    return 0;
}

/* Sync the file or directory if it is there.  0, or an errno. */
static int sync_path(const char *path, int flags)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | flags), e = 0;
    if (fd < 0)
        return errno;
    if ((flags & O_DIRECTORY ? fsync(fd) : fdatasync(fd)) != 0)
        e = errno;
    close(fd);
    return e;
}

/* ---- life ------------------------------------------------------------------ */

static void ask_identity(const char *path, dev_t *device, ino_t *inode)
{
    struct stat st;
    bool there = stat(path, &st) == 0;
    *device = there ? st.st_dev : 0;
    *inode = there ? st.st_ino : 0;
}

/* Once foreign, always: through paths we might sync other files. */
static int set_foreign(struct svt_decider *d, const char *vfs)
{
    if (vfs == NULL || d->vfs != NULL)
        return SQLITE_OK;
    if ((d->vfs = sqlite3_mprintf("%s", vfs)) == NULL)
        return SQLITE_NOMEM;
    drop_wal(d);
    atomic_store_explicit(&d->foreign, true, memory_order_relaxed);
    return SQLITE_OK;
}

static int set_names(struct svt_decider *d, const struct svt_database *file)
{
    char *path = sqlite3_mprintf("%s", file->path);
    char *wal = sqlite3_mprintf("%s", file->wal);
    char *journal = sqlite3_mprintf("%s", file->journal);
    const char *slash = strrchr(file->path, '/');
    char *dir = slash == NULL ? sqlite3_mprintf(".")
                              : sqlite3_mprintf("%.*s", (int)(slash - file->path + 1),
                                                file->path);
    if (path == NULL || wal == NULL || journal == NULL || dir == NULL) {
        sqlite3_free(dir);
        sqlite3_free(path);
        sqlite3_free(wal);
        sqlite3_free(journal);
        return SQLITE_NOMEM;
    }
    sqlite3_free(d->path);
    sqlite3_free(d->wal);
    sqlite3_free(d->journal);
    sqlite3_free(d->dir);
    d->dir = dir;
    d->path = path;
    d->wal = wal;
    d->journal = journal;
    ask_identity(path, &d->device, &d->inode);
    return SQLITE_OK;
}

int svt_decider_new(const seerdb_uuid *owner, const struct svt_database *file,
                    struct svt_decider **out)
{
    struct svt_decider *d = sqlite3_malloc64(sizeof(*d));
    *out = NULL;
    if (d == NULL)
        return SQLITE_NOMEM;
    memset(d, 0, sizeof(*d));
    d->owner = *owner;
    d->wal_fd = -1;
    pthread_mutex_init(&d->mutex, NULL);
    int rc = set_names(d, file);
    if (rc == SQLITE_OK)
        rc = set_foreign(d, file->vfs);
    if (rc != SQLITE_OK) {
        svt_decider_free(d);
        return rc;
    }
    svt_decider_watch(d);
    *out = d;
    return SQLITE_OK;
}

void svt_decider_free(struct svt_decider *d)
{
    if (d == NULL)
        return;
    drop_wal(d);
    pthread_mutex_destroy(&d->mutex);
    sqlite3_free(d->path);
    sqlite3_free(d->wal);
    sqlite3_free(d->journal);
    sqlite3_free(d->dir);
    sqlite3_free(d->vfs);
    sqlite3_free(d);
}

seerdb_uuid svt_decider_owner(const struct svt_decider *d)
{
    return d->owner;
}

bool svt_decider_place(const struct svt_database *file, const char *store_dir,
                       seerdb_owner_place *out)
{
    struct stat st, store;
    size_t n = strlen(file->path);
    memset(out, 0, sizeof(*out));
    if (n == 0 || n > SEERDB_PATH_MAX || stat(file->path, &st) != 0 ||
        stat(store_dir, &store) != 0)
        return false;
    out->device = (uint64_t)st.st_dev;
    out->inode = (uint64_t)st.st_ino;
    out->store_device = (uint64_t)store.st_dev;
    out->store_inode = (uint64_t)store.st_ino;
    memcpy(out->path, file->path, n);
    return true;
}

static bool is_empty(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 ? st.st_size == 0 : errno == ENOENT;
}

bool svt_decider_is_settled(const struct svt_database *file)
{
    return file->vfs == NULL && is_empty(file->wal) && is_empty(file->journal);
}

bool svt_decider_is_copy(const seerdb_owner_place *last, const seerdb_owner_place *now)
{
    struct stat st;
    if (last->store_device != now->store_device ||
        last->store_inode != now->store_inode || strcmp(last->path, now->path) == 0 ||
        (last->device == now->device && last->inode == now->inode))
        return false;
    return stat(last->path, &st) == 0 && (uint64_t)st.st_dev == last->device &&
           (uint64_t)st.st_ino == last->inode;
}

bool svt_decider_is_there(const seerdb_owner_place *last)
{
    struct stat st;
    return stat(last->path, &st) == 0 || (errno != ENOENT && errno != ENOTDIR);
}

int svt_decider_meet(struct svt_decider *d, const struct svt_database *file,
                     const char *who, char **message)
{
    dev_t device, known_device;
    ino_t inode, known_inode;
    int rc = SQLITE_OK;
    ask_identity(file->path, &device, &inode);
    pthread_mutex_lock(&d->mutex);
    bool same_name = strcmp(file->path, d->path) == 0;
    bool same_file =
        device == d->device && inode == d->inode && (inode != 0 || same_name);
    if (same_file && same_name)
        goto out;
    ask_identity(d->path, &known_device, &known_inode);
    if (!same_file && !same_name && d->inode != 0 && known_device == d->device &&
        known_inode == d->inode) {
        rc =
            svt_fail(message, SQLITE_ERROR,
                     "%s: its rows belong to the database %s, which is in use: %s is a "
                     "copy of it, which cannot share them: use that one, or drop the "
                     "table here",
                     who, d->path, file->path);
        goto out;
    }
    drop_wal(d);
    rc = set_names(d, file);
out:
    if (rc == SQLITE_OK)
        rc = set_foreign(d, file->vfs);
    pthread_mutex_unlock(&d->mutex);
    return rc;
}

void svt_decider_watch(struct svt_decider *d)
{
    if (svt_decider_is_replaced() || svt_decider_is_foreign(d) ||
        atomic_load_explicit(&d->watching, memory_order_relaxed))
        return;
    pthread_mutex_lock(&d->mutex);
    if (d->vfs == NULL)
        (void)take_wal(d); /* it may not be there: svt_decider_sync asks again */
    pthread_mutex_unlock(&d->mutex);
}

/* ---- the decision ---------------------------------------------------------- */

/* A file that is missing proves something only beside the database that we know. */
static bool database_is_there(const struct svt_decider *d)
{
    dev_t device;
    ino_t inode;
    ask_identity(d->path, &device, &inode);
    return inode != 0 && device == d->device && inode == d->inode;
}

/* Requires: the mutex. */
static int sync_local(struct svt_decider *d, seerdb_err *err)
{
    bool missing = false;
    int e = take_wal(d);
    if (e == 0 && d->wal_failure == 0 && fdatasync(d->wal_fd) != 0)
        d->wal_failure = errno;
    if (d->wal_failure != 0)
        e = d->wal_failure;
    if (e != 0 && e != ENOENT)
        return fail(err, SEERDB_IOERR, d->wal, strerror(e));
    missing = e == ENOENT;
    e = sync_path(d->journal, 0);
    if (e != 0 && e != ENOENT)
        return fail(err, SEERDB_IOERR, d->journal, strerror(e));
    missing = missing || e == ENOENT;
    if ((e = sync_path(d->dir, O_DIRECTORY)) != 0 && e != ENOENT)
        return fail(err, SEERDB_IOERR, d->dir, strerror(e));
    if ((missing || e == ENOENT) && !database_is_there(d))
        return fail(err, SEERDB_CANTOPEN, d->path,
                    "the database was moved or removed while the store was open, so "
                    "what it decided cannot be made durable: the rows stay in the log");
    return SEERDB_OK;
}

/* Requires: the mutex. */
static int ask_foreground(struct svt_decider *d, uint64_t below, seerdb_err *err)
{
    if (below <= d->decided)
        return SEERDB_OK;
    if (d->stopped)
        return fail(err, SEERDB_IOERR, d->path, "a sync failed");
    if (below > d->wanted)
        d->wanted = below;
    atomic_store_explicit(&d->waiting, true, memory_order_relaxed);
    return fail(err, SEERDB_BUSY, d->path,
                "on its VFS only its own connections can sync it: the next transaction "
                "that writes to the table does");
}

int svt_decider_sync(void *decider, uint64_t below, seerdb_err *err)
{
    struct svt_decider *d = decider;
    svt_decider_sync_fn *other = atomic_load(&replacement);
    pthread_mutex_lock(&d->mutex);
    struct svt_database file = {d->path, d->wal, d->journal, d->vfs};
    int rc = other != NULL    ? other(&file, err)
             : d->vfs != NULL ? ask_foreground(d, below, err)
                              : sync_local(d, err);
    pthread_mutex_unlock(&d->mutex);
    return rc;
}

bool svt_decider_is_foreign(const struct svt_decider *d)
{
    return atomic_load_explicit(&d->foreign, memory_order_relaxed);
}

void svt_decider_decided(struct svt_decider *d, uint64_t below)
{
    pthread_mutex_lock(&d->mutex);
    if (below > d->decided && !d->stopped)
        d->decided = below;
    if (d->wanted <= d->decided)
        atomic_store_explicit(&d->waiting, false, memory_order_relaxed);
    pthread_mutex_unlock(&d->mutex);
}

bool svt_decider_is_waiting(const struct svt_decider *d)
{
    return atomic_load_explicit(&d->waiting, memory_order_relaxed);
}

void svt_decider_stop(struct svt_decider *d)
{
    pthread_mutex_lock(&d->mutex);
    d->stopped = true;
    atomic_store_explicit(&d->waiting, false, memory_order_relaxed);
    pthread_mutex_unlock(&d->mutex);
}
