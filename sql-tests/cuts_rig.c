/* SPDX-License-Identifier: Apache-2.0 */
#define _DEFAULT_SOURCE
#include "cuts_rig.h"

#include "db/job.h"
#include "decider.h"
#include "handles.h"
#include "module.h"
#include "os/failpoint.h"
#include "os/faultfs.h"
#include "os/memfs.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

const char *const mode_names[MODES] = {"wal-full", "wal-normal", "delete-full", "multi",
                                       "errors"};

/* Random names of stores and trees follow from the seed, too: this takes the place of
 * the C library's. */
static struct sdb_rand entropy;
static pthread_mutex_t entropy_mutex = PTHREAD_MUTEX_INITIALIZER;

ssize_t getrandom(void *buf, size_t n, unsigned flags)
{
    unsigned char *p = buf;
    (void)flags;
    pthread_mutex_lock(&entropy_mutex);
    for (size_t i = 0; i < n; i++)
        p[i] = (unsigned char)(sdb_rand_next(&entropy) & 0xff);
    pthread_mutex_unlock(&entropy_mutex);
    return (ssize_t)n;
}

int below(struct sdb_rand *r, int n)
{
    return (int)sdb_rand_below(r, (uint64_t)n);
}

enum outcome wrong(struct rig *g, enum verdict verdict, const char *format, ...)
{
    va_list args;
    if (g->verdict != FINE)
        return WRONG;
    g->verdict = verdict;
    va_start(args, format);
    vsnprintf(g->why, sizeof g->why, format, args);
    va_end(args);
    return WRONG;
}

bool is_faulty(struct rig *g)
{
    return atomic_load(&g->off) || sdb_faultfs_fired(g->fault) > 0 ||
           sdb_failpoint_acted() > 0;
}

bool has_failed_once(struct rig *g)
{
    return sdb_faultfs_fired(g->fault) > 0 || sdb_failpoint_acted() > 0;
}

static struct rig *listener; /* the log is one for the process */

static void hear(void *ctx, int code, const char *message)
{
    (void)ctx;
    (void)code;
    bool behind = strstr(message, " lost its last commits: ") != NULL,
         older = strstr(message, " is older than the store: ") != NULL;
    if (listener == NULL || (!behind && !older))
        return;
    listener->told += behind;
    listener->told_older += older;
    if (listener->trace)
        fprintf(stderr, "-- %s\n", message);
}

int listen_to_log(void)
{
    return sqlite3_config(SQLITE_CONFIG_LOG, hear, NULL);
}

/* ---- power ----------------------------------------------------------------------- */

void power_off(struct rig *g)
{
    atomic_store(&g->off, true);
    sdb_faultfs_arm(
        g->fault,
        &(struct sdb_fault){.ops = SDB_FAULT_ALL, .times = UINT64_MAX, .error = EIO});
}

/* ---- what the stores do by themselves ----------------------------------------------
 */

/* A write to another log file of the directory than the last: the log has rotated. */
static void note_log(struct rig *g, const char *path)
{
    const char *slash = strrchr(path, '/');
    size_t dir = slash != NULL ? (size_t)(slash - path) : 0, n = strlen(path);
    bool values = n >= 4 && strcmp(path + n - 4, ".vlg") == 0;
    if (n < 4 || (!values && strcmp(path + n - 4, ".log") != 0) ||
        n >= sizeof g->log_path[0])
        return;
    pthread_mutex_lock(&g->watch);
    if (values) {
        g->seen.values++;
        pthread_mutex_unlock(&g->watch);
        return;
    }
    char(*at)[sizeof g->log_path[0]] = &g->log_path[0];
    if ((*at)[0] != '\0' && strncmp(*at, path, dir) != 0)
        at = &g->log_path[1];
    g->seen.rotations += (*at)[0] != '\0' && strcmp(*at, path) != 0;
    memcpy(*at, path, n + 1);
    pthread_mutex_unlock(&g->watch);
}

