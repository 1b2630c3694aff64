/* SPDX-License-Identifier: Apache-2.0
 *
 * The gate.  Reading the row costs as much as half a point query, so the number is kept
 * as long as it cannot have changed.  SQLite counts in SQLITE_FCNTL_DATA_VERSION how
 * often this connection committed to the file, or had to drop its cached pages because
 * somebody else did, in every journal mode: a nested SELECT would read the very pages
 * that this says are still right.  What is not committed passes through txn.c, which
 * counts it in conn->epoch.
 *
 * Waiting.  Between SQLite's release of its write lock and our xCommit another
 * connection can read a marker that is not published yet.  It waits in slices and reads
 * the marker again after each. */
#include "marker.h"

#include "foreground.h"

#define WAIT_SLICE_MS 50
#define WAIT_SLICES   100 /* 5 seconds */

/* The marker by SQL. */
static int read_row(struct svt_table *t, uint64_t *marker)
{
    struct svt_shadow s;
    struct svt_place place = svt_table_place(t);
    int rc = svt_shadow_reread(&place, &t->marker_stmt, &s, &t->base.zErrMsg);
    if (rc != SQLITE_OK)
        return rc;
    if (!svt_uuid_equal(&s.tree, &t->ks->id))
        return svt_fail(&t->base.zErrMsg, SQLITE_CORRUPT_VTAB,
                        "%s: its shadow table %s names another tree than before",
                        t->who, t->shadow);
    *marker = s.marker;
    return SQLITE_OK;
}

static bool data_version(struct svt_table *t, unsigned *version)
{
    *version = 0;
    return sqlite3_file_control(t->conn->db, t->in_main ? NULL : t->schema_name,
                                SQLITE_FCNTL_DATA_VERSION, version) == SQLITE_OK;
}

static int read_gated(struct svt_table *t, uint64_t *marker)
{
    unsigned version;
    bool known = data_version(t, &version);
    if (known && t->marker_known && t->marker_version == version &&
        t->marker_epoch == t->conn->epoch) {
        *marker = t->marker;
        return SQLITE_OK;
    }
    int rc = read_row(t, marker);
    t->marker_known = rc == SQLITE_OK && known;
    t->marker_version = version;
    t->marker_epoch = t->conn->epoch;
    t->marker = *marker;
    return rc;
}

/* Say what to do where the engine cannot know it. */
static int fail(struct svt_table *t, int rc, const seerdb_err *err)
{
    if (rc == SEERDB_MISMATCH)
        return svt_fail(
            &t->base.zErrMsg, SQLITE_ERROR,
            "%s: %s. Put back the one that fits, or go on with both as they "
            "are by SELECT seerdb('%s', 'accept')",
            t->who, err->msg, t->who);
    if (rc == SEERDB_GONE)
        return svt_fail(&t->base.zErrMsg, SQLITE_BUSY_SNAPSHOT,
                        "%s: the state that this read transaction sees was superseded "
                        "long ago and is gone: end the transaction and begin again",
                        t->who);
    return svt_table_fail(t, rc, err);
}

/* ---- reading --------------------------------------------------------------- */

/* Open v, which is new or at rest. */
static int open_at(struct svt_table *t, uint64_t marker, struct svt_view *v)
{
    seerdb_tree *tree = t->ks->tree;
    seerdb_err err;
    int rc = SEERDB_BUSY;
    err.code = SEERDB_OK; /* the rest is set with it */
    for (int i = 0; rc == SEERDB_BUSY && i < WAIT_SLICES; i++) {
        rc = v->view != NULL
                 ? seerdb_view_reopen_at(v->view, marker, WAIT_SLICE_MS, &err)
                 : seerdb_view_open_at(tree, marker, WAIT_SLICE_MS, &v->view, &err);
        if (v->view != NULL)
            seerdb_view_set_lazy(v->view, true);
        if (rc == SEERDB_BUSY) {
            uint64_t ignored;
            int again = svt_interrupt_check(&t->conn->interrupt);
            if (again == SQLITE_OK)
                again = read_row(t, &ignored);
            if (again != SQLITE_OK)
                return again;
        }
    }
    return rc == SEERDB_OK ? SQLITE_OK : fail(t, rc, &err);
}

static int open_last(struct svt_table *t, struct svt_view *v)
{
    seerdb_err err = {0};
    int rc = v->view != NULL ? seerdb_view_reopen(v->view, &err)
                             : seerdb_view_open(t->ks->tree, &v->view, &err);
    if (v->view != NULL)
        seerdb_view_set_lazy(v->view, true);
    return rc == SEERDB_OK ? SQLITE_OK : fail(t, rc, &err);
}

/* Give the view a place among those at rest. */
static void lay_down(struct svt_keyspace *ks, struct svt_view *v)
{
    v->next = ks->views;
    ks->views = v;
}

