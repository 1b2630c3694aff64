/* SPDX-License-Identifier: Apache-2.0
 *
 * Most tests keep twins: two stores that live through the same, but that one copies its
 * trees aside on the way.  Nobody may see a difference. */
#include "aside_rig.h"

/* ---- twins ------------------------------------------------------------------------
 */

static const char *const lives[] = {
    "c a=1;c b=2;c a=3;R;A;R", "c a=1;c -a;r a=9;c b=2;r b=9;R;A;C;A;R",
    "c a=1;k a=2;R;A;R;c b=1;R;A;R", "c a=1;F;c a=2;c b=3 c=4;r c=5;R;A;R",
    "r a=1;R;A;R", "r a=1;r a=2;c a=3;R;A;R",
    "c a=1;c b=2;R;A;R;c c=3;c d=4;r e=5;R;A;R", /* the second takes the first's place
                                                  */
    "c a=1;c b=2;R;A;R;c c=3;X;F;F;F;c d=4;A;c e=5;r e=6;R", /* settled, and more
                                                                follows */
    "c a=1;X;F;F;F;c a=2;A;r a=3;c a=4;F;F;F;A;c b=1;R",
    "c a=1;c a=2;X;r a=3;c a=4;r b=1;F;F;F;A;R;A;R",
    "c a=1;c b=2;R;A;Y;c c=3;F;c d=4;R", /* flushed: the side file has gone */
    "c a=1;X;F;F;F;c b=2;F;F;F;A;Y;c c=3;R", "c a=1;B;c b=2;c c=3;R;A;R",
    "c a=1;B;c b=2;X;F;F;F;r b=7;c c=3;A;R;A;R", "c a=1;R;A;R;A;R;A;C;A;C",
    "c a=1;F;R;A;R", "c a=1 b=1 c=1;c ~a:c;R;A;R", /* a commit of nothing but a range */
    "c a=1 b=2;r ~a:z;c ~b:z c=3;R;A;C;A;R", "c a=1 b=1;k ~a:b;R;A;R;c ~b:c a=3;R;A;R",
    "c ~a:b;r ~b:z;c ~a:c a=2;c ~a:b;R;A;R",
    "c a=1 b=1;X;F;F;F;c ~b:c;c ~a:b;A;r ~a:z;c b=2;A;R;A;R", /* settled */
    "c a=1 b=1;F;c ~a:b;X;F;F;F;c ~b:z;c a=2;A;Y;c b=3;F;c c=4 ~a:b;A;R",
    /* Spilled, alone, among others, several, and what became of them.  Whoever is not
     * mute has them in tables some time soon. */
    "X;c !a=1;R;A;R", "X;c a=1;c !a=2 b=2;R;A;R", "X;c !a=1;c a=2 c=2;R;A;R;A;R",
    "X;c a=1 d=1;c !a=2 b=2;c b=3;c !b=4 c=4;c c=5;R;A;R;C", "X;c a=1;r !a=2;R;A;R",
    "X;c a=1;k !a=2;R;A;R", "X;r !a=1;r !a=2;c a=3;r !a=4;R;A;R",
    "X;c a=1;r !a=2;c !b=3;F;F;F;c c=4;A;c !d=5;r !e=6;R",
    "X;c !a=1;F;F;F;c b=2;A;R;A;X;c c=3;R;A;R", "X;c !a=1;c b=2;R;A;Y;c c=3;F;c d=4;R",
    "X;c a=1;c !a=2;c b=3;R;A;R;X;c !c=4;c d=5;r e=6;R;A;R",
    "c !a=1;F;X;c !a=2;c b=3;R;A;R", "X;c !a=1;B;X;c !b=2;c c=3;R;A;R",
    "X;c a=1 b=1;c ~a:b;c !c=2 d=2;c ~c:d a=3;R;A;R", /* ranges around it */
};

struct twins {
    struct owner with, without; /* side files */
};

static uint64_t twins_live(struct twins *t, const char *life)
{
    owner_init(&t->with, true);
    owner_init(&t->without, false);
    uint64_t last = live(&t->with, life);
    assert_int_equal(live(&t->without, life), last);
    assert_int_equal(t->with.marker, t->without.marker);
    return last;
}

static void twins_fini(struct twins *t)
{
    owner_fini(&t->with);
    owner_fini(&t->without);
}

