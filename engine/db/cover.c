/* SPDX-License-Identifier: Apache-2.0
 *
 * Lookups go from the newest source to the oldest, as those without ranges do, and keep
 * the greatest number of the ranges that they have met over the key.  A record of a
 * smaller number is deleted.  Of two sources the one that holds newer versions of a key
 * holds the newer ranges over it too, because bounds of tables take in their ranges: so
 * whatever lies behind a source with a range over the key is deleted by it, and the
 * lookup ends there.  Commits whose tables wait to be landed lie beside the memtables,
 * and are compared by their numbers. */
#include "db/cover.h"

#include "tree/run_iter.h"

/* ---- lookups ------------------------------------------------------------------ */

struct search {
    const struct sdb_sight *sight;
    struct sdb_lookup key;
    struct sdb_found *found;
    bool any;       /* found has something */
    uint64_t cover; /* the greatest number of the ranges met over the key; 0: none */
};

static void note_cover(struct search *f, uint64_t number)
{
    if (number > f->cover)
        f->cover = number;
}

/* What was found is deleted by a range, or not; nothing was found. */
static int conclude(struct search *f)
{
    if (f->any && f->found->number >= f->cover)
        return 0;
    if (f->any)
        seerdb_pin_unref(f->found->pin);
    *f->found = (struct sdb_found){0};
    return SEERDB_NOTFOUND;
}

/* Look into a memtable and at its ranges.  0: looked, with or without success. */
static int look_in_memtable(struct search *f, struct sdb_memtable *m, uint64_t ceiling,
                            const struct sdb_hidden *hidden, seerdb_err *err)
{
    struct sdb_ranges *ranges = NULL;
    int rc = sdb_memtable_ranges(m, &ranges, err);
    if (rc != 0)
        return rc;
    note_cover(f, sdb_ranges_cover(ranges, f->key.key, ceiling, hidden));
    sdb_ranges_unref(ranges);
    f->any = sdb_memtable_get(m, f->key.key, ceiling, hidden, f->found) == 0;
    return 0;
}

/* Look into the private tables of a batch, whose numbers are ordinals here. */
static int look_in_spilled(struct search *f, seerdb_err *err)
{
    const struct sdb_sight *s = f->sight;
    const struct sdb_version *v = s->part->runs;
    int rc = v != NULL ? sdb_batch_check_mark(s->part, s->mark, err) : 0;
    for (uint32_t i = 0; rc == 0 && v != NULL && i < v->nruns && !f->any; i++) {
        const struct sdb_member *m = sdb_run_find(v, &v->runs[i], f->key.key);
        if (m == NULL || !sdb_batch_sees(s->batch, m, s->mark))
            continue;
        if (sdb_ranges_has(sdb_table_ranges(m->table), f->key.key))
            note_cover(f, m->desc.max_number);
        rc = sdb_table_get(m->table, &f->key, SDB_NUMBER_MAX, f->found, err);
        f->any = rc == 0;
        if (rc == 0)
            f->found->number = m->desc.max_number;
        rc = rc == SEERDB_NOTFOUND ? 0 : rc;
        if (f->cover > 0)
            break;
    }
    return rc;
}

static int look_in_batch(struct search *f, seerdb_err *err)
{
    const struct sdb_sight *s = f->sight;
    if (s->part == NULL)
        return 0;
    int rc = look_in_memtable(f, s->part->memtable, s->mark, &s->batch->scratch->hidden,
                              err);
    return rc == 0 && !f->any && f->cover == 0 ? look_in_spilled(f, err) : rc;
}

static int look_in_memtables(struct search *f, seerdb_err *err)
{
    const struct sdb_read_state *s = f->sight->state;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < s->nmemtables && !f->any && f->cover == 0; i++)
        rc = look_in_memtable(f, s->memtables[i], f->sight->number, f->sight->hidden,
                              err);
    return rc;
}

static int look_in_pending(struct search *f, const struct sdb_pending *p,
                           seerdb_err *err)
{
    struct sdb_found newer = {0};
    for (uint32_t i = 0; i < p->runs->nruns; i++) {
        const struct sdb_member *m =
            sdb_run_find(p->runs, &p->runs->runs[i], f->key.key);
        if (m != NULL && sdb_ranges_has(sdb_table_ranges(m->table), f->key.key))
            note_cover(f, p->number);
    }
    if (f->any && f->found->number > p->number)
        return 0;
    int rc = sdb_pending_get(p, &f->key, &newer, err);
    if (rc != 0)
        return rc == SEERDB_NOTFOUND ? 0 : rc;
    if (f->any)
        seerdb_pin_unref(f->found->pin);
    *f->found = newer;
    f->any = true;
    return 0;
}

