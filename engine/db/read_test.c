/* SPDX-License-Identifier: Apache-2.0 */
#include "db/read.h"

#include "db/batch.h"
#include "db/testing.h"

#define NKEYS 2000

/* What the tree holds: values by key number; 0: nothing. */
struct shelf {
    struct bed bed;
    seerdb_tree *tree;
    unsigned values[NKEYS];
    unsigned last;
};

static seerdb_slice key_of(unsigned k)
{
    static char keys[4][16];
    static unsigned at;
    char *key = keys[at++ % 4];
    return (seerdb_slice){key, (size_t)snprintf(key, 16, "key%06u", k * 7)};
}

static void put(struct shelf *s, seerdb_batch *b, unsigned k, bool value)
{
    seerdb_err err = {0};
    char text[16];
    size_t n = (size_t)snprintf(text, sizeof text, "%u", s->last + 1);
    s->values[k] = value ? ++s->last : 0;
    if (value)
        test_ok(seerdb_batch_put(b, s->tree, key_of(k), (seerdb_slice){text, n}, &err),
                &err);
    else
        test_ok(seerdb_batch_delete(b, s->tree, key_of(k), &err), &err);
}

static void commit(seerdb_batch *b)
{
    seerdb_err err = {0};
    test_ok(seerdb_write(b, SEERDB_SYNC_OFF, &err), &err);
}

/* Runs of values and of tombstones, some in tables and some above them. */
static void fill(struct shelf *s, struct sdb_rand *r)
{
    seerdb_batch *b = new_batch(s->bed.db);
    for (unsigned layer = 0; layer < 4; layer++) {
        unsigned k = (unsigned)sdb_rand_below(r, 50);
        while (k < NKEYS) {
            bool value = layer == 0 || sdb_rand_below(r, 2) == 0;
            unsigned end = k + 1 + (unsigned)sdb_rand_below(r, layer == 0 ? 900 : 150);
            for (; k < end && k < NKEYS; k++)
                put(s, b, k, value);
            k += (unsigned)sdb_rand_below(r, layer == 0 ? 20 : 400);
        }
        commit(b);
        if (layer < 3 && sdb_rand_below(r, 4) > 0)
            flush(s->bed.db);
    }
    seerdb_batch_free(b);
}

/* Filled, and left in peace: nobody else allocates, and the runs are always the same.
 */
static void fill_and_rest(struct shelf *s, struct sdb_rand *r)
{
    seerdb_err err = {0};
    test_ok(seerdb_pause(s->bed.db, &err), &err);
    fill(s, r);
    flush(s->bed.db);
    seerdb_batch *b = new_batch(s->bed.db);
    put(s, b, 1, true); /* and a memtable */
    commit(b);
    seerdb_batch_free(b);
}

/* The iterator answered rc for a move to key k, NKEYS: no such key. */
static void expect_at(const struct shelf *s, seerdb_iter *it, int rc, unsigned k)
{
    char text[16];
    if (k == NKEYS) {
        assert_int_equal(rc, SEERDB_NOTFOUND);
        return;
    }
    assert_int_equal(rc, SEERDB_OK);
    test_slice_equal(seerdb_iter_key(it), key_of(k));
    size_t n = (size_t)snprintf(text, sizeof text, "%u", s->values[k]);
    test_slice_equal(seerdb_iter_value(it), ((seerdb_slice){text, n}));
    assert_non_null(seerdb_iter_pin(it));
}

static unsigned next_in(const struct shelf *s, unsigned k, unsigned hi)
{
    while (k < hi && s->values[k] == 0)
        k++;
    return k < hi ? k : NKEYS;
}

static unsigned prev_in(const struct shelf *s, unsigned k, unsigned lo)
{
    while (k > lo)
        if (s->values[--k] != 0)
            return k;
    return NKEYS;
}

