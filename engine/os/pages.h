/* SPDX-License-Identifier: Apache-2.0
 *
 * pages -- memory in huge pages, for blocks of tables and chunks of memtables.
 *
 * A lookup touches a few cache lines anywhere in the store's memory; with small pages
 * most of them miss the address-translation cache too.  A pool takes regions of 2 MiB,
 * asks for huge pages, and hands out pieces of them; what is larger comes from the
 * heap.
 *
 * Counted: every piece holds a count on its pool, so that pieces may outlive the owner.
 * Any thread. */
#ifndef SDB_OS_PAGES_H
#define SDB_OS_PAGES_H

#include "base/arena.h"
#include "os/sync.h"

#define SDB_PAGES_REGION ((size_t)2 << 20)
/* The largest piece that comes out of a region: two fit. */
#if defined(__SANITIZE_ADDRESS__)
#define SDB_PAGES_PIECE_MAX                                                            \
    ((size_t)0) /* all from the heap: the sanitizer watches it                         \
                 */
#else
#define SDB_PAGES_PIECE_MAX ((size_t)1020 << 10)
#endif

struct sdb_pages;

/* A pool with one count, which keeps up to `spare` bytes of empty regions for reuse.
 * NULL: no memory. */
struct sdb_pages *sdb_pages_new(size_t spare);
void sdb_pages_unref(struct sdb_pages *p); /* accepts NULL */

/* `size` bytes aligned to 64, not zeroed; NULL: no memory.  p may be NULL: the heap. */
void *sdb_pages_take(struct sdb_pages *p, size_t size) EXCLUDES(LK_PAGES)
    SDB_MUST_CHECK;
/* p and size as they were for take. */
void sdb_pages_give(struct sdb_pages *p, void *piece, size_t size) EXCLUDES(LK_PAGES);

/* Chunks of arenas come from p (NULL: from the heap), in the largest pieces. */
struct sdb_arena_source sdb_pages_source(struct sdb_pages *p);

/* What a piece of so many bytes takes from memory. */
size_t sdb_pages_cost(const struct sdb_pages *p, size_t size);

/* Bytes of the regions held, full or not. */
size_t sdb_pages_bytes(struct sdb_pages *p) EXCLUDES(LK_PAGES);

/* Pieces come and go one by one, so that a pool of small ones can be mostly holes and
 * yet have no region to give back.  Whoever can do without some of its pieces says how
 * many bytes the pool should have at most, and looks now and then whether it is
 * crowded. Then: condemn, which takes the emptiest regions of small pieces out of
 * service, and give back those pieces for which condemned is true; a region goes with
 * its last one.  Condemn: bytes of the regions in question; 0: there is no need, or no
 * such region. */
void sdb_pages_set_limit(struct sdb_pages *p, size_t bytes) EXCLUDES(LK_PAGES);
bool sdb_pages_crowded(const struct sdb_pages *p); /* p may be NULL; relaxed */
size_t sdb_pages_condemn(struct sdb_pages *p) EXCLUDES(LK_PAGES);
/* Requires: the piece was taken from p, and is not given back meanwhile. */
bool sdb_pages_is_condemned(const struct sdb_pages *p, const void *piece, size_t size);

/* Asserts that bitmaps and counts agree; tests. */
void sdb_pages_check(struct sdb_pages *p) EXCLUDES(LK_PAGES);

#endif
