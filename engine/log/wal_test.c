/* SPDX-License-Identifier: Apache-2.0
 *
 * Record i of a log carries its index and bytes made from it, so that whatever recovery
 * returns can be told: the right records, in order, without a gap, unaltered. */
#include "test.h"

#include "log/wal.h"

#include "base/coding.h"
#include "base/rand.h"
#include "os/faultfs.h"
#include "os/memfs.h"
#include "os/thread.h"

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
    uint64_t positions[MAX_RECORDS];
    size_t n, nsynced;
    uint64_t end; /* of the last */
    /* While recovering: the next index expected. */
    size_t next;
    size_t closes;
    struct sdb_buf payload; /* reused */
};

static void rig_init(struct rig *g)
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

static void rig_fini(struct rig *g)
{
    sdb_wal_abandon(g->wal);
    sdb_faultfs_free(g->fs);
    sdb_memfs_free(g->mem);
    sdb_mutex_fini(&g->write);
    sdb_buf_fini(&g->payload);
}

/* The payload of record i, `size` bytes and 8 for the index. */
static void make_payload(struct sdb_buf *b, uint64_t i, size_t size)
{
    struct sdb_rand r = {i};
    sdb_buf_clear(b);
    sdb_put_u64(b, i);
    for (size_t k = 0; k < size; k++)
        sdb_put_u8(b, (uint8_t)sdb_rand_next(&r));
}

static int append_sized(struct rig *g, size_t size, seerdb_err *err)
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
        g->positions[g->n++] = position;
        g->end = end;
    }
    return rc;
}

static int sync_all(struct rig *g, seerdb_err *err)
{
    int rc = sdb_wal_sync(g->wal, g->end, err);
    if (rc == 0)
        g->nsynced = g->n;
    return rc;
}

static void append(struct rig *g, size_t size)
{
    seerdb_err err = {0};
    test_ok(append_sized(g, size, &err), &err);
}

static void sync(struct rig *g)
{
    seerdb_err err = {0};
    test_ok(sync_all(g, &err), &err);
}

static int release_below(struct rig *g, uint64_t floor, seerdb_err *err)
{
    if (floor > g->floor)
        g->floor = floor;
    sdb_lock_write(&g->write);
    int rc = sdb_wal_release(g->wal, floor, err);
    sdb_unlock_write(&g->write);
    return rc;
}

static uint64_t current_file(struct rig *g)
{
    sdb_lock_write(&g->write);
    uint64_t number = sdb_wal_current_file(g->wal);
    sdb_unlock_write(&g->write);
    return number;
}

/* The first record that the floor does not exclude. */
static size_t first_live(const struct rig *g)
{
    size_t i = 0;
    while (i < g->n && sdb_wal_file_of(g->positions[i]) < g->floor)
        i++;
    return i;
}

