/* SPDX-License-Identifier: Apache-2.0
 *
 * Locks belong to the path: a `node` is what all open files of one path share.  One
 * mutex guards all nodes; files are read and written outside of it. */
#include "disk_vfs.h"

#include "base/rand.h"
#include "os/file.h"
#include "os/memfs.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_PATH 512
#define JOURNALS                                                                       \
    (SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_SUPER_JOURNAL | SQLITE_OPEN_WAL)

struct disk_file;

struct node {
    struct node *next;
    size_t refs; /* open files */
    int nshared; /* files at SHARED and above */
    const struct disk_file *reserved, *pending, *exclusive; /* who holds it */

    /* Shared memory of the WAL index. */
    size_t shm_refs;
    int nregions;
    void **regions; /* owned; zeroed */
    int shm_shared[SQLITE_SHM_NLOCK];
    const struct disk_file *shm_exclusive[SQLITE_SHM_NLOCK];
    char path[];
};

struct disk_vfs {
    sqlite3_vfs vfs;
    struct sdb_fs *fs;    /* borrowed */
    struct sdb_fs *temps; /* owned: files without names */
    int characteristics, sector_size;
    pthread_mutex_t mutex; /* guards the rest, and all nodes */
    struct node *nodes;    /* owned */
    struct sdb_rand rand;
    sqlite3_int64 now_ms;
    uint64_t ntemps, nopen;
};

struct disk_file {
    sqlite3_file base;
    struct disk_vfs *disk;  /* borrowed */
    struct node *node;      /* counted; NULL: a temporary file */
    struct sdb_file *inner; /* owned */
    int level;              /* SQLITE_LOCK_... */
    bool sync_dir;          /* with the next sync of the file */
    bool mapped;            /* counts in node->shm_refs */
    unsigned shm_shared;    /* bits of the shared locks held */
};

static struct disk_file *disk_file(sqlite3_file *base)
{
    return (struct disk_file *)base;
}

static struct disk_vfs *disk_of(sqlite3_vfs *vfs)
{
    return vfs->pAppData;
}

static int code(int rc, int ioerr)
{
    switch (rc) {
    case SEERDB_OK:
        return SQLITE_OK;
    case SEERDB_FULL:
        return SQLITE_FULL;
    case SEERDB_NOMEM:
        return SQLITE_IOERR_NOMEM;
    default:
        return ioerr;
    }
}

static int sync_dir_of(struct disk_vfs *disk, const char *path)
{
    char dir[MAX_PATH];
    const char *slash = strrchr(path, '/');
    if (slash == NULL)
        snprintf(dir, sizeof dir, ".");
    else
        snprintf(dir, sizeof dir, "%.*s", slash == path ? 1 : (int)(slash - path),
                 path);
    return code(sdb_fs_sync_dir(disk->fs, dir, NULL), SQLITE_IOERR_DIR_FSYNC);
}

/* ---- nodes ----------------------------------------------------------------------- */

/* NULL: no memory. */
static struct node *node_ref(struct disk_vfs *disk, const char *path)
{
    size_t n = strlen(path) + 1;
    pthread_mutex_lock(&disk->mutex);
    struct node *node = disk->nodes;
    while (node != NULL && strcmp(node->path, path) != 0)
        node = node->next;
    if (node == NULL && (node = calloc(1, sizeof *node + n)) != NULL) {
        memcpy(node->path, path, n);
        node->next = disk->nodes;
        disk->nodes = node;
    }
    if (node != NULL)
        node->refs++;
    pthread_mutex_unlock(&disk->mutex);
    return node;
}

static void node_unref(struct disk_vfs *disk, struct node *node)
{
    pthread_mutex_lock(&disk->mutex);
    if (--node->refs == 0) {
        struct node **at = &disk->nodes;
        assert(node->nshared == 0 && node->shm_refs == 0);
        while (*at != node)
            at = &(*at)->next;
        *at = node->next;
        free(node);
    }
    pthread_mutex_unlock(&disk->mutex);
}

/* ---- bytes ----------------------------------------------------------------------- */

