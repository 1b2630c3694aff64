/* SPDX-License-Identifier: Apache-2.0
 *
 * The text of LOCK names the process that wrote last, so it names the holder whenever
 * that is a writer.  Readers leave no trace; whoever is kept out by them asks the
 * system.
 *
 * flock goes from shared to exclusive by letting go in between.  Who came in then to
 * write has changed the manifest, whatever he did: numbers are reserved there before
 * the first commit.  If the manifest is what was read, so is everything else. */
#include "db/hold.h"

#include <stdio.h>
#include <stdlib.h>

#define HOLDERS_NAMED 4u

static char *lock_path(const seerdb *db)
{
    size_t size = strlen(db->dir) + sizeof "/LOCK";
    char *path = sdb_mem_alloc(size);
    if (path != NULL)
        snprintf(path, size, "%s/LOCK", db->dir);
    return path;
}

/* ---- who holds it -------------------------------------------------------------- */

static int describe_writer(seerdb *db, const char *path, seerdb_err *err)
{
    struct sdb_buf text = {0};
    struct sdb_file *f = NULL;
    uint64_t pid = 0;
    if (sdb_fs_open(db->fs, path, SDB_READ, SDB_FOR_OTHER, &f, NULL) == 0 &&
        sdb_file_read_all(f, &text, NULL) == 0) {
        sdb_put_u8(&text, 0);
        if (sdb_buf_check(&text, NULL) == 0)
            pid = strtoull((const char *)text.data, NULL, 10);
    }
    sdb_file_close(f);
    sdb_buf_fini(&text);
    if (pid == sdb_process_id())
        return sdb_fail(
            err, SEERDB_BUSY,
            "%s is open in this process already, perhaps through another copy of "
            "seerdb",
            db->dir);
    if (pid == 0)
        return sdb_fail(err, SEERDB_BUSY, "%s is held by another process", db->dir);
    return sdb_fail(err, SEERDB_BUSY, "%s is held by process %" PRIu64, db->dir, pid);
}

/* f shares the lock with them. */
static int describe_readers(seerdb *db, struct sdb_file *f, seerdb_err *err)
{
    uint64_t pids[HOLDERS_NAMED + 2];
    char names[HOLDERS_NAMED * 24 + 16] = "";
    size_t at = 0, named = 0, own = 0, n = sdb_file_holders(f, pids, HOLDERS_NAMED + 2);
    for (size_t i = 0; i < n; i++) {
        if (pids[i] == sdb_process_id()) {
            if (++own == 1)
                continue; /* f itself */
            return sdb_fail(err, SEERDB_BUSY,
                            "%s is open for reading in this process already, perhaps "
                            "through another copy of seerdb",
                            db->dir);
        }
        if (named == HOLDERS_NAMED) {
            snprintf(names + at, sizeof names - at, " and others");
            break;
        }
        at += (size_t)snprintf(names + at, sizeof names - at, "%s %" PRIu64,
                               named > 0 ? "," : "", pids[i]);
        named++;
    }
    if (named == 0)
        return sdb_fail(err, SEERDB_BUSY, "%s is open for reading in another process",
                        db->dir);
    return sdb_fail(err, SEERDB_BUSY, "%s is open for reading in process%s", db->dir,
                    names);
}

/* f was refused the lock: readers would share it. */
static int describe_holder(seerdb *db, struct sdb_file *f, const char *path,
                           seerdb_err *err)
{
    int rc = sdb_file_lock(f, SDB_LOCK_SHARED, NULL);
    return rc == 0 ? describe_readers(db, f, err) : describe_writer(db, path, err);
}

/* ---- writing --------------------------------------------------------------------- */

/* For messages only: a disk without room for it is no reason not to open. */
static void sign(struct sdb_file *f)
{
    char text[32];
    int n = snprintf(text, sizeof text, "%" PRIu64 "\n", sdb_process_id());
    if (sdb_file_truncate(f, 0, NULL) == 0)
        (void)!sdb_file_write_at(f, 0, (seerdb_slice){text, (size_t)n}, NULL);
}

