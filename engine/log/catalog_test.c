/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "log/catalog_rig.h"

#include "base/coding.h"
#include "base/rand.h"

#include <stdlib.h>

static void edits_have_the_bytes_of_the_format(void **state)
{
    (void)state;
    for (int i = 0; i < N; i++) {
        struct sdb_edit e = {{0}};
        build(&e, (enum example)i);
        test_hex_equal(sdb_buf_slice(&e.bytes), examples[i]);
        sdb_edit_fini(&e);
    }
}

/* ---- applying ------------------------------------------------------------- */

static int apply(struct sdb_catalog *c, const struct sdb_edit *e, seerdb_err *err)
{
    return sdb_catalog_apply(c, sdb_buf_slice(&e->bytes), "here", err);
}

static void start(struct sdb_catalog *c, struct sdb_edit *e)
{
    memset(c, 0, sizeof *c);
    memset(e, 0, sizeof *e);
}

static void finish(struct sdb_catalog *c, struct sdb_edit *e)
{
    sdb_catalog_fini(c);
    sdb_edit_fini(e);
}

static void a_tree_that_takes_merges_has_one_operator(void **state)
{
    static const struct {
        uint64_t features, tree;
        const char *names[2];
        int want;
    } cases[] = {
        {SDB_TREE_MERGES, 3, {"max", NULL}, 0},
        {SDB_TREE_MERGES | SDB_TREE_MARKED, 3, {"max", NULL}, 0},
        {SDB_TREE_MERGES, 3, {"max", "max"}, SEERDB_CORRUPT},
        {SDB_TREE_MERGES, 3, {"", NULL}, SEERDB_CORRUPT},
        {SDB_TREE_MERGES, 4, {"max", NULL}, SEERDB_CORRUPT},
        {0, 3, {"max", NULL}, SEERDB_CORRUPT},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        seerdb_err err = {0};
        struct sdb_catalog c, copy = {0};
        struct sdb_edit e, all = {{0}};
        struct sdb_tree_desc t = example_tree();
        t.features = cases[i].features;
        start(&c, &e);
        sdb_edit_tree(&e, &t);
        for (size_t k = 0; k < 2 && cases[i].names[k] != NULL; k++)
            sdb_edit_tree_merge(&e, cases[i].tree, test_slice(cases[i].names[k]));
        int rc = apply(&c, &e, &err);
        if (rc != cases[i].want)
            fail_msg("case %zu: %d: %s", i, rc, err.msg);
        if (rc == 0) { /* it is in snapshots of the catalog, too */
            sdb_edit_snapshot(&all, &c);
            test_ok(apply(&copy, &all, &err), &err);
            test_slice_equal(sdb_buf_slice(&sdb_catalog_tree(&copy, 3)->merge),
                             test_slice("max"));
        }
        sdb_catalog_fini(&copy);
        sdb_edit_fini(&all);
        sdb_tree_desc_fini(&t);
        finish(&c, &e);
    }
}