static void compare_at(struct twins *t, uint64_t marker, const char *when)
{
    char a[4096], b[4096];
    int ra = show_at(&t->with, marker, a, sizeof a);
    int rb = show_at(&t->without, marker, b, sizeof b);
    if (ra != rb || strcmp(a, b) != 0)
        fail_msg("%s, marker %" PRIu64 ": %d %s; without a side file %d %s", when,
                 marker, ra, a, rb, b);
}

/* The markers worth a try: numbers skip at a crash. */
static bool is_near(const struct owner *o, uint64_t marker, uint64_t last)
{
    return marker < 20 || marker + 12 > last ||
           (marker > o->marker - 4 && marker < o->marker + 4) || marker % 65536 < 16;
}

static void every_marker_shows_the_same_after_an_aside(void **state)
{
    (void)state;
    uint64_t made = 0;
    for (size_t i = 0; i < sizeof lives / sizeof *lives; i++) {
        struct twins t;
        uint64_t last = twins_live(&t, lives[i]);
        for (uint64_t m = 0; m <= last + 3; m++)
            if (is_near(&t.with, m, last))
                compare_at(&t, m, lives[i]);
        made += t.with.made;
        twins_fini(&t);
    }
    assert_true(made >= 35);
}

/* Show both the marker as a writer; if they take it, write on. */
static bool settle(struct twins *t, uint64_t marker, const char *when)
{
    struct owner *both[] = {&t->with, &t->without};
    int rc[2];
    seerdb_marker_found found[2];
    seerdb_err err[2] = {{0}};
    for (int i = 0; i < 2; i++) {
        seerdb_batch *b = new_batch(both[i]->bed.db);
        rc[i] = seerdb_batch_expect(b, both[i]->tree, marker, 0, &found[i], &err[i]);
        seerdb_batch_free(b);
        both[i]->marker = marker;
    }
    if (rc[0] != rc[1] || strcmp(err[0].msg, err[1].msg) != 0 ||
        (rc[0] == 0 &&
         (found[0].state != found[1].state || found[0].given_up != found[1].given_up)))
        fail_msg("%s, settling at %" PRIu64 ": %d %d %s; without a side file %d %d %s",
                 when, marker, rc[0], (int)found[0].state, err[0].msg, rc[1],
                 (int)found[1].state, err[1].msg);
    return rc[0] == 0;
}

static void both(struct twins *t, const char *life)
{
    (void)live(&t->with, life);
    (void)live(&t->without, life);
}

/* Each is a dozen stores that are opened: a fourth of them is enough to see threads
 * meet where that takes thirty times as long. */
#ifdef __SANITIZE_THREAD__
enum { EVERY = 4 };
#else
enum { EVERY = 1 };
#endif

static void every_verdict_is_the_same_after_an_aside(void **state)
{
    (void)state;
    unsigned taken = 0, refused = 0;
    for (size_t i = 0; i < sizeof lives / sizeof *lives; i++) {
        uint64_t last = 1;
        for (uint64_t m = i % EVERY; m <= last + 3; m += EVERY) {
            struct twins t;
            if (m > 0 && !is_near(&(struct owner){.marker = last}, m, last))
                continue;
            last = twins_live(&t, lives[i]);
            if (settle(&t, m, lives[i])) {
                taken++;
                compare_at(&t, m, lives[i]);
                both(&t, "c z=1;r z=2");
                compare_at(&t, t.with.marker, lives[i]);
                both(&t, "R;A;R"); /* aside once more */
                compare_at(&t, t.with.marker, lives[i]);
                both(&t, "c y=1;F");
                assert_int_equal(flush_tree(&t.with), 0);
                assert_int_equal(files_of(&t.with.bed, ".side").n, 0);
                compare_at(&t, t.with.marker, lives[i]);
                both(&t, "R");
                compare_at(&t, t.with.marker, lives[i]);
                verify(t.with.bed.db);
            } else {
                refused++;
            }
            twins_fini(&t);
        }
    }
    print_message("%u markers taken, %u refused\n", taken, refused);
    assert_true(taken > 60 && refused > 5);
}

/* ---- the log ----------------------------------------------------------------------
 */

/* `n` times 2 KB pass by; returns the flushes that it took. */
static unsigned write_by(struct owner *o, seerdb_tree *t, struct owner *other,
                         uint64_t *marker, unsigned n)
{
    double most = 0, before = stat_of(o->bed.db, NULL, "flushes");
    size_t files = 0;
    for (unsigned i = 0; i < n; i++) {
        put_large(t, other, marker, i);
        double now = log_bytes_of(t);
        most = now > most ? now : most;
        size_t logs = i % 100 == 0 ? files_of(&o->bed, ".log").n : 0;
        files = logs > files ? logs : files;
    }
    double cap = (double)o->bed.db->log_cap;
    print_message("at most %.0f bytes in %zu files, the cap is %.0f\n", most, files,
                  cap);
    /* What memory holds comes on top, where the flushes have no processor: as much as
     * that again at most.  Kept, the log would have five times the cap and more. */
    assert_true(most < 3 * cap);
    assert_true((double)files < 3.5 * cap / SMALL_LOG);
    wait_for_jobs(o->bed.db);
    return (unsigned)(stat_of(o->bed.db, NULL, "flushes") - before);
}