static int look_in_pendings(struct search *f, seerdb_err *err)
{
    const struct sdb_sight *s = f->sight;
    const struct sdb_pendings *list = s->state->pendings;
    int rc = 0;
    for (size_t i = 0; list != NULL && i < list->n && rc == 0; i++) {
        bool seen = false;
        rc = sdb_pending_look(list->all[i], s->number, s->hidden, &seen, err);
        if (rc == 0 && seen)
            rc = look_in_pending(f, list->all[i], err);
    }
    return rc;
}

static int look_in_tables(struct search *f, seerdb_err *err)
{
    const struct sdb_version *v = f->sight->state->version;
    uint64_t ceiling = f->sight->number;
    int rc = 0;
    for (uint32_t i = 0; i < v->nruns && rc == 0 && !f->any && f->cover == 0; i++) {
        const struct sdb_member *m = sdb_run_find(v, &v->runs[i], f->key.key);
        if (m == NULL)
            continue;
        note_cover(f, sdb_member_cover(m, f->key.key, ceiling));
        rc = sdb_member_get(m, &f->key, ceiling, f->found, err);
        f->any = rc == 0;
        rc = rc == SEERDB_NOTFOUND ? 0 : rc;
    }
    return rc;
}

int sdb_cover_get(const struct sdb_sight *s, seerdb_slice key, struct sdb_found *out,
                  seerdb_err *err)
{
    struct search f = {.sight = s, .key = {.key = key}, .found = out};
    int rc = look_in_batch(&f, err);
    if (rc != 0 || f.any || f.cover > 0) /* the batch is newer than all commits */
        return rc != 0 ? rc : conclude(&f);
    if ((rc = look_in_memtables(&f, err)) == 0)
        rc = look_in_pendings(&f, err);
    if (rc == 0 && !f.any && f.cover == 0)
        rc = look_in_tables(&f, err);
    if (rc != 0 && f.any)
        seerdb_pin_unref(f.found->pin);
    return rc != 0 ? rc : conclude(&f);
}

/* ---- scans -------------------------------------------------------------------- */

/* Add a source that is made of `ranges`, whose count is taken over. */
static int add(struct sdb_cover *c, size_t *n, struct sdb_ranges *ranges,
               struct sdb_ranges_source source, seerdb_err *err)
{
    if (ranges == NULL || source.as > source.ceiling) {
        sdb_ranges_unref(ranges);
        return 0;
    }
    if (*n == c->capacity) {
        size_t capacity = c->capacity * 2 + 8;
        struct sdb_ranges_source *looked_at =
            sdb_array_grow(c->looked_at, capacity, sizeof *looked_at);
        if (looked_at != NULL)
            c->looked_at = looked_at;
        struct sdb_ranges_source *sources =
            sdb_array_grow(c->sources, capacity, sizeof *sources);
        if (sources != NULL)
            c->sources = sources;
        if (looked_at == NULL || sources == NULL) {
            sdb_ranges_unref(ranges);
            return sdb_fail_nomem(err, 2 * capacity * sizeof *sources);
        }
        c->capacity = capacity;
    }
    /* Whoever sees all of it is like any other who does. */
    if (source.as != 0 || source.ceiling >= sdb_ranges_max_number(ranges))
        source.ceiling = UINT64_MAX;
    if (source.hidden != NULL && source.hidden->n == 0)
        source.hidden = NULL;
    source.ranges = ranges;
    c->looked_at[(*n)++] = source;
    return 0;
}

static int add_memtable(struct sdb_cover *c, size_t *n, struct sdb_memtable *m,
                        struct sdb_ranges_source source, seerdb_err *err)
{
    struct sdb_ranges *ranges = NULL;
    int rc = sdb_memtable_ranges(m, &ranges, err);
    return rc != 0 ? rc : add(c, n, ranges, source, err);
}

static int add_run(struct sdb_cover *c, size_t *n, const struct sdb_version *v,
                   const struct sdb_run *run, uint64_t as, uint64_t ceiling,
                   seerdb_err *err)
{
    int rc = 0;
    for (uint32_t i = run->first; i < run->first + run->n && rc == 0; i++) {
        const struct sdb_member *m = v->members[i];
        struct sdb_ranges *ranges = sdb_table_ranges(m->table);
        if (ranges != NULL)
            rc = add(c, n, sdb_ranges_ref(ranges),
                     (struct sdb_ranges_source){.as = as != 0 ? as : m->desc.commit,
                                                .ceiling = ceiling},
                     err);
    }
    return rc;
}

