/* SPDX-License-Identifier: Apache-2.0
 *
 * The registry is the one piece of global state: two connections of a process know
 * nothing of each other, and only something that both can reach lets them share the
 * store that cannot be opened twice.
 *
 * Opening and closing take long and ask progress handlers, which may do anything: both
 * come to pass without the mutex.  The store has its place in the registry meanwhile,
 * and who wants the same one waits.
 *
 * A fork copies the registry, maybe in the middle of a change by another thread.  The
 * fork handlers hold the mutex across it, and the child forgets the entries: they
 * belong to the parent.  The connections it inherited still count their entries and
 * free them. */
#define _XOPEN_SOURCE 700 /* realpath, pthread_atfork */
#include "handles.h"

#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define WAIT_SLICE_NS 10000000 /* below a second */

struct svt_owner {
    struct svt_owner *next;
    struct svt_decider *decider; /* owned */
};

static struct {
    pthread_mutex_t mutex;
    pthread_cond_t changed; /* a store is open or closed */
    pthread_once_t once;
    struct svt_store *stores;
    struct sdb_fs *fs;                         /* borrowed; NULL: the local disk */
    const struct svt_handles_watcher *watcher; /* borrowed; NULL: none */
} registry = {.mutex = PTHREAD_MUTEX_INITIALIZER,
              .changed = PTHREAD_COND_INITIALIZER,
              .once = PTHREAD_ONCE_INIT};

static void lock(void)
{
    pthread_mutex_lock(&registry.mutex);
}

static void unlock(void)
{
    pthread_mutex_unlock(&registry.mutex);
}

/* Requires: the mutex, which others have meanwhile. */
static int wait_for_change(struct svt_interrupt *interrupt)
{
    struct timespec until = {0};
    if (interrupt == NULL) {
        pthread_cond_wait(&registry.changed, &registry.mutex);
        return SQLITE_OK;
    }
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += WAIT_SLICE_NS;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_cond_timedwait(&registry.changed, &registry.mutex, &until);
    unlock();
    int rc = svt_interrupt_check(interrupt);
    lock();
    return rc;
}

static void after_fork_in_child(void)
{
    registry.stores = NULL;
    pthread_cond_init(&registry.changed, NULL); /* who waited is not here */
    unlock();
}

static void watch_forks(void)
{
    pthread_atfork(lock, unlock, after_fork_in_child);
}

/* The parent directory resolved, and the last component as it is: the directory itself
 * may not exist yet.  A parent that cannot be resolved leaves the path as it was given:
 * opening it says why.  sqlite3_malloc'ed; NULL: no memory. */
static char *canonical(const char *path)
{
    char parent[PATH_MAX], resolved[PATH_MAX];
    size_t n = strlen(path);
    while (n > 1 && path[n - 1] == '/')
        n--;
    if (n < sizeof(parent)) {
        memcpy(parent, path, n);
        parent[n] = 0;
        if (realpath(parent, resolved) != NULL)
            return sqlite3_mprintf("%s", resolved);
        char *slash = strrchr(parent, '/');
        const char *name = slash != NULL ? slash + 1 : parent;
        const char *dir = slash == NULL ? "." : slash == parent ? "/" : parent;
        const char *base = path + (name - parent);
        if (slash != NULL && slash != parent)
            *slash = 0;
        if (realpath(dir, resolved) != NULL)
            return sqlite3_mprintf("%s%s%.*s", resolved, resolved[1] != 0 ? "/" : "",
                                   (int)(n - (size_t)(base - path)), base);
    }
    return sqlite3_mprintf("%s", path);
}

static void store_free(struct svt_store *s)
{
    if (s == NULL)
        return;
    while (s->owners != NULL) {
        struct svt_owner *o = s->owners;
        s->owners = o->next;
        svt_decider_free(o->decider);
        sqlite3_free(o);
    }
    sqlite3_free(s->sync_by);
    sqlite3_free(s->memory_limit_by);
    sqlite3_free(s->history_by);
    sqlite3_free(s->dir);
    sqlite3_free(s);
}

