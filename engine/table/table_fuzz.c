/* SPDX-License-Identifier: Apache-2.0
 *
 * Damaged table files.  The input is a byte and a table file: with an odd byte its
 * checksums are made right first, as far as its footer and index say where they are, so
 * that what lies behind them is reached.  Whatever the file, it is refused or read
 * without a memory error; one that has wrong checksums never shows a row that was not
 * written.
 *
 * For libFuzzer (make fuzz); linked with engine/fuzz_main.c it mutates tables of its
 * own and replays files that it is given. */
#include "fuzz.h"

#include "base/rand.h"
#include "os/memfs.h"
#include "table/table_iter.h"
#include "table/table_verify.h"
#include "table/table_writer.h"

#include <stdlib.h>
#include <string.h>

static void need(bool fact, const char *what)
{
    if (!fact) {
        fprintf(stderr, "table_fuzz: %s\n", what);
        abort();
    }
}

/* ---- making checksums right -------------------------------------------------------
 */

static void fix_stored(uint8_t *p, size_t size, uint64_t off, uint64_t length,
                       uint64_t seed)
{
    if (off > size || length > size - off || length < SDB_STORED_HEADER)
        return;
    sdb_store_u64(p + off, sdb_stored_check(p + off, (size_t)length, seed, off));
}

static void fix_checks(uint8_t *p, size_t size)
{
    if (size < SDB_TABLE_HEADER + SDB_TABLE_FOOTER)
        return;
    uint8_t *foot = p + size - SDB_TABLE_FOOTER;
    uint64_t seed = sdb_hash64(p + 16, 16, 0), at = sdb_load_u64(foot);
    memcpy(foot + 24, p + 16, 16);
    sdb_store_u64(p + 56, sdb_hash64(p, 56, 0));
    sdb_store_u64(foot + 48, sdb_hash64(foot, 48, 0));
    for (size_t i = 0; i < SDB_PARTS; i++) {
        uint32_t length =
            sdb_load_u32(foot + sdb_footer_length((enum sdb_table_part)i));
        fix_stored(p, size, at, length, seed);
        if (i == 0 && at < size && length <= size - at &&
            length > SDB_STORED_HEADER + SDB_INDEX_HEADER) {
            const uint8_t *index = p + at + SDB_STORED_HEADER;
            uint64_t n = sdb_load_u32(index);
            const uint8_t *offsets = index + SDB_INDEX_HEADER + 8 * n;
            if (n >
                (length - SDB_STORED_HEADER - SDB_INDEX_HEADER) / SDB_INDEX_PER_BLOCK)
                n = 0;
            for (uint64_t b = 0; b < n; b++)
                fix_stored(p, size,
                           sdb_load_u32(offsets + 4 * b) * (uint64_t)SDB_TABLE_ALIGN,
                           sdb_load_u32(offsets + 4 * n + 4 * b), seed);
        }
        at += sdb_table_align(length);
    }
}

/* ---- reading ----------------------------------------------------------------------
 */

/* What a scan showed: a hash over all rows, and whether it came to the end. */
struct shown {
    uint64_t rows, hash;
    bool whole;
};

static void show(struct shown *s, const struct sdb_record *r)
{
    s->rows++;
    s->hash = sdb_hash64_2(r->key.data, r->key.size, r->value.data, r->value.size,
                           s->hash + r->number);
}

static struct shown scan(struct sdb_table *t, uint64_t most)
{
    struct sdb_iter *it = NULL;
    struct shown s = {0};
    if (sdb_table_iter(t, UINT64_MAX, &it, NULL) != 0)
        return s;
    int rc = it->ops->first(it, NULL);
    while (rc == 0 && s.rows < most) {
        do
            show(&s, &it->at);
        while (s.rows < most && (rc = it->ops->older(it, NULL)) == 0);
        if (rc == SEERDB_NOTFOUND)
            rc = it->ops->next(it, NULL);
    }
    s.whole = rc == SEERDB_NOTFOUND;
    sdb_iter_close(it);
    return s;
}

