/* SPDX-License-Identifier: Apache-2.0
 *
 * mergeset -- merge operands of many keys that nobody has looked at yet: one for each
 * key, put together as they come.
 *
 * A transaction that increments counters needs no order before it ends or looks: a hash
 * table is quicker than a memtable, and keeps one operand where that keeps a chain. It
 * stays small; who finds it full moves what it holds to a memtable, and clears it.
 *
 * Life: zeros, add (many), sort, entries, clear; fini.  One thread.  No locks. */
#ifndef SDB_TREE_MERGESET_H
#define SDB_TREE_MERGESET_H

#include "tree/mergeop.h"

#define SDB_MERGESET_MOST    4096u               /* entries */
#define SDB_MERGESET_BYTES   ((size_t)256 << 10) /* of them, together */
#define SDB_MERGESET_KEY     ((size_t)1024)      /* longer ones are not taken in, */
#define SDB_MERGESET_OPERAND ((size_t)512)       /* nor these */

struct sdb_mergeset_entry {
    uint64_t number;                     /* of the first write that is in it */
    uint32_t hash, key_size, size, room; /* size, room: of the operand */
    uint8_t bytes[];                     /* key, operand */
};

/* Where an entry lies, and the first bytes of its key. */
struct sdb_mergeset_ref {
    uint64_t window;
    uint32_t at;
};

struct sdb_mergeset {
    uint8_t *bytes; /* owned: entries */
    size_t size, capacity;
    struct sdb_mergeset_ref *refs; /* owned: n of them, and as many for sorting */
    size_t n, nrefs;
    uint32_t *slots; /* owned: a power of two of them: where an entry lies, plus 1 */
    size_t nslots;
    uint64_t changed; /* the last number that went into an older entry; 0: none */
};

void sdb_mergeset_fini(struct sdb_mergeset *s);          /* accepts zeros */
void sdb_mergeset_clear(struct sdb_mergeset *s);         /* keeps the memory */
size_t sdb_mergeset_bytes(const struct sdb_mergeset *s); /* held */

/* Take an operand in, written under `number`, greater than all before: into the entry
 * of its key, if that has a number above `above`, else as a new one.  m: scratch.
 * Requires: op has partial.  False, and nothing has changed: it is full, or there is no
 * memory, or the operand does not go into the entry, or is too long. */
bool sdb_mergeset_add(struct sdb_mergeset *s, const seerdb_merge_operator *op,
                      struct sdb_merging *m, seerdb_slice key, seerdb_slice operand,
                      uint64_t number, uint64_t above) SDB_MUST_CHECK;

/* Bring the entries into the order of their keys. */
void sdb_mergeset_sort(struct sdb_mergeset *s);

/* Entry i of n.  Borrowed until the next add. */
static inline const struct sdb_mergeset_entry *
sdb_mergeset_at(const struct sdb_mergeset *s, size_t i)
{
    return (const struct sdb_mergeset_entry *)(const void *)(s->bytes + s->refs[i].at);
}

static inline seerdb_slice sdb_mergeset_key(const struct sdb_mergeset_entry *e)
{
    return (seerdb_slice){e->bytes, e->key_size};
}

static inline seerdb_slice sdb_mergeset_operand(const struct sdb_mergeset_entry *e)
{
    return (seerdb_slice){e->bytes + e->key_size, e->size};
}

/* Forget the first `first` entries, as sorted, and those with a number above `most`. */
void sdb_mergeset_drop(struct sdb_mergeset *s, size_t first, uint64_t most);

#endif
