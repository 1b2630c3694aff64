/* SPDX-License-Identifier: Apache-2.0
 *
 * Not per thread: a thread may come for one lookup and never again, and thread-local
 * memory of a library costs a call where it is not compiled into the program.  A view
 * belongs to one thread at a time anyway. */
#include "db/meter.h"

#include "base/mem.h"

void sdb_meter_add(struct sdb_meter *m, enum sdb_op op, uint64_t ns)
{
    /* acquire: pairs with the exchange below, of another thread */
    struct sdb_histogram *h = atomic_load_explicit(&m->of[op], memory_order_acquire);
    if (h == NULL) {
        struct sdb_histogram *fresh = sdb_mem_zalloc(sizeof *fresh);
        if (fresh == NULL)
            return;
        if (atomic_compare_exchange_strong_explicit(
                &m->of[op], &h, fresh, memory_order_acq_rel, memory_order_acquire))
            h = fresh;
        else
            sdb_mem_free(fresh); /* another thread was first */
    }
    sdb_histogram_add(h, ns);
}

const struct sdb_histogram *sdb_meter_of(const struct sdb_meter *m, enum sdb_op op)
{
    return atomic_load_explicit(&m->of[op], memory_order_acquire);
}

size_t sdb_meter_memory(const struct sdb_meter *m)
{
    size_t n = 0;
    for (int i = 0; i < SDB_OPS; i++)
        n += sdb_meter_of(m, (enum sdb_op)i) != NULL ? sizeof(struct sdb_histogram) : 0;
    return n;
}

void sdb_meter_fini(struct sdb_meter *m)
{
    for (int i = 0; i < SDB_OPS; i++)
        sdb_mem_free(atomic_exchange_explicit(&m->of[i], NULL, memory_order_relaxed));
}

/* ---- reads ------------------------------------------------------------------------
 */

void sdb_table_counts_add(struct sdb_table_counts *into,
                          const struct sdb_table_counts *from)
{
    sdb_count(&into->corrected, sdb_counted(&from->corrected));
    sdb_count(&into->filter_passed, sdb_counted(&from->filter_passed));
    sdb_count(&into->filter_negative, sdb_counted(&from->filter_negative));
    sdb_count(&into->filter_false, sdb_counted(&from->filter_false));
    sdb_count(&into->runs_negative, sdb_counted(&from->runs_negative));
    sdb_count(&into->model_checked, sdb_counted(&from->model_checked));
    sdb_count(&into->model_off, sdb_counted(&from->model_off));
}

static void add(struct sdb_tally *into, const struct sdb_tally *from)
{
    for (int i = 0; i < SDB_TALLIES; i++)
        sdb_count(&into->n[i], sdb_counted(&from->n[i]));
    sdb_table_counts_add(&into->lookups, &from->lookups);
}

void sdb_tallies_enter(struct sdb_tallies *all, struct sdb_tally *t)
{
    for (int i = 0; i < SDB_TALLIES; i++) {
        uint64_t n = sdb_counted(&all->past.n[i]), rest = n % SDB_MODEL_EVERY;
        atomic_store_explicit(&all->past.n[i], n - rest, memory_order_relaxed);
        atomic_store_explicit(&t->n[i], rest, memory_order_relaxed);
    }
    t->next = all->first;
    all->first = t;
}

void sdb_tallies_leave(struct sdb_tallies *all, struct sdb_tally *t)
{
    struct sdb_tally **at = &all->first;
    while (*at != t)
        at = &(*at)->next;
    *at = t->next;
    t->next = NULL;
    add(&all->past, t);
}

void sdb_tallies_sum(const struct sdb_tallies *all, struct sdb_tally *sum,
                     size_t *nopen)
{
    uint64_t earliest = 0;
    add(sum, &all->past);
    for (const struct sdb_tally *t = all->first; t != NULL; t = t->next) {
        uint64_t since = sdb_counted(&t->since_us);
        add(sum, t);
        if (since == 0)
            continue;
        ++*nopen;
        earliest = earliest == 0 || since < earliest ? since : earliest;
    }
    uint64_t before = sdb_counted(&sum->since_us);
    if (before == 0 || (earliest != 0 && earliest < before))
        atomic_store_explicit(&sum->since_us, earliest, memory_order_relaxed);
}

void sdb_tallies_retire(struct sdb_tallies *all, const struct sdb_table_counts *counts)
{
    sdb_table_counts_add(&all->past.lookups, counts);
}
