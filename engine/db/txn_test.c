/* SPDX-License-Identifier: Apache-2.0 */
#include "db/testing.h"
#include "os/thread.h"

static seerdb_txn *begin(seerdb *db, enum seerdb_isolation isolation, seerdb_tree *t,
                         seerdb_tree *u)
{
    seerdb_err err = {0};
    seerdb_txn *x = NULL;
    seerdb_tree *trees[] = {t, u};
    test_ok(seerdb_txn_begin(db, isolation, trees, u != NULL ? 2 : 1, &x, &err), &err);
    return x;
}

static void put(seerdb_txn *x, seerdb_tree *t, const char *key, const char *value)
{
    seerdb_err err = {0};
    test_ok(seerdb_txn_put(x, t, test_slice(key), test_slice(value), &err), &err);
}

static void delete (seerdb_txn *x, seerdb_tree *t, const char *key)
{
    seerdb_err err = {0};
    test_ok(seerdb_txn_delete(x, t, test_slice(key), &err), &err);
}

/* value NULL: the key is not there. */
static void reads(seerdb_txn *x, seerdb_tree *t, const char *key, const char *value)
{
    seerdb_err err = {0};
    seerdb_value v = {.pin = NULL};
    int rc = seerdb_txn_get(x, t, test_slice(key), &v, &err);
    if (value == NULL) {
        assert_int_equal(rc, SEERDB_NOTFOUND);
        return;
    }
    test_ok(rc, &err);
    assert_int_equal(v.bytes.size, strlen(value));
    assert_memory_equal(v.bytes.data, value, v.bytes.size);
    seerdb_pin_unref(v.pin);
}

static void scans(seerdb_txn *x, seerdb_tree *t, const char *lower, const char *upper,
                  const char *want)
{
    seerdb_err err = {0};
    seerdb_iter *it = NULL;
    char got[256];
    test_ok(seerdb_txn_iter_open(x, t, test_slice(lower), test_slice(upper), &it, &err),
            &err);
    dump_iter(it, true, got, sizeof got);
    assert_string_equal(got, want);
    seerdb_iter_close(it);
}

/* Commit and free it. */
static void ends(seerdb_txn *x, int want)
{
    seerdb_err err = {0};
    int rc = seerdb_txn_commit(x, SEERDB_SYNC_OFF, &err);
    if (rc != want)
        fail_msg("commit answers %d, wanted %d: %s", rc, want, err.msg);
    if (want == 0 || want == SEERDB_CONFLICT) {
        assert_int_equal(seerdb_txn_commit(x, SEERDB_SYNC_OFF, NULL), SEERDB_MISUSE);
        assert_int_equal(
            seerdb_txn_put(x, NULL, test_slice("k"), test_slice("v"), NULL),
            SEERDB_MISUSE);
    }
    seerdb_txn_free(x);
}

/* What others do while a transaction is open, and what becomes of it.  t has a=1 b=2
 * c=3 d=4. */
