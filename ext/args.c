/* SPDX-License-Identifier: Apache-2.0
 *
 * SQLite hands over each argument as raw text.  A hand-written tokenizer and a parser
 * that looks one token ahead: the grammar is small, and every refusal needs a sentence
 * of its own.  The parser is sticky: the first refusal is kept and ends everything.
 *
 * A DEFAULT literal is evaluated by SQLite: stored in a column of the same type in a
 * private database in memory and read back.  So it is what an ordinary table would
 * hold. */
#include "args.h"

#include "options.h"
#include "token.h"
#include "types.h"

#include <assert.h>
#include <stdarg.h>
#include <string.h>

#define MAX_COLUMNS 2000
#define MAX_KEY     64

/* One column of the primary key, as written. */
struct key_item {
    char *name; /* owned */
    bool desc, collated;
    enum svt_collation collation;
};

struct parser {
    const char *table;    /* for messages */
    const char *column;   /* the one being parsed, for messages; NULL: none */
    struct svt_lexer lex; /* its token is the next one to take */
    struct svt_schema *s; /* being built */
    struct key_item key[MAX_KEY];
    int nkey;
    bool key_given, key_inline; /* PRIMARY KEY was written; within a column */
    sqlite3 *db;                /* evaluates defaults; NULL: not needed yet */
    int rc;
    char *message;
};

static const char column_grammar[] =
    "a column takes a type, PRIMARY KEY [ASC|DESC], NOT NULL, COLLATE, DEFAULT and "
    "MERGE";

/* ---- failing -------------------------------------------------------------- */

static bool fail_nomem(struct parser *ps)
{
    if (ps->rc == SQLITE_OK)
        ps->rc = SQLITE_NOMEM;
    return false;
}

__attribute__((format(printf, 2, 3))) static bool refuse(struct parser *ps,
                                                         const char *format, ...)
{
    va_list ap;
    if (ps->rc != SQLITE_OK)
        return false;
    va_start(ap, format);
    char *text = sqlite3_vmprintf(format, ap);
    va_end(ap);
    if (text != NULL && ps->column != NULL)
        ps->message =
            sqlite3_mprintf("%s: column \"%s\": %s", ps->table, ps->column, text);
    else if (text != NULL)
        ps->message = sqlite3_mprintf("%s: %s", ps->table, text);
    sqlite3_free(text);
    ps->rc = ps->message != NULL ? SQLITE_ERROR : SQLITE_NOMEM;
    return false;
}

static bool refuse_near(struct parser *ps, const char *wanted)
{
    if (ps->lex.t.kind == SVT_T_END)
        return refuse(ps, "unexpected end: %s", wanted);
    return refuse(ps, "near \"%.*s\": %s", (int)ps->lex.t.n, ps->lex.t.s, wanted);
}

/* ---- tokens --------------------------------------------------------------- */

static void next(struct parser *ps)
{
    svt_lexer_next(&ps->lex);
}

/* Move past the word if it is next. */
static bool accept_word(struct parser *ps, const char *word)
{
    if (!svt_token_is_word(&ps->lex.t, word))
        return false;
    next(ps);
    return true;
}

static bool accept_punct(struct parser *ps, char c)
{
    if (!svt_token_is_punct(&ps->lex.t, c))
        return false;
    next(ps);
    return true;
}

static bool word_in(const struct svt_token *t, const char *const *words)
{
    for (; *words != NULL; words++) {
        if (svt_token_is_word(t, *words))
            return true;
    }
    return false;
}

/* The token's text without quotes, in fresh memory; NULL: no memory. */
static char *unquoted(struct parser *ps, const struct svt_token *t)
{
    char *out = sqlite3_malloc64(t->n + 1);
    if (out == NULL) {
        fail_nomem(ps);
        return NULL;
    }
    size_t from = 0, to = t->n, n = 0;
    if (t->kind == SVT_T_QUOTED || t->kind == SVT_T_STRING) {
        from++;
        to--;
    }
    for (; from < to; from++) {
        out[n++] = t->s[from];
        if (t->kind != SVT_T_WORD && t->s[from] == t->s[0] && t->s[0] != '[')
            from++; /* a doubled quote */
    }
    out[n] = '\0';
    return out;
}

