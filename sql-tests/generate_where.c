/* SPDX-License-Identifier: Apache-2.0 */
#include "generate_parts.h"

/* ---- operands ---------------------------------------------------------------- */

/* Of the type, or NULL. */
static void add_fitting(struct gen *g, struct text *out, const char *type)
{
    if (chance(g, 5) && !g->several)
        text_add(out, "NULL");
    else if (strcmp(type, "TEXT") == 0)
        text_add(out, "'%c%s'", "aAbB1"[below(g, 5)], chance(g, 50) ? "b " : "");
    else if (strcmp(type, "BLOB") == 0)
        text_add(out, "x'%02x'", below(g, 20));
    else if (strcmp(type, "REAL") == 0)
        text_add(out, "%d.%u", (int)below(g, 20) - 4, below(g, 4));
    else
        text_add(out, "%d", (int)below(g, 40) - 8);
}

/* A literal that is likely to meet others in the column; -1 is the rowid. */
void add_literal(struct gen *g, struct text *out, int column)
{
    const struct schema *s = g->s;
    const char *type = type_of(s, column);
    unsigned dice = below(g, 100);
    if (s->strict && strcmp(type, "ANY") != 0 && (g->several || chance(g, 92))) {
        add_fitting(g, out, type);
        return;
    }
    if (s->large && column >= 0 && !in_key(s, (unsigned)column) && chance(g, 8)) {
        text_add(out, "%s", PICK(g, large));
        return;
    }
    if (dice < 20)
        text_add(out, "%s", PICK(g, awkward));
    else if (dice < 24 && !is_rowid(s, column))
        text_add(out, "%s", PICK(g, huge));
    else if (dice < 31)
        text_add(out, "'%d'", (int)below(g, 20) - 4);
    else if (dice < 37)
        text_add(out, "%d.%s", (int)below(g, 20) - 4, chance(g, 50) ? "0" : "25");
    else if (dice < 42)
        text_add(out, "%s", PICK(g, words));
    else if (affinity_of(type) == AFFINITY_TEXT)
        text_add(out, "%s", PICK(g, words));
    else if (type[0] == '\0' && dice < 65)
        text_add(out, "%s", PICK(g, words));
    else if (strcmp(type, "BLOB") == 0 && dice < 80)
        text_add(out, "x'%02x%s'", below(g, 4) * 85u, chance(g, 40) ? "00" : "");
    else
        text_add(out, "%d", (int)below(g, 40) - 8);
}

/* ORDER BY the key, as it is declared: total. */
void add_key_order(const struct schema *s, struct text *out)
{
    text_add(out, " ORDER BY %s", s->nkey == 0 ? "rowid" : "");
    for (unsigned i = 0; i < s->nkey; i++)
        text_add(out, "%s%s%s", i > 0 ? ", " : "", s->columns[s->key[i]].name,
                 s->key_desc[i] ? " DESC" : "");
}

/* The column's value in the n-th row, so that not all lookups miss. */
void add_existing(struct gen *g, int column, unsigned n)
{
    text_add(&g->sql, "(SELECT %s FROM %s", name_of(g->s, column), g->s->name);
    add_key_order(g->s, &g->sql);
    text_add(&g->sql, " LIMIT 1 OFFSET %u)", n);
}

/* A value to compare with the column: a literal, a parameter or an expression. */
void add_operand(struct gen *g, int column)
{
    static const char *const to[] = {"TEXT", "BLOB", "INTEGER", "REAL", "NUMERIC"};
    /* Exception constant-order. */
    bool texts = g->ordering && affinity_of(type_of(g->s, column)) != AFFINITY_NUMERIC;
    unsigned dice = below(g, 100);
    if (dice < 25 && g->step.nparams < MAX_PARAMS) {
        struct text literal = {0};
        add_literal(g, &literal, column);
        g->step.params[g->step.nparams++] = text_take(&literal);
        text_add(&g->sql, "?%u", g->step.nparams);
        return;
    }
    if (dice >= 90 && !g->writing) {
        add_existing(g, column, below(g, 12));
        return;
    }
    const char *end = ")";
    if (dice < 32)
        text_add(&g->sql, "CAST(");
    else if (dice < 37)
        text_add(&g->sql, "(1 + ");
    else if (dice < 40)
        text_add(&g->sql, "-(");
    else if (dice < 45)
        text_add(&g->sql, "(SELECT ");
    else
        end = "";
    add_literal(g, &g->sql, column);
    if (dice >= 25 && dice < 32)
        text_add(&g->sql, " AS %s)", to[below(g, texts ? 2 : 5)]);
    else if (dice < 25) /* a cast that had no parameter left */
        text_add(&g->sql, " AS TEXT)");
    else
        text_add(&g->sql, "%s", end);
}

/* ---- terms ------------------------------------------------------------------- */

