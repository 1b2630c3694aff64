/* SPDX-License-Identifier: Apache-2.0
 *
 * Sorted input makes tables that follow one another: they are one run, however many
 * there are, so that a lookup asks one of them and a compaction may move them all.  A
 * table joins the newest run only.  Of older ones it may overlap any, being newer.
 *
 * Ordinals do not reach the commit: all its tables get one number.  A range of a newer
 * table then deletes nothing in an older one any more, and a merge record does not tell
 * what it includes; so when the batch is prepared such tables are merged first. */
#include "db/spill.h"

#include "base/interrupt.h"
#include "os/failpoint.h"
#include "table/merge_iter.h"
#include "table/range_iter.h"
#include "table/table_writer.h"
#include "tree/run_iter.h"

/* ---- one table ------------------------------------------------------------------ */

struct output {
    seerdb *db;
    char *path; /* owned; NULL: no file was made */
    uint64_t number;
    struct sdb_file *file; /* owned */
    struct sdb_table_writer *writer;
};

int sdb_spill_number(seerdb *db, uint64_t *number, seerdb_err *err)
{
    sdb_lock_write(&db->write_lock);
    int rc = sdb_reserve(db, err);
    sdb_unlock_write(&db->write_lock);
    if (rc == 0)
        *number = atomic_fetch_add_explicit(&db->next_file, 1, memory_order_relaxed);
    return rc;
}

/* May the table be part of the newest run?  Runs at one level have the newest first. */
static uint64_t choose_run(const struct sdb_version *runs,
                           const struct sdb_table_summary *t)
{
    if (runs == NULL || runs->nruns == 0)
        return 1;
    const struct sdb_run *newest = &runs->runs[0];
    uint32_t i = sdb_run_seek(runs, newest, t->smallest);
    if (i == newest->first + newest->n)
        return newest->id;
    int order =
        sdb_slice_cmp(t->largest, sdb_buf_slice(&runs->members[i]->desc.smallest));
    bool apart = order < 0 || (order == 0 && t->open_end);
    return apart ? newest->id : newest->id + 1;
}

static int begin_output(struct output *o, const seerdb_tree *t, seerdb_slice smallest,
                        seerdb_slice largest, seerdb_err *err)
{
    struct sdb_table_writer_options options = sdb_tree_table_options(t, 0);
    options.smallest = smallest;
    options.largest = largest;
    *o = (struct output){.db = t->db};
    int rc = SDB_FAIL_AT(spill_write, err);
    if (rc == 0)
        rc = sdb_spill_number(o->db, &o->number, err);
    if (rc != 0)
        return rc;
    if ((o->path = sdb_table_path(o->db, o->number)) == NULL)
        return sdb_fail_nomem(err, 0);
    rc = sdb_fs_open(o->db->fs, o->path, SDB_CREATE, SDB_FOR_FLUSH, &o->file, err);
    return rc != 0 ? rc : sdb_table_writer_new(o->file, &options, &o->writer, err);
}

static void close_output(struct output *o)
{
    sdb_table_writer_free(o->writer);
    sdb_file_close(o->file);
    o->writer = NULL;
    o->file = NULL;
}

/* Let go of it, and of the file that no member was made of. */
static void drop_output(struct output *o)
{
    close_output(o);
    if (o->path != NULL)
        (void)sdb_fs_remove(o->db->fs, o->path, NULL);
    sdb_mem_free(o->path);
    *o = (struct output){0};
}

/* Finish it as a private table of these ordinals; `runs`: which it may join, NULL: a
 * run of its own.  The output is dropped whatever the result. */
static int end_output(struct output *o, uint64_t from, uint64_t to,
                      const struct sdb_version *runs, struct sdb_member **out,
                      seerdb_err *err)
{
    struct sdb_table_summary t = {0};
    struct sdb_table_desc desc = {0};
    int rc = SDB_FAIL_AT(spill_finish, err);
    if (rc == 0)
        rc = sdb_table_writer_finish(o->writer, &t, err);
    if (rc == 0) {
        desc = (struct sdb_table_desc){.file = o->number,
                                       .level = 1,
                                       .commit = SDB_NUMBER_BATCH + to,
                                       .run = choose_run(runs, &t)};
        rc = sdb_table_desc_fill(&desc, &t, err);
        desc.min_number = from;
        desc.max_number = to;
        close_output(o);
        if (rc == 0)
            rc = sdb_open_member(o->db, &desc, sdb_bury, out, err);
    }
    if (rc == 0) { /* from here on the file goes with the member */
        sdb_mem_free(o->path);
        o->path = NULL;
        atomic_fetch_add_explicit(&o->db->counters.spills, 1, memory_order_relaxed);
    }
    drop_output(o);
    sdb_table_desc_fini(&desc);
    return rc;
}

