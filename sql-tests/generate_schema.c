/* SPDX-License-Identifier: Apache-2.0 */
#include "generate_parts.h"

/* SQLite's rule, for the types below. */
enum affinity affinity_of(const char *type)
{
    if (strstr(type, "INT") != NULL)
        return AFFINITY_NUMERIC;
    if (strstr(type, "CHAR") != NULL || strstr(type, "TEXT") != NULL)
        return AFFINITY_TEXT;
    if (type[0] == '\0' || strstr(type, "BLOB") != NULL || strcmp(type, "ANY") == 0)
        return AFFINITY_BLOB; /* ANY: only in strict tables */
    return AFFINITY_NUMERIC;
}

static const char *const names[MAX_COLUMNS] = {"a", "b", "c", "d", "e", "f", "g"};
static const char *const odd_names[MAX_COLUMNS] = {
    "\"a b\"", "\"Select\"", "[c]", "\"d\"\"d\"", "`e.e`", "\"\xc3\xa4\"", "G1"};
static const char *const types[] = {"INT",
                                    "INTEGER",
                                    "TEXT",
                                    "TEXT",
                                    "REAL",
                                    "NUMERIC",
                                    "BLOB",
                                    "",
                                    "",
                                    "BIGINT",
                                    "",
                                    "VARCHAR(10)",
                                    "CHAR(3)",
                                    "DECIMAL(10,2)",
                                    "DOUBLE PRECISION"};
static const char *const collations[] = {"",       "",      "",      "BINARY",
                                         "NOCASE", "RTRIM", "NOCASE"};
static const char *const fallbacks[] = {"7", "-1.5", "'dflt'", "x'00ff'", "'12'"};

static void column_definition(const struct schema *s, unsigned i, bool inline_key,
                              struct text *out)
{
    const struct column *c = &s->columns[i];
    text_add(out, "%s%s%s%s", c->name, c->type[0] != '\0' ? " " : "", c->type,
             inline_key && s->nkey == 1 && s->key[0] == i ? " PRIMARY KEY" : "");
    if (c->not_null)
        text_add(out, " NOT NULL");
    if (c->fallback != NULL)
        text_add(out, " DEFAULT %s", c->fallback);
    if (c->collation[0] != '\0')
        text_add(out, " COLLATE %s", c->collation);
    add_merge(c, out);
}

static void add_options(struct gen *g, struct schema *s, struct text *out)
{
    static const char *const compactions[] = {"leveled", "lazy", "tiered", "adaptive"};
    static const char *const filters[] = {"0", "1", "20"};
    bool first = s == &g->script->tables[0];
    /* Of the store, not of the table: either the first one gives a limit, or all say
     * how to sync; most do, because syncing every commit is slow. */
    if (first)
        g->limited = chance(g, 40);
    if (g->limited ? first : !chance(g, 15))
        text_add(out, ", sync=off");
    if (g->limited && first)
        text_add(out, ", memory_limit='%uMB'", 1 + below(g, 2));
    if (chance(g, 30))
        text_add(out, ", compression=none");
    if (chance(g, 30))
        text_add(out, ", index=binary");
    if (chance(g, 40))
        text_add(out, ", filter_bits=%s", PICK(g, filters));
    if (chance(g, 40))
        text_add(out, ", compaction=%s", PICK(g, compactions));
    if (chance(g, 15))
        text_add(out, ", mmap=1");
    if (chance(g, 30)) {
        s->large = !s->strict && chance(g, 75);
        text_add(out, ", value_log=%s", s->large ? "512" : "off");
    }
    if (s->merges && chance(g, 50)) {
        text_add(out, ", insert=merge");
        s->merge_insert = true;
    } else if (chance(g, 15)) {
        text_add(out, ", insert=replace");
        s->replaces = true;
    }
    add_hiding(g, s, out);
}

