/* SPDX-License-Identifier: Apache-2.0
 *
 * The columns are read in their order, after the rowid, because one of them may be it;
 * types are checked where SQLite checks them, which is not one place: the caller says
 * when.  An old row is fetched only if an UPDATE left columns alone. */
#include "newrow.h"

#include "increment.h"
#include "mergerow.h"
#include "txn.h"

/* A row from this size on is put in parts: the least that value_log can be. */
#define APART_SIZE SVT_VALUE_LOG_LEAST

void svt_newrow_free(struct svt_write *w)
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

int svt_newrow_new(struct svt_table *t)
{
    size_t n = (size_t)t->schema.ncolumns;
    struct svt_write *w = sqlite3_malloc64(sizeof(*w));
    if (w == NULL)
        return SQLITE_NOMEM;
    *w = (struct svt_write){.values = sqlite3_malloc64(n * sizeof(*w->values) + 1),
                            .in_key = sqlite3_malloc64(n + 1),
                            .kept = sqlite3_malloc64(n * sizeof(*w->kept) + 1),
                            .keeps = true,
                            .parts = sqlite3_malloc64((2 * n + 1) * sizeof(*w->parts)),
                            .increments = svt_increment_possible(&t->schema)};
    if (w->values == NULL || w->in_key == NULL || w->kept == NULL || w->parts == NULL ||
        svt_reader_init(&w->reader, &t->schema) != SQLITE_OK) {
        svt_newrow_free(w);
        return SQLITE_NOMEM;
    }
    t->write = w;
    return SQLITE_OK;
}

/* ---- the old row ----------------------------------------------------------- */

int svt_newrow_read_old_key(struct svt_table *t, struct svt_write *w, sqlite3_value *v)
{
    const struct svt_schema *s = &t->schema;
    struct svt_value value;
    if (svt_has_rowid(s)) {
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

int svt_newrow_view(struct svt_table *t)
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
    return svt_table_fail(t, rc, &err);
}

int svt_newrow_get(struct svt_table *t, struct svt_write *w, seerdb_slice key,
                   seerdb_value *out)
{
    seerdb_err err;
    int rc = svt_newrow_view(t);
    if (rc != SQLITE_OK)
        return rc;
    err.code = SEERDB_OK; /* the rest is set with it */
    err.msg[0] = 0;
    rc = seerdb_get(t->ks->write_view, svt_txn_wrote(t) ? w->batch : NULL,
                    SEERDB_BATCH_ALL, key, out, &err);
    return rc == SEERDB_NOTFOUND ? SQLITE_NOTFOUND : svt_table_fail(t, rc, &err);
}

int svt_newrow_fetch_old(struct svt_table *t, struct svt_write *w)
{
    if (w->has_old)
        return SQLITE_OK;
    int rc = svt_newrow_get(t, w, svt_bytes_slice(&w->old_key), &w->old);
    if (rc != SQLITE_OK)
        return rc;
    w->has_old = true;
    seerdb_value old = w->old;
    old.key = svt_bytes_slice(&w->old_key);
    svt_reader_set_value(&w->reader, &old);
    return SQLITE_OK;
}

/* Fetch column i of the row as it was. */
static int read_old_column(struct svt_table *t, struct svt_write *w, int i)
{
    int rc = svt_newrow_fetch_old(t, w);
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

int svt_newrow_check_strict(struct svt_table *t, const struct svt_write *w)
{
    const struct svt_schema *s = &t->schema;
    for (int i = 0; i < s->ncolumns; i++) {
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
    bool operand = w->act == SVT_ROW_MERGED && c->merge.kind != SVT_MERGE_NONE;
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
    bool only_key = w->act == SVT_ROW_DELETED;
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
    int rc = svt_newrow_view(t);
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
        return svt_table_fail(t, rc, &err);
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
    if (v.type == SQLITE_NULL && w->act == SVT_ROW_DELETED)
        return svt_fail(&t->base.zErrMsg, SQLITE_MISMATCH,
                        "%s: _op = 'delete' needs the key of the row", t->who);
    if (v.type == SQLITE_NULL && !w->update)
        return assign_rowid(t, w);
    if (v.type != SQLITE_INTEGER)
        return svt_fail(&t->base.zErrMsg, SQLITE_MISMATCH, "datatype mismatch");
    w->rowid = v.i;
    return SQLITE_OK;
}

/* ---- keys and rows --------------------------------------------------------- */

static int make_key(struct svt_table *t, struct svt_write *w)
{
    const struct svt_schema *s = &t->schema;
    if (svt_has_rowid(s)) {
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
    return err.code != SEERDB_OK ? svt_table_fail(t, err.code, &err) : rc;
}

static int make_row(struct svt_table *t, struct svt_write *w)
{
    find_in_key(t, w);
    /* Operands are never taken apart. */
    bool parts = w->act != SVT_ROW_MERGED && any_apart(t, w);
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
    if (w->act == SVT_ROW_MERGED)
        return SQLITE_OK;
    if (!parts && size >= APART_SIZE) /* its columns are small: it stays together */
        w->parts[w->nparts++] =
            (seerdb_part){.how = SEERDB_PART_INLINE, .bytes = svt_bytes_slice(&w->row)};
    return t->expire == NULL ? SQLITE_OK : test_expiry(t, w);
}

int svt_newrow_make(struct svt_table *t, struct svt_write *w, sqlite3_value **argv)
{
    bool rowid = svt_has_rowid(&t->schema);
    int rc = w->update ? svt_newrow_read_old_key(t, w, argv[0]) : SQLITE_OK;
    if (rc == SQLITE_OK && rowid)
        rc = choose_rowid(t, w, argv);
    if (rc == SQLITE_OK)
        rc = read_columns(t, w, argv + 2);
    /* As SQLite: types after rowids are known to be new, before other keys are. */
    if (rc == SQLITE_OK && !rowid)
        rc = svt_newrow_check_types(t, w);
    if (rc == SQLITE_OK)
        rc = make_key(t, w);
    return rc == SQLITE_OK && w->act != SVT_ROW_DELETED ? make_row(t, w) : rc;
}
