/* SPDX-License-Identifier: Apache-2.0 */
#include "db/pending.h"

int sdb_pending_new(uint64_t number, struct sdb_version *runs, struct sdb_pending **out,
                    seerdb_err *err)
{
    struct sdb_pending *p = sdb_mem_zalloc(sizeof *p);
    if (p == NULL)
        return sdb_fail_nomem(err, sizeof *p);
    atomic_init(&p->count, 1);
    p->number = number;
    p->runs = runs != NULL ? sdb_version_ref(runs) : NULL;
    *out = p;
    return 0;
}

struct sdb_pending *sdb_pending_ref(struct sdb_pending *p)
{
    atomic_fetch_add_explicit(&p->count, 1, memory_order_relaxed);
    return p;
}

void sdb_pending_unref(struct sdb_pending *p)
{
    /* acq_rel: whoever frees sees what every other holder did. */
    if (p == NULL || atomic_fetch_sub_explicit(&p->count, 1, memory_order_acq_rel) != 1)
        return;
    sdb_version_unref(p->runs);
    sdb_mem_free(p);
}

int sdb_pending_look(const struct sdb_pending *p, uint64_t number,
                     const struct sdb_hidden *hidden, bool *seen, seerdb_err *err)
{
    *seen = p->number <= number && !sdb_hidden_has(hidden, p->number) &&
            !atomic_load_explicit(&p->undone, memory_order_acquire);
    if (*seen && p->runs == NULL)
        return sdb_fail(err, SEERDB_CORRUPT,
                        "commit %" PRIu64 " counts, but the manifest does not list the "
                        "tables that it wrote",
                        p->number);
    return 0;
}

int sdb_pending_get(const struct sdb_pending *p, struct sdb_lookup *key,
                    struct sdb_found *out, seerdb_err *err)
{
    struct sdb_places places;
    sdb_version_find(p->runs, key, &places);
    for (uint32_t i = 0; i < p->runs->nruns; i++) {
        const struct sdb_member *m = sdb_places_at(&places, p->runs, i, key->key);
        int rc = m == NULL ? SEERDB_NOTFOUND
                           : sdb_table_get(m->table, key, SDB_NUMBER_MAX, out, err);
        if (rc == 0)
            out->number = p->number;
        if (rc != SEERDB_NOTFOUND)
            return rc;
    }
    return SEERDB_NOTFOUND;
}

int sdb_pendings_change(const struct sdb_pendings *list, const struct sdb_pending *gone,
                        struct sdb_pending *added, struct sdb_pendings **out,
                        seerdb_err *err)
{
    size_t old = list != NULL ? list->n : 0, most = old + 1, n = 0;
    size_t size = sizeof *list + most * sizeof list->all[0];
    struct sdb_pendings *fresh = sdb_mem_zalloc(size);
    if (fresh == NULL)
        return sdb_fail_nomem(err, size);
    if (added != NULL)
        fresh->all[n++] = sdb_pending_ref(added);
    for (size_t i = 0; i < old; i++)
        if (list->all[i] != gone)
            fresh->all[n++] = sdb_pending_ref(list->all[i]);
    atomic_init(&fresh->count, 1);
    fresh->n = n;
    if (n == 0) {
        sdb_mem_free(fresh);
        fresh = NULL;
    }
    *out = fresh;
    return 0;
}

struct sdb_pendings *sdb_pendings_ref(struct sdb_pendings *list)
{
    if (list != NULL)
        atomic_fetch_add_explicit(&list->count, 1, memory_order_relaxed);
    return list;
}

void sdb_pendings_unref(struct sdb_pendings *list)
{
    if (list == NULL ||
        atomic_fetch_sub_explicit(&list->count, 1, memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; i < list->n; i++)
        sdb_pending_unref(list->all[i]);
    sdb_mem_free(list);
}
