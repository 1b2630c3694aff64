/* SPDX-License-Identifier: Apache-2.0
 *
 * SQLite builds automatic indexes for joins of its own tables, not of virtual ones.
 * This is the like of it, for tables that are small: without it such a join decodes the
 * same rows millions of times.
 *
 * What finds a row must never miss one: SQLite checks what is found, not what is left
 * out.  The affinity of the other side is not known (sqlite-facts 8), so values are put
 * into three heaps:
 *
 *   number  integers, and reals up to 2^53, by their whole part.  They are equal to
 *           each other as numbers, and never to a word
 *   word    texts that begin above '9', by their bytes without ASCII's case, without
 *           trailing spaces and up to the first zero byte: so NOCASE and RTRIM find
 *           what they find equal.  No number is printed so but infinity, and none read
 *   odd     all else: texts that may be numbers, large reals, blobs.  Found by every
 *           value, and finds every row
 *
 * NULL is equal to nothing, and not looked for by IS. */
#include "memo.h"

#include <string.h>

/* Beyond these a table is not small. */
#define MAX_BYTES  ((size_t)1 << 20)
#define MAX_VALUES 32768

#define REAL_MAX 9007199254740992.0 /* 2^53 */

enum heap { HEAP_NONE, HEAP_NUMBER, HEAP_WORD, HEAP_ODD };

static uint64_t mix(uint64_t x)
{
    x = (x ^ (x >> 32)) * 0xd6e8feb86659fd93u;
    return x ^ (x >> 32);
}

static uint64_t hash_word(seerdb_slice text)
{
    const uint8_t *p = text.data;
    const uint8_t *zero = memchr(p, 0, text.size);
    size_t n = zero != NULL ? (size_t)(zero - p) : text.size;
    uint64_t h = 14695981039346656037u;
    while (n > 0 && p[n - 1] == ' ')
        n--;
    for (size_t i = 0; i < n; i++) {
        uint8_t c = p[i] >= 'A' && p[i] <= 'Z' ? (uint8_t)(p[i] + 32) : p[i];
        h = (h ^ c) * 1099511628211u;
    }
    return mix(h);
}

/* Surrogates without their partners: under NOCASE and RTRIM several are equal. */
static bool has_surrogate(seerdb_slice text, enum svt_encoding e)
{
    const uint8_t *p = text.data;
    for (size_t i = e == SVT_UTF16LE; e != SVT_UTF8 && i < text.size; i += 2)
        if (p[i] >= 0xd8 && p[i] < 0xe0)
            return true;
    return false;
}

static enum heap heap_of(const struct svt_memo *m, const struct svt_value *v,
                         uint64_t *hash)
{
    *hash = 0;
    switch (v->type) {
    case SQLITE_FLOAT:
        if (!(v->r >= -REAL_MAX && v->r <= REAL_MAX))
            return HEAP_ODD;
        *hash = mix((uint64_t)(int64_t)v->r);
        return HEAP_NUMBER;
    case SQLITE_INTEGER:
        *hash = mix((uint64_t)v->i);
        return HEAP_NUMBER;
    case SQLITE_TEXT:
        if (v->bytes.size == 0 || *(const uint8_t *)v->bytes.data <= '9' ||
            has_surrogate(v->bytes, m->schema->encoding))
            return HEAP_ODD;
        *hash = hash_word(v->bytes);
        return HEAP_WORD;
    case SQLITE_NULL:
        return HEAP_NONE;
    default:
        return HEAP_ODD;
    }
}

/* ---- building -------------------------------------------------------------- */

void svt_memo_clear(struct svt_memo *m)
{
    for (int i = 0; i < m->n; i++)
        seerdb_pin_unref(m->rows[i].pin);
    sqlite3_free(m->rows);
    sqlite3_free(m->values);
    sqlite3_free(m->heads);
    sqlite3_free(m->links);
    sqlite3_free(m->copy);
    *m = (struct svt_memo){.column = -1};
}

void svt_memo_begin(struct svt_memo *m, const struct svt_schema *schema, int column)
{
    svt_memo_clear(m);
    m->schema = schema;
    m->column = column;
}

static int grow(struct svt_memo *m)
{
    int ncolumns = m->schema->ncolumns;
    if (m->n == m->row_capacity) {
        int capacity = 2 * m->row_capacity + 16;
        struct svt_memo_row *rows =
            sqlite3_realloc64(m->rows, (size_t)capacity * sizeof *rows);
        if (rows == NULL)
            return SQLITE_NOMEM;
        m->rows = rows;
        m->row_capacity = capacity;
    }
    if ((m->n + 1) * ncolumns > m->value_capacity) {
        int capacity = 2 * m->value_capacity + 16 * ncolumns;
        struct svt_value *values =
            sqlite3_realloc64(m->values, (size_t)capacity * sizeof *values);
        if (values == NULL)
            return SQLITE_NOMEM;
        m->values = values;
        m->value_capacity = capacity;
    }
    return SQLITE_OK;
}

