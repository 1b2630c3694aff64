/* SPDX-License-Identifier: Apache-2.0
 *
 * runner -- runs the jobs of a bench program: each in a child process of its own, so
 * that memory, caches and threads are its own; rivals in turn within a round, the order
 * moving on by one each round.  Finished jobs are kept (report.h) and not run again
 * unless the program, the extension or the settings changed.
 *
 * A program fills a struct bench_program and returns bench_main().  Its groups' run
 * functions are called in the child. */
#ifndef SDB_BENCH_RUNNER_H
#define SDB_BENCH_RUNNER_H

#include "bench/meter.h"
#include "bench/report.h"

struct bench_options {
    uint64_t rows;
    unsigned rounds, stall_seconds;
    const char *groups, *rivals; /* names with commas between; NULL: all */
    const char *dir;             /* databases are made below it */
    const char *out;             /* results, tables and charts */
    const char *extension;       /* only for SQL */
    bool fresh;                  /* forget earlier results */
};

/* Bytes written since the database was opened, and its sorted runs now. */
struct bench_io {
    double log, flush, compact, runs;
};

struct bench_rival {
    const char *name, *about; /* about: settings, one line */
    const void *ops;
    unsigned max_rounds; /* 0: as many as the others; fewer for slow ones beside */
};

/* One job, in the child.  Between case_begin and case_end: time operations with
 * bench_begin and bench_end on `latency`, add to sum and user_bytes. */
struct bench_job {
    const struct bench_options *options;
    const struct bench_rival *rival;
    unsigned round;
    const char *dir;                            /* empty; removed afterwards */
    void (*io)(void *ctx, struct bench_io *io); /* may be NULL */
    void *io_ctx;

    struct bench_latency latency;
    uint64_t sum;
    double user_bytes;

    struct bench_result result; /* of the case in progress */
    uint64_t start_ns, start_cpu, start_written;
    struct bench_io start_io;
    FILE *part;
};

/* every: one of so many operations is timed by itself. */
void bench_case_begin(struct bench_job *job, const char *name, unsigned every);
void bench_case_end(struct bench_job *job, uint64_t ops);

struct bench_group {
    const char *name, *title;
    unsigned max_rounds; /* 0: as many as asked for */
    void (*run)(struct bench_job *job);
    const char *rivals;  /* names with commas between; NULL: all */
    const char *missing; /* not NULL: why there is nothing to run */
};

struct bench_program {
    const char *name;
    const struct bench_rival *rivals; /* ours first */
    size_t nrivals;
    const struct bench_group *groups;
    size_t ngroups;
    const struct bench_target *targets;
    size_t ntargets;
    const char *about; /* lines about what is compared; printed first */
};

int bench_main(const struct bench_program *program, int argc, char **argv);

#endif
