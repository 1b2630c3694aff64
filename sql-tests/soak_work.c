/* SPDX-License-Identifier: Apache-2.0
 *
 * Each seerdb table x has an ordinary one beside it, o_x, that is the model: whatever
 * statement is run on one is run on the other, and results and errors must be the same.
 * So the model lives as long as the database does, and no round needs to know what the
 * rounds before it did.
 *
 *     n(k INTEGER PRIMARY KEY, v, w)
 *     s(k TEXT PRIMARY KEY, v, w)
 *     c(p, q, v, w, PRIMARY KEY(p, q DESC))
 *     e(k INTEGER PRIMARY KEY, v, w), ttl = w: a trigger of o_e takes what expires
 *     m(k INTEGER PRIMARY KEY, v, w), MERGE append and add: upserts of o_m
 *     done(k INTEGER PRIMARY KEY, n): how many transactions there were
 *
 * A named snapshot of x has an ordinary table as its model, too, a copy of o_x that is
 * made just before; `kept` says which snapshots there are.  When a process died between
 * the two, the next one forgets that one. */
#define _POSIX_C_SOURCE 200809L
#include "soak.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { KEYS = 4000, SIDES = 2 };

/* ?1: key, ?2: another key or a number, ?3: payload.  %s is the table. */
struct statement {
    unsigned weight;
    const char *sql;
    bool reads; /* rows are compared, in order */
    bool must_not_fail;
    const char *theirs; /* on the ordinary table; NULL: the same */
};

struct kind {
    const char *name, *columns, *ordinary, *order, *backward;
    const struct statement *statements;
    const char *option, *trigger;
};

#define NK  "?1"
#define NK2 "?2"
#define SK  "printf('key%05d', ?1)"
#define SK2 "printf('key%05d', ?2)"
#define CK  "p = ?1 % 40 AND q = 'q' || (?1 / 40)"

static const struct statement of_n[] = {
    {30, "INSERT OR REPLACE INTO %s(k, v, w) VALUES (" NK ", ?3, ?2)", false, true,
     NULL},
    {8, "INSERT INTO %s(k, v, w) VALUES (" NK ", ?3, ?2)", false, false, NULL},
    {4, "INSERT OR IGNORE INTO %s(k, v, w) VALUES (" NK ", ?3, ?2)", false, true, NULL},
    {12, "UPDATE %s SET w = w + 1 WHERE k = " NK, false, true, NULL},
    {6, "UPDATE %s SET v = ?3 WHERE k = " NK, false, true, NULL},
    {3, "UPDATE %s SET w = w + 1 WHERE k BETWEEN " NK " AND " NK " + 30", false, true,
     NULL},
    {3, "UPDATE OR REPLACE %s SET k = " NK2 " WHERE k = " NK, false, true, NULL},
    {10, "DELETE FROM %s WHERE k = " NK, false, true, NULL},
    {2, "DELETE FROM %s WHERE k BETWEEN " NK " AND " NK " + 40", false, true, NULL},
    {15, "SELECT k, v, w FROM %s WHERE k = " NK, true, true, NULL},
    {4, "SELECT k, length(v), w FROM %s WHERE k >= " NK " ORDER BY k LIMIT 20", true,
     true, NULL},
    {3, "SELECT k, w FROM %s WHERE k < " NK " ORDER BY k DESC LIMIT 20", true, true,
     NULL},
    {0, NULL, false, false, NULL}};

static const struct statement of_s[] = {
    {30, "INSERT OR REPLACE INTO %s(k, v, w) VALUES (" SK ", ?3, ?2)", false, true,
     NULL},
    {8, "INSERT INTO %s(k, v, w) VALUES (" SK ", ?3, ?2)", false, false, NULL},
    {12, "UPDATE %s SET w = w + 1 WHERE k = " SK, false, true, NULL},
    {3, "UPDATE %s SET w = w + 1 WHERE k BETWEEN " SK " AND " SK " || '~'", false, true,
     NULL},
    {3, "UPDATE OR IGNORE %s SET k = " SK2 " WHERE k = " SK, false, true, NULL},
    {10, "DELETE FROM %s WHERE k = " SK, false, true, NULL},
    {2,
     "DELETE FROM %s WHERE k BETWEEN " SK " AND substr(" SK2 ", 1, 7) AND k < " SK
     " || '9'",
     false, true, NULL},
    {15, "SELECT k, v, w FROM %s WHERE k = " SK, true, true, NULL},
    {4, "SELECT k, length(v), w FROM %s WHERE k >= " SK " ORDER BY k LIMIT 20", true,
     true, NULL},
    {2, "SELECT count(*), sum(w) FROM %s WHERE k GLOB substr(" SK ", 1, 6) || '*'",
     true, true, NULL},
    {0, NULL, false, false, NULL}};

