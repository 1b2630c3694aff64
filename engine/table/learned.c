/* SPDX-License-Identifier: Apache-2.0
 *
 * Segments: the greedy cone, one pass and constant memory (J. O'Rourke, "An on-line
 * algorithm for fitting straight lines between data ranges", CACM 24(9), 1981; the
 * "shrinking cone" of A. Galakatos et al., FITing-Tree, SIGMOD 2019; Q. Xie et al.,
 * "Maximum error-bounded Piecewise Linear Representation", VLDB J. 23, 2014, who need a
 * convex hull for the least number of segments and save a fifth to a half of them;
 * these are few enough).  A line starts in its first point, so only the slope is free:
 * each point narrows the slopes that pass within eps of all points so far, and the
 * first point that leaves none opens the next segment.
 *
 * The line is fitted to the first record of each distinct code.  Behind a code with
 * more records than eps, the point (code + 1, rank after them) stands for the codes up
 * to the next one (as in PGM, Ferragina and Vinciguerra, VLDB 2020): they belong there.
 *
 * The bound is two blocks, not a few slots, because a block's codes are compared all at
 * once: a narrower one costs segments (they grow with the square) and saves nothing.
 * The eight fences about a prediction, one or two cache lines, then hold the answer.
 *
 * Arithmetic is in doubles, whose rounding may add a rank to the bound; nothing relies
 * on it.  Membership does rely on the runs, and those are integers.
 *
 * A rank counts 64 slots to each block, full or not, so that it names a place; blocks
 * of large records are rarely full and the steps between them stay within eps. */
#include "table/learned.h"

#include "table/block.h"

#include <assert.h>
#include <math.h>

#define EPS ((double)SDB_LEARNED_EPS)

_Static_assert(sizeof(double) == 8, "on disk");

/* Runs are collected up to one in so many records: past that they would be larger than
 * a filter and slower to ask. */
#define RECORDS_PER_RUN 256u
#define RUNS_FREE       64u

/* How many steps of sixteen a search of n values takes. */
static unsigned steps(uint64_t n)
{
    unsigned k = 0;
    for (; n > 1; n = (n + SDB_LANES - 1) / SDB_LANES)
        k++;
    return k;
}

static void put_double(struct sdb_buf *b, double d)
{
    uint64_t bits;
    memcpy(&bits, &d, sizeof bits);
    sdb_put_u64(b, bits);
}

static double load_double(const uint8_t *p)
{
    uint64_t bits = sdb_load_u64(p);
    double d;
    memcpy(&d, &bits, sizeof d);
    return d;
}

void sdb_learned_builder_fini(struct sdb_learned_builder *b)
{
    sdb_buf_fini(&b->codes);
    sdb_buf_fini(&b->ranks);
    sdb_buf_fini(&b->slopes);
    sdb_buf_fini(&b->firsts);
    sdb_buf_fini(&b->steps);
    sdb_buf_fini(&b->counts);
}

/* ---- segments ------------------------------------------------------------- */

static void open_segment(struct sdb_learned_builder *b, uint64_t code, uint64_t rank)
{
    b->code = code;
    b->rank = rank;
    b->least = 0;
    b->most = INFINITY;
}

static void close_segment(struct sdb_learned_builder *b)
{
    sdb_put_u64(&b->codes, b->code);
    sdb_put_u64(&b->ranks, b->rank);
    /* One point alone has any slope. */
    put_double(&b->slopes, isinf(b->most) ? 0 : (b->least + b->most) / 2);
    b->nsegments++;
}

static void add_point(struct sdb_learned_builder *b, uint64_t code, uint64_t rank)
{
    double dx = (double)(code - b->code), dy = (double)(rank - b->rank);
    double least = (dy - EPS) / dx, most = (dy + EPS) / dx;
    least = least > b->least ? least : b->least;
    most = most < b->most ? most : b->most;
    if (least > most) {
        close_segment(b);
        open_segment(b, code, rank);
        return;
    }
    b->least = least;
    b->most = most;
}

/* ---- runs ----------------------------------------------------------------- */

static void close_run(struct sdb_learned_builder *b)
{
    sdb_put_u64(&b->firsts, b->first);
    sdb_put_u64(&b->steps, b->count == 1 ? 1 : b->step);
    sdb_put_u64(&b->counts, b->count);
    b->nruns++;
}

static void drop_runs(struct sdb_learned_builder *b)
{
    b->irregular = true;
    sdb_buf_fini(&b->firsts);
    sdb_buf_fini(&b->steps);
    sdb_buf_fini(&b->counts);
    b->nruns = 0;
}