static void an_edit_is_applied_field_by_field(void **state)
{
    (void)state;
    seerdb_err err = {0};
    struct sdb_catalog c;
    struct sdb_edit e;
    start(&c, &e);
    for (int i = 0; i < N; i++) {
        if (i != DROP && i != REMOVE && i != ASIDE && i != MERGE)
            build(&e, (enum example)i);
    }
    test_ok(apply(&c, &e, &err), &err);
    assert_memory_equal(&c.store, &uuid, sizeof uuid);
    assert_int_equal(c.number_ceiling, 1000);
    assert_int_equal(c.file_ceiling, 50);
    assert_int_equal(c.log_floor, 12);
    assert_int_equal(c.next_tree, 9);
    assert_int_equal(c.ntrees, 1);
    assert_null(sdb_catalog_tree(&c, 4));
    const struct sdb_tree_desc *t = sdb_catalog_tree(&c, 3);
    assert_non_null(t);
    assert_memory_equal(&t->uuid, &uuid, sizeof uuid);
    assert_memory_equal(&t->owner, &owner, sizeof owner);
    assert_int_equal(t->created, 300);
    assert_int_equal(t->key_format, 1);
    assert_int_equal(t->value_format, 2);
    assert_int_equal(t->compression, 3);
    assert_int_equal(t->filter_bits, 10);
    assert_int_equal(t->index, 1);
    test_slice_equal(sdb_buf_slice(&t->name), test_slice("t"));
    test_slice_equal(sdb_buf_slice(&t->app), test_slice("abc"));
    assert_true(t->drop_intended);
    assert_int_equal(t->flushed, 130);
    assert_int_equal(t->last_commit, 131);
    assert_int_equal(t->fold_floor, 7);
    assert_int_equal(t->ntables, 2);
    assert_false(t->tables[0].pending);
    assert_true(t->tables[1].pending);
    assert_int_equal(t->tables[1].file, 18);
    const struct sdb_table_desc *d = &t->tables[0];
    assert_int_equal(d->file, 17);
    assert_memory_equal(&d->id, &uuid, sizeof uuid);
    assert_int_equal(d->size, 4096);
    assert_int_equal(d->level, 1);
    assert_int_equal(d->records, 200);
    assert_int_equal(d->tombstones, 5);
    assert_int_equal(d->key_bytes, 1000);
    assert_int_equal(d->value_bytes, 2000);
    assert_int_equal(d->min_number, 7);
    assert_int_equal(d->max_number, 130);
    test_slice_equal(sdb_buf_slice(&d->smallest), test_slice("a"));
    test_slice_equal(sdb_buf_slice(&d->largest), test_slice("zz"));
    sdb_buf_clear(&e.bytes);
    build(&e, REMOVE);
    test_ok(apply(&c, &e, &err), &err);
    assert_int_equal(t->ntables, 1);
    sdb_buf_clear(&e.bytes);
    build(&e, DROP);
    test_ok(apply(&c, &e, &err), &err);
    assert_int_equal(c.ntrees, 0);
    assert_int_equal(c.next_tree, 9);
    finish(&c, &e);
}

static void a_snapshot_builds_the_same_catalog(void **state)
{
    (void)state;
    seerdb_err err = {0};
    struct sdb_catalog c, copy = {0};
    struct sdb_edit e, again = {{0}};
    struct sdb_tree_desc t = example_tree();
    struct sdb_table_desc d = example_table();
    struct sdb_vlog_ref refs[2] = {{5, 500, 50}, {6, 600, 60}};
    start(&c, &e);
    build(&e, STORE);
    build(&e, CEILINGS);
    build(&e, FLOOR);
    for (uint64_t i = 1; i <= 5; i++) {
        t.id = i;
        t.uuid.bytes[0] = (uint8_t)i;
        sdb_edit_tree(&e, &t);
        for (uint64_t k = 0; k < i; k++) {
            d.file = 100 * i + (k ^ 1); /* not in order */
            d.vlogs = k % 2 == 0 ? refs : NULL;
            d.nvlogs = k % 2 == 0 ? 2 : 0;
            d.pending = k == 2;
            sdb_edit_table_add(&e, i, &d);
        }
    }
    sdb_edit_tree_drop(&e, 5); /* its id stays used */
    sdb_edit_tree_intent(&e, 2);
    sdb_edit_tree_numbers(&e, 4, 9, 8, 7);
    test_ok(apply(&c, &e, &err), &err);
    assert_int_equal(c.next_tree, 6);
    sdb_buf_clear(&e.bytes);
    sdb_edit_snapshot(&e, &c);
    test_ok(apply(&copy, &e, &err), &err);
    sdb_edit_snapshot(&again, &copy);
    test_slice_equal(sdb_buf_slice(&e.bytes), sdb_buf_slice(&again.bytes));
    assert_int_equal(copy.next_tree, 6);
    assert_int_equal(copy.trees[1].tables[0].nvlogs, 2);
    assert_false(copy.trees[2].tables[1].pending);
    assert_true(copy.trees[2].tables[2].pending);
    assert_int_equal(copy.trees[1].tables[0].vlogs[1].bytes, 600);
    d.vlogs = NULL;
    sdb_table_desc_fini(&d);
    sdb_tree_desc_fini(&t);
    sdb_edit_fini(&again);
    sdb_catalog_fini(&copy);
    finish(&c, &e);
}

