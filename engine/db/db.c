/* SPDX-License-Identifier: Apache-2.0 */
#include "db/batch.h"
#include "db/compact.h"
#include "db/events.h"
#include "db/flush.h"
#include "db/hold.h"
#include "db/marked.h"
#include "db/recover.h"
#include "db/separate.h"
#include "log/side.h"
#include "os/clock.h"
#include "os/failpoint.h"
#include "os/memfs.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#define MEMORY_DEFAULT ((size_t)256 << 20)
#define HISTORY_MS     10000u
#define MEMORY_MIN     ((size_t)1 << 20)
/* Pages of 2 MiB are no unit for less. */
#define PAGES_FROM      ((size_t)32 << 20)
#define MEMTABLE_MAX    ((size_t)64 << 20)
#define LOG_FILE_MIN    ((uint64_t)256 << 10)
#define LOG_FILE_MAX    ((uint64_t)8 << 20)
#define VALUE_FILE_SIZE ((uint64_t)64 << 20)
#define LOG_FILE_MOST   ((uint64_t)1 << 30) /* when asked for: offsets have 32 bits */

/* ---- opening and closing ----------------------------------------------------- */

/* The new directory's name must survive a power cut too. */
static int sync_parent(seerdb *db, seerdb_err *err)
{
    char *parent = sdb_mem_strdup(db->dir);
    if (parent == NULL)
        return sdb_fail_nomem(err, strlen(db->dir));
    for (size_t n = strlen(parent); n > 1 && parent[n - 1] == '/'; n--)
        parent[n - 1] = '\0'; /* "dir/" is dir */
    char *slash = strrchr(parent, '/');
    if (slash != NULL)
        slash[slash == parent ? 1 : 0] = '\0';
    int rc = sdb_fs_sync_dir(db->fs, slash != NULL ? parent : ".", err);
    sdb_mem_free(parent);
    return rc;
}

/* Make sure that the directory is there. */
static int enter_directory(seerdb *db, bool create, seerdb_err *err)
{
    bool is_dir;
    seerdb_err why = {0};
    int rc = sdb_fs_stat(db->fs, db->dir, &is_dir, NULL, err);
    if (rc == 0)
        return is_dir ? 0
                      : sdb_fail(err, SEERDB_CANTOPEN,
                                 "%s is a file, not a store's directory", db->dir);
    if (rc != SEERDB_NOTFOUND)
        return rc;
    if (!create)
        return sdb_fail(err, SEERDB_CANTOPEN, "the store's directory %s is missing",
                        db->dir);
    if (sdb_fs_mkdir(db->fs, db->dir, &why) != 0)
        return sdb_fail(err, why.code == SEERDB_IOERR ? SEERDB_CANTOPEN : why.code,
                        "%s", why.msg);
    return sync_parent(db, err);
}

static void set_limits(seerdb *db, const seerdb_options *o, uint64_t *log_file_size)
{
    db->memory_limit = o->memory_limit != 0 ? o->memory_limit : MEMORY_DEFAULT;
    db->memtable_size = db->memory_limit / 4;
    if (db->memtable_size > MEMTABLE_MAX)
        db->memtable_size = MEMTABLE_MAX;
    if (o->sizes.memtable != 0)
        db->memtable_size = o->sizes.memtable;
    db->table_size = o->sizes.table != 0 ? o->sizes.table : db->memtable_size / 2;
    db->batch_size = o->sizes.batch != 0 ? o->sizes.batch : 3 * db->memtable_size;
    db->batch_share = db->memory_limit / 8;
    *log_file_size = o->log_file_size != 0 ? o->log_file_size : db->memory_limit / 32;
    if (*log_file_size > LOG_FILE_MAX && o->log_file_size == 0)
        *log_file_size = LOG_FILE_MAX;
    if (*log_file_size < LOG_FILE_MIN && o->log_file_size == 0)
        *log_file_size = LOG_FILE_MIN;
    db->clock = o->clock;
    db->clock_ctx = o->clock_ctx;
    db->history_us = (uint64_t)(o->history_ms != 0 ? o->history_ms : HISTORY_MS) * 1000;
    db->value_file_size =
        o->sizes.value_file != 0 ? o->sizes.value_file : VALUE_FILE_SIZE;
    db->value_share = db->memtable_size / 2;
    db->log_cap = 3 * (uint64_t)db->memtable_size;
    if (db->log_cap < 4 * *log_file_size)
        db->log_cap = 4 * *log_file_size;
}

