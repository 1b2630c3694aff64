/* SPDX-License-Identifier: Apache-2.0
 *
 * Both sides of a script, and what of their answers must agree: result codes, messages,
 * rows with their types to the last bit (in sequence where the order is total),
 * changes(), total_changes(), last_insert_rowid(), whether a transaction is open. */
#define _XOPEN_SOURCE 700
#include "differential.h"

#include <dirent.h>
#include <limits.h>
#include <string.h>

/* Virtual machine steps, in thousands, after which a SELECT is cut short: a join that
 * is large on either side is no use. */
#define PATIENCE 30000

#define BLOOM_FILTERS 0x00080000 /* of SQLITE_TESTCTRL_OPTIMIZATIONS */

struct kept {
    char *sql; /* owned */
    sqlite3_stmt *stmt;
};

/* One database, its two connections, and the statements kept there. */
struct side {
    bool seerdb;
    bool plant;
    char *path, *aux; /* owned; aux: NULL or the second database */
    sqlite3 *db[2];
    long patience[2];
    struct kept *kept[2]; /* owned */
    size_t nkept[2];
    sqlite3_stmt *slots[MAX_SLOTS];
};

/* What one statement did on one side. */
struct outcome {
    int rc;
    struct text message;
    char **rows; /* owned, each a line */
    size_t nrows, capacity;
    int autocommit, changes, total;
    int64_t rowid_before, last_rowid;
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

static int out_of_patience(void *left)
{
    return --*(long *)left < 0;
}

static void open_connection(const struct options *o, const struct script *s,
                            struct side *side, int i)
{
    sqlite3 *db = NULL;
    char *message = NULL;
    struct text sql = {0};
    if (sqlite3_open(side->path, &db) != SQLITE_OK) {
        fprintf(stderr, "%s: %s\n", side->path, sqlite3_errmsg(db));
        exit(2);
    }
    sqlite3_enable_load_extension(db, 1);
    if (side->seerdb &&
        sqlite3_load_extension(db, o->extension, NULL, &message) != SQLITE_OK) {
        fprintf(stderr, "%s: %s\n", o->extension, message);
        exit(2);
    }
    text_add(&sql, "PRAGMA encoding = '%s'; PRAGMA page_size = %u;",
             o->utf16 ? s->encoding : "UTF-8", s->page_size);
    if (side->aux != NULL)
        text_add(&sql, "ATTACH '%s' AS aux; PRAGMA aux.page_size = %u;", side->aux,
                 s->page_size);
    if (!s->in_memory)
        text_add(&sql, "PRAGMA journal_mode = %s;", s->journal);
    text_add(&sql, "PRAGMA synchronous = OFF;");
    if (side->aux != NULL)
        text_add(&sql, "PRAGMA aux.synchronous = OFF;");
    exec_or_die(db, sql.data);
    text_fini(&sql);
    /* Up to SQLite 3.40 they tell texts apart that are equal in RTRIM. */
    sqlite3_test_control(SQLITE_TESTCTRL_OPTIMIZATIONS, db, BLOOM_FILTERS);
    side->patience[i] = LONG_MAX;
    sqlite3_progress_handler(db, 1000, out_of_patience, &side->patience[i]);
    side->db[i] = db;
}

static void side_open(const struct options *o, const struct script *s,
                      struct side *side)
{
    open_connection(o, s, side, 0);
    if (!s->in_memory)
        open_connection(o, s, side, 1);
}

static void side_close(struct side *side)
{
    for (int i = 0; i < MAX_SLOTS; i++) {
        sqlite3_finalize(side->slots[i]);
        side->slots[i] = NULL;
    }
    for (int i = 1; i >= 0; i--) {
        for (size_t k = 0; k < side->nkept[i]; k++) {
            sqlite3_finalize(side->kept[i][k].stmt);
            free(side->kept[i][k].sql);
        }
        free(side->kept[i]);
        side->kept[i] = NULL;
        side->nkept[i] = 0;
        if (sqlite3_close(side->db[i]) != SQLITE_OK) {
            fprintf(stderr, "sqlite3_close: %s\n", sqlite3_errmsg(side->db[i]));
            exit(2);
        }
        side->db[i] = NULL;
    }
}

static void side_init(const struct options *o, const struct script *s, bool ours,
                      struct side *side)
{
    const char *name = ours ? "seerdb" : "ordinary";
    struct text path = {0}, aux = {0};
    *side = (struct side){.seerdb = ours && !o->plain,
                          .plant = ours && o->plant[0] != NULL};
    text_add(&path, s->in_memory ? ":memory:" : "%s/%s.db", o->dir, name);
    text_add(&aux, s->in_memory ? ":memory:" : "%s/%s-aux.db", o->dir, name);
    side->path = text_take(&path);
    if (s->attached)
        side->aux = text_take(&aux);
    text_fini(&aux);
    side_open(o, s, side);
}

static void side_fini(struct side *side)
{
    side_close(side);
    free(side->path);
    free(side->aux);
}

/* ---- values ---------------------------------------------------------------- */

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

/* ---- statements -------------------------------------------------------------- */

static char *duplicate(const char *s)
{
    struct text t = {0};
    text_add(&t, "%s", s);
    return text_take(&t);
}

static void add_body(struct text *out, const char *body, bool ours)
{
    bool shown = true;
    for (; *body != '\0'; body++) {
        if (*body == MARK_OURS)
            shown = !shown;
        else if (shown || ours)
            text_add(out, "%c", *body);
    }
}

char *step_text(const struct options *o, const struct step *step, bool ours)
{
    const char *without_rowid = step->sql != NULL ? strstr(step->sql, "WITHOUT") : NULL;
    struct text out = {0};
    const char *from = ours && step->ours != NULL ? step->ours : step->sql;
    text_add(&out, "%s", "");
    for (; *from != '\0'; from++) {
        if (*from == MARK_BODY)
            add_body(&out, step->body, ours);
        else if (*from == MARK_REPLACE)
            text_add(&out, "%s", ours ? "" : " OR REPLACE");
        else if (*from == MARK_STRICT)
            text_add(&out, "%s",
                     !o->strict              ? ""
                     : ours                  ? ", strict=1"
                     : without_rowid != NULL ? ", STRICT"
                                             : " STRICT");
        else
            text_add(&out, "%c", *from);
    }
    return text_take(&out);
}

static char *planted(const struct options *o, char *sql)
{
    struct text out = {0};
    const char *from = sql, *at;
    text_add(&out, "%s", "");
    while ((at = strstr(from, o->plant[0])) != NULL) {
        text_add(&out, "%.*s%s", (int)(at - from), from, o->plant[1]);
        from = at + strlen(o->plant[0]);
    }
    text_add(&out, "%s", from);
    free(sql);
    return text_take(&out);
}

static char *text_for(const struct options *o, const struct side *side,
                      const struct step *step)
{
    char *sql = step_text(o, step, side->seerdb);
    return side->plant ? planted(o, sql) : sql;
}

static sqlite3_stmt *find_kept(const struct side *side, unsigned c, const char *sql)
{
    for (size_t i = 0; i < side->nkept[c]; i++)
        if (strcmp(side->kept[c][i].sql, sql) == 0)
            return side->kept[c][i].stmt;
    return NULL;
}

static void keep(struct side *side, unsigned c, const char *sql, sqlite3_stmt *stmt)
{
    size_t n = side->nkept[c]++;
    side->kept[c] = realloc(side->kept[c], (n + 1) * sizeof(*side->kept[c]));
    if (side->kept[c] == NULL)
        die("realloc");
    side->kept[c][n] = (struct kept){duplicate(sql), stmt};
}

static void outcome_fini(struct outcome *r)
{
    for (size_t i = 0; i < r->nrows; i++)
        free(r->rows[i]);
    free(r->rows);
    text_fini(&r->message);
    *r = (struct outcome){0};
}

static void note_failure(sqlite3 *db, struct outcome *r)
{
    r->rc = sqlite3_extended_errcode(db);
    text_add(&r->message, "%s", sqlite3_errmsg(db));
}

static void run_once(struct side *side, const char *sql, const struct step *step,
                     struct outcome *r)
{
    unsigned c = step->connection;
    sqlite3 *db = side->db[c];
    sqlite3_stmt *stmt = step->kept ? find_kept(side, c, sql) : NULL;
    bool found = stmt != NULL;
    int total = sqlite3_total_changes(db);
    *r = (struct outcome){.rowid_before = sqlite3_last_insert_rowid(db)};
    side->patience[c] = step->write ? LONG_MAX : PATIENCE;
    if (!found)
        r->rc = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL);
    if (r->rc == SQLITE_OK) {
        for (unsigned i = 0; i < step->nparams; i++)
            bind_literal(db, stmt, (int)i + 1, step->params[i]);
        while ((r->rc = sqlite3_step(stmt)) == SQLITE_ROW)
            add_row(r, stmt);
    }
    if (r->rc != SQLITE_DONE)
        note_failure(db, r);
    if (step->kept && stmt != NULL) {
        sqlite3_reset(stmt);
        if (!found)
            keep(side, c, sql, stmt);
    } else {
        sqlite3_finalize(stmt);
    }
    side->patience[c] = LONG_MAX;
    r->autocommit = sqlite3_get_autocommit(db);
    r->changes = step->write ? sqlite3_changes(db) : 0;
    r->total = step->write && !step->nested ? sqlite3_total_changes(db) - total : 0;
    r->last_rowid = step->insert ? sqlite3_last_insert_rowid(db) : r->rowid_before;
}