static void a_tree_has_the_last_side_file_that_it_was_given(void **state)
{
    (void)state;
    static const struct {
        struct sdb_aside_desc d;
        int rc;
        uint64_t file; /* afterwards */
    } cases[] = {
        {{0, 0, 0}, SEERDB_CORRUPT, 0}, /* there is none to take away */
        {{18, 0, 131}, SEERDB_CORRUPT, 0},
        {{18, 4096, 0}, SEERDB_CORRUPT, 0},
        {{0, 4096, 131}, SEERDB_CORRUPT, 0},
        {{18, 4096, 131}, 0, 18},
        {{18, 4096, 131}, SEERDB_CORRUPT, 18},
        {{17, 4096, 132}, SEERDB_CORRUPT, 18},
        {{19, 4096, 130}, SEERDB_CORRUPT, 18},
        {{19, 100, 131}, 0, 19},
        {{0, 0, 0}, 0, 0},
        {{20, 4096, 1}, 0, 20},
    };
    seerdb_err err = {0};
    struct sdb_catalog c, copy = {0};
    struct sdb_edit e;
    struct sdb_tree_desc t = example_tree();
    start(&c, &e);
    t.features = SDB_TREE_MARKED;
    sdb_edit_store(&e, &uuid, 0);
    sdb_edit_tree(&e, &t);
    test_ok(apply(&c, &e, &err), &err);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        sdb_buf_clear(&e.bytes);
        sdb_edit_tree_aside(&e, 3, &cases[i].d);
        int rc = apply(&c, &e, &err);
        if (rc != cases[i].rc)
            fail_msg("case %zu answers %d: %s", i, rc, err.msg);
        err = (seerdb_err){0};
        assert_int_equal(sdb_catalog_aside(&c, 3).file, cases[i].file);
    }
    assert_int_equal(sdb_catalog_aside(&c, 4).file, 0);
    sdb_buf_clear(&e.bytes);
    sdb_edit_snapshot(&e, &c);
    test_ok(apply(&copy, &e, &err), &err);
    assert_int_equal(sdb_catalog_aside(&copy, 3).file, 20);
    assert_int_equal(sdb_catalog_aside(&copy, 3).size, 4096);
    assert_int_equal(sdb_catalog_aside(&copy, 3).covered, 1);
    sdb_tree_desc_fini(&t);
    sdb_catalog_fini(&copy);
    finish(&c, &e);
}

static void add_owner(struct sdb_edit *e, const seerdb_uuid *id, uint64_t inode,
                      const char *path, size_t size)
{
    struct sdb_owner_desc o = {.owner = *id, .device = 1, .inode = inode};
    sdb_buf_append(&o.path, path, size);
    sdb_edit_owner(e, &o);
    sdb_buf_fini(&o.path);
}

static void the_newest_place_of_an_owner_counts_while_it_has_trees(void **state)
{
    (void)state;
    seerdb_err err = {0};
    struct sdb_catalog c, copy = {0};
    struct sdb_edit e;
    const seerdb_uuid stranger = {{7}};
    start(&c, &e);
    build(&e, TREE);
    build(&e, OWNER);
    add_owner(&e, &stranger, 5, "/s", 2);
    add_owner(&e, &owner, 6, "/d/moved.db", 11);
    test_ok(apply(&c, &e, &err), &err);
    assert_int_equal(c.nowners, 2);
    const struct sdb_owner_desc *o = sdb_catalog_owner(&c, &owner);
    assert_non_null(o);
    assert_int_equal(o->inode, 6);
    assert_int_equal(o->store_inode, 0);
    test_slice_equal(sdb_buf_slice(&o->path), test_slice("/d/moved.db"));
    sdb_buf_clear(&e.bytes);
    sdb_edit_snapshot(&e, &c);
    test_ok(apply(&copy, &e, &err), &err);
    assert_null(sdb_catalog_owner(&copy, &stranger));
    o = sdb_catalog_owner(&copy, &owner);
    assert_non_null(o);
    assert_int_equal(o->inode, 6);
    test_slice_equal(sdb_buf_slice(&o->path), test_slice("/d/moved.db"));
    sdb_catalog_fini(&copy);
    finish(&c, &e);
}

