/* SPDX-License-Identifier: Apache-2.0
 *
 * report -- results of the benches: kept in a text file, one line a finished case, so
 * that an interrupted run goes on where it stopped; shown as one table a group and
 * measured against targets.
 *
 * A *job* is one rival in one group in one round; its cases share a database, so it is
 * measured whole or not at all: lines count when the job's "done" line follows them.
 * Figures are medians over rounds, ratios are ratios of medians.  One thread. */
#ifndef SDB_BENCH_REPORT_H
#define SDB_BENCH_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum bench_column {
    BENCH_OPS,
    BENCH_SECONDS,
    BENCH_P50, /* nanoseconds, of one operation or transaction */
    BENCH_P99,
    BENCH_P999,
    BENCH_MAX,
    BENCH_OVER_10MS, /* operations that took longer */
    BENCH_OVER_50MS,
    BENCH_OVER_200MS,
    BENCH_CPU,     /* nanoseconds, all threads, of the whole case */
    BENCH_RSS,     /* bytes: the peak */
    BENCH_DISK,    /* bytes allocated when the case ended */
    BENCH_WRITTEN, /* bytes handed to write() */
    BENCH_LOG,     /* of these, by the rival's own counters */
    BENCH_FLUSH,
    BENCH_COMPACT,
    BENCH_USER, /* keys and values that the case wrote */
    BENCH_RUNS, /* sorted runs when the case ended */
    BENCH_SUM,  /* of what was read; 48 bits; must agree between rivals. 0: none */
    BENCH_COLUMNS
};

struct bench_result {
    char group[24], rival[24], name[48];
    unsigned round;
    double v[BENCH_COLUMNS];
};

struct bench_results {
    struct bench_result *all; /* owned; in the order of the file */
    size_t n, capacity;
};

void bench_result_write(FILE *f, const struct bench_result *r);
void bench_done_write(FILE *f, const char *group, const char *rival, unsigned round);

/* Add what the file holds of finished jobs; a missing file is empty. */
void bench_results_load(struct bench_results *results, const char *path);
void bench_results_free(struct bench_results *results);
bool bench_results_have(const struct bench_results *results, const char *group,
                        const char *rival, unsigned round);

/* Dies unless all rivals of a case read the same in the same round. */
void bench_results_agree(const struct bench_results *results);

/* Medians of one case of one rival over the rounds below `rounds`.  False: it has not
 * been measured. */
bool bench_median(const struct bench_results *results, const char *group,
                  const char *rival, const char *name, unsigned rounds,
                  double v[BENCH_COLUMNS]);

/* What is shown of one group. */
struct bench_view {
    const struct bench_results *results;
    const char *group, *title;
    const char *const *rivals; /* the first one is compared with the others */
    size_t nrivals;
    unsigned rounds;
    uint64_t rows;
};

/* The names of the group's cases in the order of their first results; at most max. */
size_t bench_case_names(const struct bench_view *view, const char **names, size_t max);

void bench_table(const struct bench_view *view, FILE *out);

/* One chart: a cluster of bars a case, speed relative to the fastest rival. */
void bench_chart(const struct bench_view *view, FILE *out);

/* "1,234,567" or, of a case that is one operation, "1.23 s". */
void bench_rate_text(const double v[BENCH_COLUMNS], char *out, size_t size);

enum bench_target_kind {
    BENCH_AT_LEAST,      /* times the speed of the rival */
    BENCH_AMPLIFICATION, /* bytes written per user byte: at most this times the rival's
                          */
    BENCH_LONGEST_MS     /* our longest latency, at most */
};

struct bench_target {
    const char *group, *name;
    enum bench_target_kind kind;
    const char *against; /* NULL: nobody */
    double limit;
    uint64_t rows; /* the size it is meant for */
};

/* One line a target of the view's group: wanted, measured, met or not. */
void bench_targets(const struct bench_view *view, const struct bench_target *targets,
                   size_t ntargets, FILE *out);

#endif
