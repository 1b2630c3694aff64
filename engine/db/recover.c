/* SPDX-License-Identifier: Apache-2.0
 *
 * A commit of marked trees is replayed whatever became of it: their markers will tell.
 * Any other commit in the log stands unless an abort of its number follows.  An abort
 * comes before the next commit to any of the same trees, so a commit is held back until
 * one follows it or the log ends: it is applied once, knowing its outcome, and nothing
 * is ever undone. Replaying does not shorten the log: a second crash finds it as it
 * was.
 */
#include "db/recover.h"

#include "base/interrupt.h"
#include "db/aside.h"
#include "db/flush.h"
#include "db/land.h"
#include "db/payload.h"
#include "db/write.h"
#include "os/clock.h"
#include "os/failpoint.h"

#include <stdio.h>
#include <stdlib.h>

#define LOG_FILES_KEPT 2u
#define LOG_FILES_MANY 8u  /* every session leaves one: then it is time to flush, */
#define LOG_FILES_MOST 16u /* and then, to wait for it */

/* A commit whose outcome the log has not told yet. */
struct held {
    struct held *next;
    uint64_t number, file;
    size_t size;
    uint8_t payload[];
};

struct replay {
    seerdb *db;
    struct held *held;  /* owned; in order of the log */
    uint64_t next_tree; /* ids below it existed once */
    uint64_t synced;    /* what lies before it was on stable storage; UINT64_MAX: there
                           is no value log */
};

/* A file name of the store, taken apart. */
struct name {
    uint64_t number;
    const char *suffix; /* ".tbl", ".log", ... ; "" when it is none of ours */
};

/* Numbers that no store reaches belong to somebody else: believing them would use up
 * the numbers of log files. */
static struct name parse_name(const char *name)
{
    static const char *const ours[] = {".man", ".log",  ".free",   ".tbl",
                                       ".vlg", ".side", ".vlg.tmp"};
    struct name n = {0, ""};
    for (size_t i = 0; i < sizeof ours / sizeof ours[0]; i++)
        if (sdb_numbered_parse(name, ours[i], &n.number) && n.number <= INT32_MAX)
            n.suffix = ours[i];
    return n;
}

/* ---- what is in the directory ---------------------------------------------- */

struct listing {
    seerdb *db;
    bool foreign; /* something that an unfinished creation cannot have left */
    bool data;    /* a log or a table */
    char first_foreign[64];
    uint64_t highest;      /* file number */
    struct sdb_buf values; /* u64 each: files of the value log */
    struct sdb_buf doomed; /* names of files to remove, NUL-terminated one by one */
    const struct sdb_catalog *catalog; /* NULL: only look */
    uint64_t manifest;
};

static bool table_is_listed(const struct sdb_catalog *c, uint64_t number)
{
    for (size_t i = 0; i < c->ntrees; i++)
        for (size_t j = 0; j < c->trees[i].ntables; j++)
            if (c->trees[i].tables[j].file == number)
                return true;
    return false;
}

static bool side_is_listed(const struct sdb_catalog *c, uint64_t number)
{
    for (size_t i = 0; i < c->ntrees; i++)
        if (c->trees[i].aside.file == number)
            return true;
    return false;
}

static bool is_doomed(const struct listing *l, const char *name, const struct name *n)
{
    if (strcmp(name, "CURRENT.tmp") == 0 || strcmp(n->suffix, ".vlg.tmp") == 0)
        return true;
    if (strcmp(n->suffix, ".tbl") == 0)
        return !table_is_listed(l->catalog, n->number);
    if (strcmp(n->suffix, ".side") == 0)
        return !side_is_listed(l->catalog, n->number);
    return strcmp(n->suffix, ".man") == 0 && n->number != l->manifest;
}

