/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE /* MAP_ANONYMOUS */
#include "base/mem.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#if defined(__SANITIZE_ADDRESS__)
#define LARGE SIZE_MAX /* none: the sanitizer watches the heap */
#else
#define LARGE ((size_t)64 << 10)
#endif

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

void *sdb_mem_map(size_t size)
{
    if (!may_allocate())
        return NULL;
    void *p =
        mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return p != MAP_FAILED ? p : NULL;
}

void sdb_mem_unmap(void *p, size_t size)
{
    (void)munmap(p, size); /* fails for what was never mapped */
}

void *sdb_mem_take(size_t size)
{
    return size < LARGE ? sdb_mem_aligned(64, size) : sdb_mem_map(size);
}

void sdb_mem_give(void *p, size_t size)
{
    if (size < LARGE)
        sdb_mem_free(p);
    else if (p != NULL)
        sdb_mem_unmap(p, size);
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
