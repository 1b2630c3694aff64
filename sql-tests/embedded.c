/* SPDX-License-Identifier: Apache-2.0
 *
 * embedded -- a program with seerdb compiled in, and what happens when it meets other
 * copies of the library in one process.
 *
 *     cc -o embedded embedded.c libseerdb_sqlite.a -lsqlite3 -lzstd -pthread -lm
 *     ./embedded EXTENSION [EXTENSION]         shared libraries: two copies of
 * seerdb.so
 *
 * Each copy has a registry of open stores of its own: what keeps two of them from
 * opening one directory is its LOCK.  The second is told so, and can have the store
 * when the first has closed it.  Speaks TAP. */
#define _XOPEN_SOURCE 700
#include "seerdb.h"
#include "seerdb_sqlite.h"

#include <sqlite3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char dir[] = "/tmp/seerdb-embedded-XXXXXX";
static int ntests, nfailed;
static bool good; /* so far in this test */

/* A second thing of this name links only if the library keeps its own to itself. */
int write_index(void);
int write_index(void)
{
    return 1;
}

static void ok(const char *what)
{
    printf("%sok %d - %s\n", good ? "" : "not ", ++ntests, what);
    fflush(stdout);
    nfailed += !good;
    good = true;
}

static int append_row(void *ctx, int n, char **values, char **names)
{
    char *text = ctx;
    size_t used = strlen(text);
    (void)names;
    for (int i = 0; i < n && used < 900; i++)
        used += (size_t)snprintf(text + used, 1000 - used, "%s%s",
                                 i > 0      ? "|"
                                 : used > 0 ? " "
                                            : "",
                                 values[i] != NULL ? values[i] : "NULL");
    return 0;
}

/* sql answers these rows; or, if the text of its failure has `want` in it, that. */
static void expect(sqlite3 *db, const char *sql, const char *want)
{
    char got[1000] = "", *message = NULL;
    int rc = sqlite3_exec(db, sql, append_row, got, &message);
    bool right =
        rc == SQLITE_OK ? strcmp(got, want) == 0 : strstr(message, want) != NULL;
    if (rc != SQLITE_OK && *want == '\0')
        right = false;
    if (!right)
        printf("# %s: %d %s, wanted %s\n", sql, rc, rc == SQLITE_OK ? got : message,
               want);
    good = good && right;
    sqlite3_free(message);
}

static void expect_code(sqlite3 *db, int code)
{
    if (sqlite3_extended_errcode(db) == code)
        return;
    printf("# code %d, wanted %d\n", sqlite3_extended_errcode(db), code);
    good = false;
}

/* extension NULL: whatever is compiled in. */
static sqlite3 *open_database(const char *name, const char *extension)
{
    char path[200], *message = NULL;
    sqlite3 *db = NULL;
    snprintf(path, sizeof path, "%s/%s", dir, name);
    if (sqlite3_open(path, &db) != SQLITE_OK ||
        sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 1, NULL) !=
            SQLITE_OK ||
        (extension != NULL &&
         sqlite3_load_extension(db, extension, NULL, &message) != SQLITE_OK)) {
        printf("Bail out! %s: %s\n", path,
               message != NULL ? message : sqlite3_errmsg(db));
        exit(2);
    }
    return db;
}

static void close_database(sqlite3 *db)
{
    if (sqlite3_close(db) == SQLITE_OK)
        return;
    printf("# not closed: %s\n", sqlite3_errmsg(db));
    good = false;
}

/* Run by SQLite for every connection from now on. */
static void compile_in(bool on)
{
    void (*entry)(void) = (void (*)(void))sqlite3_seerdb_init;
    if (on)
        good = good && sqlite3_auto_extension(entry) == SQLITE_OK;
    else
        good = good && sqlite3_cancel_auto_extension(entry) == 1;
}

static void every_connection_of_the_program_has_it(void)
{
    compile_in(true);
    sqlite3 *a = open_database("app.db", NULL), *b = open_database("app.db", NULL);
    expect(a,
           "CREATE VIRTUAL TABLE t USING seerdb(id INTEGER PRIMARY KEY, v TEXT);"
           "INSERT INTO t(v) VALUES ('one'), ('two')",
           "");
    expect(b, "SELECT * FROM t", "1|one 2|two");
    expect(b,
           "BEGIN; INSERT INTO t(v) VALUES ('three'); ROLLBACK; SELECT max(id) FROM t",
           "2");
    expect(b, "SELECT seerdb_version()", SEERDB_VERSION);
    close_database(a);
    close_database(b);
    a = open_database("app.db", NULL);
    expect(a, "SELECT * FROM t WHERE id = 2", "2|two");
    close_database(a);
    compile_in(false);
    a = open_database("app.db", NULL);
    expect(a, "SELECT * FROM t", "no such module: seerdb");
    close_database(a);
    ok("compiled in, every connection has it");
}

