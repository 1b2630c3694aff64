/* SPDX-License-Identifier: Apache-2.0
 *
 * failpoint -- named places at every step that matters for durability, where a test
 * makes the step fail, kills the process, waits, or calls a function of its own.
 *
 * Objects of tests alone have them (SDB_FAILPOINTS); in the product a point is nothing,
 * and `make check-failpoints` proves it.  A point counts how often it was reached;
 * the unit tests as a whole must reach every one.
 *
 * A process is armed by sdb_failpoint_arm, or by its environment:
 *
 *     SEERDB_FAILPOINTS=actions=kill+delay,one_in=500,seed=7,at=log_sync,after=3,times=1
 *     SEERDB_FAILPOINTS_SEEN=FILE      names of points reached are appended to it */
#ifndef SDB_OS_FAILPOINT_H
#define SDB_OS_FAILPOINT_H

#include "base/status.h"

/* FAIL: the step that follows may fail there, with nothing done.  PASS: it is too late
 * for that, or nobody is told; the other actions work. */
#define SDB_FAILPOINTS_OF(X)                                                           \
    X(log_append)        /* a frame is about to be written */                          \
    X(log_appended)      /* it is written, and not synced */                           \
    X(log_sync)          /* about to sync */                                           \
    X(log_synced)        /* synced, nobody knows yet */                                \
    X(log_rotate)        /* about to go on in a new file */                            \
    X(log_recycle)       /* about to rename a retired file */                          \
    X(log_begin_file)    /* header written, not synced */                              \
    X(log_begun)         /* header synced, the name is not */                          \
    X(log_retire)        /* about to rename or remove a file */                        \
    X(log_resume)        /* about to go on elsewhere after a failure */                \
    X(log_resumed)       /* the new file has its name, not durably */                  \
    X(log_close)         /* about to note a clean end */                               \
    X(manifest_append)   /* an edit is about to be written */                          \
    X(manifest_appended) /* it is written, and not synced */                           \
    X(manifest_synced)   /* it counts, and nobody knows yet */                         \
    X(manifest_roll)     /* about to write a whole new one */                          \
    X(manifest_switch)   /* the new one is there; CURRENT names the old one */         \
    X(manifest_switched) /* CURRENT names the new one, the old one is there */         \
    X(manifest_begin)    /* the first write since the open */                          \
    X(table_write)       /* some bytes of a table */                                   \
    X(table_sync)        /* a table is written, not synced */                          \
    X(flush_begin)       /* a memtable is about to be written */                       \
    X(flush_dir_sync)    /* its table is synced, the name is not */                    \
    X(flush_log_sync)    /* the table has its name */                                  \
    X(flush_install)     /* about to tell the manifest */                              \
    X(flush_installed)   /* the manifest has it, readers do not */                     \
    X(flush_published)   /* readers have it, the log is not released */                \
    X(flush_released)    /* the log is released, the side file is there */             \
    X(freeze)            /* a memtable is about to be replaced */                      \
    X(log_trim)          /* about to release what nobody needs of the log */           \
    X(spill_write)       /* a table of a batch is about to be made */                  \
    X(spill_finish)      /* it is written, not synced */                               \
    X(pending_sync)      /* spilled tables are synced, their names are not */          \
    X(pending_list)      /* about to list them as pending */                           \
    X(pending_listed)    /* they are listed; no prepare names them */                  \
    X(land_begin)        /* a spilled commit is about to be landed */                  \
    X(land_install)      /* about to tell the manifest */                              \
    X(land_installed)    /* the manifest has it, readers do not */                     \
    X(land_published)    /* readers have it, the log is not released */                \
    X(sweep_pending)     /* after a crash: pending tables without a commit */          \
    X(forget_pending)    /* pending tables that nobody will land */                    \
    X(remove_table)      /* a dead table's file is about to go */                      \
    X(side_write)        /* some bytes of a side file */                               \
    X(side_sync)         /* it is written, not synced */                               \
    X(side_dir_sync)     /* it is synced, its name is not */                           \
    X(side_install)      /* about to tell the manifest */                              \
    X(side_installed)    /* the manifest names it, the log is not released */          \
    X(side_remove)       /* about to remove one */                                     \
    X(compact_begin)     /* a merge or a move is about to begin */                     \
    X(compact_output)    /* an output is about to be made */                           \
    X(compact_dir_sync)  /* all are synced, their names are not */                     \
    X(compact_install)   /* about to tell the manifest */                              \
    X(compact_installed) /* the manifest has them, readers do not */                   \
    X(compact_published) /* readers have them, the inputs are there */                 \
    X(prepare)           /* nothing of the commit is in the log */                     \
    X(prepared)          /* it is in the log, not synced */                            \
    X(prepare_synced)    /* synced, not told */                                        \
    X(commit)            /* about to be applied */                                     \
    X(committed)         /* applied and published */                                   \
    X(unprepare)         /* about to be taken back */                                  \
    X(unprepared)        /* the log has it, not synced */                              \
    X(reserve)           /* numbers are about to be reserved */                        \
    X(tree_create)       /* about to tell the manifest */                              \
    X(tree_values)       /* about to list that a tree gets a value log */              \
    X(tree_created)      /* told */                                                    \
    X(tree_drop)         /* about to tell the manifest */                              \
    X(tree_dropped)      /* told; its files are there */                               \
    X(vlog_create)       /* a value-log file is about to be made */                    \
    X(vlog_write)        /* some of its bytes */                                       \
    X(vlog_sync)         /* about to sync */                                           \
    X(vlog_seal)         /* about to write its index */                                \
    X(vlog_open)         /* one is open, and its size known; nothing of it is read */  \
    X(vlog_resume)       /* about to cut the index off, to go on behind the values */  \
    X(vlog_resumed)      /* did so, not durably */                                     \
    X(vlog_remove)       /* nobody holds it any more */                                \
    X(vlog_replace)      /* gc has a new file beside the old one */                    \
    X(vlog_replaced)     /* it has its name, not durably */                            \
    X(snapshot_create)   /* about to tell the manifest */                              \
    X(snapshot_drop)     /* about to tell the manifest */                              \
    X(decide)            /* an owner's decision is about to be made durable */         \
    X(decided)           /* it is */                                                   \
    X(adopt)             /* a lost tail is about to be given up for good */            \
    X(recover_manifest)  /* about to read the manifest */                              \
    X(recover_tables)    /* about to open the tables */                                \
    X(recover_side)      /* about to read the side files */                            \
    X(recover_log)       /* about to read the log */                                   \
    X(recover_begin)     /* all is read, nothing is written */                         \
    X(recover_orphans)   /* files that the manifest does not name are about to go */   \
    X(recover_wal)       /* the log is about to be taken over */                       \
    X(recover_flush)     /* about to freeze what replay has filled */                  \
    X(recover_settle)    /* what was read of the log is about to be synced */

