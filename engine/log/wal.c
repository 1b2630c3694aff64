/* SPDX-License-Identifier: Apache-2.0
 *
 * What makes the log a prefix after a power cut.  Within a file a hole ends the log.
 * Across files: a file is synced before the next one is made, and the header of the
 * next one says where it ended; so only the last file of a chain may be torn.  After
 * recovery the same holds, because opening syncs what recovery read (it may have been
 * in memory only) before a new file can say that it was there.
 *
 * Sectors: a power cut may garble a sector that is being written, whole.  So nothing is
 * written into a sector with bytes that a sync has covered, or is about to: the next
 * frame skips to the next sector.  Without syncs frames are dense; a synced commit
 * costs half a sector more on average, of the page that it costs anyway.
 *
 * Recycling: only files that this process retired are recycled.  After a power cut a
 * renaming may have been done by half on a file system without a journal, so that two
 * names stand for one file; such leftovers are removed, which harms neither.
 *
 * Syncing without a lock on the file: the file being synced is always the current one,
 * and a rotation first syncs everything, so that nobody is syncing the old one when it
 * is closed. */
#include "log/wal.h"

#include "os/clock.h"
#include "os/failpoint.h"

#include <assert.h>
#include <stdatomic.h>
#include <string.h>

#define FILE_NUMBER_MAX   UINT64_C(0xffffffff) /* the upper half of a position */
#define FRAME_BUFFER_KEEP ((size_t)4 << 20)    /* bytes; more is given back */

struct live_file {
    uint64_t number;
    uint64_t end;  /* offset at which its content ends; of the current one: see `end` */
    uint64_t size; /* of the file */
};

struct sdb_wal {
    struct sdb_wal_options o; /* immutable */

    struct sdb_file *file GUARDED_BY(LK_WRITE); /* owned: the current one, or NULL */
    uint64_t number GUARDED_BY(LK_WRITE);       /* of it, 0: none */
    uint64_t seed GUARDED_BY(LK_WRITE);
    uint64_t size GUARDED_BY(LK_WRITE);          /* bytes that it has room for */
    struct sdb_buf frame GUARDED_BY(LK_WRITE);   /* reused */
    struct live_file *live GUARDED_BY(LK_WRITE); /* owned; the current one is last */
    size_t nlive GUARDED_BY(LK_WRITE);
    uint64_t *spare GUARDED_BY(LK_WRITE); /* owned: numbers of o.keep .free files */
    size_t nspare GUARDED_BY(LK_WRITE);
    uint64_t unfinished GUARDED_BY(LK_WRITE); /* the file that the log failed to go on
                                                 in, as far as it is there; 0: none */

    struct sdb_mutex lock;
    struct sdb_cond synced_cond;
    struct sdb_file *syncable GUARDED_BY(LK_LOG); /* borrowed: as `file` */
    uint64_t end GUARDED_BY(LK_LOG);              /* position behind the last frame */
    /* Syncs cover what lies before the fence: what is appended later stays out of the
     * sectors before it.  While a frame is being written the fence waits for its end.
     */
    uint64_t fence GUARDED_BY(LK_LOG);
    bool writing GUARDED_BY(LK_LOG);
    bool fence_wanted GUARDED_BY(LK_LOG);
    uint64_t synced GUARDED_BY(LK_LOG); /* position up to which all is synced */
    bool syncing GUARDED_BY(LK_LOG);    /* somebody is at it */
    uint64_t live_bytes GUARDED_BY(LK_LOG);
    seerdb_err failed GUARDED_BY(LK_LOG); /* the first failure */
};

char *sdb_wal_path(const char *dir, uint64_t number)
{
    return sdb_numbered_path(dir, number, ".log");
}

/* The same, failing with a message. */
static int make_path(const char *dir, uint64_t number, const char *suffix, char **out,
                     seerdb_err *err)
{
    *out = sdb_numbered_path(dir, number, suffix);
    return *out != NULL ? 0 : sdb_fail_nomem(err, strlen(dir));
}

/* ---- opening -------------------------------------------------------------- */

