/* SPDX-License-Identifier: Apache-2.0
 *
 * Compaction policies beside each other, in phases: mostly writes, mostly point
 * lookups, mostly scans, one after the other on one store, so that the adaptive one has
 * to change its mind.  Wall time is what a program sees; processor time, of all
 * threads, is what the work costs, and is the better measure where others use the
 * machine too.
 *
 *     adapt_bench [ROWS [ROUNDS [DIRECTORY]]]
 *
 * The store may use a sixteenth of what the rows take.  DIRECTORY "-": no disk.
 *
 * Measured with `adapt_bench 400000 3 -`, medians, on a machine of two processors that
 * others used, so that wall times meant nothing; processor us per operation:
 *
 *                 leveled    lazy  tiered  adaptive   of the best, of the worst
 *     load          1.287   1.026   0.707     0.961          1.36          0.75
 *     writes        1.896   1.350   1.256     1.313          1.05          0.69
 *     lookups       2.634   2.786   2.636     2.520          0.96          0.90
 *     scans         6.857  10.251  24.892     6.802          0.99          0.27
 *
 * Within a tenth of the best where work goes on, and a third and more better than the
 * worst where the policies differ; with lookups they do not.  The default stays leveled
 * until wall times on a machine of its own say the same. */
#define _GNU_SOURCE
#include "base/mem.h"
#include "base/rand.h"
#include "os/clock.h"
#include "seerdb.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

enum { KEY = 16, VALUE = 100, POLICIES = 4, PHASES = 4, ROUNDS_MOST = 16, SCAN = 50 };

static const char *const policies[POLICIES] = {"leveled", "lazy", "tiered", "adaptive"};

/* Of a thousand operations; what is left are scans.  `times`: operations per row. */
static const struct phase {
    const char *name;
    unsigned puts, gets;
    double times;
} phases[PHASES] = {{"load", 1000, 0, 1},
                    {"writes", 950, 50, 2},
                    {"lookups", 100, 900, 4},
                    {"scans", 300, 0, 1}};

struct store {
    seerdb *db;
    seerdb_tree *tree;
    seerdb_batch *batch;
    seerdb_view *view;
    uint64_t rows;
    struct sdb_rand random;
    uint64_t sum; /* of what was read, so that it is */
};

static void die(const char *what, const seerdb_err *err)
{
    fprintf(stderr, "%s: %s\n", what, err->msg);
    exit(1);
}

static void must(int rc, const char *what, const seerdb_err *err)
{
    if (rc != 0)
        die(what, err);
}

static seerdb_slice key_of(uint64_t i, uint8_t *room)
{
    struct sdb_rand r = {.state = i};
    uint64_t a = sdb_rand_next(&r);
    for (int k = 0; k < 8; k++)
        room[k] = (uint8_t)(a >> (56 - 8 * k));
    for (int k = 0; k < 8; k++)
        room[8 + k] = (uint8_t)(i >> (56 - 8 * k));
    return (seerdb_slice){room, KEY};
}

static void put(struct store *s, uint64_t i)
{
    uint8_t key[KEY], value[VALUE];
    seerdb_err err = {0};
    memset(value, (int)(i & 0xff), sizeof value);
    must(seerdb_batch_put(s->batch, s->tree, key_of(i, key),
                          (seerdb_slice){value, sizeof value}, &err),
         "put", &err);
    if (seerdb_batch_writes(s->batch) >= 100)
        must(seerdb_write(s->batch, SEERDB_SYNC_OFF, &err), "write", &err);
}

static void get(struct store *s, uint64_t i)
{
    uint8_t key[KEY];
    seerdb_err err = {0};
    seerdb_value v;
    must(seerdb_get(s->view, NULL, 0, key_of(i, key), &v, &err), "get", &err);
    s->sum += ((const uint8_t *)v.bytes.data)[0];
    seerdb_pin_unref(v.pin);
}

static void scan(struct store *s, uint64_t i)
{
    uint8_t key[KEY];
    seerdb_err err = {0};
    seerdb_iter *it = NULL;
    must(seerdb_iter_open(s->view, NULL, 0, &it, &err), "open", &err);
    int rc = seerdb_iter_seek(it, key_of(i, key), &err);
    for (int n = 0; rc == 0 && n < SCAN; n++) {
        s->sum += ((const uint8_t *)seerdb_iter_value(it).data)[0];
        rc = seerdb_iter_next(it, &err);
    }
    if (rc < 0)
        die("scan", &err);
    seerdb_iter_close(it);
}

