/* SPDX-License-Identifier: Apache-2.0
 *
 * sql_bench -- a seerdb table beside SQLite's own, through prepared statements, and
 * beside a module that stores nothing (noop.h), which no virtual table can outrun.
 * `make bench` runs it; engine/bench/runner.h says how.
 *
 * All tables: k BLOB PRIMARY KEY of 16 bytes, v BLOB of 100, journal_mode WAL,
 * synchronous NORMAL.  "settled" is after flush and compaction, or after a checkpoint.
 * The first lookups after a load and after settling are a case of their own; the others
 * come after a scan that has brought into memory what finds room there. */
#define _GNU_SOURCE
#include "bench/data.h"
#include "bench/runner.h"
#include "noop.h"

#include <inttypes.h>
#include <string.h>

enum {
    READ_SAMPLING = 4,
    LOOKUPS = 200000,
    FIRST_LOOKUPS = 20000,
    PER_COMMIT = 1000,
    MANY_PER_COMMIT = 100000
};

enum kind { SEERDB, ORDINARY, NOOP };

struct sql_rival {
    enum kind kind;
    const char *create, *setup;
};

struct sql {
    struct bench_job *job; /* borrowed */
    const struct sql_rival *rival;
    sqlite3 *db;
    char dir[1200]; /* removed at close */
    enum bench_key_set keys;
    uint64_t rows, random;
    uint32_t version;
    struct bench_key key; /* what bind_row bound last */
    uint8_t value[BENCH_VALUE];
};

/* ---- statements ---- */

_Noreturn static void die(struct sql *s, const char *what)
{
    bench_die("%s: %s: %s", s->job->rival->name, what, sqlite3_errmsg(s->db));
}

static void run(struct sql *s, const char *text)
{
    if (sqlite3_exec(s->db, text, NULL, NULL, NULL) != SQLITE_OK)
        die(s, text);
}

static sqlite3_stmt *prepare(struct sql *s, const char *text)
{
    sqlite3_stmt *statement;
    if (sqlite3_prepare_v3(s->db, text, -1, SQLITE_PREPARE_PERSISTENT, &statement,
                           NULL) != SQLITE_OK)
        die(s, text);
    return statement;
}

/* The first column of a statement's only row. */
static int64_t number_of(struct sql *s, const char *text)
{
    sqlite3_stmt *statement = prepare(s, text);
    if (sqlite3_step(statement) != SQLITE_ROW)
        die(s, text);
    int64_t n = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return n;
}

static uint64_t at_random(struct sql *s)
{
    return bench_mix(s->random++ * 0x2545f4914f6cdd1du);
}

static uint64_t at_most(uint64_t n, uint64_t limit)
{
    return n < limit ? n : limit;
}

/* Bytes by purpose: of SQLite the pages that it wrote to its log, each with a frame
 * header of 24 bytes; of seerdb its own counters, and the pages of its markers besides.
 */
static void io_of(void *ctx, struct bench_io *io)
{
    struct sql *s = ctx;
    int pages = 0, unused = 0;
    sqlite3_db_status(s->db, SQLITE_DBSTATUS_CACHE_WRITE, &pages, &unused, 0);
    io->log = (double)pages * (4096 + 24);
    if (s->rival->kind != SEERDB)
        return;
    sqlite3_stmt *stats = prepare(s, "SELECT name, value FROM seerdb_stats('t')");
    while (sqlite3_step(stats) == SQLITE_ROW) {
        const char *name = (const char *)sqlite3_column_text(stats, 0);
        double value = sqlite3_column_double(stats, 1);
        if (name == NULL)
            die(s, "seerdb_stats");
        if (strcmp(name, "log_written") == 0)
            io->log += value;
        else if (strcmp(name, "flush_written") == 0)
            io->flush = value;
        else if (strstr(name, "compact") != NULL && strstr(name, "written") != NULL)
            io->compact = value;
        else if (strcmp(name, "runs") == 0 ||
                 (strcmp(name, "tables") == 0 && io->runs <= 0))
            io->runs = value;
    }
    if (sqlite3_finalize(stats) != SQLITE_OK)
        die(s, "seerdb_stats");
}

