/* SPDX-License-Identifier: Apache-2.0
 *
 * SQLite itself is the reference: every pair of values is compared by it. */
#include "keycodec.h"

#include "base/rand.h"
#include "test_mem.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

#define MAX_VALUES 256

static sqlite3 *db;
static struct svt_value values[MAX_VALUES];
static int nvalues;
static const char *const collation_names[] = {"BINARY", "NOCASE", "RTRIM"};

static void add(struct svt_value v)
{
    assert_true(nvalues < MAX_VALUES);
    values[nvalues++] = v;
}

static void add_integer(int64_t i)
{
    add((struct svt_value){.type = SQLITE_INTEGER, .i = i});
}

static void add_real(double r)
{
    add((struct svt_value){.type = SQLITE_FLOAT, .r = r});
}

/* The bytes as a text and as a blob. */
static void add_bytes(const char *s, size_t n)
{
    add((struct svt_value){.type = SQLITE_TEXT, .bytes = {s, n}});
    add((struct svt_value){.type = SQLITE_BLOB, .bytes = {s, n}});
}

static void add_numbers(void)
{
    static const int64_t around[] = {0, 5, (int64_t)1 << 53, (int64_t)1 << 54,
                                     (int64_t)1 << 62};
    static const double reals[] = {0.0,
                                   -0.0,
                                   0.1,
                                   -0.1,
                                   1.5,
                                   DBL_MAX,
                                   -DBL_MAX,
                                   DBL_MIN,
                                   4.9e-324,
                                   -4.9e-324,
                                   INFINITY,
                                   -INFINITY,
                                   1e18,
                                   9.2e18,
                                   9.3e18,
                                   1e19,
                                   -1e19,
                                   4.999999999999999,
                                   9223372036854775808.0,
                                   -9223372036854775808.0,
                                   9223372036854774784.0,
                                   9223372036854777856.0,
                                   -9223372036854777856.0,
                                   -9223372036854774784.0};
    for (size_t i = 0; i < sizeof around / sizeof around[0]; i++) {
        for (int64_t d = -3; d <= 3; d++) {
            add_integer(around[i] + d);
            if (i > 0)
                add_integer(-around[i] + d);
        }
        add_real((double)around[i]);
        add_real(-(double)around[i]);
        add_real(nextafter((double)around[i], INFINITY));
        add_real(nextafter((double)around[i], -INFINITY));
        add_real(-nextafter((double)around[i], INFINITY));
    }
    for (int64_t d = 0; d < 3; d++) {
        add_integer(INT64_MAX - d);
        add_integer(INT64_MIN + d);
    }
    add_integer(INT64_MAX - 511);
    add_integer(INT64_MAX - 512);
    add_integer(INT64_MAX - 1023);
    add_integer(INT64_MIN + 1024);
    for (size_t i = 0; i < sizeof reals / sizeof reals[0]; i++)
        add_real(reals[i]);
}

static void add_texts(void)
{
    static const struct {
        const char *s;
        size_t n;
    } texts[] = {{"", 0},         {" ", 1},        {"  ", 2},
                 {"a", 1},        {"A", 1},        {"a ", 2},
                 {"a  ", 3},      {"A ", 2},       {"ab", 2},
                 {"aB", 2},       {"AB", 2},       {"abc", 3},
                 {"a\0", 2},      {"a\0b", 3},     {"A\0c", 3},
                 {"a\0bc", 4},    {"a\0\0", 3},    {"a\0 ", 3},
                 {"\0", 1},       {"\0\0", 2},     {"\0\xff", 2},
                 {"\0a", 2},      {"\0 ", 2},      {"\xff", 1},
                 {"\xff\0", 2},   {"\xff\xff", 2}, {"a\xff", 2},
                 {"\x01", 1},     {"a\x01", 2},    {"[", 1},
                 {"Z", 1},        {"z", 1},        {"{", 1},
                 {"@", 1},        {"`", 1},        {"\xc3\x84", 2},
                 {"\xc3\xa4", 2}, {"\xc3", 1},     {"5", 1},
                 {"\t", 1},       {" a", 2},       {"a\0 \0", 4},
                 {"a \0", 3},     {"a b", 3},      {"a\0\0\0\0\0\0\0\0\x0a", 10}};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        add_bytes(texts[i].s, texts[i].n);
}

