/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/rival.h"

#include <stdlib.h>
#include <string.h>

struct db {
    seerdb *store;
    seerdb_tree *tree;
    seerdb_batch *batch;
};

struct reader {
    struct db *db;
    seerdb_view *pinned; /* NULL: each get opens a view of its own */
    seerdb_iter *it;
    seerdb_value value; /* of the last get; its pin is held until the next */
};

static void must(int rc, const seerdb_err *err, const char *what)
{
    if (rc != 0)
        bench_die("seerdb: %s: %d: %s", what, rc, err->msg);
}

/* Features that seerdb.h of an older checkout lacks. */
#ifdef BENCH_SEERDB_INDEXES
const bool bench_seerdb_has_indexes = true;
static void choose_index(seerdb_tree_options *o, int variant)
{
    o->filter_bits = 10;
    if (variant == BENCH_BINARY_INDEX)
        o->index = SEERDB_INDEX_BINARY;
}
#else
const bool bench_seerdb_has_indexes = false;
static void choose_index(seerdb_tree_options *o, int variant)
{
    (void)o;
    (void)variant;
}
#endif

#ifdef BENCH_SEERDB_COMPACT
static int compact_tree(struct db *db, seerdb_err *err)
{
    return seerdb_compact(db->store, db->tree, err);
}
#else
static int compact_tree(struct db *db, seerdb_err *err)
{
    (void)db;
    (void)err;
    return 0;
}
#endif

static void *open_db(const struct bench_setup *setup, int variant)
{
    seerdb_err err = {0};
    struct db *db = calloc(1, sizeof *db);
    seerdb_options options = {.create = true, .memory_limit = BENCH_MEMORY};
    seerdb_tree_options tree = {.name = "bench",
                                .compression = variant == BENCH_COMPRESSED ? 1 : 0};
    if (db == NULL)
        bench_die("out of memory");
    choose_index(&tree, variant);
    must(seerdb_open(setup->dir, &options, &db->store, &err), &err, "open");
    must(seerdb_tree_create(db->store, &tree, &db->tree, &err), &err, "tree_create");
    must(seerdb_batch_new(db->store, &db->batch, &err), &err, "batch_new");
    return db;
}

static void close_db(void *p)
{
    struct db *db = p;
    seerdb_err err = {0};
    seerdb_batch_free(db->batch);
    seerdb_tree_close(db->tree);
    must(seerdb_close(db->store, &err), &err, "close");
    free(db);
}

static void put(void *p, seerdb_slice key, seerdb_slice value)
{
    struct db *db = p;
    seerdb_err err;
    int rc = seerdb_batch_put(db->batch, db->tree, key, value, &err);
    if (rc != 0)
        must(rc, &err, "put");
}

static void commit(void *p)
{
    struct db *db = p;
    seerdb_err err;
    int rc = seerdb_write(db->batch, SEERDB_SYNC_OFF, &err);
    if (rc != 0)
        must(rc, &err, "write");
}

static void *reader_open(void *p)
{
    struct reader *r = calloc(1, sizeof *r);
    if (r == NULL)
        bench_die("out of memory");
    r->db = p;
    return r;
}

static void release(struct reader *r)
{
    seerdb_pin_unref(r->value.pin);
    r->value = (seerdb_value){0};
}

static void reader_close(void *p)
{
    struct reader *r = p;
    release(r);
    seerdb_view_close(r->pinned);
    free(r);
}

static void pin(void *p)
{
    struct reader *r = p;
    seerdb_err err = {0};
    must(seerdb_view_open(r->db->tree, &r->pinned, &err), &err, "view_open");
}

static void unpin(void *p)
{
    struct reader *r = p;
    release(r);
    seerdb_view_close(r->pinned);
    r->pinned = NULL;
}

/* The reader's pinned view, or a new one of the last commit. */
static seerdb_view *view_of(struct reader *r)
{
    seerdb_err err;
    seerdb_view *view = NULL;
    if (r->pinned != NULL)
        return seerdb_view_ref(r->pinned);
    int rc = seerdb_view_open(r->db->tree, &view, &err);
    if (rc != 0)
        must(rc, &err, "view_open");
    return view;
}

