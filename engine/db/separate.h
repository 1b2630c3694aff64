/* SPDX-License-Identifier: Apache-2.0
 *
 * separate -- large values go to the value log of their tree as they arrive.
 *
 * A tree has at most one file that is being written.  Whoever writes large values
 * appends to it, one at a time; what a rolled-back batch has appended is garbage.  A
 * full file is sealed and the next one begun; so is one that cannot be written to. */
#ifndef SDB_DB_SEPARATE_H
#define SDB_DB_SEPARATE_H

#include "db/state.h"

/* Does a value of that size go to the value log? */
static inline bool sdb_separate_due(const seerdb_tree *t, size_t size)
{
    /* acquire: whoever says that it does has set t->separates before */
    uint64_t from = atomic_load_explicit(&t->tuned.value_log, memory_order_acquire);
    return from != 0 && size >= from;
}

/* Append a value; *out says where (all but its offset), *pin holds the file. */
int sdb_separate_put(seerdb_tree *t, seerdb_slice value, struct sdb_segment *out,
                     seerdb_pin **pin, seerdb_err *err)
    EXCLUDES(LK_VALUES, LK_WRITE, LK_INSTALL, LK_DB) SDB_MUST_CHECK;

/* Hand what was appended to the system, so that a sync covers it. */
int sdb_separate_write_out(seerdb_tree *t, seerdb_err *err)
    EXCLUDES(LK_VALUES, LK_WRITE, LK_INSTALL, LK_DB) SDB_MUST_CHECK;

/* Nothing more is appended to the file that the tree has now; `seal` it, so that the
 * next open need not search it. */
void sdb_separate_end(seerdb_tree *t, bool seal)
    EXCLUDES(LK_VALUES, LK_WRITE, LK_INSTALL, LK_DB);

/* The part of the commit that `t` has names files: have the memtable hold them. */
int sdb_separate_keep(seerdb_tree *t, seerdb_slice payload, struct sdb_memtable *m,
                      seerdb_err *err) EXCLUDES(LK_DB) SDB_MUST_CHECK;

/* The parts of a value laid out as that of a record: of one with segments, or a plain
 * one.  The files that were appended to stay held until fini: by then the record's
 * memtable holds them. */
struct sdb_laid {
    struct sdb_buf *bytes; /* borrowed; overwritten */
    enum sdb_kind kind;
    uint64_t written;  /* bytes of the values appended */
    seerdb_pin **pins; /* owned, npins counts */
    size_t npins;
};
int sdb_separate_parts(seerdb_tree *t, const seerdb_part *parts, size_t n,
                       struct sdb_laid *out, seerdb_err *err)
    EXCLUDES(LK_VALUES, LK_WRITE, LK_INSTALL, LK_DB) SDB_MUST_CHECK;
void sdb_laid_fini(struct sdb_laid *l);

#endif
