/* SPDX-License-Identifier: Apache-2.0
 *
 * Named snapshots of a store: what they keep, through whatever happens to it. */
#include "db/testing.h"
#include "os/thread.h"

#include <stdatomic.h>

/* ---- in words ---------------------------------------------------------------------
 */

static seerdb_tree *make_tree(seerdb *db, bool marked)
{
    seerdb_err err = {0};
    seerdb_tree *t = NULL;
    seerdb_tree_options o = {.id = uuid_of(1), .name = "t", .marked = marked};
    o.owner = marked ? uuid_of(2) : o.owner;
    test_ok(seerdb_tree_create(db, &o, &t, &err), &err);
    return t;
}

static int say_yes(void *ctx, uint64_t below, seerdb_err *err)
{
    (void)below;
    (void)err;
    ++*(unsigned *)ctx;
    return 0;
}

static unsigned asked;

static void be_owner(seerdb *db)
{
    seerdb_err err = {0};
    seerdb_uuid owner = uuid_of(2);
    test_ok(seerdb_set_decider(db, &owner, say_yes, &asked, &err), &err);
}

/* One commit of a marked tree, after the one with the marker; `keep`: or rolled back.
 */
static uint64_t commit_marked(seerdb_tree *t, uint64_t marker, const char *words,
                              bool keep)
{
    seerdb_err err = {0};
    uint64_t number = 0;
    seerdb_batch *b = new_batch(seerdb_tree_store(t));
    test_ok(seerdb_batch_expect(b, t, marker, 0, NULL, &err), &err);
    add(b, t, words);
    test_ok(seerdb_prepare(b, SEERDB_SYNC_FULL, &number, &err), &err);
    if (keep)
        seerdb_commit(b);
    else
        test_ok(seerdb_rollback(b, &err), &err);
    seerdb_batch_free(b);
    return keep ? number : marker;
}

static uint64_t take_at(seerdb_tree *t, const char *name, uint64_t marker)
{
    seerdb_err err = {0};
    uint64_t number = 0;
    test_ok(seerdb_snapshot_create(t, name, marker, 0, &number, &err), &err);
    return number;
}

static uint64_t take(seerdb_tree *t, const char *name)
{
    return take_at(t, name, 0);
}

static void drop(seerdb_tree *t, const char *name)
{
    seerdb_err err = {0};
    test_ok(seerdb_snapshot_drop(t, name, &err), &err);
}

static void expect_then(seerdb_tree *t, const char *name, const char *words)
{
    seerdb_err err = {0};
    seerdb_view *v = NULL;
    test_ok(seerdb_view_open_snapshot(t, name, &v, &err), &err);
    assert_true(seerdb_view_time(v) > 0);
    expect_state(v, NULL, 0, words);
    seerdb_view_close(v);
}

static void expect_unknown(seerdb_tree *t, const char *name, const char *known)
{
    seerdb_err err = {0};
    seerdb_view *v = NULL;
    assert_int_equal(seerdb_view_open_snapshot(t, name, &v, &err), SEERDB_MISUSE);
    if (strstr(err.msg, known) == NULL)
        fail_msg("%s: no %s", err.msg, known);
}

struct names {
    char text[400];
    uint64_t bytes, records;
};

static bool add_name(void *ctx, const seerdb_snapshot *s)
{
    struct names *n = ctx;
    size_t at = strlen(n->text);
    assert_true(s->time_us > 0);
    snprintf(n->text + at, sizeof n->text - at, "%s%s", at > 0 ? " " : "", s->name);
    n->bytes += s->pinned_bytes;
    n->records += s->pinned_records;
    return true;
}

static struct names names_of(seerdb_tree *t)
{
    seerdb_err err = {0};
    struct names n = {.text = ""};
    test_ok(seerdb_snapshots(t, add_name, &n, &err), &err);
    return n;
}

static void compact(seerdb *db)
{
    seerdb_err err = {0};
    test_ok(seerdb_compact(db, NULL, &err), &err);
}