static void run_sql(struct side *side, const char *sql, const struct step *step,
                    struct outcome *r)
{
    run_once(side, sql, step, r);
    /* Exception run-it-again. */
    if (r->rc != SQLITE_DONE && strstr(r->message.data, "run it again") != NULL) {
        outcome_fini(r);
        run_once(side, sql, step, r);
    }
}

/* ---- comparing --------------------------------------------------------------- */

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
                         struct finding *f)
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
    f->what = DIFFERENT_ROWS;
    text_add(&f->why, "-- rows differ%s: seerdb has %zu, ordinary %zu\n",
             ordered ? " in a total order" : "", got->nrows, want->nrows);
    if (ordered)
        describe_sequences(got, want, i, &f->why);
    else
        describe_sets(got, want, &f->why);
}

static bool finished(int rc)
{
    return rc == SQLITE_DONE || rc == SQLITE_ROW;
}

static bool same_message(const struct outcome *got, const struct outcome *want)
{
    if (strcmp(got->message.data, want->message.data) == 0)
        return true;
    /* Exception mismatch-text. */
    return got->rc == SQLITE_MISMATCH && strstr(got->message.data, "mismatch") != NULL;
}

static void compare_state(const struct outcome *got, const struct outcome *want,
                          struct finding *f)
{
    bool done = got->rc == SQLITE_DONE;
    if (got->autocommit != want->autocommit)
        text_add(&f->why, "-- autocommit differs: seerdb %d, ordinary %d\n",
                 got->autocommit, want->autocommit);
    if (done && got->changes != want->changes)
        text_add(&f->why, "-- changes() differs: seerdb %d, ordinary %d\n",
                 got->changes, want->changes);
    if (done && got->total != want->total)
        text_add(&f->why, "-- total_changes() differs: by %d, ordinary by %d\n",
                 got->total, want->total);
    /* A statement that assigns none leaves what was there, which may come from the
     * creation of the table. */
    bool assigned =
        got->last_rowid != got->rowid_before || want->last_rowid != want->rowid_before;
    if (done && assigned && got->last_rowid != want->last_rowid)
        text_add(&f->why,
                 "-- last_insert_rowid() differs: seerdb %lld, ordinary %lld\n",
                 (long long)got->last_rowid, (long long)want->last_rowid);
    if (f->why.size > 0)
        f->what = DIFFERENT_STATE;
}

