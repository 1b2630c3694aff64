/* SPDX-License-Identifier: Apache-2.0 */
#include "mergerow.h"

#include "base/rand.h"
#include "rowcodec.h"
#include "test_mem.h"
#include "tree/mergeop.h"

#define MAX_COLUMNS 64

/* A table that has the columns k and those given, and its operator. */
struct rig {
    sqlite3 *db;
    struct svt_schema schema;
    struct svt_merger *merger;
    seerdb_merge_operator op;
};

/* Everything below is a row's bytes. */
struct bytes {
    uint8_t data[4096];
    size_t size;
};

static void rig_open_as(struct rig *r, const char *columns, enum svt_encoding e)
{
    const char *argv[3 + MAX_COLUMNS] = {"seerdb", "main", "t", "k ANY PRIMARY KEY"};
    static char text[4096];
    char *message = NULL, *p = text;
    int argc = 4;
    snprintf(text, sizeof text, "%s", columns);
    for (char *q; p != NULL && *p != 0; p = q) { /* a line each */
        q = strchr(p, '\n');
        if (q != NULL)
            *q++ = 0;
        argv[argc++] = p;
    }
    assert_int_equal(sqlite3_open(":memory:", &r->db), SQLITE_OK);
    if (e != SVT_UTF8)
        assert_int_equal(
            sqlite3_exec(r->db, "PRAGMA encoding = 'UTF-16le'", NULL, NULL, NULL),
            SQLITE_OK);
    if (svt_args_parse(argc, argv, &r->schema, &message) != SQLITE_OK)
        fail_msg("%s: %s", columns, message);
    assert_int_equal(svt_schema_encode(&r->schema, r->db, e), SQLITE_OK);
    if (svt_merger_new(&r->schema, &r->merger, &message) != SQLITE_OK)
        fail_msg("%s: %s", columns, message);
    r->op = svt_merger_operator(r->merger);
}

static void rig_open(struct rig *r, const char *columns)
{
    rig_open_as(r, columns, SVT_UTF8);
}

static void rig_close(struct rig *r)
{
    r->op.release(r->op.ctx);
    svt_schema_fini(&r->schema);
    sqlite3_close(r->db);
}

enum what { OPERAND, ROW };

