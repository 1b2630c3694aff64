/* SPDX-License-Identifier: Apache-2.0
 *
 * table -- a virtual table, the connection it belongs to, and the tree behind it.
 *
 * Connecting to a table parses its arguments and opens nothing, so that DROP TABLE
 * works whatever happened to the store.  The first use reads the *shadow row*
 * (shadow.h), opens the store and the tree.
 *
 * One thread at a time uses a connection and all that belongs to it. */
#ifndef SVT_TABLE_H
#define SVT_TABLE_H

#include "args.h"
#include "errmap.h"
#include "expire.h"
#include "handles.h"
#include "hold.h"
#include "interrupt.h"
#include "reader.h"
#include "settings.h"

#define SVT_NO_WRITE UINT64_MAX

/* A store that the tables of a schema use.  Kept until the connection closes or the
 * database is detached, so that a reset of the schema does not close and open it. */
struct svt_link {
    struct svt_link *next;
    char *schema, *file;     /* owned; file "" if in memory */
    struct svt_store *store; /* counted */
};

struct svt_conn {
    sqlite3 *db;
    struct svt_table *tables; /* the live objects, newest first; borrowed */
    struct svt_keyspace *keyspaces;
    struct svt_link *links;
    struct svt_txn *txns; /* txn.h */
    struct svt_holds holds;
    struct svt_interrupt interrupt;
    uint64_t epoch; /* changes whenever this connection may have changed a marker */
    bool encoding_known;
    enum svt_encoding encoding; /* of all its databases */
    bool connecting;       /* svt_table_connect is preparing: planning opens nothing */
    bool like_skips_blobs; /* SQLite's LIKE never matches a blob */
};

/* A view that cursors of one connection share; at rest when it has no users.  A newer
 * one may have taken its place for those that begin now. */
struct svt_view {
    struct svt_view *next;
    seerdb_view *view; /* owned */
    uint64_t marker;   /* whose it is */
    uint64_t epoch;    /* the connection's when the marker was last looked at */
    size_t users;      /* cursors */
};

/* A tree as one connection uses it; counted by tables and by the transaction. Two
 * objects of one table share it. */
struct svt_keyspace {
    struct svt_keyspace *next;
    struct svt_conn *conn;
    size_t refs;
    struct svt_store *store; /* counted */
    seerdb_tree *tree;       /* owned handle */
    seerdb_uuid id;

    bool marked;                 /* its commits count as far as the shadow row says */
    struct svt_decider *decider; /* borrowed from store; NULL: none */
    bool placed;                 /* the store knows where its database is */

    /* What plain.c knows of the keys. */
    bool never_plain;        /* some are not: what is planned from now on is safe */
    bool plain_known, plain; /* as of the commit: */
    uint64_t plain_number;

    struct svt_view *view;  /* that running statements share; borrowed; NULL: none */
    struct svt_view *views; /* owned: at rest, linked by next */

    /* In the transaction: */
    struct svt_keyspace *next_touched; /* counted, see svt_txn */
    bool touched;
    bool expected;   /* the engine agreed to `marker`, under SQLite's write lock */
    uint64_t marker; /* before the transaction */
    bool row_marked; /* the shadow row was written */
    bool moved; /* created or renamed: the row may be under another name, or gone */
    bool keys_changed;       /* an UPDATE gave a row another key */
    seerdb_view *write_view; /* what writes are checked against */
    uint64_t first_write; /* mark of its first write that still counts, SVT_NO_WRITE */
    struct svt_erase *erase; /* borrowed: what the statement under way deletes instead
                                of inserting a row; NULL: it is no such */
    bool max_known;          /* max_rowid is right, if there is a row at all */
    bool has_max;
    int64_t max_rowid;
    struct svt_mergelist *mergelist; /* owned; NULL: nothing was merged by SQL */
};

