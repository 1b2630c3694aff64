/* SPDX-License-Identifier: Apache-2.0
 *
 * mem -- allocation that fails with SEERDB_NOMEM and never aborts.
 *
 * All of the engine's memory comes from here, so that a test can fail the Nth
 * allocation (sdb_mem_fail_after) and count what is live.  Any thread. */
#ifndef SDB_BASE_MEM_H
#define SDB_BASE_MEM_H

#include "base/status.h"

/* Zeroed memory, or NULL.  size 0 gives a valid pointer. */
void *sdb_mem_zalloc(size_t size) SDB_MUST_CHECK;
void *sdb_mem_alloc(size_t size) SDB_MUST_CHECK; /* not zeroed */
/* n * size zeroed bytes; NULL also when that overflows. */
void *sdb_array_new(size_t n, size_t size) SDB_MUST_CHECK;
/* Grow an array to n elements; the old memory stays valid when NULL is returned. */
void *sdb_array_grow(void *p, size_t n, size_t size) SDB_MUST_CHECK;
/* Aligned to `align` (a power of two, a multiple of sizeof(void *)); not zeroed. */
void *sdb_mem_aligned(size_t align, size_t size) SDB_MUST_CHECK;
void sdb_mem_free(void *p);
/* Aligned to 64, not zeroed.  What is large comes from the system and goes back to it
 * at once when it is given back, with the size as it was: an allocator would keep it,
 * or what lies around it, for as long as the process lives. */
void *sdb_mem_take(size_t size) SDB_MUST_CHECK;
void sdb_mem_give(void *p, size_t size); /* accepts NULL */
/* Zeroed pages from the system; they go back one by one, or all at once. */
void *sdb_mem_map(size_t size) SDB_MUST_CHECK;
void sdb_mem_unmap(void *p, size_t size);
char *sdb_mem_strdup(const char *s) SDB_MUST_CHECK;

/* Describe an allocation failure of `size` bytes. */
int sdb_fail_nomem(seerdb_err *err, size_t size);

/* Tests: let n more allocations succeed, then fail all until called again;
 * negative: never fail. */
void sdb_mem_fail_after(int64_t n);
/* Tests: allocations made since the start of the process. */
uint64_t sdb_mem_allocations(void);

#endif
