/* SPDX-License-Identifier: Apache-2.0 */
#include "funcs.h"

#include "direct.h"
#include "erase.h"
#include "marker.h"
#include "txn.h"

#include <string.h>

/* ---- finding tables -------------------------------------------------------- */

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
    const char *schema; /* NULL: any; n bytes */
    size_t n;
    const char *name;
    bool exists; /* something of that name */
    struct svt_table *found;
};

static int find_in_schema(void *ctx, const char *schema)
{
    struct name_search *s = ctx;
    sqlite3_stmt *stmt = NULL;
    if (s->schema != NULL &&
        (strlen(schema) != s->n || sqlite3_strnicmp(schema, s->schema, (int)s->n) != 0))
        return SQLITE_OK;
    int rc =
        svt_prepare(s->conn->db, &stmt,
                    "SELECT name FROM \"%w\".sqlite_schema WHERE name = %Q COLLATE "
                    "NOCASE AND type IN ('table', 'view')",
                    schema, s->name);
    if (rc == SQLITE_OK && sqlite3_step(stmt) == SQLITE_ROW) {
        s->exists = true;
        s->found = svt_table_connect(s->conn, schema, s->name);
        rc = s->found == NULL ? svt_interrupt_was(s->conn->db) : SQLITE_OK;
        if (rc == SQLITE_OK) /* the first one is the one that SQLite would take */
            rc = SQLITE_DONE;
    }
    return svt_finalize(stmt, rc);
}

int svt_funcs_find_table(struct svt_conn *conn, const char *name,
                         struct svt_table **out, char **message)
{
    struct name_search s = {.conn = conn, .name = name};
    int rc = each_schema(conn, find_in_schema, &s);
    const char *dot = strchr(name, '.');
    if (rc == SQLITE_OK && dot != NULL) {
        s.schema = name;
        s.n = (size_t)(dot - name);
        s.name = dot + 1;
        rc = each_schema(conn, find_in_schema, &s);
    }
    *out = s.found;
    if (rc != SQLITE_OK && rc != SQLITE_DONE) /* statements ended since */
        return svt_fail(message, rc, "%s: %s", name,
                        sqlite3_errcode(conn->db) != SQLITE_OK
                            ? sqlite3_errmsg(conn->db)
                            : sqlite3_errstr(rc));
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
    int rc =
        svt_prepare(w->conn->db, &stmt,
                    "SELECT name FROM \"%w\".sqlite_schema WHERE type = 'table' AND "
                    "sql LIKE 'create virtual table%%seerdb%%'",
                    schema);
    while (rc == SQLITE_OK && sqlite3_step(stmt) == SQLITE_ROW) {
        const char *name = (const char *)sqlite3_column_text(stmt, 0);
        struct svt_table *t =
            name != NULL ? svt_table_connect(w->conn, schema, name) : NULL;
        rc = t != NULL ? w->each(w->ctx, t) : svt_interrupt_was(w->conn->db);
    }
    return svt_finalize(stmt, rc);
}

int svt_funcs_each_table(struct svt_conn *conn,
                         int (*each)(void *ctx, struct svt_table *t), void *ctx)
{
    struct table_walk w = {.conn = conn, .each = each, .ctx = ctx};
    return each_schema(conn, walk_schema, &w);
}

/* ---- commands -------------------------------------------------------------- */

/* Does the command and makes the sentence that says what was done.  argv: the values
 * after the command.  A failure of SQLite's kind (positive) has its sentence in
 * t->base.zErrMsg. */
typedef int command(struct svt_table *t, sqlite3_value **argv, char **sentence,
                    seerdb_err *err);

static int flush(struct svt_table *t, sqlite3_value **argv, char **sentence,
                 seerdb_err *err)
{
    (void)argv;
    int rc = seerdb_flush(t->ks->store->db, t->ks->tree, err);
    uint64_t below = svt_txn_decided_below(t);
    int settled = rc == SEERDB_BUSY ? svt_marker_settle(t, below) : SQLITE_BUSY;
    if (settled == SQLITE_INTERRUPT)
        return settled;
    if (settled == SQLITE_OK) {
        *err = (seerdb_err){0};
        rc = seerdb_flush(t->ks->store->db, t->ks->tree, err);
    }
    if (rc == SEERDB_OK)
        *sentence = sqlite3_mprintf("flushed %s: all its committed rows are in sorted "
                                    "tables",
                                    t->who);
    return rc;
}

static int verify(struct svt_table *t, sqlite3_value **argv, char **sentence,
                  seerdb_err *err)
{
    (void)argv;
    seerdb_verify_report r = {0};
    int rc = seerdb_verify(t->ks->store->db, t->ks->tree, &r, err);
    if (rc == SEERDB_OK)
        *sentence = sqlite3_mprintf(
            "verified %s: %llu tables, %llu blocks, %llu records, "
            "%llu bytes, no damage",
            t->who, (unsigned long long)r.tables, (unsigned long long)r.blocks,
            (unsigned long long)r.records, (unsigned long long)r.bytes);
    return rc;
}

