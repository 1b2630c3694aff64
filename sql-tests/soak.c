/* SPDX-License-Identifier: Apache-2.0
 *
 * soak -- millions of random statements on seerdb tables and on ordinary ones, which
 * must agree, by processes that end well, are killed, kill themselves at a failpoint,
 * or meet failures.
 *
 *     soak [--dir DIR] [--operations N] [--seconds S] [--seed S] [--cuts PROGRAM]
 *
 * The extension is $SEERDB, the same with failpoints $SEERDB_POINTS.  With --dir, what
 * was done is kept there, and the program goes on from it: N is what must have been
 * done in all.  Without, all of it is thrown away at the end.  --seconds: no more
 * rounds after that.  --cuts: now and then, power cuts by sql-tests/cuts, with new
 * seeds. Speaks TAP.
 *
 * Each round is a process with a connection of its own.  It reports each commit, and
 * what was reported must be there in the next round; everything is compared after each
 * one, in both directions.  After an orderly end the store's directory has no file that
 * nobody needs, and the process took no more memory than MEMORY_MOST. */
#define _XOPEN_SOURCE 700
#include "soak.h"

#include "os/failpoint.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define MEMORY_MOST UINT64_MAX
#else
#define MEMORY_MOST ((uint64_t)64 << 20) /* bytes; the stores may take 2 MiB of it */
#endif

enum { ROUND_OPERATIONS = 40000, ROUNDS_A_CUT = 40, CUTS = 20 };

enum ending { ENDS_WELL, IS_KILLED, KILLS_ITSELF, MEETS_FAILURES, LOOKS, ENDINGS };

/* What is kept between two runs of the program. */
struct state {
    uint64_t seed, round, operations, transactions, memory, bytes;
    uint64_t rounds[ENDINGS], cuts;
};

/* What a round's process reports: the last one counts. */
struct report {
    uint64_t operations, transactions, memory;
};

void soak_fail(const char *what, const char *why)
{
    fprintf(stderr, "soak: %s: %s\n", what, why);
    fflush(stderr);
    _exit(1);
}

static uint64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void sleep_ms(uint64_t ms)
{
    struct timespec t = {(time_t)(ms / 1000), (long)(ms % 1000) * 1000000};
    while (nanosleep(&t, &t) != 0 && errno == EINTR)
        ;
}

/* ---- the state ------------------------------------------------------------------- */

static const struct {
    const char *name;
    size_t at;
} fields[] = {
    {"seed", offsetof(struct state, seed)},
    {"round", offsetof(struct state, round)},
    {"operations", offsetof(struct state, operations)},
    {"transactions", offsetof(struct state, transactions)},
    {"memory", offsetof(struct state, memory)},
    {"bytes", offsetof(struct state, bytes)},
    {"ended_well", offsetof(struct state, rounds[ENDS_WELL])},
    {"killed", offsetof(struct state, rounds[IS_KILLED])},
    {"killed_themselves", offsetof(struct state, rounds[KILLS_ITSELF])},
    {"met_failures", offsetof(struct state, rounds[MEETS_FAILURES])},
    {"looked", offsetof(struct state, rounds[LOOKS])},
    {"power_cuts", offsetof(struct state, cuts)},
};
enum { FIELDS = sizeof fields / sizeof fields[0] };

static uint64_t *field(struct state *s, int i)
{
    return (uint64_t *)(void *)((char *)s + fields[i].at);
}

/* False: there is none yet. */
static bool load(const struct soak *k, struct state *s)
{
    char path[600], name[40];
    unsigned long long value;
    snprintf(path, sizeof path, "%s/state", k->dir);
    FILE *f = fopen(path, "r");
    if (f == NULL)
        return false;
    while (fscanf(f, "%39s %llu", name, &value) == 2) {
        int i = 0;
        while (i < FIELDS && strcmp(fields[i].name, name) != 0)
            i++;
        if (i == FIELDS)
            soak_fail(path, "not a state of this program");
        *field(s, i) = value;
    }
    fclose(f);
    return true;
}

static void save(const struct soak *k, struct state *s)
{
    char path[600], fresh[600];
    snprintf(path, sizeof path, "%s/state", k->dir);
    snprintf(fresh, sizeof fresh, "%s/state.new", k->dir);
    FILE *f = fopen(fresh, "w");
    if (f == NULL)
        soak_fail(fresh, strerror(errno));
    for (int i = 0; i < FIELDS; i++)
        fprintf(f, "%s %llu\n", fields[i].name, (unsigned long long)*field(s, i));
    if (fclose(f) != 0 || rename(fresh, path) != 0)
        soak_fail(path, strerror(errno));
}

/* ---- a round's process -------------------------------------------------------------
 */

