/* SPDX-License-Identifier: Apache-2.0
 *
 * After any failure of the log, and of jobs, the store goes on, and what was
 * acknowledged is on stable storage the moment it does. */
#include "testing.h"

#include "db/state.h"
#include "marked_rig.h"

#include "os/clock.h"

#include <errno.h>

#define COMMITS 14u

static const struct sdb_fault nothing;

static void disarm(struct bed *b)
{
    sdb_faultfs_arm(b->fs, &nothing);
}

/* What a session has done: commit i sets key i. */
struct session {
    struct bed b;
    seerdb_tree *tree;
    bool acknowledged[2 * COMMITS];
    unsigned n;
};

static void name_key(unsigned i, char key[16])
{
    snprintf(key, 16, "k%03u", i);
}

static void commit_some(struct session *s, unsigned n, enum seerdb_sync sync)
{
    for (unsigned i = 0; i < n; i++, s->n++) {
        seerdb_err err = {0};
        char key[16], *value = calloc(1, 3000);
        name_key(s->n, key);
        seerdb_batch *batch = new_batch(s->b.db);
        test_ok(seerdb_batch_put(batch, s->tree, test_slice(key),
                                 (seerdb_slice){value, 3000}, &err),
                &err);
        s->acknowledged[s->n] = seerdb_write(batch, sync, NULL) == 0;
        seerdb_batch_free(batch);
        free(value);
    }
}

static void expect_the_acknowledged(struct session *s, const char *when)
{
    seerdb_view *v = new_view(s->tree);
    for (unsigned i = 0; i < s->n; i++) {
        seerdb_err err = {0};
        seerdb_value got;
        char key[16];
        name_key(i, key);
        int rc = seerdb_get(v, NULL, 0, test_slice(key), &got, &err);
        if (rc != (s->acknowledged[i] ? 0 : SEERDB_NOTFOUND))
            fail_msg("%s: commit %u was %s, but reading it says %d: %s", when, i,
                     s->acknowledged[i] ? "acknowledged" : "refused", rc, err.msg);
        if (rc == 0)
            seerdb_pin_unref(got.pin);
    }
    seerdb_view_close(v);
}

/* The power fails, or the process dies, and the store is opened again. */
static void lose(struct session *s, bool power, uint64_t seed)
{
    if (power)
        sdb_memfs_cut(s->b.mem, seed % 2 == 0 ? SDB_CUT_DROP : SDB_CUT_RANDOM, seed);
    seerdb_tree_close(s->tree);
    if (power)
        (void)seerdb_close(s->b.db, NULL);
    else
        bed_crash(&s->b);
    s->b.db = NULL;
    bed_open_ok(&s->b);
    s->tree = open_tree(s->b.db, 1);
}

static bool is_broken(struct session *s)
{
    seerdb_err err = {0};
    seerdb_batch *batch = new_batch(s->b.db);
    uint64_t number;
    test_ok(seerdb_batch_delete(batch, s->tree, test_slice("x"), &err), &err);
    int rc = seerdb_prepare(batch, SEERDB_SYNC_OFF, &number, &err);
    bool broken = rc != 0 && strstr(err.msg, "earlier failure") != NULL;
    if (rc == 0)
        test_ok(seerdb_rollback(batch, &err), &err);
    seerdb_batch_free(batch);
    return broken;
}

struct way {
    unsigned ops;
    bool torn;
    enum seerdb_sync sync;
};

/* Have resume fail at each of its operations on such files.  True: it never succeeded.
 */
static bool fails_everywhere(struct session *s, const char *match)
{
    bool fired = true;
    for (uint64_t k = 0; fired && is_broken(s); k++) {
        sdb_faultfs_arm(s->b.fs, &(struct sdb_fault){.ops = SDB_FAULT_ALL,
                                                     .match = match,
                                                     .after = k,
                                                     .times = 1,
                                                     .error = EIO});
        seerdb_err err = {0};
        int rc = seerdb_resume(s->b.db, &err);
        fired = sdb_faultfs_fired(s->b.fs) > 0;
        disarm(&s->b);
        if ((rc != 0) != is_broken(s))
            fail_msg("%d, and writes are %s: %s", rc, rc != 0 ? "taken" : "refused",
                     err.msg);
    }
    return is_broken(s);
}

