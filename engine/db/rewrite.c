/* SPDX-License-Identifier: Apache-2.0
 *
 * Inputs are opened a second time, without the block cache, so that what a compaction
 * reads once does not push out what readers use; a run's tables share a buffer that is
 * filled in large reads.
 *
 * The outputs take the inputs' place in the cache: without that every compaction would
 * send readers of rows that were in memory a moment ago to the files.  The old blocks
 * go when their tables do (sdb_empty_graveyard), and do not wait to be the oldest.
 *
 * An output ends between two user keys: at the wanted size, or half of that where a
 * table of the next level begins, so that the next compaction of it touches few tables
 * there.  At level 0 it does not: tables with different newest commits are runs of
 * their own there.
 *
 * Range tombstones that stay go to the outputs in pieces: an output has what lies
 * between its first key, or where it was cut from the one before, and the next one's.
 * So nothing of them is lost between outputs, and outputs do not overlap.  Inputs that
 * ranges delete whole are not read. */
#include "db/rewrite.h"

#include "db/sift.h"
#include "os/aheadfs.h"
#include "os/failpoint.h"
#include "table/merge_iter.h"
#include "table/range_iter.h"
#include "table/table_writer.h"
#include "tree/fold.h"
#include "tree/range_fold.h"
#include "tree/run_iter.h"

#include <assert.h>

#define AHEAD_MAX ((size_t)1 << 20)
#define AHEAD_MIN ((size_t)16 << 10)
#define AHEAD_OF  32u /* all of them together: such a part of the memory limit */
/* An output may overlap so many times its wanted size in the next level. */
#define OVERLAP_MAX 10u
/* What the disk is told to write at a time. */
#define WRITE_BACK ((uint64_t)1 << 20)
/* Keys between two looks at whether to go on. */
#define KEYS_AT_A_TIME 64u

/* The inputs of one run. */
struct source {
    struct sdb_fs *fs; /* owned */
    struct sdb_version *version;
    const struct sdb_iter
        *filter; /* what shows it less what ranges delete; NULL: all */
};

struct work {
    struct sdb_rewrite *r;
    seerdb *db;
    struct source *sources; /* owned; one for each run that has inputs */
    size_t nsources;
    size_t ahead;        /* bytes that each reads at a time */
    struct sdb_iter *it; /* owned: all of them merged */
    seerdb_slice largest;
    bool open_end;           /* that is no key */
    struct sdb_buf last_key; /* then: the last one of the inputs */
    struct sdb_fold fold;
    struct sdb_range_fold ranges;
    struct sdb_buf cut;    /* the key before which the output before ended */
    bool was_cut;          /* there was one */
    struct sdb_file *file; /* owned; NULL: no output is open */
    struct sdb_table_writer *writer;
    uint64_t number;            /* of the output's file */
    uint64_t name;              /* of its blocks in the cache */
    uint32_t nkept;             /* of which so many were written */
    bool mapped;                /* readers find blocks that are not packed in a map */
    uint32_t next_cut, end_cut; /* members of from: the next table of the cut run */
    uint64_t overlapped;        /* bytes of that run that the output reaches over */
    uint64_t written_back;      /* bytes of the output */
    uint64_t superseded;        /* records of the output */
    struct sdb_held_count held; /* of them, by snapshots */
    uint64_t versions;          /* emitted of the key at hand */
    uint64_t history, history_max; /* bytes of superseded versions kept, and allowed */
    seerdb_err why;                /* of a failure in emit */
};

/* ---- inputs ------------------------------------------------------------------- */

/* A member of our own for the same file, read through fs. */
static int open_input(struct work *w, struct sdb_fs *fs, const struct sdb_member *m,
                      struct sdb_member **out, seerdb_err *err)
{
    struct sdb_file *file = NULL;
    struct sdb_table *table = NULL;
    char *path = sdb_table_path(w->db, m->desc.file);
    if (path == NULL)
        return sdb_fail_nomem(err, 0);
    int rc = sdb_fs_open(fs, path, SDB_READ, SDB_FOR_COMPACTION, &file, err);
    sdb_mem_free(path);
    if (rc == 0 && (rc = sdb_table_reopen(m->table, file, &table, err)) == 0)
        rc = sdb_member_new(&m->desc, table, NULL, NULL, out, err);
    return rc;
}

