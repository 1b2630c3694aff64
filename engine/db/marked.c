/* SPDX-License-Identifier: Apache-2.0 */
#include "db/marked.h"

#include "db/batch.h"
#include "db/job.h"
#include "os/clock.h"
#include "os/failpoint.h"

#include <assert.h>

/* An owner that names a greater number is damaged: none would be left after it. */
#define MARKER_MAX (SDB_NUMBER_MAX / 2)

int sdb_marked_logged(seerdb_tree *t, uint64_t number, uint64_t prev, seerdb_err *err)
{
    return sdb_chain_add(&t->chain, number, prev, err);
}

bool sdb_marked_in_doubt(const seerdb_tree *t)
{
    return t->chain.n > 0 &&
           t->chain.links[t->chain.n - 1].number >
               atomic_load_explicit(&t->last_commit, memory_order_relaxed);
}

/* Replace the tree's hidden commits. */
static int set_hidden(seerdb_tree *t, const struct sdb_hidden *hidden, seerdb_err *err)
    EXCLUDES(LK_DB)
{
    seerdb *db = t->db;
    struct sdb_read_state *fresh = NULL;
    sdb_lock_db(&db->lock);
    const struct sdb_read_state *s = t->state;
    int rc = sdb_read_state_new(s->memtables, s->nmemtables, s->version, hidden, &fresh,
                                err);
    if (rc == 0)
        fresh = sdb_tree_set_state(t, fresh);
    sdb_unlock_db(&db->lock);
    sdb_read_state_unref(fresh);
    return rc;
}

int sdb_marked_hide(seerdb_tree *t, uint64_t number, uint64_t prev, seerdb_err *err)
{
    int rc = sdb_marked_logged(t, number, prev, err);
    if (rc != 0)
        return rc;
    t->shown = 0;
    struct sdb_hidden_range *ranges = sdb_array_new(t->chain.n, sizeof *ranges);
    if (ranges == NULL)
        return sdb_fail_nomem(err, t->chain.n * sizeof *ranges);
    for (size_t i = 0; i < t->chain.n; i++)
        ranges[i] = (struct sdb_hidden_range){t->chain.links[i].number,
                                              t->chain.links[i].number + 1};
    rc = set_hidden(t, &(struct sdb_hidden){ranges, t->chain.n}, err);
    sdb_mem_free(ranges);
    return rc;
}

static int mismatch(seerdb_tree *t, enum sdb_verdict verdict, uint64_t marker,
                    seerdb_err *err)
{
    const char *name = (const char *)t->desc.name.data;
    uint64_t held = atomic_load_explicit(&t->last_commit, memory_order_relaxed);
    if (verdict == SDB_CHAIN_AHEAD)
        return sdb_fail(err, SEERDB_MISMATCH,
                        "%s: the database knows the table %s up to commit %" PRIu64
                        ", the store already holds commit %" PRIu64
                        ": the database file is an older copy than the store",
                        t->db->dir, name, marker, held);
    return sdb_fail(
        err, SEERDB_MISMATCH,
        "%s: commit %" PRIu64 " of the table %s does not build upon what the "
        "store holds: the database file and the store have different histories",
        t->db->dir, marker, name);
}

/* Resolve the chain against a marker.  *ranges: a new array of chain.n. */
static int resolve(seerdb_tree *t, uint64_t marker, struct sdb_hidden_range **ranges,
                   size_t *n, enum sdb_verdict *verdict, seerdb_err *err)
    REQUIRES(LK_WRITE) EXCLUDES(LK_DB)
{
    if (t->damage != NULL)
        return sdb_fail_as(err, t->damage);
    sdb_lock_db(&t->db->lock);
    bool settled = t->settled;
    sdb_unlock_db(&t->db->lock);
    uint64_t last = atomic_load_explicit(&t->last_commit, memory_order_relaxed);
    struct sdb_chain_base base = {
        .floor =
            settled ? t->head : atomic_load_explicit(&t->flushed, memory_order_relaxed),
        .adopted = settled ? last : t->adopted};
    struct sdb_chain newer = t->chain;
    if (settled) { /* what was rolled back before the last commit stays so */
        while (newer.n > 0 && newer.links[0].number <= last) {
            newer.links++;
            newer.n--;
        }
    }
    size_t old = t->chain.n - newer.n;
    if ((*ranges = sdb_array_new(t->chain.n + 1, sizeof **ranges)) == NULL)
        return sdb_fail_nomem(err, t->chain.n * sizeof **ranges);
    for (size_t i = 0; i < old; i++)
        (*ranges)[i] = (struct sdb_hidden_range){t->chain.links[i].number,
                                                 t->chain.links[i].number + 1};
    *verdict = sdb_chain_resolve(&newer, &base, marker, *ranges + old, n);
    *n += old;
    /* A settled tree lost nothing: a marker it does not know is of another history. */
    if (settled && *verdict == SDB_CHAIN_BEHIND)
        *verdict = SDB_CHAIN_DIVERGED;
    if (*verdict == SDB_CHAIN_MATCH || *verdict == SDB_CHAIN_BEHIND)
        return 0;
    sdb_mem_free(*ranges);
    *ranges = NULL;
    return mismatch(t, *verdict, marker, err);
}

