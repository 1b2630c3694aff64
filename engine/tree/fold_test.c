/* SPDX-License-Identifier: Apache-2.0 */
#include "tree/fold.h"

#include "base/rand.h"
#include "test.h"

#include <stdlib.h>

/* One key's history, newest first, as an iterator that only knows older(). */
#define VERSIONS_MAX 16
struct history {
    struct sdb_iter base;
    struct sdb_record v[VERSIONS_MAX];
    size_t n, pos;
    int fail_at; /* older() of this position fails; 0: never */
};

static int history_older(struct sdb_iter *it, seerdb_err *err)
{
    struct history *h = (struct history *)it;
    if (h->fail_at > 0 && h->pos + 1 == (size_t)h->fail_at)
        return sdb_fail(err, SEERDB_IOERR, "no more of this");
    if (h->pos + 1 == h->n)
        return SEERDB_NOTFOUND;
    it->at = h->v[++h->pos];
    return 0;
}

static const struct sdb_iter_ops history_ops = {.older = history_older};

static void rewind_history(struct history *h)
{
    h->base.ops = &history_ops;
    h->pos = 0;
    h->base.at = h->v[0];
}

/* "k@7 del", "k@4 put v1", "k@3 range" */
static struct sdb_record parse(const char *s)
{
    struct sdb_record r = {.key = {s, 1}};
    char *rest;
    assert_int_equal(s[1], '@');
    r.number = strtoull(s + 2, &rest, 10);
    if (strncmp(rest, " del", 4) == 0) {
        r.kind = SDB_KIND_TOMBSTONE;
    } else if (strncmp(rest, " put ", 5) == 0) {
        r.kind = SDB_KIND_VALUE;
        r.value = test_slice(rest + 5);
    } else if (strncmp(rest, " range", 6) == 0) {
        r.kind = SDB_KIND_RANGE;
    } else {
        fail_msg("%s?", s);
    }
    return r;
}

struct kept {
    struct sdb_record v[VERSIONS_MAX];
    size_t n, fail_after; /* emit fails once n has reached it; 0: never */
};

static int keep(void *ctx, const struct sdb_record *r)
{
    struct kept *k = ctx;
    if (k->fail_after > 0 && k->n == k->fail_after)
        return SEERDB_FULL;
    assert_true(k->n < VERSIONS_MAX);
    k->v[k->n++] = *r;
    return 0;
}

struct fold_case {
    const char *name;
    uint64_t snapshots[4];
    size_t nsnapshots;
    bool present, bottom;
    const char *in[6], *out[6];
};

static const struct fold_case cases[] = {
    {"the present needs the newest only",
     {0},
     0,
     true,
     false,
     {"k@7 put c", "k@4 put b", "k@1 put a"},
     {"k@7 put c"}},
    {"a snapshot needs the newest at or below it",
     {5},
     1,
     true,
     false,
     {"k@7 put c", "k@4 put b", "k@1 put a"},
     {"k@7 put c", "k@4 put b"}},
    {"a snapshot sees a version of its own number",
     {4},
     1,
     true,
     false,
     {"k@7 put c", "k@4 put b", "k@1 put a"},
     {"k@7 put c", "k@4 put b"}},
    {"of versions between two snapshots the newest stays",
     {2, 6},
     2,
     true,
     false,
     {"k@7 put d", "k@5 put c", "k@3 put b", "k@1 put a"},
     {"k@7 put d", "k@5 put c", "k@1 put a"}},
    {"two snapshots that see the same keep it once",
     {5, 6},
     2,
     true,
     false,
     {"k@4 put b", "k@1 put a"},
     {"k@4 put b"}},
    {"a snapshot below every version needs nothing",
     {2},
     1,
     true,
     false,
     {"k@4 put b", "k@3 put a"},
     {"k@4 put b"}},
    {"without a reader nothing stays", {0}, 0, false, false, {"k@4 put b"}, {NULL}},
    {"a read sees one version",
     {5},
     1,
     false,
     true,
     {"k@7 put c", "k@4 put b", "k@1 put a"},
     {"k@4 put b"}},
    {"a read of a deleted key sees nothing",
     {5},
     1,
     false,
     true,
     {"k@7 put c", "k@4 del", "k@1 put a"},
     {NULL}},
    {"above the bottom a tombstone stays",
     {0},
     0,
     true,
     false,
     {"k@7 del", "k@4 put a"},
     {"k@7 del"}},
    {"at the bottom a tombstone goes with what it hides",
     {0},
     0,
     true,
     true,
     {"k@7 del", "k@4 put a"},
     {NULL}},
    {"a tombstone stays while a snapshot needs what it hides",
     {5},
     1,
     true,
     true,
     {"k@7 del", "k@4 put v1"},
     {"k@7 del", "k@4 put v1"}},
    {"a tombstone that a snapshot sees goes at the bottom",
     {7},
     1,
     true,
     true,
     {"k@9 put b", "k@6 del", "k@4 put a"},
     {"k@9 put b"}},
    {"of tombstones in a row at the bottom the oldest stays",
     {4, 7},
     2,
     true,
     true,
     {"k@9 del", "k@7 del", "k@4 put a"},
     {"k@7 del", "k@4 put a"}},
    {"tombstones in a row that hide nothing all go",
     {4, 7},
     2,
     true,
     true,
     {"k@9 del", "k@7 del", "k@4 del", "k@2 put a"},
     {NULL}},
    {"a tombstone between two that stay, stays",
     {2, 5},
     2,
     true,
     true,
     {"k@8 put b", "k@4 del", "k@1 put a"},
     {"k@8 put b", "k@4 del", "k@1 put a"}},
    {"a snapshot at zero sees number zero",
     {0},
     1,
     true,
     false,
     {"k@1 put b", "k@0 put a"},
     {"k@1 put b", "k@0 put a"}},
};

