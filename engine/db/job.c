/* SPDX-License-Identifier: Apache-2.0
 *
 * One worker, one queue.  The head of the queue stays there while it runs, so that
 * whoever waits for it can see it. */
#include "db/job.h"

#include "os/clock.h"

#define SYNC_EVERY_MS    1000u
#define BACKOFF_FIRST_US UINT64_C(50000)
#define BACKOFF_LAST_US  UINT64_C(5000000)

/* Can the cause of a failure pass by itself? */
static bool worth_retrying(int code, unsigned failures)
{
    return code == SEERDB_FULL || code == SEERDB_NOMEM ||
           (code == SEERDB_IOERR && failures == 1);
}

/* Note a failed attempt: schedule another or break the store. */
static void job_failed(seerdb *db, struct sdb_job *job, const seerdb_err *why)
    REQUIRES(LK_DB)
{
    uint64_t pause = BACKOFF_FIRST_US;
    job->failures++;
    db->jobs_failed++;
    for (unsigned i = 1; i < job->failures && pause < BACKOFF_LAST_US; i++)
        pause *= 2;
    job->not_before_us = sdb_clock_mono_us() + pause;
    db->job_err = *why;
    if (!worth_retrying(why->code, job->failures) && db->bg_err.code == 0) {
        db->bg_err = *why;
        atomic_store_explicit(&db->broken, true, memory_order_release);
    }
}

/* Run the job at the head of the queue.  Called and returns with LK_DB held. */
static void run_head(seerdb *db, struct sdb_job *job) REQUIRES(LK_DB) NO_TSA
{
    seerdb_err why = {0};
    db->retry_now = false;
    sdb_unlock_db(&db->lock);
    int rc = job->run(job, &why);
    sdb_empty_graveyard(db);
    sdb_lock_db(&db->lock);
    if (rc != 0) {
        job_failed(db, job, &why);
    } else {
        db->jobs = job->next;
        db->jobs_done++;
        db->job_err = (seerdb_err){0};
    }
    sdb_cond_broadcast(&db->progress);
    if (rc == 0) { /* a memtable takes its time to free */
        sdb_unlock_db(&db->lock);
        job->free(job);
        sdb_lock_db(&db->lock);
    }
}

/* Sync the log for commits that did not wait. */
static void sync_log(seerdb *db) REQUIRES(LK_DB) NO_TSA
{
    seerdb_err why = {0};
    sdb_unlock_db(&db->lock);
    atomic_store_explicit(&db->sync_due, false, memory_order_relaxed);
    if (sdb_wal_sync(db->wal, sdb_wal_end(db->wal), &why) != 0)
        (void)sdb_break(db, &why);
    sdb_lock_db(&db->lock);
}

static void *worker_main(void *arg) NO_TSA
{
    seerdb *db = arg;
    uint64_t next_sync = 0;
    sdb_lock_db(&db->lock);
    while (!db->closing) {
        uint64_t now = sdb_clock_mono_us(), wait_ms = SYNC_EVERY_MS;
        struct sdb_job *job = db->bg_err.code == 0 ? db->jobs : NULL;
        bool sync_due = atomic_load_explicit(&db->sync_due, memory_order_relaxed);
        if (sync_due && next_sync == 0)
            next_sync = now + SYNC_EVERY_MS * 1000;
        if (sync_due && now >= next_sync) { /* before jobs, which may never run out */
            next_sync = 0;
            sync_log(db);
            continue;
        }
        if (job != NULL && (now >= job->not_before_us || db->retry_now)) {
            run_head(db, job);
            continue;
        }
        if (job != NULL && (job->not_before_us - now) / 1000 + 1 < wait_ms)
            wait_ms = (job->not_before_us - now) / 1000 + 1;
        if (sync_due && (next_sync - now) / 1000 + 1 < wait_ms)
            wait_ms = (next_sync - now) / 1000 + 1;
        if (sync_due || job != NULL)
            (void)sdb_cond_wait_ms(&db->work, &db->lock, wait_ms);
        else
            sdb_cond_wait(&db->work, &db->lock);
    }
    sdb_unlock_db(&db->lock);
    return NULL;
}

static void want_worker(seerdb *db) REQUIRES(LK_DB)
{
    seerdb_err why = {0};
    if (!db->worker.started && !db->closing &&
        sdb_thread_start(&db->worker, "seerdb", worker_main, db, &why) != 0 &&
        db->bg_err.code == 0) {
        db->bg_err = why;
        atomic_store_explicit(&db->broken, true, memory_order_release);
    }
    sdb_cond_signal(&db->work);
}

void sdb_job_submit(seerdb *db, struct sdb_job *job)
{
    struct sdb_job **last = &db->jobs;
    while (*last != NULL)
        last = &(*last)->next;
    *last = job;
    db->jobs_submitted++;
    want_worker(db);
}

void sdb_job_want_sync(seerdb *db)
{
    if (atomic_exchange_explicit(&db->sync_due, true, memory_order_relaxed))
        return;
    sdb_lock_db(&db->lock);
    want_worker(db);
    sdb_unlock_db(&db->lock);
}

/* Joins outside the lock; nobody else touches the thread of a closing store. */
void sdb_job_stop(seerdb *db) NO_TSA
{
    sdb_lock_db(&db->lock);
    db->closing = true;
    sdb_cond_signal(&db->work);
    sdb_unlock_db(&db->lock);
    sdb_thread_join(&db->worker);
    while (db->jobs != NULL) {
        struct sdb_job *next = db->jobs->next;
        db->jobs->free(db->jobs);
        db->jobs = next;
    }
}
