/* SPDX-License-Identifier: Apache-2.0
 *
 * Bytes lie in chunks of 64 KiB that are made when they are first written, so that
 * preallocating costs nothing and appending copies nothing; a chunk that is not there
 * reads as zeros, and bytes past the size are always zero.  With track_sync the first
 * write to a chunk after a sync sets a copy of it aside (`synced`); a sync throws the
 * copies away, a power cut puts them back. */
#include "os/memdata.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#define CHUNK      ((size_t)65536)
#define SECTOR     ((size_t)512)
#define SIZE_LIMIT ((uint64_t)1 << 40)

struct sdb_memdata_chunk {
    uint8_t *data;   /* owned; NULL: zeros */
    uint8_t *synced; /* owned; what it was when last synced, NULL: zeros; if dirty */
    bool dirty;      /* written since the last sync; only with track_sync */
};

static uint8_t *new_bytes(struct sdb_memdata *d)
{
    uint8_t *p = sdb_mem_zalloc(CHUNK);
    if (p != NULL)
        *d->held += CHUNK;
    return p;
}

static void free_bytes(struct sdb_memdata *d, uint8_t *p)
{
    if (p != NULL) {
        *d->held -= CHUNK;
        sdb_mem_free(p);
    }
}

/* Room for `n` chunks in the array. */
static int grow(struct sdb_memdata *d, size_t n)
{
    if (n <= d->nchunks)
        return 0;
    if (n < d->nchunks + d->nchunks / 2)
        n = d->nchunks + d->nchunks / 2;
    struct sdb_memdata_chunk *chunks = sdb_array_grow(d->chunks, n, sizeof *chunks);
    if (chunks == NULL)
        return ENOMEM;
    memset(chunks + d->nchunks, 0, (n - d->nchunks) * sizeof *chunks);
    d->chunks = chunks;
    d->nchunks = n;
    return 0;
}

/* Before a chunk changes: set its synced content aside. */
static int touch(struct sdb_memdata *d, struct sdb_memdata_chunk *c)
{
    if (!d->track_sync || c->dirty)
        return 0;
    if (c->data != NULL) {
        if ((c->synced = new_bytes(d)) == NULL)
            return ENOMEM;
        memcpy(c->synced, c->data, CHUNK);
    }
    c->dirty = true;
    return 0;
}

/* Make the bytes from `size` on zeros.  Fails, having done nothing, only when the
 * chunk that `size` lies in must be set aside and there is no memory. */
static int clear_from(struct sdb_memdata *d, uint64_t size)
{
    uint64_t i = size / CHUNK;
    size_t at = (size_t)(size % CHUNK);
    if (at > 0 && i < d->nchunks && d->chunks[i].data != NULL) {
        if (touch(d, &d->chunks[i]) != 0)
            return ENOMEM;
        memset(d->chunks[i].data + at, 0, CHUNK - at);
    }
    for (i += at > 0; i < d->nchunks; i++) {
        struct sdb_memdata_chunk *c = &d->chunks[i];
        if (d->track_sync && !c->dirty) {
            c->synced = c->data;
            c->dirty = true;
        } else {
            free_bytes(d, c->data);
        }
        c->data = NULL;
    }
    return 0;
}

/* Random bytes from the first byte that differs to the last: a disk that dies writing a
 * sector may spoil what it was told to write, not the bytes that stayed the same. */
static void garble(uint8_t *result, const uint8_t *now, const uint8_t *before,
                   struct sdb_rand *rand)
{
    size_t from = 0, to = SECTOR;
    while (now[from] == before[from])
        from++;
    while (now[to - 1] == before[to - 1])
        to--;
    memmove(result, now, SECTOR);
    for (size_t i = from; i < to; i++)
        result[i] = (uint8_t)sdb_rand_next(rand);
}

/* Leave in c->data some of the sectors written since the last sync. */
static void mix_sectors(struct sdb_memdata_chunk *c, struct sdb_rand *rand)
{
    static const uint8_t zeros[SECTOR];
    uint8_t *result = c->data != NULL ? c->data : c->synced;
    for (size_t at = 0; result != NULL && at < CHUNK; at += SECTOR) {
        const uint8_t *now = c->data != NULL ? c->data + at : zeros;
        const uint8_t *before = c->synced != NULL ? c->synced + at : zeros;
        if (memcmp(now, before, SECTOR) == 0)
            continue;
        switch (sdb_rand_below(rand, 3)) {
        case 0:
            memmove(result + at, now, SECTOR);
            break;
        case 1:
            memmove(result + at, before, SECTOR);
            break;
        default:
            garble(result + at, now, before, rand);
        }
    }
    if (result == c->synced)
        c->synced = NULL;
    c->data = result;
}

