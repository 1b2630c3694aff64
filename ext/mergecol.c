/* SPDX-License-Identifier: Apache-2.0
 *
 * The first value stays as it came until another joins it: a column that no operand
 * touches keeps its bytes, and a lone operand is what the column begins with.
 *
 * Why grouping does not matter: `add` keeps the exact sum, and what a column shows is a
 * function of that alone; min, max, first and last pick one of the values, the oldest
 * of equals; bit_or, bit_and and append are associative as they are; expressions are
 * never put together without what was there before them. */
#include "mergecol.h"

#include "compare.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define SUM_REAL  1
#define SUM_PLUS  2
#define SUM_MINUS 4
#define TWO_63    9223372036854775808.0
#define SAID_MAX  400 /* bytes of a reason that are passed on */

static int fail(const struct svt_mergecol *c, seerdb_err *err, int code,
                const char *why)
{
    if (err != NULL) {
        err->code = code;
        snprintf(err->msg, sizeof err->msg, "column \"%s\", %.60s: %.*s", c->name,
                 c->what, SAID_MAX, why);
    }
    return code;
}

void svt_merge_begin(struct svt_merge_acc *a, const struct svt_mergecol *col,
                     bool operands)
{
    a->col = col;
    a->any = a->touched = a->wide = false;
    a->real = a->plus_infinity = a->minus_infinity = false;
    a->operands = operands;
    a->v = (struct svt_value){.type = SQLITE_NULL};
    a->first = (struct svt_merge_beside){.began_null = false};
    a->bytes = (struct svt_bytes){.data = NULL};
}

void svt_merge_end(struct svt_merge_acc *a)
{
    if (a->bytes.data != NULL)
        svt_bytes_fini(&a->bytes);
}

void svt_merge_load(struct svt_merge_acc *a, const struct svt_merge_value *v)
{
    a->v = v->v;
    a->first = v->beside;
    a->any = v->v.type != SQLITE_NULL || v->beside.sum.data != NULL;
}

/* ---- SQL ------------------------------------------------------------------------ */

static int sql_failed(const struct svt_mergecol *c, int rc, char *message,
                      seerdb_err *err)
{
    int code = rc == SQLITE_NOMEM    ? SEERDB_NOMEM
               : rc == SQLITE_TOOBIG ? SEERDB_TOOBIG
                                     : SEERDB_MISMATCH;
    fail(c, err, code, message != NULL ? message : "no memory");
    sqlite3_free(message);
    return code;
}

/* May SQLite be called here? */
static int enter_sql(const struct svt_mergecol *c, bool hurried, seerdb_err *err)
{
    if (hurried)
        return fail(c, err, SEERDB_BUSY, "SQL would take too long here");
    if (!svt_expr_threads() && !pthread_equal(pthread_self(), c->home))
        return fail(c, err, SEERDB_BUSY, "SQLite is for another thread alone");
    return SEERDB_OK;
}

/* What the expression makes of a->v, once.  For values of types that the column's
 * operator has little to do with. */
static int convert(struct svt_merge_acc *a, const char *text, bool hurried,
                   struct svt_value *out, seerdb_err *err)
{
    const struct svt_mergecol *c = a->col;
    struct svt_expr *e = NULL;
    char *message = NULL;
    const struct svt_expr_input old = {.name = "old"};
    const struct svt_expr_spec spec = {
        .text = text, .inputs = &old, .ninputs = 1, .encoding = c->encoding};
    int code = enter_sql(c, hurried, err);
    if (code != SEERDB_OK)
        return code;
    int rc = svt_expr_new(&spec, &e, &message);
    if (rc == SQLITE_OK)
        rc = svt_expr_eval(e, &a->v, out, &message);
    if (rc == SQLITE_OK && out->type == SQLITE_TEXT) {
        if (out->bytes.size > sizeof a->number)
            rc = SQLITE_TOOBIG;
        else if (out->bytes.size > 0)
            memcpy(a->number, out->bytes.data, out->bytes.size);
        out->bytes.data = a->number;
    }
    svt_expr_free(e);
    return rc == SQLITE_OK ? SEERDB_OK : sql_failed(c, rc, message, err);
}

