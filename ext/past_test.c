/* SPDX-License-Identifier: Apache-2.0
 *
 * Random histories of a seerdb table and an ordinary one side by side.  When a snapshot
 * is taken the ordinary table is copied; from then on both must answer alike. */
#define _DEFAULT_SOURCE
#include "test_sql.h"

#include "base/rand.h"

#define SNAPSHOTS 6
#define KEYS      40u

struct pair {
    sqlite3 *db;
    char name[32];
    struct sdb_rand rand;
    bool taken[SNAPSHOTS];
    bool in_txn;
    int savepoints;
    unsigned value;
    const char *key; /* the expression that all is ordered by */
    bool composite, text;
};

static unsigned dice(struct pair *p, unsigned n)
{
    return (unsigned)sdb_rand_below(&p->rand, n);
}

static void run(struct pair *p, const char *sql)
{
    const char *got = test_sql(p->db, sql);
    if (strncmp(got, "error", 5) == 0 || strstr(got, " error ") != NULL)
        fail_msg("%s: %s", sql, got);
}

static void open_db(struct pair *p)
{
    p->db = test_open(p->name);
}

/* A key in words, as the table's key columns have it. */
static void key_words(const struct pair *p, unsigned k, char *out)
{
    if (p->composite)
        sprintf(out, "%u, %u", k / 8, k % 8);
    else if (p->text)
        sprintf(out, "'key%03u'", k);
    else
        sprintf(out, "%u", k);
}

/* A condition that picks some keys. */
static void condition(struct pair *p, char *out)
{
    unsigned a = dice(p, KEYS), b = a + dice(p, 12);
    char lo[40], hi[40];
    key_words(p, a, lo);
    key_words(p, b, hi);
    switch (dice(p, 6)) {
    case 0:
        strcpy(out, "1");
        break;
    case 1:
        sprintf(out, "%s = (%s)", p->composite ? "(a, b)" : "k", lo);
        break;
    case 2:
        if (p->composite)
            sprintf(out, "a = %u AND b >= %u", a / 8, b % 8);
        else
            sprintf(out, "k BETWEEN %s AND %s", lo, hi);
        break;
    case 3:
        if (p->composite)
            sprintf(out, "a IN (%u, %u)", a / 8, b / 8);
        else
            sprintf(out, "k IN (%s, %s)", lo, hi);
        break;
    case 4:
        sprintf(out, "v %% 3 = %u", dice(p, 3));
        break;
    default:
        if (p->composite)
            sprintf(out, "a > %u", a / 8);
        else
            sprintf(out, "k < %s", hi);
        break;
    }
}

/* The same to both tables, whose name comes between. */
static void both(struct pair *p, const char *before, const char *rest)
{
    static const char *const tables[] = {"t", "p"};
    char sql[400];
    for (int i = 0; i < 2; i++) {
        snprintf(sql, sizeof sql, "%s %s %s", before, tables[i], rest);
        run(p, sql);
    }
}

static void write_some(struct pair *p)
{
    char what[200], key[40];
    unsigned kind = dice(p, 10);
    if (kind < 6) {
        key_words(p, dice(p, KEYS), key);
        sprintf(what, "VALUES (%s, %u, 'x')", key, ++p->value);
        both(p, "REPLACE INTO", what);
        return;
    }
    condition(p, what);
    if (kind < 8) {
        char sql[300];
        sprintf(sql, "WHERE %s", what);
        both(p, "DELETE FROM", sql);
    } else {
        char sql[300];
        sprintf(sql, "SET v = %u WHERE %s", ++p->value, what);
        both(p, "UPDATE", sql);
    }
}

/* A range tombstone. */
static void erase_some(struct pair *p)
{
    char sql[200], lo[40], hi[40];
    unsigned a = dice(p, KEYS), b = a + 1 + dice(p, KEYS);
    if (p->composite) {
        sprintf(sql, "SELECT seerdb('t', 'delete_range', %u, %u)", a / 8, b / 8);
        run(p, sql);
        sprintf(sql, "DELETE FROM p WHERE a >= %u AND a < %u", a / 8, b / 8);
    } else {
        key_words(p, a, lo);
        key_words(p, b, hi);
        sprintf(sql, "SELECT seerdb('t', 'delete_range', %s, %s)", lo, hi);
        run(p, sql);
        sprintf(sql, "DELETE FROM p WHERE k >= %s AND k < %s", lo, hi);
    }
    run(p, sql);
}

