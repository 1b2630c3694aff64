/* SPDX-License-Identifier: Apache-2.0 */
#include "table/table_index.h"

#include "table/block.h"

int sdb_table_index_stored(const struct sdb_table_index *x, uint64_t off,
                           const uint8_t *p, uint32_t size, enum sdb_block_type type,
                           struct sdb_stored *out, seerdb_err *err)
{
    const char *path = x->path;
    uint64_t got = sdb_stored_check(p, size, x->seed, off), want = sdb_load_u64(p);
    if (got != want)
        return sdb_fail(err, SEERDB_CORRUPT,
                        "%s: block at %" PRIu64 ": checksum %016" PRIx64
                        ", expected %016" PRIx64,
                        path, off, got, want);
    *out = (struct sdb_stored){sdb_load_u32(p + 8), sdb_load_u32(p + 12),
                               p[SDB_STORED_CODEC], p[17]};
    if (out->stored_size != size - SDB_STORED_HEADER)
        return sdb_fail(err, SEERDB_CORRUPT,
                        "%s: block at %" PRIu64 ": %" PRIu32
                        " bytes, expected %" PRIu32,
                        path, off, out->stored_size, size - SDB_STORED_HEADER);
    if (out->type != type || out->codec > SDB_CODEC_ZSTD ||
        (out->codec != SDB_CODEC_NONE && type != SDB_BLOCK_DATA) ||
        (out->codec == SDB_CODEC_NONE && out->raw_size != out->stored_size))
        return sdb_fail(err, SEERDB_CORRUPT,
                        "%s: block at %" PRIu64 ": type %u, codec %u and %" PRIu32
                        " bytes of %" PRIu32 " where type %d was expected",
                        path, off, out->type, out->codec, out->stored_size,
                        out->raw_size, (int)type);
    for (size_t i = 18; i < SDB_STORED_HEADER; i++)
        if (p[i] != 0)
            return sdb_fail(err, SEERDB_CORRUPT,
                            "%s: block at %" PRIu64 ": reserved byte %zu is %u", path,
                            off, i, p[i]);
    return 0;
}

static int check_version(const struct sdb_table_index *x, const char *what,
                         uint32_t version, seerdb_err *err)
{
    if (version == SDB_TABLE_VERSION)
        return 0;
    return sdb_fail(err, SEERDB_NEWER,
                    "%s: %s of format version %" PRIu32 ", this library knows %u",
                    x->path, what, version, SDB_TABLE_VERSION);
}

static int check_header(const struct sdb_table_index *x, const uint8_t *p,
                        seerdb_err *err)
{
    const char *path = x->path;
    int rc;
    if (memcmp(p, SDB_TABLE_MAGIC, 8) != 0)
        return sdb_fail(err, SEERDB_CORRUPT, "%s: not a table: no magic at 0", path);
    if (sdb_load_u64(p + 56) != sdb_hash64(p, 56, 0))
        return sdb_fail(err, SEERDB_CORRUPT, "%s: header at 0: wrong checksum", path);
    if ((rc = check_version(x, "header", sdb_load_u32(p + 8), err)) != 0)
        return rc;
    if (memcmp(p + 16, x->id.bytes, sizeof x->id.bytes) != 0)
        return sdb_fail(err, SEERDB_CORRUPT, "%s: header at 0 is of another table",
                        path);
    if (sdb_load_u32(p + 12) != 0 || sdb_load_u64(p + 32) != 0 ||
        sdb_load_u64(p + 40) != 0 || sdb_load_u64(p + 48) != 0)
        return sdb_fail(err, SEERDB_CORRUPT, "%s: header at 0: reserved bytes in use",
                        path);
    return 0;
}

