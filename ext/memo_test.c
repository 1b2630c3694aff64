/* SPDX-License-Identifier: Apache-2.0 */
#define _DEFAULT_SOURCE
#include "memo.h"

#include "test_mem.h"
#include "test_sql.h"

#define MAX_ROWS 300

/* Rows of a table with one column and no key. */
struct rows {
    struct svt_schema schema;
    struct svt_reader reader;
    struct svt_bytes keys[MAX_ROWS], values[MAX_ROWS];
    int n;
};

static void rows_open(struct rows *r, const char *column)
{
    const char *argv[] = {"seerdb", "main", "t", column};
    char *message = NULL;
    memset(r, 0, sizeof *r);
    if (svt_args_parse(4, argv, &r->schema, &message) != SQLITE_OK)
        fail_msg("%s", message);
    assert_int_equal(svt_reader_init(&r->reader, &r->schema), SQLITE_OK);
}

static void rows_add(struct rows *r, const struct svt_value *v)
{
    assert_true(r->n < MAX_ROWS);
    svt_key_rowid(&r->keys[r->n], r->n);
    svt_row_put(&r->values[r->n], v, NULL, 1);
    r->n++;
}

static void rows_close(struct rows *r)
{
    for (int i = 0; i < r->n; i++) {
        svt_bytes_fini(&r->keys[i]);
        svt_bytes_fini(&r->values[i]);
    }
    svt_reader_fini(&r->reader);
    svt_schema_fini(&r->schema);
}

static int learn(struct svt_memo *m, struct rows *r, int column)
{
    int rc = SQLITE_OK;
    svt_memo_begin(m, &r->schema, column);
    for (int i = 0; i < r->n && rc == SQLITE_OK; i++) {
        svt_reader_set(&r->reader, svt_bytes_slice(&r->keys[i]),
                       svt_bytes_slice(&r->values[i]));
        rc = svt_memo_add(m, &r->reader, NULL);
    }
    return rc == SQLITE_OK ? svt_memo_finish(m) : rc;
}

/* found[i]: row i is.  They must come in order, each once. */
static int found_by(const struct svt_memo *m, sqlite3_value *v, bool found[MAX_ROWS])
{
    struct svt_memo_walk w;
    int n = 0, last = -1;
    memset(found, 0, MAX_ROWS * sizeof found[0]);
    for (bool more = svt_memo_find(m, v, &w); more; more = svt_memo_next(m, &w)) {
        assert_true(w.at > last && w.at < m->n);
        last = w.at;
        found[w.at] = true;
        n++;
    }
    return n;
}

static const char *const values =
    "(NULL),(0),(1),(-1),(2),(5),(10),('5'),(5.0),(5.5),(-0.0),('5.0'),(' 5'),('05'),"
    "('abc'),('ABC'),('abd'),(''),('-1'),(x''),(x'35'),(x'616263'),(1e300),(-1e300),"
    "(1e999),(-1e999),('1e999'),('Inf'),('-Inf'),(9223372036854775807),"
    "(9223372036854775808.0),('9223372036854775807'),(9007199254740993),"
    "(9007199254740992),(9007199254740992.0),('9007199254740992'),(9007199254740991),"
    "('abc  '),('abc '||char(9)),('a'||char(0)||'b'),('A'||char(0)||'c'),('a'),('  '),"
    "('5 '),('+5'),('.5'),(0.5),('5x'),(4.9999999999999999),(4.999999999999999),"
    "(0.1+0.2),('0.3'),(0.3),('1e2'),(100),('é'),('É'),(':'),('9'),('/'),('nan'),"
    "('0x10'),(16)";

static void prepare(sqlite3 *db, const char *left, const char *right)
{
    char sql[4096];
    snprintf(
        sql, sizeof sql,
        "DROP TABLE IF EXISTS l; DROP TABLE IF EXISTS r;"
        "CREATE TABLE l(x %s); CREATE TABLE r(y %s);"
        "INSERT INTO l VALUES %s; INSERT INTO r SELECT x FROM (SELECT column1 AS x "
        "FROM (VALUES %s))",
        left, right, values, values);
    test_expect(db, sql, "");
}

