/* SPDX-License-Identifier: Apache-2.0
 *
 * seerdb -- an embedded LSM storage engine.
 *
 * A *store* is one directory with one lock, one commit log, one memory budget
 * and one set of threads.  It holds *trees*: ordered maps from byte strings to
 * byte strings, named by UUID, each with its own memtables and sorted tables.
 * Writes gather in a *batch* (private, ordered, with marks to roll back to) and
 * reach the store as one *commit* with one commit number.  Reads go through a
 * *view*: the state of one tree as of one commit number.
 *
 *     seerdb *db = NULL;  seerdb_tree *t = NULL;  seerdb_batch *b = NULL;
 *     if (seerdb_open("dir", &(seerdb_options){.create = true}, &db, &err) == 0 &&
 *         seerdb_tree_create(db, &(seerdb_tree_options){.name = "t"}, &t, &err) == 0 &&
 *         seerdb_batch_new(db, &b, &err) == 0 &&
 *         seerdb_batch_put(b, t, key, value, &err) == 0)
 *         rc = seerdb_write(b, SEERDB_SYNC_FULL, &err);
 *
 * Results: 0 is done, a positive SEERDB_NOTFOUND means "nothing there" and is not
 * a failure, negative is a failure described in *err.  `err` may be NULL.
 *
 * Threads: a store and its trees may be used from any thread.  A batch, a view's
 * iterators and an iterator belong to one thread at a time.  After fork() the
 * child may only close what it inherited: everything else answers SEERDB_FORKED.
 *
 * Bytes on disk: FORMAT.md.
 */
#ifndef SEERDB_H
#define SEERDB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SEERDB_VERSION "0.1.0"

enum seerdb_result {
    SEERDB_OK = 0,
    SEERDB_NOTFOUND = 1,   /* no such key, tree; end of iteration: not a failure */
    SEERDB_NOMEM = -1,     /* allocation failed */
    SEERDB_IOERR = -2,     /* the operating system failed to read, write or sync */
    SEERDB_FULL = -3,      /* no space left on the device */
    SEERDB_CORRUPT = -4,   /* bytes on disk are not what was written */
    SEERDB_MISUSE = -5,    /* a caller broke a contract */
    SEERDB_BUSY = -6,      /* held by another process, or by an undecided commit */
    SEERDB_READONLY = -7,  /* writes are refused: permissions, or an earlier failure */
    SEERDB_TOOBIG = -8,    /* a key, value or transaction over its limit */
    SEERDB_NEWER = -9,     /* written by a newer seerdb with features unknown here */
    SEERDB_CANTOPEN = -10, /* the directory is missing or is not a store */
    SEERDB_FORKED = -11,   /* this process was forked after the store was opened */
    SEERDB_INTERRUPTED = -12, /* by whom the caller allowed to, or by a close */
    SEERDB_MISMATCH = -13, /* the outside marker and the store do not belong together */
    SEERDB_GONE = -14,     /* the state asked for was folded away: start again */
    SEERDB_CONFLICT =
        -15, /* others have written what a transaction rests on: run it again */
};

#define SEERDB_KEY_MAX    ((size_t)65536)         /* bytes */
#define SEERDB_VALUE_MAX  ((size_t)0x3fffffff)    /* bytes: 1 GiB - 1 */
#define SEERDB_COMMIT_MAX ((uint64_t)0xf0000000u) /* bytes of one commit in the log */

/* The first failure of an operation: a code and a sentence naming the file, the
 * offset, what was expected and what was found.  The caller's own; all zeros is
 * "no failure". */
typedef struct seerdb_err {
    int code;
    char msg[508];
} seerdb_err;

/* Borrowed bytes. */
typedef struct seerdb_slice {
    const void *data;
    size_t size;
} seerdb_slice;

typedef struct seerdb_uuid {
    uint8_t bytes[16];
} seerdb_uuid;

/* Memory that stays as it is while somebody holds a count on it: a memtable, a
 * block of a table.  Bytes returned by reads live in one. */
typedef struct seerdb_pin seerdb_pin;
seerdb_pin *seerdb_pin_ref(seerdb_pin *pin); /* returns pin; NULL stays NULL */
void seerdb_pin_unref(seerdb_pin *pin);      /* accepts NULL */

/* ---- interrupts ----------------------------------------------------------- */

/* Somebody who may want a call to end early.  `asked` is called again and again while a
 * call works or waits for long, by the calling thread, without locks that others need,
 * after at most a few milliseconds of either; once it answers true the call ends with
 * SEERDB_INTERRUPTED and has had no effect, but for background work that it had begun
 * and that goes on: a flush, a compaction.  It must not call the engine. */
typedef struct seerdb_interrupt {
    bool (*asked)(void *ctx);
    void *ctx;
} seerdb_interrupt;

/* From now on seerdb_open, seerdb_flush, seerdb_compact and seerdb_verify, called by
 * this thread, may be interrupted by `by` (borrowed; NULL, as at first: by nobody).
 * Answers who could so far.  Batches and views have an interrupt of their own. */
const seerdb_interrupt *seerdb_interrupt_by(const seerdb_interrupt *by);

/* ---- store ---------------------------------------------------------------- */

typedef struct seerdb seerdb;
typedef struct seerdb_tree seerdb_tree;
typedef struct seerdb_batch seerdb_batch;
typedef struct seerdb_view seerdb_view;
typedef struct seerdb_iter seerdb_iter;
typedef struct seerdb_txn seerdb_txn;
typedef struct seerdb_sst_writer seerdb_sst_writer;

enum seerdb_sync {
    SEERDB_SYNC_OFF,    /* survives a crash of the process, not of the machine */
    SEERDB_SYNC_NORMAL, /* the log is synced at least every second */
    SEERDB_SYNC_FULL    /* each commit is on stable storage before it is acknowledged */
};

typedef struct seerdb_options {
    bool create;    /* make the directory and the store if they are missing */
    bool read_only; /* change nothing in the directory; see below */
    bool in_memory; /* a private store in memory; dir is only a name for messages */
    size_t memory_limit;  /* bytes; 0: 256 MiB; at least 1 MiB */
    size_t log_file_size; /* bytes of one log file; 0: chosen from memory_limit */
    unsigned history_ms;  /* how long superseded versions in marked trees stay for
                             readers  that began before; 0: 10 seconds */
    struct { /* bytes; 0: chosen from memory_limit.  For tests of small stores: of a
                memtable, of a table, of what level 0 passes down at a time */
        size_t memtable, table, batch, value_file;
    } sizes;
    struct sdb_fs *fs; /* borrowed; the file layer (os/file.h); NULL: the local one */
    /* For tests: the time that filters are given, microseconds since 1970.  NULL: the
     * system's. */
    uint64_t (*clock)(void *ctx);
    void *clock_ctx;
} seerdb_options;

