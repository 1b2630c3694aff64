/* SPDX-License-Identifier: Apache-2.0
 *
 * memdata -- the bytes of one file in memory, and what had been synced of them.
 *
 * Life: init, use, fini.  Not locked: memfs calls under its own lock.  Functions that
 * can fail answer an errno and then leave the content as it was. */
#ifndef SDB_OS_MEMDATA_H
#define SDB_OS_MEMDATA_H

#include "base/mem.h"
#include "base/rand.h"

struct sdb_memdata_chunk;
struct sdb_memdata {
    struct sdb_memdata_chunk *chunks; /* owned */
    size_t nchunks;
    uint64_t size, synced_size;
    bool track_sync;
    uint64_t *held; /* borrowed; bytes of memory held, counted with others */
};

void sdb_memdata_init(struct sdb_memdata *d, bool track_sync, uint64_t *held);
void sdb_memdata_fini(struct sdb_memdata *d);

/* Returns how many of the n bytes there are. */
size_t sdb_memdata_read(const struct sdb_memdata *d, uint64_t off, void *buf, size_t n);
int sdb_memdata_write(struct sdb_memdata *d, uint64_t off, const void *buf, size_t n);
int sdb_memdata_resize(struct sdb_memdata *d, uint64_t size);
void sdb_memdata_sync(struct sdb_memdata *d);

/* Cut the power.  Each sector not synced is kept, reverted or garbled and the size is
 * anything between, at random; in a garbled sector, bytes outside of what was written
 * stay.  With rand NULL what was not synced is gone. */
void sdb_memdata_cut(struct sdb_memdata *d, struct sdb_rand *rand);

/* Flip a bit of the byte at off, in the content and in what was synced.  Requires:
 * off < size, bit < 8. */
int sdb_memdata_flip(struct sdb_memdata *d, uint64_t off, unsigned bit);

#endif
