/* SPDX-License-Identifier: Apache-2.0
 *
 * test_pair.h -- unit tests of the commit protocol: an ordinary table and one of ours
 * that must agree, whatever happens.
 *
 * pair_open makes or opens a database with `o` (SQLite's) and `t` (ours), both of (k
 * INTEGER PRIMARY KEY, v).  PAIR_SUMS shows whether they agree. */
#ifndef SVT_TEST_PAIR_H
#define SVT_TEST_PAIR_H

#include "test_sql.h"

#include <sys/wait.h>

#define PAIR_SUMS "SELECT count(*), total(v) FROM o; SELECT count(*), total(v) FROM t"

static inline sqlite3 *pair_open(const char *name, const char *mode)
{
    char sql[64];
    sqlite3 *db = test_open(name);
    snprintf(sql, sizeof(sql), "PRAGMA journal_mode = %s", mode);
    test_expect(db, sql, mode);
    if (strcmp(test_sql(db, "SELECT count(*) FROM sqlite_schema WHERE name = 't'"),
               "0") == 0)
        test_expect(db,
                    "CREATE TABLE o(k INTEGER PRIMARY KEY, v);"
                    "CREATE VIRTUAL TABLE t USING seerdb(k INTEGER PRIMARY KEY, v);"
                    "BEGIN; INSERT INTO o VALUES(1, 10), (2, 20);"
                    "INSERT INTO t VALUES(1, 10), (2, 20); COMMIT",
                    "");
    return db;
}

/* Run `work` in a child process, which may die in it.  Requires: no store is open. */
static inline int pair_child(void (*work)(const char *name), const char *name)
{
    int status = 0;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        work(name);
        _exit(99); /* it was meant to die before */
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* A table that does nothing but call `hook` at one of SQLite's calls: for what happens
 * between the calls to the tables of ours.  "CREATE VIRTUAL TABLE temp.bomb USING
 * bomb"; an INSERT puts it into the transaction. */
struct pair_bomb {
    void (*at_sync)(void *ctx);
    void (*at_commit)(void *ctx);
    void *ctx;
    bool armed;
};

struct pair_bomb_vtab {
    sqlite3_vtab base;
    const struct pair_bomb *bomb;
};

static inline int bomb_connect(sqlite3 *db, void *aux, int argc,
                               const char *const *argv, sqlite3_vtab **out,
                               char **message)
{
    (void)argc, (void)argv, (void)message;
    struct pair_bomb_vtab *v = sqlite3_malloc64(sizeof(*v));
    if (v == NULL)
        return SQLITE_NOMEM;
    *v = (struct pair_bomb_vtab){.bomb = aux};
    *out = &v->base;
    return sqlite3_declare_vtab(db, "CREATE TABLE x(a)");
}

static inline int bomb_disconnect(sqlite3_vtab *v)
{
    sqlite3_free(v);
    return SQLITE_OK;
}

static inline int bomb_best_index(sqlite3_vtab *v, sqlite3_index_info *info)
{
    (void)v, (void)info;
    return SQLITE_OK;
}

static inline int bomb_open(sqlite3_vtab *v, sqlite3_vtab_cursor **out)
{
    (void)v, (void)out;
    return SQLITE_ERROR;
}

static inline int bomb_update(sqlite3_vtab *v, int argc, sqlite3_value **argv,
                              sqlite3_int64 *rowid)
{
    (void)v, (void)argc, (void)argv;
    *rowid = 1;
    return SQLITE_OK;
}

static inline int bomb_begin(sqlite3_vtab *v)
{
    (void)v;
    return SQLITE_OK;
}

static inline int bomb_sync(sqlite3_vtab *v)
{
    const struct pair_bomb *b = ((struct pair_bomb_vtab *)v)->bomb;
    if (b->armed && b->at_sync != NULL)
        b->at_sync(b->ctx);
    return SQLITE_OK;
}

static inline int bomb_commit(sqlite3_vtab *v)
{
    const struct pair_bomb *b = ((struct pair_bomb_vtab *)v)->bomb;
    if (b->armed && b->at_commit != NULL)
        b->at_commit(b->ctx);
    return SQLITE_OK;
}

/* The bomb must live as long as db. */
static inline void pair_arm(sqlite3 *db, struct pair_bomb *bomb)
{
    static const sqlite3_module module = {.iVersion = 1,
                                          .xCreate = bomb_connect,
                                          .xConnect = bomb_connect,
                                          .xBestIndex = bomb_best_index,
                                          .xDisconnect = bomb_disconnect,
                                          .xDestroy = bomb_disconnect,
                                          .xOpen = bomb_open,
                                          .xUpdate = bomb_update,
                                          .xBegin = bomb_begin,
                                          .xSync = bomb_sync,
                                          .xCommit = bomb_commit};
    assert_int_equal(sqlite3_create_module(db, "bomb", &module, bomb), SQLITE_OK);
    test_expect(db, "CREATE VIRTUAL TABLE temp.bomb USING bomb", "");
    bomb->armed = true;
}

#endif
