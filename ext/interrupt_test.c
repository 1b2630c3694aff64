/* SPDX-License-Identifier: Apache-2.0
 *
 * Every kind of statement and command, interrupted at every step of SQLite's virtual
 * machine in turn until it gets through: by a progress handler, and by another thread
 * at any moment.  Beside each table of ours stands an ordinary one that must agree. */
#define _DEFAULT_SOURCE
#include "test_pair.h"

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

/* ---- the rig ------------------------------------------------------------------- */

enum kind {
    ONCE,     /* the handler says so once */
    FOR_GOOD, /* from there on */
    FLAG      /* sqlite3_interrupt: SQLite stops all that runs until nothing does */
};

/* Stops at its `at`th call. */
struct trap {
    unsigned long at, calls;
    enum kind kind;
    sqlite3 *db;
    bool off; /* SQLite has begun to commit */
    bool sprung;
};

static int spring(void *ctx)
{
    struct trap *t = ctx;
    t->calls++;
    if (t->off)
        return 0;
    if (t->kind == FLAG && t->calls == t->at)
        sqlite3_interrupt(t->db);
    bool now =
        t->kind == ONCE ? t->calls == t->at : t->kind == FOR_GOOD && t->calls >= t->at;
    t->sprung = t->sprung || now;
    return now;
}

/* SQLite asks progress handlers once more when a statement is committed, and then says
 * that it was interrupted, of ordinary tables, too. */
static int turn_off(void *ctx)
{
    ((struct trap *)ctx)->off = true;
    return 0;
}

/* Run the statements with the trap set.  What is left of a transaction is rolled back.
 * SQLITE_OK, or what stopped them. */
static int run_trapped(sqlite3 *db, const char *sql, struct trap *trap)
{
    trap->db = db;
    sqlite3_progress_handler(db, 1, spring, trap);
    sqlite3_commit_hook(db, turn_off, trap);
    int rc = sqlite3_exec(db, sql, NULL, NULL, NULL) & 0xff;
    char message[128];
    snprintf(message, sizeof(message), "%s", sqlite3_errmsg(db));
    sqlite3_progress_handler(db, 0, NULL, NULL);
    sqlite3_commit_hook(db, NULL, NULL);
    if (rc != SQLITE_OK && trap->calls < trap->at)
        fail_msg("%s: %d: %s, without an interrupt", sql, rc, message);
    if (rc == SQLITE_OK && trap->kind != FLAG && trap->sprung)
        fail_msg("%s: nobody heard of the interrupt at %lu", sql, trap->at);
    /* SQLite passes a planner's failure on as SQLITE_ERROR with its sentence. */
    if (rc != SQLITE_OK && rc != SQLITE_INTERRUPT &&
        strstr(message, "interrupted") == NULL)
        fail_msg("%s, interrupted at %lu: %d: %s", sql, trap->at, rc, message);
    if (!sqlite3_get_autocommit(db)) {
        if (strncmp(sql, "BEGIN", 5) != 0 && strncmp(sql, "SAVEPOINT", 9) != 0)
            fail_msg("%s, interrupted at %lu, leaves a transaction open", sql,
                     trap->at);
        test_expect(db, "ROLLBACK", "");
    }
    return rc;
}

/* All steps up to here, then ever fewer of them: each further by a part of where it is
 * than the one before.  What takes longer is asked more often: there are fewer steps to
 * try where everything takes ten times as long. */
#ifdef __SANITIZE_THREAD__
enum { EVERY_STEP = 4, PART = 1, TWO_THREADS = 1 };
#else
enum { EVERY_STEP = 60, PART = 4, TWO_THREADS = 0 };
#endif

static struct trap next(const struct trap *t)
{
    if (t->kind != FLAG)
        return (struct trap){.at = t->at, .kind = t->kind + 1};
    return (struct trap){.at =
                             t->at < EVERY_STEP ? t->at + 1 : t->at + t->at / PART + 1};
}

static void expect_agreement(sqlite3 *db, const char *sql, unsigned long at)
{
    char ours[2048];
    snprintf(ours, sizeof(ours), "%s",
             test_sql(db, "SELECT count(*), total(k), total(length(v)) FROM t;"
                          "SELECT count(*), total(a), total(b), total(v) FROM c"));
    const char *theirs =
        test_sql(db, "SELECT count(*), total(k), total(length(v)) FROM o;"
                     "SELECT count(*), total(a), total(b), total(v) FROM oc");
    if (strcmp(ours, theirs) != 0)
        fail_msg("%s, interrupted at %lu: %s, but the ordinary tables: %s", sql, at,
                 ours, theirs);
}

