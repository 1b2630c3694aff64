/* SPDX-License-Identifier: Apache-2.0
 *
 * Two halves: the functions that everything above calls, which count and describe,
 * and the local disk.  The local layer keeps no state besides a descriptor, so that
 * two threads may read through one file (pread) and a child after fork() that closes
 * its copy changes nothing for its parent: flock belongs to the open file, and goes
 * with the last descriptor of it. */
#define _GNU_SOURCE
#include "os/file.h"

#include "os/clock.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <unistd.h>

_Static_assert(sizeof(off_t) == 8, "files exceed 2 GiB");

/* ---- the local disk ------------------------------------------------------- */

struct local_file {
    struct sdb_file base;
    int fd;
};

static int local_fd(const struct sdb_file *f)
{
    return ((const struct local_file *)f)->fd;
}

static int local_read_at(struct sdb_file *f, uint64_t off, void *buf, size_t n,
                         size_t *got)
{
    uint8_t *p = buf;
    *got = 0;
    while (*got < n) {
        ssize_t k = pread(local_fd(f), p + *got, n - *got, (off_t)(off + *got));
        if (k < 0 && errno == EINTR)
            continue;
        if (k < 0)
            return errno;
        if (k == 0)
            return 0;
        *got += (size_t)k;
    }
    return 0;
}

static int local_write_at(struct sdb_file *f, uint64_t off, const void *buf, size_t n)
{
    const uint8_t *p = buf;
    for (size_t done = 0; done < n;) {
        ssize_t k = pwrite(local_fd(f), p + done, n - done, (off_t)(off + done));
        if (k < 0 && errno == EINTR)
            continue;
        if (k < 0)
            return errno;
        if (k == 0)
            return EIO; /* promised not to happen for n > 0; never loop on it */
        done += (size_t)k;
    }
    return 0;
}

static int local_sync(struct sdb_file *f)
{
    int rc;
    do {
        rc = fdatasync(local_fd(f));
    } while (rc != 0 && errno == EINTR);
    return rc == 0 ? 0 : errno;
}

static int local_size(struct sdb_file *f, uint64_t *size)
{
    struct stat st;
    if (fstat(local_fd(f), &st) != 0)
        return errno;
    *size = (uint64_t)st.st_size;
    return 0;
}

static int local_truncate(struct sdb_file *f, uint64_t size)
{
    int rc;
    do {
        rc = ftruncate(local_fd(f), (off_t)size);
    } while (rc != 0 && errno == EINTR);
    return rc == 0 ? 0 : errno;
}

static int local_allocate(struct sdb_file *f, uint64_t size)
{
    uint64_t now = 0;
    int rc = local_size(f, &now);
    if (rc != 0 || size == 0)
        return rc;
    do {
        rc = posix_fallocate(local_fd(f), 0, (off_t)size);
    } while (rc == EINTR);
    if (rc != EOPNOTSUPP && rc != EINVAL)
        return rc;
    /* This file system cannot reserve: lengthen only, later writes may say FULL. */
    return size > now ? local_truncate(f, size) : 0;
}

static int local_lock(struct sdb_file *f, enum sdb_lock_mode mode)
{
    int rc, how = mode == SDB_LOCK_SHARED ? LOCK_SH : LOCK_EX;
    do {
        rc = flock(local_fd(f), how | LOCK_NB);
    } while (rc != 0 && errno == EINTR);
    return rc == 0 ? 0 : errno;
}

/* Linux lists the locks of the machine:
 *     1: FLOCK  ADVISORY  READ 1234 fe:01:5678 0 EOF
 * with device and inode of the file, and 0 for a process that we may not see. */
