/* SPDX-License-Identifier: Apache-2.0
 *
 * The order of durability: log synced, side file synced, directory synced, manifest
 * record synced; then the log's floor rises and the side file before goes.  A crash
 * between any two leaves the commits in the log, in the side file, or in both; recovery
 * reads the side file first and skips in the log what it covers.
 *
 * A new side file has all that its tree has in memory, and takes the place of the one
 * before: a tree that nobody connects does not grow, so that there is nothing to merge.
 * The log pays for it, being let grow by half its cap between two.
 *
 * The chain of a settled tree lists only commits that do not count.  Those that do need
 * no list: each builds upon the one before, and all have records, or tables.
 *
 * Of a spilled commit the log has but the names of its tables, which the manifest lists
 * as pending.  No memtable has commits on both sides of it (land.c); so the side file
 * has the records in the same sections, and recovery makes memtables of them again. */
#include "db/aside.h"

#include "base/interrupt.h"
#include "db/batch.h"
#include "db/flush.h"
#include "db/land.h"
#include "log/side.h"
#include "os/failpoint.h"
#include "table/merge_iter.h"

#include <stdlib.h>

#define PUT_OFF_TIMES                                                                  \
    3u /* how often a flush fails for its owner's sake before that                     \
          counts; once, when the log is over its cap */

struct aside {
    struct sdb_job job; /* first member */
    seerdb_tree *tree;  /* a counted handle */
};

/* What goes to the side file: the tree at an instant. */
struct content {
    struct sdb_read_state *state; /* counted */
    struct sdb_ranges *ranges;    /* counted: all range tombstones, once gathered */
    struct sdb_chain chain;       /* owned: a copy, all links once gathered */
    bool settled;
    uint64_t flushed, head;
    uint64_t covered; /* 0: nothing to do */
    uint64_t from;    /* commits above stand in this log file or behind it */
};

static void content_fini(struct content *c)
{
    sdb_read_state_unref(c->state);
    sdb_ranges_unref(c->ranges);
    sdb_chain_fini(&c->chain);
}

/* ---- what is due -------------------------------------------------------------- */

/* The first log file that the tree needs; 0 or SDB_LOG_FILE_ASIDE: none. */
static uint64_t pin_of(const seerdb_tree *t) REQUIRES(LK_WRITE, LK_DB)
{
    uint64_t file = t->active_file;
    for (const struct sdb_job *j = t->db->jobs; j != NULL; j = j->next)
        if (j->group == t && j->log_file != 0 && (file == 0 || j->log_file < file))
            file = j->log_file;
    return file;
}

/* Does nobody decide about the tree's commits?  Its flush was put off `times`, if it
 * was asked. */
static bool is_left_alone(const seerdb_tree *t, unsigned times) REQUIRES(LK_DB)
{
    if (!t->marked || t->dropped || t->damage != NULL)
        return false;
    if (!t->settled)
        return true;
    for (const struct sdb_job *j = t->db->jobs; j != NULL; j = j->next)
        if (j->group == t)
            return j->why.code == SEERDB_BUSY && j->failures >= times;
    return false;
}

static void aside_free(struct sdb_job *job)
{
    struct aside *a = (struct aside *)job;
    sdb_lock_db(&job->db->lock);
    a->tree->aside_queued = false;
    sdb_unlock_db(&job->db->lock);
    sdb_tree_unref(a->tree);
    sdb_mem_free(a);
}

static int aside_run(struct sdb_job *job, seerdb_err *err);

/* Queue a job for every tree that is left alone and needs a log file before `file`. */
static void queue_where_due(seerdb *db, uint64_t file, unsigned times)
    REQUIRES(LK_WRITE) EXCLUDES(LK_DB)
{
    sdb_lock_db(&db->lock);
    for (seerdb_tree *t = db->trees; t != NULL; t = t->next) {
        uint64_t pin = pin_of(t);
        struct aside *a;
        if (pin == 0 || pin >= file || t->aside_queued || !is_left_alone(t, times) ||
            (a = sdb_mem_zalloc(sizeof *a)) == NULL)
            continue;
        a->job = (struct sdb_job){.run = aside_run, .free = aside_free, .db = db};
        a->tree = t;
        sdb_tree_ref(t);
        t->aside_queued = true;
        sdb_job_submit(db, &a->job);
    }
    sdb_unlock_db(&db->lock);
}

