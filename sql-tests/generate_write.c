/* SPDX-License-Identifier: Apache-2.0 */
#include "generate_parts.h"

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
    const char *clause = PICK(g, clauses);
    return g->s->strict && strcmp(clause, " OR ROLLBACK") == 0 ? "" : clause;
}

static bool is_replace(const char *clause)
{
    return clause[0] == MARK_REPLACE || strcmp(clause, " OR REPLACE") == 0;
}

/* Of an INSERT: a virtual table is not told ABORT from no clause. */
static const char *insert_conflict(struct gen *g)
{
    static const char mark[] = {MARK_REPLACE, '\0'};
    const char *clause = conflict(g);
    bool plain = clause[0] == '\0' || strcmp(clause, " OR ABORT") == 0;
    if (plain && g->s->merge_insert) /* merge_step has those */
        return " OR FAIL";
    return plain && g->s->replaces ? mark : clause;
}

/* ---- INSERT ------------------------------------------------------------------ */

/* What an INSERT goes on with once its rows are given.  Exception returning: only that
 * there was a row. */
static void add_returning(struct gen *g, const char *clause)
{
    if (strcmp(clause, " OR IGNORE") != 0 && chance(g, 8))
        text_add(&g->sql, " RETURNING 'r', 1 + 1");
    g->step.insert = true;
}

/* The value of column `column` in an inserted row; integers: no mismatch, please. */
void add_inserted(struct gen *g, int column, bool alone, bool integers,
                  unsigned existing)
{
    const struct schema *s = g->s;
    /* Exceptions default and hidden-rowids. */
    bool not_null = s->columns[column].fallback != NULL ||
                    (is_rowid(s, column) && s->hidden != NULL);
    if (not_null)
        text_add(&g->sql, "ifnull(");
    if (is_rowid(s, column) && chance(g, 30))
        text_add(&g->sql, "NULL");
    else if (is_rowid(s, column) && integers)
        text_add(&g->sql, "%d", (int)below(g, 40) - 8);
    else if (in_key(s, (unsigned)column) && existing < 12)
        add_existing(g, column, existing);
    else if (alone && !is_rowid(s, column))
        add_operand(g, column);
    else
        add_literal(g, &g->sql, column);
    if (not_null)
        text_add(&g->sql, ", 5)");
}

static void insert_values(struct gen *g)
{
    const struct schema *s = g->s;
    const char *clause = chance(g, 5) ? " OR REPLACE" : insert_conflict(g);
    bool integers = clause[0] != '\0'; /* exception mismatch-rows */
    bool rowid = s->shape == SHAPE_ROWID && chance(g, 20);
    bool all = s->shape == SHAPE_IPK && s->hidden != NULL; /* exception hidden-rowids */
    unsigned n = !all && chance(g, 15) ? below(g, s->ncolumns) + 1 : s->ncolumns;
    unsigned first = n < s->ncolumns || chance(g, 10) ? below(g, s->ncolumns) : 0;
    unsigned dice = below(g, 100);
    unsigned rows = dice < 50 ? 1 : dice < 98 ? 1 + below(g, 6) : 250 + below(g, 100);
    if (is_replace(clause) && clause[0] != MARK_REPLACE && chance(g, 30))
        text_add(&g->sql, "REPLACE INTO %s(", s->name);
    else
        text_add(&g->sql, "INSERT%s INTO %s(", clause, s->name);
    if (rowid)
        text_add(&g->sql, "rowid, ");
    for (unsigned i = 0; i < n; i++)
        text_add(&g->sql, "%s%s", i > 0 ? ", " : "",
                 s->columns[(first + i) % s->ncolumns].name);
    text_add(&g->sql, ") VALUES ");
    g->several = rows > 1;
    for (unsigned row = 0; row < rows; row++) {
        /* Below 12: a key that is probably there. */
        unsigned existing = rows > 200 ? 99 : below(g, 50);
        text_add(&g->sql, "%s(", row > 0 ? ", " : "");
        if (rowid && integers) {
            text_add(&g->sql, "%d, ", (int)below(g, 40) - 8);
        } else if (rowid) {
            add_literal(g, &g->sql, -1);
            text_add(&g->sql, ", ");
        }
        for (unsigned i = 0; i < n; i++) {
            text_add(&g->sql, "%s", i > 0 ? ", " : "");
            add_inserted(g, (int)((first + i) % s->ncolumns), rows == 1, integers,
                         existing);
        }
        text_add(&g->sql, ")");
    }
    g->several = false;
    add_returning(g, clause);
}

