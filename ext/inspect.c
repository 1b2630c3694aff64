/* SPDX-License-Identifier: Apache-2.0
 *
 * One virtual table module serves all the functions: xFilter asks the engine for
 * everything and keeps it as rows of cells.  The first column names the table, the last
 * one, hidden, is the argument. */
#include "inspect.h"

#include "find.h"
#include "health.h"

#include <string.h>

#define CELLS_MAX  12 /* of a row, after the table's name */
#define STORES_MAX 16 /* of one listing whose own events are told once */

struct cell {
    enum { CELL_NULL, CELL_INTEGER, CELL_REAL, CELL_TEXT } type;
    int64_t integer;
    double real;
    char *text;        /* owned; or ... */
    const char *fixed; /* ... static; NULL: text */
};

struct inspect_row {
    char *table; /* owned; NULL: of the whole store */
    int n;
    struct cell cells[CELLS_MAX];
};

struct inspect_cursor {
    sqlite3_vtab_cursor base;
    struct inspect_row *rows; /* owned */
    size_t n, capacity, at;
    const struct svt_table *table;    /* being listed; borrowed */
    const seerdb *stores[STORES_MAX]; /* whose events were told */
    size_t nstores;
    bool tell_store; /* of the table being listed */
    bool failed;     /* no memory */
};

struct inspect_module {
    const char *name, *declaration;
    int hidden;    /* the argument's column */
    bool tells;    /* a table out of reach has a row that says why */
    bool unopened; /* list opens the table itself: its result is one of SQLite's, with
                      the sentence in the table */
    int (*list)(struct inspect_cursor *c, struct svt_table *t, seerdb_err *err);
};

struct inspect_vtab {
    sqlite3_vtab base;
    struct svt_conn *conn; /* borrowed */
    const struct inspect_module *module;
};

/* ---- rows ------------------------------------------------------------------------ */

/* A new row for the table being listed, or NULL. */
static struct inspect_row *add_row(struct inspect_cursor *c, bool of_store)
{
    if (c->n == c->capacity) {
        size_t capacity = c->capacity * 2 + 32;
        struct inspect_row *rows = sqlite3_realloc64(c->rows, capacity * sizeof(*rows));
        if (rows == NULL) {
            c->failed = true;
            return NULL;
        }
        c->rows = rows;
        c->capacity = capacity;
    }
    struct inspect_row *row = &c->rows[c->n];
    *row = (struct inspect_row){
        .table = of_store ? NULL : sqlite3_mprintf("%s", c->table->who)};
    if (row->table == NULL && !of_store) {
        c->failed = true;
        return NULL;
    }
    c->n++;
    return row;
}

static void add_integer(struct inspect_row *row, uint64_t v)
{
    row->cells[row->n++] = (struct cell){
        .type = CELL_INTEGER, .integer = v > INT64_MAX ? INT64_MAX : (int64_t)v};
}

static void add_real(struct inspect_row *row, double v)
{
    row->cells[row->n++] = (struct cell){.type = CELL_REAL, .real = v};
}

static void add_text(struct inspect_cursor *c, struct inspect_row *row, const char *s)
{
    char *copy = sqlite3_mprintf("%s", s);
    c->failed = c->failed || copy == NULL;
    row->cells[row->n++] =
        (struct cell){.type = copy != NULL ? CELL_TEXT : CELL_NULL, .text = copy};
}

/* s is static. */
static void add_name(struct inspect_row *row, const char *s)
{
    row->cells[row->n++] = (struct cell){.type = CELL_TEXT, .fixed = s};
}

static void clear(struct inspect_cursor *c)
{
    for (size_t i = 0; i < c->n; i++) {
        sqlite3_free(c->rows[i].table);
        for (int k = 0; k < c->rows[i].n; k++)
            sqlite3_free(c->rows[i].cells[k].text);
    }
    c->n = c->at = c->nstores = 0;
    c->failed = false;
}

/* ---- what is listed -------------------------------------------------------------- */

static bool see_stat(void *ctx, const seerdb_stat *stat)
{
    struct inspect_row *row = add_row(ctx, false);
    if (row == NULL)
        return false;
    add_name(row, stat->name);
    add_real(row, stat->value);
    add_name(row, stat->unit);
    add_name(row, stat->meaning);
    return true;
}

