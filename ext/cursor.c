/* SPDX-License-Identifier: Apache-2.0
 *
 * SQL opens a cursor per statement and table, often to read one row.  So cursors are
 * not freed but wait at their table for the next statement, with the memory of their
 * ranges and of their iterator; they pin nothing then.  A lookup of one key opens no
 * iterator.
 *
 * A cursor that walks all of a small table for the third time within one state has
 * learnt its rows by heart and reads them from its memo from then on.  SQLite before
 * 3.41 closes the cursor of a correlated subquery for every row of the outer query: so
 * a memo that finds rows by a value waits with the cursor, as a copy, for as long as
 * the state stays the same. */
#include "cursor.h"

#include "hold.h"
#include "marker.h"
#include "memo.h"
#include "mergetree.h"
#include "past.h"
#include "ranges.h"
#include "txn.h"

/* Values from this size are left out of an UPDATE that does not change them: fetching
 * the row again then costs less than carrying them through SQLite. */
#define NOCHANGE_SIZE 512

/* Blocks and memtables that rows were shown from lately: a merge goes to and fro. */
#define HOLDS 4

#define SPARES_MAX 8 /* cursors waiting at a table */

#define MEMO_WALKS 2 /* over all of the table, before its rows are worth keeping */

/* The state of a table, as a statement sees it. */
struct state {
    uint64_t number, epoch; /* of the view, and the connection's */
    uint64_t time;          /* rows expire without a commit; 0: they do not */
    seerdb_batch *batch;
    uint64_t mark, batch_epoch;
};

/* What walks over all of the table show. */
struct learnt {
    struct state state; /* in this one */
    int plan;
    unsigned walks; /* from the start of the table; 0: nothing is known */
    bool made;      /* the memo is, or cannot be: it has no schema then */
    struct svt_memo memo;
};

struct svt_cursor {
    sqlite3_vtab_cursor base;
    struct svt_cursor *next_spare;
    struct svt_table *table; /* borrowed: outlives its cursors */
    struct svt_reader row;
    struct svt_ranges ranges;
    int ranges_plan; /* what they were made for, if that is all that they depend on; -1
                      */
    int at;          /* the range being walked */
    bool eof;
    bool fresh; /* `row` is not yet the one that `iter` stands on */

    struct svt_view *view; /* shared: one user is this cursor; or that of `past`; NULL:
                              not in use */
    struct svt_past past;
    bool point;      /* the row was found by a lookup */
    seerdb_pin *pin; /* of such a row; counted, unless a hold has taken the count */
    bool pin_taken;
    seerdb_pin *row_pin;           /* borrowed: what the bytes of `row` live in */
    struct svt_hold *holds[HOLDS]; /* owned until released */
    struct svt_hold *hold;         /* the last one used, one of them; or NULL */
    unsigned oldest_hold;

    seerdb_iter *iter;          /* owned; over view and batch as they were at ... */
    struct svt_view *iter_view; /* NULL: the iterator is at rest, or there is none */
    seerdb_batch *iter_batch;
    uint64_t iter_mark, iter_epoch;

    struct learnt learnt;
    bool by_heart; /* this walk goes over its memo */
    struct svt_memo_walk memo_walk;
};

/* ---- views and rows -------------------------------------------------------- */

static void forget(struct learnt *l)
{
    l->walks = 0;
    l->made = false;
    if (l->memo.schema != NULL)
        svt_memo_clear(&l->memo);
}

/* The cursor's view goes: what it has learnt stays if it pins nothing.  Not where rows
 * go by themselves. */
static void keep_learnt(const struct svt_table *t, struct learnt *l)
{
    if (l->walks == 0)
        return;
    if (svt_plan_compared_column(l->plan) < 0 || t->schema.options.ttl != NULL ||
        t->schema.options.filter != NULL ||
        (l->memo.schema != NULL && svt_memo_keep(&l->memo) != SQLITE_OK))
        forget(l);
}

/* Between statements no view is held, not even inside BEGIN, where nobody would tell of
 * the end: an idle connection pins nothing.  The engine keeps superseded states for a
 * while, so that the next statement of the transaction finds its own again. */
