/* SPDX-License-Identifier: Apache-2.0
 *
 * marked_rig -- for the tests of marked trees: a store on a file system in memory, and
 * the owner of one tree in it. */
#ifndef SDB_DB_MARKED_RIG_H
#define SDB_DB_MARKED_RIG_H

#include "test.h"

#include "os/memfs.h"

#include <stdlib.h>

/* The owner of a marked tree, as a database would be: its marker is the truth. */
struct owner {
    struct sdb_fs *fs;
    seerdb *db;
    seerdb_tree *tree;
    seerdb_batch *batch;
    seerdb_uuid id, tree_id;
    uint64_t marker;
    unsigned history_ms;
    unsigned decisions;     /* asked of it */
    bool decided;           /* what it answers: yes to everything, or ... */
    uint64_t decided_below; /* ... to commits below this */
};

static inline int decide(void *ctx, uint64_t below, seerdb_err *err)
{
    struct owner *o = ctx;
    o->decisions++;
    if (o->decided || below <= o->decided_below)
        return 0;
    err->code = SEERDB_IOERR;
    snprintf(err->msg, sizeof err->msg, "the owner's disk fails");
    return SEERDB_IOERR;
}

static inline void open_store(struct owner *o)
{
    seerdb_err err = {0};
    seerdb_options options = {.create = true,
                              .fs = o->fs,
                              .memory_limit = 1 << 20,
                              .log_file_size = 64 << 10,
                              .history_ms = o->history_ms};
    test_ok(seerdb_open("store", &options, &o->db, &err), &err);
    if (seerdb_tree_open(o->db, &o->tree_id, &o->tree, &err) == SEERDB_NOTFOUND) {
        seerdb_tree_options t = {
            .id = o->tree_id, .owner = o->id, .name = "t", .marked = true};
        test_ok(seerdb_tree_create(o->db, &t, &o->tree, &err), &err);
    }
    test_ok(seerdb_set_decider(o->db, &o->id, decide, o, &err), &err);
    test_ok(seerdb_batch_new(o->db, &o->batch, &err), &err);
}

static inline void close_store(struct owner *o)
{
    seerdb_err err = {0};
    seerdb_batch_free(o->batch);
    test_ok(seerdb_set_decider(o->db, &o->id, NULL, NULL, &err), &err);
    seerdb_tree_close(o->tree);
    test_ok(seerdb_close(o->db, &err), &err);
}

static inline void reopen(struct owner *o)
{
    close_store(o);
    open_store(o);
}

static inline struct owner *owner_new(unsigned history_ms)
{
    struct owner *o = calloc(1, sizeof *o);
    o->fs = sdb_memfs_new(false);
    o->id.bytes[0] = 1;
    o->tree_id.bytes[0] = 2;
    o->history_ms = history_ms;
    o->decided = true;
    open_store(o);
    return o;
}

static inline void owner_free(struct owner *o)
{
    close_store(o);
    sdb_memfs_free(o->fs);
    free(o);
}

/* Prepare a commit that sets key to value; returns its number. */
static inline uint64_t prepare(struct owner *o, const char *key, const char *value)
{
    seerdb_err err = {0};
    uint64_t number;
    test_ok(seerdb_batch_expect(o->batch, o->tree, o->marker, 0, NULL, &err), &err);
    test_ok(
        seerdb_batch_put(o->batch, o->tree, test_slice(key), test_slice(value), &err),
        &err);
    test_ok(seerdb_prepare(o->batch, SEERDB_SYNC_FULL, &number, &err), &err);
    return number;
}

static inline void put(struct owner *o, const char *key, const char *value)
{
    o->marker = prepare(o, key, value);
    seerdb_commit(o->batch);
}

static inline uint64_t put_and_roll_back(struct owner *o, const char *key,
                                         const char *value)
{
    seerdb_err err = {0};
    uint64_t number = prepare(o, key, value);
    test_ok(seerdb_rollback(o->batch, &err), &err);
    return number;
}

/* What a reader with this marker sees of key: value, or NULL for nothing. */
static inline void expect_at(struct owner *o, uint64_t marker, const char *key,
                             const char *value)
{
    seerdb_err err = {0};
    seerdb_view *view;
    seerdb_value got;
    test_ok(seerdb_view_open_at(o->tree, marker, 0, &view, &err), &err);
    int rc = seerdb_get(view, NULL, 0, test_slice(key), &got, &err);
    if (value == NULL) {
        assert_int_equal(rc, SEERDB_NOTFOUND);
    } else {
        test_ok(rc, &err);
        test_slice_equal(got.bytes, test_slice(value));
        seerdb_pin_unref(got.pin);
    }
    seerdb_view_close(view);
}

#endif