static int compact(struct svt_table *t, sqlite3_value **argv, char **sentence,
                   seerdb_err *err)
{
    int rc = flush(t, argv, sentence, err); /* it may have to settle the marker first */
    sqlite3_free(*sentence);
    *sentence = NULL;
    if (rc == SEERDB_OK)
        rc = seerdb_compact(t->ks->store->db, t->ks->tree, err);
    if (rc == SEERDB_OK)
        *sentence =
            sqlite3_mprintf("compacted %s: its rows are in one sorted run", t->who);
    return rc;
}

static int pause_compaction(struct svt_table *t, sqlite3_value **argv, char **sentence,
                            seerdb_err *err)
{
    (void)argv;
    int rc = seerdb_pause(t->ks->store->db, err);
    if (rc == SEERDB_OK)
        *sentence =
            sqlite3_mprintf("paused compaction of all tables in %s", t->ks->store->dir);
    return rc;
}

static int continue_compaction(struct svt_table *t, sqlite3_value **argv,
                               char **sentence, seerdb_err *err)
{
    (void)argv;
    int rc = seerdb_continue(t->ks->store->db, err);
    if (rc == SEERDB_OK)
        *sentence = sqlite3_mprintf("compaction of the tables in %s goes on",
                                    t->ks->store->dir);
    return rc;
}

static int spill(struct svt_table *t, sqlite3_value **argv, char **sentence,
                 seerdb_err *err)
{
    (void)argv;
    int rc = svt_txn_spill(t, err);
    if (rc == SEERDB_OK)
        *sentence = sqlite3_mprintf("spilled %s: what this transaction has written so "
                                    "far is on disk",
                                    t->who);
    return rc;
}

static int accept(struct svt_table *t, sqlite3_value **argv, char **sentence,
                  seerdb_err *err)
{
    (void)argv;
    uint64_t number = 0;
    (void)err;
    int rc = svt_marker_accept(t, &number);
    if (rc == SQLITE_OK)
        *sentence =
            sqlite3_mprintf("accepted %s: the database and the store in %s agree "
                            "from here on, at commit %llu",
                            t->who, t->ks->store->dir, (unsigned long long)number);
    return rc;
}

/* The text itself is left as it is: it may not survive UTF-8 and back. */
static char *say_text(const char *before, const char *column, const char *order,
                      sqlite3_value *v)
{
    sqlite3_value *copy = sqlite3_value_dup(v);
    const unsigned char *text = sqlite3_value_text(copy);
    char *said = text != NULL
                     ? sqlite3_mprintf("%s%s %s %!.40Q", before, column, order, text)
                     : NULL;
    sqlite3_value_free(copy);
    return said;
}

/* A bound in words: " and k < 'abc'", or nothing.  NULL: no memory. */
static char *say_bound(const char *before, const char *column, const char *order,
                       sqlite3_value *v)
{
    switch (sqlite3_value_type(v)) {
    case SQLITE_NULL:
        return sqlite3_mprintf("");
    case SQLITE_INTEGER:
        return sqlite3_mprintf("%s%s %s %lld", before, column, order,
                               sqlite3_value_int64(v));
    case SQLITE_FLOAT:
        return sqlite3_mprintf("%s%s %s %!.15g", before, column, order,
                               sqlite3_value_double(v));
    case SQLITE_TEXT:
        return say_text(before, column, order, v);
    default:
        return sqlite3_mprintf("%s%s %s a blob of %d bytes", before, column, order,
                               sqlite3_value_bytes(v));
    }
}

static int delete_range(struct svt_table *t, sqlite3_value **argv, char **sentence,
                        seerdb_err *err)
{
    const struct svt_schema *s = &t->schema;
    const char *column = s->nkey > 0 ? s->columns[s->key[0]].name : "rowid";
    bool has_lower = sqlite3_value_type(argv[0]) != SQLITE_NULL;
    (void)err;
    char *lower = say_bound(" with ", column, ">=", argv[0]);
    char *upper = say_bound(has_lower ? " and " : " with ", column, "<", argv[1]);
    int rc = lower == NULL || upper == NULL ? SQLITE_NOMEM
                                            : svt_erase_range(t, argv[0], argv[1]);
    if (rc == SQLITE_OK)
        *sentence =
            sqlite3_mprintf("deleted from %s every row%s%s", t->who, lower, upper);
    sqlite3_free(lower);
    sqlite3_free(upper);
    return rc;
}

static int truncate_table(struct svt_table *t, sqlite3_value **argv, char **sentence,
                          seerdb_err *err)
{
    (void)argv;
    (void)err;
    int rc = svt_erase_range(t, NULL, NULL);
    if (rc == SQLITE_OK)
        *sentence = sqlite3_mprintf("truncated %s: every row is deleted", t->who);
    return rc;
}

static const struct {
    const char *name;
    command *run;
    int nargs; /* values after the command */
} commands[] = {{"flush", flush, 0},
                {"compact", compact, 0},
                {"pause", pause_compaction, 0},
                {"continue", continue_compaction, 0},
                {"verify", verify, 0},
                {"spill", spill, 0},
                {"delete_range", delete_range, 2},
                {"truncate", truncate_table, 0},
                {"accept", accept, 0}};