/* The row of these SQL values, of all columns but k, which is 'k'. */
static void make(struct rig *r, enum what what, const char *values, struct bytes *out)
{
    const struct svt_schema *s = &r->schema;
    struct svt_value v[MAX_COLUMNS] = {{.type = SQLITE_NULL}};
    sqlite3_value *dup[MAX_COLUMNS] = {NULL};
    uint8_t in_key[MAX_COLUMNS] = {SVT_CODE_KEY};
    struct svt_bytes row = {.data = NULL};
    sqlite3_stmt *stmt = NULL;
    char *sql = sqlite3_mprintf("SELECT 'k', %s", values);
    assert_int_equal(sqlite3_prepare_v2(r->db, sql, -1, &stmt, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    assert_int_equal(sqlite3_column_count(stmt), s->ncolumns);
    for (int i = 1; i < s->ncolumns; i++) {
        const struct svt_column *c = &s->columns[i];
        dup[i] = sqlite3_value_dup(sqlite3_column_value(stmt, i));
        assert_int_equal(what == OPERAND && c->merge.kind != SVT_MERGE_NONE
                             ? svt_merge_read(s, c, dup[i], &v[i])
                             : s->read(dup[i], c->affinity, &v[i]),
                         SQLITE_OK);
        if (what == ROW && v[i].type == SQLITE_NULL && c->not_null && c->has_default)
            v[i] = c->fallback;
    }
    svt_row_put(&row, v, in_key, (unsigned)s->ncolumns);
    assert_false(row.failed);
    assert_true(row.size <= sizeof out->data);
    memcpy(out->data, row.data, row.size);
    out->size = row.size;
    for (int i = 1; i < s->ncolumns; i++)
        sqlite3_value_free(dup[i]);
    svt_bytes_fini(&row);
    sqlite3_finalize(stmt);
    sqlite3_free(sql);
}

/* "int 1, text x", without k; with more columns than the table has, "...". */
static const char *shown(struct rig *r, const struct bytes *row)
{
    static char out[4096];
    struct svt_row reader;
    size_t n = 0;
    assert_true(svt_row_open(&reader, (seerdb_slice){row->data, row->size}));
    for (int i = 1; i < r->schema.ncolumns; i++) {
        struct svt_value v;
        uint8_t in_key;
        const char *comma = i > 1 ? ", " : "";
        assert_true(svt_row_get(&reader, (unsigned)i, &v, &in_key));
        assert_int_equal(in_key, 0);
        if (v.type == SQLITE_INTEGER)
            n += (size_t)snprintf(out + n, sizeof out - n, "%s%lld", comma,
                                  (long long)v.i);
        else if (v.type == SQLITE_FLOAT)
            n += (size_t)snprintf(out + n, sizeof out - n, "%s%.17g real", comma, v.r);
        else if (v.type == SQLITE_NULL)
            n += (size_t)snprintf(out + n, sizeof out - n, "%sNULL", comma);
        else
            n += (size_t)snprintf(out + n, sizeof out - n, "%s%c'%.*s'", comma,
                                  v.type == SQLITE_TEXT ? 't' : 'b', (int)v.bytes.size,
                                  (const char *)v.bytes.data);
    }
    return out;
}

/* base NULL: none; partial NULL base, too. */
static int call(struct rig *r, enum what what, const struct bytes *base,
                const struct bytes *operands, size_t n, struct bytes *out,
                seerdb_err *err)
{
    seerdb_merge_out o = {.hurried = false};
    seerdb_slice slices[64], bytes;
    seerdb_slice key = {"k", 1};
    assert_true(n <= 64);
    for (size_t i = 0; i < n; i++)
        slices[i] = (seerdb_slice){operands[i].data, operands[i].size};
    if (base != NULL)
        bytes = (seerdb_slice){base->data, base->size};
    *err = (seerdb_err){0};
    int rc = what == ROW ? r->op.full(r->op.ctx, key, base != NULL ? &bytes : NULL,
                                      slices, n, &o, err)
                         : r->op.partial(r->op.ctx, key, slices, n, &o, err);
    if (rc == 0) {
        assert_true(o.bytes.size <= sizeof out->data);
        memcpy(out->data, o.bytes.data, o.bytes.size);
        out->size = o.bytes.size;
    }
    sdb_buf_fini(&o.bytes);
    return rc;
}

/* ---- what operators do ------------------------------------------------------------
 */

/* base "" is none; operands are NULL at the end. */
static const struct row_case {
    const char *columns, *base, *operands[5], *want;
} row_cases[] = {
    /* add */
    {"n INTEGER MERGE add", "", {"5"}, "5"},
    {"n INTEGER MERGE add", "", {"5", "-7", "1"}, "-1"},
    {"n INTEGER MERGE add", "10", {"5", "NULL", "1"}, "16"},
    {"n INTEGER MERGE add", "NULL", {"5"}, "5"},
    {"n INTEGER MERGE add", "7", {"NULL"}, "7"},
    {"n INTEGER MERGE add", "", {"NULL", "NULL"}, "NULL"},
    {"n INTEGER MERGE add", "'abc'", {"NULL"}, "t'abc'"},
    {"n INTEGER MERGE add", "'abc'", {"3", "4"}, "7"},
    {"n INTEGER MERGE add", "'12abc'", {"3"}, "15"},
    {"n INTEGER MERGE add", "x'3132'", {"3"}, "15"},
    {"n INTEGER MERGE add", "1", {"'12abc'", "'1.5x'", "x'31'"}, "15.5 real"},
    {"n INTEGER MERGE add", "1.5", {"1", "0.5"}, "3"},
    {"n MERGE add", "1.5", {"1", "0.5"}, "3 real"},
    {"n MERGE add", "1", {"1.0"}, "2 real"},
    {"n REAL MERGE add", "1", {"1", "1"}, "3 real"},
    {"n REAL MERGE add", "", {"1"}, "1 real"},
    {"n REAL MERGE add", "", {"-0.0"}, "0 real"},
    {"n NUMERIC MERGE add", "", {"0.5", "0.5"}, "1"},
    {"n INTEGER MERGE add",
     "9223372036854775807",
     {"1"},
     "9.2233720368547758e+18 real"},
    {"n INTEGER MERGE add", "9223372036854775807", {"1", "-1"}, "9223372036854775807"},
    {"n MERGE add", "-9223372036854775808", {"-1"}, "-9.2233720368547758e+18 real"},
    {"n INTEGER MERGE add", "9007199254740993", {"0.5", "0.5"}, "9007199254740994"},
    {"n REAL MERGE add", "1e308", {"1e308", "-1e308"}, "1e+308 real"},
    {"n REAL MERGE add", "1e308", {"1e308"}, "inf real"},
    {"n REAL MERGE add", "1", {"9e999", "5"}, "inf real"},
    {"n REAL MERGE add", "9e999", {"-9e999", "5"}, "NULL"},
    {"n REAL MERGE add", "0.1", {"0.2", "-0.3"}, "2.7755575615628914e-17 real"},
    /* min, max */
    {"n MERGE min", "", {"5", "3", "4"}, "3"},
    {"n MERGE min", "2", {"5", "3"}, "2"},
    {"n MERGE min", "4", {"5", "3", "-70000"}, "-70000"},
    {"n MERGE max", "4", {"5", "3", "70000"}, "70000"},
    {"n MERGE min", "NULL", {"NULL", "3", "NULL"}, "3"},
    {"n MERGE min", "'a'", {"x'00'", "5.5", "6"}, "5.5 real"},
    {"n MERGE max", "'a'", {"x'00'", "5.5", "6"}, "b''"},
    {"n MERGE max", "1", {"1.0"}, "1"},
    {"n MERGE max", "1.0", {"1"}, "1 real"},
    {"n MERGE max", "9007199254740992.0", {"9007199254740993"}, "9007199254740993"},
    {"n TEXT COLLATE NOCASE MERGE max", "'B'", {"'b'", "'a'"}, "t'B'"},
    {"n TEXT MERGE max", "'B'", {"'b'", "'a'"}, "t'b'"},
    {"n TEXT COLLATE RTRIM MERGE min", "'b  '", {"'b'"}, "t'b  '"},
    /* bits */
    {"n MERGE bit_or", "1", {"2", "4"}, "7"},
    {"n MERGE bit_or", "", {"2.9", "'4x'"}, "6"},
    {"n MERGE bit_or", "'1x'", {"6"}, "7"},
    {"n MERGE bit_or", "1e300", {"0"}, "9223372036854775807"},
    {"n INTEGER MERGE bit_and", "7", {"NULL", "6", "3"}, "2"},
    {"n INTEGER MERGE bit_and", "NULL", {"6"}, "6"},
    /* append */
    {"n TEXT MERGE append", "'a'", {"'b'", "NULL", "'c'"}, "t'abc'"},
    {"n TEXT MERGE append(', ')", "", {"'b'", "'c'"}, "t'b, c'"},
    {"n TEXT MERGE append('''')", "", {"''", "''"}, "t'''"},
    {"n TEXT MERGE append(',')", "NULL", {"5", "1.5"}, "t'5,1.5'"},
    {"n MERGE append(',')", "5", {"6"}, "t'5,6'"},
    {"n MERGE append(',')", "1.5", {"6"}, "t'1.5,6'"},
    {"n MERGE append", "x'61'", {"x'62'", "x'63'"}, "b'abc'"},
    {"n MERGE append", "x'61'", {"x'62'", "'c'"}, "t'abc'"},
    /* first, last */
    {"n MERGE first", "", {"NULL", "2", "3"}, "2"},
    {"n MERGE first", "1", {"2", "3"}, "1"},
    {"n MERGE last", "1", {"2", "3", "NULL"}, "3"},
    /* json_patch */
    {"n TEXT MERGE json_patch",
     "'{\"a\":1}'",
     {"'{\"b\":2}'", "'{\"a\":null}'"},
     "t'{\"b\":2}'"},
    {"n TEXT MERGE json_patch", "", {"'{\"b\":null,\"c\":1}'"}, "t'{\"c\":1}'"},
    /* expressions */
    {"n MERGE (coalesce(old, 0) * 2 + new)", "", {"1", "1", "NULL", "1"}, "7"},
    {"n MERGE (coalesce(old, 0) * 2 + new)", "5", {"1"}, "11"},
    {"n INTEGER MERGE (new || old)", "5", {"1"}, "15"},
    {"n TEXT MERGE (old + new)", "5", {"1"}, "t'6'"},
    {"n TEXT COLLATE NOCASE MERGE (old = new)", "'a'", {"'A'"}, "t'1'"},
    {"n MERGE (substr(old || new, -3))", "'abc'", {"'d'", "'ef'"}, "t'def'"},
    /* several columns; those without MERGE count only where the row is new */
    {"a MERGE add\nb\nc MERGE max",
     "1, 'b', 5",
     {"2, 'x', 3", "NULL, 'y', 9"},
     "3, t'b', 9"},
    {"a MERGE add\nb\nc MERGE max", "", {"2, 'x', 3", "NULL, 'y', 9"}, "2, t'x', 9"},
    /* a default is where a row begins whose operand is NULL */
    {"a INT NOT NULL DEFAULT 10 MERGE add", "", {"5", "1"}, "6"},
    {"a INT NOT NULL DEFAULT 10 MERGE add", "", {"NULL", "1"}, "11"},
    {"a INT NOT NULL DEFAULT 10 MERGE add", "", {"NULL"}, "10"},
    {"a INT NOT NULL DEFAULT 10 MERGE add", "1", {"NULL", "1"}, "2"},
    {"a INT NOT NULL DEFAULT 10 MERGE (old + new)", "", {"NULL", "1"}, "11"},
};

static void operators_do_what_the_documentation_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof row_cases / sizeof row_cases[0]; i++) {
        const struct row_case *c = &row_cases[i];
        struct rig r = {0};
        struct bytes base, operands[5], row;
        seerdb_err err;
        size_t n = 0;
        rig_open(&r, c->columns);
        if (c->base[0] != 0)
            make(&r, ROW, c->base, &base);
        for (; n < 5 && c->operands[n] != NULL; n++)
            make(&r, OPERAND, c->operands[n], &operands[n]);
        int rc = call(&r, ROW, c->base[0] != 0 ? &base : NULL, operands, n, &row, &err);
        if (rc != 0 || strcmp(shown(&r, &row), c->want) != 0)
            fail_msg("case %zu, %s: %d %s \"%s\", wanted \"%s\"", i, c->columns, rc,
                     err.msg, rc == 0 ? shown(&r, &row) : "", c->want);
        /* One after the other, which goes a shorter way. */
        for (size_t k = 0; k < n; k++) {
            bool any = k > 0 || c->base[0] != 0;
            struct bytes next;
            test_ok(call(&r, ROW, any ? &base : NULL, &operands[k], 1, &next, &err),
                    &err);
            base = next;
        }
        if (strcmp(shown(&r, &base), c->want) != 0)
            fail_msg("case %zu, %s, one by one: \"%s\", wanted \"%s\"", i, c->columns,
                     shown(&r, &base), c->want);
        rig_close(&r);
    }
}

