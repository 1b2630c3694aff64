/* SPDX-License-Identifier: Apache-2.0
 *
 * A segment in a table says how many bytes are stored and what their check is, so that
 * a read is one pread of just those, into the place where the caller wants them.  The
 * header of an entry serves those who look for the entries of a file that was never
 * sealed.
 *
 * Small values gather in a buffer; large ones go to the file from where the caller has
 * them.  What compresses badly is tried again ever more rarely: video does not become
 * text, and trying costs more than writing. */
#include "log/vlog.h"

#include "base/hash.h"
#include "log/vlog_file.h"
#include "os/failpoint.h"

#include <stdio.h>

#define BUFFER     ((size_t)256 << 10)
#define WRITE_BACK ((uint64_t)1 << 20)
#define SEED_KIND  4u /* as file kind of the checks' seed */
#define SKIP_MOST  64u

char *sdb_vlog_path(const char *dir, uint64_t number, const char *suffix)
{
    size_t size = strlen(dir) + strlen(suffix) + 32;
    char *path = sdb_mem_alloc(size);
    if (path != NULL)
        snprintf(path, size, "%s/%06" PRIu64 "%s", dir, number, suffix);
    return path;
}

void sdb_vlog_free(struct sdb_vlog *v) NO_TSA
{
    sdb_file_close(v->file);
    sdb_mutex_fini(&v->lock);
    sdb_mem_free(v->slots);
    sdb_buf_fini(&v->buffer);
    sdb_buf_fini(&v->packed);
    sdb_codec_free(v->codec);
    sdb_mem_free(v);
}

struct sdb_vlog *sdb_vlog_ref(struct sdb_vlog *v)
{
    atomic_fetch_add_explicit(&v->count, 1, memory_order_relaxed);
    return v;
}

void sdb_vlog_unref(struct sdb_vlog *v)
{
    if (v != NULL && atomic_fetch_sub_explicit(&v->count, 1, memory_order_acq_rel) == 1)
        sdb_vlog_free(v);
}

bool sdb_vlog_is_shared(struct sdb_vlog *v)
{
    return atomic_load_explicit(&v->count, memory_order_acquire) != 1;
}

static uint64_t make_seed(const struct sdb_vlog_options *o)
{
    uint8_t p[24];
    memcpy(p, o->store.bytes, 16);
    sdb_store_u64(p + 16, o->number);
    return sdb_hash64(p, sizeof p, SEED_KIND);
}

void sdb_vlog_make_header(const struct sdb_vlog_options *o, uint8_t *p)
{
    memset(p, 0, SDB_VLOG_HEADER);
    memcpy(p, SDB_VLOG_MAGIC, 8);
    sdb_store_u32(p + 8, SDB_VLOG_VERSION);
    memcpy(p + 16, o->store.bytes, 16);
    sdb_store_u64(p + 32, o->number);
    sdb_store_u64(p + 40, o->tree);
    sdb_store_u64(p + 56, sdb_hash64(p, 56, 0));
}

int sdb_vlog_new(const struct sdb_vlog_options *o, enum sdb_open_mode mode,
                 struct sdb_vlog **out, seerdb_err *err)
{
    struct sdb_vlog *v = sdb_mem_zalloc(sizeof *v);
    if (v == NULL)
        return sdb_fail_nomem(err, sizeof *v);
    atomic_init(&v->count, 1);
    sdb_mutex_init(&v->lock);
    v->reading = mode == SDB_READ;
    v->seed = make_seed(o);
    v->tree = o->tree;
    char *path = sdb_vlog_path(o->dir, o->number, o->suffix);
    int rc = path == NULL ? sdb_fail_nomem(err, 0)
                          : sdb_fs_open(o->fs, path, mode, SDB_FOR_VLOG, &v->file, err);
    sdb_mem_free(path);
    if (rc == 0)
        *out = v;
    else
        sdb_vlog_free(v);
    return rc;
}

/* ---- writing ------------------------------------------------------------------- */

/* Nothing is written behind a failure: the entries would not be found. */
static int check_failed(struct sdb_vlog *v, seerdb_err *err)
{
    sdb_lock_slots(&v->lock);
    int rc = v->failed.code == 0 ? 0 : sdb_fail_as(err, &v->failed);
    sdb_unlock_slots(&v->lock);
    return rc;
}

