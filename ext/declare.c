/* SPDX-License-Identifier: Apache-2.0
 *
 * The CREATE TABLE that SQLite is told: svt_args_declaration of args.h. */
#include "args.h"

#define MAX_COLUMNS 2000 /* SQLite's */

int svt_schema_snapshot(const struct svt_schema *s)
{
    int at = s->ncolumns + (s->shape == SVT_SHAPE_COMPOSITE);
    return at < MAX_COLUMNS ? at : -1;
}

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
    if (s->shape == SVT_SHAPE_COMPOSITE)
        sqlite3_str_appendall(sql, ", \"_key\" BLOB HIDDEN PRIMARY KEY NOT NULL");
    /* BLOB: values are compared with it as they are. */
    if (svt_schema_snapshot(s) >= 0)
        sqlite3_str_appendall(sql, ", \"_snapshot\" BLOB HIDDEN");
    if (s->shape == SVT_SHAPE_SINGLE)
        sqlite3_str_appendf(sql, ", PRIMARY KEY(\"%w\")) WITHOUT ROWID",
                            s->columns[s->key[0]].name);
    else
        sqlite3_str_appendall(sql, s->shape == SVT_SHAPE_COMPOSITE ? ") WITHOUT ROWID"
                                                                   : ")");
    return sqlite3_str_finish(sql);
}
