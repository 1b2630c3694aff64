/* SPDX-License-Identifier: Apache-2.0
 *
 * A tree with SEERDB_ADAPTIVE: what it is told of, when it changes, and what stays. */
#include "db/testing.h"

#include "db/state.h"
#include "tree/picker.h"

enum { ROWS = 4000 };

static seerdb_tree *create_adaptive(seerdb *db)
{
    seerdb_err err = {0};
    seerdb_tree *t = NULL;
    test_ok(seerdb_tree_create(db,
                               &(seerdb_tree_options){.id = uuid_of(1),
                                                      .name = "t",
                                                      .compaction = SEERDB_ADAPTIVE},
                               &t, &err),
            &err);
    return t;
}

/* `n` rows anywhere among ROWS, and a flush. */
static void write_some(seerdb_tree *t, struct sdb_rand *r, unsigned n)
{
    char key[16], value[100];
    seerdb_err err = {0};
    seerdb_batch *b = new_batch(seerdb_tree_store(t));
    memset(value, 'v', sizeof value);
    for (unsigned i = 0; i < n; i++) {
        snprintf(key, sizeof key, "k%08u", (unsigned)sdb_rand_below(r, ROWS));
        test_ok(seerdb_batch_put(b, t, test_slice(key),
                                 (seerdb_slice){value, sizeof value}, &err),
                &err);
    }
    test_ok(seerdb_write(b, SEERDB_SYNC_OFF, &err), &err);
    seerdb_batch_free(b);
    flush(seerdb_tree_store(t));
}

static void scan_all(seerdb_tree *t, unsigned times)
{
    seerdb_view *v = new_view(t);
    for (unsigned i = 0; i < times; i++) {
        seerdb_err err = {0};
        seerdb_iter *it = NULL;
        unsigned n = 0;
        test_ok(seerdb_iter_open(v, NULL, 0, &it, &err), &err);
        for (int rc = seerdb_iter_first(it, &err); rc == 0;
             rc = seerdb_iter_next(it, &err))
            n++;
        seerdb_iter_close(it);
        assert_true(n > 0 && n <= ROWS);
    }
    seerdb_view_close(v);
}

static enum seerdb_compaction policy_of(seerdb_tree *t)
{
    return (enum seerdb_compaction)atomic_load(&t->policy);
}

struct changes {
    unsigned n;
    char last[160];
};

static bool take_change(void *ctx, const seerdb_event *e)
{
    struct changes *c = ctx;
    if (strcmp(e->event, "adapted") == 0) {
        c->n++;
        assert_false(e->of_store);
        snprintf(c->last, sizeof c->last, "%s", e->detail);
    }
    return true;
}

static struct changes changes_of(seerdb_tree *t)
{
    struct changes c = {.n = 0};
    seerdb_err err = {0};
    test_ok(seerdb_events(seerdb_tree_store(t), t, take_change, &c, &err), &err);
    return c;
}

/* Until it is lazy: the tree has to have some size for that to matter. */
static void load_until_lazy(seerdb_tree *t, struct sdb_rand *r)
{
    for (unsigned i = 0; i < 200 && policy_of(t) != SEERDB_LAZY; i++)
        write_some(t, r, 200);
    assert_int_equal(policy_of(t), SEERDB_LAZY);
}

static void writes_and_scans_change_it_and_it_says_so(void **state)
{
    (void)state;
    struct bed b;
    struct sdb_rand r = {.state = 1};
    unsigned flushes = 0;
    bed_new(&b);
    seerdb_tree *t = create_adaptive(b.db);
    assert_int_equal(seerdb_tree_describe(t).compaction, SEERDB_ADAPTIVE);
    assert_int_equal(policy_of(t), SEERDB_LEVELED);
    load_until_lazy(t, &r);
    struct changes c = changes_of(t);
    assert_int_equal(c.n, 1);
    assert_non_null(strstr(c.last, "leveled to lazy: "));
    assert_non_null(strstr(c.last, " 0 lookups, 0 scans of 0 rows"));
    const char *by = strstr(c.last, "by ");
    /* Of late: each flush had 200 at the most. */
    assert_true(by != NULL && atoi(by + 3) > 100 && atoi(by + 3) < 400);
    /* Nothing changes while nothing is flushed. */
    scan_all(t, 100);
    assert_int_equal(policy_of(t), SEERDB_LAZY);
    for (; flushes < 8 && policy_of(t) == SEERDB_LAZY; flushes++) {
        scan_all(t, 20);
        write_some(t, &r, 50);
    }
    assert_int_equal(policy_of(t), SEERDB_LEVELED);
    assert_true(flushes <= 3);
    c = changes_of(t);
    assert_int_equal(c.n, 2);
    assert_non_null(strstr(c.last, "lazy to leveled: "));
    verify(b.db);
    seerdb_tree_close(t);
    bed_fini(&b);
}

/* What is there when a tree becomes adaptive, or not, is nobody's work since. */
static void a_tree_that_is_told_another_policy_is_left_alone(void **state)
{
    (void)state;
    struct bed b;
    struct sdb_rand r = {.state = 1};
    bed_new(&b);
    seerdb_tree *t = create_adaptive(b.db);
    seerdb_tree_options o = seerdb_tree_describe(t);
    o.compaction = SEERDB_LEVELED;
    seerdb_tree_tune(t, &o);
    for (int i = 0; i < 60; i++)
        write_some(t, &r, 200);
    assert_int_equal(changes_of(t).n, 0);
    seerdb_tree_close(t);
    bed_fini(&b);
}

static bool add_upper(void *ctx, const seerdb_level *l)
{
    *(bool *)ctx =
        *(bool *)ctx || (l->level > 0 && l->level < SDB_BOTTOM && l->runs > 1);
    return true;
}

static bool has_upper_runs(seerdb_tree *t)
{
    bool has = false;
    seerdb_err err = {0};
    test_ok(seerdb_levels(t, add_upper, &has, &err), &err);
    return has;
}

/* Several runs on a level say that it was lazy: merging them first thing would undo
 * what was good for it. */
static void an_open_goes_on_as_the_runs_are(void **state)
{
    (void)state;
    struct bed b;
    struct sdb_rand r = {.state = 1};
    seerdb_err err = {0};
    bed_new(&b);
    seerdb_tree *t = create_adaptive(b.db);
    load_until_lazy(t, &r);
    for (unsigned i = 0; i < 200; i++) {
        test_ok(seerdb_pause(b.db, &err), &err); /* nobody merges what was seen */
        if (has_upper_runs(t))
            break;
        test_ok(seerdb_continue(b.db, &err), &err);
        write_some(t, &r, 200);
    }
    assert_true(has_upper_runs(t));
    seerdb_tree_close(t);
    bed_close(&b);
    bed_open_ok(&b);
    t = open_tree(b.db, 1);
    assert_int_equal(policy_of(t), SEERDB_LAZY);

    test_ok(seerdb_compact(b.db, t, &err), &err);
    assert_false(has_upper_runs(t));
    seerdb_tree_close(t);
    bed_close(&b);
    bed_open_ok(&b);
    t = open_tree(b.db, 1);
    assert_int_equal(policy_of(t), SEERDB_LEVELED);
    seerdb_tree_close(t);
    bed_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_and_scans_change_it_and_it_says_so),
        cmocka_unit_test(a_tree_that_is_told_another_policy_is_left_alone),
        cmocka_unit_test(an_open_goes_on_as_the_runs_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
