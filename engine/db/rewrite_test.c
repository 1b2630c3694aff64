/* SPDX-License-Identifier: Apache-2.0
 *
 * Compactions of tables made by hand: random records and range tombstones, versions
 * and commits that were spilled, compacted as the picker says.  What a reader of any
 * number finds in the version must stay the same, as long as the number is not below
 * the fold floor. */
#include "db/rewrite.h"

#include "db/compact.h"
#include "db/testing.h"
#include "table/table_iter.h"
#include "table/table_verify.h"
#include "table/table_writer.h"

#define KEYS   40u
#define OPS    400u
#define VALUE  17000             /* of some: a block of its own, and a table */
#define FILE_0 UINT64_C(1000000) /* names that the store does not use */

struct world {
    struct bed bed;
    seerdb_tree *tree;
    struct sdb_version *version; /* counted */
    struct sdb_policy policy;
    struct sdb_rand rand;
    uint64_t number, file, floor, history_from;
    struct sdb_snapshots *snapshots; /* counted */
    bool snapshooting;               /* take some */
    size_t nrecords, nranges;
    unsigned merges, moves, outputs, folds; /* done; folds: that raised the floor */
    struct {
        unsigned key;
        uint64_t number;
        bool deleted;
    } records[OPS * 4];
    struct {
        unsigned from, to;
        uint64_t number;
    } ranges[OPS];
};

static seerdb_slice key_of(unsigned i, char *room)
{
    snprintf(room, 8, i < KEYS ? "k%03u" : "z", i * 7);
    return test_slice(room);
}

/* ---- the model --------------------------------------------------------------------
 */

/* The number of the value that a reader at n sees; 0: none. */
static uint64_t model_get(const struct world *w, unsigned key, uint64_t n)
{
    uint64_t best = 0;
    bool deleted = true;
    for (size_t i = 0; i < w->nrecords; i++)
        if (w->records[i].key == key && w->records[i].number <= n &&
            w->records[i].number > best) {
            best = w->records[i].number;
            deleted = w->records[i].deleted;
        }
    for (size_t i = 0; i < w->nranges && !deleted; i++)
        deleted = w->ranges[i].from <= key && key < w->ranges[i].to &&
                  w->ranges[i].number <= n && w->ranges[i].number > best;
    return deleted ? 0 : best;
}

static void note_record(struct world *w, unsigned key, uint64_t number, bool deleted)
{
    for (size_t i = 0; i < w->nrecords; i++)
        if (w->records[i].key == key && w->records[i].number == number)
            return; /* one record of a key and number */
    w->records[w->nrecords].key = key;
    w->records[w->nrecords].number = number;
    w->records[w->nrecords++].deleted = deleted;
}

/* One commit: a few writes, or a range and perhaps writes into it. */
static void note_commit(struct world *w)
{
    struct sdb_rand *r = &w->rand;
    uint64_t number = ++w->number;
    unsigned from = 0, n = KEYS;
    bool range = sdb_rand_below(r, 6) == 0;
    if (range) {
        from = (unsigned)sdb_rand_below(r, KEYS);
        n = 1 + (unsigned)sdb_rand_below(r, sdb_rand_below(r, 3) > 0 ? 5 : KEYS - from);
        w->ranges[w->nranges].from = from;
        w->ranges[w->nranges].to = from + n < KEYS ? from + n : KEYS;
        w->ranges[w->nranges++].number = number;
    }
    for (uint64_t i = range ? sdb_rand_below(r, 3) : 1 + sdb_rand_below(r, 3); i > 0;
         i--)
        if (w->nrecords < sizeof w->records / sizeof w->records[0])
            note_record(w, (from + (unsigned)sdb_rand_below(r, n)) % KEYS, number,
                        sdb_rand_below(r, 5) == 0);
}

/* ---- tables -----------------------------------------------------------------------
 */

static void publish(struct world *w, const struct sdb_version_change *change)
{
    struct sdb_version *next = NULL;
    seerdb_err err = {0};
    test_ok(sdb_version_new(w->version, change, &next, &err), &err);
    sdb_version_unref(w->version);
    w->version = next;
}