static const struct statement of_c[] = {
    {30,
     "INSERT OR REPLACE INTO %s(p, q, v, w) VALUES (?1 % 40, 'q' || (?1 / 40), ?3, ?2)",
     false, true, NULL},
    {6, "INSERT INTO %s(p, q, v, w) VALUES (?1 % 40, 'q' || (?1 / 40), ?3, ?2)", false,
     false, NULL},
    {12, "UPDATE %s SET w = w + 1 WHERE " CK, false, true, NULL},
    {2, "UPDATE %s SET v = ?3 WHERE p = ?1 % 40 AND q < 'q2'", false, true, NULL},
    {10, "DELETE FROM %s WHERE " CK, false, true, NULL},
    {1, "DELETE FROM %s WHERE p = ?1 % 40 AND q > 'q5'", false, true, NULL},
    {15, "SELECT p, q, v, w FROM %s WHERE " CK, true, true, NULL},
    {4, "SELECT p, q, w FROM %s WHERE p = ?1 % 40 ORDER BY p, q DESC LIMIT 20", true,
     true, NULL},
    {2, "SELECT p, q, w FROM %s WHERE p >= ?1 % 40 ORDER BY p DESC, q LIMIT 20", true,
     true, NULL},
    {0, NULL, false, false, NULL}};

#define DUE "CASE ?2 % 3 WHEN 0 THEN 1 WHEN 1 THEN NULL ELSE 99999999999 + ?2 END"

static const struct statement of_e[] = {
    {30, "INSERT OR REPLACE INTO %s(k, v, w) VALUES (?1, ?3, " DUE ")", false, true,
     NULL},
    {6, "INSERT OR IGNORE INTO %s(k, v, w) VALUES (?1, ?3, " DUE ")", false, true,
     NULL},
    {6, "UPDATE %s SET w = " DUE " WHERE k = ?1", false, true, NULL},
    {3, "UPDATE %s SET w = 1 WHERE k BETWEEN ?1 AND ?1 + 20", false, true, NULL},
    {3, "UPDATE %s SET v = ?3 WHERE k BETWEEN ?1 AND ?1 + 3", false, true, NULL},
    {8, "DELETE FROM %s WHERE k = ?1", false, true, NULL},
    {2, "DELETE FROM %s WHERE k BETWEEN ?1 AND ?1 + 40", false, true, NULL},
    {15, "SELECT k, v, w FROM %s WHERE k = ?1", true, true, NULL},
    {4, "SELECT k, length(v), w FROM %s WHERE k >= ?1 ORDER BY k LIMIT 20", true, true,
     NULL},
    {3, "SELECT k, w FROM %s WHERE k < ?1 ORDER BY k DESC LIMIT 20", true, true, NULL},
    {0, NULL, false, false, NULL}};

#define GONE_OF_E                                                                      \
    "CREATE TRIGGER e_made AFTER INSERT ON o_e WHEN new.w = 1 BEGIN "                  \
    "DELETE FROM o_e WHERE k = new.k; END; "                                           \
    "CREATE TRIGGER e_changed AFTER UPDATE ON o_e WHEN new.w = 1 BEGIN "               \
    "DELETE FROM o_e WHERE k = new.k; END; "

/* On o_m an upsert does what a merge does. */
#define TEXT_OF_M "substr(hex(?3), 1, 6)"

