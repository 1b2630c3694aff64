/* SPDX-License-Identifier: Apache-2.0
 *
 * Databases in UTF-16: SQLite itself is the reference. */
#define _DEFAULT_SOURCE
#include "encoding.h"

#include "base/rand.h"
#include "plan.h"
#include "test_mem.h"
#include "test_sql.h"

#define UNITS_MAX 6

static const enum svt_encoding wide[] = {SVT_UTF16LE, SVT_UTF16BE};
#define NWIDE (sizeof wide / sizeof wide[0])

static sqlite3 *open_in(enum svt_encoding e)
{
    char sql[64];
    sqlite3 *db = test_open(NULL);
    snprintf(sql, sizeof sql, "PRAGMA encoding = '%s'", svt_encoding_name(e));
    test_expect(db, sql, "");
    return db;
}

/* Characters that collide by a byte, fold, are trimmed, end texts, mark a byte order,
 * belong to numbers, or do so only in pairs. */
static const uint16_t units[] = {
    0,      'a',    'A',    'b',    'z',    'Z',    ' ',    '5',    '0',    '-',
    '.',    0x80,   0xe9,   0xff,   0x130,  0x139,  0x160,  0x161,  0x2000, 0x2020,
    0x3130, 0x4e61, 0xd7ff, 0xd800, 0xd83d, 0xdbff, 0xdc00, 0xde00, 0xdfff, 0xe000,
    0xfeff, 0xfffe, 0xffff, 0x6100, 0x2e2e, 0x100,  0x1,    0x141,  0xfffd, '\t'};

static seerdb_slice random_text(struct sdb_rand *r, enum svt_encoding e,
                                uint8_t room[2 * UNITS_MAX])
{
    size_t n = sdb_rand_below(r, UNITS_MAX + 1);
    for (size_t i = 0; i < n; i++) {
        uint16_t u = units[sdb_rand_below(r, sizeof units / sizeof units[0])];
        room[2 * i + (e == SVT_UTF16BE)] = (uint8_t)u;
        room[2 * i + (e == SVT_UTF16LE)] = (uint8_t)(u >> 8);
    }
    return (seerdb_slice){room, 2 * n};
}

static sqlite3_stmt *prepare(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *stmt = NULL;
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
    return stmt;
}

/* Behind a byte order mark, which SQLite takes away. */
static void bind(sqlite3_stmt *stmt, int i, seerdb_slice text, enum svt_encoding e)
{
    uint8_t marked[2 + 2 * UNITS_MAX] = {0xfe, 0xff};
    if (e == SVT_UTF16LE) {
        marked[0] = 0xff;
        marked[1] = 0xfe;
    }
    memcpy(marked + 2, text.data, text.size);
    assert_int_equal(sqlite3_bind_text64(stmt, i, (const char *)marked, text.size + 2,
                                         SQLITE_TRANSIENT,
                                         (unsigned char)svt_encoding_code(e)),
                     SQLITE_OK);
}

static void the_encoding_is_found(void **state)
{
    (void)state;
    for (enum svt_encoding e = SVT_UTF8; e <= SVT_UTF16BE; e++) {
        sqlite3 *db = open_in(e);
        enum svt_encoding found = SVT_UTF8;
        assert_int_equal(svt_encoding_find(db, &found), SQLITE_OK);
        assert_int_equal(found, e);
        test_expect(db, "CREATE TABLE t(x)", "");
        found = SVT_UTF8;
        assert_int_equal(svt_encoding_find(db, &found), SQLITE_OK);
        assert_int_equal(found, e);
        assert_int_equal(svt_encoding_code(e), e == SVT_UTF8      ? SQLITE_UTF8
                                               : e == SVT_UTF16LE ? SQLITE_UTF16LE
                                                                  : SQLITE_UTF16BE);
        test_close(db);
    }
}

