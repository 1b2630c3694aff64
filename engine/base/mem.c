/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* For tests only, and relaxed: one thread counts when it matters. */
static _Atomic int64_t fail_after = -1;
static _Atomic uint64_t allocations;

static bool may_allocate(void)
{
    atomic_fetch_add_explicit(&allocations, 1, memory_order_relaxed);
    int64_t left = atomic_load_explicit(&fail_after, memory_order_relaxed);
    if (left < 0)
        return true;
    if (left == 0)
        return false;
    atomic_fetch_sub_explicit(&fail_after, 1, memory_order_relaxed);
    return true;
}

void *sdb_mem_zalloc(size_t size)
{
    return may_allocate() ? calloc(1, size > 0 ? size : 1) : NULL;
}

void *sdb_mem_alloc(size_t size)
{
    return may_allocate() ? malloc(size > 0 ? size : 1) : NULL;
}

void *sdb_array_new(size_t n, size_t size)
{
    size_t bytes;
    return __builtin_mul_overflow(n, size, &bytes) ? NULL : sdb_mem_zalloc(bytes);
}

void *sdb_array_grow(void *p, size_t n, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(n, size, &bytes) || !may_allocate())
        return NULL;
    return realloc(p, bytes > 0 ? bytes : 1);
}

void *sdb_mem_aligned(size_t align, size_t size)
{
    size_t whole;
    if (__builtin_add_overflow(size, align - 1, &whole) || !may_allocate())
        return NULL;
    whole &= ~(align - 1);
    return aligned_alloc(align, whole > 0 ? whole : align);
}

void sdb_mem_free(void *p)
{
    free(p);
}

char *sdb_mem_strdup(const char *s)
{
    size_t n = strlen(s) + 1;
    char *copy = sdb_mem_alloc(n);
    return copy != NULL ? memcpy(copy, s, n) : NULL;
}

int sdb_fail_nomem(seerdb_err *err, size_t size)
{
    return sdb_fail(err, SEERDB_NOMEM, "out of memory: %zu bytes refused", size);
}

void sdb_mem_fail_after(int64_t n)
{
    atomic_store_explicit(&fail_after, n, memory_order_relaxed);
}

uint64_t sdb_mem_allocations(void)
{
    return atomic_load_explicit(&allocations, memory_order_relaxed);
}