static int file_read(sqlite3_file *base, void *buf, int n, sqlite3_int64 off)
{
    struct disk_file *f = disk_file(base);
    size_t got = 0;
    if (f->inner->ops->read_at(f->inner, (uint64_t)off, buf, (size_t)n, &got) != 0)
        return SQLITE_IOERR_READ;
    if (got == (size_t)n)
        return SQLITE_OK;
    memset((char *)buf + got, 0, (size_t)n - got);
    return SQLITE_IOERR_SHORT_READ;
}

static int file_write(sqlite3_file *base, const void *buf, int n, sqlite3_int64 off)
{
    seerdb_slice bytes = {buf, (size_t)n};
    return code(sdb_file_write_at(disk_file(base)->inner, (uint64_t)off, bytes, NULL),
                SQLITE_IOERR_WRITE);
}

/* File systems truncate at once or not at all.  The simulated one would lose some
 * sectors of the tail and keep others: what SQLite may rely on, a log that is there or
 * is gone, needs the sync.  A failure of it is nothing that SQLite asked for. */
static int file_truncate(sqlite3_file *base, sqlite3_int64 size)
{
    struct sdb_file *inner = disk_file(base)->inner;
    int rc = sdb_file_truncate(inner, (uint64_t)size, NULL);
    for (int i = 0; rc == SEERDB_OK && i < 2; i++)
        if (sdb_file_sync(inner, NULL) == SEERDB_OK)
            break;
    return code(rc, SQLITE_IOERR_TRUNCATE);
}

static int file_sync(sqlite3_file *base, int flags)
{
    struct disk_file *f = disk_file(base);
    (void)flags;
    int rc = code(sdb_file_sync(f->inner, NULL), SQLITE_IOERR_FSYNC);
    if (rc == SQLITE_OK && f->sync_dir) {
        rc = sync_dir_of(f->disk, f->node->path);
        f->sync_dir = rc != SQLITE_OK;
    }
    return rc;
}

static int file_size(sqlite3_file *base, sqlite3_int64 *out)
{
    uint64_t size = 0;
    int rc = sdb_file_size(disk_file(base)->inner, &size, NULL);
    *out = (sqlite3_int64)size;
    return code(rc, SQLITE_IOERR_FSTAT);
}

/* ---- locks ----------------------------------------------------------------------- */

static bool others(const struct disk_file *holder, const struct disk_file *f)
{
    return holder != NULL && holder != f;
}

/* Requires: the mutex. */
static int take(struct disk_file *f, int level)
{
    struct node *n = f->node;
    if (level == SQLITE_LOCK_SHARED) {
        if (others(n->pending, f) || others(n->exclusive, f))
            return SQLITE_BUSY;
        n->nshared++;
        return SQLITE_OK;
    }
    if (others(n->reserved, f) || others(n->pending, f))
        return SQLITE_BUSY;
    if (level == SQLITE_LOCK_RESERVED) {
        n->reserved = f;
        return SQLITE_OK;
    }
    n->pending = f;
    f->level = SQLITE_LOCK_PENDING; /* kept even if the readers do not go */
    if (n->nshared > 1)
        return SQLITE_BUSY;
    n->exclusive = f;
    return SQLITE_OK;
}

static int file_lock(sqlite3_file *base, int level)
{
    struct disk_file *f = disk_file(base);
    assert(f->node != NULL && level != SQLITE_LOCK_PENDING);
    assert(f->level != SQLITE_LOCK_NONE || level == SQLITE_LOCK_SHARED);
    if (f->level >= level)
        return SQLITE_OK;
    pthread_mutex_lock(&f->disk->mutex);
    int rc = take(f, level);
    if (rc == SQLITE_OK)
        f->level = level;
    pthread_mutex_unlock(&f->disk->mutex);
    return rc;
}

static int file_unlock(sqlite3_file *base, int level)
{
    struct disk_file *f = disk_file(base);
    struct node *n = f->node;
    if (n == NULL || f->level <= level)
        return SQLITE_OK;
    pthread_mutex_lock(&f->disk->mutex);
    if (n->reserved == f)
        n->reserved = NULL;
    if (n->pending == f)
        n->pending = NULL;
    if (n->exclusive == f)
        n->exclusive = NULL;
    if (level == SQLITE_LOCK_NONE)
        n->nshared--;
    f->level = level;
    pthread_mutex_unlock(&f->disk->mutex);
    return SQLITE_OK;
}