static int check_record(void *ctx, const struct sdb_frame *f, uint64_t position,
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

static int recover(struct rig *g, struct sdb_wal_recovery *r, seerdb_err *err)
{
    g->next = first_live(g);
    g->closes = 0;
    return sdb_wal_recover(&g->o, g->floor, check_record, g, r, err);
}

/* Give the log up, recover, and go on behind what was there, which must be everything
 * synced and nothing out of order. */
static void reopen(struct rig *g)
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

static void open_new(struct rig *g)
{
    seerdb_err err = {0};
    struct sdb_wal_recovery none = {0};
    test_ok(sdb_wal_open(&g->o, &none, &g->wal, &err), &err);
}

static bool exists(struct rig *g, const char *path)
{
    seerdb_err err = {0};
    return sdb_fs_stat(g->fs, path, NULL, NULL, &err) == 0;
}

static size_t count_files(struct rig *g, const char *suffix)
{
    seerdb_err err = {0};
    uint64_t *at = NULL;
    size_t n = 0;
    test_ok(sdb_numbered_list(g->fs, "d", suffix, &at, &n, &err), &err);
    sdb_mem_free(at);
    return n;
}

/* ---- the ordinary life ---------------------------------------------------- */

static void a_new_log_makes_its_first_file_at_the_first_append(void **state)
{
    (void)state;
    struct rig g;
    rig_init(&g);
    open_new(&g);
    assert_int_equal(current_file(&g), 0);
    assert_int_equal(count_files(&g, ".log"), 0);
    assert_int_equal(sdb_wal_live_bytes(g.wal), 0);
    append(&g, 10);
    assert_int_equal(current_file(&g), 5);
    assert_true(exists(&g, "d/000005.log"));
    assert_int_equal(g.positions[0], sdb_wal_position(5, 64));
    assert_int_equal(sdb_wal_end(g.wal), g.end);
    assert_int_equal(sdb_wal_live_bytes(g.wal), 64 + sdb_frame_size(18));
    assert_true(sdb_wal_synced(g.wal) <= g.positions[0]);
    sync(&g);
    assert_int_equal(sdb_wal_synced(g.wal), g.end);
    reopen(&g);
    assert_int_equal(g.n, 1);
    rig_fini(&g);
}

static void what_was_appended_comes_back_over_many_files(void **state)
{
    (void)state;
    struct rig g;
    seerdb_err err = {0};
    struct sdb_wal_recovery r;
    rig_init(&g);
    open_new(&g);
    for (size_t i = 0; i < 100; i++)
        append(&g, i * 5);
    assert_true(count_files(&g, ".log") > 5);
    uint64_t bytes = sdb_wal_live_bytes(g.wal);
    test_ok(sdb_wal_close(g.wal, &err), &err);
    g.wal = NULL;
    test_ok(recover(&g, &r, &err), &err);
    assert_int_equal(g.next, 100);
    assert_int_equal(g.closes, 1);
    assert_int_equal(r.torn_bytes, 0);
    assert_int_equal(r.ndead, 0);
    test_ok(sdb_wal_open(&g.o, &r, &g.wal, &err), &err);
    assert_int_equal(sdb_wal_live_bytes(g.wal), bytes + SDB_FRAME_HEADER);
    sdb_wal_recovery_fini(&r);
    rig_fini(&g);
}

static void a_record_larger_than_a_file_gets_one_of_its_own(void **state)
{
    (void)state;
    struct rig g;
    uint64_t size;
    seerdb_err err = {0};
    rig_init(&g);
    open_new(&g);
    append(&g, 10);
    append(&g, 3 * FILE_SIZE);
    append(&g, 10);
    assert_int_equal(count_files(&g, ".log"), 3);
    test_ok(sdb_fs_stat(g.fs, "d/000006.log", NULL, &size, &err), &err);
    assert_int_equal(size, 64 + sdb_frame_size(3 * FILE_SIZE + 8));
    reopen(&g);
    assert_int_equal(g.n, 3);
    /* It is not kept for recycling: its size is not the ordinary one. */
    append(&g, 10);
    test_ok(release_below(&g, 7, &err), &err);
    assert_int_equal(count_files(&g, ".free"), 1);
    assert_int_equal(count_files(&g, ".log"), 2);
    rig_fini(&g);
}

static void a_synced_position_costs_no_second_sync(void **state)
{
    (void)state;
    struct rig g;
    seerdb_err err = {0};
    rig_init(&g);
    open_new(&g);
    append(&g, 10);
    uint64_t first = g.end;
    append(&g, 10);
    sync(&g);
    uint64_t syncs = atomic_load(&g.fs->counters.syncs[SDB_FOR_LOG]);
    test_ok(sdb_wal_sync(g.wal, first, &err), &err);
    test_ok(sdb_wal_sync(g.wal, g.end, &err), &err);
    test_ok(sdb_wal_sync(g.wal, UINT64_MAX, &err), &err);
    assert_int_equal(atomic_load(&g.fs->counters.syncs[SDB_FOR_LOG]), syncs);
    rig_fini(&g);
}

static void released_files_are_recycled_and_their_old_frames_never_pass(void **state)
{
    (void)state;
    struct rig g;
    seerdb_err err = {0};
    rig_init(&g);
    open_new(&g);
    while (current_file(&g) < 9)
        append(&g, 300);
    sync(&g);
    uint64_t bytes = sdb_wal_live_bytes(g.wal);
    test_ok(release_below(&g, 9, &err), &err);
    assert_true(sdb_wal_live_bytes(g.wal) < bytes);
    assert_int_equal(count_files(&g, ".log"), 1);
    assert_int_equal(count_files(&g, ".free"), 2);
    while (current_file(&g) < 11)
        append(&g, 300);
    assert_int_equal(count_files(&g, ".free"), 0);
    sync(&g);
    reopen(&g);
    assert_int_equal(current_file(&g), 0);
    append(&g, 10);
    sync(&g);
    reopen(&g);
    assert_int_equal(g.n, g.nsynced);
    rig_fini(&g);
}

static void the_current_file_is_never_released(void **state)
{
    (void)state;
    struct rig g;
    seerdb_err err = {0};
    rig_init(&g);
    open_new(&g);
    append(&g, 10);
    sdb_lock_write(&g.write);
    test_ok(sdb_wal_release(g.wal, 1000, &err), &err);
    sdb_unlock_write(&g.write);
    append(&g, 10);
    sync(&g);
    reopen(&g);
    assert_int_equal(g.n, 2);
    rig_fini(&g);
}

static void dead_and_free_files_are_removed_at_open(void **state)
{
    (void)state;
    struct rig g;
    seerdb_err err = {0};
    rig_init(&g);
    open_new(&g);
    while (current_file(&g) < 9)
        append(&g, 300);
    sync(&g);
    test_ok(release_below(&g, 7, &err), &err);
    assert_int_equal(count_files(&g, ".free"), 2);
    g.floor = 8; /* 7 was not released any more before the crash */
    reopen(&g);
    assert_int_equal(count_files(&g, ".free"), 0);
    assert_int_equal(count_files(&g, ".log"), 2);
    assert_true(exists(&g, "d/000008.log"));
    rig_fini(&g);
}

/* ---- crashes -------------------------------------------------------------- */

static void two_crashes_in_a_row_lose_nothing(void **state)
{
    (void)state;
    struct rig g;
    rig_init(&g);
    open_new(&g);
    for (size_t i = 0; i < 30; i++)
        append(&g, 300);
    sync(&g);
    for (uint64_t k = 0; k < 4; k++) {
        sdb_memfs_cut(g.mem, SDB_CUT_RANDOM, k);
        reopen(&g);
        assert_int_equal(g.n, 30);
    }
    append(&g, 300);
    sync(&g);
    sdb_memfs_cut(g.mem, SDB_CUT_DROP, 1);
    reopen(&g);
    assert_int_equal(g.n, 31);
    rig_fini(&g);
}

static void
what_a_killed_process_left_unsynced_is_synced_before_more_is_built_on_it(void **state)
{
    (void)state;
    struct rig g;
    rig_init(&g);
    open_new(&g);
    append(&g, 100); /* never synced, but in the kernel's memory */
    reopen(&g);
    assert_int_equal(g.n, 1);
    append(&g, 100);
    sync(&g);
    sdb_memfs_cut(g.mem, SDB_CUT_DROP, 1);
    reopen(&g);
    assert_int_equal(g.n, 2);
    rig_fini(&g);
}

static void a_file_torn_before_the_log_went_on_is_accepted_later(void **state)
{
    (void)state;
    struct rig g;
    rig_init(&g);
    open_new(&g);
    append(&g, 100);
    sync(&g);
    append(&g, 600);
    append(&g, 600);
    /* Frame 1 is lost, frame 2 survives: no damage, nobody said that 1 was synced. */
    size_t at = (size_t)sdb_wal_offset_of(g.positions[1]);
    assert_int_equal(sdb_memfs_flip(g.mem, "d/000005.log", at + 50, 0), 0);
    g.nsynced = 1;
    reopen(&g);
    assert_int_equal(g.n, 1);
    append(&g, 100); /* another record 1, in another file */
    sync(&g);
    /* Frame 2 of the old file is still there, whole; it must not come back. */
    reopen(&g);
    assert_int_equal(g.n, 2);
    append(&g, 100);
    sync(&g);
    reopen(&g);
    assert_int_equal(g.n, 3);
    rig_fini(&g);
}

static void a_file_made_but_never_begun_ends_nothing(void **state)
{
    (void)state;
    for (int what = 0; what < 3; what++) {
        struct rig g;
        seerdb_err err = {0};
        struct sdb_file *f;
        rig_init(&g);
        open_new(&g);
        append(&g, 100);
        sync(&g);
        uint64_t number = atomic_fetch_add(&g.next_file, 1);
        char *path = sdb_wal_path("d", number);
        assert_non_null(path);
        test_ok(sdb_fs_open(g.fs, path, SDB_CREATE, SDB_FOR_LOG, &f, &err), &err);
        if (what >= 1)
            test_ok(sdb_file_allocate(f, FILE_SIZE, &err), &err);
        if (what == 2) {
            /* A recycled file, renamed, with its old header and frames. */
            struct sdb_buf b = {0};
            struct sdb_log_header h = {
                .kind = SDB_FILE_LOG, .store = store, .number = 3};
            struct sdb_frame frame = {.type = 1, .payload = {"old", 3}};
            sdb_log_header_encode(&b, &h);
            sdb_frame_encode(&b, sdb_frame_seed(&store, SDB_FILE_LOG, 3), 64, &frame);
            test_ok(sdb_file_write_at(f, 0, sdb_buf_slice(&b), &err), &err);
            sdb_buf_fini(&b);
        }
        sdb_file_close(f);
        reopen(&g);
        assert_int_equal(g.n, 1);
        assert_false(exists(&g, path));
        append(&g, 100);
        sync(&g);
        reopen(&g);
        assert_int_equal(g.n, 2);
        sdb_mem_free(path);
        rig_fini(&g);
    }
}

struct cutter {
    struct rig *g;
    uint64_t countdown; /* 0: not armed */
    enum sdb_cut_mode mode;
    uint64_t seed;
};

static void cut_when_due(void *ctx, enum sdb_fault_op op, const char *path)
{
    struct cutter *c = ctx;
    (void)op;
    (void)path;
    if (c->countdown > 0 && --c->countdown == 0)
        sdb_memfs_cut(c->g->mem, c->mode, c->seed);
}

/* Random work until the power goes. */
static void work(struct rig *g, struct sdb_rand *r)
{
    seerdb_err err = {0};
    for (;;) {
        int rc = 0;
        switch (sdb_rand_below(r, 8)) {
        case 0:
        case 1:
            rc = sync_all(g, &err);
            break;
        case 2:
            if (g->n > 0) {
                uint64_t i = sdb_rand_below(r, g->n);
                rc = release_below(g, sdb_wal_file_of(g->positions[i]), &err);
            }
            break;
        case 3:
            rc = append_sized(g, sdb_rand_below(r, 20) == 0 ? 9000 : 1500, &err);
            break;
        default:
            rc = append_sized(g, sdb_rand_below(r, 300), &err);
        }
        if (rc != 0)
            return;
        if (g->n > MAX_RECORDS - 10)
            return;
    }
}

static void
a_power_cut_at_any_write_or_sync_leaves_a_prefix_with_all_that_was_synced(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 300; seed++) {
        struct rig g;
        struct sdb_rand r = {seed};
        rig_init(&g);
        struct cutter c = {.g = &g};
        sdb_faultfs_observe(g.fs, cut_when_due, &c);
        open_new(&g);
        for (int generation = 0; generation < 4; generation++) {
            c.mode = sdb_rand_below(&r, 4) == 0 ? SDB_CUT_DROP : SDB_CUT_RANDOM;
            c.seed = sdb_rand_next(&r);
            c.countdown = 1 + sdb_rand_below(&r, 60);
            work(&g, &r);
            if (c.countdown > 0) { /* not reached */
                c.countdown = 0;
                sdb_memfs_cut(g.mem, c.mode, c.seed);
            }
            size_t synced = g.nsynced;
            reopen(&g);
            assert_true(g.n >= synced || first_live(&g) >= synced);
        }
        rig_fini(&g);
    }
}

