/* SPDX-License-Identifier: Apache-2.0
 *
 * SQLITE_DIRECTONLY should do, but does not: SQLite up to 3.45 at least calls such a
 * function from a CHECK constraint, if it is not deterministic; and every version does
 * from CHECK, generated columns and indexes of a schema that was read before the
 * function was registered.  A database file from elsewhere could then truncate a table
 * when somebody inserts into another one.  So the function itself asks who calls it.
 * The text of a running statement is the user's; what is in the schema is not in it. */
#include "direct.h"

#include "token.h"

static bool names_function(const struct svt_token *t)
{
    static const char name[] = "seerdb";
    if (svt_token_is_word(t, name))
        return true;
    return t->kind == SVT_T_QUOTED && t->n == sizeof name + 1 &&
           sqlite3_strnicmp(t->s + 1, name, (int)sizeof name - 1) == 0;
}

/* INSERT INTO seerdb(a) names a table, and so does main.seerdb(a). */
static bool calls_function(const char *sql)
{
    struct svt_lexer lex = {.p = sql};
    bool table = false;
    for (svt_lexer_next(&lex); lex.t.kind != SVT_T_END;) {
        bool named = names_function(&lex.t) && !table;
        table = svt_token_is_word(&lex.t, "INTO") || svt_token_is_punct(&lex.t, '.');
        svt_lexer_next(&lex);
        if (named && svt_token_is_punct(&lex.t, '('))
            return true;
    }
    return false;
}

bool svt_direct_call(sqlite3 *db)
{
    for (sqlite3_stmt *s = sqlite3_next_stmt(db, NULL); s != NULL;
         s = sqlite3_next_stmt(db, s)) {
        const char *sql = sqlite3_stmt_busy(s) ? sqlite3_sql(s) : NULL;
        if (sql != NULL && calls_function(sql))
            return true;
    }
    return false;
}