static void end_txn(struct pair *p, bool commit)
{
    if (p->in_txn)
        run(p, commit ? "COMMIT" : "ROLLBACK");
    p->in_txn = false;
    p->savepoints = 0;
}

static void change_txn(struct pair *p)
{
    if (!p->in_txn) {
        run(p, "BEGIN");
        p->in_txn = true;
    } else if (dice(p, 3) == 0) {
        run(p, "SAVEPOINT s");
        p->savepoints++;
    } else if (p->savepoints > 0 && dice(p, 2) == 0) {
        run(p, dice(p, 2) == 0 ? "ROLLBACK TO s" : "RELEASE s");
        p->savepoints = 0; /* nobody counts on it any more */
    } else {
        end_txn(p, dice(p, 4) > 0);
    }
}

static void change_snapshots(struct pair *p)
{
    unsigned i = dice(p, SNAPSHOTS);
    char sql[200];
    end_txn(p, dice(p, 3) > 0);
    if (p->taken[i])
        snprintf(sql, sizeof sql,
                 "SELECT seerdb('t', 'drop_snapshot', 's%u'); DROP TABLE c%u", i, i);
    else
        snprintf(sql, sizeof sql,
                 "SELECT seerdb('t', 'snapshot', 's%u'); "
                 "CREATE TABLE c%u AS SELECT * FROM p",
                 i, i);
    run(p, sql);
    p->taken[i] = !p->taken[i];
}

/* ---- comparing ------------------------------------------------------------------- */

static void same(struct pair *p, const char *ours, const char *theirs)
{
    char *got = strdup(test_sql(p->db, ours));
    const char *want = test_sql(p->db, theirs);
    if (strcmp(got, want) != 0)
        fail_msg("%s: %s\nwanted: %s", ours, got, want);
    free(got);
}

static int pick_taken(struct pair *p)
{
    unsigned first = dice(p, SNAPSHOTS);
    for (unsigned i = 0; i < SNAPSHOTS; i++)
        if (p->taken[(first + i) % SNAPSHOTS])
            return (int)((first + i) % SNAPSHOTS);
    return -1;
}

static void compare(struct pair *p)
{
    int a = pick_taken(p), b = pick_taken(p);
    char where[200], ours[500], theirs[500];
    condition(p, where);
    if (a < 0) {
        same(p, "SELECT * FROM t ORDER BY 1, 2", "SELECT * FROM p ORDER BY 1, 2");
        return;
    }
    const char *order = dice(p, 2) == 0 ? "" : " DESC";
    switch (dice(p, 5)) {
    case 0:
        sprintf(ours, "SELECT * FROM t WHERE _snapshot = 's%d' AND %s ORDER BY %s%s", a,
                where, p->key, order);
        sprintf(theirs, "SELECT * FROM c%d WHERE %s ORDER BY %s%s", a, where, p->key,
                order);
        break;
    case 1:
        sprintf(ours,
                "SELECT count(*), sum(v), max(v) FROM t WHERE _snapshot = 's%d' AND %s",
                a, where);
        sprintf(theirs, "SELECT count(*), sum(v), max(v) FROM c%d WHERE %s", a, where);
        break;
    case 2: /* what differs */
        sprintf(ours,
                "SELECT v FROM t WHERE _snapshot = 's%d' EXCEPT "
                "SELECT v FROM t WHERE _snapshot = 's%d' ORDER BY 1",
                a, b);
        sprintf(theirs, "SELECT v FROM c%d EXCEPT SELECT v FROM c%d ORDER BY 1", a, b);
        break;
    case 3: /* then and now */
        sprintf(ours,
                "SELECT n.v, o.v FROM t AS n LEFT JOIN t AS o ON o.%s = n.%s AND "
                "o._snapshot = 's%d' AND o.v <> n.v ORDER BY 1, 2",
                p->composite ? "a" : "k", p->composite ? "a" : "k", a);
        sprintf(theirs,
                "SELECT n.v, o.v FROM p AS n LEFT JOIN c%d AS o ON o.%s = n.%s AND "
                "o.v <> n.v ORDER BY 1, 2",
                a, p->composite ? "a" : "k", p->composite ? "a" : "k");
        break;
    default: /* by its number */
        sprintf(ours,
                "SELECT * FROM t WHERE %s AND _snapshot = (SELECT number FROM "
                "seerdb_snapshots('t') WHERE name = 's%d') ORDER BY %s",
                where, a, p->key);
        sprintf(theirs, "SELECT * FROM c%d WHERE %s ORDER BY %s", a, where, p->key);
        break;
    }
    same(p, ours, theirs);
}