static void one_connection_keeps_the_copy_that_it_has(const char *extension)
{
    compile_in(true);
    sqlite3 *db = open_database("app.db", NULL);
    expect(db, "BEGIN; INSERT INTO t VALUES (9, 'nine')", "");
    char *message = NULL;
    if (sqlite3_load_extension(db, extension, NULL, &message) != SQLITE_OK) {
        printf("# %s\n", message);
        good = false;
    }
    sqlite3_free(message);
    expect(db, "SELECT v FROM t WHERE id = 9; ROLLBACK; SELECT max(id) FROM t",
           "nine 2");
    close_database(db);
    compile_in(false);
    ok("a connection that loads another copy keeps the one that it has");
}

/* The copies are named by their extensions; NULL: the one compiled in. */
static void copies_take_turns(const char *first, const char *second, const char *what)
{
    if (first == NULL)
        compile_in(true);
    sqlite3 *a = open_database("app.db", first);
    if (first == NULL)
        compile_in(false);
    sqlite3 *b = open_database("app.db", second);
    expect(a, "SELECT count(*) FROM t", "2");
    static const char *const uses[] = {
        "SELECT * FROM t",
        "INSERT INTO t VALUES (3, 'x')",
        "UPDATE t SET v = 'x'",
        "DELETE FROM t",
        "CREATE VIRTUAL TABLE u USING seerdb(k)",
        "SELECT seerdb('t', 'flush')",
        "ALTER TABLE t RENAME TO u; SELECT * FROM u",
    };
    for (size_t i = 0; i < sizeof uses / sizeof uses[0]; i++) {
        char *message = NULL;
        expect(b, "BEGIN", "");
        int rc = sqlite3_exec(b, uses[i], NULL, NULL, &message);
        if (rc != SQLITE_BUSY ||
            strstr(message, "perhaps through another copy of seerdb") == NULL) {
            printf("# %s: %d %s\n", uses[i], rc, rc != SQLITE_OK ? message : "");
            good = false;
        }
        sqlite3_free(message);
        if (!sqlite3_get_autocommit(b))
            expect(b, "ROLLBACK", "");
    }
    /* An ordinary table is nobody's but SQLite's; another database has another store.
     */
    expect(b,
           "CREATE TABLE IF NOT EXISTS o(x); DELETE FROM o; INSERT INTO o VALUES (1)",
           "");
    sqlite3 *c = open_database("other.db", second);
    expect(c,
           "DROP TABLE IF EXISTS s; CREATE VIRTUAL TABLE s USING seerdb(k PRIMARY KEY);"
           "INSERT INTO s VALUES ('of c'); SELECT * FROM s",
           "of c");
    expect(a,
           "ATTACH (SELECT replace(file, 'app.db', 'other.db') FROM "
           "pragma_database_list WHERE name = 'main') AS other",
           "");
    expect(a, "SELECT * FROM other.s", "perhaps through another copy of seerdb");
    expect_code(a, SQLITE_BUSY);
    expect(a, "INSERT INTO t VALUES (3, 'three'); SELECT * FROM t WHERE id > 1",
           "2|two 3|three");
    close_database(a);
    expect(b, "SELECT * FROM t WHERE id > 1; DELETE FROM t WHERE id = 3",
           "2|two 3|three");
    close_database(b);
    close_database(c);
    ok(what);
}

static void both_interfaces_share_one_engine(void)
{
    char path[200];
    seerdb *store = NULL;
    seerdb_err err = {0};
    seerdb_options options = {.create = false};
    compile_in(true);
    sqlite3 *db = open_database("app.db", NULL);
    expect(db, "SELECT count(*) FROM t", "2");
    snprintf(path, sizeof path, "%s/app.db-seerdb", dir);
    if (seerdb_open(path, &options, &store, &err) != SEERDB_BUSY ||
        strstr(err.msg, "open in this process already") == NULL) {
        printf("# %s\n", err.msg);
        good = false;
    }
    close_database(db);
    compile_in(false);
    ok("the library has the functions of seerdb.h as well, under the same lock");
}

int main(int argc, char **argv)
{
    char command[sizeof dir + 20];
    if (argc < 3) {
        fprintf(stderr, "usage: %s EXTENSION COPY-OF-IT\n", argv[0]);
        return 2;
    }
    if (mkdtemp(dir) == NULL) {
        perror(dir);
        return 2;
    }
    good = write_index() == 1;
    every_connection_of_the_program_has_it();
    one_connection_keeps_the_copy_that_it_has(argv[1]);
    copies_take_turns(NULL, argv[1],
                      "the loaded copy is told that the other has the store");
    copies_take_turns(argv[1], argv[2], "of two loaded copies the second is told so");
    copies_take_turns(argv[2], argv[1], "whichever is the second");
    both_interfaces_share_one_engine();
    printf("1..%d\n", ntests);
    snprintf(command, sizeof command, "rm -r %s", dir);
    if (system(command) != 0)
        return 2;
    return nfailed > 0;
}
