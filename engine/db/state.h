/* SPDX-License-Identifier: Apache-2.0
 *
 * state -- struct seerdb, struct seerdb_tree, what readers pin, and who guards what.
 *
 * Three locks, taken in this order:
 *
 *   LK_WRITE    order of commits: the log's tail, commit numbers, the active memtables
 *               (whose single writer holds it), the slots of undecided commits
 *   LK_INSTALL  the manifest
 *   LK_DB       everything readers and workers share; short, never I/O
 *
 * Readers take LK_DB once, to count the tree's read state, then run unlocked. */
#ifndef SDB_DB_STATE_H
#define SDB_DB_STATE_H

#include "db/chain.h"
#include "db/meter.h"
#include "db/pending.h"
#include "db/values.h"
#include "log/manifest.h"
#include "log/wal.h"
#include "os/countfs.h"
#include "os/thread.h"
#include "table/table_writer.h"
#include "tree/adapt.h"
#include "tree/fold.h"
#include "tree/memtable.h"
#include "tree/mergeop.h"
#include "tree/sieve.h"
#include "tree/version.h"

#include <stdatomic.h>

struct sdb_job;
struct sdb_recovered;
struct sdb_events;

#define SDB_UNSETTLED 16u

/* In the place of a log file: the log may go, a side file has the commits. */
#define SDB_LOG_FILE_ASIDE UINT64_MAX

/* What a reader of a tree pins: its memtables, newest first, and its version. Immutable
 * and counted; replaced whole when a memtable freezes or a flush is installed. */
struct sdb_read_state {
    _Atomic uint32_t count;
    struct sdb_version *version; /* counted reference */
    struct sdb_pendings
        *pendings;            /* counted; NULL: none.  sdb_tree_set_state sets it */
    struct sdb_hidden hidden; /* commits beside the version that do not count; owned */
    bool ranges; /* there are range tombstones, be it not in the first memtable, which
                    may yet get some */
    size_t nmemtables;
    struct sdb_memtable *memtables[]; /* counted references */
};

/* Copies the ranges of hidden. */
int sdb_read_state_new(struct sdb_memtable *const *memtables, size_t n,
                       struct sdb_version *version, const struct sdb_hidden *hidden,
                       struct sdb_read_state **out, seerdb_err *err) SDB_MUST_CHECK;
struct sdb_read_state *sdb_read_state_ref(struct sdb_read_state *s);
void sdb_read_state_unref(struct sdb_read_state *s); /* accepts NULL */

/* What a tree owes to compaction; under LK_DB. */
struct sdb_debt {
    bool look;           /* its version changed since the picker had nothing for it */
    bool full;           /* asked for: everything to the bottom */
    bool gc;             /* asked for: and the value log thoroughly */
    uint64_t asked;      /* how often that was asked for, */
    uint64_t answered;   /* and up to which time it was done, or failed */
    unsigned failures;   /* in a row */
    uint64_t look_at_us; /* when to look again, after a failure or for what will be
                            droppable; 0: now */
    seerdb_err why;      /* the last failure; all zeros after a success */
};

struct seerdb_tree {
    seerdb *db;                /* borrowed */
    struct sdb_tree_desc desc; /* id, uuid, owner, name, ...: immutable after open.  Its
                                  tables and numbers are not kept up: see below */
    seerdb_tree *next GUARDED_BY(LK_DB); /* in order of creation */
    uint32_t handles GUARDED_BY(LK_DB);  /* given out, views included */
    bool dropped GUARDED_BY(LK_DB);
    bool drop_intended GUARDED_BY(LK_DB);
    uint64_t intended_us GUARDED_BY(LK_DB); /* when; 0: before the store was opened */
    struct sdb_read_state *state GUARDED_BY(LK_DB); /* counted reference; never NULL */
    /* Owned; set once.  release: seerdb_tree_filter_with; acquire: views and jobs. */
    _Atomic(struct sdb_sieve *) sieve;
    struct sdb_debt debt GUARDED_BY(LK_DB);
    bool mapped GUARDED_BY(LK_DB);       /* read its tables through maps */
    size_t map_memory GUARDED_BY(LK_DB); /* that these may take from the heap */
    struct { /* relaxed: what desc says, or seerdb_tree_tune */
        _Atomic uint32_t compression, filter_bits, index, compaction;
        _Atomic uint64_t value_log;
    } tuned;
    _Atomic uint32_t runs0; /* runs of level 0; relaxed: for backpressure */
    /* Of SEERDB_ADAPTIVE: the policy in force, an enum seerdb_compaction; relaxed. */
    _Atomic uint32_t policy;
    struct {
        struct sdb_adapt state;
        struct sdb_load seen; /* what was done before the last flush */
    } adapt GUARDED_BY(LK_DB);
    struct sdb_meter meter;
    struct sdb_written written;
    struct sdb_tallies tallies GUARDED_BY(LK_DB);
    struct sdb_pendings *
        pendings GUARDED_BY(LK_DB); /* counted; those of every new state */
    struct sdb_snapshots *snapshots GUARDED_BY(LK_DB); /* counted; see db/snapshot.c */