static void a_place_has_a_path(void **state)
{
    (void)state;
    static char path[SEERDB_PATH_MAX + 1];
    static const struct {
        size_t size;
        bool zero, good;
    } cases[] = {{0, false, false},
                 {1, false, true},
                 {2, true, false},
                 {SEERDB_PATH_MAX, false, true},
                 {SEERDB_PATH_MAX + 1, false, false}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        seerdb_err err = {0};
        struct sdb_catalog c;
        struct sdb_edit e;
        start(&c, &e);
        memset(path, 'p', sizeof path);
        if (cases[i].zero)
            path[0] = '\0';
        add_owner(&e, &owner, 1, path, cases[i].size);
        int rc = apply(&c, &e, &err);
        assert_int_equal(rc, cases[i].good ? 0 : SEERDB_CORRUPT);
        finish(&c, &e);
    }
}

static void a_pending_table_becomes_a_table_or_goes(void **state)
{
    (void)state;
    seerdb_err err = {0};
    struct sdb_catalog c;
    struct sdb_edit e;
    struct sdb_table_desc d = example_table();
    start(&c, &e);
    build(&e, TREE);
    build(&e, PENDING);
    build(&e, ADD);
    test_ok(apply(&c, &e, &err), &err);
    const struct sdb_tree_desc *t = sdb_catalog_tree(&c, 3);
    sdb_buf_clear(&e.bytes);
    d.file = 18;
    d.commit = 42;
    sdb_edit_table_add(&e, 3, &d);
    test_ok(apply(&c, &e, &err), &err);
    assert_int_equal(t->ntables, 2);
    assert_int_equal(t->tables[0].file, 17);
    assert_int_equal(t->tables[1].file, 18);
    assert_int_equal(t->tables[1].commit, 42);
    assert_false(t->tables[1].pending);
    sdb_buf_clear(&e.bytes);
    build(&e, PENDING); /* it cannot go back */
    test_fails(apply(&c, &e, &err), SEERDB_CORRUPT, &err);
    sdb_table_desc_fini(&d);
    finish(&c, &e);
}

/* ---- refusing ------------------------------------------------------------- */

/* A store with tree 3 and table 17. */
static void start_full(struct sdb_catalog *c, struct sdb_edit *e)
{
    seerdb_err err = {0};
    start(c, e);
    build(e, STORE);
    build(e, CEILINGS);
    build(e, FLOOR);
    build(e, TREE);
    build(e, NUMBERS);
    build(e, ADD);
    test_ok(apply(c, e, &err), &err);
    sdb_buf_clear(&e->bytes);
}

static void one_edit_may_move_a_table(void **state)
{
    (void)state;
    seerdb_err err = {0};
    struct sdb_catalog c;
    struct sdb_edit e;
    struct sdb_table_desc d = example_table();
    start_full(&c, &e);
    d.level = 6;
    d.run = 9;
    d.superseded = 2;
    d.ranges = 5;
    d.open_end = true;
    sdb_edit_table_remove(&e, 3, d.file);
    sdb_edit_table_add(&e, 3, &d);
    test_ok(apply(&c, &e, &err), &err);
    assert_int_equal(c.trees[0].ntables, 1);
    assert_int_equal(c.trees[0].tables[0].file, d.file);
    assert_int_equal(c.trees[0].tables[0].level, 6);
    assert_int_equal(c.trees[0].tables[0].run, 9);
    assert_int_equal(c.trees[0].tables[0].superseded, 2);
    assert_int_equal(c.trees[0].tables[0].ranges, 5);
    assert_true(c.trees[0].tables[0].open_end);
    sdb_buf_clear(&e.bytes);
    d.superseded = d.records + 1;
    d.file++;
    sdb_edit_table_add(&e, 3, &d);
    test_fails(apply(&c, &e, &err), SEERDB_CORRUPT, &err);
    sdb_table_desc_fini(&d);
    finish(&c, &e);
}

/* An edit of one entry; the numbers are what its function takes. */
struct contradiction {
    const char *what;
    enum example kind;
    uint64_t a, b, c, d;
};

