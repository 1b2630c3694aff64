/* SPDX-License-Identifier: Apache-2.0
 *
 * One commit for SQLite's tables and ours: the rules of the commit protocol about
 * writing, and what is left when the process dies at each point. */
#define _DEFAULT_SOURCE
#include "txn.h"

#include "test_mem.h"
#include "test_pair.h"

#include <sys/stat.h>

static const char *const modes[] = {"wal", "delete", "truncate", "persist"};
enum { NMODES = sizeof(modes) / sizeof(modes[0]) };

static uint64_t marker_of(sqlite3 *db, const char *table)
{
    char sql[128];
    uint64_t n = 0;
    unsigned byte;
    snprintf(sql, sizeof(sql), "SELECT hex(substr(state, 57)) FROM %s_seerdb", table);
    const char *hex = test_sql(db, sql);
    for (int i = 7; i >= 0; i--) {
        assert_int_equal(sscanf(hex + 2 * i, "%2x", &byte), 1);
        n = n << 8 | byte;
    }
    return n;
}

/* ---- dying ------------------------------------------------------------------ */

static int die_in_hook(void *ctx)
{
    (void)ctx;
    _exit(7);
}

static void die(void *ctx)
{
    (void)ctx;
    _exit(8);
}

#define BOTH                                                                           \
    "UPDATE o SET v = v + 1; UPDATE t SET v = v + 1; INSERT INTO o(v) VALUES(5); "     \
    "INSERT INTO t(v) VALUES(5)"

static const char *child_mode;

/* After every xSync, before SQLite's own commit. */
static void die_before_sqlite_commits(const char *name)
{
    sqlite3 *db = pair_open(name, child_mode);
    test_sql(db, "BEGIN; " BOTH);
    sqlite3_commit_hook(db, die_in_hook, NULL);
    test_sql(db, "COMMIT");
}

/* After SQLite's commit, before our xCommit. */
static void die_after_sqlite_committed(const char *name)
{
    struct pair_bomb bomb = {.at_commit = die};
    sqlite3 *db = pair_open(name, child_mode);
    pair_arm(db, &bomb);
    test_sql(db, "BEGIN; INSERT INTO bomb VALUES(1); " BOTH "; COMMIT");
}

/* Before our xSync. */
static void die_before_the_prepare(const char *name)
{
    struct pair_bomb bomb = {.at_sync = die};
    sqlite3 *db = pair_open(name, child_mode);
    pair_arm(db, &bomb);
    test_sql(db, "BEGIN; INSERT INTO bomb VALUES(1); " BOTH "; COMMIT");
}

static void expect_and_go_on(const char *name, const char *want)
{
    for (int round = 0; round < 2; round++) {
        sqlite3 *db = pair_open(name, child_mode);
        test_expect(db, PAIR_SUMS, want); /* a reader, before anybody settled it */
        if (round == 0) {
            test_expect(db, "BEGIN; " BOTH "; ROLLBACK", "");
            test_expect(db, PAIR_SUMS, want);
        }
        test_close(db);
    }
    sqlite3 *db = pair_open(name, child_mode);
    test_expect(db, "BEGIN; UPDATE o SET v = v + 1; UPDATE t SET v = v + 1; COMMIT",
                "");
    test_expect(
        db, "SELECT count(*) FROM o WHERE v <> (SELECT v FROM t WHERE t.k = o.k)", "0");
    test_expect_part(db, "SELECT seerdb('t', 'flush')", "flushed");
    test_expect(
        db, "SELECT count(*) FROM o WHERE v <> (SELECT v FROM t WHERE t.k = o.k)", "0");
    test_expect(db, "BEGIN; UPDATE o SET v = v - 1; UPDATE t SET v = v - 1; COMMIT",
                "");
    test_expect(db, PAIR_SUMS, want);
    test_close(db);
}

static void rule_1_a_commit_that_dies_before_sqlites_is_in_neither(void **state)
{
    char name[32];
    (void)state;
    for (int i = 0; i < NMODES; i++) {
        child_mode = modes[i];
        snprintf(name, sizeof(name), "neither-%s.db", modes[i]);
        test_close(pair_open(name, child_mode));
        assert_int_equal(pair_child(die_before_the_prepare, name), 8);
        expect_and_go_on(name, "2|30.0 2|30.0");
        assert_int_equal(pair_child(die_before_sqlite_commits, name), 7);
        expect_and_go_on(name, "2|30.0 2|30.0");
        assert_int_equal(pair_child(die_before_sqlite_commits, name), 7);
        assert_int_equal(pair_child(die_before_sqlite_commits, name), 7);
        expect_and_go_on(name, "2|30.0 2|30.0");
    }
}

