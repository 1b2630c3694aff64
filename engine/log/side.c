/* SPDX-License-Identifier: Apache-2.0
 *
 * Not a sorted table: nobody looks anything up in it, and links have no place there.
 * Not a stretch of log either: in memory a tree's records lie by key, and bringing them
 * into the order of their commits again would take more memory than they do. */
#include "log/side.h"

#include "os/clock.h"
#include "os/failpoint.h"
#include "table/operands.h"
#include "table/segments.h"

#define SUFFIX     ".side"
#define FRAME_FULL ((size_t)64 << 10) /* bytes of payload that end a frame */

enum frame_type {
    FRAME_NONE = 0,
    FRAME_RECORDS = 1,
    FRAME_LINKS = 2,
    FRAME_END = 3,
    FRAME_TABLES = 4
};

char *sdb_side_path(const char *dir, uint64_t number)
{
    return sdb_numbered_path(dir, number, SUFFIX);
}

void sdb_side_remove(struct sdb_fs *fs, const char *dir, uint64_t number)
{
    char *path = sdb_side_path(dir, number);
    if (path != NULL && SDB_FAIL_AT(side_remove, NULL) == 0)
        (void)sdb_fs_remove(fs, path, NULL);
    sdb_mem_free(path);
}

/* ---- writing ---------------------------------------------------------------- */

struct sdb_side_writer {
    struct sdb_file *file; /* owned */
    uint64_t number, tree, seed, end;
    uint64_t nrecords, nlinks, nspilled;
    enum frame_type type;   /* of the frame that payload will be */
    struct sdb_buf payload; /* of the next frame */
    struct sdb_buf bytes;   /* reused: the frame */
    seerdb_err failed;      /* the first failure */
};

/* Write w->bytes at the end of the file. */
static void put_bytes(struct sdb_side_writer *w)
{
    if (w->failed.code != 0 || sdb_buf_check(&w->bytes, &w->failed) != 0 ||
        SDB_FAIL_AT(side_write, &w->failed) != 0 ||
        sdb_file_write_at(w->file, w->end, sdb_buf_slice(&w->bytes), &w->failed) != 0)
        return;
    w->end += w->bytes.size;
}

/* Write what has gathered as one frame. */
static void put_frame(struct sdb_side_writer *w)
{
    if (w->type == FRAME_NONE || w->failed.code != 0 ||
        sdb_buf_check(&w->payload, &w->failed) != 0)
        return;
    struct sdb_frame f = {.type = (uint8_t)w->type,
                          .payload = sdb_buf_slice(&w->payload)};
    sdb_buf_clear(&w->bytes);
    sdb_frame_encode(&w->bytes, w->seed, w->end, &f);
    put_bytes(w);
    sdb_buf_clear(&w->payload);
    w->type = FRAME_NONE;
}

/* What comes next belongs into a frame of this type. */
static void begin_item(struct sdb_side_writer *w, enum frame_type type)
{
    if (w->type != type || w->payload.size >= FRAME_FULL)
        put_frame(w);
    w->type = type;
}

int sdb_side_writer_new(const struct sdb_side_options *o, uint64_t number,
                        struct sdb_side_writer **out, seerdb_err *err)
{
    struct sdb_log_header h = {
        .kind = SDB_FILE_SIDE, .store = o->store, .number = number};
    char *path = sdb_side_path(o->dir, number);
    struct sdb_side_writer *w = sdb_mem_zalloc(sizeof *w);
    int rc = path == NULL || w == NULL
                 ? sdb_fail_nomem(err, sizeof *w)
                 : sdb_fs_open(o->fs, path, SDB_CREATE, SDB_FOR_LOG, &w->file, err);
    sdb_mem_free(path);
    if (rc != 0) {
        sdb_mem_free(w);
        return rc;
    }
    w->number = number;
    w->tree = o->tree;
    w->seed = sdb_frame_seed(&o->store, SDB_FILE_SIDE, number);
    sdb_log_header_encode(&w->bytes, &h);
    put_bytes(w);
    *out = w;
    return 0;
}

void sdb_side_writer_link(struct sdb_side_writer *w, uint64_t number, uint64_t prev)
{
    begin_item(w, FRAME_LINKS);
    sdb_put_varint(&w->payload, number);
    sdb_put_varint(&w->payload, prev);
    w->nlinks++;
}