/* ---- grouping ---------------------------------------------------------------------
 */

/* Some that make sums overflow, round, and come back. */
static const char *any_number(struct sdb_rand *r)
{
    static const char *const numbers[] = {"1",
                                          "-1",
                                          "3",
                                          "0.1",
                                          "-0.1",
                                          "1e16",
                                          "-1e16",
                                          "9223372036854775807",
                                          "-9223372036854775808",
                                          "0.5",
                                          "1e308",
                                          "-1e308",
                                          "5e-324",
                                          "9007199254740993",
                                          "2.0",
                                          "9e999",
                                          "-9e999",
                                          "NULL",
                                          "'7x'",
                                          "4611686018427387904"};
    /* Infinities end everything: seldom. */
    for (;;) {
        const char *s = numbers[sdb_rand_below(r, 20)];
        if (strstr(s, "9e999") == NULL || sdb_rand_below(r, 10) == 0)
            return s;
    }
}

static const char *any_text(struct sdb_rand *r)
{
    static const char *const values[] = {"'a'", "'B'", "'b '", "NULL", "x'61'", "5",
                                         "2.5", "'A'", "''",   "5.0",  "x''",   "NULL"};
    return values[sdb_rand_below(r, 12)];
}

static void any_values(struct rig *r, struct sdb_rand *rand, char *out, size_t size)
{
    size_t n = 0;
    for (int i = 1; i < r->schema.ncolumns; i++) {
        enum svt_merge_kind kind = r->schema.columns[i].merge.kind;
        bool number = kind == SVT_MERGE_ADD || kind == SVT_MERGE_BIT_OR ||
                      kind == SVT_MERGE_BIT_AND || kind == SVT_MERGE_EXPRESSION;
        n += (size_t)snprintf(out + n, size - n, "%s%s", i > 1 ? ", " : "",
                              number ? any_number(rand) : any_text(rand));
    }
}