static void read_left(sqlite3 *db, struct rows *r)
{
    sqlite3_stmt *stmt = NULL;
    assert_int_equal(
        sqlite3_prepare_v2(db, "SELECT x FROM l ORDER BY rowid", -1, &stmt, NULL),
        SQLITE_OK);
    while (sqlite3_step(stmt) == SQLITE_ROW) {
        struct svt_value v; /* read from a copy: nobody holds the connection's mutex */
        sqlite3_value *copy = sqlite3_value_dup(sqlite3_column_value(stmt, 0));
        assert_int_equal(svt_value_read(copy, SVT_AFFINITY_BLOB, &v), SQLITE_OK);
        rows_add(r, &v);
        sqlite3_value_free(copy);
    }
    sqlite3_finalize(stmt);
}

/* Everything that SQLite finds equal is found; and, of all, not everything. */
static void compare(sqlite3 *db, const struct svt_memo *m, const char *collation)
{
    char sql[200];
    sqlite3_stmt *stmt = NULL;
    bool found[MAX_ROWS];
    int64_t right = 0, hits = 0, tries = 0;
    snprintf(sql, sizeof sql,
             "SELECT l.rowid, r.rowid, r.y, l.x = r.y %s FROM r, l ORDER BY 2, 1",
             collation);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
    while (sqlite3_step(stmt) == SQLITE_ROW) {
        if (right != sqlite3_column_int64(stmt, 1)) {
            sqlite3_value *v = sqlite3_value_dup(sqlite3_column_value(stmt, 2));
            hits += found_by(m, v, found);
            sqlite3_value_free(v);
            right = sqlite3_column_int64(stmt, 1);
            tries += m->n;
        }
        int64_t left = sqlite3_column_int64(stmt, 0);
        if (sqlite3_column_int(stmt, 3) == 1 && !found[left - 1])
            fail_msg("%s: row %d is not found by row %d", sql, (int)left, (int)right);
    }
    sqlite3_finalize(stmt);
    assert_true(hits > 0 && hits < tries);
}

static void a_value_finds_every_row_that_sqlite_may_find_equal(void **state)
{
    static const char *const types[] = {"",
                                        "TEXT",
                                        "NUMERIC",
                                        "INTEGER",
                                        "REAL",
                                        "TEXT COLLATE NOCASE",
                                        "TEXT COLLATE RTRIM"};
    static const char *const collations[] = {"", "COLLATE BINARY", "COLLATE NOCASE",
                                             "COLLATE RTRIM"};
    sqlite3 *db = test_open(NULL);
    (void)state;
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        for (size_t j = 0; j < sizeof types / sizeof types[0]; j++) {
            struct rows rows;
            struct svt_memo m = {.column = -1};
            prepare(db, types[i], types[j]);
            rows_open(&rows, "x");
            read_left(db, &rows);
            assert_int_equal(learn(&m, &rows, 0), SQLITE_OK);
            for (size_t k = 0; k < sizeof collations / sizeof collations[0]; k++)
                compare(db, &m, collations[k]);
            svt_memo_clear(&m);
            rows_close(&rows);
        }
    test_close(db);
}

static void what_is_kept_needs_nobodys_memory(void **state)
{
    (void)state;
    sqlite3 *db = test_open(NULL);
    struct rows rows;
    struct svt_memo m = {.column = -1};
    struct svt_value before[MAX_ROWS];
    size_t n = 0;
    prepare(db, "", "");
    rows_open(&rows, "x");
    read_left(db, &rows);
    assert_int_equal(learn(&m, &rows, 0), SQLITE_OK);
    for (int i = 0; i < m.n; i++)
        before[i] = m.values[i];
    test_mem_left = 0;
    assert_int_equal(svt_memo_keep(&m), SQLITE_NOMEM);
    test_mem_left = -1;
    compare(db, &m, "");
    assert_int_equal(svt_memo_keep(&m), SQLITE_OK);
    assert_int_equal(svt_memo_keep(&m), SQLITE_OK); /* it is already */
    for (int i = 0; i < m.n; i++) {
        const struct svt_value *v = &m.values[i];
        assert_true(svt_value_identical(v, &before[i]));
        if ((v->type == SQLITE_TEXT || v->type == SQLITE_BLOB) && v->bytes.size > 0) {
            assert_true((const uint8_t *)v->bytes.data >= m.copy);
            assert_true((const uint8_t *)v->bytes.data < m.copy + m.bytes);
            n++;
        }
        assert_int_equal(m.rows[i].key.size, rows.keys[i].size);
        assert_memory_equal(m.rows[i].key.data, rows.keys[i].data, rows.keys[i].size);
        assert_int_equal(m.rows[i].value.size, rows.values[i].size);
        assert_memory_equal(m.rows[i].value.data, rows.values[i].data,
                            rows.values[i].size);
    }
    assert_true(n > 10);
    compare(db, &m, "");
    svt_memo_clear(&m);
    rows_close(&rows);
    test_close(db);
}

