/* SPDX-License-Identifier: Apache-2.0
 *
 * A search has a target, (key, ceiling) as a place in the order of records, and finds
 * the first record at or after it.  The index narrows it to one block; only where the
 * index cannot tell blocks apart (equal fences, a key whose versions fill
 * several blocks) are first records compared.
 */
#include "table/table_reader.h"

#include "table/block.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdio.h>

struct sdb_table {
    /* Relaxed up; acq_rel down, so that the last one sees all. */
    _Atomic uint32_t count;
    struct sdb_file *file;        /* owned */
    struct sdb_table_index index; /* immutable after open */
    struct sdb_cache *cache;      /* borrowed; NULL: none.  Immutable once shared */
    uint64_t cache_name;
    /* A codec that no thread is using, or NULL; acq_rel: whoever takes it owns it. */
    _Atomic(struct sdb_codec *) codec;
};

/* A data block in memory. */
struct loaded {
    seerdb_pin pin;
    size_t size; /* of the bytes behind it */
    struct sdb_block block;
};
/* Bytes follow at this distance: a stored block then has its codes 64-aligned. */
#define LOADED_SIZE ((sizeof(struct loaded) + 63) & ~(size_t)63)

/* A place in the table: slot may be the block's n, the place after its last record. */
struct cursor {
    struct sdb_table *table; /* borrowed */
    struct loaded *held;     /* one count; NULL: nowhere */
    uint32_t index;          /* of held */
    unsigned slot;
};

static void free_loaded(seerdb_pin *pin)
{
    sdb_mem_free(pin); /* the first member of its struct loaded */
}

static struct loaded *new_loaded(size_t bytes, seerdb_err *err)
{
    struct loaded *l = sdb_mem_aligned(64, LOADED_SIZE + bytes);
    if (l == NULL) {
        sdb_fail_nomem(err, bytes);
        return NULL;
    }
    sdb_pin_init(&l->pin, free_loaded);
    l->size = bytes;
    return l;
}

static uint8_t *loaded_bytes(struct loaded *l)
{
    return (uint8_t *)l + LOADED_SIZE;
}

static int unpack(struct sdb_table *t, uint64_t off, seerdb_slice packed, uint8_t *raw,
                  uint32_t raw_size, seerdb_err *err)
{
    struct sdb_codec *c =
        atomic_exchange_explicit(&t->codec, NULL, memory_order_acq_rel);
    seerdb_err why = {0};
    int rc;
    if (c == NULL && (rc = sdb_codec_new(&c, err)) != 0)
        return rc;
    rc = sdb_codec_decompress(c, packed, raw, raw_size, &why);
    sdb_codec_free(atomic_exchange_explicit(&t->codec, c, memory_order_acq_rel));
    if (rc != 0)
        return sdb_fail(err, rc, "%s: block at %" PRIu64 ": %s", t->file->path, off,
                        why.msg);
    return 0;
}

/* Replace *l, a stored block as read, by the block it is. */
static int open_stored(struct sdb_table *t, uint64_t off, struct loaded **l,
                       uint32_t size, seerdb_err *err)
{
    const uint8_t *stored = loaded_bytes(*l);
    struct sdb_stored head = {0};
    char where[320];
    int rc = sdb_table_index_stored(&t->index, off, stored, size, SDB_BLOCK_DATA, &head,
                                    err);
    if (rc != 0)
        return rc;
    seerdb_slice raw = {stored + SDB_STORED_HEADER, head.stored_size};
    if (head.codec == SDB_CODEC_ZSTD) {
        struct loaded *wide =
            new_loaded(SDB_STORED_HEADER + (size_t)head.raw_size, err);
        if (wide == NULL)
            return SEERDB_NOMEM;
        uint8_t *p = loaded_bytes(wide) + SDB_STORED_HEADER;
        rc = unpack(t, off, raw, p, head.raw_size, err);
        seerdb_pin_unref(&(*l)->pin);
        *l = wide;
        if (rc != 0)
            return rc;
        raw = (seerdb_slice){p, head.raw_size};
    }
    if (sdb_block_parse(raw, "", &(*l)->block, NULL) == 0)
        return 0;
    snprintf(where, sizeof where, "%s: block at %" PRIu64, t->file->path, off);
    return sdb_block_parse(raw, where, &(*l)->block, err);
}