/* One failure at the nth operation, resume, and then a loss: at once, or after more
 * commits.  False: there are not so many operations. */
static bool fail_at(const struct way *w, uint64_t n, unsigned ending, unsigned *resumed)
{
    struct session s = {.n = 0};
    seerdb_err err = {0};
    s.tree = bed_new_tree(&s.b);
    commit_some(&s, 2, SEERDB_SYNC_FULL);
    sdb_faultfs_arm(s.b.fs, &(struct sdb_fault){.ops = w->ops,
                                                .match = ".log",
                                                .after = n,
                                                .times = 1,
                                                .error = EIO,
                                                .torn = w->torn});
    commit_some(&s, COMMITS - 4, w->sync);
    commit_some(&s, 2, SEERDB_SYNC_FULL);
    bool fired = sdb_faultfs_fired(s.b.fs) > 0;
    disarm(&s.b);
    expect_the_acknowledged(&s, "before");
    if (is_broken(&s)) {
        ++*resumed;
        /* It may fail itself, as often as it will, and nothing gets worse. */
        if (fails_everywhere(&s, ".free") || fails_everywhere(&s, ".log"))
            test_ok(seerdb_resume(s.b.db, &err), &err);
        expect_the_acknowledged(&s, "resumed");
        if (ending / 2 == 1)
            commit_some(&s, 4, SEERDB_SYNC_FULL);
        lose(&s, ending % 2 == 0, n);
        expect_the_acknowledged(&s, "lost");
        commit_some(&s, 2, SEERDB_SYNC_FULL);
        lose(&s, true, n);
        expect_the_acknowledged(&s, "lost again");
    }
    verify(s.b.db);
    bed_end(&s.b, s.tree);
    return fired;
}

static void a_store_that_is_resumed_has_lost_nothing(void **state)
{
    static const struct way ways[] = {
        {SDB_FAULT_WRITE, false, SEERDB_SYNC_OFF},
        {SDB_FAULT_WRITE, true, SEERDB_SYNC_FULL},
        {SDB_FAULT_WRITE, true, SEERDB_SYNC_OFF},
        {SDB_FAULT_SYNC, false, SEERDB_SYNC_OFF},
        {SDB_FAULT_SYNC, false, SEERDB_SYNC_FULL},
        {SDB_FAULT_META, false, SEERDB_SYNC_OFF},
        {SDB_FAULT_OPEN, false, SEERDB_SYNC_OFF},
    };
    unsigned resumed = 0;
    (void)state;
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++)
        for (unsigned ending = 0; ending < 4; ending++)
            for (uint64_t n = 0; fail_at(&ways[i], n, ending, &resumed); n++)
                ;
    print_message("%u stores were resumed\n", resumed);
    assert_true(resumed > 100);
}

static void there_may_be_nothing_to_resume(void **state)
{
    struct bed b;
    seerdb_err err = {0};
    (void)state;
    bed_new(&b);
    assert_int_equal(seerdb_resume(b.db, &err), SEERDB_NOTFOUND);
    assert_int_equal(err.code, 0);
    bed_fini(&b);
}

