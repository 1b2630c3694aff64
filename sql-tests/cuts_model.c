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

/* ---- features ---------------------------------------------------------------------
 */

static int below(struct sdb_rand *r, int n)
{
    return (int)sdb_rand_below(r, (uint64_t)n);
}

static void add_option(struct features *f, const char *option)
{
    size_t n = strlen(f->options);
    sqlite3_snprintf((int)(sizeof f->options - n), f->options + n, ", %s", option);
}

struct features features_random(struct sdb_rand *r)
{
    static const char *const values[] = {"value_log = 512", "value_log = 600",
                                         "value_log = off"};
    static const char *const policies[] = {"compaction = leveled", "compaction = lazy",
                                           "compaction = tiered",
                                           "compaction = adaptive"};
    /* Each by itself, by an expression, and by a column that may lie elsewhere. */
    static const char *const hides_nothing[] = {"filter = 'seq < 0'",
                                                "filter = 'abs(seq) < total - total'",
                                                "filter = 'payload = ''none'''"};
    static const char *const due[] = {"ttl = 'seq + 99999999999'",
                                      "ttl = '99999999999 + coalesce(total, 1) * 2'"};
    static const char *const merges[] = {"", " MERGE add", " MERGE add",
                                         " MERGE (coalesce(old, 0) + new)"};
    struct features f = {.merge = "", .filter = FILTER_NONE};
    if (below(r, 5) == 0)
        return f; /* no feature at all */
    f.merge = merges[below(r, 4)];
    f.insert_merges = f.merge[0] != 0 && below(r, 3) == 0;
    if (below(r, 3) == 0)
        add_option(&f, "history = 0");
    if (f.insert_merges)
        add_option(&f, "insert = merge");
    if (below(r, 3) != 0)
        add_option(&f, values[below(r, 8) == 0 ? 2 : below(r, 2)]);
    if (below(r, 2) == 0)
        add_option(&f, policies[below(r, 4)]);
    if (below(r, 4) == 0)
        add_option(&f, due[below(r, 2)]);
    int dice = below(r, 10);
    f.filter = dice < 2 ? FILTER_NOTHING : dice < 4 ? FILTER_FIFTH : FILTER_NONE;
    if (f.filter == FILTER_NOTHING)
        add_option(&f, hides_nothing[below(r, 3)]);
    else if (f.filter == FILTER_FIFTH) /* -300: key 0 of s1 */
        add_option(&f, "filter = 'seq % 5 = 2 AND k <> -300'");
    return f;
}

/* What the filter hides is not there. */
static bool is_hidden(const struct features *f, int table, int key, uint32_t seq)
{
    return f->filter == FILTER_FIFTH && table >= S1 && seq % 5 == 2 &&
           (key != 0 || has_text_key(table));
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
    int n = (int)sdb_rand_below(&r, sdb_rand_below(&r, 8) == 0 ? MAX_PAYLOAD : 50);
    for (int i = 0; i < n; i++)
        out[i] = (char)('a' + (int)(sdb_rand_next(&r) % (i < n / 2 ? 2 : 26)));
    out[n] = 0;
    return n;
}

/* ---- steps ----------------------------------------------------------------------- */

static uint32_t amount_of(const struct step *s)
{
    return 1 + s->seq % 50 + (uint32_t)s->from;
}

static bool takes_range(enum step_kind kind)
{
    return kind == STEP_DELETE || kind == STEP_UPDATE || kind == STEP_COPY ||
           kind == STEP_COUNT;
}

