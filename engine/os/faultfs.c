/* SPDX-License-Identifier: Apache-2.0
 *
 * Operations go straight to the inner layer's table of functions, past the counting
 * wrappers of file.h: bytes count once, in the outer layer. */
#include "os/faultfs.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

typedef void hook_fn(void *ctx, enum sdb_fault_op op, const char *path);

struct faultfs {
    struct sdb_fs base;
    struct sdb_fs *inner; /* borrowed */
    struct sdb_mutex mutex;
    struct sdb_fault fault GUARDED_BY(LK_FS);
    uint64_t matched GUARDED_BY(LK_FS), fired GUARDED_BY(LK_FS);
    hook_fn *hook GUARDED_BY(LK_FS);
    void *hook_ctx GUARDED_BY(LK_FS); /* borrowed */
    bool read_only GUARDED_BY(LK_FS); /* what it says of the medium */
    bool far GUARDED_BY(LK_FS);       /* no byte is near */
    uint64_t ahead GUARDED_BY(LK_FS); /* bytes asked for ahead */
};

struct fault_file {
    struct sdb_file base;
    struct faultfs *faults; /* borrowed */
    struct sdb_file *inner; /* owned, its path too */
};

static struct faultfs *faultfs(struct sdb_fs *fs)
{
    return (struct faultfs *)fs;
}

static struct sdb_fs *inner_fs(struct sdb_fs *fs)
{
    return faultfs(fs)->inner;
}

static struct sdb_file *inner_file(struct sdb_file *f)
{
    return ((struct fault_file *)f)->inner;
}

/* Count an operation on `path` (and `path2`, unless NULL): 0, or the error that it
 * shall answer.  *torn tells whether half of a write passes. */
static int attempt(struct faultfs *x, enum sdb_fault_op op, const char *path,
                   const char *path2, bool *torn)
{
    int rc = 0;
    sdb_lock_fs(&x->mutex);
    const struct sdb_fault *fault = &x->fault;
    if ((fault->ops & op) != 0 &&
        (fault->match == NULL || strstr(path, fault->match) != NULL ||
         (path2 != NULL && strstr(path2, fault->match) != NULL))) {
        uint64_t before = x->matched++;
        if (before >= fault->after && before - fault->after < fault->times) {
            x->fired++;
            rc = fault->error;
            *torn = fault->torn;
        }
    }
    hook_fn *hook =
        rc == 0 && (op & (SDB_FAULT_SYNC | SDB_FAULT_WRITE)) ? x->hook : NULL;
    void *ctx = x->hook_ctx;
    sdb_unlock_fs(&x->mutex);
    if (hook != NULL)
        hook(ctx, op, path);
    return rc;
}

static int attempt_file(struct sdb_file *f, enum sdb_fault_op op, bool *torn)
{
    return attempt(((struct fault_file *)f)->faults, op, inner_file(f)->path, NULL,
                   torn);
}

static int attempt_path(struct sdb_fs *fs, enum sdb_fault_op op, const char *path)
{
    bool torn;
    return attempt(faultfs(fs), op, path, NULL, &torn);
}

static int fault_read_at(struct sdb_file *f, uint64_t off, void *buf, size_t n,
                         size_t *got)
{
    bool torn;
    int rc = attempt_file(f, SDB_FAULT_READ, &torn);
    *got = 0;
    return rc != 0 ? rc : inner_file(f)->ops->read_at(inner_file(f), off, buf, n, got);
}

static int fault_write_at(struct sdb_file *f, uint64_t off, const void *buf, size_t n)
{
    bool torn = false;
    int rc = attempt_file(f, SDB_FAULT_WRITE, &torn);
    if (rc == 0)
        return inner_file(f)->ops->write_at(inner_file(f), off, buf, n);
    if (torn)
        (void)inner_file(f)->ops->write_at(inner_file(f), off, buf, n / 2);
    return rc;
}

static int fault_sync(struct sdb_file *f)
{
    bool torn;
    int rc = attempt_file(f, SDB_FAULT_SYNC, &torn);
    return rc != 0 ? rc : inner_file(f)->ops->sync(inner_file(f));
}

static int fault_allocate(struct sdb_file *f, uint64_t size)
{
    bool torn;
    int rc = attempt_file(f, SDB_FAULT_META, &torn);
    return rc != 0 ? rc : inner_file(f)->ops->allocate(inner_file(f), size);
}