static void a_flush_that_failed_for_good_is_tried_again(void **state)
{
    struct bed b;
    seerdb_err err = {0};
    (void)state;
    seerdb_tree *t = bed_new_tree(&b);
    write_words(t, "a=1");
    sdb_faultfs_arm(b.fs, &(struct sdb_fault){.ops = SDB_FAULT_WRITE,
                                              .match = ".tbl",
                                              .times = UINT64_MAX,
                                              .error = EIO});
    (void)!seerdb_flush(b.db, NULL, NULL);
    (void)!seerdb_flush(b.db, NULL, NULL);
    test_fails(try_write(t, "b=2", SEERDB_SYNC_OFF, &err), SEERDB_IOERR, &err);
    test_fails(seerdb_resume(b.db, &err), SEERDB_IOERR, &err); /* it goes on failing */
    disarm(&b);
    err = (seerdb_err){0};
    int rc = seerdb_resume(b.db, &err);
    assert_true(rc == 0 ||
                rc == SEERDB_NOTFOUND); /* it may have been tried meanwhile */
    assert_true(stat_of(b.db, NULL, "background_failure") == 0);
    assert_true(stat_of(b.db, t, "tables") == 1);
    write_words(t, "b=2");
    sdb_memfs_cut(b.mem, SDB_CUT_DROP, 1);
    seerdb_tree_close(t);
    (void)seerdb_close(b.db, NULL);
    bed_open_ok(&b);
    t = open_tree(b.db, 1);
    expect_key(t, "a", "1");
    bed_end(&b, t);
}

static void what_the_manifest_says_must_be_known(void **state)
{
    struct bed b;
    seerdb_err err = {0};
    (void)state;
    seerdb_tree *t = bed_new_tree(&b);
    write_words(t, "a=1");
    fault_once(b.fs, SDB_FAULT_SYNC, ".man", EIO);
    (void)!seerdb_flush(b.db, NULL, NULL);
    disarm(&b);
    int rc = seerdb_resume(b.db, &err);
    if (rc != SEERDB_READONLY || strstr(err.msg, "open it again") == NULL)
        fail_msg("%d: %s", rc, err.msg);
    test_fails(try_write(t, "b=2", SEERDB_SYNC_OFF, &err), SEERDB_IOERR, &err);
    expect(t, "a=1");
    seerdb_tree_close(t);
    (void)seerdb_close(b.db, NULL);
    bed_open_ok(&b);
    t = open_tree(b.db, 1);
    expect(t, "a=1");
    bed_end(&b, t);
}

/* Where files get their space when they are written to, a full disk breaks the log. */
static void a_log_that_found_the_disk_full_can_be_resumed(void **state)
{
    static const enum sdb_fault_op ops[] = {SDB_FAULT_WRITE, SDB_FAULT_SYNC};
    (void)state;
    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++)
        for (uint64_t n = 0; n < 2; n++) { /* the new file's header, a frame */
            struct session s = {.n = 0};
            seerdb_err err = {0};
            seerdb_condition c;
            s.tree = bed_new_tree(&s.b);
            fault(&s.b, (struct sdb_fault){.ops = ops[i],
                                           .match = ".log",
                                           .after = n,
                                           .times = 1,
                                           .error = ENOSPC,
                                           .torn = true});
            commit_some(&s, 3, SEERDB_SYNC_FULL);
            assert_int_equal(sdb_faultfs_fired(s.b.fs), 1);
            disarm(&s.b);
            test_ok(seerdb_look(s.b.db, s.tree, &c, &err), &err);
            assert_int_equal(c.failure, SEERDB_FULL);
            assert_true(c.refuses && c.resumable);
            test_ok(seerdb_resume(s.b.db, &err), &err);
            commit_some(&s, 1, SEERDB_SYNC_FULL);
            assert_true(s.acknowledged[3]);
            lose(&s, true, n);
            expect_the_acknowledged(&s, "lost");
            bed_end(&s.b, s.tree);
        }
}

/* The log has failed under a job, and no commit has met that yet. */
static void a_log_that_failed_under_a_flush_is_mended(void **state)
{
    static const int errors[] = {ENOSPC, EIO};
    (void)state;
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        struct session s = {.n = 0};
        seerdb_err err = {0};
        s.tree = bed_new_tree(&s.b);
        commit_some(&s, 2, SEERDB_SYNC_OFF);
        fault(&s.b, (struct sdb_fault){.ops = SDB_FAULT_SYNC,
                                       .match = ".log",
                                       .times = 1,
                                       .error = errors[i]});
        assert_true(seerdb_flush(s.b.db, NULL, &err) < 0);
        disarm(&s.b);
        test_ok(seerdb_resume(s.b.db, &err), &err);
        assert_int_equal(files_of(&s.b, ".tbl").n, 1);
        commit_some(&s, 1, SEERDB_SYNC_FULL);
        assert_true(s.acknowledged[2]);
        lose(&s, true, 2);
        expect_the_acknowledged(&s, "lost");
        bed_end(&s.b, s.tree);
    }
}

