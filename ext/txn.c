/* SPDX-License-Identifier: Apache-2.0
 *
 * Collection of dropped trees.  DROP TABLE may still be undone by ROLLBACK, and so may
 * CREATE, without a call to us.  So DROP only notes an intent in the store, as does
 * ROLLBACK for the trees that the transaction created; the tree is dropped for good in
 * the xBegin of a later statement outside a transaction: it holds the database's write
 * lock and has written nothing, so the shadow rows that it reads are committed ones.  A
 * tree goes if its intent was noted, its owner is this database, and no shadow row
 * names it. */
#include "txn.h"

#include "foreground.h"
#include "marker.h"
#include "mergelist.h"
#include "sweep.h"

#include <string.h>

struct created {
    struct created *next;
    seerdb_uuid tree;
    char schema[]; /* whose shadow row names it */
};

struct svt_txn {
    struct svt_txn *next;
    struct svt_conn *conn;   /* borrowed */
    struct svt_store *store; /* counted */
    seerdb_batch *batch;     /* owned */
    struct svt_sweep sweep;  /* what it is going to write */
    bool active, prepared;
    uint64_t number; /* while prepared; 0: nothing was written */
    int njoined;     /* objects that SQLite has in its transaction */
    uint64_t epoch;
    uint64_t *levels; /* owned: mark of each savepoint level */
    int nlevels, capacity;
    struct svt_keyspace *touched; /* counted, linked by next_touched */
    struct created *created;      /* owned */
    bool looked;                  /* for trees to collect, when there were ... */
    uint64_t seen_intents;        /* ... so many intents */
    sqlite3_int64 look_again_ms;  /* some were too young; 0: none */
};

static struct svt_txn *find(const struct svt_table *t)
{
    if (t->ks == NULL)
        return NULL;
    struct svt_txn *x = t->conn->txns;
    while (x != NULL && x->store != t->ks->store)
        x = x->next;
    return x;
}

static void txn_free(struct svt_txn *x)
{
    svt_sweep_fini(&x->sweep);
    seerdb_batch_free(x->batch);
    svt_handles_close(x->store);
    sqlite3_free(x->levels);
    sqlite3_free(x);
}

/* The transaction of t's store, joined. */
/* Here and below: errors are not zeroed before they are needed; every row comes by. */
static int join(struct svt_table *t, struct svt_txn **out)
{
    struct svt_txn *x = find(t);
    if (x == NULL) {
        seerdb_err err = {0};
        if ((x = sqlite3_malloc64(sizeof(*x))) == NULL)
            return SQLITE_NOMEM;
        *x = (struct svt_txn){.conn = t->conn, .store = svt_handles_ref(t->ks->store)};
        int rc = svt_handles_write(x->store, &err);
        if (rc == SEERDB_OK)
            rc = seerdb_batch_new(x->store->db, &x->batch, &err);
        if (rc != SEERDB_OK) {
            txn_free(x);
            return svt_table_fail(t, rc, &err);
        }
        seerdb_batch_interrupt(x->batch, &t->conn->interrupt.call);
        x->next = t->conn->txns;
        t->conn->txns = x;
    }
    x->active = true;
    if (t->joined == NULL) {
        t->joined = x;
        x->njoined++;
    }
    *out = x;
    return SQLITE_OK;
}

static void touch(struct svt_txn *x, struct svt_keyspace *ks)
{
    if (ks->touched)
        return;
    svt_keyspace_ref(ks);
    ks->touched = true;
    ks->next_touched = x->touched;
    x->touched = ks;
}