static size_t local_holders(struct sdb_file *f, uint64_t *pids, size_t room)
{
    struct stat st;
    char line[256];
    size_t n = 0;
    FILE *locks = fopen("/proc/locks", "re");
    if (locks == NULL)
        return 0;
    if (fstat(local_fd(f), &st) != 0)
        goto out;
    while (n < room && fgets(line, sizeof line, locks) != NULL) {
        long long pid;
        unsigned high, low;
        unsigned long long inode;
        if (sscanf(line, "%*d: FLOCK %*s %*s %lld %x:%x:%llu", &pid, &high, &low,
                   &inode) == 4 &&
            pid > 0 && inode == st.st_ino && high == major(st.st_dev) &&
            low == minor(st.st_dev))
            pids[n++] = (uint64_t)pid;
    }
out:
    fclose(locks);
    return n;
}

static void local_write_back(struct sdb_file *f, uint64_t off, uint64_t n)
{
    (void)sync_file_range(local_fd(f), (off_t)off, (off_t)n, SYNC_FILE_RANGE_WRITE);
}

static void local_read_ahead(struct sdb_file *f, uint64_t off, uint64_t n)
{
    (void)posix_fadvise(local_fd(f), (off_t)off, (off_t)n, POSIX_FADV_WILLNEED);
}

/* File systems that cannot tell answer EOPNOTSUPP. */
static bool local_is_near(struct sdb_file *f, uint64_t off)
{
    uint8_t byte;
    struct iovec to = {&byte, 1};
    return preadv2(local_fd(f), &to, 1, (off_t)off, RWF_NOWAIT) >= 0;
}

static int local_map(struct sdb_file *f, uint64_t size, const uint8_t **out)
{
    void *p = mmap(NULL, (size_t)size, PROT_READ, MAP_SHARED, local_fd(f), 0);
    if (p == MAP_FAILED)
        return errno;
    *out = p;
    return 0;
}

static void local_unmap(const uint8_t *p, size_t size)
{
    (void)munmap((void *)(uintptr_t)p, size);
}

static int local_close(struct sdb_file *f)
{
    /* After EINTR the descriptor is gone on Linux: closing again would close
     * somebody else's. */
    int rc = close(local_fd(f));
    sdb_mem_free(f);
    return rc == 0 || errno == EINTR ? 0 : errno;
}

static const struct sdb_file_ops local_file_ops = {
    .read_at = local_read_at,
    .write_at = local_write_at,
    .sync = local_sync,
    .allocate = local_allocate,
    .truncate = local_truncate,
    .size = local_size,
    .lock = local_lock,
    .holders = local_holders,
    .close = local_close,
    .write_back = local_write_back,
    .read_ahead = local_read_ahead,
    .is_near = local_is_near,
    .map = local_map,
    .unmap = local_unmap,
};

static int open_fd(const char *path, int flags)
{
    int fd;
    do {
        fd = open(path, flags | O_CLOEXEC, 0666);
    } while (fd < 0 && errno == EINTR);
    return fd;
}

static int local_open(struct sdb_fs *fs, const char *path, enum sdb_open_mode mode,
                      struct sdb_file **out)
{
    static const int flags[] = {
        [SDB_READ] = O_RDONLY,
        [SDB_READWRITE] = O_RDWR,
        [SDB_CREATE] = O_RDWR | O_CREAT | O_EXCL,
    };
    (void)fs;
    struct local_file *f = sdb_mem_zalloc(sizeof *f);
    if (f == NULL)
        return ENOMEM;
    int fd = open_fd(path, flags[mode]), rc = errno;
    if (fd >= 0 && fd <= STDERR_FILENO) {
        /* A host without standard streams: its messages must not land in a file. */
        int high = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
        rc = errno;
        close(fd);
        fd = high;
    }
    if (fd < 0) {
        sdb_mem_free(f);
        return rc;
    }
    f->base.ops = &local_file_ops;
    f->fd = fd;
    *out = &f->base;
    return 0;
}

static int local_remove(struct sdb_fs *fs, const char *path)
{
    (void)fs;
    return unlink(path) == 0 ? 0 : errno;
}

static int local_rename(struct sdb_fs *fs, const char *from, const char *to)
{
    (void)fs;
    return rename(from, to) == 0 ? 0 : errno;
}

