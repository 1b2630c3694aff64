/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "bench/runner.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MAX_RIVALS = 12, PATH = 1024 };

/* What a child is to do; group NULL: this is the parent. */
struct child {
    const char *group, *rival, *part;
    unsigned round;
};

/* ---- in the child ---- */

void bench_case_begin(struct bench_job *job, const char *name, unsigned every)
{
    struct bench_result *r = &job->result;
    snprintf(r->name, sizeof r->name, "%s", name);
    memset(&job->latency, 0, sizeof job->latency);
    job->latency.every = every;
    job->sum = 0;
    job->user_bytes = 0;
    job->start_io = (struct bench_io){0};
    if (job->io != NULL)
        job->io(job->io_ctx, &job->start_io);
    bench_reset_peak_rss();
    job->start_written = bench_written_bytes();
    job->start_cpu = bench_cpu_ns();
    job->start_ns = bench_now_ns();
}

void bench_case_end(struct bench_job *job, uint64_t ops)
{
    double *v = job->result.v;
    struct bench_io io = {0};
    v[BENCH_SECONDS] = (double)(bench_now_ns() - job->start_ns) / 1e9;
    v[BENCH_CPU] = (double)(bench_cpu_ns() - job->start_cpu);
    v[BENCH_WRITTEN] = (double)(bench_written_bytes() - job->start_written);
    v[BENCH_RSS] = (double)bench_peak_rss();
    v[BENCH_OPS] = (double)ops;
    v[BENCH_P50] = bench_latency_quantile(&job->latency, 0.5);
    v[BENCH_P99] = bench_latency_quantile(&job->latency, 0.99);
    v[BENCH_P999] = bench_latency_quantile(&job->latency, 0.999);
    v[BENCH_MAX] = (double)job->latency.max_ns;
    v[BENCH_OVER_10MS] = bench_latency_over(&job->latency, 10e6);
    v[BENCH_OVER_50MS] = bench_latency_over(&job->latency, 50e6);
    v[BENCH_OVER_200MS] = bench_latency_over(&job->latency, 200e6);
    v[BENCH_USER] = job->user_bytes;
    v[BENCH_SUM] = (double)(job->sum & 0xffffffffffffu);
    v[BENCH_DISK] = (double)bench_disk_bytes(job->dir);
    if (job->io != NULL)
        job->io(job->io_ctx, &io);
    v[BENCH_LOG] = io.log - job->start_io.log;
    v[BENCH_FLUSH] = io.flush - job->start_io.flush;
    v[BENCH_COMPACT] = io.compact - job->start_io.compact;
    v[BENCH_RUNS] = io.runs;
    bench_result_write(job->part, &job->result);
}

static void remove_job_dir(const struct bench_options *o, char dir[PATH])
{
    snprintf(dir, PATH, "%s/job", o->dir);
    bench_remove_tree(dir);
}

static int run_child(const struct bench_program *p, const struct bench_options *o,
                     const struct child *c)
{
    char dir[PATH];
    struct bench_job job = {.options = o, .round = c->round, .dir = dir};
    const struct bench_group *group = NULL;
    for (size_t i = 0; i < p->ngroups; i++)
        if (strcmp(p->groups[i].name, c->group) == 0)
            group = &p->groups[i];
    for (size_t i = 0; i < p->nrivals; i++)
        if (strcmp(p->rivals[i].name, c->rival) == 0)
            job.rival = &p->rivals[i];
    if (group == NULL || job.rival == NULL)
        bench_die("there is no %s or no %s", c->group, c->rival);
    remove_job_dir(o, dir);
    bench_make_dir(dir);
    snprintf(job.result.group, sizeof job.result.group, "%s", c->group);
    snprintf(job.result.rival, sizeof job.result.rival, "%s", c->rival);
    job.result.round = c->round;
    if ((job.part = fopen(c->part, "w")) == NULL)
        bench_die("%s: %s", c->part, strerror(errno));
    group->run(&job);
    bench_done_write(job.part, c->group, c->rival, c->round);
    if (ferror(job.part) || fclose(job.part) != 0)
        bench_die("%s: cannot write it", c->part);
    remove_job_dir(o, dir);
    return 0;
}