static void rule_1_a_commit_that_dies_after_sqlites_is_in_both(void **state)
{
    char name[32];
    (void)state;
    for (int i = 0; i < NMODES; i++) {
        child_mode = modes[i];
        snprintf(name, sizeof(name), "both-%s.db", modes[i]);
        test_close(pair_open(name, child_mode));
        assert_int_equal(pair_child(die_after_sqlite_committed, name), 8);
        expect_and_go_on(name, "3|37.0 3|37.0");
        assert_int_equal(pair_child(die_before_sqlite_commits, name), 7);
        assert_int_equal(pair_child(die_after_sqlite_committed, name), 8);
        expect_and_go_on(name, "4|45.0 4|45.0");
    }
}

static int refuse(void *ctx)
{
    (void)ctx;
    return 1;
}

/* Rolled-back commits stand in the log between those that count. */
static void commit_and_veto_in_turn(const char *name)
{
    struct pair_bomb bomb = {.at_commit = die};
    sqlite3 *db = pair_open(name, child_mode);
    for (int i = 0; i < 5; i++) {
        test_sql(db, "BEGIN; " BOTH);
        sqlite3_commit_hook(db, i % 2 == 0 ? refuse : NULL, NULL);
        test_sql(db, "COMMIT");
    }
    sqlite3_commit_hook(db, NULL, NULL);
    pair_arm(db, &bomb);
    test_sql(db, "BEGIN; INSERT INTO bomb VALUES(1); " BOTH "; COMMIT");
}

static void rule_1_commits_that_were_rolled_back_stay_out(void **state)
{
    (void)state;
    child_mode = "wal";
    test_close(pair_open("veto.db", child_mode));
    assert_int_equal(pair_child(commit_and_veto_in_turn, "veto.db"), 8);
    expect_and_go_on("veto.db", "5|54.0 5|54.0");
}

/* Only one of two tables is written; the other keeps its marker. */
static void write_one_and_die(const char *name)
{
    struct pair_bomb bomb = {.at_commit = die};
    sqlite3 *db = pair_open(name, child_mode);
    test_sql(db, "CREATE VIRTUAL TABLE u USING seerdb(k INTEGER PRIMARY KEY, v);"
                 "INSERT INTO u VALUES(1, 1); INSERT INTO t VALUES(3, 3)");
    uint64_t before = marker_of(db, "u");
    pair_arm(db, &bomb);
    test_sql(db,
             "BEGIN; INSERT INTO bomb VALUES(1); DELETE FROM u WHERE k = 99; INSERT "
             "INTO t VALUES(4, 4)");
    if (marker_of(db, "u") == before)
        test_sql(db, "COMMIT");
}

static void rule_1_a_table_that_was_not_written_keeps_its_marker(void **state)
{
    (void)state;
    child_mode = "wal";
    assert_int_equal(pair_child(write_one_and_die, "one.db"), 8);
    sqlite3 *db = pair_open("one.db", "wal");
    test_expect(db, "SELECT k FROM t; SELECT k FROM u", "1 2 3 4 1");
    assert_true(marker_of(db, "u") < marker_of(db, "t"));
    test_expect(db, "INSERT INTO u VALUES(2, 2); SELECT k FROM u", "1 2");
    test_close(db);
}

static void create_and_die(const char *name)
{
    struct pair_bomb bomb = {.at_commit = die};
    sqlite3 *db = pair_open(name, child_mode);
    pair_arm(db, &bomb);
    test_sql(
        db,
        "BEGIN; INSERT INTO bomb VALUES(1); CREATE VIRTUAL TABLE u USING seerdb(k); "
        "INSERT INTO u VALUES(7); ALTER TABLE t RENAME TO w; INSERT INTO w "
        "VALUES(3, 3); COMMIT");
}

static void create_and_die_before(const char *name)
{
    sqlite3 *db = pair_open(name, child_mode);
    test_sql(
        db,
        "BEGIN; DROP TABLE t; CREATE VIRTUAL TABLE t USING seerdb(k); INSERT INTO t "
        "VALUES(7)");
    sqlite3_commit_hook(db, die_in_hook, NULL);
    test_sql(db, "COMMIT");
}

