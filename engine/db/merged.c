/* SPDX-License-Identifier: Apache-2.0
 *
 * Most lookups of merged keys find one record in a memtable and what it builds upon in
 * a table, so they go down the sources by themselves, from the newest to the oldest as
 * others do; each version is copied, and a chain in a memtable is walked once.  Where a
 * batch, range tombstones or spilled commits are in sight an iterator does it, which
 * knows all of that. */
#include "db/merged.h"

#include "db/view.h"

#define KEPT_MAX ((size_t)16 << 10) /* bytes of scratch that stay with a view */

int sdb_merged_row(const seerdb_view *view, struct sdb_merging *merging,
                   seerdb_slice key, const struct sdb_record *base,
                   struct seerdb_filter_out *scratch, seerdb_value *out,
                   seerdb_err *err)
{
    seerdb_tree *t = view->tree;
    seerdb_value whole = {0}, row = {0}, sifted = {0};
    struct sdb_record r = {.key = key, .kind = SDB_KIND_VALUE};
    bool based = base != NULL && base->kind != SDB_KIND_TOMBSTONE;
    int rc = 0;
    if (based)
        whole.bytes = base->value;
    if (based && base->kind == SDB_KIND_SEGMENTS)
        rc = sdb_values_whole(t->db->values, key, base->value, &whole, err);
    merging->hurried = false;
    if (rc == 0)
        rc = sdb_merging_full(merging, sdb_tree_merge(t), key,
                              based ? &whole.bytes : NULL, &r.value, err);
    if (rc == 0)
        rc = sdb_row_copy(key, r.value, &row, err);
    if (rc == 0 && view->sieve != NULL &&
        (rc = sdb_row_make(view, &r, scratch, &sifted, err)) == 0 &&
        sifted.pin != NULL) { /* it was changed */
        seerdb_pin_unref(row.pin);
        row = sifted;
    }
    seerdb_pin_unref(whole.pin);
    if (rc == 0)
        *out = row;
    else
        seerdb_pin_unref(row.pin);
    return rc;
}

/* A lookup on its way down a key's chain. */
struct descent {
    struct sdb_merging *merging; /* the view's, so that few reads take memory */
    struct sdb_record base;      /* once it has one */
    seerdb_pin *pin;             /* counted: of base; NULL: a memtable's */
    bool based;
    seerdb_err *err;
};

static int descend(void *ctx, const struct sdb_record *r)
{
    struct descent *d = ctx;
    if (!sdb_merging_wants(d->merging, r->number))
        return 0;
    if (r->kind == SDB_KIND_MERGE)
        return sdb_merging_add(d->merging, r, d->err);
    d->base = *r;
    d->based = true;
    return SEERDB_NOTFOUND;
}

/* All versions of the key in a table that the chain comes to. */
static int descend_in_table(struct descent *d, const struct sdb_member *m,
                            struct sdb_lookup *key, uint64_t ceiling)
{
    int rc = 0;
    while (rc == 0 && !d->based) {
        struct sdb_found found = {0};
        uint64_t below = d->merging->below; /* at first all numbers are */
        rc = sdb_member_get(m, key, below > ceiling ? ceiling : below - 1, &found,
                            d->err);
        if (rc != 0)
            break;
        rc = descend(
            d, &(struct sdb_record){found.key, found.number, found.kind, found.value});
        if (d->based)
            d->pin = found.pin;
        else
            seerdb_pin_unref(found.pin);
    }
    return rc == SEERDB_NOTFOUND ? 0 : rc;
}

/* Look a merged key up where neither a batch nor a range tombstone is in sight, and no
 * spilled commit waits. */
static int get_merged(seerdb_view *view, seerdb_slice key, seerdb_value *out,
                      seerdb_err *err)
{
    const struct sdb_read_state *s = view->state;
    struct descent d = {.merging = &view->merging, .err = err};
    struct sdb_lookup l = {.key = key};
    struct seerdb_filter_out scratch = {0};
    struct sdb_places places;
    int rc = 0;
    sdb_merging_begin(d.merging);
    for (size_t i = 0; i < s->nmemtables && rc == 0 && !d.based; i++) {
        rc = sdb_memtable_walk(s->memtables[i], key, view->number, view->hidden,
                               descend, &d);
        rc = rc == SEERDB_NOTFOUND ? 0 : rc;
    }
    if (rc == 0 && !d.based)
        sdb_version_find(s->version, &l, &places);
    for (uint32_t i = 0; i < s->version->nruns && rc == 0 && !d.based; i++) {
        const struct sdb_member *m = sdb_places_at(&places, s->version, i, key);
        if (m != NULL)
            rc = descend_in_table(&d, m, &l, view->number);
    }
    if (rc == 0)
        rc = sdb_merged_row(view, d.merging, key, d.based ? &d.base : NULL, &scratch,
                            out, err);
    seerdb_pin_unref(d.pin);
    if (d.merging->bytes.capacity + d.merging->out.bytes.capacity > KEPT_MAX)
        sdb_merging_fini(d.merging);
    sdb_buf_fini(&scratch.bytes);
    return rc;
}

/* The same wherever it lies. */
static int get_anywhere(seerdb_view *view, seerdb_batch *batch, uint64_t mark,
                        seerdb_slice key, seerdb_value *out, seerdb_err *err)
{
    seerdb_iter *it = NULL;
    struct sdb_buf end = {0}; /* the key after it */
    sdb_buf_append_slice(&end, key);
    sdb_put_u8(&end, 0);
    int rc = sdb_buf_check(&end, err);
    if (rc == 0 && (rc = seerdb_iter_open(view, batch, mark, &it, err)) == 0 &&
        (rc = seerdb_iter_bound(it, key, sdb_buf_slice(&end), err)) == 0 &&
        (rc = seerdb_iter_first(it, err)) == 0) {
        seerdb_iter_show(it, out);
        out->pin = seerdb_pin_ref(out->pin);
    }
    seerdb_iter_close(it);
    sdb_buf_fini(&end);
    return rc;
}

int sdb_merged_get(const struct sdb_sight *sight, seerdb_view *view,
                   seerdb_batch *batch, seerdb_slice key, seerdb_value *out,
                   seerdb_err *err)
{
    int rc = sdb_tree_check_merge(view->tree, err);
    if (rc != 0)
        return rc;
    if (sight->part != NULL || view->state->pendings != NULL || sdb_cover_any(sight))
        return get_anywhere(view, batch, sight->mark, key, out, err);
    return get_merged(view, key, out, err);
}