static const struct contradiction contradictions[] = {
    {"another store", STORE, 0, 0, 0, 0},
    {"a lower ceiling of numbers", CEILINGS, 999, 50, 0, 0},
    {"a lower ceiling of files", CEILINGS, 1000, 49, 0, 0},
    {"a lower floor of the log", FLOOR, 11, 0, 0, 0},
    {"another UUID for an id that was used before", TREE, 3, true, 0, 0},
    {"another id for a UUID that is used", TREE, 4, false, 0, 0},
    {"the intent to drop no tree", INTENT, 4, 0, 0, 0},
    {"the drop of no tree", DROP, 4, 0, 0, 0},
    {"numbers of no tree", NUMBERS, 4, 1000, 1000, 1000},
    {"a lower flushed number", NUMBERS, 3, 129, 1000, 1000},
    {"a lower last commit", NUMBERS, 3, 1000, 130, 1000},
    {"a lower fold floor", NUMBERS, 3, 1000, 1000, 6},
    {"a table away that is not listed", REMOVE, 3, 18, 0, 0},
    {"a table away from no tree", REMOVE, 4, 17, 0, 0},
    {"a next tree that was given out", NEXT, 3, 0, 0, 0},
    {"a side file of no tree", ASIDE, 4, 0, 0, 0},
    {"a side file of a tree that is not marked", ASIDE, 3, 0, 0, 0},
};

static void contradict(struct sdb_edit *e, const struct contradiction *c)
{
    struct sdb_tree_desc t = example_tree();
    t.id = c->a;
    t.uuid = c->b ? owner : uuid;
    switch (c->kind) {
    case STORE:
        sdb_edit_store(e, &owner, 0);
        break;
    case CEILINGS:
        sdb_edit_ceilings(e, c->a, c->b);
        break;
    case FLOOR:
        sdb_edit_log_floor(e, c->a);
        break;
    case TREE:
        sdb_edit_tree(e, &t);
        break;
    case INTENT:
        sdb_edit_tree_intent(e, c->a);
        break;
    case DROP:
        sdb_edit_tree_drop(e, c->a);
        break;
    case NUMBERS:
        sdb_edit_tree_numbers(e, c->a, c->b, c->c, c->d);
        break;
    case REMOVE:
        sdb_edit_table_remove(e, c->a, c->b);
        break;
    case NEXT:
        sdb_edit_next_tree(e, c->a);
        break;
    case ASIDE:
        sdb_edit_tree_aside(e, c->a, &(struct sdb_aside_desc){18, 4096, 131});
        break;
    default:
        fail_msg("%s: an entry that nobody makes", c->what);
    }
    sdb_tree_desc_fini(&t);
}

static void expect_corrupt(struct sdb_catalog *c, struct sdb_edit *e, const char *what)
{
    seerdb_err err = {0};
    int rc = apply(c, e, &err);
    if (rc != SEERDB_CORRUPT || err.msg[0] == '\0')
        fail_msg("%s: %d: \"%s\"", what, rc, err.msg);
}

static void an_edit_that_contradicts_the_catalog_is_corrupt(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof contradictions / sizeof contradictions[0]; i++) {
        struct sdb_catalog c;
        struct sdb_edit e;
        start_full(&c, &e);
        contradict(&e, &contradictions[i]);
        expect_corrupt(&c, &e, contradictions[i].what);
        finish(&c, &e);
    }
}

