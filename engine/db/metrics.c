/* SPDX-License-Identifier: Apache-2.0
 *
 * The statistics that seerdb_stats lists, and what this build is made of.
 *
 * A statistic is one line: of a part that counts in struct sdb_counters or through
 * os/file one in a table here, else one say(). */
#include "base/codec.h"
#include "base/hash.h"
#include "db/state.h"
#include "db/vlog_gc.h"

#include <stdio.h>

struct lister {
    bool (*each)(void *ctx, const seerdb_stat *stat);
    void *ctx;
    bool stopped;
};

static void say(struct lister *l, const char *name, double value, const char *unit,
                const char *meaning)
{
    seerdb_stat stat = {name, value, unit, meaning};
    if (!l->stopped)
        l->stopped = !l->each(l->ctx, &stat);
}

static double counted(const _Atomic uint64_t *counter)
{
    return (double)atomic_load_explicit(counter, memory_order_relaxed);
}

static double ratio(double a, double b)
{
    return b > 0 ? a / b : 0;
}

/* ---- operations -------------------------------------------------------------------
 */

#define QUANTILES 5
static const unsigned permille[QUANTILES] = {500, 900, 990, 999, 1000};

/* One line per kind: its name, what is counted and what timed, and how much of it. */
#define OP(name, counted, what, timed)                                                 \
    {                                                                                  \
        name "_count", counted,                                                        \
            {name "_p50", name "_p90", name "_p99", name "_p999", name "_max"},        \
        {                                                                              \
            "half of " what " took no longer" timed,                                   \
                "nine of ten of " what " took no longer" timed,                        \
                "99 of 100 of " what " took no longer" timed,                          \
                "999 of 1000 of " what " took no longer" timed,                        \
                "the longest of " what timed                                           \
        }                                                                              \
    }
#define EACH      "; within 3 percent"
#define ONE_OF(n) "; within 3 percent, of one in " n " that is timed"
static const struct op_names {
    const char *count, *counted, *at[QUANTILES], *meaning[QUANTILES];
} ops[SDB_OPS] = {
    [SDB_OP_GET] =
        OP("get", "point lookups since the open", "point lookups", ONE_OF("64")),
    [SDB_OP_SEEK] = OP("seek", "moves of scans to a key or an end since the open",
                       "scans' moves to a key or an end", ONE_OF("64")),
    [SDB_OP_SCAN] =
        OP("scan", "moves of scans to the next batch of rows since the open",
           "scans' moves to the next batch of rows", ONE_OF("64")),
    [SDB_OP_PUT] = OP("put", "records that commits put, one per key of each",
                      "records put into transactions", ONE_OF("64")),
    [SDB_OP_DELETE] = OP("delete", "keys and ranges that commits deleted",
                         "tombstones put into transactions", ONE_OF("64")),
    [SDB_OP_MERGE] = OP("merge", "merges that commits held, one per key of each",
                        "merges put into transactions", ONE_OF("64")),
    [SDB_OP_FLUSH] = OP("flush", "flushes since the open", "flushes", EACH),
    [SDB_OP_COMPACTION] =
        OP("compaction", "compactions since the open", "compactions", EACH),
    [SDB_OP_COMMIT] = OP("commit", "commits since the open",
                         "commits, without what SQLite did in between", ONE_OF("8")),
};
static const struct op_names syncs =
    OP("sync", "syncs of the log since the open", "syncs of the log", EACH);

static void say_times(const struct op_names *op, double count,
                      const struct sdb_histogram *h, struct lister *l)
{
    say(l, op->count, count, "count", op->counted);
    for (int i = 0; i < QUANTILES; i++) {
        uint64_t ns = h == NULL             ? 0
                      : permille[i] == 1000 ? sdb_histogram_greatest(h)
                                            : sdb_histogram_at(h, permille[i]);
        say(l, op->at[i], (double)ns / 1e3, "us", op->meaning[i]);
    }
}

/* ---- sums -------------------------------------------------------------------------
 */

/* What trees come to: one, or all of a store. */
struct sum {
    struct sdb_tally reads;
    size_t views; /* open */
    double puts, deletes, merges, ranges, bytes;
    double flushed_from, flushed, compacted_from, compacted;
    double tables, table_bytes, raw_bytes, records, runs, bottom; /* live, at most: of
                                                                     the largest run */
    double runs_read; /* that a lookup may have to look at */
    size_t meters;
    struct sdb_table_stats index;
    struct sdb_histogram *times; /* owned; of SDB_OPS; NULL: of one tree, which has its
                                    own */
};