/* Statements that begin now see what the transaction did. */
static void finish(struct svt_txn *x)
{
    svt_sweep_end(&x->sweep);
    while (x->touched != NULL) {
        struct svt_keyspace *ks = x->touched;
        x->touched = ks->next_touched;
        ks->view = NULL; /* cursors that use it keep it */
        seerdb_view_close(ks->write_view);
        ks->write_view = NULL;
        ks->first_write = SVT_NO_WRITE;
        ks->max_known = ks->touched = ks->keys_changed = false;
        svt_mergelist_end(ks);
        ks->expected = ks->row_marked = ks->moved = false;
        ks->next_touched = NULL;
        svt_keyspace_unref(ks);
    }
    while (x->created != NULL) {
        struct created *c = x->created;
        x->created = c->next;
        sqlite3_free(c);
    }
    for (struct svt_table *t = x->conn->tables; t != NULL; t = t->next)
        if (t->joined == x)
            t->joined = NULL;
    x->njoined = x->nlevels = 0;
    x->active = x->prepared = false;
    x->number = 0;
    x->epoch++;
    x->conn->epoch++;
}

/* Take a prepare back before something changes the batch. */
static int make_writable(struct svt_table *t, struct svt_txn *x)
{
    seerdb_err err;
    if (!x->prepared)
        return SQLITE_OK;
    err = (seerdb_err){0};
    int rc = seerdb_unprepare(x->batch, &err);
    if (rc == SEERDB_OK) {
        x->prepared = false;
        x->number = 0;
    }
    return svt_table_fail(t, rc, &err);
}

static int settle_sweep(struct svt_table *t, struct svt_txn *x)
{
    seerdb_err err = {0};
    return svt_table_fail(t, svt_sweep_settle(&x->sweep, x->batch, &err), &err);
}

/* Have the batch be all that the transaction wrote. */
static inline int settle(struct svt_table *t, struct svt_txn *x)
{
    return x->sweep.iter == NULL ? SQLITE_OK : settle_sweep(t, x);
}

/* The run that is not settled began after every mark. */
static void roll_back_to(struct svt_txn *x, uint64_t mark)
{
    svt_sweep_drop(&x->sweep);
    seerdb_batch_rollback_to(x->batch, mark);
    x->epoch++;
    for (struct svt_keyspace *ks = x->touched; ks != NULL; ks = ks->next_touched) {
        ks->max_known = false;
        if (ks->first_write >= mark)
            ks->first_write = SVT_NO_WRITE;
    }
}

/* ---- collection ------------------------------------------------------------ */

/* UUIDs and whether a shadow row names them. */
struct ids {
    seerdb_uuid *ids; /* owned */
    bool *named;      /* owned */
    size_t n, capacity;
    seerdb_uuid owner;
    bool failed;
};

static void ids_fini(struct ids *l)
{
    sqlite3_free(l->ids);
    sqlite3_free(l->named);
}

static bool ids_add(struct ids *l, const seerdb_uuid *id)
{
    if (l->n == l->capacity) {
        size_t capacity = l->capacity * 2 + 8;
        seerdb_uuid *ids = sqlite3_realloc64(l->ids, capacity * sizeof(*ids));
        if (ids != NULL)
            l->ids = ids;
        bool *named = sqlite3_realloc64(l->named, capacity * sizeof(*named));
        if (named != NULL)
            l->named = named;
        if (ids == NULL || named == NULL) {
            l->failed = true;
            return false;
        }
        l->capacity = capacity;
    }
    l->named[l->n] = false;
    l->ids[l->n++] = *id;
    return true;
}

static bool see_tree(void *ctx, const seerdb_tree_info *info)
{
    struct ids *l = ctx;
    if (!info->drop_intended || !svt_uuid_equal(&info->owner, &l->owner))
        return true;
    return ids_add(l, &info->id);
}

static bool see_shadow(void *ctx, const struct svt_shadow *s)
{
    struct ids *l = ctx;
    for (size_t i = 0; i < l->n; i++)
        if (svt_uuid_equal(&l->ids[i], &s->tree))
            l->named[i] = true;
    return true;
}

/* Will what the shadow rows say now still be said after a power cut? */
static int ask_durable(struct svt_table *t, uint64_t below, bool *durable)
{
    seerdb_err err = {0};
    *durable = !t->ks->marked;
    if (!t->ks->marked || t->ks->decider == NULL)
        return SQLITE_OK;
    if (svt_decider_is_foreign(t->ks->decider) && !svt_decider_is_replaced()) {
        /* The same marker again: then a rollback journal is there to be synced. */
        int rc = svt_marker_write(t, t->ks->marker);
        return rc == SQLITE_OK ? svt_foreground_sync(t, below, durable) : rc;
    }
    *durable = svt_decider_sync(t->ks->decider, below, &err) == SEERDB_OK;
    if (!*durable)
        sqlite3_log(SQLITE_WARNING, "seerdb: dropped tables' space is kept: %s",
                    err.msg);
    return SQLITE_OK;
}

