/* SPDX-License-Identifier: Apache-2.0 */
#include "generate.h"

#include "generate_parts.h"

/* clang-format off */
const char *const generate_exceptions[][2] = {
    {"moving-rows", "UPDATE OR REPLACE that moves several rows onto each other's keys: "
                    "avoided (README, sees the rows as of the statement's start)"},
    {"update-from", "UPDATE ... FROM that fails half way, or with several matches of a "
                    "row: avoided (README)"},
    {"largest-rowid", "rowids beside 9223372036854775807: avoided (README)"},
    {"text-key-range", "a TEXT or untyped key compared by < or > with a column of "
                       "numeric affinity: avoided (README)"},
    {"mixed-column", "a TEXT or untyped key compared by = with a column of a compound "
                     "SELECT or recursive WITH whose parts are of numeric and of other "
                     "affinity: avoided (README)"},
    {"row-value-in", "(a, b) IN (SELECT ...): avoided, IN (VALUES ...) is there (README)"},
    {"run-it-again", "the statement that says so is run again (README)"},
    {"returning", "INSERT ... RETURNING gives values as given: only the rows' number "
                  "is compared (README)"},
    {"default", "NULL for a NOT NULL column that has a DEFAULT, and a column with "
                "DEFAULT but not NOT NULL: avoided (README)"},
    {"mismatch-rows", "\"datatype mismatch\" or a strict table's wrong type after the "
                      "first row of a statement: avoided, SQLite's own tables keep the rows"},
    {"mismatch-text", "the text of \"datatype mismatch\": seerdb says more"},
    {"statement-snapshot", "WHERE of UPDATE and DELETE with a subquery over the changed "
                           "table: avoided, SQLite's own tables may see the changes"},
    {"rowid-collation", "UNION and its like that begin with an INTEGER PRIMARY KEY: avoided, "
                        "SQLite gives that column of its own tables no collation and takes "
                        "the other SELECT's (README)"},
    {"strict-clause", "a value of the wrong type in a table with strict=1: OR IGNORE fails with "
                      "another code than in a STRICT table, OR ROLLBACK is avoided (README)"},
    {"or-collate", "COLLATE in the terms of an OR: avoided, SQLite makes an IN of some with "
                   "one of their collations"},
    {"constant-order", "ORDER BY a text or untyped column that WHERE has equal to a value "
                       "of numeric affinity: avoided, SQLite takes it for constant"},
    {"bloom-filter", "SQLite's Bloom filters, up to 3.40 wrong for RTRIM: switched off"},
    {"open-cursor", "a SELECT that goes on while its table is written: only if it was "
                    "sorted, SQLite leaves it open what else it sees"},
    {"written-drop", "DROP TABLE of what the transaction has written: avoided (README)"},
    {"no-op-commit", "an UPDATE that changes nothing commits nothing to an ordinary table, "
                     "so who meets SQLITE_BUSY may differ: the second connection keeps a "
                     "transaction only in WAL mode, and writes in it after a change"},
    {"exact-sums", "MERGE add rounds a sum once, an upsert at every step: only numbers that "
                   "a double has room for are added up"},
    {"odd-texts", "a text of an odd number of bytes in UTF-16, as blobs that are appended to "
                  "texts may make: SQLite cuts it at every step, append keeps it. No append there"},
    {"failing-merge", "MERGE json_patch with malformed JSON fails the reading of the row, an "
                      "upsert the statement: avoided"},
    {"hidden-rowids", "a rowid that is assigned is above those of rows that have expired or are "
                      "filtered, too, while they are there: none is assigned"},
    {"unfit-ttl", "a row of which ttl or filter cannot be worked out is refused: avoided"},
    {NULL, NULL},
};
/* clang-format on */

/* ---- steps ----------------------------------------------------------------- */

