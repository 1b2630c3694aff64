/* SPDX-License-Identifier: Apache-2.0
 *
 * engine_bench -- seerdb's C interface beside RocksDB, LevelDB and LMDB, where those
 * are installed.  `make bench` runs it; runner.h says how.
 *
 * Latencies are of one commit, one get, one seek with its rows; of a full scan there is
 * none.  CPU is that of all threads, so that background work counts where it runs. */
#define _GNU_SOURCE
#include "bench/engine_cases.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

static uint64_t at_most(uint64_t n, uint64_t limit)
{
    return n < limit ? n : limit;
}

/* ---- engine-write ---- */

static const struct bench_setup automatic = {.compaction = BENCH_AUTOMATIC};

static void run_write(struct bench_job *job)
{
    struct engine e;
    uint64_t rows = job->options->rows;
    engine_open(&e, job, "random", &automatic, BENCH_KEYS_RANDOM);
    engine_fill(&e, "fill random by 1000", rows, 1000);
    engine_settle(&e, "then settle");
    engine_overwrite(&e, "overwrite by 1000", rows, 1000);
    engine_settle(&e, "then settle again");
    engine_overwrite(&e, "overwrite by 1", at_most(rows, rows / 5 + 1000), 1);
    engine_gets(&e, "gets afterwards", at_most(rows, 100000), BENCH_HIT);
    engine_close(&e);
    engine_open(&e, job, "by-one", &automatic, BENCH_KEYS_RANDOM);
    engine_fill(&e, "fill random by 1", at_most(rows, rows / 5 + 1000), 1);
    engine_close(&e);
    engine_open(&e, job, "rising", &automatic, BENCH_KEYS_SEQUENTIAL);
    engine_fill(&e, "fill sequential by 1000", rows, 1000);
    engine_close(&e);
}

/* ---- engine-bytes ---- */

static void run_bytes(struct bench_job *job)
{
    struct engine e;
    struct bench_setup setup = {.compaction = BENCH_AUTOMATIC, .count_bytes = true};
    uint64_t rows = job->options->rows;
    engine_open(&e, job, "bytes", &setup, BENCH_KEYS_RANDOM);
    /* The case ends only when the background has caught up: what it writes counts. */
    bench_case_begin(job, "random rows, settled", 1);
    for (uint64_t i = 0; i < rows;) {
        for (unsigned n = 0; n < 1000 && i < rows; n++)
            engine_put(&e, i++);
        e.ops->commit(e.db);
    }
    e.rows = rows;
    engine_compact(&e);
    bench_case_end(job, rows);
    e.version++;
    bench_case_begin(job, "overwritten, settled", 1);
    for (uint64_t i = 0; i < rows;) {
        for (unsigned n = 0; n < 1000 && i < rows; n++, i++)
            engine_put(&e, engine_random(&e) % rows);
        e.ops->commit(e.db);
    }
    engine_compact(&e);
    bench_case_end(job, rows);
    engine_close(&e);
}

/* ---- engine-read ---- */

struct writer {
    struct engine *e;
    _Atomic bool stop; /* relaxed: a late look costs one commit more */
    uint64_t commits;
    struct bench_latency latency;
};

enum { COMMIT_EVERY_US = 5000, WRITER_BATCH = 100 };

/* 20,000 rows a second in commits of 100, or as many as the engine takes. */
static void *write_steadily(void *p)
{
    struct writer *w = p;
    struct engine *e = w->e;
    uint64_t start = bench_now_ns(), rows = e->rows, random = 77;
    while (!atomic_load_explicit(&w->stop, memory_order_relaxed)) {
        uint64_t due = start + w->commits * COMMIT_EVERY_US * 1000u,
                 now = bench_now_ns();
        if (due > now) {
            struct timespec pause = {.tv_nsec = (long)(due - now)};
            nanosleep(&pause, NULL);
        }
        bench_begin(&w->latency);
        for (int i = 0; i < WRITER_BATCH; i++) {
            struct bench_key k;
            uint8_t value[BENCH_VALUE];
            bench_key_make(e->keys, bench_mix(random++) % rows, BENCH_HIT, &k);
            bench_value_make(k.bytes, k.size, e->version, value);
            e->ops->put(e->db, (seerdb_slice){k.bytes, k.size},
                        (seerdb_slice){value, sizeof value});
        }
        e->ops->commit(e->db);
        bench_end(&w->latency);
        w->commits++;
    }
    return NULL;
}

