/* SPDX-License-Identifier: Apache-2.0 */
#define _DEFAULT_SOURCE
#include "handles.h"

#include "test_sql.h"

#include <pthread.h>
#include <sys/stat.h>
#include <sys/wait.h>

static int open_store(const char *name, const char *table, struct svt_options *options,
                      struct svt_store **out, char **message)
{
    char path[256];
    snprintf(path, sizeof(path), "%s/%s", test_dir, name);
    struct svt_store_request request = {
        .dir = path, .create = true, .table = table, .options = options};
    sqlite3_free(*message);
    *message = NULL;
    return svt_handles_open(&request, out, message);
}

static void one_directory_is_one_store_whatever_its_spelling(void **state)
{
    struct svt_options options = {.path = NULL};
    struct svt_store *a = NULL, *b = NULL, *c = NULL;
    char *message = NULL, path[256];
    (void)state;
    assert_int_equal(open_store("one", "a", &options, &a, &message), SQLITE_OK);
    assert_int_equal(open_store("./one//", "b", &options, &b, &message), SQLITE_OK);
    snprintf(path, sizeof(path), "%s/link", test_dir);
    assert_int_equal(symlink("one", path), 0);
    assert_int_equal(open_store("link", "c", &options, &c, &message), SQLITE_OK);
    assert_ptr_equal(a, b);
    assert_ptr_equal(a, c);
    svt_handles_close(a);
    svt_handles_close(b);
    svt_handles_close(c);
    svt_handles_close(NULL);
}

static void tables_agree_on_what_belongs_to_the_store(void **state)
{
    struct svt_options none = {.path = NULL}, small = {.memory_limit = 8 << 20},
                       big = {.memory_limit = 16 << 20},
                       off = {.sync = SVT_SYNC_OFF, .sync_given = true},
                       full = {.sync = SVT_SYNC_FULL, .sync_given = true};
    struct svt_store *a = NULL, *b = NULL;
    char *message = NULL;
    (void)state;
    assert_int_equal(open_store("agree", "main.a", &small, &a, &message), SQLITE_OK);
    assert_int_equal(open_store("agree", "main.b", &big, &b, &message), SQLITE_ERROR);
    assert_non_null(strstr(message, "main.a set it to 8388608"));
    assert_int_equal(open_store("agree", "main.b", &none, &b, &message), SQLITE_OK);
    svt_handles_close(b);
    assert_int_equal(svt_handles_sync(a), SVT_SYNC_AUTO);
    assert_int_equal(open_store("agree", "main.b", &off, &b, &message), SQLITE_OK);
    svt_handles_close(b);
    assert_int_equal(svt_handles_sync(a), SVT_SYNC_OFF);
    assert_int_equal(open_store("agree", "main.c", &full, &b, &message), SQLITE_ERROR);
    assert_non_null(strstr(message, "main.b set it to off"));
    svt_handles_close(a);
    assert_int_equal(open_store("agree", "main.a", &none, &a, &message), SQLITE_OK);
    assert_int_equal(open_store("agree", "main.b", &big, &b, &message), SQLITE_ERROR);
    assert_non_null(strstr(message, "default"));
    svt_handles_close(a);
    sqlite3_free(message);
}

static void the_table_that_gives_an_option_is_heard_whichever_comes_first(void **state)
{
    (void)state;
    sqlite3 *db = test_open("limit.db");
    test_expect(
        db,
        "CREATE VIRTUAL TABLE a USING seerdb(k, memory_limit='8MB'); CREATE VIRTUAL "
        "TABLE b USING seerdb(k); INSERT INTO b VALUES(1)",
        "");
    test_close(db);
    db = test_open("limit.db");
    test_expect(db, "SELECT * FROM b; SELECT * FROM a", "1");
    test_expect_part(db, "CREATE VIRTUAL TABLE c USING seerdb(k, memory_limit='9MB')",
                     "main.a set it to 8388608");
    test_expect(db, "SELECT name FROM sqlite_schema", "a a_seerdb b b_seerdb");
    test_close(db);
}