static void look_at(void *ctx, const char *name)
{
    struct listing *l = ctx;
    struct name n = parse_name(name);
    if (n.suffix[0] != '\0' && n.number > l->highest)
        l->highest = n.number;
    if (strcmp(n.suffix, ".log") == 0 || strcmp(n.suffix, ".tbl") == 0)
        l->data = true;
    if (strcmp(name, "LOCK") != 0 && strcmp(name, "CURRENT.tmp") != 0 &&
        strcmp(n.suffix, ".man") != 0 && !l->foreign) {
        l->foreign = true;
        snprintf(l->first_foreign, sizeof l->first_foreign, "%s", name);
    }
    if (strcmp(n.suffix, ".vlg") == 0)
        sdb_buf_append(&l->values, &n.number, sizeof n.number);
    if (l->catalog != NULL && is_doomed(l, name, &n))
        sdb_buf_append(&l->doomed, name, strlen(name) + 1);
}

static int remove_orphans(seerdb *db, const struct listing *l, seerdb_err *err)
{
    int rc = sdb_buf_check(&l->doomed, err);
    struct sdb_buf path = {0};
    for (size_t at = 0; rc == 0 && at < l->doomed.size;) {
        const char *name = (const char *)l->doomed.data + at;
        at += strlen(name) + 1;
        sdb_buf_clear(&path);
        sdb_buf_append(&path, db->dir, strlen(db->dir));
        sdb_buf_append(&path, "/", 1);
        sdb_buf_append(&path, name, strlen(name) + 1);
        if ((rc = sdb_buf_check(&path, err)) == 0)
            (void)sdb_fs_remove(db->fs, (const char *)path.data, NULL);
    }
    sdb_buf_fini(&path);
    return rc;
}

/* ---- the manifest ----------------------------------------------------------- */

/* May a store be made in the directory? */
static int check_empty(seerdb *db, seerdb_err *err)
{
    struct listing l = {.db = db};
    int rc = sdb_fs_list(db->fs, db->dir, look_at, &l, err);
    if (rc != 0)
        return rc;
    if (l.data)
        return sdb_fail(err, SEERDB_CORRUPT,
                        "%s: CURRENT is missing, but there are data files (%s)",
                        db->dir, l.first_foreign);
    if (l.foreign)
        return sdb_fail(err, SEERDB_CANTOPEN,
                        "%s is not a store and not empty (it holds %s)", db->dir,
                        l.first_foreign);
    return 0;
}

int sdb_recover_look(seerdb *db, bool create, seerdb_err *err)
{
    size_t size = strlen(db->dir) + sizeof "/CURRENT";
    char *path = sdb_mem_alloc(size);
    if (path == NULL)
        return sdb_fail_nomem(err, size);
    snprintf(path, size, "%s/CURRENT", db->dir);
    int rc = sdb_fs_stat(db->fs, path, NULL, NULL, err);
    sdb_mem_free(path);
    if (rc != SEERDB_NOTFOUND)
        return rc;
    return create ? check_empty(db, err)
                  : sdb_fail(err, SEERDB_CANTOPEN,
                             "%s is not a store: it has no file CURRENT", db->dir);
}

static int load_manifest(seerdb *db, bool create, seerdb_err *err)
{
    seerdb_uuid id;
    int rc = sdb_manifest_load(db->fs, db->dir, &db->manifest, err);
    if (rc != SEERDB_NOTFOUND)
        return rc;
    if ((rc = sdb_recover_look(db, create, err)) != 0 ||
        (rc = sdb_uuid_new(&id, err)) != 0)
        return rc;
    return sdb_manifest_create(db->fs, db->dir, &id, &db->manifest, err);
}

/* ---- trees and their tables ------------------------------------------------- */

static int open_version(seerdb *db, const struct sdb_tree_desc *t,
                        struct sdb_version **out, seerdb_err *err)
{
    int rc = 0;
    size_t n = 0;
    struct sdb_member **members = sdb_array_new(t->ntables, sizeof *members);
    if (members == NULL)
        return sdb_fail_nomem(err, t->ntables * sizeof *members);
    for (size_t i = 0; i < t->ntables && rc == 0; i++)
        if (!t->tables[i].pending && (rc = sdb_interrupted(err)) == 0) {
            rc = sdb_open_member(db, &t->tables[i], NULL, &members[n], err);
            n += rc == 0 ? 1 : 0;
        } /* the pending ones, the log will name */
    if (rc == 0)
        rc = sdb_version_new(
            NULL, &(struct sdb_version_change){.added = members, .nadded = n}, out,
            err);
    for (size_t i = 0; i < n; i++)
        sdb_member_unref(members[i]);
    sdb_mem_free(members);
    return rc;
}

