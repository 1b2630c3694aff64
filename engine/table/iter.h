/* SPDX-License-Identifier: Apache-2.0
 *
 * iter -- the interface of everything sorted: memtables, tables, merges of them.
 *
 * An iterator stands on a *user key* and shows one of its versions.  It is opened
 * with a ceiling: versions with a number above it do not exist for it, nor do keys
 * that have no other.  Positioning (first, last, seek, seek_for_prev, next, prev)
 * lands on the newest visible version of a key; older() walks down the versions of
 * the same key, and next and prev then go on from that key.
 *
 * Positioning answers 0 or SEERDB_NOTFOUND at an end (the iterator is then
 * unpositioned and next, prev and older are not allowed), or a failure, after which
 * only close is.  older answers NOTFOUND when there is none and stays where it was.
 * key, number, kind, value and pin are set by every call that answers 0 and are
 * borrowed until the next call.  One thread at a time.
 *
 * Steps without a call.  A call that answers 0 may also say that the record shown is
 * record `slot` of `block` and that the next `plain` records of the block in the
 * direction of the move (next, first and seek: forward; prev, last and seek_for_prev:
 * backward) are what as many calls of next, or prev, would show.  The caller may take
 * some of them by itself, moving slot and counting plain down; `at` is then its own
 * matter (sdb_iter_take).  Any call goes on from where slot is.  older needs at, and
 * leaves nothing plain when it answers 0.
 *
 * Interrupts.  A move may pass over any number of keys that do not exist for the
 * iterator.  It asks `interrupt` meanwhile, which whoever aims the iterator sets
 * (borrowed; NULL: nobody), and may answer INTERRUPTED. */
#ifndef SDB_TABLE_ITER_H
#define SDB_TABLE_ITER_H

#include "base/interrupt.h"
#include "table/block.h"

struct sdb_iter {
    const struct sdb_iter_ops *ops;
    struct sdb_record at;
    seerdb_pin *pin;               /* borrowed: what at.key and at.value live in */
    const struct sdb_block *block; /* borrowed; NULL: plain is 0 */
    uint32_t slot, plain;
    uint64_t as; /* the number of all records of block; 0: they have their own */
    const seerdb_interrupt *interrupt;
    uint32_t passed; /* keys passed over, by all moves */
    bool chains; /* older() may pass over what the merge record shown includes.  Set by
                    whoever aims an iterator of a memtable; others do not know it */
};

struct sdb_iter_ops {
    int (*first)(struct sdb_iter *it, seerdb_err *err);
    int (*last)(struct sdb_iter *it, seerdb_err *err);
    int (*seek)(struct sdb_iter *it, seerdb_slice key, seerdb_err *err); /* >= */
    int (*seek_for_prev)(struct sdb_iter *it, seerdb_slice key,
                         seerdb_err *err); /* <= */
    int (*next)(struct sdb_iter *it, seerdb_err *err);
    int (*prev)(struct sdb_iter *it, seerdb_err *err);
    int (*older)(struct sdb_iter *it, seerdb_err *err);
    void (*close)(struct sdb_iter *it); /* frees it and gives its counts back */
    /* Give the counts back and keep the memory: after that it can only be closed or
     * aimed at something else by a function of its module.  NULL: has no such. */
    void (*rest)(struct sdb_iter *it);
};

/* For loops inside of a move: one more key is passed over. */
static inline int sdb_iter_pass(struct sdb_iter *it, seerdb_err *err)
{
    return ++it->passed % SDB_INTERRUPT_STEPS != 0
               ? 0
               : sdb_interrupt_ask(it->interrupt, err);
}

static inline void sdb_iter_close(struct sdb_iter *it)
{
    if (it != NULL)
        it->ops->close(it);
}

enum sdb_step { SDB_STEP_FORWARD = 1, SDB_STEP_BACKWARD = -1 };

/* Take the next plain record.  Requires: plain > 0, step is the last move's direction.
 */
static inline void sdb_iter_take(struct sdb_iter *it, enum sdb_step step)
{
    it->plain--;
    it->slot += (uint32_t)step;
    sdb_block_record(it->block, it->slot, &it->at);
    if (it->as != 0)
        it->at.number = it->as;
}

/* For iterators that show what another one, their source, shows: take its place over;
 * and tell it how far the caller has gone since. */
static inline void sdb_iter_show(struct sdb_iter *it, const struct sdb_iter *source)
{
    it->at = source->at;
    it->pin = source->pin;
    it->block = source->block;
    it->slot = source->slot;
    it->plain = source->plain;
    it->as = source->as;
}

static inline void sdb_iter_follow(struct sdb_iter *source, const struct sdb_iter *it)
{
    if (source->block == NULL || source->slot == it->slot)
        return;
    uint32_t gone =
        it->slot > source->slot ? it->slot - source->slot : source->slot - it->slot;
    source->plain -= gone;
    source->slot = it->slot;
}

#endif
