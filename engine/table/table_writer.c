/* SPDX-License-Identifier: Apache-2.0
 *
 * Everything is one pass: a block is complete before the next record is taken, and the
 * index grows beside it as the bytes that will be written.  Both kinds of index are
 * collected, fences and separators, because only the end tells whether the fences
 * are good enough. */
#include "table/table_writer.h"

#include "os/clock.h"
#include "os/failpoint.h"
#include "table/block.h"
#include "table/filter.h"
#include "table/table_format.h"

#include <assert.h>

#define DEFAULT_BLOCK ((size_t)16 << 10)
#define MAX_BLOCK     ((size_t)1 << 30) /* of the target: sizes stay below 4 GiB */
#define OUT_SIZE      ((size_t)256 << 10)

struct sdb_table_writer {
    struct sdb_file *file; /* borrowed */
    int compression;
    size_t block_size;
    seerdb_uuid id;
    uint64_t seed;
    struct sdb_coder coder;
    struct sdb_codec *codec; /* owned; NULL when nothing is compressed */
    struct sdb_block_builder block;
    struct sdb_buf raw, packed; /* a stored block: room for its header, then bytes */
    struct sdb_buf bare;        /* a block without its codes, to be packed */
    struct sdb_buf out;         /* not yet written, begins at out_off in the file */
    uint64_t out_off;
    struct sdb_buf fences, offsets, sizes, separators; /* as they will be stored */
    uint64_t last_fence, ties;
    enum seerdb_index index;
    unsigned filter_bits;
    void (*told)(void *ctx, uint32_t i, seerdb_slice block, bool packed);
    void *ctx;
    uint64_t (*expiry)(const void *ctx, const struct sdb_record *r);
    const void *expiry_ctx;
    uint64_t expired_by;
    struct sdb_expiries expiries;
    bool expiry_lasts;     /* and of all records so far it is known */
    uint64_t last_expiry;  /* the last of them */
    struct sdb_buf hashes; /* u64 each: of the distinct keys, for the filter */
    struct sdb_learned_builder learned;
    struct sdb_buf range_bytes; /* as they came: varint number, slices start and end */
    struct sdb_ranges *ranges;  /* counted; of them, at the end; NULL: none */
    struct sdb_buf smallest, last_key;
    uint64_t last_number;
    uint64_t records, tombstones, blocks, key_bytes, value_bytes, min_number,
        max_number;
    struct sdb_vlog_refs vlogs;
    bool finished;
    seerdb_err err; /* the first failure */
};

static seerdb_slice index_coder_prefix(const struct sdb_table_writer *w)
{
    return (seerdb_slice){w->coder.prefix, w->coder.prefix_size};
}

uint64_t sdb_table_writer_size(const struct sdb_table_writer *w)
{
    return w->out_off + w->out.size;
}

static int flush_out(struct sdb_table_writer *w)
{
    int rc = sdb_buf_check(&w->out, &w->err);
    if (rc != 0 || w->out.size == 0)
        return rc;
    if ((rc = SDB_FAIL_AT(table_write, &w->err)) != 0 ||
        (rc = sdb_file_write_at(w->file, w->out_off, sdb_buf_slice(&w->out),
                                &w->err)) != 0)
        return rc;
    w->out_off += w->out.size;
    sdb_buf_clear(&w->out);
    return 0;
}

/* Bytes that are large already skip the buffer. */
static int put_out(struct sdb_table_writer *w, seerdb_slice bytes)
{
    int rc;
    if (w->out.size + bytes.size > OUT_SIZE && (rc = flush_out(w)) != 0)
        return rc;
    if (bytes.size < OUT_SIZE) {
        sdb_buf_append_slice(&w->out, bytes);
        return sdb_buf_check(&w->out, &w->err);
    }
    if ((rc = sdb_file_write_at(w->file, w->out_off, bytes, &w->err)) != 0)
        return rc;
    w->out_off += bytes.size;
    return 0;
}

static int pad_out(struct sdb_table_writer *w)
{
    static const uint8_t zeros[SDB_TABLE_ALIGN];
    uint64_t end = sdb_table_writer_size(w);
    return put_out(w, (seerdb_slice){zeros, (size_t)(sdb_table_align(end) - end)});
}

