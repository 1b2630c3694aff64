/* SPDX-License-Identifier: Apache-2.0
 *
 * batch -- the ordered, private writes of one transaction.
 *
 * Per tree a memtable whose numbers are write ordinals, so that reads merge it like any
 * other source.  Rolling back to a mark hides a range of ordinals.  All of it hangs on
 * a counted *scratch*, which iterators keep: commit and rollback give the batch a new
 * one. One thread at a time. */
#ifndef SDB_DB_BATCH_H
#define SDB_DB_BATCH_H

#include "db/state.h"

struct sdb_batch_part {
    seerdb_tree *tree; /* a counted handle */
    struct sdb_memtable *memtable;
    bool forgotten; /* nothing in it counts */
};

struct sdb_scratch {
    seerdb_pin pin; /* first member */
    struct sdb_batch_part *parts;
    size_t nparts;
    struct sdb_hidden_range *ranges; /* room for one more than hidden.n, always */
    size_t ranges_capacity;
    struct sdb_hidden hidden; /* borrows ranges */
};

/* A tree that the encoded commit writes. */
struct sdb_batch_slot {
    seerdb_tree *tree; /* borrowed from the scratch */
    size_t prev;       /* where its predecessor's number stands in the payload */
};

enum sdb_batch_phase { SDB_BATCH_OPEN, SDB_BATCH_PREPARED };

struct seerdb_batch {
    seerdb *db;
    struct sdb_scratch *scratch; /* counted; NULL: nothing written yet */
    uint64_t ordinal;            /* of the last write */
    enum sdb_batch_phase phase;
    struct sdb_buf payload;       /* the encoded commit */
    struct sdb_batch_slot *slots; /* owned: the trees in the payload */
    size_t nslots, slots_capacity;
    uint64_t number;   /* when prepared; 0: the batch was empty */
    uint64_t position; /* of the frame in the log */
    bool must_sync;    /* it follows a commit that was rolled back */
    bool synced;       /* prepared at SEERDB_SYNC_FULL */
    uint64_t nrecords; /* in the payload */
};

/* The part of a tree, or NULL. */
struct sdb_batch_part *sdb_batch_part(const seerdb_batch *b, const seerdb_tree *t);

/* Encode what stands into b->payload, one record per (tree, key), and list the trees it
 * touches in b->slots (none: nothing stands).  TOOBIG over SEERDB_COMMIT_MAX. */
int sdb_batch_encode(seerdb_batch *b, seerdb_err *err) SDB_MUST_CHECK;

/* Drop all writes; the batch is as new. */
void sdb_batch_reset(seerdb_batch *b);

#endif
