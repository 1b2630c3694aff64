/* SPDX-License-Identifier: Apache-2.0
 *
 * ns/op of a memtable: 500,000 keys of 16 bytes with values of 100; its memory from the
 * heap and from the pool of huge pages. */
#include "base/mem.h"
#include "base/rand.h"
#include "os/clock.h"
#include "tree/memtable.h"

#include <stdio.h>
#include <stdlib.h>

#define KEYS       500000u
#define KEY_SIZE   16u
#define VALUE_SIZE 100u

enum order { RANDOM, RISING, FALLING };

/* The keys of the ids, one behind the other in the order of their use. */
static uint8_t *make_keys(const uint32_t *ids)
{
    uint8_t *keys = sdb_mem_alloc(KEYS * KEY_SIZE + 1);
    for (uint32_t i = 0; keys != NULL && i < KEYS; i++)
        snprintf((char *)keys + (size_t)i * KEY_SIZE, KEY_SIZE + 1, "user%012u",
                 ids[i]);
    return keys;
}

static void report(const char *order, const char *what, uint64_t start_us, double n,
                   size_t bytes)
{
    double us = (double)(sdb_clock_mono_us() - start_us);
    printf("%-8s %-8s %7.1f ns/op %8.1f MB/s\n", order, what, us * 1000 / n,
           n * (double)bytes / us);
}

static void die(const char *what)
{
    fprintf(stderr, "memtable_bench: %s\n", what);
    exit(1);
}

static void insert_all(struct sdb_memtable *m, const uint8_t *keys, uint64_t number)
{
    uint8_t value[VALUE_SIZE] = {1, 2, 3};
    for (size_t i = 0; i < KEYS; i++) {
        struct sdb_record r = {.key = {keys + i * KEY_SIZE, KEY_SIZE},
                               .number = number + i,
                               .kind = SDB_KIND_VALUE,
                               .value = {value, VALUE_SIZE}};
        if (sdb_memtable_insert(m, &r, NULL) != 0)
            die("insert failed");
    }
}

static void get_all(struct sdb_memtable *m, const uint8_t *keys)
{
    struct sdb_found found;
    uint64_t sum = 0;
    for (size_t i = 0; i < KEYS; i++) {
        seerdb_slice key = {keys + i * KEY_SIZE, KEY_SIZE};
        if (sdb_memtable_get(m, key, UINT64_MAX, NULL, &found) != 0)
            die("a key is missing");
        sum += ((const uint8_t *)found.value.data)[0];
        seerdb_pin_unref(found.pin);
    }
    if (sum != KEYS)
        die("wrong values");
}

static void scan_all(struct sdb_memtable *m, bool backward)
{
    struct sdb_iter *it;
    uint64_t sum = 0, n = 0;
    if (sdb_memtable_iter(m, UINT64_MAX, NULL, 0, &it, NULL) != 0)
        die("no iterator");
    for (int rc = backward ? it->ops->last(it, NULL) : it->ops->first(it, NULL);
         rc == 0;
         rc = backward ? it->ops->prev(it, NULL) : it->ops->next(it, NULL), n++)
        sum += ((const uint8_t *)it->at.value.data)[0] +
               ((const uint8_t *)it->at.key.data)[0];
    sdb_iter_close(it);
    if (n != KEYS || sum == 0)
        die("a scan missed keys");
}

static void shuffle(uint32_t *ids, struct sdb_rand *rand)
{
    for (uint32_t i = KEYS - 1; i > 0; i--) {
        uint32_t j = (uint32_t)sdb_rand_below(rand, i + 1), id = ids[i];
        ids[i] = ids[j];
        ids[j] = id;
    }
}

static void run(const char *name, enum order order, struct sdb_pages *pages,
                struct sdb_rand *rand)
{
    size_t bytes = KEY_SIZE + VALUE_SIZE;
    struct sdb_memtable *m = NULL;
    uint32_t *ids = sdb_array_new(KEYS, sizeof *ids);
    if (ids == NULL || sdb_memtable_new(&m, NULL) != 0)
        die("out of memory");
    sdb_memtable_use_pages(m, pages);
    for (uint32_t i = 0; i < KEYS; i++)
        ids[i] = order == FALLING ? KEYS - 1 - i : i;
    if (order == RANDOM)
        shuffle(ids, rand);
    uint8_t *inserts = make_keys(ids);
    shuffle(ids, rand);
    uint8_t *gets = make_keys(ids);
    if (inserts == NULL || gets == NULL)
        die("out of memory");
    uint64_t start = sdb_clock_mono_us();
    insert_all(m, inserts, 1);
    report(name, "insert", start, KEYS, bytes);
    double held = (double)sdb_memtable_bytes(m);
    start = sdb_clock_mono_us();
    get_all(m, gets);
    report(name, "get", start, KEYS, bytes);
    start = sdb_clock_mono_us();
    scan_all(m, false);
    report(name, "scan", start, KEYS, bytes);
    start = sdb_clock_mono_us();
    scan_all(m, true);
    report(name, "reverse", start, KEYS, bytes);
    start = sdb_clock_mono_us();
    insert_all(m, gets, KEYS + 1);
    report(name, "update", start, KEYS, bytes);
    printf("%-8s %-8s %7.1f bytes a record\n", name, "memory", held / KEYS);
    sdb_memtable_unref(m);
    sdb_mem_free(inserts);
    sdb_mem_free(gets);
    sdb_mem_free(ids);
}

int main(void)
{
    for (int pool = 0; pool < 2; pool++) {
        struct sdb_rand rand = {42};
        struct sdb_pages *pages = pool ? sdb_pages_new((size_t)128 << 20) : NULL;
        if (pool && pages == NULL)
            die("out of memory");
        printf("%s\n", pool ? "pool" : "heap");
        run("random", RANDOM, pages, &rand);
        run("rising", RISING, pages, &rand);
        run("falling", FALLING, pages, &rand);
        sdb_pages_unref(pages);
    }
    return 0;
}