static void leave_view(struct svt_cursor *c)
{
    if (c->view == NULL)
        return;
    if (c->iter != NULL)
        seerdb_iter_rest(c->iter); /* it counts the view */
    c->iter_view = NULL;
    c->by_heart = false;
    keep_learnt(c->table, &c->learnt);
    if (c->view == &c->past.view) {
        svt_past_leave(&c->past);
        c->table->npast--;
    } else {
        svt_marker_leave(c->table, c->view);
    }
    c->view = NULL;
}

static int enter_past(struct svt_cursor *c, sqlite3_value *asked)
{
    struct svt_table *t = c->table;
    if (c->view == &c->past.view && svt_past_is_of(&c->past, asked))
        return SQLITE_OK;
    leave_view(c);
    int rc = svt_past_enter(&c->past, t, asked);
    if (rc != SQLITE_OK)
        return rc;
    c->view = &c->past.view;
    t->npast++;
    t->first_past = t->first_past || t->first == c;
    return SQLITE_OK;
}

static int enter_view(struct svt_cursor *c)
{
    struct svt_view *view = NULL;
    if (c->view == &c->past.view)
        leave_view(c);
    int rc = svt_marker_enter(c->table, c->view, &view);
    if (rc == SQLITE_OK && view != c->view) {
        leave_view(c);
        c->view = view;
    }
    return rc;
}

static void release_row(struct svt_cursor *c)
{
    if (!c->pin_taken)
        seerdb_pin_unref(c->pin);
    c->pin = NULL;
    c->pin_taken = c->point = false;
}

static void release_holds(struct svt_cursor *c)
{
    for (int i = 0; i < HOLDS; i++) {
        svt_hold_release(c->holds[i]);
        c->holds[i] = NULL;
    }
    c->hold = NULL;
}

/* Another hold than the last one, on the memory of the row's bytes. */
static struct svt_hold *change_hold(struct svt_cursor *c)
{
    if (c->row_pin == NULL) /* the memo's own memory */
        return NULL;
    for (unsigned i = 0; i < HOLDS; i++)
        if (c->holds[i] != NULL && c->holds[i]->pin == c->row_pin)
            return c->hold = c->holds[i];
    bool counted = c->pin != NULL && !c->pin_taken;
    struct svt_hold *hold = svt_hold_take(&c->table->conn->holds, c->row_pin);
    if (hold == NULL)
        return NULL;
    if (counted)
        c->pin_taken = true;
    else
        seerdb_pin_ref(c->row_pin);
    unsigned at = c->oldest_hold++ % HOLDS;
    svt_hold_release(c->holds[at]);
    return c->hold = c->holds[at] = hold;
}

/* The hold on the memory that the row's bytes live in; NULL: there is none to be had.
 */
static inline struct svt_hold *hold_row(struct svt_cursor *c)
{
    if (c->hold != NULL && c->hold->pin == c->row_pin)
        return c->hold;
    return change_hold(c);
}

static int show_iter(struct svt_cursor *c)
{
    c->eof = false;
    c->fresh = true;
    return SQLITE_OK;
}

/* Who only counts rows never comes here. */
static void read_row(struct svt_cursor *c)
{
    seerdb_value v;
    seerdb_iter_show(c->iter, &v);
    svt_reader_set_value(&c->row, &v);
    c->row_pin = v.pin;
    c->fresh = false;
}

/* The same of a row known by heart. */
static void read_memo(struct svt_cursor *c)
{
    const struct svt_memo_row *row = &c->learnt.memo.rows[c->memo_walk.at];
    svt_reader_set(&c->row, row->key, row->value);
    c->row_pin = row->pin;
}