static void rule_1_tables_made_and_renamed_in_the_transaction_agree(void **state)
{
    (void)state;
    child_mode = "wal";
    test_close(pair_open("made.db", "wal"));
    assert_int_equal(pair_child(create_and_die_before, "made.db"), 7);
    sqlite3 *db = pair_open("made.db", "wal");
    test_expect(db, "SELECT * FROM t", "1|10 2|20");
    test_close(db);
    assert_int_equal(pair_child(create_and_die, "made.db"), 8);
    db = test_open("made.db");
    test_expect(db, "SELECT * FROM u; SELECT k FROM w", "7 1 2 3");
    test_expect(db, "INSERT INTO w VALUES(4, 4); INSERT INTO u VALUES(8)", "");
    test_close(db);
    db = test_open("made.db");
    test_expect(db, "SELECT * FROM u; SELECT k FROM w", "7 8 1 2 3 4");
    test_close(db);
}

/* ---- the marker row --------------------------------------------------------- */

static int nupdates;

static void count_update(void *ctx, int op, const char *db, const char *table,
                         sqlite3_int64 rowid)
{
    (void)ctx, (void)op, (void)db, (void)table, (void)rowid;
    nupdates++;
}

static void the_marker_is_written_unnoticed(void **state)
{
    (void)state;
    sqlite3 *db = pair_open("hook.db", "wal");
    sqlite3_update_hook(db, count_update, NULL);
    uint64_t before = marker_of(db, "t");
    test_expect(db, "INSERT INTO o VALUES(9, 9)", "");
    int total = sqlite3_total_changes(db);
    nupdates = 0;
    test_expect(db,
                "INSERT INTO t VALUES(77, 9); SELECT changes(), last_insert_rowid()",
                "1|77");
    assert_int_equal(sqlite3_total_changes(db) - total, 1);
    assert_int_equal(nupdates, 0);
    test_expect(db, "BEGIN; UPDATE t SET v = 0; INSERT INTO o VALUES(10, 9); COMMIT",
                "");
    test_expect(db, "SELECT changes()", "1");
    assert_int_equal(sqlite3_total_changes(db) - total, 5);
    assert_int_equal(nupdates, 1);
    assert_true(marker_of(db, "t") > before);
    test_close(db);
}

static void rule_2_a_drop_with_pending_writes_is_refused(void **state)
{
    (void)state;
    sqlite3 *db = pair_open("r2.db", "wal");
    test_expect(db, "BEGIN; INSERT INTO t VALUES(3, 3); SAVEPOINT a; DROP TABLE t",
                "error 6: database table is locked");
    test_expect(db, "ROLLBACK TO a; COMMIT", "");
    test_close(db);
    db = pair_open("r2.db", "wal");
    test_expect(db, "SELECT k FROM t", "1 2 3");
    test_close(db);
}

static void rule_10_trees_that_nobody_connects_keep_their_commits(void **state)
{
    (void)state;
    child_mode = "wal";
    assert_int_equal(pair_child(write_one_and_die, "idle.db"), 8);
    for (int i = 0; i < 3; i++) {
        sqlite3 *db = pair_open("idle.db", "wal");
        test_expect(db, "UPDATE t SET v = v + 1", "");
        test_expect_part(db, "SELECT seerdb('t', 'flush')", "flushed");
        test_close(db);
    }
    sqlite3 *db = pair_open("idle.db", "wal");
    test_expect(db, "SELECT * FROM u", "1|1");
    test_close(db);
}

/* ---- COMMIT that answers BUSY ------------------------------------------------ */

struct retry {
    const char *between; /* what happens after the first COMMIT answered BUSY */
    const char *own;     /* what the connection then sees itself of t */
    const char *after;   /* both tables in the end */
};

static const struct retry retries[] = {
    {"", "10 20 30", "1|10 2|20 3|30"},
    {"INSERT INTO t VALUES(4, 40); INSERT INTO o VALUES(4, 40)", "10 20 30 40",
     "1|10 2|20 3|30 4|40"},
    {"ROLLBACK TO s", "10 20 30", "1|10 2|20 3|30"},
    {"ROLLBACK TO r; INSERT INTO o VALUES(4, 40)", "10 20", "1|10 2|20 4|40"},
    {"ROLLBACK TO r; INSERT INTO o VALUES(4, 40); INSERT INTO t VALUES(4, 40)",
     "10 20 40", "1|10 2|20 4|40"},
    {"INSERT OR FAIL INTO t VALUES(5, 50), (1, 1)", "10 20 30 50", NULL},
    {"ROLLBACK", "10 20", "1|10 2|20"},
    {"SAVEPOINT z; DELETE FROM t WHERE k = 3; ROLLBACK TO z; RELEASE z", "10 20 30",
     "1|10 2|20 3|30"},
};