/* Put some neighbours together until few are left; *n becomes their number. */
static void group(struct rig *r, struct sdb_rand *rand, struct bytes *operands,
                  size_t *n)
{
    for (uint64_t tries = sdb_rand_below(rand, 8); tries > 0 && *n > 1; tries--) {
        size_t from = (size_t)sdb_rand_below(rand, *n - 1);
        size_t some = 2 + (size_t)sdb_rand_below(rand, *n - from - 1);
        struct bytes one;
        seerdb_err err;
        int rc = call(r, OPERAND, NULL, operands + from, some, &one, &err);
        if (rc == SEERDB_NOTFOUND)
            continue;
        if (rc != 0)
            fail_msg("partial: %d %s", rc, err.msg);
        operands[from] = one;
        memmove(operands + from + 1, operands + from + some,
                (*n - from - some) * sizeof *operands);
        *n -= some - 1;
    }
}

/* One after the other, in groups, a row made in between or not: always the same. */
static void try_groupings(struct rig *r, struct sdb_rand *rand)
{
    struct bytes operands[8], grouped[8], base, want, row;
    size_t n = 1 + (size_t)sdb_rand_below(rand, 8);
    bool has_base = sdb_rand_below(rand, 3) > 0, has_row = has_base;
    char values[1024];
    seerdb_err err;
    for (size_t i = 0; i < n; i++) {
        any_values(r, rand, values, sizeof values);
        make(r, OPERAND, values, &operands[i]);
    }
    any_values(r, rand, values, sizeof values);
    make(r, ROW, values, &base);
    int rc = call(r, ROW, has_base ? &base : NULL, operands, n, &want, &err);
    if (rc != 0)
        fail_msg("full: %d %s", rc, err.msg);
    for (int round = 0; round < 4; round++) {
        size_t left = n, some;
        memcpy(grouped, operands, sizeof grouped);
        group(r, rand, grouped, &left);
        row = base;
        has_row = has_base;
        for (size_t at = 0; at < left; at += some) {
            struct bytes next;
            some = 1 + (size_t)sdb_rand_below(rand, left - at);
            rc = call(r, ROW, has_row ? &row : NULL, grouped + at, some, &next, &err);
            if (rc != 0)
                fail_msg("full: %d %s", rc, err.msg);
            row = next;
            has_row = true;
        }
        if (row.size != want.size || memcmp(row.data, want.data, row.size) != 0) {
            fprintf(stderr, "%s\n", shown(r, &want));
            fail_msg("%zu operands in %zu groups became %s", n, left, shown(r, &row));
        }
    }
}