static int fault_truncate(struct sdb_file *f, uint64_t size)
{
    bool torn;
    int rc = attempt_file(f, SDB_FAULT_META, &torn);
    return rc != 0 ? rc : inner_file(f)->ops->truncate(inner_file(f), size);
}

static int fault_size(struct sdb_file *f, uint64_t *size)
{
    return inner_file(f)->ops->size(inner_file(f), size);
}

static int fault_lock(struct sdb_file *f, enum sdb_lock_mode mode)
{
    return inner_file(f)->ops->lock(inner_file(f), mode);
}

static size_t fault_holders(struct sdb_file *f, uint64_t *pids, size_t room)
{
    return sdb_file_holders(inner_file(f), pids, room);
}

static void fault_read_ahead(struct sdb_file *f, uint64_t off, uint64_t n)
{
    struct faultfs *x = ((struct fault_file *)f)->faults;
    sdb_lock_fs(&x->mutex);
    x->ahead += n;
    sdb_unlock_fs(&x->mutex);
    sdb_file_read_ahead(inner_file(f), off, n);
}

static bool fault_is_near(struct sdb_file *f, uint64_t off)
{
    struct faultfs *x = ((struct fault_file *)f)->faults;
    sdb_lock_fs(&x->mutex);
    bool far = x->far;
    sdb_unlock_fs(&x->mutex);
    return !far && sdb_file_is_near(inner_file(f), off);
}

static int fault_close(struct sdb_file *f)
{
    char *path = inner_file(f)->path;
    int rc = inner_file(f)->ops->close(inner_file(f));
    sdb_mem_free(path);
    sdb_mem_free(f);
    return rc;
}

static const struct sdb_file_ops fault_file_ops = {
    .read_at = fault_read_at,
    .write_at = fault_write_at,
    .sync = fault_sync,
    .allocate = fault_allocate,
    .truncate = fault_truncate,
    .size = fault_size,
    .lock = fault_lock,
    .holders = fault_holders,
    .read_ahead = fault_read_ahead,
    .is_near = fault_is_near,
    .close = fault_close,
};

static int fault_open(struct sdb_fs *fs, const char *path, enum sdb_open_mode mode,
                      struct sdb_file **out)
{
    enum sdb_fault_op op =
        mode == SDB_READ ? SDB_FAULT_OPEN : SDB_FAULT_OPEN | SDB_FAULT_OPEN_WRITE;
    int rc = attempt_path(fs, op, path);
    if (rc != 0)
        return rc;
    struct fault_file *f = sdb_mem_zalloc(sizeof *f);
    char *copy = sdb_mem_strdup(path);
    if (f == NULL || copy == NULL)
        rc = ENOMEM;
    if (rc == 0)
        rc = inner_fs(fs)->ops->open(inner_fs(fs), path, mode, &f->inner);
    if (rc != 0) {
        sdb_mem_free(copy);
        sdb_mem_free(f);
        return rc;
    }
    f->inner->fs = inner_fs(fs);
    f->inner->path = copy;
    f->base.ops = &fault_file_ops;
    f->faults = faultfs(fs);
    *out = &f->base;
    return 0;
}

static int fault_remove(struct sdb_fs *fs, const char *path)
{
    int rc = attempt_path(fs, SDB_FAULT_META, path);
    return rc != 0 ? rc : inner_fs(fs)->ops->remove(inner_fs(fs), path);
}

static int fault_rename(struct sdb_fs *fs, const char *from, const char *to)
{
    bool torn;
    int rc = attempt(faultfs(fs), SDB_FAULT_META, from, to, &torn);
    return rc != 0 ? rc : inner_fs(fs)->ops->rename(inner_fs(fs), from, to);
}

static int fault_mkdir(struct sdb_fs *fs, const char *path)
{
    int rc = attempt_path(fs, SDB_FAULT_META, path);
    return rc != 0 ? rc : inner_fs(fs)->ops->mkdir(inner_fs(fs), path);
}

static int fault_rmdir(struct sdb_fs *fs, const char *path)
{
    int rc = attempt_path(fs, SDB_FAULT_META, path);
    return rc != 0 ? rc : inner_fs(fs)->ops->rmdir(inner_fs(fs), path);
}

