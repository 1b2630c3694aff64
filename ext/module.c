/* SPDX-License-Identifier: Apache-2.0 */
#define SVT_DEFINES_API
#include "module.h"

SQLITE_EXTENSION_INIT1

#include "cursor.h"
#include "funcs.h"
#include "inspect.h"
#include "integrity.h"
#include "newrow.h"
#include "plain.h"
#include "plan.h"
#include "ranges.h"
#include "txn.h"
#include "update.h"

#include <string.h>

/* Rows of a table that cannot be asked: its store is out of reach. */
#define UNKNOWN_ROWS  1000000
#define OLDEST_SQLITE 3038000
/* From here on GROUP BY is told apart from GROUP BY with ORDER BY (plan.c). */
#define SQLITE_TELLS_GROUPS 3054000
#define TOO_OLD             "seerdb needs SQLite 3.38.0 or newer; this is %s"

/* ---- tables ---------------------------------------------------------------- */

static void table_free(struct svt_table *t)
{
    if (t == NULL)
        return;
    svt_txn_leave(t);
    svt_cursor_free_spares(t);
    svt_newrow_free(t->write);
    svt_table_free(t);
}

static void sweep(struct svt_conn *conn)
{
    svt_conn_sweep(conn);
    svt_txn_sweep(conn);
}

static int table_connect(sqlite3 *db, void *aux, int argc, const char *const *argv,
                         sqlite3_vtab **out, char **message)
{
    struct svt_table *t = NULL;
    (void)db;
    sweep(aux);
    int rc = svt_table_new(aux, argc, argv, &t, message);
    if (rc == SQLITE_OK)
        *out = &t->base;
    return rc;
}

static int table_create(sqlite3 *db, void *aux, int argc, const char *const *argv,
                        sqlite3_vtab **out, char **message)
{
    struct svt_table *t = NULL;
    sweep(aux);
    int rc = svt_table_new(aux, argc, argv, &t, message);
    if (rc != SQLITE_OK)
        return rc;
    rc = svt_table_create(t);
    if (rc == SQLITE_OK && (rc = svt_txn_created(t)) != SQLITE_OK) {
        /* The tree is there: let a later transaction collect it. */
        if (seerdb_tree_intend_drop(t->ks->tree, NULL) == SEERDB_OK)
            svt_handles_note_intent(t->ks->store);
    }
    if (rc != SQLITE_OK && rc != SQLITE_NOMEM && t->base.zErrMsg == NULL)
        svt_fail(&t->base.zErrMsg, rc, "%s: %s", t->who,
                 sqlite3_errcode(db) != SQLITE_OK ? sqlite3_errmsg(db)
                                                  : sqlite3_errstr(rc));
    if (rc != SQLITE_OK) {
        sqlite3_free(*message);
        *message = t->base.zErrMsg;
        t->base.zErrMsg = NULL;
        table_free(t);
        return rc;
    }
    *out = &t->base;
    return SQLITE_OK;
}

static int table_disconnect(sqlite3_vtab *base)
{
    table_free((struct svt_table *)base);
    return SQLITE_OK;
}

/* DROP works whatever happened to the store; a tree that is out of reach stays behind.
 * SQLite prints its own text for what fails here; the reason goes to its log. */
