/* SPDX-License-Identifier: Apache-2.0
 *
 * options -- the table of options of CREATE VIRTUAL TABLE, and how each reads and shows
 * its value.  For args.c and settings.c. */
#ifndef SVT_OPTIONS_H
#define SVT_OPTIONS_H

#include "args.h"
#include "token.h"

static inline bool svt_set_path(struct svt_options *o, char **value)
{
    if ((*value)[0] == '\0')
        return false;
    o->path = *value;
    *value = NULL; /* taken */
    return true;
}

/* A number of bytes, with a unit or without. */
static inline bool svt_read_size(int64_t *out, const char *p)
{
    static const struct {
        const char *name;
        int64_t bytes;
    } units[] = {{"", 1}, {"KB", 1 << 10}, {"MB", 1 << 20}, {"GB", 1 << 30}};
    int64_t n = 0;
    if (!svt_is_digit(*p))
        return false;
    for (; svt_is_digit(*p); p++) {
        if (__builtin_mul_overflow(n, 10, &n) ||
            __builtin_add_overflow(n, *p - '0', &n))
            return false;
    }
    while (svt_is_space(*p))
        p++;
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (sqlite3_stricmp(p, units[i].name) == 0)
            return !__builtin_mul_overflow(n, units[i].bytes, out);
    }
    return false;
}

static inline bool svt_set_memory_limit(struct svt_options *o, char **value)
{
    return svt_read_size(&o->memory_limit, *value) && o->memory_limit >= 1 << 20;
}

/* Seconds; 0 is a millisecond, because the engine's 0 is its default. */
static inline bool svt_set_history(struct svt_options *o, char **value)
{
    const char *p = *value;
    int64_t n = 0;
    if (!svt_is_digit(*p))
        return false;
    for (; svt_is_digit(*p) && n <= 86400; p++)
        n = n * 10 + (*p - '0');
    o->history_ms = n > 0 ? n * 1000 : 1;
    return *p == '\0' && n <= 86400;
}

static inline bool svt_set_sync(struct svt_options *o, char **value)
{
    static const char *const names[] = {"auto", "full", "normal", "off"};
    for (int i = SVT_SYNC_AUTO; i <= SVT_SYNC_OFF; i++) {
        if (sqlite3_stricmp(*value, names[i]) == 0) {
            o->sync = (enum svt_sync)i;
            o->sync_given = true;
        }
    }
    return o->sync_given;
}

static inline bool svt_set_compression(struct svt_options *o, char **value)
{
    const char *p = *value;
    o->compression = 0;
    if (sqlite3_stricmp(p, "none") == 0)
        return true;
    if (sqlite3_strnicmp(p, "zstd", 4) != 0)
        return false;
    o->compression = 1;
    if (p[4] == '\0')
        return true;
    if (p[4] != ':' || !svt_is_digit(p[5]))
        return false;
    o->compression = p[5] - '0';
    if (p[6] != '\0') {
        if (!svt_is_digit(p[6]) || p[7] != '\0')
            return false;
        o->compression = o->compression * 10 + p[6] - '0';
    }
    return o->compression >= 1 && o->compression <= 19;
}

static inline bool svt_set_index(struct svt_options *o, char **value)
{
    o->index = sqlite3_stricmp(*value, "binary") == 0 ? SEERDB_INDEX_BINARY
                                                      : SEERDB_INDEX_LEARNED;
    return o->index == SEERDB_INDEX_BINARY || sqlite3_stricmp(*value, "learned") == 0;
}

static inline bool svt_set_filter_bits(struct svt_options *o, char **value)
{
    const char *p = *value;
    o->filter_bits = 0;
    if (!svt_is_digit(*p))
        return false;
    for (; svt_is_digit(*p) && o->filter_bits <= 20; p++)
        o->filter_bits = o->filter_bits * 10 + (unsigned)(*p - '0');
    return *p == '\0' && o->filter_bits <= 20;
}

static inline bool svt_set_value_log(struct svt_options *o, char **value)
{
    int64_t size = 0;
    if (sqlite3_stricmp(*value, "off") == 0 || strcmp(*value, "0") == 0) {
        o->value_log = 0;
        return true;
    }
    if (!svt_read_size(&size, *value) || size < SVT_VALUE_LOG_LEAST ||
        size > (int64_t)SEERDB_VALUE_MAX)
        return false;
    o->value_log = (size_t)size;
    return true;
}