struct step step_random(struct sdb_rand *r, const struct features *features,
                        const struct state *state, int db, uint32_t seq)
{
    static const enum step_kind kinds[] = {
        STEP_PUT,    STEP_PUT,    STEP_PUT,    STEP_INSERT, STEP_INSERT,
        STEP_DELETE, STEP_UPDATE, STEP_UPDATE, STEP_MOVE,   STEP_COPY,
        STEP_COUNT,  STEP_ADD,    STEP_ADD,    STEP_ADD};
    struct step s = {
        .db = db, .table = below(r, TABLES), .seq = seq, .features = features};
    int a = 1 + below(r, KEYS - 1), b = 1 + below(r, KEYS - 1), dice = below(r, 100);
    s.kind = kinds[below(r, sizeof kinds / sizeof kinds[0])];
    if (s.table == EXTRA && state->t[db][EXTRA].name == ABSENT)
        s.kind = STEP_CREATE;
    else if (s.table == EXTRA && dice < 30)
        s.kind = dice < 15 ? STEP_DROP : STEP_RENAME;
    else if (s.table == EXTRA && s.kind == STEP_COPY)
        s.kind = STEP_PUT;
    else if (dice < 2)
        s.kind = STEP_CLEAR;
    else if (s.table >= S1 && s.kind == STEP_ADD && features->merge[0] == 0)
        s.kind = STEP_COUNT;
    else if (s.table >= S1 && s.kind == STEP_INSERT && features->insert_merges)
        s.kind = STEP_ADD;
    s.from = a;
    s.to = b;
    if (takes_range(s.kind)) {
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
                           "KEY, seq INTEGER, payload TEXT, total INTEGER%s%s)",
                           schema, s->features->merge, options);
}

/* A merge: of ordinary tables an upsert is the same. */
static char *add_sql(const struct step *s, const char *schema, const char *name,
                     const char *text)
{
    struct literal from = key_literal(s->table, s->from),
                   to = key_literal(s->table, s->to);
    unsigned n = amount_of(s);
    if (s->table < S1 || s->features->insert_merges)
        return sqlite3_mprintf(
            "INSERT INTO %s.%s VALUES(%s, %u, '%s', %u), (%s, %u, '%s', %u)%s", schema,
            name, from.text, s->seq, text, n, to.text, s->seq, text, n,
            s->table < S1
                ? " ON CONFLICT(k) DO UPDATE SET total = total + excluded.total"
                : "");
    return sqlite3_mprintf(
        "INSERT INTO %s.%s(k, seq, payload, total, _op) VALUES(%s, %u, '%s', %u, "
        "'merge'), (%s, %u, '%s', %u, 'merge')",
        schema, name, from.text, s->seq, text, n, to.text, s->seq, text, n);
}

static char *range_sql(const struct step *s, const char *schema, const char *name,
                       const char *text)
{
    struct literal from = key_literal(s->table, s->from),
                   to = key_literal(s->table, s->to);
    if (s->kind == STEP_DELETE && s->table >= S1 && s->seq % 2 == 0)
        return sqlite3_mprintf("SELECT seerdb('%s.%s', 'delete_range', %s, %s)", schema,
                               name, from.text, key_literal(s->table, s->to + 1).text);
    if (s->kind == STEP_DELETE)
        return sqlite3_mprintf("DELETE FROM %s.%s WHERE k BETWEEN %s AND %s", schema,
                               name, from.text, to.text);
    if (s->kind == STEP_COUNT)
        return sqlite3_mprintf(
            "UPDATE %s.%s SET total = total + %u WHERE k BETWEEN %s AND %s", schema,
            name, amount_of(s), from.text, to.text);
    if (s->kind == STEP_UPDATE)
        return sqlite3_mprintf(
            "UPDATE %s.%s SET seq = %u, payload = '%s' WHERE k BETWEEN %s AND %s",
            schema, name, s->seq, text, from.text, to.text);
    return sqlite3_mprintf(
        "INSERT OR REPLACE INTO %s.%s SELECT k, %u, '%s', %u FROM %s.%s "
        "WHERE k BETWEEN %s AND %s",
        schema, name, s->seq, text, s->seq, schema, names[s->table ^ S1], from.text,
        to.text);
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
        return sqlite3_mprintf("INSERT OR REPLACE INTO %s.%s VALUES(%s, %u, '%s', %u)",
                               schema, name, from.text, s->seq, text, s->seq);
    case STEP_INSERT:
        return sqlite3_mprintf(
            "INSERT INTO %s.%s VALUES(%s, %u, '%s', %u), (%s, %u, '%s', %u)", schema,
            name, from.text, s->seq, text, s->seq, to.text, s->seq, text, s->seq);
    case STEP_ADD:
        return add_sql(s, schema, name, text);
    case STEP_CLEAR:
        if (s->table >= S1 && s->seq % 2 == 0)
            return sqlite3_mprintf("SELECT seerdb('%s.%s', 'truncate')", schema, name);
        return sqlite3_mprintf("DELETE FROM %s.%s", schema, name);
    case STEP_MOVE:
        return sqlite3_mprintf("UPDATE OR REPLACE %s.%s SET k = %s WHERE k = %s",
                               schema, name, to.text, from.text);
    case STEP_DELETE:
    case STEP_UPDATE:
    case STEP_COUNT:
    case STEP_COPY:
        return range_sql(s, schema, name, text);
    default:
        return ddl_sql(s, state, schema, options);
    }
}

