/* SPDX-License-Identifier: Apache-2.0 */
#include "picker_rig.h"

#include "base/coding.h"
#include "base/rand.h"

#include <stdlib.h>

static void one_run_per_level_is_kept(void **state)
{
    (void)state;
    static const struct pick_case cases[] = {
        {"", "none"},
        {"0:3 a-z 100; 0:2 a-z 100; 0:1 a-z 100", "none"},
        /* into an empty tree: to the bottom, the oldest as it is */
        {"0:4 a-z 100; 0:3 a-z 100; 0:2 a-z 100; 0:1 a-z 100", "move 97 > 6:5 last"},
        {"0:4 a-z 10; 0:3 a-z 10; 0:2 a-z 10; 0:1 a-z 10",
         "merge 100 99 98 97 > 6:5 last"},
        /* joins the bottom's run, with what it overlaps and nothing else */
        {"0:4 c-m 100; 0:3 c-m 100; 0:2 d-n 100; 0:1 c-m 100; 6:9 a-b 60; 6:9 c-k 60; "
         "6:9 l-o 60; 6:9 p-z 60",
         "merge 100 99 98 97 95 94 > 6:9 last"},
        /* and small neighbours */
        {"0:4 c-m 100; 0:3 c-m 100; 0:2 d-n 100; 0:1 c-m 100; 6:9 a-b 10; 6:9 c-k 60; "
         "6:9 l-o 60; 6:9 p-z 10",
         "merge 100 99 98 97 96 95 94 93 > 6:9 last"},
        /* a large bottom has levels above it */
        {"0:4 a-z 100; 0:3 a-z 100; 0:2 a-z 100; 0:1 a-z 100; 6:1 a-z 4100",
         "merge 100 99 98 97 > 5:5"},
        {"0:4 a-z 100; 0:3 a-z 100; 0:2 a-z 100; 0:1 a-z 100; 6:1 a-z 41000",
         "merge 100 99 98 97 > 4:5"},
        /* never below what lies higher */
        {"0:4 a-z 100; 0:3 a-z 100; 0:2 a-z 100; 0:1 a-z 100; 3:7 a-z 10; 6:1 a-z 4100",
         "merge 100 99 98 97 96 > 3:7"},
        /* the table that costs least goes down */
        {"5:2 a-f 300; 5:2 g-m 300; 6:1 a-c 200; 6:1 d-g 200; 6:1 h-i 100",
         "merge 99 97 96 > 6:1 last"},
        {"5:2 a-c 200; 5:2 d-f 200; 5:2 h-m 10; 6:1 a-b 100; 6:1 g-g 1; 6:1 i-m 60",
         "move 99 > 6:1 last"},
        /* two runs where one may be */
        {"6:2 a-m 100; 6:1 c-z 100", "merge 100 99 > 6:3 last"},
    };
    struct sdb_policy p = policy(SEERDB_LEVELED);
    CHECK(cases, &p);
}

static void what_overlaps_nothing_moves(void **state)
{
    (void)state;
    static const struct pick_case cases[] = {
        {"0:4 m-n 100; 0:3 j-k 100; 0:2 g-h 100; 0:1 d-e 100; 6:9 a-c 60",
         "move 97 > 6:9 last"},
        {"0:4 m-n 100; 0:3 j-k 100; 0:2 g-h 100; 0:1 d-e 100", "move 97 > 6:5 last"},
        /* small ones are merged, or they would stay small for ever */
        {"0:4 m-n 10; 0:3 j-k 10; 0:2 g-h 10; 0:1 d-e 10; 6:9 a-c 60",
         "merge 100 99 98 97 > 6:9 last"},
        /* between levels */
        {"0:4 m-n 100; 0:3 j-k 100; 0:2 g-h 100; 0:1 d-e 100; 5:9 a-c 60; 6:8 a-c 4100",
         "move 97 > 6:8 last"},
        {"0:4 m-n 100; 0:3 j-k 100; 0:2 g-h 100; 0:1 d-e 100; 5:9 a-d 60; 6:8 x-z 4100",
         "merge 100 99 98 97 96 > 5:9 last"},
        /* not where it would be expensive to move on */
        {"0:4 m-n 100; 0:3 j-k 100; 0:2 g-h 100; 0:1 d-e 100; 5:9 a-c 60; 6:8 c-d 4100",
         "merge 100 99 98 97 > 5:9"},
    };
    struct sdb_policy p = policy(SEERDB_LEVELED);
    CHECK(cases, &p);
    static const struct pick_case packed[] = {
        {"0:4 m-n 100; 0:3 j-k 100; 0:2 g-h 100; 0:1 d-e 100; 6:9 a-c 60",
         "merge 100 99 98 97 > 6:9 last"},
    };
    p.pack_bottom = true;
    CHECK(packed, &p);
}