static uint64_t memory_now(void)
{
    unsigned long long all = 0, resident = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    if (f != NULL && fscanf(f, "%llu %llu", &all, &resident) != 2)
        resident = 0;
    if (f != NULL)
        fclose(f);
    return resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void tell(int pipe, const struct work *w, uint64_t transactions)
{
    struct report r = {w->operations, transactions, memory_now()};
    if (write(pipe, &r, sizeof r) != sizeof r)
        soak_fail("pipe", strerror(errno));
}

static void live(const struct soak *k, uint64_t operations, int pipe)
{
    struct work w;
    soak_open(&w, k);
    soak_create(&w);
    uint64_t transactions = soak_transactions(&w);
    tell(pipe, &w, transactions);
    while (w.operations < operations)
        if (soak_transaction(&w)) {
            w.decided = true;
            tell(pipe, &w, ++transactions);
        }
    soak_compare(&w);
    if (soak_transactions(&w) != transactions)
        soak_fail("done", "not the number of transactions that were committed");
    soak_close(&w);
}

static void look(const struct soak *k, uint64_t transactions, int pipe)
{
    struct work w;
    soak_open(&w, k);
    uint64_t there = soak_transactions(&w);
    if (there < transactions || there > transactions + 1) {
        char why[120];
        snprintf(why, sizeof why, "%llu transactions were acknowledged, %llu are there",
                 (unsigned long long)transactions, (unsigned long long)there);
        soak_fail("done", why);
    }
    soak_compare(&w);
    tell(pipe, &w, there);
    soak_close(&w);
}

/* ---- rounds ------------------------------------------------------------------------
 */

/* What failpoints of the process shall do. */
static void arm(struct sdb_rand *r, enum ending ending)
{
    static const char *const names[] = {
#define NAME_OF(name) #name,
        SDB_FAILPOINTS_OF(NAME_OF)
#undef NAME_OF
    };
    char plan[200], where[80] = "";
    unsigned long long seed = sdb_rand_next(r);
    if (sdb_rand_below(r, 2) == 0)
        snprintf(where, sizeof where, ",at=%s",
                 names[sdb_rand_below(r, sizeof names / sizeof names[0])]);
    snprintf(plan, sizeof plan, "actions=%s,one_in=%d,seed=%llu%s",
             ending == KILLS_ITSELF ? sdb_rand_below(r, 2) == 0 ? "kill" : "kill+delay"
                                    : "error",
             1 + (int)sdb_rand_below(r, where[0] != '\0' ? 30 : 20000), seed, where);
    if (setenv("SEERDB_FAILPOINTS", plan, 1) != 0)
        soak_fail("setenv", strerror(errno));
}

/* Short and long lives: a long one fills many tables. */
static uint64_t operations_of(const struct soak *k)
{
    struct sdb_rand r = {k->seed * 17 + k->round};
    return 200 + sdb_rand_below(&r, 1 + sdb_rand_below(&r, ROUND_OPERATIONS));
}

static pid_t start(struct soak k, enum ending ending, uint64_t transactions,
                   const char *points, int *from_child)
{
    int ends[2];
    fflush(NULL);
    if (pipe(ends) != 0)
        soak_fail("pipe", strerror(errno));
    pid_t pid = fork();
    if (pid < 0)
        soak_fail("fork", strerror(errno));
    if (pid > 0) {
        close(ends[1]);
        *from_child = ends[0];
        return pid;
    }
    close(ends[0]);
    if (ending == KILLS_ITSELF || ending == MEETS_FAILURES) {
        struct sdb_rand r = {k.seed + k.round * 7};
        k.extension = points;
        k.may_fail = ending == MEETS_FAILURES;
        arm(&r, ending);
    }
    if (ending == LOOKS)
        look(&k, transactions, ends[1]);
    else
        live(&k, ending == IS_KILLED ? UINT64_MAX : operations_of(&k), ends[1]);
    exit(0);
}

/* Read reports until the process has ended; the last one counts. */
static struct report wait_for(const struct soak *k, pid_t pid, int from_child,
                              enum ending ending, struct report last)
{
    int status = 0;
    struct report r;
    while (read(from_child, &r, sizeof r) == (ssize_t)sizeof r) {
        last = r;
        if (r.memory > MEMORY_MOST && ending == ENDS_WELL)
            soak_fail(k->dir, "a process takes too much memory");
    }
    close(from_child);
    if (waitpid(pid, &status, 0) != pid)
        soak_fail("waitpid", strerror(errno));
    bool killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    bool well = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    if (well || (killed && (ending == IS_KILLED || ending == KILLS_ITSELF)))
        return last;
    char why[120];
    snprintf(why, sizeof why, "round %llu (%d) ended with status %#x",
             (unsigned long long)k->round, (int)ending, (unsigned)status);
    soak_fail(k->dir, why);
}

static enum ending choose(const struct soak *k, const char *points)
{
    struct sdb_rand r = {k->seed * 31 + k->round};
    uint64_t dice = sdb_rand_below(&r, 8);
    if (k->round == 0 || dice < 2)
        return ENDS_WELL;
    return dice < 4 || points == NULL ? IS_KILLED
           : dice < 6                 ? KILLS_ITSELF
                                      : MEETS_FAILURES;
}

static void one_round(struct soak *k, struct state *s, const char *points)
{
    int from_child;
    k->round = s->round;
    struct report last = {.transactions = s->transactions};
    enum ending ending = choose(k, points);
    pid_t pid = start(*k, ending, 0, points, &from_child);
    if (ending == IS_KILLED) {
        struct sdb_rand r = {k->seed + k->round};
        sleep_ms(5 + sdb_rand_below(&r, sdb_rand_below(&r, 4) == 0 ? 600 : 60));
        kill(pid, SIGKILL);
    }
    last = wait_for(k, pid, from_child, ending, last);
    s->operations += last.operations;
    s->rounds[ending]++;
    if (ending != ENDS_WELL) {
        pid = start(*k, LOOKS, last.transactions, points, &from_child);
        last = wait_for(k, pid, from_child, LOOKS, last);
        s->rounds[LOOKS]++;
    }
    s->transactions = last.transactions;
    s->memory = last.memory > s->memory ? last.memory : s->memory;
    s->bytes = soak_check_files(k);
    s->round++;
}

static void some_cuts(const struct soak *k, struct state *s, const char *program)
{
    char command[1200];
    snprintf(command, sizeof command, "'%s' --cuts %d --seed %llu > '%s/cuts.log' 2>&1",
             program, CUTS, (unsigned long long)(k->seed + s->round * CUTS), k->dir);
    if (system(command) != 0)
        soak_fail(command, "failed");
    s->cuts += CUTS;
}

/* ---- the program
 * --------------------------------------------------------------------- */

struct order {
    const char *dir, *cuts;
    uint64_t operations, seconds, seed;
};

static struct order order_of(int argc, char **argv)
{
    struct order o = {.operations = 1000000, .seconds = UINT32_MAX, .seed = 1};
    for (int i = 1; i + 1 < argc; i += 2) {
        uint64_t n = strtoull(argv[i + 1], NULL, 10);
        if (strcmp(argv[i], "--dir") == 0)
            o.dir = argv[i + 1];
        else if (strcmp(argv[i], "--cuts") == 0)
            o.cuts = argv[i + 1];
        else if (strcmp(argv[i], "--operations") == 0)
            o.operations = n;
        else if (strcmp(argv[i], "--seconds") == 0)
            o.seconds = n;
        else if (strcmp(argv[i], "--seed") == 0)
            o.seed = n;
        else
            soak_fail(argv[i], "not an option");
    }
    return o;
}

static void make_directory(struct soak *k, const struct order *o)
{
    const char *tmp = getenv("TMPDIR");
    if (o->dir != NULL) {
        snprintf(k->dir, sizeof k->dir, "%s", o->dir);
        if (mkdir(k->dir, 0777) != 0 && errno != EEXIST)
            soak_fail(k->dir, strerror(errno));
    } else {
        /* Processes die, the machine does not: memory will do. */
        if (tmp == NULL)
            tmp = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
        snprintf(k->dir, sizeof k->dir, "%s/seerdb-soak.XXXXXX", tmp);
        if (mkdtemp(k->dir) == NULL)
            soak_fail(k->dir, strerror(errno));
    }
    snprintf(k->path, sizeof k->path, "%s/soak.db", k->dir);
    snprintf(k->store, sizeof k->store, "%s/soak.db-seerdb", k->dir);
}

int main(int argc, char **argv)
{
    struct order o = order_of(argc, argv);
    struct soak k = {.extension = getenv("SEERDB")};
    struct state s = {.seed = o.seed};
    const char *points = getenv("SEERDB_POINTS");
    uint64_t end = now_ms() + o.seconds * 1000;
    char command[600];
    if (k.extension == NULL)
        k.extension = "./seerdb";
    make_directory(&k, &o);
    (void)load(&k, &s);
    k.seed = s.seed;
    do {
        one_round(&k, &s, points);
        if (o.cuts != NULL && s.round % ROUNDS_A_CUT == ROUNDS_A_CUT - 1)
            some_cuts(&k, &s, o.cuts);
        save(&k, &s);
    } while (s.operations < o.operations && now_ms() < end);
    printf(
        "ok 1 - %llu statements in %llu transactions agree with ordinary tables, %llu "
        "processes ended well, %llu were killed, %llu killed themselves, %llu met "
        "failures; %llu power cuts; at most %llu KiB of memory\n1..1\n",
        (unsigned long long)s.operations, (unsigned long long)s.transactions,
        (unsigned long long)s.rounds[ENDS_WELL],
        (unsigned long long)s.rounds[IS_KILLED],
        (unsigned long long)s.rounds[KILLS_ITSELF],
        (unsigned long long)s.rounds[MEETS_FAILURES], (unsigned long long)s.cuts,
        (unsigned long long)s.memory >> 10);
    snprintf(command, sizeof command, "rm -rf '%s'", k.dir);
    return o.dir != NULL || system(command) == 0 ? 0 : 1;
}
