/* SPDX-License-Identifier: Apache-2.0 */
#include "generate.h"
#include "schemas.h"

#include <string.h>

/* ---- operands ---------------------------------------------------------------- */

/* A literal that is likely to meet others in the column; -1 is the rowid. */
static void add_literal(struct gen *g, struct text *out, int column)
{
    const struct schema *s = &g->script->schema;
    const char *type = column < 0 ? "INTEGER" : s->columns[column].type;
    unsigned dice = below(g, 100);
    if (dice < 22)
        text_add(out, "%s", PICK(g, awkward));
    else if (dice < 27 && !is_rowid(s, column))
        text_add(out, "%s", PICK(g, huge));
    else if (dice < 34)
        text_add(out, "'%d'", (int)below(g, 20) - 4);
    else if (dice < 40)
        text_add(out, "%d.%s", (int)below(g, 20) - 4, chance(g, 50) ? "0" : "25");
    else if (dice < 45)
        text_add(out, "%s", PICK(g, words));
    else if (strcmp(type, "TEXT") == 0)
        text_add(out, "%s", PICK(g, words));
    else if (strcmp(type, "BLOB") == 0 && dice < 80)
        text_add(out, "x'%02x%s'", below(g, 4) * 85u, chance(g, 40) ? "00" : "");
    else
        text_add(out, "%d", (int)below(g, 40) - 8);
}

/* ORDER BY the key, as it is declared: total. */
static void add_key_order(const struct schema *s, struct text *out)
{
    text_add(out, " ORDER BY %s", s->nkey == 0 ? "rowid" : "");
    for (unsigned i = 0; i < s->nkey; i++)
        text_add(out, "%s%s%s", i > 0 ? ", " : "", s->columns[s->key[i]].name,
                 s->key_desc[i] ? " DESC" : "");
}

/* The column's value in the n-th row, so that not all lookups miss. */
static void add_existing(struct gen *g, int column, unsigned n)
{
    const struct schema *s = &g->script->schema;
    text_add(&g->sql, "(SELECT %s FROM t", name_of(s, column));
    add_key_order(s, &g->sql);
    text_add(&g->sql, " LIMIT 1 OFFSET %u)", n);
}

/* A value to compare with the column: a literal, a parameter or an expression. */
static void add_operand(struct gen *g, int column)
{
    unsigned dice = below(g, 100);
    if (dice < 25 && g->step.nparams < MAX_PARAMS) {
        struct text literal = {0};
        add_literal(g, &literal, column);
        g->step.params[g->step.nparams++] = text_take(&literal);
        text_add(&g->sql, "?%u", g->step.nparams);
        return;
    }
    static const char *const types[] = {"INTEGER", "TEXT", "REAL", "NUMERIC", "BLOB"};
    if (dice >= 90 && !g->writing) {
        add_existing(g, column, below(g, 12));
        return;
    }
    if (dice < 32)
        text_add(&g->sql, "CAST(");
    else if (dice < 37)
        text_add(&g->sql, "(1 + ");
    else if (dice < 40)
        text_add(&g->sql, "-(");
    else if (dice < 45)
        text_add(&g->sql, "(SELECT ");
    add_literal(g, &g->sql, column);
    if (dice >= 25 && dice < 32)
        text_add(&g->sql, " AS %s)", PICK(g, types));
    else if (dice < 45)
        text_add(&g->sql, ")");
}

/* ---- conditions ------------------------------------------------------------ */

static int some_column(struct gen *g)
{
    const struct schema *s = &g->script->schema;
    if (s->nkey > 0 && chance(g, 65))
        return (int)s->key[chance(g, 60) ? 0 : below(g, s->nkey)];
    if ((s->shape == SHAPE_ROWID && chance(g, 50)) ||
        (s->shape == SHAPE_IPK && chance(g, 20)))
        return -1;
    return (int)below(g, s->ncolumns);
}

