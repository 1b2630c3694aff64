/* SPDX-License-Identifier: Apache-2.0 */
#include "tree/run_iter.h"

#include "table/testing.h"

#define NTABLES 6
#define NKEYS   600

/* A run of tables, each in a file system of its own, and what is in it. */
struct rig {
    char keys[NKEYS][16];
    struct list parts[NTABLES], all;
    struct made made[NTABLES];
    struct sdb_version *version;
    bool spilled; /* no table has numbers of its own */
};

/* Of spilled table i: its records were written by ordinals after 10 * i and up to 10 *
 * (i + 1), the commit counts as this one. */
static uint64_t commit_of(unsigned i)
{
    return 1000 + 10 * (i + 1);
}

static struct sdb_member *member_of(struct rig *g, unsigned i)
{
    struct sdb_table_desc d = {.file = i + 1, .run = 1, .level = 1};
    const struct list *l = &g->parts[i];
    struct sdb_table_writer_options o = options_for(l);
    struct sdb_table *t = NULL;
    struct sdb_member *m = NULL;
    seerdb_err err = {0};
    o.block_size = 300;
    if (g->spilled) {
        d.commit = commit_of(i);
        d.min_number = 10 * i;
        d.max_number = 10 * (i + 1);
    }
    g->made[i] = make_table(&o, l);
    test_ok(open_made(&g->made[i], &t, &err), &err);
    sdb_buf_append_slice(&d.smallest, l->r[0].key);
    sdb_buf_append_slice(&d.largest, l->r[l->n - 1].key);
    test_ok(sdb_member_new(&d, t, NULL, NULL, &m, &err), &err);
    sdb_table_desc_fini(&d);
    return m;
}

static void rig_open(struct rig *g)
{
    struct sdb_member *members[NTABLES];
    seerdb_err err = {0};
    list_sort(&g->all);
    for (unsigned i = 0; i < NTABLES; i++) {
        list_sort(&g->parts[i]);
        members[i] = member_of(g, i);
    }
    test_ok(sdb_version_new(
                NULL, &(struct sdb_version_change){.added = members, .nadded = NTABLES},
                &g->version, &err),
            &err);
    for (unsigned i = 0; i < NTABLES; i++)
        sdb_member_unref(members[i]);
    assert_int_equal(g->version->nruns, 1);
}

/* Table i has the keys from i * NKEYS / NTABLES on; the numbers in table `high` are all
 * above 100, the others below. */
static void rig_init(struct rig *g, struct sdb_rand *r, unsigned high)
{
    *g = (struct rig){.version = NULL};
    for (unsigned i = 0; i < NKEYS; i++) {
        snprintf(g->keys[i], sizeof g->keys[i], "key%05u", i * 3);
        unsigned part = i / (NKEYS / NTABLES);
        bool first = i % (NKEYS / NTABLES) == 0;
        uint64_t versions = sdb_rand_below(r, 10) == 0 ? 1 + sdb_rand_below(r, 9) : 1;
        if (!first && sdb_rand_below(r, 4) == 0)
            continue;
        for (uint64_t v = 0; v < versions; v++) {
            uint64_t number = (part == high ? 101u : 1u) + sdb_rand_below(r, 99);
            list_add(&g->parts[part], test_slice(g->keys[i]), number, SDB_KIND_VALUE,
                     test_slice("v"));
            list_add(&g->all, test_slice(g->keys[i]), number, SDB_KIND_VALUE,
                     test_slice("v"));
        }
    }
    rig_open(g);
}

/* The same without numbers: the model shows `as`, or each table's commit. */
static void rig_init_spilled(struct rig *g, uint64_t as)
{
    *g = (struct rig){.spilled = true};
    for (unsigned i = 0; i < NKEYS; i++) {
        snprintf(g->keys[i], sizeof g->keys[i], "key%05u", i * 3);
        unsigned part = i / (NKEYS / NTABLES);
        seerdb_slice key = test_slice(g->keys[i]), value = test_slice("v");
        list_add(&g->parts[part], key, 0, SDB_KIND_VALUE, value);
        list_add(&g->all, key, as != 0 ? as : commit_of(part), SDB_KIND_VALUE, value);
    }
    rig_open(g);
}

static void rig_fini(struct rig *g)
{
    sdb_version_unref(g->version);
    for (unsigned i = 0; i < NTABLES; i++) {
        sdb_memfs_free(g->made[i].fs);
        list_fini(&g->parts[i]);
    }
    list_fini(&g->all);
}