static void a_table_that_contradicts_the_catalog_is_corrupt(void **state)
{
    enum { LISTED = 17, NEW = 18 };
    /* What differs from the example, which is listed. */
    static const struct {
        const char *what;
        unsigned pending; /* so many entries before: the example is pending */
        uint64_t tree;    /* 0: no table */
        uint64_t files[3];
        uint64_t min_number, tombstones; /* 0: as there */
        bool is_pending, open_end, other_id;
    } cases[] = {
        {"twice", .tree = 3, .files = {LISTED}},
        {"twice, the first after a larger number", .tree = 3, .files = {NEW, 16, 16}},
        {"of no tree", .tree = 4, .files = {NEW}},
        {"without a number", .tree = 3, .files = {0}},
        {"numbers turned round", .tree = 3, .files = {NEW}, .min_number = 131},
        {"more tombstones than records", .tree = 3, .files = {NEW}, .tombstones = 201},
        {"pending twice", .pending = 2},
        {"not the file that was pending", 1, 3, {NEW}, .other_id = true},
        {"listed, and then pending", .tree = 3, .files = {LISTED}, .is_pending = true},
        {"an open end, no range", .tree = 3, .files = {NEW}, .open_end = true},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct sdb_catalog c;
        struct sdb_edit e;
        struct sdb_table_desc d = example_table();
        start_full(&c, &e);
        for (unsigned k = 0; k < cases[i].pending; k++)
            build(&e, PENDING);
        d.pending = cases[i].is_pending;
        d.open_end = cases[i].open_end;
        if (cases[i].other_id)
            d.id = owner;
        if (cases[i].min_number != 0)
            d.min_number = cases[i].min_number;
        if (cases[i].tombstones != 0)
            d.tombstones = cases[i].tombstones;
        for (size_t k = 0;
             cases[i].tree != 0 && (k == 0 || (k < 3 && cases[i].files[k] != 0)); k++) {
            d.file = cases[i].files[k];
            sdb_edit_table_add(&e, cases[i].tree, &d);
        }
        expect_corrupt(&c, &e, cases[i].what);
        sdb_table_desc_fini(&d);
        finish(&c, &e);
    }
}

static void what_a_newer_version_wrote_is_newer(void **state)
{
    (void)state;
    seerdb_err err = {0};
    for (int i = 0; i < 4; i++) {
        struct sdb_catalog c;
        struct sdb_edit e;
        struct sdb_tree_desc t = example_tree();
        start(&c, &e);
        if (i == 3) { /* a flag of a table */
            build(&e, STORE);
            build(&e, TREE);
            build(&e, ADD);
            e.bytes.data[e.bytes.size - 1] = 2;
            test_fails(apply(&c, &e, &err), SEERDB_NEWER, &err);
            sdb_tree_desc_fini(&t);
            finish(&c, &e);
            continue;
        }
        t.features = 1u << 20;
        if (i == 0)
            sdb_buf_append(&e.bytes, "\x63\x00", 2);
        else if (i == 1)
            sdb_edit_store(&e, &uuid, 1);
        else
            sdb_edit_tree(&e, &t);
        test_fails(apply(&c, &e, &err), SEERDB_NEWER, &err);
        sdb_tree_desc_fini(&t);
        finish(&c, &e);
    }
}

static void no_cut_or_flipped_edit_does_more_than_fail(void **state)
{
    (void)state;
    seerdb_err err = {0};
    struct sdb_catalog c;
    struct sdb_edit e;
    start(&c, &e);
    for (int i = 0; i < N; i++) {
        if (i != DROP && i != ASIDE)
            build(&e, (enum example)i);
    }
    for (size_t n = 0; n < e.bytes.size; n++) {
        int rc = sdb_catalog_apply(&c, (seerdb_slice){e.bytes.data, n}, "here", &err);
        assert_true(rc == 0 || rc == SEERDB_CORRUPT);
        sdb_catalog_fini(&c);
        err = (seerdb_err){0};
    }
    for (size_t i = 0; i < e.bytes.size * 8; i++) {
        e.bytes.data[i / 8] ^= (uint8_t)(1u << i % 8);
        int rc = apply(&c, &e, &err);
        if (rc != 0 && rc != SEERDB_CORRUPT && rc != SEERDB_NEWER)
            fail_msg("%d: %s", rc, err.msg);
        sdb_catalog_fini(&c);
        err = (seerdb_err){0};
        e.bytes.data[i / 8] ^= (uint8_t)(1u << i % 8);
    }
    /* Each example cut short anywhere is malformed. */
    for (int i = 0; i < N; i++) {
        sdb_buf_clear(&e.bytes);
        build(&e, (enum example)i);
        for (size_t n = 1; n < e.bytes.size; n++) {
            test_fails(
                sdb_catalog_apply(&c, (seerdb_slice){e.bytes.data, n}, "here", &err),
                SEERDB_CORRUPT, &err);
            sdb_catalog_fini(&c);
        }
    }
    finish(&c, &e);
}