static seerdb_tree *reopen(struct bed *b, seerdb_tree *t)
{
    seerdb_tree_close(t);
    bed_close(b);
    bed_open_ok(b);
    return open_tree(b->db, 1);
}

/* ---- cases -------------------------------------------------------------------------
 */

static void a_snapshot_stays_as_it_was(void **state)
{
    struct bed b;
    (void)state;
    bed_new(&b);
    seerdb_tree *t = make_tree(b.db, false);
    take(t, "empty");
    write_words(t, "a=1 b=1 c=1 d=1");
    take(t, "one");
    write_words(t, "a=2 -b");
    take(t, "two");
    write_words(t, "~c:z e=3");
    for (int round = 0; round < 4; round++) {
        expect(t, "a=2 e=3");
        expect_then(t, "empty", "");
        expect_then(t, "one", "a=1 b=1 c=1 d=1");
        expect_then(t, "two", "a=2 c=1 d=1");
        assert_string_equal(names_of(t).text, "empty one two");
        if (round == 0)
            flush(b.db);
        else if (round == 1)
            compact(b.db);
        else
            t = reopen(&b, t);
    }
    assert_int_equal(names_of(t).records, 4 + 1); /* and a tombstone */
    seerdb_view *v = NULL;
    seerdb_err err = {0};
    test_ok(seerdb_view_open_snapshot(t, "one", &v, &err), &err);
    drop(t, "one");
    expect_unknown(t, "one", "it has 'empty', 'two'");
    compact(b.db);
    expect_state(v, NULL, 0, "a=1 b=1 c=1 d=1"); /* whoever has it, has it */
    seerdb_view_close(v);
    expect_then(t, "two", "a=2 c=1 d=1");
    drop(t, "two");
    compact(b.db);
    assert_int_equal(stat_of(b.db, t, "table_records"), 2);
    assert_int_equal(stat_of(b.db, t, "table_ranges"), 0);
    expect_then(t, "empty", "");
    seerdb_tree_close(t);
    bed_fini(&b);
}

static void names_are_checked(void **state)
{
    struct bed b;
    seerdb_err err = {0};
    char name[300];
    (void)state;
    bed_new(&b);
    seerdb_tree *t = make_tree(b.db, false);
    expect_unknown(t, "x", "it has none");
    test_fails(seerdb_snapshot_create(t, "", 0, 0, NULL, &err), SEERDB_MISUSE, &err);
    memset(name, 'n', sizeof name);
    name[256] = '\0';
    test_fails(seerdb_snapshot_create(t, name, 0, 0, NULL, &err), SEERDB_MISUSE, &err);
    name[255] = '\0';
    take(t, name);
    test_fails(seerdb_snapshot_create(t, name, 0, 0, NULL, &err), SEERDB_MISUSE, &err);
    test_fails(seerdb_snapshot_drop(t, "x", &err), SEERDB_MISUSE, &err);
    for (char i = 'a'; i < 'k'; i++)
        take(t, (char[]){i, '\0'});
    expect_unknown(t, "x", "nnnn...', 'a', 'b', 'c', 'd' and 6 more");
    drop(t, name);
    take(t, name);
    t = reopen(&b, t);
    drop(t, name);
    drop(t, "c");
    assert_string_equal(names_of(t).text, "a b d e f g h i j");
    seerdb_tree_close(t);
    bed_fini(&b);
}