static void retry_once(const struct retry *r, sqlite3 *a, sqlite3 *b)
{
    sqlite3_stmt *reader = NULL;
    test_expect(
        a, "BEGIN; DELETE FROM o WHERE k > 2; DELETE FROM t WHERE k > 2; COMMIT", "");
    test_expect(a,
                "BEGIN; UPDATE o SET v = v; SAVEPOINT r; INSERT INTO o VALUES(3, 30); "
                "INSERT INTO t VALUES(3, 30); SAVEPOINT s",
                "");
    assert_int_equal(sqlite3_prepare_v2(b, "SELECT k FROM o", -1, &reader, NULL), 0);
    assert_int_equal(sqlite3_step(reader), SQLITE_ROW);
    test_expect(a, "COMMIT", "error 5: database is locked");
    test_expect(a, "SELECT v FROM t", "10 20 30");
    test_expect(b, "SELECT v FROM t", "10 20");
    test_sql(a, r->between);
    test_expect(a, "SELECT v FROM t", r->own);
    if (!sqlite3_get_autocommit(a))
        test_expect(a, "COMMIT", "error 5: database is locked");
    test_expect(a, "SELECT v FROM t", r->own);
    test_expect(b, "SELECT v FROM t", "10 20");
    sqlite3_finalize(reader);
    if (!sqlite3_get_autocommit(a))
        test_expect(a, "COMMIT", "");
    test_expect(a, "SELECT v FROM t", r->own);
    test_expect(b, "SELECT v FROM t", r->own);
    if (r->after != NULL)
        test_expect(b, "SELECT * FROM o", r->after);
    test_expect(b, "UPDATE t SET v = v", ""); /* the store agrees with the marker */
}

static void
rule_11_a_commit_that_answers_busy_is_retried_changed_or_undone(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(retries) / sizeof(retries[0]); i++) {
        sqlite3 *a = pair_open("r11.db", "delete"), *b = pair_open("r11.db", "delete");
        retry_once(&retries[i], a, b);
        test_close(a);
        test_close(b);
        a = pair_open("r11.db", "delete"); /* the marker must fit what the log says */
        test_expect(a, "SELECT v FROM t", retries[i].own);
        test_expect(a, "UPDATE t SET v = v + 1; UPDATE t SET v = v - 1", "");
        test_expect(a, "SELECT v FROM t", retries[i].own);
        test_close(a);
    }
}

/* The commit goes on without what was undone: then its number is not that table's. */
static void rule_11_a_table_left_out_after_busy_keeps_its_own_marker(void **state)
{
    (void)state;
    sqlite3_stmt *reader = NULL;
    sqlite3 *a = pair_open("left.db", "delete"), *b = pair_open("left.db", "delete");
    test_expect(a, "CREATE VIRTUAL TABLE u USING seerdb(k INTEGER PRIMARY KEY, v)", "");
    for (int i = 0; i < 2; i++) {
        test_expect(a, "BEGIN; SAVEPOINT s; INSERT INTO t VALUES(9, 9)", "");
        assert_int_equal(sqlite3_prepare_v2(b, "SELECT k FROM o", -1, &reader, NULL),
                         0);
        assert_int_equal(sqlite3_step(reader), SQLITE_ROW);
        test_expect(a, "COMMIT", "error 5: database is locked");
        sqlite3_finalize(reader);
        test_expect(a,
                    "ROLLBACK TO s; INSERT INTO u(v) VALUES(1); INSERT INTO o(v) "
                    "VALUES(1); COMMIT",
                    "");
        test_expect(a, "SELECT count(*) FROM t", "2");
        if (i == 1)
            test_expect(a, "INSERT INTO t VALUES(3, 3); SELECT k FROM t", "1 2 3");
        test_expect(a, "SELECT count(*) FROM u", i == 0 ? "1" : "2");
        assert_int_equal(marker_of(a, "t") < marker_of(a, "u"), i == 0);
    }
    test_close(a);
    test_expect(b, "SELECT k FROM t; SELECT count(*) FROM u", "1 2 3 2");
    test_close(b);
}