static void a_text_is_converted_as_the_database_keeps_it(void **state)
{
    (void)state;
    static const char *const hex[] = {"61 c3 a9 f0 9f 98 80 00",
                                      "61 00 e9 00 3d d8 00 de 00 00",
                                      "00 61 00 e9 d8 3d de 00 00 00"};
    for (enum svt_encoding e = SVT_UTF8; e <= SVT_UTF16BE; e++) {
        sqlite3 *db = open_in(e);
        struct svt_bytes out = {.data = NULL};
        assert_int_equal(
            svt_encoding_convert(db, (seerdb_slice){"a\xc3\xa9\xf0\x9f\x98\x80\0", 8},
                                 &out),
            SQLITE_OK);
        test_hex_equal(svt_bytes_slice(&out), hex[e]);
        svt_bytes_clear(&out);
        assert_int_equal(svt_encoding_convert(db, (seerdb_slice){NULL, 0}, &out),
                         SQLITE_OK);
        assert_int_equal(out.size, 0);
        svt_bytes_fini(&out);
        test_close(db);
    }
}

static void utf16_becomes_utf8_as_sqlite_converts_it(void **state)
{
    (void)state;
    struct sdb_rand r = {11};
    uint8_t room[2 * UNITS_MAX];
    for (size_t k = 0; k < NWIDE; k++) {
        sqlite3 *db = open_in(wide[k]);
        sqlite3_stmt *stmt = prepare(db, "SELECT ?1");
        struct svt_bytes out = {.data = NULL};
        for (int i = 0; i < 20000; i++) {
            seerdb_slice text = random_text(&r, wide[k], room);
            bind(stmt, 1, text, wide[k]);
            assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
            const unsigned char *want = sqlite3_column_text(stmt, 0);
            svt_bytes_clear(&out);
            svt_encoding_to_utf8(&out, text, wide[k]);
            assert_int_equal(out.size, sqlite3_column_bytes(stmt, 0));
            if (out.size > 0)
                assert_memory_equal(out.data, want, out.size);
            sqlite3_reset(stmt);
        }
        svt_bytes_fini(&out);
        sqlite3_finalize(stmt);
        test_close(db);
    }
}

static void an_odd_byte_at_the_end_is_left_out(void **state)
{
    (void)state;
    struct svt_bytes out = {.data = NULL};
    svt_encoding_to_utf8(&out, (seerdb_slice){"a\0b", 3}, SVT_UTF16LE);
    test_hex_equal(svt_bytes_slice(&out), "61");
    svt_bytes_clear(&out);
    svt_encoding_to_utf8(&out, (seerdb_slice){"a", 1}, SVT_UTF16LE);
    assert_int_equal(out.size, 0);
    svt_bytes_fini(&out);
}

static void the_first_character_is_told_if_it_is_ascii(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t n;
        enum svt_encoding e;
        uint8_t want;
    } cases[] = {{"5x", 2, SVT_UTF8, '5'},        {"", 0, SVT_UTF8, 0},
                 {"\xc3\xa9", 2, SVT_UTF8, 0x80}, {"5\0", 2, SVT_UTF16LE, '5'},
                 {"5\1", 2, SVT_UTF16LE, 0x80},   {"\0005", 2, SVT_UTF16BE, '5'},
                 {"\0015", 2, SVT_UTF16BE, 0x80}, {"", 0, SVT_UTF16LE, 0},
                 {"5", 1, SVT_UTF16LE, 0},        {"\0\0", 2, SVT_UTF16BE, 0},
                 {"\x80\0", 2, SVT_UTF16LE, 0x80}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(
            svt_encoding_first((seerdb_slice){cases[i].bytes, cases[i].n}, cases[i].e),
            cases[i].want);
}

static int byte_order(const struct svt_bytes *a, const struct svt_bytes *b)
{
    size_t n = a->size < b->size ? a->size : b->size;
    int order = memcmp(a->data, b->data, n);
    order = order != 0 ? order : (a->size > b->size) - (a->size < b->size);
    return (order > 0) - (order < 0);
}

static struct svt_value text_value(seerdb_slice bytes)
{
    return (struct svt_value){.type = SQLITE_TEXT, .bytes = bytes};
}

/* In every form of a part: in the middle or last, rising or falling. */
static void check_order(enum svt_encoding e, enum svt_collation c, seerdb_slice a,
                        seerdb_slice b, int want)
{
    struct svt_bytes x = {.data = NULL}, y = {.data = NULL};
    struct svt_value va = text_value(a), vb = text_value(b);
    for (int form = 0; form < 4; form++) {
        struct svt_key_part part = {
            .collation = c, .desc = form & 1, .last = form & 2, .encoding = e};
        svt_bytes_clear(&x);
        svt_bytes_clear(&y);
        svt_key_put(&x, &part, &va);
        svt_key_put(&y, &part, &vb);
        assert_int_equal(byte_order(&x, &y), part.desc ? -want : want);
    }
    svt_bytes_fini(&x);
    svt_bytes_fini(&y);
}