int svt_memo_add(struct svt_memo *m, struct svt_reader *reader, seerdb_pin *pin)
{
    int ncolumns = m->schema->ncolumns;
    m->bytes += reader->key.size + reader->value.size;
    if (m->bytes > MAX_BYTES || ncolumns > MAX_VALUES / (m->n + 1))
        return SQLITE_TOOBIG;
    int rc = grow(m);
    if (rc != SQLITE_OK)
        return rc;
    struct svt_value *values = &m->values[m->n * ncolumns];
    for (int i = 0; i < ncolumns; i++) {
        if (!svt_reader_column(reader, i, &values[i]))
            return reader->scratch.failed ? SQLITE_NOMEM : SQLITE_CORRUPT;
    }
    m->rows[m->n] = (struct svt_memo_row){reader->key, reader->value, pin};
    seerdb_pin_ref(pin);
    if (reader->scratch.size > 0)
        for (int i = 0; i < ncolumns; i++)
            if (values[i].type == SQLITE_TEXT || values[i].type == SQLITE_BLOB)
                values[i].type = 0;
    m->n++;
    return SQLITE_OK;
}

int svt_memo_finish(struct svt_memo *m)
{
    m->odd = -1;
    if (m->column < 0 || m->n == 0)
        return SQLITE_OK;
    m->nheads = 16;
    while (m->nheads < (unsigned)m->n)
        m->nheads *= 2;
    m->heads = sqlite3_malloc64(m->nheads * sizeof m->heads[0]);
    m->links = sqlite3_malloc64((size_t)m->n * sizeof m->links[0]);
    if (m->heads == NULL || m->links == NULL)
        return SQLITE_NOMEM;
    memset(m->heads, 0xff, m->nheads * sizeof m->heads[0]);
    for (int i = m->n - 1; i >= 0; i--) {
        const struct svt_value *v = &m->values[i * m->schema->ncolumns + m->column];
        uint64_t hash;
        enum heap heap = v->type == 0 ? HEAP_ODD : heap_of(m, v, &hash);
        if (heap == HEAP_NONE)
            continue;
        int *head = heap == HEAP_ODD ? &m->odd : &m->heads[hash & (m->nheads - 1)];
        m->links[i] = *head;
        *head = i;
    }
    return SQLITE_OK;
}

/* Copy to *at, and say where that was. */
static seerdb_slice move(uint8_t **at, seerdb_slice bytes)
{
    seerdb_slice moved = {*at, bytes.size};
    if (bytes.size > 0)
        memcpy(*at, bytes.data, bytes.size);
    *at += bytes.size;
    return moved;
}

/* If a value's bytes are part of these, they are moved with them. */
static bool follow(seerdb_slice *bytes, seerdb_slice from, seerdb_slice to)
{
    uintptr_t offset = (uintptr_t)bytes->data - (uintptr_t)from.data;
    if (bytes->size > 0 && offset >= from.size)
        return false;
    bytes->data = (const uint8_t *)to.data + (bytes->size > 0 ? offset : 0);
    return true;
}

int svt_memo_keep(struct svt_memo *m)
{
    int ncolumns = m->schema->ncolumns;
    if (m->copy != NULL)
        return SQLITE_OK;
    uint8_t *at = m->copy = sqlite3_malloc64(m->bytes + 1);
    if (at == NULL)
        return SQLITE_NOMEM;
    for (int i = 0; i < m->n; i++) {
        struct svt_memo_row *row = &m->rows[i], old = *row;
        *row = (struct svt_memo_row){.key = move(&at, old.key)};
        row->value = move(&at, old.value);
        for (int j = 0; j < ncolumns; j++) {
            struct svt_value *v = &m->values[i * ncolumns + j];
            if ((v->type == SQLITE_TEXT || v->type == SQLITE_BLOB) &&
                !follow(&v->bytes, old.key, row->key) &&
                !follow(&v->bytes, old.value, row->value))
                v->type = 0; /* it lies elsewhere: decoded when it is asked for */
        }
        seerdb_pin_unref(old.pin);
    }
    return SQLITE_OK;
}

/* ---- walking --------------------------------------------------------------- */

/* All rows: a walk without chains. */
#define ALL (-2)

static bool settle(struct svt_memo_walk *w)
{
    if (w->chain < 0 && w->odd < 0)
        return false;
    w->at = w->chain < 0 || (w->odd >= 0 && w->odd < w->chain) ? w->odd : w->chain;
    return true;
}

bool svt_memo_find(const struct svt_memo *m, sqlite3_value *v, struct svt_memo_walk *w)
{
    struct svt_value value;
    uint64_t hash;
    *w = (struct svt_memo_walk){.at = 0, .chain = ALL, .odd = ALL};
    if (m->n == 0)
        return false;
    if (v == NULL || m->column < 0)
        return true;
    int type = sqlite3_value_type(v);
    if (type == SQLITE_INTEGER)
        value = (struct svt_value){.type = type, .i = sqlite3_value_int64(v)};
    else if (type == SQLITE_FLOAT)
        value = (struct svt_value){.type = type, .r = sqlite3_value_double(v)};
    else if (type == SQLITE_BLOB ||
             m->schema->read(v, SVT_AFFINITY_BLOB, &value) != SQLITE_OK)
        return true; /* it finds every row: SQLite will see */
    switch (heap_of(m, &value, &hash)) {
    case HEAP_NONE:
        return false;
    case HEAP_ODD:
        return true;
    default:
        w->chain = m->heads[hash & (m->nheads - 1)];
        w->odd = m->odd;
        return settle(w);
    }
}

bool svt_memo_next(const struct svt_memo *m, struct svt_memo_walk *w)
{
    if (w->chain == ALL)
        return ++w->at < m->n;
    if (w->at == w->chain)
        w->chain = m->links[w->at];
    else
        w->odd = m->links[w->at];
    return settle(w);
}
