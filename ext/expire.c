/* SPDX-License-Identifier: Apache-2.0
 *
 * The engine asks about every row that is read, and every row that flushes and
 * compactions write, in their threads.  So the usual forms are worked out here, without
 * SQLite: a column, a column plus or minus a number, a column compared with a number,
 * for rows where the column is an integer or NULL: then neither affinity nor collation
 * matters.  All else is evaluated by SQLite (expr.h), on private
 * connections, of which each thread takes one for the time of a row.
 *
 * Large values are in the value log, and are read only if the expressions name their
 * columns. */
#include "expire.h"

#include "errmap.h"
#include "expr.h"
#include "reader.h"
#include "token.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECOND_US INT64_C(1000000)
/* A result beside SQLite's: what is missing of the row is needed. */
#define NEEDS_WHOLE (-1)

enum form { FORM_SQL, FORM_PLUS, FORM_LT, FORM_LE, FORM_GT, FORM_GE, FORM_EQ, FORM_NE };

/* One of the two expressions. */
struct rule {
    const char *option;         /* static: "ttl" */
    struct svt_expr_pool *pool; /* owned; NULL: the table does not have it */
    enum form form;
    int column;     /* of a form that is not SQL's */
    int64_t number; /* added to it, or compared with it */
};

/* What evaluating a row by SQL needs; a thread has it to itself. */
struct worker {
    struct worker *next;
    struct svt_reader reader;
    struct svt_value *values; /* owned */
};

struct svt_expire {
    _Atomic uint32_t refs;
    char *who;                /* owned */
    struct svt_schema schema; /* owned: what the reader needs of it */
    struct rule ttl, filter;
    sqlite3_mutex *mutex; /* owned; of idle; NULL: there is one thread */
    struct worker *idle;  /* owned */
};

/* ---- the expressions ----------------------------------------------------------- */

static int find_column(const struct svt_schema *s, const struct svt_token *t)
{
    for (int i = 0; i < s->ncolumns; i++) {
        const char *name = s->columns[i].name;
        size_t n = strlen(name);
        if (t->kind == SVT_T_WORD && t->n == n &&
            sqlite3_strnicmp(t->s, name, (int)n) == 0)
            return i;
    }
    return -1;
}

/* A decimal integer that fits. */
static bool read_number(const struct svt_token *t, bool minus, int64_t *out)
{
    int64_t n = 0;
    if (t->kind != SVT_T_NUMBER)
        return false;
    for (size_t i = 0; i < t->n; i++) {
        if (!svt_is_digit(t->s[i]) || __builtin_mul_overflow(n, 10, &n) ||
            __builtin_sub_overflow(n, t->s[i] - '0', &n))
            return false;
    }
    return minus ? (*out = n, true) : !__builtin_sub_overflow(INT64_C(0), n, out);
}

/* The operator, and all that is its: "<" of "<=" is not. */
static enum form read_operator(struct svt_lexer *lex)
{
    static const struct {
        const char *text;
        enum form form;
    } all[] = {{"<=", FORM_LE}, {"<>", FORM_NE}, {">=", FORM_GE}, {"!=", FORM_NE},
               {"==", FORM_EQ}, {"<", FORM_LT},  {">", FORM_GT},  {"=", FORM_EQ}};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        size_t n = strlen(all[i].text);
        if (lex->t.kind == SVT_T_PUNCT && strncmp(lex->t.s, all[i].text, n) == 0) {
            lex->p = lex->t.s + n;
            svt_lexer_next(lex);
            return all[i].form;
        }
    }
    return FORM_SQL;
}

/* Is the expression one of the forms?  The column may not be quoted: what then is a
 * name SQLite decides. */
