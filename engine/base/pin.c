/* SPDX-License-Identifier: Apache-2.0 */
#include "base/pin.h"

seerdb_pin *seerdb_pin_ref(seerdb_pin *pin)
{
    if (pin != NULL)
        atomic_fetch_add_explicit(&pin->count, 1, memory_order_relaxed);
    return pin;
}

void seerdb_pin_unref(seerdb_pin *pin)
{
    if (pin != NULL &&
        atomic_fetch_sub_explicit(&pin->count, 1, memory_order_acq_rel) == 1)
        pin->free(pin);
}
