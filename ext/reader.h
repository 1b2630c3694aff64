/* SPDX-License-Identifier: Apache-2.0
 *
 * reader -- the columns of a row, from its key and value.
 *
 * Life: init, set (once a row), columns in any order, fini. */
#ifndef SVT_READER_H
#define SVT_READER_H

#include "args.h"
#include "rowcodec.h"

#include <string.h>

/* Where a text or blob column lies in rows of one size whose codes, all of them, are
 * the first bytes in `codes`. */
struct svt_spot {
    uint64_t codes, mask;
    size_t size; /* of the row; 0: not known */
    uint32_t at, length;
    int type;
    unsigned looks; /* how often it was looked for */
};

#define SVT_SPOTS 6 /* the columns whose spots are noted */

/* A row, read column by column.  Borrows key and value. */
struct svt_reader {
    const struct svt_schema *schema;
    int whole_key; /* the column that is all of the key, if that is a text or blob; -1
                    */
    seerdb_slice key, value;
    seerdb_slice segments; /* size 0: value is the whole row; else it is what lies
                              between these */
    struct svt_row row;
    bool row_open;
    struct svt_value *parts; /* owned: the first nparts parts of the key */
    int nparts;
    const uint8_t *next; /* the part after them, in key */
    struct svt_bytes scratch;
    struct svt_spot spots[SVT_SPOTS];
};

int svt_reader_init(struct svt_reader *r, const struct svt_schema *schema);
void svt_reader_fini(struct svt_reader *r);

/* Every row comes by: in line. */
static inline void svt_reader_set(struct svt_reader *r, seerdb_slice key,
                                  seerdb_slice value)
{
    r->key = key;
    r->value = value;
    r->segments = (seerdb_slice){NULL, 0};
    r->row_open = false;
    r->nparts = 0;
    r->next = key.data;
    r->scratch.size = 0;
    r->scratch.failed = false;
}

/* The same for what a lazy view shows. */
static inline void svt_reader_set_value(struct svt_reader *r, const seerdb_value *v)
{
    svt_reader_set(r, v->key, v->bytes);
    r->segments = v->segments;
}

/* Is column i in the value log?  Then *out is its type and size, without bytes, and
 * *segment where it is. */
bool svt_reader_apart(struct svt_reader *r, int i, struct svt_value *out,
                      seerdb_segment *segment);

/* Part `part` of the key.  False: malformed. */
bool svt_reader_part(struct svt_reader *r, int part, struct svt_value *out);

/* The type of column i of the table, if it is a blob or UTF-8 text that is found
 * without decoding, and its bytes; 0: ask svt_reader_column. */
static inline int svt_reader_quick(const struct svt_reader *r, int i, seerdb_slice *out)
{
    if (i == r->whole_key) {
        const uint8_t *key = r->key.data;
        if (r->key.size == 0 || (key[0] != SVT_TAG_TEXT && key[0] != SVT_TAG_BLOB))
            return 0;
        *out = (seerdb_slice){key + 1, r->key.size - 1};
        return key[0] == SVT_TAG_TEXT ? SQLITE_TEXT : SQLITE_BLOB;
    }
    if (i >= SVT_SPOTS || r->value.size == 0 || r->spots[i].size != r->value.size)
        return 0;
    const struct svt_spot *p = &r->spots[i];
    uint64_t codes;
    memcpy(&codes, r->value.data, sizeof codes); /* it has so many */
    if ((codes & p->mask) != p->codes)
        return 0;
    *out = (seerdb_slice){(const uint8_t *)r->value.data + p->at, p->length};
    return p->type;
}

/* Column i of the table, which is not apart.  Borrowed until the next svt_reader_set.
 * False: malformed. */
bool svt_reader_column(struct svt_reader *r, int i, struct svt_value *out);

#endif
