/* SPDX-License-Identifier: Apache-2.0
 *
 * snapshots -- the named snapshots of a tree, and what tables hold for their sake.
 *
 * A list is immutable and counted: a change makes another one; NULL is an empty list.
 * Any thread.  FORMAT.md, "Manifest", tags 13 to 15. */
#ifndef SDB_LOG_SNAPSHOTS_H
#define SDB_LOG_SNAPSHOTS_H

#include "base/buf.h"
#include "base/coding.h"

#include <stdatomic.h>

/* What a reader at `number` sees stays. */
struct sdb_snapshot {
    uint64_t number;
    uint64_t time_us;  /* when it was taken: microseconds since 1970 */
    seerdb_slice name; /* 1 to SEERDB_SNAPSHOT_NAME_MAX bytes, none of them zero, and a
                          zero behind them.  Borrowed from the list */
    /* Not on disk; in lists of struct seerdb_tree, changed under LK_INSTALL and LK_DB,
     * read under either. */
    bool pending; /* the manifest does not have it yet: nobody may read it, but what it
                     needs stays already */
    bool lost;    /* its state was given up; with pending: it is no snapshot at all */
};

struct sdb_snapshots {
    _Atomic uint32_t count;
    size_t n, nnumbers;
    uint64_t *numbers; /* of all, rising, each once; part of this allocation.  Without
                          0, at which nothing is seen */
    struct sdb_snapshot all[]; /* in order of creation */
};

/* `list` with *added, whose name is copied, at its end.  Requires: the name is new. */
int sdb_snapshots_with(const struct sdb_snapshots *list,
                       const struct sdb_snapshot *added, struct sdb_snapshots **out,
                       seerdb_err *err) SDB_MUST_CHECK;
/* `list` without the i-th, or without those that are lost and pending (SIZE_MAX);
 * *out is NULL if nothing is left. */
int sdb_snapshots_without(const struct sdb_snapshots *list, size_t i,
                          struct sdb_snapshots **out, seerdb_err *err) SDB_MUST_CHECK;
struct sdb_snapshots *sdb_snapshots_ref(struct sdb_snapshots *list); /* NULL too */
void sdb_snapshots_unref(struct sdb_snapshots *list);                /* NULL too */

static inline size_t sdb_snapshots_count(const struct sdb_snapshots *list)
{
    return list == NULL ? 0 : list->n;
}

/* For whoever keeps what readers at them need. */
static inline const uint64_t *sdb_snapshots_numbers(const struct sdb_snapshots *list)
{
    return list == NULL ? NULL : list->numbers;
}

static inline size_t sdb_snapshots_nnumbers(const struct sdb_snapshots *list)
{
    return list == NULL ? 0 : list->nnumbers;
}

/* The place of the name; their count if there is none, or only one that is none. */
size_t sdb_snapshots_find(const struct sdb_snapshots *list, seerdb_slice name);
/* Is there one at this number? */
bool sdb_snapshots_has(const struct sdb_snapshots *list, uint64_t number);
/* Has `list` one at a number below `floor` that `known` has not? */
bool sdb_snapshots_news_below(const struct sdb_snapshots *list,
                              const struct sdb_snapshots *known, uint64_t floor);
/* May a snapshot be called so? */
bool sdb_snapshot_name_is_good(seerdb_slice name);

void sdb_snapshot_encode(const struct sdb_snapshot *s, struct sdb_buf *to);
/* Borrows the name.  False: malformed. */
bool sdb_snapshot_decode(struct sdb_reader *r, struct sdb_snapshot *out);

/* What a table has only for readers at a number, and not for those at snapshots with
 * smaller ones. */
struct sdb_held {
    uint64_t number, records, bytes; /* of keys and values */
    uint64_t stale;  /* the records, once if superseded and once if tombstones */
    uint64_t ranges; /* range tombstones that hide what this snapshot sees */
};

/* Counts what is written to a table.  All zeros: nothing is held.  Life: init, add
 * (many), take (once for each table), fini. */
struct sdb_held_count {
    struct sdb_held *all; /* owned; one for each number */
    size_t n;
};

int sdb_held_count_init(struct sdb_held_count *c, const struct sdb_snapshots *list,
                        seerdb_err *err) SDB_MUST_CHECK;
/* Requires: number is one of the list's. */
void sdb_held_count_add(struct sdb_held_count *c, uint64_t number, size_t bytes,
                        unsigned stale);
/* A range tombstone that stays because readers at the number do not see it. */
void sdb_held_count_range(struct sdb_held_count *c, uint64_t number);
/* What was added since the last time: a new array; NULL if it was nothing. */
int sdb_held_count_take(struct sdb_held_count *c, struct sdb_held **held, size_t *n,
                        seerdb_err *err) SDB_MUST_CHECK;
void sdb_held_count_fini(struct sdb_held_count *c);

void sdb_held_encode(const struct sdb_held *held, size_t n, struct sdb_buf *to);
/* *held is a new array, NULL on failure.  CORRUPT: malformed. */
int sdb_held_decode(struct sdb_reader *r, struct sdb_held **held, size_t *n,
                    const char *where, seerdb_err *err) SDB_MUST_CHECK;

#endif
