/* SPDX-License-Identifier: Apache-2.0
 *
 * cursor -- xOpen to xClose: a list of key ranges (ranges.h), walked in order; rows
 * decoded lazily.
 *
 * All cursors of a connection on a tree share one view while any of them is in use, so
 * that the statements running side by side see one state; of the connection's own
 * transaction a cursor sees what was written before its xFilter. */
#ifndef SVT_CURSOR_H
#define SVT_CURSOR_H

#include "plan.h"
#include "table.h"

/* The methods of sqlite3_module. */
int svt_cursor_open(sqlite3_vtab *base, sqlite3_vtab_cursor **out);
int svt_cursor_close(sqlite3_vtab_cursor *cursor);
int svt_cursor_filter(sqlite3_vtab_cursor *cursor, int idx_num, const char *idx_str,
                      int argc, sqlite3_value **argv);
int svt_cursor_next(sqlite3_vtab_cursor *cursor);
int svt_cursor_eof(sqlite3_vtab_cursor *cursor);
int svt_cursor_column(sqlite3_vtab_cursor *cursor, sqlite3_context *ctx, int i);
int svt_cursor_rowid(sqlite3_vtab_cursor *cursor, sqlite3_int64 *rowid);

/* t's object is going away: free the cursors that wait at it. */
void svt_cursor_free_spares(struct svt_table *t);

#endif
