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
#include "mergerow.h"
#include "past.h"
#include "txn.h"

#include <string.h>

/* What becomes of the row, by the statement and its _op. */
enum act {
    CHECKED, /* put, if no other row has the key */
    PUT,     /* put, whatever is there */
    MERGED,
    DELETED
};
/* A row from this size on is put in parts: the least that value_log can be. */
#define APART_SIZE SVT_VALUE_LOG_LEAST

struct svt_write {
    enum act act;
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

void svt_update_free(struct svt_write *w)
{
    if (w == NULL)
        return;
    sqlite3_free(w->values);
    sqlite3_free(w->in_key);
    sqlite3_free(w->kept);
    sqlite3_free(w->parts);
    svt_bytes_fini(&w->key);
    svt_bytes_fini(&w->old_key);
    svt_bytes_fini(&w->row);
    svt_reader_fini(&w->reader);
    sqlite3_free(w);
}

static int workspace(struct svt_table *t, struct svt_write **out)
{
    struct svt_write *w = t->write;
    size_t n = (size_t)t->schema.ncolumns;
    if (w == NULL) {
        if ((w = sqlite3_malloc64(sizeof(*w))) == NULL)
            return SQLITE_NOMEM;
        *w = (struct svt_write){.values = sqlite3_malloc64(n * sizeof(*w->values) + 1),
                                .in_key = sqlite3_malloc64(n + 1),
                                .kept = sqlite3_malloc64(n * sizeof(*w->kept) + 1),
                                .keeps = true,
                                .parts =
                                    sqlite3_malloc64((2 * n + 1) * sizeof(*w->parts))};
        if (w->values == NULL || w->in_key == NULL || w->kept == NULL ||
            w->parts == NULL || svt_reader_init(&w->reader, &t->schema) != SQLITE_OK) {
            svt_update_free(w);
            return SQLITE_NOMEM;
        }
        w->increments = svt_increment_possible(&t->schema);
        t->write = w;
    }
    w->update = w->has_old = w->key_changed = w->assigned = false;
    w->act = CHECKED;
    if (w->keeps)
        memset(w->kept, 0, n * sizeof(*w->kept));
    w->keeps = false;
    w->nparts = 0;
    w->conflict = sqlite3_vtab_on_conflict(t->conn->db);
    svt_bytes_clear(&w->key);
    svt_bytes_clear(&w->old_key);
    svt_bytes_clear(&w->row);
    *out = w;
    return SQLITE_OK;
}

static bool has_rowid(const struct svt_schema *s)
{
    return s->shape == SVT_SHAPE_IPK || s->shape == SVT_SHAPE_ROWID;
}

static int fail(struct svt_table *t, int rc, const seerdb_err *err)
{
    return svt_table_fail(t, rc, err);
}

/* ---- _op -------------------------------------------------------------------- */

/* A merge's row is as good as an INSERT's: what it lacks is refused, whether it meets a
 * row or makes one. */
static int choose_merge(struct svt_table *t, struct svt_write *w)
{
    if (t->schema.nmerge == 0)
        return svt_fail(&t->base.zErrMsg, SQLITE_ERROR,
                        "%s: nothing can be merged: no column was declared with MERGE",
                        t->who);
    w->act = MERGED;
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
        w->act = PUT;
    else if (sqlite3_stricmp(name, "delete") == 0)
        w->act = DELETED;
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
        w->act = PUT;
    return t->schema.options.insert == SVT_INSERT_MERGE ? choose_merge(t, w)
                                                        : SQLITE_OK;
}

/* ---- the old row ----------------------------------------------------------- */

/* Encode argv[0]. */
static int read_old_key(struct svt_table *t, struct svt_write *w, sqlite3_value *v)
{
    const struct svt_schema *s = &t->schema;
    struct svt_value value;
    if (has_rowid(s)) {
        w->old_rowid = sqlite3_value_int64(v);
        svt_key_rowid(&w->old_key, w->old_rowid);
    } else {
        int rc = s->read(v,
                         s->shape == SVT_SHAPE_SINGLE ? s->columns[s->key[0]].affinity
                                                      : SVT_AFFINITY_BLOB,
                         &value);
        if (rc != SQLITE_OK)
            return rc;
        if (s->shape == SVT_SHAPE_SINGLE)
            svt_key_put(&w->old_key, &s->parts[0], &value);
        else
            svt_bytes_append(&w->old_key, value.bytes.data, value.bytes.size);
    }
    return w->old_key.failed ? SQLITE_NOMEM : SQLITE_OK;
}

/* The view that writes are checked against. */
static int write_view(struct svt_table *t)
{
    seerdb_err err;
    if (t->ks->write_view != NULL)
        return SQLITE_OK;
    err = (seerdb_err){0};
    int rc = seerdb_view_open(t->ks->tree, &t->ks->write_view, &err);
    if (rc == SEERDB_OK) {
        seerdb_view_interrupt(t->ks->write_view, &t->conn->interrupt.scan);
        seerdb_view_set_lazy(t->ks->write_view, true);
    }
    return fail(t, rc, &err);
}

/* SQLITE_OK: found, SQLITE_NOTFOUND, or a failure. */
static int get(struct svt_table *t, struct svt_write *w, seerdb_slice key,
               seerdb_value *out)
{
    seerdb_err err;
    int rc = write_view(t);
    if (rc != SQLITE_OK)
        return rc;
    err.code = SEERDB_OK; /* the rest is set with it */
    err.msg[0] = 0;
    rc = seerdb_get(t->ks->write_view, svt_txn_wrote(t) ? w->batch : NULL,
                    SEERDB_BATCH_ALL, key, out, &err);
    return rc == SEERDB_NOTFOUND ? SQLITE_NOTFOUND : fail(t, rc, &err);
}

/* The same of the whole row. */
static int get_whole(struct svt_table *t, struct svt_write *w, seerdb_slice key,
                     seerdb_value *out)
{
    int rc = write_view(t);
    if (rc != SQLITE_OK)
        return rc;
    seerdb_view_set_lazy(t->ks->write_view, false);
    rc = get(t, w, key, out);
    seerdb_view_set_lazy(t->ks->write_view, true);
    return rc;
}

static int fetch_old(struct svt_table *t, struct svt_write *w)
{
    if (w->has_old)
        return SQLITE_OK;
    int rc = get(t, w, svt_bytes_slice(&w->old_key), &w->old);
    if (rc != SQLITE_OK)
        return rc;
    w->has_old = true;
    seerdb_value old = w->old;
    old.key = svt_bytes_slice(&w->old_key);
    svt_reader_set_value(&w->reader, &old);
    return SQLITE_OK;
}

/* UPDATE ... FROM comes for a row once for every match, and the first may have given it
 * another key: SQLITE_NOTFOUND then.  While no key was changed no row went away. */
static int check_old(struct svt_table *t, struct svt_write *w)
{
    if (!w->update || (!w->key_changed && !t->ks->keys_changed))
        return SQLITE_OK;
    return fetch_old(t, w);
}

/* Fetch column i of the row as it was. */
static int read_old_column(struct svt_table *t, struct svt_write *w, int i)
{
    int rc = fetch_old(t, w);
    if (rc != SQLITE_OK)
        return rc;
    if (w->reader.segments.size > 0) {
        w->keeps = true; /* also where what follows fails */
        if (svt_reader_apart(&w->reader, i, &w->values[i], &w->kept[i]))
            return SQLITE_OK;
    }
    if (!svt_reader_column(&w->reader, i, &w->values[i]))
        return svt_fail(&t->base.zErrMsg, SQLITE_CORRUPT_VTAB,
                        "%s: column \"%s\" of a row in %s is malformed", t->who,
                        t->schema.columns[i].name, t->ks->store->dir);
    return SQLITE_OK;
}

/* ---- the new row ----------------------------------------------------------- */

/* OR IGNORE goes on with the next row and never shows the sentence; but SQLite would
 * keep it for whatever fails later in the statement. */
static int not_null_failed(struct svt_table *t, const struct svt_column *c)
{
    if (t->write->conflict == SQLITE_IGNORE)
        return SQLITE_CONSTRAINT_NOTNULL;
    return svt_fail(&t->base.zErrMsg, SQLITE_CONSTRAINT_NOTNULL,
                    "NOT NULL constraint failed: %s.%s", t->name, c->name);
}

/* What strict = 1 forbids, in the words of STRICT tables.  OR IGNORE does not pass over
 * such a row there; here SQLite would for every code that is a constraint's. */
static int datatype_failed(struct svt_table *t, const struct svt_column *c, int type)
{
    static const char *const names[] = {"", "INT", "REAL", "TEXT", "BLOB"};
    return svt_fail(&t->base.zErrMsg,
                    t->write->conflict == SQLITE_IGNORE ? SQLITE_MISMATCH
                                                        : SQLITE_CONSTRAINT_DATATYPE,
                    "cannot store %s value in %s column %s.%s", names[type], c->type,
                    t->name, c->name);
}

static int check_types(struct svt_table *t, const struct svt_write *w)
{
    const struct svt_schema *s = &t->schema;
    for (int i = 0; i < s->ncolumns && s->options.strict; i++) {
        int type = w->values[i].type, only = s->columns[i].only;
        if (only != 0 && type != only && type != SQLITE_NULL)
            return datatype_failed(t, &s->columns[i], type);
    }
    return SQLITE_OK;
}

static int read_column(struct svt_table *t, struct svt_write *w, int i,
                       sqlite3_value *v)
{
    const struct svt_column *c = &t->schema.columns[i];
    bool key = c->key_part >= 0;
    if (key && t->schema.shape == SVT_SHAPE_IPK) {
        w->values[i] = (struct svt_value){.type = SQLITE_INTEGER, .i = w->rowid};
        return SQLITE_OK;
    }
    if (w->update && sqlite3_value_nochange(v))
        return read_old_column(t, w, i);
    bool operand = w->act == MERGED && c->merge.kind != SVT_MERGE_NONE;
    int rc = operand ? svt_merge_read(&t->schema, c, v, &w->values[i])
                     : t->schema.read(v, c->affinity, &w->values[i]);
    if (rc != SQLITE_OK || w->values[i].type != SQLITE_NULL || (!c->not_null && !key))
        return rc;
    if (!c->has_default || (w->update && w->conflict != SQLITE_REPLACE) ||
        c->fallback.type == SQLITE_NULL)
        return not_null_failed(t, c);
    if (!operand) /* a merge that makes a row knows the default */
        w->values[i] = c->fallback;
    return SQLITE_OK;
}

/* Whether the statement gives the hidden _key.  UPDATE ... FROM hands back what it
 * found there, as if it had been set. */
static bool gives_hidden(struct svt_write *w, sqlite3_value *v)
{
    int type = sqlite3_value_type(v);
    if (!w->update || type != SQLITE_BLOB)
        return type != SQLITE_NULL;
    const void *p = sqlite3_value_blob(v);
    size_t n = (size_t)sqlite3_value_bytes(v);
    return p == NULL || n != w->old_key.size || memcmp(p, w->old_key.data, n) != 0;
}

static int read_columns(struct svt_table *t, struct svt_write *w, sqlite3_value **argv)
{
    const struct svt_schema *s = &t->schema;
    bool only_key = w->act == DELETED;
    for (int i = 0; i < s->ncolumns; i++) {
        if (only_key && s->columns[i].key_part < 0) {
            w->values[i] = (struct svt_value){.type = SQLITE_NULL};
            continue;
        }
        int rc = read_column(t, w, i, argv[i]);
        if (rc != SQLITE_OK)
            return rc;
    }
    sqlite3_value *hidden = s->shape == SVT_SHAPE_COMPOSITE ? argv[s->ncolumns] : NULL;
    if (hidden != NULL && gives_hidden(w, hidden))
        return svt_fail(&t->base.zErrMsg, SQLITE_ERROR,
                        "%s: the column _key cannot be given: it is made of the key "
                        "columns",
                        t->who);
    return SQLITE_OK;
}

/* ---- rowids ---------------------------------------------------------------- */

/* The largest rowid, into ks->max_rowid. */
static int find_max(struct svt_table *t, struct svt_write *w)
{
    struct svt_keyspace *ks = t->ks;
    seerdb_err err = {0};
    seerdb_iter *it = NULL;
    if (ks->max_known)
        return SQLITE_OK;
    int rc = write_view(t);
    if (rc != SQLITE_OK)
        return rc;
    rc = seerdb_iter_open(ks->write_view, svt_txn_wrote(t) ? w->batch : NULL,
                          SEERDB_BATCH_ALL, &it, &err);
    if (rc == SEERDB_OK)
        rc = seerdb_iter_last(it, &err);
    ks->has_max = rc == SEERDB_OK;
    if (rc == SEERDB_OK && seerdb_iter_key(it).size == 8)
        ks->max_rowid = svt_key_read_rowid(seerdb_iter_key(it));
    seerdb_iter_close(it);
    if (rc != SEERDB_OK && rc != SEERDB_NOTFOUND)
        return fail(t, rc, &err);
    ks->max_known = true;
    return SQLITE_OK;
}

static int assign_rowid(struct svt_table *t, struct svt_write *w)
{
    int rc = find_max(t, w);
    if (rc != SQLITE_OK)
        return rc;
    if (t->ks->has_max && t->ks->max_rowid == INT64_MAX)
        return svt_fail(&t->base.zErrMsg, SQLITE_FULL,
                        "%s: the largest rowid, 9223372036854775807, is taken: give "
                        "rowids yourself",
                        t->who);
    w->rowid = t->ks->has_max ? t->ks->max_rowid + 1 : 1;
    w->assigned = true;
    return SQLITE_OK;
}

/* The new rowid: argv[1], or the INTEGER PRIMARY KEY column; an UPDATE may change
 * either. */
static int choose_rowid(struct svt_table *t, struct svt_write *w, sqlite3_value **argv)
{
    const struct svt_schema *s = &t->schema;
    sqlite3_value *column = s->shape == SVT_SHAPE_IPK ? argv[2 + s->key[0]] : NULL;
    struct svt_value v, c;
    int rc = s->read(argv[1], SVT_AFFINITY_INTEGER, &v);
    if (rc == SQLITE_OK && column != NULL &&
        !(w->update && sqlite3_value_nochange(column))) {
        rc = s->read(column, SVT_AFFINITY_INTEGER, &c);
        /* An INSERT may leave the column NULL; an UPDATE that leaves it as it was may
         * have set rowid instead. */
        if (w->update ? c.type != SQLITE_INTEGER || c.i != w->old_rowid
                      : c.type != SQLITE_NULL)
            v = c;
    }
    if (rc != SQLITE_OK)
        return rc;
    if (v.type == SQLITE_NULL && w->act == DELETED)
        return svt_fail(&t->base.zErrMsg, SQLITE_MISMATCH,
                        "%s: _op = 'delete' needs the key of the row", t->who);
    if (v.type == SQLITE_NULL && !w->update)
        return assign_rowid(t, w);
    if (v.type != SQLITE_INTEGER)
        return svt_fail(&t->base.zErrMsg, SQLITE_MISMATCH, "datatype mismatch");
    w->rowid = v.i;
    return SQLITE_OK;
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

/* ---- keys and rows --------------------------------------------------------- */

static int make_key(struct svt_table *t, struct svt_write *w)
{
    const struct svt_schema *s = &t->schema;
    if (has_rowid(s)) {
        svt_key_rowid(&w->key, w->rowid);
    } else {
        for (int i = 0; i < s->nkey; i++)
            svt_key_put(&w->key, &s->parts[i], &w->values[s->key[i]]);
    }
    if (w->key.failed)
        return SQLITE_NOMEM;
    if (w->key.size > SEERDB_KEY_MAX)
        return svt_fail(&t->base.zErrMsg, SQLITE_TOOBIG,
                        "%s: a key of %lld bytes is longer than %d", t->who,
                        (long long)w->key.size, (int)SEERDB_KEY_MAX);
    w->key_changed =
        w->update && (w->key.size != w->old_key.size ||
                      memcmp(w->key.data, w->old_key.data, w->key.size) != 0);
    return SQLITE_OK;
}

/* Which key columns the key alone gives back. */
static void find_in_key(struct svt_table *t, struct svt_write *w)
{
    const struct svt_schema *s = &t->schema;
    memset(w->in_key, 0, (size_t)s->ncolumns);
    if (s->nkey == 0)
        return;
    if (s->shape == SVT_SHAPE_IPK) {
        w->in_key[s->key[0]] = SVT_CODE_KEY;
        return;
    }
    /* Texts and blobs that compare byte by byte are in it as they are. */
    const struct svt_value *only = &w->values[s->key[0]];
    if (s->nkey == 1 && s->parts[0].collation == SVT_BINARY &&
        (only->type == SQLITE_TEXT || only->type == SQLITE_BLOB)) {
        w->in_key[s->key[0]] = SVT_CODE_KEY;
        return;
    }
    /* The old row's values may live in the reader: the key's parts are read apart. */
    const uint8_t *p = w->key.data, *end = w->key.data + w->key.size;
    struct svt_bytes scratch = {.data = NULL};
    for (int i = 0; i < s->nkey; i++) {
        const struct svt_value *want = &w->values[s->key[i]];
        struct svt_value have;
        if (!svt_key_get(&p, end, &s->parts[i], &have, &scratch))
            break;
        if (svt_value_identical(&have, want))
            w->in_key[s->key[i]] = SVT_CODE_KEY;
        else if (have.type == SQLITE_INTEGER && want->type == SQLITE_FLOAT) {
            have = (struct svt_value){.type = SQLITE_FLOAT, .r = (double)have.i};
            if (svt_value_identical(&have, want))
                w->in_key[s->key[i]] = SVT_CODE_KEY_REAL;
        }
    }
    svt_bytes_fini(&scratch);
}

/* May the column go to the value log?  Whether it does, the engine decides.  What is
 * part of the key is read too often. */
static bool goes_apart(const struct svt_table *t, const struct svt_write *w, int i)
{
    const struct svt_value *v = &w->values[i];
    return w->kept[i].size > 0 ||
           ((v->type == SQLITE_TEXT || v->type == SQLITE_BLOB) &&
            v->bytes.size >= APART_SIZE && t->schema.columns[i].key_part < 0 &&
            w->in_key[i] == 0);
}

/* May any? */
static bool any_apart(const struct svt_table *t, const struct svt_write *w)
{
    for (int i = 0; i < t->schema.ncolumns; i++) {
        const struct svt_value *v = &w->values[i];
        bool large = (v->type == SQLITE_TEXT || v->type == SQLITE_BLOB) &&
                     v->bytes.size >= APART_SIZE;
        if ((large || w->keeps) && goes_apart(t, w, i))
            return true;
    }
    return false;
}

/* The row in parts: what goes apart, and what lies between, of which the places are
 * known when all of it is there.  Returns the size of the whole. */
static uint64_t make_parts(struct svt_table *t, struct svt_write *w)
{
    int n = t->schema.ncolumns;
    size_t from = 0;
    uint64_t whole = 0;
    svt_row_put_codes(&w->row, w->values, w->in_key, (unsigned)n);
    for (int i = 0; i <= n; i++) {
        bool apart = i < n && goes_apart(t, w, i);
        if (i < n && !apart && w->in_key[i] == 0)
            svt_row_put_bytes(&w->row, &w->values[i]);
        if (!apart && i < n)
            continue;
        w->parts[w->nparts++] = (seerdb_part){.how = SEERDB_PART_INLINE,
                                              .bytes = {NULL, w->row.size - from}};
        from = w->row.size;
        if (apart) {
            w->parts[w->nparts++] = (seerdb_part){
                .how = w->kept[i].size > 0 ? SEERDB_PART_KEPT : SEERDB_PART_APART,
                .bytes = w->values[i].bytes,
                .segment = w->kept[i]};
            whole += w->values[i].bytes.size;
        }
    }
    if (!w->row.failed)
        for (size_t k = 0, at = 0; k < w->nparts; k++)
            if (w->parts[k].how == SEERDB_PART_INLINE) {
                w->parts[k].bytes.data = w->row.data + at;
                at += w->parts[k].bytes.size;
            }
    return whole + w->row.size;
}

/* A row of which nobody could say when it expires must not be written. */
static int test_expiry(struct svt_table *t, struct svt_write *w)
{
    seerdb_err err = {0};
    if (!w->keeps)
        return svt_expire_test_values(t->expire, w->values, &t->base.zErrMsg);
    int rc = svt_expire_test_kept(t->expire, t->ks->write_view, w->values, w->kept,
                                  &err, &t->base.zErrMsg);
    return err.code != SEERDB_OK ? fail(t, err.code, &err) : rc;
}

static int make_row(struct svt_table *t, struct svt_write *w)
{
    find_in_key(t, w);
    /* Operands are never taken apart. */
    bool parts = w->act != MERGED && any_apart(t, w);
    uint64_t size;
    if (parts) {
        size = make_parts(t, w);
    } else {
        svt_row_put(&w->row, w->values, w->in_key, (unsigned)t->schema.ncolumns);
        size = w->row.size;
    }
    if (w->row.failed)
        return SQLITE_NOMEM;
    if (size > SEERDB_VALUE_MAX)
        return svt_fail(&t->base.zErrMsg, SQLITE_TOOBIG,
                        "%s: a row of %lld bytes is longer than %lld", t->who,
                        (long long)size, (long long)SEERDB_VALUE_MAX);
    if (w->act == MERGED)
        return SQLITE_OK;
    if (!parts && size >= APART_SIZE) /* its columns are small: it stays together */
        w->parts[w->nparts++] =
            (seerdb_part){.how = SEERDB_PART_INLINE, .bytes = svt_bytes_slice(&w->row)};
    return t->expire == NULL ? SQLITE_OK : test_expiry(t, w);
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
    return w->act == CHECKED && w->conflict != SQLITE_REPLACE && !w->assigned &&
           (!w->update || w->key_changed);
}

static int check_unique(struct svt_table *t, struct svt_write *w)
{
    seerdb_value found = {.pin = NULL};
    if (t->ks->write_view != NULL)
        seerdb_view_tick(t->ks->write_view); /* a row that has expired by now is gone */
    int rc = get(t, w, svt_bytes_slice(&w->key), &found);
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
    if (rc == SEERDB_OK && has_rowid(&t->schema))
        forget_rowid(t->ks, w->old_rowid);
    return fail(t, rc, &err);
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
    int rc = read_old_key(t, w, value);
    seerdb_slice key = svt_bytes_slice(&w->old_key);
    if (rc == SQLITE_OK)
        rc = svt_txn_delete(t, key, &taken);
    if (taken && has_rowid(&t->schema))
        forget_rowid(t->ks, w->old_rowid);
    if (rc != SQLITE_OK || taken || (rc = svt_txn_write(t, &w->batch)) != SQLITE_OK)
        return rc;
    uint64_t mark = seerdb_batch_mark(w->batch);
    rc = remove_key(t, w);
    if (rc == SQLITE_OK && svt_txn_deleted(t, key) && (rc = write_view(t)) == SQLITE_OK)
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
        rc = fail(t, rc, &err);
    }
    seerdb_pin_unref(found.pin);
    return rc;
}

static int shorten_list(struct svt_table *t, struct svt_write *w, seerdb_slice key)
{
    bool grown;
    int rc = svt_mergelist_count(t->ks, key, &grown);
    if (rc != SQLITE_OK || !grown || (rc = write_view(t)) != SQLITE_OK)
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
    int rc = w->act == MERGED && t->schema.merges_by_sql ? shorten_list(t, w, key)
                                                         : SQLITE_OK;
    if (rc != SQLITE_OK)
        return rc;
    if (w->act == MERGED)
        rc = seerdb_batch_merge(w->batch, t->ks->tree, key, row, &err);
    else if (w->nparts > 0)
        rc = seerdb_batch_put_parts(w->batch, t->ks->tree, key, w->parts, w->nparts,
                                    &err);
    else
        rc = seerdb_batch_put(w->batch, t->ks->tree, key, row, &err);
    if (rc == SEERDB_OK && has_rowid(&t->schema))
        remember_rowid(t->ks, w->rowid);
    return fail(t, rc, &err);
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
    if (rc == SQLITE_OK && w->act == MERGED)
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
    if (rc == SQLITE_OK && w->act == MERGED && make_increment(t, w, argv + 2))
        return put_row(t, w);
    if (rc == SQLITE_OK && w->update)
        rc = read_old_key(t, w, argv[0]);
    if (rc == SQLITE_OK && has_rowid(&t->schema))
        rc = choose_rowid(t, w, argv);
    if (rc == SQLITE_OK)
        rc = read_columns(t, w, argv + 2);
    /* As SQLite: types after rowids are known to be new, before other keys are. */
    if (rc == SQLITE_OK && !has_rowid(&t->schema))
        rc = check_types(t, w);
    if (rc == SQLITE_OK)
        rc = make_key(t, w);
    if (rc == SQLITE_OK && w->act == DELETED)
        return remove_named(t, w);
    if (rc == SQLITE_OK)
        rc = make_row(t, w);
    if (rc == SQLITE_OK)
        rc = check_old(t, w);
    if (rc == SQLITE_OK && must_be_new(w))
        rc = check_unique(t, w);
    if (rc == SQLITE_OK && has_rowid(&t->schema))
        rc = check_types(t, w);
    if (rc == SQLITE_OK)
        rc = w->key_changed || (w->act == MERGED && t->expire != NULL) ? put_twice(t, w)
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
        rc = workspace(t, &w);
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
        *rowid = has_rowid(&t->schema) && w->act != DELETED
                     ? w->rowid
                     : sqlite3_last_insert_rowid(t->conn->db);
    seerdb_pin_unref(w->old.pin);
    w->old = (seerdb_value){.pin = NULL};
    return rc;
}