static int local_mkdir(struct sdb_fs *fs, const char *path)
{
    (void)fs;
    return mkdir(path, 0777) == 0 ? 0 : errno;
}

static int local_rmdir(struct sdb_fs *fs, const char *path)
{
    (void)fs;
    return rmdir(path) == 0 ? 0 : errno;
}

static int local_sync_dir(struct sdb_fs *fs, const char *path)
{
    (void)fs;
    int rc, fd = open_fd(path, O_RDONLY | O_DIRECTORY);
    if (fd < 0)
        return errno;
    do {
        rc = fsync(fd);
    } while (rc != 0 && errno == EINTR);
    rc = rc == 0 ? 0 : errno;
    close(fd);
    return rc == EINVAL ? 0 : rc; /* directories of this file system need no sync */
}

static int local_list(struct sdb_fs *fs, const char *path,
                      void (*each)(void *ctx, const char *name), void *ctx)
{
    (void)fs;
    DIR *dir = opendir(path);
    if (dir == NULL)
        return errno;
    struct dirent *entry;
    while (errno = 0, (entry = readdir(dir)) != NULL) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            each(ctx, entry->d_name);
    }
    int rc = errno;
    closedir(dir);
    return rc;
}

static int local_stat(struct sdb_fs *fs, const char *path, bool *is_dir, uint64_t *size)
{
    struct stat st;
    (void)fs;
    if (stat(path, &st) != 0)
        return errno;
    *is_dir = S_ISDIR(st.st_mode);
    *size = (uint64_t)st.st_size;
    return 0;
}

static bool local_is_read_only(struct sdb_fs *fs, const char *path)
{
    struct statvfs st;
    (void)fs;
    return statvfs(path, &st) == 0 && (st.f_flag & ST_RDONLY) != 0;
}

static const struct sdb_fs_ops local_fs_ops = {
    .open = local_open,
    .remove = local_remove,
    .rename = local_rename,
    .mkdir = local_mkdir,
    .rmdir = local_rmdir,
    .sync_dir = local_sync_dir,
    .list = local_list,
    .stat = local_stat,
    .is_read_only = local_is_read_only,
};

struct sdb_fs *sdb_fs_local(void)
{
    /* Not a constant for its counters' sake: the process has one disk. */
    static struct sdb_fs local = {.ops = &local_fs_ops};
    return &local;
}

/* ---- every layer ---------------------------------------------------------- */

static int code_of(int error)
{
    switch (error) {
    case ENOSPC:
    case EDQUOT:
        return SEERDB_FULL;
    case EACCES:
    case EPERM:
    case EROFS:
        return SEERDB_READONLY;
    case ENOMEM:
        return SEERDB_NOMEM;
    default:
        return SEERDB_IOERR;
    }
}

/* The same where a missing file means that there is nothing to open. */
static int code_of_open(int error)
{
    return error == ENOENT ? SEERDB_CANTOPEN : code_of(error);
}

static void count_read(struct sdb_fs *fs, enum sdb_purpose why, uint64_t n)
{
    for (; fs != NULL; fs = fs->under)
        atomic_fetch_add_explicit(&fs->counters.read[why], n, memory_order_relaxed);
}

static void count_written(struct sdb_fs *fs, enum sdb_purpose why, uint64_t n)
{
    for (; fs != NULL; fs = fs->under)
        atomic_fetch_add_explicit(&fs->counters.written[why], n, memory_order_relaxed);
}

static void count_sync(struct sdb_fs *fs, enum sdb_purpose why)
{
    for (; fs != NULL; fs = fs->under)
        atomic_fetch_add_explicit(&fs->counters.syncs[why], 1, memory_order_relaxed);
}

/* No file reaches further; what does comes from damaged bytes. */
static bool beyond_files(uint64_t off, uint64_t n)
{
    return off > INT64_MAX || n > (uint64_t)INT64_MAX - off;
}