/* ---- in the parent ---- */

/* The program again with the child's words behind its own.  Does not return. */
static void exec_child(int argc, char **argv, const struct child *c)
{
    char round[16], *words[100];
    int n = 0;
    for (; n < argc && n < 80; n++)
        words[n] = argv[n];
    snprintf(round, sizeof round, "%u", c->round);
    const char *const own[] = {"--child", c->group, "--child-rival", c->rival,
                               "--part",  c->part,  "--round",       round};
    char *copies[sizeof own / sizeof own[0]];
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++)
        words[n++] = copies[i] = strdup(own[i]);
    words[n] = NULL;
    execv("/proc/self/exe", words);
    execvp(argv[0], words);
    bench_die("cannot run %s again: %s", argv[0], strerror(errno));
}

/* The job's lines go to the results in one write, its "done" line last. */
static void keep(const char *part, const char *results)
{
    char buf[65536];
    FILE *in = fopen(part, "r"), *out = fopen(results, "a");
    if (in == NULL || out == NULL)
        bench_die("%s or %s: %s", part, results, strerror(errno));
    size_t n = fread(buf, 1, sizeof buf, in);
    if (n == sizeof buf)
        bench_die("%s: more lines than a job can have", part);
    fputc('\n', out); /* ends a line that a crash cut short */
    fwrite(buf, 1, n, out);
    if (ferror(out) || fflush(out) != 0 || fsync(fileno(out)) != 0 || fclose(out) != 0)
        bench_die("%s: %s", results, strerror(errno));
    fclose(in);
    remove(part);
}

static void run_job(const struct bench_options *o, int argc, char **argv,
                    struct child *c, const char *results)
{
    char part[PATH];
    int status;
    snprintf(part, sizeof part, "%s/part", o->out);
    c->part = part;
    uint64_t start = bench_now_ns();
    fflush(NULL);
    pid_t pid = fork();
    if (pid < 0)
        bench_die("fork: %s", strerror(errno));
    if (pid == 0)
        exec_child(argc, argv, c);
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            bench_die("waitpid: %s", strerror(errno));
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        bench_die("%s, %s: the measurement failed (status %d)", c->group, c->rival,
                  status);
    keep(part, results);
    fprintf(stderr, "# %s, round %u, %s: %.1f s\n", c->group, c->round + 1, c->rival,
            (double)(bench_now_ns() - start) / 1e9);
}

static bool listed(const char *list, const char *name)
{
    size_t n = strlen(name);
    if (list == NULL || list[0] == '\0')
        return true;
    for (const char *p = list; (p = strstr(p, name)) != NULL; p += n)
        if ((p == list || p[-1] == ',') && (p[n] == '\0' || p[n] == ','))
            return true;
    return false;
}

/* FNV-1a over the file's bytes. */
static uint64_t hash_file(const char *path, uint64_t h)
{
    int c;
    FILE *f = path != NULL ? fopen(path, "r") : NULL;
    if (f == NULL)
        return h;
    while ((c = getc(f)) != EOF)
        h = (h ^ (unsigned)c) * 0x100000001b3u;
    fclose(f);
    return h;
}