    struct sdb_memtable *
        active GUARDED_BY(LK_WRITE);             /* counted; state lists it first */
    uint64_t active_file GUARDED_BY(LK_WRITE);   /* the first log file that it needs; 0:
                                                    it is empty; or SDB_LOG_FILE_ASIDE */
    size_t active_bytes GUARDED_BY(LK_WRITE);    /* as last looked at */
    uint64_t active_values GUARDED_BY(LK_WRITE); /* bytes of the value log that it names
                                                  */
    seerdb_batch *
        undecided GUARDED_BY(LK_WRITE); /* the prepared commit holding the slot */

    /* Owned; NULL: it takes no merges, or its operator was not given yet.  Set once.
     * release: sdb_tree_set_merge; acquire: sdb_tree_merge */
    _Atomic(const seerdb_merge_operator *) merge;
    uint32_t
        merges GUARDED_BY(LK_WRITE); /* applied: which ones are looked at closely */
    bool long_chain GUARDED_BY(LK_WRITE); /* of a key in `active`: time for a flush */
    _Atomic bool separates;               /* its records may have segments.  release:
                                             seerdb_tree_separate; acquire: sdb_tree_separates */
    struct sdb_mutex values_lock;         /* LK_VALUES */
    struct sdb_vlog *writing GUARDED_BY(LK_VALUES); /* counted; NULL: none */
    seerdb_pin *writing_pin GUARDED_BY(LK_VALUES);  /* holds it */
    uint64_t writing_file GUARDED_BY(LK_VALUES);    /* its number */
    bool went_on GUARDED_BY(LK_VALUES); /* with a file from before the open, or not */

    bool marked; /* immutable: seerdb.h, "marked trees"; the rest is of these only */
    bool settled GUARDED_BY(
        LK_DB); /* a writer has shown a marker since the open; changed
                   under LK_WRITE too, so either lock is enough to read */
    struct sdb_chain
        chain GUARDED_BY(LK_WRITE); /* logged commits that tables do not hold;
                          once settled only those that do not count */
    uint64_t
        adopted GUARDED_BY(LK_WRITE); /* a lost marker that was given up; 0: none */
    uint64_t lost GUARDED_BY(
        LK_WRITE); /* one that was told of, but maybe not heard; 0: none */
    uint64_t adopt_due GUARDED_BY(LK_WRITE); /* one that will be given up, with the next
                                                decision; 0: none */
    uint64_t shown GUARDED_BY(
        LK_WRITE); /* the next number when the owner last showed a marker other than the
                      last commit logged, which was rolled back; 0: not since then */
    uint64_t head GUARDED_BY(
        LK_WRITE); /* the newest commit that counts and that the store has, which the
                      next one names as its predecessor: last_commit, unless that is
                      one without a record.  Once settled */
    uint64_t aside_loaded GUARDED_BY(LK_WRITE); /* recovery took commits up to it from
                                                   a side file; 0: there was none */
    uint64_t gone GUARDED_BY(LK_INSTALL);       /* memtables with commits up to it are
                                                   flushed; see sdb_tree_newest */
    bool aside_queued GUARDED_BY(LK_DB);        /* a side file is due or being made */
    seerdb_err *damage; /* owned; immutable after open.  Its side file cannot be read:
                           why every use of it fails.  NULL: none */
    _Atomic uint64_t fold_floor; /* reads below it may miss folded versions; relaxed,
                                    read under LK_DB together with the state */