static void open_database(struct sql *s, struct bench_job *job, const char *name,
                          enum bench_key_set keys)
{
    char path[1300], text[300];
    *s = (struct sql){.job = job, .rival = job->rival->ops, .keys = keys};
    s->random = job->round + 1;
    if (job->options->extension == NULL)
        bench_die("--extension is missing");
    snprintf(s->dir, sizeof s->dir, "%s/%s", job->dir, name);
    bench_make_dir(s->dir);
    snprintf(path, sizeof path, "%s/b.db", s->dir);
    if (sqlite3_open(path, &s->db) != SQLITE_OK)
        die(s, path);
    sqlite3_enable_load_extension(s->db, 1);
    if (s->rival->kind == SEERDB &&
        sqlite3_load_extension(s->db, job->options->extension, NULL, NULL) != SQLITE_OK)
        die(s, job->options->extension);
    if (noop_register(s->db) != SQLITE_OK)
        die(s, "noop");
    run(s, "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;"
           "PRAGMA temp_store = MEMORY");
    run(s, s->rival->setup);
    if (s->rival->kind == NOOP)
        snprintf(text, sizeof text, "%s(%" PRIu64 ")", s->rival->create,
                 job->options->rows);
    else
        snprintf(text, sizeof text, "%s", s->rival->create);
    run(s, text);
    job->io = io_of;
    job->io_ctx = s;
}

static void close_database(struct sql *s)
{
    s->job->io = NULL;
    if (sqlite3_close(s->db) != SQLITE_OK)
        die(s, "close");
    bench_remove_tree(s->dir);
}

/* ---- writing ---- */

static void bind_row(struct sql *s, sqlite3_stmt *statement, uint64_t row)
{
    bench_key_make(s->keys, row, BENCH_HIT, &s->key);
    sqlite3_bind_blob(statement, 1, s->key.bytes, (int)s->key.size, SQLITE_STATIC);
    if (sqlite3_bind_parameter_count(statement) < 2)
        return;
    bench_value_make(s->key.bytes, s->key.size, s->version, s->value);
    sqlite3_bind_blob(statement, 2, s->value, BENCH_VALUE, SQLITE_STATIC);
}

enum pick { PICK_NEW, PICK_ANY, PICK_EVERY_FIFTH };

/* n executions of a statement on one row each. */
static void write_rows(struct sql *s, const char *name, const char *text, uint64_t n,
                       unsigned per_commit, enum pick pick)
{
    struct bench_latency *l = &s->job->latency;
    uint64_t old = s->rows, changed = 0;
    sqlite3_stmt *statement = prepare(s, text);
    s->version += pick == PICK_ANY ? 1 : 0;
    bench_case_begin(s->job, name, 1);
    for (uint64_t done = 0; done < n;) {
        bench_begin(l);
        if (per_commit > 1)
            run(s, "BEGIN");
        for (unsigned i = 0; i < per_commit && done < n; i++, done++) {
            bind_row(s, statement,
                     pick == PICK_NEW   ? s->rows++
                     : pick == PICK_ANY ? at_random(s) % old
                                        : done * 5);
            if (sqlite3_step(statement) != SQLITE_DONE)
                die(s, text);
            changed += (uint64_t)sqlite3_changes(s->db);
            sqlite3_reset(statement);
        }
        if (per_commit > 1)
            run(s, "COMMIT");
        bench_end(l);
    }
    s->job->user_bytes = (double)n * (BENCH_KEY + BENCH_VALUE);
    bench_case_end(s->job, n);
    sqlite3_finalize(statement);
    if (changed != n)
        bench_die("%s: %s: %" PRIu64 " rows changed of %" PRIu64, s->job->rival->name,
                  name, changed, n);
}

#define INSERT  "INSERT INTO t VALUES (?1, ?2)"
#define REPLACE "INSERT OR REPLACE INTO t VALUES (?1, ?2)"
#define UPDATE  "UPDATE t SET v = ?2 WHERE k = ?1"
#define DELETE  "DELETE FROM t WHERE k = ?1"

/* The rows of the table are those of `left` and read back right. */
static void check_rows(struct sql *s, uint64_t left)
{
    if (s->rival->kind == NOOP)
        return;
    int64_t n = number_of(s, "SELECT count(*) FROM t");
    if (n != (int64_t)left)
        bench_die("%s: %" PRId64 " rows, not %" PRIu64, s->job->rival->name, n, left);
    sqlite3_stmt *all = prepare(s, "SELECT k, v FROM t LIMIT 20000");
    while (sqlite3_step(all) == SQLITE_ROW) {
        size_t size = (size_t)sqlite3_column_bytes(all, 0);
        if (size != BENCH_KEY ||
            !bench_value_belongs(sqlite3_column_blob(all, 0), size,
                                 sqlite3_column_blob(all, 1),
                                 (size_t)sqlite3_column_bytes(all, 1)))
            bench_die("%s: a row has a wrong value", s->job->rival->name);
    }
    if (sqlite3_finalize(all) != SQLITE_OK)
        die(s, "SELECT");
}