static int keep_failure(struct sdb_vlog *v, const seerdb_err *why, seerdb_err *err)
{
    sdb_lock_slots(&v->lock);
    if (v->failed.code == 0)
        v->failed = *why;
    sdb_unlock_slots(&v->lock);
    return sdb_fail_as(err, why);
}

int sdb_vlog_create(const struct sdb_vlog_options *o, struct sdb_vlog **out,
                    seerdb_err *err) NO_TSA
{
    struct sdb_vlog *v = NULL;
    uint8_t header[SDB_VLOG_HEADER];
    int rc = sdb_vlog_new(o, SDB_CREATE, &v, err);
    if (rc != 0)
        return rc;
    sdb_vlog_make_header(o, header);
    if ((rc = SDB_FAIL_AT(vlog_create, err)) != 0 ||
        (rc = sdb_file_write_at(v->file, 0, (seerdb_slice){header, sizeof header},
                                err)) != 0 ||
        (rc = sdb_fs_sync_dir(o->fs, o->dir, err)) != 0) {
        char *path = sdb_vlog_path(o->dir, o->number, o->suffix);
        sdb_vlog_free(v);
        if (path != NULL)
            (void)sdb_fs_remove(o->fs, path, NULL);
        sdb_mem_free(path);
        return rc;
    }
    v->end = v->written = SDB_VLOG_HEADER;
    *out = v;
    return 0;
}

int sdb_vlog_write_out(struct sdb_vlog *v, seerdb_err *err)
{
    seerdb_err why = {0};
    int rc = check_failed(v, err);
    if (rc != 0 || v->buffer.size == 0)
        return rc;
    sdb_lock_slots(&v->lock);
    uint64_t at = v->written;
    sdb_unlock_slots(&v->lock);
    if ((rc = SDB_FAIL_AT(vlog_write, &why)) == 0)
        rc = sdb_file_write_at(v->file, at, sdb_buf_slice(&v->buffer), &why);
    if (rc != 0)
        return keep_failure(v, &why, err);
    sdb_lock_slots(&v->lock);
    v->written = at + v->buffer.size;
    uint64_t written = v->written;
    sdb_unlock_slots(&v->lock);
    sdb_buf_clear(&v->buffer);
    if (written >= v->written_back + WRITE_BACK) {
        sdb_file_write_back(v->file, v->written_back, written - v->written_back);
        v->written_back = written;
    }
    return 0;
}

int sdb_vlog_reserve_slot(struct sdb_vlog *v, seerdb_err *err)
{
    int rc = 0;
    sdb_lock_slots(&v->lock);
    if (v->n == v->capacity) {
        size_t n = v->capacity * 2 + 64;
        struct sdb_vlog_slot *slots = sdb_array_grow(v->slots, n, sizeof *slots);
        if (slots == NULL) {
            rc = sdb_fail_nomem(err, n * sizeof *slots);
        } else {
            v->slots = slots;
            v->capacity = n;
        }
    }
    sdb_unlock_slots(&v->lock);
    return rc;
}

static void put_entry(struct sdb_buf *b, uint64_t seed, const struct sdb_vlog_entry *e,
                      uint64_t off)
{
    uint8_t p[SDB_VLOG_ENTRY] = {0};
    sdb_store_u64(p, e->check);
    sdb_store_u32(p + 8, e->stored);
    sdb_store_u32(p + 12, e->raw);
    sdb_store_u32(p + 16, e->slot);
    p[20] = e->codec;
    sdb_store_u64(p + 24, sdb_hash64(p, 24, seed + off));
    sdb_buf_append(b, p, sizeof p);
}

