/* SPDX-License-Identifier: Apache-2.0
 *
 * Whoever goes on with a file cuts its index off first, and syncs that: until then a
 * power cut may leave the old footer behind new entries, and an index that is none.
 * Afterwards it is a file that was never sealed, of which the entries that it had are
 * on stable storage. */
#include "log/vlog.h"

#include "base/hash.h"
#include "log/vlog_file.h"
#include "os/failpoint.h"

static int check_header(struct sdb_vlog *v, const struct sdb_vlog_options *o,
                        const uint8_t *p, seerdb_err *err)
{
    uint8_t want[SDB_VLOG_HEADER];
    struct sdb_vlog_options asked = *o;
    if (asked.tree == 0)
        asked.tree = sdb_load_u64(p + 40);
    sdb_vlog_make_header(&asked, want);
    if (memcmp(p, SDB_VLOG_MAGIC, 8) != 0 ||
        sdb_load_u64(p + 56) != sdb_hash64(p, 56, 0))
        return sdb_fail(err, SEERDB_CORRUPT,
                        "%s: offset 0: not the header of a value log", v->file->path);
    if (sdb_load_u32(p + 8) != SDB_VLOG_VERSION)
        return sdb_fail(err, SEERDB_NEWER, "%s: version %" PRIu32 ", known is %u",
                        v->file->path, sdb_load_u32(p + 8), SDB_VLOG_VERSION);
    v->tree = asked.tree;
    if (memcmp(p, want, sizeof want) != 0)
        return sdb_fail(err, SEERDB_CORRUPT,
                        "%s: it is file %" PRIu64 " of tree %" PRIu64
                        ", expected %" PRIu64 " of %" PRIu64 " in this store",
                        v->file->path, sdb_load_u64(p + 32), sdb_load_u64(p + 40),
                        o->number, o->tree);
    return 0;
}

static int add_slot(struct sdb_vlog *v, uint64_t slot, uint64_t off, seerdb_err *err)
{
    int rc = sdb_vlog_reserve_slot(v, err);
    sdb_lock_slots(&v->lock);
    if (rc == 0)
        v->slots[v->n++] =
            (struct sdb_vlog_slot){(uint32_t)slot, (uint32_t)(off / SDB_VLOG_ALIGN)};
    sdb_unlock_slots(&v->lock);
    return rc;
}

/* The index of a sealed file.  NOTFOUND: it is not sealed. */
static int load_index(struct sdb_vlog *v, uint64_t size, seerdb_err *err)
{
    uint8_t p[SDB_VLOG_FOOTER];
    if (size < SDB_VLOG_HEADER + SDB_VLOG_FOOTER)
        return SEERDB_NOTFOUND;
    int rc = sdb_file_read_at(v->file, size - SDB_VLOG_FOOTER, p, sizeof p, err);
    if (rc != 0)
        return rc;
    if (memcmp(p + 56, SDB_VLOG_MAGIC, 8) != 0 ||
        sdb_load_u64(p + 48) != sdb_hash64(p, 48, v->seed))
        return SEERDB_NOTFOUND;
    uint64_t at = sdb_load_u64(p), n = sdb_load_u64(p + 16),
             length = sdb_load_u64(p + 8);
    struct sdb_buf b = {0};
    if (at < SDB_VLOG_HEADER || at % SDB_VLOG_ALIGN != 0 || at > SDB_VLOG_MOST ||
        length > size || at + sdb_vlog_up(length) + SDB_VLOG_FOOTER != size ||
        sdb_load_u64(p + 32) != 0 || sdb_load_u64(p + 40) != 0)
        return sdb_fail(err, SEERDB_CORRUPT, "%s: offset %" PRIu64 ": the footer",
                        v->file->path, size - SDB_VLOG_FOOTER);
    if (!sdb_buf_reserve(&b, (size_t)length))
        return sdb_buf_check(&b, err);
    rc = sdb_file_read_at(v->file, at, b.data, (size_t)length, err);
    b.size = (size_t)length;
    bool sound =
        rc == 0 && sdb_hash64(b.data, b.size, v->seed + at) == sdb_load_u64(p + 24);
    struct sdb_reader r = sdb_reader_init(sdb_buf_slice(&b));
    uint64_t off = SDB_VLOG_HEADER, slot = 0;
    for (uint64_t i = 0; i < n && rc == 0 && sound; i++) {
        slot += sdb_get_varint(&r);
        uint64_t units = sdb_get_varint(&r);
        sound = !r.failed && slot <= UINT32_MAX &&
                units > SDB_VLOG_ENTRY / SDB_VLOG_ALIGN &&
                units <= (at - off) / SDB_VLOG_ALIGN;
        if (sound)
            rc = add_slot(v, slot++, off, err);
        off += sound ? units * SDB_VLOG_ALIGN : 0;
    }
    if (rc == 0 && (!sound || off != at || !sdb_reader_done(&r)))
        rc = sdb_fail(err, SEERDB_CORRUPT,
                      "%s: offset %" PRIu64 ": the index of %" PRIu64 " values",
                      v->file->path, at, n);
    sdb_buf_fini(&b);
    if (rc == 0) {
        sdb_lock_slots(&v->lock);
        v->end = v->written = v->synced = at;
        v->trailer = size - at;
        v->sealed = true;
        sdb_unlock_slots(&v->lock);
    }
    return rc;
}

