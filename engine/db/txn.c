/* SPDX-License-Identifier: Apache-2.0
 *
 * txn -- optimistic transactions: seerdb.h has the contract.
 *
 * The views of the trees are taken under LK_WRITE, so that no commit is published in
 * the middle.  The commit is an ordinary one of a batch that must pass a gate
 * (batch.h): first, without locks, all that the transaction rests on is compared with
 * the trees as they are then; then, under LK_WRITE and with every slot free of the
 * trees that it rests on, what was committed meanwhile, mostly nothing.  It gets its
 * number in the same breath.  So of two transactions that rest on what the other one
 * writes the second finds the first one's commit, or waits for it.
 *
 * A transaction that only read passes the gate, too, if it is to be serializable: it
 * may have seen a commit to one tree, and not yet another one that comes before it.
 *
 * What counts as a change must be found however much has been folded since.  A row
 * keeps the number of its commit.  A tombstone may be gone with all below it: then the
 * key is not there, and was there when the transaction began.  A key that came and went
 * meanwhile leaves no trace and does no harm: it is absent, as the transaction saw it.
 */
#include "db/batch.h"
#include "db/get.h"

struct txn_tree {
    seerdb_view *view; /* owned: as of the beginning; counts the tree's handle */
    bool rests;        /* the commit rests on some of it */
    uint64_t looked;   /* no commit to it up to this one has changed anything */
};

/* Something that the commit rests on. */
struct footing {
    uint64_t at; /* it is of the batch's write with this ordinal; 0: of a read */
    uint32_t tree;
    bool is_range;   /* [key, upper); upper empty: no bound.  Else a key */
    uint32_t nlower; /* their lengths; the bytes follow */
    uint32_t nupper;
};

struct seerdb_txn {
    seerdb *db;
    seerdb_batch *batch; /* owned */
    struct sdb_gate gate;
    enum seerdb_isolation isolation;
    bool over;
    struct sdb_buf footings; /* of reads, and of writes: rising `at` */
    struct sdb_buf written;
    size_t ntrees;
    struct txn_tree trees[];
};

/* ---- what it rests on ------------------------------------------------------------ */

static int find_tree(seerdb_txn *x, const seerdb_tree *tree, uint32_t *out,
                     seerdb_err *err)
{
    if (x->over)
        return sdb_fail(err, SEERDB_MISUSE, "%s: the transaction is over", x->db->dir);
    for (uint32_t i = 0; i < x->ntrees; i++)
        if (x->trees[i].view->tree == tree) {
            *out = i;
            return 0;
        }
    return sdb_fail(err, SEERDB_MISUSE,
                    "%s: the transaction was begun without the table %s", x->db->dir,
                    (const char *)tree->desc.name.data);
}

static int rest_on(seerdb_txn *x, const struct footing *f, seerdb_slice lower,
                   seerdb_slice upper, seerdb_err *err)
{
    struct sdb_buf *to = f->at != 0 ? &x->written : &x->footings;
    size_t before = to->size;
    struct footing whole = *f;
    if (lower.size > SEERDB_KEY_MAX || upper.size > SEERDB_KEY_MAX)
        return sdb_fail(err, SEERDB_TOOBIG, "a key is longer than %zu bytes",
                        SEERDB_KEY_MAX);
    whole.nlower = (uint32_t)lower.size;
    whole.nupper = (uint32_t)upper.size;
    sdb_buf_append(to, &whole, sizeof whole);
    sdb_buf_append_slice(to, lower);
    sdb_buf_append_slice(to, upper);
    int rc = sdb_buf_check(to, err);
    if (rc != 0) {
        to->size = before;
        to->failed = false;
    } else {
        x->trees[f->tree].rests = true;
    }
    return rc;
}

/* The footing at *at, which moves past it. */
static struct footing next_footing(const struct sdb_buf *from, size_t *at,
                                   seerdb_slice *lower, seerdb_slice *upper)
{
    struct footing f;
    memcpy(&f, from->data + *at, sizeof f);
    *lower = (seerdb_slice){from->data + *at + sizeof f, f.nlower};
    *upper = (seerdb_slice){from->data + *at + sizeof f + f.nlower, f.nupper};
    *at += sizeof f + f.nlower + f.nupper;
    return f;
}

/* ---- is it as it was? --------------------------------------------------------------
 */

static int conflict(const seerdb_view *was, seerdb_err *err)
{
    return sdb_fail(err, SEERDB_CONFLICT,
                    "%s: what the transaction rests on in the table %s was changed "
                    "since it began, at commit %" PRIu64 ": run it again",
                    was->tree->db->dir, (const char *)was->tree->desc.name.data,
                    was->number);
}

