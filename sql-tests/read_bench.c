/* SPDX-License-Identifier: Apache-2.0
 *
 * read_bench -- what reads of a seerdb table cost, as a ratio to an ordinary WITHOUT
 * ROWID table with the same rows: medians of interleaved rounds in one process.
 *
 *     read_bench --extension ./seerdb.so [--rows N] [--rounds N] [--keys blob|text|int]
 *                [--state settled|memory|mixed] [--only TEXT] [--memory MB]
 *                [--seerdb-only 1]
 *
 * Keys are random, 16 bytes (int: 8), values 100 bytes.  WAL, NORMAL; both tables are
 * cached whole.  States: `settled` has all rows in tables (flushed, and compacted where
 * the library can), `memory` is as the inserts left it, `mixed` has every third row
 * written again after the flush.  --seerdb-only leaves the ordinary table alone, for
 * profilers.  Information, never a verdict. */
#define _GNU_SOURCE
#include "bench_sql.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MAX_ROUNDS = 99, HOT = 1000 };

struct bench {
    sqlite3 *db;
    const char *extension, *keys, *state, *only;
    int rows, rounds, memory_mb, joined;
    bool seerdb_only;
};

/* `before`, the table, `after`. */
static sqlite3_stmt *prepare(sqlite3 *db, const char *before, const char *table,
                             const char *after)
{
    char sql[200];
    snprintf(sql, sizeof sql, "%s %s %s", before, table, after);
    return prepare_sql(db, sql);
}

/* ---- keys and rows ---------------------------------------------------------- */

static void bind_key(const struct bench *b, sqlite3_stmt *s, uint64_t i)
{
    uint64_t both[2] = {mix(i), mix(i + ((uint64_t)1 << 40))};
    char text[17];
    if (b->keys[0] == 'i') {
        sqlite3_bind_int64(s, 1, (int64_t)both[0]);
    } else if (b->keys[0] == 'b') {
        sqlite3_bind_blob(s, 1, both, sizeof both, SQLITE_TRANSIENT);
    } else {
        snprintf(text, sizeof text, "%016llx", (unsigned long long)both[0]);
        sqlite3_bind_text(s, 1, text, 16, SQLITE_TRANSIENT);
    }
}

static void write_rows(const struct bench *b, const char *table, int first, int step)
{
    sqlite3_stmt *s =
        prepare(b->db, "INSERT OR REPLACE INTO", table, "VALUES (?, randomblob(100))");
    run(b->db, "BEGIN");
    for (int i = first; i < b->rows; i += step) {
        bind_key(b, s, (uint64_t)i);
        if (sqlite3_step(s) != SQLITE_DONE)
            die(b->db, "INSERT");
        sqlite3_reset(s);
        if (i / step % 10000 == 9999)
            run(b->db, "COMMIT; BEGIN");
    }
    run(b->db, "COMMIT");
    sqlite3_finalize(s);
}

static void command(const struct bench *b, const char *what, bool optional)
{
    char sql[80];
    snprintf(sql, sizeof sql, "SELECT seerdb('s', '%s')", what);
    if (sqlite3_exec(b->db, sql, NULL, NULL, NULL) != SQLITE_OK && !optional)
        die(b->db, sql);
}

static void fill(const struct bench *b)
{
    char sql[400];
    snprintf(sql, sizeof sql,
             "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;"
             "PRAGMA cache_size = -2000000;"
             "CREATE VIRTUAL TABLE s USING seerdb(k %s PRIMARY KEY, v BLOB,"
             "  memory_limit='%dMB');"
             "CREATE TABLE o(k %s PRIMARY KEY, v BLOB) WITHOUT ROWID;",
             b->keys, b->memory_mb, b->keys);
    run(b->db, sql);
    write_rows(b, "s", 0, 1);
    if (b->state[0] != 'm' || b->state[1] == 'i') {
        command(b, "flush", false);
        command(b, "compact", true);
    }
    if (strcmp(b->state, "mixed") == 0)
        write_rows(b, "s", 0, 3);
    if (!b->seerdb_only) /* in the same order: its pages too are as inserts left them */
        write_rows(b, "o", 0, 1);
    run(b->db, "PRAGMA wal_checkpoint(TRUNCATE)");
    snprintf(sql, sizeof sql,
             "CREATE TEMP TABLE j AS SELECT k FROM %s ORDER BY random() LIMIT %d",
             b->seerdb_only ? "s" : "o", b->joined);
    run(b->db, sql);
}

