/* SPDX-License-Identifier: Apache-2.0
 *
 * The index is read again for the audit, not taken from memory: the file is what is
 * audited.
 */
#include "table/table_verify.h"

#include "base/interrupt.h"
#include "table/table_cursor.h"

/* What has been seen of the blocks so far. */
struct audit {
    struct sdb_table *table; /* its index as read for the audit; borrows the file */
    struct sdb_table_properties seen;
    struct sdb_buf first_key, last_key;
    uint64_t last_number;
    uint64_t keys;      /* distinct */
    uint64_t last_code; /* of the last distinct one */
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
    if (i == 0 || t->index.separators == NULL)
        return NULL;
    seerdb_slice s = t->index.separators[i], before = sdb_buf_slice(&a->last_key);
    bool same = sdb_slice_equal(before, key);
    int low = sdb_slice_cmp(before, s);
    if (sdb_slice_cmp(s, key) > 0 || low > 0 || (low == 0 && !same))
        return "its separator does not separate it from the block before";
    return NULL;
}

/* What filter and model say of a key's first record. */
static const char *audit_key(struct audit *a, seerdb_slice key, uint64_t code,
                             uint64_t rank)
{
    const struct sdb_table_index *x = &a->table->index;
    bool fresh = a->keys == 0 || code != a->last_code;
    uint64_t last = (uint64_t)x->n * SDB_BLOCK_SLOTS - 1;
    a->keys++;
    a->last_code = code;
    if (x->filter.n > 0 && !sdb_filter_has(&x->filter, sdb_filter_hash(key)))
        return "the filter does not have one of its keys";
    if (x->learned.nruns > 0 && !sdb_learned_has(&x->learned, &x->coder, key, code))
        return "the model's runs do not have one of its keys";
    if (fresh && x->learned.nsegments > 0) {
        uint64_t predicted = sdb_learned_rank(&x->learned, code, last);
        uint64_t off = predicted > rank ? predicted - rank : rank - predicted;
        if (off > (uint64_t)x->learned.eps + 1) /* rounding */
            return "the model's prediction is not within its bound";
    }
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
        uint64_t stored = sdb_block_column(b->codes, b->code_width, s);
        bool same = b->code_width == 0 ? code == sdb_table_index_fence(&t->index, i)
                                       : code >= b->code_base &&
                                             stored == sdb_block_stored_code(b, code);
        if (order > 0 || (order == 0 && a->last_number <= r.number))
            wrong = "records out of order";
        else if (sdb_block_is_older(b, s) != (order == 0))
            wrong = "a record is wrongly marked as version of the one before";
        else if (!same)
            wrong = "a code is not that of its key";
        else if (order != 0)
            wrong = audit_key(a, r.key, code, (uint64_t)i * SDB_BLOCK_SLOTS + s);
        if (a->seen.records == 0)
            sdb_buf_append_slice(&a->first_key, r.key);
        count_seen(a, &r);
        a->last_number = r.number;
        sdb_buf_clear(&a->last_key);
        sdb_buf_append_slice(&a->last_key, r.key);
        if (a->last_key.failed || a->first_key.failed)
            return sdb_fail_nomem(err, r.key.size);
    }
    return wrong == NULL ? 0 : fail_audit(a, off, wrong, err);
}

static int audit_data(struct audit *a, uint32_t i, seerdb_err *err)
{
    struct sdb_table *t = a->table;
    uint64_t off = sdb_table_index_off(&t->index, i);
    uint32_t size = sdb_table_index_size(&t->index, i);
    size_t padded = (size_t)sdb_table_align(size);
    struct sdb_loaded *l = sdb_loaded_new(NULL, padded, err);
    int rc;
    if (l == NULL)
        return SEERDB_NOMEM;
    if ((rc = sdb_file_read_for(t->file, SDB_FOR_VERIFY, off, sdb_loaded_bytes(l),
                                padded, err)) != 0)
        goto out;
    if ((rc = check_zeros(t, off + size, sdb_loaded_bytes(l) + size, padded - size,
                          err)) != 0)
        goto out;
    if ((rc = sdb_table_open_stored(t, off, &l, size, err)) != 0)
        goto out;
    rc = audit_block(a, i, off, &l->block, err);
out:
    seerdb_pin_unref(&l->pin);
    return rc;
}

/* What the ranges add to what was seen of the records. */
static void count_ranges(struct audit *a)
{
    struct sdb_table_properties *s = &a->seen;
    const struct sdb_ranges *ranges = a->table->index.ranges;
    s->smallest = sdb_buf_slice(&a->first_key);
    s->largest = sdb_buf_slice(&a->last_key);
    s->ranges = sdb_ranges_count(ranges);
    for (size_t i = 0; i < s->ranges; i++) {
        const struct sdb_range *r = sdb_ranges_at(ranges, i);
        s->min_number = r->number < s->min_number ? r->number : s->min_number;
        s->max_number = r->number > s->max_number ? r->number : s->max_number;
        if (sdb_slice_cmp(r->start, s->smallest) < 0)
            s->smallest = r->start;
        if (sdb_slice_cmp(r->end, s->largest) > 0) {
            s->largest = r->end;
            s->open_end = true;
        }
    }
}

static int audit_meta(const struct audit *a, seerdb_err *err)
{
    const struct sdb_table *t = a->table;
    const struct sdb_table_properties *p = &t->index.props, *s = &a->seen;
    size_t props = t->index.parts[SDB_PART_PROPERTIES].off;
    for (size_t i = 0; i < SDB_PARTS; i++) {
        size_t end = t->index.parts[i].off + t->index.parts[i].size;
        size_t padding = (size_t)sdb_table_align(end) - end;
        int rc =
            check_zeros(t, t->index.meta_off + end, t->index.meta + end, padding, err);
        if (rc != 0)
            return rc;
    }
    if ((t->index.filter.n > 0 && t->index.filter.keys != a->keys) ||
        (t->index.learned.nruns > 0 && sdb_learned_keys(&t->index.learned) != a->keys))
        return sdb_fail(err, SEERDB_CORRUPT,
                        "%s: filter or model at %" PRIu64
                        " do not stand for the %" PRIu64 " keys of the table",
                        t->file->path, t->index.meta_off, a->keys);
    if (p->records != s->records || p->tombstones != s->tombstones ||
        p->key_bytes != s->key_bytes || p->value_bytes != s->value_bytes ||
        p->min_number != s->min_number || p->max_number != s->max_number ||
        p->ranges != s->ranges || p->open_end != s->open_end ||
        !sdb_slice_equal(p->smallest, s->smallest) ||
        !sdb_slice_equal(p->largest, s->largest))
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
    atomic_init(&fresh.map, NULL); /* what the map shows is not looked at */
    atomic_init(&fresh.codec, NULL);
    if ((rc = sdb_table_index_load(&fresh.index, t->file, &t->index.id, t->index.size,
                                   SDB_FOR_VERIFY, err)) != 0)
        goto out;
    for (uint32_t i = 0; i < fresh.index.n; i++)
        if ((rc = sdb_interrupted(err)) != 0 || (rc = audit_data(&a, i, err)) != 0)
            goto out;
    count_ranges(&a);
    rc = audit_meta(&a, err);
out:
    sdb_buf_fini(&a.first_key);
    sdb_buf_fini(&a.last_key);
    sdb_codec_free(atomic_load_explicit(&fresh.codec, memory_order_relaxed));
    sdb_table_index_fini(&fresh.index);
    return rc;
}
