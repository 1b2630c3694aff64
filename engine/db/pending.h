/* SPDX-License-Identifier: Apache-2.0
 *
 * pending -- spilled tables of a commit, from its prepare until a version lists them.
 *
 * A transaction that outgrows memory has written its sorted runs to tables by the time
 * it is prepared.  They wait beside the memtables, in the read state: who may see the
 * commit sees them.  In memory only; the list is immutable and counted. */
#ifndef SDB_DB_PENDING_H
#define SDB_DB_PENDING_H

#include "tree/memtable.h"
#include "tree/version.h"

#include <stdatomic.h>

struct sdb_pending {
    _Atomic uint32_t count;
    uint64_t number; /* of the commit */
    /* Counted; NULL: the manifest does not know the tables (any more), so that the
     * commit cannot count. */
    struct sdb_version *runs;
    _Atomic bool undone; /* never to be seen.  Release: unprepare; acquire: readers */
};

struct sdb_pendings {
    _Atomic uint32_t count;
    size_t n;
    struct sdb_pending *all[]; /* counted; newest commit first */
};

/* Takes a count on runs. */
int sdb_pending_new(uint64_t number, struct sdb_version *runs, struct sdb_pending **out,
                    seerdb_err *err) SDB_MUST_CHECK;
struct sdb_pending *sdb_pending_ref(struct sdb_pending *p);
void sdb_pending_unref(struct sdb_pending *p); /* accepts NULL */

/* May a reader at this number see the commit?  CORRUPT: it does, and the tables are
 * gone. */
int sdb_pending_look(const struct sdb_pending *p, uint64_t number,
                     const struct sdb_hidden *hidden, bool *seen, seerdb_err *err)
    SDB_MUST_CHECK;

/* The newest version in the commit, whatever its kind.  NOTFOUND. */
int sdb_pending_get(const struct sdb_pending *p, struct sdb_lookup *key,
                    struct sdb_found *out, seerdb_err *err) SDB_MUST_CHECK;

/* `list` (NULL: empty) without `gone` (may be NULL, and need not be there) and with
 * `added` (may be NULL).  *out is NULL when nothing is left. */
int sdb_pendings_change(const struct sdb_pendings *list, const struct sdb_pending *gone,
                        struct sdb_pending *added, struct sdb_pendings **out,
                        seerdb_err *err) SDB_MUST_CHECK;
struct sdb_pendings *sdb_pendings_ref(struct sdb_pendings *list); /* NULL stays NULL */
void sdb_pendings_unref(struct sdb_pendings *list);               /* accepts NULL */

#endif
