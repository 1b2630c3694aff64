/* SPDX-License-Identifier: Apache-2.0
 *
 * meter -- what the benches measure with: time, a histogram of latencies, CPU, memory,
 * bytes written as the kernel counts them, bytes on disk.  Nothing here fails: where
 * the system does not tell (/proc is not there), the answer is 0, which reports leave
 * out.
 */
#ifndef SDB_BENCH_METER_H
#define SDB_BENCH_METER_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

static inline uint64_t bench_now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* Latencies in buckets of 1/64 of a power of two.  All zeros is empty. */
#define BENCH_BUCKETS 3776
struct bench_latency {
    uint64_t counts[BENCH_BUCKETS];
    uint64_t samples, max_ns, begun_ns;
    unsigned every, turn; /* one of `every` operations is timed; 0 as 1 */
};

void bench_latency_add(struct bench_latency *l, uint64_t ns);
/* The latency that the share p of the samples does not exceed; 0 without samples. */
double bench_latency_quantile(const struct bench_latency *l, double p);

/* How many samples took longer, to a 64th. */
double bench_latency_over(const struct bench_latency *l, double ns);

/* Around one operation. */
static inline void bench_begin(struct bench_latency *l)
{
    if (l->turn == 0)
        l->begun_ns = bench_now_ns();
}

static inline void bench_end(struct bench_latency *l)
{
    if (l->turn == 0)
        bench_latency_add(l, bench_now_ns() - l->begun_ns);
    if (++l->turn >= l->every)
        l->turn = 0;
}

uint64_t bench_cpu_ns(void);   /* user and system, all threads */
uint64_t bench_peak_rss(void); /* bytes, since the last reset */
void bench_reset_peak_rss(void);
uint64_t bench_written_bytes(void);         /* handed to write(), all threads */
uint64_t bench_disk_bytes(const char *dir); /* allocated, everything below dir */
uint64_t bench_free_bytes(const char *dir); /* of its file system */

void bench_remove_tree(const char *dir); /* missing is fine; dies if it can't */
void bench_make_dir(const char *path);   /* existing is fine; dies if it can't */

/* A sentence to stderr and exit(1): a bench that cannot go on. */
_Noreturn void bench_die(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
