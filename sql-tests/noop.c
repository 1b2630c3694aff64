/* SPDX-License-Identifier: Apache-2.0 */
#include "noop.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { KEY = 16, VALUE = 100 };
enum { PLAN_EQ = 1, PLAN_LOWER = 2, PLAN_UPPER = 4, PLAN_DESC = 8 };

struct table {
    sqlite3_vtab base;
    uint64_t rows, step; /* row i has the key i * step, big endian, then zeros */
};

struct cursor {
    sqlite3_vtab_cursor base;
    uint64_t from, to; /* rows left: from <= row < to */
    bool desc, given;  /* given: the one row has the key that was asked for */
    uint8_t key[KEY];
};

static const uint8_t value[VALUE] = {1};

static int noop_connect(sqlite3 *db, void *aux, int argc, const char *const *argv,
                        sqlite3_vtab **out, char **message)
{
    struct table *t = calloc(1, sizeof *t);
    (void)aux;
    (void)message;
    if (t == NULL)
        return SQLITE_NOMEM;
    t->rows = argc > 3 ? strtoull(argv[3], NULL, 10) : 0;
    t->step = t->rows > 0 ? UINT64_MAX / t->rows : 0;
    *out = &t->base;
    return sqlite3_declare_vtab(
        db, "CREATE TABLE x(k BLOB PRIMARY KEY, v BLOB) WITHOUT ROWID");
}

static int noop_disconnect(sqlite3_vtab *base)
{
    free(base);
    return SQLITE_OK;
}

static int noop_best_index(sqlite3_vtab *base, sqlite3_index_info *info)
{
    const struct table *t = (const struct table *)base;
    int lower = -1, upper = -1, eq = -1, argument = 0;
    for (int i = 0; i < info->nConstraint; i++) {
        if (!info->aConstraint[i].usable || info->aConstraint[i].iColumn != 0)
            continue;
        switch (info->aConstraint[i].op) {
        case SQLITE_INDEX_CONSTRAINT_EQ:
            eq = i;
            break;
        case SQLITE_INDEX_CONSTRAINT_GE:
        case SQLITE_INDEX_CONSTRAINT_GT:
            lower = i;
            break;
        case SQLITE_INDEX_CONSTRAINT_LE:
        case SQLITE_INDEX_CONSTRAINT_LT:
            upper = i;
            break;
        }
    }
    if (eq >= 0)
        lower = upper = -1;
    const int chosen[] = {eq, lower, upper},
              plans[] = {PLAN_EQ, PLAN_LOWER, PLAN_UPPER};
    for (int i = 0; i < 3; i++)
        if (chosen[i] >= 0) {
            info->aConstraintUsage[chosen[i]].argvIndex = ++argument;
            info->aConstraintUsage[chosen[i]].omit = 1;
            info->idxNum |= plans[i];
        }
    if (info->nOrderBy == 1 && info->aOrderBy[0].iColumn == 0) {
        info->orderByConsumed = 1;
        info->idxNum |= info->aOrderBy[0].desc ? PLAN_DESC : 0;
    }
    info->idxFlags = eq >= 0 ? SQLITE_INDEX_SCAN_UNIQUE : 0;
    info->estimatedRows = eq >= 0 ? 1 : (sqlite3_int64)(t->rows >> (2 * argument)) + 1;
    info->estimatedCost = eq >= 0 ? 1 : (double)info->estimatedRows;
    return SQLITE_OK;
}

static int noop_open(sqlite3_vtab *base, sqlite3_vtab_cursor **out)
{
    struct cursor *c = calloc(1, sizeof *c);
    (void)base;
    *out = &c->base;
    return c != NULL ? SQLITE_OK : SQLITE_NOMEM;
}

static int noop_close(sqlite3_vtab_cursor *base)
{
    free(base);
    return SQLITE_OK;
}