static const struct statement of_m[] = {
    {40, "INSERT INTO %s(k, v, w, _op) VALUES (?1 % 500, " TEXT_OF_M ", ?2, 'merge')",
     false, true,
     "INSERT INTO %s(k, v, w) VALUES (?1 % 500, " TEXT_OF_M ", ?2) ON CONFLICT(k) DO "
     "UPDATE SET v = v || ',' || excluded.v, w = w + excluded.w"},
    {8, "INSERT OR REPLACE INTO %s(k, v, w) VALUES (?1 % 500, " TEXT_OF_M ", ?2)",
     false, true, NULL},
    {8, "UPDATE %s SET w = w - 1 WHERE k = ?1 % 500", false, true, NULL},
    {8, "DELETE FROM %s WHERE k = ?1 % 500", false, true, NULL},
    {2, "DELETE FROM %s WHERE k BETWEEN ?1 % 500 AND ?1 % 500 + 30", false, true, NULL},
    {15, "SELECT k, v, w FROM %s WHERE k = ?1 % 500", true, true, NULL},
    {4, "SELECT k, v, w FROM %s WHERE k >= ?1 % 500 ORDER BY k LIMIT 20", true, true,
     NULL},
    {0, NULL, false, false, NULL}};

static const struct kind kinds[] = {
    {"n", "k INTEGER PRIMARY KEY, v, w", "(k INTEGER PRIMARY KEY, v, w)", "k", "k DESC",
     of_n, "", ""},
    {"s", "k TEXT PRIMARY KEY, v, w", "(k TEXT PRIMARY KEY, v, w) WITHOUT ROWID", "k",
     "k DESC", of_s, "", ""},
    {"c", "p INTEGER, q TEXT, v, w, PRIMARY KEY(p, q DESC)",
     "(p INTEGER, q TEXT, v, w, PRIMARY KEY(p, q DESC)) WITHOUT ROWID", "p, q DESC",
     "p DESC, q", of_c, "", ""},
    {"e", "k INTEGER PRIMARY KEY, v, w", "(k INTEGER PRIMARY KEY, v, w)", "k", "k DESC",
     of_e, ", ttl = w", GONE_OF_E},
    {"m", "k INTEGER PRIMARY KEY, v TEXT MERGE append(','), w INTEGER MERGE add",
     "(k INTEGER PRIMARY KEY, v TEXT, w INTEGER)", "k", "k DESC", of_m, "", ""},
};
enum { KINDS = sizeof kinds / sizeof kinds[0] };

/* Options of a table, of which each is given or not. */
static const char *const choices[][4] = {
    {"compression='none'", "compression='zstd'", "compression='zstd:3'", NULL},
    {"compaction='leveled'", "compaction='lazy'", "compaction='tiered'", NULL},
    {"filter_bits=0", "filter_bits=4", "filter_bits=14", NULL},
    {"index='binary'", "index='learned'", NULL, NULL},
    {"mmap=1", NULL, NULL, NULL},
    {"value_log=512", "value_log='4KB'", "value_log=off", NULL},
};
enum { CHOICES = sizeof choices / sizeof choices[0] };

static uint64_t below(struct work *w, uint64_t n)
{
    return sdb_rand_below(&w->r, n);
}

/* ---- the database -----------------------------------------------------------------
 */

static void run(struct work *w, const char *sql)
{
    char *message = NULL;
    if (sqlite3_exec(w->db, sql, NULL, NULL, &message) != SQLITE_OK) {
        if (w->soak->may_fail)
            _exit(0); /* the next round finds what is there */
        soak_fail(sql, message != NULL ? message : "failed");
    }
}

static int64_t number_of(struct work *w, const char *sql)
{
    sqlite3_stmt *stmt = NULL;
    int64_t n = 0;
    if (sqlite3_prepare_v2(w->db, sql, -1, &stmt, NULL) != SQLITE_OK ||
        sqlite3_step(stmt) != SQLITE_ROW) {
        if (w->soak->may_fail)
            _exit(0);
        soak_fail(sql, sqlite3_errmsg(w->db));
    }
    n = sqlite3_column_int64(stmt, 0);
    sqlite3_finalize(stmt);
    return n;
}