static void step(struct pair *p)
{
    switch (dice(p, 24)) {
    case 0:
        erase_some(p);
        break;
    case 1:
    case 2:
        change_snapshots(p);
        break;
    case 3:
        end_txn(p, true);
        run(p, "SELECT seerdb('t', 'flush')");
        break;
    case 4:
        end_txn(p, true);
        run(p, "SELECT seerdb('t', 'compact')");
        break;
    case 5:
        if (dice(p, 4) > 0)
            break;
        end_txn(p, dice(p, 2) == 0);
        test_close(p->db);
        open_db(p);
        break;
    case 6:
        if (p->in_txn)
            run(p, "SELECT seerdb('t', 'spill')");
        break;
    case 7:
    case 8:
    case 9:
        change_txn(p);
        break;
    case 10:
    case 11:
    case 12:
    case 13:
    case 14:
        compare(p);
        break;
    default:
        write_some(p);
        break;
    }
}

static void live(uint64_t seed, int shape)
{
    static const char *const shapes[][3] = {
        {"k INTEGER PRIMARY KEY, v, w", "", "k"},
        {"k TEXT PRIMARY KEY, v, w", " WITHOUT ROWID", "k"},
        {"a, b, v, w, PRIMARY KEY (a, b DESC)", " WITHOUT ROWID", "a, b"}};
    struct pair p = {.rand = {seed * 3 + (uint64_t)shape},
                     .key = shapes[shape][2],
                     .text = shape == 1,
                     .composite = shape == 2};
    char sql[400];
    snprintf(p.name, sizeof p.name, "%d-%d.db", (int)seed, shape);
    open_db(&p);
    snprintf(sql, sizeof sql,
             "PRAGMA journal_mode = %s; "
             "CREATE VIRTUAL TABLE t USING seerdb(%s, history = '%s'); "
             "CREATE TABLE p(%s)%s",
             seed % 2 == 0 ? "wal" : "delete", shapes[shape][0],
             seed % 3 == 0 ? "10" : "0", shapes[shape][0], shapes[shape][1]);
    run(&p, sql);
    for (int i = 0; i < 250; i++)
        step(&p);
    end_txn(&p, true);
    same(&p, "SELECT v FROM t ORDER BY 1", "SELECT v FROM p ORDER BY 1");
    for (int i = 0; i < 40; i++)
        compare(&p);
    test_expect_part(p.db, "SELECT seerdb('t', 'verify')", "no damage");
    test_close(p.db);
}

static void snapshots_answer_as_copies_of_an_ordinary_table(void **state)
{
    const char *often = getenv("ROUNDS");
    uint64_t rounds = often != NULL ? strtoull(often, NULL, 10) : 2;
    (void)state;
    for (uint64_t seed = 1; seed <= rounds; seed++)
        for (int shape = 0; shape < 3; shape++)
            live(seed, shape);
}

/* ---- cases -------------------------------------------------------------------------
 */

static void a_connection_keeps_what_it_sees_not_what_others_wrote_since(void **state)
{
    (void)state;
    sqlite3 *a = test_open("two.db"), *b = test_open("two.db");
    test_expect(a, "PRAGMA journal_mode = wal", "wal");
    test_expect(a,
                "CREATE VIRTUAL TABLE t USING seerdb(k INTEGER PRIMARY KEY, v); "
                "INSERT INTO t VALUES (1, 'old'); BEGIN; SELECT v FROM t",
                "old");
    test_expect(b, "UPDATE t SET v = 'new'", "");
    test_expect_part(b, "SELECT seerdb('t', 'snapshot', 'b')", "snapshot 'b'");
    test_expect_part(a, "SELECT seerdb('t', 'snapshot', 'a')", "snapshot 'a'");
    test_expect(a,
                "SELECT v FROM t; SELECT v FROM t WHERE _snapshot = 'a'; "
                "SELECT v FROM t WHERE _snapshot = 'b'",
                "old old new");
    test_expect_part(a,
                     "SELECT v FROM t WHERE _snapshot = (SELECT number FROM "
                     "seerdb_snapshots('t') WHERE name = 'b')",
                     "its last commit is");
    test_expect(a, "COMMIT; SELECT v FROM t WHERE _snapshot = 'a'", "old");
    test_expect(b, "SELECT v FROM t WHERE _snapshot = 'a'", "old");
    test_close(a);
    test_close(b);
}

