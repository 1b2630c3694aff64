/* SPDX-License-Identifier: Apache-2.0
 *
 * battery -- query shapes of public SQL suites, on seerdb tables and on ordinary ones.
 *
 *     ./battery [--seeds A-B] [--queries N] [--slow RATIO] [--print] [--plain]
 *               [--scripts DIR] [--extension PATH]      default ./seerdb, or $SEERDB
 *
 * Every seed makes a handful of tables, with and without keys, of the types that such
 * suites use, fills them, and asks for the same rows on both sides: joins of all kinds,
 * WHERE of several terms, IN, EXISTS, correlated and recursive queries, aggregates,
 * compound selects, DISTINCT, ORDER BY with LIMIT and OFFSET, chains of joins over up
 * to 64 tables.  Statements that write are the matter of `differential`.
 *
 * Speaks TAP: a test is a seed.  The first difference is printed and ends the run; what
 * leads to it goes to DIR as two scripts.  --print prints what is asked;
 * --slow the queries that take more than RATIO times as long as on
 * ordinary tables without automatic indexes.  --plain compares ordinary tables with
 * ordinary ones that are walked backwards: the generator must ask for nothing that
 * SQLite leaves open, such as the order of equal rows or the choice between 1 and 1.0.
 */
#define _XOPEN_SOURCE 700
#include "battery.h"

#include <sqlite3.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* What a query may take on ordinary tables, in steps of SQLite's machine; one that
 * takes more is left out.  It counts a thousand at a time. */
#define STEP_LIMIT 3000

struct options {
    uint64_t first_seed, last_seed;
    size_t queries;
    double slow;
    bool print, plain;
    const char *extension, *scripts;
};

struct result {
    int rc;
    char **rows; /* owned, each a line */
    size_t n, capacity;
    double ms;
};

/* ---- one side -------------------------------------------------------------- */

static int count_steps(void *left)
{
    return --*(long *)left <= 0;
}

static sqlite3 *open_side(const struct options *o, bool second)
{
    sqlite3 *db = NULL;
    char *message = NULL;
    if (sqlite3_open(":memory:", &db) != SQLITE_OK)
        die("sqlite3_open");
    sqlite3_enable_load_extension(db, 1);
    if (second && !o->plain &&
        sqlite3_load_extension(db, o->extension, NULL, &message) != SQLITE_OK) {
        fprintf(stderr, "%s: %s\n", o->extension, message);
        exit(2);
    }
    if (second && o->plain)
        sqlite3_exec(db, "PRAGMA reverse_unordered_selects = ON", NULL, NULL, NULL);
    else
        sqlite3_exec(db, "PRAGMA automatic_index = OFF", NULL, NULL, NULL);
    return db;
}

static void run_or_die(sqlite3 *db, const char *sql)
{
    char *message = NULL;
    if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK) {
        fprintf(stderr, "%s: %s\n", sql, message);
        exit(2);
    }
}

/* Without case and the spaces behind it. */
static void add_text(struct text *line, const char *s)
{
    size_t n = s != NULL ? strlen(s) : 0;
    while (n > 0 && s[n - 1] == ' ')
        n--;
    text_add(line, "'");
    for (size_t i = 0; i < n; i++)
        text_add(line, "%c", s[i] >= 'A' && s[i] <= 'Z' ? s[i] + 32 : s[i]);
    text_add(line, "'");
}

/* 1 and 1.0 are one value here, and so are texts that some collation finds equal: which
 * of them DISTINCT or UNION shows depends on the order of rows. */
static void add_value(struct text *line, sqlite3_stmt *stmt, int i)
{
    double r;
    switch (sqlite3_column_type(stmt, i)) {
    case SQLITE_NULL:
        text_add(line, "NULL");
        break;
    case SQLITE_INTEGER:
        text_add(line, "%lld", (long long)sqlite3_column_int64(stmt, i));
        break;
    case SQLITE_FLOAT:
        r = sqlite3_column_double(stmt, i);
        if (r >= -1e15 && r <= 1e15 && (double)(long long)r == r)
            text_add(line, "%lld", (long long)r);
        else
            text_add(line, "%.12g", r);
        break;
    default:
        text_add(line, "%s", sqlite3_column_type(stmt, i) == SQLITE_BLOB ? "x" : "");
        add_text(line, (const char *)sqlite3_column_text(stmt, i));
    }
}