void soak_open(struct work *w, const struct soak *s)
{
    char *message = NULL, sql[200];
    *w = (struct work){.soak = s, .r = {s->seed * 1000003 + s->round}};
    if (sqlite3_open(s->path, &w->db) != SQLITE_OK)
        soak_fail(s->path, sqlite3_errmsg(w->db));
    sqlite3_busy_timeout(w->db, 10000);
    sqlite3_enable_load_extension(w->db, 1);
    if (sqlite3_load_extension(w->db, s->extension, NULL, &message) != SQLITE_OK)
        soak_fail(s->extension, message);
    snprintf(sql, sizeof sql,
             "PRAGMA journal_mode = %s; PRAGMA synchronous = %s; "
             "PRAGMA wal_autocheckpoint = %d; PRAGMA cache_size = -1000",
             below(w, 4) == 0 ? "DELETE" : "WAL", below(w, 3) == 0 ? "FULL" : "NORMAL",
             (int)(10 + below(w, 1000)));
    run(w, sql);
}

void soak_close(struct work *w)
{
    for (int i = 0; i < KINDS; i++) {
        for (int k = 0; w->table[i].statements != NULL && k < 64; k++)
            sqlite3_finalize(w->table[i].statements[k]);
        free(w->table[i].statements);
    }
    if (sqlite3_close(w->db) != SQLITE_OK)
        soak_fail("sqlite3_close", sqlite3_errmsg(w->db));
    w->db = NULL;
}

static bool has_table(struct work *w, const char *name)
{
    char sql[120];
    snprintf(sql, sizeof sql, "SELECT count(*) FROM sqlite_schema WHERE name = '%s'",
             name);
    return number_of(w, sql) != 0;
}

/* Both sides in one transaction. */
static void create_pair(struct work *w, const struct kind *k)
{
    char sql[1600];
    int n = snprintf(sql, sizeof sql,
                     "BEGIN IMMEDIATE; CREATE TABLE o_%s%s; %sCREATE VIRTUAL TABLE %s "
                     "USING seerdb(%s%s, memory_limit='2MB'%s",
                     k->name, k->ordinary, k->trigger, k->name, k->columns, k->option,
                     w->soak->seed % 2 == 0 ? ", history=0" : ""); /* of the store */
    for (int i = 0; i < CHOICES; i++) {
        int count = 0;
        while (count < 4 && choices[i][count] != NULL)
            count++;
        uint64_t dice = below(w, (uint64_t)count + 1);
        if (dice < (uint64_t)count)
            n += snprintf(sql + n, sizeof sql - (size_t)n, ", %s", choices[i][dice]);
    }
    snprintf(sql + n, sizeof sql - (size_t)n, "); COMMIT");
    run(w, sql);
}

void soak_create(struct work *w)
{
    static const struct kind counter = {.name = "done",
                                        .columns = "k INTEGER PRIMARY KEY, n",
                                        .ordinary = "(k INTEGER PRIMARY KEY, n)",
                                        .option = "",
                                        .trigger = ""};
    if (!has_table(w, "done")) {
        create_pair(w, &counter);
        run(w, "BEGIN IMMEDIATE; INSERT INTO done VALUES (1, 0); "
               "INSERT INTO o_done VALUES (1, 0); "
               "CREATE TABLE kept(name TEXT PRIMARY KEY, tab TEXT); COMMIT");
    }
    for (int i = 0; i < KINDS; i++)
        if (!has_table(w, kinds[i].name))
            create_pair(w, &kinds[i]);
}

/* ---- statements on both sides ------------------------------------------------------
 */

static sqlite3_stmt *prepared(struct work *w, int table, int which, int side)
{
    if (w->table[table].statements == NULL &&
        (w->table[table].statements = calloc(64, sizeof(sqlite3_stmt *))) == NULL)
        soak_fail("calloc", "no memory");
    sqlite3_stmt **at = &w->table[table].statements[2 * which + side];
    if (*at == NULL) {
        const struct kind *k = &kinds[table];
        const struct statement *s = &k->statements[which];
        const char *sql = side == 1 && s->theirs != NULL ? s->theirs : s->sql;
        const char *hole = strstr(sql, "%s");
        char text[400], name[20];
        snprintf(name, sizeof name, "%s%s", side == 0 ? "" : "o_", k->name);
        snprintf(text, sizeof text, "%.*s%s%s", (int)(hole - sql), sql, name, hole + 2);
        if (sqlite3_prepare_v3(w->db, text, -1, SQLITE_PREPARE_PERSISTENT, at, NULL) !=
            SQLITE_OK) {
            if (w->soak->may_fail)
                _exit(0);
            soak_fail(text, sqlite3_errmsg(w->db));
        }
    }
    return *at;
}