static int open_trees(seerdb *db, const struct sdb_catalog *c, seerdb_err *err)
{
    for (size_t i = 0; i < c->ntrees; i++) {
        struct sdb_version *version = NULL;
        seerdb_tree *t = NULL;
        int rc = open_version(db, &c->trees[i], &version, err);
        if (rc == 0)
            rc = sdb_tree_new(db, &c->trees[i], version, &t, err);
        sdb_version_unref(version);
        if (rc != 0)
            return rc;
        sdb_lock_db(&db->lock);
        sdb_tree_append(db, t);
        sdb_unlock_db(&db->lock);
    }
    return 0;
}

/* What the second half needs of the first. */
struct sdb_recovered {
    struct listing files;
    struct sdb_wal_options wal;
    struct sdb_wal_recovery seen;
    struct sdb_buf doubtful; /* u64 each: files of the value log that commits name which
                                the log does not know synced */
    uint64_t lost; /* the commit that ended the log, for want of its values; 0: none */
};

/* ---- the log ---------------------------------------------------------------- */

/* Do two commits write a tree in common? */
static int share_a_tree(seerdb_slice a, seerdb_slice b, bool *shared, seerdb_err *err)
{
    struct sdb_payload_reader pa, pb;
    uint64_t ta, tb, prev;
    int rc = sdb_payload_open(&pa, a, "log", err);
    *shared = false;
    while (rc == 0 && !*shared &&
           (rc = sdb_payload_next_part(&pa, &ta, &prev, err)) == 0) {
        rc = sdb_payload_open(&pb, b, "log", err);
        while (rc == 0 && (rc = sdb_payload_next_part(&pb, &tb, &prev, err)) == 0) {
            *shared = *shared || ta == tb;
            rc = sdb_payload_skip_part(&pb, err);
        }
        if (rc == SEERDB_NOTFOUND)
            rc = sdb_payload_skip_part(&pa, err);
    }
    return rc == SEERDB_NOTFOUND ? 0 : rc;
}

/* Every tree that a commit names exists or existed.  *marked: it writes marked trees,
 * and then nothing else. */
static int check_trees(const struct replay *r, seerdb_slice payload, const char *where,
                       bool *marked, seerdb_err *err)
{
    struct sdb_payload_reader p;
    uint64_t id, prev;
    int rc = sdb_payload_open(&p, payload, where, err);
    *marked = false;
    while (rc == 0 && (rc = sdb_payload_next_part(&p, &id, &prev, err)) == 0) {
        if (id == 0 || id >= r->next_tree)
            return sdb_fail(err, SEERDB_CORRUPT,
                            "%s: commit %" PRIu64 " writes the unknown tree %" PRIu64,
                            where, p.number, id);
        sdb_lock_db(&r->db->lock);
        const seerdb_tree *t = sdb_tree_by_id(r->db, id);
        sdb_unlock_db(&r->db->lock);
        *marked = *marked || (t != NULL && t->marked);
        rc = sdb_payload_skip_part(&p, err);
    }
    return rc == SEERDB_NOTFOUND ? 0 : rc;
}

/* The part that p stands on names tables.  Nothing to do when the version lists them,
 * when the side file knows what became of them, or when the tree is gone. */
static int recover_tables(seerdb *db, struct sdb_payload_reader *p, uint64_t tree,
                          uint64_t log_file, seerdb_err *err) REQUIRES(LK_WRITE)
{
    sdb_lock_db(&db->lock);
    seerdb_tree *t = sdb_tree_by_id(db, tree);
    sdb_unlock_db(&db->lock);
    if (t == NULL || p->number <= t->aside_loaded ||
        p->number <= atomic_load_explicit(&t->flushed, memory_order_relaxed))
        return 0;
    struct sdb_buf files = {0};
    for (uint64_t file; sdb_payload_next_file(p, &file);)
        sdb_buf_append(&files, &file, sizeof file);
    int rc = sdb_buf_check(&files, err);
    if (rc == 0)
        rc = sdb_land_recover(t, p->number, (const uint64_t *)(void *)files.data,
                              files.size / sizeof(uint64_t), log_file, err);
    sdb_buf_fini(&files);
    return rc;
}

