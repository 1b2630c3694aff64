/* SPDX-License-Identifier: Apache-2.0
 *
 * What SQLite 3.40.1 does, found with a probe module; the rules below rest on it:
 *
 * SQLITE_INDEX_SCAN_UNIQUE is a promise, not a hint.  Where the module gave two rows in
 * spite of it, UPDATE and DELETE changed the first and stopped, and a LEFT JOIN whose
 * columns nobody reads was dropped, and with it a row of the result.  So it is given
 * only where one row at most can match: `textkey = (SELECT integer)` matches '5', '05',
 * '5.0'. It stays out for `textkey = ?` too, which looks the same from here.
 *
 * Except in an UPDATE, which is much dearer without it: SQLite then keeps the rows in a
 * table of its own first. There the promise is given and kept by the cursor: it sees
 * the values, and most of them are equal to one key only.  Where one is not, xFilter
 * answers SQLITE_SCHEMA, and SQLite prepares the statement again, this time without the
 * promise, and begins anew.  That is good only where nothing was done yet, neither a
 * row written nor one shown: SQLite does not always undo what comes before
 * SQLITE_SCHEMA. A trigger's UPDATE, and a SELECT in the middle of a join, may have;
 * and of a LEFT JOIN that was dropped the cursor hears nothing.  UPDATE is known by its
 * mask of used columns, which has all bits set, those of no column too; DELETE has no
 * such sign.
 *
 * sqlite3_vtab_rhs_value also knows the value of CAST('5' AS INTEGER), which unlike the
 * literal 5 has an affinity of its own: compared with a TEXT or untyped column it is
 * equal to '05'.  Texts, blobs and NULL compare alike with or without a cast; so only
 * those count as literals.
 *
 * IN as a loop of equalities is checked again as `column = value`, without the affinity
 * of the right side: `textkey IN (SELECT integer)` loses '05'.  Taken as a whole list
 * it is checked as IN and right.  (`(a, b) IN (SELECT ...)` cannot be told from `a =
 * ?`, and has the loop's weakness in any module.)  SQLite takes back orderByConsumed
 * and UNIQUE for loops of IN by itself.
 *
 * ORDER BY k COLLATE c is offered only when c is the collation the column was declared
 * with, and so is ORDER BY k NULLS FIRST/LAST only where that says what happens anyway.
 *
 * sqlite3_vtab_distinct answers 1 for a GROUP BY, whose groups may come in any order.
 * Up to 3.45 and beyond it also answers so where an ORDER BY like the GROUP BY is
 * dropped if the order is consumed: there rows in any other order come out wrong.  For
 * DISTINCT (2, 3) the duplicates would have to be left out, and SQLite looks for them
 * all the same: the order is consumed where it is the one asked for, no more.
 *
 * LIMIT and OFFSET are left to SQLite.  It asks for no row beyond the LIMIT, and none
 * is read before it is asked for, so that LIMIT buys nothing.  Skipping rows of an
 * OFFSET here would save it some 10 ns each, and would be right only where nothing is
 * checked after us: but of (a, b) > (x, y) only a >= x is sent, LIMIT and OFFSET beside
 * it, and that looks like a bound that is exact (sqlite-facts 11).
 *
 * LIKE and GLOB add k >= 'abc' and k < 'abd', never checked themselves.  If both are
 * taken as exact SQLite drops the LIKE as well.  Where LIKE sees blobs, those are
 * outside of the range: then the cursor must add them and SQLite check the LIKE.
 *
 * The upper bound is made by adding one to the last byte in UTF-8.  In UTF-16 that is
 * no bound where the byte belongs to a character beyond ASCII, and even 'a' to 'b' has
 * strangers in between in the order of UTF-16le (U+0161): SQLite 3.40 answers wrongly
 * from its own indexes there.  Such bounds are left alone, or the LIKE is checked.  Of
 * LIKE ... ESCAPE nothing is told but the two bounds: what looks like them is taken for
 * them. */
#include "plan.h"

#define IN_VALUES   8 /* assumed length of a list */
#define SEEK_COST   10.0
#define PREFIX_ROWS 11
/* A statement prepared while the table is empty also runs when it is not: it must look
 * keys up.  But of two small tables the smaller one comes first in a join. */