static void add_comparison(struct gen *g, const char *alias, int column)
{
    static const char *const ops[] = {
        "=", "=", "=", "==", "<", "<=", ">", ">=", "IS", "<>", "IS NOT"};
    static const char *const collations[] = {"BINARY", "NOCASE", "RTRIM"};
    const char *name = name_of(&g->script->schema, column);
    if (chance(g, 80)) {
        text_add(&g->sql, "%s%s", alias, name);
        if (chance(g, 4))
            text_add(&g->sql, " COLLATE %s", PICK(g, collations));
        text_add(&g->sql, " %s ", PICK(g, ops));
        add_operand(g, column);
        if (chance(g, 4))
            text_add(&g->sql, " COLLATE %s", PICK(g, collations));
    } else {
        text_add(&g->sql, "(");
        add_operand(g, column);
        text_add(&g->sql, ") %s %s%s", PICK(g, ops), alias, name);
    }
}

static void add_in(struct gen *g, const char *alias, int column)
{
    text_add(&g->sql, "%s%s %sIN (", alias, name_of(&g->script->schema, column),
             chance(g, 10) ? "NOT " : "");
    if (chance(g, 25)) {
        static const char *const sources[] = {"v", "i", "s", "r", "id"};
        text_add(&g->sql, "SELECT %s FROM x WHERE id %% %u = 0)", PICK(g, sources),
                 2 + below(g, 6));
        return;
    }
    unsigned n = below(g, 5);
    for (unsigned i = 0; i < n; i++) {
        text_add(&g->sql, "%s", i > 0 ? ", " : "");
        add_operand(g, column);
    }
    text_add(&g->sql, ")");
}

static void add_row_value(struct gen *g, const char *alias)
{
    const struct schema *s = &g->script->schema;
    static const char *const ops[] = {">", ">=", "<", "<=", "="};
    unsigned a = s->nkey > 1 ? s->key[0] : 0, b = s->nkey > 1 ? s->key[1] : 1;
    text_add(&g->sql, "(%s%s, %s%s) %s (", alias, s->columns[a].name, alias,
             s->columns[b].name, PICK(g, ops));
    add_operand(g, (int)a);
    text_add(&g->sql, ", ");
    add_operand(g, (int)b);
    text_add(&g->sql, ")");
}

static void add_term(struct gen *g, const char *alias)
{
    static const char *const likes[] = {"a%", "A%", "%",    "ab_", "key1%",
                                        "1%", "%c", "ABC%", "-%",  "abc %"};
    static const char *const globs[] = {"a*", "A*", "*", "ab?", "key1*", "[ab]*", "1*"};
    static const char *const tests[] = {"IS NULL", "IS NOT NULL", "ISNULL"};
    int column = some_column(g);
    const char *name = name_of(&g->script->schema, column);
    unsigned dice = below(g, 100);
    if (dice < 60) {
        add_comparison(g, alias, column);
    } else if (dice < 72) {
        text_add(&g->sql, "%s%s BETWEEN ", alias, name);
        add_operand(g, column);
        text_add(&g->sql, " AND ");
        add_operand(g, column);
    } else if (dice < 85) {
        add_in(g, alias, column);
    } else if (dice < 88) {
        text_add(&g->sql, "%s%s LIKE '%s'", alias, name, PICK(g, likes));
    } else if (dice < 91) {
        text_add(&g->sql, "%s%s GLOB '%s'", alias, name, PICK(g, globs));
    } else if (dice < 94) {
        text_add(&g->sql, "%s%s %s", alias, name, PICK(g, tests));
    } else if (dice < 97) {
        add_row_value(g, alias);
    } else {
        text_add(&g->sql, "%s%s = %s%s", alias, name, alias,
                 name_of(&g->script->schema, some_column(g)));
    }
}

/* alias: "" or "p." */
static void add_condition(struct gen *g, const char *alias)
{
    unsigned dice = below(g, 100), n = 1 + below(g, 3);
    if (dice < 6)
        text_add(&g->sql, "NOT ");
    text_add(&g->sql, "(");
    for (unsigned i = 0; i < n; i++) {
        if (i > 0)
            text_add(&g->sql, "%s", dice < 75 ? " AND " : " OR ");
        add_term(g, alias);
    }
    text_add(&g->sql, ")");
}

/* The condition of an UPDATE or DELETE.  Without subqueries over t: where SQLite
 * evaluates one only after it has changed rows of an ordinary table, the subquery sees
 * the changes; over a seerdb table it does not. */
static void add_where(struct gen *g)
{
    text_add(&g->sql, " WHERE ");
    g->writing = true;
    add_condition(g, "");
    g->writing = false;
}