static void who_does_not_come_does_not_keep_the_log(void **state)
{
    (void)state;
    struct owner first, only;
    uint64_t its_marker = 0;
    owner_init(&first, true);
    seerdb_tree *its = other_tree(&first, &only);
    unsigned alone = write_by(&first, its, &only, &its_marker, 4000);
    seerdb_tree_close(its);
    owner_fini(&first);
    for (int way = 0; way < 4; way++) {
        struct owner o, other;
        uint64_t marker = 0;
        bool mute = way % 2 == 1, spilled = way >= 2;
        owner_init(&o, true);
        write_as(&o, "a=1 b=2", true);
        write_as(&o, spilled ? "!b=3" : "b=3", true);
        write_as(&o, spilled ? "!b=4" : "b=4", false);
        if (!mute) {
            leave(&o, true);
            enter(&o);
        } else { /* it has come, but its database is gone */
            o.mute = true;
        }
        seerdb_tree *t = other_tree(&o, &other);
        unsigned flushes = write_by(&o, t, &other, &marker, 4000);
        print_message("%u flushes, alone %u\n", flushes, alone);
        assert_true(flushes <= alone + alone / 10);
        assert_int_equal(files_of(&o.bed, ".side").n, 1);
        assert_int_equal(stat_of(o.bed.db, NULL, "asides"), 1);
        expect_at(&o, o.marker, "a=1 b=3");
        for (int i = 0; i < 2; i++) {
            seerdb_tree_close(t);
            leave(&o, true);
            enter(&o);
            t = other_tree(&o, &other);
            assert_int_equal(files_of(&o.bed, ".side").n, 1);
            expect_at(&o, o.marker, "a=1 b=3");
            (void)write_by(&o, t, &other, &marker, 2000);
        }
        o.mute = false;
        write_as(&o, "c=5", true);
        assert_int_equal(flush_tree(&o), 0);
        assert_int_equal(files_of(&o.bed, ".side").n, 0);
        seerdb_tree_close(t);
        leave(&o, true);
        enter(&o);
        expect_at(&o, o.marker, "a=1 b=3 c=5");
        owner_fini(&o);
    }
}

struct meanwhile {
    struct owner *o, other;
    seerdb_tree *t;
    uint64_t marker;
    seerdb_batch *batch; /* to commit, if not NULL */
    bool done;
};

static void commit_meanwhile(void *ctx, enum sdb_fault_op op, const char *path)
{
    struct meanwhile *m = ctx;
    if (m->done || op != SDB_FAULT_WRITE || strstr(path, ".side") == NULL)
        return;
    m->done = true;
    if (m->batch != NULL) {
        seerdb_commit(m->batch);
        return;
    }
    write_as(m->o, "b=2", true);
    for (unsigned i = 0; i < 50; i++) /* so that later ones are in other log files */
        put_large(m->t, &m->other, &m->marker, i);
    write_as(m->o, "c=3", true);
}

static void commits_while_the_side_file_is_written_stay_in_the_log(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        seerdb_err err = {0};
        struct owner o;
        struct meanwhile m = {.o = &o};
        owner_init(&o, true);
        m.t = other_tree(&o, &m.other);
        write_as(&o, "a=1", true);
        seerdb_batch *b = NULL;
        if (i > 0) { /* its place in the log lies before, it is decided after */
            b = new_batch(o.bed.db);
            uint64_t number;
            test_ok(seerdb_batch_expect(b, o.tree, o.marker, 0, NULL, &err), &err);
            add(b, o.tree, "b=2 c=3");
            test_ok(seerdb_prepare(b, SEERDB_SYNC_FULL, &number, &err), &err);
            o.marker = number;
            m.done = i == 1;
            m.batch = b;
        }
        o.mute = true;
        for (int k = 0; k < 3; k++)
            (void)flush_tree(&o);
        for (unsigned k = 0; k < 50; k++)
            put_large(m.t, &m.other, &m.marker, k);
        sdb_faultfs_observe(o.bed.fs, commit_meanwhile, &m);
        aside_now(&o);
        sdb_faultfs_observe(o.bed.fs, NULL, NULL);
        assert_int_equal(o.made, 1);
        if (i == 1)
            seerdb_commit(b);
        seerdb_batch_free(b);
        for (unsigned k = 0; k < 40; k++)
            put_large(m.t, &m.other, &m.marker, k);
        test_ok(seerdb_flush(o.bed.db, m.t, &err), &err); /* trims the log */
        seerdb_tree_close(m.t);
        leave(&o, true);
        enter(&o);
        expect_at(&o, o.marker, "a=1 b=2 c=3");
        owner_fini(&o);
    }
}

