/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "os/sync.h"

#include <assert.h>
#include <stdatomic.h>
#include <time.h>

/* A number for the calling thread; never 0. */
static uint64_t self(void)
{
    return (uint64_t)(uintptr_t)pthread_self();
}

void sdb_mutex_init(struct sdb_mutex *m)
{
    int rc = pthread_mutex_init(&m->m, NULL); /* cannot fail with default attributes */
    assert(rc == 0);
    (void)rc;
    atomic_init(&m->owner, 0);
}

void sdb_mutex_fini(struct sdb_mutex *m)
{
    pthread_mutex_destroy(&m->m);
}

void sdb_mutex_lock(struct sdb_mutex *m)
{
    pthread_mutex_lock(&m->m);
    atomic_store_explicit(&m->owner, self(), memory_order_relaxed);
}

void sdb_mutex_unlock(struct sdb_mutex *m)
{
    atomic_store_explicit(&m->owner, 0, memory_order_relaxed);
    pthread_mutex_unlock(&m->m);
}

bool sdb_mutex_held(const struct sdb_mutex *m)
{
    return atomic_load_explicit(&m->owner, memory_order_relaxed) == self();
}

void sdb_lock_assert_held(const struct sdb_mutex *m)
{
    assert(sdb_mutex_held(m));
    (void)m;
}

void sdb_cond_init(struct sdb_cond *c)
{
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&c->c, &attr);
    pthread_condattr_destroy(&attr);
}

void sdb_cond_fini(struct sdb_cond *c)
{
    pthread_cond_destroy(&c->c);
}

void sdb_cond_wait(struct sdb_cond *c, struct sdb_mutex *m)
{
    pthread_cond_wait(&c->c, &m->m);
    atomic_store_explicit(&m->owner, self(), memory_order_relaxed);
}

bool sdb_cond_wait_ms(struct sdb_cond *c, struct sdb_mutex *m, uint64_t ms)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += (time_t)(ms / 1000);
    until.tv_nsec += (long)(ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_nsec -= 1000000000;
        until.tv_sec++;
    }
    int rc = pthread_cond_timedwait(&c->c, &m->m, &until);
    atomic_store_explicit(&m->owner, self(), memory_order_relaxed);
    return rc == 0;
}

void sdb_cond_signal(struct sdb_cond *c)
{
    pthread_cond_signal(&c->c);
}

void sdb_cond_broadcast(struct sdb_cond *c)
{
    pthread_cond_broadcast(&c->c);
}
