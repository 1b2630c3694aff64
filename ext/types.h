/* SPDX-License-Identifier: Apache-2.0
 *
 * types -- the names that column types have in CREATE VIRTUAL TABLE.  For args.c
 * alone. */
#ifndef SVT_TYPES_H
#define SVT_TYPES_H

#include "token.h"

/* Whether the word makes a type: by the letters that SQLite looks for, or whole. */
static inline bool svt_type_has_word(const struct svt_token *t)
{
    static const char *const parts[] = {"INT",  "CHAR", "CLOB", "TEXT",
                                        "BLOB", "REAL", "FLOA", "DOUB"};
    static const char *const whole[] = {
        "NUMERIC", "DECIMAL", "BOOLEAN", "BOOL", "DATE",   "DATETIME", "TIMESTAMP",
        "TIME",    "ANY",     "JSON",    "UUID", "NUMBER", "MONEY"};
    if (svt_token_is_word(t, "INTO") || svt_token_is_word(t, "INTERSECT"))
        return false;
    for (size_t i = 0; i < t->n; i++) {
        for (size_t j = 0; j < sizeof parts / sizeof parts[0]; j++) {
            if (t->n - i >= strlen(parts[j]) &&
                sqlite3_strnicmp(t->s + i, parts[j], (int)strlen(parts[j])) == 0)
                return true;
        }
    }
    for (size_t i = 0; i < sizeof whole / sizeof whole[0]; i++) {
        if (svt_token_is_word(t, whole[i]))
            return true;
    }
    return false;
}

/* A type of STRICT tables. */
struct svt_strict_type {
    const char *name;
    const char *declared; /* what SQLite is told: of ANY nothing, because outside of
                             STRICT tables it would mean NUMERIC */
    int only;             /* the one type of values; 0: any */
};

static const char svt_strict_names[] =
    "with strict = 1 the types are INT, INTEGER, REAL, TEXT, BLOB and ANY";

/* NULL: there is no such type. */
static inline const struct svt_strict_type *svt_strict_type_find(const char *name)
{
    static const struct svt_strict_type types[] = {
        {"INT", "INT", SQLITE_INTEGER}, {"INTEGER", "INTEGER", SQLITE_INTEGER},
        {"REAL", "REAL", SQLITE_FLOAT}, {"TEXT", "TEXT", SQLITE_TEXT},
        {"BLOB", "BLOB", SQLITE_BLOB},  {"ANY", "", 0}};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        if (sqlite3_stricmp(name, types[i].name) == 0)
            return &types[i];
    }
    return NULL;
}

#endif