/* Open the store in `dir`, recovering what its log holds.  Costs time
 * proportional to its number of tables and the length of its log.
 * CANTOPEN: not there and not `create`, its parent is missing, or not a store.
 * BUSY: another process (named in the message) or another copy of this library
 * holds it.  NEWER, CORRUPT, READONLY, IOERR, FULL, NOMEM as named. */
int seerdb_open(const char *dir, const seerdb_options *options, seerdb **out,
                seerdb_err *err);

/* A store opened read_only shows what recovery would find, and leaves every file as it
 * is; what would change it answers READONLY.  Several processes may read so at a time,
 * none while another one writes.  What the log holds stays in memory, over the limit if
 * need be: about as much as an open for writing takes for a moment.  Needs the right to
 * read the files and no more.
 *
 * make_writable: go on as if it had been opened for writing; what reads it goes on.
 * Nothing to do for one that is.  BUSY: other processes read it (named in the message).
 * READONLY: it may not be written.  CANTOPEN: another process got in between and wrote:
 * the store is of no use any more, reads answer CANTOPEN too.  After other failures it
 * is read_only as before, and this may be tried again. */
int seerdb_make_writable(seerdb *db, seerdb_err *err);
bool seerdb_is_read_only(const seerdb *db);

/* Close the store.  Requires: no batch, view, iterator or tree handle of it is
 * left.  Syncs the log; memtables stay in the log and are replayed by the next
 * open.  The store is gone afterwards whatever the result; a failure says that
 * the last sync failed.  NULL is accepted. */
int seerdb_close(seerdb *db, seerdb_err *err);

const char *seerdb_dir(const seerdb *db); /* as it was opened */
seerdb_uuid seerdb_id(const seerdb *db);

/* Write every memtable of `tree` (NULL: of every tree) to tables and wait.  BUSY: of a
 * marked tree, commits are not decided or not durably; they stay in the log and the
 * flush is tried again by itself.  INTERRUPTED: the flush goes on all the same. */
int seerdb_flush(seerdb *db, seerdb_tree *tree, seerdb_err *err);

/* Merge all tables of `tree` (NULL: of every tree) into one sorted run, after a flush,
 * and wait.  BUSY: as of seerdb_flush, or compaction is paused.  INTERRUPTED: the
 * caller was, and compaction goes on; or it was paused, or the store is being closed.
 */
int seerdb_compact(seerdb *db, seerdb_tree *tree, seerdb_err *err);

/* The same, and write files of the value log again of which a fifth is garbage: what
 * nobody can read any more.  It happens by itself when the files grow beyond one and a
 * half times what is live in them.  What open views, batches and superseded versions
 * within the history still need stays. */
int seerdb_gc(seerdb *db, seerdb_tree *tree, seerdb_err *err);

/* Stop background compaction, also in the middle of one, and let it go on.  Flushes
 * are not concerned.  Of this process only: the next open knows nothing of it. */
int seerdb_pause(seerdb *db, seerdb_err *err);
int seerdb_continue(seerdb *db, seerdb_err *err);

/* After a failure that made the store refuse writes, or that holds back background
 * work: try again what failed, and wait for it.  When this returns 0, everything that
 * was ever acknowledged is safe, commits that did not ask for a sync included, and
 * writes are taken again.  With a failure nothing has changed, and trying once more may
 * help. NOTFOUND: nothing has failed.  BUSY: a prepared batch waits for its decision.
 * READONLY: memory and disk may differ: only closing the store and opening it again
 * helps. */
int seerdb_resume(seerdb *db, seerdb_err *err);

/* How a store is doing, for whoever has to say what to do about it. */
enum seerdb_writes {
    SEERDB_WRITES_FLOW,
    SEERDB_WRITES_DELAYED, /* a little, because compaction is behind */
    SEERDB_WRITES_STOP     /* they wait for a compaction */
};

typedef struct seerdb_condition {
    int failure;    /* what holds back background work, or writes; 0: nothing */
    bool refuses;   /* writes are refused because of it */
    bool resumable; /* seerdb_resume may help */
    char why[508];  /* the failure's sentence */
    bool paused;    /* compaction */
    uint64_t log_bytes, log_cap; /* what the log has, and what it should have at most */
    uint64_t memory_limit, table_memory; /* of it: indexes and filters of tables */
    unsigned undecided;                  /* trees with a prepared commit */
    /* Of the tree: */
    enum seerdb_writes writes;
    uint32_t level0_runs;
    uint64_t last_commit; /* that it has, a prepared one, too: whoever reads a marker
                             first finds one that is not greater, unless commits are
                             lost */
} seerdb_condition;

/* Takes no I/O. */
int seerdb_look(seerdb *db, const seerdb_tree *tree, seerdb_condition *out,
                seerdb_err *err);

/* What seerdb_verify looked at. */
typedef struct seerdb_verify_report {
    uint64_t tables, blocks, records, bytes;
} seerdb_verify_report;

/* Read and check every byte of every table of `tree` (NULL: of every tree):
 * checksums, order, counts, bounds; and every value in the value log that tables or
 * memory name.  The first thing wrong is CORRUPT in *err. */
int seerdb_verify(seerdb *db, seerdb_tree *tree, seerdb_verify_report *report,
                  seerdb_err *err);

typedef struct seerdb_stat {
    const char *name; /* static: "tables", "get_p99", ...; names stay what they are */
    double value;
    const char *unit;    /* static: "bytes", "count", "blocks", "seconds", "us", "" */
    const char *meaning; /* static: a sentence */
} seerdb_stat;

/* Call `each` for every statistic of the store, and before those for the statistics of
 * the tree; tree NULL: for the sums over all trees in place of most of these.  No name
 * comes twice.  Counts begin with the opening of the store and are always kept.
 *
 * Operations: get, seek, scan, put, delete, merge, flush, compaction of the tree,
 * commit and sync of the store.  Each has NAME_count, which is exact as long as a view
 * is used by one thread at a time, and NAME_p50, _p90, _p99, _p999, _max: microseconds,
 * within 3 percent, of one in 64 reads and writes, one in 8 commits, of each of the
 * others. Stops early when each returns false. */
int seerdb_stats(seerdb *db, seerdb_tree *tree,
                 bool (*each)(void *ctx, const seerdb_stat *stat), void *ctx,
                 seerdb_err *err);

/* A level of a tree's sorted tables: 0 is where flushes go, the bottom is the last. */
typedef struct seerdb_level {
    uint32_t level, runs, tables;
    uint64_t bytes, records, tombstones, ranges; /* ranges: range tombstones */
    uint64_t target; /* bytes it may have before it is compacted; 0: no such bound */
    double score;    /* from 1 on it waits for a compaction */
} seerdb_level;

typedef struct seerdb_file {
    uint64_t file; /* "<file>.tbl" */
    uint32_t level;
    uint64_t run, bytes, records, tombstones, ranges, key_bytes, value_bytes,
        min_commit, max_commit;
} seerdb_file;

/* Call `each` for every level of the tree, and for every one of its tables, newest
 * first.  Stop early when each returns false. */
int seerdb_levels(seerdb_tree *tree, bool (*each)(void *ctx, const seerdb_level *level),
                  void *ctx, seerdb_err *err);
