/* SPDX-License-Identifier: Apache-2.0
 *
 * ns per search of a table by plain binary search over its fences, by the sixteen-way
 * tree and by the model, the blocks being in the cache; arguments: records (1000000),
 * bytes of a value (100). */
#include "base/mem.h"
#include "base/rand.h"
#include "os/clock.h"
#include "os/memfs.h"
#include "table/table_cursor.h"
#include "table/table_reader.h"
#include "table/table_writer.h"

#include <stdio.h>
#include <stdlib.h>

enum { ROUNDS = 7, ASKED = 200000, KEY = 64 };

static void die(const char *what, const seerdb_err *err)
{
    fprintf(stderr, "learned_bench: %s: %s\n", what, err->msg);
    exit(1);
}

struct set {
    const char *name;
    size_t (*make)(char *key, uint64_t i, struct sdb_rand *r); /* rising i: any order */
};

static size_t make_uniform(char *key, uint64_t i, struct sdb_rand *r)
{
    (void)i;
    sdb_store_be64(key, sdb_rand_next(r));
    sdb_store_be64(key + 8, sdb_rand_next(r));
    return 16;
}

static size_t make_user(char *key, uint64_t i, struct sdb_rand *r)
{
    return (size_t)snprintf(key, KEY, "user%016" PRIu64, i * 7 + sdb_rand_below(r, 7));
}

static size_t make_tenant(char *key, uint64_t i, struct sdb_rand *r)
{
    return (size_t)snprintf(key, KEY, "t%04u:%018" PRIu64, (unsigned)(i % 1000),
                            i * 1000003 + sdb_rand_below(r, 1000));
}

static size_t make_url(char *key, uint64_t i, struct sdb_rand *r)
{
    return (size_t)snprintf(key, KEY, "https://%s.example.org/%04x/item?id=%" PRIu64,
                            i % 3 == 0 ? "www" : "shop",
                            (unsigned)sdb_rand_below(r, 65536), i);
}

static size_t make_rowid(char *key, uint64_t i, struct sdb_rand *r)
{
    (void)r;
    sdb_store_be64(key, i ^ UINT64_C(1) << 63);
    return 8;
}

static size_t make_gappy(char *key, uint64_t i, struct sdb_rand *r)
{
    sdb_store_be64(key, (i * 10 + sdb_rand_below(r, 10)) ^ UINT64_C(1) << 63);
    return 8;
}

static const struct set sets[] = {
    {"uniform 16 B", make_uniform},      {"user%016d", make_user},
    {"t%04u:%018lu", make_tenant},       {"urls", make_url},
    {"rowids, all of them", make_rowid}, {"rowids, one in ten", make_gappy},
};

static int compare(const void *a, const void *b)
{
    return sdb_slice_cmp(*(const seerdb_slice *)a, *(const seerdb_slice *)b);
}

/* Keys of a set, sorted; *n falls where two are equal. */
static seerdb_slice *make_keys(const struct set *s, size_t *n, char **bytes)
{
    struct sdb_rand r = {1};
    seerdb_slice *keys = calloc(*n, sizeof *keys);
    *bytes = malloc(*n * KEY);
    if (keys == NULL || *bytes == NULL)
        die("no memory", &(seerdb_err){0});
    for (size_t i = 0; i < *n; i++)
        keys[i] = (seerdb_slice){*bytes + i * KEY, s->make(*bytes + i * KEY, i, &r)};
    qsort(keys, *n, sizeof *keys, compare);
    size_t m = 0;
    for (size_t i = 0; i < *n; i++)
        if (m == 0 || compare(&keys[m - 1], &keys[i]) != 0)
            keys[m++] = keys[i];
    *n = m;
    return keys;
}

static struct sdb_table *make_table(struct sdb_fs *fs, const char *path,
                                    const seerdb_slice *keys, size_t n, size_t value,
                                    struct sdb_cache *cache)
{
    struct sdb_table_writer_options o = {.smallest = keys[0], .largest = keys[n - 1]};
    static uint8_t bytes[1 << 16];
    struct sdb_table_writer *w = NULL;
    struct sdb_table_summary sum;
    struct sdb_table *t = NULL;
    struct sdb_file *f = NULL;
    seerdb_err err = {0};
    if (sdb_fs_open(fs, path, SDB_CREATE, SDB_FOR_FLUSH, &f, &err) != 0 ||
        sdb_table_writer_new(f, &o, &w, &err) != 0)
        die(path, &err);
    for (size_t i = 0; i < n; i++)
        sdb_table_writer_add(
            w, &(struct sdb_record){keys[i], 1, SDB_KIND_VALUE, {bytes, value}});
    if (sdb_table_writer_finish(w, &sum, &err) != 0)
        die(path, &err);
    sdb_table_writer_free(w);
    sdb_file_close(f);
    if (sdb_fs_open(fs, path, SDB_READ, SDB_FOR_READ, &f, &err) != 0 ||
        sdb_table_open(f, &sum.id, sum.file_size, &t, &err) != 0)
        die(path, &err);
    sdb_table_use_cache(t, cache, NULL);
    return t;
}

/* ---- the three searches ------------------------------------------------------------
 */

