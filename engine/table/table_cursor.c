/* SPDX-License-Identifier: Apache-2.0
 *
 * A search has a target, (key, ceiling) as a place in the order of records, and finds
 * the first record at or after it.  The index narrows it to one block; only where the
 * index cannot tell blocks apart (equal fences, a key whose versions fill
 * several blocks) are first records compared.
 */
#include "table/table_cursor.h"

#include <stdio.h>

static void free_loaded(seerdb_pin *pin)
{
    struct sdb_loaded *l = (struct sdb_loaded *)pin; /* its first member */
    sdb_map_unref(l->map);
    sdb_pages_give(l->pages, l, SDB_LOADED_SIZE + l->size);
}

struct sdb_loaded *sdb_loaded_new(struct sdb_pages *pages, size_t bytes,
                                  seerdb_err *err)
{
    struct sdb_loaded *l = sdb_pages_take(pages, SDB_LOADED_SIZE + bytes);
    if (l == NULL) {
        sdb_fail_nomem(err, bytes);
        return NULL;
    }
    sdb_pin_init(&l->pin, free_loaded);
    l->pages = pages;
    l->map = NULL;
    l->size = bytes;
    return l;
}

static bool is_condemned(const seerdb_pin *pin)
{
    const struct sdb_loaded *l = (const struct sdb_loaded *)pin; /* its first member */
    return sdb_pages_is_condemned(l->pages, l, SDB_LOADED_SIZE + l->size);
}

void sdb_loaded_make_room(struct sdb_cache *cache, struct sdb_pages *pages)
{
    if (sdb_pages_crowded(pages) && sdb_pages_condemn(pages) > 0)
        sdb_cache_drop(cache, is_condemned);
}

static int unpack(struct sdb_table *t, uint64_t off, seerdb_slice packed, uint8_t *raw,
                  uint32_t raw_size, seerdb_err *err)
{
    struct sdb_codec *c =
        atomic_exchange_explicit(&t->codec, NULL, memory_order_acq_rel);
    seerdb_err why = {0};
    int rc;
    if (c == NULL && (rc = sdb_codec_new(&c, err)) != 0)
        return rc;
    rc = sdb_codec_decompress(c, packed, raw, raw_size, &why);
    sdb_codec_free(atomic_exchange_explicit(&t->codec, c, memory_order_acq_rel));
    if (rc != 0)
        return sdb_fail(err, rc, "%s: block at %" PRIu64 ": %s", t->file->path, off,
                        why.msg);
    return 0;
}

static int parse(const struct sdb_table *t, uint64_t off, seerdb_slice raw,
                 struct sdb_block *out, seerdb_err *err)
{
    char where[320];
    if (sdb_block_parse(raw, "", out, NULL) == 0)
        return 0;
    snprintf(where, sizeof where, "%s: block at %" PRIu64, t->file->path, off);
    return sdb_block_parse(raw, where, out, err);
}

int sdb_table_open_stored(struct sdb_table *t, uint64_t off, struct sdb_loaded **l,
                          uint32_t size, seerdb_err *err)
{
    const uint8_t *stored = sdb_loaded_bytes(*l);
    struct sdb_stored head = {0};
    int rc = sdb_table_index_stored(&t->index, off, stored, size, SDB_BLOCK_DATA, &head,
                                    err);
    if (rc != 0)
        return rc;
    seerdb_slice raw = {stored + SDB_STORED_HEADER, head.stored_size};
    uint8_t *bare = NULL; /* a block that was packed */
    if (head.codec == SDB_CODEC_ZSTD) {
        struct sdb_loaded *wide =
            sdb_loaded_new(t->pages, SDB_BLOCK_CODES_MAX + (size_t)head.raw_size, err);
        if (wide == NULL)
            return SEERDB_NOMEM;
        bare = sdb_loaded_bytes(wide) + SDB_BLOCK_CODES_MAX;
        rc = unpack(t, off, raw, bare, head.raw_size, err);
        seerdb_pin_unref(&(*l)->pin);
        *l = wide;
        if (rc != 0)
            return rc;
        size_t codes = 0;
        raw = (seerdb_slice){bare, head.raw_size};
        if (sdb_block_lacks(raw, &codes)) {
            bare = sdb_block_widen(bare, codes);
            raw = (seerdb_slice){bare, head.raw_size + codes};
        }
    }
    rc = parse(t, off, raw, &(*l)->block, err);
    if (rc != 0 || bare == NULL ||
        sdb_block_restore(&(*l)->block, bare, &t->index.coder))
        return rc;
    return sdb_fail(err, SEERDB_CORRUPT,
                    "%s: block at %" PRIu64 ": keys that its codes are not of",
                    t->file->path, off);
}