/* Whatever had failed: also what did not ask for a sync is on stable storage. */
static void what_did_not_ask_for_a_sync_is_safe_afterwards(void **state)
{
    static const enum { STORE, COMPACTION } failures[] = {STORE, COMPACTION};
    const seerdb_err why = {SEERDB_IOERR, "a failure"};
    (void)state;
    for (size_t i = 0; i < sizeof failures / sizeof failures[0]; i++) {
        struct session s = {.n = 0};
        seerdb_err err = {0};
        s.tree = bed_new_tree(&s.b);
        commit_some(&s, 2, SEERDB_SYNC_OFF);
        if (failures[i] == STORE) {
            assert_int_equal(sdb_break(s.b.db, &why), SEERDB_IOERR);
        } else {
            sdb_lock_db(&s.b.db->lock);
            s.tree->debt.why = why;
            sdb_unlock_db(&s.b.db->lock);
        }
        test_ok(seerdb_resume(s.b.db, &err), &err);
        lose(&s, true, 2);
        expect_the_acknowledged(&s, "lost");
        bed_end(&s.b, s.tree);
    }
}

/* A compaction of another thread ends while the log is being mended: the manifest knows
 * it, and memory does not. */
static void fail_for_good(void *ctx, enum sdb_fault_op op, const char *path)
{
    struct session *s = ctx;
    const seerdb_err why = {SEERDB_NOMEM, "no memory for the version"};
    (void)op;
    if (strstr(path, ".free") != NULL)
        (void)sdb_break_for_good(s->b.db, &why);
}

static void what_fails_for_good_meanwhile_stays_so(void **state)
{
    struct session s = {.n = 0};
    seerdb_err err = {0};
    (void)state;
    s.tree = bed_new_tree(&s.b);
    commit_some(&s, 2, SEERDB_SYNC_FULL);
    fault_once(s.b.fs, SDB_FAULT_SYNC, ".log", EIO);
    commit_some(&s, 2, SEERDB_SYNC_FULL);
    disarm(&s.b);
    assert_true(is_broken(&s));
    sdb_faultfs_observe(s.b.fs, fail_for_good, &s);
    assert_int_equal(seerdb_resume(s.b.db, &err), SEERDB_READONLY);
    sdb_faultfs_observe(s.b.fs, NULL, NULL);
    assert_true(is_broken(&s));
    lose(&s, true, 1);
    expect_the_acknowledged(&s, "opened again");
    bed_end(&s.b, s.tree);
}

static void a_rollback_that_the_log_does_not_have_gets_there(void **state)
{
    (void)state;
    for (int synced = 0; synced < 2; synced++) {
        struct bed b;
        seerdb_err err = {0};
        uint64_t number;
        seerdb_tree *t = bed_new_tree(&b);
        write_words(t, "a=1");
        seerdb_batch *batch = new_batch(b.db);
        add(batch, t, "b=2");
        test_ok(seerdb_prepare(batch, synced ? SEERDB_SYNC_FULL : SEERDB_SYNC_OFF,
                               &number, &err),
                &err);
        fault_once(b.fs, SDB_FAULT_WRITE, ".log", EIO);
        test_fails(seerdb_rollback(batch, &err), SEERDB_IOERR, &err);
        seerdb_batch_free(batch);
        err = (seerdb_err){0};
        test_ok(seerdb_resume(b.db, &err), &err);
        bed_reopen(&b, bed_crash, &t);
        expect(t, "a=1");
        bed_end(&b, t);
    }
}

