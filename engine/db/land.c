/* SPDX-License-Identifier: Apache-2.0
 *
 * The numbers inside spilled tables are 0; the commit stands in the manifest.  A
 * pending entry does not even have that: which commit it belongs to, the prepare says
 * that names its file.  So a batch that was prepared, taken back and prepared again
 * names the same files under another number, while the first one may still be the one
 * that counts.  At most one of the two does, and whichever counts, lands them.
 *
 * Flushes and landings of a tree are jobs of one group, done in the order of commits:
 * when a landing runs, tables hold every older commit, and its own number is the tree's
 * `flushed` one.
 *
 * Pending tables nobody lands lose their last count when the batch and its pendings are
 * gone, and sdb_empty_graveyard takes them out of the manifest.  Should the log still
 * name them after a crash, that is a commit which does not count. */
#include "db/land.h"

#include "db/debt.h"
#include "db/flush.h"
#include "db/marked.h"
#include "log/side.h"
#include "os/failpoint.h"

struct sdb_landing {
    struct sdb_job job;          /* first member */
    seerdb_tree *tree;           /* a counted handle */
    struct sdb_pending *pending; /* counted */
    uint64_t aside;              /* the side file that goes with it; 0: none */
};

static void landing_free(struct sdb_job *job)
{
    struct sdb_landing *l = (struct sdb_landing *)job;
    sdb_pending_unref(l->pending);
    sdb_tree_unref(l->tree);
    sdb_mem_free(l);
}

/* ---- the manifest's list of pending tables ------------------------------------- */

static void list_pending(const struct sdb_batch_slot *slot, struct sdb_edit *e)
{
    for (size_t i = 0; i < slot->runs->nmembers; i++) {
        const struct sdb_member *m = slot->runs->members[i];
        struct sdb_table_desc desc = m->desc; /* borrows its bytes */
        if (m->pending) /* since an earlier prepare of the batch */
            continue;
        desc.pending = true;
        desc.level = 0;
        desc.commit = desc.min_number = desc.max_number = 0;
        sdb_edit_table_add(e, slot->tree->desc.id, &desc);
    }
}

static bool is_dropped(seerdb_tree *t)
{
    sdb_lock_db(&t->db->lock);
    bool dropped = t->dropped;
    sdb_unlock_db(&t->db->lock);
    return dropped;
}

int sdb_land_list(seerdb_batch *b, seerdb_err *err)
{
    seerdb *db = b->db;
    struct sdb_edit e = {0};
    bool spilled = false;
    int rc = 0;
    for (size_t i = 0; i < b->nslots; i++)
        spilled = spilled || b->slots[i].runs != NULL;
    /* The manifest's word for a table stands for the values that it names, too. */
    if (!spilled || (rc = SDB_FAIL_AT(pending_sync, err)) != 0 ||
        (rc = sdb_values_sync(db->values, err)) != 0 ||
        (rc = sdb_fs_sync_dir(db->fs, db->dir, err)) != 0 ||
        (rc = SDB_FAIL_AT(pending_list, err)) != 0)
        return rc;
    sdb_lock_install(&db->install_lock);
    for (size_t i = 0; i < b->nslots; i++) /* prepare refuses dropped trees by itself */
        if (b->slots[i].runs != NULL && !is_dropped(b->slots[i].tree))
            list_pending(&b->slots[i], &e);
    if (e.bytes.size > 0 || e.bytes.failed)
        rc = sdb_install(db, &e, err);
    for (size_t i = 0; rc == 0 && i < b->nslots; i++)
        for (size_t k = 0; b->slots[i].runs != NULL && k < b->slots[i].runs->nmembers;
             k++)
            b->slots[i].runs->members[k]->pending = true;
    sdb_unlock_install(&db->install_lock);
    sdb_edit_fini(&e);
    return rc != 0 ? rc : SDB_FAIL_AT(pending_listed, err);
}

