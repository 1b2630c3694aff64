/* SPDX-License-Identifier: Apache-2.0
 *
 * A snapshot is *registered* first: it joins the tree's list in memory, pending, and
 * what it needs stays from then on.  Then the log is synced up to its commit, the
 * manifest lists it, and it may be read.
 *
 * Why nothing is lost that a snapshot at number s needs.  Flushes and compactions take
 * the list of snapshots when they take their inputs, under LK_DB; they install their
 * outputs under LK_INSTALL, and registration holds that, too.  A job that took its list
 * later than s was registered keeps what s needs, and notes no floor for its sake.  One
 * that took it earlier
 *
 *  - and installed before: readers below its floor may miss something.  The floor is
 *    the tree's then, and s is not registered if it lies below;
 *  - and installs later: it finds s in the tree's list and not in its own.  If s lies
 *    below its floor, its outputs are thrown away and it begins anew.
 *
 * So a compaction that runs for long makes nobody wait, and is lost only if somebody
 * takes a snapshot of a state from before it began that it has folded already.  Trees
 * without a marker note no floor: there s is the last commit, no input of an earlier
 * job has a greater number, and what the present needs of those is what s needs.
 *
 * A marked tree's owner may go back to a state before s, on its user's word, while the
 * commits up to s are only in the log: they will never reach a table.  The snapshot is
 * *lost* then: it answers GONE, and goes with the next flush. */
#include "db/snapshot.h"

#include "base/mem.h"
#include "db/debt.h"
#include "db/marked.h"
#include "os/clock.h"
#include "os/failpoint.h"

#include <stdio.h>

#define NAMES_SHOWN 5u /* in a message, */
#define NAME_SHOWN  40 /* bytes of each */

static const char *table_name(const seerdb_tree *t)
{
    return (const char *)t->desc.name.data;
}

/* "...: it has 'a', 'b' and 3 more" */
static int fail_unknown(const seerdb_tree *t, seerdb_slice name, seerdb_err *err)
    REQUIRES(LK_DB)
{
    char known[300] = "it has none";
    size_t at = 0, shown = 0, n = 0;
    for (size_t i = 0; i < sdb_snapshots_count(t->snapshots); i++) {
        const struct sdb_snapshot *s = &t->snapshots->all[i];
        if (s->pending || s->lost)
            continue;
        n++;
        if (shown < NAMES_SHOWN) {
            at += (size_t)snprintf(known + at, sizeof known - at, "%s'%.*s%s'",
                                   shown++ > 0 ? ", " : "it has ", NAME_SHOWN,
                                   (const char *)s->name.data,
                                   s->name.size > NAME_SHOWN ? "..." : "");
        }
    }
    if (n > shown)
        snprintf(known + at, sizeof known - at, "%s%zu more",
                 shown > 0 ? " and " : "it has ", n - shown);
    return sdb_fail(err, SEERDB_MISUSE, "%s: the table %s has no snapshot '%.*s': %s",
                    t->db->dir, table_name(t), (int)(name.size < 100 ? name.size : 100),
                    (const char *)name.data, known);
}

int sdb_snapshot_find(const seerdb_tree *t, seerdb_slice name, size_t *at,
                      seerdb_err *err)
{
    *at = sdb_snapshots_find(t->snapshots, name);
    if (*at == sdb_snapshots_count(t->snapshots) || t->snapshots->all[*at].pending)
        return fail_unknown(t, name, err);
    return 0;
}

/* Replace the tree's list. */
static void set_list(seerdb_tree *t, struct sdb_snapshots *list) REQUIRES(LK_DB)
{
    struct sdb_snapshots *old = t->snapshots;
    t->snapshots = list;
    sdb_snapshots_unref(old); /* plain memory: fit for the lock */
}

/* ---- taking one -------------------------------------------------------------- */

static int gone(const seerdb_tree *t, uint64_t number, const char *why, seerdb_err *err)
{
    return sdb_fail(err, SEERDB_GONE,
                    "%s: the table %s cannot be kept as of commit %" PRIu64 ": %s",
                    t->db->dir, table_name(t), number, why);
}