int sdb_fs_open(struct sdb_fs *fs, const char *path, enum sdb_open_mode mode,
                enum sdb_purpose purpose, struct sdb_file **out, seerdb_err *err)
{
    static const char *const verb[] = {"open", "open", "create"};
    struct sdb_file *f = NULL;
    char *copy = sdb_mem_strdup(path); /* first: a created file is never lost */
    if (copy == NULL)
        return sdb_fail_nomem(err, strlen(path) + 1);
    int rc = fs->ops->open(fs, path, mode, &f);
    if (rc != 0) {
        sdb_mem_free(copy);
        return sdb_fail(err, code_of_open(rc), "cannot %s %s: %s", verb[mode], path,
                        strerror(rc));
    }
    f->fs = fs;
    f->path = copy;
    f->purpose = purpose;
    *out = f;
    return 0;
}

int sdb_fs_remove(struct sdb_fs *fs, const char *path, seerdb_err *err)
{
    int rc = fs->ops->remove(fs, path);
    return rc == 0
               ? 0
               : sdb_fail(err, code_of(rc), "cannot remove %s: %s", path, strerror(rc));
}

int sdb_fs_rename(struct sdb_fs *fs, const char *from, const char *to, seerdb_err *err)
{
    int rc = fs->ops->rename(fs, from, to);
    return rc == 0 ? 0
                   : sdb_fail(err, code_of(rc), "cannot rename %s to %s: %s", from, to,
                              strerror(rc));
}

int sdb_fs_mkdir(struct sdb_fs *fs, const char *path, seerdb_err *err)
{
    int rc = fs->ops->mkdir(fs, path);
    return rc == 0 ? 0
                   : sdb_fail(err, code_of_open(rc), "cannot make the directory %s: %s",
                              path, strerror(rc));
}

int sdb_fs_rmdir(struct sdb_fs *fs, const char *path, seerdb_err *err)
{
    int rc = fs->ops->rmdir(fs, path);
    return rc == 0 ? 0
                   : sdb_fail(err, code_of(rc), "cannot remove the directory %s: %s",
                              path, strerror(rc));
}

int sdb_fs_sync_dir(struct sdb_fs *fs, const char *path, seerdb_err *err)
{
    count_sync(fs, SDB_FOR_OTHER);
    int rc = fs->ops->sync_dir(fs, path);
    return rc == 0 ? 0
                   : sdb_fail(err, code_of(rc), "cannot sync the directory %s: %s",
                              path, strerror(rc));
}

int sdb_fs_list(struct sdb_fs *fs, const char *path,
                void (*each)(void *ctx, const char *name), void *ctx, seerdb_err *err)
{
    int rc = fs->ops->list(fs, path, each, ctx);
    return rc == 0 ? 0
                   : sdb_fail(err, code_of_open(rc), "cannot list the directory %s: %s",
                              path, strerror(rc));
}

int sdb_fs_stat(struct sdb_fs *fs, const char *path, bool *is_dir, uint64_t *size,
                seerdb_err *err)
{
    bool dir = false;
    uint64_t n = 0;
    int rc = fs->ops->stat(fs, path, &dir, &n);
    if (rc == ENOENT)
        return SEERDB_NOTFOUND;
    if (rc != 0)
        return sdb_fail(err, code_of(rc), "cannot look up %s: %s", path, strerror(rc));
    if (is_dir != NULL)
        *is_dir = dir;
    if (size != NULL)
        *size = n;
    return 0;
}

bool sdb_fs_is_read_only(struct sdb_fs *fs, const char *path)
{
    return fs->ops->is_read_only != NULL && fs->ops->is_read_only(fs, path);
}

