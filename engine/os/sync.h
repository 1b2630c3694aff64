/* SPDX-License-Identifier: Apache-2.0
 *
 * sync -- mutexes, condition variables and the classes they belong to.
 *
 * A lock is a class.  Classes are declared here in the order in which they are
 * taken; `make locks` (clang -Wthread-safety) refuses code that takes them in
 * another order, touches a GUARDED_BY field without its lock, or does I/O
 * (EXCLUDES(LK_DB)) under the state lock.  Under gcc the annotations vanish. */
#ifndef SDB_OS_SYNC_H
#define SDB_OS_SYNC_H

#include "base/status.h"

#include <pthread.h>

#if defined(__clang__)
#define SDB_TSA(x) __attribute__((x))
#else
#define SDB_TSA(x)
#endif
#define CAPABILITY(name)    SDB_TSA(capability(name))
#define GUARDED_BY(c)       SDB_TSA(guarded_by(c))
#define REQUIRES(...)       SDB_TSA(requires_capability(__VA_ARGS__))
#define EXCLUDES(...)       SDB_TSA(locks_excluded(__VA_ARGS__))
#define ACQUIRE(...)        SDB_TSA(acquire_capability(__VA_ARGS__))
#define RELEASE(...)        SDB_TSA(release_capability(__VA_ARGS__))
#define ACQUIRED_AFTER(...) SDB_TSA(acquired_after(__VA_ARGS__))
#define ASSERT_HELD(...)    SDB_TSA(assert_capability(__VA_ARGS__))
#define NO_TSA              SDB_TSA(no_thread_safety_analysis)

struct CAPABILITY("mutex") sdb_lock_class {
    char unused;
};

/* Never defined: they exist for the analysis only.  In order of acquisition. */
extern struct sdb_lock_class LK_VALUES; /* who appends to a value log */
extern struct sdb_lock_class LK_WRITE ACQUIRED_AFTER(LK_VALUES); /* the log, numbers */
extern struct sdb_lock_class LK_LOG ACQUIRED_AFTER(LK_WRITE);    /* who syncs the log */
extern struct sdb_lock_class LK_INSTALL ACQUIRED_AFTER(LK_LOG); /* manifest, versions */
extern struct sdb_lock_class
    LK_DB ACQUIRED_AFTER(LK_INSTALL);                       /* shared state; no I/O */
extern struct sdb_lock_class LK_VLOG ACQUIRED_AFTER(LK_DB); /* who has which file */
extern struct sdb_lock_class LK_SLOTS ACQUIRED_AFTER(LK_VLOG); /* what is in a file */
extern struct sdb_lock_class LK_CACHE ACQUIRED_AFTER(LK_SLOTS);
extern struct sdb_lock_class LK_PAGES ACQUIRED_AFTER(LK_CACHE); /* memory of blocks */
extern struct sdb_lock_class LK_FS ACQUIRED_AFTER(LK_PAGES);  /* inside a file layer */
extern struct sdb_lock_class LK_RANGES ACQUIRED_AFTER(LK_FS); /* of one memtable */

/* All zeros is not valid: init.  `owner` serves sdb_lock_assert_held. */
struct sdb_mutex {
    pthread_mutex_t m;
    _Atomic uint64_t owner; /* thread id or 0; relaxed: only its own thread compares */
};

void sdb_mutex_init(struct sdb_mutex *m);
void sdb_mutex_fini(struct sdb_mutex *m);

/* The bodies; call the per-class functions below. */
void sdb_mutex_lock(struct sdb_mutex *m);
void sdb_mutex_unlock(struct sdb_mutex *m);
bool sdb_mutex_held(const struct sdb_mutex *m);

#define SDB_LOCK_FUNCTIONS(name, class)                                                \
    static inline void sdb_lock_##name(struct sdb_mutex *m) ACQUIRE(class) NO_TSA      \
    {                                                                                  \
        sdb_mutex_lock(m);                                                             \
    }                                                                                  \
    static inline void sdb_unlock_##name(struct sdb_mutex *m) RELEASE(class) NO_TSA    \
    {                                                                                  \
        sdb_mutex_unlock(m);                                                           \
    }                                                                                  \
    static inline void sdb_assert_##name(struct sdb_mutex *m) ASSERT_HELD(class)       \
        NO_TSA                                                                         \
    {                                                                                  \
        sdb_lock_assert_held(m);                                                       \
    }

void sdb_lock_assert_held(const struct sdb_mutex *m); /* asserts; debug builds only */

SDB_LOCK_FUNCTIONS(values, LK_VALUES)
SDB_LOCK_FUNCTIONS(write, LK_WRITE)
SDB_LOCK_FUNCTIONS(log, LK_LOG)
SDB_LOCK_FUNCTIONS(install, LK_INSTALL)
SDB_LOCK_FUNCTIONS(db, LK_DB)
SDB_LOCK_FUNCTIONS(vlog, LK_VLOG)
SDB_LOCK_FUNCTIONS(slots, LK_SLOTS)
SDB_LOCK_FUNCTIONS(cache, LK_CACHE)
SDB_LOCK_FUNCTIONS(pages, LK_PAGES)
SDB_LOCK_FUNCTIONS(fs, LK_FS)
SDB_LOCK_FUNCTIONS(ranges, LK_RANGES)

struct sdb_cond {
    pthread_cond_t c; /* waits on the monotonic clock */
};

void sdb_cond_init(struct sdb_cond *c);
void sdb_cond_fini(struct sdb_cond *c);
/* Requires: m is held.  Spurious wake-ups happen: loop on the condition. */
void sdb_cond_wait(struct sdb_cond *c, struct sdb_mutex *m);
/* False when `ms` milliseconds passed first. */
bool sdb_cond_wait_ms(struct sdb_cond *c, struct sdb_mutex *m, uint64_t ms);
void sdb_cond_signal(struct sdb_cond *c);
void sdb_cond_broadcast(struct sdb_cond *c);

#endif