static int check_options(const char *dir, const seerdb_options *o, seerdb_err *err)
{
    if (dir == NULL && (o->fs != NULL || !o->in_memory))
        return sdb_fail(err, SEERDB_MISUSE, "no directory is given");
    if (o->memory_limit != 0 && o->memory_limit < MEMORY_MIN)
        return sdb_fail(err, SEERDB_MISUSE, "a memory limit of %zu bytes is below %zu",
                        o->memory_limit, MEMORY_MIN);
    if (o->log_file_size > LOG_FILE_MOST)
        return sdb_fail(err, SEERDB_MISUSE,
                        "a log file size of %" PRIu64 " bytes is above %" PRIu64,
                        (uint64_t)o->log_file_size, LOG_FILE_MOST);
    if (o->read_only && (o->create || (o->in_memory && o->fs == NULL)))
        return sdb_fail(err, SEERDB_MISUSE,
                        "a store that is made cannot be for reading only");
    return 0;
}

/* Free the store's memory; it is shared with nobody. */
static void release(seerdb *db) NO_TSA
{
    sdb_empty_graveyard(db);
    while (db->trees != NULL) {
        seerdb_tree *next = db->trees->next;
        sdb_tree_free(db->trees);
        db->trees = next;
    }
    sdb_merging_fini(&db->merging);
    sdb_deciders_free(db);
    sdb_events_free(db);
    sdb_values_close(db->values); /* memtables that callers still hold keep it */
    sdb_free_undead(db);
    sdb_cache_free(db->cache);
    sdb_pages_unref(db->pages); /* pins that callers still hold keep it */
    sdb_recovered_free(db->recovered);
    sdb_manifest_close(db->manifest);
    sdb_file_close(db->lock_file);
    sdb_cond_fini(&db->slot_free);
    sdb_cond_fini(&db->work);
    sdb_cond_fini(&db->progress);
    sdb_cond_fini(&db->debt);
    sdb_cond_fini(&db->slow);
    sdb_mutex_fini(&db->write_lock);
    sdb_mutex_fini(&db->install_lock);
    sdb_mutex_fini(&db->lock);
    if (db->owns_fs)
        sdb_memfs_free(db->fs->under);
    sdb_meter_fini(&db->meter);
    sdb_mem_free(db->name);
    sdb_mem_free(db->dir);
    sdb_mem_free(db);
}

/* What only a store that may be written to does. */
static int begin_writing(seerdb *db, seerdb_err *err)
{
    size_t logs = 0;
    sdb_lock_write(&db->write_lock);
    int rc = sdb_recover_begin(db, &logs, err);
    sdb_unlock_write(&db->write_lock);
    if (rc == 0)
        rc = sdb_recover_flush(db, logs, err);
    return rc == 0 ? sdb_compact_begin(db, err) : rc;
}

