/* SPDX-License-Identifier: Apache-2.0
 *
 * thread -- start and join threads; notice a fork. */
#ifndef SDB_OS_THREAD_H
#define SDB_OS_THREAD_H

#include "base/status.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

struct sdb_thread {
    pthread_t id;
    bool started;
};

/* Start a thread with all signals blocked (they belong to the host program).
 * `name` is at most 15 bytes. */
int sdb_thread_start(struct sdb_thread *t, const char *name, void *(*main)(void *),
                     void *arg, seerdb_err *err) SDB_MUST_CHECK;
void sdb_thread_join(struct sdb_thread *t); /* accepts one never started */

/* Let other threads and programs go before the calling one.  A hint. */
void sdb_thread_step_back(void);

/* Counts the forks that lie between the first process and this one.  A store keeps
 * the value it was opened under: another value means "I am in a child". */
uint64_t sdb_fork_generation(void);
/* The same for whoever has called that before: a load. */
extern _Atomic uint64_t sdb_fork_count;
static inline uint64_t sdb_fork_generation_now(void)
{
    return atomic_load_explicit(&sdb_fork_count, memory_order_relaxed);
}

uint64_t sdb_process_id(void);

#endif
