/* SPDX-License-Identifier: Apache-2.0
 *
 * manifest -- the durable list of what a store consists of.
 *
 * The manifest file is a snapshot of the catalog (log/catalog.h) followed by edits, one
 * per frame, each applied whole or not at all.  CURRENT names the manifest in use. When
 * edits outweigh the snapshot, a new manifest is written and CURRENT is switched.
 *
 * Life: create, or load and begin; append (many), close.  One that was loaded and not
 * begun is for reading.  Callers hold LK_INSTALL.  After a failed append the manifest
 * refuses further ones.  FORMAT.md, "Manifest". */
#ifndef SDB_LOG_MANIFEST_H
#define SDB_LOG_MANIFEST_H

#include "log/edit.h"
#include "log/frame.h"
#include "os/sync.h"

struct sdb_manifest; /* the open file and the catalog it describes */

/* Make the first manifest of a new store in dir (which exists): one snapshot holding
 * `store`, synced, and CURRENT.  The manifest is file 1: the ceilings start at commit
 * number 1 and file number 2.  Requires: no CURRENT in dir; a manifest with number 1,
 * left by a creation that was cut off, is replaced. */
int sdb_manifest_create(struct sdb_fs *fs, const char *dir, const seerdb_uuid *store,
                        struct sdb_manifest **out, seerdb_err *err) EXCLUDES(LK_DB)
    SDB_MUST_CHECK;

/* Load what CURRENT names; changes nothing.  NOTFOUND: there is no CURRENT.  NEWER,
 * CORRUPT.  A torn last edit is left out: edits are synced before anything relies on
 * them. */
int sdb_manifest_load(struct sdb_fs *fs, const char *dir, struct sdb_manifest **out,
                      seerdb_err *err) EXCLUDES(LK_DB) SDB_MUST_CHECK;

/* Make a loaded manifest ready for appending.  What was loaded is on stable storage
 * when this returns, whatever the process before had come to.  After a failure it is
 * what it was.  Requires: nobody has changed the files since. */
int sdb_manifest_begin(struct sdb_manifest *m, seerdb_err *err) REQUIRES(LK_INSTALL)
    EXCLUDES(LK_DB) SDB_MUST_CHECK;

/* Has anything been appended since m was loaded, by others?  Requires: not begun. */
int sdb_manifest_look(struct sdb_manifest *m, bool *changed, seerdb_err *err)
    REQUIRES(LK_INSTALL) EXCLUDES(LK_DB) SDB_MUST_CHECK;

/* The catalog as of the last append; borrowed, changed by append only. */
const struct sdb_catalog *sdb_manifest_catalog(const struct sdb_manifest *m);

/* Apply the edit to the catalog, append it and sync it; roll over to a new manifest
 * file (number taken from *next_file) when this one has grown too long.  An edit that
 * contradicts the catalog never reaches the disk.  After a failure the catalog may be
 * ahead of the disk, or unusable, and the manifest refuses further edits with it. */
int sdb_manifest_append(struct sdb_manifest *m, const struct sdb_edit *e,
                        _Atomic uint64_t *next_file, seerdb_err *err)
    REQUIRES(LK_INSTALL) EXCLUDES(LK_DB) SDB_MUST_CHECK;

/* An append failed half-way: what it wrote may stand or not, and it was the last. */
bool sdb_manifest_has_failed(const struct sdb_manifest *m);
uint64_t sdb_manifest_file(const struct sdb_manifest *m); /* its number */
void sdb_manifest_close(struct sdb_manifest *m);          /* accepts NULL */

#endif
