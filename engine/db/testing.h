/* SPDX-License-Identifier: Apache-2.0
 *
 * testing -- for the tests of this folder: a store on a file system in memory, behind
 * one that injects faults, and one-line writes and reads of it. */
#ifndef SDB_DB_TESTING_H
#define SDB_DB_TESTING_H

#include "base/hash.h"
#include "base/mem.h"
#include "base/rand.h"
#include "os/clock.h"
#include "os/faultfs.h"
#include "os/memfs.h"
#include "test.h"

#include <stdbool.h>
#include <stdlib.h>

#define SMALL_MEMORY ((size_t)1 << 20) /* the least: memtables of 256 KiB */
#define SMALL_LOG    ((size_t)16 << 10)
#define SMALL_TABLE                                                                    \
    ((size_t)4 << 10) /* compactions have several levels and outputs                   \
                       */

/* A store and what it stands on. */
struct bed {
    struct sdb_fs *mem, *fs; /* owned: memory, and the faults in front of it */
    seerdb_options o;
    const char *dir;
    seerdb *db; /* NULL: closed */
};

static inline int bed_open(struct bed *b, seerdb_err *err)
{
    return seerdb_open(b->dir, &b->o, &b->db, err);
}

/* All that can be seen of a store's trees, in a number. */
struct digest {
    seerdb *db;
    uint64_t sum;
    int trees;
};

static inline void digest_mix(struct digest *d, const void *data, size_t size)
{
    d->sum = sdb_hash64(data, size, d->sum + size);
}

static inline bool digest_tree(void *ctx, const seerdb_tree_info *info)
{
    struct digest *d = ctx;
    seerdb_tree *t = NULL;
    seerdb_view *v = NULL;
    seerdb_iter *it = NULL;
    seerdb_err err = {0};
    test_ok(seerdb_tree_open(d->db, &info->id, &t, &err), &err);
    digest_mix(d, &info->id, sizeof info->id);
    digest_mix(d, &info->owner, sizeof info->owner);
    digest_mix(d, &info->drop_intended, sizeof info->drop_intended);
    int rc = seerdb_view_open(t, &v, &err);
    if (rc == 0)
        rc = seerdb_iter_open(v, NULL, 0, &it, &err);
    if (rc == 0)
        rc = seerdb_iter_first(it, &err);
    for (; rc == 0; rc = seerdb_iter_next(it, &err)) {
        seerdb_slice key = seerdb_iter_key(it), value = seerdb_iter_value(it);
        digest_mix(d, key.data, key.size);
        digest_mix(d, value.data, value.size);
    }
    digest_mix(d, &rc, sizeof rc); /* NOTFOUND, or what cannot be read, ... */
    digest_mix(d, err.msg, strlen(err.msg));
    seerdb_iter_close(it);
    seerdb_view_close(v);
    seerdb_tree_close(t);
    d->trees++;
    return true;
}

static inline struct digest digest_of(seerdb *db)
{
    seerdb_err err = {0};
    struct digest d = {.db = db};
    test_ok(seerdb_trees(db, digest_tree, &d, &err), &err);
    return d;
}

/* What somebody sees who may only read, and who is watched.  False: there is no store.
 */
static inline bool read_only_digest(const struct bed *b, struct digest *out)
{
    seerdb_err err = {0};
    seerdb *db = NULL;
    seerdb_options o = b->o;
    struct sdb_fs *fs = sdb_faultfs_new(b->mem);
    assert_non_null(fs);
    sdb_faultfs_set_read_only(fs, true); /* a cut may have taken LOCK away */
    sdb_faultfs_arm(fs, &(struct sdb_fault){.ops = SDB_FAULT_CHANGE,
                                            .times = UINT64_MAX,
                                            .error = 30}); /* EROFS */
    o.fs = fs;
    o.create = false;
    o.read_only = true;
    int rc = seerdb_open(b->dir, &o, &db, &err);
    if (rc != 0 && rc != SEERDB_CANTOPEN)
        fail_msg("opening it for reading: %s", err.msg);
    if (rc == 0) {
        *out = digest_of(db);
        test_ok(seerdb_close(db, &err), &err);
    }
    assert_int_equal(sdb_faultfs_seen(fs), 0);
    sdb_faultfs_free(fs);
    return rc == 0;
}