static void small_runs_do_not_rewrite_a_large_tree(void **state)
{
    (void)state;
    static const struct pick_case cases[] = {
        {"0:4 a-z 1; 0:3 a-z 1; 0:2 a-z 1; 0:1 a-z 1; 6:9 a-z 1000",
         "merge 100 99 98 97 > 0:4"},
        {"0:4 a-z 1; 0:3 a-z 1; 0:2 a-z 1; 0:1 a-z 50; 6:9 a-z 1000",
         "merge 100 99 98 > 0:4"},
        {"0:4 a-z 1; 0:3 a-z 3; 0:2 a-z 10; 0:1 a-z 40; 6:9 a-z 1000", "none"},
        {"0:9 a-z 1; 0:8 a-z 3; 0:7 a-z 9; 0:6 a-z 27; 0:5 a-z 27; 0:4 a-z 27; 0:3 a-z "
         "27; 0:2 a-z 27; 0:1 a-z 27; 6:1 a-z 3900",
         "merge 100 99 98 97 96 95 94 93 92 > 0:9"},
        {"0:4 a-z 50; 0:3 a-z 50; 0:2 a-z 50; 0:1 a-z 50; 6:9 a-z 1000",
         "merge 100 99 98 97 96 > 6:9 last"},
    };
    struct sdb_policy p = policy(SEERDB_LEVELED);
    CHECK(cases, &p);
}

static void several_runs_per_level_go_down_together(void **state)
{
    (void)state;
    static const struct pick_case lazy[] = {
        {"0:4 a-z 100; 0:3 a-z 100; 0:2 a-z 100; 0:1 a-z 100; 6:1 a-z 1000",
         "merge 100 99 98 97 96 > 6:1 last"},
        {"0:4 a-z 100; 0:3 a-z 100; 0:2 a-z 100; 0:1 a-z 100; 5:9 a-z 400; 6:1 a-z "
         "1700",
         "merge 100 99 98 97 > 5:10"},
        {"5:9 a-z 400; 5:8 a-z 400; 5:7 a-z 400; 6:1 a-z 1700", "none"},
        {"5:9 a-c 400; 5:8 b-d 400; 5:7 a-m 400; 5:6 a-b 100; 6:1 a-g 1700; 6:1 h-k "
         "1000; 6:1 n-z 60",
         "merge 100 99 98 97 96 95 > 6:1 last"},
    };
    static const struct pick_case tiered[] = {
        {"0:4 a-z 100; 0:3 a-z 100; 0:2 a-z 100; 0:1 a-z 100; 1:1 a-z 1000",
         "merge 100 99 98 97 > 1:5"},
        {"1:9 a-z 100; 1:8 a-z 100; 1:7 a-z 100; 1:6 a-z 100; 2:4 b-c 10",
         "merge 100 99 98 97 > 2:10"},
        {"6:9 a-z 100; 6:8 a-z 100; 6:7 a-z 100; 6:6 a-z 100",
         "merge 100 99 98 97 > 6:10 last"},
        {"6:9 a-z 100; 6:8 a-z 100; 6:7 a-z 100", "none"},
    };
    struct sdb_policy p = policy(SEERDB_LAZY);
    CHECK(lazy, &p);
    p.kind = SEERDB_TIERED;
    CHECK(tiered, &p);
}

static void tombstones_are_a_reason(void **state)
{
    (void)state;
    static const struct pick_case cases[] = {
        {"0:1 a-m 100 t60; 6:9 a-z 100", "merge 100 99 > 6:9 last"},
        {"0:1 a-m 100 t40; 6:9 a-z 100", "none"},
        {"5:2 a-m 100 t60; 5:2 n-z 10; 6:9 a-z 100", "merge 100 98 > 6:9 last"},
        {"6:9 a-m 100; 6:9 n-z 100 t60", "merge 99 > 6:9 last"},
    };
    static const struct pick_case too_young[] = {
        {"6:9 a-m 100; 6:9 n-z 100 t60", "none later"},
        {"6:9 a-m 100; 6:9 n-z 100 t10", "none"},
    };
    struct sdb_policy p = policy(SEERDB_LEVELED);
    CHECK(cases, &p);
    p.droppable = 90;
    CHECK(too_young, &p);
}