void sdb_aside_where_due(seerdb *db)
{
    uint64_t file = sdb_wal_current_file(db->wal);
    if (file == db->aside_file_seen)
        return;
    db->aside_file_seen = file;
    uint64_t bytes = sdb_wal_live_bytes(db->wal);
    if (bytes > db->log_cap / 2)
        queue_where_due(db, file, bytes > db->log_cap ? 1 : PUT_OFF_TIMES);
}

void sdb_aside_all(seerdb *db)
{
    sdb_lock_write(&db->write_lock);
    queue_where_due(db, SDB_LOG_FILE_ASIDE, 1);
    sdb_unlock_write(&db->write_lock);
}

/* ---- making a side file --------------------------------------------------------- */

static int copy_chain(const struct sdb_chain *from, struct sdb_chain *to,
                      seerdb_err *err)
{
    int rc = 0;
    for (size_t i = 0; i < from->n && rc == 0; i++)
        rc = sdb_chain_add(to, from->links[i].number, from->links[i].prev, err);
    return rc;
}

/* Note what the tree is now, if it is still left alone. */
static int look(seerdb_tree *t, struct content *c, seerdb_err *err)
    EXCLUDES(LK_WRITE, LK_DB)
{
    seerdb *db = t->db;
    sdb_lock_write(&db->write_lock);
    int rc = copy_chain(&t->chain, &c->chain, err);
    c->from = sdb_wal_current_file(db->wal);
    if (c->from == 0)
        c->from = atomic_load_explicit(&db->next_file, memory_order_relaxed);
    if (t->undecided != NULL && sdb_wal_file_of(t->undecided->position) < c->from)
        c->from = sdb_wal_file_of(t->undecided->position);
    sdb_lock_db(&db->lock);
    uint64_t pin = pin_of(t);
    c->state = sdb_read_state_ref(t->state);
    c->settled = t->settled;
    c->head = t->head;
    c->flushed = atomic_load_explicit(&t->flushed, memory_order_relaxed);
    if (rc == 0 && pin != 0 && pin != SDB_LOG_FILE_ASIDE && is_left_alone(t, 1)) {
        uint64_t last = c->chain.n > 0 ? c->chain.links[c->chain.n - 1].number : 0;
        c->covered = c->settled && c->head > last ? c->head : last;
    }
    sdb_unlock_db(&db->lock);
    sdb_unlock_write(&db->write_lock);
    return rc;
}

/* All that the memtables hold up to what is covered, hidden or not. */
static int open_records(const struct content *c, struct sdb_iter **out, seerdb_err *err)
{
    size_t n = 0;
    int rc = 0;
    struct sdb_iter **sources = sdb_array_new(c->state->nmemtables, sizeof *sources);
    if (sources == NULL)
        return sdb_fail_nomem(err, c->state->nmemtables * sizeof *sources);
    for (; n < c->state->nmemtables && rc == 0; n++)
        rc = sdb_memtable_iter(c->state->memtables[n], c->covered, NULL, 0, &sources[n],
                               err);
    if (rc == 0) {
        rc = sdb_merge_iter(sources, n, out, err);
    } else {
        for (size_t i = 0; i < n; i++)
            sdb_iter_close(sources[i]);
    }
    sdb_mem_free(sources);
    return rc;
}

/* Into one set the range tombstones up to what is covered, hidden or not. */
static int gather_ranges(struct content *c, seerdb_err *err)
{
    struct sdb_buf all = {0};
    struct sdb_ranges **sets = sdb_array_new(c->state->nmemtables, sizeof *sets);
    size_t n = 0;
    int rc =
        sets == NULL ? sdb_fail_nomem(err, c->state->nmemtables * sizeof *sets) : 0;
    while (rc == 0 && n < c->state->nmemtables) {
        rc = sdb_memtable_ranges(c->state->memtables[n], &sets[n], err);
        n += rc == 0 ? 1 : 0;
    }
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < sdb_ranges_count(sets[i]); k++)
            if (sdb_ranges_at(sets[i], k)->number <= c->covered)
                sdb_buf_append(&all, sdb_ranges_at(sets[i], k),
                               sizeof(struct sdb_range));
    if (rc == 0 && (rc = sdb_buf_check(&all, err)) == 0)
        rc = sdb_ranges_new((const struct sdb_range *)(const void *)all.data,
                            all.size / sizeof(struct sdb_range), &c->ranges, err);
    for (size_t i = 0; i < n; i++)
        sdb_ranges_unref(sets[i]);
    sdb_mem_free(sets);
    sdb_buf_fini(&all);
    return rc;
}

