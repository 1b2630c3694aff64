/* SPDX-License-Identifier: Apache-2.0
 *
 * token -- the tokens of SQL, as far as the arguments of CREATE VIRTUAL TABLE need
 * them: names, literals, punctuation; white space and comments between them. */
#ifndef SVT_TOKEN_H
#define SVT_TOKEN_H

#include "sqlite.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

enum svt_token_kind {
    SVT_T_END,
    SVT_T_WORD,
    SVT_T_QUOTED, /* "x" [x] `x` */
    SVT_T_STRING, /* 'x' */
    SVT_T_BLOB,   /* x'00' */
    SVT_T_NUMBER,
    SVT_T_PUNCT,
    SVT_T_BAD /* a quote that does not end, 12abc */
};

struct svt_token {
    enum svt_token_kind kind;
    const char *s; /* borrowed from the text */
    size_t n;
};

struct svt_lexer {
    const char *p;      /* what follows t; set it to the text, then call next */
    struct svt_token t; /* the token being looked at */
};

static inline bool svt_is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static inline bool svt_is_hex(char c)
{
    return svt_is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static inline bool svt_is_word_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || svt_is_digit(c) ||
           c == '_' || c == '$' || (unsigned char)c >= 0x80;
}

static inline bool svt_is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Skip white space and comments. */
static inline const char *svt_skip_space(const char *p)
{
    for (;;) {
        if (svt_is_space(*p)) {
            p++;
        } else if (p[0] == '-' && p[1] == '-') {
            p += strcspn(p, "\n");
        } else if (p[0] == '/' && p[1] == '*') {
            const char *close = strstr(p + 2, "*/");
            p = close != NULL ? close + 2 : p + strlen(p);
        } else {
            return p;
        }
    }
}

/* After the closing quote, doubled ones skipped; NULL: it does not close. */
static inline const char *svt_quote_end(const char *p)
{
    char close = *p == '[' ? ']' : *p;
    for (p++; *p != '\0'; p++) {
        if (*p != close)
            continue;
        if (close == ']' || p[1] != close)
            return p + 1;
        p++;
    }
    return NULL;
}

static inline const char *svt_number_end(const char *p)
{
    if (p[0] == '0' && (p[1] == 'x' || p[1] == 'X') && svt_is_hex(p[2])) {
        for (p += 2; svt_is_hex(*p); p++)
            ;
        return p;
    }
    while (svt_is_digit(*p))
        p++;
    if (*p == '.') {
        for (p++; svt_is_digit(*p); p++)
            ;
    }
    if (*p == 'e' || *p == 'E') {
        const char *e = p + 1 + (p[1] == '+' || p[1] == '-');
        if (svt_is_digit(*e)) {
            for (p = e; svt_is_digit(*p); p++)
                ;
        }
    }
    return p;
}

static inline bool svt_is_blob(const char *p, const char *end)
{
    size_t digits = 0;
    for (p += 2; p < end - 1; p++, digits++) {
        if (!svt_is_hex(*p))
            return false;
    }
    return digits % 2 == 0;
}

/* Move on to the next token. */
static inline void svt_lexer_next(struct svt_lexer *l)
{
    const char *p = svt_skip_space(l->p), *end = p;
    enum svt_token_kind kind = SVT_T_PUNCT;
    if (*p == '\0') {
        kind = SVT_T_END;
    } else if ((*p == 'x' || *p == 'X') && p[1] == '\'') {
        end = svt_quote_end(p + 1);
        kind = end != NULL && svt_is_blob(p, end) ? SVT_T_BLOB : SVT_T_BAD;
    } else if (*p == '\'') {
        kind = SVT_T_STRING;
        end = svt_quote_end(p);
    } else if (*p == '"' || *p == '`' || *p == '[') {
        kind = SVT_T_QUOTED;
        end = svt_quote_end(p);
    } else if (svt_is_digit(*p) || (*p == '.' && svt_is_digit(p[1]))) {
        kind = SVT_T_NUMBER;
        end = svt_number_end(p);
        for (; svt_is_word_char(*end); end++)
            kind = SVT_T_BAD;
    } else if (svt_is_word_char(*p)) {
        kind = SVT_T_WORD;
        while (svt_is_word_char(*end))
            end++;
    } else {
        end++;
    }
    if (end == NULL) {
        kind = SVT_T_BAD;
        end = p + strlen(p);
    }
    l->t = (struct svt_token){kind, p, (size_t)(end - p)};
    l->p = end;
}

static inline bool svt_token_is_word(const struct svt_token *t, const char *word)
{
    return t->kind == SVT_T_WORD && t->n == strlen(word) &&
           sqlite3_strnicmp(t->s, word, (int)t->n) == 0;
}

static inline bool svt_token_is_punct(const struct svt_token *t, char c)
{
    return t->kind == SVT_T_PUNCT && *t->s == c;
}

#endif