/* Read data block i from the file: one count, the caller's. */
static int read_block(struct sdb_table *t, uint32_t i, struct sdb_loaded **out,
                      seerdb_err *err)
{
    uint64_t off = sdb_table_index_off(&t->index, i);
    uint32_t size = sdb_table_index_size(&t->index, i);
    struct sdb_loaded *l = sdb_loaded_new(t->pages, size, err);
    int rc;
    if (l == NULL)
        return SEERDB_NOMEM;
    if ((rc = sdb_file_read_for(t->file, SDB_FOR_READ, off, sdb_loaded_bytes(l), size,
                                err)) != 0)
        goto out;
    if ((rc = sdb_table_open_stored(t, off, &l, size, err)) != 0)
        goto out;
    *out = l;
    l = NULL;
out:
    if (l != NULL)
        seerdb_pin_unref(&l->pin);
    return rc;
}

/* ---- maps ------------------------------------------------------------------- */

void sdb_table_map_free(struct sdb_table_map *m, uint32_t n)
{
    if (m == NULL)
        return;
    for (uint32_t i = 0; i < n; i++) {
        struct sdb_loaded *l =
            atomic_load_explicit(&m->blocks[i], memory_order_acquire);
        if (l != NULL)
            seerdb_pin_unref(&l->pin);
    }
    sdb_map_unref(m->map);
    sdb_mem_free(m);
}

/* Data block i where it is in the map, to which nobody has looked yet: one count, the
 * caller's.  NOTFOUND: it is compressed. */
static int look_at(struct sdb_table *t, struct sdb_table_map *m, uint32_t i,
                   struct sdb_loaded **out, seerdb_err *err)
{
    uint64_t off = sdb_table_index_off(&t->index, i);
    uint32_t size = sdb_table_index_size(&t->index, i);
    const uint8_t *stored = m->map->data + off;
    struct sdb_loaded *l = NULL, *first = NULL;
    struct sdb_stored head = {0};
    if (stored[SDB_STORED_CODEC] == SDB_CODEC_ZSTD)
        return SEERDB_NOTFOUND; /* its check has its turn when it is read */
    int rc = sdb_table_index_stored(&t->index, off, stored, size, SDB_BLOCK_DATA, &head,
                                    err);
    if (rc != 0)
        return rc;
    if ((l = sdb_loaded_new(NULL, 0, err)) == NULL)
        return SEERDB_NOMEM;
    l->map = sdb_map_ref(m->map);
    rc = parse(t, off, (seerdb_slice){stored + SDB_STORED_HEADER, head.stored_size},
               &l->block, err);
    if (rc != 0) {
        seerdb_pin_unref(&l->pin);
        return rc;
    }
    sdb_file_count_read(t->file, SDB_FOR_READ, size);
    if (atomic_compare_exchange_strong_explicit(
            &m->blocks[i], &first, l, memory_order_acq_rel, memory_order_acquire)) {
        first = l; /* the count is the map's now */
        l = NULL;
    }
    seerdb_pin_ref(&first->pin);
    if (l != NULL)
        seerdb_pin_unref(&l->pin);
    *out = first;
    return 0;
}