#define LOOK_AGAIN_MS 1000

/* SQLite's clock: milliseconds. */
static sqlite3_int64 clock_ms(void)
{
    sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);
    sqlite3_int64 now = 0;
    if (vfs != NULL && vfs->iVersion >= 2 && vfs->xCurrentTimeInt64 != NULL)
        vfs->xCurrentTimeInt64(vfs, &now);
    return now;
}

/* Drop the trees of the list that no shadow row names. */
static void drop_unnamed(struct svt_txn *x, const struct ids *l)
{
    for (size_t i = 0; i < l->n; i++) {
        seerdb_tree *tree = NULL;
        seerdb_err err = {0};
        if (l->named[i] ||
            seerdb_tree_open(x->store->db, &l->ids[i], &tree, &err) != SEERDB_OK)
            continue;
        int rc = seerdb_tree_drop(tree, &err);
        if (rc == SEERDB_BUSY) /* not for long */
            x->look_again_ms = clock_ms() + LOOK_AGAIN_MS;
        else if (rc != SEERDB_OK)
            sqlite3_log(SQLITE_WARNING, "seerdb: a dropped table's space is kept: %s",
                        err.msg);
    }
}

/* A failure of ours is no failure of the statement that happened to collect: the tree
 * stays and the next connection tries again.  One of SQLite's is: it may have rolled
 * back the transaction. */
static int collect(struct svt_table *t, struct svt_txn *x)
{
    uint64_t intents = svt_handles_intents(x->store);
    if (x->looked && x->seen_intents == intents &&
        (x->look_again_ms == 0 || clock_ms() < x->look_again_ms))
        return SQLITE_OK;
    x->looked = true;
    x->seen_intents = intents;
    x->look_again_ms = 0;
    struct ids l = {.owner = t->owner};
    size_t dead = 0;
    bool durable = false;
    int rc = SQLITE_OK;
    if (seerdb_trees(x->store->db, see_tree, &l, NULL) != SEERDB_OK || l.failed ||
        l.n == 0 ||
        (rc = svt_shadow_each(t->conn->db, t->schema_name, see_shadow, &l)) !=
            SQLITE_OK)
        goto out;
    for (size_t i = 0; i < l.n; i++)
        dead += !l.named[i];
    if (dead > 0)
        rc = ask_durable(t, svt_txn_decided_below(t), &durable);
    if (durable)
        drop_unnamed(x, &l);
    else if (dead > 0)
        x->look_again_ms = clock_ms() + LOOK_AGAIN_MS;
out:
    if (rc != SQLITE_OK && t->base.zErrMsg == NULL)
        svt_fail(&t->base.zErrMsg, rc, "%s: its shadow rows: %s", t->who,
                 sqlite3_errmsg(t->conn->db));
    ids_fini(&l);
    return rc;
}

static void intend_drop(struct svt_txn *x, const seerdb_uuid *id)
{
    seerdb_tree *tree = NULL;
    if (seerdb_tree_open(x->store->db, id, &tree, NULL) != SEERDB_OK)
        return;
    if (seerdb_tree_intend_drop(tree, NULL) == SEERDB_OK)
        svt_handles_note_intent(x->store);
    seerdb_tree_close(tree);
}

/* The tree's CREATE was undone: no marker will ever name what was written to it. */
static void forget(struct svt_txn *x, const seerdb_uuid *id)
{
    seerdb_tree *tree = NULL;
    if (seerdb_tree_open(x->store->db, id, &tree, NULL) != SEERDB_OK)
        return;
    seerdb_batch_forget(x->batch, tree);
    seerdb_tree_close(tree);
}