static void compare(struct outcome *got, struct outcome *want, const struct step *step,
                    struct finding *f, struct tally *tally)
{
    if (tally != NULL) {
        tally->run++;
        tally->failed += !finished(want->rc);
    }
    if (got->rc == SQLITE_INTERRUPT || want->rc == SQLITE_INTERRUPT) {
        if (tally != NULL)
            tally->cut_short++;
        return;
    }
    f->codes[0] = got->rc;
    f->codes[1] = want->rc;
    if (got->rc == SQLITE_MISMATCH && want->rc == SQLITE_CONSTRAINT_DATATYPE)
        got->rc = want->rc; /* exception strict-clause */
    if (got->rc != want->rc) {
        f->what = DIFFERENT_RESULT;
        text_add(&f->why, "-- results differ: seerdb %d, ordinary %d\n", got->rc,
                 want->rc);
    } else if (!finished(got->rc) && !same_message(got, want)) {
        f->what = DIFFERENT_MESSAGE;
        text_add(&f->why, "-- messages differ\n");
    }
    if (f->what != SAME) {
        text_add(&f->why, "-- seerdb  : %s\n-- ordinary: %s\n",
                 got->message.size > 0 ? got->message.data : "",
                 want->message.size > 0 ? want->message.data : "");
        return;
    }
    /* After a failure SQLite leaves rows that it had already found. */
    if (finished(got->rc))
        compare_rows(got, want, step->ordered, f);
    if (f->what == SAME)
        compare_state(got, want, f);
}