int sdb_table_load(struct sdb_table *t, uint32_t i, enum sdb_cache_use use,
                   struct sdb_loaded **out, seerdb_err *err)
{
    struct sdb_table_map *m = atomic_load_explicit(&t->map, memory_order_acquire);
    int rc;
    if (m != NULL) {
        *out = atomic_load_explicit(&m->blocks[i], memory_order_acquire);
        if (*out != NULL) {
            seerdb_pin_ref(&(*out)->pin);
            return 0;
        }
    }
    if (t->cache != NULL && (*out = (struct sdb_loaded *)sdb_cache_get(
                                 t->cache, t->cache_name, i, use)) != NULL)
        return 0;
    if (m != NULL && (rc = look_at(t, m, i, out, err)) != SEERDB_NOTFOUND)
        return rc;
    if ((rc = read_block(t, i, out, err)) == 0 && t->cache != NULL) {
        sdb_cache_put(t->cache, t->cache_name, i, &(*out)->pin,
                      sdb_pages_cost(t->pages, SDB_LOADED_SIZE + (*out)->size));
        sdb_loaded_make_room(t->cache, t->pages);
    }
    return rc;
}

/* ---- searching ------------------------------------------------------------ */

int sdb_table_cursor_load(struct sdb_table_cursor *c, uint32_t i, seerdb_err *err)
{
    struct sdb_loaded *l = NULL;
    int rc;
    if (c->held != NULL && c->index == i)
        return 0;
    if ((rc = sdb_table_load(c->table, i, SDB_CACHE_POINT, &l, err)) != 0)
        return rc;
    if (c->held != NULL)
        seerdb_pin_unref(&c->held->pin);
    c->held = l;
    c->index = i;
    return 0;
}

/* Order of the record at the cursor against (key, number). */
static int cursor_cmp(const struct sdb_table_cursor *c, seerdb_slice key,
                      uint64_t number)
{
    const struct sdb_block *b = &c->held->block;
    int order = sdb_slice_cmp(sdb_block_key(b, c->slot), key);
    uint64_t mine = sdb_block_number(b, c->slot);
    return order != 0 ? order : (mine < number) - (mine > number);
}

int sdb_table_cursor_locate_code(struct sdb_table_cursor *c, seerdb_slice key,
                                 uint64_t code, uint64_t ceiling, bool *exact,
                                 seerdb_err *err)
{
    struct sdb_table *t = c->table;
    uint32_t lo, hi, next = UINT32_MAX; /* a block that starts with a version of key */
    int rc;
    sdb_table_index_search(&t->index, code, key, &lo, &hi);
    *exact = false;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        c->slot = 0;
        if ((rc = sdb_table_cursor_load(c, mid, err)) != 0)
            return rc;
        if (cursor_cmp(c, key, ceiling) < 0) {
            lo = mid + 1;
            continue;
        }
        hi = mid;
        next = UINT32_MAX;
        if (sdb_slice_equal(sdb_block_key(&c->held->block, 0), key)) {
            *exact = !sdb_block_is_older(&c->held->block, 0);
            if (*exact) /* the newest version: none before it */
                return 0;
            next = mid;
        }
    }
    /* Block lo is the first that starts at or after the target. */
    if ((rc = sdb_table_cursor_load(c, lo > 0 ? lo - 1 : 0, err)) != 0)
        return rc;
    c->slot = 0;
    if (lo == 0)
        return 0;
    const struct sdb_block *b = &c->held->block;
    c->slot = sdb_block_lower_bound(b, code, key);
    if (c->slot < b->n && sdb_slice_equal(sdb_block_key(b, c->slot), key)) {
        *exact = true;
        while (*exact && sdb_block_number(b, c->slot) > ceiling)
            *exact = ++c->slot < b->n && sdb_block_is_older(b, c->slot);
    }
    if (c->slot == b->n && next != UINT32_MAX) {
        c->slot = 0;
        *exact = true;
        return sdb_table_cursor_load(c, next, err);
    }
    return 0;
}
