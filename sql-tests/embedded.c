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
#define SQLITE_CORE   1 /* a program calls SQLite directly */
#include "seerdb.h"
#include "seerdb_sqlite.h"

#include <dlfcn.h>
#include <pthread.h>
#include <sqlite3ext.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char dir[] = "/tmp/seerdb-embedded-XXXXXX";
static int ntests, nfailed;
static bool good; /* so far in this test */

/* SQLite's allocator, and who uses it. */
static sqlite3_mem_methods real_mem;
static pthread_t program; /* its only thread but for the engine's */
static atomic_long from_here, from_others;
static long mem_left = -1; /* requests that it still serves; negative: all */

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
        good = sqlite3_auto_extension(entry) == SQLITE_OK && good;
    else
        good = sqlite3_cancel_auto_extension(entry) == 1 && good;
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

/* What SQLite offers to extensions. */
static const sqlite3_api_routines *offered;

static int note_offer(sqlite3 *db, char **message, const sqlite3_api_routines *api)
{
    (void)db;
    (void)message;
    offered = api;
    return SQLITE_OK;
}

typedef int entry_point(sqlite3 *db, char **message, const sqlite3_api_routines *api);

/* The entry point of a library, which stays loaded. */
static entry_point *entry_of(const char *extension)
{
    entry_point *entry = NULL;
    void *library = dlopen(extension, RTLD_NOW);
    if (library != NULL)
        *(void **)&entry = dlsym(library, "sqlite3_extension_init");
    if (entry == NULL) {
        printf("Bail out! %s\n", dlerror());
        exit(2);
    }
    return entry;
}

/* The entry point refuses a SQLite that offers this, and says why. */
static void refuses(entry_point *entry, sqlite3 *db, const sqlite3_api_routines *api,
                    const char *why)
{
    char *message = NULL;
    if (entry(db, &message, api) != SQLITE_ERROR || message == NULL ||
        strstr(message, why) == NULL) {
        printf("# %s, wanted %s\n", message != NULL ? message : "no message", why);
        good = false;
    }
    sqlite3_free(message);
    good = good && entry(db, NULL, api) == SQLITE_ERROR;
}

static int old_version(void)
{
    return 3037002;
}

/* The functions that the library calls are one SQLite's.  Another SQLite in the
 * process, such as one that a package has linked in, has another table of them. */
static void a_sqlite_that_does_not_fit_is_refused(const char *extension)
{
    good = sqlite3_auto_extension((void (*)(void))note_offer) == SQLITE_OK && good;
    sqlite3 *db = open_database("app.db", NULL);
    sqlite3_reset_auto_extension();
    entry_point *entry = entry_of(extension);
    sqlite3_api_routines another = *offered;
    another.blob_open = NULL; /* SQLITE_OMIT_INCRBLOB */
    refuses(entry, db, &another, "was built without");
    another = *offered;
    another.libversion_number = old_version;
    refuses(entry, db, &another, "seerdb needs SQLite 3.38.0 or newer");
    good = good && entry(db, NULL, NULL) == SQLITE_ERROR;
    expect(db, "SELECT seerdb_version()", "no such function");
    good = entry(db, NULL, offered) == SQLITE_OK_LOAD_PERMANENTLY && good;
    another = *offered;
    refuses(entry, db, &another, "another copy of SQLite");
    expect(db, "SELECT count(*) FROM t", "2");
    close_database(db);
    ok("a SQLite that does not fit is refused, and so is a second one");
}

static void note_thread(void)
{
    atomic_fetch_add(pthread_equal(pthread_self(), program) ? &from_here : &from_others,
                     1);
}

static bool is_starved(void)
{
    if (mem_left > 0)
        mem_left--;
    return mem_left == 0;
}

static void *noted_malloc(int n)
{
    note_thread();
    return is_starved() ? NULL : real_mem.xMalloc(n);
}

static void noted_free(void *p)
{
    note_thread();
    real_mem.xFree(p);
}

static void *noted_realloc(void *p, int n)
{
    note_thread();
    return is_starved() ? NULL : real_mem.xRealloc(p, n);
}