/* ---- steps ------------------------------------------------------------------- */

static void run_both(const struct options *o, struct side sides[2],
                     const struct step *step, struct finding *f, struct tally *tally)
{
    struct outcome outcomes[2];
    for (int i = 0; i < 2; i++) {
        char *sql = text_for(o, &sides[i], step);
        run_sql(&sides[i], sql, step, &outcomes[i]);
        free(sql);
        while (step->silent && outcomes[i].nrows > 0)
            free(outcomes[i].rows[--outcomes[i].nrows]);
    }
    compare(&outcomes[0], &outcomes[1], step, f, tally);
    outcome_fini(&outcomes[0]);
    outcome_fini(&outcomes[1]);
}

/* Open, fetch from or close a slot. */
static void slot_one(const struct options *o, struct side *side,
                     const struct step *step, struct outcome *r)
{
    sqlite3_stmt **slot = &side->slots[step->slot];
    *r = (struct outcome){.rc = SQLITE_DONE};
    if (step->kind != STEP_FETCH) {
        sqlite3_finalize(*slot);
        *slot = NULL;
    }
    if (step->kind == STEP_OPEN) {
        char *sql = text_for(o, side, step);
        if (sqlite3_prepare_v2(side->db[0], sql, -1, slot, NULL) != SQLITE_OK)
            note_failure(side->db[0], r);
        free(sql);
    } else if (step->kind == STEP_FETCH && *slot != NULL) {
        for (unsigned i = 0; i < step->count; i++) {
            r->rc = sqlite3_step(*slot);
            if (r->rc != SQLITE_ROW)
                break;
            add_row(r, *slot);
        }
        if (!finished(r->rc))
            note_failure(side->db[0], r);
        if (r->rc != SQLITE_ROW) {
            sqlite3_finalize(*slot);
            *slot = NULL;
        }
    }
    r->autocommit = sqlite3_get_autocommit(side->db[0]);
}

