/* SPDX-License-Identifier: Apache-2.0
 *
 * The power goes away at every place.  A fault-injecting layer lets a number of
 * operations pass and fails all that follow; the store is closed, the file system in
 * memory forgets what was not synced, and the store is opened again.  What must then be
 * there follows from what was acknowledged.
 *
 *     crash_test [seed]      SEERDB_SEED, SEERDB_CRASH_SECONDS (2) do the same */
#include "db/batch.h"
#include "db/surprise.h"
#include "testing.h"

#include "os/clock.h"

#include <errno.h>

#if defined(__SANITIZE_THREAD__) /* slow, and not what it is for */
#define STORY_STRIDE 11u
#else
#define STORY_STRIDE 1u
#endif

enum { NTREES = 3, NKEYS = 60, HISTORY = 4096 };

/* What the trees hold: per key the commit that wrote it, 0: absent. */
struct content {
    uint32_t by[NTREES][NKEYS];
};

enum fate {
    FATE_TRIED,     /* a failure, or nothing, was answered */
    FATE_COMMITTED, /* acknowledged */
    FATE_UNDONE     /* taken back, and that was acknowledged */
};

struct attempt {
    enum fate fate;
    bool undone_synced; /* the undoing was on stable storage when it was acknowledged */
};

struct crash {
    struct bed bed;
    struct sdb_rand r;
    uint64_t seed, cuts;
    seerdb_tree *trees[NTREES];
    struct content base; /* by the commits settled */
    uint32_t first;      /* the fate of commits up to it is settled */
    uint32_t last;       /* the newest tried */
    uint32_t certain;    /* the newest that must be there, with all before */
    struct attempt attempts[HISTORY]; /* of commit first + 1 + i */
    seerdb_err err;
};

#define fail_cut(c, ...)                                                               \
    do {                                                                               \
        print_error("seed %" PRIu64 ", cut %" PRIu64 ": ", (c)->seed, (c)->cuts);      \
        fail_msg(__VA_ARGS__);                                                         \
    } while (0)

static uint64_t below(struct crash *c, uint64_t n)
{
    return sdb_rand_below(&c->r, n);
}

/* ---- commits ---------------------------------------------------------------------
 * Commit n writes key 0 of tree 0, always, and other keys of some trees.  What it
 * writes follows from its number. */

struct change {
    unsigned tree, key;
    unsigned end; /* delete all keys from `key` to below it; 0: only `key` */
    bool delete;
};

static size_t changes_of(uint32_t n, struct change *out)
{
    struct sdb_rand r = {n};
    size_t count = (size_t)sdb_rand_below(&r, 8);
    out[0] = (struct change){0, 0, 0, false};
    for (size_t i = 1; i <= count; i++) {
        out[i] = (struct change){(unsigned)sdb_rand_below(&r, NTREES),
                                 1 + (unsigned)sdb_rand_below(&r, NKEYS - 1), 0,
                                 sdb_rand_below(&r, 4) == 0};
        if (out[i].delete &&sdb_rand_below(&r, 2) == 0)
            out[i].end =
                out[i].key + 1 + (unsigned)sdb_rand_below(&r, NKEYS - out[i].key);
    }
    return count + 1;
}

static seerdb_slice key_bytes(unsigned k, char *room)
{
    return (seerdb_slice){room, (size_t)snprintf(room, 16, "key-%04u", k)};
}

/* The number, and more or less after it. */
static seerdb_slice value_bytes(uint32_t n, char *room)
{
    struct sdb_rand r = {n};
    size_t size =
        4 + (size_t)(n % 7 == 0 ? sdb_rand_below(&r, 20000) : sdb_rand_below(&r, 300));
    memset(room, (int)(n & 0x7f), size);
    memcpy(room, &n, 4);
    return (seerdb_slice){room, size};
}

enum { VALUE_ROOM = 20008 };

