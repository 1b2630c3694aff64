/* SPDX-License-Identifier: Apache-2.0
 *
 * Random triggers of ordinary tables that write and read a seerdb table, and random
 * statements that fire them, in transactions, savepoints and alone: after each, all
 * tables hold what they hold where the seerdb table is an ordinary one. */
#define _DEFAULT_SOURCE
#include "test_sql.h"

#define SEEDS      80
#define STATEMENTS 50

static const struct {
    const char *columns, *without;
} shapes[] = {
    {"k INTEGER PRIMARY KEY, v, n INT NOT NULL", ""},
    {"k INT PRIMARY KEY, v, n INT NOT NULL", "WITHOUT ROWID"},
    {"k INT, v TEXT, n INT NOT NULL, PRIMARY KEY(k DESC, v)", "WITHOUT ROWID"},
    {"k INT, v, n INT NOT NULL", ""},
};

/* In what follows # is a small number, ~ a conflict clause and $ old or new. */
static const char *const clauses[] = {"",        "",         "OR IGNORE",  "OR REPLACE",
                                      "OR FAIL", "OR ABORT", "OR ROLLBACK"};

static const char *const bodies[] = {
    "INSERT ~ INTO t VALUES ($.x, $.y, $.x)",
    "INSERT ~ INTO t SELECT k + #, v, n FROM t WHERE k = $.x",
    "INSERT ~ INTO t(k, v, n) VALUES ((SELECT max(k) + 1 FROM t), 'm', $.x)",
    "UPDATE ~ t SET n = n + 1 WHERE k >= $.x",
    "UPDATE ~ t SET k = k + # WHERE k = $.x",
    "UPDATE ~ t SET n = CASE WHEN k % 5 = # THEN NULL ELSE n END WHERE k < $.x",
    "DELETE FROM t WHERE k = $.x % 7",
    "SELECT RAISE(ABORT, 'r') FROM t WHERE k = $.x AND n % 3 = 0",
    "SELECT RAISE(FAIL, 'r') FROM t WHERE k = $.x AND n % 3 = 1",
    "SELECT RAISE(ROLLBACK, 'r') FROM t WHERE k = $.x AND n % 5 = 0",
    "SELECT RAISE(IGNORE) FROM t WHERE k = $.x AND n % 4 = 1",
    "INSERT INTO o2 SELECT $.x + 1, k FROM t WHERE k = $.x AND $.x < 40",
};

/* Without what the README says is otherwise: UPDATE OR REPLACE of many keys, and a
 * statement that reads what its triggers change under it. */
static const char *const statements[] = {
    "INSERT ~ INTO o VALUES (#, 'a'), (#, 'b'), (#, 'c')",
    "INSERT ~ INTO o2 VALUES (#, 'z')",
    "UPDATE ~ o SET x = x + 1 WHERE x > #",
    "UPDATE ~ o2 SET x = x + 1, y = y || 'q' WHERE x < #",
    "DELETE FROM o WHERE x = #",
    "DELETE FROM o2 WHERE x > #",
    "INSERT ~ INTO t VALUES (#, 'd', #), (#, 'e', #)",
    "INSERT ~ INTO t VALUES (#, 'f', #)",
    "DELETE FROM t WHERE k > #",
    "UPDATE t SET k = k + 1 WHERE k > #",
    "INSERT ~ INTO t SELECT k + 1, v, n FROM t",
    "INSERT INTO o SELECT k, v FROM t WHERE k < #",
    "BEGIN",
    "COMMIT",
    "ROLLBACK",
    "SAVEPOINT a",
    "SAVEPOINT b",
    "RELEASE a",
    "ROLLBACK TO a",
    "ROLLBACK TO b",
};

static uint32_t seed;

static uint32_t below(uint32_t n)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % n;
}

static void expand(struct test_text *out, const char *form, const char *ref)
{
    char number[16];
    for (; *form != '\0'; form++) {
        char one[2] = {*form, '\0'};
        snprintf(number, sizeof number, "%u", below(31));
        test_text_add(out, *form == '#'   ? number
                           : *form == '$' ? ref
                           : *form == '~'
                               ? clauses[below(sizeof clauses / sizeof clauses[0])]
                               : one);
    }
}