/* Make a new view the shared one. */
static int renew(struct svt_table *t, uint64_t marker, bool settled)
{
    struct svt_keyspace *ks = t->ks;
    struct svt_view *v = ks->views;
    ks->view = NULL; /* cursors that use it keep it */
    if (v != NULL) {
        ks->views = v->next;
    } else {
        if ((v = sqlite3_malloc64(sizeof(*v))) == NULL)
            return SQLITE_NOMEM;
        *v = (struct svt_view){.users = 0};
    }
    /* Under the write lock the last commit is the marker's. */
    int rc = settled ? open_last(t, v) : open_at(t, marker, v);
    if (v->view != NULL)
        seerdb_view_interrupt(v->view, &t->conn->interrupt.scan);
    if (rc != SQLITE_OK) {
        if (v->view != NULL)
            lay_down(ks, v);
        else
            sqlite3_free(v);
        return rc;
    }
    v->marker = marker;
    ks->view = v;
    return SQLITE_OK;
}

int svt_marker_enter(struct svt_table *t, struct svt_view *held, struct svt_view **out)
{
    struct svt_keyspace *ks = t->ks;
    uint64_t marker = 0, epoch = t->conn->epoch;
    int rc = SQLITE_OK;
    /* SQLite's snapshot stays while a statement runs, but for what the connection
     * itself commits. */
    if (held != NULL && held == ks->view && held->epoch == epoch) {
        *out = held;
        return SQLITE_OK;
    }
    bool settled = !ks->marked || ks->expected;
    if (settled)
        marker = ks->marker;
    else if ((rc = read_gated(t, &marker)) != SQLITE_OK)
        return rc;
    if ((ks->view == NULL || ks->view->marker != marker) &&
        (rc = renew(t, marker, settled)) != SQLITE_OK)
        return rc;
    ks->view->epoch = epoch;
    ks->view->users += ks->view != held;
    *out = ks->view;
    return SQLITE_OK;
}

void svt_marker_leave(struct svt_table *t, struct svt_view *v)
{
    struct svt_keyspace *ks = t->ks;
    if (--v->users > 0)
        return;
    if (ks->view == v)
        ks->view = NULL;
    seerdb_view_rest(v->view);
    lay_down(ks, v);
}

/* ---- writing --------------------------------------------------------------- */

/* Only then the store may forget it.  SQLite cuts the message after 200 bytes. */
static int tell_of_loss(struct svt_table *t, seerdb_batch *batch, uint64_t marker,
                        uint64_t held)
{
    seerdb_err err = {0};
    sqlite3_log(SQLITE_WARNING,
                "seerdb: %s lost its last commits: the database has %llu, the store's "
                "log ends at %llu; writing goes on from there: %s",
                t->who, (unsigned long long)marker, (unsigned long long)held,
                t->ks->store->dir);
    int rc = seerdb_batch_expect(batch, t->ks->tree, marker, 0, NULL, &err);
    return rc == SEERDB_OK ? SQLITE_OK : fail(t, rc, &err);
}

static int expect_marker(struct svt_table *t, seerdb_batch *batch)
{
    struct svt_keyspace *ks = t->ks;
    seerdb_err err = {0};
    seerdb_marker_found found = {.state = SEERDB_MARKER_CURRENT};
    uint64_t marker = 0;
    int rc = SEERDB_BUSY;
    for (int i = 0; rc == SEERDB_BUSY && i < WAIT_SLICES; i++) {
        int again = i == 0 ? SQLITE_OK : svt_interrupt_check(&t->conn->interrupt);
        if (again == SQLITE_OK)
            again = i == 0 ? read_gated(t, &marker) : read_row(t, &marker);
        if (again != SQLITE_OK)
            return again;
        rc = seerdb_batch_expect(batch, ks->tree, marker, WAIT_SLICE_MS, &found, &err);
    }
    if (rc != SEERDB_OK)
        return fail(t, rc, &err);
    if (found.state == SEERDB_MARKER_BEHIND &&
        (rc = tell_of_loss(t, batch, marker, found.held)) != SQLITE_OK)
        return rc;
    if (found.given_up != 0)
        sqlite3_log(SQLITE_WARNING,
                    "seerdb: %s: the database is older than the store: it knows commit "
                    "%llu, the store has commits up to %llu, which are given up: %s",
                    t->who, (unsigned long long)marker,
                    (unsigned long long)found.given_up, ks->store->dir);
    svt_table_note_place(t);
    ks->expected = true;
    ks->marker = marker;
    return SQLITE_OK;
}

/* Every row comes by. */
int svt_marker_expect(struct svt_table *t, seerdb_batch *batch)
{
    return !t->ks->marked || t->ks->expected ? SQLITE_OK : expect_marker(t, batch);
}

void svt_marker_remember(struct svt_table *t, uint64_t marker)
{
    t->marker_known = data_version(t, &t->marker_version);
    t->marker_epoch = t->conn->epoch;
    t->marker = marker;
}

