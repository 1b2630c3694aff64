/* SPDX-License-Identifier: Apache-2.0
 *
 * Counters: MERGES increments (a million unless the environment says otherwise) of
 * 1,000 keys, 1,000 in a transaction, by merges and, for comparison, by read and put;
 * then what reading them costs beside rows that were put.  One line a case: name,
 * ns/op. */
#include "base/coding.h"
#include "base/rand.h"
#include "os/clock.h"
#include "os/memfs.h"
#include "seerdb.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define KEYS  1000u
#define BATCH 1000u
#define READS 100000u

static void must(int rc, const seerdb_err *err)
{
    if (rc != 0) {
        fprintf(stderr, "merge_bench: %d: %s\n", rc, err->msg);
        exit(1);
    }
}

static seerdb_slice key_of(uint8_t *room, uint64_t i)
{
    sdb_store_be64(room, i);
    return (seerdb_slice){room, 8};
}

static void say(const char *name, uint64_t began_us, uint64_t n)
{
    double ns = (double)(sdb_clock_mono_us() - began_us) * 1000 / (double)n;
    printf("%-32s %10.1f ns/op\n", name, ns);
    fflush(stdout);
}

/* One more for a random key: merged, or read in the transaction and put. */
static void count_up(seerdb_view *v, seerdb_batch *b, seerdb_tree *t, uint64_t key,
                     bool merge)
{
    seerdb_err err = {0};
    seerdb_value got;
    uint8_t room[8], n[8];
    seerdb_slice k = key_of(room, key), value = {n, sizeof n};
    uint64_t was = 0;
    sdb_store_u64(n, 1);
    if (merge) {
        must(seerdb_batch_merge(b, t, k, value, &err), &err);
        return;
    }
    int rc = seerdb_get(v, b, SEERDB_BATCH_ALL, k, &got, &err);
    if (rc == 0) {
        was = sdb_load_u64(got.bytes.data);
        seerdb_pin_unref(got.pin);
    } else if (rc != SEERDB_NOTFOUND) {
        must(rc, &err);
    }
    sdb_store_u64(n, was + 1);
    must(seerdb_batch_put(b, t, k, value, &err), &err);
}

static void write_all(seerdb *db, seerdb_tree *t, uint64_t n, bool merge)
{
    seerdb_err err = {0};
    seerdb_batch *b = NULL;
    struct sdb_rand r = {1};
    must(seerdb_batch_new(db, &b, &err), &err);
    for (uint64_t i = 0; i < n; i += BATCH) {
        seerdb_view *v = NULL;
        if (!merge)
            must(seerdb_view_open(t, &v, &err), &err);
        for (uint64_t k = 0; k < BATCH; k++)
            count_up(v, b, t, sdb_rand_below(&r, KEYS), merge);
        seerdb_view_close(v);
        must(seerdb_write(b, SEERDB_SYNC_OFF, &err), &err);
    }
    seerdb_batch_free(b);
}

static void read_all(const char *name, seerdb_tree *t, uint64_t n)
{
    seerdb_err err = {0};
    seerdb_view *v = NULL;
    struct sdb_rand r = {2};
    uint64_t sum = 0, room_for = 0;
    must(seerdb_view_open(t, &v, &err), &err);
    uint64_t began = sdb_clock_mono_us();
    for (uint64_t i = 0; i < READS; i++) {
        uint8_t room[8];
        seerdb_value got;
        must(seerdb_get(v, NULL, 0, key_of(room, sdb_rand_below(&r, KEYS)), &got, &err),
             &err);
        room_for += got.bytes.size;
        seerdb_pin_unref(got.pin);
    }
    say(name, began, READS);
    for (uint64_t i = 0; i < KEYS; i++) {
        uint8_t room[8];
        seerdb_value got;
        must(seerdb_get(v, NULL, 0, key_of(room, i), &got, &err), &err);
        sum += sdb_load_u64(got.bytes.data);
        seerdb_pin_unref(got.pin);
    }
    if (sum != n || room_for != 8 * READS) {
        fprintf(stderr, "merge_bench: %" PRIu64 " counted, not %" PRIu64 "\n", sum, n);
        exit(1);
    }
    seerdb_view_close(v);
}

int main(void)
{
    const char *merges = getenv("MERGES");
    uint64_t n = merges != NULL ? strtoull(merges, NULL, 10) : 1000000;
    n -= n % BATCH;
    for (int merge = 0; merge < 2; merge++) {
        struct sdb_fs *fs = sdb_memfs_new(false);
        seerdb *db = NULL;
        seerdb_tree *t = NULL;
        seerdb_err err = {0};
        must(seerdb_open("store", &(seerdb_options){.create = true, .fs = fs}, &db,
                         &err),
             &err);
        must(seerdb_tree_create(
                 db,
                 &(seerdb_tree_options){
                     .name = "t",
                     .filter_bits = 10,
                     .merge = merge ? seerdb_merge_named("uint64 add") : NULL},
                 &t, &err),
             &err);
        uint64_t began = sdb_clock_mono_us();
        write_all(db, t, n, merge);
        say(merge ? "merge" : "get and put", began, n);
        read_all(merge ? "read, merged in memory" : "read, put, in memory", t, n);
        must(seerdb_flush(db, t, &err), &err);
        read_all(merge ? "read, merged, flushed" : "read, put, flushed", t, n);
        must(seerdb_compact(db, t, &err), &err);
        read_all(merge ? "read, merged, compacted" : "read, put, compacted", t, n);
        seerdb_tree_close(t);
        must(seerdb_close(db, &err), &err);
        sdb_memfs_free(fs);
    }
    return 0;
}
