/* SPDX-License-Identifier: Apache-2.0 */
#include "db/view.h"

#include "base/mem.h"
#include "db/marked.h"
#include "db/snapshot.h"

#include <assert.h>

/* Let the view be of the tree's state and number, both of which the caller holds LK_DB
 * for.  A view that was at rest has its handle already. */
static SDB_INLINE void fill_view(seerdb_view *v, seerdb_tree *tree, uint64_t number)
    REQUIRES(LK_DB)
{
    if (v->tree == NULL) {
        sdb_tree_ref(tree);
        sdb_tallies_enter(&tree->tallies, &v->tally);
    }
    v->tree = tree;
    atomic_store_explicit(&v->tally.since_us, sdb_clock_coarse_us(),
                          memory_order_relaxed);
    v->state = sdb_read_state_ref(tree->state);
    v->number = number;
    v->time_us = 0;
    v->hidden = v->state->hidden.n > 0 ? &v->state->hidden : NULL;
    /* acquire: pairs with seerdb_tree_filter_with */
    v->sieve = atomic_load_explicit(&tree->sieve, memory_order_acquire);
    if (v->sieve != NULL)
        seerdb_view_tick(v);
}

static int new_view(seerdb_view **out, seerdb_err *err)
{
    seerdb_view *v = sdb_mem_aligned(64, sizeof *v);
    if (v == NULL)
        return sdb_fail_nomem(err, sizeof *v);
    memset(v, 0, sizeof *v);
    atomic_init(&v->count, 1);
    *out = v;
    return 0;
}

/* May the tree be read here? */
static int check_tree(const seerdb_tree *tree, seerdb_err *err)
{
    int rc = sdb_check_process(tree->db, err);
    if (rc == 0)
        rc = sdb_check_lost(tree->db, err);
    return rc == 0 && tree->damage != NULL ? sdb_fail_as(err, tree->damage) : rc;
}

static int open_view(seerdb_view *v, seerdb_tree *tree, seerdb_err *err)
{
    seerdb *db = tree->db;
    int rc = check_tree(tree, err);
    if (rc != 0)
        return rc;
    sdb_lock_db(&db->lock);
    /* Under the lock, so that no flush of a later commit comes between number and
     * state: it would have folded away what this number needs.  acquire: pairs with the
     * publication in sdb_apply. */
    fill_view(v, tree, atomic_load_explicit(&tree->last_commit, memory_order_acquire));
    sdb_unlock_db(&db->lock);
    return 0;
}

/* Fill the view for a marker that the tree knows: 0, NOTFOUND when it does not, GONE.
 */
static int fill_at(seerdb_view *v, seerdb_tree *tree, uint64_t marker, seerdb_err *err)
    REQUIRES(LK_DB)
{
    const struct sdb_hidden *hidden = &tree->state->hidden;
    if (tree->dropped)
        return sdb_fail(err, SEERDB_GONE, "%s: the table %s was dropped", tree->db->dir,
                        (const char *)tree->desc.name.data);
    /* acquire: pairs with the publication in sdb_apply */
    if (!tree->settled ||
        marker > atomic_load_explicit(&tree->last_commit, memory_order_acquire))
        return SEERDB_NOTFOUND;
    uint64_t floor = atomic_load_explicit(&tree->fold_floor, memory_order_relaxed);
    if (marker < floor)
        return sdb_fail(err, SEERDB_GONE,
                        "%s: the table %s as of commit %" PRIu64
                        " is gone: commits up to %" PRIu64 " were folded into one",
                        tree->db->dir, (const char *)tree->desc.name.data, marker,
                        floor);
    for (size_t i = 0; i < hidden->n; i++)
        if (hidden->ranges[i].from == marker)
            return sdb_fail(err, SEERDB_MISMATCH,
                            "%s: commit %" PRIu64
                            " of the table %s was rolled back and "
                            "others followed, but the database says that it stands",
                            tree->db->dir, marker, (const char *)tree->desc.name.data);
    fill_view(v, tree, marker);
    return 0;
}