void finish_step(struct gen *g, enum step_kind kind)
{
    struct script *s = g->script;
    for (unsigned i = 0; i <= MAX_TABLES; i++)
        g->step.nested = g->step.nested || s->tables[i].hidden != NULL;
    if (s->nsteps == g->capacity) {
        g->capacity = g->capacity == 0 ? 256 : 2 * g->capacity;
        s->steps = realloc(s->steps, g->capacity * sizeof(*s->steps));
        if (s->steps == NULL)
            die("realloc");
    }
    g->step.kind = kind;
    g->step.sql = text_take(&g->sql);
    s->steps[s->nsteps++] = g->step;
    g->step = (struct step){0};
}

void simple_step(struct gen *g, const char *sql)
{
    text_add(&g->sql, "%s", sql);
    if (chance(g, 30) && g->s != NULL)
        g->step.check = bit_of(g, g->s);
    finish_step(g, STEP_SQL);
}

unsigned bit_of(const struct gen *g, const struct schema *s)
{
    return 1u << (s - g->script->tables);
}

static unsigned all_tables(const struct gen *g)
{
    return (1u << g->script->ntables) - 1;
}

static bool is_temp(const struct schema *s)
{
    return strncmp(s->name, "temp.", 5) == 0;
}

/* A table for the next statement: the first one as often as all others. */
static void choose_table(struct gen *g)
{
    unsigned n = g->script->ntables;
    g->s = &g->script->tables[chance(g, 50) ? 0 : below(g, n)];
}

static void choose_shared_table(struct gen *g)
{
    choose_table(g);
    if (is_temp(g->s))
        g->s = &g->script->tables[0];
}

static void transaction_step(struct gen *g)
{
    static const char *const names[] = {"s1", "s2", "s3", "\"S 1\""};
    static const char *const begins[] = {"BEGIN", "BEGIN", "BEGIN IMMEDIATE",
                                         "BEGIN EXCLUSIVE", "BEGIN DEFERRED"};
    unsigned dice = below(g, 100);
    const char *name = PICK(g, names);
    if (dice < 22)
        text_add(&g->sql, "%s", PICK(g, begins));
    else if (dice < 38)
        text_add(&g->sql, "%s", chance(g, 30) ? "END" : "COMMIT");
    else if (dice < 46)
        text_add(&g->sql, "ROLLBACK");
    else if (dice < 68)
        text_add(&g->sql, "SAVEPOINT %s", name);
    else if (dice < 87)
        text_add(&g->sql, "ROLLBACK TO %s", name);
    else
        text_add(&g->sql, "RELEASE %s", name);
    g->step.check = chance(g, 80) ? all_tables(g) : 0;
    finish_step(g, STEP_SQL);
}

/* ---- blocks: several statements that belong together -------------------------- */

/* Exception written-drop: each of these begins with a COMMIT (which may fail, having
 * nothing to commit). */
static void drop_block(struct gen *g)
{
    const struct schema *s = g->s;
    bool back = chance(g, 70), savepoint = chance(g, 40);
    simple_step(g, "COMMIT");
    if (back) {
        simple_step(g, "BEGIN");
        if (savepoint)
            simple_step(g, "SAVEPOINT d");
    }
    text_add(&g->sql, "DROP TABLE %s", s->name);
    finish_step(g, STEP_SQL);
    if (chance(g, 60) || !back) {
        create_step(g, s);
        write_step(g);
        read_step(g);
    }
    if (back && savepoint) {
        simple_step(g, "ROLLBACK TO d");
        read_step(g);
    }
    if (back)
        simple_step(g, "ROLLBACK");
}

/* A table that is new in this transaction, or in a part of it. */
static void spare_block(struct gen *g)
{
    struct schema *spare = &g->script->tables[SPARE_TABLE];
    bool savepoint = chance(g, 50);
    if (spare->name == NULL)
        schema_generate(g, spare, SPARE_TABLE);
    g->s = spare;
    simple_step(g, savepoint ? "SAVEPOINT n" : "BEGIN");
    create_step(g, spare);
    for (unsigned i = below(g, 4); i > 0; i--) {
        write_step(g);
        read_step(g);
    }
    if (savepoint) {
        simple_step(g, "ROLLBACK TO n");
        if (chance(g, 30))
            create_step(g, spare);
        simple_step(g, "RELEASE n");
    } else {
        simple_step(g, chance(g, 50) ? "COMMIT" : "ROLLBACK");
    }
    read_step(g);
    simple_step(g, "COMMIT");
    simple_step(g, "DROP TABLE n");
}

