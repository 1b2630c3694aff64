/* SPDX-License-Identifier: Apache-2.0
 *
 * One worker, one queue.  A job stays there while it runs, so that whoever waits for it
 * can see it. */
#include "db/job.h"

#include "os/clock.h"

#define SYNC_EVERY_MS    1000u
#define BACKOFF_FIRST_US UINT64_C(50000)
#define BACKOFF_LAST_US  UINT64_C(5000000)
#define HOPELESS         3u /* failures: nobody waits for another try */

/* Can the cause of a failure pass by itself? */
static bool worth_retrying(int code, int code_before)
{
    return code == SEERDB_FULL || code == SEERDB_NOMEM || code == SEERDB_BUSY ||
           (code == SEERDB_IOERR && code_before != SEERDB_IOERR);
}

/* The first queued job of the group of `job`. */
static struct sdb_job *first_of_group(const seerdb *db, struct sdb_job *job)
    REQUIRES(LK_DB)
{
    struct sdb_job *j = job->group != NULL ? db->jobs : job;
    while (j->group != job->group)
        j = j->next;
    return j;
}

/* The job to run now, or NULL and when to look again.  What has failed holds back the
 * jobs behind it, but for BUSY. */
static struct sdb_job *due_job(seerdb *db, uint64_t now, uint64_t *wait_us)
    REQUIRES(LK_DB)
{
    if (db->retry_now)
        for (struct sdb_job *j = db->jobs; j != NULL; j = j->next)
            j->not_before_us = 0;
    db->retry_now = false;
    if (db->bg_err.code != 0)
        return NULL;
    for (struct sdb_job *j = db->jobs; j != NULL; j = j->next) {
        if (first_of_group(db, j) != j)
            continue;
        if (now >= j->not_before_us)
            return j;
        if (j->not_before_us - now < *wait_us)
            *wait_us = j->not_before_us - now;
        if (j->why.code != SEERDB_BUSY)
            return NULL;
    }
    return NULL;
}

/* Note a failed attempt: schedule another or break the store. */
static void job_failed(seerdb *db, struct sdb_job *job, const seerdb_err *why)
    REQUIRES(LK_DB)
{
    uint64_t pause = BACKOFF_FIRST_US;
    bool retry = worth_retrying(why->code, job->why.code);
    job->failures++;
    db->jobs_failed++;
    for (unsigned i = 1; i < job->failures && pause < BACKOFF_LAST_US; i++)
        pause *= 2;
    job->not_before_us = sdb_clock_mono_us() + pause;
    job->why = *why;
    db->job_err = *why;
    if (!retry && db->bg_err.code == 0) {
        db->bg_err = *why;
        atomic_store_explicit(&db->broken, true, memory_order_release);
    }
}

static void unlink_job(seerdb *db, struct sdb_job *job) REQUIRES(LK_DB)
{
    struct sdb_job **at = &db->jobs;
    while (*at != job)
        at = &(*at)->next;
    *at = job->next;
}

/* Run a job, which stays in the queue meanwhile.  Called and returns with LK_DB held.
 */
static void run_job(seerdb *db, struct sdb_job *job) REQUIRES(LK_DB) NO_TSA
{
    seerdb_err why = {0};
    uint64_t attempt = ++db->jobs_begun;
    job->running = true;
    db->job_running = true;
    sdb_unlock_db(&db->lock);
    int rc = job->run(job, &why);
    sdb_empty_graveyard(db);
    sdb_lock_db(&db->lock);
    job->running = false;
    db->job_running = false;
    if (rc != 0) {
        job_failed(db, job, &why);
        job->failed_at = attempt;
    } else {
        unlink_job(db, job);
        db->jobs_done++;
        db->job_err = (seerdb_err){0};
    }
    sdb_cond_broadcast(&db->progress);
    if (rc == 0) { /* a memtable takes its time to free */
        sdb_unlock_db(&db->lock);
        job->free(job);
        if (sdb_values_any_dead(db->values)) /* it held some */
            sdb_empty_graveyard(db);
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
        uint64_t now = sdb_clock_mono_us(), wait_us = SYNC_EVERY_MS * 1000;
        bool sync_due = atomic_load_explicit(&db->sync_due, memory_order_relaxed);
        if (sync_due && next_sync == 0)
            next_sync = now + SYNC_EVERY_MS * 1000;
        if (sync_due && now >= next_sync) { /* before jobs, which may never run out */
            next_sync = 0;
            sync_log(db);
            continue;
        }
        struct sdb_job *job = due_job(db, now, &wait_us);
        if (job != NULL) {
            run_job(db, job);
            continue;
        }
        if (sync_due && next_sync - now < wait_us)
            wait_us = next_sync - now;
        if (sync_due || db->jobs != NULL)
            (void)sdb_cond_wait_ms(&db->work, &db->lock, wait_us / 1000 + 1);
        else
            sdb_cond_wait(&db->work, &db->lock);
    }
    sdb_unlock_db(&db->lock);
    return NULL;
}

static void want_worker(seerdb *db) REQUIRES(LK_DB)
{
    seerdb_err why = {0};
    if (db->wal == NULL)
        return; /* recovery is not done: sdb_job_start comes later */
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
    job->ticket = ++db->jobs_submitted;
    want_worker(db);
}

void sdb_job_start(seerdb *db)
{
    if (db->jobs != NULL)
        want_worker(db);
}

int sdb_job_wait(seerdb *db, const void *group, seerdb_err *err)
{
    uint64_t before = db->jobs_begun, last = db->jobs_submitted;
    for (;;) {
        bool pending = false;
        for (const struct sdb_job *j = db->jobs; j != NULL; j = j->next) {
            bool ours = j->ticket <= last && (group == NULL || j->group == group);
            /* What is not BUSY holds back everybody. */
            if (j->failed_at > before && (ours || j->why.code != SEERDB_BUSY))
                return sdb_fail_as(err, &j->why);
            pending = pending || ours;
        }
        if (!pending)
            return 0;
        if (db->bg_err.code != 0)
            return sdb_fail_as(err, &db->bg_err);
        int rc = sdb_wait_progress(db, err);
        if (rc != 0)
            return rc;
    }
}

void sdb_job_retry(seerdb *db)
{
    db->retry_now = true;
    sdb_cond_signal(&db->work);
}

/* The job before which nothing of the group of `job` is tried, if BUSY put it off. */
static const struct sdb_job *put_off_by(const seerdb *db, struct sdb_job *job)
    REQUIRES(LK_DB)
{
    const struct sdb_job *first = first_of_group(db, job);
    return !first->running && first->why.code == SEERDB_BUSY ? first : NULL;
}

bool sdb_job_all_busy(const seerdb *db)
{
    if (db->retry_now && db->jobs != NULL)
        return false;
    for (struct sdb_job *j = db->jobs; j != NULL; j = j->next)
        if (put_off_by(db, j) == NULL)
            return false;
    return true;
}

size_t sdb_job_memory(const seerdb *db)
{
    size_t memory = 0;
    for (struct sdb_job *j = db->jobs; j != NULL; j = j->next) {
        const struct sdb_job *first = j->memory > 0 ? put_off_by(db, j) : NULL;
        if (first == NULL || (db->retry_now && first->failures < HOPELESS))
            memory += j->memory;
    }
    return memory;
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