/* The contents to go on with, and those again. */
static void keep(sqlite3 *db)
{
    test_expect(db,
                "DROP TABLE IF EXISTS kept; DROP TABLE IF EXISTS keptc;"
                "CREATE TABLE kept AS SELECT * FROM o;"
                "CREATE TABLE keptc AS SELECT * FROM oc",
                "");
}

static void restore(sqlite3 *db)
{
    test_expect(db,
                "BEGIN; DELETE FROM o; DELETE FROM t; DELETE FROM oc; DELETE FROM c;"
                "INSERT INTO o SELECT * FROM kept; INSERT INTO t SELECT * FROM kept;"
                "INSERT INTO oc SELECT * FROM keptc; INSERT INTO c SELECT * FROM keptc;"
                "COMMIT",
                "");
}

#define NUMBERS(n)                                                                     \
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < " #n ")" \
    " "

static sqlite3 *open_tables(const char *name)
{
    sqlite3 *db = test_open(name);
    test_expect(db, "PRAGMA journal_mode = wal", "wal");
    test_expect(db,
                "PRAGMA synchronous = off;"
                "CREATE TABLE o(k INTEGER PRIMARY KEY, v);"
                "CREATE TABLE oc(a, b, v, PRIMARY KEY(a, b)) WITHOUT ROWID;"
                "CREATE VIRTUAL TABLE t USING seerdb(k INTEGER PRIMARY KEY, v);"
                "CREATE VIRTUAL TABLE c USING seerdb(a, b, v, PRIMARY KEY(a, b));"
                "BEGIN;" NUMBERS(
                    2000) "INSERT INTO o SELECT i, 'value ' || i FROM n;"
                          "INSERT INTO t SELECT * FROM o;"
                          "INSERT INTO oc SELECT k % 10, k, k FROM o WHERE k <= 500;"
                          "INSERT INTO c SELECT * FROM oc; COMMIT",
                "");
    keep(db);
    return db;
}

/* ---- statements ---------------------------------------------------------------- */

/* What is done to tables of ours, and the same for ordinary ones. */
struct step {
    const char *ours, *theirs; /* theirs "": it changes nothing */
};

static const struct step statements[] = {
    {"SELECT count(*) FROM t WHERE v LIKE '%9'", ""},
    {"SELECT * FROM t WHERE k BETWEEN 5 AND 40 ORDER BY k DESC", ""},
    {"SELECT * FROM c WHERE a IN (1, 3, 5, 7) AND b > 100", ""},
    {"SELECT sum(t.k) FROM t JOIN c ON c.b = t.k WHERE c.a < 3", ""},
    {"INSERT INTO t VALUES(5000, 'one')", "INSERT INTO o VALUES(5000, 'one')"},
    {"INSERT INTO t(v) VALUES('a'), ('b'), ('c')",
     "INSERT INTO o(v) VALUES('a'), ('b'), ('c')"},
    {"INSERT INTO t SELECT k + 10000, v FROM t WHERE k <= 60",
     "INSERT INTO o SELECT k + 10000, v FROM o WHERE k <= 60"},
    {"INSERT OR IGNORE INTO t SELECT k + 1, v FROM t WHERE k < 60",
     "INSERT OR IGNORE INTO o SELECT k + 1, v FROM o WHERE k < 60"},
    {"REPLACE INTO t SELECT k + 1, 'new' FROM t WHERE k < 60",
     "REPLACE INTO o SELECT k + 1, 'new' FROM o WHERE k < 60"},
    {"UPDATE t SET v = v || '!' WHERE k < 70",
     "UPDATE o SET v = v || '!' WHERE k < 70"},
    {"UPDATE t SET k = -k WHERE k < 50", "UPDATE o SET k = -k WHERE k < 50"},
    {"UPDATE c SET b = b + 1000, v = v + 1 WHERE a = 3",
     "UPDATE oc SET b = b + 1000, v = v + 1 WHERE a = 3"},
    {"DELETE FROM t WHERE k % 7 = 0 AND k < 400",
     "DELETE FROM o WHERE k % 7 = 0 AND k < 400"},
    {"DELETE FROM c WHERE a = 4", "DELETE FROM oc WHERE a = 4"},
    {"SELECT seerdb('t', 'delete_range', 100, 200)",
     "DELETE FROM o WHERE k >= 100 AND k < 200"},
    {"SELECT seerdb('c', 'truncate')", "DELETE FROM oc"},
    {"SELECT seerdb('t', 'flush')", ""},
    {"SELECT seerdb('t', 'verify')", ""},
    {"SELECT seerdb('t', 'accept')", ""},
    {"SELECT seerdb('t', 'compact')", ""},
    {"SELECT count(*) FROM seerdb_stats('t')", ""},
    {"SELECT count(*) FROM seerdb_files()", ""},
};