static void opening(void *ctx, seerdb_options *options)
{
    struct rig *g = ctx;
    options->log_file_size = (uint64_t)g->setup.log_file;
    options->sizes.table = (size_t)g->setup.table;
    options->sizes.batch = 2 * (size_t)g->setup.table;
}

/* Smaller than the options allow, so that few transactions fill them. */
static void opened(void *ctx, seerdb *db) NO_TSA
{
    struct rig *g = ctx;
    sdb_lock_write(&db->write_lock);
    db->memtable_size = (size_t)g->setup.memtable;
    db->log_cap = (uint64_t)g->setup.log_cap;
    sdb_unlock_write(&db->write_lock);
    g->stores[g->stores[0] != NULL] = db;
    pthread_mutex_lock(&g->watch);
    memset(g->log_path, 0, sizeof g->log_path); /* a session's first file is none */
    pthread_mutex_unlock(&g->watch);
}

static void closing(void *ctx, seerdb *db)
{
    struct rig *g = ctx;
    g->seen.flushes += atomic_load(&db->counters.flushes);
    g->seen.asides += atomic_load(&db->counters.asides);
    g->seen.compactions += atomic_load(&db->counters.compactions);
    g->seen.spills += atomic_load(&db->counters.spills);
    for (int i = 0; i < DBS; i++)
        if (g->stores[i] == db)
            g->stores[i] = NULL;
}

uint64_t flushes_of(const struct rig *g)
{
    uint64_t n = 0;
    for (int i = 0; i < DBS; i++)
        n += g->stores[i] != NULL ? atomic_load(&g->stores[i]->counters.flushes) : 0;
    return n;
}

/* Until no job can run: a later statement then finds the same disk each time. */
static void wait_for_jobs(seerdb *db) NO_TSA
{
    sdb_lock_db(&db->lock);
    while (db->jobs != NULL && !seerdb_is_read_only(db) && !sdb_job_all_busy(db) &&
           db->bg_err.code == 0 &&
           (db->job_err.code == 0 || db->job_err.code == SEERDB_BUSY))
        sdb_cond_wait(&db->progress, &db->lock);
    sdb_unlock_db(&db->lock);
}

/* ---- power --------------------------------------------------------------------------
 */

/* The last write or sync that passes. */
static void count_down(void *ctx, enum sdb_fault_op op, const char *path)
{
    struct rig *g = ctx;
    note_log(g, path);
    if (g->trace > 1)
        fprintf(stderr, "   %s %s\n", op == SDB_FAULT_SYNC ? "sync" : "write", path);
    if (atomic_load(&g->countdown) <= 0 || atomic_fetch_sub(&g->countdown, 1) != 1)
        return;
    if (g->trace)
        fprintf(stderr, "-- power off after %s of %s\n",
                op == SDB_FAULT_SYNC ? "a sync" : "a write", path);
    power_off(g);
}

static void stop_at_point(void *ctx, enum sdb_failpoint at)
{
    struct rig *g = ctx;
    if (g->trace)
        fprintf(stderr, "-- power off at %s\n", sdb_failpoint_name(at));
    power_off(g);
}

void arm_point(struct rig *g, bool fail)
{
    struct sdb_failpoint_plan p = {.actions = fail ? SDB_FP_ERROR : SDB_FP_CALL,
                                   .all = below(&g->r, 2) == 0,
                                   .times = 1,
                                   .seed = sdb_rand_next(&g->r),
                                   .call = stop_at_point,
                                   .ctx = g};
    p.at = (enum sdb_failpoint)below(&g->r, SDB_NFAILPOINTS);
    p.code = below(&g->r, 2) == 0 ? SEERDB_IOERR : SEERDB_FULL;
    if (p.all)
        p.one_in = 1 + (uint64_t)below(&g->r, 500);
    else
        p.after = (uint64_t)below(&g->r, 6);
    sdb_failpoint_arm(&p);
}