void sdb_side_writer_record(struct sdb_side_writer *w, const struct sdb_record *r)
{
    begin_item(w, FRAME_RECORDS);
    sdb_put_varint(&w->payload, r->number);
    sdb_put_u8(&w->payload, (uint8_t)r->kind);
    sdb_put_slice(&w->payload, r->key);
    if (r->kind != SDB_KIND_TOMBSTONE)
        sdb_put_slice(&w->payload, r->value);
    w->nrecords++;
}

void sdb_side_writer_tables(struct sdb_side_writer *w, uint64_t number,
                            const uint64_t *files, size_t n)
{
    begin_item(w, FRAME_TABLES);
    sdb_put_varint(&w->payload, number);
    sdb_put_varint(&w->payload, n);
    for (size_t i = 0; i < n; i++)
        sdb_put_varint(&w->payload, files[i]);
    w->nspilled++;
}

int sdb_side_writer_finish(struct sdb_side_writer *w, uint64_t covered,
                           struct sdb_aside_desc *out, seerdb_err *err)
{
    begin_item(w, FRAME_END);
    sdb_put_varint(&w->payload, w->tree);
    sdb_put_varint(&w->payload, covered);
    sdb_put_varint(&w->payload, w->nrecords);
    sdb_put_varint(&w->payload, w->nlinks);
    if (w->nspilled > 0)
        sdb_put_varint(&w->payload, w->nspilled);
    put_frame(w);
    if (w->failed.code != 0 || SDB_FAIL_AT(side_sync, &w->failed) != 0 ||
        sdb_file_sync(w->file, &w->failed) != 0)
        return sdb_fail_as(err, &w->failed);
    *out = (struct sdb_aside_desc){w->number, w->end, covered};
    return 0;
}

void sdb_side_writer_free(struct sdb_side_writer *w)
{
    if (w == NULL)
        return;
    sdb_file_close(w->file);
    sdb_buf_fini(&w->payload);
    sdb_buf_fini(&w->bytes);
    sdb_mem_free(w);
}

/* ---- reading ---------------------------------------------------------------- */

struct reading {
    struct sdb_file *file;             /* owned */
    const struct sdb_aside_desc *desc; /* borrowed */
    const struct sdb_side_taker *taker;
    uint64_t tree, seed, at; /* at: of the frame looked at */
    uint64_t nrecords, nlinks, nspilled;
    uint64_t last_link, last_number; /* of the item before; 0: none */
    enum sdb_kind last_kind;         /* of the record before */
    struct sdb_buf last_key;         /* of the record before */
    bool first_record;               /* comes next, of the file or behind tables */
    uint64_t last_spilled;           /* commit; 0: none */
    uint64_t most;                   /* the greatest number of a record so far */
    struct sdb_buf files;            /* of one spilled commit */
    bool ended;
    struct sdb_buf frame; /* its bytes */
    seerdb_err *err;
};

static int corrupt(const struct reading *g, const char *what)
{
    return sdb_fail(g->err, SEERDB_CORRUPT, "%s: offset %" PRIu64 ": %s", g->file->path,
                    g->at, what);
}

static int read_links(struct reading *g, seerdb_slice payload)
{
    struct sdb_reader r = sdb_reader_init(payload);
    int rc = 0;
    while (rc == 0 && !sdb_reader_done(&r)) {
        uint64_t number = sdb_get_varint(&r), prev = sdb_get_varint(&r);
        if (r.failed || number > g->desc->covered || prev >= number ||
            number <= g->last_link || g->nrecords > 0 || g->nspilled > 0)
            return corrupt(g, "a malformed link");
        g->last_link = number;
        g->nlinks++;
        rc = g->taker->link(g->taker->ctx, number, prev, g->err);
    }
    return rc;
}

/* Does it sort behind the one before?  Range tombstones come first. */
static bool in_order(const struct reading *g, const struct sdb_record *r)
{
    bool range = r->kind == SDB_KIND_RANGE, was_range = g->last_kind == SDB_KIND_RANGE;
    if (g->first_record || range != was_range)
        return g->first_record || was_range;
    int order = sdb_slice_cmp(r->key, sdb_buf_slice(&g->last_key));
    return order > 0 || (order == 0 && (range ? r->number < g->last_number
                                              : r->number > g->last_number));
}

static bool is_range(const struct sdb_record *r)
{
    return r->kind == SDB_KIND_RANGE && r->value.size <= SEERDB_KEY_MAX &&
           sdb_slice_cmp(r->key, r->value) < 0;
}