static void write_row(struct table *t, const struct step *s, int key)
{
    bool hidden = is_hidden(s->features, s->table, key, s->seq);
    t->seq[key] = hidden ? 0 : s->seq;
    t->total[key] = t->seq[key];
}

static void erase_row(struct table *t, int key)
{
    t->seq[key] = t->total[key] = 0;
}

static void add_to_row(struct table *t, const struct step *s, int key)
{
    if (t->seq[key] != 0) {
        t->total[key] += amount_of(s);
    } else {
        write_row(t, s, key);
        t->total[key] = t->seq[key] != 0 ? amount_of(s) : 0;
    }
}

static void apply_to_range(const struct step *s, struct table *t,
                           const struct table *source)
{
    for (int i = s->from; i <= s->to; i++) {
        uint32_t total = t->total[i];
        if (s->kind == STEP_DELETE) {
            erase_row(t, i);
        } else if (s->kind == STEP_COPY && source->seq[i] != 0) {
            write_row(t, s, i);
        } else if (s->kind == STEP_COUNT && t->seq[i] != 0) {
            t->total[i] += amount_of(s);
        } else if (s->kind == STEP_UPDATE && t->seq[i] != 0) {
            write_row(t, s, i);
            t->total[i] = t->seq[i] != 0 ? total : 0;
        }
    }
}

static bool apply_insert(const struct step *s, struct table *t)
{
    bool hidden = is_hidden(s->features, s->table, s->from, s->seq);
    if ((s->from == s->to && !hidden) || t->seq[s->from] != 0 || t->seq[s->to] != 0)
        return false;
    write_row(t, s, s->from);
    write_row(t, s, s->to);
    return true;
}

