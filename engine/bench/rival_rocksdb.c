/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/rival.h"

#include <rocksdb/c.h>

#include <stdlib.h>
#include <string.h>

struct db {
    rocksdb_t *db;
    rocksdb_options_t *options;
    rocksdb_cache_t *cache;
    rocksdb_writeoptions_t *write_options;
    rocksdb_writebatch_t *batch;
    bool counted;
};

struct reader {
    struct db *db;
    rocksdb_readoptions_t *options;
    const rocksdb_snapshot_t *snapshot;
    rocksdb_pinnableslice_t *found; /* NULL: none */
    rocksdb_iterator_t *it;
};

static void must(const char *error, const char *what)
{
    if (error != NULL)
        bench_die("RocksDB: %s: %s", what, error);
}

static rocksdb_options_t *make_options(const struct bench_setup *setup, int variant,
                                       rocksdb_cache_t *cache)
{
    rocksdb_options_t *o = rocksdb_options_create();
    rocksdb_block_based_table_options_t *t = rocksdb_block_based_options_create();
    rocksdb_options_set_create_if_missing(o, 1);
    rocksdb_options_set_write_buffer_size(o, (size_t)64 << 20);
    rocksdb_options_set_compression(o, variant == BENCH_COMPRESSED
                                           ? rocksdb_lz4_compression
                                           : rocksdb_no_compression);
    if (setup->compaction == BENCH_ON_REQUEST)
        rocksdb_options_set_disable_auto_compactions(o, 1);
    if (setup->count_bytes)
        rocksdb_options_enable_statistics(o);
    rocksdb_block_based_options_set_block_cache(t, cache);
    rocksdb_block_based_options_set_filter_policy(
        t, rocksdb_filterpolicy_create_bloom_full(10));
    rocksdb_options_set_block_based_table_factory(o, t);
    rocksdb_block_based_options_destroy(t);
    return o;
}

static void *open_db(const struct bench_setup *setup, int variant)
{
    char *error = NULL;
    struct db *db = calloc(1, sizeof *db);
    if (db == NULL)
        bench_die("out of memory");
    db->cache = rocksdb_cache_create_lru(BENCH_MEMORY - ((size_t)64 << 20));
    db->options = make_options(setup, variant, db->cache);
    db->counted = setup->count_bytes;
    db->write_options = rocksdb_writeoptions_create(); /* WAL on, sync off */
    db->batch = rocksdb_writebatch_create();
    db->db = rocksdb_open(db->options, setup->dir, &error);
    must(error, "open");
    return db;
}

static void close_db(void *p)
{
    struct db *db = p;
    rocksdb_writebatch_destroy(db->batch);
    rocksdb_writeoptions_destroy(db->write_options);
    rocksdb_close(db->db);
    rocksdb_options_destroy(db->options);
    rocksdb_cache_destroy(db->cache);
    free(db);
}

static void put(void *p, seerdb_slice key, seerdb_slice value)
{
    rocksdb_writebatch_put(((struct db *)p)->batch, key.data, key.size, value.data,
                           value.size);
}

static void commit(void *p)
{
    struct db *db = p;
    char *error = NULL;
    rocksdb_write(db->db, db->write_options, db->batch, &error);
    must(error, "write");
    rocksdb_writebatch_clear(db->batch);
}

static void *reader_open(void *p)
{
    struct reader *r = calloc(1, sizeof *r);
    if (r == NULL)
        bench_die("out of memory");
    r->db = p;
    r->options = rocksdb_readoptions_create();
    return r;
}

static void release(struct reader *r)
{
    if (r->found != NULL)
        rocksdb_pinnableslice_destroy(r->found);
    r->found = NULL;
}

static void reader_close(void *p)
{
    struct reader *r = p;
    release(r);
    rocksdb_readoptions_destroy(r->options);
    free(r);
}

static void pin(void *p)
{
    struct reader *r = p;
    r->snapshot = rocksdb_create_snapshot(r->db->db);
    rocksdb_readoptions_set_snapshot(r->options, r->snapshot);
}

static void unpin(void *p)
{
    struct reader *r = p;
    release(r);
    rocksdb_readoptions_set_snapshot(r->options, NULL);
    rocksdb_release_snapshot(r->db->db, r->snapshot);
    r->snapshot = NULL;
}