/* Requires: the mutex, or a store that nobody else sees. */
static int take_sync(struct svt_store *s, const struct svt_store_request *request,
                     char **message)
{
    static const char *const names[] = {"auto", "full", "normal", "off"};
    const struct svt_options *o = request->options;
    const char *who = request->sync_by != NULL ? request->sync_by : request->table;
    unsigned bit = svt_settings_bit(SVT_SETTING_SYNC);
    if (!o->sync_given)
        return SQLITE_OK;
    bool agrees = s->sync_by == NULL || atomic_load(&s->sync) == (int)o->sync;
    if (!agrees && !(o->set & bit) && (s->set & bit))
        return SQLITE_OK; /* what was changed goes before what was declared */
    if (!agrees && !(o->set & bit))
        return svt_fail(
            message, SQLITE_ERROR,
            "%s: sync=%s, but sync belongs to the store %s, where %s set it "
            "to %s: give the same or leave it out",
            request->table, names[o->sync], s->dir, s->sync_by,
            names[atomic_load(&s->sync)]);
    if (s->sync_by == NULL || !agrees) {
        char *by = sqlite3_mprintf("%s", who);
        if (by == NULL)
            return SQLITE_NOMEM;
        sqlite3_free(s->sync_by);
        s->sync_by = by;
    }
    s->set |= o->set & bit;
    atomic_store(&s->sync, (int)o->sync);
    return SQLITE_OK;
}

/* An option of the store: what this table gave (0: nothing) against what is in force.
 */
static int agree_on(const struct svt_store *s, const struct svt_store_request *request,
                    const char *option, int64_t given, int64_t set, const char *set_by,
                    unsigned bit, char **message)
{
    if (given == 0 || given == set)
        return SQLITE_OK;
    /* What was changed goes before what was declared; if it was changed while the store
     * was open, it waits for the next open. */
    if ((request->options->set | s->set) & bit)
        return SQLITE_OK;
    if (set_by == NULL)
        return svt_fail(
            message, SQLITE_ERROR,
            "%s: %s=%lld, but %s belongs to the store %s, which is in use with "
            "the default: leave it out, or give it in the first table of a "
            "store",
            request->table, option, (long long)given, option, s->dir);
    return svt_fail(
        message, SQLITE_ERROR,
        "%s: %s=%lld, but %s belongs to the store %s, where %s set it to %lld: "
        "give the same or leave it out",
        request->table, option, (long long)given, option, s->dir, set_by,
        (long long)set);
}

/* Requires: the mutex. */
static int agree(struct svt_store *s, const struct svt_store_request *request,
                 char **message)
{
    const struct svt_options *o = request->options;
    int rc = agree_on(s, request, "memory_limit", o->memory_limit, s->memory_limit,
                      s->memory_limit_by, svt_settings_bit(SVT_SETTING_MEMORY_LIMIT),
                      message);
    if (rc == SQLITE_OK)
        rc = agree_on(s, request, "history (in milliseconds)", o->history_ms,
                      s->history_ms, s->history_by,
                      svt_settings_bit(SVT_SETTING_HISTORY), message);
    return rc == SQLITE_OK ? take_sync(s, request, message) : rc;
}

/* Note who gave an option of the store, if anybody did. */
static bool note_giver(int64_t given, const char *giver, const char *table, char **by)
{
    return given == 0 ||
           (*by = sqlite3_mprintf("%s", giver != NULL ? giver : table)) != NULL;
}

/* For reading only, too, if it can be had no other way. */
static int open_somehow(seerdb_options *options, struct svt_store *s, seerdb_err *err)
{
    int rc = seerdb_open(s->dir, options, &s->db, err);
    if (rc != SEERDB_READONLY || options->read_only || options->create)
        return rc;
    options->read_only = true;
    *err = (seerdb_err){0};
    return seerdb_open(s->dir, options, &s->db, err);
}

static int open_engine(const struct svt_store_request *request, seerdb_options *options,
                       struct svt_store *s, seerdb_err *err)
{
    struct svt_interrupt_span span;
    if (request->interrupt == NULL)
        return open_somehow(options, s, err);
    if (svt_interrupt_begin(request->interrupt, &span) != SQLITE_OK) {
        *err = (seerdb_err){SEERDB_INTERRUPTED, "interrupted"};
        return SEERDB_INTERRUPTED;
    }
    int rc = open_somehow(options, s, err);
    svt_interrupt_end(&span);
    return rc;
}