/* Go to the first row of the ranges from c->at on. */
static int enter_range(struct svt_cursor *c)
{
    seerdb_err err;
    err.code = SEERDB_OK; /* the rest is set with it */
    for (; c->at < c->ranges.n; c->at++) {
        const struct svt_range *r = &c->ranges.list[c->at];
        seerdb_slice lo = svt_bytes_slice(&r->lo), hi = svt_bytes_slice(&r->hi);
        if (!r->bounded)
            hi.data = NULL;
        if (lo.size == 0)
            lo.data = NULL;
        int rc = seerdb_iter_bound(c->iter, lo, hi, &err);
        if (rc == SEERDB_OK)
            rc = c->ranges.reverse ? seerdb_iter_last(c->iter, &err)
                                   : seerdb_iter_first(c->iter, &err);
        if (rc == SEERDB_OK)
            return show_iter(c);
        if (rc != SEERDB_NOTFOUND)
            return svt_mergetree_unread(c->table, rc, &err);
        if ((rc = svt_interrupt_pass(&c->table->conn->interrupt)) != SQLITE_OK)
            return rc;
    }
    c->eof = true;
    return SQLITE_OK;
}

static int start_point(struct svt_cursor *c, seerdb_batch *batch)
{
    seerdb_err err;
    seerdb_value value = {.pin = NULL};
    err.code = SEERDB_OK; /* the rest is set with it */
    seerdb_slice key = svt_bytes_slice(&c->ranges.list[0].lo);
    int rc = seerdb_get(c->view->view, batch, SEERDB_BATCH_ALL, key, &value, &err);
    if (rc == SEERDB_NOTFOUND)
        return SQLITE_OK;
    if (rc != SEERDB_OK)
        return svt_mergetree_unread(c->table, rc, &err);
    c->pin = c->row_pin = value.pin;
    c->eof = c->fresh = false;
    c->point = true;
    svt_reader_set_value(&c->row, &value);
    return SQLITE_OK;
}

/* An inner loop comes here for every outer row: the iterator is kept while it would
 * show the same. */
static int aim_iter(struct svt_cursor *c, seerdb_batch *batch, uint64_t epoch)
{
    seerdb_err err;
    err.code = SEERDB_OK; /* the rest is set with it */
    uint64_t mark = batch != NULL ? seerdb_batch_writes(batch) : 0;
    if (c->iter_view != c->view || c->iter_batch != batch || c->iter_mark != mark ||
        c->iter_epoch != epoch) {
        c->iter_view = NULL;
        int rc = c->iter != NULL
                     ? seerdb_iter_reopen(c->iter, c->view->view, batch, mark, &err)
                     : seerdb_iter_open(c->view->view, batch, mark, &c->iter, &err);
        if (rc != SEERDB_OK)
            return svt_table_fail(c->table, rc, &err);
        c->iter_view = c->view;
        c->iter_batch = batch;
        c->iter_mark = mark;
        c->iter_epoch = epoch;
    }
    return SQLITE_OK;
}

static int start_walk(struct svt_cursor *c, seerdb_batch *batch, uint64_t epoch)
{
    int rc = aim_iter(c, batch, epoch);
    return rc == SQLITE_OK ? enter_range(c) : rc;
}

/* Learn the rows by heart; a table that is not small is left alone. */
static int make_memo(struct svt_cursor *c)
{
    seerdb_err err;
    bool reverse = c->ranges.reverse;
    err.code = SEERDB_OK; /* the rest is set with it */
    struct svt_memo *memo = &c->learnt.memo;
    c->learnt.made = true;
    svt_memo_begin(memo, &c->table->schema, svt_plan_compared_column(c->learnt.plan));
    int full = SQLITE_OK;
    int rc = seerdb_iter_bound(c->iter, (seerdb_slice){NULL, 0},
                               (seerdb_slice){NULL, 0}, &err);
    if (rc == SEERDB_OK)
        rc = reverse ? seerdb_iter_last(c->iter, &err)
                     : seerdb_iter_first(c->iter, &err);
    while (rc == SEERDB_OK) {
        read_row(c);
        if (c->row.segments.size > 0) { /* not for memory */
            full = SQLITE_TOOBIG;
            break;
        }
        full = svt_memo_add(memo, &c->row, c->row_pin);
        if (full != SQLITE_OK)
            break;
        rc =
            reverse ? seerdb_iter_prev(c->iter, &err) : seerdb_iter_next(c->iter, &err);
    }
    if (rc == SEERDB_NOTFOUND)
        full = svt_memo_finish(memo);
    if (full != SQLITE_OK)
        svt_memo_clear(memo);
    if (rc != SEERDB_OK && rc != SEERDB_NOTFOUND)
        return svt_mergetree_unread(c->table, rc, &err);
    /* What is malformed is told of when it is asked for. */
    return full == SQLITE_NOMEM ? SQLITE_NOMEM : SQLITE_OK;
}