static int table_destroy(sqlite3_vtab *base)
{
    struct svt_table *t = (struct svt_table *)base;
    seerdb_err err = {0};
    /* First: an object that a rename or a ROLLBACK TO made anew knows what the
     * transaction wrote only once it is open. */
    int rc = svt_table_open(t);
    bool open = rc == SQLITE_OK;
    if (rc == SQLITE_INTERRUPT) /* not out of reach */
        return rc;
    if (svt_txn_wrote(t)) {
        sqlite3_log(SQLITE_LOCKED,
                    "seerdb: DROP TABLE %s: this transaction has written to it: commit "
                    "first",
                    t->who);
        return svt_fail(&t->base.zErrMsg, SQLITE_LOCKED,
                        "%s: this transaction has written to the table: commit first",
                        t->who);
    }
    /* Before anything is dropped: another process that reads the store is gone soon,
     * the tree would stay for ever. */
    rc = open ? svt_handles_write(t->ks->store, &err) : SEERDB_OK;
    if (rc == SEERDB_BUSY || rc == SEERDB_INTERRUPTED) {
        sqlite3_log(SQLITE_BUSY, "seerdb: DROP TABLE %s: %s", t->who, err.msg);
        return svt_table_fail(t, rc, &err);
    }
    /* The tree first: its name is in the shadow table. */
    rc = svt_exec(t->conn->db, &t->base.zErrMsg, "DROP TABLE IF EXISTS \"%w\".\"%w\"",
                  t->schema_name, t->shadow);
    if (rc != SQLITE_OK)
        return rc;
    if (open) {
        rc = seerdb_tree_intend_drop(t->ks->tree, &err);
        if (rc == SEERDB_OK)
            svt_handles_note_intent(t->ks->store);
        else
            sqlite3_log(SQLITE_WARNING,
                        "seerdb: DROP TABLE %s: its rows stay in %s: %s", t->who,
                        t->ks->store->dir, err.msg);
    }
    table_free(t);
    return SQLITE_OK;
}

static int table_rename(sqlite3_vtab *base, const char *name)
{
    struct svt_table *t = (struct svt_table *)base;
    if (t->ks != NULL)
        t->ks->moved = true;
    return svt_exec(t->conn->db, &t->base.zErrMsg,
                    "ALTER TABLE \"%w\".\"%w\" RENAME TO \"%w_seerdb\"", t->schema_name,
                    t->shadow, name);
}

static int is_shadow_name(const char *name)
{
    return sqlite3_stricmp(name, "seerdb") == 0;
}

/* ---- planning -------------------------------------------------------------- */

static void read_collation(const struct svt_schema *s, sqlite3_index_info *info, int i,
                           struct svt_plan_constraint *out)
{
    static const char *const names[] = {"BINARY", "NOCASE", "RTRIM"};
    out->collation_matches = out->collation_builtin = true;
    if (out->column < 0 || out->column >= s->ncolumns)
        return;
    const char *used = sqlite3_vtab_collation(info, i);
    const struct svt_column *c = &s->columns[out->column];
    enum svt_collation own = c->collation;
    if (c->key_part >= 0 && s->parts != NULL)
        own = s->parts[c->key_part].collation;
    out->collation_matches = used != NULL && sqlite3_stricmp(used, names[own]) == 0;
    out->collation_builtin = false;
    for (int j = 0; used != NULL && j < 3; j++)
        if (sqlite3_stricmp(used, names[j]) == 0)
            out->collation_builtin = true;
}

static bool beyond_ascii(const struct svt_schema *s, sqlite3_value *value)
{
    struct svt_value v;
    if (sqlite3_value_type(value) != SQLITE_TEXT)
        return false;
    if (s->read(value, SVT_AFFINITY_BLOB, &v) != SQLITE_OK)
        return true; /* the plan is worse, but right */
    for (size_t i = 0; i + 1 < v.bytes.size; i += 2) {
        seerdb_slice rest = {(const uint8_t *)v.bytes.data + i, v.bytes.size - i};
        if (svt_encoding_first(rest, s->encoding) >= 0x80)
            return true;
    }
    return false;
}

static void read_constraint(const struct svt_schema *s, sqlite3_index_info *info, int i,
                            struct svt_plan_constraint *out)
{
    sqlite3_value *value = NULL;
    *out = (struct svt_plan_constraint){.column = info->aConstraint[i].iColumn,
                                        .op = info->aConstraint[i].op,
                                        .usable = info->aConstraint[i].usable};
    if (out->op == SQLITE_INDEX_CONSTRAINT_LIMIT ||
        out->op == SQLITE_INDEX_CONSTRAINT_OFFSET)
        out->usable = false; /* they have no column */
    if (!out->usable)
        return;
    read_collation(s, info, i, out);
    out->in = sqlite3_vtab_in(info, i, -1) != 0;
    if (sqlite3_vtab_rhs_value(info, i, &value) == SQLITE_OK && value != NULL) {
        out->literal = true;
        out->literal_type = sqlite3_value_type(value);
        out->beyond_ascii = s->encoding != SVT_UTF8 && beyond_ascii(s, value);
    }
}