/* The marker is not (yet) what the tree stands at: wait for it, or resolve it for this
 * reader alone. */
static int fill_slowly(seerdb_view *v, seerdb_tree *tree, uint64_t marker,
                       unsigned wait_ms, seerdb_err *err) EXCLUDES(LK_WRITE, LK_DB)
{
    seerdb *db = tree->db;
    struct sdb_hidden_range *ranges = NULL;
    size_t n = 0;
    sdb_lock_write(&db->write_lock);
    int rc = sdb_marked_wait(tree, marker, wait_ms, err);
    if (rc == 0) {
        sdb_lock_db(&db->lock);
        rc = fill_at(v, tree, marker, err);
        sdb_unlock_db(&db->lock);
    }
    if (rc == SEERDB_NOTFOUND &&
        (rc = sdb_marked_hidden(tree, marker, &ranges, &n, err)) == 0) {
        sdb_lock_db(&db->lock);
        fill_view(v, tree, marker);
        v->own = (struct sdb_hidden){ranges, n};
        v->hidden = &v->own;
        sdb_unlock_db(&db->lock);
    }
    sdb_unlock_write(&db->write_lock);
    return rc;
}

static int open_view_at(seerdb_view *v, seerdb_tree *tree, uint64_t marker,
                        unsigned wait_ms, seerdb_err *err)
{
    seerdb *db = tree->db;
    int rc = check_tree(tree, err);
    if (rc != 0)
        return rc;
    if (!tree->marked)
        return sdb_fail(err, SEERDB_MISUSE, "%s: the tree has no marker", db->dir);
    sdb_lock_db(&db->lock);
    rc = fill_at(v, tree, marker, err);
    sdb_unlock_db(&db->lock);
    return rc == SEERDB_NOTFOUND ? fill_slowly(v, tree, marker, wait_ms, err) : rc;
}

void seerdb_view_tick(seerdb_view *view)
{
    if (view->sieve != NULL)
        view->now_us = view->time_us != 0 ? view->time_us : sdb_now_us(view->tree->db);
}

int seerdb_view_open(seerdb_tree *tree, seerdb_view **out, seerdb_err *err)
{
    seerdb_view *v = NULL;
    int rc = new_view(&v, err);
    if (rc == 0 && (rc = open_view(v, tree, err)) == 0)
        *out = v;
    else
        sdb_mem_free(v);
    return rc;
}

int seerdb_view_open_at(seerdb_tree *tree, uint64_t marker, unsigned wait_ms,
                        seerdb_view **out, seerdb_err *err)
{
    seerdb_view *v = NULL;
    int rc = new_view(&v, err);
    if (rc == 0 && (rc = open_view_at(v, tree, marker, wait_ms, err)) == 0)
        *out = v;
    else
        sdb_mem_free(v);
    return rc;
}

uint64_t seerdb_view_filter_time(const seerdb_view *view)
{
    return view->sieve != NULL ? view->now_us : 0;
}

/* ---- of snapshots and of older commits ----------------------------------------- */

/* Fill the view for a snapshot: 0, MISUSE, GONE.  *resolve: it is not filled, because
 * it must first be found out what counts. */
static int fill_snapshot(seerdb_view *v, seerdb_tree *tree, seerdb_slice name,
                         uint64_t *number, bool *resolve, seerdb_err *err)
    REQUIRES(LK_DB)
{
    size_t at = 0;
    int rc = sdb_snapshot_find(tree, name, &at, err);
    if (rc != 0)
        return rc;
    const struct sdb_snapshot *s = &tree->snapshots->all[at];
    if (tree->dropped || s->lost)
        return sdb_fail(err, SEERDB_GONE, "%s: the snapshot '%s' of the table %s: %s",
                        tree->db->dir, (const char *)s->name.data,
                        (const char *)tree->desc.name.data,
                        tree->dropped ? "the table was dropped"
                                      : "the database went back to a state before it");
    *number = s->number;
    /* What is in tables counts, and what is above the snapshot does not matter. */
    *resolve = tree->marked && !tree->settled &&
               s->number > atomic_load_explicit(&tree->flushed, memory_order_relaxed);
    if (!*resolve) {
        fill_view(v, tree, s->number);
        v->time_us = s->time_us;
        seerdb_view_tick(v);
    }
    return 0;
}

