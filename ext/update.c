/* SPDX-License-Identifier: Apache-2.0
 *
 * argv is: [0] the old key, NULL for INSERT; [1] the new one, where it is a rowid; then
 * the columns.  Of an UPDATE's columns those that it leaves alone may come without a
 * value (sqlite3_value_nochange): then the old row is fetched.
 *
 * Uniqueness is checked against the newest committed state and this transaction's
 * writes. Other connections cannot commit to the tree in between, because SQLite's
 * write lock on the database is held from xBegin on. */
#include "update.h"

#include "erase.h"
#include "increment.h"
#include "mergelist.h"
#include "newrow.h"
#include "past.h"
#include "txn.h"

#include <string.h>

/* ---- _op -------------------------------------------------------------------- */

/* A merge's row is as good as an INSERT's: what it lacks is refused, whether it meets a
 * row or makes one. */
static int choose_merge(struct svt_table *t, struct svt_write *w)
{
    if (t->schema.nmerge == 0)
        return svt_fail(&t->base.zErrMsg, SQLITE_ERROR,
                        "%s: nothing can be merged: no column was declared with MERGE",
                        t->who);
    w->act = SVT_ROW_MERGED;
    return SQLITE_OK;
}

static int choose_named(struct svt_table *t, struct svt_write *w, sqlite3_value *op)
{
    const char *name = (const char *)sqlite3_value_text(op);
    if (name == NULL)
        return SQLITE_NOMEM;
    if (w->update)
        return svt_fail(&t->base.zErrMsg, SQLITE_ERROR,
                        "%s: the column _op is for INSERT only", t->who);
    if (strcmp(name, "merge") == 0 || sqlite3_stricmp(name, "merge") == 0)
        return choose_merge(t, w);
    if (sqlite3_stricmp(name, "put") == 0)
        w->act = SVT_ROW_PUT;
    else if (sqlite3_stricmp(name, "delete") == 0)
        w->act = SVT_ROW_DELETED;
    else
        return svt_fail(&t->base.zErrMsg, SQLITE_ERROR,
                        "%s: _op = '%.40s': it can be 'merge', 'put' or 'delete'",
                        t->who, name);
    return SQLITE_OK;
}

/* columns: of the statement. */
static int choose_act(struct svt_table *t, struct svt_write *w, sqlite3_value **columns)
{
    int op = svt_schema_op(&t->schema);
    if (op >= 0 && sqlite3_value_type(columns[op]) != SQLITE_NULL)
        return choose_named(t, w, columns[op]);
    /* A plain INSERT and INSERT OR ABORT look the same from here. */
    if (w->update || w->conflict != SQLITE_ABORT)
        return SQLITE_OK;
    if (t->schema.options.insert == SVT_INSERT_REPLACE)
        w->act = SVT_ROW_PUT;
    return t->schema.options.insert == SVT_INSERT_MERGE ? choose_merge(t, w)
                                                        : SQLITE_OK;
}

/* ---- rows that are there ----------------------------------------------------- */

/* As svt_newrow_get, of a row with the values that lie in the value log. */
static int get_whole(struct svt_table *t, struct svt_write *w, seerdb_slice key,
                     seerdb_value *out)
{
    int rc = svt_newrow_view(t);
    if (rc != SQLITE_OK)
        return rc;
    seerdb_view_set_lazy(t->ks->write_view, false);
    rc = svt_newrow_get(t, w, key, out);
    seerdb_view_set_lazy(t->ks->write_view, true);
    return rc;
}

/* UPDATE ... FROM comes for a row once for every match, and the first may have given it
 * another key: SQLITE_NOTFOUND then.  While no key was changed no row went away. */
static int check_old(struct svt_table *t, struct svt_write *w)
{
    if (!w->update || (!w->key_changed && !t->ks->keys_changed))
        return SQLITE_OK;
    return svt_newrow_fetch_old(t, w);
}

static void remember_rowid(struct svt_keyspace *ks, int64_t rowid)
{
    if (ks->max_known && (!ks->has_max || rowid > ks->max_rowid)) {
        ks->has_max = true;
        ks->max_rowid = rowid;
    }
}

static void forget_rowid(struct svt_keyspace *ks, int64_t rowid)
{
    if (ks->max_known && ks->has_max && rowid >= ks->max_rowid)
        ks->max_known = false;
}

/* ---- conflicts ------------------------------------------------------------- */

static int unique_failed(struct svt_table *t)
{
    const struct svt_schema *s = &t->schema;
    int code = s->shape == SVT_SHAPE_ROWID ? SQLITE_CONSTRAINT_ROWID
                                           : SQLITE_CONSTRAINT_PRIMARYKEY;
    if (t->write->conflict == SQLITE_IGNORE)
        return code;
    char *columns = s->shape == SVT_SHAPE_ROWID
                        ? sqlite3_mprintf("%s.rowid", t->name)
                        : sqlite3_mprintf("%s.%s", t->name, s->columns[s->key[0]].name);
    for (int i = 1; columns != NULL && i < s->nkey; i++) {
        char *longer =
            sqlite3_mprintf("%s, %s.%s", columns, t->name, s->columns[s->key[i]].name);
        sqlite3_free(columns);
        columns = longer;
    }
    int rc = columns == NULL ? SQLITE_NOMEM
                             : svt_fail(&t->base.zErrMsg, code,
                                        "UNIQUE constraint failed: %s", columns);
    sqlite3_free(columns);
    return rc;
}

