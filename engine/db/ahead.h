/* SPDX-License-Identifier: Apache-2.0
 *
 * ahead -- who reads the values of row after row has those of the next rows on their
 * way from the disk meanwhile.
 *
 * Rows in the order of their keys have their values in the order in which they were
 * written: the system cannot know which come next.  A second iterator, the *scout*, is
 * kept some rows before the reader's.
 *
 * Life: all zeros; due for every value read; where that says so, walk with the scout;
 * reset when the reader goes elsewhere.  One thread; no locks. */
#ifndef SDB_DB_AHEAD_H
#define SDB_DB_AHEAD_H

#include "db/values.h"
#include "table/iter.h"

#define SDB_AHEAD_MOST 16u /* values on their way */

struct sdb_ahead {
    unsigned streak;   /* values read since the reader came here; 0: nothing is on */
    unsigned until;    /* values, until something is looked at again */
    unsigned near;     /* of those about to be asked for, looked at and near, in turn */
    unsigned window;   /* values to have on their way */
    unsigned wasted;   /* asked for and not read, beyond those that were read */
    uint64_t ordinals; /* which segments of a row are read; a bit each */
    bool far, placed;  /* the disk is waited for; the scout has its place */
    bool ended;        /* there is nothing more to ask for */
    unsigned first, n; /* of the ring: what was asked for and not read yet */
    uint64_t bytes;    /* of all of them */
    struct sdb_value_place last;
    struct sdb_ahead_asked {
        uint64_t file, slot, size;
    } asked[SDB_AHEAD_MOST];
};

/* The reader goes elsewhere. */
static inline void sdb_ahead_reset(struct sdb_ahead *a)
{
    if (SDB_RARELY(a->streak != 0))
        *a = (struct sdb_ahead){0};
}

/* The segment is about to be read, the one of its row with that ordinal.  True: ask for
 * what comes next. */
bool sdb_ahead_due(struct sdb_ahead *a, struct sdb_values *vs,
                   const struct sdb_segment *s, unsigned ordinal) EXCLUDES(LK_DB);

/* Move the scout on and ask for what it finds. */
struct sdb_ahead_walk {
    struct sdb_iter *scout; /* unpositioned or where it was left */
    seerdb_slice key;       /* of the reader's row */
    seerdb_slice bound;     /* of the reader, in this direction; data NULL: none */
    enum sdb_step step;
};
/* Failures of the scout: the reader will come to the place and say what it is. */
void sdb_ahead_walk(struct sdb_ahead *a, struct sdb_values *vs,
                    const struct sdb_ahead_walk *w) EXCLUDES(LK_DB);

#endif