static sqlite3_value *value_of(sqlite3 *db, const char *expression)
{
    char sql[100];
    sqlite3_stmt *stmt = NULL;
    snprintf(sql, sizeof sql, "SELECT %s", expression);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    sqlite3_value *v = sqlite3_value_dup(sqlite3_column_value(stmt, 0));
    sqlite3_finalize(stmt);
    return v;
}

static void numbers_and_words_find_little_else(void **state)
{
    static const struct {
        const char *value;
        int by_number, by_word; /* rows found of 0..99, and of w0..w99, at most */
    } cases[] = {{"7", 3, 3},        {"7.0", 3, 3},       {"100", 3, 3},
                 {"'w7'", 3, 3},     {"'W7'", 3, 3},      {"NULL", 0, 0},
                 {"'7'", 100, 100},  {"x'37'", 100, 100}, {"0.5", 3, 3},
                 {"1e300", 100, 100}};
    sqlite3 *db = test_open(NULL);
    struct rows numbers, words;
    struct svt_memo m[2] = {{.column = -1}, {.column = -1}};
    bool found[MAX_ROWS];
    (void)state;
    rows_open(&numbers, "x");
    rows_open(&words, "x");
    for (int i = 0; i < 100; i++) {
        char word[8];
        snprintf(word, sizeof word, "w%d", i);
        rows_add(&numbers, &(struct svt_value){.type = SQLITE_INTEGER, .i = i});
        rows_add(&words, &(struct svt_value){.type = SQLITE_TEXT,
                                             .bytes = {word, strlen(word)}});
    }
    assert_int_equal(learn(&m[0], &numbers, 0), SQLITE_OK);
    assert_int_equal(learn(&m[1], &words, 0), SQLITE_OK);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        sqlite3_value *v = value_of(db, cases[i].value);
        assert_true(found_by(&m[0], v, found) <= cases[i].by_number);
        assert_true(found_by(&m[1], v, found) <= cases[i].by_word);
        sqlite3_value_free(v);
    }
    assert_int_equal(found_by(&m[0], NULL, found), 100);
    svt_memo_clear(&m[0]);
    assert_int_equal(learn(&m[0], &numbers, -1), SQLITE_OK); /* no column */
    sqlite3_value *seven = value_of(db, "7");
    assert_int_equal(found_by(&m[0], seven, found), 100);
    sqlite3_value_free(seven);
    svt_memo_clear(&m[0]);
    svt_memo_clear(&m[1]);
    rows_close(&numbers);
    rows_close(&words);
    test_close(db);
}

static void large_tables_are_not_learnt(void **state)
{
    static char bytes[300000];
    struct rows rows;
    struct svt_memo m = {.column = -1};
    (void)state;
    rows_open(&rows, "x");
    for (int i = 0; i < 3; i++)
        rows_add(&rows, &(struct svt_value){.type = SQLITE_BLOB,
                                            .bytes = {bytes, sizeof bytes}});
    assert_int_equal(learn(&m, &rows, 0), SQLITE_OK);
    rows_add(&rows,
             &(struct svt_value){.type = SQLITE_BLOB, .bytes = {bytes, sizeof bytes}});
    assert_int_equal(learn(&m, &rows, 0), SQLITE_TOOBIG);
    svt_memo_clear(&m);
    rows_close(&rows);
}