/* Is all that the input holds deleted for everybody? */
static bool is_deleted(const struct work *w, const struct sdb_member *m)
{
    return sdb_range_fold_deleted(&w->ranges, &m->desc) != 0;
}

/* Show the source less what ranges delete of it. */
static int filter(const struct work *w, struct source *s, struct sdb_iter **it,
                  seerdb_err *err)
{
    uint64_t newest = 0;
    if (w->ranges.erased == NULL)
        return 0;
    for (uint32_t i = 0; i < s->version->nmembers; i++) {
        const struct sdb_table_desc *d = &s->version->members[i]->desc;
        newest = d->max_number > newest ? d->max_number : newest;
    }
    struct sdb_iter *source = *it;
    *it = NULL;
    int rc = sdb_range_iter(source, w->ranges.erased, newest, it, err);
    s->filter = *it;
    return rc;
}

/* The inputs from[i] on that are of one run become a source, or *out stays NULL: there
 * is nothing to read in them.  *i is then the first of the next run. */
static int open_source(struct work *w, size_t *i, struct sdb_iter **out,
                       seerdb_err *err)
{
    const struct sdb_version *from = w->r->from;
    const struct sdb_pick *pick = w->r->pick;
    const struct sdb_run *run = from->runs;
    struct source *s = &w->sources[w->nsources++];
    size_t n = 0;
    int rc = 0;
    while (pick->inputs[*i] >= run->first + run->n)
        run++;
    struct sdb_member **members = sdb_array_new(pick->n, sizeof members[0]);
    s->fs = sdb_aheadfs_new(w->db->fs, SDB_FOR_COMPACTION, w->ahead);
    if (members == NULL || s->fs == NULL) {
        rc = sdb_fail_nomem(err, pick->n * sizeof members[0]);
        goto out;
    }
    for (; *i < pick->n && pick->inputs[*i] < run->first + run->n && rc == 0; (*i)++) {
        const struct sdb_member *m = from->members[pick->inputs[*i]];
        if (!is_deleted(w, m) && (rc = open_input(w, s->fs, m, &members[n], err)) == 0)
            n++;
    }
    if (rc != 0 || n == 0)
        goto out;
    rc = sdb_version_new(NULL,
                         &(struct sdb_version_change){.added = members, .nadded = n},
                         &s->version, err);
    if (rc == 0 && s->version->nruns != 1)
        rc = sdb_fail(err, SEERDB_CORRUPT, "%s: the tables of one run are %" PRIu32,
                      w->db->dir, s->version->nruns);
    if (rc == 0)
        rc = sdb_run_iter(s->version, &s->version->runs[0], SDB_NUMBER_MAX, out, err);
    if (rc == 0)
        rc = filter(w, s, out, err);
out:
    while (n > 0)
        sdb_member_unref(members[--n]);
    sdb_mem_free(members);
    return rc;
}

/* How much each source may read at a time. */
static size_t share_ahead(const struct work *w)
{
    const struct sdb_version *from = w->r->from;
    const struct sdb_pick *pick = w->r->pick;
    size_t nruns = 0;
    for (size_t i = 0, run = 0; i < pick->n; i++)
        if (i == 0 || pick->inputs[i] >= from->runs[run].first + from->runs[run].n) {
            while (pick->inputs[i] >= from->runs[run].first + from->runs[run].n)
                run++;
            nruns++;
        }
    size_t ahead = w->db->memory_limit / AHEAD_OF / (nruns + 1);
    return ahead > AHEAD_MAX ? AHEAD_MAX : ahead < AHEAD_MIN ? AHEAD_MIN : ahead;
}

