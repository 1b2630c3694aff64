/* SPDX-License-Identifier: Apache-2.0
 *
 * Why an iterator, and not the cursor that the statement read: SQLite closes that
 * before the first xUpdate, and may have left rows out that the cursor had shown.  What
 * the iterator stands on is the truth about the key range at that moment; nobody can
 * add a row to it before the run is settled, because others are kept out by SQLite's
 * write lock and the transaction's own writes settle the run.
 *
 * A range tombstone costs every later reader of the range something, and an iterator
 * costs as much as many deletes: so neither is made for a few rows, and a transaction
 * that deletes every other row is asked less and less often whether it leaves any out.
 */
#include "sweep.h"

#include <string.h>

#define WAIT_FIRST 64         /* rows deleted in order before it is worth looking */
#define WAIT_MOST  (1u << 20) /* after so many vain tries that it is hardly tried */
#define RUN_LEAST  256        /* rows of a run that becomes a range */

static int compare(seerdb_slice a, seerdb_slice b)
{
    size_t n = a.size < b.size ? a.size : b.size;
    int c = n > 0 ? memcmp(a.data, b.data, n) : 0;
    return c != 0 ? c : (a.size > b.size) - (a.size < b.size);
}

static void set(struct svt_bytes *b, seerdb_slice key)
{
    svt_bytes_clear(b);
    svt_bytes_append(b, key.data, key.size);
}

bool svt_sweep_note(struct svt_sweep *s, struct svt_keyspace *ks, seerdb_slice key)
{
    int c = s->ks == ks && s->streak > 0 ? compare(key, svt_bytes_slice(&s->last)) : 0;
    if (c != 0 && s->streak == 1)
        s->falling = c < 0;
    s->streak = c != 0 && (c < 0) == s->falling ? s->streak + 1 : 1;
    s->ks = ks;
    set(&s->last, key);
    if (s->last.failed)
        s->streak = 0;
    return s->streak > (s->wait != 0 ? s->wait : WAIT_FIRST);
}

int svt_sweep_arm(struct svt_sweep *s, seerdb_view *view, seerdb_batch *batch,
                  seerdb_err *err)
{
    seerdb_slice last = svt_bytes_slice(&s->last);
    int rc = seerdb_iter_open(view, batch, SEERDB_BATCH_ALL, &s->iter, err);
    if (rc == SEERDB_OK)
        rc = s->falling ? seerdb_iter_seek_for_prev(s->iter, last, err)
                        : seerdb_iter_seek(s->iter, last, err);
    s->there = rc == SEERDB_OK;
    if (rc == SEERDB_OK || rc == SEERDB_NOTFOUND)
        return SEERDB_OK;
    svt_sweep_drop(s);
    return rc;
}

/* Room to note the key, so that noting cannot fail. */
static int reserve(struct svt_sweep *s, seerdb_slice key, seerdb_err *err)
{
    bool room = svt_bytes_reserve(&s->last, key.size);
    if (room && s->n == 0)
        room = svt_bytes_reserve(&s->first, key.size);
    if (room && s->n < RUN_LEAST)
        room = svt_bytes_reserve(&s->few, sizeof key.size + key.size);
    if (room)
        return SEERDB_OK;
    s->last.failed = s->first.failed = s->few.failed = false;
    *err = (seerdb_err){SEERDB_NOMEM, "no memory for the keys of deleted rows"};
    return SEERDB_NOMEM;
}

int svt_sweep_take(struct svt_sweep *s, const struct svt_keyspace *ks, seerdb_slice key,
                   bool *taken, seerdb_err *err)
{
    *taken = false;
    if (s->ks != ks || s->iter == NULL || !s->there)
        return SEERDB_OK;
    seerdb_slice next = seerdb_iter_key(s->iter);
    if (key.size != next.size || memcmp(key.data, next.data, key.size) != 0)
        return SEERDB_OK;
    /* All that may fail comes first: then this row is none of the run's. */
    int rc = reserve(s, key, err);
    if (rc != SEERDB_OK)
        return rc;
    rc = s->falling ? seerdb_iter_prev(s->iter, err) : seerdb_iter_next(s->iter, err);
    s->there = rc == SEERDB_OK;
    if (rc != SEERDB_OK && rc != SEERDB_NOTFOUND)
        return rc;
    if (s->n == 0)
        set(&s->first, key);
    set(&s->last, key);
    if (s->n < RUN_LEAST) { /* it may turn out to be too short */
        svt_bytes_append(&s->few, &key.size, sizeof key.size);
        svt_bytes_append(&s->few, key.data, key.size);
    }
    s->n++;
    *taken = true;
    return SEERDB_OK;
}

/* One by one. */
static int write_few(const struct svt_sweep *s, seerdb_batch *batch, seerdb_err *err)
{
    int rc = SEERDB_OK;
    for (size_t at = 0; at < s->few.size && rc == SEERDB_OK;) {
        seerdb_slice key = {s->few.data + at + sizeof key.size, 0};
        memcpy(&key.size, s->few.data + at, sizeof key.size);
        rc = seerdb_batch_delete(batch, s->ks->tree, key, err);
        at += sizeof key.size + key.size;
    }
    return rc;
}

/* The last key by itself: a key above it might be too long to be a bound. */
static int write_range(const struct svt_sweep *s, seerdb_batch *batch, seerdb_err *err)
{
    seerdb_slice lo = svt_bytes_slice(s->falling ? &s->last : &s->first);
    seerdb_slice hi = svt_bytes_slice(s->falling ? &s->first : &s->last);
    int rc = seerdb_batch_delete_range(batch, s->ks->tree, lo, hi, err);
    return rc == SEERDB_OK ? seerdb_batch_delete(batch, s->ks->tree, hi, err) : rc;
}

int svt_sweep_settle(struct svt_sweep *s, seerdb_batch *batch, seerdb_err *err)
{
    int rc = SEERDB_OK;
    if (s->iter == NULL)
        return SEERDB_OK;
    bool is_long = s->n >= RUN_LEAST;
    if (s->n > 0) {
        uint64_t mark = seerdb_batch_mark(batch);
        rc = is_long ? write_range(s, batch, err) : write_few(s, batch, err);
        if (rc != SEERDB_OK)
            seerdb_batch_rollback_to(batch, mark);
        seerdb_batch_release(batch, mark);
    }
    if (rc != SEERDB_OK)
        return rc;
    uint64_t wait = is_long ? 0 : s->wait != 0 ? 2 * s->wait : (uint64_t)2 * WAIT_FIRST;
    svt_sweep_drop(s);
    s->wait = wait < WAIT_MOST ? wait : WAIT_MOST;
    return SEERDB_OK;
}

void svt_sweep_drop(struct svt_sweep *s)
{
    seerdb_iter_close(s->iter);
    s->iter = NULL;
    s->ks = NULL;
    s->there = false;
    s->streak = s->n = 0;
    svt_bytes_clear(&s->few);
}

void svt_sweep_end(struct svt_sweep *s)
{
    svt_sweep_drop(s);
    s->wait = 0;
}

void svt_sweep_fini(struct svt_sweep *s)
{
    svt_sweep_end(s);
    svt_bytes_fini(&s->last);
    svt_bytes_fini(&s->first);
    svt_bytes_fini(&s->few);
}