#define MIN_ROWS 256.0
#define FEW_ROWS 32.0
#define MAX_ROWS 1e18
/* What a check leaves of the rows, and one for equality at most. */
#define CHECK_LEAVES    0.933
#define EQUALITY_LEAVES 0.25

#define MAX_PARTS 64

/* Constraints by their numbers; -1: none. */
struct choice {
    int eq[MAX_PARTS];
    bool single[MAX_PARTS];  /* the equality leaves one value for certain */
    bool hopeful[MAX_PARTS]; /* it may; the cursor will see */
    int neq;
    int lower, upper;
    int in;       /* handled as a list */
    int compared; /* of a walk over all keys: passed on, no more */
    bool blobs;
    bool like16; /* the bounds may be those of LIKE, and give too much */
};

/* ---- what a constraint is good for ---------------------------------------- */

static bool has_rowid(const struct svt_schema *s)
{
    return s->shape == SVT_SHAPE_IPK || s->shape == SVT_SHAPE_ROWID;
}

static int count_parts(const struct svt_schema *s)
{
    return s->shape == SVT_SHAPE_ROWID ? 1 : s->nkey;
}

/* The key part of a column; -1: not in the key. */
static int part_of(const struct svt_schema *s, int column)
{
    if (column < 0)
        return has_rowid(s) ? 0 : -1;
    return column < s->ncolumns ? s->columns[column].key_part : -1;
}

static bool is_numeric(const struct svt_schema *s, int part)
{
    return has_rowid(s) || s->columns[s->key[part]].affinity >= SVT_AFFINITY_NUMERIC;
}

/* False for the part after the last. */
static bool is_untyped(const struct svt_schema *s, int part)
{
    return part < count_parts(s) && !is_numeric(s, part) &&
           s->columns[s->key[part]].affinity == SVT_AFFINITY_BLOB;
}

static bool is_literal(const struct svt_plan_constraint *c)
{
    return c->literal && c->literal_type != SQLITE_INTEGER &&
           c->literal_type != SQLITE_FLOAT;
}

/* Whether the cursor is exact because the first part is plain.  UNIQUE is not promised
 * for that: when the keys are plain no more the cursor says so, but of a LEFT JOIN that
 * was dropped it hears nothing. */
static bool rests_on_plain(const struct svt_plan_request *r,
                           const struct svt_plan_constraint *c)
{
    const struct svt_schema *s = r->schema;
    return r->plain && part_of(s, c->column) == 0 && !is_numeric(s, 0) &&
           !is_literal(c);
}

/* Whether the cursor gives exactly the rows that satisfy c as its argv number `arg`. */
static bool is_exact(const struct svt_plan_request *r,
                     const struct svt_plan_constraint *c, int arg)
{
    return is_numeric(r->schema, part_of(r->schema, c->column)) ||
           (is_literal(c) && arg < SVT_PLAN_LITERAL_MAX) || rests_on_plain(r, c);
}

static bool is_usable(const struct svt_schema *s, const struct svt_plan_constraint *c,
                      int part)
{
    return c->usable && part_of(s, c->column) == part &&
           (c->collation_matches || has_rowid(s));
}

/* IS NULL is one, too: its value arrives as NULL, which no part of a key is. */
static bool is_equality(const struct svt_plan_constraint *c)
{
    return c->op == SQLITE_INDEX_CONSTRAINT_EQ || c->op == SQLITE_INDEX_CONSTRAINT_IS ||
           c->op == SQLITE_INDEX_CONSTRAINT_ISNULL;
}

/* ---- choosing ------------------------------------------------------------- */

/* The best equality on the next part; -1: none. */
static int choose_equality(const struct svt_plan_request *r, int part)
{
    const struct svt_schema *s = r->schema;
    int best = -1, best_score = 0;
    for (int i = 0; i < r->nconstraints; i++) {
        const struct svt_plan_constraint *c = &r->constraints[i];
        if (!is_equality(c) || !is_usable(s, c, part))
            continue;
        int score = c->in ? 1 : is_exact(r, c, part) ? 3 : 2;
        /* sqlite3_vtab_in reaches the first 32 argvs. */
        if (c->in && !is_numeric(s, part) && (!r->in_at_once || part >= 32))
            score = 0;
        if (score > best_score) {
            best = i;
            best_score = score;
        }
    }
    return best;
}