/* Move about between lo and hi: mostly straight on, with turns. */
static void wander(const struct shelf *s, seerdb_iter *it, struct sdb_rand *r,
                   unsigned lo, unsigned hi)
{
    seerdb_err err = {0};
    bool forward = sdb_rand_below(r, 2) == 0;
    unsigned at = forward ? next_in(s, lo, hi) : prev_in(s, hi, lo);
    expect_at(s, it, forward ? seerdb_iter_first(it, &err) : seerdb_iter_last(it, &err),
              at);
    for (unsigned i = 0; i < 600 && at != NKEYS; i++) {
        if (sdb_rand_below(r, 40) == 0)
            forward = !forward;
        at = forward ? next_in(s, at + 1, hi) : prev_in(s, at, lo);
        expect_at(s, it,
                  forward ? seerdb_iter_next(it, &err) : seerdb_iter_prev(it, &err),
                  at);
    }
}

static void shelf_init(struct shelf *s)
{
    *s = (struct shelf){.last = 0};
    bed_new(&s->bed);
    s->tree = create_tree(s->bed.db, 1);
}

static void shelf_fini(struct shelf *s)
{
    seerdb_tree_close(s->tree);
    bed_fini(&s->bed);
}

static void an_iterator_used_again_walks_as_a_new_one_within_any_bounds(void **state)
{
    static struct shelf s;
    (void)state;
    for (uint64_t seed = 1; seed <= 25; seed++) {
        struct sdb_rand r = {seed};
        seerdb_view *view = NULL;
        seerdb_iter *it = NULL;
        seerdb_err err = {0};
        shelf_init(&s);
        fill(&s, &r);
        seerdb_batch *b = new_batch(s.bed.db);
        test_ok(seerdb_view_open(s.tree, &view, &err), &err);
        for (unsigned round = 0; round < 40; round++) {
            unsigned lo = (unsigned)sdb_rand_below(&r, NKEYS);
            unsigned hi = lo + (unsigned)sdb_rand_below(&r, NKEYS - lo + 1);
            if (round % 8 == 7)
                put(&s, b, (unsigned)sdb_rand_below(&r, NKEYS), round % 16 == 7);
            if (it == NULL)
                test_ok(seerdb_iter_open(view, b, SEERDB_BATCH_ALL, &it, &err), &err);
            else
                test_ok(seerdb_iter_reopen(it, view, b, SEERDB_BATCH_ALL, &err), &err);
            test_ok(seerdb_iter_bound(it, key_of(lo), key_of(hi), &err), &err);
            wander(&s, it, &r, lo, hi);
            if (round % 4 == 0)
                seerdb_iter_rest(it);
        }
        seerdb_iter_close(it);
        seerdb_view_close(view);
        seerdb_batch_free(b);
        shelf_fini(&s);
    }
}

/* The database whose tree it is decides about commits in its own time. */
static const seerdb_uuid owner = {{9}};
static _Atomic bool decided;

static int decide(void *ctx, uint64_t below, seerdb_err *err)
{
    (void)ctx;
    (void)below;
    return decided ? 0 : sdb_fail(err, SEERDB_BUSY, "not decided yet");
}

static void marked_shelf_init(struct shelf *s)
{
    seerdb_tree_options o = {
        .id = uuid_of(1), .owner = owner, .name = "t", .marked = true};
    seerdb_err err = {0};
    *s = (struct shelf){.last = 0};
    bed_new(&s->bed);
    decided = true;
    test_ok(seerdb_set_decider(s->bed.db, &owner, decide, NULL, &err), &err);
    test_ok(seerdb_tree_create(s->bed.db, &o, &s->tree, &err), &err);
}

/* Some ranges of keys get values, others lose theirs. */
static void put_ranges(struct shelf *s, seerdb_batch *b, struct sdb_rand *r, unsigned n)
{
    while (n-- > 0) {
        unsigned k = (unsigned)sdb_rand_below(r, NKEYS);
        unsigned end = k + 1 + (unsigned)sdb_rand_below(r, 120);
        bool value = sdb_rand_below(r, 3) > 0;
        for (; k < end && k < NKEYS; k++)
            put(s, b, k, value);
    }
}

