/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "log/side.h"

#include "os/faultfs.h"
#include "os/memfs.h"

#include <errno.h>
#include <stdlib.h>

static const seerdb_uuid store = {{0, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88,
                                   0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff}};

struct rig {
    struct sdb_fs *mem, *fs; /* owned: memory, and the faults in front of it */
    struct sdb_side_options o;
    struct sdb_aside_desc desc;
    bool spilled; /* the example has spilled commits */
};

static void rig_init(struct rig *g)
{
    seerdb_err err = {0};
    *g = (struct rig){.mem = sdb_memfs_new(true)};
    g->fs = sdb_faultfs_new(g->mem);
    assert_non_null(g->fs);
    test_ok(sdb_fs_mkdir(g->fs, "s", &err), &err);
    g->o = (struct sdb_side_options){g->fs, "s", store, 3};
}

static void rig_fini(struct rig *g)
{
    sdb_faultfs_free(g->fs);
    sdb_memfs_free(g->mem);
}

/* value NULL: a tombstone; key "~a": a range tombstone from a to `value`. */
static struct sdb_record record_of(const char *key, uint64_t number, const char *value)
{
    struct sdb_record r = {.key = test_slice(key), .number = number};
    r.kind = value != NULL ? SDB_KIND_VALUE : SDB_KIND_TOMBSTONE;
    if (key[0] == '~') {
        r.key = test_slice(key + 1);
        r.kind = SDB_KIND_RANGE;
    }
    if (value != NULL)
        r.value = test_slice(value);
    return r;
}

/* The examples of FORMAT.md. */
static int write_example(struct rig *g, seerdb_err *err)
{
    struct sdb_side_writer *w = NULL;
    struct sdb_record one = record_of("a", 130, "1"), two = record_of("a", 131, NULL);
    int rc = sdb_side_writer_new(&g->o, 18, &w, err);
    if (rc != 0)
        return rc;
    sdb_side_writer_link(w, 130, 120);
    sdb_side_writer_link(w, 131, 130);
    if (g->spilled) {
        sdb_side_writer_link(w, 132, 131);
        sdb_side_writer_link(w, 133, 132);
        sdb_side_writer_link(w, 134, 132);
    }
    sdb_side_writer_record(w, &one);
    sdb_side_writer_record(w, &two);
    if (g->spilled) {
        const uint64_t files[] = {21, 22};
        struct sdb_record three = record_of("a", 134, "2");
        sdb_side_writer_tables(w, 132, files, 2);
        sdb_side_writer_tables(w, 133, NULL, 0);
        sdb_side_writer_record(w, &three);
    }
    rc = sdb_side_writer_finish(w, g->spilled ? 134 : 131, &g->desc, err);
    sdb_side_writer_free(w);
    return rc;
}

/* What was read, in words. */
struct got {
    char text[400];
    int fail_at; /* answer NOMEM to that item; 0: never */
    int items;
};

static int take(struct got *got, const char *word, seerdb_err *err)
{
    size_t n = strlen(got->text);
    if (++got->items == got->fail_at)
        return sdb_fail(err, SEERDB_NOMEM, "as told");
    snprintf(got->text + n, sizeof got->text - n, "%s%s", n > 0 ? " " : "", word);
    return 0;
}

static int take_link(void *ctx, uint64_t number, uint64_t prev, seerdb_err *err)
{
    char word[64];
    snprintf(word, sizeof word, "%" PRIu64 "<%" PRIu64, prev, number);
    return take(ctx, word, err);
}

static int take_record(void *ctx, const struct sdb_record *r, seerdb_err *err)
{
    char word[64];
    snprintf(word, sizeof word, "%.*s@%" PRIu64 "%s%.*s", (int)r->key.size,
             (const char *)r->key.data, r->number,
             r->kind == SDB_KIND_TOMBSTONE ? "-"
             : r->kind == SDB_KIND_RANGE   ? "~"
                                           : "=",
             (int)r->value.size, r->value.size > 0 ? (const char *)r->value.data : "");
    return take(ctx, word, err);
}

static int take_tables(void *ctx, uint64_t number, const uint64_t *files, size_t n,
                       seerdb_err *err)
{
    char word[64];
    int at = snprintf(word, sizeof word, "%" PRIu64 ":", number);
    for (size_t i = 0; i < n && at < 50; i++)
        at += snprintf(word + at, sizeof word - (size_t)at, "%s%" PRIu64,
                       i > 0 ? "," : "", files[i]);
    return take(ctx, word, err);
}