/* Whether LIKE or GLOB stands on the part: its bounds may be theirs. */
static bool has_like(const struct svt_plan_request *r, int part)
{
    for (int i = 0; i < r->nconstraints; i++) {
        const struct svt_plan_constraint *c = &r->constraints[i];
        if ((c->op == SQLITE_INDEX_CONSTRAINT_LIKE ||
             c->op == SQLITE_INDEX_CONSTRAINT_GLOB || c->like_made) &&
            part_of(r->schema, c->column) == part)
            return true;
    }
    return false;
}

static int choose_bound(const struct svt_plan_request *r, int part, int op, int or_op)
{
    int best = -1;
    bool like16 = r->schema->encoding != SVT_UTF8 && has_like(r, part);
    for (int i = 0; i < r->nconstraints; i++) {
        const struct svt_plan_constraint *c = &r->constraints[i];
        if ((c->op != op && c->op != or_op) || !is_usable(r->schema, c, part) ||
            (like16 && c->beyond_ascii))
            continue;
        if (best < 0 || (is_literal(c) && !is_literal(&r->constraints[best])))
            best = i;
    }
    return best;
}

/* The equality to pass on where there is no use of the key.  A join's is better than
 * that with a literal; even where the cursor makes nothing of it, it tells SQLite that
 * the estimate of rows holds only after the tables on its other side. */
static int choose_compared(const struct svt_plan_request *r)
{
    int best = -1;
    for (int i = 0; i < r->nconstraints; i++) {
        const struct svt_plan_constraint *c = &r->constraints[i];
        if (!c->usable || c->op != SQLITE_INDEX_CONSTRAINT_EQ || c->in ||
            !c->collation_builtin || c->column < 0 ||
            c->column >= r->schema->ncolumns || c->column >= SVT_PLAN_COLUMN_MAX)
            continue;
        if (best < 0 || (!c->literal && r->constraints[best].literal))
            best = i;
    }
    return best;
}

static void choose_constraints(const struct svt_plan_request *r, struct choice *ch)
{
    const struct svt_schema *s = r->schema;
    int nparts = count_parts(s);
    *ch = (struct choice){.lower = -1, .upper = -1, .in = -1, .compared = -1};
    while (ch->neq < nparts && ch->in < 0) {
        int i = choose_equality(r, ch->neq);
        if (i < 0)
            break;
        const struct svt_plan_constraint *c = &r->constraints[i];
        if (c->in && !is_numeric(s, ch->neq))
            ch->in = i;
        ch->single[ch->neq] = !c->in && is_exact(r, c, ch->neq);
        ch->hopeful[ch->neq] = r->begins_anew && !c->in && !c->literal;
        ch->eq[ch->neq++] = i;
    }
    if (ch->neq == nparts)
        return;
    ch->lower = choose_bound(r, ch->neq, SQLITE_INDEX_CONSTRAINT_GE,
                             SQLITE_INDEX_CONSTRAINT_GT);
    ch->upper = choose_bound(r, ch->neq, SQLITE_INDEX_CONSTRAINT_LE,
                             SQLITE_INDEX_CONSTRAINT_LT);
    ch->blobs = ch->upper >= 0 && !r->like_skips_blobs && has_like(r, ch->neq);
    ch->like16 = s->encoding != SVT_UTF8 && has_like(r, ch->neq);
    if (ch->neq == 0 && ch->lower < 0 && ch->upper < 0)
        ch->compared = choose_compared(r);
}

/* Whether walking the keys gives the order asked for, and in which direction. */
static bool gives_order(const struct svt_plan_request *r, const struct choice *ch,
                        bool *reverse)
{
    const struct svt_schema *s = r->schema;
    int nparts = count_parts(s), at = 0;
    bool directed = false;
    for (int i = 0; i < r->norder; i++) {
        int part = part_of(s, r->order[i].column);
        if (part >= 0 && ch->single[part])
            continue;
        while (at < nparts && ch->single[at])
            at++;
        if (at == nparts)
            return true; /* the key is complete: no two rows are left to order */
        if (part != at)
            return false;
        bool backwards = r->order[i].desc != (!has_rowid(s) && s->parts[at].desc);
        if (directed && backwards != *reverse)
            return false;
        *reverse = backwards;
        directed = true;
        at++;
    }
    return true;
}

