/* SPDX-License-Identifier: Apache-2.0
 *
 * The order of durability: table synced, directory synced, log synced, manifest record
 * synced, version published, memtable dropped, its log files released.  A crash between
 * any two leaves the data in the log, in the table, or in both; replaying what a table
 * already holds is skipped by the tree's `flushed` number. */
#include "db/flush.h"

#include "db/batch.h"
#include "db/debt.h"
#include "db/events.h"
#include "db/marked.h"
#include "db/separate.h"
#include "db/sift.h"
#include "log/side.h"
#include "os/clock.h"
#include "os/failpoint.h"
#include "table/range_iter.h"
#include "table/table_writer.h"
#include "tree/fold.h"
#include "tree/range_fold.h"

#include <stdio.h>

/* A tree gets no more memtables than that without need. */
#define MEMTABLES_MOST 63u
/* One with that many range tombstones is full. */
#define RANGES_MOST 1000u
/* What the disk is told to write at a time. */
#define WRITE_BACK ((uint64_t)1 << 20)

struct flush {
    struct sdb_job job;            /* first member */
    seerdb_tree *tree;             /* a counted handle */
    struct sdb_memtable *memtable; /* counted */
    struct sdb_read_state *from; /* counted while it runs: what counts, and what not */
    struct sdb_snapshots *snapshots; /* counted while it runs: what they need stays */
    uint64_t history_from;
    uint64_t now_us;      /* for the tree's filter; 0: it is not asked */
    uint64_t fold_floor;  /* reads below it may miss what this flush folded */
    uint64_t last_number; /* of the commits in it */
    uint64_t below;       /* its commits have smaller numbers: known when it froze */
    uint64_t aside;       /* the side file that goes with it; 0: none */
    uint64_t file; /* the table's number, kept over retries if it can be; 0: none yet */
};

static void flush_free(struct sdb_job *job)
{
    struct flush *f = (struct flush *)job;
    sdb_memtable_unref(f->memtable);
    sdb_tree_unref(f->tree);
    sdb_mem_free(f);
}

struct sink {
    struct sdb_table_writer *writer;
    uint64_t records, superseded, ranges;
    uint64_t versions; /* of the key at hand */
    const struct sdb_fold *fold;
    struct sdb_held_count held; /* by snapshots */
    struct sdb_file *file;
    uint64_t written_back; /* bytes that the disk was told to write */
};

static int emit_to_writer(void *ctx, const struct sdb_record *r)
{
    struct sink *sink = ctx;
    sdb_table_writer_add(sink->writer, r);
    sink->records++;
    unsigned superseded = sink->versions++ > 0 && !sink->fold->left;
    sink->superseded += superseded;
    if (sink->fold->held_by != 0)
        sdb_held_count_add(&sink->held, sink->fold->held_by,
                           r->key.size + r->value.size,
                           superseded + (r->kind == SDB_KIND_TOMBSTONE));
    uint64_t size = sdb_table_writer_size(sink->writer);
    if (size >= sink->written_back + WRITE_BACK) {
        sdb_file_write_back(sink->file, sink->written_back, size - sink->written_back);
        sink->written_back = size;
    }
    return 0;
}

/* Nothing older than this memtable exists: tombstones have nothing to hide. */
static bool is_bottom(struct flush *f)
{
    seerdb *db = f->job.db;
    sdb_lock_db(&db->lock);
    const struct sdb_read_state *s = f->tree->state;
    bool bottom =
        s->version->nruns == 0 && s->memtables[s->nmemtables - 1] == f->memtable;
    sdb_unlock_db(&db->lock);
    return bottom;
}

/* Fold the range tombstones, of which *newest is the greatest number that counts. */
static int fold_ranges(struct flush *f, struct sdb_fold *fold,
                       struct sdb_range_fold *ranges, uint64_t *newest, seerdb_err *err)
{
    const struct sdb_hidden *hidden = &f->from->hidden;
    struct sdb_ranges *all = NULL;
    int rc = sdb_memtable_ranges(f->memtable, &all, err);
    if (rc != 0 || all == NULL)
        return rc;
    struct sdb_ranges_source s = {
        .ranges = all, .ceiling = SDB_NUMBER_MAX, .hidden = hidden};
    rc = sdb_range_fold_init(ranges, &s, 1, fold, err);
    for (size_t i = 0; i < sdb_ranges_count(all); i++) {
        uint64_t number = sdb_ranges_at(all, i)->number;
        if (number > *newest && !sdb_hidden_has(hidden, number))
            *newest = number;
    }
    sdb_ranges_unref(all);
    return rc;
}

