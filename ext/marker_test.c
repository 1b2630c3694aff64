/* SPDX-License-Identifier: Apache-2.0
 *
 * What readers see: rules 5, 14 and 16 of the commit protocol. */
#define _DEFAULT_SOURCE
#include "marker.h"

#include "test_pair.h"

#include <pthread.h>
#include <stdatomic.h>

static const char *const modes[] = {"wal", "delete", "truncate", "persist"};
enum { NMODES = sizeof(modes) / sizeof(modes[0]) };

static void rule_16_a_read_transaction_sees_one_state_of_both(void **state)
{
    (void)state;
    sqlite3 *a = pair_open("r16.db", "wal"), *b = pair_open("r16.db", "wal");
    test_expect(a, "BEGIN; " PAIR_SUMS, "2|30.0 2|30.0");
    for (int i = 0; i < 5; i++) {
        test_expect(
            b,
            "BEGIN; UPDATE o SET v = v + 1; UPDATE t SET v = v + 1; INSERT INTO "
            "t(v) VALUES(0); INSERT INTO o(v) VALUES(0); COMMIT",
            "");
        test_expect(a, PAIR_SUMS, "2|30.0 2|30.0");
        test_expect(a, "SELECT v FROM t WHERE k = 2", "20");
    }
    test_expect(a, "COMMIT; " PAIR_SUMS, "7|50.0 7|50.0");
    test_expect(a, "BEGIN; " PAIR_SUMS, "7|50.0 7|50.0");
    test_expect(
        b, "BEGIN; DELETE FROM o WHERE k > 2; DELETE FROM t WHERE k > 2; COMMIT", "");
    test_expect(a, "ROLLBACK; BEGIN; " PAIR_SUMS, "2|40.0 2|40.0");
    test_expect(a, "END", "");
    test_close(a);
    test_close(b);
}

static void
rule_16_the_first_touch_of_a_table_is_as_old_as_the_transaction(void **state)
{
    sqlite3_stmt *outer = NULL;
    (void)state;
    sqlite3 *a = pair_open("touch.db", "wal"), *b = pair_open("touch.db", "wal");
    for (int flush = 0; flush < 2; flush++) {
        test_expect(a, "SELECT count(*) FROM t", "2"); /* so that the gate is warm */
        test_expect(a, "BEGIN; SELECT total(v) FROM o", "30.0");
        test_expect(b,
                    "BEGIN; UPDATE o SET v = v + 1; UPDATE t SET v = v + 1; COMMIT;"
                    "BEGIN; UPDATE o SET v = v + 1; UPDATE t SET v = v + 1; COMMIT",
                    "");
        if (flush)
            test_expect_part(b, "SELECT seerdb('t', 'flush')", "flushed");
        test_expect(a, PAIR_SUMS, "2|30.0 2|30.0");
        test_expect(a, "COMMIT; " PAIR_SUMS, "2|34.0 2|34.0");
        /* A statement that is under way is a transaction too. */
        assert_int_equal(sqlite3_prepare_v2(a, "SELECT k FROM o", -1, &outer, NULL), 0);
        assert_int_equal(sqlite3_step(outer), SQLITE_ROW);
        test_expect(b, "BEGIN; UPDATE o SET v = v - 2; UPDATE t SET v = v - 2; COMMIT",
                    "");
        test_expect(a, PAIR_SUMS, "2|34.0 2|34.0");
        sqlite3_finalize(outer);
        test_expect(a, PAIR_SUMS, "2|30.0 2|30.0");
    }
    test_close(a);
    test_close(b);
}

