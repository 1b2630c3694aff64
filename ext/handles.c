/* SPDX-License-Identifier: Apache-2.0
 *
 * The registry is the one piece of global state: two connections of a process know
 * nothing of each other, and only something that both can reach lets them share the
 * store that cannot be opened twice.
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

static struct {
    pthread_mutex_t mutex;
    pthread_once_t once;
    struct svt_store *stores;
    struct sdb_fs *fs; /* borrowed; NULL: the local disk */
} registry = {.mutex = PTHREAD_MUTEX_INITIALIZER, .once = PTHREAD_ONCE_INIT};

static void lock(void)
{
    pthread_mutex_lock(&registry.mutex);
}

static void unlock(void)
{
    pthread_mutex_unlock(&registry.mutex);
}

static void after_fork_in_child(void)
{
    while (registry.stores != NULL) {
        registry.stores->inherited = true;
        registry.stores = registry.stores->next;
    }
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
    sqlite3_free(s->sync_by);
    sqlite3_free(s->memory_limit_by);
    sqlite3_free(s->dir);
    sqlite3_free(s);
}

/* Requires: the mutex, or a store that nobody else sees. */
static int take_sync(struct svt_store *s, const struct svt_store_request *request,
                     char **message)
{
    static const char *const names[] = {"auto", "full", "normal", "off"};
    if (!request->options->sync_given)
        return SQLITE_OK;
    if (s->sync_by != NULL && atomic_load(&s->sync) != (int)request->options->sync)
        return svt_fail(
            message, SQLITE_ERROR,
            "%s: sync=%s, but sync belongs to the store %s, where %s set it "
            "to %s: give the same or leave it out",
            request->table, names[request->options->sync], s->dir, s->sync_by,
            names[atomic_load(&s->sync)]);
    if (s->sync_by == NULL &&
        (s->sync_by = sqlite3_mprintf("%s", request->table)) == NULL)
        return SQLITE_NOMEM;
    atomic_store(&s->sync, (int)request->options->sync);
    return SQLITE_OK;
}

/* Requires: the mutex. */
static int agree(struct svt_store *s, const struct svt_store_request *request,
                 char **message)
{
    int64_t limit = request->options->memory_limit;
    if (limit == 0 || limit == s->memory_limit)
        return take_sync(s, request, message);
    if (s->memory_limit_by == NULL)
        return svt_fail(
            message, SQLITE_ERROR,
            "%s: memory_limit=%lld, but memory_limit belongs to the store %s, "
            "which is in use with the default of 256MB: leave it out, or "
            "give it in the first table of a store",
            request->table, (long long)limit, s->dir);
    return svt_fail(message, SQLITE_ERROR,
                    "%s: memory_limit=%lld, but memory_limit belongs to the store %s, "
                    "where %s set it to %lld: give the same or leave it out",
                    request->table, (long long)limit, s->dir, s->memory_limit_by,
                    (long long)s->memory_limit);
}

/* Takes dir over. */
static int open_new(const struct svt_store_request *request, char *dir,
                    struct svt_store **out, char **message)
{
    seerdb_err err = {0};
    seerdb_options options = {.create = request->create,
                              .in_memory = request->in_memory,
                              .memory_limit = (size_t)request->options->memory_limit,
                              .fs = request->in_memory ? NULL : registry.fs};
    int rc = SQLITE_NOMEM;
    struct svt_store *s = sqlite3_malloc64(sizeof(*s));
    if (s == NULL) {
        sqlite3_free(dir);
        return SQLITE_NOMEM;
    }
    *s = (struct svt_store){.dir = dir, .in_memory = request->in_memory, .refs = 1};
    s->memory_limit = request->options->memory_limit;
    if (s->memory_limit != 0 &&
        (s->memory_limit_by = sqlite3_mprintf("%s", request->table)) == NULL)
        goto out;
    if ((rc = take_sync(s, request, message)) != SQLITE_OK)
        goto out;
    rc = seerdb_open(dir, &options, &s->db, &err);
    rc = svt_errmap_message(message, request->table, rc, &err);
out:
    if (rc != SQLITE_OK) {
        store_free(s);
        s = NULL;
    }
    *out = s;
    return rc;
}

static struct svt_store *find(const char *dir)
{
    struct svt_store *s = registry.stores;
    while (s != NULL && strcmp(s->dir, dir) != 0)
        s = s->next;
    return s;
}

int svt_handles_open(const struct svt_store_request *request, struct svt_store **out,
                     char **message)
{
    *out = NULL;
    char *dir = request->in_memory || registry.fs != NULL
                    ? sqlite3_mprintf("%s", request->dir)
                    : canonical(request->dir);
    if (dir == NULL)
        return SQLITE_NOMEM;
    if (request->in_memory)
        return open_new(request, dir, out, message);

    pthread_once(&registry.once, watch_forks);
    lock();
    int rc;
    struct svt_store *s = find(dir);
    if (s != NULL) {
        sqlite3_free(dir);
        if ((rc = agree(s, request, message)) == SQLITE_OK)
            s->refs++;
    } else if ((rc = open_new(request, dir, &s, message)) == SQLITE_OK) {
        s->next = registry.stores;
        registry.stores = s;
    }
    unlock();
    if (rc == SQLITE_OK)
        *out = s;
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
    /* The engine is closed under the mutex: who opens the directory again meanwhile
     * waits, instead of finding the LOCK still held. */
    lock();
    bool gone = --store->refs == 0;
    if (gone) {
        if (!store->in_memory && !store->inherited) {
            struct svt_store **at = &registry.stores;
            while (*at != store)
                at = &(*at)->next;
            *at = store->next;
        }
        seerdb_err err = {0};
        int rc = seerdb_close(store->db, &err);
        if (rc != SEERDB_OK)
            sqlite3_log(svt_errmap_code(rc), "seerdb: closing %s: %s", store->dir,
                        err.msg);
    }
    unlock();
    if (gone)
        store_free(store);
}

enum seerdb_sync svt_handles_sync(struct svt_store *store)
{
    if (store->in_memory)
        return SEERDB_SYNC_OFF;
    /* Not under the mutex: a store that is being opened holds it for long. */
    switch (atomic_load_explicit(&store->sync, memory_order_relaxed)) {
    case SVT_SYNC_OFF:
        return SEERDB_SYNC_OFF;
    case SVT_SYNC_NORMAL:
        return SEERDB_SYNC_NORMAL;
    default:
        return SEERDB_SYNC_FULL;
    }
}

void svt_handles_note_intent(struct svt_store *store)
{
    atomic_fetch_add_explicit(&store->intents, 1, memory_order_relaxed);
}

uint64_t svt_handles_intents(struct svt_store *store)
{
    return atomic_load_explicit(&store->intents, memory_order_relaxed);
}

void svt_handles_use_fs(struct sdb_fs *fs)
{
    lock();
    registry.fs = fs;
    unlock();
}