void power_on(struct rig *g)
{
    sdb_failpoint_arm(NULL);
    atomic_store(&g->countdown, 0);
    atomic_store(&g->off, false);
    sdb_faultfs_arm(g->fault, &(struct sdb_fault){0});
}

void cut(struct rig *g)
{
    enum sdb_cut_mode mode = below(&g->r, 3) == 0 ? SDB_CUT_DROP : SDB_CUT_RANDOM;
    if (g->trace)
        fprintf(stderr, "-- cut%s\n",
                mode == SDB_CUT_DROP ? ", all unsynced is lost" : "");
    sdb_memfs_cut(g->mem, mode, sdb_rand_next(&g->r));
    power_on(g);
}

void settle(struct rig *g)
{
    if (sdb_fs_sync_dir(g->mem, "/d", NULL) != SEERDB_OK)
        (void)wrong(g, BROKEN, "the directory /d is gone");
}

void arm_one(struct rig *g)
{
    static const char *const where[] = {NULL, NULL, "seerdb", "-wal", "-journal"};
    struct sdb_fault fault = {
        .ops = SDB_FAULT_WRITE | SDB_FAULT_SYNC,
        .match = where[below(&g->r, 5)],
        .after = (uint64_t)below(&g->r, below(&g->r, 2) == 0 ? 200 : 30),
        .times = 1,
        .error = below(&g->r, 2) == 0 ? EIO : ENOSPC,
        .torn = below(&g->r, 2) == 0,
    };
    if (below(&g->r, 4) == 0)
        fault.ops |= SDB_FAULT_META;
    sdb_faultfs_arm(g->fault, &fault);
}

/* ---- connections ----------------------------------------------------------------- */

int run(struct rig *g, int c, const char *sql)
{
    int rc = sqlite3_exec(g->conns[c], sql, NULL, NULL, NULL);
    for (int i = 0; i < DBS && g->setup.calm; i++)
        if (g->stores[i] != NULL)
            wait_for_jobs(g->stores[i]);
    if (g->trace)
        fprintf(stderr, "%d> %.150s;%s%s\n", c, sql, rc != SQLITE_OK ? " -- " : "",
                rc != SQLITE_OK ? sqlite3_errmsg(g->conns[c]) : "");
    return rc;
}

int runf(struct rig *g, int c, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *sql = sqlite3_vmprintf(format, args);
    va_end(args);
    int rc = run(g, c, sql);
    sqlite3_free(sql);
    return rc;
}

const char *schema_of(const struct rig *g, int c, int db)
{
    return g->setup.ndbs == 1 || db == c ? "main" : "other";
}

int open_conn(struct rig *g, int c)
{
    static const char *const paths[DBS] = {"/d/a.db", "/d/b.db"};
    const struct setup *s = &g->setup;
    int own = s->ndbs == 1 ? 0 : c;
    int flags = g->read_only ? SQLITE_OPEN_READONLY
                             : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
    int rc = sqlite3_open_v2(paths[own], &g->conns[c], flags, "disk");
    if (rc == SQLITE_OK)
        rc = sqlite3_seerdb_init(g->conns[c], NULL, NULL);
    sqlite3_extended_result_codes(g->conns[c], 1);
    if (rc == SQLITE_OK && s->ndbs > 1)
        rc = runf(g, c, "ATTACH '%s' AS other", paths[1 - own]);
    if (rc == SQLITE_OK)
        rc = runf(g, c, "PRAGMA wal_autocheckpoint = %d", s->checkpoint_pages);
    /* SQLite loses commits itself, at least up to 3.40.1: in WAL mode, when pages that
     * its cache spilled after a savepoint were written again and then rolled back to
     * it, frames of the next commit get no checksums, and recovery ends before them. */
    if (rc == SQLITE_OK && s->wal)
        rc = run(g, c, "PRAGMA cache_spill = 0");
    for (int i = 0; rc == SQLITE_OK && i < s->ndbs; i++)
        rc = runf(g, c, "PRAGMA %s.synchronous = %d; PRAGMA %s.cache_size = %d",
                  schema_of(g, c, i), s->sync, schema_of(g, c, i), s->cache_pages);
    return rc;
}