/* Put the spilled tables of a commit in their place, then apply the rest of it. */
static int apply(struct replay *r, seerdb_slice payload, enum sdb_apply_mode mode,
                 const char *where, uint64_t file, seerdb_err *err) REQUIRES(LK_WRITE)
{
    struct sdb_payload_reader p;
    uint64_t id, prev;
    int rc = sdb_payload_open(&p, payload, where, err);
    while (rc == 0 && (rc = sdb_payload_next_part(&p, &id, &prev, err)) == 0) {
        if (p.files_left > 0)
            rc = recover_tables(r->db, &p, id, file, err);
        if (rc == 0)
            rc = sdb_payload_skip_part(&p, err);
    }
    return rc == SEERDB_NOTFOUND ? sdb_apply(r->db, payload, mode, where, file, err)
                                 : rc;
}

/* The commit stands: apply it and let go of it. */
static int apply_held(struct replay *r, struct held **at, seerdb_err *err)
    REQUIRES(LK_WRITE)
{
    struct held *h = *at;
    int rc = apply(r, (seerdb_slice){h->payload, h->size}, SDB_APPLY_PUBLISH,
                   r->db->dir, h->file, err);
    *at = h->next;
    sdb_mem_free(h);
    return rc;
}

/* Are the values there that the commit names?  NOTFOUND: a power cut took some of them.
 * Those that are there may be in the system's memory alone. */
static int check_values(const struct replay *r, seerdb_slice payload, seerdb_err *err)
    REQUIRES(LK_WRITE)
{
    struct sdb_payload_reader p;
    struct sdb_record record;
    uint64_t id, prev, file;
    int rc = sdb_payload_open(&p, payload, r->db->dir, err);
    while (rc == 0 && (rc = sdb_payload_next_part(&p, &id, &prev, err)) == 0) {
        sdb_lock_db(&r->db->lock);
        const seerdb_tree *t = sdb_tree_by_id(r->db, id);
        sdb_unlock_db(&r->db->lock);
        bool skip = t == NULL || p.vlogs_left == 0 ||
                    p.number <= atomic_load_explicit(&t->flushed, memory_order_relaxed);
        while (!skip && sdb_payload_next_vlog(&p, &file))
            sdb_buf_append(&r->db->recovered->doubtful, &file, sizeof file);
        while ((rc = sdb_payload_next_record(&p, &record, err)) == 0)
            if (!skip && record.kind == SDB_KIND_SEGMENTS &&
                (rc = sdb_values_survived(r->db->values, record.value, err)) != 0)
                return rc;
        rc = rc == SEERDB_NOTFOUND ? 0 : rc;
    }
    return rc == SEERDB_NOTFOUND ? sdb_buf_check(&r->db->recovered->doubtful, err) : rc;
}

static int replay_prepare(struct replay *r, const struct sdb_frame *f,
                          uint64_t position, const char *where, seerdb_err *err)
    REQUIRES(LK_WRITE)
{
    struct sdb_payload_reader p;
    int rc = sdb_payload_open(&p, f->payload, where, err);
    bool marked;
    if (rc != 0 || (rc = check_trees(r, f->payload, where, &marked, err)) != 0)
        return rc;
    if (position >= r->synced && (rc = check_values(r, f->payload, err)) != 0) {
        if (rc == SEERDB_NOTFOUND)
            r->db->recovered->lost = p.number;
        return rc;
    }
    if (marked)
        return apply(r, f->payload, SDB_APPLY_LOGGED, where, sdb_wal_file_of(position),
                     err);
    struct held **at = &r->held;
    while (*at != NULL) {
        bool shared;
        rc = share_a_tree((seerdb_slice){(*at)->payload, (*at)->size}, f->payload,
                          &shared, err);
        if (rc == 0 && shared)
            rc = apply_held(r, at, err);
        else
            at = &(*at)->next;
        if (rc != 0)
            return rc;
    }
    struct held *h = sdb_mem_alloc(sizeof *h + f->payload.size);
    if (h == NULL)
        return sdb_fail_nomem(err, sizeof *h + f->payload.size);
    *h = (struct held){
        .number = p.number, .file = sdb_wal_file_of(position), .size = f->payload.size};
    memcpy(h->payload, f->payload.data, f->payload.size);
    *at = h;
    return 0;
}

