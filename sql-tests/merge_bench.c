/* SPDX-License-Identifier: Apache-2.0
 *
 * merge_bench -- counters: merges of a seerdb table beside UPDATEs of ordinary ones, in
 * databases of their own, in rounds that take turns in one process.
 *
 *     merge_bench --extension ./seerdb.so [--increments N] [--counters N] [--rounds N]
 *
 * Every table has COUNTERS rows (k, n INTEGER, note TEXT of 40 letters); an increment
 * adds 1 to the n of a random one, 1000 in a transaction; WAL mode, synchronous NORMAL.
 * Keys are blobs of 16 bytes or integers.  Afterwards counters are read by key: those
 * that were just incremented, those that were flushed and compacted, and rows that were
 * put.  The sums are checked.  Ratios are of medians; information, never a verdict. */
#define _GNU_SOURCE
#include "bench_sql.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MAX_ROUNDS = 99, PER_COMMIT = 1000, READS = 200000 };

struct side {
    const char *name, *create, *load, *increment, *settle;
    bool integer; /* keys */
    sqlite3 *db;
    double times[MAX_ROUNDS];
};

static uint64_t counters = 1000, state = 1;

static void bind_key(const struct side *side, sqlite3_stmt *s, uint64_t i)
{
    uint64_t key[2] = {mix(i), mix(i + 1)};
    if (side->integer)
        sqlite3_bind_int64(s, 1, (sqlite3_int64)i);
    else
        sqlite3_bind_blob(s, 1, key, sizeof key, SQLITE_TRANSIENT);
}

static void step(const struct side *side, sqlite3_stmt *s, int want)
{
    if (sqlite3_step(s) != want)
        die(side->db, side->name);
    sqlite3_reset(s);
}

static void side_open(struct side *side, const char *dir, const char *extension)
{
    char path[300], *message = NULL;
    snprintf(path, sizeof path, "%s/%s.db", dir, side->name);
    for (char *p = path; *p != 0; p++)
        *p = *p == ' ' ? '-' : *p;
    if (sqlite3_open(path, &side->db) != SQLITE_OK)
        die(side->db, path);
    sqlite3_enable_load_extension(side->db, 1);
    if (sqlite3_load_extension(side->db, extension, "sqlite3_seerdb_init", &message) !=
        SQLITE_OK)
        die(side->db, message);
    run(side->db, "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL");
    run(side->db, side->create);
    sqlite3_stmt *s = prepare_sql(side->db, side->load);
    run(side->db, "BEGIN");
    for (uint64_t i = 1; i <= counters; i++) {
        bind_key(side, s, i);
        step(side, s, SQLITE_DONE);
    }
    run(side->db, "COMMIT");
    sqlite3_finalize(s);
}

/* Seconds for n increments. */
static double increment(struct side *side, uint64_t n)
{
    sqlite3_stmt *s = prepare_sql(side->db, side->increment);
    double from = now();
    for (uint64_t i = 0; i < n;) {
        run(side->db, "BEGIN");
        for (uint64_t end = i + PER_COMMIT; i < end && i < n; i++) {
            bind_key(side, s, 1 + mix(state++) % counters);
            step(side, s, SQLITE_DONE);
        }
        run(side->db, "COMMIT");
    }
    double took = now() - from;
    sqlite3_finalize(s);
    return took;
}

static double read_counters(struct side *side)
{
    sqlite3_stmt *s = prepare_sql(side->db, "SELECT n FROM t WHERE k = ?");
    run(side->db, "BEGIN");
    double from = now();
    for (int i = 0; i < READS; i++) {
        bind_key(side, s, 1 + mix((uint64_t)i) % counters);
        step(side, s, SQLITE_ROW);
    }
    double took = now() - from;
    run(side->db, "COMMIT");
    sqlite3_finalize(s);
    return took;
}

static int by_time(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *t, int n)
{
    qsort(t, (size_t)n, sizeof *t, by_time);
    return t[n / 2];
}

#define SEERDB_TABLE(key)                                                              \
    "CREATE VIRTUAL TABLE t USING seerdb(k " key                                       \
    " PRIMARY KEY, n INTEGER MERGE add, note TEXT)"
#define LOAD    "INSERT INTO t VALUES (?, 0, 'a note of about forty letters, all told.')"
#define MERGE   "INSERT INTO t(k, n, _op) VALUES (?, 1, 'merge')"
#define UPDATE  "UPDATE t SET n = n + 1 WHERE k = ?"
#define COMPACT "SELECT seerdb('t', 'compact')"
#define ORDINARY(key, without)                                                         \
    "CREATE TABLE t(k " key " PRIMARY KEY, n INTEGER, note TEXT)" without