/* A growing array of links, in any order. */
static int add_link(struct sdb_chain *c, uint64_t number, seerdb_err *err)
{
    if (c->n == c->capacity) {
        size_t capacity = c->capacity * 2 + 64;
        struct sdb_link *links = sdb_array_grow(c->links, capacity, sizeof *links);
        if (links == NULL)
            return sdb_fail_nomem(err, capacity * sizeof *links);
        c->links = links;
        c->capacity = capacity;
    }
    c->links[c->n++] = (struct sdb_link){number, 0};
    return 0;
}

static int compare_links(const void *a, const void *b)
{
    uint64_t x = ((const struct sdb_link *)a)->number,
             y = ((const struct sdb_link *)b)->number;
    return (x > y) - (x < y);
}

/* Sort and drop what is there twice. */
static void sort_links(struct sdb_chain *c)
{
    size_t kept = 0;
    if (c->n > 1)
        qsort(c->links, c->n, sizeof *c->links, compare_links);
    for (size_t i = 0; i < c->n; i++)
        if (kept == 0 || c->links[kept - 1].number != c->links[i].number)
            c->links[kept++] = c->links[i];
    c->n = kept;
}

/* The oldest spilled commit above this number that is covered, or NULL. */
static const struct sdb_pending *spilled_above(const struct content *c, uint64_t number)
{
    const struct sdb_pendings *list = c->state->pendings;
    for (size_t i = list != NULL ? list->n : 0; i > 0; i--) {
        const struct sdb_pending *p = list->all[i - 1];
        if (p->number > number && p->number <= c->covered &&
            !atomic_load_explicit(&p->undone, memory_order_acquire))
            return p;
    }
    return NULL;
}

/* The numbers of all records and spilled commits. */
static int list_numbers(const struct content *c, struct sdb_chain *all, seerdb_err *err)
{
    struct sdb_iter *it = NULL;
    const struct sdb_pending *p = NULL;
    int rc = 0;
    for (size_t i = 0; i < sdb_ranges_count(c->ranges) && rc == 0; i++)
        rc = add_link(all, sdb_ranges_at(c->ranges, i)->number, err);
    while (rc == 0 && (p = spilled_above(c, p != NULL ? p->number : 0)) != NULL)
        rc = add_link(all, p->number, err);
    sort_links(all);
    size_t sorted_at = all->n * 2 + 4096; /* so that overwriting takes no memory */
    if (rc == 0)
        rc = open_records(c, &it, err);
    if (rc == 0)
        rc = it->ops->first(it, err);
    while (rc == 0) {
        if ((rc = add_link(all, it->at.number, err)) != 0)
            break;
        if (all->n == sorted_at) {
            sort_links(all);
            sorted_at = all->n * 2 + 4096;
        }
        if ((rc = it->ops->older(it, err)) == SEERDB_NOTFOUND)
            rc = it->ops->next(it, err);
    }
    sdb_iter_close(it);
    sort_links(all);
    return rc == SEERDB_NOTFOUND ? 0 : rc;
}

/* Add to the chain of a settled tree the commits that count. */
static int complete_chain(struct content *c, seerdb_err *err)
{
    struct sdb_chain all = {0};
    uint64_t counts = c->flushed; /* the last one that does */
    size_t k = 0;
    int rc = list_numbers(c, &all, err);
    if (rc != 0)
        goto out;
    for (size_t i = 0; i < all.n; i++) {
        struct sdb_link *l = &all.links[i];
        while (k < c->chain.n && c->chain.links[k].number < l->number)
            k++;
        if (k < c->chain.n && c->chain.links[k].number == l->number) {
            l->prev = c->chain.links[k].prev;
        } else {
            l->prev = counts;
            counts = l->number;
        }
    }
    sdb_chain_fini(&c->chain);
    c->chain = all;
    return 0;
out:
    sdb_chain_fini(&all);
    return rc;
}