int seerdb_files(seerdb_tree *tree, bool (*each)(void *ctx, const seerdb_file *file),
                 void *ctx, seerdb_err *err);

/* Something that happened in the background. */
typedef struct seerdb_event {
    uint64_t time_us;  /* when it ended: microseconds since 1970 */
    const char *event; /* static: "flush", "compaction", "move", "drop", "cancelled",
                          "stall", "adapted", "error" */
    bool of_store;     /* not of one tree */
    uint64_t duration_us, bytes_in, bytes_out;
    const char *detail; /* borrowed until each returns */
} seerdb_event;

/* Call `each` for the last events (at most 256, oldest first) of `tree`, and of the
 * store as a whole; NULL: for all. */
int seerdb_events(seerdb *db, seerdb_tree *tree,
                  bool (*each)(void *ctx, const seerdb_event *event), void *ctx,
                  seerdb_err *err);

/* ---- trees ---------------------------------------------------------------- */

/* How tables of a tree are searched. */
enum seerdb_index {
    SEERDB_INDEX_LEARNED = 0, /* by a model of the keys, where one is worth having */
    SEERDB_INDEX_BINARY = 1   /* by a search tree alone */
};

/* How many sorted runs a level may have: the fewer, the cheaper reads, the more, the
 * cheaper writes. */
enum seerdb_compaction {
    SEERDB_LEVELED, /* one: the default */
    SEERDB_LAZY,    /* several, but one at the bottom, where nearly all the data is */
    SEERDB_TIERED,  /* several everywhere */
    SEERDB_ADAPTIVE /* leveled or lazy, whichever suits what is done with the tree:
                       looked at with each flush; seerdb_events tells of changes */
};

/* A merge operator: below, "merging". */
typedef struct seerdb_merge_operator seerdb_merge_operator;

/* What a tree keeps for ever in the manifest.  Slices are copied. */
typedef struct seerdb_tree_options {
    seerdb_uuid id;      /* all zeros: a new random one */
    seerdb_uuid owner;   /* whoever decides its life; the engine only keeps it */
    const char *name;    /* for messages and statistics; may be NULL */
    uint32_t key_format; /* versions of the caller's encodings, opaque here */
    uint32_t value_format;
    int compression;         /* 0: none; otherwise a zstd level from 1 to 19 */
    unsigned filter_bits;    /* per key, 0 to 20: filters of its tables; 0: none */
    enum seerdb_index index; /* of its tables */
    enum seerdb_compaction compaction;
    size_t value_log; /* values from this size on (bytes) go to the value log: they are
                         written once, and not again when tables are merged; 0: none */
    bool marked;      /* commits count as far as an outside marker says: below */
    seerdb_slice app; /* opaque to the engine, at most 64 KiB */
    /* The tree takes merges: its operator's name is kept, the rest is given anew after
     * each open of the store (seerdb_tree_merges_with); the engine copies the struct.
     * NULL: it takes none, ever.  seerdb_tree_describe leaves it NULL. */
    const seerdb_merge_operator *merge;
} seerdb_tree_options;

/* Make a new tree; durable when this returns.  *out is a counted handle. */
int seerdb_tree_create(seerdb *db, const seerdb_tree_options *options,
                       seerdb_tree **out, seerdb_err *err);

/* Open an existing tree.  NOTFOUND: the store has no such tree (no message). */
int seerdb_tree_open(seerdb *db, const seerdb_uuid *id, seerdb_tree **out,
                     seerdb_err *err);

/* Read the tree's tables, as they are and as they come, through maps of their files
 * where the file layer has maps: uncompressed blocks are not copied, and their memory
 * is the system's.  Until the store is closed; nothing of it is kept.  A read error of
 * the disk, and a file that somebody cuts short, then kill the process (SIGBUS) instead
 * of failing the call.  Does nothing in a child of the process that opened the store.
 */
void seerdb_tree_use_maps(seerdb_tree *tree);
void seerdb_tree_close(seerdb_tree *tree); /* gives the handle back; accepts NULL */

seerdb *seerdb_tree_store(const seerdb_tree *tree);
seerdb_uuid seerdb_tree_id(const seerdb_tree *tree);

/* The options the tree was made with.  Slices and name are borrowed from the tree
 * and live as long as the handle. */
seerdb_tree_options seerdb_tree_describe(const seerdb_tree *tree);

/* Write the tree's tables from now on with this compression, these filter bits, index
 * and compaction, and its values with this value_log, if it has one; the rest
 * of the options is ignored, and so is what is out of range. Until the store is closed:
 * nothing of it is kept. */
void seerdb_tree_tune(seerdb_tree *tree, const seerdb_tree_options *options);

/* From now on values of `from` bytes, not 0, and more go to the value log.  A tree that
 * was made without one gets it, for good: no library that knows none opens the store
 * from then on.  Values that are there stay where they are. */
int seerdb_tree_separate(seerdb_tree *tree, size_t from, seerdb_err *err);
bool seerdb_tree_separates(const seerdb_tree *tree); /* does it have a value log? */

/* An estimate of the number of live keys: records less tombstones, so that
 * overwritten keys count several times.  Takes no I/O. */
uint64_t seerdb_tree_count_estimate(const seerdb_tree *tree);

/* About how many of those are in lower <= key < upper; data NULL is no bound.  Takes no
 * I/O; as exact as a block of a table, and a few hundredths of a memtable. */
uint64_t seerdb_tree_count_between(seerdb_tree *tree, seerdb_slice lower,
                                   seerdb_slice upper);

/* Note durably that the owner means to drop the tree.  Its data stays until
 * seerdb_tree_drop, because the owner's transaction may still be undone. */
int seerdb_tree_intend_drop(seerdb_tree *tree, seerdb_err *err);

/* Drop the tree and free its space once no view needs it.  BUSY: of a marked tree,
 * before the history has passed since the intent: readers may come back to it.
 * Requires: an intent was noted, no undecided commit touches it, and the caller gives
 * its handle back with this call whatever the result. */
int seerdb_tree_drop(seerdb_tree *tree, seerdb_err *err);

typedef struct seerdb_tree_info {
    seerdb_uuid id, owner;
    bool drop_intended;
} seerdb_tree_info;

/* Call `each` for every tree of the store, in order of creation. */
int seerdb_trees(seerdb *db, bool (*each)(void *ctx, const seerdb_tree_info *info),
                 void *ctx, seerdb_err *err);