static void keys_sort_as_sqlite_compares(void **state)
{
    (void)state;
    static const char *const names[] = {"BINARY", "NOCASE", "RTRIM"};
    struct sdb_rand r = {5};
    uint8_t room_a[2 * UNITS_MAX], room_b[2 * UNITS_MAX];
    for (size_t k = 0; k < NWIDE * 3; k++) {
        char sql[200];
        enum svt_encoding e = wide[k / 3];
        sqlite3 *db = open_in(e);
        snprintf(sql, sizeof sql,
                 "SELECT (a > b) - (a < b) FROM (SELECT ?1 COLLATE %s AS a, ?2 "
                 "AS b)",
                 names[k % 3]);
        sqlite3_stmt *stmt = prepare(db, sql);
        for (int i = 0; i < 10000; i++) {
            seerdb_slice a = random_text(&r, e, room_a), b = random_text(&r, e, room_b);
            if (i % 3 == 0 && a.size >= 2) { /* they begin alike */
                memcpy(room_b, room_a, a.size - 2);
                b.size = b.size < a.size - 2 ? a.size - 2 : b.size;
            }
            bind(stmt, 1, a, e);
            bind(stmt, 2, b, e);
            assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
            check_order(e, (enum svt_collation)(k % 3), a, b,
                        sqlite3_column_int(stmt, 0));
            sqlite3_reset(stmt);
        }
        sqlite3_finalize(stmt);
        test_close(db);
    }
}

/* BINARY texts come back byte for byte; of the other collations the key keeps what
 * tells its values apart. */
static void keys_give_binary_texts_back(void **state)
{
    (void)state;
    struct sdb_rand r = {6};
    uint8_t room[2 * UNITS_MAX];
    struct svt_bytes key = {.data = NULL}, scratch = {.data = NULL},
                     again = {.data = NULL};
    for (unsigned i = 0; i < 60000; i++) {
        enum svt_encoding e = wide[i % NWIDE];
        struct svt_key_part part = {.collation = (enum svt_collation)(i / 2 % 3),
                                    .desc = i / 6 & 1,
                                    .last = i / 12 & 1,
                                    .encoding = e};
        struct svt_value v = text_value(random_text(&r, e, room)), got;
        svt_bytes_clear(&key);
        svt_bytes_clear(&scratch);
        svt_key_put(&key, &part, &v);
        const uint8_t *p = key.data;
        assert_true(svt_key_get(&p, key.data + key.size, &part, &got, &scratch));
        assert_ptr_equal(p, key.data + key.size);
        if (part.collation == SVT_BINARY) {
            assert_true(svt_value_identical(&got, &v));
            continue;
        }
        /* What comes back is UTF-8 and has the same key. */
        part.encoding = SVT_UTF8;
        if (part.collation == SVT_NOCASE && memchr(got.bytes.data, 0, got.bytes.size))
            continue; /* cut at its NUL */
        svt_bytes_clear(&again);
        svt_key_put(&again, &part, &got);
        assert_int_equal(byte_order(&key, &again), 0);
    }
    svt_bytes_fini(&key);
    svt_bytes_fini(&scratch);
    svt_bytes_fini(&again);
}

/* put_first bounds the texts that begin with the characters from '\t' to '9', among
 * which are all that look like numbers. */