static void a_store_is_made_by_create_alone(void **state)
{
    char from[192], to[192];
    (void)state;
    sqlite3 *db = test_open("made.db");
    test_expect(db, "CREATE VIRTUAL TABLE t USING seerdb(k); INSERT INTO t VALUES(1)",
                "");
    test_close(db);
    snprintf(from, sizeof(from), "%s/made.db-seerdb", test_dir);
    snprintf(to, sizeof(to), "%s/elsewhere", test_dir);
    assert_int_equal(rename(from, to), 0);
    db = test_open("made.db");
    test_expect_part(db, "SELECT * FROM t", "made.db-seerdb is missing");
    test_expect_part(db, "INSERT INTO t VALUES(1)", "put it back");
    test_expect_part(db, "SELECT seerdb('t', 'flush')", "is missing");
    test_expect_part(db, "SELECT meaning FROM seerdb_stats", "is missing");
    assert_int_not_equal(access(from, F_OK), 0);
    assert_int_equal(rename(to, from), 0);
    test_expect(db, "SELECT * FROM t", "1");
    test_close(db);
    assert_int_equal(rename(from, to), 0);
    db = test_open("made.db");
    test_expect(db, "DROP TABLE t; SELECT name FROM sqlite_schema", "");
    assert_int_not_equal(access(from, F_OK), 0);
    test_close(db);
}

static void another_databases_store_is_recognised(void **state)
{
    char from[192], to[192];
    (void)state;
    for (int i = 0; i < 2; i++) {
        sqlite3 *db = test_open(i ? "mine.db" : "yours.db");
        test_expect(db, "CREATE VIRTUAL TABLE t USING seerdb(k)", "");
        test_close(db);
    }
    snprintf(from, sizeof(from), "mv %s/mine.db-seerdb %s/mine", test_dir, test_dir);
    snprintf(to, sizeof(to), "mv %s/yours.db-seerdb %s/mine.db-seerdb", test_dir,
             test_dir);
    assert_int_equal(system(from), 0);
    assert_int_equal(system(to), 0);
    sqlite3 *db = test_open("mine.db");
    test_expect_part(db, "SELECT * FROM t",
                     "error 14: main.t: its rows are in the store");
    test_close(db);
}

static void a_forked_child_is_told_so(void **state)
{
    int status = 0;
    (void)state;
    sqlite3 *db = test_open("fork.db");
    test_expect(db, "CREATE VIRTUAL TABLE t USING seerdb(k); INSERT INTO t VALUES(1)",
                "");
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        const char *got = test_sql(db, "SELECT * FROM t");
        int rc = strstr(got, "fork") != NULL ? 0 : 1;
        sqlite3 *own = NULL;
        char path[192];
        snprintf(path, sizeof(path), "%s/fork.db", test_dir);
        sqlite3_open(path, &own);
        sqlite3_seerdb_init(own, NULL, NULL);
        got = test_sql(own, "SELECT * FROM t"); /* the parent holds the store */
        rc += strstr(got, "error 5: ") != NULL ? 0 : 2;
        sqlite3_close(own);
        sqlite3_close(db);
        _exit(rc);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(WEXITSTATUS(status), 0);
    test_expect(db, "INSERT INTO t VALUES(2); SELECT * FROM t", "1 2");
    test_close(db);
}

static void a_database_in_memory_has_a_store_of_its_own(void **state)
{
    (void)state;
    sqlite3 *a = test_open(NULL), *b = test_open(NULL);
    test_expect(a, "CREATE VIRTUAL TABLE t USING seerdb(k); INSERT INTO t VALUES(1)",
                "");
    test_expect(b, "CREATE VIRTUAL TABLE t USING seerdb(k); SELECT * FROM t", "");
    test_expect(
        a,
        "ATTACH ':memory:' AS m; CREATE VIRTUAL TABLE m.t USING seerdb(k); INSERT INTO "
        "m.t VALUES(2); CREATE VIRTUAL TABLE temp.t USING seerdb(k); INSERT INTO "
        "temp.t "
        "VALUES(3); SELECT * FROM main.t; SELECT * FROM m.t; SELECT * FROM temp.t",
        "1 2 3");
    test_expect(
        a,
        "BEGIN; INSERT INTO m.t VALUES(4); INSERT INTO main.t VALUES(5); INSERT INTO "
        "temp.t VALUES(6); ROLLBACK; SELECT count(*) FROM main.t, m.t, temp.t",
        "1");
    test_expect(
        a,
        "DETACH m; ATTACH ':memory:' AS m; CREATE VIRTUAL TABLE m.t USING seerdb(k);"
        "SELECT * FROM m.t; DROP TABLE temp.t; SELECT * FROM t",
        "1");
    test_expect_part(a, "CREATE VIRTUAL TABLE u USING seerdb(k, path='x')",
                     "path is not allowed");
    test_close(b);
    test_close(a);
}