static int evaluate(struct svt_merge_acc *a, const struct svt_value *operand,
                    bool hurried, seerdb_err *err)
{
    const struct svt_mergecol *c = a->col;
    struct svt_value in[2] = {a->v, *operand}, out;
    struct svt_expr *e = NULL;
    char *message = NULL;
    struct svt_bytes bytes = {.data = NULL};
    if (a->operands) { /* without what was there before */
        if (a->any)
            return SEERDB_NOTFOUND;
        a->v = *operand;
        return SEERDB_OK;
    }
    int code = enter_sql(c, hurried, err);
    if (code != SEERDB_OK)
        return code;
    int rc = svt_expr_pool_take(c->pool, &e, &message);
    if (rc == SQLITE_OK)
        rc = svt_expr_eval(e, in, &out, &message);
    if (rc == SQLITE_OK && (out.type == SQLITE_TEXT || out.type == SQLITE_BLOB)) {
        svt_bytes_append(&bytes, out.bytes.data, out.bytes.size);
        out.bytes.data = bytes.data;
        rc = bytes.failed ? SQLITE_NOMEM : SQLITE_OK;
    }
    svt_expr_pool_give(c->pool, e);
    svt_bytes_fini(&a->bytes); /* in[0] may have lived there */
    a->bytes = bytes;
    if (rc != SQLITE_OK)
        return sql_failed(c, rc, message, err);
    a->v = out;
    a->touched = true;
    return SEERDB_OK;
}

/* ---- add ------------------------------------------------------------------------ */

static bool decode_sum(struct svt_merge_acc *a, seerdb_slice bytes)
{
    const uint8_t *p = bytes.data, *end = p + bytes.size;
    uint64_t first, n;
    if (p == end || *p > (SUM_REAL | SUM_PLUS | SUM_MINUS))
        return false;
    a->real = *p & SUM_REAL;
    a->plus_infinity = *p & SUM_PLUS;
    a->minus_infinity = *p & SUM_MINUS;
    p++;
    return svt_varint_read(&p, end, &first) && svt_varint_read(&p, end, &n) &&
           n == (uint64_t)(end - p) && first <= SVT_SUM_BYTES &&
           svt_sum_decode(&a->sum, p, (size_t)first, (size_t)n);
}

static size_t encode_sum(const struct svt_merge_acc *a, uint8_t *out)
{
    uint8_t bytes[SVT_SUM_BYTES];
    size_t first, n, at = 0;
    struct svt_bytes b = {.data = out, .capacity = SVT_MERGE_SUM_MAX};
    bool real = a->real && a->col->affinity == SVT_AFFINITY_BLOB;
    svt_sum_encode(&a->sum, bytes, &first, &n);
    out[at++] = (uint8_t)((real ? SUM_REAL : 0) | (a->plus_infinity ? SUM_PLUS : 0) |
                          (a->minus_infinity ? SUM_MINUS : 0));
    const size_t counts[2] = {first, n};
    for (int i = 0; i < 2; i++) { /* varints of at most 288 */
        if (counts[i] >= 0x80)
            out[at++] = (uint8_t)(counts[i] | 0x80);
        out[at++] = (uint8_t)(counts[i] >= 0x80 ? counts[i] >> 7 : counts[i]);
    }
    memcpy(b.data + at, bytes, n);
    return at + n;
}

/* Add a number to the wide sum.  What an infinity has swallowed never shows again. */
static void add_number(struct svt_merge_acc *a, const struct svt_value *v)
{
    if (v->type == SQLITE_INTEGER) {
        svt_sum_add_integer(&a->sum, v->i);
        return;
    }
    a->real = true;
    if (isinf(v->r) && v->r > 0)
        a->plus_infinity = true;
    else if (isinf(v->r))
        a->minus_infinity = true;
    else
        svt_sum_add_real(&a->sum, v->r);
}

/* Go over to the wide sum. */
static int widen(struct svt_merge_acc *a, bool hurried, seerdb_err *err)
{
    struct svt_value v = a->v;
    if (a->first.sum.data != NULL) {
        if (!decode_sum(a, a->first.sum))
            return fail(a->col, err, SEERDB_CORRUPT, "the sum beside it is malformed");
        a->wide = true;
        return SEERDB_OK;
    }
    if (v.type == SQLITE_TEXT || v.type == SQLITE_BLOB) {
        int rc = convert(a, "old + 0", hurried, &v, err);
        if (rc != SEERDB_OK)
            return rc;
    }
    a->wide = true;
    memset(&a->sum, 0, sizeof a->sum);
    if (v.type != SQLITE_NULL)
        add_number(a, &v);
    return SEERDB_OK;
}

