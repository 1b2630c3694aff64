/* SPDX-License-Identifier: Apache-2.0
 *
 * Merges through the public functions.  Random histories are compared with a map that
 * has no operators. */
#include "testing.h"

#include "base/coding.h"
#include "merge_rig.h"
#include "os/failpoint.h"
#include "os/thread.h"

static seerdb_tree *create_with(struct bed *b, unsigned n,
                                const seerdb_merge_operator *op, size_t value_log)
{
    seerdb_err err = {0};
    seerdb_tree *t = NULL;
    test_ok(seerdb_tree_create(
                b->db,
                &(seerdb_tree_options){
                    .id = uuid_of(n), .name = "t", .value_log = value_log, .merge = op},
                &t, &err),
            &err);
    return t;
}

static seerdb_tree *create(struct bed *b, unsigned n, const seerdb_merge_operator *op)
{
    return create_with(b, n, op, 0);
}

static seerdb_tree *open_with(struct bed *b, unsigned n,
                              const seerdb_merge_operator *op)
{
    seerdb_err err = {0};
    seerdb_tree *t = open_tree(b->db, n);
    test_ok(seerdb_tree_merges_with(t, op, &err), &err);
    return t;
}

static void compact(struct bed *b)
{
    seerdb_err err = {0};
    test_ok(seerdb_compact(b->db, NULL, &err), &err);
}

/* ---- one after the other ----------------------------------------------------------
 */

