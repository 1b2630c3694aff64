/* SPDX-License-Identifier: Apache-2.0
 *
 * The expression becomes a generated column of a table with one row, and so do its
 * inputs, by a function that hands out the current value:
 *
 *     CREATE TABLE _row(_x PRIMARY KEY, a INTEGER AS (_input(0)), ...,
 *         _r AS (CASE WHEN _input(-1) THEN (text) END)) WITHOUT ROWID
 *
 * SQLite itself then sees to what an expression may be: generated columns take no
 * subqueries, aggregates, windows, parameters, qualified names and functions that are
 * not deterministic, and date('now') fails when it is evaluated.  Inputs compare with
 * the affinity and collation of columns; and evaluating costs one step of a prepared
 * SELECT, no write.  (Rejected: binding the inputs as parameters: a parameter has no
 * affinity, and in an ordinary SELECT date('now') is allowed.)  The INSERT of the row
 * computes generated columns too: hence the CASE, false while nothing is evaluated.
 *
 * The text stands between parentheses and must not get out of them: its tokens
 * are looked at first.  What might still get past that meets an authorizer that allows
 * the reading of inputs and the functions listed here; and there is nothing on the
 * connection to get at.  An expression has no loop, so its time is bounded by its size
 * and by the size of the values. */
#include "expr.h"

#include "errmap.h"
#include "token.h"

#include <string.h>

#define MAX_TEXT 65536

/* The functions that an expression may use: those of SQLite that are deterministic, of
 * all versions, with a space on both sides.  What the program added to its connections
 * is not among them: another program that opens the database may not have it. */
static const char functions[] =
    " -> ->> abs acos acosh asin asinh atan atan2 atanh ceil ceiling char "
    "coalesce concat concat_ws cos cosh date datetime degrees exp floor "
    "format glob hex if ifnull iif instr json json_array json_array_length "
    "json_extract json_insert json_object json_patch json_quote "
    "json_remove json_replace json_set json_type json_valid julianday "
    "length like likelihood likely ln log log10 log2 lower ltrim max min "
    "mod nullif octet_length pi pow power printf quote radians replace "
    "round rtrim sign sin sinh sqrt strftime substr substring tan tanh "
    "time timediff trim trunc typeof unhex unicode unixepoch unlikely "
    "upper zeroblob ";

struct svt_expr {
    sqlite3 *db;        /* owned */
    sqlite3_stmt *stmt; /* owned: gives the value */
    char *text;         /* owned: for messages */
    bool *used;         /* owned: ninputs */
    int ninputs;
    enum svt_encoding encoding;
    enum svt_affinity affinity;
    const struct svt_value *in;         /* those of the evaluation under way */
    const struct svt_expr_input *names; /* borrowed while it is built */
    bool strict;                        /* the authorizer looks at the text alone */
};

/* ---- the text --------------------------------------------------------------- */

static int fail_text(char **message, int code, const char *text, const char *why)
{
    svt_fail(message, code, "expression \"%.200s\": %s", text, why);
    return *message != NULL ? code : SQLITE_NOMEM;
}

/* Whether the text stays within the parentheses around it. */
static int check_tokens(const char *text, char **message)
{
    struct svt_lexer lex = {.p = text};
    int depth = 0, ntokens = 0;
    if (strlen(text) > MAX_TEXT)
        return fail_text(message, SQLITE_ERROR, text, "it is longer than 64 KB");
    for (svt_lexer_next(&lex); lex.t.kind != SVT_T_END; svt_lexer_next(&lex)) {
        ntokens++;
        if (lex.t.kind == SVT_T_BAD)
            return fail_text(message, SQLITE_ERROR, text,
                             "a quote does not end, or a number is malformed");
        if ((lex.t.kind == SVT_T_WORD && *lex.t.s == '_') ||
            (lex.t.kind == SVT_T_QUOTED && lex.t.s[1] == '_'))
            return fail_text(message, SQLITE_ERROR, text,
                             "names that begin with _ are reserved");
        if (lex.t.kind != SVT_T_PUNCT)
            continue;
        if (strchr(";?:@#$", *lex.t.s) != NULL)
            return svt_fail(message, SQLITE_ERROR,
                            "expression \"%.200s\": \"%c\" is not allowed", text,
                            *lex.t.s);
        depth += *lex.t.s == '(';
        depth -= *lex.t.s == ')';
        if (depth < 0)
            break;
    }
    if (depth != 0)
        return fail_text(message, SQLITE_ERROR, text,
                         "parentheses do not match: it must be one expression");
    if (ntokens == 0)
        return fail_text(message, SQLITE_ERROR, text, "it is empty");
    return SQLITE_OK;
}