static inline bool must_be_new(const struct svt_write *w)
{
    return w->act == SVT_ROW_CHECKED && w->conflict != SQLITE_REPLACE && !w->assigned &&
           (!w->update || w->key_changed);
}

static int check_unique(struct svt_table *t, struct svt_write *w)
{
    seerdb_value found = {.pin = NULL};
    if (t->ks->write_view != NULL)
        seerdb_view_tick(t->ks->write_view); /* a row that has expired by now is gone */
    int rc = svt_newrow_get(t, w, svt_bytes_slice(&w->key), &found);
    if (rc == SQLITE_NOTFOUND)
        return SQLITE_OK;
    seerdb_pin_unref(found.pin);
    return rc == SQLITE_OK ? unique_failed(t) : rc;
}

/* ---- writes ---------------------------------------------------------------- */

static int remove_key(struct svt_table *t, struct svt_write *w)
{
    seerdb_err err = {0};
    svt_txn_note_write(t, w->batch);
    t->ks->keys_changed = t->ks->keys_changed || w->key_changed;
    int rc =
        seerdb_batch_delete(w->batch, t->ks->tree, svt_bytes_slice(&w->old_key), &err);
    if (rc == SEERDB_OK && svt_has_rowid(&t->schema))
        forget_rowid(t->ks, w->old_rowid);
    return svt_table_fail(t, rc, &err);
}

/* The row that an INSERT names as one to delete. */
static int remove_named(struct svt_table *t, struct svt_write *w)
{
    svt_bytes_append(&w->old_key, w->key.data, w->key.size);
    w->old_rowid = w->rowid;
    return w->old_key.failed ? SQLITE_NOMEM : remove_key(t, w);
}

/* DELETE.  Of many rows one after the other only a range is written. */
static int delete_row(struct svt_table *t, struct svt_write *w, sqlite3_value *value)
{
    bool taken = false;
    int rc = svt_newrow_read_old_key(t, w, value);
    seerdb_slice key = svt_bytes_slice(&w->old_key);
    if (rc == SQLITE_OK)
        rc = svt_txn_delete(t, key, &taken);
    if (taken && svt_has_rowid(&t->schema))
        forget_rowid(t->ks, w->old_rowid);
    if (rc != SQLITE_OK || taken || (rc = svt_txn_write(t, &w->batch)) != SQLITE_OK)
        return rc;
    uint64_t mark = seerdb_batch_mark(w->batch);
    rc = remove_key(t, w);
    if (rc == SQLITE_OK && svt_txn_deleted(t, key) &&
        (rc = svt_newrow_view(t)) == SQLITE_OK)
        rc = svt_txn_watch(t, t->ks->write_view);
    if (rc != SQLITE_OK && seerdb_batch_writes(w->batch) != mark)
        svt_txn_undo(t, mark);
    seerdb_batch_release(w->batch, mark);
    return rc;
}

/* With a filter a merge looks at its row first, and writes the old one once more before
 * what is merged into it, as this transaction's own: jobs drop a row that has expired
 * when they see nothing newer, and would take it from under a merge that they do not
 * see.  A row that is hidden is deleted: a job may have dropped it, or not yet. */
static int put_base(struct svt_table *t, struct svt_write *w)
{
    seerdb_value found = {.pin = NULL};
    seerdb_err err = {0};
    seerdb_slice key = svt_bytes_slice(&w->key);
    if (t->ks->write_view != NULL)
        seerdb_view_tick(t->ks->write_view);
    int rc = get_whole(t, w, key, &found);
    if (rc == SQLITE_OK || rc == SQLITE_NOTFOUND) {
        svt_txn_note_write(t, w->batch);
        rc = rc == SQLITE_OK
                 ? seerdb_batch_put(w->batch, t->ks->tree, key, found.bytes, &err)
                 : seerdb_batch_delete(w->batch, t->ks->tree, key, &err);
        rc = svt_table_fail(t, rc, &err);
    }
    seerdb_pin_unref(found.pin);
    return rc;
}

static int shorten_list(struct svt_table *t, struct svt_write *w, seerdb_slice key)
{
    bool grown;
    int rc = svt_mergelist_count(t->ks, key, &grown);
    if (rc != SQLITE_OK || !grown || (rc = svt_newrow_view(t)) != SQLITE_OK)
        return rc;
    return svt_mergelist_shorten(t, w->batch, key);
}