/* The last holder of w: no locks are needed. */
static void wal_free(struct sdb_wal *w) NO_TSA
{
    if (w == NULL)
        return;
    sdb_file_close(w->file);
    sdb_cond_fini(&w->synced_cond);
    sdb_mutex_fini(&w->lock);
    sdb_mem_free(w->spare);
    sdb_mem_free(w->live);
    sdb_buf_fini(&w->frame);
    sdb_mem_free(w);
}

static int remove_numbered(const struct sdb_wal_options *o, const uint64_t *numbers,
                           size_t n, const char *suffix, seerdb_err *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < n; i++) {
        char *path;
        if ((rc = make_path(o->dir, numbers[i], suffix, &path, err)) == 0)
            rc = sdb_fs_stat(o->fs, path, NULL, NULL, err);
        if (rc == 0)
            rc = sdb_fs_remove(o->fs, path, err);
        else if (rc == SEERDB_NOTFOUND)
            rc = 0; /* an earlier try has removed it */
        sdb_mem_free(path);
    }
    return rc;
}

static int remove_leftovers(const struct sdb_wal_options *o,
                            const struct sdb_wal_recovery *after, seerdb_err *err)
{
    uint64_t *spare = NULL;
    size_t n;
    int rc = remove_numbered(o, after->dead, after->ndead, ".log", err);
    if (rc == 0)
        rc = sdb_numbered_list(o->fs, o->dir, ".free", &spare, &n, err);
    if (rc == 0)
        rc = remove_numbered(o, spare, n, ".free", err);
    sdb_mem_free(spare);
    return rc;
}

/* Put what recovery read on stable storage. */
static int settle(const struct sdb_wal_options *o, const struct sdb_wal_recovery *after,
                  seerdb_err *err)
{
    int rc;
    char *path = NULL;
    struct sdb_file *f = NULL;
    if (after->nfiles == 0)
        return 0;
    if ((rc = SDB_FAIL_AT(recover_settle, err)) != 0 ||
        (rc = make_path(o->dir, after->files[after->nfiles - 1], ".log", &path, err)) !=
            0 ||
        (rc = sdb_fs_open(o->fs, path, SDB_READWRITE, SDB_FOR_LOG, &f, err)) != 0 ||
        (rc = sdb_file_sync(f, err)) != 0)
        goto out;
    rc = sdb_fs_sync_dir(o->fs, o->dir, err); /* its name too */
out:
    sdb_file_close(f);
    sdb_mem_free(path);
    return rc;
}

/* Nobody else has w yet. */
static int take_over(struct sdb_wal *w, const struct sdb_wal_recovery *after,
                     seerdb_err *err) NO_TSA
{
    w->spare = sdb_array_new(w->o.keep, sizeof *w->spare);
    w->live = sdb_array_new(after->nfiles, sizeof *w->live);
    if (w->spare == NULL || w->live == NULL)
        return sdb_fail_nomem(err, (w->o.keep + after->nfiles) * sizeof *w->live);
    for (size_t i = 0; i < after->nfiles; i++) {
        char *path;
        uint64_t size = 0;
        int rc = make_path(w->o.dir, after->files[i], ".log", &path, err);
        if (rc == 0)
            rc = sdb_fs_stat(w->o.fs, path, NULL, &size, err);
        sdb_mem_free(path);
        if (rc < 0)
            return rc;
        w->live[w->nlive++] = (struct live_file){after->files[i], after->ends[i], size};
        w->live_bytes += after->ends[i];
    }
    w->end = w->synced = after->last_position;
    return 0;
}

int sdb_wal_open(const struct sdb_wal_options *o, const struct sdb_wal_recovery *after,
                 struct sdb_wal **out, seerdb_err *err)
{
    int rc;
    struct sdb_wal *w = sdb_mem_zalloc(sizeof *w);
    if (w == NULL)
        return sdb_fail_nomem(err, sizeof *w);
    w->o = *o;
    sdb_mutex_init(&w->lock);
    sdb_cond_init(&w->synced_cond);
    if ((rc = take_over(w, after, err)) != 0 ||
        (rc = remove_leftovers(o, after, err)) != 0 ||
        (rc = settle(o, after, err)) != 0) {
        wal_free(w);
        return rc;
    }
    *out = w;
    return 0;
}