/* Write what commits from `first` on did, every version; `spilled`: they are one. */
static void write_commits(struct world *w, uint64_t first, bool spilled,
                          struct sdb_table_writer *t)
{
    static char value[VALUE];
    char start[8], end[8];
    for (size_t i = 0; i < w->nranges; i++)
        if (w->ranges[i].number >= first) {
            struct sdb_range r = {key_of(w->ranges[i].from, start),
                                  key_of(w->ranges[i].to, end),
                                  spilled ? 0 : w->ranges[i].number};
            sdb_table_writer_range(t, &r);
        }
    for (unsigned key = 0; key < KEYS; key++)
        for (size_t i = w->nrecords; i-- > 0 && w->records[i].number >= first;) {
            if (w->records[i].key != key)
                continue;
            snprintf(value, sizeof value, "%" PRIu64, w->records[i].number);
            bool deleted = w->records[i].deleted;
            size_t size = (key + w->records[i].number) % 4 == 0 ? sizeof value : 200;
            sdb_table_writer_add(
                t, &(struct sdb_record){key_of(key, start),
                                        spilled ? 0 : w->records[i].number,
                                        deleted ? SDB_KIND_TOMBSTONE : SDB_KIND_VALUE,
                                        {value, deleted ? 0 : size}});
        }
}

/* Begin a table of the store's for the level. */
static struct sdb_table_writer *begin_table(struct world *w, uint32_t level,
                                            struct sdb_file **f)
{
    struct sdb_table_writer *t = NULL;
    seerdb_err err = {0};
    char *path = sdb_table_path(w->bed.db, ++w->file);
    struct sdb_table_writer_options o = sdb_tree_table_options(w->tree, level);
    test_ok(sdb_fs_open(w->bed.db->fs, path, SDB_CREATE, SDB_FOR_FLUSH, f, &err), &err);
    sdb_mem_free(path);
    test_ok(sdb_table_writer_new(*f, &o, &t, &err), &err);
    return t;
}

/* Make it part of the version; commit: 0, or the one that was spilled to it. */
static void end_table(struct world *w, struct sdb_table_writer *t, struct sdb_file *f,
                      struct sdb_table_desc d)
{
    struct sdb_table_summary s;
    struct sdb_member *m = NULL;
    seerdb_err err = {0};
    test_ok(sdb_table_writer_finish(t, &s, &err), &err);
    d.file = w->file;
    d.id = s.id;
    d.size = s.file_size;
    d.records = s.records;
    d.tombstones = s.tombstones;
    d.ranges = s.ranges;
    d.open_end = s.open_end;
    d.min_number = d.commit != 0 ? d.commit : s.min_number;
    d.max_number = d.commit != 0 ? d.commit : s.max_number;
    sdb_buf_append_slice(&d.smallest, s.smallest);
    sdb_buf_append_slice(&d.largest, s.largest);
    sdb_table_writer_free(t);
    sdb_file_close(f);
    test_ok(sdb_open_member(w->bed.db, &d, NULL, &m, &err), &err);
    sdb_table_desc_fini(&d);
    publish(w, &(struct sdb_version_change){.added = &m, .nadded = 1});
    sdb_member_unref(m);
}

/* A run at level 0 with some commits, or with one that was spilled. */
static void flush_some(struct world *w)
{
    bool spilled = sdb_rand_below(&w->rand, 5) == 0;
    uint64_t first = w->number + 1;
    struct sdb_file *f = NULL;
    for (uint64_t n = spilled ? 1 : 1 + sdb_rand_below(&w->rand, 20); n > 0; n--)
        note_commit(w);
    struct sdb_table_writer *t = begin_table(w, 0, &f);
    write_commits(w, first, spilled, t);
    end_table(w, t, f,
              (struct sdb_table_desc){.run = sdb_version_next_run(w->version),
                                      .commit = spilled ? first : 0});
}

/* ---- reading ----------------------------------------------------------------------
 */

