/* SPDX-License-Identifier: Apache-2.0
 *
 * interrupt -- asking whether whoever called wants the call to end.
 *
 * Who may interrupt belongs to the thread while it is in a call (seerdb_interrupt_by);
 * background threads have nobody, so what they do goes on.  Iterators, whose moves are
 * too short to tell the thread each time, carry theirs (table/iter.h). */
#ifndef SDB_BASE_INTERRUPT_H
#define SDB_BASE_INTERRUPT_H

#include "base/status.h"

/* Steps of some tens of nanoseconds after which to ask. */
#define SDB_INTERRUPT_STEPS 256u
/* Who waits asks this often. */
#define SDB_INTERRUPT_WAIT_MS 10u

/* INTERRUPTED if `by`, which may be NULL, is asked and says so. */
int sdb_interrupt_ask(const seerdb_interrupt *by, seerdb_err *err) SDB_MUST_CHECK;

/* The same of the one that this thread has. */
int sdb_interrupted(seerdb_err *err) SDB_MUST_CHECK;

/* Has this thread anybody to ask? */
bool sdb_interruptible(void);

#endif