static void read_while_writing(struct engine *e, uint64_t gets)
{
    struct bench_job *job = e->job;
    struct writer *w = calloc(1, sizeof *w);
    pthread_t thread;
    if (w == NULL)
        bench_die("out of memory");
    w->e = e;
    w->latency.every = 1;
    e->version++;
    bench_case_begin(job, "get while writing 20,000/s", 8);
    if (pthread_create(&thread, NULL, write_steadily, w) != 0)
        bench_die("cannot start a thread");
    for (uint64_t i = 0; i < gets; i++) {
        uint64_t row = engine_random(e) % e->rows;
        bench_begin(&job->latency);
        engine_get(e, row, BENCH_HIT);
        bench_end(&job->latency);
    }
    atomic_store_explicit(&w->stop, true, memory_order_relaxed);
    pthread_join(thread, NULL);
    bench_case_end(job, gets);
    double seconds = job->result.v[BENCH_SECONDS];
    struct bench_result r = job->result;
    for (int c = 0; c < BENCH_COLUMNS; c++)
        r.v[c] = 0;
    snprintf(r.name, sizeof r.name, "the writer beside it");
    r.v[BENCH_OPS] = (double)(w->commits * WRITER_BATCH);
    r.v[BENCH_SECONDS] = seconds;
    r.v[BENCH_P50] = bench_latency_quantile(&w->latency, 0.5);
    r.v[BENCH_P99] = bench_latency_quantile(&w->latency, 0.99);
    r.v[BENCH_P999] = bench_latency_quantile(&w->latency, 0.999);
    r.v[BENCH_MAX] = (double)w->latency.max_ns;
    bench_result_write(job->part, &r);
    free(w);
}

static void read_all_ways(struct engine *e, const char *runs)
{
    char name[48];
    uint64_t gets = at_most(e->rows, 500000), ranges = at_most(e->rows / 20, 30000);
    snprintf(name, sizeof name, "scan forward, %s", runs);
    engine_scan(e, name, ENGINE_FORWARD);
    snprintf(name, sizeof name, "scan backward, %s", runs);
    engine_scan(e, name, ENGINE_BACKWARD);
    snprintf(name, sizeof name, "get hit, %s", runs);
    engine_gets(e, name, gets, BENCH_HIT);
    snprintf(name, sizeof name, "get miss, %s", runs);
    engine_gets(e, name, gets, BENCH_MISS);
    snprintf(name, sizeof name, "seek+100, %s", runs);
    engine_ranges(e, name, ranges, 100);
}

static void run_read(struct bench_job *job)
{
    enum { PARTS = 8 };
    struct engine e;
    struct bench_setup setup = {.compaction = BENCH_ON_REQUEST};
    uint64_t rows = job->options->rows, left = rows;
    engine_open(&e, job, "read", &setup, BENCH_KEYS_RANDOM);
    for (uint64_t part = PARTS; part > 0; part--) {
        uint64_t n = left / part;
        for (uint64_t i = 0; i < n; i++) {
            engine_put(&e, e.rows++);
            if (i % 1000 == 999 || i == n - 1)
                e.ops->commit(e.db);
        }
        engine_flush(&e);
        left -= n;
    }
    engine_scan(&e, "first scan after the load", ENGINE_FORWARD);
    read_all_ways(&e, "eight runs");
    engine_compact(&e);
    read_all_ways(&e, "one run");
    e.ops->pin(e.reader);
    engine_gets(&e, "get hit in one snapshot", at_most(rows, 500000), BENCH_HIT);
    e.ops->unpin(e.reader);
    read_while_writing(&e, at_most(rows, 500000));
    engine_close(&e);
}

/* ---- engine-ycsb ---- */

