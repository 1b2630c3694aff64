/* SPDX-License-Identifier: Apache-2.0
 *
 * batch -- the ordered, private writes of one transaction.
 *
 * Per tree a memtable whose numbers are write ordinals, so that reads merge it like any
 * other source.  Merges of one tree wait in a mergeset before it, until anybody looks
 * or writes something else: settling moves them over.  Rolling back to a mark hides a
 * range of ordinals.  A batch that grows beyond its share of memory moves the largest
 * memtable to private tables (spill.h), one for each span between live marks, so that
 * rolling back drops whole tables.  All of it hangs on a counted *scratch*, which
 * iterators keep: commit and rollback give the batch a new one. One thread at a time.
 */
#ifndef SDB_DB_BATCH_H
#define SDB_DB_BATCH_H

#include "db/state.h"
#include "tree/gather.h"
#include "tree/mergeset.h"

struct sdb_batch_part {
    seerdb_tree *tree;             /* a counted handle */
    struct sdb_memtable *memtable; /* counted: the writes after `since` */
    uint64_t since;                /* ordinal */
    struct sdb_version *runs; /* counted: those up to it; NULL: none, or none stand */
    size_t bytes;             /* of the memtable, as last looked at */
    bool forgotten;           /* nothing in it counts */
    bool merges;              /* some of it are */
    bool bases;               /* some were what merges may start from: put or deleted */
};

/* A merge record that is cumulated when its commit is applied has at most so many bytes
 * of value. */
#define SDB_CUMULATED_MAX ((size_t)256)

/* A mark that rollback_to may return to. */
struct sdb_batch_mark {
    uint64_t at; /* ordinal, not 0 */
    uint32_t count;
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
    seerdb_tree *tree;        /* borrowed from the scratch */
    size_t prev;              /* where its predecessor's number stands in the payload */
    struct sdb_version *runs; /* counted: all it consists of; NULL: nothing spilled */
    struct sdb_landing *landing; /* owned, of a prepared batch that spilled */
};

/* Whom a commit must pass before it takes its place in the log: db/txn.c. */
struct sdb_gate {
    int (*look)(void *ctx, seerdb_err *err); /* without locks */
    /* With LK_WRITE, when no slot of the batch is taken: is another one waited for; and
     * is all that `look` looked at still so? */
    bool (*waits)(void *ctx);
    int (*pass)(void *ctx, seerdb_err *err);
    void *ctx;
};

enum sdb_batch_phase { SDB_BATCH_OPEN, SDB_BATCH_PREPARED };

struct seerdb_batch {
    seerdb *db;
    struct sdb_scratch *scratch;  /* counted; NULL: nothing written yet */
    uint64_t ordinal;             /* of the last write */
    struct sdb_batch_mark *marks; /* owned; rising.  Room for one more, always */
    size_t nmarks, marks_capacity;
    /* Owned: an empty memtable for the next transaction's first part; NULL: none. */
    struct sdb_memtable *spare;
    /* Merges of one tree that no memtable has yet.  All other writes to the batch are
     * older. */
    struct sdb_mergeset merges;
    seerdb_tree *merged; /* which tree: one of the parts'.  Where there are any */
    size_t bytes;        /* of the memtables, the spare one's too */
    size_t held; /* of these and the indexes of private tables, as the store counts */
    bool lost;   /* rolled back to what no mark had kept apart: good for nothing */
    enum sdb_batch_phase phase;
    struct sdb_buf payload;       /* the encoded commit */
    struct sdb_buf apart;         /* scratch: a value with segments */
    uint64_t apart_bytes;         /* written to the value log, since it was empty */
    struct sdb_batch_slot *slots; /* owned: the trees in the payload */
    size_t nslots, slots_capacity;
    uint64_t number;            /* when prepared; 0: the batch was empty */
    uint64_t position;          /* of the frame in the log */
    bool must_sync;             /* it follows a commit that was rolled back */
    bool asks_sync;             /* prepared at another level than SEERDB_SYNC_OFF */
    uint64_t nrecords, nmerges; /* in the payload; of these, merge records */
    uint64_t nvlogs;            /* files of the value log that it names */
    struct sdb_merging merging; /* owned: scratch */
    struct sdb_buf operand;     /* the same */
    const seerdb_interrupt *interrupt; /* borrowed; NULL: nobody */
    const struct sdb_gate *gate;       /* borrowed; NULL: none */
    unsigned writes, commits;          /* since it was made, and before: one in so many
                                          is timed */
    uint64_t began;                    /* the write under way that is timed, where it
                                          began before batch_write; 0: it did not */
    uint64_t commit_ns;                /* that its prepare took; 0: it is not timed */
};

/* Bytes of keys and values that the encoded commit may make of its records. */
static inline size_t sdb_batch_applied_max(const struct seerdb_batch *b)
{
    return b->payload.size + (size_t)b->nmerges * SDB_CUMULATED_MAX;
}

/* Before parts are read: have their memtables hold all that was written.  A failure
 * leaves the batch as it was. */
int sdb_batch_settle(seerdb_batch *b, seerdb_err *err) SDB_MUST_CHECK;

/* The part of a tree, or NULL. */
struct sdb_batch_part *sdb_batch_part(const seerdb_batch *b, const seerdb_tree *t);

/* Reads at the mark are possible, MISUSE if not: nothing was spilled, or a mark kept
 * apart what was written before and after it. */
int sdb_batch_check_mark(const struct sdb_batch_part *part, uint64_t mark,
                         seerdb_err *err) SDB_MUST_CHECK;

/* Look a key up in what was written up to the mark.  NOTFOUND. */
int sdb_batch_get(const seerdb_batch *b, const struct sdb_batch_part *part,
                  uint64_t mark, seerdb_slice key, struct sdb_found *out,
                  seerdb_err *err) SDB_MUST_CHECK;

/* Does who reads at the mark see this private table of the batch? */
bool sdb_batch_sees(const seerdb_batch *b, const struct sdb_member *m, uint64_t mark);

/* Let these private tables (spill.h), of the ordinals up to `to`, be what the batch
 * writes to the tree; takes a count.  Requires: the batch is empty. */
int sdb_batch_take_runs(seerdb_batch *b, seerdb_tree *t, struct sdb_version *runs,
                        uint64_t to, seerdb_err *err) SDB_MUST_CHECK;

/* MISUSE when the batch is lost. */
int sdb_batch_check(const seerdb_batch *b, seerdb_err *err) SDB_MUST_CHECK;

/* Write what the part has in memory to tables, one for each span between marks. */
int sdb_batch_spill_part(seerdb_batch *b, struct sdb_batch_part *part, seerdb_err *err)
    SDB_MUST_CHECK;

/* Are there tables of the part that were not rolled back? */
bool sdb_batch_has_tables(const seerdb_batch *b, const struct sdb_batch_part *part);
/* Does nothing of it stand?  False, too, when there is no memory to tell. */
bool sdb_batch_part_is_empty(const seerdb_batch *b, const struct sdb_batch_part *part);

/* Forget the encoded commit.  Its landings are others' by now. */
void sdb_batch_drop_slots(seerdb_batch *b);

/* Drop all writes; the batch is as new. */
void sdb_batch_reset(seerdb_batch *b);

/* Free what a reset keeps for the next transaction. */
void sdb_batch_drop_spare(seerdb_batch *b);

#endif