/* As readers go through the runs, newest first: until a record is found. */
static uint64_t version_get(const struct world *w, seerdb_slice key, uint64_t n)
{
    uint64_t cover = 0;
    for (uint32_t i = 0; i < w->version->nruns; i++) {
        struct sdb_lookup l = {.key = key};
        struct sdb_found found = {0};
        seerdb_err err = {0};
        const struct sdb_member *m =
            sdb_run_find(w->version, &w->version->runs[i], key);
        if (m == NULL)
            continue;
        uint64_t here = sdb_member_cover(m, key, n);
        cover = here > cover ? here : cover;
        int rc = sdb_member_get(m, &l, n, &found, &err);
        if (rc == SEERDB_NOTFOUND)
            continue;
        test_ok(rc, &err);
        uint64_t number =
            found.kind == SDB_KIND_VALUE ? strtoull(found.value.data, NULL, 10) : 0;
        assert_true(number == 0 || number == found.number);
        if (found.number < cover)
            number = 0;
        seerdb_pin_unref(found.pin);
        return number;
    }
    return 0;
}

static void expect_same_at(const struct world *w, uint64_t n)
{
    for (unsigned key = 0; key < KEYS; key++) {
        char room[8];
        uint64_t want = model_get(w, key, n),
                 got = version_get(w, key_of(key, room), n);
        if (want != got)
            fail_msg("%s at %" PRIu64 " is %" PRIu64 ", wanted %" PRIu64, room, n, got,
                     want);
    }
}

static void expect_same(struct world *w)
{
    uint64_t least = w->tree->marked ? w->floor : w->number;
    expect_same_at(w, w->number);
    expect_same_at(w, least);
    for (unsigned i = 0; i < 6 && least < w->number; i++)
        expect_same_at(w, least + sdb_rand_below(&w->rand, w->number - least));
    for (size_t i = 0; i < sdb_snapshots_nnumbers(w->snapshots); i++)
        expect_same_at(w, w->snapshots->numbers[i]);
}

/* ---- snapshots --------------------------------------------------------------------
 */

static void drop_snapshot(struct world *w, size_t i)
{
    struct sdb_snapshots *list = NULL;
    seerdb_err err = {0};
    test_ok(sdb_snapshots_without(w->snapshots, i, &list, &err), &err);
    sdb_snapshots_unref(w->snapshots);
    w->snapshots = list;
}

static void take_snapshot(struct world *w)
{
    struct sdb_snapshots *list = NULL;
    seerdb_err err = {0};
    uint64_t number = w->number;
    if (w->tree->marked && w->floor < w->number)
        number = w->floor + sdb_rand_below(&w->rand, w->number - w->floor + 1);
    test_ok(sdb_snapshots_with(
                w->snapshots,
                &(struct sdb_snapshot){.number = number, .name = test_slice("s")},
                &list, &err),
            &err);
    sdb_snapshots_unref(w->snapshots);
    w->snapshots = list;
}

static void change_snapshots(struct world *w)
{
    size_t n = sdb_snapshots_count(w->snapshots);
    if (!w->snapshooting)
        return;
    if (n < 6 && sdb_rand_below(&w->rand, 2) == 0)
        take_snapshot(w);
    else if (n > 0 && sdb_rand_below(&w->rand, 3) == 0)
        drop_snapshot(w, sdb_rand_below(&w->rand, n));
}

/* In one run, without a history, there is nothing but what snapshots and the present
 * see, and tombstones between; and it is known how much of it snapshots hold. */
static void expect_no_more_than_needed(const struct world *w)
{
    uint64_t values = 0, present = 0, held = 0, bytes = 0;
    for (unsigned key = 0; key < KEYS; key++) {
        uint64_t last = model_get(w, key, w->number);
        present += last != 0;
        values += last != 0;
        for (size_t i = sdb_snapshots_nnumbers(w->snapshots); i-- > 0;) {
            uint64_t number = model_get(w, key, w->snapshots->numbers[i]);
            values += number != 0 && number != last;
            last = number != 0 ? number : last;
        }
    }
    for (uint32_t i = 0; i < w->version->nmembers; i++) {
        const struct sdb_table_desc *d = &w->version->members[i]->desc;
        for (size_t k = 0; k < d->nheld; k++) {
            assert_true(sdb_snapshots_has(w->snapshots, d->held[k].number));
            held += d->held[k].records;
            bytes += d->held[k].bytes;
        }
        if (d->records == 1 && d->tombstones == 1 && d->ranges > 0 &&
            (d->nheld == 0 || d->held[0].records == 0))
            present++; /* the table has a record because it has to have one */
    }
    assert_int_equal(w->version->records - w->version->tombstones, values);
    assert_int_equal(held, w->version->records - present);
    assert_true(bytes >= 4 * held);
}