static void run_write(struct bench_job *job)
{
    struct sql s;
    uint64_t rows = job->options->rows, some = rows / 5, few = rows / 20;
    open_database(&s, job, "random", BENCH_KEYS_RANDOM);
    write_rows(&s, "insert random by 1000", INSERT, rows, PER_COMMIT, PICK_NEW);
    write_rows(&s, "insert random by 1", INSERT, few, 1, PICK_NEW);
    write_rows(&s, "REPLACE by 1000", REPLACE, some, PER_COMMIT, PICK_ANY);
    write_rows(&s, "UPDATE by 1000", UPDATE, some, PER_COMMIT, PICK_ANY);
    write_rows(&s, "UPDATE by 1", UPDATE, few, 1, PICK_ANY);
    write_rows(&s, "DELETE by 1000", DELETE, some, PER_COMMIT, PICK_EVERY_FIFTH);
    check_rows(&s, rows + few - some);
    close_database(&s);
    open_database(&s, job, "random-many", BENCH_KEYS_RANDOM);
    write_rows(&s, "insert random by 100000", INSERT, rows, MANY_PER_COMMIT, PICK_NEW);
    check_rows(&s, rows);
    close_database(&s);
    open_database(&s, job, "rising", BENCH_KEYS_SEQUENTIAL);
    write_rows(&s, "insert sequential by 1000", INSERT, rows, PER_COMMIT, PICK_NEW);
    write_rows(&s, "insert sequential by 1", INSERT, few, 1, PICK_NEW);
    check_rows(&s, rows + few);
    close_database(&s);
    open_database(&s, job, "rising-many", BENCH_KEYS_SEQUENTIAL);
    write_rows(&s, "insert sequential by 100000", INSERT, rows, MANY_PER_COMMIT,
               PICK_NEW);
    check_rows(&s, rows);
    close_database(&s);
}

/* ---- reading ---- */

static void points(struct sql *s, const char *name, enum bench_presence presence,
                   bool in_transaction, uint64_t most)
{
    uint64_t n = at_most(s->rows, most);
    sqlite3_stmt *get = prepare(s, "SELECT v FROM t WHERE k = ?");
    bench_case_begin(s->job, name, READ_SAMPLING);
    if (in_transaction)
        run(s, "BEGIN");
    for (uint64_t i = 0; i < n; i++) {
        struct bench_key *k = &s->key;
        bench_key_make(s->keys, at_random(s) % s->rows, presence, k);
        bench_begin(&s->job->latency);
        sqlite3_bind_blob(get, 1, k->bytes, (int)k->size, SQLITE_STATIC);
        int rc = sqlite3_step(get);
        if (rc != (presence == BENCH_HIT ? SQLITE_ROW : SQLITE_DONE))
            die(s, rc == SQLITE_ROW ? "a row that is not there" : "a row is missing");
        if (rc == SQLITE_ROW && s->rival->kind != NOOP &&
            !bench_value_belongs(k->bytes, k->size, sqlite3_column_blob(get, 0),
                                 (size_t)sqlite3_column_bytes(get, 0)))
            die(s, "a row has a wrong value");
        sqlite3_reset(get);
        bench_end(&s->job->latency);
    }
    if (in_transaction)
        run(s, "COMMIT");
    bench_case_end(s->job, n);
    sqlite3_finalize(get);
}

/* One statement whose first column is the number of rows it met. */
static void whole(struct sql *s, const char *name, const char *text, uint64_t want,
                  int times)
{
    sqlite3_stmt *statement = prepare(s, text);
    bench_case_begin(s->job, name, 1);
    for (int i = 0; i < times; i++) {
        if (sqlite3_step(statement) != SQLITE_ROW)
            die(s, text);
        uint64_t n = (uint64_t)sqlite3_column_int64(statement, 0);
        if (n != want)
            bench_die("%s: %s: %" PRIu64 " rows, not %" PRIu64, s->job->rival->name,
                      text, n, want);
        if (sqlite3_column_count(statement) > 1 &&
            sqlite3_column_int64(statement, 1) != (int64_t)(n * BENCH_VALUE))
            bench_die("%s: %s: a wrong sum", s->job->rival->name, text);
        sqlite3_reset(statement);
    }
    bench_case_end(s->job, want * (uint64_t)times);
    sqlite3_finalize(statement);
}

static void scan(struct sql *s, const char *name)
{
    whole(s, name, "SELECT count(*), sum(length(v)) FROM t", s->rows, 3);
}

