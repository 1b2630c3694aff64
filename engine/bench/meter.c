/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "bench/meter.h"

#include <errno.h>
#include <ftw.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#define SUB 64u

static unsigned bucket_of(uint64_t ns)
{
    if (ns < SUB)
        return (unsigned)ns;
    unsigned top = 63u - (unsigned)__builtin_clzll(ns);
    return (top - 5) * SUB + ((unsigned)(ns >> (top - 6)) & (SUB - 1));
}

static double middle_of(unsigned bucket)
{
    if (bucket < SUB)
        return bucket;
    unsigned top = bucket / SUB + 5;
    uint64_t width = (uint64_t)1 << (top - 6);
    return (double)((SUB + bucket % SUB) * width) + (double)width / 2;
}

void bench_latency_add(struct bench_latency *l, uint64_t ns)
{
    l->counts[bucket_of(ns)]++;
    l->samples++;
    if (ns > l->max_ns)
        l->max_ns = ns;
}

double bench_latency_quantile(const struct bench_latency *l, double p)
{
    double want = p * (double)l->samples, seen = 0;
    for (unsigned b = 0; b < BENCH_BUCKETS && l->samples > 0; b++) {
        seen += (double)l->counts[b];
        if (l->counts[b] > 0 && seen >= want)
            return middle_of(b) < (double)l->max_ns ? middle_of(b) : (double)l->max_ns;
    }
    return 0;
}

double bench_latency_over(const struct bench_latency *l, double ns)
{
    double n = 0;
    for (unsigned b = 0; b < BENCH_BUCKETS; b++)
        if (middle_of(b) > ns)
            n += (double)l->counts[b];
    return n;
}

uint64_t bench_cpu_ns(void)
{
    struct rusage u;
    if (getrusage(RUSAGE_SELF, &u) != 0)
        return 0;
    return (uint64_t)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000000u +
           (uint64_t)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1000u;
}

/* The number behind "name:" in a file of /proc/self. */
static uint64_t proc_number(const char *path, const char *name)
{
    char line[200];
    unsigned long long n = 0;
    size_t len = strlen(name);
    FILE *f = fopen(path, "r");
    if (f == NULL)
        return 0;
    while (fgets(line, sizeof line, f) != NULL)
        if (strncmp(line, name, len) == 0 && line[len] == ':')
            n = strtoull(line + len + 1, NULL, 10);
    fclose(f);
    return n;
}

uint64_t bench_peak_rss(void)
{
    return proc_number("/proc/self/status", "VmHWM") * 1024;
}

void bench_reset_peak_rss(void)
{
    FILE *f = fopen("/proc/self/clear_refs", "w");
    if (f == NULL)
        return; /* the peak is then that of the whole process: higher, never lower */
    fputs("5", f);
    fclose(f);
}

uint64_t bench_written_bytes(void)
{
    return proc_number("/proc/self/io", "wchar");
}

/* nftw takes no context. */
static uint64_t walked_bytes;

static int add_file(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)path;
    (void)at;
    if (kind == FTW_F)
        walked_bytes += (uint64_t)st->st_blocks * 512;
    return 0;
}

uint64_t bench_disk_bytes(const char *dir)
{
    walked_bytes = 0;
    return nftw(dir, add_file, 16, FTW_PHYS) == 0 ? walked_bytes : 0;
}

uint64_t bench_free_bytes(const char *dir)
{
    struct statvfs v;
    return statvfs(dir, &v) == 0 ? (uint64_t)v.f_bavail * v.f_frsize : 0;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)st;
    (void)kind;
    (void)at;
    return remove(path);
}

void bench_remove_tree(const char *dir)
{
    if (nftw(dir, remove_one, 16, FTW_PHYS | FTW_DEPTH) != 0 && errno != ENOENT)
        bench_die("cannot remove %s: %s", dir, strerror(errno));
}

void bench_make_dir(const char *path)
{
    char part[4096];
    size_t n = strlen(path);
    if (n == 0 || n >= sizeof part)
        bench_die("a path of %zu bytes", n);
    for (size_t i = 1; i <= n; i++) {
        if (path[i] != '/' && path[i] != '\0')
            continue;
        memcpy(part, path, i);
        part[i] = '\0';
        if (mkdir(part, 0777) != 0 && errno != EEXIST)
            bench_die("cannot make %s: %s", part, strerror(errno));
    }
}

void bench_die(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("bench: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    exit(1);
}