static bool get(void *p, seerdb_slice key, seerdb_slice *value)
{
    struct reader *r = p;
    char *error = NULL;
    release(r);
    r->found = rocksdb_get_pinned(r->db->db, r->options, key.data, key.size, &error);
    must(error, "get");
    if (r->found == NULL)
        return false;
    value->data = rocksdb_pinnableslice_value(r->found, &value->size);
    return true;
}

static void cursor_open(void *p)
{
    struct reader *r = p;
    r->it = rocksdb_create_iterator(r->db->db, r->options);
}

static void cursor_close(void *p)
{
    struct reader *r = p;
    rocksdb_iter_destroy(r->it);
    r->it = NULL;
}

static bool valid(struct reader *r)
{
    char *error = NULL;
    if (rocksdb_iter_valid(r->it))
        return true;
    rocksdb_iter_get_error(r->it, &error);
    must(error, "iterator");
    return false;
}

static bool first(void *p)
{
    rocksdb_iter_seek_to_first(((struct reader *)p)->it);
    return valid(p);
}

static bool last(void *p)
{
    rocksdb_iter_seek_to_last(((struct reader *)p)->it);
    return valid(p);
}

static bool seek(void *p, seerdb_slice key)
{
    rocksdb_iter_seek(((struct reader *)p)->it, key.data, key.size);
    return valid(p);
}

static bool next(void *p)
{
    rocksdb_iter_next(((struct reader *)p)->it);
    return valid(p);
}

static bool prev(void *p)
{
    rocksdb_iter_prev(((struct reader *)p)->it);
    return valid(p);
}

static void at(void *p, seerdb_slice *key, seerdb_slice *value)
{
    struct reader *r = p;
    key->data = rocksdb_iter_key(r->it, &key->size);
    value->data = rocksdb_iter_value(r->it, &value->size);
}

/* "rocksdb.wal.bytes COUNT : 12345" */
static double ticker(const char *statistics, const char *name)
{
    const char *line = strstr(statistics, name);
    if (line == NULL)
        bench_die("RocksDB's statistics do not list %s", name);
    return strtod(line + strlen(name), NULL);
}

static double files_at(struct db *db, int level)
{
    char name[64];
    snprintf(name, sizeof name, "rocksdb.num-files-at-level%d", level);
    char *text = rocksdb_property_value(db->db, name);
    double n = text != NULL ? strtod(text, NULL) : 0;
    rocksdb_free(text);
    return n;
}

static void io_of(void *p, struct bench_io *io)
{
    struct db *db = p;
    io->runs = files_at(db, 0);
    for (int level = 1; level < 7; level++)
        io->runs += files_at(db, level) > 0 ? 1 : 0;
    if (!db->counted)
        return;
    char *text = rocksdb_options_statistics_get_string(db->options);
    if (text == NULL)
        bench_die("RocksDB has no statistics");
    io->log = ticker(text, "rocksdb.wal.bytes COUNT : ");
    io->flush = ticker(text, "rocksdb.flush.write.bytes COUNT : ");
    io->compact = ticker(text, "rocksdb.compact.write.bytes COUNT : ");
    rocksdb_free(text);
}

static void flush(void *p)
{
    struct db *db = p;
    char *error = NULL;
    rocksdb_flushoptions_t *o = rocksdb_flushoptions_create();
    rocksdb_flushoptions_set_wait(o, 1);
    rocksdb_flush(db->db, o, &error);
    must(error, "flush");
    rocksdb_flushoptions_destroy(o);
}

static void compact(void *p)
{
    flush(p);
    rocksdb_compact_range(((struct db *)p)->db, NULL, 0, NULL, 0);
}

#define OPS(v)                                                                         \
    {                                                                                  \
        .variant = v, .open = open_db, .close = close_db, .put = put,                  \
        .commit = commit, .reader_open = reader_open, .reader_close = reader_close,    \
        .pin = pin, .unpin = unpin, .get = get, .cursor_open = cursor_open,            \
        .cursor_close = cursor_close, .first = first, .last = last, .seek = seek,      \
        .next = next, .prev = prev, .at = at, .flush = flush, .compact = compact,      \
        .io = io_of                                                                    \
    }

const struct bench_rival_ops bench_rocksdb = OPS(BENCH_PLAIN);
const struct bench_rival_ops bench_rocksdb_lz4 = OPS(BENCH_COMPRESSED);
