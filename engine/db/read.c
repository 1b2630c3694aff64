/* SPDX-License-Identifier: Apache-2.0 */
#include "db/read.h"

#include "db/ahead.h"
#include "db/get.h"
#include "db/merged.h"
#include "db/row.h"
#include "table/merge_iter.h"
#include "table/range_iter.h"
#include "table/table_iter.h"
#include "tree/fold.h"
#include "tree/gather.h"
#include "tree/run_iter.h"

#include <assert.h>

/* Sources of one kind, kept from use to use. */
struct kept {
    struct sdb_iter **all; /* owned; the first `used` are in use, the others at rest */
    size_t n, capacity, used;
};

struct seerdb_iter {
    /* borrowed from one of the next three; a single source is read directly */
    struct sdb_iter *from;
    struct sdb_iter *merge; /* owned; NULL: none was needed yet */
    struct kept memtables, runs;
    struct kept filters;       /* of sources, where there are range tombstones */
    struct sdb_cover cover;    /* their set */
    struct sdb_iter **sources; /* owned: scratch */
    uint64_t *newest;          /* owned: no record of the source has a greater number */
    size_t capacity;
    seerdb
        *db; /* borrowed.  Every move asks it whether this is a child process: there, a
                memtable may stand in the middle of a change that nobody will finish */
    seerdb_view *view;   /* counted; NULL: at rest */
    seerdb_pin *scratch; /* counted: hidden ranges of the batch; NULL: no batch */
    struct sdb_buf lower, upper;
    bool has_lower, has_upper, positioned;
    /* Of from's plain records those within the bounds that hold a value, which this
     * takes without asking; after the first it stands at from->slot, not at from->at.
     */
    uint32_t free;
    enum sdb_step step; /* the last move's direction */
    bool in_block;
    /* Rows are shown as they were written, and the last move left nothing to see to: no
     * free records, no made row, no time.  Then the next one has to look at the record
     * that it comes to, and at nothing else: see is_easy. */
    bool easy;
    bool made;        /* the row at hand is `at`, and not what from stands on */
    uint32_t granted; /* free, when the last move was done */
    /* Moves until one is timed; the same when the tally was last told; how often it
     * came to that since. */
    uint32_t until, until_told;
    uint64_t laps;
    uint64_t rows;   /* that the tally lacks, but for those of moves: less than 0, where
                        moves found none */
    enum sdb_op op;  /* the last move */
    uint64_t began;  /* when it did; 0: it is not timed */
    seerdb_value at; /* then; owns its pin */
    struct seerdb_filter_out out; /* owned: scratch */
    struct sdb_merging merging;   /* the same */
    struct sdb_ahead ahead;       /* of values that are read */
    seerdb_iter *scout;           /* owned; NULL: none was needed yet */
};

/* The row at hand is no longer that. */
static void drop_made(seerdb_iter *it)
{
    if (it->made && it->at.pin != NULL)
        seerdb_pin_unref(it->at.pin);
    it->made = false;
}

/* Room for one more source of a kind. */
static int keep_room(struct kept *k, seerdb_err *err)
{
    if (k->used < k->capacity)
        return 0;
    size_t n = k->capacity * 2 + 2;
    struct sdb_iter **all = sdb_array_grow(k->all, n, sizeof(struct sdb_iter *));
    if (all == NULL)
        return sdb_fail_nomem(err, n * sizeof(struct sdb_iter *));
    k->all = all;
    k->capacity = n;
    return 0;
}

static void rest_all(struct kept *k)
{
    for (size_t i = 0; i < k->used; i++)
        k->all[i]->ops->rest(k->all[i]);
    k->used = 0;
}

static void free_all(struct kept *k)
{
    for (size_t i = 0; i < k->n; i++)
        sdb_iter_close(k->all[i]);
    sdb_mem_free(k->all);
}

