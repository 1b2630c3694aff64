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
#include "ranges.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- ranges ---------------------------------------------------------------- */

static struct svt_range *range_add(struct svt_ranges *rs)
{
    if (rs->n == rs->capacity) {
        int capacity = rs->capacity * 2 + 4;
        struct svt_range *ranges =
            sqlite3_realloc64(rs->list, (size_t)capacity * sizeof(*ranges));
        if (ranges == NULL)
            return NULL;
        memset(ranges + rs->capacity, 0,
               (size_t)(capacity - rs->capacity) * sizeof(*ranges));
        rs->list = ranges;
        rs->capacity = capacity;
    }
    struct svt_range *r = &rs->list[rs->n++];
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
static int add_prefix(struct svt_ranges *rs, const struct svt_bytes *prefix)
{
    struct svt_range *r = range_add(rs);
    if (r == NULL)
        return SQLITE_NOMEM;
    copy(&r->lo, prefix);
    copy(&r->hi, prefix);
    r->bounded = svt_key_successor(&r->hi);
    return SQLITE_OK;
}

/* Its hi is made when there are others to sort it among. */
static int add_point(struct svt_ranges *rs, const struct svt_bytes *key)
{
    struct svt_range *r = range_add(rs);
    if (r == NULL)
        return SQLITE_NOMEM;
    copy(&r->lo, key);
    r->bounded = r->point = true;
    return SQLITE_OK;
}

/* The values of one class: between the boundaries below and above a tag. */
static int add_class(struct svt_ranges *rs, const struct svt_bytes *prefix,
                     const struct svt_key_part *part, uint8_t tag)
{
    struct svt_range *r = range_add(rs);
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
static int add_numeric_texts(struct svt_ranges *rs, const struct svt_bytes *prefix,
                             const struct svt_key_part *part)
{
    struct svt_range *r = range_add(rs);
    if (r == NULL)
        return SQLITE_NOMEM;
    copy(&r->lo, prefix);
    copy(&r->hi, prefix);
    svt_key_put_first(&r->lo, part, part->desc ? 0x39 : 0x09);
    svt_key_put_first(&r->hi, part, part->desc ? 0x09 - 1 : 0x39 + 1);
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
static bool may_be_printed(const struct svt_value *v, enum svt_encoding encoding)
{
    uint8_t first = svt_encoding_first(v->bytes, encoding);
    return first == '-' || (first >= '0' && first <= '9') || first == 'I';
}

static int match_of(const struct svt_value *v, enum svt_affinity affinity,
                    enum svt_encoding encoding)
{
    int value = affinity == SVT_AFFINITY_BLOB ? MATCH_VALUE : 0;
    if (v->type == SQLITE_INTEGER)
        return value | MATCH_NUMERIC_TEXTS;
    if (v->type == SQLITE_FLOAT)
        return value | (isfinite(v->r) ? MATCH_NUMERIC_TEXTS : MATCH_TEXTS);
    if (v->type == SQLITE_TEXT && affinity == SVT_AFFINITY_BLOB &&
        may_be_printed(v, encoding))
        return MATCH_VALUE | MATCH_NUMBERS;
    return MATCH_VALUE;
}

static int classify(struct operand *o, const struct svt_schema *s,
                    enum svt_affinity affinity, sqlite3_value *v, bool literal)
{
    int type = sqlite3_value_type(v);
    *o = (struct operand){.match = type != SQLITE_NULL ? MATCH_VALUE : 0};
    if (type == SQLITE_TEXT && affinity >= SVT_AFFINITY_NUMERIC) {
        if ((o->dup = sqlite3_value_dup(v)) == NULL)
            return SQLITE_NOMEM;
        return s->read(o->dup, SVT_AFFINITY_NUMERIC, &o->value);
    }
    int rc = s->read(v, SVT_AFFINITY_BLOB, &o->value);
    if (type != SQLITE_NULL && affinity < SVT_AFFINITY_NUMERIC && !literal)
        o->match = match_of(&o->value, affinity, s->encoding);
    return rc;
}

static bool is_literal(int idx_num, int arg)
{
    return arg < SVT_PLAN_LITERAL_MAX &&
           (idx_num >> (SVT_PLAN_LITERAL_SHIFT + arg) & 1) != 0;
}

/* The value is compared with the part as it is. */
static bool is_taken_as_is(int idx_num, int arg, int part)
{
    return is_literal(idx_num, arg) || (part == 0 && (idx_num & SVT_PLAN_PLAIN) != 0);
}

static enum svt_affinity part_affinity(const struct svt_schema *s, int part)
{
    return s->columns[s->key[part]].affinity;
}

/* The ranges beside the value itself. */
static int add_wide(struct svt_ranges *rs, const struct svt_bytes *prefix,
                    const struct svt_key_part *part, int match)
{
    int rc = SQLITE_OK;
    if (match & MATCH_NUMERIC_TEXTS)
        rc = add_numeric_texts(rs, prefix, part);
    if (rc == SQLITE_OK && match & MATCH_TEXTS)
        rc = add_class(rs, prefix, part, SVT_TAG_TEXT);
    if (rc == SQLITE_OK && match & MATCH_NUMBERS)
        rc = add_class(rs, prefix, part, SVT_TAG_NUMBER);
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
static void cut(struct svt_range *r, const struct svt_bytes *prefix,
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
static int add_bound(struct svt_ranges *rs, const struct bound *b, sqlite3_value *v,
                     bool *none)
{
    const struct svt_schema *s = rs->schema;
    const struct svt_key_part *p = &s->parts[b->part];
    enum svt_affinity affinity = part_affinity(s, b->part);
    struct operand o;
    int rc = classify(&o, s, affinity, v, b->literal);
    *none = o.match == 0;
    if (rc == SQLITE_OK && o.match & MATCH_VALUE)
        cut(&rs->list[b->range], b->prefix, p, &o.value, b->side, b->strict);
    if (rc == SQLITE_OK && affinity == SVT_AFFINITY_BLOB && !b->literal) {
        /* 5 > '!' as texts; '3' < 5 as numbers. */
        int type = o.value.type;
        if (b->side == SIDE_ABOVE && type == SQLITE_TEXT)
            rc = add_class(rs, b->prefix, p, SVT_TAG_NUMBER);
        else if (b->side == SIDE_BELOW &&
                 (type == SQLITE_INTEGER || type == SQLITE_FLOAT))
            rc = add_wide(rs, b->prefix, p, o.match);
    }
    if (rc == SQLITE_OK && b->blobs)
        rc = add_class(rs, b->prefix, p, SVT_TAG_BLOB);
    sqlite3_value_free(o.dup);
    return rc;
}

static int add_bounds(struct svt_ranges *rs, const struct svt_bytes *prefix, int part,
                      int idx_num, sqlite3_value **argv)
{
    struct bound b = {.prefix = prefix, .part = part, .range = rs->n};
    int arg = idx_num & SVT_PLAN_NEQ;
    bool none = false;
    int rc = add_prefix(rs, prefix);
    if (rc == SQLITE_OK && idx_num & SVT_PLAN_LOWER) {
        b.side = SIDE_ABOVE;
        b.strict = (idx_num & SVT_PLAN_LOWER_STRICT) != 0;
        b.literal = is_taken_as_is(idx_num, arg, part);
        rc = add_bound(rs, &b, argv[arg], &none);
        arg++;
    }
    if (rc == SQLITE_OK && !none && idx_num & SVT_PLAN_UPPER) {
        b.side = SIDE_BELOW;
        b.strict = (idx_num & SVT_PLAN_UPPER_STRICT) != 0;
        b.literal = is_taken_as_is(idx_num, arg, part);
        b.blobs = (idx_num & SVT_PLAN_BLOBS) != 0;
        rc = add_bound(rs, &b, argv[arg], &none);
    }
    if (none)
        rs->n = b.range;
    return rc;
}

/* ---- plans ----------------------------------------------------------------- */

/* The ranges for what comes after the equalities. */
static int plan_rest(struct svt_ranges *rs, const struct svt_bytes *prefix, int idx_num,
                     sqlite3_value **argv)
{
    int neq = idx_num & SVT_PLAN_NEQ;
    if (neq > 0 && neq == rs->schema->nkey)
        return add_point(rs, prefix);
    if (idx_num & (SVT_PLAN_LOWER | SVT_PLAN_UPPER))
        return add_bounds(rs, prefix, neq, idx_num, argv);
    return add_prefix(rs, prefix);
}

/* Put an equality on `part`; *on says that the value itself is in prefix now. */
static int plan_equality(struct svt_ranges *rs, struct svt_bytes *prefix, int part,
                         sqlite3_value *v, bool literal, bool *on)
{
    const struct svt_schema *s = rs->schema;
    struct operand o;
    int rc = classify(&o, s, part_affinity(s, part), v, literal);
    if (rc == SQLITE_OK)
        rc = add_wide(rs, prefix, &s->parts[part], o.match);
    *on = rc == SQLITE_OK && o.match & MATCH_VALUE;
    if (*on)
        svt_key_put(prefix, &s->parts[part], &o.value);
    sqlite3_value_free(o.dup);
    return rc;
}

/* The last equality is a list of values. */
static int plan_list(struct svt_ranges *rs, struct svt_bytes *prefix, int idx_num,
                     sqlite3_value **argv)
{
    int part = (idx_num & SVT_PLAN_NEQ) - 1;
    size_t size = prefix->size;
    sqlite3_value *v = NULL;
    int rc = sqlite3_vtab_in_first(argv[part], &v);
    while (rc == SQLITE_OK && v != NULL) {
        bool on;
        rc = plan_equality(rs, prefix, part, v, false, &on);
        if (rc == SQLITE_OK && on)
            rc = plan_rest(rs, prefix, idx_num, argv);
        prefix->size = size;
        if (rc == SQLITE_OK && rs->interrupt != NULL)
            rc = svt_interrupt_pass(rs->interrupt);
        if (rc == SQLITE_OK)
            rc = sqlite3_vtab_in_next(argv[part], &v);
    }
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* Encoded keys of several parts. */
static int plan_parts(struct svt_ranges *rs, int idx_num, sqlite3_value **argv)
{
    int neq = idx_num & SVT_PLAN_NEQ;
    int single = idx_num & SVT_PLAN_IN ? neq - 1 : neq;
    struct svt_bytes *prefix = &rs->prefix;
    bool on = true;
    int rc = SQLITE_OK;
    svt_bytes_clear(prefix);
    for (int i = 0; i < single && rc == SQLITE_OK && on; i++)
        rc = plan_equality(rs, prefix, i, argv[i], is_taken_as_is(idx_num, i, i), &on);
    if (rc == SQLITE_OK && on)
        rc = single < neq ? plan_list(rs, prefix, idx_num, argv)
                          : plan_rest(rs, prefix, idx_num, argv);
    return prefix->failed ? SQLITE_NOMEM : rc;
}

static int plan_hidden_key(struct svt_ranges *rs, sqlite3_value *v)
{
    struct svt_bytes *key = &rs->prefix;
    svt_bytes_clear(key);
    if (sqlite3_value_type(v) != SQLITE_BLOB)
        return SQLITE_OK;
    svt_bytes_append(key, sqlite3_value_blob(v), (size_t)sqlite3_value_bytes(v));
    return key->failed ? SQLITE_NOMEM : add_point(rs, key);
}

/* Integers from *lo to *hi; empty says that there are none. */
struct rowids {
    const struct svt_schema *schema; /* borrowed */
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
    int rc = classify(&o, r->schema, SVT_AFFINITY_INTEGER, v, true);
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

static int plan_rowid(struct svt_ranges *rs, int idx_num, sqlite3_value **argv)
{
    struct rowids r = {.schema = rs->schema, .lo = INT64_MIN, .hi = INT64_MAX};
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
    struct svt_range *range = range_add(rs);
    if (range == NULL)
        return SQLITE_NOMEM;
    svt_key_rowid(&range->lo, r.lo);
    range->point = r.lo == r.hi;
    range->bounded = r.hi != INT64_MAX || range->point;
    if (range->bounded && !range->point) {
        svt_key_rowid(&range->hi, r.hi);
        svt_bytes_byte(&range->hi, 0);
    }
    return SQLITE_OK;
}

static int compare_ranges(const void *a, const void *b)
{
    const struct svt_range *x = a, *y = b;
    return compare(&x->lo, &y->lo);
}

static void swap_ranges(struct svt_range *a, struct svt_range *b)
{
    struct svt_range t = *a;
    *a = *b;
    *b = t;
}

/* Order the ranges as they will be walked; those that overlap become one, so that each
 * row is given once. */
static void sort_ranges(struct svt_ranges *rs)
{
    int n = 0;
    if (rs->n > 1)
        qsort(rs->list, (size_t)rs->n, sizeof(*rs->list), compare_ranges);
    for (int i = 0; i < rs->n; i++) {
        struct svt_range *r = &rs->list[i], *last = n > 0 ? &rs->list[n - 1] : NULL;
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
            swap_ranges(&rs->list[n++], r);
        }
    }
    rs->n = n;
    for (int i = 0; rs->reverse && i < n / 2; i++)
        swap_ranges(&rs->list[i], &rs->list[n - 1 - i]);
}

/* By far the most frequent plan: all of a key of one part, a text or blob that is
 * compared as it is.  False: it is something else. */
static bool plan_simple(struct svt_ranges *rs, sqlite3_value *v, int *rc)
{
    const struct svt_schema *s = rs->schema;
    int type = sqlite3_value_type(v);
    struct svt_value value;
    if (type != SQLITE_BLOB &&
        (type != SQLITE_TEXT || part_affinity(s, 0) != SVT_AFFINITY_TEXT))
        return false;
    if ((*rc = s->read(v, SVT_AFFINITY_BLOB, &value)) != SQLITE_OK)
        return true;
    struct svt_range *r = range_add(rs);
    if (r == NULL) {
        *rc = SQLITE_NOMEM;
        return true;
    }
    svt_key_put(&r->lo, &s->parts[0], &value);
    r->bounded = r->point = true;
    *rc = r->lo.failed ? SQLITE_NOMEM : SQLITE_OK;
    return true;
}

/* How sure the plan's values for the first part are, which rest on it being plain. */
static enum svt_doubt doubt_of(const struct svt_schema *s, int idx_num, int argc,
                               sqlite3_value **argv)
{
    bool equality = (idx_num & SVT_PLAN_NEQ) > 0;
    enum svt_doubt most = SVT_SURE;
    for (int i = 0; i < (equality ? 1 : argc); i++) {
        if (is_literal(idx_num, i))
            continue;
        enum svt_doubt doubt =
            svt_plain_doubt(argv[i], part_affinity(s, 0), s->encoding, equality);
        most = doubt > most ? doubt : most;
    }
    return most;
}

int svt_ranges_make(struct svt_ranges *rs, int idx_num, int argc, sqlite3_value **argv)
{
    int rc;
    rs->n = 0;
    rs->doubt = SVT_SURE;
    rs->reverse = (idx_num & SVT_PLAN_REVERSE) != 0;
    enum svt_shape shape = rs->schema->shape;
    if (shape == SVT_SHAPE_SINGLE && argc == 1 &&
        (idx_num & (SVT_PLAN_NEQ | SVT_PLAN_IN | SVT_PLAN_HIDDEN_KEY)) == 1 &&
        plan_simple(rs, argv[0], &rc))
        return rc;
    if (idx_num & SVT_PLAN_PLAIN)
        rs->doubt = doubt_of(rs->schema, idx_num, argc, argv);
    if (idx_num & SVT_PLAN_HIDDEN_KEY && argc == 1)
        rc = plan_hidden_key(rs, argv[0]);
    else if (shape == SVT_SHAPE_IPK || shape == SVT_SHAPE_ROWID)
        rc = plan_rowid(rs, idx_num, argv);
    else
        rc = plan_parts(rs, idx_num, argv);
    bool lone = rs->n == 1 && rs->list[0].point;
    for (int i = 0; i < rs->n && rc == SQLITE_OK; i++) {
        struct svt_range *r = &rs->list[i];
        if (r->point && !lone) {
            copy(&r->hi, &r->lo);
            svt_bytes_byte(&r->hi, 0);
        }
        if (r->lo.failed || r->hi.failed)
            rc = SQLITE_NOMEM;
    }
    if (rc == SQLITE_OK && !lone)
        sort_ranges(rs);
    return rc;
}

void svt_ranges_fini(struct svt_ranges *rs)
{
    for (int i = 0; i < rs->capacity; i++) {
        svt_bytes_fini(&rs->list[i].lo);
        svt_bytes_fini(&rs->list[i].hi);
    }
    sqlite3_free(rs->list);
    svt_bytes_fini(&rs->prefix);
}
