/* SPDX-License-Identifier: Apache-2.0
 *
 * The delay is a rate: RATE_FIRST bytes a microsecond where it begins, half of that one
 * step of debt further on, and so on.  A step is two runs of level 0, or a quarter of
 * a memtable: somewhere on the way commits are as slow as the background is fast, and
 * stay there.  Delays are saved up until they are worth a wait. */
#include "db/pressure.h"

#include "db/events.h"
#include "db/job.h"
#include "os/clock.h"

#include <stdio.h>

/* Memtables waiting for their flush may take this many times the size of one. */
#define FROZEN_MAX 2u
/* Runs of level 0 at which delays begin, and commits stop. */
#define RUNS_SLOW 6u
#define RUNS_STOP 20u

/* Of what tables name in the value log: garbage from which on writers of values wait.
 */
#define GARBAGE_PERCENT 46u

#define RATE_FIRST  512u /* bytes per microsecond */
#define STEPS_MAX   10u
#define WAIT_LEAST  1000u  /* microseconds */
#define WAIT_MOST   20000u /* of one commit */
#define STALL_EVENT 50000u /* stops from here on are told of */

/* Steps of debt in what the tree's compaction has before it. */
static unsigned compaction_steps(const seerdb_tree *t) REQUIRES(LK_DB)
{
    uint32_t runs = atomic_load_explicit(&t->runs0, memory_order_relaxed);
    if (runs < RUNS_SLOW || t->db->compaction_paused)
        return 0;
    return (runs - RUNS_SLOW) / 2 + 1;
}

enum seerdb_writes sdb_pressure_of(const seerdb_tree *t)
{
    uint32_t runs = atomic_load_explicit(&t->runs0, memory_order_relaxed);
    return runs >= RUNS_STOP   ? SEERDB_WRITES_STOP
           : runs >= RUNS_SLOW ? SEERDB_WRITES_DELAYED
                               : SEERDB_WRITES_FLOW;
}

/* Memtables that wait for their flush.  Not those whose owners do not decide: they are
 * not waited for, or everybody would wait for whoever is not there.  Some of them wait
 * for this very commit. */
static size_t waiting_bytes(const seerdb *db) REQUIRES(LK_DB)
{
    return db->frozen_bytes > 0 ? sdb_job_memory(db) : 0;
}

/* Steps of debt in memory. */
static unsigned memory_steps(const seerdb_batch *b) REQUIRES(LK_DB)
{
    const seerdb *db = b->db;
    size_t used = waiting_bytes(db), unit = db->memtable_size / 4;
    if (used == 0)
        return 0;
    for (size_t i = 0; i < b->nslots; i++)
        used += sdb_memtable_bytes(b->slots[i].tree->state->memtables[0]);
    return used <= 6 * unit ? 0 : (unsigned)((used - 6 * unit) / unit) + 1;
}

static void count(seerdb *db, enum sdb_stall cause, uint64_t from_us)
{
    uint64_t us = sdb_clock_mono_us() - from_us;
    atomic_fetch_add_explicit(&db->counters.stalls[cause], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&db->counters.stall_us[cause], us, memory_order_relaxed);
}

static void tell(seerdb *db, uint64_t from_us, const char *why) REQUIRES(LK_DB)
{
    struct sdb_event e = {.event = "stall",
                          .duration_us = sdb_clock_mono_us() - from_us};
    if (e.duration_us < STALL_EVENT)
        return;
    snprintf(e.detail, sizeof e.detail, "a commit waited: %s", why);
    sdb_events_add(db, &e);
}

/* Steps of garbage in the value log, beyond what gc lets stand (vlog_gc.c). */
static unsigned garbage_steps(const seerdb *db) REQUIRES(LK_DB)
{
    uint64_t all = atomic_load_explicit(&db->values->bytes, memory_order_relaxed);
    uint64_t named = 0;
    for (const seerdb_tree *t = db->trees; t != NULL; t = t->next)
        named += t->state->version->values;
    uint64_t from = named + named / 100 * GARBAGE_PERCENT + 2 * db->value_file_size;
    if (all <= from || db->compaction_paused)
        return 0;
    uint64_t steps = (all - from) / (named / 32 + db->value_file_size / 4) + 1;
    return steps < STEPS_MAX ? (unsigned)steps : STEPS_MAX;
}

