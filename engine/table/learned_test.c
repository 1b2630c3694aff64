/* SPDX-License-Identifier: Apache-2.0 */
#include "table/learned.h"

#include "base/rand.h"
#include "table/block.h"
#include "test.h"

#include <math.h>
#include <stdlib.h>

enum { MOST = 20000 };

/* Codes with their ranks, as a table would have them. */
struct points {
    unsigned n;
    uint64_t codes[MOST], ranks[MOST];
    bool older[MOST];
};

static const struct sdb_coder no_prefix;

static seerdb_slice key_of(uint64_t code, uint8_t key[8])
{
    sdb_store_be64(key, code);
    return (seerdb_slice){key, 8};
}

static uint64_t nblocks(const struct points *p)
{
    return p->ranks[p->n - 1] / SDB_BLOCK_SLOTS + 1;
}

/* Build, write the parts that are not empty whatever they are worth, and parse. */
static struct sdb_learned_worth build(const struct points *p, bool runs,
                                      struct sdb_buf *out, struct sdb_learned *l)
{
    struct sdb_learned_builder b = {0};
    seerdb_err err = {0};
    uint8_t key[8];
    for (unsigned i = 0; i < p->n; i++)
        sdb_learned_add(&b, &no_prefix, key_of(p->codes[i], key), p->codes[i],
                        p->ranks[i], p->older[i]);
    struct sdb_learned_worth worth = sdb_learned_finish(&b, nblocks(p));
    sdb_buf_clear(out);
    sdb_learned_encode(&b, (struct sdb_learned_worth){true, runs && !b.irregular}, out);
    test_ok(sdb_buf_check(out, &err), &err);
    test_ok(sdb_learned_parse(l, sdb_buf_slice(out), nblocks(p), p->n, &err), &err);
    sdb_learned_builder_fini(&b);
    return worth;
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

enum shape { DENSE, STEPPED, UNIFORM, EXPONENTIAL, CLUMPED, EQUAL, EXTREME, SHAPES };

static uint64_t random_code(struct sdb_rand *r, enum shape shape, unsigned i)
{
    switch (shape) {
    case DENSE:
        return UINT64_C(1) << 63 | i;
    case STEPPED:
        return (uint64_t)i << 40;
    case EXPONENTIAL: /* gaps double */
        return (UINT64_C(1) << i % 64) + i / 64;
    case CLUMPED:
        return (sdb_rand_below(r, 50) << 56) + sdb_rand_below(r, 1000);
    case EQUAL: /* a few codes, thousands of records each */
        return sdb_rand_below(r, 5) << 60;
    case EXTREME:
        return i % 2 == 0 ? i : UINT64_MAX - i;
    default:
        return sdb_rand_next(r);
    }
}

/* Points of a shape; blocks have 1 to `fill` records. */
static void make(struct points *p, struct sdb_rand *r, enum shape shape, unsigned n,
                 unsigned fill)
{
    uint64_t rank = 0, end = 0;
    p->n = n;
    for (unsigned i = 0; i < n; i++)
        p->codes[i] = random_code(r, shape, i);
    qsort(p->codes, n, sizeof *p->codes, compare);
    for (unsigned i = 0; i < n; i++) {
        if (i == 0)
            end = sdb_rand_below(r, fill);
        else if (rank++ % SDB_BLOCK_SLOTS >= end) {
            rank = (rank + SDB_BLOCK_SLOTS - 1) / SDB_BLOCK_SLOTS * SDB_BLOCK_SLOTS;
            end = sdb_rand_below(r, fill);
        }
        p->ranks[i] = rank;
        p->older[i] = i > 0 && p->codes[i] == p->codes[i - 1];
    }
}

static void predictions_are_within_the_bound(void **state)
{
    static struct points p;
    struct sdb_rand r = {11};
    struct sdb_buf out = {0};
    (void)state;
    for (unsigned round = 0; round < 70; round++) {
        struct sdb_learned l = {0};
        make(&p, &r, (enum shape)(round % SHAPES),
             1 + (unsigned)sdb_rand_below(&r, MOST),
             1 + (unsigned)sdb_rand_below(&r, 64));
        (void)build(&p, false, &out, &l);
        uint64_t last = nblocks(&p) * SDB_BLOCK_SLOTS - 1;
        for (unsigned i = 0; i < p.n; i++) {
            if (p.older[i])
                continue;
            uint64_t got = sdb_learned_rank(&l, p.codes[i], last);
            uint64_t off = got > p.ranks[i] ? got - p.ranks[i] : p.ranks[i] - got;
            if (off > SDB_LEARNED_EPS + 1)
                fail_msg("shape %u: code %016" PRIx64 " predicted at %" PRIu64
                         ", is at %" PRIu64,
                         round % SHAPES, p.codes[i], got, p.ranks[i]);
        }
        for (unsigned i = 0; i < 1000; i++) /* whatever is asked, it is a place */
            assert_true(sdb_learned_rank(&l, sdb_rand_next(&r), last) <= last);
        sdb_learned_fini(&l);
    }
    sdb_buf_fini(&out);
}

static void predictions_do_not_fall(void **state)
{
    static struct points p;
    struct sdb_rand r = {12};
    struct sdb_buf out = {0};
    (void)state;
    for (unsigned shape = 0; shape < SHAPES; shape++) {
        static uint64_t ask[2000];
        struct sdb_learned l = {0};
        uint64_t before = 0;
        make(&p, &r, (enum shape)shape, 5000, 64);
        (void)build(&p, false, &out, &l);
        for (unsigned i = 0; i < 2000; i++)
            ask[i] = i % 2 == 0 ? sdb_rand_next(&r)
                                : p.codes[sdb_rand_below(&r, p.n)] + i % 3 - 1;
        qsort(ask, 2000, sizeof *ask, compare);
        for (unsigned i = 0; i < 2000; i++) {
            uint64_t got =
                sdb_learned_rank(&l, ask[i], nblocks(&p) * SDB_BLOCK_SLOTS - 1);
            assert_true(got >= before);
            before = got;
        }
        sdb_learned_fini(&l);
    }
    sdb_buf_fini(&out);
}

static void codes_behind_many_equal_ones_are_predicted_behind_them(void **state)
{
    static struct points p;
    struct sdb_buf out = {0};
    struct sdb_learned l = {0};
    (void)state;
    p.n = 3000; /* 1000 records of each of 0, 2^40, 2^41 */
    for (unsigned i = 0; i < p.n; i++) {
        p.codes[i] = (uint64_t)(i / 1000) << 40;
        p.ranks[i] = i;
        p.older[i] = i % 1000 > 0;
    }
    (void)build(&p, false, &out, &l);
    uint64_t got = sdb_learned_rank(&l, 1, 3008 - 1);
    assert_in_range(got, 1000 - SDB_LEARNED_EPS - 1, 1000 + SDB_LEARNED_EPS + 1);
    got = sdb_learned_rank(&l, (UINT64_C(1) << 40) + 1, 3008 - 1);
    assert_in_range(got, 2000 - SDB_LEARNED_EPS - 1, 2000 + SDB_LEARNED_EPS + 1);
    sdb_learned_fini(&l);
    sdb_buf_fini(&out);
}

static void dense_codes_are_one_segment_and_one_run(void **state)
{
    static struct points p;
    struct sdb_rand r = {13};
    struct sdb_buf out = {0};
    (void)state;
    for (enum shape s = DENSE; s <= STEPPED; s++) {
        struct sdb_learned l = {0};
        make(&p, &r, s, MOST, 1);
        for (unsigned i = 0; i < p.n; i++)
            p.ranks[i] = i; /* full blocks */
        struct sdb_learned_worth worth = build(&p, true, &out, &l);
        assert_true(worth.segments && worth.runs);
        assert_int_equal(l.nsegments, 1);
        assert_int_equal(l.nruns, 1);
        assert_int_equal(sdb_learned_keys(&l), MOST);
        sdb_learned_fini(&l);
    }
    sdb_buf_fini(&out);
}

static bool is_in(const struct points *p, uint64_t code)
{
    return bsearch(&code, p->codes, p->n, sizeof *p->codes, compare) != NULL;
}

static void runs_know_every_key_and_no_other(void **state)
{
    static struct points p;
    struct sdb_rand r = {14};
    struct sdb_buf out = {0};
    uint8_t key[8];
    (void)state;
    for (unsigned round = 0; round < 40; round++) {
        struct sdb_learned l = {0};
        uint64_t code = sdb_rand_below(&r, 2) == 0 ? 0 : sdb_rand_next(&r) >> 8,
                 step = 1;
        p.n = 1 + (unsigned)sdb_rand_below(&r, 3000);
        for (unsigned i = 0; i < p.n; i++) { /* stretches with a step each */
            if (sdb_rand_below(&r, 200) == 0)
                step = UINT64_C(1) << sdb_rand_below(&r, 40);
            if (sdb_rand_below(&r, 300) == 0)
                step = 1 + sdb_rand_below(&r, 1000);
            bool again = i > 0 && sdb_rand_below(&r, 9) == 0; /* a version */
            code += again || i == 0 ? 0 : step;
            p.codes[i] = code;
            p.ranks[i] = i;
            p.older[i] = again;
        }
        (void)build(&p, true, &out, &l);
        if (l.nruns == 0)
            fail_msg("round %u: no runs", round);
        for (unsigned i = 0; i < p.n; i++) {
            for (int d = -1; d <= 1; d++) {
                uint64_t ask = p.codes[i] + (uint64_t)d;
                assert_int_equal(sdb_learned_has(&l, &no_prefix, key_of(ask, key), ask),
                                 is_in(&p, ask));
            }
        }
        for (unsigned i = 0; i < 3000; i++) {
            uint64_t ask = sdb_rand_next(&r) >> sdb_rand_below(&r, 64);
            assert_int_equal(sdb_learned_has(&l, &no_prefix, key_of(ask, key), ask),
                             is_in(&p, ask));
        }
        sdb_learned_fini(&l);
    }
    sdb_buf_fini(&out);
}

static void only_keys_that_codes_tell_apart_make_runs(void **state)
{
    static const struct {
        const char *prefix, *a, *b;
        bool runs;
    } cases[] = {
        {"", "a", "b", true},
        {"", "abcdefgh", "abcdefgi", true},
        {"", "abcdefghi", "abcdefgii", false}, /* a byte too long */
        {"abc", "abcdefghi", "abcdefgii", true},
        {"", "a", "bc", false},  /* "b" and "b\0" would have one code */
        {"ab", "a", "b", false}, /* not under the prefix */
        {"a", "a", "a", true},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sdb_learned_builder b = {0};
        struct sdb_coder c;
        seerdb_slice x = test_slice(cases[i].a), y = test_slice(cases[i].b);
        sdb_coder_set(&c, test_slice(cases[i].prefix));
        sdb_learned_add(&b, &c, x, sdb_code(&c, x), 0, false);
        if (!sdb_slice_equal(x, y))
            sdb_learned_add(&b, &c, y, sdb_code(&c, y), 1, false);
        if (sdb_learned_finish(&b, 1).runs != cases[i].runs)
            fail_msg("case %zu", i);
        sdb_learned_builder_fini(&b);
    }
}

static void a_key_of_another_size_or_prefix_is_in_no_run(void **state)
{
    struct sdb_learned_builder b = {0};
    struct sdb_learned l = {0};
    struct sdb_buf out = {0};
    struct sdb_coder c;
    seerdb_err err = {0};
    (void)state;
    sdb_coder_set(&c, test_slice("k"));
    /* Keys outside the prefix have the code of the first one. */
    seerdb_slice first = {"k\0", 2}, second = test_slice("k1");
    sdb_learned_add(&b, &c, first, sdb_code(&c, first), 0, false);
    sdb_learned_add(&b, &c, second, sdb_code(&c, second), 1, false);
    sdb_learned_encode(&b, sdb_learned_finish(&b, 1), &out);
    test_ok(sdb_learned_parse(&l, sdb_buf_slice(&out), 1, 2, &err), &err);
    static const struct {
        const char *key;
        size_t size;
        bool in;
    } cases[] = {{"k\0", 2, true}, {"k1", 2, true},    {"k3", 2, false},
                 {"k0", 2, false}, {"k1\0", 3, false}, {"k", 1, false},
                 {"j1", 2, false}, {"l1", 2, false},   {"", 0, false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        seerdb_slice key = {cases[i].key, cases[i].size};
        if (sdb_learned_has(&l, &c, key, sdb_code(&c, key)) != cases[i].in)
            fail_msg("case %zu", i);
    }
    sdb_learned_builder_fini(&b);
    sdb_learned_fini(&l);
    sdb_buf_fini(&out);
}

static void random_keys_have_no_runs_and_little_is_kept_of_them(void **state)
{
    static struct points p;
    struct sdb_learned_builder b = {0};
    struct sdb_rand r = {15};
    uint8_t key[8];
    (void)state;
    make(&p, &r, UNIFORM, MOST, 64);
    for (unsigned i = 0; i < p.n; i++)
        sdb_learned_add(&b, &no_prefix, key_of(p.codes[i], key), p.codes[i], p.ranks[i],
                        false);
    assert_false(sdb_learned_finish(&b, nblocks(&p)).runs);
    assert_true(b.irregular);
    assert_null(b.firsts.data);
    sdb_learned_builder_fini(&b);
}

static void a_model_that_does_not_beat_the_fences_is_worth_nothing(void **state)
{
    static struct points p;
    struct sdb_rand r = {16};
    struct sdb_buf out = {0};
    unsigned worthy = 0, worthless = 0;
    (void)state;
    for (unsigned shape = 0; shape < SHAPES; shape++) {
        for (unsigned blocks = 1; blocks <= 4; blocks++) {
            /* 313, 5008, 80,128 and 1.3 million blocks: 3, 4, 5 and 6 steps. */
            static const uint64_t most[] = {1, 1, 256, 4096};
            struct sdb_learned_builder b = {0};
            uint64_t scale = UINT64_C(1) << 4 * (blocks - 1);
            uint8_t key[8];
            make(&p, &r, (enum shape)shape, MOST, 64);
            for (unsigned i = 0; i < p.n; i++)
                sdb_learned_add(&b, &no_prefix, key_of(p.codes[i], key), p.codes[i], i,
                                p.older[i]);
            bool worth = sdb_learned_finish(&b, 313 * scale).segments;
            if (worth != (b.nsegments <= most[blocks - 1]))
                fail_msg("shape %u: %u segments for 313 * %u blocks", shape,
                         b.nsegments, (unsigned)scale);
            worthy += worth;
            worthless += !worth;
            sdb_learned_builder_fini(&b);
        }
    }
    assert_true(worthy > 2 && worthless > 2);
    struct sdb_learned l = {0};
    make(&p, &r, DENSE, 256 * 64, 64); /* 256 blocks: too small to matter */
    for (unsigned i = 0; i < p.n; i++)
        p.ranks[i] = i;
    assert_false(build(&p, false, &out, &l).segments);
    assert_int_equal(l.nsegments, 1);
    sdb_learned_fini(&l);
    sdb_buf_fini(&out);
}

/* The four keys of the format document. */
static void encode_example(struct sdb_buf *out)
{
    static const char *const keys[] = {"k10", "k11", "k12", "k1z"};
    static const uint64_t ranks[] = {0, 1, 64, 8000};
    struct sdb_learned_builder b = {0};
    struct sdb_coder c;
    sdb_coder_set(&c, test_slice("k"));
    for (size_t i = 0; i < 4; i++)
        sdb_learned_add(&b, &c, test_slice(keys[i]), sdb_code(&c, test_slice(keys[i])),
                        ranks[i], false);
    (void)sdb_learned_finish(&b, 126);
    sdb_learned_encode(&b, (struct sdb_learned_worth){true, true}, out);
    sdb_learned_builder_fini(&b);
}

static void the_model_of_the_format_document_is_written(void **state)
{
    struct sdb_buf out = {0};
    (void)state;
    encode_example(&out);
    /* FORMAT.md, "Model block" */
    test_hex_equal(sdb_buf_slice(&out),
                   "02 00 00 00 80 00 00 00 02 00 00 00 03 00 00 00"
                   "00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00"
                   "00 00 00 00 00 00 30 31 01 00 00 00 00 00 32 31"
                   "00 00 00 00 00 00 00 00 40 1f 00 00 00 00 00 00"
                   "00 00 00 00 00 00 48 3d 1c c7 71 1c c7 71 ec 3c"
                   "00 00 00 00 00 00 30 31 00 00 00 00 00 00 7a 31"
                   "00 00 00 00 00 00 01 00 01 00 00 00 00 00 00 00"
                   "03 00 00 00 00 00 00 00 01 00 00 00 00 00 00 00");
    sdb_buf_fini(&out);
}

static void what_is_no_model_is_refused(void **state)
{
    static const struct {
        size_t at;
        uint8_t value;
        bool fine;
    } cases[] = {
        {0, 2, true},       {0, 1, false},     {0, 3, false},
        {3, 0xff, false},   {4, 8, true},                        /* another bound */
        {4, 0, false},                                           /* none */
        {8, 1, false},                                           /* runs */
        {11, 0xff, false},  {15, 1, false},                      /* the size of a key */
        {16, 1, false},                                          /* reserved */
        {31, 1, false},     {47, 0x2f, false},                   /* codes fall */
        {47, 0x33, true},   {39, 0x33, false}, {57, 0x31, true}, /* another rank */
        {57, 0x32, false},                    /* beyond the last block */
        {49, 0x20, false},                    /* ranks fall */
        {71, 0xbd, false},                    /* a negative slope */
        {79, 0x3e, true},   {95, 0x32, true}, /* where the second run begins */
        {95, 0x30, false},                    /* before the first */
        {102, 0, false},                      /* step 0 */
        {103, 1, false},                      /* runs overlap */
        {103, 0xff, false},                   /* the end of a run overflows */
        {112, 0, false},                      /* count 0 */
        {112, 2, true},     {112, 4, false},  /* more codes than records */
        {119, 1, false},
    };
    struct sdb_learned l = {0};
    seerdb_err err = {0};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sdb_buf out = {0};
        encode_example(&out);
        out.data[cases[i].at] = cases[i].value;
        int rc = sdb_learned_parse(&l, sdb_buf_slice(&out), 200, 4, &err);
        sdb_learned_fini(&l);
        if (rc != (cases[i].fine ? 0 : 1))
            fail_msg("case %zu: %d", i, rc);
        sdb_buf_fini(&out);
    }
    struct sdb_buf out = {0};
    encode_example(&out);
    sdb_store_u64(out.data + 80 + 8, sdb_load_u64(out.data + 80) + (UINT64_C(2) << 48));
    assert_int_equal(sdb_learned_parse(&l, sdb_buf_slice(&out), 200, 4, &err), 1);
    sdb_learned_fini(&l); /* a run began where the one before ends */
    sdb_buf_clear(&out);
    encode_example(&out);
    out.data[70] = 0xf0; /* infinite */
    out.data[71] = 0x7f;
    assert_int_equal(sdb_learned_parse(&l, sdb_buf_slice(&out), 200, 4, &err), 1);
    sdb_learned_fini(&l);
    sdb_buf_clear(&out);
    encode_example(&out);
    for (size_t n = 0; n < out.size; n++) {
        assert_int_equal(
            sdb_learned_parse(&l, (seerdb_slice){out.data, n}, 200, 4, &err), 1);
        sdb_learned_fini(&l);
    }
    sdb_buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(predictions_are_within_the_bound),
        cmocka_unit_test(predictions_do_not_fall),
        cmocka_unit_test(codes_behind_many_equal_ones_are_predicted_behind_them),
        cmocka_unit_test(dense_codes_are_one_segment_and_one_run),
        cmocka_unit_test(runs_know_every_key_and_no_other),
        cmocka_unit_test(only_keys_that_codes_tell_apart_make_runs),
        cmocka_unit_test(a_key_of_another_size_or_prefix_is_in_no_run),
        cmocka_unit_test(random_keys_have_no_runs_and_little_is_kept_of_them),
        cmocka_unit_test(a_model_that_does_not_beat_the_fences_is_worth_nothing),
        cmocka_unit_test(the_model_of_the_format_document_is_written),
        cmocka_unit_test(what_is_no_model_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
