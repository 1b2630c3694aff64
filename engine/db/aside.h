/* SPDX-License-Identifier: Apache-2.0
 *
 * aside -- commits that wait for an owner who does not come leave the log.
 *
 * A marked tree's commits stay in the log until its owner has decided about them.  When
 * they hold back much of it, because nobody has shown a marker since the open or the
 * owner's decider fails, a background job copies them to a side file (log/side.h) of
 * their own.  They stay in memory as they are, and go to tables as they would have;
 * then, or when the tree is dropped, the side file goes too.  FORMAT.md, "Side file".
 *
 * A tree whose side file cannot be read at the open refuses every use but its drop. */
#ifndef SDB_DB_ASIDE_H
#define SDB_DB_ASIDE_H

#include "db/state.h"

/* Queue what is due, looking once for each new log file.  After a commit.  A failure to
 * do so is none: the next log file is the next chance. */
void sdb_aside_where_due(seerdb *db) REQUIRES(LK_WRITE) EXCLUDES(LK_DB);

/* Queue it for every tree that nobody has shown a marker for: after the open, when the
 * log has become very long. */
void sdb_aside_all(seerdb *db) EXCLUDES(LK_WRITE, LK_DB);

/* Take the commits in side files into their trees, before the log is replayed: what
 * they cover is skipped there. */
int sdb_aside_load(seerdb *db, const struct sdb_catalog *c, seerdb_err *err)
    EXCLUDES(LK_WRITE, LK_DB) SDB_MUST_CHECK;

#endif