/* Show the memtable less what its ranges delete; *it is closed on failure. */
static int filter_records(const struct sdb_range_fold *ranges, struct sdb_iter **it,
                          const struct sdb_iter **filter, seerdb_err *err)
{
    struct sdb_iter *all = *it;
    if (ranges->erased == NULL)
        return 0;
    *it = NULL;
    int rc = sdb_range_iter(all, ranges->erased, UINT64_MAX, it, err);
    *filter = *it;
    return rc;
}

/* Readers below this number may miss what ranges deleted, or ranges. */
static uint64_t floor_of_ranges(const struct sdb_range_fold *ranges,
                                const struct sdb_iter *filter)
{
    uint64_t deleted = filter != NULL ? sdb_range_iter_deleted(filter) : 0;
    return deleted > ranges->floor ? deleted : ranges->floor;
}

/* Fold the memtable into the writer. */
static int write_records(struct flush *f, struct sink *sink, seerdb_err *err)
{
    struct sdb_fold fold = {.snapshots = sdb_snapshots_numbers(f->snapshots),
                            .nsnapshots = sdb_snapshots_nnumbers(f->snapshots),
                            .present = true,
                            .bottom = is_bottom(f),
                            .history_from = f->tree->marked ? f->history_from : 0,
                            .note_floor = f->tree->marked,
                            .merge = sdb_tree_merge(f->tree)};
    sdb_tree_sift(f->tree, f->now_us, &fold);
    struct sdb_range_fold ranges = {0};
    struct sdb_iter *it = NULL;
    const struct sdb_iter *filter = NULL;
    uint64_t newest = 0;
    sink->fold = &fold;
    int rc = sdb_held_count_init(&sink->held, f->snapshots, err);
    if (rc == 0)
        rc = fold_ranges(f, &fold, &ranges, &newest, err);
    fold.ranges = ranges.staying;
    if (rc == 0)
        rc = sdb_memtable_iter(f->memtable, SDB_NUMBER_MAX, &f->from->hidden, 0, &it,
                               err);
    if (rc == 0)
        rc = filter_records(&ranges, &it, &filter, err);
    if (rc == 0)
        for (rc = it->ops->first(it, err); rc == 0; rc = it->ops->next(it, err)) {
            if (it->at.number > newest)
                newest = it->at.number;
            sink->versions = 0;
            if ((rc = sdb_fold_key(&fold, it, emit_to_writer, sink, err)) != 0)
                break;
        }
    rc = rc == SEERDB_NOTFOUND ? 0 : rc;
    sdb_range_fold_put(&ranges, &(struct sdb_range_span){0}, sink->writer, &sink->held);
    sink->ranges = sdb_ranges_count(ranges.staying);
    if (rc == 0 && floor_of_ranges(&ranges, filter) > fold.floor)
        fold.floor = floor_of_ranges(&ranges, filter);
    sdb_iter_close(it);
    sdb_fold_fini(&fold);
    sdb_range_fold_fini(&ranges);
    f->fold_floor = f->tree->marked ? fold.floor : 0;
    /* Never back: a memtable of rolled-back commits alone holds none that counts. */
    uint64_t flushed = atomic_load_explicit(&f->tree->flushed, memory_order_relaxed);
    f->last_number = newest > flushed ? newest : flushed;
    return rc;
}

/* Write the table file; *records is 0 when nothing survived the fold, and the file is
 * then gone again. */
static int write_table(struct flush *f, const char *path, struct sdb_table_desc *desc,
                       seerdb_err *err)
{
    seerdb *db = f->job.db;
    struct sink sink = {0};
    struct sdb_file *file = NULL;
    struct sdb_table_summary s = {0};
    struct sdb_table_writer_options o = sdb_tree_table_options(f->tree, 0);
    o.expired_by = f->now_us;
    (void)sdb_memtable_bounds(f->memtable, &o.smallest, &o.largest);
    int rc = sdb_fs_open(db->fs, path, SDB_CREATE, SDB_FOR_FLUSH, &file, err);
    sink.file = file;
    if (rc != 0 || (rc = sdb_table_writer_new(file, &o, &sink.writer, err)) != 0 ||
        (rc = write_records(f, &sink, err)) != 0 ||
        (sink.records == 0 && sink.ranges == 0) ||
        (rc = sdb_table_writer_finish(sink.writer, &s, err)) != 0)
        goto out;
    *desc = (struct sdb_table_desc){.file = f->file,
                                    .run = sdb_version_next_run(f->from->version),
                                    .superseded = sink.superseded};
    rc = sdb_table_desc_fill(desc, &s, err);
    if (rc == 0)
        rc = sdb_held_count_take(&sink.held, &desc->held, &desc->nheld, err);
out:
    sdb_held_count_fini(&sink.held);
    sdb_table_writer_free(sink.writer);
    sdb_file_close(file);
    return rc;
}