/* ---- syncing -------------------------------------------------------------- */

/* Keep the first failure, for every later call. */
static int fail_for_good(struct sdb_wal *w, const seerdb_err *why, seerdb_err *err)
    EXCLUDES(LK_LOG)
{
    sdb_lock_log(&w->lock);
    if (w->failed.code == 0)
        w->failed = *why;
    sdb_unlock_log(&w->lock);
    return sdb_fail_as(err, why);
}

/* Do the sync for everybody who waits.  Called and left with the lock. */
static void sync_current(struct sdb_wal *w) REQUIRES(LK_LOG)
{
    seerdb_err why = {0};
    w->syncing = true;
    w->fence_wanted = w->writing;
    if (!w->writing)
        w->fence = w->end;
    while (w->fence_wanted)
        sdb_cond_wait(&w->synced_cond, &w->lock);
    uint64_t target = w->fence; /* what is appended meanwhile may not be covered */
    struct sdb_file *f = w->syncable;
    sdb_unlock_log(&w->lock);
    int rc = SDB_FAIL_AT(log_sync, &why);
    if (rc == 0 && w->o.before_sync != NULL)
        rc = w->o.before_sync(w->o.ctx, &why);
    if (rc == 0)
        rc = sdb_file_sync(f, &why);
    SDB_PASS(log_synced);
    sdb_lock_log(&w->lock);
    assert(f == w->syncable);
    w->syncing = false;
    if (rc == 0)
        w->synced = target;
    else if (w->failed.code == 0)
        w->failed = why;
    sdb_cond_broadcast(&w->synced_cond);
}

int sdb_wal_sync(struct sdb_wal *w, uint64_t end, seerdb_err *err)
{
    int rc = 0;
    sdb_lock_log(&w->lock);
    if (end > w->end)
        end = w->end;
    /* A sync under way may cover it whatever has failed meanwhile: who hears that his
     * record is not safe takes it for one that resuming leaves behind. */
    while (end > w->synced && (w->syncing || w->failed.code == 0)) {
        if (w->syncing)
            sdb_cond_wait(&w->synced_cond, &w->lock);
        else
            sync_current(w);
    }
    if (end > w->synced)
        rc = sdb_fail_as(err, &w->failed);
    sdb_unlock_log(&w->lock);
    return rc;
}

/* ---- a new file ----------------------------------------------------------- */

/* Take a retired file for `number`.  On success the file is open. */
static int recycle(struct sdb_wal *w, uint64_t number, struct sdb_file **out,
                   seerdb_err *err) REQUIRES(LK_WRITE)
{
    int rc;
    char *from = NULL, *to = NULL;
    if ((rc = SDB_FAIL_AT(log_recycle, err)) == 0 &&
        (rc = make_path(w->o.dir, w->spare[w->nspare - 1], ".free", &from, err)) == 0 &&
        (rc = make_path(w->o.dir, number, ".log", &to, err)) == 0 &&
        (rc = sdb_fs_rename(w->o.fs, from, to, err)) == 0) {
        w->nspare--;
        rc = sdb_fs_open(w->o.fs, to, SDB_READWRITE, SDB_FOR_LOG, out, err);
    }
    sdb_mem_free(to);
    sdb_mem_free(from);
    return rc;
}

/* Make a new file of `size` bytes, or none. */
static int make_file(struct sdb_wal *w, uint64_t number, uint64_t size,
                     struct sdb_file **out, seerdb_err *err)
{
    int rc;
    struct sdb_file *f = NULL;
    char *path = NULL;
    if ((rc = make_path(w->o.dir, number, ".log", &path, err)) != 0 ||
        (rc = sdb_fs_open(w->o.fs, path, SDB_CREATE, SDB_FOR_LOG, &f, err)) != 0)
        goto out;
    if ((rc = sdb_file_allocate(f, size, err)) != 0) {
        (void)sdb_fs_remove(w->o.fs, path,
                            NULL); /* never begun: the next open removes it */
        goto out;
    }
    *out = f;
    f = NULL;
out:
    sdb_file_close(f);
    sdb_mem_free(path);
    return rc;
}

