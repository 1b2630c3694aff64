/* SPDX-License-Identifier: Apache-2.0
 *
 * What makes a value another one (affinity, strict = 1, a default, a text that is a
 * number) is the long way's matter, and so is whatever is refused. */
#include "increment.h"

#include "rowcodec.h"

#define COLUMNS_MAX 64

/* Does an integer that is merged into the column stay one? */
static bool counts(const struct svt_column *c)
{
    switch (c->merge.kind) {
    case SVT_MERGE_ADD:
    case SVT_MERGE_MIN:
    case SVT_MERGE_MAX:
    case SVT_MERGE_BIT_OR:
    case SVT_MERGE_BIT_AND:
        return c->affinity != SVT_AFFINITY_TEXT && c->affinity != SVT_AFFINITY_REAL;
    default:
        return false;
    }
}

bool svt_increment_possible(const struct svt_schema *s)
{
    bool plain = s->shape == SVT_SHAPE_IPK ||
                 (s->shape == SVT_SHAPE_SINGLE && s->encoding == SVT_UTF8 &&
                  s->parts[0].collation == SVT_BINARY);
    if (!plain || s->options.strict || s->nmerge == 0 || s->ncolumns > COLUMNS_MAX)
        return false;
    for (int i = 0; i < s->ncolumns; i++)
        if (s->columns[i].not_null && s->columns[i].key_part < 0 &&
            !counts(&s->columns[i]))
            return false;
    return true;
}

/* What the key's column gives; it is in the key as it is.  False: not so simple. */
static bool put_key(const struct svt_schema *s, sqlite3_value *v, struct svt_bytes *key,
                    int64_t *rowid)
{
    const struct svt_column *c = &s->columns[s->key[0]];
    struct svt_value value;
    int type = sqlite3_value_type(v);
    if (s->shape == SVT_SHAPE_IPK) {
        if (type != SQLITE_INTEGER)
            return false;
        *rowid = sqlite3_value_int64(v);
        svt_key_rowid(key, *rowid);
        return !key->failed;
    }
    bool as_it_is = type == SQLITE_BLOB ||
                    (type == SQLITE_TEXT && c->affinity < SVT_AFFINITY_NUMERIC);
    if (!as_it_is || s->read(v, c->affinity, &value) != SQLITE_OK)
        return false;
    svt_key_put(key, &s->parts[0], &value);
    return !key->failed && key->size <= SEERDB_KEY_MAX;
}

bool svt_increment_make(const struct svt_schema *s, sqlite3_value **columns,
                        struct svt_bytes *key, struct svt_bytes *row, int64_t *rowid)
{
    size_t n = (size_t)s->ncolumns;
    if (!put_key(s, columns[s->key[0]], key, rowid) ||
        !svt_bytes_reserve(row, 2 + n * (1 + sizeof(int64_t))))
        return false;
    uint8_t *code = row->data + 2, *p = code + n;
    row->data[0] = 0;
    row->data[1] = (uint8_t)n;
    for (size_t i = 0; i < n; i++) {
        const struct svt_column *c = &s->columns[i];
        if (c->key_part >= 0) {
            *code++ = SVT_CODE_KEY;
            continue;
        }
        int type = sqlite3_value_type(columns[i]);
        if (type == SQLITE_NULL && !c->not_null) {
            *code++ = 0;
            continue;
        }
        if (type != SQLITE_INTEGER || !counts(c))
            return false;
        *code = svt_row_make_integer(sqlite3_value_int64(columns[i]), p);
        p += svt_row_short_length(*code++);
    }
    row->size = (size_t)(p - row->data);
    return true;
}