static int some_column(struct gen *g)
{
    const struct schema *s = g->s;
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
    const char *name = name_of(g->s, column);
    if (chance(g, 80)) {
        text_add(&g->sql, "%s%s", alias, name);
        if (chance(g, 7) && !g->in_or)
            text_add(&g->sql, " COLLATE %s", PICK(g, collations));
        text_add(&g->sql, " %s ", PICK(g, ops));
        add_operand(g, column);
        if (chance(g, 7) && !g->in_or)
            text_add(&g->sql, " COLLATE %s", PICK(g, collations));
    } else {
        text_add(&g->sql, "(");
        add_operand(g, column);
        text_add(&g->sql, ") %s %s%s", PICK(g, ops), alias, name);
    }
}

static void add_in(struct gen *g, const char *alias, int column)
{
    static const char *const sources[] = {"v", "i", "s", "r", "id"};
    text_add(&g->sql, "%s%s %sIN (", alias, name_of(g->s, column),
             chance(g, 10) ? "NOT " : "");
    if (chance(g, 25)) {
        text_add(&g->sql, "SELECT %s FROM x WHERE id %% %u = 0)", PICK(g, sources),
                 2 + below(g, 6));
        return;
    }
    unsigned n = chance(g, 10) ? 10 + below(g, 10) : below(g, 6);
    for (unsigned i = 0; i < n; i++) {
        text_add(&g->sql, "%s", i > 0 ? ", " : "");
        add_operand(g, column);
    }
    text_add(&g->sql, ")");
}

/* Exception row-value-in: no (a, b) IN (SELECT ...). */
static void add_row_value(struct gen *g, const char *alias)
{
    const struct schema *s = g->s;
    static const char *const ops[] = {">", ">=", "<", "<=", "=", "IS"};
    unsigned a = s->nkey > 1 ? s->key[0] : 0, b = s->nkey > 1 ? s->key[1] : 1;
    bool list = chance(g, 25);
    text_add(&g->sql, "(%s%s, %s%s) %s ", alias, s->columns[a].name, alias,
             s->columns[b].name, list ? "IN (VALUES" : PICK(g, ops));
    for (unsigned i = 0, n = list ? 1 + below(g, 4) : 1; i < n; i++) {
        text_add(&g->sql, "%s(", i > 0 ? ", " : "");
        add_operand(g, (int)a);
        text_add(&g->sql, ", ");
        add_operand(g, (int)b);
        text_add(&g->sql, ")");
    }
    if (list)
        text_add(&g->sql, ")");
}

static void add_like(struct gen *g, const char *alias, int column)
{
    static const char *const likes[] = {"'a%'",
                                        "'A%'",
                                        "'%'",
                                        "'ab_'",
                                        "'key1%'",
                                        "'1%'",
                                        "'%c'",
                                        "'ABC%'",
                                        "'-%'",
                                        "'abc %'",
                                        "''",
                                        "'k%1'",
                                        "'a\\%%' ESCAPE '\\'",
                                        "'ab'",
                                        "NULL",
                                        "'key1' ESCAPE 'k'",
                                        "'\xc3\xa4%'",
                                        "'key10'"};
    static const char *const globs[] = {"'a*'", "'A*'",    "'*'",  "'ab?'", "'key1*'",
                                        "'1*'", "'[ab]*'", "'ab'", "''",    "'k?y*'"};
    bool like = chance(g, 50);
    const char *pattern = like ? PICK(g, likes) : PICK(g, globs);
    text_add(&g->sql, "%s%s %s%s ", alias, name_of(g->s, column),
             chance(g, 10) ? "NOT " : "", like ? "LIKE" : "GLOB");
    if (strstr(pattern, "ESCAPE") == NULL && g->step.nparams < MAX_PARAMS &&
        chance(g, 30)) {
        struct text literal = {0};
        text_add(&literal, "%s", pattern);
        g->step.params[g->step.nparams++] = text_take(&literal);
        text_add(&g->sql, "?%u", g->step.nparams);
    } else {
        text_add(&g->sql, "%s", pattern);
    }
}

static void add_between(struct gen *g, const char *alias, int column)
{
    text_add(&g->sql, "%s%s %sBETWEEN ", alias, name_of(g->s, column),
             chance(g, 8) ? "NOT " : "");
    add_operand(g, column);
    text_add(&g->sql, " AND ");
    add_operand(g, column);
}

/* Exception text-key-range. */
const char *join_operator(struct gen *g, const char *key_type, const char *other_type)
{
    static const char *const ops[] = {"=", "=", "=", "=", "IS", "<", ">=", ">", "<="};
    const char *op = PICK(g, ops);
    bool range = op[0] == '<' || op[0] == '>';
    bool texts = affinity_of(key_type) != AFFINITY_NUMERIC &&
                 affinity_of(other_type) == AFFINITY_NUMERIC;
    return range && texts ? "=" : op;
}