static int read_back(struct rig *g, struct got *got, seerdb_err *err)
{
    got->text[0] = '\0';
    got->items = 0;
    struct sdb_side_taker taker = {take_link, take_record, take_tables, got};
    return sdb_side_read(&g->o, &g->desc, &taker, err);
}

static void expect_bytes(struct rig *g, const char *hex)
{
    seerdb_err err = {0};
    struct sdb_file *f = NULL;
    struct sdb_buf bytes = {0};
    test_ok(write_example(g, &err), &err);
    test_ok(sdb_fs_open(g->mem, "s/000018.side", SDB_READ, SDB_FOR_OTHER, &f, &err),
            &err);
    test_ok(sdb_file_read_all(f, &bytes, &err), &err);
    test_hex_equal(sdb_buf_slice(&bytes), hex);
    assert_int_equal(g->desc.file, 18);
    assert_int_equal(g->desc.size, bytes.size);
    sdb_buf_fini(&bytes);
    sdb_file_close(f);
}

#define HEADER                                                                         \
    "53 45 45 52 4c 4f 47 31 01 00 00 00 03 00 00 00"                                  \
    "00 11 22 33 44 55 66 77 88 99 aa bb cc dd ee ff"                                  \
    "12 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00"                                  \
    "00 00 00 00 00 00 00 00 9d 9c 2e 36 20 91 37 37"

static void the_file_has_the_bytes_of_the_format(void **state)
{
    (void)state;
    struct rig g;
    rig_init(&g);
    expect_bytes(&g, HEADER "a0 d1 c6 ce 1d e2 ae 2d 07 00 00 00 02 00 00 00"
                            "00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00"
                            "7c ae d1 8c dc 46 5f 71 82 01 78 83 01 82 01 00"
                            "a5 91 23 3d 64 bc 9b ba 0c 00 00 00 01 00 00 00"
                            "00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00"
                            "a4 07 56 f0 a0 d9 50 76 82 01 01 01 61 01 31 83"
                            "01 02 01 61 00 00 00 00 20 7a 18 94 a7 ff 99 95"
                            "05 00 00 00 03 00 00 00 00 00 00 00 00 00 00 00"
                            "00 00 00 00 00 00 00 00 cd 31 36 69 42 f2 40 cc"
                            "03 83 01 02 02 00 00 00");
    assert_int_equal(g.desc.covered, 131);
    rig_fini(&g);
    rig_init(&g);
    g.spilled = true;
    expect_bytes(&g, HEADER "31 42 52 a7 ad 9c 4e 65 13 00 00 00 02 00 00 00"
                            "00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00"
                            "be 97 01 cd 70 c6 9e ad 82 01 78 83 01 82 01 84"
                            "01 83 01 85 01 84 01 86 01 84 01 00 00 00 00 00"
                            "2c 41 0c b8 6e 35 db b9 0c 00 00 00 01 00 00 00"
                            "00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00"
                            "ac b1 9c b1 4c 22 d3 dd 82 01 01 01 61 01 31 83"
                            "01 02 01 61 00 00 00 00 4d 74 76 d2 e9 a3 c3 7b"
                            "08 00 00 00 04 00 00 00 00 00 00 00 00 00 00 00"
                            "00 00 00 00 00 00 00 00 94 2e 94 f7 61 24 aa 17"
                            "84 01 02 15 16 85 01 00 de 81 d6 19 94 9c c4 e6"
                            "07 00 00 00 01 00 00 00 00 00 00 00 00 00 00 00"
                            "00 00 00 00 00 00 00 00 f3 cf 39 2b 13 de 3a 79"
                            "86 01 01 01 61 01 32 00 23 0a d6 be ef b1 26 81"
                            "06 00 00 00 03 00 00 00 00 00 00 00 00 00 00 00"
                            "00 00 00 00 00 00 00 00 91 9e 06 cc c5 01 1a bf"
                            "03 86 01 03 05 02 00 00");
    assert_int_equal(g.desc.covered, 134);
    rig_fini(&g);
}