static int replay_abort(struct replay *r, const struct sdb_frame *f, const char *where,
                        seerdb_err *err)
{
    struct sdb_reader reader = sdb_reader_init(f->payload);
    uint64_t number = sdb_get_varint(&reader);
    if (!sdb_reader_done(&reader))
        return sdb_fail(err, SEERDB_CORRUPT, "%s: malformed abort", where);
    for (struct held **at = &r->held; *at != NULL; at = &(*at)->next)
        if ((*at)->number == number) {
            struct held *h = *at;
            *at = h->next;
            sdb_mem_free(h);
            break;
        }
    return 0;
}

static int replay_frame(void *ctx, const struct sdb_frame *f, uint64_t position,
                        seerdb_err *err) NO_TSA
{
    struct replay *r = ctx;
    char where[64];
    int rc = sdb_interrupted(err);
    if (rc != 0)
        return rc;
    snprintf(where, sizeof where, "%06" PRIu64 ".log at %" PRIu64, position >> 32,
             position & UINT32_MAX);
    switch (f->type) {
    case SDB_WAL_PREPARE:
        return replay_prepare(r, f, position, where, err);
    case SDB_WAL_ABORT:
        return replay_abort(r, f, where, err);
    case SDB_WAL_CLOSE:
        return 0;
    default:
        return sdb_fail(err, SEERDB_NEWER, "%s: a log frame of the unknown type %u",
                        where, f->type);
    }
}

static int pass_frame(void *ctx, const struct sdb_frame *f, uint64_t position,
                      seerdb_err *err)
{
    (void)ctx;
    (void)f;
    (void)position;
    return sdb_interrupted(err);
}

static int replay_log(seerdb *db, const struct sdb_wal_options *o,
                      const struct sdb_catalog *c, struct sdb_wal_recovery *seen,
                      seerdb_err *err) NO_TSA
{
    struct replay r = {.db = db, .next_tree = c->next_tree, .synced = UINT64_MAX};
    int rc = 0;
    if (db->recovered->files.values.size > 0) {
        rc = sdb_wal_recover(o, c->log_floor, pass_frame, NULL, seen, err);
        r.synced = seen->synced;
        sdb_wal_recovery_fini(seen);
    }
    sdb_lock_write(&db->write_lock);
    if (rc == 0)
        rc = sdb_wal_recover(o, c->log_floor, replay_frame, &r, seen, err);
    while (rc == 0 && r.held != NULL)
        rc = apply_held(&r, &r.held, err);
    sdb_unlock_write(&db->write_lock);
    while (r.held != NULL) {
        struct held *next = r.held->next;
        sdb_mem_free(r.held);
        r.held = next;
    }
    return rc;
}

/* ---- reading ------------------------------------------------------------------ */

void sdb_recovered_free(struct sdb_recovered *r)
{
    if (r == NULL)
        return;
    sdb_wal_recovery_fini(&r->seen);
    sdb_buf_fini(&r->files.doomed);
    sdb_buf_fini(&r->files.values);
    sdb_buf_fini(&r->doubtful);
    sdb_mem_free(r);
}

/* Nothing of the log is said to be safe before the values are that it names.  What the
 * system has given up on, nobody can write again. */
static int sync_values(void *ctx, seerdb_err *err) NO_TSA
{
    seerdb *db = ctx;
    int rc = sdb_values_sync(db->values, err);
    if (rc != 0) {
        sdb_lock_db(&db->lock);
        db->beyond_resume = true;
        sdb_unlock_db(&db->lock);
    }
    return rc;
}

