/* SPDX-License-Identifier: Apache-2.0
 *
 * million -- rows with random 16-byte keys and 100-byte values, 1000 per transaction,
 * go in and come back right: from memory, after a reopen from the log, and after a
 * flush and another reopen from the tables.  With --ordinary the same goes through an
 * ordinary WITHOUT ROWID table, and both times are shown.
 *
 *     million --extension ./seerdb.so [--rows N] [--ordinary]
 *
 * Speaks TAP.  Times are information, never a verdict. */
#define _GNU_SOURCE
#include <sqlite3.h>

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define KEY             16
#define VALUE           100
#define PER_TRANSACTION 1000

static const char *load_path;
static char database[64];
static int test_number;

static void die(sqlite3 *db, const char *what)
{
    printf("Bail out! %s: %s\n", what, db != NULL ? sqlite3_errmsg(db) : "failed");
    exit(1);
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static uint64_t mix(uint64_t z)
{
    z += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* Row i: its key and value follow from i alone. */
static void make_row(uint64_t i, uint8_t key[KEY], uint8_t value[VALUE])
{
    uint64_t words[VALUE / 8 + 1];
    uint64_t halves[2] = {mix(i), mix(i ^ 0x5555555555555555u)};
    memcpy(key, halves, KEY);
    for (size_t w = 0; w < sizeof words / sizeof words[0]; w++)
        words[w] = mix(i * 31 + w);
    memcpy(value, words, VALUE);
}

static void run(sqlite3 *db, const char *sql)
{
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
        die(db, sql);
}

static sqlite3 *open_database(void)
{
    sqlite3 *db;
    char *message = NULL;
    if (sqlite3_open(database, &db) != SQLITE_OK)
        die(db, "open");
    sqlite3_enable_load_extension(db, 1);
    if (sqlite3_load_extension(db, load_path, NULL, &message) != SQLITE_OK) {
        printf("Bail out! %s\n", message);
        exit(1);
    }
    run(db, "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;");
    return db;
}

static double fill(sqlite3 *db, const char *table, uint64_t rows)
{
    sqlite3_stmt *insert;
    char sql[100];
    uint8_t key[KEY], value[VALUE];
    snprintf(sql, sizeof sql, "INSERT INTO %s VALUES (?, ?)", table);
    if (sqlite3_prepare_v2(db, sql, -1, &insert, NULL) != SQLITE_OK)
        die(db, sql);
    double start = now();
    for (uint64_t i = 0; i < rows; i++) {
        if (i % PER_TRANSACTION == 0)
            run(db, "BEGIN");
        make_row(i, key, value);
        sqlite3_bind_blob(insert, 1, key, KEY, SQLITE_STATIC);
        sqlite3_bind_blob(insert, 2, value, VALUE, SQLITE_STATIC);
        if (sqlite3_step(insert) != SQLITE_DONE)
            die(db, sql);
        sqlite3_reset(insert);
        if (i % PER_TRANSACTION == PER_TRANSACTION - 1 || i == rows - 1)
            run(db, "COMMIT");
    }
    sqlite3_finalize(insert);
    return now() - start;
}

/* Every row by its key, then all of them in order. */
static void check(sqlite3 *db, const char *table, uint64_t rows, const char *when)
{
    sqlite3_stmt *get, *scan;
    char sql[100];
    uint8_t key[KEY], value[VALUE], last[KEY] = {0};
    uint64_t wrong = 0, count = 0, disorder = 0;
    snprintf(sql, sizeof sql, "SELECT v FROM %s WHERE k = ?", table);
    if (sqlite3_prepare_v2(db, sql, -1, &get, NULL) != SQLITE_OK)
        die(db, sql);
    run(db, "BEGIN");
    double start = now();
    for (uint64_t i = 0; i < rows; i++) {
        make_row(mix(i) % rows, key, value);
        sqlite3_bind_blob(get, 1, key, KEY, SQLITE_STATIC);
        if (sqlite3_step(get) != SQLITE_ROW || sqlite3_column_bytes(get, 0) != VALUE ||
            memcmp(sqlite3_column_blob(get, 0), value, VALUE) != 0)
            wrong++;
        sqlite3_reset(get);
    }
    double middle = now();
    run(db, "COMMIT");
    sqlite3_finalize(get);
    snprintf(sql, sizeof sql, "SELECT k, v FROM %s ORDER BY k", table);
    if (sqlite3_prepare_v2(db, sql, -1, &scan, NULL) != SQLITE_OK)
        die(db, sql);
    int rc;
    while ((rc = sqlite3_step(scan)) == SQLITE_ROW) {
        if (sqlite3_column_bytes(scan, 0) != KEY ||
            sqlite3_column_bytes(scan, 1) != VALUE)
            wrong++;
        else if (count > 0 && memcmp(last, sqlite3_column_blob(scan, 0), KEY) >= 0)
            disorder++;
        memcpy(last, sqlite3_column_blob(scan, 0), KEY);
        count++;
    }
    if (rc != SQLITE_DONE)
        die(db, sql);
    sqlite3_finalize(scan);
    printf("# %s: point %.2f us, scan %.0f ns a row\n", when,
           (middle - start) / (double)rows * 1e6,
           (now() - middle) / (double)rows * 1e9);
    printf("%s %d - every row is right %s (%llu rows, %llu wrong, %llu out of order)\n",
           wrong == 0 && disorder == 0 && count == rows ? "ok" : "not ok",
           ++test_number, when, (unsigned long long)count, (unsigned long long)wrong,
           (unsigned long long)disorder);
}

static void verify(sqlite3 *db)
{
    sqlite3_stmt *s;
    if (sqlite3_prepare_v2(db, "SELECT seerdb('t', 'verify')", -1, &s, NULL) !=
        SQLITE_OK)
        die(db, "verify");
    int rc = sqlite3_step(s);
    printf("%s %d - verify: %s\n", rc == SQLITE_ROW ? "ok" : "not ok", ++test_number,
           rc == SQLITE_ROW ? (const char *)sqlite3_column_text(s, 0)
                            : sqlite3_errmsg(db));
    sqlite3_finalize(s);
}

int main(int argc, char **argv)
{
    uint64_t rows = 1000000;
    int ordinary = 0;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--extension") == 0 && i + 1 < argc)
            load_path = argv[++i];
        else if (strcmp(argv[i], "--rows") == 0 && i + 1 < argc)
            rows = strtoull(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--ordinary") == 0)
            ordinary = 1;
        else
            load_path = NULL;
    }
    if (load_path == NULL) {
        fprintf(stderr,
                "usage: million --extension seerdb.so [--rows N] [--ordinary]\n");
        return 2;
    }
    char dir[] = "/tmp/seerdb-million-XXXXXX";
    if (mkdtemp(dir) == NULL)
        die(NULL, "mkdtemp");
    snprintf(database, sizeof database, "%s/m.db", dir);
    sqlite3 *db = open_database();
    run(db,
        "CREATE VIRTUAL TABLE t USING seerdb(k BLOB PRIMARY KEY, v BLOB, sync=normal)");
    run(db, "CREATE TABLE o(k BLOB PRIMARY KEY, v BLOB) WITHOUT ROWID");
    printf("# seerdb: %.2f us a row to fill\n",
           fill(db, "t", rows) / (double)rows * 1e6);
    check(db, "t", rows, "from memory");
    sqlite3_close(db);
    double start = now();
    db = open_database();
    run(db, "SELECT count(*) FROM t WHERE k = x'00'");
    printf("# reopened in %.3f s\n", now() - start);
    check(db, "t", rows, "after a reopen, from the log and what was flushed");
    run(db, "SELECT seerdb('t', 'flush')");
    sqlite3_close(db);
    db = open_database();
    check(db, "t", rows, "after a flush and a reopen, from tables");
    verify(db);
    if (ordinary) {
        printf("# ordinary: %.2f us a row to fill\n",
               fill(db, "o", rows) / (double)rows * 1e6);
        check(db, "o", rows, "from the ordinary table");
    }
    sqlite3_close(db);
    char remove[100];
    snprintf(remove, sizeof remove, "rm -rf %s", dir);
    if (system(remove) != 0)
        return 1;
    printf("1..%d\n", test_number);
    return 0;
}