/* Walks and lookups agree with what the tree holds. */
static void expect_all(const struct shelf *s, seerdb_iter **it, seerdb_view *view,
                       seerdb_batch *b, struct sdb_rand *r)
{
    seerdb_err err = {0};
    for (unsigned round = 0; round < 8; round++) {
        unsigned lo = round == 0 ? 0 : (unsigned)sdb_rand_below(r, NKEYS);
        unsigned hi = round == 0 ? NKEYS : lo + (unsigned)sdb_rand_below(r, NKEYS - lo);
        test_ok(*it == NULL ? seerdb_iter_open(view, b, SEERDB_BATCH_ALL, it, &err)
                            : seerdb_iter_reopen(*it, view, b, SEERDB_BATCH_ALL, &err),
                &err);
        test_ok(seerdb_iter_bound(*it, key_of(lo), key_of(hi), &err), &err);
        wander(s, *it, r, lo, hi);
    }
    seerdb_iter_rest(*it);
    for (unsigned k = 0; k < NKEYS; k += 1 + (unsigned)sdb_rand_below(r, 9)) {
        seerdb_value value;
        char text[16];
        size_t n = (size_t)snprintf(text, sizeof text, "%u", s->values[k]);
        int rc = seerdb_get(view, b, SEERDB_BATCH_ALL, key_of(k), &value, &err);
        assert_int_equal(rc, s->values[k] == 0 ? SEERDB_NOTFOUND : SEERDB_OK);
        if (rc != SEERDB_OK)
            continue;
        test_slice_equal(value.key, key_of(k));
        test_slice_equal(value.bytes, ((seerdb_slice){text, n}));
        seerdb_pin_unref(value.pin);
    }
}

static void commit_marked(seerdb_batch *b, uint64_t *marker)
{
    seerdb_err err = {0};
    test_ok(seerdb_prepare(b, SEERDB_SYNC_OFF, marker, &err), &err);
    seerdb_commit(b);
}

/* Writes that spilled, of a batch under way, of a commit whose tables no version lists
 * yet, and of one that has landed, with writes in memory above. */
static void spilled_writes_are_read_wherever_they_lie(void **state)
{
    static struct shelf s;
    (void)state;
    for (uint64_t seed = 1; seed <= 12; seed++) {
        struct sdb_rand r = {seed};
        seerdb_iter *it = NULL;
        seerdb_view *waits = NULL, *landed = NULL;
        seerdb_err err = {0};
        uint64_t marker = 0;
        marked_shelf_init(&s);
        seerdb_batch *b = new_batch(s.bed.db);
        test_ok(seerdb_batch_expect(b, s.tree, marker, 0, NULL, &err), &err);
        put_ranges(&s, b, &r, 20);
        commit_marked(b, &marker);
        if (seed % 3 > 0)
            flush(s.bed.db);
        test_ok(seerdb_view_open_at(s.tree, marker, 0, &landed, &err), &err);
        test_ok(seerdb_batch_expect(b, s.tree, marker, 0, NULL, &err), &err);
        for (unsigned part = 0; part < 3; part++) {
            put_ranges(&s, b, &r, 4);
            expect_all(&s, &it, landed, b, &r);
            if (part < 2)
                test_ok(seerdb_batch_spill(b, &err), &err);
        }
        seerdb_view_close(landed);
        decided = false;
        commit_marked(b, &marker);
        test_ok(seerdb_batch_expect(b, s.tree, marker, 0, NULL, &err), &err);
        put_ranges(&s, b, &r, 3);
        commit_marked(b, &marker);
        test_ok(seerdb_view_open_at(s.tree, marker, 0, &waits, &err), &err);
        assert_non_null(waits->state->pendings);
        expect_all(&s, &it, waits, NULL, &r);
        decided = true;
        test_ok(seerdb_flush(s.bed.db, s.tree, &err), &err);
        test_ok(seerdb_view_open_at(s.tree, marker, 0, &landed, &err), &err);
        assert_null(landed->state->pendings);
        expect_all(&s, &it, landed, NULL, &r);
        test_ok(seerdb_compact(s.bed.db, s.tree, &err), &err);
        expect_all(&s, &it, waits, NULL, &r);
        seerdb_view_rest(landed);
        test_ok(seerdb_view_reopen_at(landed, marker, 0, &err), &err);
        expect_all(&s, &it, landed, NULL, &r);
        seerdb_iter_close(it);
        seerdb_view_close(waits);
        seerdb_view_close(landed);
        seerdb_batch_free(b);
        shelf_fini(&s);
    }
}

