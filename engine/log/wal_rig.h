/* SPDX-License-Identifier: Apache-2.0
 *
 * wal_rig -- what the tests of the commit log share; tests only.
 *
 * Record i of a log carries its index and bytes made from it, so that whatever recovery
 * returns can be told: the right records, in order, without a gap, unaltered. */
#ifndef SDB_LOG_WAL_RIG_H
#define SDB_LOG_WAL_RIG_H

#include "test.h"

#include "log/wal.h"

#include "base/coding.h"
#include "base/rand.h"
#include "os/faultfs.h"
#include "os/memfs.h"

#include <stdatomic.h>

#define FILE_SIZE   4096
#define MAX_RECORDS 4096

static const seerdb_uuid store = {
    {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}};

struct rig {
    struct sdb_fs *mem, *fs; /* fs: the fault layer over mem */
    _Atomic uint64_t next_file;
    struct sdb_wal_options o;
    struct sdb_wal *wal;
    struct sdb_mutex write;
    uint64_t floor;
    /* What was appended and acknowledged. */
    uint64_t positions[MAX_RECORDS], ends[MAX_RECORDS];
    size_t n, nsynced;
    uint64_t end; /* of the last */
    /* While recovering: the next index expected. */
    size_t next;
    size_t closes;
    struct sdb_buf payload; /* reused */
};

static inline void rig_init(struct rig *g)
{
    seerdb_err err = {0};
    memset(g, 0, sizeof *g);
    g->mem = sdb_memfs_new(true);
    g->fs = sdb_faultfs_new(g->mem);
    assert_non_null(g->fs);
    test_ok(sdb_fs_mkdir(g->fs, "d", &err), &err);
    test_ok(sdb_fs_sync_dir(g->fs, ".", &err), &err);
    atomic_init(&g->next_file, 5);
    g->o = (struct sdb_wal_options){.fs = g->fs,
                                    .dir = "d",
                                    .store = store,
                                    .file_size = FILE_SIZE,
                                    .next_file = &g->next_file,
                                    .keep = 2};
    sdb_mutex_init(&g->write);
}

static inline void rig_fini(struct rig *g)
{
    sdb_wal_abandon(g->wal);
    sdb_faultfs_free(g->fs);
    sdb_memfs_free(g->mem);
    sdb_mutex_fini(&g->write);
    sdb_buf_fini(&g->payload);
}

/* The payload of record i, `size` bytes and 8 for the index. */
static inline void make_payload(struct sdb_buf *b, uint64_t i, size_t size)
{
    struct sdb_rand r = {i};
    sdb_buf_clear(b);
    sdb_put_u64(b, i);
    for (size_t k = 0; k < size; k++)
        sdb_put_u8(b, (uint8_t)sdb_rand_next(&r));
}

static inline int append_sized(struct rig *g, size_t size, seerdb_err *err)
{
    uint64_t position, end;
    make_payload(&g->payload, g->n, size);
    assert_true(g->n < MAX_RECORDS);
    sdb_lock_write(&g->write);
    int rc = sdb_wal_append(g->wal, SDB_WAL_PREPARE, SDB_OUTCOME_NONE,
                            sdb_buf_slice(&g->payload), &position, &end, err);
    sdb_unlock_write(&g->write);
    if (rc == 0) {
        assert_true(position >= g->end);
        assert_int_equal(end - position, sdb_frame_size(size + 8));
        g->positions[g->n] = position;
        g->ends[g->n++] = end;
        g->end = end;
    }
    return rc;
}

static inline int sync_all(struct rig *g, seerdb_err *err)
{
    int rc = sdb_wal_sync(g->wal, g->end, err);
    if (rc == 0)
        g->nsynced = g->n;
    return rc;
}

static inline void append(struct rig *g, size_t size)
{
    seerdb_err err = {0};
    test_ok(append_sized(g, size, &err), &err);
}

static inline void sync(struct rig *g)
{
    seerdb_err err = {0};
    test_ok(sync_all(g, &err), &err);
}

static inline int release_below(struct rig *g, uint64_t floor, seerdb_err *err)
{
    if (floor > g->floor)
        g->floor = floor;
    sdb_lock_write(&g->write);
    int rc = sdb_wal_release(g->wal, floor, err);
    sdb_unlock_write(&g->write);
    return rc;
}

static inline uint64_t current_file(struct rig *g)
{
    sdb_lock_write(&g->write);
    uint64_t number = sdb_wal_current_file(g->wal);
    sdb_unlock_write(&g->write);
    return number;
}

/* The first record that the floor does not exclude. */
static inline size_t first_live(const struct rig *g)
{
    size_t i = 0;
    while (i < g->n && sdb_wal_file_of(g->positions[i]) < g->floor)
        i++;
    return i;
}

static inline int check_record(void *ctx, const struct sdb_frame *f, uint64_t position,
                               seerdb_err *err)
{
    struct rig *g = ctx;
    (void)err;
    if (f->type == SDB_WAL_CLOSE) {
        g->closes++;
        return 0;
    }
    assert_true(f->payload.size >= 8);
    uint64_t i = sdb_load_u64(f->payload.data);
    assert_int_equal(i, g->next);
    make_payload(&g->payload, i, f->payload.size - 8);
    test_slice_equal(f->payload, sdb_buf_slice(&g->payload));
    /* One that was not acknowledged may be there all the same. */
    if (i < g->n)
        assert_int_equal(position, g->positions[i]);
    assert_true(f->synced <= position);
    g->next++;
    return 0;
}

static inline int recover(struct rig *g, struct sdb_wal_recovery *r, seerdb_err *err)
{
    g->next = first_live(g);
    g->closes = 0;
    return sdb_wal_recover(&g->o, g->floor, check_record, g, r, err);
}

/* Give the log up, recover, and go on behind what was there, which must be everything
 * synced and nothing out of order. */
static inline void reopen(struct rig *g)
{
    seerdb_err err = {0};
    struct sdb_wal_recovery r;
    sdb_wal_abandon(g->wal);
    g->wal = NULL;
    test_ok(recover(g, &r, &err), &err);
    assert_true(g->next >= g->nsynced || first_live(g) >= g->nsynced);
    if (g->next > g->n) {
        assert_int_equal(g->next, g->n + 1); /* the one whose append failed */
        g->positions[g->n] = r.last_position - 1;
    }
    g->n = g->nsynced = g->next;
    g->end = r.last_position;
    test_ok(sdb_wal_open(&g->o, &r, &g->wal, &err), &err);
    assert_int_equal(sdb_wal_synced(g->wal), r.last_position);
    sdb_wal_recovery_fini(&r);
}

static inline void open_new(struct rig *g)
{
    seerdb_err err = {0};
    struct sdb_wal_recovery none = {0};
    test_ok(sdb_wal_open(&g->o, &none, &g->wal, &err), &err);
}

static inline bool exists(struct rig *g, const char *path)
{
    seerdb_err err = {0};
    return sdb_fs_stat(g->fs, path, NULL, NULL, &err) == 0;
}

static inline size_t count_files(struct rig *g, const char *suffix)
{
    seerdb_err err = {0};
    uint64_t *at = NULL;
    size_t n = 0;
    test_ok(sdb_numbered_list(g->fs, "d", suffix, &at, &n, &err), &err);
    sdb_mem_free(at);
    return n;
}

#endif