static void bind(sqlite3_stmt *stmt, int at, const struct svt_value *v)
{
    static const char empty[1];
    const char *p = v->bytes.size > 0 ? v->bytes.data : empty;
    if (v->type == SQLITE_INTEGER)
        sqlite3_bind_int64(stmt, at, v->i);
    else if (v->type == SQLITE_FLOAT)
        sqlite3_bind_double(stmt, at, v->r);
    else if (v->type == SQLITE_TEXT)
        sqlite3_bind_text(stmt, at, p, (int)v->bytes.size, SQLITE_STATIC);
    else if (v->type == SQLITE_BLOB)
        sqlite3_bind_blob(stmt, at, p, (int)v->bytes.size, SQLITE_STATIC);
    else
        sqlite3_bind_null(stmt, at);
}

static sqlite3_stmt *comparison(enum svt_collation collation)
{
    sqlite3_stmt *stmt = NULL;
    char *sql = sqlite3_mprintf("SELECT ?1 < ?2 COLLATE %s, ?1 = ?2 COLLATE %s",
                                collation_names[collation], collation_names[collation]);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
    sqlite3_free(sql);
    return stmt;
}

/* SQLite's comparison; NULL sorts first and equals itself, as in an index. */
static int sql_order(sqlite3_stmt *stmt, const struct svt_value *a,
                     const struct svt_value *b)
{
    if (a->type == SQLITE_NULL || b->type == SQLITE_NULL)
        return (a->type != SQLITE_NULL) - (b->type != SQLITE_NULL);
    sqlite3_reset(stmt);
    bind(stmt, 1, a);
    bind(stmt, 2, b);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    if (sqlite3_column_int(stmt, 1))
        return 0;
    return sqlite3_column_int(stmt, 0) ? -1 : 1;
}

static int sign(int v)
{
    return (v > 0) - (v < 0);
}

static int byte_order(const struct svt_bytes *a, const struct svt_bytes *b)
{
    size_t n = a->size < b->size ? a->size : b->size;
    int order = n == 0 ? 0 : memcmp(a->data, b->data, n);
    return order != 0 ? sign(order) : (a->size > b->size) - (a->size < b->size);
}

static const char *shown(const struct svt_value *v)
{
    static char text[4][100];
    static unsigned turn;
    char *out = text[turn++ % 4];
    snprintf(out, sizeof text[0], "type %d %lld %.17g '%.*s' (%zu)", v->type,
             (long long)v->i, v->r, (int)v->bytes.size, (const char *)v->bytes.data,
             v->bytes.size);
    return out;
}

static void check_pair(sqlite3_stmt *stmt, enum svt_collation collation,
                       const struct svt_value *a, const struct svt_value *b)
{
    struct svt_bytes ka = {0}, kb = {0};
    int want = sql_order(stmt, a, b);
    for (int form = 0; form < 4; form++) {
        struct svt_key_part part = {collation, form & 1, form & 2, SVT_UTF8};
        svt_bytes_clear(&ka);
        svt_bytes_clear(&kb);
        svt_key_put(&ka, &part, a);
        svt_key_put(&kb, &part, b);
        /* Self-delimiting wherever another part may follow. */
        if (!part.last && want != 0 && ka.size <= kb.size)
            assert_int_not_equal(memcmp(ka.data, kb.data, ka.size), 0);
        int got = byte_order(&ka, &kb);
        if (got != (part.desc ? -want : want))
            fail_msg("%s desc %d last %d: %s against %s: bytes say %d, SQLite %d",
                     collation_names[collation], part.desc, part.last, shown(a),
                     shown(b), got, want);
    }
    svt_bytes_fini(&ka);
    svt_bytes_fini(&kb);
}