static void history_of(struct history *h, const char *const in[6])
{
    *h = (struct history){.n = 0};
    for (size_t i = 0; i < 6 && in[i] != NULL; i++)
        h->v[h->n++] = parse(in[i]);
    rewind_history(h);
}

static struct sdb_fold fold_of(const struct fold_case *c)
{
    return (struct sdb_fold){.snapshots = c->snapshots,
                             .nsnapshots = c->nsnapshots,
                             .present = c->present,
                             .bottom = c->bottom};
}

static void what_survives_is_what_the_table_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct fold_case *c = &cases[i];
        struct history h;
        struct kept kept = {.n = 0};
        seerdb_err err = {0};
        struct sdb_fold f = fold_of(c);
        size_t n = 0;
        history_of(&h, c->in);
        test_ok(sdb_fold_key(&f, &h.base, keep, &kept, &err), &err);
        for (; n < 6 && c->out[n] != NULL; n++) {
            struct sdb_record want = parse(c->out[n]);
            if (n >= kept.n || kept.v[n].number != want.number)
                fail_msg("%s: \"%s\" is missing", c->name, c->out[n]);
            assert_int_equal(kept.v[n].kind, want.kind);
            test_slice_equal(kept.v[n].key, want.key);
            test_slice_equal(kept.v[n].value, want.value);
        }
        if (kept.n != n)
            fail_msg("%s: %zu versions stay, not %zu", c->name, kept.n, n);
        sdb_fold_fini(&f);
    }
}

static void a_fold_ends_with_the_last_reader_served(void **state)
{
    (void)state;
    struct history h;
    struct kept kept = {.n = 0};
    seerdb_err err = {0};
    uint64_t snapshot = 5;
    struct sdb_fold f = {.snapshots = &snapshot, .nsnapshots = 1, .bottom = true};
    history_of(&h, (const char *const[6]){"k@7 put d", "k@5 put c", "k@4 put b", NULL});
    test_ok(sdb_fold_key(&f, &h.base, keep, &kept, &err), &err);
    assert_int_equal(h.base.at.number, 5);
    assert_int_equal(kept.n, 1);
}

static void kinds_that_are_no_versions_are_refused(void **state)
{
    (void)state;
    struct history h;
    struct kept kept = {.n = 0};
    seerdb_err err = {0};
    uint64_t snapshot = 1;
    struct sdb_fold f = {.snapshots = &snapshot, .nsnapshots = 1, .present = true};
    history_of(&h, (const char *const[6]){"k@7 put d", "k@5 range", NULL});
    test_fails(sdb_fold_key(&f, &h.base, keep, &kept, &err), SEERDB_CORRUPT, &err);
    test_ok(sdb_fold_visible(SDB_KIND_VALUE, &err), &err);
    test_fails(sdb_fold_visible(SDB_KIND_TOMBSTONE, &err), SEERDB_NOTFOUND, &err);
    test_fails(sdb_fold_visible(SDB_KIND_MERGE, &err), SEERDB_CORRUPT, &err);
    test_fails(sdb_fold_visible(SDB_KIND_RANGE, &err), SEERDB_CORRUPT, &err);
    test_ok(sdb_fold_visible(SDB_KIND_SEGMENTS, &err), &err);
    test_fails(sdb_fold_visible((enum sdb_kind)0, &err), SEERDB_CORRUPT, &err);
}

