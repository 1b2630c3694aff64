/* SPDX-License-Identifier: Apache-2.0 */
#include "mergeop.h"

#include <string.h>

const char svt_merge_grammar[] =
    "MERGE takes add, min, max, bit_or, bit_and, append, append('separator'), first, "
    "last, json_patch, or an SQL expression over old and new in parentheses";

#define JSON_PATCH "json_patch(coalesce(old, '{}'), new)"

static const char *const names[] = {"none",   "add",        "min",       "max",
                                    "bit_or", "bit_and",    "append",    "first",
                                    "last",   "json_patch", "expression"};

const char *svt_merge_name(enum svt_merge_kind kind)
{
    return names[kind];
}

void svt_merge_fini(struct svt_merge *m)
{
    sqlite3_free(m->text);
    *m = (struct svt_merge){.kind = SVT_MERGE_NONE};
}

static int refuse(const struct svt_token *t, char **why)
{
    *why =
        t->kind == SVT_T_END
            ? sqlite3_mprintf("unexpected end: %s", svt_merge_grammar)
            : sqlite3_mprintf("near \"%.*s\": %s", (int)t->n, t->s, svt_merge_grammar);
    return *why != NULL ? SQLITE_ERROR : SQLITE_NOMEM;
}

/* n bytes and two zeros, the end of a text in any encoding. */
static int keep_text(struct svt_merge *m, const char *s, size_t n)
{
    if ((m->text = sqlite3_malloc64(n + 2)) == NULL)
        return SQLITE_NOMEM;
    memcpy(m->text, s, n);
    m->text[n] = m->text[n + 1] = '\0';
    m->size = n;
    return SQLITE_OK;
}

/* 'separator' without its quotes. */
static int keep_separator(struct svt_merge *m, const struct svt_token *t)
{
    int rc = keep_text(m, t->s, t->n);
    if (rc != SQLITE_OK)
        return rc;
    m->size = 0;
    for (size_t i = 1; i + 1 < t->n; i++) {
        m->text[m->size++] = t->s[i];
        i += t->s[i] == '\'';
    }
    m->text[m->size] = m->text[m->size + 1] = '\0';
    return SQLITE_OK;
}

/* append('separator'); the lexer stands behind append. */
static int parse_append(struct svt_lexer *lex, struct svt_merge *out, char **why)
{
    if (!svt_token_is_punct(&lex->t, '('))
        return SQLITE_OK;
    svt_lexer_next(lex);
    if (lex->t.kind != SVT_T_STRING)
        return refuse(&lex->t, why);
    int rc = keep_separator(out, &lex->t);
    if (rc != SQLITE_OK)
        return rc;
    svt_lexer_next(lex);
    if (!svt_token_is_punct(&lex->t, ')'))
        return refuse(&lex->t, why);
    svt_lexer_next(lex);
    return SQLITE_OK;
}

/* What is between this parenthesis and its partner. */
static int parse_expression(struct svt_lexer *lex, struct svt_merge *out, char **why)
{
    const char *from = lex->t.s + 1;
    int depth = 1;
    while (depth > 0) {
        svt_lexer_next(lex);
        if (lex->t.kind == SVT_T_END || lex->t.kind == SVT_T_BAD)
            return refuse(&lex->t, why);
        depth += svt_token_is_punct(&lex->t, '(');
        depth -= svt_token_is_punct(&lex->t, ')');
    }
    out->kind = SVT_MERGE_EXPRESSION;
    int rc = keep_text(out, from, (size_t)(lex->t.s - from));
    svt_lexer_next(lex);
    return rc;
}

int svt_merge_parse(struct svt_lexer *lex, struct svt_merge *out, char **why)
{
    *out = (struct svt_merge){.kind = SVT_MERGE_NONE};
    if (svt_token_is_punct(&lex->t, '('))
        return parse_expression(lex, out, why);
    for (int kind = SVT_MERGE_ADD; kind < SVT_MERGE_EXPRESSION; kind++) {
        if (svt_token_is_word(&lex->t, names[kind]))
            out->kind = (enum svt_merge_kind)kind;
    }
    if (out->kind == SVT_MERGE_NONE)
        return refuse(&lex->t, why);
    svt_lexer_next(lex);
    if (out->kind == SVT_MERGE_APPEND)
        return parse_append(lex, out, why);
    return out->kind == SVT_MERGE_JSON_PATCH
               ? keep_text(out, JSON_PATCH, sizeof JSON_PATCH - 1)
               : SQLITE_OK;
}

const char *svt_merge_unfit(const struct svt_merge *m, enum svt_affinity affinity)
{
    switch (m->kind) {
    case SVT_MERGE_ADD:
        return affinity == SVT_AFFINITY_TEXT
                   ? "MERGE add needs a column of a numeric type or of none"
                   : NULL;
    case SVT_MERGE_BIT_OR:
    case SVT_MERGE_BIT_AND:
        return affinity == SVT_AFFINITY_TEXT || affinity == SVT_AFFINITY_REAL
                   ? "MERGE bit_or and bit_and need a column of the type INTEGER or "
                     "NUMERIC, or of none"
                   : NULL;
    case SVT_MERGE_APPEND:
        return affinity >= SVT_AFFINITY_NUMERIC
                   ? "MERGE append needs a column of the type TEXT or BLOB, or of none"
                   : NULL;
    case SVT_MERGE_JSON_PATCH:
        return affinity >= SVT_AFFINITY_NUMERIC
                   ? "MERGE json_patch needs a column of the type TEXT, or of none"
                   : NULL;
    default:
        return NULL;
    }
}