static int list_stats(struct inspect_cursor *c, struct svt_table *t, seerdb_err *err)
{
    return seerdb_stats(t->ks->store->db, t->ks->tree, see_stat, c, err);
}

/* The row of a table out of reach, among statistics: takes its message over. */
static int tell_failure(struct inspect_cursor *c, struct svt_table *t)
{
    struct inspect_row *row = add_row(c, false);
    if (row == NULL)
        return SQLITE_NOMEM;
    add_name(row, "error");
    row->n++; /* NULL: no value */
    add_name(row, "");
    if (t->base.zErrMsg != NULL)
        row->cells[row->n++] =
            (struct cell){.type = CELL_TEXT, .text = t->base.zErrMsg};
    t->base.zErrMsg = NULL;
    return SQLITE_OK;
}

static bool see_level(void *ctx, const seerdb_level *l)
{
    struct inspect_row *row = add_row(ctx, false);
    if (row == NULL)
        return false;
    add_integer(row, l->level);
    add_integer(row, l->runs);
    add_integer(row, l->tables);
    add_integer(row, l->bytes);
    add_integer(row, l->records);
    add_integer(row, l->tombstones);
    if (l->target > 0)
        add_integer(row, l->target);
    else
        row->n++; /* NULL: no bound */
    add_real(row, l->score);
    add_integer(row, l->ranges);
    return true;
}

static int list_levels(struct inspect_cursor *c, struct svt_table *t, seerdb_err *err)
{
    return seerdb_levels(t->ks->tree, see_level, c, err);
}

static bool see_file(void *ctx, const seerdb_file *f)
{
    struct inspect_row *row = add_row(ctx, false);
    if (row == NULL)
        return false;
    const uint64_t values[] = {f->file,       f->level,       f->run,
                               f->bytes,      f->records,     f->tombstones,
                               f->key_bytes,  f->value_bytes, f->min_commit,
                               f->max_commit, f->ranges};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++)
        add_integer(row, values[i]);
    return true;
}

static int list_files(struct inspect_cursor *c, struct svt_table *t, seerdb_err *err)
{
    return seerdb_files(t->ks->tree, see_file, c, err);
}

static bool see_event(void *ctx, const seerdb_event *e)
{
    struct inspect_cursor *c = ctx;
    if (e->of_store && !c->tell_store)
        return true;
    struct inspect_row *row = add_row(c, e->of_store);
    if (row == NULL)
        return false;
    add_real(row, (double)e->time_us / 1e6);
    add_name(row, e->event);
    add_real(row, (double)e->duration_us / 1e3);
    add_integer(row, e->bytes_in);
    add_integer(row, e->bytes_out);
    add_text(c, row, e->detail);
    return !c->failed;
}

static int list_events(struct inspect_cursor *c, struct svt_table *t, seerdb_err *err)
{
    const seerdb *db = t->ks->store->db;
    c->tell_store = true;
    for (size_t i = 0; i < c->nstores; i++)
        c->tell_store = c->tell_store && c->stores[i] != db;
    if (c->tell_store && c->nstores < STORES_MAX)
        c->stores[c->nstores++] = db;
    return seerdb_events(t->ks->store->db, t->ks->tree, see_event, c, err);
}

static bool see_snapshot(void *ctx, const seerdb_snapshot *s)
{
    struct inspect_cursor *c = ctx;
    struct inspect_row *row = add_row(c, false);
    if (row == NULL)
        return false;
    add_text(c, row, s->name);
    add_integer(row, s->number);
    add_real(row, (double)s->time_us / 1e6);
    add_integer(row, s->pinned_records);
    add_integer(row, s->pinned_bytes);
    return !c->failed;
}

static int list_snapshots(struct inspect_cursor *c, struct svt_table *t,
                          seerdb_err *err)
{
    return seerdb_snapshots(t->ks->tree, see_snapshot, c, err);
}

/* The options in force, as far as the store has the say. */
static struct svt_options options_in_force(const struct svt_table *t,
                                           const struct svt_options *own)
{
    struct svt_options o = *own;
    if (t->ks != NULL) {
        o.memory_limit = t->ks->store->memory_limit;
        o.history_ms = t->ks->store->history_ms;
        o.sync = svt_handles_sync(t->ks->store);
    }
    return o;
}

/* Where an option's value comes from, sqlite3_malloc'ed: `own` is what the table says,
 * `now` what is in force. */