static void rename_block(struct gen *g)
{
    const char *name = g->s->name;
    const char *database = strchr(name, '.') != NULL ? name : "";
    int size = database[0] != '\0' ? (int)(g->s->base - name) : 0;
    bool back = chance(g, 30);
    if (back)
        simple_step(g, "SAVEPOINT r");
    text_add(&g->sql, "ALTER TABLE %s RENAME TO t2", name);
    finish_step(g, STEP_SQL);
    if (chance(g, 50)) {
        text_add(&g->sql, "SELECT count(*) FROM %.*st2", size, database);
        finish_step(g, STEP_SQL);
    }
    if (back) {
        simple_step(g, "ROLLBACK TO r");
        simple_step(g, "RELEASE r");
    } else {
        text_add(&g->sql, "ALTER TABLE %.*st2 RENAME TO %s", size, database,
                 g->s->base);
        finish_step(g, STEP_SQL);
    }
}

static void slot_step(struct gen *g, enum step_kind kind, unsigned slot)
{
    g->step.slot = slot;
    g->step.count = 1 + below(g, 6);
    finish_step(g, kind);
}

/* Two SELECTs stepped by turns.  Exception open-cursor: what is written meanwhile they
 * have sorted, or it is another table. */
static void cursor_block(struct gen *g)
{
    const struct schema *written =
        g->script->ntables > 1 && chance(g, 50)
            ? &g->script->tables[below(g, g->script->ntables)]
            : NULL;
    bool writes = written != NULL || chance(g, 50);
    for (unsigned slot = 0; slot < MAX_SLOTS; slot++) {
        choose_table(g);
        bool sorted = writes && (written == NULL || written == g->s);
        const char *key = name_of(g->s, first_key(g->s));
        text_add(&g->sql, "SELECT * FROM %s", g->s->name);
        if (sorted) {
            text_add(&g->sql, " ORDER BY typeof(%s) || length(%s)", key, key);
            for (unsigned i = 0; i < g->s->nkey; i++)
                text_add(&g->sql, ", %s", g->s->columns[g->s->key[i]].name);
            text_add(&g->sql, "%s", g->s->nkey == 0 ? ", rowid" : "");
            g->step.ordered = true;
        } else {
            add_order(g, "");
        }
        slot_step(g, STEP_OPEN, slot);
        slot_step(g, STEP_FETCH, slot);
    }
    for (unsigned i = 2 + below(g, 6); i > 0; i--) {
        slot_step(g, STEP_FETCH, below(g, MAX_SLOTS));
        if (writes) {
            if (written != NULL)
                g->s = written;
            else
                choose_table(g);
            size_t before = g->script->nsteps;
            write_step(g);
            /* OR ROLLBACK ends statements, too: the one that reads with an error. */
            if (strstr(g->script->steps[before].sql, "OR ROLLBACK") != NULL ||
                strstr(g->script->steps[before].sql, " v ") != NULL ||
                strstr(g->script->steps[before].sql, "v(") != NULL ||
                strstr(g->script->steps[before].sql, "feed") != NULL)
                g->script->steps[before].dropped = true;
        }
    }
    for (unsigned slot = 0; slot < MAX_SLOTS; slot++)
        slot_step(g, STEP_CLOSE, slot);
}

static void on_second_with(struct gen *g, const struct schema *s,
                           void (*make)(struct gen *g))
{
    size_t before = g->script->nsteps;
    g->s = s;
    make(g);
    for (size_t i = before; i < g->script->nsteps; i++)
        g->script->steps[i].connection = 1;
}

static void on_second(struct gen *g, void (*make)(struct gen *g))
{
    choose_shared_table(g);
    on_second_with(g, g->s, make);
}

