/* SPDX-License-Identifier: Apache-2.0
 *
 * Rows are put together column by column; what is no MERGE column comes from the base
 * or, where there is none, from the oldest operand.  All of it happens in borrowed
 * memory: on the stack, or for wide tables and long values in memory of the C library.
 *
 * Two operands are not made one where the work would grow with what is there already:
 * 50,000 pieces appended to one key must not copy the whole 50,000 times. */
#include "mergerow.h"

#include "errmap.h"
#include "mergecol.h"
#include "rowcodec.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BEGAN_NULL  1
#define HAS_SUM     2
#define FEW_COLUMNS 24
#define FEW_MERGED  6
#define SMALL       1024 /* bytes of a row that is made on the stack */
#define CHEAP       4096 /* an operand that may be copied for every one that follows */
#define NAME_MAX    65536
#define VERSION     "seerdb sql merge 1"

struct svt_merger {
    char *name;                /* owned: the operators, as the tree keeps them */
    struct svt_mergecol *cols; /* owned: ncols, in the order of the table */
    int ncols, ncolumns;
};

/* ---- making one ------------------------------------------------------------ */

void svt_merger_free(struct svt_merger *m)
{
    if (m == NULL)
        return;
    for (int i = 0; i < m->ncols; i++) {
        struct svt_mergecol *c = &m->cols[i];
        svt_expr_pool_free(c->pool);
        svt_bytes_fini(&c->bytes);
        svt_bytes_fini(&c->separator);
        sqlite3_free(c->name);
        sqlite3_free(c->what);
    }
    sqlite3_free(m->cols);
    sqlite3_free(m->name);
    sqlite3_free(m);
}

static int make_pool(const struct svt_column *from, struct svt_mergecol *c,
                     char **message)
{
    const struct svt_expr_input inputs[] = {{"old", c->affinity, c->collation},
                                            {"new", c->affinity, c->collation}};
    const struct svt_expr_spec spec = {.text = from->merge.text,
                                       .inputs = inputs,
                                       .ninputs = 2,
                                       .encoding = c->encoding,
                                       .affinity = c->affinity};
    char *why = NULL;
    int rc = svt_expr_pool_new(&spec, &c->pool, &why);
    if (rc != SQLITE_OK)
        svt_fail(message, rc, "column \"%s\": MERGE: %s", from->name,
                 why != NULL ? why : sqlite3_errstr(rc));
    sqlite3_free(why);
    return rc;
}

static int make_column(const struct svt_schema *s, int i, struct svt_mergecol *c,
                       char **message)
{
    const struct svt_column *from = &s->columns[i];
    const char *text =
        from->merge.kind == SVT_MERGE_EXPRESSION ? from->merge.text : NULL;
    *c = (struct svt_mergecol){
        .column = i,
        .kind = from->merge.kind,
        .affinity = from->affinity,
        .collation = from->collation,
        .encoding = s->encoding,
        .not_null = from->not_null,
        .only = s->options.strict ? from->only : 0,
        .name = sqlite3_mprintf("%s", from->name),
        .what = sqlite3_mprintf("MERGE%s%s", text ? "" : " ",
                                text ? "" : svt_merge_name(from->merge.kind)),
        .home = pthread_self()};
    if (from->not_null && from->has_default) {
        c->fallback = from->fallback;
        svt_bytes_append(&c->bytes, from->fallback.bytes.data,
                         from->fallback.bytes.size);
        c->fallback.bytes.data = c->bytes.data;
    } else {
        c->fallback.type = SQLITE_NULL;
    }
    if (from->merge.kind == SVT_MERGE_APPEND)
        svt_bytes_append(&c->separator, from->merge.text, from->merge.size);
    if (c->name == NULL || c->what == NULL || c->bytes.failed || c->separator.failed)
        return SQLITE_NOMEM;
    return from->merge.kind == SVT_MERGE_EXPRESSION ||
                   from->merge.kind == SVT_MERGE_JSON_PATCH
               ? make_pool(from, c, message)
               : SQLITE_OK;
}