/* Write the header and put it and the file's name on stable storage, before anything
 * is appended. */
static int begin_file(struct sdb_wal *w, uint64_t number, struct sdb_file *f,
                      seerdb_err *err) REQUIRES(LK_WRITE)
{
    int rc;
    uint64_t end = sdb_wal_end(w);
    struct sdb_log_header h = {.kind = SDB_FILE_LOG,
                               .store = w->o.store,
                               .number = number,
                               .previous = sdb_wal_file_of(end),
                               .previous_end = sdb_wal_offset_of(end)};
    sdb_buf_clear(&w->frame);
    sdb_log_header_encode(&w->frame, &h);
    if ((rc = sdb_buf_check(&w->frame, err)) != 0 ||
        (rc = sdb_file_write_at(f, 0, sdb_buf_slice(&w->frame), err)) != 0 ||
        (rc = SDB_FAIL_AT(log_begin_file, err)) != 0 ||
        (rc = sdb_file_sync(f, err)) != 0 || (rc = SDB_FAIL_AT(log_begun, err)) != 0)
        return rc;
    return sdb_fs_sync_dir(w->o.fs, w->o.dir, err);
}

/* The new file becomes the current one.  Requires: room in w->live. */
static void install_file(struct sdb_wal *w, uint64_t number, uint64_t size,
                         struct sdb_file *f) REQUIRES(LK_WRITE)
{
    struct sdb_file *old = w->file;
    sdb_lock_log(&w->lock);
    assert(!w->syncing && w->synced == w->end);
    if (w->nlive > 0)
        w->live[w->nlive - 1].end = sdb_wal_offset_of(w->end);
    w->syncable = f;
    w->end = w->synced = w->fence = sdb_wal_position(number, SDB_LOG_FILE_HEADER);
    w->live_bytes += SDB_LOG_FILE_HEADER;
    sdb_unlock_log(&w->lock);
    w->live[w->nlive++] = (struct live_file){number, SDB_LOG_FILE_HEADER, size};
    w->file = f;
    w->number = number;
    w->seed = sdb_frame_seed(&w->o.store, SDB_FILE_LOG, number);
    w->size = size;
    sdb_file_close(old);
}

/* Go on in a new file, with room for a frame of `need` bytes. */
static int rotate(struct sdb_wal *w, uint64_t need, seerdb_err *err) REQUIRES(LK_WRITE)
{
    int rc;
    seerdb_err why = {0};
    struct sdb_file *f = NULL;
    if ((rc = sdb_wal_sync(w, UINT64_MAX, err)) != 0 ||
        (rc = SDB_FAIL_AT(log_rotate, err)) != 0)
        return rc;
    struct live_file *live = sdb_array_grow(w->live, w->nlive + 1, sizeof *live);
    if (live == NULL)
        return sdb_fail_nomem(err, (w->nlive + 1) * sizeof *live);
    w->live = live;
    uint64_t size = w->o.file_size, number, last = sdb_wal_file_of(sdb_wal_end(w));
    if (size < SDB_LOG_SECTOR + need)
        size = SDB_LOG_SECTOR + need;
    number = atomic_fetch_add_explicit(w->o.next_file, 1, memory_order_relaxed);
    if (number <= last || number > FILE_NUMBER_MAX)
        return sdb_fail(err, SEERDB_MISUSE,
                        "%s: file number %" PRIu64
                        " for the log, expected one from %" PRIu64 " to %" PRIu64,
                        w->o.dir, number, last + 1, FILE_NUMBER_MAX);
    w->unfinished = number;
    if (size == w->o.file_size && w->nspare > 0) {
        if ((rc = recycle(w, number, &f, &why)) != 0)
            return fail_for_good(w, &why, err);
    } else if ((rc = make_file(w, number, size, &f, &why)) != 0) {
        bool harmless = rc == SEERDB_FULL || rc == SEERDB_NOMEM;
        return harmless ? sdb_fail_as(err, &why) : fail_for_good(w, &why, err);
    }
    if ((rc = begin_file(w, number, f, &why)) != 0) {
        sdb_file_close(f);
        return fail_for_good(w, &why, err);
    }
    w->unfinished = 0;
    install_file(w, number, size, f);
    return 0;
}

