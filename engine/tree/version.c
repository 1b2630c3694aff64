/* SPDX-License-Identifier: Apache-2.0
 *
 * Counts go up relaxed, because whoever refs already holds a count, and down acq_rel,
 * so that the last one sees everything that was done under the others. */
#include "tree/version.h"

#include <assert.h>
#include <stdatomic.h>

int sdb_run_new(const struct sdb_table_desc *desc, struct sdb_table *table,
                void (*dead)(void *, struct sdb_run *), void *ctx, struct sdb_run **out,
                seerdb_err *err)
{
    struct sdb_run *run = sdb_mem_zalloc(sizeof *run);
    int rc = 0;
    if (run == NULL) {
        rc = sdb_fail_nomem(err, sizeof *run);
        sdb_table_unref(table);
        goto out;
    }
    run->table = table;
    if ((rc = sdb_table_desc_copy(&run->desc, desc, err)) != 0)
        goto out;
    atomic_init(&run->count, 1);
    run->dead = dead;
    run->ctx = ctx;
    *out = run;
    run = NULL;
out:
    sdb_run_free(run);
    return rc;
}

void sdb_run_free(struct sdb_run *run)
{
    if (run == NULL)
        return;
    sdb_table_unref(run->table);
    sdb_table_desc_fini(&run->desc);
    sdb_mem_free(run);
}

void sdb_run_ref(struct sdb_run *run)
{
    uint32_t before = atomic_fetch_add_explicit(&run->count, 1, memory_order_relaxed);
    assert(before > 0);
    (void)before;
}

void sdb_run_unref(struct sdb_run *run)
{
    if (run == NULL ||
        atomic_fetch_sub_explicit(&run->count, 1, memory_order_acq_rel) != 1)
        return;
    if (run->dead != NULL)
        run->dead(run->ctx, run);
    else
        sdb_run_free(run);
}

/* A version with room for n runs and none yet. */
static struct sdb_version *new_version(size_t n, seerdb_err *err)
{
    size_t bytes;
    struct sdb_version *v = NULL;
    if (!__builtin_mul_overflow(n, sizeof v->runs[0], &bytes) &&
        !__builtin_add_overflow(bytes, sizeof *v, &bytes))
        v = sdb_mem_zalloc(bytes);
    else
        bytes = SIZE_MAX;
    if (v == NULL)
        (void)sdb_fail_nomem(err, bytes);
    else
        atomic_init(&v->count, 1);
    return v;
}

static void append_run(struct sdb_version *v, struct sdb_run *run)
{
    sdb_run_ref(run);
    v->runs[v->nruns++] = run;
    v->records += run->desc.records;
    v->tombstones += run->desc.tombstones;
    v->bytes += run->desc.size;
}

int sdb_version_new(struct sdb_run *const *runs, size_t n, struct sdb_version **out,
                    seerdb_err *err)
{
    struct sdb_version *v = new_version(n, err);
    if (v == NULL)
        return SEERDB_NOMEM;
    for (size_t i = 0; i < n; i++)
        append_run(v, runs[i]);
    *out = v;
    return 0;
}

int sdb_version_add(const struct sdb_version *base, struct sdb_run *added,
                    struct sdb_version **out, seerdb_err *err)
{
    size_t n = base == NULL ? 0 : base->nruns;
    struct sdb_version *v = new_version(n + 1, err);
    if (v == NULL)
        return SEERDB_NOMEM;
    append_run(v, added);
    for (size_t i = 0; i < n; i++)
        append_run(v, base->runs[i]);
    *out = v;
    return 0;
}

struct sdb_version *sdb_version_ref(struct sdb_version *v)
{
    uint32_t before = atomic_fetch_add_explicit(&v->count, 1, memory_order_relaxed);
    assert(before > 0);
    (void)before;
    return v;
}

void sdb_version_unref(struct sdb_version *v)
{
    if (v == NULL || atomic_fetch_sub_explicit(&v->count, 1, memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; i < v->nruns; i++)
        sdb_run_unref(v->runs[i]);
    sdb_mem_free(v);
}