static void what_was_written_is_read(void **state)
{
    (void)state;
    seerdb_err err = {0};
    struct rig g;
    struct got got = {0};
    rig_init(&g);
    test_ok(write_example(&g, &err), &err);
    test_ok(read_back(&g, &got, &err), &err);
    assert_string_equal(got.text, "120<130 130<131 a@130=1 a@131-");
    for (got.fail_at = 1; got.fail_at <= 4; got.fail_at++)
        test_fails(read_back(&g, &got, &err), SEERDB_NOMEM, &err);
    rig_fini(&g);
    rig_init(&g);
    g.spilled = true;
    got.fail_at = 0;
    test_ok(write_example(&g, &err), &err);
    test_ok(read_back(&g, &got, &err), &err);
    assert_string_equal(got.text, "120<130 130<131 131<132 132<133 132<134 a@130=1 "
                                  "a@131- 132:21,22 133: a@134=2");
    for (got.fail_at = 1; got.fail_at <= 10; got.fail_at++)
        test_fails(read_back(&g, &got, &err), SEERDB_NOMEM, &err);
    rig_fini(&g);
}

static void ranges_come_before_the_records(void **state)
{
    (void)state;
    static const struct {
        const char *key, *value;
        uint64_t number;
    } items[] = {
        {"~", "b", 130}, {"~a", "c", 131}, {"~a", "b", 130},
        {"", "1", 130},  {"a", "1", 130},  {"a", NULL, 131},
    };
    seerdb_err err = {0};
    struct rig g;
    struct got got = {0};
    struct sdb_side_writer *w = NULL;
    rig_init(&g);
    test_ok(sdb_side_writer_new(&g.o, 18, &w, &err), &err);
    sdb_side_writer_link(w, 130, 120);
    sdb_side_writer_link(w, 131, 130);
    for (size_t i = 0; i < sizeof items / sizeof *items; i++) {
        struct sdb_record r = record_of(items[i].key, items[i].number, items[i].value);
        sdb_side_writer_record(w, &r);
    }
    test_ok(sdb_side_writer_finish(w, 131, &g.desc, &err), &err);
    sdb_side_writer_free(w);
    test_ok(read_back(&g, &got, &err), &err);
    assert_string_equal(got.text, "120<130 130<131 @130~b a@131~c a@130~b @130=1 "
                                  "a@130=1 a@131-");
    rig_fini(&g);
}

/* Records of every size, some larger than a frame is meant to be. */
static void large_content_takes_many_frames(void **state)
{
    (void)state;
    seerdb_err err = {0};
    struct rig g;
    struct sdb_side_writer *w = NULL;
    char *big = calloc(1, 300000), key[16];
    uint64_t expected = 0;
    rig_init(&g);
    test_ok(sdb_side_writer_new(&g.o, 5, &w, &err), &err);
    for (uint64_t i = 1; i <= 100000; i++)
        sdb_side_writer_link(w, i, i - 1);
    for (unsigned i = 0; i < 300; i++) {
        struct sdb_record r = {.number = i + 1, .kind = SDB_KIND_VALUE};
        snprintf(key, sizeof key, "%06u", i);
        r.key = test_slice(key);
        r.value = (seerdb_slice){big, i * 1000u};
        expected += r.value.size;
        sdb_side_writer_record(w, &r);
    }
    test_ok(sdb_side_writer_finish(w, 100000, &g.desc, &err), &err);
    sdb_side_writer_free(w);
    struct got got = {0};
    test_ok(read_back(&g, &got, &err), &err);
    assert_int_equal(got.items, 100300);
    assert_true(g.desc.size > expected && g.desc.size < expected + 1000000);
    free(big);
    rig_fini(&g);
}