    _Atomic uint64_t
        last_commit;          /* release: publish in write.c; acquire: view in read.c */
    _Atomic uint64_t flushed; /* commits up to it are in tables; relaxed */
};

/* Why commits wait. */
enum sdb_stall {
    SDB_STALL_MEMORY, /* for a flush */
    SDB_STALL_LEVEL0, /* for a compaction of level 0 */
    SDB_STALL_DEBT,   /* a little, for what compaction has before it */
    SDB_NSTALLS
};

/* Counted over the store's life; relaxed.  Reads: sdb_tally; writes: sdb_written. */
struct sdb_counters {
    _Atomic uint64_t commits, flushes, flush_failures, compactions, moves,
        compaction_failures, asides, spills, replayed;
    _Atomic uint64_t stalls[SDB_NSTALLS], stall_us[SDB_NSTALLS];
};

/* When numbers were given out: a point in time per second of writing. */
#define SDB_HISTORY_POINTS 64u
struct sdb_history {
    struct sdb_history_point {
        uint64_t mono_us, number;
    } points[SDB_HISTORY_POINTS]; /* a ring; rising */
    unsigned first, n;
};

/* Who makes an owner's decisions durable. */
struct sdb_decider {
    struct sdb_decider *next;
    seerdb_uuid owner;
    int (*decide)(void *ctx, uint64_t below, seerdb_err *err);
    void *ctx;
    bool running;
};

struct seerdb {
    /* Immutable after open. */
    char *dir;                /* owned; where its files are */
    char *name;               /* owned; as it was opened */
    struct sdb_fs *fs;        /* borrowed: counts what this store does */
    struct sdb_countfs files; /* that */
    bool owns_fs;             /* the one under it */
    seerdb_uuid id;
    size_t memory_limit, memtable_size;
    size_t table_size;        /* wanted, of tables that compaction writes */
    size_t batch_size;        /* what level 0 is expected to pass down at a time */
    size_t batch_share;       /* memory of a batch: one that is larger spills */
    uint64_t log_cap;         /* bytes of log that force flushes */
    uint64_t value_file_size; /* from which on a file of the value log is full */
    uint64_t value_share; /* bytes there that a memtable may name before it is full */
    uint64_t fork_generation;
    struct sdb_file *lock_file; /* owned */
    struct sdb_cache *cache;    /* owned; has what memtables leave of the budget */
    struct sdb_pages *pages;    /* one count: memory of blocks and memtables; NULL: a
                                   small store, which has the heap */

    struct sdb_mutex write_lock;   /* LK_WRITE */
    struct sdb_mutex install_lock; /* LK_INSTALL */
    struct sdb_mutex lock;         /* LK_DB */

    struct sdb_wal *wal; /* owned; its appends need LK_WRITE */
    uint64_t next_number GUARDED_BY(LK_WRITE);
    uint64_t number_limit GUARDED_BY(LK_WRITE); /* numbers below it are reserved */
    uint64_t file_limit GUARDED_BY(LK_WRITE);   /* file numbers below it are reserved */
    uint64_t
        log_file_seen GUARDED_BY(LK_WRITE); /* when the log's size was last checked */
    uint64_t aside_file_seen GUARDED_BY(LK_WRITE); /* when side files were last due */
    struct sdb_history history GUARDED_BY(LK_WRITE);
    struct sdb_merging merging GUARDED_BY(LK_WRITE); /* owned: scratch */
    uint64_t history_us; /* immutable: how long superseded versions stay */
    uint64_t (*clock)(
        void *ctx); /* immutable: the time for filters; NULL: the system's */
    void *clock_ctx;
    _Atomic uint64_t latest_us;                     /* that anybody was told; relaxed */
    struct sdb_decider *deciders GUARDED_BY(LK_DB); /* owned */
    struct sdb_cond slot_free;  /* of LK_WRITE: an undecided commit was decided */
    _Atomic uint64_t next_file; /* relaxed: unique, nothing hangs on its order */
    uint64_t first_file; /* immutable after open: smaller ones are of others before */