static void range_tombstones_are_a_reason(void **state)
{
    (void)state;
    static const struct pick_case cases[] = {
        /* over little, at once */
        {"0:3 b-d 1 r30; 6:9 a-m 150", "merge 100 99 > 6:9 last"},
        /* not when it would rewrite much */
        {"0:3 b-d 1 r30; 6:9 a-m 300", "none"},
        /* but what it deletes needs not be read */
        {"0:4 b-n 1 r40; 6:1 a-a 60; 6:1 b-e 300; 6:1 f-m 300; 6:1 n-z 60",
         "merge 100 98 97 > 6:1 last"},
        {"0:4 b-n 1 r40; 6:1 a-c 60; 6:1 d-e 300; 6:1 f-m 300; 6:1 n-z 60",
         "merge 100 99 98 97 > 6:1 last"},
        {"0:4 b-n 1 r9; 6:1 b-e 300; 6:1 f-m 300", "none"},
        /* together with others, on its way through the levels */
        {"0:5 a-k 5; 0:4 b-n 1 r40; 6:1 a-c 60; 6:1 d-e 300; 6:1 f-m 300",
         "merge 100 99 98 97 96 > 6:1 last"},
        {"0:4 b-z 1 r40; 6:1 a-c 3000; 6:1 d-y 3000", "merge 100 > 5:5"},
        {"5:5 b-z 1 r40; 6:1 a-c 3000; 6:1 d-y 3000", "merge 100 99 98 > 6:1 last"},
        {"5:5 c-d 60 r40; 6:1 a-c 100; 6:1 d-y 1000", "merge 100 99 > 6:1 last"},
        /* at an open end nothing overlaps */
        {"5:5 c-d 60 r40; 6:1 a-b 100; 6:1 d-y 1000", "merge 100 > 5:5 last"},
        {"5:5 c-d 60 t60; 6:1 a-b 100; 6:1 d-y 1000", "merge 100 98 > 6:1 last"},
        {"0:3 c-d 60 r30; 6:1 a-b 100; 6:1 d-y 1000", "move 100 > 6:1 last"},
        /* at the bottom they go */
        {"6:1 a-c 100 r5; 6:1 d-f 100", "merge 100 > 6:1 last"},
    };
    static const struct pick_case young[] = {
        {"0:3 b-d 1 r30; 6:9 a-m 100", "none later"},
        {"5:5 b-z 1 r40; 6:1 a-c 3000; 6:1 d-y 3000", "none later"},
        /* one that is old enough would rewrite much now, and less later on */
        {"0:4 b-y 1 r40; 0:3 b-d 1 r20; 6:1 a-c 300; 6:1 d-x 300", "none later"},
        {"6:3 a-c 100 r30; 6:3 d-f 100", "none later"},
        {"6:3 a-c 100 r20; 6:3 d-f 100", "merge 100 > 6:3 last"},
        {"6:3 a-c 100", "none"},
    };
    struct sdb_policy p = policy(SEERDB_LEVELED);
    CHECK(cases, &p);
    p.droppable = 30;
    CHECK(young, &p);
}

static void what_has_older_commits_in_memory_stays_in_level_0(void **state)
{
    (void)state;
    static const struct pick_case cases[] = {
        {"0:6 a-z 100; 0:5 a-z 100; 0:4 a-z 100; 0:3 a-z 100; 0:2 a-z 100; 0:1 a-z "
         "100; "
         "6:1 a-z 100",
         "merge 99 98 97 96 95 94 > 6:1 last"},
    };
    struct sdb_policy p = policy(SEERDB_LEVELED);
    p.flushed = 50;
    CHECK(cases, &p);
}

