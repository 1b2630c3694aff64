/* SPDX-License-Identifier: Apache-2.0
 *
 * A spilled commit stops at every operation on the disk, the machine dies or only the
 * process, and the disk fills up: the commit is there as a whole or not at all, and no
 * file is left over. */
#include "db/batch.h"
#include "os/clock.h"
#include "testing.h"

#include <errno.h>

#define BEFORE "a=1 b=1 c=1"
#define AFTER  "a=4 b=2 d=2 e=3"

struct run {
    struct bed bed;
    bool marked;
    bool ranges; /* some that lie over what was spilled before: it is merged */
    uint64_t marker, number; /* of the commit before; of the one under test */
    bool committed;
    seerdb_err err;
};

static const seerdb_uuid owner = {{9}};

static int decide(void *ctx, uint64_t below, seerdb_err *err)
{
    (void)ctx;
    (void)below;
    (void)err;
    return 0;
}

static int show_marker(struct run *r, seerdb_batch *b, seerdb_tree *t, uint64_t marker)
{
    return r->marked ? seerdb_batch_expect(b, t, marker, 0, NULL, &r->err) : 0;
}

/* A store with BEFORE in its tree. */
static void begin(struct run *r, bool marked)
{
    seerdb_tree *t = NULL;
    seerdb_tree_options o = {.id = uuid_of(1),
                             .owner = owner,
                             .name = "t",
                             .value_log = test_value_log(),
                             .marked = marked};
    *r = (struct run){.marked = marked};
    bed_init(&r->bed);
    r->bed.o.history_ms = 1;
    bed_open_ok(&r->bed);
    test_ok(seerdb_set_decider(r->bed.db, &owner, decide, NULL, &r->err), &r->err);
    test_ok(seerdb_tree_create(r->bed.db, &o, &t, &r->err), &r->err);
    seerdb_batch *b = new_batch(r->bed.db);
    test_ok(show_marker(r, b, t, 0), &r->err);
    add(b, t, BEFORE);
    test_ok(seerdb_prepare(b, SEERDB_SYNC_FULL, &r->marker, &r->err), &r->err);
    seerdb_commit(b);
    seerdb_batch_free(b);
    seerdb_tree_close(t);
}

/* The commit under test and its landing. */
static int spill_and_commit(struct run *r, bool again)
{
    static const char *const words[2][3] = {
        {"a=2 b=2 -c d=2", "a=3 e=3", "a=4"},
        {"a=2 b=8 c=8 ~c:e d=2 x=2", "a=3 ~b:cc b=2 e=3", "~f:z a=4"}};
    const char *const *w = words[r->ranges ? 1 : 0];
    seerdb_tree *t = open_tree(r->bed.db, 1);
    seerdb_batch *b = new_batch(r->bed.db);
    int rc = show_marker(r, b, t, r->marker);
    if (rc == 0 && (rc = batch_words(b, t, w[0], &r->err)) == 0 &&
        (rc = seerdb_batch_spill(b, &r->err)) == 0 &&
        (rc = batch_words(b, t, w[1], &r->err)) == 0 &&
        (rc = seerdb_batch_spill(b, &r->err)) == 0 &&
        (rc = batch_words(b, t, w[2], &r->err)) == 0 && again &&
        (rc = seerdb_prepare(b, SEERDB_SYNC_FULL, &r->number, &r->err)) == 0)
        rc = seerdb_unprepare(b, &r->err);
    if (rc == 0 &&
        (rc = seerdb_prepare(b, SEERDB_SYNC_FULL, &r->number, &r->err)) == 0) {
        seerdb_commit(b);
        r->committed = true;
        rc = seerdb_flush(r->bed.db, t, &r->err);
    }
    seerdb_batch_free(b);
    seerdb_tree_close(t);
    return rc;
}

enum death { DEATH_OF_THE_PROCESS, DEATH_DROP, DEATH_RANDOM, NDEATHS };