    struct sdb_manifest *manifest GUARDED_BY(LK_INSTALL); /* owned */

    seerdb_tree *trees GUARDED_BY(LK_DB);
    struct sdb_job *jobs GUARDED_BY(LK_DB); /* queue; the head may be running */
    struct sdb_thread worker GUARDED_BY(LK_DB);
    struct sdb_cond work;     /* of LK_DB: a job, or closing */
    struct sdb_cond progress; /* of LK_DB: a job ended */
    bool closing GUARDED_BY(LK_DB);
    bool job_running GUARDED_BY(LK_DB);          /* the worker is in a job */
    struct sdb_events *events GUARDED_BY(LK_DB); /* owned; NULL: none yet */
    struct sdb_thread compactor GUARDED_BY(LK_DB);
    void *(*compactor_main)(void *); /* immutable after open */
    struct sdb_cond debt;            /* of LK_DB: a tree to look at, or closing */
    bool compaction_paused GUARDED_BY(LK_DB);
    const seerdb_tree *compacting GUARDED_BY(LK_DB); /* NULL: none */
    struct sdb_cond slow; /* of LK_DB: closing, for commits that are delayed */
    uint64_t delay_us GUARDED_BY(LK_DB);   /* saved up, of commits */
    unsigned waiting GUARDED_BY(LK_DB);    /* callers waiting for compactions */
    bool retry_now GUARDED_BY(LK_DB);      /* skip the pauses of all jobs */
    size_t frozen_bytes GUARDED_BY(LK_DB); /* memtables waiting for their flush */
    uint64_t jobs_submitted GUARDED_BY(LK_DB);
    uint64_t jobs_done GUARDED_BY(LK_DB);
    uint64_t jobs_begun GUARDED_BY(LK_DB);  /* attempts */
    uint64_t jobs_failed GUARDED_BY(LK_DB); /* attempts */
    seerdb_err job_err GUARDED_BY(
        LK_DB); /* why the job that failed last waits to be retried */
    seerdb_err bg_err GUARDED_BY(LK_DB);  /* first failure that retrying can't cure */
    bool beyond_resume GUARDED_BY(LK_DB); /* memory and disk may differ since */
    /* Commits that were not acknowledged and whose records the log may have all the
     * same: of failed prepares, and of rollbacks whose abort it does not have. */
    struct {
        uint64_t number;
        bool abort; /* it may be on stable storage: an abort has to follow */
    } unsettled[SDB_UNSETTLED] GUARDED_BY(LK_WRITE);
    unsigned nunsettled GUARDED_BY(LK_WRITE);
    /* True until everything is there that writing needs; reading needs less.  release:
     * sdb_recover_begin; acquire: who goes on to write. */
    _Atomic bool read_only;
    _Atomic bool lost; /* while it was read, another process may have written; relaxed
                        */
    bool alone GUARDED_BY(LK_WRITE); /* the directory is held for writing */
    struct sdb_recovered *recovered GUARDED_BY(LK_WRITE); /* owned; while read_only */
    uint64_t log_bytes;    /* immutable after open: that recovery read */
    _Atomic bool broken;   /* bg_err is set; release there, acquire before reading it */
    _Atomic bool sync_due; /* NORMAL commits wait for the worker's sync; relaxed */

    struct sdb_values *values;              /* files of the value log */
    _Atomic(struct sdb_member *) graveyard; /* dead tables, linked by next_dead */
    _Atomic(struct sdb_member *) undead; /* the same that the manifest goes on listing:
                                            their values stay; until the store is
                                            closed */
    _Atomic size_t batch_bytes;          /* memory of all batches; relaxed */
    struct sdb_counters counters;
    struct sdb_meter meter;  /* of what belongs to no tree */
    _Atomic unsigned writer; /* batches made; relaxed: no two begin to be timed alike */
};

/* The time for filters: that of the clock, or the latest one if it has stepped back. */
uint64_t sdb_now_us(seerdb *db);

