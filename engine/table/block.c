/* SPDX-License-Identifier: Apache-2.0
 *
 * Columns because a lookup then reads the code column, which is dense and has no
 * branches, and one record.  The count of smaller codes beats a binary search: its
 * loads are independent, and it becomes a handful of vector compares where the
 * processor has them.
 *
 * Codes of one block lie close together, so that 32 bits tell them apart as well as 64
 * do, nearly always: where they do not, the whole codes are stored. */
#include "table/block.h"

#include "table/vec.h"

#include <assert.h>

#define HEADER 32

_Static_assert(SDB_BLOCK_SLOTS == 64, "on disk");
_Static_assert(SDB_KIND_MAX <= SDB_META_KIND, "kinds fit into the meta byte");
_Static_assert(SDB_KIND_VALUE == 1 && SDB_KIND_TOMBSTONE == 2 && SDB_KIND_SEGMENTS == 5,
               "on disk");

/* Sizes of the columns of a block; the order is that of the file. */
struct layout {
    size_t codes, numbers, starts, key_sizes, metas, heap, end;
};

static struct layout lay_out(unsigned n, const struct sdb_block *b)
{
    struct layout l = {.codes = HEADER};
    l.numbers = l.codes + (size_t)n * b->code_width;
    l.starts = l.numbers + (size_t)n * b->number_width;
    l.key_sizes = l.starts + (size_t)(n + 1) * b->start_width;
    l.metas = l.key_sizes + (size_t)n * b->key_width;
    l.heap = l.metas + (size_t)n * b->meta_width;
    l.end = l.heap + b->heap_size;
    return l;
}

/* The narrowest column that holds 0..span. */
static uint8_t width_for(uint64_t span)
{
    if (span == 0)
        return 0;
    return span <= UINT8_MAX ? 1 : span <= UINT16_MAX ? 2 : span <= UINT32_MAX ? 4 : 8;
}

/* What the header of the block under construction says now, of the codes only how wide
 * they are at most. */
static struct sdb_block describe(const struct sdb_block_builder *b)
{
    return (struct sdb_block){
        .n = b->n,
        .code_width = b->codes[0] == b->codes[b->n - 1] ? 0 : 8,
        .code_base = 0,
        .number_width = width_for(b->max_number - b->min_number),
        .number_base = b->min_number,
        .start_width = !b->sizes_differ             ? 0
                       : b->heap.size <= UINT16_MAX ? 2
                                                    : 4,
        .key_width = width_for(b->max_key_size - b->min_key_size),
        .key_base = b->min_key_size,
        .meta_width = b->metas_differ,
        .meta_base = b->metas_differ ? 0 : b->metas[0],
        .heap_size = (uint32_t)b->heap.size,
    };
}

/* Store the codes in four bytes each if that keeps apart what they keep apart. */
static void narrow_codes(const struct sdb_block_builder *b, struct sdb_block *d)
{
    uint64_t base = b->codes[0], span = b->codes[b->n - 1] - base;
    if (span == 0)
        return;
    int bits = 64 - __builtin_clzll(span);
    uint8_t shift = (uint8_t)(bits > 32 ? bits - 32 : 0);
    for (unsigned i = 1; i < b->n; i++)
        if (b->codes[i] != b->codes[i - 1] &&
            (b->codes[i] - base) >> shift == (b->codes[i - 1] - base) >> shift)
            return;
    d->code_width = 4;
    d->code_base = base;
    d->code_shift = shift;
}

static void put_column(uint8_t *p, uint8_t width, unsigned i, uint64_t v)
{
    switch (width) {
    case 1:
        p[i] = (uint8_t)v;
        break;
    case 2:
        sdb_store_u16(p + 2 * (size_t)i, (uint16_t)v);
        break;
    case 4:
        sdb_store_u32(p + 4 * (size_t)i, (uint32_t)v);
        break;
    case 8:
        sdb_store_u64(p + 8 * (size_t)i, v);
        break;
    default:
        break;
    }
}

void sdb_block_builder_fini(struct sdb_block_builder *b)
{
    sdb_buf_fini(&b->heap);
    b->n = 0;
}

void sdb_block_add(struct sdb_block_builder *b, const struct sdb_coder *coder,
                   const struct sdb_record *r, bool older)
{
    unsigned i = b->n;
    uint32_t key_size = (uint32_t)r->key.size;
    assert(i < SDB_BLOCK_SLOTS);
    assert(b->heap.size + r->key.size + r->value.size <= UINT32_MAX);
    b->codes[i] = sdb_code(coder, r->key);
    assert(i == 0 || b->codes[i - 1] <= b->codes[i]);
    b->numbers[i] = r->number;
    b->starts[i] = (uint32_t)b->heap.size;
    b->key_sizes[i] = key_size;
    b->metas[i] = (uint8_t)((unsigned)r->kind | (older ? SDB_META_OLDER : 0u));
    if (i == 0) {
        b->min_number = b->max_number = r->number;
        b->min_key_size = b->max_key_size = key_size;
        b->record_size = r->key.size + r->value.size;
        b->metas_differ = b->sizes_differ = false;
    }
    b->min_number = r->number < b->min_number ? r->number : b->min_number;
    b->max_number = r->number > b->max_number ? r->number : b->max_number;
    b->min_key_size = key_size < b->min_key_size ? key_size : b->min_key_size;
    b->max_key_size = key_size > b->max_key_size ? key_size : b->max_key_size;
    b->metas_differ |= b->metas[i] != b->metas[0];
    b->sizes_differ |= b->record_size != r->key.size + r->value.size;
    sdb_buf_append_slice(&b->heap, r->key);
    sdb_buf_append_slice(&b->heap, r->value);
    b->n++;
}