enum outcome close_conns(struct rig *g)
{
    enum outcome outcome = DONE;
    for (int c = 0; c < CONNS; c++) {
        if (g->conns[c] != NULL && sqlite3_close(g->conns[c]) != SQLITE_OK) {
            outcome =
                wrong(g, BROKEN, "sqlite3_close: %s", sqlite3_errmsg(g->conns[c]));
            (void)sqlite3_close_v2(g->conns[c]);
        }
        g->conns[c] = NULL;
    }
    g->reading = false;
    return outcome;
}

int open_conns(struct rig *g)
{
    int rc = SQLITE_OK;
    for (int c = 0; rc == SQLITE_OK && c < g->setup.nconns; c++)
        rc = open_conn(g, c);
    return rc;
}

/* ---- disks ----------------------------------------------------------------------- */

static struct setup setup_of(struct rig *g)
{
    static const char *const syncs[] = {NULL, "normal", "full"};
    struct sdb_rand *r = &g->r;
    struct setup s = {.wal = g->mode != DELETE_FULL, .sync = SYNC_FULL, .ndbs = 1};
    if (g->mode == MULTI || g->mode == ERRORS) {
        s.wal = below(r, 2) == 0;
        s.ndbs = g->mode == MULTI || below(r, 3) == 0 ? 2 : 1;
    }
    if (g->mode == WAL_NORMAL) {
        s.sync = SYNC_NORMAL;
        s.store_sync = syncs[below(r, 3)];
    } else if (!s.wal && below(r, 2) == 0) {
        s.sync = SYNC_EXTRA;
    }
    s.shared_store = s.ndbs > 1 && below(r, 2) == 0;
    s.powersafe = below(r, 2) == 0;
    s.nconns = 1 + below(r, 2);
    s.page_size = below(r, 2) == 0 ? 1024 : 4096;
    s.cache_pages = below(r, 2) == 0 ? 10 : 500;
    s.checkpoint_pages = below(r, 3) == 0 ? 8 : below(r, 2) == 0 ? 60 : 1000;
    s.foreign = below(r, 3) == 0;
    s.shared_store = s.shared_store || s.foreign;
    s.log_file = 4096 << below(r, 3);
    s.log_cap = s.log_file * (1 + below(r, 4));
    s.memtable = 10000 << below(r, 4);
    s.calm = below(r, 2) == 0;
    s.table = below(r, 2) == 0 ? 4096 : 0;
    s.features = features_random(r);
    return s;
}

static enum outcome create_tables(struct rig *g)
{
    const struct setup *s = &g->setup;
    snprintf(g->options, sizeof g->options, "%s%s%s%s", s->features.options,
             s->shared_store ? ", path='/d/s'" : "",
             s->store_sync != NULL ? ", sync=" : "",
             s->store_sync != NULL ? s->store_sync : "");
    int rc = open_conn(g, 0);
    for (int i = 0; rc == SQLITE_OK && i < s->ndbs; i++) {
        const char *schema = schema_of(g, 0, i);
        rc = runf(g, 0, "PRAGMA %s.page_size = %d; PRAGMA %s.journal_mode = %s", schema,
                  s->page_size, schema, s->wal ? "WAL" : "DELETE");
        if (rc == SQLITE_OK)
            rc = model_create(g->conns[0], schema, &s->features, g->options);
    }
    if (rc != SQLITE_OK)
        return wrong(g, BROKEN, "creating the tables: %s", sqlite3_errmsg(g->conns[0]));
    if (close_conns(g) == WRONG || sdb_fs_sync_dir(g->mem, "/d", NULL) != 0 ||
        open_conns(g) != SQLITE_OK)
        return wrong(g, BROKEN, "opening the tables again fails");
    return DONE;
}