static int fill_batch(struct crash *c, seerdb_batch *b, uint32_t n)
{
    struct change changes[16];
    char key[16], end[16], value[VALUE_ROOM];
    size_t count = changes_of(n, changes);
    seerdb_slice v = value_bytes(n, value);
    bool large = below(c, 5) == 0; /* goes to disk, in several pieces */
    for (size_t i = 0; i < count; i++) {
        seerdb_tree *t = c->trees[changes[i].tree];
        seerdb_slice k = key_bytes(changes[i].key, key);
        int rc = changes[i].end > 0
                     ? seerdb_batch_delete_range(
                           b, t, k, key_bytes(changes[i].end, end), &c->err)
                 : changes[i].delete ? seerdb_batch_delete(b, t, k, &c->err)
                                     : seerdb_batch_put(b, t, k, v, &c->err);
        if (rc == 0 && large && below(c, 3) == 0)
            rc = seerdb_batch_spill(b, &c->err);
        if (rc != 0)
            return rc;
    }
    return 0;
}

static void replay(struct content *to, uint32_t n)
{
    struct change changes[16];
    size_t count = changes_of(n, changes);
    for (size_t i = 0; i < count; i++) {
        const struct change *g = &changes[i];
        to->by[g->tree][g->key] = g->delete ? 0 : n;
        for (unsigned k = g->key; k < g->end; k++)
            to->by[g->tree][k] = 0;
    }
}

/* The next commit, in one of several ways. */
static int commit(struct crash *c, seerdb_batch *b)
{
    uint32_t n = ++c->last;
    uint64_t number;
    enum seerdb_sync sync = (enum seerdb_sync)below(c, 3);
    struct attempt *a = &c->attempts[n - c->first - 1];
    *a = (struct attempt){FATE_TRIED, false};
    int rc = seerdb_rollback(b, &c->err);
    if (rc != 0 || (rc = fill_batch(c, b, n)) != 0 ||
        (rc = seerdb_prepare(b, sync, &number, &c->err)) != 0)
        return rc;
    if (below(c, 8) == 0) {
        if ((rc = seerdb_rollback(b, &c->err)) == 0)
            *a = (struct attempt){FATE_UNDONE, sync == SEERDB_SYNC_FULL};
        return rc;
    }
    seerdb_commit(b);
    a->fate = FATE_COMMITTED;
    if (sync == SEERDB_SYNC_FULL)
        c->certain = n;
    return 0;
}

/* ---- after the cut ------------------------------------------------------------------
 */

/* The newest commit whose writes are there. */
static uint32_t newest_there(struct crash *c)
{
    char key[16];
    seerdb_value got = {0};
    uint32_t n = 0;
    seerdb_view *v = new_view(c->trees[0]);
    int rc = seerdb_get(v, NULL, 0, key_bytes(0, key), &got, &c->err);
    if (rc < 0)
        fail_cut(c, "reading fails: %s", c->err.msg);
    if (rc == 0) {
        assert_true(got.bytes.size >= 4);
        memcpy(&n, got.bytes.data, 4);
        seerdb_pin_unref(got.pin);
    }
    seerdb_view_close(v);
    return n;
}

static void check_tree(struct crash *c, unsigned tree, const struct content *want)
{
    char key[16], value[VALUE_ROOM];
    seerdb_iter *it = NULL;
    seerdb_view *v = new_view(c->trees[tree]);
    test_ok(seerdb_iter_open(v, NULL, 0, &it, &c->err), &c->err);
    int rc = seerdb_iter_first(it, &c->err);
    for (unsigned k = 0; k < NKEYS; k++) {
        if (want->by[tree][k] == 0)
            continue;
        if (rc != 0)
            fail_cut(c, "key %u of tree %u is lost: %d %s", k, tree, rc, c->err.msg);
        seerdb_slice wk = key_bytes(k, key), wv = value_bytes(want->by[tree][k], value);
        seerdb_slice gk = seerdb_iter_key(it), gv = seerdb_iter_value(it);
        if (gk.size != wk.size || memcmp(gk.data, wk.data, wk.size) != 0)
            fail_cut(c, "tree %u: found %.*s where key %u belongs", tree, (int)gk.size,
                     (const char *)gk.data, k);
        if (gv.size != wv.size || memcmp(gv.data, wv.data, wv.size) != 0)
            fail_cut(c, "tree %u: key %u has not the value of commit %u", tree, k,
                     want->by[tree][k]);
        rc = seerdb_iter_next(it, &c->err);
    }
    if (rc != SEERDB_NOTFOUND)
        fail_cut(c, "tree %u holds more than was written: %d %s", tree, rc, c->err.msg);
    seerdb_iter_close(it);
    seerdb_view_close(v);
}

/* Some commit from `certain` to `last` is the newest that is there, and everything
 * before it, and nothing else.  From now on that is settled. */