static inline bool svt_set_insert(struct svt_options *o, char **value)
{
    static const char *const names[] = {"check", "replace", "merge"};
    for (int i = SVT_INSERT_CHECK; i <= SVT_INSERT_MERGE; i++) {
        if (sqlite3_stricmp(*value, names[i]) == 0) {
            o->insert = (enum svt_insert)i;
            return true;
        }
    }
    return false;
}

static inline bool svt_set_compaction(struct svt_options *o, char **value)
{
    static const char *const names[] = {"leveled", "lazy", "tiered", "adaptive"};
    for (int i = SEERDB_LEVELED; i <= SEERDB_ADAPTIVE; i++) {
        if (sqlite3_stricmp(*value, names[i]) == 0) {
            o->compaction = (enum seerdb_compaction)i;
            return true;
        }
    }
    return false;
}

static inline bool svt_set_mmap(struct svt_options *o, char **value)
{
    o->mmap = strcmp(*value, "1") == 0;
    return o->mmap || strcmp(*value, "0") == 0;
}

/* What the expression is worth svt_expire_check tells, once the columns are known. */
static inline bool svt_set_ttl(struct svt_options *o, char **value)
{
    o->ttl = *value;
    *value = NULL; /* taken */
    return true;
}

static inline bool svt_set_filter(struct svt_options *o, char **value)
{
    o->filter = *value;
    *value = NULL;
    return true;
}

static inline bool svt_set_strict(struct svt_options *o, char **value)
{
    o->strict = strcmp(*value, "1") == 0;
    return o->strict || strcmp(*value, "0") == 0;
}

/* ---- the values as text: sqlite3_malloc'ed, NULL: no memory ------------------- */

static inline char *svt_show_path(const struct svt_options *o)
{
    return sqlite3_mprintf("%s", o->path != NULL ? o->path : "<database file>-seerdb");
}

static inline char *svt_show_bytes(int64_t n)
{
    static const char *const units[] = {"", "KB", "MB", "GB"};
    int i = 0;
    for (; i < 3 && n > 0 && n % 1024 == 0; i++)
        n /= 1024;
    return sqlite3_mprintf("%lld%s", (long long)n, units[i]);
}

static inline char *svt_show_value_log(const struct svt_options *o)
{
    return o->value_log == 0 ? sqlite3_mprintf("off")
                             : svt_show_bytes((int64_t)o->value_log);
}

static inline char *svt_show_memory_limit(const struct svt_options *o)
{
    return svt_show_bytes(o->memory_limit > 0 ? o->memory_limit : 256 << 20);
}

static inline char *svt_show_sync(const struct svt_options *o)
{
    static const char *const names[] = {"auto", "full", "normal", "off"};
    return sqlite3_mprintf("%s", names[o->sync]);
}

static inline char *svt_show_history(const struct svt_options *o)
{
    return sqlite3_mprintf("%lld",
                           o->history_ms > 0 ? (long long)o->history_ms / 1000 : 10LL);
}

static inline char *svt_show_compression(const struct svt_options *o)
{
    return o->compression == 0   ? sqlite3_mprintf("none")
           : o->compression == 1 ? sqlite3_mprintf("zstd")
                                 : sqlite3_mprintf("zstd:%d", o->compression);
}

static inline char *svt_show_index(const struct svt_options *o)
{
    return sqlite3_mprintf("%s",
                           o->index == SEERDB_INDEX_BINARY ? "binary" : "learned");
}

static inline char *svt_show_filter_bits(const struct svt_options *o)
{
    return sqlite3_mprintf("%u", o->filter_bits);
}

static inline char *svt_show_insert(const struct svt_options *o)
{
    static const char *const names[] = {"check", "replace", "merge"};
    return sqlite3_mprintf("%s", names[o->insert]);
}

static inline char *svt_show_compaction(const struct svt_options *o)
{
    static const char *const names[] = {"leveled", "lazy", "tiered", "adaptive"};
    return sqlite3_mprintf("%s", names[o->compaction]);
}

