/* SPDX-License-Identifier: Apache-2.0
 *
 * Why the thread has it: what takes long lies deep, below functions that background
 * threads call too, and every one of them would have to hand it down. */
#include "base/interrupt.h"

static _Thread_local const seerdb_interrupt *current;

const seerdb_interrupt *seerdb_interrupt_by(const seerdb_interrupt *by)
{
    const seerdb_interrupt *before = current;
    current = by;
    return before;
}

int sdb_interrupt_ask(const seerdb_interrupt *by, seerdb_err *err)
{
    return by != NULL && by->asked(by->ctx)
               ? sdb_fail(err, SEERDB_INTERRUPTED, "interrupted")
               : 0;
}

int sdb_interrupted(seerdb_err *err)
{
    return sdb_interrupt_ask(current, err);
}

bool sdb_interruptible(void)
{
    return current != NULL;
}