/* CREATE undone by ROLLBACK TO calls nobody back: when the transaction commits, leave
 * out trees that no shadow row names, and note the intent to drop them.
 * Requires: nothing is prepared. */
static int disown_undone(struct svt_table *t, struct svt_txn *x)
{
    int rc = SQLITE_OK;
    for (struct created *c = x->created; c != NULL && rc == SQLITE_OK; c = c->next) {
        struct ids l = {.n = 0};
        rc = ids_add(&l, &c->tree)
                 ? svt_shadow_each(t->conn->db, c->schema, see_shadow, &l)
                 : SQLITE_NOMEM;
        if (rc == SQLITE_OK && !l.named[0]) {
            forget(x, &c->tree);
            intend_drop(x, &c->tree);
        }
        ids_fini(&l);
    }
    return rc;
}

/* ---- preparing ------------------------------------------------------------- */

/* What sync=auto means for t's schema: what PRAGMA synchronous says.  NORMAL is NORMAL
 * with a write-ahead log only: the other journal modes sync at every commit, and so do
 * we. */
static int schema_sync(struct svt_table *t, enum seerdb_sync *out)
{
    sqlite3_stmt *stmt = NULL;
    enum svt_journal journal = SVT_JOURNAL_FILE;
    int level = 2;
    /* The value is in the statement: it must be prepared anew (sqlite-facts 24), for
     * every commit.  Without a name it is that of main. */
    int rc = t->in_main ? sqlite3_prepare_v3(t->conn->db, "PRAGMA synchronous", -1, 0,
                                             &stmt, NULL)
                        : svt_prepare(t->conn->db, &stmt, "PRAGMA \"%w\".synchronous",
                                      t->schema_name);
    if (rc == SQLITE_OK && sqlite3_step(stmt) == SQLITE_ROW)
        level = sqlite3_column_int(stmt, 0);
    rc = svt_finalize(stmt, rc);
    if (rc == SQLITE_OK && level == 1)
        rc = svt_foreground_journal(t, &journal);
    if (rc == SQLITE_AUTH) { /* an authorizer that allows no PRAGMA: the safe side */
        level = 2;
        rc = SQLITE_OK;
    }
    *out = level == 0                                 ? SEERDB_SYNC_OFF
           : level == 1 && journal == SVT_JOURNAL_WAL ? SEERDB_SYNC_NORMAL
                                                      : SEERDB_SYNC_FULL;
    return rc;
}

/* The strictest level of the schemas whose tables are in the transaction. */
static int txn_sync(struct svt_txn *x, enum seerdb_sync *out)
{
    static const enum seerdb_sync levels[] = {[SVT_SYNC_AUTO] = SEERDB_SYNC_OFF,
                                              [SVT_SYNC_FULL] = SEERDB_SYNC_FULL,
                                              [SVT_SYNC_NORMAL] = SEERDB_SYNC_NORMAL,
                                              [SVT_SYNC_OFF] = SEERDB_SYNC_OFF};
    enum svt_sync given = svt_handles_sync(x->store);
    const char *last = NULL;
    *out = levels[given];
    if (given != SVT_SYNC_AUTO)
        return SQLITE_OK;
    for (struct svt_table *t = x->conn->tables; t != NULL; t = t->next) {
        enum seerdb_sync level = SEERDB_SYNC_FULL;
        if (t->joined != x || (last != NULL && strcmp(last, t->schema_name) == 0))
            continue;
        int rc = schema_sync(t, &level);
        if (rc != SQLITE_OK)
            return rc;
        if (level > *out)
            *out = level;
        last = t->schema_name;
    }
    return SQLITE_OK;
}

/* t: whose method it is, for messages. */
static int prepare(struct svt_table *t, struct svt_txn *x)
{
    seerdb_err err = {0};
    enum seerdb_sync sync;
    int rc = settle(t, x);
    if (rc != SQLITE_OK || (rc = txn_sync(x, &sync)) != SQLITE_OK ||
        (rc = disown_undone(t, x)) != SQLITE_OK)
        return rc;
    for (struct svt_keyspace *ks = x->touched; ks != NULL; ks = ks->next_touched)
        if (ks->decider != NULL)
            svt_decider_watch(ks->decider);
    rc = seerdb_prepare(x->batch, sync, &x->number, &err);
    x->prepared = rc == SEERDB_OK;
    return svt_table_fail(t, rc, &err);
}