static bool token_names(const struct svt_token *t, const char *name)
{
    size_t n = strlen(name);
    if (t->kind == SVT_T_WORD)
        return t->n == n && sqlite3_strnicmp(t->s, name, (int)n) == 0;
    if (t->kind != SVT_T_QUOTED)
        return false;
    /* With doubled quotes in it: SQLite will tell. */
    return memchr(t->s + 1, t->s[t->n - 1], t->n - 2) != NULL ||
           (t->n == n + 2 && sqlite3_strnicmp(t->s + 1, name, (int)n) == 0);
}

/* Whether a token of the text is this name.  Only such inputs become columns, so that
 * wide tables cost no more than narrow ones. */
static bool mentions(const char *text, const char *name)
{
    struct svt_lexer lex = {.p = text};
    for (svt_lexer_next(&lex); lex.t.kind != SVT_T_END; svt_lexer_next(&lex)) {
        if (token_names(&lex.t, name))
            return true;
    }
    return false;
}

/* ---- what the connection allows ------------------------------------------------ */

static bool is_pure(const char *name)
{
    size_t n = strlen(name);
    for (const char *p = functions; (p = strchr(p, ' ')) != NULL && *++p != '\0';) {
        if (sqlite3_strnicmp(p, name, (int)n) == 0 && p[n] == ' ')
            return true;
    }
    return false;
}

static void note_used(struct svt_expr *e, const char *name)
{
    for (int i = 0; i < e->ninputs; i++)
        e->used[i] |= sqlite3_stricmp(e->names[i].name, name) == 0;
}

/* While the table is made SQLite writes its schema; afterwards the text alone is
 * read. */
static int authorize(void *ctx, int action, const char *a, const char *b,
                     const char *schema, const char *trigger)
{
    struct svt_expr *e = ctx;
    (void)schema;
    (void)trigger;
    switch (action) {
    case SQLITE_SELECT:
        return SQLITE_OK;
    case SQLITE_FUNCTION:
        return is_pure(b) || (!e->strict && strcmp(b, "_input") == 0) ? SQLITE_OK
                                                                      : SQLITE_DENY;
    case SQLITE_READ:
        if (!e->strict)
            return SQLITE_OK;
        if (b[0] == '_')
            return SQLITE_DENY;
        note_used(e, b);
        return SQLITE_OK;
    case SQLITE_CREATE_TABLE:
        return !e->strict && strcmp(a, "_row") == 0 ? SQLITE_OK : SQLITE_DENY;
    case SQLITE_CREATE_INDEX: /* that of its primary key */
    case SQLITE_REINDEX:
    case SQLITE_INSERT:
    case SQLITE_UPDATE:
        return e->strict ? SQLITE_DENY : SQLITE_OK;
    default:
        return SQLITE_DENY;
    }
}

static void set_limits(struct svt_expr *e)
{
    static const struct {
        int id, value;
    } limits[] = {{SQLITE_LIMIT_LENGTH, SVT_EXPR_MAX_BYTES},
                  {SQLITE_LIMIT_SQL_LENGTH, 1 << 20},
                  {SQLITE_LIMIT_EXPR_DEPTH, 100},
                  {SQLITE_LIMIT_COMPOUND_SELECT, 1},
                  {SQLITE_LIMIT_VDBE_OP, 50000},
                  {SQLITE_LIMIT_FUNCTION_ARG, 100},
                  {SQLITE_LIMIT_ATTACHED, 0},
                  {SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 1000},
                  {SQLITE_LIMIT_VARIABLE_NUMBER, 1},
                  {SQLITE_LIMIT_TRIGGER_DEPTH, 1},
                  {SQLITE_LIMIT_WORKER_THREADS, 0}};
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++)
        sqlite3_limit(e->db, limits[i].id, limits[i].value);
}