static void rule_16_the_gate_lets_no_change_pass_in_any_journal_mode(void **state)
{
    (void)state;
    for (int i = 0; i < NMODES; i++) {
        char name[32];
        snprintf(name, sizeof(name), "gate-%s.db", modes[i]);
        sqlite3 *a = pair_open(name, modes[i]), *b = pair_open(name, modes[i]);
        test_expect(a, PAIR_SUMS, "2|30.0 2|30.0");
        test_expect(a, PAIR_SUMS, "2|30.0 2|30.0");
        test_expect(b, "UPDATE t SET v = v + 1", "");
        test_expect(a, "SELECT total(v) FROM t", "32.0");
        test_expect(a, "UPDATE t SET v = v + 1; SELECT total(v) FROM t", "34.0");
        test_expect(b, "SELECT total(v) FROM t", "34.0");
        test_expect(a, "BEGIN; UPDATE t SET v = 0; SELECT total(v) FROM t", "0.0");
        test_expect(a, "ROLLBACK; SELECT total(v) FROM t", "34.0");
        test_expect(a, "BEGIN; UPDATE o SET v = 0; ROLLBACK; SELECT total(v) FROM t",
                    "34.0");
        test_expect(b, "UPDATE t SET v = v - 2", "");
        test_expect(a, "BEGIN; " PAIR_SUMS "; END", "2|30.0 2|30.0");
        if (i == 0)
            test_expect(b, "PRAGMA wal_checkpoint(TRUNCATE)", "0|0|0");
        test_expect(a, PAIR_SUMS, "2|30.0 2|30.0");
        test_expect(b, "INSERT INTO t VALUES(3, 1); VACUUM", "");
        test_expect(a, "SELECT total(v) FROM t", "31.0");
        test_expect(b, "DELETE FROM t WHERE k = 3", "");
        test_expect(a, PAIR_SUMS, "2|30.0 2|30.0");
        test_close(a);
        test_close(b);
    }
}

static void rule_16_the_journal_mode_may_change_under_the_gate(void **state)
{
    (void)state;
    sqlite3 *a = pair_open("switch.db", "wal"), *b;
    test_expect(a, PAIR_SUMS, "2|30.0 2|30.0");
    test_expect(a, "PRAGMA journal_mode = delete; SELECT total(v) FROM t",
                "delete 30.0");
    b = pair_open("switch.db", "delete");
    test_expect(b, "UPDATE t SET v = v + 1", "");
    test_expect(a, "SELECT total(v) FROM t", "32.0");
    test_close(a);
    test_expect(b, "PRAGMA journal_mode = wal", "wal");
    a = pair_open("switch.db", "wal");
    test_expect(a, "UPDATE t SET v = v + 1", "");
    test_expect(b, "SELECT total(v) FROM t", "34.0");
    test_close(a);
    test_close(b);
}

static void rule_16_a_state_that_was_folded_away_is_refused(void **state)
{
    (void)state;
    sqlite3 *a = test_open("folded.db"), *b;
    test_expect(
        a,
        "PRAGMA journal_mode = wal; CREATE TABLE o(k INTEGER PRIMARY KEY, v);"
        "CREATE VIRTUAL TABLE t USING seerdb(k INTEGER PRIMARY KEY, v, history = 0);"
        "INSERT INTO o VALUES(1, 10), (2, 20); INSERT INTO t VALUES(1, 10), (2, 20)",
        "wal");
    b = pair_open("folded.db", "wal");
    test_expect(a, "BEGIN; " PAIR_SUMS, "2|30.0 2|30.0");
    for (int i = 0; i < 5; i++) { /* a moment passes, other commits go by */
        usleep(3000);
        test_expect(b, "BEGIN; UPDATE o SET v = v + 1; UPDATE t SET v = v + 1; COMMIT",
                    "");
    }
    test_expect_part(b, "SELECT seerdb('t', 'flush')", "flushed");
    test_expect_part(a, "SELECT total(v) FROM t", "error 517: ");
    test_expect_part(a, "SELECT total(v) FROM t",
                     "was superseded long ago and is gone: end the transaction");
    test_expect(a, "SELECT total(v) FROM o", "30.0"); /* SQLite's own is still there */
    test_expect(a, "ROLLBACK; " PAIR_SUMS, "2|40.0 2|40.0");
    test_expect(a, "BEGIN; " PAIR_SUMS "; COMMIT", "2|40.0 2|40.0");
    test_close(a);
    test_close(b);
}

