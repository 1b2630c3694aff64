/* SPDX-License-Identifier: Apache-2.0
 *
 * version -- the set of tables of a tree at an instant; immutable and counted.
 *
 * A version holds counts on its tables.  A table that no version holds any more and
 * that was removed from the manifest is handed to the store's graveyard, which deletes
 * the file outside every lock. */
#ifndef SDB_TREE_VERSION_H
#define SDB_TREE_VERSION_H

#include "log/manifest.h"
#include "table/table_reader.h"

/* A table as versions share it. */
struct sdb_run {
    _Atomic uint32_t count;
    struct sdb_table_desc desc; /* owned */
    struct sdb_table *table;    /* counted */
    /* Called with the last unref, under any lock or none: must not do I/O. Takes the
     * run over (free it with sdb_run_free). */
    void (*dead)(void *ctx, struct sdb_run *run);
    void *ctx;
    struct sdb_run *next_dead; /* for whoever collects them */
};

struct sdb_version {
    _Atomic uint32_t count;
    size_t nruns;
    uint64_t records, tombstones, bytes; /* sums over the runs */
    struct sdb_run *runs[];              /* counted; newest first */
};

/* A run with one count.  Copies desc, takes table's count over, also on failure. */
int sdb_run_new(const struct sdb_table_desc *desc, struct sdb_table *table,
                void (*dead)(void *, struct sdb_run *), void *ctx, struct sdb_run **out,
                seerdb_err *err) SDB_MUST_CHECK;
void sdb_run_free(struct sdb_run *run); /* closes the table's file; accepts NULL */

/* One count each.  The new version counts the runs it lists: newest first. */
int sdb_version_new(struct sdb_run *const *runs, size_t n, struct sdb_version **out,
                    seerdb_err *err) SDB_MUST_CHECK;
/* `base` (NULL: empty) with `added` in front of it. */
int sdb_version_add(const struct sdb_version *base, struct sdb_run *added,
                    struct sdb_version **out, seerdb_err *err) SDB_MUST_CHECK;
struct sdb_version *sdb_version_ref(struct sdb_version *v);
void sdb_version_unref(struct sdb_version *v); /* accepts NULL */
void sdb_run_ref(struct sdb_run *run);
void sdb_run_unref(struct sdb_run *run); /* accepts NULL */

#endif