int seerdb_open(const char *dir, const seerdb_options *options, seerdb **out,
                seerdb_err *err)
{
    static const seerdb_options none;
    const seerdb_options *o = options != NULL ? options : &none;
    uint64_t log_file_size;
    int rc = check_options(dir, o, err);
    if (rc != 0)
        return rc;
    seerdb *db = sdb_mem_zalloc(sizeof *db);
    if (db == NULL)
        return sdb_fail_nomem(err, sizeof *db);
    sdb_mutex_init(&db->write_lock);
    sdb_mutex_init(&db->install_lock);
    sdb_mutex_init(&db->lock);
    sdb_cond_init(&db->slot_free);
    sdb_cond_init(&db->work);
    sdb_cond_init(&db->progress);
    sdb_cond_init(&db->debt);
    sdb_cond_init(&db->slow);
    atomic_init(&db->read_only, true); /* as long as it is being recovered */
    db->fork_generation = sdb_fork_generation();
    db->compactor_main = sdb_compactor_main;
    struct sdb_fs *under = o->fs != NULL  ? o->fs
                           : o->in_memory ? sdb_memfs_new(false)
                                          : sdb_fs_local();
    sdb_countfs_init(&db->files, under);
    db->fs = &db->files.base;
    db->owns_fs = o->fs == NULL && o->in_memory;
    db->dir = sdb_mem_strdup(db->owns_fs ? "in-memory store" : dir);
    db->name = sdb_mem_strdup(dir != NULL ? dir : "in-memory store");
    set_limits(db, o, &log_file_size);
    db->cache = sdb_cache_new(db->memory_limit / 16 * 15);
    if (db->memory_limit >= PAGES_FROM)
        db->pages = sdb_pages_new(db->memtable_size);
    db->values = sdb_values_new(db->fs, db->dir);
    if (db->values == NULL || db->dir == NULL || db->name == NULL || under == NULL ||
        db->cache == NULL || (db->pages == NULL && db->memory_limit >= PAGES_FROM)) {
        rc = sdb_fail_nomem(err, 0);
        db->owns_fs = db->owns_fs && under != NULL;
    }
    bool create = o->create || db->owns_fs;
    if (rc == 0 && (rc = enter_directory(db, create, err)) == 0 &&
        (rc = sdb_recover_look(db, create, err)) == 0 &&
        (rc = o->read_only ? sdb_hold_shared(db, err) : sdb_hold_alone(db, err)) == 0 &&
        (rc = sdb_recover(db, create, log_file_size, err)) == 0 &&
        (o->read_only || (rc = begin_writing(db, err)) == 0)) {
        *out = db;
        return 0;
    }
    sdb_compact_stop(db);
    sdb_job_stop(db);
    sdb_wal_abandon(db->wal);
    db->wal = NULL;
    release(db);
    return rc;
}

/* Nobody else has the store any more. */
static void end_value_files(seerdb *db) NO_TSA
{
    bool seal = !atomic_load_explicit(&db->broken, memory_order_acquire);
    for (seerdb_tree *t = db->trees; t != NULL; t = t->next)
        sdb_separate_end(t, seal);
}

int seerdb_close(seerdb *db, seerdb_err *err)
{
    if (db == NULL)
        return 0;
    if (sdb_check_process(db, NULL) != 0) {
        /* In a child the threads do not exist and the locks may be held for ever. The
         * files are shared with the parent: leave everything alone, but for the
         * descriptor that would keep the store locked when the parent has gone. Closing
         * it takes no lock on the local disk, and does not unlock. */
        if (db->fs->under == sdb_fs_local()) {
            sdb_file_close(db->lock_file);
            db->lock_file = NULL;
        }
        return 0;
    }
    sdb_compact_stop(db);
    sdb_job_stop(db);
    end_value_files(db);
    sdb_empty_graveyard(db); /* as long as there is a log to sync */
    int rc = sdb_wal_close(db->wal, err);
    db->wal = NULL;
    release(db);
    return rc;
}

int seerdb_make_writable(seerdb *db, seerdb_err *err)
{
    int rc = sdb_check_process(db, err);
    if (rc != 0 || !seerdb_is_read_only(db))
        return rc;
    size_t logs = 0;
    sdb_lock_write(&db->write_lock);
    bool still = seerdb_is_read_only(db);
    if (still && (rc = sdb_check_lost(db, err)) == 0 && !db->alone) {
        rc = sdb_hold_change(db, err);
        db->alone = rc == 0;
    }
    if (still && rc == 0)
        rc = sdb_recover_begin(db, &logs, err);
    sdb_unlock_write(&db->write_lock);
    if (!still || rc != 0)
        return rc;
    rc = sdb_recover_flush(db, logs, err);
    int begun =
        sdb_compact_begin(db, err); /* after an interrupt, too: it is a writer */
    return rc != 0 ? rc : begun;
}

bool seerdb_is_read_only(const seerdb *db)
{
    /* acquire: pairs with the release in sdb_recover_begin */
    return atomic_load_explicit(&db->read_only, memory_order_acquire);
}

const char *seerdb_dir(const seerdb *db)
{
    return db->name;
}

seerdb_uuid seerdb_id(const seerdb *db)
{
    return db->id;
}

