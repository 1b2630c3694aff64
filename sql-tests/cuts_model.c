/* SPDX-License-Identifier: Apache-2.0 */
#include "cuts_model.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_PAYLOAD = 3000 };

static const char *const names[TABLES] = {"o1", "o2", "s1", "s2", NULL};
static const char *const extra_names[] = {"(none)", "s3", "s4"};

static bool has_text_key(int table)
{
    return table == O2 || table == S2;
}

static const char *name_of(const struct state *state, int db, int table)
{
    return table == EXTRA ? extra_names[state->t[db][EXTRA].name] : names[table];
}

/* ---- keys and payloads ----------------------------------------------------------- */

struct literal {
    char text[16];
};

static struct literal key_literal(int table, int key)
{
    struct literal out;
    if (has_text_key(table))
        sqlite3_snprintf(sizeof out.text, out.text, "'key-%02d'", key);
    else
        sqlite3_snprintf(sizeof out.text, out.text, "%d", key * 37 - 300);
    return out;
}

/* -1: no key of ours. */
static int key_of(sqlite3_stmt *stmt, int table)
{
    char want[16];
    int key;
    if (has_text_key(table)) {
        const char *text = (const char *)sqlite3_column_text(stmt, 0);
        if (text == NULL || strncmp(text, "key-", 4) != 0)
            return -1;
        key = atoi(text + 4);
        sqlite3_snprintf(sizeof want, want, "key-%02d", key);
        return key < 0 || key >= KEYS || strcmp(text, want) != 0 ? -1 : key;
    }
    sqlite3_int64 k = sqlite3_column_int64(stmt, 0) + 300;
    return k < 0 || k % 37 != 0 || k / 37 >= KEYS ? -1 : (int)(k / 37);
}

/* Mostly short, sometimes longer than a page.  Returns the length. */
static int payload(uint32_t seq, int table, char out[MAX_PAYLOAD + 1])
{
    struct sdb_rand r = {(uint64_t)seq << 8 | (uint64_t)table};
    int n = (int)sdb_rand_below(&r, sdb_rand_below(&r, 12) == 0 ? MAX_PAYLOAD : 50);
    for (int i = 0; i < n; i++)
        out[i] = (char)('a' + (int)(sdb_rand_next(&r) % (i < n / 2 ? 2 : 26)));
    out[n] = 0;
    return n;
}

/* ---- steps ----------------------------------------------------------------------- */

static int below(struct sdb_rand *r, int n)
{
    return (int)sdb_rand_below(r, (uint64_t)n);
}

struct step step_random(struct sdb_rand *r, const struct state *state, int db,
                        uint32_t seq)
{
    static const enum step_kind kinds[] = {
        STEP_PUT,    STEP_PUT,    STEP_PUT,    STEP_INSERT, STEP_INSERT,
        STEP_DELETE, STEP_UPDATE, STEP_UPDATE, STEP_MOVE,   STEP_COPY};
    struct step s = {.db = db, .table = below(r, TABLES), .seq = seq};
    int a = 1 + below(r, KEYS - 1), b = 1 + below(r, KEYS - 1), dice = below(r, 100);
    s.kind = kinds[below(r, sizeof kinds / sizeof kinds[0])];
    if (s.table == EXTRA && state->t[db][EXTRA].name == ABSENT)
        s.kind = STEP_CREATE;
    else if (s.table == EXTRA && dice < 30)
        s.kind = dice < 15 ? STEP_DROP : STEP_RENAME;
    else if (s.table == EXTRA && s.kind == STEP_COPY)
        s.kind = STEP_PUT;
    s.from = a;
    s.to = b;
    if (s.kind == STEP_DELETE || s.kind == STEP_UPDATE || s.kind == STEP_COPY) {
        s.to = a + below(r, s.kind == STEP_DELETE ? 4 : 8);
        s.to = s.to >= KEYS ? KEYS - 1 : s.to;
    }
    return s;
}

static char *ddl_sql(const struct step *s, const struct state *state,
                     const char *schema, const char *options)
{
    const char *name = name_of(state, s->db, EXTRA);
    if (s->kind == STEP_DROP)
        return sqlite3_mprintf("DROP TABLE %s.%s", schema, name);
    if (s->kind == STEP_RENAME)
        return sqlite3_mprintf("ALTER TABLE %s.%s RENAME TO %s", schema, name,
                               strcmp(name, "s3") == 0 ? "s4" : "s3");
    return sqlite3_mprintf("CREATE VIRTUAL TABLE %s.s3 USING seerdb(k INTEGER PRIMARY "
                           "KEY, seq INTEGER, payload TEXT%s)",
                           schema, options);
}

