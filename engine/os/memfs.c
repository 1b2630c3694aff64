/* SPDX-License-Identifier: Apache-2.0
 *
 * One mutex guards everything: an operation is a memcpy or a few pointers.  Content is
 * the business of memdata; this file is about names.
 *
 * There are two sorted tables, what programs see and what the disk has, and between
 * them the list of changes (`pending`) that have been made to the first and not to the
 * second.  Syncing a directory applies its changes to the disk, in order; a cut
 * applies none, or each or not by the toss of a coin, and then makes both tables the
 * same.  Memory for all of that is set aside when a name changes, so that neither a
 * directory sync nor a cut can fail. */
#include "os/memfs.h"

#include "os/memdata.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

/* A file's content, or a directory.  Counted by entries and open files. */
struct node {
    size_t refs;
    bool is_dir;
    struct sdb_memdata data;
    size_t nlocks;  /* files that hold its lock, */
    bool exclusive; /* one of them alone */
};

/* A name of a node.  Never changes; counted by tables and changes. */
struct entry {
    size_t refs;
    struct node *node; /* counted reference */
    size_t length;
    char path[];
};

struct table {
    struct entry **at; /* owned, sorted; counted references */
    size_t n, capacity;
};

/* Either may be NULL: a creation, a removal, a renaming. */
struct change {
    struct entry *del, *add; /* counted references */
};

struct memfs {
    struct sdb_fs base;
    bool track_sync; /* immutable */
    struct sdb_mutex mutex;
    struct table seen GUARDED_BY(LK_FS);
    struct table disk GUARDED_BY(LK_FS);      /* only with track_sync, */
    struct change *pending GUARDED_BY(LK_FS); /* as this; owned */
    size_t npending GUARDED_BY(LK_FS), pending_capacity GUARDED_BY(LK_FS);
    uint64_t ncuts GUARDED_BY(LK_FS);
    uint64_t bytes GUARDED_BY(LK_FS); /* of all chunks */
};

struct mem_file {
    struct sdb_file base;
    struct memfs *mem; /* borrowed */
    struct node *node; /* counted reference */
    bool writable;
    bool locks;     /* it holds the lock of the node */
    uint64_t ncuts; /* the file system's when this was opened */
};

/* ---- names ---------------------------------------------------------------- */

static void node_unref(struct node *node) REQUIRES(LK_FS)
{
    if (--node->refs == 0) {
        sdb_memdata_fini(&node->data);
        sdb_mem_free(node);
    }
}

static void entry_unref(struct entry *e) REQUIRES(LK_FS)
{
    if (e != NULL && --e->refs == 0) {
        node_unref(e->node);
        sdb_mem_free(e);
    }
}

static struct entry *entry_new(const char *path, struct node *node)
{
    size_t n = strlen(path);
    struct entry *e = sdb_mem_alloc(sizeof *e + n + 1);
    if (e == NULL)
        return NULL;
    node->refs++;
    *e = (struct entry){.refs = 1, .node = node, .length = n};
    memcpy(e->path, path, n + 1);
    return e;
}

