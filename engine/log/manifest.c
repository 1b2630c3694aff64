/* SPDX-License-Identifier: Apache-2.0
 *
 * The edit is applied to the catalog in memory first and written afterwards: memory is
 * the judge of whether it makes sense, and a manifest that contradicts itself could
 * never be opened again.  The price is that after a failed write the catalog is ahead
 * of the disk; as the manifest then refuses every further edit, nothing is built on
 * that.
 *
 * A file that ends in a torn edit is never written to again: the next edit goes to a
 * new file, as a part of its snapshot. */
#include "log/manifest.h"

#include "os/clock.h"
#include "os/failpoint.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#define EDIT_FRAME    1 /* the only frame type */
#define FIRST_FILE    UINT64_C(1)
#define ROLLOVER_MIN  UINT64_C(65536) /* bytes of edits */
#define ROLLOVER_RATE 4               /* times the snapshot */

struct sdb_manifest {
    struct sdb_fs *fs;     /* borrowed */
    char *dir, *current;   /* owned; current: path of CURRENT */
    struct sdb_file *file; /* owned; NULL until there is one */
    uint64_t number, seed; /* of the file */
    uint64_t end;          /* offset behind the last valid frame */
    uint64_t snapshot;     /* bytes of the first frame */
    uint64_t loaded;       /* bytes of the file when it was loaded */
    bool begun;            /* file is open for writing */
    bool torn;             /* bytes of a torn edit follow: do not append here */
    struct sdb_catalog catalog;
    struct sdb_buf buf; /* reused */
    seerdb_err failed;  /* the first failure of an append */
};

void sdb_manifest_close(struct sdb_manifest *m)
{
    if (m == NULL)
        return;
    sdb_file_close(m->file);
    sdb_buf_fini(&m->buf);
    sdb_catalog_fini(&m->catalog);
    sdb_mem_free(m->current);
    sdb_mem_free(m->dir);
    sdb_mem_free(m);
}

static int manifest_new(struct sdb_fs *fs, const char *dir, struct sdb_manifest **out,
                        seerdb_err *err)
{
    static const char name[] = "/CURRENT";
    size_t n = strlen(dir);
    struct sdb_manifest *m = sdb_mem_zalloc(sizeof *m);
    if (m == NULL)
        return sdb_fail_nomem(err, sizeof *m);
    m->fs = fs;
    m->dir = sdb_mem_strdup(dir);
    m->current = sdb_mem_alloc(n + sizeof name);
    if (m->dir == NULL || m->current == NULL) {
        sdb_manifest_close(m);
        return sdb_fail_nomem(err, n + sizeof name);
    }
    memcpy(m->current, dir, n);
    memcpy(m->current + n, name, sizeof name);
    *out = m;
    return 0;
}

/* Put a frame with the edit as it will stand at offset `off`, `skip` bytes behind the
 * one before, into m->buf, behind what is there. */
static int encode_edit(struct sdb_manifest *m, uint64_t seed, uint64_t off,
                       uint64_t skip, const struct sdb_edit *e, seerdb_err *err)
{
    int rc = sdb_buf_check(&e->bytes, err);
    if (rc != 0)
        return rc;
    if (e->bytes.size > UINT32_MAX)
        return sdb_fail(err, SEERDB_TOOBIG,
                        "%s: an edit of %zu bytes, the most is %" PRIu32, m->dir,
                        e->bytes.size, UINT32_MAX);
    struct sdb_frame f = {.type = EDIT_FRAME,
                          .skip = (uint16_t)skip,
                          .timestamp_us = sdb_clock_unix_us(),
                          .payload = sdb_buf_slice(&e->bytes)};
    sdb_frame_encode(&m->buf, seed, off, &f);
    return sdb_buf_check(&m->buf, err);
}

/* Put the header of file `number` and the snapshot into m->buf. */
static int encode_snapshot(struct sdb_manifest *m, uint64_t number, uint64_t seed,
                           seerdb_err *err)
{
    struct sdb_edit e = {{0}};
    struct sdb_log_header h = {.kind = SDB_FILE_MANIFEST,
                               .store = m->catalog.store,
                               .number = number,
                               .previous = m->number};
    sdb_edit_snapshot(&e, &m->catalog);
    sdb_buf_clear(&m->buf);
    sdb_log_header_encode(&m->buf, &h);
    int rc = encode_edit(m, seed, SDB_LOG_FILE_HEADER, 0, &e, err);
    sdb_edit_fini(&e);
    return rc;
}