/* ---- a segment ------------------------------------------------------------------ */

int sdb_spill_ranges(const struct sdb_spill *s, struct sdb_ranges **out,
                     seerdb_err *err)
{
    struct sdb_ranges *set = NULL;
    size_t n = 0;
    *out = NULL;
    int rc = sdb_memtable_ranges(s->memtable, &set, err);
    if (rc != 0 || set == NULL)
        return rc;
    struct sdb_range *all = sdb_array_new(sdb_ranges_count(set), sizeof *all);
    if (all == NULL) {
        rc = sdb_fail_nomem(err, sdb_ranges_count(set) * sizeof *all);
        goto out;
    }
    for (size_t i = 0; i < sdb_ranges_count(set); i++) {
        const struct sdb_range *r = sdb_ranges_at(set, i);
        if (r->number > s->from && r->number <= s->to &&
            !sdb_hidden_has(s->hidden, r->number))
            all[n++] = *r;
    }
    if (n > 0)
        rc = sdb_ranges_new(all, n, out, err);
out:
    sdb_mem_free(all);
    sdb_ranges_unref(set);
    return rc;
}

size_t sdb_spill_joined(const struct sdb_ranges *ranges, size_t i,
                        struct sdb_range *out)
{
    *out = (struct sdb_range){sdb_ranges_fragment(ranges, i)->start,
                              sdb_ranges_fragment(ranges, i)->end, 0};
    while (++i < sdb_ranges_fragments(ranges) &&
           sdb_slice_equal(out->end, sdb_ranges_fragment(ranges, i)->start))
        out->end = sdb_ranges_fragment(ranges, i)->end;
    return i;
}

/* One more record is looked at. */
static int pass(uint32_t *steps, seerdb_err *err)
{
    return ++*steps % SDB_INTERRUPT_STEPS != 0 ? 0 : sdb_interrupted(err);
}

/* What a commit keeps of the segment; *written counts it. */
static int write_content(const struct sdb_spill *s, struct sdb_table_writer *w,
                         uint64_t *written, seerdb_err *err)
{
    struct sdb_iter *it = NULL;
    struct sdb_ranges *ranges = NULL;
    uint32_t steps = 0;
    int rc = sdb_spill_ranges(s, &ranges, err);
    if (rc == 0)
        rc = sdb_memtable_iter(s->memtable, s->to, s->hidden, 0, &it, err);
    if (rc != 0)
        goto out;
    for (size_t i = 0; i < sdb_ranges_fragments(ranges); ++*written) {
        struct sdb_range range;
        i = sdb_spill_joined(ranges, i, &range);
        sdb_table_writer_range(w, &range);
    }
    it->chains = true;
    const struct sdb_gather_commit gather = {
        sdb_tree_merge(s->tree), s->merging,          s->from, ranges,
        sdb_values_resolve,      s->tree->db->values, true};
    for (rc = it->ops->first(it, err); rc == 0; rc = it->ops->next(it, err)) {
        struct sdb_record r = it->at;
        if ((rc = pass(&steps, err)) != 0)
            break;
        if (r.number <= s->from)
            continue; /* of a segment before, which has it */
        if (sdb_ranges_cover(ranges, r.key, UINT64_MAX, NULL) > r.number)
            continue;
        if (r.kind == SDB_KIND_MERGE &&
            (rc = sdb_gather_commit(&gather, it, &r, err)) != 0)
            break;
        r.number = 0;
        sdb_table_writer_add(w, &r);
        ++*written;
    }
    rc = rc == SEERDB_NOTFOUND ? 0 : rc;
out:
    sdb_iter_close(it);
    sdb_ranges_unref(ranges);
    return rc;
}

