/* SPDX-License-Identifier: Apache-2.0
 *
 * newrow -- what an INSERT or UPDATE makes of the values that SQLite hands over: the
 * row's rowid, its key and its bytes.
 *
 * Life: begin, set what is of the statement (batch, update, act), make; then the caller
 * writes key and row, or parts.  The workspace is the table's, and begins anew with
 * every row.  argv is that of xUpdate: update.c.  One connection's thread.
 *
 * Functions answer SQLite's codes; a failure has set the table's zErrMsg. */
#ifndef SVT_NEWROW_H
#define SVT_NEWROW_H

#include "table.h"

#include <string.h>

/* What becomes of the row, by the statement and its _op. */
enum svt_row_act {
    SVT_ROW_CHECKED, /* put, if no other row has the key */
    SVT_ROW_PUT,     /* put, whatever is there */
    SVT_ROW_MERGED,
    SVT_ROW_DELETED
};

struct svt_write {
    enum svt_row_act act;
    struct svt_value *values; /* owned: one per declared column */
    uint8_t *in_key;          /* owned: as svt_row_put takes it */
    seerdb_segment *kept;     /* owned: per column where it is, if it stays in the value
                                 log as it is; size 0: it does not */
    bool keeps;               /* some of them may not be of size 0 */
    seerdb_part *parts;       /* owned: of the row; room for 2 per column and one */
    size_t nparts;            /* 0: it is not in parts */
    struct svt_bytes key, old_key, row;
    struct svt_reader reader; /* of the old row, then of the new key */
    seerdb_value old;         /* the old row's bytes, pinned */
    seerdb_batch *batch;      /* borrowed */
    bool increments; /* rows of the table may go the short way of increment.h */
    bool update, has_old, key_changed, assigned;
    int conflict; /* SQLITE_REPLACE, ... */
    int64_t rowid, old_rowid;
};

static inline bool svt_has_rowid(const struct svt_schema *s)
{
    return s->shape == SVT_SHAPE_IPK || s->shape == SVT_SHAPE_ROWID;
}

int svt_newrow_new(struct svt_table *t);   /* t->write, to begin with */
void svt_newrow_free(struct svt_write *w); /* accepts NULL */

/* *out is the table's workspace, without a row. */
static inline int svt_newrow_begin(struct svt_table *t, struct svt_write **out)
{
    if (t->write == NULL && svt_newrow_new(t) != SQLITE_OK)
        return SQLITE_NOMEM;
    struct svt_write *w = *out = t->write;
    w->update = w->has_old = w->key_changed = w->assigned = false;
    w->act = SVT_ROW_CHECKED;
    if (w->keeps)
        memset(w->kept, 0, (size_t)t->schema.ncolumns * sizeof(*w->kept));
    w->keeps = false;
    w->nparts = 0;
    w->conflict = sqlite3_vtab_on_conflict(t->conn->db);
    svt_bytes_clear(&w->key);
    svt_bytes_clear(&w->old_key);
    svt_bytes_clear(&w->row);
    return SQLITE_OK;
}

/* Make the rowid, the values, the key and, if it is not to be deleted, the row.  Of
 * tables with rowids the types are not checked yet.  SQLITE_NOTFOUND: an UPDATE reads a
 * row that has gone.  Requires: batch, update and act are set. */
int svt_newrow_make(struct svt_table *t, struct svt_write *w, sqlite3_value **argv);

/* The key that argv[0] is, into old_key. */
int svt_newrow_read_old_key(struct svt_table *t, struct svt_write *w, sqlite3_value *v);

/* Have the row of old_key in `old`, whose pin the caller lets go when the row is
 * written. SQLITE_NOTFOUND: there is none. */
int svt_newrow_fetch_old(struct svt_table *t, struct svt_write *w);

/* What strict = 1 says of the values' types; only if it was declared. */
int svt_newrow_check_strict(struct svt_table *t, const struct svt_write *w);

static inline int svt_newrow_check_types(struct svt_table *t, const struct svt_write *w)
{
    return t->schema.options.strict ? svt_newrow_check_strict(t, w) : SQLITE_OK;
}

/* ---- what there is ------------------------------------------------------------ */

/* Have ks->write_view, the view that writes are checked against. */
int svt_newrow_view(struct svt_table *t);

/* Look the key up there and in what the transaction has written.  SQLITE_OK: *out is
 * the row, pinned; SQLITE_NOTFOUND. */
int svt_newrow_get(struct svt_table *t, struct svt_write *w, seerdb_slice key,
                   seerdb_value *out);

#endif
