/* SPDX-License-Identifier: Apache-2.0 */
#include "table/table_reader.h"

#include "table/table_cursor.h"

/* Takes f over, also on failure: NULL, no memory. */
static struct sdb_table *new_table(struct sdb_file *f, seerdb_err *err)
{
    struct sdb_table *t = sdb_mem_aligned(64, sizeof *t);
    if (t == NULL) {
        sdb_file_close(f);
        sdb_fail_nomem(err, sizeof *t);
        return NULL;
    }
    memset(t, 0, sizeof *t);
    atomic_init(&t->count, 1);
    atomic_init(&t->map, NULL);
    atomic_init(&t->codec, NULL);
    t->file = f;
    return t;
}

int sdb_table_open(struct sdb_file *f, const seerdb_uuid *id, uint64_t file_size,
                   struct sdb_table **out, seerdb_err *err)
{
    struct sdb_table *t = new_table(f, err);
    int rc;
    if (t == NULL)
        return SEERDB_NOMEM;
    rc = sdb_table_index_load(&t->index, f, id, file_size, SDB_FOR_READ, err);
    if (rc != 0) {
        sdb_table_unref(t);
        return rc;
    }
    *out = t;
    return 0;
}

int sdb_table_reopen(struct sdb_table *t, struct sdb_file *f, struct sdb_table **out,
                     seerdb_err *err)
{
    struct sdb_table *again = new_table(f, err);
    if (again == NULL)
        return SEERDB_NOMEM;
    memcpy(&again->index, &t->index, offsetof(struct sdb_table_index, counts));
    again->index.path = f->path;
    again->of = sdb_table_ref(t);
    *out = again;
    return 0;
}

void sdb_table_use_cache_as(struct sdb_table *t, struct sdb_cache *cache,
                            struct sdb_pages *pages, uint64_t name)
{
    t->cache = cache;
    t->pages = pages;
    t->cache_name = name;
}

void sdb_table_use_cache(struct sdb_table *t, struct sdb_cache *cache,
                         struct sdb_pages *pages)
{
    sdb_table_use_cache_as(t, cache, pages, sdb_cache_new_table());
}

void sdb_table_keep_block(struct sdb_cache *cache, struct sdb_pages *pages,
                          uint64_t name, uint32_t i, seerdb_slice block,
                          enum sdb_cache_use use)
{
    /* As a stored block lies in memory, with its codes aligned. */
    size_t size = SDB_STORED_HEADER + block.size;
    struct sdb_loaded *l = sdb_loaded_new(pages, size, NULL);
    if (l == NULL)
        return; /* nothing but time is lost */
    uint8_t *at = sdb_loaded_bytes(l) + SDB_STORED_HEADER;
    memcpy(at, block.data, block.size);
    if (sdb_block_parse((seerdb_slice){at, block.size}, "", &l->block, NULL) == 0)
        sdb_cache_inherit(cache, name, i, &l->pin,
                          sdb_pages_cost(pages, SDB_LOADED_SIZE + size), use);
    seerdb_pin_unref(&l->pin);
}

bool sdb_table_is_kept(struct sdb_table *t, seerdb_slice key, enum sdb_cache_use *use)
{
    uint32_t lo, hi;
    if (t->cache == NULL)
        return false;
    sdb_table_index_search(&t->index, sdb_code(&t->index.coder, key), key, &lo, &hi);
    return sdb_cache_peek(t->cache, t->cache_name, lo > 0 ? lo - 1 : 0, use);
}

void sdb_table_forget(struct sdb_table *t)
{
    if (t->cache != NULL)
        sdb_cache_forget(t->cache, t->cache_name, t->index.n);
}

void sdb_table_make_room(struct sdb_cache *cache, struct sdb_pages *pages)
{
    sdb_loaded_make_room(cache, pages);
}

bool sdb_table_use_map(struct sdb_table *t)
{
    struct sdb_table_map *none = NULL;
    size_t size = sizeof *none + t->index.n * sizeof none->blocks[0];
    if (atomic_load_explicit(&t->map, memory_order_acquire) != NULL)
        return true;
    struct sdb_table_map *m = sdb_mem_zalloc(size);
    if (m == NULL || (m->map = sdb_file_map(t->file, t->index.size)) == NULL) {
        sdb_mem_free(m);
        return false;
    }
    if (!atomic_compare_exchange_strong_explicit(
            &t->map, &none, m, memory_order_acq_rel, memory_order_acquire))
        sdb_table_map_free(m, 0); /* another thread was first */
    return true;
}

struct sdb_table *sdb_table_ref(struct sdb_table *t)
{
    atomic_fetch_add_explicit(&t->count, 1, memory_order_relaxed);
    return t;
}

void sdb_table_unref(struct sdb_table *t)
{
    if (t == NULL || atomic_fetch_sub_explicit(&t->count, 1, memory_order_acq_rel) != 1)
        return;
    sdb_table_map_free(atomic_load_explicit(&t->map, memory_order_acquire), t->index.n);
    sdb_codec_free(atomic_load_explicit(&t->codec, memory_order_acquire));
    if (t->of == NULL)
        sdb_table_index_fini(&t->index);
    sdb_table_unref(t->of);
    sdb_file_close(t->file);
    sdb_mem_free(t);
}