static void learning_without_memory_leaves_nothing(void **state)
{
    struct rows rows;
    struct svt_memo m = {.column = -1};
    int rc = SQLITE_NOMEM;
    (void)state;
    rows_open(&rows, "x");
    for (int i = 0; i < 100; i++)
        rows_add(&rows, &(struct svt_value){.type = SQLITE_INTEGER, .i = i});
    int64_t live = test_mem_live, attempts = 0;
    for (; rc == SQLITE_NOMEM; attempts++) {
        test_mem_left = attempts;
        rc = learn(&m, &rows, 0);
        test_mem_left = -1;
        svt_memo_clear(&m);
        assert_int_equal(test_mem_live, live);
    }
    assert_int_equal(rc, SQLITE_OK);
    assert_true(attempts > 4);
    rows_close(&rows);
}

/* ---- through SQL ----------------------------------------------------------- */

/* The statements give the same with s a seerdb table and an ordinary one. */
static void same(const char *const tables[2], const char *fill,
                 const char *const *statements)
{
    static char want[8192];
    for (; *statements != NULL; statements++)
        for (int i = 0; i < 2; i++) {
            sqlite3 *db = test_open(NULL);
            test_expect(db, "PRAGMA automatic_index = OFF", "");
            test_expect(db, tables[i], "");
            test_expect(db, fill, "");
            const char *got = test_sql(db, *statements);
            if (i == 0)
                strcpy(want, got);
            else if (strcmp(want, got) != 0)
                fail_msg("%s: \"%s\", an ordinary table says \"%s\"", *statements, got,
                         want);
            test_close(db);
        }
}

static void joins_by_heart_answer_as_on_an_ordinary_table(void **state)
{
    static const char *const statements[] = {
        "SELECT n.x, s.v, s.w, typeof(s.v) FROM n CROSS JOIN s WHERE s.v = n.x",
        "SELECT n.x, s.v, s.w FROM n CROSS JOIN s WHERE s.w = n.x",
        "SELECT n.x, s.v FROM n LEFT JOIN s ON s.v = n.x AND s.w > 'b'",
        "SELECT n.x, s.v FROM n CROSS JOIN s WHERE s.w = n.x COLLATE NOCASE",
        "SELECT n.x, s.rowid FROM n CROSS JOIN s WHERE s.v < n.x ORDER BY 1, 2 DESC",
        "SELECT n.x, (SELECT s.w FROM s WHERE s.v = n.x ORDER BY s.rowid DESC) FROM n",
        "SELECT n.x, (SELECT group_concat(w) FROM (SELECT w FROM s ORDER BY rowid)) "
        "FROM n",
        "SELECT a.v, b.v FROM n CROSS JOIN s a CROSS JOIN s b WHERE a.v = n.x "
        "AND b.v = a.v",
        "SAVEPOINT a; DELETE FROM s WHERE v = 3; SELECT count(*) FROM n, s WHERE v = x;"
        "ROLLBACK TO a; SELECT count(*) FROM n, s WHERE v = x; RELEASE a",
        "UPDATE s SET w = (SELECT count(*) FROM s AS t WHERE t.v = s.v);"
        "SELECT v, w FROM s",
        NULL};
    static const char *const tables[] = {
        "CREATE TABLE s(v, w TEXT)", "CREATE VIRTUAL TABLE s USING seerdb(v, w TEXT)"};
    (void)state;
    same(tables,
         "CREATE TABLE n(x);"
         "INSERT INTO n VALUES (1), (2), ('2'), (3), (3), (3.0), (NULL), ('a'), ('A'),"
         "(x'61'), (2.5), (9), (9), ('a ');"
         "INSERT INTO s VALUES (1, 'a'), (2, 'b'), (3, 'c'), ('3', 'A'), (NULL, NULL),"
         "(3, 'cc'), (2.5, '2'), ('a', '2.5'), (x'61', 'x'), (4, 'a '), (0, '')",
         statements);
}

/* Keys that are decoded into scratch, columns that are not all asked for, long values,
 * keys and rowids. */
