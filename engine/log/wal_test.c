/* SPDX-License-Identifier: Apache-2.0 */
#include "log/wal_rig.h"

#include "os/clock.h"
#include "os/thread.h"

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
    assert_int_equal(g.positions[0], sdb_wal_position(5, SDB_LOG_SECTOR));
    assert_int_equal(sdb_wal_end(g.wal), g.end);
    assert_int_equal(sdb_wal_live_bytes(g.wal), SDB_LOG_SECTOR + sdb_frame_size(18));
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
    uint64_t grown = sdb_wal_live_bytes(g.wal) - bytes; /* by the CLOSE */
    assert_true(grown >= SDB_FRAME_HEADER && grown < SDB_FRAME_HEADER + SDB_LOG_SECTOR);
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
    assert_int_equal(size, SDB_LOG_SECTOR + sdb_frame_size(3 * FILE_SIZE + 8));
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

struct cutter {
    struct rig *g;
    _Atomic uint64_t countdown; /* 0: not armed */
    enum sdb_cut_mode mode;
    uint64_t seed;
    uint64_t pause_us; /* before each write and sync, so that threads meet there */
};

static void cut_when_due(void *ctx, enum sdb_fault_op op, const char *path)
{
    struct cutter *c = ctx;
    (void)op;
    (void)path;
    if (c->pause_us > 0)
        sdb_clock_sleep_us(c->pause_us);
    uint64_t left = atomic_load(&c->countdown);
    if (left == 0 || atomic_fetch_sub(&c->countdown, 1) != 1)
        return;
    sdb_memfs_cut(c->g->mem, c->mode, c->seed);
    /* The process is dead, too: nothing that it still does may count. */
    struct sdb_fault dead = {.ops = SDB_FAULT_ALL, .times = UINT64_MAX, .error = 5};
    sdb_faultfs_arm(c->g->fs, &dead);
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
    for (uint64_t seed = 1; seed <= 150; seed++) {
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
            sdb_faultfs_arm(g.fs, &(struct sdb_fault){0});
            size_t synced = g.nsynced;
            reopen(&g);
            assert_true(g.n >= synced || first_live(&g) >= synced);
        }
        rig_fini(&g);
    }
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
            sdb_faultfs_arm(g.fs, &(struct sdb_fault){0});
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
        size_t mine = g->n;
        make_payload(&g->payload, mine, i % 200);
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
        sdb_lock_write(&g->write);
        if (g->nsynced <= mine)
            g->nsynced = mine + 1;
        sdb_unlock_write(&g->write);
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
    struct cutter slow = {.g = &g, .pause_us = 20};
    rig_init(&g);
    open_new(&g);
    sdb_faultfs_observe(g.fs, cut_when_due, &slow);
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
    assert_int_equal(g.nsynced, g.n);
    sdb_memfs_cut(g.mem, SDB_CUT_DROP, 1);
    reopen(&g);
    assert_int_equal(g.n, NTHREADS * PER_THREAD);
    rig_fini(&g);
}

static void a_power_cut_among_threads_keeps_what_any_of_them_was_told(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        struct rig g;
        seerdb_err err = {0};
        struct writer w[NTHREADS] = {{0}};
        rig_init(&g);
        open_new(&g);
        struct cutter c = {.g = &g,
                           .countdown = 20 + 23 * seed,
                           .mode = SDB_CUT_RANDOM,
                           .seed = seed,
                           .pause_us = 1 + seed % 20};
        sdb_faultfs_observe(g.fs, cut_when_due, &c);
        for (size_t i = 0; i < NTHREADS; i++) {
            w[i].g = &g;
            test_ok(sdb_thread_start(&w[i].thread, "writer", write_many, &w[i], &err),
                    &err);
        }
        for (size_t i = 0; i < NTHREADS; i++)
            sdb_thread_join(&w[i].thread);
        sdb_faultfs_arm(g.fs, &(struct sdb_fault){0});
        reopen(&g);
        rig_fini(&g);
    }
}

struct meeting {
    struct rig *g;
    struct sdb_thread syncer;
    uint64_t end;
    bool met, ok;
};

static void *sync_one(void *arg)
{
    struct meeting *m = arg;
    seerdb_err err = {0};
    m->ok = sdb_wal_sync(m->g->wal, m->end, &err) == 0;
    return NULL;
}