static int add_memtable(seerdb_iter *it, struct sdb_memtable *m, uint64_t ceiling,
                        const struct sdb_hidden *hidden, uint64_t raise, size_t *n,
                        seerdb_err *err)
{
    struct kept *k = &it->memtables;
    int rc = keep_room(k, err);
    if (rc != 0)
        return rc;
    if (k->used < k->n)
        sdb_memtable_iter_aim(k->all[k->used], m, ceiling, hidden, raise);
    else if ((rc = sdb_memtable_iter(m, ceiling, hidden, raise, &k->all[k->n], err)) ==
             0)
        k->n++;
    it->newest[*n] = raise + sdb_memtable_newest(m);
    if (rc == 0)
        k->all[k->used]->chains = true;
    if (rc == 0)
        it->sources[(*n)++] = k->all[k->used++];
    return rc;
}

static int add_run(seerdb_iter *it, struct sdb_version *v, const struct sdb_run *run,
                   const struct sdb_run_shown *shown, size_t *n, seerdb_err *err)
{
    struct kept *k = &it->runs;
    int rc = keep_room(k, err);
    if (rc != 0)
        return rc;
    if (k->used < k->n)
        sdb_run_iter_aim(k->all[k->used], v, run, shown);
    else if ((rc = sdb_run_iter_spilled(v, run, shown, &k->all[k->n], err)) == 0)
        k->n++;
    it->newest[*n] = shown->as != 0 ? shown->as : run->newest;
    if (rc == 0)
        it->sources[(*n)++] = k->all[k->used++];
    return rc;
}

static int add_runs(seerdb_iter *it, struct sdb_version *v,
                    const struct sdb_run_shown *shown, size_t *n, seerdb_err *err)
{
    int rc = 0;
    for (size_t i = 0; i < v->nruns && rc == 0; i++)
        rc = add_run(it, v, &v->runs[i], shown, n, err);
    return rc;
}

static int add_batch(seerdb_iter *it, const seerdb_batch *batch,
                     const struct sdb_batch_part *part, uint64_t mark, size_t *n,
                     seerdb_err *err)
{
    const struct sdb_run_shown shown = {.ceiling = SDB_NUMBER_BATCH + mark,
                                        .hidden = &batch->scratch->hidden};
    int rc = sdb_batch_check_mark(part, mark, err);
    if (rc == 0)
        rc = add_memtable(it, part->memtable, mark, shown.hidden, SDB_NUMBER_BATCH, n,
                          err);
    return rc == 0 && part->runs != NULL ? add_runs(it, part->runs, &shown, n, err)
                                         : rc;
}

static int add_pendings(seerdb_iter *it, const seerdb_view *view, size_t *n,
                        seerdb_err *err)
{
    const struct sdb_pendings *list = view->state->pendings;
    int rc = 0;
    for (size_t i = 0; list != NULL && i < list->n && rc == 0; i++) {
        struct sdb_pending *p = list->all[i];
        bool seen = false;
        rc = sdb_pending_look(p, view->number, view->hidden, &seen, err);
        if (rc == 0 && seen)
            rc =
                add_runs(it, p->runs, &(struct sdb_run_shown){.as = p->number}, n, err);
    }
    return rc;
}

/* How many sources a scan has at most. */
static size_t count_sources(const seerdb_view *view, const struct sdb_batch_part *part)
{
    const struct sdb_read_state *s = view->state;
    size_t n = s->nmemtables + s->version->nruns;
    for (size_t i = 0; s->pendings != NULL && i < s->pendings->n; i++)
        if (s->pendings->all[i]->runs != NULL)
            n += s->pendings->all[i]->runs->nruns;
    if (part != NULL)
        n += 1 + (part->runs != NULL ? part->runs->nruns : 0);
    return n;
}

/* Put a filter before every source: keys that range tombstones delete are passed over.
 */
static int hide_deleted(seerdb_iter *it, const struct sdb_sight *sight, size_t n,
                        seerdb_err *err)
{
    struct kept *k = &it->filters;
    int rc = sdb_cover_update(&it->cover, sight, err);
    for (size_t i = 0; i < n && rc == 0 && it->cover.flat != NULL; i++) {
        if ((rc = keep_room(k, err)) != 0)
            break;
        struct sdb_iter **at = &k->all[k->used];
        if (k->used == k->n)
            *at = NULL;
        rc = sdb_range_iter_aim(at, it->sources[i], it->cover.flat, it->newest[i], err);
        if (rc == 0) {
            (*at)->interrupt = it->view->interrupt;
            it->sources[i] = *at;
            k->used++;
            k->n = k->used > k->n ? k->used : k->n;
        }
    }
    return rc;
}