size_t sdb_block_builder_size(const struct sdb_block_builder *b)
{
    if (b->n == 0)
        return 0;
    struct sdb_block d = describe(b);
    return lay_out(b->n, &d).end;
}

int sdb_block_finish(struct sdb_block_builder *b, struct sdb_buf *out, seerdb_err *err)
{
    int rc;
    assert(b->n > 0);
    struct sdb_block d = describe(b);
    narrow_codes(b, &d);
    struct layout l = lay_out(b->n, &d);
    b->starts[b->n] = d.heap_size;
    if ((rc = sdb_buf_check(&b->heap, err)) != 0)
        goto out;
    if (!sdb_buf_reserve(out, l.end)) {
        rc = sdb_buf_check(out, err);
        goto out;
    }
    uint8_t *p = out->data + out->size;
    memset(p, 0, HEADER);
    p[0] = (uint8_t)d.n;
    p[1] = d.code_shift;
    p[2] = d.code_width;
    p[3] = d.number_width;
    p[4] = d.start_width;
    p[5] = d.key_width;
    p[6] = d.meta_width;
    p[7] = d.meta_base;
    sdb_store_u32(p + 8, d.key_base);
    sdb_store_u32(p + 12, d.heap_size);
    sdb_store_u64(p + 16, d.number_base);
    sdb_store_u64(p + 24, d.code_base);
    for (unsigned i = 0; i < d.n; i++) {
        put_column(p + l.codes, d.code_width, i,
                   sdb_block_stored_code(&d, b->codes[i]));
        put_column(p + l.numbers, d.number_width, i, b->numbers[i] - d.number_base);
        put_column(p + l.starts, d.start_width, i, b->starts[i]);
        put_column(p + l.key_sizes, d.key_width, i, b->key_sizes[i] - d.key_base);
        put_column(p + l.metas, d.meta_width, i, b->metas[i]);
    }
    put_column(p + l.starts, d.start_width, d.n, d.heap_size);
    if (d.heap_size > 0)
        memcpy(p + l.heap, b->heap.data, d.heap_size);
    out->size += l.end;
out:
    b->n = 0;
    sdb_buf_clear(&b->heap);
    return rc;
}

/* The header's fields; false when one of them has a value it cannot have. */
static bool parse_header(const uint8_t *p, struct sdb_block *b)
{
    *b = (struct sdb_block){
        .n = p[0],
        .code_shift = p[1],
        .code_width = p[2],
        .number_width = p[3],
        .start_width = p[4],
        .key_width = p[5],
        .meta_width = p[6],
        .meta_base = p[7],
        .key_base = sdb_load_u32(p + 8),
        .heap_size = sdb_load_u32(p + 12),
        .record_size = p[0] == 0 ? 0 : sdb_load_u32(p + 12) / p[0],
        .number_base = sdb_load_u64(p + 16),
        .code_base = sdb_load_u64(p + 24),
    };
    bool narrow = b->code_width == 4;
    uint8_t nw = b->number_width, kw = b->key_width;
    return b->n >= 1 && b->n <= SDB_BLOCK_SLOTS &&
           (b->code_width == 0 || narrow || b->code_width == 8) &&
           (narrow ? b->code_shift <= 32 : b->code_shift == 0 && b->code_base == 0) &&
           (nw <= 2 || nw == 4 || nw == 8) &&
           (b->start_width == 2 || b->start_width == 4 ||
            (b->start_width == 0 && b->record_size * b->n == b->heap_size)) &&
           (kw <= 2 || kw == 4) && b->meta_width <= 1 &&
           (b->meta_width == 0 || b->meta_base == 0);
}

/* Whether record i is inside its limits and its code not below the one before. */
static bool record_is_sound(const struct sdb_block *b, unsigned i)
{
    uint64_t number = sdb_block_column(b->numbers, b->number_width, i);
    uint64_t key = b->key_base + sdb_block_column(b->key_sizes, b->key_width, i);
    uint32_t start = sdb_block_start(b, i), end = sdb_block_start(b, i + 1);
    uint8_t meta = sdb_block_meta(b, i), kind = meta & SDB_META_KIND;
    if (b->number_base > SDB_NUMBER_MAX || number > SDB_NUMBER_MAX - b->number_base)
        return false;
    if (start > end || end > b->heap_size || key > end - start ||
        key > SEERDB_KEY_MAX || end - start - key > SEERDB_VALUE_MAX)
        return false;
    if (kind < SDB_KIND_VALUE || kind > SDB_KIND_MAX ||
        (meta & ~(SDB_META_KIND | SDB_META_OLDER)) != 0)
        return false;
    if (i > 0 && sdb_block_column(b->codes, b->code_width, i - 1) >
                     sdb_block_column(b->codes, b->code_width, i))
        return false;
    return kind != SDB_KIND_TOMBSTONE || key == end - start;
}