/* May a marked tree have a snapshot at this number? */
static int check_number(const seerdb_tree *t, uint64_t number, seerdb_err *err)
    REQUIRES(LK_DB)
{
    if (!t->settled)
        return sdb_fail(err, SEERDB_BUSY,
                        "%s: nobody has written the table %s or shown its state since "
                        "the store was opened",
                        t->db->dir, table_name(t));
    if (number > atomic_load_explicit(&t->last_commit, memory_order_relaxed) ||
        sdb_hidden_has(&t->state->hidden, number))
        return sdb_fail(err, SEERDB_MISMATCH,
                        "%s: the table %s has no commit %" PRIu64
                        ", or it was rolled back",
                        t->db->dir, table_name(t), number);
    if (number < atomic_load_explicit(&t->fold_floor, memory_order_relaxed) &&
        !sdb_snapshots_has(t->snapshots, number))
        return gone(t, number, "later commits were folded over it", err);
    return 0;
}

/* Put *s, whose number is the marker, into the tree's list. */
static int register_it(seerdb_tree *t, struct sdb_snapshot *s, seerdb_err *err)
    REQUIRES(LK_WRITE, LK_INSTALL, LK_DB)
{
    struct sdb_snapshots *list = NULL;
    int rc = 0;
    if (t->dropped)
        return gone(t, s->number, "it was dropped", err);
    if (sdb_snapshots_find(t->snapshots, s->name) < sdb_snapshots_count(t->snapshots))
        return sdb_fail(err, SEERDB_MISUSE,
                        "%s: the table %s has a snapshot '%s' already: drop it first, "
                        "or take another name",
                        t->db->dir, table_name(t), (const char *)s->name.data);
    if (t->marked)
        rc = check_number(t, s->number, err);
    else
        s->number = atomic_load_explicit(&t->last_commit, memory_order_relaxed);
    /* Not before that of a job which does not know of the snapshot, and drops what has
     * expired by then. */
    s->time_us = sdb_now_us(t->db);
    if (rc == 0 && (rc = sdb_snapshots_with(t->snapshots, s, &list, err)) == 0)
        set_list(t, list);
    return rc;
}

/* List what was registered in the manifest. */
static int list_it(seerdb_tree *t, const struct sdb_snapshot *s, seerdb_err *err)
{
    seerdb *db = t->db;
    struct sdb_edit e = {0};
    sdb_lock_install(&db->install_lock);
    sdb_lock_db(&db->lock);
    bool dropped = t->dropped;
    sdb_unlock_db(&db->lock);
    sdb_edit_snapshot_add(&e, t->desc.id, s);
    int rc = dropped ? gone(t, s->number, "it was dropped", err)
                     : sdb_buf_check(&e.bytes, err);
    if (rc == 0 && (rc = SDB_FAIL_AT(snapshot_create, err)) == 0)
        rc = sdb_install(db, &e, err);
    if (rc == 0) {
        sdb_lock_db(&db->lock);
        size_t at = sdb_snapshots_find(t->snapshots, s->name);
        t->snapshots->all[at].pending = false;
        sdb_unlock_db(&db->lock);
    }
    sdb_unlock_install(&db->install_lock);
    sdb_edit_fini(&e);
    return rc;
}

/* Take back what was registered.  It needs no memory to be no snapshot any more, only
 * to let go of what it would have kept. */
static void forget(seerdb_tree *t, const struct sdb_snapshot *s)
{
    seerdb *db = t->db;
    struct sdb_snapshots *list = NULL;
    sdb_lock_install(&db->install_lock);
    sdb_lock_db(&db->lock);
    size_t at = sdb_snapshots_find(t->snapshots, s->name);
    t->snapshots->all[at].lost = true;
    if (sdb_snapshots_without(t->snapshots, SIZE_MAX, &list, NULL) == 0)
        set_list(t, list);
    sdb_unlock_db(&db->lock);
    sdb_unlock_install(&db->install_lock);
}

static int take(seerdb_tree *t, struct sdb_snapshot *s, unsigned wait_ms,
                seerdb_err *err)
{
    seerdb *db = t->db;
    int rc = t->marked ? sdb_marked_keep(t, s->number, wait_ms, err) : 0;
    if (rc != 0)
        return rc;
    sdb_lock_write(&db->write_lock);
    sdb_lock_install(&db->install_lock);
    sdb_lock_db(&db->lock);
    rc = register_it(t, s, err);
    sdb_unlock_db(&db->lock);
    sdb_unlock_install(&db->install_lock);
    sdb_unlock_write(&db->write_lock);
    if (rc != 0)
        return rc;
    rc = sdb_wal_sync(db->wal, sdb_wal_end(db->wal), err);
    if (rc == 0)
        rc = list_it(t, s, err);
    if (rc != 0)
        forget(t, s);
    return rc;
}

