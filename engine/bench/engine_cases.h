/* SPDX-License-Identifier: Apache-2.0
 *
 * engine_cases -- what the groups of the engine bench are made of: an open rival with a
 * job to report to, and the cases on it.  Every answer is checked; a wrong one ends the
 * program. */
#ifndef SDB_BENCH_ENGINE_CASES_H
#define SDB_BENCH_ENGINE_CASES_H

#include "bench/data.h"
#include "bench/rival.h"

struct engine {
    struct bench_job *job; /* borrowed */
    const struct bench_rival_ops *ops;
    enum bench_key_set keys;
    void *db, *reader;
    char dir[1200];   /* removed at close */
    uint64_t rows;    /* keys 0 to rows - 1 are there */
    uint64_t random;  /* state of engine_random */
    uint32_t version; /* of the values that writes make */
};

/* A new database below the job's directory, named `name`; close removes it. */
void engine_open(struct engine *e, struct bench_job *job, const char *name,
                 const struct bench_setup *setup, enum bench_key_set keys);
void engine_close(struct engine *e);

uint64_t engine_random(struct engine *e);

/* Write the row of number i; the caller commits. */
void engine_put(struct engine *e, uint64_t i);
/* Read row i and check it. */
void engine_get(struct engine *e, uint64_t i, enum bench_presence presence);
/* Seek row i's key and read up to n rows from there; returns how many there were. */
uint64_t engine_range(struct engine *e, uint64_t i, unsigned n);

/* What the rival can of these; see rival.h. */
void engine_flush(struct engine *e);
void engine_compact(struct engine *e);

/* ---- cases: measured and reported under `name` ---- */

/* New rows: rows .. rows + n - 1. */
void engine_fill(struct engine *e, const char *name, uint64_t n, unsigned per_commit);
void engine_overwrite(struct engine *e, const char *name, uint64_t n,
                      unsigned per_commit);
/* engine_compact, unless the rival has nothing to do. */
void engine_settle(struct engine *e, const char *name);
void engine_gets(struct engine *e, const char *name, uint64_t n,
                 enum bench_presence presence);
void engine_ranges(struct engine *e, const char *name, uint64_t n, unsigned length);

enum engine_direction { ENGINE_FORWARD, ENGINE_BACKWARD };
void engine_scan(struct engine *e, const char *name, enum engine_direction direction);

#endif