static unsigned char fold(unsigned char c)
{
    return c >= 'A' && c <= 'Z' ? (unsigned char)(c + 32) : c;
}

/* Whether upper is lower, but for the case of ASCII, with another last character: the
 * next one, as far as that can be told. */
static bool are_likes(sqlite3_value *lower, sqlite3_value *upper)
{
    const unsigned char *a = sqlite3_value_text(lower), *b = sqlite3_value_text(upper);
    size_t n = 0;
    if (a == NULL || b == NULL)
        return true; /* the plan is worse, but right */
    while (a[n] != 0 && fold(a[n]) == fold(b[n]))
        n++;
    if (a[n] < 0x80 && b[n] < 0x80)
        return a[n] != 0 && a[n + 1] == 0 && b[n + 1] == 0 &&
               fold(a[n]) + 1 == fold(b[n]);
    size_t left = strlen((const char *)a + n);
    return left <= 4; /* bytes of a character at most */
}

/* LIKE with ESCAPE is not shown, only the bounds that it gives. */
static void find_likes(sqlite3_index_info *info, struct svt_plan_constraint *all)
{
    for (int i = 0; i < info->nConstraint; i++) {
        sqlite3_value *lower = NULL, *upper = NULL;
        if (all[i].op != SQLITE_INDEX_CONSTRAINT_GE || !all[i].usable ||
            all[i].literal_type != SQLITE_TEXT)
            continue;
        for (int j = 0; j < info->nConstraint; j++)
            if (all[j].op == SQLITE_INDEX_CONSTRAINT_LT && all[j].usable &&
                all[j].literal_type == SQLITE_TEXT && all[j].column == all[i].column &&
                sqlite3_vtab_rhs_value(info, i, &lower) == SQLITE_OK &&
                sqlite3_vtab_rhs_value(info, j, &upper) == SQLITE_OK &&
                are_likes(lower, upper))
                all[i].like_made = all[j].like_made = true;
    }
}

static void apply_plan(const struct svt_plan *plan, sqlite3_index_info *info)
{
    for (int i = 0; i < info->nConstraint; i++) {
        info->aConstraintUsage[i].argvIndex = plan->argv_index[i];
        info->aConstraintUsage[i].omit = plan->omit[i];
    }
    if (plan->in_constraint >= 0)
        sqlite3_vtab_in(info, plan->in_constraint, 1);
    info->idxNum = plan->idx_num;
    info->orderByConsumed = plan->order_consumed;
    info->estimatedCost = plan->cost;
    info->estimatedRows = plan->rows;
    info->idxFlags = plan->unique ? SQLITE_INDEX_SCAN_UNIQUE : 0;
}

/* SQLite sets all bits for an UPDATE (plan.c says what it is good for), of a SELECT
 * those of columns that there are. */
static bool is_update(const struct svt_table *t, const sqlite3_index_info *info)
{
    const struct svt_schema *s = &t->schema;
    int op = svt_schema_op(s);
    int last = s->snapshot >= 0 ? s->snapshot : op >= 0 ? op : s->ncolumns;
    int ncolumns = last + 1; /* with hidden ones */
    return ncolumns < 64 && info->colUsed >> 63 != 0;
}

/* A statement gets its text when it is done.  While a trigger is prepared there are two
 * that have none: the statement that fires it waits. */
static bool is_outermost(sqlite3 *db)
{
    int n = 0;
    for (sqlite3_stmt *s = sqlite3_next_stmt(db, NULL); s != NULL && n < 2;
         s = sqlite3_next_stmt(db, s))
        n += sqlite3_sql(s) == NULL;
    return n == 1;
}

/* An estimate.  A store that is out of reach does not fail the prepare; but who
 * interrupts its opening shall not see it begin again when the statement runs. */
