/* SPDX-License-Identifier: Apache-2.0
 *
 * How a value becomes keys.  `classify` says for each key part with a constraint what
 * SQLite may find equal to the value (above it, below it), whatever affinity the other
 * side of the comparison has; only the numeric ones and literals are sure:
 *
 *   part's affinity   value          keys equal to it
 *   numeric           any            the value after NUMERIC affinity
 *   TEXT              text, blob     the value
 *                     number         texts that look like numbers
 *   none              literal, blob  the value
 *                     number         the value, and texts that look like numbers
 *                     text           the value, and numbers if it looks like one
 *
 * NULL is equal to nothing, and no key part is NULL.  Whenever more than the value is
 * covered the part becomes a range of its own and the parts after it stay open.
 *
 * One case is left out: a text bound on a TEXT or untyped part may come from a column
 * of numeric affinity, which makes SQLite take '3000' for a number, below every text.
 * To cover it every `date < ?` would have to read all texts that begin with a digit. */
#include "cursor.h"

#include "marker.h"
#include "txn.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Values from this size are left out of an UPDATE that does not change them: fetching
 * the row again then costs less than carrying them through SQLite. */
#define NOCHANGE_SIZE 512

struct range {
    struct svt_bytes lo, hi;
    bool bounded; /* hi is a bound; lo always is, maybe empty */
    bool point;   /* lo is the only key */
};

struct svt_cursor {
    sqlite3_vtab_cursor base;
    struct svt_table *table; /* borrowed: outlives its cursors */
    struct svt_reader row;
    struct range *ranges; /* owned, memory kept between uses */
    int nranges, capacity;
    int at; /* the range being walked */
    bool reverse, eof;

    seerdb_view *view; /* counted; NULL: not in use */
    seerdb_pin *pin;   /* counted: of a row found by a point lookup */

    seerdb_iter *iter; /* over view and batch as they were at ... */
    seerdb_view *iter_view;
    seerdb_batch *iter_batch;
    uint64_t iter_mark, iter_epoch;
};

/* ---- ranges ---------------------------------------------------------------- */

static struct range *range_add(struct svt_cursor *c)
{
    if (c->nranges == c->capacity) {
        int capacity = c->capacity * 2 + 4;
        struct range *ranges =
            sqlite3_realloc64(c->ranges, (size_t)capacity * sizeof(*ranges));
        if (ranges == NULL)
            return NULL;
        memset(ranges + c->capacity, 0,
               (size_t)(capacity - c->capacity) * sizeof(*ranges));
        c->ranges = ranges;
        c->capacity = capacity;
    }
    struct range *r = &c->ranges[c->nranges++];
    svt_bytes_clear(&r->lo);
    svt_bytes_clear(&r->hi);
    r->bounded = r->point = false;
    return r;
}

static int compare(const struct svt_bytes *a, const struct svt_bytes *b)
{
    size_t n = a->size < b->size ? a->size : b->size;
    int order = n > 0 ? memcmp(a->data, b->data, n) : 0;
    return order != 0 ? order : (a->size > b->size) - (a->size < b->size);
}

static void copy(struct svt_bytes *to, const struct svt_bytes *from)
{
    svt_bytes_clear(to);
    svt_bytes_append(to, from->data, from->size);
}

/* All keys that start with prefix. */
static int add_prefix(struct svt_cursor *c, const struct svt_bytes *prefix)
{
    struct range *r = range_add(c);
    if (r == NULL)
        return SQLITE_NOMEM;
    copy(&r->lo, prefix);
    copy(&r->hi, prefix);
    r->bounded = svt_key_successor(&r->hi);
    return SQLITE_OK;
}

static int add_point(struct svt_cursor *c, const struct svt_bytes *key)
{
    int rc = add_prefix(c, key);
    if (rc == SQLITE_OK) {
        struct range *r = &c->ranges[c->nranges - 1];
        copy(&r->hi, key);
        svt_bytes_byte(&r->hi, 0);
        r->bounded = r->point = true;
    }
    return rc;
}