/* Write a stored block and its padding.  `bytes` begins with room for the header. */
static int put_stored(struct sdb_table_writer *w, struct sdb_buf *bytes,
                      uint64_t raw_size, enum sdb_codec_id codec,
                      enum sdb_block_type type)
{
    uint64_t off = sdb_table_writer_size(w);
    int rc;
    if ((rc = sdb_buf_check(bytes, &w->err)) != 0)
        return rc;
    if (raw_size > UINT32_MAX || bytes->size > UINT32_MAX)
        return sdb_fail(&w->err, SEERDB_TOOBIG,
                        "%s: block at %" PRIu64 " of %zu bytes, at most %" PRIu32
                        " fit the format",
                        w->file->path, off, bytes->size, UINT32_MAX);
    assert(off % SDB_TABLE_ALIGN == 0 && bytes->size >= SDB_STORED_HEADER);
    uint8_t *p = bytes->data;
    memset(p, 0, SDB_STORED_HEADER);
    sdb_store_u32(p + 8, (uint32_t)(bytes->size - SDB_STORED_HEADER));
    sdb_store_u32(p + 12, (uint32_t)raw_size);
    p[16] = (uint8_t)codec;
    p[17] = (uint8_t)type;
    sdb_store_u64(p, sdb_stored_check(p, bytes->size, w->seed, off));
    rc = put_out(w, sdb_buf_slice(bytes));
    return rc != 0 ? rc : pad_out(w);
}

static int put_data_block(struct sdb_table_writer *w)
{
    uint64_t off = sdb_table_writer_size(w);
    struct sdb_buf *stored = &w->raw;
    enum sdb_codec_id codec = SDB_CODEC_NONE;
    int rc;
    if (off / SDB_TABLE_ALIGN > UINT32_MAX || w->blocks >= UINT32_MAX)
        return sdb_fail(&w->err, SEERDB_TOOBIG,
                        "%s: a table of more than %" PRIu64
                        " bytes does not fit the format",
                        w->file->path, off);
    sdb_buf_clear(&w->raw);
    sdb_buf_zeros(&w->raw, SDB_STORED_HEADER);
    if ((rc = sdb_block_finish(&w->block, &w->raw, &w->err)) != 0)
        return rc;
    size_t raw_size = w->raw.size - SDB_STORED_HEADER;
    if (w->codec != NULL) {
        sdb_buf_clear(&w->bare);
        sdb_block_strip((seerdb_slice){w->raw.data + SDB_STORED_HEADER, raw_size},
                        &w->bare);
        if ((rc = sdb_buf_check(&w->bare, &w->err)) != 0)
            return rc;
        sdb_buf_clear(&w->packed);
        sdb_buf_zeros(&w->packed, SDB_STORED_HEADER);
        rc = sdb_codec_compress(w->codec, w->compression, sdb_buf_slice(&w->bare),
                                &w->packed, &w->err);
        if (rc < 0)
            return rc;
        if (rc == 0) {
            codec = SDB_CODEC_ZSTD;
            stored = &w->packed;
            raw_size = w->bare.size;
        }
    }
    if ((rc = put_stored(w, stored, raw_size, codec, SDB_BLOCK_DATA)) != 0)
        return rc;
    sdb_put_u32(&w->offsets, (uint32_t)(off / SDB_TABLE_ALIGN));
    sdb_put_u32(&w->sizes, (uint32_t)stored->size);
    if (w->told != NULL)
        w->told(w->ctx, (uint32_t)w->blocks,
                (seerdb_slice){w->raw.data + SDB_STORED_HEADER,
                               w->raw.size - SDB_STORED_HEADER},
                codec != SDB_CODEC_NONE);
    w->blocks++;
    return 0;
}

/* Note the fence and the separator of the block that begins with r. */
static void begin_block(struct sdb_table_writer *w, const struct sdb_record *r)
{
    uint64_t fence = sdb_code(&w->coder, r->key);
    seerdb_slice separator = {NULL, 0};
    if (w->records > 0) {
        w->ties += fence == w->last_fence;
        /* Shortest: the first byte in which the keys differ must be in it. */
        separator = r->key;
        size_t n = sdb_common_prefix(sdb_buf_slice(&w->last_key), r->key) + 1;
        if (n < separator.size)
            separator.size = n;
    }
    w->last_fence = fence;
    sdb_put_u64(&w->fences, fence);
    sdb_put_slice(&w->separators, separator);
}