static void keys_sort_as_sqlite_compares_for_every_pair(void **state)
{
    (void)state;
    for (int c = SVT_BINARY; c <= SVT_RTRIM; c++) {
        sqlite3_stmt *stmt = comparison((enum svt_collation)c);
        for (int i = 0; i < nvalues; i++) {
            for (int j = 0; j < nvalues; j++)
                check_pair(stmt, (enum svt_collation)c, &values[i], &values[j]);
        }
        sqlite3_finalize(stmt);
    }
}

/* A random value near the awkward ones; its bytes live in `room`. */
static struct svt_value random_value(struct sdb_rand *r, char room[16])
{
    static const char letters[] = "\0\x01 aAbBzZ[`\x7f\x80\xff";
    switch (sdb_rand_below(r, 6)) {
    case 0:
        return (struct svt_value){
            .type = SQLITE_INTEGER,
            .i = (int64_t)(sdb_rand_next(r) >> sdb_rand_below(r, 64))};
    case 1:
        return (struct svt_value){.type = SQLITE_INTEGER,
                                  .i = (int64_t)sdb_rand_next(r)};
    case 2: { /* a double near an int64 */
        int64_t i = (int64_t)(sdb_rand_next(r)) >> sdb_rand_below(r, 64);
        return (struct svt_value){.type = SQLITE_FLOAT, .r = (double)i};
    }
    case 3: {
        struct svt_value v = {.type = SQLITE_FLOAT};
        uint64_t bits = sdb_rand_next(r);
        memcpy(&v.r, &bits, sizeof v.r);
        if (v.r != v.r)
            v.r = 0.5;
        return v;
    }
    default: {
        size_t n = sdb_rand_below(r, 5);
        for (size_t i = 0; i < n; i++)
            room[i] = letters[sdb_rand_below(r, sizeof letters - 1)];
        return (struct svt_value){.type =
                                      sdb_rand_below(r, 2) ? SQLITE_TEXT : SQLITE_BLOB,
                                  .bytes = {room, n}};
    }
    }
}

static void random_keys_sort_as_sqlite_compares(void **state)
{
    (void)state;
    struct sdb_rand r = {20240607};
    char a_room[16], b_room[16];
    for (int c = SVT_BINARY; c <= SVT_RTRIM; c++) {
        sqlite3_stmt *stmt = comparison((enum svt_collation)c);
        for (int i = 0; i < 30000; i++) {
            struct svt_value a = random_value(&r, a_room);
            struct svt_value b = random_value(&r, b_room);
            if (sdb_rand_below(&r, 3) == 0 && a.type == SQLITE_FLOAT &&
                fabs(a.r) < 9.2e18)
                b = (struct svt_value){.type = SQLITE_INTEGER,
                                       .i = (int64_t)a.r +
                                            (int64_t)sdb_rand_below(&r, 3) - 1};
            check_pair(stmt, (enum svt_collation)c, &a, &b);
        }
        sqlite3_finalize(stmt);
    }
}

