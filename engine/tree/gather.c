/* SPDX-License-Identifier: Apache-2.0
 *
 * Cumulating keeps the chain of a hot key short while it is in memory: each new version
 * includes the ones before, so that a read takes one step, or two where a large value
 * lies beneath.  The older versions stay for older readers.  What would grow with each
 * step (a long list, a long string) is left alone beyond `most`: copying it every time
 * would take more than reading a chain ever does. */
#include "tree/gather.h"

int sdb_gather(struct sdb_merging *m, struct sdb_iter *it, seerdb_err *err)
{
    sdb_merging_begin(m);
    for (int rc;;) {
        if (it->at.kind != SDB_KIND_MERGE)
            return 0;
        if ((rc = sdb_merging_add(m, &it->at, err)) != 0)
            return rc;
        do
            if ((rc = it->ops->older(it, err)) != 0 ||
                (rc = sdb_iter_pass(it, err)) != 0)
                return rc;
        while (!sdb_merging_wants(m, it->at.number));
    }
}

/* Is there an older version that counts?  0, NOTFOUND. */
static int next_of_commit(const struct sdb_gather_commit *c, struct sdb_iter *it,
                          seerdb_err *err)
{
    int rc;
    do
        if ((rc = it->ops->older(it, err)) != 0)
            return rc;
    while (!sdb_merging_wants(c->merging, it->at.number));
    bool counts =
        it->at.number > c->above &&
        sdb_ranges_cover(c->ranges, it->at.key, UINT64_MAX, NULL) < it->at.number;
    return counts ? 0 : SEERDB_NOTFOUND;
}

/* The record is all that the commit says: as it is, but for what it includes. */
static int put_alone(const struct sdb_gather_commit *c, const struct sdb_record *only,
                     seerdb_slice operand, struct sdb_record *r, seerdb_err *err)
{
    struct sdb_buf *list = &c->merging->list;
    r->key = only->key;
    r->value = only->value;
    if (*(const uint8_t *)only->value.data == 0) /* nothing but itself */
        return 0;
    sdb_buf_clear(list);
    sdb_operands_put_only(list, 0, operand);
    r->value = sdb_buf_slice(list);
    return sdb_buf_check(list, err);
}

int sdb_gather_commit(const struct sdb_gather_commit *c, struct sdb_iter *it,
                      struct sdb_record *r, seerdb_err *err)
{
    const struct sdb_record first = it->at;
    seerdb_slice operand;
    int rc = 0;
    c->merging->hurried = false;
    sdb_merging_begin(c->merging);
    if (c->stays && sdb_merging_single(c->merging, &first, &operand)) {
        if ((rc = next_of_commit(c, it, err)) == SEERDB_NOTFOUND)
            return put_alone(c, &first, operand, r, err);
        if (rc == 0)
            rc = sdb_merging_add(c->merging, &first, err);
    }
    while (rc == 0 && it->at.kind == SDB_KIND_MERGE)
        if ((rc = sdb_merging_add(c->merging, &it->at, err)) == 0)
            rc = next_of_commit(c, it, err);
    if (rc < 0)
        return rc;
    r->key = it->at.key;
    if (rc == SEERDB_NOTFOUND)
        return sdb_merging_list(c->merging, c->op, r->key, 0, &r->value, err);
    seerdb_value base = {.bytes = it->at.value};
    if (it->at.kind == SDB_KIND_SEGMENTS &&
        (rc = c->resolve(c->resolve_ctx, &it->at, &base, err)) != 0)
        return rc;
    rc = sdb_merging_full(c->merging, c->op, r->key,
                          it->at.kind == SDB_KIND_TOMBSTONE ? NULL : &base.bytes,
                          &r->value, err);
    seerdb_pin_unref(base.pin);
    r->kind = rc == SEERDB_NOTFOUND ? SDB_KIND_TOMBSTONE : SDB_KIND_VALUE;
    if (rc == SEERDB_NOTFOUND)
        r->value = (seerdb_slice){0};
    return rc == SEERDB_NOTFOUND ? 0 : rc;
}