/* A store that is not open yet.  Takes dir over. */
static int store_new(const struct svt_store_request *request, char *dir,
                     struct svt_store **out, char **message)
{
    int rc = SQLITE_NOMEM;
    struct svt_store *s = sqlite3_malloc64(sizeof(*s));
    if (s == NULL) {
        sqlite3_free(dir);
        return SQLITE_NOMEM;
    }
    *s = (struct svt_store){.dir = dir, .in_memory = request->in_memory, .refs = 1};
    s->memory_limit = request->options->memory_limit;
    s->history_ms = request->options->history_ms;
    s->set = request->options->set & (svt_settings_bit(SVT_SETTING_MEMORY_LIMIT) |
                                      svt_settings_bit(SVT_SETTING_HISTORY));
    if (note_giver(s->memory_limit, request->memory_limit_by, request->table,
                   &s->memory_limit_by) &&
        note_giver(s->history_ms, request->history_by, request->table, &s->history_by))
        rc = take_sync(s, request, message);
    if (rc != SQLITE_OK) {
        store_free(s);
        s = NULL;
    }
    *out = s;
    return rc;
}

static int open_new(const struct svt_store_request *request, struct svt_store *s,
                    char **message)
{
    seerdb_err err = {0};
    seerdb_options options = {.create = request->create,
                              .read_only = request->read_only && !request->in_memory,
                              .in_memory = request->in_memory,
                              .memory_limit = (size_t)request->options->memory_limit,
                              .history_ms = (unsigned)request->options->history_ms,
                              .fs = request->in_memory ? NULL : registry.fs};
    if (registry.watcher != NULL)
        registry.watcher->opening(registry.watcher->ctx, &options);
    int rc = open_engine(request, &options, s, &err);
    if (rc == 0 && registry.watcher != NULL)
        registry.watcher->opened(registry.watcher->ctx, s->db);
    return svt_errmap_message(message, request->table, rc, &err);
}

static struct svt_store *find(const char *dir)
{
    struct svt_store *s = registry.stores;
    while (s != NULL && strcmp(s->dir, dir) != 0)
        s = s->next;
    return s;
}

/* Requires: the mutex. */
static void leave_registry(struct svt_store *store)
{
    struct svt_store **at = &registry.stores;
    while (*at != NULL && *at != store) /* a forked child has left all behind */
        at = &(*at)->next;
    if (*at != NULL)
        *at = store->next;
    pthread_cond_broadcast(&registry.changed);
}

/* The open store of the directory, or NULL: there is none.  Waits for who opens or
 * closes it.  Requires: the mutex. */
static int await(const struct svt_store_request *request, const char *dir,
                 struct svt_store **out, char **message)
{
    int rc = SQLITE_OK;
    while ((*out = find(dir)) != NULL && (*out)->turning && rc == SQLITE_OK) {
        if (pthread_equal((*out)->turner, pthread_self()))
            return svt_fail(message, SQLITE_BUSY,
                            "%s: the store %s is being opened or closed by this very "
                            "thread",
                            request->table, dir);
        rc = wait_for_change(request->interrupt);
    }
    return rc;
}

/* The first to want it.  Takes s over.  Requires: the mutex, which others have
 * meanwhile. */
static int open_first(const struct svt_store_request *request, struct svt_store *s,
                      struct svt_store **out, char **message)
{
    s->turning = true;
    s->turner = pthread_self();
    s->next = registry.stores;
    registry.stores = s;
    unlock();
    int rc = open_new(request, s, message);
    lock();
    s->turning = false;
    if (rc != SQLITE_OK)
        leave_registry(s);
    else
        pthread_cond_broadcast(&registry.changed);
    if (rc == SQLITE_OK)
        *out = s;
    else
        store_free(s);
    return rc;
}

