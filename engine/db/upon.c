/* SPDX-License-Identifier: Apache-2.0
 *
 * A commit has one record for a key, and none could say "this value, and operands that
 * fail with it".  So where the batch itself has put or deleted the key, the operator
 * must have said yes before an operand is taken in, however large the value is and
 * whatever marks or tables lie between: nothing is left for prepare to fail for, or for
 * what sends the batch to disk, and who wrote the operand is told.  A kind of record
 * that holds both was the other way; then COMMIT would pass, and every later reader of
 * the row would be the first to know.
 *
 * Rolling back to a mark leaves a shorter chain that the operator has seen as well.
 *
 * Each operand costs a look at those before it, so every ALONG_MOST of them a value is
 * made, large as it may be; a small one, always. */
#include "db/upon.h"

#include "table/table_reader.h"

#define ALONG_MOST 16

struct descent {
    struct sdb_merging *merging;
    struct sdb_record base; /* borrowed */
    seerdb_pin *pin;        /* counted: of base; NULL: it is in memory */
    bool based;
    uint64_t deleted; /* by a range: versions up to this number; 0: none */
    seerdb_err *err;
};

/* 0: there may be more; NOTFOUND: that is all. */
static int go_down(void *ctx, const struct sdb_record *r)
{
    struct descent *d = ctx;
    if (d->deleted != 0 && r->number <= d->deleted)
        return SEERDB_NOTFOUND;
    if (r->kind == SDB_KIND_MERGE)
        return sdb_merging_add(d->merging, r, d->err);
    d->base = *r;
    d->based = true;
    return SEERDB_NOTFOUND;
}

/* In tables.  Each has one record of a key at most, and its ranges delete what is in
 * older ones. */
static int go_down_tables(const struct sdb_upon *u, seerdb_slice key, struct descent *d)
{
    struct sdb_lookup l = {.key = key};
    int rc = 0;
    for (uint32_t i = 0; i < u->runs->nruns && rc == 0; i++) {
        const struct sdb_member *m = sdb_run_find(u->runs, &u->runs->runs[i], key);
        struct sdb_found f = {0};
        if (m == NULL ||
            sdb_hidden_covers(u->hidden, m->desc.min_number + 1, m->desc.max_number))
            continue;
        rc = sdb_table_get(m->table, &l, SDB_NUMBER_MAX, &f, d->err);
        if (rc == 0)
            rc = go_down(d, &(struct sdb_record){f.key, f.number, f.kind, f.value});
        else if (rc == SEERDB_NOTFOUND)
            rc = 0;
        if (d->based)
            d->pin = f.pin;
        else
            seerdb_pin_unref(f.pin);
        if (rc == 0 && sdb_ranges_has(sdb_table_ranges(m->table), key))
            break;
    }
    return rc;
}

static int find_base(const struct sdb_upon *u, seerdb_slice key, struct descent *d)
{
    struct sdb_ranges *ranges = NULL;
    int rc = 0;
    if (sdb_memtable_has_ranges(u->memtable) &&
        (rc = sdb_memtable_ranges(u->memtable, &ranges, d->err)) != 0)
        return rc;
    d->deleted = sdb_ranges_cover(ranges, key, UINT64_MAX, u->hidden);
    sdb_ranges_unref(ranges);
    rc = sdb_memtable_walk(u->memtable, key, UINT64_MAX, u->hidden, go_down, d);
    if (rc < 0 || d->based || d->deleted != 0 || u->runs == NULL)
        return rc < 0 ? rc : 0;
    rc = go_down_tables(u, key, d);
    return rc == SEERDB_NOTFOUND ? 0 : rc;
}

/* r becomes the value where that is better. */
static int apply(const struct sdb_upon *u, const struct descent *d,
                 struct sdb_record *r, seerdb_err *err)
{
    seerdb_value base = {.bytes = d->base.value};
    seerdb_slice value;
    int rc = 0;
    if (d->base.kind == SDB_KIND_SEGMENTS)
        rc = sdb_values_resolve(u->values, &d->base, &base, err);
    if (rc == 0)
        rc = sdb_merging_full(u->merging, u->op, r->key,
                              d->base.kind == SDB_KIND_TOMBSTONE ? NULL : &base.bytes,
                              &value, err);
    seerdb_pin_unref(base.pin);
    if (rc == SEERDB_NOTFOUND) {
        r->kind = SDB_KIND_TOMBSTONE;
        r->value = (seerdb_slice){0};
    } else if (rc == 0 && (value.size <= u->small || u->merging->n >= ALONG_MOST)) {
        r->kind = SDB_KIND_VALUE;
        r->value = value;
    }
    return rc < 0 ? rc : 0;
}

int sdb_upon(const struct sdb_upon *u, struct sdb_record *r, seerdb_err *err)
{
    struct descent d = {.merging = u->merging, .err = err};
    u->merging->hurried = false;
    sdb_merging_begin(u->merging);
    int rc = sdb_merging_add(u->merging, r, err);
    if (rc == 0)
        rc = find_base(u, r->key, &d);
    if (rc == 0 && d.based)
        rc = apply(u, &d, r, err);
    seerdb_pin_unref(d.pin);
    return rc;
}