/* ---- trees -------------------------------------------------------------------- */

static bool is_operator(const seerdb_merge_operator *op)
{
    return op->full != NULL && op->name != NULL && op->name[0] != 0 &&
           strlen(op->name) <= SEERDB_MERGE_NAME_MAX;
}

static int describe_tree(const seerdb_tree_options *o, struct sdb_tree_desc *desc,
                         seerdb_err *err)
{
    int rc = 0;
    if (o->compression < 0 || o->compression > 19 || o->app.size > 65536 ||
        o->filter_bits > 20 || (unsigned)o->index > SEERDB_INDEX_BINARY ||
        (unsigned)o->compaction > SEERDB_ADAPTIVE)
        return sdb_fail(err, SEERDB_MISUSE, "tree options out of range");
    if (o->merge != NULL && !is_operator(o->merge))
        return sdb_fail(err, SEERDB_MISUSE,
                        "a merge operator without a function, or "
                        "without a name of up to 64 KiB");
    *desc =
        (struct sdb_tree_desc){.uuid = o->id,
                               .owner = o->owner,
                               .key_format = o->key_format,
                               .value_format = o->value_format,
                               .compression = (uint32_t)o->compression,
                               .filter_bits = o->filter_bits,
                               .index = (uint32_t)o->index,
                               .compaction = (uint32_t)o->compaction,
                               .value_log = o->value_log,
                               .features = (o->marked ? SDB_TREE_MARKED : 0) |
                                           (o->value_log > 0 ? SDB_TREE_SEGMENTS : 0) |
                                           (o->merge != NULL ? SDB_TREE_MERGES : 0)};
    if (sdb_uuid_is_zero(&desc->uuid) && (rc = sdb_uuid_new(&desc->uuid, err)) != 0)
        return rc;
    if (o->name != NULL)
        sdb_buf_append(&desc->name, o->name, strlen(o->name));
    sdb_buf_append_slice(&desc->app, o->app);
    if (o->merge != NULL)
        sdb_buf_append(&desc->merge, o->merge->name, strlen(o->merge->name));
    if ((rc = sdb_buf_check(&desc->name, err)) == 0 &&
        (rc = sdb_buf_check(&desc->app, err)) == 0)
        rc = sdb_buf_check(&desc->merge, err);
    return rc;
}

static seerdb_tree *find_tree(seerdb *db, const seerdb_uuid *id) REQUIRES(LK_DB)
{
    for (seerdb_tree *t = db->trees; t != NULL; t = t->next)
        if (!t->dropped && sdb_uuid_equal(&t->desc.uuid, id))
            return t;
    return NULL;
}

/* List the tree in the manifest, then in the store. */
static int install_tree(seerdb *db, struct sdb_tree_desc *desc,
                        const seerdb_merge_operator *merge, seerdb_tree **out,
                        seerdb_err *err) REQUIRES(LK_WRITE)
{
    struct sdb_edit e = {0};
    struct sdb_version *version = NULL;
    seerdb_tree *t = NULL;
    int rc = sdb_version_new(NULL, &(struct sdb_version_change){0}, &version, err);
    sdb_lock_install(&db->install_lock);
    desc->id = sdb_manifest_catalog(db->manifest)->next_tree;
    if (desc->id == 0)
        desc->id = 1;
    desc->created = db->next_number;
    desc->flushed = desc->last_commit = 0;
    if (rc == 0)
        rc = sdb_tree_new(db, desc, version, &t, err);
    if (rc == 0 && merge != NULL)
        rc = sdb_tree_set_merge(t, merge, err);
    if (rc == 0) {
        sdb_edit_tree(&e, desc);
        if (desc->merge.size > 0)
            sdb_edit_tree_merge(&e, desc->id, sdb_buf_slice(&desc->merge));
        if ((rc = SDB_FAIL_AT(tree_create, err)) == 0)
            rc = sdb_install(db, &e, err);
    }
    if (rc == 0) {
        SDB_PASS(tree_created);
        sdb_lock_db(&db->lock);
        sdb_tree_append(db, t);
        sdb_tree_ref(t);
        sdb_unlock_db(&db->lock);
        *out = t;
        t = NULL;
    }
    sdb_unlock_install(&db->install_lock);
    if (t != NULL) /* a failure: the caller keeps the operator */
        sdb_tree_drop_merge(t);
    sdb_tree_free(t);
    sdb_version_unref(version);
    sdb_edit_fini(&e);
    return rc;
}

