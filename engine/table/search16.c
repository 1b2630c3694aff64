/* SPDX-License-Identifier: Apache-2.0
 *
 * After the static B-trees of Slotin, "Algorithms for Modern Hardware" (S+ trees): the
 * lowest level is the sorted column itself, so nothing is copied and a place in it is a
 * result.  A partial group at the end of a level needs no value above it: whatever is
 * greater than all that stand there falls into it. */
#include "table/search16.h"

#include "base/mem.h"

#include <string.h>

int sdb_search16_init(struct sdb_search16 *s, const uint8_t *column, size_t n,
                      seerdb_err *err)
{
    size_t sizes[SDB_STEPS_MAX] = {n}, total = 0;
    unsigned levels = 1;
    *s = (struct sdb_search16){0};
    while (sizes[levels - 1] > SDB_LANES && levels < SDB_STEPS_MAX) {
        sizes[levels] = sizes[levels - 1] / SDB_LANES;
        total += sizes[levels++];
    }
    if (total > 0 && (s->upper = sdb_mem_aligned(64, total * 8)) == NULL)
        return sdb_fail_nomem(err, total * 8);
    s->upper_size = total * 8;
    s->nlevels = levels;
    uint8_t *at = s->upper;
    for (unsigned i = 0; i < levels; i++) {
        unsigned mine = levels - 1 - i; /* the top is the first */
        s->sizes[mine] = sizes[i];
        s->levels[mine] = i == 0 ? column : at;
        if (i == 0)
            continue;
        const uint8_t *below = s->levels[mine + 1];
        for (size_t k = 0; k < sizes[i]; k++, at += 8)
            memcpy(at, below + 8 * (k * SDB_LANES + SDB_LANES - 1), 8);
    }
    return 0;
}

void sdb_search16_fini(struct sdb_search16 *s)
{
    sdb_mem_free(s->upper);
}
