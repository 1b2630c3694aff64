/* SPDX-License-Identifier: Apache-2.0
 *
 * version -- the set of tables of a tree at an instant; immutable and counted.
 *
 * Its tables form sorted *runs*: tables of one run do not overlap, and no key's
 * versions are in two of them.  A range tombstone lies within its table's bounds, so
 * that a key's are in the one table of the run that may have its versions.  Where a
 * table's largest key is an open end, the next one may begin with it.  Of two runs that
 * hold versions of a key the earlier one has the newer ones: runs are ordered by level,
 * at level 0 by their greatest commit number, and then by id, the higher one being the
 * newer.
 *
 * A version holds counts on its tables.  A table that no version holds any more and
 * that was removed from the manifest is handed to the store's graveyard, which deletes
 * the file outside every lock. */
#ifndef SDB_TREE_VERSION_H
#define SDB_TREE_VERSION_H

#include "log/manifest.h"
#include "table/table_reader.h"

/* A table as versions share it. */
struct sdb_member {
    _Atomic uint32_t count;
    struct sdb_table_desc desc; /* owned; immutable */
    struct sdb_table *table;    /* counted */
    /* Called with the last unref, under any lock or none: must not do I/O. Takes the
     * member over (free it with sdb_member_free). */
    void (*dead)(void *ctx, struct sdb_member *member);
    void *ctx;
    bool pending; /* the manifest lists it as pending, and must forget it first; changed
                     by a holder of a count */
    struct sdb_member *next_dead; /* for whoever collects them */
    struct sdb_member *origin; /* counted: the same file, before it was moved; NULL */
    seerdb_pin **kept;         /* owned, nkept counts: what its records point to */
    size_t nkept;
};

/* The member with whose death the file goes: set dead there. */
static inline struct sdb_member *sdb_member_origin(struct sdb_member *m)
{
    return m->origin != NULL ? m->origin : m;
}

struct sdb_run {
    uint64_t id;
    uint64_t bytes, records, tombstones, ranges; /* sums over its tables */
    uint64_t newest; /* no number in them is greater, of a spilled one its commit */
    uint32_t level;
    uint32_t first, n; /* members[first .. first + n), by key */
};

struct sdb_version {
    _Atomic uint32_t count;
    uint32_t nruns, nmembers;
    uint64_t records, tombstones, ranges, bytes; /* sums over the runs */
    uint64_t values;              /* bytes in the value log that its tables name */
    size_t memory;                /* of the tables' indexes */
    struct sdb_run *runs;         /* newest first; part of this allocation */
    struct sdb_member *members[]; /* counted; run by run */
};

/* A member with one count.  Copies desc, takes table's count over, also on failure. */
int sdb_member_new(const struct sdb_table_desc *desc, struct sdb_table *table,
                   void (*dead)(void *, struct sdb_member *), void *ctx,
                   struct sdb_member **out, seerdb_err *err) SDB_MUST_CHECK;
/* Keep what records of the table point to: takes the array and its counts over.
 * Requires: nobody else has the member yet, and it keeps nothing. */
void sdb_member_keep(struct sdb_member *member, seerdb_pin **pins, size_t n);
/* The same file in another place; one count. */
int sdb_member_move(struct sdb_member *member, uint32_t level, uint64_t run,
                    struct sdb_member **out, seerdb_err *err) SDB_MUST_CHECK;
/* Closes the table's file; accepts NULL. */
void sdb_member_free(struct sdb_member *member);
void sdb_member_ref(struct sdb_member *member);
void sdb_member_unref(struct sdb_member *member); /* accepts NULL */

/* The newest version of key with a number <= ceiling; the number of a spilled table's
 * records is its commit.  NOTFOUND. */
int sdb_member_get(const struct sdb_member *m, struct sdb_lookup *key, uint64_t ceiling,
                   struct sdb_found *out, seerdb_err *err) SDB_MUST_CHECK;

/* Its range tombstones as one sees them who reads up to the ceiling. */
static inline struct sdb_ranges_source sdb_member_ranges(const struct sdb_member *m,
                                                         uint64_t ceiling)
{
    return (struct sdb_ranges_source){.ranges = m->desc.ranges > 0 && m->table != NULL
                                                    ? sdb_table_ranges(m->table)
                                                    : NULL,
                                      .as = m->desc.commit,
                                      .ceiling = ceiling};
}

/* The greatest number of those that cover key; 0: none. */
uint64_t sdb_member_cover(const struct sdb_member *m, seerdb_slice key,
                          uint64_t ceiling);

/* The greatest number of its range tombstones; 0: it has none. */
uint64_t sdb_member_newest_range(const struct sdb_member *m);

/* Do the ranges that `s` sees delete all that is in the table, ranges and all? */
bool sdb_table_desc_deleted(const struct sdb_table_desc *d,
                            const struct sdb_ranges_source *s);

/* Is all of the table before key? */
static inline bool sdb_table_desc_before(const struct sdb_table_desc *d,
                                         seerdb_slice key)
{
    int order = sdb_slice_cmp(sdb_buf_slice(&d->largest), key);
    return order < 0 || (order == 0 && d->open_end);
}

/* What a version becomes: without `removed`, which are of it, and with `added`. */
struct sdb_version_change {
    struct sdb_member *const *removed, *const *added; /* borrowed */
    size_t nremoved, nadded;
};

/* A version with one count; it counts the members it lists.  `base` may be NULL: empty.
 * CORRUPT: tables of one run overlap. */
int sdb_version_new(const struct sdb_version *base,
                    const struct sdb_version_change *change, struct sdb_version **out,
                    seerdb_err *err) SDB_MUST_CHECK;
struct sdb_version *sdb_version_ref(struct sdb_version *v);
void sdb_version_unref(struct sdb_version *v); /* accepts NULL */

/* An id above those of all runs. */
uint64_t sdb_version_next_run(const struct sdb_version *v);

/* The place in v->members of the first table of the run that is not all before key; the
 * end of the run if there is none. */
uint32_t sdb_run_seek(const struct sdb_version *v, const struct sdb_run *run,
                      seerdb_slice key);

/* About how many records of the run come before key.  No I/O. */
uint64_t sdb_run_rank(const struct sdb_version *v, const struct sdb_run *run,
                      seerdb_slice key);

/* The table of the run that may hold key, or NULL. */
static inline const struct sdb_member *
sdb_run_find(const struct sdb_version *v, const struct sdb_run *run, seerdb_slice key)
{
    uint32_t i = sdb_run_seek(v, run, key);
    if (i == run->first + run->n ||
        sdb_slice_cmp(key, sdb_buf_slice(&v->members[i]->desc.smallest)) < 0)
        return NULL;
    return v->members[i];
}

/* The tables of the first runs that may hold the key, NULL where there is none, for
 * lookups from run to run: what their filters will be asked for comes meanwhile. */
struct sdb_places {
    const struct sdb_member *at[16];
    uint32_t n; /* runs */
};
void sdb_version_find(const struct sdb_version *v, struct sdb_lookup *key,
                      struct sdb_places *out);

/* That of the i-th run, or NULL. */
static inline const struct sdb_member *sdb_places_at(const struct sdb_places *p,
                                                     const struct sdb_version *v,
                                                     uint32_t i, seerdb_slice key)
{
    return i < p->n ? p->at[i] : sdb_run_find(v, &v->runs[i], key);
}

#endif
