/* SPDX-License-Identifier: Apache-2.0
 *
 * shadow -- the shadow row: what SQLite keeps of a table of ours with its own tables.
 *
 * It is row 1 of "<table>_seerdb"(id INTEGER PRIMARY KEY, state BLOB); other rows are
 * changed options (settings.h).  It says which tree is the table's and which of the
 * tree's commits is the last, and it comes, goes, changes and is renamed inside
 * SQLite's transactions.  state, little-endian:
 *
 *   off  size
 *     0     4  version, 1
 *     4     4  zeros
 *     8    16  store UUID
 *    24    16  tree UUID
 *    40    16  owner UUID: of this database file, the same in all its shadow rows
 *    56     8  marker: number of the tree's last commit, 0: none
 *
 * Here too: the few helpers for running SQL of our own. */
#ifndef SVT_SHADOW_H
#define SVT_SHADOW_H

#include "errmap.h"

#include <stdbool.h>
#include <stdint.h>

#define SVT_SHADOW_SIZE 64

struct svt_shadow {
    seerdb_uuid store, tree, owner;
    uint64_t marker;
};

/* The row's place: "schema"."table". */
struct svt_place {
    sqlite3 *db;
    const char *schema, *table;
    const char *who; /* the virtual table, for messages */
};

/* SQLITE_OK, or a failure with *message. */
int svt_shadow_read(const struct svt_place *at, struct svt_shadow *out, char **message);

/* As svt_shadow_read, with a statement that is kept in *stmt (NULL at first;
 * sqlite3_finalize it in the end) and is at rest whenever this returns. */
int svt_shadow_reread(const struct svt_place *at, sqlite3_stmt **stmt,
                      struct svt_shadow *out, char **message);

/* Make the table, empty: its name may be taken. */
int svt_shadow_create(const struct svt_place *at, char **message);

/* Write the first row. */
int svt_shadow_insert(const struct svt_place *at, const struct svt_shadow *s,
                      char **message);

/* Write the marker of `tree`, within the transaction: neither changes(), nor
 * total_changes(), nor the update hook notice.  The row at the place is tried first,
 * then every shadow row of the schema, because the place may be out of date: DDL of
 * this transaction, undone or not, moves rows without a call to us.  SQLITE_NOTFOUND
 * (without a message): no row is the tree's. */
int svt_shadow_mark(const struct svt_place *at, const seerdb_uuid *tree,
                    uint64_t marker, char **message);

/* Call `each` for every shadow row of the schema; stops when it returns false. */
int svt_shadow_each(sqlite3 *db, const char *schema,
                    bool (*each)(void *ctx, const struct svt_shadow *s), void *ctx);

/* May it be the declaration of a seerdb table, a text of sqlite_schema?  NULL: no. */
bool svt_may_declare(const char *sql);

bool svt_uuid_equal(const seerdb_uuid *a, const seerdb_uuid *b);

/* As 32 hex digits; reading, dashes are passed over.  False: it is no UUID. */
void svt_uuid_text(const seerdb_uuid *id, char out[33]);
bool svt_uuid_parse(const char *text, seerdb_uuid *out);

/* Prepare formatted SQL.  Finalize the result. */
int svt_prepare(sqlite3 *db, sqlite3_stmt **out, const char *format, ...);

/* Why SQLite failed with rc: its sentence, if no later call has taken it away. */
const char *svt_why(sqlite3 *db, int rc);

/* Finalize; stmt may be NULL.  rc is what has happened so far: if it is SQLITE_OK the
 * answer is what has stopped the statement, or SQLITE_OK if nothing did. */
int svt_finalize(sqlite3_stmt *stmt, int rc);

/* Run formatted SQL that returns no rows. */
int svt_exec(sqlite3 *db, char **message, const char *format, ...);

#endif