/* Whether r may follow; *older: it is a version of the key before. */
static int check_record(struct sdb_table_writer *w, const struct sdb_record *r,
                        bool *older)
{
    if (r->key.size > SEERDB_KEY_MAX || r->value.size > SEERDB_VALUE_MAX)
        return sdb_fail(&w->err, SEERDB_TOOBIG,
                        "%s: a key of %zu bytes with a value of %zu", w->file->path,
                        r->key.size, r->value.size);
    if (r->number > SDB_NUMBER_MAX || (int)r->kind < SDB_KIND_VALUE ||
        (int)r->kind > SDB_KIND_MAX ||
        (r->kind == SDB_KIND_TOMBSTONE && r->value.size > 0))
        return sdb_fail(&w->err, SEERDB_MISUSE,
                        "%s: number %" PRIu64
                        ", kind %d with a value of %zu bytes is not "
                        "a record",
                        w->file->path, r->number, (int)r->kind, r->value.size);
    int order =
        w->records == 0 ? -1 : sdb_slice_cmp(sdb_buf_slice(&w->last_key), r->key);
    if (order > 0 || (order == 0 && w->last_number <= r->number))
        return sdb_fail(&w->err, SEERDB_MISUSE,
                        "%s: record %" PRIu64 " does not sort after the one before it",
                        w->file->path, w->records);
    *older = order == 0;
    return 0;
}

static void note_expiry(struct sdb_table_writer *w, const struct sdb_record *r)
{
    uint64_t time = w->expiry(w->expiry_ctx, r);
    if (r->kind != SDB_KIND_TOMBSTONE && time == UINT64_MAX)
        w->expiry_lasts = false;
    else if (r->kind != SDB_KIND_TOMBSTONE && time > w->last_expiry)
        w->last_expiry = time;
    if (time != UINT64_MAX && (time > w->expired_by || w->expired_by == 0))
        sdb_expiries_add(&w->expiries, time > 0 ? time : 1); /* 0 is none */
}

static void count_record(struct sdb_table_writer *w, const struct sdb_record *r)
{
    if (w->records == 0) {
        w->min_number = w->max_number = r->number;
        sdb_buf_append_slice(&w->smallest, r->key);
    }
    w->min_number = r->number < w->min_number ? r->number : w->min_number;
    w->max_number = r->number > w->max_number ? r->number : w->max_number;
    w->records++;
    w->tombstones += r->kind == SDB_KIND_TOMBSTONE;
    w->key_bytes += r->key.size;
    w->value_bytes += r->value.size;
    sdb_buf_clear(&w->last_key);
    sdb_buf_append_slice(&w->last_key, r->key);
    w->last_number = r->number;
}

/* What the filter and the model need to know of a record that will have this slot of
 * the block under construction. */
static void note_record(struct sdb_table_writer *w, const struct sdb_record *r,
                        bool older)
{
    if (w->index == SEERDB_INDEX_LEARNED)
        sdb_learned_add(&w->learned, &w->coder, r->key, w->block.codes[w->block.n - 1],
                        w->blocks * SDB_BLOCK_SLOTS + w->block.n - 1, older);
    if (w->filter_bits > 0 && !older) {
        uint64_t hash = sdb_filter_hash(r->key);
        sdb_buf_append(&w->hashes, &hash, sizeof hash);
    }
}

static bool is_s2(const struct sdb_table_writer *w)
{
    return w->ties >= 2 && w->ties * 1000 > w->blocks;
}

