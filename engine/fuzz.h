/* SPDX-License-Identifier: Apache-2.0
 *
 * fuzz -- what a fuzz program offers to libFuzzer and to engine/fuzz_main.c, which runs
 * it under make test: its own seeds, mutated at random, and files it is given. */
#ifndef SDB_FUZZ_H
#define SDB_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Sound inputs, without the byte that LLVMFuzzerTestOneInput has in front; to be freed.
 */
unsigned sdb_fuzz_seeds(void);
size_t sdb_fuzz_seed(unsigned i, uint8_t **out);

/* Read a damaged copy of a seed as it is; false: it showed what the seed does not hold.
 */
bool sdb_fuzz_judge(const uint8_t *seed, size_t seed_size, const uint8_t *data,
                    size_t size);

#endif