static void walk_back(struct sdb_table *t, uint64_t ceiling)
{
    struct sdb_iter *it = NULL;
    uint64_t left = 3000;
    if (sdb_table_iter(t, ceiling, &it, NULL) != 0)
        return;
    int rc = it->ops->last(it, NULL);
    while (rc == 0 && left-- > 0)
        rc = it->ops->prev(it, NULL);
    sdb_iter_close(it);
}

static void ask(struct sdb_table *t, seerdb_slice key, uint64_t ceiling)
{
    struct sdb_lookup l = {.key = key};
    struct sdb_found found;
    struct sdb_iter *it = NULL;
    sdb_table_prefetch(t, &l);
    if (sdb_table_get(t, &l, ceiling, &found, NULL) == 0) {
        struct shown s = {0}; /* touches every byte */
        show(&s, &(struct sdb_record){key, found.number, found.kind, found.value});
        seerdb_pin_unref(found.pin);
    }
    if (sdb_table_iter(t, ceiling, &it, NULL) != 0)
        return;
    int rc = it->ops->seek(it, key, NULL);
    rc = rc < 0 ? rc : it->ops->seek_for_prev(it, key, NULL);
    if (rc == 0)
        (void)it->ops->prev(it, NULL);
    sdb_iter_close(it);
}

/* Open the file and read it in every way.  The id is what its header says. */
static struct shown read_table(const uint8_t *p, size_t size)
{
    struct sdb_fs *fs = sdb_memfs_new(false);
    struct sdb_file *f = NULL;
    struct sdb_table *t = NULL;
    struct shown s = {0};
    seerdb_uuid id = {{0}};
    seerdb_err err = {0};
    uint8_t key[24];
    need(fs != NULL && sdb_fs_open(fs, "t", SDB_CREATE, SDB_FOR_READ, &f, &err) == 0 &&
             sdb_file_write_at(f, 0, (seerdb_slice){p, size}, &err) == 0,
         "no file");
    if (size >= 32)
        memcpy(id.bytes, p + 16, 16);
    if (sdb_table_open(f, &id, size, &t, &err) == 0) {
        const struct sdb_table_properties *props = sdb_table_properties(t);
        struct sdb_rand r = {sdb_hash64(p, size, 0)};
        const struct sdb_ranges *ranges = sdb_table_ranges(t);
        for (size_t i = 0; i < sdb_ranges_count(ranges); i++) {
            const struct sdb_range *one = sdb_ranges_at(ranges, i);
            show(&s, &(struct sdb_record){one->start, one->number, SDB_KIND_RANGE,
                                          one->end});
        }
        need(sdb_ranges_count(ranges) == props->ranges, "ranges are not counted");
        if (sdb_table_verify(t, &err) == 0)
            need(err.code == 0, "an error without a failure");
        struct shown ranges_shown = s;
        s = scan(t, 5000);
        s.rows += ranges_shown.rows;
        s.hash += ranges_shown.hash;
        walk_back(t, UINT64_MAX);
        walk_back(t, props->min_number);
        ask(t, props->smallest, UINT64_MAX);
        ask(t, props->largest, props->min_number);
        for (unsigned i = 0; i < 20; i++) {
            sdb_store_u64(key, sdb_rand_next(&r));
            sdb_store_u64(key + 8, sdb_rand_next(&r));
            memcpy(key, props->smallest.data,
                   props->smallest.size < i / 2 ? props->smallest.size : i / 2);
            ask(t, (seerdb_slice){key, sdb_rand_below(&r, 17)}, UINT64_MAX);
        }
    }
    sdb_table_unref(t);
    sdb_memfs_free(fs);
    return s;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    uint8_t *p = malloc(size); /* its end is the end of the memory */
    need(p != NULL, "no memory");
    memcpy(p, data + 1, size - 1);
    if (data[0] % 2 == 1)
        fix_checks(p, size - 1);
    (void)read_table(p, size - 1);
    free(p);
    return 0;
}