static int file_check_reserved(sqlite3_file *base, int *out)
{
    struct disk_file *f = disk_file(base);
    pthread_mutex_lock(&f->disk->mutex);
    *out = f->node->reserved != NULL || f->node->pending != NULL;
    pthread_mutex_unlock(&f->disk->mutex);
    return SQLITE_OK;
}

/* ---- shared memory --------------------------------------------------------------- */

/* Requires: the mutex. */
static int map(struct disk_file *f, int region, int size, int extend, void **out)
{
    struct node *n = f->node;
    if (!f->mapped) {
        n->shm_refs++;
        f->mapped = true;
    }
    if (region >= n->nregions && extend == 0)
        return SQLITE_OK;
    if (region >= n->nregions) {
        void **regions = realloc(n->regions, (size_t)(region + 1) * sizeof *regions);
        if (regions == NULL)
            return SQLITE_IOERR_NOMEM;
        n->regions = regions;
    }
    while (region >= n->nregions) {
        if ((n->regions[n->nregions] = calloc(1, (size_t)size)) == NULL)
            return SQLITE_IOERR_NOMEM;
        n->nregions++;
    }
    *out = n->regions[region];
    return SQLITE_OK;
}

static int shm_map(sqlite3_file *base, int region, int size, int extend,
                   void volatile **out)
{
    struct disk_file *f = disk_file(base);
    void *p = NULL;
    pthread_mutex_lock(&f->disk->mutex);
    int rc = map(f, region, size, extend, &p);
    pthread_mutex_unlock(&f->disk->mutex);
    *out = p;
    return rc;
}

/* Requires: the mutex. */
static void shm_release(struct disk_file *f, int from, int n)
{
    for (int i = from; i < from + n; i++) {
        if (f->node->shm_exclusive[i] == f)
            f->node->shm_exclusive[i] = NULL;
        if ((f->shm_shared >> i & 1u) != 0)
            f->node->shm_shared[i]--;
        f->shm_shared &= ~(1u << i);
    }
}

/* Requires: the mutex. */
static int shm_take(struct disk_file *f, int from, int n, bool exclusive)
{
    struct node *node = f->node;
    for (int i = from; i < from + n; i++) {
        int own = (int)(f->shm_shared >> i & 1u);
        if (others(node->shm_exclusive[i], f) ||
            (exclusive && node->shm_shared[i] > own))
            return SQLITE_BUSY;
    }
    for (int i = from; i < from + n; i++) {
        if (exclusive) {
            node->shm_exclusive[i] = f;
        } else if ((f->shm_shared >> i & 1u) == 0) {
            node->shm_shared[i]++;
            f->shm_shared |= 1u << i;
        }
    }
    return SQLITE_OK;
}

static int shm_lock(sqlite3_file *base, int from, int n, int flags)
{
    struct disk_file *f = disk_file(base);
    int rc = SQLITE_OK;
    pthread_mutex_lock(&f->disk->mutex);
    if ((flags & SQLITE_SHM_UNLOCK) != 0)
        shm_release(f, from, n);
    else
        rc = shm_take(f, from, n, (flags & SQLITE_SHM_EXCLUSIVE) != 0);
    pthread_mutex_unlock(&f->disk->mutex);
    return rc;
}

static void shm_barrier(sqlite3_file *base)
{
    pthread_mutex_lock(&disk_file(base)->disk->mutex);
    pthread_mutex_unlock(&disk_file(base)->disk->mutex);
}

static int shm_unmap(sqlite3_file *base, int delete)
{
    struct disk_file *f = disk_file(base);
    struct node *n = f->node;
    (void)delete; /* what nobody uses is gone anyway */
    if (n == NULL || !f->mapped)
        return SQLITE_OK;
    pthread_mutex_lock(&f->disk->mutex);
    shm_release(f, 0, SQLITE_SHM_NLOCK);
    f->mapped = false;
    if (--n->shm_refs == 0) {
        for (int i = 0; i < n->nregions; i++)
            free(n->regions[i]);
        free(n->regions);
        n->regions = NULL;
        n->nregions = 0;
    }
    pthread_mutex_unlock(&f->disk->mutex);
    return SQLITE_OK;
}

/* ---- files ----------------------------------------------------------------------- */

