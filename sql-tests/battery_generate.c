/* SPDX-License-Identifier: Apache-2.0
 *
 * What SQLite leaves open is kept out: LIMIT stands only beside an order by every
 * column, columns beside an aggregate are those of GROUP BY, reals are quarters, so
 * that a sum does not depend on the order of its terms, and texts that are equal
 * without regard to case are never grouped by such a collation. */
#include "battery.h"

#include <string.h>

#define SCOPE_MAX 10

/* The tables whose columns an expression may name. */
struct scope {
    const struct scope *outer; /* of the query around */
    int n;
    struct {
        const struct battery_table *table;
        char alias[12];
    } items[SCOPE_MAX];
};

struct maker {
    struct battery *b;
    struct text *out;
    int alias;
};

/* ---- chance ---------------------------------------------------------------- */

static uint64_t next(struct battery *b)
{
    uint64_t z = b->state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static int below(struct battery *b, int n)
{
    return (int)(next(b) % (uint64_t)n);
}

static bool chance(struct battery *b, int percent)
{
    return below(b, 100) < percent;
}

#define PICK(b, list) (list)[below((b), (int)(sizeof(list) / sizeof((list)[0])))]

static void add(struct maker *m, const char *s)
{
    text_add(m->out, "%s", s);
}

/* ---- values ---------------------------------------------------------------- */

static const char *const words[] = {
    "''",    "'a'",   "'A'",   "'b'",   "'abc'",  "'aBc'",  "'abd'",   "'5'",
    "'05'",  "'12'",  "'5.0'", "' 7'",  "'%'",    "'a%c'",  "'a_c'",   "'z'",
    "'zz '", "'zz'",  "'-3'",  "'1e2'", "'é'",    "'10'",   "'table'", "'tab'",
    "'200'", "'x y'", "'Inf'", "'~'",   "'NULL'", "'aaaa'", "'b'",     "'c'"};
static const char *const blobs[] = {"x''", "x'00'", "x'61'", "x'ff'", "x'616263'"};

static void add_literal(struct battery *b, struct text *out, char kind, int range)
{
    if (chance(b, 4)) {
        text_add(out, "NULL");
        return;
    }
    if (kind == 'b')
        kind = "irtb"[below(b, 4)];
    switch (kind) {
    case 'i':
        text_add(out, "%d", below(b, range) - range / 10);
        break;
    case 'r':
        text_add(out, "%d.%s", below(b, range) - range / 10,
                 PICK(b, ((const char *[]){"0", "25", "5", "75"})));
        break;
    case 't':
        text_add(out, "%s", PICK(b, words));
        break;
    default:
        text_add(out, "%s", PICK(b, blobs));
    }
}

/* ---- tables ---------------------------------------------------------------- */

static const struct {
    const char *type;
    char kind;
} types[] = {{"INTEGER", 'i'},       {"INT", 'i'},
             {"REAL", 'r'},          {"FLOAT", 'r'},
             {"TEXT", 't'},          {"VARCHAR(30)", 't'},
             {"CHAR(8)", 't'},       {"NUMERIC", 'r'},
             {"DECIMAL(10,2)", 'r'}, {"BLOB", 'b'},
             {"DATE", 'i'},          {"", 'b'},
             {"BIGINT", 'i'},        {"DOUBLE PRECISION", 'r'},
             {"SMALLINT", 'i'},      {"CHARACTER VARYING(20)", 't'},
             {"INTEGER", 'i'},       {"TEXT", 't'}};

enum key { KEY_NONE, KEY_ROWID, KEY_COLUMN, KEY_TABLE, KEY_TWO, KEY_KINDS };

static void add_column(struct battery *b, struct battery_table *t, struct text *decl,
                       enum key key)
{
    int c = t->ncolumns++;
    bool rowid = key == KEY_ROWID && c == 0;
    int type = rowid ? 0 : below(b, (int)(sizeof types / sizeof types[0]));
    t->columns[c].kind = types[type].kind;
    snprintf(t->columns[c].name, sizeof t->columns[c].name, rowid ? "pk" : "c%d", c);
    text_add(decl, "%s%s%s%s", c > 0 ? ", " : "", t->columns[c].name,
             types[type].type[0] != 0 ? " " : "", types[type].type);
    if (t->columns[c].kind == 't' && chance(b, 15))
        text_add(decl, " COLLATE %s", chance(b, 50) ? "NOCASE" : "RTRIM");
    if (c == 0 && (rowid || key == KEY_COLUMN))
        text_add(decl, " PRIMARY KEY");
    /* Of these keys alone NULL is taken, as the next number. */
    if (c == 0 && key != KEY_TWO && strcmp(types[type].type, "INTEGER") == 0)
        return;
    if ((c == 0 && key != KEY_NONE) || (c == 1 && key == KEY_TWO))
        text_add(decl, " NOT NULL");
}

static void add_rows(struct battery *b, struct battery_table *t, enum key key)
{
    struct text sql = {0};
    int range = t->rows > 50 ? t->rows : 50;
    /* Rows with a key that is there already, or NULL, stay out, on both sides. */
    text_add(&sql, "INSERT OR IGNORE INTO %s VALUES", t->name);
    for (int i = 0; i < t->rows; i++) {
        text_add(&sql, "%s(", i > 0 ? "," : "");
        for (int c = 0; c < t->ncolumns; c++) {
            text_add(&sql, "%s", c > 0 ? "," : "");
            if (key == KEY_ROWID && c == 0)
                text_add(&sql, "%d", i + below(b, 2) * below(b, 5));
            else
                add_literal(b, &sql, t->columns[c].kind, range);
        }
        text_add(&sql, ")");
    }
    t->fill = text_take(&sql);
}

static void make_table(struct battery *b, struct battery_table *t, int i)
{
    static const int sizes[] = {0, 1, 3, 3, 10, 10, 30, 30, 100, 300, 1000};
    struct text decl = {0}, sql = {0};
    enum key key = (enum key)below(b, KEY_KINDS);
    int columns = 2 + below(b, BATTERY_COLUMNS - 2);
    snprintf(t->name, sizeof t->name, "t%d", i);
    t->rows = PICK(b, sizes);
    if (t->rows == 0 && chance(b, 70))
        t->rows = 30;
    for (int c = 0; c < columns; c++)
        add_column(b, t, &decl, key);
    if (key == KEY_TABLE)
        text_add(&decl, ", PRIMARY KEY(c0%s)", chance(b, 30) ? " DESC" : "");
    if (key == KEY_TWO)
        text_add(&decl, ", PRIMARY KEY(c0%s, c1%s)", chance(b, 20) ? " DESC" : "",
                 chance(b, 30) ? " DESC" : "");
    text_add(&sql, "CREATE TABLE %s(%s)%s", t->name, decl.data,
             key == KEY_NONE || key == KEY_ROWID ||
                     strstr(decl.data, " NOT NULL") == NULL
                 ? ""
                 : " WITHOUT ROWID");
    t->create[0] = text_take(&sql);
    text_add(&sql, "CREATE VIRTUAL TABLE %s USING seerdb(%s)", t->name, decl.data);
    t->create[1] = text_take(&sql);
    text_fini(&decl);
    if (t->rows == 0) {
        text_add(&sql, "DELETE FROM %s", t->name);
        t->fill = text_take(&sql);
        return;
    }
    add_rows(b, t, key);
}

/* a1=b2 AND a2=b3 ...: a table's two numbers are permutations. */
static void make_chain_table(struct battery *b, struct battery_table *t, int i,
                             int rows, bool keyed)
{
    struct text sql = {0};
    int order[64];
    *t = (struct battery_table){.rows = rows, .ncolumns = 3};
    snprintf(t->name, sizeof t->name, "t%d", i);
    for (int c = 0; c < 3; c++) {
        snprintf(t->columns[c].name, sizeof t->columns[c].name, "%c%d", "abx"[c], i);
        t->columns[c].kind = c < 2 ? 'i' : 't';
    }
    for (int side = 0; side < 2; side++) {
        text_add(&sql,
                 "CREATE %sTABLE t%d%s(a%d INTEGER%s, b%d INTEGER, x%d VARCHAR(40))",
                 side == 1 ? "VIRTUAL " : "", i, side == 1 ? " USING seerdb" : "", i,
                 keyed ? " PRIMARY KEY" : "", i, i);
        t->create[side] = text_take(&sql);
    }
    for (int j = 0; j < rows; j++)
        order[j] = j + 1;
    for (int j = rows - 1; j > 0; j--) {
        int k = below(b, j + 1), swap = order[j];
        order[j] = order[k];
        order[k] = swap;
    }
    text_add(&sql, "INSERT INTO t%d VALUES", i);
    for (int j = 0; j < rows; j++)
        text_add(&sql, "%s(%d,%d,'t%d row %d')", j > 0 ? "," : "", j + 1, order[j], i,
                 j + 1);
    t->fill = text_take(&sql);
}

void battery_init(struct battery *b, uint64_t seed)
{
    *b = (struct battery){.seed = seed, .state = seed * 0x2545f4914f6cdd1du + 1};
    b->chain = seed % 5 == 0;
    if (b->chain) {
        bool keyed = chance(b, 60);
        b->ntables = keyed ? BATTERY_TABLES : 9;
        for (size_t i = 0; i < b->ntables; i++)
            make_chain_table(b, &b->tables[i], (int)i + 1, 10, keyed);
        return;
    }
    b->ntables = 3 + (size_t)below(b, 4);
    for (size_t i = 0; i < b->ntables; i++)
        make_table(b, &b->tables[i], (int)i + 1);
}

void battery_fini(struct battery *b)
{
    for (size_t i = 0; i < b->ntables; i++) {
        free(b->tables[i].create[0]);
        free(b->tables[i].create[1]);
        free(b->tables[i].fill);
    }
    b->ntables = 0;
}

/* ---- expressions ----------------------------------------------------------- */

static void add_select(struct maker *m, const struct scope *outer, int depth,
                       int columns, bool ordered);
static void add_condition(struct maker *m, const struct scope *s, int depth);

/* A column, its kind; of a query around now and then. */
static char add_reference(struct maker *m, const struct scope *s)
{
    while (s->n == 0 || (s->outer != NULL && s->outer->n > 0 && chance(m->b, 25))) {
        if (s->outer == NULL)
            break;
        s = s->outer;
    }
    if (s->n == 0) {
        add(m, "1");
        return 'i';
    }
    int i = below(m->b, s->n);
    const struct battery_table *t = s->items[i].table;
    /* Keys are asked for more often than they are many. */
    int c = chance(m->b, 35) ? below(m->b, 2) : below(m->b, t->ncolumns);
    text_add(m->out, "%s.%s", s->items[i].alias, t->columns[c].name);
    return t->columns[c].kind;
}

static void add_number(struct maker *m, const struct scope *s, int depth);

static void add_function(struct maker *m, const struct scope *s, int depth)
{
    switch (below(m->b, 5)) {
    case 0:
        add(m, "coalesce(");
        add_number(m, s, depth - 1);
        add(m, ", ");
        add_number(m, s, depth - 1);
        break;
    case 1:
        add(m, "nullif(");
        add_number(m, s, depth - 1);
        add(m, ", ");
        add_number(m, s, depth - 1);
        break;
    case 2:
        add(m, "abs(");
        add_number(m, s, depth - 1);
        break;
    case 3:
        add(m, "CAST(");
        add_number(m, s, depth - 1);
        add(m, chance(m->b, 50) ? " AS INTEGER" : " AS TEXT");
        break;
    default:
        add(m, "length(");
        add_reference(m, s);
    }
    add(m, ")");
}

static void add_number(struct maker *m, const struct scope *s, int depth)
{
    int kind = depth <= 0 ? below(m->b, 60) : below(m->b, 100);
    if (kind < 42) {
        add_reference(m, s);
    } else if (kind < 60) {
        add_literal(m->b, m->out, "iirt"[below(m->b, 4)], 60);
    } else if (kind < 74) {
        add(m, "(");
        add_number(m, s, depth - 1);
        add(m, PICK(m->b, ((const char *[]){" + ", " - ", " * ", " + "})));
        add_number(m, s, depth - 1);
        add(m, ")");
    } else if (kind < 78) {
        add(m, chance(m->b, 50) ? "- " : "+ ");
        add_number(m, s, depth - 1);
    } else if (kind < 86) {
        add_function(m, s, depth);
    } else if (kind < 93) {
        add(m, "CASE WHEN ");
        add_condition(m, s, depth - 1);
        add(m, " THEN ");
        add_number(m, s, depth - 1);
        add(m, " ELSE ");
        add_number(m, s, depth - 1);
        add(m, " END");
    } else { /* one row at most, whichever it is: an aggregate */
        struct scope sub = {.outer = s};
        const struct battery_table *t = &m->b->tables[below(m->b, (int)m->b->ntables)];
        sub.items[0].table = t;
        snprintf(sub.items[0].alias, sizeof sub.items[0].alias, "s%d", m->alias++);
        sub.n = 1;
        text_add(m->out, "(SELECT %s(",
                 PICK(m->b, ((const char *[]){"min", "max", "count", "sum"})));
        const struct scope own = {.n = 1, .items = {sub.items[0]}};
        add_reference(m,
                      &own); /* of an outer column the aggregate would be outer too */
        text_add(m->out, ") FROM %s AS %s WHERE ", t->name, sub.items[0].alias);
        add_condition(m, &sub, depth - 2);
        add(m, ")");
    }
}

static const char *const comparisons[] = {
    "=", "=", "=", "=", "<", "<=", ">", ">=", "<>", "IS", "IS NOT"};

/* What keys are looked up by: a column on one side, something close to its values on
 * the other. */
static void add_comparison(struct maker *m, const struct scope *s, int depth)
{
    char kind = add_reference(m, s);
    text_add(m->out, " %s ", PICK(m->b, comparisons));
    if (chance(m->b, 45))
        add_literal(m->b, m->out, chance(m->b, 90) ? kind : 'b', 60);
    else if (chance(m->b, 60))
        add_reference(m, s);
    else
        add_number(m, s, depth - 1);
    if (chance(m->b, 3))
        add(m, " COLLATE NOCASE");
}

static void add_in(struct maker *m, const struct scope *s, int depth)
{
    char kind = add_reference(m, s);
    add(m, chance(m->b, 20) ? " NOT IN (" : " IN (");
    if (depth > 0 && chance(m->b, 35)) {
        add_select(m, s, depth - 2, 1, false);
    } else {
        int n = below(m->b, 6);
        for (int i = 0; i < n; i++) {
            add(m, i > 0 ? ", " : "");
            add_literal(m->b, m->out, kind, 60);
        }
    }
    add(m, ")");
}

static void add_row_value(struct maker *m, const struct scope *s)
{
    char a, b;
    add(m, "(");
    a = add_reference(m, s);
    add(m, ", ");
    b = add_reference(m, s);
    text_add(m->out, ") %s (",
             PICK(m->b, ((const char *[]){"=", "<", "<=", ">", ">="})));
    add_literal(m->b, m->out, a, 60);
    add(m, ", ");
    add_literal(m->b, m->out, b, 60);
    add(m, ")");
}

static void add_pattern(struct maker *m, const struct scope *s)
{
    static const char *const like[] = {
        "'a%'", "'A%'", "'%b'",  "'5%'",  "'a_c'",      "'z%'",  "'a\\%%' ESCAPE '\\'",
        "'%'",  "''",   "'abc'", "'t1%'", "'T% row 3'", "'05%'", "'-%'"};
    static const char *const glob[] = {"'a*'",  "'A*'", "'*b'", "'5*'", "'[a-b]*'",
                                       "'abc'", "'t*'", "'*'",  "'z?*'"};
    add_reference(m, s);
    add(m, chance(m->b, 15) ? " NOT" : "");
    if (chance(m->b, 60))
        text_add(m->out, " LIKE %s", PICK(m->b, like));
    else
        text_add(m->out, " GLOB %s", PICK(m->b, glob));
}

static void add_between(struct maker *m, const struct scope *s, int depth)
{
    char kind = add_reference(m, s);
    add(m, chance(m->b, 15) ? " NOT BETWEEN " : " BETWEEN ");
    add_literal(m->b, m->out, kind, 60);
    add(m, " AND ");
    if (chance(m->b, 70))
        add_literal(m->b, m->out, kind, 60);
    else
        add_number(m, s, depth - 2);
}

static void add_term(struct maker *m, const struct scope *s, int depth)
{
    int kind = below(m->b, 100);
    if (kind < 48) {
        add_comparison(m, s, depth);
    } else if (kind < 58) {
        add_in(m, s, depth);
    } else if (kind < 66) {
        add_between(m, s, depth);
    } else if (kind < 72) {
        add_pattern(m, s);
    } else if (kind < 78) {
        add_reference(m, s);
        add(m, chance(m->b, 50) ? " IS NULL" : " IS NOT NULL");
    } else if (kind < 83) {
        add_row_value(m, s);
    } else if (kind < 88 && depth > 0) {
        add(m, chance(m->b, 30) ? "NOT EXISTS (" : "EXISTS (");
        add_select(m, s, depth - 2, 1, false);
        add(m, ")");
    } else if (kind < 94 && depth > 0) {
        add(m, "NOT (");
        add_condition(m, s, depth - 1);
        add(m, ")");
    } else {
        add_number(m, s, depth - 1);
        text_add(m->out, " %s ", PICK(m->b, comparisons));
        add_number(m, s, depth - 1);
    }
}

static void add_condition(struct maker *m, const struct scope *s, int depth)
{
    int n = depth <= 0 ? 1 : 1 + below(m->b, 3);
    add(m, "(");
    for (int i = 0; i < n; i++) {
        add(m, i == 0 ? "" : chance(m->b, 65) ? " AND " : " OR ");
        if (depth > 1 && chance(m->b, 15))
            add_condition(m, s, depth - 1);
        else
            add_term(m, s, depth);
    }
    add(m, ")");
}

/* ---- queries --------------------------------------------------------------- */

static void add_equality(struct maker *m, const struct scope *s)
{
    const struct scope last = {.n = 1, .items = {s->items[s->n - 1]}};
    struct scope others = *s;
    others.n--;
    others.outer = NULL;
    add_reference(m, &last);
    add(m, " = ");
    add_reference(m, &others);
}

static void add_from(struct maker *m, struct scope *s, int n)
{
    static const char *const joins[] = {", ",          ", ",           " JOIN ",
                                        " LEFT JOIN ", " CROSS JOIN ", " INNER JOIN "};
    bool comma = false; /* RIGHT and FULL beside it read badly, and mean little */
    add(m, " FROM ");
    for (int i = 0; i < n; i++) {
        const struct battery_table *t = &m->b->tables[below(m->b, (int)m->b->ntables)];
        const char *join = PICK(m->b, joins);
        if (!comma && chance(m->b, 8))
            join = chance(m->b, 50) ? " RIGHT JOIN " : " FULL JOIN ";
        if (i > 0)
            add(m, join);
        comma = comma || (i > 0 && strcmp(join, ", ") == 0);
        s->items[s->n].table = t;
        snprintf(s->items[s->n].alias, sizeof s->items[s->n].alias, "r%d", m->alias++);
        s->n++;
        text_add(m->out, "%s AS %s", t->name, s->items[s->n - 1].alias);
        if (i == 0 || strcmp(join, ", ") == 0 || strcmp(join, " CROSS JOIN ") == 0)
            continue;
        add(m, " ON ");
        add_equality(m, s);
        if (chance(m->b, 25)) {
            struct scope inner = *s;
            inner.outer = NULL;
            add(m, " AND ");
            add_term(m, &inner, 0);
        }
    }
}

static void add_where(struct maker *m, const struct scope *s, int depth)
{
    int joined = 0;
    for (int i = 1; i < s->n && chance(m->b, 80); i++) {
        struct scope part = *s;
        part.n = i + 1;
        part.outer = NULL;
        add(m, joined++ == 0 ? " WHERE " : " AND ");
        add_equality(m, &part);
    }
    if (chance(m->b, 75)) {
        add(m, joined == 0 ? " WHERE " : " AND ");
        add_condition(m, s, depth);
    }
}

/* Groups: columns, then aggregates. */
static void add_grouped(struct maker *m, struct scope *s, int depth, int columns)
{
    static const char *const functions[] = {
        "sum(",         "avg(", "min(", "max(", "count(", "total(", "count(DISTINCT ",
        "sum(DISTINCT "};
    struct text body = {0}, group = {0}, *out = m->out;
    int by = columns > 1 ? below(m->b, columns) : 0;
    m->out = &body;
    add_from(m, s, 1 + below(m->b, 2));
    add_where(m, s, depth);
    m->out = &group;
    struct scope own = *s;
    own.outer = NULL;
    for (int i = 0; i < by; i++) {
        add(m, i > 0 ? ", " : "");
        add_reference(m, &own);
    }
    m->out = out;
    text_add(out, "SELECT %s", by > 0 ? group.data : "");
    for (int i = by; i < columns; i++) {
        add(m, i > 0 ? ", " : "");
        if (chance(m->b, 25)) {
            add(m, "count(*)");
            continue;
        }
        add(m, PICK(m->b, functions));
        add_reference(m, &own);
        if (chance(m->b, 30))
            add(m, " * 2");
        add(m, ")");
    }
    text_add(out, "%s", body.data);
    if (by > 0) {
        text_add(out, " GROUP BY %s", group.data);
        if (chance(m->b, 25))
            add(m, chance(m->b, 50) ? " HAVING count(*) > 1"
                                    : " HAVING min(1) IS NOT NULL");
    }
    text_fini(&body);
    text_fini(&group);
}

static void add_flat(struct maker *m, struct scope *s, int depth, int columns)
{
    struct text body = {0}, *out = m->out;
    m->out = &body;
    add_from(m, s, chance(m->b, 50) ? 1 : 1 + below(m->b, 3));
    add_where(m, s, depth);
    m->out = out;
    add(m, chance(m->b, 22) ? "SELECT DISTINCT " : "SELECT ");
    for (int i = 0; i < columns; i++) {
        add(m, i > 0 ? ", " : "");
        if (chance(m->b, 60))
            add_reference(m, s);
        else
            add_number(m, s, depth);
    }
    text_add(out, "%s", body.data);
    text_fini(&body);
}

/* ordered: by all columns, maybe in part. */
static void add_select(struct maker *m, const struct scope *outer, int depth,
                       int columns, bool ordered)
{
    struct scope s = {.outer = outer};
    if (chance(m->b, 30))
        add_grouped(m, &s, depth, columns);
    else
        add_flat(m, &s, depth, columns);
    if (!ordered)
        return;
    int first = below(m->b, columns);
    add(m, " ORDER BY ");
    for (int i = 0; i < columns; i++)
        text_add(m->out, "%s%d%s", i > 0 ? ", " : "", (first + i) % columns + 1,
                 PICK(m->b, ((const char *[]){"", "", " DESC", " ASC", " DESC"})));
    if (chance(m->b, 40)) {
        text_add(m->out, " LIMIT %d", below(m->b, 12));
        if (chance(m->b, 50))
            text_add(m->out, " OFFSET %d", below(m->b, 12));
    }
}

/* Walks along a table's order: the first column orders, others may follow; LIMIT only
 * where rows with equal values are equal in what is shown. */
static void add_walk(struct maker *m)
{
    struct scope s = {.n = 0};
    struct text body = {0}, *out = m->out;
    m->out = &body;
    add_from(m, &s, 1);
    if (chance(m->b, 60))
        add_where(m, &s, 1);
    m->out = out;
    const struct battery_table *t = s.items[0].table;
    const char *a = s.items[0].alias, *x = t->columns[0].name, *y = t->columns[1].name;
    bool two = chance(m->b, 60);
    const char *dx = chance(m->b, 40) ? " DESC" : "",
               *dy = chance(m->b, 40) ? " DESC" : "";
    text_add(out, "SELECT %s%s.%s", chance(m->b, 40) ? "DISTINCT " : "", a, x);
    if (two)
        text_add(out, ", %s.%s", a, y);
    text_add(out, "%s ORDER BY %s%s", body.data, x, dx);
    if (two)
        text_add(out, ", %s%s", y, dy);
    if (chance(m->b, 60))
        text_add(out, " LIMIT %d OFFSET %d", below(m->b, 20), below(m->b, 20));
    text_fini(&body);
}

static void add_recursion(struct maker *m)
{
    const struct battery_table *t = &m->b->tables[below(m->b, (int)m->b->ntables)];
    text_add(
        m->out,
        "WITH RECURSIVE w(n) AS (SELECT %d UNION SELECT n + 1 FROM w JOIN %s AS q ON "
        "q.%s = w.n WHERE n < 40) SELECT n, (SELECT count(*) FROM %s WHERE %s > n) "
        "FROM w",
        below(m->b, 5), t->name, t->columns[below(m->b, 2)].name, t->name,
        t->columns[below(m->b, t->ncolumns)].name);
}

static void add_windows(struct maker *m)
{
    struct scope s = {.n = 0};
    struct text body = {0}, *out = m->out;
    m->out = &body;
    add_from(m, &s, 1);
    add_where(m, &s, 1);
    m->out = out;
    add(m, "SELECT count(*) OVER (PARTITION BY ");
    add_reference(m, &s);
    add(m, "), rank() OVER (ORDER BY ");
    add_reference(m, &s);
    add(m, "), max(");
    add_reference(m, &s);
    add(m, ") OVER (PARTITION BY ");
    add_reference(m, &s);
    text_add(out, ")%s", body.data);
    text_fini(&body);
}

/* t3.a = t9.b AND t9.a = t4.b ...: the longest join SQLite does. */
static void add_chain(struct maker *m)
{
    struct battery *b = m->b;
    int order[BATTERY_TABLES], n = (int)b->ntables;
    int k = chance(b, 20) ? n : 2 + below(b, n - 1);
    for (int i = 0; i < n; i++)
        order[i] = i;
    for (int i = n - 1; i > 0; i--) {
        int j = below(b, i + 1), swap = order[i];
        order[i] = order[j];
        order[j] = swap;
    }
    add(m, "SELECT ");
    for (int i = 0; i < k && i < 20; i++)
        text_add(m->out, "%sx%d", i > 0 ? ", " : "", order[i] + 1);
    add(m, " FROM ");
    int rotate = below(b, k);
    for (int i = 0; i < k; i++)
        text_add(m->out, "%st%d", i > 0 ? ", " : "", order[(i * 7 + rotate) % k] + 1);
    bool whole = k % 7 != 0;
    if (!whole) { /* the walk by sevens does not reach every table */
        while (m->out->data[m->out->size - 1] != 'M')
            m->out->data[--m->out->size] = 0;
        for (int i = 0; i < k; i++)
            text_add(m->out, "%s t%d", i > 0 ? "," : "", order[(i + rotate) % k] + 1);
    }
    text_add(m->out, " WHERE b%d = %d", order[0] + 1, 1 + below(b, 10));
    for (int i = 1; i < k; i++) {
        if (chance(b, 50))
            text_add(m->out, " AND a%d = b%d", order[i - 1] + 1, order[i] + 1);
        else
            text_add(m->out, " AND b%d = a%d", order[i] + 1, order[i - 1] + 1);
    }
}

void battery_query(struct battery *b, struct query *q)
{
    struct maker m = {.b = b, .out = &q->sql};
    static const char *const compounds[] = {" UNION ", " UNION ALL ", " INTERSECT ",
                                            " EXCEPT "};
    int kind = below(b, 100), columns = 1 + below(b, 3);
    if (b->chain && kind < 50) {
        add_chain(&m);
    } else if (kind < 12) {
        add_walk(&m);
        q->ordered = true;
    } else if (kind < 14) {
        add_recursion(&m);
    } else if (kind < 18) {
        add_windows(&m);
    } else if (kind < 28) {
        int n = 2 + below(b, 2);
        for (int i = 0; i < n; i++) {
            add(&m, i > 0 ? PICK(b, compounds) : "");
            add_select(&m, NULL, 1, columns,
                       i + 1 == n && (q->ordered = chance(b, 40)));
        }
    } else if (kind < 34) {
        add(&m, "SELECT * FROM (");
        add_select(&m, NULL, 2, columns, true);
        add(&m, ") AS u");
    } else {
        q->ordered = chance(b, 40);
        add_select(&m, NULL, 3, columns, q->ordered);
    }
}
