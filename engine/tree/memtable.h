/* SPDX-License-Identifier: Apache-2.0
 *
 * memtable -- an ordered map of versions in memory: one writer, readers without locks.
 *
 * A B+-tree of sequence-locked nodes in an arena.  A slot is a key's code and its
 * newest entry; older versions hang behind it as a chain, so that overwriting a key
 * moves nothing.  The codes drop a prefix that all keys share; when a key outside the
 * prefix arrives, the nodes (not the entries) are rebuilt under a shorter one and
 * readers in flight finish on the old nodes.  A batch is the same structure with
 * write ordinals for numbers.
 *
 * Range tombstones stand beside the tree, in a list without order; readers take them as
 * a set.
 *
 * Threads: one writer at a time (the caller's lock); any number of readers, which see
 * every entry inserted before they started and may see later ones (their ceiling
 * hides them).  Counted through its pin; entries live as long as the memtable. */
#ifndef SDB_TREE_MEMTABLE_H
#define SDB_TREE_MEMTABLE_H

#include "os/pages.h"
#include "os/sync.h"
#include "table/hidden.h"
#include "table/iter.h"
#include "table/ranges.h"

struct sdb_memtable;
struct sdb_root;  /* tree/node.h */
struct sdb_entry; /* tree/node.h */

int sdb_memtable_new(struct sdb_memtable **out, seerdb_err *err) SDB_MUST_CHECK;
/* Take chunks of memory from this pool, once it has grown to their size.  Borrowed;
 * what is taken from it keeps it.  Requires: m is empty and not shared yet. */
void sdb_memtable_use_pages(struct sdb_memtable *m, struct sdb_pages *pages);
/* Forget everything; what little memory it has stays for what comes. Requires: the
 * caller has the only count. */
void sdb_memtable_clear(struct sdb_memtable *m);
bool sdb_memtable_is_shared(struct sdb_memtable *m); /* or has the caller that count? */
seerdb_pin *sdb_memtable_pin(struct sdb_memtable *m); /* borrowed: ref it to keep m */
static inline void sdb_memtable_unref(struct sdb_memtable *m)
{
    seerdb_pin_unref((seerdb_pin *)m); /* the pin is its first member; NULL is fine */
}

/* Make sure that `n` inserts with keys and values of `bytes` in all succeed without
 * further memory; a merge record takes 8 bytes more.  Writer. */
int sdb_memtable_reserve(struct sdb_memtable *m, size_t n, size_t bytes,
                         seerdb_err *err) SDB_MUST_CHECK;

/* Insert a version; copies key and value.  Writer.  Requires: number is greater than
 * that of every version of this key, or equal to the newest's, which is then replaced
 * for readers that start later; of a range tombstone (SDB_KIND_RANGE), that it is not
 * empty, and nothing about its number.  NOMEM only beyond what was reserved. */
int sdb_memtable_insert(struct sdb_memtable *m, const struct sdb_record *r,
                        seerdb_err *err) SDB_MUST_CHECK;

/* The same, of a record that is made when its place is known: `make` is shown the
 * newest version of the key that `hidden` (may be NULL) does not hide, if there is one,
 * with no pin, and may change kind and value.  A failure of its is the result, and
 * nothing is inserted.  Not for range tombstones. */
struct sdb_maker {
    const struct sdb_hidden *hidden;
    int (*make)(void *ctx, const struct sdb_found *newest, struct sdb_record *r,
                seerdb_err *err);
    void *ctx;
};
int sdb_memtable_make(struct sdb_memtable *m, struct sdb_record *r,
                      const struct sdb_maker *maker, seerdb_err *err) SDB_MUST_CHECK;

/* Keep what records of m point to, under a name: m takes the count over, and gives it
 * back when it is freed or cleared.  NOMEM: it stays the caller's.  Writer. */
int sdb_memtable_keep(struct sdb_memtable *m, uint64_t name, seerdb_pin *pin,
                      seerdb_err *err) SDB_MUST_CHECK;