/* The active transaction of the store that comes next after `after` (NULL: the first),
 * in the order of store UUIDs: all connections go through stores in the same order. */
static struct svt_txn *next_store(struct svt_conn *conn, const struct svt_txn *after)
{
    struct svt_txn *best = NULL;
    seerdb_uuid best_id = {{0}}, after_id = {{0}};
    if (after != NULL)
        after_id = seerdb_id(after->store->db);
    for (struct svt_txn *x = conn->txns; x != NULL; x = x->next) {
        seerdb_uuid id = seerdb_id(x->store->db);
        if (!x->active || (after != NULL && memcmp(&id, &after_id, sizeof(id)) <= 0) ||
            (best != NULL && memcmp(&id, &best_id, sizeof(id)) >= 0))
            continue;
        best = x;
        best_id = id;
    }
    return best;
}

/* Prepare the batches of all stores, or none.  A failure other than SQLITE_BUSY makes
 * SQLite roll everything back; after SQLITE_BUSY the transaction lives on, and must not
 * stand in anybody's way. */
static int prepare_all(struct svt_table *t)
{
    int rc = SQLITE_OK;
    struct svt_txn *x = NULL;
    while (rc == SQLITE_OK && (x = next_store(t->conn, x)) != NULL)
        if (!x->prepared)
            rc = prepare(t, x);
    if ((rc & 0xff) != SQLITE_BUSY)
        return rc;
    rc = SQLITE_BUSY; /* exactly: any other code rolls back (sqlite-facts 28) */
    for (x = t->conn->txns; x != NULL; x = x->next) {
        int undone = make_writable(t, x);
        if (undone != SQLITE_OK)
            rc = undone;
    }
    return rc;
}

/* What t's marker is once the prepared batch is committed. */
static uint64_t marker_after(const struct svt_table *t, const struct svt_txn *x)
{
    const struct svt_keyspace *ks = t->ks;
    return seerdb_batch_is_empty(x->batch, ks->tree) ? ks->marker : x->number;
}

/* Write the commit's number into t's shadow row; or the number before it, if an earlier
 * try of this COMMIT wrote one and nothing stands of what it stood for. */
static int write_marker(struct svt_table *t, struct svt_txn *x)
{
    struct svt_keyspace *ks = t->ks;
    bool wrote = !seerdb_batch_is_empty(x->batch, ks->tree);
    if (!ks->marked || (!wrote && !ks->row_marked))
        return SQLITE_OK;
    int rc = svt_marker_write(t, marker_after(t, x));
    if (rc == SQLITE_NOTFOUND)
        return SQLITE_OK; /* its tree is collected later */
    ks->row_marked = true;
    return rc;
}

/* ---- the methods ----------------------------------------------------------- */

int svt_txn_begin(sqlite3_vtab *base)
{
    struct svt_table *t = (struct svt_table *)base;
    struct svt_txn *x = NULL;
    bool was_in = t->joined != NULL;
    int rc = svt_table_open(t);
    if (rc == SQLITE_OK)
        rc = join(t, &x);
    if (rc != SQLITE_OK)
        return rc;
    touch(x, t->ks);
    rc = svt_marker_expect(t, x->batch);
    if (rc == SQLITE_OK)
        rc = svt_table_follow_settings(t);
    if (rc == SQLITE_OK && sqlite3_get_autocommit(t->conn->db))
        rc = collect(t, x);
    if (rc != SQLITE_OK && !was_in)
        svt_txn_leave(t); /* SQLite will not call again */
    return rc;
}

int svt_txn_sync(sqlite3_vtab *base)
{
    struct svt_table *t = (struct svt_table *)base;
    struct svt_txn *x = find(t);
    if (x == NULL || !x->active)
        return SQLITE_OK;
    int rc = prepare_all(t);
    if (rc == SQLITE_OK)
        rc = write_marker(t, x);
    if (rc == SQLITE_OK && t->ks->expected)
        rc = svt_foreground_help(t, svt_txn_decided_below(t));
    return rc;
}

