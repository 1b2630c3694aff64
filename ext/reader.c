/* SPDX-License-Identifier: Apache-2.0
 *
 * Most rows of a table have the same size and the same codes, and most columns asked
 * for are texts or blobs: where one was found it is looked for first, without decoding.
 */
#include "reader.h"

int svt_reader_init(struct svt_reader *r, const struct svt_schema *schema)
{
    *r = (struct svt_reader){.schema = schema, .whole_key = -1};
    /* A UTF-16 text needs care when it is given to SQLite: svt_reader_quick has none.
     */
    if (schema->shape == SVT_SHAPE_SINGLE && !schema->parts[0].desc &&
        schema->parts[0].collation == SVT_BINARY && schema->encoding == SVT_UTF8)
        r->whole_key = schema->key[0];
    if (schema->nkey > 0 && schema->shape != SVT_SHAPE_IPK) {
        r->parts = sqlite3_malloc64((size_t)schema->nkey * sizeof(*r->parts));
        if (r->parts == NULL)
            return SQLITE_NOMEM;
    }
    return SQLITE_OK;
}

void svt_reader_fini(struct svt_reader *r)
{
    sqlite3_free(r->parts);
    svt_bytes_fini(&r->scratch);
}

bool svt_reader_part(struct svt_reader *r, int part, struct svt_value *out)
{
    const struct svt_schema *s = r->schema;
    if (s->shape == SVT_SHAPE_IPK) {
        if (r->key.size != 8)
            return false;
        *out =
            (struct svt_value){.type = SQLITE_INTEGER, .i = svt_key_read_rowid(r->key)};
        return true;
    }
    const uint8_t *end = (const uint8_t *)r->key.data + r->key.size;
    while (r->nparts <= part) {
        if (!svt_key_get(&r->next, end, &s->parts[r->nparts], &r->parts[r->nparts],
                         &r->scratch))
            return false;
        r->nparts++;
    }
    *out = r->parts[part];
    return true;
}

/* Rows of a table mostly look alike: note where this one's text or blob was found. They
 * are not looked for all the time where they do not. */
static void note_spot(struct svt_reader *r, int i, const struct svt_value *v)
{
    struct svt_row row;
    struct svt_spot *p = &r->spots[i];
    bool quick = v->type == SQLITE_BLOB ||
                 (v->type == SQLITE_TEXT && r->schema->encoding == SVT_UTF8);
    if (p->looks++ % 64 >= 4 || !quick || r->value.size < sizeof p->codes ||
        r->value.size > UINT32_MAX || !svt_row_open(&row, r->value))
        return;
    const uint8_t *start = r->value.data;
    size_t ncodes = (size_t)(row.body - start);
    if (ncodes > sizeof p->codes)
        return;
    uint8_t mask[sizeof p->mask] = {0};
    memset(mask, 0xff, ncodes);
    memcpy(&p->mask, mask, sizeof mask);
    memcpy(&p->codes, start, sizeof p->codes);
    p->codes &= p->mask;
    p->size = r->value.size;
    p->at = (uint32_t)((const uint8_t *)v->bytes.data - start);
    p->length = (uint32_t)v->bytes.size;
    p->type = v->type;
}

/* Column i of a row with segments: in one of them (*apart), or between. */
static bool find_column(struct svt_reader *r, int i, struct svt_value *out,
                        uint8_t *in_key, seerdb_segment *segment, bool *apart)
{
    uint64_t code, at, length, before = 0;
    seerdb_slice segments = r->segments;
    seerdb_segment s;
    struct svt_row row;
    *apart = false;
    *in_key = 0;
    if (!svt_row_open(&row, r->value))
        return false;
    if ((unsigned)i >= row.ncolumns) {
        *out = (struct svt_value){.type = SQLITE_NULL};
        return true;
    }
    if (!svt_row_locate(&row, (unsigned)i, &code, &at, &length))
        return false;
    at += (uint64_t)(row.body - (const uint8_t *)r->value.data);
    while (seerdb_segments_next(&segments, &s) && s.offset <= at) {
        if (s.offset == at && s.size == length) {
            svt_row_decode(code, NULL, (size_t)length, out, in_key);
            *segment = s;
            *apart = true;
            return out->type == SQLITE_TEXT || out->type == SQLITE_BLOB;
        }
        if (s.offset == at) /* that of a column behind this one, which has no bytes */
            break;
        before += s.size;
    }
    if (before > at || at - before > r->value.size ||
        length > r->value.size - (at - before))
        return false;
    svt_row_decode(code, (const uint8_t *)r->value.data + (at - before), (size_t)length,
                   out, in_key);
    return true;
}

bool svt_reader_apart(struct svt_reader *r, int i, struct svt_value *out,
                      seerdb_segment *segment)
{
    uint8_t in_key;
    bool apart = false;
    return r->segments.size > 0 && i < r->schema->ncolumns &&
           find_column(r, i, out, &in_key, segment, &apart) && apart;
}

bool svt_reader_column(struct svt_reader *r, int i, struct svt_value *out)
{
    uint8_t in_key = 0;
    const uint8_t *key = r->key.data;
    if (i == r->whole_key && r->key.size > 0 &&
        (key[0] == SVT_TAG_TEXT || key[0] == SVT_TAG_BLOB)) {
        *out = (struct svt_value){.type = key[0] == SVT_TAG_TEXT ? SQLITE_TEXT
                                                                 : SQLITE_BLOB,
                                  .bytes = {key + 1, r->key.size - 1}};
        return true;
    }
    if (i >= r->schema->ncolumns) { /* the hidden ones: _key, _op */
        *out = (struct svt_value){.type = SQLITE_NULL};
        if (r->schema->shape == SVT_SHAPE_COMPOSITE && i == r->schema->ncolumns)
            *out = (struct svt_value){.type = SQLITE_BLOB, .bytes = r->key};
        return true;
    }
    const struct svt_column *c = &r->schema->columns[i];
    if (c->key_part >= 0 && r->schema->shape == SVT_SHAPE_IPK)
        return svt_reader_part(r, 0, out);
    if (r->segments.size > 0) {
        seerdb_segment s;
        bool apart;
        if (!find_column(r, i, out, &in_key, &s, &apart) || apart)
            return false;
    } else if (r->row_open || !svt_row_pick(r->value, (unsigned)i, out, &in_key)) {
        if (!r->row_open && !(r->row_open = svt_row_open(&r->row, r->value)))
            return false;
        if (!svt_row_get(&r->row, (unsigned)i, out, &in_key))
            return false;
    }
    if (in_key == 0) {
        if (i < SVT_SPOTS && r->segments.size == 0)
            note_spot(r, i, out);
        return true;
    }
    if (c->key_part < 0 || !svt_reader_part(r, c->key_part, out))
        return false;
    if (in_key == SVT_CODE_KEY_REAL && out->type == SQLITE_INTEGER)
        *out = (struct svt_value){.type = SQLITE_FLOAT, .r = (double)out->i};
    return true;
}