/* Mostly short; now and then as large as a page, or as what lives in files of its own.
 */
static int payload(struct work *w, unsigned char *out, int room)
{
    uint64_t dice = below(w, 400);
    int size = (int)below(w, dice == 0 ? (uint64_t)room : dice < 8 ? 8000 : 120);
    uint64_t bits = sdb_rand_next(&w->r), mix = below(w, 2) == 0 ? 0x0f : 0xff;
    for (int i = 0; i < size; i++)
        out[i] = (unsigned char)((bits = bits * 6364136223846793005u + 1) >> 56 & mix);
    return size;
}

static bool same_column(sqlite3_stmt *a, sqlite3_stmt *b, int i)
{
    int type = sqlite3_column_type(a, i);
    if (type != sqlite3_column_type(b, i))
        return false;
    if (type == SQLITE_INTEGER)
        return sqlite3_column_int64(a, i) == sqlite3_column_int64(b, i);
    if (type == SQLITE_NULL)
        return true;
    const void *x = sqlite3_column_blob(a, i), *y = sqlite3_column_blob(b, i);
    int n = sqlite3_column_bytes(a, i);
    return n == sqlite3_column_bytes(b, i) && (n == 0 || memcmp(x, y, (size_t)n) == 0);
}

/* Step both to their end.  Answers how ours ended. */
static int step_both(struct work *w, sqlite3_stmt *ours, sqlite3_stmt *theirs)
{
    for (;;) {
        int rc = sqlite3_step(ours), columns = sqlite3_column_count(ours);
        /* The failure may have rolled back all: the other one would stand alone. */
        if (w->soak->may_fail && rc != SQLITE_ROW && rc != SQLITE_DONE &&
            rc != SQLITE_CONSTRAINT)
            return rc;
        int want = sqlite3_step(theirs);
        if (rc != want) {
            char why[600];
            snprintf(why, sizeof why, "answers %d %.400s, the ordinary table %d", rc,
                     sqlite3_errmsg(w->db), want);
            soak_fail(sqlite3_sql(ours), why);
        }
        if (rc != SQLITE_ROW)
            return rc;
        for (int i = 0; i < columns; i++)
            if (!same_column(ours, theirs, i))
                soak_fail(sqlite3_expanded_sql(ours),
                          "another row than of the ordinary table");
    }
}

/* A random statement on both sides.  False: a step of ours failed, as it may. */
static bool operate(struct work *w)
{
    static unsigned char bytes[100000];
    int table = (int)below(w, KINDS), which = 0;
    const struct statement *all = kinds[table].statements;
    unsigned total = 0;
    for (int i = 0; all[i].sql != NULL; i++)
        total += all[i].weight;
    uint64_t dice = below(w, total);
    while (dice >= all[which].weight)
        dice -= all[which++].weight;
    int key = (int)below(w, KEYS), other = (int)below(w, KEYS);
    int size = payload(w, bytes, sizeof bytes);
    sqlite3_stmt *stmts[SIDES];
    for (int side = 0; side < SIDES; side++) {
        sqlite3_stmt *stmt = stmts[side] = prepared(w, table, which, side);
        if (sqlite3_bind_parameter_count(stmt) >= 1)
            sqlite3_bind_int(stmt, 1, key);
        if (sqlite3_bind_parameter_count(stmt) >= 2)
            sqlite3_bind_int(stmt, 2, other);
        if (sqlite3_bind_parameter_count(stmt) >= 3)
            sqlite3_bind_blob(stmt, 3, bytes, size, SQLITE_STATIC);
    }
    int rc = step_both(w, stmts[0], stmts[1]);
    sqlite3_reset(stmts[0]);
    sqlite3_reset(stmts[1]);
    w->operations++;
    if (rc != SQLITE_DONE && rc != SQLITE_CONSTRAINT && w->soak->may_fail)
        return false;
    if (rc != SQLITE_DONE && (all[which].must_not_fail || rc != SQLITE_CONSTRAINT))
        soak_fail(sqlite3_sql(stmts[0]), sqlite3_errmsg(w->db));
    return true;
}