/* ---- the table ------------------------------------------------------------------ */

/* SQLite takes what looks like a byte order mark in front of a UTF-16 text for one, and
 * drops it: such a text gets another in front. */
static void give_text(sqlite3_context *ctx, seerdb_slice text, enum svt_encoding e)
{
    unsigned char code = (unsigned char)svt_encoding_code(e);
    const uint8_t *p = text.data;
    bool marked = e != SVT_UTF8 && text.size >= 2 &&
                  ((p[0] == 0xff && p[1] == 0xfe) || (p[0] == 0xfe && p[1] == 0xff));
    if (!marked) {
        sqlite3_result_text64(ctx, text.data, text.size, SQLITE_STATIC, code);
        return;
    }
    uint8_t *copy = sqlite3_malloc64(text.size + 2);
    if (copy == NULL) {
        sqlite3_result_error_nomem(ctx);
        return;
    }
    copy[0] = e == SVT_UTF16LE ? 0xff : 0xfe;
    copy[1] = e == SVT_UTF16LE ? 0xfe : 0xff;
    memcpy(copy + 2, text.data, text.size);
    sqlite3_result_text64(ctx, (const char *)copy, text.size + 2, sqlite3_free, code);
}

static void input(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    const struct svt_expr *e = sqlite3_user_data(ctx);
    (void)argc;
    int i = sqlite3_value_int(argv[0]);
    if (i < 0 || e->in == NULL) {
        sqlite3_result_int(ctx, e->in != NULL);
        return;
    }
    const struct svt_value *v = &e->in[i];
    const void *bytes = v->bytes.data != NULL ? v->bytes.data : "";
    switch (v->type) {
    case SQLITE_INTEGER:
        sqlite3_result_int64(ctx, v->i);
        break;
    case SQLITE_FLOAT:
        sqlite3_result_double(ctx, v->r);
        break;
    case SQLITE_TEXT:
        give_text(ctx, (seerdb_slice){bytes, v->bytes.size}, e->encoding);
        break;
    case SQLITE_BLOB:
        sqlite3_result_blob64(ctx, bytes, v->bytes.size, SQLITE_STATIC);
        break;
    default:
        break;
    }
}