/* FORKED in a child of the process that opened the store. */
SDB_COLD int sdb_fail_forked(const seerdb *db, seerdb_err *err);
SDB_MUST_CHECK static inline int sdb_check_process(const seerdb *db, seerdb_err *err)
{
    return SDB_RARELY(db->fork_generation != sdb_fork_generation_now())
               ? sdb_fail_forked(db, err)
               : 0;
}

/* CANTOPEN when what was read from the store may not be what it holds any more. */
int sdb_check_lost(const seerdb *db, seerdb_err *err) SDB_MUST_CHECK;

/* The failure that made the store refuse writes, READONLY, or 0. */
int sdb_check_writable(seerdb *db, seerdb_err *err) EXCLUDES(LK_DB) SDB_MUST_CHECK;

/* Refuse writes from now on because of *why (the first one is kept). Returns why->code.
 */
int sdb_break(seerdb *db, const seerdb_err *why) EXCLUDES(LK_DB);

/* The same, and only opening the store again can help: seerdb_resume refuses. */
int sdb_break_for_good(seerdb *db, const seerdb_err *why) EXCLUDES(LK_DB);

/* Note a commit for seerdb_resume: see `unsettled`. */
void sdb_note_unsettled(seerdb *db, uint64_t number, bool abort) REQUIRES(LK_WRITE)
    EXCLUDES(LK_DB);

/* Wait for news of the background; they may be none.  INTERRUPTED: whoever called wants
 * this thread to leave. */
int sdb_wait_progress(seerdb *db, seerdb_err *err) REQUIRES(LK_DB) SDB_MUST_CHECK;

/* Append an edit to the manifest; a failure breaks the store. */
int sdb_install(seerdb *db, const struct sdb_edit *e, seerdb_err *err)
    REQUIRES(LK_INSTALL) EXCLUDES(LK_DB) SDB_MUST_CHECK;

/* Make sure that a commit number and some file numbers are reserved. */
int sdb_reserve(seerdb *db, seerdb_err *err) REQUIRES(LK_WRITE) SDB_MUST_CHECK;

/* No commit of the tree that is applied has a greater number. */
uint64_t sdb_tree_newest(const seerdb_tree *t) REQUIRES(LK_WRITE);

/* Replace the tree's read state; the old one is returned for the caller to unref once
 * unlocked.  The new one gets the tree's list of pendings. */
struct sdb_read_state *sdb_tree_set_state(seerdb_tree *t, struct sdb_read_state *s)
    REQUIRES(LK_DB) SDB_MUST_CHECK;

/* Take `gone` out of the tree's pendings and put `added` in (either may be NULL). */
int sdb_tree_change_pendings(seerdb_tree *t, const struct sdb_pending *gone,
                             struct sdb_pending *added, seerdb_err *err) EXCLUDES(LK_DB)
    SDB_MUST_CHECK;

/* Give the block cache what memtables, batches and indexes of tables leave of the
 * memory limit, less a sixteenth for the rest; a sixteenth at the least. */
void sdb_share_memory(seerdb *db) REQUIRES(LK_WRITE) EXCLUDES(LK_DB);

/* The first number given out within the last history_us: 0 is none, everything is
 * older. */
uint64_t sdb_history_from(seerdb *db) REQUIRES(LK_WRITE);
/* A number is about to be given out, or the store was opened: readers may have begun
 * before that. */
void sdb_history_note(seerdb *db) REQUIRES(LK_WRITE);

/* A memtable, or a batch, of this store. */
int sdb_new_memtable(seerdb *db, struct sdb_memtable **out, seerdb_err *err)
    SDB_MUST_CHECK;

/* A new tree object over desc (copied) with an empty memtable and this version (a count
 * is taken). Not yet in the store's list. */
int sdb_tree_new(seerdb *db, const struct sdb_tree_desc *desc,
                 struct sdb_version *version, seerdb_tree **out, seerdb_err *err)
    SDB_MUST_CHECK;
void sdb_tree_free(seerdb_tree *t);

/* Take a copy of the operator, and ctx with it, unless the tree has one: then ctx is
 * released. MISMATCH: it goes by another name. */
int sdb_tree_set_merge(seerdb_tree *t, const seerdb_merge_operator *op, seerdb_err *err)
    EXCLUDES(LK_DB) SDB_MUST_CHECK;
