/* SPDX-License-Identifier: Apache-2.0
 *
 * job -- a queue of background work and the thread that does it; knows no particular
 * job.
 *
 * A job's run does all of it: I/O without locks, then its own installation.  A failed
 * run leaves everything as it was; it is retried with growing pauses while the cause
 * can pass (FULL, NOMEM, BUSY; IOERR once), else the store is broken with the cause.
 * Jobs run one after the other in the order of submission; one that waits to be retried
 * holds back the others, except that BUSY is its group's own affair: the others go on.
 * The thread starts with the first job, and also syncs the log once a second for
 * commits at SEERDB_SYNC_NORMAL. */
#ifndef SDB_DB_JOB_H
#define SDB_DB_JOB_H

#include "db/state.h"

struct sdb_job {
    int (*run)(struct sdb_job *job, seerdb_err *err);
    void (*free)(struct sdb_job *job); /* done, or the store closes */
    seerdb *db;
    struct sdb_job *next;
    const void *group; /* jobs of one group stay in order; NULL: of none */
    uint64_t log_file; /* the oldest log file its input needs; 0: none */
    uint64_t newest;   /* the last commit of its input, for who lets go of the log */
    size_t memory;     /* bytes that its end gives back */
    uint64_t ticket;   /* rising in the order of submission, from 1 */
    unsigned failures;
    uint64_t not_before_us; /* monotonic */
    uint64_t failed_at;     /* the attempt that failed last, of all jobs'; 0: none */
    seerdb_err why;         /* that failure */
    bool running;
};

/* Append a job (owned by the queue from now on) and wake the worker.  If no thread can
 * be started the job stays queued, the store is broken, and reads and close still work.
 */
void sdb_job_submit(seerdb *db, struct sdb_job *job) REQUIRES(LK_DB);

/* Wait for the jobs of the group (NULL: of all) that are queued now; the next failed
 * attempt that keeps one of them ends the wait with its failure.  One that is under way
 * already says nothing about how things are now.  INTERRUPTED: the jobs stay. */
int sdb_job_wait(seerdb *db, const void *group, seerdb_err *err) REQUIRES(LK_DB)
    SDB_MUST_CHECK;

/* Start the worker for what was queued while the log was not open yet. */
void sdb_job_start(seerdb *db) REQUIRES(LK_DB);

/* Let every job be tried now, whatever pause it is in. */
void sdb_job_retry(seerdb *db) REQUIRES(LK_DB);

/* Is every queued job put off by BUSY, its own or of the job before it in its group?
 * One that is being tried, or is about to be, is not. */
bool sdb_job_all_busy(const seerdb *db) REQUIRES(LK_DB);

/* What the queue will give back by itself: the memory of jobs that BUSY does not put
 * off, neither their own nor that of the job before them in their group.  One that is
 * about to be tried counts, unless it was put off several times already. */
size_t sdb_job_memory(const seerdb *db) REQUIRES(LK_DB);

/* Start the worker for the sake of periodic syncs. */
void sdb_job_want_sync(seerdb *db) EXCLUDES(LK_DB);

/* Stop the worker after the job it is in and free the queue. */
void sdb_job_stop(seerdb *db) EXCLUDES(LK_DB);

#endif