static void a_commit_under_way_is_waited_for(void **state)
{
    struct bed b;
    seerdb_err err = {0};
    uint64_t number;
    (void)state;
    seerdb_tree *t = bed_new_tree(&b), *other = create_tree(b.db, 2);
    seerdb_batch *batch = new_batch(b.db);
    add(batch, t, "b=2");
    test_ok(seerdb_prepare(batch, SEERDB_SYNC_OFF, &number, &err), &err);
    fault_once(b.fs, SDB_FAULT_SYNC, ".log", EIO);
    test_fails(try_write(other, "c=3", SEERDB_SYNC_FULL, &err), SEERDB_IOERR, &err);
    test_fails(seerdb_resume(b.db, &err), SEERDB_BUSY, &err);
    seerdb_commit(batch); /* memory only: it counts */
    seerdb_batch_free(batch);
    err = (seerdb_err){0};
    test_ok(seerdb_resume(b.db, &err), &err);
    sdb_memfs_cut(b.mem, SDB_CUT_DROP, 1);
    seerdb_tree_close(t);
    seerdb_tree_close(other);
    (void)seerdb_close(b.db, NULL);
    bed_open_ok(&b);
    t = open_tree(b.db, 1);
    other = open_tree(b.db, 2);
    expect(t, "b=2");
    expect(other, "");
    seerdb_tree_close(t);
    bed_end(&b, other);
}

/* Of a marked tree a marker whose commit is lost stands for the newest prepare below
 * it: that must not be the one that was refused. */
static void a_refused_commit_never_stands_in_for_a_lost_one(void **state)
{
    struct owner o = {.id = {{1}}, .tree_id = {{2}}, .history_ms = 1, .decided = true};
    struct sdb_fs *mem = sdb_memfs_new(true);
    seerdb_err err = {0};
    seerdb_marker_found found;
    uint64_t number;
    (void)state;
    o.fs = sdb_faultfs_new(mem);
    open_store(&o);
    put(&o, "a", "1");
    uint64_t held = o.marker;
    test_ok(seerdb_batch_expect(o.batch, o.tree, o.marker, 0, NULL, &err), &err);
    test_ok(seerdb_batch_put(o.batch, o.tree, test_slice("b"), test_slice("2"), &err),
            &err);
    fault_once(o.fs, SDB_FAULT_SYNC, ".log", EIO);
    test_fails(seerdb_prepare(o.batch, SEERDB_SYNC_FULL, &number, &err), SEERDB_IOERR,
               &err);
    test_ok(seerdb_rollback(o.batch, &err), &err);
    err = (seerdb_err){0};
    test_ok(seerdb_resume(o.db, &err), &err);
    test_ok(seerdb_batch_expect(o.batch, o.tree, o.marker, 0, NULL, &err), &err);
    test_ok(seerdb_batch_put(o.batch, o.tree, test_slice("c"), test_slice("3"), &err),
            &err);
    test_ok(seerdb_prepare(o.batch, SEERDB_SYNC_OFF, &o.marker, &err), &err);
    seerdb_commit(o.batch);
    sdb_memfs_cut(mem, SDB_CUT_DROP, 1);
    seerdb_batch_free(o.batch);
    test_ok(seerdb_set_decider(o.db, &o.id, NULL, NULL, &err), &err);
    seerdb_tree_close(o.tree);
    (void)seerdb_close(o.db, NULL);
    open_store(&o);
    test_ok(seerdb_batch_expect(o.batch, o.tree, o.marker, 0, &found, &err), &err);
    assert_int_equal(found.state, SEERDB_MARKER_BEHIND);
    assert_int_equal(found.held, held);
    expect_at(&o, o.marker, "a", "1");
    expect_at(&o, o.marker, "b", NULL);
    close_store(&o);
    sdb_faultfs_free(o.fs);
    sdb_memfs_free(mem);
}