int svt_txn_commit(sqlite3_vtab *base)
{
    struct svt_table *t = (struct svt_table *)base;
    struct svt_txn *x = find(t);
    if (x == NULL || !x->active)
        return SQLITE_OK;
    uint64_t number = x->prepared ? marker_after(t, x) : 0;
    bool remember = x->number != 0 && t->ks->row_marked && !t->ks->moved;
    if (x->prepared)
        seerdb_commit(x->batch);
    finish(x);
    if (remember)
        svt_marker_remember(t, number);
    return SQLITE_OK;
}

int svt_txn_rollback(sqlite3_vtab *base)
{
    struct svt_table *t = (struct svt_table *)base;
    struct svt_txn *x = find(t);
    seerdb_err err = {0};
    if (x == NULL || !x->active)
        return SQLITE_OK;
    if (seerdb_rollback(x->batch, &err) != SEERDB_OK)
        sqlite3_log(SQLITE_WARNING, "seerdb: %s: rollback: %s", t->who, err.msg);
    for (struct created *c = x->created; c != NULL; c = c->next)
        intend_drop(x, &c->tree);
    finish(x);
    return SQLITE_OK;
}

/* Keep the first n. */
static void drop_levels(struct svt_txn *x, int n)
{
    while (x->nlevels > n)
        seerdb_batch_release(x->batch, x->levels[--x->nlevels]);
}

int svt_txn_savepoint(sqlite3_vtab *base, int n)
{
    struct svt_table *t = (struct svt_table *)base;
    struct svt_txn *x = find(t);
    if (x == NULL || n < x->nlevels)
        return SQLITE_OK;
    int rc = settle(t, x);
    if (rc != SQLITE_OK)
        return rc;
    if (n >= x->capacity) {
        int capacity = n + 8;
        uint64_t *levels =
            sqlite3_realloc64(x->levels, (size_t)capacity * sizeof(*levels));
        if (levels == NULL)
            return SQLITE_NOMEM;
        x->levels = levels;
        x->capacity = capacity;
    }
    while (x->nlevels <= n)
        x->levels[x->nlevels++] = seerdb_batch_mark(x->batch);
    return SQLITE_OK;
}

int svt_txn_release(sqlite3_vtab *base, int n)
{
    struct svt_txn *x = find((struct svt_table *)base);
    if (x != NULL)
        drop_levels(x, n < 0 ? 0 : n);
    return SQLITE_OK;
}

int svt_txn_rollback_to(sqlite3_vtab *base, int n)
{
    struct svt_table *t = (struct svt_table *)base;
    struct svt_txn *x = find(t);
    if (x == NULL || !x->active || (n >= 0 && n >= x->nlevels))
        return SQLITE_OK;
    uint64_t mark = n < 0 ? 0 : x->levels[n];
    drop_levels(x, n + 1);
    /* Even if no write goes: SQLite has undone the marker. */
    int rc = make_writable(t, x);
    if (rc == SQLITE_OK &&
        (seerdb_batch_writes(x->batch) != mark || x->sweep.iter != NULL))
        roll_back_to(x, mark);
    return rc;
}

/* ---- for the other modules ------------------------------------------------- */

int svt_txn_write(struct svt_table *t, seerdb_batch **out)
{
    struct svt_txn *x = NULL;
    int rc = join(t, &x);
    if (rc == SQLITE_OK)
        rc = make_writable(t, x);
    if (rc == SQLITE_OK)
        rc = settle(t, x);
    if (rc != SQLITE_OK)
        return rc;
    touch(x, t->ks);
    *out = x->batch;
    return svt_marker_expect(t, x->batch);
}

int svt_txn_delete(struct svt_table *t, seerdb_slice key, bool *taken)
{
    struct svt_txn *x = find(t);
    seerdb_err err;
    *taken = false;
    if (x == NULL || x->sweep.iter == NULL)
        return SQLITE_OK;
    err.code = SEERDB_OK; /* the rest is set with it */
    err.msg[0] = 0;
    return svt_table_fail(t, svt_sweep_take(&x->sweep, t->ks, key, taken, &err), &err);
}