static bool same_state(const struct state *a, const struct state *b)
{
    return a->number == b->number && a->time == b->time && a->epoch == b->epoch &&
           a->batch == b->batch && a->mark == b->mark &&
           a->batch_epoch == b->batch_epoch;
}

static bool knows(const struct svt_cursor *c, int plan, const struct state *state)
{
    return c->learnt.walks > 0 && c->learnt.plan == plan &&
           same_state(&c->learnt.state, state);
}

static int cursor_new(struct svt_table *t, struct svt_cursor **out)
{
    struct svt_cursor *c = sqlite3_malloc64(sizeof(*c));
    if (c == NULL)
        return SQLITE_NOMEM;
    *c = (struct svt_cursor){
        .table = t,
        .eof = true,
        .ranges = {.schema = &t->schema, .interrupt = &t->conn->interrupt},
        .ranges_plan = -1};
    int rc = svt_reader_init(&c->row, &t->schema);
    if (rc != SQLITE_OK) {
        sqlite3_free(c);
        return rc;
    }
    *out = c;
    return SQLITE_OK;
}

static void lay_by(struct svt_cursor *c)
{
    c->next_spare = c->table->spares;
    c->table->spares = c;
    c->table->nspares++;
}

/* Have the cursor know what walks with the plan showed so far.  It may wait at
 * another one: subqueries take them in turns. */
static void recall(struct svt_cursor *c, int plan, seerdb_batch *batch, uint64_t epoch)
{
    struct svt_table *t = c->table;
    struct state state = {.number = seerdb_view_number(c->view->view),
                          .epoch = t->conn->epoch,
                          .time = seerdb_view_filter_time(c->view->view),
                          .batch = batch,
                          .mark = batch != NULL ? seerdb_batch_writes(batch) : 0,
                          .batch_epoch = batch != NULL ? epoch : 0};
    if (knows(c, plan, &state))
        return;
    struct svt_cursor *other = t->spares;
    while (other != NULL && !knows(other, plan, &state))
        other = other->next_spare;
    if (other != NULL) {
        struct learnt learnt = other->learnt;
        other->learnt = c->learnt;
        c->learnt = learnt;
        keep_learnt(c->table, &other->learnt);
    }
    if (!knows(c, plan, &state)) {
        forget(&c->learnt);
        c->learnt.state = state;
        c->learnt.plan = plan;
    }
}

/* Walk over all of the table; v: what SQLite will compare a column with, or NULL. */
static int start_scan(struct svt_cursor *c, seerdb_batch *batch, uint64_t epoch,
                      int idx_num, sqlite3_value *v)
{
    struct learnt *l = &c->learnt;
    int rc = SQLITE_OK;
    recall(c, idx_num, batch, epoch);
    if (l->walks <= MEMO_WALKS || l->memo.schema == NULL) {
        if ((rc = aim_iter(c, batch, epoch)) != SQLITE_OK)
            return rc;
        if (l->walks++ == MEMO_WALKS && (rc = make_memo(c)) != SQLITE_OK)
            return rc;
    }
    if (!l->made || l->memo.schema == NULL)
        return enter_range(c);
    c->by_heart = true;
    c->eof = !svt_memo_find(&l->memo, v, &c->memo_walk);
    c->fresh = false; /* show_memo reads what is asked for */
    return SQLITE_OK;
}

/* The plan may rest on keys that are plain no more. */
static int resolve_doubt(struct svt_cursor *c, seerdb_batch *batch, uint64_t epoch)
{
    int rc = aim_iter(c, batch, epoch);
    return rc == SQLITE_OK ? svt_plain_check(c->table, c->iter, c->ranges.doubt) : rc;
}

