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
 * borrowed until the next call.  One thread at a time. */
#ifndef SDB_TABLE_ITER_H
#define SDB_TABLE_ITER_H

#include "table/key.h"

struct sdb_iter {
    const struct sdb_iter_ops *ops;
    struct sdb_record at;
    seerdb_pin *pin; /* borrowed: what at.key and at.value live in */
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
};

static inline void sdb_iter_close(struct sdb_iter *it)
{
    if (it != NULL)
        it->ops->close(it);
}

#endif