int seerdb_tree_create(seerdb *db, const seerdb_tree_options *options,
                       seerdb_tree **out, seerdb_err *err)
{
    struct sdb_tree_desc desc = {0};
    int rc;
    if ((rc = sdb_check_process(db, err)) != 0 ||
        (rc = sdb_check_writable(db, err)) != 0)
        return rc;
    rc = describe_tree(options, &desc, err);
    sdb_lock_write(&db->write_lock);
    sdb_lock_db(&db->lock);
    bool taken = find_tree(db, &desc.uuid) != NULL;
    sdb_unlock_db(&db->lock);
    if (rc == 0 && taken)
        rc = sdb_fail(err, SEERDB_MISUSE, "%s: a tree with this id exists", db->dir);
    if (rc == 0 && (rc = sdb_reserve(db, err)) == 0)
        rc = install_tree(db, &desc, options->merge, out, err);
    sdb_unlock_write(&db->write_lock);
    sdb_tree_desc_fini(&desc);
    return rc;
}

int seerdb_tree_separate(seerdb_tree *tree, size_t from, seerdb_err *err)
{
    seerdb *db = tree->db;
    struct sdb_edit e = {0};
    int rc = sdb_check_process(db, err);
    if (rc != 0 || (rc = sdb_check_writable(db, err)) != 0)
        return rc;
    if (from == 0)
        return sdb_fail(err, SEERDB_MISUSE, "a value log for values of no size");
    sdb_lock_install(&db->install_lock); /* two at once */
    sdb_lock_db(&db->lock);
    bool dropped = tree->dropped;
    sdb_unlock_db(&db->lock);
    if (dropped)
        rc = sdb_fail(err, SEERDB_MISUSE, "the tree was dropped");
    if (rc == 0 && !sdb_tree_separates(tree)) {
        sdb_edit_tree_values(&e, tree->desc.id, from);
        if ((rc = SDB_FAIL_AT(tree_values, err)) == 0)
            rc = sdb_install(db, &e, err);
        /* release: whoever puts a value there finds that it may; see state.h */
        if (rc == 0)
            atomic_store_explicit(&tree->separates, true, memory_order_release);
    }
    sdb_unlock_install(&db->install_lock);
    if (rc == 0)
        atomic_store_explicit(&tree->tuned.value_log, from, memory_order_release);
    sdb_edit_fini(&e);
    return rc;
}

bool seerdb_tree_separates(const seerdb_tree *tree)
{
    return sdb_tree_separates(tree);
}

int seerdb_tree_merges_with(seerdb_tree *tree, const seerdb_merge_operator *op,
                            seerdb_err *err)
{
    seerdb *db = tree->db;
    int rc = sdb_check_process(db, err);
    if (rc != 0 || (rc = sdb_tree_set_merge(tree, op, err)) != 0)
        return rc;
    if (seerdb_is_read_only(db))
        return 0;
    /* What the log had was not put together as it came. */
    sdb_lock_write(&db->write_lock);
    if (tree->long_chain)
        (void)!sdb_freeze(tree, NULL); /* the next commit tries again */
    sdb_unlock_write(&db->write_lock);
    return 0;
}

const char *seerdb_tree_merge_name(const seerdb_tree *tree)
{
    return (const char *)tree->desc.merge.data;
}

int seerdb_tree_open(seerdb *db, const seerdb_uuid *id, seerdb_tree **out,
                     seerdb_err *err)
{
    int rc = sdb_check_process(db, err);
    if (rc != 0)
        return rc;
    sdb_lock_db(&db->lock);
    seerdb_tree *t = find_tree(db, id);
    if (t != NULL)
        sdb_tree_ref(t);
    sdb_unlock_db(&db->lock);
    *out = t;
    return t != NULL ? 0 : SEERDB_NOTFOUND;
}