static void texts_by_their_first_character_lie_between_bounds(void **state)
{
    (void)state;
    struct sdb_rand r = {8};
    uint8_t room[2 * UNITS_MAX];
    struct svt_bytes key = {.data = NULL}, lo = {.data = NULL}, hi = {.data = NULL};
    unsigned inside = 0;
    for (unsigned i = 0; i < 60000; i++) {
        enum svt_encoding e = wide[i % NWIDE];
        struct svt_key_part part = {.collation = (enum svt_collation)(i / 2 % 3),
                                    .desc = i / 6 & 1,
                                    .last = i / 12 & 1,
                                    .encoding = e};
        struct svt_value v = text_value(random_text(&r, e, room));
        uint8_t first = svt_encoding_first(v.bytes, e);
        bool digit = first >= 0x09 && first <= 0x39;
        if (part.collation == SVT_RTRIM && first == ' ')
            continue; /* it may be trimmed away */
        svt_bytes_clear(&key);
        svt_bytes_clear(&lo);
        svt_bytes_clear(&hi);
        svt_key_put(&key, &part, &v);
        svt_key_put_first(&lo, &part, part.desc ? 0x39 : 0x09);
        svt_key_put_first(&hi, &part, part.desc ? 0x08 : 0x3a);
        bool is_inside = byte_order(&lo, &key) <= 0 && byte_order(&key, &hi) < 0;
        bool exact = e == SVT_UTF16BE || part.collation != SVT_BINARY;
        assert_true(is_inside || !digit);
        assert_true(digit || !is_inside || !exact);
        inside += is_inside;
    }
    assert_true(inside > 5000);
    svt_bytes_fini(&key);
    svt_bytes_fini(&lo);
    svt_bytes_fini(&hi);
}

static void the_documented_keys_are_written(void **state)
{
    (void)state;
    static const struct {
        struct svt_key_part part;
        const char *hex;
    } cases[] = {
        {{.last = true, .encoding = SVT_UTF16LE}, "25 48 00 69 00"},
        {{.last = true, .encoding = SVT_UTF16BE}, "25 00 48 00 69"},
        {{.encoding = SVT_UTF16LE}, "25 48 00 ff 69 00 ff 00 00"},
        {{.last = true, .desc = true, .encoding = SVT_UTF16BE},
         "da ff 00 b7 ff 00 96 ff ff"},
        {{.collation = SVT_NOCASE, .last = true, .encoding = SVT_UTF16BE}, "25 68 69"},
    };
    struct svt_bytes key = {.data = NULL};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct svt_value v = text_value(cases[i].part.encoding == SVT_UTF16LE
                                            ? (seerdb_slice){"H\0i\0", 4}
                                            : (seerdb_slice){"\0H\0i", 4});
        svt_bytes_clear(&key);
        svt_key_put(&key, &cases[i].part, &v);
        test_hex_equal(svt_bytes_slice(&key), cases[i].hex);
    }
    svt_bytes_fini(&key);
}

static enum svt_encoding reading_as;
static unsigned nread;

/* stored(value, affinity, blob): the value as such a column keeps it has these bytes;
 * argv[3] is its type. */
static void stored(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    struct svt_value v;
    (void)ctx;
    (void)argc;
    enum svt_affinity a = (enum svt_affinity)sqlite3_value_int(argv[1]);
    int size = sqlite3_value_bytes(argv[2]);
    assert_int_equal(svt_value_reader_of(reading_as)(argv[0], a, &v), SQLITE_OK);
    assert_int_equal(v.type, sqlite3_value_int(argv[3]));
    if (v.type == SQLITE_TEXT || v.type == SQLITE_BLOB) {
        assert_int_equal(v.bytes.size, size);
        if (size > 0)
            assert_memory_equal(v.bytes.data, sqlite3_value_blob(argv[2]),
                                (size_t)size);
    }
    nread++;
}