static void grouping_does_not_matter(void **state)
{
    static const struct {
        const char *columns;
        enum svt_encoding encoding;
        int rounds;
    } tables[] = {
        {"a MERGE add\nb INTEGER MERGE add\nc REAL MERGE add\nd NUMERIC MERGE add\ne",
         SVT_UTF8, 3000},
        {"a INT NOT NULL DEFAULT 3 MERGE max\nb MERGE min\nc TEXT COLLATE NOCASE MERGE "
         "max\nd TEXT COLLATE RTRIM NOT NULL DEFAULT 'x' MERGE min\ne MERGE first\nf "
         "MERGE "
         "last\ng NOT NULL DEFAULT 7",
         SVT_UTF8, 3000},
        {"a MERGE append\nb TEXT MERGE append('--')\nc TEXT NOT NULL DEFAULT 'd' MERGE "
         "append(',')\nd MERGE bit_or\ne INTEGER MERGE bit_and\nf INT NOT NULL DEFAULT "
         "6 "
         "MERGE bit_and",
         SVT_UTF8, 3000},
        {"a TEXT MERGE append('.')\nb TEXT COLLATE NOCASE MERGE min\nc TEXT NOT NULL "
         "DEFAULT 'd' MERGE append(',')",
         SVT_UTF16LE, 1500},
        {"a MERGE add\nb MERGE (max(coalesce(old, 0), new) - 1)\nc INTEGER NOT NULL "
         "DEFAULT 3 MERGE (coalesce(old * 3 + new, 0) % 1000)\nd TEXT MERGE append",
         SVT_UTF8, 800},
    };
    struct sdb_rand rand = {20};
    (void)state;
    for (size_t t = 0; t < sizeof tables / sizeof tables[0]; t++) {
        struct rig r = {0};
        rig_open_as(&r, tables[t].columns, tables[t].encoding);
        for (int i = 0; i < tables[t].rounds; i++)
            try_groupings(&r, &rand);
        rig_close(&r);
    }
}