/* ---- merging ---------------------------------------------------------------
 *
 * A *merge* writes an operand for a key and reads nothing: what the key's value becomes
 * is worked out when it is read, or earlier, in the background.  How, the tree's
 * *operator* says: full makes a value of what was there and of the operands that came
 * since, oldest first; partial makes one operand of several that follow one another.
 * Which of the operands are put together when, and how often, depends on the timing of
 * flushes and compactions.  So it must hold that
 *     full(base, a, b) = full(full(base, a), b) = full(base, partial(a, b)),
 *     partial(a, b, c) = partial(partial(a, b), c) = partial(a, partial(b, c)),
 * and results depend upon the arguments alone.
 *
 * Both are called by any thread, several at a time, and must not call the engine. Those
 * of an operator that is not `fast` are called without locks: by readers, by the writer
 * of a batch, by flushes and compactions.  Those of a fast one, too, while commits are
 * applied, when every other commit waits for them.
 *
 * An operator that fails destroys nothing: the operands stay where they are, flushes
 * and compactions pass them on, and whoever reads the key gets the failure, until a
 * call succeeds, or the key is put or deleted.  A partial that fails is one that has no
 * operand to offer. */

/* What an operator says becomes of the key.  Bytes are appended; a failure to do so
 * (NOMEM, or TOOBIG over SEERDB_VALUE_MAX) is kept, and is the call's result whatever
 * that says itself. */
typedef struct seerdb_merge_out seerdb_merge_out;
void seerdb_merge_emit(seerdb_merge_out *out, const void *data, size_t size);
/* The same for who makes the bytes in place: n bytes to be written, valid until the
 * next call; NULL: there are none. */
void *seerdb_merge_room(seerdb_merge_out *out, size_t n);
/* Is it a fast operator's call while a commit is applied?  What would take long may be
 * refused then with any failure: nobody gets to see it, and the operand is kept. */
bool seerdb_merge_hurries(const seerdb_merge_out *out);

#define SEERDB_MERGE_NAME_MAX ((size_t)65536) /* bytes */

struct seerdb_merge_operator {
    const char *name; /* and parameters, if it has any: at most 64 KiB, not empty.  Who
                         gives another name at the next open gets MISMATCH */
    void *ctx;
    /* base NULL: the key had no value.  n is at least 1; all slices are borrowed.  0:
     * the value is what was emitted, maybe nothing.  SEERDB_NOTFOUND: the key has none
     * from now on, as if it were deleted.  Negative: *err (never NULL) says why. */
    int (*full)(void *ctx, seerdb_slice key, const seerdb_slice *base,
                const seerdb_slice *operands, size_t n, seerdb_merge_out *out,
                seerdb_err *err);
    /* n is at least 2.  0: the operand that does what these do, one after the other,
     * was emitted.  SEERDB_NOTFOUND: there is none; they stay a list.  NULL: there
     * never is. */
    int (*partial)(void *ctx, seerdb_slice key, const seerdb_slice *operands, size_t n,
                   seerdb_merge_out *out, seerdb_err *err);
    bool
        fast; /* takes less than a microsecond or so, waits for nobody, needs no lock */
    /* The engine lets go of ctx; NULL: that need not be told.  Called by any thread. */
    void (*release)(void *ctx);
};

/* Give the operator of a tree that was made with one, once after each open of the
 * store; before that, merges and reads of merged keys answer MISUSE, and flushes and
 * compactions leave operands as they are.  The first one given stays until the store is
 * closed, and ctx is released then; that of every later one, at once.  MISMATCH: the
 * tree was made with an operator of another name, or with none; the caller keeps ctx.
 */
int seerdb_tree_merges_with(seerdb_tree *tree, const seerdb_merge_operator *op,
                            seerdb_err *err);

/* The name of the tree's operator, borrowed from the tree; NULL: it takes no merges. */
const char *seerdb_tree_merge_name(const seerdb_tree *tree);

/* Operators of the engine's own, by their names; NULL: there is no such.  All are fast.
 *   "uint64 add"  little-endian integers of 8 bytes, modulo 2^64; none counts as 0.  A
 *                 base or operand of another size is MISUSE
 *   "max"         the greatest byte string (memcmp, a prefix first)
 *   "append"      all of them in a row */
const seerdb_merge_operator *seerdb_merge_named(const char *name);

/* ---- filters ----------------------------------------------------------------
 *
 * A *filter* hides rows of a tree from everybody, by what is in them and by the time,
 * and has flushes and compactions drop them: rows that expire.  Or it changes values.
 *
 * Reads ask it about the newest version that they see of a key.  A view has the time
 * at which it was opened (seerdb_view_tick); as long as a store is open its time never
 * steps back.  Flushes and compactions ask it about the newest version that they have
 * of a key, unless a snapshot may need that.  What they remove is a tombstone from then
 * on: removed for good, whatever the clock and the filter say later, and older versions
 * of the key do not come back.
 *
 * A merge (above) builds upon rows that it has not looked at: a job that sees none
 * newer drops or changes such a row under it, at any time until the two are put
 * together, once the filter says so of the row.  Who uses both gets the row, puts it
 * (or deletes it, if it is not found) and merges then, in one batch: of what one commit
 * says of a key, no job sees a part.
 *
 * A filter that fails removes nothing: flushes and compactions leave the row as it is,
 * and whoever reads it gets the failure. */
typedef struct seerdb_row {
    seerdb_slice key, value;
    /* Of a `sparse` filter: what of the value is in the value log and was not read, for
     * seerdb_segments_next.  value has the size of all of it; those bytes mean nothing.
     * Size 0: nothing is missing. */
    seerdb_slice segments;
} seerdb_row;

enum seerdb_verdict {
    SEERDB_KEEP,
    SEERDB_REMOVE,
    SEERDB_CHANGE, /* to the value that was emitted.  The filter is asked about that
                     value too, later, and must then say what it would say, at that
                     time, of the value before: it must not depend on how often */
    SEERDB_WHOLE   /* ask again with what is missing of the value */
};

/* Where the bytes of a changed value go; they are appended.  A failure to do so (NOMEM)
 * is kept, and is the call's result. */
typedef struct seerdb_filter_out seerdb_filter_out;
void seerdb_filter_emit(seerdb_filter_out *out, const void *data, size_t size);

/* All are called by any thread, several at a time, without locks, and must not call the
 * engine. */
typedef struct seerdb_filter {
    void *ctx;
    /* An enum seerdb_verdict, or a failure: *err (never NULL) says why.  What is
     * removed at one time must be removed at every later one. */
    int (*verdict)(void *ctx, const seerdb_row *row, uint64_t now_us,
                   seerdb_filter_out *out, seerdb_err *err);
    /* From when on the verdict is SEERDB_REMOVE: microseconds since 1970.  0: known;
     * SEERDB_NOTFOUND: never, or not known.  For compactions to come in time: what it
     * says decides on no row, unless it is `lasting`.  NULL: it is never known. */
    int (*expiry)(void *ctx, const seerdb_row *row, uint64_t *time_us);
    bool sparse; /* it is content with values of which parts are missing, if need be by
                    SEERDB_WHOLE; expiry, by SEERDB_NOTFOUND */
    bool foreground; /* only calls of the engine by the user's threads may ask: flushes
                        and compactions leave rows alone */
    bool lasting;    /* what expiry says of a row is so for ever, and would be by every
                        filter that the tree may have later: tables of which all rows
                        have expired are dropped without being read */
    void (*release)(
        void *ctx); /* the engine lets go of ctx; NULL: that need not be told */
} seerdb_filter;