static int open_inputs(struct work *w, seerdb_err *err)
{
    size_t n = w->r->pick->n, opened = 0;
    int rc = 0;
    struct sdb_iter **iters = sdb_array_new(n, sizeof iters[0]);
    w->sources = sdb_array_new(n, sizeof w->sources[0]);
    if (iters == NULL || w->sources == NULL) {
        sdb_mem_free(iters);
        return sdb_fail_nomem(err, n * sizeof w->sources[0]);
    }
    w->ahead = share_ahead(w);
    for (size_t i = 0; i < n && rc == 0;)
        if ((rc = open_source(w, &i, &iters[opened], err)) == 0 &&
            iters[opened] != NULL)
            opened++;
    if (rc == 0)
        rc = sdb_merge_iter(iters, opened, &w->it, err); /* takes them over */
    else
        while (opened > 0)
            sdb_iter_close(iters[--opened]);
    sdb_mem_free(iters);
    return rc;
}

/* What becomes of the range tombstones. */
static int fold_ranges(struct work *w, seerdb_err *err)
{
    const struct sdb_pick *pick = w->r->pick;
    struct sdb_ranges_source *all = sdb_array_new(pick->n, sizeof *all);
    if (all == NULL)
        return sdb_fail_nomem(err, pick->n * sizeof *all);
    for (size_t i = 0; i < pick->n; i++)
        all[i] = sdb_member_ranges(w->r->from->members[pick->inputs[i]], UINT64_MAX);
    int rc = sdb_range_fold_init(&w->ranges, all, pick->n, &w->fold, err);
    sdb_mem_free(all);
    return rc;
}

/* Where the greatest bound of the inputs is the end of a range, the greatest key serves
 * those who write keys better. */
static int find_last_key(struct work *w, seerdb_err *err)
{
    int rc = w->it->ops->last(w->it, err);
    if (rc == SEERDB_NOTFOUND)
        return 0;
    if (rc != 0)
        return rc;
    sdb_buf_append_slice(&w->last_key, w->it->at.key);
    w->largest = sdb_buf_slice(&w->last_key);
    return sdb_buf_check(&w->last_key, err);
}

/* The keys between which everything lies. */
static void find_bounds(struct work *w)
{
    const struct sdb_version *from = w->r->from;
    for (size_t i = 0; i < w->r->pick->n; i++) {
        const struct sdb_table_desc *d = &from->members[w->r->pick->inputs[i]]->desc;
        if (i == 0 || sdb_slice_cmp(sdb_buf_slice(&d->largest), w->largest) > 0) {
            w->largest = sdb_buf_slice(&d->largest);
            w->open_end = d->open_end;
        }
    }
    if (w->r->pick->cut_run < from->nruns) {
        const struct sdb_run *run = &from->runs[w->r->pick->cut_run];
        w->next_cut = run->first;
        w->end_cut = run->first + run->n;
    }
}

/* ---- outputs ------------------------------------------------------------------- */

static int new_number(struct work *w, seerdb_err *err)
{
    seerdb *db = w->db;
    sdb_lock_write(&db->write_lock);
    int rc = sdb_reserve(db, err);
    if (rc == 0)
        w->number = atomic_fetch_add_explicit(&db->next_file, 1, memory_order_relaxed);
    sdb_unlock_write(&db->write_lock);
    return rc;
}

/* A block of the output was written.  Keep it for those who read the rows where they
 * were until now: if at least half of the runs that may have had its first key have
 * the block for it in the cache.  What nobody reads takes no memory that way. */
static void keep_block(void *ctx, uint32_t i, seerdb_slice bytes, bool packed)
{
    struct work *w = ctx;
    const struct sdb_version *from = w->r->from;
    enum sdb_cache_use use = SDB_CACHE_SCAN, kept_for;
    struct sdb_block b;
    unsigned asked = 0, kept = 0;
    w->nkept = i + 1;
    if ((w->mapped && !packed) || sdb_block_parse(bytes, "", &b, NULL) != 0)
        return;
    seerdb_slice key = sdb_block_key(&b, 0);
    for (size_t k = 0; k < w->r->pick->n; k++) {
        const struct sdb_member *m = from->members[w->r->pick->inputs[k]];
        if (sdb_slice_cmp(key, sdb_buf_slice(&m->desc.smallest)) < 0 ||
            sdb_slice_cmp(key, sdb_buf_slice(&m->desc.largest)) > 0)
            continue;
        asked++;
        if (!sdb_table_is_kept(m->table, key, &kept_for))
            continue;
        kept++;
        if (kept_for == SDB_CACHE_POINT)
            use = SDB_CACHE_POINT;
    }
    if (kept > 0 && 2 * kept >= asked)
        sdb_table_keep_block(w->db->cache, w->db->pages, w->name, i, bytes, use);
}

