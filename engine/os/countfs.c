/* SPDX-License-Identifier: Apache-2.0
 *
 * Files need no wrapper: what is asked of them goes through os/file, which counts for
 * the layer that they were opened in, and for those under it. */
#include "os/countfs.h"

static int count_open(struct sdb_fs *fs, const char *path, enum sdb_open_mode mode,
                      struct sdb_file **out)
{
    return fs->under->ops->open(fs->under, path, mode, out);
}

static int count_remove(struct sdb_fs *fs, const char *path)
{
    return fs->under->ops->remove(fs->under, path);
}

static int count_rename(struct sdb_fs *fs, const char *from, const char *to)
{
    return fs->under->ops->rename(fs->under, from, to);
}

static int count_mkdir(struct sdb_fs *fs, const char *path)
{
    return fs->under->ops->mkdir(fs->under, path);
}

static int count_rmdir(struct sdb_fs *fs, const char *path)
{
    return fs->under->ops->rmdir(fs->under, path);
}

static int count_sync_dir(struct sdb_fs *fs, const char *path)
{
    return fs->under->ops->sync_dir(fs->under, path);
}

static int count_list(struct sdb_fs *fs, const char *path,
                      void (*each)(void *ctx, const char *name), void *ctx)
{
    return fs->under->ops->list(fs->under, path, each, ctx);
}

static int count_stat(struct sdb_fs *fs, const char *path, bool *is_dir, uint64_t *size)
{
    return fs->under->ops->stat(fs->under, path, is_dir, size);
}

static bool count_is_read_only(struct sdb_fs *fs, const char *path)
{
    return sdb_fs_is_read_only(fs->under, path);
}

static const struct sdb_fs_ops count_ops = {
    .open = count_open,
    .remove = count_remove,
    .rename = count_rename,
    .mkdir = count_mkdir,
    .rmdir = count_rmdir,
    .sync_dir = count_sync_dir,
    .list = count_list,
    .stat = count_stat,
    .is_read_only = count_is_read_only,
};

void sdb_countfs_init(struct sdb_countfs *c, struct sdb_fs *under)
{
    c->base.ops = &count_ops;
    c->base.under = under;
    c->base.log_syncs = &c->log_syncs;
}
