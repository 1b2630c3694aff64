/* SPDX-License-Identifier: Apache-2.0 */
#include "db/payload.h"

#include "base/rand.h"
#include "test.h"

#include <stdlib.h>

/* FORMAT.md, "Commit log". */
static const char example[] = "2a 00 00 00 00 00 00 00 01 03 29 00 00 00 00 00"
                              "00 00 00 00 01 02 6b 31 01 76 02 02 6b 32 00";

static struct sdb_record put(const char *key, const char *value)
{
    return (struct sdb_record){
        .key = test_slice(key), .kind = SDB_KIND_VALUE, .value = test_slice(value)};
}

static struct sdb_record del(const char *key)
{
    return (struct sdb_record){.key = test_slice(key), .kind = SDB_KIND_TOMBSTONE};
}

static void encode_example(struct sdb_buf *b)
{
    struct sdb_record r1 = put("k1", "v"), r2 = del("k2");
    sdb_payload_begin(b, 1);
    size_t prev = sdb_payload_part(b, 3, NULL, 0);
    sdb_payload_record(b, &r1);
    sdb_payload_record(b, &r2);
    sdb_payload_end_part(b);
    sdb_payload_set_number(b, 42);
    sdb_payload_set_prev(b, prev, 41);
}

/* Everything in the payload as words: "42: 3<41 k1=v -k2; 4<0 ..." or the failure. */
static int read_words(seerdb_slice bytes, char *out, size_t room, seerdb_err *err)
{
    struct sdb_payload_reader p;
    struct sdb_record r;
    uint64_t tree, prev;
    size_t at = 0;
    int rc = sdb_payload_open(&p, bytes, "log", err);
    if (rc != 0)
        return rc;
    at += (size_t)snprintf(out, room, "%" PRIu64 ":", p.number);
    while ((rc = sdb_payload_next_part(&p, &tree, &prev, err)) == 0) {
        at +=
            (size_t)snprintf(out + at, room - at, " %" PRIu64 "<%" PRIu64, tree, prev);
        for (uint64_t file; at < room && sdb_payload_next_file(&p, &file);)
            at += (size_t)snprintf(out + at, room - at, " #%" PRIu64, file);
        while ((rc = sdb_payload_next_record(&p, &r, err)) == 0) {
            assert_int_equal(r.number, p.number);
            at += (size_t)snprintf(out + at, room - at, " %s%.*s",
                                   r.kind == SDB_KIND_TOMBSTONE ? "-"
                                   : r.kind == SDB_KIND_RANGE   ? "~"
                                                                : "",
                                   (int)r.key.size, (const char *)r.key.data);
            if (r.kind != SDB_KIND_TOMBSTONE)
                at += (size_t)snprintf(out + at, room - at, "%s%.*s",
                                       r.kind == SDB_KIND_RANGE ? ":" : "=",
                                       (int)r.value.size, (const char *)r.value.data);
            if (at >= room)
                return 0;
        }
        if (rc != SEERDB_NOTFOUND)
            return rc;
    }
    return rc == SEERDB_NOTFOUND ? 0 : rc;
}

static void the_example_in_the_format_is_what_is_written(void **state)
{
    struct sdb_buf b = {0};
    char words[200];
    seerdb_err err = {0};
    (void)state;
    encode_example(&b);
    test_hex_equal(sdb_buf_slice(&b), example);
    test_ok(read_words(sdb_buf_slice(&b), words, sizeof words, &err), &err);
    assert_string_equal(words, "42: 3<41 k1=v -k2");
    sdb_buf_fini(&b);
}