/* Read data block i from the file: one count, the caller's. */
static int read_block(struct sdb_table *t, uint32_t i, struct loaded **out,
                      seerdb_err *err)
{
    uint64_t off = sdb_table_index_off(&t->index, i);
    uint32_t size = sdb_table_index_size(&t->index, i);
    struct loaded *l = new_loaded(size, err);
    int rc;
    if (l == NULL)
        return SEERDB_NOMEM;
    if ((rc = sdb_file_read_for(t->file, SDB_FOR_READ, off, loaded_bytes(l), size,
                                err)) != 0)
        goto out;
    if ((rc = open_stored(t, off, &l, size, err)) != 0)
        goto out;
    *out = l;
    l = NULL;
out:
    if (l != NULL)
        seerdb_pin_unref(&l->pin);
    return rc;
}

/* Data block i: one count, the caller's. */
static int load_block(struct sdb_table *t, uint32_t i, enum sdb_cache_use use,
                      struct loaded **out, seerdb_err *err)
{
    if (t->cache == NULL)
        return read_block(t, i, out, err);
    if ((*out = (struct loaded *)sdb_cache_get(t->cache, t->cache_name, i, use)) !=
        NULL)
        return 0;
    int rc = read_block(t, i, out, err);
    if (rc == 0)
        sdb_cache_put(t->cache, t->cache_name, i, &(*out)->pin,
                      LOADED_SIZE + (*out)->size);
    return rc;
}

/* ---- opening -------------------------------------------------------------- */

int sdb_table_open(struct sdb_file *f, const seerdb_uuid *id, uint64_t file_size,
                   struct sdb_table **out, seerdb_err *err)
{
    struct sdb_table *t = sdb_mem_zalloc(sizeof *t);
    int rc;
    if (t == NULL) {
        sdb_file_close(f);
        return sdb_fail_nomem(err, sizeof *t);
    }
    atomic_init(&t->count, 1);
    atomic_init(&t->codec, NULL);
    t->file = f;
    rc = sdb_table_index_load(&t->index, f, id, file_size, SDB_FOR_READ, err);
    if (rc != 0) {
        sdb_table_unref(t);
        return rc;
    }
    *out = t;
    return 0;
}

void sdb_table_use_cache(struct sdb_table *t, struct sdb_cache *cache)
{
    t->cache = cache;
    t->cache_name = sdb_cache_new_table();
}

struct sdb_table *sdb_table_ref(struct sdb_table *t)
{
    atomic_fetch_add_explicit(&t->count, 1, memory_order_relaxed);
    return t;
}

void sdb_table_unref(struct sdb_table *t)
{
    if (t == NULL || atomic_fetch_sub_explicit(&t->count, 1, memory_order_acq_rel) != 1)
        return;
    sdb_codec_free(atomic_load_explicit(&t->codec, memory_order_acquire));
    sdb_table_index_fini(&t->index);
    sdb_file_close(t->file);
    sdb_mem_free(t);
}

const struct sdb_table_properties *sdb_table_properties(const struct sdb_table *t)
{
    return &t->index.props;
}

size_t sdb_table_memory(const struct sdb_table *t)
{
    return sizeof *t + sdb_table_index_memory(&t->index);
}

/* ---- searching ------------------------------------------------------------ */

/* Stand on block i (slot is left as it was); nothing to do when it is held already. */
static int cursor_load(struct cursor *c, uint32_t i, seerdb_err *err)
{
    struct loaded *l = NULL;
    int rc;
    if (c->held != NULL && c->index == i)
        return 0;
    if ((rc = load_block(c->table, i, SDB_CACHE_POINT, &l, err)) != 0)
        return rc;
    if (c->held != NULL)
        seerdb_pin_unref(&c->held->pin);
    c->held = l;
    c->index = i;
    return 0;
}

/* Order of the record at the cursor against (key, number). */
static int cursor_cmp(const struct cursor *c, seerdb_slice key, uint64_t number)
{
    const struct sdb_block *b = &c->held->block;
    int order = sdb_slice_cmp(sdb_block_key(b, c->slot), key);
    uint64_t mine = sdb_block_number(b, c->slot);
    return order != 0 ? order : (mine < number) - (mine > number);
}