static void find_form(struct rule *r, const char *text, const struct svt_schema *s,
                      bool compared)
{
    struct svt_lexer lex = {.p = text};
    enum form form = FORM_PLUS;
    bool minus = false;
    svt_lexer_next(&lex);
    r->form = FORM_SQL;
    r->number = 0;
    if ((r->column = find_column(s, &lex.t)) < 0 ||
        !svt_expr_pool_uses(r->pool, r->column)) /* it is a keyword */
        return;
    svt_lexer_next(&lex);
    if (lex.t.kind == SVT_T_END) {
        r->form = compared ? FORM_NE : FORM_PLUS; /* column: column <> 0 */
        return;
    }
    if (compared) {
        form = read_operator(&lex);
    } else {
        minus = svt_token_is_punct(&lex.t, '-');
        if (!minus && !svt_token_is_punct(&lex.t, '+'))
            return;
        svt_lexer_next(&lex);
    }
    if (compared && svt_token_is_punct(&lex.t, '-')) {
        minus = true;
        svt_lexer_next(&lex);
    }
    if (!read_number(&lex.t, minus, &r->number))
        return;
    svt_lexer_next(&lex);
    if (lex.t.kind == SVT_T_END)
        r->form = form;
}

/* Check the expression, or make the rule of it. */
static int rule_init(struct rule *r, const char *text, const struct svt_schema *s,
                     const char *who, bool check, char **message)
{
    size_t n = (size_t)s->ncolumns;
    char *why = NULL;
    if (text == NULL)
        return SQLITE_OK;
    struct svt_expr_input *inputs = sqlite3_malloc64((n + 1) * sizeof *inputs);
    if (inputs == NULL)
        return SQLITE_NOMEM;
    for (size_t i = 0; i < n; i++) {
        const struct svt_column *c = &s->columns[i];
        inputs[i] = (struct svt_expr_input){c->name, c->affinity, c->collation};
    }
    bool truth = strcmp(r->option, "filter") == 0;
    struct svt_expr_spec spec = {.text = text,
                                 .inputs = inputs,
                                 .ninputs = s->ncolumns,
                                 .encoding = s->encoding,
                                 .affinity = SVT_AFFINITY_NUMERIC,
                                 .truth = truth};
    int rc = check ? svt_expr_check(&spec, NULL, &why)
                   : svt_expr_pool_new(&spec, &r->pool, &why);
    if (rc != SQLITE_OK)
        svt_fail(message, rc, "%s: option %s: %s", who, r->option,
                 why != NULL ? why : "out of memory");
    else if (!check)
        find_form(r, text, s, truth);
    sqlite3_free(why);
    sqlite3_free(inputs);
    return rc;
}

/* ---- rows -------------------------------------------------------------------------
 */

static int fail_row(const struct svt_expire *x, const struct rule *r, int rc,
                    const char *why, char **message)
{
    return svt_fail(message, rc, "%s: option %s: %s", x->who, r->option,
                    why != NULL ? why : "out of memory");
}

static void free_worker(struct worker *w)
{
    if (w == NULL)
        return;
    svt_reader_fini(&w->reader);
    sqlite3_free(w->values);
    sqlite3_free(w);
}

static struct worker *take_worker(struct svt_expire *x)
{
    sqlite3_mutex_enter(x->mutex);
    struct worker *w = x->idle;
    if (w != NULL)
        x->idle = w->next;
    sqlite3_mutex_leave(x->mutex);
    if (w != NULL || (w = sqlite3_malloc64(sizeof *w)) == NULL)
        return w;
    *w = (struct worker){.next = NULL};
    w->values = sqlite3_malloc64(((size_t)x->schema.ncolumns + 1) * sizeof *w->values);
    if (svt_reader_init(&w->reader, &x->schema) == SQLITE_OK && w->values != NULL)
        return w;
    free_worker(w);
    return NULL;
}

static void give_worker(struct svt_expire *x, struct worker *w)
{
    sqlite3_mutex_enter(x->mutex);
    w->next = x->idle;
    x->idle = w;
    sqlite3_mutex_leave(x->mutex);
}