/* Is the version to be built upon, and not deleted by a range of the memtable? */
static bool may_build_upon(const struct sdb_cumulate *c, struct sdb_memtable *m,
                           const struct sdb_found *found)
{
    struct sdb_ranges *ranges = NULL;
    if (found->number <= c->above)
        return false;
    if (!sdb_memtable_has_ranges(m))
        return true;
    if (sdb_memtable_ranges(m, &ranges, NULL) != 0) /* no memory: apart is right, too */
        return false;
    bool deleted =
        sdb_ranges_cover(ranges, found->key, UINT64_MAX, c->hidden) > found->number;
    sdb_ranges_unref(ranges);
    return !deleted;
}

/* Make a list of both.  Failures do not matter: the record stays as it is. */
static void add_to_list(const struct sdb_cumulate *c, const struct sdb_found *found,
                        struct sdb_record *r)
{
    struct sdb_merging *m = c->merging;
    struct sdb_record older = {found->key, found->number, SDB_KIND_MERGE, found->value};
    seerdb_slice list, both[2];
    uint64_t from, own;
    if (found->value.size > c->most)
        return;
    /* Mostly there are two operands, and one comes of them. */
    if (sdb_operands_only(found->value, &from, &both[0]) &&
        sdb_operands_only(r->value, &own, &both[1])) {
        from = from != 0 ? from : found->number;
        if (sdb_merging_two(m, c->op, r->key, both, from, &list) &&
            list.size <= c->most)
            r->value = list;
        return;
    }
    sdb_merging_begin(m);
    if (sdb_merging_add(m, r, NULL) == 0 && sdb_merging_add(m, &older, NULL) == 0 &&
        sdb_merging_list(m, c->op, r->key, m->below, &list, NULL) == 0 &&
        list.size <= c->most)
        r->value = list;
}

static int build_upon(const struct sdb_cumulate *c, const struct sdb_found *found,
                      struct sdb_record *r, seerdb_err *err)
{
    seerdb_slice value;
    if (found->value.size > 2 * c->most || found->kind == SDB_KIND_SEGMENTS)
        return 0;
    int rc = sdb_merging_apply(c->merging, c->op, r,
                               found->kind == SDB_KIND_VALUE ? &found->value : NULL,
                               &value, err);
    if (rc < 0)
        return rc;
    if (rc == SEERDB_NOTFOUND) {
        r->kind = SDB_KIND_TOMBSTONE;
        r->value = (seerdb_slice){0};
    } else if (value.size <= c->most) {
        r->kind = SDB_KIND_VALUE;
        r->value = value;
    }
    return 0;
}

/* What a record is made into, now that its place in the memtable is known. */
struct making {
    const struct sdb_cumulate *c;
    struct sdb_memtable *m;
};

static int take_in(void *ctx, const struct sdb_found *found, struct sdb_record *r,
                   seerdb_err *err)
{
    const struct making *mk = ctx;
    const struct sdb_cumulate *c = mk->c;
    if (!may_build_upon(c, mk->m, found))
        return 0;
    c->merging->hurried = c->hurried;
    if (found->kind != SDB_KIND_MERGE) {
        int rc = build_upon(c, found, r, c->tolerant ? NULL : err);
        return c->tolerant ? 0 : rc;
    }
    if (c->op->partial != NULL)
        add_to_list(c, found, r);
    return 0;
}

/* Failures do not matter: the record stays as it is. */
static void build_upon_beneath(const struct sdb_cumulate *c, struct sdb_memtable *m,
                               struct sdb_record *r)
{
    struct sdb_found found;
    if (sdb_memtable_has_ranges(m) || sdb_memtable_has_ranges(c->beneath))
        return;
    if (sdb_memtable_get(m, r->key, UINT64_MAX, NULL, &found) == 0) {
        seerdb_pin_unref(found.pin);
        return;
    }
    if (sdb_memtable_get(c->beneath, r->key, UINT64_MAX, c->hidden, &found) != 0)
        return;
    c->merging->hurried = c->hurried;
    if (found.kind != SDB_KIND_MERGE && found.number > c->beneath_from)
        (void)!build_upon(c, &found, r, NULL);
    seerdb_pin_unref(found.pin);
}

int sdb_cumulate(const struct sdb_cumulate *c, struct sdb_memtable *m,
                 struct sdb_record *r, seerdb_err *err)
{
    if (SDB_RARELY(c->beneath != NULL))
        build_upon_beneath(c, m, r);
    struct making mk = {c, m};
    const struct sdb_maker maker = {c->hidden, take_in, &mk};
    return sdb_memtable_make(m, r, &maker, err);
}