/* Open it twice: to read, and to write.  Both must find the same. */
static inline int bed_open_compared(struct bed *b, seerdb_err *err)
{
    struct digest before = {0};
    bool there = read_only_digest(b, &before);
    int rc = bed_open(b, err);
    if (rc != 0)
        return rc;
    struct digest now = digest_of(b->db);
    if (there ? now.trees != before.trees || now.sum != before.sum : now.trees != 0)
        fail_msg("open for reading it has %d trees, %d for writing, or other rows",
                 before.trees, now.trees);
    return 0;
}

static inline void bed_open_ok(struct bed *b)
{
    seerdb_err err = {0};
    bool in_memory = b->o.fs == b->fs;
    test_ok(in_memory ? bed_open_compared(b, &err) : bed_open(b, &err), &err);
}

static inline void bed_init(struct bed *b)
{
    *b = (struct bed){.mem = sdb_memfs_new(true), .dir = "store"};
    assert_non_null(b->mem);
    b->fs = sdb_faultfs_new(b->mem);
    assert_non_null(b->fs);
    b->o = (seerdb_options){.create = true,
                            .memory_limit = SMALL_MEMORY,
                            .log_file_size = SMALL_LOG,
                            .sizes = {.table = SMALL_TABLE, .batch = 2 * SMALL_TABLE},
                            .fs = b->fs};
}

/* A new, open store. */
static inline void bed_new(struct bed *b)
{
    bed_init(b);
    bed_open_ok(b);
}

/* For tests that count files: nobody merges them or holds a version. */
static inline void bed_new_paused(struct bed *b)
{
    seerdb_err err = {0};
    bed_new(b);
    test_ok(seerdb_pause(b->db, &err), &err);
}

static inline void bed_close(struct bed *b)
{
    seerdb_err err = {0};
    test_ok(seerdb_close(b->db, &err), &err);
    b->db = NULL;
}

/* Close it as a crash of the process would: nothing more reaches the disk. */
static inline void bed_crash(struct bed *b)
{
    sdb_faultfs_arm(b->fs, &(struct sdb_fault){.ops = SDB_FAULT_WRITE | SDB_FAULT_SYNC |
                                                      SDB_FAULT_META | SDB_FAULT_OPEN,
                                               .times = UINT64_MAX,
                                               .error = 5});
    (void)seerdb_close(b->db, NULL);
    b->db = NULL;
    sdb_faultfs_arm(b->fs, &(struct sdb_fault){0});
}

static inline void bed_fini(struct bed *b)
{
    if (b->db != NULL)
        bed_close(b);
    sdb_faultfs_free(b->fs);
    sdb_memfs_free(b->mem);
}

/* A UUID that a test can name. */
static inline seerdb_uuid uuid_of(unsigned n)
{
    seerdb_uuid u = {{0x5e, (uint8_t)(n >> 8), (uint8_t)n, 1}};
    return u;
}

/* SEERDB_VALUE_LOG: the tests run with trees that put values of this size and more into
 * a value log. */
static inline size_t test_value_log(void)
{
    const char *size = getenv("SEERDB_VALUE_LOG");
    return size == NULL ? 0 : (size_t)strtoul(size, NULL, 10);
}

static inline seerdb_tree *create_tree(seerdb *db, unsigned n)
{
    seerdb_err err = {0};
    seerdb_tree *t = NULL;
    test_ok(seerdb_tree_create(db,
                               &(seerdb_tree_options){.id = uuid_of(n),
                                                      .name = "t",
                                                      .value_log = test_value_log()},
                               &t, &err),
            &err);
    return t;
}

static inline seerdb_tree *open_tree(seerdb *db, unsigned n)
{
    seerdb_err err = {0};
    seerdb_uuid id = uuid_of(n);
    seerdb_tree *t = NULL;
    test_ok(seerdb_tree_open(db, &id, &t, &err), &err);
    return t;
}

static inline seerdb_batch *new_batch(seerdb *db)
{
    seerdb_err err = {0};
    seerdb_batch *b = NULL;
    test_ok(seerdb_batch_new(db, &b, &err), &err);
    return b;
}

static inline seerdb_view *new_view(seerdb_tree *t)
{
    seerdb_err err = {0};
    seerdb_view *v = NULL;
    test_ok(seerdb_view_open(t, &v, &err), &err);
    return v;
}

/* Writes in words: "a=1 b=2 -c ~d:f g+3" puts a and b, deletes c, and the keys from d
 * to below f, and merges 3 into g. */