/* Move to the first record at or after (key, ceiling).  *exact: it is of that key.
 * Otherwise the slot may be the block's n: the first record is then in the next
 * block, and not of that key. */
static int cursor_locate(struct cursor *c, seerdb_slice key, uint64_t ceiling,
                         bool *exact, seerdb_err *err)
{
    const struct sdb_table *t = c->table;
    uint64_t code = sdb_code(&t->index.coder, key);
    uint32_t lo, hi, next = UINT32_MAX; /* a block that starts with a version of key */
    int rc;
    sdb_table_index_search(&t->index, code, key, &lo, &hi);
    *exact = false;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        c->slot = 0;
        if ((rc = cursor_load(c, mid, err)) != 0)
            return rc;
        if (cursor_cmp(c, key, ceiling) < 0) {
            lo = mid + 1;
            continue;
        }
        hi = mid;
        next = UINT32_MAX;
        if (sdb_slice_equal(sdb_block_key(&c->held->block, 0), key)) {
            *exact = !sdb_block_is_older(&c->held->block, 0);
            if (*exact) /* the newest version: none before it */
                return 0;
            next = mid;
        }
    }
    /* Block lo is the first that starts at or after the target. */
    if ((rc = cursor_load(c, lo > 0 ? lo - 1 : 0, err)) != 0)
        return rc;
    c->slot = 0;
    if (lo == 0)
        return 0;
    const struct sdb_block *b = &c->held->block;
    c->slot = sdb_block_lower_bound(b, code, key);
    if (c->slot < b->n && sdb_slice_equal(sdb_block_key(b, c->slot), key)) {
        *exact = true;
        while (*exact && sdb_block_number(b, c->slot) > ceiling)
            *exact = ++c->slot < b->n && sdb_block_is_older(b, c->slot);
    }
    if (c->slot == b->n && next != UINT32_MAX) {
        c->slot = 0;
        *exact = true;
        return cursor_load(c, next, err);
    }
    return 0;
}

int sdb_table_get(struct sdb_table *t, seerdb_slice key, uint64_t ceiling,
                  struct sdb_found *out, seerdb_err *err)
{
    struct cursor c = {.table = t};
    struct sdb_record r;
    bool exact;
    int rc = cursor_locate(&c, key, ceiling, &exact, err);
    if (rc == 0 && !exact)
        rc = SEERDB_NOTFOUND;
    if (rc != 0) {
        if (c.held != NULL)
            seerdb_pin_unref(&c.held->pin);
        return rc;
    }
    sdb_block_record(&c.held->block, c.slot, &r);
    *out = (struct sdb_found){r.number, r.kind, r.value, &c.held->pin};
    return 0;
}

/* ---- iterating ------------------------------------------------------------ */

struct table_iter {
    struct sdb_iter it;
    struct cursor c; /* with a count on the table */
    uint64_t ceiling;
};

static struct table_iter *self(struct sdb_iter *it)
{
    return (struct table_iter *)it; /* its first member */
}

static int cursor_forward(struct cursor *c, seerdb_err *err)
{
    if (c->slot + 1 < c->held->block.n) {
        c->slot++;
        return 0;
    }
    if (c->index + 1 == c->table->index.n)
        return SEERDB_NOTFOUND;
    c->slot = 0;
    return cursor_load(c, c->index + 1, err);
}

static int cursor_backward(struct cursor *c, seerdb_err *err)
{
    int rc;
    if (c->slot > 0) {
        c->slot--;
        return 0;
    }
    if (c->index == 0)
        return SEERDB_NOTFOUND;
    if ((rc = cursor_load(c, c->index - 1, err)) == 0)
        c->slot = c->held->block.n - 1;
    return rc;
}

static int cursor_last(struct cursor *c, seerdb_err *err)
{
    int rc = cursor_load(c, c->table->index.n - 1, err);
    if (rc == 0)
        c->slot = c->held->block.n - 1;
    return rc;
}

static bool is_older(const struct cursor *c)
{
    return sdb_block_is_older(&c->held->block, c->slot);
}

static bool is_visible(const struct table_iter *t)
{
    return sdb_block_number(&t->c.held->block, t->c.slot) <= t->ceiling;
}