static void make_trigger(struct test_text *out, unsigned number)
{
    static const char *const events[] = {"INSERT", "UPDATE", "UPDATE OF x", "DELETE"};
    char head[96];
    uint32_t event = below(4);
    snprintf(head, sizeof head, "CREATE TRIGGER tr%u %s %s ON %s BEGIN ", number,
             below(2) ? "BEFORE" : "AFTER", events[event], below(2) ? "o" : "o2");
    test_text_add(out, head);
    for (uint32_t n = 1 + below(3); n > 0; n--) {
        expand(out, bodies[below(sizeof bodies / sizeof bodies[0])],
               event == 3 ? "old" : "new");
        test_text_add(out, "; ");
    }
    test_text_add(out, "END");
}

/* Run it; the answer and everything that can be seen after it. */
static void observe(sqlite3 *db, const char *sql, struct test_text *out)
{
    out->n = 0;
    test_text_add(out, test_sql(db, sql));
    test_text_add(out, sqlite3_get_autocommit(db) ? "; autocommit; " : "; open; ");
    if (sqlite3_errcode(db) == SQLITE_OK) /* after a failure they are undefined */
        test_text_add(out, test_sql(db, "SELECT changes(), last_insert_rowid()"));
    test_text_add(out, "; ");
    test_text_add(out, test_sql(db, "SELECT * FROM t ORDER BY k, v, n"));
    test_text_add(out, "; ");
    test_text_add(out, test_sql(db, "SELECT * FROM o ORDER BY x"));
    test_text_add(out, "; ");
    test_text_add(out, test_sql(db, "SELECT * FROM o2 ORDER BY x, y"));
}

static void run_seed(unsigned number)
{
    static struct test_text sql, want, got;
    char create[160];
    sqlite3 *native = test_open(NULL), *ours = test_open(NULL);
    seed = number * 2654435761u;
    uint32_t shape = below(4);
    snprintf(create, sizeof create, "CREATE TABLE t(%s) %s", shapes[shape].columns,
             shapes[shape].without);
    test_expect(native, create, "");
    snprintf(create, sizeof create, "CREATE VIRTUAL TABLE t USING seerdb(%s)",
             shapes[shape].columns);
    test_expect(ours, create, "");
    const char *tables = below(2) ? "PRAGMA recursive_triggers = on;" : "";
    for (int i = 0; i < 2; i++) {
        sqlite3 *db = i == 0 ? native : ours;
        test_expect(db, tables, "");
        test_expect(db,
                    "CREATE TABLE o(x INTEGER PRIMARY KEY, y); CREATE TABLE o2(x, y);"
                    "INSERT INTO o2 VALUES (99, 99)",
                    "");
    }
    for (unsigned i = 0, n = 1 + below(4); i < n; i++) {
        sql.n = 0;
        make_trigger(&sql, i);
        test_expect(native, sql.text, "");
        test_expect(ours, sql.text, "");
    }
    /* The states are bounded by the text that holds them. */
    for (int i = 0; i < STATEMENTS && want.n < sizeof want.text / 2; i++) {
        sql.n = 0;
        expand(&sql, statements[below(sizeof statements / sizeof statements[0])], "");
        observe(native, sql.text, &want);
        observe(ours, sql.text, &got);
        if (strcmp(got.text, want.text) != 0)
            fail_msg("seed %u, statement %d: %s\n  here: %s\n  ordinary: %s", number, i,
                     sql.text, got.text, want.text);
    }
    want.n = 0;
    sqlite3_close(native);
    sqlite3_close(ours);
}

static void triggers_do_to_a_seerdb_table_what_they_do_to_an_ordinary_one(void **state)
{
    (void)state;
    for (unsigned i = 1; i <= SEEDS; i++)
        run_seed(i);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(triggers_do_to_a_seerdb_table_what_they_do_to_an_ordinary_one),
    };
    return cmocka_run_group_tests(tests, test_dir_make, test_dir_remove);
}
