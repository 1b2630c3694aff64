/* SPDX-License-Identifier: Apache-2.0
 *
 * schemas -- random schemas for generate.c, and what it asks of them. */
#ifndef SQLTEST_SCHEMAS_H
#define SQLTEST_SCHEMAS_H

#include "generate.h"
#include "values.h"

#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

struct gen {
    struct sdb_rand rand;
    struct script *script;
    struct step step; /* being made */
    struct text sql;  /* of it */
    size_t capacity;  /* of script->steps */
    bool writing;     /* a condition for rows to change: see add_where */
};

static inline unsigned below(struct gen *g, size_t n)
{
    return (unsigned)sdb_rand_below(&g->rand, n);
}

static inline bool chance(struct gen *g, unsigned percent)
{
    return below(g, 100) < percent;
}

#define PICK(g, array) ((array)[below((g), COUNT(array))])

static inline bool is_rowid(const struct schema *s, int column)
{
    return column < 0 || (s->shape == SHAPE_IPK && (unsigned)column == s->key[0]);
}

static inline bool in_key(const struct schema *s, unsigned column)
{
    for (unsigned i = 0; i < s->nkey; i++)
        if (s->key[i] == column)
            return true;
    return false;
}

static inline const char *name_of(const struct schema *s, int column)
{
    return column < 0 ? "rowid" : s->columns[column].name;
}

/* ---- schemas --------------------------------------------------------------- */

static inline void column_definition(const struct schema *s, unsigned i,
                                     bool inline_key, struct text *out)
{
    const struct column *c = &s->columns[i];
    text_add(out, "%s%s%s%s", c->name, c->type[0] != '\0' ? " " : "", c->type,
             inline_key && s->nkey == 1 && s->key[0] == i ? " PRIMARY KEY" : "");
    if (c->not_null)
        text_add(out, " NOT NULL");
    if (c->collation[0] != '\0')
        text_add(out, " COLLATE %s", c->collation);
}

static inline void schema_write(struct gen *g, struct schema *s)
{
    struct text body = {0}, ours = {0}, theirs = {0};
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
    text_add(&theirs, "CREATE TABLE t(%s)%s", body.data,
             s->shape == SHAPE_IPK || s->shape == SHAPE_ROWID ? "" : " WITHOUT ROWID");
    text_add(&ours, "CREATE VIRTUAL TABLE t USING seerdb");
    if (s->shape != SHAPE_BARE) {
        text_add(&ours, "(%s", body.data);
        if (!chance(g, 15)) /* syncing every commit is slow */
            text_add(&ours, ", sync=off");
        if (chance(g, 30))
            text_add(&ours, ", compression=none");
        if (chance(g, 30))
            text_add(&ours, ", index=binary");
        if (chance(g, 30))
            text_add(&ours, ", filter_bits=0");
        if (chance(g, 30))
            text_add(&ours, ", memory_limit='1MB'");
        text_add(&ours, ")");
    }
    s->seerdb = text_take(&ours);
    s->ordinary = text_take(&theirs);
    text_fini(&body);
}

static inline void schema_key(struct gen *g, struct schema *s)
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
    }
}

static inline void schema_generate(struct gen *g, struct schema *s)
{
    static const char *const names[] = {"a", "b", "c", "d", "e", "f"};
    static const char *const types[] = {"INT",     "INTEGER", "TEXT", "TEXT", "REAL",
                                        "NUMERIC", "BLOB",    "",     ""};
    static const char *const collations[] = {"",       "",      "",      "",
                                             "NOCASE", "RTRIM", "BINARY"};
    s->shape = (enum shape)(g->script->seed % 5); /* every shape, whatever the range */
    s->key_collation[0] = "";
    if (s->shape == SHAPE_BARE) {
        s->columns[0] = (struct column){"key", "", "", false};
        s->columns[1] = (struct column){"value", "", "", false};
        s->ncolumns = 2;
        s->nkey = 1;
        schema_write(g, s);
        return;
    }
    s->ncolumns = 2 + below(g, MAX_COLUMNS - 2);
    for (unsigned i = 0; i < s->ncolumns; i++)
        s->columns[i] = (struct column){names[i], PICK(g, types), PICK(g, collations),
                                        chance(g, 15)};
    if (s->shape == SHAPE_IPK) {
        s->nkey = 1;
        s->key[0] = below(g, s->ncolumns);
        s->columns[s->key[0]].type = "INTEGER";
        s->columns[s->key[0]].not_null = false; /* NULL assigns the next one */
    } else if (s->shape == SHAPE_SINGLE) {
        s->nkey = 1;
        schema_key(g, s);
        if (strcmp(s->columns[s->key[0]].type, "INTEGER") == 0)
            s->columns[s->key[0]].type = "INT"; /* else it would be a rowid */
    } else if (s->shape == SHAPE_COMPOSITE) {
        s->nkey = s->ncolumns > 2 ? 2 + below(g, 2) : 2;
        schema_key(g, s);
    }
    schema_write(g, s);
}

#endif
