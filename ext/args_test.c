/* SPDX-License-Identifier: Apache-2.0 */
#include "args.h"

#include "test_mem.h"

#include <math.h>
#include <stdlib.h>

static sqlite3 *db;

/* Parse the arguments, a NULL-terminated list; as xCreate passes them. */
static int parse_list(const char *const *args, struct svt_schema *s, char **message)
{
    const char *argv[40] = {"seerdb", "main", "t"};
    int argc = 3;
    *message = NULL;
    for (; *args != NULL; args++)
        argv[argc++] = *args;
    return svt_args_parse(argc, argv, s, message);
}

#define parse(s, ...)                                                                  \
    do {                                                                               \
        char *message_;                                                                \
        const char *const args_[] = {__VA_ARGS__, NULL};                               \
        if (parse_list(args_, (s), &message_) != SQLITE_OK)                            \
            fail_msg("refused: %s", message_);                                         \
    } while (0)

#define expect_refused(text, ...)                                                      \
    do {                                                                               \
        char *message_;                                                                \
        struct svt_schema s_;                                                          \
        const char *const args_[] = {__VA_ARGS__, NULL};                               \
        assert_int_equal(parse_list(args_, &s_, &message_), SQLITE_ERROR);             \
        assert_string_equal(message_, text);                                           \
        assert_int_equal(s_.ncolumns, 0);                                              \
        sqlite3_free(message_);                                                        \
        svt_schema_fini(&s_);                                                          \
    } while (0)

static void expect_declaration(const struct svt_schema *s, const char *want)
{
    char *got = svt_args_declaration(s);
    assert_non_null(got);
    assert_string_equal(got, want);
    sqlite3_free(got);
}

static void no_columns_mean_a_key_and_a_value(void **state)
{
    (void)state;
    struct svt_schema s;
    parse(&s, "sync = off");
    assert_int_equal(s.shape, SVT_SHAPE_SINGLE);
    assert_int_equal(s.ncolumns, 2);
    assert_string_equal(s.columns[0].name, "key");
    assert_string_equal(s.columns[1].name, "value");
    assert_string_equal(s.columns[1].type, "");
    assert_int_equal(s.columns[0].affinity, SVT_AFFINITY_BLOB);
    assert_int_equal(s.columns[0].key_part, 0);
    assert_true(s.columns[0].not_null);
    assert_true(s.parts[0].last);
    expect_declaration(&s, "CREATE TABLE x(\"key\" NOT NULL, \"value\", \"_op\" "
                           "HIDDEN, \"_snapshot\" BLOB HIDDEN, PRIMARY KEY(\"key\")) "
                           "WITHOUT ROWID");
    svt_schema_fini(&s);
    svt_schema_fini(&s);
    char *message;
    static const char *const none[] = {NULL};
    assert_int_equal(parse_list(none, &s, &message), SQLITE_OK);
    assert_int_equal(s.ncolumns, 2);
    svt_schema_fini(&s);
}

