/* SPDX-License-Identifier: Apache-2.0
 *
 * The power goes away at every place while marked trees and their owners change
 * together.  An owner keeps its marker as a database keeps its commits: in a log of
 * checksummed slots on the same disk, each of which names the one before.  A commit
 * whose failure was reported may have left its slot behind, and it counts after a crash
 * if it is whole.  Whatever the owner's slots say after a cut, the tree must follow.
 *
 *     marked_crash_test [seed]   SEERDB_SEED, SEERDB_CRASH_SECONDS (2) do the same */
#include "db/batch.h"
#include "db/surprise.h"
#include "testing.h"

#include "db/aside.h"
#include "os/clock.h"
#include "table/key.h"

#include <errno.h>

enum { NTREES = 2, NKEYS = 24, MOST = 4000, SLOT = 512, VALUE_ROOM = 12016 };

/* A commit of one tree as the model knows it. */
struct commit {
    uint64_t number;
    uint32_t txn;       /* unique; its values follow from it */
    uint32_t prev;      /* index of the commit it builds upon */
    uint32_t by[NKEYS]; /* the txn whose value each key has; 0: none */
    bool lost;          /* after a cut the log did not have it */
    bool given_up;      /* the store was told to go on without it */
};

/* A sector: its last bytes tell whether it is whole. */
struct slot {
    uint64_t marker, index, before;
    uint8_t zeros[SLOT - 32];
    uint64_t check;
};
_Static_assert(sizeof(struct slot) == SLOT, "one sector");

struct owner {
    struct sdb_file *file; /* owned */
    seerdb_uuid id;
    uint64_t nslots;     /* those that count */
    uint64_t last_check; /* of the last of them */
    uint64_t certain;    /* slots known to be on stable storage */
    seerdb_tree *tree;
    struct commit *commits; /* [0]: the empty tree */
    uint32_t ncommits;
    uint32_t at; /* the commit that the marker names */
    bool shown;  /* to the store since it was opened */
};