static struct sdb_fs *decision_disk; /* the hook below has no context */

static int sync_one(const char *path, seerdb_err *err)
{
    struct sdb_file *f = NULL;
    seerdb_err why = {0};
    int rc = sdb_fs_open(decision_disk, path, SDB_READWRITE, SDB_FOR_OTHER, &f, &why);
    if (rc == SEERDB_CANTOPEN)
        return 0; /* not there: nothing to sync */
    if (rc == 0)
        rc = sdb_file_sync(f, &why);
    sdb_file_close(f);
    if (rc != 0)
        *err = why;
    return rc;
}

/* What ext/decider.c does on a local disk, done on this one. */
static int sync_decisions(const struct svt_database *file, seerdb_err *err)
{
    char dir[256];
    int rc = sync_one(file->wal, err);
    if (rc == 0)
        rc = sync_one(file->journal, err);
    snprintf(dir, sizeof dir, "%s", file->path);
    char *slash = strrchr(dir, '/');
    if (slash != NULL)
        slash[slash == dir ? 1 : 0] = '\0';
    return rc != 0 ? rc
                   : sdb_fs_sync_dir(decision_disk, slash != NULL ? dir : ".", err);
}

enum outcome disk_start(struct rig *g, uint64_t disk)
{
    listener = g;
    g->disk = disk;
    pthread_mutex_init(&g->watch, NULL);
    g->r.state = disk * MODES + g->mode;
    entropy.state = ~g->r.state;
    sdb_rand_next(&g->r);
    g->setup = setup_of(g);
    g->mem = sdb_memfs_new(true);
    g->fault = g->mem != NULL ? sdb_faultfs_new(g->mem) : NULL;
    if (g->fault == NULL || sdb_fs_mkdir(g->mem, "/d", NULL) != 0 ||
        sdb_fs_sync_dir(g->mem, "/", NULL) != 0)
        return wrong(g, BROKEN, "no memory");
    struct disk_vfs_options options = {
        .characteristics = g->setup.powersafe ? SQLITE_IOCAP_POWERSAFE_OVERWRITE : 0,
        .seed = disk,
        .not_default = g->setup.foreign,
    };
    g->vfs = disk_vfs_new(g->fault, &options);
    if (g->vfs == NULL)
        return wrong(g, BROKEN, "no memory");
    sdb_faultfs_observe(g->fault, count_down, g);
    g->watcher = (struct svt_handles_watcher){opening, opened, closing, g};
    svt_handles_watch(&g->watcher);
    svt_handles_use_fs(g->fault);
    decision_disk = g->fault;
    svt_decider_use(g->setup.foreign ? NULL : sync_decisions);
    sqlite3_test_control(SQLITE_TESTCTRL_PRNG_SEED, (int)disk + 1, NULL);
    sqlite3_randomness(0, NULL); /* SQLite seeds itself again */
    if (g->trace)
        fprintf(stderr,
                "-- disk %llu: %s%s, synchronous %d, %d databases%s, %d connections, "
                "checkpoint at %d, cache of %d pages of %d%s%s\n",
                (unsigned long long)disk, g->setup.foreign ? "foreign, " : "",
                g->setup.wal ? "WAL" : "DELETE", g->setup.sync, g->setup.ndbs,
                g->setup.shared_store ? " on one store" : "", g->setup.nconns,
                g->setup.checkpoint_pages, g->setup.cache_pages, g->setup.page_size,
                g->setup.features.merge, g->setup.features.options);
    return create_tables(g);
}

void disk_end(struct rig *g)
{
    if (g->fault != NULL)
        power_on(g);
    (void)close_conns(g);
    listener = NULL;
    svt_handles_use_fs(NULL);
    svt_handles_watch(NULL);
    svt_decider_use(NULL);
    disk_vfs_free(g->vfs);
    sdb_faultfs_free(g->fault);
    sdb_memfs_free(g->mem);
    pthread_mutex_destroy(&g->watch);
}