/* FORMAT.md: what commit 43 wrote to the same tree lies in tables 17 and 300. */
static void a_spilled_part_names_its_tables(void **state)
{
    static const uint64_t files[] = {17, 300};
    struct sdb_buf b = {0};
    char words[200];
    seerdb_err err = {0};
    (void)state;
    sdb_payload_begin(&b, 1);
    size_t prev = sdb_payload_spilled_part(&b, 3, files, 2);
    sdb_payload_end_part(&b);
    sdb_payload_set_number(&b, 43);
    sdb_payload_set_prev(&b, prev, 42);
    test_hex_equal(sdb_buf_slice(&b), "2b 00 00 00 00 00 00 00 01 03 2a 00 00 00 00 00"
                                      "00 00 02 11 ac 02 00 00");
    test_ok(read_words(sdb_buf_slice(&b), words, sizeof words, &err), &err);
    assert_string_equal(words, "43: 3<42 #17 #300");
    for (size_t n = 0; n < b.size; n++)
        test_fails(read_words((seerdb_slice){b.data, n}, words, sizeof words, &err),
                   SEERDB_CORRUPT, &err);
    sdb_buf_fini(&b);
}

static struct sdb_record range(const char *start, const char *end)
{
    return (struct sdb_record){
        .key = test_slice(start), .kind = SDB_KIND_RANGE, .value = test_slice(end)};
}

/* FORMAT.md: commit 45 merges x into c.  What it includes of others, no log says. */
static void merge_operands_are_a_list_of_their_own(void **state)
{
    struct sdb_buf b = {0};
    struct sdb_record r = {
        .key = test_slice("c"), .kind = SDB_KIND_MERGE, .value = {"\0\1\1x", 4}};
    struct sdb_payload_reader p;
    struct sdb_record got;
    seerdb_err err = {0};
    uint64_t tree, prev;
    (void)state;
    sdb_payload_begin(&b, 1);
    size_t at = sdb_payload_part(&b, 3, NULL, 0);
    sdb_payload_record(&b, &r);
    sdb_payload_end_part(&b);
    sdb_payload_set_number(&b, 45);
    sdb_payload_set_prev(&b, at, 44);
    test_hex_equal(sdb_buf_slice(&b), "2d 00 00 00 00 00 00 00 01 03 2c 00 00 00 00 00"
                                      "00 00 00 00 03 01 63 04 00 01 01 78 00");
    test_ok(sdb_payload_open(&p, sdb_buf_slice(&b), "log", &err), &err);
    test_ok(sdb_payload_next_part(&p, &tree, &prev, &err), &err);
    test_ok(sdb_payload_next_record(&p, &got, &err), &err);
    assert_int_equal(got.kind, SDB_KIND_MERGE);
    test_slice_equal(got.value, r.value);
    b.data[b.size - 5] = 44; /* from */
    test_ok(sdb_payload_open(&p, sdb_buf_slice(&b), "log", &err), &err);
    test_ok(sdb_payload_next_part(&p, &tree, &prev, &err), &err);
    test_fails(sdb_payload_next_record(&p, &got, &err), SEERDB_CORRUPT, &err);
    sdb_buf_fini(&b);
}

/* FORMAT.md: commit 44 of the same tree deletes all from a to below m and puts b. */
static void ranges_stand_before_the_records(void **state)
{
    struct sdb_buf b = {0};
    struct sdb_record r1 = range("a", "m"), r2 = put("b", "x");
    char words[200];
    seerdb_err err = {0};
    (void)state;
    sdb_payload_begin(&b, 1);
    size_t prev = sdb_payload_part(&b, 3, NULL, 0);
    sdb_payload_record(&b, &r1);
    sdb_payload_record(&b, &r2);
    sdb_payload_end_part(&b);
    sdb_payload_set_number(&b, 44);
    sdb_payload_set_prev(&b, prev, 43);
    test_hex_equal(sdb_buf_slice(&b), "2c 00 00 00 00 00 00 00 01 03 2b 00 00 00 00 00"
                                      "00 00 00 00 04 01 61 01 6d 01 01 62 01 78 00");
    test_ok(read_words(sdb_buf_slice(&b), words, sizeof words, &err), &err);
    assert_string_equal(words, "44: 3<43 ~a:m b=x");
    sdb_buf_fini(&b);
}

