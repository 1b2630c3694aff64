/* SPDX-License-Identifier: Apache-2.0
 *
 * What an ordinary table has no word for, and what it is told instead: MERGE columns
 * and _op, which are an upsert, REPLACE and DELETE; ttl and filter, which are triggers
 * that delete a row that should not be there as soon as it is written.
 *
 * A merge applies an operator to what is there and to the operand; an upsert applies
 * the same to the column and to excluded's.  So a row that the upsert inserts must have
 * what the operator makes of the operand alone, and making that of it twice must be no
 * different. */
#include "generate_parts.h"

enum operands { OF_ANY_TYPE, NUMBERS, INTEGERS, JSON };

/* In SQL # stands for the column, @ for what it is merged with. */
struct merge_operator {
    const char *name; /* as the column is declared */
    const char *both; /* none is NULL */
    const char *alone;
    enum operands operands;
    bool texts, numbers; /* it is for columns of TEXT affinity, for those of numeric */
    bool strict;         /* its results have the operands' types */
};

/* TEXT affinity, which excluded's columns have not: they are as they were given.  Only
 * functions and operators see that, comparisons convert by themselves. */
#define AS_TEXT "CASE typeof(@) WHEN 'blob' THEN @ ELSE CAST(@ AS TEXT) END"

static const struct merge_operator operators[] = {
    {"add", "# + @", "@ + 0", NUMBERS, false, true, false},
    {"add", "# + @", "@ + 0", NUMBERS, false, true, false},
    {"min", "CASE WHEN @ < # THEN @ ELSE # END", "@", OF_ANY_TYPE, true, true, true},
    {"max", "CASE WHEN @ > # THEN @ ELSE # END", "@", OF_ANY_TYPE, true, true, true},
    {"bit_or", "# | @", "@ | 0", INTEGERS, false, true, false},
    {"bit_and", "# & @", "@ | 0", INTEGERS, false, true, false},
    {"append",
     "CASE WHEN typeof(#) = 'blob' AND typeof(@) = 'blob' THEN CAST(# || @ AS BLOB) "
     "ELSE # || @ END",
     AS_TEXT, OF_ANY_TYPE, true, false, false},
    {"append('; ')",
     "CASE WHEN typeof(#) = 'blob' AND typeof(@) = 'blob' "
     "THEN CAST(# || '; ' || @ AS BLOB) ELSE # || '; ' || @ END",
     AS_TEXT, OF_ANY_TYPE, true, false, false},
    {"first", "#", "@", OF_ANY_TYPE, true, true, true},
    {"last", "@", "@", OF_ANY_TYPE, true, true, true},
    {"json_patch", "json_patch(#, @)", "json_patch('{}', @)", JSON, true, false, false},
    {"(coalesce(old || '+', '') || new)", "# || '+' || @", "'' || @", OF_ANY_TYPE, true,
     false, false},
    {"(CASE WHEN length(new) < length(old) THEN old ELSE new END)",
     "CASE WHEN length(@) < length(#) THEN # ELSE @ END", "@", OF_ANY_TYPE, true, false,
     false},
    {"(coalesce(old, 0) % 1000003 * 31 + new)", "# % 1000003 * 31 + @", "0 + @",
     OF_ANY_TYPE, true, true, false}, /* nothing of old is forgotten */
    {"(max(coalesce(old, new), new))", "max(#, @)", "@", OF_ANY_TYPE, true, false,
     false},
};

static void substitute(struct text *out, const char *from, const char *column,
                       const char *other)
{
    for (; *from != '\0'; from++) {
        if (*from == '#')
            text_add(out, "%s", column);
        else if (*from == '@')
            text_add(out, "%s", other);
        else
            text_add(out, "%c", *from);
    }
}

/* ---- schemas ------------------------------------------------------------------- */