/* The smooth part. */
static void slow_down(const seerdb_batch *b) REQUIRES(LK_DB)
{
    seerdb *db = b->db;
    unsigned memory = memory_steps(b), steps = memory;
    for (size_t i = 0; i < b->nslots; i++) {
        unsigned s = compaction_steps(b->slots[i].tree);
        steps = s > steps ? s : steps;
    }
    if (b->apart_bytes > 0) {
        unsigned s = garbage_steps(db);
        steps = s > steps ? s : steps;
    }
    if (steps == 0) {
        db->delay_us = 0;
        return;
    }
    if (steps > STEPS_MAX)
        steps = STEPS_MAX;
    db->delay_us += ((b->payload.size + b->apart_bytes) << (steps - 1)) / RATE_FIRST;
    if (db->delay_us > WAIT_MOST)
        db->delay_us = WAIT_MOST;
    if (db->delay_us < WAIT_LEAST)
        return;
    uint64_t from = sdb_clock_mono_us(), until = from + db->delay_us, now = from;
    db->delay_us = 0;
    while (now + WAIT_LEAST / 2 < until && !db->closing) {
        (void)sdb_cond_wait_ms(&db->slow, &db->lock, (until - now + 999) / 1000);
        now = sdb_clock_mono_us();
    }
    count(db, memory == steps ? SDB_STALL_MEMORY : SDB_STALL_DEBT, from);
}

/* Wait until the flushes have caught up. */
static int wait_for_memory(seerdb *db, seerdb_err *err) REQUIRES(LK_DB)
{
    int rc = 0;
    if (waiting_bytes(db) < FROZEN_MAX * db->memtable_size)
        return 0;
    uint64_t from = sdb_clock_mono_us();
    while (rc == 0 && waiting_bytes(db) >= FROZEN_MAX * db->memtable_size) {
        const seerdb_err *why = db->bg_err.code != 0 ? &db->bg_err : &db->job_err;
        if (why->code != 0 && why->code != SEERDB_BUSY)
            rc =
                sdb_fail(err, why->code, "%s: memory is full and cannot be flushed: %s",
                         db->dir, why->msg);
        else
            rc = sdb_wait_progress(db, err);
    }
    count(db, SDB_STALL_MEMORY, from);
    tell(db, from, "memory was full");
    return rc;
}

/* Can a compaction be waited for that makes the tree's runs fewer? */
static bool can_wait(const seerdb_tree *t) REQUIRES(LK_DB)
{
    const seerdb *db = t->db;
    return atomic_load_explicit(&t->runs0, memory_order_relaxed) >= RUNS_STOP &&
           (t->debt.look || db->compacting == t) && t->debt.failures == 0 &&
           db->compactor.started && !db->compaction_paused && !db->closing &&
           !t->dropped && db->bg_err.code == 0;
}

static int wait_for_compaction(seerdb_tree *t, seerdb_err *err) REQUIRES(LK_DB)
{
    seerdb *db = t->db;
    int rc = 0;
    if (!can_wait(t))
        return 0;
    uint64_t from = sdb_clock_mono_us();
    if (t->debt.look_at_us > from) { /* it meant to give the program time to begin */
        t->debt.look_at_us = 0;
        sdb_cond_signal(&db->debt);
    }
    while (rc == 0 && can_wait(t))
        rc = sdb_wait_progress(db, err);
    count(db, SDB_STALL_LEVEL0, from);
    tell(db, from, "level 0 had too many runs");
    return rc;
}

int sdb_pressure_wait(const seerdb_batch *b, seerdb_err *err)
{
    seerdb *db = b->db;
    sdb_lock_db(&db->lock);
    slow_down(b);
    int rc = wait_for_memory(db, err);
    for (size_t i = 0; i < b->nslots && rc == 0; i++)
        rc = wait_for_compaction(b->slots[i].tree, err);
    sdb_unlock_db(&db->lock);
    return rc;
}