/* Reads all rows of a statement into the job's sum, with a last-bit-proof check. */
static uint64_t take_rows(struct sql *s, sqlite3_stmt *statement)
{
    uint64_t rows = 0;
    int rc;
    for (; (rc = sqlite3_step(statement)) == SQLITE_ROW; rows++) {
        const void *k = sqlite3_column_blob(statement, 0),
                   *v = sqlite3_column_blob(statement, 1);
        if (sqlite3_column_bytes(statement, 0) != BENCH_KEY ||
            sqlite3_column_bytes(statement, 1) != BENCH_VALUE)
            die(s, "a row of a wrong size");
        s->job->sum += bench_row_sum(k, v);
    }
    if (rc != SQLITE_DONE)
        die(s, "SELECT");
    sqlite3_reset(statement);
    return rows;
}

/* Keys are uniform, so a hundredth part of the key space per hundred rows of 10,000. */
static void ranges(struct sql *s, const char *name)
{
    uint64_t n = at_most(s->rows / 10, 20000), width = UINT64_MAX / s->rows * 100;
    uint64_t rows = 0;
    uint8_t lower[8], upper[8];
    sqlite3_stmt *range = prepare(s, "SELECT k, v FROM t WHERE k >= ? AND k < ?");
    bench_case_begin(s->job, name, 1);
    for (uint64_t i = 0; i < n; i++) {
        uint64_t from = at_random(s) % (UINT64_MAX - width);
        bench_begin(&s->job->latency);
        bench_put_be64(lower, from);
        bench_put_be64(upper, from + width);
        sqlite3_bind_blob(range, 1, lower, 8, SQLITE_STATIC);
        sqlite3_bind_blob(range, 2, upper, 8, SQLITE_STATIC);
        rows += take_rows(s, range);
        bench_end(&s->job->latency);
    }
    s->job->sum = s->rival->kind == NOOP ? 0 : s->job->sum;
    bench_case_end(s->job, n);
    sqlite3_finalize(range);
    if (rows < n * 80 || rows > n * 120)
        bench_die("%s: %" PRIu64 " rows in %" PRIu64 " ranges of about 100",
                  s->job->rival->name, rows, n);
}

static void tops(struct sql *s, const char *name)
{
    uint64_t n = at_most(s->rows / 10, 20000);
    sqlite3_stmt *top = prepare(s, "SELECT k, v FROM t ORDER BY k DESC LIMIT 100");
    bench_case_begin(s->job, name, 1);
    for (uint64_t i = 0; i < n; i++) {
        bench_begin(&s->job->latency);
        if (take_rows(s, top) != 100)
            die(s, "LIMIT 100 gave another number of rows");
        bench_end(&s->job->latency);
    }
    s->job->sum = s->rival->kind == NOOP ? 0 : s->job->sum;
    bench_case_end(s->job, n);
    sqlite3_finalize(top);
}

static void make_probe(struct sql *s, uint64_t n)
{
    run(s, "CREATE TEMP TABLE probe(k BLOB); BEGIN");
    sqlite3_stmt *insert = prepare(s, "INSERT INTO probe VALUES (?)");
    for (uint64_t i = 0; i < n; i++) {
        bind_row(s, insert, at_random(s) % s->rows);
        if (sqlite3_step(insert) != SQLITE_DONE)
            die(s, "INSERT INTO probe");
        sqlite3_reset(insert);
    }
    sqlite3_finalize(insert);
    run(s, "COMMIT");
}

/* The first lookups, and those that come when what was needed for them is in memory. */
static void hits_in_transaction(struct sql *s, const char *first, const char *name)
{
    points(s, first, BENCH_HIT, true, FIRST_LOOKUPS);
    if (s->rival->kind != NOOP &&
        number_of(s, "SELECT sum(length(v)) FROM t") != (int64_t)s->rows * BENCH_VALUE)
        bench_die("%s: a wrong sum", s->job->rival->name);
    points(s, name, BENCH_HIT, true, LOOKUPS);
}

#define JOIN                                                                           \
    "SELECT count(*), sum(length(t.v)) FROM probe CROSS JOIN t ON t.k = probe.k"

/* An older extension does not know "compact"; any other failure ends the bench. */
static void settle(struct sql *s)
{
    if (s->rival->kind == ORDINARY)
        run(s, "PRAGMA wal_checkpoint(TRUNCATE)");
    if (s->rival->kind != SEERDB)
        return;
    run(s, "SELECT seerdb('t', 'flush')");
    if (sqlite3_exec(s->db, "SELECT seerdb('t', 'compact')", NULL, NULL, NULL) !=
            SQLITE_OK &&
        strstr(sqlite3_errmsg(s->db), "unknown command") == NULL)
        die(s, "compact");
}