static void columns_are_read_with_everything_they_may_have(void **state)
{
    (void)state;
    struct svt_schema s;
    parse(
        &s, " id  INTEGER -- the key\n PRIMARY KEY ",
        "\"two \"\"words\"\"\" VARCHAR ( 10 ) NOT NULL COLLATE nocase DEFAULT 'it''s'",
        "[three] decimal(10,-5) DEFAULT -1.50 NULL", "`fo``ur` DEFAULT x'00fF'",
        "five UNSIGNED BIG INT DEFAULT '7'", "six/* no type */COLLATE \"RTRIM\"",
        "seven TIMESTAMP WITH TIME ZONE DEFAULT NULL",
        "eight CONSTRAINT given NOT NULL DEFAULT true",
        "nine real default 3 constraint again not null", "order DOUBLE PRECISION",
        "eleven ANY DEFAULT ''", "twelve TEXT DEFAULT 12",
        "thirteen DEFAULT 9223372036854775808", "fourteen DEFAULT 0x10",
        "fifteen INT DEFAULT -9223372036854775808");
    assert_int_equal(s.shape, SVT_SHAPE_IPK);
    assert_int_equal(s.ncolumns, 15);
    const struct svt_column *c = s.columns;
    assert_string_equal(c[0].name, "id");
    assert_string_equal(c[0].type, "INTEGER");
    assert_false(c[0].not_null);
    assert_string_equal(c[1].name, "two \"words\"");
    assert_string_equal(c[1].type, "VARCHAR(10)");
    assert_int_equal(c[1].affinity, SVT_AFFINITY_TEXT);
    assert_int_equal(c[1].collation, SVT_NOCASE);
    assert_true(c[1].not_null && c[1].has_default);
    assert_int_equal(c[1].fallback.type, SQLITE_TEXT);
    test_slice_equal(c[1].fallback.bytes, test_slice("it's"));
    assert_string_equal(c[2].name, "three");
    assert_string_equal(c[2].type, "decimal(10,-5)");
    assert_int_equal(c[2].fallback.type, SQLITE_FLOAT);
    assert_true(c[2].fallback.r == -1.5);
    assert_string_equal(c[3].name, "fo`ur");
    assert_int_equal(c[3].fallback.type, SQLITE_BLOB);
    test_hex_equal(c[3].fallback.bytes, "00 ff");
    assert_string_equal(c[4].type, "UNSIGNED BIG INT");
    assert_int_equal(c[4].fallback.type, SQLITE_INTEGER);
    assert_int_equal(c[4].fallback.i, 7);
    assert_string_equal(c[5].name, "six");
    assert_int_equal(c[5].collation, SVT_RTRIM);
    assert_false(c[5].has_default);
    assert_string_equal(c[6].type, "TIMESTAMP WITH TIME ZONE");
    assert_true(c[6].has_default);
    assert_int_equal(c[6].fallback.type, SQLITE_NULL);
    assert_int_equal(c[7].fallback.i, 1);
    assert_true(c[7].not_null && c[8].not_null);
    assert_int_equal(c[8].fallback.type, SQLITE_FLOAT);
    assert_string_equal(c[9].name, "order");
    assert_int_equal(c[10].fallback.type, SQLITE_TEXT);
    assert_int_equal(c[10].fallback.bytes.size, 0);
    assert_int_equal(c[11].fallback.type, SQLITE_TEXT);
    test_slice_equal(c[11].fallback.bytes, test_slice("12"));
    assert_int_equal(c[12].fallback.type, SQLITE_FLOAT);
    assert_int_equal(c[13].fallback.i, 16);
    assert_true(c[14].fallback.i == INT64_MIN);
    svt_schema_fini(&s);
}