/* Put the memtable's table in its place in what readers see, and *snapshots, which gets
 * those from before. `member` may be NULL. */
static int publish(struct flush *f, struct sdb_member *member,
                   struct sdb_snapshots **snapshots, seerdb_err *err) REQUIRES(LK_DB)
{
    seerdb_tree *t = f->tree;
    struct sdb_read_state *s = t->state, *fresh = NULL;
    struct sdb_version *version = NULL;
    struct sdb_hidden hidden = s->hidden; /* what lies above the flushed commits */
    while (hidden.n > 0 && hidden.ranges[0].from <= f->last_number) {
        hidden.ranges++;
        hidden.n--;
    }
    int rc = member != NULL ? sdb_version_new(s->version,
                                              &(struct sdb_version_change){
                                                  .added = &member, .nadded = 1},
                                              &version, err)
                            : (version = sdb_version_ref(s->version), 0);
    if (rc == 0) /* flushes of a tree run oldest first: this memtable is the last */
        rc = sdb_read_state_new(s->memtables, s->nmemtables - 1, version, &hidden,
                                &fresh, err);
    sdb_version_unref(version);
    if (rc != 0)
        return rc;
    sdb_read_state_unref(sdb_tree_set_state(t, fresh));
    struct sdb_snapshots *old = t->snapshots;
    t->snapshots = *snapshots;
    *snapshots = old;
    atomic_store_explicit(&t->flushed, f->last_number, memory_order_relaxed);
    sdb_debt_note(t);
    if (f->fold_floor > atomic_load_explicit(&t->fold_floor, memory_order_relaxed))
        atomic_store_explicit(&t->fold_floor, f->fold_floor, memory_order_relaxed);
    return 0;
}

/* The tree's numbers after this flush, none of which ever falls, and whether that was
 * the last that its side file is there for. */
static void note_numbers(struct flush *f, struct sdb_edit *e) REQUIRES(LK_INSTALL)
{
    uint64_t id = f->tree->desc.id, last = f->last_number, floor = f->fold_floor;
    const struct sdb_catalog *c = sdb_manifest_catalog(f->job.db->manifest);
    for (size_t i = 0; i < c->ntrees; i++) {
        if (c->trees[i].id != id)
            continue;
        if (c->trees[i].last_commit > last)
            last = c->trees[i].last_commit;
        if (c->trees[i].fold_floor > floor)
            floor = c->trees[i].fold_floor;
    }
    sdb_edit_tree_numbers(e, id, f->last_number, last, floor);
    struct sdb_aside_desc aside = sdb_catalog_aside(c, id);
    f->aside = aside.file != 0 && f->job.newest >= aside.covered ? aside.file : 0;
    if (f->aside != 0)
        sdb_edit_tree_aside(e, id, &(struct sdb_aside_desc){0});
}

/* Snapshots whose state will not reach a table go: *list is the tree's without them. */
static int drop_lost(struct flush *f, struct sdb_edit *e, struct sdb_snapshots **list,
                     seerdb_err *err) REQUIRES(LK_INSTALL) EXCLUDES(LK_DB)
{
    seerdb *db = f->job.db;
    int rc = 0;
    sdb_lock_db(&db->lock);
    *list = sdb_snapshots_ref(f->tree->snapshots);
    sdb_unlock_db(&db->lock);
    for (size_t i = 0; i < sdb_snapshots_count(*list) && rc == 0;) {
        const struct sdb_snapshot *s = &(*list)->all[i];
        struct sdb_snapshots *fewer = NULL;
        if (!s->lost || s->pending || s->number > f->last_number) {
            i++;
            continue;
        }
        sdb_edit_snapshot_drop(e, f->tree->desc.id, s->name);
        if ((rc = sdb_snapshots_without(*list, i, &fewer, err)) == 0) {
            sdb_snapshots_unref(*list);
            *list = fewer;
        }
    }
    return rc;
}