static bool get(void *p, seerdb_slice key, seerdb_slice *value)
{
    struct reader *r = p;
    seerdb_err err;
    release(r);
    seerdb_view *view = view_of(r);
    int rc = seerdb_get(view, NULL, SEERDB_BATCH_ALL, key, &r->value, &err);
    seerdb_view_close(view);
    if (rc != 0 && rc != SEERDB_NOTFOUND)
        must(rc, &err, "get");
    *value = r->value.bytes;
    return rc == 0;
}

static void cursor_open(void *p)
{
    struct reader *r = p;
    seerdb_err err = {0};
    seerdb_view *view = view_of(r);
    must(seerdb_iter_open(view, NULL, SEERDB_BATCH_ALL, &r->it, &err), &err,
         "iter_open");
    seerdb_view_close(view);
}

static void cursor_close(void *p)
{
    struct reader *r = p;
    seerdb_iter_close(r->it);
    r->it = NULL;
}

static bool moved(int rc, const seerdb_err *err)
{
    if (rc != 0 && rc != SEERDB_NOTFOUND)
        must(rc, err, "iterator");
    return rc == 0;
}

static bool first(void *p)
{
    seerdb_err err;
    int rc = seerdb_iter_first(((struct reader *)p)->it, &err);
    return moved(rc, &err);
}

static bool last(void *p)
{
    seerdb_err err;
    int rc = seerdb_iter_last(((struct reader *)p)->it, &err);
    return moved(rc, &err);
}

static bool seek(void *p, seerdb_slice key)
{
    seerdb_err err;
    int rc = seerdb_iter_seek(((struct reader *)p)->it, key, &err);
    return moved(rc, &err);
}

static bool next(void *p)
{
    seerdb_err err;
    int rc = seerdb_iter_next(((struct reader *)p)->it, &err);
    return moved(rc, &err);
}

static bool prev(void *p)
{
    seerdb_err err;
    int rc = seerdb_iter_prev(((struct reader *)p)->it, &err);
    return moved(rc, &err);
}

static void at(void *p, seerdb_slice *key, seerdb_slice *value)
{
    struct reader *r = p;
    *key = seerdb_iter_key(r->it);
    *value = seerdb_iter_value(r->it);
}

struct wanted {
    struct bench_io *io;
    double tables;
    bool busy;
};

static bool take(void *ctx, const seerdb_stat *s)
{
    struct wanted *w = ctx;
    if (strcmp(s->name, "log_written") == 0)
        w->io->log = s->value;
    else if (strcmp(s->name, "flush_written") == 0)
        w->io->flush = s->value;
    else if (strstr(s->name, "compact") != NULL && strstr(s->name, "written") != NULL)
        w->io->compact = s->value;
    else if (strcmp(s->name, "runs") == 0)
        w->io->runs = s->value;
    else if (strcmp(s->name, "tables") == 0)
        w->tables = s->value;
    else if (strcmp(s->name, "background_busy") == 0)
        w->busy = s->value > 0;
    return true;
}

static bool look(struct db *db, struct bench_io *io)
{
    seerdb_err err = {0};
    struct wanted w = {.io = io};
    must(seerdb_stats(db->store, db->tree, take, &w, &err), &err, "stats");
    if (io->runs <= 0)
        io->runs = w.tables; /* without compaction each table is a run */
    return w.busy;
}

static void io_of(void *p, struct bench_io *io)
{
    (void)look(p, io);
}

/* Returns when nothing runs in the background any more. */
static void settle(struct db *db)
{
    struct timespec pause = {.tv_nsec = 2000000};
    struct bench_io io;
    do {
        io = (struct bench_io){0};
        nanosleep(&pause, NULL);
    } while (look(db, &io));
}

static void flush(void *p)
{
    struct db *db = p;
    seerdb_err err = {0};
    must(seerdb_flush(db->store, db->tree, &err), &err, "flush");
}

static void compact(void *p)
{
    struct db *db = p;
    seerdb_err err = {0};
    flush(p);
    must(compact_tree(db, &err), &err, "compact");
    settle(db);
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

const struct bench_rival_ops bench_seerdb = OPS(BENCH_PLAIN);
const struct bench_rival_ops bench_seerdb_zstd = OPS(BENCH_COMPRESSED);
const struct bench_rival_ops bench_seerdb_binary = OPS(BENCH_BINARY_INDEX);