/* Versions of the key that `it` stands on, with numbers between the two, oldest first.
 * Their bytes are memtables', which the content counts. */
static int write_key(struct sdb_side_writer *w, struct sdb_iter *it, uint64_t above,
                     uint64_t below, struct sdb_buf *versions, seerdb_err *err)
{
    int rc;
    sdb_buf_clear(versions);
    do
        if (it->at.number > above && it->at.number < below)
            sdb_buf_append(versions, &it->at, sizeof it->at);
    while ((rc = it->ops->older(it, err)) == 0);
    if (rc != SEERDB_NOTFOUND || (rc = sdb_buf_check(versions, err)) != 0)
        return rc;
    for (size_t at = versions->size; at > 0;) {
        struct sdb_record r;
        at -= sizeof r;
        memcpy(&r, versions->data + at, sizeof r);
        sdb_side_writer_record(w, &r);
    }
    return 0;
}

/* The records of all commits between the two. */
static int write_section(struct sdb_side_writer *w, const struct content *c,
                         uint64_t above, uint64_t below, seerdb_err *err)
{
    struct sdb_buf versions = {0};
    struct sdb_iter *it = NULL;
    for (size_t i = 0; i < sdb_ranges_count(c->ranges); i++) {
        const struct sdb_range *r = sdb_ranges_at(c->ranges, i);
        if (r->number > above && r->number < below)
            sdb_side_writer_record(w, &(struct sdb_record){.key = r->start,
                                                           .number = r->number,
                                                           .kind = SDB_KIND_RANGE,
                                                           .value = r->end});
    }
    int rc = open_records(c, &it, err);
    if (rc == 0)
        for (rc = it->ops->first(it, err); rc == 0; rc = it->ops->next(it, err))
            if ((rc = write_key(w, it, above, below, &versions, err)) != 0)
                break;
    sdb_iter_close(it);
    sdb_buf_fini(&versions);
    return rc == SEERDB_NOTFOUND ? 0 : rc;
}

static int write_tables(struct sdb_side_writer *w, const struct sdb_pending *p,
                        seerdb_err *err)
{
    size_t n = p->runs != NULL ? p->runs->nmembers : 0;
    uint64_t *files = sdb_array_new(n + 1, sizeof *files);
    if (files == NULL)
        return sdb_fail_nomem(err, n * sizeof *files);
    for (size_t i = 0; i < n; i++)
        files[i] = p->runs->members[i]->desc.file;
    sdb_side_writer_tables(w, p->number, files, n);
    sdb_mem_free(files);
    return 0;
}

static int write_content(struct sdb_side_writer *w, const struct content *c,
                         seerdb_err *err)
{
    uint64_t above = 0;
    const struct sdb_pending *p;
    int rc = 0;
    for (size_t i = 0; i < c->chain.n; i++)
        sdb_side_writer_link(w, c->chain.links[i].number, c->chain.links[i].prev);
    while (rc == 0 && (p = spilled_above(c, above)) != NULL) {
        if ((rc = write_section(w, c, above, p->number, err)) == 0)
            rc = write_tables(w, p, err);
        above = p->number;
    }
    return rc == 0 ? write_section(w, c, above, UINT64_MAX, err) : rc;
}

/* Write the side file and make it durable. */
static int write_file(seerdb_tree *t, uint64_t number, struct content *c,
                      struct sdb_aside_desc *out, seerdb_err *err)
{
    seerdb *db = t->db;
    struct sdb_side_options o = {db->fs, db->dir, db->id, t->desc.id};
    struct sdb_side_writer *w = NULL;
    int rc = gather_ranges(c, err);
    if (rc == 0 && c->settled)
        rc = complete_chain(c, err);
    if (rc == 0 && (rc = sdb_side_writer_new(&o, number, &w, err)) == 0 &&
        (rc = write_content(w, c, err)) == 0 &&
        (rc = sdb_side_writer_finish(w, c->covered, out, err)) == 0 &&
        (rc = SDB_FAIL_AT(side_dir_sync, err)) == 0)
        rc = sdb_fs_sync_dir(db->fs, db->dir, err);
    sdb_side_writer_free(w);
    return rc;
}