static void schema_write(struct gen *g, struct schema *s)
{
    struct text body = {0}, ours = {0}, theirs = {0}, options = {0};
    bool inline_key = s->nkey == 1 && !s->key_desc[0] &&
                      s->key_collation[0][0] == '\0' &&
                      (s->shape == SHAPE_BARE || chance(g, 60));
    for (unsigned i = 0; i < s->ncolumns; i++) {
        text_add(&body, "%s", i > 0 ? ", " : "");
        column_definition(s, i, inline_key, &body);
    }
    if (!inline_key && s->nkey > 0) {
        text_add(&body, ", PRIMARY KEY (");
        for (unsigned i = 0; i < s->nkey; i++)
            text_add(&body, "%s%s%s%s%s", i > 0 ? ", " : "", s->columns[s->key[i]].name,
                     s->key_collation[i][0] != '\0' ? " COLLATE " : "",
                     s->key_collation[i], s->key_desc[i] ? " DESC" : "");
        text_add(&body, ")");
    }
    const char strict[] = {s->strict ? MARK_STRICT : '\0', '\0'};
    text_add(&theirs, "CREATE TABLE %s(%c)%s%s", s->name, MARK_BODY,
             has_rowid(s) ? "" : " WITHOUT ROWID", strict);
    add_options(g, s, &options);
    text_add(&ours, "CREATE VIRTUAL TABLE %s USING seerdb", s->name);
    if (s->shape != SHAPE_BARE)
        text_add(&ours, "(%c%s%s)", MARK_BODY, options.data == NULL ? "" : options.data,
                 strict);
    else if (options.size > 0)
        text_add(&ours, "(%s)", options.data + 2);
    s->ours = text_take(&ours);
    s->theirs = text_take(&theirs);
    s->body = text_take(&body);
    text_fini(&options);
}

static void schema_key(struct gen *g, struct schema *s)
{
    unsigned first = below(g, s->ncolumns);
    for (unsigned i = 0; i < s->nkey; i++) {
        s->key[i] = (first + i) % s->ncolumns;
        /* Another collation than the column's is refused. */
        const char *collation = s->columns[s->key[i]].collation;
        s->key_collation[i] = chance(g, 80)       ? ""
                              : collation[0] == 0 ? "BINARY"
                                                  : collation;
        s->key_desc[i] = chance(g, 30);
        s->columns[s->key[i]].fallback = NULL;
    }
}

static void schema_columns(struct gen *g, struct schema *s)
{
    static const char *const strict_types[] = {"INT",  "INTEGER", "REAL", "TEXT",
                                               "BLOB", "ANY",     "ANY"};
    s->strict = chance(g, 12);
    unsigned odd = chance(g, 20) ? 40 : 0;
    s->ncolumns = 2 + below(g, MAX_COLUMNS - 2);
    for (unsigned i = 0; i < s->ncolumns; i++) {
        struct column *c = &s->columns[i];
        *c = (struct column){chance(g, odd) ? odd_names[i] : names[i],
                             PICK(g, types),
                             PICK(g, collations),
                             NULL,
                             chance(g, 15),
                             NULL};
        if (s->strict)
            c->type = PICK(g, strict_types);
        /* Exception default: without NOT NULL a column that is left out is NULL. */
        if (c->not_null && chance(g, 50) && !s->strict)
            c->fallback = PICK(g, fallbacks);
    }
}

void schema_generate(struct gen *g, struct schema *s, unsigned number)
{
    static const char *const tables[MAX_TABLES + 1][4] = {
        {"t", "t", "t", "t"},
        {"u", "aux.u", "temp.u", "\"u 1\""},
        {"w", "w", "aux.w", "w"},
        {"n", "n", "n", "n"}};
    *s = (struct schema){.name = PICK(g, tables[number])};
    if (s->name[0] == 'a' && !g->script->attached)
        s->name = tables[number][0];
    s->base = strchr(s->name, '.') != NULL ? strchr(s->name, '.') + 1 : s->name;
    s->plain = s->name[0] == '"' ? "u 1" : s->name;
    /* The first table has every shape, whatever the range of seeds. */
    s->shape = (enum shape)(number == 0 ? g->script->seed % 5 : below(g, 5));
    s->key_collation[0] = "";
    if (s->shape == SHAPE_BARE) {
        s->columns[0] = (struct column){"key", "", "", NULL, false, NULL};
        s->columns[1] = (struct column){"value", "", "", NULL, false, NULL};
        s->ncolumns = 2;
        s->nkey = 1;
        schema_write(g, s);
        return;
    }
    schema_columns(g, s);
    if (s->shape == SHAPE_IPK) {
        struct column *key = &s->columns[s->key[0] = below(g, s->ncolumns)];
        s->nkey = 1;
        key->type = "INTEGER";
        key->not_null = false; /* NULL assigns the next one */
        key->fallback = NULL;
    } else if (s->shape == SHAPE_SINGLE) {
        s->nkey = 1;
        schema_key(g, s);
        if (strcmp(s->columns[s->key[0]].type, "INTEGER") == 0)
            s->columns[s->key[0]].type = "INT"; /* else it would be a rowid */
    } else if (s->shape == SHAPE_COMPOSITE) {
        unsigned most = s->ncolumns < MAX_KEY ? s->ncolumns : MAX_KEY;
        s->nkey = 2 + below(g, most - 1);
        schema_key(g, s);
    }
    merge_columns(g, s);
    schema_write(g, s);
}