int seerdb_snapshot_create(seerdb_tree *tree, const char *name, uint64_t marker,
                           unsigned wait_ms, uint64_t *number, seerdb_err *err)
{
    seerdb *db = tree->db;
    struct sdb_snapshot s = {
        .number = marker, .name = {name, strlen(name)}, .pending = true};
    int rc;
    if ((rc = sdb_check_process(db, err)) != 0 ||
        (rc = sdb_check_writable(db, err)) != 0)
        return rc;
    if (tree->damage != NULL)
        return sdb_fail_as(err, tree->damage);
    if (!sdb_snapshot_name_is_good(s.name))
        return sdb_fail(err, SEERDB_MISUSE,
                        "%s: a snapshot's name has 1 to %u bytes, given are %zu",
                        db->dir, SEERDB_SNAPSHOT_NAME_MAX, s.name.size);
    if ((rc = take(tree, &s, wait_ms, err)) == 0 && number != NULL)
        *number = s.number;
    return rc;
}

/* ---- the others -------------------------------------------------------------- */

int seerdb_snapshot_drop(seerdb_tree *tree, const char *name, seerdb_err *err)
{
    seerdb *db = tree->db;
    seerdb_slice s = {name, strlen(name)};
    struct sdb_snapshots *list = NULL;
    struct sdb_edit e = {0};
    size_t at = 0;
    int rc;
    if ((rc = sdb_check_process(db, err)) != 0 ||
        (rc = sdb_check_writable(db, err)) != 0)
        return rc;
    sdb_lock_install(&db->install_lock); /* the list changes under it only */
    sdb_lock_db(&db->lock);
    rc = tree->dropped ? fail_unknown(tree, s, err)
                       : sdb_snapshot_find(tree, s, &at, err);
    if (rc == 0)
        rc = sdb_snapshots_without(tree->snapshots, at, &list, err);
    sdb_unlock_db(&db->lock);
    sdb_edit_snapshot_drop(&e, tree->desc.id, s);
    if (rc == 0)
        rc = sdb_buf_check(&e.bytes, err);
    if (rc == 0 && (rc = SDB_FAIL_AT(snapshot_drop, err)) == 0 &&
        (rc = sdb_install(db, &e, err)) == 0) {
        sdb_lock_db(&db->lock);
        set_list(tree, list);
        list = NULL;
        sdb_debt_note(tree); /* what it kept may go */
        (void)!sdb_debt_wake(db, NULL);
        sdb_unlock_db(&db->lock);
    }
    sdb_unlock_install(&db->install_lock);
    sdb_snapshots_unref(list);
    sdb_edit_fini(&e);
    return rc;
}

/* What the tables of the version hold for readers at the number. */
static void count_pinned(const struct sdb_version *v, seerdb_snapshot *s)
{
    for (uint32_t i = 0; i < v->nmembers; i++) {
        const struct sdb_table_desc *d = &v->members[i]->desc;
        for (size_t k = 0; k < d->nheld; k++)
            if (d->held[k].number == s->number) {
                s->pinned_records += d->held[k].records;
                s->pinned_bytes += d->held[k].bytes;
            }
    }
}

int seerdb_snapshots(seerdb_tree *tree,
                     bool (*each)(void *ctx, const seerdb_snapshot *snapshot),
                     void *ctx, seerdb_err *err)
{
    seerdb *db = tree->db;
    int rc = sdb_check_process(db, err);
    if (rc != 0)
        return rc;
    sdb_lock_db(&db->lock);
    struct sdb_snapshots *list = sdb_snapshots_ref(tree->snapshots);
    struct sdb_version *v = sdb_version_ref(tree->state->version);
    size_t n = sdb_snapshots_count(list), shown = 0;
    bool dropped = tree->dropped;
    const struct sdb_snapshot **all = sdb_array_new(n, sizeof(struct sdb_snapshot *));
    for (size_t i = 0; i < n && all != NULL && !dropped; i++)
        if (!list->all[i].pending)
            all[shown++] = &list->all[i];
    sdb_unlock_db(&db->lock);
    if (all == NULL)
        rc = sdb_fail_nomem(err, n * sizeof(struct sdb_snapshot *));
    for (size_t i = 0; i < shown; i++) {
        seerdb_snapshot s = {.name = all[i]->name.data,
                             .number = all[i]->number,
                             .time_us = all[i]->time_us};
        count_pinned(v, &s);
        if (!each(ctx, &s)) /* outside the lock: it may call us */
            break;
    }
    sdb_mem_free((void *)all);
    sdb_version_unref(v);
    sdb_look_at_graveyard(db);
    sdb_snapshots_unref(list);
    return rc;
}
