/* SPDX-License-Identifier: Apache-2.0
 *
 * The CREATE TABLE that SQLite is told: svt_args_declaration of args.h. */
#include "args.h"

/* An INTEGER PRIMARY KEY's collation counts nowhere in SQLite: of an ordinary table the
 * column is the rowid, which has none.  A virtual table's would in compound SELECTs. */
static void declare_column(sqlite3_str *sql, const struct svt_column *c, bool rowid)
{
    sqlite3_str_appendf(sql, "\"%w\"", c->name);
    if (c->type[0] != '\0')
        sqlite3_str_appendf(sql, " %s", c->type);
    if (c->collation == SVT_NOCASE && !rowid)
        sqlite3_str_appendall(sql, " COLLATE NOCASE");
    if (c->collation == SVT_RTRIM && !rowid)
        sqlite3_str_appendall(sql, " COLLATE RTRIM");
    if (c->not_null || rowid) /* else min() of it would walk all rows */
        sqlite3_str_appendall(sql, " NOT NULL");
}

char *svt_args_declaration(const struct svt_schema *s)
{
    sqlite3_str *sql = sqlite3_str_new(NULL);
    sqlite3_str_appendall(sql, "CREATE TABLE x(");
    for (int i = 0; i < s->ncolumns; i++) {
        if (i > 0)
            sqlite3_str_appendall(sql, ", ");
        bool rowid = s->shape == SVT_SHAPE_IPK && i == s->key[0];
        declare_column(sql, &s->columns[i], rowid);
        if (rowid)
            sqlite3_str_appendall(sql, " PRIMARY KEY");
    }
    if (s->shape == SVT_SHAPE_SINGLE)
        sqlite3_str_appendf(sql, ", PRIMARY KEY(\"%w\")) WITHOUT ROWID",
                            s->columns[s->key[0]].name);
    else if (s->shape == SVT_SHAPE_COMPOSITE)
        sqlite3_str_appendall(
            sql, ", \"_key\" BLOB HIDDEN PRIMARY KEY NOT NULL) WITHOUT ROWID");
    else
        sqlite3_str_appendall(sql, ")");
    return sqlite3_str_finish(sql);
}
