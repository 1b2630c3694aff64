/* SPDX-License-Identifier: Apache-2.0 */
#include "log/wal_rig.h"

/* ---- torn, not damaged ---------------------------------------------------- */

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

/* ---- damage --------------------------------------------------------------- */

/* Two files: 0 1 2 synced | 3 synced, 4 says so, 5. */
static void write_small_log(struct rig *g)
{
    open_new(g);
    append(g, 40);
    append(g, 3);
    append(g, 700);
    sync(g);
    append(g, 2500);
    sync(g);
    append(g, 50);
    append(g, 60);
    sync(g);
    sdb_wal_abandon(g->wal);
    g->wal = NULL;
}

/* Whether the byte belongs to a header or a frame, not to what lies between. */
static bool is_covered(const struct rig *g, uint64_t position)
{
    if (sdb_wal_offset_of(position) < SDB_LOG_FILE_HEADER)
        return true;
    for (size_t i = 0; i < g->n; i++) {
        if (g->positions[i] <= position && position < g->ends[i])
            return true;
    }
    return false;
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
            else if (!is_covered(&g, sdb_wal_position(file, off)))
                assert_int_equal(g.next, 6);
            else if (sdb_wal_position(file, off) < synced)
                fail_msg("%s offset %d: accepted", path, (int)off);
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
        if (!is_covered(&g, sdb_wal_position(5, off)))
            continue;
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_crashes_in_a_row_lose_nothing),
        cmocka_unit_test(a_file_torn_before_the_log_went_on_is_accepted_later),
        cmocka_unit_test(a_file_made_but_never_begun_ends_nothing),
        cmocka_unit_test(
            no_flipped_byte_alters_a_record_and_damage_before_the_synced_place_is_found),
        cmocka_unit_test(
            a_closed_log_that_was_damaged_anywhere_before_its_end_is_corrupt),
        cmocka_unit_test(
            a_missing_file_of_the_chain_is_corrupt_unless_it_is_below_the_floor),
        cmocka_unit_test(a_log_of_another_store_is_corrupt),
        cmocka_unit_test(a_failure_of_the_callback_is_passed_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