/* What a flush wrote. */
struct written {
    struct sdb_table_desc desc;
    struct sdb_member *member; /* counted; NULL: nothing survived */
    bool listed;               /* the manifest names the file, whatever the result */
    bool stale;                /* a snapshot was taken meanwhile and misses something */
};

/* List the table in the manifest, then publish it; unless it is stale (db/snapshot.c).
 */
static int install(struct flush *f, struct written *w, uint64_t floor, seerdb_err *err)
{
    seerdb *db = f->job.db;
    struct sdb_edit e = {0};
    uint64_t tree = f->tree->desc.id;
    sdb_lock_install(&db->install_lock);
    sdb_lock_db(&db->lock);
    bool dropped = f->tree->dropped;
    w->stale = !dropped && sdb_snapshots_news_below(f->tree->snapshots, f->snapshots,
                                                    f->fold_floor);
    sdb_unlock_db(&db->lock);
    if (w->stale) {
        sdb_unlock_install(&db->install_lock);
        return 0;
    }
    struct sdb_snapshots *list = NULL;
    int rc = 0;
    f->aside = 0;
    uint64_t log_floor = sdb_manifest_catalog(db->manifest)->log_floor;
    if (!dropped) {
        rc = drop_lost(f, &e, &list, err);
        if (w->member != NULL)
            sdb_edit_table_add(&e, tree, &w->desc);
        note_numbers(f, &e);
    }
    /* Somebody may have trimmed the log since the floor was looked at: it never falls.
     */
    sdb_edit_log_floor(&e, floor > log_floor ? floor : log_floor);
    if (rc == 0 && (rc = SDB_FAIL_AT(flush_install, err)) == 0)
        rc = sdb_install(db, &e, err);
    w->listed = rc == 0 && !dropped && w->member != NULL;
    if (rc == 0) {
        SDB_PASS(flush_installed);
        sdb_lock_db(&db->lock);
        rc = dropped ? 0 : publish(f, w->member, &list, err);
        db->frozen_bytes -= f->job.memory;
        f->job.memory = 0;
        f->job.log_file = 0;
        sdb_unlock_db(&db->lock);
        f->tree->gone = f->job.newest;
        if (rc != 0) /* the manifest is ahead of us: only reopening is right */
            (void)sdb_break_for_good(db, err);
    }
    sdb_unlock_install(&db->install_lock);
    sdb_snapshots_unref(list);
    sdb_edit_fini(&e);
    return rc;
}

/* Make the table durable and open it for reading. */
static int build(struct flush *f, const char *path, struct written *w, seerdb_err *err)
{
    seerdb *db = f->job.db;
    struct sdb_table_desc *desc = &w->desc;
    struct sdb_file *file = NULL;
    struct sdb_table *table = NULL;
    (void)sdb_fs_remove(db->fs, path, NULL); /* of an attempt before */
    int rc = write_table(f, path, desc, err);
    if (rc != 0 || desc->records == 0)
        return rc;
    if ((rc = SDB_FAIL_AT(flush_dir_sync, err)) != 0 ||
        (rc = sdb_fs_sync_dir(db->fs, db->dir, err)) != 0 ||
        (rc = sdb_fs_open(db->fs, path, SDB_READ, SDB_FOR_READ, &file, err)) != 0 ||
        (rc = sdb_table_open(file, &desc->id, desc->size, &table, err)) != 0)
        return rc;
    sdb_table_use_cache(table, db->cache, db->pages);
    rc = sdb_member_new(desc, table, NULL, NULL, &w->member, err);
    return rc != 0 ? rc : sdb_values_keep_for(db->values, w->member, err);
}