/* ---- appending ------------------------------------------------------------ */

/* The failure that the log refuses with, if it does. */
static int check_failed(struct sdb_wal *w, seerdb_err *err)
{
    sdb_lock_log(&w->lock);
    int rc = w->failed.code == 0 ? 0 : sdb_fail_as(err, &w->failed);
    sdb_unlock_log(&w->lock);
    return rc;
}

/* Where the next frame goes: behind the last one, but not into a sector that a sync
 * covers. */
static uint64_t next_place(const struct sdb_wal *w) REQUIRES(LK_LOG)
{
    uint64_t fence = sdb_log_sector_up(w->fence);
    return w->end > fence ? w->end : fence;
}

/* True when the current file has room; also for what a sync that starts right now may
 * put between. */
static bool has_room(struct sdb_wal *w, uint64_t need) REQUIRES(LK_WRITE)
{
    sdb_lock_log(&w->lock);
    uint64_t off = sdb_wal_offset_of(next_place(w));
    sdb_unlock_log(&w->lock);
    return w->file != NULL && off + SDB_LOG_SECTOR + need <= w->size;
}

/* Take the place of the next frame; it is the caller's until end_write. */
static uint64_t begin_write(struct sdb_wal *w, struct sdb_frame *f)
{
    sdb_lock_log(&w->lock);
    assert(!w->writing);
    w->writing = true;
    uint64_t at = next_place(w);
    f->synced = w->synced;
    f->skip = (uint16_t)(at - w->end);
    sdb_unlock_log(&w->lock);
    return at;
}

/* `end` is where the frame ends, 0: it was not written. */
static void end_write(struct sdb_wal *w, uint64_t end)
{
    sdb_lock_log(&w->lock);
    w->writing = false;
    if (end != 0) {
        w->live_bytes += end - w->end;
        w->end = end;
    }
    if (w->fence_wanted) {
        w->fence = w->end;
        w->fence_wanted = false;
        sdb_cond_broadcast(&w->synced_cond);
    }
    sdb_unlock_log(&w->lock);
}

/* Append f, whose `synced` and `skip` are filled in here. */
static int append_frame(struct sdb_wal *w, struct sdb_frame *f, uint64_t *position,
                        uint64_t *end, seerdb_err *err) REQUIRES(LK_WRITE)
{
    int rc;
    seerdb_err why = {0};
    uint64_t need = sdb_frame_size(f->payload.size);
    if ((rc = check_failed(w, err)) != 0)
        return rc;
    if (!has_room(w, need) && (rc = rotate(w, need, err)) != 0)
        return rc;
    uint64_t at = begin_write(w, f), off = sdb_wal_offset_of(at);
    sdb_buf_clear(&w->frame);
    sdb_frame_encode(&w->frame, w->seed, off, f);
    rc = sdb_buf_check(&w->frame, err);
    if (rc == 0)
        rc = SDB_FAIL_AT(log_append, &why);
    if (rc == 0)
        rc = sdb_file_write_at(w->file, off, sdb_buf_slice(&w->frame), &why);
    SDB_PASS(log_appended);
    if (why.code != 0)
        (void)fail_for_good(w, &why, err); /* before anybody syncs */
    end_write(w, rc == 0 ? at + need : 0);
    if (w->frame.capacity > FRAME_BUFFER_KEEP)
        sdb_buf_fini(&w->frame);
    *position = at;
    *end = at + need;
    return rc;
}

int sdb_wal_append(struct sdb_wal *w, enum sdb_wal_type type, enum sdb_outcome outcome,
                   seerdb_slice payload, uint64_t *position, uint64_t *end,
                   seerdb_err *err)
{
    const size_t most = SEERDB_COMMIT_MAX + 65536; /* offsets have 32 bits */
    if (payload.size > most)
        return sdb_fail(err, SEERDB_TOOBIG,
                        "%s: a log record of %zu bytes, the most is %zu", w->o.dir,
                        payload.size, most);
    struct sdb_frame f = {.type = (uint8_t)type,
                          .outcome = (uint8_t)outcome,
                          .timestamp_us = sdb_clock_unix_us(),
                          .payload = payload};
    return append_frame(w, &f, position, end, err);
}