static void add_version(struct sum *s, const struct sdb_version *v)
{
    struct sdb_table_stats one;
    const struct sdb_run *largest = NULL;
    double stale = 0, records = 0;
    for (size_t i = 0; i < v->nmembers; i++) {
        s->raw_bytes += (double)v->members[i]->desc.key_bytes +
                        (double)v->members[i]->desc.value_bytes;
        sdb_table_stats(v->members[i]->table, &one);
        sdb_table_counts_add(&s->reads.lookups, one.counts);
        s->index.memory += one.memory;
        s->index.mapped += one.mapped;
        s->index.filter_bytes += one.filter_bytes;
        s->index.model_bytes += one.model_bytes;
        s->index.filter_keys += one.filter_keys;
        s->index.segments += one.segments;
        s->index.runs += one.runs;
    }
    for (uint32_t i = 0; i < v->nruns; i++)
        if (largest == NULL || v->runs[i].bytes > largest->bytes)
            largest = &v->runs[i];
    for (uint32_t i = 0; largest != NULL && i < largest->n; i++) {
        const struct sdb_table_desc *d = &v->members[largest->first + i]->desc;
        records += (double)d->records;
        stale += (double)d->tombstones + (double)d->superseded;
    }
    if (largest != NULL && records > 0)
        s->bottom += (double)largest->bytes * (records - stale) / records;
    s->tables += (double)v->nmembers;
    s->table_bytes += (double)v->bytes;
    s->records += (double)v->records;
    s->runs += v->nruns;
}

static void add_tree(struct sum *s, seerdb_tree *t) REQUIRES(LK_DB)
{
    const struct sdb_written *w = &t->written;
    sdb_tallies_sum(&t->tallies, &s->reads, &s->views);
    s->puts += counted(&w->puts);
    s->deletes += counted(&w->deletes);
    s->merges += counted(&w->merges);
    s->ranges += counted(&w->ranges);
    s->bytes += counted(&w->bytes);
    s->flushed_from += counted(&w->flushed_from);
    s->flushed += counted(&w->flushed);
    s->compacted_from += counted(&w->compacted_from);
    s->compacted += counted(&w->compacted);
    s->meters += sdb_meter_memory(&t->meter);
    for (int i = 0; i < SDB_OPS && s->times != NULL; i++)
        if (sdb_meter_of(&t->meter, (enum sdb_op)i) != NULL)
            sdb_histogram_merge(&s->times[i], sdb_meter_of(&t->meter, (enum sdb_op)i));
    if (!t->dropped) {
        add_version(s, t->state->version);
        s->runs_read += (double)t->state->nmemtables + t->state->version->nruns;
    }
}

static double reads_of(const struct sum *s, enum sdb_tally_of what)
{
    return counted(&s->reads.n[what]);
}

/* What belongs to trees; `of` is the tree, NULL: all of them, whose times are in s. */
static void say_ops(const struct sum *s, const seerdb_tree *of, struct lister *l)
{
    const double counts[SDB_OPS] = {
        [SDB_OP_GET] = reads_of(s, SDB_TALLY_GETS),
        [SDB_OP_SEEK] = reads_of(s, SDB_TALLY_SEEKS),
        [SDB_OP_SCAN] = reads_of(s, SDB_TALLY_MOVES),
        [SDB_OP_PUT] = s->puts,
        [SDB_OP_DELETE] = s->deletes + s->ranges,
        [SDB_OP_MERGE] = s->merges,
    };
    for (int i = 0; i < SDB_OP_COMMIT; i++) {
        const struct sdb_histogram *h =
            of != NULL ? sdb_meter_of(&of->meter, (enum sdb_op)i) : &s->times[i];
        bool each = i == SDB_OP_FLUSH || i == SDB_OP_COMPACTION;
        double n = each && h != NULL ? (double)sdb_histogram_count(h) : counts[i];
        say_times(&ops[i], n, h, l);
    }
    say(l, "scan_rows", reads_of(s, SDB_TALLY_ROWS), "count",
        "rows that scans came to");
    say(l, "written_bytes", s->bytes, "bytes",
        "keys and values of records committed since the open");
    say(l, "tree_flush_written", s->flushed, "bytes",
        "sorted tables that flushes made");
    say(l, "tree_compaction_read", s->compacted_from, "bytes",
        "sorted tables that compactions took");
    say(l, "tree_compaction_written", s->compacted, "bytes",
        "sorted tables that compactions made");
    say(l, "table_write_amplification", ratio(s->flushed + s->compacted, s->bytes), "",
        "bytes of sorted tables written per byte of records committed");
    say(l, "space_amplification", ratio(s->table_bytes, s->bottom), "",
        "bytes of sorted tables per byte of what the largest run of each has alive: at "
        "most");
    say(l, "read_amplification", s->runs_read, "count",
        "memtables and sorted runs that a lookup may have to look at");
    say(l, "views", (double)s->views, "count", "reads under way");
    uint64_t since = sdb_counted(&s->reads.since_us), now = sdb_clock_coarse_us();
    say(l, "oldest_view", since != 0 && now > since ? (double)(now - since) / 1e6 : 0,
        "seconds", "how long the oldest of them has been open");
}