static int show(struct table_iter *t)
{
    sdb_block_record(&t->c.held->block, t->c.slot, &t->it.at);
    t->it.pin = &t->c.held->pin;
    return 0;
}

/* Go on from the cursor, the newest version of a key, to the first visible record. */
static int settle_forward(struct table_iter *t, seerdb_err *err)
{
    while (!is_visible(t)) {
        int rc = cursor_forward(&t->c, err);
        if (rc != 0)
            return rc;
    }
    return show(t);
}

/* Go back from the cursor, the oldest version of a key or an invisible one, to the
 * newest visible version of the first key that has one. */
static int settle_backward(struct table_iter *t, seerdb_err *err)
{
    int rc;
    while (!is_visible(t))
        if ((rc = cursor_backward(&t->c, err)) != 0)
            return rc;
    while (is_older(&t->c)) {
        if ((rc = cursor_backward(&t->c, err)) != 0)
            return rc;
        if (!is_visible(t)) {
            if ((rc = cursor_forward(&t->c, err)) != 0)
                return rc;
            break;
        }
    }
    return show(t);
}

static int iter_first(struct sdb_iter *it, seerdb_err *err)
{
    int rc = cursor_load(&self(it)->c, 0, err);
    self(it)->c.slot = 0;
    return rc != 0 ? rc : settle_forward(self(it), err);
}

static int iter_last(struct sdb_iter *it, seerdb_err *err)
{
    int rc = cursor_last(&self(it)->c, err);
    return rc != 0 ? rc : settle_backward(self(it), err);
}

static int iter_seek(struct sdb_iter *it, seerdb_slice key, seerdb_err *err)
{
    struct table_iter *t = self(it);
    bool exact;
    int rc = cursor_locate(&t->c, key, t->ceiling, &exact, err);
    if (rc != 0)
        return rc;
    if (t->c.slot == t->c.held->block.n) {
        t->c.slot--;
        if ((rc = cursor_forward(&t->c, err)) != 0)
            return rc;
    }
    return exact ? show(t) : settle_forward(t, err);
}

static int iter_seek_for_prev(struct sdb_iter *it, seerdb_slice key, seerdb_err *err)
{
    struct table_iter *t = self(it);
    bool exact;
    int rc = cursor_locate(&t->c, key, t->ceiling, &exact, err);
    if (rc != 0 || exact)
        return rc != 0 ? rc : show(t);
    /* Before it is an invisible version of key or the oldest of a smaller one. */
    if ((rc = cursor_backward(&t->c, err)) != 0)
        return rc;
    return settle_backward(t, err);
}

static int iter_next(struct sdb_iter *it, seerdb_err *err)
{
    struct table_iter *t = self(it);
    bool left = false; /* the key that was shown */
    int rc;
    do {
        if ((rc = cursor_forward(&t->c, err)) != 0)
            return rc;
        left |= !is_older(&t->c);
    } while (!left || !is_visible(t));
    return show(t);
}

static int iter_prev(struct sdb_iter *it, seerdb_err *err)
{
    struct table_iter *t = self(it);
    bool newest;
    int rc;
    do {
        newest = !is_older(&t->c);
        if ((rc = cursor_backward(&t->c, err)) != 0)
            return rc;
    } while (!newest);
    return settle_backward(t, err);
}

/* Whether the block after the held one may start with a version of the last key. */
static bool key_may_go_on(const struct cursor *c)
{
    const struct sdb_table *t = c->table;
    seerdb_slice key = sdb_block_key(&c->held->block, c->slot);
    if (c->index + 1 == t->index.n)
        return false;
    if (t->index.separators != NULL)
        return sdb_slice_equal(t->index.separators[c->index + 1], key);
    return sdb_table_index_fence(&t->index, c->index + 1) ==
           sdb_code(&t->index.coder, key);
}