/* Note where the parts are. */
static int check_footer(struct sdb_table_index *x, const uint8_t *p, seerdb_err *err)
{
    const char *path = x->path;
    uint64_t off = x->size - SDB_TABLE_FOOTER;
    int rc;
    if (memcmp(p + 56, SDB_TABLE_MAGIC, 8) != 0)
        return sdb_fail(err, SEERDB_CORRUPT, "%s: footer at %" PRIu64 ": no magic",
                        path, off);
    if (sdb_load_u64(p + 48) != sdb_hash64(p, 48, 0))
        return sdb_fail(err, SEERDB_CORRUPT,
                        "%s: footer at %" PRIu64 ": wrong checksum", path, off);
    if ((rc = check_version(x, "footer", sdb_load_u32(p + 40), err)) != 0)
        return rc;
    if (memcmp(p + 24, x->id.bytes, sizeof x->id.bytes) != 0)
        return sdb_fail(err, SEERDB_CORRUPT,
                        "%s: footer at %" PRIu64 " is of another table", path, off);
    uint64_t at = x->meta_off = sdb_load_u64(p), size = 0;
    bool sound = at >= SDB_TABLE_HEADER && at < off && at % SDB_TABLE_ALIGN == 0;
    for (size_t i = 0; i < SDB_PARTS; i++) {
        uint32_t part = sdb_load_u32(p + sdb_footer_length((enum sdb_table_part)i));
        bool optional = i != SDB_PART_INDEX && i != SDB_PART_PROPERTIES;
        sound &= part > SDB_STORED_HEADER || (optional && part == 0);
        x->parts[i].off = (size_t)size;
        x->parts[i].size = part;
        size += sdb_table_align(part);
    }
    if (!sound || size != off - at)
        return sdb_fail(err, SEERDB_CORRUPT,
                        "%s: footer at %" PRIu64
                        ": index, filter, model, properties and ranges "
                        "at %" PRIu64 " have %" PRIu64 " bytes",
                        path, off, at, size);
    x->meta_size = (size_t)size;
    return 0;
}

static int fail_index(const struct sdb_table_index *x, const char *what, uint64_t i,
                      seerdb_err *err)
{
    return sdb_fail(err, SEERDB_CORRUPT,
                    "%s: index at %" PRIu64 ": %s %" PRIu64 " is malformed", x->path,
                    x->meta_off, what, i);
}

static int parse_separators(struct sdb_table_index *x, struct sdb_reader *r,
                            seerdb_err *err)
{
    x->separators = sdb_array_new(x->n, sizeof *x->separators);
    if (x->separators == NULL)
        return sdb_fail_nomem(err, x->n * sizeof *x->separators);
    for (uint32_t i = 0; i < x->n; i++) {
        seerdb_slice s = x->separators[i] = sdb_get_slice(r);
        if (r->failed || (i == 0 && s.size > 0) || s.size > SEERDB_KEY_MAX ||
            (i > 1 && sdb_slice_cmp(x->separators[i - 1], s) > 0))
            return fail_index(x, "separator", i, err);
    }
    return 0;
}

