/* SPDX-License-Identifier: Apache-2.0
 *
 * picker -- which tables of a version to compact next, and whether any.
 *
 * A pure function of a version and a policy: no threads, no I/O, no memory of what it
 * said before.  Whoever applies its picks one after the other comes to an end.
 *
 * Levels are 0 (each flush a run of its own), 1 to SDB_BOTTOM - 1, and the bottom. One
 * model covers the policies: so many runs per level above the bottom, so many at the
 * bottom.  One pick is applied at a time: nothing else may change the tables that it
 * names meanwhile; new runs may appear in level 0. */
#ifndef SDB_TREE_PICKER_H
#define SDB_TREE_PICKER_H

#include "tree/version.h"

#define SDB_LEVELS 7u
#define SDB_BOTTOM (SDB_LEVELS - 1)

struct sdb_policy {
    enum seerdb_compaction kind;
    uint64_t batch_size; /* what level 0 is expected to pass down at a time */
    uint64_t table_size; /* wanted, of an output */
    unsigned trigger;    /* runs of level 0 that ask for a compaction */
    unsigned ratio;      /* of the sizes of neighbouring levels, with one run each */
    unsigned runs;       /* per level, with more than one */
    bool pack_bottom;    /* the bottom is compressed, other levels are not */
    bool full;           /* asked for: everything into one run at the bottom */
    uint64_t now_us; /* tables of which enough has expired by now are compacted; 0: rows
                        do not expire */
    bool drops_expired; /* tables that are known to have expired whole go unread */
    uint64_t droppable; /* what has a number from here on may have to stay */
    const uint64_t *snapshots; /* borrowed; rising: what they need stays */
    size_t nsnapshots;
    uint64_t flushed; /* commits up to here are in tables: those with greater
                         numbers have older ones above them in memory */
};

/* The level as the policy sees it. */
struct sdb_level {
    uint32_t runs, tables;
    uint64_t bytes, records, tombstones, ranges;
    uint64_t target; /* bytes it may have; 0: it has no such bound */
    double score;    /* from 1 on it wants to be compacted */
};

/* Fill levels[SDB_LEVELS].  Levels deeper than SDB_BOTTOM count as the bottom. */
void sdb_picker_levels(const struct sdb_version *v, const struct sdb_policy *p,
                       struct sdb_level *levels);

enum sdb_pick_kind {
    SDB_PICK_NONE,
    SDB_PICK_MOVE, /* the tables go to another level as they are */
    SDB_PICK_MERGE,
    SDB_PICK_DROP /* nobody needs what is in the tables: they go unread */
};

struct sdb_pick {
    enum sdb_pick_kind kind;
    const char *reason; /* static */
    uint32_t *inputs;   /* owned; places in the version's members, rising */
    size_t n;
    uint64_t bytes; /* of the inputs */
    uint32_t level; /* the uppermost of the inputs */
    uint32_t output_level;
    uint64_t output_run;
    bool last;        /* nothing older than the inputs overlaps them */
    bool later;       /* nothing now, but when what may be dropped has grown */
    uint64_t due_us;  /* nor before then, when enough of a table expires, or all of it;
                         0: never */
    uint32_t cut_run; /* cut outputs where tables of this run begin; nruns: nowhere */
};

/* Requires: *out is all zeros or was finished. */
int sdb_pick(const struct sdb_version *v, const struct sdb_policy *p,
             struct sdb_pick *out, seerdb_err *err) SDB_MUST_CHECK;
void sdb_pick_fini(struct sdb_pick *pick);

#endif