static void the_key_decides_the_shape(void **state)
{
    (void)state;
    static const struct {
        const char *args[6];
        enum svt_shape shape;
        const char *declaration;
    } cases[] = {
        {{"a INTEGER PRIMARY KEY", "b"},
         SVT_SHAPE_IPK,
         "CREATE TABLE x(\"a\" INTEGER NOT NULL PRIMARY KEY, \"b\", \"_op\" HIDDEN, "
         "\"_snapshot\" BLOB HIDDEN)"},
        {{"b", "a integer NOT NULL", "PRIMARY KEY (A DESC)"},
         SVT_SHAPE_IPK,
         "CREATE TABLE x(\"b\", \"a\" integer NOT NULL PRIMARY KEY, \"_op\" HIDDEN, "
         "\"_snapshot\" BLOB HIDDEN)"},
        {{"a INTEGER PRIMARY KEY COLLATE NOCASE", "b COLLATE RTRIM"},
         SVT_SHAPE_IPK,
         "CREATE TABLE x(\"a\" INTEGER NOT NULL PRIMARY KEY, \"b\" COLLATE RTRIM, "
         "\"_op\" HIDDEN, \"_snapshot\" BLOB HIDDEN)"},
        {{"a INTEGER PRIMARY KEY ASC"},
         SVT_SHAPE_IPK,
         "CREATE TABLE x(\"a\" INTEGER NOT NULL PRIMARY KEY, \"_op\" HIDDEN, "
         "\"_snapshot\" BLOB HIDDEN)"},
        {{"a INTEGER PRIMARY KEY DESC", "b"},
         SVT_SHAPE_SINGLE,
         "CREATE TABLE x(\"a\" INTEGER NOT NULL, \"b\", \"_op\" HIDDEN, \"_snapshot\" "
         "BLOB HIDDEN, PRIMARY "
         "KEY(\"a\")) WITHOUT "
         "ROWID"},
        {{"a INT PRIMARY KEY", "b"},
         SVT_SHAPE_SINGLE,
         "CREATE TABLE x(\"a\" INT NOT NULL, \"b\", \"_op\" HIDDEN, \"_snapshot\" BLOB "
         "HIDDEN, PRIMARY "
         "KEY(\"a\")) WITHOUT ROWID"},
        {{"a INTEGER(4) PRIMARY KEY"},
         SVT_SHAPE_SINGLE,
         "CREATE TABLE x(\"a\" INTEGER(4) NOT NULL, \"_op\" HIDDEN, \"_snapshot\" BLOB "
         "HIDDEN, PRIMARY "
         "KEY(\"a\")) WITHOUT ROWID"},
        {{"a TEXT COLLATE NOCASE", "b \t BLOB", "CONSTRAINT pk PRIMARY KEY(a)"},
         SVT_SHAPE_SINGLE,
         "CREATE TABLE x(\"a\" TEXT COLLATE NOCASE NOT NULL, \"b\" BLOB, \"_op\" "
         "HIDDEN, \"_snapshot\" BLOB HIDDEN, PRIMARY "
         "KEY(\"a\")) WITHOUT ROWID"},
        {{"a TEXT", "b INTEGER COLLATE RTRIM", "\"c\"\"d\" REAL",
          "PRIMARY KEY(b COLLATE RTRIM DESC, [a])"},
         SVT_SHAPE_COMPOSITE,
         "CREATE TABLE x(\"a\" TEXT NOT NULL, \"b\" INTEGER COLLATE RTRIM NOT NULL, "
         "\"c\"\"d\" REAL, \"_key\" BLOB HIDDEN PRIMARY KEY NOT NULL, \"_op\" HIDDEN, "
         "\"_snapshot\" BLOB HIDDEN) "
         "WITHOUT ROWID"},
        {{"a", "b NOT NULL"},
         SVT_SHAPE_ROWID,
         "CREATE TABLE x(\"a\", \"b\" NOT NULL, \"_op\" HIDDEN, \"_snapshot\" BLOB "
         "HIDDEN)"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct svt_schema s;
        char *message;
        if (parse_list(cases[i].args, &s, &message) != SQLITE_OK)
            fail_msg("%s: %s", cases[i].args[0], message);
        assert_int_equal(s.shape, cases[i].shape);
        expect_declaration(&s, cases[i].declaration);
        svt_schema_fini(&s);
    }
}

static void key_parts_carry_collation_direction_and_place(void **state)
{
    (void)state;
    struct svt_schema s;
    parse(&s, "a TEXT COLLATE NOCASE", "b", "c", "PRIMARY KEY (c DESC, a, b ASC)");
    assert_int_equal(s.nkey, 3);
    assert_int_equal(s.key[0], 2);
    assert_int_equal(s.key[1], 0);
    assert_int_equal(s.columns[0].key_part, 1);
    assert_true(s.parts[0].desc && !s.parts[1].desc && !s.parts[2].desc);
    assert_true(!s.parts[0].last && !s.parts[1].last && s.parts[2].last);
    assert_int_equal(s.parts[1].collation, SVT_NOCASE);
    svt_schema_fini(&s);
    parse(&s, "a INTEGER", "PRIMARY KEY (a DESC)");
    assert_int_equal(s.nkey, 1);
    assert_false(s.parts[0].desc); /* rowids ascend */
    svt_schema_fini(&s);
    parse(&s, "a", "b");
    assert_int_equal(s.nkey, 0);
    assert_int_equal(s.columns[0].key_part, -1);
    svt_schema_fini(&s);
}

static void options_are_read(void **state)
{
    (void)state;
    struct svt_schema s;
    parse(&s, "a", "path='some ''dir'", "memory_limit = 64 MB", "SYNC = Normal",
          "compression=zstd:19", "insert = \"replace\" -- why not");
    assert_string_equal(s.options.path, "some 'dir");
    assert_int_equal(s.options.memory_limit, 64 << 20);
    assert_int_equal(s.options.sync, SVT_SYNC_NORMAL);
    assert_true(s.options.sync_given);
    assert_int_equal(s.options.compression, 19);
    assert_int_equal(s.options.index, SEERDB_INDEX_LEARNED);
    assert_int_equal(s.options.filter_bits, 10);
    assert_int_equal(s.options.insert, SVT_INSERT_REPLACE);
    svt_schema_fini(&s);
    parse(&s, "a");
    assert_null(s.options.path);
    assert_int_equal(s.options.memory_limit, 0);
    assert_int_equal(s.options.sync, SVT_SYNC_AUTO);
    assert_false(s.options.sync_given);
    assert_int_equal(s.options.compression, 1);
    assert_int_equal(s.options.insert, SVT_INSERT_CHECK);
    svt_schema_fini(&s);
    parse(&s, "a", "path=/var/lib/x.y", "memory_limit=1048576", "compression = none",
          "sync=auto", "insert=check");
    assert_string_equal(s.options.path, "/var/lib/x.y");
    assert_int_equal(s.options.memory_limit, 1 << 20);
    assert_int_equal(s.options.compression, 0);
    assert_true(s.options.sync_given);
    svt_schema_fini(&s);
    parse(&s, "a", "index = Binary", "filter_bits = '20'");
    assert_int_equal(s.options.index, SEERDB_INDEX_BINARY);
    assert_int_equal(s.options.filter_bits, 20);
    svt_schema_fini(&s);
    parse(&s, "a", "index = learned", "filter_bits = 0");
    assert_int_equal(s.options.index, SEERDB_INDEX_LEARNED);
    assert_int_equal(s.options.filter_bits, 0);
    assert_false(s.options.mmap);
    svt_schema_fini(&s);
    parse(&s, "a", "mmap = 1");
    assert_true(s.options.mmap);
    svt_schema_fini(&s);
    parse(&s, "a", "mmap = '0'");
    assert_false(s.options.mmap);
    svt_schema_fini(&s);
    parse(&s, "a", "compression = zstd", "memory_limit = '3gb'");
    assert_int_equal(s.options.compression, 1);
    assert_true(s.options.memory_limit == (int64_t)3 << 30);
    svt_schema_fini(&s);
}

#define COLUMN_GRAMMAR                                                                 \
    "a column takes a type, PRIMARY KEY [ASC|DESC], NOT NULL, COLLATE, DEFAULT "       \
    "and MERGE"
#define KEY_GRAMMAR "PRIMARY KEY (column [COLLATE c] [ASC|DESC], ...)"
#define OPTIONS                                                                        \
    "the options are path, memory_limit, sync, history, compression, index, "          \
    "filter_bits, insert, strict, value_log, compaction, ttl, filter and mmap"

static void what_cannot_be_honoured_is_refused_by_name(void **state)
{
    (void)state;
    expect_refused(
        "t: column \"a\": UNIQUE is not supported: only the PRIMARY KEY is unique",
        "a INT UNIQUE");
    expect_refused("t: UNIQUE is not supported: only the PRIMARY KEY is unique", "a",
                   "unique (a)");
    expect_refused(
        "t: column \"a\": CHECK is not supported: NOT NULL is the only check "
        "on values",
        "a CHECK (a > 0)");
    expect_refused("t: CHECK is not supported: NOT NULL is the only check on values",
                   "a", "CONSTRAINT c CHECK (a > 0)");
    expect_refused("t: column \"a\": REFERENCES is not supported: there are no foreign "
                   "keys",
                   "a INT REFERENCES b(c)");
    expect_refused("t: FOREIGN KEY is not supported", "a",
                   "FOREIGN KEY (a) REFERENCES b(c)");
    expect_refused(
        "t: column \"a\": GENERATED is not supported: every column is stored "
        "as given",
        "a INT GENERATED ALWAYS AS (1)");
    expect_refused("t: column \"a\": AS is not supported: every column is stored as "
                   "given",
                   "a AS (1)");
    expect_refused("t: column \"a\": AUTOINCREMENT is not supported: without it an "
                   "INTEGER PRIMARY KEY takes the next number after the largest",
                   "a INTEGER PRIMARY KEY AUTOINCREMENT");
    expect_refused("t: column \"a\": ON CONFLICT is not supported here: say it in the "
                   "statement (INSERT OR REPLACE), or for all inserts with insert = "
                   "replace",
                   "a TEXT PRIMARY KEY ON CONFLICT REPLACE");
    expect_refused("t: ON CONFLICT is not supported here: say it in the statement "
                   "(INSERT OR REPLACE), or for all inserts with insert = replace",
                   "a", "PRIMARY KEY (a) ON CONFLICT IGNORE");
    expect_refused(
        "t: column \"a\": COLLATE german is not supported: BINARY, NOCASE and "
        "RTRIM are",
        "a TEXT COLLATE german");
    expect_refused("t: PRIMARY KEY gives \"a\" another collation than the column has: "
                   "declare it on the column",
                   "a TEXT", "b", "PRIMARY KEY (b, a COLLATE NOCASE)");
}

static void mistakes_are_named_with_their_place(void **state)
{
    (void)state;
    expect_refused("t: column \"a\": near \"FOO\": " COLUMN_GRAMMAR, "a TEXT FOO");
    expect_refused("t: column \"a\": near \"FOO\": " COLUMN_GRAMMAR, "a CHAR(3) FOO");
    expect_refused("t: column \"a\": near \"FOO\": " COLUMN_GRAMMAR, "a NOT NULL FOO");
    expect_refused("t: column \"a\": near \"HIDDEN\": " COLUMN_GRAMMAR, "a INT HIDDEN");
    expect_refused("t: column \"a\": near \"\"INT hidden\"\": " COLUMN_GRAMMAR,
                   "a \"INT hidden\"");
    expect_refused("t: column \"a\": unexpected end: " COLUMN_GRAMMAR,
                   "a CONSTRAINT c");
    expect_refused("t: column \"a\": unknown type \"INTERSECT\": use a type such as "
                   "INTEGER, REAL, TEXT, BLOB, NUMERIC, VARCHAR(10), DATETIME or "
                   "BOOLEAN, or none",
                   "a INTERSECT");
    expect_refused("t: column \"a\": unknown type \"STRING\": use a type such as "
                   "INTEGER, REAL, TEXT, BLOB, NUMERIC, VARCHAR(10), DATETIME or "
                   "BOOLEAN, or none",
                   "a STRING(10) NOT NULL");
    expect_refused("t: column \"a\": unknown type \"UNSIGNED\": use a type such as "
                   "INTEGER, REAL, TEXT, BLOB, NUMERIC, VARCHAR(10), DATETIME or "
                   "BOOLEAN, or none",
                   "a UNSIGNED DEFAULT 5");
    expect_refused("t: column \"a\": near \"x\": a size was expected: (n) or (n, m)",
                   "a CHAR(x)");
    expect_refused("t: column \"a\": near \",\": a size was expected: (n) or (n, m)",
                   "a CHAR(1,2,3)");
    expect_refused("t: column \"a\": unexpected end: NOT is followed by NULL", "a NOT");
    expect_refused("t: column \"a\": unexpected end: PRIMARY is followed by KEY",
                   "a PRIMARY");
    expect_refused("t: column \"a\": a second COLLATE",
                   "a COLLATE RTRIM COLLATE RTRIM");
    expect_refused("t: column \"a\": a second DEFAULT", "a DEFAULT 1 DEFAULT 1");
    expect_refused("t: column \"A\" is declared twice", "a", "A TEXT");
    expect_refused("t: column \"_a\": names that begin with _ are reserved", "_a");
    expect_refused("t: a column name is empty", "\"\" TEXT");
    expect_refused("t: near \"12\": a name was expected: word, \"word\", [word] or "
                   "`word`",
                   "12 TEXT");
    expect_refused("t: near \"'a'\": a name was expected: word, \"word\", [word] or "
                   "`word`",
                   "'a' TEXT");
    expect_refused("t: a second PRIMARY KEY: a table has one; name several columns as "
                   "PRIMARY KEY (a, b)",
                   "a PRIMARY KEY", "b", "PRIMARY KEY (b)");
    expect_refused(
        "t: column \"b\": a second PRIMARY KEY: a table has one; name several "
        "columns as PRIMARY KEY (a, b)",
        "a PRIMARY KEY", "b PRIMARY KEY");
    expect_refused("t: PRIMARY KEY names \"c\", which is not a column", "a",
                   "PRIMARY KEY (a, c)");
    expect_refused("t: PRIMARY KEY names \"key\", which is not a column",
                   "PRIMARY KEY (key)");
    expect_refused("t: PRIMARY KEY names \"A\" twice", "a", "PRIMARY KEY (a, A)");
    expect_refused("t: near \")\": a name was expected: word, \"word\", [word] or "
                   "`word`",
                   "a", "PRIMARY KEY ()");
    expect_refused("t: unexpected end: " KEY_GRAMMAR, "a", "PRIMARY KEY (a");
    expect_refused("t: near \"a\": " KEY_GRAMMAR, "a", "PRIMARY KEY a");
    expect_refused("t: near \"x\": " KEY_GRAMMAR, "a", "PRIMARY KEY (a) x");
    expect_refused("t: near \"x\": " KEY_GRAMMAR, "a", "PRIMARY KEY (a x)");
}

#define LITERALS                                                                       \
    "DEFAULT takes a literal: a number, 'text', x'blob', NULL, TRUE or FALSE"

static void defaults_are_literals(void **state)
{
    (void)state;
    expect_refused("t: column \"a\": near \"CURRENT_TIME\": " LITERALS,
                   "a TEXT DEFAULT CURRENT_TIME");
    expect_refused("t: column \"a\": near \"(\": " LITERALS, "a DEFAULT (1 + 1)");
    expect_refused("t: column \"a\": near \"'x'\": " LITERALS, "a DEFAULT -'x'");
    expect_refused("t: column \"a\": near \"\"x\"\": " LITERALS, "a DEFAULT \"x\"");
    expect_refused("t: column \"a\": near \"12abc\": " LITERALS, "a DEFAULT 12abc");
    expect_refused("t: column \"a\": near \"x'0'\": " LITERALS, "a DEFAULT x'0'");
    expect_refused("t: column \"a\": unexpected end: " LITERALS, "a DEFAULT");
    expect_refused("t: column \"a\": DEFAULT 0x123456789abcdef01: hex literal too big: "
                   "0x123456789abcdef01",
                   "a DEFAULT 0x123456789abcdef01");
}

static void options_out_of_range_list_what_is_allowed(void **state)
{
    (void)state;
    expect_refused("t: unknown option \"page_size\": " OPTIONS, "a", "page_size = 5");
    expect_refused("t: option sync is given twice", "a", "sync=off", "SYNC=off");
    expect_refused("t: option sync = \"fast\": allowed is auto, full, normal or off",
                   "a", "sync = fast");
    expect_refused("t: option sync = \"\": allowed is auto, full, normal or off", "a",
                   "sync =");
    expect_refused("t: option insert = merge needs a column with MERGE", "a",
                   "insert = 'merge'");
    expect_refused("t: option insert = \"x\": allowed is check, replace or merge", "a",
                   "insert = x");
    expect_refused("t: option path = \"\": allowed is a directory", "a", "path = ''");
    expect_refused("t: near \"y\": the value of an option ends with its closing quote",
                   "a", "path = 'x' y");
    expect_refused("t: near \"'y'\": the value of an option is one word or one quoted "
                   "string",
                   "a", "path = x 'y'");
    static const char *const limits[] = {"1048575",
                                         "1023KB",
                                         "0",
                                         "-5MB",
                                         "5TB",
                                         "MB",
                                         "1.5GB",
                                         "9223372036854775808",
                                         "9007199254740992MB",
                                         "64 MB x",
                                         "0x100000"};
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        char *arg = sqlite3_mprintf("memory_limit = %s", limits[i]);
        char *want =
            sqlite3_mprintf("t: option memory_limit = \"%s\": allowed is a number "
                            "of bytes, also with KB, MB or GB, at least 1MB",
                            limits[i]);
        expect_refused(want, "a", arg);
        sqlite3_free(arg);
        sqlite3_free(want);
    }
    static const char *const bits[] = {"21", "-1", "1x", "ten", "99999999999"};
    for (size_t i = 0; i < sizeof bits / sizeof bits[0]; i++) {
        char *arg = sqlite3_mprintf("filter_bits = '%s'", bits[i]);
        char *want = sqlite3_mprintf("t: option filter_bits = \"%s\": allowed is a "
                                     "number from 0 to 20",
                                     bits[i]);
        expect_refused(want, "a", arg);
        sqlite3_free(arg);
        sqlite3_free(want);
    }
    expect_refused("t: option index = \"hash\": allowed is learned or binary", "a",
                   "index = hash");
    static const char *const levels[] = {"zstd:0",   "zstd:20", "zstd:", "zstd:1x",
                                         "zstd:100", "zstd1",   "lz4",   "1"};
    for (size_t i = 0; i < sizeof levels / sizeof levels[0]; i++) {
        char *arg = sqlite3_mprintf("compression = %s", levels[i]);
        char *want =
            sqlite3_mprintf("t: option compression = \"%s\": allowed is none, zstd "
                            "or zstd:LEVEL with a level of 1 to 19",
                            levels[i]);
        expect_refused(want, "a", arg);
        sqlite3_free(arg);
        sqlite3_free(want);
    }
}

