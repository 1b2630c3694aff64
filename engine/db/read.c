/* SPDX-License-Identifier: Apache-2.0 */
#include "db/read.h"

#include "db/batch.h"
#include "db/marked.h"
#include "table/merge_iter.h"
#include "table/table_iter.h"
#include "tree/fold.h"
#include "tree/run_iter.h"

#include <assert.h>

struct seerdb_iter {
    struct sdb_iter *merged; /* owned */
    seerdb
        *db; /* borrowed.  Every move asks it whether this is a child process: there, a
                memtable may stand in the middle of a change that nobody will finish */
    seerdb_view *view;   /* counted */
    seerdb_pin *scratch; /* counted: hidden ranges of the batch; NULL: no batch */
    struct sdb_buf lower, upper;
    bool has_lower, has_upper, positioned;
};

/* A view of the tree's state and number, both of which the caller holds LK_DB for. */
static void fill_view(seerdb_view *v, seerdb_tree *tree, uint64_t number)
    REQUIRES(LK_DB)
{
    sdb_tree_ref(tree);
    v->tree = tree;
    v->state = sdb_read_state_ref(tree->state);
    v->number = number;
    v->hidden = v->state->hidden.n > 0 ? &v->state->hidden : NULL;
}

static int new_view(seerdb_tree *tree, seerdb_view **out, seerdb_err *err)
{
    int rc = sdb_check_process(tree->db, err);
    if (rc != 0 || (tree->damage != NULL && (rc = sdb_fail_as(err, tree->damage)) != 0))
        return rc;
    seerdb_view *v = sdb_mem_zalloc(sizeof *v);
    if (v == NULL)
        return sdb_fail_nomem(err, sizeof *v);
    atomic_init(&v->count, 1);
    *out = v;
    return 0;
}