static int add(struct svt_merge_acc *a, const struct svt_merge_value *v, bool hurried,
               seerdb_err *err)
{
    int64_t sum;
    if (!a->wide && a->first.sum.data == NULL && v->beside.sum.data == NULL &&
        a->v.type == SQLITE_INTEGER && v->v.type == SQLITE_INTEGER &&
        !__builtin_add_overflow(a->v.i, v->v.i, &sum)) {
        a->v.i = sum;
        return SEERDB_OK;
    }
    /* The other one by itself, and then limb by limb. */
    struct svt_merge_acc other;
    svt_merge_begin(&other, a->col, true);
    other.v = v->v;
    other.first = v->beside;
    int rc = a->wide ? SEERDB_OK : widen(a, hurried, err);
    if (rc == SEERDB_OK)
        rc = widen(&other, hurried, err);
    if (rc != SEERDB_OK)
        return rc;
    svt_sum_add(&a->sum, &other.sum);
    a->real = a->real || other.real;
    a->plus_infinity = a->plus_infinity || other.plus_infinity;
    a->minus_infinity = a->minus_infinity || other.minus_infinity;
    return SEERDB_OK;
}

/* What the column shows of the sum. */
static struct svt_value shown(const struct svt_merge_acc *a)
{
    enum svt_affinity affinity = a->col->affinity;
    struct svt_value v = {.type = SQLITE_FLOAT};
    if (a->plus_infinity && a->minus_infinity)
        return (struct svt_value){.type = SQLITE_NULL};
    if (a->plus_infinity || a->minus_infinity) {
        v.r = a->plus_infinity ? INFINITY : -INFINITY;
        return v;
    }
    if (affinity != SVT_AFFINITY_REAL && !(affinity == SVT_AFFINITY_BLOB && a->real) &&
        svt_sum_is_integer(&a->sum, &v.i)) {
        v.type = SQLITE_INTEGER;
        return v;
    }
    v.i = 0;
    v.r = svt_sum_to_real(&a->sum);
    if (affinity >= SVT_AFFINITY_NUMERIC && affinity != SVT_AFFINITY_REAL &&
        v.r > -TWO_63 && v.r < TWO_63 && v.r == (double)(int64_t)v.r)
        v = (struct svt_value){.type = SQLITE_INTEGER, .i = (int64_t)v.r};
    return v;
}

static void finish_sum(struct svt_merge_acc *a, struct svt_value *out, uint8_t *sum,
                       size_t *nsum)
{
    struct svt_merge_acc again;
    if (a->plus_infinity || a->minus_infinity)
        memset(&a->sum, 0, sizeof a->sum);
    *out = shown(a);
    svt_merge_begin(&again, a->col, true);
    memset(&again.sum, 0, sizeof again.sum);
    if (out->type != SQLITE_NULL)
        add_number(&again, out);
    bool same = memcmp(&again.sum, &a->sum, sizeof a->sum) == 0 &&
                again.plus_infinity == a->plus_infinity &&
                again.minus_infinity == a->minus_infinity &&
                (a->col->affinity != SVT_AFFINITY_BLOB || again.real == a->real);
    *nsum = same ? 0 : encode_sum(a, sum);
}

/* ---- the others ------------------------------------------------------------------ */

static int pick(struct svt_merge_acc *a, const struct svt_value *v)
{
    int order;
    switch (a->col->kind) {
    case SVT_MERGE_MIN:
    case SVT_MERGE_MAX:
        order = svt_compare(v, &a->v, a->col->collation, a->col->encoding);
        if (a->col->kind == SVT_MERGE_MIN ? order < 0 : order > 0)
            a->v = *v;
        break;
    case SVT_MERGE_LAST:
        a->v = *v;
        break;
    default: /* first */
        break;
    }
    return SEERDB_OK;
}

/* As SQLite's bit operators read a number. */
static int to_integer(struct svt_merge_acc *a, const struct svt_value *v, bool hurried,
                      int64_t *out, seerdb_err *err)
{
    struct svt_value bits = *v;
    if (v->type == SQLITE_TEXT || v->type == SQLITE_BLOB) {
        struct svt_value kept = a->v;
        a->v = *v;
        int rc = convert(a, "old | 0", hurried, &bits, err);
        a->v = kept;
        if (rc != SEERDB_OK)
            return rc;
    }
    if (bits.type != SQLITE_FLOAT)
        *out = bits.i;
    else if (bits.r <= -TWO_63)
        *out = INT64_MIN;
    else
        *out = bits.r >= TWO_63 ? INT64_MAX : (int64_t)bits.r;
    return SEERDB_OK;
}