static void values_are_read_as_an_ordinary_table_keeps_them(void **state)
{
    (void)state;
    for (size_t k = 0; k < NWIDE; k++) {
        sqlite3 *db = open_in(wide[k]);
        reading_as = wide[k];
        nread = 0;
        assert_int_equal(sqlite3_create_function(db, "stored", 4, SQLITE_UTF8, NULL,
                                                 stored, NULL, NULL),
                         SQLITE_OK);
        test_expect(
            db,
            "CREATE TABLE v(x);"
            "INSERT INTO v VALUES ('5'), (' 7 '), ('5\xc3\xa9'), (''), (12), (-2.5), "
            "(9e999), (x'3500'), (x''), (NULL), (char(0)), ('a' || char(0) || 'b'), "
            "(char(65279) || 'q'), (CAST(x'00d8' AS TEXT)), (CAST(x'feff' AS TEXT)), "
            "(CAST(x'd80061' AS TEXT)), (char(128512)), ('1e3'), (9007199254740993);"
            "CREATE TABLE o(b BLOB, t TEXT, n NUMERIC, i INT, r REAL);"
            "INSERT INTO o SELECT x, x, x, x, x FROM v;"
            "CREATE TABLE types(name, number);"
            "INSERT INTO types VALUES ('integer', 1), ('real', 2), ('text', 3), "
            "('blob', 4), ('null', 5);",
            "");
        static const char *const columns[] = {"b", "t", "n", "i", "r"};
        for (int a = 0; a < 5; a++) {
            char sql[300];
            snprintf(sql, sizeof sql,
                     "SELECT count(stored(v.x, %d, CAST(o.%s AS BLOB), (SELECT number "
                     "FROM types WHERE name = typeof(o.%s)))) FROM v JOIN o ON "
                     "v.rowid = o.rowid",
                     a, columns[a], columns[a]);
            test_expect(db, sql, "0");
        }
        assert_int_equal(nread, 19 * 5);
        test_close(db);
    }
}

static int starved;

static void starve(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    struct svt_value v;
    (void)ctx;
    (void)argc;
    test_mem_left = 0;
    starved = svt_value_reader_of(reading_as)(argv[0], SVT_AFFINITY_TEXT, &v);
    test_mem_left = -1;
}

static void a_conversion_without_memory_is_an_error(void **state)
{
    (void)state;
    for (size_t k = 0; k < NWIDE; k++) {
        sqlite3 *db = open_in(wide[k]);
        reading_as = wide[k];
        starved = SQLITE_OK;
        assert_int_equal(sqlite3_create_function(db, "starve", 1, SQLITE_UTF8, NULL,
                                                 starve, NULL, NULL),
                         SQLITE_OK);
        /* Lookaside memory would serve a short one. */
        sqlite3_db_config(db, SQLITE_DBCONFIG_LOOKASIDE, NULL, 0, 0);
        (void)test_sql(db, "SELECT starve(12345)");
        assert_int_equal(starved, SQLITE_NOMEM);
        test_close(db);
    }
}

static void out_of_memory_sticks(void **state)
{
    (void)state;
    struct svt_bytes out = {.data = NULL};
    test_mem_left = 0;
    svt_encoding_to_utf8(&out, (seerdb_slice){"a\0", 2}, SVT_UTF16LE);
    test_mem_left = -1;
    assert_true(out.failed);
    svt_bytes_fini(&out);
}