/* ---- the methods ----------------------------------------------------------- */

static void cursor_free(struct svt_cursor *c)
{
    svt_reader_fini(&c->row);
    svt_ranges_fini(&c->ranges);
    svt_memo_clear(&c->learnt.memo);
    seerdb_iter_close(c->iter);
    sqlite3_free(c);
}

int svt_cursor_open(sqlite3_vtab *base, sqlite3_vtab_cursor **out)
{
    struct svt_table *t = (struct svt_table *)base;
    int rc = svt_table_open(t);
    if (rc != SQLITE_OK)
        return rc;
    struct svt_cursor *c = t->spares;
    if (c != NULL) {
        t->spares = c->next_spare;
        t->nspares--;
    } else if ((rc = cursor_new(t, &c)) != SQLITE_OK) {
        return rc;
    }
    if (t->ncursors++ == 0) {
        t->first = c;
        t->first_past = false;
    }
    *out = &c->base;
    return SQLITE_OK;
}

int svt_cursor_close(sqlite3_vtab_cursor *cursor)
{
    struct svt_cursor *c = (struct svt_cursor *)cursor;
    struct svt_table *t = c->table;
    release_row(c);
    release_holds(c);
    t->last_past = c->view == &c->past.view;
    t->ncursors--;
    if (t->first == c)
        t->first = NULL; /* first_past goes on telling of it */
    leave_view(c);
    if (t->nspares == SPARES_MAX) {
        cursor_free(c);
        return SQLITE_OK;
    }
    c->eof = true;
    lay_by(c);
    return SQLITE_OK;
}

void svt_cursor_free_spares(struct svt_table *t)
{
    while (t->spares != NULL) {
        struct svt_cursor *c = t->spares;
        t->spares = c->next_spare;
        cursor_free(c);
    }
    t->nspares = 0;
}

/* The plan has promised one row.  Where the values are not one key SQLite must make
 * another one (plan.c): it prepares the statement again. */
static bool breaks_promise(struct svt_cursor *c, int idx_num)
{
    const struct svt_ranges *r = &c->ranges;
    if ((idx_num & SVT_PLAN_UNIQUE) == 0 || r->n == 0 ||
        (r->n == 1 && r->list[0].point))
        return false;
    c->table->wide = true;
    return true;
}

static int make_ranges(struct svt_cursor *c, int idx_num, int argc,
                       sqlite3_value **argv)
{
    if (idx_num == c->ranges_plan)
        return SQLITE_OK;
    c->ranges_plan = -1;
    int rc = svt_ranges_make(&c->ranges, idx_num, argc, argv);
    if (rc == SQLITE_OK && svt_plan_is_scan(idx_num))
        c->ranges_plan = idx_num;
    return rc;
}

int svt_cursor_filter(sqlite3_vtab_cursor *cursor, int idx_num, const char *idx_str,
                      int argc, sqlite3_value **argv)
{
    struct svt_cursor *c = (struct svt_cursor *)cursor;
    uint64_t epoch = 0;
    (void)idx_str;
    release_row(c);
    c->eof = true;
    c->by_heart = false;
    c->at = 0;
    sqlite3_value *as_of = NULL;
    if ((idx_num & SVT_PLAN_AS_OF) != 0) {
        idx_num &= ~SVT_PLAN_AS_OF;
        as_of = argv[--argc];
        if (sqlite3_value_type(as_of) == SQLITE_NULL) /* equal to nothing */
            return SQLITE_OK;
    }
    int rc = make_ranges(c, idx_num, argc, argv);
    if (rc == SQLITE_OK && breaks_promise(c, idx_num))
        rc = SQLITE_SCHEMA;
    if (rc == SQLITE_OK)
        rc = as_of == NULL ? enter_view(c) : enter_past(c, as_of);
    if (rc != SQLITE_OK || (c->ranges.n == 0 && c->ranges.doubt == SVT_SURE))
        return rc;
    seerdb_batch *batch = NULL;
    if (as_of == NULL)
        rc = svt_txn_batch(c->table, &batch, &epoch);
    if (rc != SQLITE_OK)
        return rc;
    if (c->ranges.doubt != SVT_SURE &&
        ((rc = resolve_doubt(c, batch, epoch)) != SQLITE_OK || c->ranges.n == 0))
        return rc;
    if (c->ranges.n == 1 && c->ranges.list[0].point)
        return start_point(c, batch);
    if (svt_plan_is_scan(idx_num) && as_of == NULL)
        return start_scan(c, batch, epoch, idx_num, argc > 0 ? argv[0] : NULL);
    return start_walk(c, batch, epoch);
}