static void damage_is_found(bool spilled)
{
    seerdb_err err = {0};
    struct rig g;
    struct got got = {0};
    rig_init(&g);
    g.spilled = spilled;
    test_ok(write_example(&g, &err), &err);
    for (uint64_t at = 0; at < g.desc.size; at++) {
        unsigned bit = (unsigned)(at % 8);
        assert_int_equal(sdb_memfs_flip(g.mem, "s/000018.side", at, bit), 0);
        int rc = read_back(&g, &got, &err);
        if (rc != SEERDB_CORRUPT)
            fail_msg("byte %u flipped: %d %s", (unsigned)at, rc, err.msg);
        assert_non_null(strstr(err.msg, "000018.side"));
        err = (seerdb_err){0};
        assert_int_equal(sdb_memfs_flip(g.mem, "s/000018.side", at, bit), 0);
    }
    struct sdb_file *f = NULL;
    uint64_t whole = g.desc.size;
    test_ok(sdb_fs_open(g.mem, "s/000018.side", SDB_READWRITE, SDB_FOR_OTHER, &f, &err),
            &err);
    for (uint64_t size = whole; size-- > 0;) {
        test_ok(sdb_file_truncate(f, size, &err), &err);
        test_fails(read_back(&g, &got, &err), SEERDB_CORRUPT, &err);
        g.desc.size = size; /* nor does a manifest that agrees make it whole */
        test_fails(read_back(&g, &got, &err), SEERDB_CORRUPT, &err);
        g.desc.size = whole;
    }
    sdb_file_close(f);
    sdb_side_remove(g.fs, "s", 18);
    test_fails(read_back(&g, &got, &err), SEERDB_CORRUPT, &err);
    sdb_side_remove(g.fs, "s", 18); /* again is nothing */
    rig_fini(&g);
}

static void a_flipped_bit_or_missing_bytes_are_found(void **state)
{
    (void)state;
    damage_is_found(false);
    damage_is_found(true);
}

static void a_file_that_is_not_the_one_described_is_corrupt(void **state)
{
    (void)state;
    seerdb_err err = {0};
    for (int i = 0; i < 5; i++) {
        struct rig g;
        struct got got = {0};
        rig_init(&g);
        test_ok(write_example(&g, &err), &err);
        if (i == 0)
            g.o.tree = 4;
        else if (i == 1)
            g.o.store.bytes[0] ^= 1;
        else if (i == 2)
            g.desc.covered = 132;
        else if (i == 3)
            g.desc.covered = 130;
        else
            g.desc.size += 8;
        test_fails(read_back(&g, &got, &err), SEERDB_CORRUPT, &err);
        rig_fini(&g);
    }
}