static void asked_for_everything_goes_to_the_bottom(void **state)
{
    (void)state;
    static const struct pick_case cases[] = {
        {"0:2 a-m 10; 5:1 k-z 10; 6:1 a-z 10", "merge 100 99 > 5:1"},
        {"5:1 k-z 10; 6:1 a-z 10", "merge 100 99 > 6:1 last"},
        {"6:1 a-z 10", "none"},
        {"6:1 a-z 10 t1", "merge 100 > 6:1 last"},
        {"0:2 a-m 10", "merge 100 > 6:3 last"},
    };
    static const struct pick_case tiered[] = {
        {"0:2 a-m 10; 5:1 k-z 10; 6:1 a-z 10; 6:2 c-d 10",
         "merge 100 99 97 98 > 6:3 last"},
        {"6:1 a-z 10", "none"},
        {"5:1 a-z 10", "merge 100 > 6:2 last"},
    };
    struct sdb_policy p = policy(SEERDB_LEVELED);
    p.full = true;
    CHECK(cases, &p);
    p.kind = SEERDB_TIERED;
    CHECK(tiered, &p);
    p.kind = SEERDB_LAZY;
    CHECK(tiered, &p);
}

/* ---- simulation ------------------------------------------------------------------ */

/* A tree whose tables are real enough to be merged: records of four-byte keys. */
#define SIM_KEYS  20000u
#define SIM_BYTES 10u /* of a record */

struct sim_record {
    uint32_t key;
    bool tombstone;
    uint64_t number;
};

struct sim_table {
    struct sdb_table_desc desc;
    struct sim_record *records;
    size_t n;
};

struct sim {
    struct sdb_policy p;
    struct sim_table tables[4096];
    size_t n;
    uint64_t next_file, next_number, flushed_bytes, written_bytes, most_written;
    struct sim_record newest[SIM_KEYS]; /* number 0: never written */
    uint32_t rising;
};

static void sim_add(struct sim *s, uint32_t level, uint64_t run,
                    const struct sim_record *records, size_t n)
{
    uint8_t lo[4], hi[4];
    assert_true(s->n < sizeof s->tables / sizeof s->tables[0] && n > 0);
    struct sim_table *t = &s->tables[s->n++];
    *t = (struct sim_table){.desc = {.file = ++s->next_file,
                                     .level = level,
                                     .run = run,
                                     .size = SIM_BYTES * n,
                                     .records = n},
                            .records = calloc(n, sizeof *records),
                            .n = n};
    assert_non_null(t->records);
    memcpy(t->records, records, n * sizeof *records);
    for (size_t i = 0; i < n; i++) {
        t->desc.tombstones += records[i].tombstone;
        if (records[i].number > t->desc.max_number)
            t->desc.max_number = records[i].number;
    }
    for (int i = 0; i < 4; i++) {
        lo[i] = (uint8_t)(records[0].key >> (24 - 8 * i));
        hi[i] = (uint8_t)(records[n - 1].key >> (24 - 8 * i));
    }
    sdb_buf_append(&t->desc.smallest, lo, 4);
    sdb_buf_append(&t->desc.largest, hi, 4);
}

static void sim_drop(struct sim *s, size_t i)
{
    sdb_table_desc_fini(&s->tables[i].desc);
    free(s->tables[i].records);
    s->tables[i] = s->tables[--s->n];
}

static struct sim_table *sim_find(struct sim *s, uint64_t file)
{
    for (size_t i = 0; i < s->n; i++)
        if (s->tables[i].desc.file == file)
            return &s->tables[i];
    fail_msg("no table %d", (int)file);
    return NULL;
}

static struct sdb_version *sim_version(struct sim *s)
{
    seerdb_err err = {0};
    static struct sdb_member *members[4096];
    struct sdb_version *v = NULL;
    for (size_t i = 0; i < s->n; i++)
        test_ok(sdb_member_new(&s->tables[i].desc, NULL, NULL, NULL, &members[i], &err),
                &err);
    test_ok(sdb_version_new(
                NULL, &(struct sdb_version_change){.added = members, .nadded = s->n},
                &v, &err),
            &err);
    for (size_t i = 0; i < s->n; i++)
        sdb_member_unref(members[i]);
    return v;
}

static int by_key(const void *a, const void *b)
{
    const struct sim_record *x = a, *y = b;
    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    return (x->number < y->number) - (x->number > y->number);
}

/* Every key's versions fall in number from run to run, and the first is the newest. */
static void sim_check(struct sim *s, const struct sdb_version *v)
{
    static uint64_t seen[SIM_KEYS];
    memset(seen, 0, sizeof seen);
    for (uint32_t i = 0; i < v->nmembers; i++) {
        const struct sim_table *t = sim_find(s, v->members[i]->desc.file);
        for (size_t k = 0; k < t->n; k++) {
            const struct sim_record *r = &t->records[k];
            if (seen[r->key] == 0)
                assert_int_equal(r->number, s->newest[r->key].number);
            else
                assert_true(r->number < seen[r->key]);
            seen[r->key] = r->number;
        }
    }
    for (uint32_t k = 0; k < SIM_KEYS; k++)
        if (seen[k] == 0)
            assert_true(s->newest[k].number == 0 || s->newest[k].tombstone);
}

