/* SPDX-License-Identifier: Apache-2.0
 *
 * value_bench -- rows with large values: inserts by random key, then point SELECTs, of
 * a seerdb table and of an ordinary WITHOUT ROWID table, each in a database of its own.
 * Interleaved rounds in one process, medians; values of noise, so that nothing packs.
 *
 *     value_bench --extension ./seerdb.so [--rounds N] [--mb M]
 *
 * WAL mode, synchronous=NORMAL.  Information, never a verdict; a wrong value ends it.
 */
#define _GNU_SOURCE
#include "bench_sql.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MAX_ROUNDS = 25, NOISE = 1 << 21, READS = 2000 };

static uint8_t noise[NOISE];

static const uint8_t *value_of(uint64_t i, size_t size)
{
    return noise + mix(i) % (NOISE - size);
}

struct figures {
    double insert, get; /* rows a second */
};

static struct figures measure(const char *extension, const char *create, size_t size,
                              uint64_t rows, uint64_t per)
{
    char dir[] = "/tmp/seerdb-values-XXXXXX", path[80], command[80];
    sqlite3 *db;
    struct figures f;
    if (mkdtemp(dir) == NULL)
        exit(1);
    snprintf(path, sizeof path, "%s/v.db", dir);
    if (sqlite3_open(path, &db) != SQLITE_OK)
        die(db, path);
    sqlite3_enable_load_extension(db, 1);
    if (sqlite3_load_extension(db, extension, NULL, NULL) != SQLITE_OK)
        die(db, extension);
    run(db, "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL");
    run(db, create);
    sqlite3_stmt *insert = prepare_sql(db, "INSERT INTO t VALUES (?, ?)");
    double start = now();
    for (uint64_t i = 0; i < rows; i++) {
        if (i % per == 0)
            run(db, "BEGIN");
        sqlite3_bind_int64(insert, 1, (int64_t)mix(i));
        sqlite3_bind_blob(insert, 2, value_of(i, size), (int)size, SQLITE_STATIC);
        if (sqlite3_step(insert) != SQLITE_DONE)
            die(db, "INSERT");
        sqlite3_reset(insert);
        if (i % per == per - 1 || i + 1 == rows)
            run(db, "COMMIT");
    }
    f.insert = (double)rows / (now() - start);
    sqlite3_finalize(insert);
    sqlite3_stmt *get = prepare_sql(db, "SELECT v FROM t WHERE k = ?");
    start = now();
    for (uint64_t n = 0; n < READS; n++) {
        uint64_t i = mix(n) % rows;
        sqlite3_bind_int64(get, 1, (int64_t)mix(i));
        if (sqlite3_step(get) != SQLITE_ROW)
            die(db, "SELECT");
        const void *got = sqlite3_column_blob(get, 0);
        if ((size_t)sqlite3_column_bytes(get, 0) != size ||
            memcmp(got, value_of(i, size), size) != 0)
            die(NULL, "a row has a wrong value");
        sqlite3_reset(get);
    }
    f.get = READS / (now() - start);
    sqlite3_finalize(get);
    sqlite3_close(db);
    snprintf(command, sizeof command, "rm -rf %s", dir);
    if (system(command) != 0)
        exit(1);
    return f;
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

static void compare(const char *extension, int rounds, size_t size, uint64_t rows,
                    uint64_t per)
{
    static const char *const tables[] = {
        "CREATE VIRTUAL TABLE t USING seerdb(k INT PRIMARY KEY, v BLOB)",
        "CREATE TABLE t (k INT PRIMARY KEY, v BLOB) WITHOUT ROWID"};
    double insert[2][MAX_ROUNDS], get[2][MAX_ROUNDS];
    for (int r = 0; r < rounds; r++)
        for (int k = 0; k < 2; k++) {
            struct figures f = measure(extension, tables[k], size, rows, per);
            insert[k][r] = f.insert;
            get[k][r] = f.get;
        }
    double a = median(insert[0], rounds), b = median(insert[1], rounds);
    double c = median(get[0], rounds), d = median(get[1], rounds);
    printf("%6zu bytes  inserts %9.0f/s %9.0f/s %6.1fx   gets %9.0f/s %9.0f/s %6.1fx\n",
           size, a, b, a / b, c, d, c / d);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    const char *extension = NULL;
    int rounds = 3;
    uint64_t mb = 200;
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--extension") == 0)
            extension = argv[i + 1];
        else if (strcmp(argv[i], "--rounds") == 0)
            rounds = atoi(argv[i + 1]);
        else if (strcmp(argv[i], "--mb") == 0)
            mb = strtoull(argv[i + 1], NULL, 10);
    }
    if (extension == NULL || rounds < 1 || rounds > MAX_ROUNDS || mb == 0) {
        fprintf(stderr,
                "usage: value_bench --extension seerdb.so [--rounds N] [--mb M]\n");
        return 2;
    }
    for (size_t i = 0; i < NOISE; i += 8) {
        uint64_t word = mix(i);
        memcpy(noise + i, &word, sizeof word);
    }
    printf("              seerdb beside an ordinary table\n");
    compare(extension, rounds, 4096, (mb << 20) / 4096, 100);
    compare(extension, rounds, 65536, (mb << 20) / 65536, 16);
    return 0;
}
