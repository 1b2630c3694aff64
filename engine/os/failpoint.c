/* SPDX-License-Identifier: Apache-2.0
 *
 * One plan for the process, under a mutex of its own that nothing is called with: a
 * point may lie under any lock.  A process that is not armed only counts.
 *
 * What is chosen follows from the seed and the count of points reached, so that one
 * thread with one seed acts at the same places each time. */
#define _GNU_SOURCE
#include "os/failpoint.h"

#include "base/rand.h"
#include "os/clock.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DELAY_US 200u

static const char *const names[] = {
#define SDB_FAILPOINT_NAME(name) #name,
    SDB_FAILPOINTS_OF(SDB_FAILPOINT_NAME)
#undef SDB_FAILPOINT_NAME
};
_Static_assert(sizeof names / sizeof names[0] == SDB_NFAILPOINTS, "a name for each");

static _Atomic uint64_t hits[SDB_NFAILPOINTS]; /* relaxed */
static _Atomic bool armed; /* relaxed: a hint; the mutex guards what it stands for */
static _Atomic int seen_fd = -1;

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* guards the rest */
static struct sdb_failpoint_plan current;
static uint64_t matched, acted;

const char *sdb_failpoint_name(enum sdb_failpoint at)
{
    return names[at];
}

uint64_t sdb_failpoint_hits(enum sdb_failpoint at)
{
    return atomic_load_explicit(&hits[at], memory_order_relaxed);
}

uint64_t sdb_failpoint_acted(void)
{
    pthread_mutex_lock(&mutex);
    uint64_t n = acted;
    pthread_mutex_unlock(&mutex);
    return n;
}

void sdb_failpoint_arm(const struct sdb_failpoint_plan *plan)
{
    pthread_mutex_lock(&mutex);
    current = plan != NULL ? *plan : (struct sdb_failpoint_plan){0};
    matched = acted = 0;
    atomic_store_explicit(&armed, current.actions != 0, memory_order_relaxed);
    pthread_mutex_unlock(&mutex);
}

/* ---- the environment --------------------------------------------------------- */

static bool take_actions(const char *text, unsigned *out)
{
    static const struct {
        const char *name;
        unsigned action;
    } all[] = {{"error", SDB_FP_ERROR}, {"kill", SDB_FP_KILL}, {"delay", SDB_FP_DELAY}};
    while (*text != '\0') {
        size_t n = strcspn(text, "+"), i = 0, count = sizeof all / sizeof all[0];
        while (i < count &&
               (strlen(all[i].name) != n || strncmp(all[i].name, text, n) != 0))
            i++;
        if (i == count)
            return false;
        *out |= all[i].action;
        text += n + (text[n] == '+');
    }
    return true;
}

static bool take_name(const char *text, struct sdb_failpoint_plan *p)
{
    for (unsigned i = 0; i < SDB_NFAILPOINTS; i++)
        if (strcmp(names[i], text) == 0) {
            p->at = (enum sdb_failpoint)i;
            p->all = false;
            return true;
        }
    return false;
}

static bool take_word(char *word, struct sdb_failpoint_plan *p)
{
    char *value = strchr(word, '=');
    if (value == NULL)
        return false;
    *value++ = '\0';
    const struct {
        const char *name;
        uint64_t *to;
    } numbers[] = {{"after", &p->after},
                   {"times", &p->times},
                   {"one_in", &p->one_in},
                   {"seed", &p->seed},
                   {"delay_us", &p->delay_us}};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        if (strcmp(word, numbers[i].name) == 0) {
            char *end;
            *numbers[i].to = strtoull(value, &end, 10);
            return end > value && *end == '\0';
        }
    if (strcmp(word, "actions") == 0)
        return take_actions(value, &p->actions);
    return strcmp(word, "at") == 0 && take_name(value, p);
}