static void add_column_list(struct gen *g)
{
    const struct schema *s = g->s;
    text_add(&g->sql, "(");
    for (unsigned i = 0; i < s->ncolumns; i++)
        text_add(&g->sql, "%s%s", i > 0 ? ", " : "", s->columns[i].name);
    text_add(&g->sql, ")");
}

/* An expression over the column of an earlier row. */
static void add_derived(struct gen *g, unsigned i)
{
    const char *name = g->s->columns[i].name;
    unsigned dice = below(g, 100);
    if (is_rowid(g->s, (int)i))
        text_add(&g->sql, "%s + %u", name, below(g, 50));
    else if (dice < 40)
        text_add(&g->sql, "%s + %u", name, below(g, 30));
    else
        text_add(&g->sql, "%s%s", name, dice < 70 ? " || '+'" : "");
}

/* Into the table from itself or from x, in a total order. */
static void insert_select(struct gen *g)
{
    const struct schema *s = g->s;
    static const char *const from_x[] = {"v",  "i",        "s",       "r",
                                         "id", "id + 100", "v || 'q'"};
    bool self = chance(g, 60);
    const char *clause = insert_conflict(g);
    text_add(&g->sql, "INSERT%s INTO %s", clause, s->name);
    add_column_list(g);
    text_add(&g->sql, " SELECT ");
    for (unsigned i = 0; i < s->ncolumns; i++) {
        const char *fallback = s->columns[i].fallback;
        text_add(&g->sql, "%s%s", i > 0 ? ", " : "", fallback != NULL ? "ifnull(" : "");
        if (self)
            add_derived(g, i);
        else if (is_rowid(s, (int)i))
            text_add(&g->sql, "id + %u", below(g, 50));
        else
            text_add(&g->sql, "%s", PICK(g, from_x));
        text_add(&g->sql, "%s", fallback != NULL ? ", 5)" : "");
    }
    if (self) {
        text_add(&g->sql, " FROM %s", s->name);
        if (chance(g, 70)) {
            g->ordering = true;
            text_add(&g->sql, " WHERE ");
            add_condition(g, "");
            g->ordering = false;
        }
        add_order(g, "");
        text_add(&g->sql, " LIMIT %u", 1 + below(g, 12));
        g->step.ordered = false;
    } else {
        text_add(&g->sql, " FROM x WHERE id %% %u = %u ORDER BY id", 9u, below(g, 9));
    }
    add_returning(g, clause);
}

/* Hundreds of rows, so that there is something to spill, to flush and to compact. */
void bulk_step(struct gen *g)
{
    const struct schema *s = g->s;
    static const char *const values[] = {"i",
                                         "i * 7919 % 1009",
                                         "'key' || i",
                                         "i / 4.0",
                                         "printf('%08x', i * 40503 % 65536)",
                                         "-i",
                                         "CAST('k' || i AS BLOB)",
                                         "substr('abcdefghij', i % 10, 2) || i"};
    unsigned from = below(g, 2000);
    if (s->strict) /* exception mismatch-rows, here and below */
        return;
    text_add(&g->sql, "INSERT%s INTO %s", chance(g, 50) ? " OR REPLACE" : " OR IGNORE",
             s->name);
    add_column_list(g);
    text_add(&g->sql,
             " WITH RECURSIVE z(i) AS (SELECT %u UNION ALL SELECT i + 1 FROM z WHERE i "
             "< %u) SELECT ",
             from, from + 100 + below(g, 400));
    for (unsigned i = 0; i < s->ncolumns; i++) {
        text_add(&g->sql, "%s", i > 0 ? ", " : "");
        if (is_rowid(s, (int)i))
            text_add(&g->sql, "i * 7919 %% 1009");
        else
            text_add(&g->sql, "%s", PICK(g, values));
    }
    text_add(&g->sql, " FROM z");
    g->step.write = true;
    g->step.check = bit_of(g, s);
    finish_step(g, STEP_SQL);
}