/* Where the path of n bytes is, or should be, in the table. */
static size_t place(const struct table *t, const char *path, size_t n, bool *found)
{
    size_t lo = 0, hi = t->n;
    *found = false;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        const struct entry *e = t->at[mid];
        int order = memcmp(e->path, path, e->length < n ? e->length : n);
        if (order == 0 && e->length == n) {
            *found = true;
            return mid;
        }
        if (order < 0 || (order == 0 && e->length < n))
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static struct entry *find(const struct table *t, const char *path)
{
    bool found;
    size_t i = place(t, path, strlen(path), &found);
    return found ? t->at[i] : NULL;
}

/* 0 when the table holds the directory that the path lies in. */
static int check_parent(const struct table *t, const char *path)
{
    const char *slash = strrchr(path, '/');
    bool found;
    if (slash == NULL || slash == path)
        return 0; /* "." and "/" are always there */
    size_t i = place(t, path, (size_t)(slash - path), &found);
    if (!found)
        return ENOENT;
    return t->at[i]->node->is_dir ? 0 : ENOTDIR;
}

/* The name that `path` has in `dir`, or NULL when it lies somewhere else. */
static const char *name_in(const char *dir, const char *path)
{
    const char *slash = strrchr(path, '/');
    size_t n = strlen(dir);
    if (slash == NULL)
        return strcmp(dir, ".") == 0 ? path : NULL;
    if (slash == path)
        return strcmp(dir, "/") == 0 ? path + 1 : NULL;
    return n == (size_t)(slash - path) && memcmp(dir, path, n) == 0 ? slash + 1 : NULL;
}

static int find_dir(const struct table *t, const char *path)
{
    if (strcmp(path, ".") == 0 || strcmp(path, "/") == 0)
        return 0;
    const struct entry *e = find(t, path);
    if (e == NULL)
        return ENOENT;
    return e->node->is_dir ? 0 : ENOTDIR;
}

/* Requires: room for one more. */
static void apply(struct table *t, struct change change) REQUIRES(LK_FS)
{
    bool found;
    if (change.del != NULL) {
        size_t i = place(t, change.del->path, change.del->length, &found);
        if (found && t->at[i]->node == change.del->node) {
            entry_unref(t->at[i]);
            memmove(t->at + i, t->at + i + 1, (--t->n - i) * sizeof *t->at);
        }
    }
    if (change.add != NULL) {
        size_t i = place(t, change.add->path, change.add->length, &found);
        change.add->refs++;
        if (found) {
            entry_unref(t->at[i]);
        } else {
            assert(t->n < t->capacity);
            memmove(t->at + i + 1, t->at + i, (t->n++ - i) * sizeof *t->at);
        }
        t->at[i] = change.add;
    }
}

static int reserve_table(struct table *t, size_t n)
{
    if (n <= t->capacity)
        return 0;
    n += n / 2 + 16;
    struct entry **at = sdb_array_grow(t->at, n, sizeof *at);
    if (at == NULL)
        return ENOMEM;
    t->at = at;
    t->capacity = n;
    return 0;
}

/* Memory for one more change and everything that may become of it later. */
static int reserve_change(struct memfs *m) REQUIRES(LK_FS)
{
    size_t most = m->disk.n + m->npending;
    if (most < m->seen.n)
        most = m->seen.n;
    int rc = reserve_table(&m->seen, most + 1);
    if (rc != 0 || !m->track_sync)
        return rc;
    if ((rc = reserve_table(&m->disk, most + 1)) != 0)
        return rc;
    if (m->npending == m->pending_capacity) {
        size_t n = m->npending + m->npending / 2 + 16;
        struct change *pending = sdb_array_grow(m->pending, n, sizeof *pending);
        if (pending == NULL)
            return ENOMEM;
        m->pending = pending;
        m->pending_capacity = n;
    }
    return 0;
}

/* Change a name.  Takes the caller's count on add; Requires: reserve_change. */
static void change_name(struct memfs *m, struct entry *del, struct entry *add)
    REQUIRES(LK_FS)
{
    struct change change = {del, add};
    if (del != NULL)
        del->refs++;
    apply(&m->seen, change);
    if (m->track_sync) {
        m->pending[m->npending++] = change;
    } else {
        entry_unref(del);
        entry_unref(add);
    }
}

/* Make a node and its name; *out is borrowed. */
static int create(struct memfs *m, const char *path, bool is_dir, struct node **out)
    REQUIRES(LK_FS)
{
    int rc = check_parent(&m->seen, path);
    if (rc != 0)
        return rc;
    if (find(&m->seen, path) != NULL || find_dir(&m->seen, path) == 0)
        return EEXIST;
    if (reserve_change(m) != 0)
        return ENOMEM;
    struct node *node = sdb_mem_zalloc(sizeof *node);
    struct entry *e = node != NULL ? entry_new(path, node) : NULL;
    if (e == NULL) {
        sdb_mem_free(node);
        return ENOMEM;
    }
    node->is_dir = is_dir;
    sdb_memdata_init(&node->data, m->track_sync, &m->bytes);
    change_name(m, NULL, e);
    *out = node;
    return 0;
}

/* ---- open files ----------------------------------------------------------- */

static struct mem_file *mem_file(struct sdb_file *f)
{
    return (struct mem_file *)f;
}

/* Take the lock; EIO when the power was cut since the file was opened. */
static int enter(const struct mem_file *f) ACQUIRE(LK_FS)
{
    sdb_lock_fs(&f->mem->mutex);
    return f->ncuts == f->mem->ncuts ? 0 : EIO;
}

static void leave(const struct mem_file *f) RELEASE(LK_FS)
{
    sdb_unlock_fs(&f->mem->mutex);
}

static int mem_read_at(struct sdb_file *base, uint64_t off, void *buf, size_t n,
                       size_t *got)
{
    struct mem_file *f = mem_file(base);
    int rc = enter(f);
    *got = rc == 0 ? sdb_memdata_read(&f->node->data, off, buf, n) : 0;
    leave(f);
    return rc;
}

static int mem_write_at(struct sdb_file *base, uint64_t off, const void *buf, size_t n)
{
    struct mem_file *f = mem_file(base);
    int rc = enter(f);
    if (rc == 0)
        rc = f->writable ? sdb_memdata_write(&f->node->data, off, buf, n) : EBADF;
    leave(f);
    return rc;
}

static int mem_sync(struct sdb_file *base)
{
    struct mem_file *f = mem_file(base);
    int rc = enter(f);
    if (rc == 0 && f->mem->track_sync)
        sdb_memdata_sync(&f->node->data);
    leave(f);
    return rc;
}

static int mem_allocate(struct sdb_file *base, uint64_t size)
{
    struct mem_file *f = mem_file(base);
    int rc = enter(f);
    if (rc == 0 && size > f->node->data.size)
        rc = f->writable ? sdb_memdata_resize(&f->node->data, size) : EBADF;
    leave(f);
    return rc;
}

static int mem_truncate(struct sdb_file *base, uint64_t size)
{
    struct mem_file *f = mem_file(base);
    int rc = enter(f);
    if (rc == 0)
        rc = f->writable ? sdb_memdata_resize(&f->node->data, size) : EBADF;
    leave(f);
    return rc;
}

static int mem_size(struct sdb_file *base, uint64_t *size)
{
    struct mem_file *f = mem_file(base);
    int rc = enter(f);
    *size = f->node->data.size;
    leave(f);
    return rc;
}

static void unlock_node(struct mem_file *f)
{
    if (f->locks)
        f->node->nlocks--;
    f->locks = false;
}

static int mem_lock(struct sdb_file *base, enum sdb_lock_mode mode)
{
    struct mem_file *f = mem_file(base);
    bool exclusive = mode == SDB_LOCK_EXCLUSIVE;
    int rc = enter(f);
    if (rc == 0) {
        unlock_node(f);
        if (f->node->nlocks > 0 && (exclusive || f->node->exclusive))
            rc = EWOULDBLOCK;
    }
    if (rc == 0) {
        f->node->nlocks++;
        f->node->exclusive = exclusive;
        f->locks = true;
    }
    leave(f);
    return rc;
}

static int mem_close(struct sdb_file *base)
{
    struct mem_file *f = mem_file(base);
    if (enter(f) == 0) /* else the cut has unlocked it */
        unlock_node(f);
    node_unref(f->node);
    leave(f);
    sdb_mem_free(f);
    return 0;
}

static const struct sdb_file_ops mem_file_ops = {
    .read_at = mem_read_at,
    .write_at = mem_write_at,
    .sync = mem_sync,
    .allocate = mem_allocate,
    .truncate = mem_truncate,
    .size = mem_size,
    .lock = mem_lock,
    .close = mem_close,
};

/* ---- the file system ------------------------------------------------------ */

static struct memfs *memfs(struct sdb_fs *fs)
{
    return (struct memfs *)fs;
}

static int find_file(struct memfs *m, const char *path, struct node **out)
    REQUIRES(LK_FS)
{
    int rc = check_parent(&m->seen, path);
    if (rc != 0)
        return rc;
    if (find_dir(&m->seen, path) == 0)
        return EISDIR;
    struct entry *e = find(&m->seen, path);
    if (e == NULL)
        return ENOENT;
    *out = e->node;
    return 0;
}

static int mem_open(struct sdb_fs *fs, const char *path, enum sdb_open_mode mode,
                    struct sdb_file **out)
{
    struct memfs *m = memfs(fs);
    struct node *node = NULL;
    struct mem_file *f = sdb_mem_zalloc(sizeof *f);
    if (f == NULL)
        return ENOMEM;
    sdb_lock_fs(&m->mutex);
    int rc =
        mode == SDB_CREATE ? create(m, path, false, &node) : find_file(m, path, &node);
    if (rc == 0) {
        node->refs++;
        *f = (struct mem_file){
            .base.ops = &mem_file_ops,
            .mem = m,
            .node = node,
            .writable = mode != SDB_READ,
            .ncuts = m->ncuts,
        };
    }
    sdb_unlock_fs(&m->mutex);
    if (rc != 0)
        sdb_mem_free(f);
    else
        *out = &f->base;
    return rc;
}

static int mem_remove(struct sdb_fs *fs, const char *path)
{
    struct memfs *m = memfs(fs);
    struct node *node = NULL;
    sdb_lock_fs(&m->mutex);
    int rc = find_file(m, path, &node);
    if (rc == 0)
        rc = reserve_change(m);
    if (rc == 0)
        change_name(m, find(&m->seen, path), NULL);
    sdb_unlock_fs(&m->mutex);
    return rc;
}

/* Renames files only. */
static int mem_rename(struct sdb_fs *fs, const char *from, const char *to)
{
    struct memfs *m = memfs(fs);
    struct node *node = NULL;
    sdb_lock_fs(&m->mutex);
    int rc = find_file(m, from, &node);
    if (rc == 0)
        rc = check_parent(&m->seen, to);
    if (rc == 0 && find_dir(&m->seen, to) == 0)
        rc = EISDIR;
    if (rc == 0)
        rc = reserve_change(m);
    if (rc == 0) {
        struct entry *e = entry_new(to, node);
        if (e != NULL)
            change_name(m, find(&m->seen, from), e);
        else
            rc = ENOMEM;
    }
    sdb_unlock_fs(&m->mutex);
    return rc;
}

static int mem_mkdir(struct sdb_fs *fs, const char *path)
{
    struct memfs *m = memfs(fs);
    struct node *node;
    sdb_lock_fs(&m->mutex);
    int rc = create(m, path, true, &node);
    sdb_unlock_fs(&m->mutex);
    return rc;
}

static int mem_rmdir(struct sdb_fs *fs, const char *path)
{
    struct memfs *m = memfs(fs);
    sdb_lock_fs(&m->mutex);
    struct entry *e = find(&m->seen, path);
    int rc = e != NULL ? find_dir(&m->seen, path) : ENOENT;
    for (size_t i = 0; rc == 0 && i < m->seen.n; i++) {
        if (name_in(path, m->seen.at[i]->path) != NULL)
            rc = ENOTEMPTY;
    }
    if (rc == 0)
        rc = reserve_change(m);
    if (rc == 0)
        change_name(m, e, NULL);
    sdb_unlock_fs(&m->mutex);
    return rc;
}

static bool touches(const struct change *c, const char *dir)
{
    return (c->del != NULL && name_in(dir, c->del->path) != NULL) ||
           (c->add != NULL && name_in(dir, c->add->path) != NULL);
}

static int mem_sync_dir(struct sdb_fs *fs, const char *path)
{
    struct memfs *m = memfs(fs);
    size_t kept = 0;
    sdb_lock_fs(&m->mutex);
    int rc = find_dir(&m->seen, path);
    for (size_t i = 0; rc == 0 && i < m->npending; i++) {
        struct change c = m->pending[i];
        if (touches(&c, path)) {
            apply(&m->disk, c);
            entry_unref(c.del);
            entry_unref(c.add);
        } else {
            m->pending[kept++] = c;
        }
    }
    if (rc == 0)
        m->npending = kept;
    sdb_unlock_fs(&m->mutex);
    return rc;
}

static int mem_list(struct sdb_fs *fs, const char *path,
                    void (*each)(void *ctx, const char *name), void *ctx)
{
    struct memfs *m = memfs(fs);
    struct entry **found = NULL; /* counted references: `each` is called unlocked */
    size_t n = 0;
    sdb_lock_fs(&m->mutex);
    int rc = find_dir(&m->seen, path);
    if (rc == 0 && (found = sdb_array_new(m->seen.n, sizeof(struct entry *))) == NULL)
        rc = ENOMEM;
    for (size_t i = 0; rc == 0 && i < m->seen.n; i++) {
        if (name_in(path, m->seen.at[i]->path) != NULL) {
            found[n] = m->seen.at[i];
            found[n++]->refs++;
        }
    }
    sdb_unlock_fs(&m->mutex);
    for (size_t i = 0; i < n; i++)
        each(ctx, name_in(path, found[i]->path));
    sdb_lock_fs(&m->mutex);
    for (size_t i = 0; i < n; i++)
        entry_unref(found[i]);
    sdb_unlock_fs(&m->mutex);
    sdb_mem_free(found);
    return rc;
}

static int mem_stat(struct sdb_fs *fs, const char *path, bool *is_dir, uint64_t *size)
{
    struct memfs *m = memfs(fs);
    sdb_lock_fs(&m->mutex);
    int rc = check_parent(&m->seen, path);
    const struct entry *e = find(&m->seen, path);
    *is_dir = find_dir(&m->seen, path) == 0;
    *size = e != NULL ? e->node->data.size : 0;
    if (rc == 0 && e == NULL && !*is_dir)
        rc = ENOENT;
    sdb_unlock_fs(&m->mutex);
    return rc;
}

static const struct sdb_fs_ops mem_fs_ops = {
    .open = mem_open,
    .remove = mem_remove,
    .rename = mem_rename,
    .mkdir = mem_mkdir,
    .rmdir = mem_rmdir,
    .sync_dir = mem_sync_dir,
    .list = mem_list,
    .stat = mem_stat,
};

struct sdb_fs *sdb_memfs_new(bool track_sync)
{
    struct memfs *m = sdb_mem_zalloc(sizeof *m);
    if (m == NULL)
        return NULL;
    m->base.ops = &mem_fs_ops;
    m->track_sync = track_sync;
    sdb_mutex_init(&m->mutex);
    return &m->base;
}

static void clear_table(struct table *t) REQUIRES(LK_FS)
{
    for (size_t i = 0; i < t->n; i++)
        entry_unref(t->at[i]);
    t->n = 0;
}

void sdb_memfs_free(struct sdb_fs *fs)
{
    if (fs == NULL)
        return;
    struct memfs *m = memfs(fs);
    assert(fs->ops == &mem_fs_ops);
    sdb_lock_fs(&m->mutex);
    clear_table(&m->seen);
    clear_table(&m->disk);
    for (size_t i = 0; i < m->npending; i++) {
        entry_unref(m->pending[i].del);
        entry_unref(m->pending[i].add);
    }
    assert(m->bytes == 0);
    sdb_mem_free(m->seen.at);
    sdb_mem_free(m->disk.at);
    sdb_mem_free(m->pending);
    sdb_unlock_fs(&m->mutex);
    sdb_mutex_fini(&m->mutex);
    sdb_mem_free(m);
}

/* ---- power cuts ----------------------------------------------------------- */

/* Forget names whose directory is not there. A directory sorts before what it holds. */
static void drop_orphans(struct table *t) REQUIRES(LK_FS)
{
    size_t n = t->n;
    t->n = 0;
    for (size_t i = 0; i < n; i++) {
        struct entry *e = t->at[i];
        if (check_parent(t, e->path) == 0)
            t->at[t->n++] = e;
        else
            entry_unref(e);
    }
}

void sdb_memfs_cut(struct sdb_fs *fs, enum sdb_cut_mode mode, uint64_t seed)
{
    struct memfs *m = memfs(fs);
    struct sdb_rand state = {seed}, *rand = mode == SDB_CUT_RANDOM ? &state : NULL;
    assert(fs->ops == &mem_fs_ops && m->track_sync);
    sdb_lock_fs(&m->mutex);
    for (size_t i = 0; i < m->npending; i++) {
        struct change c = m->pending[i];
        if (rand != NULL && sdb_rand_below(rand, 2) == 0)
            apply(&m->disk, c);
        entry_unref(c.del);
        entry_unref(c.add);
    }
    m->npending = 0;
    drop_orphans(&m->disk);
    clear_table(&m->seen);
    assert(m->disk.n <= m->seen.capacity);
    for (size_t i = 0; i < m->disk.n; i++) {
        m->seen.at[i] = m->disk.at[i];
        m->seen.at[i]->refs++;
        m->seen.at[i]->node->nlocks = 0;
        sdb_memdata_cut(&m->seen.at[i]->node->data, rand);
    }
    m->seen.n = m->disk.n;
    m->ncuts++;
    sdb_unlock_fs(&m->mutex);
}

uint64_t sdb_memfs_bytes(struct sdb_fs *fs)
{
    struct memfs *m = memfs(fs);
    sdb_lock_fs(&m->mutex);
    uint64_t bytes = m->bytes;
    sdb_unlock_fs(&m->mutex);
    return bytes;
}

int sdb_memfs_flip(struct sdb_fs *fs, const char *path, uint64_t off, unsigned bit)
{
    struct memfs *m = memfs(fs);
    struct node *node = NULL;
    sdb_lock_fs(&m->mutex);
    int rc = find_file(m, path, &node);
    if (rc == 0 && (off >= node->data.size || bit > 7))
        rc = EINVAL;
    if (rc == 0)
        rc = sdb_memdata_flip(&node->data, off, bit);
    sdb_unlock_fs(&m->mutex);
    return rc;
}
