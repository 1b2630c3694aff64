/* SPDX-License-Identifier: Apache-2.0 */
#include "find.h"

#include <string.h>

/* In the order in which SQLite resolves a name: temp, main, the attached ones. */
static int each_schema(struct svt_conn *conn,
                       int (*each)(void *ctx, const char *schema), void *ctx)
{
    sqlite3_stmt *stmt = NULL;
    int rc = each(ctx, "temp");
    if (rc == SQLITE_OK)
        rc = svt_prepare(conn->db, &stmt, "PRAGMA database_list");
    while (rc == SQLITE_OK && sqlite3_step(stmt) == SQLITE_ROW) {
        const char *schema = (const char *)sqlite3_column_text(stmt, 1);
        if (schema != NULL && strcmp(schema, "temp") != 0)
            rc = each(ctx, schema);
    }
    return svt_finalize(stmt, rc);
}

struct name_search {
    struct svt_conn *conn;
    const char *name;
    bool qualified; /* the name begins with that of the schema: both may have dots */
    bool exists;    /* something of that name */
    struct svt_table *found;
};

static int find_in_schema(void *ctx, const char *schema)
{
    struct name_search *s = ctx;
    sqlite3_stmt *stmt = NULL;
    const char *name = s->name;
    size_t n = strlen(schema);
    if (s->qualified) {
        if (strlen(name) <= n || sqlite3_strnicmp(name, schema, (int)n) != 0 ||
            name[n] != '.')
            return SQLITE_OK;
        name += n + 1;
    }
    int rc =
        svt_prepare(s->conn->db, &stmt,
                    "SELECT name FROM \"%w\".sqlite_schema WHERE name = %Q COLLATE "
                    "NOCASE AND type IN ('table', 'view')",
                    schema, name);
    if (rc == SQLITE_OK && sqlite3_step(stmt) == SQLITE_ROW) {
        s->exists = true;
        s->found = svt_table_connect(s->conn, schema, name);
        rc = s->found == NULL ? svt_interrupt_was(s->conn->db) : SQLITE_OK;
        if (rc == SQLITE_OK) /* the first one is the one that SQLite would take */
            rc = SQLITE_DONE;
    }
    return svt_finalize(stmt, rc);
}

int svt_find_table(struct svt_conn *conn, const char *name, struct svt_table **out,
                   char **message)
{
    struct name_search s = {.conn = conn, .name = name};
    int rc = each_schema(conn, find_in_schema, &s);
    if (rc == SQLITE_OK) {
        s.qualified = true;
        rc = each_schema(conn, find_in_schema, &s);
    }
    *out = s.found;
    if (rc != SQLITE_OK && rc != SQLITE_DONE)
        return svt_fail(message, rc, "%s: %s", name, svt_why(conn->db, rc));
    if (s.found == NULL)
        return svt_fail(message, SQLITE_ERROR,
                        s.exists ? "%s is not a seerdb table" : "no such table: %s",
                        name);
    return SQLITE_OK;
}

struct table_walk {
    struct svt_conn *conn;
    int (*each)(void *ctx, struct svt_table *t);
    void *ctx;
};

static int walk_schema(void *ctx, const char *schema)
{
    struct table_walk *w = ctx;
    sqlite3_stmt *stmt = NULL;
    int rc = svt_prepare(
        w->conn->db, &stmt,
        "SELECT name, sql FROM \"%w\".sqlite_schema WHERE type = 'table'", schema);
    while (rc == SQLITE_OK && sqlite3_step(stmt) == SQLITE_ROW) {
        if (!svt_may_declare((const char *)sqlite3_column_text(stmt, 1)))
            continue;
        const char *name = (const char *)sqlite3_column_text(stmt, 0);
        struct svt_table *t =
            name != NULL ? svt_table_connect(w->conn, schema, name) : NULL;
        rc = t != NULL ? w->each(w->ctx, t) : svt_interrupt_was(w->conn->db);
    }
    return svt_finalize(stmt, rc);
}

int svt_each_table(struct svt_conn *conn, int (*each)(void *ctx, struct svt_table *t),
                   void *ctx)
{
    struct table_walk w = {.conn = conn, .each = each, .ctx = ctx};
    return each_schema(conn, walk_schema, &w);
}