static void rule_15_busy_on_one_store_holds_no_other(void **state)
{
    char sql[128];
    sqlite3_stmt *reader = NULL;
    (void)state;
    test_close(pair_open("first.db", "delete"));
    test_close(pair_open("second.db", "delete"));
    sqlite3 *a = test_open("first.db"), *b = test_open("second.db");
    snprintf(sql, sizeof(sql), "ATTACH '%s/second.db' AS s", test_dir);
    test_expect(a, sql, "");
    test_expect(a,
                "BEGIN; INSERT INTO main.t VALUES(3, 3); INSERT INTO s.t VALUES(3, 3); "
                "INSERT INTO main.o VALUES(3, 3); INSERT INTO s.o VALUES(3, 3)",
                "");
    assert_int_equal(sqlite3_prepare_v2(b, "SELECT k FROM o", -1, &reader, NULL), 0);
    assert_int_equal(sqlite3_step(reader), SQLITE_ROW);
    test_expect(a, "COMMIT", "error 5: database is locked");
    test_expect(b, "SELECT k FROM t", "1 2");
    test_expect(a, "SELECT k FROM main.t; SELECT k FROM s.t", "1 2 3 1 2 3");
    sqlite3_finalize(reader);
    test_expect(a, "COMMIT; SELECT k FROM main.t; SELECT k FROM s.t", "1 2 3 1 2 3");
    test_expect(b, "SELECT k FROM t; INSERT INTO t VALUES(4, 4)", "1 2 3");
    test_close(a);
    test_close(b);
}

/* ---- DDL --------------------------------------------------------------------- */

static const struct {
    const char *sql, *want;
} ddl[] = {
    {"BEGIN; INSERT INTO t VALUES(3, 3); SAVEPOINT a; ALTER TABLE t RENAME TO u; "
     "ROLLBACK "
     "TO a; INSERT INTO t VALUES(4, 4); COMMIT; SELECT k FROM t",
     "1 2 3 4"},
    {"BEGIN; SAVEPOINT a; ALTER TABLE t RENAME TO u; INSERT INTO u VALUES(5, 5); "
     "ROLLBACK TO "
     "a; INSERT INTO t VALUES(6, 6); COMMIT; SELECT k FROM t",
     "1 2 3 4 6"},
    {"BEGIN; INSERT INTO t VALUES(7, 7); ALTER TABLE t RENAME TO u; CREATE VIRTUAL "
     "TABLE t "
     "USING seerdb(k); INSERT INTO t VALUES(70); COMMIT; SELECT k FROM u; SELECT k "
     "FROM t",
     "1 2 3 4 6 7 70"},
    {"BEGIN; SAVEPOINT a; DROP TABLE t; ALTER TABLE u RENAME TO t; INSERT INTO t "
     "VALUES(8, "
     "8); ROLLBACK TO a; INSERT INTO u VALUES(9, 9); INSERT INTO t VALUES(71); COMMIT; "
     "SELECT k FROM u; SELECT k FROM t",
     "1 2 3 4 6 7 9 70 71"},
    {"BEGIN; DROP TABLE t; ALTER TABLE u RENAME TO t; INSERT INTO t VALUES(8, 8); "
     "COMMIT; "
     "SELECT k FROM t",
     "1 2 3 4 6 7 8 9"},
    {"BEGIN; SAVEPOINT a; CREATE VIRTUAL TABLE u USING seerdb(k); INSERT INTO u "
     "VALUES(1); "
     "ROLLBACK TO a; COMMIT; SELECT k FROM t",
     "1 2 3 4 6 7 8 9"},
    {"BEGIN; SAVEPOINT a; CREATE VIRTUAL TABLE u USING seerdb(k); INSERT INTO u "
     "VALUES(1); "
     "ROLLBACK TO a; INSERT INTO t VALUES(10, 10); CREATE VIRTUAL TABLE u USING "
     "seerdb(x); "
     "INSERT INTO u VALUES('x'); COMMIT; SELECT k FROM t; SELECT x FROM u",
     "1 2 3 4 6 7 8 9 10 x"},
    {"BEGIN; SAVEPOINT a; DROP TABLE u; CREATE VIRTUAL TABLE u USING seerdb(k); INSERT "
     "INTO "
     "u VALUES(1); ROLLBACK TO a; INSERT INTO u VALUES('y'); COMMIT; SELECT x FROM u",
     "x y"},
    {"BEGIN; DELETE FROM u; INSERT INTO o VALUES(3, 3); ROLLBACK; SELECT x FROM u",
     "x y"},
};