/* The store is not shared yet. */
int sdb_recover(seerdb *db, bool create, uint64_t log_file_size, seerdb_err *err) NO_TSA
{
    int rc = SDB_FAIL_AT(recover_manifest, err);
    if (rc != 0 || (rc = load_manifest(db, create, err)) != 0)
        return rc;
    struct sdb_recovered *r = sdb_mem_zalloc(sizeof *r);
    if (r == NULL)
        return sdb_fail_nomem(err, sizeof *r);
    db->recovered = r;
    const struct sdb_catalog *c = sdb_manifest_catalog(db->manifest);
    struct listing *l = &r->files;
    r->wal = (struct sdb_wal_options){.fs = db->fs,
                                      .dir = db->dir,
                                      .store = c->store,
                                      .file_size = log_file_size,
                                      .next_file = &db->next_file,
                                      .keep = LOG_FILES_KEPT,
                                      .before_sync = sync_values,
                                      .ctx = db};
    db->id = db->values->store = c->store;
    l->db = db;
    l->catalog = c;
    l->manifest = sdb_manifest_file(db->manifest);
    if ((rc = sdb_fs_list(db->fs, db->dir, look_at, l, err)) != 0 ||
        (rc = sdb_buf_check(&l->doomed, err)) != 0 ||
        (rc = sdb_buf_check(&l->values, err)) != 0 ||
        (rc = SDB_FAIL_AT(recover_tables, err)) != 0 ||
        (rc = open_trees(db, c, err)) != 0 ||
        (rc = SDB_FAIL_AT(recover_side, err)) != 0 ||
        (rc = sdb_aside_load(db, c, err)) != 0 ||
        (rc = SDB_FAIL_AT(recover_log, err)) != 0 ||
        (rc = replay_log(db, &r->wal, c, &r->seen, err)) != 0)
        return rc;
    for (size_t i = 0; i < r->seen.nfiles; i++)
        db->log_bytes += r->seen.ends[i];
    db->next_number = db->number_limit = c->number_ceiling > 0 ? c->number_ceiling : 1;
    db->file_limit = c->file_ceiling;
    uint64_t next_file =
        l->highest + 1 > c->file_ceiling ? l->highest + 1 : c->file_ceiling;
    atomic_store_explicit(&db->next_file, next_file, memory_order_relaxed);
    db->first_file = next_file;
    sdb_lock_write(&db->write_lock);
    sdb_share_memory(db);
    sdb_unlock_write(&db->write_lock);
    return 0;
}

