/* SPDX-License-Identifier: Apache-2.0
 *
 * hash -- XXH3-64, the one hash of the house: checksums and, later, filters. */
#ifndef SDB_BASE_HASH_H
#define SDB_BASE_HASH_H

#include "base/status.h"

uint64_t sdb_hash64(const void *data, size_t size, uint64_t seed);

/* The hash of two pieces as if they lay side by side. */
uint64_t sdb_hash64_2(const void *a, size_t na, const void *b, size_t nb,
                      uint64_t seed);

unsigned sdb_hash_version(void); /* of xxHash: 801 is 0.8.1 */

#endif