/* Make CURRENT name file `number`. */
static int switch_current(struct sdb_manifest *m, uint64_t number, seerdb_err *err)
{
    struct sdb_buf b = {0};
    char *name = sdb_numbered_path("", number, ".man");
    if (name == NULL)
        return sdb_fail_nomem(err, 1);
    sdb_buf_append(&b, name + 1, strlen(name + 1)); /* without the slash */
    sdb_buf_append(&b, "\n", 1);
    int rc = sdb_buf_check(&b, err);
    if (rc == 0)
        rc = sdb_fs_replace(m->fs, m->dir, m->current, sdb_buf_slice(&b),
                            SDB_FOR_MANIFEST, err);
    sdb_buf_fini(&b);
    sdb_mem_free(name);
    return rc;
}

/* Write the catalog to a new file and make it the one in use. */
static int roll_over(struct sdb_manifest *m, uint64_t number, seerdb_err *err)
{
    int rc;
    struct sdb_file *f = NULL;
    char *path = sdb_numbered_path(m->dir, number, ".man");
    uint64_t seed = sdb_frame_seed(&m->catalog.store, SDB_FILE_MANIFEST, number);
    if (path == NULL) {
        rc = sdb_fail_nomem(err, strlen(m->dir));
        goto out;
    }
    if ((rc = SDB_FAIL_AT(manifest_roll, err)) != 0 ||
        (rc = encode_snapshot(m, number, seed, err)) != 0 ||
        (rc = sdb_fs_open(m->fs, path, SDB_CREATE, SDB_FOR_MANIFEST, &f, err)) != 0 ||
        (rc = sdb_file_write_at(f, 0, sdb_buf_slice(&m->buf), err)) != 0 ||
        (rc = sdb_file_sync(f, err)) != 0 ||
        (rc = sdb_fs_sync_dir(m->fs, m->dir, err)) != 0 ||
        (rc = SDB_FAIL_AT(manifest_switch, err)) != 0 ||
        (rc = switch_current(m, number, err)) != 0)
        goto out;
    SDB_PASS(manifest_switched);
    if (m->file != NULL) {
        /* Whoever opens the store next removes it if this fails. */
        (void)sdb_fs_remove(m->fs, m->file->path, NULL);
        sdb_file_close(m->file);
    }
    m->file = f;
    f = NULL;
    m->begun = true;
    m->number = number;
    m->seed = seed;
    m->end = m->buf.size;
    m->snapshot = m->buf.size - SDB_LOG_FILE_HEADER;
    m->torn = false;
out:
    sdb_file_close(f);
    sdb_mem_free(path);
    return rc;
}

int sdb_manifest_create(struct sdb_fs *fs, const char *dir, const seerdb_uuid *store,
                        struct sdb_manifest **out, seerdb_err *err)
{
    int rc;
    struct sdb_manifest *m = NULL;
    char *path = NULL;
    if ((rc = manifest_new(fs, dir, &m, err)) != 0)
        goto out;
    m->catalog = (struct sdb_catalog){.store = *store,
                                      .number_ceiling = 1,
                                      .file_ceiling = FIRST_FILE + 1,
                                      .next_tree = 1};
    if ((path = sdb_numbered_path(dir, FIRST_FILE, ".man")) == NULL) {
        rc = sdb_fail_nomem(err, strlen(dir));
        goto out;
    }
    rc = sdb_fs_stat(fs, path, NULL, NULL, err);
    if (rc == 0)
        rc = sdb_fs_remove(fs, path, err);
    if (rc < 0 || (rc = roll_over(m, FIRST_FILE, err)) != 0)
        goto out;
    *out = m;
    m = NULL;
out:
    sdb_mem_free(path);
    sdb_manifest_close(m);
    return rc;
}

/* The number in CURRENT.  NOTFOUND: there is no CURRENT. */
static int read_current(struct sdb_manifest *m, uint64_t *number, seerdb_err *err)
{
    struct sdb_file *f = NULL;
    int rc = sdb_fs_stat(m->fs, m->current, NULL, NULL, err);
    if (rc != 0)
        return rc;
    sdb_buf_clear(&m->buf);
    if ((rc = sdb_fs_open(m->fs, m->current, SDB_READ, SDB_FOR_MANIFEST, &f, err)) !=
            0 ||
        (rc = sdb_file_read_all(f, &m->buf, err)) != 0)
        goto out;
    char name[40];
    size_t n = m->buf.size;
    bool ends = n > 0 && n <= sizeof name && m->buf.data[n - 1] == '\n' &&
                memchr(m->buf.data, 0, n) == NULL;
    if (ends) {
        memcpy(name, m->buf.data, n - 1);
        name[n - 1] = '\0';
    }
    if (!ends || !sdb_numbered_parse(name, ".man", number))
        rc = sdb_fail(err, SEERDB_CORRUPT,
                      "%s: its %zu bytes are not the name of a manifest and a newline",
                      m->current, n);
out:
    sdb_file_close(f);
    return rc;
}