static int count_rows(struct svt_table *t, uint64_t *rows)
{
    *rows = UNKNOWN_ROWS;
    if (t->conn->connecting && t->ks == NULL)
        return SQLITE_OK;
    int rc = svt_table_open(t);
    if (rc == SQLITE_OK)
        *rows = seerdb_tree_count_estimate(t->ks->tree);
    if (rc == SQLITE_OK || rc == SQLITE_INTERRUPT)
        return rc;
    sqlite3_free(t->base.zErrMsg);
    t->base.zErrMsg = NULL;
    return SQLITE_OK;
}

/* Where the statement names all values, look up how many rows they select. */
static int refine(struct svt_table *t, const struct svt_plan_request *r,
                  sqlite3_index_info *info, struct svt_plan *plan)
{
    struct svt_ranges rs = {.schema = &t->schema};
    sqlite3_value *argv[SVT_PLAN_LITERAL_MAX] = {NULL};
    int argc = 0, rc = SQLITE_OK;
    uint64_t rows = 0;
    if (t->ks == NULL || plan->unique || svt_plan_is_scan(plan->idx_num))
        return SQLITE_OK;
    for (int i = 0; i < r->nconstraints; i++) {
        int at = plan->argv_index[i] - 1;
        if (at < 0 || i + 1 == r->as_of)
            continue;
        if (at >= SVT_PLAN_LITERAL_MAX || !r->constraints[i].literal ||
            r->constraints[i].in ||
            sqlite3_vtab_rhs_value(info, i, &argv[at]) != SQLITE_OK)
            return SQLITE_OK;
        argc++;
    }
    if (argc == 0)
        return SQLITE_OK;
    rc = svt_ranges_make(&rs, plan->idx_num & ~SVT_PLAN_AS_OF, argc, argv);
    for (int i = 0; i < rs.n && rc == SQLITE_OK; i++) {
        const struct svt_range *range = &rs.list[i];
        seerdb_slice hi = svt_bytes_slice(&range->hi);
        if (!range->bounded)
            hi.data = NULL;
        rows += range->point ? 1
                             : seerdb_tree_count_between(
                                   t->ks->tree, svt_bytes_slice(&range->lo), hi);
    }
    if (rc == SQLITE_OK)
        svt_plan_refine(plan, r, rows, rs.n > 0 ? rs.n : 1);
    svt_ranges_fini(&rs);
    return rc;
}

/* The constraint that says as of when to read, its number and one, goes to *as_of; 0:
 * there is none.  Values that are not known yet make no plan.  What else one may ask of
 * the column SQLite finds out from its value; comparisons would find nothing. */
static int find_as_of(struct svt_table *t, const sqlite3_index_info *info, int *as_of)
{
    bool unusable = false;
    *as_of = 0;
    for (int i = 0; i < info->nConstraint && t->schema.snapshot >= 0; i++) {
        int op = info->aConstraint[i].op;
        if (op == SQLITE_INDEX_CONSTRAINT_LIMIT ||
            op == SQLITE_INDEX_CONSTRAINT_OFFSET ||
            info->aConstraint[i].iColumn != t->schema.snapshot ||
            op == SQLITE_INDEX_CONSTRAINT_ISNULL ||
            op == SQLITE_INDEX_CONSTRAINT_ISNOTNULL)
            continue;
        if (op != SQLITE_INDEX_CONSTRAINT_EQ)
            return svt_fail(&t->base.zErrMsg, SQLITE_ERROR,
                            "%s: _snapshot says as of when to read: compare it by = or "
                            "IN with names of snapshots or commit numbers",
                            t->who);
        unusable = unusable || !info->aConstraint[i].usable;
        if (*as_of == 0 && info->aConstraint[i].usable)
            *as_of = i + 1;
    }
    return unusable && *as_of == 0 ? SQLITE_CONSTRAINT : SQLITE_OK;
}