static void composite_keys_sort_part_by_part(void **state)
{
    (void)state;
    struct sdb_rand r = {7};
    struct svt_bytes a = {0}, b = {0};
    sqlite3_stmt *stmts[3];
    for (int c = 0; c < 3; c++)
        stmts[c] = comparison((enum svt_collation)c);
    for (int round = 0; round < 60000; round++) {
        int want = 0;
        unsigned n = 1 + (unsigned)sdb_rand_below(&r, 3);
        svt_bytes_clear(&a);
        svt_bytes_clear(&b);
        for (unsigned i = 0; i < n; i++) {
            struct svt_key_part part = {(enum svt_collation)sdb_rand_below(&r, 3),
                                        sdb_rand_below(&r, 2), i + 1 == n, SVT_UTF8};
            const struct svt_value *va = &values[sdb_rand_below(&r, (uint64_t)nvalues)];
            const struct svt_value *vb =
                sdb_rand_below(&r, 3) ? va
                                      : &values[sdb_rand_below(&r, (uint64_t)nvalues)];
            svt_key_put(&a, &part, va);
            svt_key_put(&b, &part, vb);
            if (want == 0)
                want = sql_order(stmts[part.collation], va, vb) * (part.desc ? -1 : 1);
        }
        assert_int_equal(byte_order(&a, &b), want);
    }
    for (int c = 0; c < 3; c++)
        sqlite3_finalize(stmts[c]);
    svt_bytes_fini(&a);
    svt_bytes_fini(&b);
}

static void rowids_sort_as_integers_and_come_back(void **state)
{
    (void)state;
    struct svt_bytes a = {0}, b = {0};
    for (int i = 0; i < nvalues; i++) {
        svt_bytes_clear(&a);
        svt_key_rowid(&a, values[i].i);
        assert_int_equal(a.size, 8);
        assert_true(svt_key_read_rowid(svt_bytes_slice(&a)) == values[i].i);
        for (int j = 0; j < nvalues; j++) {
            svt_bytes_clear(&b);
            svt_key_rowid(&b, values[j].i);
            assert_int_equal(byte_order(&a, &b),
                             (values[i].i > values[j].i) - (values[i].i < values[j].i));
        }
    }
    svt_bytes_fini(&a);
    svt_bytes_fini(&b);
}

/* What svt_key_get promises for v; text bytes in `room`. */
static struct svt_value as_decoded(const struct svt_value *v, enum svt_collation c,
                                   uint8_t *room)
{
    struct svt_value out = *v;
    const uint8_t *from = v->bytes.data;
    if (v->type == SQLITE_FLOAT && v->r >= -9223372036854775808.0 &&
        v->r < 9223372036854775808.0 && v->r == floor(v->r))
        return (struct svt_value){.type = SQLITE_INTEGER, .i = (int64_t)v->r};
    if (v->type != SQLITE_TEXT || c == SVT_BINARY)
        return out;
    if (c == SVT_RTRIM) {
        while (out.bytes.size > 0 && from[out.bytes.size - 1] == ' ')
            out.bytes.size--;
        return out;
    }
    size_t n = 0;
    for (; n < v->bytes.size && from[n] != 0; n++)
        room[n] =
            from[n] >= 'A' && from[n] <= 'Z' ? (uint8_t)(from[n] | 0x20) : from[n];
    if (n < v->bytes.size) {
        memset(room + n, 0, 9);
        room[n + 8] = (uint8_t)v->bytes.size;
        n += 9;
    }
    out.bytes = (seerdb_slice){room, n};
    return out;
}

static void decoding_gives_the_values_back_as_documented(void **state)
{
    (void)state;
    struct svt_bytes key = {0}, scratch = {0};
    uint8_t rooms[3][32];
    for (int round = 0; round < 8 * nvalues; round++) {
        struct svt_key_part parts[3];
        struct svt_value want[3], got[3];
        svt_bytes_clear(&key);
        svt_bytes_clear(&scratch);
        for (int i = 0; i < 3; i++) {
            const struct svt_value *v = &values[(round + i * 31) % nvalues];
            parts[i] =
                (struct svt_key_part){(enum svt_collation)((round + i) % 3),
                                      (round / nvalues) >> i & 1, i == 2, SVT_UTF8};
            svt_key_put(&key, &parts[i], v);
            want[i] = as_decoded(v, parts[i].collation, rooms[i]);
        }
        const uint8_t *p = key.data, *end = key.data + key.size;
        for (int i = 0; i < 3; i++)
            assert_true(svt_key_get(&p, end, &parts[i], &got[i], &scratch));
        assert_ptr_equal(p, end);
        for (int i = 0; i < 3; i++) { /* the scratch did not move */
            if (!svt_value_identical(&got[i], &want[i]))
                fail_msg("part %d: %s, wanted %s", i, shown(&got[i]), shown(&want[i]));
        }
    }
    svt_bytes_fini(&key);
    svt_bytes_fini(&scratch);
}

