/* SPDX-License-Identifier: Apache-2.0
 *
 * cuts_rig -- the machine under test of cuts.c: a simulated disk, its power switch, and
 * connections to the databases on it.
 *
 * Life of a rig, which starts as zeros and a mode: disk_start, any number of cuts,
 * disk_end (also when the start failed).  One at a time. */
#ifndef CUTS_RIG_H
#define CUTS_RIG_H

#include "cuts_model.h"
#include "disk_vfs.h"
#include "handles.h"
#include "seerdb.h"

#include <pthread.h>
#include <stdatomic.h>

enum { GENERATIONS = 8, CONNS = 2, HISTORY = 100, PASTS = 5 };
enum mode { WAL_FULL, WAL_NORMAL, DELETE_FULL, MULTI, ERRORS, MODES };
enum { SYNC_NORMAL = 1, SYNC_FULL, SYNC_EXTRA }; /* PRAGMA synchronous */

/* How a disk is used, all its life. */
struct setup {
    bool wal, shared_store, powersafe;
    bool foreign; /* the VFS is not the default one: connections sync for the store */
    int sync, ndbs, nconns, page_size, cache_pages, checkpoint_pages;
    int log_file, memtable, log_cap; /* bytes */
    int table; /* bytes, so that compactions have several inputs and outputs; 0: as is
                */
    bool calm; /* statements wait for background work: the same seed, the same order */
    const char *store_sync; /* the option sync of the tables; NULL: not given */
    struct features features;
};

/* A named snapshot of s1 or s2. */
struct past {
    int db, table;
    unsigned number;   /* it is called p<number>; 0: there is none here */
    bool taken;        /* that was acknowledged */
    bool leaving;      /* it is being dropped, which was not acknowledged */
    bool gone;         /* the database went back to before it */
    struct table rows; /* what it shows */
};

enum outcome {
    DONE,
    STOPPED, /* the power is off, or a failure was met: no more of this */
    WRONG    /* it was reported */
};

/* What the stores did of their own accord. */
struct seen {
    uint64_t rotations; /* of logs */
    uint64_t flushes;   /* that nobody had asked for */
    uint64_t asides;    /* side files */
    uint64_t compactions, spills;
    uint64_t values; /* writes to value logs */
    uint64_t pasts;  /* snapshots that were read; counted here, too */
    uint64_t looks;  /* at disks that were only read first: not theirs, but counted here
                      */
};

enum verdict {
    FINE,
    DISAGREE,   /* ordinary and seerdb tables are as of different transactions */
    MIXED_READ, /* a read transaction saw them so */
    BROKEN      /* anything else */
};

struct rig {
    enum mode mode;
    bool weak;
    int trace;                 /* 1: statements, 2: also writes and syncs, to stderr */
    uint64_t disk, generation; /* the seed is disk * GENERATIONS + generation */
    struct setup setup;
    struct sdb_rand r;
    struct sdb_fs *mem, *fault;
    struct disk_vfs *vfs;
    sqlite3 *conns[CONNS];
    char options[300]; /* of CREATE VIRTUAL TABLE */
    bool read_only;    /* how conns are opened */

    _Atomic int64_t countdown; /* writes and syncs until the power goes; <= 0: never */
    _Atomic bool off;

    seerdb *stores[DBS];    /* open ones */
    pthread_mutex_t watch;  /* guards the rest up to the blank line */
    char log_path[DBS][80]; /* where each store wrote its log last */
    struct seen seen;

    uint64_t asked; /* flushes while a statement asked for some */
    struct svt_handles_watcher watcher;

    struct state history[HISTORY]; /* after each commit that was tried */
    int last;                      /* the newest */
    int current;                   /* of the newest commit acknowledged */
    /* By database, ordinary and seerdb: */
    int acked[DBS][2];     /* what was acknowledged last */
    int certain[DBS][2];   /* after a power cut this must be there, or a later one */
    bool reading;          /* conns[1] holds a read transaction ... */
    struct state snapshot; /* ... that sees this */
    uint32_t seq;          /* transactions, in the disk's life */
    struct past past[PASTS];
    unsigned npast; /* snapshots that were ever taken, in the disk's life */

    enum verdict verdict;
    char why[600];
    uint64_t behind; /* cuts that left the stores behind, where that is allowed */
    uint64_t told; /* times that SQLite's log was told of it, since the disk's start, */
    uint64_t told_older; /* and that a database is older */
};

extern const char *const mode_names[MODES];

int below(struct sdb_rand *r, int n);

/* Note what is wrong, unless something was noted before. */
enum outcome wrong(struct rig *g, enum verdict verdict, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Listen to SQLite's log, before anything else is done with SQLite. */
int listen_to_log(void);

/* DONE or WRONG. */
enum outcome disk_start(struct rig *g, uint64_t disk);
void disk_end(struct rig *g);

/* Something was done to the disk that explains a failure. */
bool is_faulty(struct rig *g);
bool has_failed_once(struct rig *g); /* what arm_one armed has happened */

void power_off(struct rig *g); /* all operations fail from here on */
void power_on(struct rig *g);  /* no operation fails, nothing is armed */
void cut(struct rig *g);       /* forget what was not synced, power on; all is closed */
void settle(struct rig *g);    /* names on the disk are synced, as they are in time */
void arm_one(struct rig *g);   /* one of the next operations will fail, once */
/* At one of the engine's failpoints the power goes, or the step fails, once. */
void arm_point(struct rig *g, bool fail);

uint64_t flushes_of(const struct rig *g); /* by the stores that are open */

int run(struct rig *g, int c, const char *sql);
int runf(struct rig *g, int c, const char *format, ...);

/* What connection c calls database db: each has another one for main. */
const char *schema_of(const struct rig *g, int c, int db);

int open_conn(struct rig *g, int c);
int open_conns(struct rig *g);
enum outcome close_conns(struct rig *g); /* DONE or WRONG */

#endif