/* Aim one source after the other; *n counts them. */
static int add_sources(seerdb_iter *it, const seerdb_view *view,
                       const seerdb_batch *batch, const struct sdb_batch_part *part,
                       uint64_t mark, size_t *n, seerdb_err *err)
{
    const struct sdb_read_state *s = view->state;
    int rc = 0;
    if (part != NULL)
        rc = add_batch(it, batch, part, mark, n, err);
    for (size_t i = 0; i < s->nmemtables && rc == 0; i++)
        if (sdb_memtable_records(s->memtables[i]) > 0)
            rc = add_memtable(it, s->memtables[i], view->number, view->hidden, 0, n,
                              err);
    if (rc == 0)
        rc = add_pendings(it, view, n, err);
    if (rc == 0)
        rc = add_runs(it, s->version, &(struct sdb_run_shown){.ceiling = view->number},
                      n, err);
    return rc;
}

int seerdb_iter_open(seerdb_view *view, seerdb_batch *batch, uint64_t mark,
                     seerdb_iter **out, seerdb_err *err)
{
    seerdb_iter *it = sdb_mem_zalloc(sizeof *it);
    if (it == NULL)
        return sdb_fail_nomem(err, sizeof *it);
    int rc = seerdb_iter_reopen(it, view, batch, mark, err);
    if (rc == 0)
        *out = it;
    else
        seerdb_iter_close(it);
    return rc;
}

int seerdb_iter_reopen(seerdb_iter *it, seerdb_view *view, seerdb_batch *batch,
                       uint64_t mark, seerdb_err *err)
{
    int rc = sdb_check_process(view->tree->db, err);
    if (rc != 0 || (batch != NULL && (rc = sdb_batch_settle(batch, err)) != 0))
        return rc;
    const struct sdb_batch_part *part =
        batch != NULL ? sdb_batch_part(batch, view->tree) : NULL;
    size_t n = 0, most = count_sources(view, part);
    seerdb_iter_rest(it);
    if (most > it->capacity) {
        struct sdb_iter **sources =
            sdb_array_grow(it->sources, most, sizeof(struct sdb_iter *));
        if (sources == NULL)
            return sdb_fail_nomem(err, most * sizeof(struct sdb_iter *));
        it->sources = sources;
        uint64_t *newest = sdb_array_grow(it->newest, most, sizeof *newest);
        if (newest == NULL)
            return sdb_fail_nomem(err, most * sizeof *newest);
        it->newest = newest;
        it->capacity = most;
    }
    if (batch != NULL && mark > batch->ordinal)
        mark = batch->ordinal; /* what is written from now on does not exist for it */
    it->db = view->tree->db;
    it->view = seerdb_view_ref(view);
    if (batch != NULL && batch->scratch != NULL)
        it->scratch = seerdb_pin_ref(&batch->scratch->pin);
    rc = add_sources(it, view, batch, part, mark, &n, err);
    for (size_t i = 0; i < n; i++)
        it->sources[i]->interrupt = view->interrupt;
    const struct sdb_sight sight = sdb_sight_of(view, batch, part, mark);
    if (rc == 0 && sdb_cover_any(&sight))
        rc = hide_deleted(it, &sight, n, err);
    if (rc == 0 && n != 1)
        rc = sdb_merge_iter_aim(&it->merge, it->sources, n, err);
    if (rc != 0) {
        seerdb_iter_rest(it);
        return rc;
    }
    it->from = n == 1 ? it->sources[0] : it->merge;
    it->from->interrupt = view->interrupt;
    sdb_count(&view->tally.n[SDB_TALLY_ITERATORS], 1);
    it->until = it->until_told =
        SDB_READ_EVERY -
        (uint32_t)(sdb_counted(&view->tally.n[SDB_TALLY_MOVES]) % SDB_READ_EVERY);
    it->laps = it->rows = 0;
    it->easy = view->sieve == NULL;
    return 0;
}

static inline void note_taken(seerdb_iter *it)
{
    if (it->granted != 0)
        it->rows += it->granted - it->free;
    it->granted = 0;
}

