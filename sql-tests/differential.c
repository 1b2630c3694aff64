/* SPDX-License-Identifier: Apache-2.0
 *
 * differential -- the same random SQL on a seerdb table and on an ordinary one.
 *
 *     cc -O2 -o differential differential.c generate.c -lsqlite3
 *     ./differential [--seeds A-B] [--statements N] [--minimise] [--plain] [--print]
 *                    [--extension PATH]      default ./seerdb, or $SEERDB
 *
 * Two databases hold a table t each, one of seerdb and one of SQLite's own with the
 * same columns and key.  Every statement runs on both; rows (in sequence where the
 * order is total), types, result codes, messages, changes(), last_insert_rowid() and
 * whether a transaction is open must agree.  Speaks TAP: a test is a seed.  The first
 * difference is printed with the script that leads to it, for the sqlite3 shell, and
 * ends the run; --minimise drops statements from that script while a difference stays.
 *
 * --plain compares an ordinary table with another: the generator must never make a
 * script on which those differ.  --print prints the script of the first seed and runs
 * nothing. The same seed makes the same script everywhere. */
#define _XOPEN_SOURCE 700
#include "generate.h"

#include <dirent.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct options {
    uint64_t first_seed, last_seed;
    size_t statements;
    bool minimise, plain, print;
    const char *extension;
};

/* One database and its two connections. */
struct side {
    bool seerdb;
    const char *path;
    sqlite3 *db[2];
};

/* What one statement did on one side. */
struct outcome {
    int rc;
    struct text message;
    char **rows; /* owned, each a line */
    size_t nrows, capacity;
    int autocommit, changes;
    int64_t last_rowid;
};

/* ---- one side -------------------------------------------------------------- */

static void exec_or_die(sqlite3 *db, const char *sql)
{
    char *message = NULL;
    if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK) {
        fprintf(stderr, "%s: %s\n", sql, message);
        exit(2);
    }
}

static sqlite3 *open_connection(const struct options *o, const struct side *side)
{
    sqlite3 *db = NULL;
    char *message = NULL;
    if (sqlite3_open(side->path, &db) != SQLITE_OK) {
        fprintf(stderr, "%s: %s\n", side->path, sqlite3_errmsg(db));
        exit(2);
    }
    exec_or_die(db, "PRAGMA synchronous = OFF");
    sqlite3_enable_load_extension(db, 1);
    if (side->seerdb &&
        sqlite3_load_extension(db, o->extension, NULL, &message) != SQLITE_OK) {
        fprintf(stderr, "%s: %s\n", o->extension, message);
        exit(2);
    }
    return db;
}

static void side_open(const struct options *o, const struct script *s,
                      struct side *side)
{
    side->db[0] = open_connection(o, side);
    if (s->wal && !s->in_memory)
        exec_or_die(side->db[0], "PRAGMA journal_mode = WAL");
    if (!s->in_memory)
        side->db[1] = open_connection(o, side);
}

static void side_close(struct side *side)
{
    for (int i = 1; i >= 0; i--) {
        if (sqlite3_close(side->db[i]) != SQLITE_OK)
            fprintf(stderr, "sqlite3_close: %s\n", sqlite3_errmsg(side->db[i]));
        side->db[i] = NULL;
    }
}

static void add_bytes(struct text *out, const unsigned char *p, int n)
{
    for (int i = 0; i < n && i < 60; i++) {
        if (p[i] >= ' ' && p[i] < 127 && p[i] != '\\')
            text_add(out, "%c", p[i]);
        else
            text_add(out, "\\%02x", p[i]);
    }
    uint64_t sum = 14695981039346656037u;
    for (int i = 0; i < n; i++)
        sum = (sum ^ p[i]) * 1099511628211u;
    if (n > 60)
        text_add(out, "... %d bytes, sum %016llx", n, (unsigned long long)sum);
}

/* Type and value, told apart to the last bit. */
static void add_value(struct text *out, sqlite3_stmt *stmt, int i)
{
    switch (sqlite3_column_type(stmt, i)) {
    case SQLITE_INTEGER:
        text_add(out, "%lld", (long long)sqlite3_column_int64(stmt, i));
        break;
    case SQLITE_FLOAT:
        text_add(out, "real %.17g", sqlite3_column_double(stmt, i));
        break;
    case SQLITE_TEXT:
        text_add(out, "'");
        add_bytes(out, sqlite3_column_text(stmt, i), sqlite3_column_bytes(stmt, i));
        text_add(out, "'");
        break;
    case SQLITE_BLOB:
        text_add(out, "x'");
        add_bytes(out, sqlite3_column_blob(stmt, i), sqlite3_column_bytes(stmt, i));
        text_add(out, "'");
        break;
    default:
        text_add(out, "NULL");
        break;
    }
}

