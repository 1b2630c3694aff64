/* SPDX-License-Identifier: Apache-2.0
 *
 * The marker is written with incremental I/O on a blob of fixed size: an UPDATE would
 * count in changes() and reach the user's update hook. */
#include "shadow.h"

#include <string.h>

enum { MARKER_OFFSET = 56 };

bool svt_uuid_equal(const seerdb_uuid *a, const seerdb_uuid *b)
{
    return memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

void svt_uuid_text(const seerdb_uuid *id, char out[33])
{
    for (int i = 0; i < 16; i++)
        sqlite3_snprintf(3, out + 2 * i, "%02x", id->bytes[i]);
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

bool svt_uuid_parse(const char *text, seerdb_uuid *out)
{
    int n = 0;
    for (; *text != 0; text++) {
        int digit = hex_digit(*text);
        if (*text == '-')
            continue;
        if (digit < 0 || n == 32)
            return false;
        out->bytes[n / 2] =
            (uint8_t)(n % 2 == 0 ? digit << 4 : out->bytes[n / 2] | digit);
        n++;
    }
    return n == 32;
}

/* ---- SQL ------------------------------------------------------------------- */

int svt_prepare(sqlite3 *db, sqlite3_stmt **out, const char *format, ...)
{
    *out = NULL;
    va_list args;
    va_start(args, format);
    char *sql = sqlite3_vmprintf(format, args);
    va_end(args);
    if (sql == NULL)
        return SQLITE_NOMEM;
    int rc = sqlite3_prepare_v2(db, sql, -1, out, NULL);
    sqlite3_free(sql);
    return rc;
}

const char *svt_why(sqlite3 *db, int rc)
{
    return sqlite3_errcode(db) != SQLITE_OK ? sqlite3_errmsg(db) : sqlite3_errstr(rc);
}

int svt_finalize(sqlite3_stmt *stmt, int rc)
{
    int stopped = sqlite3_finalize(stmt);
    return rc == SQLITE_OK ? stopped : rc;
}

int svt_exec(sqlite3 *db, char **message, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *sql = sqlite3_vmprintf(format, args);
    va_end(args);
    if (sql == NULL)
        return SQLITE_NOMEM;
    char *text = NULL;
    int rc = sqlite3_exec(db, sql, NULL, NULL, &text);
    if (rc != SQLITE_OK)
        svt_fail(message, rc, "%s", text != NULL ? text : sqlite3_errstr(rc));
    sqlite3_free(text);
    sqlite3_free(sql);
    return rc;
}

/* ---- bytes ----------------------------------------------------------------- */

static void put_u32(uint8_t *p, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(v >> (8 * i));
}

static uint32_t get_u32(const uint8_t *p)
{
    uint32_t v = 0;
    for (int i = 3; i >= 0; i--)
        v = v << 8 | p[i];
    return v;
}

static void put_marker(uint8_t *p, uint64_t marker)
{
    put_u32(p, (uint32_t)marker);
    put_u32(p + 4, (uint32_t)(marker >> 32));
}

static void encode(const struct svt_shadow *s, uint8_t out[SVT_SHADOW_SIZE])
{
    put_u32(out, 1);
    put_u32(out + 4, 0);
    memcpy(out + 8, s->store.bytes, 16);
    memcpy(out + 24, s->tree.bytes, 16);
    memcpy(out + 40, s->owner.bytes, 16);
    put_marker(out + MARKER_OFFSET, s->marker);
}

static bool decode(const uint8_t *p, int size, struct svt_shadow *s)
{
    if (p == NULL || size != SVT_SHADOW_SIZE || get_u32(p) != 1)
        return false;
    memcpy(s->store.bytes, p + 8, 16);
    memcpy(s->tree.bytes, p + 24, 16);
    memcpy(s->owner.bytes, p + 40, 16);
    s->marker = get_u32(p + MARKER_OFFSET) | (uint64_t)get_u32(p + MARKER_OFFSET + 4)
                                                 << 32;
    return true;
}

/* ---- reading --------------------------------------------------------------- */

/* Says nothing about why: the caller knows the table's name. */
static int step(sqlite3_stmt *stmt, struct svt_shadow *s)
{
    int rc = sqlite3_step(stmt);
    if (rc != SQLITE_ROW)
        return rc == SQLITE_DONE ? SQLITE_NOTFOUND : rc;
    const uint8_t *blob = sqlite3_column_type(stmt, 0) == SQLITE_BLOB
                              ? sqlite3_column_blob(stmt, 0)
                              : NULL;
    return decode(blob, sqlite3_column_bytes(stmt, 0), s) ? SQLITE_OK : SQLITE_FORMAT;
}

static int explain(const struct svt_place *at, int rc, char **message)
{
    if (rc == SQLITE_NOTFOUND)
        return svt_fail(message, SQLITE_CORRUPT_VTAB,
                        "%s: its shadow table %s has no row with id 1", at->who,
                        at->table);
    if (rc == SQLITE_FORMAT)
        return svt_fail(
            message, SQLITE_CORRUPT_VTAB,
            "%s: the row of its shadow table %s is not one that this version "
            "of seerdb wrote (64 bytes, version 1)",
            at->who, at->table);
    if (rc != SQLITE_OK)
        return svt_fail(message, rc == SQLITE_ERROR ? SQLITE_CORRUPT_VTAB : rc,
                        "%s: its shadow table %s cannot be read: %s", at->who,
                        at->table, sqlite3_errmsg(at->db));
    return SQLITE_OK;
}

int svt_shadow_reread(const struct svt_place *at, sqlite3_stmt **stmt,
                      struct svt_shadow *out, char **message)
{
    int rc = SQLITE_OK;
    if (*stmt == NULL)
        rc = svt_prepare(at->db, stmt, "SELECT state FROM \"%w\".\"%w\" WHERE id = 1",
                         at->schema, at->table);
    if (rc == SQLITE_OK)
        rc = step(*stmt, out);
    rc = explain(at, rc, message);
    sqlite3_reset(*stmt);
    return rc;
}

int svt_shadow_read(const struct svt_place *at, struct svt_shadow *out, char **message)
{
    sqlite3_stmt *stmt = NULL;
    int rc = svt_shadow_reread(at, &stmt, out, message);
    sqlite3_finalize(stmt);
    return rc;
}

/* Not by LIKE in SQL: PRAGMA case_sensitive_like changes it, and so may the program. */
bool svt_may_declare(const char *sql)
{
    return sql != NULL && sqlite3_strlike("create virtual table%seerdb%", sql, 0) == 0;
}

struct row_walk {
    sqlite3 *db;
    const char *schema;
    bool (*each)(void *ctx, const char *table, const struct svt_shadow *s);
    void *ctx;
};

static int walk(const struct row_walk *w)
{
    sqlite3_stmt *names = NULL;
    int rc = svt_prepare(w->db, &names,
                         "SELECT name FROM \"%w\".sqlite_schema WHERE type = 'table'",
                         w->schema);
    bool more = true;
    while (rc == SQLITE_OK && more && (rc = sqlite3_step(names)) == SQLITE_ROW) {
        const char *name = (const char *)sqlite3_column_text(names, 0);
        sqlite3_stmt *row = NULL;
        struct svt_shadow s;
        if (name == NULL) {
            rc = SQLITE_NOMEM;
            break;
        }
        rc = SQLITE_OK;
        if (sqlite3_strlike("%^_seerdb", name, '^') != 0)
            continue;
        /* A table of a user that only looks like a shadow table is passed over. */
        rc = svt_prepare(w->db, &row, "SELECT state FROM \"%w\".\"%w\" WHERE id = 1",
                         w->schema, name);
        if (rc == SQLITE_OK && (rc = step(row, &s)) == SQLITE_OK)
            more = w->each(w->ctx, name, &s);
        if (rc == SQLITE_ERROR || rc == SQLITE_NOTFOUND || rc == SQLITE_FORMAT)
            rc = SQLITE_OK;
        sqlite3_finalize(row);
    }
    sqlite3_finalize(names);
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

struct nameless {
    bool (*each)(void *ctx, const struct svt_shadow *s);
    void *ctx;
};

static bool forget_name(void *ctx, const char *table, const struct svt_shadow *s)
{
    const struct nameless *n = ctx;
    (void)table;
    return n->each(n->ctx, s);
}

int svt_shadow_each(sqlite3 *db, const char *schema,
                    bool (*each)(void *ctx, const struct svt_shadow *s), void *ctx)
{
    struct nameless n = {each, ctx};
    struct row_walk w = {db, schema, forget_name, &n};
    return walk(&w);
}

/* ---- writing --------------------------------------------------------------- */

int svt_shadow_create(const struct svt_place *at, char **message)
{
    char *why = NULL;
    int rc = svt_exec(at->db, &why,
                      "CREATE TABLE \"%w\".\"%w\"(id INTEGER PRIMARY KEY, state BLOB)",
                      at->schema, at->table);
    if (rc != SQLITE_OK && why != NULL)
        svt_fail(message, rc, "%s: cannot make its shadow table %s: %s", at->who,
                 at->table, why);
    sqlite3_free(why);
    return rc;
}

int svt_shadow_insert(const struct svt_place *at, const struct svt_shadow *s,
                      char **message)
{
    uint8_t blob[SVT_SHADOW_SIZE];
    sqlite3_stmt *stmt = NULL;
    sqlite3_int64 last = sqlite3_last_insert_rowid(at->db);
    encode(s, blob);
    int rc =
        svt_prepare(at->db, &stmt, "INSERT INTO \"%w\".\"%w\"(id, state) VALUES(1, ?1)",
                    at->schema, at->table);
    if (rc == SQLITE_OK)
        rc = sqlite3_bind_blob(stmt, 1, blob, sizeof(blob), SQLITE_STATIC);
    if (rc == SQLITE_OK && (rc = sqlite3_step(stmt)) == SQLITE_DONE)
        rc = SQLITE_OK;
    if (rc != SQLITE_OK)
        svt_fail(message, rc, "%s: cannot write its shadow table %s: %s", at->who,
                 at->table, sqlite3_errmsg(at->db));
    sqlite3_finalize(stmt);
    sqlite3_set_last_insert_rowid(at->db, last);
    return rc;
}

/* Write the marker into this row if it is the tree's.  SQLITE_NOTFOUND: it is not, or
 * there is none. */
static int mark_row(const struct svt_place *at, const seerdb_uuid *tree,
                    uint64_t marker, char **message)
{
    uint8_t bytes[SVT_SHADOW_SIZE];
    struct svt_shadow s;
    sqlite3_blob *blob = NULL;
    int rc = sqlite3_blob_open(at->db, at->schema, at->table, "state", 1, 1, &blob);
    if (rc == SQLITE_ERROR) { /* no such table, column or row, or no blob in it */
        rc = SQLITE_NOTFOUND;
        goto out;
    }
    if (rc == SQLITE_OK && sqlite3_blob_bytes(blob) != SVT_SHADOW_SIZE)
        rc = SQLITE_NOTFOUND;
    if (rc == SQLITE_OK)
        rc = sqlite3_blob_read(blob, bytes, sizeof(bytes), 0);
    if (rc == SQLITE_OK &&
        (!decode(bytes, (int)sizeof(bytes), &s) || !svt_uuid_equal(&s.tree, tree)))
        rc = SQLITE_NOTFOUND;
    if (rc == SQLITE_OK) {
        put_marker(bytes, marker);
        rc = sqlite3_blob_write(blob, bytes, 8, MARKER_OFFSET);
    }
out:
    if (rc != SQLITE_OK && rc != SQLITE_NOTFOUND)
        svt_fail(message, rc, "%s: cannot write its shadow table %s: %s", at->who,
                 at->table, sqlite3_errmsg(at->db));
    sqlite3_blob_close(blob);
    return rc;
}

struct row_search {
    const seerdb_uuid *tree;
    char *table; /* sqlite3_malloc'ed */
    bool found;
};

static bool see_row(void *ctx, const char *table, const struct svt_shadow *s)
{
    struct row_search *search = ctx;
    if (!svt_uuid_equal(&s->tree, search->tree))
        return true;
    search->found = true;
    search->table = sqlite3_mprintf("%s", table);
    return false;
}

int svt_shadow_mark(const struct svt_place *at, const seerdb_uuid *tree,
                    uint64_t marker, char **message)
{
    int rc = mark_row(at, tree, marker, message);
    if (rc != SQLITE_NOTFOUND)
        return rc;
    struct row_search search = {.tree = tree};
    struct row_walk w = {at->db, at->schema, see_row, &search};
    if ((rc = walk(&w)) == SQLITE_OK && search.found) {
        struct svt_place other = *at;
        other.table = search.table;
        rc = other.table != NULL ? mark_row(&other, tree, marker, message)
                                 : SQLITE_NOMEM;
    } else if (rc == SQLITE_OK) {
        rc = SQLITE_NOTFOUND;
    } else {
        svt_fail(message, rc, "%s: its shadow table cannot be looked for: %s", at->who,
                 sqlite3_errmsg(at->db));
    }
    sqlite3_free(search.table);
    return rc;
}