static bool is_command(const char *sql)
{
    return strstr(sql, "seerdb(") != NULL;
}

/* What was accepted in a transaction that was rolled back is in doubt until the next
 * commit. */
static void settle(sqlite3 *db, const char *sql)
{
    if (strstr(sql, "accept") != NULL)
        test_expect(db, "UPDATE t SET v = v WHERE k = (SELECT min(k) FROM t)", "");
}

static void a_statement_that_is_interrupted_has_no_effect(void **state)
{
    (void)state;
    sqlite3 *db = open_tables("statements");
    for (size_t i = 0; i < sizeof statements / sizeof statements[0]; i++) {
        const struct step *s = &statements[i];
        struct trap trap = {.at = 1};
        for (bool all = false; !all; trap = next(&trap)) {
            bool done = run_trapped(db, s->ours, &trap) == SQLITE_OK;
            all = trap.calls < trap.at;
            /* A command commits by itself, and the SELECT around it is interrupted. */
            done = done || (trap.kind == FLAG && trap.off && is_command(s->ours));
            if (done)
                test_expect(db, s->theirs, "");
            expect_agreement(db, s->ours, trap.at);
            settle(db, s->ours);
            if (done && !all && s->theirs[0] != 0)
                restore(db);
        }
        assert_true(trap.at > 1); /* the trap does spring */
        keep(db);
    }
    test_close(db);
}

static const char *const transactions[] = {
    "BEGIN; INSERT INTO o VALUES(6000, 'x'); INSERT INTO t VALUES(6000, 'x'); COMMIT",
    "BEGIN; DELETE FROM t WHERE k < 30; DELETE FROM c WHERE a = 1;"
    "DELETE FROM o WHERE k < 30; DELETE FROM oc WHERE a = 1; COMMIT",
    "BEGIN; UPDATE t SET v = 'first' WHERE k < 60; UPDATE o SET v = 'first' WHERE k < "
    "60;"
    "SAVEPOINT s; DELETE FROM t; DELETE FROM c; ROLLBACK TO s;"
    "SELECT seerdb('t', 'spill'); UPDATE t SET v = 'second' WHERE k = 50;"
    "UPDATE o SET v = 'second' WHERE k = 50; RELEASE s; COMMIT",
    "SAVEPOINT s; INSERT INTO t SELECT k + 20000, v FROM t WHERE k < 40;"
    "INSERT INTO o SELECT k + 20000, v FROM o WHERE k < 40; RELEASE s",
    "BEGIN; SELECT seerdb('t', 'truncate'); DELETE FROM o; INSERT INTO t VALUES(1, "
    "'y');"
    "INSERT INTO o VALUES(1, 'y'); COMMIT",
    "BEGIN; SELECT seerdb('t', 'accept'); INSERT INTO t VALUES(7000, 'z');"
    "INSERT INTO o VALUES(7000, 'z'); COMMIT",
};

static void a_transaction_that_is_interrupted_counts_on_both_sides_or_none(void **state)
{
    (void)state;
    static const char *const modes[] = {"wal", "delete"};
    for (size_t m = 0; m < sizeof modes / sizeof modes[0]; m++) {
        char pragma[64];
        sqlite3 *db = open_tables(modes[m]);
        snprintf(pragma, sizeof(pragma), "PRAGMA journal_mode = %s", modes[m]);
        test_expect(db, pragma, modes[m]);
        test_expect(db, "PRAGMA synchronous = normal", "");
        for (size_t i = 0; i < sizeof transactions / sizeof transactions[0]; i++) {
            struct trap trap = {.at = 1};
            for (bool all = false; !all; trap = next(&trap)) {
                bool done = run_trapped(db, transactions[i], &trap) == SQLITE_OK;
                all = trap.calls < trap.at;
                expect_agreement(db, transactions[i], trap.at);
                settle(db, transactions[i]);
                if (done && !all)
                    restore(db);
            }
            keep(db);
        }
        test_close(db);
    }
}