static bool fits(const struct gen *g, const struct schema *s, const struct column *c,
                 const struct merge_operator *op)
{
    enum affinity affinity = affinity_of(c->type);
    bool real = strstr(c->type, "REAL") != NULL || strstr(c->type, "DOUB") != NULL;
    if (s->strict)
        return op->strict;
    if (c->not_null && op->name[0] == '(') /* results may be NULL: reads would fail */
        return false;
    if (strstr(op->both, "||") != NULL && strcmp(g->script->encoding, "UTF-8") != 0)
        return false;                     /* exception odd-texts */
    if (op->operands == INTEGERS && real) /* an upsert rounds at every step */
        return false;
    return affinity == AFFINITY_TEXT      ? op->texts
           : affinity == AFFINITY_NUMERIC ? op->numbers
                                          : true;
}

void merge_columns(struct gen *g, struct schema *s)
{
    if (s->nkey == 0 || s->shape == SHAPE_BARE || !chance(g, 45))
        return;
    for (unsigned i = 0; i < s->ncolumns; i++) {
        const struct merge_operator *op = &PICK(g, operators);
        if (in_key(s, i) || !chance(g, 70) || !fits(g, s, &s->columns[i], op))
            continue;
        s->columns[i].merge = op;
        s->merges = true;
    }
}

void add_merge(const struct column *c, struct text *out)
{
    if (c->merge != NULL)
        text_add(out, "%c MERGE %s%c", MARK_OURS, c->merge->name, MARK_OURS);
}

/* An option that says which rows are not to be seen.  Exception unfit-ttl: its
 * expression has a time, or NULL, for every row. */
void add_hiding(struct gen *g, struct schema *s, struct text *out)
{
    static const struct {
        const char *option, *hidden; /* # is the column */
    } ways[] = {
        {"filter = '# >= 20'", "# >= 20"},
        {"filter = '# < -2'", "# < -2"},
        {"filter = '# = 7'", "# = 7"},
        {"filter = 'typeof(#) = ''text'' AND length(#) = 2'",
         "typeof(#) = 'text' AND length(#) = 2"},
        {"ttl = 'CASE WHEN typeof(#) = ''integer'' AND # % 5 = 3 THEN 1 END'",
         "typeof(#) = 'integer' AND # % 5 = 3"},
        {"ttl = 'CASE # WHEN ''ab'' THEN 1.5 WHEN 5 THEN ''0'' ELSE 99999999999 END'",
         "CASE # WHEN 'ab' THEN 1 WHEN 5 THEN 1 END"},
        {"ttl = '# + 100'", "# + 100 < 2000000000"} /* long past, or not to come */
    };
    unsigned column = below(g, s->ncolumns), which = below(g, COUNT(ways) - 1);
    /* Exception hidden-rowids. */
    if (s->shape == SHAPE_BARE || s->shape == SHAPE_ROWID || !chance(g, 30))
        return;
    for (unsigned i = 0; i < s->ncolumns && s->strict; i++) {
        if (strstr(s->columns[i].type, "INT") != NULL) {
            column = i;
            which = COUNT(ways) - 1; /* there nothing else can be in the column */
        }
    }
    struct text condition = {0};
    text_add(out, ", ");
    substitute(out, ways[which].option, s->columns[column].name, "");
    substitute(&condition, ways[which].hidden, s->columns[column].name, "");
    s->hidden = text_take(&condition);
}

/* Not with WHEN: new's columns have no affinity there. */
static void trigger_step(struct gen *g, const struct schema *s, const char *event)
{
    size_t database = (size_t)(s->base - s->name);
    text_add(&g->sql,
             "CREATE TRIGGER IF NOT EXISTS %.*shide_%s_%s AFTER %s ON %s BEGIN "
             "DELETE FROM %s WHERE (%s)",
             (int)database, s->name, s->name[0] == '"' ? "u" : s->base, event, event,
             s->base, s->base, s->hidden);
    if (has_rowid(s))
        text_add(&g->sql, " AND rowid = new.rowid");
    for (unsigned i = 0; i < s->nkey && !has_rowid(s); i++) {
        const char *name = s->columns[s->key[i]].name;
        text_add(&g->sql, " AND %s = new.%s", name, name);
    }
    text_add(&g->sql, "; END");
    finish_step(g, STEP_ORDINARY);
}

void hiding_steps(struct gen *g, const struct schema *s)
{
    if (s->hidden == NULL)
        return;
    trigger_step(g, s, "INSERT");
    trigger_step(g, s, "UPDATE");
}

