/* SPDX-License-Identifier: Apache-2.0
 *
 * ns per get and per scanned record of one table on the local disk, all of it in
 * memory, by where its blocks are: the heap, the pool of huge pages, a map of the file.
 * The first scan reads and checks the blocks.
 * read_bench [RECORDS [VALUE [ROUNDS [DIRECTORY]]]] */
#include "base/rand.h"
#include "os/clock.h"
#include "table/table_iter.h"
#include "table/table_writer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ASKED 400000u
#define KEY   16u

static void die(const char *what, const seerdb_err *err)
{
    fprintf(stderr, "read_bench: %s: %s\n", what, err->msg);
    exit(1);
}

static seerdb_slice make_key(uint64_t i, char *room)
{
    snprintf(room, KEY + 1, "%016" PRIx64, i * UINT64_C(0x9e3779b1));
    return (seerdb_slice){room, KEY};
}

static struct sdb_table_summary write_table(const char *path, size_t n, size_t value)
{
    char low[KEY + 1], high[KEY + 1], room[KEY + 1];
    struct sdb_table_writer_options o = {.smallest = make_key(0, low),
                                         .largest = make_key(n - 1, high)};
    struct sdb_table_summary sum;
    struct sdb_table_writer *w = NULL;
    struct sdb_file *f = NULL;
    seerdb_err err = {0};
    uint8_t *bytes = calloc(1, value);
    (void)sdb_fs_remove(sdb_fs_local(), path, NULL);
    if (bytes == NULL ||
        sdb_fs_open(sdb_fs_local(), path, SDB_CREATE, SDB_FOR_FLUSH, &f, &err) != 0 ||
        sdb_table_writer_new(f, &o, &w, &err) != 0)
        die(path, &err);
    for (size_t i = 0; i < n; i++)
        sdb_table_writer_add(
            w,
            &(struct sdb_record){make_key(i, room), 1, SDB_KIND_VALUE, {bytes, value}});
    if (sdb_table_writer_finish(w, &sum, &err) != 0)
        die(path, &err);
    sdb_table_writer_free(w);
    sdb_file_close(f);
    free(bytes);
    return sum;
}

static double gets(struct sdb_table *t, const char *keys)
{
    uint64_t sum = 0, start = sdb_clock_mono_us();
    seerdb_err err = {0};
    for (size_t i = 0; i < ASKED; i++) {
        struct sdb_lookup l = {.key = {keys + i * KEY, KEY}};
        struct sdb_found found;
        if (sdb_table_get(t, &l, UINT64_MAX, &found, &err) != 0)
            die("get", &err);
        sum += ((const uint8_t *)found.value.data)[0];
        seerdb_pin_unref(found.pin);
    }
    if (sum != 0)
        die("a wrong value", &err);
    return (double)(sdb_clock_mono_us() - start) * 1000 / ASKED;
}

static double scan(struct sdb_table *t)
{
    uint64_t sum = 0, n = 0, start = sdb_clock_mono_us();
    struct sdb_iter *it = NULL;
    seerdb_err err = {0};
    int rc = sdb_table_iter(t, UINT64_MAX, &it, &err);
    if (rc != 0)
        die("scan", &err);
    for (rc = it->ops->first(it, &err); rc == 0; rc = it->ops->next(it, &err), n++)
        sum += ((const uint8_t *)it->at.value.data)[0];
    if (rc < 0 || sum != 0 || n != sdb_table_properties(t)->records)
        die("scan", &err);
    sdb_iter_close(it);
    return (double)(sdb_clock_mono_us() - start) * 1000 / (double)n;
}

/* What huge pages the process has, in MiB. */
static double huge_pages(void)
{
    char line[256];
    double kib = 0, sum = 0;
    FILE *f = fopen("/proc/self/smaps_rollup", "r");
    while (f != NULL && fgets(line, sizeof line, f) != NULL)
        if (sscanf(line, "AnonHugePages: %lf", &kib) == 1)
            sum += kib;
    if (f != NULL)
        fclose(f);
    return sum / 1024;
}

enum place { HEAP, POOL, MAP, NPLACES };
static const char *const places[NPLACES] = {"heap", "pool", "map"};

struct opened {
    struct sdb_table *table;
    struct sdb_cache *cache;
    struct sdb_pages *pages;
};

static struct opened open_table(const char *path, const struct sdb_table_summary *sum,
                                enum place place)
{
    struct opened o = {.cache = sdb_cache_new((size_t)8 << 30)};
    struct sdb_file *f = NULL;
    seerdb_err err = {0};
    if (o.cache == NULL || (place == POOL && (o.pages = sdb_pages_new(0)) == NULL) ||
        sdb_fs_open(sdb_fs_local(), path, SDB_READ, SDB_FOR_READ, &f, &err) != 0 ||
        sdb_table_open(f, &sum->id, sum->file_size, &o.table, &err) != 0)
        die(path, &err);
    sdb_table_use_cache(o.table, o.cache, o.pages);
    if (place == MAP && !sdb_table_use_map(o.table))
        die("no map", &err);
    return o;
}

int main(int argc, char **argv)
{
    size_t n = argc > 1 ? strtoul(argv[1], NULL, 10) : 2000000;
    size_t value = argc > 2 ? strtoul(argv[2], NULL, 10) : 100;
    unsigned rounds = argc > 3 ? (unsigned)strtoul(argv[3], NULL, 10) : 3;
    char path[512], room[KEY + 1];
    char *keys = malloc((size_t)ASKED * KEY);
    struct opened o[NPLACES];
    struct sdb_rand r = {2};
    if (n == 0 || value == 0 || keys == NULL)
        return 1;
    snprintf(path, sizeof path, "%s/read_bench.tbl", argc > 4 ? argv[4] : "/tmp");
    struct sdb_table_summary sum = write_table(path, n, value);
    for (size_t i = 0; i < ASKED; i++)
        memcpy(keys + i * KEY, make_key(sdb_rand_below(&r, n), room).data, KEY);
    printf("%zu records, %.0f MiB\n%-6s %10s %10s %10s %10s %10s\n", n,
           (double)sum.file_size / 1048576, "blocks", "first scan", "scan", "get",
           "MiB", "huge MiB");
    double first[NPLACES], huge[NPLACES];
    for (int p = 0; p < NPLACES; p++) {
        double before = huge_pages();
        o[p] = open_table(path, &sum, (enum place)p);
        first[p] = scan(o[p].table);
        huge[p] = huge_pages() - before;
    }
    for (unsigned round = 0; round < rounds; round++)
        for (int p = 0; p < NPLACES; p++) {
            struct sdb_cache_counters c;
            double each = scan(o[p].table), get = gets(o[p].table, keys);
            sdb_cache_count(o[p].cache, &c);
            printf("%-6s %10.1f %10.1f %10.1f %10.0f %10.0f\n", places[p], first[p],
                   each, get, (double)c.bytes / 1048576, huge[p]);
        }
    for (int p = 0; p < NPLACES; p++) {
        sdb_table_unref(o[p].table);
        sdb_cache_free(o[p].cache);
        sdb_pages_unref(o[p].pages);
    }
    (void)sdb_fs_remove(sdb_fs_local(), path, NULL);
    free(keys);
    return 0;
}