/* The entry and its bytes, padded, at the end of the file. */
static int put_value(struct sdb_vlog *v, const struct sdb_vlog_entry *e,
                     seerdb_slice bytes, seerdb_err *err)
{
    static const uint8_t zeros[SDB_VLOG_ALIGN];
    seerdb_err why = {0};
    int rc = sdb_vlog_reserve_slot(v, err);
    sdb_lock_slots(&v->lock);
    uint64_t off = v->end;
    sdb_unlock_slots(&v->lock);
    uint64_t padded = sdb_vlog_up(bytes.size), size = SDB_VLOG_ENTRY + padded;
    bool direct = bytes.size >= SDB_VLOG_DIRECT;
    size_t before = v->buffer.size;
    if (rc == 0 && !direct && before > 0 && before + size > BUFFER) {
        rc = sdb_vlog_write_out(v, err);
        before = 0;
    }
    if (rc != 0)
        return rc;
    put_entry(&v->buffer, v->seed, e, off);
    if (!direct) {
        sdb_buf_append_slice(&v->buffer, bytes);
        sdb_buf_append(&v->buffer, zeros, (size_t)(padded - bytes.size));
    }
    if ((rc = sdb_buf_check(&v->buffer, err)) != 0) {
        v->buffer.failed = false;
        v->buffer.size = before;
        return rc;
    }
    if (direct && (rc = sdb_vlog_write_out(v, err)) == 0) {
        rc = sdb_file_write_at(v->file, off + SDB_VLOG_ENTRY, bytes, &why);
        if (rc == 0 && padded > bytes.size)
            rc = sdb_file_write_at(v->file, off + SDB_VLOG_ENTRY + bytes.size,
                                   (seerdb_slice){zeros, (size_t)(padded - bytes.size)},
                                   &why);
        if (rc != 0)
            rc = keep_failure(v, &why, err);
    }
    if (rc != 0)
        return rc;
    sdb_lock_slots(&v->lock);
    v->slots[v->n++] =
        (struct sdb_vlog_slot){e->slot, (uint32_t)(off / SDB_VLOG_ALIGN)};
    v->end = off + size;
    if (direct)
        v->written = v->end;
    sdb_unlock_slots(&v->lock);
    return 0;
}

/* Pack the value into v->packed: 0, NOTFOUND when it is not worth it. */
static int pack(struct sdb_vlog *v, seerdb_slice value, int level, seerdb_err *err)
{
    if (level == 0)
        return SEERDB_NOTFOUND;
    if (v->skip > 0) {
        v->skip--;
        return SEERDB_NOTFOUND;
    }
    int rc = v->codec == NULL ? sdb_codec_new(&v->codec, err) : 0;
    sdb_buf_clear(&v->packed);
    if (rc == 0)
        rc = sdb_codec_compress(v->codec, level, value, &v->packed, err);
    if (rc == SEERDB_NOTFOUND) {
        v->skipping = v->skipping == 0 ? 1 : 2 * v->skipping;
        v->skipping = v->skipping > SKIP_MOST ? SKIP_MOST : v->skipping;
        v->skip = v->skipping;
    } else if (rc == 0) {
        v->skipping = 0;
    }
    return rc;
}

int sdb_vlog_append(struct sdb_vlog *v, seerdb_slice value, int level,
                    struct sdb_segment *out, seerdb_err *err)
{
    sdb_lock_slots(&v->lock);
    uint64_t end = v->end;
    bool sealed = v->sealed;
    uint64_t slot = v->n > 0 ? (uint64_t)v->slots[v->n - 1].slot + 1 : 0;
    sdb_unlock_slots(&v->lock);
    int rc = check_failed(v, err);
    if (rc != 0)
        return rc;
    if (sealed || slot > UINT32_MAX || value.size > SEERDB_VALUE_MAX ||
        value.size == 0 ||
        SDB_VLOG_MOST - end < SDB_VLOG_ENTRY + value.size + SDB_VLOG_ALIGN)
        return sdb_fail(err, SEERDB_TOOBIG, "%s: no room for a value of %zu bytes",
                        v->file->path, value.size);
    struct sdb_vlog_entry e = {.raw = (uint32_t)value.size, .slot = (uint32_t)slot};
    seerdb_slice bytes = value;
    rc = pack(v, value, level, err);
    if (rc == 0) {
        bytes = sdb_buf_slice(&v->packed);
        e.codec = SDB_CODEC_ZSTD;
    } else if (rc != SEERDB_NOTFOUND) {
        return rc;
    }
    e.stored = (uint32_t)bytes.size;
    e.check = sdb_hash64(bytes.data, bytes.size, v->seed + slot);
    if ((rc = put_value(v, &e, bytes, err)) != 0)
        return rc;
    out->size = value.size;
    out->slot = slot;
    out->stored = e.codec == SDB_CODEC_NONE ? 0 : e.stored;
    out->check = e.check;
    if (v->packed.capacity > BUFFER)
        sdb_buf_fini(&v->packed);
    return 0;
}