static void add_row(struct result *r, sqlite3_stmt *stmt)
{
    struct text line = {0};
    for (int i = 0; i < sqlite3_column_count(stmt); i++) {
        text_add(&line, "%s", i > 0 ? "|" : "");
        add_value(&line, stmt, i);
    }
    if (r->n == r->capacity) {
        r->capacity = 2 * r->capacity + 64;
        r->rows = realloc(r->rows, r->capacity * sizeof *r->rows);
        if (r->rows == NULL)
            die("realloc");
    }
    r->rows[r->n++] = text_take(&line);
}

static void result_fini(struct result *r)
{
    for (size_t i = 0; i < r->n; i++)
        free(r->rows[i]);
    free(r->rows);
    *r = (struct result){.rc = SQLITE_OK};
}

static int compare_rows(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static double now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void ask(sqlite3 *db, const struct query *q, long steps, struct result *out)
{
    sqlite3_stmt *stmt = NULL;
    *out = (struct result){.rc = SQLITE_OK};
    sqlite3_progress_handler(db, 1000, count_steps, &steps);
    double start = now_ms();
    int rc = sqlite3_prepare_v2(db, q->sql.data, -1, &stmt, NULL);
    while (rc == SQLITE_OK || rc == SQLITE_ROW) {
        rc = sqlite3_step(stmt);
        if (rc == SQLITE_ROW)
            add_row(out, stmt);
    }
    out->ms = now_ms() - start;
    sqlite3_finalize(stmt);
    sqlite3_progress_handler(db, 0, NULL, NULL);
    out->rc = rc;
    if (!q->ordered && out->n > 0)
        qsort(out->rows, out->n, sizeof *out->rows, compare_rows);
}

static bool same(const struct result *a, const struct result *b)
{
    if (a->rc != b->rc || a->n != b->n)
        return false;
    for (size_t i = 0; i < a->n; i++)
        if (strcmp(a->rows[i], b->rows[i]) != 0)
            return false;
    return true;
}

/* ---- a seed ---------------------------------------------------------------- */

static void print_result(const char *who, const struct result *r, const char *message)
{
    printf("# %s: %s, %zu rows\n", who, r->rc == SQLITE_DONE ? "done" : message, r->n);
    for (size_t i = 0; i < r->n && i < 12; i++)
        printf("#    %s\n", r->rows[i]);
}

static void print_script(FILE *f, const struct battery *b, const struct query *q,
                         int side)
{
    for (size_t i = 0; i < b->ntables; i++)
        fprintf(f, "%s;\n%s;\n", b->tables[i].create[side], b->tables[i].fill);
    fprintf(f, "%s;\n", q->sql.data);
}

/* For the shell, which must have the extension loaded. */
static void write_scripts(const struct options *o, const struct battery *b,
                          const struct query *q)
{
    static const char *const names[] = {"ordinary", "seerdb"};
    char path[600];
    for (int side = 0; side < 2 && o->scripts != NULL; side++) {
        snprintf(path, sizeof path, "%s/%s.sql", o->scripts, names[side]);
        FILE *f = fopen(path, "w");
        if (f == NULL)
            die(path);
        print_script(f, b, q, side);
        if (fclose(f) != 0)
            die(path);
        printf("# %s\n", path);
    }
    for (size_t i = 0; i < b->ntables && i < 9; i++)
        printf("# %s; -- %d rows\n", b->tables[i].create[1], b->tables[i].rows);
    printf("# %s;\n", q->sql.data);
}

/* 1: same, 0: left out, -1: a difference, printed. */
static int compare_query(const struct options *o, const struct battery *b,
                         sqlite3 *const db[2], const struct query *q, size_t *given_up)
{
    struct result r[2];
    ask(db[0], q, STEP_LIMIT, &r[0]);
    if (r[0].rc == SQLITE_INTERRUPT) {
        result_fini(&r[0]);
        return 0;
    }
    ask(db[1], q, 100 * STEP_LIMIT, &r[1]);
    if (r[1].rc == SQLITE_INTERRUPT) {
        printf("# seed %llu: given up: %s\n", (unsigned long long)b->seed, q->sql.data);
        ++*given_up;
        result_fini(&r[0]);
        result_fini(&r[1]);
        return 0;
    }
    bool equal = same(&r[0], &r[1]);
    if (!equal) {
        printf("not ok - seed %llu\n", (unsigned long long)b->seed);
        write_scripts(o, b, q);
        print_result("ordinary", &r[0], sqlite3_errmsg(db[0]));
        print_result("seerdb", &r[1], sqlite3_errmsg(db[1]));
    } else if (o->slow > 0 && r[1].ms > 5 && r[1].ms > o->slow * r[0].ms) {
        printf("# seed %llu: %.1f ms, ordinary %.1f: %s\n", (unsigned long long)b->seed,
               r[1].ms, r[0].ms, q->sql.data);
    }
    /* A generator that only makes errors would prove nothing. */
    bool counts = r[0].rc == SQLITE_DONE;
    result_fini(&r[0]);
    result_fini(&r[1]);
    return equal ? counts : -1;
}

/* Rows are read from a transaction's own writes, from memory, from sorted tables. */
static void fill(const struct options *o, const struct battery *b, sqlite3 *const db[2])
{
    char sql[64];
    for (size_t i = 0; i < b->ntables; i++)
        for (int side = 0; side < 2; side++)
            run_or_die(db[side], b->tables[i].create[o->plain ? 0 : side]);
    for (int side = 0; side < 2 && b->seed % 4 == 1; side++)
        run_or_die(db[side], "BEGIN");
    for (size_t i = 0; i < b->ntables; i++) {
        for (int side = 0; side < 2; side++)
            run_or_die(db[side], b->tables[i].fill);
        snprintf(sql, sizeof sql, "SELECT seerdb('%s', '%s')", b->tables[i].name,
                 i % 2 == 0 ? "compact" : "flush");
        if (b->seed % 4 == 2 && !o->plain)
            run_or_die(db[1], sql);
    }
}

static bool run_seed(const struct options *o, uint64_t seed, size_t *asked,
                     size_t *given_up)
{
    struct battery b;
    sqlite3 *db[2] = {open_side(o, false), open_side(o, true)};
    battery_init(&b, seed);
    fill(o, &b, db);
    for (size_t i = 0; o->print && i < b.ntables; i++)
        printf("%s;\n%s;\n", b.tables[i].create[o->plain ? 0 : 1], b.tables[i].fill);
    size_t good = 0;
    bool equal = true;
    for (size_t i = 0; i < o->queries && equal; i++) {
        struct query q = {.ordered = false};
        battery_query(&b, &q);
        if (o->print)
            printf("%s;\n", q.sql.data);
        int rc = compare_query(o, &b, db, &q, given_up);
        equal = rc >= 0;
        good += rc == 1;
        text_fini(&q.sql);
    }
    *asked += good;
    if (equal && o->queries >= 20 && good * 2 < o->queries) {
        printf("not ok - seed %llu: only %zu of %zu queries say something\n",
               (unsigned long long)seed, good, o->queries);
        equal = false;
    }
    battery_fini(&b);
    sqlite3_close(db[0]);
    sqlite3_close(db[1]);
    return equal;
}

int main(int argc, char **argv)
{
    const char *env = getenv("SEERDB");
    struct options o = {.first_seed = 1,
                        .last_seed = 20,
                        .queries = 300,
                        .extension = env != NULL ? env : "./seerdb"};
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        if (strcmp(argv[i], "--print") == 0) {
            o.print = true;
        } else if (strcmp(argv[i], "--plain") == 0) {
            o.plain = true;
        } else if (strcmp(argv[i], "--seeds") == 0) {
            unsigned long long a = 0, z = 0;
            if (sscanf(value, "%llu-%llu", &a, &z) != 2)
                z = a;
            o.first_seed = a;
            o.last_seed = z;
            i++;
        } else if (strcmp(argv[i], "--queries") == 0) {
            o.queries = strtoul(value, NULL, 10);
            i++;
        } else if (strcmp(argv[i], "--slow") == 0) {
            o.slow = strtod(value, NULL);
            i++;
        } else if (strcmp(argv[i], "--scripts") == 0) {
            o.scripts = value;
            i++;
        } else if (strcmp(argv[i], "--extension") == 0) {
            o.extension = value;
            i++;
        } else {
            fprintf(stderr, "unknown argument %s\n", argv[i]);
            return 2;
        }
    }
    size_t asked = 0, given_up = 0;
    for (uint64_t seed = o.first_seed; seed <= o.last_seed; seed++) {
        if (!run_seed(&o, seed, &asked, &given_up))
            return 1;
        if (!o.print)
            printf("ok - seed %llu\n", (unsigned long long)seed);
        fflush(stdout);
    }
    printf("# %zu queries answered alike, %zu given up\n", asked, given_up);
    if (given_up > 1 + asked / 1000)
        printf("not ok - too many queries take a hundred times as long\n");
    return given_up > 1 + asked / 1000;
}
