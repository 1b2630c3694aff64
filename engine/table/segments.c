/* SPDX-License-Identifier: Apache-2.0 */
#include "table/segments.h"

#include <assert.h>

void sdb_segments_begin(struct sdb_buf *b, uint64_t count)
{
    sdb_put_varint(b, count);
}

void sdb_segments_add(struct sdb_buf *b, const struct sdb_segment *s)
{
    sdb_put_varint(b, s->offset);
    sdb_put_varint(b, s->size);
    sdb_put_varint(b, s->file);
    sdb_put_varint(b, s->slot);
    sdb_put_varint(b, s->stored);
    sdb_put_u64(b, s->check);
}

static void get_segment(struct sdb_reader *r, struct sdb_segment *s)
{
    s->offset = sdb_get_varint(r);
    s->size = sdb_get_varint(r);
    s->file = sdb_get_varint(r);
    s->slot = sdb_get_varint(r);
    s->stored = sdb_get_varint(r);
    s->check = sdb_get_u64(r);
}

/* They do not overlap, and everything is within its limits. */
static bool is_sound(const struct sdb_segment *s, uint64_t end)
{
    return s->offset >= end && s->size > 0 && s->size <= SEERDB_VALUE_MAX &&
           s->offset <= SEERDB_VALUE_MAX - s->size && s->file != 0 &&
           s->slot <= UINT32_MAX && s->stored <= s->size;
}

int sdb_segments_open(struct sdb_segments *s, seerdb_slice value, seerdb_err *err)
{
    struct sdb_reader r = sdb_reader_init(value);
    uint64_t sizes = 0, end = 0;
    *s = (struct sdb_segments){.count = sdb_get_varint(&r)};
    s->rest = r;
    s->left = s->count;
    bool sound = s->count > 0;
    for (uint64_t i = 0; i < s->count && sound && !r.failed; i++) {
        struct sdb_segment g;
        get_segment(&r, &g);
        sound = !r.failed && is_sound(&g, end);
        if (sound) {
            end = g.offset + g.size;
            sizes += g.size;
        }
    }
    if (!sound || r.failed || end - sizes > sdb_reader_left(&r) ||
        sizes + sdb_reader_left(&r) > SEERDB_VALUE_MAX)
        return sdb_fail(err, SEERDB_CORRUPT,
                        "a value of %zu bytes with %" PRIu64 " segments is malformed",
                        value.size, s->count);
    s->inlined = sdb_get_bytes(&r, sdb_reader_left(&r));
    s->whole = sizes + s->inlined.size;
    return 0;
}

bool sdb_segments_next(struct sdb_segments *s, struct sdb_segment *out)
{
    if (s->left == 0)
        return false;
    get_segment(&s->rest, out);
    assert(!s->rest.failed); /* open has seen that it is there */
    s->end = out->offset + out->size;
    s->left--;
    return true;
}

/* Where the file's count is, or would be. */
static size_t find_ref(const struct sdb_vlog_refs *r, uint64_t file)
{
    size_t lo = 0, hi = r->n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (r->all[mid].file < file)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static int count_segment(struct sdb_vlog_refs *r, const struct sdb_segment *s,
                         seerdb_err *err)
{
    size_t i = find_ref(r, s->file);
    if (i == r->n || r->all[i].file != s->file) {
        if (r->n == r->capacity) {
            size_t n = 2 * r->capacity + 8;
            struct sdb_vlog_ref *all = sdb_array_grow(r->all, n, sizeof *all);
            if (all == NULL)
                return sdb_fail_nomem(err, n * sizeof *all);
            r->all = all;
            r->capacity = n;
        }
        memmove(r->all + i + 1, r->all + i, (r->n - i) * sizeof *r->all);
        r->all[i] = (struct sdb_vlog_ref){.file = s->file};
        r->n++;
    }
    r->all[i].bytes += sdb_segment_entry(s);
    r->all[i].values++;
    return 0;
}

int sdb_vlog_refs_count(struct sdb_vlog_refs *r, seerdb_slice value, seerdb_err *err)
{
    struct sdb_segments all;
    struct sdb_segment s;
    int rc = sdb_segments_open(&all, value, err);
    while (rc == 0 && sdb_segments_next(&all, &s))
        rc = count_segment(r, &s, err);
    return rc;
}

void sdb_vlog_refs_put(const struct sdb_vlog_ref *refs, size_t n, struct sdb_buf *b)
{
    sdb_put_varint(b, n);
    for (size_t i = 0; i < n; i++) {
        sdb_put_varint(b, refs[i].file);
        sdb_put_varint(b, refs[i].bytes);
        sdb_put_varint(b, refs[i].values);
    }
}

void sdb_vlog_refs_fini(struct sdb_vlog_refs *r)
{
    sdb_mem_free(r->all);
    *r = (struct sdb_vlog_refs){0};
}

uint64_t sdb_segments_add_up(const struct sdb_record *r)
{
    struct sdb_segments all;
    struct sdb_segment s;
    uint64_t bytes = 0;
    if (sdb_segments_open(&all, r->value, NULL) == 0)
        while (sdb_segments_next(&all, &s))
            bytes += sdb_segment_entry(&s);
    return bytes;
}