char *step_sql(const struct step *s, const struct state *state, const char *schema,
               const char *options)
{
    char text[MAX_PAYLOAD + 1];
    struct literal from = key_literal(s->table, s->from),
                   to = key_literal(s->table, s->to);
    const char *name = name_of(state, s->db, s->table);
    payload(s->seq, s->table, text);
    switch (s->kind) {
    case STEP_PUT:
        return sqlite3_mprintf("INSERT OR REPLACE INTO %s.%s VALUES(%s, %u, '%s')",
                               schema, name, from.text, s->seq, text);
    case STEP_INSERT:
        return sqlite3_mprintf("INSERT INTO %s.%s VALUES(%s, %u, '%s'), (%s, %u, '%s')",
                               schema, name, from.text, s->seq, text, to.text, s->seq,
                               text);
    case STEP_DELETE:
        if (s->table >= S1 && s->seq % 2 == 0)
            return sqlite3_mprintf("SELECT seerdb('%s.%s', 'delete_range', %s, %s)",
                                   schema, name, from.text,
                                   key_literal(s->table, s->to + 1).text);
        return sqlite3_mprintf("DELETE FROM %s.%s WHERE k BETWEEN %s AND %s", schema,
                               name, from.text, to.text);
    case STEP_UPDATE:
        return sqlite3_mprintf(
            "UPDATE %s.%s SET seq = %u, payload = '%s' WHERE k BETWEEN %s AND %s",
            schema, name, s->seq, text, from.text, to.text);
    case STEP_MOVE:
        return sqlite3_mprintf("UPDATE OR REPLACE %s.%s SET k = %s WHERE k = %s",
                               schema, name, to.text, from.text);
    case STEP_COPY:
        return sqlite3_mprintf(
            "INSERT OR REPLACE INTO %s.%s SELECT k, %u, '%s' FROM %s.%s "
            "WHERE k BETWEEN %s AND %s",
            schema, name, s->seq, text, schema, names[s->table ^ S1], from.text,
            to.text);
    default:
        return ddl_sql(s, state, schema, options);
    }
}

bool step_apply(const struct step *s, struct state *state)
{
    struct table *t = &state->t[s->db][s->table];
    switch (s->kind) {
    case STEP_PUT:
        t->seq[s->from] = s->seq;
        return true;
    case STEP_INSERT:
        if (s->from == s->to || t->seq[s->from] != 0 || t->seq[s->to] != 0)
            return false;
        t->seq[s->from] = t->seq[s->to] = s->seq;
        return true;
    case STEP_DELETE:
        for (int i = s->from; i <= s->to; i++)
            t->seq[i] = 0;
        return true;
    case STEP_UPDATE:
        for (int i = s->from; i <= s->to; i++)
            t->seq[i] = t->seq[i] != 0 ? s->seq : 0;
        return true;
    case STEP_MOVE:
        if (t->seq[s->from] != 0 && s->from != s->to) {
            t->seq[s->to] = t->seq[s->from];
            t->seq[s->from] = 0;
        }
        return true;
    case STEP_COPY:
        for (int i = s->from; i <= s->to; i++)
            if (state->t[s->db][s->table ^ S1].seq[i] != 0)
                t->seq[i] = s->seq;
        return true;
    case STEP_RENAME:
        t->name = t->name == CALLED_S3 ? CALLED_S4 : CALLED_S3;
        return true;
    default:
        *t = (struct table){.name = s->kind == STEP_CREATE ? CALLED_S3 : ABSENT};
        return true;
    }
}

/* ---- states ---------------------------------------------------------------------- */

bool part_equal(const struct state *a, const struct state *b, int db, enum part part)
{
    const struct table *x = a->t[db], *y = b->t[db];
    if (part == PART_ORDINARY)
        return memcmp(x[O1].seq, y[O1].seq, sizeof x->seq) == 0 &&
               memcmp(x[O2].seq, y[O2].seq, sizeof x->seq) == 0 &&
               x[EXTRA].name == y[EXTRA].name;
    if (part == PART_SEERDB)
        return memcmp(x[S1].seq, y[S1].seq, sizeof x->seq) == 0 &&
               memcmp(x[S2].seq, y[S2].seq, sizeof x->seq) == 0;
    return memcmp(x[EXTRA].seq, y[EXTRA].seq, sizeof x->seq) == 0;
}