static void a_detached_databases_store_is_closed(void **state)
{
    char path[256];
    seerdb *db = NULL;
    seerdb_err err = {0};
    (void)state;
    sqlite3 *a = test_open(NULL);
    snprintf(path, sizeof(path), "ATTACH '%s/detach.db' AS d", test_dir);
    test_expect(a, path, "");
    test_expect(a, "CREATE VIRTUAL TABLE d.t USING seerdb(k); DETACH d", "");
    test_expect(a, "CREATE VIRTUAL TABLE t USING seerdb(k)", ""); /* sweeps */
    snprintf(path, sizeof(path), "%s/detach.db-seerdb", test_dir);
    test_ok(seerdb_open(path, &(seerdb_options){.create = false}, &db, &err), &err);
    test_ok(seerdb_close(db, &err), &err);
    test_close(a);
}

/* db is a database that connections share without a file.  From 3.41 on it has no name,
 * so that it cannot be told from one of db's own. */
static void rows_in_memory_belong_to_one_connection(sqlite3 *db)
{
    sqlite3 *other = NULL;
    const char *sql = "SELECT * FROM t";
    assert_int_equal(sqlite3_open_v2("file:/seerdb-test?vfs=memdb", &other,
                                     SQLITE_OPEN_READWRITE | SQLITE_OPEN_URI, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_seerdb_init(other, NULL, NULL), SQLITE_OK);
    test_expect(db, "CREATE VIRTUAL TABLE t USING seerdb(k); INSERT INTO t VALUES (1)",
                "");
    test_expect_part(other, sql, "only in the connection that wrote them");
    test_expect_part(other, "INSERT INTO t VALUES (2)", "only in the connection");
    test_expect(db, sql, "1");
    test_expect(other, "DROP TABLE t", "");
    test_expect_part(db, sql, "no such table");
    test_close(other);
}

/* A shadow row that was copied, as by restoring a dump. */
static void rows_of_another_encoding_are_not_misread(void **state)
{
    char sql[512], row[256];
    (void)state;
    sqlite3 *db = test_open("wide.db");
    test_expect(db,
                "PRAGMA encoding = 'UTF-16le'; CREATE VIRTUAL TABLE t USING "
                "seerdb(k TEXT PRIMARY KEY); INSERT INTO t VALUES ('a')",
                "");
    snprintf(row, sizeof row, "%s", test_sql(db, "SELECT hex(state) FROM t_seerdb"));
    test_close(db);
    db = test_open("narrow.db");
    snprintf(sql, sizeof sql,
             "CREATE VIRTUAL TABLE t USING seerdb(k TEXT PRIMARY KEY, "
             "path='%s/wide.db-seerdb'); UPDATE t_seerdb SET state = x'%s'",
             test_dir, row);
    test_expect(db, sql, "");
    test_close(db);
    db = test_open("narrow.db");
    for (int i = 0; i < 2; i++)
        test_expect_part(db, "SELECT seerdb('t', 'accept')",
                         "main.t: its rows were written in a database of the encoding "
                         "UTF-16le, but this one's is UTF-8");
    test_expect(db, "DROP TABLE t; SELECT name FROM sqlite_schema", "");
    test_close(db);
    db = test_open("wide.db");
    test_expect(db, "SELECT k FROM t", "a");
    test_close(db);
}

static void what_is_not_supported_is_refused_by_name(void **state)
{
    sqlite3 *db = NULL;
    (void)state;
    assert_int_equal(
        sqlite3_open_v2("file:/seerdb-test?vfs=memdb", &db,
                        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_URI,
                        NULL),
        SQLITE_OK);
    assert_int_equal(sqlite3_seerdb_init(db, NULL, NULL), SQLITE_OK);
    if (sqlite3_libversion_number() < 3041000)
        test_expect_part(db, "CREATE VIRTUAL TABLE t USING seerdb(k)", "VFS memdb");
    else
        rows_in_memory_belong_to_one_connection(db);
    test_close(db);
    db = test_open("shadow.db");
    test_expect_part(
        db, "BEGIN; CREATE TABLE t_seerdb(x); CREATE VIRTUAL TABLE t USING seerdb(k)",
        "already");
    test_expect(db, "COMMIT; SELECT name FROM sqlite_schema", "t_seerdb");
    test_close(db);
}

static void damaged_shadow_rows_are_named(void **state)
{
    (void)state;
    sqlite3 *db = test_open("damaged.db");
    test_expect(
        db,
        "CREATE VIRTUAL TABLE t USING seerdb(k); CREATE TABLE s AS SELECT * FROM "
        "t_seerdb",
        "");
    test_close(db);
    db = test_open("damaged.db");
    test_expect(db, "UPDATE t_seerdb SET state = zeroblob(64)", "");
    test_expect_part(db, "SELECT * FROM t",
                     "error 267: main.t: the row of its shadow table");
    test_expect(db, "DELETE FROM t_seerdb", "");
    test_expect_part(db, "SELECT * FROM t", "has no row with id 1");
    test_expect(db, "DROP TABLE t_seerdb", "");
    test_expect_part(db, "SELECT * FROM t", "no such table: main.t_seerdb");
    test_expect(
        db,
        "CREATE TABLE t_seerdb(id, state); INSERT INTO t_seerdb SELECT * FROM s;"
        "SELECT * FROM t; DROP TABLE t; SELECT name FROM sqlite_schema",
        "s");
    test_close(db);
}

struct worker {
    pthread_t thread;
    int number, failures;
    char first[256]; /* what the first failure said */
};

static void *work(void *arg)
{
    struct worker *w = arg;
    char sql[128];
    for (int i = 0; i < 20; i++) {
        sqlite3 *db = test_open("threads.db");
        sqlite3_busy_timeout(db, 200000);
        snprintf(sql, sizeof(sql), "INSERT INTO t VALUES(%d)", w->number * 1000 + i);
        sqlite3_stmt *stmt = NULL;
        if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) != SQLITE_OK ||
            sqlite3_step(stmt) != SQLITE_DONE) {
            if (w->failures++ == 0)
                snprintf(w->first, sizeof w->first, "%d: %s",
                         sqlite3_extended_errcode(db), sqlite3_errmsg(db));
        }
        sqlite3_finalize(stmt);
        sqlite3_close(db);
    }
    return NULL;
}

