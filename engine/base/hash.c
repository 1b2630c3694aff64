/* SPDX-License-Identifier: Apache-2.0 */
#include "base/hash.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wcast-qual"
#define XXH_INLINE_ALL
#include <xxhash.h>
#pragma GCC diagnostic pop

uint64_t sdb_hash64(const void *data, size_t size, uint64_t seed)
{
    return XXH3_64bits_withSeed(data, size, seed);
}

uint64_t sdb_hash64_2(const void *a, size_t na, const void *b, size_t nb, uint64_t seed)
{
    XXH3_state_t state = {0};
    XXH3_64bits_reset_withSeed(&state, seed); /* zeroed first: gcc cannot see this */
    XXH3_64bits_update(&state, a, na);
    if (nb > 0)
        XXH3_64bits_update(&state, b, nb);
    return XXH3_64bits_digest(&state);
}

unsigned sdb_hash_version(void)
{
    return XXH_versionNumber();
}