static void rule_12_ddl_undone_leaves_tables_and_markers_right(void **state)
{
    (void)state;
    test_close(pair_open("r12.db", "wal"));
    for (size_t i = 0; i < sizeof(ddl) / sizeof(ddl[0]); i++) {
        sqlite3 *db = test_open("r12.db");
        test_expect(db, ddl[i].sql, ddl[i].want);
        test_close(db);
        db = test_open("r12.db");
        const char *select = strstr(ddl[i].sql, "; SELECT") + 2;
        test_expect(db, select, ddl[i].want);
        test_close(db);
    }
    sqlite3 *db = test_open("r12.db");
    test_expect(db, "UPDATE t SET v = 1; UPDATE u SET x = 1; SELECT x FROM u", "1 1");
    test_close(db);
}

/* Nobody is told of the ROLLBACK TO that undoes a CREATE, but for an object that has
 * heard of a savepoint: statements of several rows open one. */
static void rule_12_what_was_written_to_an_undone_table_is_not_logged(void **state)
{
    static const struct {
        const char *sql;
        int commits, puts;
    } cases[] = {
        {"BEGIN; SAVEPOINT a; CREATE VIRTUAL TABLE x USING seerdb(k); INSERT INTO x "
         "VALUES(1); INSERT INTO x VALUES(2); ROLLBACK TO a; COMMIT",
         0, 0},
        {"BEGIN; SAVEPOINT a; CREATE VIRTUAL TABLE x USING seerdb(k); INSERT INTO x "
         "VALUES(1); INSERT INTO x VALUES(2); ROLLBACK TO a; UPDATE t SET v = v + 1; "
         "COMMIT",
         1, 2},
        {"BEGIN; UPDATE t SET v = v + 1; SAVEPOINT a; CREATE VIRTUAL TABLE x USING "
         "seerdb(k); INSERT INTO x VALUES(1); INSERT INTO x VALUES(2); ROLLBACK TO a; "
         "COMMIT",
         1, 2},
        {"BEGIN; SAVEPOINT a; CREATE VIRTUAL TABLE x USING seerdb(k); INSERT INTO x "
         "VALUES(1); INSERT INTO x VALUES(2); ROLLBACK TO a; CREATE VIRTUAL TABLE x "
         "USING seerdb(k); "
         "INSERT INTO x VALUES(7); COMMIT; SELECT k FROM x",
         1, 1},
        {"BEGIN; DELETE FROM x; INSERT INTO x VALUES(8); COMMIT; SELECT k FROM x", 1,
         1},
    };
    (void)state;
    sqlite3 *db = pair_open("undone.db", "wal");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        double commits = test_stat(db, "t", "commits"),
               puts = test_stat(db, "t", "puts");
        test_expect(db, cases[i].sql, i < 3 ? "" : i == 3 ? "7" : "8");
        assert_int_equal(test_stat(db, "t", "commits") - commits, cases[i].commits);
        assert_int_equal(test_stat(db, "t", "puts") - puts, cases[i].puts);
    }
    test_close(db);
    db = pair_open("undone.db", "wal");
    double puts = test_stat(db, "t", "replayed");
    assert_int_equal(puts, 2 + 2 + 2 + 1 + 1);
    test_expect(db, "SELECT total(v) FROM t; SELECT k FROM x", "34.0 8");
    test_close(db);
}

static void rule_12_a_row_that_is_gone_without_ddl_fails_the_commit(void **state)
{
    (void)state;
    sqlite3 *db = pair_open("gone.db", "wal");
    test_expect(db, "BEGIN; " BOTH "; DELETE FROM t_seerdb", "");
    test_expect_part(db, "COMMIT", "error 11: main.t: the row of its shadow table");
    test_expect(db, PAIR_SUMS, "2|30.0 2|30.0");
    test_expect(db, "BEGIN; UPDATE o SET v = v + 1; UPDATE t SET v = v + 1; COMMIT",
                "");
    test_close(db);
    db = pair_open("gone.db", "wal");
    test_expect(db, PAIR_SUMS, "2|32.0 2|32.0");
    test_close(db);
}

static void rule_13_two_objects_of_one_table_are_one(void **state)
{
    (void)state;
    sqlite3 *db = pair_open("r13.db", "wal");
    test_expect(
        db,
        "BEGIN; INSERT INTO t VALUES(3, 3); SAVEPOINT a; INSERT INTO t VALUES(4, "
        "4); CREATE TABLE x(y); ALTER TABLE t RENAME TO u; INSERT INTO u VALUES(5, "
        "5); ROLLBACK TO a; SAVEPOINT b; INSERT INTO t VALUES(6, 6); ROLLBACK TO "
        "b; INSERT INTO t VALUES(7, 7); RELEASE b; COMMIT; SELECT k FROM t",
        "1 2 3 7");
    test_close(db);
    db = pair_open("r13.db", "wal");
    test_expect(db, "SELECT k FROM t", "1 2 3 7");
    test_close(db);
}