/* ---- the rest ---------------------------------------------------------------------
 */

static void many_operands_cost_no_more_bytes_than_one(void **state)
{
    struct rig r = {0};
    struct bytes pair[2];
    seerdb_err err;
    (void)state;
    rig_open(&r, "n REAL MERGE add\nm INTEGER MERGE add");
    make(&r, OPERAND, "0.1, 1", &pair[0]);
    make(&r, OPERAND, "0.3, 1", &pair[1]);
    for (int i = 0; i < 100000; i++) {
        struct bytes sum;
        test_ok(call(&r, OPERAND, NULL, pair, 2, &sum, &err), &err);
        pair[0] = sum;
    }
    assert_true(pair[0].size < 64);
    assert_string_equal(shown(&r, &pair[0]), "30000.099999999999 real, 100001");
    rig_close(&r);
}

static void long_operands_are_not_copied_for_every_short_one(void **state)
{
    struct rig r = {0};
    static struct bytes operands[3];
    struct bytes out;
    seerdb_err err;
    (void)state;
    rig_open(&r, "n TEXT MERGE append\nm");
    make(&r, OPERAND, "printf('%*s', 3900, ''), 1", &operands[0]);
    make(&r, OPERAND, "'x', 2", &operands[1]);
    assert_int_equal(call(&r, OPERAND, NULL, operands, 2, &out, &err), SEERDB_OK);
    make(&r, OPERAND, "NULL, printf('%*s', 4080, '')", &operands[0]);
    assert_int_equal(call(&r, OPERAND, NULL, operands, 2, &out, &err), SEERDB_NOTFOUND);
    operands[2] = operands[1];
    assert_int_equal(call(&r, OPERAND, NULL, operands + 1, 2, &out, &err), SEERDB_OK);
    rig_close(&r);
}

static void expressions_are_only_put_together_with_a_base(void **state)
{
    struct rig r = {0};
    struct bytes operands[2], out;
    seerdb_err err;
    (void)state;
    rig_open(&r, "n MERGE (old + new)\nm MERGE add");
    assert_false(r.op.fast);
    make(&r, OPERAND, "1, 1", &operands[0]);
    make(&r, OPERAND, "1, 1", &operands[1]);
    assert_int_equal(call(&r, OPERAND, NULL, operands, 2, &out, &err), SEERDB_NOTFOUND);
    make(&r, OPERAND, "NULL, 1", &operands[0]);
    assert_int_equal(call(&r, OPERAND, NULL, operands, 2, &out, &err), SEERDB_OK);
    assert_string_equal(shown(&r, &out), "1, 2");
    rig_close(&r);
}

static void what_needs_sql_is_refused_in_a_hurry(void **state)
{
    static const struct {
        const char *columns, *base;
    } cases[] = {
        {"n MERGE add", "'12'"}, {"n MERGE bit_or", "'12'"}, {"n MERGE append", "1.5"}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct rig r = {0};
        struct bytes base, operand;
        seerdb_merge_out o = {.hurried = true};
        seerdb_err err = {0};
        rig_open(&r, cases[i].columns);
        assert_true(r.op.fast);
        make(&r, ROW, cases[i].base, &base);
        make(&r, OPERAND, "1", &operand);
        seerdb_slice b = {base.data, base.size}, v = {operand.data, operand.size};
        test_fails(r.op.full(r.op.ctx, b, &b, &v, 1, &o, &err), SEERDB_BUSY, &err);
        sdb_buf_fini(&o.bytes);
        rig_close(&r);
    }
}