int seerdb_view_open(seerdb_tree *tree, seerdb_view **out, seerdb_err *err)
{
    seerdb *db = tree->db;
    seerdb_view *v;
    int rc = new_view(tree, &v, err);
    if (rc != 0)
        return rc;
    sdb_lock_db(&db->lock);
    /* Under the lock, so that no flush of a later commit comes between number and
     * state: it would have folded away what this number needs.  acquire: pairs with the
     * publication in sdb_apply. */
    fill_view(v, tree, atomic_load_explicit(&tree->last_commit, memory_order_acquire));
    sdb_unlock_db(&db->lock);
    *out = v;
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

int seerdb_view_open_at(seerdb_tree *tree, uint64_t marker, unsigned wait_ms,
                        seerdb_view **out, seerdb_err *err)
{
    seerdb *db = tree->db;
    seerdb_view *v;
    int rc = new_view(tree, &v, err);
    if (rc != 0)
        return rc;
    if (!tree->marked) {
        sdb_mem_free(v);
        return sdb_fail(err, SEERDB_MISUSE, "%s: the tree has no marker", db->dir);
    }
    sdb_lock_db(&db->lock);
    rc = fill_at(v, tree, marker, err);
    sdb_unlock_db(&db->lock);
    if (rc == SEERDB_NOTFOUND)
        rc = fill_slowly(v, tree, marker, wait_ms, err);
    if (rc == 0)
        *out = v;
    else
        sdb_mem_free(v);
    return rc;
}

seerdb_view *seerdb_view_ref(seerdb_view *view)
{
    atomic_fetch_add_explicit(&view->count, 1, memory_order_relaxed);
    return view;
}

void seerdb_view_close(seerdb_view *view)
{
    if (view == NULL ||
        atomic_fetch_sub_explicit(&view->count, 1, memory_order_acq_rel) != 1)
        return;
    sdb_read_state_unref(view->state);
    sdb_tree_unref(view->tree);
    sdb_mem_free((void *)(uintptr_t)view->own.ranges); /* const for everybody else */
    sdb_mem_free(view);
}

uint64_t seerdb_view_number(const seerdb_view *view)
{
    return view->number;
}

/* Spilled commits that no version lists yet may be newer than the memtables, or some of
 * them.  found is what those have, if `rc` is 0: replace it by what is newer. */
static int lookup_pendings(const seerdb_view *view, struct sdb_lookup *key, int rc,
                           struct sdb_found *found, seerdb_err *err)
{
    const struct sdb_pendings *list = view->state->pendings;
    for (size_t i = 0; i < list->n; i++) {
        const struct sdb_pending *p = list->all[i];
        struct sdb_found newer = {0};
        bool seen = false;
        if (rc == 0 && p->number < found->number)
            break;
        int got = sdb_pending_look(p, view->number, view->hidden, &seen, err);
        if (got == 0)
            got = seen ? sdb_pending_get(p, key, &newer, err) : SEERDB_NOTFOUND;
        if (got == SEERDB_NOTFOUND)
            continue;
        if (rc == 0)
            seerdb_pin_unref(found->pin);
        *found = newer;
        return got;
    }
    return rc;
}

/* The newest version in the view. Memtables and runs are listed newest first, and no
 * older one holds a newer version of a key. */
static int lookup(const seerdb_view *view, seerdb_slice key, struct sdb_found *found,
                  seerdb_err *err)
{
    const struct sdb_read_state *s = view->state;
    struct sdb_lookup l = {.key = key};
    int got = SEERDB_NOTFOUND;
    for (size_t i = 0; i < s->nmemtables && got == SEERDB_NOTFOUND; i++)
        got = sdb_memtable_get(s->memtables[i], key, view->number, view->hidden, found);
    if (s->pendings != NULL)
        got = lookup_pendings(view, &l, got, found, err);
    if (got != SEERDB_NOTFOUND)
        return got;
    if (s->version->nruns > 1) /* their filters' lines come while the first is asked */
        for (size_t i = 0; i < s->version->nruns; i++) {
            const struct sdb_member *m =
                sdb_run_find(s->version, &s->version->runs[i], key);
            if (m != NULL)
                sdb_table_prefetch(m->table, &l);
        }
    for (size_t i = 0; i < s->version->nruns; i++) {
        const struct sdb_member *m =
            sdb_run_find(s->version, &s->version->runs[i], key);
        if (m == NULL)
            continue;
        int rc = sdb_member_get(m, &l, view->number, found, err);
        if (rc != SEERDB_NOTFOUND)
            return rc;
    }
    return SEERDB_NOTFOUND;
}

int seerdb_get(seerdb_view *view, seerdb_batch *batch, uint64_t mark, seerdb_slice key,
               seerdb_value *out, seerdb_err *err)
{
    struct sdb_found found = {0};
    int rc = sdb_check_process(view->tree->db, err);
    if (rc != 0)
        return rc;
    atomic_fetch_add_explicit(&view->tree->db->counters.gets, 1, memory_order_relaxed);
    const struct sdb_batch_part *part =
        batch != NULL ? sdb_batch_part(batch, view->tree) : NULL;
    rc = SEERDB_NOTFOUND;
    if (part != NULL)
        rc = sdb_batch_get(batch, part, mark, key, &found, err);
    if (rc == SEERDB_NOTFOUND)
        rc = lookup(view, key, &found, err);
    if (rc == 0 && (rc = sdb_fold_visible(found.kind, err)) != 0)
        seerdb_pin_unref(found.pin);
    if (rc == 0)
        *out = (seerdb_value){found.value, found.pin};
    return rc;
}

/* How many sources a scan has at most. */
static size_t count_sources(const seerdb_view *view, const struct sdb_batch_part *part)
{
    const struct sdb_read_state *s = view->state;
    size_t n = s->nmemtables + s->version->nruns;
    for (size_t i = 0; s->pendings != NULL && i < s->pendings->n; i++)
        if (s->pendings->all[i]->runs != NULL)
            n += s->pendings->all[i]->runs->nruns;
    if (part != NULL)
        n += 1 + (part->runs != NULL ? part->runs->nruns : 0);
    return n;
}

/* Open every run of spilled tables. */
static int open_spilled(struct sdb_version *v, const struct sdb_run_shown *shown,
                        struct sdb_iter **sources, size_t *n, seerdb_err *err)
{
    int rc = 0;
    for (size_t i = 0; i < v->nruns && rc == 0; i++)
        if ((rc = sdb_run_iter_spilled(v, &v->runs[i], shown, &sources[*n], err)) == 0)
            ++*n;
    return rc;
}

static int open_batch(const seerdb_batch *batch, const struct sdb_batch_part *part,
                      uint64_t mark, struct sdb_iter **sources, size_t *n,
                      seerdb_err *err)
{
    struct sdb_run_shown shown = {.ceiling = SDB_NUMBER_BATCH + mark,
                                  .hidden = &batch->scratch->hidden};
    int rc = sdb_batch_check_mark(part, mark, err);
    if (rc != 0 || (rc = sdb_memtable_iter(part->memtable, mark, shown.hidden,
                                           SDB_NUMBER_BATCH, &sources[*n], err)) != 0)
        return rc;
    ++*n;
    return part->runs != NULL ? open_spilled(part->runs, &shown, sources, n, err) : 0;
}

static int open_pendings(const seerdb_view *view, struct sdb_iter **sources, size_t *n,
                         seerdb_err *err)
{
    const struct sdb_pendings *list = view->state->pendings;
    int rc = 0;
    for (size_t i = 0; list != NULL && i < list->n && rc == 0; i++) {
        struct sdb_pending *p = list->all[i];
        bool seen = false;
        rc = sdb_pending_look(p, view->number, view->hidden, &seen, err);
        if (rc == 0 && seen)
            rc = open_spilled(p->runs, &(struct sdb_run_shown){.as = p->number},
                              sources, n, err);
    }
    return rc;
}

/* Open one source after the other into sources[]; *n counts those opened. */
static int open_sources(const seerdb_view *view, const seerdb_batch *batch,
                        const struct sdb_batch_part *part, uint64_t mark,
                        struct sdb_iter **sources, size_t *n, seerdb_err *err)
{
    const struct sdb_read_state *s = view->state;
    int rc = 0;
    if (part != NULL)
        rc = open_batch(batch, part, mark, sources, n, err);
    for (size_t i = 0; i < s->nmemtables && rc == 0; i++)
        if (sdb_memtable_records(s->memtables[i]) > 0 &&
            (rc = sdb_memtable_iter(s->memtables[i], view->number, view->hidden, 0,
                                    &sources[*n], err)) == 0)
            ++*n;
    if (rc == 0)
        rc = open_pendings(view, sources, n, err);
    for (size_t i = 0; i < s->version->nruns && rc == 0; i++)
        if ((rc = sdb_run_iter(s->version, &s->version->runs[i], view->number,
                               &sources[*n], err)) == 0)
            ++*n;
    return rc;
}

int seerdb_iter_open(seerdb_view *view, seerdb_batch *batch, uint64_t mark,
                     seerdb_iter **out, seerdb_err *err)
{
    struct sdb_iter *few[8], **sources = few;
    const struct sdb_batch_part *part =
        batch != NULL ? sdb_batch_part(batch, view->tree) : NULL;
    size_t n = 0, most = count_sources(view, part);
    int rc = sdb_check_process(view->tree->db, err);
    if (rc != 0)
        return rc;
    seerdb_iter *it = sdb_mem_zalloc(sizeof *it);
    if (it == NULL)
        return sdb_fail_nomem(err, sizeof *it);
    if (most > sizeof few / sizeof few[0] &&
        (sources = sdb_array_new(most, sizeof *sources)) == NULL) {
        sdb_mem_free(it);
        return sdb_fail_nomem(err, most * sizeof *sources);
    }
    if (batch != NULL && mark > batch->ordinal)
        mark = batch->ordinal; /* what is written from now on does not exist for it */
    rc = open_sources(view, batch, part, mark, sources, &n, err);
    if (rc == 0)
        rc = sdb_merge_iter(sources, n, &it->merged, err); /* takes the sources over */
    else
        for (size_t i = 0; i < n; i++)
            sdb_iter_close(sources[i]);
    if (sources != few)
        sdb_mem_free(sources);
    if (rc != 0) {
        sdb_mem_free(it);
        return rc;
    }
    it->db = view->tree->db;
    it->view = seerdb_view_ref(view);
    if (batch != NULL && batch->scratch != NULL)
        it->scratch = seerdb_pin_ref(&batch->scratch->pin);
    atomic_fetch_add_explicit(&view->tree->db->counters.iterators, 1,
                              memory_order_relaxed);
    *out = it;
    return 0;
}

void seerdb_iter_close(seerdb_iter *it)
{
    if (it == NULL)
        return;
    sdb_iter_close(it->merged);
    seerdb_pin_unref(it->scratch);
    seerdb_view_close(it->view);
    sdb_buf_fini(&it->lower);
    sdb_buf_fini(&it->upper);
    sdb_mem_free(it);
}

int seerdb_iter_bound(seerdb_iter *it, seerdb_slice lower, seerdb_slice upper,
                      seerdb_err *err)
{
    it->positioned = false;
    sdb_buf_clear(&it->lower);
    sdb_buf_clear(&it->upper);
    it->has_lower = lower.data != NULL;
    it->has_upper = upper.data != NULL;
    if (it->has_lower)
        sdb_buf_append_slice(&it->lower, lower);
    if (it->has_upper)
        sdb_buf_append_slice(&it->upper, upper);
    int rc = sdb_buf_check(&it->lower, err);
    return rc != 0 ? rc : sdb_buf_check(&it->upper, err);
}

static bool below(const seerdb_iter *it, seerdb_slice k)
{
    return it->has_lower && sdb_slice_cmp(k, sdb_buf_slice(&it->lower)) < 0;
}

static bool above(const seerdb_iter *it, seerdb_slice k)
{
    return it->has_upper && sdb_slice_cmp(k, sdb_buf_slice(&it->upper)) >= 0;
}

/* The merged iterator answered rc: go on in the given direction to the first key that
 * is not deleted, and stop at the bound. */
static int settle(seerdb_iter *it, bool forward, int rc, seerdb_err *err)
{
    it->positioned = false;
    while (rc == 0) {
        seerdb_slice k = it->merged->at.key;
        if (forward ? above(it, k) : below(it, k))
            return SEERDB_NOTFOUND;
        rc = sdb_fold_visible(it->merged->at.kind, err);
        if (rc == 0) {
            it->positioned = true;
            return 0;
        }
        if (rc != SEERDB_NOTFOUND)
            return rc;
        rc = forward ? it->merged->ops->next(it->merged, err)
                     : it->merged->ops->prev(it->merged, err);
    }
    return rc;
}

int seerdb_iter_first(seerdb_iter *it, seerdb_err *err)
{
    struct sdb_iter *m = it->merged;
    int rc = sdb_check_process(it->db, err);
    if (rc != 0)
        return rc;
    rc = it->has_lower ? m->ops->seek(m, sdb_buf_slice(&it->lower), err)
                       : m->ops->first(m, err);
    return settle(it, true, rc, err);
}

int seerdb_iter_last(seerdb_iter *it, seerdb_err *err)
{
    struct sdb_iter *m = it->merged;
    int rc = sdb_check_process(it->db, err);
    if (rc != 0)
        return rc;
    rc = it->has_upper ? m->ops->seek_for_prev(m, sdb_buf_slice(&it->upper), err)
                       : m->ops->last(m, err);
    if (rc == 0 && above(it, m->at.key)) /* the bound itself is outside */
        rc = m->ops->prev(m, err);
    return settle(it, false, rc, err);
}

int seerdb_iter_seek(seerdb_iter *it, seerdb_slice k, seerdb_err *err)
{
    int rc = sdb_check_process(it->db, err);
    if (rc != 0)
        return rc;
    if (below(it, k))
        return seerdb_iter_first(it, err);
    return settle(it, true, it->merged->ops->seek(it->merged, k, err), err);
}

int seerdb_iter_seek_for_prev(seerdb_iter *it, seerdb_slice k, seerdb_err *err)
{
    int rc = sdb_check_process(it->db, err);
    if (rc != 0)
        return rc;
    if (above(it, k))
        return seerdb_iter_last(it, err);
    return settle(it, false, it->merged->ops->seek_for_prev(it->merged, k, err), err);
}

int seerdb_iter_next(seerdb_iter *it, seerdb_err *err)
{
    int rc = sdb_check_process(it->db, err);
    if (rc != 0)
        return rc;
    assert(it->positioned);
    return settle(it, true, it->merged->ops->next(it->merged, err), err);
}

int seerdb_iter_prev(seerdb_iter *it, seerdb_err *err)
{
    int rc = sdb_check_process(it->db, err);
    if (rc != 0)
        return rc;
    assert(it->positioned);
    return settle(it, false, it->merged->ops->prev(it->merged, err), err);
}

seerdb_slice seerdb_iter_key(const seerdb_iter *it)
{
    return it->merged->at.key;
}

seerdb_slice seerdb_iter_value(const seerdb_iter *it)
{
    return it->merged->at.value;
}

seerdb_pin *seerdb_iter_pin(const seerdb_iter *it)
{
    return it->merged->pin;
}