static int read_records(struct reading *g, seerdb_slice payload)
{
    struct sdb_reader r = sdb_reader_init(payload);
    int rc = 0;
    while (rc == 0 && !sdb_reader_done(&r)) {
        struct sdb_record record = {.number = sdb_get_varint(&r)};
        uint8_t kind = sdb_get_u8(&r);
        record.kind = (enum sdb_kind)kind;
        record.key = sdb_get_slice(&r);
        if (kind != SDB_KIND_TOMBSTONE)
            record.value = sdb_get_slice(&r);
        if (r.failed || record.number <= g->last_spilled ||
            record.number > g->desc->covered || kind == 0 || kind > SDB_KIND_MAX ||
            record.key.size > SEERDB_KEY_MAX || record.value.size > SEERDB_VALUE_MAX ||
            !in_order(g, &record))
            return corrupt(g, "a malformed record");
        if (kind == SDB_KIND_RANGE && !is_range(&record))
            return corrupt(g, "a malformed range tombstone");
        if (kind == SDB_KIND_MERGE &&
            !sdb_operands_are_valid(record.value, record.number))
            return corrupt(g, "malformed merge operands");
        struct sdb_segments s;
        if (kind == SDB_KIND_SEGMENTS && sdb_segments_open(&s, record.value, NULL) != 0)
            return corrupt(g, "a malformed value with segments");
        if (kind != SDB_KIND_VALUE && kind != SDB_KIND_TOMBSTONE &&
            kind != SDB_KIND_MERGE && kind != SDB_KIND_RANGE &&
            kind != SDB_KIND_SEGMENTS)
            return sdb_fail(g->err, SEERDB_NEWER,
                            "%s: offset %" PRIu64 ": a record of kind %u, which this "
                            "version cannot read",
                            g->file->path, g->at, kind);
        g->last_number = record.number;
        g->last_kind = record.kind;
        g->most = record.number > g->most ? record.number : g->most;
        g->first_record = false;
        g->nrecords++;
        sdb_buf_clear(&g->last_key);
        sdb_buf_append_slice(&g->last_key, record.key);
        if ((rc = sdb_buf_check(&g->last_key, g->err)) == 0)
            rc = g->taker->record(g->taker->ctx, &record, g->err);
    }
    return rc;
}

static int read_tables(struct reading *g, seerdb_slice payload)
{
    struct sdb_reader r = sdb_reader_init(payload);
    int rc = 0;
    while (rc == 0 && !sdb_reader_done(&r)) {
        uint64_t number = sdb_get_varint(&r), n = sdb_get_varint(&r);
        if (r.failed || number <= g->last_spilled || number <= g->most ||
            number > g->desc->covered || n > payload.size)
            return corrupt(g, "a malformed spilled commit");
        sdb_buf_clear(&g->files);
        for (uint64_t i = 0; i < n; i++) {
            uint64_t file = sdb_get_varint(&r);
            if (r.failed || file == 0)
                return corrupt(g, "a malformed spilled commit");
            sdb_buf_append(&g->files, &file, sizeof file);
        }
        if ((rc = sdb_buf_check(&g->files, g->err)) != 0)
            return rc;
        g->last_spilled = number;
        g->first_record = true;
        g->nspilled++;
        rc = g->taker->tables(g->taker->ctx, number,
                              (const uint64_t *)(void *)g->files.data, (size_t)n,
                              g->err);
    }
    return rc;
}

static int read_end(struct reading *g, seerdb_slice payload)
{
    struct sdb_reader r = sdb_reader_init(payload);
    uint64_t tree = sdb_get_varint(&r), covered = sdb_get_varint(&r),
             nrecords = sdb_get_varint(&r), nlinks = sdb_get_varint(&r);
    uint64_t nspilled = g->nspilled > 0 ? sdb_get_varint(&r) : 0;
    if (!sdb_reader_done(&r) || tree != g->tree || covered != g->desc->covered ||
        nrecords != g->nrecords || nlinks != g->nlinks || nspilled != g->nspilled)
        return corrupt(g, "its end contradicts the manifest or what stands before");
    g->ended = true;
    return 0;
}

