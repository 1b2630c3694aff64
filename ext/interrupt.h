/* SPDX-License-Identifier: Apache-2.0
 *
 * interrupt -- sqlite3_interrupt and progress handlers, for what takes long on our
 * side.
 *
 * SQLite looks at both between the steps of its virtual machine, and so does not while
 * one of our methods works or waits.  A connection has one svt_interrupt, which the
 * engine asks instead: views and batches are given `scan` and `call` for good, the
 * calls of a thread between svt_interrupt_begin and _end.  Loops of ours call
 * svt_interrupt_pass.  Our time counts for the progress handler as steps of the virtual
 * machine do.
 *
 * Life: init; the statement that asks SQLite is made when it is needed, and rest gives
 * it up, which must come to pass before the connection closes.  Used by the thread that
 * uses the connection. */
#ifndef SVT_INTERRUPT_H
#define SVT_INTERRUPT_H

#include "errmap.h"

struct svt_interrupt {
    sqlite3 *db;
    seerdb_interrupt scan; /* for iterators, which work now and then */
    seerdb_interrupt call; /* for calls that do nothing else */
    sqlite3_stmt *probe;   /* owned, at rest; NULL: not needed yet */
    int64_t asked_us;      /* when SQLite was asked last; 0: never */
    uint32_t passed;
    bool asking;
};

void svt_interrupt_init(struct svt_interrupt *i, sqlite3 *db);
void svt_interrupt_rest(struct svt_interrupt *i);

/* From here to the end, calls of the engine may be interrupted.  They may be nested.
 * SQLITE_INTERRUPT: this was, and there is nothing to end. */
struct svt_interrupt_span {
    const seerdb_interrupt *before;
    sqlite3_stmt *anchor; /* owned */
};
void svt_interrupt_end(struct svt_interrupt_span *span);
int svt_interrupt_begin(struct svt_interrupt *i, struct svt_interrupt_span *span);

/* For a loop: one more step of it is done.  SQLITE_OK or SQLITE_INTERRUPT, for which
 * SQLite has a sentence. */
int svt_interrupt_pass(struct svt_interrupt *i);

/* SQLITE_INTERRUPT if that is why SQLite's last call failed, else SQLITE_OK. */
int svt_interrupt_was(sqlite3 *db);

/* For who waits: asks now. */
int svt_interrupt_check(struct svt_interrupt *i);

#endif
