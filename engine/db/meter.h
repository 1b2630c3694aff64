/* SPDX-License-Identifier: Apache-2.0
 *
 * meter -- what is measured while a store works, at no cost worth mentioning.
 *
 * Counts of reads are kept per view, in a *tally* that one thread writes and that no
 * other thread's writes come near; whoever asks adds up the tallies of a tree.  How
 * long operations take is measured for one in many, and goes to a histogram that is
 * made with the first of them: see SDB_OP_EVERY.
 *
 * A new kind of operation is one line in enum sdb_op and one in the list of metrics.c;
 * a new count of reads is one line in enum sdb_tally_of. */
#ifndef SDB_DB_METER_H
#define SDB_DB_METER_H

#include "base/histogram.h"
#include "os/clock.h"
#include "os/sync.h"
#include "table/table_reader.h"

enum sdb_op {
    SDB_OP_GET,
    SDB_OP_SEEK, /* an iterator goes to a key, or to an end */
    SDB_OP_SCAN, /* it goes on from there, beyond the rows that it has at hand */
    SDB_OP_PUT,
    SDB_OP_DELETE,
    SDB_OP_MERGE,
    SDB_OP_FLUSH,
    SDB_OP_COMPACTION,
    SDB_OP_COMMIT, /* of the store, not of a tree */
    SDB_OPS
};

/* One in so many is timed: powers of two.  Two looks at the clock take some 50 ns. */
#define SDB_READ_EVERY   64u
#define SDB_WRITE_EVERY  64u
#define SDB_COMMIT_EVERY 8u
/* The same of point lookups whose models are checked against the truth. */
#define SDB_MODEL_EVERY 512u

struct sdb_meter {
    _Atomic(struct sdb_histogram *) of[SDB_OPS]; /* owned; nanoseconds; NULL: none yet.
                                                    acq_rel */
};

/* Any thread.  For want of memory the value is lost. */
void sdb_meter_add(struct sdb_meter *m, enum sdb_op op, uint64_t ns);
/* NULL: none yet. */
const struct sdb_histogram *sdb_meter_of(const struct sdb_meter *m, enum sdb_op op);
size_t sdb_meter_memory(const struct sdb_meter *m);
void sdb_meter_fini(struct sdb_meter *m);

/* ---- reads ------------------------------------------------------------------------
 */

enum sdb_tally_of {
    SDB_TALLY_GETS,
    SDB_TALLY_ITERATORS,
    SDB_TALLY_SEEKS,
    SDB_TALLY_MOVES, /* that did more than to take a row at hand */
    SDB_TALLY_ROWS,  /* that iterators stood on */
    SDB_TALLIES
};

struct sdb_tally {
    _Atomic uint64_t n[SDB_TALLIES]; /* relaxed; one thread writes: sdb_count */
    struct sdb_table_counts lookups;
    _Atomic uint64_t began;    /* the lookup under way; 0: it is not timed.  Relaxed */
    _Atomic uint64_t since_us; /* when its view was opened; 0: it rests.  Relaxed */
    struct sdb_tally *next;    /* of the tree's; under LK_DB */
};

/* Adds without a locked instruction: of threads that meet one is lost. */
static inline uint64_t sdb_count(_Atomic uint64_t *counter, uint64_t more)
{
    uint64_t n = atomic_load_explicit(counter, memory_order_relaxed) + more;
    atomic_store_explicit(counter, n, memory_order_relaxed);
    return n;
}

static inline uint64_t sdb_counted(const _Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

/* What tallies of a tree come to.  All zeros is none. */
struct sdb_tallies {
    struct sdb_tally *first; /* borrowed: of open views and views at rest */
    struct sdb_tally past;   /* of those that are gone */
};

/* The tally of a new view; what was left over since one was timed last goes with it, so
 * that short lives are sampled as often as long ones. */
void sdb_tallies_enter(struct sdb_tallies *all, struct sdb_tally *t) REQUIRES(LK_DB);
void sdb_tallies_leave(struct sdb_tallies *all, struct sdb_tally *t) REQUIRES(LK_DB);
/* Add up into *sum, which begins all zeros; since_us is the earliest, 0: no view is
 * open.  *nopen counts the open ones. */
void sdb_tallies_sum(const struct sdb_tallies *all, struct sdb_tally *sum,
                     size_t *nopen) REQUIRES(LK_DB);
/* A table goes: its counts stay. */
void sdb_tallies_retire(struct sdb_tallies *all, const struct sdb_table_counts *counts)
    REQUIRES(LK_DB);
void sdb_table_counts_add(struct sdb_table_counts *into,
                          const struct sdb_table_counts *from);

/* ---- writes ------------------------------------------------------------------------
 */

/* Of a tree since the store was opened.  Relaxed. */
struct sdb_written {
    _Atomic uint64_t puts, deletes, merges, ranges, bytes; /* written under LK_WRITE */
    /* By its background, in bytes of files; by one thread each. */
    _Atomic uint64_t flushed_from, flushed, compacted_from, compacted;
};

#endif