static void say_index(const struct sum *s, struct lister *l)
{
    const struct sdb_table_stats *x = &s->index;
    const struct sdb_table_counts *c = &s->reads.lookups;
    double passed = counted(&c->filter_passed), negative = counted(&c->filter_negative);
    double checked = counted(&c->model_checked);
    say(l, "mapped_bytes", (double)x->mapped, "bytes",
        "of their files, read through maps");
    say(l, "index_memory", (double)x->memory, "bytes",
        "memory of their indexes, models and filters");
    say(l, "index_per_record", ratio((double)(x->memory - x->filter_bytes), s->records),
        "bytes", "memory of indexes and models per record");
    say(l, "model_bytes", (double)x->model_bytes, "bytes", "of it, models of the keys");
    say(l, "model_segments", (double)x->segments, "count",
        "straight lines from key to place; 0: searched by a tree");
    say(l, "model_runs", (double)x->runs, "count",
        "arithmetic progressions that are all the keys of their tables");
    say(l, "model_predictions", checked * SDB_MODEL_EVERY, "count",
        "point lookups in tables that a model placed; an estimate, from one in 512");
    say(l, "model_error", ratio(counted(&c->model_off), checked), "blocks",
        "how far a prediction is from the block that has the key, on average; of one "
        "in "
        "512");
    say(l, "model_corrections", counted(&c->corrected), "count",
        "searches since the open for which a model was no help");
    say(l, "model_negatives", counted(&c->runs_negative), "count",
        "lookups since the open that a model's runs answered: not there");
    say(l, "filter_memory", (double)x->filter_bytes, "bytes", "memory of the filters");
    say(l, "filter_keys", (double)x->filter_keys, "count", "keys in the filters");
    say(l, "filter_checks", passed + negative, "count",
        "lookups in a table since the open that asked its filter");
    say(l, "filter_negatives", negative, "count",
        "lookups since the open that a filter answered: not there");
    say(l, "filter_false_positives", counted(&c->filter_false), "count",
        "lookups since the open that a filter let pass in vain");
}

/* ---- one tree ---------------------------------------------------------------------
 */

static void say_filter(const seerdb_tree *t, struct lister *l)
{
    const struct sdb_sieve *sieve =
        atomic_load_explicit(&t->sieve, memory_order_acquire);
    say(l, "filter_removed", sieve != NULL ? counted(&sieve->removed) : 0, "count",
        "expired or filtered rows that flushes and compactions dropped since the open");
    say(l, "filter_failures", sieve != NULL ? counted(&sieve->failed) : 0, "count",
        "rows that they kept because ttl or filter could not be evaluated");
}

static void say_values(seerdb_tree *t, struct lister *l)
{
    struct sdb_gc_space s;
    sdb_vlog_space(t, &s);
    say(l, "value_files", (double)s.files, "count",
        "files of the value log that sorted tables name");
    say(l, "value_bytes", (double)s.bytes, "bytes", "size of these files");
    say(l, "value_live_bytes", (double)s.live, "bytes",
        "of it, what tables name; the rest is garbage");
}

