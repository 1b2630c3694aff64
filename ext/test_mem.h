/* SPDX-License-Identifier: Apache-2.0
 *
 * test_mem.h -- unit tests: SQLite's allocator with a limit on how often it succeeds.
 */
#ifndef SVT_TEST_MEM_H
#define SVT_TEST_MEM_H

#include "test.h"

#include "sqlite.h"

static sqlite3_mem_methods test_mem_real;
/* Allocations that still succeed; negative: all. */
static _Atomic int64_t test_mem_left = -1;
static _Atomic int64_t test_mem_live; /* allocations not freed */

static bool test_mem_take(void)
{
    if (test_mem_left == 0)
        return false;
    test_mem_left -= test_mem_left > 0;
    return true;
}

static void *test_mem_malloc(int n)
{
    void *p = test_mem_take() ? test_mem_real.xMalloc(n) : NULL;
    test_mem_live += p != NULL;
    return p;
}

static void test_mem_free(void *p)
{
    test_mem_live -= p != NULL;
    test_mem_real.xFree(p);
}

static void *test_mem_realloc(void *p, int n)
{
    return test_mem_take() ? test_mem_real.xRealloc(p, n) : NULL;
}

/* Group setup: before anything else touches SQLite. */
static int test_mem_install(void **state)
{
    (void)state;
    if (sqlite3_config(SQLITE_CONFIG_GETMALLOC, &test_mem_real) != SQLITE_OK)
        return -1;
    sqlite3_mem_methods m = test_mem_real;
    m.xMalloc = test_mem_malloc;
    m.xFree = test_mem_free;
    m.xRealloc = test_mem_realloc;
    /* Lookaside would serve small requests without asking (Debian's SQLite has none).
     */
    return sqlite3_config(SQLITE_CONFIG_MALLOC, &m) == SQLITE_OK &&
                   sqlite3_config(SQLITE_CONFIG_LOOKASIDE, 0, 0) == SQLITE_OK &&
                   sqlite3_initialize() == SQLITE_OK
               ? 0
               : -1;
}

#endif