bool sdb_wal_has_failed(struct sdb_wal *w)
{
    return check_failed(w, NULL) != 0;
}

/* ---- going on after a failure ---------------------------------------------- */

/* Nobody relies on it, but a log with a file that continues the same one as another
 * would be damaged. */
static int remove_unfinished(struct sdb_wal *w, seerdb_err *err) REQUIRES(LK_WRITE)
{
    int rc = 0;
    char *path = NULL;
    if (w->unfinished == 0)
        return 0;
    if ((rc = make_path(w->o.dir, w->unfinished, ".log", &path, err)) == 0 &&
        (rc = sdb_fs_stat(w->o.fs, path, NULL, NULL, err)) == 0)
        rc = sdb_fs_remove(w->o.fs, path, err);
    /* Also when it is gone: whoever removed it may not have come to this. */
    if (rc == 0 || rc == SEERDB_NOTFOUND)
        rc = sdb_fs_sync_dir(w->o.fs, w->o.dir, err);
    if (rc == 0)
        w->unfinished = 0;
    /* Of the spare files one may have been renamed, or not: none is used again. */
    if (rc == 0 && w->nspare > 0) {
        (void)remove_numbered(&w->o, w->spare, w->nspare, ".free", NULL);
        w->nspare = 0;
    }
    sdb_mem_free(path);
    return rc;
}

/* Read what was appended to the current file from `from` to `end`.  The system may have
 * dropped it after the failed sync: then the checks of the frames tell. */
static int read_back(struct sdb_wal *w, uint64_t from, uint64_t end,
                     struct sdb_buf *bytes, seerdb_err *err) REQUIRES(LK_WRITE)
{
    size_t n = (size_t)(end - from);
    if (!sdb_buf_reserve(bytes, n))
        return sdb_buf_check(bytes, err);
    int rc = sdb_file_read_at(w->file, from, bytes->data, n, err);
    bytes->size = n;
    return rc;
}

/* The frame that continues what ends at `off`, out of bytes that begin at `from`. */
static int next_frame(const struct sdb_wal *w, const struct sdb_buf *bytes,
                      uint64_t from, uint64_t off, struct sdb_frame *f, uint64_t *end)
    REQUIRES(LK_WRITE)
{
    const uint64_t places[] = {off, sdb_log_sector_up(off)};
    for (size_t i = 0; i < 2 && places[i] < from + bytes->size; i++) {
        uint64_t at = places[i], size;
        size_t skip = (size_t)(at - from);
        seerdb_slice rest = {bytes->data + skip, bytes->size - skip};
        if (sdb_frame_decode(rest, w->seed, at, f, &size) == 0 && f->skip == at - off) {
            *end = at + size;
            return 0;
        }
    }
    return SEERDB_NOTFOUND;
}

/* Make in `out` the content of file `number`: it continues the current one at `from`
 * with those frames behind it that keep() wants. */
static int copy_frames(struct sdb_wal *w, uint64_t number, uint64_t from, uint64_t end,
                       const struct sdb_wal_keeper *keeper, struct sdb_buf *out,
                       seerdb_err *err) REQUIRES(LK_WRITE)
{
    struct sdb_buf bytes = {0};
    struct sdb_frame f;
    struct sdb_log_header h = {.kind = SDB_FILE_LOG,
                               .store = w->o.store,
                               .number = number,
                               .previous = w->number,
                               .previous_end = from};
    uint64_t seed = sdb_frame_seed(&w->o.store, SDB_FILE_LOG, number);
    int rc = read_back(w, from, end, &bytes, err);
    sdb_log_header_encode(out, &h);
    for (uint64_t off = from; rc == 0 && off < end;) {
        if (next_frame(w, &bytes, from, off, &f, &off) != 0) {
            rc = sdb_fail(err, SEERDB_IOERR,
                          "%s: what was written behind offset %" PRIu64
                          " since the last sync cannot be read back",
                          w->file->path, off);
            break;
        }
        f.skip = 0;
        f.synced = sdb_wal_position(w->number, from);
        if (keeper->keep(keeper->ctx, &f))
            sdb_frame_encode(out, seed, out->size, &f);
    }
    sdb_buf_fini(&bytes);
    return rc != 0 ? rc : sdb_buf_check(out, err);
}