int sdb_hold_alone(seerdb *db, seerdb_err *err)
{
    char *path = lock_path(db);
    if (path == NULL)
        return sdb_fail_nomem(err, strlen(db->dir));
    int rc = sdb_fs_stat(db->fs, path, NULL, NULL, err);
    if (rc == SEERDB_NOTFOUND)
        rc = sdb_fs_open(db->fs, path, SDB_CREATE, SDB_FOR_OTHER, &db->lock_file, NULL);
    /* Another process may have made it in between: then it exists. */
    if (db->lock_file == NULL && (rc == 0 || rc == SEERDB_IOERR))
        rc = sdb_fs_open(db->fs, path, SDB_READWRITE, SDB_FOR_OTHER, &db->lock_file,
                         err);
    else if (rc != 0)
        rc = sdb_fs_open(db->fs, path, SDB_CREATE, SDB_FOR_OTHER, &db->lock_file, err);
    if (rc == 0)
        rc = sdb_file_lock(db->lock_file, SDB_LOCK_EXCLUSIVE, err);
    if (rc == SEERDB_BUSY)
        rc = describe_holder(db, db->lock_file, path, err);
    else if (rc == 0)
        sign(db->lock_file);
    sdb_mem_free(path);
    return rc;
}

/* ---- reading --------------------------------------------------------------------- */

int sdb_hold_shared(seerdb *db, seerdb_err *err)
{
    seerdb_err why = {0};
    char *path = lock_path(db);
    if (path == NULL)
        return sdb_fail_nomem(err, strlen(db->dir));
    bool safe = sdb_fs_is_read_only(db->fs, db->dir);
    int rc = sdb_fs_open(db->fs, path, SDB_READ, SDB_FOR_OTHER, &db->lock_file, &why);
    if (rc == SEERDB_CANTOPEN) {
        rc = safe ? 0
                  : sdb_fail(err, SEERDB_READONLY,
                             "%s has no file LOCK to keep writers away from what is "
                             "being read: open it for writing once, or make an empty "
                             "one",
                             db->dir);
        goto out;
    }
    if (rc == 0)
        rc = sdb_file_lock(db->lock_file, SDB_LOCK_SHARED, &why);
    if (rc == SEERDB_BUSY) {
        rc = describe_writer(db, path, err);
    } else if (rc != 0 && safe && db->lock_file != NULL) {
        sdb_file_close(db->lock_file); /* a file system without locks */
        db->lock_file = NULL;
        rc = 0;
    } else if (rc != 0) {
        rc = sdb_fail_as(err, &why);
    }
out:
    sdb_mem_free(path);
    return rc;
}

/* ---- from one to the other ---------------------------------------------------------
 */

/* Is everything as it was read?  Held again, so it stays so. */
static bool is_unchanged(seerdb *db)
{
    bool changed = true;
    sdb_lock_install(&db->install_lock);
    int rc = sdb_manifest_look(db->manifest, &changed, NULL);
    sdb_unlock_install(&db->install_lock);
    return rc == 0 && !changed;
}

int sdb_hold_change(seerdb *db, seerdb_err *err)
{
    struct sdb_file *f = NULL;
    char *path = lock_path(db);
    if (path == NULL)
        return sdb_fail_nomem(err, strlen(db->dir));
    /* Before anything is let go of: may it be written at all? */
    int rc = sdb_fs_open(db->fs, path, SDB_READWRITE, SDB_FOR_OTHER, &f, err);
    if (rc != 0)
        goto out;
    sdb_file_close(db->lock_file);
    db->lock_file = f;
    rc = sdb_file_lock(f, SDB_LOCK_EXCLUSIVE, err);
    bool held = rc == 0;
    if (rc == SEERDB_BUSY)
        rc = describe_holder(db, f, path, err);
    if (!held)
        held = sdb_file_lock(f, SDB_LOCK_SHARED, NULL) == 0;
    if (!held || !is_unchanged(db)) {
        atomic_store_explicit(&db->lost, true, memory_order_relaxed);
        rc = sdb_check_lost(db, err);
    } else if (rc == 0) {
        sign(f);
    }
out:
    sdb_mem_free(path);
    return rc;
}
