/* SPDX-License-Identifier: Apache-2.0
 *
 *     vlog_bench [directory [live-MB [written-MB [value-bytes]]]]
 *
 * Loads values in order, overwrites them at random, and collects the garbage.  One line
 * a case: name, MB/s, bytes written to the value log per byte of values, and the
 * largest size of its files by then beside the live bytes. */
#include "base/rand.h"
#include "db/state.h"
#include "os/clock.h"

#include <stdio.h>
#include <stdlib.h>

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

static void fill(struct bench *b, uint64_t seed)
{
    struct sdb_rand r = {seed + 1};
    for (size_t i = 0; i + 8 <= b->size; i += 8)
        sdb_store_u64(b->value + i, sdb_rand_next(&r));
}

static void write_values(struct bench *b, const char *name, uint64_t n, bool in_order)
{
    struct sdb_rand r = {n};
    uint64_t keys = b->live / b->size, from = written(b), began = sdb_clock_mono_us();
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
    printf("%-22s %8.1f MB/s  %5.2f written  %5.2f at most\n", name, bytes / us,
           (double)(written(b) - from) / bytes, (double)b->most / (double)b->live);
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
    write_values(&b, "overwrite at random", b.total / b.size, false);
    uint64_t began = sdb_clock_mono_us();
    check(&b, seerdb_gc(b.db, b.t, &b.err));
    printf("%-22s %8.1f s     %5.2f of the live bytes\n", "gc",
           (double)(sdb_clock_mono_us() - began) / 1e6,
           (double)files(&b) / (double)b.live);
    read_values(&b, "get at random", b.live / b.size);
    seerdb_tree_close(b.t);
    check(&b, seerdb_close(b.db, &b.err));
    free(b.value);
    return 0;
}
