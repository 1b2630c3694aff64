/* SPDX-License-Identifier: Apache-2.0
 *
 * cursor -- xOpen to xClose: a list of key ranges, walked in order; rows decoded
 * lazily.
 *
 * xFilter turns the plan and the values into ranges of keys [lo, hi).  Where SQLite may
 * compare with an affinity that nobody tells us (sqlite-facts 8), the ranges cover more
 * than the rows asked for, and SQLite checks again.
 *
 * All cursors of a connection on a tree share one view while any of them is in use, so
 * that the statements running side by side see one state; of the connection's own
 * transaction a cursor sees what was written before its xFilter. */
#ifndef SVT_CURSOR_H
#define SVT_CURSOR_H

#include "plan.h"
#include "rowcodec.h"
#include "table.h"

/* A row, read column by column.  Borrows key and value. */
struct svt_reader {
    const struct svt_schema *schema;
    seerdb_slice key, value;
    struct svt_row row;
    bool row_open;
    struct svt_value *parts; /* owned: the first nparts parts of the key */
    int nparts;
    const uint8_t *next; /* the part after them, in key */
    struct svt_bytes scratch;
};

int svt_reader_init(struct svt_reader *r, const struct svt_schema *schema);
void svt_reader_fini(struct svt_reader *r);
void svt_reader_set(struct svt_reader *r, seerdb_slice key, seerdb_slice value);

/* Part `part` of the key.  False: malformed. */
bool svt_reader_part(struct svt_reader *r, int part, struct svt_value *out);

/* Column i of the table.  Borrowed until the next svt_reader_set. False: malformed. */
bool svt_reader_column(struct svt_reader *r, int i, struct svt_value *out);

/* The methods of sqlite3_module. */
int svt_cursor_open(sqlite3_vtab *base, sqlite3_vtab_cursor **out);
int svt_cursor_close(sqlite3_vtab_cursor *cursor);
int svt_cursor_filter(sqlite3_vtab_cursor *cursor, int idx_num, const char *idx_str,
                      int argc, sqlite3_value **argv);
int svt_cursor_next(sqlite3_vtab_cursor *cursor);
int svt_cursor_eof(sqlite3_vtab_cursor *cursor);
int svt_cursor_column(sqlite3_vtab_cursor *cursor, sqlite3_context *ctx, int i);
int svt_cursor_rowid(sqlite3_vtab_cursor *cursor, sqlite3_int64 *rowid);

#endif