/* Everything that decides what operands mean. */
static char *make_name(const struct svt_schema *s, const struct svt_merger *m)
{
    sqlite3_str *name = sqlite3_str_new(NULL);
    sqlite3_str_appendall(name, VERSION);
    for (int i = 0; i < m->ncols; i++) {
        const struct svt_merge *merge = &s->columns[m->cols[i].column].merge;
        sqlite3_str_appendf(name, "; %d %s", m->cols[i].column,
                            svt_merge_name(merge->kind));
        if (merge->kind == SVT_MERGE_APPEND) {
            sqlite3_str_appendchar(name, 1, ' ');
            for (size_t k = 0; k < merge->size; k++)
                sqlite3_str_appendf(name, "%02x", (unsigned)(uint8_t)merge->text[k]);
        } else if (merge->kind == SVT_MERGE_EXPRESSION) {
            sqlite3_str_appendf(name, " (%s)", merge->text);
        }
    }
    return sqlite3_str_finish(name);
}

int svt_merger_new(const struct svt_schema *s, struct svt_merger **out, char **message)
{
    int rc = SQLITE_NOMEM;
    *out = NULL;
    struct svt_merger *m = sqlite3_malloc64(sizeof *m);
    if (m == NULL)
        return SQLITE_NOMEM;
    *m = (struct svt_merger){.ncolumns = s->ncolumns};
    m->cols = sqlite3_malloc64((size_t)s->nmerge * sizeof *m->cols + 1);
    if (m->cols == NULL)
        goto out;
    rc = SQLITE_OK;
    for (int i = 0; i < s->ncolumns && rc == SQLITE_OK; i++) {
        if (s->columns[i].merge.kind != SVT_MERGE_NONE)
            rc = make_column(s, i, &m->cols[m->ncols++], message);
    }
    if (rc == SQLITE_OK && (m->name = make_name(s, m)) == NULL)
        rc = SQLITE_NOMEM;
    if (rc == SQLITE_OK && strlen(m->name) > NAME_MAX)
        rc = svt_fail(message, SQLITE_TOOBIG,
                      "the MERGE operators of a table have at most %d bytes", NAME_MAX);
out:
    if (rc != SQLITE_OK) {
        svt_merger_free(m);
        return rc;
    }
    *out = m;
    return SQLITE_OK;
}

/* ---- reading rows ---------------------------------------------------------- */

/* What is beside the values of a row, being read in the order of columns. */
struct beside {
    const uint8_t *p, *end;
    uint64_t column; /* the one that next is about; UINT64_MAX: there is none */
    struct svt_merge_beside next;
};

/* Move on to the next column that something is said about.  False: malformed. */
static bool next_beside(struct beside *b)
{
    uint64_t first, n;
    uint64_t before = b->column;
    b->next = (struct svt_merge_beside){.began_null = false};
    b->column = UINT64_MAX;
    if (b->p == b->end)
        return true;
    if (!svt_varint_read(&b->p, b->end, &b->column) || b->p == b->end ||
        (before != UINT64_MAX && b->column <= before))
        return false;
    uint8_t what = *b->p++;
    b->next.began_null = what & BEGAN_NULL;
    if (what == 0 || what > (BEGAN_NULL | HAS_SUM))
        return false;
    if ((what & HAS_SUM) == 0)
        return true;
    const uint8_t *sum = b->p;
    if (b->p == b->end)
        return false;
    b->p++;
    if (!svt_varint_read(&b->p, b->end, &first) ||
        !svt_varint_read(&b->p, b->end, &n) || first > SVT_SUM_BYTES ||
        n > SVT_SUM_BYTES || n > (uint64_t)(b->end - b->p))
        return false;
    b->p += n;
    b->next.sum = (seerdb_slice){sum, (size_t)(b->p - sum)};
    return true;
}

struct source {
    struct svt_row row;
    struct beside beside;
};

static bool open_source(const struct svt_merger *m, struct source *s,
                        seerdb_slice bytes)
{
    struct svt_value last = {.type = SQLITE_NULL};
    struct svt_row row;
    uint8_t in_key;
    if (!svt_row_open(&s->row, bytes) || s->row.ncolumns > (unsigned)m->ncolumns + 1)
        return false;
    s->beside = (struct beside){.column = UINT64_MAX};
    if (s->row.ncolumns <= (unsigned)m->ncolumns)
        return true;
    row = s->row;
    if (!svt_row_get(&row, (unsigned)m->ncolumns, &last, &in_key) ||
        last.type != SQLITE_BLOB)
        return false;
    s->beside.p = last.bytes.data;
    s->beside.end = s->beside.p + last.bytes.size;
    return next_beside(&s->beside);
}