/* As above, but nothing was superseded: the old state is still to be had. */
static void rule_16_a_state_of_which_nothing_was_folded_stays(void **state)
{
    (void)state;
    sqlite3 *a = test_open("unfolded.db"), *b;
    test_expect(
        a,
        "PRAGMA journal_mode = wal; CREATE TABLE o(k INTEGER PRIMARY KEY, v);"
        "CREATE VIRTUAL TABLE t USING seerdb(k INTEGER PRIMARY KEY, v, history = 0);"
        "INSERT INTO o VALUES(1, 10), (2, 20); INSERT INTO t VALUES(1, 10), (2, 20)",
        "wal");
    b = pair_open("unfolded.db", "wal");
    test_expect(a, "BEGIN; " PAIR_SUMS, "2|30.0 2|30.0");
    for (int i = 0; i < 5; i++) {
        usleep(3000);
        test_expect(b,
                    "BEGIN; INSERT INTO o(v) VALUES(1); INSERT INTO t(v) VALUES(1);"
                    "DELETE FROM t WHERE k = 77; COMMIT",
                    "");
        test_expect_part(b, "SELECT seerdb('t', 'flush')", "flushed");
        test_expect(a, PAIR_SUMS, "2|30.0 2|30.0");
    }
    usleep(3000);
    test_expect(b, "UPDATE t SET v = v + 1 WHERE k = 7; DELETE FROM t WHERE k = 6", "");
    test_expect_part(b, "SELECT seerdb('t', 'flush')", "flushed");
    test_expect(a, PAIR_SUMS "; COMMIT", "2|30.0 2|30.0");
    test_expect(b, PAIR_SUMS, "7|35.0 6|35.0");
    test_close(a);
    test_close(b);
}

static void rule_16_a_statement_keeps_its_state_while_it_runs(void **state)
{
    struct test_text rows = {.n = 0};
    sqlite3_stmt *outer = NULL;
    (void)state;
    sqlite3 *a = pair_open("run.db", "wal"), *b = pair_open("run.db", "wal");
    assert_int_equal(
        sqlite3_prepare_v2(a,
                           "SELECT o.v, (SELECT v FROM t WHERE t.k = o.k) FROM o ORDER "
                           "BY o.k",
                           -1, &outer, NULL),
        0);
    assert_int_equal(sqlite3_step(outer), SQLITE_ROW);
    test_expect(b, "BEGIN; UPDATE o SET v = 0; UPDATE t SET v = 0; COMMIT", "");
    assert_int_equal(test_rows(outer, &rows), SQLITE_DONE);
    assert_string_equal(rows.text, "20|20");
    sqlite3_finalize(outer);
    test_expect(a, "SELECT total(v) FROM t", "0.0");
    test_close(a);
    test_close(b);
}

static void rule_16_read_only_connections_read(void **state)
{
    char uri[128];
    sqlite3 *a = pair_open("ro.db", "wal"), *b = NULL;
    (void)state;
    snprintf(uri, sizeof(uri), "file:%s/ro.db?mode=ro", test_dir);
    assert_int_equal(
        sqlite3_open_v2(uri, &b, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, NULL), 0);
    assert_int_equal(sqlite3_seerdb_init(b, NULL, NULL), 0);
    test_expect(b, PAIR_SUMS, "2|30.0 2|30.0");
    test_expect(a, "BEGIN; UPDATE o SET v = v + 1; UPDATE t SET v = v + 1; COMMIT", "");
    test_expect(b, PAIR_SUMS, "2|32.0 2|32.0");
    test_close(b);
    test_close(a);
}

/* ---- the window between SQLite's unlock and xCommit ------------------------- */