static int open_private(struct svt_expr *e)
{
    int rc = sqlite3_open_v2(":memory:", &e->db,
                             SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE |
                                 SQLITE_OPEN_MEMORY | SQLITE_OPEN_PRIVATECACHE |
                                 SQLITE_OPEN_NOMUTEX,
                             NULL);
    if (rc != SQLITE_OK)
        return rc;
    set_limits(e);
    /* So that "a name nobody knows" is not a text. */
    sqlite3_db_config(e->db, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);
    sqlite3_db_config(e->db, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
    /* Else json_extract would be refused; what is allowed the authorizer says. */
    sqlite3_db_config(e->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 1, NULL);
    if (e->encoding != SVT_UTF8)
        rc = sqlite3_exec(e->db,
                          e->encoding == SVT_UTF16LE ? "PRAGMA encoding = 'UTF-16le'"
                                                     : "PRAGMA encoding = 'UTF-16be'",
                          NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_create_function(
            e->db, "_input", 1, SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS,
            e, input, NULL, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_set_authorizer(e->db, authorize, e);
    return rc;
}

/* NULL: no memory. */
static char *table_sql(const struct svt_expr_spec *spec)
{
    static const char *const types[] = {"", "TEXT", "NUMERIC", "INTEGER", "REAL"};
    static const char *const collations[] = {"BINARY", "NOCASE", "RTRIM"};
    sqlite3_str *sql = sqlite3_str_new(NULL);
    sqlite3_str_appendall(sql, "CREATE TABLE _row(_x PRIMARY KEY");
    for (int i = 0; i < spec->ninputs; i++) {
        const struct svt_expr_input *in = &spec->inputs[i];
        if (mentions(spec->text, in->name))
            sqlite3_str_appendf(sql, ",\"%w\" %s COLLATE %s AS (_input(%d))", in->name,
                                types[in->affinity], collations[in->collation], i);
    }
    /* A line of its own: the text may end with a comment. */
    sqlite3_str_appendf(sql,
                        spec->truth
                            ? ",_r AS (CASE WHEN _input(-1) THEN (CASE WHEN (\n%s\n)"
                              " THEN 1 ELSE 0 END) END)) WITHOUT ROWID"
                            : ",_r AS (CASE WHEN _input(-1) THEN (\n%s\n) END))"
                              " WITHOUT ROWID",
                        spec->text);
    return sqlite3_str_finish(sql);
}

/* Prepare one statement; what follows it is an error. */
static int prepare_one(struct svt_expr *e, char *sql, sqlite3_stmt **stmt)
{
    const char *tail = NULL;
    if (sql == NULL)
        return SQLITE_NOMEM;
    int rc = sqlite3_prepare_v3(e->db, sql, -1, SQLITE_PREPARE_PERSISTENT, stmt, &tail);
    if (rc == SQLITE_OK && *svt_skip_space(tail) != '\0')
        rc = SQLITE_MISUSE;
    sqlite3_free(sql);
    return rc;
}

static int run_one(struct svt_expr *e, char *sql)
{
    sqlite3_stmt *stmt = NULL;
    int rc = prepare_one(e, sql, &stmt);
    if (rc == SQLITE_OK && (rc = sqlite3_step(stmt)) == SQLITE_DONE)
        rc = SQLITE_OK;
    int closed = sqlite3_finalize(stmt);
    return rc == SQLITE_OK ? closed : rc;
}

static int build(struct svt_expr *e, const struct svt_expr_spec *spec)
{
    sqlite3_stmt *alone = NULL;
    int rc = open_private(e);
    if (rc == SQLITE_OK)
        rc = run_one(e, table_sql(spec));
    if (rc == SQLITE_OK)
        rc = run_one(e, sqlite3_mprintf("INSERT INTO _row(_x) VALUES (1)"));
    if (rc == SQLITE_OK)
        rc = prepare_one(e, sqlite3_mprintf("SELECT _r FROM _row"), &e->stmt);
    /* The text once more, for the authorizer alone. */
    e->strict = true;
    if (rc == SQLITE_OK)
        rc = prepare_one(e, sqlite3_mprintf("SELECT (\n%s\n) FROM _row", spec->text),
                         &alone);
    sqlite3_finalize(alone);
    return rc;
}

/* SQLite's reason, without the generated columns that the user knows nothing of. */
static int fail_sqlite(const struct svt_expr *e, int rc, const char *text,
                       char **message)
{
    static const char *const parts[] = {" in generated columns",
                                        " in a generated column"};
    static const char refused[] = "not authorized to use function: ";
    if (rc == SQLITE_NOMEM || e->db == NULL)
        return svt_fail(message, SQLITE_NOMEM, "out of memory");
    const char *said = sqlite3_errmsg(e->db);
    char *why =
        strncmp(said, refused, sizeof refused - 1) == 0
            ? sqlite3_mprintf("%s() cannot be used: only functions that are built into "
                              "SQLite, deterministic and of one row",
                              said + sizeof refused - 1)
            : sqlite3_mprintf("%s", said);
    if (why == NULL)
        return svt_fail(message, SQLITE_NOMEM, "out of memory");
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        char *at = strstr(why, parts[i]);
        if (at != NULL)
            memmove(at, at + strlen(parts[i]), strlen(at + strlen(parts[i])) + 1);
    }
    if (rc == SQLITE_AUTH)
        rc = SQLITE_ERROR;
    rc = fail_text(message, rc, text, why);
    sqlite3_free(why);
    return rc;
}

/* ---- public -----------------------------------------------------------------------
 */

int svt_expr_new(const struct svt_expr_spec *spec, struct svt_expr **out,
                 char **message)
{
    *out = NULL;
    int rc = check_tokens(spec->text, message);
    if (rc != SQLITE_OK)
        return rc;
    size_t nused = (size_t)spec->ninputs + 1;
    struct svt_expr *e = sqlite3_malloc64(sizeof *e);
    if (e == NULL)
        return svt_fail(message, SQLITE_NOMEM, "out of memory");
    *e = (struct svt_expr){.text = sqlite3_mprintf("%s", spec->text),
                           .used = sqlite3_malloc64(nused * sizeof *e->used),
                           .ninputs = spec->ninputs,
                           .encoding = spec->encoding,
                           .affinity = spec->affinity,
                           .names = spec->inputs};
    if (e->text == NULL || e->used == NULL) {
        rc = svt_fail(message, SQLITE_NOMEM, "out of memory");
    } else {
        memset(e->used, 0, nused * sizeof *e->used);
        if ((rc = build(e, spec)) != SQLITE_OK)
            rc = fail_sqlite(e, rc, spec->text, message);
    }
    e->names = NULL;
    if (rc == SQLITE_OK)
        *out = e;
    else
        svt_expr_free(e);
    return rc;
}

void svt_expr_free(struct svt_expr *e)
{
    if (e == NULL)
        return;
    sqlite3_finalize(e->stmt);
    sqlite3_close(e->db);
    sqlite3_free(e->text);
    sqlite3_free(e->used);
    sqlite3_free(e);
}

bool svt_expr_uses(const struct svt_expr *e, int i)
{
    return e->used[i];
}

int svt_expr_eval(struct svt_expr *e, const struct svt_value *in, struct svt_value *out,
                  char **message)
{
    sqlite3_reset(e->stmt); /* its result repeats what the last step said */
    e->in = in;
    *out = (struct svt_value){.type = SQLITE_NULL};
    int rc = sqlite3_step(e->stmt);
    if (rc == SQLITE_ROW)
        rc = svt_value_reader_of(e->encoding)(sqlite3_column_value(e->stmt, 0),
                                              e->affinity, out);
    else if (rc == SQLITE_DONE)
        rc = SQLITE_CORRUPT; /* the row of the table is gone */
    if (rc != SQLITE_OK) {
        *out = (struct svt_value){.type = SQLITE_NULL};
        rc = fail_sqlite(e, rc, e->text, message);
        sqlite3_reset(e->stmt);
    }
    e->in = NULL;
    return rc;
}

/* SQLite tells only of an evaluation that it asked for the clock: of one with NULL for
 * all inputs.  What else goes wrong then says nothing of other values. */
static int check_clock(struct svt_expr *e, char **message)
{
    size_t n = (size_t)e->ninputs + 1;
    struct svt_value *in = sqlite3_malloc64(n * sizeof *in), out;
    if (in == NULL)
        return svt_fail(message, SQLITE_NOMEM, "out of memory");
    for (size_t i = 0; i < n; i++)
        in[i] = (struct svt_value){.type = SQLITE_NULL};
    int rc = svt_expr_eval(e, in, &out, message);
    sqlite3_free(in);
    if (rc == SQLITE_OK || rc == SQLITE_NOMEM ||
        (*message != NULL && strstr(*message, "non-deterministic use") != NULL))
        return rc;
    sqlite3_free(*message);
    *message = NULL;
    return SQLITE_OK;
}

int svt_expr_check(const struct svt_expr_spec *spec, bool *used, char **message)
{
    struct svt_expr *e = NULL;
    int rc = svt_expr_new(spec, &e, message);
    if (rc == SQLITE_OK)
        rc = check_clock(e, message);
    if (rc == SQLITE_OK && used != NULL)
        memcpy(used, e->used, (size_t)spec->ninputs * sizeof *used);
    svt_expr_free(e);
    return rc;
}

bool svt_expr_threads(void)
{
    if (sqlite3_threadsafe() == 0)
        return false;
    /* Configured for one thread, all mutexes are the same one. */
    sqlite3_mutex *a = sqlite3_mutex_alloc(SQLITE_MUTEX_FAST);
    sqlite3_mutex *b = sqlite3_mutex_alloc(SQLITE_MUTEX_FAST);
    bool threads = a != NULL && a != b;
    sqlite3_mutex_free(a);
    sqlite3_mutex_free(b);
    return threads;
}

/* ---- the pool ----------------------------------------------------------------------
 */

#define POOL_IDLE 4

struct svt_expr_pool {
    struct svt_expr_spec spec; /* owned: a copy */
    sqlite3_mutex *mutex;      /* owned; of idle */
    struct svt_expr *idle[POOL_IDLE];
    int nidle;
    bool *used; /* owned */
};

static int copy_spec(const struct svt_expr_spec *spec, struct svt_expr_spec *to)
{
    size_t n = (size_t)spec->ninputs;
    struct svt_expr_input *inputs = sqlite3_malloc64((n + 1) * sizeof *inputs);
    *to = *spec;
    to->ninputs = 0;
    to->inputs = inputs;
    to->text = sqlite3_mprintf("%s", spec->text);
    if (to->text == NULL || inputs == NULL)
        return SQLITE_NOMEM;
    for (size_t i = 0; i < n; i++, to->ninputs++) {
        inputs[i] = spec->inputs[i];
        inputs[i].name = sqlite3_mprintf("%s", spec->inputs[i].name);
        if (inputs[i].name == NULL)
            return SQLITE_NOMEM;
    }
    return SQLITE_OK;
}

/* Free what the pool owns behind pointers to const. */
static void free_const(const void *p)
{
    union {
        const void *p;
        void *q;
    } u = {p};
    sqlite3_free(u.q);
}

int svt_expr_pool_new(const struct svt_expr_spec *spec, struct svt_expr_pool **out,
                      char **message)
{
    struct svt_expr_pool *p = sqlite3_malloc64(sizeof *p);
    *out = NULL;
    if (p == NULL)
        return svt_fail(message, SQLITE_NOMEM, "out of memory");
    *p = (struct svt_expr_pool){.nidle = 0};
    int rc = copy_spec(spec, &p->spec);
    p->mutex = sqlite3_mutex_alloc(SQLITE_MUTEX_FAST); /* NULL: one thread alone */
    p->used = sqlite3_malloc64(((size_t)spec->ninputs + 1) * sizeof *p->used);
    if (rc != SQLITE_OK || p->used == NULL ||
        (p->mutex == NULL && sqlite3_threadsafe() != 0))
        rc = svt_fail(message, SQLITE_NOMEM, "out of memory");
    else if ((rc = svt_expr_new(spec, &p->idle[0], message)) == SQLITE_OK)
        memcpy(p->used, p->idle[p->nidle++]->used,
               (size_t)spec->ninputs * sizeof *p->used);
    if (rc == SQLITE_OK)
        *out = p;
    else
        svt_expr_pool_free(p);
    return rc;
}

void svt_expr_pool_free(struct svt_expr_pool *p)
{
    if (p == NULL)
        return;
    while (p->nidle > 0)
        svt_expr_free(p->idle[--p->nidle]);
    for (int i = 0; i < p->spec.ninputs; i++)
        free_const(p->spec.inputs[i].name);
    free_const(p->spec.inputs);
    free_const(p->spec.text);
    sqlite3_free(p->used);
    sqlite3_mutex_free(p->mutex);
    sqlite3_free(p);
}

int svt_expr_pool_take(struct svt_expr_pool *p, struct svt_expr **out, char **message)
{
    sqlite3_mutex_enter(p->mutex);
    *out = p->nidle > 0 ? p->idle[--p->nidle] : NULL;
    sqlite3_mutex_leave(p->mutex);
    return *out != NULL ? SQLITE_OK : svt_expr_new(&p->spec, out, message);
}

void svt_expr_pool_give(struct svt_expr_pool *p, struct svt_expr *e)
{
    if (e == NULL)
        return;
    sqlite3_mutex_enter(p->mutex);
    if (p->nidle < POOL_IDLE) {
        p->idle[p->nidle++] = e;
        e = NULL;
    }
    sqlite3_mutex_leave(p->mutex);
    svt_expr_free(e);
}

bool svt_expr_pool_uses(const struct svt_expr_pool *p, int i)
{
    return p->used[i];
}