static int parse_index(struct sdb_table_index *x, seerdb_slice bytes, seerdb_err *err)
{
    struct sdb_reader r = sdb_reader_init(bytes);
    uint64_t at = SDB_TABLE_HEADER;
    int rc = 0;
    x->n = sdb_get_u32(&r);
    uint8_t scheme = sdb_get_u8(&r), prefix = sdb_get_u8(&r);
    uint16_t reserved = sdb_get_u16(&r);
    if (x->n == 0 || (uint64_t)x->n * SDB_INDEX_PER_BLOCK > sdb_reader_left(&r) ||
        (scheme != SDB_SCHEME_S0 && scheme != SDB_SCHEME_S2) || reserved != 0)
        return fail_index(x, "header of block count", x->n, err);
    x->props.scheme = (enum sdb_scheme)scheme;
    x->fences = sdb_get_bytes(&r, (size_t)x->n * 8).data;
    x->offsets = sdb_get_bytes(&r, (size_t)x->n * 4).data;
    x->sizes = sdb_get_bytes(&r, (size_t)x->n * 4).data;
    seerdb_slice p = sdb_get_bytes(&r, prefix);
    if (r.failed)
        return fail_index(x, "prefix of size", prefix, err);
    sdb_coder_set(&x->coder, p);
    for (uint32_t i = 0; i < x->n; i++) {
        if (sdb_table_index_off(x, i) != at ||
            sdb_table_index_size(x, i) <= SDB_STORED_HEADER ||
            sdb_table_index_size(x, i) > x->meta_off - at)
            return fail_index(x, "place of block", i, err);
        if (i > 0 && sdb_table_index_fence(x, i - 1) > sdb_table_index_fence(x, i))
            return fail_index(x, "fence", i, err);
        at = sdb_table_align(at + sdb_table_index_size(x, i));
    }
    if (at != x->meta_off)
        return fail_index(x, "end of the blocks", at, err);
    if (scheme == SDB_SCHEME_S2 && (rc = parse_separators(x, &r, err)) != 0)
        return rc;
    return sdb_reader_done(&r) ? 0 : fail_index(x, "end", bytes.size, err);
}

static bool get_flag(struct sdb_reader *body)
{
    uint64_t v = sdb_get_varint(body);
    body->failed = body->failed || v > 1;
    return v == 1;
}

/* The number, or key, that is the body of property `tag`. */
static void parse_property(struct sdb_table_properties *p, uint64_t tag,
                           struct sdb_reader *body, uint64_t *features)
{
    uint64_t *const numbers[] = {NULL,           &p->records,   &p->tombstones,
                                 &p->blocks,     &p->key_bytes, &p->value_bytes,
                                 &p->min_number, &p->max_number};
    if (tag >= SDB_PROP_RECORDS && tag <= SDB_PROP_MAX_NUMBER)
        *numbers[tag] = sdb_get_varint(body);
    else if (tag == SDB_PROP_SMALLEST)
        p->smallest = sdb_get_bytes(body, sdb_reader_left(body));
    else if (tag == SDB_PROP_LARGEST)
        p->largest = sdb_get_bytes(body, sdb_reader_left(body));
    else if (tag == SDB_PROP_FEATURES)
        *features = sdb_get_u64(body);
    else if (tag == SDB_PROP_VLOG_REFS)
        p->vlogs = sdb_get_bytes(body, sdb_reader_left(body));
    else if (tag == SDB_PROP_RANGES)
        p->ranges = sdb_get_varint(body);
    else if (tag == SDB_PROP_OPEN_END)
        p->open_end = get_flag(body);
    else
        body->p = body->end;
}

static int parse_properties(struct sdb_table_index *x, seerdb_slice bytes, uint64_t off,
                            seerdb_err *err)
{
    struct sdb_reader r = sdb_reader_init(bytes);
    struct sdb_table_properties *p = &x->props;
    uint64_t last = 0, features = 0;
    uint32_t seen = 0;
    while (sdb_reader_left(&r) > 0) {
        uint64_t tag = sdb_get_varint(&r);
        struct sdb_reader body = sdb_reader_init(sdb_get_slice(&r));
        if (r.failed || tag <= last)
            return sdb_fail(err, SEERDB_CORRUPT,
                            "%s: properties at %" PRIu64
                            ": malformed after tag %" PRIu64,
                            x->path, off, last);
        parse_property(p, tag, &body, &features);
        if (!sdb_reader_done(&body))
            return sdb_fail(err, SEERDB_CORRUPT,
                            "%s: properties at %" PRIu64
                            ": malformed body of tag %" PRIu64,
                            x->path, off, tag);
        last = tag;
        seen |= tag < 32 ? 1u << tag : 0;
    }
    if ((seen & 0x3fe) != 0x3fe) /* tags 1 to 9 */
        return sdb_fail(err, SEERDB_CORRUPT,
                        "%s: properties at %" PRIu64 ": tags %#" PRIx32
                        ", 1 to 9 are needed",
                        x->path, off, seen);
    if (features != 0)
        return sdb_fail(err, SEERDB_NEWER,
                        "%s: features %#" PRIx64 " are unknown to this library",
                        x->path, features);
    if (p->blocks != x->n || p->records < p->blocks ||
        p->records > p->blocks * SDB_BLOCK_SLOTS || p->tombstones > p->records ||
        p->min_number > p->max_number || p->max_number > SDB_NUMBER_MAX ||
        (p->ranges > 0) != (x->parts[SDB_PART_RANGES].size > 0) ||
        (p->open_end && p->ranges == 0) || p->smallest.size > SEERDB_KEY_MAX ||
        p->largest.size > SEERDB_KEY_MAX || sdb_slice_cmp(p->smallest, p->largest) > 0)
        return sdb_fail(err, SEERDB_CORRUPT,
                        "%s: properties at %" PRIu64
                        " contradict each other or the index",
                        x->path, off);
    return 0;
}

