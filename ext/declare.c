/* SPDX-License-Identifier: Apache-2.0
 *
 * What becomes of a schema once it is parsed: the encoding of its texts, and the CREATE
 * TABLE that SQLite is told.  Declared in args.h. */
#include "args.h"

#define MAX_COLUMNS 2000 /* SQLite's */

/* Have a text of ours, sqlite3_malloc'ed and in UTF-8, be one of the database's. */
static int encode_text(sqlite3 *db, char **bytes, size_t *size)
{
    struct svt_bytes text = {.data = NULL};
    int rc = svt_encoding_convert(db, (seerdb_slice){*bytes, *size}, &text);
    if (rc != SQLITE_OK) {
        svt_bytes_fini(&text);
        return rc;
    }
    sqlite3_free(*bytes);
    *bytes = (char *)text.data;
    *size = text.size;
    return SQLITE_OK;
}

int svt_schema_encode(struct svt_schema *s, sqlite3 *db, enum svt_encoding encoding)
{
    int rc = SQLITE_OK;
    if (encoding == SVT_UTF8)
        return SQLITE_OK;
    s->encoding = encoding;
    s->read = svt_value_reader_of(encoding);
    for (int i = 0; i < s->nkey && s->parts != NULL; i++)
        s->parts[i].encoding = encoding;
    for (int i = 0; i < s->ncolumns && rc == SQLITE_OK; i++) {
        struct svt_column *c = &s->columns[i];
        if (c->fallback.type == SQLITE_TEXT) {
            rc = encode_text(db, &c->fallback_bytes, &c->fallback.bytes.size);
            c->fallback.bytes.data = c->fallback_bytes;
        }
        if (rc == SQLITE_OK && c->merge.kind == SVT_MERGE_APPEND && c->merge.size > 0)
            rc = encode_text(db, &c->merge.text, &c->merge.size);
    }
    return rc;
}

int svt_schema_op(const struct svt_schema *s)
{
    int at = s->ncolumns + (s->shape == SVT_SHAPE_COMPOSITE);
    return at < MAX_COLUMNS ? at : -1;
}

int svt_schema_snapshot(const struct svt_schema *s)
{
    int at = s->ncolumns + (s->shape == SVT_SHAPE_COMPOSITE) + (svt_schema_op(s) >= 0);
    return at < MAX_COLUMNS ? at : -1;
}

const char *svt_schema_merge_flaw(const struct svt_schema *s, const char **column)
{
    *column = NULL;
    if (s->options.insert == SVT_INSERT_MERGE && s->nmerge == 0)
        return "option insert = merge needs a column with MERGE";
    for (int i = 0; i < s->ncolumns && s->nmerge > 0; i++) {
        const struct svt_column *c = &s->columns[i];
        const char *unfit = svt_merge_unfit(&c->merge, c->affinity);
        if (c->merge.kind != SVT_MERGE_NONE && c->key_part >= 0)
            unfit = "a column of the key cannot have MERGE";
        if (unfit == NULL)
            continue;
        *column = c->name;
        return unfit;
    }
    if (s->nmerge > 0 && s->nkey == 0)
        return "MERGE needs a PRIMARY KEY, which says what is merged";
    return s->nmerge > 0 && svt_schema_op(s) < 0
               ? "with MERGE a table has at most 1999 columns, and 1998 with a key of "
                 "several"
               : NULL;
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
    if (svt_schema_op(s) >= 0)
        sqlite3_str_appendall(sql, ", \"_op\" HIDDEN");
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
