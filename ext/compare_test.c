/* SPDX-License-Identifier: Apache-2.0 */
#include "compare.h"

#include "base/rand.h"
#include "test.h"

/* SQLite's own answer: -1, 0, 1. */
static int ask(sqlite3_stmt *stmt, const struct svt_value *a, const struct svt_value *b,
               enum svt_encoding e)
{
    const struct svt_value *v[2] = {a, b};
    sqlite3_reset(stmt);
    for (int i = 0; i < 2; i++) {
        const void *p = v[i]->bytes.data != NULL ? v[i]->bytes.data : "";
        switch (v[i]->type) {
        case SQLITE_INTEGER:
            sqlite3_bind_int64(stmt, i + 1, v[i]->i);
            break;
        case SQLITE_FLOAT:
            sqlite3_bind_double(stmt, i + 1, v[i]->r);
            break;
        case SQLITE_TEXT:
            sqlite3_bind_text64(stmt, i + 1, p, v[i]->bytes.size, SQLITE_STATIC,
                                (unsigned char)svt_encoding_code(e));
            break;
        case SQLITE_BLOB:
            sqlite3_bind_blob64(stmt, i + 1, p, v[i]->bytes.size, SQLITE_STATIC);
            break;
        default:
            sqlite3_bind_null(stmt, i + 1);
        }
    }
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    return sqlite3_column_int(stmt, 0);
}

static struct svt_value any_value(struct sdb_rand *r, uint8_t *bytes,
                                  enum svt_encoding e)
{
    static const double reals[] = {0.0,  1.0,   1.5,    -1.5,    9007199254740993.0,
                                   1e19, -1e19, 0x1p63, -0x1p63, 0.1};
    static const int64_t integers[] = {
        0,         1,         -1,           2, 9007199254740992, 9007199254740993,
        INT64_MAX, INT64_MIN, INT64_MAX - 1};
    static const uint8_t letters[] = "aAbBzZ @ []_";
    struct svt_value v = {.type = SQLITE_NULL};
    size_t n = sdb_rand_below(r, 4);
    switch (sdb_rand_below(r, 8)) {
    case 0:
        return v;
    case 1:
        return (struct svt_value){.type = SQLITE_INTEGER,
                                  .i = integers[sdb_rand_below(r, 9)]};
    case 2:
        return (struct svt_value){.type = SQLITE_FLOAT,
                                  .r = reals[sdb_rand_below(r, 10)]};
    case 3:
        v.type = SQLITE_BLOB;
        break;
    default:
        v.type = SQLITE_TEXT;
    }
    size_t size = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t c = letters[sdb_rand_below(r, sizeof letters - 1)];
        if (e != SVT_UTF8 && sdb_rand_below(r, 4) == 0)
            c = (uint32_t[]){0xe9, 0x20ac, 0xffff, 0xd83d}[sdb_rand_below(r, 4)];
        if (e == SVT_UTF8) {
            bytes[size++] = (uint8_t)c;
            continue;
        }
        uint32_t units[2] = {c, 0xde00}; /* a surrogate has its partner */
        for (int k = 0; k < (c == 0xd83d ? 2 : 1); k++) {
            bytes[size++] = (uint8_t)(e == SVT_UTF16LE ? units[k] : units[k] >> 8);
            bytes[size++] = (uint8_t)(e == SVT_UTF16LE ? units[k] >> 8 : units[k]);
        }
    }
    v.bytes = (seerdb_slice){bytes, size};
    return v;
}

static void values_are_ordered_as_sqlite_orders_them(void **state)
{
    static const char *const collations[] = {"BINARY", "NOCASE", "RTRIM"};
    static const char *const encodings[] = {"UTF-8", "UTF-16le", "UTF-16be"};
    struct sdb_rand r = {7};
    uint8_t bytes[2][32];
    (void)state;
    for (int k = 0; k < 9; k++) {
        char sql[192];
        sqlite3 *db = NULL;
        sqlite3_stmt *stmt = NULL;
        assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
        snprintf(sql, sizeof sql, "PRAGMA encoding = '%s'", encodings[k / 3]);
        assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
        /* CASE, not <: NULL is to compare, too. */
        snprintf(sql, sizeof sql,
                 "SELECT CASE WHEN ?1 IS ?2 COLLATE %s THEN 0 WHEN ?1 IS NULL THEN -1 "
                 "WHEN ?2 IS NULL THEN 1 WHEN ?1 < ?2 COLLATE %s THEN -1 ELSE 1 END",
                 collations[k % 3], collations[k % 3]);
        assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
        for (int i = 0; i < 4000; i++) {
            struct svt_value a = any_value(&r, bytes[0], (enum svt_encoding)(k / 3));
            struct svt_value b = any_value(&r, bytes[1], (enum svt_encoding)(k / 3));
            int got = svt_compare(&a, &b, (enum svt_collation)(k % 3),
                                  (enum svt_encoding)(k / 3));
            int want = ask(stmt, &a, &b, (enum svt_encoding)(k / 3));
            if ((got > 0) - (got < 0) != want)
                fail_msg("%s %s: types %d and %d: %d, SQLite says %d", encodings[k / 3],
                         collations[k % 3], a.type, b.type, got, want);
        }
        sqlite3_finalize(stmt);
        sqlite3_close(db);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_ordered_as_sqlite_orders_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