static int take_frame(struct reading *g, const struct sdb_frame *f)
{
    if (f->payload.size == 0 || f->skip != 0 || f->outcome != SDB_OUTCOME_NONE)
        return corrupt(g, "a malformed frame");
    switch (f->type) {
    case FRAME_RECORDS:
        return read_records(g, f->payload);
    case FRAME_LINKS:
        return read_links(g, f->payload);
    case FRAME_END:
        return read_end(g, f->payload);
    case FRAME_TABLES:
        return read_tables(g, f->payload);
    default:
        return sdb_fail(g->err, SEERDB_NEWER,
                        "%s: offset %" PRIu64 ": unknown frame type %u", g->file->path,
                        g->at, f->type);
    }
}

/* Put bytes [at, at + n) of the file into g->frame. */
static int load(struct reading *g, uint64_t n)
{
    if (n > g->desc->size - g->at)
        return corrupt(g, "a frame that goes beyond the end of the file");
    sdb_buf_clear(&g->frame);
    if (!sdb_buf_reserve(&g->frame, (size_t)n))
        return sdb_buf_check(&g->frame, g->err);
    g->frame.size = (size_t)n;
    return sdb_file_read_at(g->file, g->at, g->frame.data, (size_t)n, g->err);
}

static int read_frames(struct reading *g)
{
    int rc = 0;
    for (g->at = SDB_LOG_FILE_HEADER; rc == 0 && g->at < g->desc->size;) {
        uint64_t size;
        struct sdb_frame f;
        if (g->ended)
            return corrupt(g, "bytes behind the end");
        if ((rc = load(g, SDB_FRAME_HEADER)) != 0)
            return rc;
        if (!sdb_frame_begun(sdb_buf_slice(&g->frame), g->seed, g->at, &size))
            return corrupt(g, "the header of a frame is damaged");
        if ((rc = load(g, size)) != 0)
            return rc;
        rc = sdb_frame_decode(sdb_buf_slice(&g->frame), g->seed, g->at, &f, &size);
        if (rc == SEERDB_NOTFOUND)
            return corrupt(g, "a damaged frame");
        if (rc == SEERDB_NEWER)
            return sdb_fail(g->err, rc, "%s: offset %" PRIu64 ": unknown frame fields",
                            g->file->path, g->at);
        if ((rc = take_frame(g, &f)) == 0)
            g->at += size;
    }
    return rc != 0 || g->ended ? rc : corrupt(g, "the end is missing");
}

static int check_head(struct reading *g, const struct sdb_side_options *o)
{
    struct sdb_log_header h;
    uint64_t size;
    int rc = sdb_file_size(g->file, &size, g->err);
    if (rc != 0)
        return rc;
    if (size != g->desc->size || size < SDB_LOG_FILE_HEADER)
        return sdb_fail(g->err, SEERDB_CORRUPT,
                        "%s has %" PRIu64 " bytes, the manifest says %" PRIu64,
                        g->file->path, size, g->desc->size);
    if ((rc = load(g, SDB_LOG_FILE_HEADER)) != 0 ||
        (rc = sdb_log_header_decode(sdb_buf_slice(&g->frame), g->file->path, &h,
                                    g->err)) != 0)
        return rc;
    if (h.kind != SDB_FILE_SIDE || h.number != g->desc->file || h.previous != 0 ||
        h.previous_end != 0 || !sdb_uuid_equal(&h.store, &o->store))
        return corrupt(g, "the header is not that of this side file of this store");
    return 0;
}

int sdb_side_read(const struct sdb_side_options *o, const struct sdb_aside_desc *desc,
                  const struct sdb_side_taker *taker, seerdb_err *err)
{
    struct reading g = {
        .desc = desc,
        .taker = taker,
        .tree = o->tree,
        .seed = sdb_frame_seed(&o->store, SDB_FILE_SIDE, desc->file),
        .first_record = true,
        .err = err,
    };
    char *path = sdb_side_path(o->dir, desc->file);
    if (path == NULL)
        return sdb_fail_nomem(err, strlen(o->dir));
    int rc = sdb_fs_stat(o->fs, path, NULL, NULL, err);
    if (rc == SEERDB_NOTFOUND)
        rc = sdb_fail(err, SEERDB_CORRUPT, "the manifest names %s, which is missing",
                      path);
    if (rc == 0)
        rc = sdb_fs_open(o->fs, path, SDB_READ, SDB_FOR_LOG, &g.file, err);
    sdb_mem_free(path);
    if (rc == 0 && (rc = check_head(&g, o)) == 0)
        rc = read_frames(&g);
    sdb_file_close(g.file);
    sdb_buf_fini(&g.last_key);
    sdb_buf_fini(&g.files);
    sdb_buf_fini(&g.frame);
    return rc;
}