/* ---- UPDATE ------------------------------------------------------------------ */

static void add_value_for(struct gen *g, unsigned i)
{
    const struct schema *s = g->s;
    const char *name = s->columns[i].name;
    unsigned dice = below(g, 100);
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
        text_add(&g->sql, "(SELECT count(*) FROM %s)", s->name);
    else
        text_add(&g->sql, "%s", s->columns[below(g, s->ncolumns)].name);
}

static void add_assignment(struct gen *g, unsigned i)
{
    text_add(&g->sql, "%s = ", g->s->columns[i].name);
    add_value_for(g, i);
}

/* Exception moving-rows: UPDATE OR REPLACE with new keys only for one row. */
static void update_keys(struct gen *g)
{
    const struct schema *s = g->s;
    static const char *const clauses[] = {
        "", "", "", " OR IGNORE", " OR FAIL", " OR ABORT", " OR ROLLBACK"};
    bool point = chance(g, 60) || s->strict;
    text_add(&g->sql, "UPDATE%s %s SET ", point ? conflict(g) : PICK(g, clauses),
             s->name);
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
    if (point) /* strict: one row, exception mismatch-rows */
        add_point(g);
    else
        add_where_in_key_order(g);
}

/* Only columns outside the key. */
static void update_values(struct gen *g)
{
    const struct schema *s = g->s;
    static const char *const any_order[] = {"", "", " OR ABORT", " OR ROLLBACK"};
    bool in_order = chance(g, 50) || s->strict, tuple = chance(g, 10);
    unsigned first = below(g, s->ncolumns), assigned[2], n = 0;
    text_add(&g->sql, "UPDATE%s %s SET ", in_order ? conflict(g) : PICK(g, any_order),
             s->name);
    for (unsigned i = 0; i < s->ncolumns && n < 2; i++)
        if (!in_key(s, (first + i) % s->ncolumns))
            assigned[n++] = (first + i) % s->ncolumns;
    if (n == 2 && tuple) {
        text_add(&g->sql, "(%s, %s) = (", s->columns[assigned[0]].name,
                 s->columns[assigned[1]].name);
        if (chance(g, 40)) {
            text_add(&g->sql, "SELECT v, i FROM x WHERE id = %u", below(g, 70));
        } else {
            add_value_for(g, assigned[0]);
            text_add(&g->sql, ", ");
            add_value_for(g, assigned[1]);
        }
        text_add(&g->sql, ")");
    } else if (n > 0) {
        for (unsigned i = 0; i < n; i++) {
            text_add(&g->sql, "%s", i > 0 ? ", " : "");
            add_assignment(g, assigned[i]);
        }
    } else { /* all columns are key: one to itself */
        text_add(&g->sql, "%s = %s", s->columns[s->key[0]].name,
                 s->columns[s->key[0]].name);
    }
    if (s->strict)
        add_point(g);
    else if (in_order)
        add_where_in_key_order(g);
    else
        add_where(g);
}

/* Every row has one match at most.  Exception update-from: none can fail. */
static bool update_from(struct gen *g)
{
    const struct schema *s = g->s, *other = NULL;
    static const char *const sources[] = {"v", "i", "s", "r"};
    unsigned free_columns[MAX_COLUMNS], n = 0;
    for (unsigned i = 0; i < s->ncolumns; i++)
        if (!in_key(s, i) && !s->columns[i].not_null)
            free_columns[n++] = i;
    if (n == 0 || s->strict)
        return false;
    for (unsigned i = 0; i < g->script->ntables; i++) {
        const struct schema *p = &g->script->tables[i];
        if (p->nkey == 1 && affinity_of(type_of(p, first_key(p))) == AFFINITY_NUMERIC)
            other = p;
    }
    const char *set = s->columns[free_columns[below(g, n)]].name;
    const char *by = s->columns[below(g, s->ncolumns)].name;
    if (other != NULL && chance(g, 50))
        text_add(&g->sql, "UPDATE %s SET %s = p.%s FROM %s p WHERE p.%s = %s.%s",
                 s->name, set, other->columns[below(g, other->ncolumns)].name,
                 other->name, name_of(other, first_key(other)), s->base, by);
    else
        text_add(&g->sql, "UPDATE %s SET %s = x.%s FROM x WHERE x.id = %s.%s", s->name,
                 set, PICK(g, sources), s->base, by);
    return true;
}