static void ranges_are_rising_disjoint_and_not_empty(void **state)
{
    static const struct {
        const char *ranges[2][2]; /* of part 1, and of part 2 */
        bool record;              /* before the last one */
        int want;
    } cases[] = {
        {{{"a", "b"}, {"b", "c"}}, false, 0},
        {{{"a", "b"}, {"c", "d"}}, false, 0},
        {{{"", "b"}, {"b", "c"}}, false, 0},
        {{{"a", "b"}, {"a", "b"}}, false, SEERDB_CORRUPT},
        {{{"c", "d"}, {"a", "b"}}, false, SEERDB_CORRUPT},
        {{{"a", "c"}, {"b", "d"}}, false, SEERDB_CORRUPT},
        {{{"a", "b"}, {"c", "c"}}, false, SEERDB_CORRUPT},
        {{{"a", "b"}, {"d", "c"}}, false, SEERDB_CORRUPT},
        {{{"a", "b"}, {"c", ""}}, false, SEERDB_CORRUPT},
        {{{"a", "b"}, {"c", "d"}}, true, SEERDB_CORRUPT},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct sdb_buf b = {0};
        struct sdb_record record = put("a", "1");
        char words[200];
        seerdb_err err = {0};
        sdb_payload_begin(&b, 2);
        for (uint64_t part = 1; part <= 2; part++) { /* each begins anew */
            (void)sdb_payload_part(&b, part, NULL, 0);
            for (int k = 0; k < 2; k++) {
                struct sdb_record r =
                    range(cases[i].ranges[k][0], cases[i].ranges[k][1]);
                if (k == 1 && cases[i].record)
                    sdb_payload_record(&b, &record);
                sdb_payload_record(&b, &r);
            }
            sdb_payload_end_part(&b);
        }
        sdb_payload_set_number(&b, 7);
        int rc = read_words(sdb_buf_slice(&b), words, sizeof words, &err);
        if (rc != cases[i].want)
            fail_msg("case %zu: %d: %s", i, rc, err.msg);
        sdb_buf_fini(&b);
    }
}

static void several_parts_come_back_as_they_went_in(void **state)
{
    struct sdb_buf b = {0};
    struct sdb_record r1 = put("", ""), r2 = put("a", ""), r3 = del("");
    char words[200];
    seerdb_err err = {0};
    (void)state;
    sdb_payload_begin(&b, 3);
    (void)sdb_payload_part(&b, 1, NULL, 0);
    sdb_payload_record(&b, &r1);
    sdb_payload_record(&b, &r2);
    sdb_payload_end_part(&b);
    (void)sdb_payload_part(&b, 300, NULL, 0);
    sdb_payload_end_part(&b);
    size_t prev = sdb_payload_part(&b, UINT64_MAX, NULL, 0);
    sdb_payload_record(&b, &r3);
    sdb_payload_end_part(&b);
    sdb_payload_set_number(&b, SDB_NUMBER_MAX);
    sdb_payload_set_prev(&b, prev, SDB_NUMBER_MAX - 1);
    test_ok(read_words(sdb_buf_slice(&b), words, sizeof words, &err), &err);
    assert_string_equal(words, "72057594037927935: 1<0 = a= 300<0 "
                               "18446744073709551615<72057594037927934 -");
    sdb_buf_fini(&b);
}

static void a_payload_cut_short_is_refused(void **state)
{
    struct sdb_buf b = {0};
    char words[200];
    seerdb_err err = {0};
    (void)state;
    encode_example(&b);
    for (size_t n = 0; n < b.size; n++) {
        /* On the heap and of this size, so that reading past the end shows. */
        uint8_t *copy = malloc(n + 1);
        memcpy(copy, b.data, n);
        copy = realloc(copy, n > 0 ? n : 1);
        test_fails(read_words((seerdb_slice){copy, n}, words, sizeof words, &err),
                   SEERDB_CORRUPT, &err);
        free(copy);
    }
    sdb_put_u8(&b, 0);
    test_fails(read_words(sdb_buf_slice(&b), words, sizeof words, &err), SEERDB_CORRUPT,
               &err);
    sdb_buf_fini(&b);
}

/* The frame's checksum is what finds flipped bytes; here nothing may be read beyond the
 * payload, and what answers 0 must keep the limits. */