static struct side sides[] = {
    {.name = "seerdb merge blob",
     .create = SEERDB_TABLE("BLOB"),
     .load = LOAD,
     .increment = MERGE,
     .settle = COMPACT},
    {.name = "seerdb update blob",
     .create = SEERDB_TABLE("BLOB"),
     .load = LOAD,
     .increment = UPDATE,
     .settle = COMPACT},
    {.name = "ordinary update blob",
     .create = ORDINARY("BLOB", " WITHOUT ROWID"),
     .load = LOAD,
     .increment = UPDATE},
    {.name = "seerdb merge integer",
     .create = SEERDB_TABLE("INTEGER"),
     .load = LOAD,
     .increment = MERGE,
     .settle = COMPACT,
     .integer = true},
    {.name = "ordinary update integer",
     .create = ORDINARY("INTEGER", ""),
     .load = LOAD,
     .increment = UPDATE,
     .integer = true},
};
enum { SIDES = sizeof sides / sizeof sides[0] };

static void report(const char *what, double other, double own)
{
    printf("%-44s %6.2f\n", what, other / own);
}

/* Reads of seerdb's tables, of counters and of rows that UPDATE has put. */
static void compare_reads(const char *when, int rounds)
{
    char what[100];
    for (int r = 0; r < rounds; r++)
        for (int i = 0; i < 3; i++)
            sides[i].times[r] = read_counters(&sides[i]);
    for (int i = 0; i < 3; i++)
        printf("%-30s %-12s %8.3f us\n", sides[i].name, when,
               median(sides[i].times, rounds) * 1e6 / READS);
    snprintf(what, sizeof what, "reading a counter / a row, %s", when);
    report(what, sides[0].times[rounds / 2], sides[1].times[rounds / 2]);
}

static void check_sums(uint64_t want)
{
    for (int i = 0; i < SIDES; i++) {
        sqlite3_stmt *s = prepare_sql(sides[i].db, "SELECT sum(n) FROM t");
        if (sqlite3_step(s) != SQLITE_ROW ||
            (uint64_t)sqlite3_column_int64(s, 0) != want) {
            fprintf(stderr, "merge_bench: %s: %lld increments, not %llu\n",
                    sides[i].name, (long long)sqlite3_column_int64(s, 0),
                    (unsigned long long)want);
            exit(1);
        }
        sqlite3_finalize(s);
    }
}

static void bench(const char *dir, const char *extension, uint64_t increments,
                  int rounds)
{
    double at[SIDES];
    uint64_t each = increments / (uint64_t)rounds;
    for (int i = 0; i < SIDES; i++)
        side_open(&sides[i], dir, extension);
    for (int r = 0; r < rounds; r++)
        for (int i = 0; i < SIDES; i++)
            sides[i].times[r] = increment(&sides[i], each);
    check_sums(each * (uint64_t)rounds);
    for (int i = 0; i < SIDES; i++) {
        at[i] = median(sides[i].times, rounds);
        printf("%-30s %-12s %8.3f us\n", sides[i].name, "increment",
               at[i] * 1e6 / (double)each);
    }
    report("merges to UPDATEs of a BLOB key table", at[2], at[0]);
    report("merges to UPDATEs of an INTEGER key table", at[4], at[3]);
    compare_reads("at once", rounds);
    for (int i = 0; i < SIDES; i++)
        run(sides[i].db,
            sides[i].settle != NULL ? sides[i].settle : "PRAGMA wal_checkpoint");
    compare_reads("settled", rounds);
    for (int i = 0; i < SIDES; i++)
        sqlite3_close(sides[i].db);
}

int main(int argc, char **argv)
{
    char dir[] = "/tmp/merge-bench-XXXXXX", command[100];
    const char *extension = NULL;
    uint64_t increments = 2000000;
    int rounds = 5;
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--extension") == 0)
            extension = argv[i + 1];
        else if (strcmp(argv[i], "--increments") == 0)
            increments = strtoull(argv[i + 1], NULL, 10);
        else if (strcmp(argv[i], "--counters") == 0)
            counters = strtoull(argv[i + 1], NULL, 10);
        else if (strcmp(argv[i], "--rounds") == 0)
            rounds = atoi(argv[i + 1]);
    }
    if (extension == NULL || counters == 0 || rounds < 1 || rounds > MAX_ROUNDS ||
        mkdtemp(dir) == NULL) {
        fprintf(stderr, "usage: merge_bench --extension seerdb.so [--increments N] "
                        "[--counters N] [--rounds N]\n");
        return 2;
    }
    bench(dir, extension, increments, rounds);
    snprintf(command, sizeof command, "rm -r %s", dir);
    return system(command) == 0 ? 0 : 1;
}
