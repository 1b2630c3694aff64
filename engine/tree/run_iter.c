/* SPDX-License-Identifier: Apache-2.0
 *
 * A table of which the ceiling hides everything has no first and no last key: the walk
 * passes on to its neighbour, as it does at a table's end. */
#include "tree/run_iter.h"

#include "base/mem.h"
#include "table/table_iter.h"

struct run_iter {
    struct sdb_iter it;
    struct sdb_version *version; /* counted */
    uint32_t first, end;         /* its members */
    uint32_t place;              /* of the table that is open */
    uint64_t ceiling;
    struct sdb_iter *table; /* owned; NULL: none is open */
};

static struct run_iter *self(struct sdb_iter *it)
{
    return (struct run_iter *)it; /* its first member */
}

static int open_table(struct run_iter *r, uint32_t place, seerdb_err *err)
{
    if (r->table != NULL && r->place == place)
        return 0;
    sdb_iter_close(r->table);
    r->table = NULL;
    r->place = place;
    return sdb_table_iter(r->version->members[place]->table, r->ceiling, &r->table,
                          err);
}

/* The open table answered rc. */
static int show(struct run_iter *r, int rc)
{
    if (rc == 0) {
        r->it.at = r->table->at;
        r->it.pin = r->table->pin;
    }
    return rc;
}

/* The open table answered rc: at its end go on with the tables behind it. */
static int go_on(struct run_iter *r, int rc, seerdb_err *err)
{
    while (rc == SEERDB_NOTFOUND && r->place + 1 < r->end)
        if ((rc = open_table(r, r->place + 1, err)) == 0)
            rc = r->table->ops->first(r->table, err);
    return show(r, rc);
}

static int go_back(struct run_iter *r, int rc, seerdb_err *err)
{
    while (rc == SEERDB_NOTFOUND && r->place > r->first)
        if ((rc = open_table(r, r->place - 1, err)) == 0)
            rc = r->table->ops->last(r->table, err);
    return show(r, rc);
}

static int iter_first(struct sdb_iter *it, seerdb_err *err)
{
    struct run_iter *r = self(it);
    int rc = open_table(r, r->first, err);
    return rc != 0 ? rc : go_on(r, r->table->ops->first(r->table, err), err);
}

static int iter_last(struct sdb_iter *it, seerdb_err *err)
{
    struct run_iter *r = self(it);
    int rc = open_table(r, r->end - 1, err);
    return rc != 0 ? rc : go_back(r, r->table->ops->last(r->table, err), err);
}

static uint32_t place_of(const struct run_iter *r, seerdb_slice key)
{
    struct sdb_run run = {.first = r->first, .n = r->end - r->first};
    return sdb_run_seek(r->version, &run, key);
}

static int iter_seek(struct sdb_iter *it, seerdb_slice key, seerdb_err *err)
{
    struct run_iter *r = self(it);
    uint32_t place = place_of(r, key);
    if (place == r->end)
        return SEERDB_NOTFOUND;
    int rc = open_table(r, place, err);
    return rc != 0 ? rc : go_on(r, r->table->ops->seek(r->table, key, err), err);
}

static int iter_seek_for_prev(struct sdb_iter *it, seerdb_slice key, seerdb_err *err)
{
    struct run_iter *r = self(it);
    uint32_t place = place_of(r, key);
    if (place == r->end)
        return iter_last(it, err);
    int rc = open_table(r, place, err);
    if (rc != 0)
        return rc;
    return go_back(r, r->table->ops->seek_for_prev(r->table, key, err), err);
}

static int iter_next(struct sdb_iter *it, seerdb_err *err)
{
    struct run_iter *r = self(it);
    return go_on(r, r->table->ops->next(r->table, err), err);
}

static int iter_prev(struct sdb_iter *it, seerdb_err *err)
{
    struct run_iter *r = self(it);
    return go_back(r, r->table->ops->prev(r->table, err), err);
}

static int iter_older(struct sdb_iter *it, seerdb_err *err)
{
    struct run_iter *r = self(it);
    return show(r, r->table->ops->older(r->table, err));
}

static void iter_close(struct sdb_iter *it)
{
    struct run_iter *r = self(it);
    sdb_iter_close(r->table);
    sdb_version_unref(r->version);
    sdb_mem_free(r);
}

int sdb_run_iter(struct sdb_version *v, const struct sdb_run *run, uint64_t ceiling,
                 struct sdb_iter **out, seerdb_err *err)
{
    static const struct sdb_iter_ops ops = {
        iter_first, iter_last, iter_seek,  iter_seek_for_prev,
        iter_next,  iter_prev, iter_older, iter_close,
    };
    struct run_iter *r = sdb_mem_zalloc(sizeof *r);
    if (r == NULL)
        return sdb_fail_nomem(err, sizeof *r);
    r->it.ops = &ops;
    r->version = sdb_version_ref(v);
    r->first = run->first;
    r->end = run->first + run->n;
    r->ceiling = ceiling;
    *out = &r->it;
    return 0;
}
