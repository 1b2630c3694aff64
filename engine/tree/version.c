/* SPDX-License-Identifier: Apache-2.0
 *
 * Counts go up relaxed, because whoever refs already holds a count, and down acq_rel,
 * so that the last one sees everything that was done under the others. */
#include "tree/version.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>

int sdb_member_new(const struct sdb_table_desc *desc, struct sdb_table *table,
                   void (*dead)(void *, struct sdb_member *), void *ctx,
                   struct sdb_member **out, seerdb_err *err)
{
    struct sdb_member *member = sdb_mem_zalloc(sizeof *member);
    int rc = 0;
    if (member == NULL) {
        rc = sdb_fail_nomem(err, sizeof *member);
        sdb_table_unref(table);
        goto out;
    }
    member->table = table;
    if ((rc = sdb_table_desc_copy(&member->desc, desc, err)) != 0)
        goto out;
    atomic_init(&member->count, 1);
    member->dead = dead;
    member->ctx = ctx;
    *out = member;
    member = NULL;
out:
    sdb_member_free(member);
    return rc;
}

void sdb_member_free(struct sdb_member *member)
{
    if (member == NULL)
        return;
    sdb_table_unref(member->table);
    sdb_table_desc_fini(&member->desc);
    for (size_t i = 0; i < member->nkept; i++)
        seerdb_pin_unref(member->kept[i]);
    sdb_mem_free(member->kept);
    sdb_member_unref(member->origin);
    sdb_mem_free(member);
}

void sdb_member_keep(struct sdb_member *member, seerdb_pin **pins, size_t n)
{
    assert(member->nkept == 0);
    sdb_mem_free(member->kept);
    member->kept = pins;
    member->nkept = n;
}

int sdb_member_move(struct sdb_member *member, uint32_t level, uint64_t run,
                    struct sdb_member **out, seerdb_err *err)
{
    struct sdb_table_desc desc = member->desc; /* borrows; the new member copies */
    struct sdb_table *table =
        member->table != NULL ? sdb_table_ref(member->table) : NULL;
    desc.level = level;
    desc.run = run;
    int rc = sdb_member_new(&desc, table, NULL, NULL, out, err);
    if (rc == 0) {
        (*out)->origin = sdb_member_origin(member);
        sdb_member_ref((*out)->origin);
    }
    return rc;
}

void sdb_member_ref(struct sdb_member *member)
{
    uint32_t before =
        atomic_fetch_add_explicit(&member->count, 1, memory_order_relaxed);
    assert(before > 0);
    (void)before;
}

void sdb_member_unref(struct sdb_member *member)
{
    if (member == NULL ||
        atomic_fetch_sub_explicit(&member->count, 1, memory_order_acq_rel) != 1)
        return;
    if (member->dead != NULL)
        member->dead(member->ctx, member);
    else
        sdb_member_free(member);
}

int sdb_member_get(const struct sdb_member *m, struct sdb_lookup *key, uint64_t ceiling,
                   struct sdb_found *out, seerdb_err *err)
{
    if (m->desc.commit == 0)
        return sdb_table_get(m->table, key, ceiling, out, err);
    if (m->desc.commit > ceiling)
        return SEERDB_NOTFOUND;
    int rc = sdb_table_get(m->table, key, SDB_NUMBER_MAX, out, err);
    if (rc == 0)
        out->number = m->desc.commit;
    return rc;
}

uint64_t sdb_member_cover(const struct sdb_member *m, seerdb_slice key,
                          uint64_t ceiling)
{
    struct sdb_ranges_source s = sdb_member_ranges(m, ceiling);
    if (s.as == 0)
        return sdb_ranges_cover(s.ranges, key, ceiling, NULL);
    return s.as <= ceiling && sdb_ranges_has(s.ranges, key) ? s.as : 0;
}

uint64_t sdb_member_newest_range(const struct sdb_member *m)
{
    struct sdb_ranges_source s = sdb_member_ranges(m, UINT64_MAX);
    if (m->desc.ranges == 0)
        return 0;
    return s.as != 0 || s.ranges == NULL ? m->desc.max_number
                                         : sdb_ranges_max_number(s.ranges);
}

bool sdb_table_desc_deleted(const struct sdb_table_desc *d,
                            const struct sdb_ranges_source *s)
{
    seerdb_slice at = sdb_buf_slice(&d->smallest);
    for (size_t i = sdb_ranges_find(s->ranges, at); i < sdb_ranges_fragments(s->ranges);
         i++) {
        const struct sdb_range *f = sdb_ranges_fragment(s->ranges, i);
        uint64_t number = s->as != 0 ? s->as : f->number;
        if (sdb_slice_cmp(f->start, at) > 0 || number > s->ceiling ||
            number <= d->max_number)
            return false;
        at = f->end; /* the next fragment has to begin there */
        if (sdb_table_desc_before(d, at))
            return true;
    }
    return false;
}

/* A version with room for n members and as many runs, and none yet. */
static struct sdb_version *new_version(size_t n, seerdb_err *err)
{
    size_t members, runs, bytes;
    struct sdb_version *v = NULL;
    if (n < UINT32_MAX && !__builtin_mul_overflow(n, sizeof v->members[0], &members) &&
        !__builtin_mul_overflow(n, sizeof *v->runs, &runs) &&
        !__builtin_add_overflow(members, runs, &bytes) &&
        !__builtin_add_overflow(bytes, sizeof *v, &bytes))
        v = sdb_mem_zalloc(bytes);
    else
        bytes = SIZE_MAX;
    if (v == NULL) {
        (void)sdb_fail_nomem(err, bytes);
        return NULL;
    }
    atomic_init(&v->count, 1);
    v->runs = (struct sdb_run *)(v->members + n);
    return v;
}