void schema_fini(struct schema *s)
{
    free(s->ours);
    free(s->theirs);
    free(s->body);
    free(s->hidden);
}

static char *copy(const char *s)
{
    struct text t = {0};
    text_add(&t, "%s", s);
    return text_take(&t);
}

void create_step(struct gen *g, const struct schema *s)
{
    text_add(&g->sql, "%s", s->theirs);
    g->step.ours = copy(s->ours);
    g->step.body = copy(s->body);
    g->step.silent = s->merges || s->hidden != NULL;
    finish_step(g, STEP_SQL);
    hiding_steps(g, s);
}

/* A view v of the table with INSTEAD OF triggers, and triggers of the ordinary table
 * feed that write into the table.  Triggers may only name tables of their database. */
void view_steps(struct gen *g, struct schema *s)
{
    static const char mark[] = {MARK_REPLACE, '\0'};
    const char *const conflicts[] = {s->replaces       ? mark
                                     : s->merge_insert ? " OR REPLACE"
                                                       : "",
                                     " OR REPLACE", " OR IGNORE"};
    const char *key = name_of(s, first_key(s)), *other = NULL, *given = "new.o";
    for (unsigned i = 0; i < s->ncolumns; i++) {
        if (in_key(s, i))
            continue;
        other = s->columns[i].name;
        /* Exception default. */
        given = s->columns[i].fallback != NULL ? "ifnull(new.o, 5)" : "new.o";
    }
    if (strchr(s->name, '.') != NULL || other == NULL || s->strict ||
        (s->hidden != NULL && has_rowid(s))) /* exception hidden-rowids */
        return;
    if (chance(g, 60)) {
        text_add(&g->sql, "CREATE VIEW v AS SELECT %s AS k, %s AS o FROM %s", key,
                 other, s->name);
        if (chance(g, 50))
            text_add(&g->sql, " WHERE %s IS NOT NULL", other);
        finish_step(g, STEP_SQL);
        text_add(&g->sql,
                 "CREATE TRIGGER v_insert INSTEAD OF INSERT ON v BEGIN INSERT%s INTO "
                 "%s(%s, %s) VALUES (new.k, %s); END",
                 PICK(g, conflicts), s->name, key, other, given);
        finish_step(g, STEP_SQL);
        text_add(&g->sql,
                 "CREATE TRIGGER v_update INSTEAD OF UPDATE ON v BEGIN UPDATE %s "
                 "SET %s = new.o WHERE %s = old.k; END",
                 s->name, other, key);
        finish_step(g, STEP_SQL);
        text_add(&g->sql,
                 "CREATE TRIGGER v_delete INSTEAD OF DELETE ON v BEGIN DELETE FROM %s "
                 "WHERE %s = old.k; END",
                 s->name, key);
        finish_step(g, STEP_SQL);
        s->view = true;
    }
    if (chance(g, 60)) {
        simple_step(g, "CREATE TABLE feed(id INTEGER PRIMARY KEY, k, o)");
        text_add(&g->sql,
                 "CREATE TRIGGER feed_insert AFTER INSERT ON feed BEGIN "
                 "INSERT%s INTO %s(%s) VALUES (new.k); "
                 "UPDATE %s SET %s = new.o WHERE %s = new.k; END",
                 PICK(g, conflicts), s->name, key, s->name, other, key);
        finish_step(g, STEP_SQL);
        text_add(&g->sql,
                 "CREATE TRIGGER feed_delete BEFORE DELETE ON feed BEGIN "
                 "DELETE FROM %s WHERE %s %s old.k; END",
                 s->name, key, chance(g, 50) ? "=" : "<");
        finish_step(g, STEP_SQL);
        s->triggers = true;
    }
}