static void older_commits_are_read_by_number_while_they_are_kept(void **state)
{
    struct bed b;
    seerdb_err err = {0};
    seerdb_view *v = NULL;
    (void)state;
    bed_init(&b);
    b.o.history_ms = 1;
    bed_open_ok(&b);
    be_owner(b.db);
    seerdb_tree *t = make_tree(b.db, true);
    uint64_t one = commit_marked(t, 0, "a=1", true);
    uint64_t two = commit_marked(t, one, "a=2", true);
    assert_int_equal(commit_marked(t, two, "a=x", false), two);
    uint64_t four = commit_marked(t, two, "a=4", true);
    test_ok(seerdb_view_open_number(t, one, four, &v, &err), &err);
    expect_state(v, NULL, 0, "a=1");
    seerdb_view_close(v);
    test_fails(seerdb_view_open_number(t, four + 1, four, &v, &err), SEERDB_MISUSE,
               &err);
    test_fails(seerdb_view_open_number(t, four, two, &v, &err), SEERDB_MISUSE, &err);
    test_fails(seerdb_view_open_number(t, two + 1, four, &v, &err), SEERDB_GONE, &err);
    assert_int_equal(take_at(t, "s", two), two);
    test_fails(seerdb_snapshot_create(t, "r", two + 1, 0, NULL, &err), SEERDB_MISMATCH,
               &err);
    test_fails(seerdb_snapshot_create(t, "r", four + 1, 0, NULL, &err), SEERDB_MISMATCH,
               &err);
    sdb_clock_sleep_us(20000);
    flush(b.db);
    test_fails(seerdb_view_open_number(t, one, four, &v, &err), SEERDB_GONE, &err);
    test_fails(seerdb_snapshot_create(t, "r", one, 0, NULL, &err), SEERDB_GONE, &err);
    test_ok(seerdb_view_open_number(t, two, four, &v, &err), &err);
    expect_state(v, NULL, 0, "a=2");
    seerdb_view_close(v);
    take_at(t, "r", two); /* where another one keeps everything */
    drop(t, "s");
    expect_then(t, "r", "a=2");
    seerdb_tree_close(t);
    bed_fini(&b);
}

/* commit-protocol 15: what is in doubt limits nobody who asks for less. */
static void doubt_about_later_commits_is_no_obstacle(void **state)
{
    (void)state;
    for (int undecided = 0; undecided < 2; undecided++) {
        struct bed b;
        seerdb_err err = {0};
        uint64_t number = 0;
        bed_new(&b);
        be_owner(b.db);
        seerdb_tree *t = make_tree(b.db, true);
        uint64_t one = commit_marked(t, 0, "a=1", true);
        seerdb_batch *batch = new_batch(b.db);
        test_ok(seerdb_batch_expect(batch, t, one, 0, NULL, &err), &err);
        add(batch, t, "a=2 b=2");
        test_ok(seerdb_prepare(batch, SEERDB_SYNC_FULL, &number, &err), &err);
        if (!undecided)
            test_ok(seerdb_rollback(batch, &err), &err);
        asked = 0;
        take_at(t, "s", one);
        assert_int_equal(asked, 1); /* the owner must not forget that it stands there */
        int wanted = undecided ? SEERDB_BUSY : SEERDB_MISMATCH;
        test_fails(seerdb_snapshot_create(t, "r", number, 10, NULL, &err), wanted,
                   &err);
        expect_then(t, "s", "a=1");
        if (undecided)
            seerdb_commit(batch);
        seerdb_batch_free(batch);
        uint64_t last =
            commit_marked(t, undecided ? number : one, "a=3 ~b:z c=3", true);
        compact(b.db);
        expect_then(t, "s", "a=1");
        t = reopen(&b, t);
        be_owner(b.db);
        commit_marked(t, last, "d=4", true);
        expect_then(t, "s", "a=1");
        expect(t, "a=3 c=3 d=4");
        seerdb_tree_close(t);
        bed_fini(&b);
    }
}

static void without_its_owner_a_tree_takes_no_snapshot(void **state)
{
    struct bed b;
    seerdb_err err = {0};
    (void)state;
    bed_new(&b);
    seerdb_tree *t = make_tree(b.db, true);
    uint64_t one = commit_marked(t, 0, "a=1", true);
    test_fails(seerdb_snapshot_create(t, "s", one, 0, NULL, &err), SEERDB_BUSY, &err);
    t = reopen(&b, t); /* nobody has shown a marker */
    be_owner(b.db);
    test_fails(seerdb_snapshot_create(t, "s", one, 0, NULL, &err), SEERDB_BUSY, &err);
    seerdb_batch *batch = new_batch(b.db);
    test_ok(seerdb_batch_expect(batch, t, one, 0, NULL, &err), &err);
    seerdb_batch_free(batch);
    take_at(t, "s", one);
    assert_string_equal(names_of(t).text, "s");
    seerdb_tree_close(t);
    bed_fini(&b);
}