/* Note the end of a flush that began then. */
static void tell(const struct flush *f, uint64_t began_us,
                 const struct sdb_table_desc *desc, const seerdb_err *why)
{
    seerdb *db = f->job.db;
    struct sdb_event e = {.event = "flush",
                          .tree = f->tree->desc.id,
                          .duration_us = sdb_clock_mono_us() - began_us,
                          .bytes_in = sdb_memtable_bytes(f->memtable)};
    if (why == NULL) {
        sdb_meter_add(&f->tree->meter, SDB_OP_FLUSH, e.duration_us * 1000);
        e.bytes_out = desc->size;
        sdb_count(&f->tree->written.flushed_from, e.bytes_in);
        sdb_count(&f->tree->written.flushed, e.bytes_out);
        snprintf(e.detail, sizeof e.detail,
                 "%" PRIu64 " records, commits up to %" PRIu64, desc->records,
                 f->last_number);
    } else {
        e.event = "error";
        snprintf(e.detail, sizeof e.detail, "%.*s", (int)sizeof e.detail - 1, why->msg);
    }
    atomic_fetch_add_explicit(why == NULL ? &db->counters.flushes
                                          : &db->counters.flush_failures,
                              1, memory_order_relaxed);
    sdb_lock_db(&db->lock);
    sdb_events_add(db, &e);
    sdb_unlock_db(&db->lock);
}

/* The manifest and readers have the table: the log and the side file may go. */
static void let_go(struct flush *f, uint64_t floor)
{
    seerdb *db = f->job.db;
    SDB_PASS(flush_published);
    sdb_debt_adapt(f->tree);
    sdb_tree_map_tables(f->tree);
    sdb_lock_write(&db->write_lock);
    sdb_share_memory(db);
    (void)!sdb_wal_release(db->wal, floor, NULL); /* leftovers go at the next open */
    sdb_chain_forget(&f->tree->chain, f->last_number);
    sdb_unlock_write(&db->write_lock);
    SDB_PASS(flush_released);
    if (f->aside != 0)
        sdb_side_remove(db->fs, db->dir, f->aside);
}

/* What has to be known first: that the owner of a marked tree has decided, and the
 * table's number. */
static int get_ready(struct flush *f, seerdb_err *err)
{
    seerdb *db = f->job.db;
    int rc = f->tree->marked ? sdb_marked_decide(f->tree, f->below, err) : 0;
    if (rc != 0)
        return rc;
    sdb_lock_write(&db->write_lock);
    f->history_from = sdb_history_from(db);
    if (f->file == 0 && (rc = sdb_reserve(db, err)) == 0)
        f->file = atomic_fetch_add_explicit(&db->next_file, 1, memory_order_relaxed);
    sdb_unlock_write(&db->write_lock);
    return rc;
}

static void release_inputs(struct flush *f)
{
    sdb_read_state_unref(f->from); /* it may be the last to hold a dropped table */
    sdb_snapshots_unref(f->snapshots);
    f->from = NULL;
    f->snapshots = NULL;
}

/* Write the table and install it. */
static int try_once(struct flush *f, const char *path, struct written *w,
                    seerdb_err *err)
{
    seerdb *db = f->job.db;
    f->now_us = sdb_tree_job_time(f->tree);
    sdb_lock_db(&db->lock);
    f->from = sdb_read_state_ref(f->tree->state);
    f->snapshots = sdb_snapshots_ref(f->tree->snapshots);
    sdb_unlock_db(&db->lock);
    int rc = SDB_FAIL_AT(flush_begin, err);
    if (rc == 0)
        rc = build(f, path, w, err);
    /* Commits that the table holds may have written other trees, and others came before
     * them: a power cut must not leave the table without those. */
    if (rc == 0 && (rc = SDB_FAIL_AT(flush_log_sync, err)) == 0)
        rc = sdb_wal_sync(db->wal, sdb_wal_end(db->wal), err);
    if (rc == 0) {
        sdb_lock_write(&db->write_lock);
        uint64_t floor = sdb_log_floor(db, &f->job);
        sdb_unlock_write(&db->write_lock);
        rc = install(f, w, floor, err);
        if (rc == 0 && !w->stale)
            let_go(f, floor);
    }
    return rc;
}

