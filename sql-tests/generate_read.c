/* SPDX-License-Identifier: Apache-2.0
 *
 * Which of several equal values stands for them (1 or 1.0, 'a' or 'A') is SQLite's
 * choice: where it has one, rows are counted, or shown by what equal values share.
 * LIMIT comes only after a total order. */
#include "generate_parts.h"

/* The rowid too where there is one that * leaves out. */
static const char *everything(const struct schema *s)
{
    return s->shape == SHAPE_ROWID ? "rowid, *" : "*";
}

static const char *some_name(struct gen *g, const struct schema *s)
{
    return s->columns[below(g, s->ncolumns)].name;
}

/* What is the same for all values that compare equal, under any collation. */
static void add_canonical(struct gen *g, const char *alias, const char *name)
{
    text_add(&g->sql,
             "CASE typeof(%s%s) WHEN 'integer' THEN %s%s + 0.0 WHEN 'real' THEN %s%s + "
             "0.0 WHEN 'text' THEN lower(rtrim(%s%s)) ELSE %s%s END",
             alias, name, alias, name, alias, name, alias, name, alias, name);
}

static void maybe_where(struct gen *g, unsigned percent, const char *alias)
{
    if (chance(g, percent)) {
        text_add(&g->sql, " WHERE ");
        add_condition(g, alias);
    }
}

static void add_limit(struct gen *g)
{
    text_add(&g->sql, " LIMIT %d", (int)below(g, 9) - (chance(g, 5) ? 9 : 0));
    if (chance(g, 30))
        text_add(&g->sql, " OFFSET %u", below(g, 6));
}

/* Some columns. */
static void add_columns(struct gen *g)
{
    const struct schema *s = g->s;
    unsigned dice = below(g, 100);
    if (dice < 55)
        text_add(&g->sql, "%s", everything(s));
    else if (dice < 75)
        text_add(&g->sql, "%s", name_of(s, first_key(s)));
    else if (dice < 90 && has_rowid(s))
        text_add(&g->sql, "%s, rowid", some_name(g, s));
    else
        text_add(&g->sql, "typeof(%s), length(%s)", some_name(g, s), some_name(g, s));
}

void add_simple_select(struct gen *g)
{
    text_add(&g->sql, "SELECT ");
    add_columns(g);
    text_add(&g->sql, " FROM %s", g->s->name);
    g->ordering = chance(g, 45);
    if (chance(g, 7)) {
        text_add(&g->sql, " WHERE ");
        add_key_list(g);
    } else if (chance(g, 5)) {
        text_add(&g->sql, " WHERE ");
        add_key_like(g);
    } else {
        maybe_where(g, 90, "");
    }
    if (g->ordering) {
        add_order(g, "");
        if (chance(g, 50))
            add_limit(g);
    }
    g->ordering = false;
}

/* By any columns, the key's in any sequence; maybe in the order of the groups.  Only
 * what no choice of a value for a group can change is shown. */
static void add_groups(struct gen *g)
{
    const struct schema *s = g->s;
    const char *by[2] = {some_name(g, s), some_name(g, s)};
    unsigned n = 1 + below(g, 2);
    bool ordered = chance(g, 50);
    for (unsigned i = 0; i < 2 && s->nkey > 1 && chance(g, 70); i++)
        by[i] = s->columns[s->key[below(g, s->nkey)]].name;
    text_add(&g->sql, "SELECT count(*), count(%s) FROM %s", some_name(g, s), s->name);
    g->ordering = true;
    maybe_where(g, 50, "");
    g->ordering = false;
    for (unsigned i = 0; i < n; i++)
        text_add(&g->sql, "%s%s", i > 0 ? ", " : " GROUP BY ", by[i]);
    for (unsigned i = 0; i < n && ordered; i++)
        text_add(&g->sql, "%s%s%s", i > 0 ? ", " : " ORDER BY ", by[i],
                 chance(g, 40) ? " DESC" : "");
    g->step.ordered = ordered;
}

/* Sums of reals and the choice among equal values depend on the order: counts do not.
 * min and max of a one-column key do not either. */