static inline void tell_tally(seerdb_iter *it)
{
    struct sdb_tally *t = &it->view->tally;
    uint64_t moves = it->laps * SDB_READ_EVERY + it->until_told - it->until;
    note_taken(it);
    sdb_count(&t->n[SDB_TALLY_MOVES], moves);
    sdb_count(&t->n[SDB_TALLY_ROWS], moves + it->rows);
    it->until_told = it->until;
    it->laps = it->rows = 0;
}

void seerdb_iter_rest(seerdb_iter *it)
{
    if (it->view == NULL)
        return;
    tell_tally(it);
    drop_made(it);
    sdb_ahead_reset(&it->ahead);
    if (it->scout != NULL)
        seerdb_iter_rest(it->scout);
    if (it->from != NULL && it->from == it->merge)
        it->merge->ops->rest(it->merge);
    rest_all(&it->filters); /* before what they stand on */
    rest_all(&it->memtables);
    rest_all(&it->runs);
    seerdb_pin_unref(it->scratch);
    seerdb_view_close(it->view);
    it->from = NULL;
    it->view = NULL;
    it->scratch = NULL;
    it->has_lower = it->has_upper = it->positioned = it->in_block = it->easy = false;
    it->free = 0;
}

void seerdb_iter_close(seerdb_iter *it)
{
    if (it == NULL)
        return;
    seerdb_iter_rest(it);
    seerdb_iter_close(it->scout);
    sdb_iter_close(it->merge);
    free_all(&it->filters);
    free_all(&it->memtables);
    free_all(&it->runs);
    sdb_cover_fini(&it->cover);
    sdb_mem_free(it->sources);
    sdb_mem_free(it->newest);
    sdb_buf_fini(&it->lower);
    sdb_buf_fini(&it->upper);
    sdb_filter_out_fini(&it->out);
    sdb_merging_fini(&it->merging);
    sdb_mem_free(it);
}

int seerdb_iter_bound(seerdb_iter *it, seerdb_slice lower, seerdb_slice upper,
                      seerdb_err *err)
{
    it->positioned = false;
    sdb_buf_clear(&it->lower);
    sdb_buf_clear(&it->upper);
    it->has_lower = lower.data != NULL;
    it->has_upper = upper.data != NULL;
    if (it->has_lower)
        sdb_buf_append_slice(&it->lower, lower);
    if (it->has_upper)
        sdb_buf_append_slice(&it->upper, upper);
    int rc = sdb_buf_check(&it->lower, err);
    return rc != 0 ? rc : sdb_buf_check(&it->upper, err);
}

static bool below(const seerdb_iter *it, seerdb_slice k)
{
    return it->has_lower && sdb_slice_cmp(k, sdb_buf_slice(&it->lower)) < 0;
}

static bool above(const seerdb_iter *it, seerdb_slice k)
{
    return it->has_upper && sdb_slice_cmp(k, sdb_buf_slice(&it->upper)) >= 0;
}

/* How many of the next n records of b from slot on are tombstones, or values. */
static uint32_t count_kind(const struct sdb_block *b, uint32_t slot, int step,
                           uint32_t n, enum sdb_kind kind)
{
    uint32_t i = 0;
    if (b->meta_width == 0)
        return (b->meta_base & SDB_META_KIND) == (unsigned)kind ? n : 0;
    while (i < n &&
           (b->metas[slot += (uint32_t)step] & SDB_META_KIND) == (unsigned)kind)
        i++;
    return i;
}

/* How many of the next n records of from's block are within the bound. */
static SDB_NOINLINE uint32_t count_within(const seerdb_iter *it, uint32_t n)
{
    const struct sdb_iter *m = it->from;
    bool forward = it->step == SDB_STEP_FORWARD;
    uint32_t lo = 0, hi = n; /* so many at least, at most */
    while (lo < hi) {
        /* The last one first: nearly always all of them are. */
        uint32_t mid = hi == n ? n : lo + (hi - lo + 1) / 2;
        uint32_t slot = forward ? m->slot + mid : m->slot - mid;
        seerdb_slice k = sdb_block_key(m->block, slot);
        if (forward ? above(it, k) : below(it, k))
            hi = mid - 1;
        else
            lo = mid;
    }
    return lo;
}