/* ---- cases: seconds per operation ------------------------------------------- */

static double point(const struct bench *b, const char *table, int among, bool begin)
{
    const int reads = 100000;
    static uint64_t salt;
    sqlite3_stmt *s = prepare(b->db, "SELECT v FROM", table, "WHERE k = ?");
    if (begin)
        run(b->db, "BEGIN");
    salt = table[0] == 's' ? salt + 1 : salt; /* the same keys for both */
    double start = now();
    for (int i = 0; i < reads; i++) {
        bind_key(b, s, mix((uint64_t)i + (salt << 32)) % (uint64_t)among);
        if (sqlite3_step(s) != SQLITE_ROW || sqlite3_column_bytes(s, 0) != 100)
            die(b->db, "SELECT");
        sqlite3_reset(s);
    }
    double seconds = now() - start;
    if (begin)
        run(b->db, "COMMIT");
    sqlite3_finalize(s);
    return seconds / reads;
}

static double hot_in_begin(const struct bench *b, const char *table)
{
    return point(b, table, b->rows < HOT ? b->rows : HOT, true);
}

static double point_in_begin(const struct bench *b, const char *table)
{
    return point(b, table, b->rows, true);
}

static double point_autocommit(const struct bench *b, const char *table)
{
    return point(b, table, b->rows, false);
}

static double range(const struct bench *b, const char *table)
{
    const int reads = 3000;
    sqlite3_stmt *s =
        prepare(b->db, "SELECT k, v FROM", table, "WHERE k >= ? ORDER BY k LIMIT 100");
    int64_t seen = 0;
    run(b->db, "BEGIN");
    double start = now();
    for (int i = 0; i < reads; i++) {
        bind_key(b, s, mix((uint64_t)i) % (uint64_t)b->rows);
        while (sqlite3_step(s) == SQLITE_ROW)
            seen +=
                sqlite3_column_bytes(s, 0) + *(const char *)sqlite3_column_blob(s, 1);
        if (sqlite3_reset(s) != SQLITE_OK)
            die(b->db, "range");
    }
    double seconds = now() - start;
    run(b->db, "COMMIT");
    sqlite3_finalize(s);
    return seen == 0 ? 0 : seconds / reads;
}

/* One statement that answers one row, whose first column must be `expect`. */
static double whole(const struct bench *b, const char *before, const char *table,
                    const char *after, int expect)
{
    sqlite3_stmt *s = prepare(b->db, before, table, after);
    double start = now();
    if (sqlite3_step(s) != SQLITE_ROW || sqlite3_column_int(s, 0) != expect)
        die(b->db, before);
    double seconds = now() - start;
    sqlite3_finalize(s);
    return seconds / expect;
}

static double join(const struct bench *b, const char *table)
{
    return whole(b, "SELECT count(*), sum(length(t.v)) FROM j CROSS JOIN", table,
                 "t ON t.k = j.k", b->joined);
}

static double scan(const struct bench *b, const char *table)
{
    return whole(b, "SELECT count(*), sum(length(v)) FROM", table, "", b->rows);
}

static double backward(const struct bench *b, const char *table)
{
    return whole(b, "SELECT count(*), sum(length(v)) FROM (SELECT v FROM", table,
                 "ORDER BY k DESC LIMIT -1 OFFSET 0)", b->rows);
}