static void check_prefix(struct crash *c)
{
    uint32_t n = newest_there(c);
    if (n < c->certain || n > c->last || (n > c->certain && n <= c->first))
        fail_cut(c, "the newest commit is %u, it must lie between %u and %u", n,
                 c->certain, c->last);
    for (uint32_t i = c->first + 1; i <= n; i++) {
        const struct attempt *a = &c->attempts[i - c->first - 1];
        if (i == n && a->fate == FATE_UNDONE && a->undone_synced)
            fail_cut(c, "commit %u was taken back and is there", n);
        if (i == n || a->fate == FATE_COMMITTED)
            replay(&c->base, i);
    }
    for (unsigned t = 0; t < NTREES; t++)
        check_tree(c, t, &c->base);
    seerdb_verify_report report;
    if (seerdb_verify(c->bed.db, NULL, &report, &c->err) != 0)
        fail_cut(c, "verify: %s", c->err.msg);
    c->certain = n;
    c->first = c->last; /* what was tried and is not there must stay away */
}

/* ---- random cuts
 * --------------------------------------------------------------------- */

/* From now on let `n` operations pass. */
static void stop_after(struct crash *c, uint64_t n, unsigned ops)
{
    fault(&c->bed, (struct sdb_fault){.ops = ops,
                                      .after = n,
                                      .times = UINT64_MAX,
                                      .error = EIO,
                                      .torn = below(c, 2) == 0});
    surprise(c->bed.fs, &c->r);
}

static void open_trees(struct crash *c)
{
    for (unsigned i = 0; i < NTREES; i++)
        c->trees[i] = open_tree(c->bed.db, i);
}

static void close_all(struct crash *c)
{
    for (unsigned i = 0; i < NTREES; i++)
        seerdb_tree_close(c->trees[i]);
    (void)seerdb_close(c->bed.db, NULL);
    c->bed.db = NULL;
}

static void cut(struct crash *c)
{
    c->cuts++;
    no_surprise();
    sdb_memfs_cut(c->bed.mem, below(c, 3) == 0 ? SDB_CUT_DROP : SDB_CUT_RANDOM,
                  sdb_rand_next(&c->r));
    fault(&c->bed, (struct sdb_fault){0});
}

/* Open the store again; sometimes the power goes away in the middle of that. */
static void recover(struct crash *c)
{
    while (below(c, 3) == 0) {
        stop_after(c, below(c, 30), SDB_FAULT_ALL);
        int rc = bed_open(&c->bed, &c->err);
        if (rc != 0 && rc != SEERDB_IOERR)
            fail_cut(c, "opening answers %d: %s", rc, c->err.msg);
        c->err = (seerdb_err){0};
        if (rc == 0)
            (void)seerdb_close(c->bed.db, NULL);
        c->bed.db = NULL;
        cut(c);
    }
    c->bed.o.log_file_size = (uint64_t)16384 << below(c, 3);
    if (bed_open_compared(&c->bed, &c->err) != 0)
        fail_cut(c, "the store does not open: %s", c->err.msg);
    open_trees(c);
}

static void live_until_the_cut(struct crash *c)
{
    seerdb_batch *b = new_batch(c->bed.db);
    stop_after(c, below(c, below(c, 2) == 0 ? 400 : 40), SDB_FAULT_ALL);
    uint32_t last = c->last + HISTORY - 8;
    int rc = 0;
    while (rc == 0 && c->last < last) {
        if (below(c, 200) == 0)
            rc = seerdb_compact(c->bed.db, NULL, &c->err);
        else if (below(c, 30) == 0)
            rc = seerdb_flush(c->bed.db,
                              below(c, 2) == 0 ? NULL : c->trees[below(c, 3)], &c->err);
        else
            rc = commit(c, b);
    }
    if (rc > 0 || (rc < 0 && rc != SEERDB_IOERR))
        fail_cut(c, "a write answers %d: %s", rc, c->err.msg);
    c->err = (seerdb_err){0};
    seerdb_batch_free(b);
}

static void start(struct crash *c, uint64_t seed)
{
    memset(c, 0, sizeof *c);
    c->seed = seed;
    c->r.state = seed;
    bed_new(&c->bed);
    for (unsigned i = 0; i < NTREES; i++)
        c->trees[i] = create_tree(c->bed.db, i);
}

static uint64_t seed_wanted, milliseconds_wanted = 2000;