/* Column c of the row, asked for in rising order. */
static bool read_source(struct source *s, const struct svt_mergecol *c,
                        struct svt_merge_value *out)
{
    uint8_t in_key = 0;
    if (!svt_row_get(&s->row, (unsigned)c->column, &out->v, &in_key) || in_key != 0 ||
        s->beside.column < (uint64_t)c->column)
        return false;
    out->beside = (struct svt_merge_beside){.began_null = false};
    if (s->beside.column != (uint64_t)c->column)
        return true;
    out->beside = s->beside.next;
    return next_beside(&s->beside);
}

/* ---- putting together ------------------------------------------------------ */

/* One call. */
struct work {
    const struct svt_merger *m;
    seerdb_slice base; /* data NULL: none */
    const seerdb_slice *operands;
    size_t n;
    bool partial, hurried;
    seerdb_err *err;
    struct svt_value *values; /* of all columns, and what is beside them */
    uint8_t *in_key;
    struct svt_merge_acc *accs; /* of MERGE columns */
    bool *began_null;           /* of them */
    void *memory;               /* owned; NULL: it is on the stack */
};

static int malformed(const struct work *w, const char *what, size_t i)
{
    w->err->code = SEERDB_CORRUPT;
    snprintf(w->err->msg, sizeof w->err->msg, "a row to be merged is malformed: %s %zu",
             what, i);
    return SEERDB_CORRUPT;
}

static int no_memory(const struct work *w)
{
    w->err->code = SEERDB_NOMEM;
    snprintf(w->err->msg, sizeof w->err->msg, "no memory to merge a row");
    return SEERDB_NOMEM;
}

/* All of them, before anything can fail: the end is theirs in any case. */
static void begin_columns(struct work *w)
{
    for (int i = 0; i < w->m->ncols; i++) {
        w->began_null[i] = false;
        svt_merge_begin(&w->accs[i], &w->m->cols[i], w->partial);
        w->accs[i].began_at = SIZE_MAX;
    }
}

/* What columns begin with, before the operands. */
static int load_base(struct work *w)
{
    const struct svt_merger *m = w->m;
    struct source s;
    struct svt_merge_value v;
    if (w->base.data == NULL)
        return SEERDB_OK;
    if (!open_source(m, &s, w->base))
        return malformed(w, "base", 0);
    for (int i = 0; i < m->ncols; i++) {
        if (!read_source(&s, &m->cols[i], &v))
            return malformed(w, "base", 0);
        svt_merge_load(&w->accs[i], &v);
    }
    return SEERDB_OK;
}

/* The oldest operand makes the row if there is none. */
static void begin_row(struct work *w, int i, const struct svt_merge_value *v)
{
    const struct svt_mergecol *c = &w->m->cols[i];
    bool null = v->v.type == SQLITE_NULL && v->beside.sum.data == NULL;
    if (c->fallback.type == SQLITE_NULL || !(null || v->beside.began_null))
        return;
    if (w->partial)
        w->began_null[i] = true;
    else if (w->base.data == NULL)
        svt_merge_load(&w->accs[i], &(struct svt_merge_value){.v = c->fallback});
}

static int add_operand(struct work *w, size_t k)
{
    const struct svt_merger *m = w->m;
    struct source s;
    struct svt_merge_value v;
    if (!open_source(m, &s, w->operands[k]))
        return malformed(w, "operand", k);
    for (int i = 0; i < m->ncols; i++) {
        if (!read_source(&s, &m->cols[i], &v))
            return malformed(w, "operand", k);
        if (k == 0)
            begin_row(w, i, &v);
        if (v.v.type == SQLITE_NULL && v.beside.sum.data == NULL)
            continue;
        if (!w->accs[i].any)
            w->accs[i].began_at = k;
        int rc = svt_merge_add(&w->accs[i], &v, w->hurried, w->err);
        if (rc != SEERDB_OK)
            return rc;
    }
    return SEERDB_OK;
}