/* ---- tables that come and go ----------------------------------------------------- */

#define CREATE(t) "CREATE VIRTUAL TABLE " t " USING seerdb(k PRIMARY KEY, v)"
#define COUNT(t)  "SELECT count(*) FROM sqlite_schema WHERE name LIKE '" t "%'"

static void ddl_that_is_interrupted_has_no_effect(void **state)
{
    static const struct {
        const char *sql, *undo, *look, *before, *later;
    } cases[] = {
        {CREATE("n"), "DROP TABLE n", COUNT("n"), "0", "2"},
        {"ALTER TABLE n RENAME TO m", "ALTER TABLE m RENAME TO n",
         "SELECT name FROM sqlite_schema WHERE name IN ('n', 'n_seerdb', 'm', "
         "'m_seerdb') ORDER BY 1",
         "n n_seerdb", "m m_seerdb"},
        {"DROP TABLE m", CREATE("m"), COUNT("m"), "2", "0"},
        {"BEGIN; " CREATE("n") "; INSERT INTO n VALUES(1, 2); COMMIT", "DROP TABLE n",
         COUNT("n"), "0", "2"},
        {"BEGIN; DROP TABLE n; COMMIT", CREATE("n"), COUNT("n"), "2", "0"},
    };
    (void)state;
    sqlite3 *db = open_tables("ddl");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct trap trap = {.at = 1};
        test_expect(db, cases[i].look, cases[i].before);
        for (bool all = false; !all; trap = next(&trap)) {
            bool done = run_trapped(db, cases[i].sql, &trap) == SQLITE_OK;
            const char *want = done ? cases[i].later : cases[i].before;
            all = trap.calls < trap.at;
            if (strcmp(test_sql(db, cases[i].look), want) != 0)
                fail_msg("%s, interrupted at %lu: %s", cases[i].sql, trap.at,
                         test_sql(db, cases[i].look));
            expect_agreement(db, cases[i].sql, trap.at);
            if (done && !all)
                test_expect(db, cases[i].undo, "");
            else if (!done && (i == 2 || i == 4)) /* it is not half gone */
                assert_null(strstr(test_sql(db, i == 2 ? "SELECT count(*) FROM m"
                                                       : "SELECT count(*) FROM n"),
                                   "error"));
        }
    }
    test_close(db);
}

static void the_first_use_of_a_table_can_be_interrupted(void **state)
{
    static const char *const uses[] = {
        "SELECT count(*) FROM t",
        "INSERT INTO t VALUES(9000, 'n'); DELETE FROM t WHERE k = 9000",
        "SELECT seerdb('t', 'flush')",
        "SELECT seerdb('t', 'accept')",
        "SELECT count(*) FROM seerdb_stats()",
        ("DROP TABLE c; DROP TABLE oc; CREATE TABLE oc(a, b, v, PRIMARY KEY(a, b));"
         "CREATE VIRTUAL TABLE c USING seerdb(a, b, v, PRIMARY KEY(a, b))"),
    };
    (void)state;
    test_close(open_tables("first"));
    for (size_t i = 0; i < sizeof uses / sizeof uses[0]; i++) {
        struct trap trap = {.at = 1};
        for (bool all = false; !all;) {
            char sql[512];
            sqlite3 *db = test_open("first");
            snprintf(sql, sizeof(sql), "BEGIN; %s; COMMIT", uses[i]);
            int rc = run_trapped(db, i < 4 ? uses[i] : sql, &trap);
            all = trap.calls < trap.at;
            if (i == 1 && rc != SQLITE_OK) /* two statements */
                test_expect(db, "DELETE FROM t WHERE k = 9000", "");
            expect_agreement(db, uses[i], trap.at);
            test_close(db);
            trap = next(&trap);
            trap.at += trap.at % 7; /* opening takes its time */
        }
    }
}

/* ---- by another thread ------------------------------------------------------------
 */

struct nuisance {
    sqlite3 *db;
    atomic_bool stop;
    unsigned long seed;
};

static void *interrupt_at_random(void *arg)
{
    struct nuisance *n = arg;
    while (!atomic_load(&n->stop)) {
        n->seed = n->seed * 6364136223846793005ul + 1442695040888963407ul;
        usleep((unsigned)(n->seed >> 33) % 3000);
        sqlite3_interrupt(n->db);
    }
    return NULL;
}