/* The values of one class: between the boundaries below and above a tag. */
static int add_class(struct svt_cursor *c, const struct svt_bytes *prefix,
                     const struct svt_key_part *part, uint8_t tag)
{
    struct range *r = range_add(c);
    if (r == NULL)
        return SQLITE_NOMEM;
    copy(&r->lo, prefix);
    copy(&r->hi, prefix);
    svt_key_put_tag(&r->lo, part, tag, part->desc);
    svt_key_put_tag(&r->hi, part, tag, !part->desc);
    r->bounded = true;
    return SQLITE_OK;
}

/* Texts that look like numbers begin with a space, a sign, a point or a digit: 09
 * to 39. */
static int add_numeric_texts(struct svt_cursor *c, const struct svt_bytes *prefix,
                             const struct svt_key_part *part)
{
    struct range *r = range_add(c);
    uint8_t flip = part->desc ? 0xff : 0;
    if (r == NULL)
        return SQLITE_NOMEM;
    copy(&r->lo, prefix);
    copy(&r->hi, prefix);
    svt_bytes_byte(&r->lo, SVT_TAG_TEXT ^ flip);
    svt_bytes_byte(&r->hi, SVT_TAG_TEXT ^ flip);
    svt_bytes_byte(&r->lo, part->desc ? 0x39 ^ 0xff : 0x09);
    svt_bytes_byte(&r->hi, part->desc ? (0x09 ^ 0xff) + 1 : 0x39 + 1);
    r->bounded = true;
    return SQLITE_OK;
}

/* ---- values ---------------------------------------------------------------- */

enum match {
    MATCH_VALUE = 1,
    MATCH_NUMERIC_TEXTS = 2,
    MATCH_TEXTS = 4,
    MATCH_NUMBERS = 8,
};

/* A value on its way into a key; svt_value_read may convert it, and the statement's own
 * copy must stay as it is. */
struct operand {
    sqlite3_value *dup; /* owned */
    struct svt_value value;
    int match; /* bits of enum match; 0: nothing matches */
};

/* Whether printing a number could give this text. */
static bool may_be_printed(const struct svt_value *v)
{
    if (v->bytes.size == 0)
        return false;
    char first = *(const char *)v->bytes.data;
    return first == '-' || (first >= '0' && first <= '9') || first == 'I';
}

static int match_of(const struct svt_value *v, enum svt_affinity affinity)
{
    int value = affinity == SVT_AFFINITY_BLOB ? MATCH_VALUE : 0;
    if (v->type == SQLITE_INTEGER)
        return value | MATCH_NUMERIC_TEXTS;
    if (v->type == SQLITE_FLOAT)
        return value | (isfinite(v->r) ? MATCH_NUMERIC_TEXTS : MATCH_TEXTS);
    if (v->type == SQLITE_TEXT && affinity == SVT_AFFINITY_BLOB && may_be_printed(v))
        return MATCH_VALUE | MATCH_NUMBERS;
    return MATCH_VALUE;
}

static int classify(struct operand *o, enum svt_affinity affinity, sqlite3_value *v,
                    bool literal)
{
    int type = sqlite3_value_type(v);
    *o = (struct operand){.match = type != SQLITE_NULL ? MATCH_VALUE : 0};
    if (type == SQLITE_TEXT && affinity >= SVT_AFFINITY_NUMERIC) {
        if ((o->dup = sqlite3_value_dup(v)) == NULL)
            return SQLITE_NOMEM;
        return svt_value_read(o->dup, SVT_AFFINITY_NUMERIC, &o->value);
    }
    int rc = svt_value_read(v, SVT_AFFINITY_BLOB, &o->value);
    if (type != SQLITE_NULL && affinity < SVT_AFFINITY_NUMERIC && !literal)
        o->match = match_of(&o->value, affinity);
    return rc;
}