/* A name: bare or quoted. */
static bool take_name(struct parser *ps, char **out)
{
    if (ps->lex.t.kind != SVT_T_WORD && ps->lex.t.kind != SVT_T_QUOTED)
        return refuse_near(ps, "a name was expected: word, \"word\", [word] or `word`");
    *out = unquoted(ps, &ps->lex.t);
    next(ps);
    return *out != NULL;
}

/* ---- pieces shared by columns and table constraints ------------------------ */

/* What SQLite has and seerdb does not: refused by name. */
static const struct {
    const char *word, *sentence;
} unsupported[] = {
    {"UNIQUE", "UNIQUE is not supported: only the PRIMARY KEY is unique"},
    {"CHECK", "CHECK is not supported: NOT NULL is the only check on values"},
    {"REFERENCES", "REFERENCES is not supported: there are no foreign keys"},
    {"FOREIGN", "FOREIGN KEY is not supported"},
    {"GENERATED", "GENERATED is not supported: every column is stored as given"},
    {"AS", "AS is not supported: every column is stored as given"},
    {"AUTOINCREMENT",
     "AUTOINCREMENT is not supported: without it an INTEGER PRIMARY KEY "
     "takes the next number after the largest"},
    {"ON", "ON CONFLICT is not supported here: say it in the statement (INSERT OR "
           "REPLACE), or for all inserts with insert = replace"},
};

/* Refuse the next token: by name if it is known, else as something unexpected. */
static bool refuse_token(struct parser *ps, const char *wanted)
{
    for (size_t i = 0; i < sizeof unsupported / sizeof unsupported[0]; i++) {
        if (svt_token_is_word(&ps->lex.t, unsupported[i].word))
            return refuse(ps, "%s", unsupported[i].sentence);
    }
    return refuse_near(ps, wanted);
}

static bool take_collation(struct parser *ps, enum svt_collation *out)
{
    static const char *const names[] = {"BINARY", "NOCASE", "RTRIM"};
    char *name = NULL;
    bool known = false;
    if (!take_name(ps, &name))
        return false;
    for (int i = SVT_BINARY; i <= SVT_RTRIM; i++) {
        if (sqlite3_stricmp(name, names[i]) == 0) {
            *out = (enum svt_collation)i;
            known = true;
        }
    }
    if (!known)
        refuse(ps, "COLLATE %s is not supported: BINARY, NOCASE and RTRIM are", name);
    sqlite3_free(name);
    return known;
}

static bool take_direction(struct parser *ps)
{
    return !accept_word(ps, "ASC") && accept_word(ps, "DESC");
}

/* Note that a PRIMARY KEY begins. */
static bool begin_key(struct parser *ps, bool within_column)
{
    if (ps->key_given)
        return refuse(ps, "a second PRIMARY KEY: a table has one; name several columns "
                          "as PRIMARY KEY (a, b)");
    ps->key_given = true;
    ps->key_inline = within_column;
    return true;
}

/* Add a column to the key; takes the name. */
static bool add_key_item(struct parser *ps, struct key_item item)
{
    if (ps->nkey == MAX_KEY) {
        sqlite3_free(item.name);
        return refuse(ps, "the PRIMARY KEY has more than %d columns", MAX_KEY);
    }
    ps->key[ps->nkey++] = item;
    return true;
}

/* ---- column definitions --------------------------------------------------- */

static struct svt_column *find_column(const struct svt_schema *s, const char *name)
{
    for (int i = 0; i < s->ncolumns; i++) {
        if (sqlite3_stricmp(s->columns[i].name, name) == 0)
            return &s->columns[i];
    }
    return NULL;
}

/* Append an empty column; takes the name. */
static struct svt_column *add_column(struct parser *ps, char *name)
{
    struct svt_schema *s = ps->s;
    bool fine = false;
    if (name[0] == '\0')
        refuse(ps, "a column name is empty");
    else if (name[0] == '_')
        refuse(ps, "column \"%s\": names that begin with _ are reserved", name);
    else if (find_column(s, name) != NULL)
        refuse(ps, "column \"%s\" is declared twice", name);
    else if (s->ncolumns == MAX_COLUMNS)
        refuse(ps, "more than %d columns", MAX_COLUMNS);
    else
        fine = true;
    struct svt_column *grown = NULL;
    if (fine) {
        grown = sqlite3_realloc64(s->columns, ((sqlite3_uint64)s->ncolumns + 1) *
                                                  sizeof s->columns[0]);
        if (grown == NULL)
            fail_nomem(ps);
    }
    if (grown == NULL) {
        sqlite3_free(name);
        return NULL;
    }
    s->columns = grown;
    struct svt_column *c = &grown[s->ncolumns++];
    *c = (struct svt_column){.name = name, .key_part = -1};
    return c;
}