int sdb_block_parse(seerdb_slice bytes, const char *where, struct sdb_block *out,
                    seerdb_err *err)
{
    const uint8_t *p = bytes.data;
    struct sdb_block b;
    if (bytes.size < HEADER)
        return sdb_fail(err, SEERDB_CORRUPT, "%s: a block of %zu bytes", where,
                        bytes.size);
    if (!parse_header(p, &b))
        return sdb_fail(err, SEERDB_CORRUPT, "%s: malformed block header", where);
    struct layout l = lay_out(b.n, &b);
    if (l.end != bytes.size)
        return sdb_fail(err, SEERDB_CORRUPT, "%s: block of %zu bytes, expected %zu",
                        where, bytes.size, l.end);
    b.codes = p + l.codes;
    b.numbers = p + l.numbers;
    b.starts = p + l.starts;
    b.key_sizes = p + l.key_sizes;
    b.metas = p + l.metas;
    b.heap = p + l.heap;
    if (sdb_block_start(&b, 0) != 0 || sdb_block_start(&b, b.n) != b.heap_size)
        return sdb_fail(
            err, SEERDB_CORRUPT,
            "%s: records from %" PRIu32 " to %" PRIu32 ", expected 0 to %" PRIu32,
            where, sdb_block_start(&b, 0), sdb_block_start(&b, b.n), b.heap_size);
    for (unsigned i = 0; i < b.n; i++)
        if (!record_is_sound(&b, i))
            return sdb_fail(err, SEERDB_CORRUPT, "%s: malformed record %u of %u", where,
                            i, b.n);
    *out = b;
    return 0;
}

/* ---- packing ---------------------------------------------------------------- */

void sdb_block_strip(seerdb_slice block, struct sdb_buf *out)
{
    const uint8_t *p = block.data;
    size_t codes = (size_t)p[0] * p[2];
    assert(block.size >= HEADER + codes);
    sdb_buf_append(out, p, HEADER);
    sdb_buf_append(out, p + HEADER + codes, block.size - HEADER - codes);
}

bool sdb_block_lacks(seerdb_slice stripped, size_t *codes)
{
    struct sdb_block b;
    if (stripped.size < HEADER || !parse_header(stripped.data, &b))
        return false;
    *codes = (size_t)b.n * b.code_width;
    return true;
}

uint8_t *sdb_block_widen(uint8_t *stripped, size_t codes)
{
    uint8_t *p = stripped - codes;
    memmove(p, stripped, HEADER);
    memset(p + HEADER, 0, codes);
    return p;
}

bool sdb_block_restore(const struct sdb_block *b, uint8_t *bytes,
                       const struct sdb_coder *coder)
{
    uint64_t before = 0;
    for (unsigned i = 0; b->code_width != 0 && i < b->n; i++) {
        uint64_t code = sdb_code(coder, sdb_block_key(b, i));
        uint64_t stored = sdb_block_stored_code(b, code);
        if (code < b->code_base || stored < before ||
            (b->code_width == 4 && stored > UINT32_MAX))
            return false;
        put_column(bytes + HEADER, b->code_width, i, stored);
        before = stored;
    }
    return true;
}

/* The first slot in [lo, hi) whose key is >= key, hi if none. */
static unsigned search_keys(const struct sdb_block *b, unsigned lo, unsigned hi,
                            seerdb_slice key)
{
    while (lo < hi) {
        unsigned mid = lo + (hi - lo) / 2;
        if (sdb_slice_cmp(sdb_block_key(b, mid), key) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

unsigned sdb_block_lower_bound(const struct sdb_block *b, uint64_t code,
                               seerdb_slice key)
{
    uint64_t stored = (code - b->code_base) >> b->code_shift;
    unsigned below, upto;
    if (b->code_width == 0)
        return search_keys(b, 0, b->n, key);
    if (code < b->code_base)
        return 0;
    if (b->code_width == 8)
        below = (unsigned)sdb_vec->count_below(b->codes, b->n, code);
    else if (stored <= UINT32_MAX)
        below = (unsigned)sdb_vec->count_below32(b->codes, b->n, (uint32_t)stored);
    else
        return b->n;
    if (below == b->n || sdb_block_column(b->codes, b->code_width, below) != stored ||
        sdb_slice_cmp(sdb_block_key(b, below), key) >= 0)
        return below;
    for (upto = below + 1; upto < b->n; upto++)
        if (sdb_block_column(b->codes, b->code_width, upto) != stored)
            break;
    return search_keys(b, below + 1, upto, key);
}