int sdb_marked_hidden(seerdb_tree *t, uint64_t marker, struct sdb_hidden_range **ranges,
                      size_t *n, seerdb_err *err)
{
    enum sdb_verdict verdict;
    return resolve(t, marker, ranges, n, &verdict, err);
}

int sdb_marked_wait(seerdb_tree *t, uint64_t marker, unsigned wait_ms, seerdb_err *err)
{
    seerdb *db = t->db;
    uint64_t until = sdb_clock_mono_us() + (uint64_t)wait_ms * 1000, now;
    while (t->undecided != NULL && t->undecided->number <= marker) {
        if ((now = sdb_clock_mono_us()) >= until)
            return sdb_fail(err, SEERDB_BUSY,
                            "%s: commit %" PRIu64 " is still undecided", db->dir,
                            t->undecided->number);
        (void)sdb_cond_wait_ms(&db->slot_free, &db->write_lock,
                               (until - now) / 1000 + 1);
    }
    return 0;
}

/* The newest commit up to the marker that the store has and that is not hidden.  Of a
 * settled tree the chain lists only what does not count, or may yet. */
static uint64_t head_of(seerdb_tree *t, uint64_t marker,
                        const struct sdb_hidden_range *hidden, size_t n)
    REQUIRES(LK_WRITE) EXCLUDES(LK_DB)
{
    sdb_lock_db(&t->db->lock);
    bool settled = t->settled;
    sdb_unlock_db(&t->db->lock);
    for (size_t i = t->chain.n; i > 0; i--) {
        uint64_t number = t->chain.links[i - 1].number;
        while (n > 0 && hidden[n - 1].from > number)
            n--;
        if (number <= marker && (n == 0 || hidden[n - 1].from != number))
            return number;
    }
    return settled ? t->head : atomic_load_explicit(&t->flushed, memory_order_relaxed);
}

/* The last commit of the tree that the manifest knows of. */
static uint64_t last_in_manifest(const seerdb_tree *t) REQUIRES(LK_INSTALL)
{
    const struct sdb_catalog *c = sdb_manifest_catalog(t->db->manifest);
    for (size_t i = 0; i < c->ntrees; i++)
        if (c->trees[i].id == t->desc.id)
            return c->trees[i].last_commit;
    return 0;
}

/* Note durably that what the store has is what the marker stands for, though the
 * marker's commit is not in the log.  When later commits are in tables there is nothing
 * left to note: no marker that counts lies below them. */
static int adopt(seerdb_tree *t, uint64_t marker, seerdb_err *err) REQUIRES(LK_WRITE)
    EXCLUDES(LK_DB)
{
    seerdb *db = t->db;
    struct sdb_edit e = {0};
    int rc = 0;
    sdb_lock_install(&db->install_lock); /* and no flush changes the others meanwhile */
    sdb_lock_db(&db->lock);
    bool dropped = t->dropped;
    sdb_unlock_db(&db->lock);
    bool news = !dropped && marker > last_in_manifest(t);
    if (news) {
        sdb_edit_tree_numbers(
            &e, t->desc.id, atomic_load_explicit(&t->flushed, memory_order_relaxed),
            marker, atomic_load_explicit(&t->fold_floor, memory_order_relaxed));
        if ((rc = SDB_FAIL_AT(adopt, err)) == 0)
            rc = sdb_install(db, &e, err);
    }
    sdb_unlock_install(&db->install_lock);
    sdb_edit_fini(&e);
    if (rc == 0) {
        t->adopted = news ? marker : t->adopted;
        t->adopt_due = t->lost = 0;
    }
    return rc;
}

/* The newest commit above the marker, if it is not just one whose owner died before it
 * decided: later commits built upon such a one only if it counted, and whoever took the
 * tree over showed a marker that this owner does not know. */