/* Every session of one database leaves a log file, while the other is not opened. */
static void many_short_sessions_do_not_pile_up_log_files(void **state)
{
    (void)state;
    struct owner o, other;
    uint64_t marker = 0;
    owner_init(&o, true);
    write_as(&o, "a=1", true);
    for (unsigned i = 0; i < 60; i++) {
        leave(&o, true);
        enter(&o);
        seerdb_tree *t = other_tree(&o, &other);
        put_large(t, &other, &marker, i);
        seerdb_tree_close(t);
        assert_true(files_of(&o.bed, ".log").n <= 20);
    }
    assert_in_range(files_of(&o.bed, ".side").n, 1, 2); /* of each table one */
    expect_at(&o, o.marker, "a=1");
    owner_fini(&o);
}

/* ---- the file
 * ------------------------------------------------------------------------ */

static void a_dropped_tree_takes_its_side_file_along(void **state)
{
    (void)state;
    seerdb_err err = {0};
    struct owner o;
    owner_init(&o, true);
    (void)live(&o, "c a=1;R;A;R");
    assert_int_equal(files_of(&o.bed, ".side").n, 1);
    test_ok(seerdb_tree_intend_drop(o.tree, &err), &err);
    int rc;
    while ((rc = seerdb_tree_drop(o.tree, &err)) == SEERDB_BUSY) { /* history passes */
        seerdb_uuid id = uuid_of(1);
        test_ok(seerdb_tree_open(o.bed.db, &id, &o.tree, &err), &err);
    }
    test_ok(rc, &err);
    o.tree = NULL;
    assert_int_equal(files_of(&o.bed, ".side").n, 0);
    bed_close(&o.bed);
    bed_open_ok(&o.bed);
    bed_fini(&o.bed);
}

/* Damage to it is damage to that tree alone. */
static void a_side_file_that_cannot_be_read_spares_the_other_trees(void **state)
{
    (void)state;
    for (int missing = 0; missing < 2; missing++) {
        seerdb_err err = {0};
        struct owner o, other;
        char path[80];
        uint64_t marker = 0, number;
        owner_init(&o, true);
        (void)live(&o, "c a=1;R;A;c b=2");
        seerdb_tree *t = other_tree(&o, &other);
        put_large(t, &other, &marker, 1);
        seerdb_tree_close(t);
        leave(&o, true);
        snprintf(path, sizeof path, "store/%s", files_of(&o.bed, ".side").first);
        if (missing == 1)
            test_ok(sdb_fs_remove(o.bed.mem, path, &err), &err);
        else
            assert_int_equal(sdb_memfs_flip(o.bed.mem, path, 120, 1), 0);
        enter(&o);
        t = other_tree(&o, &other);
        put_large(t, &other, &marker, 2);
        put_large(t, &other, &marker, 3);
        seerdb_view *v = NULL;
        seerdb_batch *b = new_batch(o.bed.db);
        seerdb_verify_report report;
        test_fails(seerdb_view_open_at(o.tree, o.marker, 0, &v, &err), SEERDB_CORRUPT,
                   &err);
        test_fails(seerdb_view_open_at(o.tree, 0, 0, &v, &err), SEERDB_CORRUPT, &err);
        test_fails(seerdb_view_open(o.tree, &v, &err), SEERDB_CORRUPT, &err);
        test_fails(seerdb_tree_accept(o.tree, &number, &err), SEERDB_CORRUPT, &err);
        test_fails(seerdb_verify(o.bed.db, NULL, &report, &err), SEERDB_CORRUPT, &err);
        int rc = seerdb_batch_expect(b, o.tree, o.marker, 0, NULL, &err);
        assert_int_equal(rc, SEERDB_CORRUPT);
        assert_non_null(strstr(err.msg, path));
        seerdb_batch_free(b);
        aside_now(&o); /* what is not there must not be written over what is */
        assert_int_equal(files_of(&o.bed, ".side").n, missing == 1 ? 0 : 1);
        assert_int_equal(o.made, 1);
        /* It can be dropped. */
        err = (seerdb_err){0};
        test_ok(seerdb_tree_intend_drop(o.tree, &err), &err);
        seerdb_uuid id = uuid_of(1);
        while ((rc = seerdb_tree_drop(o.tree, &err)) == SEERDB_BUSY)
            test_ok(seerdb_tree_open(o.bed.db, &id, &o.tree, &err), &err);
        test_ok(rc, &err);
        verify(o.bed.db);
        seerdb_tree_close(t);
        bed_close(&o.bed);
        bed_open_ok(&o.bed);
        verify(o.bed.db);
        bed_fini(&o.bed);
    }
}