static void random_bytes_are_refused_without_harm(void **state)
{
    (void)state;
    struct sdb_rand r = {11};
    seerdb_err err = {0};
    for (int i = 0; i < 20000; i++) {
        uint8_t bytes[64];
        struct sdb_catalog c = {0};
        for (size_t k = 0; k < sizeof bytes; k++)
            bytes[k] = (uint8_t)sdb_rand_next(&r);
        bytes[0] = (uint8_t)(1 + sdb_rand_below(&r, SDB_EDIT_TREE_VALUES));
        bytes[1] = (uint8_t)sdb_rand_below(&r, 63);
        int rc =
            sdb_catalog_apply(&c, (seerdb_slice){bytes, 2u + bytes[1]}, "here", &err);
        assert_true(rc == 0 || rc == SEERDB_CORRUPT || rc == SEERDB_NEWER);
        sdb_catalog_fini(&c);
        err = (seerdb_err){0};
    }
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    seerdb_err err = {0};
    struct sdb_edit whole = {{0}};
    struct sdb_table_desc d = example_table();
    struct sdb_vlog_ref ref = {1, 2, 3};
    d.vlogs = &ref;
    d.nvlogs = 1;
    build(&whole, STORE);
    build(&whole, TREE);
    sdb_edit_table_add(&whole, 3, &d);
    for (int64_t after = 0;; after++) {
        struct sdb_catalog c = {0};
        struct sdb_edit e = {{0}};
        struct sdb_table_desc copy = {0};
        sdb_mem_fail_after(after);
        int rc = apply(&c, &whole, &err);
        if (rc == 0) {
            sdb_edit_snapshot(&e, &c);
            rc = sdb_buf_check(&e.bytes, &err);
        }
        if (rc == 0)
            rc = sdb_table_desc_copy(&copy, &d, &err);
        sdb_mem_fail_after(-1);
        if (rc == 0) {
            test_slice_equal(sdb_buf_slice(&copy.largest), test_slice("zz"));
            assert_int_equal(copy.vlogs[0].bytes, 2);
        } else {
            test_fails(rc, SEERDB_NOMEM, &err);
        }
        sdb_table_desc_fini(&copy);
        sdb_edit_fini(&e);
        sdb_catalog_fini(&c);
        if (rc == 0)
            break;
        assert_true(after < 100);
    }
    d.vlogs = NULL;
    sdb_table_desc_fini(&d);
    sdb_edit_fini(&whole);
}

static void a_tree_with_an_index_unknown_here_is_newer(void **state)
{
    (void)state;
    for (uint32_t index = 0; index <= 2; index++) {
        struct sdb_catalog c = {0};
        struct sdb_edit e = {0};
        struct sdb_tree_desc t = example_tree();
        seerdb_err err = {0};
        t.index = index;
        sdb_edit_tree(&e, &t);
        test_fails(apply(&c, &e, &err), index > 1 ? SEERDB_NEWER : 0, &err);
        sdb_tree_desc_fini(&t);
        sdb_edit_fini(&e);
        sdb_catalog_fini(&c);
    }
}

static void snapshots_and_what_is_held_for_them_are_checked(void **state)
{
    (void)state;
    static const struct {
        const char *hex; /* after a tree, its table 17 and the snapshot "monday" */
        int rc;
    } cases[] = {
        {"0d 05 03 07 01 01 61", 0},
        {"0d 05 04 07 01 01 61", SEERDB_CORRUPT}, /* another tree */
        {"0d 04 03 07 01 00", SEERDB_CORRUPT},    /* no name */
        {"0d 05 03 07 01 01 00", SEERDB_CORRUPT},
        {"0d 0a 03 07 01 06 6d 6f 6e 64 61 79",
         SEERDB_CORRUPT}, /* the name of another */
        {"0e 08 03 06 6d 6f 6e 64 61 79", 0},
        {"0e 03 03 01 61", SEERDB_CORRUPT},
        {"0e 03 04 01 61", SEERDB_CORRUPT},
        {"0f 08 03 11 01 5a 01 01 00 00", 0},
        {"0f 08 03 11 01 5a 01 01 02 00", 0},
        {"0f 08 03 11 01 5a 01 01 04 00", SEERDB_CORRUPT}, /* once, and once more */
        {"0f 08 03 11 01 5a 01 01 00 01", SEERDB_CORRUPT}, /* it has no ranges */
        {"0f 08 03 12 01 5a 01 01 00 00", SEERDB_CORRUPT}, /* another table */
        {"0f 03 03 11 00", SEERDB_CORRUPT},
        {"0f 0d 03 11 02 5a 01 01 00 00 5a 01 01 00 00", SEERDB_CORRUPT}, /* twice */
        {"0f 09 03 11 01 5a c9 01 01 00 00", SEERDB_CORRUPT}, /* more than it has */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct sdb_catalog c;
        struct sdb_edit e;
        seerdb_err err = {0};
        start(&c, &e);
        build(&e, TREE);
        build(&e, ADD);
        build(&e, NAMED);
        for (const char *at = cases[i].hex; *at != '\0'; at += at[2] == ' ' ? 3 : 2)
            sdb_put_u8(&e.bytes, (uint8_t)strtoul(at, NULL, 16));
        int rc = apply(&c, &e, &err);
        if (rc != cases[i].rc)
            fail_msg("%s: %d, %s", cases[i].hex, rc, err.msg);
        finish(&c, &e);
    }
}