static int iter_older(struct sdb_iter *it, seerdb_err *err)
{
    struct table_iter *t = self(it);
    const struct sdb_block *b = &t->c.held->block;
    struct loaded *l = NULL;
    int rc;
    if (t->c.slot + 1 < b->n) {
        if (!sdb_block_is_older(b, t->c.slot + 1))
            return SEERDB_NOTFOUND;
        t->c.slot++;
        return show(t);
    }
    if (!key_may_go_on(&t->c))
        return SEERDB_NOTFOUND;
    if ((rc = load_block(t->c.table, t->c.index + 1, SDB_CACHE_SCAN, &l, err)) != 0)
        return rc;
    if (!sdb_block_is_older(&l->block, 0)) {
        seerdb_pin_unref(&l->pin);
        return SEERDB_NOTFOUND;
    }
    seerdb_pin_unref(&t->c.held->pin);
    t->c = (struct cursor){t->c.table, l, t->c.index + 1, 0};
    return show(t);
}

static void iter_close(struct sdb_iter *it)
{
    struct table_iter *t = self(it);
    if (t->c.held != NULL)
        seerdb_pin_unref(&t->c.held->pin);
    sdb_table_unref(t->c.table);
    sdb_mem_free(t);
}

int sdb_table_iter(struct sdb_table *t, uint64_t ceiling, struct sdb_iter **out,
                   seerdb_err *err)
{
    static const struct sdb_iter_ops ops = {
        iter_first, iter_last, iter_seek,  iter_seek_for_prev,
        iter_next,  iter_prev, iter_older, iter_close,
    };
    struct table_iter *i = sdb_mem_zalloc(sizeof *i);
    if (i == NULL)
        return sdb_fail_nomem(err, sizeof *i);
    i->it.ops = &ops;
    i->c.table = sdb_table_ref(t);
    i->ceiling = ceiling;
    *out = &i->it;
    return 0;
}

/* ---- verifying ------------------------------------------------------------ */

/* What has been seen of the blocks so far. */
struct audit {
    struct sdb_table *table; /* its index as read for the audit; borrows the file */
    struct sdb_table_properties seen;
    struct sdb_buf last_key;
    uint64_t last_number;
};

static int fail_audit(const struct audit *a, uint64_t off, const char *what,
                      seerdb_err *err)
{
    return sdb_fail(err, SEERDB_CORRUPT, "%s: block at %" PRIu64 ": %s",
                    a->table->file->path, off, what);
}

static int check_zeros(const struct sdb_table *t, uint64_t off, const uint8_t *p,
                       size_t n, seerdb_err *err)
{
    for (size_t i = 0; i < n; i++)
        if (p[i] != 0)
            return sdb_fail(err, SEERDB_CORRUPT,
                            "%s: padding at %" PRIu64 " is %02x, expected zero",
                            t->file->path, off + i, p[i]);
    return 0;
}

static void count_seen(struct audit *a, const struct sdb_record *r)
{
    struct sdb_table_properties *s = &a->seen;
    s->min_number =
        s->records == 0 || r->number < s->min_number ? r->number : s->min_number;
    s->max_number = r->number > s->max_number ? r->number : s->max_number;
    s->records++;
    s->tombstones += r->kind == SDB_KIND_TOMBSTONE;
    s->key_bytes += r->key.size;
    s->value_bytes += r->value.size;
}

/* What the index says of block i against its first key. */
static const char *audit_index(const struct audit *a, uint32_t i, seerdb_slice key)
{
    const struct sdb_table *t = a->table;
    if (sdb_table_index_fence(&t->index, i) != sdb_code(&t->index.coder, key))
        return "its fence is not the code of its first key";
    if (i == 0)
        return sdb_slice_equal(t->index.props.smallest, key)
                   ? NULL
                   : "its first key is not the smallest of the properties";
    if (t->index.separators == NULL)
        return NULL;
    seerdb_slice s = t->index.separators[i], before = sdb_buf_slice(&a->last_key);
    bool same = sdb_slice_equal(before, key);
    int low = sdb_slice_cmp(before, s);
    if (sdb_slice_cmp(s, key) > 0 || low > 0 || (low == 0 && !same))
        return "its separator does not separate it from the block before";
    return NULL;
}