/* ---- jobs under way -------------------------------------------------------- */

struct gate {
    _Atomic bool closed, reached; /* release and acquire */
};

static void wait_at_gate(void *ctx, enum sdb_fault_op op, const char *path)
{
    struct gate *g = ctx;
    (void)op;
    if (strstr(path, ".tbl") == NULL)
        return;
    while (atomic_load_explicit(&g->closed, memory_order_acquire)) {
        atomic_store_explicit(&g->reached, true, memory_order_release);
        sdb_clock_sleep_us(200);
    }
}

struct caller {
    seerdb *db;
    bool compact;
    int rc;
    struct sdb_thread thread;
};

static void *call(void *arg)
{
    struct caller *c = arg;
    c->rc = c->compact ? seerdb_compact(c->db, NULL, NULL)
                       : seerdb_flush(c->db, NULL, NULL);
    return NULL;
}

/* A job that folds `old` away is stopped before it has installed anything. */
static void begin_job(struct bed *b, struct gate *g, struct caller *c, bool compaction)
{
    seerdb_err err = {0};
    *g = (struct gate){.closed = true};
    *c = (struct caller){.db = b->db, .compact = compaction};
    sdb_faultfs_observe(b->fs, wait_at_gate, g);
    test_ok(sdb_thread_start(&c->thread, "caller", call, c, &err), &err);
    while (!atomic_load_explicit(&g->reached, memory_order_acquire))
        sdb_clock_sleep_us(200);
}

static void a_job_that_did_not_know_of_a_snapshot_begins_anew(void **state)
{
    (void)state;
    for (int compaction = 0; compaction < 2; compaction++) {
        struct bed b;
        struct gate g;
        struct caller c;
        bed_init(&b);
        b.o.history_ms = 1;
        bed_open_ok(&b);
        be_owner(b.db);
        seerdb_tree *t = make_tree(b.db, true);
        uint64_t old = commit_marked(t, 0, "a=1 b=1 c=1", true);
        if (compaction)
            flush(b.db);
        uint64_t last = commit_marked(t, old, "a=2 -b", true);
        if (compaction)
            flush(b.db);
        sdb_clock_sleep_us(20000); /* nobody needs `old` any more */
        begin_job(&b, &g, &c, compaction);
        take_at(t, "s", old);
        last = commit_marked(t, last, "a=3", true);
        atomic_store_explicit(&g.closed, false, memory_order_release);
        sdb_thread_join(&c.thread);
        assert_int_equal(c.rc, 0);
        sdb_faultfs_observe(b.fs, NULL, NULL);
        expect_then(t, "s", "a=1 b=1 c=1");
        expect(t, "a=3 c=1");
        verify(b.db);
        seerdb_tree_close(t);
        bed_fini(&b);
    }
}

static void a_snapshot_of_the_present_disturbs_no_job(void **state)
{
    struct bed b;
    struct gate g;
    struct caller c;
    (void)state;
    bed_new(&b);
    seerdb_tree *t = make_tree(b.db, false);
    write_words(t, "a=1 b=1");
    flush(b.db);
    write_words(t, "a=2 -b");
    flush(b.db);
    begin_job(&b, &g, &c, true);
    take(t, "s");
    write_words(t, "a=3 d=3");
    atomic_store_explicit(&g.closed, false, memory_order_release);
    sdb_thread_join(&c.thread);
    sdb_faultfs_observe(b.fs, NULL, NULL);
    assert_int_equal(stat_of(b.db, NULL, "compactions"), 1);
    expect_then(t, "s", "a=2");
    compact(b.db);
    expect_then(t, "s", "a=2");
    expect(t, "a=3 d=3");
    seerdb_tree_close(t);
    bed_fini(&b);
}