/* A copy of exactly n bytes, so that the address sanitizer sees the end. */
static uint8_t *exact_copy(const void *p, size_t n)
{
    uint8_t *copy = malloc(n > 0 ? n : 1);
    assert_non_null(copy);
    if (n > 0)
        memcpy(copy, p, n);
    return copy;
}

/* Decode both parts of a hostile key: it must be refused, or be exactly the encoding of
 * what was decoded. */
static bool decode_hostile(const struct svt_key_part parts[2], const uint8_t *bytes,
                           size_t n)
{
    struct svt_bytes scratch = {0}, again = {0};
    struct svt_value v[2] = {{0}, {0}};
    const uint8_t *p = bytes;
    bool ok = svt_key_get(&p, bytes + n, &parts[0], &v[0], &scratch) &&
              svt_key_get(&p, bytes + n, &parts[1], &v[1], &scratch);
    bool collated = v[0].type != SQLITE_TEXT && v[1].type != SQLITE_TEXT;
    if (ok && (collated || parts[0].collation != SVT_NOCASE)) {
        svt_key_put(&again, &parts[0], &v[0]);
        svt_key_put(&again, &parts[1], &v[1]);
        assert_int_equal(again.size, n);
        assert_memory_equal(again.data, bytes, n);
    }
    svt_bytes_fini(&scratch);
    svt_bytes_fini(&again);
    return ok;
}

static void malformed_keys_are_refused_or_decode_to_what_they_encode(void **state)
{
    (void)state;
    struct svt_bytes key = {0};
    for (int round = 0; round < 12 * nvalues; round++) {
        enum svt_collation c = (enum svt_collation)(round % 3);
        const struct svt_key_part parts[2] = {{c, round / 3 & 1, false, SVT_UTF8},
                                              {c, round / 6 & 1, true, SVT_UTF8}};
        svt_bytes_clear(&key);
        svt_key_put(&key, &parts[0], &values[round % nvalues]);
        svt_key_put(&key, &parts[1], &values[(round * 7 + 3) % nvalues]);
        for (size_t n = 0; n < key.size; n++) {
            uint8_t *cut = exact_copy(key.data, n);
            decode_hostile(parts, cut, n);
            free(cut);
        }
        uint8_t *bytes = exact_copy(key.data, key.size);
        assert_true(decode_hostile(parts, bytes, key.size));
        for (size_t i = 0; i < key.size; i++) {
            for (unsigned bit = 0; bit < 8; bit++) {
                bytes[i] ^= (uint8_t)(1u << bit);
                decode_hostile(parts, bytes, key.size);
                bytes[i] ^= (uint8_t)(1u << bit);
            }
        }
        free(bytes);
    }
    svt_bytes_fini(&key);
}