void seerdb_tree_use_maps(seerdb_tree *tree)
{
    if (sdb_check_process(tree->db, NULL) != 0)
        return;
    sdb_lock_db(&tree->db->lock);
    tree->mapped = true;
    sdb_unlock_db(&tree->db->lock);
    sdb_tree_map_tables(tree);
}

void seerdb_tree_close(seerdb_tree *tree)
{
    sdb_tree_unref(tree);
}

seerdb *seerdb_tree_store(const seerdb_tree *tree)
{
    return tree->db;
}

seerdb_uuid seerdb_tree_id(const seerdb_tree *tree)
{
    return tree->desc.uuid;
}

seerdb_tree_options seerdb_tree_describe(const seerdb_tree *tree)
{
    const struct sdb_tree_desc *d = &tree->desc;
    return (seerdb_tree_options){.id = d->uuid,
                                 .owner = d->owner,
                                 .name = (const char *)d->name.data,
                                 .key_format = d->key_format,
                                 .value_format = d->value_format,
                                 .compression = (int)d->compression,
                                 .filter_bits = d->filter_bits,
                                 .index = (enum seerdb_index)d->index,
                                 .compaction = (enum seerdb_compaction)d->compaction,
                                 .value_log = (size_t)d->value_log,
                                 .marked = tree->marked,
                                 .app = sdb_buf_slice(&d->app)};
}

/* Two tombstones may stand for one key, and keys may be overwritten: never below 0. */
uint64_t seerdb_tree_count_estimate(const seerdb_tree *tree) NO_TSA
{
    seerdb *db = tree->db;
    uint64_t records = 0, tombstones = 0;
    if (sdb_check_process(db, NULL) != 0)
        return 0;
    sdb_lock_db(&db->lock);
    const struct sdb_read_state *s = tree->state;
    records = s->version->records;
    tombstones = s->version->tombstones;
    for (size_t i = 0; s->pendings != NULL && i < s->pendings->n; i++) {
        const struct sdb_version *runs = s->pendings->all[i]->runs;
        records += runs != NULL ? runs->records : 0;
        tombstones += runs != NULL ? runs->tombstones : 0;
    }
    for (size_t i = 0; i < s->nmemtables; i++) {
        records += sdb_memtable_records(s->memtables[i]);
        tombstones += sdb_memtable_tombstones(s->memtables[i]);
    }
    sdb_unlock_db(&db->lock);
    return records > 2 * tombstones ? records - 2 * tombstones : 0;
}

int seerdb_tree_intend_drop(seerdb_tree *tree, seerdb_err *err)
{
    seerdb *db = tree->db;
    struct sdb_edit e = {0};
    int rc;
    if ((rc = sdb_check_process(db, err)) != 0 ||
        (rc = sdb_check_writable(db, err)) != 0)
        return rc;
    sdb_lock_install(&db->install_lock);
    sdb_lock_db(&db->lock);
    bool dropped = tree->dropped;
    sdb_unlock_db(&db->lock);
    sdb_edit_tree_intent(&e, tree->desc.id);
    if (dropped)
        rc = sdb_fail(err, SEERDB_MISUSE, "%s: the tree is dropped already", db->dir);
    else
        rc = sdb_install(db, &e, err);
    if (rc == 0) {
        sdb_lock_db(&db->lock);
        tree->drop_intended = true;
        tree->intended_us = sdb_clock_mono_us();
        sdb_unlock_db(&db->lock);
    }
    sdb_unlock_install(&db->install_lock);
    sdb_edit_fini(&e);
    return rc;
}

int seerdb_owner_get_place(seerdb *db, const seerdb_uuid *owner,
                           seerdb_owner_place *out, seerdb_err *err)
{
    int rc = sdb_check_process(db, err);
    if (rc != 0)
        return rc;
    sdb_lock_install(&db->install_lock);
    const struct sdb_owner_desc *o =
        sdb_catalog_owner(sdb_manifest_catalog(db->manifest), owner);
    if (o != NULL) {
        *out = (seerdb_owner_place){.device = o->device,
                                    .inode = o->inode,
                                    .store_device = o->store_device,
                                    .store_inode = o->store_inode};
        memcpy(out->path, o->path.data, o->path.size); /* at most SEERDB_PATH_MAX */
    }
    sdb_unlock_install(&db->install_lock);
    return o != NULL ? 0 : SEERDB_NOTFOUND;
}