/* Name the side file in the manifest in place of the one before.  *useless: the number
 * of the file that is not needed, which may be the new one. */
static int install(seerdb_tree *t, const struct sdb_aside_desc *desc, uint64_t *useless,
                   seerdb_err *err) EXCLUDES(LK_WRITE, LK_INSTALL, LK_DB)
{
    seerdb *db = t->db;
    struct sdb_edit e = {0};
    int rc = 0;
    sdb_lock_install(&db->install_lock);
    sdb_lock_db(&db->lock);
    bool dropped = t->dropped;
    sdb_unlock_db(&db->lock);
    *useless = desc->file;
    if (!dropped && desc->covered > t->gone) {
        uint64_t before =
            sdb_catalog_aside(sdb_manifest_catalog(db->manifest), t->desc.id).file;
        sdb_edit_tree_aside(&e, t->desc.id, desc);
        if ((rc = SDB_FAIL_AT(side_install, err)) == 0 &&
            (rc = sdb_install(db, &e, err)) == 0)
            *useless = before;
    }
    sdb_unlock_install(&db->install_lock);
    sdb_edit_fini(&e);
    return rc;
}

static int reserve_file(seerdb *db, uint64_t *number, seerdb_err *err)
{
    sdb_lock_write(&db->write_lock);
    int rc = sdb_reserve(db, err);
    sdb_unlock_write(&db->write_lock);
    if (rc == 0)
        *number = atomic_fetch_add_explicit(&db->next_file, 1, memory_order_relaxed);
    return rc;
}

static int make(seerdb_tree *t, struct content *c, seerdb_err *err)
{
    seerdb *db = t->db;
    struct sdb_aside_desc desc;
    uint64_t number = 0, useless = 0;
    int rc = reserve_file(db, &number, err);
    if (rc != 0)
        return rc;
    useless = number;
    /* As for a flush: what came before these commits must not be lost without them. */
    if ((rc = sdb_wal_sync(db->wal, sdb_wal_end(db->wal), err)) == 0 &&
        (rc = write_file(t, number, c, &desc, err)) == 0 &&
        (rc = install(t, &desc, &useless, err)) == 0 && useless != number) {
        atomic_fetch_add_explicit(&db->counters.asides, 1, memory_order_relaxed);
        SDB_PASS(side_installed);
        sdb_lock_write(&db->write_lock);
        sdb_flush_unpin(t, c->covered, c->from);
        (void)!sdb_log_trim(db, NULL); /* the next one lets go of more */
        sdb_unlock_write(&db->write_lock);
    }
    /* Of a store that broke, the manifest may name the file: the next open knows. */
    if (useless != 0 && !atomic_load_explicit(&db->broken, memory_order_acquire))
        sdb_side_remove(db->fs, db->dir, useless);
    return rc;
}

static int aside_run(struct sdb_job *job, seerdb_err *err)
{
    seerdb_tree *t = ((struct aside *)job)->tree;
    struct content c = {0};
    seerdb_err why = {0};
    int rc = look(t, &c, &why);
    if (rc == 0 && c.covered > 0)
        rc = make(t, &c, &why);
    content_fini(&c);
    /* Nothing is lost but room in the log: flushes need not wait for this. */
    return rc == 0 ? 0
                   : sdb_fail(err, SEERDB_BUSY, "%s: the table %s stays in the log: %s",
                              job->db->dir, (const char *)t->desc.name.data, why.msg);
}

/* ---- recovery ------------------------------------------------------------------ */

struct loading {
    seerdb_tree *t;
    uint64_t flushed;
    struct sdb_chain chain; /* owned: all of the side file's */
    size_t taken;           /* links of it that the tree's chain has */
    uint32_t steps;
};

static int load_link(void *ctx, uint64_t number, uint64_t prev, seerdb_err *err)
{
    struct loading *l = ctx;
    return number > l->flushed ? sdb_chain_add(&l->chain, number, prev, err) : 0;
}

static int check_link(const struct loading *l, uint64_t number, const char *what,
                      seerdb_err *err)
{
    const struct sdb_link key = {number, 0};
    if (l->chain.n > 0 && bsearch(&key, l->chain.links, l->chain.n,
                                  sizeof *l->chain.links, compare_links) != NULL)
        return 0;
    return sdb_fail(err, SEERDB_CORRUPT,
                    "a side file of the table %s: %s of commit %" PRIu64
                    ", which has no link",
                    (const char *)l->t->desc.name.data, what, number);
}