/* ---- tables of its own --------------------------------------------------------------
 */

enum { KINDS = 8 };

static seerdb_slice make_key(uint8_t key[32], unsigned kind, unsigned i)
{
    switch (kind) {
    case 0: /* runs and one segment */
    case 1:
        sdb_store_be64(key, UINT64_C(1) << 63 | i);
        return (seerdb_slice){key, 8};
    case 2: /* S2: the windows tie */
        return (seerdb_slice){key, (size_t)snprintf((char *)key, 32, "%ssamewindow%05u",
                                                    i == 0 ? "A" : "B", i)};
    case 3: /* a filter, segments */
    case 6: /* ranges beside them */
    case 7: /* nothing but ranges */
        sdb_store_be64(key, (uint64_t)i * i * 12345 + i % 7);
        return (seerdb_slice){key, 8};
    default: /* many versions of few keys, compressed */
        return (seerdb_slice){key,
                              (size_t)snprintf((char *)key, 32, "key%03u", i / 40)};
    }
}

size_t sdb_fuzz_seed(unsigned kind, uint8_t **out)
{
    struct sdb_fs *fs = sdb_memfs_new(false);
    struct sdb_file *f = NULL;
    struct sdb_table_writer *w = NULL;
    struct sdb_table_summary sum;
    seerdb_err err = {0};
    uint8_t first[32], last[32], key[32];
    const unsigned n = kind == 1 ? 1 : 1500, records = kind == 7 ? 0 : n;
    struct sdb_table_writer_options o = {.smallest = make_key(first, kind, 0),
                                         .largest = make_key(last, kind, n - 1),
                                         .compression = kind == 4,
                                         .block_size = kind == 5 ? 100 : 700,
                                         .filter_bits = kind % 2 == 0 ? 0 : 10,
                                         .index = kind == 5 ? SEERDB_INDEX_BINARY
                                                            : SEERDB_INDEX_LEARNED,
                                         .id = {{(uint8_t)kind, 1, 2, 3}}};
    need(kind < KINDS && fs != NULL &&
             sdb_fs_open(fs, "t", SDB_CREATE, SDB_FOR_FLUSH, &f, &err) == 0 &&
             sdb_table_writer_new(f, &o, &w, &err) == 0,
         "no writer");
    for (unsigned i = 0; i < records; i++)
        sdb_table_writer_add(w, &(struct sdb_record){make_key(key, kind, i),
                                                     5000 - i,
                                                     SDB_KIND_VALUE,
                                                     {"a value, a value", i % 17}});
    for (unsigned i = 0; kind >= 6 && i < 40; i++) {
        uint8_t start[32], end[32];
        struct sdb_range r = {.number = 4000 + i};
        r.start = make_key(start, kind, i * i % 100);
        r.end = make_key(end, kind, 60 + i);
        sdb_table_writer_range(w, &r);
    }
    need(sdb_table_writer_finish(w, &sum, &err) == 0, err.msg);
    *out = malloc((size_t)sum.file_size);
    need(*out != NULL && sdb_file_read_at(f, 0, *out, (size_t)sum.file_size, &err) == 0,
         "no bytes");
    sdb_table_writer_free(w);
    sdb_file_close(f);
    sdb_memfs_free(fs);
    return (size_t)sum.file_size;
}

unsigned sdb_fuzz_seeds(void)
{
    return KINDS;
}

/* The checksums stay wrong where bytes changed: rows are the ones written, or none. */
bool sdb_fuzz_judge(const uint8_t *seed, size_t seed_size, const uint8_t *data,
                    size_t size)
{
    struct shown want = read_table(seed, seed_size), got = read_table(data, size);
    return want.whole &&
           (!got.whole || (got.rows == want.rows && got.hash == want.hash));
}