/* Give the tree its filter, once after each open of the store, before the tree is read:
 * nothing of it is kept, and who opens the store without it sees what is still there.
 * The first one given (it is copied) stays until the store is closed, and ctx is
 * released then; that of every later one, at once.  With a failure the caller keeps
 * ctx. */
int seerdb_tree_filter_with(seerdb_tree *tree, const seerdb_filter *filter,
                            seerdb_err *err);

/* ---- writing -------------------------------------------------------------- */

/* An ordered set of writes to any trees of one store; nothing in it is visible to
 * others before it is committed.  The last write to a key wins. */
int seerdb_batch_new(seerdb *db, seerdb_batch **out, seerdb_err *err);

/* Who may interrupt writes that go to disk, seerdb_batch_spill, and the waiting of
 * seerdb_prepare and seerdb_write, which end before anything is logged; not
 * seerdb_write when it is.  Borrowed; NULL: nobody. */
void seerdb_batch_interrupt(seerdb_batch *batch, const seerdb_interrupt *by);

/* Accepts NULL; an undecided prepared batch is rolled back first. */
void seerdb_batch_free(seerdb_batch *batch);

/* Copies key and value.  TOOBIG over SEERDB_KEY_MAX or SEERDB_VALUE_MAX, NOMEM, and
 * FULL or IOERR when the batch goes to disk; a failed call leaves the batch as it was.
 */
int seerdb_batch_put(seerdb_batch *batch, seerdb_tree *tree, seerdb_slice key,
                     seerdb_slice value, seerdb_err *err);
/* A segment of a value, in the value log of the tree.  What a read showed can be put
 * again, in the place of its bytes, as long as the view lives that it was read from. */
typedef struct seerdb_segment {
    uint64_t offset, size;              /* in the whole value; bytes */
    uint64_t file, slot, stored, check; /* the engine's own */
} seerdb_segment;

/* Put a value given in parts, one after the other: bytes to keep beside the key; bytes
 * that go to the value log by themselves, if they are as large as the tree says
 * (value_log); a segment that a read from this tree has shown, whose bytes are neither
 * read nor written. */
enum seerdb_part_how { SEERDB_PART_INLINE, SEERDB_PART_APART, SEERDB_PART_KEPT };
typedef struct seerdb_part {
    enum seerdb_part_how how;
    seerdb_slice bytes;
    seerdb_segment segment; /* of SEERDB_PART_KEPT */
} seerdb_part;
int seerdb_batch_put_parts(seerdb_batch *batch, seerdb_tree *tree, seerdb_slice key,
                           const seerdb_part *parts, size_t n, seerdb_err *err);
int seerdb_batch_delete(seerdb_batch *batch, seerdb_tree *tree, seerdb_slice key,
                        seerdb_err *err);

/* Merge an operand into the key's value, whatever that is ("merging").  MISUSE: the
 * tree takes no merges, or its operator was not given yet.  The operator may be called,
 * but its failures come to light when the key is read -- except where the batch itself
 * has put the key before, or deleted it: no record could say both.  Then this call
 * fails with it, and takes nothing in. */
int seerdb_batch_merge(seerdb_batch *batch, seerdb_tree *tree, seerdb_slice key,
                       seerdb_slice operand, seerdb_err *err);

/* Delete every key with lower <= key < upper, the batch's own writes so far among them,
 * at the cost of one write however many there are.  lower with data NULL is the empty
 * key, the first of all.  upper must be given (data NULL: MISUSE): to delete to the
 * end, name a key above all of the tree's.  Both are at most SEERDB_KEY_MAX long:
 * TOOBIG.  Does nothing if lower is not below upper.  An iterator over the batch that
 * was opened after this call goes on hiding the keys even if a rollback to a mark
 * undoes it. */
int seerdb_batch_delete_range(seerdb_batch *batch, seerdb_tree *tree,
                              seerdb_slice lower, seerdb_slice upper, seerdb_err *err);

/* The number of writes so far, rolled-back ones included. */
uint64_t seerdb_batch_writes(const seerdb_batch *batch);

/* The same, as a mark that rollback_to returns to and that reads may name.  A batch
 * that outgrows its share of memory (an eighth of the limit) goes to disk; writes
 * before and after a mark are kept apart there, each span in a file.  So release a mark
 * that is not needed any more, as often as it was made; rolling back to an earlier one
 * releases it too.  Marks and iterators over the batch opened before a rollback stay
 * valid to use. */
uint64_t seerdb_batch_mark(seerdb_batch *batch);
void seerdb_batch_release(seerdb_batch *batch, uint64_t mark);

/* Move what is in memory of the batch to disk now, as happens by itself when it
 * outgrows its share. */
int seerdb_batch_spill(seerdb_batch *batch, seerdb_err *err);

/* Undo the writes after the mark and give their space back.  A mark that was released
 * may be gone: then writes and prepare answer MISUSE from here on, until the whole
 * batch is rolled back. */
void seerdb_batch_rollback_to(seerdb_batch *batch, uint64_t mark);

/* Leave out what the batch writes to `tree`, whose creation was undone: nothing of it
 * is committed, and the batch takes no more of it.  Not while the batch is prepared. */
void seerdb_batch_forget(seerdb_batch *batch, const seerdb_tree *tree);

/* True iff no write stands (rolled-back ones do not); of `tree`, or NULL: of any. */
bool seerdb_batch_is_empty(const seerdb_batch *batch, const seerdb_tree *tree);

/* Two-phase commit, for a caller whose own commit is the decision.
 *
 * prepare: log the batch under a new commit number, sync as told.  Everything that
 * can fail happens here.  Afterwards the batch takes no writes until it is
 * committed or rolled back.  An empty batch prepares to number 0 and logs nothing.
 * BUSY: another undecided commit holds one of the trees.  FULL, IOERR, READONLY,
 * TOOBIG, NOMEM: nothing was prepared.  After IOERR from the sync itself nobody knows
 * whether the commit is in the log: it may stand after the store is opened again.
 *
 * commit: make the prepared batch visible.  Memory only; cannot fail.  The batch is
 * empty and reusable afterwards.
 *
 * unprepare: take a prepared commit back; the batch keeps its writes and takes more.
 * Nothing to do for a batch that is not prepared.
 *
 * rollback: forget the batch's writes, prepared or not; empty and reusable whatever the
 * result.  A failure of these two says that the log could not note the outcome: the
 * store refuses writes from then on.
 *
 * What was taken back stays so after a power cut, too: of unmarked trees these two sync
 * the log, unless the batch was prepared at SEERDB_SYNC_OFF, which promises nothing of
 * that kind, to commits or to their end.  (Of marked trees the marker decides.) */
int seerdb_prepare(seerdb_batch *batch, enum seerdb_sync sync, uint64_t *number,
                   seerdb_err *err);
void seerdb_commit(seerdb_batch *batch);
int seerdb_unprepare(seerdb_batch *batch, seerdb_err *err);
int seerdb_rollback(seerdb_batch *batch, seerdb_err *err);