static void a_tree_gets_a_value_log_once(void **state)
{
    static const struct {
        uint64_t features, tree, size;
        unsigned times;
        int want;
    } cases[] = {
        {0, 3, 4096, 1, 0},
        {SDB_TREE_MARKED | SDB_TREE_MERGES, 3, 512, 1, 0},
        {0, 3, 4096, 2, SEERDB_CORRUPT},
        {SDB_TREE_SEGMENTS, 3, 4096, 1, SEERDB_CORRUPT},
        {0, 3, 0, 1, SEERDB_CORRUPT},
        {0, 4, 4096, 1, SEERDB_CORRUPT},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        seerdb_err err = {0};
        struct sdb_catalog c, copy = {0};
        struct sdb_edit e, all = {{0}};
        struct sdb_tree_desc t = example_tree();
        t.features = cases[i].features;
        t.value_log = (t.features & SDB_TREE_SEGMENTS) != 0 ? 1000 : 0;
        start(&c, &e);
        sdb_edit_tree(&e, &t);
        for (unsigned k = 0; k < cases[i].times; k++)
            sdb_edit_tree_values(&e, cases[i].tree, cases[i].size);
        int rc = apply(&c, &e, &err);
        if (rc != cases[i].want)
            fail_msg("case %zu: %d: %s", i, rc, err.msg);
        if (rc == 0) { /* snapshots of the catalog say it with the tree */
            sdb_edit_snapshot(&all, &c);
            test_ok(apply(&copy, &all, &err), &err);
            const struct sdb_tree_desc *got = sdb_catalog_tree(&copy, 3);
            assert_int_equal(got->value_log, cases[i].size);
            assert_int_equal(got->features, t.features | SDB_TREE_SEGMENTS);
        }
        sdb_catalog_fini(&copy);
        sdb_edit_fini(&all);
        sdb_tree_desc_fini(&t);
        finish(&c, &e);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tree_with_an_index_unknown_here_is_newer),
        cmocka_unit_test(edits_have_the_bytes_of_the_format),
        cmocka_unit_test(an_edit_is_applied_field_by_field),
        cmocka_unit_test(a_tree_that_takes_merges_has_one_operator),
        cmocka_unit_test(a_tree_gets_a_value_log_once),
        cmocka_unit_test(a_snapshot_builds_the_same_catalog),
        cmocka_unit_test(a_tree_has_the_last_side_file_that_it_was_given),
        cmocka_unit_test(the_newest_place_of_an_owner_counts_while_it_has_trees),
        cmocka_unit_test(a_place_has_a_path),
        cmocka_unit_test(one_edit_may_move_a_table),
        cmocka_unit_test(a_pending_table_becomes_a_table_or_goes),
        cmocka_unit_test(an_edit_that_contradicts_the_catalog_is_corrupt),
        cmocka_unit_test(a_table_that_contradicts_the_catalog_is_corrupt),
        cmocka_unit_test(what_a_newer_version_wrote_is_newer),
        cmocka_unit_test(no_cut_or_flipped_edit_does_more_than_fail),
        cmocka_unit_test(random_bytes_are_refused_without_harm),
        cmocka_unit_test(snapshots_and_what_is_held_for_them_are_checked),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