static void add_aggregates(struct gen *g)
{
    const struct schema *s = g->s;
    unsigned dice = below(g, 100);
    const char *column = some_name(g, s), *key = name_of(s, first_key(s));
    if (chance(g, 30)) {
        add_groups(g);
        return;
    }
    if (dice < 30 && s->nkey <= 1 && (s->nkey == 0 || s->key_collation[0][0] == '\0')) {
        text_add(&g->sql, "SELECT %s(%s) FROM %s", chance(g, 50) ? "min" : "max", key,
                 s->name);
    } else if (dice < 45) {
        text_add(&g->sql,
                 "SELECT count(*), count(%s), count(DISTINCT %s), sum(length(%s)) "
                 "FILTER (WHERE %s IS NOT NULL) FROM %s",
                 column, column, column, key, s->name);
    } else if (dice < 60) {
        text_add(&g->sql, "SELECT count(*) FROM %s", s->name);
    } else {
        bool by_key = chance(g, 60);
        text_add(&g->sql, "SELECT ");
        if (by_key)
            add_canonical(g, "", key);
        else
            text_add(&g->sql, "typeof(%s)", column);
        text_add(&g->sql, ", count(*), total(length(%s)), count(%s) FROM %s", column,
                 column, s->name);
        maybe_where(g, 50, "");
        if (by_key && s->nkey > 1 && chance(g, 50))
            text_add(&g->sql, " GROUP BY %s, %s", key, s->columns[s->key[1]].name);
        else if (by_key)
            text_add(&g->sql, " GROUP BY %s", key);
        else
            text_add(&g->sql, " GROUP BY typeof(%s)", column);
        if (chance(g, 30))
            text_add(&g->sql, " HAVING count(*) > %u", below(g, 3));
        return;
    }
    maybe_where(g, 60, "");
}

static void add_distinct(struct gen *g)
{
    const struct schema *s = g->s;
    unsigned n = 1 + below(g, s->nkey > 1 ? s->nkey : 2);
    const char *names[2] = {name_of(s, first_key(s)), some_name(g, s)};
    if (chance(g, 50)) {
        text_add(&g->sql, "SELECT count(*) FROM (SELECT DISTINCT ");
        for (unsigned i = 0; i < n; i++)
            text_add(&g->sql, "%s%s", i > 0 ? ", " : "",
                     s->nkey > 1 ? s->columns[s->key[i]].name : names[i % 2]);
        text_add(&g->sql, " FROM %s", s->name);
        maybe_where(g, 50, "");
        text_add(&g->sql, ")");
        return;
    }
    text_add(&g->sql, "SELECT ");
    add_canonical(g, "", "k");
    text_add(&g->sql, " FROM (SELECT DISTINCT %s AS k FROM %s", names[below(g, 2)],
             s->name);
    g->ordering = true;
    maybe_where(g, 50, "");
    g->ordering = false;
    if (chance(g, 50))
        text_add(&g->sql, " ORDER BY 1%s LIMIT %u", chance(g, 50) ? " DESC" : "",
                 1 + below(g, 8));
    text_add(&g->sql, ")");
}

/* ---- joins ------------------------------------------------------------------- */

static const char *const of_x[] = {"v", "i", "s", "r", "id"};
static const char *const types_of_x[] = {"", "INT", "TEXT", "REAL", "INTEGER"};

static void join_with_x(struct gen *g)
{
    static const char *const kinds[] = {"", "", "LEFT ", "INNER ", "CROSS "};
    const struct schema *s = g->s;
    int column = chance(g, 80) ? first_key(s) : (int)below(g, s->ncolumns);
    unsigned source = below(g, COUNT(of_x));
    const char *op = join_operator(g, type_of(s, column), types_of_x[source]);
    const char *name = name_of(s, column), *x = of_x[source];
    switch (below(g, 7)) {
    case 0:
        text_add(&g->sql, "SELECT x.id, p.* FROM x %sJOIN %s p ON p.%s %s x.%s",
                 PICK(g, kinds), s->name, name, op, x);
        break;
    case 1:
        text_add(&g->sql, "SELECT x.id, p.* FROM %s p JOIN x ON x.%s %s p.%s", s->name,
                 x, op[0] == '<' || op[0] == '>' ? "=" : op, name);
        break;
    case 2:
        text_add(&g->sql, "SELECT x.id, p.* FROM %s p %s JOIN x ON x.%s = p.%s",
                 s->name, chance(g, 50) ? "RIGHT" : "FULL", x, name);
        break;
    case 3:
        text_add(&g->sql,
                 "SELECT id, (SELECT count(*) FROM %s p WHERE p.%s %s x.%s) FROM x",
                 s->name, name, op, x);
        return;
    case 4:
        text_add(&g->sql, "SELECT id FROM x WHERE x.%s %sIN (SELECT %s FROM %s)", x,
                 chance(g, 30) ? "NOT " : "", name, s->name);
        return;
    case 5:
        text_add(
            &g->sql,
            "SELECT id FROM x WHERE EXISTS (SELECT 1 FROM %s p WHERE p.%s %s x.%s)",
            s->name, name, op, x);
        return;
    default:
        text_add(&g->sql, "SELECT p.* FROM %s p WHERE p.%s IN (SELECT %s FROM x)",
                 s->name, name, x);
        return;
    }
    maybe_where(g, 50, "p.");
}