static void random_walks_over_a_run_match_its_tables_in_a_row(void **state)
{
    static struct rig g;
    (void)state;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        struct sdb_rand r = {seed};
        struct sdb_iter *it = NULL;
        seerdb_err err = {0};
        unsigned high = (unsigned)sdb_rand_below(&r, NTABLES + 1);
        rig_init(&g, &r, high);
        /* One iterator for all of them: it is used again. */
        for (unsigned round = 0; round < 4; round++) {
            static const uint64_t ceilings[] = {UINT64_MAX, 100, 40, 0};
            struct sdb_iter *model = list_iter(&g.all, ceilings[round], NULL);
            bool positioned = false;
            if (it == NULL) {
                test_ok(sdb_run_iter(g.version, g.version->runs, ceilings[round], &it,
                                     &err),
                        &err);
            } else {
                it->ops->rest(it);
                sdb_run_iter_aim(it, g.version, g.version->runs,
                                 &(struct sdb_run_shown){.ceiling = ceilings[round]});
            }
            for (int i = 0; i < 300; i++)
                positioned = move_both(model, it, &g.all, &r, positioned);
            sdb_iter_close(model);
        }
        sdb_iter_close(it);
        rig_fini(&g);
    }
}

static void a_table_that_shows_nothing_is_passed_over_in_both_directions(void **state)
{
    static struct rig g;
    (void)state;
    static const unsigned places[] = {0, 2, NTABLES - 1};
    for (size_t p = 0; p < sizeof places / sizeof *places; p++) {
        struct sdb_rand r = {p + 7};
        struct sdb_iter *it = NULL;
        seerdb_err err = {0};
        unsigned seen = 0, back = 0;
        rig_init(&g, &r, places[p]);
        test_ok(sdb_run_iter(g.version, g.version->runs, 100, &it, &err), &err);
        for (int rc = it->ops->first(it, &err); rc == 0; rc = it->ops->next(it, &err)) {
            assert_true(it->at.number <= 100);
            seen++;
        }
        for (int rc = it->ops->last(it, &err); rc == 0; rc = it->ops->prev(it, &err))
            back++;
        assert_int_equal(seen, back);
        assert_in_range(seen, NKEYS / 2, NKEYS * 5 / 6);
        sdb_iter_close(it);
        rig_fini(&g);
    }
}

static void a_walk_over_a_run_goes_on_block_by_block(void **state)
{
    static struct rig g;
    struct sdb_rand r = {3};
    struct sdb_iter *it = NULL;
    seerdb_err err = {0};
    unsigned calls = 0, seen = 0;
    (void)state;
    rig_init(&g, &r, NTABLES);
    test_ok(sdb_run_iter(g.version, g.version->runs, UINT64_MAX, &it, &err), &err);
    for (int rc = it->ops->first(it, &err); rc == 0; rc = it->ops->next(it, &err)) {
        calls++;
        for (seen++; it->plain > 0; seen++)
            sdb_iter_take(it, SDB_STEP_FORWARD);
    }
    assert_true(seen > NKEYS / 2);
    assert_true(calls < seen / 2);
    sdb_iter_close(it);
    rig_fini(&g);
}

static void using_a_run_again_allocates_nothing(void **state)
{
    static struct rig g;
    struct sdb_rand r = {5};
    struct sdb_iter *it = NULL;
    seerdb_err err = {0};
    (void)state;
    rig_init(&g, &r, NTABLES);
    test_ok(sdb_run_iter(g.version, g.version->runs, UINT64_MAX, &it, &err), &err);
    test_ok(it->ops->first(it, &err), &err);
    uint64_t objects = sdb_mem_allocations();
    it->ops->rest(it);
    sdb_run_iter_aim(it, g.version, g.version->runs,
                     &(struct sdb_run_shown){.ceiling = UINT64_MAX});
    test_ok(it->ops->first(it, &err), &err);
    assert_int_equal(sdb_mem_allocations() - objects, 1); /* the block: no cache here */
    sdb_iter_close(it);
    rig_fini(&g);
}

static void a_damaged_table_in_the_middle_ends_the_walk_with_its_error(void **state)
{
    static struct rig g;
    struct sdb_rand r = {9};
    struct sdb_iter *it = NULL;
    seerdb_err err = {0};
    static const uint8_t garbage[16] = {0xff};
    int rc;
    (void)state;
    rig_init(&g, &r, NTABLES);
    made_write(&g.made[3], 64 + 40, garbage, sizeof garbage); /* its first block */
    test_ok(sdb_run_iter(g.version, g.version->runs, UINT64_MAX, &it, &err), &err);
    for (rc = it->ops->first(it, &err); rc == 0; rc = it->ops->next(it, &err))
        ;
    test_fails(rc, SEERDB_CORRUPT, &err);
    sdb_iter_close(it);
    rig_fini(&g);
}