/* "(n)" or "(n, m)", appended to the type. */
static bool parse_type_size(struct parser *ps, sqlite3_str *type)
{
    static const char wanted[] = "a size was expected: (n) or (n, m)";
    sqlite3_str_appendchar(type, 1, '(');
    for (int numbers = 1;; numbers++) {
        if (svt_token_is_punct(&ps->lex.t, '+') ||
            svt_token_is_punct(&ps->lex.t, '-')) {
            sqlite3_str_appendchar(type, 1, *ps->lex.t.s);
            next(ps);
        }
        if (ps->lex.t.kind != SVT_T_NUMBER)
            return refuse_near(ps, wanted);
        sqlite3_str_append(type, ps->lex.t.s, (int)ps->lex.t.n);
        next(ps);
        if (numbers == 2 || !accept_punct(ps, ','))
            break;
        sqlite3_str_appendchar(type, 1, ',');
    }
    sqlite3_str_appendchar(type, 1, ')');
    return accept_punct(ps, ')') || refuse_near(ps, wanted);
}

/* The words of a type up to its size or the first constraint. */
static bool parse_type_words(struct parser *ps, sqlite3_str *type)
{
    static const char *const constraints[] = {
        "PRIMARY", "NOT",        "NULL",    "COLLATE",   "DEFAULT", "UNIQUE",
        "CHECK",   "REFERENCES", "FOREIGN", "GENERATED", "AS",      "AUTOINCREMENT",
        "ON",      "CONSTRAINT", "MERGE",   NULL};
    static const char *const modifiers[] = {
        "UNSIGNED",  "SIGNED", "BIG",     "LONG", "VARYING", "NATIVE", "NATIONAL",
        "PRECISION", "WITH",   "WITHOUT", "ZONE", "LOCAL",   NULL};
    const struct svt_token first = ps->lex.t;
    bool known = false;
    for (; ps->lex.t.kind == SVT_T_WORD && !word_in(&ps->lex.t, constraints);
         next(ps)) {
        bool named = svt_type_has_word(&ps->lex.t);
        if (!named && !word_in(&ps->lex.t, modifiers)) {
            if (known)
                return refuse_near(ps, column_grammar);
            break;
        }
        known |= named;
        if (sqlite3_str_length(type) > 0)
            sqlite3_str_appendchar(type, 1, ' ');
        sqlite3_str_append(type, ps->lex.t.s, (int)ps->lex.t.n);
    }
    if (!known && ps->lex.t.s != first.s) /* nothing but modifiers */
        ps->lex.t = first;
    if (!known && ps->lex.t.kind == SVT_T_WORD && !word_in(&ps->lex.t, constraints))
        return refuse(ps,
                      "unknown type \"%.*s\": use a type such as INTEGER, REAL, TEXT, "
                      "BLOB, NUMERIC, VARCHAR(10), DATETIME or BOOLEAN, or none",
                      (int)ps->lex.t.n, ps->lex.t.s);
    return true;
}

/* With strict = 1 a column has one of the types of STRICT tables, and takes nothing
 * else. */
static bool check_strict_type(struct parser *ps, struct svt_column *c)
{
    const struct svt_strict_type *type = svt_strict_type_find(c->type);
    if (c->type[0] == '\0')
        return refuse(ps, "a type is missing: %s", svt_strict_names);
    if (type == NULL)
        return refuse(ps, "type \"%s\" is not allowed: %s", c->type, svt_strict_names);
    char *declared = sqlite3_mprintf("%s", type->declared);
    if (declared == NULL)
        return fail_nomem(ps);
    sqlite3_free(c->type);
    c->type = declared;
    c->only = type->only;
    return true;
}