static const struct {
    const char *name;
    enum seerdb_isolation isolation;
    const char
        *mine; /* "?k" reads, "[a:c" scans, "!a:c" watches, else as batch_words */
    const char *theirs; /* commits, separated by '|' */
    int want;
} cases[] = {
    {"nobody else", SEERDB_SNAPSHOT, "a=7", "", 0},
    {"another key", SEERDB_SNAPSHOT, "a=7", "b=8", 0},
    {"the same key", SEERDB_SNAPSHOT, "a=7", "a=8", SEERDB_CONFLICT},
    {"the same key and value", SEERDB_SNAPSHOT, "a=7", "a=7", SEERDB_CONFLICT},
    {"put back", SEERDB_SNAPSHOT, "a=7", "a=8|a=1", SEERDB_CONFLICT},
    {"deleted", SEERDB_SNAPSHOT, "a=7", "-a", SEERDB_CONFLICT},
    {"deleted by both", SEERDB_SNAPSHOT, "-a", "-a", SEERDB_CONFLICT},
    {"deleted by a range", SEERDB_SNAPSHOT, "b=7", "~a:c", SEERDB_CONFLICT},
    {"beside a range", SEERDB_SNAPSHOT, "c=7", "~a:c", 0},
    {"a new key", SEERDB_SNAPSHOT, "x=7", "x=8", SEERDB_CONFLICT},
    {"a new key that went again", SEERDB_SNAPSHOT, "x=7", "x=8|-x", 0},
    {"deletes what came", SEERDB_SNAPSHOT, "-x", "x=8", SEERDB_CONFLICT},
    {"a range over a change", SEERDB_SNAPSHOT, "~a:c", "b=8", SEERDB_CONFLICT},
    {"a range over a new key", SEERDB_SNAPSHOT, "~a:c", "bb=8", SEERDB_CONFLICT},
    {"a range beside a change", SEERDB_SNAPSHOT, "~a:c", "c=8", 0},
    {"a read is no reason", SEERDB_SNAPSHOT, "?a b=7", "a=8", 0},
    {"a read", SEERDB_SERIALIZABLE, "?a b=7", "a=8", SEERDB_CONFLICT},
    {"a read of another key", SEERDB_SERIALIZABLE, "?a b=7", "c=8", 0},
    {"a read of nothing", SEERDB_SERIALIZABLE, "?x b=7", "x=8", SEERDB_CONFLICT},
    {"a read of what went", SEERDB_SERIALIZABLE, "?a b=7", "-a", SEERDB_CONFLICT},
    {"a scan", SEERDB_SERIALIZABLE, "[a:c d=7", "b=8", SEERDB_CONFLICT},
    {"a phantom", SEERDB_SERIALIZABLE, "[a:c d=7", "bb=8", SEERDB_CONFLICT},
    {"a row that went", SEERDB_SERIALIZABLE, "[a:c d=7", "-b", SEERDB_CONFLICT},
    {"beside a scan", SEERDB_SERIALIZABLE, "[a:c d=7", "c=8", 0},
    {"reads only", SEERDB_SERIALIZABLE, "?a", "a=8", SEERDB_CONFLICT},
    {"scans only", SEERDB_SERIALIZABLE, "[a:c", "c=8", 0},
    {"watched", SEERDB_SNAPSHOT, "!a:c d=7", "b=8", SEERDB_CONFLICT},
    {"watched in vain", SEERDB_SNAPSHOT, "!a:c d=7", "x=8", 0},
    {"watched nothing", SEERDB_SNAPSHOT, "!c:a d=7", "b=8", 0},
};

static void do_mine(seerdb_txn *x, seerdb_tree *t, const char *words)
{
    seerdb_err err = {0};
    for (char word[32]; *words != 0;) {
        size_t n = strcspn(words, " ");
        snprintf(word, sizeof word, "%.*s", (int)n, words);
        char *colon = strchr(word, ':'), *eq = strchr(word, '=');
        seerdb_iter *it = NULL;
        seerdb_value v = {.pin = NULL};
        if (colon != NULL)
            *colon++ = 0;
        if (eq != NULL)
            *eq++ = 0;
        seerdb_slice first = test_slice(word + 1),
                     last = test_slice(colon != NULL ? colon : "");
        if (word[0] == '?' && seerdb_txn_get(x, t, first, &v, &err) == 0)
            seerdb_pin_unref(v.pin);
        else if (word[0] == '[')
            test_ok(seerdb_txn_iter_open(x, t, first, last, &it, &err), &err);
        else if (word[0] == '!')
            test_ok(seerdb_txn_watch(x, t, first, last, &err), &err);
        else if (word[0] == '~')
            test_ok(seerdb_txn_delete_range(x, t, first, last, &err), &err);
        else if (word[0] == '-')
            test_ok(seerdb_txn_delete(x, t, first, &err), &err);
        else if (eq != NULL)
            put(x, t, word, eq);
        seerdb_iter_close(it);
        words += n + (words[n] == ' ');
    }
}

static void run_case(size_t i, bool flushed, bool compacted)
{
    struct bed bed;
    seerdb_err err = {0};
    seerdb_tree *t = bed_new_tree(&bed);
    write_words(t, "a=1 b=2 c=3 d=4");
    if (compacted)
        flush(bed.db);
    seerdb_txn *x = begin(bed.db, cases[i].isolation, t, NULL);
    do_mine(x, t, cases[i].mine);
    for (const char *p = cases[i].theirs; *p != 0;) {
        char words[64];
        size_t n = strcspn(p, "|");
        snprintf(words, sizeof words, "%.*s", (int)n, p);
        write_words(t, words);
        if (flushed)
            flush(bed.db);
        p += n + (p[n] == '|');
    }
    if (compacted) /* tombstones and what they hid are gone */
        test_ok(seerdb_compact(bed.db, NULL, &err), &err);
    int rc = seerdb_txn_commit(x, SEERDB_SYNC_OFF, &err);
    if (rc != cases[i].want)
        fail_msg("%s%s%s: %d: %s", cases[i].name, flushed ? ", flushed" : "",
                 compacted ? ", compacted" : "", rc, err.msg);
    seerdb_txn_free(x);
    bed_end(&bed, t);
}

