/* SPDX-License-Identifier: Apache-2.0
 *
 * Trees that are read through maps of their tables, on the local disk. */
#define _GNU_SOURCE
#include "os/clock.h"
#include "testing.h"

#include <dirent.h>
#include <stdlib.h>
#include <unistd.h>

struct disk {
    char dir[64];
    seerdb *db;
    seerdb_tree *t;
};

static void disk_open(struct disk *d)
{
    seerdb_options o = {.create = true,
                        .memory_limit = SMALL_MEMORY,
                        .sizes = {.table = SMALL_TABLE, .batch = 2 * SMALL_TABLE}};
    seerdb_err err = {0};
    test_ok(seerdb_open(d->dir, &o, &d->db, &err), &err);
}

static void disk_new(struct disk *d)
{
    strcpy(d->dir, "/tmp/seerdb-mapped-XXXXXX");
    assert_non_null(mkdtemp(d->dir));
    disk_open(d);
    d->t = create_tree(d->db, 1);
}

static void disk_close(struct disk *d)
{
    seerdb_err err = {0};
    seerdb_tree_close(d->t);
    test_ok(seerdb_close(d->db, &err), &err);
    d->t = NULL;
    d->db = NULL;
}

/* The files of the directory whose names end so; with `remove` they go. */
static unsigned files(const struct disk *d, const char *suffix, bool remove)
{
    unsigned n = 0;
    DIR *dir = opendir(d->dir);
    assert_non_null(dir);
    for (struct dirent *e; (e = readdir(dir)) != NULL;) {
        size_t size = strlen(e->d_name);
        if (e->d_name[0] == '.' || size < strlen(suffix) ||
            strcmp(e->d_name + size - strlen(suffix), suffix) != 0)
            continue;
        n++;
        if (remove)
            assert_int_equal(unlinkat(dirfd(dir), e->d_name, 0), 0);
    }
    closedir(dir);
    return n;
}

static void disk_fini(struct disk *d)
{
    disk_close(d);
    files(d, "", true);
    assert_int_equal(rmdir(d->dir), 0);
}

static double stat_t(const struct disk *d, const char *name)
{
    return stat_of(d->db, d->t, name);
}

/* Whether all tables are mapped; there are some. */
static void is_mapped(const struct disk *d, bool mapped)
{
    assert_true(stat_t(d, "table_bytes") > 0);
    assert_true(stat_t(d, "mapped_bytes") == (mapped ? stat_t(d, "table_bytes") : 0));
}

static void tables_are_mapped_as_they_come(void **state)
{
    struct disk d;
    seerdb_err err = {0};
    (void)state;
    disk_new(&d);
    write_words(d.t, "a=1 b=2");
    flush(d.db);
    is_mapped(&d, false);
    expect(d.t, "a=1 b=2");
    assert_true(stat_t(&d, "cache_memory") > 0);
    double without = stat_t(&d, "table_memory");
    seerdb_tree_use_maps(d.t); /* those that are there */
    is_mapped(&d, true);
    assert_true(stat_t(&d, "table_memory") > without);
    write_words(d.t, "b=3 c=4");
    flush(d.db); /* a new one */
    is_mapped(&d, true);
    assert_true(stat_t(&d, "tables") == 2);
    expect(d.t, "a=1 b=3 c=4");
    while (stat_t(&d, "background_busy") != 0) /* of the flushes */
        sdb_clock_sleep_us(1000);
    test_ok(seerdb_compact(d.db, d.t, &err), &err); /* a merge's output */
    assert_true(stat_t(&d, "tables") == 1);
    is_mapped(&d, true);
    expect(d.t, "a=1 b=3 c=4");
    seerdb_batch *b = new_batch(d.db); /* and one that a batch wrote */
    add(b, d.t, "d=5");
    test_ok(seerdb_batch_spill(b, &err), &err);
    test_ok(seerdb_write(b, SEERDB_SYNC_FULL, &err), &err);
    seerdb_batch_free(b);
    flush(d.db);
    assert_true(stat_t(&d, "tables") == 2);
    is_mapped(&d, true);
    expect(d.t, "a=1 b=3 c=4 d=5");
    verify(d.db);
    disk_close(&d);
    disk_open(&d);
    d.t = open_tree(d.db, 1);
    is_mapped(&d, false); /* nothing of it is kept */
    seerdb_tree_use_maps(d.t);
    seerdb_tree_use_maps(d.t);
    is_mapped(&d, true);
    expect(d.t, "a=1 b=3 c=4 d=5");
    disk_fini(&d);
}

static void an_iterator_over_maps_outlives_compaction_and_drop(void **state)
{
    struct disk d;
    seerdb_err err = {0};
    seerdb_iter *it = NULL;
    (void)state;
    disk_new(&d);
    seerdb_tree_use_maps(d.t);
    for (int i = 0; i < 400; i++) {
        char key[16];
        snprintf(key, sizeof key, "k%03d", i);
        test_ok(try_fill(d.t, key, 500, &err), &err);
    }
    flush(d.db);
    seerdb_view *v = new_view(d.t);
    test_ok(seerdb_iter_open(v, NULL, 0, &it, &err), &err);
    seerdb_view_close(v);
    test_ok(seerdb_iter_first(it, &err), &err);
    for (int i = 0; i < 400; i++) {
        char key[16];
        snprintf(key, sizeof key, "k%03d", i);
        if (i == 100) {
            write_words(d.t, "k050=new");
            test_ok(seerdb_compact(d.db, d.t, &err), &err);
            is_mapped(&d, true);
        }
        if (i == 200) {
            test_ok(seerdb_tree_intend_drop(d.t, &err), &err);
            test_ok(seerdb_tree_drop(d.t, &err), &err);
            d.t = NULL;
        }
        test_slice_equal(seerdb_iter_key(it), test_slice(key));
        assert_int_equal(seerdb_iter_value(it).size, 500);
        assert_int_equal(((const char *)seerdb_iter_value(it).data)[499], 'x');
        assert_int_equal(seerdb_iter_next(it, &err), i < 399 ? 0 : SEERDB_NOTFOUND);
    }
    assert_true(files(&d, ".tbl", false) > 0);
    seerdb_iter_close(it);
    d.t = create_tree(d.db, 2);
    disk_close(&d);
    assert_int_equal(files(&d, ".tbl", false), 0);
    disk_open(&d);
    d.t = open_tree(d.db, 2);
    disk_fini(&d);
}

static void a_store_in_memory_goes_on_reading(void **state)
{
    struct bed b;
    (void)state;
    bed_new(&b);
    seerdb_tree *t = create_tree(b.db, 1);
    seerdb_tree_use_maps(t);
    write_words(t, "a=1 b=2");
    flush(b.db);
    assert_true(stat_of(b.db, t, "mapped_bytes") == 0);
    expect(t, "a=1 b=2");
    seerdb_tree_close(t);
    bed_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tables_are_mapped_as_they_come),
        cmocka_unit_test(an_iterator_over_maps_outlives_compaction_and_drop),
        cmocka_unit_test(a_store_in_memory_goes_on_reading),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