/* Does the text or blob lie where the row is missing? */
static bool is_missing(const seerdb_row *row, const struct svt_value *v)
{
    seerdb_slice segments = row->segments;
    seerdb_segment s;
    if ((v->type != SQLITE_TEXT && v->type != SQLITE_BLOB) || v->bytes.size == 0)
        return false;
    const uint8_t *start = row->value.data, *at = v->bytes.data;
    while (seerdb_segments_next(&segments, &s)) {
        if (at + v->bytes.size > start + s.offset && at < start + s.offset + s.size)
            return true;
    }
    return false;
}

/* By SQL.  *out is a number, or NULL, or what no number can be made of: no bytes. */
static int evaluate(struct svt_expire *x, const struct rule *r, struct worker *w,
                    const seerdb_row *row, struct svt_value *out, char **message)
{
    struct svt_expr *e = NULL;
    char *why = NULL;
    int rc = svt_expr_pool_take(r->pool, &e, &why);
    for (int i = 0; rc == SQLITE_OK && i < x->schema.ncolumns; i++) {
        if (svt_expr_uses(e, i) && !svt_reader_column(&w->reader, i, &w->values[i]))
            rc = svt_fail(&why, SQLITE_CORRUPT_VTAB, "column \"%s\" is malformed",
                          x->schema.columns[i].name);
        else if (svt_expr_uses(e, i) && is_missing(row, &w->values[i]))
            rc = NEEDS_WHOLE;
    }
    if (rc == SQLITE_OK)
        rc = svt_expr_eval(e, w->values, out, &why);
    out->bytes = (seerdb_slice){NULL, 0};
    svt_expr_pool_give(r->pool, e);
    if (rc != SQLITE_OK && rc != NEEDS_WHOLE)
        rc = fail_row(x, r, rc, why, message);
    sqlite3_free(why);
    return rc;
}

static int evaluate_row(struct svt_expire *x, const struct rule *r,
                        const seerdb_row *row, struct svt_value *out, char **message)
{
    struct worker *w = take_worker(x);
    if (w == NULL)
        return fail_row(x, r, SQLITE_NOMEM, NULL, message);
    svt_reader_set(&w->reader, row->key, row->value);
    int rc = evaluate(x, r, w, row, out, message);
    give_worker(x, w);
    return rc;
}

/* The column of a form, if the row has it in itself and it is a number or NULL. */
static bool pick(const struct rule *r, const seerdb_row *row, struct svt_value *out)
{
    uint8_t in_key = 0;
    return r->form != FORM_SQL &&
           svt_row_pick(row->value, (unsigned)r->column, out, &in_key) && in_key == 0 &&
           (out->type == SQLITE_INTEGER || out->type == SQLITE_NULL);
}

static bool holds(enum form form, int64_t a, int64_t b)
{
    switch (form) {
    case FORM_LT:
        return a < b;
    case FORM_LE:
        return a <= b;
    case FORM_GT:
        return a > b;
    case FORM_GE:
        return a >= b;
    case FORM_EQ:
        return a == b;
    default:
        return a != b;
    }
}

/* Does `filter` say that the row is not there? */
static int is_filtered(struct svt_expire *x, const seerdb_row *row, bool *out,
                       char **message)
{
    const struct rule *r = &x->filter;
    struct svt_value v;
    *out = false;
    if (r->pool == NULL)
        return SQLITE_OK;
    if (pick(r, row, &v)) {
        *out = v.type == SQLITE_INTEGER && holds(r->form, v.i, r->number);
        return SQLITE_OK;
    }
    int rc = evaluate_row(x, r, row, &v, message);
    *out = rc == SQLITE_OK && v.type == SQLITE_INTEGER && v.i != 0;
    return rc;
}