static int load_record(void *ctx, const struct sdb_record *r, seerdb_err *err) NO_TSA
{
    struct loading *l = ctx;
    int rc = ++l->steps % SDB_INTERRUPT_STEPS != 0 ? 0 : sdb_interrupted(err);
    if (rc == 0 && r->number > l->flushed)
        rc = check_link(l, r->number, "a record", err);
    if (rc != 0 || r->number <= l->flushed)
        return rc;
    if (r->kind == SDB_KIND_SEGMENTS) { /* of a commit that does not count they may be
                                           gone */
        seerdb_err why = {0};
        rc = sdb_values_keep_all(l->t->db->values, l->t->active, r->value, &why);
        if (rc != 0 && rc != SEERDB_CORRUPT)
            return sdb_fail_as(err, &why);
    }
    return sdb_memtable_insert(l->t->active, r, err);
}

/* The records of all commits below that number are in the active memtable. */
static int take_links(struct loading *l, uint64_t below, seerdb_err *err)
    REQUIRES(LK_WRITE)
{
    seerdb_tree *t = l->t;
    int rc = 0;
    while (rc == 0 && l->taken < l->chain.n &&
           l->chain.links[l->taken].number < below) {
        const struct sdb_link *link = &l->chain.links[l->taken++];
        rc = sdb_chain_add(&t->chain, link->number, link->prev, err);
        t->head = link->number;
        t->active_file = SDB_LOG_FILE_ASIDE;
        atomic_store_explicit(&t->last_commit, t->head, memory_order_release);
    }
    return rc;
}

static int load_tables(void *ctx, uint64_t number, const uint64_t *files, size_t n,
                       seerdb_err *err) NO_TSA
{
    struct loading *l = ctx;
    if (number <= l->flushed)
        return 0;
    int rc = check_link(l, number, "tables", err);
    if (rc == 0 && (rc = take_links(l, number, err)) == 0)
        rc = sdb_land_recover(l->t, number, files, n, SDB_LOG_FILE_ASIDE, err);
    if (rc == 0 && (rc = take_links(l, number + 1, err)) == 0)
        l->t->active_file = 0; /* what it wrote lies in tables */
    return rc;
}

/* The store is not shared yet. */
static int load_tree(seerdb_tree *t, const struct sdb_aside_desc *desc, seerdb_err *err)
    REQUIRES(LK_WRITE)
{
    seerdb *db = t->db;
    struct loading l = {
        .t = t, .flushed = atomic_load_explicit(&t->flushed, memory_order_relaxed)};
    struct sdb_side_options o = {db->fs, db->dir, db->id, t->desc.id};
    struct sdb_side_taker taker = {load_link, load_record, load_tables, &l};
    seerdb_err why = {0};
    int rc = sdb_side_read(&o, desc, &taker, &why);
    if (rc == 0)
        rc = take_links(&l, UINT64_MAX, &why);
    sdb_chain_fini(&l.chain);
    if (rc == SEERDB_CORRUPT || rc == SEERDB_NEWER) {
        if ((t->damage = sdb_mem_zalloc(sizeof *t->damage)) == NULL)
            return sdb_fail_nomem(err, sizeof *t->damage);
        *t->damage = why; /* others can still be used, and this one dropped */
    } else if (rc != 0) {
        return sdb_fail_as(err, &why);
    }
    t->aside_loaded = desc->covered;
    return 0;
}

int sdb_aside_load(seerdb *db, const struct sdb_catalog *c, seerdb_err *err) NO_TSA
{
    int rc = 0;
    for (size_t i = 0; i < c->ntrees && rc == 0; i++) {
        if (c->trees[i].aside.file == 0)
            continue;
        sdb_lock_db(&db->lock);
        seerdb_tree *t = sdb_tree_by_id(db, c->trees[i].id);
        sdb_unlock_db(&db->lock);
        sdb_lock_write(&db->write_lock);
        rc = load_tree(t, &c->trees[i].aside, err);
        sdb_unlock_write(&db->write_lock);
    }
    return rc;
}