static void after_a_power_cut_a_prefix_is_there_and_what_was_synced(void **state)
{
    struct crash *c = malloc(sizeof *c);
    uint64_t end = sdb_clock_mono_us() + milliseconds_wanted * 1000, cuts = 0,
             stores = 0;
    (void)state;
    assert_non_null(c);
    while (sdb_clock_mono_us() < end) {
        start(c, seed_wanted + stores++);
        for (int generation = 0; generation < 10; generation++) {
            live_until_the_cut(c);
            close_all(c);
            cut(c);
            recover(c);
            check_prefix(c);
        }
        cuts += c->cuts;
        close_all(c);
        bed_fini(&c->bed);
    }
    print_message("%" PRIu64 " power cuts\n", cuts);
    free(c);
}

/* The process dies, the machine does not: everything acknowledged is there. */
static void
after_a_crash_of_the_process_every_acknowledged_commit_is_there(void **state)
{
    struct crash *c = malloc(sizeof *c);
    (void)state;
    assert_non_null(c);
    for (uint64_t i = 0; i < 20; i++) {
        start(c, seed_wanted + i);
        for (int generation = 0; generation < 6; generation++) {
            live_until_the_cut(c);
            for (uint32_t n = c->last; n > c->certain && n > c->first; n--)
                if (c->attempts[n - c->first - 1].fate == FATE_COMMITTED)
                    c->certain = n;
            close_all(c);
            no_surprise();
            fault(&c->bed, (struct sdb_fault){0});
            if (bed_open_compared(&c->bed, &c->err) != 0)
                fail_cut(c, "the store does not open: %s", c->err.msg);
            open_trees(c);
            check_prefix(c);
        }
        close_all(c);
        bed_fini(&c->bed);
    }
    free(c);
}

/* ---- every place of a fixed story
 * ------------------------------------------------------ */

enum { STORY_TREES = 12, STORY_KEYS = 40 };

/* What had been acknowledged, and what was being done, when it stopped. */
struct story {
    struct bed bed;
    bool opened;
    bool created[STORY_TREES], creating[STORY_TREES];
    bool dropped[STORY_TREES], dropping[STORY_TREES];
    unsigned written[STORY_TREES], writing[STORY_TREES]; /* commits: keys from 1 on */
    seerdb_tree *trees[STORY_TREES];
    seerdb_err err;
};

static int story_tree(struct story *s, unsigned i, size_t app)
{
    char *bytes = calloc(1, app + 1);
    s->creating[i] = true;
    int rc = seerdb_tree_create(
        s->bed.db, &(seerdb_tree_options){.id = uuid_of(i), .app = {bytes, app}},
        &s->trees[i], &s->err);
    s->created[i] = rc == 0;
    free(bytes);
    return rc;
}

static int story_drop(struct story *s, unsigned i)
{
    int rc = seerdb_tree_intend_drop(s->trees[i], &s->err);
    if (rc != 0)
        return rc;
    s->dropping[i] = true;
    rc = seerdb_tree_drop(s->trees[i], &s->err);
    s->trees[i] = NULL;
    s->dropped[i] = rc == 0;
    return rc;
}

/* Commits to tree i, each with one key more, over `more`, which may be i. */
static int story_write(struct story *s, unsigned i, unsigned more, unsigned n,
                       size_t size)
{
    seerdb_batch *b = NULL;
    char key[16];
    char *value = calloc(1, size);
    int rc = seerdb_batch_new(s->bed.db, &b, &s->err);
    for (; rc == 0 && n > 0; n--) {
        s->writing[i]++;
        s->writing[more] += more != i ? 1 : 0;
        seerdb_slice k1 = key_bytes(s->writing[i], key);
        rc = seerdb_batch_put(b, s->trees[i], k1, (seerdb_slice){value, size}, &s->err);
        if (rc == 0 && more != i)
            rc = seerdb_batch_put(b, s->trees[more], key_bytes(s->writing[more], key),
                                  (seerdb_slice){value, size}, &s->err);
        if (rc == 0 && (rc = seerdb_write(b, SEERDB_SYNC_FULL, &s->err)) == 0) {
            s->written[i] = s->writing[i];
            s->written[more] = s->writing[more];
        }
    }
    seerdb_batch_free(b);
    free(value);
    return rc;
}

