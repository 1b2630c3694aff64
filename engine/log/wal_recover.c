/* SPDX-License-Identifier: Apache-2.0
 *
 * Only the last file of the chain may be torn: the header of every other file's
 * successor says where it ended, and was written when all of that was synced.
 *
 * In the last file the end of the log is told from damage by the position known synced
 * that every frame carries.  Everything behind the first invalid frame is searched for
 * frames; one that says "synced up to S" with S behind the invalid place convicts it.
 * That a frame follows says nothing by itself: a power cut keeps unsynced sectors in
 * any order. */
#include "log/wal_recover.h"

#include "os/clock.h"

#include <string.h>

struct chain_file {
    struct sdb_log_header header;
    uint64_t number; /* by its name */
    bool begun;      /* its header is valid */
    bool in_chain;
};

struct recovery {
    const struct sdb_wal_options *o;
    uint64_t floor;
    int (*each)(void *ctx, const struct sdb_frame *f, uint64_t position,
                seerdb_err *err);
    void *ctx;
    struct chain_file *files; /* owned: at or above the floor, rising */
    size_t nfiles;
    struct sdb_buf bytes;  /* of the file being read */
    char *path;            /* owned: of it */
    uint64_t number, seed; /* of it */
    struct sdb_wal_recovery *out;
};

void sdb_wal_recovery_fini(struct sdb_wal_recovery *r)
{
    if (r == NULL)
        return;
    sdb_mem_free(r->files);
    sdb_mem_free(r->ends);
    sdb_mem_free(r->dead);
    *r = (struct sdb_wal_recovery){0};
}

/* Read at most `limit` bytes of file `number` into r->bytes. */
static int read_file(struct recovery *r, uint64_t number, uint64_t limit,
                     seerdb_err *err)
{
    int rc;
    uint64_t size;
    struct sdb_file *f = NULL;
    sdb_mem_free(r->path);
    if ((r->path = sdb_numbered_path(r->o->dir, number, ".log")) == NULL)
        return sdb_fail_nomem(err, strlen(r->o->dir));
    if ((rc = sdb_fs_open(r->o->fs, r->path, SDB_READ, SDB_FOR_LOG, &f, err)) != 0 ||
        (rc = sdb_file_size(f, &size, err)) != 0)
        goto out;
    size_t n = (size_t)(size < limit ? size : limit);
    sdb_buf_clear(&r->bytes);
    if (sdb_buf_reserve(&r->bytes, n)) {
        rc = sdb_file_read_at(f, 0, r->bytes.data, n, err);
        r->bytes.size = n;
    } else {
        rc = sdb_buf_check(&r->bytes, err);
    }
    r->number = number;
    r->seed = sdb_frame_seed(&r->o->store, SDB_FILE_LOG, number);
out:
    sdb_file_close(f);
    return rc;
}

/* A header that was never written whole is no failure: whether it should have been is
 * for others to judge. */
static int read_header(struct recovery *r, struct chain_file *f, seerdb_err *err)
{
    seerdb_err why = {0};
    int rc = read_file(r, f->number, SDB_LOG_FILE_HEADER, err);
    if (rc != 0)
        return rc;
    rc = sdb_log_header_decode(sdb_buf_slice(&r->bytes), r->path, &f->header, &why);
    if (rc == SEERDB_CORRUPT)
        return 0;
    if (rc != 0)
        return sdb_fail_as(err, &why);
    if (f->header.kind != SDB_FILE_LOG)
        return sdb_fail(err, SEERDB_CORRUPT, "%s: header: kind %d, expected %d: a log",
                        r->path, (int)f->header.kind, (int)SDB_FILE_LOG);
    if (!sdb_uuid_equal(&f->header.store, &r->o->store))
        return sdb_fail(err, SEERDB_CORRUPT, "%s: header: the UUID of another store",
                        r->path);
    /* Another number: renamed for recycling, the header not yet written. */
    f->begun = f->header.number == f->number;
    return 0;
}