static int best_index(sqlite3_vtab *base, sqlite3_index_info *info)
{
    struct svt_table *t = (struct svt_table *)base;
    struct svt_plan plan = {.idx_num = 0};
    size_t nc = (size_t)info->nConstraint, no = (size_t)info->nOrderBy;
    struct svt_plan_constraint *constraints =
        sqlite3_malloc64((nc + 1) * sizeof(*constraints));
    struct svt_plan_order *order = sqlite3_malloc64((no + 1) * sizeof(*order));
    int rc = SQLITE_NOMEM, as_of = 0;
    if (constraints == NULL || order == NULL)
        goto out;
    if ((rc = find_as_of(t, info, &as_of)) != SQLITE_OK)
        goto out;
    for (int i = 0; i < info->nConstraint; i++)
        read_constraint(&t->schema, info, i, &constraints[i]);
    find_likes(info, constraints);
    for (int i = 0; i < info->nOrderBy; i++)
        order[i] = (struct svt_plan_order){.column = info->aOrderBy[i].iColumn,
                                           .desc = info->aOrderBy[i].desc};
    uint64_t rows;
    if ((rc = count_rows(t, &rows)) != SQLITE_OK)
        goto out;
    struct svt_plan_request request = {
        .schema = &t->schema,
        .constraints = constraints,
        .nconstraints = info->nConstraint,
        .order = order,
        .norder = info->nOrderBy,
        .rows = rows,
        .plain = nc > 0 && as_of == 0 && svt_plain_hint(t, rows),
        .as_of = as_of,
        .in_at_once = true,
        .grouped = sqlite3_libversion_number() >= SQLITE_TELLS_GROUPS &&
                   sqlite3_vtab_distinct(info) == 1,
        .like_skips_blobs = t->conn->like_skips_blobs,
        .begins_anew = !t->wide && is_update(t, info) && is_outermost(t->conn->db)};
    if ((rc = svt_plan_choose(&request, &plan)) != SQLITE_OK)
        goto out;
    if ((rc = refine(t, &request, info, &plan)) != SQLITE_OK)
        goto out;
    apply_plan(&plan, info);
    info->idxStr = plan.idx_str;
    info->needToFreeIdxStr = 1;
    plan.idx_str = NULL;
out:
    svt_plan_fini(&plan);
    sqlite3_free(order);
    sqlite3_free(constraints);
    return rc;
}

/* ---- the module ------------------------------------------------------------ */

static const sqlite3_module module = {.iVersion = SVT_MODULE_VERSION,
                                      .xCreate = table_create,
                                      .xConnect = table_connect,
                                      .xBestIndex = best_index,
                                      .xDisconnect = table_disconnect,
                                      .xDestroy = table_destroy,
                                      .xOpen = svt_cursor_open,
                                      .xClose = svt_cursor_close,
                                      .xFilter = svt_cursor_filter,
                                      .xNext = svt_cursor_next,
                                      .xEof = svt_cursor_eof,
                                      .xColumn = svt_cursor_column,
                                      .xRowid = svt_cursor_rowid,
                                      .xUpdate = svt_update,
                                      .xBegin = svt_txn_begin,
                                      .xSync = svt_txn_sync,
                                      .xCommit = svt_txn_commit,
                                      .xRollback = svt_txn_rollback,
                                      .xRename = table_rename,
                                      .xSavepoint = svt_txn_savepoint,
                                      .xRelease = svt_txn_release,
                                      .xRollbackTo = svt_txn_rollback_to,
                                      .xShadowName = is_shadow_name,
                                      SVT_XINTEGRITY(svt_integrity)};

/* The connection is closing: its tables are gone. */
static void conn_destroy(void *aux)
{
    struct svt_conn *conn = aux;
    svt_txn_free_all(conn);
    svt_conn_free(conn);
}

/* A second load on one connection would give it a second, blind to the first one's
 * transactions. */
static bool is_loaded(sqlite3 *db)
{
    sqlite3_stmt *stmt = NULL;
    int rc = svt_prepare(db, &stmt, "SELECT seerdb_version()");
    sqlite3_finalize(stmt);
    return rc == SQLITE_OK;
}