/* Marked trees: commits in doubt stay in doubt. */
static void commits_in_doubt_are_carried_along(void **state)
{
    struct owner o = {.id = {{1}}, .tree_id = {{2}}, .history_ms = 1, .decided = false};
    struct sdb_fs *mem = sdb_memfs_new(true);
    seerdb_err err = {0};
    uint64_t number;
    (void)state;
    o.fs = sdb_faultfs_new(mem);
    open_store(&o);
    put(&o, "a", "1");
    number = put_and_roll_back(&o, "b", "2"); /* the owner may have kept it */
    fault_once(o.fs, SDB_FAULT_WRITE, ".log", EIO);
    test_ok(seerdb_batch_expect(o.batch, o.tree, o.marker, 0, NULL, &err), &err);
    test_ok(seerdb_batch_put(o.batch, o.tree, test_slice("c"), test_slice("3"), &err),
            &err);
    uint64_t refused;
    test_fails(seerdb_prepare(o.batch, SEERDB_SYNC_OFF, &refused, &err), SEERDB_IOERR,
               &err);
    test_ok(seerdb_resume(o.db, &err), &err);
    sdb_memfs_cut(mem, SDB_CUT_DROP, 1);
    seerdb_batch_free(o.batch);
    test_ok(seerdb_set_decider(o.db, &o.id, NULL, NULL, &err), &err);
    seerdb_tree_close(o.tree);
    (void)seerdb_close(o.db, NULL);
    open_store(&o);
    o.marker = number; /* it did */
    test_ok(seerdb_batch_expect(o.batch, o.tree, o.marker, 0, NULL, &err), &err);
    expect_at(&o, o.marker, "a", "1");
    expect_at(&o, o.marker, "b", "2");
    expect_at(&o, o.marker, "c", NULL);
    close_store(&o);
    sdb_faultfs_free(o.fs);
    sdb_memfs_free(mem);
}

/* The end comes in the middle of it: a dying process loses nothing, a power cut only
 * what nobody asked to sync, and of that the end. */
static bool die_at(uint64_t n, unsigned ending)
{
    struct session s = {.n = 0};
    s.tree = bed_new_tree(&s.b);
    commit_some(&s, 2, SEERDB_SYNC_FULL);
    commit_some(&s, 3, SEERDB_SYNC_OFF);
    fault_once(s.b.fs, SDB_FAULT_SYNC, ".log", EIO);
    commit_some(&s, 1, SEERDB_SYNC_FULL);
    assert_false(s.acknowledged[5]);
    fault(&s.b, (struct sdb_fault){.ops = SDB_FAULT_WRITE | SDB_FAULT_SYNC |
                                          SDB_FAULT_META | SDB_FAULT_OPEN,
                                   .after = n,
                                   .times = UINT64_MAX,
                                   .error = EIO});
    bool done = seerdb_resume(s.b.db, NULL) == 0;
    bool fired = sdb_faultfs_fired(s.b.fs) > 0;
    if (ending > 0)
        sdb_memfs_cut(s.b.mem, ending == 1 ? SDB_CUT_DROP : SDB_CUT_RANDOM, n + ending);
    seerdb_tree_close(s.tree);
    (void)seerdb_close(s.b.db, NULL);
    s.b.db = NULL;
    disarm(&s.b);
    bed_open_ok(&s.b);
    s.tree = open_tree(s.b.db, 1);
    seerdb_view *v = new_view(s.tree);
    bool cut = false;
    for (unsigned i = 0; i < 5; i++) {
        seerdb_value got;
        char key[16];
        name_key(i, key);
        bool there = seerdb_get(v, NULL, 0, test_slice(key), &got, NULL) == 0;
        if (there)
            seerdb_pin_unref(got.pin);
        if ((!there && (i < 2 || ending == 0 || done)) || (there && cut))
            fail_msg("operation %d, ending %u: commit %u is %s", (int)n, ending, i,
                     there ? "there behind a missing one" : "missing");
        cut = cut || !there;
    }
    seerdb_view_close(v);
    commit_some(&s, 1, SEERDB_SYNC_FULL);
    bed_end(&s.b, s.tree);
    return fired;
}

static void an_end_in_the_middle_of_it_loses_no_more(void **state)
{
    (void)state;
    for (unsigned ending = 0; ending < 8; ending++) {
        uint64_t n = 0;
        while (die_at(n, ending))
            n++;
        assert_true(n >= 5);
    }
}

