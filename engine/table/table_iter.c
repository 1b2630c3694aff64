/* SPDX-License-Identifier: Apache-2.0
 *
 * Most blocks hold one visible version of each key, which their header often says by
 * itself: they are handed out whole (iter.h, `plain`), and who walks the table comes
 * here once a block.  A walk that has gone through two blocks looks at the next one
 * early, if the cache has it, so that its first bytes are there when they are needed.
 */
#include "table/table_iter.h"

#include "table/table_cursor.h"

struct table_iter {
    struct sdb_iter it;
    struct sdb_table_cursor c; /* with a count on the table, unless at rest */
    uint64_t ceiling;
    bool known;     /* of block `looked`: */
    bool all_plain; /* no record is older than another, or invisible */
    uint32_t looked;
    struct sdb_loaded *ahead; /* counted: block ahead_index, or NULL */
    uint32_t ahead_index;
    uint32_t passed; /* blocks walked through in a row */
};

static struct table_iter *self(struct sdb_iter *it)
{
    return (struct table_iter *)it; /* its first member */
}

static void drop_ahead(struct table_iter *t)
{
    if (t->ahead != NULL)
        seerdb_pin_unref(&t->ahead->pin);
    t->ahead = NULL;
}

static void look_ahead(struct table_iter *t)
{
    struct sdb_table *table = t->c.table;
    if (t->passed < 2 || table->cache == NULL || t->c.index + 1 >= table->index.n)
        return;
    t->ahead = (struct sdb_loaded *)sdb_cache_get(table->cache, table->cache_name,
                                                  t->c.index + 1, SDB_CACHE_SCAN);
    if (t->ahead == NULL)
        return;
    const uint8_t *head = (const uint8_t *)t->ahead;
    for (size_t i = 0; i < SDB_LOADED_SIZE; i += 64)
        __builtin_prefetch(head + i);
    __builtin_prefetch(t->ahead->block.starts);
    __builtin_prefetch(t->ahead->block.heap);
}

static int next_block(struct table_iter *t, seerdb_err *err)
{
    struct sdb_table_cursor *c = &t->c;
    if (c->index + 1 == c->table->index.n)
        return SEERDB_NOTFOUND;
    t->passed++;
    c->slot = 0;
    if (t->ahead == NULL || t->ahead_index != c->index + 1) {
        drop_ahead(t);
        int rc = sdb_table_cursor_load(c, c->index + 1, err);
        if (rc != 0)
            return rc;
    } else {
        seerdb_pin_unref(&c->held->pin);
        c->held = t->ahead;
        c->index++;
        t->ahead = NULL;
    }
    look_ahead(t);
    return 0;
}