/* Does LIKE never match a blob?  The compile options would say, where SQLite has not
 * been built without the function that tells them. */
static bool like_skips_blobs(sqlite3 *db)
{
    sqlite3_stmt *stmt = NULL;
    bool skips = svt_prepare(db, &stmt, "SELECT x'61' LIKE 'a'") == SQLITE_OK &&
                 sqlite3_step(stmt) == SQLITE_ROW && sqlite3_column_int(stmt, 0) == 0;
    sqlite3_finalize(stmt);
    return skips;
}

static int init(sqlite3 *db)
{
    struct svt_conn *conn = NULL;
    if (is_loaded(db))
        return SQLITE_OK;
    int rc = svt_conn_new(db, &conn);
    if (rc != SQLITE_OK)
        return rc;
    /* This also ends the failure that looking for an earlier load left behind: where
     * automatic extensions made it, sqlite3_open() would fail with it. */
    conn->like_skips_blobs = like_skips_blobs(db);
    rc = sqlite3_create_module_v2(db, "seerdb", &module, conn, conn_destroy);
    if (rc == SQLITE_OK)
        rc = svt_funcs_register(conn);
    if (rc == SQLITE_OK)
        rc = svt_inspect_register(conn);
    if (rc != SQLITE_OK) { /* this code is unmapped then: nothing may point here */
        svt_inspect_unregister(db);
        svt_funcs_unregister(db);
        (void)sqlite3_create_module_v2(db, "seerdb", NULL, NULL, NULL);
    }
    return rc;
}

/* ---- compiled in ----------------------------------------------------------- */

#ifdef SQLITE_CORE
int sqlite3_seerdb_init(sqlite3 *db, char **message, const sqlite3_api_routines *api)
{
    (void)api;
    if (sqlite3_libversion_number() >= OLDEST_SQLITE)
        return init(db);
    if (message != NULL)
        *message = sqlite3_mprintf(TOO_OLD, sqlite3_libversion());
    return SQLITE_ERROR;
}

/* ---- loaded ---------------------------------------------------------------- */

#else
/* Why not to use this SQLite: a format for its version; NULL: no reason. */
static const char *unfit(const sqlite3_api_routines *api)
{
    if (api->libversion_number() < OLDEST_SQLITE)
        return TOO_OLD;
    /* SQLite has NULL for the functions that it was built without. */
    if (api->create_module_v2 == NULL || api->blob_open == NULL)
        return "seerdb needs virtual tables and incremental blob I/O; this SQLite (%s) "
               "was built without";
    /* Its objects must not reach this one's functions: they may be laid out
     * differently. */
    if (sqlite3_api != NULL && sqlite3_api != api)
        return "seerdb is in use by another copy of SQLite in this process: load a "
               "copy "
               "of the file for this one (%s)";
    return NULL;
}

/* Static: SQLite loads libraries with RTLD_GLOBAL, and an exported name would be that
 * of the first copy of seerdb in the process, whichever was asked for. */
static int load(sqlite3 *db, char **message, const sqlite3_api_routines *api)
{
    if (api == NULL)
        return SQLITE_ERROR;
    const char *why = unfit(api);
    if (why != NULL) {
        if (message != NULL)
            *message = api->mprintf(why, api->libversion());
        return SQLITE_ERROR;
    }
    if (sqlite3_api == NULL)
        SQLITE_EXTENSION_INIT2(api);
    int rc = init(db);
    return rc == SQLITE_OK ? SQLITE_OK_LOAD_PERMANENTLY : rc;
}

int sqlite3_seerdb_init(sqlite3 *db, char **message, const sqlite3_api_routines *api)
{
    return load(db, message, api);
}

/* What SQLite looks for in a library whose name says nothing.  Compiled into a program
 * the name would clash with other extensions there. */
SEERDB_ENTRY int sqlite3_extension_init(sqlite3 *db, char **message,
                                        const sqlite3_api_routines *api);

int sqlite3_extension_init(sqlite3 *db, char **message, const sqlite3_api_routines *api)
{
    return load(db, message, api);
}
#endif
