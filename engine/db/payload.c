/* SPDX-License-Identifier: Apache-2.0 */
#include "db/payload.h"

#include "table/operands.h"
#include "table/segments.h"

void sdb_payload_begin(struct sdb_buf *b, uint64_t nparts)
{
    sdb_put_u64(b, 0);
    sdb_put_varint(b, nparts);
}

static void put_files(struct sdb_buf *b, const uint64_t *files, size_t n)
{
    sdb_put_varint(b, n);
    for (size_t i = 0; i < n; i++)
        sdb_put_varint(b, files[i]);
}

size_t sdb_payload_part(struct sdb_buf *b, uint64_t tree, const uint64_t *vlogs,
                        size_t n)
{
    sdb_put_varint(b, tree);
    size_t at = b->size;
    sdb_put_u64(b, 0);
    put_files(b, NULL, 0);
    put_files(b, vlogs, n);
    return at;
}

size_t sdb_payload_spilled_part(struct sdb_buf *b, uint64_t tree, const uint64_t *files,
                                size_t n)
{
    sdb_put_varint(b, tree);
    size_t at = b->size;
    sdb_put_u64(b, 0);
    put_files(b, files, n);
    put_files(b, NULL, 0); /* the tables name those of the value log */
    return at;
}

static uint8_t *store_slice(uint8_t *p, seerdb_slice s)
{
    p += sdb_store_varint(p, s.size);
    if (s.size > 0)
        memcpy(p, s.data, s.size);
    return p + s.size;
}

void sdb_payload_record(struct sdb_buf *b, const struct sdb_record *r)
{
    if (!sdb_buf_reserve(b, 1 + 2 * SDB_VARINT_MAX + r->key.size + r->value.size))
        return;
    uint8_t *p = b->data + b->size;
    *p++ = (uint8_t)r->kind;
    p = store_slice(p, r->key);
    if (r->kind != SDB_KIND_TOMBSTONE)
        p = store_slice(p, r->value);
    b->size = (size_t)(p - b->data);
}

void sdb_payload_end_part(struct sdb_buf *b)
{
    sdb_put_u8(b, 0);
}

void sdb_payload_set_number(struct sdb_buf *b, uint64_t number)
{
    sdb_store_u64(b->data, number);
}

void sdb_payload_set_prev(struct sdb_buf *b, size_t part, uint64_t prev)
{
    sdb_store_u64(b->data + part, prev);
}

static int malformed(const struct sdb_payload_reader *p, const char *what,
                     seerdb_err *err)
{
    return sdb_fail(err, SEERDB_CORRUPT, "%s: malformed commit %" PRIu64 ": %s",
                    p->where, p->number, what);
}

int sdb_payload_open(struct sdb_payload_reader *p, seerdb_slice bytes,
                     const char *where, seerdb_err *err)
{
    *p = (struct sdb_payload_reader){.r = sdb_reader_init(bytes), .where = where};
    p->number = sdb_get_u64(&p->r);
    p->parts_left = sdb_get_varint(&p->r);
    if (p->r.failed || p->parts_left == 0 || p->number == 0 ||
        p->number > SDB_NUMBER_MAX)
        return malformed(p, "its head", err);
    return 0;
}

int sdb_payload_next_part(struct sdb_payload_reader *p, uint64_t *tree, uint64_t *prev,
                          seerdb_err *err)
{
    if (p->parts_left == 0)
        return sdb_reader_done(&p->r) ? SEERDB_NOTFOUND
                                      : malformed(p, "bytes after the last part", err);
    p->parts_left--;
    *tree = sdb_get_varint(&p->r);
    *prev = sdb_get_u64(&p->r);
    uint64_t files = sdb_get_varint(&p->r), vlogs;
    p->files = p->r;
    p->files_left = files;
    p->any_range = p->any_record = false;
    for (; files > 0 && !p->r.failed; files--)
        if (sdb_get_varint(&p->r) == 0)
            p->r.failed = true;
    vlogs = sdb_get_varint(&p->r);
    p->vlogs = p->r;
    p->vlogs_left = vlogs;
    for (; vlogs > 0 && !p->r.failed; vlogs--)
        if (sdb_get_varint(&p->r) == 0)
            p->r.failed = true;
    if (p->r.failed || *prev >= p->number)
        return malformed(p, "the head of a part", err);
    return 0;
}

bool sdb_payload_next_vlog(struct sdb_payload_reader *p, uint64_t *file)
{
    if (p->vlogs_left == 0)
        return false;
    p->vlogs_left--;
    *file = sdb_get_varint(&p->vlogs); /* next_part has seen that it is there */
    return true;
}

bool sdb_payload_next_file(struct sdb_payload_reader *p, uint64_t *file)
{
    if (p->files_left == 0)
        return false;
    p->files_left--;
    *file = sdb_get_varint(&p->files); /* next_part has seen that it is there */
    return true;
}

/* Range tombstones stand before the records, rising and disjoint. */
static bool take_range(struct sdb_payload_reader *p, const struct sdb_record *r)
{
    if (p->any_record || r->value.size > SEERDB_KEY_MAX ||
        sdb_slice_cmp(r->key, r->value) >= 0 ||
        (p->any_range && sdb_slice_cmp(r->key, p->range_end) < 0))
        return false;
    p->any_range = true;
    p->range_end = r->value;
    return true;
}

int sdb_payload_next_record(struct sdb_payload_reader *p, struct sdb_record *r,
                            seerdb_err *err)
{
    uint8_t kind = sdb_get_u8(&p->r);
    if (kind == 0 && !p->r.failed)
        return SEERDB_NOTFOUND;
    *r = (struct sdb_record){.number = p->number, .kind = (enum sdb_kind)kind};
    r->key = sdb_get_slice(&p->r);
    if (kind != SDB_KIND_TOMBSTONE)
        r->value = sdb_get_slice(&p->r);
    if (p->r.failed || kind > SDB_KIND_MAX || r->key.size > SEERDB_KEY_MAX ||
        r->value.size > SEERDB_VALUE_MAX)
        return malformed(p, "a record", err);
    if (kind == SDB_KIND_RANGE)
        return take_range(p, r) ? 0 : malformed(p, "a range tombstone", err);
    p->any_record = true;
    if (kind == SDB_KIND_VALUE || kind == SDB_KIND_TOMBSTONE)
        return 0;
    if (kind == SDB_KIND_MERGE)
        return sdb_operands_are_valid(r->value, 0)
                   ? 0
                   : malformed(p, "merge operands", err);
    struct sdb_segments s;
    if (kind == SDB_KIND_SEGMENTS)
        return sdb_segments_open(&s, r->value, NULL) == 0
                   ? 0
                   : malformed(p, "a value with segments", err);
    return sdb_fail(err, SEERDB_NEWER,
                    "%s: commit %" PRIu64 " holds a record of kind %u, which this "
                    "version cannot read",
                    p->where, p->number, kind);
}

int sdb_payload_skip_part(struct sdb_payload_reader *p, seerdb_err *err)
{
    struct sdb_record r;
    int rc;
    do
        rc = sdb_payload_next_record(p, &r, err);
    while (rc == 0);
    return rc == SEERDB_NOTFOUND ? 0 : rc;
}