/* Fill r->files, and what is dead for being below the floor; make room for the rest. */
static int read_headers(struct recovery *r, seerdb_err *err)
{
    int rc;
    uint64_t *all = NULL;
    size_t n;
    struct sdb_wal_recovery *w = r->out;
    if ((rc = sdb_numbered_list(r->o->fs, r->o->dir, ".log", &all, &n, err)) != 0)
        goto out;
    r->files = sdb_array_new(n, sizeof *r->files);
    w->files = sdb_array_new(n, sizeof *w->files);
    w->ends = sdb_array_new(n, sizeof *w->ends);
    w->dead = sdb_array_new(n, sizeof *w->dead);
    if (r->files == NULL || w->files == NULL || w->ends == NULL || w->dead == NULL) {
        rc = sdb_fail_nomem(err, n * sizeof *r->files);
        goto out;
    }
    for (size_t i = 0; i < n; i++) {
        if (all[i] < r->floor) {
            w->dead[w->ndead++] = all[i];
            continue;
        }
        struct chain_file *f = &r->files[r->nfiles++];
        f->number = all[i];
        if ((rc = read_header(r, f, err)) != 0)
            goto out;
    }
out:
    sdb_mem_free(all);
    return rc;
}

/* Mark the files of the chain, from the newest back to the floor. */
static int follow_chain(struct recovery *r, seerdb_err *err)
{
    size_t i = r->nfiles;
    while (i > 0 && !r->files[i - 1].begun)
        i--;
    while (i > 0) {
        struct chain_file *f = &r->files[--i];
        uint64_t previous = f->header.previous;
        f->in_chain = true;
        if (previous == 0 || previous < r->floor)
            break;
        while (i > 0 && r->files[i - 1].number != previous)
            i--;
        if (i > 0 && r->files[i - 1].begun)
            continue;
        return sdb_fail(
            err, SEERDB_CORRUPT,
            "%s/%06" PRIu64 ".log: %s, and %06" PRIu64 ".log continues it at offset 0",
            r->o->dir, previous, i > 0 ? "damaged header" : "missing file", f->number);
    }
    return 0;
}

/* A file that is not in the chain may only be one that was never begun. */
static int check_stray(struct recovery *r, const struct chain_file *f, seerdb_err *err)
{
    uint64_t at;
    struct sdb_frame frame;
    int rc = read_file(r, f->number, UINT64_MAX, err);
    if (rc != 0)
        return rc;
    if (f->begun)
        return sdb_fail(err, SEERDB_CORRUPT,
                        "%s: header: no later file of the log continues it", r->path);
    rc = sdb_frame_resync(sdb_buf_slice(&r->bytes), r->seed, SDB_LOG_FILE_HEADER, &at,
                          &frame);
    if (rc != SEERDB_NOTFOUND)
        return sdb_fail(err, SEERDB_CORRUPT,
                        "%s: offset 0: damaged header; a frame follows at %" PRIu64,
                        r->path, at);
    r->out->dead[r->out->ndead++] = f->number;
    return 0;
}

/* Call `each` for the frames of the file just read; *end is where they end, *closed
 * whether the last one was a CLOSE. */
static int read_frames(struct recovery *r, uint64_t *end, bool *closed, seerdb_err *err)
{
    uint64_t off, size;
    *end = SDB_LOG_FILE_HEADER;
    *closed = false;
    for (;; *end = off + size) {
        struct sdb_frame f;
        int rc =
            sdb_frame_next(sdb_buf_slice(&r->bytes), r->seed, *end, &f, &off, &size);
        if (rc == SEERDB_NOTFOUND)
            return 0;
        if (rc == SEERDB_NEWER || f.type > SDB_WAL_CLOSE)
            return sdb_fail(err, SEERDB_NEWER,
                            "%s: offset %" PRIu64
                            ": a frame of type %u with fields unknown "
                            "here",
                            r->path, off, f.type);
        if (f.synced > r->out->synced)
            r->out->synced = f.synced;
        *closed = false;
        if ((rc = r->each(r->ctx, &f, sdb_wal_position(r->number, off), err)) != 0)
            return rc == SEERDB_NOTFOUND ? 0 : rc;
        *closed = f.type == SDB_WAL_CLOSE;
    }
}

/* No valid frame stands at `end` in the last file, the one just read: the end of the
 * log, unless a later frame says that this place had been synced. */