/* The table with itself or another one, maybe a third. */
static void join_tables(struct gen *g)
{
    static const char *const kinds[] = {"", "", "LEFT ", "INNER ", "RIGHT ", "FULL "};
    const struct schema *s = g->s;
    const struct schema *q = &g->script->tables[below(g, g->script->ntables)];
    int left = chance(g, 50) ? first_key(s) : (int)below(g, s->ncolumns);
    const char *kind = PICK(g, kinds);
    const char *op = kind[0] == 'R' || kind[0] == 'F'
                         ? "="
                         : join_operator(g, type_of(q, first_key(q)), type_of(s, left));
    /* A range the other way round could be looked up in the left table. */
    if ((op[0] == '<' || op[0] == '>') &&
        affinity_of(type_of(q, first_key(q))) != affinity_of(type_of(s, left)))
        op = "=";
    text_add(&g->sql, "SELECT p.*, q.%s FROM %s p %sJOIN %s q ON q.%s %s p.%s",
             some_name(g, q), s->name, kind, q->name, name_of(q, first_key(q)), op,
             name_of(s, left));
    if (q->nkey > 1 && chance(g, 50))
        text_add(&g->sql, " AND q.%s = p.%s", q->columns[q->key[1]].name,
                 some_name(g, s));
    if (chance(g, 30) && op[0] != '<' && op[0] != '>') {
        const struct schema *r = &g->script->tables[below(g, g->script->ntables)];
        text_add(&g->sql, " %sJOIN %s r ON r.%s = %s", chance(g, 40) ? "LEFT " : "",
                 r->name, name_of(r, first_key(r)), chance(g, 50) ? "p." : "q.");
        text_add(&g->sql, "%s",
                 g->sql.data[g->sql.size - 2] == 'p' ? some_name(g, s)
                                                     : some_name(g, q));
    }
    maybe_where(g, 50, "p.");
}

/* ---- other shapes -------------------------------------------------------------- */

static void add_compound(struct gen *g)
{
    static const char *const ops[] = {"UNION", "INTERSECT", "EXCEPT", "UNION ALL"};
    const struct schema *s = g->s;
    const struct schema *q = &g->script->tables[below(g, g->script->ntables)];
    const char *op = PICK(g, ops);
    if (s->shape == SHAPE_IPK) /* exception rowid-collation */
        op = "UNION ALL";
    bool count = op[5] != ' ';
    text_add(&g->sql, "%sSELECT %s FROM %s", count ? "SELECT count(*) FROM (" : "",
             name_of(s, first_key(s)), s->name);
    maybe_where(g, 60, "");
    text_add(&g->sql, " %s SELECT %s FROM %s", op, name_of(q, first_key(q)), q->name);
    if (q == s)
        maybe_where(g, 60, "");
    text_add(&g->sql, "%s", count ? ")" : "");
}

static void add_window(struct gen *g)
{
    static const char *const functions[] = {
        "row_number()",    "rank()",    "lag(%s)",         "lead(%s, 2)",
        "first_value(%s)", "count(%s)", "sum(length(%s))", "group_concat(typeof(%s))"};
    static const char *const frames[] = {
        "", "", " ROWS BETWEEN 2 PRECEDING AND CURRENT ROW",
        " ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING", " GROUPS 1 PRECEDING"};
    const struct schema *s = g->s;
    const char *function = PICK(g, functions), *hole = strstr(function, "%s");
    const char *column = some_name(g, s);
    if (hole == NULL)
        text_add(&g->sql, "SELECT %s", function);
    else
        text_add(&g->sql, "SELECT %.*s%s%s", (int)(hole - function), function, column,
                 hole + 2);
    text_add(&g->sql, " OVER (");
    if (chance(g, 40))
        text_add(&g->sql, "PARTITION BY typeof(%s)", some_name(g, s));
    add_order(g, "");
    text_add(&g->sql, "%s), %s FROM %s", hole == NULL ? "" : PICK(g, frames),
             name_of(s, first_key(s)), s->name);
    g->step.ordered = false;
    maybe_where(g, 50, "");
}

