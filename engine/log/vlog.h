/* SPDX-License-Identifier: Apache-2.0
 *
 * vlog -- one file of the value log: values by slot, in the order they came.
 *
 * Life of one that is written: create or resume, append (many) or copy (many),
 * write_out, sync, seal; unref.  Of one that is read: open, read; unref.  Counted: the
 * file is closed with the last count.
 *
 * Threads: one at a time appends, copies, writes out and seals (the caller's lock).
 * Reads, end and sync may come from any thread meanwhile; what was appended can be read
 * when it is written out.  After a failure to write nothing more is appended.
 * FORMAT.md, "Value log". */
#ifndef SDB_LOG_VLOG_H
#define SDB_LOG_VLOG_H

#include "base/codec.h"
#include "os/file.h"
#include "table/segments.h"

#define SDB_VLOG_HEADER 64u /* bytes, of a file */
#define SDB_VLOG_ENTRY  32u /* bytes before each value */

struct sdb_vlog;

struct sdb_vlog_options {
    struct sdb_fs *fs; /* borrowed, and outlives the file */
    const char *dir;
    const char *suffix; /* of its name, behind the number */
    seerdb_uuid store;
    uint64_t number;
    uint64_t tree; /* to open one, 0: whosever it is */
};

/* Make the file, which must not exist; its name is on stable storage when this returns
 * 0. */
int sdb_vlog_create(const struct sdb_vlog_options *o, struct sdb_vlog **out,
                    seerdb_err *err) EXCLUDES(LK_DB) SDB_MUST_CHECK;

/* Open one that exists.  What was never sealed is searched for its values: they end
 * where the first entry is not whole.  CORRUPT, NEWER. */
int sdb_vlog_open(const struct sdb_vlog_options *o, struct sdb_vlog **out,
                  seerdb_err *err) EXCLUDES(LK_DB) SDB_MUST_CHECK;

/* Open one to go on with it, behind its last value; sealed or not.  Nobody else appends
 * to it; who has it open reads on what there was.  Fails, and leaves every value that
 * there was. */
int sdb_vlog_resume(const struct sdb_vlog_options *o, struct sdb_vlog **out,
                    seerdb_err *err) EXCLUDES(LK_DB) SDB_MUST_CHECK;

struct sdb_vlog *sdb_vlog_ref(struct sdb_vlog *v);
void sdb_vlog_unref(struct sdb_vlog *v) EXCLUDES(LK_DB); /* accepts NULL */

/* Append a value and say where it is (all but out->offset); packed with zstd at `level`
 * (0: never) where that saves an eighth.  TOOBIG: the file has no room for it, and is
 * as it was. */
int sdb_vlog_append(struct sdb_vlog *v, seerdb_slice value, int level,
                    struct sdb_segment *out, seerdb_err *err) EXCLUDES(LK_DB)
    SDB_MUST_CHECK;

/* Take over the value of a slot of another generation of the same file; slots rise. */
int sdb_vlog_copy(struct sdb_vlog *v, struct sdb_vlog *from, uint64_t slot,
                  seerdb_err *err) EXCLUDES(LK_DB) SDB_MUST_CHECK;

/* Hand everything to the system: readers find it, and a sync covers it. */
int sdb_vlog_write_out(struct sdb_vlog *v, seerdb_err *err) EXCLUDES(LK_DB)
    SDB_MUST_CHECK;

/* Why something of what was appended will never be written out; 0: it will be, or is.
 */
int sdb_vlog_check_written(struct sdb_vlog *v, seerdb_err *err) SDB_MUST_CHECK;

/* Everything that was written out before is on stable storage when it returns 0. */
int sdb_vlog_sync(struct sdb_vlog *v, seerdb_err *err) EXCLUDES(LK_DB) SDB_MUST_CHECK;

/* The same of all that is there, whoever wrote it: also what looks synced. */
int sdb_vlog_sync_again(struct sdb_vlog *v, seerdb_err *err) EXCLUDES(LK_DB)
    SDB_MUST_CHECK;

/* Write the index and sync: nothing is appended any more. */
int sdb_vlog_seal(struct sdb_vlog *v, seerdb_err *err) EXCLUDES(LK_DB) SDB_MUST_CHECK;

/* Read segment s into `to`, which has room for s->size bytes.  CORRUPT when it is not
 * what was written, naming file and place. */
int sdb_vlog_read(struct sdb_vlog *v, const struct sdb_segment *s, void *to,
                  seerdb_err *err) EXCLUDES(LK_DB) SDB_MUST_CHECK;

/* Does the file have the slot?  Of one that is being written: also what is not written
 * out yet. */
bool sdb_vlog_has(struct sdb_vlog *v, uint64_t slot);
/* Is it there, but not written out yet? */
bool sdb_vlog_is_held_back(struct sdb_vlog *v, uint64_t slot);

/* Where the slot's bytes are, for hints about them; the file is borrowed.  NULL: they
 * are not there, or not written out yet. */
struct sdb_file *sdb_vlog_place(struct sdb_vlog *v, uint64_t slot, uint64_t *off);

uint64_t sdb_vlog_size(struct sdb_vlog *v);  /* bytes appended, header included */
uint64_t sdb_vlog_bytes(struct sdb_vlog *v); /* of the file, with its index */
uint64_t sdb_vlog_tree(const struct sdb_vlog *v);
/* Call `each` for every slot, rising, with the bytes that it takes. */
void sdb_vlog_each(struct sdb_vlog *v,
                   void (*each)(void *ctx, uint64_t slot, uint64_t bytes), void *ctx);
bool sdb_vlog_is_sealed(struct sdb_vlog *v);
bool sdb_vlog_is_dirty(struct sdb_vlog *v);  /* something is not synced */
bool sdb_vlog_is_shared(struct sdb_vlog *v); /* others than the caller have counts */

/* "dir/000012.vlg"; the caller frees.  NULL: no memory. */
char *sdb_vlog_path(const char *dir, uint64_t number, const char *suffix);

#endif