static void threads_open_and_close_the_store_at_once(void **state)
{
    struct worker workers[4] = {{.number = 0}};
    (void)state;
    sqlite3 *db = test_open("threads.db");
    test_expect(db,
                "PRAGMA journal_mode = wal; PRAGMA synchronous = off; CREATE VIRTUAL "
                "TABLE t USING seerdb(k INTEGER PRIMARY KEY, sync=off)",
                "wal");
    test_close(db);
    for (int i = 0; i < 4; i++) {
        workers[i].number = i;
        assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]),
                         0);
    }
    for (int i = 0; i < 4; i++)
        pthread_join(workers[i].thread, NULL);
    for (int i = 0; i < 4; i++)
        if (workers[i].failures > 0)
            fail_msg("%d failures, first %s", workers[i].failures, workers[i].first);
    db = test_open("threads.db");
    test_expect(db, "SELECT count(*) FROM t", "80");
    test_close(db);
}

/* Holds up whoever opens a store, until it is told to let go. */
struct gate {
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    bool closed;
    int waiting;
};

static void gate_opening(void *ctx, seerdb_options *options)
{
    struct gate *g = ctx;
    pthread_mutex_lock(&g->mutex);
    if (g->closed) {
        g->closed = false; /* one only */
        g->waiting = 1;
        pthread_cond_broadcast(&g->cond);
        while (g->waiting != 0)
            pthread_cond_wait(&g->cond, &g->mutex);
        if (options->history_ms == 77) /* this one is to fail */
            options->memory_limit = 1;
    }
    pthread_mutex_unlock(&g->mutex);
}

static void gate_ignore(void *ctx, seerdb *db)
{
    (void)ctx;
    (void)db;
}

struct opener {
    pthread_t thread;
    const char *name;
    int64_t history_ms;
    struct svt_store *store;
    char *message;
    int rc;
};

static void *run_opener(void *arg)
{
    struct opener *o = arg;
    struct svt_options options = {.history_ms = o->history_ms};
    o->rc = open_store(o->name, "t", &options, &o->store, &o->message);
    return NULL;
}