int sdb_spill_write(const struct sdb_spill *s, struct sdb_version **out,
                    seerdb_err *err)
{
    seerdb_slice smallest = {"", 0}, largest = {"", 0};
    struct output o;
    struct sdb_member *member = NULL;
    uint64_t written = 0;
    if (!sdb_memtable_bounds(s->memtable, &smallest, &largest) &&
        !sdb_memtable_has_ranges(s->memtable))
        return SEERDB_NOTFOUND;
    int rc = begin_output(&o, s->tree, smallest, largest, err);
    if (rc == 0 && (rc = write_content(s, o.writer, &written, err)) == 0)
        rc = written == 0 ? SEERDB_NOTFOUND
                          : end_output(&o, s->from, s->to, s->runs, &member, err);
    if (rc == 0)
        rc = sdb_version_new(
            s->runs, &(struct sdb_version_change){.added = &member, .nadded = 1}, out,
            err);
    drop_output(&o);
    sdb_member_unref(member);
    if (rc != 0)
        sdb_empty_graveyard(s->tree->db);
    return rc;
}

/* ---- merging -------------------------------------------------------------------- */

/* Does a range of the table lie over tables of the runs from `first` on? */
static bool reaches(const struct sdb_version *v, const struct sdb_member *m,
                    uint32_t first)
{
    const struct sdb_ranges *ranges = sdb_table_ranges(m->table);
    for (size_t i = 0; i < sdb_ranges_fragments(ranges); i++) {
        const struct sdb_range *r = sdb_ranges_fragment(ranges, i);
        for (uint32_t k = first; k < v->nruns; k++) {
            uint32_t at = sdb_run_seek(v, &v->runs[k], r->start);
            if (at < v->runs[k].first + v->runs[k].n &&
                sdb_slice_cmp(sdb_buf_slice(&v->members[at]->desc.smallest), r->end) <
                    0)
                return true;
        }
    }
    return false;
}

bool sdb_spill_must_merge(const struct sdb_version *runs)
{
    for (uint32_t i = 0; runs->ranges > 0 && i + 1 < runs->nruns; i++)
        for (uint32_t k = 0; k < runs->runs[i].n; k++)
            if (reaches(runs, runs->members[runs->runs[i].first + k], i + 1))
                return true;
    return false;
}

struct merge {
    seerdb_tree *tree;
    struct sdb_merging *merging;
    struct sdb_version *runs;
    uint64_t from, to;       /* ordinals of all of them */
    struct sdb_ranges *flat; /* counted: all their ranges; NULL: none */
    struct sdb_iter *it;     /* owned: what they leave of the records */
    seerdb_slice largest;
    struct output o;
    struct sdb_buf begin; /* the first key of the output; of the first one, nothing */
    struct sdb_member **members; /* owned, n counted */
    size_t n, capacity;
};

static int open_sources(struct merge *g, seerdb_err *err)
{
    const struct sdb_run_shown all = {.ceiling = UINT64_MAX};
    struct sdb_version *v = g->runs;
    struct sdb_iter **sources = sdb_array_new(v->nruns, sizeof *sources);
    uint32_t n = 0;
    int rc = sources == NULL ? sdb_fail_nomem(err, v->nruns * sizeof *sources) : 0;
    while (rc == 0 && n < v->nruns) {
        rc = sdb_run_iter_spilled(v, &v->runs[n], &all, &sources[n], err);
        n += rc == 0 ? 1 : 0;
    }
    if (rc == 0)
        rc = sdb_merge_iter(sources, n, &g->it, err); /* takes them over */
    else
        while (n > 0)
            sdb_iter_close(sources[--n]);
    sdb_mem_free(sources);
    if (rc == 0 && g->flat != NULL) {
        struct sdb_iter *merged = g->it;
        g->it = NULL;
        rc = sdb_range_iter(merged, g->flat, UINT64_MAX, &g->it, err);
    }
    return rc;
}

static int gather(struct merge *g, seerdb_err *err)
{
    const struct sdb_version *v = g->runs;
    struct sdb_ranges_source *sources = sdb_array_new(v->nmembers, sizeof *sources);
    if (sources == NULL)
        return sdb_fail_nomem(err, v->nmembers * sizeof *sources);
    g->from = UINT64_MAX;
    for (uint32_t i = 0; i < v->nmembers; i++) {
        const struct sdb_table_desc *d = &v->members[i]->desc;
        sources[i] =
            (struct sdb_ranges_source){.ranges = sdb_table_ranges(v->members[i]->table),
                                       .as = d->commit,
                                       .ceiling = UINT64_MAX};
        g->from = d->min_number < g->from ? d->min_number : g->from;
        g->to = d->max_number > g->to ? d->max_number : g->to;
        if (sdb_slice_cmp(sdb_buf_slice(&d->largest), g->largest) > 0)
            g->largest = sdb_buf_slice(&d->largest);
    }
    int rc = sdb_ranges_flatten(sources, v->nmembers, &g->flat, err);
    sdb_mem_free(sources);
    return rc;
}