/* A file gets its name when all of it is on stable storage: whoever dies before that
 * leaves the log as it was. */
static int write_whole(struct sdb_wal *w, uint64_t number, uint64_t size,
                       const struct sdb_buf *content, struct sdb_file **out,
                       seerdb_err *err) REQUIRES(LK_WRITE)
{
    char *from = NULL, *to = NULL;
    struct sdb_file *f = NULL;
    int rc = make_path(w->o.dir, number, ".free", &from, err);
    if (rc == 0)
        rc = make_path(w->o.dir, number, ".log", &to, err);
    if (rc == 0)
        rc = sdb_fs_open(w->o.fs, from, SDB_CREATE, SDB_FOR_LOG, &f, err);
    if (rc != 0)
        goto out;
    if ((rc = sdb_file_allocate(f, size, err)) != 0 ||
        (rc = sdb_file_write_at(f, 0, sdb_buf_slice(content), err)) != 0 ||
        (rc = sdb_file_sync(f, err)) != 0 ||
        (rc = sdb_fs_rename(w->o.fs, from, to, err)) != 0) {
        sdb_file_close(f);
        f = NULL;
        (void)sdb_fs_remove(w->o.fs, from, NULL); /* the next open would */
        goto out;
    }
    sdb_file_close(f); /* it knows itself by its old name */
    f = NULL;
    w->unfinished = number; /* until its name is on stable storage */
    if ((rc = SDB_FAIL_AT(log_resumed, err)) == 0 &&
        (rc = sdb_fs_sync_dir(w->o.fs, w->o.dir, err)) == 0 &&
        (rc = sdb_fs_open(w->o.fs, to, SDB_READWRITE, SDB_FOR_LOG, out, err)) == 0)
        w->unfinished = 0;
out:
    sdb_file_close(f);
    sdb_mem_free(to);
    sdb_mem_free(from);
    return rc;
}

/* The current file ends where it was synced, and a new one goes on from there. */
static int go_on_elsewhere(struct sdb_wal *w, uint64_t from, uint64_t end,
                           const struct sdb_wal_keeper *keeper, seerdb_err *err)
    REQUIRES(LK_WRITE)
{
    struct sdb_buf content = {0};
    struct sdb_file *f = NULL;
    uint64_t number =
        atomic_fetch_add_explicit(w->o.next_file, 1, memory_order_relaxed);
    struct live_file *live = sdb_array_grow(w->live, w->nlive + 1, sizeof *live);
    if (live == NULL)
        return sdb_fail_nomem(err, (w->nlive + 1) * sizeof *live);
    w->live = live;
    int rc = copy_frames(w, number, from, end, keeper, &content, err);
    uint64_t need = content.size + SDB_LOG_SECTOR;
    uint64_t size = w->o.file_size > need ? w->o.file_size : need;
    if (rc == 0)
        rc = write_whole(w, number, size, &content, &f, err);
    if (rc == 0) {
        sdb_lock_log(&w->lock);
        w->live_bytes -= end - from;
        w->synced = w->end = sdb_wal_position(w->number, from);
        sdb_unlock_log(&w->lock);
        install_file(w, number, size, f);
        sdb_lock_log(&w->lock);
        w->live_bytes += content.size - SDB_LOG_FILE_HEADER;
        w->synced = w->end = w->fence = sdb_wal_position(number, content.size);
        sdb_unlock_log(&w->lock);
    }
    sdb_buf_fini(&content);
    return rc;
}