struct window {
    const char *name, *sql;
    char got[128];
    pthread_t thread;
    atomic_bool started;
};

static void *other_connection(void *arg)
{
    struct window *w = arg;
    char path[128];
    sqlite3 *db = NULL;
    snprintf(path, sizeof(path), "%s/%s", test_dir, w->name);
    struct test_text rows = {.n = 0};
    sqlite3_stmt *stmt = NULL;
    sqlite3_open(path, &db);
    sqlite3_seerdb_init(db, NULL, NULL);
    int rc = sqlite3_prepare_v2(db, w->sql, -1, &stmt, NULL);
    atomic_store(&w->started, true);
    if (rc == SQLITE_OK)
        rc = test_rows(stmt, &rows);
    snprintf(w->got, sizeof(w->got), "%d %.100s", rc, rows.n > 0 ? rows.text : "");
    sqlite3_finalize(stmt);
    sqlite3_close(db);
    return NULL;
}

static void meet_in_the_window(void *ctx)
{
    struct window *w = ctx;
    pthread_create(&w->thread, NULL, other_connection, w);
    while (!atomic_load(&w->started))
        usleep(1000);
    usleep(100000);
    assert_string_equal(w->got, ""); /* it waits */
}

static void in_the_window(const char *name, const char *sql, const char *want)
{
    struct window w = {.name = name, .sql = sql};
    struct pair_bomb bomb = {.at_commit = meet_in_the_window, .ctx = &w};
    sqlite3 *a = pair_open(name, "wal");
    pair_arm(a, &bomb);
    test_expect(
        a,
        "BEGIN; INSERT INTO bomb VALUES(1); UPDATE o SET v = v + 1; UPDATE t SET "
        "v = v + 1; COMMIT",
        "");
    assert_int_equal(pthread_join(w.thread, NULL), 0);
    assert_string_equal(w.got, want);
    test_close(a);
}

static void rule_5_a_writer_waits_for_the_publication(void **state)
{
    (void)state;
    in_the_window("r5.db", "UPDATE t SET v = v + 1", "101 ");
    sqlite3 *a = pair_open("r5.db", "wal");
    test_expect(a, PAIR_SUMS, "2|32.0 2|34.0");
    test_close(a);
}

static void rule_14_a_reader_waits_for_the_publication(void **state)
{
    (void)state;
    in_the_window("r14.db", "SELECT (SELECT total(v) FROM o), (SELECT total(v) FROM t)",
                  "101 32.0|32.0");
}

static void *interrupt_soon(void *db)
{
    usleep(120000);
    sqlite3_interrupt(db);
    return NULL;
}

struct interruption {
    sqlite3 *db;
    int rc;
};

static void read_and_be_interrupted(void *ctx)
{
    struct interruption *i = ctx;
    pthread_t thread;
    pthread_create(&thread, NULL, interrupt_soon, i->db);
    i->rc = sqlite3_exec(i->db, "SELECT total(v) FROM t", NULL, NULL, NULL);
    pthread_join(thread, NULL);
}

static void rule_14_the_wait_can_be_interrupted(void **state)
{
    (void)state;
    sqlite3 *a = pair_open("interrupt.db", "wal"),
            *b = pair_open("interrupt.db", "wal");
    test_expect(b, PAIR_SUMS, "2|30.0 2|30.0");
    struct interruption interruption = {.db = b};
    struct pair_bomb bomb = {.at_commit = read_and_be_interrupted,
                             .ctx = &interruption};
    pair_arm(a, &bomb);
    test_expect(a, "BEGIN; INSERT INTO bomb VALUES(1); UPDATE t SET v = v + 1; COMMIT",
                "");
    assert_int_equal(interruption.rc, SQLITE_INTERRUPT);
    test_expect(b, "SELECT total(v) FROM t", "32.0");
    test_close(a);
    test_close(b);
}