static void run_slot(const struct options *o, struct side sides[2],
                     const struct step *step, struct finding *f, struct tally *tally)
{
    struct outcome got, want;
    struct step ordered = {.ordered = true};
    slot_one(o, &sides[0], step, &got);
    slot_one(o, &sides[1], step, &want);
    compare(&got, &want, &ordered, f, tally);
    outcome_fini(&got);
    outcome_fini(&want);
}

/* An ordinary table has nothing to compare with. */
static void run_command(struct side *side, const struct step *step, struct finding *f)
{
    struct outcome r;
    if (!side->seerdb)
        return;
    run_sql(side, step->sql, step, &r);
    /* The table may be dropped or renamed just now, and compaction may be paused. */
    if (r.rc != SQLITE_DONE && strstr(r.message.data, "no such table") == NULL &&
        strstr(r.message.data, "compaction is paused") == NULL) {
        f->what = FAILED_COMMAND;
        f->codes[0] = r.rc;
        text_add(&f->why, "-- %d: %s\n", r.rc, r.message.data);
    }
    outcome_fini(&r);
}

/* Where it fails, because there is no such table just now, nothing needs it. */
static void run_ordinary(struct side *side, struct step *step)
{
    struct outcome r;
    if (side->seerdb)
        return;
    run_sql(side, step->sql, step, &r);
    step->idle = r.rc != SQLITE_DONE && r.rc != SQLITE_OK && r.rc != SQLITE_ROW;
    outcome_fini(&r);
}

static void run_check(const struct options *o, const struct schema *schema,
                      struct side sides[2], struct finding *f)
{
    struct text sql = {0};
    text_add(&sql, "SELECT %s* FROM %s", schema->shape == SHAPE_ROWID ? "rowid, " : "",
             schema->name);
    struct step step = {.sql = sql.data};
    run_both(o, sides, &step, f, NULL);
    if (f->what != SAME) {
        f->what = DIFFERENT_TABLE;
        text_add(&f->why, "-- afterwards, by %s\n", sql.data);
    }
    text_fini(&sql);
}

static void run_step(const struct options *o, const struct script *s, struct step *step,
                     struct side sides[2], struct finding *f, struct tally *tally)
{
    switch (step->kind) {
    case STEP_SQL:
        if (step->connection == 0 || !s->in_memory)
            run_both(o, sides, step, f, tally);
        break;
    case STEP_COMMAND:
        run_command(&sides[0], step, f);
        break;
    case STEP_ORDINARY:
        for (int i = 0; i < 2; i++)
            run_ordinary(&sides[i], step);
        break;
    case STEP_OPEN:
    case STEP_FETCH:
    case STEP_CLOSE:
        run_slot(o, sides, step, f, tally);
        break;
    case STEP_REOPEN:
        for (int i = 0; i < 2; i++) {
            side_close(&sides[i]);
            side_open(o, s, &sides[i]);
        }
        break;
    }
    for (unsigned i = 0; i <= MAX_TABLES && f->what == SAME; i++)
        if ((step->check >> i & 1) != 0)
            run_check(o, &s->tables[i], sides, f);
}

/* ---- scripts --------------------------------------------------------------- */

/* Remove the files of a directory and of those in it. */
void empty_directory(const char *path, int depth)
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

void run_script(const struct options *o, const struct script *s, struct finding *out,
                struct tally *tally)
{
    struct side sides[2];
    *out = (struct finding){.step = s->nsteps};
    empty_directory(o->dir, 0);
    side_init(o, s, true, &sides[0]);
    side_init(o, s, false, &sides[1]);
    for (size_t i = 0; i < s->nsteps && out->what == SAME; i++) {
        if (s->steps[i].dropped)
            continue;
        run_step(o, s, &s->steps[i], sides, out, tally);
        if (out->what != SAME)
            out->step = i;
    }
    side_fini(&sides[0]);
    side_fini(&sides[1]);
}

void finding_fini(struct finding *f)
{
    text_fini(&f->why);
    *f = (struct finding){0};
}