int model_create(sqlite3 *db, const char *schema, const char *options)
{
    char *sql = sqlite3_mprintf(
        "CREATE TABLE %s.o1(k INTEGER PRIMARY KEY, seq INTEGER, payload TEXT);"
        "CREATE TABLE %s.o2(k TEXT PRIMARY KEY, seq INTEGER, payload TEXT) WITHOUT "
        "ROWID;"
        "CREATE VIRTUAL TABLE %s.s1 USING seerdb(k INTEGER PRIMARY KEY, seq INTEGER, "
        "payload TEXT%s);"
        "CREATE VIRTUAL TABLE %s.s2 USING seerdb(k TEXT PRIMARY KEY, seq INTEGER, "
        "payload TEXT%s);",
        schema, schema, schema, options, schema, options);
    int rc = sqlite3_exec(db, sql, NULL, NULL, NULL);
    sqlite3_free(sql);
    return rc;
}

/* Reads the row on which stmt stands. */
static bool read_row(sqlite3_stmt *stmt, int table, int *last, struct table *out)
{
    char want[MAX_PAYLOAD + 1];
    int key = key_of(stmt, table);
    sqlite3_int64 seq = sqlite3_column_int64(stmt, 1);
    const char *got = (const char *)sqlite3_column_text(stmt, 2);
    if (key <= *last || seq <= 0 || seq > UINT32_MAX || got == NULL)
        return false;
    int n = payload((uint32_t)seq, table, want);
    if (sqlite3_column_bytes(stmt, 2) != n || memcmp(got, want, (size_t)n) != 0)
        return false;
    out->seq[key] = (uint32_t)seq;
    *last = key;
    return true;
}

static int read_table(sqlite3 *db, const char *schema, const char *name, int table,
                      struct table *out, char **why)
{
    sqlite3_stmt *stmt = NULL;
    int last = -1;
    char *sql =
        sqlite3_mprintf("SELECT k, seq, payload FROM %s.%s ORDER BY k", schema, name);
    int rc = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL);
    while (rc == SQLITE_OK && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        rc = SQLITE_OK;
        if (!read_row(stmt, table, &last, out)) {
            *why = sqlite3_mprintf("%s.%s: a row that nobody wrote: %s, %lld, %.30s",
                                   schema, name, sqlite3_column_text(stmt, 0),
                                   sqlite3_column_int64(stmt, 1),
                                   sqlite3_column_text(stmt, 2));
            rc = SQLITE_CORRUPT;
        }
    }
    if (rc != SQLITE_DONE && *why == NULL)
        *why = sqlite3_mprintf("%s.%s: reading: error %d: %s", schema, name,
                               sqlite3_extended_errcode(db), sqlite3_errmsg(db));
    sqlite3_finalize(stmt);
    sqlite3_free(sql);
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* The third table's name. */
static int read_extra_name(sqlite3 *db, const char *schema, uint32_t *out, char **why)
{
    sqlite3_stmt *stmt = NULL;
    char *sql = sqlite3_mprintf("SELECT total(name = 's3') + 2 * total(name = 's4') "
                                "FROM %s.sqlite_schema WHERE name IN ('s3', 's4')",
                                schema);
    int rc = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL);
    if (rc == SQLITE_OK && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        rc = SQLITE_OK;
        *out = (uint32_t)sqlite3_column_int(stmt, 0);
        if (*out > CALLED_S4) {
            *why = sqlite3_mprintf("%s: both s3 and s4 are there", schema);
            rc = SQLITE_CORRUPT;
        }
    } else {
        *why = sqlite3_mprintf("%s.sqlite_schema: reading: error %d: %s", schema,
                               sqlite3_extended_errcode(db), sqlite3_errmsg(db));
    }
    sqlite3_finalize(stmt);
    sqlite3_free(sql);
    return rc;
}

int model_read(sqlite3 *db, const char *schema, struct table out[TABLES], char **why)
{
    memset(out, 0, TABLES * sizeof *out);
    *why = NULL;
    int rc = read_extra_name(db, schema, &out[EXTRA].name, why);
    for (int i = 0; rc == SQLITE_OK && i < TABLES; i++) {
        const char *name = i == EXTRA ? extra_names[out[EXTRA].name] : names[i];
        if (i != EXTRA || out[EXTRA].name != ABSENT)
            rc = read_table(db, schema, name, i, &out[i], why);
    }
    return rc;
}
