/* SPDX-License-Identifier: Apache-2.0
 *
 * handles -- one open engine per directory and process, counted.
 *
 * A store can be open once: its LOCK keeps others out, another connection of this
 * process included.  So connections share it through a registry of the process, keyed
 * by canonical path.  Any thread may call; the registry has its own mutex.  A store
 * that takes long to open keeps nobody waiting but those who want the same one.
 *
 * After fork() the child's registry is empty: what it inherited can be closed, and
 * answers every other use with the engine's sentence about forks. */
#ifndef SVT_HANDLES_H
#define SVT_HANDLES_H

#include "decider.h"
#include "interrupt.h"
#include "settings.h"

#include <pthread.h>
#include <stdatomic.h>

struct svt_store {
    seerdb *db;     /* immutable after open, like all that has no other comment */
    char *dir;      /* canonical; a name for messages if in memory */
    bool in_memory; /* private to one connection, not in the registry */
    int64_t memory_limit, history_ms;   /* as given, 0: by default */
    char *memory_limit_by, *history_by; /* the tables that gave them; NULL: nobody */
    _Atomic int sync;         /* enum svt_sync; written under the registry's mutex */
    _Atomic uint64_t intents; /* trees that this process meant to drop, so far */
    _Atomic uint64_t changes; /* of options of its tables by this process, so far */
    /* The registry's mutex guards the rest. */
    char *sync_by;
    unsigned set; /* svt_options.set: what is in force because it was changed */
    struct svt_owner *owners; /* owned: the databases whose trees it holds */
    bool turning;             /* it is being opened or closed: not to be used */
    pthread_t turner;         /* by this thread */
    size_t refs;
    struct svt_store *next;
};

struct svt_store_request {
    const char *dir;
    bool in_memory;    /* dir is then only a name; the store is a new one */
    bool create;       /* make it if it is missing */
    bool read_only;    /* reading is all that the database allows */
    const char *table; /* who asks: "main.t" */
    const char *memory_limit_by, *history_by, *sync_by; /* NULL: it too */
    struct svt_interrupt *interrupt; /* who may end the wait; NULL: nobody */
    const struct svt_options *options;
};

/* Open a store or share the open one.  Options that belong to the store must agree with
 * those that other tables gave.  SQLITE_OK or a failure with *message.
 *
 * It is opened for reading only if that is all that is asked for, or all that may be
 * done with its files.  Who shares it and is going to write calls svt_handles_write. */
int svt_handles_open(const struct svt_store_request *request, struct svt_store **out,
                     char **message);

/* As if the request had found this open store. */
int svt_handles_share(const struct svt_store_request *request, struct svt_store *store,
                      char **message);

/* Have the store be open for writing.  As seerdb_make_writable. */
int svt_handles_write(struct svt_store *store, seerdb_err *err);

struct svt_store *svt_handles_ref(struct svt_store *store); /* one more count */
void svt_handles_close(struct svt_store *store); /* one count less; accepts NULL */

/* How commits to the store are synced, as its tables say. */
enum svt_sync svt_handles_sync(const struct svt_store *store);

/* An option of one of its tables was changed, and a number that changes with that;
 * never 0. */
void svt_handles_note_change(struct svt_store *store);
uint64_t svt_handles_changes(struct svt_store *store);

/* `sync` of the store was changed by a table: it is in force from now on. */
int svt_handles_set_sync(struct svt_store *store, enum svt_sync sync, const char *who);

/* Who gave an option of the store, sqlite3_malloc'ed; *by NULL: nobody.  SQLITE_NOMEM.
 */
int svt_handles_giver(struct svt_store *store, int setting, char **by);

/* Who claims the trees of an owner. */
struct svt_claim {
    seerdb_uuid owner;
    struct svt_database file;
    const char *who; /* "main.t" */
    bool take_over;  /* even if the store knows another file as the owner */
};

/* A connection reaches the trees of an owner through a database file: from now on the
 * store has the database's decider.  *out is borrowed and lives as long as the store.
 * SQLITE_OK or a failure with *message: the trees belong to another file. */
int svt_handles_own(struct svt_store *store, const struct svt_claim *claim,
                    struct svt_decider **out, char **message);

/* Have the store remember where the owner's file is, if it does not know yet.
 * Requires: SQLite's write lock on it.  A failure is logged: nothing depends on it but
 * the recognition of copies. */
void svt_handles_note_place(struct svt_store *store, const struct svt_claim *claim);

/* Note that a tree of the store may be waiting for collection, and how many times that
 * was noted: who has seen that number need not look again. */
void svt_handles_note_intent(struct svt_store *store);
uint64_t svt_handles_intents(struct svt_store *store);

/* Tests only: open stores that are not in memory on this layer; NULL: the local disk
 * again.  Paths are then taken as they are.  Requires: no store is open. */
void svt_handles_use_fs(struct sdb_fs *fs);

/* Tests only: called for every store by the thread that opens or closes it: with its
 * options before it is opened, when it is open, and before it is closed.  NULL: nobody
 * is called.  Borrowed. Requires: no store is open. */
struct svt_handles_watcher {
    void (*opening)(void *ctx, seerdb_options *options);
    void (*opened)(void *ctx, seerdb *db);
    void (*closing)(void *ctx, seerdb *db);
    void *ctx;
};
void svt_handles_watch(const struct svt_handles_watcher *watcher);

#endif
