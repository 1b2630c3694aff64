/* SPDX-License-Identifier: Apache-2.0
 *
 * Going on after a failure that stopped writes.
 *
 * What was acknowledged is in memtables whatever happened to the disk, and in the log,
 * of which a failed sync leaves nobody knows what behind the last one that succeeded.
 * So the log goes on in a new file, with that part copied from what the system still
 * has of it, before anything else is tried again (log/wal.h).  Commits whose prepare
 * failed are left out: nobody was told that they stand, memory does not know them, and
 * for a marked tree a lost marker must not be taken for one of them.  With no commit
 * undecided there is nothing else in the log that memory does not know.
 *
 * Jobs keep their inputs when they fail, so that trying them again is all there is to
 * it.  Not so where the manifest is ahead of memory, or nobody knows what it says. */
#include "db/job.h"

#include "base/coding.h"
#include "os/clock.h"

#define UNDECIDED_MS 1000u

static bool is_undecided(seerdb *db) REQUIRES(LK_WRITE)
{
    bool any = false;
    sdb_lock_db(&db->lock);
    for (seerdb_tree *t = db->trees; t != NULL; t = t->next)
        any = any || t->undecided != NULL;
    sdb_unlock_db(&db->lock);
    return any;
}

static int wait_for_decisions(seerdb *db, seerdb_err *err) REQUIRES(LK_WRITE)
{
    uint64_t end = sdb_clock_mono_us() + UNDECIDED_MS * 1000u;
    while (is_undecided(db)) {
        uint64_t now = sdb_clock_mono_us();
        if (now >= end)
            return sdb_fail(err, SEERDB_BUSY,
                            "%s: a commit is under way: end its transaction first",
                            db->dir);
        (void)sdb_cond_wait_ms(&db->slot_free, &db->write_lock, (end - now) / 1000 + 1);
    }
    return 0;
}

/* A seerdb for its ctx; held by the caller. */
static bool is_settled(void *ctx, const struct sdb_frame *f) NO_TSA
{
    const seerdb *db = ctx;
    struct sdb_reader r = sdb_reader_init(f->payload);
    if (f->type != SDB_WAL_PREPARE)
        return true;
    uint64_t number = sdb_get_u64(&r);
    for (unsigned i = 0; i < db->nunsettled; i++)
        if (db->unsettled[i].number == number)
            return false;
    return true;
}

/* The log may have the prepares of commits that were rolled back. */
static int log_aborts(seerdb *db, seerdb_err *err) REQUIRES(LK_WRITE)
{
    uint64_t position, end = 0;
    int rc = 0;
    for (unsigned i = 0; i < db->nunsettled && rc == 0; i++) {
        uint8_t number[SDB_VARINT_MAX];
        size_t n = sdb_store_varint(number, db->unsettled[i].number);
        if (db->unsettled[i].abort)
            rc = sdb_wal_append(db->wal, SDB_WAL_ABORT, SDB_OUTCOME_ABORTED,
                                (seerdb_slice){number, n}, &position, &end, err);
    }
    return rc == 0 && end != 0 ? sdb_wal_sync(db->wal, end, err) : rc;
}

static int check_beyond(const seerdb *db, seerdb_err *err) REQUIRES(LK_DB)
{
    if (!db->beyond_resume)
        return 0;
    return sdb_fail(err, SEERDB_READONLY,
                    "%s: what is on the disk may not be what is in memory: close "
                    "the database everywhere and open it again: %s",
                    db->dir, db->bg_err.msg);
}

static int mend_log(seerdb *db, seerdb_err *err) REQUIRES(LK_WRITE)
{
    struct sdb_wal_keeper keeper = {is_settled, db};
    int rc = wait_for_decisions(db, err);
    if (rc == 0) {
        sdb_lock_db(&db->lock);
        rc = check_beyond(db, err);
        sdb_unlock_db(&db->lock);
    }
    if (rc == 0)
        rc = sdb_reserve(db, err);
    if (rc == 0)
        rc = sdb_wal_resume(db->wal, &keeper, err);
    if (rc == 0) /* all of it, too, if the log had not failed */
        rc = sdb_wal_sync(db->wal, sdb_wal_end(db->wal), err);
    if (rc == 0)
        rc = log_aborts(db, err);
    if (rc == 0)
        db->nunsettled = 0;
    return rc;
}

/* Has anything but the log failed that is to be tried again? */
static bool has_failed(const seerdb *db) REQUIRES(LK_DB)
{
    bool any = false;
    for (const struct sdb_job *j = db->jobs; j != NULL; j = j->next)
        any = any || (j->why.code != 0 && j->why.code != SEERDB_BUSY);
    for (const seerdb_tree *t = db->trees; t != NULL; t = t->next)
        any = any || (!t->dropped && t->debt.why.code != 0);
    return any;
}

static void try_all_again(seerdb *db) REQUIRES(LK_DB)
{
    db->bg_err = db->job_err = (seerdb_err){0};
    /* release: who sees it may write: as in sdb_break */
    atomic_store_explicit(&db->broken, false, memory_order_release);
    for (struct sdb_job *j = db->jobs; j != NULL; j = j->next)
        if (!j->running) {
            j->failures = 0;
            j->why = (seerdb_err){0};
        }
    for (seerdb_tree *t = db->trees; t != NULL; t = t->next)
        t->debt.look_at_us = 0;
    sdb_job_start(db);
    sdb_job_retry(db);
    sdb_cond_signal(&db->debt);
}

int seerdb_resume(seerdb *db, seerdb_err *err)
{
    int rc = sdb_check_process(db, err);
    if (rc != 0)
        return rc;
    sdb_lock_db(&db->lock);
    /* The log may have failed under a job, before any commit found out. */
    bool broken =
        db->bg_err.code != 0 || (db->wal != NULL && sdb_wal_has_failed(db->wal));
    bool any = broken || has_failed(db);
    sdb_unlock_db(&db->lock);
    if (!any)
        return SEERDB_NOTFOUND;
    if (broken) {
        sdb_lock_write(&db->write_lock);
        rc = mend_log(db, err);
        if (rc == 0) {
            sdb_lock_db(&db->lock);
            /* Again: a compaction may have failed for good since. */
            if ((rc = check_beyond(db, err)) == 0)
                try_all_again(db);
            sdb_unlock_db(&db->lock);
        }
        sdb_unlock_write(&db->write_lock);
    } else if (db->wal != NULL) {
        rc = sdb_wal_sync(db->wal, sdb_wal_end(db->wal), err);
    }
    if (rc != 0)
        return rc;
    sdb_lock_db(&db->lock);
    if (!broken)
        try_all_again(db);
    seerdb_err why = {0};
    rc = sdb_job_wait(db, NULL, &why);
    sdb_unlock_db(&db->lock);
    return rc == 0 || rc == SEERDB_BUSY ? 0 : sdb_fail_as(err, &why);
}