/* Before anything else: SQLite's memory is watched, and it may be single-threaded. */
static void watch_memory(void)
{
    program = pthread_self();
    good = sqlite3_config(SQLITE_CONFIG_GETMALLOC, &real_mem) == SQLITE_OK;
    sqlite3_mem_methods m = real_mem;
    m.xMalloc = noted_malloc;
    m.xFree = noted_free;
    m.xRealloc = noted_realloc;
    good = good && sqlite3_config(SQLITE_CONFIG_MALLOC, &m) == SQLITE_OK &&
           sqlite3_config(SQLITE_CONFIG_LOOKASIDE, 0, 0) == SQLITE_OK &&
           (sqlite3_threadsafe() == 0 ||
            sqlite3_config(SQLITE_CONFIG_SINGLETHREAD) == SQLITE_OK);
}

/* What SQLite cannot load it unmaps: nothing may be left that points there.
 * Requires: nobody has loaded the library yet. */
static void a_load_that_fails_leaves_nothing_behind(const char *extension)
{
    long n = 0;
    int rc = SQLITE_NOMEM;
    for (; rc != SQLITE_OK && n < 2000 && good; n++) {
        char *message = NULL;
        sqlite3 *db = open_database("unloaded.db", NULL);
        mem_left = n + 1;
        rc = sqlite3_load_extension(db, extension, NULL, &message);
        mem_left = -1;
        if (rc != SQLITE_OK)
            expect(db, "CREATE VIRTUAL TABLE t USING seerdb(k)",
                   "no such module: seerdb");
        if (rc != SQLITE_OK)
            expect(db, "SELECT * FROM seerdb_stats", "no such table: seerdb_stats");
        if (rc != SQLITE_OK)
            expect(db, "SELECT seerdb_version()", "no such function: seerdb_version");
        sqlite3_free(message);
        close_database(db);
    }
    good = good && rc == SQLITE_OK && n > 20; /* so many requests are there to fail */
    ok("a load that fails for lack of memory leaves nothing behind");
}

static void threads_leave_sqlite_alone(void)
{
    compile_in(true);
    sqlite3 *db = open_database("threads.db", NULL);
    expect(db,
           "CREATE VIRTUAL TABLE t USING seerdb(k INTEGER PRIMARY KEY, v,"
           " memory_limit = '1MB')",
           "");
    for (int i = 0; i < 40; i++) {
        expect(db,
               "WITH n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 1000) "
               "INSERT INTO t SELECT NULL, hex(randomblob(100)) FROM n",
               "");
        expect(db, "DELETE FROM t WHERE k % 5 = 0", "");
    }
    expect(db, "SELECT seerdb('t', 'compact')",
           "compacted main.t: its rows are in one sorted run");
    expect(db, "SELECT count(*) FROM t", "32000");
    expect(db,
           "SELECT count(*) > 5, sum(event = 'flush') > 2 FROM seerdb_events('t') "
           "WHERE event IN ('flush', 'compaction')",
           "1|1");
    close_database(db);
    compile_in(false);
    if (from_others != 0 || from_here == 0) {
        printf("# %ld calls from the program, %ld from the engine's threads\n",
               from_here, from_others);
        good = false;
    }
    ok("the engine's threads never call SQLite, which need not know threads at all");
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
    watch_memory();
    good = good && write_index() == 1;
    a_load_that_fails_leaves_nothing_behind(argv[2]);
    every_connection_of_the_program_has_it();
    one_connection_keeps_the_copy_that_it_has(argv[1]);
    copies_take_turns(NULL, argv[1],
                      "the loaded copy is told that the other has the store");
    copies_take_turns(argv[1], argv[2], "of two loaded copies the second is told so");
    copies_take_turns(argv[2], argv[1], "whichever is the second");
    both_interfaces_share_one_engine();
    a_sqlite_that_does_not_fit_is_refused(argv[1]);
    threads_leave_sqlite_alone();
    printf("1..%d\n", ntests);
    snprintf(command, sizeof command, "rm -r %s", dir);
    if (system(command) != 0)
        return 2;
    return nfailed > 0;
}