/* No writer has shown a marker: the snapshot's number stands for that. */
static int fill_snapshot_slowly(seerdb_view *v, seerdb_tree *tree, seerdb_slice name,
                                seerdb_err *err) EXCLUDES(LK_WRITE, LK_DB)
{
    seerdb *db = tree->db;
    struct sdb_hidden_range *ranges = NULL;
    uint64_t found = 0;
    size_t n = 0, at = 0;
    bool resolve = false;
    sdb_lock_write(&db->write_lock);
    sdb_lock_db(&db->lock);
    int rc = fill_snapshot(v, tree, name, &found, &resolve, err);
    sdb_unlock_db(&db->lock);
    if (rc == 0 && resolve &&
        (rc = sdb_marked_hidden(tree, found, &ranges, &n, err)) == 0) {
        sdb_lock_db(&db->lock);
        rc = sdb_snapshot_find(tree, name, &at, err);
        if (rc == 0 && tree->snapshots->all[at].number != found)
            rc = sdb_fail(err, SEERDB_GONE,
                          "%s: the snapshot '%s' of the table %s was replaced", db->dir,
                          (const char *)name.data, (const char *)tree->desc.name.data);
        if (rc == 0) {
            fill_view(v, tree, found);
            v->time_us = tree->snapshots->all[at].time_us;
            seerdb_view_tick(v);
            v->own = (struct sdb_hidden){ranges, n};
            v->hidden = &v->own;
            ranges = NULL;
        }
        sdb_unlock_db(&db->lock);
    }
    sdb_unlock_write(&db->write_lock);
    sdb_mem_free(ranges);
    return rc;
}

int seerdb_view_open_snapshot(seerdb_tree *tree, const char *name, seerdb_view **out,
                              seerdb_err *err)
{
    seerdb *db = tree->db;
    seerdb_slice s = {name, strlen(name)};
    seerdb_view *v = NULL;
    uint64_t number = 0;
    bool resolve = false;
    int rc = check_tree(tree, err);
    if (rc != 0 || (rc = new_view(&v, err)) != 0)
        return rc;
    sdb_lock_db(&db->lock);
    rc = fill_snapshot(v, tree, s, &number, &resolve, err);
    sdb_unlock_db(&db->lock);
    if (rc == 0 && resolve)
        rc = fill_snapshot_slowly(v, tree, s, err);
    if (rc == 0)
        *out = v;
    else
        sdb_mem_free(v);
    return rc;
}

/* May the tree be read at this number?  Its state is held since before. */
static int check_number(const seerdb_tree *tree, const seerdb_view *v, uint64_t number,
                        seerdb_err *err) REQUIRES(LK_DB)
{
    const char *name = (const char *)tree->desc.name.data;
    uint64_t floor = tree->marked
                         ? atomic_load_explicit(&tree->fold_floor, memory_order_relaxed)
                         : v->number;
    bool kept = number >= floor;
    for (size_t i = 0; i < sdb_snapshots_count(tree->snapshots) && !kept; i++)
        kept = tree->snapshots->all[i].number == number &&
               !tree->snapshots->all[i].pending && !tree->snapshots->all[i].lost;
    if (!kept)
        return sdb_fail(err, SEERDB_GONE,
                        "%s: the table %s as of commit %" PRIu64
                        " is gone: it is kept from commit %" PRIu64
                        " on, and at its snapshots",
                        tree->db->dir, name, number, floor);
    if (sdb_hidden_has(v->hidden, number))
        return sdb_fail(err, SEERDB_GONE,
                        "%s: commit %" PRIu64 " of the table %s was rolled back",
                        tree->db->dir, number, name);
    return 0;
}