static uint32_t count_free(const seerdb_iter *it)
{
    const struct sdb_iter *m = it->from;
    uint32_t n = m->plain;
    if (n > 0)
        n = count_kind(m->block, m->slot, it->step, n, SDB_KIND_VALUE);
    if (n > 0 && (it->step == SDB_STEP_FORWARD ? it->has_upper : it->has_lower))
        n = count_within(it, n);
    return n;
}

/* `from` stands on a tombstone: move over it and those that follow. */
static int skip_tombstones(seerdb_iter *it, seerdb_err *err)
{
    struct sdb_iter *m = it->from;
    int rc = sdb_iter_pass(m, err);
    if (rc != 0)
        return rc;
    if (m->plain > 0) {
        uint32_t n =
            count_kind(m->block, m->slot, it->step, m->plain, SDB_KIND_TOMBSTONE);
        m->plain -= n;
        m->slot += n * (uint32_t)it->step;
    }
    return it->step == SDB_STEP_FORWARD ? m->ops->next(m, err) : m->ops->prev(m, err);
}

SDB_COLD static void end_move(seerdb_iter *it)
{
    sdb_meter_add(&it->view->tree->meter, it->op, sdb_clock_mono_ns() - it->began);
    it->began = 0;
}

/* A segment of the row at hand is about to be read.  What fails here is a hint: the
 * scout stays where it is until the iterator goes elsewhere. */
static void read_ahead(seerdb_iter *it, const struct sdb_segment *s, unsigned ordinal)
{
    struct sdb_values *values = it->db->values;
    bool forward = it->step == SDB_STEP_FORWARD;
    if (!sdb_ahead_due(&it->ahead, values, s, ordinal))
        return;
    if (it->ahead.placed)
        it->ahead.ended = it->scout->view == NULL;
    else if (it->scout != NULL)
        it->ahead.ended = seerdb_iter_reopen(it->scout, it->view, NULL, 0, NULL) != 0;
    else
        it->ahead.ended = seerdb_iter_open(it->view, NULL, 0, &it->scout, NULL) != 0;
    if (it->ahead.ended)
        return;
    struct sdb_ahead_walk w = {
        .scout = it->scout->from, .key = seerdb_iter_key(it), .step = it->step};
    if (forward ? it->has_upper : it->has_lower)
        w.bound = sdb_buf_slice(forward ? &it->upper : &it->lower);
    sdb_ahead_walk(&it->ahead, values, &w);
}

/* All of the value that `from` stands on is about to be read. */
static void read_all_ahead(seerdb_iter *it)
{
    struct sdb_segments all;
    struct sdb_segment s;
    if (sdb_segments_open(&all, it->from->at.value, NULL) == 0)
        for (unsigned i = 0; sdb_segments_next(&all, &s); i++)
            read_ahead(it, &s, i);
}

/* `from` stands on a record that is not shown as it was written. */
static int make_row(seerdb_iter *it, seerdb_err *err)
{
    drop_made(it);
    if (it->from->at.kind == SDB_KIND_SEGMENTS && !it->view->lazy)
        read_all_ahead(it);
    int rc = sdb_row_make(it->view, &it->from->at, &it->out, &it->at, err);
    it->made = rc == 0;
    return rc;
}

/* `from` stands on a merge record: show what all of its chain comes to. */
static int make_merged(seerdb_iter *it, seerdb_err *err)
{
    struct sdb_iter *m = it->from;
    drop_made(it);
    int rc = sdb_tree_check_merge(it->view->tree, err);
    if (rc == 0)
        rc = sdb_gather(&it->merging, m, err);
    if (rc < 0)
        return rc;
    bool based = rc == 0;
    if (based && (rc = sdb_fold_visible(m->at.kind, err)) < 0)
        return rc;
    rc = sdb_merged_row(it->view, &it->merging, m->at.key, based ? &m->at : NULL,
                        &it->out, &it->at, err);
    it->made = rc == 0;
    return rc;
}

/* `from` stands on a record of another kind than a plain value, or rows are asked
 * about: 0: it is shown. */
static int look_closer(seerdb_iter *it, seerdb_err *err)
{
    enum sdb_kind kind = it->from->at.kind;
    if (SDB_RARELY(kind == SDB_KIND_MERGE))
        return make_merged(it, err);
    int rc = sdb_fold_visible(kind, err);
    return rc == 0 && sdb_row_is_made(it->view, kind) ? make_row(it, err) : rc;
}