static void every_kind_of_column_is_known_by_heart(void **state)
{
    static const char *const tables[][2] = {
        {"CREATE TABLE s(a TEXT, b TEXT, v, PRIMARY KEY (a, b DESC)) WITHOUT ROWID",
         "CREATE VIRTUAL TABLE s USING seerdb(a TEXT, b TEXT, v, PRIMARY KEY (a, b "
         "DESC))"},
        {"CREATE TABLE s(a TEXT, b TEXT PRIMARY KEY, v) WITHOUT ROWID",
         "CREATE VIRTUAL TABLE s USING seerdb(a TEXT, b TEXT PRIMARY KEY, v)"},
        {"CREATE TABLE s(a COLLATE NOCASE PRIMARY KEY, b, v) WITHOUT ROWID",
         "CREATE VIRTUAL TABLE s USING seerdb(a COLLATE NOCASE PRIMARY KEY, b, v)"},
        {"CREATE TABLE s(a, b, v)", "CREATE VIRTUAL TABLE s USING seerdb(a, b, v)"},
    };
    static const char *const statements[] = {
        "SELECT x, a, b, v FROM n CROSS JOIN s ORDER BY x, b",
        "SELECT x, b FROM n CROSS JOIN s WHERE a = x || 'a' ORDER BY x, b",
        "SELECT x, a, length(v) FROM n CROSS JOIN s WHERE b = 'd' || x ORDER BY x, a",
        "SELECT x, length(v), substr(v, 700, 3), a FROM n CROSS JOIN s ORDER BY x, a",
        "SELECT max(a), min(b), x FROM n CROSS JOIN s GROUP BY x",
        "SELECT a || b || x FROM n CROSS JOIN s ORDER BY 1 DESC",
        "BEGIN; UPDATE s SET v = (SELECT max(x) FROM n CROSS JOIN s AS t WHERE t.a > "
        "s.a);"
        "SELECT a, b, v FROM s ORDER BY b; ROLLBACK",
        NULL};
    (void)state;
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++)
        same(tables[i],
             "CREATE TABLE n(x); INSERT INTO n VALUES (1), (2), (3), (4), (5);"
             "INSERT INTO s VALUES ('1a', 'd1', 1), ('2A', 'd2', 2.5), ('3a', 'd5', "
             "printf('%.600c%.100c', 'x', 'y')), ('c' || char(0) || 'd', 'e', 'text'),"
             "('', 'f', NULL), ('zz', 'd3', zeroblob(600)), ('y', 'g ', x'00ff')",
             statements);
    sqlite3 *db = test_open(NULL);
    test_expect(db,
                "CREATE VIRTUAL TABLE s USING seerdb(v); INSERT INTO s VALUES (7), (8);"
                "CREATE TABLE n(x); INSERT INTO n VALUES (1), (2), (3), (4);"
                "SELECT x, s.rowid, v FROM n CROSS JOIN s WHERE x <> 2",
                "1|1|7 1|2|8 3|1|7 3|2|8 4|1|7 4|2|8");
    test_close(db);
}

/* An outer row, a write, the next outer row: its walk sees what was written. */
static void walks_see_what_was_written_before_them(void **state)
{
    static const char *const tables[] = {"CREATE TABLE s(v, w)",
                                         "CREATE VIRTUAL TABLE s USING seerdb(v, w)"};
    (void)state;
    for (int i = 0; i < 2; i++) {
        sqlite3 *db = test_open(NULL);
        sqlite3_stmt *stmt = NULL;
        char sql[100];
        test_expect(db, "PRAGMA automatic_index = OFF", "");
        test_expect(db, tables[i], "");
        test_expect(db,
                    "CREATE TABLE n(x); INSERT INTO n VALUES (1),(2),(3),(4),(5),(6);"
                    "INSERT INTO s VALUES (1, 'a'), (0, 'b'); BEGIN;"
                    "INSERT INTO s VALUES (0, 'c')",
                    "");
        assert_int_equal(sqlite3_prepare_v2(db,
                                            "SELECT x FROM n CROSS JOIN s WHERE v = x",
                                            -1, &stmt, NULL),
                         SQLITE_OK);
        for (int x = 1; x <= 6; x++) {
            assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
            assert_int_equal(sqlite3_column_int(stmt, 0), x);
            snprintf(sql, sizeof sql, "INSERT INTO s VALUES (%d, 'd')", x + 1);
            test_expect(db, sql, "");
        }
        assert_int_equal(sqlite3_step(stmt), SQLITE_DONE);
        sqlite3_finalize(stmt);
        test_expect(db, "ROLLBACK", "");
        test_close(db);
    }
}

