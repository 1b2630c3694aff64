/* SPDX-License-Identifier: Apache-2.0
 *
 * testing -- for the tests of this folder: a naive sorted list with the iterator
 * interface, random walks over two iterators that must agree, tables in memory. */
#ifndef SDB_TABLE_TESTING_H
#define SDB_TABLE_TESTING_H

#include "base/mem.h"
#include "base/rand.h"
#include "os/memfs.h"
#include "table/iter.h"
#include "table/table_iter.h"
#include "table/table_verify.h"
#include "table/table_writer.h"
#include "test.h"

#include <stdlib.h>

/* Records in order. */
struct list {
    unsigned n, room;
    struct sdb_record *r; /* owned */
};

static inline int compare_records(const void *pa, const void *pb)
{
    const struct sdb_record *a = pa, *b = pb;
    int order = sdb_slice_cmp(a->key, b->key);
    return order != 0 ? order : (a->number < b->number) - (a->number > b->number);
}

static inline void list_add(struct list *l, seerdb_slice key, uint64_t number,
                            enum sdb_kind kind, seerdb_slice value)
{
    if (l->n == l->room) {
        l->room = l->room * 2 + 16;
        l->r = realloc(l->r, l->room * sizeof *l->r);
        assert_non_null(l->r);
    }
    l->r[l->n++] = (struct sdb_record){key, number, kind, value};
}

/* Sort, and keep one of each (key, number). */
static inline void list_sort(struct list *l)
{
    unsigned n = 0;
    if (l->n > 0)
        qsort(l->r, l->n, sizeof *l->r, compare_records);
    for (unsigned i = 0; i < l->n; i++)
        if (n == 0 || compare_records(&l->r[n - 1], &l->r[i]) != 0)
            l->r[n++] = l->r[i];
    l->n = n;
}

static inline void list_fini(struct list *l)
{
    free(l->r);
    *l = (struct list){0};
}

/* An iterator over a list, as plain as can be; on the heap, so that leaks show. */
struct list_iter {
    struct sdb_iter it;
    const struct list *list;
    uint64_t ceiling;
    unsigned at;
    bool positioned;
    char *key;    /* the key's bytes, freed by each move as a block's would be */
    int *fail_in; /* calls until one fails; NULL: never */
};

static inline int land(struct list_iter *l, unsigned i)
{
    l->at = i;
    l->positioned = true;
    l->it.at = l->list->r[i];
    free(l->key);
    l->key = malloc(l->it.at.key.size + 1);
    assert_non_null(l->key);
    if (l->it.at.key.size > 0)
        memcpy(l->key, l->it.at.key.data, l->it.at.key.size);
    l->it.at.key.data = l->key;
    return 0;
}

static inline int end(struct list_iter *l)
{
    l->positioned = false;
    return SEERDB_NOTFOUND;
}

static inline bool same_key(const struct list *l, unsigned a, unsigned b)
{
    return sdb_slice_equal(l->r[a].key, l->r[b].key);
}

/* The newest visible version of the first key from i on that has one. */
static inline int settle(struct list_iter *l, unsigned i)
{
    for (; i < l->list->n; i++)
        if (l->list->r[i].number <= l->ceiling)
            return land(l, i);
    return end(l);
}

/* The same for the last key before i. */
static inline int settle_back(struct list_iter *l, unsigned i)
{
    while (i > 0) {
        unsigned hit = --i;
        if (l->list->r[i].number > l->ceiling)
            continue;
        while (i > 0 && same_key(l->list, i - 1, hit)) {
            i--;
            if (l->list->r[i].number <= l->ceiling)
                hit = i;
        }
        return land(l, hit);
    }
    return end(l);
}

static inline struct list_iter *list_self(struct sdb_iter *it)
{
    return (struct list_iter *)it;
}

static inline bool fails(struct sdb_iter *it)
{
    int *left = list_self(it)->fail_in;
    return left != NULL && (*left)-- == 0;
}

#define MAY_FAIL(it, err)                                                              \
    do {                                                                               \
        if (fails(it))                                                                 \
            return sdb_fail(err, SEERDB_IOERR, "source: as told");                     \
    } while (0)

static inline int list_first(struct sdb_iter *it, seerdb_err *err)
{
    MAY_FAIL(it, err);
    return settle(list_self(it), 0);
}

static inline int list_last(struct sdb_iter *it, seerdb_err *err)
{
    MAY_FAIL(it, err);
    return settle_back(list_self(it), list_self(it)->list->n);
}