static void failures_end_the_fold(void **state)
{
    (void)state;
    struct history h;
    struct kept kept = {.n = 0, .fail_after = 1};
    seerdb_err err = {0};
    uint64_t snapshot = 5;
    struct sdb_fold f = {.snapshots = &snapshot, .nsnapshots = 1, .present = true};
    const char *const in[6] = {"k@7 put d", "k@5 put c", "k@4 put b"};
    history_of(&h, in);
    assert_int_equal(sdb_fold_key(&f, &h.base, keep, &kept, &err), SEERDB_FULL);
    assert_int_equal(kept.n, 1);
    kept = (struct kept){.n = 0, .fail_after = 1};
    f.bottom = true; /* the value fails after its tombstone was emitted */
    history_of(&h, (const char *const[6]){"k@7 del", "k@5 put c"});
    assert_int_equal(sdb_fold_key(&f, &h.base, keep, &kept, &err), SEERDB_FULL);
    assert_int_equal(kept.n, 1);
    kept = (struct kept){.n = 0};
    history_of(&h, in);
    h.fail_at = 1;
    test_fails(sdb_fold_key(&f, &h.base, keep, &kept, &err), SEERDB_IOERR, &err);
}

/* What a reader at `number` finds among the versions: its index, -1 for nothing (no
 * version, or a tombstone at the bottom), -2 for a tombstone that hides more below. */
static int64_t read_at(const struct sdb_record *v, size_t n, uint64_t number,
                       bool bottom)
{
    for (size_t i = 0; i < n; i++)
        if (v[i].number <= number) {
            if (v[i].kind == SDB_KIND_TOMBSTONE)
                return bottom ? -1 : -2;
            return (int64_t)v[i].number;
        }
    return -1;
}

/* Do the versions answer every reader of f as the whole history does? */
static bool answers(const struct sdb_fold *f, const struct history *h,
                    const struct sdb_record *v, size_t n)
{
    for (size_t i = 0; i < f->nsnapshots; i++)
        if (read_at(v, n, f->snapshots[i], f->bottom) !=
            read_at(h->v, h->n, f->snapshots[i], f->bottom))
            return false;
    return !f->present || read_at(v, n, UINT64_MAX, f->bottom) ==
                              read_at(h->v, h->n, UINT64_MAX, f->bottom);
}

static void reads_are_the_same_and_nothing_superfluous_stays(void **state)
{
    (void)state;
    struct sdb_rand rand = {7};
    for (int round = 0; round < 50000; round++) {
        struct history h = {.n = 1 + sdb_rand_below(&rand, 8)};
        struct kept kept = {.n = 0};
        seerdb_err err = {0};
        uint64_t snapshots[5], number = sdb_rand_below(&rand, 3);
        struct sdb_fold f = {.snapshots = snapshots,
                             .nsnapshots = sdb_rand_below(&rand, 6),
                             .present = sdb_rand_below(&rand, 4) > 0,
                             .bottom = sdb_rand_below(&rand, 2) > 0};
        for (size_t i = h.n; i-- > 0; number += 1 + sdb_rand_below(&rand, 3))
            h.v[i] = (struct sdb_record){.key = {"k", 1},
                                         .number = number,
                                         .kind = sdb_rand_below(&rand, 2) > 0
                                                     ? SDB_KIND_VALUE
                                                     : SDB_KIND_TOMBSTONE};
        number = 0;
        for (size_t i = 0; i < f.nsnapshots; i++)
            snapshots[i] = number += sdb_rand_below(&rand, 5);
        rewind_history(&h);
        test_ok(sdb_fold_key(&f, &h.base, keep, &kept, &err), &err);
        assert_true(answers(&f, &h, kept.v, kept.n));
        for (size_t i = 1; i < kept.n; i++)
            assert_true(kept.v[i].number < kept.v[i - 1].number);
        for (size_t drop = 0; f.bottom && drop < kept.n; drop++) {
            struct kept less = kept;
            memmove(&less.v[drop], &less.v[drop + 1],
                    (kept.n - drop - 1) * sizeof less.v[0]);
            assert_false(answers(&f, &h, less.v, kept.n - 1));
        }
    }
}

struct floor_case {
    const char *name;
    uint64_t history_from;
    bool bottom;
    uint64_t floor;
    const char *in[6];
};