static void a_commit_stands_if_what_it_rests_on_is_as_it_was(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        run_case(i, false, false);
        run_case(i, true, false);
        run_case(i, true, true);
        run_case(i, false, true);
    }
}

static void a_transaction_reads_its_moment_and_its_own_writes(void **state)
{
    (void)state;
    struct bed bed;
    seerdb_tree *t = bed_new_tree(&bed);
    write_words(t, "a=1 b=2 c=3");
    seerdb_txn *x = begin(bed.db, SEERDB_SNAPSHOT, t, NULL);
    write_words(t, "a=9 d=9");
    reads(x, t, "a", "1");
    reads(x, t, "d", NULL);
    put(x, t, "b", "mine");
    delete (x, t, "c");
    reads(x, t, "b", "mine");
    reads(x, t, "c", NULL);
    scans(x, t, "a", "z", "a=1 b=mine");
    expect(t, "a=9 b=2 c=3 d=9");
    ends(x, 0);
    expect(t, "a=9 b=mine d=9");
    bed_end(&bed, t);
}

static void savepoints_take_writes_back_and_what_they_rest_on(void **state)
{
    (void)state;
    struct bed bed;
    seerdb_tree *t = bed_new_tree(&bed);
    write_words(t, "a=1 b=2");
    seerdb_txn *x = begin(bed.db, SEERDB_SNAPSHOT, t, NULL);
    put(x, t, "b", "3");
    uint64_t mark = seerdb_txn_mark(x);
    put(x, t, "a", "2");
    reads(x, t, "a", "2");
    seerdb_txn_rollback_to(x, mark);
    seerdb_txn_release(x, mark);
    reads(x, t, "a", "1");
    write_words(t, "a=9");
    ends(x, 0);
    expect(t, "a=9 b=3");
    x = begin(bed.db, SEERDB_SNAPSHOT, t, NULL);
    mark = seerdb_txn_mark(x);
    put(x, t, "a", "2");
    seerdb_txn_rollback_to(x, mark);
    put(x, t, "a", "3");
    write_words(t, "a=4");
    ends(x, SEERDB_CONFLICT);
    expect(t, "a=4 b=3");
    /* All of it was taken back. */
    x = begin(bed.db, SEERDB_SNAPSHOT, t, NULL);
    mark = seerdb_txn_mark(x);
    put(x, t, "a", "2");
    seerdb_txn_rollback_to(x, mark);
    write_words(t, "a=5");
    ends(x, 0);
    expect(t, "a=5 b=3");
    bed_end(&bed, t);
}

static void trees_are_seen_as_of_one_moment_and_committed_together(void **state)
{
    (void)state;
    struct bed bed;
    seerdb_err err = {0};
    seerdb_tree *t = bed_new_tree(&bed), *u = create_tree(bed.db, 2),
                *other = create_tree(bed.db, 3);
    seerdb_txn *x = begin(bed.db, SEERDB_SERIALIZABLE, t, u);
    write_words(u, "b=1");
    reads(x, u, "b", NULL);
    put(x, t, "a", "1");
    assert_int_equal(seerdb_txn_put(x, other, test_slice("a"), test_slice("1"), &err),
                     SEERDB_MISUSE);
    ends(x, SEERDB_CONFLICT);
    expect(t, "");
    x = begin(bed.db, SEERDB_SERIALIZABLE, t, u);
    put(x, t, "a", "1");
    put(x, u, "a", "1");
    write_words(other, "a=5");
    ends(x, 0);
    expect(t, "a=1");
    expect(u, "a=1 b=1");
    seerdb_tree_close(t);
    seerdb_tree_close(u);
    bed_end(&bed, other);
}

static void a_marked_tree_is_refused(void **state)
{
    (void)state;
    struct bed bed;
    bed_new(&bed);
    seerdb_err err = {0};
    seerdb_tree *t = NULL;
    seerdb_txn *x = NULL;
    test_ok(seerdb_tree_create(
                bed.db,
                &(seerdb_tree_options){.id = uuid_of(1), .name = "t", .marked = true},
                &t, &err),
            &err);
    assert_int_equal(seerdb_txn_begin(bed.db, SEERDB_SNAPSHOT, &t, 1, &x, &err),
                     SEERDB_MISUSE);
    assert_null(x);
    bed_end(&bed, t);
}