/* ---- damage --------------------------------------------------------------- */

/* Two files: 0 1 2 synced | 3 synced, 4 says so, 5. */
static void write_small_log(struct rig *g)
{
    open_new(g);
    append(g, 40);
    append(g, 3);
    append(g, 700);
    sync(g);
    g->o.file_size = FILE_SIZE;
    append(g, 3900 - 64 - 40);
    sync(g);
    append(g, 50);
    append(g, 60);
    sync(g);
    sdb_wal_abandon(g->wal);
    g->wal = NULL;
}

static void no_flipped_byte_alters_a_record_and_damage_before_the_synced_place_is_found(
    void **state)
{
    (void)state;
    struct rig g;
    seerdb_err err = {0};
    struct sdb_wal_recovery r;
    rig_init(&g);
    write_small_log(&g);
    uint64_t first = sdb_wal_file_of(g.positions[0]),
             last = sdb_wal_file_of(g.positions[5]);
    assert_int_equal(last, first + 1);
    test_ok(recover(&g, &r, &err), &err);
    assert_int_equal(g.next, 6);
    uint64_t synced = r.synced, ends[2] = {r.ends[0], r.ends[1]};
    sdb_wal_recovery_fini(&r);
    assert_true(synced >= sdb_wal_position(last, 64));
    for (uint64_t file = first; file <= last; file++) {
        char *path = sdb_wal_path("d", file);
        assert_non_null(path);
        for (uint64_t off = 0; off < FILE_SIZE;
             off += off < ends[file - first] ? 1 : 100) {
            assert_int_equal(sdb_memfs_flip(g.mem, path, off, (unsigned)(off % 8)), 0);
            int rc = recover(&g, &r, &err);
            if (rc != 0)
                test_fails(rc, SEERDB_CORRUPT, &err);
            else if (sdb_wal_position(file, off) < synced && off < ends[file - first])
                fail_msg("%s offset %d: accepted", path, (int)off);
            else if (off >= ends[file - first])
                assert_int_equal(g.next, 6);
            sdb_wal_recovery_fini(&r);
            assert_int_equal(sdb_memfs_flip(g.mem, path, off, (unsigned)(off % 8)), 0);
        }
        sdb_mem_free(path);
    }
    test_ok(recover(&g, &r, &err), &err);
    assert_int_equal(g.next, 6);
    sdb_wal_recovery_fini(&r);
    rig_fini(&g);
}