static inline char *svt_show_mmap(const struct svt_options *o)
{
    return sqlite3_mprintf("%d", o->mmap ? 1 : 0);
}

static inline char *svt_show_ttl(const struct svt_options *o)
{
    return sqlite3_mprintf("%s", o->ttl != NULL ? o->ttl : "none");
}

static inline char *svt_show_filter(const struct svt_options *o)
{
    return sqlite3_mprintf("%s", o->filter != NULL ? o->filter : "none");
}

static inline char *svt_show_strict(const struct svt_options *o)
{
    return sqlite3_mprintf("%d", o->strict ? 1 : 0);
}

/* ---- the table ---------------------------------------------------------------- */

/* `set` NULL: documented, and not there yet; the rest is empty then. */
struct svt_option {
    const char *name;
    bool (*set)(struct svt_options *o, char **value); /* it may take the value */
    const char *allowed;
    const char *later; /* a value that is documented, and not there yet */
    char *(*show)(const struct svt_options *o);
    const char *standard; /* what it is where nobody gives it */
    int setting;          /* the row of the shadow table that changes it (settings.h);
                             kept in databases: never used for another.  0: cannot change */
    bool of_store;        /* its tables share it */
    const char *meaning;
};

static const struct svt_option svt_known_options[] = {
    {"path", svt_set_path, "a directory", NULL, svt_show_path, "<database file>-seerdb",
     0, true, "the store's directory"},
    {"memory_limit", svt_set_memory_limit,
     "a number of bytes, also with KB, MB or GB, at least 1MB", NULL,
     svt_show_memory_limit, "256MB", 2, true,
     "the store's memory: memtables, caches, indexes, filters"},
    {"sync", svt_set_sync, "auto, full, normal or off", NULL, svt_show_sync, "auto", 3,
     true, "how commits are synced; auto follows PRAGMA synchronous"},
    {"compression", svt_set_compression,
     "none, zstd or zstd:LEVEL with a level of 1 to 19", NULL, svt_show_compression,
     "zstd", 5, false, "of blocks of the bottom level"},
    {"history", svt_set_history, "a number of seconds from 0 to 86400", NULL,
     svt_show_history, "10", 4, true,
     "seconds for which superseded rows stay for readers that began before"},
    {"index", svt_set_index, "learned or binary", NULL, svt_show_index, "learned", 6,
     false, "how sorted tables are searched"},
    {"filter_bits", svt_set_filter_bits, "a number from 0 to 20", NULL,
     svt_show_filter_bits, "10", 7, false, "bits per key of the filters; 0: none"},
    {"insert", svt_set_insert, "check, replace or merge", NULL, svt_show_insert,
     "check", 8, false, "what a plain INSERT does on an existing key"},
    {"strict", svt_set_strict, "0 or 1", NULL, svt_show_strict, "0", 0, false,
     "1: values of the wrong type are errors, as in STRICT tables"},
    {"value_log", svt_set_value_log,
     "off or a number of bytes, also with KB or MB, at least 512", NULL,
     svt_show_value_log, "4KB", 13, false,
     "texts and blobs of this size and more are written once, to files of their own"},
    {"compaction", svt_set_compaction, "leveled, lazy, tiered or adaptive", NULL,
     svt_show_compaction, "leveled", 9, false, "sorted runs per level"},
    {"ttl", svt_set_ttl, "an expression over the columns", NULL, svt_show_ttl, "none",
     0, false, "the unix time at which a row expires; NULL is never"},
    {"filter", svt_set_filter, "an expression over the columns", NULL, svt_show_filter,
     "none", 0, false, "rows for which it is true are hidden and dropped"},
    {"mmap", svt_set_mmap, "0 or 1", NULL, svt_show_mmap, "0", 10, false,
     "read sorted tables through memory maps"},
    {.name = "cold_path"},
    {.name = "cold_level"},
};

#define SVT_NOPTIONS (sizeof svt_known_options / sizeof svt_known_options[0])

static const char svt_option_names[] =
    "the options are path, memory_limit, sync, history, compression, index, "
    "filter_bits, insert, strict, value_log, compaction, ttl, filter and mmap";

#endif