static void merges_conflict_as_puts_do(void **state)
{
    (void)state;
    for (int i = 0; i < 8; i++) {
        bool theirs = i & 1, flushed = i & 2, there = i & 4;
        struct bed bed;
        seerdb_err err = {0};
        seerdb_tree *t = NULL;
        const seerdb_tree_options o = {
            .id = uuid_of(1), .name = "t", .merge = seerdb_merge_named("append")};
        bed_new(&bed);
        test_ok(seerdb_tree_create(bed.db, &o, &t, &err), &err);
        if (there)
            write_words(t, "a=1");
        seerdb_txn *x = begin(bed.db, SEERDB_SERIALIZABLE, t, NULL);
        test_ok(seerdb_txn_merge(x, t, test_slice("a"), test_slice("2"), &err), &err);
        reads(x, t, "a", there ? "12" : "2");
        if (theirs) {
            seerdb_batch *b = new_batch(bed.db);
            test_ok(seerdb_batch_merge(b, t, test_slice("a"), test_slice("3"), &err),
                    &err);
            test_ok(seerdb_write(b, SEERDB_SYNC_OFF, &err), &err);
            seerdb_batch_free(b);
        }
        if (flushed)
            test_ok(seerdb_compact(bed.db, NULL, &err), &err);
        ends(x, theirs ? SEERDB_CONFLICT : 0);
        expect_key(t, "a", there ? (theirs ? "13" : "12") : (theirs ? "3" : "2"));
        bed_end(&bed, t);
    }
}

static void a_transaction_that_spills_commits_and_conflicts_as_others(void **state)
{
    (void)state;
    for (int conflict = 0; conflict < 2; conflict++) {
        struct bed bed;
        seerdb_tree *t = bed_new_tree(&bed);
        write_words(t, "key00077=old");
        seerdb_txn *x = begin(bed.db, SEERDB_SNAPSHOT, t, NULL);
        for (int i = 0; i < 20000; i++) {
            char key[16];
            snprintf(key, sizeof key, "key%05d", i);
            put(x, t, key, "0123456789");
        }
        assert_true(stat_of(bed.db, NULL, "spills") > 0);
        if (conflict)
            write_words(t, "key00077=new");
        ends(x, conflict ? SEERDB_CONFLICT : 0);
        expect_key(t, "key00077", conflict ? "new" : "0123456789");
        expect_key(t, "key19999", conflict ? NULL : "0123456789");
        bed_end(&bed, t);
    }
}

/* ---- threads -------------------------------------------------------------------- */

enum { WORKERS = 4, ACCOUNTS = 6, ROUNDS = 150 };

struct worker {
    struct sdb_thread thread;
    seerdb *db;
    seerdb_tree *t, *u;
    struct sdb_rand r;
    unsigned commits, conflicts, wrong;
};

static int number_of(seerdb_txn *x, seerdb_tree *t, unsigned account, int *out)
{
    char key[2] = {(char)('a' + account), 0}, text[16] = {0};
    seerdb_value v = {.pin = NULL};
    int rc = seerdb_txn_get(x, t, test_slice(key), &v, NULL);
    *out = 0;
    if (rc != 0)
        return rc == SEERDB_NOTFOUND ? 0 : rc;
    memcpy(text, v.bytes.data, v.bytes.size < 15 ? v.bytes.size : 15);
    seerdb_pin_unref(v.pin);
    *out = atoi(text);
    return 0;
}

static int set_number(seerdb_txn *x, seerdb_tree *t, unsigned account, int n)
{
    char key[2] = {(char)('a' + account), 0}, text[16];
    snprintf(text, sizeof text, "%d", n);
    return seerdb_txn_put(x, t, test_slice(key), test_slice(text), NULL);
}

/* Each key of t and its twin in u may be lowered if the sum of both stays positive: a
 * write skew takes it below.  And `t`'s sum of all must never be seen to change by a
 * transfer. */