struct crash {
    struct bed bed;
    struct sdb_rand r;
    uint64_t seed, cuts, behind, asides;
    uint32_t txn;
    uint32_t synced; /* PREPAREs of txns up to it are on stable storage */
    struct owner owners[NTREES];
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

static seerdb_slice key_bytes(unsigned k, char *room)
{
    return (seerdb_slice){room, (size_t)snprintf(room, 16, "key-%04u", k)};
}

static seerdb_slice value_bytes(uint32_t txn, char *room)
{
    struct sdb_rand r = {txn};
    size_t size = 4 + (size_t)(txn % 9 == 0 ? sdb_rand_below(&r, 12000)
                                            : sdb_rand_below(&r, 200));
    memset(room, (int)(txn & 0x7f), size);
    memcpy(room, &txn, 4);
    return (seerdb_slice){room, size};
}

/* ---- the owners -------------------------------------------------------------------
 */

static uint64_t check_of(const struct slot *s)
{
    uint64_t h = 0x9e3779b97f4a7c15u;
    for (unsigned i = 0; i < 3; i++) {
        h = (h ^ (i == 0   ? s->marker
                  : i == 1 ? s->index
                           : s->before)) *
            0xff51afd7ed558ccdu;
        h ^= h >> 29;
    }
    return h;
}

static int owner_write(struct owner *o, uint64_t marker, seerdb_err *err)
{
    struct slot s = {.marker = marker, .index = o->nslots, .before = o->last_check};
    s.check = check_of(&s);
    return sdb_file_write_at(o->file, o->nslots * SLOT, (seerdb_slice){&s, SLOT}, err);
}

/* The slot written last counts from now on. */
static void owner_advance(struct owner *o, uint64_t marker, uint32_t at)
{
    struct slot s = {.marker = marker, .index = o->nslots, .before = o->last_check};
    o->last_check = check_of(&s);
    o->nslots++;
    o->at = at;
}

/* As a database recovers: the slots count as far as they are whole and in line. */
static void owner_read(struct crash *c, struct owner *o, const char *path)
{
    struct sdb_buf all = {0};
    uint64_t marker = 0;
    sdb_file_close(o->file);
    o->file = NULL;
    test_ok(
        sdb_fs_open(c->bed.fs, path, SDB_READWRITE, SDB_FOR_OTHER, &o->file, &c->err),
        &c->err);
    test_ok(sdb_file_read_all(o->file, &all, &c->err), &c->err);
    o->nslots = o->last_check = 0;
    for (size_t at = 0; at + SLOT <= all.size; at += SLOT) {
        struct slot s;
        memcpy(&s, all.data + at, sizeof s);
        if (s.index != o->nslots || s.before != o->last_check ||
            s.check != check_of(&s))
            break;
        o->nslots++;
        o->last_check = s.check;
        marker = s.marker;
    }
    sdb_buf_fini(&all);
    if (o->nslots < o->certain)
        fail_cut(c, "the test's owner lost what it had synced");
    for (o->at = o->ncommits - 1; o->commits[o->at].number != marker; o->at--)
        if (o->at == 0)
            fail_cut(c, "the owner's marker %" PRIu64 " was never written", marker);
    o->shown = false;
}

static int decide(void *ctx, uint64_t below, seerdb_err *err)
{
    (void)below;
    struct owner *o = ctx;
    return sdb_file_sync(o->file, err);
}

/* ---- what the trees hold ------------------------------------------------------------
 */

static bool agrees(seerdb_view *v, const uint32_t *by, char *why, size_t room)
{
    char key[16], value[VALUE_ROOM];
    seerdb_iter *it = NULL;
    seerdb_err err = {0};
    test_ok(seerdb_iter_open(v, NULL, 0, &it, &err), &err);
    int rc = seerdb_iter_first(it, &err);
    unsigned k = 0;
    for (; k < NKEYS; k++) {
        if (by[k] == 0)
            continue;
        seerdb_slice wk = key_bytes(k, key), wv = value_bytes(by[k], value);
        if (rc != 0 || sdb_slice_cmp(wk, seerdb_iter_key(it)) != 0 ||
            sdb_slice_cmp(wv, seerdb_iter_value(it)) != 0)
            break;
        rc = seerdb_iter_next(it, &err);
    }
    snprintf(why, room, "key %u: wanted txn %u, rc %d %s", k, k < NKEYS ? by[k] : 0, rc,
             err.msg);
    seerdb_iter_close(it);
    return k == NKEYS && rc == SEERDB_NOTFOUND;
}

/* The txn whose state the view shows: every commit writes key 0. */
static uint32_t txn_shown(struct crash *c, seerdb_view *v)
{
    char key[16];
    seerdb_value got;
    uint32_t txn = 0;
    int rc = seerdb_get(v, NULL, 0, key_bytes(0, key), &got, &c->err);
    if (rc < 0)
        fail_cut(c, "a lookup fails: %s", c->err.msg);
    if (rc == 0) {
        memcpy(&txn, got.bytes.data, 4);
        seerdb_pin_unref(got.pin);
    }
    return txn;
}

/* What the tree shows for the owner's marker: the index of a commit, that one or an
 * older one, but none older than what was synced. */
static uint32_t look(struct crash *c, unsigned i)
{
    struct owner *o = &c->owners[i];
    seerdb_view *v = NULL;
    char why[600];
    int rc = seerdb_view_open_at(o->tree, o->commits[o->at].number, 0, &v, &c->err);
    if (rc != 0)
        fail_cut(c, "tree %u at marker %" PRIu64 ": %d: %s", i,
                 o->commits[o->at].number, rc, c->err.msg);
    uint32_t txn = txn_shown(c, v), at = o->at;
    while (o->commits[at].by[0] != txn) {
        if (at == 0 || (o->commits[at].txn <= c->synced && !o->commits[at].lost))
            fail_cut(
                c, "tree %u at marker %" PRIu64 " (txn %u) shows txn %u, synced %u", i,
                o->commits[o->at].number, o->commits[o->at].txn, txn, c->synced);
        at = o->commits[at].prev;
    }
    if (!agrees(v, o->commits[at].by, why, sizeof why))
        fail_cut(c, "tree %u at marker %" PRIu64 " is not txn %u: %s", i,
                 o->commits[o->at].number, txn, why);
    seerdb_view_close(v);
    return at;
}

/* Commits above `held` were lost: whoever asks for them gets what the store has. */
static void give_up(struct owner *o, uint32_t held)
{
    for (uint32_t at = o->at; at != held; at = o->commits[at].prev)
        memcpy(o->commits[at].by, o->commits[held].by, sizeof o->commits[at].by);
}

/* The owner begins to write. */
static int show(struct crash *c, seerdb_batch *b, unsigned i)
{
    struct owner *o = &c->owners[i];
    seerdb_marker_found found;
    uint32_t held = o->at;
    if (!o->shown)
        held = look(c, i);
    bool same = o->commits[held].by[0] == o->commits[o->at].by[0];
    bool again = o->commits[o->at].given_up; /* if that was cut off, or was it not? */
    o->commits[o->at].given_up = !same;
    int rc =
        seerdb_batch_expect(b, o->tree, o->commits[o->at].number, 0, &found, &c->err);
    if (rc == SEERDB_MISMATCH || rc == SEERDB_BUSY)
        fail_cut(c, "tree %u, marker %" PRIu64 " is refused: %s", i,
                 o->commits[o->at].number, c->err.msg);
    if (rc != 0)
        return rc;
    enum seerdb_marker_state state = found.state;
    if (o->shown ? state != SEERDB_MARKER_CURRENT
                 : !same && !again && state != SEERDB_MARKER_BEHIND)
        fail_cut(c, "tree %u, marker %" PRIu64 ": the state is %d", i,
                 o->commits[o->at].number, (int)state);
    if (state == SEERDB_MARKER_BEHIND && !o->commits[o->at].lost)
        fail_cut(c, "tree %u: a commit that was there is reported lost", i);
    if (!same) {
        c->behind++;
        give_up(o, held);
    }
    o->shown = true;
    if (o->commits[look(c, i)].by[0] != o->commits[held].by[0])
        fail_cut(c, "tree %u: showing the marker changed the state", i);
    return 0;
}

/* A reader with an older snapshot. */
static void read_the_past(struct crash *c, unsigned i)
{
    struct owner *o = &c->owners[i];
    seerdb_view *v = NULL;
    char why[600];
    uint32_t at = o->at;
    for (uint64_t back = below(c, 12); back > 0 && at > 0; back--)
        at = o->commits[at].prev;
    int rc = seerdb_view_open_at(o->tree, o->commits[at].number, 0, &v, &c->err);
    if (rc == SEERDB_GONE && at != o->at) {
        c->err = (seerdb_err){0};
        return;
    }
    if (rc != 0)
        fail_cut(c, "tree %u at the old marker %" PRIu64 ": %d: %s", i,
                 o->commits[at].number, rc, c->err.msg);
    /* While the disk fails, what is not in memory cannot be read. */
    if (!agrees(v, o->commits[at].by, why, sizeof why) &&
        !(test_value_log() > 0 && strstr(why, "rc -2") != NULL))
        fail_cut(c, "tree %u at the old marker %" PRIu64 ": %s", i,
                 o->commits[at].number, why);
    seerdb_view_close(v);
}

/* ---- transactions -------------------------------------------------------------------
 */

/* Some writes to tree i, on top of what its owner has. */
static int write_some(struct crash *c, seerdb_batch *b, unsigned i, struct commit *next)
{
    char key[16], to[16], value[VALUE_ROOM];
    seerdb_slice v = value_bytes(next->txn, value);
    bool large = below(c, 5) == 0; /* goes to disk, in several pieces */
    int rc = 0;
    for (uint64_t n = below(c, 5) + 1, j = 0; j < n && rc == 0; j++) {
        unsigned k = j == 0 ? 0 : 1 + (unsigned)below(c, NKEYS - 1);
        bool delete = k > 0 && below(c, 4) == 0;
        unsigned end = delete &&below(c, 2) == 0 ? k + 1 + (unsigned)below(c, NKEYS - k)
                                                 : 0; /* all keys to below it */
        next->by[k] = delete ? 0 : next->txn;
        for (unsigned gone = k; gone < end; gone++)
            next->by[gone] = 0;
        seerdb_tree *t = c->owners[i].tree;
        seerdb_slice from = key_bytes(k, key);
        rc = end > 0
                 ? seerdb_batch_delete_range(b, t, from, key_bytes(end, to), &c->err)
             : delete ? seerdb_batch_delete(b, t, from, &c->err)
                      : seerdb_batch_put(b, t, from, v, &c->err);
        if (rc == 0 && large && below(c, 3) == 0)
            rc = seerdb_batch_spill(b, &c->err);
    }
    return rc;
}

/* Prepare, perhaps twice: the second supersedes the first. */
static int prepare(struct crash *c, seerdb_batch *b, enum seerdb_sync sync,
                   uint64_t *number)
{
    int rc = seerdb_prepare(b, sync, number, &c->err);
    if (rc == 0 && below(c, 12) == 0 && (rc = seerdb_unprepare(b, &c->err)) == 0)
        rc = seerdb_prepare(b, sync, number, &c->err);
    return rc;
}

static int flush_some(struct crash *c)
{
    seerdb_tree *t = below(c, 2) == 0 ? NULL : c->owners[below(c, 2)].tree;
    int rc = below(c, 4) == 0 ? seerdb_compact(c->bed.db, t, &c->err)
                              : seerdb_flush(c->bed.db, t, &c->err);
    if (rc != SEERDB_BUSY)
        return rc;
    c->err = (seerdb_err){0};
    return 0;
}

/* The owner commits; *stands: it says so.  If it says no, its write may be there all
 * the same. */
static int owner_commit(struct crash *c, struct owner *o, bool full, bool *stands)
{
    uint64_t marker = o->commits[o->ncommits - 1].number;
    int rc = 0;
    *stands = below(c, 6) != 0;
    if (*stands || below(c, 2) == 0)
        rc = owner_write(o, marker, &c->err);
    if (rc == 0 && (full || below(c, 8) == 0) && (*stands || below(c, 2) == 0) &&
        (rc = sdb_file_sync(o->file, &c->err)) == 0 && *stands)
        o->certain = o->nslots + 1;
    *stands = *stands && rc == 0;
    if (*stands)
        owner_advance(o, marker, o->ncommits - 1);
    return rc;
}

static int transact(struct crash *c, seerdb_batch *b, unsigned trees)
{
    bool all = true, full = below(c, 3) == 0;
    uint64_t number;
    uint32_t txn = ++c->txn;
    int rc = 0, failed = 0;
    struct commit next[NTREES];
    for (unsigned i = 0; i < NTREES && rc == 0; i++)
        if (trees & 1u << i && (rc = show(c, b, i)) == 0) {
            next[i] = c->owners[i].commits[c->owners[i].at];
            next[i].prev = c->owners[i].at;
            next[i].txn = txn;
            next[i].lost = next[i].given_up = false;
            rc = write_some(c, b, i, &next[i]);
        }
    if (rc != 0 || (rc = prepare(c, b, full ? SEERDB_SYNC_FULL : SEERDB_SYNC_NORMAL,
                                 &number)) != 0)
        return rc;
    if (full)
        c->synced = txn;
    if (below(c, 10) == 0 && (failed = flush_some(c)) == SEERDB_IOERR)
        return failed; /* the batch is still prepared: nobody decides it */
    bool undone = below(c, 12) == 0; /* the owners never get to it */
    for (unsigned i = 0; i < NTREES; i++)
        if (trees & 1u << i) {
            struct owner *o = &c->owners[i];
            bool stands = false;
            next[i].number = number;
            o->commits[o->ncommits++] = next[i];
            if (!undone && (rc = owner_commit(c, o, full, &stands)) != 0)
                failed = rc;
            all = all && stands;
        }
    if (all)
        seerdb_commit(b);
    else
        rc = seerdb_rollback(b, &c->err);
    return failed != 0 ? failed : rc;
}

/* ---- cuts ---------------------------------------------------------------------------
 */

static void stop_after(struct crash *c, uint64_t n)
{
    fault(&c->bed, (struct sdb_fault){.ops = SDB_FAULT_ALL & ~SDB_FAULT_READ,
                                      .after = n,
                                      .times = UINT64_MAX,
                                      .error = EIO,
                                      .torn = below(c, 2) == 0});
    surprise(c->bed.fs, &c->r);
}

static const char *const paths[NTREES] = {"owner0", "owner1"};

static void open_trees(struct crash *c)
{
    for (unsigned i = 0; i < NTREES; i++) {
        struct owner *o = &c->owners[i];
        o->tree = open_tree(c->bed.db, i);
        if (below(c, 5) != 0)
            test_ok(seerdb_set_decider(c->bed.db, &o->id, decide, o, &c->err), &c->err);
    }
}

static void close_all(struct crash *c)
{
    c->asides += c->bed.db->counters.asides;
    for (unsigned i = 0; i < NTREES; i++)
        test_ok(seerdb_set_decider(c->bed.db, &c->owners[i].id, NULL, NULL, &c->err),
                &c->err);
    for (unsigned i = 0; i < NTREES; i++)
        seerdb_tree_close(c->owners[i].tree);
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

/* Open the store for reading, and go on from there to writing, or open it again. */
static void read_first(struct crash *c)
{
    uint32_t held[NTREES];
    bool go_on = below(c, 2) == 0;
    struct sdb_fault any_change = {
        .ops = SDB_FAULT_CHANGE, .times = UINT64_MAX, .error = EROFS};
    fault(&c->bed, any_change);
    c->bed.o.create = false;
    c->bed.o.read_only = true;
    int rc = bed_open(&c->bed, &c->err);
    c->bed.o.create = true;
    c->bed.o.read_only = false;
    if (rc != 0)
        fail_cut(c, "the store does not open for reading: %s", c->err.msg);
    open_trees(c);
    for (unsigned i = 0; i < NTREES; i++)
        held[i] = look(c, i);
    if (sdb_faultfs_seen(c->bed.fs) > 0)
        fail_cut(c, "reading changes something");
    fault(&c->bed, (struct sdb_fault){0});
    if (go_on) {
        rc = seerdb_make_writable(c->bed.db, &c->err);
    } else {
        close_all(c);
        rc = bed_open(&c->bed, &c->err);
        if (rc == 0)
            open_trees(c);
    }
    if (rc != 0)
        fail_cut(c, "it does not go on to writing: %s", c->err.msg);
    for (unsigned i = 0; i < NTREES; i++)
        if (look(c, i) != held[i])
            fail_cut(c, "tree %u shows other rows to who may write", i);
}

/* Open the store again; sometimes the power goes away in the middle of that. */
static void recover(struct crash *c)
{
    while (below(c, 4) == 0) {
        stop_after(c, below(c, 30));
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
    c->bed.o.history_ms = below(c, 2) == 0 ? 1 : 0;
    for (unsigned i = 0; i < NTREES; i++)
        owner_read(c, &c->owners[i], paths[i]);
    if (below(c, 2) == 0) {
        read_first(c);
    } else {
        if (bed_open_compared(&c->bed, &c->err) != 0)
            fail_cut(c, "the store does not open: %s", c->err.msg);
        open_trees(c);
    }
    if (below(c, 2) == 0) /* every file of log is one too many */
        c->bed.db->log_cap = c->bed.o.log_file_size;
    if (below(c, 4) == 0)
        sdb_aside_all(c->bed.db);
    for (unsigned i = 0; i < NTREES; i++)
        if (below(c, 2) == 0)
            (void)look(c, i); /* a reader is first */
    seerdb_verify_report report;
    if (seerdb_verify(c->bed.db, NULL, &report, &c->err) != 0)
        fail_cut(c, "verify: %s", c->err.msg);
    /* What recovery found is on stable storage now; what it did not find is gone. */
    for (unsigned i = 0; i < NTREES; i++) {
        struct owner *o = &c->owners[i];
        uint32_t held = look(c, i);
        for (uint32_t at = o->at; at != held; at = o->commits[at].prev)
            o->commits[at].lost = true;
    }
    c->synced = c->txn;
}

static void live_until_the_cut(struct crash *c)
{
    seerdb_batch *b = new_batch(c->bed.db);
    unsigned trees = below(c, 4) == 0 ? 1u << below(c, NTREES) : 3; /* that are used */
    stop_after(c, below(c, below(c, 2) == 0 ? 300 : 40));
    int rc = 0;
    for (int n = 0; n < 300 && rc == 0; n++) {
        if (below(c, 25) == 0) {
            rc = flush_some(c);
            continue;
        }
        unsigned used = trees & (below(c, 3) == 0 ? 3u : 1u << below(c, NTREES));
        if (used != 0 && c->owners[0].ncommits < MOST && c->owners[1].ncommits < MOST)
            rc = transact(c, b, used);
        for (unsigned i = 0; i < NTREES && rc == 0; i++)
            if (c->owners[i].shown && below(c, 4) == 0)
                read_the_past(c, i);
    }
    if (rc > 0 || (rc < 0 && rc != SEERDB_IOERR))
        fail_cut(c, "a transaction answers %d: %s", rc, c->err.msg);
    c->err = (seerdb_err){0};
    seerdb_batch_free(b);
}

static void start(struct crash *c, uint64_t seed)
{
    *c = (struct crash){.seed = seed, .r = {seed}};
    bed_init(&c->bed);
    c->bed.o.history_ms = 1;
    bed_open_ok(&c->bed);
    for (unsigned i = 0; i < NTREES; i++) {
        struct owner *o = &c->owners[i];
        o->id.bytes[0] = (uint8_t)(i + 1);
        o->commits = calloc(MOST + 8, sizeof *o->commits);
        assert_non_null(o->commits);
        o->ncommits = 1;
        test_ok(sdb_fs_open(c->bed.fs, paths[i], SDB_CREATE, SDB_FOR_OTHER, &o->file,
                            &c->err),
                &c->err);
        test_ok(sdb_file_sync(o->file, &c->err), &c->err);
        seerdb_tree_options t = {.id = uuid_of(i),
                                 .owner = o->id,
                                 .name = "t",
                                 .value_log = test_value_log(),
                                 .marked = true};
        test_ok(seerdb_tree_create(c->bed.db, &t, &o->tree, &c->err), &c->err);
        if (i == 0)
            test_ok(seerdb_set_decider(c->bed.db, &o->id, decide, o, &c->err), &c->err);
    }
    test_ok(sdb_fs_sync_dir(c->bed.fs, ".", &c->err), &c->err);
}

static void finish(struct crash *c)
{
    close_all(c);
    for (unsigned i = 0; i < NTREES; i++) {
        sdb_file_close(c->owners[i].file);
        free(c->owners[i].commits);
    }
    bed_fini(&c->bed);
}

static uint64_t seed_wanted, milliseconds_wanted = 2000;

static void after_a_power_cut_the_tree_is_what_its_marker_says(void **state)
{
    struct crash *c = malloc(sizeof *c);
    uint64_t end = sdb_clock_mono_us() + milliseconds_wanted * 1000, cuts = 0,
             stores = 0, behind = 0, txns = 0, asides = 0;
    (void)state;
    assert_non_null(c);
    while (sdb_clock_mono_us() < end) {
        start(c, seed_wanted + stores++);
        for (int generation = 0; generation < 10; generation++) {
            live_until_the_cut(c);
            close_all(c);
            no_surprise();
            if (below(c, 8) == 0) /* only the process dies */
                fault(&c->bed, (struct sdb_fault){0});
            else
                cut(c);
            recover(c);
        }
        cuts += c->cuts;
        behind += c->behind;
        asides += c->asides;
        txns += c->txn;
        finish(c);
    }
    print_message("%" PRIu64 " power cuts, %" PRIu64 " transactions, %" PRIu64
                  " times behind, %" PRIu64 " side files\n",
                  cuts, txns, behind, asides);
    assert_true(asides > cuts / 40);
    free(c);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(after_a_power_cut_the_tree_is_what_its_marker_says),
    };
    const char *seed = argc > 1 ? argv[1] : getenv("SEERDB_SEED");
    const char *seconds = getenv("SEERDB_CRASH_SECONDS");
    seed_wanted = seed != NULL ? strtoull(seed, NULL, 10) : sdb_clock_unix_us();
    if (seconds != NULL)
        milliseconds_wanted = strtoull(seconds, NULL, 10) * 1000;
    print_message("seed %" PRIu64 "\n", seed_wanted);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