int sdb_vlog_check_written(struct sdb_vlog *v, seerdb_err *err)
{
    int rc = 0;
    sdb_lock_slots(&v->lock);
    if (v->end > v->written && v->failed.code != 0)
        rc = sdb_fail_as(err, &v->failed);
    sdb_unlock_slots(&v->lock);
    return rc;
}

/* A sync that failed says nothing about what lies before it, and nor would the next. */
static int sync_file(struct sdb_vlog *v, seerdb_err *err)
{
    seerdb_err why = {0};
    if (SDB_FAIL_AT(vlog_sync, &why) == 0 && sdb_file_sync(v->file, &why) == 0)
        return 0;
    if (v->reading) /* recovery tries again, as it does with the log */
        return sdb_fail_as(err, &why);
    sdb_lock_slots(&v->lock);
    if (v->unsynced.code == 0)
        v->unsynced = why;
    sdb_unlock_slots(&v->lock);
    return keep_failure(v, &why, err);
}

int sdb_vlog_sync(struct sdb_vlog *v, seerdb_err *err)
{
    sdb_lock_slots(&v->lock);
    uint64_t target = v->written;
    bool due = target > v->synced;
    int rc = v->unsynced.code == 0 || !due ? 0 : sdb_fail_as(err, &v->unsynced);
    sdb_unlock_slots(&v->lock);
    if (rc != 0 || !due)
        return rc;
    if ((rc = sync_file(v, err)) != 0)
        return rc;
    sdb_lock_slots(&v->lock);
    v->synced = target > v->synced ? target : v->synced;
    sdb_unlock_slots(&v->lock);
    return 0;
}

int sdb_vlog_sync_again(struct sdb_vlog *v, seerdb_err *err)
{
    sdb_lock_slots(&v->lock);
    v->synced = 0;
    sdb_unlock_slots(&v->lock);
    return sdb_vlog_sync(v, err);
}

static void put_index(struct sdb_vlog *v, struct sdb_buf *b) REQUIRES(LK_SLOTS)
{
    uint64_t next = 0;
    for (size_t i = 0; i < v->n; i++) {
        uint64_t end = i + 1 < v->n ? v->slots[i + 1].place : v->end / SDB_VLOG_ALIGN;
        sdb_put_varint(b, v->slots[i].slot - next);
        sdb_put_varint(b, end - v->slots[i].place);
        next = (uint64_t)v->slots[i].slot + 1;
    }
}

int sdb_vlog_seal(struct sdb_vlog *v, seerdb_err *err)
{
    struct sdb_buf b = {0};
    int rc = sdb_vlog_write_out(v, err);
    if (rc != 0)
        return rc;
    sdb_lock_slots(&v->lock);
    uint64_t at = v->end, n = v->n;
    put_index(v, &b);
    sdb_unlock_slots(&v->lock);
    uint64_t size = b.size;
    sdb_buf_zeros(&b, (size_t)(sdb_vlog_up(size) - size));
    size_t footer = b.size;
    sdb_put_u64(&b, at);
    sdb_put_u64(&b, size);
    sdb_put_u64(&b, n);
    sdb_put_u64(&b, b.failed ? 0 : sdb_hash64(b.data, (size_t)size, v->seed + at));
    sdb_buf_zeros(&b, 16);
    sdb_put_u64(&b, b.failed ? 0 : sdb_hash64(b.data + footer, 48, v->seed));
    sdb_buf_append(&b, SDB_VLOG_MAGIC, 8);
    rc = sdb_buf_check(&b, err);
    seerdb_err why = {0};
    if (rc == 0 &&
        ((rc = SDB_FAIL_AT(vlog_seal, &why)) != 0 ||
         (rc = sdb_file_write_at(v->file, at, sdb_buf_slice(&b), &why)) != 0))
        rc = keep_failure(v, &why, err);
    if (rc == 0)
        rc = sync_file(v, err);
    if (rc == 0) {
        sdb_lock_slots(&v->lock);
        v->sealed = true;
        v->trailer = b.size;
        v->synced = v->written = at;
        sdb_unlock_slots(&v->lock);
        sdb_buf_fini(&v->buffer);
        sdb_buf_fini(&v->packed);
        sdb_codec_free(v->codec);
        v->codec = NULL;
    }
    sdb_buf_fini(&b);
    return rc;
}