/* Walk from entry to entry; they are read many at a time where they are small. */
static int find_entries(struct sdb_vlog *v, uint64_t size, seerdb_err *err)
{
    struct sdb_buf b = {0};
    uint64_t off = SDB_VLOG_HEADER, from = 0, next = 0;
    int rc = 0;
    if (!sdb_buf_reserve(&b, SDB_VLOG_DIRECT))
        return sdb_buf_check(&b, err);
    while (rc == 0 && off + SDB_VLOG_ENTRY <= size) {
        struct sdb_vlog_entry e;
        if (off < from || off + SDB_VLOG_ENTRY > from + b.size) {
            from = off;
            b.size =
                size - off < SDB_VLOG_DIRECT ? (size_t)(size - off) : SDB_VLOG_DIRECT;
            if ((rc = sdb_file_read_at(v->file, off, b.data, b.size, err)) != 0)
                break;
        }
        if (!sdb_vlog_get_entry(v, b.data + (off - from), off, size, &e) ||
            e.slot < next)
            break;
        next = (uint64_t)e.slot + 1;
        rc = add_slot(v, e.slot, off, err);
        off += SDB_VLOG_ENTRY + sdb_vlog_up(e.stored);
    }
    sdb_buf_fini(&b);
    sdb_lock_slots(&v->lock);
    v->end = v->written = off;
    sdb_unlock_slots(&v->lock);
    return rc;
}

static int open_file(const struct sdb_vlog_options *o, enum sdb_open_mode mode,
                     struct sdb_vlog **out, uint64_t *size, seerdb_err *err)
{
    struct sdb_vlog *v = NULL;
    uint8_t header[SDB_VLOG_HEADER];
    int rc = sdb_vlog_new(o, mode, &v, err);
    if (rc != 0)
        return rc;
    rc = sdb_file_size(v->file, size, err);
    SDB_PASS(vlog_open);
    if (rc == 0 &&
        (rc = sdb_file_read_at(v->file, 0, header, sizeof header, err)) == 0 &&
        (rc = check_header(v, o, header, err)) == 0 &&
        (rc = load_index(v, *size, err)) == SEERDB_NOTFOUND)
        rc = find_entries(v, *size, err);
    if (rc == 0)
        *out = v;
    else
        sdb_vlog_free(v);
    return rc;
}

int sdb_vlog_open(const struct sdb_vlog_options *o, struct sdb_vlog **out,
                  seerdb_err *err)
{
    uint64_t size;
    return open_file(o, SDB_READ, out, &size, err);
}

int sdb_vlog_resume(const struct sdb_vlog_options *o, struct sdb_vlog **out,
                    seerdb_err *err) NO_TSA
{
    struct sdb_vlog *v = NULL;
    uint64_t size;
    int rc = open_file(o, SDB_READWRITE, &v, &size, err);
    if (rc != 0)
        return rc;
    /* A footer must not outlive its index, nor may old entries follow new ones. */
    if (size > v->end && (rc = SDB_FAIL_AT(vlog_resume, err)) == 0)
        rc = sdb_file_truncate(v->file, v->end, err);
    SDB_PASS(vlog_resumed);
    if (rc == 0)
        rc = sdb_file_sync(v->file, err);
    if (rc != 0) {
        sdb_vlog_free(v);
        return rc;
    }
    v->written = v->synced = v->written_back = v->end;
    v->trailer = 0;
    v->sealed = false;
    *out = v;
    return 0;
}