int svt_marker_write(struct svt_table *t, uint64_t marker)
{
    struct svt_place place = svt_table_place(t);
    t->conn->epoch++;
    int rc = svt_shadow_mark(&place, &t->ks->id, marker, &t->base.zErrMsg);
    if (rc != SQLITE_NOTFOUND || t->ks->moved)
        return rc;
    return svt_fail(&t->base.zErrMsg, SQLITE_CORRUPT,
                    "%s: the row of its shadow table %s is gone: nothing is committed",
                    t->who, t->shadow);
}

/* Leave the savepoint and undo what was done in it.  While SQLite is interrupted it
 * runs nothing, no ROLLBACK either.  But it rolls a write back that begins then, with
 * the whole transaction, and that is what it does about interrupted writes anyway. */
static void undo(struct svt_table *t, bool outermost)
{
    sqlite3 *db = t->conn->db;
    char *ignored = NULL;
    bool clean = !outermost &&
                 svt_exec(db, &ignored, "ROLLBACK TO seerdb") == SQLITE_OK &&
                 svt_exec(db, &ignored, "RELEASE seerdb") == SQLITE_OK;
    for (int i = 0; i < 3 && !clean && !sqlite3_get_autocommit(db); i++) {
        clean = svt_exec(db, &ignored, "ROLLBACK") == SQLITE_OK;
        if (!clean && !sqlite3_get_autocommit(db)) {
            sqlite3_blob *blob = NULL;
            (void)sqlite3_blob_open(db, t->schema_name, t->shadow, "state", 1, 1,
                                    &blob);
            sqlite3_blob_close(blob);
        }
    }
    sqlite3_free(ignored);
}

/* Say what to do instead of what SQLite says. */
static int alone(struct svt_table *t, int rc, const char *why)
{
    sqlite3_free(t->base.zErrMsg);
    t->base.zErrMsg = NULL;
    return svt_fail(&t->base.zErrMsg, rc,
                    "%s: run the command as a statement of its own, because it takes "
                    "SQLite's write lock: %s",
                    t->who, why);
}

int svt_marker_locked(struct svt_table *t, int (*act)(struct svt_table *t, void *ctx),
                      void *ctx)
{
    sqlite3 *db = t->conn->db;
    uint64_t marker = 0;
    bool outermost = sqlite3_get_autocommit(db) != 0;
    int rc = svt_exec(db, &t->base.zErrMsg, "SAVEPOINT seerdb");
    if (rc == SQLITE_BUSY)
        return alone(t, rc, "SQLite opens no savepoint within a statement that writes");
    if (rc != SQLITE_OK && rc != SQLITE_INTERRUPT) /* then it may be there */
        return rc;
    if (rc == SQLITE_OK)
        rc = read_row(t, &marker);
    if (rc == SQLITE_OK) /* the same number again takes the lock */
        rc = svt_marker_write(t, marker);
    if (rc == SQLITE_OK)
        rc = act(t, ctx);
    if (rc == SQLITE_NOTFOUND)
        rc = SQLITE_CORRUPT_VTAB;
    if (rc == SQLITE_OK)
        rc = svt_exec(db, &t->base.zErrMsg, "RELEASE seerdb");
    if (rc != SQLITE_OK)
        undo(t, outermost);
    t->conn->epoch++;
    if (rc == SQLITE_READONLY && sqlite3_db_readonly(db, t->schema_name) == 0)
        return alone(t, rc, "PRAGMA query_only forbids it: turn that off before");
    return rc;
}

static int settle(struct svt_table *t, void *ctx)
{
    seerdb_batch *batch = NULL;
    seerdb_err err = {0};
    const uint64_t *below = ctx;
    bool done;
    int rc = seerdb_batch_new(t->ks->store->db, &batch, &err);
    if (rc != SEERDB_OK)
        return svt_table_fail(t, rc, &err);
    rc = svt_marker_expect(t, batch);
    t->ks->expected = false;
    if (rc == SQLITE_OK)
        rc = svt_foreground_sync(t, *below, &done);
    seerdb_batch_free(batch);
    return rc;
}

int svt_marker_settle(struct svt_table *t, uint64_t below)
{
    bool done;
    if (!t->ks->marked)
        return SQLITE_OK;
    if (!t->ks->expected)
        return svt_marker_locked(t, settle, &below);
    return svt_foreground_sync(t, below, &done);
}

static int accept(struct svt_table *t, void *ctx)
{
    uint64_t *number = ctx;
    seerdb_err err = {0};
    int rc = seerdb_tree_accept(t->ks->tree, number, &err);
    if (rc != SEERDB_OK)
        return svt_table_fail(t, rc, &err);
    t->ks->placed = false;
    svt_table_note_place(t);
    return svt_marker_write(t, *number);
}

int svt_marker_accept(struct svt_table *t, uint64_t *number)
{
    if (!t->ks->marked || t->ks->expected)
        return svt_fail(&t->base.zErrMsg, SQLITE_ERROR,
                        t->ks->marked ? "%s: this transaction writes to the table: end "
                                        "it first"
                                      : "%s: a table in memory has nothing to accept",
                        t->who);
    return svt_marker_locked(t, accept, number);
}