static void say_tree(seerdb_tree *t, struct lister *l)
{
    seerdb *db = t->db;
    struct sum sum = {0};
    uint64_t memory = 0, records = 0, ranges = 0, blocks = 0;
    sdb_lock_db(&db->lock);
    struct sdb_read_state *s = sdb_read_state_ref(t->state);
    add_tree(&sum, t);
    sdb_unlock_db(&db->lock);
    for (size_t i = 0; i < s->nmemtables; i++) {
        memory += sdb_memtable_bytes(s->memtables[i]);
        records += sdb_memtable_records(s->memtables[i]);
        ranges += sdb_memtable_nranges(s->memtables[i]);
    }
    for (size_t i = 0; i < s->version->nmembers; i++)
        blocks += sdb_table_properties(s->version->members[i]->table)->blocks;
    say(l, "last_commit", counted(&t->last_commit), "",
        "number of the table's last commit");
    say(l, "memtable_records", (double)records, "count", "versions in memory");
    say(l, "memtable_ranges", (double)ranges, "count", "range tombstones in memory");
    say(l, "memtable_memory", (double)memory, "bytes", "memory of the memtables");
    say(l, "tables", (double)s->version->nmembers, "count", "sorted tables on disk");
    say(l, "table_runs", sum.runs, "count", "sorted runs that they form");
    say(l, "table_records", (double)s->version->records, "count", "records in them");
    say(l, "table_tombstones", (double)s->version->tombstones, "count",
        "of these, deletions");
    say(l, "table_ranges", (double)s->version->ranges, "count",
        "range tombstones in them");
    say(l, "table_blocks", (double)blocks, "count", "data blocks in them");
    say(l, "table_bytes", (double)s->version->bytes, "bytes", "size of their files");
    say(l, "table_raw_bytes", sum.raw_bytes, "bytes",
        "keys and values before compression");
    sdb_read_state_unref(s);
    say_index(&sum, l);
    say_ops(&sum, t, l);
    say_filter(t, l);
    say_values(t, l);
}

/* ---- the store --------------------------------------------------------------------
 */

/* Bytes and syncs of this store, as os/file counts them: one line each. */
#define IO(kind, purpose) offsetof(struct sdb_fs_counters, kind[SDB_FOR_##purpose])
static const struct {
    const char *name, *unit, *meaning;
    size_t at;
} io[] = {
    {"log_written", "bytes", "written to the commit log", IO(written, LOG)},
    {"flush_written", "bytes", "written to tables by flushes", IO(written, FLUSH)},
    {"compaction_written", "bytes", "written to tables by compactions",
     IO(written, COMPACTION)},
    {"compaction_read", "bytes", "read from tables by compactions",
     IO(read, COMPACTION)},
    {"manifest_written", "bytes", "written to manifests", IO(written, MANIFEST)},
    {"value_log_written", "bytes", "written to the value log", IO(written, VLOG)},
    {"value_log_read", "bytes", "read from the value log", IO(read, VLOG)},
    {"table_read", "bytes", "read from tables for queries", IO(read, READ)},
    {"verify_read", "bytes", "read from tables to verify them", IO(read, VERIFY)},
    {"log_syncs", "count", "syncs of the commit log", IO(syncs, LOG)},
};

static void say_io(const seerdb *db, const struct sum *s, struct lister *l)
{
    const struct sdb_fs_counters *c = &db->fs->counters;
    double written = 0,
           asked = reads_of(s, SDB_TALLY_GETS) + reads_of(s, SDB_TALLY_ROWS);
    for (size_t i = 0; i < sizeof io / sizeof io[0]; i++) {
        const void *at = (const uint8_t *)c + io[i].at;
        say(l, io[i].name, counted(at), io[i].unit, io[i].meaning);
    }
    for (int i = 0; i < SDB_NPURPOSES; i++)
        written += counted(&c->written[i]);
    say(l, "write_amplification", ratio(written, s->bytes), "",
        "bytes written to files per byte of records committed, the log's first among "
        "them");
    say(l, "read_bytes_per_row",
        ratio(counted(&c->read[SDB_FOR_READ]) + counted(&c->read[SDB_FOR_VLOG]), asked),
        "bytes", "read from files per point lookup and row of a scan");
    say_times(&syncs, (double)sdb_histogram_count(&db->files.log_syncs),
              &db->files.log_syncs, l);
}