static void encodings_that_are_never_written_are_refused(void **state)
{
    (void)state;
    static const struct {
        size_t n;
        enum svt_collation collation;
        bool last;
        uint8_t bytes[16];
    } cases[] = {
        {0, SVT_BINARY, true, {0}},
        {1, SVT_BINARY, true, {0x04}},
        {2, SVT_BINARY, true, {0x05, 0x00}},       /* NULL + byte */
        {9, SVT_BINARY, true, {0x15, 0xff, 0xf8}}, /* NaN */
        {9, SVT_BINARY, true, {0x15, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}},
        {9, SVT_BINARY, true, {0x15, 0xc3, 0x40}}, /* 2^53 without its remainder */
        {11,
         SVT_BINARY,
         true,
         {0x15, 0xc3, 0x40, 0, 0, 0, 0, 0, 0, 0, 2}}, /* 2^53 + 2 */
        {11,
         SVT_BINARY,
         true,
         {0x15, 0xff, 0xf0, 0, 0, 0, 0, 0, 0, 0, 1}}, /* inf + 1 */
        {11,
         SVT_BINARY,
         true,
         {0x15, 0xc3, 0xe0, 0, 0, 0, 0, 0, 0, 0, 1}}, /* 2^63 + 1 */
        {2, SVT_NOCASE, true, {0x25, 'A'}},
        {3, SVT_NOCASE, true, {0x25, 'a', 0}},
        {11, SVT_NOCASE, true, {0x25, 'a', 0, 0, 0, 0, 0, 0, 0, 0, 1}}, /* length 1 */
        {3, SVT_RTRIM, true, {0x25, 'a', ' '}},
        {2, SVT_BINARY, false, {0x25, 'a'}},
        {3, SVT_BINARY, false, {0x25, 'a', 0}},
        {4, SVT_BINARY, false, {0x25, 'a', 0, 1}},
        {1, SVT_BINARY, false, {0x25}},
    };
    struct svt_bytes scratch = {0};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct svt_key_part part = {cases[i].collation, false, cases[i].last, SVT_UTF8};
        struct svt_value v;
        const uint8_t *p = cases[i].bytes;
        if (svt_key_get(&p, p + cases[i].n, &part, &v, &scratch))
            fail_msg("case %zu was accepted", i);
        assert_ptr_equal(p, cases[i].bytes);
    }
    svt_bytes_fini(&scratch);
}

static void tags_bound_their_classes_in_both_directions(void **state)
{
    (void)state;
    static const uint8_t tags[] = {
        0, SVT_TAG_NUMBER, SVT_TAG_NUMBER, SVT_TAG_TEXT, SVT_TAG_BLOB, SVT_TAG_NULL};
    struct svt_bytes key = {0}, bound = {0};
    for (int i = 0; i < nvalues; i++) {
        for (int form = 0; form < 4; form++) {
            struct svt_key_part part = {SVT_BINARY, form & 1, form & 2, SVT_UTF8};
            svt_bytes_clear(&key);
            svt_key_put(&key, &part, &values[i]);
            for (size_t t = 1; t < sizeof tags; t++) {
                for (int above = 0; above < 2; above++) {
                    int want = tags[values[i].type] != tags[t]
                                   ? (tags[values[i].type] > tags[t] ? 1 : -1)
                                   : (above ? -1 : 1);
                    svt_bytes_clear(&bound);
                    svt_key_put_tag(&bound, &part, tags[t], above);
                    assert_int_equal(byte_order(&key, &bound),
                                     part.desc ? -want : want);
                }
            }
        }
    }
    svt_bytes_fini(&key);
    svt_bytes_fini(&bound);
}

static void the_documented_bytes_are_written(void **state)
{
    (void)state;
    struct svt_bytes key = {0};
    const struct svt_key_part mid = {SVT_BINARY, false, false, SVT_UTF8},
                              down = {SVT_BINARY, true, false, SVT_UTF8},
                              last = {SVT_NOCASE, false, true, SVT_UTF8};
    svt_key_put(&key, &mid, &(struct svt_value){.type = SQLITE_NULL});
    svt_key_put(&key, &mid, &(struct svt_value){.type = SQLITE_INTEGER, .i = 1});
    svt_key_put(&key, &down, &(struct svt_value){.type = SQLITE_FLOAT, .r = -2.5});
    svt_key_put(&key, &mid,
                &(struct svt_value){.type = SQLITE_INTEGER, .i = 9007199254740993});
    svt_key_put(&key, &mid,
                &(struct svt_value){.type = SQLITE_BLOB, .bytes = {"x\0y", 3}});
    svt_key_put(&key, &down,
                &(struct svt_value){.type = SQLITE_TEXT, .bytes = {"a", 1}});
    svt_key_put(&key, &last,
                &(struct svt_value){.type = SQLITE_TEXT, .bytes = {"Hi\0!", 4}});
    test_hex_equal(svt_bytes_slice(&key), "05 "
                                          "15 bf f0 00 00 00 00 00 00 "
                                          "ea c0 04 00 00 00 00 00 00 "
                                          "15 c3 40 00 00 00 00 00 00 00 01 "
                                          "35 78 00 ff 79 00 00 "
                                          "da 9e ff ff "
                                          "25 68 69 00 00 00 00 00 00 00 00 04");
    svt_bytes_clear(&key);
    svt_key_rowid(&key, -2);
    test_hex_equal(svt_bytes_slice(&key), "7f ff ff ff ff ff ff fe");
    svt_bytes_fini(&key);
}

