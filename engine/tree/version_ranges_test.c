/* SPDX-License-Identifier: Apache-2.0
 *
 * What a version's tables say of their range tombstones. */
#include "tree/version.h"

#include "base/rand.h"
#include "os/memfs.h"
#include "table/table_writer.h"
#include "test.h"

#define MOST 8

static const char *const points[] = {"", "a", "aa", "b", "ba", "c", "d", "e"};
#define NPOINTS (sizeof points / sizeof points[0])

struct made {
    struct sdb_fs *fs;
    struct sdb_member *member;
    struct sdb_range all[MOST];
    size_t n;
};

/* A table with these ranges and a record of its own; commit: it was spilled. */
static void make(struct made *m, uint64_t commit)
{
    struct sdb_file *f = NULL;
    struct sdb_table_writer *w = NULL;
    struct sdb_table_summary s;
    struct sdb_table *t = NULL;
    seerdb_err err = {0};
    m->fs = sdb_memfs_new(false);
    assert_non_null(m->fs);
    test_ok(sdb_fs_open(m->fs, "t", SDB_CREATE, SDB_FOR_FLUSH, &f, &err), &err);
    test_ok(sdb_table_writer_new(f, &(struct sdb_table_writer_options){0}, &w, &err),
            &err);
    sdb_table_writer_add(w, &(struct sdb_record){test_slice("b"), commit != 0 ? 0 : 5,
                                                 SDB_KIND_VALUE, test_slice("v")});
    for (size_t i = 0; i < m->n; i++) {
        struct sdb_range r = m->all[i];
        r.number = commit != 0 ? 0 : r.number;
        sdb_table_writer_range(w, &r);
    }
    test_ok(sdb_table_writer_finish(w, &s, &err), &err);
    struct sdb_table_desc d = {.file = 1,
                               .id = s.id,
                               .size = s.file_size,
                               .commit = commit,
                               .records = s.records,
                               .ranges = s.ranges,
                               .open_end = s.open_end,
                               .min_number = commit != 0 ? commit : s.min_number,
                               .max_number = commit != 0 ? commit : s.max_number};
    sdb_buf_append_slice(&d.smallest, s.smallest);
    sdb_buf_append_slice(&d.largest, s.largest);
    sdb_table_writer_free(w);
    sdb_file_close(f);
    test_ok(sdb_fs_open(m->fs, "t", SDB_READ, SDB_FOR_READ, &f, &err), &err);
    test_ok(sdb_table_open(f, &d.id, d.size, &t, &err), &err);
    test_ok(sdb_member_new(&d, t, NULL, NULL, &m->member, &err), &err);
    sdb_table_desc_fini(&d);
}

static void drop(struct made *m)
{
    sdb_member_unref(m->member);
    sdb_memfs_free(m->fs);
}

static void make_random(struct made *m, struct sdb_rand *r, uint64_t *commit)
{
    *commit = sdb_rand_below(r, 3) == 0 ? 1 + sdb_rand_below(r, 20) : 0;
    m->n = (size_t)sdb_rand_below(r, MOST + 1);
    for (size_t i = 0; i < m->n; i++) {
        m->all[i].start = test_slice(points[sdb_rand_below(r, NPOINTS)]);
        m->all[i].end = test_slice(points[sdb_rand_below(r, NPOINTS)]);
        m->all[i].number = *commit != 0 ? *commit : 1 + sdb_rand_below(r, 20);
    }
    make(m, *commit);
}

static uint64_t naive_cover(const struct made *m, seerdb_slice key, uint64_t ceiling)
{
    uint64_t best = 0;
    for (size_t i = 0; i < m->n; i++)
        if (sdb_range_has(&m->all[i], key) && m->all[i].number <= ceiling &&
            m->all[i].number > best)
            best = m->all[i].number;
    return best;
}

static void a_table_says_which_range_covers_a_key(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 300; seed++) {
        struct sdb_rand r = {seed};
        struct made m = {0};
        uint64_t commit, newest = 0;
        make_random(&m, &r, &commit);
        for (size_t i = 0; i < m.n; i++)
            if (!sdb_range_is_empty(&m.all[i]) && m.all[i].number > newest)
                newest = m.all[i].number;
        assert_int_equal(sdb_member_newest_range(m.member), newest);
        for (size_t k = 0; k < NPOINTS; k++)
            for (uint64_t ceiling = 0; ceiling < 22; ceiling++)
                assert_int_equal(
                    sdb_member_cover(m.member, test_slice(points[k]), ceiling),
                    naive_cover(&m, test_slice(points[k]), ceiling));
        drop(&m);
    }
}

static void a_table_is_deleted_when_ranges_cover_all_of_it(void **state)
{
    static const struct {
        const char *smallest, *largest;
        bool open_end;
    } tables[] = {{"a", "c", false}, {"a", "c", true}, {"b", "b", false},
                  {"", "e", true},   {"", "e", false}, {"aa", "d", true}};
    unsigned deleted = 0;
    (void)state;
    for (uint64_t seed = 1; seed <= 600; seed++) {
        struct sdb_rand r = {seed};
        struct made m = {0};
        uint64_t commit, ceiling = sdb_rand_below(&r, 25);
        make_random(&m, &r, &commit);
        struct sdb_ranges_source s = sdb_member_ranges(m.member, ceiling);
        for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
            struct sdb_table_desc d = {.max_number = sdb_rand_below(&r, 10),
                                       .open_end = tables[i].open_end,
                                       .ranges = tables[i].open_end};
            sdb_buf_append_slice(&d.smallest, test_slice(tables[i].smallest));
            sdb_buf_append_slice(&d.largest, test_slice(tables[i].largest));
            bool whole = true, sure = true;
            for (size_t k = 0; k < NPOINTS; k++) {
                seerdb_slice key = test_slice(points[k]);
                if (sdb_slice_cmp(key, sdb_buf_slice(&d.smallest)) < 0 ||
                    sdb_table_desc_before(&d, key))
                    continue;
                uint64_t cover = naive_cover(&m, key, ceiling);
                whole = whole && cover > d.max_number;
                /* It looks at the greatest ones only, be they too new to count. */
                sure = sure && naive_cover(&m, key, UINT64_MAX) == cover;
            }
            bool got = sdb_table_desc_deleted(&d, &s);
            assert_true(!got || whole);
            assert_true(got || !whole || !sure);
            deleted += got;
            sdb_table_desc_fini(&d);
        }
        drop(&m);
    }
    assert_true(deleted > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_table_says_which_range_covers_a_key),
        cmocka_unit_test(a_table_is_deleted_when_ranges_cover_all_of_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