static void an_interrupt_by_another_thread_leaves_all_in_agreement(void **state)
{
    (void)state;
    sqlite3 *db = open_tables("threads");
    struct nuisance n = {.db = db, .seed = 5};
    unsigned done = 0, interrupted = 0;
    for (unsigned round = 0; round < 12; round++) {
        for (size_t i = 0; i < sizeof transactions / sizeof transactions[0]; i++) {
            pthread_t thread;
            atomic_store(&n.stop, false);
            assert_int_equal(pthread_create(&thread, NULL, interrupt_at_random, &n), 0);
            int rc = sqlite3_exec(db, transactions[i], NULL, NULL, NULL) & 0xff;
            atomic_store(&n.stop, true);
            pthread_join(thread, NULL);
            if (rc == SQLITE_INTERRUPT)
                interrupted++;
            else if (rc == SQLITE_OK)
                done++;
            else if (rc != SQLITE_CONSTRAINT) /* a round before has done it */
                fail_msg("%s: %d: %s", transactions[i], rc, sqlite3_errmsg(db));
            if (!sqlite3_get_autocommit(db))
                test_expect(db, "ROLLBACK", "");
            if (rc != SQLITE_OK) /* before the next accept, whatever it was */
                settle(db, "accept");
            expect_agreement(db, transactions[i], round);
        }
    }
    assert_true(done > 0);
    (void)interrupted; /* a fast machine may have none */
    test_close(db);
}

/* ---- work between the rows ---------------------------------------------------------
 */

struct counter {
    unsigned long calls, at;
};

static int count_calls(void *ctx)
{
    struct counter *c = ctx;
    return ++c->calls == c->at;
}

/* Rows that were deleted one by one do not come to SQLite, however many there are. */
static void a_scan_over_deleted_rows_is_interrupted(void **state)
{
    static const char *const scans[] = {
        "SELECT count(*) FROM d WHERE +k < 0",
        "SELECT min(k) FROM d",
        "SELECT max(k) FROM d WHERE k < 150000",
        "SELECT * FROM d WHERE k > 5 LIMIT 1",
        "SELECT k FROM d ORDER BY k DESC LIMIT 2",
        "UPDATE d SET v = 1 WHERE k < 140000",
        "INSERT INTO d(v) SELECT 1 WHERE EXISTS (SELECT 1 FROM d WHERE k < 140000)",
    };
    (void)state;
    sqlite3 *db = test_open("deleted");
    test_expect(
        db,
        "PRAGMA journal_mode = wal;"
        "CREATE VIRTUAL TABLE d USING seerdb(k INTEGER PRIMARY KEY, v);"
        "BEGIN;" NUMBERS(150000) "INSERT INTO d SELECT i, i FROM n;"
                                 "INSERT INTO d VALUES(200000, 1); COMMIT;"
                                 /* Never so many in a row that they become
                                    a range. */
                                 "DELETE FROM d WHERE k < 150001 AND k % 250;"
                                 "DELETE FROM d WHERE k % 750 = 0 AND k < 150001;"
                                 "DELETE FROM d WHERE k % 750 = 250 AND k < 150001;"
                                 "DELETE FROM d WHERE k < 150001;"
                                 "SELECT count(*) FROM d",
        "wal 1");
    assert_true(test_stat(db, "d", "deletes") >= 150000);
    for (int flushed = 0; flushed < 2; flushed++) {
        for (size_t i = 0; i < sizeof scans / sizeof scans[0]; i++) {
            struct counter c = {.at = 8};
            /* Without what lies between the rows the handler would not be called so
             * often: a statement over a table of one row takes less. */
            sqlite3_progress_handler(db, 50, count_calls, &c);
            int rc = sqlite3_exec(db, scans[i], NULL, NULL, NULL);
            sqlite3_progress_handler(db, 0, NULL, NULL);
            if (rc != SQLITE_INTERRUPT)
                fail_msg("%s: %d after %lu calls", scans[i], rc, c.calls);
            test_expect(db, "SELECT count(*), max(k) FROM d", "1|200000");
        }
        test_expect(db, "SELECT seerdb('d', 'flush') IS NULL", "0");
    }
    test_close(db);
}