/* n columns, the first `nkey` of them the key. */
static int parse_wide(int n, int nkey, struct svt_schema *s, char **message)
{
    const char **argv = calloc((size_t)n + 4, sizeof argv[0]);
    sqlite3_str *key = sqlite3_str_new(NULL);
    assert_non_null(argv);
    argv[2] = "t";
    sqlite3_str_appendall(key, "PRIMARY KEY (");
    for (int i = 0; i < n; i++) {
        argv[i + 3] = sqlite3_mprintf("c%d", i);
        if (i < nkey)
            sqlite3_str_appendf(key, "%sc%d", i > 0 ? ", " : "", i);
    }
    sqlite3_str_appendall(key, ")");
    char *text = sqlite3_str_finish(key);
    argv[n + 3] = text;
    *message = NULL;
    int rc = svt_args_parse(n + 4, argv, s, message);
    for (int i = 0; i < n; i++) {
        char *owned;
        memcpy(&owned, &argv[i + 3], sizeof owned);
        sqlite3_free(owned);
    }
    sqlite3_free(text);
    free(argv);
    return rc;
}

static void there_are_limits_on_columns(void **state)
{
    (void)state;
    static const struct {
        int n, nkey;
        const char *message;
    } cases[] = {
        {2000, 1, NULL},
        {2001, 1, "t: more than 2000 columns"},
        {1999, 2, NULL},
        {2000, 2, "t: more than 1999 columns beside a key of several columns"},
        {70, 64, NULL},
        {70, 65, "t: the PRIMARY KEY has more than 64 columns"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct svt_schema s;
        char *message;
        int rc = parse_wide(cases[i].n, cases[i].nkey, &s, &message);
        assert_int_equal(rc, cases[i].message == NULL ? SQLITE_OK : SQLITE_ERROR);
        if (message != NULL)
            assert_string_equal(message, cases[i].message);
        sqlite3_free(message);
        svt_schema_fini(&s);
    }
}

/* ---- a module that declares, takes writes and shows nothing ---------------- */

static int last_argc; /* of xUpdate */
static char *last_declaration;

static int dummy_connect(sqlite3 *conn, void *aux, int argc, const char *const *argv,
                         sqlite3_vtab **out, char **message)
{
    (void)aux;
    struct svt_schema s;
    int rc = svt_args_parse(argc, argv, &s, message);
    if (rc != SQLITE_OK)
        return rc;
    sqlite3_free(last_declaration);
    last_declaration = svt_args_declaration(&s);
    rc = sqlite3_declare_vtab(conn, last_declaration);
    svt_schema_fini(&s);
    if (rc == SQLITE_OK) {
        *out = sqlite3_malloc(sizeof **out);
        memset(*out, 0, sizeof **out);
    }
    return rc;
}

static int dummy_disconnect(sqlite3_vtab *vtab)
{
    sqlite3_free(vtab);
    return SQLITE_OK;
}

static int dummy_best_index(sqlite3_vtab *vtab, sqlite3_index_info *info)
{
    (void)vtab;
    (void)info;
    return SQLITE_OK;
}

static int dummy_open(sqlite3_vtab *vtab, sqlite3_vtab_cursor **out)
{
    (void)vtab;
    *out = sqlite3_malloc(sizeof **out);
    memset(*out, 0, sizeof **out);
    return SQLITE_OK;
}

static int dummy_close(sqlite3_vtab_cursor *c)
{
    sqlite3_free(c);
    return SQLITE_OK;
}

static int dummy_filter(sqlite3_vtab_cursor *c, int num, const char *str, int argc,
                        sqlite3_value **argv)
{
    (void)c;
    (void)num;
    (void)str;
    (void)argc;
    (void)argv;
    return SQLITE_OK;
}

static int dummy_next(sqlite3_vtab_cursor *c)
{
    (void)c;
    return SQLITE_OK;
}

static int dummy_eof(sqlite3_vtab_cursor *c)
{
    (void)c;
    return 1;
}

static int dummy_column(sqlite3_vtab_cursor *c, sqlite3_context *context, int i)
{
    (void)c;
    (void)context;
    (void)i;
    return SQLITE_OK;
}

static int dummy_rowid(sqlite3_vtab_cursor *c, sqlite3_int64 *rowid)
{
    (void)c;
    *rowid = 0;
    return SQLITE_OK;
}

static int dummy_update(sqlite3_vtab *vtab, int argc, sqlite3_value **argv,
                        sqlite3_int64 *rowid)
{
    (void)vtab;
    (void)argv;
    (void)rowid;
    last_argc = argc;
    return SQLITE_OK;
}

static const sqlite3_module dummy = {
    .xCreate = dummy_connect,
    .xConnect = dummy_connect,
    .xBestIndex = dummy_best_index,
    .xDisconnect = dummy_disconnect,
    .xDestroy = dummy_disconnect,
    .xOpen = dummy_open,
    .xClose = dummy_close,
    .xFilter = dummy_filter,
    .xNext = dummy_next,
    .xEof = dummy_eof,
    .xColumn = dummy_column,
    .xRowid = dummy_rowid,
    .xUpdate = dummy_update,
};

static void run(const char *sql)
{
    char *message = NULL;
    if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK)
        fail_msg("%s: %s (%s)", sql, message, last_declaration);
}