/* ---- reading ------------------------------------------------------------------- */

static int compare_slots(uint64_t slot, const struct sdb_vlog_slot *s)
{
    return (slot > s->slot) - (slot < s->slot);
}

/* Where the slot is; NULL: it is not there.  Without gaps slots are places. */
static const struct sdb_vlog_slot *find_slot(const struct sdb_vlog *v, uint64_t slot)
    REQUIRES(LK_SLOTS)
{
    size_t lo = 0, hi = v->n;
    if (slot < v->n && v->slots[slot].slot == slot)
        return &v->slots[slot];
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        int order = compare_slots(slot, &v->slots[mid]);
        if (order == 0)
            return &v->slots[mid];
        if (order < 0)
            hi = mid;
        else
            lo = mid + 1;
    }
    return NULL;
}

/* Where its entry begins, and how many bytes that has. */
static bool locate(struct sdb_vlog *v, uint64_t slot, uint64_t *off, uint64_t *size)
{
    sdb_lock_slots(&v->lock);
    const struct sdb_vlog_slot *s = find_slot(v, slot);
    if (s != NULL) {
        bool last = (size_t)(s - v->slots) + 1 == v->n;
        *off = (uint64_t)s->place * SDB_VLOG_ALIGN;
        *size = (last ? v->end : (uint64_t)s[1].place * SDB_VLOG_ALIGN) - *off;
    }
    sdb_unlock_slots(&v->lock);
    return s != NULL;
}

static int read_checked(struct sdb_vlog *v, const struct sdb_segment *s, uint64_t off,
                        void *to, seerdb_err *err)
{
    size_t n = (size_t)sdb_segment_stored(s);
    int rc = sdb_file_read_for(v->file, SDB_FOR_READ, off, to, n, err);
    if (rc != 0)
        return rc;
    uint64_t check = sdb_hash64(to, n, v->seed + s->slot);
    if (check == s->check)
        return 0;
    return sdb_fail(err, SEERDB_CORRUPT,
                    "%s: offset %" PRIu64 ": slot %" PRIu64 " has the check %016" PRIx64
                    ", expected %016" PRIx64,
                    v->file->path, off, s->slot, check, s->check);
}

int sdb_vlog_read(struct sdb_vlog *v, const struct sdb_segment *s, void *to,
                  seerdb_err *err)
{
    uint64_t off, size;
    if (!locate(v, s->slot, &off, &size) ||
        size != SDB_VLOG_ENTRY + sdb_vlog_up(sdb_segment_stored(s)))
        return sdb_fail(err, SEERDB_CORRUPT,
                        "%s: no value of %" PRIu64 " bytes in slot %" PRIu64,
                        v->file->path, sdb_segment_stored(s), s->slot);
    off += SDB_VLOG_ENTRY;
    if (s->stored == 0)
        return read_checked(v, s, off, to, err);
    void *packed = sdb_mem_alloc((size_t)s->stored);
    if (packed == NULL)
        return sdb_fail_nomem(err, (size_t)s->stored);
    int rc = read_checked(v, s, off, packed, err);
    seerdb_err why = {0};
    if (rc == 0 && sdb_codec_decompress(NULL, (seerdb_slice){packed, (size_t)s->stored},
                                        to, (size_t)s->size, &why) != 0)
        rc = sdb_fail(err, why.code, "%s: offset %" PRIu64 ": slot %" PRIu64 ": %s",
                      v->file->path, off, s->slot, why.msg);
    sdb_mem_free(packed);
    return rc;
}