static int put_row(struct svt_table *t, struct svt_write *w)
{
    seerdb_err err;
    err.code = SEERDB_OK; /* the rest is set with it */
    err.msg[0] = 0;
    svt_txn_note_write(t, w->batch);
    seerdb_slice key = svt_bytes_slice(&w->key), row = svt_bytes_slice(&w->row);
    int rc = w->act == SVT_ROW_MERGED && t->schema.merges_by_sql
                 ? shorten_list(t, w, key)
                 : SQLITE_OK;
    if (rc != SQLITE_OK)
        return rc;
    if (w->act == SVT_ROW_MERGED)
        rc = seerdb_batch_merge(w->batch, t->ks->tree, key, row, &err);
    else if (w->nparts > 0)
        rc = seerdb_batch_put_parts(w->batch, t->ks->tree, key, w->parts, w->nparts,
                                    &err);
    else
        rc = seerdb_batch_put(w->batch, t->ks->tree, key, row, &err);
    if (rc == SEERDB_OK && svt_has_rowid(&t->schema))
        remember_rowid(t->ks, w->rowid);
    return svt_table_fail(t, rc, &err);
}

/* As test_expiry, of what came of the merge. */
static int test_merged(struct svt_table *t, struct svt_write *w)
{
    seerdb_value found = {.pin = NULL};
    seerdb_slice key = svt_bytes_slice(&w->key);
    int rc = get_whole(t, w, key, &found);
    if (rc == SQLITE_OK)
        rc = svt_expire_test(t->expire, key, found.bytes, &t->base.zErrMsg);
    seerdb_pin_unref(found.pin);
    return rc == SQLITE_NOTFOUND ? SQLITE_OK : rc;
}

/* Rows that take two writes, or that are looked at once they are written: all or
 * nothing.  Others do without a mark, beyond which nothing is put together: merges into
 * one row would become a longer chain with each. */
static int put_twice(struct svt_table *t, struct svt_write *w)
{
    uint64_t mark = seerdb_batch_mark(w->batch);
    int rc = w->key_changed ? remove_key(t, w) : put_base(t, w);
    if (rc == SQLITE_OK)
        rc = put_row(t, w);
    if (rc == SQLITE_OK && w->act == SVT_ROW_MERGED)
        rc = test_merged(t, w);
    if (rc != SQLITE_OK && seerdb_batch_writes(w->batch) != mark)
        svt_txn_undo(t, mark); /* a lone statement has no savepoint of its own */
    seerdb_batch_release(w->batch, mark);
    return rc;
}

/* The short way of a merge; false: nothing was done. */
static bool make_increment(struct svt_table *t, struct svt_write *w,
                           sqlite3_value **columns)
{
    if (!w->increments || w->update || t->expire != NULL)
        return false;
    if (svt_increment_make(&t->schema, columns, &w->key, &w->row, &w->rowid))
        return true;
    svt_bytes_clear(&w->key);
    svt_bytes_clear(&w->row);
    return false;
}

static int write_row(struct svt_table *t, struct svt_write *w, sqlite3_value **argv)
{
    int rc = choose_act(t, w, argv + 2);
    if (rc == SQLITE_OK && w->act == SVT_ROW_MERGED && make_increment(t, w, argv + 2))
        return put_row(t, w);
    if (rc == SQLITE_OK)
        rc = svt_newrow_make(t, w, argv);
    if (rc == SQLITE_OK && w->act == SVT_ROW_DELETED)
        return remove_named(t, w);
    if (rc == SQLITE_OK)
        rc = check_old(t, w);
    if (rc == SQLITE_OK && must_be_new(w))
        rc = check_unique(t, w);
    if (rc == SQLITE_OK && svt_has_rowid(&t->schema))
        rc = svt_newrow_check_types(t, w);
    if (rc == SQLITE_OK)
        rc = w->key_changed || (w->act == SVT_ROW_MERGED && t->expire != NULL)
                 ? put_twice(t, w)
                 : put_row(t, w);
    /* The row went away under an UPDATE that reads it: nothing to change. */
    return rc == SQLITE_NOTFOUND ? SQLITE_OK : rc;
}

int svt_update(sqlite3_vtab *base, int argc, sqlite3_value **argv, sqlite3_int64 *rowid)
{
    struct svt_table *t = (struct svt_table *)base;
    struct svt_write *w = NULL;
    seerdb_batch *batch = NULL;
    int rc = svt_table_open(t);
    if (rc == SQLITE_OK && t->ks->erase != NULL)
        return svt_erase_write(t);
    if (rc == SQLITE_OK)
        rc = svt_past_check(t, argc, argv);
    if (rc == SQLITE_OK)
        rc = svt_newrow_begin(t, &w);
    if (rc == SQLITE_OK && argc == 1)
        return delete_row(t, w, argv[0]);
    if (rc == SQLITE_OK)
        rc = svt_txn_write(t, &batch);
    if (rc != SQLITE_OK)
        return rc;
    w->batch = batch;
    w->update = sqlite3_value_type(argv[0]) != SQLITE_NULL;
    rc = write_row(t, w, argv);
    /* What it is set to becomes last_insert_rowid(), without a rowid too. */
    if (rc == SQLITE_OK && !w->update)
        *rowid = svt_has_rowid(&t->schema) && w->act != SVT_ROW_DELETED
                     ? w->rowid
                     : sqlite3_last_insert_rowid(t->conn->db);
    seerdb_pin_unref(w->old.pin);
    w->old = (seerdb_value){.pin = NULL};
    return rc;
}