static uint64_t newest(const struct sdb_table_desc *d)
{
    return d->commit != 0 ? d->commit : d->max_number;
}

/* The order of members in a version.  At level 0 a table may arrive later than one
 * with newer commits: the spilled writes of a transaction wait for no memtable. */
static int compare(const void *a, const void *b)
{
    const struct sdb_table_desc *x = &(*(struct sdb_member *const *)a)->desc;
    const struct sdb_table_desc *y = &(*(struct sdb_member *const *)b)->desc;
    if (x->level != y->level)
        return x->level < y->level ? -1 : 1;
    if (x->level == 0 && newest(x) != newest(y))
        return newest(x) > newest(y) ? -1 : 1;
    if (x->run != y->run)
        return x->run > y->run ? -1 : 1;
    return sdb_slice_cmp(sdb_buf_slice(&x->smallest), sdb_buf_slice(&y->smallest));
}

/* Gather the sorted members into runs. */
static int find_runs(struct sdb_version *v, seerdb_err *err)
{
    for (uint32_t i = 0; i < v->nmembers; i++) {
        const struct sdb_table_desc *d = &v->members[i]->desc;
        struct sdb_run *run = v->nruns == 0 ? NULL : &v->runs[v->nruns - 1];
        if (run == NULL || run->level != d->level || run->id != d->run ||
            (d->level == 0 && newest(d) != newest(&v->members[i - 1]->desc))) {
            run = &v->runs[v->nruns++];
            *run = (struct sdb_run){.id = d->run, .level = d->level, .first = i};
        } else {
            const struct sdb_table_desc *before = &v->members[i - 1]->desc;
            if (!sdb_table_desc_before(before, sdb_buf_slice(&d->smallest)))
                return sdb_fail(err, SEERDB_CORRUPT,
                                "tables %" PRIu64 " and %" PRIu64 " of run %" PRIu64
                                " at level %u overlap",
                                before->file, d->file, d->run, d->level);
        }
        run->n++;
        run->newest = newest(d) > run->newest ? newest(d) : run->newest;
        run->bytes += d->size;
        run->records += d->records;
        run->tombstones += d->tombstones;
        run->ranges += d->ranges;
        v->records += d->records;
        v->tombstones += d->tombstones;
        v->ranges += d->ranges;
        v->bytes += d->size;
        for (size_t k = 0; k < d->nvlogs; k++)
            v->values += d->vlogs[k].bytes;
        if (v->members[i]->table != NULL) /* some tests have none */
            v->memory += sdb_table_memory(v->members[i]->table);
    }
    return 0;
}

static bool is_among(const struct sdb_member *m, struct sdb_member *const *list,
                     size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (list[i] == m)
            return true;
    return false;
}

static void append(struct sdb_version *v, struct sdb_member *m)
{
    sdb_member_ref(m);
    v->members[v->nmembers++] = m;
}

int sdb_version_new(const struct sdb_version *base,
                    const struct sdb_version_change *change, struct sdb_version **out,
                    seerdb_err *err)
{
    size_t n = base == NULL ? 0 : base->nmembers;
    struct sdb_version *v = new_version(n + change->nadded, err);
    if (v == NULL)
        return SEERDB_NOMEM;
    for (size_t i = 0; i < n; i++)
        if (!is_among(base->members[i], change->removed, change->nremoved))
            append(v, base->members[i]);
    assert(v->nmembers == n - change->nremoved);
    for (size_t i = 0; i < change->nadded; i++)
        append(v, change->added[i]);
    qsort(v->members, v->nmembers, sizeof v->members[0], compare);
    int rc = find_runs(v, err);
    if (rc != 0) {
        sdb_version_unref(v);
        return rc;
    }
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
    for (size_t i = 0; i < v->nmembers; i++)
        sdb_member_unref(v->members[i]);
    sdb_mem_free(v);
}

uint64_t sdb_version_next_run(const struct sdb_version *v)
{
    uint64_t highest = 0;
    for (size_t i = 0; i < v->nruns; i++)
        if (v->runs[i].id > highest)
            highest = v->runs[i].id;
    return highest + 1;
}

uint32_t sdb_run_seek(const struct sdb_version *v, const struct sdb_run *run,
                      seerdb_slice key)
{
    uint32_t lo = run->first, hi = run->first + run->n;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (sdb_table_desc_before(&v->members[mid]->desc, key))
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

uint64_t sdb_run_rank(const struct sdb_version *v, const struct sdb_run *run,
                      seerdb_slice key)
{
    uint32_t at = sdb_run_seek(v, run, key);
    uint64_t rank = 0;
    for (uint32_t i = run->first; i < at; i++)
        rank += v->members[i]->desc.records;
    return at < run->first + run->n ? rank + sdb_table_rank(v->members[at]->table, key)
                                    : rank;
}

void sdb_version_find(const struct sdb_version *v, struct sdb_lookup *key,
                      struct sdb_places *out)
{
    const uint32_t most = sizeof out->at / sizeof out->at[0];
    out->n = v->nruns < most ? v->nruns : most;
    for (uint32_t i = 0; i < out->n; i++) {
        out->at[i] = sdb_run_find(v, &v->runs[i], key->key);
        if (out->at[i] != NULL && out->n > 1)
            sdb_table_prefetch(out->at[i]->table, key);
    }
}
