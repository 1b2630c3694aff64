/* SPDX-License-Identifier: Apache-2.0 */
#include "db/get.h"

#include "db/merged.h"
#include "db/row.h"
#include "tree/fold.h"

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

/* The newest version in the runs, newest first. */
static SDB_INLINE int lookup_runs(const struct sdb_version *v, struct sdb_lookup *key,
                                  uint64_t ceiling, struct sdb_found *found,
                                  seerdb_err *err)
{
    struct sdb_places places;
    sdb_version_find(v, key, &places);
    for (uint32_t i = 0; i < v->nruns; i++) {
        const struct sdb_member *m = sdb_places_at(&places, v, i, key->key);
        int rc =
            m == NULL ? SEERDB_NOTFOUND : sdb_member_get(m, key, ceiling, found, err);
        if (rc != SEERDB_NOTFOUND)
            return rc;
    }
    return SEERDB_NOTFOUND;
}

/* The newest version in the view. Memtables and runs are listed newest first, and no
 * older one holds a newer version of a key. */
static SDB_INLINE int lookup(seerdb_view *view, seerdb_slice key,
                             struct sdb_found *found, seerdb_err *err)
{
    const struct sdb_read_state *s = view->state;
    struct sdb_lookup l = {.key = key, .counts = &view->tally.lookups};
    int got = SEERDB_NOTFOUND;
    for (size_t i = 0; i < s->nmemtables && got == SEERDB_NOTFOUND; i++)
        got = sdb_memtable_get(s->memtables[i], key, view->number, view->hidden, found);
    if (s->pendings != NULL)
        got = lookup_pendings(view, &l, got, found, err);
    if (got != SEERDB_NOTFOUND)
        return got;
    return lookup_runs(s->version, &l, view->number, found, err);
}

/* A point lookup is one of those that are timed. */
SDB_COLD static void begin_get(seerdb_view *view, uint64_t n)
{
    bool deep = n % SDB_MODEL_EVERY == 0;
    atomic_store_explicit(&view->tally.lookups.deep, deep, memory_order_relaxed);
    atomic_store_explicit(&view->tally.began, sdb_clock_mono_ns(),
                          memory_order_relaxed);
}

SDB_COLD static void end_get(seerdb_view *view, uint64_t began)
{
    sdb_meter_add(&view->tree->meter, SDB_OP_GET, sdb_clock_mono_ns() - began);
    atomic_store_explicit(&view->tally.lookups.deep, false, memory_order_relaxed);
    atomic_store_explicit(&view->tally.began, 0, memory_order_relaxed);
}

/* A lookup found a record that is deleted, or not shown as it was written.  Takes the
 * count in found over. */
static SDB_NOINLINE int make_found(const seerdb_view *view,
                                   const struct sdb_found *found, seerdb_value *out,
                                   seerdb_err *err)
{
    struct seerdb_filter_out scratch = {0};
    const struct sdb_record r = {found->key, found->number, found->kind, found->value};
    int rc = sdb_fold_visible(found->kind, err);
    if (rc == 0)
        rc = sdb_row_make(view, &r, &scratch, out, err);
    if (rc != 0 || out->pin != NULL)
        seerdb_pin_unref(found->pin);
    else
        out->pin = found->pin;
    sdb_filter_out_fini(&scratch);
    return rc;
}

int seerdb_get(seerdb_view *view, seerdb_batch *batch, uint64_t mark, seerdb_slice key,
               seerdb_value *out, seerdb_err *err)
{
    struct sdb_found found = {0};
    int rc = sdb_check_process(view->tree->db, err);
    if (rc != 0 || (batch != NULL && (rc = sdb_batch_settle(batch, err)) != 0))
        return rc;
    uint64_t n = sdb_count(&view->tally.n[SDB_TALLY_GETS], 1);
    if (SDB_RARELY(n % SDB_READ_EVERY == 0))
        begin_get(view, n);
    const struct sdb_batch_part *part =
        batch != NULL ? sdb_batch_part(batch, view->tree) : NULL;
    const struct sdb_sight sight = sdb_sight_of(view, batch, part, mark);
    bool covered = sdb_cover_any(&sight);
    rc = SEERDB_NOTFOUND;
    if (covered)
        rc = sdb_cover_get(&sight, key, &found, err);
    else if (part != NULL)
        rc = sdb_batch_get(batch, part, mark, key, &found, err);
    if (!covered && rc == SEERDB_NOTFOUND)
        rc = lookup(view, key, &found, err);
    if (rc == 0 && found.kind == SDB_KIND_VALUE && view->sieve == NULL) {
        *out = (seerdb_value){.bytes = found.value, .pin = found.pin, .key = found.key};
    } else if (rc == 0 && found.kind == SDB_KIND_MERGE) {
        seerdb_pin_unref(found.pin);
        rc = sdb_merged_get(&sight, view, batch, key, out, err);
    } else if (rc == 0) {
        rc = make_found(view, &found, out, err);
    }
    if (SDB_RARELY((n = sdb_counted(&view->tally.began)) != 0))
        end_get(view, n);
    return rc;
}

int sdb_get_number(seerdb_view *view, seerdb_slice key, uint64_t *number,
                   seerdb_err *err)
{
    struct sdb_found found = {0};
    const struct sdb_sight sight = sdb_sight_of(view, NULL, NULL, 0);
    int rc = sdb_cover_any(&sight) ? sdb_cover_get(&sight, key, &found, err)
                                   : lookup(view, key, &found, err);
    if (rc != 0)
        return rc;
    *number = found.number;
    seerdb_pin_unref(found.pin);
    return found.kind == SDB_KIND_TOMBSTONE ? SEERDB_NOTFOUND : 0;
}