static int story_reopen(struct story *s)
{
    for (unsigned i = 0; i < STORY_TREES; i++) {
        seerdb_tree_close(s->trees[i]);
        s->trees[i] = NULL;
    }
    int rc = seerdb_close(s->bed.db, &s->err);
    s->bed.db = NULL;
    if (rc != 0 || (rc = bed_open(&s->bed, &s->err)) != 0)
        return rc;
    for (unsigned i = 0; i < STORY_TREES; i++)
        if (s->created[i] && !s->dropped[i])
            s->trees[i] = open_tree(s->bed.db, i);
    return 0;
}

/* Creation, rotations, recycling, flushes, compactions, rollovers of the manifest,
 * drops, a reopen.
 */
static int tell(struct story *s)
{
    int rc = bed_open(&s->bed, &s->err);
    s->opened = rc == 0;
    if (rc != 0 || (rc = story_tree(s, 0, 0)) != 0 ||
        (rc = story_tree(s, 1, 10)) != 0 ||
        (rc = story_write(s, 0, 1, 4, 3000)) != 0 || /* rotates */
        (rc = seerdb_flush(s->bed.db, s->trees[0], &s->err)) != 0 ||
        (rc = story_write(s, 0, 0, 6, 3000)) != 0 ||
        (rc = seerdb_compact(s->bed.db, NULL, &s->err)) != 0 ||
        (rc = story_write(s, 1, 0, 12, 3000)) != 0 || /* into recycled files */
        (rc = story_tree(s, 2, 60000)) != 0 ||
        (rc = story_write(s, 2, 0, 2, 20)) != 0 ||
        (rc = story_tree(s, 3, 60000)) != 0 || /* the manifest rolls over */
        (rc = story_write(s, 3, 2, 2, 20)) != 0 ||
        (rc = seerdb_flush(s->bed.db, s->trees[2], &s->err)) != 0 ||
        (rc = story_drop(s, 2)) != 0 || (rc = story_write(s, 1, 3, 1, 20000)) != 0 ||
        (rc = story_reopen(s)) != 0 || (rc = story_write(s, 0, 3, 3, 100)) != 0 ||
        (rc = seerdb_compact(s->bed.db, NULL, &s->err)) != 0 ||
        (rc = story_drop(s, 3)) != 0 || (rc = story_tree(s, 4, 0)) != 0)
        return rc;
    return story_write(s, 4, 1, 1, 10);
}

/* A tree holds all that was acknowledged, and at most what was being written. */
static void check_story_tree(struct story *s, unsigned i, uint64_t n)
{
    seerdb_tree *t = NULL;
    seerdb_uuid id = uuid_of(i);
    char key[16];
    int rc = seerdb_tree_open(s->bed.db, &id, &t, &s->err);
    if (rc != 0) {
        if (s->created[i] && !s->dropping[i])
            fail_msg("stopped after %" PRIu64 ": tree %u is lost", n, i);
        return;
    }
    if (!s->creating[i] || s->dropped[i])
        fail_msg("stopped after %" PRIu64 ": tree %u should not be there", n, i);
    seerdb_iter *it = NULL;
    seerdb_view *v = new_view(t);
    test_ok(seerdb_iter_open(v, NULL, 0, &it, &s->err), &s->err);
    unsigned got = 0;
    for (rc = seerdb_iter_first(it, &s->err); rc == 0;
         rc = seerdb_iter_next(it, &s->err))
        test_slice_equal(seerdb_iter_key(it), key_bytes(++got, key));
    if (rc != SEERDB_NOTFOUND || got < s->written[i] || got > s->writing[i])
        fail_msg("stopped after %" PRIu64 ": tree %u has %u keys, wanted %u to %u: %s",
                 n, i, got, s->written[i], s->writing[i], s->err.msg);
    seerdb_iter_close(it);
    seerdb_view_close(v);
    seerdb_tree_close(t);
}

