/* SPDX-License-Identifier: Apache-2.0 */
#include "tree/range_fold.h"

#include "base/rand.h"
#include "os/memfs.h"
#include "table/table_reader.h"
#include "test.h"

#define MOST    12
#define NUMBERS 20u

static const char *const points[] = {"", "a", "aa", "b", "ba", "c", "d", "e", "\xff"};
#define NPOINTS (sizeof points / sizeof points[0])

/* Ranges of several sources, and those of them that count. */
struct case_of {
    struct sdb_ranges_source sources[3];
    struct sdb_ranges *sets[3]; /* counted */
    size_t n;
    struct sdb_hidden_range hidden_range;
    struct sdb_hidden hidden;
    struct sdb_range seen[3 * MOST];
    size_t nseen;
};

static void make_case(struct case_of *c, struct sdb_rand *r)
{
    seerdb_err err = {0};
    *c = (struct case_of){.n = (size_t)sdb_rand_below(r, 4)};
    c->hidden_range.from = 1 + sdb_rand_below(r, NUMBERS);
    c->hidden_range.to = c->hidden_range.from + 2;
    c->hidden = (struct sdb_hidden){&c->hidden_range, 1};
    for (size_t i = 0; i < c->n; i++) {
        struct sdb_range all[MOST];
        size_t n = (size_t)sdb_rand_below(r, sdb_rand_below(r, 2) ? 2 : MOST);
        struct sdb_ranges_source *s = &c->sources[i];
        *s = (struct sdb_ranges_source){
            .as = sdb_rand_below(r, 3) == 0 ? 1 + sdb_rand_below(r, NUMBERS) : 0,
            .ceiling =
                sdb_rand_below(r, 3) == 0 ? sdb_rand_below(r, NUMBERS) : UINT64_MAX,
            .hidden = sdb_rand_below(r, 3) == 0 ? &c->hidden : NULL};
        for (size_t k = 0; k < n; k++) {
            all[k] =
                (struct sdb_range){test_slice(points[sdb_rand_below(r, NPOINTS)]),
                                   test_slice(points[sdb_rand_below(r, NPOINTS)]),
                                   s->as != 0 ? 0 : 1 + sdb_rand_below(r, NUMBERS)};
            struct sdb_range shown = all[k];
            shown.number = s->as != 0 ? s->as : shown.number;
            if (shown.number <= s->ceiling && !sdb_hidden_has(s->hidden, shown.number))
                c->seen[c->nseen++] = shown;
        }
        test_ok(sdb_ranges_new(all, n, &c->sets[i], &err), &err);
        s->ranges = c->sets[i];
    }
}

static void case_fini(struct case_of *c)
{
    for (size_t i = 0; i < c->n; i++)
        sdb_ranges_unref(c->sets[i]);
}

/* The greatest number up to `ceiling` over the key, of those that count. */
static uint64_t naive_cover(const struct case_of *c, seerdb_slice key, uint64_t ceiling)
{
    uint64_t best = 0;
    for (size_t i = 0; i < c->nseen; i++)
        if (c->seen[i].number <= ceiling && c->seen[i].number > best &&
            sdb_range_has(&c->seen[i], key))
            best = c->seen[i].number;
    return best;
}

static void readers_at_or_above_the_floor_miss_no_range(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 2000; seed++) {
        struct sdb_rand r = {seed};
        struct case_of c;
        struct sdb_range_fold f = {0};
        seerdb_err err = {0};
        make_case(&c, &r);
        uint64_t from =
            sdb_rand_below(&r, 3) == 0 ? 0 : sdb_rand_below(&r, NUMBERS + 3);
        bool bottom = sdb_rand_below(&r, 2) == 0;
        uint64_t below = from == 0 ? UINT64_MAX : from - 1;
        struct sdb_fold fold = {.history_from = from, .bottom = bottom};
        test_ok(sdb_range_fold_init(&f, c.sources, c.n, &fold, &err), &err);
        assert_true(from == 0 || f.floor < from);
        for (size_t k = 0; k < NPOINTS; k++) {
            seerdb_slice key = test_slice(points[k]);
            uint64_t erased = sdb_ranges_cover(f.erased, key, UINT64_MAX, NULL);
            assert_int_equal(erased, naive_cover(&c, key, below));
            for (uint64_t n = f.floor; n <= NUMBERS + 2; n++) {
                uint64_t want = naive_cover(&c, key, n);
                uint64_t got = sdb_ranges_cover(f.staying, key, n, NULL);
                if (want != got && (!bottom || got != 0 || want > below))
                    fail_msg("seed %" PRIu64 ": at %" PRIu64 " %" PRIu64
                             " covers, wanted %" PRIu64,
                             seed, n, got, want);
            }
        }
        assert_true(!bottom || from != 0 || f.staying == NULL);
        sdb_range_fold_fini(&f);
        case_fini(&c);
    }
}

