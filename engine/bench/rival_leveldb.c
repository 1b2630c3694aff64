/* SPDX-License-Identifier: Apache-2.0
 *
 * LevelDB has no call that flushes and none that stops compaction: "flush" compacts a
 * range that holds nothing, which LevelDB begins by writing its memtable out. */
#include "bench/rival.h"

#include <leveldb/c.h>

#include <stdlib.h>
#include <string.h>

struct db {
    leveldb_t *db;
    leveldb_options_t *options;
    leveldb_cache_t *cache;
    leveldb_filterpolicy_t *filter;
    leveldb_writeoptions_t *write_options;
    leveldb_writebatch_t *batch;
    uint64_t written_at_open;
};

struct reader {
    struct db *db;
    leveldb_readoptions_t *options;
    const leveldb_snapshot_t *snapshot;
    char *found;
    leveldb_iterator_t *it;
};

static void must(const char *error, const char *what)
{
    if (error != NULL)
        bench_die("LevelDB: %s: %s", what, error);
}

static void *open_db(const struct bench_setup *setup, int variant)
{
    char *error = NULL;
    struct db *db = calloc(1, sizeof *db);
    (void)variant;
    if (db == NULL)
        bench_die("out of memory");
    db->cache = leveldb_cache_create_lru(BENCH_MEMORY - ((size_t)64 << 20));
    db->filter = leveldb_filterpolicy_create_bloom(10);
    db->options = leveldb_options_create();
    leveldb_options_set_create_if_missing(db->options, 1);
    leveldb_options_set_write_buffer_size(db->options, (size_t)64 << 20);
    leveldb_options_set_cache(db->options, db->cache);
    leveldb_options_set_filter_policy(db->options, db->filter);
    leveldb_options_set_compression(db->options, leveldb_no_compression);
    db->write_options = leveldb_writeoptions_create(); /* sync off */
    db->batch = leveldb_writebatch_create();
    db->written_at_open = bench_written_bytes();
    db->db = leveldb_open(db->options, setup->dir, &error);
    must(error, "open");
    return db;
}

static void close_db(void *p)
{
    struct db *db = p;
    leveldb_close(db->db);
    leveldb_writebatch_destroy(db->batch);
    leveldb_writeoptions_destroy(db->write_options);
    leveldb_options_destroy(db->options);
    leveldb_filterpolicy_destroy(db->filter);
    leveldb_cache_destroy(db->cache);
    free(db);
}

static void put(void *p, seerdb_slice key, seerdb_slice value)
{
    leveldb_writebatch_put(((struct db *)p)->batch, key.data, key.size, value.data,
                           value.size);
}

static void commit(void *p)
{
    struct db *db = p;
    char *error = NULL;
    leveldb_write(db->db, db->write_options, db->batch, &error);
    must(error, "write");
    leveldb_writebatch_clear(db->batch);
}

static void *reader_open(void *p)
{
    struct reader *r = calloc(1, sizeof *r);
    if (r == NULL)
        bench_die("out of memory");
    r->db = p;
    r->options = leveldb_readoptions_create();
    return r;
}

static void release(struct reader *r)
{
    if (r->found != NULL)
        leveldb_free(r->found);
    r->found = NULL;
}

static void reader_close(void *p)
{
    struct reader *r = p;
    release(r);
    leveldb_readoptions_destroy(r->options);
    free(r);
}

static void pin(void *p)
{
    struct reader *r = p;
    r->snapshot = leveldb_create_snapshot(r->db->db);
    leveldb_readoptions_set_snapshot(r->options, r->snapshot);
}

static void unpin(void *p)
{
    struct reader *r = p;
    leveldb_readoptions_set_snapshot(r->options, NULL);
    leveldb_release_snapshot(r->db->db, r->snapshot);
    r->snapshot = NULL;
}