/* Tell the story, but stop after n operations of these kinds. False: it was told. */
static bool stop_the_story(uint64_t n, unsigned ops, enum sdb_cut_mode mode)
{
    struct story s = {.opened = false};
    bed_init(&s.bed);
    fault(&s.bed, (struct sdb_fault){.ops = ops,
                                     .after = n,
                                     .times = UINT64_MAX,
                                     .error = EIO,
                                     .torn = n % 2 == 0});
    int rc = tell(&s);
    if (rc != 0 && rc != SEERDB_IOERR && rc != SEERDB_CANTOPEN)
        fail_msg("stopped after %" PRIu64 ": %d: %s", n, rc, s.err.msg);
    for (unsigned i = 0; i < STORY_TREES; i++)
        seerdb_tree_close(s.trees[i]);
    if (s.bed.db != NULL)
        (void)seerdb_close(s.bed.db, NULL);
    bool stopped = sdb_faultfs_fired(s.bed.fs) > 0;
    s.bed.db = NULL;
    s.err = (seerdb_err){0};
    sdb_memfs_cut(s.bed.mem, mode, n);
    fault(&s.bed, (struct sdb_fault){0});
    s.bed.o.create = !s.opened;
    if (bed_open_compared(&s.bed, &s.err) != 0)
        fail_msg("stopped after %" PRIu64 ": the store does not open: %s", n,
                 s.err.msg);
    verify(s.bed.db);
    for (unsigned i = 0; i < STORY_TREES; i++)
        check_story_tree(&s, i, n);
    seerdb_tree *t = create_tree(s.bed.db, 99);
    write_words(t, "a=1"); /* and it goes on */
    expect(t, "a=1");
    seerdb_tree_close(t);
    bed_fini(&s.bed);
    return stopped;
}

static void a_story_can_stop_at_every_sync(void **state)
{
    uint64_t n = 0;
    (void)state;
    while (stop_the_story(n, SDB_FAULT_SYNC, SDB_CUT_DROP))
        n++;
    print_message("%" PRIu64 " syncs\n", n);
    assert_true(n > 50);
    for (n = 0; stop_the_story(n, SDB_FAULT_SYNC, SDB_CUT_RANDOM);)
        n++;
}

static void a_story_can_stop_at_every_operation(void **state)
{
    uint64_t n = 0;
    (void)state;
    while (stop_the_story(n, SDB_FAULT_ALL, SDB_CUT_RANDOM))
        n += STORY_STRIDE;
    print_message("%" PRIu64 " operations\n", n);
}

/* Another's sync has taken the prepare to the disk; or the system may have. */
static void what_was_taken_back_does_not_come_back(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 60; seed++) {
        struct bed bed;
        seerdb_err err = {0};
        bed_new(&bed);
        seerdb_tree *t = create_tree(bed.db, 1), *u = create_tree(bed.db, 2);
        seerdb_batch *b = new_batch(bed.db);
        write_words(t, "a=0");
        add(b, t, "a=1 b=1");
        test_ok(seerdb_prepare(b, SEERDB_SYNC_NORMAL, NULL, &err), &err);
        if (seed % 2 == 0)
            write_words(u, "c=1"); /* synced */
        test_ok(seed % 3 == 0 ? seerdb_unprepare(b, &err) : seerdb_rollback(b, &err),
                &err);
        seerdb_batch_free(b);
        seerdb_tree_close(t);
        seerdb_tree_close(u);
        fault(&bed, (struct sdb_fault){
                        .ops = SDB_FAULT_ALL, .times = UINT64_MAX, .error = 5});
        (void)seerdb_close(bed.db, NULL);
        bed.db = NULL;
        sdb_memfs_cut(bed.mem, seed < 2 ? SDB_CUT_DROP : SDB_CUT_RANDOM, seed);
        fault(&bed, (struct sdb_fault){0});
        bed_open_ok(&bed);
        t = open_tree(bed.db, 1);
        expect(t, "a=0");
        seerdb_tree_close(t);
        bed_fini(&bed);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_taken_back_does_not_come_back),
        cmocka_unit_test(a_story_can_stop_at_every_sync),
        cmocka_unit_test(a_story_can_stop_at_every_operation),
        cmocka_unit_test(
            after_a_crash_of_the_process_every_acknowledged_commit_is_there),
        cmocka_unit_test(after_a_power_cut_a_prefix_is_there_and_what_was_synced),
    };
    const char *seed = argc > 1 ? argv[1] : getenv("SEERDB_SEED");
    const char *seconds = getenv("SEERDB_CRASH_SECONDS");
    seed_wanted = seed != NULL ? strtoull(seed, NULL, 10) : sdb_clock_unix_us();
    if (seconds != NULL)
        milliseconds_wanted = strtoull(seconds, NULL, 10) * 1000;
    print_message("seed %" PRIu64 "\n", seed_wanted);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
