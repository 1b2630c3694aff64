/* SPDX-License-Identifier: Apache-2.0
 *
 * rival -- the table of functions through which the engine bench drives each engine.
 * Whatever fails inside ends the program with a sentence: a bench has no use for half
 * an answer.  One writer at a time; readers are one per thread.
 *
 * Equal terms: no sync per commit, but every commit is handed to the system; 256 MB for
 * memtables and block cache together; Bloom filters of 10 bits where an engine has
 * them. */
#ifndef SDB_BENCH_RIVAL_H
#define SDB_BENCH_RIVAL_H

#include "bench/runner.h"
#include "seerdb.h"

#define BENCH_MEMORY ((size_t)256 << 20)

enum bench_compaction { BENCH_AUTOMATIC, BENCH_ON_REQUEST };

struct bench_setup {
    const char *dir;
    enum bench_compaction compaction; /* on request only, where the engine allows it */
    bool count_bytes; /* RocksDB: with its statistics, which cost some speed */
};

struct bench_rival_ops {
    int variant; /* handed to open: enum bench_variant */
    void *(*open)(const struct bench_setup *setup, int variant);
    void (*close)(void *db);

    /* Gather writes, then commit them as one. Copies key and value. */
    void (*put)(void *db, seerdb_slice key, seerdb_slice value);
    void (*commit)(void *db);

    /* A reader sees the last commit at each get and cursor_open; between pin and unpin
     * it sees the commit that was last at the pin. */
    void *(*reader_open)(void *db);
    void (*reader_close)(void *reader);
    void (*pin)(void *reader);
    void (*unpin)(void *reader);
    /* *value is borrowed until the reader's next call. */
    bool (*get)(void *reader, seerdb_slice key, seerdb_slice *value);

    /* False: no such key.  One cursor a reader. */
    void (*cursor_open)(void *reader);
    void (*cursor_close)(void *reader);
    bool (*first)(void *reader);
    bool (*last)(void *reader);
    bool (*seek)(void *reader, seerdb_slice key); /* the first key >= key */
    bool (*next)(void *reader);
    bool (*prev)(void *reader);
    void (*at)(void *reader, seerdb_slice *key, seerdb_slice *value);

    /* Memtables to tables; everything to one sorted run, as far as the engine can, and
     * wait until the background rests.  NULL: there is no such thing to do. */
    void (*flush)(void *db);
    void (*compact)(void *db);
    void (*io)(void *db, struct bench_io *io);
};

enum bench_variant { BENCH_PLAIN, BENCH_COMPRESSED, BENCH_BINARY_INDEX };
extern const struct bench_rival_ops bench_seerdb, bench_seerdb_zstd,
    bench_seerdb_binary;
extern const struct bench_rival_ops bench_rocksdb, bench_rocksdb_lz4;
extern const struct bench_rival_ops bench_leveldb;
extern const struct bench_rival_ops bench_lmdb;
extern const bool bench_seerdb_has_indexes; /* a choice between learned and binary */

/* The lines of the rivals that this program was built with, and those that it was not.
 */
#ifdef BENCH_ROCKSDB
#define BENCH_RIVALS_ROCKSDB                                                           \
    {"rocksdb",                                                                        \
     "write buffer 64 MB, cache 192 MB, Bloom 10 bits, WAL sync=false, "               \
     "no compression",                                                                 \
     &bench_rocksdb, 0},                                                               \
        {"rocksdb-lz4", "the same with LZ4", &bench_rocksdb_lz4, 0},
#define BENCH_WITHOUT_ROCKSDB ""
#else
#define BENCH_RIVALS_ROCKSDB
#define BENCH_WITHOUT_ROCKSDB "RocksDB is left out: librocksdb-dev is not installed.\n"
#endif
#ifdef BENCH_LEVELDB
#define BENCH_RIVALS_LEVELDB                                                           \
    {"leveldb",                                                                        \
     "write buffer 64 MB, cache 192 MB, Bloom 10 bits, sync=false, no "                \
     "compression",                                                                    \
     &bench_leveldb, 0},
#define BENCH_WITHOUT_LEVELDB ""
#else
#define BENCH_RIVALS_LEVELDB
#define BENCH_WITHOUT_LEVELDB "LevelDB is left out: libleveldb-dev is not installed.\n"
#endif
#ifdef BENCH_LMDB
#define BENCH_RIVALS_LMDB                                                              \
    {"lmdb", "MDB_NOSYNC, reads through the memory map (no memory limit)",             \
     &bench_lmdb, 0},
#define BENCH_WITHOUT_LMDB ""
#else
#define BENCH_RIVALS_LMDB
#define BENCH_WITHOUT_LMDB "LMDB is left out: liblmdb-dev is not installed.\n"
#endif

#endif
