/* SPDX-License-Identifier: Apache-2.0
 *
 * side -- a side file: the commits of one tree, out of the way of the log.
 *
 * Life of a writer: new, link (all of them, numbers rising), then for each spilled
 * commit, numbers rising, the records of commits before it and its tables, the records
 * of those behind the last one, finish, free.  Records between two of those: range
 * tombstones by start, then by number falling, and then the others by key, then by
 * number rising.  Free without finish abandons the file, which the caller then removes.
 * The first failure sticks: later calls do nothing, finish returns it.  Written once,
 * read once, by one thread; no locks.  FORMAT.md, "Side file". */
#ifndef SDB_LOG_SIDE_H
#define SDB_LOG_SIDE_H

#include "log/catalog.h"
#include "log/frame.h"
#include "table/key.h"

struct sdb_side_options {
    struct sdb_fs *fs; /* borrowed */
    const char *dir;   /* borrowed */
    seerdb_uuid store;
    uint64_t tree;
};

struct sdb_side_writer;

/* Make file `number`, which must not exist. */
int sdb_side_writer_new(const struct sdb_side_options *o, uint64_t number,
                        struct sdb_side_writer **out, seerdb_err *err) EXCLUDES(LK_DB)
    SDB_MUST_CHECK;
void sdb_side_writer_link(struct sdb_side_writer *w, uint64_t number, uint64_t prev)
    EXCLUDES(LK_DB);
void sdb_side_writer_record(struct sdb_side_writer *w, const struct sdb_record *r)
    EXCLUDES(LK_DB);
/* The tables that a spilled commit wrote; n is 0 if they are gone. */
void sdb_side_writer_tables(struct sdb_side_writer *w, uint64_t number,
                            const uint64_t *files, size_t n) EXCLUDES(LK_DB);
/* Write what is left and sync the file (not its directory); *out is what the manifest
 * must say about it. */
int sdb_side_writer_finish(struct sdb_side_writer *w, uint64_t covered,
                           struct sdb_aside_desc *out, seerdb_err *err) EXCLUDES(LK_DB)
    SDB_MUST_CHECK;
void sdb_side_writer_free(struct sdb_side_writer *w) EXCLUDES(LK_DB); /* accepts NULL */

/* Who takes what a side file holds, in its order; bytes and files are borrowed.  A
 * failure ends the reading. */
struct sdb_side_taker {
    int (*link)(void *ctx, uint64_t number, uint64_t prev, seerdb_err *err);
    int (*record)(void *ctx, const struct sdb_record *r, seerdb_err *err);
    int (*tables)(void *ctx, uint64_t number, const uint64_t *files, size_t n,
                  seerdb_err *err);
    void *ctx;
};

/* Read the side file that the manifest describes.  CORRUPT, also when it is missing:
 * the taker may have got a part of it; NEWER. */
int sdb_side_read(const struct sdb_side_options *o, const struct sdb_aside_desc *desc,
                  const struct sdb_side_taker *taker, seerdb_err *err) EXCLUDES(LK_DB)
    SDB_MUST_CHECK;

/* "dir/000012.side"; the caller frees.  NULL: no memory. */
char *sdb_side_path(const char *dir, uint64_t number);
/* Delete file `number` if it is there.  A failure is none: the next open knows that
 * the manifest does not name it. */
void sdb_side_remove(struct sdb_fs *fs, const char *dir, uint64_t number)
    EXCLUDES(LK_DB);

#endif