static uint32_t by_halves(struct sdb_table *t, seerdb_slice key)
{
    const struct sdb_table_index *x = &t->index;
    uint64_t code = sdb_code(&x->coder, key);
    uint32_t lo = 0, n = x->n;
    while (n > 0) {
        uint32_t half = n / 2;
        bool right = sdb_table_index_fence(x, lo + half) < code;
        lo = right ? lo + half + 1 : lo;
        n = right ? n - half - 1 : half;
    }
    return lo;
}

static uint32_t by_sixteen(struct sdb_table *t, seerdb_slice key)
{
    uint64_t code = sdb_code(&t->index.coder, key);
    return (uint32_t)sdb_search16_first(&t->index.search, code);
}

static uint32_t by_index(struct sdb_table *t, seerdb_slice key)
{
    uint32_t lo, hi;
    sdb_table_index_search(&t->index, sdb_code(&t->index.coder, key), key, &lo, &hi);
    return lo;
}

/* With and without the model, on one table, so that the same blocks are met. */
static uint32_t by_get(struct sdb_table *t, seerdb_slice key)
{
    struct sdb_lookup l = {.key = key};
    struct sdb_found found;
    seerdb_err err = {0};
    if (sdb_table_get(t, &l, UINT64_MAX, &found, &err) != 0)
        die("get", &err);
    seerdb_pin_unref(found.pin);
    return *(const uint8_t *)found.value.data;
}

struct measured {
    uint32_t (*search)(struct sdb_table *t, seerdb_slice key);
    bool model;
    double ns;
};

static void measure(struct sdb_table *t, struct measured *m, size_t n,
                    const seerdb_slice *asked)
{
    uint32_t segments = t->index.learned.nsegments;
    static volatile uint32_t sink;
    for (unsigned round = 0; round < ROUNDS; round++) { /* interleaved */
        for (size_t i = 0; i < n; i++) {
            t->index.learned.nsegments = m[i].model ? segments : 0;
            uint64_t start = sdb_clock_mono_us();
            uint32_t sum = 0;
            for (size_t k = 0; k < ASKED; k++)
                sum += m[i].search(t, asked[k]);
            double ns = (double)(sdb_clock_mono_us() - start) * 1000 / ASKED;
            sink = sum;
            if (round == 0 || ns < m[i].ns)
                m[i].ns = ns;
        }
    }
    t->index.learned.nsegments = segments;
    (void)sink;
}

static void bench(const struct set *set, size_t n, size_t value)
{
    struct sdb_fs *fs = sdb_memfs_new(false);
    struct sdb_cache *cache = sdb_cache_new((size_t)8 << 30);
    char *bytes;
    seerdb_slice *keys = make_keys(set, &n, &bytes);
    seerdb_slice *asked = calloc(ASKED, sizeof *asked);
    struct sdb_rand r = {2};
    if (fs == NULL || cache == NULL || asked == NULL)
        die("no memory", &(seerdb_err){0});
    char *packed = malloc((size_t)ASKED * KEY); /* asking shall not miss the cache */
    if (packed == NULL)
        die("no memory", &(seerdb_err){0});
    for (size_t i = 0; i < ASKED; i++) {
        seerdb_slice key = keys[sdb_rand_below(&r, n)];
        memcpy(packed + i * KEY, key.data, key.size);
        asked[i] = (seerdb_slice){packed + i * KEY, key.size};
    }
    struct sdb_table *t = make_table(fs, "t", keys, n, value, cache);
    struct measured m[] = {{by_halves, false, 0},
                           {by_sixteen, false, 0},
                           {by_index, true, 0},
                           {by_get, false, 0},
                           {by_get, true, 0}};
    measure(t, m, sizeof m / sizeof *m, asked);
    struct sdb_table_stats s;
    sdb_table_stats(t, &s);
    printf("%-20s %8.0f %8.0f %8.0f %10.0f %10.0f   S%d %7" PRIu64 " %7" PRIu64
           " %8.4f %8.4f\n",
           set->name, m[0].ns, m[1].ns, m[2].ns, m[3].ns, m[4].ns,
           (int)sdb_table_properties(t)->scheme, s.segments, s.runs,
           (double)(s.memory - s.model_bytes) / (double)n,
           (double)s.model_bytes / (double)n);
    fflush(stdout);
    sdb_table_unref(t);
    free(packed);
    sdb_cache_free(cache);
    sdb_memfs_free(fs);
    free(asked);
    free(keys);
    free(bytes);
}

int main(int argc, char **argv)
{
    size_t n = argc > 1 ? strtoul(argv[1], NULL, 10) : 1000000;
    size_t value = argc > 2 ? strtoul(argv[2], NULL, 10) : 100;
    if (n == 0 || value == 0 || value > 1 << 16)
        return 1;
    printf("%zu records; ns per search of the index | per get; B/key\n", n);
    printf("%-20s %8s %8s %8s %10s %10s   %2s %7s %7s %8s %8s\n", "keys", "halves",
           "sixteen", "model", "get, 16", "get, model", "", "segm.", "runs", "fences",
           "model");
    for (size_t i = 0; i < sizeof sets / sizeof *sets; i++)
        bench(&sets[i], n, value);
    return 0;
}