/* Each is well-formed bytes that break a rule of the format. */
static void content_out_of_order_is_corrupt(void **state)
{
    (void)state;
    static const struct {
        uint64_t links[2], records[2];
        const char *keys[2];
        bool link_after;
    } cases[] = {
        {{130, 130}, {0}, {NULL}, false}, /* a link twice */
        {{131, 130}, {0}, {NULL}, false}, /* falling */
        {{130, 132}, {0}, {NULL}, false}, /* above what is covered */
        {{130, 131}, {131, 130}, {"a", "a"}, false},
        {{130, 131}, {130, 130}, {"a", "a"}, false},
        {{130, 131}, {130, 131}, {"b", "a"}, false},
        {{130, 131}, {130, 132}, {"a", "b"}, false},
        {{130, 0}, {130, 0}, {"a", NULL}, true},    /* links behind records */
        {{130, 0}, {130, 130}, {"a", "~b"}, false}, /* a range behind a record */
        {{130, 131}, {130, 131}, {"~a", "~a"}, false},
        {{130, 0}, {130, 130}, {"~a", "~a"}, false},
        {{130, 0}, {130, 130}, {"~b", "~a"}, false},
        {{130, 0}, {130, 0}, {"~v", NULL}, false}, /* empty: they end at v */
        {{130, 0}, {130, 0}, {"~w", NULL}, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        seerdb_err err = {0};
        struct rig g;
        struct got got = {0};
        struct sdb_side_writer *w = NULL;
        rig_init(&g);
        test_ok(sdb_side_writer_new(&g.o, 18, &w, &err), &err);
        for (size_t k = 0; k < 2 && cases[i].links[k] != 0; k++)
            sdb_side_writer_link(w, cases[i].links[k], 7);
        for (size_t k = 0; k < 2 && cases[i].keys[k] != NULL; k++) {
            struct sdb_record r = record_of(cases[i].keys[k], cases[i].records[k], "v");
            sdb_side_writer_record(w, &r);
        }
        if (cases[i].link_after)
            sdb_side_writer_link(w, 131, 130);
        test_ok(sdb_side_writer_finish(w, 131, &g.desc, &err), &err);
        sdb_side_writer_free(w);
        int rc = read_back(&g, &got, &err);
        if (rc != SEERDB_CORRUPT)
            fail_msg("case %zu answers %d", i, rc);
        rig_fini(&g);
    }
}

/* The same for spilled commits: l, t and r with a number are a link, tables, a record.
 */
static void spilled_commits_out_of_order_are_corrupt(void **state)
{
    (void)state;
    static const struct {
        const char *items;
        uint64_t file; /* that the tables are in */
        int rc;
    } cases[] = {
        {"l128 l129 l130 r128 t129 r130", 21, SEERDB_OK},
        {"l129 l130 t129 t130", 21, SEERDB_OK},
        {"l130 t130", 0, SEERDB_CORRUPT},
        {"l129 l130 r130 t129", 21, SEERDB_CORRUPT}, /* a later commit before it */
        {"l130 r130 t130", 21, SEERDB_CORRUPT},
        {"l129 l130 t130 r129", 21, SEERDB_CORRUPT}, /* an earlier one behind it */
        {"l130 t130 r130", 21, SEERDB_CORRUPT},
        {"l129 l130 t130 t129", 21, SEERDB_CORRUPT},
        {"l130 t130 t130", 21, SEERDB_CORRUPT},
        {"l130 t132", 21, SEERDB_CORRUPT}, /* above what is covered */
        {"l129 t129 l130", 21, SEERDB_CORRUPT},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        seerdb_err err = {0};
        struct rig g;
        struct got got = {0};
        struct sdb_side_writer *w = NULL;
        rig_init(&g);
        test_ok(sdb_side_writer_new(&g.o, 18, &w, &err), &err);
        for (const char *p = cases[i].items; *p != '\0'; p += 4 + (p[4] == ' ')) {
            uint64_t number = strtoull(p + 1, NULL, 10);
            struct sdb_record r = record_of("a", number, "v");
            if (*p == 'l')
                sdb_side_writer_link(w, number, 7);
            else if (*p == 't')
                sdb_side_writer_tables(w, number, &cases[i].file, 1);
            else
                sdb_side_writer_record(w, &r);
        }
        test_ok(sdb_side_writer_finish(w, 131, &g.desc, &err), &err);
        sdb_side_writer_free(w);
        int rc = read_back(&g, &got, &err);
        if (rc != cases[i].rc)
            fail_msg("%s answers %d %s", cases[i].items, rc, err.msg);
        rig_fini(&g);
    }
}

static void every_operation_may_fail(void **state)
{
    (void)state;
    for (uint64_t after = 0;; after++) {
        seerdb_err err = {0};
        struct rig g;
        struct got got = {0};
        rig_init(&g);
        g.spilled = true;
        struct sdb_fault fault = {SDB_FAULT_ALL, NULL, after, 1, ENOSPC, true};
        sdb_faultfs_arm(g.fs, &fault);
        int rc = write_example(&g, &err);
        if (rc == 0)
            rc = read_back(&g, &got, &err);
        bool fired = sdb_faultfs_fired(g.fs) > 0;
        if (fired)
            test_fails(rc, SEERDB_FULL, &err);
        else
            test_ok(rc, &err);
        rig_fini(&g);
        if (!fired)
            break;
        assert_true(after < 100);
    }
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    for (int64_t after = 0;; after++) {
        seerdb_err err = {0};
        struct rig g;
        struct got got = {0};
        rig_init(&g);
        g.spilled = true;
        sdb_mem_fail_after(after);
        int rc = write_example(&g, &err);
        if (rc == 0)
            rc = read_back(&g, &got, &err);
        sdb_side_remove(g.fs, "s", 19);
        sdb_mem_fail_after(-1);
        if (rc != 0)
            test_fails(rc, SEERDB_NOMEM, &err);
        rig_fini(&g);
        if (rc == 0)
            break;
        assert_true(after < 100);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_file_has_the_bytes_of_the_format),
        cmocka_unit_test(what_was_written_is_read),
        cmocka_unit_test(ranges_come_before_the_records),
        cmocka_unit_test(large_content_takes_many_frames),
        cmocka_unit_test(a_flipped_bit_or_missing_bytes_are_found),
        cmocka_unit_test(a_file_that_is_not_the_one_described_is_corrupt),
        cmocka_unit_test(content_out_of_order_is_corrupt),
        cmocka_unit_test(spilled_commits_out_of_order_are_corrupt),
        cmocka_unit_test(every_operation_may_fail),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
