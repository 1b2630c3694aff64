/* SPDX-License-Identifier: Apache-2.0
 *
 * commit_bench -- what a commit costs on a seerdb table, as a ratio to an ordinary
 * WITHOUT ROWID table in a database of its own (of two tables in one file each would
 * pay for checkpoints of the other's pages): medians of interleaved rounds in one
 * process.
 *
 *     commit_bench --extension ./seerdb.so [--rounds N]
 *
 * Cases: one row per transaction by random and by sequential key at synchronous=NORMAL
 * and FULL, 100 rows per transaction at FULL, and a point SELECT inside BEGIN; also
 * that of a table written once against the same rows in memory, where there is no
 * marker to read.  WAL mode. Information, never a verdict. */
#define _GNU_SOURCE
#include "bench_sql.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MAX_ROUNDS = 99 };

static uint64_t next_key = 1;

static sqlite3_stmt *prepare(sqlite3 *db, const char *format, const char *table)
{
    char sql[200];
    snprintf(sql, sizeof sql, "%s %s %s", format, table,
             format[0] == 'I' ? "VALUES (?, zeroblob(100))" : "WHERE k = ?");
    return prepare_sql(db, sql);
}

struct bench_case {
    const char *name;
    const char *synchronous;
    bool random;
    int per_transaction, transactions;
};

/* Seconds per row. */
static double write_rows(sqlite3 *db, const char *table, const struct bench_case *c)
{
    sqlite3_stmt *insert = prepare(db, "INSERT INTO", table);
    double start = now();
    for (int t = 0; t < c->transactions; t++) {
        if (c->per_transaction > 1)
            run(db, "BEGIN");
        for (int i = 0; i < c->per_transaction; i++) {
            uint64_t key = next_key++;
            sqlite3_bind_int64(insert, 1, (int64_t)(c->random ? mix(key) : key));
            if (sqlite3_step(insert) != SQLITE_DONE)
                die(db, "INSERT");
            sqlite3_reset(insert);
        }
        if (c->per_transaction > 1)
            run(db, "COMMIT");
    }
    double seconds = now() - start;
    sqlite3_finalize(insert);
    return seconds / c->transactions / c->per_transaction;
}

static double read_rows(sqlite3 *db, const char *table)
{
    enum { READS = 50000 };
    sqlite3_stmt *get = prepare(db, "SELECT v FROM", table);
    run(db, "BEGIN");
    double start = now();
    for (uint64_t i = 0; i < READS; i++) {
        sqlite3_bind_int64(get, 1, (int64_t)(1 + mix(i) % 1000));
        if (sqlite3_step(get) != SQLITE_ROW)
            die(db, "SELECT");
        sqlite3_reset(get);
    }
    double seconds = now() - start;
    run(db, "COMMIT");
    sqlite3_finalize(get);
    return seconds / READS;
}

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

static void show(const char *name, double *ours, double *theirs, int n)
{
    double o = median(ours, n) * 1e6, t = median(theirs, n) * 1e6;
    printf("%-48s %9.2f us %9.2f us   %5.2fx\n", name, o, t, t / o);
}

static sqlite3 *open_db(const char *dir, const char *name, const char *extension)
{
    char path[80];
    sqlite3 *db;
    snprintf(path, sizeof path, "%s/%s", dir, name);
    if (sqlite3_open(path, &db) != SQLITE_OK)
        die(db, path);
    sqlite3_enable_load_extension(db, 1);
    if (sqlite3_load_extension(db, extension, NULL, NULL) != SQLITE_OK)
        die(db, extension);
    run(db, "PRAGMA journal_mode = WAL");
    return db;
}

/* Rows with the keys 1 to n, or with n random ones. */
static void fill(sqlite3 *db, const char *table, uint64_t n, bool random)
{
    sqlite3_stmt *insert = prepare(db, "INSERT INTO", table);
    run(db, "BEGIN");
    for (uint64_t i = 1; i <= n; i++) {
        sqlite3_bind_int64(insert, 1, (int64_t)(random ? mix(i) : i));
        if (sqlite3_step(insert) != SQLITE_DONE)
            die(db, "INSERT");
        sqlite3_reset(insert);
    }
    run(db, "COMMIT");
    sqlite3_finalize(insert);
}

int main(int argc, char **argv)
{
    static const struct bench_case cases[] = {
        {"autocommit, random key, NORMAL", "NORMAL", true, 1, 2000},
        {"autocommit, sequential key, NORMAL", "NORMAL", false, 1, 2000},
        {"autocommit, random key, FULL", "FULL", true, 1, 150},
        {"100 rows a transaction, random key, FULL", "FULL", true, 100, 60},
    };
    const char *extension = NULL;
    int rounds = 9;
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--extension") == 0)
            extension = argv[i + 1];
        else if (strcmp(argv[i], "--rounds") == 0)
            rounds = atoi(argv[i + 1]);
    }
    if (extension == NULL || rounds < 1 || rounds > MAX_ROUNDS) {
        fprintf(stderr, "usage: commit_bench --extension seerdb.so [--rounds N]\n");
        return 2;
    }
    char dir[] = "/tmp/seerdb-commit-XXXXXX", command[80];
    if (mkdtemp(dir) == NULL)
        return 1;
    sqlite3 *ours_db = open_db(dir, "s.db", extension);
    sqlite3 *native_db = open_db(dir, "o.db", extension);
    run(ours_db, "CREATE VIRTUAL TABLE t USING seerdb(k INT PRIMARY KEY, v BLOB);"
                 "CREATE VIRTUAL TABLE h USING seerdb(k INT PRIMARY KEY, v BLOB);"
                 "CREATE VIRTUAL TABLE temp.m USING seerdb(k INT PRIMARY KEY, v BLOB)");
    run(native_db, "CREATE TABLE t(k INT PRIMARY KEY, v BLOB) WITHOUT ROWID;");
    fill(ours_db, "t", 200000, true);
    fill(native_db, "t", 200000, true);
    fill(ours_db, "t", 1000, false);
    fill(native_db, "t", 1000, false);
    fill(ours_db, "h", 200000, true);
    fill(ours_db, "h", 1000, false);
    fill(ours_db, "m", 200000, true);
    fill(ours_db, "m", 1000, false);
    next_key = 100000000;
    printf("%-48s %12s %12s   ratio\n", "per row", "seerdb", "ordinary");
    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
        double ours[MAX_ROUNDS], theirs[MAX_ROUNDS];
        char sql[60];
        snprintf(sql, sizeof sql, "PRAGMA synchronous = %s", cases[c].synchronous);
        run(ours_db, sql);
        run(native_db, sql);
        for (int r = 0; r < rounds; r++) {
            ours[r] = write_rows(ours_db, "t", &cases[c]);
            theirs[r] = write_rows(native_db, "t", &cases[c]);
        }
        show(cases[c].name, ours, theirs, rounds);
    }
    double marked[MAX_ROUNDS], plain[MAX_ROUNDS], native[MAX_ROUNDS], again[MAX_ROUNDS];
    for (int r = 0; r < rounds; r++) {
        marked[r] = read_rows(ours_db, "t");
        again[r] = read_rows(ours_db, "h");
        plain[r] = read_rows(ours_db, "m");
        native[r] = read_rows(native_db, "t");
    }
    show("point SELECT in BEGIN", marked, native, rounds);
    show("with a marker, and (second column) without", again, plain, rounds);
    sqlite3_close(ours_db);
    sqlite3_close(native_db);
    snprintf(command, sizeof command, "rm -rf %s", dir);
    return system(command) == 0 ? 0 : 1;
}