/* The manifest will say what is in the table, and the table is sound. */
static void expect_sound(const struct sdb_member *m)
{
    const struct sdb_table_properties *p = sdb_table_properties(m->table);
    seerdb_err err = {0};
    test_ok(sdb_table_verify(m->table, &err), &err);
    assert_int_equal(m->desc.records, p->records);
    assert_int_equal(m->desc.ranges, p->ranges);
    assert_int_equal(m->desc.open_end, p->open_end);
    assert_int_equal(m->desc.max_number, p->max_number);
    test_slice_equal(sdb_buf_slice(&m->desc.smallest), p->smallest);
    test_slice_equal(sdb_buf_slice(&m->desc.largest), p->largest);
}

/* ---- compacting -------------------------------------------------------------------
 */

static int go_on(void *ctx, seerdb_err *err)
{
    (void)ctx;
    (void)err;
    return 0;
}

static void exchange(struct world *w, const struct sdb_pick *pick,
                     struct sdb_member *const *outputs, size_t n)
{
    struct sdb_member *inputs[200];
    assert_true(pick->n <= 200);
    for (size_t i = 0; i < pick->n; i++)
        inputs[i] = w->version->members[pick->inputs[i]];
    publish(w,
            &(struct sdb_version_change){
                .removed = inputs, .nremoved = pick->n, .added = outputs, .nadded = n});
}

static void move(struct world *w, const struct sdb_pick *pick)
{
    struct sdb_member *outputs[200];
    seerdb_err err = {0};
    assert_true(pick->n <= 200);
    for (size_t i = 0; i < pick->n; i++)
        test_ok(sdb_member_move(w->version->members[pick->inputs[i]],
                                pick->output_level, pick->output_run, &outputs[i],
                                &err),
                &err);
    exchange(w, pick, outputs, pick->n);
    w->moves++;
    for (size_t i = 0; i < pick->n; i++)
        sdb_member_unref(outputs[i]);
}

static void merge(struct world *w, const struct sdb_pick *pick)
{
    struct sdb_rewrite rewrite = {.tree = w->tree,
                                  .from = w->version,
                                  .pick = pick,
                                  .history_from = w->history_from,
                                  .snapshots = w->snapshots,
                                  .look_up = go_on};
    seerdb_err err = {0};
    test_ok(sdb_rewrite_run(&rewrite, &err), &err);
    for (size_t i = 0; i < rewrite.n; i++)
        expect_sound(rewrite.outputs[i]);
    exchange(w, pick, rewrite.outputs, rewrite.n);
    w->merges++;
    w->outputs += (unsigned)rewrite.n;
    assert_true(w->tree->marked || rewrite.fold_floor == 0);
    if (w->tree->marked && w->bed.o.sizes.memtable != 0)
        assert_true(rewrite.fold_floor < w->history_from);
    if (rewrite.fold_floor > w->floor) {
        w->floor = rewrite.fold_floor;
        w->folds++;
    }
    sdb_rewrite_fini(&rewrite);
}

/* False: nothing is left to do. */
static bool compact_once(struct world *w)
{
    struct sdb_pick pick = {0};
    seerdb_err err = {0};
    struct sdb_policy p = w->policy;
    p.droppable = w->tree->marked ? w->history_from : UINT64_MAX;
    p.snapshots = sdb_snapshots_numbers(w->snapshots);
    p.nsnapshots = sdb_snapshots_nnumbers(w->snapshots);
    test_ok(sdb_pick(w->version, &p, &pick, &err), &err);
    if (pick.kind == SDB_PICK_MOVE)
        move(w, &pick);
    else if (pick.kind == SDB_PICK_MERGE)
        merge(w, &pick);
    bool any = pick.kind != SDB_PICK_NONE;
    sdb_pick_fini(&pick);
    return any;
}