/* Seconds since 1970 as microseconds; before: 0; UINT64_MAX: later than can be said. */
static uint64_t time_of(const struct svt_value *v)
{
    int64_t us;
    if (v->type == SQLITE_INTEGER) {
        if (v->i < 0)
            return 0;
        return __builtin_mul_overflow(v->i, SECOND_US, &us) ? UINT64_MAX : (uint64_t)us;
    }
    if (v->r < 0)
        return 0;
    return v->r < 9e12 ? (uint64_t)(v->r * 1e6) : UINT64_MAX;
}

/* When the row expires; UINT64_MAX: never. */
static int find_expiry(struct svt_expire *x, const seerdb_row *row, uint64_t *time_us,
                       bool *is_time, char **message)
{
    const struct rule *r = &x->ttl;
    struct svt_value v;
    int rc = SQLITE_OK;
    *time_us = UINT64_MAX;
    *is_time = true;
    if (r->pool == NULL)
        return SQLITE_OK;
    bool picked = pick(r, row, &v);
    if (picked && v.type == SQLITE_INTEGER)
        picked = !__builtin_add_overflow(v.i, r->number, &v.i);
    if (!picked)
        rc = evaluate_row(x, r, row, &v, message);
    if (rc != SQLITE_OK || v.type == SQLITE_NULL)
        return rc;
    *is_time = v.type == SQLITE_INTEGER || v.type == SQLITE_FLOAT;
    if (*is_time)
        *time_us = time_of(&v);
    return SQLITE_OK;
}

/* ---- for the engine -----------------------------------------------------------------
 */

/* Whose row it is, those will say that the failure comes to. */
static int pass_on(const struct svt_expire *x, int rc, char *message, seerdb_err *err)
{
    size_t who = strlen(x->who) + 2;
    int code = rc == SQLITE_NOMEM              ? SEERDB_NOMEM
               : (rc & 0xff) == SQLITE_CORRUPT ? SEERDB_CORRUPT
               : rc == SQLITE_TOOBIG           ? SEERDB_TOOBIG
                                               : SEERDB_MISMATCH;
    err->code = code;
    snprintf(err->msg, sizeof err->msg, "%s",
             message != NULL ? message + who : "out of memory");
    sqlite3_free(message);
    return code;
}

static int verdict(void *ctx, const seerdb_row *row, uint64_t now_us,
                   seerdb_filter_out *out, seerdb_err *err)
{
    struct svt_expire *x = ctx;
    char *message = NULL;
    uint64_t time_us = UINT64_MAX;
    bool gone = false, is_time;
    (void)out;
    int rc = is_filtered(x, row, &gone, &message);
    if (rc == SQLITE_OK && !gone)
        rc = find_expiry(x, row, &time_us, &is_time, &message);
    if (rc == NEEDS_WHOLE)
        return SEERDB_WHOLE;
    if (rc != SQLITE_OK)
        return pass_on(x, rc, message, err);
    return gone || time_us <= now_us ? SEERDB_REMOVE : SEERDB_KEEP;
}

static int expiry(void *ctx, const seerdb_row *row, uint64_t *time_us)
{
    struct svt_expire *x = ctx;
    char *message = NULL;
    bool gone = false, is_time;
    int rc = is_filtered(x, row, &gone, &message);
    if (rc == SQLITE_OK && !gone)
        rc = find_expiry(x, row, time_us, &is_time, &message);
    else
        *time_us = 0;
    sqlite3_free(message);
    return rc == SQLITE_OK && *time_us != UINT64_MAX ? 0 : SEERDB_NOTFOUND;
}

static void release(void *ctx)
{
    svt_expire_unref(ctx);
}

int svt_expire_give(struct svt_expire *x, seerdb_tree *tree, seerdb_err *err)
{
    seerdb_filter f = {.ctx = x,
                       .verdict = verdict,
                       .expiry = expiry,
                       .sparse = true,
                       .foreground = !svt_expr_threads(),
                       .lasting = true, /* a table's options do not change */
                       .release = release};
    if (x == NULL)
        return SEERDB_OK;
    atomic_fetch_add_explicit(&x->refs, 1, memory_order_relaxed);
    int rc = seerdb_tree_filter_with(tree, &f, err);
    if (rc != SEERDB_OK)
        svt_expire_unref(x);
    return rc;
}