enum sdb_failpoint {
#define SDB_FAILPOINT_ENUM(name) SDB_FP_##name,
    SDB_FAILPOINTS_OF(SDB_FAILPOINT_ENUM)
#undef SDB_FAILPOINT_ENUM
        SDB_NFAILPOINTS
};

enum sdb_failpoint_action { /* bits; of several, one is chosen by the seed */
                            SDB_FP_ERROR = 1, /* the step fails */
                            SDB_FP_KILL = 2,  /* SIGKILL */
                            SDB_FP_DELAY = 4, /* up to delay_us, or only to give the
                                                 processor away */
                            SDB_FP_CALL = 8
};

/* What happens at points, and when.  All zeros: nothing. */
struct sdb_failpoint_plan {
    unsigned actions;
    bool all;              /* at every point; false: only at ... */
    enum sdb_failpoint at; /* ... this one */
    uint64_t after;        /* let that many of those pass first */
    uint64_t times;        /* act that often; 0: without end */
    uint64_t one_in;       /* act at one of so many, by the seed; 0 and 1: at each */
    uint64_t seed;
    int code;          /* of ERROR; 0: IOERR, FULL or NOMEM by the seed */
    uint64_t delay_us; /* of DELAY, the most; 0: 200 */
    void (*call)(void *ctx, enum sdb_failpoint at); /* any thread, with any lock but
                                                       those of file layers */
    void *ctx;                                      /* borrowed while armed */
};

#if defined(SDB_FAILPOINTS)
/* A step of the name: 0 to go on, or its failure. */
#define SDB_FAIL_AT(name, err) sdb_failpoint_reach(SDB_FP_##name, true, err)
/* The same where it cannot fail. */
#define SDB_PASS(name) ((void)sdb_failpoint_reach(SDB_FP_##name, false, NULL))
#else
#define SDB_FAIL_AT(name, err) 0
#define SDB_PASS(name)         ((void)0)
#endif

int sdb_failpoint_reach(enum sdb_failpoint at, bool may_fail, seerdb_err *err);

/* From now on do as told (copied; NULL: nothing).  A call in progress may yet act on
 * what was told before.  Any thread. */
void sdb_failpoint_arm(const struct sdb_failpoint_plan *plan);
/* The same, out of "actions=kill+delay,one_in=500,...".  False: not understood. */
bool sdb_failpoint_arm_text(const char *text);

uint64_t sdb_failpoint_hits(enum sdb_failpoint at); /* in this process */
uint64_t sdb_failpoint_acted(void);                 /* since it was armed */
const char *sdb_failpoint_name(enum sdb_failpoint at);

#endif