static void add_row(struct outcome *r, sqlite3_stmt *stmt)
{
    struct text line = {0};
    for (int i = 0; i < sqlite3_column_count(stmt); i++) {
        text_add(&line, "%s", i > 0 ? " | " : "");
        add_value(&line, stmt, i);
    }
    if (r->nrows == r->capacity) {
        r->capacity = r->capacity == 0 ? 64 : 2 * r->capacity;
        r->rows = realloc(r->rows, r->capacity * sizeof(*r->rows));
        if (r->rows == NULL)
            die("realloc");
    }
    r->rows[r->nrows++] = line.data;
}

/* Bind what the literal evaluates to. */
static void bind_literal(sqlite3 *db, sqlite3_stmt *stmt, int i, const char *literal)
{
    struct text sql = {0};
    sqlite3_stmt *value = NULL;
    text_add(&sql, "SELECT %s", literal);
    if (sqlite3_prepare_v2(db, sql.data, -1, &value, NULL) != SQLITE_OK ||
        sqlite3_step(value) != SQLITE_ROW) {
        fprintf(stderr, "%s: %s\n", sql.data, sqlite3_errmsg(db));
        exit(2);
    }
    sqlite3_bind_value(stmt, i, sqlite3_column_value(value, 0));
    sqlite3_finalize(value);
    text_fini(&sql);
}

static void outcome_fini(struct outcome *r)
{
    for (size_t i = 0; i < r->nrows; i++)
        free(r->rows[i]);
    free(r->rows);
    text_fini(&r->message);
    *r = (struct outcome){0};
}

static void run_sql(sqlite3 *db, const char *sql, const struct step *step,
                    struct outcome *r)
{
    sqlite3_stmt *stmt = NULL;
    *r = (struct outcome){0};
    r->rc = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL);
    if (r->rc == SQLITE_OK) {
        for (unsigned i = 0; i < step->nparams; i++)
            bind_literal(db, stmt, (int)i + 1, step->params[i]);
        while ((r->rc = sqlite3_step(stmt)) == SQLITE_ROW)
            add_row(r, stmt);
    }
    if (r->rc != SQLITE_DONE) {
        r->rc = sqlite3_extended_errcode(db);
        text_add(&r->message, "%s", sqlite3_errmsg(db));
    }
    sqlite3_finalize(stmt);
    r->autocommit = sqlite3_get_autocommit(db);
    r->changes = step->write ? sqlite3_changes(db) : 0;
    r->last_rowid = step->insert ? sqlite3_last_insert_rowid(db) : 0;
}

/* ---- two sides ------------------------------------------------------------- */