/* The first record of a key. */
static void add_key(struct sdb_learned_builder *b, const struct sdb_coder *c,
                    seerdb_slice key, uint64_t code)
{
    if (b->count == 0)
        b->key_size = key.size;
    /* Codes tell such keys apart, all of them: eight bytes after the prefix, or as many
     * as every key has. */
    if (key.size != b->key_size || key.size > (size_t)c->prefix_size + 8 ||
        !sdb_coder_covers(c, key)) {
        drop_runs(b);
        return;
    }
    if (b->count == 1)
        b->step = code - b->last_code;
    if (b->count >= 1 && code - b->last_code == b->step) {
        b->count++;
        return;
    }
    if (b->count >= 1)
        close_run(b);
    b->first = code;
    b->count = 1;
    if (b->nruns > RUNS_FREE && b->nruns > b->records / RECORDS_PER_RUN)
        drop_runs(b);
}

void sdb_learned_add(struct sdb_learned_builder *b, const struct sdb_coder *c,
                     seerdb_slice key, uint64_t code, uint64_t rank, bool older)
{
    bool first = b->records == 0;
    assert(first || (code >= b->last_code && rank > b->last_rank));
    if (!older && !b->irregular)
        add_key(b, c, key, code);
    b->records++;
    if (first) {
        open_segment(b, code, rank);
    } else if (code == b->last_code) {
        return;
    } else {
        if (rank - b->last_rank > SDB_LEARNED_EPS && code > b->last_code + 1)
            add_point(b, b->last_code + 1, rank);
        add_point(b, code, rank);
    }
    b->last_code = code;
    b->last_rank = rank;
}

/* The line and the fences about its prediction cost as much as two steps of a search
 * through the fences alone, the search for the segment comes on top; and the first four
 * steps are cheap, because what they read stays in the nearest cache.  learned_bench,
 * ns with and without: one segment 15 and 26; 7 in 4,700 blocks 19 and 17; 23 in 15,600
 * blocks 25 and 23; 111 in 78,000 blocks 26 and 29. */
static bool segments_pay(uint64_t nsegments, uint64_t nblocks)
{
    unsigned model = steps(nsegments), fences = steps(nblocks);
    return model + 3 <= fences && (nsegments == 1 || fences >= 5);
}

struct sdb_learned_worth sdb_learned_finish(struct sdb_learned_builder *b,
                                            uint64_t nblocks)
{
    assert(b->records > 0);
    close_segment(b);
    if (!b->irregular && b->count > 0)
        close_run(b);
    return (struct sdb_learned_worth){
        .segments = segments_pay(b->nsegments, nblocks),
        .runs = !b->irregular && b->nruns <= 1 + b->records / RECORDS_PER_RUN,
    };
}

static void append(struct sdb_buf *out, const struct sdb_buf *part)
{
    sdb_buf_append_slice(out, sdb_buf_slice(part));
    out->failed |= part->failed;
}

void sdb_learned_encode(const struct sdb_learned_builder *b,
                        struct sdb_learned_worth parts, struct sdb_buf *out)
{
    sdb_put_u32(out, parts.segments ? b->nsegments : 0);
    sdb_put_u32(out, parts.segments ? SDB_LEARNED_EPS : 0);
    sdb_put_u32(out, parts.runs ? b->nruns : 0);
    sdb_put_u32(out, parts.runs ? (uint32_t)b->key_size : 0);
    sdb_buf_zeros(out, SDB_LEARNED_HEADER - 16);
    if (parts.segments) {
        append(out, &b->codes);
        append(out, &b->ranks);
        append(out, &b->slopes);
    }
    if (parts.runs) {
        append(out, &b->firsts);
        append(out, &b->steps);
        append(out, &b->counts);
    }
}

/* ---- reading -------------------------------------------------------------- */

static uint64_t at(const uint8_t *column, size_t i)
{
    return sdb_load_u64(column + 8 * i);
}

static bool segments_are_sound(const struct sdb_learned *l, uint64_t nblocks)
{
    for (uint32_t i = 0; i < l->nsegments; i++) {
        double slope = load_double(l->slopes + 8 * (size_t)i);
        uint64_t rank = at(l->ranks, i);
        if (!isfinite(slope) || slope < 0 || rank >= nblocks * SDB_BLOCK_SLOTS)
            return false;
        if (i > 0 &&
            (at(l->codes, i - 1) >= at(l->codes, i) || at(l->ranks, i - 1) > rank))
            return false;
    }
    return true;
}