static int flush_run(struct sdb_job *job, seerdb_err *err)
{
    struct flush *f = (struct flush *)job;
    seerdb *db = job->db;
    uint64_t began_us = sdb_clock_mono_us();
    struct written w = {.listed = false};
    int rc = get_ready(f, err);
    if (rc != 0)
        return rc;
    char *path = sdb_table_path(db, f->file);
    if (path == NULL)
        return sdb_fail_nomem(err, 0);
    do { /* whoever takes snapshots is slower than we are */
        sdb_member_unref(w.member);
        sdb_table_desc_fini(&w.desc);
        w = (struct written){.listed = false};
        release_inputs(f);
        rc = try_once(f, path, &w, err);
    } while (rc == 0 && w.stale);
    tell(f, began_us, &w.desc, rc == 0 ? NULL : err);
    sdb_member_unref(w.member);
    release_inputs(f);
    /* Of a store that broke, the manifest may name the file: the next open knows. */
    if (!w.listed && !atomic_load_explicit(&db->broken, memory_order_acquire))
        (void)sdb_fs_remove(db->fs, path, NULL);
    if (rc != 0 && sdb_fs_stat(db->fs, path, NULL, NULL, NULL) != SEERDB_NOTFOUND)
        f->file =
            0; /* what cannot be removed must not be in the way of the next attempt */
    sdb_table_desc_fini(&w.desc);
    sdb_mem_free(path);
    return rc;
}

int sdb_freeze(seerdb_tree *t, seerdb_err *err)
{
    sdb_lock_db(&t->db->lock);
    size_t n = t->state->nmemtables;
    sdb_unlock_db(&t->db->lock);
    if (n >= MEMTABLES_MOST && t->active_file != 0)
        return sdb_fail(err, SEERDB_FULL, "%s: too many memtables wait to be flushed",
                        t->db->dir);
    return sdb_freeze_anyway(t, err);
}

int sdb_freeze_anyway(seerdb_tree *t, seerdb_err *err)
{
    seerdb *db = t->db;
    struct sdb_memtable *fresh = NULL, **all = NULL;
    struct sdb_read_state *state = NULL;
    struct flush *f = NULL;
    int rc = 0;
    if (t->active_file == 0)
        return 0;
    if ((rc = SDB_FAIL_AT(freeze, err)) != 0)
        return rc;
    if ((f = sdb_mem_zalloc(sizeof *f)) == NULL)
        return sdb_fail_nomem(err, sizeof *f);
    if ((db->wal != NULL && (rc = sdb_reserve(db, err)) != 0) || /* recovery is done */
        (rc = sdb_new_memtable(db, &fresh, err)) != 0)
        goto out;
    if (t->undecided != NULL &&
        (rc = sdb_memtable_reserve(fresh, (size_t)t->undecided->nrecords,
                                   sdb_batch_applied_max(t->undecided), err)) != 0)
        goto out;
    if (t->undecided != NULL && sdb_tree_separates(t) &&
        (rc = sdb_separate_keep(t, sdb_buf_slice(&t->undecided->payload), fresh,
                                err)) != 0)
        goto out;
    f->job = (struct sdb_job){.run = flush_run,
                              .free = flush_free,
                              .db = db,
                              .group = t,
                              .log_file = t->active_file,
                              .memory = sdb_memtable_bytes(t->active)};
    f->tree = t;
    f->job.newest = sdb_tree_newest(t);
    f->memtable = t->active; /* takes the writer's count over */
    /* While recovery replays the log it gives out no numbers yet. */
    f->below = f->job.newest < db->next_number ? db->next_number : f->job.newest + 1;
    sdb_lock_db(&db->lock);
    const struct sdb_read_state *old = t->state;
    if ((all = sdb_array_new(old->nmemtables + 1, sizeof *all)) == NULL)
        rc = sdb_fail_nomem(err, (old->nmemtables + 1) * sizeof *all);
    if (rc == 0) {
        all[0] = fresh;
        memcpy(all + 1, old->memtables, old->nmemtables * sizeof *all);
        rc = sdb_read_state_new(all, old->nmemtables + 1, old->version, &old->hidden,
                                &state, err);
    }
    if (rc == 0) {
        sdb_tree_ref(t);
        db->frozen_bytes += f->job.memory;
        state = sdb_tree_set_state(t, state);
        sdb_job_submit(db, &f->job);
    }
    sdb_unlock_db(&db->lock);
    sdb_mem_free(all);
    if (rc != 0)
        goto out;
    sdb_read_state_unref(state);
    t->active = fresh;
    t->long_chain = false;
    t->active_file = 0;
    t->active_bytes = 0;
    t->active_values = 0;
    return 0;
out:
    sdb_memtable_unref(fresh);
    sdb_mem_free(f);
    return rc;
}