/* The part of the ranges that lies in the output, which ends before `end` (NULL: it is
 * the last one). */
static void write_ranges(struct merge *g, const seerdb_slice *end)
{
    seerdb_slice begin = sdb_buf_slice(&g->begin);
    for (size_t i = sdb_ranges_find(g->flat, begin);
         i < sdb_ranges_fragments(g->flat);) {
        struct sdb_range r;
        i = sdb_spill_joined(g->flat, i, &r);
        if (sdb_slice_cmp(r.start, begin) < 0)
            r.start = begin;
        if (end != NULL && sdb_slice_cmp(r.end, *end) > 0)
            r.end = *end;
        if (sdb_range_is_empty(&r))
            break; /* it begins where the output ends */
        sdb_table_writer_range(g->o.writer, &r);
    }
}

static int end_merged(struct merge *g, const seerdb_slice *end, seerdb_err *err)
{
    if (g->n == g->capacity) {
        size_t capacity = 2 * g->capacity + 8;
        struct sdb_member **members =
            sdb_array_grow(g->members, capacity, sizeof(struct sdb_member *));
        if (members == NULL)
            return sdb_fail_nomem(err, capacity * sizeof(struct sdb_member *));
        g->members = members;
        g->capacity = capacity;
    }
    write_ranges(g, end);
    g->members[g->n] = NULL;
    int rc = end_output(&g->o, g->from, g->to, NULL, &g->members[g->n], err);
    g->n += rc == 0 ? 1 : 0;
    sdb_buf_clear(&g->begin);
    if (rc == 0 && end != NULL)
        sdb_buf_append_slice(&g->begin, *end);
    return rc != 0 ? rc : sdb_buf_check(&g->begin, err);
}

/* Outputs are as large as what a batch spills at a time. */
static int write_merged(struct merge *g, seerdb_err *err)
{
    struct sdb_iter *it = g->it;
    const struct sdb_gather_commit gather = {
        sdb_tree_merge(g->tree), g->merging,          0,    NULL,
        sdb_values_resolve,      g->tree->db->values, false};
    uint32_t steps = 0;
    int rc;
    for (rc = it->ops->first(it, err); rc == 0; rc = it->ops->next(it, err)) {
        struct sdb_record r = it->at;
        if ((rc = pass(&steps, err)) != 0)
            break;
        if (g->o.writer != NULL &&
            sdb_table_writer_size(g->o.writer) >= g->tree->db->batch_share &&
            (rc = end_merged(g, &r.key, err)) != 0)
            break;
        if (g->o.writer == NULL &&
            (rc = begin_output(&g->o, g->tree, r.key, g->largest, err)) != 0)
            break;
        if (r.kind == SDB_KIND_MERGE &&
            (rc = sdb_gather_commit(&gather, it, &r, err)) != 0)
            break;
        r.number = 0;
        sdb_table_writer_add(g->o.writer, &r);
    }
    if (rc != SEERDB_NOTFOUND)
        return rc;
    rc = g->o.writer != NULL
             ? 0
             : begin_output(&g->o, g->tree, (seerdb_slice){"", 0}, g->largest, err);
    return rc != 0 ? rc : end_merged(g, NULL, err);
}

int sdb_spill_merge(seerdb_tree *tree, struct sdb_version *runs,
                    struct sdb_merging *merging, struct sdb_version **out,
                    seerdb_err *err)
{
    struct merge g = {.tree = tree, .merging = merging, .runs = runs};
    int rc = gather(&g, err);
    if (rc == 0 && (rc = open_sources(&g, err)) == 0)
        rc = write_merged(&g, err);
    drop_output(&g.o);
    if (rc == 0)
        rc = sdb_version_new(
            NULL, &(struct sdb_version_change){.added = g.members, .nadded = g.n}, out,
            err);
    sdb_iter_close(g.it);
    sdb_ranges_unref(g.flat);
    sdb_buf_fini(&g.begin);
    while (g.n > 0)
        sdb_member_unref(g.members[--g.n]);
    sdb_mem_free(g.members);
    if (rc != 0)
        sdb_empty_graveyard(tree->db);
    return rc;
}