/* From row to row by a column that holds a key.  Exception mixed-column: the columns
 * are of one affinity. */
static void add_climb(struct gen *g)
{
    const struct schema *s = g->s;
    const struct column *from = &s->columns[below(g, s->ncolumns)], *to = from;
    for (unsigned i = 0; i < s->ncolumns; i++)
        if (affinity_of(s->columns[i].type) == affinity_of(from->type) && chance(g, 50))
            to = &s->columns[i];
    text_add(
        &g->sql,
        "WITH RECURSIVE up(k, n) AS (SELECT %s, 0 FROM %s UNION ALL SELECT p.%s, n "
        "+ 1 FROM up JOIN %s p ON p.%s = up.k WHERE n < 2) SELECT n, count(*) FROM "
        "up GROUP BY n",
        from->name, s->name, to->name, s->name, name_of(s, first_key(s)));
}

static void add_cte(struct gen *g)
{
    const struct schema *s = g->s;
    const char *key = name_of(s, first_key(s));
    switch (below(g, 3)) {
    case 0:
        text_add(&g->sql, "WITH c AS %s(SELECT %s AS k, %s AS o FROM %s",
                 chance(g, 30) ? "MATERIALIZED " : "", key, some_name(g, s), s->name);
        maybe_where(g, 60, "");
        text_add(&g->sql, ") SELECT c.k, c.o, d.o FROM c LEFT JOIN c d ON d.k = c.o");
        break;
    case 1:
        text_add(&g->sql,
                 "WITH RECURSIVE z(i) AS (SELECT %d UNION ALL SELECT i + 1 FROM z "
                 "WHERE i < %u) SELECT i, (SELECT count(*) FROM %s WHERE %s %s i), "
                 "EXISTS (SELECT 1 FROM %s WHERE %s = i) FROM z",
                 (int)below(g, 10) - 8, 3 + below(g, 12), s->name, key,
                 chance(g, 50) ? ">=" : "<", s->name, key);
        break;
    default:
        add_climb(g);
        break;
    }
}

static void add_expressions(struct gen *g)
{
    const struct schema *s = g->s;
    const char *key = name_of(s, first_key(s)), *other = some_name(g, s);
    switch (below(g, 4)) {
    case 0:
        text_add(&g->sql, "SELECT CASE WHEN %s > ", key);
        add_operand(g, first_key(s));
        text_add(&g->sql, " THEN %s ELSE typeof(%s) END FROM %s", other, key, s->name);
        break;
    case 1:
        text_add(&g->sql, "SELECT %s, %s = ", key, other);
        add_operand(g, first_key(s));
        text_add(&g->sql, ", coalesce(%s, %s), quote(%s) FROM %s", other, key, other,
                 s->name);
        break;
    case 2:
        text_add(&g->sql,
                 "SELECT (SELECT max(rowid_) FROM (SELECT 1 AS rowid_ FROM %s "
                 "WHERE %s = p.%s)), p.%s FROM %s p",
                 s->name, key, other, key, s->name);
        maybe_where(g, 60, "p.");
        return;
    default:
        text_add(&g->sql, "SELECT * FROM (SELECT %s AS k, %s AS o FROM %s", key, other,
                 s->name);
        g->ordering = true;
        maybe_where(g, 50, "");
        g->ordering = false;
        add_order(g, "");
        add_limit(g);
        g->step.ordered = false;
        text_add(&g->sql, ") WHERE k IS NOT NULL");
        return;
    }
    maybe_where(g, 60, "");
}

static void add_view(struct gen *g)
{
    static const char *const ops[] = {"=", "<", ">="};
    if (!g->s->view) {
        add_simple_select(g);
        return;
    }
    text_add(&g->sql, "SELECT v.k, v.o FROM v WHERE v.k %s ", PICK(g, ops));
    add_operand(g, first_key(g->s));
}

void add_select(struct gen *g)
{
    unsigned dice = below(g, 100);
    if (dice < 54)
        add_simple_select(g);
    else if (dice < 63)
        add_aggregates(g);
    else if (dice < 67)
        add_distinct(g);
    else if (dice < 76)
        join_with_x(g);
    else if (dice < 84)
        join_tables(g);
    else if (dice < 88)
        add_compound(g);
    else if (dice < 92)
        add_window(g);
    else if (dice < 95)
        add_cte(g);
    else if (dice < 98)
        add_expressions(g);
    else
        add_view(g);
}

void read_step(struct gen *g)
{
    add_select(g);
    g->step.kept = chance(g, 15);
    finish_step(g, STEP_SQL);
}
