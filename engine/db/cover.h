/* SPDX-License-Identifier: Apache-2.0
 *
 * cover -- what range tombstones delete for one read.
 *
 * Reads come here only where there is a range tombstone at all (sdb_cover_any), so that
 * the others pay for that question alone. */
#ifndef SDB_DB_COVER_H
#define SDB_DB_COVER_H

#include "db/batch.h"

/* What a read looks at.  All of it is borrowed. */
struct sdb_sight {
    const struct sdb_read_state *state;
    uint64_t number;                 /* commits above it do not exist for the read, */
    const struct sdb_hidden *hidden; /* nor do these; NULL: none */
    const seerdb_batch *batch;
    const struct sdb_batch_part *part; /* of the batch; NULL: it has none of the tree */
    uint64_t mark;                     /* ordinals above it do not exist either */
};

/* Could there be a range tombstone in sight? */
static inline bool sdb_cover_any(const struct sdb_sight *s)
{
    return s->state->ranges || sdb_memtable_has_ranges(s->state->memtables[0]) ||
           (s->part != NULL && (sdb_memtable_has_ranges(s->part->memtable) ||
                                (s->part->runs != NULL && s->part->runs->ranges > 0)));
}

/* Look a key up.  0: found, and not deleted by a range; NOTFOUND. */
int sdb_cover_get(const struct sdb_sight *s, seerdb_slice key, struct sdb_found *out,
                  seerdb_err *err) EXCLUDES(LK_RANGES) SDB_MUST_CHECK;

/* All ranges in sight as one flat set, kept from scan to scan: most find that nothing
 * has changed.  All zeros is empty. */
struct sdb_cover {
    struct sdb_ranges *flat; /* counted: what a scan must not show; NULL: nothing */
    /* Owned: what it was made of, each with a count on its ranges; and scratch. */
    struct sdb_ranges_source *sources, *looked_at;
    size_t n, capacity;
    bool known;
};

/* Bring c->flat up to date.  The numbers in it are those that the sources of a scan
 * show: those of a batch are raised by SDB_NUMBER_BATCH. */
int sdb_cover_update(struct sdb_cover *c, const struct sdb_sight *s, seerdb_err *err)
    EXCLUDES(LK_RANGES) SDB_MUST_CHECK;
void sdb_cover_fini(struct sdb_cover *c);

#endif
