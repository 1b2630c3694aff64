/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/engine_cases.h"

#include <inttypes.h>

enum { READ_SAMPLING = 8 }; /* a clock costs a tenth of a fast read */

static seerdb_slice slice_of(const struct bench_key *k)
{
    return (seerdb_slice){k->bytes, k->size};
}

void engine_open(struct engine *e, struct bench_job *job, const char *name,
                 const struct bench_setup *setup, enum bench_key_set keys)
{
    struct bench_setup own = *setup;
    *e = (struct engine){.job = job, .ops = job->rival->ops, .keys = keys};
    snprintf(e->dir, sizeof e->dir, "%s/%s", job->dir, name);
    bench_make_dir(e->dir);
    own.dir = e->dir;
    e->db = e->ops->open(&own, e->ops->variant);
    e->reader = e->ops->reader_open(e->db);
    e->random = job->round + 1;
    job->io = e->ops->io;
    job->io_ctx = e->db;
}

void engine_close(struct engine *e)
{
    e->job->io = NULL;
    e->ops->reader_close(e->reader);
    e->ops->close(e->db);
    bench_remove_tree(e->dir);
}

uint64_t engine_random(struct engine *e)
{
    return bench_mix(e->random++ * 0x2545f4914f6cdd1du);
}

void engine_put(struct engine *e, uint64_t i)
{
    struct bench_key k;
    uint8_t value[BENCH_VALUE];
    bench_key_make(e->keys, i, BENCH_HIT, &k);
    bench_value_make(k.bytes, k.size, e->version, value);
    e->ops->put(e->db, slice_of(&k), (seerdb_slice){value, sizeof value});
    e->job->user_bytes += (double)(k.size + sizeof value);
}

void engine_get(struct engine *e, uint64_t i, enum bench_presence presence)
{
    struct bench_key k;
    seerdb_slice value = {NULL, 0};
    bench_key_make(e->keys, i, presence, &k);
    bool found = e->ops->get(e->reader, slice_of(&k), &value);
    if (found != (presence == BENCH_HIT))
        bench_die("%s: row %" PRIu64 " was %s", e->job->rival->name, i,
                  found ? "found and is not there" : "not found");
    if (found && !bench_value_belongs(k.bytes, k.size, value.data, value.size))
        bench_die("%s: row %" PRIu64 " has a wrong value", e->job->rival->name, i);
}

/* Where the cursor stands, into the job's sum. */
static void take_row(struct engine *e)
{
    seerdb_slice key, value;
    e->ops->at(e->reader, &key, &value);
    if (key.size < BENCH_KEY || value.size != BENCH_VALUE)
        bench_die("%s: a row of %zu and %zu bytes", e->job->rival->name, key.size,
                  value.size);
    e->job->sum += bench_row_sum(key.data, value.data);
}

uint64_t engine_range(struct engine *e, uint64_t i, unsigned n)
{
    struct bench_key k;
    uint64_t rows = 0;
    bench_key_make(e->keys, i, BENCH_HIT, &k);
    e->ops->cursor_open(e->reader);
    bool valid = e->ops->seek(e->reader, slice_of(&k));
    if (!valid)
        bench_die("%s: a seek does not find row %" PRIu64, e->job->rival->name, i);
    for (; valid && rows < n; rows++) {
        take_row(e);
        if (rows + 1 < n)
            valid = e->ops->next(e->reader);
    }
    e->ops->cursor_close(e->reader);
    return rows;
}

void engine_flush(struct engine *e)
{
    if (e->ops->flush != NULL)
        e->ops->flush(e->db);
}

void engine_compact(struct engine *e)
{
    if (e->ops->compact != NULL)
        e->ops->compact(e->db);
}

/* ---- cases ---- */

static void write_rows(struct engine *e, const char *name, uint64_t n,
                       unsigned per_commit, bool fresh)
{
    struct bench_latency *l = &e->job->latency;
    uint64_t old = e->rows;
    bench_case_begin(e->job, name, 1);
    for (uint64_t done = 0; done < n;) {
        bench_begin(l);
        for (unsigned i = 0; i < per_commit && done < n; i++, done++)
            engine_put(e, fresh ? e->rows++ : engine_random(e) % old);
        e->ops->commit(e->db);
        bench_end(l);
    }
    bench_case_end(e->job, n);
}

void engine_fill(struct engine *e, const char *name, uint64_t n, unsigned per_commit)
{
    write_rows(e, name, n, per_commit, true);
}

void engine_overwrite(struct engine *e, const char *name, uint64_t n,
                      unsigned per_commit)
{
    e->version++;
    write_rows(e, name, n, per_commit, false);
}

void engine_settle(struct engine *e, const char *name)
{
    if (e->ops->compact == NULL)
        return;
    bench_case_begin(e->job, name, 1);
    engine_compact(e);
    bench_case_end(e->job, 1);
}

void engine_gets(struct engine *e, const char *name, uint64_t n,
                 enum bench_presence presence)
{
    struct bench_latency *l = &e->job->latency;
    bench_case_begin(e->job, name, READ_SAMPLING);
    for (uint64_t i = 0; i < n; i++) {
        uint64_t row = engine_random(e) % e->rows;
        bench_begin(l);
        engine_get(e, row, presence);
        bench_end(l);
    }
    bench_case_end(e->job, n);
}

void engine_ranges(struct engine *e, const char *name, uint64_t n, unsigned length)
{
    struct bench_latency *l = &e->job->latency;
    bench_case_begin(e->job, name, 1);
    for (uint64_t i = 0; i < n; i++) {
        uint64_t row = engine_random(e) % e->rows;
        bench_begin(l);
        engine_range(e, row, length);
        bench_end(l);
    }
    bench_case_end(e->job, n);
}

void engine_scan(struct engine *e, const char *name, enum engine_direction direction)
{
    const struct bench_rival_ops *ops = e->ops;
    bool (*move)(void *) = direction == ENGINE_FORWARD ? ops->next : ops->prev;
    uint64_t rows = 0;
    bench_case_begin(e->job, name, 1);
    ops->cursor_open(e->reader);
    bool valid =
        direction == ENGINE_FORWARD ? ops->first(e->reader) : ops->last(e->reader);
    for (; valid; valid = move(e->reader), rows++)
        take_row(e);
    ops->cursor_close(e->reader);
    bench_case_end(e->job, rows);
    if (rows != e->rows)
        bench_die("%s: a scan gave %" PRIu64 " rows of %" PRIu64, e->job->rival->name,
                  rows, e->rows);
}