/* ---- landing --------------------------------------------------------------------- */

/* The tables as the tree will list them. */
struct landed {
    struct sdb_member **members; /* owned, n counts */
    size_t n;
};

static void landed_fini(struct landed *l)
{
    for (size_t i = 0; i < l->n; i++)
        sdb_member_unref(l->members[i]);
    sdb_mem_free(l->members);
}

static int make_members(const struct sdb_landing *l, const struct sdb_version *current,
                        struct landed *out, seerdb_err *err)
{
    const struct sdb_version *runs = l->pending->runs;
    uint64_t first_run = sdb_version_next_run(current);
    int rc = 0;
    if ((out->members = sdb_array_new(runs->nmembers, sizeof *out->members)) == NULL)
        return sdb_fail_nomem(err, runs->nmembers * sizeof *out->members);
    for (size_t i = 0; i < runs->nmembers && rc == 0; i++) {
        struct sdb_table_desc desc = runs->members[i]->desc; /* borrows its bytes */
        desc.level = 0;
        desc.run += first_run - 1; /* those of a batch begin with 1 */
        desc.commit = desc.min_number = desc.max_number = l->pending->number;
        desc.pending = false;
        rc = sdb_member_new(&desc, sdb_table_ref(runs->members[i]->table), NULL, NULL,
                            &out->members[i], err);
        if (rc == 0) { /* readers of the pending ones go on */
            out->members[i]->origin = runs->members[i];
            sdb_member_ref(runs->members[i]);
            out->n++;
        }
    }
    return rc;
}

/* The commit's tables become part of the version, or go, in one step. */
static int publish(struct sdb_landing *l, const struct landed *tables, seerdb_err *err)
    REQUIRES(LK_DB)
{
    seerdb_tree *t = l->tree;
    const struct sdb_read_state *s = t->state;
    struct sdb_read_state *fresh = NULL;
    struct sdb_version *version = NULL;
    struct sdb_pendings *list = NULL, *old = t->pendings;
    struct sdb_hidden hidden = s->hidden;
    int rc = sdb_pendings_change(old, l->pending, NULL, &list, err);
    if (tables->n > 0)
        while (hidden.n > 0 && hidden.ranges[0].from <= l->pending->number) {
            hidden.ranges++;
            hidden.n--;
        }
    if (rc == 0)
        rc = sdb_version_new(
            s->version,
            &(struct sdb_version_change){.added = tables->members, .nadded = tables->n},
            &version, err);
    if (rc == 0)
        rc = sdb_read_state_new(s->memtables, s->nmemtables, version, &hidden, &fresh,
                                err);
    sdb_version_unref(version);
    if (rc != 0) {
        sdb_pendings_unref(list);
        return rc;
    }
    t->pendings = list;
    sdb_read_state_unref(sdb_tree_set_state(t, fresh));
    if (tables->n > 0)
        sdb_debt_note(t);
    sdb_pendings_unref(old);
    if (tables->n > 0)
        atomic_store_explicit(&t->flushed, l->pending->number, memory_order_relaxed);
    return 0;
}

/* The tree's numbers with this commit in tables, none of which ever falls, and whether
 * it was the last that the side file is there for. */
static void note_numbers(struct sdb_landing *l, bool counts, struct sdb_edit *e)
    REQUIRES(LK_INSTALL)
{
    uint64_t id = l->tree->desc.id, number = l->pending->number;
    const struct sdb_catalog *c = sdb_manifest_catalog(l->job.db->manifest);
    for (size_t i = 0; i < c->ntrees && counts; i++)
        if (c->trees[i].id == id)
            sdb_edit_tree_numbers(
                e, id, number,
                c->trees[i].last_commit > number ? c->trees[i].last_commit : number,
                c->trees[i].fold_floor);
    struct sdb_aside_desc aside = sdb_catalog_aside(c, id);
    l->aside = aside.file != 0 && number >= aside.covered ? aside.file : 0;
    if (l->aside != 0)
        sdb_edit_tree_aside(e, id, &(struct sdb_aside_desc){0});
}