static int open_numbered(struct sdb_manifest *m, uint64_t number, seerdb_err *err)
{
    char *path = sdb_numbered_path(m->dir, number, ".man");
    if (path == NULL)
        return sdb_fail_nomem(err, strlen(m->dir));
    int rc = sdb_fs_stat(m->fs, path, NULL, NULL, err);
    if (rc == SEERDB_NOTFOUND)
        rc = sdb_fail(err, SEERDB_CORRUPT, "%s names the manifest %s, which is missing",
                      m->current, path);
    else if (rc == 0)
        rc = sdb_fs_open(m->fs, path, SDB_READ, SDB_FOR_MANIFEST, &m->file, err);
    sdb_mem_free(path);
    return rc;
}

/* Check the header at the start of m->buf, the whole file. */
static int check_header(struct sdb_manifest *m, uint64_t number, seerdb_uuid *store,
                        seerdb_err *err)
{
    struct sdb_log_header h;
    const char *path = m->file->path;
    int rc = sdb_log_header_decode(sdb_buf_slice(&m->buf), path, &h, err);
    if (rc != 0)
        return rc;
    if (h.kind != SDB_FILE_MANIFEST)
        return sdb_fail(err, SEERDB_CORRUPT,
                        "%s: header: kind %d, expected %d: a manifest", path,
                        (int)h.kind, (int)SDB_FILE_MANIFEST);
    if (h.number != number)
        return sdb_fail(err, SEERDB_CORRUPT,
                        "%s: header: file number %" PRIu64 ", expected %" PRIu64, path,
                        h.number, number);
    *store = h.store;
    m->number = number;
    m->seed = sdb_frame_seed(&h.store, SDB_FILE_MANIFEST, number);
    return 0;
}

static int apply_frame(struct sdb_manifest *m, const struct sdb_frame *f, uint64_t at,
                       seerdb_err *err)
{
    char where[256]; /* for messages: a long path is cut */
    snprintf(where, sizeof where, "%.200s: offset %" PRIu64, m->file->path, at);
    if (f->type != EDIT_FRAME)
        return sdb_fail(err, SEERDB_NEWER, "%s: unknown frame type %u", where, f->type);
    return sdb_catalog_apply(&m->catalog, f->payload, where, err);
}

/* What stands at m->end is not a valid frame: a torn edit, or damage. */
static int check_tail(struct sdb_manifest *m, seerdb_err *err)
{
    uint64_t at;
    struct sdb_frame f;
    seerdb_slice whole = sdb_buf_slice(&m->buf);
    if (m->end == SDB_LOG_FILE_HEADER)
        return sdb_fail(err, SEERDB_CORRUPT,
                        "%s: offset %" PRIu64 ": the snapshot is damaged",
                        m->file->path, m->end);
    if (sdb_frame_resync(whole, m->seed, m->end, &at, &f) == SEERDB_NOTFOUND) {
        m->torn = m->end < whole.size;
        return 0;
    }
    return sdb_fail(err, SEERDB_CORRUPT,
                    "%s: offset %" PRIu64
                    ": a damaged edit; a valid one follows at %" PRIu64,
                    m->file->path, m->end, at);
}

/* Apply every frame of m->buf, the whole file. */
static int read_frames(struct sdb_manifest *m, const seerdb_uuid *store,
                       seerdb_err *err)
{
    int rc;
    m->end = SDB_LOG_FILE_HEADER;
    for (;;) {
        uint64_t at, size;
        struct sdb_frame f;
        rc = sdb_frame_next(sdb_buf_slice(&m->buf), m->seed, m->end, &f, &at, &size);
        if (rc == SEERDB_NOTFOUND)
            return check_tail(m, err);
        if (rc == SEERDB_NEWER)
            return sdb_fail(err, rc,
                            "%s: offset %" PRIu64 ": a frame with unknown fields",
                            m->file->path, at);
        if ((rc = apply_frame(m, &f, at, err)) != 0)
            return rc;
        if (!sdb_uuid_equal(&m->catalog.store, store))
            return sdb_fail(err, SEERDB_CORRUPT,
                            "%s: offset %" PRIu64
                            ": the store's UUID is not the header's",
                            m->file->path, at);
        if (m->end == SDB_LOG_FILE_HEADER)
            m->snapshot = size;
        m->end = at + size;
    }
}