#define COMMAND_LIST                                                                   \
    "flush, compact, pause, continue, verify, spill, delete_range, truncate, accept"

static void answer(sqlite3_context *ctx, int rc, char *text)
{
    if (rc == SQLITE_OK && text != NULL) {
        sqlite3_result_text(ctx, text, -1, sqlite3_free);
        return;
    }
    if (rc == SQLITE_OK || rc == SQLITE_NOMEM) {
        sqlite3_result_error_nomem(ctx);
    } else {
        sqlite3_result_error(ctx, text != NULL ? text : sqlite3_errstr(rc), -1);
        sqlite3_result_error_code(ctx, rc);
    }
    sqlite3_free(text);
}

static int give_both(char **text)
{
    return svt_fail(text, SQLITE_ERROR,
                    "seerdb: give a table and a command, as in seerdb('t', 'flush'): "
                    "the commands are " COMMAND_LIST);
}

static int indirect(char **text)
{
    return svt_fail(text, SQLITE_ERROR,
                    "unsafe use of seerdb(): only a statement itself may call it, not "
                    "a view, a trigger or a constraint that it uses");
}

static int run_on(struct svt_table *t, command *run, sqlite3_value **argv, char **text)
{
    seerdb_err err = {0};
    struct svt_interrupt_span span;
    int rc = svt_interrupt_begin(&t->conn->interrupt, &span);
    if (rc != SQLITE_OK)
        return rc;
    rc = run == accept ? svt_table_take_over(t) : svt_table_open(t);
    if (rc == SQLITE_OK && run != verify)
        rc = svt_table_want_writing(t);
    if (rc == SQLITE_OK)
        rc = run(t, argv, text, &err);
    svt_interrupt_end(&span);
    if (rc > 0) {
        *text = t->base.zErrMsg;
        t->base.zErrMsg = NULL;
        return rc;
    }
    return svt_errmap_message(text, t->who, rc, &err);
}

static int run_command(struct svt_conn *conn, int argc, sqlite3_value **argv,
                       char **text)
{
    const char *name = (const char *)sqlite3_value_text(argv[0]);
    const char *what = (const char *)sqlite3_value_text(argv[1]);
    struct svt_table *t = NULL;
    size_t i = 0;
    if (name == NULL || what == NULL)
        return give_both(text);
    while (i < sizeof(commands) / sizeof(commands[0]) &&
           sqlite3_stricmp(commands[i].name, what) != 0)
        i++;
    if (i == sizeof(commands) / sizeof(commands[0]))
        return svt_fail(text, SQLITE_ERROR,
                        "seerdb: unknown command '%s': the commands are " COMMAND_LIST,
                        what);
    if (argc - 2 != commands[i].nargs)
        return svt_fail(text, SQLITE_ERROR,
                        commands[i].nargs == 0
                            ? "seerdb: the command '%s' takes no values"
                            : "seerdb: give '%s' a lower and an upper bound; NULL is "
                              "none",
                        commands[i].name);
    int rc = svt_funcs_find_table(conn, name, &t, text);
    if (rc != SQLITE_OK)
        return rc;
    sqlite3_stmt *keeper = NULL;
    if ((rc = svt_table_keep(t, &keeper)) != SQLITE_OK)
        return svt_fail(text, rc, "%s", sqlite3_errmsg(conn->db));
    rc = run_on(t, commands[i].run, argv + 2, text);
    sqlite3_finalize(keeper);
    return rc;
}

static void seerdb_function(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    char *text = NULL;
    int rc = !svt_direct_call(sqlite3_context_db_handle(ctx)) ? indirect(&text)
             : argc < 2                                       ? give_both(&text)
                        : run_command(sqlite3_user_data(ctx), argc, argv, &text);
    answer(ctx, rc, text);
}

static void version_function(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    (void)argc;
    (void)argv;
    sqlite3_result_text(ctx, SEERDB_VERSION, -1, SQLITE_STATIC);
}

static void debug_function(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    (void)argc;
    (void)argv;
    answer(ctx, SQLITE_OK,
           sqlite3_mprintf("%s, SQLite %s (built for %s), %s", seerdb_build_info(),
                           sqlite3_libversion(), SQLITE_VERSION,
                           sqlite3_threadsafe() ? "threadsafe" : "single-threaded"));
}

/* ---- registration ---------------------------------------------------------- */

int svt_funcs_register(struct svt_conn *conn)
{
    static const int safe = SQLITE_UTF8 | SQLITE_INNOCUOUS;
    sqlite3 *db = conn->db;
    int rc =
        sqlite3_create_function_v2(db, "seerdb", -1, SQLITE_UTF8 | SQLITE_DIRECTONLY,
                                   conn, seerdb_function, NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_create_function_v2(db, "seerdb_version", 0, safe, NULL,
                                        version_function, NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_create_function_v2(db, "seerdb_debug", 0, safe, NULL,
                                        debug_function, NULL, NULL, NULL);
    return rc;
}