static void failures_say_which_column_and_why(void **state)
{
    static const struct {
        const char *columns, *base, *operand, *part;
        int code;
    } cases[] = {
        {"n MERGE (json_extract(new, '$'))", "1", "'{'",
         "column \"n\", MERGE: expression \"json_extract(new, '$')\": ",
         SEERDB_MISMATCH},
        {"n MERGE (json_extract(new, '$'))", "1", "'{'", "malformed JSON",
         SEERDB_MISMATCH},
        {"n MERGE json_patch", "'{}'", "'{'",
         "column \"n\", MERGE json_patch: ", SEERDB_MISMATCH},
        {"n MERGE (zeroblob(1000000000) || old || new)", "1", "1", "too big",
         SEERDB_TOOBIG},
        {"n NOT NULL MERGE (nullif(new, old))", "1", "1",
         "the result is NULL, but the column is NOT NULL", SEERDB_MISMATCH},
        {"n REAL NOT NULL MERGE add", "9e999", "-9e999",
         "the result is NULL, but the column is NOT NULL", SEERDB_MISMATCH},
        {"n INT MERGE add\nstrict = 1", "9223372036854775807", "1",
         "the result is REAL, but the column takes INT only", SEERDB_MISMATCH},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct rig r = {0};
        struct bytes base, operand, out;
        seerdb_err err;
        rig_open(&r, cases[i].columns);
        make(&r, ROW, cases[i].base, &base);
        make(&r, OPERAND, cases[i].operand, &operand);
        int rc = call(&r, ROW, &base, &operand, 1, &out, &err);
        if (rc != cases[i].code || strstr(err.msg, cases[i].part) == NULL)
            fail_msg("%s: %d \"%s\"", cases[i].columns, rc, err.msg);
        rig_close(&r);
    }
}

/* Whatever the bytes are: an answer, no crash. */
static void malformed_rows_are_corrupt_or_something_else(void **state)
{
    struct rig r = {0};
    struct sdb_rand rand = {3};
    struct bytes operands[2], out;
    seerdb_err err;
    size_t corrupt = 0;
    (void)state;
    rig_open(&r,
             "a MERGE add\nb TEXT MERGE append\nc MERGE max\nd INT NOT NULL DEFAULT 1 "
             "MERGE add");
    make(&r, OPERAND, "0.1, 'abc', 3, NULL", &operands[0]);
    make(&r, OPERAND, "1e300, 'def', 4, 7", &operands[1]);
    test_ok(call(&r, OPERAND, NULL, operands, 2, &operands[0], &err), &err);
    for (int i = 0; i < 20000; i++) {
        struct bytes bad[2] = {operands[0], operands[1]};
        for (uint64_t k = 1 + sdb_rand_below(&rand, 3); k > 0; k--)
            bad[0].data[sdb_rand_below(&rand, bad[0].size)] =
                (uint8_t)sdb_rand_next(&rand);
        if (sdb_rand_below(&rand, 4) == 0)
            bad[0].size -= (size_t)sdb_rand_below(&rand, bad[0].size);
        int rc = call(&r, OPERAND, NULL, bad, 2, &out, &err);
        corrupt += rc == SEERDB_CORRUPT;
        if (rc == SEERDB_CORRUPT)
            assert_true(err.msg[0] != 0);
        rc = call(&r, ROW, &bad[0], &operands[1], 1, &out, &err);
        corrupt += rc == SEERDB_CORRUPT;
    }
    assert_true(corrupt > 10000);
    rig_close(&r);
}