void sdb_flush_unpin(seerdb_tree *t, uint64_t covered, uint64_t from)
{
    seerdb *db = t->db;
    uint64_t above = sdb_tree_newest(t) > covered ? from : SDB_LOG_FILE_ASIDE;
    if (t->active_file != 0 && t->active_file < above)
        t->active_file = above;
    sdb_lock_db(&db->lock);
    for (struct sdb_job *j = db->jobs; j != NULL; j = j->next) {
        above = j->newest > covered ? from : SDB_LOG_FILE_ASIDE;
        if (j->group == t && j->log_file != 0 && j->log_file < above)
            j->log_file = above;
    }
    sdb_unlock_db(&db->lock);
}

uint64_t sdb_log_floor(seerdb *db, const struct sdb_job *without)
{
    uint64_t floor = sdb_wal_current_file(db->wal);
    if (floor == 0)
        floor = atomic_load_explicit(&db->next_file, memory_order_relaxed);
    sdb_lock_db(&db->lock);
    for (seerdb_tree *t = db->trees; t != NULL; t = t->next) {
        if (t->dropped)
            continue;
        if (t->active_file != 0 && t->active_file < floor)
            floor = t->active_file;
        if (t->undecided != NULL && sdb_wal_file_of(t->undecided->position) < floor)
            floor = sdb_wal_file_of(t->undecided->position);
    }
    for (const struct sdb_job *j = db->jobs; j != NULL; j = j->next)
        if (j != without && j->log_file != 0 && j->log_file < floor)
            floor = j->log_file;
    sdb_unlock_db(&db->lock);
    return floor;
}

int sdb_log_trim(seerdb *db, seerdb_err *err)
{
    uint64_t floor = sdb_log_floor(db, NULL);
    struct sdb_edit e = {0};
    sdb_edit_log_floor(&e, floor);
    sdb_lock_install(&db->install_lock);
    int rc = 0;
    bool falls = floor <= sdb_manifest_catalog(db->manifest)->log_floor;
    if (!falls && (rc = SDB_FAIL_AT(log_trim, err)) == 0)
        rc = sdb_install(db, &e, err);
    sdb_unlock_install(&db->install_lock);
    sdb_edit_fini(&e);
    return rc == 0 && !falls ? sdb_wal_release(db->wal, floor, err) : rc;
}

/* The tree whose active memtable is largest, or which holds the oldest log file. */
static seerdb_tree *pick(seerdb *db, bool by_log, size_t *total) REQUIRES(LK_WRITE)
{
    seerdb_tree *best = NULL;
    *total = 0;
    sdb_lock_db(&db->lock);
    for (seerdb_tree *t = db->trees; t != NULL; t = t->next) {
        if (t->dropped || t->active_file == 0)
            continue;
        *total += sdb_memtable_bytes(t->active);
        if (best == NULL ||
            (by_log ? t->active_file < best->active_file
                    : sdb_memtable_bytes(t->active) > sdb_memtable_bytes(best->active)))
            best = t;
    }
    sdb_unlock_db(&db->lock);
    return best;
}

int sdb_freeze_where_due(seerdb_tree *t, seerdb_err *err)
{
    seerdb *db = t->db;
    size_t bytes = sdb_memtable_bytes(t->active), total = 0;
    uint64_t file = sdb_wal_current_file(db->wal);
    int rc = 0;
    if (bytes != t->active_bytes) { /* it grew by a chunk: time to look */
        seerdb_tree *largest = pick(db, false, &total);
        t->active_bytes = bytes;
        if (bytes >= db->memtable_size)
            rc = sdb_freeze(t, err);
        else if (largest != NULL && total >= db->memtable_size + db->memtable_size / 2)
            rc = sdb_freeze(largest, err);
        sdb_share_memory(db);
    }
    if (rc == 0 && (t->long_chain || sdb_memtable_nranges(t->active) >= RANGES_MOST ||
                    t->active_values >= db->value_share))
        rc = sdb_freeze(t, err);
    if (rc == 0 && file != db->log_file_seen) {
        db->log_file_seen = file;
        if (sdb_wal_live_bytes(db->wal) > db->log_cap) {
            seerdb_tree *oldest = pick(db, true, &total);
            /* Not while it would let go of nothing: a memtable before it waits yet. */
            if (oldest != NULL && oldest->active_file < file &&
                oldest->active_file <= sdb_log_floor(db, NULL))
                rc = sdb_freeze(oldest, err);
            else /* its commits went to dropped trees, perhaps, or were undone */
                rc = sdb_log_trim(db, err);
        }
    }
    return rc;
}
