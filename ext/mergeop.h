/* SPDX-License-Identifier: Apache-2.0
 *
 * mergeop -- `MERGE operator` of a column of CREATE VIRTUAL TABLE.
 *
 *     add  min  max  bit_or  bit_and  append  append('separator')  first  last
 *     json_patch  (an expression over old and new) */
#ifndef SVT_MERGEOP_H
#define SVT_MERGEOP_H

#include "token.h"
#include "value.h"

enum svt_merge_kind {
    SVT_MERGE_NONE,
    SVT_MERGE_ADD,
    SVT_MERGE_MIN,
    SVT_MERGE_MAX,
    SVT_MERGE_BIT_OR,
    SVT_MERGE_BIT_AND,
    SVT_MERGE_APPEND,
    SVT_MERGE_FIRST,
    SVT_MERGE_LAST,
    SVT_MERGE_JSON_PATCH,
    SVT_MERGE_EXPRESSION
};

/* A column's operator; all zeros: none. */
struct svt_merge {
    enum svt_merge_kind kind;
    char *text;  /* owned: append's separator, or the SQL expression; NULL: none */
    size_t size; /* of text, which ends with zeros that do not count */
};

extern const char svt_merge_grammar[];

/* Take the operator behind MERGE; lex stands on its first token and is moved past it.
 * SQLITE_OK; SQLITE_ERROR: *why (sqlite3_malloc'ed) says what is wrong; SQLITE_NOMEM.
 */
int svt_merge_parse(struct svt_lexer *lex, struct svt_merge *out, char **why);
void svt_merge_fini(struct svt_merge *m);

/* Why a column of this affinity cannot have the operator; static; NULL: it can. */
const char *svt_merge_unfit(const struct svt_merge *m, enum svt_affinity affinity);

/* "add", "append", "expression": for messages and for the name of a tree's operator. */
const char *svt_merge_name(enum svt_merge_kind kind);

#endif