int sdb_vlog_copy(struct sdb_vlog *v, struct sdb_vlog *from, uint64_t slot,
                  seerdb_err *err)
{
    uint64_t off, size;
    uint8_t p[SDB_VLOG_ENTRY];
    struct sdb_vlog_entry e;
    int rc = check_failed(v, err);
    if (rc != 0)
        return rc;
    if (!locate(from, slot, &off, &size))
        return sdb_fail(err, SEERDB_CORRUPT, "%s: there is no slot %" PRIu64,
                        from->file->path, slot);
    if ((rc = sdb_file_read_at(from->file, off, p, sizeof p, err)) != 0)
        return rc;
    if (!sdb_vlog_get_entry(from, p, off, off + size, &e) || e.slot != slot)
        return sdb_fail(err, SEERDB_CORRUPT,
                        "%s: offset %" PRIu64 ": not the entry of slot %" PRIu64,
                        from->file->path, off, slot);
    void *bytes = sdb_mem_alloc(e.stored);
    if (bytes == NULL)
        return sdb_fail_nomem(err, e.stored);
    rc = sdb_file_read_at(from->file, off + SDB_VLOG_ENTRY, bytes, e.stored, err);
    if (rc == 0 && sdb_hash64(bytes, e.stored, from->seed + slot) != e.check)
        rc = sdb_fail(err, SEERDB_CORRUPT,
                      "%s: offset %" PRIu64 ": slot %" PRIu64 " fails its check",
                      from->file->path, off, slot);
    if (rc == 0)
        rc = put_value(v, &e, (seerdb_slice){bytes, e.stored}, err);
    sdb_mem_free(bytes);
    return rc;
}

bool sdb_vlog_get_entry(const struct sdb_vlog *v, const uint8_t *p, uint64_t off,
                        uint64_t size, struct sdb_vlog_entry *e)
{
    if (sdb_load_u64(p + 24) != sdb_hash64(p, 24, v->seed + off))
        return false;
    *e = (struct sdb_vlog_entry){.check = sdb_load_u64(p),
                                 .stored = sdb_load_u32(p + 8),
                                 .raw = sdb_load_u32(p + 12),
                                 .slot = sdb_load_u32(p + 16),
                                 .codec = p[20]};
    return e->stored > 0 && sdb_vlog_up(e->stored) <= size - off - SDB_VLOG_ENTRY;
}

bool sdb_vlog_has(struct sdb_vlog *v, uint64_t slot)
{
    uint64_t off, size;
    return locate(v, slot, &off, &size);
}

bool sdb_vlog_is_held_back(struct sdb_vlog *v, uint64_t slot)
{
    uint64_t off = 0, size = 0;
    bool there = locate(v, slot, &off, &size);
    sdb_lock_slots(&v->lock);
    bool held = there && off + size > v->written;
    sdb_unlock_slots(&v->lock);
    return held;
}

uint64_t sdb_vlog_size(struct sdb_vlog *v)
{
    sdb_lock_slots(&v->lock);
    uint64_t size = v->end;
    sdb_unlock_slots(&v->lock);
    return size;
}

uint64_t sdb_vlog_bytes(struct sdb_vlog *v)
{
    sdb_lock_slots(&v->lock);
    uint64_t size = v->end + v->trailer;
    sdb_unlock_slots(&v->lock);
    return size;
}

uint64_t sdb_vlog_tree(const struct sdb_vlog *v)
{
    return v->tree;
}

struct sdb_file *sdb_vlog_place(struct sdb_vlog *v, uint64_t slot, uint64_t *off)
{
    uint64_t size;
    bool there = !sdb_vlog_is_held_back(v, slot) && locate(v, slot, off, &size);
    *off += there ? SDB_VLOG_ENTRY : 0;
    return there ? v->file : NULL;
}

void sdb_vlog_each(struct sdb_vlog *v,
                   void (*each)(void *ctx, uint64_t slot, uint64_t bytes), void *ctx)
{
    sdb_lock_slots(&v->lock);
    for (size_t i = 0; i < v->n; i++) {
        uint64_t end = i + 1 < v->n ? v->slots[i + 1].place : v->end / SDB_VLOG_ALIGN;
        each(ctx, v->slots[i].slot, (end - v->slots[i].place) * SDB_VLOG_ALIGN);
    }
    sdb_unlock_slots(&v->lock);
}

bool sdb_vlog_is_sealed(struct sdb_vlog *v)
{
    sdb_lock_slots(&v->lock);
    bool sealed = v->sealed;
    sdb_unlock_slots(&v->lock);
    return sealed;
}

bool sdb_vlog_is_dirty(struct sdb_vlog *v)
{
    sdb_lock_slots(&v->lock);
    bool dirty = v->written > v->synced;
    sdb_unlock_slots(&v->lock);
    return dirty;
}