void sdb_memdata_init(struct sdb_memdata *d, bool track_sync, uint64_t *held)
{
    *d = (struct sdb_memdata){.track_sync = track_sync, .held = held};
}

void sdb_memdata_fini(struct sdb_memdata *d)
{
    for (size_t i = 0; i < d->nchunks; i++) {
        free_bytes(d, d->chunks[i].data);
        free_bytes(d, d->chunks[i].synced);
    }
    sdb_mem_free(d->chunks);
    *d = (struct sdb_memdata){0};
}

size_t sdb_memdata_read(const struct sdb_memdata *d, uint64_t off, void *buf, size_t n)
{
    uint8_t *p = buf;
    if (off >= d->size)
        return 0;
    if (n > d->size - off)
        n = (size_t)(d->size - off);
    for (size_t done = 0; done < n;) {
        uint64_t i = (off + done) / CHUNK;
        size_t at = (size_t)((off + done) % CHUNK), part = CHUNK - at;
        if (part > n - done)
            part = n - done;
        if (i < d->nchunks && d->chunks[i].data != NULL)
            memcpy(p + done, d->chunks[i].data + at, part);
        else
            memset(p + done, 0, part);
        done += part;
    }
    return n;
}

int sdb_memdata_write(struct sdb_memdata *d, uint64_t off, const void *buf, size_t n)
{
    const uint8_t *p = buf;
    if (n == 0)
        return 0;
    if (off > SIZE_LIMIT || n > SIZE_LIMIT - off)
        return EFBIG;
    size_t first = (size_t)(off / CHUNK), last = (size_t)((off + n - 1) / CHUNK);
    int rc = grow(d, last + 1);
    for (size_t i = first; rc == 0 && i <= last; i++) {
        struct sdb_memdata_chunk *c = &d->chunks[i];
        rc = touch(d, c);
        if (rc == 0 && c->data == NULL && (c->data = new_bytes(d)) == NULL)
            rc = ENOMEM;
    }
    if (rc != 0)
        return rc;
    for (size_t done = 0; done < n;) {
        size_t at = (size_t)((off + done) % CHUNK), part = CHUNK - at;
        if (part > n - done)
            part = n - done;
        memcpy(d->chunks[(off + done) / CHUNK].data + at, p + done, part);
        done += part;
    }
    if (off + n > d->size)
        d->size = off + n;
    return 0;
}

int sdb_memdata_resize(struct sdb_memdata *d, uint64_t size)
{
    if (size > SIZE_LIMIT)
        return EFBIG;
    int rc = size < d->size ? clear_from(d, size) : 0;
    if (rc == 0)
        d->size = size;
    return rc;
}

void sdb_memdata_sync(struct sdb_memdata *d)
{
    for (size_t i = 0; i < d->nchunks; i++) {
        free_bytes(d, d->chunks[i].synced);
        d->chunks[i].synced = NULL;
        d->chunks[i].dirty = false;
    }
    d->synced_size = d->size;
}

void sdb_memdata_cut(struct sdb_memdata *d, struct sdb_rand *rand)
{
    uint64_t from = d->synced_size, to = d->size;
    uint64_t step = from < to ? to - from : from - to, part = 0;
    for (size_t i = 0; i < d->nchunks; i++) {
        struct sdb_memdata_chunk *c = &d->chunks[i];
        if (c->dirty && rand != NULL) {
            mix_sectors(c, rand);
        } else if (c->dirty) {
            free_bytes(d, c->data);
            c->data = c->synced;
            c->synced = NULL;
        }
        c->dirty = true; /* so that clear_from has nothing to set aside */
    }
    if (rand != NULL && step > 0)
        part = sdb_rand_below(rand, 2) == 0 ? sdb_rand_below(rand, 2) * step
                                            : sdb_rand_below(rand, step + 1);
    d->size = from < to ? from + part : from - part;
    int rc = clear_from(d, d->size);
    assert(rc == 0);
    (void)rc;
    sdb_memdata_sync(d);
}

static int flip(struct sdb_memdata *d, uint8_t **bytes, size_t at, unsigned bit)
{
    if (*bytes == NULL && (*bytes = new_bytes(d)) == NULL)
        return ENOMEM;
    (*bytes)[at] ^= (uint8_t)(1u << bit);
    return 0;
}

int sdb_memdata_flip(struct sdb_memdata *d, uint64_t off, unsigned bit)
{
    int rc = grow(d, (size_t)(off / CHUNK) + 1);
    if (rc != 0)
        return rc;
    struct sdb_memdata_chunk *c = &d->chunks[off / CHUNK];
    size_t at = (size_t)(off % CHUNK);
    if (c->dirty && off < d->synced_size)
        rc = flip(d, &c->synced, at, bit);
    return rc == 0 ? flip(d, &c->data, at, bit) : rc;
}