/* Results of another program, disk or setting are put aside, not mixed in. */
static void claim_results(const struct bench_options *o, const char *results)
{
    char mark[60], first[60] = "", old[PATH + 8];
    uint64_t h = hash_file("/proc/self/exe", 0xcbf29ce484222325u);
    h = hash_file(o->extension, h);
    for (const char *c = o->dir; *c != '\0'; c++)
        h = (h ^ (unsigned char)*c) * 0x100000001b3u;
    snprintf(mark, sizeof mark, "# program %016llx, stalls %u s\n",
             (unsigned long long)h, o->stall_seconds);
    FILE *f = fopen(results, "r");
    if (f != NULL) {
        if (fgets(first, sizeof first, f) == NULL)
            first[0] = '\0';
        fclose(f);
        if (strcmp(first, mark) == 0 && !o->fresh)
            return;
        snprintf(old, sizeof old, "%s.old", results);
        if (rename(results, old) != 0)
            bench_die("%s: %s", results, strerror(errno));
        fprintf(stderr, "# earlier results are in %s\n", old);
    }
    if ((f = fopen(results, "w")) == NULL)
        bench_die("%s: %s", results, strerror(errno));
    fprintf(f,
            "%s# case, group, rival, round, name; then: operations, seconds, p50, p99, "
            "p99.9, max, over 10, 50, 200 ms, CPU (ns), peak RSS, disk, written, log, "
            "flush, compaction, user "
            "bytes, runs, sum\n",
            mark);
    if (fclose(f) != 0)
        bench_die("%s: %s", results, strerror(errno));
}

static FILE *open_report(const struct bench_options *o, const char *group,
                         const char *ending)
{
    char path[PATH];
    snprintf(path, sizeof path, "%s/%s-%llu.%s", o->out, group,
             (unsigned long long)o->rows, ending);
    FILE *f = fopen(path, "w");
    if (f == NULL)
        bench_die("%s: %s", path, strerror(errno));
    return f;
}

static void show_group(const struct bench_program *p, const struct bench_options *o,
                       const struct bench_group *g, const char *path)
{
    const char *rivals[MAX_RIVALS];
    struct bench_results results = {0};
    struct bench_view view = {&results, g->name,   g->title, rivals,
                              0,        o->rounds, o->rows};
    for (size_t r = 0; r < p->nrivals; r++)
        if (listed(g->rivals, p->rivals[r].name))
            rivals[view.nrivals++] = p->rivals[r].name;
    if (g->max_rounds > 0 && g->max_rounds < view.rounds)
        view.rounds = g->max_rounds;
    bench_results_load(&results, path);
    bench_results_agree(&results);
    FILE *text = open_report(o, g->name, "txt"), *svg = open_report(o, g->name, "svg");
    FILE *both[] = {stdout, text};
    for (int i = 0; i < 2; i++) {
        bench_table(&view, both[i]);
        bench_targets(&view, p->targets, p->ntargets, both[i]);
    }
    bench_chart(&view, svg);
    if (fclose(text) != 0 || fclose(svg) != 0)
        bench_die("cannot write the report of %s", g->name);
    fflush(stdout);
    bench_results_free(&results);
}

static void run_group(const struct bench_program *p, const struct bench_options *o,
                      const struct bench_group *g, int argc, char **argv)
{
    char path[PATH];
    struct bench_results results = {0};
    unsigned rounds =
        g->max_rounds > 0 && g->max_rounds < o->rounds ? g->max_rounds : o->rounds;
    if (g->missing != NULL) {
        printf("\n%s: left out: %s\n", g->name, g->missing);
        return;
    }
    snprintf(path, sizeof path, "%s/%s-%llu.results", o->out, p->name,
             (unsigned long long)o->rows);
    bench_results_load(&results, path);
    for (unsigned round = 0; round < rounds; round++)
        for (size_t i = 0; i < p->nrivals; i++) {
            const struct bench_rival *rival = &p->rivals[(i + round) % p->nrivals];
            struct child c = {.group = g->name, .rival = rival->name, .round = round};
            if (listed(o->rivals, c.rival) && listed(g->rivals, c.rival) &&
                (rival->max_rounds == 0 || round < rival->max_rounds) &&
                !bench_results_have(&results, c.group, c.rival, round))
                run_job(o, argc, argv, &c, path);
        }
    bench_results_free(&results);
    show_group(p, o, g, path);
}

/* ---- arguments ---- */