/* Begin an output whose first key is `smallest`. */
static int begin_output(struct work *w, seerdb_slice smallest, seerdb_err *err)
{
    const struct sdb_pick *pick = w->r->pick;
    struct sdb_table_writer_options o =
        sdb_tree_table_options(w->r->tree, pick->output_level);
    o.smallest = smallest;
    o.largest = w->largest;
    o.told = keep_block;
    o.expired_by = w->r->now_us;
    o.ctx = w;
    w->name = sdb_cache_new_table();
    w->nkept = 0;
    char *path = NULL;
    int rc = SDB_FAIL_AT(compact_output, err);
    if (rc == 0)
        rc = new_number(w, err);
    if (rc == 0 && (path = sdb_table_path(w->db, w->number)) == NULL)
        rc = sdb_fail_nomem(err, 0);
    if (rc == 0)
        rc =
            sdb_fs_open(w->db->fs, path, SDB_CREATE, SDB_FOR_COMPACTION, &w->file, err);
    sdb_mem_free(path);
    w->overlapped = w->superseded = w->written_back = 0;
    return rc != 0 ? rc : sdb_table_writer_new(w->file, &o, &w->writer, err);
}

/* Open what was written for reading, and list it. */
static int add_output(struct work *w, const struct sdb_table_desc *desc,
                      seerdb_err *err)
{
    struct sdb_rewrite *r = w->r;
    struct sdb_file *file = NULL;
    struct sdb_table *table = NULL;
    struct sdb_member **outputs = r->outputs;
    if (r->n == r->capacity) {
        size_t capacity = 2 * r->capacity + 8;
        if ((outputs = sdb_array_grow(outputs, capacity, sizeof outputs[0])) == NULL)
            return sdb_fail_nomem(err, capacity * sizeof outputs[0]);
        r->outputs = outputs;
        r->capacity = capacity;
    }
    char *path = sdb_table_path(w->db, desc->file);
    if (path == NULL)
        return sdb_fail_nomem(err, 0);
    int rc = sdb_fs_open(w->db->fs, path, SDB_READ, SDB_FOR_READ, &file, err);
    sdb_mem_free(path);
    if (rc != 0 || (rc = sdb_table_open(file, &desc->id, desc->size, &table, err)) != 0)
        return rc;
    sdb_table_use_cache_as(table, w->db->cache, w->db->pages, w->name);
    if ((rc = sdb_member_new(desc, table, NULL, NULL, &outputs[r->n], err)) == 0) {
        r->n++;
        r->bytes += desc->size;
        rc = sdb_values_keep_for(w->db->values, outputs[r->n - 1], err);
    }
    return rc;
}

/* Let go of the output at hand; `remove` its file too. */
static void drop_output(struct work *w, bool remove)
{
    sdb_table_writer_free(w->writer);
    w->writer = NULL;
    if (w->file == NULL)
        return;
    sdb_file_close(w->file);
    w->file = NULL;
    if (remove)
        sdb_cache_forget(w->db->cache, w->name, w->nkept);
    char *path = remove ? sdb_table_path(w->db, w->number) : NULL;
    if (path != NULL)
        (void)sdb_fs_remove(w->db->fs, path, NULL);
    sdb_mem_free(path);
}

/* From where the output at hand begins to where it ends. */
static struct sdb_range_span span_to(const struct work *w, seerdb_slice *from,
                                     const seerdb_slice *to)
{
    *from = sdb_buf_slice(&w->cut);
    return (struct sdb_range_span){w->was_cut ? from : NULL, to};
}