static void die(struct run *r, enum death death, uint64_t seed)
{
    test_ok(seerdb_set_decider(r->bed.db, &owner, NULL, NULL, &r->err), &r->err);
    (void)seerdb_close(r->bed.db, NULL);
    r->bed.db = NULL;
    if (death != DEATH_OF_THE_PROCESS)
        sdb_memfs_cut(r->bed.mem, death == DEATH_DROP ? SDB_CUT_DROP : SDB_CUT_RANDOM,
                      seed);
    fault(&r->bed, (struct sdb_fault){0});
}

static const char *contents(struct run *r, seerdb_tree *t, uint64_t marker, char *got,
                            size_t room)
{
    seerdb_view *v = NULL;
    seerdb_iter *it = NULL;
    int rc = r->marked ? seerdb_view_open_at(t, marker, 0, &v, &r->err)
                       : seerdb_view_open(t, &v, &r->err);
    test_ok(rc, &r->err);
    test_ok(seerdb_iter_open(v, NULL, 0, &it, &r->err), &r->err);
    dump_iter(it, true, got, room);
    seerdb_iter_close(it);
    seerdb_view_close(v);
    return got;
}

static size_t files_listed(struct run *r, seerdb_tree *t, seerdb_tree *other)
{
    size_t n = (size_t)stat_of(r->bed.db, t, "tables");
    return other == NULL ? n : n + (size_t)stat_of(r->bed.db, other, "tables");
}

/* The tree shows what its owner says, or what was acknowledged; then it goes on, and
 * the directory holds the tables that the tree lists. */
static void check(struct run *r, uint64_t n, bool kept)
{
    char got[200];
    uint64_t marker = kept ? r->number : r->marker;
    bed_open_ok(&r->bed);
    test_ok(seerdb_pause(r->bed.db, &r->err), &r->err);
    test_ok(seerdb_set_decider(r->bed.db, &owner, decide, NULL, &r->err), &r->err);
    seerdb_tree *t = open_tree(r->bed.db, 1);
    contents(r, t, marker, got, sizeof got);
    bool there = strcmp(got, AFTER) == 0;
    if (!there && strcmp(got, BEFORE) != 0)
        fail_msg("after %d operations the tree holds %s", (int)n, got);
    if (r->marked ? there != kept : r->committed && !there)
        fail_msg("after %d operations the commit is %s", (int)n,
                 there ? "there" : "lost");
    seerdb_batch *b = new_batch(r->bed.db);
    test_ok(show_marker(r, b, t, marker), &r->err);
    assert_string_equal(contents(r, t, marker, got, sizeof got),
                        there ? AFTER : BEFORE);
    add(b, t, "z=9");
    test_ok(seerdb_prepare(b, SEERDB_SYNC_FULL, &marker, &r->err), &r->err);
    seerdb_commit(b);
    seerdb_batch_free(b);
    for (int i = 0; i < 2; i++) {
        assert_string_equal(contents(r, t, marker, got, sizeof got),
                            there ? AFTER " z=9" : BEFORE " z=9");
        flush(r->bed.db);
        verify(r->bed.db);
    }
    seerdb_tree *other = NULL;
    seerdb_uuid id = uuid_of(2);
    (void)!seerdb_tree_open(r->bed.db, &id, &other, NULL); /* few runs have it */
    /* A compaction that began with the open may still come to its end and delete files;
     * those that our reads held longest wait for somebody to do it. */
    size_t listed = 1, files = 0;
    for (int tries = 0; tries < 10000 && listed != files; tries++) {
        sdb_empty_graveyard(r->bed.db);
        listed = files_listed(r, t, other);
        files = files_of(&r->bed, ".tbl").n;
        if (listed != files)
            sdb_clock_sleep_us(1000);
    }
    assert_int_equal(files, listed);
    seerdb_tree_close(other);
    test_ok(seerdb_set_decider(r->bed.db, &owner, NULL, NULL, &r->err), &r->err);
    seerdb_tree_close(t);
    bed_fini(&r->bed);
}