static int source_of(const struct svt_table *t, const struct svt_option_info *own,
                     const struct svt_option_info *now, char **out)
{
    const char *mine = own->set ? "set" : own->given ? "declared" : "default";
    char *by = NULL;
    bool of_store = own->of_store && own->setting != 0 && t->ks != NULL;
    int rc = of_store ? svt_handles_giver(t->ks->store, own->setting, &by) : SQLITE_OK;
    if (rc != SQLITE_OK)
        return rc;
    if (of_store && own->set && strcmp(own->value, now->value) != 0)
        *out = sqlite3_mprintf("set to %s: when the store is opened again", own->value);
    else if (!of_store || (by != NULL && strcmp(by, t->who) == 0))
        *out = sqlite3_mprintf("%s", mine);
    else
        *out = sqlite3_mprintf("%s", by != NULL ? by : "default");
    sqlite3_free(by);
    return *out != NULL ? SQLITE_OK : SQLITE_NOMEM;
}

static int add_option(struct inspect_cursor *c, const struct svt_table *t,
                      const struct svt_option_info *own,
                      const struct svt_option_info *now)
{
    char *source = NULL;
    struct inspect_row *row = add_row(c, false);
    int rc = row != NULL ? source_of(t, own, now, &source) : SQLITE_NOMEM;
    if (rc != SQLITE_OK)
        return rc;
    bool is_path = own->of_store && own->setting == 0;
    add_name(row, own->name);
    if (is_path && t->ks != NULL)
        add_text(c, row, t->ks->store->in_memory ? "in memory" : t->ks->store->dir);
    else
        add_text(c, row, now->value);
    add_name(row, own->standard);
    row->cells[row->n++] = (struct cell){.type = CELL_TEXT, .text = source};
    char *allowed =
        sqlite3_mprintf("%s%s", own->allowed, own->setting == 0 ? ", for ever" : "");
    c->failed = c->failed || allowed == NULL;
    row->cells[row->n++] =
        (struct cell){.type = allowed != NULL ? CELL_TEXT : CELL_NULL, .text = allowed};
    add_name(row, own->meaning);
    return c->failed ? SQLITE_NOMEM : SQLITE_OK;
}