struct svt_table {
    sqlite3_vtab base;
    struct svt_conn *conn;
    struct svt_table *next;   /* in conn->tables */
    char *schema_name, *name; /* owned */
    bool in_main;             /* its schema is main, which SQLite need not search for */
    char *who;                /* owned: "main.t", for messages */
    char *shadow;             /* owned: "t_seerdb" */
    struct svt_schema schema; /* its options are those in force, once ks is there */
    struct svt_options declared; /* path is borrowed from schema */
    uint64_t settings_seen;      /* of the store's count of changes, by a writer */
    struct svt_keyspace *ks;     /* counted; NULL before the first use */
    seerdb_uuid owner;           /* known once ks is */
    struct svt_expire *expire;   /* counted, from then on; NULL: rows do not expire */
    struct svt_write *write;     /* owned: newrow.h's workspace */
    struct svt_txn *joined;    /* borrowed: SQLite has the object in its transaction */
    struct svt_cursor *spares; /* owned: cursor.c's, waiting for the next statement */
    int nspares;
    int ncursors;             /* that are open */
    int npast;                /* of them, those that read as of a snapshot */
    struct svt_cursor *first; /* borrowed: opened when none was; NULL: it was closed */
    bool first_past;          /* it read as of a snapshot, closed or not */
    bool last_past;           /* so did the one closed last */
    bool wide; /* an UPDATE met a value that is equal to several keys: do not hope for
                  the contrary again */

    /* What marker.c knows of the shadow row. */
    const sqlite3_file *wal; /* borrowed, never followed: SQLite's write-ahead log when
                                it was last seen in that mode; NULL: look */
    sqlite3_stmt *marker_stmt; /* owned, at rest */
    bool marker_known;         /* as long as version and epoch stay the same: */
    unsigned marker_version;   /* SQLite's: the file was not changed by others */
    uint64_t marker_epoch;     /* the connection's */
    uint64_t marker;
};

int svt_conn_new(sqlite3 *db, struct svt_conn **out);
void svt_conn_free(struct svt_conn *conn); /* Requires: no tables, no transactions */

/* Give back the stores of databases that were detached. */
void svt_conn_sweep(struct svt_conn *conn);

/* argc, argv as of xConnect.  Opens nothing. */
int svt_table_new(struct svt_conn *conn, int argc, const char *const *argv,
                  struct svt_table **out, char **message);
void svt_table_free(struct svt_table *t);

/* Open store and tree if they are not; every use begins here.  A failure's sentence is
 * in t->base.zErrMsg. */
int svt_table_open(struct svt_table *t);

/* The same, although the store may know another database file as the owner of t's
 * rows: on the user's word. */
int svt_table_take_over(struct svt_table *t);

/* Read what was changed of t's options; they are in force from now on, as far as they
 * are not the store's. */
int svt_table_load_settings(struct svt_table *t);

/* The same, unless nobody in this process changed options of the store's tables since
 * this was called last.  For writers, under SQLite's write lock: an older snapshot
 * might not show them.  Requires: t is open. */
int svt_table_follow_settings(struct svt_table *t);

/* Before anything of the store is changed that no transaction of SQLite's changes: may
 * it be?  Has it opened for writing.  A failure's sentence is in t->base.zErrMsg.
 * Requires: t is open. */
int svt_table_want_writing(struct svt_table *t);

/* Have the store remember the database's place.  Requires: SQLite's write lock. */
void svt_table_note_place(struct svt_table *t);

/* Make the shadow table, the store if it is missing, and the tree.  On failure nothing
 * is left but what SQLite rolls back. */
int svt_table_create(struct svt_table *t);

/* Pass an engine's result on: SQLite's code, the sentence in t->base.zErrMsg. */
int svt_table_fail(struct svt_table *t, int rc, const seerdb_err *err);

/* Connect to "schema"."name" if need be and find its object; NULL if it is not ours. */
struct svt_table *svt_table_connect(struct svt_conn *conn, const char *schema,
                                    const char *name);

/* Whoever is not called by SQLite with t, and runs statements, must keep it: where one
 * of them finds that others changed the schema, SQLite gives up the objects that no
 * statement uses.  The keeper is one; finalize it.  A failure: t may be gone. */
int svt_table_keep(struct svt_table *t, sqlite3_stmt **keeper);

/* Where its shadow row is. */
struct svt_place svt_table_place(const struct svt_table *t);

void svt_keyspace_ref(struct svt_keyspace *ks);
void svt_keyspace_unref(struct svt_keyspace *ks); /* accepts NULL */

#endif