/* ---- statements ------------------------------------------------------------------ */

/* The two texts of a statement: what seerdb is told and what the ordinary table is. */
struct pair {
    struct text ours, theirs;
};

static void finish_pair(struct gen *g, struct pair *p)
{
    text_fini(&g->sql);
    g->sql = p->theirs;
    g->step.ours = text_take(&p->ours);
    g->step.silent = true;
    g->step.check = chance(g, 70) ? bit_of(g, g->s) : 0;
    finish_step(g, STEP_SQL);
}

/* Exceptions exact-sums and failing-merge: what is there already must be an operand as
 * good as those that follow. */
static void tame_step(struct gen *g, unsigned column)
{
    const struct schema *s = g->s;
    const struct column *c = &s->columns[column];
    if (c->merge->operands == NUMBERS)
        text_add(&g->sql,
                 "UPDATE %s SET %s = 7 WHERE NOT (%s + 0 BETWEEN -1000000 AND 1000000 "
                 "AND (%s + 0) * 4 = CAST((%s + 0) * 4 AS INTEGER))",
                 s->name, c->name, c->name, c->name, c->name);
    else if (c->merge->operands == JSON)
        text_add(&g->sql, "UPDATE %s SET %s = '{}' WHERE NOT json_valid(%s)", s->name,
                 c->name, c->name);
    else
        return;
    g->step.write = true;
    finish_step(g, STEP_SQL);
}

/* An operand as g->sql's next value. */
static void add_merged(struct gen *g, unsigned column, bool alone, unsigned existing)
{
    static const char *const numbers[] = {"0",    "1",     "1",    "-3",    "1000",
                                          "0.25", "-1.5",  "2.0",  "'12'",  "'2.5x'",
                                          "NULL", "x'31'", "'no'", "12345", "'1e2'"};
    static const char *const documents[] = {
        "'{\"a\":1}'",         "'{\"a\":[1, 2]}'",     "'{}'",
        "'{\"b\":{\"c\":2}}'", "' {\"b\":{\"d\":3}}'", "NULL",
        "'[4, \"x\"]'"};
    /* None that NUMERIC affinity makes another integer of, as of '1e2': AS_TEXT. */
    static const char *const integers[] = {
        "0",   "1",     "2",    "5",    "-1",   "-4096", "9223372036854775807",
        "3.9", "-2.5",  "1e19", "'12'", "'no'", "x'33'", "'6 of them'",
        "16",  "65535", "NULL"};
    /* Equal, and told apart. */
    static const char *const twins[] = {"1", "1.0", "'ab'", "'AB'", "'Ab'", "'ab '"};
    const struct column *c = &g->s->columns[column];
    if (c->merge != NULL && c->merge->name[0] == 'm' && !g->s->strict &&
        c->fallback == NULL && chance(g, 50)) {
        text_add(&g->sql, "%s", PICK(g, twins));
        return;
    }
    if (c->merge == NULL || c->merge->operands == OF_ANY_TYPE) {
        add_inserted(g, (int)column, alone, true, existing);
        return;
    }
    bool fallback = c->fallback != NULL; /* exception default */
    text_add(&g->sql, "%s%s%s", fallback ? "ifnull(" : "",
             c->merge->operands == JSON       ? PICK(g, documents)
             : c->merge->operands == INTEGERS ? PICK(g, integers)
                                              : PICK(g, numbers),
             fallback ? ", 5)" : "");
}

/* What a column of a new row gets that is merged with this operand. */
static void add_alone(const struct column *c, const char *operand, struct text *out)
{
    const char *alone = c->merge != NULL ? c->merge->alone : "@";
    if (strcmp(alone, "@") == 0 && affinity_of(c->type) == AFFINITY_TEXT)
        alone = AS_TEXT;
    if (strcmp(alone, "@") == 0) {
        text_add(out, "%s", operand);
        return;
    }
    text_add(out, "CASE WHEN %s IS NOT NULL THEN ", operand);
    substitute(out, alone, "", operand);
    text_add(out, " END");
}