static int compare_lines(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Both are sorted: the rows that only one side has. */
static void describe_sets(const struct outcome *got, const struct outcome *want,
                          struct text *why)
{
    size_t g = 0, w = 0, shown = 0;
    while ((g < got->nrows || w < want->nrows) && shown < 40) {
        int order = g == got->nrows    ? 1
                    : w == want->nrows ? -1
                                       : strcmp(got->rows[g], want->rows[w]);
        if (order < 0)
            text_add(why, "-- only seerdb  : %s\n", got->rows[g]);
        else if (order > 0)
            text_add(why, "-- only ordinary: %s\n", want->rows[w]);
        shown += order != 0;
        g += order <= 0;
        w += order >= 0;
    }
}

static void describe_sequences(const struct outcome *got, const struct outcome *want,
                               size_t from, struct text *why)
{
    for (size_t i = from; i < from + 10; i++) {
        if (i < got->nrows)
            text_add(why, "-- %zu seerdb  : %s\n", i + 1, got->rows[i]);
        if (i < want->nrows)
            text_add(why, "-- %zu ordinary: %s\n", i + 1, want->rows[i]);
    }
}

static void compare_rows(struct outcome *got, struct outcome *want, bool ordered,
                         struct text *why)
{
    if (!ordered && got->nrows > 0 && want->nrows > 0) {
        qsort(got->rows, got->nrows, sizeof(*got->rows), compare_lines);
        qsort(want->rows, want->nrows, sizeof(*want->rows), compare_lines);
    }
    size_t i = 0;
    while (i < got->nrows && i < want->nrows &&
           strcmp(got->rows[i], want->rows[i]) == 0)
        i++;
    if (i == got->nrows && i == want->nrows)
        return;
    text_add(why, "-- rows differ%s: seerdb has %zu, ordinary %zu\n",
             ordered ? " in a total order" : "", got->nrows, want->nrows);
    if (ordered)
        describe_sequences(got, want, i, why);
    else
        describe_sets(got, want, why);
}

/* Some differences say nothing about what a program can rely on. */
static bool same_message(const struct outcome *got, const struct outcome *want)
{
    if (strcmp(got->message.data, want->message.data) == 0)
        return true;
    /* seerdb says which table and what was given. */
    return got->rc == SQLITE_MISMATCH && strstr(got->message.data, "mismatch") != NULL;
}

static void compare(struct outcome *got, struct outcome *want, const struct step *step,
                    const struct schema *schema, struct text *why)
{
    bool rowids = schema->shape == SHAPE_IPK || schema->shape == SHAPE_ROWID;
    if (got->rc != want->rc)
        text_add(why, "-- results differ: seerdb %d, ordinary %d\n", got->rc, want->rc);
    else if (got->rc != SQLITE_DONE && !same_message(got, want))
        text_add(why, "-- messages differ\n");
    if (why->size > 0) {
        text_add(why, "-- seerdb  : %s\n",
                 got->message.size > 0 ? got->message.data : "");
        text_add(why, "-- ordinary: %s\n",
                 want->message.size > 0 ? want->message.data : "");
        return;
    }
    /* After a failure SQLite leaves rows that it had already found. */
    if (got->rc == SQLITE_DONE)
        compare_rows(got, want, step->ordered, why);
    if (got->autocommit != want->autocommit)
        text_add(why, "-- autocommit differs: seerdb %d, ordinary %d\n",
                 got->autocommit, want->autocommit);
    if (got->rc == SQLITE_DONE && got->changes != want->changes)
        text_add(why, "-- changes() differs: seerdb %d, ordinary %d\n", got->changes,
                 want->changes);
    /* A statement that inserted nothing leaves what was there, which may come from the
     * creation of the table. */
    if (rowids && got->rc == SQLITE_DONE && got->changes > 0 &&
        got->last_rowid != want->last_rowid)
        text_add(why, "-- last_insert_rowid() differs: seerdb %lld, ordinary %lld\n",
                 (long long)got->last_rowid, (long long)want->last_rowid);
}

static void run_both(struct side sides[2], int connection, const char *sql[2],
                     const struct step *step, const struct schema *schema,
                     struct text *why)
{
    struct outcome got, want;
    run_sql(sides[0].db[connection], sql[0], step, &got);
    run_sql(sides[1].db[connection], sql[1], step, &want);
    compare(&got, &want, step, schema, why);
    outcome_fini(&got);
    outcome_fini(&want);
}

/* The row that says what was done has no counterpart. */
static void run_range(const struct options *o, struct side sides[2],
                      const struct step *step, const struct schema *schema,
                      struct text *why)
{
    struct outcome got, want;
    run_sql(sides[0].db[0], o->plain ? step->sql : step->command, step, &got);
    run_sql(sides[1].db[0], step->sql, step, &want);
    while (got.nrows > 0)
        free(got.rows[--got.nrows]);
    compare(&got, &want, step, schema, why);
    outcome_fini(&got);
    outcome_fini(&want);
}

/* Spill, or flush or compact and see that all is well; an ordinary table has nothing to
 * compare with. */
static void run_commands(sqlite3 *db, enum step_kind kind, struct text *why)
{
    const char *commands[] = {"SELECT seerdb('t', 'spill')",
                              "SELECT seerdb('t', 'flush')",
                              "SELECT seerdb('t', 'verify')"};
    if (sqlite3_total_changes(db) % 3 == 0)
        commands[1] = "SELECT seerdb('t', 'compact')";
    for (int i = kind == STEP_SPILL ? 0 : 1; i < (kind == STEP_SPILL ? 1 : 3); i++) {
        struct outcome r;
        run_sql(db, commands[i], &(struct step){0}, &r);
        /* t may not exist just now, or be t2. */
        if (r.rc != SQLITE_DONE && strstr(r.message.data, "no such table") == NULL)
            text_add(why, "-- %s: %d: %s\n", commands[i], r.rc, r.message.data);
        outcome_fini(&r);
    }
}

static void run_check(struct side sides[2], const struct schema *schema,
                      struct text *why)
{
    const char *sql =
        schema->shape == SHAPE_ROWID ? "SELECT rowid, * FROM t" : "SELECT * FROM t";
    struct text what = {0};
    run_both(sides, 0, (const char *[2]){sql, sql}, &(struct step){0}, schema, &what);
    if (what.size > 0)
        text_add(why, "-- afterwards, by %s:\n%s", sql, what.data);
    text_fini(&what);
}

static void run_step(const struct options *o, const struct script *s,
                     const struct step *step, struct side sides[2], struct text *why)
{
    const char *sql[2] = {step->sql, step->sql};
    if (step->kind == STEP_CREATE) {
        sql[0] = o->plain ? s->schema.ordinary : s->schema.seerdb;
        sql[1] = s->schema.ordinary;
    }
    switch (step->kind) {
    case STEP_CREATE:
    case STEP_SQL:
        run_both(sides, 0, sql, step, &s->schema, why);
        break;
    case STEP_SECOND:
        run_both(sides, 1, sql, step, &s->schema, why);
        break;
    case STEP_RANGE:
        run_range(o, sides, step, &s->schema, why);
        break;
    case STEP_SPILL:
    case STEP_FLUSH:
        if (!o->plain)
            run_commands(sides[0].db[0], step->kind, why);
        break;
    case STEP_REOPEN:
        for (int i = 0; i < 2; i++) {
            side_close(&sides[i]);
            side_open(o, s, &sides[i]);
        }
        break;
    }
    if (step->check && why->size == 0)
        run_check(sides, &s->schema, why);
}

/* ---- scripts --------------------------------------------------------------- */

/* Remove the files of a directory and of those in it. */
static void empty_directory(const char *path, int depth)
{
    DIR *dir = opendir(path);
    if (dir == NULL)
        return;
    for (struct dirent *e; (e = readdir(dir)) != NULL;) {
        struct text name = {0};
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        text_add(&name, "%s/%s", path, e->d_name);
        if (depth < 2)
            empty_directory(name.data, depth + 1);
        if (remove(name.data) != 0)
            die(name.data);
        text_fini(&name);
    }
    closedir(dir);
}

/* Run the script in new databases in dir.  The number of the step after which the sides
 * differ, with *why; nsteps: never. */
static size_t run_script(const struct options *o, const struct script *s,
                         const char *dir, struct text *why)
{
    struct text ours = {0}, theirs = {0};
    empty_directory(dir, 0);
    text_add(&ours, s->in_memory ? ":memory:" : "%s/seerdb.db", dir);
    text_add(&theirs, s->in_memory ? ":memory:" : "%s/ordinary.db", dir);
    struct side sides[2] = {{.seerdb = !o->plain, .path = ours.data},
                            {.path = theirs.data}};
    side_open(o, s, &sides[0]);
    side_open(o, s, &sides[1]);
    size_t i = 0;
    for (; i < s->nsteps; i++) {
        if (s->steps[i].dropped)
            continue;
        run_step(o, s, &s->steps[i], sides, why);
        if (why->size > 0)
            break;
    }
    side_close(&sides[0]);
    side_close(&sides[1]);
    text_fini(&ours);
    text_fini(&theirs);
    return i;
}

/* Drop runs of steps, long ones first, while a difference stays. */
static size_t minimise(const struct options *o, struct script *s, const char *dir,
                       size_t failed_at)
{
    for (size_t i = failed_at + 1; i < s->nsteps; i++)
        s->steps[i].dropped = true;
    for (size_t run = failed_at / 2 + 1; run > 0; run /= 2) {
        for (size_t from = 0; from <= failed_at; from += run) {
            bool before[4096];
            size_t n = 0, to = from + run;
            for (size_t i = from; i < to && i <= failed_at && n < 4096; i++) {
                before[n++] = s->steps[i].dropped;
                s->steps[i].dropped = true;
            }
            struct text why = {0};
            size_t at = run_script(o, s, dir, &why);
            if (why.size == 0)
                for (size_t i = 0; i < n; i++)
                    s->steps[from + i].dropped = before[i];
            else if (at < failed_at)
                failed_at = at;
            text_fini(&why);
        }
    }
    return failed_at;
}

static void print_step(const struct script *s, const struct step *step)
{
    if (step->kind == STEP_SECOND)
        printf(".connection 1\n");
    for (unsigned i = 0; i < step->nparams; i++)
        printf(".parameter set ?%u \"%s\"\n", i + 1, step->params[i]);
    switch (step->kind) {
    case STEP_CREATE:
        printf("%s; -- %s\n", s->schema.seerdb, s->schema.ordinary);
        break;
    case STEP_RANGE:
        printf("%s; -- %s\n", step->command, step->sql);
        break;
    case STEP_SPILL:
        printf("SELECT seerdb('t', 'spill');\n");
        break;
    case STEP_FLUSH:
        printf("SELECT seerdb('t', 'flush');\n");
        break;
    case STEP_REOPEN:
        printf(".open seerdb.db\n.load ./seerdb\n");
        break;
    default:
        printf("%s;\n", step->sql);
        break;
    }
    if (step->kind == STEP_SECOND)
        printf(".connection 0\n");
    if (step->nparams > 0)
        printf(".parameter clear\n");
}

static void print_script(const struct script *s, size_t last)
{
    bool second = false;
    for (size_t i = 0; i <= last && i < s->nsteps; i++)
        second = second || (s->steps[i].kind == STEP_SECOND && !s->steps[i].dropped);
    if (second)
        printf(".connection 1\n.open seerdb.db\n.load ./seerdb\n.connection 0\n");
    printf(".open %s\n.load ./seerdb\n", s->in_memory ? ":memory:" : "seerdb.db");
    if (s->wal && !s->in_memory)
        printf("PRAGMA journal_mode = WAL;\n");
    for (size_t i = 0; i <= last && i < s->nsteps; i++)
        if (!s->steps[i].dropped)
            print_step(s, &s->steps[i]);
}

/* Whether the two sides agreed. */
static bool run_seed(const struct options *o, uint64_t seed, const char *dir)
{
    struct script s;
    struct text why = {0};
    script_generate(&s, seed, o->statements);
    if (o->print) {
        print_script(&s, s.nsteps);
        script_fini(&s);
        return true;
    }
    size_t at = run_script(o, &s, dir, &why);
    bool agreed = why.size == 0;
    printf("%s %llu - seed %llu, %zu statements\n", agreed ? "ok" : "not ok",
           (unsigned long long)(seed - o->first_seed + 1), (unsigned long long)seed,
           s.nsteps);
    if (!agreed) {
        printf("-- differs at statement %zu\n", at + 1);
        if (o->minimise) {
            at = minimise(o, &s, dir, at);
            text_fini(&why);
            at = run_script(o, &s, dir, &why);
        }
        print_script(&s, at);
        printf("%s",
               why.size > 0 ? why.data : "-- the difference is gone: not repeatable\n");
    }
    text_fini(&why);
    script_fini(&s);
    return agreed;
}

static bool parse_options(int argc, char **argv, struct options *o)
{
    const char *from_environment = getenv("SEERDB");
    *o = (struct options){.first_seed = 1, .last_seed = 50, .statements = 300};
    o->extension = from_environment != NULL ? from_environment : "./seerdb";
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : NULL;
        if (strcmp(argv[i], "--minimise") == 0) {
            o->minimise = true;
        } else if (strcmp(argv[i], "--plain") == 0) {
            o->plain = true;
        } else if (strcmp(argv[i], "--print") == 0) {
            o->print = true;
        } else if (value != NULL && strcmp(argv[i], "--seeds") == 0) {
            char *end = NULL;
            o->first_seed = o->last_seed = strtoull(value, &end, 10);
            if (*end == '-')
                o->last_seed = strtoull(end + 1, &end, 10);
            if (*end != '\0' || o->last_seed < o->first_seed)
                return false;
            i++;
        } else if (value != NULL && strcmp(argv[i], "--statements") == 0) {
            o->statements = strtoull(value, NULL, 10);
            i++;
        } else if (value != NULL && strcmp(argv[i], "--extension") == 0) {
            o->extension = value;
            i++;
        } else {
            return false;
        }
    }
    return o->statements > 0;
}

int main(int argc, char **argv)
{
    struct options o;
    if (!parse_options(argc, argv, &o)) {
        fprintf(stderr,
                "usage: differential [--seeds A-B] [--statements N] [--minimise] "
                "[--plain] [--print] [--extension PATH]\n");
        return 2;
    }
    const char *tmp = getenv("TMPDIR");
    struct text dir = {0};
    text_add(&dir, "%s/seerdb-differential.XXXXXX", tmp != NULL ? tmp : "/tmp");
    if (mkdtemp(dir.data) == NULL)
        die(dir.data);
    if (!o.print)
        printf("1..%llu\n", (unsigned long long)(o.last_seed - o.first_seed + 1));
    bool agreed = true;
    for (uint64_t seed = o.first_seed; agreed && seed <= o.last_seed; seed++) {
        agreed = run_seed(&o, seed, dir.data);
        if (o.print)
            break;
    }
    empty_directory(dir.data, 0);
    rmdir(dir.data);
    text_fini(&dir);
    return agreed ? 0 : 1;
}