/* The scan goes on over what it began with when its transaction ends. */
static void a_walk_by_heart_outlives_its_transaction(void **state)
{
    sqlite3 *db = test_open(NULL);
    sqlite3_stmt *stmt = NULL;
    struct test_text out = {.n = 0};
    (void)state;
    test_expect(db,
                "CREATE VIRTUAL TABLE s USING seerdb(v, w); CREATE TABLE n(x);"
                "INSERT INTO n VALUES (1),(2),(3),(4); BEGIN;"
                "INSERT INTO s VALUES (1, 'a'), (2, 'b'), (3, 'c'), (4, 'd')",
                "");
    assert_int_equal(sqlite3_prepare_v2(db,
                                        "SELECT x, w FROM n CROSS JOIN s WHERE v <= x",
                                        -1, &stmt, NULL),
                     SQLITE_OK);
    for (int i = 0; i < 7; i++) /* into the fourth walk */
        assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    assert_string_equal((const char *)sqlite3_column_text(stmt, 1), "a");
    test_expect(db, "COMMIT; DELETE FROM s WHERE v = 3", "");
    assert_int_equal(test_rows(stmt, &out), SQLITE_DONE);
    assert_string_equal(out.text, "4|b 4|c 4|d");
    sqlite3_finalize(stmt);
    test_expect(db, "SELECT count(*) FROM n CROSS JOIN s WHERE v <= x", "8");
    test_close(db);
}

/* The second one of s finds nothing: it learns, too, in turn with the first. */
static const char correlated[] =
    "SELECT sum(x), sum((SELECT w FROM s WHERE v = x)), sum((SELECT length(z) FROM s "
    "WHERE z = 'word' || x)) FROM n";

static void subqueries_that_are_opened_for_every_row_learn_too(void **state)
{
    static const char *const changes[] = {
        "SELECT 1 WHERE 0",
        "UPDATE s SET w = w + 1 WHERE v = 7",
        "BEGIN; DELETE FROM s WHERE v = 9",
        "SAVEPOINT a; INSERT INTO s VALUES (250, 5, 'word250')",
        "ROLLBACK TO a",
        "INSERT INTO s VALUES (251, 6, 'word251')",
        "ROLLBACK",
        "BEGIN; UPDATE s SET v = v + 100; COMMIT",
        "DELETE FROM s",
    };
    (void)state;
    sqlite3 *db = test_open("correlated.db");
    sqlite3 *other = test_open("correlated.db");
    char wanted[100];
    test_expect(
        db,
        "CREATE VIRTUAL TABLE s USING seerdb(v, w, z); CREATE TABLE n(x);"
        "WITH RECURSIVE i(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM i WHERE x "
        "< 300) INSERT INTO n SELECT x FROM i;"
        "INSERT INTO s SELECT x, 2 * x, 'word' || x FROM n WHERE x <= 200;"
        "CREATE TEMP VIEW p AS SELECT v + 0 AS v, w + 0 AS w, z || '' AS z FROM "
        "s",
        "");
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        test_expect(db, changes[i], "");
        test_expect(
            db, "DROP TABLE IF EXISTS o; CREATE TEMP TABLE o AS SELECT * FROM p", "");
        snprintf(wanted, sizeof wanted, "%s",
                 test_sql(db, "SELECT sum(x), sum((SELECT w FROM o WHERE v = x)), "
                              "sum((SELECT length(z) FROM o WHERE z = 'word' || x)) "
                              "FROM n"));
        double before = test_stat(db, "s", "iterators");
        test_expect(db, correlated, wanted);
        test_expect(db, correlated, wanted);
        assert_true(test_stat(db, "s", "iterators") - before < 20);
    }
    /* A connection that did nothing else. */
    test_expect(db, "INSERT INTO s SELECT x, 1, 'w' FROM n", "");
    test_expect(other, "SELECT max(rowid) - min(rowid) FROM s", "299");
    double before = test_stat(other, "s", "iterators");
    test_expect(other, correlated, "45150|300|NULL");
    assert_true(test_stat(other, "s", "iterators") - before < 20);
    test_expect(db, "DELETE FROM s", "");
    /* Two transactions that have written as much. */
    test_expect(db, "INSERT INTO s SELECT x, 1, 'w' FROM n", "");
    test_expect(db, "BEGIN; DELETE FROM s WHERE rowid < 10", "");
    test_expect(db, "SELECT sum((SELECT w FROM s WHERE v = x)) FROM n", "291");
    test_expect(db, "ROLLBACK; BEGIN; UPDATE s SET w = 2 WHERE rowid < 10", "");
    test_expect(db, "SELECT sum((SELECT w FROM s WHERE v = x)) FROM n", "309");
    test_expect(db, "ROLLBACK; DELETE FROM s", "");
    /* What another connection commits is seen, too. */
    test_expect(other, "INSERT INTO s VALUES (1, 1000, 'word1')", "");
    test_expect(db, correlated, "45150|1000|5");
    test_expect(other, "UPDATE s SET w = 1001", "");
    test_expect(db, correlated, "45150|1001|5");
    test_close(other);
    test_close(db);
}