static int put_index(struct sdb_table_writer *w)
{
    struct sdb_buf *b = &w->raw;
    bool s2 = is_s2(w);
    int rc;
    if ((rc = sdb_buf_check(&w->fences, &w->err)) != 0 ||
        (rc = sdb_buf_check(&w->offsets, &w->err)) != 0 ||
        (rc = sdb_buf_check(&w->sizes, &w->err)) != 0 ||
        (rc = sdb_buf_check(&w->separators, &w->err)) != 0)
        return rc;
    sdb_buf_clear(b);
    sdb_buf_zeros(b, SDB_STORED_HEADER);
    sdb_put_u32(b, (uint32_t)w->blocks);
    sdb_put_u8(b, s2 ? SDB_SCHEME_S2 : SDB_SCHEME_S0);
    sdb_put_u8(b, w->coder.prefix_size);
    sdb_put_u16(b, 0);
    sdb_buf_append_slice(b, sdb_buf_slice(&w->fences));
    sdb_buf_append_slice(b, sdb_buf_slice(&w->offsets));
    sdb_buf_append_slice(b, sdb_buf_slice(&w->sizes));
    sdb_buf_append_slice(b, index_coder_prefix(w));
    if (s2)
        sdb_buf_append_slice(b, sdb_buf_slice(&w->separators));
    return put_stored(w, b, b->size - SDB_STORED_HEADER, SDB_CODEC_NONE,
                      SDB_BLOCK_INDEX);
}

static int put_filter(struct sdb_table_writer *w)
{
    struct sdb_buf *b = &w->raw;
    int rc = sdb_buf_check(&w->hashes, &w->err);
    if (rc != 0)
        return rc;
    sdb_buf_clear(b);
    sdb_buf_zeros(b, SDB_STORED_HEADER);
    /* Appended as u64, and the memory of a buffer is aligned for them. */
    sdb_filter_build(b, (const uint64_t *)(const void *)w->hashes.data,
                     w->hashes.size / sizeof(uint64_t), (double)w->filter_bits);
    return put_stored(w, b, b->size - SDB_STORED_HEADER, SDB_CODEC_NONE,
                      SDB_BLOCK_FILTER);
}

static int put_model(struct sdb_table_writer *w, struct sdb_learned_worth parts)
{
    struct sdb_buf *b = &w->raw;
    sdb_buf_clear(b);
    sdb_buf_zeros(b, SDB_STORED_HEADER);
    sdb_learned_encode(&w->learned, parts, b);
    return put_stored(w, b, b->size - SDB_STORED_HEADER, SDB_CODEC_NONE,
                      SDB_BLOCK_MODEL);
}

static void put_number(struct sdb_buf *b, enum sdb_table_property tag, uint64_t v)
{
    sdb_put_varint(b, tag);
    sdb_put_varint(b, sdb_varint_size(v));
    sdb_put_varint(b, v);
}

/* Records and ranges together. */
struct bounds {
    seerdb_slice smallest, largest; /* borrowed from the writer */
    uint64_t min_number, max_number;
    bool open_end;
};

static struct bounds find_bounds(const struct sdb_table_writer *w)
{
    struct bounds b = {sdb_buf_slice(&w->smallest), sdb_buf_slice(&w->last_key),
                       w->min_number, w->max_number, false};
    for (size_t i = 0; i < sdb_ranges_count(w->ranges); i++) {
        const struct sdb_range *r = sdb_ranges_at(w->ranges, i);
        if (sdb_slice_cmp(r->start, b.smallest) < 0)
            b.smallest = r->start;
        if (sdb_slice_cmp(r->end, b.largest) > 0) {
            b.largest = r->end;
            b.open_end = true;
        }
        b.min_number = r->number < b.min_number ? r->number : b.min_number;
        b.max_number = r->number > b.max_number ? r->number : b.max_number;
    }
    return b;
}

static int put_ranges(struct sdb_table_writer *w)
{
    struct sdb_buf *b = &w->raw;
    sdb_buf_clear(b);
    sdb_buf_zeros(b, SDB_STORED_HEADER);
    sdb_put_varint(b, sdb_ranges_count(w->ranges));
    for (size_t i = 0; i < sdb_ranges_count(w->ranges); i++) {
        const struct sdb_range *r = sdb_ranges_at(w->ranges, i);
        sdb_put_varint(b, r->number);
        sdb_put_slice(b, r->start);
        sdb_put_slice(b, r->end);
    }
    return put_stored(w, b, b->size - SDB_STORED_HEADER, SDB_CODEC_NONE,
                      SDB_BLOCK_RANGES);
}