static void the_successor_is_above_every_extension(void **state)
{
    (void)state;
    struct svt_bytes key = {0};
    svt_bytes_append(&key, "a\xff\xff", 3);
    assert_true(svt_key_successor(&key));
    test_hex_equal(svt_bytes_slice(&key), "62");
    assert_true(svt_key_successor(&key));
    test_hex_equal(svt_bytes_slice(&key), "63");
    svt_bytes_clear(&key);
    svt_bytes_append(&key, "\xff\xff", 2);
    assert_false(svt_key_successor(&key));
    svt_bytes_clear(&key);
    assert_false(svt_key_successor(&key));
    svt_bytes_fini(&key);
}

static void running_out_of_memory_is_remembered(void **state)
{
    (void)state;
    static const char zeros[200];
    const struct svt_value v = {.type = SQLITE_TEXT, .bytes = {zeros, sizeof zeros}};
    struct svt_bytes key = {0}, scratch = {0};
    for (int c = SVT_BINARY; c <= SVT_RTRIM; c++) {
        struct svt_key_part part = {(enum svt_collation)c, true, false, SVT_UTF8};
        for (int64_t left = 0; left < 10; left++) {
            svt_bytes_fini(&key);
            test_mem_left = left;
            svt_key_put(&key, &part, &v);
            test_mem_left = -1;
            if (!key.failed)
                break;
            assert_true(left < 9);
        }
        struct svt_value out;
        const uint8_t *p = key.data;
        test_mem_left = 0;
        assert_false(svt_key_get(&p, key.data + key.size, &part, &out, &scratch));
        test_mem_left = -1;
        assert_true(scratch.failed);
        svt_bytes_clear(&scratch);
    }
    svt_bytes_fini(&key);
    svt_bytes_fini(&scratch);
}

static int open_db(void **state)
{
    if (test_mem_install(state) != 0)
        return -1;
    add((struct svt_value){.type = SQLITE_NULL});
    add_numbers();
    add_texts();
    return sqlite3_open(":memory:", &db);
}

static int close_db(void **state)
{
    (void)state;
    return sqlite3_close(db);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_sort_as_sqlite_compares_for_every_pair),
        cmocka_unit_test(random_keys_sort_as_sqlite_compares),
        cmocka_unit_test(composite_keys_sort_part_by_part),
        cmocka_unit_test(rowids_sort_as_integers_and_come_back),
        cmocka_unit_test(decoding_gives_the_values_back_as_documented),
        cmocka_unit_test(malformed_keys_are_refused_or_decode_to_what_they_encode),
        cmocka_unit_test(encodings_that_are_never_written_are_refused),
        cmocka_unit_test(tags_bound_their_classes_in_both_directions),
        cmocka_unit_test(the_documented_bytes_are_written),
        cmocka_unit_test(the_successor_is_above_every_extension),
        cmocka_unit_test(running_out_of_memory_is_remembered),
    };
    return cmocka_run_group_tests(tests, open_db, close_db);
}