bool sdb_failpoint_arm_text(const char *text)
{
    char copy[512], *at = copy;
    struct sdb_failpoint_plan p = {.all = true};
    if (strlen(text) >= sizeof copy)
        return false;
    strcpy(copy, text);
    while (at != NULL && *at != '\0') {
        char *next = strchr(at, ',');
        if (next != NULL)
            *next++ = '\0';
        if (!take_word(at, &p))
            return false;
        at = next;
    }
    sdb_failpoint_arm(&p);
    return true;
}

/* A process that is told something it does not understand must not pass for one that
 * does it. */
__attribute__((constructor)) static void look_at_environment(void)
{
    const char *plan = getenv("SEERDB_FAILPOINTS");
    const char *seen = getenv("SEERDB_FAILPOINTS_SEEN");
    if (seen != NULL)
        atomic_store_explicit(
            &seen_fd, open(seen, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666),
            memory_order_relaxed);
    if (plan != NULL && !sdb_failpoint_arm_text(plan))
        abort();
}

/* ---- points --------------------------------------------------------------------- */

/* At once: the process may be killed before it ends. */
static void note_seen(enum sdb_failpoint at)
{
    char line[64];
    size_t n = strlen(names[at]);
    int fd = atomic_load_explicit(&seen_fd, memory_order_relaxed);
    if (fd < 0 || n + 1 > sizeof line)
        return;
    memcpy(line, names[at], n);
    line[n] = '\n';
    if (write(fd, line, n + 1) != (ssize_t)(n + 1))
        abort(); /* the test of all names would be wrong */
}

static unsigned choose(unsigned actions, struct sdb_rand *r)
{
    unsigned bits[8], n = 0;
    for (unsigned b = 1; b <= SDB_FP_CALL; b <<= 1)
        if (actions & b)
            bits[n++] = b;
    return n > 0 ? bits[sdb_rand_below(r, n)] : 0;
}

/* What to do at this point, 0: nothing.  *p is the plan it was chosen by. */
static unsigned decide(enum sdb_failpoint at, bool may_fail,
                       struct sdb_failpoint_plan *p, struct sdb_rand *r)
{
    unsigned action = 0;
    pthread_mutex_lock(&mutex);
    *p = current;
    if (p->actions != 0 && (p->all || p->at == at)) {
        uint64_t before = matched++;
        *r = (struct sdb_rand){p->seed ^ (before + 1) * UINT64_C(0x9e3779b97f4a7c15)};
        bool due = before >= p->after && (p->times == 0 || acted < p->times) &&
                   (p->one_in <= 1 || sdb_rand_below(r, p->one_in) == 0);
        if (due)
            action =
                choose(may_fail ? p->actions : p->actions & ~(unsigned)SDB_FP_ERROR, r);
        acted += action != 0;
    }
    pthread_mutex_unlock(&mutex);
    return action;
}

int sdb_failpoint_reach(enum sdb_failpoint at, bool may_fail, seerdb_err *err)
{
    static const int codes[] = {SEERDB_IOERR, SEERDB_FULL, SEERDB_NOMEM};
    struct sdb_failpoint_plan p;
    struct sdb_rand r;
    if (atomic_fetch_add_explicit(&hits[at], 1, memory_order_relaxed) == 0)
        note_seen(at);
    if (!atomic_load_explicit(&armed, memory_order_relaxed))
        return 0;
    switch (decide(at, may_fail, &p, &r)) {
    case SDB_FP_ERROR: {
        int code = p.code != 0 ? p.code : codes[sdb_rand_below(&r, 3)];
        return sdb_fail(err, code, "the failpoint %s fails", names[at]);
    }
    case SDB_FP_KILL:
        (void)kill(getpid(), SIGKILL);
        return 0;
    case SDB_FP_DELAY: {
        uint64_t us = sdb_rand_below(&r, (p.delay_us > 0 ? p.delay_us : DELAY_US) + 1);
        if (us < 10)
            (void)sched_yield();
        else
            sdb_clock_sleep_us(us);
        return 0;
    }
    case SDB_FP_CALL:
        p.call(p.ctx, at);
        return 0;
    default:
        return 0;
    }
}