static int fault_sync_dir(struct sdb_fs *fs, const char *path)
{
    int rc = attempt_path(fs, SDB_FAULT_SYNC, path);
    return rc != 0 ? rc : inner_fs(fs)->ops->sync_dir(inner_fs(fs), path);
}

static int fault_list(struct sdb_fs *fs, const char *path,
                      void (*each)(void *ctx, const char *name), void *ctx)
{
    int rc = attempt_path(fs, SDB_FAULT_OPEN, path);
    return rc != 0 ? rc : inner_fs(fs)->ops->list(inner_fs(fs), path, each, ctx);
}

static int fault_stat(struct sdb_fs *fs, const char *path, bool *is_dir, uint64_t *size)
{
    return inner_fs(fs)->ops->stat(inner_fs(fs), path, is_dir, size);
}

static bool fault_is_read_only(struct sdb_fs *fs, const char *path)
{
    struct faultfs *x = faultfs(fs);
    (void)path;
    sdb_lock_fs(&x->mutex);
    bool answer = x->read_only;
    sdb_unlock_fs(&x->mutex);
    return answer;
}

static const struct sdb_fs_ops fault_fs_ops = {
    .open = fault_open,
    .remove = fault_remove,
    .rename = fault_rename,
    .mkdir = fault_mkdir,
    .rmdir = fault_rmdir,
    .sync_dir = fault_sync_dir,
    .list = fault_list,
    .stat = fault_stat,
    .is_read_only = fault_is_read_only,
};

struct sdb_fs *sdb_faultfs_new(struct sdb_fs *inner)
{
    struct faultfs *x = sdb_mem_zalloc(sizeof *x);
    if (x == NULL)
        return NULL;
    x->base.ops = &fault_fs_ops;
    x->inner = inner;
    sdb_mutex_init(&x->mutex);
    return &x->base;
}

void sdb_faultfs_free(struct sdb_fs *fs)
{
    if (fs == NULL)
        return;
    assert(fs->ops == &fault_fs_ops);
    sdb_mutex_fini(&faultfs(fs)->mutex);
    sdb_mem_free(fs);
}

void sdb_faultfs_arm(struct sdb_fs *fs, const struct sdb_fault *fault)
{
    struct faultfs *x = faultfs(fs);
    assert(fs->ops == &fault_fs_ops);
    sdb_lock_fs(&x->mutex);
    x->fault = *fault;
    x->matched = x->fired = 0;
    sdb_unlock_fs(&x->mutex);
}

uint64_t sdb_faultfs_seen(struct sdb_fs *fs)
{
    struct faultfs *x = faultfs(fs);
    sdb_lock_fs(&x->mutex);
    uint64_t n = x->matched;
    sdb_unlock_fs(&x->mutex);
    return n;
}

uint64_t sdb_faultfs_fired(struct sdb_fs *fs)
{
    struct faultfs *x = faultfs(fs);
    sdb_lock_fs(&x->mutex);
    uint64_t n = x->fired;
    sdb_unlock_fs(&x->mutex);
    return n;
}

void sdb_faultfs_set_read_only(struct sdb_fs *fs, bool read_only)
{
    struct faultfs *x = faultfs(fs);
    sdb_lock_fs(&x->mutex);
    x->read_only = read_only;
    sdb_unlock_fs(&x->mutex);
}

void sdb_faultfs_set_far(struct sdb_fs *fs, bool far)
{
    struct faultfs *x = faultfs(fs);
    sdb_lock_fs(&x->mutex);
    x->far = far;
    sdb_unlock_fs(&x->mutex);
}

uint64_t sdb_faultfs_ahead(struct sdb_fs *fs)
{
    struct faultfs *x = faultfs(fs);
    sdb_lock_fs(&x->mutex);
    uint64_t n = x->ahead;
    sdb_unlock_fs(&x->mutex);
    return n;
}

void sdb_faultfs_observe(struct sdb_fs *fs,
                         void (*hook)(void *ctx, enum sdb_fault_op op,
                                      const char *path),
                         void *ctx)
{
    struct faultfs *x = faultfs(fs);
    sdb_lock_fs(&x->mutex);
    x->hook = hook;
    x->hook_ctx = ctx;
    sdb_unlock_fs(&x->mutex);
}
