/* SPDX-License-Identifier: Apache-2.0
 *
 * args -- the arguments of CREATE VIRTUAL TABLE ... USING seerdb(...).
 *
 * Parses column definitions, table constraints and options, and writes the CREATE TABLE
 * that SQLite is told.  What cannot be honoured is refused by name, never ignored. */
#ifndef SVT_ARGS_H
#define SVT_ARGS_H

#include "keycodec.h"
#include "mergeop.h"

enum svt_shape {
    SVT_SHAPE_IPK,      /* a rowid table with an INTEGER PRIMARY KEY column */
    SVT_SHAPE_ROWID,    /* a rowid table without a key: hidden rowid */
    SVT_SHAPE_SINGLE,   /* WITHOUT ROWID, one key column */
    SVT_SHAPE_COMPOSITE /* WITHOUT ROWID, several key columns, hidden _key BLOB PRIMARY
                           KEY */
};

struct svt_column {
    char *name; /* owned, as written, without quotes */
    char *type; /* owned, as written; "" if none, or ANY of strict = 1 */
    enum svt_affinity affinity;
    enum svt_collation collation;
    bool not_null;
    int only;     /* strict = 1: the one type that it stores (SQLITE_TEXT); 0: any */
    int key_part; /* position in the key, -1: not in it */
    bool has_default;
    struct svt_value fallback; /* the DEFAULT, as a column of this type stores it */
    char *fallback_bytes;      /* owned: what fallback.bytes points at */
    struct svt_merge merge;    /* what a merge does with it */
};

enum svt_insert { SVT_INSERT_CHECK, SVT_INSERT_REPLACE, SVT_INSERT_MERGE };
enum svt_sync { SVT_SYNC_AUTO, SVT_SYNC_FULL, SVT_SYNC_NORMAL, SVT_SYNC_OFF };

#define SVT_VALUE_LOG_LEAST    512u
#define SVT_VALUE_LOG_STANDARD 4096u

struct svt_options {
    char *path;           /* owned; NULL: beside the database file */
    int64_t memory_limit; /* bytes; 0: not given */
    int64_t history_ms;   /* 0: not given */
    enum svt_sync sync;
    bool sync_given;
    int compression; /* 0 none, else zstd level; default 1 */
    enum seerdb_index index;
    unsigned filter_bits; /* per key; default 10 */
    size_t
        value_log; /* texts and blobs from this size on are kept apart; 0: none are */
    enum svt_insert insert;
    enum seerdb_compaction compaction;
    char *ttl, *filter; /* owned: expressions (expire.h); NULL: none */
    bool strict;        /* values of the wrong type are errors, as in STRICT tables */
    bool mmap;      /* read tables through maps; of each connection that declares it */
    unsigned given; /* bit i: option i of options.h was declared */
    unsigned set;   /* bit i: it was changed by `set` (settings.h), which goes first */
};

struct svt_schema {
    struct svt_column *columns; /* owned */
    int ncolumns;               /* those the user declared */
    int nmerge;                 /* of them, those with a MERGE operator */
    bool merges_by_sql;         /* one at least: an expression, or json_patch */
    int snapshot;               /* svt_schema_snapshot */
    enum svt_shape shape;
    int *key;                   /* owned: column of each key part */
    struct svt_key_part *parts; /* owned: how each key part is encoded */
    int nkey;                   /* 0 for SVT_SHAPE_ROWID, 1 for IPK */
    enum svt_encoding encoding; /* of texts: UTF-8 unless svt_schema_encode was told */
    svt_value_reader *read;     /* of values for it */
    struct svt_options options;
};

/* Parse argv[3..] of xCreate/xConnect (argc, argv as SQLite gives them).  SQLITE_OK;
 * SQLITE_ERROR with *message (sqlite3_malloc'ed, names the table and what is allowed);
 * SQLITE_NOMEM. */
int svt_args_parse(int argc, const char *const *argv, struct svt_schema *out,
                   char **message);
void svt_schema_fini(struct svt_schema *s);

/* The schema is of a database of this encoding, db's.  Requires: a schema as
 * svt_args_parse made it.  SQLITE_OK or a failure of SQLite's. */
int svt_schema_encode(struct svt_schema *s, sqlite3 *db, enum svt_encoding encoding);

/* What is wrong with the MERGE of a schema: static, about *column (borrowed) or, NULL,
 * the table; NULL: nothing. */
const char *svt_schema_merge_flaw(const struct svt_schema *s, const char **column);

/* The hidden columns come after the user's: `_key` of composite keys, at index
 * ncolumns, then `_op` and `_snapshot`, whose indexes these are; -1: SQLite has no room
 * for it. */
int svt_schema_op(const struct svt_schema *s);
int svt_schema_snapshot(const struct svt_schema *s);

/* The text for sqlite3_declare_vtab; sqlite3_malloc'ed, NULL: no memory. */
char *svt_args_declaration(const struct svt_schema *s);

#endif