int svt_handles_open(const struct svt_store_request *request, struct svt_store **out,
                     char **message)
{
    struct svt_store *s = NULL, *fresh = NULL;
    *out = NULL;
    char *dir = request->in_memory || registry.fs != NULL
                    ? sqlite3_mprintf("%s", request->dir)
                    : canonical(request->dir);
    int rc = dir != NULL ? store_new(request, dir, &fresh, message) : SQLITE_NOMEM;
    if (rc != SQLITE_OK)
        return rc;
    if (request->in_memory) {
        rc = open_new(request, fresh, message);
        if (rc == SQLITE_OK)
            *out = fresh;
        else
            store_free(fresh);
        return rc;
    }
    pthread_once(&registry.once, watch_forks);
    lock();
    rc = await(request, fresh->dir, &s, message);
    if (rc == SQLITE_OK && s == NULL) {
        rc = open_first(request, fresh, out, message);
        fresh = NULL;
    } else if (rc == SQLITE_OK && (rc = agree(s, request, message)) == SQLITE_OK) {
        s->refs++;
        *out = s;
    }
    unlock();
    store_free(fresh);
    return rc;
}

int svt_handles_share(const struct svt_store_request *request, struct svt_store *store,
                      char **message)
{
    lock();
    int rc = agree(store, request, message);
    if (rc == SQLITE_OK)
        store->refs++;
    unlock();
    return rc;
}

int svt_handles_write(struct svt_store *store, seerdb_err *err)
{
    return seerdb_is_read_only(store->db) ? seerdb_make_writable(store->db, err)
                                          : SEERDB_OK;
}

struct svt_store *svt_handles_ref(struct svt_store *store)
{
    lock();
    store->refs++;
    unlock();
    return store;
}

void svt_handles_close(struct svt_store *store)
{
    if (store == NULL)
        return;
    lock();
    bool gone = --store->refs == 0;
    if (gone) {
        store->turning = true;
        store->turner = pthread_self();
    }
    unlock();
    if (!gone)
        return;
    seerdb_err err = {0};
    if (registry.watcher != NULL)
        registry.watcher->closing(registry.watcher->ctx, store->db);
    int rc = seerdb_close(store->db, &err);
    if (rc != SEERDB_OK)
        sqlite3_log(svt_errmap_code(rc), "seerdb: closing %s: %s", store->dir, err.msg);
    /* Not before: who opens the directory again would find the LOCK still held. */
    lock();
    leave_registry(store);
    unlock();
    store_free(store);
}

enum svt_sync svt_handles_sync(const struct svt_store *store)
{
    if (store->in_memory)
        return SVT_SYNC_OFF;
    return (enum svt_sync)atomic_load_explicit(&store->sync, memory_order_relaxed);
}

/* Requires: the mutex. */
static int owner_add(struct svt_store *store, const struct svt_claim *claim,
                     struct svt_owner **out, char **message)
{
    seerdb_err err = {0};
    struct svt_owner *o = sqlite3_malloc64(sizeof(*o));
    if (o == NULL)
        return SQLITE_NOMEM;
    *o = (struct svt_owner){.next = store->owners};
    int rc = svt_decider_new(&claim->owner, &claim->file, &o->decider);
    if (rc == SQLITE_OK) {
        rc = seerdb_set_decider(store->db, &claim->owner, svt_decider_sync, o->decider,
                                &err);
        rc = svt_errmap_message(message, claim->who, rc, &err);
    }
    if (rc != SQLITE_OK) {
        svt_decider_free(o->decider);
        sqlite3_free(o);
        return rc;
    }
    store->owners = *out = o;
    return SQLITE_OK;
}

/* What the store remembers of the owner's file, from earlier times. */
static int check_place(struct svt_store *store, const struct svt_claim *claim,
                       char **message)
{
    seerdb_owner_place last, now;
    seerdb_err err = {0};
    if (claim->take_over || !svt_decider_place(&claim->file, store->dir, &now))
        return SQLITE_OK;
    int rc = seerdb_owner_get_place(store->db, &claim->owner, &last, &err);
    if (rc == SEERDB_NOTFOUND)
        return SQLITE_OK;
    if (rc != SEERDB_OK)
        return svt_errmap_message(message, claim->who, rc, &err);
    if (!svt_decider_is_copy(&last, &now))
        return SQLITE_OK;
    return svt_fail(
        message, SQLITE_ERROR,
        "%s: its rows in %s belong to the database %s, which is still there: "
        "%s is a copy of it, which cannot share them. Use that one, or drop "
        "the table here, or let this one take the rows over by SELECT "
        "seerdb('%s', 'accept')",
        claim->who, store->dir, last.path, claim->file.path, claim->who);
}