/* List the tables in the manifest and publish them.  No tables: the commit does not
 * count, and they go with their pending entries. */
static int install(struct sdb_landing *l, const struct landed *tables, seerdb_err *err)
    EXCLUDES(LK_WRITE, LK_INSTALL, LK_DB)
{
    seerdb *db = l->job.db;
    struct sdb_edit e = {0};
    int rc = 0;
    sdb_lock_install(&db->install_lock);
    bool dropped = is_dropped(l->tree);
    l->aside = 0;
    if (!dropped) {
        for (size_t i = 0; i < tables->n; i++)
            sdb_edit_table_add(&e, l->tree->desc.id, &tables->members[i]->desc);
        note_numbers(l, tables->n > 0, &e);
        rc = SDB_FAIL_AT(land_install, err);
        if (rc == 0 && (e.bytes.size > 0 || e.bytes.failed))
            rc = sdb_install(db, &e, err);
        SDB_PASS(land_installed);
    }
    if (rc == 0 && !dropped) {
        /* The files are the version's now. */
        for (size_t i = 0; i < tables->n; i++) {
            l->pending->runs->members[i]->dead = NULL;
            l->pending->runs->members[i]->pending = false;
        }
        sdb_lock_db(&db->lock);
        rc = publish(l, tables, err);
        sdb_unlock_db(&db->lock);
        if (rc != 0 &&
            tables->n > 0) /* the manifest is ahead: only reopening is right */
            (void)sdb_break_for_good(db, err);
    }
    if (rc == 0) {
        sdb_lock_db(&db->lock);
        l->job.log_file = 0;
        sdb_unlock_db(&db->lock);
        l->tree->gone = l->pending->number;
    }
    sdb_unlock_install(&db->install_lock);
    sdb_edit_fini(&e);
    return rc;
}

static int landing_run(struct sdb_job *job, seerdb_err *err)
{
    struct sdb_landing *l = (struct sdb_landing *)job;
    seerdb *db = job->db;
    struct landed tables = {0};
    int rc = SDB_FAIL_AT(land_begin, err);
    if (rc != 0)
        return rc;
    if (l->tree->marked &&
        (rc = sdb_marked_decide(l->tree, l->pending->number + 1, err)) != 0)
        return rc;
    sdb_lock_db(&db->lock);
    struct sdb_read_state *s = sdb_read_state_ref(l->tree->state);
    sdb_unlock_db(&db->lock);
    bool counts = false;
    if (!is_dropped(l->tree))
        rc = sdb_pending_look(l->pending, UINT64_MAX, &s->hidden, &counts, err);
    if (rc == 0 && counts)
        rc = make_members(l, s->version, &tables, err);
    sdb_read_state_unref(s);
    /* The commit may have written other trees, and others came before it: a power cut
     * must not leave the tables without those. */
    if (rc == 0)
        rc = sdb_wal_sync(db->wal, sdb_wal_end(db->wal), err);
    if (rc == 0)
        rc = install(l, &tables, err);
    if (rc == 0) {
        SDB_PASS(land_published);
        sdb_debt_adapt(l->tree);
        sdb_tree_map_tables(l->tree);
        sdb_lock_write(&db->write_lock);
        if (tables.n > 0)
            sdb_chain_forget(&l->tree->chain, l->pending->number);
        (void)!sdb_log_trim(db, NULL); /* the next flush tries again */
        sdb_unlock_write(&db->write_lock);
        if (l->aside != 0)
            sdb_side_remove(db->fs, db->dir, l->aside);
    }
    landed_fini(&tables);
    return rc;
}

/* ---- what becomes pending ----------------------------------------------------------
 */