static int compare_numbers(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

/* The writer of these values died before it synced them, and the log is about to be
 * synced with the commits that name them. */
static int sync_doubtful(seerdb *db, struct sdb_recovered *r, seerdb_err *err)
{
    uint64_t last = 0;
    int rc = sdb_values_sync(db->values, err);
    if (rc == 0 && r->doubtful.size > 0)
        qsort(r->doubtful.data, r->doubtful.size / sizeof last, sizeof last,
              compare_numbers);
    for (size_t at = 0; at < r->doubtful.size && rc == 0; at += sizeof last) {
        uint64_t number;
        memcpy(&number, r->doubtful.data + at, sizeof number);
        if (number != last)
            rc = sdb_values_sync_again(db->values, number, err);
        last = number;
    }
    return rc;
}

/* The files of the value log that nobody holds: no table names them, nor does the log.
 * What a damaged tree has, nobody can tell. */
static void remove_value_files(seerdb *db, const struct listing *l) NO_TSA
{
    for (const seerdb_tree *t = db->trees; t != NULL; t = t->next)
        if (t->damage != NULL)
            atomic_store_explicit(&db->values->stay, true, memory_order_relaxed);
    if (atomic_load_explicit(&db->values->stay, memory_order_relaxed))
        return;
    for (size_t at = 0; at < l->values.size; at += sizeof(uint64_t)) {
        uint64_t number;
        memcpy(&number, l->values.data + at, sizeof number);
        char *path = sdb_values_is_held(db->values, number)
                         ? NULL
                         : sdb_vlog_path(db->dir, number, ".vlg");
        if (path != NULL)
            (void)sdb_fs_remove(db->fs, path, NULL);
        sdb_mem_free(path);
    }
}

/* The log ended before a commit whose values were lost.  Files that only it and what
 * follows it name can go when the log really ends there: a frame behind the end, of no
 * other use, sees to that.  Else they stay, for the next open to find what this one
 * did.
 */
static void end_log(seerdb *db, uint64_t lost, struct sdb_wal *wal) REQUIRES(LK_WRITE)
    EXCLUDES(LK_DB)
{
    uint64_t position, end;
    uint8_t number[SDB_VARINT_MAX];
    seerdb_slice payload = {number, sdb_store_varint(number, lost)};
    if (sdb_reserve(db, NULL) != 0 ||
        sdb_wal_append(wal, SDB_WAL_ABORT, SDB_OUTCOME_ABORTED, payload, &position,
                       &end, NULL) != 0 ||
        sdb_wal_sync(wal, end, NULL) != 0)
        atomic_store_explicit(&db->values->stay, true, memory_order_relaxed);
}

/* ---- writing ------------------------------------------------------------------ */

int sdb_recover_begin(seerdb *db, size_t *logs, seerdb_err *err)
{
    struct sdb_recovered *r = db->recovered;
    struct sdb_wal *wal = NULL;
    sdb_lock_install(&db->install_lock);
    int rc = SDB_FAIL_AT(recover_begin, err);
    if (rc == 0)
        rc = sdb_manifest_begin(db->manifest, err);
    sdb_unlock_install(&db->install_lock);
    if (rc != 0 || (rc = SDB_FAIL_AT(recover_orphans, err)) != 0 ||
        (rc = remove_orphans(db, &r->files, err)) != 0 ||
        (rc = sdb_land_sweep(db, err)) != 0 || (rc = sync_doubtful(db, r, err)) != 0 ||
        (rc = SDB_FAIL_AT(recover_wal, err)) != 0 ||
        (rc = sdb_wal_open(&r->wal, &r->seen, &wal, err)) != 0)
        return rc;
    *logs = r->seen.nfiles;
    if (r->lost != 0)
        end_log(db, r->lost, wal);
    remove_value_files(db, &r->files);
    db->recovered = NULL;
    sdb_recovered_free(r);
    sdb_history_note(db);
    sdb_lock_db(&db->lock);
    db->wal = wal; /* under both locks: either is enough to look */
    /* release: pairs with the acquire of who goes on to write */
    atomic_store_explicit(&db->read_only, false, memory_order_release);
    sdb_job_start(db); /* for what the replay has queued */
    sdb_unlock_db(&db->lock);
    return 0;
}

/* Queue the flush of every memtable that replay has filled; of all, when the log
 * consists of many files.  A failure is none to open: the first commits try again. */
static void freeze_full(seerdb *db, bool all)
{
    int rc = 0;
    sdb_lock_write(&db->write_lock);
    sdb_lock_db(&db->lock);
    seerdb_tree *t = db->trees; /* the list only grows */
    sdb_unlock_db(&db->lock);
    while (t != NULL && rc == 0) {
        if (all || sdb_memtable_bytes(t->active) >= db->memtable_size ||
            t->active_values >= db->value_share)
            rc = sdb_freeze(t, NULL);
        sdb_lock_db(&db->lock);
        t = t->next;
        sdb_unlock_db(&db->lock);
    }
    if (rc == 0 && all)
        (void)!sdb_log_trim(db, NULL);
    sdb_unlock_write(&db->write_lock);
}

/* Sessions too short for a flush must not pile up log files. */
static int wait_for_jobs(seerdb *db, seerdb_err *err)
{
    int rc = 0;
    sdb_lock_db(&db->lock);
    while (rc == 0 && db->jobs != NULL && !sdb_job_all_busy(db) &&
           db->bg_err.code == 0 &&
           (db->job_err.code == 0 || db->job_err.code == SEERDB_BUSY))
        rc = sdb_wait_progress(db, err);
    sdb_unlock_db(&db->lock);
    return rc;
}

int sdb_recover_flush(seerdb *db, size_t logs, seerdb_err *err)
{
    SDB_PASS(recover_flush);
    freeze_full(db, logs > LOG_FILES_MANY);
    if (logs <= LOG_FILES_MOST)
        return 0;
    sdb_aside_all(db);
    return wait_for_jobs(db, err);
}
