/* SPDX-License-Identifier: Apache-2.0 */
#include "table/table_iter.h"

#include "table/table_cursor.h"

struct table_iter {
    struct sdb_iter it;
    struct sdb_table_cursor c; /* with a count on the table */
    uint64_t ceiling;
};

static struct table_iter *self(struct sdb_iter *it)
{
    return (struct table_iter *)it; /* its first member */
}

static int cursor_forward(struct sdb_table_cursor *c, seerdb_err *err)
{
    if (c->slot + 1 < c->held->block.n) {
        c->slot++;
        return 0;
    }
    if (c->index + 1 == c->table->index.n)
        return SEERDB_NOTFOUND;
    c->slot = 0;
    return sdb_table_cursor_load(c, c->index + 1, err);
}

static int cursor_backward(struct sdb_table_cursor *c, seerdb_err *err)
{
    int rc;
    if (c->slot > 0) {
        c->slot--;
        return 0;
    }
    if (c->index == 0)
        return SEERDB_NOTFOUND;
    if ((rc = sdb_table_cursor_load(c, c->index - 1, err)) == 0)
        c->slot = c->held->block.n - 1;
    return rc;
}

static int cursor_last(struct sdb_table_cursor *c, seerdb_err *err)
{
    int rc = sdb_table_cursor_load(c, c->table->index.n - 1, err);
    if (rc == 0)
        c->slot = c->held->block.n - 1;
    return rc;
}

static bool is_older(const struct sdb_table_cursor *c)
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
    int rc = sdb_table_cursor_load(&self(it)->c, 0, err);
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
    int rc = sdb_table_cursor_locate(&t->c, key, t->ceiling, &exact, err);
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
    int rc = sdb_table_cursor_locate(&t->c, key, t->ceiling, &exact, err);
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
static bool key_may_go_on(const struct sdb_table_cursor *c)
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
    struct sdb_loaded *l = NULL;
    int rc;
    if (t->c.slot + 1 < b->n) {
        if (!sdb_block_is_older(b, t->c.slot + 1))
            return SEERDB_NOTFOUND;
        t->c.slot++;
        return show(t);
    }
    if (!key_may_go_on(&t->c))
        return SEERDB_NOTFOUND;
    if ((rc = sdb_table_load(t->c.table, t->c.index + 1, SDB_CACHE_SCAN, &l, err)) != 0)
        return rc;
    if (!sdb_block_is_older(&l->block, 0)) {
        seerdb_pin_unref(&l->pin);
        return SEERDB_NOTFOUND;
    }
    seerdb_pin_unref(&t->c.held->pin);
    t->c = (struct sdb_table_cursor){t->c.table, l, t->c.index + 1, 0};
    return show(t);
}

static void iter_close(struct sdb_iter *it)
{
    struct table_iter *t = self(it);
    sdb_table_cursor_fini(&t->c);
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