/* What is counted in struct sdb_counters: one line each. */
#define COUNTER(field) offsetof(struct sdb_counters, field)
static const struct {
    const char *name, *meaning;
    size_t at;
} counters[] = {
    {"commits", "transactions committed since the open", COUNTER(commits)},
    {"flushes", "memtables written to tables", COUNTER(flushes)},
    {"flush_failures", "flushes that failed", COUNTER(flush_failures)},
    {"asides", "side files written, for tables whose database does not come",
     COUNTER(asides)},
    {"compactions", "merges of sorted tables", COUNTER(compactions)},
    {"moves", "sorted tables that went to another level as they were", COUNTER(moves)},
    {"compaction_failures", "compactions that failed", COUNTER(compaction_failures)},
    {"replayed", "records that the open found in the log", COUNTER(replayed)},
    {"spills", "tables written by transactions that outgrew their share of memory",
     COUNTER(spills)},
};

static void say_counters(const seerdb *db, const struct sum *s, struct lister *l)
{
    say(l, "gets", reads_of(s, SDB_TALLY_GETS), "count",
        "point lookups since the open");
    say(l, "iterators", reads_of(s, SDB_TALLY_ITERATORS), "count",
        "scans opened since the open");
    say(l, "puts", s->puts, "count", "records written since the open");
    say(l, "deletes", s->deletes + s->ranges, "count",
        "tombstones written since the open");
    say(l, "merges", s->merges, "count", "merge operands written since the open");
    for (size_t i = 0; i < sizeof counters / sizeof counters[0]; i++) {
        const void *at = (const uint8_t *)&db->counters + counters[i].at;
        say(l, counters[i].name, counted(at), "count", counters[i].meaning);
    }
    const struct sdb_histogram *h = sdb_meter_of(&db->meter, SDB_OP_COMMIT);
    say_times(&ops[SDB_OP_COMMIT], counted(&db->counters.commits), h, l);
}

static void say_stalls(const struct sdb_counters *c, struct lister *l)
{
    double stalls = 0, seconds = 0;
    for (int i = 0; i < SDB_NSTALLS; i++) {
        stalls += counted(&c->stalls[i]);
        seconds += counted(&c->stall_us[i]) / 1e6;
    }
    say(l, "stalls", stalls, "count", "commits that waited for background work");
    say(l, "stall_time", seconds, "seconds", "time lost to such waits");
    say(l, "stall_time_memory", counted(&c->stall_us[SDB_STALL_MEMORY]) / 1e6,
        "seconds", "of it, because memtables waited for their flush");
    say(l, "stall_time_level0", counted(&c->stall_us[SDB_STALL_LEVEL0]) / 1e6,
        "seconds", "of it, because level 0 had too many runs");
    say(l, "stall_time_debt", counted(&c->stall_us[SDB_STALL_DEBT]) / 1e6, "seconds",
        "of it, in small delays because compaction was behind");
}

/* Of the store as it is now. */
struct now {
    size_t frozen, tables, memtables;
    uint64_t trees, log_bytes;
    int failure;
    unsigned threads;
    bool busy, paused, read_only;
};

static void look(seerdb *db, struct now *n, struct sum *s) REQUIRES(LK_DB)
{
    n->frozen = db->frozen_bytes;
    n->busy = db->jobs != NULL;
    for (seerdb_tree *t = db->trees; t != NULL; t = t->next) {
        add_tree(s, t);
        n->trees += t->dropped ? 0 : 1;
        n->busy = n->busy || t == db->compacting ||
                  (t->debt.look && t->debt.look_at_us == 0 && !t->dropped &&
                   !db->compaction_paused);
        n->tables += t->state->version->memory + t->map_memory;
        n->memtables += sdb_memtable_bytes(t->state->memtables[0]);
    }
    n->paused = db->compaction_paused;
    n->read_only = seerdb_is_read_only(db);
    n->log_bytes = db->wal != NULL ? sdb_wal_live_bytes(db->wal) : db->log_bytes;
    n->failure = db->bg_err.code != 0 ? db->bg_err.code : db->job_err.code;
    n->threads = (db->worker.started ? 1u : 0) + (db->compactor.started ? 1u : 0);
}