static int cursor_forward(struct table_iter *t, seerdb_err *err)
{
    if (t->c.slot + 1 == t->c.held->block.n)
        return next_block(t, err);
    t->c.slot++;
    return 0;
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

/* What can be said of the whole block from its header, or else from its columns. */
static bool all_is_plain(struct table_iter *t)
{
    const struct sdb_block *b = &t->c.held->block;
    if (t->known && t->looked == t->c.index)
        return t->all_plain;
    t->known = true;
    t->looked = t->c.index;
    t->all_plain = b->meta_width == 0 && (b->meta_base & SDB_META_OLDER) == 0 &&
                   b->number_base <= t->ceiling;
    if (t->all_plain && b->number_width > 0 &&
        t->c.table->index.props.max_number > t->ceiling)
        for (unsigned i = 0; i < b->n && t->all_plain; i++)
            t->all_plain = sdb_block_number(b, i) <= t->ceiling;
    return t->all_plain;
}

static bool is_plain(const struct table_iter *t, unsigned slot)
{
    const struct sdb_block *b = &t->c.held->block;
    return !sdb_block_is_older(b, slot) && sdb_block_number(b, slot) <= t->ceiling;
}

static int show(struct table_iter *t, enum sdb_step step)
{
    const struct sdb_block *b = &t->c.held->block;
    unsigned slot = t->c.slot, n = step == SDB_STEP_FORWARD ? b->n - 1 - slot : slot;
    if (!all_is_plain(t)) {
        unsigned most = n, i = slot;
        for (n = 0; n < most && is_plain(t, i += (unsigned)step); n++)
            ;
    }
    sdb_block_record(b, slot, &t->it.at);
    t->it.pin = &t->c.held->pin;
    t->it.block = b;
    t->it.slot = slot;
    t->it.plain = n;
    return 0;
}

/* The caller may have gone on by itself. */
static void follow(struct table_iter *t)
{
    t->c.slot = t->it.slot;
}

/* A search begins. */
static void jump(struct table_iter *t)
{
    drop_ahead(t);
    t->passed = 0;
}

/* Go on from the cursor, the newest version of a key, to the first visible record. */
static int settle_forward(struct table_iter *t, seerdb_err *err)
{
    while (!is_visible(t)) {
        int rc = sdb_iter_pass(&t->it, err);
        if (rc != 0 || (rc = cursor_forward(t, err)) != 0)
            return rc;
    }
    return show(t, SDB_STEP_FORWARD);
}

/* Go back from the cursor, the oldest version of a key or an invisible one, to the
 * newest visible version of the first key that has one. */
static int settle_backward(struct table_iter *t, seerdb_err *err)
{
    int rc;
    while (!is_visible(t))
        if ((rc = sdb_iter_pass(&t->it, err)) != 0 ||
            (rc = cursor_backward(&t->c, err)) != 0)
            return rc;
    while (is_older(&t->c)) {
        if ((rc = sdb_iter_pass(&t->it, err)) != 0 ||
            (rc = cursor_backward(&t->c, err)) != 0)
            return rc;
        if (!is_visible(t)) {
            if ((rc = cursor_forward(t, err)) != 0)
                return rc;
            break;
        }
    }
    return show(t, SDB_STEP_BACKWARD);
}

static int iter_first(struct sdb_iter *it, seerdb_err *err)
{
    jump(self(it));
    int rc = sdb_table_cursor_load(&self(it)->c, 0, err);
    self(it)->c.slot = 0;
    return rc != 0 ? rc : settle_forward(self(it), err);
}

static int iter_last(struct sdb_iter *it, seerdb_err *err)
{
    jump(self(it));
    int rc = cursor_last(&self(it)->c, err);
    return rc != 0 ? rc : settle_backward(self(it), err);
}

static int iter_seek(struct sdb_iter *it, seerdb_slice key, seerdb_err *err)
{
    struct table_iter *t = self(it);
    bool exact;
    jump(t);
    int rc = sdb_table_cursor_locate(&t->c, key, t->ceiling, &exact, err);
    if (rc != 0)
        return rc;
    if (t->c.slot == t->c.held->block.n) {
        t->c.slot--;
        if ((rc = cursor_forward(t, err)) != 0)
            return rc;
    }
    return exact ? show(t, SDB_STEP_FORWARD) : settle_forward(t, err);
}

static int iter_seek_for_prev(struct sdb_iter *it, seerdb_slice key, seerdb_err *err)
{
    struct table_iter *t = self(it);
    bool exact;
    jump(t);
    int rc = sdb_table_cursor_locate(&t->c, key, t->ceiling, &exact, err);
    if (rc != 0 || exact)
        return rc != 0 ? rc : show(t, SDB_STEP_BACKWARD);
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
    follow(t);
    do {
        if ((rc = cursor_forward(t, err)) != 0)
            return rc;
        left |= !is_older(&t->c);
        if (left && is_visible(t))
            return show(t, SDB_STEP_FORWARD);
    } while ((rc = sdb_iter_pass(&t->it, err)) == 0);
    return rc;
}

static int iter_prev(struct sdb_iter *it, seerdb_err *err)
{
    struct table_iter *t = self(it);
    bool newest;
    int rc;
    follow(t);
    jump(t);
    do {
        newest = !is_older(&t->c);
        if ((rc = cursor_backward(&t->c, err)) != 0)
            return rc;
        if (newest)
            return settle_backward(t, err);
    } while ((rc = sdb_iter_pass(&t->it, err)) == 0);
    return rc;
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

/* The direction of the next move is open again. */
static int show_older(struct table_iter *t)
{
    int rc = show(t, SDB_STEP_FORWARD);
    t->it.plain = 0;
    return rc;
}

static int iter_older(struct sdb_iter *it, seerdb_err *err)
{
    struct table_iter *t = self(it);
    const struct sdb_block *b = &t->c.held->block;
    struct sdb_loaded *l = NULL;
    int rc;
    follow(t);
    if (t->c.slot + 1 < b->n) {
        if (!sdb_block_is_older(b, t->c.slot + 1))
            return SEERDB_NOTFOUND;
        t->c.slot++;
        return show_older(t);
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
    jump(t);
    return show_older(t);
}

static void iter_rest(struct sdb_iter *it)
{
    struct table_iter *t = self(it);
    drop_ahead(t);
    sdb_table_cursor_fini(&t->c);
    sdb_table_unref(t->c.table);
    *t = (struct table_iter){.it.ops = it->ops};
}

static void iter_close(struct sdb_iter *it)
{
    iter_rest(it);
    sdb_mem_free(it);
}

int sdb_table_iter(struct sdb_table *t, uint64_t ceiling, struct sdb_iter **out,
                   seerdb_err *err)
{
    static const struct sdb_iter_ops ops = {
        iter_first, iter_last,  iter_seek,  iter_seek_for_prev, iter_next,
        iter_prev,  iter_older, iter_close, iter_rest,
    };
    struct table_iter *i = sdb_mem_zalloc(sizeof *i);
    if (i == NULL)
        return sdb_fail_nomem(err, sizeof *i);
    i->it.ops = &ops;
    sdb_table_iter_aim(&i->it, t, ceiling);
    *out = &i->it;
    return 0;
}

void sdb_table_iter_aim(struct sdb_iter *it, struct sdb_table *t, uint64_t ceiling)
{
    self(it)->c.table = sdb_table_ref(t);
    self(it)->ceiling = ceiling;
}
