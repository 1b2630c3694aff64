/* SPDX-License-Identifier: Apache-2.0
 *
 * vec -- the few loops over columns that a table is searched with, for the processor at
 * hand.
 *
 * A table of functions, chosen once when the library is loaded: every variant gives the
 * same answers bit by bit, so files written by one are read by any other.  Columns are
 * little-endian, u64 unless the name says u32, as on disk, and need no alignment.  Any
 * thread. */
#ifndef SDB_TABLE_VEC_H
#define SDB_TABLE_VEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SDB_LANES     16u /* of one step of a search */
#define SDB_LINE_SIZE 32u /* bytes of a filter's block */

/* Levels of a search with 16 ways, from the top; see search16. */
#define SDB_STEPS_MAX 9u /* 16^9 is more than a column can have */

struct sdb_vec {
    const char *name;
    /* How many of n values are below `value`. */
    size_t (*count_below)(const uint8_t *column, size_t n, uint64_t value);
    size_t (*count_below32)(const uint8_t *column, size_t n, uint32_t value);
    /* The same of the lowest level, by way of those above it. */
    size_t (*descend)(const uint8_t *const *levels, const size_t *sizes,
                      unsigned nlevels, uint64_t value);
    /* Set, or ask for, one bit in each of the eight words of a line. */
    void (*line_add)(uint8_t *line, uint32_t hash);
    bool (*line_has)(const uint8_t *line, uint32_t hash);
};

/* The best that this machine runs; constant once the library is loaded. */
extern const struct sdb_vec *sdb_vec;

/* All that this machine runs, the plain one first: for tests and benches.  NULL after
 * the last. */
const struct sdb_vec *sdb_vec_at(unsigned i);

#if defined(__x86_64__)
#define SDB_TARGET(features) __attribute__((target(features)))
#define SDB_CPU_HAS(feature) (__builtin_cpu_supports(feature) != 0)
#define SDB_CPU_INIT()       __builtin_cpu_init()
#else
#define SDB_TARGET(features)
#define SDB_CPU_HAS(feature) false
#define SDB_CPU_INIT()       ((void)0)
#endif

#endif