static void settle(struct world *w)
{
    unsigned picks = 0;
    while (compact_once(w)) {
        expect_same(w);
        if (++picks > 500)
            fail_msg("picks do not end");
    }
}

static void world_new(struct world *w, uint64_t seed, bool marked)
{
    static const enum seerdb_compaction kinds[] = {SEERDB_LEVELED, SEERDB_LAZY,
                                                   SEERDB_TIERED};
    seerdb_err err = {0};
    *w = (struct world){.rand = {seed}, .file = FILE_0};
    bed_init(&w->bed);
    if (seed % 2 == 1) /* room for history; otherwise it is given up at times */
        w->bed.o.sizes.memtable = (size_t)64 << 20;
    bed_open_ok(&w->bed);
    test_ok(seerdb_pause(w->bed.db, &err), &err);
    seerdb_tree_options o = {.id = uuid_of(1), .name = "t", .marked = marked};
    if (marked)
        o.owner = uuid_of(2);
    test_ok(seerdb_tree_create(w->bed.db, &o, &w->tree, &err), &err);
    w->policy = sdb_compact_policy(w->tree, UINT64_MAX);
    w->policy.kind = kinds[sdb_rand_below(&w->rand, 5) % 3];
    w->policy.flushed = UINT64_MAX;
    test_ok(sdb_version_new(NULL, &(struct sdb_version_change){0}, &w->version, &err),
            &err);
}

static void world_fini(struct world *w)
{
    sdb_version_unref(w->version);
    seerdb_tree_close(w->tree);
    bed_fini(&w->bed);
}

static uint64_t living;
static unsigned merges, moves, outputs, folds;

static void live(uint64_t seed, bool marked, bool snapshooting)
{
    static struct world w;
    world_new(&w, seed, marked);
    w.snapshooting = snapshooting;
    while (w.number < OPS - 25) {
        flush_some(&w);
        change_snapshots(&w);
        expect_same(&w);
        /* History ends somewhere, and is longer or shorter than the last time. */
        w.history_from = marked ? 1 + sdb_rand_below(&w.rand, w.number + 1) : 0;
        w.policy.full = sdb_rand_below(&w.rand, 12) == 0;
        if (sdb_rand_below(&w.rand, 2) == 0)
            settle(&w);
    }
    w.policy.full = true;
    w.history_from = marked ? w.number + 1 : 0;
    settle(&w);
    assert_true(w.version->nruns <= 1);
    expect_no_more_than_needed(&w);
    while (w.snapshots != NULL) {
        drop_snapshot(&w, sdb_rand_below(&w.rand, w.snapshots->n));
        settle(&w);
    }
    expect_no_more_than_needed(&w);
    /* Nothing is left of ranges where nothing lies below them. */
    assert_true(w.version->nruns <= 1);
    assert_int_equal(w.version->tombstones, 0);
    assert_int_equal(w.version->ranges, 0);
    merges += w.merges;
    moves += w.moves;
    outputs += w.outputs;
    folds += w.folds;
    world_fini(&w);
}

static int say_seed(void **state)
{
    (void)state;
    if (living != 0)
        fprintf(stderr, "seed: %" PRIu64 "\n", living);
    return 0;
}

static void live_often(bool marked, bool snapshooting, uint64_t seeds)
{
    const char *seed = getenv("SEED");
    merges = outputs = moves = folds = 0;
    for (uint64_t s = 1; s <= seeds; s++) {
        living = seed != NULL ? strtoull(seed, NULL, 10) : s;
        live(living, marked, snapshooting);
        if (seed != NULL)
            break;
    }
    living = 0;
    printf("# %u merges into %u tables, %u moves, %u of them raised the floor\n",
           merges, outputs, moves, folds);
    assert_true(seed != NULL || (merges > 300 && outputs > 1000 && moves > 5));
}

static void every_reader_above_the_floor_finds_what_was_written(void **state)
{
    (void)state;
    live_often(true, false, 40);
}