static void stop_everywhere(bool marked, bool again, bool ranges)
{
    for (int death = 0; death < NDEATHS; death++) {
        bool done = false;
        for (uint64_t n = 0; !done; n++) {
            for (int kept = 0; kept < (marked ? 2 : 1); kept++) { /* by its owner */
                struct run r;
                begin(&r, marked);
                r.ranges = ranges;
                fault(&r.bed, (struct sdb_fault){.ops = SDB_FAULT_ALL,
                                                 .after = n,
                                                 .times = UINT64_MAX,
                                                 .error = EIO,
                                                 .torn = n % 2 == 0});
                done = spill_and_commit(&r, again) == 0;
                die(&r, (enum death)death, n);
                r.err = (seerdb_err){0};
                /* The owner may have kept what was prepared, or not. */
                check(&r, n, r.committed || (r.number != 0 && kept == 1));
            }
            assert_true(n < 500);
        }
    }
}

static void a_commit_stopped_anywhere_is_there_whole_or_not_at_all(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++)
        stop_everywhere(false, i % 2 == 1, i >= 2);
}

static void a_marked_commit_stopped_anywhere_is_what_its_owner_says(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++)
        stop_everywhere(true, i % 2 == 1, i >= 2);
}

/* The commit reached the disk with another's sync, its abort need not have: then it
 * would stand after a cut, without its tables. */
static void an_abort_is_on_the_disk_before_the_tables_go(void **state)
{
    struct run r;
    (void)state;
    begin(&r, false);
    seerdb_tree *t = open_tree(r.bed.db, 1), *other = create_tree(r.bed.db, 2);
    seerdb_batch *b = new_batch(r.bed.db);
    add(b, t, "a=2");
    test_ok(seerdb_batch_spill(b, &r.err), &r.err);
    test_ok(seerdb_prepare(b, SEERDB_SYNC_OFF, NULL, &r.err), &r.err);
    write_words(other, "x=1");
    test_ok(seerdb_rollback(b, &r.err), &r.err);
    fault(&r.bed,
          (struct sdb_fault){.ops = SDB_FAULT_ALL, .times = UINT64_MAX, .error = EIO});
    seerdb_batch_free(b);
    seerdb_tree_close(t);
    seerdb_tree_close(other);
    die(&r, DEATH_DROP, 1);
    check(&r, 0, false);
}

/* The disk is full from the Nth operation on, for a while. */
static void a_full_disk_fails_the_statement_and_gives_the_space_back(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        bool done = false;
        for (uint64_t n = 0; !done; n++) {
            struct run r;
            begin(&r, i % 2 == 1);
            r.ranges = i >= 2;
            fault(&r.bed, (struct sdb_fault){.ops = SDB_FAULT_WRITE | SDB_FAULT_OPEN |
                                                    SDB_FAULT_META,
                                             .match = ".tbl",
                                             .after = n,
                                             .times = UINT64_MAX,
                                             .error = ENOSPC});
            int rc = spill_and_commit(&r, false);
            done = rc == 0;
            if (!done && !r.committed)
                test_fails(rc, SEERDB_FULL, &r.err);
            fault(&r.bed, (struct sdb_fault){0});
            r.err = (seerdb_err){0};
            if (!r.committed) { /* the same again, with room */
                flush(r.bed.db);
                test_ok(spill_and_commit(&r, false), &r.err);
            }
            die(&r, DEATH_DROP, n);
            check(&r, n, true);
            assert_true(n < 500);
        }
    }
}