/* "name type notnull pk, ..." of the table's columns, hidden ones too. */
static char *table_info(const char *table)
{
    sqlite3_stmt *stmt = NULL;
    char *sql = sqlite3_mprintf(
        "SELECT group_concat(name || ' ' || type || ' ' || \"notnull\" || ' ' || pk || "
        "CASE hidden WHEN 0 THEN '' ELSE ' hidden' END, ', ') FROM "
        "pragma_table_xinfo('%q') WHERE name NOT IN ('_op', '_snapshot')",
        table);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    char *out = sqlite3_mprintf("%s", sqlite3_column_text(stmt, 0));
    sqlite3_finalize(stmt);
    sqlite3_free(sql);
    return out;
}

static void sqlite_accepts_every_declaration(void **state)
{
    (void)state;
    static const struct {
        const char *args, *info;
        int columns; /* of SELECT * */
        int argc;    /* of xUpdate for an INSERT */
    } cases[] = {
        {"", "key  1 1, value  0 0", 2, 6},
        {"sync = off", "key  1 1, value  0 0", 2, 6},
        {"a INTEGER PRIMARY KEY, b TEXT NOT NULL", "a INTEGER 1 1, b TEXT 1 0", 2, 6},
        {"a, b VARCHAR(10, 2)", "a  0 0, b VARCHAR(10,2) 0 0", 2, 6},
        {"a INTEGER PRIMARY KEY DESC, b", "a INTEGER 1 1, b  0 0", 2, 6},
        {"a TEXT PRIMARY KEY COLLATE RTRIM", "a TEXT 1 1", 1, 5},
        {"a TEXT, b TIMESTAMP WITH TIME ZONE, PRIMARY KEY (b, a)",
         "a TEXT 1 0, b TIMESTAMP WITH TIME ZONE 1 0, _key BLOB 1 1 hidden", 2, 7},
        {"\"select\" DOUBLE PRECISION, [a b] NUMERIC(3), `c``d` PRIMARY KEY",
         "select DOUBLE PRECISION 0 0, a b NUMERIC(3) 0 0, c`d  1 1", 3, 7},
        {"a NATIVE CHARACTER(70) DEFAULT 'x, (y' NOT NULL, rowid INT",
         "a NATIVE CHARACTER(70) 1 0, rowid INT 0 0", 2, 6},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *sql =
            sqlite3_mprintf("CREATE VIRTUAL TABLE t USING dummy(%s)", cases[i].args);
        run(sql);
        sqlite3_free(sql);
        char *info = table_info("t");
        assert_string_equal(info, cases[i].info);
        sqlite3_free(info);
        sqlite3_stmt *stmt = NULL;
        assert_int_equal(sqlite3_prepare_v2(db, "SELECT * FROM t", -1, &stmt, NULL),
                         SQLITE_OK);
        assert_int_equal(sqlite3_column_count(stmt), cases[i].columns);
        assert_int_equal(sqlite3_step(stmt), SQLITE_DONE);
        sqlite3_finalize(stmt);
        last_argc = 0;
        run("INSERT INTO t DEFAULT VALUES");
        assert_int_equal(last_argc, cases[i].argc);
        run("DELETE FROM t");
        run("DROP TABLE t");
    }
}

