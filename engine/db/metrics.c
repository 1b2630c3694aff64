/* SPDX-License-Identifier: Apache-2.0
 *
 * The statistics that seerdb_stats lists, and what this build is made of. */
#include "base/codec.h"
#include "base/hash.h"
#include "db/state.h"

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

static void say_io(seerdb *db, struct lister *l)
{
    const struct sdb_fs_counters *c = &db->fs->counters;
    say(l, "log_written", counted(&c->written[SDB_FOR_LOG]), "bytes",
        "written to the commit log by this process, all stores on this file layer");
    say(l, "flush_written", counted(&c->written[SDB_FOR_FLUSH]), "bytes",
        "written to tables by flushes");
    say(l, "compaction_written", counted(&c->written[SDB_FOR_COMPACTION]), "bytes",
        "written to tables by compactions");
    say(l, "compaction_read", counted(&c->read[SDB_FOR_COMPACTION]), "bytes",
        "read from tables by compactions");
    say(l, "manifest_written", counted(&c->written[SDB_FOR_MANIFEST]), "bytes",
        "written to manifests");
    say(l, "table_read", counted(&c->read[SDB_FOR_READ]), "bytes",
        "read from tables for queries");
    say(l, "log_syncs", counted(&c->syncs[SDB_FOR_LOG]), "count",
        "syncs of the commit log");
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

static void say_store(seerdb *db, struct lister *l)
{
    const struct sdb_counters *c = &db->counters;
    sdb_lock_db(&db->lock);
    size_t frozen = db->frozen_bytes;
    uint64_t trees = 0, jobs = db->jobs != NULL;
    size_t tables = 0, memtables = 0;
    for (const seerdb_tree *t = db->trees; t != NULL; t = t->next) {
        trees += t->dropped ? 0 : 1;
        jobs += t == db->compacting || (t->debt.look && t->debt.look_at_us == 0 &&
                                        !t->dropped && !db->compaction_paused);
        tables += t->state->version->memory + t->map_memory;
        memtables += sdb_memtable_bytes(t->state->memtables[0]);
    }
    bool paused = db->compaction_paused;
    bool read_only = seerdb_is_read_only(db);
    uint64_t log_bytes = db->wal != NULL ? sdb_wal_live_bytes(db->wal) : db->log_bytes;
    int failure = db->bg_err.code != 0 ? db->bg_err.code : db->job_err.code;
    sdb_unlock_db(&db->lock);
    say(l, "commits", counted(&c->commits), "count",
        "transactions committed since the open");
    say(l, "puts", counted(&c->puts), "count", "records written since the open");
    say(l, "deletes", counted(&c->deletes), "count",
        "tombstones written since the open");
    say(l, "gets", counted(&c->gets), "count", "point lookups since the open");
    say(l, "iterators", counted(&c->iterators), "count", "scans opened since the open");
    say(l, "flushes", counted(&c->flushes), "count", "memtables written to tables");
    say(l, "flush_failures", counted(&c->flush_failures), "count",
        "flushes that failed");
    say(l, "asides", counted(&c->asides), "count",
        "side files written, for tables whose database does not come");
    say(l, "compactions", counted(&c->compactions), "count", "merges of sorted tables");
    say(l, "moves", counted(&c->moves), "count",
        "sorted tables that went to another level as they were");
    say(l, "compaction_failures", counted(&c->compaction_failures), "count",
        "compactions that failed");
    say(l, "spills", counted(&c->spills), "count",
        "tables written by transactions that outgrew their share of memory");
    say_stalls(c, l);
    say(l, "background_busy", jobs > 0 && !read_only ? 1 : 0, "",
        "1 while background work is queued");
    say(l, "background_failure", (double)failure, "",
        "result code of the failure that holds back background work; 0: none");
    say(l, "read_only", read_only ? 1 : 0, "",
        "1 while the store is open for reading only");
    say(l, "trees", (double)trees, "count", "tables of the store, in the sense of SQL");
    say(l, "memory_limit", (double)db->memory_limit, "bytes",
        "the store's memory budget");
    say(l, "frozen_memory", (double)frozen, "bytes",
        "memtables waiting for their flush");
    say(l, "active_memory", (double)memtables, "bytes", "memtables that take commits");
    say(l, "table_memory", (double)tables, "bytes",
        "indexes, filters and maps of tables");
    say(l, "compaction_paused", paused ? 1 : 0, "", "1 while compaction is paused");
    say(l, "batch_memory",
        (double)atomic_load_explicit(&db->batch_bytes, memory_order_relaxed), "bytes",
        "what open transactions have written and hold in memory");
    struct sdb_cache_counters cache;
    sdb_cache_count(db->cache, &cache);
    say(l, "cache_memory", (double)cache.bytes, "bytes", "blocks of tables in memory");
    say(l, "pool_memory", db->pages != NULL ? (double)sdb_pages_bytes(db->pages) : 0,
        "bytes", "huge pages that blocks and memtables share, in use or spare");
    say(l, "cache_capacity", (double)cache.capacity, "bytes",
        "what memtables leave to the cache now");
    say(l, "cache_hits", (double)cache.hits, "count", "blocks found in memory");
    say(l, "cache_misses", (double)cache.misses, "count", "blocks read from files");
    say(l, "log_bytes", (double)log_bytes, "bytes",
        "log files that hold something not yet in tables");
    say_io(db, l);
}

/* Sums over the tables of a version. */
static void say_index(const struct sdb_version *v, struct lister *l)
{
    struct sdb_table_stats sum = {0}, s;
    for (size_t i = 0; i < v->nmembers; i++) {
        sdb_table_stats(v->members[i]->table, &s);
        sum.memory += s.memory;
        sum.mapped += s.mapped;
        sum.filter_bytes += s.filter_bytes;
        sum.model_bytes += s.model_bytes;
        sum.filter_keys += s.filter_keys;
        sum.segments += s.segments;
        sum.runs += s.runs;
        sum.corrected += s.corrected;
        sum.filter_negative += s.filter_negative;
        sum.filter_false += s.filter_false;
        sum.runs_negative += s.runs_negative;
    }
    double index = (double)(sum.memory - sum.filter_bytes);
    say(l, "mapped_bytes", (double)sum.mapped, "bytes",
        "of their files, read through maps");
    say(l, "index_memory", (double)sum.memory, "bytes",
        "memory of their indexes, models and filters");
    say(l, "index_per_record", v->records > 0 ? index / (double)v->records : 0, "bytes",
        "memory of indexes and models per record");
    say(l, "model_bytes", (double)sum.model_bytes, "bytes",
        "of it, models of the keys");
    say(l, "model_segments", (double)sum.segments, "count",
        "straight lines from key to place; 0: searched by a tree");
    say(l, "model_runs", (double)sum.runs, "count",
        "arithmetic progressions that are all the keys of their tables");
    say(l, "model_corrections", (double)sum.corrected, "count",
        "searches since the open for which a model was no help");
    say(l, "model_negatives", (double)sum.runs_negative, "count",
        "lookups since the open that a model's runs answered: not there");
    say(l, "filter_memory", (double)sum.filter_bytes, "bytes", "memory of the filters");
    say(l, "filter_keys", (double)sum.filter_keys, "count", "keys in the filters");
    say(l, "filter_negatives", (double)sum.filter_negative, "count",
        "lookups since the open that a filter answered: not there");
    say(l, "filter_false_positives", (double)sum.filter_false, "count",
        "lookups since the open that a filter let pass in vain");
}

static void say_tree(seerdb_tree *t, struct lister *l)
{
    seerdb *db = t->db;
    uint64_t memory = 0, records = 0, ranges = 0, blocks = 0, raw = 0;
    sdb_lock_db(&db->lock);
    struct sdb_read_state *s = sdb_read_state_ref(t->state);
    sdb_unlock_db(&db->lock);
    for (size_t i = 0; i < s->nmemtables; i++) {
        memory += sdb_memtable_bytes(s->memtables[i]);
        records += sdb_memtable_records(s->memtables[i]);
        ranges += sdb_memtable_nranges(s->memtables[i]);
    }
    for (size_t i = 0; i < s->version->nmembers; i++) {
        const struct sdb_member *m = s->version->members[i];
        blocks += sdb_table_properties(m->table)->blocks;
        raw += m->desc.key_bytes + m->desc.value_bytes;
    }
    say(l, "last_commit", counted(&t->last_commit), "",
        "number of the table's last commit");
    say(l, "memtable_records", (double)records, "count", "versions in memory");
    say(l, "memtable_ranges", (double)ranges, "count", "range tombstones in memory");
    say(l, "memtable_memory", (double)memory, "bytes", "memory of the memtables");
    say(l, "tables", (double)s->version->nmembers, "count", "sorted tables on disk");
    say(l, "table_records", (double)s->version->records, "count", "records in them");
    say(l, "table_tombstones", (double)s->version->tombstones, "count",
        "of these, deletions");
    say(l, "table_ranges", (double)s->version->ranges, "count",
        "range tombstones in them");
    say(l, "table_blocks", (double)blocks, "count", "data blocks in them");
    say(l, "table_bytes", (double)s->version->bytes, "bytes", "size of their files");
    say(l, "table_raw_bytes", (double)raw, "bytes",
        "keys and values before compression");
    say_index(s->version, l);
    sdb_read_state_unref(s);
}

int seerdb_stats(seerdb *db, seerdb_tree *tree,
                 bool (*each)(void *ctx, const seerdb_stat *stat), void *ctx,
                 seerdb_err *err)
{
    struct lister l = {each, ctx, false};
    int rc = sdb_check_process(db, err);
    if (rc != 0)
        return rc;
    if (tree != NULL)
        say_tree(tree, &l);
    say_store(db, &l);
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