static void say_memory(const seerdb *db, const struct now *n, const struct sum *s,
                       struct lister *l)
{
    struct sdb_cache_counters cache;
    size_t batches = atomic_load_explicit(&db->batch_bytes, memory_order_relaxed);
    size_t meters = s->meters + sdb_meter_memory(&db->meter) + sizeof *db;
    sdb_cache_count(db->cache, &cache);
    say(l, "memory_limit", (double)db->memory_limit, "bytes",
        "the store's memory budget");
    say(l, "memory_used",
        (double)(n->frozen + n->memtables + n->tables + batches + cache.bytes + meters),
        "bytes", "what the parts below have of it");
    say(l, "frozen_memory", (double)n->frozen, "bytes",
        "memtables waiting for their flush");
    say(l, "active_memory", (double)n->memtables, "bytes",
        "memtables that take commits");
    say(l, "table_memory", (double)n->tables, "bytes",
        "indexes, filters and maps of tables");
    say(l, "batch_memory", (double)batches, "bytes",
        "what open transactions have written and hold in memory");
    say(l, "cache_memory", (double)cache.bytes, "bytes", "blocks of tables in memory");
    say(l, "metrics_memory", (double)meters, "bytes",
        "these measurements, and the store itself");
    say(l, "pool_memory", db->pages != NULL ? (double)sdb_pages_bytes(db->pages) : 0,
        "bytes", "huge pages that blocks and memtables share, in use or spare");
    say(l, "cache_capacity", (double)cache.capacity, "bytes",
        "what memtables leave to the cache now");
    say(l, "cache_hits", (double)cache.hits, "count", "blocks found in memory");
    say(l, "cache_misses", (double)cache.misses, "count", "blocks read from files");
    say(l, "cache_evictions", (double)cache.evictions, "count",
        "blocks that had to make room");
}

static void say_store(seerdb *db, const struct now *n, const struct sum *s,
                      struct lister *l)
{
    say_counters(db, s, l);
    say_stalls(&db->counters, l);
    say(l, "background_busy", n->busy && !n->read_only ? 1 : 0, "",
        "1 while background work is queued");
    say(l, "background_failure", (double)n->failure, "",
        "result code of the failure that holds back background work; 0: none");
    say(l, "threads", (double)n->threads, "count", "background threads of the store");
    say(l, "read_only", n->read_only ? 1 : 0, "",
        "1 while the store is open for reading only");
    say(l, "trees", (double)n->trees, "count",
        "tables of the store, in the sense of SQL");
    say(l, "compaction_paused", n->paused ? 1 : 0, "", "1 while compaction is paused");
    say_memory(db, n, s, l);
    say(l, "log_bytes", (double)n->log_bytes, "bytes",
        "log files that hold something not yet in tables");
    say_io(db, s, l);
}

int seerdb_stats(seerdb *db, seerdb_tree *tree,
                 bool (*each)(void *ctx, const seerdb_stat *stat), void *ctx,
                 seerdb_err *err)
{
    struct lister l = {each, ctx, false};
    struct sum all = {0};
    struct now now = {0};
    int rc = sdb_check_process(db, err);
    if (rc != 0)
        return rc;
    if (tree == NULL && (all.times = sdb_array_new(SDB_OPS, sizeof *all.times)) == NULL)
        return sdb_fail_nomem(err, SDB_OPS * sizeof *all.times);
    sdb_lock_db(&db->lock);
    look(db, &now, &all);
    sdb_unlock_db(&db->lock);
    if (tree != NULL) {
        say_tree(tree, &l);
    } else {
        say_index(&all, &l);
        say_ops(&all, NULL, &l);
    }
    say_store(db, &now, &all, &l);
    sdb_mem_free(all.times);
    return 0;
}

#if defined(__clang__)
#define COMPILER "clang " __clang_version__
#else
#define COMPILER "gcc " __VERSION__
#endif
#if defined(__SANITIZE_ADDRESS__)
#define SANITIZER ", address sanitizer"
#elif defined(__SANITIZE_THREAD__)
#define SANITIZER ", thread sanitizer"
#else
#define SANITIZER ""
#endif
#if defined(NDEBUG)
#define ASSERTS ", no assertions"
#else
#define ASSERTS ", assertions"
#endif

static char build_info[200];

static void make_build_info(void)
{
    unsigned z = sdb_codec_zstd_version(), x = sdb_hash_version();
    snprintf(build_info, sizeof build_info,
             "seerdb " SEERDB_VERSION ", " COMPILER SANITIZER ASSERTS
             ", zstd %u.%u.%u, xxHash %u.%u.%u",
             z / 10000, z / 100 % 100, z % 100, x / 10000, x / 100 % 100, x % 100);
}

const char *seerdb_build_info(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, make_build_info);
    return build_info;
}