/* The ranges of a version's tables, of which a spilled one's have this number; 0: its
 * commit. */
static int add_version(struct sdb_cover *c, size_t *n, const struct sdb_version *v,
                       uint64_t as, uint64_t ceiling, seerdb_err *err)
{
    int rc = 0;
    if (v->ranges == 0)
        return 0;
    for (uint32_t i = 0; i < v->nruns && rc == 0; i++)
        if (v->runs[i].ranges > 0)
            rc = add_run(c, n, v, &v->runs[i], as, ceiling, err);
    return rc;
}

static int add_batch(struct sdb_cover *c, size_t *n, const struct sdb_sight *s,
                     seerdb_err *err)
{
    const struct sdb_version *v = s->part->runs;
    int rc =
        add_memtable(c, n, s->part->memtable,
                     (struct sdb_ranges_source){.ceiling = s->mark,
                                                .hidden = &s->batch->scratch->hidden,
                                                .raise = SDB_NUMBER_BATCH},
                     err);
    for (uint32_t i = 0; v != NULL && i < v->nmembers && rc == 0; i++) {
        const struct sdb_member *m = v->members[i];
        struct sdb_ranges *ranges = sdb_table_ranges(m->table);
        if (ranges != NULL && sdb_batch_sees(s->batch, m, s->mark))
            rc = add(
                c, n, sdb_ranges_ref(ranges),
                (struct sdb_ranges_source){.as = m->desc.commit, .ceiling = UINT64_MAX},
                err);
    }
    return rc;
}

static int add_all(struct sdb_cover *c, size_t *n, const struct sdb_sight *s,
                   seerdb_err *err)
{
    const struct sdb_pendings *list = s->state->pendings;
    int rc = s->part != NULL ? add_batch(c, n, s, err) : 0;
    for (size_t i = 0; i < s->state->nmemtables && rc == 0; i++)
        rc = add_memtable(
            c, n, s->state->memtables[i],
            (struct sdb_ranges_source){.ceiling = s->number, .hidden = s->hidden}, err);
    for (size_t i = 0; list != NULL && i < list->n && rc == 0; i++) {
        bool seen = false;
        rc = sdb_pending_look(list->all[i], s->number, s->hidden, &seen, err);
        if (rc == 0 && seen)
            rc = add_version(c, n, list->all[i]->runs, list->all[i]->number, s->number,
                             err);
    }
    return rc != 0 ? rc : add_version(c, n, s->state->version, 0, s->number, err);
}

static bool is_same(const struct sdb_ranges_source *a,
                    const struct sdb_ranges_source *b)
{
    /* What is hidden may have changed in place. */
    return a->ranges == b->ranges && a->as == b->as && a->ceiling == b->ceiling &&
           a->raise == b->raise && a->hidden == NULL && b->hidden == NULL;
}

static bool is_known(const struct sdb_cover *c, size_t n)
{
    bool same = c->known && c->n == n;
    for (size_t i = 0; i < n && same; i++)
        same = is_same(&c->sources[i], &c->looked_at[i]);
    return same;
}

/* They are const for everybody who only looks at them. */
static void unref_all(const struct sdb_ranges_source *sources, size_t n)
{
    for (size_t i = 0; i < n; i++)
        sdb_ranges_unref((struct sdb_ranges *)(uintptr_t)sources[i].ranges);
}

int sdb_cover_update(struct sdb_cover *c, const struct sdb_sight *s, seerdb_err *err)
{
    struct sdb_ranges *flat = NULL;
    size_t n = 0;
    int rc = add_all(c, &n, s, err);
    if (rc != 0 || is_known(c, n) ||
        (rc = sdb_ranges_flatten(c->looked_at, n, &flat, err)) != 0) {
        unref_all(c->looked_at, n);
        return rc;
    }
    struct sdb_ranges_source *old = c->sources;
    unref_all(old, c->n);
    sdb_ranges_unref(c->flat);
    c->sources = c->looked_at;
    c->looked_at = old;
    c->n = n;
    c->flat = flat;
    c->known = true;
    return 0;
}

void sdb_cover_fini(struct sdb_cover *c)
{
    unref_all(c->sources, c->n);
    sdb_ranges_unref(c->flat);
    sdb_mem_free(c->sources);
    sdb_mem_free(c->looked_at);
    *c = (struct sdb_cover){0};
}