static void run_read(struct bench_job *job)
{
    struct sql s;
    uint64_t rows = job->options->rows, lookups = at_most(rows, LOOKUPS);
    open_database(&s, job, "read", BENCH_KEYS_RANDOM);
    write_rows(&s, "load random by 100000", INSERT, rows, MANY_PER_COMMIT, PICK_NEW);
    make_probe(&s, lookups);
    hits_in_transaction(&s, "first point hits, as filled",
                        "point hit in BEGIN, as filled");
    whole(&s, "join of 200,000, as filled", JOIN, lookups, 1);
    scan(&s, "full scan, as filled");
    if (s.rival->kind != NOOP) {
        bench_case_begin(job, "settling", 1);
        settle(&s);
        bench_case_end(job, 1);
    }
    hits_in_transaction(&s, "first point hits", "point hit in BEGIN");
    points(&s, "point miss in BEGIN", BENCH_MISS, true, LOOKUPS);
    points(&s, "point hit, autocommit", BENCH_HIT, false, LOOKUPS);
    points(&s, "point miss, autocommit", BENCH_MISS, false, LOOKUPS);
    whole(&s, "join of 200,000", JOIN, lookups, 1);
    ranges(&s, "range of 100");
    tops(&s, "ORDER BY LIMIT 100");
    scan(&s, "full scan");
    whole(&s, "count(*)", "SELECT count(*) FROM t", rows, 3);
    close_database(&s);
}

/* ---- the program ---- */

#define COLUMNS "t(k BLOB PRIMARY KEY, v BLOB)"

static const struct sql_rival seerdb = {
    SEERDB, "CREATE VIRTUAL TABLE t USING seerdb(k BLOB PRIMARY KEY, v BLOB)", ""};
static const struct sql_rival without_rowid = {
    ORDINARY, "CREATE TABLE " COLUMNS " WITHOUT ROWID", ""};
static const struct sql_rival large_cache = {
    ORDINARY, "CREATE TABLE " COLUMNS " WITHOUT ROWID", "PRAGMA cache_size = -262144"};
static const struct sql_rival rowid = {ORDINARY, "CREATE TABLE " COLUMNS, ""};
static const struct sql_rival noop = {NOOP, "CREATE VIRTUAL TABLE t USING noop", ""};

static const struct bench_rival rivals[] = {
    {"seerdb", "a seerdb table, memory_limit 256 MB, its default compression", &seerdb,
     0},
    {"without-rowid", "an ordinary WITHOUT ROWID table, SQLite's default cache of 2 MB",
     &without_rowid, 0},
    {"wr-256MB", "the same with a page cache of 256 MB; one round", &large_cache, 1},
    {"rowid",
     "an ordinary rowid table with its automatic index, default cache; one round",
     &rowid, 1},
    {"noop", "a module that stores nothing: the ceiling for any virtual table", &noop,
     0},
};

static const struct bench_target targets[] = {
    {"sql-write", "insert random by 1000", BENCH_AT_LEAST, "without-rowid", 12,
     1000000},
    {"sql-write", "UPDATE by 1000", BENCH_AT_LEAST, "without-rowid", 5, 1000000},
    {"sql-write", "DELETE by 1000", BENCH_AT_LEAST, "without-rowid", 6, 1000000},
    {"sql-read", "point hit in BEGIN", BENCH_AT_LEAST, "without-rowid", 2, 1000000},
    {"sql-read", "point hit, autocommit", BENCH_AT_LEAST, "without-rowid", 1.3,
     1000000},
    {"sql-read", "join of 200,000", BENCH_AT_LEAST, "without-rowid", 2, 1000000},
    {"sql-read", "full scan", BENCH_AT_LEAST, "without-rowid", 1.2, 1000000},
    {"sql-read", "range of 100", BENCH_AT_LEAST, "without-rowid", 1.4, 1000000},
    {"sql-read", "count(*)", BENCH_AT_LEAST, "without-rowid", 1, 1000000},
};

int main(int argc, char **argv)
{
    static const struct bench_group groups[] = {
        {"sql-write", "rows a second; latencies of one transaction", 0, run_write, NULL,
         NULL},
        {"sql-read", "rows or statements a second; settled unless it says as filled", 0,
         run_read, NULL, NULL},
    };
    struct bench_program program = {
        .name = "sql",
        .rivals = rivals,
        .nrivals = sizeof rivals / sizeof rivals[0],
        .groups = groups,
        .ngroups = sizeof groups / sizeof groups[0],
        .targets = targets,
        .ntargets = sizeof targets / sizeof targets[0],
        .about =
            "SQL: keys of 16 bytes, values of 100 that compress to half; WAL, NORMAL"};
    return bench_main(&program, argc, argv);
}
