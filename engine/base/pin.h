/* SPDX-License-Identifier: Apache-2.0
 *
 * pin -- counted memory that many readers hold: memtables, blocks, whole results.
 *
 * A struct seerdb_pin is the first member of what it counts.  Any thread. */
#ifndef SDB_BASE_PIN_H
#define SDB_BASE_PIN_H

#include "base/status.h"

#include <stdatomic.h>

struct seerdb_pin {
    _Atomic uint32_t count; /* relaxed up; acq_rel down, so that the freer sees all */
    void (*free)(seerdb_pin *pin);
};

/* One count, the caller's. */
static inline void sdb_pin_init(seerdb_pin *pin, void (*free_fn)(seerdb_pin *))
{
    atomic_init(&pin->count, 1);
    pin->free = free_fn;
}

#endif