static void
a_view_at_rest_pins_nothing_and_opens_on_what_was_committed_since(void **state)
{
    static struct shelf s;
    seerdb_view *view = NULL;
    seerdb_value value;
    seerdb_err err = {0};
    (void)state;
    shelf_init(&s);
    seerdb_batch *b = new_batch(s.bed.db);
    put(&s, b, 1, true);
    commit(b);
    test_ok(seerdb_view_open(s.tree, &view, &err), &err);
    uint64_t before = seerdb_view_number(view);
    put(&s, b, 2, true);
    commit(b);
    assert_int_equal(seerdb_get(view, NULL, SEERDB_BATCH_ALL, key_of(2), &value, &err),
                     SEERDB_NOTFOUND);
    seerdb_view_rest(view);
    assert_null(view->state);
    assert_null(view->hidden);
    uint64_t objects = sdb_mem_allocations();
    test_ok(seerdb_view_reopen(view, &err), &err);
    assert_int_equal(sdb_mem_allocations(), objects);
    assert_true(seerdb_view_number(view) > before);
    test_ok(seerdb_get(view, NULL, SEERDB_BATCH_ALL, key_of(2), &value, &err), &err);
    test_slice_equal(value.bytes, test_slice("2"));
    test_slice_equal(value.key, key_of(2));
    seerdb_pin_unref(value.pin);
    seerdb_view_rest(view);
    seerdb_view_close(view); /* at rest, too */
    seerdb_batch_free(b);
    shelf_fini(&s);
}

static void a_lookup_says_where_its_key_lies_in_tables_too(void **state)
{
    static struct shelf s;
    seerdb_value value;
    seerdb_err err = {0};
    (void)state;
    shelf_init(&s);
    seerdb_batch *b = new_batch(s.bed.db);
    for (unsigned k = 0; k < 300; k++)
        put(&s, b, k, true);
    commit(b);
    flush(s.bed.db);
    seerdb_view *view = new_view(s.tree);
    test_ok(seerdb_get(view, NULL, SEERDB_BATCH_ALL, key_of(137), &value, &err), &err);
    test_slice_equal(value.key, key_of(137));
    test_slice_equal(value.bytes, test_slice("138"));
    seerdb_pin_unref(value.pin);
    seerdb_view_close(view);
    seerdb_batch_free(b);
    shelf_fini(&s);
}

/* Blocks are in the cache, memtables and runs in the view: the second query of a kind
 * finds all the memory that it needs. */
static void queries_after_the_first_allocate_nothing(void **state)
{
    static struct shelf s;
    struct sdb_rand r = {11};
    seerdb_view *view = NULL;
    seerdb_iter *it = NULL;
    seerdb_err err = {0};
    uint64_t objects = 0;
    (void)state;
    shelf_init(&s);
    fill_and_rest(&s, &r);
    test_ok(seerdb_view_open(s.tree, &view, &err), &err);
    for (unsigned query = 0; query < 4; query++) {
        unsigned seen = 0;
        if (query == 1)
            objects = sdb_mem_allocations();
        if (query > 0)
            test_ok(seerdb_view_reopen(view, &err), &err);
        int rc = query == 0
                     ? seerdb_iter_open(view, NULL, SEERDB_BATCH_ALL, &it, &err)
                     : seerdb_iter_reopen(it, view, NULL, SEERDB_BATCH_ALL, &err);
        test_ok(rc, &err);
        test_ok(seerdb_iter_bound(it, key_of(3), key_of(NKEYS), &err), &err);
        for (rc = seerdb_iter_first(it, &err); rc == 0; rc = seerdb_iter_next(it, &err))
            seen++;
        assert_true(seen > 10);
        seerdb_iter_rest(it);
        seerdb_view_rest(view);
    }
    assert_int_equal(sdb_mem_allocations(), objects);
    seerdb_iter_close(it);
    seerdb_view_close(view);
    shelf_fini(&s);
}