int sdb_wal_resume(struct sdb_wal *w, const struct sdb_wal_keeper *keeper,
                   seerdb_err *err)
{
    int rc;
    sdb_lock_log(&w->lock);
    while (w->syncing) /* somebody is about to fail */
        sdb_cond_wait(&w->synced_cond, &w->lock);
    bool failed = w->failed.code != 0;
    uint64_t from = sdb_wal_offset_of(w->synced), end = sdb_wal_offset_of(w->end);
    sdb_unlock_log(&w->lock);
    if (!failed)
        return 0;
    if ((rc = SDB_FAIL_AT(log_resume, err)) != 0 ||
        (rc = remove_unfinished(w, err)) != 0 ||
        (w->o.before_sync != NULL && (rc = w->o.before_sync(w->o.ctx, err)) != 0))
        return rc;
    if (w->file != NULL && (rc = go_on_elsewhere(w, from, end, keeper, err)) != 0)
        return rc;
    sdb_lock_log(&w->lock);
    w->failed = (seerdb_err){0};
    sdb_unlock_log(&w->lock);
    return 0;
}

/* ---- releasing ------------------------------------------------------------ */

static int retire(struct sdb_wal *w, const struct live_file *f, seerdb_err *err)
    REQUIRES(LK_WRITE)
{
    int rc;
    char *from = NULL, *to = NULL;
    if ((rc = SDB_FAIL_AT(log_retire, err)) != 0 ||
        (rc = make_path(w->o.dir, f->number, ".log", &from, err)) != 0 ||
        (rc = make_path(w->o.dir, f->number, ".free", &to, err)) != 0)
        goto out;
    if (f->size == w->o.file_size && w->nspare < w->o.keep) {
        if ((rc = sdb_fs_rename(w->o.fs, from, to, err)) == 0)
            w->spare[w->nspare++] = f->number;
    } else {
        rc = sdb_fs_remove(w->o.fs, from, err);
    }
out:
    sdb_mem_free(to);
    sdb_mem_free(from);
    return rc;
}

int sdb_wal_release(struct sdb_wal *w, uint64_t floor, seerdb_err *err)
{
    int rc = 0;
    size_t n = 0;
    while (n < w->nlive && w->live[n].number < floor &&
           w->live[n].number != w->number) {
        if ((rc = retire(w, &w->live[n], err)) != 0)
            break;
        sdb_lock_log(&w->lock);
        w->live_bytes -= w->live[n].end;
        sdb_unlock_log(&w->lock);
        n++;
    }
    w->nlive -= n;
    memmove(w->live, w->live + n, w->nlive * sizeof *w->live);
    return rc;
}

uint64_t sdb_wal_current_file(const struct sdb_wal *w)
{
    return w->number;
}

uint64_t sdb_wal_live_bytes(struct sdb_wal *w)
{
    sdb_lock_log(&w->lock);
    uint64_t bytes = w->live_bytes;
    sdb_unlock_log(&w->lock);
    return bytes;
}

uint64_t sdb_wal_synced(struct sdb_wal *w)
{
    sdb_lock_log(&w->lock);
    uint64_t position = w->synced;
    sdb_unlock_log(&w->lock);
    return position;
}

uint64_t sdb_wal_end(struct sdb_wal *w)
{
    sdb_lock_log(&w->lock);
    uint64_t position = w->end;
    sdb_unlock_log(&w->lock);
    return position;
}

/* The caller is the only holder of w. */
static int finish(struct sdb_wal *w, seerdb_err *err) NO_TSA
{
    int rc;
    uint64_t position, end;
    struct sdb_frame f = {.type = SDB_WAL_CLOSE, .timestamp_us = sdb_clock_unix_us()};
    if (w->file == NULL)
        return check_failed(w, err);
    /* CLOSE says that everything before it is synced. */
    if ((rc = check_failed(w, err)) != 0 ||
        (rc = sdb_wal_sync(w, UINT64_MAX, err)) != 0 ||
        (rc = SDB_FAIL_AT(log_close, err)) != 0 ||
        (rc = append_frame(w, &f, &position, &end, err)) != 0)
        return rc;
    return sdb_wal_sync(w, end, err);
}

int sdb_wal_close(struct sdb_wal *w, seerdb_err *err)
{
    if (w == NULL)
        return 0;
    int rc = finish(w, err);
    wal_free(w);
    return rc;
}

void sdb_wal_abandon(struct sdb_wal *w)
{
    wal_free(w);
}