static bool is_literal(int idx_num, int arg)
{
    return arg < SVT_PLAN_LITERAL_MAX &&
           (idx_num >> (SVT_PLAN_LITERAL_SHIFT + arg) & 1) != 0;
}

static enum svt_affinity part_affinity(const struct svt_schema *s, int part)
{
    return s->columns[s->key[part]].affinity;
}

/* The ranges beside the value itself. */
static int add_wide(struct svt_cursor *c, const struct svt_bytes *prefix,
                    const struct svt_key_part *part, int match)
{
    int rc = SQLITE_OK;
    if (match & MATCH_NUMERIC_TEXTS)
        rc = add_numeric_texts(c, prefix, part);
    if (rc == SQLITE_OK && match & MATCH_TEXTS)
        rc = add_class(c, prefix, part, SVT_TAG_TEXT);
    if (rc == SQLITE_OK && match & MATCH_NUMBERS)
        rc = add_class(c, prefix, part, SVT_TAG_NUMBER);
    return rc;
}

/* ---- bounds on one part ---------------------------------------------------- */

enum side { SIDE_EQUAL, SIDE_ABOVE, SIDE_BELOW };

/* The first key after all those whose part has the value encoded at the end of b. */
static bool step_over(struct svt_bytes *b, const struct svt_key_part *part)
{
    if (!part->last)
        return svt_key_successor(b);
    svt_bytes_byte(b, 0);
    return true;
}

/* Cut r at the value: keep what is above it, or below it. */
static void cut(struct range *r, const struct svt_bytes *prefix,
                const struct svt_key_part *part, const struct svt_value *value,
                enum side side, bool strict)
{
    bool cuts_low = (side == SIDE_ABOVE) != part->desc;
    struct svt_bytes *edge = cuts_low ? &r->lo : &r->hi;
    copy(edge, prefix);
    svt_key_put(edge, part, value);
    /* A low edge steps over an excluded value, a high one over an included one. */
    bool any = cuts_low != strict || step_over(edge, part);
    if (!cuts_low)
        r->bounded = any;
}

/* A bound on a part, and the range it narrows. */
struct bound {
    const struct svt_bytes *prefix; /* of the parts before it */
    int part, range;
    enum side side;
    bool strict, literal, blobs;
};

/* A value of another class than the key's may be compared after a conversion; what that
 * lets in becomes ranges of its own.  *none: NULL, nothing qualifies. */
static int add_bound(struct svt_cursor *c, const struct bound *b, sqlite3_value *v,
                     bool *none)
{
    const struct svt_schema *s = &c->table->schema;
    const struct svt_key_part *p = &s->parts[b->part];
    enum svt_affinity affinity = part_affinity(s, b->part);
    struct operand o;
    int rc = classify(&o, affinity, v, b->literal);
    *none = o.match == 0;
    if (rc == SQLITE_OK && o.match & MATCH_VALUE)
        cut(&c->ranges[b->range], b->prefix, p, &o.value, b->side, b->strict);
    if (rc == SQLITE_OK && affinity == SVT_AFFINITY_BLOB && !b->literal) {
        /* 5 > '!' as texts; '3' < 5 as numbers. */
        int type = o.value.type;
        if (b->side == SIDE_ABOVE && type == SQLITE_TEXT)
            rc = add_class(c, b->prefix, p, SVT_TAG_NUMBER);
        else if (b->side == SIDE_BELOW &&
                 (type == SQLITE_INTEGER || type == SQLITE_FLOAT))
            rc = add_wide(c, b->prefix, p, o.match);
    }
    if (rc == SQLITE_OK && b->blobs)
        rc = add_class(c, b->prefix, p, SVT_TAG_BLOB);
    sqlite3_value_free(o.dup);
    return rc;
}