static uint64_t given_up(const seerdb_tree *t, uint64_t marker) REQUIRES(LK_WRITE)
{
    for (size_t i = t->chain.n; i > 0 && t->chain.links[i - 1].number > marker; i--) {
        const struct sdb_link *l = &t->chain.links[i - 1];
        if (l->prev > marker || (t->adopted > marker && l->number > t->adopted))
            return t->chain.links[t->chain.n - 1].number;
    }
    return 0;
}

static void lose_snapshots(seerdb_tree *t, uint64_t marker) REQUIRES(LK_WRITE)
    EXCLUDES(LK_DB)
{
    seerdb *db = t->db;
    uint64_t flushed = atomic_load_explicit(&t->flushed, memory_order_relaxed);
    sdb_lock_install(&db->install_lock);
    sdb_lock_db(&db->lock);
    for (size_t i = 0; i < sdb_snapshots_count(t->snapshots); i++) {
        struct sdb_snapshot *s = &t->snapshots->all[i];
        if (!s->pending && s->number > marker && s->number > flushed)
            s->lost = true;
    }
    sdb_unlock_db(&db->lock);
    sdb_unlock_install(&db->install_lock);
}

/* Make the marker the truth of the tree, in memory. */
static int settle(seerdb_tree *t, uint64_t marker, seerdb_marker_found *found,
                  seerdb_err *err) REQUIRES(LK_WRITE) EXCLUDES(LK_DB)
{
    seerdb *db = t->db;
    struct sdb_hidden_range *ranges = NULL;
    enum sdb_verdict verdict;
    size_t n;
    sdb_lock_db(&db->lock);
    bool settled = t->settled;
    sdb_unlock_db(&db->lock);
    int rc = resolve(t, marker, &ranges, &n, &verdict, err);
    if (rc != 0)
        return rc;
    if (marker > MARKER_MAX) {
        rc = mismatch(t, SDB_CHAIN_DIVERGED, marker, err);
        goto out;
    }
    if ((rc = set_hidden(t, &(struct sdb_hidden){ranges, n}, err)) != 0)
        goto out;
    /* Of an older copy of the store, the owner may know numbers that were not yet
     * reserved when it was made: what is given out now comes after them. */
    if (marker >= db->next_number)
        db->next_number = marker + 1;
    t->head = head_of(t, marker, ranges, n);
    uint64_t above = settled ? 0 : given_up(t, marker);
    sdb_chain_keep(&t->chain, ranges, n);
    lose_snapshots(t, marker);
    /* release: pairs with the load in read.c */
    atomic_store_explicit(&t->last_commit, marker, memory_order_release);
    if (verdict == SDB_CHAIN_BEHIND) {
        t->lost = marker;
        found->state = SEERDB_MARKER_BEHIND;
    }
    found->given_up = above;
    /* What was logged above the marker is given up; commits from here on supersede it.
     */
    sdb_lock_db(&db->lock);
    t->settled = true;
    sdb_job_retry(db); /* a flush may have waited for this */
    sdb_unlock_db(&db->lock);
out:
    sdb_mem_free(ranges);
    return rc;
}

/* ---- deciders ----------------------------------------------------------------- */

static struct sdb_decider *find_decider(seerdb *db, const seerdb_uuid *owner)
    REQUIRES(LK_DB)
{
    struct sdb_decider *d = db->deciders;
    while (d != NULL && !sdb_uuid_equal(&d->owner, owner))
        d = d->next;
    return d;
}

/* The owner's decider when no call of it is in progress; NULL: it never had one. */
static struct sdb_decider *idle_decider(seerdb *db, const seerdb_uuid *owner)
    REQUIRES(LK_DB)
{
    struct sdb_decider *d = find_decider(db, owner);
    while (d != NULL && d->running) {
        sdb_cond_wait(&db->progress, &db->lock);
        d = find_decider(db, owner);
    }
    return d;
}

/* Have the owner make its decisions durable.  BUSY: it cannot, now. */
static int ask(seerdb_tree *t, uint64_t below, seerdb_err *err)
    EXCLUDES(LK_WRITE, LK_DB)
{
    seerdb *db = t->db;
    seerdb_err why = {0};
    sdb_lock_db(&db->lock);
    struct sdb_decider *d = idle_decider(db, &t->desc.owner);
    bool can = d != NULL && d->decide != NULL;
    if (can)
        d->running = true;
    sdb_unlock_db(&db->lock);
    if (!can)
        return sdb_fail(err, SEERDB_BUSY,
                        "%s: the table %s stays in the log: its database is not open",
                        db->dir, (const char *)t->desc.name.data);
    int rc = SDB_FAIL_AT(decide, &why);
    if (rc == 0)
        rc = d->decide(d->ctx, below, &why);
    SDB_PASS(decided);
    if (rc != 0) /* its disk, not ours: nobody else's flushes wait for it */
        rc = sdb_fail(err, SEERDB_BUSY, "%s: the table %s stays in the log: %s",
                      db->dir, (const char *)t->desc.name.data, why.msg);
    sdb_lock_db(&db->lock);
    d->running = false;
    sdb_cond_broadcast(&db->progress);
    sdb_unlock_db(&db->lock);
    return rc;
}