/* Write what stays between two keys to a table, and add what it covers to *covers. */
static void put_piece(const struct sdb_range_fold *f, const struct sdb_range_span *span,
                      uint64_t covers[NPOINTS])
{
    struct sdb_fs *fs = sdb_memfs_new(false);
    struct sdb_file *file = NULL;
    struct sdb_table_writer *w = NULL;
    struct sdb_table_summary s = {0};
    struct sdb_table *t = NULL;
    seerdb_err err = {0};
    assert_non_null(fs);
    test_ok(sdb_fs_open(fs, "t", SDB_CREATE, SDB_FOR_FLUSH, &file, &err), &err);
    test_ok(sdb_table_writer_new(file, &(struct sdb_table_writer_options){0}, &w, &err),
            &err);
    sdb_range_fold_put(f, span, w, NULL); /* without snapshots nothing is counted */
    int rc = sdb_table_writer_finish(w, &s, &err);
    assert_int_equal(rc == 0, sdb_range_fold_any(f, span));
    seerdb_uuid id = s.id;
    uint64_t size = s.file_size;
    sdb_table_writer_free(w);
    sdb_file_close(file);
    if (rc == 0) {
        test_ok(sdb_fs_open(fs, "t", SDB_READ, SDB_FOR_READ, &file, &err), &err);
        test_ok(sdb_table_open(file, &id, size, &t, &err), &err);
        const struct sdb_table_properties *p = sdb_table_properties(t);
        assert_true(span->from == NULL || sdb_slice_cmp(p->smallest, *span->from) >= 0);
        assert_true(span->to == NULL || sdb_slice_cmp(p->largest, *span->to) <= 0);
        for (size_t k = 0; k < NPOINTS; k++) {
            uint64_t here = sdb_ranges_cover(sdb_table_ranges(t), test_slice(points[k]),
                                             UINT64_MAX, NULL);
            assert_true(here == 0 || covers[k] == 0); /* pieces do not overlap */
            covers[k] += here;
        }
        sdb_table_unref(t);
    }
    sdb_memfs_free(fs);
}

static void pieces_together_are_the_whole(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 400; seed++) {
        struct sdb_rand r = {seed};
        struct case_of c;
        struct sdb_range_fold f = {0};
        uint64_t covers[NPOINTS] = {0};
        seerdb_slice cuts[NPOINTS];
        size_t ncuts = 0;
        seerdb_err err = {0};
        make_case(&c, &r);
        struct sdb_fold fold = {.history_from = 1 + sdb_rand_below(&r, NUMBERS)};
        test_ok(sdb_range_fold_init(&f, c.sources, c.n, &fold, &err), &err);
        for (size_t k = 0; k < NPOINTS; k++)
            if (sdb_rand_below(&r, 3) == 0)
                cuts[ncuts++] = test_slice(points[k]);
        for (size_t i = 0; i <= ncuts; i++)
            put_piece(&f,
                      &(struct sdb_range_span){.from = i > 0 ? &cuts[i - 1] : NULL,
                                               .to = i < ncuts ? &cuts[i] : NULL},
                      covers);
        for (size_t k = 0; k < NPOINTS; k++)
            assert_int_equal(
                covers[k],
                sdb_ranges_cover(f.staying, test_slice(points[k]), UINT64_MAX, NULL));
        sdb_range_fold_fini(&f);
        case_fini(&c);
    }
}

static void no_memory_is_reported_wherever_it_happens(void **state)
{
    struct sdb_rand r = {7};
    struct case_of c = {.n = 0};
    struct sdb_range_fold f = {0};
    seerdb_err err = {0};
    int64_t n = 0;
    (void)state;
    do {
        case_fini(&c);
        make_case(&c, &r);
    } while (c.nseen < 10);
    for (int rc = SEERDB_NOMEM; rc != 0; n++) {
        sdb_mem_fail_after(n);
        struct sdb_fold fold = {
            .history_from = 15, .snapshots = (uint64_t[]){5, 10}, .nsnapshots = 2};
        rc = sdb_range_fold_init(&f, c.sources, c.n, &fold, &err);
        sdb_mem_fail_after(-1);
        if (rc != 0)
            test_fails(rc, SEERDB_NOMEM, &err);
    }
    assert_true(n > 8);
    sdb_range_fold_fini(&f);
    case_fini(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(readers_at_or_above_the_floor_miss_no_range),
        cmocka_unit_test(pieces_together_are_the_whole),
        cmocka_unit_test(no_memory_is_reported_wherever_it_happens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
