/* SPDX-License-Identifier: Apache-2.0
 *
 * The header of a frame has a check of its own.  Looking for valid frames behind a
 * damaged place would otherwise hash a payload of any length at every eighth byte; with
 * it a place costs one hash of 24 bytes, and whole frames are hashed only where one was
 * really begun. */
#include "log/frame.h"

#include "base/coding.h"
#include "base/hash.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

static const char file_magic[] = "SEERLOG1"; /* without its NUL */
#define FILE_MAGIC_SIZE 8
#define FILE_VERSION    1

/* Offsets of the fields of a frame. */
enum {
    AT_CHECK = 0,
    AT_LENGTH = 8,
    AT_TYPE = 12,
    AT_OUTCOME = 13,
    AT_SKIP = 14,
    AT_TIMESTAMP = 16,
    AT_SYNCED = 24,
    AT_HEADER_CHECK = 32
};
_Static_assert(AT_HEADER_CHECK + 8 == SDB_FRAME_HEADER, "the header of a frame");

uint64_t sdb_frame_seed(const seerdb_uuid *store, enum sdb_file_kind kind,
                        uint64_t number)
{
    uint8_t bytes[sizeof store->bytes + 8];
    memcpy(bytes, store->bytes, sizeof store->bytes);
    sdb_store_u64(bytes + sizeof store->bytes, number);
    return sdb_hash64(bytes, sizeof bytes, (uint64_t)kind);
}

uint64_t sdb_frame_size(uint64_t payload_size)
{
    return (SDB_FRAME_HEADER + payload_size + SDB_FRAME_ALIGN - 1) / SDB_FRAME_ALIGN *
           SDB_FRAME_ALIGN;
}

void sdb_frame_encode(struct sdb_buf *out, uint64_t seed, uint64_t off,
                      const struct sdb_frame *f)
{
    size_t n = f->payload.size, size = (size_t)sdb_frame_size(n);
    assert(n <= UINT32_MAX && off % SDB_FRAME_ALIGN == 0 && f->type != 0);
    if (!sdb_buf_reserve(out, size))
        return;
    uint8_t *p = out->data + out->size;
    sdb_store_u32(p + AT_LENGTH, (uint32_t)n);
    p[AT_TYPE] = f->type;
    p[AT_OUTCOME] = f->outcome;
    sdb_store_u16(p + AT_SKIP, f->skip);
    sdb_store_u64(p + AT_TIMESTAMP, f->timestamp_us);
    sdb_store_u64(p + AT_SYNCED, f->synced);
    sdb_store_u64(p + AT_HEADER_CHECK,
                  sdb_hash64(p + AT_LENGTH, AT_HEADER_CHECK - AT_LENGTH, seed + off));
    if (n > 0)
        memcpy(p + SDB_FRAME_HEADER, f->payload.data, n);
    memset(p + SDB_FRAME_HEADER + n, 0, size - SDB_FRAME_HEADER - n);
    sdb_store_u64(
        p + AT_CHECK,
        sdb_hash64(p + AT_LENGTH, SDB_FRAME_HEADER - AT_LENGTH + n, seed + off));
    out->size += size;
}

bool sdb_frame_begun(seerdb_slice bytes, uint64_t seed, uint64_t off, uint64_t *size)
{
    const uint8_t *p = bytes.data;
    /* The type is never 0: stretches of zeros cost no hash. */
    if (bytes.size < SDB_FRAME_HEADER || p[AT_TYPE] == 0 ||
        sdb_load_u64(p + AT_HEADER_CHECK) !=
            sdb_hash64(p + AT_LENGTH, AT_HEADER_CHECK - AT_LENGTH, seed + off))
        return false;
    *size = sdb_frame_size(sdb_load_u32(p + AT_LENGTH));
    return true;
}

int sdb_frame_decode(seerdb_slice bytes, uint64_t seed, uint64_t off,
                     struct sdb_frame *f, uint64_t *size)
{
    const uint8_t *p = bytes.data;
    if (!sdb_frame_begun(bytes, seed, off, size) || *size > bytes.size)
        return SEERDB_NOTFOUND;
    size_t n = sdb_load_u32(p + AT_LENGTH);
    if (sdb_load_u64(p + AT_CHECK) !=
        sdb_hash64(p + AT_LENGTH, SDB_FRAME_HEADER - AT_LENGTH + n, seed + off))
        return SEERDB_NOTFOUND;
    for (size_t i = SDB_FRAME_HEADER + n; i < *size; i++) {
        if (p[i] != 0)
            return SEERDB_NOTFOUND;
    }
    *f = (struct sdb_frame){.type = p[AT_TYPE],
                            .outcome = p[AT_OUTCOME],
                            .skip = sdb_load_u16(p + AT_SKIP),
                            .timestamp_us = sdb_load_u64(p + AT_TIMESTAMP),
                            .synced = sdb_load_u64(p + AT_SYNCED),
                            .payload = {p + SDB_FRAME_HEADER, n}};
    return f->outcome > SDB_OUTCOME_ABORTED ? SEERDB_NEWER : 0;
}

int sdb_frame_next(seerdb_slice bytes, uint64_t seed, uint64_t off, struct sdb_frame *f,
                   uint64_t *at, uint64_t *size)
{
    const uint8_t *p = bytes.data;
    const uint64_t places[] = {off, sdb_log_sector_up(off)};
    for (size_t i = 0; i < 2 && places[i] < bytes.size; i++) {
        *at = places[i];
        seerdb_slice rest = {p + *at, bytes.size - (size_t)*at};
        int rc = sdb_frame_decode(rest, seed, *at, f, size);
        /* What it skipped tells it from one behind a frame that was lost. */
        if (rc != SEERDB_NOTFOUND && f->skip == *at - off)
            return rc;
    }
    return SEERDB_NOTFOUND;
}