/* Whatever its last commit is, and becomes: with that the side file goes. */
static void the_side_file_goes_with_the_last_commit_in_it(void **state)
{
    (void)state;
    static const char *const ends[] = {"c b=2", "r b=2", "c !b=2", "r !b=2", "k !b=2"};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        struct owner o;
        char before[4096], after[4096];
        owner_init(&o, true);
        (void)live(&o, "X;c a=1");
        (void)live(&o, ends[i]);
        (void)live(&o, "R;A");
        assert_int_equal(o.made, 1);
        assert_int_equal(show_at(&o, o.marker, before, sizeof before), 0);
        seerdb_batch *b = new_batch(o.bed.db);
        seerdb_err err = {0};
        test_ok(seerdb_batch_expect(b, o.tree, o.marker, 0, NULL, &err), &err);
        seerdb_batch_free(b);
        if (ends[i][0] == 'r') /* until then it may yet turn out to count */
            write_as(&o, "c=3", true);
        assert_int_equal(flush_tree(&o), 0);
        if (files_of(&o.bed, ".side").n != 0)
            fail_msg("%s: it is still there", ends[i]);
        assert_int_equal(show_at(&o, o.marker, before, sizeof before), 0);
        leave(&o, true);
        enter(&o);
        assert_int_equal(show_at(&o, o.marker, after, sizeof after), 0);
        assert_string_equal(after, before);
        verify(o.bed.db);
        owner_fini(&o);
    }
}

/* Its tables are gone and the side file has no link of it; the log still names both. */
static void a_spilled_commit_that_was_given_up_is_not_missed(void **state)
{
    struct owner o;
    seerdb_err err = {0};
    uint64_t n;
    (void)state;
    owner_init(&o, true);
    write_as(&o, "a=1", true);
    seerdb_batch *b = new_batch(o.bed.db);
    test_ok(seerdb_batch_expect(b, o.tree, o.marker, 0, NULL, &err), &err);
    add(b, o.tree, "c=3");
    test_ok(seerdb_batch_spill(b, &err), &err);
    test_ok(seerdb_prepare(b, SEERDB_SYNC_FULL, &n, &err), &err);
    test_ok(seerdb_rollback(b, &err), &err);
    seerdb_batch_free(b);
    assert_int_equal(files_of(&o.bed, ".tbl").n > 0, 1);
    write_as(&o, "b=2", true); /* on top of what was: the other never was */
    sdb_lock_db(&o.bed.db->lock);
    sdb_job_retry(o.bed.db);
    sdb_unlock_db(&o.bed.db->lock);
    wait_for_jobs(o.bed.db);
    o.mute = true;
    test_fails(seerdb_flush(o.bed.db, o.tree, &err), SEERDB_BUSY, &err);
    aside_now(&o);
    assert_int_equal(o.made, 1);
    leave(&o, true);
    enter(&o);
    expect_at(&o, o.marker, "a=1 b=2");
    owner_fini(&o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_marker_shows_the_same_after_an_aside),
        cmocka_unit_test(every_verdict_is_the_same_after_an_aside),
        cmocka_unit_test(who_does_not_come_does_not_keep_the_log),
        cmocka_unit_test(commits_while_the_side_file_is_written_stay_in_the_log),
        cmocka_unit_test(many_short_sessions_do_not_pile_up_log_files),
        cmocka_unit_test(a_dropped_tree_takes_its_side_file_along),
        cmocka_unit_test(a_side_file_that_cannot_be_read_spares_the_other_trees),
        cmocka_unit_test(the_side_file_goes_with_the_last_commit_in_it),
        cmocka_unit_test(a_spilled_commit_that_was_given_up_is_not_missed),
    };
    return cmocka_run_group_tests_name("aside", tests, NULL, NULL);
}