static int make_pending(seerdb_tree *t, uint64_t number, struct sdb_version *runs,
                        struct sdb_landing **out, seerdb_err *err) REQUIRES(LK_WRITE)
    EXCLUDES(LK_DB)
{
    seerdb *db = t->db;
    struct sdb_landing *l = sdb_mem_zalloc(sizeof *l);
    if (l == NULL)
        return sdb_fail_nomem(err, sizeof *l);
    l->job = (struct sdb_job){.run = landing_run,
                              .free = landing_free,
                              .db = db,
                              .group = t,
                              .newest = number};
    int rc = sdb_pending_new(number, runs, &l->pending, err);
    /* Commits before this one and after it never share a memtable: their tables lie on
     * either side of it. */
    if (rc == 0 && (rc = sdb_freeze_anyway(t, err)) == 0)
        rc = sdb_tree_change_pendings(t, NULL, l->pending, err);
    if (rc != 0) {
        sdb_pending_unref(l->pending);
        sdb_mem_free(l);
        return rc;
    }
    sdb_lock_db(&db->lock);
    sdb_tree_ref(t);
    sdb_unlock_db(&db->lock);
    l->tree = t;
    *out = l;
    return 0;
}

int sdb_land_prepare(seerdb_batch *b, uint64_t number, seerdb_err *err)
{
    int rc = 0;
    for (size_t i = 0; i < b->nslots && rc == 0; i++)
        if (b->slots[i].runs != NULL)
            rc = make_pending(b->slots[i].tree, number, b->slots[i].runs,
                              &b->slots[i].landing, err);
    return rc;
}

void sdb_land_undo(seerdb_batch *b)
{
    for (size_t i = 0; i < b->nslots; i++) {
        struct sdb_landing *l = b->slots[i].landing;
        if (l == NULL)
            continue;
        b->slots[i].landing = NULL;
        /* release: whoever sees a later commit's number sees this */
        atomic_store_explicit(&l->pending->undone, true, memory_order_release);
        /* For want of memory it stays in the list, unseen. */
        (void)!sdb_tree_change_pendings(l->tree, l->pending, NULL, NULL);
        landing_free(&l->job);
    }
}

void sdb_land_submit(seerdb_batch *b)
{
    seerdb *db = b->db;
    for (size_t i = 0; i < b->nslots; i++) {
        struct sdb_landing *l = b->slots[i].landing;
        if (l == NULL)
            continue;
        b->slots[i].landing = NULL;
        l->job.log_file = sdb_wal_file_of(b->position);
        sdb_lock_db(&db->lock);
        sdb_job_submit(db, &l->job);
        sdb_unlock_db(&db->lock);
    }
}

/* ---- recovery
 * ------------------------------------------------------------------------ */

static const struct sdb_table_desc *find_pending(seerdb *db, uint64_t tree,
                                                 uint64_t file) NO_TSA
{
    const struct sdb_catalog *c = sdb_manifest_catalog(db->manifest);
    for (size_t i = 0; i < c->ntrees; i++)
        for (size_t k = 0; c->trees[i].id == tree && k < c->trees[i].ntables; k++)
            if (c->trees[i].tables[k].file == file && c->trees[i].tables[k].pending)
                return &c->trees[i].tables[k];
    return NULL;
}

/* The member for a file, or one that an earlier prepare has opened. */
static int open_pending(seerdb_tree *t, uint64_t file, struct sdb_member **out,
                        seerdb_err *err) EXCLUDES(LK_DB)
{
    sdb_lock_db(&t->db->lock);
    for (size_t i = 0; t->pendings != NULL && i < t->pendings->n; i++) {
        const struct sdb_version *runs = t->pendings->all[i]->runs;
        for (size_t k = 0; runs != NULL && k < runs->nmembers && *out == NULL; k++)
            if (runs->members[k]->desc.file == file) {
                *out = runs->members[k];
                sdb_member_ref(*out);
            }
    }
    sdb_unlock_db(&t->db->lock);
    const struct sdb_table_desc *desc = find_pending(t->db, t->desc.id, file);
    if (*out != NULL || desc == NULL)
        return *out != NULL ? 0 : SEERDB_NOTFOUND;
    struct sdb_table_desc private = *desc; /* borrows its bytes */
    private.level = 1;
    private.commit = SDB_NUMBER_BATCH;
    int rc = sdb_open_member(t->db, &private, sdb_bury, out, err);
    if (rc == 0)
        (*out)->pending = true;
    return rc;
}