/* prepare, waiting for other undecided commits, and commit. */
int seerdb_write(seerdb_batch *batch, enum seerdb_sync sync, seerdb_err *err);

/* ---- marked trees ----------------------------------------------------------
 *
 * A *marked* tree belongs to somebody else's transactions: its owner keeps, inside its
 * own durable state, the number of the tree's last commit -- the *marker*, 0 at first.
 * Of the logged commits of the tree those count that lie on the chain from the marker
 * back through the predecessor that each one names; the others, prepared and then
 * rolled back, never happened, whatever was still written to the log about them.  So
 * the owner's commit decides for both sides, and after a crash both agree.
 *
 * A batch writes marked trees or unmarked ones, not both; marked ones are committed
 * with seerdb_prepare and seerdb_commit only. */

enum seerdb_marker_state {
    SEERDB_MARKER_CURRENT, /* the store has the commit */
    SEERDB_MARKER_BEHIND   /* the log lost its tail: the store stands at an older commit
                            */
};

typedef struct seerdb_marker_found {
    enum seerdb_marker_state state;
    uint64_t held; /* the newest commit that counts and that the store has; 0: none */
    uint64_t given_up; /* the newest of later commits that the store has, and that once
                          counted: the owner's state is older; 0: none */
} seerdb_marker_found;

/* Say that the owner, holding its own write lock, reads `marker` for a tree that the
 * batch is going to write.  Settles what the log left in doubt.  *found (may be NULL)
 * says BEHIND, once, if commits were lost.  They are given up, and durably so when the
 * caller, having told whom it may concern, calls once more, and the owner's decider,
 * which is asked then, has made durable what the marker was read from: until that has
 * come to pass, each open of the store tells of the loss again.  BUSY: an earlier
 * commit of the tree is still undecided after wait_ms milliseconds.  MISMATCH: the
 * store is ahead of the marker (an older copy of the owner's state), or knows nothing
 * of it. */
int seerdb_batch_expect(seerdb_batch *batch, seerdb_tree *tree, uint64_t marker,
                        unsigned wait_ms, seerdb_marker_found *found, seerdb_err *err);

/* The view of a reader that sees `marker` in its owner's snapshot: the tree as of
 * exactly that commit.  Waits up to wait_ms for a commit that is being published. BUSY:
 * it is still undecided.  GONE: later commits were folded over it.  MISMATCH. */
int seerdb_view_open_at(seerdb_tree *tree, uint64_t marker, unsigned wait_ms,
                        seerdb_view **out, seerdb_err *err);

/* Take `marker` for the truth whatever the log says: tree and owner agree from here on
 * the new commit number *number, which the owner must store as its marker.  Deletes
 * nothing. For a restored or copied owner, on the user's explicit word.  BUSY: a commit
 * is undecided, or the last one was rolled back and none followed: reopen the store. */
int seerdb_tree_accept(seerdb_tree *tree, uint64_t *number, seerdb_err *err);

/* Called by the flush thread before commits of trees of this owner go from the log to
 * tables, and in seerdb_batch_expect when a lost tail is given up: make the owner's
 * decisions about commits with numbers smaller than `below` durable.  0, or a failure,
 * with which the flush is put off, however often (seerdb_flush says BUSY).  One call at
 * a time.  No locks are held; must not call the engine.  Without a decider the owner's
 * trees stay in the log.  ctx must live until it is unset (decide NULL); unsetting
 * waits for a call in progress. */
int seerdb_set_decider(seerdb *db, const seerdb_uuid *owner,
                       int (*decide)(void *ctx, uint64_t below, seerdb_err *err),
                       void *ctx, seerdb_err *err);

/* For a decider that cannot do so in the flush thread: who makes the decisions durable
 * elsewhere asks first which commits those are -- all with numbers smaller than this
 * that are decided by then -- and afterwards has the flushes that were put off tried
 * again. */
uint64_t seerdb_commit_ceiling(seerdb *db);
void seerdb_retry_flushes(seerdb *db);

/* Where an owner was when it last said so.  The engine only keeps it, with the trees of
 * the owner: it lets the owner tell a copy of itself, which must not share them. */
#define SEERDB_PATH_MAX 4096
typedef struct seerdb_owner_place {
    uint64_t device, inode;             /* of its file */
    uint64_t store_device, store_inode; /* of the store's directory at that time */
    char path[SEERDB_PATH_MAX + 1];     /* of its file; not empty */
} seerdb_owner_place;

/* NOTFOUND: nothing was noted (no message). */
int seerdb_owner_get_place(seerdb *db, const seerdb_uuid *owner,
                           seerdb_owner_place *out, seerdb_err *err);
/* Durable when it returns. */
int seerdb_owner_set_place(seerdb *db, const seerdb_uuid *owner,
                           const seerdb_owner_place *place, seerdb_err *err);

/* ---- reading -------------------------------------------------------------- */

/* The tree as of its last commit.  Holds memory and files: close it soon.  Of a marked
 * tree whose marker no writer has shown since the store was opened, all that was logged
 * is seen, whether it counts or not: use seerdb_view_open_at. */
int seerdb_view_open(seerdb_tree *tree, seerdb_view **out, seerdb_err *err);
seerdb_view *seerdb_view_ref(seerdb_view *view);
void seerdb_view_close(seerdb_view *view); /* gives one count back; accepts NULL */
uint64_t seerdb_view_number(const seerdb_view *view);
/* The view's time becomes the present one (not that of a snapshot, which has the time
 * at which it was taken), for seerdb_get and for iterators that are
 * opened or reopened from now on.  One thread at a time. */
void seerdb_view_tick(seerdb_view *view);
/* The time that its tree's filter is given, microseconds since 1970; 0: it has none. */
uint64_t seerdb_view_filter_time(const seerdb_view *view);

/* Who may interrupt moves of iterators that are opened over the view from now on, where
 * they pass over many deleted or invisible keys; such a one is then good for rest,
 * reopen and close only.  Borrowed for as long as they live; NULL: nobody.  Stays when
 * the view rests. */
void seerdb_view_interrupt(seerdb_view *view, const seerdb_interrupt *by);

/* For those who open views often: a view at rest keeps its memory and its tree's handle
 * and nothing else, and is opened again without allocating.  rest: Requires: the
 * caller's count is the only one.  reopen, reopen_at: Requires: at rest; with a failure
 * it stays so.  A view at rest takes no other calls but seerdb_view_close. */
void seerdb_view_rest(seerdb_view *view);
int seerdb_view_reopen(seerdb_view *view, seerdb_err *err);
int seerdb_view_reopen_at(seerdb_view *view, uint64_t marker, unsigned wait_ms,
                          seerdb_err *err);