static int parse_filter(struct sdb_table_index *x, seerdb_slice bytes, uint64_t off,
                        seerdb_err *err)
{
    if (sdb_filter_parse(&x->filter, bytes) && x->filter.keys <= x->props.records)
        return 0;
    return sdb_fail(err, SEERDB_CORRUPT, "%s: filter at %" PRIu64 " is malformed",
                    x->path, off);
}

static int parse_model(struct sdb_table_index *x, seerdb_slice bytes, uint64_t off,
                       seerdb_err *err)
{
    const struct sdb_learned *l = &x->learned;
    int rc = sdb_learned_parse(&x->learned, bytes, x->n, x->props.records, err);
    if (rc < 0)
        return rc;
    bool fits = rc == 0 && (l->nsegments == 0 || x->separators == NULL) &&
                (l->nruns == 0 || (l->key_size >= x->coder.prefix_size &&
                                   l->key_size <= x->coder.prefix_size + 8u));
    if (fits)
        return 0;
    return sdb_fail(err, SEERDB_CORRUPT, "%s: model at %" PRIu64 " is malformed",
                    x->path, off);
}

/* Whether b may follow a (NULL: nothing) in a range block. */
static bool may_follow(const struct sdb_range *a, const struct sdb_range *b)
{
    int order = a == NULL ? -1 : sdb_slice_cmp(a->start, b->start);
    if (order == 0 && a->number != b->number)
        order = a->number > b->number ? -1 : 1;
    return order < 0 || (order == 0 && sdb_slice_cmp(a->end, b->end) > 0);
}

/* Whether the range is one, and the properties know of it; *open_end: so it is as far
 * as this range is concerned. */
static bool fits_properties(const struct sdb_table_properties *p,
                            const struct sdb_range *r, bool *open_end)
{
    int past = sdb_slice_cmp(r->end, p->largest);
    *open_end = *open_end || past == 0;
    return !sdb_range_is_empty(r) && r->number >= p->min_number &&
           r->number <= p->max_number && sdb_slice_cmp(r->start, p->smallest) >= 0 &&
           past <= 0;
}