/* The range being walked answered rc: go on with the next one. */
static int leave_range(struct svt_cursor *c, int rc, const seerdb_err *err)
{
    if (rc != SEERDB_NOTFOUND)
        return svt_mergetree_unread(c->table, rc, err);
    c->at++;
    return enter_range(c);
}

int svt_cursor_next(sqlite3_vtab_cursor *cursor)
{
    struct svt_cursor *c = (struct svt_cursor *)cursor;
    seerdb_err err;
    int rc = SEERDB_NOTFOUND;
    if (c->by_heart) {
        c->eof = !svt_memo_next(&c->learnt.memo, &c->memo_walk);
        return SQLITE_OK;
    }
    c->fresh = true;
    if (c->point) {
        c->eof = true;
        return SQLITE_OK;
    }
    err.code = SEERDB_OK; /* the rest is set with it */
    if (!c->ranges.list[c->at].point)
        rc = c->ranges.reverse ? seerdb_iter_prev(c->iter, &err)
                               : seerdb_iter_next(c->iter, &err);
    return rc == SEERDB_OK ? SQLITE_OK : leave_range(c, rc, &err);
}

int svt_cursor_eof(sqlite3_vtab_cursor *cursor)
{
    return ((struct svt_cursor *)cursor)->eof;
}

static bool is_inside(const void *p, seerdb_slice bytes)
{
    return (uintptr_t)p - (uintptr_t)bytes.data < bytes.size;
}

/* The one place where bytes cross into SQLite. */
static void result(struct svt_cursor *c, sqlite3_context *ctx,
                   const struct svt_value *v)
{
    struct svt_hold *hold = NULL;
    bool bytes = v->type == SQLITE_TEXT || v->type == SQLITE_BLOB;
    /* An unescaped text is not in the store's memory, and is copied. */
    if (bytes && v->bytes.size > 0 &&
        (c->row.scratch.size == 0 ||
         !is_inside(v->bytes.data, svt_bytes_slice(&c->row.scratch))))
        hold = hold_row(c);
    svt_hold_result(hold, ctx, v, c->table->schema.encoding);
}

/* A column that is in the value log: read into memory that goes to SQLite. */
static int result_apart(struct svt_cursor *c, sqlite3_context *ctx,
                        const struct svt_value *v, const seerdb_segment *segment)
{
    seerdb_err err = {0};
    void *bytes = sqlite3_malloc64(segment->size);
    if (bytes == NULL)
        return SQLITE_NOMEM;
    int rc = c->point ? seerdb_segment_read(c->view->view, segment, bytes, &err)
                      : seerdb_iter_segment_read(c->iter, segment, bytes, &err);
    if (rc != SEERDB_OK) {
        sqlite3_free(bytes);
        return svt_table_fail(c->table, rc, &err);
    }
    if (v->type == SQLITE_BLOB) {
        sqlite3_result_blob64(ctx, bytes, segment->size, sqlite3_free);
    } else if (c->table->schema.encoding == SVT_UTF8) {
        sqlite3_result_text64(ctx, bytes, segment->size, sqlite3_free, SQLITE_UTF8);
    } else {
        struct svt_value whole = *v;
        whole.bytes.data = bytes;
        svt_hold_result(NULL, ctx, &whole, c->table->schema.encoding);
        sqlite3_free(bytes);
    }
    return SQLITE_OK;
}