static void
a_closed_log_that_was_damaged_anywhere_before_its_end_is_corrupt(void **state)
{
    (void)state;
    struct rig g;
    seerdb_err err = {0};
    struct sdb_wal_recovery r;
    rig_init(&g);
    open_new(&g);
    append(&g, 40);
    append(&g, 3);
    uint64_t close_at = sdb_wal_offset_of(g.end);
    test_ok(sdb_wal_close(g.wal, &err), &err);
    g.wal = NULL;
    for (uint64_t off = 0; off < close_at; off++) {
        assert_int_equal(sdb_memfs_flip(g.mem, "d/000005.log", off, 3), 0);
        test_fails(recover(&g, &r, &err), SEERDB_CORRUPT, &err);
        assert_int_equal(sdb_memfs_flip(g.mem, "d/000005.log", off, 3), 0);
    }
    rig_fini(&g);
}

static void
a_missing_file_of_the_chain_is_corrupt_unless_it_is_below_the_floor(void **state)
{
    (void)state;
    struct rig g;
    seerdb_err err = {0};
    struct sdb_wal_recovery r;
    rig_init(&g);
    open_new(&g);
    while (current_file(&g) < 8)
        append(&g, 300);
    sync(&g);
    sdb_wal_abandon(g.wal);
    g.wal = NULL;
    test_ok(sdb_fs_remove(g.fs, "d/000006.log", &err), &err);
    test_fails(recover(&g, &r, &err), SEERDB_CORRUPT, &err);
    g.floor = 6;
    test_fails(recover(&g, &r, &err), SEERDB_CORRUPT, &err);
    assert_int_equal(r.nfiles, 0);
    g.floor = 7;
    test_ok(recover(&g, &r, &err), &err);
    assert_int_equal(r.nfiles, 2);
    assert_int_equal(r.ndead, 1); /* 5 */
    sdb_wal_recovery_fini(&r);
    rig_fini(&g);
}