static int put_properties(struct sdb_table_writer *w)
{
    struct sdb_buf *b = &w->raw;
    struct bounds bounds = find_bounds(w);
    sdb_buf_clear(b);
    sdb_buf_zeros(b, SDB_STORED_HEADER);
    put_number(b, SDB_PROP_RECORDS, w->records);
    put_number(b, SDB_PROP_TOMBSTONES, w->tombstones);
    put_number(b, SDB_PROP_BLOCKS, w->blocks);
    put_number(b, SDB_PROP_KEY_BYTES, w->key_bytes);
    put_number(b, SDB_PROP_VALUE_BYTES, w->value_bytes);
    put_number(b, SDB_PROP_MIN_NUMBER, bounds.min_number);
    put_number(b, SDB_PROP_MAX_NUMBER, bounds.max_number);
    sdb_put_varint(b, SDB_PROP_SMALLEST);
    sdb_put_slice(b, bounds.smallest);
    sdb_put_varint(b, SDB_PROP_LARGEST);
    sdb_put_slice(b, bounds.largest);
    if (w->vlogs.n > 0) {
        struct sdb_buf refs = {0};
        sdb_vlog_refs_put(w->vlogs.all, w->vlogs.n, &refs);
        sdb_put_varint(b, SDB_PROP_VLOG_REFS);
        sdb_put_slice(b, sdb_buf_slice(&refs));
        b->failed = b->failed || refs.failed;
        sdb_buf_fini(&refs);
    }
    sdb_put_varint(b, SDB_PROP_FEATURES);
    sdb_put_varint(b, 8);
    sdb_put_u64(b, 0);
    if (sdb_ranges_count(w->ranges) > 0) {
        put_number(b, SDB_PROP_RANGES, sdb_ranges_count(w->ranges));
        put_number(b, SDB_PROP_OPEN_END, bounds.open_end);
    }
    return put_stored(w, b, b->size - SDB_STORED_HEADER, SDB_CODEC_NONE,
                      SDB_BLOCK_PROPERTIES);
}

static int put_header(struct sdb_table_writer *w)
{
    uint8_t p[SDB_TABLE_HEADER] = {0};
    memcpy(p, SDB_TABLE_MAGIC, 8);
    sdb_store_u32(p + 8, SDB_TABLE_VERSION);
    memcpy(p + 16, w->id.bytes, sizeof w->id.bytes);
    sdb_store_u64(p + 56, sdb_hash64(p, 56, 0));
    return put_out(w, (seerdb_slice){p, sizeof p});
}

/* The parts behind the data, each with its length. */
static int put_parts(struct sdb_table_writer *w, uint32_t lengths[SDB_PARTS])
{
    struct sdb_learned_worth worth = {0};
    int rc;
    if (w->index == SEERDB_INDEX_LEARNED)
        worth = sdb_learned_finish(&w->learned, w->blocks);
    worth.segments &= !is_s2(w);
    if ((rc = put_index(w)) != 0)
        return rc;
    lengths[SDB_PART_INDEX] = (uint32_t)w->raw.size;
    if (w->filter_bits > 0 && !worth.runs) {
        if ((rc = put_filter(w)) != 0)
            return rc;
        lengths[SDB_PART_FILTER] = (uint32_t)w->raw.size;
    }
    if (worth.segments || worth.runs) {
        if ((rc = put_model(w, worth)) != 0)
            return rc;
        lengths[SDB_PART_MODEL] = (uint32_t)w->raw.size;
    }
    if ((rc = put_properties(w)) != 0)
        return rc;
    lengths[SDB_PART_PROPERTIES] = (uint32_t)w->raw.size;
    if (sdb_ranges_count(w->ranges) > 0) {
        if ((rc = put_ranges(w)) != 0)
            return rc;
        lengths[SDB_PART_RANGES] = (uint32_t)w->raw.size;
    }
    return 0;
}

