/* SPDX-License-Identifier: Apache-2.0
 *
 * vlog_file -- the inside of a file of the value log (vlog.h), which vlog.c writes and
 * reads, and vlog_open.c opens. */
#ifndef SDB_LOG_VLOG_FILE_H
#define SDB_LOG_VLOG_FILE_H

#include "base/codec.h"
#include "os/file.h"

#include <stdatomic.h>

#define SDB_VLOG_MAGIC   "SEERVLG1"
#define SDB_VLOG_VERSION 1u
#define SDB_VLOG_ALIGN   8u
#define SDB_VLOG_FOOTER  64u
/* Values from here on are not gathered. */
#define SDB_VLOG_DIRECT ((size_t)64 << 10)
/* Places have 32 bits. */
#define SDB_VLOG_MOST ((uint64_t)UINT32_MAX * SDB_VLOG_ALIGN)

struct sdb_vlog_options; /* log/vlog.h, as all that users need */

struct sdb_vlog_slot {
    uint32_t slot, place; /* offset of its entry / SDB_VLOG_ALIGN */
};

struct sdb_vlog {
    _Atomic uint32_t count;
    struct sdb_file *file; /* owned */
    bool reading;          /* it was there before: no sync of ours has failed */
    uint64_t seed, tree;
    struct sdb_mutex lock;                            /* LK_SLOTS */
    struct sdb_vlog_slot *slots GUARDED_BY(LK_SLOTS); /* owned; rising */
    size_t n GUARDED_BY(LK_SLOTS), capacity GUARDED_BY(LK_SLOTS);
    uint64_t end GUARDED_BY(LK_SLOTS);     /* of the entries */
    uint64_t written GUARDED_BY(LK_SLOTS); /* handed to the system */
    uint64_t synced GUARDED_BY(LK_SLOTS);
    uint64_t trailer GUARDED_BY(LK_SLOTS); /* bytes of index and footer */
    bool sealed GUARDED_BY(LK_SLOTS);
    seerdb_err failed GUARDED_BY(LK_SLOTS);   /* why nothing is written any more */
    seerdb_err unsynced GUARDED_BY(LK_SLOTS); /* why a sync would say nothing */

    /* The appender's own. */
    struct sdb_buf buffer; /* what lies between written and end */
    struct sdb_buf packed;
    struct sdb_codec *codec;
    unsigned skip, skipping; /* values not to try packing, and how many at a time */
    uint64_t written_back;
};

struct sdb_vlog_entry {
    uint32_t stored, raw, slot;
    uint8_t codec;
    uint64_t check;
};

static inline uint64_t sdb_vlog_up(uint64_t n)
{
    return (n + SDB_VLOG_ALIGN - 1) & ~(uint64_t)(SDB_VLOG_ALIGN - 1);
}

/* Open the file, or make it; empty. */
int sdb_vlog_new(const struct sdb_vlog_options *o, enum sdb_open_mode mode,
                 struct sdb_vlog **out, seerdb_err *err) SDB_MUST_CHECK;
void sdb_vlog_free(struct sdb_vlog *v);
/* p has room for SDB_VLOG_HEADER bytes. */
void sdb_vlog_make_header(const struct sdb_vlog_options *o, uint8_t *p);
/* Room for one more slot. */
int sdb_vlog_reserve_slot(struct sdb_vlog *v, seerdb_err *err) SDB_MUST_CHECK;
/* The entry at off, if there is a whole one in the first `size` bytes. */
bool sdb_vlog_get_entry(const struct sdb_vlog *v, const uint8_t *p, uint64_t off,
                        uint64_t size, struct sdb_vlog_entry *e);

#endif