int sdb_file_read_for(struct sdb_file *f, enum sdb_purpose why, uint64_t off, void *buf,
                      size_t n, seerdb_err *err)
{
    size_t got = 0;
    int rc = 0;
    if (n == 0)
        return 0;
    if (!beyond_files(off, n))
        rc = f->ops->read_at(f, off, buf, n, &got);
    count_read(f->fs, why, got);
    if (rc != 0)
        return sdb_fail(err, code_of(rc),
                        "cannot read %zu bytes at %" PRIu64 " of %s: %s", n, off,
                        f->path, strerror(rc));
    if (got < n)
        return sdb_fail(err, SEERDB_CORRUPT,
                        "%s: %zu bytes expected at %" PRIu64
                        ", the file ends after %zu of them",
                        f->path, n, off, got);
    return 0;
}

int sdb_file_read_at(struct sdb_file *f, uint64_t off, void *buf, size_t n,
                     seerdb_err *err)
{
    return sdb_file_read_for(f, f->purpose, off, buf, n, err);
}

void sdb_file_count_read(struct sdb_file *f, enum sdb_purpose why, size_t n)
{
    count_read(f->fs, why, n);
}

int sdb_file_read_all(struct sdb_file *f, struct sdb_buf *out, seerdb_err *err)
{
    uint64_t size = 0;
    int rc = sdb_file_size(f, &size, err);
    if (rc != 0)
        return rc;
    if (size > SIZE_MAX / 2)
        return sdb_fail_nomem(err, SIZE_MAX);
    if (!sdb_buf_reserve(out, (size_t)size))
        return sdb_fail_nomem(err, (size_t)size);
    rc = sdb_file_read_at(f, 0, out->data + out->size, (size_t)size, err);
    if (rc == 0)
        out->size += (size_t)size;
    return rc;
}

int sdb_file_write_at(struct sdb_file *f, uint64_t off, seerdb_slice bytes,
                      seerdb_err *err)
{
    if (bytes.size == 0)
        return 0;
    int rc = beyond_files(off, bytes.size)
                 ? EFBIG
                 : f->ops->write_at(f, off, bytes.data, bytes.size);
    if (rc != 0)
        return sdb_fail(err, code_of(rc),
                        "cannot write %zu bytes at %" PRIu64 " of %s: %s", bytes.size,
                        off, f->path, strerror(rc));
    count_written(f->fs, f->purpose, bytes.size);
    return 0;
}

void sdb_file_write_back(struct sdb_file *f, uint64_t off, uint64_t n)
{
    if (f->ops->write_back != NULL && !beyond_files(off, n))
        f->ops->write_back(f, off, n);
}

void sdb_file_read_ahead(struct sdb_file *f, uint64_t off, uint64_t n)
{
    if (f->ops->read_ahead != NULL && n > 0 && !beyond_files(off, n))
        f->ops->read_ahead(f, off, n);
}

bool sdb_file_is_near(struct sdb_file *f, uint64_t off)
{
    return f->ops->is_near == NULL ||
           (!beyond_files(off, 1) && f->ops->is_near(f, off));
}

struct sdb_map *sdb_file_map(struct sdb_file *f, uint64_t size)
{
    uint64_t now = 0;
    if (f->ops->map == NULL || size == 0 || size > SIZE_MAX / 2 ||
        f->ops->size(f, &now) != 0 || now < size)
        return NULL;
    struct sdb_map *m = sdb_mem_zalloc(sizeof *m);
    if (m == NULL || f->ops->map(f, size, &m->data) != 0) {
        sdb_mem_free(m);
        return NULL;
    }
    atomic_init(&m->count, 1);
    m->size = (size_t)size;
    m->unmap = f->ops->unmap;
    return m;
}

struct sdb_map *sdb_map_ref(struct sdb_map *m)
{
    atomic_fetch_add_explicit(&m->count, 1, memory_order_relaxed);
    return m;
}

void sdb_map_unref(struct sdb_map *m)
{
    if (m == NULL || atomic_fetch_sub_explicit(&m->count, 1, memory_order_acq_rel) != 1)
        return;
    m->unmap(m->data, m->size);
    sdb_mem_free(m);
}