/* Does m keep something of that name?  Writer. */
bool sdb_memtable_keeps(const struct sdb_memtable *m, uint64_t name);
/* The names, n of them.  Borrowed; writer. */
struct sdb_kept {
    uint64_t name;
    seerdb_pin *pin; /* counted */
};
const struct sdb_kept *sdb_memtable_kept(const struct sdb_memtable *m, size_t *n);

/* The newest version with a number <= ceiling that `hidden` (may be NULL) does not
 * hide, whatever its kind.  NOTFOUND.  out->pin is a new count. */
int sdb_memtable_get(struct sdb_memtable *m, seerdb_slice key, uint64_t ceiling,
                     const struct sdb_hidden *hidden, struct sdb_found *out);

/* Call `each` for every such version of the key, newest first, but for those that a
 * merge record before includes, until it answers other than 0: that is the result.
 * NOTFOUND: it never did.  Borrowed from m. */
int sdb_memtable_walk(struct sdb_memtable *m, seerdb_slice key, uint64_t ceiling,
                      const struct sdb_hidden *hidden,
                      int (*each)(void *ctx, const struct sdb_record *r), void *ctx)
    SDB_MUST_CHECK;

/* The iterator holds a count on m and borrows hidden, whose content may change while
 * it is open.  The ceiling and hidden are about stored numbers; those shown are the
 * stored ones plus `raise` (0, or SDB_NUMBER_BATCH).  first, last and seeks see all
 * that was inserted before they started; next, prev and older go on from there, and
 * need not see what was inserted after. */
int sdb_memtable_iter(struct sdb_memtable *m, uint64_t ceiling,
                      const struct sdb_hidden *hidden, uint64_t raise,
                      struct sdb_iter **out, seerdb_err *err) SDB_MUST_CHECK;

/* Use one again. Requires: it was made by sdb_memtable_iter and is at rest. */
void sdb_memtable_iter_aim(struct sdb_iter *it, struct sdb_memtable *m,
                           uint64_t ceiling, const struct sdb_hidden *hidden,
                           uint64_t raise);

/* Does it hold a range tombstone, whoever may see it?  Any thread. */
bool sdb_memtable_has_ranges(const struct sdb_memtable *m);
/* Its range tombstones: all that were inserted before the call, and perhaps later ones
 * (the reader's ceiling hides them).  *out is NULL when there are none, else one count.
 * Any thread. */
int sdb_memtable_ranges(struct sdb_memtable *m, struct sdb_ranges **out,
                        seerdb_err *err) EXCLUDES(LK_RANGES) SDB_MUST_CHECK;
/* Is there one with a number <= ceiling that `hidden` (may be NULL) does not hide?  Any
 * thread. */
bool sdb_memtable_sees_range(const struct sdb_memtable *m, uint64_t ceiling,
                             const struct sdb_hidden *hidden);

/* Any thread, relaxed: statistics and triggers. */
size_t sdb_memtable_bytes(const struct sdb_memtable *m);     /* held */
uint64_t sdb_memtable_records(const struct sdb_memtable *m); /* versions inserted */
uint64_t sdb_memtable_tombstones(const struct sdb_memtable *m);
size_t sdb_memtable_nranges(const struct sdb_memtable *m); /* not among the records */
/* No record that was inserted before has a greater number. */
uint64_t sdb_memtable_newest(const struct sdb_memtable *m);

/* About which share of the keys lies below key, 0 to 1.  Any thread. */
double sdb_memtable_share_below(const struct sdb_memtable *m, seerdb_slice key);

/* First and last key of the records; false without any.  Borrowed from m. */
bool sdb_memtable_bounds(struct sdb_memtable *m, seerdb_slice *smallest,
                         seerdb_slice *largest);

/* Walk everything and assert the invariants. Tests and debug builds; no writer. */
void sdb_memtable_check(struct sdb_memtable *m);

/* For memtable_iter.c: where a search begins, NULL: empty. */
const struct sdb_root *sdb_memtable_root(const struct sdb_memtable *m);
/* The version behind e that is visible, or NULL; in a `chain`, of those that e does not
 * include. */
const struct sdb_entry *sdb_memtable_next_version(const struct sdb_entry *e, bool chain,
                                                  uint64_t ceiling,
                                                  const struct sdb_hidden *hidden);

#endif