/* Equality on the whole key: at most one row. */
static void add_point(struct gen *g)
{
    const struct schema *s = &g->script->schema;
    bool existing = chance(g, 65);
    unsigned n = below(g, 12);
    text_add(&g->sql, " WHERE ");
    if (s->nkey == 0) {
        text_add(&g->sql, "rowid = ");
        if (existing)
            add_existing(g, -1, n);
        else
            add_operand(g, -1);
    }
    for (unsigned i = 0; i < s->nkey; i++) {
        text_add(&g->sql, "%s%s = ", i > 0 ? " AND " : "", s->columns[s->key[i]].name);
        if (existing)
            add_existing(g, (int)s->key[i], n);
        else
            add_operand(g, (int)s->key[i]);
    }
}

/* A condition, or none, for which both tables visit their rows in the order of the key:
 * what a statement that stops half way has done depends on the order, and SQLite
 * promises none for OR and IN. */
static void add_where_in_key_order(struct gen *g)
{
    const struct schema *s = &g->script->schema;
    unsigned dice = below(g, 100);
    if (dice < 55) {
        add_point(g);
    } else if (dice < 80) {
        int column = s->nkey == 0 ? -1 : (int)s->key[0];
        static const char *const ops[] = {"<", "<=", ">", ">="};
        text_add(&g->sql, " WHERE %s %s ", name_of(s, column), PICK(g, ops));
        add_operand(g, column);
    }
}

/* A total order. */
static void add_order(struct gen *g)
{
    const struct schema *s = &g->script->schema;
    unsigned style = below(g, 4); /* 0 as the key, 1 the other way, else any */
    text_add(&g->sql, " ORDER BY ");
    if (style == 3)
        text_add(&g->sql, "%s%s, ", s->columns[below(g, s->ncolumns)].name,
                 chance(g, 50) ? " DESC" : "");
    if (s->nkey == 0)
        text_add(&g->sql, "rowid%s", chance(g, 50) ? " DESC" : "");
    for (unsigned i = 0; i < s->nkey; i++) {
        bool desc = style > 1 ? chance(g, 50) : (style == 1) != s->key_desc[i];
        text_add(&g->sql, "%s%s%s", i > 0 ? ", " : "", s->columns[s->key[i]].name,
                 desc ? " DESC" : "");
    }
    g->step.ordered = true;
}

/* ---- steps ----------------------------------------------------------------- */

