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

#include <string.h>

struct created {
    struct created *next;
    seerdb_uuid tree;
    char schema[]; /* whose shadow row names it */
};

struct svt_txn {
    struct svt_txn *next;
    struct svt_store *store; /* counted */
    seerdb_batch *batch;     /* owned */
    bool active, prepared;
    uint64_t epoch;
    uint64_t *levels; /* owned: mark of each savepoint level */
    int nlevels, capacity;
    struct svt_keyspace *touched; /* counted, linked by next_touched */
    struct created *created;      /* owned */
    bool looked;                  /* for trees to collect, when there were ... */
    uint64_t seen_intents;        /* ... so many intents */
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
    seerdb_batch_free(x->batch);
    svt_handles_close(x->store);
    sqlite3_free(x->levels);
    sqlite3_free(x);
}

/* The transaction of t's store, joined. */
static int join(struct svt_table *t, struct svt_txn **out)
{
    seerdb_err err = {0};
    struct svt_txn *x = find(t);
    if (x == NULL) {
        if ((x = sqlite3_malloc64(sizeof(*x))) == NULL)
            return SQLITE_NOMEM;
        *x = (struct svt_txn){.store = svt_handles_ref(t->ks->store)};
        int rc = seerdb_batch_new(x->store->db, &x->batch, &err);
        if (rc != SEERDB_OK) {
            txn_free(x);
            return svt_table_fail(t, rc, &err);
        }
        x->next = t->conn->txns;
        t->conn->txns = x;
    }
    x->active = true;
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

enum reset { RESET_WRITES, RESET_ALL };

/* Forget what the transaction knows of its trees; with RESET_ALL the readers' view too.
 */
static void reset(struct svt_txn *x, enum reset what)
{
    while (x->touched != NULL) {
        struct svt_keyspace *ks = x->touched;
        x->touched = ks->next_touched;
        if (what == RESET_ALL) {
            seerdb_view_close(ks->view);
            ks->view = NULL;
            ks->readers = 0;
        }
        seerdb_view_close(ks->write_view);
        ks->write_view = NULL;
        ks->first_write = SVT_NO_WRITE;
        ks->max_known = false;
        ks->touched = false;
        ks->next_touched = NULL;
        svt_keyspace_unref(ks);
    }
    x->nlevels = 0;
    x->epoch++;
}

/* Statements that begin now see what the transaction did. */
static void finish(struct svt_txn *x)
{
    reset(x, RESET_ALL);
    while (x->created != NULL) {
        struct created *c = x->created;
        x->created = c->next;
        sqlite3_free(c);
    }
    x->active = x->prepared = false;
}

/* Take a prepare back before something changes the batch. */
static int make_writable(struct svt_table *t, struct svt_txn *x)
{
    seerdb_err err = {0};
    if (!x->prepared)
        return SQLITE_OK;
    int rc = seerdb_unprepare(x->batch, &err);
    if (rc == SEERDB_OK)
        x->prepared = false;
    return svt_table_fail(t, rc, &err);
}

static void roll_back_to(struct svt_txn *x, uint64_t mark)
{
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

/* A failure is no failure of the statement that happened to collect: the tree stays and
 * the next connection tries again. */
static void collect(struct svt_table *t, struct svt_txn *x)
{
    uint64_t intents = svt_handles_intents(x->store);
    if (x->looked && x->seen_intents == intents)
        return;
    x->looked = true;
    x->seen_intents = intents;
    struct ids l = {.owner = t->owner};
    if (seerdb_trees(x->store->db, see_tree, &l, NULL) != SEERDB_OK || l.failed ||
        l.n == 0 ||
        svt_shadow_each(t->conn, t->schema_name, see_shadow, &l) != SQLITE_OK)
        goto out;
    for (size_t i = 0; i < l.n; i++) {
        seerdb_tree *tree = NULL;
        seerdb_err err = {0};
        if (l.named[i] ||
            seerdb_tree_open(x->store->db, &l.ids[i], &tree, &err) != SEERDB_OK)
            continue;
        if (seerdb_tree_drop(tree, &err) != SEERDB_OK)
            sqlite3_log(SQLITE_WARNING, "seerdb: a dropped table's space is kept: %s",
                        err.msg);
    }
out:
    ids_fini(&l);
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

/* CREATE undone by ROLLBACK TO calls nobody back: note the intent for trees that no
 * shadow row names when the transaction commits. */
static int disown_undone(struct svt_table *t, struct svt_txn *x)
{
    int rc = SQLITE_OK;
    for (struct created *c = x->created; c != NULL && rc == SQLITE_OK; c = c->next) {
        struct ids l = {.n = 0};
        rc = ids_add(&l, &c->tree) ? svt_shadow_each(t->conn, c->schema, see_shadow, &l)
                                   : SQLITE_NOMEM;
        if (rc == SQLITE_OK && !l.named[0])
            intend_drop(x, &c->tree);
        ids_fini(&l);
    }
    return rc;
}

/* ---- the methods ----------------------------------------------------------- */

int svt_txn_begin(sqlite3_vtab *base)
{
    struct svt_table *t = (struct svt_table *)base;
    struct svt_txn *x = NULL;
    int rc = svt_table_open(t);
    if (rc == SQLITE_OK)
        rc = join(t, &x);
    if (rc != SQLITE_OK)
        return rc;
    /* A transaction whose tables were all dropped ends without a call to us: what is
     * left of it must not pass for this one's.  Levels are announced again. */
    if (!x->prepared && seerdb_batch_is_empty(x->batch, NULL))
        reset(x, RESET_WRITES);
    if (sqlite3_get_autocommit(t->conn->db))
        collect(t, x);
    return SQLITE_OK;
}

int svt_txn_sync(sqlite3_vtab *base)
{
    struct svt_table *t = (struct svt_table *)base;
    struct svt_txn *x = find(t);
    seerdb_err err = {0};
    uint64_t number;
    if (x == NULL || !x->active || x->prepared)
        return SQLITE_OK;
    if (x->created != NULL) {
        int rc = disown_undone(t, x);
        if (rc != SQLITE_OK)
            return rc;
    }
    int rc = seerdb_prepare(x->batch, svt_handles_sync(x->store), &number, &err);
    x->prepared = rc == SEERDB_OK;
    return svt_table_fail(t, rc, &err);
}

int svt_txn_commit(sqlite3_vtab *base)
{
    struct svt_table *t = (struct svt_table *)base;
    struct svt_txn *x = find(t);
    if (x == NULL || !x->active)
        return SQLITE_OK;
    if (x->prepared)
        seerdb_commit(x->batch);
    finish(x);
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

int svt_txn_savepoint(sqlite3_vtab *base, int n)
{
    struct svt_table *t = (struct svt_table *)base;
    struct svt_txn *x = find(t);
    if (x == NULL || n < x->nlevels)
        return SQLITE_OK;
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
    if (x != NULL && n < x->nlevels)
        x->nlevels = n < 0 ? 0 : n;
    return SQLITE_OK;
}

int svt_txn_rollback_to(sqlite3_vtab *base, int n)
{
    struct svt_table *t = (struct svt_table *)base;
    struct svt_txn *x = find(t);
    if (x == NULL || !x->active || (n >= 0 && n >= x->nlevels))
        return SQLITE_OK;
    uint64_t mark = n < 0 ? 0 : x->levels[n];
    x->nlevels = n + 1;
    if (seerdb_batch_mark(x->batch) == mark)
        return SQLITE_OK;
    int rc = make_writable(t, x);
    if (rc == SQLITE_OK)
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
    if (rc != SQLITE_OK)
        return rc;
    touch(x, t->ks);
    *out = x->batch;
    return SQLITE_OK;
}

void svt_txn_note_write(struct svt_table *t, seerdb_batch *batch)
{
    if (t->ks->first_write == SVT_NO_WRITE)
        t->ks->first_write = seerdb_batch_mark(batch);
}

void svt_txn_undo(struct svt_table *t, uint64_t mark)
{
    struct svt_txn *x = find(t);
    if (x != NULL)
        roll_back_to(x, mark);
}

seerdb_batch *svt_txn_batch(struct svt_table *t, uint64_t *epoch)
{
    struct svt_txn *x = find(t);
    *epoch = x != NULL ? x->epoch : 0;
    return svt_txn_wrote(t) ? x->batch : NULL;
}

bool svt_txn_wrote(const struct svt_table *t)
{
    return t->ks != NULL && t->ks->first_write != SVT_NO_WRITE;
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