/* ---- space ----------------------------------------------------------------- */

static void fill(seerdb_tree *t, unsigned n, unsigned round)
{
    seerdb_err err = {0};
    seerdb_batch *b = new_batch(seerdb_tree_store(t));
    for (unsigned i = 0; i < n; i++) {
        char key[20], value[100];
        snprintf(key, sizeof key, "k%08u", i);
        snprintf(value, sizeof value, "%u %090u", round, i);
        test_ok(seerdb_batch_put(b, t, test_slice(key), test_slice(value), &err), &err);
    }
    test_ok(seerdb_write(b, SEERDB_SYNC_OFF, &err), &err);
    seerdb_batch_free(b);
}

static void a_snapshot_costs_the_space_of_one_state(void **state)
{
    struct bed b;
    seerdb_err err = {0};
    (void)state;
    bed_new(&b);
    seerdb_tree *t = make_tree(b.db, false);
    fill(t, 2000, 0);
    compact(b.db);
    double one = stat_of(b.db, t, "table_raw_bytes");
    take(t, "s");
    for (unsigned round = 1; round <= 10; round++) {
        fill(t, 2000, round);
        flush(b.db);
    }
    compact(b.db);
    assert_true(stat_of(b.db, t, "table_raw_bytes") <= 2.01 * one);
    assert_int_equal(names_of(t).records, 2000);
    assert_true(names_of(t).bytes > 0.9 * one && names_of(t).bytes < 1.1 * one);
    double compactions = stat_of(b.db, NULL, "compactions");
    test_ok(seerdb_compact(b.db, NULL, &err), &err); /* nothing is left to do */
    assert_true(stat_of(b.db, NULL, "compactions") == compactions);
    drop(t, "s");
    compact(b.db);
    assert_true(stat_of(b.db, t, "table_raw_bytes") <= 1.01 * one);
    seerdb_tree_close(t);
    bed_fini(&b);
}

static void what_is_truncated_while_a_snapshot_is_held_goes(void **state)
{
    struct bed b;
    (void)state;
    bed_new(&b);
    seerdb_tree *t = make_tree(b.db, false);
    write_words(t, "a=1 z=1");
    take(t, "s");
    for (unsigned round = 1; round <= 6; round++) {
        fill(t, 1000, round);
        flush(b.db);
        write_words(t, "~a:zz");
        flush(b.db);
    }
    compact(b.db);
    assert_true(stat_of(b.db, t, "table_records") <= 3);
    expect_then(t, "s", "a=1 z=1");
    expect(t, "");
    drop(t, "s");
    compact(b.db);
    assert_int_equal(stat_of(b.db, t, "tables"), 0);
    seerdb_tree_close(t);
    bed_fini(&b);
}

/* ---- failures -------------------------------------------------------------- */

static void a_snapshot_is_whole_or_not_there_after_a_crash(void **state)
{
    (void)state;
    for (int marked = 0; marked < 2; marked++)
        for (uint64_t after = 0;; after++) {
            struct bed b;
            seerdb_err err = {0};
            uint64_t number = 0, m = 0;
            bed_new(&b);
            be_owner(b.db);
            seerdb_tree *t = make_tree(b.db, marked);
            if (marked)
                m = commit_marked(t, 0, "a=1", true);
            else
                test_ok(try_write(t, "a=1", SEERDB_SYNC_OFF, &err), &err);
            fault(&b, (struct sdb_fault){.ops = SDB_FAULT_CHANGE,
                                         .after = after,
                                         .times = UINT64_MAX,
                                         .error = 5});
            int rc = seerdb_snapshot_create(t, "s", m, 0, &number, &err);
            bool fired = sdb_faultfs_fired(b.fs) > 0;
            assert_true((rc == 0) == !fired);
            if (rc != 0)
                expect_unknown(t, "s", "it has none");
            seerdb_tree_close(t);
            bed_crash(&b);
            sdb_memfs_cut(b.mem, SDB_CUT_DROP, after);
            bed_open_ok(&b);
            be_owner(b.db);
            t = open_tree(b.db, 1);
            if (rc == 0 || strcmp(names_of(t).text, "s") == 0) {
                expect_then(t, "s", "a=1");
                if (marked)
                    m = commit_marked(t, m, "a=2", true);
                else
                    write_words(t, "a=2");
                compact(b.db);
                expect_then(t, "s", "a=1");
            }
            seerdb_tree_close(t);
            bed_fini(&b);
            if (!fired)
                break;
        }
}