static int withdraw(struct worker *w, seerdb_txn *x)
{
    int a, b;
    unsigned account = (unsigned)sdb_rand_below(&w->r, ACCOUNTS);
    bool first = sdb_rand_below(&w->r, 2) == 0;
    int rc = number_of(x, w->t, account, &a);
    if (rc == 0)
        rc = number_of(x, w->u, account, &b);
    if (rc != 0)
        return rc;
    if (a + b < 0)
        w->wrong++;
    if (a + b >= 1)
        return set_number(x, first ? w->t : w->u, account, (first ? a : b) - 1);
    return set_number(x, first ? w->t : w->u, account, (first ? a : b) + 2);
}

static void *work(void *arg)
{
    struct worker *w = arg;
    for (int i = 0; i < ROUNDS; i++) {
        seerdb_txn *x = NULL;
        seerdb_tree *trees[] = {w->t, w->u};
        int rc = seerdb_txn_begin(w->db, SEERDB_SERIALIZABLE, trees, 2, &x, NULL);
        if (rc == 0)
            rc = withdraw(w, x);
        if (rc == 0)
            rc = seerdb_txn_commit(x, SEERDB_SYNC_OFF, NULL);
        w->commits += rc == 0;
        w->conflicts += rc == SEERDB_CONFLICT;
        w->wrong += rc != 0 && rc != SEERDB_CONFLICT;
        seerdb_txn_free(x);
        if (i % 50 == 49 && seerdb_flush(w->db, NULL, NULL) != 0)
            w->wrong++;
    }
    return NULL;
}

static void no_write_skew_comes_to_pass_among_threads(void **state)
{
    (void)state;
    struct bed bed;
    struct worker workers[WORKERS];
    unsigned commits = 0;
    seerdb_err err = {0};
    seerdb_tree *t = bed_new_tree(&bed), *u = create_tree(bed.db, 2);
    for (unsigned i = 0; i < WORKERS; i++) {
        workers[i] = (struct worker){.db = bed.db, .t = t, .u = u, .r = {.state = i}};
        test_ok(sdb_thread_start(&workers[i].thread, "txn", work, &workers[i], &err),
                &err);
    }
    for (unsigned i = 0; i < WORKERS; i++) {
        sdb_thread_join(&workers[i].thread);
        assert_int_equal(workers[i].wrong, 0);
        commits += workers[i].commits;
    }
    assert_true(commits >= WORKERS * ROUNDS / 4);
    seerdb_txn *x = begin(bed.db, SEERDB_SNAPSHOT, t, u);
    for (unsigned i = 0; i < ACCOUNTS; i++) {
        int a, b;
        assert_int_equal(number_of(x, t, i, &a), 0);
        assert_int_equal(number_of(x, u, i, &b), 0);
        assert_true(a + b >= 0);
    }
    ends(x, 0);
    seerdb_tree_close(t);
    bed_end(&bed, u);
}

struct writer {
    struct sdb_thread thread;
    seerdb *db;
    seerdb_tree *t, *u;
    _Atomic bool stop;
    int rc;
};

static void *write_both(void *arg)
{
    struct writer *w = arg;
    seerdb_batch *b = NULL;
    w->rc = seerdb_batch_new(w->db, &b, NULL);
    for (int i = 0; w->rc == 0 && !atomic_load(&w->stop); i++) {
        char text[16];
        snprintf(text, sizeof text, "%d", i);
        w->rc = seerdb_batch_put(b, w->t, test_slice("a"), test_slice(text), NULL);
        if (w->rc == 0)
            w->rc = seerdb_batch_put(b, w->u, test_slice("a"), test_slice(text), NULL);
        if (w->rc == 0)
            w->rc = seerdb_write(b, SEERDB_SYNC_OFF, NULL);
    }
    seerdb_batch_free(b);
    return NULL;
}

static void no_transaction_begins_in_the_middle_of_a_commit(void **state)
{
    (void)state;
    struct bed bed;
    seerdb_err err = {0};
    bed_new(&bed);
    struct writer w = {
        .db = bed.db, .t = create_tree(bed.db, 1), .u = create_tree(bed.db, 2)};
    test_ok(sdb_thread_start(&w.thread, "writer", write_both, &w, &err), &err);
    for (int a = 0, b; a < 20000;) {
        seerdb_txn *x = begin(bed.db, SEERDB_SNAPSHOT, w.t, w.u);
        assert_int_equal(number_of(x, w.t, 0, &a), 0);
        assert_int_equal(number_of(x, w.u, 0, &b), 0);
        assert_int_equal(a, b);
        seerdb_txn_free(x);
    }
    atomic_store(&w.stop, true);
    sdb_thread_join(&w.thread);
    assert_int_equal(w.rc, 0);
    seerdb_tree_close(w.t);
    bed_end(&bed, w.u);
}