bool step_apply(const struct step *s, struct state *state)
{
    struct table *t = &state->t[s->db][s->table];
    switch (s->kind) {
    case STEP_PUT:
        write_row(t, s, s->from);
        return true;
    case STEP_INSERT:
        return apply_insert(s, t);
    case STEP_ADD:
        add_to_row(t, s, s->from);
        add_to_row(t, s, s->to);
        return true;
    case STEP_CLEAR:
        for (int i = 0; i < KEYS; i++)
            erase_row(t, i);
        return true;
    case STEP_DELETE:
    case STEP_UPDATE:
    case STEP_COUNT:
    case STEP_COPY:
        apply_to_range(s, t,
                       s->kind == STEP_COPY ? &state->t[s->db][s->table ^ S1] : t);
        return true;
    case STEP_MOVE:
        if (t->seq[s->from] != 0 && s->from != s->to) {
            t->seq[s->to] = t->seq[s->from];
            t->total[s->to] = t->total[s->from];
            erase_row(t, s->from);
        }
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

bool same_rows(const struct table *a, const struct table *b)
{
    return memcmp(a->seq, b->seq, sizeof a->seq) == 0 &&
           memcmp(a->total, b->total, sizeof a->total) == 0;
}

bool part_equal(const struct state *a, const struct state *b, int db, enum part part)
{
    const struct table *x = a->t[db], *y = b->t[db];
    if (part == PART_ORDINARY)
        return same_rows(&x[O1], &y[O1]) && same_rows(&x[O2], &y[O2]) &&
               x[EXTRA].name == y[EXTRA].name;
    if (part == PART_SEERDB)
        return same_rows(&x[S1], &y[S1]) && same_rows(&x[S2], &y[S2]);
    return same_rows(&x[EXTRA], &y[EXTRA]);
}

int model_create(sqlite3 *db, const char *schema, const struct features *features,
                 const char *options)
{
    const char *merge = features->merge;
    char *sql = sqlite3_mprintf(
        "CREATE TABLE %s.o1(k INTEGER PRIMARY KEY, seq INTEGER, payload TEXT, total "
        "INTEGER);"
        "CREATE TABLE %s.o2(k TEXT PRIMARY KEY, seq INTEGER, payload TEXT, total "
        "INTEGER) WITHOUT ROWID;"
        "CREATE VIRTUAL TABLE %s.s1 USING seerdb(k INTEGER PRIMARY KEY, seq INTEGER, "
        "payload TEXT, total INTEGER%s%s);"
        "CREATE VIRTUAL TABLE %s.s2 USING seerdb(k TEXT PRIMARY KEY, seq INTEGER, "
        "payload TEXT, total INTEGER%s%s);",
        schema, schema, schema, merge, options, schema, merge, options);
    int rc = sqlite3_exec(db, sql, NULL, NULL, NULL);
    sqlite3_free(sql);
    return rc;
}

/* Reads the row on which stmt stands. */
static bool read_row(sqlite3_stmt *stmt, int table, int *last, struct table *out)
{
    char want[MAX_PAYLOAD + 1];
    int key = key_of(stmt, table);
    sqlite3_int64 seq = sqlite3_column_int64(stmt, 1),
                  total = sqlite3_column_int64(stmt, 3);
    const char *got = (const char *)sqlite3_column_text(stmt, 2);
    if (key <= *last || seq <= 0 || seq > UINT32_MAX || got == NULL || total <= 0 ||
        total > UINT32_MAX)
        return false;
    int n = payload((uint32_t)seq, table, want);
    if (sqlite3_column_bytes(stmt, 2) != n || memcmp(got, want, (size_t)n) != 0)
        return false;
    out->seq[key] = (uint32_t)seq;
    out->total[key] = (uint32_t)total;
    *last = key;
    return true;
}

/* snapshot: NULL: the present. */
static int read_table(sqlite3 *db, const char *schema, const char *name, int table,
                      const char *snapshot, struct table *out, char **why)
{
    sqlite3_stmt *stmt = NULL;
    int last = -1;
    char *sql = sqlite3_mprintf(
        "SELECT k, seq, payload, total FROM %s.%s%s%Q ORDER BY k", schema, name,
        snapshot != NULL ? " WHERE _snapshot = " : " WHERE 'all' = ",
        snapshot != NULL ? snapshot : "all");
    int rc = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL);
    while (rc == SQLITE_OK && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        rc = SQLITE_OK;
        if (!read_row(stmt, table, &last, out)) {
            *why = sqlite3_mprintf(
                "%s.%s: a row that nobody wrote: %s, %lld, %.30s, %lld", schema, name,
                sqlite3_column_text(stmt, 0), sqlite3_column_int64(stmt, 1),
                sqlite3_column_text(stmt, 2), sqlite3_column_int64(stmt, 3));
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
            rc = read_table(db, schema, name, i, NULL, &out[i], why);
    }
    return rc;
}

int model_read_past(sqlite3 *db, const char *schema, int table, const char *snapshot,
                    struct table *out, char **why)
{
    memset(out, 0, sizeof *out);
    *why = NULL;
    return read_table(db, schema, names[table], table, snapshot, out, why);
}