static inline int batch_words(seerdb_batch *b, seerdb_tree *t, const char *words,
                              seerdb_err *err)
{
    int rc = 0;
    while (rc == 0 && *words != '\0') {
        size_t n = strcspn(words, " ");
        const char *eq = memchr(words, '=', n);
        const char *to = memchr(words, ':', n);
        const char *plus = memchr(words, '+', n);
        if (words[0] == '~' && to != NULL)
            rc = seerdb_batch_delete_range(
                b, t, (seerdb_slice){words + 1, (size_t)(to - words - 1)},
                (seerdb_slice){to + 1, (size_t)(words + n - to - 1)}, err);
        else if (words[0] == '-')
            rc = seerdb_batch_delete(b, t, (seerdb_slice){words + 1, n - 1}, err);
        else if (eq != NULL)
            rc = seerdb_batch_put(b, t, (seerdb_slice){words, (size_t)(eq - words)},
                                  (seerdb_slice){eq + 1, (size_t)(words + n - eq - 1)},
                                  err);
        else if (plus != NULL)
            rc = seerdb_batch_merge(
                b, t, (seerdb_slice){words, (size_t)(plus - words)},
                (seerdb_slice){plus + 1, (size_t)(words + n - plus - 1)}, err);
        words += n + (words[n] == ' ');
    }
    return rc;
}

static inline void add(seerdb_batch *b, seerdb_tree *t, const char *words)
{
    seerdb_err err = {0};
    test_ok(batch_words(b, t, words, &err), &err);
}

/* Write the words as one commit. */
static inline int try_write(seerdb_tree *t, const char *words, enum seerdb_sync sync,
                            seerdb_err *err)
{
    seerdb_batch *b = NULL;
    int rc = seerdb_batch_new(seerdb_tree_store(t), &b, err);
    if (rc == 0 && (rc = batch_words(b, t, words, err)) == 0)
        rc = seerdb_write(b, sync, err);
    seerdb_batch_free(b);
    return rc;
}

static inline void write_words(seerdb_tree *t, const char *words)
{
    seerdb_err err = {0};
    test_ok(try_write(t, words, SEERDB_SYNC_FULL, &err), &err);
}

static inline void flush(seerdb *db)
{
    seerdb_err err = {0};
    test_ok(seerdb_flush(db, NULL, &err), &err);
}

/* One commit of `size` bytes under `key`. */
static inline int try_fill(seerdb_tree *t, const char *key, size_t size,
                           seerdb_err *err)
{
    seerdb_batch *b = NULL;
    char *value = malloc(size + 1);
    assert_non_null(value);
    memset(value, 'x', size);
    int rc = seerdb_batch_new(seerdb_tree_store(t), &b, err);
    if (rc == 0 && (rc = seerdb_batch_put(b, t, test_slice(key),
                                          (seerdb_slice){value, size}, err)) == 0)
        rc = seerdb_write(b, SEERDB_SYNC_OFF, err);
    seerdb_batch_free(b);
    free(value);
    return rc;
}

/* What `it` shows from end to end, as words in `out`. */
static inline void dump_iter(seerdb_iter *it, bool forward, char *out, size_t room)
{
    seerdb_err err = {0};
    size_t at = 0;
    out[0] = '\0';
    int rc = forward ? seerdb_iter_first(it, &err) : seerdb_iter_last(it, &err);
    while (rc == 0) {
        seerdb_slice k = seerdb_iter_key(it), v = seerdb_iter_value(it);
        at += (size_t)snprintf(out + at, room - at, "%s%.*s=%.*s", at > 0 ? " " : "",
                               (int)k.size, (const char *)k.data, (int)v.size,
                               (const char *)v.data);
        assert_true(at < room);
        rc = forward ? seerdb_iter_next(it, &err) : seerdb_iter_prev(it, &err);
    }
    if (rc != SEERDB_NOTFOUND)
        fail_msg("a scan failed: %s", err.msg);
}

/* The view, and the batch up to the mark over it, must show exactly these words. */
static inline void expect_state(seerdb_view *v, seerdb_batch *b, uint64_t mark,
                                const char *words)
{
    char got[4096];
    seerdb_err err = {0};
    seerdb_iter *it = NULL;
    test_ok(seerdb_iter_open(v, b, mark, &it, &err), &err);
    dump_iter(it, true, got, sizeof got);
    seerdb_iter_close(it);
    assert_string_equal(got, words);
}

static inline void expect(seerdb_tree *t, const char *words)
{
    seerdb_view *v = new_view(t);
    expect_state(v, NULL, 0, words);
    seerdb_view_close(v);
}