static void a_merge_builds_upon_what_is_there(void **state)
{
    static const struct {
        const char *writes[5];
        const char *then;
    } cases[] = {
        {{"a+1"}, "a=1"},
        {{"a+1", "a+2", "a+3"}, "a=123"},
        {{"a=x", "a+1"}, "a=x1"},
        {{"a=x", "a+1", "a=y"}, "a=y"},
        {{"a=x", "a+1", "-a"}, ""},
        {{"a=x", "-a", "a+1", "a+2"}, "a=12"},
        {{"a=x a+1 a+2"}, "a=x12"},
        {{"a+1 a+2 -a a+3"}, "a=3"},
        {{"a+1", "a+2 -a", "a+3"}, "a=3"},
        {{"a=x", "~a:b", "a+1"}, "a=1"},
        {{"a+1", "a+2 ~a:b a+3", "a+4"}, "a=34"},
        {{"a+1 ~a:b", "a+2"}, "a=2"},
        {{"a=x", "a+1", "~0:1", "a+2", "~a:b"}, ""},
        {{"a+1", "~a:b", "a+2", "a+3", "b+1"}, "a=23 b=1"},
        {{"a+1", "a+/", "b=1"}, "b=1"},
        {{"a=x", "a+/", "a+2"}, "a=2"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        for (unsigned how = 0; how < 3 * FLAVOURS; how++) {
            struct bed b;
            struct appender a = {0};
            seerdb_merge_operator op = operator_of(&a, how % FLAVOURS);
            bed_new(&b);
            seerdb_tree *t = create(&b, 1, &op);
            for (size_t k = 0; k < 5 && cases[i].writes[k] != NULL; k++) {
                write_words(t, cases[i].writes[k]);
                if (how / FLAVOURS == 1)
                    flush(b.db);
            }
            expect(t, cases[i].then);
            if (how / FLAVOURS == 2) {
                flush(b.db);
                expect(t, cases[i].then);
                compact(&b);
                expect(t, cases[i].then);
            }
            verify(b.db);
            seerdb_tree_close(t);
            bed_close(&b);
            assert_int_equal(a.released, 1);
            bed_open_ok(&b);
            t = open_with(&b, 1, &op);
            expect(t, cases[i].then);
            seerdb_tree_close(t);
            bed_fini(&b);
        }
}

/* ---- operators
 * ------------------------------------------------------------------------
 */

static void expect_failure(seerdb_tree *t, const char *key, int want, const char *words)
{
    seerdb_err err = {0};
    seerdb_value got;
    seerdb_view *v = new_view(t);
    int rc = seerdb_get(v, NULL, 0, test_slice(key), &got, &err);
    if (rc != want || strstr(err.msg, words) == NULL)
        fail_msg("%s: %d: %s", key, rc, err.msg);
    seerdb_view_close(v);
}

static void a_tree_merges_with_the_operator_it_was_made_with(void **state)
{
    struct bed b;
    struct appender a = {0}, other = {0};
    seerdb_merge_operator op = operator_of(&a, FAST), wrong = operator_of(&other, FAST);
    seerdb_err err = {0};
    (void)state;
    wrong.name = "appends more";
    bed_new(&b);
    seerdb_tree *plain = create_tree(b.db, 2), *t = create(&b, 1, &op);
    assert_string_equal(seerdb_tree_merge_name(t), "appends");
    assert_null(seerdb_tree_merge_name(plain));
    test_fails(try_write(plain, "a+1", SEERDB_SYNC_OFF, &err), SEERDB_MISUSE, &err);
    test_fails(seerdb_tree_merges_with(plain, &op, &err), SEERDB_MISMATCH, &err);
    test_fails(seerdb_tree_merges_with(t, &wrong, &err), SEERDB_MISMATCH, &err);
    assert_int_equal(a.released + other.released, 0);
    wrong.name = "appends";
    test_ok(seerdb_tree_merges_with(t, &wrong, &err), &err); /* the first one stays */
    assert_int_equal(other.released, 1);
    write_words(t, "a=x b=y");
    write_words(t, "a+1");
    flush(b.db);
    write_words(t, "a+2 c+3");
    expect(t, "a=x12 b=y c=3");
    assert_true(a.fulls > 0 && other.fulls == 0);
    assert_true(stat_of(b.db, t, "merges") >= 3);
    seerdb_tree_close(plain);
    seerdb_tree_close(t);
    bed_close(&b);
    assert_int_equal(a.released, 1);
    bed_open_ok(&b);
    t = open_tree(b.db, 1);
    expect_key(t, "b", "y");
    expect_failure(t, "a", SEERDB_MISUSE, "appends");
    expect_failure(t, "c", SEERDB_MISUSE, "appends");
    test_fails(try_write(t, "a+4", SEERDB_SYNC_OFF, &err), SEERDB_MISUSE, &err);
    write_words(t, "c=new");
    flush(b.db);
    compact(&b);
    verify(b.db);
    expect_failure(t, "a", SEERDB_MISUSE, "appends");
    test_ok(seerdb_tree_merges_with(t, &op, &err), &err);
    expect(t, "a=x12 b=y c=new");
    seerdb_tree_close(t);
    bed_fini(&b);
    assert_int_equal(a.released, 2);
}

/* What the tree shows of its keys, of which b fails. */
static void expect_around_b(seerdb_tree *t, const char *a, const char *c)
{
    seerdb_err err = {0};
    seerdb_iter *it = NULL;
    seerdb_view *v = new_view(t);
    expect_key(t, "a", a);
    expect_key(t, "c", c);
    expect_failure(t, "b", SEERDB_MISUSE, "key x'62': it does not want to");
    test_ok(seerdb_iter_open(v, NULL, 0, &it, &err), &err);
    test_ok(seerdb_iter_first(it, &err), &err);
    test_slice_equal(seerdb_iter_value(it), test_slice(a));
    test_fails(seerdb_iter_next(it, &err), SEERDB_MISUSE, &err);
    test_ok(seerdb_iter_seek(it, test_slice("bb"), &err), &err);
    test_slice_equal(seerdb_iter_value(it), test_slice(c));
    test_fails(seerdb_iter_prev(it, &err), SEERDB_MISUSE, &err);
    seerdb_iter_close(it);
    seerdb_view_close(v);
}

static void an_operator_that_fails_loses_nothing(void **state)
{
    (void)state;
    for (unsigned flavour = 0; flavour < FLAVOURS; flavour++) {
        struct bed b;
        struct appender a = {.fails = true};
        seerdb_merge_operator op = operator_of(&a, flavour);
        seerdb_err err = {0};
        bed_new(&b);
        seerdb_tree *t = create(&b, 1, &op);
        write_words(t, "a=1 b=1 c=1");
        compact(&b);
        write_words(t, "a+2 b+2 c+2");
        write_words(t, "b+!");
        write_words(t, "a+3 b+3 c+3");
        expect_around_b(t, "123", "123");
        flush(b.db);
        expect_around_b(t, "123", "123");
        write_words(t, "b+4 c+4");
        compact(&b);
        expect_around_b(t, "123", "1234");
        compact(&b);
        write_words(t, "b+5");
        expect_around_b(t, "123", "1234");
        seerdb_tree_close(t);
        bed_close(&b);
        bed_open_ok(&b);
        t = open_with(&b, 1, &op);
        expect_around_b(t, "123", "1234");
        a.fails = false; /* it can, now */
        expect(t, "a=123 b=12!345 c=1234");
        compact(&b);
        a.fails = true;
        expect(t, "a=123 b=12!345 c=1234"); /* once and for all */
        write_words(t, "b+!");
        expect_failure(t, "b", SEERDB_MISUSE, "");
        write_words(t, "b=new");
        write_words(t, "b+!"); /* both in memory */
        expect_failure(t, "b", SEERDB_MISUSE, "x'62'");
        write_words(t, "b=new");
        expect(t, "a=123 b=new c=1234");
        /* A transaction that has put it itself is told at once. */
        seerdb_batch *batch = new_batch(b.db);
        add(batch, t, "d=1 e+1");
        test_fails(batch_words(batch, t, "d+!", &err), SEERDB_MISUSE, &err);
        add(batch, t, "e+!");
        test_ok(seerdb_write(batch, SEERDB_SYNC_OFF, &err), &err);
        expect_key(t, "d", "1");
        expect_failure(t, "e", SEERDB_MISUSE, "x'65'");
        seerdb_batch_free(batch);
        seerdb_tree_close(t);
        bed_fini(&b);
    }
}

/* ---- marks -------------------------------------------------------------------------
 */

static void what_was_merged_after_a_mark_goes_with_it(void **state)
{
    (void)state;
    for (unsigned how = 0; how < 2 * FLAVOURS; how++) {
        struct bed b;
        struct appender a = {0};
        seerdb_merge_operator op = operator_of(&a, how % FLAVOURS);
        seerdb_err err = {0};
        bed_new(&b);
        seerdb_tree *t = create(&b, 1, &op), *other = create(&b, 2, &op);
        seerdb_batch *batch = new_batch(b.db);
        add(batch, t, "a+1 b+1 a+2");
        uint64_t first = seerdb_batch_mark(batch);
        add(batch, t, "a+3 c+3");
        add(batch, other, "a+x");
        uint64_t second = seerdb_batch_mark(batch);
        add(batch, t, "a+4 b+4 d+4 d+5");
        if (how >= FLAVOURS)
            test_ok(seerdb_batch_spill(batch, &err), &err);
        seerdb_batch_rollback_to(batch, second);
        add(batch, t, "b+6");
        seerdb_batch_release(batch, second);
        add(batch, t, "a+7 -e");
        seerdb_batch_rollback_to(batch, first);
        add(batch, t, "b+8 b+9");
        seerdb_batch_release(batch, first);
        test_ok(seerdb_write(batch, SEERDB_SYNC_OFF, &err), &err);
        expect(t, "a=12 b=189");
        expect(other, "");
        seerdb_batch_free(batch);
        seerdb_tree_close(t);
        seerdb_tree_close(other);
        bed_fini(&b);
    }
}

/* What went together cannot be taken apart at a mark that nobody held. */
static void a_mark_that_was_released_is_not_returned_to(void **state)
{
    struct bed b;
    seerdb_err err = {0};
    (void)state;
    bed_new(&b);
    seerdb_tree *t = create(&b, 1, seerdb_merge_named("append"));
    for (unsigned merged = 0; merged < 2; merged++) {
        seerdb_batch *batch = new_batch(b.db);
        add(batch, t, "a+1");
        uint64_t mark = seerdb_batch_mark(batch);
        seerdb_batch_release(batch, mark);
        add(batch, t, merged ? "a+2" : "b+2");
        seerdb_batch_rollback_to(batch, mark);
        if (merged) {
            test_fails(seerdb_write(batch, SEERDB_SYNC_OFF, &err), SEERDB_MISUSE, &err);
            test_ok(seerdb_rollback(batch, &err), &err);
            add(batch, t, "a+3");
        }
        test_ok(seerdb_write(batch, SEERDB_SYNC_OFF, &err), &err);
        expect(t, merged ? "a=13" : "a=1");
        seerdb_batch_free(batch);
    }
    seerdb_tree_close(t);
    bed_fini(&b);
}

/* A transaction of many counters, with looks at them in between. */
static void many_counters_are_right_whenever_they_are_looked_at(void **state)
{
    enum { MANY = 9000, WRITES = 30000 };
    struct bed b;
    struct sdb_rand r = {7};
    seerdb_err err = {0};
    uint8_t key[8], one[8];
    (void)state;
    bed_new(&b);
    seerdb_tree *t = create(&b, 1, seerdb_merge_named("uint64 add"));
    seerdb_batch *batch = new_batch(b.db);
    uint64_t *counts = calloc(MANY, sizeof *counts);
    assert_non_null(counts);
    sdb_store_u64(one, 1);
    for (unsigned i = 0; i < WRITES; i++) {
        uint64_t k = sdb_rand_below(&r, i % 2 == 0 ? MANY : 50);
        sdb_store_be64(key, k);
        test_ok(seerdb_batch_merge(batch, t, (seerdb_slice){key, 8},
                                   (seerdb_slice){one, 8}, &err),
                &err);
        counts[k]++;
        if (i % 10000 == 9999) {
            seerdb_value got;
            seerdb_view *v = new_view(t);
            test_ok(seerdb_get(v, batch, SEERDB_BATCH_ALL, (seerdb_slice){key, 8}, &got,
                               &err),
                    &err);
            assert_int_equal(sdb_load_u64(got.bytes.data), counts[k]);
            seerdb_pin_unref(got.pin);
            seerdb_view_close(v);
        }
    }
    test_ok(seerdb_write(batch, SEERDB_SYNC_OFF, &err), &err);
    seerdb_view *v = new_view(t);
    for (uint64_t k = 0; k < MANY; k++) {
        seerdb_value got;
        sdb_store_be64(key, k);
        int rc =
            seerdb_get(v, NULL, SEERDB_BATCH_ALL, (seerdb_slice){key, 8}, &got, &err);
        assert_int_equal(rc, counts[k] > 0 ? 0 : SEERDB_NOTFOUND);
        if (rc == 0) {
            assert_int_equal(sdb_load_u64(got.bytes.data), counts[k]);
            seerdb_pin_unref(got.pin);
        }
    }
    seerdb_view_close(v);
    free(counts);
    seerdb_batch_free(batch);
    seerdb_tree_close(t);
    bed_fini(&b);
}

/* ---- hot keys
 * ------------------------------------------------------------------------- */

static void merge_many(seerdb_tree *t, unsigned n, const char *words)
{
    seerdb_err err = {0};
    seerdb_batch *b = new_batch(seerdb_tree_store(t));
    for (unsigned i = 0; i < n; i++) {
        add(b, t, words);
        test_ok(seerdb_write(b, SEERDB_SYNC_OFF, &err), &err);
    }
    seerdb_batch_free(b);
}

/* How many operands a read of the key takes. */
static uint64_t operands_to_read(struct appender *a, seerdb_tree *t, const char *key)
{
    seerdb_err err = {0};
    seerdb_value got;
    seerdb_view *v = new_view(t);
    a->operands = 0;
    test_ok(seerdb_get(v, NULL, 0, test_slice(key), &got, &err), &err);
    seerdb_pin_unref(got.pin);
    seerdb_view_close(v);
    return a->operands;
}

struct meanwhile {
    seerdb_tree *t;
    const char *words;
    bool spills;
};

static void write_meanwhile(void *ctx, enum sdb_failpoint at)
{
    const struct meanwhile *m = ctx;
    seerdb_err err = {0};
    seerdb_batch *b = new_batch(seerdb_tree_store(m->t));
    (void)at;
    if (m->spills) {
        add(b, m->t, "hot=new");
        test_ok(seerdb_batch_spill(b, &err), &err);
        test_ok(seerdb_write(b, SEERDB_SYNC_OFF, &err), &err);
    }
    seerdb_batch_free(b);
    write_words(m->t, m->words);
}

/* While a memtable is being flushed, the one after it begins where it ended. */
static void a_hot_key_stays_a_value_from_one_memtable_to_the_next(void **state)
{
    static const struct {
        const char *before, *during, *then;
        bool spills, at_hand; /* needs no operand to be read */
    } cases[] = {
        {"hot=1 hot+2", "hot+3", "hot=123", false, true},
        {"hot=1 hot+2", "hot+3 hot+4", "hot=1234", false, true},
        {"hot=1 -hot", "hot+3", "hot=3", false, true},
        {"hot+2", "hot+3", "hot=23", false, false},
        {"hot=1", "hot=x hot+3", "hot=x3", false, true},
        {"hot=1", "-hot hot+3", "hot=3", false, true},
        {"hot=1", "~a:z hot+3", "hot=3", false, false},
        {"~a:b hot=1", "hot+3", "hot=13", false, false},
        {"hot=1 ~a:z", "hot+3", "hot=3", false, false},
        {"hot=1", "hot+3", "hot=new3", true, false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct bed b;
        struct appender a = {0};
        seerdb_merge_operator op = operator_of(&a, FAST);
        bed_new(&b);
        struct meanwhile m = {create(&b, 1, &op), cases[i].during, cases[i].spills};
        write_words(m.t, cases[i].before);
        sdb_failpoint_arm(&(struct sdb_failpoint_plan){.at = SDB_FP_flush_begin,
                                                       .actions = SDB_FP_CALL,
                                                       .times = 1,
                                                       .call = write_meanwhile,
                                                       .ctx = &m});
        flush(b.db);
        sdb_failpoint_arm(NULL);
        if (cases[i].at_hand != (operands_to_read(&a, m.t, "hot") == 0))
            fail_msg("case %zu: %d operands", i, (int)a.operands);
        expect(m.t, cases[i].then);
        flush(b.db);
        compact(&b);
        expect(m.t, cases[i].then);
        seerdb_tree_close(m.t);
        bed_close(&b);
        bed_open_ok(&b);
        m.t = open_with(&b, 1, &op);
        expect(m.t, cases[i].then);
        seerdb_tree_close(m.t);
        bed_fini(&b);
    }
}

static void a_hot_key_is_read_in_few_steps(void **state)
{
    struct bed b;
    struct appender a = {0}, slow = {0};
    seerdb_merge_operator op = operator_of(&a, FAST), op2 = operator_of(&slow, SLOW);
    seerdb_tree *add_up;
    seerdb_err err = {0};
    (void)state;
    bed_new(&b);
    seerdb_tree *t = create(&b, 1, &op), *t2 = create(&b, 2, &op2);
    add_up = create(&b, 3, seerdb_merge_named("uint64 add"));
    /* Short operands, all alike but for their number: "" costs nothing to append. */
    write_words(t, "cold=1 hot=1");
    write_words(t2, "cold=1 hot=1");
    merge_many(t, 5000, "hot+");
    flush(b.db); /* nobody else asks it then */
    merge_many(t, 5000, "hot+");
    assert_in_range(operands_to_read(&a, t, "hot"), 0, 9); /* one per memtable */
    merge_many(t2, 5000, "hot+");
    /* What is not put together as it comes is when it has become too much. */
    assert_true(stat_of(b.db, t2, "flushes") >= 2);
    flush(b.db);
    compact(&b);
    assert_int_equal(operands_to_read(&slow, t2, "hot"), 0);
    assert_int_equal(operands_to_read(&a, t, "hot"), 0);
    seerdb_batch *batch = new_batch(b.db);
    double before = stat_of(b.db, add_up, "merges");
    for (unsigned i = 0; i < 300; i++) {
        uint8_t one[8] = {1};
        test_ok(seerdb_batch_merge(batch, add_up, test_slice("n"),
                                   (seerdb_slice){one, sizeof one}, &err),
                &err);
    }
    test_ok(seerdb_write(batch, SEERDB_SYNC_OFF, &err), &err);
    assert_int_equal((unsigned)(stat_of(b.db, add_up, "merges") - before), 1);
    seerdb_view *v = new_view(add_up);
    seerdb_value got;
    test_ok(seerdb_get(v, NULL, 0, test_slice("n"), &got, &err), &err);
    test_hex_equal(got.bytes, "2c 01 00 00 00 00 00 00");
    seerdb_pin_unref(got.pin);
    seerdb_view_close(v);
    seerdb_batch_free(batch);
    seerdb_tree_close(t);
    seerdb_tree_close(t2);
    seerdb_tree_close(add_up);
    bed_fini(&b);
}

/* ---- threads ------------------------------------------------------------------------
 */

#define COUNTERS 4u

struct counting {
    seerdb_tree *t;
    _Atomic bool over;
    uint64_t reads;
};

static uint64_t counter_at(seerdb_view *v, unsigned i)
{
    seerdb_err err = {0};
    seerdb_value got;
    int rc = seerdb_get(v, NULL, 0, (seerdb_slice){"abcd" + i, 1}, &got, &err);
    if (rc == SEERDB_NOTFOUND)
        return 0;
    test_ok(rc, &err);
    uint64_t n = sdb_load_u64(got.bytes.data);
    seerdb_pin_unref(got.pin);
    return n;
}

/* All counters are the same in each view, and none ever falls. */
static void *watch_counters(void *arg)
{
    struct counting *c = arg;
    uint64_t last = 0;
    while (!c->over) {
        seerdb_view *v = new_view(c->t);
        uint64_t n = counter_at(v, 0);
        for (unsigned i = 1; i < COUNTERS; i++)
            assert_int_equal(counter_at(v, i), n);
        assert_true(n >= last);
        last = n;
        seerdb_view_close(v);
        c->reads++;
    }
    return NULL;
}

static void readers_see_whole_commits_while_counters_rise(void **state)
{
    enum { COMMITS = 3000 };
    struct bed b;
    struct sdb_thread threads[2] = {{0}};
    struct counting c[2] = {{0}};
    uint8_t one[8] = {1};
    seerdb_err err = {0};
    (void)state;
    bed_new(&b);
    seerdb_tree *t = create(&b, 1, seerdb_merge_named("uint64 add"));
    for (unsigned i = 0; i < 2; i++) {
        c[i].t = t;
        test_ok(sdb_thread_start(&threads[i], "reader", watch_counters, &c[i], &err),
                &err);
    }
    seerdb_batch *batch = new_batch(b.db);
    for (unsigned n = 0; n < COMMITS; n++) {
        for (unsigned i = 0; i < COUNTERS; i++)
            test_ok(seerdb_batch_merge(batch, t, (seerdb_slice){"abcd" + i, 1},
                                       (seerdb_slice){one, sizeof one}, &err),
                    &err);
        test_ok(seerdb_write(batch, SEERDB_SYNC_OFF, &err), &err);
        if (n % 500 == 250)
            test_ok(seerdb_flush(b.db, t, &err), &err);
    }
    seerdb_batch_free(batch);
    for (unsigned i = 0; i < 2; i++) {
        c[i].over = true;
        sdb_thread_join(&threads[i]);
        assert_true(c[i].reads > 0);
    }
    seerdb_view *v = new_view(t);
    for (unsigned i = 0; i < COUNTERS; i++)
        assert_int_equal(counter_at(v, i), COMMITS);
    seerdb_view_close(v);
    seerdb_tree_close(t);
    bed_fini(&b);
}

/* ---- against a map ------------------------------------------------------------------
 */

#define VIEWS 4u

struct world {
    struct bed b;
    struct appender a;
    seerdb_merge_operator op;
    struct model m;
    struct map now; /* committed */
    struct {
        seerdb_view *v; /* NULL: not open */
        struct map then;
    } views[VIEWS];
};

static void check_views(struct world *w)
{
    seerdb_view *v = new_view(w->m.t);
    check(&w->m, v, NULL, 0, &w->now);
    seerdb_view_close(v);
    for (unsigned i = 0; i < VIEWS; i++)
        if (w->views[i].v != NULL)
            check(&w->m, w->views[i].v, NULL, 0, &w->views[i].then);
}

/* A transaction of several spans, some of which are rolled back or go to disk. */
static void write_some(struct world *w)
{
    seerdb_err err = {0};
    seerdb_batch *b = new_batch(w->b.db);
    struct map m = w->now, at_mark[3];
    uint64_t marks[3];
    unsigned nmarks = 0;
    for (unsigned n = 1 + pick(&w->m, 12); n > 0; n--) {
        unsigned what = pick(&w->m, 24);
        if (what == 0 && nmarks < 3 && seerdb_batch_writes(b) > 0) {
            at_mark[nmarks] = m;
            marks[nmarks++] = seerdb_batch_mark(b);
        } else if (what == 1 && nmarks > 0) {
            seerdb_batch_rollback_to(b, marks[nmarks - 1]);
            m = at_mark[nmarks - 1];
        } else if (what == 2 && nmarks > 0) {
            seerdb_batch_release(b, marks[--nmarks]);
        } else if (what == 3) {
            test_ok(seerdb_batch_spill(b, &err), &err);
        } else {
            write_one(&w->m, b, &m);
        }
    }
    if (pick(&w->m, 4) == 0) {
        seerdb_view *v = new_view(w->m.t);
        check(&w->m, v, b, SEERDB_BATCH_ALL, &m);
        for (unsigned i = 0; i < nmarks; i++)
            check(&w->m, v, b, marks[i], &at_mark[i]);
        check(&w->m, v, NULL, 0, &w->now);
        seerdb_view_close(v);
    }
    if (pick(&w->m, 8) > 0) {
        test_ok(seerdb_write(b, SEERDB_SYNC_OFF, &err), &err);
        w->now = m;
    }
    seerdb_batch_free(b);
}

static void open_or_close_view(struct world *w)
{
    unsigned i = pick(&w->m, VIEWS);
    if (w->views[i].v != NULL) {
        seerdb_view_close(w->views[i].v);
        w->views[i].v = NULL;
        return;
    }
    w->views[i].v = new_view(w->m.t);
    w->views[i].then = w->now;
}

static void reopen(struct world *w)
{
    for (unsigned i = 0; i < VIEWS; i++) {
        seerdb_view_close(w->views[i].v);
        w->views[i].v = NULL;
    }
    seerdb_tree_close(w->m.t);
    if (pick(&w->m, 2) == 0)
        bed_close(&w->b);
    else
        bed_crash(&w->b);
    bed_open_ok(&w->b);
    w->m.t = open_tree(w->b.db, 1);
    if (pick(&w->m, 3) == 0) /* operands as they are */
        flush(w->b.db);
    if (pick(&w->m, 3) == 0)
        compact(&w->b);
    seerdb_tree_close(w->m.t);
    w->m.t = open_with(&w->b, 1, &w->op);
}

static void one_history(uint64_t seed, unsigned steps)
{
    seerdb_err err = {0};
    struct world w = {.m = {.rand = {seed}}};
    bed_new(&w.b);
    w.op = operator_of(&w.a, seed % FLAVOURS);
    for (unsigned k = 0; k < KEYS; k++)
        w.now.keys[k].len = -1;
    w.m.t = create_with(&w.b, 1, &w.op, seed % 4 < 2 ? 0 : 50);
    unsigned calm = 1 + pick(&w.m, 30); /* how rarely the background has work */
    for (unsigned i = 0; i < steps; i++) {
        write_some(&w);
        if (pick(&w.m, calm) == 0)
            test_ok(seerdb_flush(w.b.db, w.m.t, &err), &err);
        if (pick(&w.m, 4 * calm) == 0)
            compact(&w.b);
        if (pick(&w.m, 8) == 0)
            open_or_close_view(&w);
        if (pick(&w.m, 60) == 0)
            reopen(&w);
        if (pick(&w.m, 4) == 0)
            check_views(&w);
    }
    check_views(&w);
    compact(&w.b);
    check_views(&w);
    verify(w.b.db);
    for (unsigned i = 0; i < VIEWS; i++)
        seerdb_view_close(w.views[i].v);
    seerdb_tree_close(w.m.t);
    bed_fini(&w.b);
}

static void what_is_read_does_not_depend_on_when_it_is_put_together(void **state)
{
    const char *rounds = getenv("MERGE_ROUNDS"), *first = getenv("MERGE_SEED");
    uint64_t from = first != NULL ? strtoull(first, NULL, 10) : 1;
    uint64_t n = rounds != NULL ? strtoull(rounds, NULL, 10) : 30;
    (void)state;
    for (uint64_t seed = from; seed < from + n; seed++) {
        if (rounds != NULL)
            print_message("seed %" PRIu64 "\n", seed);
        one_history(seed, 60);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_merge_builds_upon_what_is_there),
        cmocka_unit_test(a_tree_merges_with_the_operator_it_was_made_with),
        cmocka_unit_test(an_operator_that_fails_loses_nothing),
        cmocka_unit_test(what_was_merged_after_a_mark_goes_with_it),
        cmocka_unit_test(a_mark_that_was_released_is_not_returned_to),
        cmocka_unit_test(many_counters_are_right_whenever_they_are_looked_at),
        cmocka_unit_test(a_hot_key_stays_a_value_from_one_memtable_to_the_next),
        cmocka_unit_test(a_hot_key_is_read_in_few_steps),
        cmocka_unit_test(readers_see_whole_commits_while_counters_rise),
        cmocka_unit_test(what_is_read_does_not_depend_on_when_it_is_put_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