static void rule_14_shared_caches_are_refused(void **state)
{
    char uri[128];
    sqlite3 *a = pair_open("shared.db", "wal"), *b = NULL;
    (void)state;
    snprintf(uri, sizeof(uri), "file:%s/shared.db?cache=shared", test_dir);
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_URI;
    assert_int_equal(sqlite3_open_v2(uri, &b, flags, NULL), 0);
    assert_int_equal(sqlite3_seerdb_init(b, NULL, NULL), 0);
    test_expect_part(b, "SELECT * FROM t", "shares its cache");
    test_expect(b, "SELECT count(*) FROM o", "2");
    test_close(b);
    test_close(a);
}

static sqlite3 *open_immutable(void)
{
    char uri[128];
    sqlite3 *db = NULL;
    snprintf(uri, sizeof(uri), "file:%s/immutable.db?immutable=1", test_dir);
    int flags = SQLITE_OPEN_READONLY | SQLITE_OPEN_URI;
    assert_int_equal(sqlite3_open_v2(uri, &db, flags, NULL), 0);
    assert_int_equal(sqlite3_seerdb_init(db, NULL, NULL), 0);
    return db;
}

static void rule_3_immutable_connections_are_refused_beside_a_journal(void **state)
{
    sqlite3 *a = pair_open("immutable.db", "delete");
    (void)state;
    sqlite3 *before = open_immutable();
    test_expect(before, "SELECT count(*) FROM t", "2");
    test_expect(a, "BEGIN; INSERT INTO o VALUES (17, 17)", "");
    sqlite3 *beside = open_immutable();
    test_expect_part(beside, "SELECT * FROM t", "immutable=1");
    test_expect(beside, "SELECT count(*) FROM o", "2");
    test_expect(a, "ROLLBACK", "");
    test_expect(beside, "SELECT count(*) FROM t", "2");
    test_close(before);
    test_close(beside);
    test_close(a);
}

/* ---- the invariant ---------------------------------------------------------- */

enum { READERS = 4, ROUNDS = 60 }; /* or what SEERDB_ROUNDS says */

struct reader {
    pthread_t thread;
    bool in_transaction;
    atomic_bool *stop;
    int reads, wrong, failed;
};

static sqlite3 *plain_open(const char *name)
{
    char path[128];
    sqlite3 *db = NULL;
    snprintf(path, sizeof(path), "%s/%s", test_dir, name);
    sqlite3_open(path, &db);
    sqlite3_seerdb_init(db, NULL, NULL);
    sqlite3_busy_timeout(db, 200000);
    return db;
}

static void look(struct reader *r, sqlite3 *db, sqlite3_stmt *stmt)
{
    (void)db;
    int rc = sqlite3_step(stmt);
    if (rc != SQLITE_ROW)
        r->failed++;
    else if (sqlite3_column_int(stmt, 0) != 30)
        r->wrong++;
    r->reads++;
    sqlite3_reset(stmt);
}

static void *read_sums(void *arg)
{
    struct reader *r = arg;
    sqlite3 *db = plain_open("sum.db");
    sqlite3_stmt *both = NULL, *o = NULL, *t = NULL;
    sqlite3_prepare_v2(
        db, "SELECT (SELECT v FROM o WHERE k = 1) + (SELECT v FROM t WHERE k = 2)", -1,
        &both, NULL);
    sqlite3_prepare_v2(db, "SELECT v FROM o WHERE k = 1", -1, &o, NULL);
    sqlite3_prepare_v2(db, "SELECT v + ?1 FROM t WHERE k = 2", -1, &t, NULL);
    while (!atomic_load(r->stop)) {
        if (!r->in_transaction) {
            look(r, db, both);
            continue;
        }
        sqlite3_exec(db, "BEGIN", NULL, NULL, NULL);
        if (sqlite3_step(o) == SQLITE_ROW)
            sqlite3_bind_int(t, 1, sqlite3_column_int(o, 0));
        sqlite3_reset(o);
        look(r, db, t);
        usleep(100);
        look(r, db, t);
        look(r, db, both);
        sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
    }
    sqlite3_finalize(both);
    sqlite3_finalize(o);
    sqlite3_finalize(t);
    sqlite3_close(db);
    return NULL;
}