static bool get(void *p, seerdb_slice key, seerdb_slice *value)
{
    struct reader *r = p;
    char *error = NULL;
    release(r);
    r->found =
        leveldb_get(r->db->db, r->options, key.data, key.size, &value->size, &error);
    must(error, "get");
    value->data = r->found;
    return r->found != NULL;
}

static void cursor_open(void *p)
{
    struct reader *r = p;
    r->it = leveldb_create_iterator(r->db->db, r->options);
}

static void cursor_close(void *p)
{
    struct reader *r = p;
    leveldb_iter_destroy(r->it);
    r->it = NULL;
}

static bool valid(struct reader *r)
{
    char *error = NULL;
    if (leveldb_iter_valid(r->it))
        return true;
    leveldb_iter_get_error(r->it, &error);
    must(error, "iterator");
    return false;
}

static bool first(void *p)
{
    leveldb_iter_seek_to_first(((struct reader *)p)->it);
    return valid(p);
}

static bool last(void *p)
{
    leveldb_iter_seek_to_last(((struct reader *)p)->it);
    return valid(p);
}

static bool seek(void *p, seerdb_slice key)
{
    leveldb_iter_seek(((struct reader *)p)->it, key.data, key.size);
    return valid(p);
}

static bool next(void *p)
{
    leveldb_iter_next(((struct reader *)p)->it);
    return valid(p);
}

static bool prev(void *p)
{
    leveldb_iter_prev(((struct reader *)p)->it);
    return valid(p);
}

static void at(void *p, seerdb_slice *key, seerdb_slice *value)
{
    struct reader *r = p;
    key->data = leveldb_iter_key(r->it, &key->size);
    value->data = leveldb_iter_value(r->it, &value->size);
}

/* Tables: the last column of "leveldb.stats", in megabytes; flushes and compactions are
 * not told apart.  The log is what else the process wrote. */
static double table_bytes(struct db *db)
{
    char *text = leveldb_property_value(db->db, "leveldb.stats");
    double sum = 0;
    for (const char *line = text; line != NULL; line = strchr(line + 1, '\n')) {
        int level;
        double files, size, seconds, read, written;
        if (sscanf(line, " %d %lf %lf %lf %lf %lf", &level, &files, &size, &seconds,
                   &read, &written) == 6)
            sum += written * 1048576;
    }
    leveldb_free(text);
    return sum;
}

static void io_of(void *p, struct bench_io *io)
{
    struct db *db = p;
    io->compact = table_bytes(db);
    io->log = (double)(bench_written_bytes() - db->written_at_open) - io->compact;
    if (io->log < 0)
        io->log = 0;
    for (int level = 0; level < 7; level++) {
        char name[64];
        snprintf(name, sizeof name, "leveldb.num-files-at-level%d", level);
        char *text = leveldb_property_value(db->db, name);
        double n = text != NULL ? strtod(text, NULL) : 0;
        io->runs += level == 0 ? n : n > 0 ? 1 : 0;
        leveldb_free(text);
    }
}

static void flush(void *p)
{
    static const char before_all[] = "";
    leveldb_compact_range(((struct db *)p)->db, before_all, 0, before_all, 0);
}

static void compact(void *p)
{
    leveldb_compact_range(((struct db *)p)->db, NULL, 0, NULL, 0);
}

const struct bench_rival_ops bench_leveldb = {.variant = BENCH_PLAIN,
                                              .open = open_db,
                                              .close = close_db,
                                              .put = put,
                                              .commit = commit,
                                              .reader_open = reader_open,
                                              .reader_close = reader_close,
                                              .pin = pin,
                                              .unpin = unpin,
                                              .get = get,
                                              .cursor_open = cursor_open,
                                              .cursor_close = cursor_close,
                                              .first = first,
                                              .last = last,
                                              .seek = seek,
                                              .next = next,
                                              .prev = prev,
                                              .at = at,
                                              .flush = flush,
                                              .compact = compact,
                                              .io = io_of};