static void sim_merge(struct sim *s, const struct sdb_version *v,
                      const struct sdb_pick *pick)
{
    size_t n = 0, kept = 0, begin = 0, most = s->p.table_size / SIM_BYTES;
    for (size_t i = 0; i < pick->n; i++)
        n += sim_find(s, v->members[pick->inputs[i]]->desc.file)->n;
    struct sim_record *all = calloc(n, sizeof *all);
    assert_non_null(all);
    n = 0;
    for (size_t i = 0; i < pick->n; i++) {
        struct sim_table *t = sim_find(s, v->members[pick->inputs[i]]->desc.file);
        memcpy(all + n, t->records, t->n * sizeof *all);
        n += t->n;
        sim_drop(s, (size_t)(t - s->tables));
    }
    qsort(all, n, sizeof *all, by_key);
    uint32_t last = UINT32_MAX;
    for (size_t i = 0; i < n; i++) {
        bool goes = all[i].key == last || (all[i].tombstone && pick->last);
        last = all[i].key;
        if (!goes)
            all[kept++] = all[i];
    }
    for (size_t i = 1; i <= kept; i++)
        if (i == kept || (i - begin == most && pick->output_level > 0)) {
            sim_add(s, pick->output_level, pick->output_run, all + begin, i - begin);
            begin = i;
        }
    s->written_bytes += kept * SIM_BYTES;
    if (kept * SIM_BYTES > s->most_written)
        s->most_written = kept * SIM_BYTES;
    free(all);
}

/* Apply picks until there are none. */
static void sim_settle(struct sim *s)
{
    for (unsigned picks = 0;; picks++) {
        seerdb_err err = {0};
        struct sdb_pick pick = {0};
        struct sdb_version *v = sim_version(s);
        if (picks % 8 == 0)
            sim_check(s, v);
        test_ok(sdb_pick(v, &s->p, &pick, &err), &err);
        if (picks > 2000)
            fail_msg("picks do not end: %s of level %u", pick.reason, pick.level);
        if (pick.kind == SDB_PICK_MERGE)
            sim_merge(s, v, &pick);
        for (size_t i = 0; i < pick.n && pick.kind == SDB_PICK_MOVE; i++) {
            struct sim_table *t = sim_find(s, v->members[pick.inputs[i]]->desc.file);
            t->desc.level = pick.output_level;
            t->desc.run = pick.output_run;
        }
        bool none = pick.kind == SDB_PICK_NONE;
        sdb_pick_fini(&pick);
        sdb_version_unref(v);
        if (none)
            return;
    }
}

enum sim_keys { RANDOM, RISING, HOT };

static void sim_flush(struct sim *s, struct sdb_rand *r, enum sim_keys keys, size_t n,
                      unsigned deletes)
{
    static bool taken[SIM_KEYS];
    struct sim_record *records = calloc(n, sizeof *records);
    size_t got = 0;
    assert_non_null(records);
    memset(taken, 0, sizeof taken);
    for (size_t i = 0; i < n; i++) {
        uint32_t key = keys == RISING ? s->rising++ % SIM_KEYS
                       : keys == HOT && sdb_rand_below(r, 10) > 0
                           ? (uint32_t)sdb_rand_below(r, 200)
                           : (uint32_t)sdb_rand_below(r, SIM_KEYS);
        if (taken[key])
            continue;
        taken[key] = true;
        records[got] = (struct sim_record){key, sdb_rand_below(r, 100) < deletes,
                                           ++s->next_number};
        s->newest[key] = records[got++];
    }
    qsort(records, got, sizeof *records, by_key);
    struct sdb_version *v = sim_version(s);
    sim_add(s, 0, sdb_version_next_run(v), records, got);
    sdb_version_unref(v);
    s->flushed_bytes += got * SIM_BYTES;
    free(records);
}