int svt_handles_own(struct svt_store *store, const struct svt_claim *claim,
                    struct svt_decider **out, char **message)
{
    lock();
    struct svt_owner *o = store->owners;
    for (; o != NULL; o = o->next) {
        seerdb_uuid id = svt_decider_owner(o->decider);
        if (memcmp(id.bytes, claim->owner.bytes, sizeof(id.bytes)) == 0)
            break;
    }
    int rc = check_place(store, claim, message);
    if (rc == SQLITE_OK && o != NULL)
        rc = svt_decider_meet(o->decider, &claim->file, claim->who, message);
    else if (rc == SQLITE_OK)
        rc = owner_add(store, claim, &o, message);
    unlock();
    *out = rc == SQLITE_OK ? o->decider : NULL;
    return rc;
}

static bool same_place(const seerdb_owner_place *a, const seerdb_owner_place *b)
{
    return a->device == b->device && a->inode == b->inode &&
           a->store_device == b->store_device && a->store_inode == b->store_inode &&
           strcmp(a->path, b->path) == 0;
}

void svt_handles_note_place(struct svt_store *store, const struct svt_claim *claim)
{
    seerdb_owner_place last, now;
    seerdb_err err = {0};
    if (store->in_memory || !svt_decider_place(&claim->file, store->dir, &now))
        return;
    int rc = seerdb_owner_get_place(store->db, &claim->owner, &last, &err);
    if (rc == SEERDB_OK && same_place(&last, &now))
        return;
    if (rc == SEERDB_OK || rc == SEERDB_NOTFOUND)
        rc = seerdb_owner_set_place(store->db, &claim->owner, &now, &err);
    if (rc != SEERDB_OK)
        sqlite3_log(svt_errmap_code(rc), "seerdb: %s: its place is not noted: %s",
                    claim->who, err.msg);
}

void svt_handles_note_intent(struct svt_store *store)
{
    atomic_fetch_add_explicit(&store->intents, 1, memory_order_relaxed);
}

uint64_t svt_handles_intents(struct svt_store *store)
{
    return atomic_load_explicit(&store->intents, memory_order_relaxed);
}

void svt_handles_note_change(struct svt_store *store)
{
    atomic_fetch_add_explicit(&store->changes, 1, memory_order_relaxed);
}

uint64_t svt_handles_changes(struct svt_store *store)
{
    return atomic_load_explicit(&store->changes, memory_order_relaxed) + 1;
}

int svt_handles_set_sync(struct svt_store *store, enum svt_sync sync, const char *who)
{
    char *by = sqlite3_mprintf("%s", who);
    if (by == NULL)
        return SQLITE_NOMEM;
    lock();
    sqlite3_free(store->sync_by);
    store->sync_by = by;
    store->set |= svt_settings_bit(SVT_SETTING_SYNC);
    atomic_store(&store->sync, (int)sync);
    unlock();
    return SQLITE_OK;
}

int svt_handles_giver(struct svt_store *store, int setting, char **by)
{
    lock();
    const char *known = setting == SVT_SETTING_MEMORY_LIMIT ? store->memory_limit_by
                        : setting == SVT_SETTING_HISTORY    ? store->history_by
                                                            : store->sync_by;
    *by = known != NULL ? sqlite3_mprintf("%s", known) : NULL;
    bool failed = known != NULL && *by == NULL;
    unlock();
    return failed ? SQLITE_NOMEM : SQLITE_OK;
}

void svt_handles_use_fs(struct sdb_fs *fs)
{
    lock();
    registry.fs = fs;
    unlock();
}

void svt_handles_watch(const struct svt_handles_watcher *watcher)
{
    lock();
    registry.watcher = watcher;
    unlock();
}