static int file_control(sqlite3_file *base, int op, void *arg)
{
    (void)base, (void)op, (void)arg;
    return SQLITE_NOTFOUND;
}

static int file_sector_size(sqlite3_file *base)
{
    return disk_file(base)->disk->sector_size;
}

static int file_characteristics(sqlite3_file *base)
{
    return disk_file(base)->disk->characteristics;
}

static int file_close(sqlite3_file *base)
{
    struct disk_file *f = disk_file(base);
    (void)shm_unmap(base, 0);
    (void)file_unlock(base, SQLITE_LOCK_NONE);
    sdb_file_close(f->inner);
    if (f->node != NULL)
        node_unref(f->disk, f->node);
    pthread_mutex_lock(&f->disk->mutex);
    f->disk->nopen--;
    pthread_mutex_unlock(&f->disk->mutex);
    return SQLITE_OK;
}

static const sqlite3_io_methods methods = {
    .iVersion = 2,
    .xClose = file_close,
    .xRead = file_read,
    .xWrite = file_write,
    .xTruncate = file_truncate,
    .xSync = file_sync,
    .xFileSize = file_size,
    .xLock = file_lock,
    .xUnlock = file_unlock,
    .xCheckReservedLock = file_check_reserved,
    .xFileControl = file_control,
    .xSectorSize = file_sector_size,
    .xDeviceCharacteristics = file_characteristics,
    .xShmMap = shm_map,
    .xShmLock = shm_lock,
    .xShmBarrier = shm_barrier,
    .xShmUnmap = shm_unmap,
};

/* ---- the disk -------------------------------------------------------------------- */

static int open_temporary(struct disk_file *f)
{
    char name[32];
    pthread_mutex_lock(&f->disk->mutex);
    snprintf(name, sizeof name, "/%llu", (unsigned long long)f->disk->ntemps++);
    pthread_mutex_unlock(&f->disk->mutex);
    int rc =
        sdb_fs_open(f->disk->temps, name, SDB_CREATE, SDB_FOR_OTHER, &f->inner, NULL);
    if (rc == SEERDB_OK)
        rc = sdb_fs_remove(f->disk->temps, name, NULL);
    return code(rc, SQLITE_CANTOPEN);
}

static int open_named(struct disk_file *f, const char *path, int flags)
{
    bool exists = false;
    int rc = sdb_fs_stat(f->disk->fs, path, NULL, NULL, NULL);
    exists = rc == SEERDB_OK;
    if (rc < 0 || (exists && (flags & SQLITE_OPEN_EXCLUSIVE) != 0) ||
        (!exists && (flags & SQLITE_OPEN_CREATE) == 0))
        return SQLITE_CANTOPEN;
    enum sdb_open_mode mode = !exists                               ? SDB_CREATE
                              : (flags & SQLITE_OPEN_READONLY) != 0 ? SDB_READ
                                                                    : SDB_READWRITE;
    if (sdb_fs_open(f->disk->fs, path, mode, SDB_FOR_OTHER, &f->inner, NULL) !=
        SEERDB_OK)
        return SQLITE_CANTOPEN;
    /* Whoever created it may not have synced it yet. */
    f->sync_dir = (flags & SQLITE_OPEN_CREATE) != 0 && (flags & JOURNALS) != 0;
    if ((f->node = node_ref(f->disk, path)) == NULL) {
        sdb_file_close(f->inner);
        return SQLITE_NOMEM;
    }
    return SQLITE_OK;
}

static int disk_open(sqlite3_vfs *vfs, const char *path, sqlite3_file *base, int flags,
                     int *out_flags)
{
    struct disk_file *f = disk_file(base);
    *f = (struct disk_file){.disk = disk_of(vfs)};
    int rc = path == NULL ? open_temporary(f) : open_named(f, path, flags);
    if (rc != SQLITE_OK)
        return rc;
    base->pMethods = &methods;
    if (out_flags != NULL)
        *out_flags = flags;
    pthread_mutex_lock(&f->disk->mutex);
    f->disk->nopen++;
    pthread_mutex_unlock(&f->disk->mutex);
    return SQLITE_OK;
}