static int check_key(seerdb_view *was, seerdb_view *is, seerdb_slice key,
                     seerdb_err *err)
{
    uint64_t number = 0;
    int rc = sdb_get_number(is, key, &number, err);
    if (rc == 0)
        return number > was->number ? conflict(was, err) : 0;
    if (rc != SEERDB_NOTFOUND)
        return rc;
    rc = sdb_get_number(was, key, &number, err);
    return rc == 0 ? conflict(was, err) : rc == SEERDB_NOTFOUND ? 0 : rc;
}

static int open_range(seerdb_view *v, seerdb_slice lower, seerdb_slice upper,
                      seerdb_iter **out, seerdb_err *err)
{
    int rc = seerdb_iter_open(v, NULL, 0, out, err);
    if (upper.size == 0)
        upper.data = NULL;
    if (rc == 0)
        rc = seerdb_iter_bound(*out, lower, upper, err);
    return rc == 0 ? seerdb_iter_first(*out, err) : rc;
}

static bool same(seerdb_slice a, seerdb_slice b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

static int check_range(seerdb_view *was, seerdb_view *is, seerdb_slice lower,
                       seerdb_slice upper, seerdb_err *err)
{
    seerdb_iter *before = NULL, *now = NULL;
    int rc = open_range(was, lower, upper, &before, err);
    int rc2 = rc < 0 ? rc : open_range(is, lower, upper, &now, err);
    while (rc == 0 && rc2 == 0) {
        seerdb_value a, b;
        seerdb_iter_show(before, &a);
        seerdb_iter_show(now, &b);
        if (!same(a.key, b.key) || !same(a.bytes, b.bytes))
            break;
        rc = seerdb_iter_next(before, err);
        rc2 = rc < 0 ? rc : seerdb_iter_next(now, err);
    }
    seerdb_iter_close(before);
    seerdb_iter_close(now);
    if (rc < 0 || rc2 < 0)
        return rc < 0 ? rc : rc2;
    return rc == SEERDB_NOTFOUND && rc2 == SEERDB_NOTFOUND ? 0 : conflict(was, err);
}

/* now[i]: the tree's new view; NULL: nothing was committed to it. */
static int check_footings(const seerdb_txn *x, const struct sdb_buf *all,
                          seerdb_view *const *now, seerdb_err *err)
{
    int rc = 0;
    for (size_t at = 0; at < all->size && rc == 0;) {
        seerdb_slice lower, upper;
        struct footing f = next_footing(all, &at, &lower, &upper);
        seerdb_view *was = x->trees[f.tree].view, *is = now[f.tree];
        if (is != NULL)
            rc = f.is_range ? check_range(was, is, lower, upper, err)
                            : check_key(was, is, lower, err);
    }
    return rc;
}

static uint64_t last_commit(const struct txn_tree *t)
{
    /* acquire: pairs with the publication in sdb_apply */
    return atomic_load_explicit(&t->view->tree->last_commit, memory_order_acquire);
}

/* Compare with the trees as they are. */
static int check(seerdb_txn *x, seerdb_err *err)
{
    seerdb_view **now = sdb_array_new(x->ntrees + 1, sizeof(seerdb_view *));
    int rc = 0;
    if (now == NULL)
        return sdb_fail_nomem(err, x->ntrees * sizeof(seerdb_view *));
    for (size_t i = 0; i < x->ntrees; i++)
        now[i] = NULL;
    for (size_t i = 0; i < x->ntrees && rc == 0; i++) {
        struct txn_tree *t = &x->trees[i];
        t->looked = t->view->number;
        if (!t->rests || last_commit(t) == t->looked)
            continue;
        if ((rc = seerdb_view_open(t->view->tree, &now[i], err)) == 0)
            t->looked = now[i]->number;
    }
    if (rc == 0)
        rc = check_footings(x, &x->footings, now, err);
    if (rc == 0)
        rc = check_footings(x, &x->written, now, err);
    for (size_t i = 0; i < x->ntrees; i++)
        seerdb_view_close(now[i]);
    sdb_mem_free(now);
    return rc;
}

/* ---- the gate -----------------------------------------------------------------------
 */

static int gate_look(void *ctx, seerdb_err *err)
{
    return check(ctx, err);
}

/* Others that are undecided count as if they were committed before. */
static bool gate_waits(void *ctx) NO_TSA
{
    const seerdb_txn *x = ctx;
    sdb_lock_assert_held(&x->db->write_lock);
    for (size_t i = 0; i < x->ntrees; i++)
        if (x->trees[i].rests && x->trees[i].view->tree->undecided != NULL)
            return true;
    return false;
}

static int gate_pass(void *ctx, seerdb_err *err)
{
    seerdb_txn *x = ctx;
    for (size_t i = 0; i < x->ntrees; i++)
        if (x->trees[i].rests && last_commit(&x->trees[i]) != x->trees[i].looked)
            return check(x, err);
    return 0;
}

/* Nothing is to be written. */
static int commit_nothing(seerdb_txn *x, seerdb_err *err)
{
    seerdb *db = x->db;
    int rc = gate_look(x, err);
    if (rc != 0)
        return rc;
    sdb_lock_write(&db->write_lock);
    while (gate_waits(x))
        (void)sdb_cond_wait_ms(&db->slot_free, &db->write_lock, SDB_INTERRUPT_WAIT_MS);
    rc = gate_pass(x, err);
    sdb_unlock_write(&db->write_lock);
    return rc;
}

/* ---- the functions of seerdb.h --------------------------------------------------- */

static int open_views(seerdb_txn *x, seerdb_tree *const *trees, size_t n,
                      seerdb_err *err)
{
    seerdb *db = x->db;
    int rc = 0;
    sdb_lock_write(&db->write_lock);
    for (size_t i = 0; i < n && rc == 0; i++) {
        if (trees[i]->db != db)
            rc = sdb_fail(err, SEERDB_MISUSE,
                          "%s: the tree belongs to another store, %s", db->dir,
                          trees[i]->db->dir);
        else if (trees[i]->marked)
            rc = sdb_fail(err, SEERDB_MISUSE,
                          "%s: the table %s belongs to the transactions of its owner",
                          db->dir, (const char *)trees[i]->desc.name.data);
        else if ((rc = seerdb_view_open(trees[i], &x->trees[i].view, err)) == 0)
            x->ntrees++;
    }
    sdb_unlock_write(&db->write_lock);
    return rc;
}

int seerdb_txn_begin(seerdb *db, enum seerdb_isolation isolation,
                     seerdb_tree *const *trees, size_t n, seerdb_txn **out,
                     seerdb_err *err)
{
    int rc = sdb_check_process(db, err);
    if (rc != 0)
        return rc;
    if (n > UINT16_MAX)
        return sdb_fail(err, SEERDB_TOOBIG, "a transaction over %zu trees", n);
    size_t size = sizeof(seerdb_txn) + n * sizeof(struct txn_tree);
    seerdb_txn *x = sdb_mem_zalloc(size);
    if (x == NULL)
        return sdb_fail_nomem(err, size);
    x->db = db;
    x->isolation = isolation;
    x->gate = (struct sdb_gate){gate_look, gate_waits, gate_pass, x};
    if ((rc = seerdb_batch_new(db, &x->batch, err)) == 0 &&
        (rc = open_views(x, trees, n, err)) == 0)
        x->batch->gate = &x->gate;
    if (rc == 0)
        *out = x;
    else
        seerdb_txn_free(x);
    return rc;
}

void seerdb_txn_free(seerdb_txn *txn)
{
    if (txn == NULL)
        return;
    seerdb_batch_free(txn->batch);
    for (size_t i = 0; i < txn->ntrees; i++)
        seerdb_view_close(txn->trees[i].view);
    sdb_buf_fini(&txn->footings);
    sdb_buf_fini(&txn->written);
    sdb_mem_free(txn);
}

int seerdb_txn_get(seerdb_txn *txn, seerdb_tree *tree, seerdb_slice key,
                   seerdb_value *out, seerdb_err *err)
{
    struct footing f = {0};
    int rc = find_tree(txn, tree, &f.tree, err);
    if (rc == 0 && txn->isolation == SEERDB_SERIALIZABLE)
        rc = rest_on(txn, &f, key, (seerdb_slice){NULL, 0}, err);
    return rc == 0 ? seerdb_get(txn->trees[f.tree].view, txn->batch, SEERDB_BATCH_ALL,
                                key, out, err)
                   : rc;
}

int seerdb_txn_watch(seerdb_txn *txn, seerdb_tree *tree, seerdb_slice lower,
                     seerdb_slice upper, seerdb_err *err)
{
    struct footing f = {.is_range = true};
    int rc = find_tree(txn, tree, &f.tree, err);
    if (rc != 0 || (upper.data != NULL && sdb_slice_cmp(lower, upper) >= 0))
        return rc; /* nothing lies there */
    return rest_on(txn, &f, lower, upper, err);
}

int seerdb_txn_iter_open(seerdb_txn *txn, seerdb_tree *tree, seerdb_slice lower,
                         seerdb_slice upper, seerdb_iter **out, seerdb_err *err)
{
    uint32_t i = 0;
    seerdb_iter *it = NULL;
    int rc = find_tree(txn, tree, &i, err);
    if (rc == 0 && txn->isolation == SEERDB_SERIALIZABLE)
        rc = seerdb_txn_watch(txn, tree, lower, upper, err);
    if (rc == 0)
        rc = seerdb_iter_open(txn->trees[i].view, txn->batch,
                              seerdb_batch_writes(txn->batch), &it, err);
    if (rc == 0)
        rc = seerdb_iter_bound(it, lower, upper, err);
    if (rc == 0)
        *out = it;
    else
        seerdb_iter_close(it);
    return rc;
}

/* Note what the write is about to touch. */
static int begin_write(seerdb_txn *x, const seerdb_tree *tree, bool is_range,
                       seerdb_slice lower, seerdb_slice upper, seerdb_err *err)
{
    struct footing f = {.at = seerdb_batch_writes(x->batch) + 1, .is_range = is_range};
    int rc = find_tree(x, tree, &f.tree, err);
    return rc == 0 ? rest_on(x, &f, lower, upper, err) : rc;
}

/* The write failed: what was noted of it goes. */
static int end_write(seerdb_txn *x, size_t before, int rc)
{
    if (rc != 0)
        x->written.size = before;
    return rc;
}

int seerdb_txn_put(seerdb_txn *txn, seerdb_tree *tree, seerdb_slice key,
                   seerdb_slice value, seerdb_err *err)
{
    size_t before = txn->written.size;
    int rc = begin_write(txn, tree, false, key, (seerdb_slice){NULL, 0}, err);
    if (rc == 0)
        rc = seerdb_batch_put(txn->batch, tree, key, value, err);
    return end_write(txn, before, rc);
}

int seerdb_txn_delete(seerdb_txn *txn, seerdb_tree *tree, seerdb_slice key,
                      seerdb_err *err)
{
    size_t before = txn->written.size;
    int rc = begin_write(txn, tree, false, key, (seerdb_slice){NULL, 0}, err);
    if (rc == 0)
        rc = seerdb_batch_delete(txn->batch, tree, key, err);
    return end_write(txn, before, rc);
}

int seerdb_txn_merge(seerdb_txn *txn, seerdb_tree *tree, seerdb_slice key,
                     seerdb_slice operand, seerdb_err *err)
{
    size_t before = txn->written.size;
    int rc = begin_write(txn, tree, false, key, (seerdb_slice){NULL, 0}, err);
    if (rc == 0)
        rc = seerdb_batch_merge(txn->batch, tree, key, operand, err);
    return end_write(txn, before, rc);
}

int seerdb_txn_delete_range(seerdb_txn *txn, seerdb_tree *tree, seerdb_slice lower,
                            seerdb_slice upper, seerdb_err *err)
{
    size_t before = txn->written.size;
    uint32_t i;
    int rc = find_tree(txn, tree, &i, err);
    if (rc == 0 && upper.data != NULL && sdb_slice_cmp(lower, upper) < 0)
        rc = begin_write(txn, tree, true, lower, upper, err);
    if (rc == 0)
        rc = seerdb_batch_delete_range(txn->batch, tree, lower, upper, err);
    return end_write(txn, before, rc);
}

uint64_t seerdb_txn_mark(seerdb_txn *txn)
{
    return seerdb_batch_mark(txn->batch);
}

void seerdb_txn_release(seerdb_txn *txn, uint64_t mark)
{
    seerdb_batch_release(txn->batch, mark);
}

void seerdb_txn_rollback_to(seerdb_txn *txn, uint64_t mark)
{
    if (txn->over)
        return;
    seerdb_batch_rollback_to(txn->batch, mark);
    for (size_t at = 0, from = 0; at < txn->written.size; from = at) {
        seerdb_slice lower, upper;
        if (next_footing(&txn->written, &at, &lower, &upper).at > mark) {
            txn->written.size = from;
            break;
        }
    }
}

int seerdb_txn_commit(seerdb_txn *txn, enum seerdb_sync sync, seerdb_err *err)
{
    if (txn->over)
        return sdb_fail(err, SEERDB_MISUSE, "%s: the transaction is over",
                        txn->db->dir);
    int rc = sdb_check_process(txn->db, err);
    if (rc == 0)
        rc = seerdb_batch_is_empty(txn->batch, NULL)
                 ? commit_nothing(txn, err)
                 : seerdb_write(txn->batch, sync, err);
    txn->over = rc == 0 || rc == SEERDB_CONFLICT;
    return rc;
}