static void without_history_readers_of_the_present_find_it(void **state)
{
    (void)state;
    live_often(false, false, 40);
}

static void readers_at_snapshots_find_it_however_long_they_are_kept(void **state)
{
    const char *often = getenv("ROUNDS");
    uint64_t rounds = often != NULL ? strtoull(often, NULL, 10) : 6;
    (void)state;
    live_often(true, true, rounds);
    live_often(false, true, rounds);
}

/* ---- cases -------------------------------------------------------------------------
 */

/* "6:1 a@3=x b@2= [c-e)@9 |": a table at level 6 of run 1 with a put, a tombstone and a
 * range; letters are keys, X is a large value. */
static void parse_tables(struct world *w, const char *words)
{
    while (*words != '\0') {
        struct sdb_table_desc d = {0};
        struct sdb_file *f = NULL;
        unsigned level;
        unsigned long long run, number;
        char a, b;
        int n = 0;
        if (sscanf(words, " %u:%llu%n", &level, &run, &n) != 2)
            fail_msg("not a table: %s", words);
        d.level = level;
        d.run = run;
        struct sdb_table_writer *t = begin_table(w, level, &f);
        for (words += n; *words != '\0' && *words != '|'; words += n) {
            static const char value[20000]; /* a block of its own, and a table */
            if (*words == ' ') {
                n = 1;
            } else if (sscanf(words, "[%c-%c)@%llu%n", &a, &b, &number, &n) == 3) {
                struct sdb_range r = {{&a, 1}, {&b, 1}, number};
                sdb_table_writer_range(t, &r);
            } else if (sscanf(words, "%c@%llu=%n", &a, &number, &n) == 2) {
                size_t size = words[n] == 'X' ? sizeof value : words[n] == 'x' ? 1 : 0;
                n += size > 0;
                sdb_table_writer_add(
                    t,
                    &(struct sdb_record){{&a, 1},
                                         number,
                                         size > 0 ? SDB_KIND_VALUE : SDB_KIND_TOMBSTONE,
                                         {value, size}});
            } else {
                fail_msg("not a record: %s", words);
            }
        }
        words += *words == '|';
        end_table(w, t, f, d);
    }
}

/* The tables in the same words, each with its bounds: "a-e)". */
static void say_tables(const struct world *w, char *out, size_t room)
{
    size_t at = 0;
    out[0] = '\0';
    for (uint32_t i = 0; i < w->version->nmembers; i++) {
        const struct sdb_member *m = w->version->members[i];
        struct sdb_iter *it = NULL;
        seerdb_err err = {0};
        at += (size_t)snprintf(out + at, room - at, "%s%u %c-%c%c", i > 0 ? " | " : "",
                               m->desc.level, *m->desc.smallest.data,
                               *m->desc.largest.data, m->desc.open_end ? ')' : ':');
        test_ok(sdb_table_iter(m->table, UINT64_MAX, &it, &err), &err);
        for (int rc = it->ops->first(it, &err); rc == 0; rc = it->ops->next(it, &err))
            do
                at +=
                    (size_t)snprintf(out + at, room - at, " %c@%d=%s",
                                     *(const char *)it->at.key.data, (int)it->at.number,
                                     it->at.value.size > 1   ? "X"
                                     : it->at.value.size > 0 ? "x"
                                                             : "");
            while (it->ops->older(it, &err) == 0);
        sdb_iter_close(it);
        for (size_t k = 0; k < sdb_ranges_count(sdb_table_ranges(m->table)); k++) {
            const struct sdb_range *r = sdb_ranges_at(sdb_table_ranges(m->table), k);
            at += (size_t)snprintf(out + at, room - at, " [%c-%c)@%d",
                                   *(const char *)r->start.data,
                                   *(const char *)r->end.data, (int)r->number);
        }
    }
    assert_true(at < room);
}

struct merge_case {
    const char *tables;    /* all of them are merged */
    uint64_t history_from; /* 0: not a marked tree */
    bool last;
    const char *wanted;
    uint64_t floor;
};