static double processor_seconds(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

/* Microseconds per operation; what explains them: how often a record was rewritten, and
 * the runs that a reader found, on average. */
struct cost {
    double wall, processor, rewrites, runs;
};

static bool add_runs(void *ctx, const seerdb_level *level)
{
    *(double *)ctx += level->runs;
    return true;
}

static bool take_bytes(void *ctx, const seerdb_stat *stat)
{
    double *at = ctx;
    at[0] = strcmp(stat->name, "tree_compaction_written") == 0 ? stat->value : at[0];
    at[1] = strcmp(stat->name, "tree_flush_written") == 0 ? stat->value : at[1];
    return true;
}

static void look(const struct store *s, double at[2])
{
    seerdb_err err = {0};
    must(seerdb_stats(s->db, s->tree, take_bytes, at, &err), "stats", &err);
}

static struct cost run_phase(struct store *s, const struct phase *p, bool load)
{
    seerdb_err err = {0};
    uint64_t n = (uint64_t)((double)s->rows * p->times);
    double processor = processor_seconds(), runs = 0, looks = 0;
    double before[2] = {0}, after[2] = {0};
    look(s, before);
    uint64_t began = sdb_clock_mono_us();
    for (uint64_t i = 0; i < n; i++) {
        unsigned what = (unsigned)sdb_rand_below(&s->random, 1000);
        uint64_t row = load ? i : sdb_rand_below(&s->random, s->rows);
        if (i % 1000 == 0) { /* reads follow what is written */
            seerdb_view_rest(s->view);
            must(seerdb_view_reopen(s->view, &err), "view", &err);
            must(seerdb_levels(s->tree, add_runs, &runs, &err), "levels", &err);
            looks++;
        }
        if (what < p->puts)
            put(s, row);
        else if (what < p->puts + p->gets)
            get(s, row);
        else
            scan(s, row);
    }
    must(seerdb_write(s->batch, SEERDB_SYNC_OFF, &err), "write", &err);
    look(s, after);
    double flushed = after[1] - before[1];
    return (struct cost){(double)(sdb_clock_mono_us() - began) / (double)n,
                         (processor_seconds() - processor) * 1e6 / (double)n,
                         flushed > 0 ? (after[0] - before[0]) / flushed : 0,
                         runs / looks};
}

static bool tell_change(void *ctx, const seerdb_event *e)
{
    if (strcmp(e->event, "adapted") == 0)
        fprintf(stderr, "#   %s %s\n", (const char *)ctx, e->detail);
    return true;
}

static void remove_store(const char *dir)
{
    char command[512];
    snprintf(command, sizeof command, "rm -rf '%s'", dir);
    if (system(command) != 0)
        exit(1);
}

static void run_store(const char *dir, int policy, uint64_t rows,
                      struct cost cost[PHASES])
{
    struct store s = {.rows = rows, .random = {.state = 1}};
    seerdb_err err = {0};
    size_t memory = (size_t)rows * (KEY + VALUE) / 16;
    bool in_memory = strcmp(dir, "-") == 0;
    if (!in_memory)
        remove_store(dir);
    must(seerdb_open(
             dir,
             &(seerdb_options){.create = true,
                               .in_memory = in_memory,
                               .memory_limit = memory < (1 << 20) ? 1 << 20 : memory},
             &s.db, &err),
         "open", &err);
    must(seerdb_tree_create(
             s.db,
             &(seerdb_tree_options){.name = policies[policy],
                                    .filter_bits = 10,
                                    .compaction = (enum seerdb_compaction)policy},
             &s.tree, &err),
         "create", &err);
    must(seerdb_batch_new(s.db, &s.batch, &err), "batch", &err);
    must(seerdb_view_open(s.tree, &s.view, &err), "view", &err);
    for (int p = 0; p < PHASES; p++) {
        cost[p] = run_phase(&s, &phases[p], p == 0);
        must(seerdb_events(s.db, s.tree, tell_change, (void *)(uintptr_t)phases[p].name,
                           &err),
             "events", &err);
    }
    seerdb_view_close(s.view);
    seerdb_batch_free(s.batch);
    seerdb_tree_close(s.tree);
    must(seerdb_close(s.db, &err), "close", &err);
    if (!in_memory)
        remove_store(dir);
    fprintf(stderr, "#   %s: sum %llu\n", policies[policy], (unsigned long long)s.sum);
}

static int by_size(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

static double median(double *all, int n)
{
    qsort(all, (size_t)n, sizeof *all, by_size);
    return n % 2 == 1 ? all[n / 2] : (all[n / 2 - 1] + all[n / 2]) / 2;
}

static void print(const char *what, double all[PHASES][POLICIES][ROUNDS_MOST], int n)
{
    printf("%-28s", what);
    for (int k = 0; k < POLICIES; k++)
        printf(" %9s", policies[k]);
    printf("   adaptive/best adaptive/worst\n");
    for (int p = 0; p < PHASES; p++) {
        double best = 0, worst = 0, us = 0;
        printf("%-28s", phases[p].name);
        for (int k = 0; k < POLICIES; k++) {
            us = median(all[p][k], n);
            printf(" %9.3f", us);
            if (k == SEERDB_ADAPTIVE)
                break;
            best = k == 0 || us < best ? us : best;
            worst = us > worst ? us : worst;
        }
        printf("   %13.2f %14.2f\n", us / best, us / worst);
    }
}

int main(int argc, char **argv)
{
    static double wall[PHASES][POLICIES][ROUNDS_MOST],
        processor[PHASES][POLICIES][ROUNDS_MOST],
        rewrites[PHASES][POLICIES][ROUNDS_MOST], runs[PHASES][POLICIES][ROUNDS_MOST];
    uint64_t rows = argc > 1 ? strtoull(argv[1], NULL, 10) : 100000;
    int rounds = argc > 2 ? atoi(argv[2]) : 1;
    const char *dir = argc > 3 ? argv[3] : "/tmp/seerdb-adapt-bench";
    if (rounds < 1 || rounds > ROUNDS_MOST || rows < 1000)
        return 2;
    for (int r = 0; r < rounds; r++)
        for (int k = 0; k < POLICIES; k++) {
            struct cost cost[PHASES];
            run_store(dir, (k + r) % POLICIES, rows, cost);
            for (int p = 0; p < PHASES; p++) {
                wall[p][(k + r) % POLICIES][r] = cost[p].wall;
                processor[p][(k + r) % POLICIES][r] = cost[p].processor;
                rewrites[p][(k + r) % POLICIES][r] = cost[p].rewrites;
                runs[p][(k + r) % POLICIES][r] = cost[p].runs;
            }
        }
    print("wall us/op", wall, rounds);
    print("processor us/op", processor, rounds);
    print("rewrites of a record", rewrites, rounds);
    print("runs to look in", runs, rounds);
    return 0;
}
