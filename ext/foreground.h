/* SPDX-License-Identifier: Apache-2.0
 *
 * foreground -- make SQLite's decisions durable through the connection itself.
 *
 * The files of a database on a VFS other than SQLite's own for Unix may have no paths:
 * no thread of ours can sync them, only a connection, in the thread that uses it, on
 * the file handles that SQLite holds.  So there a flush waits until a transaction that
 * writes to a table of ours comes by (decider.h, "foreign"), and a transaction that
 * finds one waiting syncs what SQLite wrote before it.  Its own commit it cannot: that
 * goes to tables with the next one. */
#ifndef SVT_FOREGROUND_H
#define SVT_FOREGROUND_H

#include "table.h"

/* Make the decisions about all commits with numbers smaller than `below` durable and
 * have the flushes that wait for that tried again.  *done: they are durable.  That they
 * cannot be made so is no failure; a failure is one of SQLite's, which may have rolled
 * back the transaction: pass it on.  Of a database that is not foreign: nothing to do.
 * Requires: SQLite's write lock on t's schema, a page of it written by this transaction
 * (but in WAL mode), and none of those commits undecided. */
int svt_foreground_sync(struct svt_table *t, uint64_t below, bool *done);

/* The same if a flush of t's database waits for it. */
int svt_foreground_help(struct svt_table *t, uint64_t below);

/* What PRAGMA journal_mode says. */
enum svt_journal { SVT_JOURNAL_WAL, SVT_JOURNAL_FILE, SVT_JOURNAL_NONE };
int svt_foreground_journal(struct svt_table *t, enum svt_journal *out);

#endif