/* Bytes found by a read, with one count on the memory they live in. */
typedef struct seerdb_value {
    seerdb_slice bytes;
    seerdb_pin *pin;       /* owned: give back with seerdb_pin_unref */
    seerdb_slice key;      /* the key asked for, in the memory that the pin keeps */
    seerdb_slice segments; /* of a lazy view: what of the value is in the value log, for
                              seerdb_segments_next; size 0: nothing.  bytes are then
                              those between the segments */
} seerdb_value;

/* Reads over a lazy view leave in the value log what is there: a value is shown as its
 * inline bytes and its segments, for the caller to read those he needs.  Others read
 * all of the value: a get when it finds it, an iterator when it moves to it.  Stays
 * when the view rests. */
void seerdb_view_set_lazy(seerdb_view *view, bool lazy);
/* The next segment, by rising offset; false: there are no more.  Moves *segments on. */
bool seerdb_segments_next(seerdb_slice *segments, seerdb_segment *out);
/* Read its bytes into `to`, which has room for them.  The view is the one it was read
 * from.  CORRUPT: they are not what was written. */
int seerdb_segment_read(const seerdb_view *view, const seerdb_segment *segment,
                        void *to, seerdb_err *err);

/* Look a key up in the batch (may be NULL: none), then in the view.  Of the batch,
 * writes after `mark` are not seen (SEERDB_BATCH_ALL: all are).  NOTFOUND: no such
 * key.  Of a merged key, whatever its operator's failure is; MISUSE: it was not given.
 * Iterators answer these too when they come to such a key; one can then be positioned
 * behind it by seek. */
#define SEERDB_BATCH_ALL UINT64_MAX
int seerdb_get(seerdb_view *view, seerdb_batch *batch, uint64_t mark, seerdb_slice key,
               seerdb_value *out, seerdb_err *err);

/* Walk the batch (may be NULL) and the view as one ordered map, in either
 * direction.  The iterator holds counts on what it reads: the view may be closed
 * and the batch changed, committed or freed under it; it goes on showing the state
 * it was opened on. */
int seerdb_iter_open(seerdb_view *view, seerdb_batch *batch, uint64_t mark,
                     seerdb_iter **out, seerdb_err *err);
void seerdb_iter_close(seerdb_iter *it); /* accepts NULL */

/* For those who open iterators often: one at rest holds nothing but its memory, and is
 * opened again without allocating.  reopen: an open one is put to rest first, and with
 * a failure it is at rest.  At rest it takes no other calls but seerdb_iter_close. */
void seerdb_iter_rest(seerdb_iter *it);
int seerdb_iter_reopen(seerdb_iter *it, seerdb_view *view, seerdb_batch *batch,
                       uint64_t mark, seerdb_err *err);

/* Restrict to lower <= key < upper; a slice with data NULL is no bound.  Copies. The
 * iterator is unpositioned afterwards. */
int seerdb_iter_bound(seerdb_iter *it, seerdb_slice lower, seerdb_slice upper,
                      seerdb_err *err);

/* Position: first, last, the first key >= k, the last key <= k, the one after, the
 * one before.  0: positioned.  NOTFOUND: no such key within the bounds; the
 * iterator is then unpositioned.  Requires for next and prev: positioned. */
int seerdb_iter_first(seerdb_iter *it, seerdb_err *err);
int seerdb_iter_last(seerdb_iter *it, seerdb_err *err);
int seerdb_iter_seek(seerdb_iter *it, seerdb_slice k, seerdb_err *err);
int seerdb_iter_seek_for_prev(seerdb_iter *it, seerdb_slice k, seerdb_err *err);
int seerdb_iter_next(seerdb_iter *it, seerdb_err *err);
int seerdb_iter_prev(seerdb_iter *it, seerdb_err *err);

/* Requires: positioned.  Borrowed until the iterator moves or closes, or for as
 * long as a count on the pin is held. */
seerdb_slice seerdb_iter_key(const seerdb_iter *it);
/* Key, value and pin at once, for those who ask for every row; the pin is borrowed. */
void seerdb_iter_show(const seerdb_iter *it, seerdb_value *out);
seerdb_slice seerdb_iter_value(const seerdb_iter *it);
/* As seerdb_segment_read, of the row it stands on.  Who reads row after row in this way
 * has the next ones' segments read from the disk meanwhile, those in the same place
 * among the row's. */
int seerdb_iter_segment_read(seerdb_iter *it, const seerdb_segment *segment, void *to,
                             seerdb_err *err);
seerdb_pin *seerdb_iter_pin(const seerdb_iter *it); /* borrowed: ref it to keep it */

/* ---- optimistic transactions --------------------------------------------------
 *
 * A transaction reads its trees as they were at one moment, and its own writes; it
 * holds no lock.  When it commits, what it rests on must be as it was: else the answer
 * is SEERDB_CONFLICT, nothing was changed, and the caller runs it again from the start.
 * What it rests on:
 *
 *   SEERDB_SNAPSHOT      the keys that it writes, and those in ranges that it deletes:
 *                        of two transactions that write one key the first committer
 * wins SEERDB_SERIALIZABLE  also what it reads by seerdb_txn_get and in the bounds of
 * its iterators, rows that were not there included: those that commit have run as if
 * one after the other and in both          what it was told to watch
 *
 * A key is as it was if no commit has put it since, or merged into it, and it is there
 * if it was there.  A range is, if it shows the same keys and values.  (A row that a
 * filter has dropped since, is not.)  The keys that it rests on are kept in memory
 * until its end.
 *
 * One thread at a time; any number of transactions, from any number of threads. */
enum seerdb_isolation { SEERDB_SNAPSHOT, SEERDB_SERIALIZABLE };

/* A transaction over these unmarked trees of the store; it knows no others (MISUSE). It
 * takes counts on their handles. */
int seerdb_txn_begin(seerdb *db, enum seerdb_isolation isolation,
                     seerdb_tree *const *trees, size_t n, seerdb_txn **out,
                     seerdb_err *err);

/* As seerdb_get and seerdb_iter_open.  An iterator shows the rows with lower <= key <
 * upper (data NULL: no bound), and of the transaction's writes those before it was
 * opened; it may outlive the transaction. */
int seerdb_txn_get(seerdb_txn *txn, seerdb_tree *tree, seerdb_slice key,
                   seerdb_value *out, seerdb_err *err);
int seerdb_txn_iter_open(seerdb_txn *txn, seerdb_tree *tree, seerdb_slice lower,
                         seerdb_slice upper, seerdb_iter **out, seerdb_err *err);

/* Let the commit rest on the rows with lower <= key < upper, too (data NULL: no bound).
 */
int seerdb_txn_watch(seerdb_txn *txn, seerdb_tree *tree, seerdb_slice lower,
                     seerdb_slice upper, seerdb_err *err);

/* As those of a batch. */
int seerdb_txn_put(seerdb_txn *txn, seerdb_tree *tree, seerdb_slice key,
                   seerdb_slice value, seerdb_err *err);
int seerdb_txn_delete(seerdb_txn *txn, seerdb_tree *tree, seerdb_slice key,
                      seerdb_err *err);