/* `from` moved in the given direction and answered rc: go on to the first key that is
 * not deleted, and stop at the bound. */
static int find_visible(seerdb_iter *it, enum sdb_step step, int rc, seerdb_err *err)
{
    struct sdb_iter *m = it->from;
    bool asked =
        it->view->sieve != NULL; /* each row, which may not be shown as it is */
    note_taken(it);
    drop_made(it);
    it->positioned = it->in_block = it->easy = false;
    it->free = 0;
    it->step = step;
    for (; rc == 0; rc = skip_tombstones(it, err)) {
        if (step == SDB_STEP_FORWARD ? above(it, m->at.key) : below(it, m->at.key))
            return it->rows--, SEERDB_NOTFOUND;
        if (m->at.kind != SDB_KIND_VALUE || asked)
            rc = look_closer(it, err);
        if (rc == 0) {
            it->positioned = true;
            it->granted = it->free = it->made || asked ? 0 : count_free(it);
            it->easy = !it->made && !asked && it->free == 0;
            return 0;
        }
        if (rc != SEERDB_NOTFOUND)
            break;
    }
    it->rows--;
    return rc;
}

static int settle(seerdb_iter *it, enum sdb_step step, int rc, seerdb_err *err)
{
    rc = find_visible(it, step, rc, err);
    if (SDB_RARELY(it->began != 0))
        end_move(it);
    return rc;
}

/* A move begins that is timed. */
SDB_COLD static void begin_move(seerdb_iter *it, enum sdb_op op)
{
    it->op = op;
    it->easy = false;
    it->began = sdb_clock_mono_ns();
}

static inline void begin_seek(seerdb_iter *it)
{
    tell_tally(it);
    it->rows++;
    sdb_ahead_reset(&it->ahead);
    uint64_t n = sdb_count(&it->view->tally.n[SDB_TALLY_SEEKS], 1);
    if (SDB_RARELY(n % SDB_READ_EVERY == 0))
        begin_move(it, SDB_OP_SEEK);
}

SDB_COLD static void begin_timed_step(seerdb_iter *it)
{
    it->until = SDB_READ_EVERY;
    it->laps++;
    begin_move(it, SDB_OP_SCAN);
}

/* `from` moved on and stands on a record: is that all there is to do?  What most moves
 * through memtables and merges come to. */
static inline bool is_easy(const seerdb_iter *it, enum sdb_step step)
{
    const struct sdb_iter *m = it->from;
    return it->easy && m->at.kind == SDB_KIND_VALUE && m->plain == 0 &&
           !(step == SDB_STEP_FORWARD ? it->has_upper && above(it, m->at.key)
                                      : it->has_lower && below(it, m->at.key));
}

static SDB_NOINLINE int step_on(seerdb_iter *it, enum sdb_step step, seerdb_err *err)
{
    int rc = sdb_check_process(it->db, err);
    if (rc != 0)
        return rc;
    assert(it->positioned);
    struct sdb_iter *m = it->from;
    if (SDB_RARELY(--it->until == 0))
        begin_timed_step(it);
    rc = step == SDB_STEP_FORWARD ? m->ops->next(m, err) : m->ops->prev(m, err);
    return rc == 0 && is_easy(it, step) ? 0 : settle(it, step, rc, err);
}

/* `from` went to a key, or to an end, and answered rc. */
static inline int arrive(seerdb_iter *it, enum sdb_step step, int rc, seerdb_err *err)
{
    if (rc != 0 || !is_easy(it, step))
        return settle(it, step, rc, err);
    it->positioned = true;
    return 0;
}

int seerdb_iter_first(seerdb_iter *it, seerdb_err *err)
{
    struct sdb_iter *m = it->from;
    int rc = sdb_check_process(it->db, err);
    if (rc != 0)
        return rc;
    begin_seek(it);
    rc = it->has_lower ? m->ops->seek(m, sdb_buf_slice(&it->lower), err)
                       : m->ops->first(m, err);
    return arrive(it, SDB_STEP_FORWARD, rc, err);
}