/* Outside of a transaction. */
static void maintain(struct work *w)
{
    static const char *const commands[] = {"flush", "compact",  "verify",  "pause",
                                           "gc",    "continue", "continue"};
    char sql[100];
    snprintf(sql, sizeof sql, "SELECT seerdb('%s', '%s')", kinds[below(w, KINDS)].name,
             commands[below(w, sizeof commands / sizeof commands[0])]);
    if (strstr(sql, "compact") != NULL || strstr(sql, "gc") != NULL)
        run(w, "SELECT seerdb('n', 'continue')");
    run(w, sql);
}

/* ---- named snapshots ----------------------------------------------------------------
 */

static void drop_snapshot(struct work *w, const char *table, const char *name)
{
    char sql[300];
    snprintf(sql, sizeof sql, "SELECT seerdb('%s', 'drop_snapshot', '%s')", table,
             name);
    run(w, sql);
}

static void forget_copy(struct work *w, const char *table, const char *name)
{
    char sql[300];
    snprintf(sql, sizeof sql,
             "BEGIN IMMEDIATE; DROP TABLE copy_%s_%s; DELETE FROM kept WHERE name = "
             "'%s_%s'; COMMIT",
             table, name, table, name);
    run(w, sql);
}

static bool is_kept(struct work *w, const char *table, const char *name)
{
    char sql[200];
    snprintf(sql, sizeof sql, "SELECT count(*) FROM kept WHERE name = '%s_%s'", table,
             name);
    return number_of(w, sql) != 0;
}

static bool has_snapshot(struct work *w, const char *table, const char *name)
{
    char sql[200];
    snprintf(sql, sizeof sql,
             "SELECT count(*) FROM seerdb_snapshots('%s') WHERE name = '%s'", table,
             name);
    return number_of(w, sql) != 0;
}

static const char *const snapshots[] = {"a", "b", "c"};
enum { SNAPSHOTS = sizeof snapshots / sizeof snapshots[0] };

/* Take one, or drop it. */
static void change_snapshot(struct work *w)
{
    const char *table = kinds[below(w, KINDS)].name;
    const char *name = snapshots[below(w, SNAPSHOTS)];
    char sql[400];
    if (is_kept(w, table, name)) {
        drop_snapshot(w, table, name);
        forget_copy(w, table, name);
        return;
    }
    snprintf(sql, sizeof sql,
             "BEGIN IMMEDIATE; CREATE TABLE copy_%s_%s AS SELECT * FROM o_%s; "
             "INSERT INTO kept VALUES ('%s_%s', '%s'); COMMIT",
             table, name, table, table, name, table);
    run(w, sql);
    snprintf(sql, sizeof sql, "SELECT seerdb('%s', 'snapshot', '%s')", table, name);
    run(w, sql);
}

/* After a death: a copy without a snapshot. */
static void mend_snapshots(struct work *w)
{
    for (int i = 0; i < KINDS * SNAPSHOTS; i++) {
        const char *table = kinds[i / SNAPSHOTS].name, *name = snapshots[i % SNAPSHOTS];
        if (!has_table(w, table))
            continue;
        bool kept = is_kept(w, table, name), there = has_snapshot(w, table, name);
        if (there && !kept)
            soak_fail(name, "a snapshot that was dropped is there");
        if (kept && !there)
            forget_copy(w, table, name);
    }
}