int seerdb_txn_merge(seerdb_txn *txn, seerdb_tree *tree, seerdb_slice key,
                     seerdb_slice operand, seerdb_err *err);
int seerdb_txn_delete_range(seerdb_txn *txn, seerdb_tree *tree, seerdb_slice lower,
                            seerdb_slice upper, seerdb_err *err);

/* Savepoints, as the marks of a batch.  The commit still rests on what was read after a
 * mark that was returned to, not on what was written. */
uint64_t seerdb_txn_mark(seerdb_txn *txn);
void seerdb_txn_release(seerdb_txn *txn, uint64_t mark);
void seerdb_txn_rollback_to(seerdb_txn *txn, uint64_t mark);

/* The outcome: CONFLICT, or as seerdb_write.  After 0 and after CONFLICT the
 * transaction takes nothing but seerdb_txn_free (MISUSE); after other failures nothing
 * was committed and this may be tried again. */
int seerdb_txn_commit(seerdb_txn *txn, enum seerdb_sync sync, seerdb_err *err);
void seerdb_txn_free(
    seerdb_txn *txn); /* rolls back what is not committed; NULL is fine */

/* ---- bulk ingest ---------------------------------------------------------------
 *
 * Who has keys in rising order can write them to sorted tables beside any store, in
 * several threads or on another machine, and have a tree take these over in one commit.
 *
 * A file that is written so is a table as in FORMAT.md, whose records have no number,
 * and whose large values stay where they are, also in a tree with a value log.
 * It is not changed by being taken over, and may be so again, by any tree. */
typedef struct seerdb_sst_options {
    int compression;           /* of its blocks: 0: none; otherwise a zstd level */
    unsigned filter_bits;      /* per key, 0 to 20; 0: no filter */
    enum seerdb_index index;   /* how it is searched */
    seerdb_slice lower, upper; /* all keys lie between the two, both included.  If they
                                  begin alike, the table is smaller and searched
                                  faster; data NULL: nothing is known */
    struct sdb_fs *fs;         /* borrowed; the file layer; NULL: the local one */
} seerdb_sst_options;

/* Make a file, which must not exist.  The first failure sticks: later calls answer it,
 * too.  One thread at a time. */
int seerdb_sst_writer_open(const char *path, const seerdb_sst_options *options,
                           seerdb_sst_writer **out, seerdb_err *err);
/* Copies.  MISUSE: the key does not come after the one before, or is out of bounds. */
int seerdb_sst_writer_add(seerdb_sst_writer *writer, seerdb_slice key,
                          seerdb_slice value, seerdb_err *err);
uint64_t seerdb_sst_writer_size(const seerdb_sst_writer *writer); /* bytes so far */
/* Write what is left and sync it.  MISUSE: nothing was added. */
int seerdb_sst_writer_finish(seerdb_sst_writer *writer, seerdb_err *err);
/* Removes the file if it was not finished; accepts NULL. */
void seerdb_sst_writer_free(seerdb_sst_writer *writer);

/* Put all rows of these files into an unmarked tree, as one commit, newer than all that
 * is there: a key that is there gets the file's value.  The files are read through the
 * store's file layer, checked byte by byte, and copied into its directory; nothing goes
 * through the log and the memtable, and what overlaps nothing is not written again.
 * Tables of some 64 MiB, cut where one likes, are better than one large one.
 *
 * MISUSE: keys of two files lie among each other, or a file's records have numbers: it
 * was not made for this.  CORRUPT: a file is no table, or damaged.  CANTOPEN: it is not
 * there.  Else as seerdb_write.  After a failure, or a crash before the end, nothing of
 * it is in the tree. */
int seerdb_ingest(seerdb_tree *tree, const char *const *paths, size_t n,
                  enum seerdb_sync sync, seerdb_err *err);

/* ---- snapshots --------------------------------------------------------------
 *
 * A named snapshot keeps what a reader at its commit number sees, whatever is written,
 * flushed and compacted later, until it is dropped or its tree is; it survives closing
 * the store.  What nobody needs goes as ever: of the versions of a key, each snapshot
 * keeps one at most. */

#define SEERDB_SNAPSHOT_NAME_MAX 255u /* bytes */

/* A snapshot of the tree as of its last commit; of a marked tree as of exactly
 * `marker`, which its owner reads in a state of its own that it will not lose: it was
 * committed, and is made durable by the owner's decider if it has one.  `marker` is
 * ignored for others.  The name is 1 to SEERDB_SNAPSHOT_NAME_MAX bytes, none of them
 * zero.  Durable when this returns; *number (may be NULL) is that of the snapshot.
 * MISUSE: a bad name, or one that the tree has.  Of a marked tree: BUSY: the commit is
 * still undecided after wait_ms milliseconds, or its owner cannot make it durable now.
 * GONE: later commits were folded over it.  MISMATCH. */
int seerdb_snapshot_create(seerdb_tree *tree, const char *name, uint64_t marker,
                           unsigned wait_ms, uint64_t *number, seerdb_err *err);

/* Views that are open stay.  MISUSE: the tree has none of this name (the message
 * names some that it has). */
int seerdb_snapshot_drop(seerdb_tree *tree, const char *name, seerdb_err *err);

typedef struct seerdb_snapshot {
    const char *name; /* borrowed until each returns */
    uint64_t number;
    uint64_t time_us; /* when it was taken: microseconds since 1970 */
    /* What tables hold only for it, and not for an older snapshot: records, and bytes
     * of their keys and values before they are packed.  Counted when tables are
     * written: what was superseded since is not in it yet.  The same for snapshots of
     * one number. */
    uint64_t pinned_records, pinned_bytes;
} seerdb_snapshot;

/* Call `each` for every snapshot of the tree, in order of creation.  Stops early when
 * each returns false. */
int seerdb_snapshots(seerdb_tree *tree,
                     bool (*each)(void *ctx, const seerdb_snapshot *snapshot),
                     void *ctx, seerdb_err *err);

/* The tree as of a snapshot.  MISUSE: the tree has none of this name (the message
 * names some that it has).  GONE: a marked tree's owner went back to a state before
 * it. */
int seerdb_view_open_snapshot(seerdb_tree *tree, const char *name, seerdb_view **out,
                              seerdb_err *err);

/* The tree as of commit `number`, for a reader whose own view is at `newest` (of a
 * marked tree, its marker): as long as no later commit was folded over it, or a
 * snapshot has that number.  MISUSE: `number` is above `newest`.  GONE: the message
 * says from where on the tree can be read. */
int seerdb_view_open_number(seerdb_tree *tree, uint64_t number, uint64_t newest,
                            seerdb_view **out, seerdb_err *err);

/* When the snapshot that the view is of was taken, microseconds since 1970; 0: it is of
 * no snapshot. */
uint64_t seerdb_view_time(const seerdb_view *view);

/* ---- versions ------------------------------------------------------------- */

/* "seerdb 0.1.0, gcc 12.2.0, zstd 1.5.4, xxHash 0.8.1, ..."; static. */
const char *seerdb_build_info(void);

#endif