static bool parse_type(struct parser *ps, struct svt_column *c)
{
    sqlite3_str *type = sqlite3_str_new(NULL);
    bool ok = parse_type_words(ps, type);
    if (ok && sqlite3_str_length(type) > 0 && accept_punct(ps, '('))
        ok = parse_type_size(ps, type);
    int rc = sqlite3_str_errcode(type);
    c->type = sqlite3_str_finish(type);
    if (c->type == NULL && rc == SQLITE_OK)
        c->type = sqlite3_mprintf("");
    if (ok && c->type == NULL)
        return fail_nomem(ps);
    if (ok && ps->s->options.strict)
        ok = check_strict_type(ps, c);
    c->affinity = ok ? svt_affinity_of(c->type) : SVT_AFFINITY_BLOB;
    return ok;
}

/* Copy what the statement found into the column's default. */
static bool keep_default(struct parser *ps, struct svt_column *c, sqlite3_stmt *stmt)
{
    struct svt_value *v = &c->fallback;
    char *copy;
    switch (sqlite3_column_type(stmt, 0)) {
    case SQLITE_INTEGER:
        *v = (struct svt_value){.type = SQLITE_INTEGER,
                                .i = sqlite3_column_int64(stmt, 0)};
        return true;
    case SQLITE_FLOAT:
        *v = (struct svt_value){.type = SQLITE_FLOAT,
                                .r = sqlite3_column_double(stmt, 0)};
        return true;
    default: {
        const void *bytes = sqlite3_column_blob(stmt, 0);
        size_t size = (size_t)sqlite3_column_bytes(stmt, 0);
        copy = sqlite3_malloc64(size + 1);
        if (copy == NULL || (bytes == NULL && size > 0)) {
            sqlite3_free(copy);
            return fail_nomem(ps);
        }
        if (size > 0)
            memcpy(copy, bytes, size);
        c->fallback_bytes = copy;
        *v = (struct svt_value){.type = sqlite3_column_type(stmt, 0),
                                .bytes = {copy, size}};
        return true;
    }
    }
}