static void rule_16_a_sum_over_both_tables_holds_in_every_read(void **state)
{
    struct reader readers[READERS];
    atomic_bool stop = false;
    const char *wanted = getenv("SEERDB_ROUNDS");
    int rounds = wanted != NULL ? atoi(wanted) : ROUNDS, reads = 0;
    char sums[40];
    (void)state;
    sqlite3 *db = pair_open("sum.db", "wal");
    /* A reader that finds the WAL index in motion takes SQLite's write lock for a
     * moment. */
    sqlite3_busy_timeout(db, 200000);
    test_expect(db, "PRAGMA synchronous = off; PRAGMA wal_autocheckpoint = 20", "20");
    for (int i = 0; i < READERS; i++) {
        readers[i] = (struct reader){.in_transaction = i % 2 == 1, .stop = &stop};
        assert_int_equal(
            pthread_create(&readers[i].thread, NULL, read_sums, &readers[i]), 0);
    }
    for (int i = 0; i < rounds; i++) {
        test_expect(db,
                    "BEGIN; UPDATE o SET v = v - 1 WHERE k = 1; UPDATE t SET v = v + 1 "
                    "WHERE k = 2; COMMIT",
                    "");
        test_expect(db,
                    "BEGIN; UPDATE t SET v = v + 5 WHERE k = 2; UPDATE o SET v = v - 5 "
                    "WHERE k = 1; ROLLBACK",
                    "");
        if (i % 20 == 19)
            test_expect_part(db, "SELECT seerdb('t', 'flush')", "flushed");
        if (i % 50 == 49)
            test_expect_part(db, "SELECT seerdb('t', 'compact')", "compacted");
        usleep(2000);
    }
    atomic_store(&stop, true);
    for (int i = 0; i < READERS; i++) {
        pthread_join(readers[i].thread, NULL);
        assert_int_equal(readers[i].wrong, 0);
        assert_int_equal(readers[i].failed, 0);
        assert_true(readers[i].reads > 0);
        reads += readers[i].reads;
    }
    print_message("%d reads among %d commits\n", reads, rounds);
    snprintf(sums, sizeof(sums), "%d|%d", 10 - rounds, 20 + rounds);
    test_expect(db,
                "SELECT (SELECT v FROM o WHERE k = 1), (SELECT v FROM t WHERE k = 2)",
                sums);
    test_close(db);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rule_16_a_read_transaction_sees_one_state_of_both),
        cmocka_unit_test(
            rule_16_the_first_touch_of_a_table_is_as_old_as_the_transaction),
        cmocka_unit_test(rule_16_the_gate_lets_no_change_pass_in_any_journal_mode),
        cmocka_unit_test(rule_16_the_journal_mode_may_change_under_the_gate),
        cmocka_unit_test(rule_16_a_state_that_was_folded_away_is_refused),
        cmocka_unit_test(rule_16_a_state_of_which_nothing_was_folded_stays),
        cmocka_unit_test(rule_16_a_statement_keeps_its_state_while_it_runs),
        cmocka_unit_test(rule_16_read_only_connections_read),
        cmocka_unit_test(rule_5_a_writer_waits_for_the_publication),
        cmocka_unit_test(rule_14_a_reader_waits_for_the_publication),
        cmocka_unit_test(rule_14_the_wait_can_be_interrupted),
        cmocka_unit_test(rule_14_shared_caches_are_refused),
        cmocka_unit_test(rule_3_immutable_connections_are_refused_beside_a_journal),
        cmocka_unit_test(rule_16_a_sum_over_both_tables_holds_in_every_read),
    };
    return cmocka_run_group_tests(tests, test_dir_make, test_dir_remove);
}