/* Whether walking the keys keeps equal rows together. */
static bool gives_groups(const struct svt_plan_request *r, const struct choice *ch)
{
    uint64_t wanted = 0;
    bool other = false;
    int nparts = count_parts(r->schema), at = 0;
    for (int i = 0; i < r->norder; i++) {
        int part = part_of(r->schema, r->order[i].column);
        if (part < 0)
            other = true;
        else if (!ch->single[part])
            wanted |= (uint64_t)1 << part;
    }
    while (at < nparts && (ch->single[at] || (wanted >> at & 1) != 0))
        wanted &= ~((uint64_t)1 << at++);
    /* A complete key: each row is a group. */
    return at == nparts || (!other && wanted == 0);
}

/* ---- writing the plan down ------------------------------------------------ */

static const char *column_name(const struct svt_schema *s, int column)
{
    if (column < 0)
        return s->shape == SVT_SHAPE_IPK ? s->columns[s->key[0]].name : "rowid";
    return column < s->ncolumns ? s->columns[column].name
           : column == s->ncolumns && s->shape == SVT_SHAPE_COMPOSITE ? "_key"
                                                                      : "_snapshot";
}

/* *sure: no equality before it may give more keys than were asked for.  Those keys come
 * whatever their later parts are, so that SQLite must check the later constraints too.
 */
static void take(const struct svt_plan_request *r, struct svt_plan *out, int i, int arg,
                 bool *sure)
{
    const struct svt_plan_constraint *c = &r->constraints[i];
    out->argv_index[i] = arg + 1;
    *sure = *sure && is_exact(r, c, arg) && i != out->in_constraint;
    out->omit[i] = *sure;
    if (is_literal(c) && !is_numeric(r->schema, part_of(r->schema, c->column)) &&
        arg < SVT_PLAN_LITERAL_MAX)
        out->idx_num |= 1 << (SVT_PLAN_LITERAL_SHIFT + arg);
    if (out->omit[i] && rests_on_plain(r, c))
        out->idx_num |= SVT_PLAN_PLAIN;
}

static void take_all(const struct svt_plan_request *r, const struct choice *ch,
                     struct svt_plan *out)
{
    int arg = 0;
    bool sure = true;
    out->in_constraint = ch->in;
    out->idx_num = ch->neq | (ch->in >= 0 ? SVT_PLAN_IN : 0);
    for (; arg < ch->neq; arg++)
        take(r, out, ch->eq[arg], arg, &sure);
    bool after = sure;
    if (ch->lower >= 0) {
        take(r, out, ch->lower, arg++, &sure);
        out->idx_num |= SVT_PLAN_LOWER;
        if (r->constraints[ch->lower].op == SQLITE_INDEX_CONSTRAINT_GT)
            out->idx_num |= SVT_PLAN_LOWER_STRICT;
    }
    if (ch->upper >= 0) {
        take(r, out, ch->upper, arg++, &after);
        out->idx_num |= SVT_PLAN_UPPER;
        if (r->constraints[ch->upper].op == SQLITE_INDEX_CONSTRAINT_LT)
            out->idx_num |= SVT_PLAN_UPPER_STRICT;
    }
    if (ch->compared >= 0) {
        out->argv_index[ch->compared] = 1;
        out->idx_num |= (r->constraints[ch->compared].column + 1)
                        << SVT_PLAN_LITERAL_SHIFT;
    }
    if (ch->blobs)
        out->idx_num |= SVT_PLAN_BLOBS;
    /* What a bound on an untyped part lets in besides its own side is not cut by the
     * other one. */
    if (ch->blobs || ch->like16 ||
        (is_untyped(r->schema, ch->neq) && !(sure && after))) {
        if (ch->lower >= 0)
            out->omit[ch->lower] = false;
        if (ch->upper >= 0)
            out->omit[ch->upper] = false;
        if (ch->neq == 0)
            out->idx_num &= ~SVT_PLAN_PLAIN;
    }
}