/* What must hold when nothing is left to pick. */
static void sim_expect_bounds(struct sim *s)
{
    struct sdb_level levels[SDB_LEVELS];
    struct sdb_version *v = sim_version(s);
    uint64_t live = 0, written = 0;
    sim_check(s, v);
    sdb_picker_levels(v, &s->p, levels);
    assert_true(levels[0].runs <= 8);
    for (unsigned i = 1; i < SDB_LEVELS; i++)
        assert_true(levels[i].score < 1);
    for (uint32_t k = 0; k < SIM_KEYS; k++) {
        written += s->newest[k].number > 0 ? SIM_BYTES : 0;
        live += s->newest[k].number > 0 && !s->newest[k].tombstone ? SIM_BYTES : 0;
    }
    /* One run per level: a share of the bottom for each level, and level 0. */
    if (s->p.kind == SEERDB_LEVELED)
        assert_true(v->bytes <= live + live / 2 + 3 * s->p.batch_size);
    else /* each run may have each key, if only to say that it is gone */
        assert_true(v->bytes <= 5 * written + 5 * s->p.batch_size);
    sdb_version_unref(v);
}

struct sim_case {
    enum seerdb_compaction kind;
    enum sim_keys keys;
    unsigned least, most; /* records of a flush */
    unsigned deletes;     /* in a hundred */
    unsigned flushes;
    double amplification; /* at most */
};

static void picks_end_and_keep_every_key(void **state)
{
    (void)state;
    static const struct sim_case cases[] = {
        {SEERDB_LEVELED, RANDOM, 100, 100, 0, 1000, 16},
        {SEERDB_LEVELED, RANDOM, 1, 100, 30, 1000, 20},
        {SEERDB_LEVELED, RANDOM, 1, 5, 30, 2000, 40},
        {SEERDB_LEVELED, RISING, 100, 100, 0, 200, 0.1},
        {SEERDB_LEVELED, RISING, 100, 100, 0, 1000, 12},
        {SEERDB_LEVELED, RISING, 1, 9, 0, 1000, 8},
        {SEERDB_LEVELED, HOT, 50, 100, 50, 1000, 12},
        {SEERDB_LAZY, RANDOM, 100, 100, 0, 1000, 10},
        {SEERDB_LAZY, RANDOM, 1, 100, 30, 1000, 14},
        {SEERDB_LAZY, HOT, 50, 100, 50, 1000, 12},
        {SEERDB_LAZY, RISING, 100, 100, 0, 200, 0.1},
        {SEERDB_TIERED, RANDOM, 100, 100, 0, 1000, 6},
        {SEERDB_TIERED, RANDOM, 1, 100, 30, 1000, 6},
        {SEERDB_TIERED, HOT, 50, 100, 90, 1000, 8},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct sim_case *c = &cases[i];
        static struct sim s;
        struct sdb_rand r = {i};
        memset(&s, 0, sizeof s);
        s.p = policy(c->kind);
        s.p.batch_size = 300 * SIM_BYTES;
        s.p.table_size = 50 * SIM_BYTES;
        for (unsigned f = 0; f < c->flushes; f++) {
            sim_flush(&s, &r, c->keys,
                      c->least + sdb_rand_below(&r, c->most - c->least + 1),
                      c->deletes);
            sim_settle(&s);
            if (f % 50 == 0)
                sim_expect_bounds(&s);
        }
        sim_expect_bounds(&s);
        double amplification = (double)s.written_bytes / (double)s.flushed_bytes;
        if (getenv("SIM_SAY") != NULL)
            printf("# case %zu: written %.1f times what was flushed, at most %.1f "
                   "batches at once, %zu tables\n",
                   i, amplification, (double)s.most_written / (double)s.p.batch_size,
                   s.n);
        if (amplification > c->amplification)
            fail_msg("case %zu: what was flushed was written %.1f times", i,
                     amplification);
        s.p.full = true;
        sim_settle(&s);
        struct sdb_version *v = sim_version(&s);
        sim_check(&s, v);
        assert_true(v->nruns <= 1);
        assert_int_equal(v->tombstones, 0);
        sdb_version_unref(v);
        while (s.n > 0)
            sim_drop(&s, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_run_per_level_is_kept),
        cmocka_unit_test(what_overlaps_nothing_moves),
        cmocka_unit_test(small_runs_do_not_rewrite_a_large_tree),
        cmocka_unit_test(several_runs_per_level_go_down_together),
        cmocka_unit_test(tombstones_are_a_reason),
        cmocka_unit_test(range_tombstones_are_a_reason),
        cmocka_unit_test(what_has_older_commits_in_memory_stays_in_level_0),
        cmocka_unit_test(asked_for_everything_goes_to_the_bottom),
        cmocka_unit_test(picks_end_and_keep_every_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