/* What a column of this type holds after the literal was stored in it. */
static bool evaluate_default(struct parser *ps, struct svt_column *c,
                             const char *literal)
{
    sqlite3_stmt *stmt = NULL;
    bool ok = false;
    int rc = SQLITE_OK;
    if (ps->db == NULL)
        rc = sqlite3_open_v2(":memory:", &ps->db,
                             SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE |
                                 SQLITE_OPEN_MEMORY | SQLITE_OPEN_PRIVATECACHE,
                             NULL);
    char *sql = sqlite3_mprintf("DROP TABLE IF EXISTS d; CREATE TABLE d(c %s);"
                                "INSERT INTO d VALUES (%s)",
                                c->type, literal);
    if (rc == SQLITE_OK)
        rc = sql == NULL ? SQLITE_NOMEM : sqlite3_exec(ps->db, sql, NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_prepare_v2(ps->db, "SELECT c FROM d", -1, &stmt, NULL);
    if (rc == SQLITE_OK && (rc = sqlite3_step(stmt)) == SQLITE_ROW)
        ok = keep_default(ps, c, stmt);
    else if (rc == SQLITE_NOMEM || ps->db == NULL)
        fail_nomem(ps);
    else
        refuse(ps, "DEFAULT %s: %s", literal, sqlite3_errmsg(ps->db));
    sqlite3_finalize(stmt);
    sqlite3_free(sql);
    return ok;
}

static bool parse_default(struct parser *ps, struct svt_column *c)
{
    static const char *const words[] = {"TRUE", "FALSE", NULL};
    if (c->has_default)
        return refuse(ps, "a second DEFAULT");
    c->has_default = true;
    c->fallback = (struct svt_value){.type = SQLITE_NULL};
    if (accept_word(ps, "NULL"))
        return true;
    const char *sign = "";
    if (svt_token_is_punct(&ps->lex.t, '-') || svt_token_is_punct(&ps->lex.t, '+')) {
        sign = svt_token_is_punct(&ps->lex.t, '-') ? "-" : "+";
        next(ps);
    }
    bool literal =
        ps->lex.t.kind == SVT_T_NUMBER ||
        (*sign == '\0' && (ps->lex.t.kind == SVT_T_STRING ||
                           ps->lex.t.kind == SVT_T_BLOB || word_in(&ps->lex.t, words)));
    if (!literal)
        return refuse_near(ps,
                           "DEFAULT takes a literal: a number, 'text', x'blob', NULL, "
                           "TRUE or FALSE");
    char *sql = sqlite3_mprintf("%s%.*s", sign, (int)ps->lex.t.n, ps->lex.t.s);
    next(ps);
    bool ok = sql != NULL ? evaluate_default(ps, c, sql) : fail_nomem(ps);
    sqlite3_free(sql);
    return ok;
}

static bool parse_column_key(struct parser *ps, const struct svt_column *c)
{
    if (!accept_word(ps, "KEY"))
        return refuse_near(ps, "PRIMARY is followed by KEY");
    if (!begin_key(ps, true))
        return false;
    struct key_item item = {.desc = take_direction(ps)};
    item.name = sqlite3_mprintf("%s", c->name);
    if (item.name == NULL)
        return fail_nomem(ps);
    return add_key_item(ps, item);
}

static bool parse_merge(struct parser *ps, struct svt_column *c)
{
    char *why = NULL;
    if (c->merge.kind != SVT_MERGE_NONE)
        return refuse(ps, "a second MERGE");
    int rc = svt_merge_parse(&ps->lex, &c->merge, &why);
    bool ok = rc == SQLITE_OK;
    if (!ok)
        rc == SQLITE_ERROR ? refuse(ps, "%s", why) : fail_nomem(ps);
    sqlite3_free(why);
    ps->s->nmerge++;
    if (c->merge.kind == SVT_MERGE_EXPRESSION || c->merge.kind == SVT_MERGE_JSON_PATCH)
        ps->s->merges_by_sql = true;
    return ok;
}

static bool parse_column_constraint(struct parser *ps, struct svt_column *c,
                                    bool *collated)
{
    char *name = NULL;
    if (accept_word(ps, "CONSTRAINT")) {
        bool named = take_name(ps, &name);
        sqlite3_free(name);
        if (!named)
            return false;
    }
    if (accept_word(ps, "PRIMARY"))
        return parse_column_key(ps, c);
    if (accept_word(ps, "NOT")) {
        c->not_null = true;
        return accept_word(ps, "NULL") || refuse_near(ps, "NOT is followed by NULL");
    }
    if (accept_word(ps, "NULL"))
        return true;
    if (accept_word(ps, "COLLATE")) {
        if (*collated)
            return refuse(ps, "a second COLLATE");
        *collated = true;
        return take_collation(ps, &c->collation);
    }
    if (accept_word(ps, "DEFAULT"))
        return parse_default(ps, c);
    if (accept_word(ps, "MERGE"))
        return parse_merge(ps, c);
    return refuse_token(ps, column_grammar);
}

static bool parse_column(struct parser *ps)
{
    char *name = NULL;
    bool collated = false;
    if (!take_name(ps, &name))
        return false;
    struct svt_column *c = add_column(ps, name);
    if (c == NULL)
        return false;
    ps->column = c->name;
    bool ok = parse_type(ps, c);
    while (ok && ps->lex.t.kind != SVT_T_END)
        ok = parse_column_constraint(ps, c, &collated);
    ps->column = NULL;
    return ok;
}

/* ---- table constraints ---------------------------------------------------- */

static bool parse_key_item(struct parser *ps)
{
    struct key_item item = {0};
    if (!take_name(ps, &item.name))
        return false;
    if (accept_word(ps, "COLLATE")) {
        item.collated = true;
        if (!take_collation(ps, &item.collation)) {
            sqlite3_free(item.name);
            return false;
        }
    }
    item.desc = take_direction(ps);
    return add_key_item(ps, item);
}

static bool parse_table_constraint(struct parser *ps)
{
    static const char key_grammar[] =
        "PRIMARY KEY (column [COLLATE c] [ASC|DESC], ...)";
    char *name = NULL;
    if (accept_word(ps, "CONSTRAINT")) {
        bool named = take_name(ps, &name);
        sqlite3_free(name);
        if (!named)
            return false;
    }
    if (!accept_word(ps, "PRIMARY"))
        return refuse_token(ps, key_grammar);
    if (!accept_word(ps, "KEY") || !accept_punct(ps, '('))
        return refuse_near(ps, key_grammar);
    if (!begin_key(ps, false))
        return false;
    do {
        if (!parse_key_item(ps))
            return false;
    } while (accept_punct(ps, ','));
    if (!accept_punct(ps, ')'))
        return refuse_token(ps, key_grammar);
    return ps->lex.t.kind == SVT_T_END || refuse_token(ps, key_grammar);
}

/* ---- options -------------------------------------------------------------- */

/* The value of an option: one quoted string, or the raw text to the end. */
static char *take_option_value(struct parser *ps)
{
    struct svt_token value = ps->lex.t;
    bool quoted = value.kind == SVT_T_STRING || value.kind == SVT_T_QUOTED;
    for (; ps->lex.t.kind != SVT_T_END; next(ps)) {
        if (ps->lex.t.kind == SVT_T_STRING || ps->lex.t.kind == SVT_T_QUOTED) {
            if (ps->lex.t.s == value.s)
                continue;
            refuse_near(ps, "the value of an option is one word or one quoted string");
            return NULL;
        }
        if (quoted) {
            refuse_near(ps, "the value of an option ends with its closing quote");
            return NULL;
        }
        value.n = (size_t)(ps->lex.t.s + ps->lex.t.n - value.s);
    }
    if (!quoted)
        value.kind = SVT_T_WORD;
    return unquoted(ps, &value);
}

/* Whether the argument is `name = ...`. */
static bool is_option(const char *text)
{
    struct svt_lexer lex = {.p = text};
    svt_lexer_next(&lex);
    if (lex.t.kind != SVT_T_WORD)
        return false;
    svt_lexer_next(&lex);
    return svt_token_is_punct(&lex.t, '=');
}

static bool parse_option(struct parser *ps, const char *text)
{
    ps->lex.p = text;
    next(ps);
    const struct svt_token first = ps->lex.t, *name = &first;
    next(ps);
    next(ps);
    size_t i = 0, n = sizeof svt_known_options / sizeof svt_known_options[0];
    while (i < n && !svt_token_is_word(name, svt_known_options[i].name))
        i++;
    if (i == n)
        return refuse(ps, "unknown option \"%.*s\": %s", (int)name->n, name->s,
                      svt_option_names);
    const struct svt_option *option = &svt_known_options[i];
    if (option->set == NULL)
        return refuse(ps, "option %s is not supported yet: %s", option->name,
                      svt_option_names);
    if (ps->s->options.given >> i & 1)
        return refuse(ps, "option %s is given twice", option->name);
    ps->s->options.given |= 1u << i;
    char *value = take_option_value(ps);
    if (value == NULL)
        return false;
    bool ok = option->set(&ps->s->options, &value);
    if (!ok && option->later != NULL && sqlite3_stricmp(value, option->later) == 0)
        refuse(ps, "option %s = %s is not supported yet: allowed is %s", option->name,
               value, option->allowed);
    else if (!ok)
        refuse(ps, "option %s = \"%s\": allowed is %s", option->name, value,
               option->allowed);
    sqlite3_free(value);
    return ok;
}

/* ---- the whole ------------------------------------------------------------ */

/* A column or a table constraint. */
static bool parse_argument(struct parser *ps, const char *text)
{
    static const char *const constraints[] = {"CONSTRAINT", "UNIQUE", "CHECK",
                                              "FOREIGN", NULL};
    ps->lex.p = text;
    next(ps);
    if (ps->lex.t.kind == SVT_T_END)
        return true;
    struct svt_lexer ahead = {.p = ps->lex.p};
    svt_lexer_next(&ahead);
    if (word_in(&ps->lex.t, constraints) || (svt_token_is_word(&ps->lex.t, "PRIMARY") &&
                                             svt_token_is_word(&ahead.t, "KEY")))
        return parse_table_constraint(ps);
    return parse_column(ps);
}

/* Find the key's columns. */
static bool resolve_key(struct parser *ps)
{
    struct svt_schema *s = ps->s;
    s->nkey = ps->nkey;
    s->key = sqlite3_malloc64((sqlite3_uint64)(s->nkey + 1) * sizeof s->key[0]);
    s->parts = sqlite3_malloc64((sqlite3_uint64)(s->nkey + 1) * sizeof s->parts[0]);
    if (s->key == NULL || s->parts == NULL)
        return fail_nomem(ps);
    for (int i = 0; i < s->nkey; i++) {
        const struct key_item *item = &ps->key[i];
        struct svt_column *c = find_column(s, item->name);
        if (c == NULL)
            return refuse(ps, "PRIMARY KEY names \"%s\", which is not a column",
                          item->name);
        if (c->key_part >= 0)
            return refuse(ps, "PRIMARY KEY names \"%s\" twice", item->name);
        if (item->collated && item->collation != c->collation)
            return refuse(ps,
                          "PRIMARY KEY gives \"%s\" another collation than the "
                          "column has: declare it on the column",
                          item->name);
        c->key_part = i;
        s->key[i] = (int)(c - s->columns);
        s->parts[i] = (struct svt_key_part){
            .collation = c->collation, .desc = item->desc, .last = i + 1 == s->nkey};
    }
    return true;
}

/* SQLite's rule: the type is exactly INTEGER, and DESC counts only where it stands in
 * the column (an old bug that was kept). */
static bool is_integer_key(const struct parser *ps)
{
    const struct svt_schema *s = ps->s;
    return s->nkey == 1 &&
           sqlite3_stricmp(s->columns[s->key[0]].type, "INTEGER") == 0 &&
           !(ps->key_inline && s->parts[0].desc);
}

static bool finish_shape(struct parser *ps)
{
    struct svt_schema *s = ps->s;
    if (s->ncolumns == 0 && !ps->key_given &&
        !(parse_argument(ps, s->options.strict ? "key ANY PRIMARY KEY"
                                               : "key PRIMARY KEY") &&
          parse_argument(ps, s->options.strict ? "value ANY" : "value")))
        return false;
    if (!resolve_key(ps))
        return false;
    if (s->nkey == 0) {
        s->shape = SVT_SHAPE_ROWID;
        return true;
    }
    if (is_integer_key(ps)) {
        s->shape = SVT_SHAPE_IPK;
        s->parts[0].desc = false;               /* rows lie in the order of rowids */
        s->columns[s->key[0]].not_null = false; /* NULL assigns the next number */
        return true;
    }
    s->shape = s->nkey == 1 ? SVT_SHAPE_SINGLE : SVT_SHAPE_COMPOSITE;
    for (int i = 0; i < s->nkey; i++)
        s->columns[s->key[i]].not_null = true;
    if (s->nkey > 1 && s->ncolumns == MAX_COLUMNS)
        return refuse(ps, "more than %d columns beside a key of several columns",
                      MAX_COLUMNS - 1);
    return true;
}

static bool finish(struct parser *ps)
{
    if (!finish_shape(ps))
        return false;
    const char *flaw = svt_schema_merge_flaw(ps->s, &ps->column);
    return flaw == NULL || refuse(ps, "%s", flaw);
}

int svt_args_parse(int argc, const char *const *argv, struct svt_schema *out,
                   char **message)
{
    struct parser ps = {.table = argv[2], .s = out};
    *out = (struct svt_schema){.read = svt_value_read,
                               .options = {.compression = 1,
                                           .filter_bits = 10,
                                           .value_log = SVT_VALUE_LOG_STANDARD}};
    bool ok = true;
    /* Options first: `strict` says what the types of columns may be. */
    for (int i = 3; ok && i < argc; i++)
        ok = !is_option(argv[i]) || parse_option(&ps, argv[i]);
    for (int i = 3; ok && i < argc; i++)
        ok = is_option(argv[i]) || parse_argument(&ps, argv[i]);
    if (ok)
        ok = finish(&ps);
    assert(ok == (ps.rc == SQLITE_OK));
    for (int i = 0; i < ps.nkey; i++)
        sqlite3_free(ps.key[i].name);
    sqlite3_close(ps.db);
    if (!ok)
        svt_schema_fini(out);
    if (ps.message != NULL)
        *message = ps.message;
    return ps.rc;
}

void svt_schema_fini(struct svt_schema *s)
{
    for (int i = 0; i < s->ncolumns; i++) {
        struct svt_column *c = &s->columns[i];
        sqlite3_free(c->name);
        sqlite3_free(c->type);
        sqlite3_free(c->fallback_bytes);
        svt_merge_fini(&c->merge);
    }
    sqlite3_free(s->columns);
    sqlite3_free(s->key);
    sqlite3_free(s->parts);
    sqlite3_free(s->options.path);
    sqlite3_free(s->options.ttl);
    sqlite3_free(s->options.filter);
    *s = (struct svt_schema){0};
}