int seerdb_owner_set_place(seerdb *db, const seerdb_uuid *owner,
                           const seerdb_owner_place *place, seerdb_err *err)
{
    struct sdb_edit e = {0};
    int rc;
    if ((rc = sdb_check_process(db, err)) != 0 ||
        (rc = sdb_check_writable(db, err)) != 0)
        return rc;
    struct sdb_owner_desc o = {.owner = *owner,
                               .device = place->device,
                               .inode = place->inode,
                               .store_device = place->store_device,
                               .store_inode = place->store_inode};
    const char *end = memchr(place->path, 0, sizeof place->path);
    size_t n = end != NULL ? (size_t)(end - place->path) : sizeof place->path;
    if (n == 0 || n > SEERDB_PATH_MAX)
        return sdb_fail(err, SEERDB_MISUSE, "%s: an owner's path of %zu bytes", db->dir,
                        n);
    sdb_buf_append(&o.path, place->path, n);
    sdb_edit_owner(&e, &o);
    if ((rc = sdb_buf_check(&o.path, err)) == 0 &&
        (rc = sdb_buf_check(&e.bytes, err)) == 0) {
        sdb_lock_install(&db->install_lock);
        rc = sdb_install(db, &e, err);
        sdb_unlock_install(&db->install_lock);
    }
    sdb_buf_fini(&o.path);
    sdb_edit_fini(&e);
    return rc;
}

/* Take the tree out of the manifest, then let its tables and memtables go. */
static int drop_tree(seerdb_tree *tree, seerdb_err *err) REQUIRES(LK_WRITE)
{
    seerdb *db = tree->db;
    struct sdb_edit e = {0};
    struct sdb_version *version = NULL;
    struct sdb_memtable *fresh = NULL, *old = NULL;
    struct sdb_pendings *pendings = NULL;
    struct sdb_read_state *state = NULL;
    int rc = sdb_version_new(NULL, &(struct sdb_version_change){0}, &version, err);
    if (rc == 0 && (rc = sdb_memtable_new(&fresh, err)) == 0)
        rc = sdb_read_state_new(&fresh, 1, version, NULL, &state, err);
    sdb_version_unref(version);
    if (rc != 0) {
        sdb_memtable_unref(fresh);
        return rc;
    }
    sdb_lock_install(&db->install_lock);
    uint64_t aside =
        sdb_catalog_aside(sdb_manifest_catalog(db->manifest), tree->desc.id).file;
    sdb_edit_tree_drop(&e, tree->desc.id);
    if ((rc = SDB_FAIL_AT(tree_drop, err)) == 0)
        rc = sdb_install(db, &e, err);
    SDB_PASS(tree_dropped);
    if (rc == 0 && aside != 0)
        sdb_side_remove(db->fs, db->dir, aside);
    if (rc == 0) {
        sdb_lock_db(&db->lock);
        tree->dropped = true;
        /* The manifest names its tables no more: they go with their last reader. */
        for (size_t i = 0; i < tree->state->version->nmembers; i++) {
            struct sdb_member *m = sdb_member_origin(tree->state->version->members[i]);
            m->dead = sdb_bury;
            m->ctx = db;
        }
        pendings = tree->pendings;
        tree->pendings = NULL;
        /* A queued flush of the tree finds it dropped and only gives up its input. */
        state = sdb_tree_set_state(tree, state);
        sdb_job_retry(db); /* it may have waited for a decision */
        sdb_unlock_db(&db->lock);
        old = tree->active;
        tree->active = fresh;
        tree->active_file = 0;
        fresh = NULL;
    }
    sdb_unlock_install(&db->install_lock);
    sdb_read_state_unref(state);
    sdb_pendings_unref(pendings);
    sdb_memtable_unref(old);
    sdb_memtable_unref(fresh);
    sdb_edit_fini(&e);
    return rc;
}