/* Shares in percent; the rest are reads. */
struct workload {
    const char *name;
    unsigned update, insert, scan, modify;
    bool latest; /* reads prefer rows that came last */
    unsigned divide;
};

static const struct workload workloads[] = {
    {"YCSB A: update 50%", 50, 0, 0, 0, false, 1},
    {"YCSB B: update 5%", 5, 0, 0, 0, false, 1},
    {"YCSB C: read", 0, 0, 0, 0, false, 1},
    {"YCSB F: read-modify-write 50%", 0, 0, 0, 50, false, 1},
    {"YCSB D: read latest, insert 5%", 0, 5, 0, 0, true, 1},
    {"YCSB E: scan to 100, insert 5%", 0, 5, 95, 0, false, 10},
};

static void write_one(struct engine *e, uint64_t row)
{
    engine_put(e, row);
    e->ops->commit(e->db);
}

static void one_operation(struct engine *e, const struct workload *w, uint64_t rank)
{
    unsigned dice = (unsigned)(engine_random(e) % 100);
    uint64_t row = w->latest ? e->rows - 1 - rank : bench_mix(rank) % e->rows;
    if (dice < w->update) {
        write_one(e, row);
    } else if (dice < w->update + w->insert) {
        write_one(e, e->rows++);
    } else if (dice < w->update + w->insert + w->scan) {
        engine_range(e, row, 1 + (unsigned)(engine_random(e) % 100));
    } else {
        engine_get(e, row, BENCH_HIT);
        if (dice >= 100 - w->modify)
            write_one(e, row);
    }
}

static void run_ycsb(struct bench_job *job)
{
    struct engine e;
    struct bench_zipf zipf;
    uint64_t rows = job->options->rows;
    bench_zipf_init(&zipf, rows);
    engine_open(&e, job, "ycsb", &automatic, BENCH_KEYS_RANDOM);
    engine_fill(&e, "load by 1000", rows, 1000);
    engine_settle(&e, "then settle");
    for (size_t i = 0; i < sizeof workloads / sizeof workloads[0]; i++) {
        const struct workload *w = &workloads[i];
        uint64_t n = at_most(rows, 400000) / w->divide;
        e.version++;
        bench_case_begin(job, w->name, 1);
        for (uint64_t k = 0; k < n; k++) {
            uint64_t rank = bench_zipf_next(&zipf, engine_random(&e));
            bench_begin(&job->latency);
            one_operation(&e, w, rank);
            bench_end(&job->latency);
        }
        bench_case_end(job, n);
    }
    engine_close(&e);
}

/* ---- index ---- */

static void run_index(struct bench_job *job)
{
    static const struct {
        enum bench_key_set keys;
        const char *name;
    } sets[] = {{BENCH_KEYS_RANDOM, "uniform"},
                {BENCH_KEYS_DECIMAL, "decimal text"},
                {BENCH_KEYS_TENANT, "tenant+timestamp"},
                {BENCH_KEYS_URL, "URL"}};
    uint64_t rows = job->options->rows;
    for (size_t s = 0; s < sizeof sets / sizeof sets[0]; s++) {
        struct engine e;
        char name[48], dir[32];
        snprintf(dir, sizeof dir, "set-%zu", s);
        engine_open(&e, job, dir, &automatic, sets[s].keys);
        while (e.rows < rows) {
            engine_put(&e, e.rows++);
            if (e.rows % 1000 == 0 || e.rows == rows)
                e.ops->commit(e.db);
        }
        engine_compact(&e);
        for (uint64_t i = 0; i < at_most(rows, 100000); i++) /* into the cache */
            engine_get(&e, engine_random(&e) % rows, BENCH_HIT);
        snprintf(name, sizeof name, "get hit, %s", sets[s].name);
        engine_gets(&e, name, at_most(rows, 500000), BENCH_HIT);
        snprintf(name, sizeof name, "get miss, %s", sets[s].name);
        engine_gets(&e, name, at_most(rows, 500000), BENCH_MISS);
        snprintf(name, sizeof name, "seek+10, %s", sets[s].name);
        engine_ranges(&e, name, at_most(rows, 100000), 10);
        engine_close(&e);
    }
}