static void usage(const struct bench_program *p)
{
    fprintf(stderr,
            "usage: %s_bench [--rows N] [--rounds N] [--groups A,B] [--rivals A,B]\n"
            "  [--dir DIR] [--out DIR] [--stall-seconds N] [--extension FILE] "
            "[--fresh yes]\ngroups:\n",
            p->name);
    for (size_t i = 0; i < p->ngroups; i++)
        fprintf(stderr, "  %-14s %s\n", p->groups[i].name, p->groups[i].title);
    fprintf(stderr, "rivals:\n");
    for (size_t i = 0; i < p->nrivals; i++)
        fprintf(stderr, "  %-14s %s\n", p->rivals[i].name, p->rivals[i].about);
    exit(2);
}

static bool parse(struct bench_options *o, struct child *c, const char *name,
                  const char *value)
{
    unsigned long long n = strtoull(value, NULL, 10);
    const struct {
        const char *name;
        const char **text;
    } texts[] = {{"--groups", &o->groups},
                 {"--rivals", &o->rivals},
                 {"--dir", &o->dir},
                 {"--out", &o->out},
                 {"--extension", &o->extension},
                 {"--child", &c->group},
                 {"--child-rival", &c->rival},
                 {"--part", &c->part}};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (strcmp(name, texts[i].name) == 0) {
            *texts[i].text = value;
            return true;
        }
    if (strcmp(name, "--rows") == 0)
        o->rows = n;
    else if (strcmp(name, "--rounds") == 0)
        o->rounds = (unsigned)n;
    else if (strcmp(name, "--stall-seconds") == 0)
        o->stall_seconds = (unsigned)n;
    else if (strcmp(name, "--fresh") == 0)
        o->fresh = strcmp(value, "yes") == 0;
    else if (strcmp(name, "--round") == 0)
        c->round = (unsigned)n;
    else
        return false;
    return true;
}

/* One bench a directory.  Children inherit the lock: one that outlives its killed
 * parent still works in there. */
static void lock_dir(const struct bench_options *o)
{
    char path[PATH];
    bench_make_dir(o->dir);
    snprintf(path, sizeof path, "%s/lock", o->dir);
    int fd = open(path, O_RDWR | O_CREAT, 0666);
    if (fd < 0)
        bench_die("%s: %s", path, strerror(errno));
    if (flock(fd, LOCK_EX | LOCK_NB) != 0)
        bench_die("%s is locked: another bench runs there, or a part of one", path);
}

/* Times taken while others work are worth less: say so. */
static void say_load(void)
{
    double load[1];
    if (getloadavg(load, 1) == 1)
        printf("machine: %ld processors, load average at the start %.1f\n",
               sysconf(_SC_NPROCESSORS_ONLN), load[0]);
}

int bench_main(const struct bench_program *p, int argc, char **argv)
{
    struct bench_options o = {.rows = 1000000,
                              .rounds = 3,
                              .stall_seconds = 10,
                              .dir = "build/bench/data",
                              .out = "build/bench"};
    struct child c = {0};
    char results[PATH];
    for (int i = 1; i < argc; i += 2)
        if (i + 1 >= argc || !parse(&o, &c, argv[i], argv[i + 1]))
            usage(p);
    if (o.rows < 1000 || o.rounds < 1 || o.rounds > 99 || p->nrivals > MAX_RIVALS)
        usage(p);
    if (c.group != NULL)
        return run_child(p, &o, &c);
    bench_make_dir(o.out);
    lock_dir(&o);
    snprintf(results, sizeof results, "%s/%s-%llu.results", o.out, p->name,
             (unsigned long long)o.rows);
    claim_results(&o, results);
    printf("%s\n", p->about);
    for (size_t i = 0; i < p->nrivals; i++)
        if (listed(o.rivals, p->rivals[i].name))
            printf("  %-16s %s\n", p->rivals[i].name, p->rivals[i].about);
    say_load();
    fflush(stdout);
    for (size_t i = 0; i < p->ngroups; i++)
        if (listed(o.groups, p->groups[i].name))
            run_group(p, &o, &p->groups[i], argc, argv);
    return 0;
}
