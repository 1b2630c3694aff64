/* SPDX-License-Identifier: Apache-2.0
 *
 * Small stores in great numbers against a model that keeps all history.  A case is a
 * program of 5 to 400 random operations (history_program.h) on a new store: writes,
 * savepoints, spills, commits in all their forms, flushes, compactions, views and
 * iterators held open, reopens, crashes, power cuts.  Each read is compared, and all
 * that can be seen at the end.
 *
 *     history_model_test [SEED]     one case, and its program
 *     SEERDB_HISTORY_CASES=1000000 SEERDB_SEED=1 history_model_test
 *
 * Cases run in a child process, so that one that dies is found out like one that
 * differs.  The program of such a case is made as short as possible, and printed,
 * unless there is a SEERDB_HISTORY_BRIEF. */
#define _DEFAULT_SOURCE /* MAP_ANONYMOUS */
#include "db/history_ops.h"

#include "os/clock.h"

#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define CASES 2000u
#else
#define CASES 20000u
#endif

enum { JOBS = 2, TRIES_MOST = 600, SECONDS_MOST = 60 };

/* What a child has got to. */
struct progress {
    _Atomic uint64_t seed, reads, ops, gone;
    char why[700];
    size_t op;
};

static struct progress *slots, *progress; /* shared with the children; one of them */
static struct run *running;

static bool run_one(const struct program *p)
{
    struct run *r = running;
    bool right = run_program(r, p);
    atomic_fetch_add(&progress->reads, r->reads);
    atomic_fetch_add(&progress->ops, p->n);
    atomic_fetch_add(&progress->gone, r->gone);
    if (!right) {
        memcpy(progress->why, r->why, sizeof progress->why);
        progress->op = r->op;
    }
    return right;
}

static void run_seeds(uint64_t first, uint64_t n)
{
    for (uint64_t i = 0; i < n; i++) {
        struct program p = program_of(first + i);
        atomic_store(&progress->seed, p.seed);
        alarm(SECONDS_MOST); /* one that hangs is one that fails */
        if (!run_one(&p))
            exit(1);
    }
    alarm(0);
}

/* True: the child came to a good end. */
static bool child_is_well(pid_t pid)
{
    int status = 0;
    if (waitpid(pid, &status, 0) != pid)
        return false;
    if (WIFSIGNALED(status) && progress->why[0] == '\0')
        snprintf(progress->why, sizeof progress->why, "killed by signal %d",
                 WTERMSIG(status));
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static bool program_is_well(const struct program *p)
{
    progress->why[0] = '\0';
    pid_t pid = fork();
    if (pid == 0) {
        if (freopen("/dev/null", "w", stderr) == NULL ||
            freopen("/dev/null", "w", stdout) == NULL)
            _exit(0);
        alarm(SECONDS_MOST);
        _exit(run_one(p) ? 0 : 1);
    }
    return child_is_well(pid);
}

/* Threads may meet as they did, or not: try a few times. */
static bool still_fails(const struct program *p, unsigned *tries)
{
    bool sure = p->setup.calm && p->setup.memtable_kb >= 64;
    for (int i = 0; i < (sure ? 1 : 4); i++) {
        ++*tries;
        if (!program_is_well(p))
            return true;
    }
    return false;
}

/* Take out what can be taken out: larger pieces first. */
static void minimise(struct program *p)
{
    unsigned tries = 0;
    bool better = true;
    while (better && tries < TRIES_MOST) {
        better = false;
        for (size_t piece = p->n / 2 + 1; piece > 0; piece /= 2)
            for (size_t at = 0; at < p->n && tries < TRIES_MOST;) {
                struct program q = *p;
                size_t n = piece < p->n - at ? piece : p->n - at;
                memmove(&q.ops[at], &p->ops[at + n],
                        (p->n - at - n) * sizeof p->ops[0]);
                q.n -= n;
                if (still_fails(&q, &tries)) {
                    *p = q;
                    better = true;
                } else {
                    at += n;
                }
            }
    }
}

/* Show the case as it is, and as short as it gets. */
static void explain(uint64_t seed)
{
    struct program p = program_of(seed);
    char first[sizeof progress->why];
    memcpy(first, progress->why, sizeof first);
    print_error("# seed %" PRIu64 ": %s\n", seed, first);
    if (getenv("SEERDB_HISTORY_BRIEF") != NULL)
        return;
    minimise(&p);
    if (!still_fails(&p, &(unsigned){0}))
        print_error("# it does not always fail\n");
    else
        print_error("# operation %zu of %zu: %s\n", progress->op, p.n, progress->why);
    fflush(stdout);
    program_print(&p, stderr);
}

static uint64_t seed_wanted, cases_wanted = CASES;

/* One child's share of the cases. */
static void run_share(uint64_t job)
{
    uint64_t from = cases_wanted * job / JOBS, to = cases_wanted * (job + 1) / JOBS;
    progress = &slots[job];
    run_seeds(seed_wanted + from, to - from);
    exit(0);
}

static void a_store_answers_as_all_its_history_says(void **state)
{
    pid_t children[JOBS];
    uint64_t ops = 0, reads = 0, gone = 0;
    bool well[JOBS];
    (void)state;
    fflush(NULL);
    for (uint64_t i = 0; i < JOBS; i++)
        if ((children[i] = fork()) == 0)
            run_share(i);
    for (uint64_t i = 0; i < JOBS; i++) {
        progress = &slots[i];
        well[i] = child_is_well(children[i]);
        ops += atomic_load(&progress->ops);
        reads += atomic_load(&progress->reads);
        gone += atomic_load(&progress->gone);
    }
    for (uint64_t i = 0; i < JOBS; i++)
        if (!well[i]) {
            progress = &slots[i];
            uint64_t seed = atomic_load(&progress->seed);
            explain(seed);
            fail_msg("seed %" PRIu64, seed);
        }
    print_message("%" PRIu64 " cases, %" PRIu64 " operations, %" PRIu64
                  " answers compared, %" PRIu64 " views were gone\n",
                  cases_wanted, ops, reads, gone);
}

static int replay(uint64_t seed)
{
    struct program p = program_of(seed);
    program_print(&p, stdout);
    fflush(stdout);
    bool right = run_one(&p);
    printf("%s\n", right ? "agrees" : progress->why);
    return right ? 0 : 1;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_store_answers_as_all_its_history_says),
    };
    const char *seed = getenv("SEERDB_SEED"), *cases = getenv("SEERDB_HISTORY_CASES");
    slots = mmap(NULL, JOBS * sizeof *slots, PROT_READ | PROT_WRITE,
                 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    progress = slots;
    running = malloc(sizeof *running);
    if (slots == MAP_FAILED || running == NULL)
        return 2;
    if (argc > 1)
        return replay(strtoull(argv[1], NULL, 10));
    seed_wanted = seed != NULL ? strtoull(seed, NULL, 10) : sdb_clock_unix_us();
    if (cases != NULL)
        cases_wanted = strtoull(cases, NULL, 10);
    print_message("seed %" PRIu64 "\n", seed_wanted);
    int rc = cmocka_run_group_tests(tests, NULL, NULL);
    free(running);
    return rc;
}