/* The next one begins with key `to`; NULL: there is none. */
static int end_output(struct work *w, const seerdb_slice *to, seerdb_err *err)
{
    const struct sdb_pick *pick = w->r->pick;
    struct sdb_table_summary s = {0};
    struct sdb_table_desc desc = {0};
    seerdb_slice from;
    struct sdb_range_span span = span_to(w, &from, to);
    sdb_range_fold_put(&w->ranges, &span, w->writer, &w->held);
    int rc = sdb_table_writer_finish(w->writer, &s, err);
    if (rc != 0)
        return rc;
    w->was_cut = true;
    sdb_buf_clear(&w->cut);
    if (to != NULL)
        sdb_buf_append_slice(&w->cut, *to);
    desc = (struct sdb_table_desc){.file = w->number,
                                   .level = pick->output_level,
                                   .run = pick->output_run,
                                   .superseded = w->superseded};
    if ((rc = sdb_buf_check(&w->cut, err)) == 0 &&
        (rc = sdb_table_desc_fill(&desc, &s, err)) == 0 &&
        (rc = sdb_held_count_take(&w->held, &desc.held, &desc.nheld, err)) == 0)
        rc = add_output(w, &desc, err);
    sdb_table_desc_fini(&desc);
    drop_output(w, rc != 0);
    return rc;
}

/* ---- the merge ------------------------------------------------------------------- */

static int emit(void *ctx, const struct sdb_record *r)
{
    struct work *w = ctx;
    int rc;
    if (w->writer == NULL && (rc = begin_output(w, r->key, &w->why)) != 0)
        return rc;
    sdb_table_writer_add(w->writer, r);
    unsigned superseded = w->versions++ > 0 && !w->fold.left;
    w->superseded += superseded;
    if (w->fold.held_by == 0 && superseded == 0) /* nearly all of them */
        return 0;
    size_t size = r->key.size + r->value.size + sdb_segments_stored(r);
    if (w->fold.held_by != 0)
        sdb_held_count_add(&w->held, w->fold.held_by, size,
                           superseded + (r->kind == SDB_KIND_TOMBSTONE));
    else
        w->history += size;
    return 0;
}

/* Must the output end before this key? */
static bool ends_before(struct work *w, seerdb_slice key)
{
    const struct sdb_version *from = w->r->from;
    bool crossed = false;
    while (w->next_cut < w->end_cut &&
           sdb_slice_cmp(sdb_buf_slice(&from->members[w->next_cut]->desc.smallest),
                         key) <= 0) {
        crossed = true;
        w->overlapped += from->members[w->next_cut++]->desc.size;
    }
    if (w->writer == NULL ||
        w->r->pick->output_level == 0) /* there, a table is a run */
        return false;
    uint64_t size = sdb_table_writer_size(w->writer), wanted = w->db->table_size;
    return size >= wanted ||
           (crossed && (size >= wanted / 2 || w->overlapped > OVERLAP_MAX * wanted));
}

/* Let the disk write while we read: its queue stays short for those who sync the log.
 */
static void write_back(struct work *w)
{
    uint64_t size = w->writer != NULL ? sdb_table_writer_size(w->writer) : 0;
    if (size < w->written_back + WRITE_BACK)
        return;
    sdb_file_write_back(w->file, w->written_back, size - w->written_back);
    w->written_back = size;
}

/* All records are written.  Ranges may be left. */
static int end_merge(struct work *w, seerdb_err *err)
{
    seerdb_slice from;
    struct sdb_range_span span = span_to(w, &from, NULL);
    int rc = 0;
    if (w->writer == NULL && sdb_range_fold_any(&w->ranges, &span))
        rc = begin_output(w, from, err);
    return rc == 0 && w->writer != NULL ? end_output(w, NULL, err) : rc;
}

/* Readers below this number may miss what ranges deleted, or ranges. */
static uint64_t floor_of_ranges(const struct work *w)
{
    uint64_t floor = w->ranges.floor;
    for (size_t i = 0; i < w->nsources; i++) {
        uint64_t deleted = w->sources[i].filter != NULL
                               ? sdb_range_iter_deleted(w->sources[i].filter)
                               : 0;
        floor = deleted > floor ? deleted : floor;
    }
    for (size_t i = 0; i < w->r->pick->n; i++) { /* that were not even opened */
        uint64_t deleted = sdb_range_fold_deleted(
            &w->ranges, &w->r->from->members[w->r->pick->inputs[i]]->desc);
        floor = deleted > floor ? deleted : floor;
    }
    return floor;
}