/* ---- DELETE ------------------------------------------------------------------ */

static void delete_rows(struct gen *g)
{
    text_add(&g->sql, "DELETE FROM %s", g->s->name);
    if (chance(g, 50)) {
        add_point(g);
    } else if (chance(g, 96)) {
        add_where(g);
    }
}

/* delete_range and truncate, and what they mean to an ordinary table: in the collation
 * of the key. */
void range_step(struct gen *g)
{
    const struct schema *s = g->s;
    int column = first_key(s);
    const char *collation = s->nkey > 0 ? s->key_collation[0] : "";
    static const char *const ops[] = {">=", "<"};
    bool collated = collation[0] != '\0', truncate = chance(g, 10);
    struct text command = {0};
    unsigned terms = 0;
    text_add(&command, "SELECT seerdb('%s', '%s'", s->plain,
             truncate ? "truncate" : "delete_range");
    text_add(&g->sql, "DELETE FROM %s", s->name);
    for (int i = 0; i < 2 && !truncate; i++) {
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
    g->step.ours = text_take(&command);
    g->step.silent = true;
    g->step.check = chance(g, 70) ? bit_of(g, s) : 0;
    finish_step(g, STEP_SQL);
}

/* ---- through views and triggers ------------------------------------------------ */

static void write_feed(struct gen *g)
{
    const struct schema *s = g->s;
    int key = first_key(s);
    if (chance(g, 70)) {
        unsigned rows = 1 + below(g, 3);
        text_add(&g->sql, "INSERT INTO feed(k, o) VALUES ");
        for (unsigned i = 0; i < rows; i++) {
            text_add(&g->sql, "%s(", i > 0 ? ", " : "");
            if (has_rowid(s)) /* exception mismatch-rows */
                text_add(&g->sql, "%d", (int)below(g, 40) - 8);
            else
                add_literal(g, &g->sql, key);
            text_add(&g->sql, ", ");
            add_literal(g, &g->sql, (int)s->ncolumns - 1);
            text_add(&g->sql, ")");
        }
    } else {
        text_add(&g->sql, "DELETE FROM feed WHERE id %% %u = 0", 1 + below(g, 5));
    }
}

static void write_view(struct gen *g)
{
    static const char *const ops[] = {"=", "<", ">=", "IS"};
    int key = first_key(g->s);
    unsigned dice = below(g, 3);
    if (dice == 0) {
        text_add(&g->sql, "INSERT INTO v(k, o) VALUES (");
        add_operand(g, key);
        text_add(&g->sql, ", ");
        add_operand(g, key);
        text_add(&g->sql, ")");
        return;
    }
    if (dice == 1) {
        text_add(&g->sql, "UPDATE v SET o = ");
        add_literal(g, &g->sql, key);
    } else {
        text_add(&g->sql, "DELETE FROM v");
    }
    text_add(&g->sql, " WHERE k %s ", PICK(g, ops));
    add_operand(g, key);
}

void write_step(struct gen *g)
{
    unsigned dice = below(g, 100);
    if (chance(g, g->s->merges ? 35 : 0)) {
        merge_step(g);
        return;
    }
    if (chance(g, 5)) {
        op_step(g);
        return;
    }
    g->step.write = true;
    if (dice < 4 && g->s->view)
        write_view(g);
    else if (dice < 8 && g->s->triggers)
        write_feed(g);
    else if (dice < 46)
        insert_values(g);
    else if (dice < 47 && (g->s->hidden == NULL || g->s->shape != SHAPE_IPK))
        text_add(&g->sql, "INSERT INTO %s DEFAULT VALUES", g->s->name);
    else if (dice < 56 && !g->s->strict)
        insert_select(g);
    else if (dice < 69)
        update_keys(g);
    else if (dice > 72 || !update_from(g)) {
        if (dice < 86)
            update_values(g);
        else
            delete_rows(g);
    }
    g->step.kept = chance(g, 10);
    g->step.check = chance(g, 60) ? bit_of(g, g->s) : 0;
    finish_step(g, STEP_SQL);
}