struct committer {
    struct sdb_thread thread;
    seerdb_txn *x;
    int rc;
    _Atomic bool done;
};

static void *commit_it(void *arg)
{
    struct committer *c = arg;
    c->rc = seerdb_txn_commit(c->x, SEERDB_SYNC_OFF, NULL);
    atomic_store(&c->done, true);
    return NULL;
}

/* It may come before: then the transaction has read what was no more. */
static void a_commit_that_is_undecided_is_waited_for(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        bool writes = i % 2, stands = i / 2;
        struct bed bed;
        seerdb_err err = {0};
        seerdb_tree *t = bed_new_tree(&bed), *u = create_tree(bed.db, 2);
        seerdb_batch *b = new_batch(bed.db);
        struct committer c = {.x = begin(bed.db, SEERDB_SERIALIZABLE, t, u)};
        reads(c.x, t, "a", NULL);
        if (writes)
            put(c.x, u, "a", "1");
        add(b, t, "a=1");
        test_ok(seerdb_prepare(b, SEERDB_SYNC_OFF, NULL, &err), &err);
        test_ok(sdb_thread_start(&c.thread, "txn", commit_it, &c, &err), &err);
        for (int ms = 0; ms < 20; ms++) {
            sdb_clock_sleep_us(1000);
            assert_false(atomic_load(&c.done));
        }
        if (stands)
            seerdb_commit(b);
        else
            test_ok(seerdb_rollback(b, &err), &err);
        sdb_thread_join(&c.thread);
        assert_int_equal(c.rc, stands ? SEERDB_CONFLICT : 0);
        expect(u, writes && !stands ? "a=1" : "");
        seerdb_txn_free(c.x);
        seerdb_batch_free(b);
        seerdb_tree_close(t);
        bed_end(&bed, u);
    }
}

/* ---- histories at random -----------------------------------------------------------
 */

enum { KEYS = 6, OPEN = 4, STEPS = 400 };

/* Values of the keys of two trees; 0: not there. */
struct model {
    int value[2][KEYS];
};

struct history {
    seerdb_txn *x;
    enum seerdb_isolation isolation;
    struct model began, sees; /* as of its beginning, and with its own writes */
    bool read[2][KEYS];       /* before it wrote them */
    bool wrote[2][KEYS];
    bool theirs[2][KEYS]; /* others have written it since */
};

static seerdb_slice key_of(unsigned k, char room[3])
{
    snprintf(room, 3, "k%c", (char)('a' + k));
    return test_slice(room);
}

static void check_read(struct history *h, seerdb_tree *t, unsigned tree, unsigned k)
{
    char key[3], want[12];
    (void)key_of(k, key);
    snprintf(want, sizeof want, "%d", h->sees.value[tree][k]);
    reads(h->x, t, key, h->sees.value[tree][k] != 0 ? want : NULL);
    h->read[tree][k] = true;
}

static void check_scan(struct history *h, seerdb_tree *t, unsigned tree, unsigned from)
{
    char lower[3], want[128] = "";
    (void)key_of(from, lower);
    for (unsigned k = from; k < KEYS; k++) {
        size_t n = strlen(want);
        if (h->sees.value[tree][k] != 0)
            snprintf(want + n, sizeof want - n, "%sk%c=%d", n > 0 ? " " : "",
                     (char)('a' + k), h->sees.value[tree][k]);
        h->read[tree][k] = true;
    }
    scans(h->x, t, lower, "l", want);
}

static void change(struct history *h, seerdb_tree *t, unsigned tree, unsigned k, int v)
{
    char key[3], value[12];
    (void)key_of(k, key);
    snprintf(value, sizeof value, "%d", v);
    if (v != 0)
        put(h->x, t, key, value);
    else
        delete (h->x, t, key);
    h->wrote[tree][k] = true;
    h->sees.value[tree][k] = v;
}

/* Whether it must be refused; where a key came and went either is right. */
static bool must_conflict(const struct history *h, const struct model *now)
{
    for (int t = 0; t < 2; t++)
        for (int k = 0; k < KEYS; k++)
            if ((h->wrote[t][k] ||
                 (h->read[t][k] && h->isolation == SEERDB_SERIALIZABLE)) &&
                h->began.value[t][k] != now->value[t][k])
                return true;
    return false;
}