/* The columns that are not merged. */
static int copy_columns(struct work *w)
{
    const struct svt_merger *m = w->m;
    bool from_base = w->base.data != NULL;
    struct source s;
    if (!open_source(m, &s, from_base ? w->base : w->operands[0]))
        return malformed(w, from_base ? "base" : "operand", 0);
    for (int i = 0, k = 0; i < m->ncolumns; i++) {
        w->in_key[i] = 0;
        if (k < m->ncols && m->cols[k].column == i)
            k++;
        else if (!svt_row_get(&s.row, (unsigned)i, &w->values[i], &w->in_key[i]))
            return malformed(w, from_base ? "base" : "operand", 0);
    }
    return SEERDB_OK;
}

/* Column i, which is an append, of operand k. */
static bool read_piece(struct work *w, int i, size_t k, struct svt_value *out)
{
    struct source s;
    uint8_t in_key;
    return open_source(w->m, &s, w->operands[k]) &&
           svt_row_get(&s.row, (unsigned)w->m->cols[i].column, out, &in_key);
}

/* The pieces of an append, into p: what was there first, then the operands after it. */
static int write_pieces(struct work *w, int i, uint8_t *p)
{
    const struct svt_mergecol *c = &w->m->cols[i];
    const struct svt_merge_acc *a = &w->accs[i];
    size_t at = a->v.bytes.size;
    if (at > 0)
        memcpy(p, a->v.bytes.data, at);
    for (size_t k = a->began_at == SIZE_MAX ? 0 : a->began_at + 1; k < w->n; k++) {
        struct svt_value v;
        if (!read_piece(w, i, k, &v))
            return malformed(w, "operand", k);
        if (v.type == SQLITE_NULL)
            continue;
        if (c->separator.size > 0)
            memcpy(p + at, c->separator.data, c->separator.size);
        at += c->separator.size;
        if (v.bytes.size > 0)
            memcpy(p + at, v.bytes.data, v.bytes.size);
        at += v.bytes.size;
    }
    return SEERDB_OK;
}

/* ---- the result ------------------------------------------------------------ */

/* What is beside the values goes into the last column. */
static int finish_columns(struct work *w, struct svt_bytes *beside)
{
    for (int i = 0; i < w->m->ncols; i++) {
        const struct svt_mergecol *c = &w->m->cols[i];
        uint8_t sum[SVT_MERGE_SUM_MAX];
        size_t nsum;
        struct svt_value *v = &w->values[c->column];
        svt_merge_finish(&w->accs[i], v, sum, &nsum);
        bool began_null = w->began_null[i] && w->accs[i].any;
        int rc = w->partial ? SEERDB_OK : svt_merge_check(c, v, w->err);
        if (rc != SEERDB_OK)
            return rc;
        if (nsum == 0 && !began_null)
            continue;
        svt_bytes_varint(beside, (uint64_t)c->column);
        svt_bytes_byte(beside,
                       (uint8_t)((began_null ? BEGAN_NULL : 0) | (nsum ? HAS_SUM : 0)));
        svt_bytes_append(beside, sum, nsum);
    }
    return SEERDB_OK;
}

/* Bytes that the values take in a row, at most, and those of appended pieces. */
static void measure(const struct work *w, unsigned n, size_t *row, size_t *pieces)
{
    *row = 4 * SVT_VARINT_MAX;
    *pieces = 0;
    for (unsigned i = 0; i < n; i++)
        *row += SVT_VARINT_MAX + 8 + (w->in_key[i] == 0 ? w->values[i].bytes.size : 0);
    for (int i = 0; i < w->m->ncols; i++) {
        if (w->m->cols[i].kind == SVT_MERGE_APPEND && w->accs[i].touched)
            *pieces += w->accs[i].total;
    }
}

static int join_pieces(struct work *w, uint8_t *p)
{
    int rc = SEERDB_OK;
    for (int i = 0; i < w->m->ncols && rc == SEERDB_OK; i++) {
        if (w->m->cols[i].kind != SVT_MERGE_APPEND || !w->accs[i].touched)
            continue;
        rc = write_pieces(w, i, p);
        w->values[w->m->cols[i].column].bytes.data = p;
        p += w->accs[i].total;
    }
    return rc;
}