int seerdb_tree_drop(seerdb_tree *tree, seerdb_err *err)
{
    seerdb *db = tree->db;
    int rc;
    if ((rc = sdb_check_process(db, err)) != 0)
        return rc;
    sdb_lock_write(&db->write_lock);
    sdb_lock_db(&db->lock);
    bool intended = tree->drop_intended && !tree->dropped;
    bool early =
        tree->marked && sdb_clock_mono_us() - tree->intended_us < db->history_us;
    sdb_unlock_db(&db->lock);
    if (!intended)
        rc = sdb_fail(err, SEERDB_MISUSE,
                      "%s: a tree is dropped only after its owner noted "
                      "the intent",
                      db->dir);
    else if (early)
        rc = sdb_fail(err, SEERDB_BUSY,
                      "%s: readers that began before the drop may still want the tree",
                      db->dir);
    else if (tree->undecided != NULL)
        rc = sdb_fail(err, SEERDB_BUSY, "%s: an undecided commit writes the tree",
                      db->dir);
    else if ((rc = sdb_check_writable(db, err)) == 0)
        rc = drop_tree(tree, err);
    sdb_unlock_write(&db->write_lock);
    if (rc == 0)
        sdb_separate_end(tree, false);
    sdb_empty_graveyard(db);
    seerdb_tree_close(tree);
    return rc;
}

int seerdb_trees(seerdb *db, bool (*each)(void *ctx, const seerdb_tree_info *info),
                 void *ctx, seerdb_err *err)
{
    size_t n = 0, got = 0;
    int rc = sdb_check_process(db, err);
    if (rc != 0)
        return rc;
    sdb_lock_db(&db->lock);
    for (const seerdb_tree *t = db->trees; t != NULL; t = t->next)
        n++;
    seerdb_tree_info *all = sdb_array_new(n, sizeof *all);
    for (const seerdb_tree *t = db->trees; t != NULL && all != NULL; t = t->next)
        if (!t->dropped)
            all[got++] =
                (seerdb_tree_info){t->desc.uuid, t->desc.owner, t->drop_intended};
    sdb_unlock_db(&db->lock);
    if (all == NULL)
        return sdb_fail_nomem(err, n * sizeof *all);
    for (size_t i = 0; i < got; i++)
        if (!each(ctx, &all[i])) /* outside the lock: it may call us */
            break;
    sdb_mem_free(all);
    return 0;
}

/* ---- maintenance --------------------------------------------------------------- */

int seerdb_flush(seerdb *db, seerdb_tree *tree, seerdb_err *err)
{
    int rc;
    if ((rc = sdb_check_process(db, err)) != 0 ||
        (rc = sdb_check_writable(db, err)) != 0)
        return rc;
    sdb_lock_write(&db->write_lock);
    sdb_lock_db(&db->lock);
    seerdb_tree *t = tree != NULL ? tree : db->trees; /* the list only grows */
    sdb_unlock_db(&db->lock);
    while (t != NULL && rc == 0) {
        rc = sdb_freeze(t, err);
        sdb_lock_db(&db->lock);
        t = tree != NULL ? NULL : t->next;
        sdb_unlock_db(&db->lock);
    }
    sdb_unlock_write(&db->write_lock);
    if (rc != 0)
        return rc;
    sdb_lock_db(&db->lock);
    sdb_job_retry(db);
    rc = sdb_job_wait(db, tree, err);
    sdb_unlock_db(&db->lock);
    return rc;
}

int seerdb_compact(seerdb *db, seerdb_tree *tree, seerdb_err *err)
{
    int rc = seerdb_flush(db, tree, err);
    return rc != 0 ? rc : sdb_compact_all(db, tree, false, err);
}

int seerdb_gc(seerdb *db, seerdb_tree *tree, seerdb_err *err)
{
    int rc = seerdb_flush(db, tree, err);
    return rc != 0 ? rc : sdb_compact_all(db, tree, true, err);
}

static int set_paused(seerdb *db, bool paused, seerdb_err *err)
{
    int rc = sdb_check_process(db, err);
    if (rc == 0)
        sdb_compact_pause(db, paused);
    return rc;
}

int seerdb_pause(seerdb *db, seerdb_err *err)
{
    return set_paused(db, true, err);
}

int seerdb_continue(seerdb *db, seerdb_err *err)
{
    return set_paused(db, false, err);
}