static void make_key(struct cursor *c)
{
    const struct table *t = (const struct table *)c->base.pVtab;
    uint64_t code = (c->desc ? c->to - 1 : c->from) * t->step;
    for (int i = 0; i < 8; i++)
        c->key[i] = (uint8_t)(code >> (56 - 8 * i));
    memset(c->key + 8, 0, KEY - 8);
}

/* The first row whose key is not below the blob. */
static uint64_t row_at(const struct table *t, sqlite3_value *v)
{
    const uint8_t *p = sqlite3_value_blob(v);
    uint64_t code = 0;
    for (int i = 0; i < 8; i++)
        code = code << 8 | (i < sqlite3_value_bytes(v) ? p[i] : 0);
    uint64_t row = code / t->step + (code % t->step != 0 ? 1 : 0);
    return row < t->rows ? row : t->rows;
}

static int noop_filter(sqlite3_vtab_cursor *base, int plan, const char *text, int argc,
                       sqlite3_value **argv)
{
    struct cursor *c = (struct cursor *)base;
    const struct table *t = (const struct table *)base->pVtab;
    int next = 0;
    (void)text;
    (void)argc;
    c->from = 0;
    c->to = t->rows;
    c->desc = (plan & PLAN_DESC) != 0;
    c->given = (plan & PLAN_EQ) != 0;
    if (c->given) {
        const uint8_t *p = sqlite3_value_blob(argv[0]);
        bool hit = sqlite3_value_bytes(argv[0]) == KEY && (p[KEY - 1] & 1) == 0;
        c->to = hit ? 1 : 0;
        if (hit)
            memcpy(c->key, p, KEY);
        return SQLITE_OK;
    }
    if ((plan & PLAN_LOWER) != 0)
        c->from = row_at(t, argv[next++]);
    if ((plan & PLAN_UPPER) != 0)
        c->to = row_at(t, argv[next]);
    if (c->from < c->to)
        make_key(c);
    return SQLITE_OK;
}

static int noop_next(sqlite3_vtab_cursor *base)
{
    struct cursor *c = (struct cursor *)base;
    if (c->desc)
        c->to--;
    else
        c->from++;
    if (c->from < c->to)
        make_key(c);
    return SQLITE_OK;
}

static int noop_eof(sqlite3_vtab_cursor *base)
{
    const struct cursor *c = (const struct cursor *)base;
    return c->from >= c->to;
}

static int noop_column(sqlite3_vtab_cursor *base, sqlite3_context *context, int column)
{
    const struct cursor *c = (const struct cursor *)base;
    if (column == 0)
        sqlite3_result_blob(context, c->key, KEY, SQLITE_TRANSIENT);
    else
        sqlite3_result_blob(context, value, VALUE, SQLITE_STATIC);
    return SQLITE_OK;
}

static int noop_update(sqlite3_vtab *base, int argc, sqlite3_value **argv,
                       sqlite3_int64 *rowid)
{
    (void)base;
    (void)argc;
    (void)argv;
    (void)rowid;
    return SQLITE_OK;
}

static int noop_nothing(sqlite3_vtab *base)
{
    (void)base;
    return SQLITE_OK;
}

int noop_register(sqlite3 *db)
{
    static const sqlite3_module module = {.iVersion = 1,
                                          .xCreate = noop_connect,
                                          .xConnect = noop_connect,
                                          .xBestIndex = noop_best_index,
                                          .xDisconnect = noop_disconnect,
                                          .xDestroy = noop_disconnect,
                                          .xOpen = noop_open,
                                          .xClose = noop_close,
                                          .xFilter = noop_filter,
                                          .xNext = noop_next,
                                          .xEof = noop_eof,
                                          .xColumn = noop_column,
                                          .xUpdate = noop_update,
                                          .xBegin = noop_nothing,
                                          .xSync = noop_nothing,
                                          .xCommit = noop_nothing,
                                          .xRollback = noop_nothing};
    return sqlite3_create_module(db, "noop", &module, NULL);
}