static void the_floor_rises_with_what_is_dropped_and_with_nothing_else(void **state)
{
    static const struct floor_case table[] = {
        {"one version", 100, false, 0, {"k@7 put a"}},
        {"one version, at the bottom", 100, true, 0, {"k@7 put a"}},
        {"a tombstone above the bottom", 100, false, 0, {"k@7 del"}},
        {"a tombstone that hides nothing", 100, true, 0, {"k@7 del"}},
        {"a superseded version", 100, false, 7, {"k@7 put b", "k@4 put a"}},
        {"two", 100, false, 7, {"k@7 put c", "k@4 put b", "k@2 put a"}},
        {"a deleted version", 100, true, 7, {"k@7 del", "k@4 put a"}},
        {"superseded within the history", 7, false, 0, {"k@7 put b", "k@4 put a"}},
        {"all within the history", 1, true, 0, {"k@7 del", "k@4 put a", "k@2 del"}},
        {"partly", 7, false, 4, {"k@8 put d", "k@7 put c", "k@4 put b", "k@2 put a"}},
        {"no history is kept", 0, false, 7, {"k@7 put b", "k@4 put a"}},
    };
    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct history h;
        struct kept kept = {.n = 0};
        seerdb_err err = {0};
        struct sdb_fold f = {.present = true,
                             .bottom = table[i].bottom,
                             .history_from = table[i].history_from,
                             .note_floor = true};
        history_of(&h, table[i].in);
        test_ok(sdb_fold_key(&f, &h.base, keep, &kept, &err), &err);
        if (f.floor != table[i].floor)
            fail_msg("%s: the floor is %d", table[i].name, (int)f.floor);
    }
}

/* Down to the floor every reader finds what the whole history says, and there is a
 * reason for a floor. */
static void readers_above_the_floor_miss_nothing(void **state)
{
    (void)state;
    struct sdb_rand rand = {11};
    for (int round = 0; round < 50000; round++) {
        struct history h = {.n = 1 + sdb_rand_below(&rand, 8)};
        struct kept kept = {.n = 0};
        seerdb_err err = {0};
        uint64_t snapshots[2], number = 1;
        struct sdb_fold f = {.snapshots = snapshots,
                             .nsnapshots = sdb_rand_below(&rand, 3),
                             .present = true,
                             .bottom = sdb_rand_below(&rand, 2) > 0,
                             .history_from = sdb_rand_below(&rand, 20),
                             .note_floor = true};
        for (size_t i = h.n; i-- > 0; number += 1 + sdb_rand_below(&rand, 3))
            h.v[i] = (struct sdb_record){.key = {"k", 1},
                                         .number = number,
                                         .kind = sdb_rand_below(&rand, 2) > 0
                                                     ? SDB_KIND_VALUE
                                                     : SDB_KIND_TOMBSTONE};
        uint64_t at = 0;
        for (size_t i = 0; i < f.nsnapshots; i++)
            snapshots[i] = at += sdb_rand_below(&rand, 8);
        rewind_history(&h);
        test_ok(sdb_fold_key(&f, &h.base, keep, &kept, &err), &err);
        for (uint64_t reader = f.floor; reader <= number; reader++)
            assert_true(read_at(kept.v, kept.n, reader, f.bottom) ==
                        read_at(h.v, h.n, reader, f.bottom));
        assert_true(f.floor == 0 || kept.n < h.n);
        assert_true(f.floor == 0 || f.history_from == 0 || f.floor < f.history_from);
    }
}

static void above_the_bottom_each_version_serves_a_reader(void **state)
{
    (void)state;
    struct history h;
    struct kept kept = {.n = 0};
    seerdb_err err = {0};
    uint64_t snapshots[] = {3, 6};
    struct sdb_fold f = {.snapshots = snapshots, .nsnapshots = 2, .present = true};
    history_of(&h, (const char *const[6]){"k@9 del", "k@8 del", "k@6 del", "k@5 put b",
                                          "k@2 del", "k@1 put a"});
    test_ok(sdb_fold_key(&f, &h.base, keep, &kept, &err), &err);
    assert_int_equal(kept.n, 3);
    assert_int_equal(kept.v[0].number, 9);
    assert_int_equal(kept.v[1].number, 6);
    assert_int_equal(kept.v[2].number, 2);
}

/* ---- with a sieve
 * -------------------------------------------------------------------- */