/* However little memory there is, it fails and may be tried again. */
static void memory_may_fail(void **state)
{
    (void)state;
    int rc = SEERDB_NOMEM;
    for (uint64_t n = 0; rc != 0; n++) {
        struct session s = {.n = 0};
        seerdb_err err = {0};
        s.tree = bed_new_tree(&s.b);
        commit_some(&s, 3, SEERDB_SYNC_OFF);
        fault_once(s.b.fs, SDB_FAULT_SYNC, ".log", EIO);
        commit_some(&s, 1, SEERDB_SYNC_FULL);
        disarm(&s.b);
        sdb_mem_fail_after((int64_t)n);
        rc = seerdb_resume(s.b.db, &err);
        sdb_mem_fail_after(-1);
        if (rc != 0) {
            assert_int_equal(rc, SEERDB_NOMEM);
            err = (seerdb_err){0};
            test_ok(seerdb_resume(s.b.db, &err), &err);
        }
        lose(&s, true, 0);
        expect_the_acknowledged(&s, "after");
        bed_end(&s.b, s.tree);
        assert_true(n < 500);
    }
}

/* A commit that went to disk and was refused: its tables go, nothing else does. */
static void spilled_commits_are_refused_as_well(void **state)
{
    (void)state;
    for (int again = 0; again < 2; again++) {
        struct bed b;
        seerdb_err err = {0};
        uint64_t number;
        seerdb_tree *t = bed_new_tree(&b);
        write_words(t, "a=1 b=2");
        seerdb_batch *batch = new_batch(b.db);
        add(batch, t, "b=3 c=4 ~a:aa");
        test_ok(seerdb_batch_spill(batch, &err), &err);
        add(batch, t, "d=5");
        fault_once(b.fs, SDB_FAULT_SYNC, ".log", EIO);
        test_fails(seerdb_prepare(batch, SEERDB_SYNC_FULL, &number, &err), SEERDB_IOERR,
                   &err);
        test_ok(seerdb_resume(b.db, &err), &err);
        expect(t, "a=1 b=2");
        if (again == 1) { /* the batch still has what it had */
            test_ok(seerdb_prepare(batch, SEERDB_SYNC_FULL, &number, &err), &err);
            seerdb_commit(batch);
        }
        seerdb_batch_free(batch);
        sdb_memfs_cut(b.mem, SDB_CUT_DROP, 1);
        seerdb_tree_close(t);
        (void)seerdb_close(b.db, NULL);
        b.db = NULL;
        bed_open_ok(&b);
        t = open_tree(b.db, 1);
        expect(t, again == 1 ? "b=3 c=4 d=5" : "a=1 b=2");
        flush(b.db);
        expect(t, again == 1 ? "b=3 c=4 d=5" : "a=1 b=2");
        verify(b.db);
        bed_end(&b, t);
    }
}

/* The same of a marked tree, rolled back by an owner who may have kept it: it may yet
 * count, and then has to be whole. */
static void spilled_commits_in_doubt_are_carried_along(void **state)
{
    (void)state;
    for (int kept = 0; kept < 2; kept++) {
        struct owner o = {.id = {{1}}, .tree_id = {{2}}, .history_ms = 1};
        struct sdb_fs *mem = sdb_memfs_new(true);
        seerdb_err err = {0};
        uint64_t number;
        o.fs = sdb_faultfs_new(mem);
        open_store(&o);
        put(&o, "a", "1");
        test_ok(seerdb_batch_expect(o.batch, o.tree, o.marker, 0, NULL, &err), &err);
        test_ok(
            seerdb_batch_put(o.batch, o.tree, test_slice("b"), test_slice("2"), &err),
            &err);
        test_ok(seerdb_batch_spill(o.batch, &err), &err);
        test_ok(seerdb_prepare(o.batch, SEERDB_SYNC_FULL, &number, &err), &err);
        fault_once(o.fs, SDB_FAULT_WRITE, ".log", EIO);
        test_fails(seerdb_rollback(o.batch, &err), SEERDB_IOERR, &err);
        test_ok(seerdb_resume(o.db, &err), &err);
        (void)!seerdb_flush(o.db, NULL, NULL); /* what nobody needs goes */
        sdb_memfs_cut(mem, SDB_CUT_DROP, 1);
        seerdb_batch_free(o.batch);
        test_ok(seerdb_set_decider(o.db, &o.id, NULL, NULL, &err), &err);
        seerdb_tree_close(o.tree);
        (void)seerdb_close(o.db, NULL);
        open_store(&o);
        if (kept == 1)
            o.marker = number;
        test_ok(seerdb_batch_expect(o.batch, o.tree, o.marker, 0, NULL, &err), &err);
        expect_at(&o, o.marker, "a", "1");
        expect_at(&o, o.marker, "b", kept == 1 ? "2" : NULL);
        close_store(&o);
        sdb_faultfs_free(o.fs);
        sdb_memfs_free(mem);
    }
}