/* It may be refused only if somebody has written what it rests on. */
static bool may_conflict(const struct history *h)
{
    for (int t = 0; t < 2; t++)
        for (int k = 0; k < KEYS; k++)
            if (h->theirs[t][k] && (h->wrote[t][k] || h->read[t][k]))
                return true;
    return false;
}

static void note_commit(struct history *all, const struct history *h, struct model *now)
{
    for (int t = 0; t < 2; t++)
        for (int k = 0; k < KEYS; k++) {
            if (!h->wrote[t][k])
                continue;
            now->value[t][k] = h->sees.value[t][k];
            for (int i = 0; i < OPEN; i++)
                all[i].theirs[t][k] = true;
        }
}

/* Of those that commit each has seen what the ones before it left: so they may as well
 * have run one after the other. */
static void run_history(uint64_t seed, int outcomes[2])
{
    struct bed bed;
    struct sdb_rand r = {.state = seed};
    struct history all[OPEN] = {{.x = NULL}};
    struct model now = {{{0}}};
    seerdb_err err = {0};
    int next = 1;
    bed_new(&bed);
    seerdb_tree *trees[] = {create_tree(bed.db, 1), create_tree(bed.db, 2)};
    for (int step = 0; step < STEPS; step++) {
        struct history *h = &all[sdb_rand_below(&r, OPEN)];
        unsigned tree = (unsigned)sdb_rand_below(&r, 2);
        unsigned k = (unsigned)sdb_rand_below(&r, KEYS);
        unsigned what = (unsigned)sdb_rand_below(&r, 16);
        if (h->x == NULL) {
            enum seerdb_isolation i = what % 2 ? SEERDB_SNAPSHOT : SEERDB_SERIALIZABLE;
            *h = (struct history){.isolation = i, .began = now, .sees = now};
            h->x = begin(bed.db, i, trees[0], trees[1]);
        } else if (what < 5) {
            check_read(h, trees[tree], tree, k);
        } else if (what < 7) {
            check_scan(h, trees[tree], tree, k);
        } else if (what < 12) {
            change(h, trees[tree], tree, k, what < 8 ? 0 : next++);
        } else if (what < 13) {
            test_ok(step % 2 ? seerdb_flush(bed.db, NULL, &err)
                             : seerdb_compact(bed.db, NULL, &err),
                    &err);
        } else {
            int rc = seerdb_txn_commit(h->x, SEERDB_SYNC_OFF, &err);
            if (rc != 0 && (rc != SEERDB_CONFLICT || !may_conflict(h)))
                fail_msg("seed %d, step %d: %d: %s", (int)seed, step, rc, err.msg);
            if (rc == 0 && must_conflict(h, &now))
                fail_msg("seed %d, step %d: no conflict", (int)seed, step);
            seerdb_txn_free(h->x);
            h->x = NULL;
            if (rc == 0)
                note_commit(all, h, &now);
            outcomes[rc == 0]++;
        }
    }
    for (int i = 0; i < OPEN; i++)
        seerdb_txn_free(all[i].x);
    seerdb_tree_close(trees[0]);
    seerdb_tree_close(trees[1]);
    bed_fini(&bed);
}

static void histories_at_random_are_serial(void **state)
{
    (void)state;
    int outcomes[2] = {0, 0};
    for (uint64_t seed = 0; seed < 60; seed++)
        run_history(seed, outcomes);
    assert_true(outcomes[0] > 200 && outcomes[1] > 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_commit_stands_if_what_it_rests_on_is_as_it_was),
        cmocka_unit_test(a_transaction_reads_its_moment_and_its_own_writes),
        cmocka_unit_test(savepoints_take_writes_back_and_what_they_rest_on),
        cmocka_unit_test(trees_are_seen_as_of_one_moment_and_committed_together),
        cmocka_unit_test(a_marked_tree_is_refused),
        cmocka_unit_test(merges_conflict_as_puts_do),
        cmocka_unit_test(a_transaction_that_spills_commits_and_conflicts_as_others),
        cmocka_unit_test(no_write_skew_comes_to_pass_among_threads),
        cmocka_unit_test(no_transaction_begins_in_the_middle_of_a_commit),
        cmocka_unit_test(a_commit_that_is_undecided_is_waited_for),
        cmocka_unit_test(histories_at_random_are_serial),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