static void a_failed_spill_leaves_the_batch_as_it_was(void **state)
{
    struct run r;
    int rc = SEERDB_FULL;
    (void)state;
    begin(&r, false);
    seerdb_tree *t = open_tree(r.bed.db, 1);
    seerdb_view *v = new_view(t);
    seerdb_batch *b = new_batch(r.bed.db);
    add(b, t, "a=2");
    uint64_t mark = seerdb_batch_mark(b);
    add(b, t, "a=3 d=3");
    for (uint64_t n = 0; rc != 0; n++) {
        fault(&r.bed, (struct sdb_fault){.ops = SDB_FAULT_WRITE | SDB_FAULT_OPEN,
                                         .match = ".tbl",
                                         .after = n,
                                         .times = UINT64_MAX,
                                         .error = ENOSPC});
        rc = seerdb_batch_spill(b, &r.err);
        fault(&r.bed, (struct sdb_fault){0});
        if (rc == 0)
            break;
        test_fails(rc, SEERDB_FULL, &r.err);
        assert_int_equal(files_of(&r.bed, ".tbl").n, 0);
        expect_state(v, b, SEERDB_BATCH_ALL, "a=3 b=1 c=1 d=3");
        expect_state(v, b, mark, "a=2 b=1 c=1");
        assert_true(n < 100);
    }
    assert_int_equal(files_of(&r.bed, ".tbl").n, 2);
    expect_state(v, b, SEERDB_BATCH_ALL, "a=3 b=1 c=1 d=3");
    seerdb_batch_rollback_to(b, mark);
    expect_state(v, b, SEERDB_BATCH_ALL, "a=2 b=1 c=1");
    test_ok(seerdb_write(b, SEERDB_SYNC_FULL, &r.err), &r.err);
    expect(t, "a=2 b=1 c=1");
    seerdb_view_close(v);
    seerdb_batch_free(b);
    seerdb_tree_close(t);
    bed_fini(&r.bed);
}

/* Whoever is not open yet has nothing to tidy up. */
static void an_open_that_fails_keeps_the_tables_of_a_commit(void **state)
{
    struct run r;
    int rc = SEERDB_IOERR;
    (void)state;
    begin(&r, true);
    seerdb_tree *t = open_tree(r.bed.db, 1);
    seerdb_batch *b = new_batch(r.bed.db);
    test_ok(show_marker(&r, b, t, r.marker), &r.err);
    add(b, t, "a=2 b=2 -c d=2");
    test_ok(seerdb_batch_spill(b, &r.err), &r.err);
    add(b, t, "e=3 a=4");
    test_ok(seerdb_batch_spill(b, &r.err), &r.err);
    test_ok(seerdb_prepare(b, SEERDB_SYNC_FULL, &r.number, &r.err), &r.err);
    fault(&r.bed,
          (struct sdb_fault){.ops = SDB_FAULT_ALL, .times = UINT64_MAX, .error = EIO});
    seerdb_batch_free(b);
    seerdb_tree_close(t);
    die(&r, DEATH_OF_THE_PROCESS, 1);
    for (uint64_t n = 0; rc != 0; n++) {
        fault(&r.bed, (struct sdb_fault){.ops = SDB_FAULT_OPEN | SDB_FAULT_READ,
                                         .match = ".tbl",
                                         .after = n,
                                         .times = 1,
                                         .error = EIO});
        rc = bed_open(&r.bed, &r.err);
        fault(&r.bed, (struct sdb_fault){0});
        if (rc == 0)
            break;
        test_fails(rc, SEERDB_IOERR, &r.err);
        assert_int_equal(files_of(&r.bed, ".tbl").n, 2);
        assert_true(n < 1000);
    }
    bed_close(&r.bed);
    check(&r, 0, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_commit_stopped_anywhere_is_there_whole_or_not_at_all),
        cmocka_unit_test(a_marked_commit_stopped_anywhere_is_what_its_owner_says),
        cmocka_unit_test(an_abort_is_on_the_disk_before_the_tables_go),
        cmocka_unit_test(a_full_disk_fails_the_statement_and_gives_the_space_back),
        cmocka_unit_test(an_open_that_fails_keeps_the_tables_of_a_commit),
        cmocka_unit_test(a_failed_spill_leaves_the_batch_as_it_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