static void a_refusal_reaches_the_user(void **state)
{
    (void)state;
    char *message = NULL;
    assert_int_equal(sqlite3_exec(db,
                                  "CREATE VIRTUAL TABLE u USING dummy(a PRIMARY KEY, b "
                                  "DECIMAL(10,5) CHECK (b IN (1, 2)))",
                                  NULL, NULL, &message),
                     SQLITE_ERROR);
    assert_string_equal(message, "u: column \"b\": CHECK is not supported: NOT NULL is "
                                 "the only check on values");
    sqlite3_free(message);
}

static void running_out_of_memory_is_reported_and_leaks_nothing(void **state)
{
    (void)state;
    static const char *const fine[] = {
        "a TEXT NOT NULL DEFAULT 'long enough not to be inline'", "b INT DEFAULT 5",
        "PRIMARY KEY (b, a DESC)", "path = 'x'", NULL};
    static const char *const wrong[] = {"a TEXT", "b FOO", NULL};
    for (int what = 0; what < 2; what++) {
        int64_t live = test_mem_live;
        for (int64_t left = 0;; left++) {
            struct svt_schema s;
            char *message, *declaration = NULL;
            test_mem_left = left;
            int rc = parse_list(what == 0 ? fine : wrong, &s, &message);
            if (rc == SQLITE_OK)
                declaration = svt_args_declaration(&s);
            bool done = test_mem_left > 0;
            test_mem_left = -1;
            assert_int_equal(message != NULL, rc == SQLITE_ERROR);
            svt_schema_fini(&s);
            sqlite3_free(declaration);
            sqlite3_free(message);
            if (test_mem_live != live)
                fail_msg("%lld blocks leaked", (long long)(test_mem_live - live));
            if (done) {
                assert_int_equal(rc, what == 0 ? SQLITE_OK : SQLITE_ERROR);
                break;
            }
            assert_true(rc == SQLITE_NOMEM || rc == SQLITE_OK ||
                        (what == 1 && rc == SQLITE_ERROR));
        }
    }
}