static void second_step(struct gen *g, const char *sql)
{
    g->step.connection = 1;
    text_add(&g->sql, "%s", sql);
    finish_step(g, STEP_SQL);
}

/* A read transaction of the second connection while the first one writes; then it tries
 * to write, too. */
static void snapshot_block(struct gen *g)
{
    simple_step(g, "COMMIT");
    second_step(g, "BEGIN");
    on_second(g, read_step);
    for (unsigned i = 1 + below(g, 4); i > 0; i--) {
        choose_table(g);
        if (chance(g, 20))
            simple_step(g, "BEGIN");
        write_step(g);
        if (chance(g, 30))
            simple_step(g, "COMMIT");
        on_second(g, read_step);
    }
    if (chance(g, 50)) {
        /* Exception no-op-commit: something has surely changed since. */
        simple_step(g, "COMMIT");
        simple_step(g, "INSERT INTO x(v) VALUES ('changed')");
        on_second_with(g, &g->script->tables[0], write_step); /* in x's database */
    }
    on_second(g, read_step);
    second_step(g, chance(g, 50) ? "COMMIT" : "ROLLBACK");
    on_second(g, read_step);
    simple_step(g, "COMMIT");
}

/* The second connection meets a writer. */
static void busy_block(struct gen *g)
{
    simple_step(g, "COMMIT");
    simple_step(g, "BEGIN IMMEDIATE");
    choose_table(g);
    write_step(g);
    on_second(g, write_step);
    choose_table(g);
    write_step(g);
    simple_step(g, chance(g, 70) ? "COMMIT" : "ROLLBACK");
    on_second(g, read_step);
    on_second(g, write_step);
}

static void second_block(struct gen *g)
{
    bool wal = strcmp(g->script->journal, "WAL") == 0;
    unsigned dice = below(g, 100);
    if (dice < 40 && wal) {
        snapshot_block(g);
    } else if (dice < 55) {
        busy_block(g);
    } else if (dice < 80) {
        /* Exception no-op-commit. */
        if (!wal)
            simple_step(g, "COMMIT");
        on_second(g, read_step);
    } else {
        simple_step(g, "COMMIT");
        on_second(g, write_step);
    }
}

static void command_step(struct gen *g)
{
    static const char *const commands[] = {
        "spill", "spill",  "spill",  "flush",   "flush",   "flush", "continue",
        "pause", "verify", "verify", "compact", "compact", "gc"};
    text_add(&g->sql, "SELECT seerdb('%s', '%s')", g->s->plain, PICK(g, commands));
    g->step.check = chance(g, 30) ? bit_of(g, g->s) : 0;
    finish_step(g, STEP_COMMAND);
}

static void reopen_block(struct gen *g)
{
    g->step.check = 0;
    finish_step(g, STEP_REOPEN);
    for (unsigned i = 0; i < g->script->ntables; i++)
        if (is_temp(&g->script->tables[i]))
            create_step(g, &g->script->tables[i]);
    text_add(&g->sql, "SELECT count(*) FROM x");
    g->step.check = all_tables(g);
    finish_step(g, STEP_SQL);
}

static void rare_step(struct gen *g)
{
    static const char *const sentences[] = {
        "ANALYZE", "SELECT * FROM x WHERE id < 5",
        "UPDATE x SET v = v || 'u' WHERE id = 200",
        "INSERT INTO x(id, v) VALUES (NULL, 'more')", "DELETE FROM x WHERE id > 200"};
    simple_step(g, PICK(g, sentences));
}

/* A prepared statement of before, with its parameters. */
static void again_step(struct gen *g)
{
    const struct script *s = g->script;
    for (unsigned tries = 0; tries < 20; tries++) {
        const struct step *old = &s->steps[below(g, s->nsteps)];
        if (!old->kept || old->connection != 0 || old->dropped)
            continue;
        struct step again = *old;
        again.ours = again.body = NULL;
        text_add(&g->sql, "%s", old->sql);
        for (unsigned i = 0; i < old->nparams; i++) {
            struct text value = {0};
            if (chance(g, 50))
                text_add(&value, "%s", old->params[i]);
            else
                add_literal(g, &value, -1); /* largest-rowid */
            again.params[i] = text_take(&value);
        }
        g->step = again;
        finish_step(g, STEP_SQL);
        return;
    }
}