bool svt_txn_deleted(struct svt_table *t, seerdb_slice key)
{
    struct svt_txn *x = find(t);
    return x != NULL && svt_sweep_note(&x->sweep, t->ks, key);
}

int svt_txn_watch(struct svt_table *t, seerdb_view *view)
{
    struct svt_txn *x = find(t);
    seerdb_err err = {0};
    return svt_table_fail(t, svt_sweep_arm(&x->sweep, view, x->batch, &err), &err);
}

uint64_t svt_txn_decided_below(struct svt_table *t)
{
    struct svt_txn *x = find(t);
    return x != NULL && x->prepared && x->number != 0
               ? x->number
               : seerdb_commit_ceiling(t->ks->store->db);
}

void svt_txn_note_write(struct svt_table *t, seerdb_batch *batch)
{
    if (t->ks->first_write == SVT_NO_WRITE)
        t->ks->first_write = seerdb_batch_writes(batch);
}

void svt_txn_undo(struct svt_table *t, uint64_t mark)
{
    struct svt_txn *x = find(t);
    if (x != NULL)
        roll_back_to(x, mark);
}

int svt_txn_spill(struct svt_table *t, seerdb_err *err)
{
    struct svt_txn *x = find(t);
    if (x == NULL || !x->active || x->prepared)
        return SEERDB_OK;
    int rc = svt_sweep_settle(&x->sweep, x->batch, err);
    return rc == SEERDB_OK ? seerdb_batch_spill(x->batch, err) : rc;
}

int svt_txn_batch(struct svt_table *t, seerdb_batch **out, uint64_t *epoch)
{
    struct svt_txn *x = find(t);
    *epoch = x != NULL ? x->epoch : 0;
    *out = svt_txn_wrote(t) ? x->batch : NULL;
    return *out != NULL && x->sweep.ks == t->ks ? settle(t, x) : SQLITE_OK;
}

bool svt_txn_wrote(const struct svt_table *t)
{
    return t->ks != NULL && t->ks->first_write != SVT_NO_WRITE;
}

void svt_txn_leave(struct svt_table *t)
{
    struct svt_txn *x = t->joined;
    seerdb_err err = {0};
    if (x == NULL)
        return;
    t->joined = NULL;
    if (--x->njoined > 0 || !x->active)
        return;
    /* Nothing of ours is left in SQLite's transaction, so nobody will tell of its end.
     */
    if (seerdb_rollback(x->batch, &err) != SEERDB_OK)
        sqlite3_log(SQLITE_WARNING, "seerdb: %s: rollback: %s", t->who, err.msg);
    finish(x);
}

int svt_txn_created(struct svt_table *t)
{
    struct svt_txn *x = NULL;
    size_t size = strlen(t->schema_name) + 1;
    int rc = join(t, &x);
    if (rc != SQLITE_OK)
        return rc;
    struct created *c = sqlite3_malloc64(sizeof(*c) + size);
    if (c == NULL)
        return SQLITE_NOMEM;
    c->tree = t->ks->id;
    memcpy(c->schema, t->schema_name, size);
    c->next = x->created;
    x->created = c;
    touch(x, t->ks);
    t->ks->moved = true;
    return SQLITE_OK;
}

void svt_txn_sweep(struct svt_conn *conn)
{
    struct svt_txn **at = &conn->txns;
    while (*at != NULL) {
        struct svt_txn *x = *at;
        struct svt_link *l = conn->links;
        while (l != NULL && l->store != x->store)
            l = l->next;
        if (x->active || l != NULL) {
            at = &x->next;
            continue;
        }
        *at = x->next;
        txn_free(x);
    }
}

void svt_txn_free_all(struct svt_conn *conn)
{
    while (conn->txns != NULL) {
        struct svt_txn *x = conn->txns;
        conn->txns = x->next;
        finish(x);
        txn_free(x);
    }
}
