/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "os/thread.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Bumped in the child by a fork handler: a load instead of a system call per entry. */
_Atomic uint64_t sdb_fork_count;
static pthread_once_t fork_once = PTHREAD_ONCE_INIT;

static void in_child(void)
{
    atomic_fetch_add_explicit(&sdb_fork_count, 1, memory_order_relaxed);
}

static void register_fork_handler(void)
{
    pthread_atfork(NULL, NULL, in_child);
}

uint64_t sdb_fork_generation(void)
{
    pthread_once(&fork_once, register_fork_handler);
    return sdb_fork_generation_now();
}

uint64_t sdb_process_id(void)
{
    return (uint64_t)getpid();
}

int sdb_thread_start(struct sdb_thread *t, const char *name, void *(*main)(void *),
                     void *arg, seerdb_err *err)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = pthread_create(&t->id, NULL, main, arg);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc != 0)
        return sdb_fail(err, rc == ENOMEM || rc == EAGAIN ? SEERDB_NOMEM : SEERDB_IOERR,
                        "cannot start the thread %s: %s", name, strerror(rc));
    t->started = true;
    pthread_setname_np(t->id, name);
    return 0;
}

/* On Linux a nice value is a thread's own. */
void sdb_thread_step_back(void)
{
    (void)setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), 5);
}

void sdb_thread_join(struct sdb_thread *t)
{
    if (t->started)
        pthread_join(t->id, NULL);
    t->started = false;
}