/* Forget it, for a tree that nobody knows yet: ctx goes back to whoever gave it. */
void sdb_tree_drop_merge(seerdb_tree *t);
/* MISUSE: it takes no merges, or has no operator yet. */
int sdb_tree_check_merge(const seerdb_tree *t, seerdb_err *err) SDB_MUST_CHECK;
static inline const seerdb_merge_operator *sdb_tree_merge(const seerdb_tree *t)
{
    /* acquire: pairs with the release in sdb_tree_set_merge */
    return atomic_load_explicit(&t->merge, memory_order_acquire);
}
void sdb_tree_append(seerdb *db, seerdb_tree *t) REQUIRES(LK_DB);
seerdb_tree *sdb_tree_by_id(seerdb *db, uint64_t id) REQUIRES(LK_DB); /* or NULL */
void sdb_tree_ref(seerdb_tree *t) REQUIRES(LK_DB);
void sdb_tree_unref(seerdb_tree *t)
    EXCLUDES(LK_DB); /* accepts NULL; nothing in a child */
/* The same for a reader, with its tally. */
void sdb_tree_unref_reader(seerdb_tree *t, struct sdb_tally *tally) EXCLUDES(LK_DB);

/* May its records have segments? */
static inline bool sdb_tree_separates(const seerdb_tree *t)
{
    return atomic_load_explicit(&t->separates, memory_order_acquire);
}

/* The tree's filter, if it has one that jobs may ask; NULL. */
static inline struct sdb_sieve *sdb_tree_job_sieve(const seerdb_tree *t)
{
    /* acquire: pairs with seerdb_tree_filter_with */
    struct sdb_sieve *s = atomic_load_explicit(&t->sieve, memory_order_acquire);
    return s != NULL && !s->filter.foreground ? s : NULL;
}

/* How to write a table of the tree for this level; its bounds are left to the caller.
 */
struct sdb_table_writer_options sdb_tree_table_options(const seerdb_tree *t,
                                                       uint32_t level);

/* Fill in what a finished table says of itself; where it goes and what its numbers mean
 * is the caller's to say. */
int sdb_table_desc_fill(struct sdb_table_desc *desc, const struct sdb_table_summary *s,
                        seerdb_err *err) SDB_MUST_CHECK;

/* sdb_member's dead callback: ctx is the store. */
void sdb_bury(void *ctx, struct sdb_member *member);
/* Delete the files of dead tables, the pending ones after the manifest has forgotten
 * them. Failures are not errors: orphans go at the next open. */
void sdb_empty_graveyard(seerdb *db) EXCLUDES(LK_INSTALL, LK_DB);
/* The store is closed, and so is its value log. */
void sdb_free_undead(seerdb *db) EXCLUDES(LK_INSTALL, LK_DB);
/* A reader has let go of a state: if tables died with it, have the compactor empty the
 * graveyard, so that their files and cached blocks go now and not with the next job. */
void sdb_wake_for_graveyard(seerdb *db) EXCLUDES(LK_DB);
static inline void sdb_look_at_graveyard(seerdb *db) EXCLUDES(LK_DB)
{
    if (SDB_RARELY(atomic_load_explicit(&db->graveyard, memory_order_relaxed) != NULL ||
                   sdb_values_any_dead(db->values)))
        sdb_wake_for_graveyard(db);
}

/* If the tree is read through maps, map what of its tables is not yet: due after each
 * new version. */
void sdb_tree_map_tables(seerdb_tree *t) EXCLUDES(LK_INSTALL, LK_DB);

/* Open a table that the manifest lists, or that was written just now.  CORRUPT: it is
 * missing.  dead: as sdb_member has it, with the store for its ctx. */
int sdb_open_member(seerdb *db, const struct sdb_table_desc *desc,
                    void (*dead)(void *, struct sdb_member *), struct sdb_member **out,
                    seerdb_err *err) EXCLUDES(LK_DB) SDB_MUST_CHECK;

/* "dir/000012.tbl"; the caller frees. NULL: no memory. */
char *sdb_table_path(const seerdb *db, uint64_t number);

#endif