int sdb_land_recover(seerdb_tree *t, uint64_t number, const uint64_t *files, size_t n,
                     uint64_t log_file, seerdb_err *err)
{
    struct sdb_version *runs = NULL;
    struct sdb_landing *l = NULL;
    size_t opened = 0;
    int rc = 0;
    struct sdb_member **members = sdb_array_new(n, sizeof *members);
    if (members == NULL)
        return sdb_fail_nomem(err, n * sizeof *members);
    for (size_t i = 0; i < n && rc == 0; i++) {
        members[i] = NULL;
        if ((rc = open_pending(t, files[i], &members[i], err)) == 0)
            opened++;
    }
    if (rc == 0)
        rc = sdb_version_new(
            NULL, &(struct sdb_version_change){.added = members, .nadded = n}, &runs,
            err);
    if (rc == 0 || rc == SEERDB_NOTFOUND) /* whether it counts, others tell */
        rc = make_pending(t, number, runs, &l, err);
    if (rc == 0) {
        l->job.log_file = log_file;
        sdb_lock_db(&t->db->lock);
        sdb_job_submit(t->db, &l->job);
        sdb_unlock_db(&t->db->lock);
    }
    sdb_version_unref(runs);
    for (size_t i = 0; i < opened; i++)
        sdb_member_unref(members[i]);
    sdb_mem_free(members);
    return rc;
}

static bool is_named(const seerdb_tree *t, uint64_t file) REQUIRES(LK_DB)
{
    if (t != NULL && t->damage != NULL) /* its side file may have */
        return true;
    for (size_t i = 0; t != NULL && t->pendings != NULL && i < t->pendings->n; i++) {
        const struct sdb_version *runs = t->pendings->all[i]->runs;
        for (size_t k = 0; runs != NULL && k < runs->nmembers; k++)
            if (runs->members[k]->desc.file == file)
                return true;
    }
    return false;
}

int sdb_land_sweep(seerdb *db, seerdb_err *err)
{
    struct sdb_edit e = {0};
    struct sdb_buf files = {0};
    int rc = 0;
    sdb_lock_install(&db->install_lock);
    const struct sdb_catalog *c = sdb_manifest_catalog(db->manifest);
    sdb_lock_db(&db->lock);
    for (size_t i = 0; i < c->ntrees; i++) {
        const seerdb_tree *t = sdb_tree_by_id(db, c->trees[i].id);
        for (size_t k = 0; k < c->trees[i].ntables; k++) {
            const struct sdb_table_desc *d = &c->trees[i].tables[k];
            if (!d->pending || is_named(t, d->file))
                continue;
            sdb_edit_table_remove(&e, c->trees[i].id, d->file);
            sdb_put_u64(&files, d->file);
        }
    }
    sdb_unlock_db(&db->lock);
    if ((e.bytes.size > 0 || e.bytes.failed) &&
        (rc = SDB_FAIL_AT(sweep_pending, err)) == 0)
        rc = sdb_install(db, &e, err);
    sdb_unlock_install(&db->install_lock);
    for (size_t at = 0; rc == 0 && at < files.size; at += 8) {
        char *path = sdb_table_path(db, sdb_load_u64(files.data + at));
        if (path != NULL) /* else the next open removes it */
            (void)sdb_fs_remove(db->fs, path, NULL);
        sdb_mem_free(path);
    }
    sdb_edit_fini(&e);
    sdb_buf_fini(&files);
    return rc;
}