struct sdb_ranges *sdb_table_ranges(const struct sdb_table *t)
{
    return t->index.ranges;
}

const struct sdb_table_properties *sdb_table_properties(const struct sdb_table *t)
{
    return &t->index.props;
}

size_t sdb_table_memory(const struct sdb_table *t)
{
    return sizeof *t + (t->of == NULL ? sdb_table_index_memory(&t->index) : 0);
}

size_t sdb_table_map_memory(const struct sdb_table *t)
{
    if (atomic_load_explicit(&t->map, memory_order_acquire) == NULL)
        return 0;
    return t->index.n * (sizeof(struct sdb_loaded *) + SDB_LOADED_SIZE);
}

static uint64_t read_count(const _Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

void sdb_table_stats(const struct sdb_table *t, struct sdb_table_stats *out)
{
    const struct sdb_table_index *x = &t->index;
    *out = (struct sdb_table_stats){
        .memory = sdb_table_memory(t),
        .mapped = sdb_table_map_memory(t) != 0 ? x->size : 0,
        .filter_bytes = x->parts[SDB_PART_FILTER].size,
        .model_bytes = x->parts[SDB_PART_MODEL].size + sdb_learned_memory(&x->learned),
        .filter_keys = x->filter.keys,
        .segments = x->learned.nsegments,
        .runs = x->learned.nruns,
        .corrected = read_count(&x->counts.corrected),
        .filter_negative = read_count(&x->counts.filter_negative),
        .filter_false = read_count(&x->counts.filter_false),
        .runs_negative = read_count(&x->counts.runs_negative),
        .counts = &x->counts,
    };
}

static uint64_t lookup_hash(struct sdb_lookup *l)
{
    if (!l->hashed) {
        l->hash = sdb_filter_hash(l->key);
        l->hashed = true;
    }
    return l->hash;
}

void sdb_table_prefetch(const struct sdb_table *t, struct sdb_lookup *key)
{
    if (t->index.filter.n > 0)
        sdb_filter_prefetch(&t->index.filter, lookup_hash(key));
}

/* Whether filter and model leave it possible that the table has the key. */
static bool may_have(struct sdb_table *t, struct sdb_lookup *l, uint64_t code,
                     struct sdb_table_counts *counts)
{
    struct sdb_table_index *x = &t->index;
    if (x->learned.nruns > 0 &&
        !sdb_learned_has(&x->learned, &x->coder, l->key, code)) {
        sdb_table_count(&counts->runs_negative);
        return false;
    }
    if (x->filter.n == 0)
        return true;
    bool has = sdb_filter_has(&x->filter, lookup_hash(l));
    sdb_table_count(has ? &counts->filter_passed : &counts->filter_negative);
    return has;
}

SDB_COLD static void check_model(const struct sdb_table *t, uint64_t code,
                                 struct sdb_table_counts *counts)
{
    uint64_t off = 0;
    if (!sdb_table_index_error(&t->index, code, &off))
        return;
    sdb_table_count(&counts->model_checked);
    off += read_count(&counts->model_off);
    atomic_store_explicit(&counts->model_off, off, memory_order_relaxed);
}

int sdb_table_get(struct sdb_table *t, struct sdb_lookup *key, uint64_t ceiling,
                  struct sdb_found *out, seerdb_err *err)
{
    struct sdb_table_cursor c = {.table = t};
    uint64_t code = sdb_code(&t->index.coder, key->key);
    struct sdb_record r;
    bool exact;
    struct sdb_table_counts *counts =
        key->counts != NULL ? key->counts : &t->index.counts;
    if (!may_have(t, key, code, counts))
        return SEERDB_NOTFOUND;
    if (SDB_RARELY(atomic_load_explicit(&counts->deep, memory_order_relaxed)))
        check_model(t, code, counts);
    int rc = sdb_table_cursor_locate_code(&c, key->key, code, ceiling, &exact, err);
    if (rc == 0 && !exact) {
        rc = SEERDB_NOTFOUND;
        if (t->index.filter.n > 0)
            sdb_table_count(&counts->filter_false);
    }
    if (rc != 0) {
        sdb_table_cursor_fini(&c);
        return rc;
    }
    sdb_block_record(&c.held->block, c.slot, &r);
    *out = (struct sdb_found){r.number, r.kind, r.value, &c.held->pin, r.key};
    return 0;
}

uint64_t sdb_table_rank(struct sdb_table *t, seerdb_slice key)
{
    struct sdb_table_index *x = &t->index;
    uint32_t lo, hi;
    sdb_table_index_search(x, sdb_code(&x->coder, key), key, &lo, &hi);
    if (sdb_slice_cmp(key, x->props.smallest) <= 0)
        return 0;
    if (sdb_slice_cmp(key, x->props.largest) > 0)
        return x->props.records;
    /* Block lo - 1 has it, or one of those up to hi: say, in the middle. */
    uint64_t halves = (uint64_t)lo + hi;
    halves = halves > 0 ? halves - 1 : 0;
    return (uint64_t)((double)x->props.records * (double)halves / 2 / x->n);
}
