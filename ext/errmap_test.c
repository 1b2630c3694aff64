/* SPDX-License-Identifier: Apache-2.0 */
#define _DEFAULT_SOURCE
#include "errmap.h"

#include "test_sql.h"

static void every_result_of_the_engine_has_one_of_sqlite(void **state)
{
    static const struct {
        int engine, sqlite;
    } codes[] = {
        {SEERDB_OK, SQLITE_OK},
        {SEERDB_NOMEM, SQLITE_NOMEM},
        {SEERDB_IOERR, SQLITE_IOERR},
        {SEERDB_FULL, SQLITE_FULL},
        {SEERDB_CORRUPT, SQLITE_CORRUPT_VTAB},
        {SEERDB_MISUSE, SQLITE_MISUSE},
        {SEERDB_BUSY, SQLITE_BUSY},
        {SEERDB_READONLY, SQLITE_READONLY},
        {SEERDB_TOOBIG, SQLITE_TOOBIG},
        {SEERDB_NEWER, SQLITE_CANTOPEN},
        {SEERDB_CANTOPEN, SQLITE_CANTOPEN},
        {SEERDB_FORKED, SQLITE_ERROR},
        {SEERDB_INTERRUPTED, SQLITE_INTERRUPT},
        {SEERDB_MISMATCH, SQLITE_ERROR},
        {SEERDB_GONE, SQLITE_BUSY_SNAPSHOT},
    };
    (void)state;
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
        assert_int_equal(svt_errmap_code(codes[i].engine), codes[i].sqlite);
}

static void a_message_names_the_table_and_keeps_the_engines_words(void **state)
{
    seerdb_err err = {.code = SEERDB_CORRUPT, .msg = "000012.tbl: at 4096: bad"};
    seerdb_err silent = {.code = SEERDB_IOERR};
    sqlite3_vtab vtab = {.zErrMsg = sqlite3_mprintf("an older one")};
    (void)state;
    assert_int_equal(svt_errmap(&vtab, "main.t", SEERDB_CORRUPT, &err),
                     SQLITE_CORRUPT_VTAB);
    assert_string_equal(vtab.zErrMsg, "main.t: 000012.tbl: at 4096: bad");
    assert_int_equal(svt_errmap(&vtab, NULL, SEERDB_CORRUPT, &err),
                     SQLITE_CORRUPT_VTAB);
    assert_string_equal(vtab.zErrMsg, "000012.tbl: at 4096: bad");
    assert_int_equal(svt_errmap(&vtab, "main.t", SEERDB_IOERR, &silent), SQLITE_IOERR);
    assert_string_equal(vtab.zErrMsg, "main.t: the store gave no reason");
    assert_int_equal(svt_errmap(&vtab, "main.t", SEERDB_OK, &err), SQLITE_OK);
    assert_string_equal(vtab.zErrMsg, "main.t: the store gave no reason");
    sqlite3_free(vtab.zErrMsg);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_result_of_the_engine_has_one_of_sqlite),
        cmocka_unit_test(a_message_names_the_table_and_keeps_the_engines_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