static int open_db(void **state)
{
    if (test_mem_install(state) != 0 || sqlite3_open(":memory:", &db) != SQLITE_OK)
        return -1;
    return sqlite3_create_module(db, "dummy", &dummy, NULL);
}

static int close_db(void **state)
{
    (void)state;
    sqlite3_free(last_declaration);
    return sqlite3_close(db);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_columns_mean_a_key_and_a_value),
        cmocka_unit_test(columns_are_read_with_everything_they_may_have),
        cmocka_unit_test(the_key_decides_the_shape),
        cmocka_unit_test(key_parts_carry_collation_direction_and_place),
        cmocka_unit_test(options_are_read),
        cmocka_unit_test(what_cannot_be_honoured_is_refused_by_name),
        cmocka_unit_test(mistakes_are_named_with_their_place),
        cmocka_unit_test(defaults_are_literals),
        cmocka_unit_test(options_out_of_range_list_what_is_allowed),
        cmocka_unit_test(there_are_limits_on_columns),
        cmocka_unit_test(sqlite_accepts_every_declaration),
        cmocka_unit_test(a_refusal_reaches_the_user),
        cmocka_unit_test(running_out_of_memory_is_reported_and_leaks_nothing),
    };
    return cmocka_run_group_tests(tests, open_db, close_db);
}