/* ---- several databases --------------------------------------------------------- */

static sqlite3 *open_two(const char *name)
{
    char sql[192];
    sqlite3 *db = pair_open(name, child_mode);
    snprintf(sql, sizeof(sql), "ATTACH '%s/%s-2' AS s", test_dir, name);
    test_sql(db, sql);
    return db;
}

#define TWO                                                                            \
    "BEGIN; INSERT INTO bomb VALUES(1); UPDATE main.o SET v = v + 1; UPDATE main.t "   \
    "SET v "                                                                           \
    "= v + 1; UPDATE s.o SET v = v + 1; UPDATE s.t SET v = v + 1; COMMIT"

static void die_after_two(const char *name)
{
    struct pair_bomb bomb = {.at_commit = die};
    sqlite3 *db = open_two(name);
    pair_arm(db, &bomb);
    test_sql(db, TWO);
}

static void die_before_two(const char *name)
{
    struct pair_bomb bomb = {.ctx = NULL};
    sqlite3 *db = open_two(name);
    pair_arm(db, &bomb);
    sqlite3_commit_hook(db, die_in_hook, NULL);
    test_sql(db, TWO);
}

static void rule_17_several_databases_commit_by_their_own_markers(void **state)
{
    char name[32], second[40];
    (void)state;
    for (int i = 0; i < 2; i++) {
        child_mode = modes[i];
        snprintf(name, sizeof(name), "two-%s.db", modes[i]);
        snprintf(second, sizeof(second), "%s-2", name);
        test_close(pair_open(name, child_mode));
        test_close(pair_open(second, child_mode));
        assert_int_equal(pair_child(die_before_two, name), 7);
        expect_and_go_on(name, "2|30.0 2|30.0");
        expect_and_go_on(second, "2|30.0 2|30.0");
        assert_int_equal(pair_child(die_after_two, name), 8);
        expect_and_go_on(name, "2|32.0 2|32.0");
        expect_and_go_on(second, "2|32.0 2|32.0");
    }
}

static void rule_17_two_databases_share_a_store(void **state)
{
    char sql[256], create[256];
    (void)state;
    snprintf(
        create, sizeof(create),
        "CREATE VIRTUAL TABLE p USING seerdb(k INTEGER PRIMARY KEY, path='%s/common')",
        test_dir);
    sqlite3 *a = test_open("share-a.db"), *b = test_open("share-b.db");
    test_expect(a, create, "");
    test_expect(b, create, "");
    snprintf(sql, sizeof(sql), "ATTACH '%s/share-b.db' AS s", test_dir);
    test_expect(a, sql, "");
    test_expect(
        a, "BEGIN; INSERT INTO main.p VALUES(1); INSERT INTO s.p VALUES(2); COMMIT",
        "");
    test_expect(b, "SELECT k FROM p; INSERT INTO p VALUES(3)", "2");
    test_expect(a, "INSERT INTO main.p VALUES(4); SELECT k FROM s.p", "2 3");
    test_close(a);
    test_close(b);
    a = test_open("share-a.db");
    test_expect(a, "SELECT k FROM p", "1 4");
    test_close(a);
}

/* ---- promises and failures ---------------------------------------------------------
 */

static int log_syncs(sqlite3 *db)
{
    return atoi(
        test_sql(db, "SELECT value FROM seerdb_stats('t') WHERE name = 'log_syncs'"));
}

static void rule_9_sync_follows_pragma_synchronous(void **state)
{
    static const struct {
        const char *mode, *synchronous;
        bool synced;
    } cases[] = {{"wal", "off", false},    {"wal", "normal", false},
                 {"wal", "full", true},    {"wal", "extra", true},
                 {"delete", "off", false}, {"delete", "normal", true},
                 {"delete", "full", true}, {"truncate", "normal", true}};
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char name[32], pragma[64];
        snprintf(name, sizeof(name), "sync-%d.db", (int)i);
        sqlite3 *db = pair_open(name, cases[i].mode);
        snprintf(pragma, sizeof(pragma), "PRAGMA synchronous = %s",
                 cases[i].synchronous);
        test_expect(db, pragma, "");
        int before = log_syncs(db);
        for (int n = 0; n < 8; n++)
            test_expect(db, "UPDATE t SET v = v + 1", "");
        int syncs = log_syncs(db) - before;
        assert_true(cases[i].synced ? syncs >= 8 : syncs < 4);
        test_close(db);
    }
}