/* ---- public -------------------------------------------------------------------------
 */

static int no_time(const struct svt_expire *x, char **message)
{
    return fail_row(x, &x->ttl, SQLITE_MISMATCH,
                    "its value for this row is no number: it must be a unix time, or "
                    "NULL for never",
                    message);
}

int svt_expire_test(struct svt_expire *x, seerdb_slice key, seerdb_slice value,
                    char **message)
{
    const seerdb_row row = {.key = key, .value = value};
    uint64_t time_us;
    bool gone, is_time = true;
    int rc = is_filtered(x, &row, &gone, message);
    if (rc == SQLITE_OK)
        rc = find_expiry(x, &row, &time_us, &is_time, message);
    return rc == SQLITE_OK && !is_time ? no_time(x, message) : rc;
}

/* What the rule makes of these columns; of a form whose column is an integer or NULL
 * only that it can be told: *out is its column then. */
static int try_rule(struct svt_expire *x, const struct rule *r,
                    const struct svt_value *values, struct svt_value *out,
                    char **message)
{
    struct svt_expr *e = NULL;
    char *why = NULL;
    *out = (struct svt_value){.type = SQLITE_NULL};
    if (r->pool == NULL)
        return SQLITE_OK;
    if (r->form != FORM_SQL && (values[r->column].type == SQLITE_INTEGER ||
                                values[r->column].type == SQLITE_NULL)) {
        *out = values[r->column];
        return SQLITE_OK;
    }
    int rc = svt_expr_pool_take(r->pool, &e, &why);
    if (rc == SQLITE_OK)
        rc = svt_expr_eval(e, values, out, &why);
    out->bytes = (seerdb_slice){NULL, 0};
    svt_expr_pool_give(r->pool, e);
    if (rc != SQLITE_OK)
        rc = fail_row(x, r, rc, why, message);
    sqlite3_free(why);
    return rc;
}

int svt_expire_test_values(struct svt_expire *x, const struct svt_value *values,
                           char **message)
{
    struct svt_value v;
    int rc = try_rule(x, &x->filter, values, &v, message);
    if (rc == SQLITE_OK)
        rc = try_rule(x, &x->ttl, values, &v, message);
    return rc == SQLITE_OK && (v.type == SQLITE_TEXT || v.type == SQLITE_BLOB)
               ? no_time(x, message)
               : rc;
}

static bool uses(const struct rule *r, int column)
{
    return r->pool != NULL && svt_expr_pool_uses(r->pool, column);
}

int svt_expire_test_kept(struct svt_expire *x, const seerdb_view *view,
                         struct svt_value *values, const seerdb_segment *kept,
                         seerdb_err *err, char **message)
{
    int n = x->schema.ncolumns, rc = SEERDB_OK;
    void **bytes = sqlite3_malloc64((size_t)n * sizeof *bytes + 1);
    if (bytes == NULL)
        return SQLITE_NOMEM;
    memset(bytes, 0, (size_t)n * sizeof *bytes);
    for (int i = 0; i < n && rc == SEERDB_OK; i++) {
        if (kept[i].size == 0 || (!uses(&x->ttl, i) && !uses(&x->filter, i)))
            continue;
        bytes[i] = sqlite3_malloc64(kept[i].size);
        rc = bytes[i] == NULL ? SQLITE_NOMEM
                              : seerdb_segment_read(view, &kept[i], bytes[i], err);
        values[i].bytes.data = bytes[i];
    }
    if (rc == SEERDB_OK)
        rc = svt_expire_test_values(x, values, message);
    for (int i = 0; i < n; i++)
        if (bytes[i] != NULL) {
            values[i].bytes.data = NULL;
            sqlite3_free(bytes[i]);
        }
    sqlite3_free(bytes);
    return rc;
}