static void flipped_bytes_are_read_within_bounds(void **state)
{
    struct sdb_rand r = {7};
    (void)state;
    for (int i = 0; i < 20000; i++) {
        struct sdb_buf b = {0};
        char words[200];
        seerdb_err err = {0};
        encode_example(&b);
        for (uint64_t n = 1 + sdb_rand_below(&r, 3); n > 0; n--)
            b.data[sdb_rand_below(&r, b.size)] = (uint8_t)sdb_rand_next(&r);
        uint8_t *copy = malloc(b.size);
        memcpy(copy, b.data, b.size);
        int rc = read_words((seerdb_slice){copy, b.size}, words, sizeof words, &err);
        assert_true(rc == 0 || rc == SEERDB_CORRUPT || rc == SEERDB_NEWER);
        assert_true(rc == 0 || err.msg[0] != '\0');
        free(copy);
        sdb_buf_fini(&b);
    }
}

/* A byte of the example replaced by another, and what a reader must answer. */
static void broken_rules_are_named(void **state)
{
    static const struct {
        size_t at;
        uint8_t byte;
        int want;
        const char *words;
    } cases[] = {
        {0, 0, SEERDB_CORRUPT, "head"},                 /* number 0 */
        {7, 1, SEERDB_CORRUPT, "head"},                 /* above 56 bits */
        {8, 0, SEERDB_CORRUPT, "head"},                 /* no parts */
        {8, 2, SEERDB_CORRUPT, "part"},                 /* a part too many */
        {10, 42, SEERDB_CORRUPT, "part"},               /* prev is the commit itself */
        {18, 1, SEERDB_CORRUPT, "part"},                /* a pending table 0 */
        {18, 0x7f, SEERDB_CORRUPT, "part"},             /* ... tables beyond the end */
        {19, 0x7f, SEERDB_CORRUPT, "part"},             /* files beyond the end */
        {20, 3, SEERDB_CORRUPT, "merge operands"},      /* that are none */
        {20, 6, SEERDB_CORRUPT, "record"},              /* no such kind */
        {21, 0x7f, SEERDB_CORRUPT, "record"},           /* key beyond the end */
        {20, 0, SEERDB_CORRUPT, "after the last part"}, /* the part ends early */
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct sdb_buf b = {0};
        char words[200];
        seerdb_err err = {0};
        encode_example(&b);
        b.data[cases[i].at] = cases[i].byte;
        int rc = read_words(sdb_buf_slice(&b), words, sizeof words, &err);
        if (rc != cases[i].want || strstr(err.msg, cases[i].words) == NULL)
            fail_msg("case %zu: %d: %s", i, rc, err.msg);
        sdb_buf_fini(&b);
    }
}

static void a_key_over_the_limit_is_refused(void **state)
{
    struct sdb_buf b = {0};
    char words[200];
    seerdb_err err = {0};
    char *key = calloc(1, SEERDB_KEY_MAX + 1);
    (void)state;
    for (size_t extra = 0; extra < 2; extra++) {
        struct sdb_record r = {.key = {key, SEERDB_KEY_MAX + extra},
                               .kind = SDB_KIND_TOMBSTONE};
        sdb_buf_clear(&b);
        sdb_payload_begin(&b, 1);
        (void)sdb_payload_part(&b, 1, NULL, 0);
        sdb_payload_record(&b, &r);
        sdb_payload_end_part(&b);
        sdb_payload_set_number(&b, 1);
        int rc = read_words(sdb_buf_slice(&b), words, sizeof words, &err);
        assert_int_equal(rc, extra == 0 ? 0 : SEERDB_CORRUPT);
    }
    free(key);
    sdb_buf_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_example_in_the_format_is_what_is_written),
        cmocka_unit_test(a_spilled_part_names_its_tables),
        cmocka_unit_test(merge_operands_are_a_list_of_their_own),
        cmocka_unit_test(ranges_stand_before_the_records),
        cmocka_unit_test(ranges_are_rising_disjoint_and_not_empty),
        cmocka_unit_test(several_parts_come_back_as_they_went_in),
        cmocka_unit_test(a_payload_cut_short_is_refused),
        cmocka_unit_test(flipped_bytes_are_read_within_bounds),
        cmocka_unit_test(broken_rules_are_named),
        cmocka_unit_test(a_key_over_the_limit_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