/* The last data block, what follows it, the footer. */
static int put_rest(struct sdb_table_writer *w)
{
    uint8_t p[SDB_TABLE_FOOTER] = {0};
    uint32_t lengths[SDB_PARTS] = {0};
    int rc = sdb_buf_check(&w->smallest, &w->err);
    if (rc != 0 || (w->block.n > 0 && (rc = put_data_block(w)) != 0))
        return rc;
    sdb_store_u64(p, sdb_table_writer_size(w));
    if ((rc = put_parts(w, lengths)) != 0)
        return rc;
    for (size_t i = 0; i < SDB_PARTS; i++)
        sdb_store_u32(p + sdb_footer_length((enum sdb_table_part)i), lengths[i]);
    memcpy(p + 24, w->id.bytes, sizeof w->id.bytes);
    sdb_store_u32(p + 40, SDB_TABLE_VERSION);
    sdb_store_u64(p + 48, sdb_hash64(p, 48, 0));
    memcpy(p + 56, SDB_TABLE_MAGIC, 8);
    if ((rc = put_out(w, (seerdb_slice){p, sizeof p})) != 0)
        return rc;
    if ((rc = flush_out(w)) != 0 || (rc = SDB_FAIL_AT(table_sync, &w->err)) != 0)
        return rc;
    return sdb_file_sync(w->file, &w->err);
}

int sdb_table_writer_new(struct sdb_file *f, const struct sdb_table_writer_options *o,
                         struct sdb_table_writer **out, seerdb_err *err)
{
    struct sdb_table_writer *w = sdb_mem_zalloc(sizeof *w);
    int rc;
    if (w == NULL)
        return sdb_fail_nomem(err, sizeof *w);
    w->file = f;
    w->compression = o->compression;
    w->block_size = o->block_size == 0          ? DEFAULT_BLOCK
                    : o->block_size > MAX_BLOCK ? MAX_BLOCK
                                                : o->block_size;
    w->id = o->id;
    w->index = o->index;
    w->told = o->told;
    w->expiry = o->expiry;
    w->expiry_ctx = o->expiry_ctx;
    w->expired_by = o->expired_by;
    w->expiry_lasts = o->expiry_lasts;
    w->ctx = o->ctx;
    w->filter_bits =
        o->filter_bits < SDB_FILTER_BITS_MAX ? o->filter_bits : SDB_FILTER_BITS_MAX;
    sdb_coder_init(&w->coder, o->smallest, o->largest);
    if (sdb_uuid_is_zero(&w->id) && (rc = sdb_uuid_new(&w->id, err)) != 0)
        goto out;
    w->seed = sdb_hash64(w->id.bytes, sizeof w->id.bytes, 0);
    if (o->compression != 0 && (rc = sdb_codec_new(&w->codec, err)) != 0)
        goto out;
    if (!sdb_buf_reserve(&w->out, OUT_SIZE)) {
        rc = sdb_buf_check(&w->out, err);
        goto out;
    }
    if ((rc = put_header(w)) != 0) {
        sdb_fail_as(err, &w->err);
        goto out;
    }
    *out = w;
    return 0;
out:
    sdb_table_writer_free(w);
    return rc;
}

void sdb_table_writer_add(struct sdb_table_writer *w, const struct sdb_record *r)
{
    bool older = false;
    assert(!w->finished);
    if (w->err.code != 0 || check_record(w, r, &older) != 0)
        return;
    /* A record that fills a block does not drag others along when it is read. */
    if (w->block.n > 0 && r->key.size + r->value.size >= w->block_size &&
        put_data_block(w) != 0)
        return;
    if (w->block.n == 0)
        begin_block(w, r);
    sdb_block_add(&w->block, &w->coder, r, older);
    note_record(w, r, older);
    count_record(w, r);
    if (r->kind == SDB_KIND_SEGMENTS &&
        sdb_vlog_refs_count(&w->vlogs, r->value, &w->err) != 0)
        return;
    if (w->expiry != NULL)
        note_expiry(w, r);
    if (sdb_buf_check(&w->last_key, &w->err) != 0 ||
        sdb_buf_check(&w->block.heap, &w->err) != 0)
        return;
    if (w->block.n == SDB_BLOCK_SLOTS ||
        sdb_block_builder_size(&w->block) >= w->block_size)
        (void)put_data_block(w); /* a failure is in w->err */
}