int sdb_manifest_load(struct sdb_fs *fs, const char *dir, struct sdb_manifest **out,
                      seerdb_err *err)
{
    int rc;
    uint64_t number;
    seerdb_uuid store;
    struct sdb_manifest *m = NULL;
    if ((rc = manifest_new(fs, dir, &m, err)) != 0 ||
        (rc = read_current(m, &number, err)) != 0 ||
        (rc = open_numbered(m, number, err)) != 0)
        goto out;
    sdb_buf_clear(&m->buf);
    if ((rc = sdb_file_read_all(m->file, &m->buf, err)) != 0 ||
        (rc = check_header(m, number, &store, err)) != 0 ||
        (rc = read_frames(m, &store, err)) != 0)
        goto out;
    m->loaded = m->buf.size;
    *out = m;
    m = NULL;
out:
    sdb_manifest_close(m);
    return rc;
}

/* The last edit, and the name in CURRENT, may have been seen in memory only, when the
 * process that wrote them died before it had synced them.  From now on files are
 * removed because of them. */
int sdb_manifest_begin(struct sdb_manifest *m, seerdb_err *err)
{
    struct sdb_file *f = NULL;
    int rc;
    if (m->begun)
        return 0;
    if ((rc = SDB_FAIL_AT(manifest_begin, err)) != 0 ||
        (rc = sdb_fs_open(m->fs, m->file->path, SDB_READWRITE, SDB_FOR_MANIFEST, &f,
                          err)) != 0 ||
        (rc = sdb_file_sync(f, err)) != 0 ||
        (rc = sdb_fs_sync_dir(m->fs, m->dir, err)) != 0)
        goto out;
    sdb_file_close(m->file);
    m->file = f;
    f = NULL;
    m->begun = true;
out:
    sdb_file_close(f);
    return rc;
}

int sdb_manifest_look(struct sdb_manifest *m, bool *changed, seerdb_err *err)
{
    uint64_t number = 0, size = 0;
    assert(!m->begun);
    int rc = read_current(m, &number, err);
    *changed = rc == SEERDB_NOTFOUND || (rc == 0 && number != m->number);
    if (rc < 0 || *changed)
        return rc < 0 ? rc : 0;
    /* A name is never used twice, and edits are never taken back. */
    if ((rc = sdb_file_size(m->file, &size, err)) == 0)
        *changed = size != m->loaded;
    return rc;
}

const struct sdb_catalog *sdb_manifest_catalog(const struct sdb_manifest *m)
{
    return &m->catalog;
}

static int append_here(struct sdb_manifest *m, seerdb_err *err)
{
    int rc;
    uint64_t at = sdb_log_sector_up(m->end); /* what is before is synced: keep off */
    if ((rc = SDB_FAIL_AT(manifest_append, err)) != 0 ||
        (rc = sdb_file_write_at(m->file, at, sdb_buf_slice(&m->buf), err)) != 0 ||
        (rc = SDB_FAIL_AT(manifest_appended, err)) != 0 ||
        (rc = sdb_file_sync(m->file, err)) != 0)
        return rc;
    SDB_PASS(manifest_synced);
    m->end = at + m->buf.size;
    return 0;
}

static bool is_long(const struct sdb_manifest *m)
{
    uint64_t edits = m->end - SDB_LOG_FILE_HEADER - m->snapshot + m->buf.size;
    uint64_t limit = ROLLOVER_RATE * m->snapshot;
    return edits > (limit > ROLLOVER_MIN ? limit : ROLLOVER_MIN);
}

static int apply_and_write(struct sdb_manifest *m, const struct sdb_edit *e,
                           _Atomic uint64_t *next_file, seerdb_err *err)
{
    int rc = sdb_catalog_apply(&m->catalog, sdb_buf_slice(&e->bytes), m->dir, err);
    if (rc != 0)
        return rc;
    if (!m->torn && !is_long(m))
        return append_here(m, err);
    uint64_t number = atomic_fetch_add_explicit(next_file, 1, memory_order_relaxed);
    /* The caller keeps its ceiling ahead; if not, the snapshot itself may still say so.
     */
    if (number >= m->catalog.file_ceiling)
        m->catalog.file_ceiling = number + 1;
    return roll_over(m, number, err);
}

int sdb_manifest_append(struct sdb_manifest *m, const struct sdb_edit *e,
                        _Atomic uint64_t *next_file, seerdb_err *err)
{
    int rc;
    assert(m->begun);
    if (m->failed.code != 0)
        return sdb_fail_as(err, &m->failed);
    /* Nothing has changed when these fail. */
    sdb_buf_clear(&m->buf);
    uint64_t at = sdb_log_sector_up(m->end);
    if ((rc = encode_edit(m, m->seed, at, at - m->end, e, err)) != 0)
        return rc;
    if ((rc = apply_and_write(m, e, next_file, &m->failed)) != 0)
        return sdb_fail_as(err, &m->failed);
    return 0;
}

bool sdb_manifest_has_failed(const struct sdb_manifest *m)
{
    return m->failed.code != 0;
}

uint64_t sdb_manifest_file(const struct sdb_manifest *m)
{
    return m->number;
}