static int combine_bits(struct svt_merge_acc *a, const struct svt_value *v,
                        bool hurried, seerdb_err *err)
{
    int64_t x = 0, y = 0;
    int rc = to_integer(a, &a->v, hurried, &x, err);
    if (rc == SEERDB_OK)
        rc = to_integer(a, v, hurried, &y, err);
    if (rc == SEERDB_OK)
        a->v =
            (struct svt_value){.type = SQLITE_INTEGER,
                               .i = a->col->kind == SVT_MERGE_BIT_OR ? x | y : x & y};
    return rc;
}

/* A number that was there, as text. */
static int to_text(struct svt_merge_acc *a, bool hurried, seerdb_err *err)
{
    struct svt_value text;
    if (a->v.type != SQLITE_INTEGER && a->v.type != SQLITE_FLOAT)
        return SEERDB_OK;
    int rc = convert(a, "old || ''", hurried, &text, err);
    if (rc == SEERDB_OK)
        a->v = text;
    return rc;
}

static int append(struct svt_merge_acc *a, const struct svt_value *v, bool hurried,
                  seerdb_err *err)
{
    int rc = a->touched ? SEERDB_OK : to_text(a, hurried, err);
    if (rc != SEERDB_OK)
        return rc;
    if (!a->touched)
        a->total = a->v.bytes.size;
    size_t more = a->col->separator.size + v->bytes.size;
    if (a->total > SEERDB_VALUE_MAX || more > SEERDB_VALUE_MAX - a->total)
        return fail(a->col, err, SEERDB_TOOBIG, "the value has become too long");
    a->total += more;
    if (v->type != SQLITE_BLOB)
        a->v.type = SQLITE_TEXT;
    return SEERDB_OK;
}

int svt_merge_add(struct svt_merge_acc *a, const struct svt_merge_value *v,
                  bool hurried, seerdb_err *err)
{
    int rc;
    if (a->col->kind == SVT_MERGE_EXPRESSION || a->col->kind == SVT_MERGE_JSON_PATCH) {
        rc = evaluate(a, &v->v, hurried, err);
        a->any = true;
        return rc;
    }
    if (!a->any) {
        svt_merge_load(a, v);
        return SEERDB_OK;
    }
    switch (a->col->kind) {
    case SVT_MERGE_ADD:
        rc = add(a, v, hurried, err);
        break;
    case SVT_MERGE_BIT_OR:
    case SVT_MERGE_BIT_AND:
        rc = combine_bits(a, &v->v, hurried, err);
        break;
    case SVT_MERGE_APPEND:
        rc = append(a, &v->v, hurried, err);
        break;
    default:
        rc = pick(a, &v->v);
        break;
    }
    a->touched = true;
    return rc;
}

void svt_merge_finish(struct svt_merge_acc *a, struct svt_value *out, uint8_t *sum,
                      size_t *nsum)
{
    *nsum = 0;
    if (a->wide) {
        finish_sum(a, out, sum, nsum);
        return;
    }
    *out = a->v;
    if (a->first.sum.data != NULL) {
        *nsum = a->first.sum.size;
        memcpy(sum, a->first.sum.data, *nsum);
    }
    if (a->touched && a->col->kind == SVT_MERGE_APPEND)
        out->bytes.size = a->total;
}

int svt_merge_check(const struct svt_mergecol *c, const struct svt_value *v,
                    seerdb_err *err)
{
    static const char *const names[] = {"", "INT", "REAL", "TEXT", "BLOB", "NULL"};
    char why[96];
    bool null = v->type == SQLITE_NULL;
    if (null ? !c->not_null : c->only == 0 || v->type == c->only)
        return SEERDB_OK;
    if (null)
        snprintf(why, sizeof why, "the result is NULL, but the column is NOT NULL");
    else
        snprintf(why, sizeof why, "the result is %s, but the column takes %s only",
                 names[v->type], names[c->only]);
    return fail(c, err, SEERDB_MISMATCH, why);
}
