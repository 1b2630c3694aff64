/* SPDX-License-Identifier: Apache-2.0
 *
 * A table of which the ceiling hides everything has no first and no last key: the walk
 * passes on to its neighbour, as it does at a table's end.  A spilled table holds one
 * version of each key and no numbers: all of it is visible or nothing. */
#include "tree/run_iter.h"

#include "base/mem.h"
#include "table/table_iter.h"

struct run_iter {
    struct sdb_iter it;
    struct sdb_version *version; /* counted */
    uint32_t first, end;         /* its members */
    uint32_t place;              /* of the table that is open */
    struct sdb_run_shown shown;
    struct sdb_iter *table; /* owned; NULL: none was needed yet */
    bool open;              /* it is over the table at place; otherwise at rest */
};

static struct run_iter *self(struct sdb_iter *it)
{
    return (struct run_iter *)it; /* its first member */
}

/* Of a spilled table, the number of its records; 0: they have their own. */
static uint64_t number_of(const struct run_iter *r)
{
    uint64_t commit = r->version->members[r->place]->desc.commit;
    return commit != 0 && r->shown.as != 0 ? r->shown.as : commit;
}

/* Of the table at r->place: may it have something to show? */
static bool is_visible(const struct run_iter *r)
{
    const struct sdb_table_desc *d = &r->version->members[r->place]->desc;
    if (d->commit == 0 || r->shown.as != 0)
        return true;
    return d->commit <= r->shown.ceiling &&
           !sdb_hidden_covers(r->shown.hidden, d->min_number + 1, d->max_number);
}

/* NOTFOUND: it would show nothing. */
static int open_table(struct run_iter *r, uint32_t place, seerdb_err *err)
{
    struct sdb_table *t = r->version->members[place]->table;
    if (r->open && r->place != place) {
        r->table->ops->rest(r->table);
        r->open = false;
    }
    r->place = place;
    if (!is_visible(r))
        return SEERDB_NOTFOUND;
    if (r->open)
        return 0;
    uint64_t ceiling = number_of(r) != 0 ? SDB_NUMBER_MAX : r->shown.ceiling;
    if (r->table != NULL) {
        sdb_table_iter_aim(r->table, t, ceiling);
    } else {
        int rc = sdb_table_iter(t, ceiling, &r->table, err);
        if (rc != 0)
            return rc;
    }
    r->table->interrupt = r->it.interrupt;
    r->open = true;
    return 0;
}

/* The open table answered rc. */
static int show(struct run_iter *r, int rc)
{
    if (rc != 0)
        return rc;
    uint64_t number = number_of(r);
    sdb_iter_show(&r->it, r->table);
    if (number != 0) {
        r->it.at.number = number;
        r->it.as = number;
        if (r->shown.hidden != NULL) /* a rollback may hide the next record */
            r->it.plain = 0;
    }
    return 0;
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
    return go_on(r, rc != 0 ? rc : r->table->ops->first(r->table, err), err);
}

static int iter_last(struct sdb_iter *it, seerdb_err *err)
{
    struct run_iter *r = self(it);
    int rc = open_table(r, r->end - 1, err);
    return go_back(r, rc != 0 ? rc : r->table->ops->last(r->table, err), err);
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
    return go_on(r, rc != 0 ? rc : r->table->ops->seek(r->table, key, err), err);
}

static int iter_seek_for_prev(struct sdb_iter *it, seerdb_slice key, seerdb_err *err)
{
    struct run_iter *r = self(it);
    uint32_t place = place_of(r, key);
    if (place == r->end)
        return iter_last(it, err);
    int rc = open_table(r, place, err);
    return go_back(r, rc != 0 ? rc : r->table->ops->seek_for_prev(r->table, key, err),
                   err);
}

static int iter_next(struct sdb_iter *it, seerdb_err *err)
{
    struct run_iter *r = self(it);
    sdb_iter_follow(r->table, it);
    return go_on(
        r, is_visible(r) ? r->table->ops->next(r->table, err) : SEERDB_NOTFOUND, err);
}

static int iter_prev(struct sdb_iter *it, seerdb_err *err)
{
    struct run_iter *r = self(it);
    sdb_iter_follow(r->table, it);
    return go_back(
        r, is_visible(r) ? r->table->ops->prev(r->table, err) : SEERDB_NOTFOUND, err);
}

static int iter_older(struct sdb_iter *it, seerdb_err *err)
{
    struct run_iter *r = self(it);
    sdb_iter_follow(r->table, it);
    return show(r, r->table->ops->older(r->table, err));
}

static void iter_rest(struct sdb_iter *it)
{
    struct run_iter *r = self(it);
    if (r->open)
        r->table->ops->rest(r->table);
    sdb_version_unref(r->version);
    *r = (struct run_iter){.it.ops = it->ops, .table = r->table};
}

static void iter_close(struct sdb_iter *it)
{
    struct run_iter *r = self(it);
    iter_rest(it);
    sdb_iter_close(r->table);
    sdb_mem_free(r);
}

int sdb_run_iter_spilled(struct sdb_version *v, const struct sdb_run *run,
                         const struct sdb_run_shown *shown, struct sdb_iter **out,
                         seerdb_err *err)
{
    static const struct sdb_iter_ops ops = {
        iter_first, iter_last,  iter_seek,  iter_seek_for_prev, iter_next,
        iter_prev,  iter_older, iter_close, iter_rest,
    };
    struct run_iter *r = sdb_mem_zalloc(sizeof *r);
    if (r == NULL)
        return sdb_fail_nomem(err, sizeof *r);
    r->it.ops = &ops;
    sdb_run_iter_aim(&r->it, v, run, shown);
    *out = &r->it;
    return 0;
}

int sdb_run_iter(struct sdb_version *v, const struct sdb_run *run, uint64_t ceiling,
                 struct sdb_iter **out, seerdb_err *err)
{
    return sdb_run_iter_spilled(v, run, &(struct sdb_run_shown){.ceiling = ceiling},
                                out, err);
}

void sdb_run_iter_aim(struct sdb_iter *it, struct sdb_version *v,
                      const struct sdb_run *run, const struct sdb_run_shown *shown)
{
    struct run_iter *r = self(it);
    r->version = sdb_version_ref(v);
    r->first = run->first;
    r->end = run->first + run->n;
    r->shown = *shown;
}