/* A lookup in the tree as it is; value NULL: no such key. */
static inline void expect_key(seerdb_tree *t, const char *key, const char *value)
{
    seerdb_err err = {0};
    seerdb_value got;
    seerdb_view *v = new_view(t);
    int rc = seerdb_get(v, NULL, 0, test_slice(key), &got, &err);
    if (rc < 0)
        fail_msg("%s: %s", key, err.msg);
    if ((rc == 0) != (value != NULL))
        fail_msg("%s is %s", key, rc == 0 ? "there" : "missing");
    if (rc == 0) {
        test_slice_equal(got.bytes, test_slice(value));
        seerdb_pin_unref(got.pin);
    }
    seerdb_view_close(v);
}

static inline void verify(seerdb *db)
{
    seerdb_err err = {0};
    seerdb_verify_report report;
    test_ok(seerdb_verify(db, NULL, &report, &err), &err);
}

/* The value of a statistic of the store and the tree (may be NULL). */
struct wanted_stat {
    const char *name;
    double value;
    bool found;
};

static inline bool take_stat(void *ctx, const seerdb_stat *stat)
{
    struct wanted_stat *w = ctx;
    if (strcmp(stat->name, w->name) == 0) {
        w->value = stat->value;
        w->found = true;
    }
    return !w->found;
}

static inline double stat_of(seerdb *db, seerdb_tree *t, const char *name)
{
    seerdb_err err = {0};
    struct wanted_stat w = {.name = name};
    test_ok(seerdb_stats(db, t, take_stat, &w, &err), &err);
    if (!w.found)
        fail_msg("there is no statistic %s", name);
    return w.value;
}

/* The statistic of that name, without the others: for who asks after every commit. */
static inline double log_bytes_of(seerdb_tree *t)
{
    seerdb_err err = {0};
    seerdb_condition c;
    test_ok(seerdb_look(seerdb_tree_store(t), t, &c, &err), &err);
    return (double)c.log_bytes;
}

/* How many names in the store's directory end in `suffix`. */
struct name_count {
    const char *suffix;
    size_t n;
    char first[64];
};

static inline void count_name(void *ctx, const char *name)
{
    struct name_count *c = ctx;
    size_t n = strlen(name), s = strlen(c->suffix);
    if (n < s || strcmp(name + n - s, c->suffix) != 0)
        return;
    if (c->n++ == 0)
        snprintf(c->first, sizeof c->first, "%s", name);
}

static inline struct name_count files_of(struct bed *b, const char *suffix)
{
    seerdb_err err = {0};
    struct name_count c = {.suffix = suffix};
    test_ok(sdb_fs_list(b->mem, b->dir, count_name, &c, &err), &err);
    return c;
}

/* Files that nobody needs are removed by whichever thread comes by: maybe after the
 * call that made them so has returned. */
#define assert_soon(condition)                                                         \
    do {                                                                               \
        for (unsigned ms_ = 0; !(condition) && ms_ < 10000; ms_++)                     \
            sdb_clock_sleep_us(1000);                                                  \
        assert_true(condition);                                                        \
    } while (0)

static inline void fault(struct bed *b, struct sdb_fault f)
{
    sdb_faultfs_arm(b->fs, &f);
}

/* The next such operation on such a file fails, no other one. */
static inline void fault_once(struct sdb_fs *fs, unsigned ops, const char *match,
                              int error)
{
    sdb_faultfs_arm(fs, &(struct sdb_fault){
                            .ops = ops, .match = match, .times = 1, .error = error});
}

/* ---- a store with one tree --------------------------------------------------------
 */

/* A new, open store; its tree, 1, which the caller closes: bed_end does. */
static inline seerdb_tree *bed_new_tree(struct bed *b)
{
    bed_new(b);
    return create_tree(b->db, 1);
}

static inline void bed_end(struct bed *b, seerdb_tree *t)
{
    seerdb_tree_close(t);
    bed_fini(b);
}

/* For bed_reopen: what was not synced is gone. */
static inline void bed_lose_power(struct bed *b)
{
    bed_crash(b);
    sdb_memfs_cut(b->mem, SDB_CUT_DROP, 1);
}

/* End the session, by bed_close, bed_crash or bed_lose_power, and begin the next. */
static inline void bed_reopen(struct bed *b, void (*end)(struct bed *), seerdb_tree **t)
{
    seerdb_tree_close(*t);
    end(b);
    bed_open_ok(b);
    *t = open_tree(b->db, 1);
}

#endif