/* As ask(); and what waited for a decision to become durable does. */
static int ask_and_adopt(seerdb_tree *t, uint64_t below, seerdb_err *err)
    EXCLUDES(LK_WRITE, LK_DB)
{
    int rc = ask(t, below, err);
    if (rc != 0)
        return rc;
    sdb_lock_write(&t->db->write_lock);
    if (t->adopt_due != 0)
        rc = adopt(t, t->adopt_due, err);
    sdb_unlock_write(&t->db->write_lock);
    return rc;
}

int seerdb_batch_expect(seerdb_batch *batch, seerdb_tree *tree, uint64_t marker,
                        unsigned wait_ms, seerdb_marker_found *found, seerdb_err *err)
{
    seerdb *db = tree->db;
    seerdb_marker_found seen = {.state = SEERDB_MARKER_CURRENT};
    bool heard = false;
    int rc = sdb_check_process(db, err);
    if (rc != 0)
        return rc;
    if (!tree->marked || batch->db != db)
        return sdb_fail(err, SEERDB_MISUSE,
                        "%s: only marked trees of the batch's store "
                        "have a marker",
                        db->dir);
    sdb_lock_write(&db->write_lock);
    if (tree->undecided != batch)
        rc = sdb_marked_wait(tree, UINT64_MAX, wait_ms, err);
    sdb_lock_db(&db->lock);
    bool settled = tree->settled;
    sdb_unlock_db(&db->lock);
    if (rc == 0 && (!settled || marker != atomic_load_explicit(&tree->last_commit,
                                                               memory_order_relaxed)))
        rc = settle(tree, marker, &seen, err);
    if (rc == 0 && sdb_marked_in_doubt(tree))
        tree->shown = db->next_number;
    /* Who asks again has heard the answer: not so who failed, or died, before he could
     * pass it on. */
    if (rc == 0 && seen.state == SEERDB_MARKER_CURRENT && tree->lost != 0) {
        tree->adopt_due = tree->lost;
        tree->lost = 0;
        heard = true;
    }
    seen.held = tree->head;
    if (found != NULL)
        *found = seen;
    sdb_unlock_write(&db->write_lock);
    /* A writer does not wait for an owner who cannot make his decisions durable now:
     * until he can, a flush waits, and the manifest does not know. */
    if (heard && (rc = ask_and_adopt(tree, marker + 1, err)) == SEERDB_BUSY)
        rc = 0;
    return rc;
}

int seerdb_tree_accept(seerdb_tree *tree, uint64_t *number, seerdb_err *err)
{
    seerdb *db = tree->db;
    struct sdb_hidden_range *ranges = NULL;
    int rc = sdb_check_process(db, err);
    if (rc != 0 || (rc = sdb_check_writable(db, err)) != 0)
        return rc;
    if (!tree->marked)
        return sdb_fail(err, SEERDB_MISUSE, "%s: the tree has no marker", db->dir);
    sdb_lock_write(&db->write_lock);
    if ((rc = sdb_marked_wait(tree, UINT64_MAX, 0, err)) != 0 ||
        (rc = sdb_reserve(db, err)) != 0)
        goto out;
    /* Of what the log holds, the newest commit that was not rolled back, and its chain.
     */
    uint64_t accepted = db->next_number;
    uint64_t newest = tree->chain.n > 0
                          ? tree->chain.links[tree->chain.n - 1].number
                          : atomic_load_explicit(&tree->flushed, memory_order_relaxed);
    sdb_lock_db(&db->lock);
    bool settled = tree->settled;
    sdb_unlock_db(&db->lock);
    if (settled)
        newest = atomic_load_explicit(&tree->last_commit, memory_order_relaxed);
    size_t n = 0;
    enum sdb_verdict verdict;
    /* The log would show what is in doubt as the newest commit below the new number. */
    if (settled && sdb_marked_in_doubt(tree)) {
        rc =
            sdb_fail(err, SEERDB_BUSY,
                     "%s: the last commit of the table %s is not decided yet; open the "
                     "database again and repeat this",
                     db->dir, (const char *)tree->desc.name.data);
        goto out;
    }
    sdb_history_note(db);
    db->next_number++; /* whatever happens now: the manifest may know it */
    if ((rc = resolve(tree, newest, &ranges, &n, &verdict, err)) != 0 ||
        (rc = adopt(tree, accepted, err)) != 0 ||
        (rc = set_hidden(tree, &(struct sdb_hidden){ranges, n}, err)) != 0)
        goto out;
    tree->head = head_of(tree, newest, ranges, n);
    sdb_chain_keep(&tree->chain, ranges, n);
    atomic_store_explicit(&tree->last_commit, accepted, memory_order_release);
    sdb_lock_db(&db->lock);
    tree->settled = true;
    sdb_job_retry(db);
    sdb_unlock_db(&db->lock);
    *number = accepted;
out:
    sdb_unlock_write(&db->write_lock);
    sdb_mem_free(ranges);
    return rc;
}