static void finish_step(struct gen *g, enum step_kind kind)
{
    struct script *s = g->script;
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

static void simple_step(struct gen *g, const char *sql)
{
    text_add(&g->sql, "%s", sql);
    g->step.check = chance(g, 30);
    finish_step(g, STEP_SQL);
}

static const char *conflict(struct gen *g)
{
    static const char *const clauses[] = {"",
                                          "",
                                          "",
                                          "",
                                          " OR REPLACE",
                                          " OR REPLACE",
                                          " OR IGNORE",
                                          " OR FAIL",
                                          " OR ABORT",
                                          " OR ROLLBACK"};
    return PICK(g, clauses);
}

/* RETURNING and UPSERT are not here: SQLite has neither for virtual tables.  No column
 * has a DEFAULT: a virtual table gets NULL for a column that was left out. */
static void insert_values(struct gen *g)
{
    const struct schema *s = &g->script->schema;
    const char *clause = chance(g, 5) ? " OR REPLACE" : conflict(g);
    /* SQLite itself leaves the first rows of a statement that ends with "datatype
     * mismatch" in a transaction, unless the clause is ABORT. */
    bool integers = clause[0] != '\0';
    bool rowid = s->shape == SHAPE_ROWID && chance(g, 20);
    unsigned n = chance(g, 15) ? below(g, s->ncolumns) + 1 : s->ncolumns;
    unsigned first = n < s->ncolumns || chance(g, 10) ? below(g, s->ncolumns) : 0;
    text_add(&g->sql, "INSERT%s INTO t(", clause);
    if (rowid)
        text_add(&g->sql, "rowid, ");
    for (unsigned i = 0; i < n; i++)
        text_add(&g->sql, "%s%s", i > 0 ? ", " : "",
                 s->columns[(first + i) % s->ncolumns].name);
    text_add(&g->sql, ") VALUES ");
    unsigned rows = chance(g, 50) ? 1 : 1 + below(g, 6);
    for (unsigned row = 0; row < rows; row++) {
        unsigned existing = below(g, 50); /* below 12: a key that is probably there */
        text_add(&g->sql, "%s(", row > 0 ? ", " : "");
        if (rowid && integers) {
            text_add(&g->sql, "%d, ", (int)below(g, 40) - 8);
        } else if (rowid) {
            add_literal(g, &g->sql, -1);
            text_add(&g->sql, ", ");
        }
        for (unsigned i = 0; i < n; i++) {
            int column = (int)((first + i) % s->ncolumns);
            text_add(&g->sql, "%s", i > 0 ? ", " : "");
            if (is_rowid(s, column) && chance(g, 30))
                text_add(&g->sql, "NULL");
            else if (is_rowid(s, column) && integers)
                text_add(&g->sql, "%d", (int)below(g, 40) - 8);
            else if (in_key(s, (unsigned)column) && existing < 12)
                add_existing(g, column, existing);
            else if (rows == 1 && !is_rowid(s, column))
                add_operand(g, column);
            else
                add_literal(g, &g->sql, column);
        }
        text_add(&g->sql, ")");
    }
    g->step.insert = true;
}

/* Into the table from itself or from x, in a total order. */
static void insert_select(struct gen *g)
{
    const struct schema *s = &g->script->schema;
    static const char *const from_x[] = {"v",  "i",        "s",       "r",
                                         "id", "id + 100", "v || 'q'"};
    bool self = chance(g, 60);
    text_add(&g->sql, "INSERT%s INTO t(", conflict(g));
    for (unsigned i = 0; i < s->ncolumns; i++)
        text_add(&g->sql, "%s%s", i > 0 ? ", " : "", s->columns[i].name);
    text_add(&g->sql, ") SELECT ");
    for (unsigned i = 0; i < s->ncolumns; i++) {
        const char *name = s->columns[i].name;
        text_add(&g->sql, "%s", i > 0 ? ", " : "");
        if (is_rowid(s, (int)i))
            text_add(&g->sql, "%s + %u", self ? name : "id", below(g, 50));
        else if (!self)
            text_add(&g->sql, "%s", PICK(g, from_x));
        else if (chance(g, 40))
            text_add(&g->sql, "%s + %u", name, below(g, 30));
        else
            text_add(&g->sql, "%s%s", name, chance(g, 40) ? " || '+'" : "");
    }
    if (self) {
        text_add(&g->sql, " FROM t");
        if (chance(g, 70)) {
            text_add(&g->sql, " WHERE ");
            add_condition(g, "");
        }
        add_order(g);
        text_add(&g->sql, " LIMIT %u", 1 + below(g, 12));
        g->step.ordered = false;
    } else {
        text_add(&g->sql, " FROM x WHERE id %% %u = %u ORDER BY id", 9u, below(g, 9));
    }
    g->step.insert = true;
}

/* Set column i to something. */
static void add_assignment(struct gen *g, unsigned i)
{
    const struct schema *s = &g->script->schema;
    const char *name = s->columns[i].name;
    unsigned dice = below(g, 100);
    text_add(&g->sql, "%s = ", name);
    if (dice < 50 || is_rowid(s, (int)i))
        add_operand(g, (int)i);
    else if (dice < 60)
        text_add(&g->sql, "%s + 1", name);
    else if (dice < 67)
        text_add(&g->sql, "-%s", name);
    else if (dice < 75)
        text_add(&g->sql, "substr(%s || 'y', -40)", name);
    else if (dice < 80)
        text_add(&g->sql, "NULL");
    else if (dice < 85)
        text_add(&g->sql, "upper(%s)", name);
    else if (dice < 90)
        text_add(&g->sql, "(SELECT count(*) FROM t)");
    else
        text_add(&g->sql, "%s", s->columns[below(g, s->ncolumns)].name);
}

/* UPDATE OR REPLACE with new keys only for one row: where a row takes the key of
 * another that the statement has yet to visit, SQLite goes on with what it finds under
 * that key then, while a statement over a seerdb table sees the rows as of its start.
 */
static void update_keys(struct gen *g)
{
    const struct schema *s = &g->script->schema;
    static const char *const clauses[] = {
        "", "", "", " OR IGNORE", " OR FAIL", " OR ABORT", " OR ROLLBACK"};
    bool point = chance(g, 60);
    text_add(&g->sql, "UPDATE%s t SET ", point ? conflict(g) : PICK(g, clauses));
    if (s->nkey == 0) {
        text_add(&g->sql, "rowid = rowid %s", chance(g, 70) ? "+ 1" : "- 3");
    } else if (chance(g, 40)) {
        unsigned part = s->key[below(g, s->nkey)];
        text_add(&g->sql, "%s = %s %s", s->columns[part].name, s->columns[part].name,
                 chance(g, 50) ? "+ 1" : "- 1");
    } else {
        add_assignment(g, s->key[below(g, s->nkey)]);
    }
    unsigned other = below(g, s->ncolumns);
    if (!in_key(s, other) && chance(g, 40)) {
        text_add(&g->sql, ", ");
        add_assignment(g, other);
    }
    if (point)
        add_point(g);
    else
        add_where_in_key_order(g);
}

/* Only columns outside the key. */
static void update_values(struct gen *g)
{
    const struct schema *s = &g->script->schema;
    static const char *const any_order[] = {"", "", " OR ABORT", " OR ROLLBACK"};
    bool in_order = chance(g, 50);
    unsigned first = below(g, s->ncolumns), assigned = 0;
    text_add(&g->sql, "UPDATE%s t SET ", in_order ? conflict(g) : PICK(g, any_order));
    for (unsigned i = 0; i < s->ncolumns && assigned < 2; i++) {
        unsigned column = (first + i) % s->ncolumns;
        if (in_key(s, column))
            continue;
        text_add(&g->sql, "%s", assigned > 0 ? ", " : "");
        add_assignment(g, column);
        assigned++;
    }
    if (assigned == 0) /* all columns are key: one to itself */
        text_add(&g->sql, "%s = %s", s->columns[s->key[0]].name,
                 s->columns[s->key[0]].name);
    if (in_order)
        add_where_in_key_order(g);
    else
        add_where(g);
}

/* A row that several terms of an OR find is deleted once; but SQLite lets the DELETE of
 * a virtual table come upon it again, and counts it in changes() again. */
static void delete_rows(struct gen *g)
{
    text_add(&g->sql, "DELETE FROM t");
    if (chance(g, 50)) {
        add_point(g);
    } else if (chance(g, 96)) {
        add_where(g);
        g->step.write = strstr(g->sql.data, " OR ") == NULL;
    }
}

/* delete_range, and what it means to an ordinary table: in the collation of the key. */
static void range_step(struct gen *g)
{
    const struct schema *s = &g->script->schema;
    int column = s->nkey == 0 ? -1 : (int)s->key[0];
    const char *collation = s->nkey > 0 ? s->key_collation[0] : "";
    static const char *const ops[] = {">=", "<"};
    bool collated = collation[0] != '\0';
    struct text command = {0};
    unsigned terms = 0;
    text_add(&command, "SELECT seerdb('t', 'delete_range'");
    text_add(&g->sql, "DELETE FROM t");
    for (int i = 0; i < 2; i++) {
        struct text bound = {0};
        add_literal(g, &bound, column);
        text_add(&command, ", %s", bound.data);
        if (strcmp(bound.data, "NULL") != 0) /* no bound */
            text_add(&g->sql, " %s %s%s%s %s %s", terms++ > 0 ? "AND" : "WHERE",
                     name_of(s, column), collated ? " COLLATE " : "",
                     collated ? collation : "", ops[i], bound.data);
        text_fini(&bound);
    }
    text_add(&command, ")");
    g->step.command = text_take(&command);
    g->step.check = chance(g, 70);
    finish_step(g, STEP_RANGE);
}

static void write_step(struct gen *g, enum step_kind kind)
{
    unsigned dice = below(g, 100);
    g->step.write = true;
    if (dice < 45)
        insert_values(g);
    else if (dice < 55)
        insert_select(g);
    else if (dice < 70)
        update_keys(g);
    else if (dice < 86)
        update_values(g);
    else
        delete_rows(g);
    g->step.check = chance(g, 60);
    finish_step(g, kind);
}

/* The rowid too where there is one that SELECT * leaves out. */
static const char *everything(const struct schema *s)
{
    return s->shape == SHAPE_ROWID ? "rowid, *" : "*";
}

static void select_rows(struct gen *g)
{
    const struct schema *s = &g->script->schema;
    if (chance(g, 60))
        text_add(&g->sql, "SELECT %s FROM t", everything(s));
    else if (s->nkey > 0)
        text_add(&g->sql, "SELECT %s FROM t", s->columns[s->key[0]].name);
    else
        text_add(&g->sql, "SELECT %s, rowid FROM t", s->columns[1].name);
    if (chance(g, 90)) {
        text_add(&g->sql, " WHERE ");
        add_condition(g, "");
    }
    if (chance(g, 45)) {
        add_order(g);
        if (chance(g, 50)) {
            text_add(&g->sql, " LIMIT %u", below(g, 8));
            if (chance(g, 30))
                text_add(&g->sql, " OFFSET %u", below(g, 6));
        }
    }
}

/* Sums of reals and the choice among equal values depend on the order: counts do not.
 * min and max of a one-column key do not either. */
static void select_aggregates(struct gen *g)
{
    const struct schema *s = &g->script->schema;
    unsigned dice = below(g, 100);
    const char *column = s->columns[below(g, s->ncolumns)].name;
    if (dice < 30 && s->nkey == 1 && s->key_collation[0][0] == '\0')
        text_add(&g->sql, "SELECT %s(%s) FROM t", chance(g, 50) ? "min" : "max",
                 s->columns[s->key[0]].name);
    else if (dice < 55)
        text_add(&g->sql, "SELECT count(*), count(%s), count(DISTINCT %s) FROM t",
                 column, column);
    else if (dice < 75)
        text_add(&g->sql, "SELECT typeof(%s), count(*), total(length(%s)) FROM t",
                 column, column);
    else
        text_add(&g->sql, "SELECT count(*) FROM t");
    if (chance(g, 60)) {
        text_add(&g->sql, " WHERE ");
        add_condition(g, "");
    }
    if (dice >= 55 && dice < 75)
        text_add(&g->sql, " GROUP BY typeof(%s)", column);
}

static bool is_numeric(const char *type)
{
    return strcmp(type, "TEXT") != 0 && strcmp(type, "BLOB") != 0 && type[0] != '\0';
}

/* No ranges of columns with numeric affinity that may hold texts: by contract a TEXT or
 * untyped key that looks like a number is not taken for one there (see cursor.c). */
static void select_joins(struct gen *g)
{
    const struct schema *s = &g->script->schema;
    static const char *const of_x[] = {"v", "v", "i", "s", "r", "id"};
    static const char *const ranges_of_x[] = {"v", "v", "s", "id"};
    static const char *const ops[] = {"=", "=", "=", "=", "IS", "<", ">="};
    const char *key = s->nkey > 0 ? s->columns[s->key[0]].name : "rowid";
    const struct column *c = &s->columns[below(g, s->ncolumns)];
    const char *column = c->name, *op = PICK(g, ops);
    bool range = op[0] == '<' || op[0] == '>';
    const char *other = range ? PICK(g, ranges_of_x) : PICK(g, of_x);
    switch (below(g, 7)) {
    case 0:
        text_add(&g->sql, "SELECT x.id, p.* FROM x %sJOIN t p ON p.%s %s x.%s",
                 chance(g, 40) ? "LEFT " : "", key, op, other);
        break;
    case 1:
        text_add(&g->sql, "SELECT x.id, p.* FROM t p JOIN x ON x.%s %s p.%s", other, op,
                 key);
        break;
    case 2:
        if (range && is_numeric(c->type))
            op = "=";
        text_add(&g->sql, "SELECT p.*, q.%s FROM t p %sJOIN t q ON q.%s %s p.%s",
                 column, chance(g, 40) ? "LEFT " : "", key, op, column);
        break;
    case 3:
        text_add(&g->sql,
                 "SELECT id, (SELECT count(*) FROM t p WHERE p.%s %s x.%s) FROM x", key,
                 op, other);
        return;
    case 4:
        text_add(&g->sql, "SELECT id FROM x WHERE x.%s IN (SELECT %s FROM t)", other,
                 key);
        return;
    case 5:
        text_add(&g->sql,
                 "SELECT id FROM x WHERE EXISTS (SELECT 1 FROM t p WHERE p.%s %s x.%s)",
                 column, op, other);
        return;
    default:
        text_add(&g->sql, "SELECT p.* FROM t p WHERE p.%s IN (SELECT %s FROM x)", key,
                 other);
        return;
    }
    if (chance(g, 50)) {
        text_add(&g->sql, " WHERE ");
        add_condition(g, "p.");
    }
}

static void read_step(struct gen *g, enum step_kind kind)
{
    unsigned dice = below(g, 100);
    if (dice < 68)
        select_rows(g);
    else if (dice < 82)
        select_aggregates(g);
    else
        select_joins(g);
    finish_step(g, kind);
}

static void transaction_step(struct gen *g)
{
    static const char *const names[] = {"s1", "s2", "s3"};
    unsigned dice = below(g, 100);
    const char *name = PICK(g, names);
    if (dice < 22)
        text_add(&g->sql, "BEGIN%s", chance(g, 30) ? " IMMEDIATE" : "");
    else if (dice < 38)
        text_add(&g->sql, "COMMIT");
    else if (dice < 46)
        text_add(&g->sql, "ROLLBACK");
    else if (dice < 68)
        text_add(&g->sql, "SAVEPOINT %s", name);
    else if (dice < 87)
        text_add(&g->sql, "ROLLBACK TO %s", name);
    else
        text_add(&g->sql, "RELEASE %s", name);
    g->step.check = chance(g, 80);
    finish_step(g, STEP_SQL);
}

/* DROP of a table that the transaction has written is refused, by contract: each of
 * these begins with a COMMIT (which may fail, having nothing to commit). */
static void schema_step(struct gen *g)
{
    unsigned dice = below(g, 100);
    if (dice < 40) {
        simple_step(g, "ALTER TABLE t RENAME TO t2");
        if (chance(g, 50))
            simple_step(g, "SELECT count(*) FROM t2");
        simple_step(g, "ALTER TABLE t2 RENAME TO t");
    } else if (dice < 80) {
        simple_step(g, "COMMIT");
        simple_step(g, "BEGIN");
        simple_step(g, "DROP TABLE t");
        if (chance(g, 60)) {
            finish_step(g, STEP_CREATE);
            write_step(g, STEP_SQL);
            read_step(g, STEP_SQL);
        }
        simple_step(g, "ROLLBACK");
    } else {
        simple_step(g, "COMMIT");
        simple_step(g, "DROP TABLE t");
        finish_step(g, STEP_CREATE);
        write_step(g, STEP_SQL);
    }
}

/* The table of awkward values that t is joined with. */
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

void script_generate(struct script *s, uint64_t seed, size_t nstatements)
{
    *s = (struct script){.seed = seed};
    struct gen g = {.script = s, .rand = {seed * 0x2545f4914f6cdd1du + 1}};
    s->in_memory = chance(&g, 20);
    s->wal = chance(&g, 60);
    schema_generate(&g, &s->schema);
    finish_step(&g, STEP_CREATE);
    make_x(&g);
    while (s->nsteps < nstatements) {
        unsigned dice = below(&g, 1000);
        bool alone = s->in_memory;
        if (dice < 420) {
            write_step(&g, STEP_SQL);
        } else if (dice < 435) {
            range_step(&g);
        } else if (dice < 740) {
            read_step(&g, STEP_SQL);
        } else if (dice < 910) {
            transaction_step(&g);
        } else if (dice < 940) {
            finish_step(&g, chance(&g, 60) ? STEP_SPILL : STEP_FLUSH);
        } else if (dice < 952 && !alone) {
            g.step.check = true;
            finish_step(&g, STEP_REOPEN);
        } else if (dice < 978 && !alone) {
            read_step(&g, STEP_SECOND);
        } else if (dice < 988 && !alone) {
            /* Otherwise who gets SQLITE_BUSY would depend on the files of each side. */
            simple_step(&g, "COMMIT");
            write_step(&g, STEP_SECOND);
        } else if (dice < 996) {
            schema_step(&g);
        }
    }
}

void script_fini(struct script *s)
{
    for (size_t i = 0; i < s->nsteps; i++) {
        free(s->steps[i].sql);
        free(s->steps[i].command);
        for (unsigned p = 0; p < s->steps[i].nparams; p++)
            free(s->steps[i].params[p]);
    }
    free(s->steps);
    free(s->schema.seerdb);
    free(s->schema.ordinary);
    *s = (struct script){0};
}