static void sync_while_writing(void *ctx, enum sdb_fault_op op, const char *path)
{
    struct meeting *m = ctx;
    seerdb_err err = {0};
    (void)path;
    if (op != SDB_FAULT_WRITE || m->met)
        return;
    m->met = true;
    test_ok(sdb_thread_start(&m->syncer, "syncer", sync_one, m, &err), &err);
    sdb_clock_sleep_us(5000);
}

static void a_sync_that_meets_a_write_leaves_no_sector_half_covered(void **state)
{
    (void)state;
    struct rig g;
    rig_init(&g);
    open_new(&g);
    append(&g, 10);
    struct meeting m = {.g = &g, .end = g.end};
    sdb_faultfs_observe(g.fs, sync_while_writing, &m);
    append(&g, 10);
    sdb_thread_join(&m.syncer);
    assert_true(m.met && m.ok);
    uint64_t synced = sdb_wal_synced(g.wal);
    assert_true(synced >= g.ends[0]);
    assert_true(synced >= g.ends[1] || g.positions[1] >= sdb_log_sector_up(synced));
    append(&g, 10);
    assert_true(g.positions[2] >= sdb_log_sector_up(sdb_wal_synced(g.wal)));
    reopen(&g);
    assert_int_equal(g.n, 3);
    rig_fini(&g);
}

/* A sync is under way when a write fails, and somebody else asks for what it covers. */
struct overtaking {
    struct rig *g;
    uint64_t end;
    struct sdb_thread first, second;
    _Atomic bool started, failed, asking;
    int rc[2];
};

static void hold_the_sync(void *ctx, enum sdb_fault_op op, const char *path)
{
    struct overtaking *o = ctx;
    (void)path;
    if (op != SDB_FAULT_SYNC || atomic_exchange(&o->started, true))
        return;
    while (!atomic_load(&o->failed) || !atomic_load(&o->asking))
        sdb_clock_sleep_us(100);
    sdb_clock_sleep_us(20000); /* so that it does ask */
}

static void *sync_first(void *ctx)
{
    struct overtaking *o = ctx;
    o->rc[0] = sdb_wal_sync(o->g->wal, o->end, NULL);
    return NULL;
}

static void *sync_second(void *ctx)
{
    struct overtaking *o = ctx;
    atomic_store(&o->asking, true);
    o->rc[1] = sdb_wal_sync(o->g->wal, o->end, NULL);
    return NULL;
}

/* Who was refused would take it for lost, but it is on stable storage. */
static void a_sync_under_way_counts_although_the_log_has_failed(void **state)
{
    (void)state;
    struct rig g;
    seerdb_err err = {0};
    rig_init(&g);
    open_new(&g);
    append(&g, 10);
    struct overtaking o = {.g = &g, .end = g.end};
    sdb_faultfs_observe(g.fs, hold_the_sync, &o);
    test_ok(sdb_thread_start(&o.first, "first", sync_first, &o, &err), &err);
    while (!atomic_load(&o.started))
        sdb_clock_sleep_us(100);
    sdb_faultfs_arm(
        g.fs, &(struct sdb_fault){.ops = SDB_FAULT_WRITE, .times = 1, .error = 5});
    assert_int_equal(append_sized(&g, 10, &err), SEERDB_IOERR);
    atomic_store(&o.failed, true);
    test_ok(sdb_thread_start(&o.second, "second", sync_second, &o, &err), &err);
    sdb_thread_join(&o.first);
    sdb_thread_join(&o.second);
    assert_int_equal(o.rc[0], 0);
    assert_int_equal(o.rc[1], 0);
    assert_true(sdb_wal_synced(g.wal) >= o.end);
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
        cmocka_unit_test(
            what_a_killed_process_left_unsynced_is_synced_before_more_is_built_on_it),
        cmocka_unit_test(
            a_power_cut_at_any_write_or_sync_leaves_a_prefix_with_all_that_was_synced),
        cmocka_unit_test(after_a_failed_write_or_sync_the_log_refuses_everything),
        cmocka_unit_test(a_full_disk_at_a_new_file_leaves_the_log_usable),
        cmocka_unit_test(every_operation_may_fail_and_nothing_synced_is_lost),
        cmocka_unit_test(every_allocation_may_fail_and_nothing_is_lost_or_leaked),
        cmocka_unit_test(threads_append_in_turn_and_share_syncs),
        cmocka_unit_test(a_power_cut_among_threads_keeps_what_any_of_them_was_told),
        cmocka_unit_test(a_sync_that_meets_a_write_leaves_no_sector_half_covered),
        cmocka_unit_test(a_sync_under_way_counts_although_the_log_has_failed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