int seerdb_set_decider(seerdb *db, const seerdb_uuid *owner,
                       int (*decide)(void *ctx, uint64_t below, seerdb_err *err),
                       void *ctx, seerdb_err *err)
{
    int rc = sdb_check_process(db, err);
    if (rc != 0)
        return rc;
    sdb_lock_db(&db->lock);
    struct sdb_decider *d = idle_decider(db, owner);
    if (d == NULL && (d = sdb_mem_zalloc(sizeof *d)) != NULL) {
        d->owner = *owner;
        d->next = db->deciders;
        db->deciders = d;
    }
    if (d != NULL) {
        d->decide = decide;
        d->ctx = ctx;
        sdb_job_retry(db); /* a flush may have waited for it */
    }
    sdb_unlock_db(&db->lock);
    return d != NULL ? 0 : sdb_fail_nomem(err, sizeof *d);
}

uint64_t seerdb_commit_ceiling(seerdb *db)
{
    if (sdb_check_process(db, NULL) != 0)
        return 0;
    sdb_lock_write(&db->write_lock);
    uint64_t ceiling = db->next_number;
    sdb_unlock_write(&db->write_lock);
    return ceiling;
}

void seerdb_retry_flushes(seerdb *db)
{
    if (sdb_check_process(db, NULL) != 0)
        return;
    sdb_lock_db(&db->lock);
    sdb_job_retry(db);
    sdb_unlock_db(&db->lock);
}

int sdb_marked_keep(seerdb_tree *t, uint64_t marker, unsigned wait_ms, seerdb_err *err)
{
    seerdb *db = t->db;
    sdb_lock_write(&db->write_lock);
    int rc = sdb_marked_wait(t, marker, wait_ms, err);
    sdb_unlock_write(&db->write_lock);
    return rc != 0 ? rc : ask_and_adopt(t, marker + 1, err);
}

void sdb_deciders_free(seerdb *db) NO_TSA /* the store is closing */
{
    while (db->deciders != NULL) {
        struct sdb_decider *next = db->deciders->next;
        sdb_mem_free(db->deciders);
        db->deciders = next;
    }
}

/* May the last commit logged yet turn out to count?  An owner that reported a rollback
 * may have kept the commit, and not know it before it looks again.  What it shows under
 * its write lock is its state, and when it commits on top of that, to any tree, the
 * other state is gone: a tree that nobody writes again need not keep the log. */
static bool may_yet_count(seerdb_tree *t) REQUIRES(LK_WRITE, LK_DB)
{
    if (!sdb_marked_in_doubt(t))
        return false;
    for (seerdb_tree *o = t->db->trees; o != NULL && t->shown != 0; o = o->next)
        if (o->marked && o->settled && !o->dropped &&
            sdb_uuid_equal(&o->desc.owner, &t->desc.owner) &&
            atomic_load_explicit(&o->last_commit, memory_order_relaxed) >= t->shown)
            return false;
    return true;
}

int sdb_marked_decide(seerdb_tree *t, uint64_t below, seerdb_err *err)
{
    seerdb *db = t->db;
    sdb_lock_write(&db->write_lock);
    sdb_lock_db(&db->lock);
    bool dropped = t->dropped, ready = dropped || (t->settled && !may_yet_count(t));
    sdb_unlock_db(&db->lock);
    sdb_unlock_write(&db->write_lock);
    if (dropped)
        return 0;
    if (!ready)
        return sdb_fail(err, SEERDB_BUSY,
                        "%s: the table %s stays in the log: its last commit is not "
                        "decided yet",
                        db->dir, (const char *)t->desc.name.data);
    return ask_and_adopt(t, below, err);
}