/* A subquery over the ordinary table x. */
static void add_exists(struct gen *g, const char *alias, int column)
{
    static const char *const sources[] = {"v", "i", "s", "r", "id"};
    static const char *const source_types[] = {"", "INT", "TEXT", "REAL", "INTEGER"};
    unsigned source = below(g, COUNT(sources));
    const char *name = name_of(g->s, column);
    const char *op = join_operator(g, type_of(g->s, column), source_types[source]);
    text_add(&g->sql,
             "%sEXISTS (SELECT 1 FROM x WHERE id %% %u = 1 AND %s%s%s %s x.%s)",
             chance(g, 30) ? "NOT " : "", 2 + below(g, 5),
             alias[0] != '\0' ? alias : g->s->base, alias[0] != '\0' ? "" : ".", name,
             op, sources[source]);
}

void add_key_list(struct gen *g)
{
    int column = first_key(g->s);
    text_add(&g->sql, "%s IN (", name_of(g->s, column));
    for (unsigned i = 0, n = 2 + below(g, 4); i < n; i++) {
        text_add(&g->sql, "%s", i > 0 ? ", " : "");
        if (chance(g, 50))
            add_existing(g, column, below(g, 12));
        else
            add_literal(g, &g->sql, column);
    }
    text_add(&g->sql, ")");
}

void add_key_like(struct gen *g)
{
    add_like(g, "", first_key(g->s));
}

static void add_term(struct gen *g, const char *alias)
{
    static const char *const tests[] = {"IS NULL", "IS NOT NULL", "ISNULL", "NOTNULL"};
    int column = some_column(g);
    const char *name = name_of(g->s, column);
    unsigned dice = below(g, 100);
    if (dice < 53) {
        add_comparison(g, alias, column);
    } else if (dice < 63) {
        add_between(g, alias, column);
    } else if (dice < 77) {
        add_in(g, alias, column);
    } else if (dice < 86) {
        add_like(g, alias, column);
    } else if (dice < 89) {
        text_add(&g->sql, "%s%s %s", alias, name, PICK(g, tests));
    } else if (dice < 94) {
        add_row_value(g, alias);
    } else if (dice < 96) {
        add_exists(g, alias, column);
    } else if (dice < 98) {
        text_add(&g->sql, "CASE WHEN %s%s IS NULL THEN 1 ELSE %s%s > ", alias, name,
                 alias, name);
        add_operand(g, column);
        text_add(&g->sql, " END");
    } else {
        text_add(&g->sql, "%s%s = %s%s", alias, name, alias,
                 name_of(g->s, some_column(g)));
    }
}

/* ---- conditions -------------------------------------------------------------- */

void add_condition(struct gen *g, const char *alias)
{
    unsigned dice = below(g, 100), n = 1 + below(g, 3);
    bool before = g->in_or;
    g->in_or = before || (n > 1 && dice >= 75);
    if (dice < 6)
        text_add(&g->sql, "NOT ");
    text_add(&g->sql, "(");
    for (unsigned i = 0; i < n; i++) {
        if (i > 0)
            text_add(&g->sql, "%s", dice < 75 ? " AND " : " OR ");
        if (dice > 95 && i == 0 && n < 3)
            add_condition(g, alias);
        else
            add_term(g, alias);
    }
    text_add(&g->sql, ")");
    g->in_or = before;
}

/* The condition of an UPDATE or DELETE.  Exception statement-snapshot: no subqueries
 * over the table itself. */
void add_where(struct gen *g)
{
    text_add(&g->sql, " WHERE ");
    g->writing = true;
    add_condition(g, "");
    g->writing = false;
}

/* Equality on the whole key: at most one row. */
void add_point(struct gen *g)
{
    const struct schema *s = g->s;
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
void add_where_in_key_order(struct gen *g)
{
    static const char *const ops[] = {"<", "<=", ">", ">="};
    unsigned dice = below(g, 100);
    if (dice < 55) {
        add_point(g);
    } else if (dice < 80) {
        int column = first_key(g->s);
        text_add(&g->sql, " WHERE %s %s ", name_of(g->s, column), PICK(g, ops));
        add_operand(g, column);
    }
}

/* A total order. */
void add_order(struct gen *g, const char *alias)
{
    const struct schema *s = g->s;
    unsigned style = below(g, 4); /* 0 as the key, 1 the other way, else any */
    text_add(&g->sql, " ORDER BY ");
    if (style == 3)
        text_add(&g->sql, "%s%s%s, ", alias, s->columns[below(g, s->ncolumns)].name,
                 chance(g, 50) ? " DESC" : "");
    if (s->nkey == 0)
        text_add(&g->sql, "%srowid%s", alias, chance(g, 50) ? " DESC" : "");
    for (unsigned i = 0; i < s->nkey; i++) {
        bool desc = style > 1 ? chance(g, 50) : (style == 1) != s->key_desc[i];
        text_add(&g->sql, "%s%s%s%s%s", i > 0 ? ", " : "", alias,
                 s->columns[s->key[i]].name, desc ? " DESC" : "",
                 chance(g, 3) ? (chance(g, 50) ? " NULLS LAST" : " NULLS FIRST") : "");
    }
    g->step.ordered = true;
}