/* Nothing is written when they go. */
static void what_expires_is_not_remembered(void **state)
{
    static const char query[] = "SELECT sum((SELECT w FROM s WHERE v = x)) FROM n";
    (void)state;
    sqlite3 *db = test_open(NULL);
    test_expect(
        db,
        "CREATE VIRTUAL TABLE s USING seerdb(v, w, e, ttl='e');"
        "CREATE TABLE n(x); INSERT INTO n VALUES(1), (2), (3), (4), (5);"
        "INSERT INTO s SELECT x, x, (julianday('now') - 2440587.5) * 86400 + 0.4 "
        "FROM n",
        "");
    const char *got = test_sql(db, query);
    if (strcmp(got, "NULL") != 0) /* on a slow day they are gone already */
        assert_string_equal(got, "15");
    usleep(600000);
    test_expect(db, query, "NULL");
    test_close(db);
}

static void a_row_outlives_what_was_learnt_with_it(void **state)
{
    (void)state;
    sqlite3 *db = test_open(NULL);
    sqlite3_stmt *stmt = NULL;
    test_expect(db,
                "CREATE VIRTUAL TABLE s USING seerdb(v, z); CREATE TABLE n(x);"
                "INSERT INTO n VALUES (1), (2), (3), (4), (5), (6);"
                "INSERT INTO s SELECT x, 'word' || x FROM n",
                "");
    assert_int_equal(sqlite3_prepare_v2(db,
                                        "SELECT (SELECT z FROM s WHERE v = x) FROM n",
                                        -1, &stmt, NULL),
                     SQLITE_OK);
    for (int i = 0; i < 5; i++)
        assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    test_expect(db,
                "UPDATE s SET z = 'other' || v;"
                "SELECT (SELECT z FROM s WHERE v = x) FROM n",
                "other1 other2 other3 other4 other5 other6");
    assert_string_equal((const char *)sqlite3_column_text(stmt, 0), "word5");
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    sqlite3_finalize(stmt);
    test_close(db);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_value_finds_every_row_that_sqlite_may_find_equal),
        cmocka_unit_test(what_is_kept_needs_nobodys_memory),
        cmocka_unit_test(numbers_and_words_find_little_else),
        cmocka_unit_test(large_tables_are_not_learnt),
        cmocka_unit_test(learning_without_memory_leaves_nothing),
        cmocka_unit_test(joins_by_heart_answer_as_on_an_ordinary_table),
        cmocka_unit_test(every_kind_of_column_is_known_by_heart),
        cmocka_unit_test(walks_see_what_was_written_before_them),
        cmocka_unit_test(a_walk_by_heart_outlives_its_transaction),
        cmocka_unit_test(what_expires_is_not_remembered),
        cmocka_unit_test(a_row_outlives_what_was_learnt_with_it),
        cmocka_unit_test_setup_teardown(
            subqueries_that_are_opened_for_every_row_learn_too, test_dir_make,
            test_dir_remove),
    };
    return cmocka_run_group_tests(tests, test_mem_install, NULL);
}