/* Two operands made one shall not cost more with each that follows. */
static bool is_dear(const struct work *w, size_t size)
{
    return w->partial && w->n == 2 && size > CHEAP && size / 2 > w->operands[1].size;
}

static int emit_row(struct work *w, const struct svt_bytes *beside,
                    seerdb_merge_out *out)
{
    uint8_t small[SMALL], *memory = small;
    unsigned n = (unsigned)w->m->ncolumns;
    size_t size, pieces;
    if (beside->size > 0) {
        w->values[n] =
            (struct svt_value){.type = SQLITE_BLOB, .bytes = svt_bytes_slice(beside)};
        w->in_key[n++] = 0;
    }
    measure(w, n, &size, &pieces);
    if (is_dear(w, size))
        return SEERDB_NOTFOUND;
    if (size + pieces > sizeof small && (memory = malloc(size + pieces)) == NULL)
        return no_memory(w);
    struct svt_bytes row = {.data = memory, .capacity = size};
    int rc = join_pieces(w, memory + size);
    if (rc == SEERDB_OK) {
        svt_row_put(&row, w->values, w->in_key, n);
        seerdb_merge_emit(out, row.data, row.size);
    }
    if (memory != small)
        free(memory);
    return rc;
}

static int combine(struct work *w, seerdb_merge_out *out)
{
    size_t room = (size_t)w->m->ncols * (SVT_VARINT_MAX + 1 + SVT_MERGE_SUM_MAX);
    uint8_t few[FEW_MERGED * (SVT_VARINT_MAX + 1 + SVT_MERGE_SUM_MAX)], *memory = few;
    int rc = SEERDB_OK;
    for (size_t k = 0; k < w->n && rc == SEERDB_OK; k++)
        rc = add_operand(w, k);
    if (rc == SEERDB_OK)
        rc = copy_columns(w);
    if (rc != SEERDB_OK)
        return rc;
    if (room > sizeof few && (memory = malloc(room)) == NULL)
        return no_memory(w);
    struct svt_bytes beside = {.data = memory, .capacity = room};
    rc = finish_columns(w, &beside);
    if (rc == SEERDB_OK)
        rc = emit_row(w, &beside, out);
    if (memory != few)
        free(memory);
    return rc;
}

/* Give the work its arrays: those on the stack, or larger ones. */
static int take_memory(struct work *w)
{
    size_t n = (size_t)w->m->ncolumns + 1, k = (size_t)w->m->ncols;
    size_t values = n * sizeof *w->values, accs = k * sizeof *w->accs;
    uint8_t *p = malloc(values + accs + n + k);
    if (p == NULL)
        return no_memory(w);
    w->memory = p;
    w->values = (struct svt_value *)(void *)p;
    w->accs = (struct svt_merge_acc *)(void *)(p + values);
    w->in_key = p + values + accs;
    w->began_null = (bool *)(w->in_key + n);
    return SEERDB_OK;
}

static int run(struct work *w, seerdb_merge_out *out)
{
    struct svt_value values[FEW_COLUMNS + 1];
    uint8_t in_key[FEW_COLUMNS + 1];
    struct svt_merge_acc accs[FEW_MERGED];
    bool began_null[FEW_MERGED];
    int rc = SEERDB_OK;
    w->hurried = seerdb_merge_hurries(out);
    w->values = values;
    w->in_key = in_key;
    w->accs = accs;
    w->began_null = began_null;
    if (w->m->ncolumns > FEW_COLUMNS || w->m->ncols > FEW_MERGED)
        rc = take_memory(w);
    if (rc != SEERDB_OK)
        return rc;
    begin_columns(w);
    rc = load_base(w);
    if (rc == SEERDB_OK)
        rc = combine(w, out);
    for (int i = 0; i < w->m->ncols; i++)
        svt_merge_end(&w->accs[i]);
    free(w->memory);
    return rc;
}

/* ---- the short way --------------------------------------------------------- */

/* Rows without anything beside their values, and an operand that changes integers only,
 * as most are: counters.  The new row is the old one with other codes and bytes in a
 * few places.  SEERDB_BUSY: it takes the long way. */