/* The first record whose key is >= key. */
static inline unsigned list_find(const struct list *l, seerdb_slice key)
{
    unsigned lo = 0, hi = l->n;
    while (lo < hi) {
        unsigned mid = lo + (hi - lo) / 2;
        if (sdb_slice_cmp(l->r[mid].key, key) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static inline int list_seek(struct sdb_iter *it, seerdb_slice key, seerdb_err *err)
{
    MAY_FAIL(it, err);
    return settle(list_self(it), list_find(list_self(it)->list, key));
}

static inline int list_seek_for_prev(struct sdb_iter *it, seerdb_slice key,
                                     seerdb_err *err)
{
    const struct list *l = list_self(it)->list;
    unsigned i = list_find(l, key);
    MAY_FAIL(it, err);
    while (i < l->n && sdb_slice_equal(l->r[i].key, key))
        i++;
    return settle_back(list_self(it), i);
}

static inline int list_next(struct sdb_iter *it, seerdb_err *err)
{
    struct list_iter *l = list_self(it);
    unsigned i = l->at;
    MAY_FAIL(it, err);
    assert_true(l->positioned);
    while (i < l->list->n && same_key(l->list, i, l->at))
        i++;
    return settle(l, i);
}

static inline int list_prev(struct sdb_iter *it, seerdb_err *err)
{
    struct list_iter *l = list_self(it);
    unsigned i = l->at;
    MAY_FAIL(it, err);
    assert_true(l->positioned);
    while (i > 0 && same_key(l->list, i - 1, l->at))
        i--;
    return settle_back(l, i);
}

static inline int list_older(struct sdb_iter *it, seerdb_err *err)
{
    struct list_iter *l = list_self(it);
    MAY_FAIL(it, err);
    assert_true(l->positioned);
    if (l->at + 1 == l->list->n || !same_key(l->list, l->at, l->at + 1))
        return SEERDB_NOTFOUND;
    return land(l, l->at + 1);
}

static inline void list_close(struct sdb_iter *it)
{
    free(list_self(it)->key);
    free(it);
}

static inline struct sdb_iter *list_iter(const struct list *list, uint64_t ceiling,
                                         int *fail_in)
{
    static const struct sdb_iter_ops ops = {
        list_first, list_last,  list_seek, list_seek_for_prev, list_next, list_prev,
        list_older, list_close, NULL,
    };
    struct list_iter *l = calloc(1, sizeof *l);
    assert_non_null(l);
    l->it.ops = &ops;
    l->list = list;
    l->ceiling = ceiling;
    l->fail_in = fail_in;
    return &l->it;
}

static inline void expect_same(const struct sdb_iter *a, const struct sdb_iter *b)
{
    test_slice_equal(a->at.key, b->at.key);
    assert_int_equal(a->at.number, b->at.number);
    assert_int_equal(a->at.kind, b->at.kind);
    test_slice_equal(a->at.value, b->at.value);
}

/* b just moved in a direction, as a did: go over some of what it says is plain, which
 * must be what a comes to. */
static inline void take_both(struct sdb_iter *a, struct sdb_iter *b, enum sdb_step step,
                             struct sdb_rand *r)
{
    seerdb_err err = {0};
    uint64_t n = sdb_rand_below(r, 2) == 0 ? 0 : sdb_rand_below(r, b->plain + 1ull);
    assert_true(b->plain == 0 || b->block != NULL);
    for (; n > 0; n--) {
        test_ok(step == SDB_STEP_FORWARD ? a->ops->next(a, &err)
                                         : a->ops->prev(a, &err),
                &err);
        sdb_iter_take(b, step);
        expect_same(a, b);
    }
}

/* One random move of both; the same answer must come. */
static inline bool move_both(struct sdb_iter *a, struct sdb_iter *b,
                             const struct list *all, struct sdb_rand *r,
                             bool positioned)
{
    seerdb_err err = {0};
    static const char *const odd[] = {"", "Z", "aaaaaaaa~", "zz", "bcdefghi"};
    seerdb_slice key = test_slice(odd[sdb_rand_below(r, 5)]);
    int ra, rb;
    int step = SDB_STEP_FORWARD; /* 0: none */
    if (all->n > 0 && sdb_rand_below(r, 2) == 0)
        key = all->r[sdb_rand_below(r, all->n)].key;
    if (key.size > 0 && sdb_rand_below(r, 6) == 0)
        key.size--;
    switch (sdb_rand_below(r, positioned ? 20 : 4)) {
    case 0:
        ra = a->ops->first(a, &err), rb = b->ops->first(b, &err);
        break;
    case 1:
        ra = a->ops->last(a, &err), rb = b->ops->last(b, &err);
        step = SDB_STEP_BACKWARD;
        break;
    case 2:
        ra = a->ops->seek(a, key, &err), rb = b->ops->seek(b, key, &err);
        break;
    case 3:
        ra = a->ops->seek_for_prev(a, key, &err),
        rb = b->ops->seek_for_prev(b, key, &err);
        step = SDB_STEP_BACKWARD;
        break;
    case 4:
    case 5:
    case 6:
    case 7:
    case 8:
        ra = a->ops->next(a, &err), rb = b->ops->next(b, &err);
        break;
    case 9:
    case 10:
    case 11:
    case 12:
    case 13:
        ra = a->ops->prev(a, &err), rb = b->ops->prev(b, &err);
        step = SDB_STEP_BACKWARD;
        break;
    default:
        ra = a->ops->older(a, &err), rb = b->ops->older(b, &err);
        assert_int_equal(ra, rb);
        if (rb == 0)
            assert_int_equal(b->plain, 0); /* the direction is open */
        ra = rb = 0;
        step = 0;
        break;
    }
    assert_int_equal(ra, rb);
    if (ra == 0)
        expect_same(a, b);
    if (ra == 0 && step != 0)
        take_both(a, b, (enum sdb_step)step, r);
    return ra == 0;
}

/* A finished table in a file system in memory. */
struct made {
    struct sdb_fs *fs; /* owned */
    seerdb_uuid id;
    uint64_t size;
    struct sdb_table_summary sum; /* without its slices */
};

#define MADE_PATH "000007.tbl"

static inline int write_table(struct sdb_fs *fs, const char *path,
                              const struct sdb_table_writer_options *o,
                              const struct list *l, struct sdb_table_summary *sum,
                              seerdb_err *err)
{
    struct sdb_table_writer *w = NULL;
    struct sdb_file *f = NULL;
    int rc = sdb_fs_open(fs, path, SDB_CREATE, SDB_FOR_FLUSH, &f, err);
    if (rc != 0)
        goto out;
    if ((rc = sdb_table_writer_new(f, o, &w, err)) != 0)
        goto out;
    for (unsigned i = 0; i < l->n; i++)
        sdb_table_writer_add(w, &l->r[i]);
    if ((rc = sdb_table_writer_finish(w, sum, err)) != 0)
        goto out;
    if (sum->smallest.size != l->r[0].key.size ||
        sum->largest.size != l->r[l->n - 1].key.size)
        fail_msg("the summary's bounds are not the records'");
    sum->smallest = sum->largest = (seerdb_slice){NULL, 0};
out:
    sdb_table_writer_free(w);
    sdb_file_close(f);
    return rc;
}

/* Options whose bounds are the list's. */
static inline struct sdb_table_writer_options options_for(const struct list *l)
{
    return (struct sdb_table_writer_options){.smallest = l->r[0].key,
                                             .largest = l->r[l->n - 1].key};
}

static inline struct made make_table(const struct sdb_table_writer_options *o,
                                     const struct list *l)
{
    struct made m = {.fs = sdb_memfs_new(false)};
    seerdb_err err = {0};
    assert_non_null(m.fs);
    test_ok(write_table(m.fs, MADE_PATH, o, l, &m.sum, &err), &err);
    m.id = m.sum.id;
    m.size = m.sum.file_size;
    return m;
}

static inline int open_made(const struct made *m, struct sdb_table **out,
                            seerdb_err *err)
{
    struct sdb_file *f = NULL;
    int rc = sdb_fs_open(m->fs, MADE_PATH, SDB_READ, SDB_FOR_READ, &f, err);
    return rc != 0 ? rc : sdb_table_open(f, &m->id, m->size, out, err);
}

static inline int table_get(struct sdb_table *t, seerdb_slice key, uint64_t ceiling,
                            struct sdb_found *out, seerdb_err *err)
{
    return sdb_table_get(t, &(struct sdb_lookup){.key = key}, ceiling, out, err);
}

/* All bytes of the table's file, to be freed. */
static inline uint8_t *made_bytes(const struct made *m)
{
    struct sdb_file *f = NULL;
    seerdb_err err = {0};
    uint8_t *bytes = malloc((size_t)m->size);
    assert_non_null(bytes);
    test_ok(sdb_fs_open(m->fs, MADE_PATH, SDB_READ, SDB_FOR_READ, &f, &err), &err);
    test_ok(sdb_file_read_at(f, 0, bytes, (size_t)m->size, &err), &err);
    sdb_file_close(f);
    return bytes;
}

/* Overwrite bytes of the table's file. */
static inline void made_write(const struct made *m, uint64_t off, const void *p,
                              size_t n)
{
    struct sdb_file *f = NULL;
    seerdb_err err = {0};
    test_ok(sdb_fs_open(m->fs, MADE_PATH, SDB_READWRITE, SDB_FOR_OTHER, &f, &err),
            &err);
    test_ok(sdb_file_write_at(f, off, (seerdb_slice){p, n}, &err), &err);
    sdb_file_close(f);
}

#endif
