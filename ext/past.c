/* SPDX-License-Identifier: Apache-2.0 */
#include "past.h"

#include "marker.h"
#include "txn.h"

#include <string.h>

/* The engine's sentence, whatever its code: none of them means the same to SQLite as
 * where a table is read as it is. */
static int fail(struct svt_table *t, int rc, const seerdb_err *err)
{
    if (rc == SEERDB_MISUSE || rc == SEERDB_GONE || rc == SEERDB_MISMATCH)
        return svt_fail(&t->base.zErrMsg, SQLITE_ERROR, "%s: %s", t->who, err->msg);
    return svt_table_fail(t, rc, err);
}

static int open_named(struct svt_table *t, sqlite3_value *asked, seerdb_view **out)
{
    seerdb_err err = {0};
    sqlite3_value *copy = sqlite3_value_dup(asked); /* its encoding stays as it is */
    const char *name = copy != NULL ? (const char *)sqlite3_value_text(copy) : NULL;
    int rc = SEERDB_NOMEM;
    if (name != NULL && strlen(name) != (size_t)sqlite3_value_bytes(copy)) {
        sqlite3_value_free(copy);
        return svt_fail(&t->base.zErrMsg, SQLITE_ERROR,
                        "%s: the name of a snapshot has no zero byte", t->who);
    }
    if (name != NULL)
        rc = seerdb_view_open_snapshot(t->ks->tree, name, out, &err);
    sqlite3_value_free(copy);
    return fail(t, rc, &err);
}

/* As of a commit: not later than what the statement sees of the table. */
static int open_numbered(struct svt_table *t, sqlite3_int64 number, seerdb_view **out)
{
    seerdb_err err = {0};
    struct svt_view *now = NULL;
    if (number < 0)
        return svt_fail(&t->base.zErrMsg, SQLITE_ERROR,
                        "%s: there is no commit %lld: numbers are not negative", t->who,
                        (long long)number);
    int rc = svt_marker_enter(t, NULL, &now);
    if (rc != SQLITE_OK)
        return rc;
    rc = seerdb_view_open_number(t->ks->tree, (uint64_t)number, now->marker, out, &err);
    svt_marker_leave(t, now);
    return fail(t, rc, &err);
}

int svt_past_enter(struct svt_past *past, struct svt_table *t, sqlite3_value *asked)
{
    int type = sqlite3_value_type(asked), rc = SQLITE_OK;
    svt_past_leave(past);
    if (type == SQLITE_TEXT)
        rc = open_named(t, asked, &past->view.view);
    else if (type == SQLITE_INTEGER)
        rc = open_numbered(t, sqlite3_value_int64(asked), &past->view.view);
    else
        rc = svt_fail(&t->base.zErrMsg, SQLITE_ERROR,
                      "%s: _snapshot is the name of a snapshot, a text, or a commit "
                      "number, an integer",
                      t->who);
    if (rc != SQLITE_OK)
        return rc;
    seerdb_view_interrupt(past->view.view, &t->conn->interrupt.scan);
    seerdb_view_set_lazy(past->view.view, true);
    if ((past->asked = sqlite3_value_dup(asked)) == NULL) {
        svt_past_leave(past);
        return SQLITE_NOMEM;
    }
    return SQLITE_OK;
}

bool svt_past_is_of(const struct svt_past *past, sqlite3_value *asked)
{
    if (past->asked == NULL ||
        sqlite3_value_type(past->asked) != sqlite3_value_type(asked))
        return false;
    if (sqlite3_value_type(asked) == SQLITE_INTEGER)
        return sqlite3_value_int64(past->asked) == sqlite3_value_int64(asked);
    return false; /* texts may be in several encodings: opening it again is cheap */
}

void svt_past_leave(struct svt_past *past)
{
    if (past == NULL)
        return;
    seerdb_view_close(past->view.view);
    sqlite3_value_free(past->asked);
    *past = (struct svt_past){.asked = NULL};
}

/* ---- taking one -------------------------------------------------------------- */

static int create(struct svt_table *t, const char *name, uint64_t *number,
                  seerdb_err *err)
{
    struct svt_view *now = NULL;
    int rc = svt_marker_enter(t, NULL, &now);
    if (rc != SQLITE_OK)
        return rc;
    *err = (seerdb_err){0};
    rc = seerdb_snapshot_create(t->ks->tree, name, now->marker, 0, number, err);
    svt_marker_leave(t, now);
    return rc;
}

int svt_past_keep(struct svt_table *t, const char *name, uint64_t *number)
{
    seerdb_err err = {0};
    if (svt_txn_wrote(t))
        return svt_fail(&t->base.zErrMsg, SQLITE_ERROR,
                        "%s: this transaction has written to the table, and a snapshot "
                        "is of what is committed: commit first",
                        t->who);
    int rc = create(t, name, number, &err);
    if (rc ==
        SEERDB_BUSY) { /* nobody has shown the marker since the store was opened */
        rc = svt_marker_settle(t, svt_txn_decided_below(t));
        if (rc == SQLITE_OK)
            rc = create(t, name, number, &err);
        else if (rc != SQLITE_BUSY)
            return rc;
    }
    if (rc == SEERDB_BUSY || rc == SQLITE_BUSY) {
        sqlite3_free(t->base.zErrMsg);
        t->base.zErrMsg = NULL;
        return svt_fail(&t->base.zErrMsg, SQLITE_BUSY, "%s: %s", t->who, err.msg);
    }
    return rc > 0 ? rc : fail(t, rc, &err);
}

/* ---- writing ------------------------------------------------------------------ */

/* How many statements of the connection are running. */
static int count_running(sqlite3 *db)
{
    int n = 0;
    for (sqlite3_stmt *s = sqlite3_next_stmt(db, NULL); s != NULL;
         s = sqlite3_next_stmt(db, s))
        n += sqlite3_stmt_busy(s) != 0;
    return n;
}

/* Does a DELETE take its rows from a snapshot?  Nothing that SQLite hands us says so.
 * Of a statement that is the only one running, the table's first cursor is the DELETE's
 * own: subqueries open theirs later.  Among several statements nobody knows whose is
 * whose. */
static bool deletes_from_past(const struct svt_table *t)
{
    if (!t->first_past && t->npast == 0 && !t->last_past)
        return false;
    return t->first_past || count_running(t->conn->db) > 1;
}

int svt_past_check(struct svt_table *t, int argc, sqlite3_value **argv)
{
    int at = t->schema.snapshot;
    if (argc > 1 ? at < 0 || argc <= 2 + at ||
                       sqlite3_value_type(argv[2 + at]) == SQLITE_NULL
                 : !deletes_from_past(t))
        return SQLITE_OK;
    return svt_fail(&t->base.zErrMsg, SQLITE_ERROR,
                    argc > 1 ? "%s: _snapshot cannot be written, nor can rows that are "
                               "read as of a snapshot: it says as of when to read"
                             : "%s: rows that are read as of a snapshot cannot be "
                               "deleted, nor any while another statement reads as of "
                               "one: end that first",
                    t->who);
}
