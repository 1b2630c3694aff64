/* SPDX-License-Identifier: Apache-2.0
 *
 * values -- the files of a store's value log: who needs which, and reading from them.
 *
 * A file is there as long as somebody *holds* it: a table whose records name it, a
 * memtable or batch, who appends to it.  Holds are pins (base/pin.h).  What nobody
 * holds any more is dead, and removed by sdb_values_bury, outside of every lock.
 *
 * A file is opened by the first who reads from it, and closed again when many are open.
 * Any thread.  FORMAT.md, "Value log". */
#ifndef SDB_DB_VALUES_H
#define SDB_DB_VALUES_H

#include "base/pin.h"
#include "log/vlog.h"
#include "tree/memtable.h"
#include "tree/version.h"

#define SDB_VALUES_BUCKETS 64u

struct sdb_value_file;

struct sdb_values {
    _Atomic uint32_t count; /* the store's and one for each hold */
    struct sdb_fs *fs;      /* borrowed from the store, as the next; not when closed */
    const char *dir;
    seerdb_uuid store;
    struct sdb_mutex lock; /* LK_VLOG */
    struct sdb_value_file *buckets[SDB_VALUES_BUCKETS] GUARDED_BY(LK_VLOG);
    struct sdb_value_file *dead GUARDED_BY(LK_VLOG);
    uint32_t nopen GUARDED_BY(LK_VLOG);
    bool closed GUARDED_BY(LK_VLOG);
    _Atomic bool any_dead;  /* relaxed: a hint */
    _Atomic uint64_t bytes; /* of the files that are not being written; relaxed */
    _Atomic bool stay;      /* no file is removed; relaxed: set by recovery */
    _Atomic bool gaps;      /* nobody goes on with a file: commits that the log does not
                               know synced name slots that gc has dropped.  relaxed: set
                               by recovery */
    _Atomic bool used;      /* a file was written, or opened unsealed.  relaxed: set
                               before a log record names the file */
};

struct sdb_values *sdb_values_new(struct sdb_fs *fs, const char *dir); /* or NULL */
/* The store is closed: close all files, and remove none from now on.  What holds are
 * still given out keep the rest.  Accepts NULL. */
void sdb_values_close(struct sdb_values *vs) EXCLUDES(LK_DB);

enum sdb_value_holder { SDB_HOLD_TABLE, SDB_HOLD_OTHER };

/* Hold a file.  CORRUPT when it does not exist. */
int sdb_values_hold(struct sdb_values *vs, uint64_t number, enum sdb_value_holder who,
                    seerdb_pin **out, seerdb_err *err) EXCLUDES(LK_DB) SDB_MUST_CHECK;

/* Have the memtable hold it, if it does not yet.  CORRUPT: there is no such file.
 * Requires: the memtable's writer. */
int sdb_values_keep(struct sdb_values *vs, struct sdb_memtable *m, uint64_t number,
                    seerdb_err *err) EXCLUDES(LK_DB) SDB_MUST_CHECK;
/* The same for all that a record's value names. */
int sdb_values_keep_all(struct sdb_values *vs, struct sdb_memtable *m,
                        seerdb_slice value, seerdb_err *err) EXCLUDES(LK_DB)
    SDB_MUST_CHECK;

/* Have the table hold what its description names.  Requires: nobody else has it yet. */
int sdb_values_keep_for(struct sdb_values *vs, struct sdb_member *member,
                        seerdb_err *err) EXCLUDES(LK_DB) SDB_MUST_CHECK;

/* A new file; takes the count on v over, also on failure. `write_out` is called,
 * without locks, when somebody wants to read what is not written out yet; until unset
 * (sdb_values_written). *out holds it. */
int sdb_values_add(struct sdb_values *vs, uint64_t number, struct sdb_vlog *v,
                   int (*write_out)(void *ctx, seerdb_err *err), void *ctx,
                   seerdb_pin **out, seerdb_err *err) EXCLUDES(LK_DB) SDB_MUST_CHECK;
/* Of the files with a number below `below` the last one that somebody may go on with:
 * nobody writes it, gc has not touched it, and it has less than `size` bytes.  False:
 * there is none. */
bool sdb_values_find_small(struct sdb_values *vs, uint64_t below, uint64_t size,
                           uint64_t *number) EXCLUDES(LK_VLOG);
/* Go on with it, as with one that is new; for sdb_values_went_on to make it known.
 * NOTFOUND: it is not one of those any more. */
int sdb_values_claim(struct sdb_values *vs, uint64_t number,
                     int (*write_out)(void *ctx, seerdb_err *err), void *ctx,
                     seerdb_pin **out, seerdb_err *err) EXCLUDES(LK_DB) SDB_MUST_CHECK;
/* The one that was claimed is open; takes the count on v over. */
void sdb_values_went_on(struct sdb_values *vs, uint64_t number, struct sdb_vlog *v)
    EXCLUDES(LK_DB);
