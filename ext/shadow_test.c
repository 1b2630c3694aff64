/* SPDX-License-Identifier: Apache-2.0 */
#define _DEFAULT_SOURCE
#include "shadow.h"

#include "test_sql.h"

static const struct svt_shadow row = {.store = {{1, 1}},
                                      .tree = {{2, 2}},
                                      .owner = {{3, 3}},
                                      .marker = 0x0102030405060708u};

static sqlite3 *open_with_row(struct svt_place *at)
{
    char *message = NULL;
    sqlite3 *db = test_open(NULL);
    test_expect(db, "CREATE TABLE t_seerdb(id INTEGER PRIMARY KEY, state BLOB)", "");
    *at = (struct svt_place){db, "main", "t_seerdb", "main.t"};
    assert_int_equal(svt_shadow_insert(at, &row, &message), SQLITE_OK);
    assert_null(message);
    return db;
}

static void a_row_is_these_bytes(void **state)
{
    struct svt_place at;
    (void)state;
    sqlite3 *db = open_with_row(&at);
    test_expect(db, "SELECT hex(state) FROM t_seerdb",
                "0100000000000000" /* version */
                "01010000000000000000000000000000"
                "02020000000000000000000000000000"
                "03030000000000000000000000000000"
                "0807060504030201");
    test_close(db);
}

static void a_row_comes_back_and_its_marker_changes(void **state)
{
    struct svt_place at;
    struct svt_shadow s;
    sqlite3_stmt *kept = NULL;
    char *message = NULL;
    (void)state;
    sqlite3 *db = open_with_row(&at);
    assert_int_equal(svt_shadow_read(&at, &s, &message), SQLITE_OK);
    assert_memory_equal(&s, &row, sizeof(s));
    for (uint64_t marker = 1; marker < UINT64_MAX / 7; marker *= 7) {
        assert_int_equal(svt_shadow_mark(&at, &row.tree, marker, &message), SQLITE_OK);
        assert_int_equal(svt_shadow_reread(&at, &kept, &s, &message), SQLITE_OK);
        assert_false(sqlite3_stmt_busy(kept));
        assert_true(s.marker == marker);
        assert_memory_equal(&s, &row, offsetof(struct svt_shadow, marker));
    }
    sqlite3_finalize(kept);
    test_close(db);
}

static void a_marker_goes_to_the_trees_row_wherever_it_is(void **state)
{
    struct svt_place at;
    struct svt_shadow s;
    static const seerdb_uuid unknown = {{9}};
    char *message = NULL;
    (void)state;
    sqlite3 *db = open_with_row(&at);
    test_expect(db,
                "ALTER TABLE t_seerdb RENAME TO u_seerdb; CREATE TABLE x_seerdb(a); "
                "CREATE TABLE y_seerdb(id INTEGER PRIMARY KEY, state); INSERT INTO "
                "y_seerdb VALUES(1, 'text')",
                "");
    assert_int_equal(svt_shadow_mark(&at, &row.tree, 5, &message), SQLITE_OK);
    assert_int_equal(svt_shadow_mark(&at, &unknown, 6, &message), SQLITE_NOTFOUND);
    /* Another tree's row under the old name. */
    struct svt_shadow other = row;
    other.tree = unknown;
    test_expect(db, "CREATE TABLE t_seerdb(id INTEGER PRIMARY KEY, state BLOB)", "");
    assert_int_equal(svt_shadow_insert(&at, &other, &message), SQLITE_OK);
    assert_int_equal(svt_shadow_mark(&at, &row.tree, 7, &message), SQLITE_OK);
    assert_int_equal(svt_shadow_read(&at, &s, &message), SQLITE_OK);
    assert_true(s.marker == row.marker);
    at.table = "u_seerdb";
    assert_int_equal(svt_shadow_read(&at, &s, &message), SQLITE_OK);
    assert_true(s.marker == 7);
    assert_null(message);
    test_close(db);
}

static bool count_row(void *ctx, const struct svt_shadow *s)
{
    int *n = ctx;
    *n += memcmp(s, &row, sizeof row) == 0;
    return true;
}

static void never_like(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    (void)argc;
    (void)argv;
    sqlite3_result_int(ctx, 0);
}

/* A row that is not found is one whose table is gone: its tree would be dropped. */
static void rows_are_found_whatever_the_program_makes_of_like(void **state)
{
    struct svt_place at;
    int n = 0;
    (void)state;
    sqlite3 *db = open_with_row(&at);
    test_expect(db, "CREATE TABLE z(a); CREATE TABLE xseerdb(a)", "");
    for (int argc = 2; argc <= 3; argc++)
        assert_int_equal(sqlite3_create_function(db, "like", argc, SQLITE_UTF8, NULL,
                                                 never_like, NULL, NULL),
                         SQLITE_OK);
    assert_int_equal(svt_shadow_each(db, "main", count_row, &n), SQLITE_OK);
    assert_int_equal(n, 1);
    test_close(db);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_row_is_these_bytes),
        cmocka_unit_test(rows_are_found_whatever_the_program_makes_of_like),
        cmocka_unit_test(a_row_comes_back_and_its_marker_changes),
        cmocka_unit_test(a_marker_goes_to_the_trees_row_wherever_it_is),
    };
    return cmocka_run_group_tests(tests, test_dir_make, test_dir_remove);
}