/* `first` is held up while others open, in vain if its history is 77. */
static void open_meanwhile(int64_t history_ms)
{
    struct gate g = {.mutex = PTHREAD_MUTEX_INITIALIZER,
                     .cond = PTHREAD_COND_INITIALIZER,
                     .closed = true};
    const struct svt_handles_watcher watcher = {gate_opening, gate_ignore, gate_ignore,
                                                &g};
    struct opener first = {.name = "slow", .history_ms = history_ms},
                  second = {.name = "slow"}, other = {.name = "quick"};
    svt_handles_watch(&watcher);
    assert_int_equal(pthread_create(&first.thread, NULL, run_opener, &first), 0);
    pthread_mutex_lock(&g.mutex);
    while (g.waiting == 0)
        pthread_cond_wait(&g.cond, &g.mutex);
    pthread_mutex_unlock(&g.mutex);
    run_opener(&other);
    assert_int_equal(other.rc, SQLITE_OK);
    svt_handles_close(other.store);
    assert_int_equal(pthread_create(&second.thread, NULL, run_opener, &second), 0);
    usleep(20000); /* it waits, most likely */
    pthread_mutex_lock(&g.mutex);
    g.waiting = 0;
    pthread_cond_broadcast(&g.cond);
    pthread_mutex_unlock(&g.mutex);
    pthread_join(first.thread, NULL);
    pthread_join(second.thread, NULL);
    assert_int_equal(second.rc, SQLITE_OK);
    if (history_ms == 77) {
        assert_int_not_equal(first.rc, SQLITE_OK);
        assert_null(first.store);
    } else {
        assert_int_equal(first.rc, SQLITE_OK);
        assert_ptr_equal(first.store, second.store);
    }
    svt_handles_close(first.store);
    svt_handles_close(second.store);
    sqlite3_free(first.message);
    svt_handles_watch(NULL);
}

static void who_opens_a_store_keeps_nobody_else_waiting(void **state)
{
    (void)state;
    open_meanwhile(0);
}

static void who_waited_for_a_store_that_cannot_be_opened_tries_it_too(void **state)
{
    (void)state;
    open_meanwhile(77);
}

struct caller {
    sqlite3 *other;
    char said[256];
};

static int use_other(void *ctx)
{
    struct caller *c = ctx;
    sqlite3_stmt *stmt = NULL;
    if (c->said[0] != 0)
        return 0;
    int rc = sqlite3_prepare_v2(c->other, "SELECT max(k) FROM t", -1, &stmt, NULL);
    if (rc == SQLITE_OK && sqlite3_step(stmt) != SQLITE_ROW)
        snprintf(c->said, sizeof c->said, "%s", sqlite3_errmsg(c->other));
    sqlite3_finalize(stmt);
    return 0;
}

/* A thread cannot wait for itself. */
static void a_handler_that_wants_the_store_being_opened_is_told_so(void **state)
{
    char wanted[64] = "is being opened or closed by this very thread";
    bool told = false;
    (void)state;
#ifdef __SANITIZE_THREAD__
    return; /* it warns of what two could do whose handlers ask each other's */
#endif
    sqlite3 *db = test_open("itself.db");
    test_expect(db,
                "CREATE VIRTUAL TABLE t USING seerdb(k INTEGER PRIMARY KEY); WITH n(i) "
                "AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50000) INSERT "
                "INTO t SELECT i FROM n",
                "");
    test_close(db);
    for (int steps = 20; steps < 2000 && !told; steps += steps / 4) {
        struct caller c = {.other = test_open("itself.db")};
        db = test_open("itself.db");
        sqlite3_progress_handler(db, steps, use_other, &c);
        test_expect(db, "SELECT min(k) FROM t", "1");
        sqlite3_progress_handler(db, 0, NULL, NULL);
        told = strstr(c.said, wanted) != NULL;
        if (!told && c.said[0] != 0)
            fail_msg("%s", c.said);
        test_expect(c.other, "SELECT max(k) FROM t", "50000");
        test_close(c.other);
        test_close(db);
    }
    assert_true(told);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_directory_is_one_store_whatever_its_spelling),
        cmocka_unit_test(tables_agree_on_what_belongs_to_the_store),
        cmocka_unit_test(the_table_that_gives_an_option_is_heard_whichever_comes_first),
        cmocka_unit_test(a_store_is_made_by_create_alone),
        cmocka_unit_test(another_databases_store_is_recognised),
        cmocka_unit_test(a_forked_child_is_told_so),
        cmocka_unit_test(a_database_in_memory_has_a_store_of_its_own),
        cmocka_unit_test(a_detached_databases_store_is_closed),
        cmocka_unit_test(rows_of_another_encoding_are_not_misread),
        cmocka_unit_test(what_is_not_supported_is_refused_by_name),
        cmocka_unit_test(damaged_shadow_rows_are_named),
        cmocka_unit_test(threads_open_and_close_the_store_at_once),
        cmocka_unit_test(who_opens_a_store_keeps_nobody_else_waiting),
        cmocka_unit_test(who_waited_for_a_store_that_cannot_be_opened_tries_it_too),
        cmocka_unit_test(a_handler_that_wants_the_store_being_opened_is_told_so),
    };
    return cmocka_run_group_tests(tests, test_dir_make, test_dir_remove);
}