static int disk_delete(sqlite3_vfs *vfs, const char *path, int sync_dir)
{
    struct disk_vfs *disk = disk_of(vfs);
    if (sdb_fs_stat(disk->fs, path, NULL, NULL, NULL) == SEERDB_NOTFOUND)
        return SQLITE_IOERR_DELETE_NOENT;
    if (sdb_fs_remove(disk->fs, path, NULL) != SEERDB_OK)
        return SQLITE_IOERR_DELETE;
    return (sync_dir & 1) != 0 ? sync_dir_of(disk, path) : SQLITE_OK;
}

static int disk_access(sqlite3_vfs *vfs, const char *path, int flags, int *out)
{
    bool is_dir = false;
    uint64_t size = 0;
    int rc = sdb_fs_stat(disk_of(vfs)->fs, path, &is_dir, &size, NULL);
    /* As for Unix: an empty file does not count as existing. */
    *out = rc == SEERDB_OK && (flags != SQLITE_ACCESS_EXISTS || is_dir || size > 0);
    return SQLITE_OK;
}

static int disk_full_pathname(sqlite3_vfs *vfs, const char *path, int n, char *out)
{
    (void)vfs;
    size_t size = strlen(path) + 1;
    if (size > (size_t)n)
        return SQLITE_CANTOPEN;
    memcpy(out, path, size);
    return SQLITE_OK;
}

static int disk_randomness(sqlite3_vfs *vfs, int n, char *out)
{
    struct disk_vfs *disk = disk_of(vfs);
    pthread_mutex_lock(&disk->mutex);
    for (int i = 0; i < n; i++)
        out[i] = (char)(sdb_rand_next(&disk->rand) & 0xff);
    pthread_mutex_unlock(&disk->mutex);
    return n;
}

static int disk_sleep(sqlite3_vfs *vfs, int us)
{
    struct disk_vfs *disk = disk_of(vfs);
    pthread_mutex_lock(&disk->mutex);
    disk->now_ms += (us + 999) / 1000;
    pthread_mutex_unlock(&disk->mutex);
    return us;
}

static int disk_time(sqlite3_vfs *vfs, sqlite3_int64 *out)
{
    struct disk_vfs *disk = disk_of(vfs);
    pthread_mutex_lock(&disk->mutex);
    *out = disk->now_ms++;
    pthread_mutex_unlock(&disk->mutex);
    return SQLITE_OK;
}

static int disk_last_error(sqlite3_vfs *vfs, int n, char *out)
{
    (void)vfs;
    if (n > 0)
        out[0] = 0;
    return 0;
}

struct disk_vfs *disk_vfs_new(struct sdb_fs *fs, const struct disk_vfs_options *options)
{
    struct disk_vfs *disk = calloc(1, sizeof *disk);
    if (disk == NULL)
        return NULL;
    disk->fs = fs;
    disk->temps = sdb_memfs_new(false);
    disk->characteristics = options->characteristics;
    disk->sector_size = options->sector_size != 0 ? options->sector_size : 512;
    disk->rand.state = options->seed;
    disk->now_ms = INT64_C(2460000) * 86400000; /* a Julian day of 2023 */
    pthread_mutex_init(&disk->mutex, NULL);
    disk->vfs = (sqlite3_vfs){
        .iVersion = 2,
        .szOsFile = sizeof(struct disk_file),
        .mxPathname = MAX_PATH - 1,
        .zName = "disk",
        .pAppData = disk,
        .xOpen = disk_open,
        .xDelete = disk_delete,
        .xAccess = disk_access,
        .xFullPathname = disk_full_pathname,
        .xRandomness = disk_randomness,
        .xSleep = disk_sleep,
        .xGetLastError = disk_last_error,
        .xCurrentTimeInt64 = disk_time,
    };
    if (disk->temps == NULL ||
        sqlite3_vfs_register(&disk->vfs, !options->not_default) != SQLITE_OK) {
        sdb_memfs_free(disk->temps);
        free(disk);
        return NULL;
    }
    return disk;
}

void disk_vfs_free(struct disk_vfs *disk)
{
    if (disk == NULL)
        return;
    assert(disk->nopen == 0 && disk->nodes == NULL);
    sqlite3_vfs_unregister(&disk->vfs);
    sdb_memfs_free(disk->temps);
    pthread_mutex_destroy(&disk->mutex);
    free(disk);
}
