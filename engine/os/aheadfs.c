/* SPDX-License-Identifier: Apache-2.0 */
#include "os/aheadfs.h"

#include <assert.h>
#include <errno.h>
#include <stdatomic.h>
#include <string.h>

/* Between two blocks of a table there is padding: that much may be skipped. */
#define GAP_MAX 4096u

struct ahead_file {
    struct sdb_file base;
    struct sdb_file *inner; /* owned; has no path of its own */
    uint64_t end;           /* of the last read */
};

struct aheadfs {
    struct sdb_fs base;
    struct sdb_fs *inner; /* borrowed */
    enum sdb_purpose why;
    uint8_t *buffer; /* owned; NULL: not made yet */
    size_t room;
    const struct ahead_file *owner; /* whose bytes are in it; NULL: nobody's */
    uint64_t off;                   /* of its first byte in that file */
    size_t size;                    /* so many */
    uint64_t open;                  /* files */
};

static struct aheadfs *self(struct sdb_fs *fs)
{
    return (struct aheadfs *)fs; /* its first member */
}

static struct ahead_file *ahead(struct sdb_file *f)
{
    return (struct ahead_file *)f; /* its first member */
}

static int read_inner(struct ahead_file *f, uint64_t off, void *buf, size_t n,
                      size_t *got)
{
    struct aheadfs *a = self(f->base.fs);
    int rc = f->inner->ops->read_at(f->inner, off, buf, n, got);
    sdb_file_count_read(f->inner, a->why, *got);
    return rc;
}

/* Copy what the buffer has of the bytes from off on. */
static size_t copy(const struct aheadfs *a, const struct ahead_file *f, uint64_t off,
                   uint8_t *to, size_t n)
{
    if (a->owner != f || off < a->off || off - a->off >= a->size)
        return 0;
    size_t from = (size_t)(off - a->off);
    if (n > a->size - from)
        n = a->size - from;
    memcpy(to, a->buffer + from, n);
    return n;
}

static int ahead_read_at(struct sdb_file *base, uint64_t off, void *buf, size_t n,
                         size_t *got)
{
    struct ahead_file *f = ahead(base);
    struct aheadfs *a = self(base->fs);
    bool goes_on = off >= f->end && off - f->end <= GAP_MAX && off > 0;
    int rc;
    f->end = off + n;
    *got = copy(a, f, off, buf, n);
    if (*got == n)
        return 0;
    if (!goes_on || n >= a->room ||
        (a->buffer == NULL && (a->buffer = sdb_mem_take(a->room)) == NULL))
        return read_inner(f, off, buf, n, got);
    size_t filled = 0;
    a->owner = NULL;
    if ((rc = read_inner(f, off + *got, a->buffer, a->room, &filled)) != 0)
        return rc;
    a->owner = f;
    a->off = off + *got;
    a->size = filled;
    *got += copy(a, f, a->off, (uint8_t *)buf + *got, n - *got);
    return 0;
}

static int ahead_write_at(struct sdb_file *f, uint64_t off, const void *buf, size_t n)
{
    (void)f, (void)off, (void)buf, (void)n;
    return EROFS;
}

static int ahead_sync(struct sdb_file *f)
{
    (void)f;
    return EROFS;
}

static int ahead_resize(struct sdb_file *f, uint64_t size)
{
    (void)f, (void)size;
    return EROFS;
}

static int ahead_lock(struct sdb_file *f, enum sdb_lock_mode mode)
{
    (void)f, (void)mode;
    return EROFS;
}

static int ahead_size(struct sdb_file *f, uint64_t *size)
{
    return ahead(f)->inner->ops->size(ahead(f)->inner, size);
}

static int ahead_close(struct sdb_file *base)
{
    struct ahead_file *f = ahead(base);
    struct aheadfs *a = self(base->fs);
    if (a->owner == f)
        a->owner = NULL;
    a->open--;
    int rc = f->inner->ops->close(f->inner);
    sdb_mem_free(f);
    return rc;
}

static const struct sdb_file_ops ahead_file_ops = {
    .read_at = ahead_read_at,
    .write_at = ahead_write_at,
    .sync = ahead_sync,
    .allocate = ahead_resize,
    .truncate = ahead_resize,
    .size = ahead_size,
    .lock = ahead_lock,
    .close = ahead_close,
};

static int ahead_open(struct sdb_fs *fs, const char *path, enum sdb_open_mode mode,
                      struct sdb_file **out)
{
    struct aheadfs *a = self(fs);
    if (mode != SDB_READ)
        return EROFS;
    struct ahead_file *f = sdb_mem_zalloc(sizeof *f);
    if (f == NULL)
        return ENOMEM;
    int rc = a->inner->ops->open(a->inner, path, mode, &f->inner);
    if (rc != 0) {
        sdb_mem_free(f);
        return rc;
    }
    f->inner->fs = a->inner;
    f->inner->purpose = a->why;
    f->base.ops = &ahead_file_ops;
    a->open++;
    *out = &f->base;
    return 0;
}

static int ahead_change(struct sdb_fs *fs, const char *path)
{
    (void)fs, (void)path;
    return EROFS;
}

static int ahead_rename(struct sdb_fs *fs, const char *from, const char *to)
{
    (void)fs, (void)from, (void)to;
    return EROFS;
}

static int ahead_list(struct sdb_fs *fs, const char *path,
                      void (*each)(void *ctx, const char *name), void *ctx)
{
    return self(fs)->inner->ops->list(self(fs)->inner, path, each, ctx);
}

static int ahead_stat(struct sdb_fs *fs, const char *path, bool *is_dir, uint64_t *size)
{
    return self(fs)->inner->ops->stat(self(fs)->inner, path, is_dir, size);
}

static const struct sdb_fs_ops aheadfs_ops = {
    .open = ahead_open,
    .remove = ahead_change,
    .rename = ahead_rename,
    .mkdir = ahead_change,
    .rmdir = ahead_change,
    .sync_dir = ahead_change,
    .list = ahead_list,
    .stat = ahead_stat,
};

struct sdb_fs *sdb_aheadfs_new(struct sdb_fs *inner, enum sdb_purpose why, size_t room)
{
    struct aheadfs *a = sdb_mem_zalloc(sizeof *a);
    if (a == NULL)
        return NULL;
    a->base.ops = &aheadfs_ops;
    a->inner = inner;
    a->why = why;
    a->room = room;
    return &a->base;
}

void sdb_aheadfs_free(struct sdb_fs *fs)
{
    if (fs == NULL)
        return;
    assert(self(fs)->open == 0);
    sdb_mem_give(self(fs)->buffer, self(fs)->room);
    sdb_mem_free(fs);
}
