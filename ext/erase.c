/* SPDX-License-Identifier: Apache-2.0
 *
 * Why an INSERT: a DELETE calls xUpdate for the rows that it finds, which is what this
 * is to spare.  SQLite counts one change.  What it would take for the rowid of the new
 * row is put back. */
#include "erase.h"

#include <math.h>

struct svt_erase {
    struct svt_bytes lo, hi; /* keys in [lo, hi) */
    bool done;
};

/* ---- bounds ---------------------------------------------------------------- */

/* Above every key: eight bytes of a rowid, or a tag first. */
static void put_end(struct svt_bytes *out)
{
    for (int i = 0; i < 9; i++)
        svt_bytes_byte(out, 0xff);
}

/* The first rowid that is not below v. */
static void put_rowid(struct svt_bytes *out, const struct svt_value *v)
{
    const double end = 9223372036854775808.0; /* the first one that is no rowid */
    if (v->type == SQLITE_INTEGER)
        svt_key_rowid(out, v->i);
    else if (v->type != SQLITE_FLOAT || v->r >= end)
        put_end(out); /* texts and blobs are above all numbers */
    else
        svt_key_rowid(out, v->r <= -end ? INT64_MIN : (int64_t)ceil(v->r));
}

/* The first key whose value is not below v; `above`: not at v either.  Of a falling
 * column `above` is the other way round. */
static void put_bound(struct svt_bytes *out, const struct svt_schema *s,
                      const struct svt_value *v, bool above)
{
    if (s->shape == SVT_SHAPE_IPK || s->shape == SVT_SHAPE_ROWID) {
        put_rowid(out, v);
        return;
    }
    svt_key_put(out, &s->parts[0], v);
    if (above && !out->failed && !svt_key_successor(out)) {
        svt_bytes_clear(out);
        put_end(out);
    }
}

static bool is_null(sqlite3_value *v)
{
    return v == NULL || sqlite3_value_type(v) == SQLITE_NULL;
}

static int make_range(struct svt_table *t, struct svt_erase *e, sqlite3_value *lo,
                      sqlite3_value *hi)
{
    const struct svt_schema *s = &t->schema;
    bool desc = s->nkey > 0 && s->parts[0].desc;
    enum svt_affinity affinity =
        s->nkey > 0 ? s->columns[s->key[0]].affinity : SVT_AFFINITY_INTEGER;
    if (affinity > SVT_AFFINITY_NUMERIC) /* a comparison rounds no integer to a real */
        affinity = SVT_AFFINITY_NUMERIC;
    sqlite3_value *first = desc ? hi : lo, *end = desc ? lo : hi;
    struct svt_value v;
    int rc = SQLITE_OK;
    if (!is_null(first) && (rc = s->read(first, affinity, &v)) == SQLITE_OK)
        put_bound(&e->lo, s, &v, desc);
    if (rc == SQLITE_OK && is_null(end))
        put_end(&e->hi);
    else if (rc == SQLITE_OK && (rc = s->read(end, affinity, &v)) == SQLITE_OK)
        put_bound(&e->hi, s, &v, desc);
    return rc == SQLITE_OK && (e->lo.failed || e->hi.failed) ? SQLITE_NOMEM : rc;
}

/* ---- the write --------------------------------------------------------------- */

int svt_erase_write(struct svt_table *t)
{
    struct svt_keyspace *ks = t->ks;
    struct svt_erase *e = ks->erase;
    seerdb_batch *batch = NULL;
    seerdb_err err = {0};
    int rc = svt_txn_write(t, &batch);
    if (rc != SQLITE_OK)
        return rc;
    svt_txn_note_write(t, batch);
    rc = seerdb_batch_delete_range(batch, ks->tree, svt_bytes_slice(&e->lo),
                                   svt_bytes_slice(&e->hi), &err);
    ks->max_known = false;
    e->done = rc == SEERDB_OK;
    return svt_table_fail(t, rc, &err);
}

static int run_insert(struct svt_table *t)
{
    sqlite3 *db = t->conn->db;
    sqlite3_int64 rowid = sqlite3_last_insert_rowid(db);
    sqlite3_stmt *stmt = NULL;
    int rc = svt_prepare(db, &stmt, "INSERT INTO \"%w\".\"%w\" DEFAULT VALUES",
                         t->schema_name, t->name);
    if (rc == SQLITE_OK) {
        (void)sqlite3_step(stmt);
        rc = sqlite3_finalize(stmt);
    }
    sqlite3_set_last_insert_rowid(db, rowid);
    return rc;
}

int svt_erase_range(struct svt_table *t, sqlite3_value *lo, sqlite3_value *hi)
{
    struct svt_erase e = {.done = false};
    struct svt_keyspace *ks = t->ks;
    int rc = make_range(t, &e, lo, hi);
    if (rc == SQLITE_OK) {
        svt_keyspace_ref(ks);
        ks->erase = &e;
        rc = run_insert(t);
        ks->erase = NULL;
        svt_keyspace_unref(ks);
        if (rc == SQLITE_OK && !e.done)
            rc = svt_fail(&t->base.zErrMsg, SQLITE_ERROR,
                          "%s: the range was not deleted", t->who);
        else if (rc != SQLITE_OK)
            rc = svt_fail(&t->base.zErrMsg, rc, "%s", sqlite3_errmsg(t->conn->db));
    }
    svt_bytes_fini(&e.lo);
    svt_bytes_fini(&e.hi);
    return rc;
}