static bool runs_are_sound(const struct sdb_learned *l, uint64_t records)
{
    uint64_t last = 0, keys = 0;
    for (uint32_t i = 0; i < l->nruns; i++) {
        uint64_t first = at(l->firsts, i), step = at(l->steps, i),
                 count = at(l->counts, i), span;
        if (step == 0 || count == 0 || count > records || (i > 0 && first <= last) ||
            __builtin_mul_overflow(step, count - 1, &span) ||
            __builtin_add_overflow(first, span, &last))
            return false;
        keys += count;
    }
    return keys <= records;
}

int sdb_learned_parse(struct sdb_learned *l, seerdb_slice bytes, uint64_t nblocks,
                      uint64_t records, seerdb_err *err)
{
    struct sdb_reader r = sdb_reader_init(bytes);
    int rc;
    *l = (struct sdb_learned){.nsegments = sdb_get_u32(&r)};
    l->eps = sdb_get_u32(&r);
    l->nruns = sdb_get_u32(&r);
    l->key_size = sdb_get_u32(&r);
    uint64_t a = sdb_get_u64(&r), b = sdb_get_u64(&r);
    l->codes = sdb_get_bytes(&r, (size_t)l->nsegments * 8).data;
    l->ranks = sdb_get_bytes(&r, (size_t)l->nsegments * 8).data;
    l->slopes = sdb_get_bytes(&r, (size_t)l->nsegments * 8).data;
    l->firsts = sdb_get_bytes(&r, (size_t)l->nruns * 8).data;
    l->steps = sdb_get_bytes(&r, (size_t)l->nruns * 8).data;
    l->counts = sdb_get_bytes(&r, (size_t)l->nruns * 8).data;
    if (!sdb_reader_done(&r) || (a | b) != 0 || (l->nsegments | l->nruns) == 0 ||
        (l->nsegments > 0) != (l->eps > 0) || l->key_size > SEERDB_KEY_MAX ||
        (l->nruns == 0 && l->key_size > 0) || !segments_are_sound(l, nblocks) ||
        !runs_are_sound(l, records))
        return 1;
    if (l->nsegments > 0 &&
        (rc = sdb_search16_init(&l->segments, l->codes, l->nsegments, err)) != 0)
        return rc;
    return l->nruns == 0 ? 0 : sdb_search16_init(&l->runs, l->firsts, l->nruns, err);
}

void sdb_learned_fini(struct sdb_learned *l)
{
    sdb_search16_fini(&l->segments);
    sdb_search16_fini(&l->runs);
}

uint64_t sdb_learned_keys(const struct sdb_learned *l)
{
    uint64_t keys = 0;
    for (uint32_t i = 0; i < l->nruns; i++)
        keys += at(l->counts, i);
    return keys;
}

size_t sdb_learned_memory(const struct sdb_learned *l)
{
    return l->segments.upper_size + l->runs.upper_size;
}

/* The last element of the column <= value; n if there is none. */
static size_t last_upto(const struct sdb_search16 *s, size_t n, uint64_t value)
{
    if (n == 1)
        return sdb_load_u64(s->levels[0]) <= value ? 0 : 1;
    size_t after = value == UINT64_MAX ? n : sdb_search16_first(s, value + 1);
    return after > 0 ? after - 1 : n;
}

uint64_t sdb_learned_rank(const struct sdb_learned *l, uint64_t code, uint64_t last)
{
    size_t i = last_upto(&l->segments, l->nsegments, code);
    if (i == l->nsegments)
        return at(l->ranks, 0);
    uint64_t first = at(l->ranks, i),
             limit = i + 1 < l->nsegments ? at(l->ranks, i + 1) : last;
    double rise = load_double(l->slopes + 8 * i) * (double)(code - at(l->codes, i));
    /* As doubles: the product may be beyond any integer. */
    return rise < (double)(limit - first) ? first + (uint64_t)rise : limit;
}

bool sdb_learned_has(const struct sdb_learned *l, const struct sdb_coder *c,
                     seerdb_slice key, uint64_t code)
{
    if (key.size != l->key_size || !sdb_coder_covers(c, key))
        return false;
    size_t i = last_upto(&l->runs, l->nruns, code);
    if (i == l->nruns)
        return false;
    uint64_t away = code - at(l->firsts, i), step = at(l->steps, i);
    return away / step < at(l->counts, i) && away % step == 0;
}