/* What the reader looks at. */
static int copy_schema(const struct svt_schema *from, struct svt_schema *to)
{
    size_t ncolumns = (size_t)from->ncolumns, nkey = (size_t)from->nkey;
    *to = (struct svt_schema){.shape = from->shape,
                              .nkey = from->nkey,
                              .encoding = from->encoding,
                              .read = from->read};
    to->columns = sqlite3_malloc64((ncolumns + 1) * sizeof *to->columns);
    to->key = sqlite3_malloc64((nkey + 1) * sizeof *to->key);
    to->parts = sqlite3_malloc64((nkey + 1) * sizeof *to->parts);
    if (to->columns == NULL || to->key == NULL || to->parts == NULL)
        return SQLITE_NOMEM;
    for (size_t i = 0; i < nkey; i++) {
        to->key[i] = from->key[i];
        to->parts[i] = from->parts[i];
    }
    for (; to->ncolumns < from->ncolumns; to->ncolumns++) {
        const struct svt_column *c = &from->columns[to->ncolumns];
        to->columns[to->ncolumns] =
            (struct svt_column){.name = sqlite3_mprintf("%s", c->name),
                                .affinity = c->affinity,
                                .collation = c->collation,
                                .key_part = c->key_part};
        if (to->columns[to->ncolumns].name == NULL)
            return SQLITE_NOMEM;
    }
    return SQLITE_OK;
}

int svt_expire_new(const struct svt_schema *schema, const char *who,
                   struct svt_expire **out, char **message)
{
    if (*out != NULL || (schema->options.ttl == NULL && schema->options.filter == NULL))
        return SQLITE_OK;
    struct svt_expire *x = sqlite3_malloc64(sizeof *x);
    if (x == NULL)
        return SQLITE_NOMEM;
    *x = (struct svt_expire){.who = sqlite3_mprintf("%s", who),
                             .ttl.option = "ttl",
                             .filter.option = "filter",
                             .mutex = sqlite3_mutex_alloc(SQLITE_MUTEX_FAST)};
    atomic_init(&x->refs, 1);
    int rc = copy_schema(schema, &x->schema);
    if (x->who == NULL || (x->mutex == NULL && sqlite3_threadsafe() != 0))
        rc = SQLITE_NOMEM;
    if (rc == SQLITE_OK)
        rc = rule_init(&x->ttl, schema->options.ttl, schema, who, false, message);
    if (rc == SQLITE_OK)
        rc = rule_init(&x->filter, schema->options.filter, schema, who, false, message);
    if (rc == SQLITE_OK)
        *out = x;
    else
        svt_expire_unref(x);
    return rc;
}

int svt_expire_check(const struct svt_schema *schema, const char *who, char **message)
{
    struct rule ttl = {.option = "ttl"}, filter = {.option = "filter"};
    int rc = rule_init(&ttl, schema->options.ttl, schema, who, true, message);
    return rc != SQLITE_OK
               ? rc
               : rule_init(&filter, schema->options.filter, schema, who, true, message);
}

void svt_expire_unref(struct svt_expire *x)
{
    /* acq_rel: whoever frees it sees what the others did with it */
    if (x == NULL || atomic_fetch_sub_explicit(&x->refs, 1, memory_order_acq_rel) > 1)
        return;
    svt_expr_pool_free(x->ttl.pool);
    svt_expr_pool_free(x->filter.pool);
    while (x->idle != NULL) {
        struct worker *w = x->idle;
        x->idle = w->next;
        free_worker(w);
    }
    svt_schema_fini(&x->schema);
    sqlite3_mutex_free(x->mutex);
    sqlite3_free(x->who);
    sqlite3_free(x);
}
