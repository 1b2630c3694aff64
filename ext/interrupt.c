/* SPDX-License-Identifier: Apache-2.0
 *
 * There is no function that says whether a progress handler wants to stop, and
 * sqlite3_is_interrupted exists from SQLite 3.41 on.  A nested statement sees both, in
 * every version, and counts its steps from run to run, so that a handler which is due
 * every million steps is called, too.  It runs for a twentieth of the time that went
 * by, or less.
 *
 * SQLite forgets an interrupt when a statement begins while none is running, and so
 * would with ours, where a store is opened for a statement that is only being prepared.
 * The anchor is a statement that is running. */
#define _XOPEN_SOURCE 700 /* clock_gettime */
#include "interrupt.h"

#include <stddef.h>
#include <time.h>

/* Of the probe: a row more is so many steps of the virtual machine, of 8 ns each. */
#define STEPS_PER_ROW 17
/* Steps for a microsecond of ours: what the virtual machine does in a thirtieth. */
#define STEPS_PER_US 4
/* SQLite is asked so often at most. */
#define ASK_EVERY_US 200
/* An iterator does not know what of the time between was its own. */
#define SCAN_MOST_US 500
#define CALL_MOST_US 50000
/* Steps of a loop of ours, of some tens of nanoseconds at least. */
#define PASS_STEPS 256

/* ---- sqlite3_is_interrupted ------------------------------------------------- */

#if defined(SQLITE_CORE) && SQLITE_VERSION_NUMBER < 3041000

static bool flag_is_set(sqlite3 *db)
{
    (void)db;
    return false; /* the probe tells */
}

#elif SQLITE_VERSION_NUMBER >= 3041000

static bool flag_is_set(sqlite3 *db)
{
    return sqlite3_libversion_number() >= 3041000 && sqlite3_is_interrupted(db) != 0;
}

#elif SQLITE_VERSION_NUMBER >= 3040000

/* The loader's table only grows: what 3.41 has next. */
struct newer_api {
    sqlite3_api_routines known;
    int (*is_interrupted)(sqlite3 *db);
};
_Static_assert(offsetof(struct newer_api, is_interrupted) ==
                   offsetof(sqlite3_api_routines, value_encoding) +
                       sizeof(void (*)(void)),
               "the last function that 3.40 knows is value_encoding");

static bool flag_is_set(sqlite3 *db)
{
    return sqlite3_libversion_number() >= 3041000 &&
           ((const struct newer_api *)(const void *)sqlite3_api)->is_interrupted(db) !=
               0;
}

#else

static bool flag_is_set(sqlite3 *db)
{
    (void)db;
    return false;
}

#endif

/* ---- the probe ---------------------------------------------------------------- */

static int64_t clock_us(void)
{
    struct timespec t = {0};
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000 + 1;
}

/* Run the virtual machine for so many steps.  A failure of another kind than an
 * interrupt is nobody's wish to stop: what goes on is what was asked for. */
static bool run_probe(struct svt_interrupt *i, int64_t steps)
{
    static const char text[] =
        "WITH RECURSIVE n(i) AS (SELECT ?1 UNION ALL SELECT i - 1 FROM n WHERE i > 0) "
        "SELECT count(*) FROM n";
    int rc = SQLITE_OK;
    if (i->probe == NULL)
        rc = sqlite3_prepare_v3(i->db, text, -1, SQLITE_PREPARE_PERSISTENT, &i->probe,
                                NULL);
    if (rc == SQLITE_OK) {
        (void)sqlite3_bind_int64(i->probe, 1, steps / STEPS_PER_ROW);
        (void)sqlite3_step(i->probe);
        rc = sqlite3_reset(i->probe);
    }
    return (rc & 0xff) == SQLITE_INTERRUPT;
}

static bool ask(struct svt_interrupt *i, int64_t most_us)
{
    if (i->asking)
        return false;
    if (flag_is_set(i->db))
        return true;
    int64_t us = clock_us() - i->asked_us;
    if (us < ASK_EVERY_US)
        return false;
    i->asking = true; /* the handler may be anything */
    bool stop = run_probe(i, STEPS_PER_US * (us < most_us ? us : most_us));
    i->asking = false;
    i->asked_us = clock_us(); /* a slow handler's time is not ours */
    return stop;
}

static bool ask_scan(void *ctx)
{
    return ask(ctx, SCAN_MOST_US);
}

static bool ask_call(void *ctx)
{
    return ask(ctx, CALL_MOST_US);
}

/* ---- for the other modules ------------------------------------------------------ */

void svt_interrupt_init(struct svt_interrupt *i, sqlite3 *db)
{
    *i = (struct svt_interrupt){.db = db, .scan = {ask_scan, i}, .call = {ask_call, i}};
}

void svt_interrupt_rest(struct svt_interrupt *i)
{
    sqlite3_finalize(i->probe);
    i->probe = NULL;
}

void svt_interrupt_end(struct svt_interrupt_span *span)
{
    seerdb_interrupt_by(span->before);
    sqlite3_finalize(span->anchor);
}

int svt_interrupt_begin(struct svt_interrupt *i, struct svt_interrupt_span *span)
{
    *span = (struct svt_interrupt_span){.before = seerdb_interrupt_by(&i->call)};
    int rc = sqlite3_prepare_v2(i->db, "VALUES (1), (2)", -1, &span->anchor, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(span->anchor); /* not to its end */
    i->asked_us = clock_us();
    if ((rc & 0xff) != SQLITE_INTERRUPT)
        return SQLITE_OK;
    svt_interrupt_end(span);
    return SQLITE_INTERRUPT;
}

int svt_interrupt_was(sqlite3 *db)
{
    return (sqlite3_errcode(db) & 0xff) == SQLITE_INTERRUPT ? SQLITE_INTERRUPT
                                                            : SQLITE_OK;
}

int svt_interrupt_check(struct svt_interrupt *i)
{
    return ask_call(i) ? SQLITE_INTERRUPT : SQLITE_OK;
}

int svt_interrupt_pass(struct svt_interrupt *i)
{
    return ++i->passed % PASS_STEPS == 0 && ask_scan(i) ? SQLITE_INTERRUPT : SQLITE_OK;
}