/* Even where SQLite would take the bounds for the whole of LIKE. */
static void the_bounds_of_like_are_checked_and_maybe_left_alone(void **state)
{
    (void)state;
    static const char *const argv[] = {"seerdb", "main", "t", "k TEXT PRIMARY KEY"};
    struct svt_plan_constraint c[] = {
        {.op = SQLITE_INDEX_CONSTRAINT_GE, .literal = true},
        {.op = SQLITE_INDEX_CONSTRAINT_LT, .literal = true},
        {.op = SQLITE_INDEX_CONSTRAINT_GLOB, .literal = true}};
    for (int i = 0; i < 3; i++) {
        c[i].usable = c[i].collation_matches = true;
        c[i].literal_type = SQLITE_TEXT;
    }
    static const struct {
        enum svt_encoding encoding;
        bool beyond_ascii, omit;
        const char *idx_str;
    } cases[] = {{SVT_UTF8, false, true, "k>=? AND k<?"},
                 {SVT_UTF16LE, false, false, "k>=? AND k<?"},
                 {SVT_UTF16BE, false, false, "k>=? AND k<?"},
                 {SVT_UTF16LE, true, false, "k>=?"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct svt_schema s;
        struct svt_plan p;
        char *message = NULL;
        assert_int_equal(svt_args_parse(4, argv, &s, &message), SQLITE_OK);
        assert_int_equal(svt_schema_encode(&s, NULL, cases[i].encoding), SQLITE_OK);
        c[1].beyond_ascii = cases[i].beyond_ascii;
        struct svt_plan_request r = {.schema = &s,
                                     .constraints = c,
                                     .nconstraints = 3,
                                     .like_skips_blobs = true};
        assert_int_equal(svt_plan_choose(&r, &p), SQLITE_OK);
        assert_string_equal(p.idx_str, cases[i].idx_str);
        assert_int_equal(p.omit[0], cases[i].omit);
        assert_int_equal(p.omit[1], cases[i].omit);
        assert_false(p.omit[2]);
        svt_plan_fini(&p);
        svt_schema_fini(&s);
    }
}

/* Bounds that LIKE ... ESCAPE makes: LIKE itself is not told of. */
static void like_with_an_escape_finds_what_it_matches(void **state)
{
    static const char *const encodings[] = {"UTF-8", "UTF-16le", "UTF-16be"};
    static const char *const collations[] = {"BINARY", "NOCASE"};
    static const char *const patterns[] = {"a",       "ab",         "b",      "a\\_",
                                           "\u00e9",  "\u0161",     "\u00ff", "\u4000",
                                           "a\u00ff", "\U0001F600", "A"};
    (void)state;
    for (int i = 0; i < 3 * 2 * 2; i++) {
        char sql[1024];
        int found = 0;
        sqlite3 *db = test_open(NULL);
        snprintf(
            sql, sizeof sql,
            "PRAGMA encoding = '%s'; PRAGMA case_sensitive_like = %d;"
            "CREATE VIRTUAL TABLE t USING seerdb(k TEXT COLLATE %s PRIMARY KEY);"
            "WITH c(x) AS (VALUES('a'),('b'),('_'),('A'),('B'),(char(233)),(char(353)),"
            "(char(255)),(char(256)),(char(16384)),(char(16385)),(char(128512)),(''))"
            "INSERT OR IGNORE INTO t SELECT a.x || b.x || d.x FROM c a, c b, c d;"
            "INSERT OR IGNORE INTO t VALUES(x'61'), (x'615f'), (7)",
            encodings[i % 3], i / 3 % 2, collations[i / 6]);
        test_expect(db, sql, "");
        for (size_t j = 0; j < sizeof patterns / sizeof patterns[0]; j++) {
            snprintf(
                sql, sizeof sql,
                "SELECT count(*) FROM t WHERE k LIKE '%s%%' ESCAPE '\\' AND k NOT "
                "IN (SELECT k FROM t WHERE +k LIKE '%s%%' ESCAPE '\\');"
                "SELECT (SELECT count(*) FROM t WHERE k LIKE '%s%%' ESCAPE '\\') - "
                "(SELECT count(*) FROM t WHERE +k LIKE '%s%%' ESCAPE '\\')",
                patterns[j], patterns[j], patterns[j], patterns[j]);
            const char *got = test_sql(db, sql);
            if (strcmp(got, "0 0") != 0)
                fail_msg("%s, %d, %s: %s: %s", encodings[i % 3], i / 3 % 2,
                         collations[i / 6], patterns[j], got);
            snprintf(sql, sizeof sql,
                     "SELECT count(*) FROM t WHERE k LIKE '%s%%' ESCAPE '\\'",
                     patterns[j]);
            found += atoi(test_sql(db, sql)) > 0;
        }
        assert_true(found >= 9);
        test_close(db);
    }
}

static int set_up(void **state)
{
    return test_mem_install(state) != 0 ? -1 : test_dir_make(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_encoding_is_found),
        cmocka_unit_test(a_text_is_converted_as_the_database_keeps_it),
        cmocka_unit_test(utf16_becomes_utf8_as_sqlite_converts_it),
        cmocka_unit_test(an_odd_byte_at_the_end_is_left_out),
        cmocka_unit_test(the_first_character_is_told_if_it_is_ascii),
        cmocka_unit_test(keys_sort_as_sqlite_compares),
        cmocka_unit_test(keys_give_binary_texts_back),
        cmocka_unit_test(texts_by_their_first_character_lie_between_bounds),
        cmocka_unit_test(the_documented_keys_are_written),
        cmocka_unit_test(values_are_read_as_an_ordinary_table_keeps_them),
        cmocka_unit_test(a_conversion_without_memory_is_an_error),
        cmocka_unit_test(the_bounds_of_like_are_checked_and_maybe_left_alone),
        cmocka_unit_test(like_with_an_escape_finds_what_it_matches),
        cmocka_unit_test(out_of_memory_sticks),
    };
    return cmocka_run_group_tests(tests, set_up, test_dir_remove);
}