#define LONG_WAY SEERDB_BUSY

/* What becomes of two integers; false: that takes longer. */
static bool combine_integers(const struct svt_mergecol *c, int64_t a, int64_t b,
                             int64_t *out)
{
    switch (c->kind) {
    case SVT_MERGE_ADD:
        return c->affinity != SVT_AFFINITY_REAL && !__builtin_add_overflow(a, b, out);
    case SVT_MERGE_MIN:
        *out = b < a ? b : a;
        return true;
    case SVT_MERGE_MAX:
        *out = b > a ? b : a;
        return true;
    case SVT_MERGE_BIT_OR:
        *out = a | b;
        return true;
    case SVT_MERGE_BIT_AND:
        *out = a & b;
        return true;
    default:
        return false;
    }
}

/* A short row being read from its first column to the last. */
struct walk {
    const uint8_t *codes, *p, *end; /* p: the bytes of the column that it stands on */
};

/* False: not so simple a row. */
static inline bool begin_walk(struct walk *w, seerdb_slice row, size_t n)
{
    const uint8_t *p = row.data;
    if (row.size < 2 + n || p[0] != 0 || p[1] != n)
        return false;
    *w = (struct walk){p + 2, p + 2 + n, p + row.size};
    return true;
}

/* Move it over columns from `i` on, up to `to`; false: not so simple a row. */
static inline bool walk_to(struct walk *w, size_t i, size_t to)
{
    size_t size = 0;
    for (; i < to; i++) {
        size_t n = svt_row_short_length(w->codes[i]);
        if (n == SIZE_MAX)
            return false;
        size += n;
    }
    if (size > (size_t)(w->end - w->p))
        return false;
    w->p += size;
    return true;
}

static inline bool read_integer(uint8_t code, const uint8_t *p, int64_t *v)
{
    if (code != SVT_CODE_BYTE)
        return svt_row_short_integer(code, p, v);
    *v = (int8_t)*p;
    return true;
}

/* A MERGE column of the new row, at p, which has room for it: returns its code and
 * moves p; CODE_LONG: it takes longer.  Requires: the operand, of `size` bytes, says
 * something. */
#define CODE_LONG 0xff
static inline uint8_t merge_here(const struct svt_mergecol *c, const struct walk *base,
                                 const struct walk *operand, size_t size, bool partial,
                                 uint8_t **p)
{
    size_t i = (size_t)c->column;
    uint8_t code = operand->codes[i];
    int64_t a, b, v;
    if (base->codes[i] == 0) {
        if (c->pool != NULL || (partial && c->fallback.type != SQLITE_NULL))
            return CODE_LONG;
        memcpy(*p, operand->p, size);
        *p += size;
    } else if (read_integer(base->codes[i], base->p, &a) &&
               read_integer(code, operand->p, &b) && combine_integers(c, a, b, &v)) {
        code = svt_row_make_integer(v, *p);
        *p += svt_row_short_lengths[code];
    } else {
        return CODE_LONG;
    }
    return code;
}

static int run_short(const struct svt_merger *m, const seerdb_slice *base,
                     const seerdb_slice *operand, bool partial, seerdb_merge_out *out)
{
    uint8_t row[CHEAP + FEW_COLUMNS * sizeof(int64_t)];
    struct walk old, changes;
    size_t n = (size_t)m->ncolumns, at = 0;
    if (n > FEW_COLUMNS || base->size + operand->size > CHEAP ||
        !begin_walk(&old, *base, n) || !begin_walk(&changes, *operand, n))
        return LONG_WAY;
    uint8_t *codes = row + 2, *p = codes + n;
    const uint8_t *from = old.p; /* what is not copied yet */
    memcpy(row, base->data, 2 + n);
    for (int k = 0; k < m->ncols; k++) {
        const struct svt_mergecol *c = &m->cols[k];
        size_t i = (size_t)c->column;
        if (!walk_to(&old, at, i) || !walk_to(&changes, at, i))
            return LONG_WAY;
        struct walk here = old, change = changes;
        at = i + 1;
        if (!walk_to(&old, i, at) || !walk_to(&changes, i, at))
            return LONG_WAY;
        if (changes.codes[i] == 0)
            continue;
        memcpy(p, from, (size_t)(here.p - from));
        p += here.p - from;
        from = old.p;
        codes[i] =
            merge_here(c, &here, &change, (size_t)(changes.p - change.p), partial, &p);
        if (codes[i] == CODE_LONG)
            return LONG_WAY;
    }
    if (!walk_to(&old, at, n) || !walk_to(&changes, at, n) || old.p != old.end ||
        changes.p != changes.end)
        return LONG_WAY;
    memcpy(p, from, (size_t)(old.end - from));
    seerdb_merge_emit(out, row, (size_t)(p - row) + (size_t)(old.end - from));
    return SEERDB_OK; /* if that failed, out knows why */
}