/* A table whose store is out of reach still has what was declared and set. */
static int list_options(struct inspect_cursor *c, struct svt_table *t, seerdb_err *err)
{
    (void)err;
    int rc = svt_table_open(t);
    if (rc == SQLITE_INTERRUPT || rc == SQLITE_NOMEM)
        return rc;
    if (rc != SQLITE_OK) {
        sqlite3_free(t->base.zErrMsg);
        t->base.zErrMsg = NULL;
    }
    struct svt_place place = svt_table_place(t);
    struct svt_options options = t->declared;
    if ((rc = svt_settings_read(&place, &options, &t->base.zErrMsg)) != SQLITE_OK)
        return rc;
    struct svt_options force = options_in_force(t, &options);
    for (size_t i = 0, k = 0; rc == SQLITE_OK; k = i) {
        struct svt_option_info own = {.name = NULL}, now = {.name = NULL};
        rc = svt_settings_describe(&options, &i, &own);
        if (rc == SQLITE_OK)
            rc = svt_settings_describe(&force, &k, &now);
        if (rc == SQLITE_OK)
            rc = add_option(c, t, &own, &now);
        sqlite3_free(own.value);
        sqlite3_free(now.value);
    }
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int see_finding(void *ctx, const struct svt_finding *f)
{
    struct inspect_cursor *c = ctx;
    struct inspect_row *row = add_row(c, false);
    if (row == NULL)
        return SQLITE_NOMEM;
    add_name(row, f->check);
    add_name(row, f->state);
    add_text(c, row, f->detail);
    add_text(c, row, f->remedy);
    return c->failed ? SQLITE_NOMEM : SQLITE_OK;
}

static int list_health(struct inspect_cursor *c, struct svt_table *t, seerdb_err *err)
{
    (void)err;
    return svt_health(t, see_finding, c);
}

static const struct inspect_module modules[] = {
    {"seerdb_stats",
     "CREATE TABLE x(tbl TEXT, name TEXT, value REAL, unit TEXT, meaning TEXT, target "
     "TEXT HIDDEN)",
     5, true, false, list_stats},
    {"seerdb_levels",
     "CREATE TABLE x(tbl TEXT, level INT, runs INT, tables INT, bytes INT, records "
     "INT, "
     "tombstones INT, target_bytes INT, score REAL, ranges INT, target TEXT HIDDEN)",
     10, false, false, list_levels},
    {"seerdb_files",
     "CREATE TABLE x(tbl TEXT, file INT, level INT, run INT, bytes INT, records INT, "
     "tombstones INT, key_bytes INT, value_bytes INT, min_commit INT, max_commit INT, "
     "ranges INT, target TEXT HIDDEN)",
     12, false, false, list_files},
    {"seerdb_snapshots",
     "CREATE TABLE x(tbl TEXT, name TEXT, number INT, created REAL, pinned_records "
     "INT, "
     "pinned_bytes INT, target TEXT HIDDEN)",
     6, false, false, list_snapshots},
    {"seerdb_events",
     "CREATE TABLE x(tbl TEXT, time REAL, event TEXT, duration_ms REAL, bytes_in INT, "
     "bytes_out INT, detail TEXT, target TEXT HIDDEN)",
     7, false, false, list_events},
    {"seerdb_options",
     "CREATE TABLE x(tbl TEXT, option TEXT, value TEXT, default_value TEXT, source "
     "TEXT, allowed TEXT, meaning TEXT, target TEXT HIDDEN)",
     7, false, true, list_options},
    {"seerdb_health",
     "CREATE TABLE x(tbl TEXT, \"check\" TEXT, state TEXT, detail TEXT, remedy TEXT, "
     "target TEXT HIDDEN)",
     5, false, true, list_health},
};

/* ---- the module -------------------------------------------------------------------
 */

static int inspect_connect(sqlite3 *db, void *aux, int argc, const char *const *argv,
                           sqlite3_vtab **out, char **message)
{
    const struct inspect_module *module = modules;
    (void)message;
    while (argc > 0 && strcmp(module->name, argv[0]) != 0)
        module++; /* it was registered under one of these names */
    int rc = sqlite3_declare_vtab(db, module->declaration);
    if (rc != SQLITE_OK)
        return rc;
    struct inspect_vtab *v = sqlite3_malloc64(sizeof(*v));
    if (v == NULL)
        return SQLITE_NOMEM;
    *v = (struct inspect_vtab){.conn = aux, .module = module};
    *out = &v->base;
    return SQLITE_OK;
}

static int inspect_disconnect(sqlite3_vtab *base)
{
    sqlite3_free(base);
    return SQLITE_OK;
}

static int inspect_best_index(sqlite3_vtab *base, sqlite3_index_info *info)
{
    const struct inspect_vtab *v = (const struct inspect_vtab *)base;
    info->estimatedCost = 1000;
    info->estimatedRows = 100;
    for (int i = 0; i < info->nConstraint; i++) {
        if (info->aConstraint[i].iColumn != v->module->hidden ||
            info->aConstraint[i].op != SQLITE_INDEX_CONSTRAINT_EQ)
            continue;
        if (!info->aConstraint[i].usable)
            return SQLITE_CONSTRAINT;
        info->aConstraintUsage[i].argvIndex = 1;
        info->aConstraintUsage[i].omit = 1;
        info->idxNum = 1;
        info->estimatedCost = 10;
        break;
    }
    return SQLITE_OK;
}

static int inspect_open(sqlite3_vtab *base, sqlite3_vtab_cursor **out)
{
    (void)base;
    struct inspect_cursor *c = sqlite3_malloc64(sizeof(*c));
    if (c == NULL)
        return SQLITE_NOMEM;
    *c = (struct inspect_cursor){.n = 0};
    *out = &c->base;
    return SQLITE_OK;
}

static int inspect_close(sqlite3_vtab_cursor *cursor)
{
    struct inspect_cursor *c = (struct inspect_cursor *)cursor;
    clear(c);
    sqlite3_free(c->rows);
    sqlite3_free(c);
    return SQLITE_OK;
}

struct inspection {
    struct inspect_cursor *cursor;
    const struct inspect_module *module;
    bool skip; /* tables out of reach: they do not hide the others; seerdb_stats says
                  why */
};

static int list_table(void *ctx, struct svt_table *t)
{
    struct inspection *i = ctx;
    struct inspect_cursor *c = i->cursor;
    seerdb_err err = {0};
    c->table = t;
    int rc = i->module->unopened ? i->module->list(c, t, &err) : svt_table_open(t);
    if (rc == SQLITE_OK && !i->module->unopened)
        rc = svt_table_fail(t, i->module->list(c, t, &err), &err);
    if (c->failed || rc == SQLITE_NOMEM)
        return SQLITE_NOMEM;
    if (rc == SQLITE_INTERRUPT)
        return rc;
    if (rc != SQLITE_OK && i->module->tells)
        return tell_failure(c, t);
    return i->skip ? SQLITE_OK : rc;
}

static int inspect_filter(sqlite3_vtab_cursor *cursor, int idx_num, const char *idx_str,
                          int argc, sqlite3_value **argv)
{
    struct inspect_cursor *c = (struct inspect_cursor *)cursor;
    struct inspect_vtab *v = (struct inspect_vtab *)cursor->pVtab;
    struct inspection i = {.cursor = c, .module = v->module};
    struct svt_table *t = NULL;
    (void)idx_str;
    clear(c);
    if (idx_num == 0 || argc == 0) {
        i.skip = true;
        return svt_each_table(v->conn, list_table, &i);
    }
    const char *name = (const char *)sqlite3_value_text(argv[0]);
    if (name == NULL)
        return SQLITE_OK;
    int rc = svt_find_table(v->conn, name, &t, &v->base.zErrMsg);
    if (rc != SQLITE_OK)
        return rc;
    if ((rc = list_table(&i, t)) != SQLITE_OK && t->base.zErrMsg != NULL) {
        sqlite3_free(v->base.zErrMsg);
        v->base.zErrMsg = t->base.zErrMsg;
        t->base.zErrMsg = NULL;
    }
    return rc;
}

static int inspect_next(sqlite3_vtab_cursor *cursor)
{
    ((struct inspect_cursor *)cursor)->at++;
    return SQLITE_OK;
}

static int inspect_eof(sqlite3_vtab_cursor *cursor)
{
    const struct inspect_cursor *c = (const struct inspect_cursor *)cursor;
    return c->at >= c->n;
}

static int inspect_column(sqlite3_vtab_cursor *cursor, sqlite3_context *ctx, int i)
{
    const struct inspect_cursor *c = (const struct inspect_cursor *)cursor;
    const struct inspect_row *row = &c->rows[c->at];
    if (i == 0 && row->table != NULL)
        sqlite3_result_text(ctx, row->table, -1, SQLITE_TRANSIENT);
    if (i == 0 || i > row->n)
        return SQLITE_OK;
    const struct cell *cell = &row->cells[i - 1];
    if (cell->type == CELL_INTEGER)
        sqlite3_result_int64(ctx, cell->integer);
    else if (cell->type == CELL_REAL)
        sqlite3_result_double(ctx, cell->real);
    else if (cell->type == CELL_TEXT)
        sqlite3_result_text(ctx, cell->fixed != NULL ? cell->fixed : cell->text, -1,
                            cell->fixed != NULL ? SQLITE_STATIC : SQLITE_TRANSIENT);
    return SQLITE_OK;
}

static int inspect_rowid(sqlite3_vtab_cursor *cursor, sqlite3_int64 *rowid)
{
    *rowid = (sqlite3_int64)((struct inspect_cursor *)cursor)->at;
    return SQLITE_OK;
}

int svt_inspect_register(struct svt_conn *conn)
{
    static const sqlite3_module module = {
        .iVersion = 1,
        .xConnect = inspect_connect, /* without xCreate: only as a function */
        .xBestIndex = inspect_best_index,
        .xDisconnect = inspect_disconnect,
        .xDestroy = inspect_disconnect,
        .xOpen = inspect_open,
        .xClose = inspect_close,
        .xFilter = inspect_filter,
        .xNext = inspect_next,
        .xEof = inspect_eof,
        .xColumn = inspect_column,
        .xRowid = inspect_rowid,
    };
    int rc = SQLITE_OK;
    for (size_t i = 0; i < sizeof modules / sizeof modules[0] && rc == SQLITE_OK; i++)
        rc = sqlite3_create_module_v2(conn->db, modules[i].name, &module, conn, NULL);
    return rc;
}

void svt_inspect_unregister(sqlite3 *db)
{
    for (size_t i = 0; i < sizeof modules / sizeof modules[0]; i++)
        (void)sqlite3_create_module_v2(db, modules[i].name, NULL, NULL, NULL);
}