/* The statements that are prepared know the old table. */
static void make_anew(struct work *w)
{
    const struct kind *k = &kinds[below(w, KINDS)];
    char sql[200];
    for (int i = 0; i < SNAPSHOTS; i++)
        if (is_kept(w, k->name, snapshots[i])) {
            drop_snapshot(w, k->name, snapshots[i]);
            forget_copy(w, k->name, snapshots[i]);
        }
    snprintf(sql, sizeof sql, "BEGIN IMMEDIATE; DROP TABLE %s; DROP TABLE o_%s; COMMIT",
             k->name, k->name);
    run(w, sql);
    create_pair(w, k);
}

bool soak_transaction(struct work *w)
{
    uint64_t n = 1 + below(w, below(w, 20) == 0 ? 2000 : 40);
    bool nested = false;
    /* After a commit that failed nobody knows how it ended before the next one: until
     * then a table may have to stay in the log. */
    if (below(w, 300) == 0 && w->decided)
        maintain(w);
    if (below(w, 400) == 0)
        change_snapshot(w);
    if (below(w, 5000) == 0)
        make_anew(w);
    run(w, "BEGIN IMMEDIATE");
    for (uint64_t i = 0; i < n; i++) {
        if (!nested && below(w, 30) == 0) {
            run(w, "SAVEPOINT a");
            nested = true;
        } else if (nested && below(w, 10) == 0) {
            run(w, below(w, 2) == 0 ? "ROLLBACK TO a; RELEASE a" : "RELEASE a");
            nested = false;
        }
        if (!operate(w)) {
            sqlite3_exec(w->db, "ROLLBACK", NULL, NULL, NULL);
            return false;
        }
    }
    if (below(w, 12) == 0) {
        run(w, "ROLLBACK");
        return false;
    }
    run(w, "UPDATE done SET n = n + 1; UPDATE o_done SET n = n + 1; COMMIT");
    w->commits++;
    return true;
}

uint64_t soak_transactions(struct work *w)
{
    if (!has_table(w, "done"))
        return 0;
    int64_t ours = number_of(w, "SELECT coalesce(max(n), 0) FROM done");
    int64_t theirs = number_of(w, "SELECT coalesce(max(n), 0) FROM o_done");
    if (ours != theirs)
        soak_fail("done", "differs from the ordinary table");
    return (uint64_t)ours;
}

/* Both queries must give the same rows. */
static void compare(struct work *w, const char *ours, const char *theirs)
{
    sqlite3_stmt *stmts[SIDES] = {NULL, NULL};
    if (sqlite3_prepare_v2(w->db, ours, -1, &stmts[0], NULL) != SQLITE_OK ||
        sqlite3_prepare_v2(w->db, theirs, -1, &stmts[1], NULL) != SQLITE_OK ||
        step_both(w, stmts[0], stmts[1]) != SQLITE_DONE)
        soak_fail(ours, sqlite3_errmsg(w->db));
    sqlite3_finalize(stmts[0]);
    sqlite3_finalize(stmts[1]);
}

static void compare_snapshots(struct work *w, const struct kind *k)
{
    char ours[300], theirs[300];
    for (int j = 0; j < SNAPSHOTS; j++) {
        if (!is_kept(w, k->name, snapshots[j]))
            continue;
        snprintf(ours, sizeof ours,
                 "SELECT * FROM %s WHERE _snapshot = '%s' ORDER BY %s", k->name,
                 snapshots[j], k->order);
        snprintf(theirs, sizeof theirs, "SELECT * FROM copy_%s_%s ORDER BY %s", k->name,
                 snapshots[j], k->order);
        compare(w, ours, theirs);
    }
}

void soak_compare(struct work *w)
{
    char ours[300], theirs[300];
    if (!has_table(w, "done"))
        return;
    mend_snapshots(w);
    run(w, "BEGIN");
    for (int i = 0; i < KINDS; i++) {
        const struct kind *k = &kinds[i];
        if (!has_table(w, k->name))
            continue;
        for (int backward = 0; backward < 2; backward++) {
            const char *order = backward ? k->backward : k->order;
            snprintf(ours, sizeof ours, "SELECT * FROM %s ORDER BY %s", k->name, order);
            snprintf(theirs, sizeof theirs, "SELECT * FROM o_%s ORDER BY %s", k->name,
                     order);
            compare(w, ours, theirs);
        }
        compare_snapshots(w, k);
    }
    run(w, "COMMIT");
}