static void check_merge(const struct merge_case *c)
{
    static struct world w;
    char got[1000];
    uint32_t inputs[20];
    struct sdb_pick pick = {.kind = SDB_PICK_MERGE,
                            .inputs = inputs,
                            .output_level = 6,
                            .output_run = 99,
                            .last = c->last};
    world_new(&w, 1, c->history_from != 0);
    parse_tables(&w, c->tables);
    for (pick.n = 0; pick.n < w.version->nmembers; pick.n++)
        inputs[pick.n] = (uint32_t)pick.n;
    pick.cut_run = w.version->nruns;
    w.history_from = c->history_from;
    merge(&w, &pick);
    say_tables(&w, got, sizeof got);
    if (strcmp(got, c->wanted) != 0 || w.floor != c->floor)
        fail_msg("%s from %d: %s, floor %d; wanted %s, floor %d", c->tables,
                 (int)c->history_from, got, (int)w.floor, c->wanted, (int)c->floor);
    world_fini(&w);
}

static void what_becomes_of_ranges_and_of_what_they_cover(void **state)
{
    static const struct merge_case cases[] = {
        /* what is older goes, what is newer or of the same commit stays */
        {"0:1 a@5=x b@4=x c@7=x d@6=x [a-e)@6", 0, false, "6 a-e) c@7=x d@6=x [a-e)@6",
         0},
        {"0:1 a@5=x b@4=x c@7=x d@6=x [a-e)@6", 0, true, "6 c-d: c@7=x d@6=x", 0},
        /* each output has its piece */
        {"0:1 b@9=X d@9=X f@9=X [a-g)@6 | 6:1 c@1=x e@2=x", 0, false,
         "6 a-d) b@9=X [a-d)@6 | 6 d-f) d@9=X [d-f)@6 | 6 f-g) f@9=X [f-g)@6", 0},
        /* ranges behind a cut after which no record comes */
        {"0:1 b@3=X c@4= [a-g)@6", 6, true,
         "6 a-c) b@3=X [a-c)@6 | 6 c-g) c@6= [c-g)@6", 0},
        /* nothing but ranges; over each key the greatest counts */
        {"0:2 [b-d)@9 | 0:1 [c-e)@5", 0, false, "6 b-e) b@9= [b-d)@9 [d-e)@5", 0},
        {"0:2 [b-d)@9 | 0:1 [c-e)@5", 0, true, "", 0},
        {"0:2 [a-c)@9 | 0:1 [a-e)@5", 10, false, "6 a-e) a@9= [a-c)@9 [c-e)@5", 9},
        /* what readers of the history see */
        {"0:1 a@8=x a@3=x b@3=x [a-c)@5 [a-c)@9", 7, false,
         "6 a-c) a@8=x [a-c)@9 [a-c)@5", 5},
        {"0:1 a@8=x a@3=x b@3=x [a-c)@5 [a-c)@9", 7, true, "6 a-c) a@8=x [a-c)@9", 5},
        {"0:1 a@8=x a@3=x b@3=x [a-c)@9", 9, true, "6 a-c) a@8=x b@3=x [a-c)@9", 8},
        {"0:1 [a-z)@9 | 6:1 b@3=x c@4=x", 5, false, "6 a-z) a@9= b@3=x c@4=x [a-z)@9",
         0},
        /* the floor rises with what is dropped, and only then */
        {"0:1 [a-z)@9 | 6:1 b@3=x c@4=x", 10, true, "", 9},
        {"0:1 a@9=x a@3=x [a-b)@7", 10, false, "6 a-b) a@9=x [a-b)@7", 7},
        {"0:1 a@3=x b@9=x [a-b)@7", 10, false, "6 a-b: b@9=x [a-b)@7", 7},
        {"0:1 a@9=x [a-b)@7", 10, false, "6 a-b) a@9=x [a-b)@7", 0},
        /* tables that touch at an open end */
        {"6:1 a@9=x [a-c)@7 | 6:1 c@3=x", 0, false, "6 a-c: a@9=x c@3=x [a-c)@7", 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        check_merge(&cases[i]);
}

static void what_ranges_delete_whole_is_not_read(void **state)
{
    static struct world w;
    uint32_t inputs[5] = {0, 1, 2, 3, 4};
    struct sdb_pick pick = {.kind = SDB_PICK_MERGE,
                            .inputs = inputs,
                            .n = 5,
                            .output_level = 6,
                            .output_run = 99,
                            .last = true};
    char got[1000];
    (void)state;
    world_new(&w, 1, false);
    /* Two ranges side by side; the last table reaches behind them. */
    parse_tables(&w, "0:2 [a-d)@9 [d-h)@8 | 6:1 a@7=x b@7=x | 6:1 c@7=x e@7=x | "
                     "6:1 f@7=x [f-h)@6 | 6:1 h@7=x");
    pick.cut_run = w.version->nruns;
    for (uint32_t i = 1; i < 4; i++) {
        char *path = sdb_table_path(w.bed.db, w.version->members[i]->desc.file);
        assert_int_equal(sdb_fs_remove(w.bed.db->fs, path, NULL), 0);
        sdb_mem_free(path);
    }
    merge(&w, &pick);
    say_tables(&w, got, sizeof got);
    assert_string_equal(got, "6 h-h: h@7=x");
    world_fini(&w);
}

static void a_manifest_that_says_other_ranges_is_corrupt(void **state)
{
    static struct world w;
    seerdb_err err = {0};
    struct sdb_member *m = NULL;
    (void)state;
    world_new(&w, 1, false);
    parse_tables(&w, "0:1 a@3=x [b-d)@9");
    struct sdb_table_desc d = w.version->members[0]->desc; /* borrows its bytes */
    test_ok(sdb_open_member(w.bed.db, &d, NULL, &m, &err), &err);
    sdb_member_unref(m);
    d.ranges = 2;
    test_fails(sdb_open_member(w.bed.db, &d, NULL, &m, &err), SEERDB_CORRUPT, &err);
    d.ranges = 0;
    test_fails(sdb_open_member(w.bed.db, &d, NULL, &m, &err), SEERDB_CORRUPT, &err);
    d.ranges = 1;
    d.open_end = false;
    test_fails(sdb_open_member(w.bed.db, &d, NULL, &m, &err), SEERDB_CORRUPT, &err);
    world_fini(&w);
}

static void no_memory_leaves_the_inputs_alone(void **state)
{
    static struct world w;
    uint32_t inputs[2] = {0, 1};
    struct sdb_pick pick = {.kind = SDB_PICK_MERGE,
                            .inputs = inputs,
                            .n = 2,
                            .output_level = 6,
                            .output_run = 99};
    unsigned failures = 0;
    (void)state;
    world_new(&w, 1, true);
    parse_tables(&w, "0:1 b@9=X d@9=X f@9=X [a-g)@6 [b-c)@12 | 6:1 c@1=x e@2=x");
    pick.cut_run = w.version->nruns;
    for (int64_t n = 0;; n++) {
        struct sdb_rewrite r = {.tree = w.tree,
                                .from = w.version,
                                .pick = &pick,
                                .history_from = 10,
                                .look_up = go_on};
        seerdb_err err = {0};
        sdb_mem_fail_after(n);
        int rc = sdb_rewrite_run(&r, &err);
        sdb_mem_fail_after(-1);
        if (rc != 0)
            sdb_rewrite_abandon(&r);
        sdb_rewrite_fini(&r);
        if (rc == 0)
            break;
        test_fails(rc, SEERDB_NOMEM, &err);
        failures++;
    }
    assert_true(failures > 50);
    world_fini(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(every_reader_above_the_floor_finds_what_was_written,
                                  say_seed),
        cmocka_unit_test_teardown(without_history_readers_of_the_present_find_it,
                                  say_seed),
        cmocka_unit_test_teardown(
            readers_at_snapshots_find_it_however_long_they_are_kept, say_seed),
        cmocka_unit_test(what_becomes_of_ranges_and_of_what_they_cover),
        cmocka_unit_test(what_ranges_delete_whole_is_not_read),
        cmocka_unit_test(a_manifest_that_says_other_ranges_is_corrupt),
        cmocka_unit_test(no_memory_leaves_the_inputs_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