int sdb_frame_resync(seerdb_slice bytes, uint64_t seed, uint64_t off, uint64_t *at,
                     struct sdb_frame *f)
{
    const uint8_t *p = bytes.data;
    off = (off + SDB_FRAME_ALIGN - 1) / SDB_FRAME_ALIGN * SDB_FRAME_ALIGN;
    for (; off < bytes.size; off += SDB_FRAME_ALIGN) {
        uint64_t size;
        seerdb_slice rest = {p + off, bytes.size - (size_t)off};
        int rc = sdb_frame_decode(rest, seed, off, f, &size);
        if (rc != SEERDB_NOTFOUND) {
            *at = off;
            return rc;
        }
    }
    return SEERDB_NOTFOUND;
}

void sdb_log_header_encode(struct sdb_buf *out, const struct sdb_log_header *h)
{
    uint8_t p[SDB_LOG_FILE_HEADER];
    memcpy(p, file_magic, FILE_MAGIC_SIZE);
    sdb_store_u32(p + 8, FILE_VERSION);
    sdb_store_u32(p + 12, (uint32_t)h->kind);
    memcpy(p + 16, h->store.bytes, sizeof h->store.bytes);
    sdb_store_u64(p + 32, h->number);
    sdb_store_u64(p + 40, h->previous);
    sdb_store_u64(p + 48, h->previous_end);
    sdb_store_u64(p + 56, sdb_hash64(p, 56, 0));
    sdb_buf_append(out, p, sizeof p);
}

int sdb_log_header_decode(seerdb_slice bytes, const char *path,
                          struct sdb_log_header *h, seerdb_err *err)
{
    const uint8_t *p = bytes.data;
    if (bytes.size < SDB_LOG_FILE_HEADER)
        return sdb_fail(err, SEERDB_CORRUPT,
                        "%s: the file has %zu bytes, too few for its %d-byte header",
                        path, bytes.size, SDB_LOG_FILE_HEADER);
    if (memcmp(p, file_magic, FILE_MAGIC_SIZE) != 0)
        return sdb_fail(
            err, SEERDB_CORRUPT,
            "%s: the magic at offset 0 is not \"%s\": not a log or manifest", path,
            file_magic);
    uint64_t want = sdb_load_u64(p + 56), got = sdb_hash64(p, 56, 0);
    if (got != want)
        return sdb_fail(err, SEERDB_CORRUPT,
                        "%s: header: checksum %016" PRIx64 ", expected %016" PRIx64,
                        path, got, want);
    uint32_t version = sdb_load_u32(p + 8), kind = sdb_load_u32(p + 12);
    if (version != FILE_VERSION)
        return sdb_fail(err, SEERDB_NEWER,
                        "%s: format version %" PRIu32 ", known here is %d", path,
                        version, FILE_VERSION);
    if (kind < SDB_FILE_LOG || kind > SDB_FILE_SIDE)
        return sdb_fail(err, SEERDB_CORRUPT, "%s: file kind %" PRIu32 " at offset 12",
                        path, kind);
    *h = (struct sdb_log_header){.kind = (enum sdb_file_kind)kind,
                                 .number = sdb_load_u64(p + 32),
                                 .previous = sdb_load_u64(p + 40),
                                 .previous_end = sdb_load_u64(p + 48)};
    memcpy(h->store.bytes, p + 16, sizeof h->store.bytes);
    return 0;
}

char *sdb_numbered_path(const char *dir, uint64_t number, const char *suffix)
{
    /* A slash, at most 20 digits, a NUL. */
    size_t room = strlen(dir) + strlen(suffix) + 22;
    char *path = sdb_mem_alloc(room);
    if (path != NULL)
        snprintf(path, room, "%s/%06" PRIu64 "%s", dir, number, suffix);
    return path;
}

bool sdb_numbered_parse(const char *name, const char *suffix, uint64_t *number)
{
    uint64_t v = 0;
    size_t n = 0;
    for (; name[n] >= '0' && name[n] <= '9'; n++) {
        if (__builtin_mul_overflow(v, (uint64_t)10, &v) ||
            __builtin_add_overflow(v, (uint64_t)(name[n] - '0'), &v))
            return false;
    }
    if (n < 6 || (n > 6 && name[0] == '0') || v == 0 || strcmp(name + n, suffix) != 0)
        return false;
    *number = v;
    return true;
}

struct numbers {
    uint64_t *at; /* owned */
    size_t n;
    bool failed; /* no memory */
    const char *suffix;
};

static void collect(void *ctx, const char *name)
{
    struct numbers *s = ctx;
    uint64_t number;
    if (s->failed || !sdb_numbered_parse(name, s->suffix, &number))
        return;
    uint64_t *at = sdb_array_grow(s->at, s->n + 1, sizeof *at);
    if (at == NULL) {
        s->failed = true;
        return;
    }
    s->at = at;
    s->at[s->n++] = number;
}

static int compare_numbers(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

int sdb_numbered_list(struct sdb_fs *fs, const char *dir, const char *suffix,
                      uint64_t **out, size_t *n, seerdb_err *err)
{
    struct numbers s = {.suffix = suffix};
    int rc = sdb_fs_list(fs, dir, collect, &s, err);
    if (rc == 0 && s.failed)
        rc = sdb_fail_nomem(err, (s.n + 1) * sizeof *s.at);
    if (rc != 0) {
        sdb_mem_free(s.at);
        return rc;
    }
    if (s.n > 1)
        qsort(s.at, s.n, sizeof *s.at, compare_numbers);
    *out = s.at;
    *n = s.n;
    return 0;
}