static void deleting_is_refused_only_where_it_may_mean_the_past(void **state)
{
    (void)state;
    sqlite3 *db = test_open("delete.db");
    sqlite3_stmt *stmt = NULL;
    test_expect(
        db,
        "CREATE VIRTUAL TABLE t USING seerdb(k TEXT PRIMARY KEY, v); INSERT INTO "
        "t VALUES ('a', 1), ('b', 1), ('c', 1), ('d', 1)",
        "");
    test_expect_part(db, "SELECT seerdb('t', 'snapshot', 's')", "snapshot");
    static const char *const refused[] = {
        "DELETE FROM t WHERE _snapshot = 's'",
        "DELETE FROM t WHERE _snapshot = 's' AND k = 'a'",
        "DELETE FROM t WHERE k = 'a' AND _snapshot IN ('s')",
        "DELETE FROM t WHERE _snapshot = 's' AND k IN (SELECT k FROM t)",
        "WITH x AS (SELECT 's' AS n) DELETE FROM t WHERE _snapshot = (SELECT n FROM x)",
        "UPDATE t SET v = 2 WHERE _snapshot = 's' AND k = 'a'",
        "UPDATE t SET v = 2, k = 'z' WHERE _snapshot = 's' AND k = 'a'",
        "UPDATE t SET v = o.v + 1 FROM t AS o WHERE t._snapshot = 's' AND o.k = t.k"};
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
        test_expect_part(db, refused[i], "as of a snapshot");
    test_expect(db, "SELECT count(*), sum(v) FROM t", "4|4");
    test_expect(db,
                "DELETE FROM t WHERE k = (SELECT max(k) FROM t WHERE _snapshot = 's'); "
                "SELECT group_concat(k) FROM t",
                "a,b,c");
    test_expect(
        db,
        "DELETE FROM t WHERE EXISTS (SELECT 1 FROM t AS o WHERE _snapshot = 's' "
        "AND o.k = t.k AND o.k > 'b'); SELECT group_concat(k) FROM t",
        "a,b");
    test_expect(
        db,
        "UPDATE t SET v = o.v + 1 FROM t AS o WHERE o._snapshot = 's' AND o.k = "
        "t.k; SELECT group_concat(v) FROM t",
        "2,2");
    /* While somebody else reads the past nobody knows. */
    assert_int_equal(sqlite3_prepare_v2(db, "SELECT k FROM t WHERE _snapshot = 's'", -1,
                                        &stmt, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    test_expect_part(db, "DELETE FROM t WHERE k = 'a'", "end that first");
    test_expect(db, "UPDATE t SET v = 3 WHERE k = 'a'; REPLACE INTO t VALUES ('e', 1)",
                "");
    sqlite3_finalize(stmt);
    test_expect(db, "DELETE FROM t WHERE k = 'a'; SELECT group_concat(k) FROM t",
                "b,e");
    test_close(db);
}

static void a_name_may_be_any_text(void **state)
{
    static const char *const names[] = {
        "5", " ", "O''Brien", "\xc3\xa4\xe2\x82\xac", "%s", "Monday", "monday"};
    (void)state;
    for (int utf16 = 0; utf16 < 2; utf16++) {
        sqlite3 *db = test_open(utf16 ? "16.db" : "8.db");
        char sql[200];
        test_sql(db, utf16 ? "PRAGMA encoding = 'UTF-16le'" : "");
        test_expect(db, "CREATE VIRTUAL TABLE t USING seerdb(k INTEGER PRIMARY KEY, v)",
                    "");
        for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
            snprintf(
                sql, sizeof sql,
                "INSERT INTO t(v) VALUES (1); SELECT seerdb('t', 'snapshot', '%s')",
                names[i]);
            test_expect_part(db, sql, "are kept until");
        }
        for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
            char want[8];
            snprintf(want, sizeof want, "%zu|1", i + 1);
            snprintf(sql, sizeof sql,
                     "SELECT count(*), _snapshot = '%s' FROM t WHERE _snapshot = '%s'",
                     names[i], names[i]);
            test_expect(db, sql, want);
        }
        test_close(db);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(snapshots_answer_as_copies_of_an_ordinary_table),
        cmocka_unit_test(a_connection_keeps_what_it_sees_not_what_others_wrote_since),
        cmocka_unit_test(deleting_is_refused_only_where_it_may_mean_the_past),
        cmocka_unit_test(a_name_may_be_any_text),
    };
    return cmocka_run_group_tests(tests, test_dir_make, test_dir_remove);
}