static int add_bounds(struct svt_cursor *c, const struct svt_bytes *prefix, int part,
                      int idx_num, sqlite3_value **argv)
{
    struct bound b = {.prefix = prefix, .part = part, .range = c->nranges};
    int arg = idx_num & SVT_PLAN_NEQ;
    bool none = false;
    int rc = add_prefix(c, prefix);
    if (rc == SQLITE_OK && idx_num & SVT_PLAN_LOWER) {
        b.side = SIDE_ABOVE;
        b.strict = (idx_num & SVT_PLAN_LOWER_STRICT) != 0;
        b.literal = is_literal(idx_num, arg);
        rc = add_bound(c, &b, argv[arg], &none);
        arg++;
    }
    if (rc == SQLITE_OK && !none && idx_num & SVT_PLAN_UPPER) {
        b.side = SIDE_BELOW;
        b.strict = (idx_num & SVT_PLAN_UPPER_STRICT) != 0;
        b.literal = is_literal(idx_num, arg);
        b.blobs = (idx_num & SVT_PLAN_BLOBS) != 0;
        rc = add_bound(c, &b, argv[arg], &none);
    }
    if (none)
        c->nranges = b.range;
    return rc;
}

/* ---- plans ----------------------------------------------------------------- */

/* The ranges for what comes after the equalities. */
static int plan_rest(struct svt_cursor *c, const struct svt_bytes *prefix, int idx_num,
                     sqlite3_value **argv)
{
    int neq = idx_num & SVT_PLAN_NEQ;
    if (neq > 0 && neq == c->table->schema.nkey)
        return add_point(c, prefix);
    if (idx_num & (SVT_PLAN_LOWER | SVT_PLAN_UPPER))
        return add_bounds(c, prefix, neq, idx_num, argv);
    return add_prefix(c, prefix);
}

/* Put an equality on `part`; *on says that the value itself is in prefix now. */
static int plan_equality(struct svt_cursor *c, struct svt_bytes *prefix, int part,
                         sqlite3_value *v, bool literal, bool *on)
{
    const struct svt_schema *s = &c->table->schema;
    struct operand o;
    int rc = classify(&o, part_affinity(s, part), v, literal);
    if (rc == SQLITE_OK)
        rc = add_wide(c, prefix, &s->parts[part], o.match);
    *on = rc == SQLITE_OK && o.match & MATCH_VALUE;
    if (*on)
        svt_key_put(prefix, &s->parts[part], &o.value);
    sqlite3_value_free(o.dup);
    return rc;
}