int sdb_file_sync(struct sdb_file *f, seerdb_err *err)
{
    struct sdb_histogram *took = f->purpose == SDB_FOR_LOG ? f->fs->log_syncs : NULL;
    uint64_t began = took != NULL ? sdb_clock_mono_ns() : 0;
    count_sync(f->fs, f->purpose);
    int rc = f->ops->sync(f);
    if (took != NULL)
        sdb_histogram_add(took, sdb_clock_mono_ns() - began);
    return rc == 0 ? 0
                   : sdb_fail(err, code_of(rc), "cannot sync %s: %s", f->path,
                              strerror(rc));
}

int sdb_file_allocate(struct sdb_file *f, uint64_t size, seerdb_err *err)
{
    int rc = beyond_files(0, size) ? EFBIG : f->ops->allocate(f, size);
    return rc == 0 ? 0
                   : sdb_fail(err, code_of(rc),
                              "cannot reserve %" PRIu64 " bytes for %s: %s", size,
                              f->path, strerror(rc));
}

int sdb_file_truncate(struct sdb_file *f, uint64_t size, seerdb_err *err)
{
    int rc = beyond_files(0, size) ? EFBIG : f->ops->truncate(f, size);
    return rc == 0
               ? 0
               : sdb_fail(err, code_of(rc), "cannot cut %s at %" PRIu64 " bytes: %s",
                          f->path, size, strerror(rc));
}

int sdb_file_size(struct sdb_file *f, uint64_t *size, seerdb_err *err)
{
    int rc = f->ops->size(f, size);
    return rc == 0 ? 0
                   : sdb_fail(err, code_of(rc), "cannot tell the size of %s: %s",
                              f->path, strerror(rc));
}

int sdb_file_lock(struct sdb_file *f, enum sdb_lock_mode mode, seerdb_err *err)
{
    int rc = f->ops->lock(f, mode);
    if (rc == EWOULDBLOCK)
        return SEERDB_BUSY;
    return rc == 0 ? 0
                   : sdb_fail(err, code_of(rc), "cannot lock %s: %s", f->path,
                              strerror(rc));
}

size_t sdb_file_holders(struct sdb_file *f, uint64_t *pids, size_t room)
{
    return f->ops->holders != NULL ? f->ops->holders(f, pids, room) : 0;
}

void sdb_file_close(struct sdb_file *f)
{
    if (f == NULL)
        return;
    char *path = f->path;
    /* A failing close loses nothing that a sync has promised. */
    (void)f->ops->close(f);
    sdb_mem_free(path);
}

/* Write bytes to the new file tmp, so that they are on stable storage. */
static int write_new(struct sdb_fs *fs, const char *tmp, seerdb_slice bytes,
                     enum sdb_purpose purpose, seerdb_err *err)
{
    struct sdb_file *f = NULL;
    int rc = sdb_fs_open(fs, tmp, SDB_CREATE, purpose, &f, err);
    if (rc == 0)
        rc = sdb_file_write_at(f, 0, bytes, err);
    if (rc == 0)
        rc = sdb_file_sync(f, err);
    sdb_file_close(f);
    return rc;
}

int sdb_fs_replace(struct sdb_fs *fs, const char *dir, const char *path,
                   seerdb_slice bytes, enum sdb_purpose purpose, seerdb_err *err)
{
    static const char suffix[] = ".tmp";
    size_t n = strlen(path);
    char *tmp = sdb_mem_alloc(n + sizeof suffix);
    if (tmp == NULL)
        return sdb_fail_nomem(err, n + sizeof suffix);
    memcpy(tmp, path, n);
    memcpy(tmp + n, suffix, sizeof suffix);
    (void)sdb_fs_remove(fs, tmp, NULL); /* what an interrupted replace left */
    int rc = write_new(fs, tmp, bytes, purpose, err);
    if (rc == 0)
        rc = sdb_fs_rename(fs, tmp, path, err);
    if (rc != 0)
        (void)sdb_fs_remove(fs, tmp, NULL);
    else
        rc = sdb_fs_sync_dir(fs, dir, err);
    sdb_mem_free(tmp);
    return rc;
}