static void a_spilled_run_shows_its_commit_for_every_number(void **state)
{
    static const struct sdb_run_shown shown[] = {
        {.ceiling = UINT64_MAX}, {.ceiling = 1030}, {.ceiling = 1009}, {.as = 77}};
    static struct rig g;
    struct sdb_rand r = {21};
    seerdb_err err = {0};
    (void)state;
    for (size_t i = 0; i < sizeof shown / sizeof *shown; i++) {
        struct sdb_iter *it = NULL;
        bool positioned = false;
        rig_init_spilled(&g, shown[i].as);
        /* A use before that showed all else. */
        test_ok(sdb_run_iter(g.version, g.version->runs, UINT64_MAX, &it, &err), &err);
        test_ok(it->ops->last(it, &err), &err);
        it->ops->rest(it);
        sdb_run_iter_aim(it, g.version, g.version->runs, &shown[i]);
        struct sdb_iter *model =
            list_iter(&g.all, shown[i].as != 0 ? UINT64_MAX : shown[i].ceiling, NULL);
        for (int move = 0; move < 2000; move++)
            positioned = move_both(model, it, &g.all, &r, positioned);
        sdb_iter_close(model);
        sdb_iter_close(it);
        rig_fini(&g);
    }
}

/* What is handed out block by block has the number, too. */
static void plain_records_of_a_spilled_run_show_its_commit(void **state)
{
    static struct rig g;
    struct sdb_iter *it = NULL;
    seerdb_err err = {0};
    unsigned calls = 0, seen = 0;
    (void)state;
    rig_init_spilled(&g, 77);
    test_ok(sdb_run_iter_spilled(g.version, g.version->runs,
                                 &(struct sdb_run_shown){.as = 77}, &it, &err),
            &err);
    for (int rc = it->ops->last(it, &err); rc == 0; rc = it->ops->prev(it, &err)) {
        assert_int_equal(it->at.number, 77);
        calls++;
        for (seen++; it->plain > 0; seen++) {
            sdb_iter_take(it, SDB_STEP_BACKWARD);
            assert_int_equal(it->at.number, 77);
        }
    }
    assert_int_equal(seen, NKEYS);
    assert_true(calls < seen / 2);
    sdb_iter_close(it);
    rig_fini(&g);
}

/* An iterator of a batch is open while its writes are undone. */
static void no_record_comes_after_its_table_was_rolled_back(void **state)
{
    static struct rig g;
    static const struct sdb_hidden_range range = {21, 31}; /* table 2 */
    struct sdb_hidden hidden = {&range, 0};
    struct sdb_iter *it = NULL;
    seerdb_err err = {0};
    unsigned seen = 0;
    (void)state;
    rig_init_spilled(&g, 0);
    test_ok(sdb_run_iter_spilled(
                g.version, g.version->runs,
                &(struct sdb_run_shown){.ceiling = UINT64_MAX, .hidden = &hidden}, &it,
                &err),
            &err);
    for (int rc = it->ops->first(it, &err); rc == 0; rc = it->ops->next(it, &err)) {
        for (seen++; it->plain > 0; seen++)
            sdb_iter_take(it, SDB_STEP_FORWARD);
        if (seen == NKEYS / NTABLES * 2 + 1)
            hidden.n = 1;
    }
    assert_int_equal(hidden.n, 1);
    assert_int_equal(seen, NKEYS - NKEYS / NTABLES + 1);
    sdb_iter_close(it);
    rig_fini(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_walks_over_a_run_match_its_tables_in_a_row),
        cmocka_unit_test(a_table_that_shows_nothing_is_passed_over_in_both_directions),
        cmocka_unit_test(a_walk_over_a_run_goes_on_block_by_block),
        cmocka_unit_test(using_a_run_again_allocates_nothing),
        cmocka_unit_test(a_spilled_run_shows_its_commit_for_every_number),
        cmocka_unit_test(plain_records_of_a_spilled_run_show_its_commit),
        cmocka_unit_test(no_record_comes_after_its_table_was_rolled_back),
        cmocka_unit_test(a_damaged_table_in_the_middle_ends_the_walk_with_its_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