/* Planning looks for keys that are not plain. */
static void planning_over_deleted_rows_is_interrupted(void **state)
{
    (void)state;
    sqlite3 *db = test_open("planned");
    sqlite3_stmt *stmt = NULL;
    struct counter c = {.at = 3};
    test_expect(db,
                "CREATE VIRTUAL TABLE p USING seerdb(k TEXT PRIMARY KEY, v); "
                "BEGIN;" NUMBERS(60000) "INSERT INTO p SELECT printf('%06d', i), i "
                                        "FROM n;" NUMBERS(
                                            300) "INSERT INTO p SELECT 'x' || i, 0 "
                                                 "FROM n; COMMIT;"
                                                 "DELETE FROM p WHERE v % 250; DELETE "
                                                 "FROM p WHERE v % 750 = 250;"
                                                 "DELETE FROM p WHERE v % 750 = 500; "
                                                 "DELETE FROM p WHERE v <> 0;"
                                                 "SELECT count(*) FROM p",
                "300");
    test_close(db); /* it knows that there were some */
    db = test_open("planned");
    test_expect(db, "SELECT max(v) FROM p", "0");
    sqlite3_progress_handler(db, 50, count_calls, &c);
    int rc = sqlite3_prepare_v2(db, "SELECT v FROM p WHERE k < 5", -1, &stmt, NULL);
    sqlite3_progress_handler(db, 0, NULL, NULL);
    assert_true(rc == SQLITE_OK || rc == SQLITE_INTERRUPT);
    assert_true(c.calls >= 3);
    sqlite3_finalize(stmt);
    test_expect(db, "SELECT count(*) FROM p WHERE k < 5; SELECT count(*) FROM p",
                "0 300");
    test_close(db);
}

/* ---- handlers that do something ---------------------------------------------------
 */

struct caller {
    sqlite3 *other;
    unsigned long calls, at;
    bool answered;
};

static int ask_another(void *ctx)
{
    struct caller *c = ctx;
    if (++c->calls == c->at) {
        sqlite3_stmt *stmt = NULL;
        assert_int_equal(
            sqlite3_prepare_v2(c->other, "SELECT count(*) FROM d", -1, &stmt, NULL),
            SQLITE_OK);
        assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
        assert_int_equal(sqlite3_column_int(stmt, 0), 3);
        assert_int_equal(sqlite3_finalize(stmt), SQLITE_OK);
        c->answered = true;
    }
    return 0;
}

/* Also while the store of the one that it watches is being opened. */
static void a_handler_may_use_another_connection(void **state)
{
    enum { STEPS = 200, AT_MOST_S = 300 };
    static const char *const names[] = {"watched", "asked"};
    (void)state;
    /* The sanitizer warns of what two could do whose handlers ask each other's. */
    if (TWO_THREADS)
        return;
    for (int i = 0; i < 2; i++) {
        sqlite3 *db = test_open(names[i]);
        test_expect(
            db,
            i == 0 ? "CREATE VIRTUAL TABLE d USING seerdb(k INTEGER PRIMARY KEY, v);"
                     "BEGIN;" NUMBERS(50000) "INSERT INTO d SELECT i, i FROM n;"
                                             "COMMIT"
                   : "CREATE VIRTUAL TABLE d USING seerdb(k INTEGER PRIMARY KEY, v);"
                     "INSERT INTO d VALUES(1, 1), (2, 2), (3, 3)",
            "");
        test_close(db);
    }
    (void)alarm(AT_MOST_S); /* it may wait for itself */
    bool all = false;
    for (struct caller c = {.at = 1}; !all; c.at += 7) {
        sqlite3 *db = test_open(names[0]);
        c.other = test_open(names[1]);
        c.calls = 0;
        c.answered = false;
        sqlite3_progress_handler(db, STEPS, ask_another, &c);
        test_expect(db, "SELECT min(k) FROM d", "1");
        sqlite3_progress_handler(db, 0, NULL, NULL);
        all = !c.answered;
        test_close(c.other);
        test_close(db);
    }
    (void)alarm(0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_statement_that_is_interrupted_has_no_effect),
        cmocka_unit_test(
            a_transaction_that_is_interrupted_counts_on_both_sides_or_none),
        cmocka_unit_test(ddl_that_is_interrupted_has_no_effect),
        cmocka_unit_test(the_first_use_of_a_table_can_be_interrupted),
        cmocka_unit_test(an_interrupt_by_another_thread_leaves_all_in_agreement),
        cmocka_unit_test(a_scan_over_deleted_rows_is_interrupted),
        cmocka_unit_test(planning_over_deleted_rows_is_interrupted),
        cmocka_unit_test(a_handler_may_use_another_connection),
    };
    return cmocka_run_group_tests(tests, test_dir_make, test_dir_remove);
}