static void a_log_of_another_store_is_corrupt(void **state)
{
    (void)state;
    struct rig g;
    seerdb_err err = {0};
    struct sdb_wal_recovery r;
    rig_init(&g);
    write_small_log(&g);
    g.o.store.bytes[3] ^= 1;
    test_fails(recover(&g, &r, &err), SEERDB_CORRUPT, &err);
    rig_fini(&g);
}

static int refuse(void *ctx, const struct sdb_frame *f, uint64_t position,
                  seerdb_err *err)
{
    (void)ctx;
    (void)f;
    (void)position;
    return sdb_fail(err, SEERDB_NEWER, "no");
}

static void a_failure_of_the_callback_is_passed_up(void **state)
{
    (void)state;
    struct rig g;
    seerdb_err err = {0};
    struct sdb_wal_recovery r;
    rig_init(&g);
    write_small_log(&g);
    test_fails(sdb_wal_recover(&g.o, 0, refuse, NULL, &r, &err), SEERDB_NEWER, &err);
    rig_fini(&g);
}

/* ---- failures ------------------------------------------------------------- */

static void after_a_failed_write_or_sync_the_log_refuses_everything(void **state)
{
    (void)state;
    for (int what = 0; what < 2; what++) {
        struct rig g;
        seerdb_err err = {0};
        rig_init(&g);
        open_new(&g);
        append(&g, 100);
        struct sdb_fault fault = {.ops = what == 0 ? SDB_FAULT_WRITE : SDB_FAULT_SYNC,
                                  .times = 1,
                                  .error = 5, /* EIO */
                                  .torn = true};
        sdb_faultfs_arm(g.fs, &fault);
        if (what == 0)
            test_fails(append_sized(&g, 100, &err), SEERDB_IOERR, &err);
        else
            test_fails(sync_all(&g, &err), SEERDB_IOERR, &err);
        assert_int_equal(sdb_faultfs_fired(g.fs), 1);
        test_fails(append_sized(&g, 100, &err), SEERDB_IOERR, &err);
        test_fails(sync_all(&g, &err), SEERDB_IOERR, &err);
        test_fails(sdb_wal_close(g.wal, &err), SEERDB_IOERR, &err);
        g.wal = NULL;
        reopen(&g);
        append(&g, 100);
        sync(&g);
        rig_fini(&g);
    }
}