static void an_iterator_that_finds_no_memory_stays_at_rest(void **state)
{
    static struct shelf s;
    struct sdb_rand r = {12};
    seerdb_err err = {0};
    int64_t n = 0;
    int rc = SEERDB_NOMEM;
    (void)state;
    shelf_init(&s);
    fill_and_rest(&s, &r);
    seerdb_view *view = new_view(s.tree);
    for (; rc != 0; n++) {
        seerdb_iter *it = NULL;
        err = (seerdb_err){0};
        sdb_mem_fail_after(n);
        rc = seerdb_iter_open(view, NULL, SEERDB_BATCH_ALL, &it, &err);
        sdb_mem_fail_after(-1);
        if (rc != 0) {
            test_fails(rc, SEERDB_NOMEM, &err);
            assert_null(it);
        }
        seerdb_iter_close(it);
    }
    assert_true(n > 4);
    seerdb_view_close(view);
    shelf_fini(&s);
}

static void expect_about(const struct shelf *s, unsigned lo, unsigned hi, double share)
{
    uint64_t n = seerdb_tree_count_between(s->tree, key_of(lo), key_of(hi));
    double want = (double)(hi - lo), slack = want * share + 130;
    if ((double)n < want - slack || (double)n > want + slack)
        fail_msg("%" PRIu64 " keys from %u to %u", n, lo, hi);
}

/* As exact as blocks of 64 records, and less so in a memtable. */
static void keys_of_a_range_are_about_counted_without_reading_them(void **state)
{
    static struct shelf s;
    const seerdb_slice none = {NULL, 0};
    (void)state;
    for (unsigned in_tables = 0; in_tables < 3; in_tables++) {
        shelf_init(&s);
        seerdb_batch *b = new_batch(s.bed.db);
        assert_int_equal(seerdb_tree_count_between(s.tree, none, none), 0);
        assert_int_equal(seerdb_tree_count_between(s.tree, key_of(1), key_of(9)), 0);
        for (unsigned i = 0; i < NKEYS; i++) {
            put(&s, b, i * 1237 % NKEYS, true);
            if (in_tables == 2 && i % 700 == 699) {
                commit(b);
                flush(s.bed.db);
            }
        }
        commit(b);
        if (in_tables == 1)
            flush(s.bed.db);
        assert_int_equal(seerdb_tree_count_between(s.tree, none, none), NKEYS);
        for (unsigned lo = 0; lo < NKEYS; lo += 199)
            for (unsigned hi = lo; hi <= NKEYS; hi += 333)
                expect_about(&s, lo, hi, in_tables == 1 ? 0 : 0.5);
        assert_int_equal(seerdb_tree_count_between(s.tree, key_of(900), key_of(100)),
                         0);
        assert_int_equal(
            seerdb_tree_count_between(s.tree, test_slice("a"), test_slice("z")), NKEYS);
        seerdb_batch_free(b);
        shelf_fini(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_iterator_used_again_walks_as_a_new_one_within_any_bounds),
        cmocka_unit_test(spilled_writes_are_read_wherever_they_lie),
        cmocka_unit_test(
            a_view_at_rest_pins_nothing_and_opens_on_what_was_committed_since),
        cmocka_unit_test(a_lookup_says_where_its_key_lies_in_tables_too),
        cmocka_unit_test(queries_after_the_first_allocate_nothing),
        cmocka_unit_test(an_iterator_that_finds_no_memory_stays_at_rest),
        cmocka_unit_test(keys_of_a_range_are_about_counted_without_reading_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