/* ---- stall ---- */

/* Random keys over ten times the rows, commits of 100, as fast as it goes. */
static void run_stall(struct bench_job *job)
{
    uint64_t done = 0, keys = job->options->rows * 10, start = bench_now_ns();
    uint64_t last = start, length = (uint64_t)job->options->stall_seconds * 1000000000u;
    struct engine e;
    engine_open(&e, job, "stall", &automatic, BENCH_KEYS_RANDOM);
    bench_case_begin(job, "steady fill by 100", 1);
    while (last - start < length) {
        for (int i = 0; i < 100; i++, done++)
            engine_put(&e, engine_random(&e) % keys);
        e.ops->commit(e.db);
        uint64_t now = bench_now_ns();
        bench_latency_add(&job->latency, now - last);
        last = now;
        if (done % 1000000 == 0 && bench_free_bytes(job->dir) < (uint64_t)10 << 30) {
            fprintf(stderr,
                    "# %s: stopped after %.0f s: less than 10 GB of disk left\n",
                    job->rival->name, (double)(now - start) / 1e9);
            break;
        }
    }
    bench_case_end(job, done);
    engine_close(&e);
}

/* ---- the program ---- */

static const struct bench_rival rivals[] = {
    {"seerdb", "memory_limit 256 MB, SEERDB_SYNC_OFF, no compression", &bench_seerdb,
     0},
    {"seerdb-zstd", "the same with zstd:1", &bench_seerdb_zstd, 0},
    {"seerdb-binary", "as seerdb, with index = binary", &bench_seerdb_binary, 0},
    BENCH_RIVALS_ROCKSDB BENCH_RIVALS_LEVELDB BENCH_RIVALS_LMDB};

static const struct bench_target targets[] = {
    {"engine-read", "get hit, one run", BENCH_AT_LEAST, "rocksdb", 2.5, 1000000},
    {"engine-write", "fill random by 1000", BENCH_AT_LEAST, "rocksdb", 2, 1000000},
    {"engine-read", "seek+100, one run", BENCH_AT_LEAST, "rocksdb", 3, 1000000},
    {"engine-bytes", "random rows, settled", BENCH_AMPLIFICATION, "rocksdb", 1,
     10000000},
    {"stall", "steady fill by 100", BENCH_LONGEST_MS, NULL, 200, 1000000},
};

int main(int argc, char **argv)
{
    static const char all[] = "seerdb,seerdb-zstd,rocksdb,rocksdb-lz4,leveldb,lmdb";
    static struct bench_group groups[] = {
        {"engine-write", "rows a second; latencies of one commit", 0, run_write, all,
         NULL},
        {"engine-read", "rows a second; runs: sorted runs that there really were", 0,
         run_read, all, NULL},
        {"engine-ycsb", "operations a second, one thread, Zipf 0.99", 0, run_ycsb, all,
         NULL},
        {"engine-bytes", "bytes by purpose, with the background's work", 1, run_bytes,
         all, NULL},
        {"stall", "the longest commits of a fill as fast as it goes", 1, run_stall, all,
         NULL},
        {"index", "the learned index beside the binary one", 0, run_index,
         "seerdb,seerdb-binary,rocksdb", NULL},
    };
    struct bench_program program = {
        .name = "engine",
        .rivals = rivals,
        .nrivals = sizeof rivals / sizeof rivals[0],
        .groups = groups,
        .ngroups = sizeof groups / sizeof groups[0],
        .targets = targets,
        .ntargets = sizeof targets / sizeof targets[0],
        .about =
            "engines: keys of 16 random bytes, values of 100 that compress to half;\n"
            "no sync per commit on any side\n" BENCH_WITHOUT_ROCKSDB
                BENCH_WITHOUT_LEVELDB BENCH_WITHOUT_LMDB};
    if (!bench_seerdb_has_indexes)
        groups[5].missing =
            "this seerdb.h has no choice of indexes (SEERDB_INDEX_BINARY)";
    return bench_main(&program, argc, argv);
}