static void an_owner_that_goes_back_loses_what_only_the_log_had(void **state)
{
    struct bed b;
    seerdb_err err = {0};
    seerdb_view *v = NULL;
    (void)state;
    bed_new(&b);
    be_owner(b.db);
    seerdb_tree *t = make_tree(b.db, true);
    uint64_t one = commit_marked(t, 0, "a=1", true);
    take_at(t, "kept", one);
    uint64_t two = commit_marked(t, one, "a=2", true);
    take_at(t, "lost", two);
    t = reopen(&b, t);
    be_owner(b.db);
    expect_then(t, "lost", "a=2"); /* nobody has shown a marker */
    commit_marked(t, one, "a=3", true);
    test_fails(seerdb_view_open_snapshot(t, "lost", &v, &err), SEERDB_GONE, &err);
    expect_then(t, "kept", "a=1");
    flush(b.db);
    expect_unknown(t, "lost", "it has 'kept'");
    t = reopen(&b, t);
    expect_unknown(t, "lost", "it has 'kept'");
    expect_then(t, "kept", "a=1");
    seerdb_tree_close(t);
    bed_fini(&b);
}

static void no_memory_leaves_no_half_of_a_snapshot(void **state)
{
    struct bed b;
    seerdb_err err = {0};
    unsigned failures = 0;
    (void)state;
    bed_new(&b);
    seerdb_tree *t = make_tree(b.db, false);
    write_words(t, "a=1");
    for (int64_t n = 0;; n++) {
        sdb_mem_fail_after(n);
        int rc = seerdb_snapshot_create(t, "s", 0, 0, NULL, &err);
        sdb_mem_fail_after(-1);
        if (rc == 0)
            break;
        test_fails(rc, SEERDB_NOMEM, &err);
        failures++;
        if (stat_of(b.db, NULL, "background_failure") !=
            0) { /* the manifest's matter */
            t = reopen(&b, t);
            if (*names_of(t).text != '\0')
                drop(t, "s");
        }
        assert_string_equal(names_of(t).text, "");
    }
    assert_true(failures > 2);
    assert_string_equal(names_of(t).text, "s");
    seerdb_tree_close(t);
    bed_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_snapshot_stays_as_it_was),
        cmocka_unit_test(names_are_checked),
        cmocka_unit_test(older_commits_are_read_by_number_while_they_are_kept),
        cmocka_unit_test(doubt_about_later_commits_is_no_obstacle),
        cmocka_unit_test(without_its_owner_a_tree_takes_no_snapshot),
        cmocka_unit_test(a_job_that_did_not_know_of_a_snapshot_begins_anew),
        cmocka_unit_test(a_snapshot_of_the_present_disturbs_no_job),
        cmocka_unit_test(a_snapshot_costs_the_space_of_one_state),
        cmocka_unit_test(what_is_truncated_while_a_snapshot_is_held_goes),
        cmocka_unit_test(a_snapshot_is_whole_or_not_there_after_a_crash),
        cmocka_unit_test(an_owner_that_goes_back_loses_what_only_the_log_had),
        cmocka_unit_test(no_memory_leaves_no_half_of_a_snapshot),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