void sdb_table_writer_range(struct sdb_table_writer *w, const struct sdb_range *r)
{
    assert(!w->finished);
    if (w->err.code != 0 || sdb_range_is_empty(r))
        return;
    if (r->start.size > SEERDB_KEY_MAX || r->end.size > SEERDB_KEY_MAX) {
        sdb_fail(&w->err, SEERDB_TOOBIG, "%s: a range from %zu bytes to %zu",
                 w->file->path, r->start.size, r->end.size);
        return;
    }
    if (r->number > SDB_NUMBER_MAX) {
        sdb_fail(&w->err, SEERDB_MISUSE, "%s: %" PRIu64 " is not a range's number",
                 w->file->path, r->number);
        return;
    }
    sdb_put_varint(&w->range_bytes, r->number);
    sdb_put_slice(&w->range_bytes, r->start);
    sdb_put_slice(&w->range_bytes, r->end);
    (void)!sdb_buf_check(&w->range_bytes, &w->err); /* a failure is in w->err */
}

/* Make the set of the ranges that came. */
static int gather_ranges(struct sdb_table_writer *w)
{
    struct sdb_reader r = sdb_reader_init(sdb_buf_slice(&w->range_bytes));
    size_t n = 0, room = 0;
    int rc = 0;
    struct sdb_range *all = NULL;
    while (sdb_reader_left(&r) > 0) {
        if (n == room) {
            struct sdb_range *more =
                sdb_array_grow(all, room = 2 * room + 8, sizeof *all);
            if (more == NULL) {
                rc = sdb_fail_nomem(&w->err, room * sizeof *all);
                goto out;
            }
            all = more;
        }
        all[n].number = sdb_get_varint(&r);
        all[n].start = sdb_get_slice(&r);
        all[n++].end = sdb_get_slice(&r);
    }
    assert(!r.failed);
    if (n > 0)
        rc = sdb_ranges_new(all, n, &w->ranges, &w->err);
out:
    sdb_mem_free(all);
    return rc;
}

int sdb_table_writer_finish(struct sdb_table_writer *w, struct sdb_table_summary *out,
                            seerdb_err *err)
{
    assert(!w->finished);
    if (w->err.code == 0 && gather_ranges(w) == 0 && w->records == 0 &&
        sdb_ranges_count(w->ranges) > 0) {
        const struct sdb_range *first = sdb_ranges_at(w->ranges, 0);
        sdb_table_writer_add(w, &(struct sdb_record){.key = first->start,
                                                     .number = first->number,
                                                     .kind = SDB_KIND_TOMBSTONE});
    }
    w->finished = true;
    if (w->err.code == 0 && w->records == 0)
        sdb_fail(&w->err, SEERDB_MISUSE, "%s: a table of no records", w->file->path);
    if (w->err.code != 0 || put_rest(w) != 0)
        return sdb_fail_as(err, &w->err);
    struct bounds bounds = find_bounds(w);
    *out = (struct sdb_table_summary){
        .id = w->id,
        .file_size = sdb_table_writer_size(w),
        .records = w->records,
        .tombstones = w->tombstones,
        .blocks = w->blocks,
        .key_bytes = w->key_bytes,
        .value_bytes = w->value_bytes,
        .ranges = sdb_ranges_count(w->ranges),
        .min_number = bounds.min_number,
        .max_number = bounds.max_number,
        .smallest = bounds.smallest,
        .largest = bounds.largest,
        .open_end = bounds.open_end,
        .first_expiry = w->expiries.first,
        .expiry_due = sdb_expiries_due(&w->expiries, w->records),
        .last_expiry = w->expiry_lasts ? w->last_expiry : 0,
        .vlogs = w->vlogs.all,
        .nvlogs = w->vlogs.n,
    };
    return 0;
}

void sdb_table_writer_free(struct sdb_table_writer *w)
{
    if (w == NULL)
        return;
    sdb_block_builder_fini(&w->block);
    sdb_buf_fini(&w->raw);
    sdb_buf_fini(&w->packed);
    sdb_buf_fini(&w->bare);
    sdb_buf_fini(&w->out);
    sdb_buf_fini(&w->fences);
    sdb_buf_fini(&w->offsets);
    sdb_buf_fini(&w->sizes);
    sdb_buf_fini(&w->separators);
    sdb_buf_fini(&w->hashes);
    sdb_learned_builder_fini(&w->learned);
    sdb_buf_fini(&w->range_bytes);
    sdb_ranges_unref(w->ranges);
    sdb_buf_fini(&w->smallest);
    sdb_buf_fini(&w->last_key);
    sdb_vlog_refs_fini(&w->vlogs);
    sdb_codec_free(w->codec);
    sdb_mem_free(w);
}