static void a_store_says_how_it_is_doing(void **state)
{
    struct bed b;
    seerdb_err err = {0};
    seerdb_condition c;
    uint64_t number;
    (void)state;
    bed_new_paused(&b);
    seerdb_tree *t = create_tree(b.db, 1);
    test_ok(seerdb_look(b.db, t, &c, &err), &err);
    assert_int_equal(c.failure, 0);
    assert_true(c.paused && !c.refuses && c.resumable && c.undecided == 0);
    assert_int_equal(c.writes, SEERDB_WRITES_FLOW);
    assert_int_equal(c.memory_limit, SMALL_MEMORY);
    assert_true(c.log_cap > 0);
    for (int i = 0; i < 20; i++) {
        write_words(t, "a=1");
        flush(b.db);
        test_ok(seerdb_look(b.db, t, &c, &err), &err);
        assert_int_equal(c.level0_runs, i + 1);
        assert_int_equal(c.writes, i + 1 >= 20  ? SEERDB_WRITES_STOP
                                   : i + 1 >= 6 ? SEERDB_WRITES_DELAYED
                                                : SEERDB_WRITES_FLOW);
    }
    assert_true(c.table_memory > 0 && c.last_commit > 0);
    seerdb_batch *batch = new_batch(b.db);
    add(batch, t, "b=2");
    test_ok(seerdb_continue(b.db, &err), &err);
    test_ok(seerdb_prepare(batch, SEERDB_SYNC_OFF, &number, &err), &err);
    test_ok(seerdb_look(b.db, t, &c, &err), &err);
    assert_int_equal(c.undecided, 1);
    assert_int_equal(c.last_commit, number); /* its owner may have committed it */
    assert_true(c.log_bytes > 0 && !c.paused);
    seerdb_batch_free(batch);
    test_ok(seerdb_look(b.db, t, &c, &err), &err);
    assert_true(c.undecided == 0 && c.last_commit < number);
    bed_end(&b, t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_store_that_is_resumed_has_lost_nothing),
        cmocka_unit_test(there_may_be_nothing_to_resume),
        cmocka_unit_test(a_flush_that_failed_for_good_is_tried_again),
        cmocka_unit_test(what_the_manifest_says_must_be_known),
        cmocka_unit_test(a_log_that_found_the_disk_full_can_be_resumed),
        cmocka_unit_test(a_log_that_failed_under_a_flush_is_mended),
        cmocka_unit_test(what_did_not_ask_for_a_sync_is_safe_afterwards),
        cmocka_unit_test(what_fails_for_good_meanwhile_stays_so),
        cmocka_unit_test(a_rollback_that_the_log_does_not_have_gets_there),
        cmocka_unit_test(a_commit_under_way_is_waited_for),
        cmocka_unit_test(a_refused_commit_never_stands_in_for_a_lost_one),
        cmocka_unit_test(commits_in_doubt_are_carried_along),
        cmocka_unit_test(an_end_in_the_middle_of_it_loses_no_more),
        cmocka_unit_test(memory_may_fail),
        cmocka_unit_test(spilled_commits_are_refused_as_well),
        cmocka_unit_test(spilled_commits_in_doubt_are_carried_along),
        cmocka_unit_test(a_store_says_how_it_is_doing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
