/* SPDX-License-Identifier: Apache-2.0
 *
 * decider -- makes SQLite's own decisions durable before the store acts upon them.
 *
 * SQLite's commit decides about the store's: so the store may move a commit from its
 * log to its tables only when SQLite's side of it cannot be lost any more.  A decider
 * knows one database file and syncs its -wal, its -journal and their directory, from
 * the engine's flush thread.  It never opens the database file or -shm: closing those
 * would drop SQLite's own locks (POSIX).
 *
 * A database that any connection reaches through a VFS other than SQLite's own for Unix
 * is *foreign*: its files may have no paths.  The decider then only says what
 * connections have made durable themselves (foreground.h), and notes that a flush waits
 * for that.
 *
 * One decider for each (store, owner) of the process; handles keeps them for as long as
 * the store is open.  Any thread may call; each decider has its own mutex. */
#ifndef SVT_DECIDER_H
#define SVT_DECIDER_H

#include "errmap.h"

#include <stdbool.h>

/* The names of a database's files, as sqlite3_filename_... give them. */
struct svt_database {
    const char *path, *wal, *journal;
    const char *vfs; /* of a foreign one; NULL: the files have these paths */
};

struct svt_decider;

/* Another way to make the decisions about a database durable, for databases that are
 * not on local disk: the seam for VFSes other than SQLite's default.  0 or a failure.
 */
typedef int svt_decider_sync_fn(const struct svt_database *file, seerdb_err *err);

/* Use `sync` for every database whatever its VFS; NULL: back to local files.  For
 * tests: while no store is open. */
void svt_decider_use(svt_decider_sync_fn *sync);
bool svt_decider_is_replaced(void);

/* Copies the names and opens -wal if it is there.  SQLITE_OK, SQLITE_NOMEM. */
int svt_decider_new(const seerdb_uuid *owner, const struct svt_database *file,
                    struct svt_decider **out);
void svt_decider_free(struct svt_decider *d); /* accepts NULL */

seerdb_uuid svt_decider_owner(const struct svt_decider *d);

/* Where a database file is, and the store that it was met with: what is kept in the
 * store about its owner.  False: the system does not know the file. */
bool svt_decider_place(const struct svt_database *file, const char *store_dir,
                       seerdb_owner_place *out);

/* Does the database file alone say what is committed?  False if there may be something
 * in its -wal or -journal. */
bool svt_decider_is_settled(const struct svt_database *file);

/* `now` claims trees whose owner was last at `last`.  Is `last` still there, and
 * another file?  Then `now` is a copy: unless the store was copied or moved too, which
 * takes its owner along. */
bool svt_decider_is_copy(const seerdb_owner_place *last, const seerdb_owner_place *now);

/* Is there a file where the owner was last, as far as can be told? */
bool svt_decider_is_there(const seerdb_owner_place *last);

/* A connection reaches the owner's trees through `file`.  SQLITE_OK if that is the
 * database that d knows, maybe under a new name, or its successor: the known one is
 * gone. SQLITE_ERROR with *message: the known one is still there, this one is a copy.
 */
int svt_decider_meet(struct svt_decider *d, const struct svt_database *file,
                     const char *who, char **message);

/* Take a descriptor on -wal if there is none yet.  Cheap if there is one. */
void svt_decider_watch(struct svt_decider *d);

/* Make the decisions about commits with numbers smaller than `below` durable; of a
 * database that is not foreign, all so far.  `decider` is a struct svt_decider: the
 * function is what seerdb_set_decider takes.  IOERR, CANTOPEN (the database is gone),
 * BUSY: it is foreign, and nobody has done so yet. */
int svt_decider_sync(void *decider, uint64_t below, seerdb_err *err);

/* Of foreign databases: a connection has made the decisions about commits with numbers
 * smaller than `below` durable; does a flush wait for that; a sync has failed. */
bool svt_decider_is_foreign(const struct svt_decider *d);
void svt_decider_decided(struct svt_decider *d, uint64_t below);
bool svt_decider_is_waiting(const struct svt_decider *d);
void svt_decider_stop(struct svt_decider *d);

#endif
