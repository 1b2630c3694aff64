/* SPDX-License-Identifier: Apache-2.0
 *
 * generate_parts -- what the parts of the generator share: the script being made, dice,
 * names.  The text of the current statement grows in g->sql; finish_step() ends it. */
#ifndef SQLTEST_GENERATE_PARTS_H
#define SQLTEST_GENERATE_PARTS_H

#include "../engine/base/rand.h"
#include "generate.h"
#include "values.h"

#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

struct gen {
    struct sdb_rand rand;
    struct script *script;
    const struct schema *s; /* the table that the statement is about */
    struct step step;       /* being made */
    struct text sql;        /* of it */
    size_t capacity;        /* of script->steps */
    bool limited;           /* the first table gives memory_limit */
    bool several;           /* rows are written: see exception mismatch-rows */
    bool in_or;             /* exception or-collate */
    bool ordering;          /* the statement will have an ORDER BY */
    bool writing;           /* a condition for rows to change: see add_where */
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

static inline bool has_rowid(const struct schema *s)
{
    return s->shape == SHAPE_IPK || s->shape == SHAPE_ROWID;
}

static inline bool in_key(const struct schema *s, unsigned column)
{
    for (unsigned i = 0; i < s->nkey; i++)
        if (s->key[i] == column)
            return true;
    return false;
}

/* -1 is the rowid. */
static inline const char *name_of(const struct schema *s, int column)
{
    return column < 0 ? "rowid" : s->columns[column].name;
}

/* The first column of the key, or the rowid. */
static inline int first_key(const struct schema *s)
{
    return s->nkey > 0 ? (int)s->key[0] : -1;
}

static inline const char *type_of(const struct schema *s, int column)
{
    return column < 0 ? "INTEGER" : s->columns[column].type;
}

/* ---- generate.c */
void finish_step(struct gen *g, enum step_kind kind);
void simple_step(struct gen *g, const char *sql);
unsigned bit_of(const struct gen *g, const struct schema *s);

/* ---- generate_schema.c: tables, their views and triggers */
enum affinity { AFFINITY_TEXT, AFFINITY_NUMERIC, AFFINITY_BLOB };
enum affinity affinity_of(const char *type); /* NUMERIC: INTEGER and REAL, too */
void schema_generate(struct gen *g, struct schema *s, unsigned number);
void schema_fini(struct schema *s);
void create_step(struct gen *g, const struct schema *s);
void view_steps(struct gen *g, struct schema *s);

/* ---- generate_where.c: operands and conditions.  alias: "", or "p." */
void add_literal(struct gen *g, struct text *out, int column);
void add_operand(struct gen *g, int column);
void add_existing(struct gen *g, int column, unsigned n);
void add_key_order(const struct schema *s, struct text *out);
void add_order(struct gen *g, const char *alias);
void add_condition(struct gen *g, const char *alias);
void add_key_list(struct gen *g); /* IN, on the first column of the key */
void add_key_like(struct gen *g);
void add_where(struct gen *g);
void add_point(struct gen *g);
void add_where_in_key_order(struct gen *g);
/* An operator between a column of the table and another one that keeps away from
 * text-key-range. */
const char *join_operator(struct gen *g, const char *key_type, const char *other_type);

/* ---- generate_merge.c: MERGE columns, _op, ttl and filter */
void merge_columns(struct gen *g, struct schema *s);
void add_merge(const struct column *c, struct text *out); /* for a definition */
void add_hiding(struct gen *g, struct schema *s, struct text *out);
void hiding_steps(struct gen *g, const struct schema *s); /* after CREATE */
void merge_step(struct gen *g);
void op_step(struct gen *g);

/* ---- generate_write.c */
void add_inserted(struct gen *g, int column, bool alone, bool integers,
                  unsigned existing);
void write_step(struct gen *g);
void range_step(struct gen *g);
void bulk_step(struct gen *g);

/* ---- generate_read.c */
void add_select(struct gen *g); /* any shape */
void add_simple_select(struct gen *g);
void read_step(struct gen *g);

#endif