static double count(const struct bench *b, const char *table)
{
    return whole(b, "SELECT count(*) FROM", table, "", b->rows);
}

static const struct bench_case {
    const char *name;
    double (*run)(const struct bench *b, const char *table);
} cases[] = {
    {"point in BEGIN, 1000 hot keys", hot_in_begin},
    {"point in BEGIN", point_in_begin},
    {"point, autocommit", point_autocommit},
    {"join of many lookups, each", join},
    {"range of 100 rows", range},
    {"scan count + sum(length(v)), row", scan},
    {"the same backward, row", backward},
    {"count(*), row", count},
};

/* ---- measuring -------------------------------------------------------------- */

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, int n)
{
    qsort(values, (size_t)n, sizeof *values, by_size);
    return values[n / 2];
}

static void measure(const struct bench *b)
{
    printf("%d rows, %s keys, %s\n", b->rows, b->keys, b->state);
    printf("%-36s %11s %11s   ratio   best rounds\n", "", "seerdb ns", "ordinary");
    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
        double ours[MAX_ROUNDS], theirs[MAX_ROUNDS];
        if (b->only != NULL && strstr(cases[c].name, b->only) == NULL)
            continue;
        for (int r = 0; r < b->rounds; r++) {
            ours[r] = cases[c].run(b, "s") * 1e9;
            theirs[r] = b->seerdb_only ? 0 : cases[c].run(b, "o") * 1e9;
        }
        double o = median(ours, b->rounds), t = median(theirs, b->rounds);
        printf("%-36s %11.1f %11.1f  %5.2fx   %.1f %.1f  %.2fx\n", cases[c].name, o, t,
               t / o, ours[0], theirs[0], theirs[0] / ours[0]); /* sorted by now */
        fflush(stdout);
    }
}

static void parse(int argc, char **argv, struct bench *b)
{
    for (int i = 1; i + 1 < argc; i += 2) {
        const char *name = argv[i], *value = argv[i + 1];
        if (strcmp(name, "--extension") == 0)
            b->extension = value;
        else if (strcmp(name, "--rows") == 0)
            b->rows = atoi(value);
        else if (strcmp(name, "--rounds") == 0)
            b->rounds = atoi(value);
        else if (strcmp(name, "--keys") == 0)
            b->keys = value;
        else if (strcmp(name, "--state") == 0)
            b->state = value;
        else if (strcmp(name, "--only") == 0)
            b->only = value;
        else if (strcmp(name, "--memory") == 0)
            b->memory_mb = atoi(value);
        else if (strcmp(name, "--seerdb-only") == 0)
            b->seerdb_only = atoi(value) != 0;
    }
    b->joined = b->rows / 5;
}

int main(int argc, char **argv)
{
    struct bench b = {.keys = "blob",
                      .state = "settled",
                      .rows = 1000000,
                      .rounds = 5,
                      .memory_mb = 2000};
    char dir[] = "/tmp/seerdb-read-XXXXXX", path[64], shell[80];
    parse(argc, argv, &b);
    if (b.extension == NULL || b.rounds < 1 || b.rounds > MAX_ROUNDS || b.rows < 5) {
        fprintf(stderr, "usage: read_bench --extension seerdb.so [--rows N] ...\n");
        return 2;
    }
    if (mkdtemp(dir) == NULL)
        return 1;
    snprintf(path, sizeof path, "%s/r.db", dir);
    if (sqlite3_open(path, &b.db) != SQLITE_OK)
        die(b.db, path);
    sqlite3_enable_load_extension(b.db, 1);
    if (sqlite3_load_extension(b.db, b.extension, NULL, NULL) != SQLITE_OK)
        die(b.db, b.extension);
    fill(&b);
    measure(&b);
    sqlite3_close(b.db);
    snprintf(shell, sizeof shell, "rm -rf %s", dir);
    return system(shell) == 0 ? 0 : 1;
}
