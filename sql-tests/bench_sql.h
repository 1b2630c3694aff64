/* SPDX-License-Identifier: Apache-2.0
 *
 * bench_sql -- what the small SQL benches share.  A program includes it once. */
#ifndef BENCH_SQL_H
#define BENCH_SQL_H

#include <sqlite3.h>

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* The bench ends here: of an SQL error db says which. */
static inline void die(sqlite3 *db, const char *what)
{
    fprintf(stderr, "bench: %s: %s\n", what, db != NULL ? sqlite3_errmsg(db) : "");
    exit(1);
}

/* Seconds. */
static inline double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* splitmix64: random keys of rising numbers. */
static inline uint64_t mix(uint64_t z)
{
    z += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static inline void run(sqlite3 *db, const char *sql)
{
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
        die(db, sql);
}

static inline sqlite3_stmt *prepare_sql(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *s;
    if (sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, &s, NULL) !=
        SQLITE_OK)
        die(db, sql);
    return s;
}

#endif