static int parse_ranges(struct sdb_table_index *x, seerdb_slice bytes, uint64_t off,
                        seerdb_err *err)
{
    struct sdb_reader r = sdb_reader_init(bytes);
    const struct sdb_table_properties *p = &x->props;
    uint64_t n = sdb_get_varint(&r), i = 0;
    bool open_end = false;
    /* Each takes four bytes or more: number, two lengths, an end that is not empty. */
    if (n != p->ranges || n > sdb_reader_left(&r) / 4)
        return sdb_fail(err, SEERDB_CORRUPT,
                        "%s: ranges at %" PRIu64 ": %" PRIu64 ", expected %" PRIu64,
                        x->path, off, n, p->ranges);
    struct sdb_range *all = sdb_array_new((size_t)n, sizeof *all);
    if (all == NULL)
        return sdb_fail_nomem(err, (size_t)n * sizeof *all);
    for (; i < n; i++) {
        all[i].number = sdb_get_varint(&r);
        all[i].start = sdb_get_slice(&r);
        all[i].end = sdb_get_slice(&r);
        if (r.failed || !fits_properties(p, &all[i], &open_end) ||
            !may_follow(i == 0 ? NULL : &all[i - 1], &all[i]))
            break;
    }
    int rc = i == n && sdb_reader_done(&r) && (open_end || !p->open_end)
                 ? sdb_ranges_new(all, (size_t)n, &x->ranges, err)
                 : sdb_fail(err, SEERDB_CORRUPT,
                            "%s: ranges at %" PRIu64 ": malformed at %" PRIu64
                            " of %" PRIu64,
                            x->path, off, i, n);
    sdb_mem_free(all);
    return rc;
}

/* The properties before what is checked against them. */
static int parse_parts(struct sdb_table_index *x, seerdb_err *err)
{
    static const struct {
        enum sdb_table_part part;
        enum sdb_block_type type;
    } order[] = {{SDB_PART_INDEX, SDB_BLOCK_INDEX},
                 {SDB_PART_PROPERTIES, SDB_BLOCK_PROPERTIES},
                 {SDB_PART_FILTER, SDB_BLOCK_FILTER},
                 {SDB_PART_MODEL, SDB_BLOCK_MODEL},
                 {SDB_PART_RANGES, SDB_BLOCK_RANGES}};
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < SDB_PARTS; i++) {
        enum sdb_table_part part = order[i].part;
        const uint8_t *p = x->meta + x->parts[part].off;
        uint64_t off = x->meta_off + x->parts[part].off;
        struct sdb_stored stored = {0};
        if (x->parts[part].size == 0)
            continue;
        if ((rc = sdb_table_index_stored(x, off, p, (uint32_t)x->parts[part].size,
                                         order[i].type, &stored, err)) != 0)
            return rc;
        seerdb_slice bytes = {p + SDB_STORED_HEADER, stored.stored_size};
        rc = part == SDB_PART_INDEX        ? parse_index(x, bytes, err)
             : part == SDB_PART_PROPERTIES ? parse_properties(x, bytes, off, err)
             : part == SDB_PART_FILTER     ? parse_filter(x, bytes, off, err)
             : part == SDB_PART_MODEL      ? parse_model(x, bytes, off, err)
                                           : parse_ranges(x, bytes, off, err);
    }
    return rc != 0 ? rc : sdb_search16_init(&x->search, x->fences, x->n, err);
}

/* Fences around a prediction that are looked at before it is given up: the bound is
 * two blocks, and a code between two keys may take one more. */
#define WINDOW 8u

/* The first block whose fence is >= code, n if none. */
static uint32_t search_fences(struct sdb_table_index *x, uint64_t code)
{
    if (x->learned.nsegments > 0 && x->n >= WINDOW) {
        uint64_t last = (uint64_t)x->n * SDB_BLOCK_SLOTS - 1;
        uint32_t from =
            (uint32_t)(sdb_learned_rank(&x->learned, code, last) / SDB_BLOCK_SLOTS);
        from = from > WINDOW / 2 - 1 ? from - (WINDOW / 2 - 1) : 0;
        from = from + WINDOW > x->n ? x->n - WINDOW : from;
        uint32_t below =
            (uint32_t)sdb_vec->count_below(x->fences + 8 * (size_t)from, WINDOW, code);
        if ((below > 0 || from == 0) && (below < WINDOW || from + WINDOW == x->n))
            return from + below;
        sdb_table_count(&x->counts.corrected);
    }
    return (uint32_t)sdb_search16_first(&x->search, code);
}