int seerdb_view_open_number(seerdb_tree *tree, uint64_t number, uint64_t newest,
                            seerdb_view **out, seerdb_err *err)
{
    seerdb *db = tree->db;
    seerdb_view *v = NULL;
    int rc = tree->marked ? seerdb_view_open_at(tree, newest, 0, &v, err)
                          : seerdb_view_open(tree, &v, err);
    if (rc != 0)
        return rc;
    if (number > v->number)
        rc = sdb_fail(err, SEERDB_MISUSE,
                      "%s: the table %s as of commit %" PRIu64
                      ": its last commit is %" PRIu64,
                      db->dir, (const char *)tree->desc.name.data, number, v->number);
    sdb_lock_db(&db->lock);
    if (rc == 0)
        rc = check_number(tree, v, number, err);
    sdb_unlock_db(&db->lock);
    v->number = number;
    if (rc == 0)
        *out = v;
    else
        seerdb_view_close(v);
    return rc;
}

uint64_t seerdb_view_time(const seerdb_view *view)
{
    return view->time_us;
}

int seerdb_view_reopen(seerdb_view *view, seerdb_err *err)
{
    assert(view->state == NULL);
    return open_view(view, view->tree, err);
}

int seerdb_view_reopen_at(seerdb_view *view, uint64_t marker, unsigned wait_ms,
                          seerdb_err *err)
{
    assert(view->state == NULL);
    return open_view_at(view, view->tree, marker, wait_ms, err);
}

seerdb_view *seerdb_view_ref(seerdb_view *view)
{
    atomic_fetch_add_explicit(&view->count, 1, memory_order_relaxed);
    return view;
}

static void empty_view(seerdb_view *v)
{
    atomic_store_explicit(&v->tally.since_us, 0, memory_order_relaxed);
    sdb_read_state_unref(v->state);
    sdb_look_at_graveyard(v->tree->db);
    v->state = NULL;
    v->hidden = NULL;
    sdb_mem_free((void *)(uintptr_t)v->own.ranges); /* const for everybody else */
    v->own = (struct sdb_hidden){0};
}

void seerdb_view_rest(seerdb_view *view)
{
    assert(atomic_load_explicit(&view->count, memory_order_relaxed) == 1);
    empty_view(view);
}

void seerdb_view_close(seerdb_view *view)
{
    if (view == NULL ||
        atomic_fetch_sub_explicit(&view->count, 1, memory_order_acq_rel) != 1)
        return;
    empty_view(view);
    sdb_tree_unref_reader(view->tree, &view->tally);
    sdb_merging_fini(&view->merging);
    sdb_mem_free(view);
}

void seerdb_view_interrupt(seerdb_view *view, const seerdb_interrupt *by)
{
    view->interrupt = by;
}

void seerdb_view_set_lazy(seerdb_view *view, bool lazy)
{
    view->lazy = lazy;
}

bool seerdb_segments_next(seerdb_slice *segments, seerdb_segment *out)
{
    struct sdb_reader r = sdb_reader_init(*segments);
    if (segments->size == 0)
        return false;
    *out = (seerdb_segment){.offset = sdb_get_varint(&r),
                            .size = sdb_get_varint(&r),
                            .file = sdb_get_varint(&r),
                            .slot = sdb_get_varint(&r),
                            .stored = sdb_get_varint(&r),
                            .check = sdb_get_u64(&r)};
    *segments = (seerdb_slice){r.p, sdb_reader_left(&r)};
    return !r.failed;
}

int seerdb_segment_read(const seerdb_view *view, const seerdb_segment *segment,
                        void *to, seerdb_err *err)
{
    const struct sdb_segment s = {.size = segment->size,
                                  .file = segment->file,
                                  .slot = segment->slot,
                                  .stored = segment->stored,
                                  .check = segment->check};
    int rc = sdb_check_process(view->tree->db, err);
    return rc != 0 ? rc : sdb_values_read(view->tree->db->values, &s, to, err);
}

uint64_t seerdb_view_number(const seerdb_view *view)
{
    return view->number;
}