/* The last equality is a list of values. */
static int plan_list(struct svt_cursor *c, struct svt_bytes *prefix, int idx_num,
                     sqlite3_value **argv)
{
    int part = (idx_num & SVT_PLAN_NEQ) - 1;
    size_t size = prefix->size;
    sqlite3_value *v = NULL;
    int rc = sqlite3_vtab_in_first(argv[part], &v);
    while (rc == SQLITE_OK && v != NULL) {
        bool on;
        rc = plan_equality(c, prefix, part, v, false, &on);
        if (rc == SQLITE_OK && on)
            rc = plan_rest(c, prefix, idx_num, argv);
        prefix->size = size;
        if (rc == SQLITE_OK)
            rc = sqlite3_vtab_in_next(argv[part], &v);
    }
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* Encoded keys of several parts. */
static int plan_parts(struct svt_cursor *c, int idx_num, sqlite3_value **argv)
{
    int neq = idx_num & SVT_PLAN_NEQ;
    int single = idx_num & SVT_PLAN_IN ? neq - 1 : neq;
    struct svt_bytes prefix = {.data = NULL};
    bool on = true;
    int rc = SQLITE_OK;
    for (int i = 0; i < single && rc == SQLITE_OK && on; i++)
        rc = plan_equality(c, &prefix, i, argv[i], is_literal(idx_num, i), &on);
    if (rc == SQLITE_OK && on)
        rc = single < neq ? plan_list(c, &prefix, idx_num, argv)
                          : plan_rest(c, &prefix, idx_num, argv);
    if (prefix.failed)
        rc = SQLITE_NOMEM;
    svt_bytes_fini(&prefix);
    return rc;
}

static int plan_hidden_key(struct svt_cursor *c, sqlite3_value *v)
{
    struct svt_bytes key = {.data = NULL};
    if (sqlite3_value_type(v) != SQLITE_BLOB)
        return SQLITE_OK;
    svt_bytes_append(&key, sqlite3_value_blob(v), (size_t)sqlite3_value_bytes(v));
    int rc = key.failed ? SQLITE_NOMEM : add_point(c, &key);
    svt_bytes_fini(&key);
    return rc;
}

/* Integers from *lo to *hi; empty says that there are none. */
struct rowids {
    int64_t lo, hi;
    bool empty;
};

static void rowids_above(struct rowids *r, int64_t v, bool strict)
{
    if (strict && v == INT64_MAX)
        r->empty = true;
    else if (v + (strict ? 1 : 0) > r->lo)
        r->lo = v + (strict ? 1 : 0);
}

static void rowids_below(struct rowids *r, int64_t v, bool strict)
{
    if (strict && v == INT64_MIN)
        r->empty = true;
    else if (v - (strict ? 1 : 0) < r->hi)
        r->hi = v - (strict ? 1 : 0);
}

static void rowids_real(struct rowids *r, double v, enum side side, bool strict)
{
    if (v >= 9223372036854775808.0) {
        r->empty = r->empty || side != SIDE_BELOW;
        return;
    }
    if (v < -9223372036854775808.0) {
        r->empty = r->empty || side != SIDE_ABOVE;
        return;
    }
    double whole = floor(v);
    bool fraction = whole != v;
    if (side == SIDE_EQUAL && fraction)
        r->empty = true;
    if (side != SIDE_BELOW) /* above 5.5: above 5, strictly */
        rowids_above(r, (int64_t)whole, fraction || strict);
    if (side != SIDE_ABOVE)
        rowids_below(r, (int64_t)whole, !fraction && strict);
}

static int rowids_narrow(struct rowids *r, sqlite3_value *v, enum side side,
                         bool strict)
{
    struct operand o;
    int rc = classify(&o, SVT_AFFINITY_INTEGER, v, true);
    if (rc != SQLITE_OK || o.match == 0) {
        r->empty = true;
    } else if (o.value.type == SQLITE_INTEGER) {
        if (side != SIDE_BELOW)
            rowids_above(r, o.value.i, strict);
        if (side != SIDE_ABOVE)
            rowids_below(r, o.value.i, strict);
    } else if (o.value.type == SQLITE_FLOAT) {
        rowids_real(r, o.value.r, side, strict);
    } else if (side != SIDE_BELOW) { /* every text and blob is above every number */
        r->empty = true;
    }
    sqlite3_value_free(o.dup);
    return rc;
}

static int plan_rowid(struct svt_cursor *c, int idx_num, sqlite3_value **argv)
{
    struct rowids r = {.lo = INT64_MIN, .hi = INT64_MAX};
    int rc = SQLITE_OK, arg = 0;
    if ((idx_num & SVT_PLAN_NEQ) != 0)
        rc = rowids_narrow(&r, argv[arg++], SIDE_EQUAL, false);
    if (rc == SQLITE_OK && idx_num & SVT_PLAN_LOWER)
        rc = rowids_narrow(&r, argv[arg++], SIDE_ABOVE,
                           (idx_num & SVT_PLAN_LOWER_STRICT) != 0);
    if (rc == SQLITE_OK && idx_num & SVT_PLAN_UPPER)
        rc = rowids_narrow(&r, argv[arg++], SIDE_BELOW,
                           (idx_num & SVT_PLAN_UPPER_STRICT) != 0);
    if (rc != SQLITE_OK || r.empty || r.lo > r.hi)
        return rc;
    struct range *range = range_add(c);
    if (range == NULL)
        return SQLITE_NOMEM;
    svt_key_rowid(&range->lo, r.lo);
    range->point = r.lo == r.hi;
    if (r.hi != INT64_MAX || range->point) {
        range->bounded = true;
        svt_key_rowid(&range->hi, r.hi);
        svt_bytes_byte(&range->hi, 0);
    }
    return SQLITE_OK;
}

static int compare_ranges(const void *a, const void *b)
{
    const struct range *x = a, *y = b;
    return compare(&x->lo, &y->lo);
}

static void swap_ranges(struct range *a, struct range *b)
{
    struct range t = *a;
    *a = *b;
    *b = t;
}

/* Order the ranges as they will be walked; those that overlap become one, so that each
 * row is given once. */
static void sort_ranges(struct svt_cursor *c)
{
    int n = 0;
    if (c->nranges > 1)
        qsort(c->ranges, (size_t)c->nranges, sizeof(*c->ranges), compare_ranges);
    for (int i = 0; i < c->nranges; i++) {
        struct range *r = &c->ranges[i], *last = n > 0 ? &c->ranges[n - 1] : NULL;
        if (r->bounded && compare(&r->lo, &r->hi) >= 0)
            continue; /* empty */
        if (last != NULL && (!last->bounded || compare(&last->hi, &r->lo) > 0)) {
            last->point = last->point && r->point;
            if (last->bounded && (!r->bounded || compare(&last->hi, &r->hi) < 0)) {
                struct svt_bytes t = last->hi;
                last->hi = r->hi;
                r->hi = t;
                last->bounded = r->bounded;
            }
        } else {
            swap_ranges(&c->ranges[n++], r);
        }
    }
    c->nranges = n;
    for (int i = 0; c->reverse && i < n / 2; i++)
        swap_ranges(&c->ranges[i], &c->ranges[n - 1 - i]);
}

static int make_ranges(struct svt_cursor *c, int idx_num, int argc,
                       sqlite3_value **argv)
{
    int rc;
    c->nranges = c->at = 0;
    c->reverse = (idx_num & SVT_PLAN_REVERSE) != 0;
    enum svt_shape shape = c->table->schema.shape;
    if (idx_num & SVT_PLAN_HIDDEN_KEY && argc == 1)
        rc = plan_hidden_key(c, argv[0]);
    else if (shape == SVT_SHAPE_IPK || shape == SVT_SHAPE_ROWID)
        rc = plan_rowid(c, idx_num, argv);
    else
        rc = plan_parts(c, idx_num, argv);
    for (int i = 0; i < c->nranges && rc == SQLITE_OK; i++)
        if (c->ranges[i].lo.failed || c->ranges[i].hi.failed)
            rc = SQLITE_NOMEM;
    if (rc == SQLITE_OK)
        sort_ranges(c);
    return rc;
}

/* ---- reading --------------------------------------------------------------- */

static void close_iter(struct svt_cursor *c)
{
    seerdb_iter_close(c->iter);
    c->iter = NULL;
}

/* Between statements no view is held, not even inside BEGIN, where nobody would tell of
 * the end: an idle connection pins nothing.  The engine keeps superseded states for a
 * while, so that the next statement of the transaction finds its own again. */
static void leave_view(struct svt_cursor *c)
{
    struct svt_keyspace *ks = c->table->ks;
    if (c->view == NULL)
        return;
    close_iter(c); /* it is known by the view's address */
    if (c->view == ks->view && --ks->readers == 0) {
        seerdb_view_close(ks->view);
        ks->view = NULL;
    }
    seerdb_view_close(c->view);
    c->view = NULL;
}

static int enter_view(struct svt_cursor *c)
{
    struct svt_keyspace *ks = c->table->ks;
    int rc = svt_marker_view(c->table);
    if (rc != SQLITE_OK || (c->view != NULL && c->view == ks->view))
        return rc;
    leave_view(c);
    ks->readers++;
    c->view = seerdb_view_ref(ks->view);
    return SQLITE_OK;
}

static void release_row(struct svt_cursor *c)
{
    seerdb_pin_unref(c->pin);
    c->pin = NULL;
}

static int show_iter(struct svt_cursor *c)
{
    c->eof = false;
    svt_reader_set(&c->row, seerdb_iter_key(c->iter), seerdb_iter_value(c->iter));
    return SQLITE_OK;
}

/* Go to the first row of the ranges from c->at on. */
static int enter_range(struct svt_cursor *c)
{
    seerdb_err err = {0};
    for (; c->at < c->nranges; c->at++) {
        const struct range *r = &c->ranges[c->at];
        seerdb_slice lo = svt_bytes_slice(&r->lo), hi = svt_bytes_slice(&r->hi);
        if (!r->bounded)
            hi.data = NULL;
        if (lo.size == 0)
            lo.data = NULL;
        int rc = seerdb_iter_bound(c->iter, lo, hi, &err);
        if (rc == SEERDB_OK)
            rc = c->reverse ? seerdb_iter_last(c->iter, &err)
                            : seerdb_iter_first(c->iter, &err);
        if (rc == SEERDB_OK)
            return show_iter(c);
        if (rc != SEERDB_NOTFOUND)
            return svt_table_fail(c->table, rc, &err);
    }
    c->eof = true;
    return SQLITE_OK;
}

static int start_point(struct svt_cursor *c, seerdb_batch *batch)
{
    seerdb_err err = {0};
    seerdb_value value = {.pin = NULL};
    seerdb_slice key = svt_bytes_slice(&c->ranges[0].lo);
    int rc = seerdb_get(c->view, batch, SEERDB_BATCH_ALL, key, &value, &err);
    if (rc == SEERDB_NOTFOUND)
        return SQLITE_OK;
    if (rc != SEERDB_OK)
        return svt_table_fail(c->table, rc, &err);
    c->pin = value.pin;
    c->eof = false;
    svt_reader_set(&c->row, key, value.bytes);
    return SQLITE_OK;
}

/* An inner loop comes here for every outer row: the iterator is kept while it would
 * show the same. */
static int start_walk(struct svt_cursor *c, seerdb_batch *batch, uint64_t epoch)
{
    seerdb_err err = {0};
    uint64_t mark = batch != NULL ? seerdb_batch_writes(batch) : 0;
    if (c->iter == NULL || c->iter_view != c->view || c->iter_batch != batch ||
        c->iter_mark != mark || c->iter_epoch != epoch) {
        close_iter(c);
        int rc = seerdb_iter_open(c->view, batch, mark, &c->iter, &err);
        if (rc != SEERDB_OK)
            return svt_table_fail(c->table, rc, &err);
        c->iter_view = c->view;
        c->iter_batch = batch;
        c->iter_mark = mark;
        c->iter_epoch = epoch;
    }
    return enter_range(c);
}

int svt_cursor_open(sqlite3_vtab *base, sqlite3_vtab_cursor **out)
{
    struct svt_table *t = (struct svt_table *)base;
    int rc = svt_table_open(t);
    if (rc != SQLITE_OK)
        return rc;
    struct svt_cursor *c = sqlite3_malloc64(sizeof(*c));
    if (c == NULL)
        return SQLITE_NOMEM;
    *c = (struct svt_cursor){.table = t, .eof = true};
    if ((rc = svt_reader_init(&c->row, &t->schema)) != SQLITE_OK) {
        sqlite3_free(c);
        return rc;
    }
    *out = &c->base;
    return SQLITE_OK;
}

int svt_cursor_close(sqlite3_vtab_cursor *cursor)
{
    struct svt_cursor *c = (struct svt_cursor *)cursor;
    release_row(c);
    leave_view(c);
    svt_reader_fini(&c->row);
    for (int i = 0; i < c->capacity; i++) {
        svt_bytes_fini(&c->ranges[i].lo);
        svt_bytes_fini(&c->ranges[i].hi);
    }
    sqlite3_free(c->ranges);
    sqlite3_free(c);
    return SQLITE_OK;
}

int svt_cursor_filter(sqlite3_vtab_cursor *cursor, int idx_num, const char *idx_str,
                      int argc, sqlite3_value **argv)
{
    struct svt_cursor *c = (struct svt_cursor *)cursor;
    uint64_t epoch = 0;
    (void)idx_str;
    release_row(c);
    c->eof = true;
    int rc = make_ranges(c, idx_num, argc, argv);
    if (rc == SQLITE_OK)
        rc = enter_view(c);
    if (rc != SQLITE_OK || c->nranges == 0)
        return rc;
    seerdb_batch *batch = svt_txn_batch(c->table, &epoch);
    if (c->nranges == 1 && c->ranges[0].point)
        return start_point(c, batch);
    return start_walk(c, batch, epoch);
}

int svt_cursor_next(sqlite3_vtab_cursor *cursor)
{
    struct svt_cursor *c = (struct svt_cursor *)cursor;
    seerdb_err err = {0};
    if (c->pin != NULL || c->ranges[c->at].point) {
        release_row(c);
        if (c->nranges == 1) {
            c->eof = true;
            return SQLITE_OK;
        }
        c->at++;
        return enter_range(c);
    }
    int rc =
        c->reverse ? seerdb_iter_prev(c->iter, &err) : seerdb_iter_next(c->iter, &err);
    if (rc == SEERDB_OK)
        return show_iter(c);
    if (rc != SEERDB_NOTFOUND)
        return svt_table_fail(c->table, rc, &err);
    c->at++;
    return enter_range(c);
}

int svt_cursor_eof(sqlite3_vtab_cursor *cursor)
{
    return ((struct svt_cursor *)cursor)->eof;
}

/* The one place where bytes cross into SQLite.  They are copied: a result may outlive
 * the row, the statement's next xFilter and xClose (sqlite-facts 29). */
static void result(sqlite3_context *ctx, const struct svt_value *v)
{
    const void *data = v->bytes.data != NULL ? v->bytes.data : "";
    switch (v->type) {
    case SQLITE_INTEGER:
        sqlite3_result_int64(ctx, v->i);
        break;
    case SQLITE_FLOAT:
        sqlite3_result_double(ctx, v->r);
        break;
    case SQLITE_TEXT:
        sqlite3_result_text64(ctx, data, v->bytes.size, SQLITE_TRANSIENT, SQLITE_UTF8);
        break;
    case SQLITE_BLOB:
        sqlite3_result_blob64(ctx, data, v->bytes.size, SQLITE_TRANSIENT);
        break;
    default:
        sqlite3_result_null(ctx);
        break;
    }
}

int svt_cursor_column(sqlite3_vtab_cursor *cursor, sqlite3_context *ctx, int i)
{
    struct svt_cursor *c = (struct svt_cursor *)cursor;
    struct svt_value v;
    if (!svt_reader_column(&c->row, i, &v)) {
        if (c->row.scratch.failed)
            return SQLITE_NOMEM;
        return svt_fail(&c->table->base.zErrMsg, SQLITE_CORRUPT_VTAB,
                        "%s: column %d of a row in %s is malformed (key of %d bytes, "
                        "value of %d)",
                        c->table->who, i, c->table->ks->store->dir,
                        (int)c->row.key.size, (int)c->row.value.size);
    }
    bool hidden = i == c->table->schema.ncolumns; /* only the module changes it */
    if ((hidden || v.bytes.size >= NOCHANGE_SIZE) && sqlite3_vtab_nochange(ctx))
        return SQLITE_OK;
    result(ctx, &v);
    return SQLITE_OK;
}

int svt_cursor_rowid(sqlite3_vtab_cursor *cursor, sqlite3_int64 *rowid)
{
    struct svt_cursor *c = (struct svt_cursor *)cursor;
    if (c->row.key.size != 8)
        return svt_fail(&c->table->base.zErrMsg, SQLITE_CORRUPT_VTAB,
                        "%s: a key of %d bytes in %s is not a rowid", c->table->who,
                        (int)c->row.key.size, c->table->ks->store->dir);
    *rowid = svt_key_read_rowid(c->row.key);
    return SQLITE_OK;
}