/* Removes values that begin with an r, changes those with a c, fails with an f. */
static int verdict(void *ctx, const seerdb_row *row, uint64_t now_us,
                   seerdb_filter_out *out, seerdb_err *err)
{
    (void)ctx;
    assert_int_equal(now_us, 77);
    switch (*(const char *)row->value.data) {
    case 'r':
        return SEERDB_REMOVE;
    case 'c':
        seerdb_filter_emit(out, "changed", 7);
        return SEERDB_CHANGE;
    case 'f':
        return sdb_fail(err, SEERDB_IOERR, "it fails");
    default:
        return SEERDB_KEEP;
    }
}

static void the_sieve_works_on_the_newest_version_that_no_snapshot_sees(void **state)
{
    static const struct {
        uint64_t snapshot, history_from;
        bool bottom;
        const char *in[6], *out[6];
    } sieved[] = {
        {0, 0, false, {"k@7 put r"}, {"k@7 del"}},
        {0, 0, true, {"k@7 put r"}, {NULL}},
        {0, 0, false, {"k@7 put r", "k@4 put a"}, {"k@7 del"}},
        {0, 0, true, {"k@7 put r", "k@4 put a"}, {NULL}},
        {0, 0, true, {"k@7 put c", "k@4 put a"}, {"k@7 put changed"}},
        {0, 0, true, {"k@7 put f", "k@4 put a"}, {"k@7 put f"}},
        {0, 0, true, {"k@7 del", "k@4 put r"}, {NULL}},
        {0, 0, false, {"k@7 put a", "k@4 put r"}, {"k@7 put a"}},
        /* a snapshot that sees the newest, and one that does not */
        {7, 0, true, {"k@7 put r", "k@4 put a"}, {"k@7 put r"}},
        {6, 0, true, {"k@7 put r", "k@4 put a"}, {"k@7 del", "k@4 put a"}},
        {6, 0, false, {"k@7 put r", "k@4 put r"}, {"k@7 del", "k@4 put r"}},
        {6, 0, true, {"k@7 put r", "k@4 del", "k@2 put a"}, {NULL}},
        /* versions of the history */
        {0, 1, true, {"k@7 put r", "k@4 put r"}, {"k@7 del", "k@4 put r"}},
        {0, 9, true, {"k@7 put r", "k@4 put a"}, {NULL}},
        {0, 7, true, {"k@7 put r", "k@4 put a", "k@2 put b"}, {"k@7 del", "k@4 put a"}},
        {0, 7, true, {"k@7 put r", "k@4 del", "k@2 put b"}, {NULL}},
    };
    struct sdb_sieve *sieve = NULL;
    seerdb_err err = {0};
    (void)state;
    seerdb_filter filter = {.verdict = verdict};
    test_ok(sdb_sieve_new(&filter, &sieve, &err), &err);
    for (size_t i = 0; i < sizeof sieved / sizeof sieved[0]; i++) {
        struct history h;
        struct kept kept = {.n = 0};
        struct sdb_fold f = {.snapshots = &sieved[i].snapshot,
                             .nsnapshots = sieved[i].snapshot > 0,
                             .present = true,
                             .bottom = sieved[i].bottom,
                             .history_from = sieved[i].history_from,
                             .sieve = sieve,
                             .now_us = 77};
        history_of(&h, sieved[i].in);
        test_ok(sdb_fold_key(&f, &h.base, keep, &kept, &err), &err);
        for (size_t n = 0; n < 6; n++) {
            if ((sieved[i].out[n] != NULL) != (n < kept.n))
                fail_msg("case %zu: %zu versions stay", i, kept.n);
            if (sieved[i].out[n] == NULL)
                break;
            struct sdb_record want = parse(sieved[i].out[n]);
            assert_int_equal(kept.v[n].number, want.number);
            assert_int_equal(kept.v[n].kind, want.kind);
            test_slice_equal(kept.v[n].value, want.value);
            test_slice_equal(kept.v[n].key, want.key);
        }
        sdb_fold_fini(&f);
    }
    assert_int_equal(sieve->failed, 1);
    assert_int_equal(sieve->changed, 1);
    sdb_sieve_free(sieve);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_survives_is_what_the_table_says),
        cmocka_unit_test(a_fold_ends_with_the_last_reader_served),
        cmocka_unit_test(kinds_that_are_no_versions_are_refused),
        cmocka_unit_test(failures_end_the_fold),
        cmocka_unit_test(reads_are_the_same_and_nothing_superfluous_stays),
        cmocka_unit_test(the_floor_rises_with_what_is_dropped_and_with_nothing_else),
        cmocka_unit_test(readers_above_the_floor_miss_nothing),
        cmocka_unit_test(above_the_bottom_each_version_serves_a_reader),
        cmocka_unit_test(the_sieve_works_on_the_newest_version_that_no_snapshot_sees),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