/* What is left of `rows` that the keys give after the checks that SQLite makes itself.
 * For its own tables it reckons like this, for virtual ones not at all; who does not
 * tell puts a join that leaves little behind one that leaves everything.  Only what is
 * known wherever the table stands in a join counts: literals, lists, and what is passed
 * on. */
static double left_of(const struct svt_plan_request *r, const struct svt_plan *p,
                      double rows)
{
    bool equality = false, scan = svt_plan_is_scan(p->idx_num);
    double left = rows;
    for (int i = 0; i < r->nconstraints; i++) {
        const struct svt_plan_constraint *c = &r->constraints[i];
        bool passed = p->argv_index[i] != 0;
        if (i + 1 == r->as_of || !c->usable || (passed ? !scan : !c->literal && !c->in))
            continue;
        left *= CHECK_LEAVES;
        equality = equality || is_equality(c);
    }
    if (equality && left > rows * EQUALITY_LEAVES)
        left = rows * EQUALITY_LEAVES;
    return left < 1 ? 1 : left;
}

/* An equality on part of the key is taken for selective, as SQLite takes it for its own
 * indexes without statistics: some ten rows, one less for each further column. */
static void estimate(const struct svt_plan_request *r, const struct choice *ch,
                     struct svt_plan *out)
{
    double n = (double)r->rows;
    bool scan = ch->neq == 0 && ch->lower < 0 && ch->upper < 0;
    double few = n + FEW_ROWS;
    n = n < MIN_ROWS ? MIN_ROWS : n > MAX_ROWS ? MAX_ROWS : n;
    double rows = n, seeks = 1;
    if (ch->neq > 0)
        rows = ch->neq == count_parts(r->schema) ? 1 : PREFIX_ROWS - ch->neq;
    if (ch->lower >= 0 || ch->upper >= 0)
        rows /= ch->lower >= 0 && ch->upper >= 0 ? 16 : 4;
    for (int i = 0; i < ch->neq; i++) {
        if (r->constraints[ch->eq[i]].in)
            seeks *= IN_VALUES;
    }
    rows = rows < 1 ? 1 : rows;
    rows = rows * seeks < n ? rows * seeks : n;
    out->cost = seeks * SEEK_COST + (out->unique ? 0 : rows);
    if (scan)
        out->cost += SEEK_COST; /* it is dearer than any range */
    out->rows = (int64_t)left_of(r, out, rows < few ? rows : few);
}

static void describe_term(sqlite3_str *str, const struct svt_plan_request *r, int i,
                          const char *op)
{
    sqlite3_str_appendf(str, "%s%s%s", sqlite3_str_length(str) > 0 ? " AND " : "",
                        column_name(r->schema, r->constraints[i].column), op);
}

static char *describe(const struct svt_plan_request *r, const struct choice *ch,
                      const struct svt_plan *p)
{
    sqlite3_str *str = sqlite3_str_new(NULL);
    for (int i = 0; i < ch->neq; i++)
        describe_term(str, r, ch->eq[i],
                      ch->eq[i] == ch->in ? " IN ?"
                      : r->constraints[ch->eq[i]].op == SQLITE_INDEX_CONSTRAINT_ISNULL
                          ? " IS NULL"
                          : "=?");
    if (ch->lower >= 0)
        describe_term(str, r, ch->lower,
                      p->idx_num & SVT_PLAN_LOWER_STRICT ? ">?" : ">=?");
    if (ch->upper >= 0)
        describe_term(str, r, ch->upper,
                      p->idx_num & SVT_PLAN_UPPER_STRICT ? "<?" : "<=?");
    if (ch->compared >= 0)
        sqlite3_str_appendf(
            str, "(%s=?)", column_name(r->schema, r->constraints[ch->compared].column));
    if (r->as_of > 0)
        describe_term(str, r, r->as_of - 1, "=?");
    for (int i = 0; p->order_consumed && !p->unique && i < r->norder; i++) {
        const char *space = sqlite3_str_length(str) > 0 ? " " : "";
        const char *by = r->grouped ? "GROUP BY " : "ORDER BY ";
        sqlite3_str_appendf(str, "%s%s%s%s", i > 0 ? "," : "", space, i > 0 ? "" : by,
                            column_name(r->schema, r->order[i].column));
        if (r->order[i].desc && !r->grouped)
            sqlite3_str_appendall(str, " DESC");
    }
    if (sqlite3_str_length(str) == 0 && sqlite3_str_errcode(str) == SQLITE_OK) {
        sqlite3_free(sqlite3_str_finish(str));
        return sqlite3_mprintf("");
    }
    return sqlite3_str_finish(str);
}