/* ---- scripts ----------------------------------------------------------------- */

/* The table of awkward values that others are joined with. */
static void make_x(struct gen *g)
{
    simple_step(g, "CREATE TABLE x(id INTEGER PRIMARY KEY, v, i INT, s TEXT, r REAL)");
    text_add(&g->sql, "INSERT INTO x(v) VALUES ");
    for (size_t i = 0; i < COUNT(awkward); i++)
        text_add(&g->sql, "%s(%s)", i > 0 ? ", " : "", awkward[i]);
    for (size_t i = 0; i < COUNT(huge); i++)
        text_add(&g->sql, ", (%s)", huge[i]);
    finish_step(g, STEP_SQL);
    simple_step(g, "UPDATE x SET i = v, s = v, r = v WHERE id % 3 <> 1");
}

static void choose_databases(struct gen *g)
{
    static const char *const journals[] = {"WAL",      "WAL",     "WAL",    "DELETE",
                                           "TRUNCATE", "PERSIST", "MEMORY", "WAL"};
    static const char *const encodings[] = {"UTF-8", "UTF-8",    "UTF-8",   "UTF-8",
                                            "UTF-8", "UTF-16le", "UTF-16be"};
    static const unsigned pages[] = {4096, 4096, 512, 1024, 8192, 65536};
    struct script *s = g->script;
    s->in_memory = chance(g, 20);
    s->journal = PICK(g, journals);
    s->encoding = PICK(g, encodings);
    s->page_size = PICK(g, pages);
    s->attached = chance(g, 30);
    s->ntables = 1 + below(g, MAX_TABLES);
    for (unsigned i = 0; i < s->ntables; i++) {
        schema_generate(g, &s->tables[i], i);
        create_step(g, &s->tables[i]);
    }
}

void script_generate(struct script *s, uint64_t seed, size_t nstatements)
{
    *s = (struct script){.seed = seed};
    struct gen g = {.script = s, .rand = {seed * 0x2545f4914f6cdd1du + 1}};
    choose_databases(&g);
    make_x(&g);
    view_steps(&g, &s->tables[0]);
    unsigned bulk = chance(&g, 25) ? 12 : 1; /* of 1000 */
    while (s->nsteps < nstatements) {
        unsigned dice = below(&g, 1000);
        bool alone = s->in_memory;
        choose_table(&g);
        if (dice < bulk)
            bulk_step(&g);
        else if (dice < 400)
            write_step(&g);
        else if (dice < 415)
            range_step(&g);
        else if (dice < 700)
            read_step(&g);
        else if (dice < 730)
            again_step(&g);
        else if (dice < 880)
            transaction_step(&g);
        else if (dice < 915)
            command_step(&g);
        else if (dice < 927 && !alone)
            reopen_block(&g);
        else if (dice < 955 && !alone)
            second_block(&g);
        else if (dice < 965)
            cursor_block(&g);
        else if (dice < 972)
            rename_block(&g);
        else if (dice < 980)
            drop_block(&g);
        else if (dice < 986)
            spare_block(&g);
        else if (dice < 994)
            rare_step(&g);
    }
}

void script_fini(struct script *s)
{
    for (size_t i = 0; i < s->nsteps; i++) {
        free(s->steps[i].sql);
        free(s->steps[i].ours);
        free(s->steps[i].body);
        for (unsigned p = 0; p < s->steps[i].nparams; p++)
            free(s->steps[i].params[p]);
    }
    free(s->steps);
    for (unsigned i = 0; i <= MAX_TABLES; i++)
        schema_fini(&s->tables[i]);
    *s = (struct script){0};
}