static int merge(struct work *w, seerdb_err *err)
{
    struct sdb_iter *it = w->it;
    uint64_t keys = 0;
    int rc;
    for (rc = it->ops->first(it, err); rc == 0; rc = it->ops->next(it, err)) {
        if (keys++ % KEYS_AT_A_TIME == 0 && (rc = w->r->look_up(w->r->ctx, err)) != 0)
            break;
        write_back(w);
        if (ends_before(w, it->at.key) && (rc = end_output(w, &it->at.key, err)) != 0)
            break;
        w->versions = 0;
        if ((rc = sdb_fold_key(&w->fold, it, emit, w, err)) != 0)
            break;
        if (w->history > w->history_max)
            w->fold.history_from = 0; /* it takes too much room: readers start again */
    }
    if (rc == SEERDB_NOTFOUND)
        rc = end_merge(w, err);
    return rc < 0 && w->why.code != 0 ? sdb_fail_as(err, &w->why) : rc;
}

int sdb_rewrite_run(struct sdb_rewrite *r, seerdb_err *err)
{
    struct work w = {.r = r, .db = r->tree->db};
    w.fold = (struct sdb_fold){.snapshots = sdb_snapshots_numbers(r->snapshots),
                               .nsnapshots = sdb_snapshots_nnumbers(r->snapshots),
                               .present = true,
                               .bottom = r->pick->last,
                               .history_from = r->history_from,
                               .note_floor = r->tree->marked,
                               .merge = sdb_tree_merge(r->tree)};
    sdb_tree_sift(r->tree, r->now_us, &w.fold);
    w.history_max = r->pick->bytes / 4;
    if (w.history_max < w.db->memtable_size)
        w.history_max = w.db->memtable_size;
    sdb_lock_db(&w.db->lock);
    w.mapped = r->tree->mapped;
    sdb_unlock_db(&w.db->lock);
    find_bounds(&w);
    int rc = sdb_held_count_init(&w.held, r->snapshots, err);
    if (rc == 0)
        rc = fold_ranges(&w, err);
    w.fold.ranges = w.ranges.staying;
    if (rc == 0)
        rc = open_inputs(&w, err);
    if (rc == 0 && w.open_end)
        rc = find_last_key(&w, err);
    if (rc == 0)
        rc = merge(&w, err);
    r->fold_floor = w.fold.floor;
    if (rc == 0 && r->tree->marked && floor_of_ranges(&w) > r->fold_floor)
        r->fold_floor = floor_of_ranges(&w);
    drop_output(&w, true);
    sdb_iter_close(w.it);
    sdb_fold_fini(&w.fold);
    sdb_range_fold_fini(&w.ranges);
    sdb_held_count_fini(&w.held);
    sdb_buf_fini(&w.last_key);
    sdb_buf_fini(&w.cut);
    for (size_t i = 0; i < w.nsources; i++) {
        sdb_version_unref(w.sources[i].version);
        sdb_aheadfs_free(w.sources[i].fs);
    }
    sdb_mem_free(w.sources);
    if (rc == 0 && r->n > 0 && (rc = SDB_FAIL_AT(compact_dir_sync, err)) == 0)
        rc = sdb_fs_sync_dir(w.db->fs, w.db->dir, err);
    return rc;
}

void sdb_rewrite_abandon(struct sdb_rewrite *r)
{
    seerdb *db = r->tree->db;
    for (size_t i = 0; i < r->n; i++) {
        sdb_table_forget(r->outputs[i]->table);
        char *path = sdb_table_path(db, r->outputs[i]->desc.file);
        if (path != NULL)
            (void)sdb_fs_remove(db->fs, path, NULL);
        sdb_mem_free(path);
    }
}

void sdb_rewrite_fini(struct sdb_rewrite *r)
{
    for (size_t i = 0; i < r->n; i++)
        sdb_member_unref(r->outputs[i]);
    sdb_mem_free(r->outputs);
    r->outputs = NULL;
    r->n = r->capacity = 0;
}