static void wide_tables_and_long_values_work_too(void **state)
{
    struct rig r = {0};
    char columns[4096] = "", values[1024] = "";
    struct bytes operands[2], out, row;
    seerdb_err err;
    (void)state;
    for (int i = 0; i < 40; i++) {
        snprintf(columns + strlen(columns), sizeof columns - strlen(columns),
                 "%sc%d %s MERGE %s", i > 0 ? "\n" : "", i, i % 2 ? "TEXT" : "",
                 i % 2 ? "append" : "add");
        snprintf(values + strlen(values), sizeof values - strlen(values), "%s%s",
                 i > 0 ? ", " : "", i % 2 ? "'0123456789012345'" : "0.1");
    }
    rig_open(&r, columns);
    make(&r, OPERAND, values, &operands[0]);
    operands[1] = operands[0];
    test_ok(call(&r, ROW, NULL, operands, 2, &row, &err), &err);
    test_ok(call(&r, OPERAND, NULL, operands, 2, &out, &err), &err);
    assert_string_equal(shown(&r, &row), shown(&r, &out));
    assert_non_null(strstr(shown(&r, &row), "t'01234567890123450123456789012345'"));
    test_ok(call(&r, ROW, &row, operands, 1, &out, &err), &err);
    rig_close(&r);
}

static void the_name_says_everything_that_decides(void **state)
{
    struct rig r = {0};
    (void)state;
    rig_open(&r,
             "a MERGE add\nb\nc TEXT MERGE append(', ')\nd MERGE (old || '; ' || new)");
    assert_string_equal(r.op.name, "seerdb sql merge 1; 1 add; 3 append 2c20; 4 "
                                   "expression (old || '; ' || new)");
    rig_close(&r);
}

static void bad_expressions_are_refused(void **state)
{
    static const char *const bad[] = {"n MERGE (old + other)",
                                      "n MERGE (random() + old)",
                                      "n MERGE (SELECT 1)",
                                      "n MERGE ((SELECT new))",
                                      "n MERGE (sum(new))",
                                      "n MERGE (old + ?)",
                                      "n MERGE (old +)",
                                      "n MERGE ()",
                                      "n MERGE (load_extension(new))",
                                      "n MERGE (nothing(old, new))"};
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        const char *argv[] = {"seerdb", "main", "t", "k PRIMARY KEY", bad[i]};
        struct svt_schema s;
        struct svt_merger *m = NULL;
        char *message = NULL;
        assert_int_equal(svt_args_parse(5, argv, &s, &message), SQLITE_OK);
        int rc = svt_merger_new(&s, &m, &message);
        if (rc == SQLITE_OK || message == NULL)
            fail_msg("%s: %d", bad[i], rc);
        assert_null(m);
        sqlite3_free(message);
        svt_schema_fini(&s);
    }
}

static void without_memory_nothing_is_made(void **state)
{
    const char *argv[] = {"seerdb",
                          "main",
                          "t",
                          "k PRIMARY KEY",
                          "a TEXT NOT NULL DEFAULT 'x' MERGE append(',')",
                          "b MERGE add"};
    struct svt_schema s;
    char *message = NULL;
    int64_t live = test_mem_live;
    (void)state;
    assert_int_equal(svt_args_parse(6, argv, &s, &message), SQLITE_OK);
    for (int64_t n = 0;; n++) {
        struct svt_merger *m = NULL;
        test_mem_left = n;
        int rc = svt_merger_new(&s, &m, &message);
        test_mem_left = -1;
        svt_merger_free(m);
        if (rc == SQLITE_OK)
            break;
        assert_int_equal(rc, SQLITE_NOMEM);
        assert_true(n < 100);
    }
    svt_schema_fini(&s);
    assert_int_equal(test_mem_live, live);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(operators_do_what_the_documentation_says),
        cmocka_unit_test(grouping_does_not_matter),
        cmocka_unit_test(many_operands_cost_no_more_bytes_than_one),
        cmocka_unit_test(long_operands_are_not_copied_for_every_short_one),
        cmocka_unit_test(expressions_are_only_put_together_with_a_base),
        cmocka_unit_test(what_needs_sql_is_refused_in_a_hurry),
        cmocka_unit_test(failures_say_which_column_and_why),
        cmocka_unit_test(malformed_rows_are_corrupt_or_something_else),
        cmocka_unit_test(wide_tables_and_long_values_work_too),
        cmocka_unit_test(the_name_says_everything_that_decides),
        cmocka_unit_test(bad_expressions_are_refused),
        cmocka_unit_test(without_memory_nothing_is_made),
    };
    return cmocka_run_group_tests(tests, test_mem_install, NULL);
}