int seerdb_iter_last(seerdb_iter *it, seerdb_err *err)
{
    struct sdb_iter *m = it->from;
    int rc = sdb_check_process(it->db, err);
    if (rc != 0)
        return rc;
    begin_seek(it);
    rc = it->has_upper ? m->ops->seek_for_prev(m, sdb_buf_slice(&it->upper), err)
                       : m->ops->last(m, err);
    if (rc == 0 && above(it, m->at.key)) /* the bound itself is outside */
        rc = m->ops->prev(m, err);
    return arrive(it, SDB_STEP_BACKWARD, rc, err);
}

int seerdb_iter_seek(seerdb_iter *it, seerdb_slice k, seerdb_err *err)
{
    int rc = sdb_check_process(it->db, err);
    if (rc != 0)
        return rc;
    if (below(it, k))
        return seerdb_iter_first(it, err);
    begin_seek(it);
    return arrive(it, SDB_STEP_FORWARD, it->from->ops->seek(it->from, k, err), err);
}

int seerdb_iter_seek_for_prev(seerdb_iter *it, seerdb_slice k, seerdb_err *err)
{
    int rc = sdb_check_process(it->db, err);
    if (rc != 0)
        return rc;
    if (above(it, k))
        return seerdb_iter_last(it, err);
    begin_seek(it);
    return arrive(it, SDB_STEP_BACKWARD, it->from->ops->seek_for_prev(it->from, k, err),
                  err);
}

/* Take a free record. */
static int take(seerdb_iter *it)
{
    struct sdb_iter *m = it->from;
    it->free--;
    m->plain--;
    m->slot += (uint32_t)it->step;
    it->in_block = true;
    return 0;
}

int seerdb_iter_next(seerdb_iter *it, seerdb_err *err)
{
    if (it->free > 0 && it->step == SDB_STEP_FORWARD)
        return take(it);
    return step_on(it, SDB_STEP_FORWARD, err);
}

int seerdb_iter_prev(seerdb_iter *it, seerdb_err *err)
{
    if (it->free > 0 && it->step == SDB_STEP_BACKWARD)
        return take(it);
    return step_on(it, SDB_STEP_BACKWARD, err);
}

seerdb_slice seerdb_iter_key(const seerdb_iter *it)
{
    const struct sdb_iter *m = it->from;
    return it->in_block ? sdb_block_key(m->block, m->slot) : m->at.key;
}

static void show_made(const seerdb_iter *it, seerdb_value *out)
{
    *out = it->at;
    if (out->pin == NULL)
        out->pin = it->from->pin;
}

void seerdb_iter_show(const seerdb_iter *it, seerdb_value *out)
{
    const struct sdb_iter *m = it->from;
    if (!it->in_block) {
        if (SDB_RARELY(it->made)) {
            show_made(it, out);
            return;
        }
        *out = (seerdb_value){.bytes = m->at.value, .pin = m->pin, .key = m->at.key};
        return;
    }
    const struct sdb_block *b = m->block;
    seerdb_slice key = sdb_block_key(b, m->slot);
    const uint8_t *value = (const uint8_t *)key.data + key.size;
    const uint8_t *end = b->heap + sdb_block_start(b, m->slot + 1);
    *out = (seerdb_value){
        .bytes = {value, (size_t)(end - value)}, .pin = m->pin, .key = key};
}

seerdb_slice seerdb_iter_value(const seerdb_iter *it)
{
    seerdb_value v;
    seerdb_iter_show(it, &v);
    return v.bytes;
}

seerdb_pin *seerdb_iter_pin(const seerdb_iter *it)
{
    return it->made && it->at.pin != NULL ? it->at.pin : it->from->pin;
}

int seerdb_iter_segment_read(seerdb_iter *it, const seerdb_segment *segment, void *to,
                             seerdb_err *err)
{
    const struct sdb_segment s = {.size = segment->size,
                                  .file = segment->file,
                                  .slot = segment->slot,
                                  .stored = segment->stored,
                                  .check = segment->check};
    seerdb_value row;
    seerdb_segment each;
    unsigned ordinal = 0;
    int rc = sdb_check_process(it->db, err);
    if (rc != 0)
        return rc;
    seerdb_iter_show(it, &row);
    while (seerdb_segments_next(&row.segments, &each) && each.offset != segment->offset)
        ordinal++;
    read_ahead(it, &s, ordinal);
    return sdb_values_read(it->db->values, &s, to, err);
}
