/* SPDX-License-Identifier: Apache-2.0
 *
 * LMDB is a B+-tree that pages are copied in: no log, nothing to flush or to compact.
 * Its memory is the page cache, and its mapped pages count as resident. */
#include "bench/rival.h"

#include <lmdb.h>

#include <stdlib.h>

struct db {
    MDB_env *env;
    MDB_dbi dbi;
    MDB_txn *write; /* NULL: no write is pending */
};

struct reader {
    struct db *db;
    MDB_txn *txn; /* reset between uses */
    bool active, pinned;
    MDB_cursor *cursor;
    MDB_val key, value; /* where the cursor stands */
};

static void must(int rc, const char *what)
{
    if (rc != 0)
        bench_die("LMDB: %s: %s", what, mdb_strerror(rc));
}

static void *open_db(const struct bench_setup *setup, int variant)
{
    MDB_txn *txn;
    struct db *db = calloc(1, sizeof *db);
    (void)variant;
    if (db == NULL)
        bench_die("out of memory");
    must(mdb_env_create(&db->env), "create");
    must(mdb_env_set_mapsize(db->env, (size_t)64 << 30), "set_mapsize");
    must(mdb_env_open(db->env, setup->dir, MDB_NOSYNC | MDB_NOTLS, 0666), "open");
    must(mdb_txn_begin(db->env, NULL, 0, &txn), "begin");
    must(mdb_dbi_open(txn, NULL, 0, &db->dbi), "dbi_open");
    must(mdb_txn_commit(txn), "commit");
    return db;
}

static void close_db(void *p)
{
    struct db *db = p;
    mdb_env_close(db->env);
    free(db);
}

static MDB_val to_val(seerdb_slice s)
{
    MDB_val v = {s.size, (void *)(uintptr_t)s.data};
    return v;
}

static void put(void *p, seerdb_slice key, seerdb_slice value)
{
    struct db *db = p;
    MDB_val k = to_val(key), v = to_val(value);
    if (db->write == NULL)
        must(mdb_txn_begin(db->env, NULL, 0, &db->write), "begin");
    must(mdb_put(db->write, db->dbi, &k, &v, 0), "put");
}

static void commit(void *p)
{
    struct db *db = p;
    if (db->write != NULL)
        must(mdb_txn_commit(db->write), "commit");
    db->write = NULL;
}

static void *reader_open(void *p)
{
    struct reader *r = calloc(1, sizeof *r);
    if (r == NULL)
        bench_die("out of memory");
    r->db = p;
    must(mdb_txn_begin(r->db->env, NULL, MDB_RDONLY, &r->txn), "begin");
    mdb_txn_reset(r->txn);
    return r;
}

/* Go back to no snapshot, unless one is pinned or a cursor is open. */
static void rest(struct reader *r)
{
    if (r->active && !r->pinned && r->cursor == NULL) {
        mdb_txn_reset(r->txn);
        r->active = false;
    }
}

static void renew(struct reader *r)
{
    if (!r->active)
        must(mdb_txn_renew(r->txn), "renew");
    r->active = true;
}

static void reader_close(void *p)
{
    struct reader *r = p;
    mdb_txn_abort(r->txn);
    free(r);
}

static void pin(void *p)
{
    struct reader *r = p;
    rest(r);
    renew(r);
    r->pinned = true;
}

static void unpin(void *p)
{
    struct reader *r = p;
    r->pinned = false;
    rest(r);
}

static bool get(void *p, seerdb_slice key, seerdb_slice *value)
{
    struct reader *r = p;
    MDB_val k = to_val(key), v = {0, NULL};
    rest(r); /* what the last get returned lived as long as its transaction */
    renew(r);
    int rc = mdb_get(r->txn, r->db->dbi, &k, &v);
    if (rc != 0 && rc != MDB_NOTFOUND)
        must(rc, "get");
    *value = (seerdb_slice){v.mv_data, v.mv_size};
    return rc == 0;
}

static void cursor_open(void *p)
{
    struct reader *r = p;
    rest(r);
    renew(r);
    must(mdb_cursor_open(r->txn, r->db->dbi, &r->cursor), "cursor_open");
}

static void cursor_close(void *p)
{
    struct reader *r = p;
    mdb_cursor_close(r->cursor);
    r->cursor = NULL;
    rest(r);
}

static bool move(struct reader *r, MDB_cursor_op op)
{
    int rc = mdb_cursor_get(r->cursor, &r->key, &r->value, op);
    if (rc != 0 && rc != MDB_NOTFOUND)
        must(rc, "cursor_get");
    return rc == 0;
}

static bool first(void *p)
{
    return move(p, MDB_FIRST);
}

static bool last(void *p)
{
    return move(p, MDB_LAST);
}

static bool seek(void *p, seerdb_slice key)
{
    ((struct reader *)p)->key = to_val(key);
    return move(p, MDB_SET_RANGE);
}

static bool next(void *p)
{
    return move(p, MDB_NEXT);
}

static bool prev(void *p)
{
    return move(p, MDB_PREV);
}

static void at(void *p, seerdb_slice *key, seerdb_slice *value)
{
    struct reader *r = p;
    *key = (seerdb_slice){r->key.mv_data, r->key.mv_size};
    *value = (seerdb_slice){r->value.mv_data, r->value.mv_size};
}

static void io_of(void *p, struct bench_io *io)
{
    (void)p;
    io->runs = 1;
}

const struct bench_rival_ops bench_lmdb = {.variant = BENCH_PLAIN,
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
                                           .io = io_of};