/* Of the columns in `given`, bits. */
static void add_upsert(const struct schema *s, unsigned given, struct text *out)
{
    const char *first = NULL;
    text_add(out, " ON CONFLICT DO UPDATE SET ");
    for (unsigned i = 0; i < s->ncolumns; i++) {
        const struct column *c = &s->columns[i];
        if (c->merge == NULL || (given >> i & 1) == 0)
            continue;
        struct text other = {0};
        text_add(&other, "excluded.%s", c->name);
        text_add(out,
                 "%s%s = CASE WHEN %s IS NULL THEN %s WHEN %s IS NULL THEN %s ELSE ",
                 first != NULL ? ", " : "", c->name, other.data, c->name, c->name,
                 other.data);
        substitute(out, c->merge->both, c->name, other.data);
        text_add(out, " END");
        text_fini(&other);
        first = c->name;
    }
    if (first == NULL) /* it counts as a change */
        text_add(out, "%s = %s", s->columns[s->key[0]].name,
                 s->columns[s->key[0]].name);
}

static void add_both(struct pair *p, const char *text)
{
    text_add(&p->ours, "%s", text);
    text_add(&p->theirs, "%s", text);
}

/* INSERT INTO t(columns, _op): bits of columns. */
static void begin_insert(struct gen *g, struct pair *p, const char *clause,
                         unsigned given, bool op)
{
    const struct schema *s = g->s;
    const char *comma = "";
    text_add(&p->ours, "INSERT INTO %s(", s->name);
    text_add(&p->theirs, "INSERT%s INTO %s(", clause, s->name);
    for (unsigned i = 0; i < s->ncolumns; i++) {
        if ((given >> i & 1) == 0)
            continue;
        add_both(p, comma);
        add_both(p, s->columns[i].name);
        comma = ", ";
    }
    text_add(&p->ours, "%s) ", op ? ", _op" : "");
    text_add(&p->theirs, ") ");
}

/* All of the key, and most others. */
static unsigned choose_given(struct gen *g)
{
    unsigned given = 0;
    bool all = chance(g, 50);
    for (unsigned i = 0; i < g->s->ncolumns; i++)
        if (all || in_key(g->s, i) || chance(g, 60))
            given |= 1u << i;
    return given;
}

static void merge_rows(struct gen *g)
{
    const struct schema *s = g->s;
    unsigned given = choose_given(g), rows = chance(g, 50) ? 1 : 1 + below(g, 8);
    bool op = !s->merge_insert || chance(g, 50);
    struct pair p = {{0}, {0}};
    begin_insert(g, &p, "", given, op);
    add_both(&p, "VALUES ");
    g->several = rows > 1;
    for (unsigned row = 0; row < rows; row++) {
        unsigned existing = below(g, 20);
        const char *comma = "";
        add_both(&p, row > 0 ? ", (" : "(");
        for (unsigned i = 0; i < s->ncolumns; i++) {
            if ((given >> i & 1) == 0)
                continue;
            add_merged(g, i, rows == 1, existing);
            add_both(&p, comma);
            text_add(&p.ours, "%s", g->sql.data);
            add_alone(&s->columns[i], g->sql.data, &p.theirs);
            text_fini(&g->sql);
            comma = ", ";
        }
        text_add(&p.ours, "%s)", op ? chance(g, 90) ? ", 'merge'" : ", 'MERGE'" : "");
        text_add(&p.theirs, ")");
    }
    g->several = false;
    add_upsert(s, given, &p.theirs);
    g->step.write = true;
    finish_pair(g, &p);
}

static const char *bulk_value(struct gen *g, unsigned column)
{
    static const char *const values[] = {"i", "'v' || i", "i / 4.0",
                                         "CAST('k' || i AS BLOB)", "-i"};
    static const char *const numbers[] = {"i % 9 - 4", "(i % 9) / 4.0"};
    static const char *const keys[] = {"i % @", "'key' || (i % @)",
                                       "CAST('k' || (i % @) AS BLOB)"};
    const struct column *c = &g->s->columns[column];
    if (in_key(g->s, column))
        return keys[is_rowid(g->s, (int)column) ? 0 : below(g, COUNT(keys))];
    if (c->merge != NULL && c->merge->operands == NUMBERS)
        return PICK(g, numbers);
    if (c->merge != NULL && c->merge->operands == JSON)
        return "'{\"a' || i % 5 || '\":' || i || '}'";
    return PICK(g, values);
}