static void a_full_disk_at_a_new_file_leaves_the_log_usable(void **state)
{
    (void)state;
    struct rig g;
    seerdb_err err = {0};
    rig_init(&g);
    open_new(&g);
    append(&g, 100);
    struct sdb_fault fault = {
        .ops = SDB_FAULT_META, .times = 1, .error = 28 /* ENOSPC */};
    sdb_faultfs_arm(g.fs, &fault);
    test_fails(append_sized(&g, FILE_SIZE - 200, &err), SEERDB_FULL, &err);
    assert_int_equal(count_files(&g, ".log"), 1);
    append(&g, 100);
    append(&g, FILE_SIZE - 200);
    sync(&g);
    reopen(&g);
    assert_int_equal(g.n, 3);
    rig_fini(&g);
}

/* A short life; stops at the first failure. */
static int short_life(struct rig *g, seerdb_err *err)
{
    int rc;
    struct sdb_wal_recovery r;
    if ((rc = recover(g, &r, err)) != 0)
        return rc;
    assert_true(g->next >= g->nsynced || first_live(g) >= g->nsynced);
    g->n = g->nsynced = g->next;
    g->end = r.last_position;
    rc = sdb_wal_open(&g->o, &r, &g->wal, err);
    sdb_wal_recovery_fini(&r);
    for (size_t i = 0; rc == 0 && i < 12; i++) {
        rc = append_sized(g, 700, err);
        if (rc == 0 && i % 3 == 0)
            rc = sync_all(g, err);
        if (rc == 0 && i == 8)
            rc = release_below(g, current_file(g), err);
    }
    if (rc != 0 || g->wal == NULL) {
        sdb_wal_abandon(g->wal);
    } else if ((rc = sdb_wal_close(g->wal, err)) == 0) {
        g->nsynced = g->n;
    }
    g->wal = NULL;
    return rc;
}

static void every_operation_may_fail_and_nothing_synced_is_lost(void **state)
{
    (void)state;
    static const unsigned ops[] = {SDB_FAULT_OPEN, SDB_FAULT_READ, SDB_FAULT_WRITE,
                                   SDB_FAULT_SYNC, SDB_FAULT_META};
    for (size_t k = 0; k < sizeof ops / sizeof *ops; k++) {
        for (uint64_t after = 0;; after++) {
            struct rig g;
            seerdb_err err = {0};
            rig_init(&g);
            test_ok(short_life(&g, &err), &err);
            struct sdb_fault fault = {
                .ops = ops[k], .after = after, .times = 1, .error = 5, .torn = true};
            sdb_faultfs_arm(g.fs, &fault);
            int rc = short_life(&g, &err);
            bool fired = sdb_faultfs_fired(g.fs) > 0;
            if (fired && rc == 0)
                fail_msg("operation kind %u number %d failed in silence", ops[k],
                         (int)after);
            err = (seerdb_err){0};
            sdb_memfs_cut(g.mem, SDB_CUT_RANDOM, after);
            reopen(&g);
            rig_fini(&g);
            if (!fired)
                break;
        }
    }
}

static void every_allocation_may_fail_and_nothing_is_lost_or_leaked(void **state)
{
    (void)state;
    for (int64_t after = 0;; after++) {
        struct rig g;
        seerdb_err err = {0};
        rig_init(&g);
        test_ok(short_life(&g, &err), &err);
        sdb_buf_reserve(&g.payload, 4 * FILE_SIZE); /* the test's own */
        sdb_mem_fail_after(after);
        int rc = short_life(&g, &err);
        sdb_mem_fail_after(-1);
        reopen(&g);
        rig_fini(&g);
        if (rc == 0)
            break;
        assert_true(after < 10000);
    }
}