static int full(void *ctx, seerdb_slice key, const seerdb_slice *base,
                const seerdb_slice *operands, size_t n, seerdb_merge_out *out,
                seerdb_err *err)
{
    if (base != NULL && n == 1 &&
        run_short(ctx, base, operands, false, out) == SEERDB_OK)
        return SEERDB_OK;
    struct work w = {.m = ctx,
                     .base = base != NULL ? *base : (seerdb_slice){NULL, 0},
                     .operands = operands,
                     .n = n,
                     .err = err};
    (void)key;
    return run(&w, out);
}

static int partial(void *ctx, seerdb_slice key, const seerdb_slice *operands, size_t n,
                   seerdb_merge_out *out, seerdb_err *err)
{
    if (n == 2 && run_short(ctx, operands, operands + 1, true, out) == SEERDB_OK)
        return SEERDB_OK;
    struct work w = {
        .m = ctx, .operands = operands, .n = n, .partial = true, .err = err};
    (void)key;
    return run(&w, out);
}

static void release(void *ctx)
{
    svt_merger_free(ctx);
}

seerdb_merge_operator svt_merger_operator(struct svt_merger *m)
{
    bool native = true;
    for (int i = 0; i < m->ncols; i++)
        native = native && m->cols[i].pool == NULL;
    return (seerdb_merge_operator){.name = m->name,
                                   .ctx = m,
                                   .full = full,
                                   .partial = partial,
                                   .fast = native,
                                   .release = release};
}

/* ---- operands -------------------------------------------------------------- */

/* As `+` reads a text: the number that it begins with, an integer if it looks like one.
 */
static void read_number(sqlite3_value *v, struct svt_value *out)
{
    int64_t i = sqlite3_value_int64(v);
    double r = sqlite3_value_double(v);
    if ((double)i == r)
        *out = (struct svt_value){.type = SQLITE_INTEGER, .i = i};
    else
        *out = (struct svt_value){.type = SQLITE_FLOAT, .r = r};
}

int svt_merge_read(const struct svt_schema *s, const struct svt_column *c,
                   sqlite3_value *v, struct svt_value *out)
{
    int rc = s->read(v, c->affinity, out);
    bool free_type = !s->options.strict || c->only == 0;
    bool bytes = out->type == SQLITE_TEXT || out->type == SQLITE_BLOB;
    if (rc != SQLITE_OK || out->type == SQLITE_NULL)
        return rc;
    switch (c->merge.kind) {
    case SVT_MERGE_ADD:
        if (bytes && free_type)
            read_number(v, out);
        if (out->type == SQLITE_FLOAT && out->r == 0)
            out->r = 0; /* no sum is -0.0 */
        if (c->affinity == SVT_AFFINITY_REAL && out->type == SQLITE_INTEGER)
            *out = (struct svt_value){.type = SQLITE_FLOAT, .r = (double)out->i};
        return SQLITE_OK;
    case SVT_MERGE_BIT_OR:
    case SVT_MERGE_BIT_AND:
        if (free_type)
            *out =
                (struct svt_value){.type = SQLITE_INTEGER, .i = sqlite3_value_int64(v)};
        return SQLITE_OK;
    case SVT_MERGE_APPEND:
        return out->type == SQLITE_BLOB ? SQLITE_OK
                                        : s->read(v, SVT_AFFINITY_TEXT, out);
    default:
        return SQLITE_OK;
    }
}