/* Hundreds of operands, of few keys or of many. */
static void merge_bulk(struct gen *g)
{
    const struct schema *s = g->s;
    static const char *const spreads[] = {"1", "1", "2", "7", "400"};
    const char *spread = PICK(g, spreads), *comma = "";
    unsigned given = choose_given(g), from = below(g, 2000);
    struct pair p = {{0}, {0}};
    struct text with = {0};
    begin_insert(g, &p, "", given, true);
    text_add(&with,
             "WITH RECURSIVE z(i) AS (SELECT %u UNION ALL SELECT i + 1 FROM z "
             "WHERE i < %u) SELECT ",
             from, from + 100 + below(g, 800));
    add_both(&p, with.data);
    text_fini(&with);
    for (unsigned i = 0; i < s->ncolumns; i++) {
        struct text value = {0};
        if ((given >> i & 1) == 0)
            continue;
        substitute(&value, bulk_value(g, i), "", spread);
        add_both(&p, comma);
        text_add(&p.ours, "%s", value.data);
        add_alone(&s->columns[i], value.data, &p.theirs);
        text_fini(&value);
        comma = ", ";
    }
    text_add(&p.ours, ", 'merge' FROM z");
    text_add(&p.theirs, " FROM z WHERE true");
    add_upsert(s, given, &p.theirs);
    g->step.write = true;
    finish_pair(g, &p);
}

void merge_step(struct gen *g)
{
    for (unsigned i = 0; i < g->s->ncolumns; i++)
        if (g->s->columns[i].merge != NULL)
            tame_step(g, i);
    if (chance(g, 12) && !g->s->strict) /* exception mismatch-rows */
        merge_bulk(g);
    else
        merge_rows(g);
}

/* ---- _op ------------------------------------------------------------------------- */

static void put_row(struct gen *g)
{
    const struct schema *s = g->s;
    struct pair p = {{0}, {0}};
    unsigned existing = below(g, 20);
    begin_insert(g, &p, " OR REPLACE", (1u << s->ncolumns) - 1, true);
    for (unsigned i = 0; i < s->ncolumns; i++) {
        text_add(&g->sql, "%s", i > 0 ? ", " : "VALUES (");
        add_inserted(g, (int)i, true, true, existing);
    }
    add_both(&p, g->sql.data);
    text_add(&p.ours, ", 'put')");
    text_add(&p.theirs, ")");
    g->step.write = true;
    finish_pair(g, &p);
}

/* Nothing but the key counts; changes() is 1 whether it was there or not. */
static void delete_row(struct gen *g)
{
    const struct schema *s = g->s;
    struct pair p = {{0}, {0}};
    struct text values = {0};
    unsigned existing = below(g, 12), n = s->nkey > 0 ? s->nkey : 1;
    text_add(&p.ours, "INSERT INTO %s(", s->name);
    text_add(&p.theirs, "DELETE FROM %s WHERE ", s->name);
    for (unsigned i = 0; i < n; i++) {
        int column = s->nkey > 0 ? (int)s->key[i] : -1;
        const char *name = name_of(s, column);
        text_add(&g->sql, "ifnull(");
        if (chance(g, 60))
            add_existing(g, column, existing);
        else if (chance(g, 50) || is_rowid(s, column))
            text_add(&g->sql, "%d", (int)below(g, 40) - 8);
        else
            text_add(&g->sql, "%s", PICK(g, words));
        text_add(&g->sql, ", 5)");
        text_add(&p.ours, "%s, ", name);
        text_add(&p.theirs, "%s%s = %s", i > 0 ? " AND " : "", name, g->sql.data);
        text_add(&values, "%s, ", g->sql.data);
        text_fini(&g->sql);
    }
    text_add(&p.ours, "_op) VALUES (%s'delete')", values.data);
    text_fini(&values);
    finish_pair(g, &p);
}

void op_step(struct gen *g)
{
    if (chance(g, 60) || g->s->strict) /* a key of the wrong type is an error */
        put_row(g);
    else
        delete_row(g);
}