static void an_explicit_sync_overrides_the_pragma(void **state)
{
    (void)state;
    sqlite3 *db = test_open("given.db");
    test_expect(
        db,
        "PRAGMA synchronous = full; CREATE VIRTUAL TABLE t USING seerdb(k INTEGER "
        "PRIMARY KEY, v, sync=off)",
        "");
    int before = log_syncs(db);
    for (int n = 0; n < 8; n++)
        test_expect(db, "INSERT INTO t(v) VALUES(1)", "");
    assert_true(log_syncs(db) - before < 4);
    test_close(db);
}

/* Whatever allocation of SQLite's fails, both sides agree. */
static void memory_that_runs_out_leaves_both_or_neither(void **state)
{
    sqlite3_stmt *agree = NULL;
    bool done = false;
    (void)state;
    sqlite3 *db = pair_open("memory.db", "wal");
    test_expect(db, "PRAGMA synchronous = off", "");
    sqlite3_db_config(db, SQLITE_DBCONFIG_LOOKASIDE, NULL, 0, 0);
    assert_int_equal(sqlite3_prepare_v2(db,
                                        "SELECT (SELECT count(*) FROM o) = (SELECT "
                                        "count(*) FROM t)",
                                        -1, &agree, NULL),
                     0);
    for (int n = 0; !done; n++) {
        test_mem_left = n;
        int rc = sqlite3_exec(db,
                              "BEGIN; INSERT INTO o(v) VALUES(1); INSERT INTO t(v) "
                              "VALUES(1); COMMIT",
                              NULL, NULL, NULL);
        done = test_mem_left > 0;
        test_mem_left = -1;
        if (!sqlite3_get_autocommit(db))
            test_expect(db, "ROLLBACK", "");
        assert_true(rc == SQLITE_OK || !done);
        assert_int_equal(sqlite3_step(agree), SQLITE_ROW);
        assert_int_equal(sqlite3_column_int(agree, 0), 1);
        sqlite3_reset(agree);
    }
    sqlite3_finalize(agree);
    test_close(db);
    db = pair_open("memory.db", "wal");
    test_expect(db, "SELECT (SELECT count(*) FROM o) = (SELECT count(*) FROM t)", "1");
    test_close(db);
}

static int setup(void **state)
{
    return test_mem_install(state) != 0 ? -1 : test_dir_make(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rule_1_a_commit_that_dies_before_sqlites_is_in_neither),
        cmocka_unit_test(rule_1_a_commit_that_dies_after_sqlites_is_in_both),
        cmocka_unit_test(rule_1_commits_that_were_rolled_back_stay_out),
        cmocka_unit_test(rule_1_a_table_that_was_not_written_keeps_its_marker),
        cmocka_unit_test(rule_1_tables_made_and_renamed_in_the_transaction_agree),
        cmocka_unit_test(the_marker_is_written_unnoticed),
        cmocka_unit_test(rule_2_a_drop_with_pending_writes_is_refused),
        cmocka_unit_test(rule_10_trees_that_nobody_connects_keep_their_commits),
        cmocka_unit_test(
            rule_11_a_commit_that_answers_busy_is_retried_changed_or_undone),
        cmocka_unit_test(rule_11_a_table_left_out_after_busy_keeps_its_own_marker),
        cmocka_unit_test(rule_15_busy_on_one_store_holds_no_other),
        cmocka_unit_test(rule_12_ddl_undone_leaves_tables_and_markers_right),
        cmocka_unit_test(rule_12_what_was_written_to_an_undone_table_is_not_logged),
        cmocka_unit_test(rule_12_a_row_that_is_gone_without_ddl_fails_the_commit),
        cmocka_unit_test(rule_13_two_objects_of_one_table_are_one),
        cmocka_unit_test(rule_17_several_databases_commit_by_their_own_markers),
        cmocka_unit_test(rule_17_two_databases_share_a_store),
        cmocka_unit_test(rule_9_sync_follows_pragma_synchronous),
        cmocka_unit_test(an_explicit_sync_overrides_the_pragma),
        cmocka_unit_test(memory_that_runs_out_leaves_both_or_neither),
    };
    return cmocka_run_group_tests(tests, setup, test_dir_remove);
}