bool sdb_table_index_error(const struct sdb_table_index *x, uint64_t code,
                           uint64_t *blocks)
{
    if (x->learned.nsegments == 0 || x->n < WINDOW)
        return false;
    uint64_t last = (uint64_t)x->n * SDB_BLOCK_SLOTS - 1;
    uint64_t said = sdb_learned_rank(&x->learned, code, last) / SDB_BLOCK_SLOTS;
    uint64_t is = sdb_search16_first(&x->search, code);
    if (is > 0 && (is == x->n || sdb_table_index_fence(x, (uint32_t)is) != code))
        is--; /* the block before has it */
    *blocks = said > is ? said - is : is - said;
    return true;
}

/* The first block from 1 on whose separator is >= key, or > key with `past`. */
static uint32_t search_separators(const struct sdb_table_index *x, seerdb_slice key,
                                  bool past)
{
    uint32_t lo = 1, hi = x->n;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        int order = sdb_slice_cmp(x->separators[mid], key);
        if (order < 0 || (order == 0 && past))
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

int sdb_table_index_load(struct sdb_table_index *x, struct sdb_file *f,
                         const seerdb_uuid *id, uint64_t file_size,
                         enum sdb_purpose why, seerdb_err *err)
{
    uint8_t head[SDB_TABLE_HEADER], tail[SDB_TABLE_FOOTER];
    uint64_t size, end = file_size - SDB_TABLE_FOOTER;
    int rc;
    *x = (struct sdb_table_index){.path = f->path, .id = *id, .size = file_size};
    x->seed = sdb_hash64(x->id.bytes, sizeof x->id.bytes, 0);
    if ((rc = sdb_file_size(f, &size, err)) != 0)
        return rc;
    if (size != x->size || size < SDB_TABLE_HEADER + SDB_TABLE_FOOTER ||
        size % SDB_TABLE_ALIGN != 0)
        return sdb_fail(err, SEERDB_CORRUPT, "%s: %" PRIu64 " bytes, expected %" PRIu64,
                        x->path, size, x->size);
    if ((rc = sdb_file_read_for(f, why, 0, head, sizeof head, err)) != 0 ||
        (rc = check_header(x, head, err)) != 0 ||
        (rc = sdb_file_read_for(f, why, end, tail, sizeof tail, err)) != 0 ||
        (rc = check_footer(x, tail, err)) != 0)
        return rc;
    if ((x->meta = sdb_mem_take(x->meta_size)) == NULL)
        return sdb_fail_nomem(err, x->meta_size);
    if ((rc = sdb_file_read_for(f, why, x->meta_off, x->meta, x->meta_size, err)) != 0)
        return rc;
    return parse_parts(x, err);
}

void sdb_table_index_fini(struct sdb_table_index *x)
{
    sdb_learned_fini(&x->learned);
    sdb_ranges_unref(x->ranges);
    sdb_search16_fini(&x->search);
    sdb_mem_free(x->separators);
    sdb_mem_give(x->meta, x->meta_size);
}

size_t sdb_table_index_memory(const struct sdb_table_index *x)
{
    return x->meta_size + (x->separators != NULL ? x->n * sizeof *x->separators : 0) +
           x->search.upper_size + sdb_learned_memory(&x->learned) +
           sdb_ranges_memory(x->ranges);
}

void sdb_table_index_search(struct sdb_table_index *x, uint64_t code, seerdb_slice key,
                            uint32_t *lo, uint32_t *hi)
{
    if (x->separators == NULL) {
        uint32_t first = search_fences(x, code), end = first;
        if (end < x->n && sdb_table_index_fence(x, end) == code)
            end++;
        if (end > first && end < x->n && sdb_table_index_fence(x, end) == code)
            end = code == UINT64_MAX
                      ? x->n
                      : (uint32_t)sdb_search16_first(&x->search, code + 1);
        *lo = first;
        *hi = end;
    } else {
        *hi = *lo = search_separators(x, key, false);
        if (*lo < x->n && sdb_slice_equal(x->separators[*lo], key))
            *hi = search_separators(x, key, true);
    }
}