/* ---- threads -------------------------------------------------------------- */

#define NTHREADS   4
#define PER_THREAD 150

struct writer {
    struct rig *g;
    struct sdb_thread thread;
    bool ok;
};

static void *write_many(void *arg)
{
    struct writer *me = arg;
    struct rig *g = me->g;
    seerdb_err err = {0};
    for (size_t i = 0; i < PER_THREAD; i++) {
        uint64_t position, end;
        sdb_lock_write(&g->write);
        make_payload(&g->payload, g->n, i % 200);
        int rc = sdb_wal_append(g->wal, SDB_WAL_PREPARE, SDB_OUTCOME_NONE,
                                sdb_buf_slice(&g->payload), &position, &end, &err);
        if (rc == 0)
            g->positions[g->n++] = position;
        if (rc == 0 && i % 50 == 49) {
            uint64_t floor = sdb_wal_current_file(g->wal) - 1;
            if (floor > g->floor)
                g->floor = floor;
            rc = sdb_wal_release(g->wal, g->floor, &err);
        }
        sdb_unlock_write(&g->write);
        if (rc != 0 || sdb_wal_sync(g->wal, end, &err) != 0 ||
            sdb_wal_synced(g->wal) < end)
            return NULL;
    }
    me->ok = true;
    return NULL;
}

static void threads_append_in_turn_and_share_syncs(void **state)
{
    (void)state;
    struct rig g;
    seerdb_err err = {0};
    struct writer w[NTHREADS] = {{0}};
    rig_init(&g);
    open_new(&g);
    for (size_t i = 0; i < NTHREADS; i++) {
        w[i].g = &g;
        test_ok(sdb_thread_start(&w[i].thread, "writer", write_many, &w[i], &err),
                &err);
    }
    for (size_t i = 0; i < NTHREADS; i++) {
        sdb_thread_join(&w[i].thread);
        assert_true(w[i].ok);
    }
    assert_int_equal(g.n, NTHREADS * PER_THREAD);
    g.nsynced = g.n;
    sdb_memfs_cut(g.mem, SDB_CUT_DROP, 1);
    reopen(&g);
    assert_int_equal(g.n, NTHREADS * PER_THREAD);
    rig_fini(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_log_makes_its_first_file_at_the_first_append),
        cmocka_unit_test(what_was_appended_comes_back_over_many_files),
        cmocka_unit_test(a_record_larger_than_a_file_gets_one_of_its_own),
        cmocka_unit_test(a_synced_position_costs_no_second_sync),
        cmocka_unit_test(released_files_are_recycled_and_their_old_frames_never_pass),
        cmocka_unit_test(the_current_file_is_never_released),
        cmocka_unit_test(dead_and_free_files_are_removed_at_open),
        cmocka_unit_test(two_crashes_in_a_row_lose_nothing),
        cmocka_unit_test(
            what_a_killed_process_left_unsynced_is_synced_before_more_is_built_on_it),
        cmocka_unit_test(a_file_torn_before_the_log_went_on_is_accepted_later),
        cmocka_unit_test(a_file_made_but_never_begun_ends_nothing),
        cmocka_unit_test(
            a_power_cut_at_any_write_or_sync_leaves_a_prefix_with_all_that_was_synced),
        cmocka_unit_test(
            no_flipped_byte_alters_a_record_and_damage_before_the_synced_place_is_found),
        cmocka_unit_test(
            a_closed_log_that_was_damaged_anywhere_before_its_end_is_corrupt),
        cmocka_unit_test(
            a_missing_file_of_the_chain_is_corrupt_unless_it_is_below_the_floor),
        cmocka_unit_test(a_log_of_another_store_is_corrupt),
        cmocka_unit_test(a_failure_of_the_callback_is_passed_up),
        cmocka_unit_test(after_a_failed_write_or_sync_the_log_refuses_everything),
        cmocka_unit_test(a_full_disk_at_a_new_file_leaves_the_log_usable),
        cmocka_unit_test(every_operation_may_fail_and_nothing_synced_is_lost),
        cmocka_unit_test(every_allocation_may_fail_and_nothing_is_lost_or_leaked),
        cmocka_unit_test(threads_append_in_turn_and_share_syncs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
