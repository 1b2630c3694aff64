/* SPDX-License-Identifier: Apache-2.0
 *
 *     vlog_bench [directory [live-MB [written-MB [value-bytes]]]]
 *
 * Loads values in order, overwrites them at random, and collects the garbage; then
 * scans, with and without values read ahead (db/ahead.h), which the disk has to be
 * asked for (cold) or not.  One line a case: name, MB/s, bytes written to the value log
 * per byte of values, and the largest size of its files by then beside the live bytes.
 */
#define _GNU_SOURCE
#include "base/rand.h"
#include "db/state.h"
#include "os/clock.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define PER_COMMIT 16u

struct bench {
    seerdb *db;
    seerdb_tree *t;
    const char *dir;
    uint64_t live, total;
    size_t size;
    uint8_t *value;
    uint64_t most; /* bytes of the files */
    seerdb_err err;
};

#define check(b, rc)                                                                   \
    do {                                                                               \
        if ((rc) != 0) {                                                               \
            fprintf(stderr, "%s: %s\n", #rc, (b)->err.msg);                            \
            exit(1);                                                                   \
        }                                                                              \
    } while (0)

struct sum {
    struct bench *b;
    uint64_t bytes;
};

static void add_file(void *ctx, const char *name)
{
    struct sum *s = ctx;
    char path[4096];
    uint64_t size = 0;
    if (strstr(name, ".vlg") == NULL)
        return;
    snprintf(path, sizeof path, "%s/%s", s->b->dir, name);
    if (sdb_fs_stat(s->b->db->fs, path, NULL, &size, NULL) == 0)
        s->bytes += size;
}

static uint64_t files(struct bench *b)
{
    struct sum s = {.b = b};
    check(b, sdb_fs_list(b->db->fs, b->dir, add_file, &s, &b->err));
    return s.bytes;
}

static uint64_t written(struct bench *b)
{
    return atomic_load(&b->db->fs->counters.written[SDB_FOR_VLOG]);
}

static uint64_t read_for_values(struct bench *b)
{
    return atomic_load(&b->db->fs->counters.read[SDB_FOR_VLOG]);
}

static void fill(struct bench *b, uint64_t seed)
{
    struct sdb_rand r = {seed + 1};
    for (size_t i = 0; i + 8 <= b->size; i += 8)
        sdb_store_u64(b->value + i, sdb_rand_next(&r));
}

static void write_values(struct bench *b, const char *name, uint64_t n, bool in_order)
{
    struct sdb_rand r = {n};
    uint64_t keys = b->live / b->size, from = written(b), began = sdb_clock_mono_us(),
             read_from = read_for_values(b);
    seerdb_batch *batch = NULL;
    check(b, seerdb_batch_new(b->db, &batch, &b->err));
    b->most = 0;
    for (uint64_t i = 0; i < n; i++) {
        uint8_t key[8];
        sdb_store_be64(key, in_order ? i : sdb_rand_below(&r, keys));
        sdb_store_u64(b->value, i); /* no two are equal */
        check(b, seerdb_batch_put(batch, b->t, (seerdb_slice){key, 8},
                                  (seerdb_slice){b->value, b->size}, &b->err));
        if (i % PER_COMMIT == PER_COMMIT - 1 || i + 1 == n)
            check(b, seerdb_write(batch, SEERDB_SYNC_NORMAL, &b->err));
        if (i % 256 == 0) {
            uint64_t now = files(b);
            b->most = now > b->most ? now : b->most;
        }
    }
    seerdb_batch_free(batch);
    double us = (double)(sdb_clock_mono_us() - began), bytes = (double)(n * b->size);
    printf("%-22s %8.1f MB/s  %5.2f written  %5.2f read  %5.2f at most\n", name,
           bytes / us, (double)(written(b) - from) / bytes,
           (double)(read_for_values(b) - read_from) / bytes,
           (double)b->most / (double)b->live);
    fflush(stdout);
}

static void read_values(struct bench *b, const char *name, uint64_t n)
{
    struct sdb_rand r = {n};
    uint64_t keys = b->live / b->size, began = sdb_clock_mono_us();
    seerdb_view *v = NULL;
    check(b, seerdb_view_open(b->t, &v, &b->err));
    for (uint64_t i = 0; i < n; i++) {
        uint8_t key[8];
        seerdb_value got;
        sdb_store_be64(key, sdb_rand_below(&r, keys));
        check(b, seerdb_get(v, NULL, 0, (seerdb_slice){key, 8}, &got, &b->err));
        seerdb_pin_unref(got.pin);
    }
    seerdb_view_close(v);
    double us = (double)(sdb_clock_mono_us() - began);
    printf("%-22s %8.1f MB/s  %5.1f us\n", name, (double)(n * b->size) / us,
           us / (double)n);
}

static void forget_file(void *ctx, const char *name)
{
    struct bench *b = ctx;
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", b->dir, name);
    int fd = open(path, O_RDONLY);
    if (fd >= 0 && fdatasync(fd) == 0)
        (void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    if (fd >= 0)
        close(fd);
}

enum warmth { COLD, WARM };
enum reading { PLAIN, AHEAD };

/* Every value, by key. */
static double scan_values(struct bench *b, enum warmth warmth, enum reading reading)
{
    seerdb_view *v = NULL;
    seerdb_iter *it = NULL;
    uint64_t bytes = 0;
    if (warmth == COLD)
        check(b, sdb_fs_list(b->db->fs, b->dir, forget_file, b, &b->err));
    uint64_t began = sdb_clock_mono_us();
    check(b, seerdb_view_open(b->t, &v, &b->err));
    seerdb_view_set_lazy(v, true);
    check(b, seerdb_iter_open(v, NULL, 0, &it, &b->err));
    int rc = seerdb_iter_first(it, &b->err);
    for (; rc == 0; rc = seerdb_iter_next(it, &b->err)) {
        seerdb_value row;
        seerdb_segment s;
        seerdb_iter_show(it, &row);
        if (!seerdb_segments_next(&row.segments, &s))
            continue;
        check(b, reading == AHEAD ? seerdb_iter_segment_read(it, &s, b->value, &b->err)
                                  : seerdb_segment_read(v, &s, b->value, &b->err));
        bytes += s.size;
    }
    seerdb_iter_close(it);
    seerdb_view_close(v);
    return (double)bytes / (double)(sdb_clock_mono_us() - began);
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* By turns; the medians of 3. */
static void compare_scans(struct bench *b, const char *name, enum warmth warmth)
{
    double plain[3], ahead[3];
    for (int i = 0; i < 3; i++) {
        plain[i] = scan_values(b, warmth, PLAIN);
        ahead[i] = scan_values(b, warmth, AHEAD);
    }
    qsort(plain, 3, sizeof plain[0], by_size);
    qsort(ahead, 3, sizeof ahead[0], by_size);
    printf("%-22s %8.1f MB/s  %8.1f MB/s ahead  %5.2fx\n", name, plain[1], ahead[1],
           ahead[1] / plain[1]);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    struct bench b = {.dir = argc > 1 ? argv[1] : "vlog_bench.store"};
    b.live = (argc > 2 ? strtoull(argv[2], NULL, 10) : 100) << 20;
    b.total = (argc > 3 ? strtoull(argv[3], NULL, 10) : 1000) << 20;
    b.size = argc > 4 ? (size_t)strtoull(argv[4], NULL, 10) : 65536;
    if ((b.value = malloc(b.size)) == NULL)
        return 1;
    fill(&b, 1);
    check(&b, seerdb_open(b.dir, &(seerdb_options){.create = true}, &b.db, &b.err));
    check(&b,
          seerdb_tree_create(b.db,
                             &(seerdb_tree_options){
                                 .name = "bench", .value_log = 4096, .filter_bits = 10},
                             &b.t, &b.err));
    write_values(&b, "load in order", b.live / b.size, true);
    read_values(&b, "get at random", b.live / b.size);
    compare_scans(&b, "scan in order, cold", COLD);
    write_values(&b, "overwrite at random", b.total / b.size, false);
    uint64_t began = sdb_clock_mono_us();
    check(&b, seerdb_gc(b.db, b.t, &b.err));
    printf("%-22s %8.1f s     %5.2f of the live bytes\n", "gc",
           (double)(sdb_clock_mono_us() - began) / 1e6,
           (double)files(&b) / (double)b.live);
    read_values(&b, "get at random", b.live / b.size);
    compare_scans(&b, "scan, cold", COLD);
    compare_scans(&b, "scan, warm", WARM);
    seerdb_tree_close(b.t);
    check(&b, seerdb_close(b.db, &b.err));
    free(b.value);
    return 0;
}
