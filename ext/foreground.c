/* SPDX-License-Identifier: Apache-2.0
 *
 * What to sync.  With a write-ahead log: the log, whose frames are the decisions; the
 * database file too, for what a checkpoint moved there without a sync (synchronous =
 * OFF).  With a rollback journal the decision about the transaction before was the end
 * of its journal.  By now this transaction has made its own, under the same name; once
 * that is on the disk, and its name, which VFSes sync with the file when they made it,
 * the one before is gone.  What our sync leaves on the disk early is harmless: a
 * journal that a crash makes hot restores the state before this transaction.
 *
 * Where the journal is kept in memory, by its mode, it decides nothing.  A VFS with
 * atomic writes keeps small ones in memory as well, and that proves nothing about the
 * one before: so the file must be there. */
#include "foreground.h"

#include <string.h>

static sqlite3_file *file_at(struct svt_table *t, int pointer)
{
    sqlite3_file *file = NULL;
    int rc = sqlite3_file_control(t->conn->db, t->schema_name, pointer, &file);
    return rc == SQLITE_OK && file != NULL && file->pMethods != NULL ? file : NULL;
}

/* The write-ahead log is an object that lives as long as that mode does, and another
 * one than the rollback journal, which lives as long as the connection.  So while it is
 * the one that it was, the PRAGMA, which is compiled whenever it is run, need not be
 * asked. */
int svt_foreground_journal(struct svt_table *t, enum svt_journal *out)
{
    const sqlite3_file *journal = file_at(t, SQLITE_FCNTL_JOURNAL_POINTER);
    sqlite3_stmt *stmt = NULL;
    *out = SVT_JOURNAL_WAL;
    if (journal != NULL && journal == t->wal)
        return SQLITE_OK;
    *out = SVT_JOURNAL_FILE;
    t->wal = NULL;
    int rc =
        svt_prepare(t->conn->db, &stmt, "PRAGMA \"%w\".journal_mode", t->schema_name);
    if (rc != SQLITE_OK)
        return rc;
    if (sqlite3_step(stmt) == SQLITE_ROW) {
        const char *mode = (const char *)sqlite3_column_text(stmt, 0);
        if (mode != NULL && strcmp(mode, "wal") == 0)
            *out = SVT_JOURNAL_WAL;
        else if (mode != NULL &&
                 (strcmp(mode, "memory") == 0 || strcmp(mode, "off") == 0))
            *out = SVT_JOURNAL_NONE;
    }
    rc = sqlite3_finalize(stmt);
    if (rc == SQLITE_OK && *out == SVT_JOURNAL_WAL)
        t->wal = journal;
    return rc;
}

static bool journal_exists(struct svt_table *t)
{
    sqlite3_vfs *vfs = NULL;
    int there = 0;
    const char *name = sqlite3_db_filename(t->conn->db, t->schema_name);
    sqlite3_file_control(t->conn->db, t->schema_name, SQLITE_FCNTL_VFS_POINTER, &vfs);
    return vfs != NULL && name != NULL &&
           vfs->xAccess(vfs, sqlite3_filename_journal(name), SQLITE_ACCESS_EXISTS,
                        &there) == SQLITE_OK &&
           there != 0;
}

/* A failed sync is final: which writes were lost is unknown, and the next one would say
 * that all is well. */
static bool sync_file(struct svt_table *t, sqlite3_file *file, const char *what)
{
    int rc = file->pMethods->xSync(file, SQLITE_SYNC_FULL);
    if (rc == SQLITE_OK)
        return true;
    svt_decider_stop(t->ks->decider);
    sqlite3_log(rc,
                "seerdb: %s: its rows stay in the log until the store is opened "
                "again: syncing the %s fails",
                t->who, what);
    return false;
}

int svt_foreground_sync(struct svt_table *t, uint64_t below, bool *done)
{
    enum svt_journal mode;
    *done = false;
    if (t->ks->decider == NULL || !svt_decider_is_foreign(t->ks->decider))
        return SQLITE_OK;
    int rc = svt_foreground_journal(t, &mode);
    if (rc != SQLITE_OK)
        return rc;
    sqlite3_file *database = file_at(t, SQLITE_FCNTL_FILE_POINTER);
    sqlite3_file *journal = file_at(t, SQLITE_FCNTL_JOURNAL_POINTER);
    if (database == NULL || (mode != SVT_JOURNAL_NONE && journal == NULL) ||
        (mode == SVT_JOURNAL_FILE && !journal_exists(t)) ||
        !sync_file(t, database, "database") ||
        (mode != SVT_JOURNAL_NONE && !sync_file(t, journal, "journal")))
        return SQLITE_OK;
    svt_decider_decided(t->ks->decider, below);
    seerdb_retry_flushes(t->ks->store->db);
    *done = true;
    return SQLITE_OK;
}

int svt_foreground_help(struct svt_table *t, uint64_t below)
{
    bool done;
    if (t->ks->decider == NULL || !svt_decider_is_waiting(t->ks->decider))
        return SQLITE_OK;
    return svt_foreground_sync(t, below, &done);
}