static int fail_column(const struct svt_cursor *c, int i)
{
    const struct svt_schema *s = &c->table->schema;
    if (c->row.scratch.failed)
        return SQLITE_NOMEM;
    return svt_fail(&c->table->base.zErrMsg, SQLITE_CORRUPT_VTAB,
                    "%s: column \"%s\" of a row in %s is malformed (key of %d bytes, "
                    "value of %d)",
                    c->table->who, i < s->ncolumns ? s->columns[i].name : "_key",
                    c->table->ks->store->dir, (int)c->row.key.size,
                    (int)c->row.value.size);
}

/* False: the row was made ready for those who decode.  Apart from them, whose way must
 * stay short. */
__attribute__((noinline)) static bool show_memo(struct svt_cursor *c,
                                                sqlite3_context *ctx, int i)
{
    const struct svt_memo *m = &c->learnt.memo;
    const struct svt_memo_row *row = &m->rows[c->memo_walk.at];
    const struct svt_value *v = NULL;
    if (i < m->schema->ncolumns)
        v = &m->values[c->memo_walk.at * m->schema->ncolumns + i];
    if (v != NULL && v->type == SQLITE_INTEGER) {
        sqlite3_result_int64(ctx, v->i);
        return true;
    }
    if (v == NULL || v->type == 0 || v->bytes.size >= NOCHANGE_SIZE) {
        read_memo(c);
        return false;
    }
    struct svt_hold *hold = NULL;
    if (v->bytes.size > 0) {
        c->row_pin = row->pin;
        hold = hold_row(c);
    }
    svt_hold_result(hold, ctx, v, m->schema->encoding);
    return true;
}

/* _key, _op, _snapshot.  Only the module changes them. */
__attribute__((noinline)) static int show_hidden(struct svt_cursor *c,
                                                 sqlite3_context *ctx, int i)
{
    struct svt_value v;
    if (i == c->table->schema.snapshot) {
        if (c->view == &c->past.view)
            sqlite3_result_value(ctx, c->past.asked);
        return SQLITE_OK;
    }
    if (sqlite3_vtab_nochange(ctx))
        return SQLITE_OK;
    if (!svt_reader_column(&c->row, i, &v))
        return fail_column(c, i);
    result(c, ctx, &v);
    return SQLITE_OK;
}

int svt_cursor_column(sqlite3_vtab_cursor *cursor, sqlite3_context *ctx, int i)
{
    struct svt_cursor *c = (struct svt_cursor *)cursor;
    struct svt_value v;
    seerdb_slice bytes;
    if (c->by_heart && show_memo(c, ctx, i))
        return SQLITE_OK;
    if (c->fresh)
        read_row(c);
    int type = svt_reader_quick(&c->row, i, &bytes);
    if (type != 0 && bytes.size > 0 && bytes.size < NOCHANGE_SIZE) {
        svt_hold_bytes(hold_row(c), ctx, type, bytes);
        return SQLITE_OK;
    }
    if (i >= c->table->schema.ncolumns)
        return show_hidden(c, ctx, i);
    seerdb_segment segment;
    if (c->row.segments.size > 0 && svt_reader_apart(&c->row, i, &v, &segment))
        return sqlite3_vtab_nochange(ctx) ? SQLITE_OK
                                          : result_apart(c, ctx, &v, &segment);
    if (!svt_reader_column(&c->row, i, &v))
        return fail_column(c, i);
    if (v.bytes.size >= NOCHANGE_SIZE && sqlite3_vtab_nochange(ctx))
        return SQLITE_OK;
    result(c, ctx, &v);
    return SQLITE_OK;
}

int svt_cursor_rowid(sqlite3_vtab_cursor *cursor, sqlite3_int64 *rowid)
{
    struct svt_cursor *c = (struct svt_cursor *)cursor;
    if (c->by_heart)
        read_memo(c);
    else if (c->fresh)
        read_row(c);
    if (c->row.key.size != 8)
        return svt_fail(&c->table->base.zErrMsg, SQLITE_CORRUPT_VTAB,
                        "%s: a key of %d bytes in %s is not a rowid", c->table->who,
                        (int)c->row.key.size, c->table->ks->store->dir);
    *rowid = svt_key_read_rowid(c->row.key);
    return SQLITE_OK;
}