static int audit_block(struct audit *a, uint32_t i, uint64_t off,
                       const struct sdb_block *b, seerdb_err *err)
{
    const struct sdb_table *t = a->table;
    const char *wrong = audit_index(a, i, sdb_block_key(b, 0));
    for (unsigned s = 0; wrong == NULL && s < b->n; s++) {
        struct sdb_record r;
        sdb_block_record(b, s, &r);
        seerdb_slice last = sdb_buf_slice(&a->last_key);
        int order = a->seen.records == 0 ? -1 : sdb_slice_cmp(last, r.key);
        uint64_t code = sdb_code(&t->index.coder, r.key);
        uint64_t stored = b->code_width == 0 ? sdb_table_index_fence(&t->index, i)
                                             : sdb_load_u64(b->codes + 8 * s);
        if (order > 0 || (order == 0 && a->last_number <= r.number))
            wrong = "records out of order";
        else if (sdb_block_is_older(b, s) != (order == 0))
            wrong = "a record is wrongly marked as version of the one before";
        else if (stored != code)
            wrong = "a code is not that of its key";
        count_seen(a, &r);
        a->last_number = r.number;
        sdb_buf_clear(&a->last_key);
        sdb_buf_append_slice(&a->last_key, r.key);
        if (a->last_key.failed)
            return sdb_buf_check(&a->last_key, err);
    }
    return wrong == NULL ? 0 : fail_audit(a, off, wrong, err);
}

static int audit_data(struct audit *a, uint32_t i, seerdb_err *err)
{
    struct sdb_table *t = a->table;
    uint64_t off = sdb_table_index_off(&t->index, i);
    uint32_t size = sdb_table_index_size(&t->index, i);
    size_t padded = (size_t)sdb_table_align(size);
    struct loaded *l = new_loaded(padded, err);
    int rc;
    if (l == NULL)
        return SEERDB_NOMEM;
    if ((rc = sdb_file_read_for(t->file, SDB_FOR_VERIFY, off, loaded_bytes(l), padded,
                                err)) != 0)
        goto out;
    if ((rc = check_zeros(t, off + size, loaded_bytes(l) + size, padded - size, err)) !=
        0)
        goto out;
    if ((rc = open_stored(t, off, &l, size, err)) != 0)
        goto out;
    rc = audit_block(a, i, off, &l->block, err);
out:
    seerdb_pin_unref(&l->pin);
    return rc;
}

static int audit_meta(const struct audit *a, seerdb_err *err)
{
    const struct sdb_table *t = a->table;
    const struct sdb_table_properties *p = &t->index.props, *s = &a->seen;
    size_t index = SDB_STORED_HEADER + sdb_load_u32(t->index.meta + 8);
    size_t props = (size_t)sdb_table_align(index);
    size_t end = props + SDB_STORED_HEADER + sdb_load_u32(t->index.meta + props + 8);
    int rc;
    if ((rc = check_zeros(t, t->index.meta_off + index, t->index.meta + index,
                          props - index, err)) != 0)
        return rc;
    if ((rc = check_zeros(t, t->index.meta_off + end, t->index.meta + end,
                          t->index.meta_size - end, err)) != 0)
        return rc;
    if (p->records != s->records || p->tombstones != s->tombstones ||
        p->key_bytes != s->key_bytes || p->value_bytes != s->value_bytes ||
        p->min_number != s->min_number || p->max_number != s->max_number ||
        !sdb_slice_equal(p->largest, sdb_buf_slice(&a->last_key)))
        return sdb_fail(
            err, SEERDB_CORRUPT,
            "%s: properties at %" PRIu64 " do not describe the records: %" PRIu64
            " records, %" PRIu64 " found",
            t->file->path, t->index.meta_off + props, p->records, s->records);
    return 0;
}

int sdb_table_verify(struct sdb_table *t, seerdb_err *err)
{
    struct sdb_table fresh = {.file = t->file};
    struct audit a = {.table = &fresh};
    int rc;
    atomic_init(&fresh.codec, NULL);
    if ((rc = sdb_table_index_load(&fresh.index, t->file, &t->index.id, t->index.size,
                                   SDB_FOR_VERIFY, err)) != 0)
        goto out;
    for (uint32_t i = 0; i < fresh.index.n; i++)
        if ((rc = audit_data(&a, i, err)) != 0)
            goto out;
    rc = audit_meta(&a, err);
out:
    sdb_buf_fini(&a.last_key);
    sdb_codec_free(atomic_load_explicit(&fresh.codec, memory_order_relaxed));
    sdb_table_index_fini(&fresh.index);
    return rc;
}