/* Nobody appends to it any more; it has that many bytes. */
void sdb_values_written(struct sdb_values *vs, uint64_t number, uint64_t size)
    EXCLUDES(LK_VLOG);

/* Read a segment into `to`, which has room for s->size bytes.  Requires: somebody holds
 * the file. */
int sdb_values_read(struct sdb_values *vs, const struct sdb_segment *s, void *to,
                    seerdb_err *err) EXCLUDES(LK_DB) SDB_MUST_CHECK;
/* For whoever reads many.  Would a read of the segment not wait for a disk? */
bool sdb_values_is_near(struct sdb_values *vs, const struct sdb_segment *s)
    EXCLUDES(LK_DB);
/* Begin to read it; a hint.  `last` is where the one lies that was asked for before,
 * all zeros: none was.  What goes on from one place for long the system reads ahead by
 * itself, in larger pieces. */
struct sdb_value_place {
    uint64_t file, end;
    uint32_t run; /* so many follow one another */
};
void sdb_values_ahead(struct sdb_values *vs, const struct sdb_segment *s,
                      struct sdb_value_place *last) EXCLUDES(LK_DB);
/* The whole value of a record, and its key, in memory of their own: out->pin is the
 * caller's count on it. */
int sdb_values_whole(struct sdb_values *vs, seerdb_slice key, seerdb_slice value,
                     seerdb_value *out, seerdb_err *err) EXCLUDES(LK_DB) SDB_MUST_CHECK;

/* The same for a fold (tree/fold.h); ctx is the values. */
int sdb_values_resolve(void *ctx, const struct sdb_record *r, seerdb_value *out,
                       seerdb_err *err) SDB_MUST_CHECK;

/* Make sure that all that was appended to the file so far is written out. */
int sdb_values_settle(struct sdb_values *vs, uint64_t number, seerdb_err *err)
    EXCLUDES(LK_DB) SDB_MUST_CHECK;

/* After a crash: is what the value of a record names there?  NOTFOUND: a part of it was
 * never on stable storage.  Files that are gone, and slots that gc has dropped, say
 * nothing of the kind: nobody needed them any more. */
int sdb_values_survived(struct sdb_values *vs, seerdb_slice value, seerdb_err *err)
    EXCLUDES(LK_DB) SDB_MUST_CHECK;

/* Read and check all that the value of a record names; *bytes grows by what was read.
 */
int sdb_values_check(struct sdb_values *vs, seerdb_slice value, uint64_t *bytes,
                     seerdb_err *err) EXCLUDES(LK_DB) SDB_MUST_CHECK;

/* What was written out to any file before is on stable storage when it returns 0. */
int sdb_values_sync(struct sdb_values *vs, seerdb_err *err) EXCLUDES(LK_DB)
    SDB_MUST_CHECK;

/* All that the file has is on stable storage when it returns 0, also what another
 * process wrote and may have sealed.  Nothing to do when nobody holds it, or when it is
 * no file of a value log (any more). */
int sdb_values_sync_again(struct sdb_values *vs, uint64_t number, seerdb_err *err)
    EXCLUDES(LK_DB) SDB_MUST_CHECK;

bool sdb_values_is_held(struct sdb_values *vs, uint64_t number) EXCLUDES(LK_VLOG);
/* Is anything dead? */
static inline bool sdb_values_any_dead(struct sdb_values *vs)
{
    return atomic_load_explicit(&vs->any_dead, memory_order_relaxed);
}
/* The files that are dead by now, to be buried; NULL: none. */
struct sdb_value_file *sdb_values_dead(struct sdb_values *vs) EXCLUDES(LK_VLOG);
/* Forget dead files, which this takes over; `remove` them too. */
void sdb_values_bury(struct sdb_values *vs, struct sdb_value_file *dead, bool remove)
    EXCLUDES(LK_DB);

/* How a file is held; false: by nobody. */
struct sdb_value_use {
    uint32_t tables, others;
    uint64_t taken; /* how often others have taken it, ever */
    bool writing;
    uint64_t size; /* bytes of the file, if it is not being written */
};
bool sdb_values_look(struct sdb_values *vs, uint64_t number, struct sdb_value_use *out);
/* The open file, with a count. */
int sdb_values_open(struct sdb_values *vs, uint64_t number, struct sdb_vlog **out,
                    seerdb_err *err) EXCLUDES(LK_DB) SDB_MUST_CHECK;
/* gc wants to put another file in its place: may it, with that many holds of tables and
 * none of others since `taken` ones?  Nobody goes on with it then. */
bool sdb_values_may_replace(struct sdb_values *vs, uint64_t number, uint32_t tables,
                            uint64_t taken) EXCLUDES(LK_VLOG);
/* Another file of that many bytes has got the name: whoever reads from now on opens it.
 */
void sdb_values_replaced(struct sdb_values *vs, uint64_t number, uint64_t size)
    EXCLUDES(LK_DB);

#endif