static int check_tail(struct recovery *r, uint64_t end, seerdb_err *err)
{
    uint64_t at, size, next = end;
    struct sdb_frame f;
    seerdb_slice whole = sdb_buf_slice(&r->bytes);
    for (uint64_t begin = end, i = 0; i < 2; i++, begin = sdb_log_sector_up(end)) {
        if (begin < whole.size &&
            sdb_frame_begun(
                (seerdb_slice){r->bytes.data + begin, whole.size - (size_t)begin},
                r->seed, begin, &size))
            r->out->torn_bytes = begin + size - end;
    }
    while (sdb_frame_resync(whole, r->seed, next, &at, &f) != SEERDB_NOTFOUND) {
        if (f.synced > sdb_wal_position(r->number, end))
            return sdb_fail(
                err, SEERDB_CORRUPT,
                "%s: offset %" PRIu64 ": a damaged frame; the one at %" PRIu64
                " says that the log was synced up to %06" PRIu64 ".log offset %" PRIu64,
                r->path, end, at, sdb_wal_file_of(f.synced),
                sdb_wal_offset_of(f.synced));
        next = at + sdb_frame_size(f.payload.size);
        r->out->torn_bytes = next - end;
    }
    return 0;
}

/* Read one file of the chain; `next` continues it, NULL: it is the last. */
static int read_chain_file(struct recovery *r, const struct chain_file *f,
                           const struct chain_file *next, seerdb_err *err)
{
    int rc;
    bool closed;
    uint64_t end = 0, want = next != NULL ? next->header.previous_end : UINT64_MAX;
    if ((rc = read_file(r, f->number, want, err)) != 0)
        return rc;
    if (r->bytes.size < SDB_LOG_FILE_HEADER)
        return sdb_fail(err, SEERDB_CORRUPT, "%s: the header is cut off at %zu bytes",
                        r->path, r->bytes.size);
    if ((rc = read_frames(r, &end, &closed, err)) != 0)
        return rc;
    if (next != NULL && end != want)
        return sdb_fail(err, SEERDB_CORRUPT,
                        "%s: offset %" PRIu64 ": a damaged frame; %06" PRIu64
                        ".log says that this file ends at %" PRIu64,
                        r->path, end, next->number, want);
    if (next == NULL && !closed && (rc = check_tail(r, end, err)) != 0)
        return rc;
    /* A file is made when everything before it is synced. */
    if (sdb_wal_position(f->number, SDB_LOG_FILE_HEADER) > r->out->synced)
        r->out->synced = sdb_wal_position(f->number, SDB_LOG_FILE_HEADER);
    r->out->files[r->out->nfiles] = f->number;
    r->out->ends[r->out->nfiles++] = end;
    r->out->last_position = sdb_wal_position(f->number, end);
    return 0;
}

static int recover(struct recovery *r, seerdb_err *err)
{
    int rc;
    if ((rc = read_headers(r, err)) != 0 || (rc = follow_chain(r, err)) != 0)
        return rc;
    for (size_t i = 0; i < r->nfiles; i++) {
        if (!r->files[i].in_chain && (rc = check_stray(r, &r->files[i], err)) != 0)
            return rc;
    }
    for (size_t i = 0, next; i < r->nfiles; i = next) {
        for (next = i + 1; next < r->nfiles && !r->files[next].in_chain;)
            next++;
        if (r->files[i].in_chain &&
            (rc = read_chain_file(r, &r->files[i],
                                  next < r->nfiles ? &r->files[next] : NULL, err)) != 0)
            return rc;
    }
    return 0;
}

int sdb_wal_recover(const struct sdb_wal_options *o, uint64_t floor,
                    int (*each)(void *ctx, const struct sdb_frame *f, uint64_t position,
                                seerdb_err *err),
                    void *ctx, struct sdb_wal_recovery *out, seerdb_err *err)
{
    struct recovery r = {.o = o, .floor = floor, .each = each, .ctx = ctx, .out = out};
    *out = (struct sdb_wal_recovery){0};
    int rc = recover(&r, err);
    if (rc != 0)
        sdb_wal_recovery_fini(out);
    sdb_mem_free(r.path);
    sdb_buf_fini(&r.bytes);
    sdb_mem_free(r.files);
    return rc;
}