/* An equality on the hidden _key; -1: none.  A blob is equal to nothing but the same
 * blob, whatever the affinity of the other side. */
static int find_hidden_key(const struct svt_plan_request *r)
{
    if (r->schema->shape != SVT_SHAPE_COMPOSITE)
        return -1;
    for (int i = 0; i < r->nconstraints; i++) {
        const struct svt_plan_constraint *c = &r->constraints[i];
        if (c->usable && c->column == r->schema->ncolumns && is_equality(c))
            return i;
    }
    return -1;
}

/* The constraint that says as of when to read comes after all others. */
static void take_as_of(const struct svt_plan_request *r, struct svt_plan *out)
{
    int argc = 0;
    for (int i = 0; i < r->nconstraints; i++)
        argc = out->argv_index[i] > argc ? out->argv_index[i] : argc;
    out->argv_index[r->as_of - 1] = argc + 1;
    out->omit[r->as_of - 1] = true;
    out->idx_num |= SVT_PLAN_AS_OF;
}

int svt_plan_choose(const struct svt_plan_request *r, struct svt_plan *out)
{
    struct choice ch;
    bool reverse = false;
    sqlite3_uint64 n = (sqlite3_uint64)r->nconstraints + 1;
    *out = (struct svt_plan){.in_constraint = -1};
    out->argv_index = sqlite3_malloc64(n * sizeof out->argv_index[0]);
    out->omit = sqlite3_malloc64(n * sizeof out->omit[0]);
    if (out->argv_index == NULL || out->omit == NULL)
        goto out;
    for (int i = 0; i < r->nconstraints; i++) {
        out->argv_index[i] = 0;
        out->omit[i] = false;
    }
    int hidden = find_hidden_key(r);
    if (hidden >= 0) {
        ch = (struct choice){.eq = {hidden},
                             .neq = 1,
                             .lower = -1,
                             .upper = -1,
                             .in = -1,
                             .compared = -1};
        out->argv_index[hidden] = 1;
        out->omit[hidden] = true;
        out->idx_num = 1 | SVT_PLAN_HIDDEN_KEY;
        out->unique = true;
    } else {
        choose_constraints(r, &ch);
        take_all(r, &ch, out);
        out->unique = ch.neq == count_parts(r->schema);
        for (int i = 0; i < ch.neq; i++)
            out->unique =
                out->unique &&
                (ch.hopeful[i] ||
                 (ch.single[i] && !rests_on_plain(r, &r->constraints[ch.eq[i]])));
    }
    out->order_consumed =
        r->norder > 0 && (out->unique || gives_order(r, &ch, &reverse));
    if (r->norder > 0 && r->grouped && !out->order_consumed)
        out->order_consumed = gives_groups(r, &ch);
    if (out->unique)
        out->idx_num |= SVT_PLAN_UNIQUE;
    else if (out->order_consumed && reverse)
        out->idx_num |= SVT_PLAN_REVERSE;
    if (r->as_of > 0)
        take_as_of(r, out);
    estimate(r, &ch, out);
    out->idx_str = describe(r, &ch, out);
out:
    if (out->idx_str != NULL)
        return SQLITE_OK;
    svt_plan_fini(out);
    return SQLITE_NOMEM;
}

void svt_plan_refine(struct svt_plan *p, const struct svt_plan_request *r,
                     uint64_t rows, int seeks)
{
    if (p->unique || (double)r->rows < MIN_ROWS)
        return;
    rows = rows > r->rows ? r->rows : rows < 1 ? 1 : rows;
    p->rows = (int64_t)left_of(r, p, (double)rows);
    p->cost = seeks * SEEK_COST + (double)rows;
}

void svt_plan_fini(struct svt_plan *p)
{
    sqlite3_free(p->idx_str);
    sqlite3_free(p->argv_index);
    sqlite3_free(p->omit);
    *p = (struct svt_plan){.in_constraint = -1};
}
